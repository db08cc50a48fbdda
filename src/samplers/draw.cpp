// SPDX-License-Identifier: Apache-2.0
#include "samplers/draw.hpp"

#include "core/scalar_math.hpp"
#include "core/views.hpp"
#include "ops/items.hpp"
#include "ops/rows.hpp"
#include "samplers/class_set.hpp"
#include "samplers/panels.hpp"

#include <algorithm>

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();
constexpr int64_t kTask = 16 * kDrawBatch;  // draws with replacement that one task makes
constexpr int64_t kMostTries = int64_t{1} << 62;

int64_t padded(int64_t n) { return (n + 63) / 64 * 64; }

// What one thread needs.
struct Worker {
  float* hidden;
  void* proposal;
  int32_t* ids;  // kDrawBatch
  double* log_q;  // kDrawBatch
  double* terms;  // kDrawBatch
  // Without replacement:
  int32_t* set;
  int32_t* order;   // the row's classes as drawn; room for one batch more
  int32_t* sorted;
  double* order_log_q;
  void* race;
};

class Draws {
 public:
  Draws(const vmx_context& ctx, const DrawCall& call) : ctx_(ctx), kernels_(*ctx.kernels), call_(call) {
    const bool whole_rows = call.unique() || call.sampler->needs_hidden();
    parts_ = whole_rows ? 1 : std::max<int64_t>(1, (call.m() + kTask - 1) / kTask);
    tasks_ = call.rows() * parts_;
    workers_n_ = std::max<int64_t>(1, std::min<int64_t>(ctx.threads, tasks_));
  }

  template <class Taker>
  void take(Taker& taker) {
    workers_ = taker.template take<Worker>(static_cast<size_t>(workers_n_));
    const vmx_sampler& s = *call_.sampler;
    const bool conditional = s.needs_hidden(), unique = call_.unique();
    const auto m = static_cast<size_t>(padded(call_.m()));
    for (int64_t w = 0; w < workers_n_; ++w) {
      Worker worker{};
      worker.hidden = taker.template take<float>(conditional ? static_cast<size_t>(s.dim) : 0);
      worker.proposal = taker.template take<char>(s.proposal_bytes());
      worker.ids = taker.template take<int32_t>(kDrawBatch);
      worker.log_q = taker.template take<double>(kDrawBatch);
      worker.terms = taker.template take<double>(kDrawBatch);
      if (unique) {
        worker.set = taker.template take<int32_t>(ClassSet::slots(call_.m()));
        worker.order = taker.template take<int32_t>(m + kDrawBatch);
        worker.sorted = taker.template take<int32_t>(m);
        worker.order_log_q = taker.template take<double>(m);
        worker.race = taker.template take<char>(Race::bytes(call_.m()));
      }
      if (workers_) workers_[w] = worker;
    }
  }
  size_t bytes() {
    PieceCounter counter;
    take(counter);
    return counter.bytes();
  }

  void run(vmx_workspace* ws) {
    if (tasks_ == 0) return;
    Scratch scratch(ctx_, ws, bytes());
    take(scratch);
    Items tasks(tasks_);
    parallel_for(ctx_, workers_n_, [&](int64_t w) {
      for (int64_t task; tasks.take(&task);) {
        const int64_t part = task % parts_;
        row(workers_[w], task / parts_, part * kTask, part + 1 == parts_ ? call_.m() : (part + 1) * kTask, part == 0);
      }
    });
  }

 private:
  void row(const Worker& worker, int64_t row, int64_t begin, int64_t end, bool first_part) const {
    const vmx_sampler& s = *call_.sampler;
    if (s.needs_hidden()) load_row(kernels_, call_.hidden, row, worker.hidden);
    uint32_t flags = 0;
    const Proposal* const proposal = s.proposal(kernels_, worker.hidden, worker.proposal, &flags);
    const DrawStreams streams = draw_streams(call_.options.seed, call_.options.step, row);
    int64_t tries = 0;
    if (!proposal) {
      store_none(call_, row, 0, flags & VMX_ROW_EMPTY ? -kInf : __builtin_nan(""));
    } else if (call_.unique()) {
      tries = without_replacement(worker, *proposal, streams, row, &flags);
    } else {
      with_replacement(worker, *proposal, streams, row, begin, end);
      tries = call_.m();
    }
    if (!first_part) return;
    if (call_.tries) call_.tries[row] = tries;
    if (call_.row_flags) call_.row_flags[row] = flags;
  }

  void with_replacement(const Worker& worker, const Proposal& proposal, const DrawStreams& streams, int64_t row, int64_t begin,
                        int64_t end) const {
    for (int64_t first = begin; first < end; first += kDrawBatch) {
      const int64_t n = std::min(kDrawBatch, end - first);
      proposal.draw(kernels_, streams, first, n, worker.ids);
      store_ids(call_, row, first, n, worker.ids);
      if (!call_.log_q.data) continue;
      proposal.log_q(kernels_, worker.ids, n, worker.log_q);
      if (call_.counts()) to_counts(kernels_, false, static_cast<double>(call_.m()), worker.log_q, n);
      store_log_q(call_, row, first, n, worker.log_q);
    }
  }

