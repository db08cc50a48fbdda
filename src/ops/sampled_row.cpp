// SPDX-License-Identifier: Apache-2.0
#include "ops/sampled_row.hpp"

#include "core/scalar_math.hpp"
#include "core/term_sum.hpp"
#include "ops/row_factor.hpp"
#include "ops/rows.hpp"
#include "ops/scores.hpp"

#include <algorithm>
#include <cstring>

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();
constexpr double kNan = __builtin_nan("");

bool finite(double v) { return v - v == 0.0; }

double sigmoid(double x) {
  const double t = scalar_exp(x < 0 ? x : -x);
  return x < 0 ? t / (1.0 + t) : 1.0 / (1.0 + t);
}

// A term that does not count is none, be it infinite.
double weighed(double weight, double term) { return weight == 0.0 ? 0.0 : weight * term; }

void fill_unmasked(float* x, int64_t m, float value) {
  for (int64_t j = 0; j < m; ++j) x[j] = x[j] == -__builtin_inff() ? 0.0f : value;
}

// Of NaN and +inf, which a row holds that holds one.
void note_odd(const float* x, int64_t m, bool* nan, bool* inf) {
  for (int64_t j = 0; j < m; ++j) {
    *nan |= x[j] != x[j];
    *inf |= x[j] == __builtin_inff();
  }
}

// The negatives of a softmax against one score: their sum is e^score times `relative`, or beyond f64 with the logarithm `distance`.
struct Against {
  double relative, distance;
};
Against against(const LseSum& sum, const ExpParams& params, double score) {
  Against a{sum.any ? relative_sum(sum, params, score) : 0.0, 0.0};
  if (a.relative >= 1e300) a.distance = lse_minus(sum, params, score);
  return a;
}
double loss_of(const Against& a) { return a.relative < 1e300 ? scalar_log1p(a.relative) : a.distance; }
double share_of(const Against& a) { return a.relative < 1e300 ? a.relative / (1.0 + a.relative) : 1.0; }

}  // namespace

SampledRow::SampledRow(const vmx_context& ctx, const vmx_sampled_options& options)
    : ctx_(ctx), options_(options), params_(make_exp_params(1.0f, false)) {}

RowLoss SampledRow::run(float* x, int64_t m, int64_t left, const RowTargets& targets, double upstream, float* target_grad,
                        float* buffer) const {
  Sums sums;
  for (int64_t t = 0; t < targets.n; ++t) {
    sums.nan |= targets.score[t] != targets.score[t];
    sums.inf |= targets.score[t] == kInf;
  }
  RowLoss result{0, left == 0 ? VMX_ROW_EMPTY : 0};
  if (targets.n == 0) {
    note_odd(x, m, &sums.nan, &sums.inf);
    if (target_grad) std::fill_n(x, m, 0.0f);
  } else {
    if (sums.nan || sums.inf) {
      note_odd(x, m, &sums.nan, &sums.inf);
    } else {
      switch (options_.loss) {
        case VMX_LOSS_SAMPLED_SOFTMAX: sums = softmax(x, m, targets, upstream, target_grad, buffer); break;
        case VMX_LOSS_BPR: sums = ranking(x, m, left, targets, upstream, target_grad, buffer); break;
        case VMX_LOSS_CCL: sums = contrastive(x, m, left, targets, upstream, target_grad, buffer); break;
        default: sums = logistic(x, m, targets, upstream, target_grad, buffer); break;
      }
    }
    result.loss = sums.loss;
    if (sums.nan || sums.inf) {
      result.loss = kNan;
      if (target_grad) {
        fill_unmasked(x, m, __builtin_nanf(""));
        std::fill_n(target_grad, targets.n, __builtin_nanf(""));
      }
    }
  }
  result.flags |= (sums.nan ? VMX_ROW_NAN : 0) | (sums.inf ? VMX_ROW_INF : 0);
  return result;
}

