// SPDX-License-Identifier: Apache-2.0
// Lanes on AVX-512 F, BW, VL, DQ. Same operations, same results as lanes_avx2.hpp, twice as wide.
#pragma once

#include <immintrin.h>

#include <xsimd/xsimd.hpp>

#include "simd/storage.hpp"

namespace vmx {
namespace {

using Arch = xsimd::avx512bw;
using F = xsimd::batch<float, Arch>;
using I = xsimd::batch<int32_t, Arch>;
using D = xsimd::batch<double, Arch>;
constexpr int kW = 16, kWD = 8;

inline F load(const float* p) { return F(_mm512_loadu_ps(p)); }
inline F load(const bf16* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return F(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16)));
}
inline F load(const f16* p) { return F(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))); }
inline D load(const double* p) { return D(_mm512_loadu_pd(p)); }

inline void store(float* p, F a) { _mm512_storeu_ps(p, a); }
inline void store(double* p, D a) { _mm512_storeu_pd(p, a); }
inline __m256i narrowed(const f16*, F a) { return _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT); }
inline __m256i narrowed(const bf16*, F a) {
  const __m512i bits = _mm512_castps_si512(a);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
  const __mmask16 nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, quiet));
}
template <class Half>
inline void store(Half* p, F a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(p, a));
}
// Two registers side by side.
template <class Half>
inline __m512i narrowed(const Half* p, F a, F b) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(narrowed(p, a)), narrowed(p, b), 1);
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
  _mm512_storeu_si512(p, narrowed(p, a, b));
}
// Non-temporal stores of two registers, side by side; the caller sees to 64-byte alignment.
inline void stream(float* p, F a, F b) {
  _mm512_stream_ps(p, a);
  _mm512_stream_ps(p + kW, b);
}
inline void stream(double* p, D a, D b) {
  _mm512_stream_pd(p, a);
  _mm512_stream_pd(p + kWD, b);
}
template <class Half>
inline void stream(Half* p, F a, F b) {
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), narrowed(p, a, b));
}
inline void stream_fence() { _mm_sfence(); }
inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

inline F fma(F a, F b, F c) { return F(_mm512_fmadd_ps(a, b, c)); }
inline F sqrt(F a) { return F(_mm512_sqrt_ps(a)); }
inline F min_or_b(F a, F b) { return F(_mm512_min_ps(a, b)); }
inline F max_or_b(F a, F b) { return F(_mm512_max_ps(a, b)); }
inline D min_or_b(D a, D b) { return D(_mm512_min_pd(a, b)); }
inline D max_or_b(D a, D b) { return D(_mm512_max_pd(a, b)); }

inline I as_int(F a) { return I(_mm512_castps_si512(a)); }
inline F as_float(I a) { return F(_mm512_castsi512_ps(a)); }
template <int N>
inline I shift_left(I a) { return I(_mm512_slli_epi32(a, N)); }
// Integers in the order of the floats (NaN aside): the magnitude bits of negative ones are turned over.
inline I as_ordered(F a) {
  const __m512i bits = _mm512_castps_si512(a);
  return I(_mm512_xor_si512(bits, _mm512_srli_epi32(_mm512_srai_epi32(bits, 31), 1)));
}
inline I bit_and(I a, I b) { return I(_mm512_and_si512(a, b)); }
inline I bit_or(I a, I b) { return I(_mm512_or_si512(a, b)); }
inline I add(I a, I b) { return I(_mm512_add_epi32(a, b)); }
// a > b ? v : 0
inline F where_greater(I a, I b, F v) { return F(_mm512_maskz_mov_ps(_mm512_cmpgt_epi32_mask(a, b), v)); }
inline F load_table4(const float* p) { return F(_mm512_broadcast_f32x4(_mm_loadu_ps(p))); }
inline F lookup4(F table, I i) { return F(_mm512_permutevar_ps(table, i)); }
inline I larger_unsigned(I a, I b) { return I(_mm512_max_epu32(a, b)); }

