// SPDX-License-Identifier: Apache-2.0
// Element types, and scalar conversions between them made of integer operations alone: FTZ, DAZ and the
// rounding mode of the caller's floating-point environment have no say. Everything is always inlined, so ISA
// objects may use it.
#pragma once

#include <vastmax/vastmax.h>

#include <cstdint>

namespace vmx {

#define VMX_DTYPE_INLINE [[gnu::always_inline]] inline

// 0 for an unknown dtype.
VMX_DTYPE_INLINE int64_t dtype_size(int32_t dtype) {
  switch (dtype) {
    case VMX_F32:
    case VMX_I32: return 4;
    case VMX_BF16:
    case VMX_F16: return 2;
    case VMX_F64:
    case VMX_I64: return 8;
    default: return 0;
  }
}

// "f32", ...; "unknown" for other numbers.
const char* dtype_name(int32_t dtype) noexcept;

// Widens from a narrower IEEE format: exact, NaNs quieted. Each format is told by its bits of mantissa and
// exponent.
template <int kFromMantissa, int kFromExponent, int kToMantissa, int kToExponent>
VMX_DTYPE_INLINE uint64_t widen_bits(uint64_t bits) {
  constexpr uint64_t from_inf = ((uint64_t{1} << kFromExponent) - 1) << kFromMantissa;
  constexpr uint64_t to_inf = ((uint64_t{1} << kToExponent) - 1) << kToMantissa;
  constexpr int more = kToMantissa - kFromMantissa;
  constexpr uint64_t bias_difference =
      (uint64_t{1} << (kToExponent - 1)) - (uint64_t{1} << (kFromExponent - 1));
  const uint64_t sign = (bits >> (kFromMantissa + kFromExponent)) << (kToMantissa + kToExponent);
  const uint64_t magnitude = bits & ((uint64_t{1} << (kFromMantissa + kFromExponent)) - 1);
  if (magnitude >= from_inf) {
    const uint64_t payload = (magnitude - from_inf) << more;
    return sign | to_inf | payload | (payload ? uint64_t{1} << (kToMantissa - 1) : 0);
  }
  if (magnitude >= uint64_t{1} << kFromMantissa) {
    return sign | ((magnitude << more) + (bias_difference << kToMantissa));
  }
  if (magnitude == 0) return sign;
  const int shift = __builtin_clzll(magnitude) - (63 - kFromMantissa);  // makes the subnormal normal
  const uint64_t exponent = bias_difference + 1 - static_cast<uint64_t>(shift);
  return sign | (((exponent - 1) << kToMantissa) + (magnitude << (shift + more)));
}

// Rounds once, to nearest, ties to even, into a format with a narrower exponent. NaNs are quieted and keep
// the upper part of their payload.
template <int kFromMantissa, int kFromExponent, int kToMantissa, int kToExponent>
VMX_DTYPE_INLINE uint64_t narrow_bits(uint64_t bits) {
  // Then subnormals of the source are less than half of the smallest number of the target.
  static_assert(kFromExponent > kToExponent);
  constexpr uint64_t from_inf = ((uint64_t{1} << kFromExponent) - 1) << kFromMantissa;
  constexpr uint64_t to_inf = ((uint64_t{1} << kToExponent) - 1) << kToMantissa;
  constexpr int less = kFromMantissa - kToMantissa;
  constexpr int bias_difference = (1 << (kFromExponent - 1)) - (1 << (kToExponent - 1));
  const uint64_t sign = (bits >> (kFromMantissa + kFromExponent)) << (kToMantissa + kToExponent);
  const uint64_t magnitude = bits & ((uint64_t{1} << (kFromMantissa + kFromExponent)) - 1);
  if (magnitude >= from_inf) {
    const uint64_t payload = magnitude - from_inf;
    return sign | to_inf | (payload ? (payload >> less) | (uint64_t{1} << (kToMantissa - 1)) : 0);
  }
  // The target's biased exponent; 0 and below: subnormal, or nothing.
  const int exponent = static_cast<int>(magnitude >> kFromMantissa) - bias_difference;
  const int shift = exponent > 0 ? less : less + 1 - exponent;
  if (shift > kFromMantissa + 1) return sign;  // below half of the smallest
  const uint64_t leading = uint64_t{1} << kFromMantissa;
  const uint64_t mantissa = (magnitude & (leading - 1)) | leading;
  const uint64_t kept = mantissa >> shift;
  const uint64_t rest = mantissa & ((uint64_t{1} << shift) - 1);
  const uint64_t half = uint64_t{1} << (shift - 1);
  const uint64_t up = (rest > half || (rest == half && (kept & 1))) ? 1 : 0;
  // The leading bit, and a carry out of the mantissa, add one to the exponent: just so.
  uint64_t result = kept + up;
  if (exponent > 0) result += static_cast<uint64_t>(exponent - 1) << kToMantissa;
  return sign | (result < to_inf ? result : to_inf);
}

VMX_DTYPE_INLINE float bf16_to_f32(uint16_t bits) {  // as it is: even a signalling NaN stays one
  return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
}

VMX_DTYPE_INLINE uint16_t f32_to_bf16(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

VMX_DTYPE_INLINE float f16_to_f32(uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(widen_bits<10, 5, 23, 8>(bits)));
}

VMX_DTYPE_INLINE uint16_t f32_to_f16(float value) {
  return static_cast<uint16_t>(narrow_bits<23, 8, 10, 5>(__builtin_bit_cast(uint32_t, value)));
}

VMX_DTYPE_INLINE double f32_to_f64(float value) {
  return __builtin_bit_cast(double, widen_bits<23, 8, 52, 11>(__builtin_bit_cast(uint32_t, value)));
}

VMX_DTYPE_INLINE float f64_to_f32(double value) {
  return __builtin_bit_cast(
      float, static_cast<uint32_t>(narrow_bits<52, 11, 23, 8>(__builtin_bit_cast(uint64_t, value))));
}

VMX_DTYPE_INLINE uint16_t f64_to_bf16(double value) {
  return static_cast<uint16_t>(narrow_bits<52, 11, 7, 8>(__builtin_bit_cast(uint64_t, value)));
}

VMX_DTYPE_INLINE uint16_t f64_to_f16(double value) {
  return static_cast<uint16_t>(narrow_bits<52, 11, 10, 5>(__builtin_bit_cast(uint64_t, value)));
}

// Element i of an array of one of the four float dtypes.
VMX_DTYPE_INLINE double load_as_f64(const void* base, int64_t i, int32_t dtype) {
  switch (dtype) {
    case VMX_F32: return f32_to_f64(static_cast<const float*>(base)[i]);
    case VMX_BF16: return f32_to_f64(bf16_to_f32(static_cast<const uint16_t*>(base)[i]));
    case VMX_F16: return f32_to_f64(f16_to_f32(static_cast<const uint16_t*>(base)[i]));
    case VMX_F64: return static_cast<const double*>(base)[i];
    default: __builtin_unreachable();
  }
}

// Rounds value once into element i.
VMX_DTYPE_INLINE void store_from_f64(void* base, int64_t i, int32_t dtype, double value) {
  switch (dtype) {
    case VMX_F32: static_cast<float*>(base)[i] = f64_to_f32(value); return;
    case VMX_BF16: static_cast<uint16_t*>(base)[i] = f64_to_bf16(value); return;
    case VMX_F16: static_cast<uint16_t*>(base)[i] = f64_to_f16(value); return;
    case VMX_F64: static_cast<double*>(base)[i] = value; return;
    default: __builtin_unreachable();
  }
}

#undef VMX_DTYPE_INLINE

}  // namespace vmx
