// SPDX-License-Identifier: Apache-2.0
#include "support/sampled.hpp"

#include "support/contexts.hpp"
#include "support/errors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace vmx::test {
namespace {

using Real = long double;
constexpr Real kU = 0x1p-24L;

std::vector<std::vector<double>> few_bits(int64_t rows, int64_t cols, Random& random) {
  std::vector<std::vector<double>> m(static_cast<size_t>(rows), std::vector<double>(static_cast<size_t>(cols)));
  for (auto& row : m) {
    for (double& v : row) v = static_cast<double>(random.below(33) - 16) / 16;
  }
  return m;
}

float some_log_q(Random& random) { return static_cast<float>(-1.0 - 6 * random.unit()); }

void fill(Matrix& m, const std::vector<std::vector<double>>& values) {
  for (int64_t r = 0; r < m.rows(); ++r) {
    for (int64_t c = 0; c < m.cols(); ++c) {
      m.set(r, c, static_cast<long double>(values[static_cast<size_t>(r)][static_cast<size_t>(c)]));
    }
  }
}

void put_id(const Matrix& m, int64_t r, int64_t c, int64_t id) {
  if (m.dtype() == VMX_I32) {
    *static_cast<int32_t*>(m.at(r, c)) = static_cast<int32_t>(id);
  } else {
    *static_cast<int64_t*>(m.at(r, c)) = id;
  }
}

}  // namespace

reference::SampledProblem make_sampled_problem(const SampledSizes& s, const SampledForm& form, uint64_t seed) {
  Random random(seed);
  reference::SampledProblem p;
  p.hidden = few_bits(s.rows, s.dim, random);
  p.table = few_bits(s.classes, s.dim, random);
  if (form.bias) {
    for (int64_t c = 0; c < s.classes; ++c) p.bias.push_back(static_cast<double>(random.below(17) - 8) / 8);
  }
  if (form.identity) {
    for (int64_t c = 0; c < s.classes; ++c) p.identity.push_back(random.below(s.classes / 2 + 1) * 1000 - 5);
  }
  for (int64_t r = 0; r < s.rows; ++r) {
    std::vector<reference::SampledTarget> list;
    const int64_t n = form.lists ? (r == 1 ? 13 : random.below(4)) : 1;
    for (int64_t t = 0; t < n; ++t) {
      const int64_t id = t > 0 && random.one_in(3) ? list.front().id : random.below(s.classes);
      const double log_q = static_cast<double>(some_log_q(random));
      list.push_back({id, form.lists ? static_cast<double>(random.below(9)) / 4 : 1.0, log_q});
    }
    p.targets.push_back(list);
  }
  for (int64_t r = 0; r < (form.shared ? 1 : s.rows); ++r) {
    std::vector<reference::Candidate> list;
    for (int64_t j = 0; j < s.candidates; ++j) {
      int64_t id = random.below(s.classes);
      if (s.rows > 0 && form.planted_hits && random.one_in(6)) {
        const auto& own = p.targets[static_cast<size_t>(form.shared ? random.below(s.rows) : r)];
        if (!own.empty()) id = own[static_cast<size_t>(random.below(static_cast<int64_t>(own.size())))].id;
      }
      if (j > 0 && random.one_in(9)) id = list.front().id;
      if (form.empty_slots && random.one_in(5)) id = -1;
      // What an empty slot says is not looked at.
      const double log_q = static_cast<double>(some_log_q(random));
      list.push_back({id, id < 0 ? (random.one_in(2) ? NAN : -INFINITY) : log_q});
    }
    p.candidates.push_back(list);
  }
  return p;
}

