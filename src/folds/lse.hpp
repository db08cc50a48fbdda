// SPDX-License-Identifier: Apache-2.0
// The lse fold: a row's blocks into an LseSum, by the tiers of docs/numerics.md.
#pragma once

#include "core/lse_sum.hpp"
#include "core/row_scale.hpp"
#include "folds/exp_sum.hpp"
#include "folds/kept.hpp"
#include "folds/quads.hpp"
#include "folds/wide.hpp"
#include "core/dtype.hpp"

namespace vmx {
namespace {

// The 64 lanes in f64, in one fixed tree: lane j takes j, j+8, ..., j+56; then 8 to 1 by halves.
template <class T>
inline double sum_lanes(const T* lane) {
  double eighth[8];
  for (int j = 0; j < 8; ++j) {
    const auto at = [&](int i) { return static_cast<double>(lane[j + 8 * i]); };
    eighth[j] = ((at(0) + at(1)) + (at(2) + at(3))) + ((at(4) + at(5)) + (at(6) + at(7)));
  }
  return ((eighth[0] + eighth[4]) + (eighth[2] + eighth[6])) + ((eighth[1] + eighth[5]) + (eighth[3] + eighth[7]));
}

// A scalar sum that carries what its additions lose.
struct Accumulator {
  double sum = 0, lost = 0;
  void add(double x) {
    const double s = sum + x, t = s - sum;
    lost += (sum - (s - t)) + (x - t);
    sum = s;
  }
};

/// top: see ExpSum. kKeep: the terms go to kept[0 .. n) too, those of masked and far smaller scores as 0.
template <bool kTwoStep, bool kKeep, class T, class Behind>
inline double sum_block(const T* x, int64_t n, int64_t skip, const ExpSum<kTwoStep>& e, float* kept, Behind& behind,
                        uint32_t* top) {
  alignas(64) float lanes[kLanes] = {};
  alignas(64) float staged[kQuad];
  I highest(0);
  const I least(std::bit_cast<int32_t>(kLeastKept));
  for_each_quad(x, n, skip, [&](const T* quad, int64_t first, int64_t have) {
    // Far enough ahead to hide DRAM, near enough to stay in L1.
    for (size_t line = 0; line < kQuad * sizeof(T); line += 64)
      prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(quad) + 8192 + line));
    float* const to = !kKeep ? nullptr : have == kQuad ? kept + first : staged;
    const auto term = [&](int i) __attribute__((always_inline)) {
      const F value = e(load(quad + i), &highest);
      if constexpr (kKeep) store(to + i, where_greater(as_int(value), least, value));
      return value;
    };
    const auto add = [&](int g) __attribute__((always_inline)) {
      const F pair = (term(g) + term(g + kLanes)) + (term(g + 2 * kLanes) + term(g + 3 * kLanes));
      store(lanes + g, load(lanes + g) + pair);
    };
    if (behind.has_quad()) {
      for (int g = 0; g < kLanes; g += kW) {
        add(g);
        behind.part(g / kW, kLanes / kW);
      }
      behind.quad_done();
    } else {
      for (int g = 0; g < kLanes; g += kW) add(g);
    }
    if constexpr (kKeep) {
      if (have != kQuad) std::memcpy(kept + first, staged, static_cast<size_t>(have) * sizeof(float));
    }
  });
  *top = largest_unsigned(highest);
  return sum_lanes(lanes);
}

template <class T>
constexpr bool is_f64 = false;
template <>
constexpr bool is_f64<double> = true;

struct BlockMax {
  double max;  // -inf if every column is masked
  bool nan, inf;
};

// Which of NaN and +inf a block holds, once it is known to hold one.
template <class T>
inline void note_odd(const T* x, int64_t n, int64_t skip, BlockMax* seen) {
  for (int64_t i = 0; i < n; ++i) {
    if (i == skip) continue;
    const double v = scalar_value(x[i]);
    seen->nan |= v != v;
    seen->inf |= v == __builtin_inf();
  }
}

