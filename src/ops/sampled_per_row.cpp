// SPDX-License-Identifier: Apache-2.0
// Sampled losses with candidates of each row's own. The rows of the table come from memory once: fetched ahead for the scores,
// while the gradient of hidden before them is summed from what is still in L2.
#include "ops/sampled_parts.hpp"

#include "core/dtype.hpp"
#include "ops/rows.hpp"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstring>

namespace vmx {
namespace {

// The rows of the table of two rows of candidates: more would push each other out of L2.
constexpr int64_t kMostAhead = 384 << 10;
constexpr int64_t kLaneWidth = 64;

// The rows of the table that a row of hidden meets: its targets, then its candidates.
struct Meeting {
  int64_t n = 0;
  const void** rows = nullptr;
  int64_t* ids = nullptr;  // of the candidates
  char* copies = nullptr;
};

struct Worker {
  Meeting now, next;
  TargetRow targets;
  char* zeros;      // an empty slot's row
  float* hidden;    // with zeros up to a multiple of the lanes
  float *dots, *squares;
  float *x, *buffer;  // of the candidates
  float *coef, *inverse;
  float* grad;
};

class PerRow {
 public:
  PerRow(const vmx_context& ctx, const SampledInput& input)
      : ctx_(ctx),
        input_(input),
        m_(input.candidates()),
        most_(input.candidates() + input.most_targets),
        padded_((input.dim() + kLaneWidth - 1) / kLaneWidth * kLaneWidth),
        table_(ctx, input.table),
        hidden_(ctx, input.hidden, input.cosine()),
        row_(ctx, input.options),
        gradient_(ctx, input, entries()),
        rows_per_task_(std::clamp<int64_t>(input.rows() / (4 * worker_count(ctx, INT64_MAX)), 1, 64)),
        workers_(worker_count(ctx, tasks())) {}

  vmx_status plan() {
    index_bits_ = bits_below(most_);
    const int row_bits = bits_below(input_.rows());
    if (input_.grads.of_table() && (entries() > IdGroups::kMostEntries || row_bits > 31 ||
                                    row_bits + index_bits_ > IdGroups::kPayloadBits)) {
      return fail(VMX_ERR_SIZE, "%" PRId64 " rows of up to %" PRId64 " ids are too many for the gradient of the table",
                  input_.rows(), most_);
    }
    const MemoryLimit limit(input_.options);
    while ((bytes_ = bytes()) > limit.bytes && (workers_ > 1 || gradient_.workers() > 1)) {
      workers_ = std::max<int64_t>(workers_ - 1, 1);
      gradient_.set_workers(gradient_.workers() - 1);
    }
    return limit.check(bytes_);
  }
  /// What no call with such sizes exceeds, however its targets are spread.
  size_t most_bytes() {
    const size_t with_all = bytes();
    workers_ = 1;
    gradient_.set_workers(1);
    return std::min(with_all, std::max(bytes(), MemoryLimit(input_.options).bytes));
  }

  vmx_status run(vmx_workspace* ws, const vmx_sampled_out& out) {
    Scratch scratch(ctx_, ws, bytes_);
    take(scratch);
    if (input_.grads.of_table()) {
      fill_keys();
      gradient_.groups().sort(ctx_);
      VMX_TRY(gradient_.check_room());
    }
    const Upstream upstream(input_.targets, input_.rows(), input_.options, out.grad_scale);
    const LossWriter losses(out, losses_);
    Items items(tasks());
    parallel_for(ctx_, workers_, [&](int64_t w) {
      Worker& worker = worker_[w];
      std::memset(worker.zeros, 0, static_cast<size_t>(table_.row_bytes()));
      std::fill_n(worker.hidden, padded_, 0.0f);
      for (int64_t task; items.take(&task);) {
        const int64_t end = std::min(input_.rows(), (task + 1) * rows_per_task_);
        rows(worker, task * rows_per_task_, end, upstream.factor, losses);
      }
    });
    losses.finish(input_.rows(), upstream.weight, input_.options.reduction);
    if (input_.grads.of_table()) {
      fill_terms();
      const bool direct = hidden_.direct();
      gradient_.write({{direct ? hidden_.data() : hidden_rows_, nullptr}, {direct ? hidden_.ld() : input_.dim(), 0}, nullptr});
    }
    return VMX_OK;
  }

