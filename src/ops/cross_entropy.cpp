// SPDX-License-Identifier: Apache-2.0
#include "ops/cross_entropy.hpp"

#include <algorithm>

#include "core/scalar_math.hpp"
#include "ops/lse_fold.hpp"
#include "ops/row_writer.hpp"

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();
constexpr double kNan = __builtin_nan("");

// -log p of a score z of the row whose sum is `total`.
double minus_log_p(const LseSum& total, const ExpParams& params, double z) {
  const double whole = relative_sum(total, params, z);
  return whole < kInf ? scalar_log(whole) : lse_minus(total, params, z);
}

// A given score matrix as finish_row wants it.
class MatrixRow final : public RowScores {
 public:
  MatrixRow(const Scores& scores, int64_t row, const RowTemperature& t, const float* class_weight)
      : scores_(scores), row_(row), t_(t), class_weight_(class_weight) {}
  double score(int64_t column) const override { return scores_.at(row_, t_, column); }
  bool distances(RowDistances* d) const override {
    d->max = scores_.maximum(row_, t_);
    const Kernels& k = scores_.kernels(t_);
    const int64_t size = dtype_size(scores_.dtype(t_));
    scores_.for_each_run(row_, t_, 0, scores_.cols(), [&](const void* x, int64_t first, int64_t n) {
      for (int64_t i = 0; i < n; i += VMX_BLOCK) {
        DistanceSums block;
        k.distance_sums(static_cast<const char*>(x) + i * size, std::min<int64_t>(VMX_BLOCK, n - i),
                        class_weight_ ? class_weight_ + first + i : nullptr, d->max, t_.params.inverse, block);
        d->sums.count += block.count;
        d->sums.weight += block.weight;
        d->sums.distance += block.distance;
      }
    });
    return true;
  }
  vmx_lse_state sums() const override {
    vmx_lse_state state{};
    fold_state(scores_, row_, t_, 0, scores_.cols(), -1, class_weight_, VMX_STATE_HAS_SUMS, state);
    return state;
  }
  bool masked_class_counts() const override {
    bool counts = false;
    scores_.for_each_run(row_, t_, 0, scores_.cols(), [&](const void* x, int64_t first, int64_t n) {
      const int32_t type = scores_.dtype(t_);
      for (int64_t i = 0; i < n; ++i) {
        counts |= load_as_f64(x, i, type) == -kInf && (!class_weight_ || class_weight_[first + i] > 0.0f);
      }
    });
    return counts;
  }

 private:
  const Scores& scores_;
  int64_t row_;
  const RowTemperature& t_;
  const float* class_weight_;
};

// A gradient entry that differs from the row's formula: at first the weight of the targets there, then the entry.
struct Patch {
  int64_t column, entry;
  double value;
};

struct RowState : RowSum {
  RowTemperature temperature;
  CrossEntropyRow row;
  RowGradient gradient;
  RowScale scale{};
  double upstream = 0;
  bool given = false;  // the sum came from the caller's log-sum-exp
  // Gradients at the targets, made before an in-place write takes their scores; of a list: in the scratch.
  Patch only{};
  Patch* listed = nullptr;
  int64_t patch_count = 0;

  Patch* patches() { return listed ? listed : &only; }
};

}  // namespace

namespace {

void add_smoothing(const CrossEntropyTerms& terms, const RowTemperature& t, const RowScores& scores, bool unmasked,
                   CrossEntropyRow* r) {
  RowDistances d;
  if (scores.distances(&d)) {
    const double classes = unmasked ? static_cast<double>(d.sums.count) : static_cast<double>(terms.cols);
    r->smooth_weight = unmasked ? d.sums.weight : terms.class_weight_total;
    r->smooth_per = r->weight.plain * terms.options.label_smoothing / classes;
    if (r->smooth_per == 0.0) return;
    if (!unmasked && d.sums.count < terms.cols && scores.masked_class_counts()) {
      r->loss += r->smooth_per * kInf;
      return;
    }
    const bool skipped_max = r->skip >= 0 && r->z_skip == d.max;
    const double log_sum = d.sums.count == 1 ? 0.0 : skipped_max ? r->skip_loss : minus_log_p(r->total, t.params, d.max);
    r->loss += r->smooth_per * (d.sums.distance + d.sums.weight * log_sum);
    return;
  }
  const vmx_lse_state state = scores.sums();
  const double classes = unmasked ? static_cast<double>(state.count) : static_cast<double>(terms.cols);
  r->smooth_weight = unmasked ? state_sum_w(state) : terms.class_weight_total;
  r->smooth_per = r->weight.plain * terms.options.label_smoothing / classes;
  if (r->smooth_per == 0.0) return;
  if (!unmasked && (state.flags & VMX_STATE_MASKED) && scores.masked_class_counts()) {
    r->loss += r->smooth_per * kInf;
  } else {
    r->loss += r->smooth_per * (state_sum_w(state) * r->lse - state_sum_wz(state));
  }
}

}  // namespace