SampledRow::Sums SampledRow::softmax(float* x, int64_t m, const RowTargets& targets, double upstream, float* target_grad,
                                     float* buffer) const {
  const Kernels& k = ctx_.kernels->f32;
  LseSum sum;
  bool kept = false;
  if (target_grad) {
    k.lse_fold_keep(x, m, -1, params_, buffer, nullptr, sum, kept);
  } else {
    k.lse_fold(x, m, -1, params_, sum);
  }
  Sums result{0, sum.nan, sum.inf};
  if (sum.nan || sum.inf) return result;

  const bool joint = (options_.flags & VMX_SAMPLED_JOINT) && targets.n > 1;
  double share = 0;  // of the negatives in the denominators, weighed
  if (!joint) {
    for (int64_t t = 0; t < targets.n; ++t) {
      const double score = targets.score[t], weight = targets.weight[t];
      Against a{0, 0};
      if (score == -kInf) {
        a = {kInf, kInf};
        share += sum.any ? weight : 0.0;
      } else {
        a = against(sum, params_, score);
        share += weighed(weight, share_of(a));
      }
      result.loss += weighed(weight, loss_of(a));
      if (target_grad) {
        const double own = score == -kInf && !sum.any ? 0.0 : share_of(a);
        target_grad[t] = gradient_f32(-weight * own * upstream);
      }
    }
  } else {
    const auto counts = [&](int64_t t) { return !targets.repeats || !targets.repeats[t]; };
    double total_weight = 0;
    int64_t best = -1;
    for (int64_t t = 0; t < targets.n; ++t) {
      total_weight += targets.weight[t];
      if (counts(t) && (best < 0 || targets.score[t] > targets.score[best])) best = t;
    }
    const double top = targets.score[best];
    // All but the best target, against it.
    Against others{kInf, kInf};
    if (top > -kInf) {
      others = against(sum, params_, top);
      share = others.relative;
      for (int64_t t = 0; t < targets.n; ++t) {
        if (t != best && counts(t)) others.relative += scalar_exp(targets.score[t] - top);
      }
      share = others.relative < 1e300 ? share / (1.0 + others.relative) : 1.0;
    } else {
      share = sum.any ? 1.0 : 0.0;
    }
    share *= total_weight;
    for (int64_t t = 0; t < targets.n; ++t) {
      const double weight = targets.weight[t], below = top > -kInf ? top - targets.score[t] : 0.0;
      result.loss += weighed(weight, loss_of(others) + below);
      if (!target_grad) continue;
      double g = -weight;
      if (t == best) {
        g = (total_weight - weight) - total_weight * (top == -kInf && !sum.any ? 1.0 : share_of(others));
      } else if (counts(t) && top > -kInf && others.relative < 1e300) {
        g += total_weight * (scalar_exp(-below) / (1.0 + others.relative));
      }
      target_grad[t] = gradient_f32(g * upstream);
    }
  }
  if (!target_grad) return result;

  const double factor = share * upstream;
  if (!finite(factor)) {
    fill_unmasked(x, m, __builtin_nanf(""));
  } else if (!sum.any || factor == 0.0) {
    std::fill_n(x, m, 0.0f);
  } else {
    const RowTemperature plain{TemperatureMode::plain, params_};
    const RowScale scale = make_row_scale(sum, plain, false, factor, [&] {
      double max;
      k.row_max(x, m, -1, max);
      return max;
    });
    float by;
    if (kept && kept_factor(scale, &by)) {
      k.scale_kept(buffer, x, m, by, false);
    } else {
      k.softmax_write(x, x, m, params_, scale, false);
    }
  }
  return result;
}

SampledRow::Sums SampledRow::logistic(float* x, int64_t m, const RowTargets& targets, double upstream, float* target_grad,
                                      float* buffer) const {
  Sums result;
  double total_weight = 0;
  for (int64_t t = 0; t < targets.n; ++t) {
    const double score = targets.score[t], weight = targets.weight[t];
    total_weight += weight;
    result.loss += weighed(weight, scalar_softplus(-score));
    if (target_grad) target_grad[t] = gradient_f32(-weight * sigmoid(-score) * upstream);
  }
  TermSum sum;
  ctx_.kernels->softplus_terms(x, m, params_, 0.0f, static_cast<float>(total_weight * upstream), false,
                               target_grad ? buffer : nullptr, sum);
  result.loss += weighed(total_weight, sum.sum);
  if (sum.odd) note_odd(x, m, &result.nan, &result.inf);
  if (target_grad && !sum.odd) std::memcpy(x, buffer, static_cast<size_t>(m) * sizeof(float));
  return result;
}

SampledRow::Sums SampledRow::ranking(float* x, int64_t m, int64_t left, const RowTargets& targets, double upstream,
                                     float* target_grad, float* buffer) const {
  Sums result;
  if (left == 0) {
    if (target_grad) {
      std::fill_n(x, m, 0.0f);
      std::fill_n(target_grad, targets.n, 0.0f);
    }
    return result;
  }
  const double each = 1.0 / static_cast<double>(left);
  for (int64_t t = 0; t < targets.n; ++t) {
    const double weight = targets.weight[t] * each;
    // Below all finite scores -inf would meet masked ones.
    const bool masked = targets.score[t] == -kInf;
    const float shift = masked ? -0x1.fffffep+127f : static_cast<float>(targets.score[t]);
    TermSum sum;
    ctx_.kernels->softplus_terms(x, m, params_, shift, static_cast<float>(weight * upstream), t > 0,
                                 target_grad ? buffer : nullptr, sum);
    if (sum.odd) {
      note_odd(x, m, &result.nan, &result.inf);
      return result;
    }
    result.loss += weighed(weight, masked && sum.slopes > 0 ? kInf : sum.sum);
    if (target_grad) target_grad[t] = gradient_f32(-weight * sum.slopes * upstream);
  }
  if (target_grad) std::memcpy(x, buffer, static_cast<size_t>(m) * sizeof(float));
  return result;
}

SampledRow::Sums SampledRow::contrastive(float* x, int64_t m, int64_t left, const RowTargets& targets, double upstream,
                                         float* target_grad, float* buffer) const {
  Sums result;
  double total_weight = 0;
  for (int64_t t = 0; t < targets.n; ++t) {
    const double weight = targets.weight[t];
    total_weight += weight;
    result.loss += weighed(weight, 1.0 - targets.score[t]);
    if (target_grad) target_grad[t] = gradient_f32(-weight * upstream);
  }
  const double each = left > 0 ? total_weight * options_.negative_weight / static_cast<double>(left) : 0.0;
  TermSum sum;
  ctx_.kernels->hinge_terms(x, m, static_cast<float>(options_.margin), static_cast<float>(each * upstream),
                            target_grad ? buffer : nullptr, sum);
  result.loss += weighed(each, sum.sum);
  if (sum.odd) note_odd(x, m, &result.nan, &result.inf);
  if (target_grad && !sum.odd) std::memcpy(x, buffer, static_cast<size_t>(m) * sizeof(float));
  return result;
}

}  // namespace vmx