template <class T>
inline BlockMax max_block(const T* x, int64_t n, int64_t skip) {
  alignas(64) float lanes[kLanes], odd[kLanes];
  for (float& lane : lanes) set_masked(lane);
  for (float& lane : odd) lane = 0.0f;
  const F lowest(-0x1.fffffep+127f);
  for_each_quad(x, n, skip, [&](const T* quad, int64_t, int64_t) {
    for (int g = 0; g < kLanes; g += kW) {
      F m = load(lanes + g), o = load(odd + g);
      for (int row = 0; row < 4; ++row) {
        const F v = load(quad + row * kLanes + g);
        m = max_or_b(v, m);
        const F w = max_or_b(lowest, v);  // finite, or +inf, or NaN
        o = o + (w - w);
      }
      store(lanes + g, m);
      store(odd + g, o);
    }
  });
  BlockMax result{static_cast<double>(lanes[0]), false, false};
  bool is_odd = false;
  for (int i = 0; i < kLanes; ++i) {
    if (static_cast<double>(lanes[i]) > result.max) result.max = static_cast<double>(lanes[i]);
    is_odd |= odd[i] != odd[i];
  }
  if (is_odd) note_odd(x, n, skip, &result);
  return result;
}

// One 64-bit score a lane: no conversion, and the same questions.
inline BlockMax max_block(const double* x, int64_t n, int64_t skip) {
  BlockMax result{-__builtin_inf(), false, false};
  for_each_quad(x, n, skip, [&](const double* quad, int64_t, int64_t) {
    for (int i = 0; i < kQuad; ++i) {
      const double v = quad[i];
      if (v > result.max) result.max = v;
      result.nan |= v != v;
    }
  });
  result.inf = result.max == __builtin_inf();
  return result;
}

// Exact: the lanes carry what their additions lose.
template <bool kExact, class T>
inline double wide_sum(const T* x, int64_t n, int64_t skip, double max, const ExpParams& params) {
  alignas(64) double lanes[kLanes] = {}, lost[kLanes] = {};
  const WideExp<kExact> term(params, max);
  for_each_quad(x, n, skip, [&](const T* quad, int64_t, int64_t) {
    for (int g = 0; g < kLanes; g += kWD) {
      const auto at = [&](int row) { return term(load_wide(quad + g + row * kLanes)); };
      if constexpr (kExact) {
        for (int row = 0; row < 4; ++row) {
          const TwoSum next = two_sum(load(lanes + g), at(row));
          store(lanes + g, next.sum);
          store(lost + g, load(lost + g) + next.error);
        }
      } else {
        const D pair = (at(0) + at(1)) + (at(2) + at(3));
        store(lanes + g, load(lanes + g) + pair);
      }
    }
  });
  if constexpr (!kExact) return sum_lanes(lanes);
  Accumulator total;
  for (const double lane : lanes) total.add(lane);
  for (const double lane : lost) total.add(lane);
  return total.sum + total.lost;
}

template <class T>
inline int64_t count_equal(const T* x, int64_t n, int64_t skip, double value) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += i != skip && scalar_value(x[i]) == value;
  return count;
}

// |max/T| from which neighbouring scores are so far apart that only ties with the maximum count.
template <class T>
constexpr double kHuge = 0x1p30;
template <>
constexpr double kHuge<double> = 0x1p60;

template <class T>
inline void fold_wide(const T* x, int64_t n, int64_t skip, double max, const ExpParams& params, LseSum& sum) {
  const double scaled_max = max / params.temperature;
  if (scaled_max >= kHuge<T> || scaled_max <= -kHuge<T>) {
    LseSum ties;
    ties.any = ties.huge = true;
    ties.max = max;
    ties.bin = 2;  // so that the lowest digit counts ones
    ties.digit[2] = count_equal(x, n, skip, max);
    sum.merge(ties);
    return;
  }
  const Power reference = power_of_two_part(max, params.log2e_hi, params.log2e_lo);
  LseSum block;
  double value;
  if (is_f64<T> && wants_exact(params)) {
    value = wide_sum<true>(x, n, skip, max, params);
  } else {
    value = wide_sum<false>(x, n, skip, max, params);
  }
  block.add(value * scalar_exp2_fraction(reference.fraction), reference.exponent);
  sum.merge(block);
}

