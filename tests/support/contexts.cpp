// SPDX-License-Identifier: Apache-2.0
#include "support/contexts.hpp"

#include <stdexcept>

namespace vmx::test {

std::vector<int32_t> usable_isas() {
  std::vector<int32_t> result;
  for (int32_t i = 0; i < vmx_isa_count(); ++i) {
    if (vmx_isa_usable(vmx_isa_id(i))) result.push_back(vmx_isa_id(i));
  }
  return result;
}

Context::Context(int32_t isa, int32_t threads, vmx_parallel_for parallel_for, void* user) {
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  options.isa = isa;
  options.threads = threads;
  options.parallel_for = parallel_for;
  options.parallel_for_user = user;
  if (vmx_context_create(&options, &context_) != VMX_OK) throw std::runtime_error(last_error());
}

Workspace::Workspace(const vmx_context* ctx) {
  if (vmx_workspace_create(ctx, &workspace_) != VMX_OK) throw std::runtime_error(last_error());
}

std::string last_error() {
  std::string text(vmx_last_error(nullptr, 0) + 1, '\0');
  text.resize(vmx_last_error(text.data(), text.size()));
  return text;
}

}  // namespace vmx::test
