// SPDX-License-Identifier: Apache-2.0
#include "ops/scores.hpp"

#include <algorithm>

#include "core/scalar_math.hpp"

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();

// |z/T| from which only ties count (folds/lse.hpp has the same two).
constexpr double huge_from(bool f64) { return f64 ? 0x1p60 : 0x1p30; }

}  // namespace

Scores::Scores(const vmx_context& ctx, const vmx_matrix& x, double softcap, const Temperatures& t, bool precise)
    : ctx_(ctx),
      x_(x),
      softcap_(softcap),
      temperatures_(t),
      precise_(precise),
      one_temperature_(!t.data || t.stride == 0),
      shared_{} {
  if (one_temperature_) {
    const float only = x.rows > 0 ? t.at(0) : 1.0f;
    shared_ = make_exp_params(only >= 0x1p-126f && only < __builtin_inff() ? only : 1.0f, precise);
  }
}

void Scores::begin(int64_t row, RowTemperature* t) const {
  const float value = temperatures_.at(row);
  if (value >= 0x1p-126f && value < __builtin_inff()) {
    t->params = one_temperature_ ? shared_ : make_exp_params(value, precise_);
    t->inverse = t->params.inverse;
    return;
  }
  t->params = make_exp_params(1.0f, precise_);
  t->inverse = 0;
  if (value == __builtin_inff()) {
    t->mode = TemperatureMode::uniform;
    return;
  }
  t->maximum = maximum(row, *t);  // of the plain scores, capped if they are
  if (t->maximum > -kInf && t->maximum < kInf) t->first_maximum = find(row, *t, t->maximum);
  t->mode = TemperatureMode::first_maximum;
}

void Scores::stage(const RowTemperature& t, const void* block, int64_t c, int64_t n, void* out) const {
  const int32_t compute = compute_dtype(x_.dtype);
  if (softcap_ > 0) {
    kernels_of(*ctx_.kernels, x_.dtype).softcap(block, out, n, softcap_);
  } else {
    convert_elements(*ctx_.kernels, block, x_.dtype, out, compute, n);
  }
  if (t.mode == TemperatureMode::plain) return;
  for (int64_t i = 0; i < n; ++i) {
    const double z = load_as_f64(out, i, compute);
    if (z != z || z == kInf || z == -kInf) continue;  // flags and masks stay
    const bool kept = t.mode == TemperatureMode::uniform || c + i == t.first_maximum;
    store_from_f64(out, i, compute, kept ? 0.0 : -kInf);
  }
}

double Scores::at(int64_t row, const RowTemperature& t, int64_t c) const {
  const double raw = load_as_f64(x_.data, row * x_.row_stride + c * x_.col_stride, x_.dtype);
  if (softcap_ <= 0 && t.mode == TemperatureMode::plain) return raw;
  alignas(8) unsigned char one[8], staged[8];
  store_from_f64(one, 0, x_.dtype, raw);
  stage(t, one, c, 1, staged);
  return load_as_f64(staged, 0, compute_dtype(x_.dtype));
}

void Scores::fold(int64_t row, const RowTemperature& t, int64_t c0, int64_t n, int64_t skip, float* kept,
                  const KeptWrite* behind, RowSum& into) const {
  const Kernels& k = kernels(t);
  if (!kept || !k.lse_fold_keep) into.kept = false;
  for_each_run(row, t, c0, n, [&](const void* x, int64_t c, int64_t count) {
    const int64_t skipped = skip >= c && skip < c + count ? skip - c : -1;
    KeptWrite part;
    if (behind) part = {behind->kept + (c - c0), behind->y + (c - c0), behind->factor};
    if (into.kept) {
      k.lse_fold_keep(x, count, skipped, t.params, kept + (c - c0), behind ? &part : nullptr, into.sum, into.kept);
      return;
    }
    if (behind) ctx_.kernels->f32.scale_kept(part.kept, part.y, count, part.factor, true);
    k.lse_fold(x, count, skipped, t.params, into.sum);
  });
}

double Scores::maximum(int64_t row, const RowTemperature& t) const {
  const Kernels& k = kernels(t);
  double result = -kInf;
  for_each_run(row, t, 0, x_.cols, [&](const void* x, int64_t, int64_t count) {
    double max;
    k.row_max(x, count, -1, max);
    result = std::max(result, max);
  });
  return result;
}

int64_t Scores::find(int64_t row, const RowTemperature& t, double value) const {
  int64_t found = -1;
  const int32_t type = dtype(t);
  for_each_run(row, t, 0, x_.cols, [&](const void* x, int64_t c, int64_t count) {
    for (int64_t i = 0; found < 0 && i < count; ++i) {
      if (load_as_f64(x, i, type) == value) found = c + i;
    }
  });
  return found;
}

double lse_of(const LseSum& sum, const ExpParams& params) {
  if (sum.nan) return __builtin_nan("");
  if (sum.inf) return kInf;
  if (!sum.any) return -kInf;
  const ScaledSum s = scaled(sum);
  const double log_sum = scalar_log_scaled(s.value, s.exponent);
  return sum.huge ? sum.max / params.temperature + log_sum : log_sum;
}

double lse_minus(const LseSum& sum, const ExpParams& params, double z) {
  if (sum.huge && !sum.nan && !sum.inf) {
    const ScaledSum s = scaled(sum);
    return (sum.max - z) / params.temperature + scalar_log_scaled(s.value, s.exponent);
  }
  return lse_of(sum, params) - z * params.inverse;
}

void add_term(LseSum& sum, const ExpParams& params, double z, bool f64) {
  if (z == -kInf) return;
  LseSum term;
  const double x = z / params.temperature;
  if (x >= huge_from(f64) || x <= -huge_from(f64)) {
    term.any = term.huge = true;
    term.max = z;
    term.bin = 2;
    term.digit[2] = 1;
  } else {
    const Power p = power_of_two_part(z, params.log2e_hi, params.log2e_lo);
    term.add(scalar_exp2_fraction(p.fraction), p.exponent);
  }
  sum.merge(term);
}

uint32_t row_flags_of(const LseSum& sum) {
  uint32_t flags = 0;
  if (sum.nan) flags |= VMX_ROW_NAN;
  if (sum.inf) flags |= VMX_ROW_INF;
  if (!sum.any && !sum.nan && !sum.inf) flags |= VMX_ROW_EMPTY;
  return flags;
}

}  // namespace vmx
