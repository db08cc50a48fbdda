// SPDX-License-Identifier: Apache-2.0
// Lanes on AVX2 + FMA + F16C. xsimd gives the registers and their arithmetic; intrinsics where xsimd 8.1 has no such
// operation or leaves the NaN order open.
#pragma once

#include <immintrin.h>

#include <xsimd/xsimd.hpp>

#include "simd/storage.hpp"

namespace vmx {
namespace {

using Arch = xsimd::fma3<xsimd::avx2>;
using F = xsimd::batch<float, Arch>;
using I = xsimd::batch<int32_t, Arch>;
using D = xsimd::batch<double, Arch>;
constexpr int kW = 8, kWD = 4;

inline F load(const float* p) { return F(_mm256_loadu_ps(p)); }
inline F load(const bf16* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return F(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16)));
}
inline F load(const f16* p) { return F(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))); }
inline D load(const double* p) { return D(_mm256_loadu_pd(p)); }

inline void store(float* p, F a) { _mm256_storeu_ps(p, a); }
inline void store(double* p, D a) { _mm256_storeu_pd(p, a); }
// The upper halves, rounded to nearest even, in the lower halves of the lanes.
inline __m256i rounded_to_bf16(F a) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
  return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)));
}
inline void store(f16* p, F a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
inline void store(bf16* p, F a) {
  const __m256i wide = rounded_to_bf16(a);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(wide, wide), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}
// Two registers side by side in one of halves.
inline __m256i narrowed(const f16*, F a, F b) {
  return _mm256_set_m128i(_mm256_cvtps_ph(b, _MM_FROUND_TO_NEAREST_INT), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
inline __m256i narrowed(const bf16*, F a, F b) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded_to_bf16(a), rounded_to_bf16(b)), 0xd8);
}
inline void store(float* p, F a, F b) {
  store(p, a);
  store(p + kW, b);
}
inline void store(double* p, D a, D b) {
  store(p, a);
  store(p + kWD, b);
}
template <class Half>
inline void store(Half* p, F a, F b) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(p, a, b));
}
// Non-temporal stores of two registers, side by side; the caller sees to 64-byte alignment.
inline void stream(float* p, F a, F b) {
  _mm256_stream_ps(p, a);
  _mm256_stream_ps(p + kW, b);
}
inline void stream(double* p, D a, D b) {
  _mm256_stream_pd(p, a);
  _mm256_stream_pd(p + kWD, b);
}
template <class Half>
inline void stream(Half* p, F a, F b) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), narrowed(p, a, b));
}
inline void stream_fence() { _mm_sfence(); }
inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

inline F fma(F a, F b, F c) { return F(_mm256_fmadd_ps(a, b, c)); }
inline F sqrt(F a) { return F(_mm256_sqrt_ps(a)); }
inline F min_or_b(F a, F b) { return F(_mm256_min_ps(a, b)); }
inline F max_or_b(F a, F b) { return F(_mm256_max_ps(a, b)); }
inline D min_or_b(D a, D b) { return D(_mm256_min_pd(a, b)); }
inline D max_or_b(D a, D b) { return D(_mm256_max_pd(a, b)); }

inline I as_int(F a) { return I(_mm256_castps_si256(a)); }
inline F as_float(I a) { return F(_mm256_castsi256_ps(a)); }
template <int N>
inline I shift_left(I a) { return I(_mm256_slli_epi32(a, N)); }
// Integers in the order of the floats (NaN aside): the magnitude bits of negative ones are turned over.
inline I as_ordered(F a) {
  const __m256i bits = _mm256_castps_si256(a);
  return I(_mm256_xor_si256(bits, _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1)));
}
inline I bit_and(I a, I b) { return I(_mm256_and_si256(a, b)); }
inline I bit_or(I a, I b) { return I(_mm256_or_si256(a, b)); }
inline I add(I a, I b) { return I(_mm256_add_epi32(a, b)); }
// a > b ? v : 0
inline F where_greater(I a, I b, F v) {
  return F(_mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)), v));
}
inline F load_table4(const float* p) { return F(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(p))); }
inline F lookup4(F table, I i) { return F(_mm256_permutevar_ps(table, i)); }
inline I larger_unsigned(I a, I b) { return I(_mm256_max_epu32(a, b)); }

