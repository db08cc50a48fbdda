// SPDX-License-Identifier: Apache-2.0
#include "peers/draws.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace bench::draws {
namespace {

template <class Draw>
void unique(int64_t n, int32_t* ids, Draw&& draw) {
  std::unordered_set<int32_t> seen;
  seen.reserve(static_cast<size_t>(n));
  for (int64_t i = 0; i < n;) {
    const int32_t id = draw();
    if (seen.insert(id).second) ids[i++] = id;
  }
}

int32_t one_log_uniform(Generator& random, int64_t classes, double log_range) {
  const double u = std::uniform_real_distribution<double>()(random);
  return static_cast<int32_t>(std::min(static_cast<int64_t>(std::exp(u * log_range)) - 1, classes - 1));
}

}  // namespace

void uniform(Generator& random, int64_t classes, int64_t n, int32_t* ids) {
  std::uniform_int_distribution<int32_t> distribution(0, static_cast<int32_t>(classes - 1));
  for (int64_t i = 0; i < n; ++i) ids[i] = distribution(random);
}

void log_uniform(Generator& random, int64_t classes, int64_t n, int32_t* ids) {
  const double log_range = std::log(static_cast<double>(classes) + 1);
  for (int64_t i = 0; i < n; ++i) ids[i] = one_log_uniform(random, classes, log_range);
}

Alias::Alias(const std::vector<float>& weights) : probability_(weights.size()), alias_(weights.size()) {
  double sum = 0;
  for (const float w : weights) sum += static_cast<double>(w);
  std::vector<double> share(weights.size());
  std::vector<int32_t> small, large;
  for (size_t k = 0; k < weights.size(); ++k) {
    share[k] = static_cast<double>(weights[k]) * static_cast<double>(weights.size()) / sum;
    (share[k] < 1 ? small : large).push_back(static_cast<int32_t>(k));
  }
  while (!small.empty() && !large.empty()) {
    const int32_t s = small.back(), l = large.back();
    small.pop_back();
    probability_[static_cast<size_t>(s)] = static_cast<float>(share[static_cast<size_t>(s)]);
    alias_[static_cast<size_t>(s)] = l;
    if ((share[static_cast<size_t>(l)] -= 1 - share[static_cast<size_t>(s)]) < 1) {
      large.pop_back();
      small.push_back(l);
    }
  }
  for (const auto* rest : {&small, &large}) {
    for (const int32_t k : *rest) probability_[static_cast<size_t>(k)] = 1;
  }
}

int32_t Alias::one(Generator& random) const {
  std::uniform_int_distribution<int32_t> cell(0, static_cast<int32_t>(alias_.size() - 1));
  const int32_t k = cell(random);
  const float u = std::uniform_real_distribution<float>()(random);
  return u < probability_[static_cast<size_t>(k)] ? k : alias_[static_cast<size_t>(k)];
}

void Alias::draw(Generator& random, int64_t n, int32_t* ids) const {
  for (int64_t i = 0; i < n; ++i) ids[i] = one(random);
}

void Discrete::draw(Generator& random, int64_t n, int32_t* ids) {
  for (int64_t i = 0; i < n; ++i) ids[i] = distribution_(random);
}

void unique_log_uniform(Generator& random, int64_t classes, int64_t n, int32_t* ids) {
  const double log_range = std::log(static_cast<double>(classes) + 1);
  unique(n, ids, [&] { return one_log_uniform(random, classes, log_range); });
}

void unique_alias(Generator& random, const Alias& alias, int64_t n, int32_t* ids) {
  unique(n, ids, [&] { return alias.one(random); });
}

uint64_t random_reads(const uint64_t* table, const int32_t* index, int64_t n) {
  constexpr int64_t kAhead = 64;
  uint64_t sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    __builtin_prefetch(table + index[i + kAhead < n ? i + kAhead : n - 1]);
    sum += table[index[i]];
  }
  return sum;
}

}  // namespace bench::draws
