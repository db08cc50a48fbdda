// SPDX-License-Identifier: Apache-2.0
// ctest-labels: bits sanitize
// Conversions of dtypes against an oracle that looks for the nearest value in a table of all 16-bit floats.
#include "core/dtype.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#if defined(__SSE2__)
#  include <xmmintrin.h>
#endif

namespace {

using namespace vmx;

struct Format {
  int mantissa, exponent;
};
constexpr Format kBF16Format{7, 8}, kF16Format{10, 5}, kF32Format{23, 8};

uint64_t infinity_bits(Format f) { return ((uint64_t{1} << f.exponent) - 1) << f.mantissa; }

// By the definition of the format; finite, sign 0. With the bits of infinity: the next value if there were no
// end.
double value_of(Format f, uint64_t bits) {
  const int bias = (1 << (f.exponent - 1)) - 1;
  const auto exponent = static_cast<int>(bits >> f.mantissa);
  const auto fraction = static_cast<double>(bits & ((uint64_t{1} << f.mantissa) - 1));
  if (exponent == 0) return std::ldexp(fraction, 1 - bias - f.mantissa);
  return std::ldexp(fraction + std::ldexp(1.0, f.mantissa), exponent - bias - f.mantissa);
}

uint64_t nearest(Format f, double value) {
  const uint64_t sign = std::signbit(value) ? uint64_t{1} << (f.mantissa + f.exponent) : 0;
  const double magnitude = std::fabs(value);
  const uint64_t end = infinity_bits(f);
  uint64_t low = 0, high = end;  // value_of(low) <= magnitude, and the answer is low or the one above
  while (high - low > 1) {
    const uint64_t middle = (low + high) / 2;
    (value_of(f, middle) <= magnitude ? low : high) = middle;
  }
  if (magnitude >= value_of(f, end)) return sign | end;
  // Both have one bit more than the format at most: exact in f64.
  const double middle = (value_of(f, low) + value_of(f, low + 1)) / 2;
  if (magnitude > middle || (magnitude == middle && (low & 1))) ++low;
  return sign | low;
}

// Near every value of the format: itself, halfway to the next, and beside both, in steps of the source's last
// bit.
template <class Float>
std::vector<Float> probes(Format f, uint64_t step) {
  std::vector<Float> found;
  const Float top = std::numeric_limits<Float>::infinity();
  for (uint64_t bits = 0; bits < infinity_bits(f); bits += step) {
    const double here = value_of(f, bits), middle = (here + value_of(f, bits + 1)) / 2;
    for (const double at : {here, middle}) {
      const auto source = static_cast<Float>(at);
      for (const Float one : {source, std::nextafter(source, top), std::nextafter(source, -top)}) {
        found.push_back(one);
        found.push_back(-one);
      }
    }
  }
  uint64_t state = 1;
  for (int i = 0; i < 200000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t noise = state ^ (state >> 29);
    Float one;
    if constexpr (sizeof(Float) == 4) {
      one = std::bit_cast<float>(static_cast<uint32_t>(noise));
    } else {
      one = std::bit_cast<double>(noise);
    }
    if (!std::isnan(one)) found.push_back(one);
  }
  for (const Float one : {Float{0}, std::numeric_limits<Float>::denorm_min(),
                          std::numeric_limits<Float>::min(), std::numeric_limits<Float>::max(), top}) {
    found.push_back(one);
    found.push_back(-one);
  }
  return found;
}

// Runs f in the usual environment, with FTZ and DAZ, and in each rounding mode: no answer may change.
template <class F>
void in_every_environment(F f) {
  f("as usual");
#if defined(__SSE2__)
  const unsigned saved = _mm_getcsr();
  const struct {
    const char* name;
    unsigned bits;
  } modes[] = {{"FTZ and DAZ", 0x8040}, {"down", 0x2000}, {"up", 0x4000}, {"to zero", 0x6000}};
  for (const auto& mode : modes) {
    _mm_setcsr((saved & ~0xe040u) | mode.bits);
    f(mode.name);
    _mm_setcsr(saved);
  }
#endif
}

template <class Float, class Convert>
void check_narrowing(Format format, const std::vector<Float>& inputs, Convert convert) {
  std::vector<uint64_t> expected(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    expected[i] = nearest(format, static_cast<double>(inputs[i]));
  }
  in_every_environment([&](const char* name) {
    size_t wrong = 0, first = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (static_cast<uint64_t>(convert(inputs[i])) != expected[i] && wrong++ == 0) first = i;
    }
    EXPECT_EQ(wrong, 0u) << name << ", the first: " << std::hexfloat << inputs[first] << " -> " << std::hex
                         << static_cast<uint64_t>(convert(inputs[first])) << ", not " << expected[first];
  });
}

