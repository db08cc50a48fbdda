// SPDX-License-Identifier: Apache-2.0
// What all row-wise operations share: kernels by dtype, blocks of a row made contiguous, and how work is cut in tasks.
#pragma once

#include "core/context.hpp"
#include "core/exp_params.hpp"
#include "core/lse_sum.hpp"
#include "core/workspace.hpp"
#include "ops/items.hpp"
#include "targets/table.hpp"

#include <algorithm>
#include <new>
#include <type_traits>
#include <utility>

namespace vmx {

/// f64 for f64 scores, else f32: what staged scores are held in.
inline int32_t compute_dtype(int32_t dtype) { return dtype == VMX_F64 ? VMX_F64 : VMX_F32; }

inline char* element(const vmx_matrix& m, int64_t row, int64_t column, int64_t size) {
  return static_cast<char*>(m.data) + (row * m.row_stride + column * m.col_stride) * size;
}

/// n adjacent elements of a row from column c: in place if they are adjacent, else copied to buffer.
const void* contiguous(const vmx_matrix& m, int64_t row, int64_t c, int64_t n, void* buffer);

/// Adjacent elements from one dtype to another, exactly or rounded once.
void convert_elements(const KernelTable& table, const void* from, int32_t from_dtype, void* to, int32_t to_dtype,
                      int64_t n);
/// Adjacent compute-dtype results into a row of an output of any dtype and stride.
void scatter_row(const KernelTable& table, const void* from, int32_t from_dtype, const vmx_matrix& out, int64_t row,
                 int64_t c, int64_t n);
/// Sets columns [c, c+n) of a row to one value.
void fill_row(const vmx_matrix& out, int64_t row, int64_t c, int64_t n, double value);
/// NaNs without the sign and payload that arithmetic gave them, which depend on the compiler.
inline double one_nan(double value) { return value == value ? value : __builtin_nan(""); }
/// An f64 result as element i of an f32 or f64 vector; magnitudes below 2^-126 become 0 in f32.
void store_result(const vmx_vector& v, int64_t i, double value);
double load_vector(const vmx_vector& v, int64_t i);
inline bool wanted(const vmx_vector* v) { return v && v->data; }

/// One temperature a row; T = 1 without a list.
struct Temperatures {
  const float* data;
  int64_t stride;
  float at(int64_t row) const { return data ? data[row * stride] : 1.0f; }
};
/// T < 0 and NaN are argument errors.
vmx_status check_temperatures(const Temperatures& t, int64_t rows);
/// As a view: no data, no elements.
inline vmx_vector temperature_view(const Temperatures& t, int64_t rows) {
  return {const_cast<float*>(t.data), t.data ? rows : 0, t.stride, VMX_F32, 0};
}

/// Columns of one task: whole blocks, so that no sum depends on how tasks are handed out.
constexpr int64_t kSegment = 32 * VMX_BLOCK;
inline int64_t segments_of(int64_t cols) { return (cols + kSegment - 1) / kSegment; }
/// Whether a single row is worth cutting for the threads there are.
inline bool splits_rows(const vmx_context& ctx, int64_t rows, int64_t cols) {
  return has_threads(ctx) && ctx.threads > 1 && segments_of(cols) > 1 && rows < 2 * int64_t{ctx.threads};
}
/// The longest rows whose terms are kept between the passes: they stay in some cache.
constexpr int64_t kMostKept = int64_t{1} << 20;

/// What a fold gives: the sum, and whether all terms were kept.
struct RowSum {
  LseSum sum;
  bool kept = true;
};

/// How for_each_row shares out rows and memory. Short rows go several at a time: their ends, long chains of dependent
/// operations, then overlap.
struct RowPlan {
  static constexpr int64_t kMostAtOnce = 8;

  int64_t rows, cols;
  bool split;        // a row at a time, its segments side by side; else rows side by side
  bool keeps;        // terms are kept
  bool defers;       // and a row is written while the next one is folded
  int64_t at_once;   // rows
  int64_t tasks, task_rows, workers;

  RowPlan(const vmx_context& ctx, int64_t row_count, int64_t col_count, bool wants_kept,
          bool wants_deferred);

  int64_t segments() const { return segments_of(cols); }
  int64_t segment_cols(int64_t s) const { return (s + 1) * kSegment <= cols ? kSegment : cols - s * kSegment; }
  /// Distance of rows in what is kept.
  int64_t kept_ld() const { return (cols + 15) / 16 * 16; }

  int64_t worker_kept() const { return kept_ld() * (defers ? 2 : at_once); }

