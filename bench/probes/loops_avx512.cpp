// SPDX-License-Identifier: Apache-2.0
#include "probes/loops.hpp"

#include <immintrin.h>

#include <cstddef>

namespace bench {
namespace {

using V = __m512;
constexpr int64_t kLanes = 16;
constexpr char kIsaName[] = "avx512";
constexpr int kExpKinds = 2;

inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline void stream(float* p, V v) { _mm512_stream_ps(p, v); }
inline void fence() { _mm_sfence(); }
inline void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
inline V zero() { return _mm512_setzero_ps(); }
inline V splat(float x) { return _mm512_set1_ps(x); }
inline V bits_or(V a, V b) {
  return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
inline V max(V a, V b) { return _mm512_max_ps(a, b); }
inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
inline float reduce_max(V v) { return _mm512_reduce_max_ps(v); }
inline float reduce_add(V v) { return _mm512_reduce_add_ps(v); }

inline V polynomial(V r) {
  V p = splat(1.333355814e-3f);
  p = fma(p, r, splat(9.618129107e-3f));
  p = fma(p, r, splat(5.550410866e-2f));
  p = fma(p, r, splat(0.2402265070f));
  p = fma(p, r, splat(0.6931471806f));
  return fma(p, r, splat(1.0f));
}

// sum + 2^x: the exponent by integer addition (0), or by the instructions made for it (1).
template <int kKind>
inline V exp2_add(V sum, V x) {
  if (kKind == 1) {
    const V r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF);
    return _mm512_add_ps(sum, _mm512_scalef_ps(polynomial(r), x));
  }
  const V magic = splat(12582912.0f);
  const V whole = _mm512_add_ps(x, magic);
  const V p = polynomial(_mm512_sub_ps(x, _mm512_sub_ps(whole, magic)));
  const __m512i scale = _mm512_slli_epi32(_mm512_castps_si512(whole), 23);
  return _mm512_add_ps(sum, _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), scale)));
}

}  // namespace
}  // namespace bench

#define PROBE_NAME probe_loops_avx512
#include "probes/loops.inc"
