// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.hpp"

#if !VMX_WITH_ONEDNN

namespace vmx {

vmx_status linear_logsumexp(const vmx_context&, vmx_workspace*, const LinearInput&, const vmx_softmax_options&,
                            const vmx_vector*, uint32_t*, size_t*) {
  return fail_without_onednn();
}

}  // namespace vmx

#else

#include "ops/linear_rows.hpp"
#include "ops/linear_tasks.hpp"
#include "ops/rows.hpp"

#include <algorithm>

namespace vmx {
namespace {

// Rows in work together: enough that the weights are read seldom.
constexpr int64_t kMostBlockRows = 4096;

struct Row {
  RowTemperature temperature;
  LseSum sum;
  RowMaximum maximum;
};

struct Worker {
  LinearSource::Worker source;
  float* scores;    // of a tile
  float* staged;    // of a row of it
  LseSum* sums;     // of the block's rows
  RowMaximum* maxima;
};

class LogSumExp {
 public:
  LogSumExp(const vmx_context& ctx, const LinearInput& input, const vmx_softmax_options& options)
      : ctx_(ctx),
        input_(input),
        source_(ctx, input),
        rows_(ctx, input.rows(), 0.0, Temperatures{options.temperature, options.temperature_stride},
              (options.flags & VMX_PRECISE) != 0) {}

  vmx_status plan() {
    const int64_t items = source_.chunks() * source_.tiles();
    plan_.workers = std::max<int64_t>(1, std::min<int64_t>(ctx_.threads, items));
    plan_.block_chunks = 1;
    for (;; --plan_.workers) {
      plan_.bytes = bytes();
      if (plan_.bytes <= input_.memory_limit) break;
      if (plan_.workers == 1) return fail_memory_limit(input_.memory_limit, plan_.bytes);
    }
    while (plan_.block_chunks < source_.chunks() &&
           (plan_.block_chunks + 1) * source_.most_padded_rows() <= kMostBlockRows) {
      ++plan_.block_chunks;
      const size_t more = bytes();
      if (more > input_.memory_limit) {
        --plan_.block_chunks;
        break;
      }
      plan_.bytes = more;
    }
    return VMX_OK;
  }
  size_t planned_bytes() const { return plan_.bytes; }

  void run(vmx_workspace* ws, const vmx_vector& lse, uint32_t* row_flags) {
    Scratch scratch(ctx_, ws, plan_.bytes);
    take(scratch);
    for (int64_t first = 0; first < source_.chunks(); first += plan_.block_chunks) {
      const int64_t chunks = std::min(plan_.block_chunks, source_.chunks() - first);
      begin(first, chunks);
      Items items(chunks * source_.tiles());
      run_workers(ctx_, plan_.workers, [&](int64_t w) {
        for (int64_t item; items.take(&item);) fold(worker_at(w), first, item % chunks, item / chunks);
      });
      const int64_t row0 = source_.chunk_begin(first);
      for (int64_t i = 0; i < block_rows(first, chunks); ++i) {
        Row& r = row_[i];
        for (int64_t w = 0; w < plan_.workers; ++w) {
          r.sum.merge(worker_at(w).sums[i]);
          if (rows_.any_first_maximum()) LinearRows::merge(r.maximum, worker_at(w).maxima[i]);
        }
        double value;
        if (r.temperature.mode == TemperatureMode::first_maximum) {
          rows_.finish(&r.temperature, r.maximum, -1, r.sum);
          value = lse_of(r.sum, r.temperature.params);
          // The limit of max/T.
          if (value == 0.0) value = r.maximum.value > 0 ? kInf : r.maximum.value < 0 ? -kInf : 0.0;
        } else {
          value = lse_of(r.sum, r.temperature.params);
        }
        store_result(lse, row0 + i, value);
        if (row_flags) row_flags[row0 + i] = row_flags_of(r.sum);
      }
    }
  }

 private:
  static constexpr double kInf = __builtin_inf();