// A block whose tier is not the fast one. True if all of it is masked.
template <class T>
inline bool fold_general(const T* x, int64_t n, int64_t skip, const ExpParams& params, LseSum& sum) {
  const BlockMax seen = max_block(x, n, skip);
  sum.nan |= seen.nan;
  sum.inf |= seen.inf;
  if (seen.nan || seen.inf) return false;
  if (seen.max == -__builtin_inf()) return true;
  if constexpr (!is_f64<T>) {
    const double scaled_max = seen.max / params.temperature;
    if (params.narrow && !params.precise && scaled_max <= 0x1p16 && scaled_max >= -0x1p16) {
      const double reference = round_to_int(seen.max * params.log2e_hi);
      const float low = static_cast<float>((reference - 120.0) / params.log2e_hi);
      const ExpSum<true> e(params, static_cast<int32_t>(reference), low);
      WriteNothing nothing;
      uint32_t top;  // the maximum is known
      LseSum block;
      block.add(sum_block<true, false>(x, n, skip, e, nullptr, nothing, &top), static_cast<int64_t>(reference));
      sum.merge(block);
      return false;
    }
  }
  fold_wide(x, n, skip, seen.max, params, sum);
  return false;
}

// The fast tier: a fixed reference, one pass. False if the block is not for it.
template <bool kTwoStep, bool kKeep, class T, class Behind>
inline bool fold_fast(const T* x, int64_t n, int64_t skip, const ExpParams& params, float* kept, Behind& behind,
                      LseSum& sum) {
  const float low = static_cast<float>((-kKeptExponent - 124.0) / params.log2e_hi);
  uint32_t top;
  const double value =
      sum_block<kTwoStep, kKeep>(x, n, skip, ExpSum<kTwoStep>(params, -kKeptExponent, low), kept, behind, &top);
  // Anything odd (NaN, +inf, large or very small scores) shows as a term out of range or as a sum outside.
  if (!(top <= ExpSum<kTwoStep>::top_of(126) && value >= 0x1p-3 && value <= 0x1p83)) return false;
  if (sum.huge) {
    LseSum block;
    block.add(value, -kKeptExponent);
    sum.merge(block);
  } else {
    sum.add(value, -kKeptExponent);
  }
  return true;
}

template <bool kKeep, class T, class Behind>
inline bool fold_block(const T* x, int64_t n, int64_t skip, const ExpParams& params, float* kept, Behind& behind,
                       LseSum& sum) {
  if constexpr (!is_f64<T>) {
    if (params.narrow && !params.precise) {
      const bool done = params.plain ? fold_fast<false, kKeep>(x, n, skip, params, kept, behind, sum)
                                     : fold_fast<true, kKeep>(x, n, skip, params, kept, behind, sum);
      if (done) return true;
    }
  }
  // The fast tier has left zeros for a block that is all masked.
  return fold_general(x, n, skip, params, sum) && params.narrow && !params.precise;
}

template <bool kKeep, class T, class Behind>
inline bool fold_blocks(const T* x, int64_t n, int64_t skip, const ExpParams& params, float* kept, Behind& behind,
                        LseSum& sum) {
  bool all = true;
  for (int64_t c = 0; c < n; c += kBlock) {
    const int64_t columns = n - c < kBlock ? n - c : kBlock;
    const int64_t skipped = skip >= c && skip < c + columns ? skip - c : -1;
    all &= fold_block<kKeep>(x + c, columns, skipped, params, kKeep ? kept + c : nullptr, behind, sum);
  }
  return all;
}

/// Folds n columns that begin at a multiple of kBlock of their row.
template <class T>
inline void lse_fold(const T* x, int64_t n, int64_t skip, const ExpParams& params, LseSum& sum) {
  WriteNothing nothing;
  fold_blocks<false>(x, n, skip, params, nullptr, nothing, sum);
}

/// The same; the terms stay, times 2^kKeptExponent, in kept[0 .. n): false if they do not, because a block took another tier.
/// behind: NULL, or n columns of another row to be written meanwhile; NULL for bf16 and f16, where it is arithmetic that takes
/// the time.
template <class T>
inline bool lse_fold_keep(const T* x, int64_t n, int64_t skip, const ExpParams& params, float* kept,
                          const KeptWrite* behind, LseSum& sum) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (behind) {
      WriteBehind writer(*behind, n);
      const bool all = fold_blocks<true>(x, n, skip, params, kept, writer, sum);
      writer.finish();
      return all;
    }
  }
  WriteNothing nothing;
  return fold_blocks<true>(x, n, skip, params, kept, nothing, sum);
}

}  // namespace
}  // namespace vmx
