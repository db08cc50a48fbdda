// SPDX-License-Identifier: Apache-2.0
// From random words to classes.
#pragma once

#include "simd/philox.hpp"

namespace vmx {
namespace {

/// Words of two places a block: place 2b has words 0 and 1 of block b, place 2b + 1 the others. f(h, l) of the upper and lower
/// word of a place gives 32 bits in each lane; they are stored in the order of the places. n a multiple of 64.
template <class Function>
[[gnu::always_inline]] inline void for_each_place(const WordStream& stream, uint32_t first_block, int64_t n, Function&& f) {
  constexpr int kCount = 2;
  for (int64_t i = 0; i < n; i += 2 * kWD * kCount) {
    WordLanes blocks[kCount];
    philox_lanes(stream, first_block + static_cast<uint32_t>(i / 2), blocks);
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
  const L lower(0xffffffff), whole(0x4330000000000000);  // 2^52: integers below it stand in the lower bits
  const D scale(log2_range * 0x1p-32), magic(6755399441055744.0), most(static_cast<double>(last));
  void* const out = ids;
  const auto draw = [&](L high, L low) {
    const D a = as_double(bit_or(bit_and(high, lower), whole)) - D(0x1p52);
    const D b = as_double(bit_or(shift_right<11>(bit_and(low, lower)), whole)) - D(0x1p52);
    const D t = (a + b * D(0x1p-21)) * scale;
    const D m = (t + magic) - magic, r = t - m;
    // 2^r, |r| <= 1/2: Taylor to degree 11, 2^-47 relative. A class of 2^31 is 2^-31 wide.
    D q(0x1.e8cac7351bb25p-32);
    q = q * r + D(0x1.e4cf5158b8ecap-28);
    q = q * r + D(0x1.b5253d395e7c4p-24);
    q = q * r + D(0x1.62c0223a5c824p-20);
    q = q * r + D(0x1.ffcbfc588b0c7p-17);
    q = q * r + D(0x1.430912f86c787p-13);
    q = q * r + D(0x1.5d87fe78a6731p-10);
    q = q * r + D(0x1.3b2ab6fba4e77p-7);
    q = q * r + D(0x1.c6b08d704a0c0p-5);
    q = q * r + D(0x1.ebfbdff82c58fp-3);
    q = q * r + D(0x1.62e42fefa39efp-1);
    const D value = (D(1.0) + r * q) * exp2_int(m);
    const D near = (value + magic) - magic;
    const D floor = select_at_least(value, near, near, near - D(1.0));
    return as_long(max_or_b(min_or_b(floor - D(1.0), most), D(0.0)) + magic);
  };
  for_each_place(stream, first_block, n, [&](int64_t i, const WordLanes& w) __attribute__((always_inline)) {
    const L even = draw(w.word[0], w.word[1]), odd = draw(w.word[2], w.word[3]);
    store(static_cast<int64_t*>(out) + i / 2, bit_or(bit_and(even, lower), shift_left<32>(odd)));
  });
}

}  // namespace
}  // namespace vmx
