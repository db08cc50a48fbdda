// SPDX-License-Identifier: Apache-2.0
#include "support/samplers.hpp"

#include "support/random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace vmx::test {
namespace {

void require(vmx_status status) {
  if (status != VMX_OK) throw std::runtime_error(last_error());
}

}  // namespace

vmx_sampler_options sampler_options(int32_t kind, int64_t classes) {
  vmx_sampler_options options = VMX_SAMPLER_OPTIONS_INIT;
  options.kind = kind;
  options.classes = classes;
  return options;
}

vmx_sampler_options weights_options(const std::vector<double>& weights, double power) {
  vmx_sampler_options options = sampler_options(VMX_SAMPLER_WEIGHTS, static_cast<int64_t>(weights.size()));
  options.weights = {const_cast<double*>(weights.data()), options.classes, 1, VMX_F64, 0};
  options.power = power;
  return options;
}

Sampler::Sampler(const vmx_sampler_options& options, const vmx_context* ctx) {
  require(vmx_sampler_create(ctx, &options, &sampler_));
}

Drawn draw(const vmx_sampler* sampler, const vmx_matrix* hidden, int64_t rows, int64_t m, const DrawSetting& setting) {
  Drawn drawn{rows, m, {}, {}, {}, {}};
  drawn.ids.assign(static_cast<size_t>(rows * m), -7);
  drawn.log_q.assign(static_cast<size_t>(rows * m), 99.0f);
  drawn.tries.assign(static_cast<size_t>(rows), -7);
  drawn.row_flags.assign(static_cast<size_t>(rows), 99);
  const vmx_matrix ids = {drawn.ids.data(), rows, m, m, 1, VMX_I32, 0}, log_q = {drawn.log_q.data(), rows, m, m, 1, VMX_F32, 0};
  vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
  options.flags = setting.flags;
  options.seed = setting.seed;
  options.step = setting.step;
  require(vmx_sampler_draw(setting.ctx, setting.ws, sampler, hidden, &ids, &log_q, drawn.tries.data(), drawn.row_flags.data(),
                           &options));
  return drawn;
}

std::vector<double> log_q_of(const vmx_sampler* sampler, const std::vector<int64_t>& classes, const vmx_matrix* hidden,
                             int64_t draws, const int64_t* tries, const vmx_context* ctx) {
  std::vector<double> log_q(classes.size());
  const auto n = static_cast<int64_t>(classes.size());
  const int64_t indptr[] = {0, n};
  vmx_csr csr{};
  csr.ids = {classes.data(), n, 1, VMX_I64, 0};
  csr.indptr = {indptr, 2, 1, VMX_I64, 0};
  const vmx_vector out = {log_q.data(), n, 1, VMX_F64, 0};
  require(vmx_sampler_log_q(ctx, nullptr, sampler, hidden, &csr, draws, tries, 0, &out));
  return log_q;
}

std::vector<double> all_q(const vmx_sampler* sampler, int64_t classes, const vmx_matrix* hidden) {
  std::vector<int64_t> ids(static_cast<size_t>(classes));
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<double> q = log_q_of(sampler, ids, hidden);
  for (double& value : q) value = std::exp(value);
  return q;
}

double chi_square_deviation(const std::vector<int64_t>& counts, const std::vector<double>& q) {
  constexpr double kFewest = 8;
  const double n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  double statistic = 0, few_expected = 0, few_counted = 0;
  int64_t cells = 0;
  const auto add = [&](double counted, double expected) {
    statistic += (counted - expected) * (counted - expected) / expected;
    ++cells;
  };
  for (size_t k = 0; k < q.size(); ++k) {
    if (q[k] == 0 && counts[k] > 0) return HUGE_VAL;
    few_expected += n * q[k];
    few_counted += static_cast<double>(counts[k]);
    if (few_expected < kFewest) continue;
    add(few_counted, few_expected);
    few_expected = few_counted = 0;
  }
  if (few_expected > 0) add(few_counted, few_expected);
  const double freedom = static_cast<double>(cells - 1);
  return (statistic - freedom) / std::sqrt(2 * freedom);
}

std::map<std::vector<int32_t>, double> sequences(const std::vector<double>& q, int64_t m) {
  std::map<std::vector<int32_t>, double> found = {{{}, 1.0}};
  for (int64_t i = 0; i < m; ++i) {
    std::map<std::vector<int32_t>, double> longer;
    for (const auto& [sequence, p] : found) {
      double left = 0;
      const auto taken = [&, s = sequence](size_t k) { return std::count(s.begin(), s.end(), static_cast<int32_t>(k)) > 0; };
      for (size_t k = 0; k < q.size(); ++k) left += taken(k) ? 0 : q[k];
      for (size_t k = 0; k < q.size(); ++k) {
        if (taken(k) || q[k] == 0) continue;
        auto next = sequence;
        next.push_back(static_cast<int32_t>(k));
        longer[next] = p * q[k] / left;
      }
    }
    found = longer;
  }
  return found;
}

std::vector<double> planted_bias(std::vector<double> q) {
  Random random(1);
  double total = 0;
  for (double& value : q) total += value *= random.one_in(2) ? 1.01 : 0.99;
  for (double& value : q) value /= total;
  return q;
}

}  // namespace vmx::test
