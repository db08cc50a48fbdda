// SPDX-License-Identifier: Apache-2.0
#include "support/dtypes.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace vmx::test {
namespace {

struct Format {
  int digits;        // of the significand, the hidden one included
  int max_exponent;  // of the largest number, as 2^max_exponent
  int min_exponent;  // of the smallest normal number
};

Format format_of(int32_t dtype) {
  switch (dtype) {
    case VMX_BF16: return {8, 127, -126};
    case VMX_F16: return {11, 15, -14};
    case VMX_F64: return {53, 1023, -1022};
    default: return {24, 127, -126};
  }
}

uint16_t half_bits(double v) {  // v is a number of binary16
  const uint16_t sign = std::signbit(v) ? 0x8000 : 0;
  if (std::isnan(v)) return 0x7e00;
  if (std::isinf(v)) return static_cast<uint16_t>(sign | 0x7c00);
  const double magnitude = std::fabs(v);
  if (magnitude < 0x1p-14) return static_cast<uint16_t>(sign | static_cast<uint16_t>(magnitude * 0x1p24));
  const int exponent = std::ilogb(magnitude);
  const double fraction = std::ldexp(magnitude, 10 - exponent) - 1024;
  return static_cast<uint16_t>(sign | ((exponent + 15) << 10) | static_cast<int>(fraction));
}

double half_value(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double magnitude;
  if (exponent == 31) {
    magnitude = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else {
    magnitude = std::ldexp(1024 + fraction, exponent - 25);
  }
  return bits & 0x8000 ? -magnitude : magnitude;
}

}  // namespace

size_t size_of(int32_t dtype) {
  switch (dtype) {
    case VMX_BF16:
    case VMX_F16: return 2;
    case VMX_F64:
    case VMX_I64: return 8;
    default: return 4;
  }
}

const char* name_of(int32_t dtype) {
  switch (dtype) {
    case VMX_F32: return "f32";
    case VMX_BF16: return "bf16";
    case VMX_F16: return "f16";
    case VMX_F64: return "f64";
    case VMX_I32: return "i32";
    case VMX_I64: return "i64";
    default: return "?";
  }
}

long double half_ulp(long double magnitude, int32_t dtype) {
  const Format f = format_of(dtype);
  magnitude = std::fabs(magnitude);
  int exponent = f.min_exponent;
  if (magnitude > 0 && std::isfinite(magnitude)) exponent = std::max(exponent, std::ilogb(magnitude));
  return std::ldexp(1.0L, std::min(exponent, f.max_exponent) - f.digits);
}

double rounded(long double value, int32_t dtype) {
  if (value == 0 || !std::isfinite(value)) return static_cast<double>(value);
  const long double step = 2 * half_ulp(value, dtype);
  const long double result = std::nearbyint(value / step) * step;
  if (std::fabs(result) > static_cast<long double>(largest(dtype))) {
    return std::copysign(std::numeric_limits<double>::infinity(), static_cast<double>(std::copysign(1.0L, value)));
  }
  return static_cast<double>(result);
}

double largest(int32_t dtype) {
  const Format f = format_of(dtype);
  return std::ldexp(2 - std::ldexp(1.0, 1 - f.digits), f.max_exponent);
}

double value_of(const void* element, int32_t dtype) {
  switch (dtype) {
    case VMX_BF16: {
      uint16_t bits;
      std::memcpy(&bits, element, 2);
      return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
    }
    case VMX_F16: {
      uint16_t bits;
      std::memcpy(&bits, element, 2);
      return half_value(bits);
    }
    case VMX_F64: {
      double v;
      std::memcpy(&v, element, 8);
      return v;
    }
    default: {
      float v;
      std::memcpy(&v, element, 4);
      return static_cast<double>(v);
    }
  }
}

void put(void* element, int32_t dtype, long double value) {
  const double v = rounded(value, dtype);
  switch (dtype) {
    case VMX_BF16: {
      const auto bits = static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(v)) >> 16);
      std::memcpy(element, &bits, 2);
      return;
    }
    case VMX_F16: {
      const uint16_t bits = half_bits(v);
      std::memcpy(element, &bits, 2);
      return;
    }
    case VMX_F64: std::memcpy(element, &v, 8); return;
    default: {
      const float f = static_cast<float>(v);
      std::memcpy(element, &f, 4);
    }
  }
}

long double unit_of(int32_t score_dtype) { return score_dtype == VMX_F64 ? 0x1p-53L : 0x1p-24L; }

long double unit_of_result(int32_t score_dtype, int32_t stored) {
  return std::fmax(unit_of(score_dtype), half_ulp(1, stored));
}

int32_t wide_type(int32_t score_dtype) { return score_dtype == VMX_F64 ? VMX_F64 : VMX_F32; }

}  // namespace vmx::test
