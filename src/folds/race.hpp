// SPDX-License-Identifier: Apache-2.0
// The first look at a race between classes: which of them can have a key z/T - log E, E exponential, above a threshold. The key's
// noise is E = -log1p(-u); of u the upper 32 bits are looked at here, and what is left is evaluated exactly elsewhere.
#pragma once

#include "folds/quads.hpp"
#include "simd/philox.hpp"

namespace vmx {
namespace {

constexpr int64_t kRacePart = 1024;  // classes of one call, at most

/// Class first + i (first a multiple of 4) has word i % 4 of block (first + i) / 4 as the upper half of its u. Keeps those i < n
/// with u <= 2^(z[i] scale - score - noise) and a few more: offsets[], their words[]; both with room for kRacePart + 64.
/// Since u < 1 - e^-a <= a for E < a, no other class can have a key above the threshold, whose score and noise these are in powers
/// of two: apart, since beside a large score its noise would vanish.
template <class T>
inline int64_t race_filter(const WordStream& stream, const T* z, int64_t n, int64_t first, double scale, double score,
                           double noise, int32_t* offsets, int32_t* words) {
  alignas(64) uint32_t word[kRacePart];
  const int64_t blocks = (n + 3) / 4, whole = (blocks + 7) / 8 * 8;
  philox_words(stream, static_cast<uint32_t>(first / 4), whole, word);
  const void* const raw = word;
  const F one(1.0f), lowest(64.5f), most(128.0f - 0x1p-16f), shrunk(1.0f - 0x1p-10f);
  const I exponent(0x3f800000), bias(INT32_MIN);
  const D by(scale), from(score), offset(127.0 - noise);
  int64_t kept = 0;
  const auto look = [&](const T* at, int64_t i, uint32_t valid) __attribute__((always_inline)) {
    // y = 127 + log2 of the bound, in [64, 128): its mantissa, six bits up, is 2^(y - 127) with the mantissa taken as linear,
    // which is 2^-16 below at most and 6 % above.
    const F y = narrow_from([&](int j) { return (load_wide(at + j) * by - from) + offset; });
    const F clamped = min_or_b(max_or_b(y, lowest), most);
    const F bound = as_float(add(shift_left<6>(as_int(clamped)), bias));
    const I w = load(static_cast<const int32_t*>(raw) + i);
    const F u = as_float(bit_or(shift_right<9>(w), exponent)) - one;  // rounded down
    const uint32_t mask = at_least(bound, u * shrunk) & valid;
    if (mask == 0) return;
    compress_index(offsets + kept, I(static_cast<int32_t>(i)), mask);
    compress(words + kept, w, mask);
    kept += mask_count(mask);
  };
  int64_t i = 0;
  for (; i + kW <= n; i += kW) look(z + i, i, ~0u);
  if (i < n) {
    T tail[kW] = {};
    for (int64_t j = i; j < n; ++j) tail[j - i] = z[j];
    look(tail, i, (1u << (n - i)) - 1u);
  }
  return kept;
}

}  // namespace
}  // namespace vmx
