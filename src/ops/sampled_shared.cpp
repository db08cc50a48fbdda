// SPDX-License-Identifier: Apache-2.0
// Sampled losses with candidates that all rows share, and in-batch softmax, where those are the keys of the batch.
#include "ops/sampled_parts.hpp"

#include "core/dtype.hpp"
#include "ops/linear_tasks.hpp"
#include "ops/rows.hpp"
#include "sources/linear.hpp"
#include "sources/shared_scores.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <optional>

namespace vmx {
namespace {

constexpr int64_t kAhead = 16;  // targets' rows that are fetched beforehand
constexpr float kMasked = -__builtin_inff();

// A candidate that may be a hit.
struct Known {
  int64_t identity;
  int64_t place;
};

struct Worker {
  SharedScores::Worker products;
  TargetRow targets;
  const void** rows;  // of the table: the targets', and those of the rows that come next
  char* copies;
  float *dots, *squares, *inverse, *coef;
  float* hidden;  // with zeros up to a multiple of the lanes
  float* buffer;
  double* hidden_inverse;  // of a part
  uint8_t* ends;           // the same: kUsual, or what a row's gradient is all of
};

struct Slot {
  SharedScores::Slot scores;
  uint8_t* odd;        // rows of hidden that hold what is no number
  float* column_sums;  // by part
};

// Either kind of call, seen by the engine.
struct Problem {
  const SampledInput* loss;    // one of the two
  const InBatchInput* batch;
  const vmx_sampled_options& options;
  const vmx_matrix &hidden, &candidates;
  int64_t m;
  bool cosine, with_bias, of_table, bias_gradient;
  const vmx_matrix& grad_hidden;
};

class Shared {
 public:
  Shared(const vmx_context& ctx, const Problem& problem)
      : ctx_(ctx),
        p_(problem),
        rows_(problem.hidden.rows),
        dim_(problem.hidden.cols),
        most_(problem.loss ? problem.loss->most_targets : 0),
        scores_(ctx, {rows_, problem.m, dim_, problem.with_bias, wants_hidden(), problem.loss != nullptr, problem.of_table}),
        table_(ctx, problem.candidates),
        hidden_(ctx, problem.hidden, problem.cosine),
        row_(ctx, problem.options) {
    if (problem.loss) gradient_.emplace(ctx, *problem.loss, ids());
    slots_ = std::min<int64_t>(std::max<int64_t>(scores_.chunks(), 1), worker_count(ctx, INT64_MAX));
    workers_ = worker_count(ctx, std::max(std::min(scores_.parts(), 2 * slots_), scores_.tiles()));
  }

  vmx_status plan() {
    if (p_.loss && p_.of_table && (ids() > IdGroups::kMostEntries || rows_ >= int64_t{1} << 31)) {
      return fail(VMX_ERR_SIZE, "%" PRId64 " ids are too many for the gradient of the table", ids());
    }
    {
      const OneThread one_thread;
      scores_.make_products();
    }
    const MemoryLimit limit(p_.options);
    first_slots_ = slots_;
    first_workers_ = workers_;
    while ((bytes_ = bytes()) > limit.bytes && (slots_ > 1 || workers_ > 1 || (gradient_ && gradient_->workers() > 1))) {
      const bool chunks_alone = slots_ > 1 && workers_ <= 2 * (slots_ - 1);
      slots_ = std::max<int64_t>(slots_ - 1, 1);
      if (!chunks_alone) workers_ = std::max<int64_t>(workers_ - 1, 1);
      if (gradient_) gradient_->set_workers(gradient_->workers() - 1);
    }
    return limit.check(bytes_);
  }
  /// What no call with such sizes exceeds, however its targets are spread. After plan() alone.
  size_t most_bytes() {
    slots_ = first_slots_;
    workers_ = first_workers_;
    if (gradient_) gradient_->set_workers(INT64_MAX);
    const size_t with_all = bytes();
    slots_ = workers_ = 1;
    if (gradient_) gradient_->set_workers(1);
    return std::min(with_all, std::max(bytes(), MemoryLimit(p_.options).bytes));
  }

