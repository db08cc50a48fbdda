// SPDX-License-Identifier: Apache-2.0
// How good a ranked list is, with binary relevance, and the mean over users.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tool {

/// Of one list cut at k: recall = hits / relevant, NDCG with the ideal over min(k, relevant), MRR, hit (0 or 1).
struct RankMetrics {
  double recall = 0, ndcg = 0, mrr = 0, hit = 0;
};

/// ranked: best first, -1 for empty slots. relevant: rising ids. Nothing relevant gives all 0.
RankMetrics rank_metrics(std::span<const int32_t> ranked, std::span<const int32_t> relevant, int64_t k);

/// Means over the users with something relevant.
struct Metrics {
  std::vector<int64_t> ks;
  std::vector<RankMetrics> at;  // one for each k
  int64_t users = 0;

  /// "recall@20", "ndcg@20", ... with their values.
  std::vector<std::pair<std::string, double>> named() const;
};

}  // namespace tool
