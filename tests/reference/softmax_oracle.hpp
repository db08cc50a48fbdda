// SPDX-License-Identifier: Apache-2.0
// What the softmax family means, row by row in long double, by the formulas of the public header. Slow and obvious.
#pragma once

#include <cstdint>
#include <vector>

namespace vmx::reference {

using Real = long double;
using Row = std::vector<Real>;

/// One row of softmax(x/T).
struct Softmax {
  uint32_t flags;        // VMX_ROW_EMPTY, _NAN, _INF
  int64_t allowed;       // columns that are neither -inf nor NaN
  int64_t first_max;     // -1 if there is none
  Real max;              // not divided by T
  Real lse;              // -inf for an EMPTY row
  Real entropy;          // in nats
  Row distance;          // (max - x)/T
  Row p, log_p;          // NaN throughout for special rows
  Row rest;              // 1 - p, without cancellation
};
Softmax softmax(const std::vector<double>& x, double temperature = 1);

/// Gradients of rows. A row of NaN where the header says so.
Row logsumexp_backward(const std::vector<double>& x, double temperature, Real grad_lse);
Row softmax_backward(const std::vector<double>& y, const std::vector<double>& grad_y, double temperature);
Row log_softmax_backward(const std::vector<double>& y, const std::vector<double>& grad_y, double temperature);

struct Target {
  int64_t id;  // from 0; kIgnored: an ignored target
  double weight;
};
constexpr int64_t kIgnored = -1;

struct CrossEntropyOptions {
  double temperature = 1;
  double label_smoothing = 0;
  double softcap = 0;  // 0: off
  double z_loss = 0;
  bool smooth_unmasked = false;
  std::vector<float> class_weight = {};  // empty: 1
};

struct CrossEntropy {
  uint32_t flags;
  bool ignored;            // no target counts
  Real loss, z_loss, lse;  // of one row
  Real weight;             // sum of w_t v_t
  Real max;                // of the (capped) scores
  Real distance;           // sum over the terms of the loss of weight times (max - u)/T
  Row grad;                // d(loss + z_loss)/dx
  Row grad_terms;          // the sum of the absolute values of the terms of each entry: at targets p and 1 - p apart
  Row score_distance;      // (max - u_c)/T
  int64_t first_max;       // -1 if there is none
  Real next_distance;      // of the largest of the others, which 1 - p of the maximum is made of; +inf if there is none
  Row capped;              // u
};
CrossEntropy cross_entropy(const std::vector<double>& x, const std::vector<Target>& targets,
                           const CrossEntropyOptions& options);

/// Sum of terms with a compensation (Neumaier 1974): as good as exact here.
class Sum {
 public:
  void add(Real term);
  Real value() const;

 private:
  Real sum_ = 0, lost_ = 0;
};

}  // namespace vmx::reference
