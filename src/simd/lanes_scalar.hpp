// SPDX-License-Identifier: Apache-2.0
// Lanes for any CPU: four f32 in the compiler's own portable vectors (SSE2 on x86-64, plain code elsewhere). Needs no FMA
// hardware and no libm.
#pragma once

#include <bit>
#include <cstring>

#if defined(__SSE2__)
#  include <emmintrin.h>
#endif

#include "core/dtype.hpp"
#include "simd/storage.hpp"

namespace vmx {
namespace {

typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));
typedef double Double2 __attribute__((vector_size(16)));
typedef int64_t Long2 __attribute__((vector_size(16)));
typedef float Float2 __attribute__((vector_size(8)));

struct F {
  Float4 v;
  F() = default;
  explicit F(float x) : v{x, x, x, x} {}
  explicit F(Float4 x) : v(x) {}
};
struct I {
  Int4 v;
  I() = default;
  explicit I(int32_t x) : v{x, x, x, x} {}
  explicit I(Int4 x) : v(x) {}
};
struct D {
  Double2 v;
  D() = default;
  explicit D(double x) : v{x, x} {}
  explicit D(Double2 x) : v(x) {}
};
constexpr int kW = 4, kWD = 2;

inline F operator+(F a, F b) { return F(a.v + b.v); }
inline F operator-(F a, F b) { return F(a.v - b.v); }
inline F operator*(F a, F b) { return F(a.v * b.v); }
inline F operator/(F a, F b) { return F(a.v / b.v); }
inline D operator+(D a, D b) { return D(a.v + b.v); }
inline D operator-(D a, D b) { return D(a.v - b.v); }
inline D operator*(D a, D b) { return D(a.v * b.v); }
inline D operator/(D a, D b) { return D(a.v / b.v); }

