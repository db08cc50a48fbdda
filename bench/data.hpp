// SPDX-License-Identifier: Apache-2.0
// The data of every benchmark, a function of a seed and an index alone. python/data.py makes the same bits.
#pragma once

#include <cstdint>

namespace bench {

// One stream for each role.
enum Seed : uint64_t { kScores = 1, kHidden = 2, kWeights = 3, kLabels = 4, kCandidates = 5 };

// Finaliser of splitmix64 over a Weyl sequence.
constexpr uint64_t hash(uint64_t seed, uint64_t i) {
  uint64_t z = (i + 1 + (seed << 48)) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Nearly normal with mean 0 and variance 1: a sum of four uniforms of 32 bits, exact until it is rounded once to f32.
constexpr float normal(uint64_t seed, uint64_t i, double scale = 1) {
  const uint64_t a = hash(seed, 2 * i), b = hash(seed, 2 * i + 1);
  const int64_t sum = static_cast<int64_t>((a >> 32) + (a & 0xFFFFFFFFu) + (b >> 32) + (b & 0xFFFFFFFFu));
  constexpr double kUnit = 4.0327450436746636e-10;  // sqrt(3) / 2^32
  return static_cast<float>(static_cast<double>(sum - 2 * int64_t{0xFFFFFFFF}) * kUnit * scale);
}

uint16_t to_bf16(float value);
float from_bf16(uint16_t bits);

// dtype: VMX_F32 or VMX_BF16 (rounded to nearest even).
void fill_normal(void* to, int64_t n, int32_t dtype, uint64_t seed, double scale = 1);
void fill_labels(int32_t* to, int64_t n, int64_t classes, uint64_t seed = kLabels);
float load(const void* from, int64_t i, int32_t dtype);

int64_t dtype_bytes(int32_t dtype);
const char* dtype_name(int32_t dtype);

}  // namespace bench