 private:
  int64_t entries() const {
    int64_t all;
    if (__builtin_mul_overflow(input_.rows(), input_.candidates(), &all) || __builtin_add_overflow(all, input_.entries, &all)) {
      return INT64_MAX / 64;
    }
    return std::min(all, INT64_MAX / 64);
  }
  static int bits_below(int64_t n) {
    return static_cast<int>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(n - 1, 1))));
  }
  int64_t tasks() const { return (input_.rows() + rows_per_task_ - 1) / rows_per_task_; }
  bool backward() const { return input_.grads.any(); }
  bool wants_hidden() const { return input_.grads.hidden.dtype != 0; }

  size_t bytes() {
    PieceCounter counter;
    take(counter);
    return counter.bytes();
  }

  template <class Taker>
  void take(Taker& taker) {
    const auto rows = static_cast<size_t>(input_.rows()), m = static_cast<size_t>(m_), most = static_cast<size_t>(most_);
    const auto dim = static_cast<size_t>(input_.dim()), padded = static_cast<size_t>(padded_);
    const auto when = [](bool needed, size_t count) { return needed ? count : size_t{0}; };
    const bool of_table = input_.grads.of_table();
    losses_ = taker.template take<double>(rows);
    grads_ = taker.template take<float>(when(of_table, saturating_mul(rows, m)));
    target_grads_ = taker.template take<float>(when(of_table, static_cast<size_t>(input_.entries)));
    hidden_rows_ = taker.template take<float>(when(of_table && !hidden_.direct(), saturating_mul(rows, dim)));
    gradient_.take(taker);
    worker_ = taker.template take<Worker>(static_cast<size_t>(workers_));
    for (int64_t w = 0; w < workers_; ++w) {
      Worker worker{};
      for (Meeting* meeting : {&worker.now, &worker.next}) {
        meeting->ids = taker.template take<int64_t>(m);
        meeting->copies = taker.template take<char>(
            when(!table_.direct(), saturating_mul(most, static_cast<size_t>(table_.row_bytes()))));
      }
      // The next row's stand right behind.
      worker.now.rows = taker.template take<const void*>(2 * most);
      worker.targets.take(taker, input_.most_targets);
      worker.zeros = taker.template take<char>(static_cast<size_t>(table_.row_bytes()));
      worker.hidden = taker.template take<float>(padded);
      worker.dots = taker.template take<float>(most);
      worker.squares = taker.template take<float>(when(input_.cosine(), most));
      worker.inverse = taker.template take<float>(when(input_.cosine(), most));
      worker.x = taker.template take<float>(m);
      worker.buffer = taker.template take<float>(m);
      worker.coef = taker.template take<float>(when(wants_hidden(), most));
      worker.grad = taker.template take<float>(when(wants_hidden(), dim));
      if (worker_) worker_[w] = worker;
    }
  }

  // ------------------------------------------------------------ rows

  void meet(int64_t r, const Worker& worker, Meeting& meeting) const {
    const int64_t first = input_.targets.begin(r), n = input_.targets.end(r) - first;
    char* copy = meeting.copies;
    const auto row_of = [&](int64_t id) {
      const void* const row = table_.row(id, copy);
      if (!table_.direct()) copy += table_.row_bytes();
      return row;
    };
    for (int64_t t = 0; t < n; ++t) meeting.rows[t] = row_of(input_.targets.id(first + t));
    for (int64_t j = 0; j < m_; ++j) {
      const int64_t id = input_.id(r, j);
      meeting.ids[j] = id;
      meeting.rows[n + j] = id < 0 ? worker.zeros : row_of(id);
    }
    meeting.n = n + m_;
  }

  void rows(Worker& worker, int64_t begin, int64_t end, double upstream, const LossWriter& losses) const {
    meet(begin, worker, worker.now);
    for (int64_t r = begin; r < end; ++r) {
      worker.next.rows = worker.now.rows + worker.now.n;
      worker.next.n = 0;
      if (r + 1 < end) meet(r + 1, worker, worker.next);
      const int64_t known = worker.now.n + worker.next.n;
      one_row(worker, r, known, upstream, losses);
      std::memmove(worker.now.rows, worker.next.rows, static_cast<size_t>(worker.next.n) * sizeof(void*));
      worker.now.n = worker.next.n;
      std::swap(worker.now.ids, worker.next.ids);
      std::swap(worker.now.copies, worker.next.copies);
    }
  }

  void one_row(Worker& worker, int64_t r, int64_t known, double upstream, const LossWriter& losses) const {
    const int64_t dim = input_.dim();
    const KernelTable& k = *ctx_.kernels;
    const bool bf16 = table_.dtype() == VMX_BF16;
    TargetRow& targets = worker.targets;
    targets.begin(input_, r);
    const int64_t n = targets.count();
    const double hidden_inverse = hidden_.load(r, worker.hidden);
    const GatheredRows list{worker.now.rows, worker.now.n, known};
    (bf16 ? k.gather_dots_bf16 : k.gather_dots_f32)(list, worker.hidden, dim, worker.dots,
                                                    input_.cosine() ? worker.squares : nullptr);
    const int64_t left = corrected_scores(worker, r);
    const RowLoss loss = row_.run(worker.x, m_, left, targets.targets(), upstream, backward() ? targets.grad() : nullptr,
                                  worker.buffer);
    losses.row(r, loss);
    if (!backward()) return;
    if (input_.grads.of_table()) {
      if (!hidden_.direct()) std::memcpy(hidden_rows_ + r * dim, worker.hidden, static_cast<size_t>(dim) * sizeof(float));
      std::memcpy(grads_ + r * m_, worker.x, static_cast<size_t>(m_) * sizeof(float));
      std::memcpy(target_grads_ + targets.entry(0) - input_.first_entry, targets.grad(), static_cast<size_t>(n) * sizeof(float));
    }
    if (wants_hidden()) grad_hidden(worker, r, known, loss, hidden_inverse);
  }

  // Of targets and candidates; returns how many candidates are left.
  int64_t corrected_scores(Worker& worker, int64_t r) const {
    TargetRow& targets = worker.targets;
    const int64_t n = targets.count();
    const double per = 1.0 / input_.options.temperature;
    const auto raw = [&](int64_t i) {
      if (!input_.cosine()) return static_cast<double>(worker.dots[i]);
      return cosine_of(worker.now.rows[i], table_.dtype(), worker.hidden, input_.dim(), worker.dots[i], worker.squares[i],
                       &worker.inverse[i]);
    };
    for (int64_t t = 0; t < n; ++t) {
      const int64_t e = targets.entry(t);
      targets.set_score(t, (raw(t) + input_.bias_of(input_.targets.id(e))) * per - input_.target_correction(e));
    }
    const bool drops = !(input_.options.flags & VMX_SAMPLED_KEEP_HITS) && n > 0;
    int64_t left = 0;
    for (int64_t j = 0; j < m_; ++j) {
      const int64_t id = worker.now.ids[j];
      if (id < 0 || (drops && targets.holds(input_.identity_of(id)))) {
        worker.x[j] = -__builtin_inff();
        continue;
      }
      worker.x[j] = static_cast<float>((raw(n + j) + input_.bias_of(id)) * per - input_.correction(r, j));
      ++left;
    }
    return left;
  }

  void grad_hidden(Worker& worker, int64_t r, int64_t known, const RowLoss& loss, double inverse) const {
    const int64_t dim = input_.dim(), n = worker.targets.count();
    if (dim == 0) return;
    const bool nothing = n == 0 || inverse == 0.0;
    if (nothing || loss.loss != loss.loss) {
      fill_row(input_.grads.hidden, r, 0, dim, nothing ? 0.0 : __builtin_nan(""));
      return;
    }
    std::memcpy(worker.coef, worker.targets.grad(), static_cast<size_t>(n) * sizeof(float));
    std::memcpy(worker.coef + n, worker.x, static_cast<size_t>(m_) * sizeof(float));
    if (input_.cosine()) {
      for (int64_t i = 0; i < n + m_; ++i) worker.coef[i] = worker.coef[i] == 0.0f ? 0.0f : worker.coef[i] * worker.inverse[i];
    }
    if (known * table_.row_bytes() > kMostAhead) known = worker.now.n;
    const KernelTable& k = *ctx_.kernels;
    (table_.dtype() == VMX_BF16 ? k.gather_sum_bf16 : k.gather_sum_f32)({worker.now.rows, worker.now.n, known}, worker.coef,
                                                                        dim, worker.grad);
    if (input_.cosine()) through_norm(worker.grad, worker.hidden, dim, inverse);
    scatter_row(k, worker.grad, VMX_F32, input_.grads.hidden, r, 0, dim);
  }

  // ------------------------------------------------------------ gradient of the table

  void fill_keys() {
    uint64_t* const keys = gradient_.groups().keys();
    parallel_for(ctx_, tasks(), [&](int64_t task) {
      for (int64_t r = task * rows_per_task_; r < std::min(input_.rows(), (task + 1) * rows_per_task_); ++r) {
        const int64_t first = input_.targets.begin(r), n = input_.targets.end(r) - first;
        uint64_t* to = keys + r * m_ + (first - input_.first_entry);
        for (int64_t t = 0; t < n; ++t) *to++ = IdGroups::key(input_.targets.id(first + t), r << index_bits_ | (m_ + t));
        for (int64_t j = 0; j < m_; ++j) {
          const int64_t id = input_.id(r, j);
          *to++ = id < 0 ? gradient_.groups().no_key() : IdGroups::key(id, r << index_bits_ | j);
        }
      }
    });
  }

  void fill_terms() {
    constexpr int64_t kBlock = 1 << 14;
    IdGroups& groups = gradient_.groups();
    const int64_t n = groups.entries();
    const int64_t mask = (int64_t{1} << index_bits_) - 1;
    parallel_for(ctx_, (n + kBlock - 1) / kBlock, [&](int64_t b) {
      for (int64_t i = b * kBlock, end = std::min(n, (b + 1) * kBlock); i < end; ++i) {
        const int64_t payload = groups.payload(i), r = payload >> index_bits_, j = payload & mask;
        const float coef = j < m_ ? grads_[r * m_ + j] : target_grads_[input_.targets.begin(r) - input_.first_entry + j - m_];
        groups.terms()[i] = {coef, static_cast<uint32_t>(r)};
      }
    });
  }

  const vmx_context& ctx_;
  const SampledInput& input_;
  const int64_t m_, most_, padded_;
  const TableRows table_;
  const HiddenRows hidden_;
  const SampledRow row_;
  TableGradient gradient_;
  const int64_t rows_per_task_;
  int64_t workers_;
  int index_bits_ = 1;
  size_t bytes_ = 0;

  double* losses_ = nullptr;
  float *grads_ = nullptr, *target_grads_ = nullptr;  // of the scores, by row and by target
  float* hidden_rows_ = nullptr;
  Worker* worker_ = nullptr;
};

}  // namespace

vmx_status sampled_per_row(const vmx_context& ctx, vmx_workspace* ws, const SampledInput& input, const vmx_sampled_out* out,
                           size_t* size) {
  if (size) {
    const SampledInput even = spread_evenly(input);
    VMX_TRY(PerRow(ctx, even).plan());
    *size = PerRow(ctx, input).most_bytes();
    return VMX_OK;
  }
  PerRow call(ctx, input);
  VMX_TRY(call.plan());
  return call.run(ws, *out);
}

}  // namespace vmx
