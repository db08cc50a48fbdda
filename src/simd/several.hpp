// SPDX-License-Identifier: Apache-2.0
// Several registers of f64 side by side: long chains of dependent operations then fill each other's gaps.
#pragma once

#include "simd/lanes.hpp"

namespace vmx {
namespace {

/// As D, kCount times. Functions that are written for any of both give the same bits.
template <int kCount>
struct Several {
  D v[kCount];
  Several() = default;
  explicit Several(double x) {
    for (int i = 0; i < kCount; ++i) v[i] = D(x);
  }
};

// As many as need 16 lanes at most.
constexpr int kSeveral = kWD >= 8 ? 2 : 4;
using Ds = Several<kSeveral>;
constexpr int kSeveralLanes = kSeveral * kWD;

#define VMX_SEVERAL(name, arguments, expression)                            \
  template <int kCount>                                                     \
  [[gnu::always_inline]] inline Several<kCount> name arguments {            \
    Several<kCount> r;                                                      \
    _Pragma("GCC unroll 4") for (int i = 0; i < kCount; ++i) r.v[i] = expression; \
    return r;                                                               \
  }
VMX_SEVERAL(operator+, (Several<kCount> a, Several<kCount> b), a.v[i] + b.v[i])
VMX_SEVERAL(operator-, (Several<kCount> a, Several<kCount> b), a.v[i] - b.v[i])
VMX_SEVERAL(operator*, (Several<kCount> a, Several<kCount> b), a.v[i] * b.v[i])
VMX_SEVERAL(operator/, (Several<kCount> a, Several<kCount> b), a.v[i] / b.v[i])
VMX_SEVERAL(max_or_b, (Several<kCount> a, Several<kCount> b), max_or_b(a.v[i], b.v[i]))
VMX_SEVERAL(min_or_b, (Several<kCount> a, Several<kCount> b), min_or_b(a.v[i], b.v[i]))
VMX_SEVERAL(exp2_int, (Several<kCount> n), exp2_int(n.v[i]))
VMX_SEVERAL(select_at_least, (Several<kCount> a, Several<kCount> b, Several<kCount> yes, Several<kCount> no),
            select_at_least(a.v[i], b.v[i], yes.v[i], no.v[i]))
VMX_SEVERAL(where_at_least, (Several<kCount> a, Several<kCount> b, Several<kCount> v), where_at_least(a.v[i], b.v[i], v.v[i]))
#undef VMX_SEVERAL

/// 2^e and m of a positive normal x = 2^e m, m in [1, 2).
struct SplitD {
  D exponent, mantissa;
};
[[gnu::always_inline]] inline SplitD split_normal(D x) {
  const L bits = as_long(x);
  // 2^52 + the biased exponent, as the bits of an f64.
  return {as_double(bit_or(shift_right<52>(bits), L(0x4330000000000000))) - D(0x1p52 + 1023),
          as_double(bit_or(bit_and(bits, L(0xfffffffffffff)), L(0x3ff0000000000000)))};
}
template <int kCount>
[[gnu::always_inline]] inline void split_normal(Several<kCount> x, Several<kCount>* exponent, Several<kCount>* mantissa) {
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) {
    const SplitD s = split_normal(x.v[i]);
    exponent->v[i] = s.exponent;
    mantissa->v[i] = s.mantissa;
  }
}

[[gnu::always_inline]] inline Ds load_several(const double* p) {
  Ds r;
#pragma GCC unroll 4
  for (int i = 0; i < kSeveral; ++i) r.v[i] = load(p + i * kWD);
  return r;
}
[[gnu::always_inline]] inline void store_several(double* p, Ds a) {
#pragma GCC unroll 4
  for (int i = 0; i < kSeveral; ++i) store(p + i * kWD, a.v[i]);
}

}  // namespace
}  // namespace vmx
