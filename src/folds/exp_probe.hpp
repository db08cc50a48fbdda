// SPDX-License-Identifier: Apache-2.0
// The exponentials by themselves, element by element: what the exhaustive tests of exp call.
#pragma once

#include <cstring>

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
  const size_t rest = static_cast<size_t>(n - i) * sizeof(float);
  std::memcpy(staged, x + i, rest);
  store(staged, f(load(staged)));
  std::memcpy(y + i, staged, rest);
}

/// exp(x/T) as it is written out, by a row whose factor is 1. -inf and what is below 2^-126 give +0. Beyond the largest f32,
/// for +inf and for NaN the bits mean nothing, though they are the same on every ISA: no second pass meets such a score,
/// since the row's sum holds it and rows with NaN or +inf are filled.
inline void exp_f32(const float* x, float* y, int64_t n, const ExpParams& params) {
  RowScale row{};
  row.scale = 1.0f;
  row.narrow = true;
  with_exp_write(params, row, [&](const auto& e) { map_probe(x, y, n, e); });
}

/// exp(x/T) as a term of a sum against the reference 0, as the fast tier has it: x/T below -86 counts as that, and +inf stands
/// for what it refuses (from about 2^126 on, and NaN). The one-step form if params.plain.
inline void exp_sum_f32(const float* x, float* y, int64_t n, const ExpParams& params) {
  const float low = -86.0f * static_cast<float>(params.temperature);
  const auto mapped = [&](const auto& e) {
    map_probe(x, y, n, [&](F v) {
      I top(0);
      alignas(64) float value[kW];
      alignas(64) int32_t reached[kW];
      store(value, e(v, &top));
      store(reached, top);
      for (int i = 0; i < kW; ++i) {
        if (static_cast<uint32_t>(reached[i]) > e.top_of(126)) value[i] = __builtin_inff();
      }
      return load(value);
    });
  };
  if (params.plain) {
    mapped(ExpSum<false>(params, 0, low));
  } else {
    mapped(ExpSum<true>(params, 0, low));
  }
}

}  // namespace
}  // namespace vmx