void begin_row(const CrossEntropyTerms& terms, int64_t row, CrossEntropyRow* r) {
  r->weight = terms.targets.row_weight(row);
  if (r->weight.count == 1) r->skip = terms.targets.id(r->weight.only);
}

void finish_row(const CrossEntropyTerms& terms, int64_t row, const RowTemperature& t, const LseSum& others,
                const RowScores& scores, CrossEntropyRow* r) {
  const vmx_cross_entropy_options& o = terms.options;
  r->total = others;
  if (r->skip >= 0) {
    r->z_skip = scores.score(r->skip);
    if (r->z_skip != r->z_skip) r->total.nan = true;
    else if (r->z_skip == kInf) r->total.inf = true;
    else add_term(r->total, t.params, r->z_skip, terms.f64);
  }
  r->flags = row_flags_of(r->total);
  r->lse = lse_of(r->total, t.params);
  if (r->weight.count == 0) return;  // ignored: loss and z-loss stay 0
  if (r->flags & (VMX_ROW_NAN | VMX_ROW_INF)) {
    r->loss = kNan;
    r->z_loss = o.z_loss > 0 ? kNan : 0.0;
    return;
  }
  if (r->flags & VMX_ROW_EMPTY) {
    r->loss = kInf;
    r->z_loss = o.z_loss > 0 ? kInf : 0.0;
    return;
  }
  const double keep = 1.0 - o.label_smoothing;
  if (r->skip >= 0) {
    r->others = r->z_skip == -kInf ? kInf : others.any ? relative_sum(others, t.params, r->z_skip) : 0.0;
    r->skip_loss = r->others < kInf      ? scalar_log1p(r->others)
                   : r->z_skip == -kInf ? kInf
                                        : lse_minus(r->total, t.params, r->z_skip);
  }
  for (int64_t i = terms.targets.begin(row); i < terms.targets.end(row); ++i) {
    if (terms.targets.ignored(i)) continue;
    const int64_t id = terms.targets.id(i);
    const double w = keep * terms.targets.weight(i) * terms.targets.class_weight(id);
    if (w == 0.0) continue;
    const double z = id == r->skip ? r->z_skip : scores.score(id);
    r->loss += w * (z == -kInf ? kInf : id == r->skip ? r->skip_loss : minus_log_p(r->total, t.params, z));
  }
  if (terms.smooths()) {
    const bool unmasked = (o.flags & VMX_SMOOTH_UNMASKED) != 0;
    if (!terms.wants_loss && !unmasked) {
      r->smooth_weight = terms.class_weight_total;
      r->smooth_per = r->weight.plain * o.label_smoothing / static_cast<double>(terms.cols);
    } else {
      add_smoothing(terms, t, scores, unmasked, r);
    }
  }
  if (o.z_loss > 0) r->z_loss = o.z_loss * (r->lse * r->lse);
}

namespace {

// d z_loss / d lse
double z_loss_slope(const CrossEntropyTerms& terms, const CrossEntropyRow& r) {
  return terms.options.z_loss > 0 ? 2.0 * terms.options.z_loss * r.lse : 0.0;  // lse may be infinite
}

}  // namespace

