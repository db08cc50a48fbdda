// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon et al. 2011): random words as a function of a key and a counter.
#pragma once

#include <cstdint>

namespace vmx {

/// Key, and all of the counter but its first word: the number of a block of four words.
struct WordStream {
  uint32_t key[2];
  uint32_t counter[3];
};

constexpr uint32_t kPhiloxMultiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
constexpr uint32_t kPhiloxWeyl[2] = {0x9E3779B9u, 0xBB67AE85u};
constexpr int kPhiloxRounds = 10;

struct WordBlock {
  uint32_t word[4];
};

[[gnu::always_inline]] inline WordBlock philox(const WordStream& stream, uint32_t block) {
  uint32_t c0 = block, c1 = stream.counter[0], c2 = stream.counter[1], c3 = stream.counter[2];
  uint32_t k0 = stream.key[0], k1 = stream.key[1];
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = uint64_t{kPhiloxMultiplier[0]} * c0, p1 = uint64_t{kPhiloxMultiplier[1]} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += kPhiloxWeyl[0];
    k1 += kPhiloxWeyl[1];
  }
  return {{c0, c1, c2, c3}};
}

/// The stream of a purpose (VMX_PURPOSE_*) for a row and a step. step in [0, 2^56), row in [0, 2^32).
inline WordStream word_stream(uint32_t purpose, uint64_t seed, int64_t step, int64_t row) {
  const auto s = static_cast<uint64_t>(step), r = static_cast<uint64_t>(row);
  return {{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
          {purpose << 24 | static_cast<uint32_t>(r & 0xffffff), static_cast<uint32_t>(s),
           static_cast<uint32_t>(s >> 32) << 8 | static_cast<uint32_t>(r >> 24)}};
}

/// The i-th 64 bits of a stream: words 2i and 2i + 1, the first one being the upper half.
inline uint64_t long_word(const WordStream& stream, uint32_t i) {
  const WordBlock block = philox(stream, i / 2);
  const uint32_t* const word = block.word + i % 2 * 2;
  return uint64_t{word[0]} << 32 | word[1];
}

}  // namespace vmx
