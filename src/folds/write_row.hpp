// SPDX-License-Identifier: Apache-2.0
// Walking a row from input to output, several registers side by side, with plain or non-temporal stores.
#pragma once

#include "folds/quads.hpp"

namespace vmx {
namespace {

template <class T>
struct Register {
  using type = F;
  static constexpr int width = kW;
};
template <>
struct Register<double> {
  using type = D;
  static constexpr int width = kWD;
};

// Results below 2^-126 become +0 (f64 lanes keep all they have).
inline F flush(F a) {
  return where_greater(bit_and(as_int(a), I(0x7fffffff)), I(0x007fffff), a);
}
inline D flush(D a) { return a; }

// Which of two NaNs an operation hands on, and the sign of a new one, differ between instructions and compilers. What is
// written is one and the same.
inline F one_nan(F a) { return select_at_least(a, F(-__builtin_inff()), a, F(__builtin_nanf(""))); }
inline D one_nan(D a) { return select_at_least(a, D(-__builtin_inf()), a, D(__builtin_nan(""))); }

// What apply() does to one register, done to several side by side.
template <class Function>
struct EachRegister {
  Function f;
  template <class Value, int kCount>
  [[gnu::always_inline]] void apply(Value (&x)[kCount]) const {
    for (int i = 0; i < kCount; ++i) x[i] = f(x[i]);
  }
};

constexpr int kSideBySide = 4;  // registers

// Elements up to the next 64-byte boundary.
template <class T>
inline int64_t until_aligned(const T* y) {
  return static_cast<int64_t>((64 - (reinterpret_cast<uintptr_t>(y) & 63)) & 63) / static_cast<int64_t>(sizeof(T));
}

// Walks a row with plain or non-temporal stores.
template <class From, class T, class Value>
inline void write_row(const From* x, T* y, int64_t n, bool streaming, const Value& value) {
  using V = typename Register<T>::type;
  constexpr int width = Register<T>::width, stride = kSideBySide * width;
  const auto one = [&](const From* from, T* to) __attribute__((always_inline)) {
    V v[1] = {load(from)};
    value.apply(v);
    store(to, v[0]);
  };
  const auto several = [&](const From* from, V (&v)[kSideBySide]) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int i = 0; i < kSideBySide; ++i) v[i] = load(from + i * width);
    value.apply(v);
  };
  int64_t c = 0;
  if (streaming && n >= 2 * stride) {
    c = until_aligned(y);
    for_each_step<width>(x, y, c, one);
    for (; c + stride <= n; c += stride) {
      for (int line = 0; line < stride * static_cast<int>(sizeof(From)); line += 64) {
        prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x + c) + 2048 + static_cast<uintptr_t>(line)));
      }
      V v[kSideBySide];
      several(x + c, v);
#pragma GCC unroll 8
      for (int i = 0; i < kSideBySide; i += 2) stream(y + c + i * width, v[i], v[i + 1]);
    }
    stream_fence();
  }
  for (; c + stride <= n; c += stride) {
    V v[kSideBySide];
    several(x + c, v);
#pragma GCC unroll 8
    for (int i = 0; i < kSideBySide; i += 2) store(y + c + i * width, v[i], v[i + 1]);
  }
  for_each_step<width>(x + c, y + c, n - c, one);
}

}  // namespace
}  // namespace vmx