  // Returns the tries.
  int64_t without_replacement(const Worker& worker, const Proposal& proposal, const DrawStreams& streams, int64_t row,
                              uint32_t* flags) const {
    const int64_t classes = call_.sampler->classes, m = std::min(call_.m(), call_.sampler->positive());
    ClassSet set(worker.set, call_.m());
    int32_t* const order = worker.order;
    int64_t count = 0, tries = 0;
    // Repeats are drawn again; after as many draws as there are classes a race finds the rest.
    for (int64_t first = 0; count < m && first < classes;) {
      const int64_t missing = m - count;
      const int64_t n = std::min(padded(missing + missing / 4), kDrawBatch);
      proposal.draw(kernels_, streams, first, n, worker.ids);
      int64_t i = 0;
      while (i < n && count < m) {
        const int32_t id = worker.ids[i++];
        order[count] = id;
        count += set.insert(id);
      }
      tries = first + i;
      first += n;
    }
    if (count < m) count = race(worker, proposal, streams, count, m, &tries);
    if (count < call_.m()) *flags |= VMX_ROW_UNDERFULL;
    store_ids(call_, row, 0, count, order);
    if (call_.log_q.data) {
      for (int64_t first = 0; first < count; first += kDrawBatch) {
        const int64_t n = std::min(kDrawBatch, count - first);
        std::copy_n(order + first, n, worker.ids);
        proposal.log_q(kernels_, worker.ids, n, worker.log_q);
        if (call_.counts()) to_counts(kernels_, true, static_cast<double>(tries), worker.log_q, n);
        store_log_q(call_, row, first, n, worker.log_q);
      }
    }
    store_none(call_, row, count, -kInf);
    return tries;
  }

  // Without replacement from what is left is a race among it. The draws that repeats would have cost are drawn from their own
  // law: before each new class a geometric number of them, by the mass of the classes there already.
  int64_t race(const Worker& worker, const Proposal& proposal, const DrawStreams& streams, int64_t count, int64_t m,
               int64_t* tries) const {
    const int64_t classes = call_.sampler->classes;
    std::copy_n(worker.order, count, worker.sorted);
    std::sort(worker.sorted, worker.sorted + count);
    Race race;
    race.begin(kernels_, streams.noise, 1.0, m - count, worker.race);
    const int32_t *taken = worker.sorted, *const last = worker.sorted + count;
    double mass = 0.0;  // of what is left
    for (int64_t first = 0; first < classes; first += kDrawBatch) {
      const int64_t n = std::min(kDrawBatch, classes - first), whole = padded(n);
      for (int64_t i = 0; i < n; ++i) worker.ids[i] = static_cast<int32_t>(first + i);
      proposal.log_q(kernels_, worker.ids, n, worker.log_q);
      for (; taken < last && *taken < first + n; ++taken) worker.log_q[*taken - first] = -kInf;
      std::fill(worker.log_q + n, worker.log_q + whole, -kInf);
      kernels_.exp_f64(worker.log_q, worker.terms, whole);
      double part = 0.0;
      for (int64_t i = 0; i < n; ++i) part += worker.terms[i];
      mass += part;
      race.feed(worker.log_q, n, first);
    }
    const Race::Entry* found;
    const int64_t n = race.finish(&found);
    for (int64_t i = 0; i < n; ++i) {
      worker.order[count + i] = found[i].id;
      *tries = later(*tries, repeats(streams, i, mass));
      mass = std::max(0.0, mass - scalar_exp(found[i].score));
    }
    return count + n;
  }

  // Draws that give what is there already, before one does not: geometric. `left`: the probability of the latter.
  static double repeats(const DrawStreams& streams, int64_t i, double left) {
    const double u = (static_cast<double>(long_word(streams.tries, static_cast<uint32_t>(i)) >> 11) + 0.5) * 0x1p-53;
    if (left >= 1.0) return 0.0;
    return left > 0.0 ? scalar_log(u) / scalar_log1p(-left) : kInf;
  }
  static int64_t later(int64_t tries, double repeats) {
    if (!(repeats < 0x1p61) || tries >= kMostTries / 2) return kMostTries;
    return tries + static_cast<int64_t>(repeats) + 1;
  }

  const vmx_context& ctx_;
  const KernelTable& kernels_;
  const DrawCall& call_;
  int64_t parts_, tasks_, workers_n_;
  Worker* workers_ = nullptr;
};

}  // namespace

size_t draw_scratch(const vmx_context& ctx, const DrawCall& call) {
  if (call.exact()) return exact_draw_scratch(ctx, call);
  return Draws(ctx, call).bytes();
}

void draw(const vmx_context& ctx, vmx_workspace* ws, const DrawCall& call) {
  if (call.exact()) {
    exact_draw(ctx, ws, call);
  } else {
    Draws(ctx, call).run(ws);
  }
}

