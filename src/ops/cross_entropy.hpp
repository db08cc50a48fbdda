// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy. The row-level half (CrossEntropyRow) is shared by given scores and by the linear source, which bring
// their own way to fold scores and to read single ones.
#pragma once

#include "core/lse_state.hpp"
#include "core/workspace.hpp"
#include "ops/row_factor.hpp"
#include "ops/scores.hpp"
#include "ops/targets_list.hpp"

namespace vmx {

struct CrossEntropyTerms {
  const vmx_cross_entropy_options& options;
  const TargetList& targets;
  int64_t cols;
  bool f64;
  bool wants_loss;                // else only gradients
  const float* class_weight;      // adjacent, or NULL
  double class_weight_total = 0;  // over all classes (cols without weights)

  bool smooths() const { return options.label_smoothing > 0; }
};

/// Forward result of one row, and what its gradient needs.
struct CrossEntropyRow {
  TargetList::RowWeight weight;
  int64_t skip = -1;   // column that the fold must leave out: the only target, or the best of a list
  double z_skip = 0;   // its score
  // after finish:
  double loss = 0, z_loss = 0, lse = 0;
  uint32_t flags = 0;
  LseSum total;        // of all columns
  // With skip: of the others alone, so that small losses keep their digits.
  double others = 0;    // sum of exp((z - z_skip)/T): p = 1/(1 + others); may be +inf
  double skip_loss = 0;  // -log p of that column
  double smooth_weight = 0;  // V1 of the smoothing part: sum of class weights it divides over
  double smooth_per = 0;     // W eps / V
};

/// Before the fold: weights and the column to leave out.
void begin_row(const CrossEntropyTerms& terms, int64_t row, CrossEntropyRow* r);

/// What smoothing needs of a row: sums against its maximum, which is in the units of score().
struct RowDistances {
  DistanceSums sums;
  double max = 0;
};

/// After the fold of everything but r->skip into `others`. score(c): z (capped, not divided by T). For smoothing, asked for only
/// if needed: distances(), or where the scores cannot be read again (false) sums(), a state with sums over all columns;
/// masked_class_counts(): whether a masked class has class weight > 0.
struct RowScores {
  virtual double score(int64_t column) const = 0;
  virtual bool distances(RowDistances*) const { return false; }
  virtual vmx_lse_state sums() const = 0;
  virtual bool masked_class_counts() const = 0;

 protected:
  ~RowScores() = default;
};
void finish_row(const CrossEntropyTerms& terms, int64_t row, const RowTemperature& t, const LseSum& others,
                const RowScores& scores, CrossEntropyRow* r);

/// The gradient of upstream * (loss + z_loss): entries are factor * p_c - subtract * class_weight_c, except at the targets.
struct RowGradient {
  bool filled = false;
  double fill = 0;  // 0 or NaN for the whole row
  double factor = 0, subtract = 0;
};
RowGradient row_gradient(const CrossEntropyTerms& terms, const RowTemperature& t, const CrossEntropyRow& r,
                         double upstream);
/// The gradient at a target's column, without the soft-cap's factor.
/// own_weight: the targets' weight there, class weight included.
double target_gradient(const CrossEntropyTerms& terms, const RowTemperature& t, const CrossEntropyRow& r,
                       double upstream, int64_t column, double z, double own_weight);

/// What MEAN divides by.
double total_weight(const TargetList& targets, int64_t rows);

struct CrossEntropyCall {
  const vmx_context& ctx;
  vmx_workspace* ws;
  const vmx_matrix& x;
  const TargetList& targets;
  const vmx_cross_entropy_options& options;
};
/// Whether a second pass may use the terms of the first. Label smoothing and a soft-cap need the scores themselves.
inline bool keeps_terms(const vmx_matrix& x, const vmx_cross_entropy_options& options) {
  return x.dtype != VMX_F64 && options.label_smoothing == 0.0 && options.softcap == 0.0;
}
/// keeps: with a gradient, keeps_terms(). list_entries: entries of a CSR list whose gradient is wanted, else 0.
size_t cross_entropy_scratch(const vmx_context& ctx, int64_t rows, int64_t cols, bool keeps, bool copies_weights,
                             int64_t list_entries);
void cross_entropy(const CrossEntropyCall& call, const vmx_cross_entropy_out& out);
void cross_entropy_backward(const CrossEntropyCall& call, const vmx_vector* lse, const vmx_vector& grad_loss,
                            const vmx_matrix& grad);

}  // namespace vmx
