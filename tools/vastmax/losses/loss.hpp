// SPDX-License-Identifier: Apache-2.0
// What a loss is to the trainer. A loss owns its way of making gradients: over all items or only over those that it
// drew. To add one: write losses/<name>.cpp with a factory, and add a line to losses/registry.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "csr.hpp"
#include "engine.hpp"
#include "error.hpp"
#include "model.hpp"
#include "profile.hpp"
#include "sampled_settings.hpp"
#include "table.hpp"

namespace tool {

/// The gradient of the items' vectors for one step: a row for every item, or for some.
class ItemGradient {
 public:
  ItemGradient(int64_t items, int64_t dim) : items_(items), dim_(dim) {}

  /// A row for every item, to be overwritten whole.
  float* dense() {
    values_.resize(static_cast<size_t>(items_ * dim_));
    return values_.data();
  }
  /// Room for a list of up to so many rows, for the library to fill.
  vmx_sparse_rows* sparse(int64_t capacity) {
    if (static_cast<size_t>(capacity) > ids_.size()) {
      ids_.resize(static_cast<size_t>(capacity));
      values_.resize(static_cast<size_t>(capacity * dim_));
    }
    list_ = VMX_SPARSE_ROWS_INIT;
    list_.ids = ids_.data();
    list_.rows = matrix_f32(values_.data(), capacity, dim_);
    return &list_;
  }

  float* row(int64_t item) { return values_.data() + item * dim_; }  // of a dense one
  const vmx_sparse_rows& list() const { return list_; }

 private:
  int64_t items_, dim_;
  vmx_sparse_rows list_ = VMX_SPARSE_ROWS_INIT;
  std::vector<int64_t> ids_;
  Floats values_;
};

/// What stays the same over a run. References live as long as the loss.
struct LossSetting {
  Engine& engine;
  Profile& profile;
  const Csr& train;  // all positives, by user: for popularity, and to know what is no negative
  const Model& model;
  uint64_t seed;  // for samplers: draw by (seed, step), never by thread or order
  const SampledSettings* sampled;  // NULL for exact losses
};

/// One mini-batch. For a loss that takes the model's own vectors those are what queries and items are. For others the score of
/// (row r, item c) is queries[r] . items[c]; temperature and lengths are in there already.
struct LossBatch {
  int64_t step;           // counts up over the whole run: the position of random numbers
  int64_t rows;
  const int32_t* users;   // [rows]
  const float* queries;   // [rows, dim]
  const float* items;     // [items, dim]
  const int64_t* starts;  // [rows + 1]: the positives of row r are ids[starts[r]] ... and weights likewise
  const int32_t* ids;
  const float* weights;
  double total_weight;
};

/// Thrown when numbers have grown beyond all bounds.
inline UserError not_finite() {
  return UserError("vectors are no longer finite: a smaller --lr or a larger --temperature may help");
}

class Loss {
 public:
  virtual ~Loss() = default;
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;

  /// Then the gradients are of the model's own vectors too, and that of the items is a list of rows, else dense.
  virtual bool takes_own_vectors() const { return false; }

  virtual void begin_epoch(int64_t /*epoch*/) {}

  /// Returns the batch's loss, the sum over positives of weight times loss. Writes the gradients of that sum divided by
  /// batch.total_weight: grad_queries [rows, dim], and the items'. Same bits for any threads.
  virtual double step(const LossBatch& batch, float* grad_queries, ItemGradient* grad_items) = 0;

  /// Told of what the optimizer then did to these items, if it takes the model's own vectors.
  virtual void items_changed(const int64_t* /*ids*/, int64_t /*count*/) {}

 protected:
  Loss() = default;
};

struct LossEntry {
  const char* name;
  const char* about;
  std::unique_ptr<Loss> (*make)(const LossSetting&);
};

/// All losses, in the order in which help lists them.
const std::vector<LossEntry>& losses();
/// UserError that names the known ones if there is no such loss.
const LossEntry& loss_named(const std::string& name);

}  // namespace tool