int64_t LogQCall::begin(int64_t row) const {
  return classes.indptr.data ? read_id(classes.indptr, row) - classes.indptr.base : row;
}
int64_t LogQCall::end(int64_t row) const {
  return classes.indptr.data ? read_id(classes.indptr, row + 1) - classes.indptr.base : row + 1;
}
int32_t LogQCall::id(int64_t i) const { return static_cast<int32_t>(read_id(classes.ids, i) - classes.ids.base); }

void log_q(const vmx_context& ctx, vmx_workspace* ws, const LogQCall& call) {
  if (call.sampler->kind == VMX_SAMPLER_EXACT) {
    exact_log_q(ctx, ws, call);
    return;
  }
  const vmx_sampler& s = *call.sampler;
  const KernelTable& kernels = *ctx.kernels;
  // Rows with a distribution of their own, or with tries of their own, go one by one; else their entries are one list.
  const bool by_rows = s.needs_hidden() || (call.tries && call.draws > 0);
  const int64_t items = by_rows ? call.rows : (call.classes.ids.n + kTask - 1) / kTask;
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(ctx.threads, items));
  struct Buffers {
    float* hidden;
    void* proposal;
    int32_t* ids;
    double* log_q;
  };
  Buffers* buffers = nullptr;
  const auto take = [&](auto& taker) {
    buffers = taker.template take<Buffers>(static_cast<size_t>(workers));
    for (int64_t w = 0; w < workers; ++w) {
      const Buffers one = {taker.template take<float>(s.needs_hidden() ? static_cast<size_t>(s.dim) : 0),
                           taker.template take<char>(s.proposal_bytes()), taker.template take<int32_t>(kDrawBatch),
                           taker.template take<double>(kDrawBatch)};
      if (buffers) buffers[w] = one;
    }
  };
  PieceCounter counter;
  take(counter);
  Scratch scratch(ctx, ws, counter.bytes());
  take(scratch);
  Items queue(items);
  parallel_for(ctx, workers, [&](int64_t w) {
    const Buffers& b = buffers[w];
    for (int64_t item; queue.take(&item);) {
      const int64_t begin = by_rows ? call.begin(item) : item * kTask;
      const int64_t end = by_rows ? call.end(item) : std::min(call.classes.ids.n, (item + 1) * kTask);
      if (begin == end) continue;
      if (s.needs_hidden()) load_row(kernels, call.hidden, item, b.hidden);
      uint32_t flags = 0;
      const Proposal* const proposal = s.proposal(kernels, b.hidden, b.proposal, &flags);
      for (int64_t first = begin; first < end; first += kDrawBatch) {
        const int64_t n = std::min(kDrawBatch, end - first);
        for (int64_t i = 0; i < n; ++i) b.ids[i] = call.id(first + i);
        if (proposal) {
          proposal->log_q(kernels, b.ids, n, b.log_q);
          if (call.draws > 0) {
            const double tries =
                static_cast<double>(call.tries ? call.tries[by_rows ? item * call.tries_stride : 0] : call.draws);
            to_counts(kernels, call.tries != nullptr, tries, b.log_q, n);
          }
        } else {
          std::fill_n(b.log_q, n, flags & VMX_ROW_EMPTY ? -kInf : __builtin_nan(""));
        }
        for (int64_t i = 0; i < n; ++i) store_result(call.log_q, first + i, b.log_q[i]);
      }
    }
  });
}

void store_ids(const DrawCall& call, int64_t row, int64_t first, int64_t n, const int32_t* ids) {
  const vmx_matrix& m = call.ids;
  if (n <= 0) return;
  if (m.dtype == VMX_I64) {
    auto* const to = reinterpret_cast<int64_t*>(element(m, row, first, sizeof(int64_t)));
    for (int64_t i = 0; i < n; ++i) to[i * m.col_stride] = ids[i];
    return;
  }
  auto* const to = reinterpret_cast<int32_t*>(element(m, row, first, sizeof(int32_t)));
  if (m.col_stride == 1) {
    std::memcpy(to, ids, static_cast<size_t>(n) * sizeof(int32_t));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * m.col_stride] = ids[i];
  }
}

void store_log_q(const DrawCall& call, int64_t row, int64_t first, int64_t n, const double* log_q) {
  if (!call.log_q.data || n <= 0) return;
  auto* const to = reinterpret_cast<float*>(element(call.log_q, row, first, sizeof(float)));
  for (int64_t i = 0; i < n; ++i) to[i * call.log_q.col_stride] = static_cast<float>(one_nan(log_q[i]));
}

void store_none(const DrawCall& call, int64_t row, int64_t first, double log_q) {
  for (int64_t i = first; i < call.m(); ++i) {
    const int32_t none = -1;
    store_ids(call, row, i, 1, &none);
    store_log_q(call, row, i, 1, &log_q);
  }
}

void to_counts(const KernelTable& kernels, bool unique, double tries, double* log_q, int64_t n) {
  const double log_tries = scalar_log(tries);
  if (!unique) {
    for (int64_t i = 0; i < n; ++i) log_q[i] += log_tries;
    return;
  }
  const int64_t whole = (n + 63) / 64 * 64;
  std::fill(log_q + n, log_q + whole, -kInf);
  kernels.log_expected_counts(log_q, whole, tries, log_tries, log_q);
}

}  // namespace vmx
