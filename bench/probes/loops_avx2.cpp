// SPDX-License-Identifier: Apache-2.0
#include "probes/loops.hpp"

#include <immintrin.h>

#include <cstddef>

namespace bench {
namespace {

using V = __m256;
constexpr int64_t kLanes = 8;
constexpr char kIsaName[] = "avx2";
constexpr int kExpKinds = 1;

inline V load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, V v) { _mm256_storeu_ps(p, v); }
inline void stream(float* p, V v) { _mm256_stream_ps(p, v); }
inline void fence() { _mm_sfence(); }
inline void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
inline V zero() { return _mm256_setzero_ps(); }
inline V splat(float x) { return _mm256_set1_ps(x); }
inline V bits_or(V a, V b) { return _mm256_or_ps(a, b); }
inline V max(V a, V b) { return _mm256_max_ps(a, b); }
inline V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }

inline float reduce_max(V v) {
  float lanes[kLanes];
  store(lanes, v);
  float best = lanes[0];
  for (float lane : lanes) best = lane > best ? lane : best;
  return best;
}
inline float reduce_add(V v) {
  float lanes[kLanes];
  store(lanes, v);
  float sum = 0;
  for (float lane : lanes) sum += lane;
  return sum;
}

// sum + 2^x. Adding 1.5*2^23 leaves the nearest integer in the low bits, from where it moves to the exponent.
template <int kKind>
inline V exp2_add(V sum, V x) {
  const V magic = splat(12582912.0f);
  const V whole = _mm256_add_ps(x, magic);
  const V r = _mm256_sub_ps(x, _mm256_sub_ps(whole, magic));
  V p = splat(1.333355814e-3f);
  p = fma(p, r, splat(9.618129107e-3f));
  p = fma(p, r, splat(5.550410866e-2f));
  p = fma(p, r, splat(0.2402265070f));
  p = fma(p, r, splat(0.6931471806f));
  p = fma(p, r, splat(1.0f));
  const __m256i scale = _mm256_slli_epi32(_mm256_castps_si256(whole), 23);
  return _mm256_add_ps(sum, _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), scale)));
}

}  // namespace
}  // namespace bench

#define PROBE_NAME probe_loops_avx2
#include "probes/loops.inc"