RowGradient row_gradient(const CrossEntropyTerms& terms, const RowTemperature& t, const CrossEntropyRow& r,
                         double upstream) {
  RowGradient g;
  g.filled = true;
  if (r.weight.count == 0 || (r.flags & VMX_ROW_EMPTY)) return g;
  const double per = upstream * t.inverse;
  if ((r.flags & (VMX_ROW_NAN | VMX_ROW_INF)) || !(per - per == 0.0)) {
    g.fill = kNan;
    return g;
  }
  g.filled = false;
  const double keep = 1.0 - terms.options.label_smoothing;
  g.factor = per * (keep * r.weight.weighted + r.smooth_per * r.smooth_weight + z_loss_slope(terms, r));
  g.subtract = per * r.smooth_per;
  if (!(g.factor - g.factor == 0.0)) {  // the slope of a z-loss that overflowed
    g.filled = true;
    g.fill = kNan;
  }
  return g;
}

double target_gradient(const CrossEntropyTerms& terms, const RowTemperature& t, const CrossEntropyRow& r,
                       double upstream, int64_t column, double z, double own_weight) {
  const double keep = 1.0 - terms.options.label_smoothing;
  const double per = upstream * t.inverse;
  if (z == -kInf) return -per * keep * own_weight;
  double p, rest;  // rest = 1 - p, neither by way of the other
  if (column == r.skip) {
    p = 1.0 / (1.0 + r.others);
    rest = r.others < kInf ? r.others / (1.0 + r.others) : 1.0;
  } else {
    const double whole = relative_sum(r.total, t.params, z);
    p = 1.0 / whole;
    rest = 1.0 - p;
  }
  // A weight w on this class asks for w (p - 1), weights on others for w p.
  const double smoothing = terms.smooths() ? terms.targets.class_weight(column) : 0.0;
  return per * ((keep * ((r.weight.weighted - own_weight) * p - own_weight * rest) +
                 r.smooth_per * ((r.smooth_weight - smoothing) * p - smoothing * rest)) +
                z_loss_slope(terms, r) * p);
}

double total_weight(const TargetList& targets, int64_t rows) {
  double total = 0;
  for (int64_t row = 0; row < rows; ++row) total += targets.row_weight(row).weighted;
  return total;
}

size_t cross_entropy_scratch(const vmx_context& ctx, int64_t rows, int64_t cols, bool keeps, bool copies_weights,
                             int64_t list_entries) {
  return Scratch::sum(Scratch::need<Patch>(static_cast<size_t>(list_entries)),
                      row_plan_bytes(RowPlan(ctx, rows, cols, keeps, keeps)),
                      Scratch::need<double>(static_cast<size_t>(rows)), Scratch::need<double>(static_cast<size_t>(rows)),
                      Scratch::need<float>(copies_weights ? static_cast<size_t>(cols) : 0));
}

namespace {

// Both directions: fold, finish, and with a gradient the second pass.
struct Run {
  const CrossEntropyCall& call;
  const vmx_cross_entropy_out* out;      // forward
  const vmx_vector* grad_loss = nullptr;  // backward: a factor a row
  const vmx_vector* lse = nullptr;        // backward: given by the caller
  const vmx_matrix* grad = nullptr;
  double upstream = 1;

