// SPDX-License-Identifier: Apache-2.0
// Losses over sampled classes by their formulas, in long double: slow and obvious.
#pragma once

#include <vastmax/vastmax.h>

#include <cstdint>
#include <vector>

namespace vmx::reference {

struct SampledTarget {
  int64_t id;
  double weight = 1, log_q = 0;
};

struct Candidate {
  int64_t id;  // -1: an empty slot
  double log_q = 0;
};

struct SampledProblem {
  using Real = long double;
  std::vector<std::vector<double>> hidden, table;
  std::vector<double> bias;        // empty: none
  std::vector<int64_t> identity;   // empty: each row of the table is its own class
  std::vector<std::vector<SampledTarget>> targets;
  std::vector<std::vector<Candidate>> candidates;  // one list, or one for each row
  vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
  double grad_scale = 1;

  const std::vector<Candidate>& candidates_of(size_t row) const {
    return candidates[candidates.size() == 1 ? 0 : row];
  }
};

struct SampledAnswer {
  using Real = long double;
  std::vector<Real> loss;
  std::vector<uint32_t> flags;
  Real total = 0, weight = 0;
  std::vector<std::vector<Real>> hidden, table;  // gradients
  std::vector<Real> bias;
  // Beside each of them: the sum of the absolute terms that it is made of, every one weighed by what its own error is a multiple
  // of (1 and the absolute terms of the scores behind it).
  std::vector<Real> loss_terms;
  std::vector<std::vector<Real>> hidden_terms, table_terms;
  std::vector<Real> bias_terms;
};

SampledAnswer sampled_loss(const SampledProblem& problem);

}  // namespace vmx::reference
