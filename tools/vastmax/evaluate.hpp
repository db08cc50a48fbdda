// SPDX-License-Identifier: Apache-2.0
// The ranking of all items for users, exactly, and how it meets what was held out.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "csr.hpp"
#include "engine.hpp"
#include "metrics.hpp"
#include "model.hpp"

namespace tool {

/// The k best items of each user, without those in excluded (rows in the order of users); -1 where there are fewer.
/// Blocks of users go to each(first, count, ids [count, k]); false ends it. Returns whether all were done.
bool rank_items(Engine& engine, const Model& model, const std::vector<int64_t>& users, const Csr& excluded, int64_t k,
                const std::function<bool(int64_t, int64_t, const int32_t*)>& each);

class Evaluation {
 public:
  /// relevant and known: a row for each user. Users with nothing relevant are left out; known items are not ranked.
  Evaluation(const Csr& relevant, const Csr& known, const std::vector<int64_t>& ks);

  int64_t users() const { return static_cast<int64_t>(users_.size()); }

  /// Tells going_on(users done) after each block; nothing if that said false.
  std::optional<Metrics> run(Engine& engine, const Model& model, const std::function<bool(int64_t)>& going_on) const;

  /// Of the ranking by number of users in counted, equal counts by the lower id.
  Metrics popularity(const Csr& counted, int64_t items) const;

 private:
  Metrics mean(const std::vector<RankMetrics>& of_users) const;
  void judge(int64_t row, std::span<const int32_t> ranked, std::vector<RankMetrics>* of_users) const;

  std::vector<int64_t> ks_;
  std::vector<int64_t> users_;
  Csr relevant_, known_;  // a row for each of users_
};

}  // namespace tool