  vmx_status run(vmx_workspace* ws, const vmx_sampled_out& out) {
    Scratch scratch(ctx_, ws, bytes_);
    take(scratch);
    if (groups()) {
      fill_keys();
      gradient_->groups().sort(ctx_);
      VMX_TRY(gradient_->check_room());
    }
    double weight = static_cast<double>(rows_);
    upstream_ = out.grad_scale / p_.options.temperature / (mean() ? weight : 1.0);
    if (p_.loss) {
      const Upstream upstream(p_.loss->targets, rows_, p_.options, out.grad_scale);
      weight = upstream.weight;
      upstream_ = upstream.factor;
    }
    load_candidates();
    const LossWriter losses(out, losses_);
    for (int64_t first = 0; first < scores_.chunks(); first += slots_) {
      const int64_t end = std::min(scores_.chunks(), first + slots_);
      part_pass(first, end, losses);
      if (p_.of_table) tile_pass(first, end);
    }
    losses.finish(rows_, weight, p_.options.reduction);
    if (p_.of_table) finish_gradient();
    return VMX_OK;
  }

 private:
  bool mean() const { return p_.options.reduction == VMX_REDUCE_MEAN; }
  bool wants_hidden() const { return p_.grad_hidden.dtype != 0; }
  bool backward() const { return wants_hidden() || p_.of_table; }
  bool groups() const { return p_.loss && p_.of_table; }
  bool keeps_hidden() const { return groups() && !hidden_.direct(); }
  int64_t ids() const {
    int64_t all;
    return __builtin_add_overflow(p_.m, p_.loss->entries, &all) ? INT64_MAX / 64 : std::min(all, INT64_MAX / 64);
  }
  int64_t parts_of(int64_t chunk) const {
    return std::min<int64_t>(SharedScores::kChunk / SharedScores::kPart, scores_.parts() - chunk * 2);
  }

  size_t bytes() {
    PieceCounter counter;
    take(counter);
    return counter.bytes();
  }

  template <class Taker>
  void take(Taker& taker) {
    const auto rows = static_cast<size_t>(rows_), m = static_cast<size_t>(p_.m), dim = static_cast<size_t>(dim_);
    const auto part = static_cast<size_t>(SharedScores::kPart), chunk = static_cast<size_t>(SharedScores::kChunk);
    const auto when = [](bool needed, size_t count) { return needed ? count : size_t{0}; };
    losses_ = taker.template take<double>(rows);
    scores_.take(taker);
    known_ = taker.template take<Known>(m);
    empty_ = taker.template take<int64_t>(m);
    is_odd_ = taker.template take<uint8_t>(when(p_.batch != nullptr, m));
    bias_sums_ = taker.template take<double>(when(p_.bias_gradient, m));
    if (groups()) {
      const auto entries = static_cast<size_t>(p_.loss->entries);
      target_grads_ = taker.template take<float>(entries);
      entry_rows_ = taker.template take<uint32_t>(entries);
      hidden_rows_ = taker.template take<float>(when(keeps_hidden(), saturating_mul(rows, dim)));
      gradient_->take(taker);
    }
    slot_ = taker.template take<Slot>(static_cast<size_t>(slots_));
    for (int64_t i = 0; i < slots_; ++i) {
      Slot slot{};
      slot.scores = scores_.take_slot(taker);
      slot.odd = taker.template take<uint8_t>(chunk);
      slot.column_sums = taker.template take<float>(when(p_.bias_gradient, 2 * static_cast<size_t>(scores_.ld())));
      if (slot_) slot_[i] = slot;
    }
    worker_ = taker.template take<Worker>(static_cast<size_t>(workers_));
    for (int64_t w = 0; w < workers_; ++w) {
      const auto most = static_cast<size_t>(most_);
      Worker worker{};
      worker.products = scores_.take_worker(taker);
      worker.targets.take(taker, most_);
      worker.rows = taker.template take<const void*>(most + kAhead);
      worker.copies = taker.template take<char>(
          when(!table_.direct(), saturating_mul(most + kAhead, static_cast<size_t>(table_.row_bytes()))));
      worker.dots = taker.template take<float>(most);
      worker.squares = taker.template take<float>(when(p_.cosine, most));
      worker.inverse = taker.template take<float>(when(p_.cosine, most));
      worker.coef = taker.template take<float>(most);
      worker.hidden = taker.template take<float>((dim + 63) / 64 * 64);
      worker.buffer = taker.template take<float>(m);
      worker.hidden_inverse = taker.template take<double>(part);
      worker.ends = taker.template take<uint8_t>(part);
      if (worker_) worker_[w] = worker;
    }
  }

