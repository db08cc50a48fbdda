// SPDX-License-Identifier: Apache-2.0
#include "reference/sampled.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace vmx::reference {
namespace {

using Real = long double;
constexpr Real kInf = std::numeric_limits<Real>::infinity();
constexpr Real kNan = std::numeric_limits<Real>::quiet_NaN();

Real dot(const std::vector<double>& a, const std::vector<double>& b) {
  Real sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += static_cast<Real>(a[k]) * b[k];
  return sum;
}
Real norm(const std::vector<double>& a) { return std::sqrt(dot(a, a)); }

Real softplus(Real x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
Real sigmoid(Real x) { return 1 / (1 + std::exp(-x)); }

// One score of a row: what it is of, its value o, what its error is a multiple of, and the loss's slope by it.
struct Score {
  int64_t id;
  Real o = 0, size = 0, slope = 0, slope_terms = 0;
  bool left_out = false;
};

class Row {
 public:
  Row(const SampledProblem& p, size_t row) : p_(p), row_(row) {
    for (const SampledTarget& t : p.targets[row]) {
      const bool corrected = p.options.loss == VMX_LOSS_NCE ||
                             (softmax() && (p.options.correction == VMX_CORRECT_RANKING || p.options.correction == VMX_CORRECT_COUNTS));
      targets.push_back(score(t.id, corrected ? static_cast<Real>(t.log_q) : 0));
      weights.push_back(t.weight);
      classes_.insert(identity(t.id));
    }
    const auto& list = p.candidates_of(row);
    for (const Candidate& c : list) {
      if (c.id < 0) {
        negatives.push_back({-1, 0, 0, 0, 0, true});
        continue;
      }
      Real correction = 0;
      if (p.options.loss == VMX_LOSS_NCE || (softmax() && p.options.correction != VMX_CORRECT_NONE)) correction = c.log_q;
      if (softmax() && p.options.correction == VMX_CORRECT_IS) correction += std::log(static_cast<Real>(list.size()));
      negatives.push_back(score(c.id, correction));
      negatives.back().left_out = !(p.options.flags & VMX_SAMPLED_KEEP_HITS) && classes_.count(identity(c.id));
    }
    for (const Score& s : negatives) left += !s.left_out;
  }

  void evaluate() {
    if (left == 0) flags |= VMX_ROW_EMPTY;
    for (const Score& s : targets) note(s);
    for (const Score& s : negatives) {
      if (!s.left_out) note(s);
    }
    if (targets.empty()) return;
    if (flags & (VMX_ROW_NAN | VMX_ROW_INF)) {
      loss = kNan;
      for (Score& s : targets) s.slope = kNan;
      for (Score& s : negatives) s.slope = s.left_out ? 0 : kNan;
      return;
    }
    switch (p_.options.loss) {
      case VMX_LOSS_SAMPLED_SOFTMAX: (p_.options.flags & VMX_SAMPLED_JOINT) ? joint() : softmax_of_each(); break;
      case VMX_LOSS_BPR: bpr(); break;
      case VMX_LOSS_CCL: ccl(); break;
      default: logistic(); break;
    }
    // First order: what the errors of the scores do to the loss and to its slopes.
    Real largest = 0;
    for (const auto* list : {&targets, &negatives}) {
      for (const Score& s : *list) loss_terms += s.left_out ? 0 : s.slope_terms * s.size;
    }
    for (const Score& s : targets) largest = std::max(largest, s.size);
    for (const Score& s : negatives) {
      if (!s.left_out) largest = std::max(largest, s.size);
    }
    for (Score& s : targets) s.slope_terms *= 1 + largest;
    for (Score& s : negatives) s.slope_terms *= 1 + largest;
  }

  std::vector<Score> targets, negatives;
  std::vector<Real> weights;
  int64_t left = 0;
  Real loss = 0, loss_terms = 0;
  uint32_t flags = 0;

 private:
  bool softmax() const { return p_.options.loss == VMX_LOSS_SAMPLED_SOFTMAX; }
  int64_t identity(int64_t id) const { return p_.identity.empty() ? id : p_.identity[static_cast<size_t>(id)]; }

  Score score(int64_t id, Real correction) const {
    const auto& h = p_.hidden[row_];
    const auto& w = p_.table[static_cast<size_t>(id)];
    Real value = dot(h, w), size = 0;
    for (size_t k = 0; k < h.size(); ++k) size += std::fabs(static_cast<Real>(h[k]) * w[k]);
    if (p_.options.score == VMX_SCORE_COSINE) {
      const Real norms = norm(h) * norm(w);
      value = norms == 0 ? 0 : value / norms;
      size = norms == 0 ? 0 : size / norms;
    }
    const Real b = p_.bias.empty() ? 0 : p_.bias[static_cast<size_t>(id)], t = p_.options.temperature;
    size = (size + std::fabs(b)) / t + std::fabs(correction);
    // What holds no number has no rounding errors.
    return {id, (value + b) / t - correction, std::isfinite(size) ? size : 0, 0, 0, false};
  }

  void note(const Score& s) {
    if (std::isnan(s.o)) flags |= VMX_ROW_NAN;
    if (s.o == kInf) flags |= VMX_ROW_INF;
  }

  Real log_sum(const std::vector<Real>& o) const {
    Real most = -kInf;
    for (const Real v : o) most = std::max(most, v);
    if (most == -kInf) return most;
    Real sum = 0;
    for (const Real v : o) sum += std::exp(v - most);
    return most + std::log(sum);
  }

  void add(Score& s, Real slope) {
    s.slope += slope;
    s.slope_terms += std::fabs(slope);
  }

  void softmax_of_each() {
    for (size_t t = 0; t < targets.size(); ++t) {
      const Real w = weights[t];
      // The others against the target: small losses keep their digits.
      std::vector<Real> others;
      for (const Score& s : negatives) {
        if (!s.left_out) others.push_back(s.o);
      }
      const Real lse = log_sum(others), distance = lse - targets[t].o, own = softplus(distance);
      loss += w * own;
      loss_terms += std::fabs(w) * own;
      const Real rest = std::isinf(distance) && distance < 0 ? 0 : sigmoid(distance);
      add(targets[t], -w * rest);
      for (Score& s : negatives) {
        if (!s.left_out && !others.empty()) add(s, w * rest * std::exp(s.o - lse));
      }
    }
  }

  void joint() {
    std::map<int64_t, size_t> first;
    for (size_t t = 0; t < targets.size(); ++t) first.insert({targets[t].id, t});
    std::vector<Real> all;
    for (const auto& entry : first) all.push_back(targets[entry.second].o);
    for (const Score& s : negatives) {
      if (!s.left_out) all.push_back(s.o);
    }
    const Real lse = log_sum(all);
    Real weight = 0;
    for (size_t t = 0; t < targets.size(); ++t) {
      const Real w = weights[t];
      weight += w;
      loss += w * (lse - targets[t].o);
      loss_terms += std::fabs(w) * std::fabs(lse - targets[t].o);
      add(targets[t], -w);
    }
    for (const auto& entry : first) add(targets[entry.second], weight * std::exp(targets[entry.second].o - lse));
    for (Score& s : negatives) {
      if (!s.left_out) add(s, weight * std::exp(s.o - lse));
    }
  }

  void logistic() {
    for (size_t t = 0; t < targets.size(); ++t) {
      const Real w = weights[t];
      Real own = softplus(-targets[t].o);
      add(targets[t], -w * sigmoid(-targets[t].o));
      for (Score& s : negatives) {
        if (s.left_out) continue;
        own += softplus(s.o);
        add(s, w * sigmoid(s.o));
      }
      loss += w * own;
      loss_terms += std::fabs(w) * own;
    }
  }

  void bpr() {
    if (left == 0) return;
    for (size_t t = 0; t < targets.size(); ++t) {
      const Real w = weights[t] / static_cast<Real>(left);
      for (Score& s : negatives) {
        if (s.left_out) continue;
        const Real x = s.o - targets[t].o, own = softplus(x);
        loss += w * own;
        loss_terms += std::fabs(w) * own;
        add(s, w * sigmoid(x));
        add(targets[t], -w * sigmoid(x));
      }
    }
  }

  void ccl() {
    for (size_t t = 0; t < targets.size(); ++t) {
      const Real w = weights[t];
      loss += w * (1 - targets[t].o);
      loss_terms += std::fabs(w) * (1 + std::fabs(targets[t].o));
      add(targets[t], -w);
      for (Score& s : negatives) {
        const Real each = w * p_.options.negative_weight / static_cast<Real>(std::max<int64_t>(left, 1));
        if (s.left_out || s.o <= p_.options.margin) continue;
        loss += each * (s.o - p_.options.margin);
        loss_terms += std::fabs(each) * (s.o - p_.options.margin);
        add(s, each);
      }
    }
  }

  const SampledProblem& p_;
  const size_t row_;
  std::set<int64_t> classes_;
};

// d score / d vector of one side, times slope: the other side, through the norms for cosines.
void add_gradient(const std::vector<double>& own, const std::vector<double>& other, bool cosine, Real slope, Real terms,
                  std::vector<Real>& sum, std::vector<Real>& sum_terms) {
  if (slope == 0 && terms == 0) return;
  if (!cosine) {
    for (size_t k = 0; k < own.size(); ++k) {
      sum[k] += slope * other[k];
      sum_terms[k] += terms * std::fabs(static_cast<Real>(other[k]));
    }
    return;
  }
  const Real a = norm(own), b = norm(other);
  if (a == 0) return;
  if (b == 0) {
    for (Real& value : sum) value += slope * 0;  // NaN of a row whose loss is NaN
    return;
  }
  const Real cos = dot(own, other) / (a * b);
  Real size = 0;
  for (size_t k = 0; k < own.size(); ++k) size += std::fabs(static_cast<Real>(own[k]) * other[k]) / (a * b);
  for (size_t k = 0; k < own.size(); ++k) {
    sum[k] += slope / a * (other[k] / b - cos * own[k] / a);
    sum_terms[k] += terms / a * (std::fabs(other[k] / b) + size * std::fabs(own[k] / a));
  }
}

}  // namespace

SampledAnswer sampled_loss(const SampledProblem& p) {
  SampledAnswer out;
  const size_t rows = p.hidden.size(), dim = p.hidden.empty() ? 0 : p.hidden[0].size();
  const auto matrix = [&](size_t n) { return std::vector<std::vector<Real>>(n, std::vector<Real>(dim, 0)); };
  out.hidden = out.hidden_terms = matrix(rows);
  out.table = out.table_terms = matrix(p.table.size());
  out.bias.assign(p.table.size(), 0);
  out.bias_terms = out.bias;
  for (const auto& list : p.targets) {
    for (const SampledTarget& t : list) out.weight += t.weight;
  }
  const bool mean = p.options.reduction == VMX_REDUCE_MEAN;
  const Real upstream = static_cast<Real>(p.grad_scale) / p.options.temperature / (mean ? out.weight : 1);
  const bool cosine = p.options.score == VMX_SCORE_COSINE;
  for (size_t r = 0; r < rows; ++r) {
    Row row(p, r);
    row.evaluate();
    out.loss.push_back(row.loss);
    out.loss_terms.push_back(row.loss_terms);
    out.flags.push_back(row.flags);
    out.total += row.loss;
    for (const auto* list : {&row.targets, &row.negatives}) {
      for (const Score& s : *list) {
        if (s.id < 0) continue;
        const auto id = static_cast<size_t>(s.id);
        const Real slope = s.slope * upstream, terms = s.slope_terms * std::fabs(upstream);
        add_gradient(p.hidden[r], p.table[id], cosine, slope, terms, out.hidden[r], out.hidden_terms[r]);
        add_gradient(p.table[id], p.hidden[r], cosine, slope, terms, out.table[id], out.table_terms[id]);
        out.bias[id] += slope;
        out.bias_terms[id] += terms;
      }
    }
  }
  if (mean) out.total /= out.weight;
  return out;
}

}  // namespace vmx::reference
