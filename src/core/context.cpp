// SPDX-License-Identifier: Apache-2.0
#include "core/context.hpp"

#include "core/checked.hpp"
#include "core/cpu.hpp"
#include "core/options.hpp"
#include "core/threads.hpp"
#include "targets/dispatch.hpp"
#include "targets/table.hpp"

#if defined(__linux__)
#  include <sys/mman.h>
#endif

#include <algorithm>
#include <cinttypes>
#include <cstdlib>
#include <memory>
#include <system_error>

#if defined(_WIN32)
#  include <malloc.h>
#endif

namespace vmx {
namespace {

constexpr int32_t kMaxThreads = 1024;

constinit const vmx_context kDefaultContexts[] = {
#define VMX_ISA(name, flags) \
  {isa_number::name, &name::table, 1, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr},
#include "targets/isa.def"
#undef VMX_ISA
};

// 0 is "best" in an option.
vmx_status check_isa(int32_t isa, const char* name) {
  if (isa == VMX_ISA_BEST || isa_usable(isa)) return VMX_OK;
  return fail(VMX_ERR_UNSUPPORTED, "%s names %s, which this CPU, its operating system or this build lacks",
              name, isa_name(isa));
}

vmx_status choose_isa(int32_t option, int32_t* chosen) {
  if (option < VMX_ISA_BEST || option > VMX_ISA_AVX512) {
    return fail(VMX_ERR_VALUE, "options.isa is %" PRId32 ", which is no VMX_ISA_* number", option);
  }
  VMX_TRY(check_isa(option, "options.isa"));
  *chosen = option == VMX_ISA_BEST ? best_isa() : option;

  const char* const cap_name = std::getenv("VASTMAX_ISA");
  if (!cap_name || !*cap_name) return VMX_OK;
  const int32_t cap = isa_by_name(cap_name);
  if (cap == 0) {
    return fail(VMX_ERR_VALUE, "VASTMAX_ISA is \"%.40s\", but must be scalar, avx2 or avx512", cap_name);
  }
  VMX_TRY(check_isa(cap, "VASTMAX_ISA"));
  *chosen = std::min(*chosen, cap);
  return VMX_OK;
}

size_t rounded(size_t bytes) {
  return saturating_add(std::max<size_t>(bytes, 1), kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

const vmx_context& resolve(const vmx_context* ctx) noexcept {
  if (ctx) return *ctx;
  const int32_t best = best_isa();
  const vmx_context* found = kDefaultContexts;
  while (found->isa != best) ++found;
  return *found;
}

vmx_status create_context(const vmx_context_options* options, vmx_context** out) {
  if (!out) return fail(VMX_ERR_NULL, "out is NULL");
  vmx_context_options given;
  VMX_TRY(read_options(options, "options", &given));
  if (given.threads < 0 || given.threads > kMaxThreads) {
    return fail(VMX_ERR_VALUE, "options.threads is %" PRId32 ", but must be from 0 to %" PRId32,
                given.threads, kMaxThreads);
  }
  if (!given.alloc != !given.free) {
    return fail(VMX_ERR_VALUE, "options.%s is NULL, but options.%s is not", given.alloc ? "free" : "alloc",
                given.alloc ? "alloc" : "free");
  }
  int32_t isa = VMX_ISA_BEST;
  VMX_TRY(choose_isa(given.isa, &isa));

  const int32_t threads = std::max(given.threads, int32_t{1});
  vmx_context made = {isa,         kernel_table(isa),  threads,
                      nullptr,     given.parallel_for, given.parallel_for_user,
                      given.alloc, given.free,         given.alloc_user};
  std::unique_ptr<Pool> pool;
  if (threads > 1 && !given.parallel_for) {
    try {
      pool = std::make_unique<Pool>(threads);
    } catch (const std::system_error&) {
      return fail(VMX_ERR_MEMORY, "the system did not start %" PRId32 " threads", threads - 1);
    }
  }
  void* const memory = allocate(made, sizeof(vmx_context));
  made.pool = pool.release();
  *out = ::new (memory) vmx_context(made);
  return VMX_OK;
}

void destroy_context(vmx_context* ctx) noexcept {
  if (!ctx) return;
  delete ctx->pool;
  const vmx_context hooks = *ctx;
  release(hooks, ctx, sizeof(vmx_context));
}

#if defined(__linux__)
namespace {

// Packed weights, and the scratch of long rows, are read from one end to the other: in pages of 4 KiB the search for pages takes
// half of the time of a scalar product with each of 10^6 rows.
constexpr size_t kHugePage = size_t{2} << 20, kHugeFrom = 2 * kHugePage;

void* allocate_huge(size_t bytes) {
  void* const memory = std::aligned_alloc(kHugePage, (bytes + kHugePage - 1) / kHugePage * kHugePage);
#  if defined(MADV_HUGEPAGE)
  if (memory) madvise(memory, bytes, MADV_HUGEPAGE);  // where it cannot be had, small pages do
#  endif
  return memory;
}

}  // namespace
#endif

void* allocate(const vmx_context& ctx, size_t bytes) {
  bytes = rounded(bytes);
  if (bytes > static_cast<size_t>(PTRDIFF_MAX)) throw std::bad_alloc();
  void* memory = nullptr;
  if (ctx.alloc) {
    try {
      const FpModeScope scope(ApiCall::caller_mode());
      memory = ctx.alloc(ctx.alloc_user, bytes, kAlignment);
    } catch (...) {
      throw CallbackError("alloc threw");
    }
  } else {
#if defined(_WIN32)
    memory = _aligned_malloc(bytes, kAlignment);
#elif defined(__linux__)
    memory = bytes < kHugeFrom ? std::aligned_alloc(kAlignment, bytes) : allocate_huge(bytes);
#else
    memory = std::aligned_alloc(kAlignment, bytes);
#endif
  }
  if (!memory) throw std::bad_alloc();
  return memory;
}

void release(const vmx_context& ctx, void* memory, size_t bytes) noexcept {
  if (!memory) return;
  if (ctx.free) {
    const FpModeScope scope(ApiCall::caller_mode());
    ctx.free(ctx.alloc_user, memory, rounded(bytes), kAlignment);
  } else {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    std::free(memory);
#endif
  }
}

void run_tasks(const vmx_context& ctx, int64_t n, Task task, void* arg) {
  if (ctx.parallel_for) {
    run_by_callback(ctx.parallel_for, ctx.parallel_for_user, n, task, arg);
  } else {
    ctx.pool->run(n, task, arg);
  }
}

}  // namespace vmx
