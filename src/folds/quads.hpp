// SPDX-License-Identifier: Apache-2.0
// Walking the quads of a block: 256 columns, 4 rows of 64 lanes. A partial quad, and the one with a column to leave out,
// is staged through a buffer filled with -inf, so that a kernel only ever sees whole quads.
#pragma once

#include <cstring>

#include "core/dtype.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

// What scores of a dtype are computed in where they are staged.
template <class T>
struct ComputeOf {
  using type = float;
};
template <>
struct ComputeOf<double> {
  using type = double;
};
template <class T>
using Compute = typename ComputeOf<T>::type;

constexpr int kLanes = 64;
constexpr int64_t kQuad = 4 * kLanes;
constexpr int64_t kBlock = 4096;

inline double scalar_value(float x) { return static_cast<double>(x); }
inline double scalar_value(double x) { return x; }
inline double scalar_value(bf16 x) { return static_cast<double>(bf16_to_f32(x.bits)); }
inline double scalar_value(f16 x) { return static_cast<double>(f16_to_f32(x.bits)); }

inline void set_masked(float& x) { x = -__builtin_inff(); }
inline void set_masked(double& x) { x = -__builtin_inf(); }
inline void set_masked(bf16& x) { x.bits = 0xff80; }
inline void set_masked(f16& x) { x.bits = 0xfc00; }

/// Calls f(pointer to 256 elements, index of the first, how many are real) for each quad of x[0 .. n) in order.
template <class T, class Function>
inline void for_each_quad(const T* x, int64_t n, int64_t skip, Function&& f) {
  alignas(64) T staged[kQuad];
  for (int64_t c = 0; c < n; c += kQuad) {
    const bool whole = c + kQuad <= n;
    const bool patched = skip >= c && skip < c + kQuad;
    const int64_t have = whole ? kQuad : n - c;
    if (whole && !patched) {
      f(x + c, c, have);
      continue;
    }
    std::memcpy(staged, x + c, static_cast<size_t>(have) * sizeof(T));
    for (int64_t i = have; i < kQuad; ++i) set_masked(staged[i]);
    if (patched) set_masked(staged[skip - c]);
    f(static_cast<const T*>(staged), c, have);
  }
}

/// Calls f(source, destination, elements a register) over x[0 .. n) -> y[0 .. n), element by element; the last few go
/// through staged copies.
template <int kStep, class T, class U, class Function>
inline void for_each_step(const T* x, U* y, int64_t n, Function&& f) {
  int64_t c = 0;
  for (; c + kStep <= n; c += kStep) f(x + c, y + c);
  if (c == n) return;
  alignas(64) T in[kStep];
  alignas(64) U out[kStep];
  std::memset(in, 0, sizeof in);
  std::memcpy(in, x + c, static_cast<size_t>(n - c) * sizeof(T));
  f(static_cast<const T*>(in), out);
  std::memcpy(y + c, out, static_cast<size_t>(n - c) * sizeof(U));
}

}  // namespace
}  // namespace vmx
