// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.hpp"

#if !VMX_WITH_ONEDNN

namespace vmx {

vmx_status linear_topk(const vmx_context&, vmx_workspace*, const LinearInput&, int64_t, const vmx_topk_options&,
                       const TopkOutputs*, size_t*) {
  return fail_without_onednn();
}

}  // namespace vmx

#else

#include "ops/excluded.hpp"
#include "ops/linear_tasks.hpp"

#include <algorithm>
#include <new>

namespace vmx {
namespace {

// Large k means large lists: fewer rows at a time then. By the call's sizes alone, since the shapes of products decide about
// bits.
constexpr size_t kMostListBytes = size_t{32} << 20;

int64_t most_rows_at_once(const TopkShape& shape) {
  const size_t rows = kMostListBytes / topk_list_bytes(shape);
  if (rows >= kMostChunkRows) return kMostChunkRows;
  return rows >= 16 ? static_cast<int64_t>(rows / 16 * 16) : std::max<int64_t>(1, static_cast<int64_t>(rows));
}

// One worker has the tiles of one segment of the classes, for all rows of a chunk.
struct Worker {
  LinearSource::Worker source;
  float* scores;  // of a tile
  void* work;
  char* lists;    // of the chunk's rows
  TopkStream* streams;
};

class TopK {
 public:
  TopK(const vmx_context& ctx, const LinearInput& input, int64_t k, const vmx_topk_options& options, bool watch)
      : ctx_(ctx),
        input_(input),
        options_(options),
        shape_{VMX_F32, k, input.classes, kTile, options.flags, watch},
        source_(ctx, input, most_rows_at_once(shape_)),
        excluded_(options.excluded) {}

  vmx_status plan() {
    plan_.workers = std::max<int64_t>(1, std::min<int64_t>(ctx_.threads, source_.tiles()));
    while ((plan_.bytes = bytes()) > input_.memory_limit) {
      if (plan_.workers == 1) return fail_memory_limit(input_.memory_limit, plan_.bytes);
      --plan_.workers;
    }
    return VMX_OK;
  }
  size_t planned_bytes() const { return plan_.bytes; }

  void run(vmx_workspace* ws, const TopkOutputs& out) {
    if (source_.rows() == 0) return;
    Scratch scratch(ctx_, ws, plan_.bytes);
    take(scratch);
    excluded_.prepare(ctx_, source_.rows(), options_.col_offset, source_.classes(), excluded_memory_);
    for (int64_t chunk = 0; chunk < source_.chunks(); ++chunk) {
      source_.load_hidden(chunk, hidden_);
      run_workers(ctx_, plan_.workers, [&](int64_t w) { fold(workers_[w], chunk, first_tile(w), first_tile(w + 1)); });
      const int64_t rows = source_.chunk_rows(chunk), share = (rows + plan_.workers - 1) / plan_.workers;
      parallel_for(ctx_, plan_.workers, [&](int64_t w) {
        const TopkWork work = make_topk_work(shape_, workers_[w].work);
        for (int64_t i = w * share; i < std::min(rows, (w + 1) * share); ++i) {
          TopkStream& whole = workers_[0].streams[i];
          for (int64_t later = 1; later < plan_.workers; ++later) whole.absorb(work, workers_[later].streams[i]);
          whole.finish(work, out, source_.chunk_begin(chunk) + i, nullptr);
        }
      });
    }
  }

 private:
  int64_t first_tile(int64_t worker) const { return source_.tiles() * worker / plan_.workers; }

  template <class Taker>
  void take(Taker& taker) {
    const auto rows = static_cast<size_t>(source_.chunks() > 0 ? source_.chunk_rows(0) : 0);
    excluded_memory_ = taker.template take<char>(ExcludedIds::bytes(options_.excluded, source_.rows()));
    hidden_ = taker.template take<char>(rows > 0 ? source_.hidden_bytes(0) : 0);
    workers_ = taker.template take<Worker>(static_cast<size_t>(plan_.workers));
    for (int64_t w = 0; w < plan_.workers; ++w) {
      Worker worker{};
      worker.source = source_.take_worker(taker);
      worker.scores = taker.template take<float>(
          rows > 0 ? static_cast<size_t>(source_.padded_rows(0) * source_.most_scores_ld()) : 0);
      worker.work = taker.template take<char>(topk_work_bytes(shape_));
      worker.lists = taker.template take<char>(saturating_mul(rows, topk_list_bytes(shape_)));
      worker.streams = taker.template take<TopkStream>(rows);
      if (workers_) workers_[w] = worker;
    }
  }
  size_t bytes() {
    PieceCounter counter;
    take(counter);
    return counter.bytes();
  }

  void fold(Worker& worker, int64_t chunk, int64_t begin, int64_t end) {
    const int64_t rows = source_.chunk_rows(chunk);
    const TopkWork work = make_topk_work(shape_, worker.work);
    for (int64_t i = 0; i < rows; ++i) {
      ::new (&worker.streams[i]) TopkStream;
      worker.streams[i].begin(ctx_, shape_, worker.lists + static_cast<size_t>(i) * topk_list_bytes(shape_));
    }
    worker.source.staged_tile = -1;
    for (int64_t tile = begin; tile < end; ++tile) {
      source_.scores(chunk, tile, hidden_, worker.scores, worker.source);
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t row = source_.chunk_begin(chunk) + i;
        worker.streams[i].feed(work, worker.scores + i * source_.scores_ld(tile), source_.tile_cols(tile),
                               source_.tile_begin(tile), excluded_.ids(row), excluded_.count(row));
      }
    }
  }

  const vmx_context& ctx_;
  const LinearInput& input_;
  const vmx_topk_options& options_;
  const TopkShape shape_;
  LinearSource source_;
  ExcludedIds excluded_;
  LinearPlan plan_;
  char* excluded_memory_ = nullptr;
  char* hidden_ = nullptr;
  Worker* workers_ = nullptr;
};

}  // namespace

vmx_status linear_topk(const vmx_context& ctx, vmx_workspace* ws, const LinearInput& input, int64_t k,
                       const vmx_topk_options& options, const TopkOutputs* out, size_t* size) {
  // Sizes are told as if flags were wanted.
  TopK call(ctx, input, k, options, !out || out->row_flags);
  VMX_TRY(call.plan());
  if (size) {
    *size = call.planned_bytes();
    return VMX_OK;
  }
  call.run(ws, *out);
  return VMX_OK;
}

}  // namespace vmx

#endif
