// SPDX-License-Identifier: Apache-2.0
#include "ops/topk.hpp"

#include "core/dtype.hpp"
#include "ops/rows.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <new>

namespace vmx {
namespace {

constexpr int64_t kPiece = 16384;        // scores gathered at a time from a strided row
constexpr int64_t kShortest = 65536;     // columns that are worth a task of their own
constexpr int64_t kSampleRun = 8;        // adjacent scores of a sample

// How rows are handed out. Results are exact, so they cannot depend on it.
struct Plan {
  TopkShape shape;
  int64_t segments = 1;      // tasks of one row
  int64_t segment_cols = 0;
  int64_t rows_at_once = 1;  // of one task, without segments
  int64_t tasks = 0;
  int64_t workers = 1;       // tasks that run at a time, each with scratch of its own
  size_t list = 0, work = 0, gathered = 0, sampled = 0;  // bytes of a worker

  size_t worker_bytes() const { return Scratch::sum(segments > 1 ? 0 : list, work, gathered, sampled); }
  size_t bytes() const {
    const size_t lists = segments > 1 ? saturating_mul(list, static_cast<size_t>(tasks)) : 0;
    const size_t streams = segments > 1 ? Scratch::need<TopkStream>(static_cast<size_t>(tasks)) : 0;
    return Scratch::sum(lists, streams, saturating_mul(worker_bytes(), static_cast<size_t>(workers)));
  }
};

Plan make_plan(const vmx_context& ctx, const vmx_matrix& x, int64_t k, uint32_t flags) {
  Plan plan;
  const int64_t threads = has_threads(ctx) ? ctx.threads : 1;
  const int64_t wanted = threads > 1 && x.rows > 0 && x.rows < 2 * threads ? (2 * threads + x.rows - 1) / x.rows : 1;
  plan.segments = std::max<int64_t>(1, std::min({wanted, x.cols / kShortest, x.cols / 8 / k}));
  plan.segment_cols = (x.cols / plan.segments + VMX_BLOCK - 1) / VMX_BLOCK * VMX_BLOCK;
  if (plan.segments == 1) plan.segment_cols = x.cols;
  plan.segments = plan.segment_cols > 0 ? (x.cols + plan.segment_cols - 1) / plan.segment_cols : 1;
  plan.rows_at_once = std::max<int64_t>(1, kPiece / std::max<int64_t>(x.cols, 1));
  plan.tasks = plan.segments > 1 ? x.rows * plan.segments : (x.rows + plan.rows_at_once - 1) / plan.rows_at_once;
  plan.workers = std::clamp<int64_t>(plan.tasks, 1, threads);
  const bool in_place = x.col_stride == 1 || x.cols <= 1;
  plan.shape = {x.dtype, k, x.cols, in_place ? plan.segment_cols : std::min(kPiece, plan.segment_cols), flags, true};
  plan.list = topk_list_bytes(plan.shape);
  plan.work = topk_work_bytes(plan.shape);
  const auto size = static_cast<size_t>(dtype_size(x.dtype));
  plan.gathered = in_place ? 0 : Scratch::need(static_cast<size_t>(plan.shape.piece) * size);
  plan.sampled = Scratch::need(static_cast<size_t>(kTopkSample) * size);
  return plan;
}

// Scores of columns [c0, c0 + n), in runs spread over them: one run somewhere in each of equal parts, so that no order of the
// scores is misjudged and no period of theirs meets ours.
int64_t draw_sample(const vmx_matrix& x, int64_t row, int64_t c0, int64_t n, void* sample) {
  const int64_t runs = std::min(kTopkSample, n / 8) / kSampleRun, part = n / runs;
  const int64_t size = dtype_size(x.dtype);
  uint64_t state = 0x9e3779b97f4a7c15u;
  auto* to = static_cast<std::byte*>(sample);
  for (int64_t i = 0; i < runs; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;  // Knuth's constants
    const auto spread = static_cast<uint64_t>(part - kSampleRun + 1);
    const int64_t c = c0 + i * part + static_cast<int64_t>(((state >> 32) * spread) >> 32);
    const void* const run = contiguous(x, row, c, kSampleRun, to);
    if (run != to) std::memcpy(to, run, static_cast<size_t>(kSampleRun * size));
    to += kSampleRun * size;
  }
  return runs * kSampleRun;
}

class DenseRows {
 public:
  DenseRows(const vmx_context& ctx, const Plan& plan, const vmx_matrix& x, const ExcludedIds& excluded)
      : ctx_(ctx), plan_(plan), x_(x), excluded_(excluded) {}

  struct Worker {
    TopkWork work;
    void* gathered;
    void* sample;
  };