  // ------------------------------------------------------------ candidates

  // -1: an empty one.
  int64_t candidate_id(int64_t j) const { return p_.batch ? j : p_.loss->id(0, j); }

  void load_candidates() {
    constexpr int64_t kBlock = SharedScores::kLoadedTogether;
    const double per = 1.0 / p_.options.temperature;
    parallel_for(ctx_, (p_.m + kBlock - 1) / kBlock, [&](int64_t block) {
      const int64_t first = block * kBlock, end = std::min(p_.m, first + kBlock);
      for (int64_t j = first; j < end; ++j) {
        const int64_t later = j + kAhead < end ? candidate_id(j + kAhead) : -1;
        if (later >= 0) table_.prefetch(later);
        load_candidate(j, per);
      }
      scores_.close_candidates(first, end - first, per);
      // A score with what is no number is masked (-inf: the gradient is 0) or makes its row NaN; the product for the gradient of
      // hidden must not see it.
      for (int64_t j = first; j < end; ++j) {
        float* const candidate = scores_.candidate(j);
        const bool odd = !all_finite(candidate, dim_);
        if (odd) std::fill_n(candidate, dim_, 0.0f);
        if (p_.batch) is_odd_[j] = odd;
      }
    });
    empties_ = knowns_ = 0;
    for (int64_t j = 0; j < p_.m; ++j) {
      const int64_t id = candidate_id(j);
      if (id < 0) {
        empty_[empties_++] = j;
        continue;
      }
      if (p_.batch ? p_.batch->identity.data != nullptr : !(p_.options.flags & VMX_SAMPLED_KEEP_HITS)) {
        known_[knowns_++] = {p_.batch ? read_id(p_.batch->identity, j) : p_.loss->identity_of(id), j};
      }
    }
    std::sort(known_, known_ + knowns_, [](const Known& a, const Known& b) {
      return a.identity != b.identity ? a.identity < b.identity : a.place < b.place;
    });
    if (p_.bias_gradient) std::fill_n(bias_sums_, p_.m, 0.0);
  }

  void load_candidate(int64_t j, double per) const {
    const int64_t id = candidate_id(j);
    float* const to = scores_.candidate(j);
    if (scores_.bias()) {
      const double taken = p_.batch ? load_vector(p_.batch->log_q, j) : id < 0 ? 0.0 : p_.loss->correction(0, j);
      const double own = p_.loss && id >= 0 ? p_.loss->bias_of(id) : 0.0;
      scores_.bias()[j] = static_cast<float>(own * per - taken);
    }
    if (id < 0) {
      std::fill_n(to, dim_, 0.0f);
      return;
    }
    table_.load(id, to);
    if (p_.cosine) scale_vector(to, dim_, inverse_norm(to, dim_), to);
  }

  // ------------------------------------------------------------ rows

  void part_pass(int64_t first, int64_t end, const LossWriter& losses) {
    const int64_t first_part = first * 2, parts = std::min(scores_.parts(), end * 2) - first_part;
    Items items(parts);
    run_workers(ctx_, workers_, [&](int64_t w) {
      Worker& worker = worker_[w];
      std::fill_n(worker.hidden, (dim_ + 63) / 64 * 64, 0.0f);
      for (int64_t item; items.take(&item);) part(worker, slot_[item / 2], first_part + item, losses);
    });
  }