SampledArguments::SampledArguments(const reference::SampledProblem& p, const SampledForm& form)
    : hidden(form.dtype, static_cast<int64_t>(p.hidden.size()), p.table.empty() ? 0 : static_cast<int64_t>(p.table[0].size()), form.hidden),
      table(form.dtype, static_cast<int64_t>(p.table.size()), hidden.cols(), form.table),
      options(p.options),
      grad_scale(p.grad_scale) {
  fill(hidden, p.hidden);
  fill(table, p.table);
  if (!p.bias.empty()) bias.emplace(VMX_F32, p.bias, form.stride);
  std::vector<int64_t> flat, pointers{0};
  std::vector<double> weight, log_q_of;
  for (const auto& list : p.targets) {
    for (const reference::SampledTarget& t : list) {
      flat.push_back(t.id);
      weight.push_back(t.weight);
      log_q_of.push_back(t.log_q);
    }
    pointers.push_back(static_cast<int64_t>(flat.size()));
  }
  target_ids = Ids(form.id_type, flat, form.lists ? 1 : 0, form.stride);
  targets.ids = target_ids.view();
  if (form.lists) {
    indptr = Ids(VMX_I32, pointers, 1);
    targets.indptr = indptr.view();
    weights.emplace(VMX_F32, weight, form.stride);
    targets.weights = weights->view();
  }
  const auto rows = static_cast<int64_t>(p.candidates.size());
  const auto cols = rows > 0 ? static_cast<int64_t>(p.candidates[0].size()) : 0;
  ids = std::make_unique<Matrix>(form.id_type, rows, cols, form.ids);
  log_q = std::make_unique<Matrix>(VMX_F32, rows, cols, form.log_q);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < cols; ++j) {
      const reference::Candidate& c = p.candidates[static_cast<size_t>(r)][static_cast<size_t>(j)];
      put_id(*ids, r, j, c.id);
      log_q->set(r, j, static_cast<long double>(c.log_q));
    }
  }
  candidates.ids = ids->view();
  candidates.log_q = log_q->view();
  log_q_targets.emplace(VMX_F32, log_q_of, form.stride);
  candidates.target_log_q = log_q_targets->view();
  if (!p.identity.empty()) {
    identity = Ids(VMX_I64, p.identity, 0, form.stride);
    candidates.identity = identity.view();
  }
}

SampledAnswers::SampledAnswers(const SampledArguments& a, int64_t room, int32_t hidden_dtype, Layout layout, int64_t stride)
    : loss(VMX_F32, a.hidden.rows(), stride),
      flags(static_cast<size_t>(a.hidden.rows()), 77),
      grad_hidden(hidden_dtype, a.hidden.rows(), a.hidden.cols(), layout),
      grad_table(VMX_F32, a.table.rows(), a.table.cols(), layout),
      grad_bias(VMX_F32, a.table.rows(), stride),
      rows(VMX_F32, room, a.table.cols(), layout),
      ids(static_cast<size_t>(room), -9),
      row_bias(static_cast<size_t>(room), -9.0f) {
  for (int64_t c = 0; c < a.table.rows(); ++c) {
    for (int64_t k = 0; k < a.table.cols(); ++k) grad_table.set(c, k, 0);
    grad_bias.set(c, 0);
  }
  sparse.ids = ids.data();
  sparse.rows = rows.view();
  sparse.bias = row_bias.data();
  sparse.count = -9;
  grads.hidden = grad_hidden.view();
  grads.table = grad_table.view();
  grads.bias = grad_bias.view();
  grads.sparse = &sparse;
}

vmx_status SampledAnswers::run(const vmx_context* ctx, vmx_workspace* ws, const SampledArguments& a, bool gradients) {
  vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
  out.loss = loss.view();
  out.row_flags = flags.data();
  out.total = &total;
  out.total_weight = &weight;
  out.grad_scale = a.grad_scale;
  return vmx_sampled_loss(ctx, ws, a.hidden, a.table, a.bias ? &a.bias->view() : nullptr, &a.targets, &a.candidates, &out,
                          gradients ? &grads : nullptr, &a.options);
}

std::vector<unsigned char> SampledAnswers::bytes() const {
  std::vector<unsigned char> all;
  const auto add = [&](const void* data, size_t size) {
    const auto* b = static_cast<const unsigned char*>(data);
    all.insert(all.end(), b, b + size);
  };
  const auto add_bytes = [&](const std::vector<unsigned char>& part) { add(part.data(), part.size()); };
  add_bytes(loss.bytes());
  add(flags.data(), flags.size() * sizeof flags[0]);
  add(&total, sizeof total);
  add(&weight, sizeof weight);
  add_bytes(grad_hidden.bytes());
  add_bytes(grad_table.bytes());
  add_bytes(grad_bias.bytes());
  add(&sparse.count, sizeof sparse.count);
  for (int64_t i = 0; i < static_cast<int64_t>(ids.size()); ++i) {
    if (i >= sparse.count && sparse.count >= 0) {
      EXPECT_EQ(ids[static_cast<size_t>(i)], -9) << "written behind the end of the list";
      continue;
    }
    add(&ids[static_cast<size_t>(i)], sizeof ids[0]);
    add(&row_bias[static_cast<size_t>(i)], sizeof row_bias[0]);
    add_bytes(rows.row_bytes(i));
  }
  return all;
}

