// SPDX-License-Identifier: Apache-2.0
// Draws of classes as they are written without a library: one at a time, by the generators and distributions of the standard
// library.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace bench::draws {

using Generator = std::mt19937_64;

void uniform(Generator& random, int64_t classes, int64_t n, int32_t* ids);
/// (V+1)^u, as TensorFlow's candidate sampler does it.
void log_uniform(Generator& random, int64_t classes, int64_t n, int32_t* ids);

/// Vose's alias table.
class Alias {
 public:
  explicit Alias(const std::vector<float>& weights);
  void draw(Generator& random, int64_t n, int32_t* ids) const;
  int32_t one(Generator& random) const;

 private:
  std::vector<float> probability_;
  std::vector<int32_t> alias_;
};

/// std::discrete_distribution: a binary search each.
class Discrete {
 public:
  explicit Discrete(const std::vector<float>& weights) : distribution_(weights.begin(), weights.end()) {}
  void draw(Generator& random, int64_t n, int32_t* ids);

 private:
  std::discrete_distribution<int32_t> distribution_;
};

/// Repeats, by a std::unordered_set, are drawn again.
void unique_log_uniform(Generator& random, int64_t classes, int64_t n, int32_t* ids);
void unique_alias(Generator& random, const Alias& alias, int64_t n, int32_t* ids);

/// table[index[i]] summed up: what random reads of 8 bytes cost at least.
uint64_t random_reads(const uint64_t* table, const int32_t* index, int64_t n);

}  // namespace bench::draws
