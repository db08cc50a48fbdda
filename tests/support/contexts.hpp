// SPDX-License-Identifier: Apache-2.0
// Contexts and workspaces as values, and the ISAs that this machine can run.
#pragma once

#include <vastmax/vastmax.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vmx::test {

/// VMX_TEST_ISA=name in the environment: that one alone, where the others would cost time for nothing (in emulators).
std::vector<int32_t> usable_isas();

class Context {
 public:
  explicit Context(int32_t isa = VMX_ISA_BEST, int32_t threads = 0, vmx_parallel_for parallel_for = nullptr,
                   void* user = nullptr);
  ~Context() { vmx_context_destroy(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  operator const vmx_context*() const { return context_; }

 private:
  vmx_context* context_ = nullptr;
};

class Workspace {
 public:
  explicit Workspace(const vmx_context* ctx = nullptr);
  ~Workspace() { vmx_workspace_destroy(workspace_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  operator vmx_workspace*() const { return workspace_; }

 private:
  vmx_workspace* workspace_ = nullptr;
};

/// The calling thread's last message.
std::string last_error();

}  // namespace vmx::test

/// Runs a block once for each usable ISA, with a context of it.
#define VMX_FOR_EACH_ISA(ctx)                                                 \
  for (const int32_t ctx##_isa : ::vmx::test::usable_isas())                  \
    if (const ::vmx::test::Context ctx{ctx##_isa}; true)                      \
      if (const ::testing::ScopedTrace ctx##_trace(__FILE__, __LINE__, vmx_isa_name(ctx##_isa)); true)