TEST(Dtype, F32ToBF16) { check_narrowing(kBF16Format, probes<float>(kBF16Format, 1), f32_to_bf16); }
TEST(Dtype, F32ToF16) { check_narrowing(kF16Format, probes<float>(kF16Format, 1), f32_to_f16); }
TEST(Dtype, F64ToBF16RoundsOnce) {
  check_narrowing(kBF16Format, probes<double>(kBF16Format, 1), f64_to_bf16);
}
TEST(Dtype, F64ToF16RoundsOnce) { check_narrowing(kF16Format, probes<double>(kF16Format, 1), f64_to_f16); }
TEST(Dtype, F64ToF32) {
  check_narrowing(kF32Format, probes<double>(kF32Format, 104729),
                  [](double x) { return std::bit_cast<uint32_t>(f64_to_f32(x)); });
}

TEST(Dtype, F64ToF32AsTheHardwareDoes) {
  size_t wrong = 0;
  for (const double x : probes<double>(kF32Format, 15485863)) {
    wrong += std::bit_cast<uint32_t>(f64_to_f32(x)) != std::bit_cast<uint32_t>(static_cast<float>(x));
  }
  EXPECT_EQ(wrong, 0u);
}

// 1 + 2^-11 + 2^-40 lies above halfway between two f16 values, but rounds to halfway in f32 first.
TEST(Dtype, RoundingTwiceWouldShow) {
  const double x = 1 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(f64_to_f16(x), 0x3c01);
  EXPECT_EQ(f32_to_f16(static_cast<float>(x)), 0x3c00);
  const double y = 1 + 0x1p-8 + 0x1p-40;
  EXPECT_EQ(f64_to_bf16(y), 0x3f81);
  EXPECT_EQ(f32_to_bf16(static_cast<float>(y)), 0x3f80);
}

TEST(Dtype, EverySixteenBitPatternWidensAndComesBack) {
  in_every_environment([](const char* name) {
    uint32_t wrong = 0;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const auto half = static_cast<uint16_t>(bits);
      const uint32_t wide_b = std::bit_cast<uint32_t>(bf16_to_f32(half));
      wrong += wide_b != bits << 16;
      const bool nan_b = (bits & 0x7fff) > 0x7f80;
      wrong += f32_to_bf16(std::bit_cast<float>(wide_b)) != (nan_b ? bits | 0x40 : bits);
      wrong += f64_to_bf16(f32_to_f64(std::bit_cast<float>(wide_b))) != (nan_b ? bits | 0x40 : bits);
      const float wide_h = f16_to_f32(half);
      const bool nan_h = (bits & 0x7fff) > 0x7c00;
      wrong += f32_to_f16(wide_h) != (nan_h ? bits | 0x200 : bits);
      wrong += f64_to_f16(f32_to_f64(wide_h)) != (nan_h ? bits | 0x200 : bits);
    }
    EXPECT_EQ(wrong, 0u) << name;
  });
}

TEST(Dtype, WideningIsExact) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const double expected = value_of(kF16Format, bits);
    ASSERT_EQ(static_cast<double>(f16_to_f32(static_cast<uint16_t>(bits))), expected);
    ASSERT_EQ(static_cast<double>(f16_to_f32(static_cast<uint16_t>(bits | 0x8000))), -expected);
  }
  EXPECT_EQ(f16_to_f32(0x7c00), std::numeric_limits<float>::infinity());
  EXPECT_EQ(f16_to_f32(0xfc00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));

  std::vector<uint32_t> patterns;
  for (uint32_t bits = 0; bits < 0x7f800000; bits += 65521) patterns.push_back(bits);
  for (uint32_t bits = 0; bits < 0x00800000; bits += 127) patterns.push_back(bits);  // subnormals
  for (int shift = 0; shift < 31; ++shift) patterns.push_back(uint32_t{1} << shift);
  patterns.push_back(0x7f800000);
  std::vector<uint64_t> expected;
  for (const uint32_t bits : patterns) {
    expected.push_back(bits == 0x7f800000 ? 0x7ff0000000000000u
                                          : std::bit_cast<uint64_t>(value_of(kF32Format, bits)));
  }
  in_every_environment([&](const char* name) {
    size_t wrong = 0;
    for (size_t i = 0; i < patterns.size(); ++i) {
      wrong += std::bit_cast<uint64_t>(f32_to_f64(std::bit_cast<float>(patterns[i]))) != expected[i];
      wrong += std::bit_cast<uint64_t>(f32_to_f64(std::bit_cast<float>(patterns[i] | 0x80000000u))) !=
               (expected[i] | 0x8000000000000000u);
    }
    EXPECT_EQ(wrong, 0u) << name;
  });
}

