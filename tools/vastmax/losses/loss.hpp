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
#include "profile.hpp"
#include "table.hpp"

namespace tool {

/// The gradient of the items' vectors for one step: a row for every item, or for some.
class ItemGradient {
 public:
  ItemGradient(int64_t items, int64_t dim) : items_(items), dim_(dim) {}

  /// A row for every item, to be overwritten whole.
  float* dense() {
    sparse_ = false;
    values_.resize(static_cast<size_t>(items_ * dim_));
    return values_.data();
  }
  /// A row for each of these items (rising, none twice), to be overwritten whole.
  float* rows(std::vector<int32_t> ids) {
    sparse_ = true;
    ids_ = std::move(ids);
    values_.resize(ids_.size() * static_cast<size_t>(dim_));
    return values_.data();
  }

  int64_t count() const { return sparse_ ? static_cast<int64_t>(ids_.size()) : items_; }
  int64_t item(int64_t i) const { return sparse_ ? ids_[static_cast<size_t>(i)] : i; }
  float* row(int64_t i) { return values_.data() + i * dim_; }

 private:
  int64_t items_, dim_;
  bool sparse_ = false;
  std::vector<int32_t> ids_;
  Floats values_;
};

/// What stays the same over a run. References live as long as the loss.
struct LossSetting {
  Engine& engine;
  Profile& profile;
  const Csr& train;  // all positives, by user: for popularity, and to know what is no negative
  int64_t items, dim;
  uint64_t seed;  // for samplers: draw by (seed, a Purpose of your own, step), never by thread or order
};

/// One mini-batch. The score of (row r, item c) is queries[r] . items[c]; temperature and lengths are in there already.
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

class Loss {
 public:
  virtual ~Loss() = default;
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;

  virtual void begin_epoch(int64_t /*epoch*/) {}

  /// Returns the batch's loss, the sum over positives of weight times loss. Writes the gradients of that sum divided by
  /// batch.total_weight: grad_queries [rows, dim], and the items' in the form that suits. Same bits for any threads.
  virtual double step(const LossBatch& batch, float* grad_queries, ItemGradient* grad_items) = 0;

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
