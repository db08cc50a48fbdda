// SPDX-License-Identifier: Apache-2.0
// Random numbers that are the same everywhere: integers, and floats made of them by exact divisions.
#pragma once

#include <cstdint>

namespace vmx::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t bits() {  // splitmix64 (Steele, Lea & Flood 2014)
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// In [0, n).
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
  /// A multiple of 2^-53 in [0, 1).
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// In [-1, 1], uniform, with all the digits of an f64.
  double symmetric() { return static_cast<double>(static_cast<int64_t>(bits())) * 0x1p-63; }
  /// Bell-shaped in [-4, 4], standard deviation 1.15: the sum of four.
  double bell() { return (symmetric() + symmetric()) + (symmetric() + symmetric()); }
  bool one_in(int64_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace vmx::test
