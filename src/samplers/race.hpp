// SPDX-License-Identifier: Apache-2.0
// A race between classes: the `wanted` largest of z/T + G, G = -log E standard Gumbel noise, are as many draws without replacement
// from softmax(z/T), in order (Kool et al. 2019). Classes come in any order, in several races that are merged, with the same
// result.
#pragma once

#include "core/philox.hpp"
#include "targets/table.hpp"

#include <cstddef>
#include <cstdint>

namespace vmx {

/// The noise of class c: u = (64 bits + 1/2) / 2^64, the upper 32 of them from word c % 4 of block c / 4 of one stream, the lower
/// ones from another.
struct NoiseStreams {
  WordStream upper, lower;
};

class Race {
 public:
  struct Entry {
    double key, lost;  // z/T + G exactly: what the sum rounds away counts too, where scores are large
    double score, noise;
    int32_t id;
  };
  static bool before(const Entry& a, const Entry& b) {
    if (a.key != b.key) return a.key > b.key;
    if (a.lost != b.lost) return a.lost > b.lost;
    return a.id < b.id;
  }

  static size_t bytes(int64_t wanted);

  /// inverse: 1/T. memory: bytes(wanted), aligned to 64 bytes.
  void begin(const KernelTable& kernels, const NoiseStreams& noise, double inverse, int64_t wanted, void* memory);
  /// Scores of classes [first, first + n), first a multiple of 4. -inf and NaN take no part.
  void feed(const float* z, int64_t n, int64_t first) { feed_scores(z, n, first, kernels_->race_filter_f32); }
  void feed(const double* z, int64_t n, int64_t first) { feed_scores(z, n, first, kernels_->race_filter_f64); }
  /// Of the same wanted.
  void absorb(const Race& other);
  /// In the order of the draws; how many is returned.
  int64_t finish(const Entry** entries);

 private:
  template <class T, class Filter>
  void feed_scores(const T* z, int64_t n, int64_t first, Filter filter);
  void add(double z, int64_t id, uint32_t upper);
  void prune();

  const KernelTable* kernels_;
  NoiseStreams noise_;
  double inverse_, scale_;
  int64_t wanted_, capacity_, count_, seen_;
  double threshold_score_, threshold_noise_;  // of the filter
  Entry* entries_;
  int32_t *offsets_, *words_;
};

}  // namespace vmx
