// SPDX-License-Identifier: Apache-2.0
// Structs that grow: each begins with size_t struct_size and is only ever appended to. Fields added after the
// first release are neutral at 0, so a caller's shorter struct stands for one with zeros behind it.
#pragma once

#include "core/status.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace vmx {

// No struct of ours comes near; a larger struct_size is garbage, whose tail must not be read.
constexpr size_t kMaxStructSize = 4096;

// Fields of a published struct, as of its first release, and its defaults (those of its _INIT macro). When a
// struct grows, its size here becomes offsetof(T, <first field added>).
template <class T>
struct Published;
#define VMX_PUBLISHED(type, init)                      \
  template <>                                          \
  struct Published<type> {                             \
    static constexpr size_t first_size = sizeof(type); \
    static constexpr type defaults = init;             \
  }
VMX_PUBLISHED(vmx_context_options, VMX_CONTEXT_OPTIONS_INIT);
VMX_PUBLISHED(vmx_softmax_options, VMX_SOFTMAX_OPTIONS_INIT);
VMX_PUBLISHED(vmx_lse_options, VMX_LSE_OPTIONS_INIT);
VMX_PUBLISHED(vmx_cross_entropy_options, VMX_CROSS_ENTROPY_OPTIONS_INIT);
VMX_PUBLISHED(vmx_cross_entropy_out, VMX_CROSS_ENTROPY_OUT_INIT);
VMX_PUBLISHED(vmx_topk_options, VMX_TOPK_OPTIONS_INIT);
VMX_PUBLISHED(vmx_linear, VMX_LINEAR_INIT);
VMX_PUBLISHED(vmx_linear_grads, VMX_LINEAR_GRADS_INIT);
VMX_PUBLISHED(vmx_sparse_rows, VMX_SPARSE_ROWS_INIT);
VMX_PUBLISHED(vmx_update_options, VMX_UPDATE_OPTIONS_INIT);
VMX_PUBLISHED(vmx_sampler_options, VMX_SAMPLER_OPTIONS_INIT);
VMX_PUBLISHED(vmx_draw_options, VMX_DRAW_OPTIONS_INIT);
VMX_PUBLISHED(vmx_sampled_options, VMX_SAMPLED_OPTIONS_INIT);
VMX_PUBLISHED(vmx_candidates, VMX_CANDIDATES_INIT);
VMX_PUBLISHED(vmx_sampled_grads, VMX_SAMPLED_GRADS_INIT);
VMX_PUBLISHED(vmx_sampled_out, VMX_SAMPLED_OUT_INIT);
#undef VMX_PUBLISHED

// The parts that need not be compiled per struct. known: our sizeof.
vmx_status read_struct(const void* given, const char* name, size_t first_size, size_t known, void* out);
vmx_status init_struct(void* options, size_t size, size_t first_size, size_t known, const void* defaults);

// Reads a caller's struct into *out, whose struct_size becomes our sizeof. NULL: the defaults.
template <class T>
vmx_status read_options(const T* given, const char* name, size_t first_published_size, const T& defaults,
                        T* out) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxStructSize);
  if (!given) {
    *out = defaults;
    out->struct_size = sizeof(T);
    return VMX_OK;
  }
  VMX_TRY(read_struct(given, name, first_published_size, sizeof(T), out));
  out->struct_size = sizeof(T);
  return VMX_OK;
}
template <class T>
vmx_status read_options(const T* given, const char* name, T* out) {
  return read_options(given, name, Published<T>::first_size, Published<T>::defaults, out);
}

// Fills a caller's struct of that size: the body of each vmx_*_init.
template <class T>
vmx_status init_options(T* options, size_t size) {
  return init_struct(options, size, Published<T>::first_size, sizeof(T), &Published<T>::defaults);
}

// No flag that is not among the allowed ones, and reserved 0 (pass 0 where the struct has none).
vmx_status check_flags(const char* name, uint32_t flags, uint32_t allowed, int64_t reserved);

}  // namespace vmx
