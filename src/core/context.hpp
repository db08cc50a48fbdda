// SPDX-License-Identifier: Apache-2.0
// What a call runs with: kernels of one ISA, threads, memory.
#pragma once

#include "core/status.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace vmx {
struct KernelTable;
class Pool;
}  // namespace vmx

// Trivially destructible, so that the constant default contexts outlive every static object of a host.
struct vmx_context {
  int32_t isa;
  const vmx::KernelTable* kernels;
  int32_t threads;  // at least 1
  vmx::Pool* pool;  // owned; NULL: none
  vmx_parallel_for parallel_for;
  void* parallel_for_user;
  vmx_alloc alloc;  // NULL: the C library's
  vmx_free free;
  void* alloc_user;
};

namespace vmx {

// ctx, or where it is NULL the constant context of the best ISA. Takes no lock.
const vmx_context& resolve(const vmx_context* ctx) noexcept;

vmx_status create_context(const vmx_context_options* options, vmx_context** out);
void destroy_context(vmx_context* ctx) noexcept;

constexpr size_t kAlignment = 64;

// Aligned to kAlignment. Throws std::bad_alloc. (Threads of a pool take their own memory from the C library.)
void* allocate(const vmx_context& ctx, size_t bytes);
// bytes as given to allocate. NULL is fine.
void release(const vmx_context& ctx, void* memory, size_t bytes) noexcept;

inline bool has_threads(const vmx_context& ctx) { return ctx.pool || ctx.parallel_for; }
void run_tasks(const vmx_context& ctx, int64_t n, void (*task)(void* arg, int64_t index), void* arg);

// f(index) for each index in [0, n), on the context's threads. Returns when all have ended. Throws what the
// first task to fail threw, or CallbackError if the caller's parallel_for did not run each task once.
template <class F>
void parallel_for(const vmx_context& ctx, int64_t n, F&& f) {
  if (n <= 1 || !has_threads(ctx)) {
    for (int64_t i = 0; i < n; ++i) f(i);
    return;
  }
  using Function = std::remove_reference_t<F>;
  run_tasks(
      ctx, n, [](void* arg, int64_t i) { (*static_cast<Function*>(arg))(i); },
      const_cast<void*>(static_cast<const volatile void*>(std::addressof(f))));
}

}  // namespace vmx
