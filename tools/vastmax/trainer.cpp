// SPDX-License-Identifier: Apache-2.0
#include "trainer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tool {
namespace {

constexpr int64_t kUserBlock = 32;
constexpr int64_t kItemBlock = 128;  // gradient, moments, parameters and unit vectors of a block fit into L2

double positive_weight(PositiveWeight kind, int64_t n) {
  switch (kind) {
    case PositiveWeight::sqrt:
      return 1 / std::sqrt(static_cast<double>(n));
    case PositiveWeight::mean:
      return 1 / static_cast<double>(n);
    default:
      return 1;
  }
}

/// What is left of the learning rate when a part of the run in [0, 1) is over.
double schedule_factor(Schedule schedule, double part) {
  switch (schedule) {
    case Schedule::linear:
      return 1 - part;
    case Schedule::cosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * part));
    default:
      return 1;
  }
}

int64_t blocks(int64_t n, int64_t block) { return (n + block - 1) / block; }

}  // namespace

Trainer::Trainer(Engine& engine, Profile& profile, const TrainSettings& settings, const Csr& train, Model& model)
    : engine_(engine),
      profile_(profile),
      settings_(settings),
      train_(train),
      model_(model),
      loss_(loss_named(settings.loss)
                .make({engine, profile, train, model, settings.seed, settings_.sampled ? &*settings_.sampled : nullptr})),
      own_vectors_(loss_->takes_own_vectors()),
      user_adam_(model.users.rows, model.dim(), settings.user_adam),
      item_vectors_(own_vectors_ ? model.items.data.data() : item_vectors(model, engine.pool, &unit_items_)),
      item_gradient_(model.items.rows, model.dim()) {
  if (own_vectors_) {
    sparse_item_adam_.emplace(model.items.rows, model.dim(), settings.adam);
  } else {
    item_adam_.emplace(model.items.rows, model.dim(), settings.adam);
  }
  for (int64_t user = 0; user < train.rows(); ++user) {
    if (train.count(user) > 0) active_users_.push_back(user);
  }
}

Trainer::Epoch Trainer::run(int64_t epoch, const BatchReport& report) {
  std::vector<int64_t> order = active_users_;
  Stream(settings_.seed, Purpose::shuffle, static_cast<uint64_t>(epoch)).shuffle(order);
  loss_->begin_epoch(epoch);

  const auto users = static_cast<int64_t>(order.size());
  const int64_t batches = blocks(users, settings_.batch);
  const auto all_steps = static_cast<double>(batches * settings_.epochs);
  Epoch result;
  double loss = 0, weight = 0;
  for (int64_t batch = 0; batch < batches; ++batch) {
    const double begin = now();
    const int64_t first = batch * settings_.batch;
    const double part = static_cast<double>((epoch - 1) * batches + batch) / all_steps;
    loss += step(order.data() + first, std::min(settings_.batch, users - first),
                 schedule_factor(settings_.schedule, part));
    for (const float w : weights_) weight += w;
    result.seconds += now() - begin;
    result.loss = loss / weight;
    if (!report(batch + 1, batches, result.loss)) {
      result.whole = batch + 1 == batches;
      break;
    }
  }
  return result;
}

double Trainer::step(const int64_t* users, int64_t rows, double rate_factor) {
  const int64_t dim = model_.dim();
  double total_weight = 0;
  {
    const Clock clock(profile_, "gather");
    batch_users_.assign(users, users + rows);
    starts_.assign(1, 0);
    positives_.clear();
    weights_.clear();
    for (int64_t r = 0; r < rows; ++r) {
      const auto items = train_[users[r]];
      const auto n = static_cast<int64_t>(items.size());
      const double weight = positive_weight(settings_.positive_weight, n);
      positives_.insert(positives_.end(), items.begin(), items.end());
      weights_.insert(weights_.end(), items.size(), static_cast<float>(weight));
      starts_.push_back(static_cast<int64_t>(positives_.size()));
      total_weight += weight * static_cast<double>(n);
    }
    queries_.resize(static_cast<size_t>(rows * dim));
    query_gradient_.resize(queries_.size());
    lengths_.resize(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) {
      if (own_vectors_) {
        std::copy_n(model_.users.row(users[r]), dim, queries_.data() + r * dim);
      } else {
        lengths_[static_cast<size_t>(r)] = model_.query(users[r], queries_.data() + r * dim);
      }
    }
  }
  const double loss = loss_->step({step_++, rows, batch_users_.data(), queries_.data(), item_vectors_, starts_.data(),
                                   positives_.data(), weights_.data(), total_weight},
                                  query_gradient_.data(), &item_gradient_);
  update_users(settings_.user_learning_rate * rate_factor);
  if (own_vectors_) {
    update_some_items(settings_.learning_rate * rate_factor);
  } else {
    update_items(settings_.learning_rate * rate_factor);
  }
  return loss;
}

