// SPDX-License-Identifier: Apache-2.0
// Steps of optimizers over rows of parameters and their moments, element by element.
#pragma once

#include "core/update_params.hpp"
#include "folds/write_row.hpp"

#include <vastmax/vastmax.h>

namespace vmx {
namespace {

struct Parameter {  // lanes of one, and of its moments
  F w, mean, square;
};

// Results below 2^-126 become 0 before they are used further: a moment that fades away would soon be subnormal.
template <int32_t kOptimizer>
struct Step {
  static constexpr bool has_mean = kOptimizer == VMX_ADAM, has_square = kOptimizer != VMX_SGD;

  explicit Step(const UpdateParams& p)
      : keep(p.keep), rate(p.rate), beta1(p.beta1), rest1(p.rest1), beta2(p.beta2), rest2(p.rest2), unbias(p.unbias),
        eps(p.eps) {}

  [[gnu::always_inline]] void operator()(Parameter& x, F g) const {
    const F kept = x.w * keep;
    if constexpr (kOptimizer == VMX_SGD) {
      x.w = fma(negate(rate), g, kept);
    } else if constexpr (kOptimizer == VMX_ADAGRAD) {
      x.square = flush(fma(g, g, x.square));
      x.w = kept - rate * g / (sqrt(x.square) + eps);
    } else {
      x.mean = flush(fma(rest1, g, beta1 * x.mean));
      x.square = flush(fma(rest2 * g, g, beta2 * x.square));
      x.w = kept - rate * x.mean / (sqrt(unbias * x.square) + eps);
    }
    x.w = flush(x.w);
    // Moments that are NaN make w so.
    constexpr uint32_t all = (uint32_t{1} << kW) - 1;
    if (at_least(x.w, x.w) != all) [[unlikely]] {
      x = {one_nan(x.w), one_nan(x.mean), one_nan(x.square)};
    }
  }

  F keep, rate, beta1, rest1, beta2, rest2, unbias, eps;
};

constexpr int64_t kUpdateAhead = 4096;  // bytes on their way to the cache

template <class S, class T>
inline void update_rows_by(const UpdateParams& params, const UpdateRows& r) {
  const S step(params);
  const int64_t row_bytes = r.dim * static_cast<int64_t>(sizeof(T) + (S::has_mean ? 4 : 0) + (S::has_square ? 4 : 0));
  const int64_t ahead = row_bytes >= kUpdateAhead ? 1 : kUpdateAhead / row_bytes;
  const auto one = [&](T* w, const float* g, float* mean, float* square) __attribute__((always_inline)) {
    Parameter x{load(w), F(0.0f), F(0.0f)};
    if constexpr (S::has_mean) x.mean = load(mean);
    if constexpr (S::has_square) x.square = load(square);
    step(x, load(g));
    store(w, x.w);
    if constexpr (S::has_mean) store(mean, x.mean);
    if constexpr (S::has_square) store(square, x.square);
  };
  const int64_t n = r.dim, whole = n / kW * kW;
  for (int64_t i = 0; i < r.count; ++i) {
    const int64_t next = r.ids[i + ahead < r.count ? i + ahead : i];
    const T* const next_w = static_cast<const T*>(r.w) + next * r.w_stride;
    const float* const next_mean = S::has_mean ? r.mean + next * r.mean_stride : nullptr;
    const float* const next_square = S::has_square ? r.square + next * r.square_stride : nullptr;
    const int64_t id = r.ids[i];
    T* const w = static_cast<T*>(r.w) + id * r.w_stride;
    const float* const g = r.g + i * r.g_stride;
    float* const mean = S::has_mean ? r.mean + id * r.mean_stride : nullptr;
    float* const square = S::has_square ? r.square + id * r.square_stride : nullptr;
    for (int64_t c = 0; c < whole; c += kW) {
      if (c % 16 == 0) {  // a line of f32
        prefetch(next_w + c);
        if constexpr (S::has_mean) prefetch(next_mean + c);
        if constexpr (S::has_square) prefetch(next_square + c);
      }
      one(w + c, g + c, S::has_mean ? mean + c : nullptr, S::has_square ? square + c : nullptr);
    }
    if (whole == n) continue;
    const auto rest = static_cast<size_t>(n - whole);
    alignas(64) T staged_w[kW] = {};
    alignas(64) float staged[3][kW] = {};
    std::memcpy(staged_w, w + whole, rest * sizeof(T));
    std::memcpy(staged[0], g + whole, rest * sizeof(float));
    if constexpr (S::has_mean) std::memcpy(staged[1], mean + whole, rest * sizeof(float));
    if constexpr (S::has_square) std::memcpy(staged[2], square + whole, rest * sizeof(float));
    one(staged_w, staged[0], staged[1], staged[2]);
    std::memcpy(w + whole, staged_w, rest * sizeof(T));
    if constexpr (S::has_mean) std::memcpy(mean + whole, staged[1], rest * sizeof(float));
    if constexpr (S::has_square) std::memcpy(square + whole, staged[2], rest * sizeof(float));
  }
}

/// One step of all parameters of the rows. Rows to come are fetched ahead: they lie anywhere in a large table.
template <class T>
inline void update_rows(const UpdateParams& params, const UpdateRows& rows) {
  switch (params.optimizer) {
    case VMX_ADAGRAD: return update_rows_by<Step<VMX_ADAGRAD>, T>(params, rows);
    case VMX_ADAM: return update_rows_by<Step<VMX_ADAM>, T>(params, rows);
    default: return update_rows_by<Step<VMX_SGD>, T>(params, rows);
  }
}

}  // namespace
}  // namespace vmx
