// SPDX-License-Identifier: Apache-2.0
// The library as this tool uses it: one pool, one context over it, one workspace.
#pragma once

#include <memory>

#include "error.hpp"
#include "pool.hpp"

namespace tool {

template <auto destroy>
struct Destroyer {
  template <class T>
  void operator()(T* handle) const {
    destroy(handle);
  }
};

using Context = std::unique_ptr<vmx_context, Destroyer<vmx_context_destroy>>;
using Workspace = std::unique_ptr<vmx_workspace, Destroyer<vmx_workspace_destroy>>;
using PackedWeights = std::unique_ptr<vmx_packed_weights, Destroyer<vmx_packed_weights_destroy>>;

struct Engine {
  explicit Engine(int threads) : pool(threads) {
    vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    if (threads > 1) {
      options.parallel_for = Pool::parallel_for;
      options.parallel_for_user = &pool;
    }
    vmx_context* made = nullptr;
    check(vmx_context_create(&options, &made));
    context.reset(made);
    vmx_workspace* scratch = nullptr;
    check(vmx_workspace_create(made, &scratch));
    workspace.reset(scratch);
  }

  Pool pool;
  Context context;
  Workspace workspace;
};

inline vmx_matrix matrix_f32(const float* data, int64_t rows, int64_t cols) {
  return {const_cast<float*>(data), rows, cols, cols, 1, VMX_F32, 0};
}
inline vmx_vector vector_f32(const float* data, int64_t n) { return {const_cast<float*>(data), n, 1, VMX_F32, 0}; }
inline vmx_ids ids_i32(const int32_t* data, int64_t n) { return {data, n, 1, VMX_I32, 0}; }
inline vmx_ids ids_i64(const int64_t* data, int64_t n) { return {data, n, 1, VMX_I64, 0}; }

}  // namespace tool
