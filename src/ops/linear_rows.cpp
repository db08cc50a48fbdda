// SPDX-License-Identifier: Apache-2.0
#include "ops/linear_rows.hpp"

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();

bool plain(float t) { return t >= 0x1p-126f && t < __builtin_inff(); }
bool finite(double z) { return z - z == 0.0; }

}  // namespace

LinearRows::LinearRows(const vmx_context& ctx, int64_t rows, double softcap, const Temperatures& t, bool precise)
    : ctx_(ctx),
      softcap_(softcap),
      temperatures_(t),
      precise_(precise),
      one_temperature_(!t.data || t.stride == 0),
      shared_(make_exp_params(1.0f, precise)) {
  const int64_t different = one_temperature_ ? (rows > 0 ? 1 : 0) : rows;
  for (int64_t row = 0; row < different; ++row) any_first_maximum_ |= t.at(row) < 0x1p-126f;
  if (one_temperature_ && rows > 0 && plain(t.at(0))) shared_ = make_exp_params(t.at(0), precise);
}

void LinearRows::begin(int64_t row, RowTemperature* t) const {
  *t = RowTemperature{};
  const float value = temperatures_.at(row);
  if (plain(value)) {
    t->params = one_temperature_ ? shared_ : make_exp_params(value, precise_);
    t->inverse = t->params.inverse;
    return;
  }
  t->params = make_exp_params(1.0f, precise_);
  t->inverse = 0;
  t->mode = value == __builtin_inff() ? TemperatureMode::uniform : TemperatureMode::first_maximum;
}

const float* LinearRows::stage(const RowTemperature& t, const float* z, int64_t n, float* buffer) const {
  if (softcap_ > 0) {
    ctx_.kernels->f32.softcap(z, buffer, n, softcap_);
    z = buffer;
  }
  if (t.mode != TemperatureMode::uniform) return z;
  for (int64_t i = 0; i < n; ++i) buffer[i] = finite(static_cast<double>(z[i])) ? 0.0f : z[i];
  return buffer;
}

void LinearRows::fold(const RowTemperature& t, const float* staged, int64_t c0, int64_t n, int64_t skip, LseSum& sum,
                      RowMaximum* maximum) const {
  if (t.mode != TemperatureMode::first_maximum) {
    ctx_.kernels->f32.lse_fold(staged, n, skip >= c0 && skip < c0 + n ? skip - c0 : -1, t.params, sum);
    return;
  }
  LseSum all;  // for its flags alone
  ctx_.kernels->f32.lse_fold(staged, n, -1, t.params, all);
  sum.nan |= all.nan;
  sum.inf |= all.inf;
  RowMaximum here;
  ctx_.kernels->f32.row_max(staged, n, -1, here.value);
  if (!finite(here.value)) return;
  for (int64_t i = n - 1; i >= 0; --i) {
    if (static_cast<double>(staged[i]) == here.value) here.column = c0 + i;
  }
  merge(*maximum, here);
}

void LinearRows::merge(RowMaximum& into, const RowMaximum& from) {
  if (from.column < 0) return;
  if (into.column < 0 || from.value > into.value || (from.value == into.value && from.column < into.column)) {
    into = from;
  }
}

void LinearRows::finish(RowTemperature* t, const RowMaximum& maximum, int64_t skip, LseSum& sum) const {
  t->maximum = maximum.value;
  t->first_maximum = maximum.column;
  if (maximum.column >= 0 && maximum.column != skip) add_term(sum, t->params, 0.0, false);
}

double LinearRows::score(const RowTemperature& t, double staged, int64_t column) {
  if (t.mode != TemperatureMode::first_maximum || !finite(staged)) return staged;
  return column == t.first_maximum ? 0.0 : -kInf;
}

}  // namespace vmx