// The upper part of the payload stays, the quiet bit is set, the sign is kept: as processors do.
TEST(Dtype, NaNs) {
  const auto f32 = [](uint32_t bits) { return std::bit_cast<float>(bits); };
  const auto f64 = [](uint64_t bits) { return std::bit_cast<double>(bits); };
  EXPECT_EQ(f32_to_bf16(f32(0x7f800001)), 0x7fc0);  // the payload lies wholly in the part that goes
  EXPECT_EQ(f32_to_bf16(f32(0xffc10001)), 0xffc1);
  EXPECT_EQ(f32_to_bf16(f32(0x7fffffff)), 0x7fff);
  EXPECT_EQ(f32_to_f16(f32(0x7f800001)), 0x7e00);
  EXPECT_EQ(f32_to_f16(f32(0xffffffff)), 0xffff);
  EXPECT_EQ(f32_to_f16(f32(0x7f802000)), 0x7e01);
  EXPECT_EQ(f64_to_f16(f64(0x7ff0000000000001)), 0x7e00);
  EXPECT_EQ(f64_to_bf16(f64(0xffffffffffffffff)), 0xffff);
  EXPECT_EQ(std::bit_cast<uint32_t>(f64_to_f32(f64(0xfff0000020000000))), 0xffc00001u);
  EXPECT_EQ(std::bit_cast<uint32_t>(f16_to_f32(0x7c01)), 0x7fc02000u);
  EXPECT_EQ(std::bit_cast<uint64_t>(f32_to_f64(f32(0xff800001))), 0xfff8000020000000u);
}

TEST(Dtype, LoadAndStore) {
  const double values[] = {1.5, -0.0, 0x1p-140, 0x1.8p-24, -65504, 1e300};
  uint16_t halves[6];
  float floats[6];
  double doubles[6];
  for (int i = 0; i < 6; ++i) {
    store_from_f64(doubles, i, VMX_F64, values[i]);
    EXPECT_EQ(std::bit_cast<uint64_t>(load_as_f64(doubles, i, VMX_F64)), std::bit_cast<uint64_t>(values[i]));
    store_from_f64(floats, i, VMX_F32, values[i]);
    EXPECT_EQ(load_as_f64(floats, i, VMX_F32), static_cast<double>(static_cast<float>(values[i])));
    store_from_f64(halves, i, VMX_F16, values[i]);
    EXPECT_EQ(halves[i], nearest(kF16Format, values[i]));
    EXPECT_EQ(load_as_f64(halves, i, VMX_F16), static_cast<double>(f16_to_f32(halves[i])));
    store_from_f64(halves, i, VMX_BF16, values[i]);
    EXPECT_EQ(halves[i], nearest(kBF16Format, values[i]));
    EXPECT_EQ(load_as_f64(halves, i, VMX_BF16), static_cast<double>(bf16_to_f32(halves[i])));
  }
}

TEST(Dtype, SizesAndNames) {
  const struct {
    int32_t dtype;
    int64_t size;
    const char* name;
  } table[] = {{VMX_F32, 4, "f32"}, {VMX_BF16, 2, "bf16"}, {VMX_F16, 2, "f16"},
               {VMX_F64, 8, "f64"}, {VMX_I32, 4, "i32"},   {VMX_I64, 8, "i64"},
               {0, 0, "unknown"},   {7, 0, "unknown"},     {-1, 0, "unknown"}};
  for (const auto& row : table) {
    EXPECT_EQ(dtype_size(row.dtype), row.size);
    EXPECT_STREQ(dtype_name(row.dtype), row.name);
  }
}

}  // namespace
