// SPDX-License-Identifier: Apache-2.0
// Scores of few rows against packed weights (sources/packed_weights.hpp), which are read once, at the speed of the memory. Each
// score is one chain of fma over k in rising order: the same bits on every ISA and for any number of rows.
#pragma once

#include "simd/lanes.hpp"

namespace vmx {
namespace {

constexpr int kFewPanel = 64;  // classes of a panel
constexpr int kFewMost = 6;    // rows that share one pass over a panel

// What a panel holds for a step of k: kSteps values of each class side by side, always four cache lines.
struct PanelF32 {
  using Stored = float;
  static constexpr int kSteps = 1;
  static F value(const float* p, int) { return load(p); }
};
struct PanelBf16 {
  using Stored = bf16;
  static constexpr int kSteps = 2;
  static F value(const bf16* p, int half) {
    const I pair = as_int(load(reinterpret_cast<const float*>(p)));
    return as_float(half == 0 ? shift_left<16>(pair) : bit_and(pair, I(static_cast<int32_t>(0xffff0000u))));
  }
};

// Which lines of the memory to fetch while a pass runs: kLines of them at every so many steps.
struct FewAhead {
  uintptr_t from;
  int64_t every;
};

// kRows rows and kGroup registers of classes over n elements of k; first: what the sums begin with (the rows first_ld apart), or
// NULL.
template <class Panel, int kRows, int kGroup, int kLines>
[[gnu::always_inline]] inline void few_rows_block(const float* hidden, int64_t dim, int64_t n,
                                                  const typename Panel::Stored* panel, const float* first,
                                                  int64_t first_ld, float* out, int64_t out_ld, FewAhead ahead) {
  F sums[kRows][kGroup];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int g = 0; g < kGroup; ++g) sums[r][g] = first ? load(first + r * first_ld + g * kW) : F(0.0f);
  }
  const auto add = [&](const float* h, int half) {
    F w[kGroup];
#pragma GCC unroll 8
    for (int g = 0; g < kGroup; ++g) w[g] = Panel::value(panel + g * kW * Panel::kSteps, half);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const F x(h[r * dim]);
#pragma GCC unroll 8
      for (int g = 0; g < kGroup; ++g) sums[r][g] = fma(x, w[g], sums[r][g]);
    }
  };
  const float* h = hidden;
  const int64_t steps = n / Panel::kSteps;
  for (int64_t s = 0; s < steps;) {
#pragma GCC unroll 4
    for (int line = 0; line < kLines; ++line) {
      __builtin_prefetch(reinterpret_cast<const void*>(ahead.from + 64 * line), 0, kLines == 4 ? 3 : 2);
    }
    ahead.from += 64 * kLines;
    const int64_t end = kLines == 4 ? s + 1 : s + ahead.every < steps ? s + ahead.every : steps;
    for (; s < end; ++s) {
#pragma GCC unroll 2
      for (int half = 0; half < Panel::kSteps; ++half) add(h + half, half);
      h += Panel::kSteps;
      panel += kFewPanel * Panel::kSteps;
    }
  }
  if (n % Panel::kSteps != 0) add(h, 0);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int g = 0; g < kGroup; ++g) store(out + r * out_ld + g * kW, sums[r][g]);
  }
}

// Registers of classes beside that many rows: sums, weights and one factor fit the registers there are (32, else 16).
constexpr int few_group(int rows) { return kW == 16 ? 4 : kW == 4 ? 2 : rows == 1 ? 8 : rows <= 3 ? 4 : 2; }

template <class Panel, int kGroup, int kLines>
inline void few_rows_pass(int64_t rows, const float* hidden, int64_t dim, int64_t n,
                          const typename Panel::Stored* panel, const float* first, int64_t first_ld, float* out,
                          int64_t out_ld, FewAhead ahead) {
  switch (rows) {
#define VMX_ROWS(count)                                                                                              \
  case count:                                                                                                        \
    if constexpr (few_group(count) == kGroup || few_group(count + 1) == kGroup) {                                    \
      few_rows_block<Panel, count, kGroup, kLines>(hidden, dim, n, panel, first, first_ld, out, out_ld, ahead);      \
    }                                                                                                                \
    return;
    VMX_ROWS(1)
    VMX_ROWS(2)
    VMX_ROWS(3)
    VMX_ROWS(4)
    VMX_ROWS(5)
    VMX_ROWS(6)
#undef VMX_ROWS
  }
}