bool SampledAnswers::surroundings_untouched() const {
  return loss.surroundings_untouched() && grad_hidden.surroundings_untouched() && grad_table.surroundings_untouched() &&
         grad_bias.surroundings_untouched() && rows.surroundings_untouched();
}

double SampledAnswers::listed(int64_t id, int64_t k) const {
  const auto end = ids.begin() + sparse.count;
  const auto at = std::lower_bound(ids.begin(), end, id);
  return at != end && *at == id ? rows.get(at - ids.begin(), k) : 0.0;
}

double SampledAnswers::listed_bias(int64_t id) const {
  const auto end = ids.begin() + sparse.count;
  const auto at = std::lower_bound(ids.begin(), end, id);
  return at != end && *at == id ? static_cast<double>(row_bias[static_cast<size_t>(at - ids.begin())]) : 0.0;
}

void check_sampled(const std::string& what, const reference::SampledProblem& p, const SampledAnswers& got, double before) {
  const reference::SampledAnswer want = reference::sampled_loss(p);
  ErrorReport loss(what + " loss", kU), hidden(what + " d hidden", kU), table(what + " d table", kU), bias(what + " d bias", kU);
  constexpr Real kBound = 16 * kU, kTiny = 0x1p-126L;
  Real total_terms = 0;
  for (size_t r = 0; r < p.hidden.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    loss.check(got.loss.get(row), want.loss[r], kBound * want.loss_terms[r] + kTiny, want.loss_terms[r], VMX_F32, "loss", row, 0);
    EXPECT_EQ(got.flags[r], want.flags[r]) << what << " row " << r;
    total_terms += want.loss_terms[r];
    for (size_t k = 0; k < p.hidden[r].size(); ++k) {
      hidden.check(got.grad_hidden.get(row, static_cast<int64_t>(k)), want.hidden[r][k],
                   kBound * want.hidden_terms[r][k] + half_ulp(want.hidden[r][k], got.grad_hidden.dtype()) + kTiny, want.hidden_terms[r][k],
                   got.grad_hidden.dtype(), "d hidden", row, static_cast<int64_t>(k));
    }
  }
  if (p.options.reduction == VMX_REDUCE_MEAN) total_terms /= want.weight;
  EXPECT_NEAR(got.weight, static_cast<double>(want.weight), 1e-12 * static_cast<double>(want.weight + 1)) << what;
  loss.check(got.total, want.total, kBound * total_terms + kTiny, total_terms, VMX_F64, "total", 0, 0);

  std::set<int64_t> classes;
  for (const auto& list : p.targets) {
    for (const auto& t : list) classes.insert(t.id);
  }
  for (const auto& list : p.candidates) {
    for (const auto& c : list) {
      if (c.id >= 0) classes.insert(c.id);
    }
  }
  EXPECT_EQ(std::vector<int64_t>(got.ids.begin(), got.ids.begin() + got.sparse.count), std::vector<int64_t>(classes.begin(), classes.end())) << what;
  for (size_t c = 0; c < p.table.size(); ++c) {
    const auto id = static_cast<int64_t>(c);
    const Real dense = half_ulp(std::fabs(before) + std::fabs(want.bias[c]), VMX_F32);
    const Real bound = kBound * want.bias_terms[c] + kTiny;
    bias.check(got.listed_bias(id), want.bias[c], bound, want.bias_terms[c], VMX_F32, "listed d bias", id, 0);
    bias.check(got.grad_bias.get(id), before + want.bias[c], bound + dense, want.bias_terms[c], VMX_F32, "d bias", id, 0);
    for (size_t k = 0; k < p.table[c].size(); ++k) {
      const auto col = static_cast<int64_t>(k);
      const Real value = want.table[c][k], terms = want.table_terms[c][k];
      table.check(got.listed(id, col), value, kBound * terms + kTiny, terms, VMX_F32, "listed d table", id, col);
      table.check(got.grad_table.get(id, col), before + value, kBound * terms + half_ulp(std::fabs(before) + std::fabs(value), VMX_F32) + kTiny, terms,
                  VMX_F32, "d table", id, col);
    }
  }
}

}  // namespace vmx::test