  // The candidates of columns [c0, c0 + n) of a row.
  void fold(TopkStream& stream, void* memory, const Worker& worker, int64_t row, int64_t c0, int64_t n, bool guess) const {
    stream.begin(ctx_, plan_.shape, memory);
    if (guess) guess_threshold(stream, worker, row, c0, n);
    for (int64_t c = c0; c < c0 + n; c += plan_.shape.piece) {
      const int64_t count = std::min(plan_.shape.piece, c0 + n - c);
      stream.feed(worker.work, contiguous(x_, row, c, count, worker.gathered), count, c, excluded_.ids(row),
                  excluded_.count(row));
    }
  }

 private:
  // Where the maxima of blocks give no threshold, there being too few of them.
  void guess_threshold(TopkStream& stream, const Worker& worker, int64_t row, int64_t c0, int64_t n) const {
    const int64_t k = plan_.shape.k + excluded_.count(row);
    const int64_t blocks = std::min(std::min(n, plan_.shape.piece) / kTopkBlock, worker.work.blocks);
    if (k <= blocks * 3 / 4 || n <= topk_capacity(plan_.shape.k, n) || n < 64 * kSampleRun) return;
    const int64_t drawn = draw_sample(x_, row, c0, n, worker.sample);
    const double expected = static_cast<double>(k) / static_cast<double>(n) * static_cast<double>(drawn);
    const double rank = expected + 4 * std::sqrt(expected) + 2;  // four deviations: seldom too few
    if (rank < 0.75 * static_cast<double>(drawn)) {
      stream.guess(worker.work, worker.sample, drawn, static_cast<int64_t>(rank));
    }
  }

  const vmx_context& ctx_;
  const Plan& plan_;
  const vmx_matrix& x_;
  const ExcludedIds& excluded_;
};

// f(worker, task) for each task; tasks of one worker never run side by side.
template <class Function>
void for_each_task(const vmx_context& ctx, int64_t workers, int64_t tasks, Function&& f) {
  if (workers <= 1) {
    for (int64_t task = 0; task < tasks; ++task) f(int64_t{0}, task);
    return;
  }
  std::atomic<int64_t> next{0};
  parallel_for(ctx, workers, [&](int64_t worker) {
    for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) f(worker, task);
  });
}

}  // namespace

size_t topk_scratch(const vmx_context& ctx, const vmx_matrix& x, int64_t k, const vmx_topk_options& options) {
  return Scratch::sum(make_plan(ctx, x, k, options.flags).bytes(), ExcludedIds::bytes(options.excluded, x.rows));
}

void topk(const vmx_context& ctx, vmx_workspace* ws, const vmx_matrix& x, int64_t k, const vmx_topk_options& options,
          const TopkOutputs& out) {
  if (x.rows == 0) return;
  Plan plan = make_plan(ctx, x, k, options.flags);
  plan.shape.watch = out.row_flags != nullptr;
  Scratch scratch(ctx, ws, topk_scratch(ctx, x, k, options));
  ExcludedIds excluded(options.excluded);
  excluded.prepare(ctx, x.rows, options.col_offset, x.cols, scratch.take<std::byte>(ExcludedIds::bytes(options.excluded, x.rows)));
  auto* const lists = scratch.take<std::byte>(plan.segments > 1 ? plan.list * static_cast<size_t>(plan.tasks) : 0);
  auto* const workers = scratch.take<std::byte>(plan.worker_bytes() * static_cast<size_t>(plan.workers));

  const DenseRows rows(ctx, plan, x, excluded);
  const auto worker_of = [&](int64_t i, std::byte** own_list) {
    std::byte* at = workers + plan.worker_bytes() * static_cast<size_t>(i);
    DenseRows::Worker worker;
    worker.work = make_topk_work(plan.shape, at);
    at += plan.work;
    worker.gathered = at;
    at += plan.gathered;
    worker.sample = at;
    *own_list = at + plan.sampled;
    return worker;
  };

  if (plan.segments == 1) {
    for_each_task(ctx, plan.workers, plan.tasks, [&](int64_t i, int64_t task) {
      std::byte* own_list;
      const DenseRows::Worker worker = worker_of(i, &own_list);
      TopkStream stream;
      const int64_t end = std::min(x.rows, (task + 1) * plan.rows_at_once);
      for (int64_t row = task * plan.rows_at_once; row < end; ++row) {
        rows.fold(stream, own_list, worker, row, 0, x.cols, true);
        if (stream.finish(worker.work, out, row, &x)) continue;
        rows.fold(stream, own_list, worker, row, 0, x.cols, false);
        stream.finish(worker.work, out, row, &x);
      }
    });
    return;
  }

  auto* const streams = scratch.take<TopkStream>(static_cast<size_t>(plan.tasks));
  for_each_task(ctx, plan.workers, plan.tasks, [&](int64_t i, int64_t task) {
    std::byte* unused;
    const DenseRows::Worker worker = worker_of(i, &unused);
    const int64_t row = task / plan.segments, c0 = task % plan.segments * plan.segment_cols;
    const int64_t n = std::min(plan.segment_cols, x.cols - c0);
    TopkStream& stream = *::new (streams + task) TopkStream;
    std::byte* const list = lists + plan.list * static_cast<size_t>(task);
    rows.fold(stream, list, worker, row, c0, n, true);
    if (stream.close(worker.work)) return;
    rows.fold(stream, list, worker, row, c0, n, false);
    stream.close(worker.work);
  });
  std::byte* unused;
  const DenseRows::Worker worker = worker_of(0, &unused);
  for (int64_t row = 0; row < x.rows; ++row) {
    TopkStream& stream = streams[row * plan.segments];
    for (int64_t s = 1; s < plan.segments; ++s) stream.absorb(worker.work, streams[row * plan.segments + s]);
    stream.finish(worker.work, out, row, &x);
  }
}