  void operator()() const {
    const vmx_matrix& x = call.x;
    const bool copies = call.options.class_weight.data && call.options.class_weight.stride != 1;
    const int64_t list_entries = grad && call.targets.is_list() ? call.targets.entries() : 0;
    const bool keeps = grad && !wanted(lse) && keeps_terms(x, call.options);
    const Scores scores(call.ctx, x, call.options.softcap,
                        Temperatures{call.options.temperature, call.options.temperature_stride}, false);
    const vmx_matrix none{};
    const RowWriter writer(call.ctx, scores, grad ? *grad : none);
    Scratch scratch(call.ctx, call.ws, cross_entropy_scratch(call.ctx, x.rows, x.cols, keeps, copies, list_entries));
    RowPlan plan(call.ctx, x.rows, x.cols, keeps, writer.defers());
    plan.take(scratch);
    Patch* patches = scratch.take<Patch>(static_cast<size_t>(list_entries));
    double* losses = scratch.take<double>(static_cast<size_t>(x.rows));
    double* z_losses = scratch.take<double>(static_cast<size_t>(x.rows));
    float* copied = scratch.take<float>(copies ? static_cast<size_t>(x.cols) : 0);

    CrossEntropyTerms terms{call.options, call.targets, x.cols, x.dtype == VMX_F64, out != nullptr, nullptr,
                            static_cast<double>(x.cols)};
    if (call.options.class_weight.data) {
      terms.class_weight = static_cast<const float*>(call.options.class_weight.data);
      if (copies) {
        for (int64_t c = 0; c < x.cols; ++c) copied[c] = static_cast<float>(load_vector(call.options.class_weight, c));
        terms.class_weight = copied;
      }
      if (terms.smooths()) {
        terms.class_weight_total = 0;
        for (int64_t c = 0; c < x.cols; ++c) terms.class_weight_total += static_cast<double>(terms.class_weight[c]);
      }
    }
    const double weight = total_weight(call.targets, x.rows);
    const double mean = call.options.reduction == VMX_REDUCE_MEAN ? 1.0 / weight : 1.0;

    for_each_row<RowState>(
        call.ctx, plan,
        [&](int64_t row, RowState& s) {
          scores.begin(row, &s.temperature);
          begin_row(terms, row, &s.row);
          if (call.targets.is_list()) s.row.skip = best_target(scores, row, s.temperature);
          s.given = wanted(lse) && take_lse(row, scores, s);
          s.upstream = grad_loss ? load_vector(*grad_loss, row) : upstream * mean;
        },
        [&](int64_t row, RowState& s, int64_t c, int64_t n, float* kept, const KeptWrite* behind, RowSum& into) {
          if (s.given) into.kept = false;
          else scores.fold(row, s.temperature, c, n, s.row.skip, kept, behind, into);
        },
        [&](int64_t row, RowState& s) {
          finish_row(terms, row, s.temperature, s.sum, MatrixRow(scores, row, s.temperature, terms.class_weight), &s.row);
          losses[row] = s.row.loss;
          z_losses[row] = s.row.z_loss;
          if (out) report(row, s);
          if (grad) prepare(terms, scores, row, patches, s);
        },
        [&](int64_t row, const RowState& s, const float* kept, KeptWrite* what) {
          return grad && !s.gradient.filled && s.gradient.subtract == 0.0 && writer.deferred(row, s.scale, kept, what);
        },
        [&](int64_t row, RowState& s, int64_t c, int64_t n, const float* kept) {
          if (!grad) return;
          if (s.gradient.filled) {
            fill_row(*grad, row, c, n, s.gradient.fill);
          } else {
            writer.gradient(row, s.temperature, c, n, s.scale, s.gradient.subtract == 0.0 ? nullptr : terms.class_weight,
                            s.gradient.subtract, kept);
          }
        },
        [&](int64_t row, RowState& s) {
          if (grad) patch(terms, row, s);
        });
    if (out) {
      double total = 0, total_z = 0;
      for (int64_t row = 0; row < x.rows; ++row) {
        total += losses[row] + z_losses[row];
        total_z += z_losses[row];
      }
      const double divisor = call.options.reduction == VMX_REDUCE_MEAN ? weight : 1.0;
      if (out->total) *out->total = one_nan(total / divisor);
      if (out->total_z_loss) *out->total_z_loss = one_nan(total_z / divisor);
      if (out->total_weight) *out->total_weight = weight;
    }
  }

 private:
  // The target with the largest score, -1 if none has a finite one. Any other one has at most half of the mass.
  int64_t best_target(const Scores& scores, int64_t row, const RowTemperature& t) const {
    int64_t best = -1;
    double largest = -kInf;
    for (int64_t i = call.targets.begin(row); i < call.targets.end(row); ++i) {
      if (call.targets.ignored(i)) continue;
      const double z = scores.at(row, t, call.targets.id(i));
      if (z > largest && z < kInf) {
        largest = z;
        best = call.targets.id(i);
      }
    }
    return best;
  }

  // The sum without that target from a given log-sum-exp. Not where that target has most of the mass: there the others would
  // be lost in the rounding of the log-sum-exp; nor where an f32 says too little.
  bool take_lse(int64_t row, const Scores& scores, RowState& s) const {
    const double value = load_vector(*lse, row);
    if (s.temperature.mode != TemperatureMode::plain || !(value > -0x1p16 && value < 0x1p16)) return false;
    double others = value;
    if (s.row.skip >= 0) {
      const double d = value - scores.at(row, s.temperature, s.row.skip) * s.temperature.inverse;
      if (!(d > 0.7)) return false;
      others = value + scalar_log1p(-scalar_exp(-d));
    }
    const Power p = power_of_two_part(others, kLog2e, kLog2eLo);
    s.sum.add(scalar_exp2_fraction(p.fraction), p.exponent);
    return true;
  }

