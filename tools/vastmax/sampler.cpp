// SPDX-License-Identifier: Apache-2.0
#include "sampler.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "losses/loss.hpp"

namespace tool {
namespace {

constexpr int32_t kKinds[] = {VMX_SAMPLER_UNIFORM, VMX_SAMPLER_LOG_UNIFORM, VMX_SAMPLER_WEIGHTS, VMX_SAMPLER_IN_BATCH,
                              VMX_SAMPLER_MIDX,    VMX_SAMPLER_QUADRATIC,   VMX_SAMPLER_EXACT};

std::vector<int32_t> popularity(const Csr& train, int64_t items) {
  std::vector<int32_t> count(static_cast<size_t>(items));
  for (const int32_t item : train.ids) ++count[static_cast<size_t>(item)];
  return count;
}

}  // namespace

Negatives::Negatives(Engine& engine, const SampledSettings& settings, const Csr& train, const Model& model, uint64_t seed)
    : engine_(engine),
      settings_(settings),
      model_(model),
      seed_(seed),
      wants_log_q_(settings.loss == VMX_LOSS_NCE || settings.correction != Correction::none),
      wants_target_log_q_(wants_log_q_ && settings.correction != Correction::is),
      counts_(settings.loss == VMX_LOSS_NCE || settings.correction == Correction::counts ||
              (settings.unique && settings.correction == Correction::is && settings.sampler != SamplerKind::exact)),
      candidates_(VMX_CANDIDATES_INIT) {
  const int64_t items = model.items.rows;
  if (settings.sampler == SamplerKind::log_uniform) {
    const std::vector<int32_t> count = popularity(train, items);
    by_popularity_.resize(static_cast<size_t>(items));
    std::iota(by_popularity_.begin(), by_popularity_.end(), 0);
    std::sort(by_popularity_.begin(), by_popularity_.end(), [&](int32_t a, int32_t b) {
      const int32_t of_a = count[static_cast<size_t>(a)], of_b = count[static_cast<size_t>(b)];
      return of_a != of_b ? of_a > of_b : a < b;
    });
    rank_.resize(by_popularity_.size());
    for (size_t rank = 0; rank < rank_.size(); ++rank) {
      rank_[static_cast<size_t>(by_popularity_[rank])] = static_cast<int32_t>(rank);
    }
  }
  if (settings.sampler == SamplerKind::unigram) counts_of_items_ = popularity(train, items);
  build();
}

const float* Negatives::embeddings() { return item_vectors(model_, engine_.pool, &unit_items_); }

void Negatives::build() {
  vmx_sampler_options options = VMX_SAMPLER_OPTIONS_INIT;
  options.kind = kKinds[static_cast<size_t>(settings_.sampler)];
  options.classes = model_.items.rows;
  if (settings_.sampler == SamplerKind::unigram) {
    options.weights = {counts_of_items_.data(), options.classes, 1, VMX_I32, 0};
    options.power = settings_.power;
  }
  if (needs_queries(settings_.sampler)) {
    options.embeddings = matrix_f32(embeddings(), model_.items.rows, model_.dim());
    options.temperature = model_.temperature;
  }
  if (settings_.sampler == SamplerKind::midx) options.seed = seed_;
  vmx_sampler* made = nullptr;
  check(vmx_sampler_create(engine_.context.get(), &options, &made));
  sampler_.reset(made);
  steps_since_build_ = 0;
  // These have copied what they need.
  if (needs_rebuilding(settings_.sampler)) unit_items_ = {};
}

void Negatives::begin_epoch(int64_t epoch) {
  if (built_at_epoch_ == 0) built_at_epoch_ = epoch;  // the constructor built it
  if (!needs_rebuilding(settings_.sampler) || settings_.rebuild_every.steps) return;
  if (epoch - built_at_epoch_ < settings_.rebuild_every.count) return;
  build();
  built_at_epoch_ = epoch;
}

void Negatives::items_changed(const int64_t* ids, int64_t count) {
  if (settings_.sampler != SamplerKind::exact || model_.score == Score::dot) return;
  const int64_t dim = model_.dim();
  for (int64_t i = 0; i < count; ++i) {
    const float* const x = model_.items.row(ids[i]);
    scale_to(unit_items_.data() + ids[i] * dim, x, inverse_norm(x, dim), dim);
  }
}

const float* Negatives::hidden_of(const LossBatch& batch) {
  if (model_.score == Score::dot) return batch.queries;
  const int64_t dim = model_.dim();
  hidden_.resize(static_cast<size_t>(batch.rows * dim));
  for (int64_t r = 0; r < batch.rows; ++r) {
    const float* const x = batch.queries + r * dim;
    scale_to(hidden_.data() + r * dim, x, inverse_norm(x, dim), dim);
  }
  return hidden_.data();
}

const vmx_candidates& Negatives::draw(const LossBatch& batch) {
  candidates_ = VMX_CANDIDATES_INIT;
  if (settings_.sampler == SamplerKind::in_batch) {
    take_batch(batch);
  } else {
    if (needs_rebuilding(settings_.sampler) && settings_.rebuild_every.steps &&
        steps_since_build_ >= settings_.rebuild_every.count) {
      build();
    }
    ++steps_since_build_;
    draw_by_sampler(batch);
  }
  // NCE reads scores as log-probabilities but for a constant, which may as well be taken off here.
  if (settings_.loss == VMX_LOSS_NCE) {
    const auto constant = static_cast<float>(settings_.log_z);
    for (float& value : log_q_) value += constant;
    for (float& value : target_log_q_) value += constant;
  }
  return candidates_;
}

/// Each item of the batch once: the sampler estimates the probability to be in a batch, not how often.
void Negatives::take_batch(const LossBatch& batch) {
  const int64_t targets = batch.starts[batch.rows];
  ids_.assign(batch.ids, batch.ids + targets);
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  const auto m = static_cast<int64_t>(ids_.size());
  candidates_.ids = {ids_.data(), 1, m, m, 1, VMX_I32, 0};
  const vmx_ids seen = ids_i32(ids_.data(), m);
  check(vmx_sampler_observe(sampler_.get(), &seen, batch.step));
  if (!wants_log_q_) return;
  log_q_.resize(ids_.size());
  const int64_t ends[] = {0, m};
  const vmx_csr classes{ids_i64(ends, 2), seen, {}};
  const vmx_vector log_q = vector_f32(log_q_.data(), m);
  check(vmx_sampler_log_q(engine_.context.get(), engine_.workspace.get(), sampler_.get(), nullptr, &classes, 0, nullptr, 0,
                          &log_q));
  candidates_.log_q = matrix_f32(log_q_.data(), 1, m);
  // log(m q) is to be the log of that probability.
  if (settings_.correction == Correction::is) less_log(static_cast<double>(m));
  target_log_q(batch, 0);
}

void Negatives::less_log(double m) {
  const auto log_m = static_cast<float>(std::log(m));
  for (float& value : log_q_) value -= log_m;
}

void Negatives::draw_by_sampler(const LossBatch& batch) {
  const int64_t m = settings_.negatives, lists = settings_.per_row ? batch.rows : 1;
  ids_.resize(static_cast<size_t>(lists * m));
  tries_.resize(static_cast<size_t>(lists));
  flags_.resize(static_cast<size_t>(lists));
  const vmx_matrix ids{ids_.data(), lists, m, m, 1, VMX_I32, 0};
  vmx_matrix log_q{};
  if (wants_log_q_) {
    log_q_.resize(ids_.size());
    log_q = matrix_f32(log_q_.data(), lists, m);
  }
  vmx_matrix hidden{};
  if (needs_queries(settings_.sampler)) hidden = matrix_f32(hidden_of(batch), batch.rows, model_.dim());
  vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
  options.seed = seed_;
  options.step = batch.step;
  options.flags = (settings_.unique ? VMX_DRAW_UNIQUE : settings_.sampler == SamplerKind::exact ? VMX_DRAW_REPLACE : 0) |
                  (counts_ && wants_log_q_ ? VMX_DRAW_COUNTS : 0);
  check(vmx_sampler_draw(engine_.context.get(), engine_.workspace.get(), sampler_.get(), hidden.data ? &hidden : nullptr, &ids,
                         wants_log_q_ ? &log_q : nullptr, tries_.data(), flags_.data(), &options));
  for (const uint32_t flags : flags_) {
    if (flags & (VMX_ROW_NAN | VMX_ROW_INF)) throw not_finite();
  }
  if (settings_.sampler == SamplerKind::log_uniform) {
    for (int32_t& id : ids_) {
      if (id >= 0) id = by_popularity_[static_cast<size_t>(id)];
    }
  }
  // Without replacement the expected count stands for m q (Horvitz & Thompson 1952).
  if (counts_ && settings_.correction == Correction::is) less_log(static_cast<double>(m));
  candidates_.ids = ids;
  candidates_.log_q = log_q;
  target_log_q(batch, counts_ ? m : 0);
}

void Negatives::target_log_q(const LossBatch& batch, int64_t draws) {
  if (!wants_target_log_q_) return;
  const int64_t targets = batch.starts[batch.rows];
  const int32_t* ids = batch.ids;
  if (settings_.sampler == SamplerKind::log_uniform) {
    target_ids_.resize(static_cast<size_t>(targets));
    for (int64_t i = 0; i < targets; ++i) target_ids_[static_cast<size_t>(i)] = rank_[static_cast<size_t>(batch.ids[i])];
    ids = target_ids_.data();
  }
  target_log_q_.resize(static_cast<size_t>(targets));
  const vmx_csr classes{ids_i64(batch.starts, batch.rows + 1), ids_i32(ids, targets), {}};
  const vmx_vector log_q = vector_f32(target_log_q_.data(), targets);
  vmx_matrix hidden{};
  if (needs_queries(settings_.sampler)) {
    hidden = matrix_f32(model_.score == Score::dot ? batch.queries : hidden_.data(), batch.rows, model_.dim());
  }
  const bool with_tries = settings_.unique && draws > 0;
  check(vmx_sampler_log_q(engine_.context.get(), engine_.workspace.get(), sampler_.get(), hidden.data ? &hidden : nullptr,
                          &classes, draws, with_tries ? tries_.data() : nullptr, settings_.per_row ? 1 : 0, &log_q));
  candidates_.target_log_q = log_q;
}

}  // namespace tool
