// SPDX-License-Identifier: Apache-2.0
// The k best of one row whose scores come piece by piece: what dense rows, merges of lists and the linear source share.
//
//   begin();  feed(tile, first class of it, excluded ids) for tiles of rising class;  finish() or absorb() + finish()
//
// A stream is the state of one row (topk_list_bytes), TopkWork the scratch of one thread (topk_work_bytes) that any number of
// streams of the same shape use in turn. Neither allocates.
#pragma once

#include "core/context.hpp"
#include "core/topk_list.hpp"
#include "targets/table.hpp"

#include <vastmax/vastmax.h>

namespace vmx {

struct TopkShape {
  int32_t dtype;   // of the scores fed
  int64_t k;       // at least 1
  int64_t cols;    // the most scores that a row is fed
  int64_t piece;   // the most scores of one feed
  uint32_t flags;  // of vmx_topk_options
  bool watch;      // row flags are wanted
};

size_t topk_list_bytes(const TopkShape& shape);
size_t topk_work_bytes(const TopkShape& shape);
/// memory: topk_work_bytes, aligned to kAlignment, as that of a list.
TopkWork make_topk_work(const TopkShape& shape, void* memory);

struct TopkKernels {
  decltype(Kernels::topk_feed) feed;
  decltype(Kernels::topk_guess) guess;
  decltype(KernelTable::topk_finish_f32) finish;
};
TopkKernels topk_kernels(const KernelTable& table, int32_t dtype);

/// Where results go. Views with data NULL and NULL flags are not wanted.
struct TopkOutputs {
  vmx_matrix values, ids;
  uint32_t* row_flags;
  int64_t id_offset;  // added to each class to give its id
  const int64_t* id_map = nullptr;  // or else the ids of all classes
};

class TopkStream {
 public:
  void begin(const vmx_context& ctx, const TopkShape& shape, void* memory);

  /// The scores of classes first ... first + n - 1, adjacent, all later than those fed before. excluded: rising class ids
  /// without repeats, of the whole row.
  void feed(const TopkWork& work, const void* scores, int64_t n, int64_t first, const int32_t* excluded,
            int64_t n_excluded);

  /// Before the first feed, for large k: of n scores drawn from the row, about `rank` are candidates. If that was too few
  /// after all, close(), absorb() and finish() return false, and the row must be fed again after begin() without a guess.
  void guess(const TopkWork& work, const void* sample, int64_t n, int64_t rank);

  /// Ends the feeding: false if a guess failed.
  bool close(const TopkWork& work);
  /// Takes over what a stream of later classes of the same row has found. Both are closed first.
  bool absorb(const TopkWork& work, TopkStream& later);

  /// Writes row `row` of the outputs. source: NULL, or what f16 values are copied from (column = class), so that the bits of a
  /// NaN stay.
  bool finish(const TopkWork& work, const TopkOutputs& out, int64_t row, const vmx_matrix* source);

  /// Whether the threshold is settled so far that most blocks of scores are passed over after one look at their maximum.
  bool settled() const { return list_.threshold != kTopkNoThreshold; }

 private:
  TopkList list_;
  TopkKernels kernels_;
  int32_t dtype_ = 0;
  bool sorted_ = true;
};

}  // namespace vmx