// The kW lanes of a as f64, lower half and upper half.
inline D widen_low(F a) { return D(_mm256_cvtps_pd(_mm256_castps256_ps128(a))); }
inline D widen_high(F a) { return D(_mm256_cvtps_pd(_mm256_extractf128_ps(a, 1))); }
// f64 lanes of the kWD columns at p
inline D load_wide(const float* p) { return D(_mm256_cvtps_pd(_mm_loadu_ps(p))); }
inline D load_wide(const double* p) { return load(p); }
inline D load_wide(const bf16* p) {
  const __m128i half = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return D(_mm256_cvtps_pd(_mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(half), 16))));
}
inline D load_wide(const f16* p) {
  return D(_mm256_cvtps_pd(_mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))));
}
// kW f32 lanes from the f64 lanes f(0) and f(kWD), rounded.
template <class Function>
inline F narrow_from(Function&& f) {
  const D low = f(0), high = f(kWD);
  return F(_mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)));
}

// 2^n for an integer-valued n in [-1022, 1023]
inline D exp2_int(D n) {
  const __m256d magic = _mm256_set1_pd(6755399441055744.0 + 1023);  // 1.5 * 2^52 + bias: low bits hold n + 1023
  return D(_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(_mm256_add_pd(n, magic)), 52)));
}
inline F select_at_least(F a, F b, F yes, F no) {
  return F(_mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GE_OQ)));
}
inline D select_at_least(D a, D b, D yes, D no) {
  return D(_mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_GE_OQ)));
}
// a >= b ? v : 0
inline D where_at_least(D a, D b, D v) { return D(_mm256_and_pd(_mm256_cmp_pd(a, b, _CMP_GE_OQ), v)); }

// ---- selection
using L = xsimd::batch<int64_t, Arch>;

inline bool denormals_are_zero() { return (_mm_getcsr() & 0x40) != 0; }

inline I load(const int32_t* p) { return I(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline L load(const int64_t* p) { return L(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline void store(int32_t* p, I a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
inline void store(int64_t* p, L a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }

inline F negate(F a) { return F(_mm256_xor_ps(a, _mm256_set1_ps(-0.0f))); }
inline D negate(D a) { return D(_mm256_xor_pd(a, _mm256_set1_pd(-0.0))); }

inline I order_key(F a) {
  const __m256i ordered = as_ordered(a);
  const __m256i one_zero = _mm256_sub_epi32(ordered, _mm256_cmpeq_epi32(ordered, _mm256_set1_epi32(-1)));
  return I(_mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(one_zero), _mm256_set1_ps(-0.0f),
                                                _mm256_cmp_ps(a, a, _CMP_UNORD_Q))));
}
inline L order_key(D a) {
  const __m256i bits = _mm256_castpd_si256(a);
  const __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), bits);
  const __m256i ordered = _mm256_xor_si256(bits, _mm256_srli_epi64(negative, 1));
  const __m256i one_zero = _mm256_sub_epi64(ordered, _mm256_cmpeq_epi64(ordered, _mm256_set1_epi64x(-1)));
  return L(_mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(one_zero), _mm256_set1_pd(-0.0),
                                                _mm256_cmp_pd(a, a, _CMP_UNORD_Q))));
}

inline uint32_t at_least(F a, F b) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ))); }
inline uint32_t at_least(D a, D b) { return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GE_OQ))); }
inline uint32_t at_least(I a, I b) {
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a)))) ^ 0xffu;
}
inline uint32_t at_least(L a, L b) {
  return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(b, a)))) ^ 0xfu;
}
inline L add(L a, L b) { return L(_mm256_add_epi64(a, b)); }
inline I add_if_less(I count, I a, I b) { return I(_mm256_sub_epi32(count, _mm256_cmpgt_epi32(b, a))); }
inline L add_if_less(L count, L a, L b) { return L(_mm256_sub_epi64(count, _mm256_cmpgt_epi64(b, a))); }
inline I larger(I a, I b) { return I(_mm256_max_epi32(a, b)); }
inline I smaller(I a, I b) { return I(_mm256_min_epi32(a, b)); }
inline L larger(L a, L b) { return L(_mm256_blendv_epi8(b, a, _mm256_cmpgt_epi64(a, b))); }
inline L smaller(L a, L b) { return L(_mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(a, b))); }

// The lanes of two registers are interleaved and the larger taken, until one register is left.
inline F max_across(const F* a) {
  const auto pair = [](__m256 x, __m256 y) { return _mm256_max_ps(_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y)); };
  const auto quad = [&](const F* p) {
    const __m256d x = _mm256_castps_pd(pair(p[0], p[1])), y = _mm256_castps_pd(pair(p[2], p[3]));
    return _mm256_max_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)), _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
  };
  const __m256 x = quad(a), y = quad(a + 4);
  return F(_mm256_max_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31)));
}
inline D max_across(const D* a) {
  const auto pair = [](__m256d x, __m256d y) { return _mm256_max_pd(_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y)); };
  const __m256d x = pair(a[0], a[1]), y = pair(a[2], a[3]);
  return D(_mm256_max_pd(_mm256_permute2f128_pd(x, y, 0x20), _mm256_permute2f128_pd(x, y, 0x31)));
}

