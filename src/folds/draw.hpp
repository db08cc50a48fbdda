// SPDX-License-Identifier: Apache-2.0
// From random words to classes.
#pragma once

#include "simd/philox.hpp"
#include "simd/several.hpp"

namespace vmx {
namespace {

/// Words of two places a block: place 2b has words 0 and 1 of block b, place 2b + 1 the others. f(h, l) of the upper and lower
/// word of a place gives 32 bits in each lane; they are stored in the order of the places. n a multiple of 64.
template <class Function>
[[gnu::always_inline]] inline void for_each_place(const WordStream& stream, uint32_t first_block, int64_t n, Function&& f) {
  constexpr int kCount = 2;
  const LaneStream lanes(stream);
  for (int64_t i = 0; i < n; i += 2 * kWD * kCount) {
    WordLanes blocks[kCount];
    philox_lanes(lanes, first_block + static_cast<uint32_t>(i / 2), blocks);
#pragma GCC unroll 2
    for (int j = 0; j < kCount; ++j) f(i + j * 2 * kWD, blocks[j]);
  }
}

/// place * range / 2^64: index[] the whole part, fraction[] the upper 32 bits of the rest. n a multiple of 64. A fraction of 0 may
/// be a word that exact uniformity rejects (Lemire 2019): the caller sees to it.
inline void draw_cells(const WordStream& stream, uint32_t first_block, int64_t n, uint32_t range, int32_t* index,
                       uint32_t* fraction) {
  const L v(static_cast<int64_t>(range)), lower(0xffffffff), upper(static_cast<int64_t>(0xffffffff00000000u));
  void* const indices = index;
  void* const fractions = fraction;
  for_each_place(stream, first_block, n, [&](int64_t i, const WordLanes& w) __attribute__((always_inline)) {
    const auto product = [&](L high, L low) {
      return add(multiply_low(high, v), shift_right<32>(multiply_low(low, v)));
    };
    const L even = product(w.word[0], w.word[1]), odd = product(w.word[2], w.word[3]);
    store(static_cast<int64_t*>(indices) + i / 2, bit_or(shift_right<32>(even), bit_and(odd, upper)));
    store(static_cast<int64_t*>(fractions) + i / 2, bit_or(bit_and(even, lower), shift_left<32>(odd)));
  });
}

/// ids[] = floor(2^(u log2_range)) - 1, u of 53 bits, at most `last`. n a multiple of 64.
inline void draw_log_uniform(const WordStream& stream, uint32_t first_block, int64_t n, double log2_range, int32_t last,
                             int32_t* ids) {
  using Four = Several<4>;  // of two groups of blocks the even and the odd places
  const L lower(0xffffffff), whole(0x4330000000000000);  // 2^52: integers below it stand in the lower bits
  const Four scale(log2_range * 0x1p-32), magic(6755399441055744.0), most(static_cast<double>(last)), one(1.0);
  const LaneStream lanes(stream);
  void* const out = ids;
  const auto uniform = [&](L high, L low) {  // times 2^32
    const D a = as_double(bit_or(bit_and(high, lower), whole)) - D(0x1p52);
    const D b = as_double(bit_or(shift_right<11>(bit_and(low, lower)), whole)) - D(0x1p52);
    return a + b * D(0x1p-21);
  };
  for (int64_t i = 0; i < n; i += 4 * kWD) {
    WordLanes w[2];
    philox_lanes(lanes, first_block + static_cast<uint32_t>(i / 2), w);
    Four u;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) u.v[j] = uniform(w[j / 2].word[j % 2 * 2], w[j / 2].word[j % 2 * 2 + 1]);
    const Four t = u * scale, m = (t + magic) - magic, r = t - m;
    // 2^r, |r| <= 1/2: Taylor to degree 11, 2^-47 relative. A class of 2^31 is 2^-31 wide.
    Four q(0x1.e8cac7351bb25p-32);
    q = q * r + Four(0x1.e4cf5158b8ecap-28);
    q = q * r + Four(0x1.b5253d395e7c4p-24);
    q = q * r + Four(0x1.62c0223a5c824p-20);
    q = q * r + Four(0x1.ffcbfc588b0c7p-17);
    q = q * r + Four(0x1.430912f86c787p-13);
    q = q * r + Four(0x1.5d87fe78a6731p-10);
    q = q * r + Four(0x1.3b2ab6fba4e77p-7);
    q = q * r + Four(0x1.c6b08d704a0c0p-5);
    q = q * r + Four(0x1.ebfbdff82c58fp-3);
    q = q * r + Four(0x1.62e42fefa39efp-1);
    const Four value = (one + r * q) * exp2_int(m), near = (value + magic) - magic;
    const Four floor = select_at_least(value, near, near, near - one);
    const Four id = max_or_b(min_or_b(floor - one, most), Four(0.0)) + magic;  // its lower bits are the integer
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      store(static_cast<int64_t*>(out) + i / 2 + j * kWD,
            bit_or(bit_and(as_long(id.v[2 * j]), lower), shift_left<32>(as_long(id.v[2 * j + 1]))));
    }
  }
}

}  // namespace
}  // namespace vmx