  void report(int64_t row, const RowState& s) const {
    if (out->loss.data) store_result(out->loss, row, s.row.loss);
    if (out->z_loss.data) store_result(out->z_loss, row, s.row.z_loss);
    if (out->lse.data) store_result(out->lse, row, s.row.lse);
    if (out->row_flags) out->row_flags[row] = s.row.flags;
  }

  void prepare(const CrossEntropyTerms& terms, const Scores& scores, int64_t row, Patch* patches, RowState& s) const {
    s.gradient = row_gradient(terms, s.temperature, s.row, s.upstream);
    if (s.gradient.filled) return;
    s.scale = make_row_scale(s.row.total, s.temperature, terms.f64, s.gradient.factor,
                             [&] { return scores.maximum(row, s.temperature); });
    if (call.targets.is_list()) s.listed = patches + call.targets.begin(row);
    for (int64_t i = call.targets.begin(row); i < call.targets.end(row); ++i) {
      if (call.targets.ignored(i)) continue;
      const int64_t column = call.targets.id(i);
      s.patches()[s.patch_count++] = {column, i, call.targets.weight(i) * call.targets.class_weight(column)};
    }
    s.patch_count = join_equal(s.patches(), s.patch_count);
    for (int64_t i = 0; i < s.patch_count; ++i) {
      Patch& p = s.patches()[i];
      p.value = target_gradient(terms, s.temperature, s.row, s.upstream, p.column,
                                scores.at(row, s.temperature, p.column), p.value);
      if (scores.softcap() > 0) p.value *= cap_factor(scores, row, p.column);
    }
  }

  // A class that stands several times in a list has one gradient: by the sum of its weights, in list order.
  static int64_t join_equal(Patch* patches, int64_t n) {
    std::sort(patches, patches + n, [](const Patch& a, const Patch& b) {
      return a.column != b.column ? a.column < b.column : a.entry < b.entry;
    });
    int64_t kept = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (kept > 0 && patches[kept - 1].column == patches[i].column) patches[kept - 1].value += patches[i].value;
      else patches[kept++] = patches[i];
    }
    return kept;
  }

  double cap_factor(const Scores& scores, int64_t row, int64_t column) const {
    const vmx_matrix& x = scores.matrix();
    alignas(8) unsigned char z[8], factor[8];
    store_from_f64(z, 0, x.dtype, load_as_f64(x.data, row * x.row_stride + column * x.col_stride, x.dtype));
    store_from_f64(factor, 0, compute_dtype(x.dtype), 1.0);
    kernels_of(*call.ctx.kernels, x.dtype).softcap_gradient(z, factor, 1, scores.softcap());
    return load_as_f64(factor, 0, compute_dtype(x.dtype));
  }

  void patch(const CrossEntropyTerms& terms, int64_t row, RowState& s) const {
    for (int64_t i = 0; i < s.patch_count; ++i) {
      const Patch& p = s.patches()[i];
      double value = p.value;
      // The gradient is an f32 (f64 for f64 scores) before it is rounded to the output, and +0 below 2^-126.
      if (!terms.f64) {
        value = value < 0x1p-126 && value > -0x1p-126 ? 0.0 : static_cast<double>(static_cast<float>(value));
      }
      store_from_f64(grad->data, row * grad->row_stride + p.column * grad->col_stride, grad->dtype, one_nan(value));
    }
  }
};

}  // namespace

void cross_entropy(const CrossEntropyCall& call, const vmx_cross_entropy_out& out) {
  Run run{call, &out};
  if (out.grad.data) run.grad = &out.grad;
  run.upstream = out.grad_scale;
  run();
}

void cross_entropy_backward(const CrossEntropyCall& call, const vmx_vector* lse, const vmx_vector& grad_loss,
                            const vmx_matrix& grad) {
  Run run{call, nullptr};
  run.grad_loss = &grad_loss;
  run.lse = lse;
  run.grad = &grad;
  run();
}

}  // namespace vmx