namespace {

struct Entry {
  int64_t id, column;
  bool operator<(const Entry& other) const { return id != other.id ? id < other.id : column < other.column; }
};

struct MergePlan {
  TopkShape shape;
  int64_t workers, rows_at_once, tasks;
  size_t list, work, entries, scores, ids;  // bytes of a worker

  MergePlan(const vmx_context& ctx, const vmx_matrix& values, int64_t k, uint32_t flags) {
    const int64_t m = values.cols;
    shape = {values.dtype, k, m, m, flags, true};
    rows_at_once = std::max<int64_t>(1, kPiece / 4 / std::max<int64_t>(m, 1));
    tasks = (values.rows + rows_at_once - 1) / rows_at_once;
    workers = std::clamp<int64_t>(tasks, 1, has_threads(ctx) ? ctx.threads : 1);
    list = topk_list_bytes(shape);
    work = topk_work_bytes(shape);
    entries = Scratch::need<Entry>(static_cast<size_t>(m));
    scores = Scratch::need(static_cast<size_t>(m * dtype_size(values.dtype)));
    ids = Scratch::need<int64_t>(static_cast<size_t>(m));
  }
  size_t worker_bytes() const { return Scratch::sum(list, work, entries, scores, ids); }
};

int64_t id_at(const vmx_matrix& ids, int64_t row, int64_t column) {
  const int64_t at = row * ids.row_stride + column * ids.col_stride;
  return ids.dtype == VMX_I32 ? static_cast<const int32_t*>(ids.data)[at] : static_cast<const int64_t*>(ids.data)[at];
}

// The entries that are no empty slots, by rising id.
int64_t collect_entries(const vmx_matrix& ids, int64_t row, Entry* entries) {
  int64_t n = 0;
  for (int64_t column = 0; column < ids.cols; ++column) {
    const int64_t id = id_at(ids, row, column);
    if (id >= 0) entries[n++] = {id, column};
  }
  if (!std::is_sorted(entries, entries + n)) std::sort(entries, entries + n);
  return n;
}

void gather_entries(const vmx_matrix& values, int64_t row, const Entry* entries, int64_t n, void* scores, int64_t* ids) {
  const auto size = static_cast<size_t>(dtype_size(values.dtype));
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(static_cast<std::byte*>(scores) + static_cast<size_t>(i) * size,
                element(values, row, entries[i].column, static_cast<int64_t>(size)), size);
    ids[i] = entries[i].id;
  }
}

}  // namespace

void topk_merge(const vmx_context& ctx, vmx_workspace* ws, const vmx_matrix& values_in, const vmx_matrix& ids_in, int64_t k,
                const vmx_topk_options& options, const TopkOutputs& out) {
  if (values_in.rows == 0) return;
  MergePlan plan(ctx, values_in, k, options.flags);
  Scratch scratch(ctx, ws, saturating_mul(plan.worker_bytes(), static_cast<size_t>(plan.workers)));
  auto* const workers = scratch.take<std::byte>(plan.worker_bytes() * static_cast<size_t>(plan.workers));
  plan.shape.watch = out.row_flags != nullptr;
  for_each_task(ctx, plan.workers, plan.tasks, [&](int64_t worker, int64_t task) {
    std::byte* const list = workers + plan.worker_bytes() * static_cast<size_t>(worker);
    const TopkWork work = make_topk_work(plan.shape, list + plan.list);
    auto* const entries = reinterpret_cast<Entry*>(list + plan.list + plan.work);
    std::byte* const scores = list + plan.list + plan.work + plan.entries;
    auto* const ids = reinterpret_cast<int64_t*>(scores + plan.scores);
    TopkOutputs mapped = out;
    mapped.id_map = ids;
    const vmx_matrix source{scores, values_in.rows, values_in.cols, 0, 1, values_in.dtype, 0};
    const int64_t end = std::min(values_in.rows, (task + 1) * plan.rows_at_once);
    for (int64_t row = task * plan.rows_at_once; row < end; ++row) {
      const int64_t n = collect_entries(ids_in, row, entries);
      gather_entries(values_in, row, entries, n, scores, ids);
      TopkStream stream;
      stream.begin(ctx, plan.shape, list);
      stream.feed(work, scores, n, 0, nullptr, 0);
      stream.finish(work, mapped, row, &source);
    }
  });
}

}  // namespace vmx
