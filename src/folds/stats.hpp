// SPDX-License-Identifier: Apache-2.0
// What a full state holds beside the sum of exponentials, for one block: count, maximum, sums of w z and w, entropy. All in
// f64 lanes, added in the fixed order of the lse fold.
#pragma once

#include "core/block_stats.hpp"
#include "folds/lse.hpp"

namespace vmx {
namespace {

template <class T>
inline void block_stats(const T* x, int64_t n, int64_t skip, const float* weight, bool with_sums, bool with_entropy,
                        const ExpParams& params, BlockStats& out) {
  const BlockMax seen = max_block(x, n, skip);
  out = BlockStats{};
  out.max = seen.max;
  out.nan = seen.nan;
  out.inf = seen.inf;
  alignas(64) double count[kLanes] = {}, wz[kLanes] = {}, w_sum[kLanes] = {}, exps[kLanes] = {}, entropy[kLanes] = {};
  alignas(64) float staged_weight[kQuad];
  const D lowest(-0x1.fffffffffffffp+1023), one(1.0), inverse(params.inverse), zero(0.0);
  // Scaled down so that no sum of f64 scores overflows.
  const D small(BlockStats::kScoreScale);
  const D max(seen.max > -__builtin_inf() && seen.max < __builtin_inf() ? seen.max : 0.0);
  for_each_quad(x, n, skip, [&](const T* quad, int64_t first, int64_t have) {
    const float* w = weight ? weight + first : nullptr;
    if (w && have < kQuad) {
      std::memset(staged_weight, 0, sizeof staged_weight);
      std::memcpy(staged_weight, w, static_cast<size_t>(have) * sizeof(float));
      w = staged_weight;
    }
    for (int i = 0; i < kQuad; i += kWD) {
      const int lane = i % kLanes;
      const D z = load_wide(quad + i);
      store(count + lane, load(count + lane) + where_at_least(z, lowest, one));
      if (with_sums) {
        const D kept = select_at_least(z, lowest, z * small, zero);
        const D weights = w ? load_wide(w + i) : one;
        store(wz + lane, load(wz + lane) + kept * inverse * weights);
        store(w_sum + lane, load(w_sum + lane) + where_at_least(z, lowest, weights));
      }
      if (with_entropy) {
        const D t = (select_at_least(z, lowest, z, lowest) - max) * inverse;
        const D e = wide_exp(t);
        store(exps + lane, load(exps + lane) + e);
        // Below the floor of wide_exp e is 0 and t may be anything: keep it finite.
        store(entropy + lane, load(entropy + lane) + e * max_or_b(t, D(-708.0)));
      }
    }
  });
  out.count = static_cast<int64_t>(sum_lanes(count));
  out.sum_wz = sum_lanes(wz);
  out.sum_w = sum_lanes(w_sum);
  out.sum_exp = sum_lanes(exps);
  out.sum_t_exp = sum_lanes(entropy);
}

template <class T>
inline void distance_sums(const T* x, int64_t n, const float* weight, double max, double inverse, DistanceSums& out) {
  alignas(64) double count[kLanes] = {}, w_sum[kLanes] = {}, distance[kLanes] = {};
  alignas(64) float staged_weight[kQuad];
  const D lowest(-0x1.fffffffffffffp+1023), one(1.0), per(inverse), from(max);
  for_each_quad(x, n, -1, [&](const T* quad, int64_t first, int64_t have) {
    const float* w = weight ? weight + first : nullptr;
    if (w && have < kQuad) {
      std::memset(staged_weight, 0, sizeof staged_weight);
      std::memcpy(staged_weight, w, static_cast<size_t>(have) * sizeof(float));
      w = staged_weight;
    }
    for (int i = 0; i < kQuad; i += kWD) {
      const int lane = i % kLanes;
      const D z = load_wide(quad + i), weights = w ? load_wide(w + i) : one;
      store(count + lane, load(count + lane) + where_at_least(z, lowest, one));
      store(w_sum + lane, load(w_sum + lane) + where_at_least(z, lowest, weights));
      store(distance + lane, load(distance + lane) + where_at_least(z, lowest, (from - z) * per * weights));
    }
  });
  out.count = static_cast<int64_t>(sum_lanes(count));
  out.weight = sum_lanes(w_sum);
  out.distance = sum_lanes(distance);
}

}  // namespace
}  // namespace vmx
