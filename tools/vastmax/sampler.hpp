// SPDX-License-Identifier: Apache-2.0
// The negatives of each batch, from one of the library's samplers, as vmx_sampled_loss takes them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "csr.hpp"
#include "engine.hpp"
#include "model.hpp"
#include "sampled_settings.hpp"

namespace tool {

struct LossBatch;

using SamplerHandle = std::unique_ptr<vmx_sampler, Destroyer<vmx_sampler_destroy>>;

class Negatives {
 public:
  /// References must outlive it. train: for popularity.
  Negatives(Engine& engine, const SampledSettings& settings, const Csr& train, const Model& model, uint64_t seed);

  /// Of this batch; the views hold until the next call. queries of the batch: the users' own vectors.
  const vmx_candidates& draw(const LossBatch& batch);

  /// Brings what may have grown old up to date, if it is time.
  void begin_epoch(int64_t epoch);
  /// These items have new vectors.
  void items_changed(const int64_t* ids, int64_t count);

 private:
  void build();
  const float* embeddings();
  void less_log(double m);  // off log_q_
  void draw_by_sampler(const LossBatch& batch);
  void take_batch(const LossBatch& batch);
  void target_log_q(const LossBatch& batch, int64_t draws);
  const float* hidden_of(const LossBatch& batch);

  Engine& engine_;
  SampledSettings settings_;
  const Model& model_;
  uint64_t seed_;
  SamplerHandle sampler_;
  int64_t built_at_epoch_ = 0, steps_since_build_ = 0;
  bool wants_log_q_, wants_target_log_q_, counts_;

  std::vector<int32_t> by_popularity_, rank_;  // log_uniform: item of a rank, rank of an item
  std::vector<int32_t> counts_of_items_;       // unigram
  Floats unit_items_, hidden_;                 // cosine: what samplers see
  std::vector<int32_t> ids_, target_ids_;
  std::vector<int64_t> tries_;
  std::vector<uint32_t> flags_;
  Floats log_q_, target_log_q_;
  vmx_candidates candidates_;
};

}  // namespace tool
