// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 in lanes of 64 bits, each of which holds one block's word in its lower half: the product of two words is then one
// instruction, and nothing has to change places between rounds. Upper halves mean nothing.
#pragma once

#include "core/philox.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

struct WordLanes {
  L word[4];
};

constexpr int64_t kLaneNumbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};

/// A stream as registers: made once, for many blocks.
struct LaneStream {
  L key[2 * kPhiloxRounds];
  L counter[3];
  explicit LaneStream(const WordStream& stream) {
    uint32_t k0 = stream.key[0], k1 = stream.key[1];
    for (int round = 0; round < kPhiloxRounds; ++round) {
      key[2 * round] = L(static_cast<int64_t>(k0));
      key[2 * round + 1] = L(static_cast<int64_t>(k1));
      k0 += kPhiloxWeyl[0];
      k1 += kPhiloxWeyl[1];
    }
    for (int i = 0; i < 3; ++i) counter[i] = L(static_cast<int64_t>(stream.counter[i]));
  }
};

/// kCount times kWD blocks from `block` on; several at a time, since each is one long chain.
template <int kCount>
[[gnu::always_inline]] inline void philox_lanes(const LaneStream& stream, uint32_t block, WordLanes (&out)[kCount]) {
  const L m0(static_cast<int64_t>(kPhiloxMultiplier[0])), m1(static_cast<int64_t>(kPhiloxMultiplier[1]));
  const L lane = load(kLaneNumbers);
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) {
    out[i].word[0] = add(L(static_cast<int64_t>(block) + i * kWD), lane);
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j) out[i].word[1 + j] = stream.counter[j];
  }
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
#pragma GCC unroll 4
    for (int i = 0; i < kCount; ++i) {
      L* const w = out[i].word;
      const L p0 = multiply_low(m0, w[0]), p1 = multiply_low(m1, w[2]);
      w[0] = bit_xor(bit_xor(shift_right<32>(p1), w[1]), stream.key[2 * round]);
      w[2] = bit_xor(bit_xor(shift_right<32>(p0), w[3]), stream.key[2 * round + 1]);
      w[1] = p1;
      w[3] = p0;
    }
  }
}

/// The words of kWD blocks in order: two registers.
[[gnu::always_inline]] inline void words_in_order(const WordLanes& blocks, L* low, L* high) {
  const L lower(0xffffffff);
  interleave(bit_or(bit_and(blocks.word[0], lower), shift_left<32>(blocks.word[1])),
             bit_or(bit_and(blocks.word[2], lower), shift_left<32>(blocks.word[3])), low, high);
}

/// words[0 .. 4n): blocks [first, first + n) of a stream; n a multiple of 8.
inline void philox_words(const WordStream& stream, uint32_t first, int64_t n, uint32_t* words) {
  void* const raw = words;
  auto* const to = static_cast<int64_t*>(raw);
  const LaneStream lanes(stream);
  for (int64_t b = 0; b < n; b += kWD) {
    WordLanes blocks[1];
    philox_lanes(lanes, first + static_cast<uint32_t>(b), blocks);
    L low, high;
    words_in_order(blocks[0], &low, &high);
    store(to + 2 * b, low);
    store(to + 2 * b + kWD, high);
  }
}

}  // namespace
}  // namespace vmx