inline D widen_low(F a) { return D(_mm512_cvtps_pd(_mm512_castps512_ps256(a))); }
inline D widen_high(F a) { return D(_mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1))); }
inline D load_wide(const float* p) { return D(_mm512_cvtps_pd(_mm256_loadu_ps(p))); }
inline D load_wide(const double* p) { return load(p); }
inline D load_wide(const bf16* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return D(_mm512_cvtps_pd(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))));
}
inline D load_wide(const f16* p) {
  return D(_mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))));
}
// kW f32 lanes from the f64 lanes f(0) and f(kWD), rounded.
template <class Function>
inline F narrow_from(Function&& f) {
  const D low = f(0), high = f(kWD);
  return F(_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1));
}

// 2^n for an integer-valued n in [-1022, 1023]
inline D exp2_int(D n) {
  const __m512d magic = _mm512_set1_pd(6755399441055744.0 + 1023);  // 1.5 * 2^52 + bias: low bits hold n + 1023
  return D(_mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(_mm512_add_pd(n, magic)), 52)));
}
inline F select_at_least(F a, F b, F yes, F no) {
  return F(_mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ), yes));
}
inline D select_at_least(D a, D b, D yes, D no) {
  return D(_mm512_mask_mov_pd(no, _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ), yes));
}
// a >= b ? v : 0
inline D where_at_least(D a, D b, D v) { return D(_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a, b, _CMP_GE_OQ), v)); }

// ---- selection
using L = xsimd::batch<int64_t, Arch>;

inline bool denormals_are_zero() { return (_mm_getcsr() & 0x40) != 0; }

inline I load(const int32_t* p) { return I(_mm512_loadu_si512(p)); }
inline L load(const int64_t* p) { return L(_mm512_loadu_si512(p)); }
inline void store(int32_t* p, I a) { _mm512_storeu_si512(p, a); }
inline void store(int64_t* p, L a) { _mm512_storeu_si512(p, a); }

inline F negate(F a) { return F(_mm512_xor_ps(a, _mm512_set1_ps(-0.0f))); }
inline D negate(D a) { return D(_mm512_xor_pd(a, _mm512_set1_pd(-0.0))); }

inline I order_key(F a) {
  const __m512i ordered = as_ordered(a);
  const __mmask16 minus_zero = _mm512_cmpeq_epi32_mask(ordered, _mm512_set1_epi32(-1));
  const __m512i one_zero = _mm512_mask_mov_epi32(ordered, minus_zero, _mm512_setzero_si512());
  return I(_mm512_mask_mov_epi32(one_zero, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), _mm512_set1_epi32(INT32_MIN)));
}
inline L order_key(D a) {
  const __m512i bits = _mm512_castpd_si512(a);
  const __m512i ordered = _mm512_xor_si512(bits, _mm512_srli_epi64(_mm512_srai_epi64(bits, 63), 1));
  const __mmask8 minus_zero = _mm512_cmpeq_epi64_mask(ordered, _mm512_set1_epi64(-1));
  const __m512i one_zero = _mm512_mask_mov_epi64(ordered, minus_zero, _mm512_setzero_si512());
  return L(_mm512_mask_mov_epi64(one_zero, _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q), _mm512_set1_epi64(INT64_MIN)));
}

inline uint32_t at_least(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
inline uint32_t at_least(D a, D b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); }
inline uint32_t at_least(I a, I b) { return _mm512_cmpge_epi32_mask(a, b); }
inline uint32_t at_least(L a, L b) { return _mm512_cmpge_epi64_mask(a, b); }
inline L add(L a, L b) { return L(_mm512_add_epi64(a, b)); }
inline I add_if_less(I count, I a, I b) {
  return I(_mm512_mask_add_epi32(count, _mm512_cmplt_epi32_mask(a, b), count, _mm512_set1_epi32(1)));
}
inline L add_if_less(L count, L a, L b) {
  return L(_mm512_mask_add_epi64(count, _mm512_cmplt_epi64_mask(a, b), count, _mm512_set1_epi64(1)));
}
inline I larger(I a, I b) { return I(_mm512_max_epi32(a, b)); }
inline I smaller(I a, I b) { return I(_mm512_min_epi32(a, b)); }
inline L larger(L a, L b) { return L(_mm512_max_epi64(a, b)); }
inline L smaller(L a, L b) { return L(_mm512_min_epi64(a, b)); }