template <class Vector, class T>
inline Vector load_vector_of(const T* p) {
  Vector v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline F load(const float* p) { return F(load_vector_of<Float4>(p)); }
inline F load(const bf16* p) {
  return F(Float4{bf16_to_f32(p[0].bits), bf16_to_f32(p[1].bits), bf16_to_f32(p[2].bits), bf16_to_f32(p[3].bits)});
}
inline F load(const f16* p) {
  return F(Float4{f16_to_f32(p[0].bits), f16_to_f32(p[1].bits), f16_to_f32(p[2].bits), f16_to_f32(p[3].bits)});
}
inline D load(const double* p) { return D(load_vector_of<Double2>(p)); }
inline void store(float* p, F a) { std::memcpy(p, &a.v, sizeof a.v); }
inline void store(double* p, D a) { std::memcpy(p, &a.v, sizeof a.v); }
inline void store(bf16* p, F a) {
  for (int i = 0; i < kW; ++i) p[i].bits = f32_to_bf16(a.v[i]);
}
inline void store(f16* p, F a) {
  for (int i = 0; i < kW; ++i) p[i].bits = f32_to_f16(a.v[i]);
}
template <class T, class V>
inline void store(T* p, V a, V b) {
  store(p, a);
  store(p + sizeof(V) / sizeof(b.v[0]), b);
}
template <class T, class V>
inline void stream(T* p, V a, V b) { store(p, a, b); }
inline void stream_fence() {}
inline void prefetch(const void* p) { __builtin_prefetch(p); }

// a*b is exact in f64; the sum is rounded to odd there, so that the second rounding is the only one that counts
// (Boldo & Melquiond 2008). f32 operands cannot overflow or underflow f64.
inline Double2 fma_to_odd(Double2 a, Double2 b, Double2 z) {
  const Double2 p = a * b, s = p + z, t = s - p;
  const Double2 error = (p - (s - t)) + (z - t);
  const Double2 zero{0.0, 0.0};
  const Long2 one{1, 1};
  Long2 bits;
  std::memcpy(&bits, &s, sizeof bits);
  // An even s that is not exact moves one step towards the error. Without branches: they would be taken at random.
  // The error of an infinite s is NaN, which is neither above nor below zero: no step.
  const Long2 up = error > zero, step = ~bits & one & (up | (error < zero));
  const Long2 apart = up ^ (s > zero);  // all ones: the step makes |s| smaller
  bits += (step ^ apart) - apart;
  Double2 odd;
  std::memcpy(&odd, &bits, sizeof odd);
  return odd;
}
inline Float2 low_half(Float4 a) { return Float2{a[0], a[1]}; }
inline Float2 high_half(Float4 a) { return Float2{a[2], a[3]}; }
inline Double2 to_double(Float2 a) { return __builtin_convertvector(a, Double2); }
inline Float4 to_float(Double2 low, Double2 high) {
  const Float2 a = __builtin_convertvector(low, Float2), b = __builtin_convertvector(high, Float2);
  return Float4{a[0], a[1], b[0], b[1]};
}
inline F fma(F a, F b, F c) {
  return F(to_float(fma_to_odd(to_double(low_half(a.v)), to_double(low_half(b.v)), to_double(low_half(c.v))),
                    fma_to_odd(to_double(high_half(a.v)), to_double(high_half(b.v)), to_double(high_half(c.v)))));
}

inline F sqrt(F a) {
#if defined(__SSE2__)
  return F(Float4(_mm_sqrt_ps(a.v)));
#else
  for (int i = 0; i < kW; ++i) a.v[i] = __builtin_sqrtf(a.v[i]);
  return a;
#endif
}

template <class Vector, class Mask>
inline Vector select(Mask mask, Vector yes, Vector no) {
  Mask a, b;
  std::memcpy(&a, &yes, sizeof a);
  std::memcpy(&b, &no, sizeof b);
  const Mask bits = (a & mask) | (b & ~mask);
  Vector result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}
inline F min_or_b(F a, F b) { return F(select<Float4, Int4>(a.v < b.v, a.v, b.v)); }
inline F max_or_b(F a, F b) { return F(select<Float4, Int4>(a.v > b.v, a.v, b.v)); }
inline D min_or_b(D a, D b) { return D(select<Double2, Long2>(a.v < b.v, a.v, b.v)); }
inline D max_or_b(D a, D b) { return D(select<Double2, Long2>(a.v > b.v, a.v, b.v)); }

inline I as_int(F a) { return I(load_vector_of<Int4>(&a.v)); }
inline F as_float(I a) { return F(load_vector_of<Float4>(&a.v)); }
template <int N>
inline I shift_left(I a) {
  typedef uint32_t Unsigned4 __attribute__((vector_size(16)));
  const Unsigned4 shifted = load_vector_of<Unsigned4>(&a.v) << N;
  return I(load_vector_of<Int4>(&shifted));
}
// Integers in the order of the floats (NaN aside): the magnitude bits of negative ones are turned over.
inline I as_ordered(F a) {
  const Int4 bits = as_int(a).v;
  return I(bits ^ ((bits >> 31) & 0x7fffffff));
}
inline I bit_and(I a, I b) { return I(a.v & b.v); }
inline I bit_or(I a, I b) { return I(a.v | b.v); }
inline I add(I a, I b) {
  typedef uint32_t Unsigned4 __attribute__((vector_size(16)));
  const Unsigned4 sum = load_vector_of<Unsigned4>(&a.v) + load_vector_of<Unsigned4>(&b.v);
  return I(load_vector_of<Int4>(&sum));
}
// a > b ? v : 0
inline F where_greater(I a, I b, F v) { return as_float(I(as_int(v).v & (a.v > b.v))); }
inline F load_table4(const float* p) { return load(p); }
inline F lookup4(F table, I i) {
  const Int4 at = i.v & 3;
  return F(Float4{table.v[at[0]], table.v[at[1]], table.v[at[2]], table.v[at[3]]});
}
inline I larger_unsigned(I a, I b) {
  typedef uint32_t Unsigned4 __attribute__((vector_size(16)));
  const Int4 mask = load_vector_of<Unsigned4>(&a.v) > load_vector_of<Unsigned4>(&b.v);
  return I((a.v & mask) | (b.v & ~mask));
}

inline D widen_low(F a) { return D(to_double(low_half(a.v))); }
inline D widen_high(F a) { return D(to_double(high_half(a.v))); }
inline D load_wide(const float* p) { return D(to_double(Float2{p[0], p[1]})); }
inline D load_wide(const double* p) { return load(p); }
inline D load_wide(const bf16* p) { return D(to_double(Float2{bf16_to_f32(p[0].bits), bf16_to_f32(p[1].bits)})); }
inline D load_wide(const f16* p) { return D(to_double(Float2{f16_to_f32(p[0].bits), f16_to_f32(p[1].bits)})); }
// kW f32 lanes from the f64 lanes f(0) and f(kWD), rounded.
template <class Function>
inline F narrow_from(Function&& f) {
  const D low = f(0), high = f(kWD);
  return F(to_float(low.v, high.v));
}

// 2^n for an integer-valued n in [-1022, 1023]
inline D exp2_int(D n) {
  const Double2 shifted = n.v + (6755399441055744.0 + 1023);  // 1.5 * 2^52 + bias: low bits hold n + 1023
  typedef uint64_t Unsigned2 __attribute__((vector_size(16)));
  const Unsigned2 bits = load_vector_of<Unsigned2>(&shifted) << 52;
  return D(load_vector_of<Double2>(&bits));
}
inline F select_at_least(F a, F b, F yes, F no) { return F(select<Float4, Int4>(a.v >= b.v, yes.v, no.v)); }
inline D select_at_least(D a, D b, D yes, D no) { return D(select<Double2, Long2>(a.v >= b.v, yes.v, no.v)); }
// a >= b ? v : 0
inline D where_at_least(D a, D b, D v) { return select_at_least(a, b, v, D(0.0)); }

// ---- selection
struct L {
  Long2 v;
  L() = default;
  explicit L(int64_t x) : v{x, x} {}
  explicit L(Long2 x) : v(x) {}
};

// Whether subnormals are read as 0, as the environment of the calling thread may ask.
inline bool denormals_are_zero() {
#if defined(__SSE__)
  return (__builtin_ia32_stmxcsr() & 0x40) != 0;
#else
  return true;  // not known: the careful way is right in any case
#endif
}

inline I load(const int32_t* p) { return I(load_vector_of<Int4>(p)); }
inline L load(const int64_t* p) { return L(load_vector_of<Long2>(p)); }
inline void store(int32_t* p, I a) { std::memcpy(p, &a.v, sizeof a.v); }
inline void store(int64_t* p, L a) { std::memcpy(p, &a.v, sizeof a.v); }

inline F negate(F a) { return as_float(I(as_int(a).v ^ INT32_MIN)); }
inline D negate(D a) {
  const Long2 bits = load_vector_of<Long2>(&a.v) ^ INT64_MIN;
  return D(load_vector_of<Double2>(&bits));
}

inline I order_key(F a) {
  const Int4 ordered = as_ordered(a).v;
  const Int4 one_zero = ordered - (ordered == -1);
  const Int4 lowest = I(INT32_MIN).v;
  return I(select<Int4, Int4>(a.v != a.v, lowest, one_zero));
}
inline L order_key(D a) {
  const Long2 bits = load_vector_of<Long2>(&a.v);
  const Long2 ordered = bits ^ ((bits < 0) & INT64_MAX);
  const Long2 one_zero = ordered - (ordered == -1);
  const Long2 lowest = L(INT64_MIN).v;
  return L(select<Long2, Long2>(a.v != a.v, lowest, one_zero));
}

inline uint32_t mask_bits(Int4 m) {
  return static_cast<uint32_t>((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8));
}
inline uint32_t mask_bits(Long2 m) { return static_cast<uint32_t>((m[0] & 1) | (m[1] & 2)); }
inline uint32_t at_least(F a, F b) { return mask_bits(a.v >= b.v); }
inline uint32_t at_least(D a, D b) {
  const Long2 mask = a.v >= b.v;
  return mask_bits(mask);
}
inline uint32_t at_least(I a, I b) { return mask_bits(a.v >= b.v); }
inline uint32_t at_least(L a, L b) {
  const Long2 mask = a.v >= b.v;
  return mask_bits(mask);
}
inline L add(L a, L b) { return L(a.v + b.v); }
inline I add_if_less(I count, I a, I b) { return I(count.v - (a.v < b.v)); }
inline L add_if_less(L count, L a, L b) { return L(count.v - (a.v < b.v)); }
inline I larger(I a, I b) { return I(select<Int4, Int4>(a.v > b.v, a.v, b.v)); }
inline I smaller(I a, I b) { return I(select<Int4, Int4>(a.v > b.v, b.v, a.v)); }
inline L larger(L a, L b) { return L(select<Long2, Long2>(a.v > b.v, a.v, b.v)); }
inline L smaller(L a, L b) { return L(select<Long2, Long2>(a.v > b.v, b.v, a.v)); }

// The largest lane of each of kW (kWD) registers, as the lanes of one.
template <class Vector, int kLanesOf>
inline Vector largest_lanes(const Vector* a) {
  Vector result = a[0];
  for (int r = 0; r < kLanesOf; ++r) {
    auto most = a[r].v[0];
    for (int i = 1; i < kLanesOf; ++i) most = most > a[r].v[i] ? most : a[r].v[i];
    result.v[r] = most;
  }
  return result;
}
inline F max_across(const F* a) { return largest_lanes<F, kW>(a); }
inline D max_across(const D* a) { return largest_lanes<D, kWD>(a); }

// ---- words
typedef uint64_t UnsignedLong2 __attribute__((vector_size(16)));
inline UnsignedLong2 unsigned_of(L a) { return load_vector_of<UnsignedLong2>(&a.v); }
inline L signed_of(UnsignedLong2 a) { return L(load_vector_of<Long2>(&a)); }
template <int N>
inline L shift_left(L a) {
  return signed_of(unsigned_of(a) << N);
}
template <int N>
inline L shift_right(L a) {
  return signed_of(unsigned_of(a) >> N);
}
template <int N>
inline I shift_right(I a) {
  typedef uint32_t Unsigned4 __attribute__((vector_size(16)));
  const Unsigned4 shifted = load_vector_of<Unsigned4>(&a.v) >> N;
  return I(load_vector_of<Int4>(&shifted));
}
inline L bit_and(L a, L b) { return L(a.v & b.v); }
inline L bit_or(L a, L b) { return L(a.v | b.v); }
inline L bit_xor(L a, L b) { return L(a.v ^ b.v); }
inline L multiply_low(L a, L b) {
#if defined(__SSE2__)
  return L((Long2)_mm_mul_epu32((__m128i)a.v, (__m128i)b.v));
#else
  const UnsignedLong2 low{0xffffffffu, 0xffffffffu};
  return signed_of((unsigned_of(a) & low) * (unsigned_of(b) & low));
#endif
}
inline L as_long(D a) { return L(load_vector_of<Long2>(&a.v)); }
inline D as_double(L a) { return D(load_vector_of<Double2>(&a.v)); }
inline D load_ids(const int32_t* p) { return D(Double2{static_cast<double>(p[0]), static_cast<double>(p[1])}); }
inline void interleave(L a, L b, L* low, L* high) {
  *low = L(Long2{a.v[0], b.v[0]});
  *high = L(Long2{a.v[1], b.v[1]});
}

inline void compress(float* to, F a, uint32_t mask) {
  for (int i = 0; i < kW; ++i) {
    *to = a.v[i];
    to += mask >> i & 1;
  }
}
inline void compress(double* to, D a, uint32_t mask) {
  for (int i = 0; i < kWD; ++i) {
    *to = a.v[i];
    to += mask >> i & 1;
  }
}
inline void compress(int32_t* to, I a, uint32_t mask) {
  for (int i = 0; i < kW; ++i) {
    *to = a.v[i];
    to += mask >> i & 1;
  }
}
inline void compress(int64_t* to, L a, uint32_t mask) {
  for (int i = 0; i < kWD; ++i) {
    *to = a.v[i];
    to += mask >> i & 1;
  }
}
inline int mask_count(uint32_t mask) {
  return static_cast<int>((mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1));
}
inline void compress_index(int32_t* to, I base, uint32_t mask) { compress(to, I(base.v + Int4{0, 1, 2, 3}), mask); }
inline void compress_index_wide(int32_t* to, int32_t base, uint32_t mask) {
  for (int i = 0; i < kWD; ++i) {
    *to = base + i;
    to += mask >> i & 1;
  }
}
inline void compress_ids_wide(int32_t* to, const int32_t* from, uint32_t mask) {
  for (int i = 0; i < kWD; ++i) {
    *to = from[i];
    to += mask >> i & 1;
  }
}

// The square of kW rows, in place.
inline void transpose(F* rows) {
  Float4 columns[4];
  for (int i = 0; i < 4; ++i) columns[i] = Float4{rows[0].v[i], rows[1].v[i], rows[2].v[i], rows[3].v[i]};
  for (int i = 0; i < 4; ++i) rows[i].v = columns[i];
}

}  // namespace
}  // namespace vmx
