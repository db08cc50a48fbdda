// SPDX-License-Identifier: Apache-2.0
// The candidates of one row on their way to its k best, and the scratch that work on them needs. Plain data: the kernels of
// folds/topk.hpp do the work.
//
// Keys are integers in the order of vmx_topk, larger being better (of -x with VMX_TOPK_SMALLEST): equal for -0 and +0, and the
// lowest number for NaN. int32 for f32, bf16 and f16 scores, int64 for f64.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vmx {

/// Scores that share one maximum.
constexpr int64_t kTopkBlock = 64;
/// The most maxima that are held at a time.
constexpr int64_t kTopkBlocks = 2048;
/// Elements behind the ends of arrays that whole registers may write to.
constexpr int64_t kTopkSlack = 64;
/// The most scores of a sample.
constexpr int64_t kTopkSample = 4096;
/// The most lanes of a register.
constexpr int64_t kTopkLanes = 16;
/// A threshold that lets everything pass, NaN too.
constexpr int64_t kTopkNoThreshold = INT64_MIN;

struct TopkList {
  int64_t k = 0;         // entries wanted, at least 1
  int64_t capacity = 0;  // candidates that fit, from topk_capacity()
  int64_t count = 0;     // candidates held, by rising id
  /// What has a lower key is not among the k best: a later entry is a candidate only from here on.
  int64_t threshold = kTopkNoThreshold;
  bool guessed = false;   // the threshold comes from a sample and may be too high
  bool dense = false;     // most blocks hold a candidate: looking at their maxima first does not pay
  bool smallest = false;  // VMX_TOPK_SMALLEST
  bool watch = false;     // row flags are wanted
  bool short_of = false;  // set at the end: a guessed threshold was too high, begin again without it
  bool allowed = false;   // with watch and smallest: an entry that is neither -inf nor NaN nor excluded was seen
  uint32_t flags = 0;     // with watch: VMX_ROW_NAN, VMX_ROW_INF of what was seen, excluded entries included
  void* scores = nullptr;  // of the candidates as f32 (f64 for f64), capacity + kTopkSlack
  int32_t* ids = nullptr;  // as many
};

/// Of one thread at a time; any number of lists may use one in turn.
struct TopkWork {
  void* keys = nullptr;        // keys of a list's candidates, of a sample, or kTopkLanes for each block; and kTopkSlack
  void* maxima = nullptr;      // keys of blocks
  int32_t* hits = nullptr;     // as many, and kTopkSlack
  int64_t blocks = 0;          // how many fit, at least 1
  void* pairs[2] = {nullptr, nullptr};  // TopkPair32 or TopkPair64, topk_sorted() of them; only to sort
  int32_t* order = nullptr;    // as many: positions in the list, best first
};

struct TopkPair32 {
  uint32_t distance;  // from the best key
  int32_t position;
};
struct TopkPair64 {
  uint64_t distance;
  int64_t position;
};

/// Room for the candidates of a row of which at most cols entries are fed.
constexpr int64_t topk_capacity(int64_t k, int64_t cols) {
  const int64_t room = k < 512 ? 1024 : k > INT64_MAX / 4 ? k : 2 * k;
  return room < cols + kTopkBlock ? room : cols + kTopkBlock;
}
/// How many candidates are sorted for k of them, at most.
constexpr int64_t topk_sorted(int64_t k) { return k + k / 4 + 16; }

}  // namespace vmx
