// SPDX-License-Identifier: Apache-2.0
#include "support/contexts.hpp"

#include <cstdlib>
#include <stdexcept>

namespace vmx::test {

std::vector<int32_t> usable_isas() {
  const char* const only = std::getenv("VMX_TEST_ISA");
  std::vector<int32_t> result;
  for (int32_t i = 0; i < vmx_isa_count(); ++i) {
    const int32_t isa = vmx_isa_id(i);
    if (vmx_isa_usable(isa) && (!only || std::string(only) == vmx_isa_name(isa))) result.push_back(isa);
  }
  if (result.empty()) throw std::runtime_error(std::string("VMX_TEST_ISA: no usable ISA of the name ") + only);
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