  int64_t block_rows(int64_t first, int64_t chunks) const {
    return std::min(source_.chunk_begin(first + chunks), source_.rows()) - source_.chunk_begin(first);
  }
  Worker& worker_at(int64_t w) { return workers_[w]; }
  char* hidden_at(int64_t chunk) { return hidden_ + chunk * static_cast<int64_t>(source_.hidden_bytes(0)); }

  // hidden_bytes(0) is that of a whole chunk; all others take no more.
  template <class Taker>
  void take(Taker& taker) {
    const auto rows = static_cast<size_t>(plan_.block_chunks * source_.most_padded_rows());
    const auto tile = static_cast<size_t>(source_.most_tile_cols());
    hidden_ = taker.template take<char>(source_.chunks() > 0 ? source_.hidden_bytes(0) * static_cast<size_t>(plan_.block_chunks) : 0);
    row_ = taker.template take<Row>(rows);
    workers_ = taker.template take<Worker>(static_cast<size_t>(plan_.workers));
    for (int64_t w = 0; w < plan_.workers; ++w) {
      Worker worker;
      worker.source = source_.take_worker(taker);
      worker.scores = taker.template take<float>(
          static_cast<size_t>(source_.most_padded_rows() * source_.most_scores_ld()));
      worker.staged = taker.template take<float>(tile);
      worker.sums = taker.template take<LseSum>(rows);
      worker.maxima = taker.template take<RowMaximum>(rows_.any_first_maximum() ? rows : 0);
      if (workers_) workers_[w] = worker;
    }
  }
  size_t bytes() {
    PieceCounter counter;
    take(counter);
    return counter.bytes();
  }

  void begin(int64_t first, int64_t chunks) {
    const int64_t row0 = source_.chunk_begin(first), rows = block_rows(first, chunks);
    parallel_for(ctx_, chunks, [&](int64_t c) { source_.load_hidden(first + c, hidden_at(c)); });
    for (int64_t i = 0; i < rows; ++i) {
      row_[i] = Row{};
      rows_.begin(row0 + i, &row_[i].temperature);
    }
    for (int64_t w = 0; w < plan_.workers; ++w) {
      std::fill_n(worker_at(w).sums, rows, LseSum{});
      if (rows_.any_first_maximum()) std::fill_n(worker_at(w).maxima, rows, RowMaximum{});
    }
  }

  void fold(Worker& worker, int64_t first, int64_t chunk, int64_t tile) {
    const int64_t cols = source_.tile_cols(tile), c0 = source_.tile_begin(tile);
    source_.scores(first + chunk, tile, hidden_at(chunk), worker.scores, worker.source);
    const int64_t offset = source_.chunk_begin(first + chunk) - source_.chunk_begin(first);
    for (int64_t i = 0; i < source_.chunk_rows(first + chunk); ++i) {
      const RowTemperature& t = row_[offset + i].temperature;
      const float* const z = rows_.stage(t, worker.scores + i * source_.scores_ld(tile), cols, worker.staged);
      rows_.fold(t, z, c0, cols, -1, worker.sums[offset + i],
                 rows_.any_first_maximum() ? &worker.maxima[offset + i] : nullptr);
    }
  }

  const vmx_context& ctx_;
  const LinearInput& input_;
  LinearSource source_;
  LinearRows rows_;
  LinearPlan plan_;
  char* hidden_ = nullptr;
  Row* row_ = nullptr;
  Worker* workers_ = nullptr;
};

}  // namespace

vmx_status linear_logsumexp(const vmx_context& ctx, vmx_workspace* ws, const LinearInput& input,
                            const vmx_softmax_options& options, const vmx_vector* lse, uint32_t* row_flags,
                            size_t* size) {
  LogSumExp call(ctx, input, options);
  VMX_TRY(call.plan());
  if (size) {
    *size = call.planned_bytes();
    return VMX_OK;
  }
  call.run(ws, *lse, row_flags);
  return VMX_OK;
}

}  // namespace vmx

#endif
