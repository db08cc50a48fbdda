// SPDX-License-Identifier: Apache-2.0
#include "ops/softmax.hpp"

#include <algorithm>

#include "core/scalar_math.hpp"
#include "core/views.hpp"
#include "ops/row_factor.hpp"
#include "ops/row_writer.hpp"

namespace vmx {
namespace {

constexpr double kNan = __builtin_nan("");
constexpr double kInf = __builtin_inf();

struct RowState : RowSum {
  RowTemperature temperature;
  double max = 0;
  int64_t skip = -1;
  uint32_t flags = 0;
  RowScale scale{};
  RowShift shift{};
  bool filled = false;
  double fill = 0;
};

double reported_lse(const LseSum& sum, const RowTemperature& t) {
  if (t.mode == TemperatureMode::first_maximum && sum.any && !sum.nan && !sum.inf) {
    return t.maximum > 0 ? kInf : t.maximum < 0 ? -kInf : 0.0;  // the limit of max/T
  }
  return lse_of(sum, t.params);
}

// A sum that stands for a given log-sum-exp, so that backward passes need not fold again.
LseSum sum_of_lse(double lse) {
  LseSum sum;
  if (lse != lse) sum.nan = true;
  else if (lse == kInf) sum.inf = true;
  else if (lse > -kInf) {
    const Power p = power_of_two_part(lse, kLog2e, kLog2eLo);
    sum.add(scalar_exp2_fraction(p.fraction), p.exponent);
  }
  return sum;
}

}  // namespace

size_t softmax_scratch(const vmx_context& ctx, int64_t rows, int64_t cols, bool keeps) {
  return row_plan_bytes(RowPlan(ctx, rows, cols, keeps, keeps));
}

size_t softmax_backward_scratch(const vmx_context& ctx, int64_t rows, int64_t cols) {
  const int64_t blocks = splits_rows(ctx, rows, cols) ? (cols + VMX_BLOCK - 1) / VMX_BLOCK : 0;
  return Scratch::need<double>(static_cast<size_t>(blocks));
}

void logsumexp(const SoftmaxCall& call, const vmx_vector& lse, uint32_t* row_flags) {
  const Scores scores(call.ctx, call.x, 0.0, call.temperature, (call.flags & VMX_PRECISE) != 0);
  RowPlan plan(call.ctx, call.x.rows, call.x.cols, false, false);
  Scratch scratch(call.ctx, call.ws, row_plan_bytes(plan));
  plan.take(scratch);
  for_each_row<RowState>(
      call.ctx, plan, [&](int64_t row, RowState& s) { scores.begin(row, &s.temperature); },
      [&](int64_t row, RowState& s, int64_t c, int64_t n, float*, const KeptWrite*, RowSum& into) {
        scores.fold(row, s.temperature, c, n, -1, nullptr, nullptr, into);
      },
      [&](int64_t row, RowState& s) {
        store_result(lse, row, reported_lse(s.sum, s.temperature));
        if (row_flags) row_flags[row] = row_flags_of(s.sum);
      },
      [](int64_t, const RowState&, const float*, KeptWrite*) { return false; },
      [](int64_t, RowState&, int64_t, int64_t, const float*) {}, [](int64_t, RowState&) {});
}

void softmax(const SoftmaxCall& call, const vmx_matrix& y, const vmx_vector* lse, uint32_t* row_flags,
             bool logarithm) {
  const bool precise = (call.flags & VMX_PRECISE) != 0, zero_masked = (call.flags & VMX_ZERO_MASKED) != 0;
  const bool f64 = call.x.dtype == VMX_F64;
  const Scores scores(call.ctx, call.x, 0.0, call.temperature, precise);
  const RowWriter writer(call.ctx, scores, y);
  RowPlan plan(call.ctx, call.x.rows, call.x.cols, !logarithm && !precise && !f64, writer.defers());
  Scratch scratch(call.ctx, call.ws, row_plan_bytes(plan));
  plan.take(scratch);
  for_each_row<RowState>(
      call.ctx, plan,
      [&](int64_t row, RowState& s) {
        scores.begin(row, &s.temperature);
        if (!logarithm || !precise) return;
        // Near 0 a log-probability is -log1p of the others: fold without the maximum.
        s.max = scores.maximum(row, s.temperature);
        if (s.max > -kInf && s.max < kInf) s.skip = scores.find(row, s.temperature, s.max);
      },
      [&](int64_t row, RowState& s, int64_t c, int64_t n, float* kept, const KeptWrite* behind, RowSum& into) {
        scores.fold(row, s.temperature, c, n, s.skip, kept, behind, into);
      },
      [&](int64_t row, RowState& s) {
        LseSum whole = s.sum;
        if (s.skip >= 0) add_term(whole, s.temperature.params, s.max, f64);
        const double value = lse_of(whole, s.temperature.params);
        s.flags = row_flags_of(whole);
        if (wanted(lse)) store_result(*lse, row, reported_lse(whole, s.temperature));
        if (row_flags) row_flags[row] = s.flags;
        if (s.flags) {
          s.filled = true;
          s.fill = s.flags == VMX_ROW_EMPTY && zero_masked ? (logarithm ? -kInf : 0.0) : kNan;
          return;
        }
        const auto row_max = [&] { return scores.maximum(row, s.temperature); };
        if (!logarithm) {
          s.scale = make_row_scale(whole, s.temperature, f64, 1.0, row_max);
        } else {
          const bool narrow = s.skip < 0 && narrow_writes(whole, s.temperature.params, f64);
          const double max = narrow || s.skip >= 0 ? s.max : row_max();
          s.shift = make_row_shift(value, s.sum, s.temperature, f64, max, s.skip >= 0);
        }
      },
      [&](int64_t row, const RowState& s, const float* kept, KeptWrite* what) {
        return !s.filled && writer.deferred(row, s.scale, kept, what);
      },
      [&](int64_t row, RowState& s, int64_t c, int64_t n, const float* kept) {
        if (s.filled) {
          fill_row(y, row, c, n, s.fill);
        } else if (logarithm) {
          writer.log_softmax(row, s.temperature, c, n, s.shift);
        } else {
          writer.softmax(row, s.temperature, c, n, s.scale, kept);
        }
      },
      [](int64_t, RowState&) {});
}

void logsumexp_backward(const SoftmaxCall& call, const vmx_vector* lse, const vmx_vector& grad_lse,
                        const vmx_matrix& grad_x) {
  const bool f64 = call.x.dtype == VMX_F64;
  const Scores scores(call.ctx, call.x, 0.0, call.temperature, false);
  const RowWriter writer(call.ctx, scores, grad_x);
  RowPlan plan(call.ctx, call.x.rows, call.x.cols, !wanted(lse) && !f64, writer.defers());
  Scratch scratch(call.ctx, call.ws, row_plan_bytes(plan));
  plan.take(scratch);
  const auto given = [&](const RowTemperature& t) { return wanted(lse) && t.mode == TemperatureMode::plain; };
  for_each_row<RowState>(
      call.ctx, plan, [&](int64_t row, RowState& s) { scores.begin(row, &s.temperature); },
      [&](int64_t row, RowState& s, int64_t c, int64_t n, float* kept, const KeptWrite* behind, RowSum& into) {
        if (given(s.temperature)) into.kept = false;
        else scores.fold(row, s.temperature, c, n, -1, kept, behind, into);
      },
      [&](int64_t row, RowState& s) {
        if (given(s.temperature)) {
          const double value = load_vector(*lse, row);
          // Beyond this the f32 reference says too little: fold.
          if (value > -0x1p16 && value < 0x1p16) s.sum = sum_of_lse(value);
          else scores.fold(row, s.temperature, 0, call.x.cols, -1, nullptr, nullptr, s);
        }
        s.flags = row_flags_of(s.sum);
        if (s.flags) {
          s.filled = true;
          s.fill = s.flags == VMX_ROW_EMPTY ? 0.0 : kNan;
          return;
        }
        const double factor = load_vector(grad_lse, row) * s.temperature.inverse;
        if (factor != factor || factor == kInf || factor == -kInf) {
          s.filled = true;
          s.fill = kNan;
          return;
        }
        s.scale = make_row_scale(s.sum, s.temperature, f64, factor,
                                 [&] { return scores.maximum(row, s.temperature); });
      },
      [&](int64_t row, const RowState& s, const float* kept, KeptWrite* what) {
        return !s.filled && writer.deferred(row, s.scale, kept, what);
      },
      [&](int64_t row, RowState& s, int64_t c, int64_t n, const float* kept) {
        if (s.filled) fill_row(grad_x, row, c, n, s.fill);
        else writer.softmax(row, s.temperature, c, n, s.scale, kept);
      },
      [](int64_t, RowState&) {});
}

void softmax_backward(const SoftmaxCall& call, const vmx_matrix& grad_y, const vmx_matrix& grad_x, bool logarithm) {
  const vmx_matrix& y = call.x;
  const Kernels& k = kernels_of(*call.ctx.kernels, y.dtype);
  const int64_t blocks = (y.cols + VMX_BLOCK - 1) / VMX_BLOCK;
  // One block's part of the row's sum each: added in order, whoever made them.
  const bool split = splits_rows(call.ctx, y.rows, y.cols);
  Scratch scratch(call.ctx, call.ws, softmax_backward_scratch(call.ctx, y.rows, y.cols));
  double* parts = scratch.take<double>(split ? static_cast<size_t>(blocks) : 0);
  const auto columns = [&](int64_t b) { return std::min<int64_t>(VMX_BLOCK, y.cols - b * VMX_BLOCK); };
  const auto part = [&](int64_t row, int64_t b) {
    alignas(64) unsigned char from_y[VMX_BLOCK * 8], from_g[VMX_BLOCK * 8];
    const void* block_y = contiguous(y, row, b * VMX_BLOCK, columns(b), from_y);
    const void* block_g = contiguous(grad_y, row, b * VMX_BLOCK, columns(b), from_g);
    double sum;
    (logarithm ? k.log_softmax_sum : k.softmax_dot)(block_y, block_g, columns(b), sum);
    return sum;
  };
  const auto write = [&](int64_t row, int64_t b, double sum) {
    alignas(64) unsigned char from_y[VMX_BLOCK * 8], from_g[VMX_BLOCK * 8], to[VMX_BLOCK * 8];
    const int64_t c = b * VMX_BLOCK, n = columns(b);
    const void* block_y = contiguous(y, row, c, n, from_y);
    const void* block_g = contiguous(grad_y, row, c, n, from_g);
    const float t = call.temperature.at(row);
    const double inverse = t >= 0x1p-126f && t < __builtin_inff() ? 1.0 / static_cast<double>(t) : 0.0;
    const auto kernel = logarithm ? k.log_softmax_backward_write : k.softmax_backward_write;
    if (grad_x.dtype == y.dtype && grad_x.col_stride == 1) {
      kernel(block_y, block_g, element(grad_x, row, c, dtype_size(y.dtype)), n, sum, inverse);
      return;
    }
    // Into the dtype of the arithmetic's result first: one rounding to the output's.
    const int32_t compute = compute_dtype(y.dtype);
    if (compute != y.dtype) {
      alignas(64) float wide_y[VMX_BLOCK], wide_g[VMX_BLOCK];
      convert_elements(*call.ctx.kernels, block_y, y.dtype, wide_y, compute, n);
      convert_elements(*call.ctx.kernels, block_g, y.dtype, wide_g, compute, n);
      const Kernels& wide = kernels_of(*call.ctx.kernels, compute);
      (logarithm ? wide.log_softmax_backward_write : wide.softmax_backward_write)(wide_y, wide_g, to, n, sum, inverse);
    } else {
      kernel(block_y, block_g, to, n, sum, inverse);
    }
    scatter_row(*call.ctx.kernels, to, compute, grad_x, row, c, n);
  };
  if (!split) {
    const int64_t chunk = std::max<int64_t>(1, 32768 / std::max<int64_t>(y.cols, 1));
    parallel_for(call.ctx, (y.rows + chunk - 1) / chunk, [&](int64_t task) {
      for (int64_t row = task * chunk; row < std::min(y.rows, (task + 1) * chunk); ++row) {
        double sum = 0.0;
        for (int64_t b = 0; b < blocks; ++b) sum += part(row, b);
        for (int64_t b = 0; b < blocks; ++b) write(row, b, sum);
      }
    });
    return;
  }
  for (int64_t row = 0; row < y.rows; ++row) {
    parallel_for(call.ctx, blocks, [&](int64_t b) { parts[b] = part(row, b); });
    double sum = 0.0;
    for (int64_t b = 0; b < blocks; ++b) sum += parts[b];
    parallel_for(call.ctx, blocks, [&](int64_t b) { write(row, b, sum); });
  }
}

}  // namespace vmx
