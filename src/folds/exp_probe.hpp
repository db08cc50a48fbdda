// SPDX-License-Identifier: Apache-2.0
// The exponentials by themselves, element by element: what the exhaustive tests of exp call.
#pragma once

#include "folds/exp_sum.hpp"
#include "folds/exp_write.hpp"

namespace vmx {
namespace {

template <class Function>
inline void map_probe(const float* x, float* y, int64_t n, const Function& f) {
  int64_t i = 0;
  for (; i + kW <= n; i += kW) store(y + i, f(load(x + i)));
  if (i == n) return;
  alignas(64) float staged[kW] = {};
  for (int64_t j = i; j < n; ++j) staged[j - i] = x[j];
  store(staged, f(load(staged)));
  for (int64_t j = i; j < n; ++j) y[j] = staged[j - i];
}

/// exp(x/T) as it is written out, by a row whose factor is 1.
inline void exp_f32(const float* x, float* y, int64_t n, const ExpParams& params) {
  RowScale row{};
  row.scale = 1.0f;
  row.narrow = true;
  const ExpWrite e(params, row);
  map_probe(x, y, n, e);
}

/// exp(x/T) as a term of a sum against the reference 0, clamped as the fast tier does; its one-step form if params.plain.
inline void exp_sum_f32(const float* x, float* y, int64_t n, const ExpParams& params) {
  const F low(-86.0f), high(88.0f);
  const auto mapped = [&](const auto& e) {
    map_probe(x, y, n, [&](F v) { return e(max_or_b(low, min_or_b(v, high))); });
  };
  if (params.plain) {
    mapped(ExpSum<false>(params, 0));
  } else {
    mapped(ExpSum<true>(params, 0));
  }
}

}  // namespace
}  // namespace vmx
