// SPDX-License-Identifier: Apache-2.0
// Checks of the views that a caller hands over. Names are those of the arguments ("x",
// "options.class_weight").
#pragma once

#include "core/status.hpp"

#include <cstddef>
#include <cstdint>

namespace vmx {

constexpr unsigned dtype_bit(int32_t dtype) { return 1u << dtype; }
constexpr unsigned kF32 = dtype_bit(VMX_F32);
constexpr unsigned kBF16 = dtype_bit(VMX_BF16);
constexpr unsigned kF16 = dtype_bit(VMX_F16);
constexpr unsigned kF64 = dtype_bit(VMX_F64);
constexpr unsigned kFloats = kF32 | kBF16 | kF16 | kF64;
constexpr unsigned kF32OrF64 = kF32 | kF64;
constexpr unsigned kIds = dtype_bit(VMX_I32) | dtype_bit(VMX_I64);

// A view that is read: present, of an allowed dtype, sizes not negative, cols within VMX_MAX_COLS, reserved
// 0, data present (unless empty) and aligned to its element, all of it within the address space.
vmx_status check_input(const vmx_matrix* m, const char* name, unsigned dtype_mask);
// A view that is written: the same, and no two elements share memory.
vmx_status check_output(const vmx_matrix* m, const char* name, unsigned dtype_mask);
// The same for m elements of which data may be NULL: for the functions that only tell sizes.
vmx_status check_input_sizes(const vmx_matrix* m, const char* name, unsigned dtype_mask);
vmx_status check_output_sizes(const vmx_matrix* m, const char* name, unsigned dtype_mask);

// As above; v->n must be n.
vmx_status check_vector_in(const vmx_vector* v, const char* name, int64_t n, unsigned dtype_mask);
vmx_status check_vector_out(const vmx_vector* v, const char* name, int64_t n, unsigned dtype_mask);

// n elements side by side without a view: aligned, and within the address space. NULL is fine.
vmx_status check_array(const void* data, const char* name, int64_t n, size_t size, size_t alignment);
template <class T>
vmx_status check_array(const T* data, const char* name, int64_t n) {
  return check_array(data, name, n, sizeof(T), alignof(T));
}

// Type, base, size and data; not what the ids are.
vmx_status check_ids(const vmx_ids* v, const char* name);

// m is name[rows, cols]: VMX_ERR_SHAPE, naming like_name, if not.
vmx_status check_same_shape(const vmx_matrix& m, const char* name, const vmx_matrix& like,
                            const char* like_name);

// Where a view's elements are: within [lo, hi), both 0 if there are none; and, as each of two patterns tells,
// only in the first `run` bytes of every `period` bytes from lo on (period 0: once). Of checked views only.
struct Extent {
  struct Pattern {
    uint64_t period, run;
  };
  uintptr_t lo, hi;
  Pattern rows, elements;
  constexpr Extent(uintptr_t first = 0, uintptr_t end = 0)
      : lo(first), hi(end), rows{0, end - first}, elements{0, end - first} {}
};
Extent extent(const vmx_matrix& m);
Extent extent(const vmx_vector& v);
Extent extent(const vmx_ids& v);
Extent extent(const void* data, size_t bytes);
template <class T>
Extent array_extent(const T* data, int64_t n) {  // of a checked array
  return extent(data, static_cast<size_t>(n) * sizeof(T));
}

// False if they share a byte. Views that interleave are told apart by their patterns, hence where their
// strides have a large enough common divisor; others are judged by their ranges.
bool disjoint(const Extent& a, const Extent& b);
vmx_status check_disjoint(const Extent& a, const char* a_name, const Extent& b, const char* b_name);

// Whether both views have the same elements in the same places. The stride of a dimension of one is no
// matter.
bool same_view(const vmx_matrix& a, const vmx_matrix& b);
// out is the same view as in, or disjoint from it.
vmx_status check_in_place_or_disjoint(const vmx_matrix& out, const char* out_name, const vmx_matrix& in,
                                      const char* in_name);

// The i-th value as it stands; the base is not taken off.
inline int64_t read_id(const vmx_ids& ids, int64_t i) {
  return ids.type == VMX_I32 ? static_cast<const int32_t*>(ids.data)[i * ids.stride]
                             : static_cast<const int64_t*>(ids.data)[i * ids.stride];
}

}  // namespace vmx
