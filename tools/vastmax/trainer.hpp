// SPDX-License-Identifier: Apache-2.0
// Epochs of mini-batches of users over a model.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine.hpp"
#include "losses/loss.hpp"
#include "model.hpp"
#include "optimizer.hpp"
#include "profile.hpp"

namespace tool {

enum class PositiveWeight { one, sqrt, mean };  // of each of a user's n positives: 1, 1/sqrt(n), 1/n
enum class Schedule { constant, linear, cosine };

struct TrainSettings {
  std::string loss = "softmax";
  std::optional<SampledSettings> sampled;  // of a sampled loss
  int64_t epochs = 36, batch = 256;
  double learning_rate = 0.01, user_learning_rate = 0.1;  // of the items, of the users
  Schedule schedule = Schedule::linear;
  PositiveWeight positive_weight = PositiveWeight::sqrt;
  AdamSettings adam, user_adam{0.5, 0.9, 1e-8, 0};
  uint64_t seed = 1;
};

/// Told (batches done, batches in all, mean loss so far) after each batch; false ends the epoch there.
using BatchReport = std::function<bool(int64_t, int64_t, double)>;

class Trainer {
 public:
  /// train and model must outlive it. Users without positives are left alone.
  Trainer(Engine& engine, Profile& profile, const TrainSettings& settings, const Csr& train, Model& model);

  struct Epoch {
    double loss = 0;     // mean over the weights of the positives, as the batches saw it
    double seconds = 0;  // training alone
    bool whole = true;
  };
  /// epoch counts from 1.
  Epoch run(int64_t epoch, const BatchReport& report);

 private:
  double step(const int64_t* users, int64_t rows, double rate_factor);
  void update_users(double learning_rate);
  void update_items(double learning_rate);
  void update_some_items(double learning_rate);

  Engine& engine_;
  Profile& profile_;
  TrainSettings settings_;
  const Csr& train_;
  Model& model_;
  std::unique_ptr<Loss> loss_;
  const bool own_vectors_;  // the loss takes the model's vectors as they are
  Adam user_adam_;
  std::optional<Adam> item_adam_;               // of all items in each step
  std::optional<SparseAdam> sparse_item_adam_;  // of those with a gradient; one of the two
  std::vector<int64_t> active_users_;
  Floats unit_items_;           // cosine: the items at length 1, kept in step with the items
  const float* item_vectors_;   // what the loss sees
  ItemGradient item_gradient_;
  int64_t step_ = 0;

  // The batch.
  std::vector<int32_t> batch_users_, positives_;
  std::vector<int64_t> starts_;
  std::vector<float> weights_, lengths_;
  Floats queries_, query_gradient_;
};

}  // namespace tool