  void part(Worker& worker, const Slot& slot, int64_t number, const LossWriter& losses) const {
    const int64_t part = number % 2, r0 = number * SharedScores::kPart, n = scores_.part_rows(number);
    const int64_t padded = scores_.padded_rows(number), ld = scores_.ld();
    float* const hidden = scores_.hidden(slot.scores, part);
    uint8_t* const odd = slot.odd + part * SharedScores::kPart;
    uint8_t* const ends = worker.ends;
    for (int64_t i = 0; i < n; ++i) {
      worker.hidden_inverse[i] = hidden_.load(r0 + i, hidden + i * dim_);
      odd[i] = !all_finite(hidden + i * dim_, dim_);
    }
    std::fill_n(hidden + n * dim_, (padded - n) * dim_, 0.0f);
    if (p_.of_table) {
      scores_.transpose_hidden(slot.scores, part, padded);
      for (int64_t i = 0; i < n; ++i) {
        if (!odd[i]) continue;
        float* const column = slot.scores.transposed + part * SharedScores::kPart + i;
        for (int64_t k = 0; k < dim_; ++k) column[k * scores_.hidden_ld()] = 0.0f;
      }
    }
    scores_.make_scores(slot.scores, part, padded, worker.products);

    float* const scores = scores_.scores(slot.scores, part);
    float* const gradient = worker.products.grad_hidden;
    for (int64_t i = 0; i < n; ++i) {
      float* const row = scores + i * ld;
      ends[i] = p_.batch ? batch_row(worker, r0 + i, row, losses)
                         : loss_row(worker, r0 + i, hidden + i * dim_, row, losses,
                             wants_hidden() ? gradient + i * dim_ : nullptr);
      if (keeps_hidden()) std::copy_n(hidden + i * dim_, dim_, hidden_rows_ + (r0 + i) * dim_);
      if (p_.bias_gradient) std::fill_n(row + p_.m, ld - p_.m, 0.0f);
    }
    if (!backward()) return;
    std::fill_n(scores + n * ld, (padded - n) * ld, 0.0f);
    if (p_.bias_gradient) ctx_.kernels->column_sums_f32(scores, n, ld, slot.column_sums + part * ld);
    if (wants_hidden()) {
      std::fill_n(gradient + n * dim_, (padded - n) * dim_, 0.0f);
      scores_.make_grad_hidden(slot.scores, part, padded, worker.products);
      for (int64_t i = 0; i < n; ++i) {
        if (p_.batch && is_odd_[r0 + i]) add_own_key(worker, r0 + i, scores[i * ld + r0 + i], gradient + i * dim_);
        write_grad_hidden(r0 + i, ends[i], hidden + i * dim_, worker.hidden_inverse[i], gradient + i * dim_);
      }
    }
  }

  // Sets row[j] to -inf where candidate j is of that identity; returns how many those are.
  int64_t mask_hits(int64_t identity, float* row) const {
    const Known* const end = known_ + knowns_;
    const Known* at = std::lower_bound(static_cast<const Known*>(known_), end, identity,
                                       [](const Known& a, int64_t b) { return a.identity < b; });
    int64_t count = 0;
    for (; at != end && at->identity == identity; ++at, ++count) row[at->place] = kMasked;
    return count;
  }

  uint8_t end_of(const RowLoss& loss, int64_t targets) const {
    return targets == 0 ? kNothing : loss.loss != loss.loss ? kNan : kUsual;
  }

  uint8_t batch_row(Worker& worker, int64_t r, float* row, const LossWriter& losses) const {
    const double score = static_cast<double>(row[r]), weight = 1.0;
    int64_t left = p_.m - 1;
    row[r] = kMasked;
    if (p_.batch->identity.data) left = p_.m - mask_hits(read_id(p_.batch->identity, r), row);
    float target = 0;
    const RowLoss loss =
        row_.run(row, p_.m, left, {1, &score, &weight, nullptr}, upstream_, backward() ? &target : nullptr, worker.buffer);
    losses.row(r, loss);
    row[r] = target;
    return end_of(loss, 1);
  }