void Trainer::update_users(double learning_rate) {
  const Clock clock(profile_, "user adam");
  const int64_t dim = model_.dim(), rows = static_cast<int64_t>(batch_users_.size());
  const auto inverse_temperature = static_cast<float>(1 / model_.temperature);
  user_adam_.begin_step();
  engine_.pool.for_each(blocks(rows, kUserBlock), [&](int64_t block) {
    for (int64_t r = block * kUserBlock; r < std::min(rows, (block + 1) * kUserBlock); ++r) {
      const int64_t user = batch_users_[static_cast<size_t>(r)];
      float* const gradient = query_gradient_.data() + r * dim;
      if (!own_vectors_) {
        scale_to(gradient, gradient, inverse_temperature, dim);
        if (model_.score == Score::cosine) {
          project_gradient(gradient, model_.users.row(user), lengths_[static_cast<size_t>(r)], dim);
        }
      }
      user_adam_.step_row(user, model_.users.row(user), gradient, learning_rate);
    }
  });
}

void Trainer::update_some_items(double learning_rate) {
  const Clock clock(profile_, "item adam");
  const vmx_sparse_rows& gradient = item_gradient_.list();
  sparse_item_adam_->step(engine_, gradient, &model_.items, learning_rate);
  loss_->items_changed(gradient.ids, gradient.count);
}

void Trainer::update_items(double learning_rate) {
  const int64_t dim = model_.dim(), rows = model_.items.rows, count = blocks(rows, kItemBlock);
  const bool cosine = model_.score == Score::cosine;
  item_adam_->begin_step();
  // Block by block, so that each array goes through the memory once; the times of the parts are taken inside.
  struct Times {
    double project = 0, adam = 0, normalise = 0;
  };
  std::vector<Times> times(static_cast<size_t>(count));
  const double begin = now();
  engine_.pool.for_each(count, [&](int64_t block) {
    const int64_t first = block * kItemBlock, last = std::min(rows, first + kItemBlock);
    const double t0 = now();
    if (cosine) {
      for (int64_t item = first; item < last; ++item) {
        const float* const x = model_.items.row(item);
        project_gradient(item_gradient_.row(item), x, inverse_norm(x, dim), dim);
      }
    }
    const double t1 = now();
    for (int64_t item = first; item < last; ++item) {
      item_adam_->step_row(item, model_.items.row(item), item_gradient_.row(item), learning_rate);
    }
    const double t2 = now();
    if (cosine) {
      for (int64_t item = first; item < last; ++item) {
        const float* const x = model_.items.row(item);
        scale_to(unit_items_.data() + item * dim, x, inverse_norm(x, dim), dim);
      }
    }
    times[static_cast<size_t>(block)] = {t1 - t0, t2 - t1, now() - t2};
  });
  const double passed = now() - begin;
  Times sum;
  for (const Times& t : times) {
    sum.project += t.project;
    sum.adam += t.adam;
    sum.normalise += t.normalise;
  }
  const double all = std::max(sum.project + sum.adam + sum.normalise, 1e-12);
  profile_.add("item adam", passed * sum.adam / all);
  if (cosine) profile_.add("normalise", passed * (sum.project + sum.normalise) / all);
}

}  // namespace tool
