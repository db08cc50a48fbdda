// SPDX-License-Identifier: Apache-2.0
#include "probes/loops.hpp"

#include <immintrin.h>

namespace bench {
namespace {

constexpr int kChains = 12;
volatile int unknown_zero = 0;

float run(int64_t turns) {
  __m512 acc[kChains];
  for (int c = 0; c < kChains; ++c) acc[c] = _mm512_set1_ps(static_cast<float>(c));
  // 2^-8 in both halves
  const __m512i pairs = _mm512_set1_epi32(0x3B803B80 + unknown_zero);
  const __m512bh a = (__m512bh)pairs;
  for (int64_t t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) acc[c] = _mm512_dpbf16_ps(acc[c], a, a);
  }
  float total = 0;
  for (int c = 0; c < kChains; ++c) total += _mm512_reduce_add_ps(acc[c]);
  return total;
}

}  // namespace

const Bf16Probe bf16_probe_avx512 = {run, kChains * 64};

}  // namespace bench