  /// Taker: Scratch or PieceCounter.
  template <class Taker>
  void take(Taker& taker) {
    sums = taker.template take<RowSum>(split ? static_cast<size_t>(segments()) : 0);
    if (keeps) kept = taker.template take<float>(static_cast<size_t>(worker_kept() * (split ? 1 : workers)));
  }
  RowSum* sums = nullptr;
  float* kept = nullptr;  // NULL unless terms are kept
};
size_t row_plan_bytes(RowPlan plan);

/// For every row, with a State of its own, which is a RowSum and more:
///   begin(row, state)
///   fold(row, state, c, n, kept, behind, into)  over column segments; into: the state, or a part to be merged into it; kept:
///                                               where the terms of columns c to c + n go (NULL: not wanted); behind: the
///                                               columns of an earlier row to be written meanwhile (NULL: none)
///   finish(row, state)
///   deferred(row, state, kept, what)            whether the row can be written so; then, in *what, from column 0 on
///   write(row, state, c, n, kept)               over column segments; kept: NULL unless all terms were kept
///   end(row, state)                             after all of it was written
/// What the plan takes from the scratch has been taken.
template <class State, class Begin, class Fold, class Finish, class Deferred, class Write, class End>
void for_each_row(const vmx_context& ctx, const RowPlan& plan, Begin&& begin, Fold&& fold, Finish&& finish,
                  Deferred&& deferred, Write&& write, End&& end) {
  static_assert(std::is_trivially_copyable_v<State>);
  const int64_t segments = plan.segments();
  const auto at = [](float* kept, int64_t s) { return kept ? kept + s * kSegment : nullptr; };
  const auto write_segment = [&](int64_t row, State& state, int64_t s, float* kept) {
    write(row, state, s * kSegment, plan.segment_cols(s), static_cast<const float*>(at(state.kept ? kept : nullptr, s)));
  };
  if (plan.split) {
    for (int64_t row = 0; row < plan.rows; ++row) {
      State state;
      begin(row, state);
      parallel_for(ctx, segments, [&](int64_t s) {
        plan.sums[s] = RowSum{};
        fold(row, state, s * kSegment, plan.segment_cols(s), at(plan.kept, s), static_cast<const KeptWrite*>(nullptr),
             plan.sums[s]);
      });
      for (int64_t s = 0; s < segments; ++s) {
        state.sum.merge(plan.sums[s].sum);
        state.kept &= plan.sums[s].kept;
      }
      finish(row, state);
      parallel_for(ctx, segments, [&](int64_t s) { write_segment(row, state, s, plan.kept); });
      end(row, state);
    }
    return;
  }

  const auto fold_row = [&](int64_t row, State& state, float* kept, const KeptWrite* behind) {
    for (int64_t s = 0; s < segments; ++s) {
      KeptWrite part;
      if (behind) part = {behind->kept + s * kSegment, behind->y + s * kSegment, behind->factor};
      fold(row, state, s * kSegment, plan.segment_cols(s), at(kept, s), behind ? &part : nullptr, static_cast<RowSum&>(state));
    }
  };
  const auto write_row = [&](int64_t row, State& state, float* kept) {
    for (int64_t s = 0; s < segments; ++s) write_segment(row, state, s, kept);
    end(row, state);
  };
  const auto together = [&](int64_t first, int64_t last, float* kept) {
    alignas(State) unsigned char room[RowPlan::kMostAtOnce * sizeof(State)];
    State* const states = reinterpret_cast<State*>(room);
    const auto kept_of = [&](int64_t row) { return kept ? kept + (row - first) * plan.kept_ld() : nullptr; };
    for (int64_t row = first; row < last; ++row) {
      State& state = *new (&states[row - first]) State;
      begin(row, state);
      fold_row(row, state, kept_of(row), nullptr);
    }
    for (int64_t row = first; row < last; ++row) finish(row, states[row - first]);
    for (int64_t row = first; row < last; ++row) write_row(row, states[row - first], kept_of(row));
  };
  Items tasks(plan.tasks);
  parallel_for(ctx, plan.workers, [&](int64_t worker) {
    float* const kept = plan.kept ? plan.kept + worker * plan.worker_kept() : nullptr;
    if (!plan.defers) {
      for (int64_t task; tasks.take(&task);) {
        const int64_t last = std::min(plan.rows, (task + 1) * plan.task_rows);
        for (int64_t row = task * plan.task_rows; row < last; row += plan.at_once) {
          together(row, std::min(last, row + plan.at_once), kept);
        }
      }
      return;
    }
    State earlier;
    int64_t earlier_row = -1;
    float *own = kept, *other = kept + plan.kept_ld();
    for (int64_t task; tasks.take(&task);) {
      const int64_t last = std::min(plan.rows, (task + 1) * plan.task_rows);
      for (int64_t row = task * plan.task_rows; row < last; ++row) {
        State state;
        begin(row, state);
        KeptWrite what;
        const bool beside = earlier_row >= 0 && earlier.kept && deferred(earlier_row, earlier, other, &what);
        if (earlier_row >= 0 && !beside) write_row(earlier_row, earlier, other);
        fold_row(row, state, own, beside ? &what : nullptr);
        if (beside) end(earlier_row, earlier);
        finish(row, state);
        earlier = state;
        earlier_row = row;
        std::swap(own, other);
      }
    }
    if (earlier_row >= 0) write_row(earlier_row, earlier, other);
  });
}

}  // namespace vmx
