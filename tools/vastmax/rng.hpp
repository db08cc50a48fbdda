// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon et al. 2011): numbers are a function of (seed, purpose, index, position), so that no order of
// work and no thread count changes them.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

namespace tool {

inline std::array<uint32_t, 4> philox4x32_10(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// What random numbers are for. The numbers are part of what a seed means: never change or reuse one.
enum class Purpose : uint32_t {
  init_users = 1,
  init_items = 2,
  shuffle = 3,
  test_split = 4,
  validation_split = 5,
  synthetic_users = 6,
  synthetic_items = 7,
  synthetic_order = 8,
  synthetic_draws = 9,
  show_users = 10,
};

/// One endless sequence.
class Stream {
 public:
  Stream(uint64_t seed, Purpose purpose, uint64_t index = 0)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        counter_{0, static_cast<uint32_t>(purpose), static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32)} {}

  uint32_t next() {
    if (used_ == 4) {
      words_ = philox4x32_10(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return words_[used_++];
  }

  /// In [0, 1), a multiple of 2^-53.
  double uniform() {
    const uint64_t high = next();
    return static_cast<double>(((high << 32) | next()) >> 11) * 0x1p-53;
  }

  /// In [0, n), every value equally likely. n in [1, 2^32).
  uint32_t below(uint32_t n) {
    for (;;) {
      const uint64_t product = uint64_t{next()} * n;
      const auto low = static_cast<uint32_t>(product);
      if (low >= n || low >= (0u - n) % n) return static_cast<uint32_t>(product >> 32);
    }
  }

  /// Fisher-Yates.
  template <class Container>
  void shuffle(Container& values) {
    for (auto n = static_cast<uint32_t>(values.size()); n > 1; --n) {
      const uint32_t other = below(n);
      std::swap(values[n - 1], values[other]);
    }
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> words_{};
  unsigned used_ = 4;
};

}  // namespace tool
