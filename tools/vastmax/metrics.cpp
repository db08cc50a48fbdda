// SPDX-License-Identifier: Apache-2.0
#include "metrics.hpp"

#include <algorithm>
#include <cmath>

namespace tool {

RankMetrics rank_metrics(std::span<const int32_t> ranked, std::span<const int32_t> relevant, int64_t k) {
  RankMetrics result;
  if (relevant.empty()) return result;
  double dcg = 0, ideal = 0;
  int64_t hits = 0;
  for (int64_t i = 0; i < k; ++i) {
    const double gain = 1 / std::log2(static_cast<double>(i + 2));
    if (i < static_cast<int64_t>(relevant.size())) ideal += gain;
    if (i < static_cast<int64_t>(ranked.size()) && std::binary_search(relevant.begin(), relevant.end(), ranked[i])) {
      if (hits == 0) result.mrr = 1 / static_cast<double>(i + 1);
      ++hits;
      dcg += gain;
    }
  }
  result.recall = static_cast<double>(hits) / static_cast<double>(relevant.size());
  result.ndcg = dcg / ideal;
  result.hit = hits > 0 ? 1 : 0;
  return result;
}

std::vector<std::pair<std::string, double>> Metrics::named() const {
  std::vector<std::pair<std::string, double>> out;
  for (size_t i = 0; i < ks.size(); ++i) {
    std::string k = "@";
    k += std::to_string(ks[i]);
    out.emplace_back("recall" + k, at[i].recall);
    out.emplace_back("ndcg" + k, at[i].ndcg);
    out.emplace_back("mrr" + k, at[i].mrr);
    out.emplace_back("hit" + k, at[i].hit);
  }
  return out;
}

}  // namespace tool