  // sum: where the targets' part of the gradient of hidden goes, or NULL.
  uint8_t loss_row(Worker& worker, int64_t r, const float* hidden, float* row, const LossWriter& losses, float* sum) const {
    TargetRow& targets = worker.targets;
    targets.begin(*p_.loss, r);
    const int64_t n = targets.count();
    score_targets(worker, hidden);
    for (int64_t i = 0; i < empties_; ++i) row[empty_[i]] = kMasked;
    int64_t left = p_.m - empties_;
    for (int64_t t = 0; t < n; ++t) {
      if (!targets.repeats_identity(t)) left -= mask_hits(targets.identities()[t], row);
    }
    const RowLoss loss = row_.run(row, p_.m, left, targets.targets(), upstream_,
        backward() ? targets.grad() : nullptr, worker.buffer);
    losses.row(r, loss);
    if (!backward()) return kUsual;
    if (p_.of_table) std::copy_n(targets.grad(), n, target_grads_ + targets.entry(0) - p_.loss->first_entry);
    if (sum && dim_ > 0) {
      for (int64_t t = 0; t < n; ++t) {
        worker.coef[t] = p_.cosine && targets.grad()[t] != 0.0f ? targets.grad()[t] * worker.inverse[t] : targets.grad()[t];
      }
      const KernelTable& k = *ctx_.kernels;
      (table_.dtype() == VMX_BF16 ? k.gather_sum_bf16 : k.gather_sum_f32)({worker.rows, n, n}, worker.coef, dim_, sum);
    }
    return end_of(loss, n);
  }

  void score_targets(Worker& worker, const float* hidden) const {
    const SampledInput& input = *p_.loss;
    TargetRow& targets = worker.targets;
    const int64_t n = targets.count(), first = targets.entry(0), last = input.first_entry + input.entries;
    if (n == 0) return;
    char* copy = worker.copies;
    const int64_t known = std::min(n + (table_.direct() ? kAhead : 0), last - first);
    for (int64_t i = 0; i < known; ++i) {
      worker.rows[i] = table_.row(input.targets.id(first + i), copy);
      if (!table_.direct()) copy += table_.row_bytes();
    }
    std::copy_n(hidden, dim_, worker.hidden);
    const KernelTable& k = *ctx_.kernels;
    (table_.dtype() == VMX_BF16 ? k.gather_dots_bf16 : k.gather_dots_f32)({worker.rows, n, known},
        worker.hidden, dim_, worker.dots,
                                                                          p_.cosine ? worker.squares : nullptr);
    const double per = 1.0 / p_.options.temperature;
    for (int64_t t = 0; t < n; ++t) {
      const int64_t e = first + t;
      const double raw = p_.cosine ? cosine_of(worker.rows[t], table_.dtype(), worker.hidden, dim_, worker.dots[t],
                                               worker.squares[t], &worker.inverse[t])
                                   : static_cast<double>(worker.dots[t]);
      targets.set_score(t, (raw + input.bias_of(input.targets.id(e))) * per - input.target_correction(e));
    }
  }

  // A row's own key has a gradient even if it is masked.
  void add_own_key(const Worker& worker, int64_t r, float g, float* gradient) const {
    table_.load(r, worker.hidden);
    for (int64_t k = 0; k < dim_; ++k) gradient[k] += g * worker.hidden[k];
  }

  // gradient: of the row, from the products.
  void write_grad_hidden(int64_t r, uint8_t end, const float* hidden, double inverse, float* gradient) const {
    const bool nothing = end == kNothing || inverse == 0.0;
    if (nothing || end == kNan) {
      fill_row(p_.grad_hidden, r, 0, dim_, nothing ? 0.0 : __builtin_nan(""));
      return;
    }
    if (p_.cosine) {
      through_norm(gradient, hidden, dim_, inverse);
    } else {
      finish_sums(gradient, dim_);
    }
    scatter_row(*ctx_.kernels, gradient, VMX_F32, p_.grad_hidden, r, 0, dim_);
  }