// One row against kPanels adjacent panels, two steps of each in turn: a single stream of loads leaves a fifth of the memory's
// speed unused on Zen 3 (27 ms against 32 for 512 MB, where the plainest read of four streams takes 24), and software
// prefetches make it slower still.
template <class Panel, int kPanels>
inline void one_row_in_turns(const float* hidden, int64_t dim, const typename Panel::Stored* panels, int64_t padded,
                             const float* bias, float* out) {
  constexpr int kGroup = kFewPanel / kW;
  constexpr int64_t kTurn = 2 * Panel::kSteps;
  for (int64_t k = 0; k < dim || k == 0; k += kTurn) {
    const int64_t n = dim - k < kTurn ? dim - k : kTurn;
    for (int64_t p = 0; p < kPanels; ++p) {
      float* const to = out + p * kFewPanel;
      const float* const first = k > 0 ? to : bias ? bias + p * kFewPanel : nullptr;
      few_rows_block<Panel, 1, kGroup, 0>(hidden + k, dim, n, panels + (p * padded + k) * kFewPanel, first, 0, to, 0, {0, n});
    }
  }
}

template <class Panel, int kGroup>
inline void few_rows_panels(const float* hidden, int64_t rows, int64_t dim, const typename Panel::Stored* panels,
                            int64_t n_panels, const float* bias, float* out, int64_t out_ld) {
  constexpr int64_t kSpan = 512;  // elements of k in work: their part of a panel, and the next one, fit L2
  constexpr int kStrip = kGroup * kW, kStrips = kFewPanel / kStrip;
  const int64_t groups = (rows + kFewMost - 1) / kFewMost;
  const int64_t padded = (dim + 16 * Panel::kSteps - 1) / (16 * Panel::kSteps) * (16 * Panel::kSteps);
  const int64_t passes = groups * kStrips;
  int64_t p = 0;
  if constexpr (kStrip == kFewPanel && kW == 8) {
    constexpr int kPanels = 4;
    if (rows == 1) {
      for (; p + kPanels <= n_panels; p += kPanels) {
        one_row_in_turns<Panel, kPanels>(hidden, dim, panels + p * padded * kFewPanel, padded,
                                         bias ? bias + p * kFewPanel : nullptr, out + p * kFewPanel);
      }
    }
  }
  for (; p < n_panels; ++p) {
    for (int64_t k = 0; k < dim || k == 0; k += kSpan) {
      const auto* const panel = panels + (p * padded + k) * kFewPanel;
      const int64_t n = dim - k < kSpan ? dim - k : kSpan;
      const int64_t bytes = (padded - k < kSpan ? padded - k : kSpan) * kFewPanel * static_cast<int64_t>(sizeof *panel);
      const uintptr_t next = reinterpret_cast<uintptr_t>(panel) + static_cast<uintptr_t>(bytes);
      const int64_t every = passes < 4 ? 1 : passes / 4, lines = (n / Panel::kSteps + every - 1) / every;
      int64_t pass = 0;
      // The classes of a strip stay in L1 for all rows.
      for (int strip = 0; strip < kStrips; ++strip) {
        const int64_t c = p * kFewPanel + strip * kStrip;
        for (int64_t group = 0, r = 0; group < groups; ++group, ++pass) {
          const int64_t end = rows * (group + 1) / groups;
          const auto* const weights = panel + strip * kStrip * Panel::kSteps;
          const float* const h = hidden + r * dim + k;
          float* const to = out + r * out_ld + c;
          const float* const first = k > 0 ? to : bias ? bias + c : nullptr;
          const int64_t first_ld = k > 0 ? out_ld : 0;
          if (passes == 1) {
            few_rows_pass<Panel, kGroup, 4>(end - r, h, dim, n, weights, first, first_ld, to, out_ld,
                                            {reinterpret_cast<uintptr_t>(panel) + 8192, 1});
          } else if (passes < 4) {
            few_rows_pass<Panel, kGroup, 2>(end - r, h, dim, n, weights, first, first_ld, to, out_ld,
                                            {next + static_cast<uintptr_t>(pass * lines) * 128, 1});
          } else {
            few_rows_pass<Panel, kGroup, 1>(end - r, h, dim, n, weights, first, first_ld, to, out_ld,
                                            {next + static_cast<uintptr_t>(pass * lines) * 64, every});
          }
          r = end;
        }
      }
    }
  }
}

/// out[r * out_ld + c] = hidden[r] . class c (+ bias[c]) for the 64 n_panels classes of adjacent panels; hidden's rows are dim
/// apart. bias has 64 n_panels entries, or is NULL.
template <class Panel>
inline void few_rows(const float* hidden, int64_t rows, int64_t dim, const typename Panel::Stored* panels,
                     int64_t n_panels, const float* bias, float* out, int64_t out_ld) {
  const int64_t groups = (rows + kFewMost - 1) / kFewMost;
  const int64_t most = (rows + groups - 1) / groups;
  if (few_group(1) != few_group(4) && most == 1) {
    few_rows_panels<Panel, few_group(1)>(hidden, rows, dim, panels, n_panels, bias, out, out_ld);
  } else if (few_group(3) != few_group(4) && most <= 3) {
    few_rows_panels<Panel, few_group(3)>(hidden, rows, dim, panels, n_panels, bias, out, out_ld);
  } else {
    few_rows_panels<Panel, few_group(4)>(hidden, rows, dim, panels, n_panels, bias, out, out_ld);
  }
}

}  // namespace
}  // namespace vmx
