// SPDX-License-Identifier: Apache-2.0
#include "ops/lse_fold.hpp"

#include <algorithm>

#include "core/views.hpp"

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();

// What plain scores of a block say about it, for the rare cases that the kernels do not serve.
struct PlainBlock {
  double max = -kInf;  // -0 counts as +0
  int64_t count = 0, ties = 0;  // allowed columns, those that hold the maximum
  bool nan = false, inf = false, masked = false;
};

PlainBlock look_at(const void* x, int32_t dtype, int64_t n, int64_t skip) {
  PlainBlock b;
  for (int64_t i = 0; i < n; ++i) {
    const double z = load_as_f64(x, i, dtype) + 0.0;
    if (i == skip) continue;
    b.nan |= z != z;
    b.inf |= z == kInf;
    b.masked |= z == -kInf;
    if (!(z > -kInf)) continue;
    ++b.count;
    if (z > b.max) {
      b.max = z;
      b.ties = 0;
    }
    b.ties += z == b.max;
  }
  return b;
}

// Under the temperatures that Scores stages for, the state still tells the plain scores' maximum: slices are then
// comparable. T < 2^-126 leaves nothing but ties with the maximum, as in a state of huge scores.
void fold_extreme(const Scores& scores, int64_t row, const RowTemperature& t, int64_t c0, int64_t n, int64_t skip,
                  const float* weight, uint32_t has, vmx_lse_state& state) {
  const vmx_matrix& x = scores.matrix();
  alignas(64) unsigned char gathered[VMX_BLOCK * 8];
  for (int64_t c = c0; c < c0 + n; c += VMX_BLOCK) {
    const int64_t columns = std::min<int64_t>(VMX_BLOCK, c0 + n - c);
    const bool skips = skip >= c && skip < c + columns;
    const PlainBlock plain = look_at(contiguous(x, row, c, columns, gathered), x.dtype, columns, skips ? skip - c : -1);
    vmx_lse_state part{};
    if (t.mode == TemperatureMode::uniform) {
      fold_state(scores, row, t, c, columns, skip, weight, has, part);
    } else {
      BlockStats stats;
      stats.nan = plain.nan;
      stats.inf = plain.inf;
      stats.count = plain.count;
      LseSum ties;
      if (plain.count > 0 && !plain.nan && !plain.inf) {
        ties.any = ties.huge = true;
        ties.max = plain.max;
        ties.bin = 2;
        ties.digit[2] = plain.ties;
      }
      part = block_state(ties, stats, columns, has, t.params);
    }
    if (plain.count > 0) part.max = plain.max;
    part.flags = static_cast<uint8_t>((part.flags & ~VMX_STATE_MASKED) | (plain.masked ? VMX_STATE_MASKED : 0));
    merge_states(state, part);
  }
}

}  // namespace

void fold_state(const Scores& scores, int64_t row, const RowTemperature& t, int64_t c0, int64_t n, int64_t skip,
                const float* weight, uint32_t has, vmx_lse_state& state) {
  const Kernels k = scores.kernels(t);
  const int64_t size = dtype_size(scores.dtype(t));
  scores.for_each_run(row, t, c0, n, [&](const void* x, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; i += VMX_BLOCK) {
      const int64_t c = first + i, columns = std::min<int64_t>(VMX_BLOCK, count - i);
      const bool skips = skip >= c && skip < c + columns;
      const int64_t skipped = skips ? skip - c : -1;
      const void* block = static_cast<const char*>(x) + i * size;
      LseSum sum;
      k.lse_fold(block, columns, skipped, t.params, sum);
      BlockStats stats;
      k.block_stats(block, columns, skipped, weight ? weight + c : nullptr, (has & VMX_STATE_HAS_SUMS) != 0,
                    (has & VMX_STATE_HAS_ENTROPY) != 0, t.params, stats);
      vmx_lse_state part = block_state(sum, stats, columns - (skips ? 1 : 0), has, t.params);
      if (stats.nan && look_at(block, scores.dtype(t), columns, skipped).masked) part.flags |= VMX_STATE_MASKED;
      merge_states(state, part);
    }
  });
}

size_t lse_fold_scratch(const vmx_context& ctx, int64_t rows, int64_t cols) {
  return Scratch::need<vmx_lse_state>(splits_rows(ctx, rows, cols) ? static_cast<size_t>(segments_of(cols)) : 0);
}

void lse_fold(const vmx_context& ctx, vmx_workspace* ws, const vmx_matrix& x, int64_t col_offset,
              vmx_lse_state* states, const vmx_lse_options& options) {
  const Temperatures temperature{options.temperature, options.temperature_stride};
  const Scores scores(ctx, x, 0.0, temperature, false);
  uint32_t has = 0;
  if (options.flags & VMX_FOLD_SUMS) has |= VMX_STATE_HAS_SUMS;
  if (options.flags & VMX_FOLD_ENTROPY) has |= VMX_STATE_HAS_ENTROPY;
  const bool split = splits_rows(ctx, x.rows, x.cols);
  const int64_t segments = segments_of(x.cols);
  Scratch scratch(ctx, ws, lse_fold_scratch(ctx, x.rows, x.cols));
  vmx_lse_state* parts = scratch.take<vmx_lse_state>(split ? static_cast<size_t>(segments) : 0);
  // The weights of the slice in one piece: the kernels want them adjacent.
  const float* weight = static_cast<const float*>(options.class_weight.data);
  const auto fold = [&](int64_t row, const RowTemperature& t, int64_t c0, int64_t n, int64_t skip, vmx_lse_state& state) {
    (t.mode == TemperatureMode::plain ? fold_state : fold_extreme)(scores, row, t, c0, n, skip, weight, has, state);
  };
  const auto skip_of = [&](int64_t row) {
    if (!options.skip.data) return int64_t{-1};
    const int64_t id = read_id(options.skip, row), first = col_offset + options.skip.base;
    return id >= first && id - first < x.cols ? id - first : int64_t{-1};
  };
  if (!split) {
    parallel_for(ctx, x.rows, [&](int64_t row) {
      RowTemperature t;
      scores.begin(row, &t);
      fold(row, t, 0, x.cols, skip_of(row), states[row]);
    });
    return;
  }
  for (int64_t row = 0; row < x.rows; ++row) {
    RowTemperature t;
    scores.begin(row, &t);
    parallel_for(ctx, segments, [&](int64_t s) {
      parts[s] = vmx_lse_state{};
      fold(row, t, s * kSegment, std::min(kSegment, x.cols - s * kSegment), skip_of(row), parts[s]);
    });
    for (int64_t s = 0; s < segments; ++s) merge_states(states[row], parts[s]);
  }
}

}  // namespace vmx
