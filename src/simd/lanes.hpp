// SPDX-License-Identifier: Apache-2.0
// The lane layer: what a kernel may ask of an ISA. Included once by each file of src/targets, which sets
// VMX_TARGET_<NAME>. Every kernel works on 64 virtual lanes; a register holds kW (f32) or kWD (f64) of them.
//
// Each operation has one exact result (IEEE, round to nearest even), so kernels give the same bits for any width:
//   stream            a non-temporal store of two registers; store has a form for two also
//   load / store      f32, f64; bf16 and f16 are widened exactly and rounded to nearest even
//   add sub mul div   IEEE, sqrt too;  fma: one rounding, in the scalar target too
//   min_or_b, max_or_b  a < b ? a : b,  a > b ? a : b: b when unordered, and for +-0 (the order of minps and maxps)
//   lookup4           table[i & 3]
//   larger_unsigned   of 32-bit integers without a sign
//   as_ordered        integers in the order of the floats; -inf is kOrderedMinusInf
// For selection (L: int64 lanes, as many as D has; masks: bit i speaks of lane i):
//   order_key         integers in the order of vmx_topk: as as_ordered, but equal for +-0, and the lowest one for NaN
//   at_least          mask of a >= b; false when unordered. Floats: as if tiny ones were 0 where denormals_are_zero()
//   add_if_less       count + (a < b ? 1 : 0)
//   max_across        lane i is the largest lane of a[i] (no NaN)
//   compress          stores the masked lanes side by side. Writes a whole register: room behind is needed.
//   compress_index    the same of base + lane number; mask_count: how many those are
//   ..._wide          as many int32 as D has lanes, compress_ids_wide those of an array
// For random words (L):
//   shift_right       zeros come in; multiply_low: of the lower halves, as 32-bit integers without a sign, all 64 bits of it
//   interleave        a0 b0 a1 b1 ... in two registers
//   load_ids          as many int32 as D has lanes, as f64
// Everything is in an anonymous namespace: no copy of it can be kept by the linker for another ISA.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vmx {
constexpr int32_t kOrderedMinusInf = static_cast<int32_t>(0xff800000u ^ 0x7fffffffu);
}  // namespace vmx

#if defined(VMX_TARGET_AVX512)
#include "simd/lanes_avx512.hpp"
#elif defined(VMX_TARGET_AVX2)
#include "simd/lanes_avx2.hpp"
#else
#include "simd/lanes_scalar.hpp"
#endif