// The lanes of two registers are interleaved and the larger taken, until one register is left.
inline F max_across(const F* a) {
  const auto pair = [](__m512 x, __m512 y) { return _mm512_max_ps(_mm512_unpacklo_ps(x, y), _mm512_unpackhi_ps(x, y)); };
  const auto quad = [&](const F* p) {
    const __m512d x = _mm512_castps_pd(pair(p[0], p[1])), y = _mm512_castps_pd(pair(p[2], p[3]));
    return _mm512_max_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  };
  const auto halve = [](__m512 x, __m512 y) {  // 128-bit parts 0, 2 of both against 1, 3 of both
    return _mm512_max_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
  };
  return F(halve(halve(quad(a), quad(a + 4)), halve(quad(a + 8), quad(a + 12))));
}
inline D max_across(const D* a) {
  const auto pair = [](__m512d x, __m512d y) { return _mm512_max_pd(_mm512_unpacklo_pd(x, y), _mm512_unpackhi_pd(x, y)); };
  const auto halve = [](__m512d x, __m512d y) {
    return _mm512_max_pd(_mm512_shuffle_f64x2(x, y, 0x88), _mm512_shuffle_f64x2(x, y, 0xdd));
  };
  return D(halve(halve(pair(a[0], a[1]), pair(a[2], a[3])), halve(pair(a[4], a[5]), pair(a[6], a[7]))));
}

// ---- words
template <int N>
inline L shift_left(L a) { return L(_mm512_slli_epi64(a, N)); }
template <int N>
inline L shift_right(L a) { return L(_mm512_srli_epi64(a, N)); }
template <int N>
inline I shift_right(I a) { return I(_mm512_srli_epi32(a, N)); }
inline L bit_and(L a, L b) { return L(_mm512_and_si512(a, b)); }
inline L bit_or(L a, L b) { return L(_mm512_or_si512(a, b)); }
inline L bit_xor(L a, L b) { return L(_mm512_xor_si512(a, b)); }
inline L multiply_low(L a, L b) { return L(_mm512_mul_epu32(a, b)); }
inline L as_long(D a) { return L(_mm512_castpd_si512(a)); }
inline D as_double(L a) { return D(_mm512_castsi512_pd(a)); }
inline D load_ids(const int32_t* p) {
  return D(_mm512_cvtepi32_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}
inline void interleave(L a, L b, L* low, L* high) {
  const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  *low = L(_mm512_permutex2var_epi64(a, first, b));
  *high = L(_mm512_permutex2var_epi64(a, second, b));
}

// To a register first: a compress to memory is microcode on Zen 4.
inline void compress(float* to, F a, uint32_t mask) {
  _mm512_storeu_ps(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(mask), a));
}
inline void compress(double* to, D a, uint32_t mask) {
  _mm512_storeu_pd(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(mask), a));
}
inline int mask_count(uint32_t mask) { return __builtin_popcount(mask); }
inline void compress_index(int32_t* to, I base, uint32_t mask) {
  const __m512i ids = _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), base);
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), ids));
}
inline void compress(int32_t* to, I a, uint32_t mask) {
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), a));
}
inline void compress(int64_t* to, L a, uint32_t mask) {
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi64(static_cast<__mmask8>(mask), a));
}
inline void compress_index_wide(int32_t* to, int32_t base, uint32_t mask) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i ids = _mm256_add_epi32(lanes, _mm256_set1_epi32(base));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_maskz_compress_epi32(static_cast<__mmask8>(mask), ids));
}
inline void compress_ids_wide(int32_t* to, const int32_t* from, uint32_t mask) {
  const __m256i ids = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_maskz_compress_epi32(static_cast<__mmask8>(mask), ids));
}

// The square of kW rows, in place.
inline void transpose(F* rows) {
  __m512 a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    a[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // b[i + j]: column j of each quarter of rows i to i + 3
    b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  for (int j = 0; j < 4; ++j) {
    const __m512 even_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88), odd_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88),
                 odd_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
    rows[j] = F(_mm512_shuffle_f32x4(even_low, even_high, 0x88));
    rows[4 + j] = F(_mm512_shuffle_f32x4(odd_low, odd_high, 0x88));
    rows[8 + j] = F(_mm512_shuffle_f32x4(even_low, even_high, 0xdd));
    rows[12 + j] = F(_mm512_shuffle_f32x4(odd_low, odd_high, 0xdd));
  }
}

}  // namespace
}  // namespace vmx
