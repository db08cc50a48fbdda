// SPDX-License-Identifier: Apache-2.0
#include "reference/softmax_oracle.hpp"

#include <vastmax/vastmax.h>

#include <cmath>
#include <limits>

namespace vmx::reference {
namespace {

constexpr Real kInf = std::numeric_limits<Real>::infinity();
constexpr Real kNan = std::numeric_limits<Real>::quiet_NaN();

Real wide(double x) { return static_cast<Real>(x); }

// As softmax(), of scores that are already long double (soft-capped ones are).
Softmax softmax_of(const Row& x, double temperature) {
  const size_t n = x.size();
  Softmax s{};
  s.first_max = -1;
  s.max = -kInf;
  for (size_t c = 0; c < n; ++c) {
    if (std::isnan(x[c])) {
      s.flags |= VMX_ROW_NAN;
      continue;
    }
    if (x[c] == kInf) s.flags |= VMX_ROW_INF;
    if (x[c] != -kInf) ++s.allowed;
    if (x[c] > s.max) {
      s.max = x[c];
      s.first_max = static_cast<int64_t>(c);
    }
  }
  if (s.allowed == 0 && !(s.flags & VMX_ROW_NAN)) s.flags |= VMX_ROW_EMPTY;
  if (s.flags != 0) {
    s.lse = s.flags & VMX_ROW_NAN ? kNan : s.flags & VMX_ROW_INF ? kInf : -kInf;
    s.entropy = kNan;
    s.p = s.log_p = s.rest = s.distance = Row(n, kNan);
    return s;
  }
  const bool hard = temperature < 0x1p-126;  // all mass on the first maximum
  const bool flat = std::isinf(temperature);
  const Real t = wide(temperature);
  for (size_t c = 0; c < n; ++c) {
    Real d;
    if (x[c] == -kInf) {
      d = kInf;
    } else if (hard) {
      d = static_cast<int64_t>(c) == s.first_max ? 0 : kInf;
    } else if (flat) {
      d = 0;
    } else {
      d = (s.max - x[c]) / t;
    }
    s.distance.push_back(d);
  }
  // r: the sum of exp(-d) without one occurrence of the maximum; the whole sum is 1 + r.
  Sum r;
  for (size_t c = 0; c < n; ++c) {
    if (static_cast<int64_t>(c) != s.first_max) r.add(std::exp(-s.distance[c]));
  }
  const Real log_sum = std::log1p(r.value());
  if (hard) {
    s.lse = s.max > 0 ? kInf : s.max < 0 ? -kInf : 0;
  } else if (flat) {
    s.lse = std::log(static_cast<Real>(s.allowed));
  } else {
    s.lse = s.max / t + log_sum;
  }
  Sum mean_distance;
  for (size_t c = 0; c < n; ++c) {
    const Real e = std::exp(-s.distance[c]);
    s.p.push_back(e / (1 + r.value()));
    s.log_p.push_back(-(s.distance[c] + log_sum));
    const bool is_max = static_cast<int64_t>(c) == s.first_max;
    s.rest.push_back((is_max ? r.value() : (1 - e) + r.value()) / (1 + r.value()));
    if (e > 0) mean_distance.add(s.p[c] * s.distance[c]);
  }
  s.entropy = log_sum + mean_distance.value();
  return s;
}

}  // namespace

void Sum::add(Real term) {
  const Real sum = sum_ + term;
  if (std::isfinite(sum)) lost_ += std::fabs(sum_) >= std::fabs(term) ? (sum_ - sum) + term : (term - sum) + sum_;
  sum_ = sum;
}

Real Sum::value() const { return std::isfinite(sum_) ? sum_ + lost_ : sum_; }

Softmax softmax(const std::vector<double>& x, double temperature) {
  return softmax_of(Row(x.begin(), x.end()), temperature);
}

Row logsumexp_backward(const std::vector<double>& x, double temperature, Real grad_lse) {
  const Softmax s = softmax(x, temperature);
  if (s.flags == VMX_ROW_EMPTY) return Row(x.size(), 0);
  if (s.flags != 0) return Row(x.size(), kNan);
  Row grad;
  for (const Real p : s.p) grad.push_back(p == 0 ? 0 : grad_lse * p / wide(temperature));
  return grad;
}

Row softmax_backward(const std::vector<double>& y, const std::vector<double>& grad_y, double temperature) {
  Sum dot;
  for (size_t c = 0; c < y.size(); ++c) {
    if (y[c] != 0) dot.add(wide(y[c]) * wide(grad_y[c]));
  }
  Row grad;
  for (size_t c = 0; c < y.size(); ++c) {
    grad.push_back(y[c] == 0 ? 0 : wide(y[c]) * (wide(grad_y[c]) - dot.value()) / wide(temperature));
  }
  return grad;
}

Row log_softmax_backward(const std::vector<double>& y, const std::vector<double>& grad_y, double temperature) {
  Sum sum;
  for (size_t c = 0; c < y.size(); ++c) {
    if (wide(y[c]) != -kInf) sum.add(wide(grad_y[c]));
  }
  Row grad;
  for (size_t c = 0; c < y.size(); ++c) {
    const bool masked = wide(y[c]) == -kInf;
    grad.push_back(masked ? 0 : (wide(grad_y[c]) - std::exp(wide(y[c])) * sum.value()) / wide(temperature));
  }
  return grad;
}

CrossEntropy cross_entropy(const std::vector<double>& x, const std::vector<Target>& targets,
                           const CrossEntropyOptions& o) {
  const size_t n = x.size();
  const Real cap = wide(o.softcap);
  CrossEntropy result{};
  Row slope(n, 1);  // du/dx
  for (size_t c = 0; c < n; ++c) {
    const Real z = wide(x[c]);
    if (cap > 0 && std::isfinite(z)) {
      result.capped.push_back(cap * std::tanh(z / cap));
      const Real h = std::cosh(z / cap);
      slope[c] = 1 / (h * h);
    } else {
      result.capped.push_back(z);
    }
  }
  const Softmax s = softmax_of(result.capped, o.temperature);
  const Real t = wide(o.temperature), eps = wide(o.label_smoothing), zeta = wide(o.z_loss);
  const auto v = [&](size_t c) { return o.class_weight.empty() ? Real{1} : static_cast<Real>(o.class_weight[c]); };
  result.flags = s.flags;
  result.lse = s.lse;
  result.max = s.max;
  result.score_distance = s.distance;
  result.first_max = s.first_max;
  result.next_distance = kInf;
  for (size_t c = 0; c < n; ++c) {
    if (static_cast<int64_t>(c) != s.first_max && s.distance[c] < result.next_distance) {
      result.next_distance = s.distance[c];
    }
  }
  result.grad = result.grad_terms = Row(n, 0);

  Sum list_weight, weight;
  std::vector<Real> at(n, 0);  // w_t v_t summed over the targets at each class
  result.ignored = true;
  for (const Target& target : targets) {
    if (target.id == kIgnored) continue;
    const auto c = static_cast<size_t>(target.id);
    result.ignored = false;
    list_weight.add(wide(target.weight));
    weight.add(wide(target.weight) * v(c));
    at[c] += wide(target.weight) * v(c);
  }
  if (result.ignored) return result;
  result.weight = weight.value();
  if (s.flags & (VMX_ROW_NAN | VMX_ROW_INF)) {
    result.loss = kNan;
    result.z_loss = zeta > 0 ? kNan : 0;
    result.grad = Row(n, kNan);
    return result;
  }
  if (s.flags & VMX_ROW_EMPTY) {
    result.loss = kInf;
    result.z_loss = zeta > 0 ? kInf : 0;
    return result;
  }

  Sum loss, distance;
  for (const Target& target : targets) {
    if (target.id == kIgnored) continue;
    const auto c = static_cast<size_t>(target.id);
    const Real w = (1 - eps) * wide(target.weight) * v(c);
    if (w == 0) continue;
    loss.add(w * -s.log_p[c]);
    distance.add(w * s.distance[c]);
  }
  Sum smoothing_weight;  // sum of v_c over the classes that the smoothing spreads over
  const Real spread = o.smooth_unmasked ? static_cast<Real>(s.allowed) : static_cast<Real>(n);
  if (eps > 0) {
    for (size_t c = 0; c < n; ++c) {
      const bool masked = result.capped[c] == -kInf;
      if (v(c) == 0 || (o.smooth_unmasked && masked)) continue;
      const Real w = list_weight.value() * eps / spread * v(c);
      smoothing_weight.add(v(c));
      loss.add(w * -s.log_p[c]);
      distance.add(w * s.distance[c]);
    }
  }
  result.loss = loss.value();
  result.distance = distance.value();
  result.z_loss = zeta > 0 ? zeta * s.lse * s.lse : 0;

  for (size_t c = 0; c < n; ++c) {
    if (result.capped[c] == -kInf) {  // masked: nothing, but what a label there asks for
      result.grad_terms[c] = (1 - eps) * at[c] / t;
      result.grad[c] = at[c] == 0 ? 0 : -result.grad_terms[c];
      continue;
    }
    const Real others = weight.value() - at[c];
    Sum g, terms;
    const auto add = [&](Real term) {
      g.add(term);
      terms.add(std::fabs(term));
    };
    add((1 - eps) * others * s.p[c]);
    add(-(1 - eps) * at[c] * s.rest[c]);
    if (eps > 0) {
      const Real share = list_weight.value() * eps / spread;
      add(share * (smoothing_weight.value() - v(c)) * s.p[c]);
      add(-share * v(c) * s.rest[c]);
    }
    if (zeta > 0) add(2 * zeta * s.lse * s.p[c]);
    const Real scale = slope[c] / t;
    result.grad[c] = g.value() == 0 ? 0 : g.value() * scale;
    if (eps > 0 && at[c] == 0) {  // elsewhere a multiple of p and one of v
      const Real share = list_weight.value() * eps / spread;
      terms.add(2 * share * v(c) * s.p[c]);
    }
    result.grad_terms[c] = terms.value() * scale;
  }
  return result;
}

}  // namespace vmx::reference
