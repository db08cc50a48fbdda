// SPDX-License-Identifier: Apache-2.0
// Losses over sampled classes, and in-batch softmax, over checked arguments.
#pragma once

#include "core/status.hpp"
#include "core/views.hpp"
#include "core/workspace.hpp"
#include "ops/targets_list.hpp"

#include <vastmax/vastmax.h>

namespace vmx {

/// Which log q a loss takes.
bool wants_log_q(const vmx_sampled_options& options);
bool wants_target_log_q(const vmx_sampled_options& options);

/// What is asked for; views of what is not have dtype 0. Where sizes alone are asked for, data pointers may be NULL.
struct SampledGrads {
  vmx_matrix hidden{};
  vmx_matrix table{};
  vmx_vector bias{};
  vmx_sparse_rows* sparse = nullptr;  // the caller's: its count is written
  vmx_sparse_rows rows{};             // what it said

  bool of_table() const { return sparse || table.dtype != 0 || bias.dtype != 0; }
  bool any() const { return hidden.dtype != 0 || of_table(); }
};

struct SampledInput {
  vmx_matrix hidden, table;
  vmx_vector bias;  // data NULL: none
  const TargetList& targets;
  int64_t first_entry, entries;  // of the targets of all rows
  int64_t most_targets;          // of a row
  vmx_matrix ids;
  vmx_matrix log_q;           // data NULL where the loss takes none
  vmx_vector target_log_q;    // the same
  vmx_ids identity;           // data NULL: the ids themselves
  vmx_sampled_options options;
  SampledGrads grads;

  int64_t rows() const { return hidden.rows; }
  int64_t dim() const { return hidden.cols; }
  int64_t classes() const { return table.rows; }
  int64_t candidates() const { return ids.cols; }
  bool shared() const { return ids.rows == 1 && hidden.rows != 1; }
  bool cosine() const { return options.score == VMX_SCORE_COSINE; }

  int64_t id(int64_t row, int64_t j) const {
    const int64_t at = row * ids.row_stride + j * ids.col_stride;
    return ids.dtype == VMX_I32 ? static_cast<const int32_t*>(ids.data)[at] : static_cast<const int64_t*>(ids.data)[at];
  }
  int64_t identity_of(int64_t id) const { return identity.data ? read_id(identity, id) : id; }
  /// What is taken off the score of a candidate, and of a target.
  double correction(int64_t row, int64_t j) const;
  double target_correction(int64_t entry) const;
  double bias_of(int64_t id) const {
    return bias.data ? static_cast<double>(static_cast<const float*>(bias.data)[id * bias.stride]) : 0.0;
  }
};

// Each plans its memory first: VMX_ERR_VALUE, before any write, if the memory limit is too low. With `size` not NULL that is all
// it does. VMX_ERR_SHAPE, before any write, if the list of rows has no room.
vmx_status sampled_loss(const vmx_context& ctx, vmx_workspace* ws, const SampledInput& input, const vmx_sampled_out* out,
                        size_t* size);

struct InBatchInput {
  vmx_matrix queries, keys;
  vmx_ids identity;    // data NULL: all differ
  vmx_vector log_q;    // data NULL: none
  vmx_matrix grad_queries, grad_keys;  // dtype 0: not wanted
  vmx_sampled_options options;
};
vmx_status in_batch_softmax(const vmx_context& ctx, vmx_workspace* ws, const InBatchInput& input, const vmx_sampled_out& out);

/// The memory limit in bytes, and whether the caller gave it: if not, a call takes what it needs at the least.
struct MemoryLimit {
  size_t bytes;
  bool given;
  explicit MemoryLimit(const vmx_sampled_options& options);
  vmx_status check(size_t needed) const;
};

}  // namespace vmx