  // ------------------------------------------------------------ gradient of the candidates

  void tile_pass(int64_t first, int64_t end) {
    const int64_t tiles = scores_.tiles();
    Items items(tiles);
    run_workers(ctx_, workers_, [&](int64_t w) {
      for (int64_t tile; items.take(&tile);) {
        for (int64_t chunk = first; chunk < end; ++chunk) tile_gradient(worker_[w], slot_[chunk - first], chunk, tile);
      }
    });
  }

  void tile_gradient(const Worker& worker, const Slot& slot, int64_t chunk, int64_t tile) const {
    const int64_t rows = std::min(SharedScores::kChunk, rows_ - chunk * SharedScores::kChunk), padded = (rows + 15) / 16 * 16;
    const int64_t c0 = tile * SharedScores::kTile, cols = scores_.tile_cols(tile), ld = scores_.ld();
    scores_.add_grad_candidates(slot.scores, padded, tile, chunk > 0, worker.products);
    float* const gradient = scores_.grad_candidates();
    for (int64_t r = 0; r < rows; ++r) {
      if (!slot.odd[r]) continue;
      // The product has left it out. Its gradient is 0, or NaN.
      const float *const g = slot.scores.scores + r * ld, *const h = slot.scores.hidden + r * dim_;
      for (int64_t j = c0; j < c0 + cols; ++j) {
        if (g[j] == 0.0f) continue;
        for (int64_t k = 0; k < dim_; ++k) gradient[k * ld + j] += g[j] * h[k];
      }
    }
    if (!p_.bias_gradient) return;
    for (int64_t part = 0; part < parts_of(chunk); ++part) {
      for (int64_t j = c0; j < c0 + cols; ++j) bias_sums_[j] += static_cast<double>(slot.column_sums[part * ld + j]);
    }
  }

  void fill_keys() {
    const SampledInput& input = *p_.loss;
    uint64_t* to = gradient_->groups().keys();
    for (int64_t j = 0; j < p_.m; ++j) {
      const int64_t id = input.id(0, j);
      *to++ = id < 0 ? gradient_->groups().no_key() : IdGroups::key(id, j);
    }
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t e = input.targets.begin(r); e < input.targets.end(r); ++e) {
        const int64_t i = e - input.first_entry;
        entry_rows_[i] = static_cast<uint32_t>(r);
        to[i] = IdGroups::key(input.targets.id(e), p_.m + i);
      }
    }
  }

  void finish_gradient() {
    constexpr int64_t kBlock = SharedScores::kLoadedTogether;
    parallel_for(ctx_, (p_.m + kBlock - 1) / kBlock, [&](int64_t block) {
      const int64_t first = block * kBlock, n = std::min(p_.m - first, kBlock);
      scores_.turn_gradient(first, n);
      for (int64_t j = first; p_.batch && j < first + n; ++j) write_grad_key(j);
    });
    if (p_.batch) return;
    IdGroups& all = gradient_->groups();
    for (int64_t i = 0; i < all.entries(); ++i) {
      const int64_t payload = all.payload(i);
      all.terms()[i] = payload < p_.m ? SumTerm{1.0f, static_cast<uint32_t>(payload) | kSecondMatrix}
                                      : SumTerm{target_grads_[payload - p_.m], entry_rows_[payload - p_.m]};
    }
    const bool direct = hidden_.direct();
    gradient_->write({{direct ? hidden_.data() : hidden_rows_, scores_.candidate(0)},
                      {direct ? hidden_.ld() : dim_, dim_},
                      bias_sums_});
  }

