// SPDX-License-Identifier: Apache-2.0
// Backward passes of softmax and log-softmax: the sums over a block in f64 lanes and fixed order, then the gradients.
#pragma once

#include "folds/lse.hpp"
#include "folds/softmax.hpp"

namespace vmx {
namespace {

// Sum over a block of term(y, g) for each f64 register, in the order of the lse fold; columns past n count as 0.
template <class T, class Function>
inline double sum_pairs(const T* y, const T* g, int64_t n, Function&& term) {
  alignas(64) double lanes[kLanes] = {};
  alignas(64) T staged[2][kQuad];
  for (int64_t c = 0; c < n; c += kQuad) {
    const T *from_y = y + c, *from_g = g + c;
    if (c + kQuad > n) {
      const size_t rest = static_cast<size_t>(n - c) * sizeof(T);
      for (int i = 0; i < kQuad; ++i) set_masked(staged[0][i]);
      std::memset(staged[1], 0, sizeof staged[1]);
      std::memcpy(staged[0], from_y, rest);
      std::memcpy(staged[1], from_g, rest);
      from_y = staged[0];
      from_g = staged[1];
    }
    for (int i = 0; i < kQuad; i += kWD) {
      const int lane = i % kLanes;
      store(lanes + lane, load(lanes + lane) + term(load_wide(from_y + i), load_wide(from_g + i)));
    }
  }
  return sum_lanes(lanes);
}

/// The sum of y g over a block where y > 0.
template <class T>
inline double softmax_dot(const T* y, const T* g, int64_t n) {
  const D smallest(0x1p-1022);
  return sum_pairs(y, g, n, [&](D p, D grad) { return where_at_least(p, smallest, p * grad); });
}

/// The sum of g over a block where the log-probability y is not -inf.
template <class T>
inline double log_softmax_sum(const T* y, const T* g, int64_t n) {
  const D lowest(-0x1.fffffffffffffp+1023);
  return sum_pairs(y, g, n, [&](D log_p, D grad) { return where_at_least(log_p, lowest, grad); });
}

// out = f(y, g) in f64 lanes, rounded once.
template <class T, class Function>
inline void write_pairs(const T* y, const T* g, T* out, int64_t n, Function&& f) {
  constexpr int width = Register<T>::width;
  const auto step = [&](const T* from_y, const T* from_g, T* to) {
    store_wide(to, [&](int i) { return one_nan(f(load_wide(from_y + i), load_wide(from_g + i))); });
  };
  int64_t c = 0;
  for (; c + width <= n; c += width) step(y + c, g + c, out + c);
  if (c == n) return;
  alignas(64) T in[2][width], result[width];
  const size_t rest = static_cast<size_t>(n - c) * sizeof(T);
  std::memset(in, 0, sizeof in);
  std::memcpy(in[0], y + c, rest);
  std::memcpy(in[1], g + c, rest);
  step(in[0], in[1], result);
  std::memcpy(out + c, result, rest);
}

/// out = y (g - dot) / T, 0 where y is 0.
template <class T>
inline void softmax_backward_write(const T* y, const T* g, T* out, int64_t n, double dot, double inverse) {
  const D smallest(0x1p-1022), d(dot), per(inverse);
  write_pairs(y, g, out, n, [&](D p, D grad) {
    const D value = p * (grad - d) * per;
    // NaN probabilities stay NaN: they are neither at least 2^-1022 nor below it.
    return select_at_least(p, smallest, value, where_at_least(smallest, p, D(0.0)) + (p - p));
  });
}

/// out = (g - e^y sum) / T, 0 where y is -inf.
template <class T>
inline void log_softmax_backward_write(const T* y, const T* g, T* out, int64_t n, double sum, double inverse) {
  const D lowest(-0x1.fffffffffffffp+1023), s(sum), per(inverse), masked(-__builtin_inf());
  write_pairs(y, g, out, n, [&](D log_p, D grad) {
    const D value = (grad - wide_exp(min_or_b(log_p, D(0.0))) * s) * per;
    // What is neither finite nor -inf is NaN.
    return select_at_least(log_p, lowest, value, select_at_least(masked, log_p, D(0.0), log_p));
  });
}

}  // namespace
}  // namespace vmx
