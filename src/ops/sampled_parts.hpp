// SPDX-License-Identifier: Apache-2.0
// What the two engines of sampled losses, for shared candidates and for those of each row, have in common.
#pragma once

#include "ops/id_groups.hpp"
#include "ops/items.hpp"
#include "ops/sampled_loss.hpp"
#include "ops/sampled_row.hpp"
#include "sources/table_rows.hpp"

namespace vmx {

/// Gradients are of the total times grad_scale, and by raw scores: before division by T.
struct Upstream {
  double weight = 0;  // of all targets
  double factor = 1;

  Upstream(const TargetList& targets, int64_t rows, const vmx_sampled_options& options, double grad_scale);
};

/// The targets of one row at a time: buffers of a worker.
class TargetRow {
 public:
  template <class Taker>
  void take(Taker& taker, int64_t most) {
    const auto n = static_cast<size_t>(most);
    score_ = taker.template take<double>(n);
    weight_ = taker.template take<double>(n);
    order_ = taker.template take<int64_t>(n);
    identity_ = taker.template take<int64_t>(n);
    repeats_ = taker.template take<uint8_t>(n);
    grad_ = taker.template take<float>(n);
  }

  /// Row r; scores are set afterwards.
  void begin(const SampledInput& input, int64_t r);
  int64_t count() const { return n_; }
  int64_t entry(int64_t t) const { return first_ + t; }
  void set_score(int64_t t, double score) { score_[t] = score; }
  RowTargets targets() const { return {n_, score_, weight_, repeats_}; }
  float* grad() const { return grad_; }
  /// The identities, rising where there are more than kFew.
  const int64_t* identities() const { return identity_; }
  bool holds(int64_t identity) const;
  /// Whether identities()[t] has stood there before.
  bool repeats_identity(int64_t t) const;

 private:
  static constexpr int64_t kFew = 8;

  int64_t n_ = 0, first_ = 0;
  double *score_ = nullptr, *weight_ = nullptr;
  int64_t *order_ = nullptr, *identity_ = nullptr;
  uint8_t* repeats_ = nullptr;
  float* grad_ = nullptr;
};

/// Rows of hidden in f32, with their inverse norms for cosines.
class HiddenRows {
 public:
  HiddenRows(const vmx_context& ctx, const vmx_matrix& hidden, bool cosine);

  /// Into `to`; returns the inverse norm (1 for dot products).
  double load(int64_t row, float* to) const;
  /// Whether all rows lie in memory as load() gives them.
  bool direct() const { return direct_; }
  const float* data() const { return static_cast<const float*>(hidden_.data); }
  int64_t ld() const { return hidden_.row_stride; }

 private:
  vmx_matrix hidden_;
  TableRows rows_;
  bool cosine_, direct_;
};

/// Losses and totals of all rows.
class LossWriter {
 public:
  LossWriter(const vmx_sampled_out& out, double* losses) : out_(out), losses_(losses) {}
  void row(int64_t r, const RowLoss& loss) const;
  /// Sums in the order of the rows.
  void finish(int64_t rows, double weight, int32_t reduction) const;

 private:
  const vmx_sampled_out& out_;
  double* losses_;
};

/// The gradient of the table: sums by class, written as a list, added to a table and to a bias.
class TableGradient {
 public:
  /// entries: of all ids, targets included.
  TableGradient(const vmx_context& ctx, const SampledInput& input, int64_t entries);

  IdGroups& groups() { return groups_; }
  /// At most so many work at the same time, each with memory of its own.
  int64_t workers() const { return workers_; }
  void set_workers(int64_t n) { workers_ = std::min(most_workers_, std::max<int64_t>(n, 1)); }
  /// Once the groups are sorted.
  vmx_status check_room() const;

  /// matrix[0]: rows of hidden, by which the terms' coefficients multiply; matrix[1]: sums made elsewhere. second_bias: what those
  /// are for the bias, or NULL.
  struct Source {
    const float* matrix[2];
    int64_t ld[2];
    const double* second_bias;
  };
  void write(const Source& source);

  template <class Taker>
  void take(Taker& taker) {
    groups_.take(taker);
    const auto dim = static_cast<size_t>(input_.dim());
    buffers_ = taker.template take<float>(static_cast<size_t>(workers_ * kGroups * buffer_ld()));
    rows_of_table_ = taker.template take<char>(
        input_.cosine() ? static_cast<size_t>(workers_) * static_cast<size_t>(table_.row_bytes()) : 0);
    units_ = taker.template take<float>(input_.cosine() ? static_cast<size_t>(workers_) * dim : 0);
  }

 private:
  static constexpr int64_t kGroups = 64;

  void write_groups(int64_t first, int64_t last, int64_t worker, const Source& source);
  // Turns the sums of n groups into the gradients by vectors of which only the direction counts.
  void project(int64_t first, int64_t n, float* sums, int64_t worker) const;
  void project_wide(int64_t id, float* sum, int64_t worker) const;
  // The kernels of cosines want zeros behind a row.
  int64_t buffer_ld() const { return (input_.dim() + 63) / 64 * 64; }

  const vmx_context& ctx_;
  const SampledInput& input_;
  const SampledGrads& grads_;
  TableRows table_;
  IdGroups groups_;
  const int64_t most_workers_;
  int64_t workers_;
  bool wants_rows_, direct_;
  float* buffers_ = nullptr;
  char* rows_of_table_ = nullptr;
  float* units_ = nullptr;
};

/// The dot product of a candidate with a unit vector, divided by the candidate's norm; inverse: 1/norm, 0 for a row of zeros.
/// dot, square: of the f32 kernels, whose range is checked.
/// 1/|w| by an f32 sum of squares; -1 where that lacks digits.
double inverse_of_square(float square);
double cosine_of(const void* row, int32_t dtype, const float* unit, int64_t dim, float dot, float square,
                 float* inverse);

vmx_status sampled_per_row(const vmx_context& ctx, vmx_workspace* ws, const SampledInput& input, const vmx_sampled_out* out,
                           size_t* size);
vmx_status sampled_shared(const vmx_context& ctx, vmx_workspace* ws, const SampledInput& input, const vmx_sampled_out* out,
                          size_t* size);

/// As many targets for each row: what a call takes at the least, where their number alone is known.
inline SampledInput spread_evenly(SampledInput input) {
  if (input.rows() > 0) input.most_targets = (input.entries + input.rows() - 1) / input.rows();
  return input;
}

inline int64_t worker_count(const vmx_context& ctx, int64_t tasks) {
  return std::max<int64_t>(1, std::min<int64_t>(tasks, has_threads(ctx) ? ctx.threads : 1));
}

}  // namespace vmx