  void write_grad_key(int64_t j) const {
    float* const sum = scores_.candidate(j);
    if (p_.cosine) {
      float* const unit = scores_.spare(j);
      table_.load(j, unit);
      const double inverse = inverse_norm(unit, dim_);
      scale_vector(unit, dim_, inverse, unit);
      through_norm(sum, unit, dim_, inverse);
    } else {
      finish_sums(sum, dim_);
    }
    scatter_row(*ctx_.kernels, sum, VMX_F32, p_.batch->grad_keys, j, 0, dim_);
  }

  static constexpr uint8_t kUsual = 0, kNothing = 1, kNan = 2;

  const vmx_context& ctx_;
  const Problem& p_;
  const int64_t rows_, dim_, most_;
  SharedScores scores_;
  const TableRows table_;
  const HiddenRows hidden_;
  const SampledRow row_;
  std::optional<TableGradient> gradient_;
  int64_t slots_ = 1, workers_ = 1, first_slots_ = 1, first_workers_ = 1;
  size_t bytes_ = 0;
  double upstream_ = 1;

  double* losses_ = nullptr;
  Known* known_ = nullptr;
  int64_t* empty_ = nullptr;
  uint8_t* is_odd_ = nullptr;  // keys that hold what is no number
  int64_t empties_ = 0, knowns_ = 0;
  double* bias_sums_ = nullptr;
  float* target_grads_ = nullptr;
  uint32_t* entry_rows_ = nullptr;
  float* hidden_rows_ = nullptr;
  Slot* slot_ = nullptr;
  Worker* worker_ = nullptr;
};

#if VMX_WITH_ONEDNN
vmx_status check_onednn() {
  if (OneThread::possible()) return VMX_OK;
  return fail(VMX_ERR_UNSUPPORTED, "oneDNN uses an OpenMP runtime that cannot be reached, and would start threads");
}
vmx_status run(const vmx_context& ctx, vmx_workspace* ws, const Problem& problem, const vmx_sampled_out& out) {
  VMX_TRY(check_onednn());
  Shared call(ctx, problem);
  VMX_TRY(call.plan());
  return call.run(ws, out);
}
vmx_status find_size(const vmx_context& ctx, const Problem& even, const Problem& worst, size_t* size) {
  VMX_TRY(check_onednn());
  VMX_TRY(Shared(ctx, even).plan());
  Shared call(ctx, worst);
  (void)call.plan();  // an uneven list may be too much for the limit, another one of as many targets is not
  *size = call.most_bytes();
  return VMX_OK;
}
#else
vmx_status run(const vmx_context&, vmx_workspace*, const Problem&, const vmx_sampled_out&) { return fail_without_onednn(); }
vmx_status find_size(const vmx_context&, const Problem&, const Problem&, size_t*) { return fail_without_onednn(); }
#endif

Problem problem_of(const SampledInput& input) {
  const SampledGrads& grads = input.grads;
  return {&input,
          nullptr,
          input.options,
          input.hidden,
          input.table,
          input.candidates(),
          input.cosine(),
          input.bias.dtype != 0 || wants_log_q(input.options),
          grads.of_table(),
          grads.bias.dtype != 0 || (grads.sparse && grads.rows.bias),
          grads.hidden};
}

}  // namespace

vmx_status sampled_shared(const vmx_context& ctx, vmx_workspace* ws, const SampledInput& input, const vmx_sampled_out* out,
                          size_t* size) {
  if (!size) return run(ctx, ws, problem_of(input), *out);
  const SampledInput even = spread_evenly(input);
  return find_size(ctx, problem_of(even), problem_of(input), size);
}

vmx_status in_batch_softmax(const vmx_context& ctx, vmx_workspace* ws, const InBatchInput& input, const vmx_sampled_out& out) {
  const Problem problem{nullptr,
                        &input,
                        input.options,
                        input.queries,
                        input.keys,
                        input.keys.rows,
                        input.options.score == VMX_SCORE_COSINE,
                        input.log_q.data != nullptr,
                        input.grad_keys.dtype != 0,
                        false,
                        input.grad_queries};
  return run(ctx, ws, problem, out);
}

}  // namespace vmx