// ---- words
template <int N>
inline L shift_left(L a) { return L(_mm256_slli_epi64(a, N)); }
template <int N>
inline L shift_right(L a) { return L(_mm256_srli_epi64(a, N)); }
template <int N>
inline I shift_right(I a) { return I(_mm256_srli_epi32(a, N)); }
inline L bit_and(L a, L b) { return L(_mm256_and_si256(a, b)); }
inline L bit_or(L a, L b) { return L(_mm256_or_si256(a, b)); }
inline L bit_xor(L a, L b) { return L(_mm256_xor_si256(a, b)); }
inline L multiply_low(L a, L b) { return L(_mm256_mul_epu32(a, b)); }
inline L as_long(D a) { return L(_mm256_castpd_si256(a)); }
inline D as_double(L a) { return D(_mm256_castsi256_pd(a)); }
inline D load_ids(const int32_t* p) {
  return D(_mm256_cvtepi32_pd(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline void interleave(L a, L b, L* low, L* high) {
  const __m256i even = _mm256_unpacklo_epi64(a, b), odd = _mm256_unpackhi_epi64(a, b);
  *low = L(_mm256_permute2x128_si256(even, odd, 0x20));
  *high = L(_mm256_permute2x128_si256(even, odd, 0x31));
}

// Row m: the numbers of the lanes in mask m, side by side.
struct CompressTable {
  alignas(32) int32_t lane[256][8];
  alignas(32) int32_t half[16][8];  // the same for lanes of 64 bits, told in halves
};
constexpr CompressTable make_compress_table() {
  CompressTable table{};
  for (int mask = 0; mask < 256; ++mask) {
    int count = 0;
    for (int i = 0; i < 8; ++i) {
      if (mask >> i & 1) table.lane[mask][count++] = i;
    }
    if (mask >= 16) continue;
    for (int i = 0; i < count; ++i) {
      table.half[mask][2 * i] = 2 * table.lane[mask][i];
      table.half[mask][2 * i + 1] = 2 * table.lane[mask][i] + 1;
    }
  }
  return table;
}
constexpr CompressTable kCompress = make_compress_table();

inline void compress(float* to, F a, uint32_t mask) {
  const __m256i lanes = _mm256_load_si256(reinterpret_cast<const __m256i*>(kCompress.lane[mask]));
  _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(a, lanes));
}
inline void compress(double* to, D a, uint32_t mask) {
  const __m256i halves = _mm256_load_si256(reinterpret_cast<const __m256i*>(kCompress.half[mask]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permutevar8x32_epi32(_mm256_castpd_si256(a), halves));
}
inline int mask_count(uint32_t mask) { return __builtin_popcount(mask); }
inline void compress_index(int32_t* to, I base, uint32_t mask) { store(to, add(load(kCompress.lane[mask]), base)); }
inline void compress(int32_t* to, I a, uint32_t mask) {
  store(to, I(_mm256_permutevar8x32_epi32(a, load(kCompress.lane[mask]))));
}
inline void compress(int64_t* to, L a, uint32_t mask) {
  store(to, L(_mm256_permutevar8x32_epi32(a, load(kCompress.half[mask]))));
}
inline void compress_index_wide(int32_t* to, int32_t base, uint32_t mask) {
  const __m128i lanes = _mm_load_si128(reinterpret_cast<const __m128i*>(kCompress.lane[mask]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_add_epi32(lanes, _mm_set1_epi32(base)));
}
inline void compress_ids_wide(int32_t* to, const int32_t* from, uint32_t mask) {
  const __m128i lanes = _mm_load_si128(reinterpret_cast<const __m128i*>(kCompress.lane[mask]));
  _mm_storeu_ps(reinterpret_cast<float*>(to), _mm_permutevar_ps(_mm_loadu_ps(reinterpret_cast<const float*>(from)), lanes));
}

// The square of kW rows, in place.
inline void transpose(F* rows) {
  __m256 a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    a[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {  // b[i + j]: column j of each half of rows i to i + 3
    b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  for (int j = 0; j < 4; ++j) {
    rows[j] = F(_mm256_permute2f128_ps(b[j], b[4 + j], 0x20));
    rows[4 + j] = F(_mm256_permute2f128_ps(b[j], b[4 + j], 0x31));
  }
}

}  // namespace
}  // namespace vmx
