// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.hpp"

#if !VMX_WITH_ONEDNN

namespace vmx {

vmx_status linear_cross_entropy(const vmx_context&, vmx_workspace*, const LinearInput&, const TargetList&,
                                const vmx_cross_entropy_options&, const vmx_cross_entropy_out*,
                                const vmx_linear_grads*, size_t*) {
  return fail_without_onednn();
}

}  // namespace vmx

#else

#include "core/dtype.hpp"
#include "core/lse_state.hpp"
#include "core/scalar_math.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/linear_rows.hpp"
#include "ops/linear_tasks.hpp"
#include "ops/rows.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();
// Rows in work together, beyond which reading the weights costs next to nothing.
constexpr int64_t kMostBlockRows = 4096;

struct Row {
  RowTemperature temperature;
  CrossEntropyRow row;
  RowGradient gradient;
  RowScale scale;
  double upstream;

  // A row that gives nothing: not even 0 times an infinity.
  bool contributes() const { return !gradient.filled || gradient.fill != 0.0; }
};

// What a worker folds of a row.
struct Fold {
  LseSum sum;
  RowMaximum maximum;
};
// The same with label smoothing.
struct Smoothing {
  vmx_lse_state state;
  bool masked_class_counts;
};

struct Worker {
  LinearSource::Worker source;
  float* scores;      // of a tile that is not stored
  float* staged;      // of a row of a tile
  Fold* folds;        // of the block's rows
  Smoothing* smoothing;
  float* gradient;    // of a tile
  void* narrow;       // the same in the dtype of the products, if it is another
  void* transposed;   // and transposed
  float* grad_hidden;
  float* grad_weights;  // where they cannot be written where they belong
  float* column_sums;
  double* own_weight;   // of the targets at a tile's columns
  uint8_t* is_target;
  int32_t* target_columns;
};

class CrossEntropy {
 public:
  CrossEntropy(const vmx_context& ctx, const LinearInput& input, const TargetList& targets,
               const vmx_cross_entropy_options& options, const vmx_linear_grads* grads)
      : ctx_(ctx),
        input_(input),
        targets_(targets),
        options_(options),
        grads_(grads),
        wants_hidden_(grads && wanted_view(grads->hidden)),
        wants_weights_(grads && wanted_view(grads->weights)),
        wants_bias_(grads && wanted_view(grads->bias)),
        source_(ctx, input, kMostChunkRows, wants_hidden_, wants_weights_ ? &grads->weights : nullptr),
        rows_(ctx, input.rows(), options.softcap, Temperatures{options.temperature, options.temperature_stride}, false),
        smooths_(options.label_smoothing > 0),
        narrow_(source_.product_dtype() != VMX_F32),
        hidden_direct_(wants_hidden_ && grads->hidden.dtype == VMX_F32 && (input.dim() <= 1 || grads->hidden.col_stride == 1)),
        terms_{options, targets, input.classes, false, true, nullptr, static_cast<double>(input.classes)} {}

  vmx_status plan() {
    const int64_t tiles = source_.tiles(), chunks = source_.chunks();
    plan_.workers = std::max<int64_t>(1, std::min<int64_t>(ctx_.threads, backward() ? tiles : tiles * chunks));
    plan_.block_chunks = 1;
    list_entries_ = most_entries();
    while ((plan_.bytes = bytes()) > input_.memory_limit) {
      if (plan_.workers == 1) return fail_memory_limit(input_.memory_limit, plan_.bytes);
      --plan_.workers;
    }
    LinearPlan best;
    double best_cost = kInf;
    const int64_t workers = plan_.workers;
    for (int64_t n = 1; n == 1 || (n <= chunks && n * source_.most_padded_rows() <= kMostBlockRows); ++n) {
      plan_ = {workers, n, 0, 0};
      list_entries_ = most_entries();
      if ((plan_.bytes = bytes()) > input_.memory_limit) break;
      if (backward()) store_what_fits();
      const double cost = cost_of(plan_);
      if (cost < best_cost) {
        best = plan_;
        best_cost = cost;
      }
    }
    plan_ = best;
    list_entries_ = most_entries();
    return VMX_OK;
  }
  size_t planned_bytes() const { return plan_.bytes; }

  void run(vmx_workspace* ws, const vmx_cross_entropy_out& out) {
    out_ = &out;
    Scratch scratch(ctx_, ws, plan_.bytes);
    take(scratch);
    prepare_weights();
    clear_gradients();
    for (int64_t first = 0; first < source_.chunks(); first += plan_.block_chunks) {
      first_ = first;
      block_ = std::min(plan_.block_chunks, source_.chunks() - first);
      row0_ = source_.chunk_begin(first);
      block_rows_ = std::min(source_.chunk_begin(first + block_), source_.rows()) - row0_;
      begin_block();
      forward_pass();
      finish_block();
      if (backward()) backward_pass();
    }
    const bool mean = options_.reduction == VMX_REDUCE_MEAN;
    if (out.total) *out.total = one_nan(mean ? total_ / weight_ : total_);
    if (out.total_z_loss) *out.total_z_loss = one_nan(mean ? total_z_ / weight_ : total_z_);
    if (out.total_weight) *out.total_weight = weight_;
  }

 private:
  template <class View>
  static bool wanted_view(const View& view) { return view.data || view.dtype != 0; }

  bool backward() const { return wants_hidden_ || wants_weights_ || wants_bias_; }
  bool stored(int64_t tile) const { return tile < plan_.stored_tiles; }

  // ------------------------------------------------------------ memory

  // Time per row and class beside that of the products, in units of d flops: scores made twice, and the traffic of a block
  // with the memory. A core does some 7 flops in the time that it moves a byte.
  double cost_of(const LinearPlan& plan) const {
    const double rows = static_cast<double>(plan.block_chunks * source_.most_padded_rows());
    const double again = backward() ? 1.0 - static_cast<double>(plan.stored_tiles) / static_cast<double>(std::max<int64_t>(source_.tiles(), 1)) : 0.0;
    const double traffic = backward() ? 16.0 : 4.0;
    return 2.0 * again + 7.0 * traffic / std::max(rows, 1.0);
  }

  void store_what_fits() {
    // With all tiles stored no worker needs a tile of its own.
    plan_.stored_tiles = source_.tiles();
    const size_t all = bytes();
    if (all <= input_.memory_limit) {
      plan_.bytes = all;
      return;
    }
    plan_.stored_tiles = 0;
    const size_t without = bytes();
    plan_.stored_tiles = std::min<int64_t>(source_.tiles() - 1, static_cast<int64_t>((input_.memory_limit - without) / std::max<size_t>(tile_bytes(), 1)));
    while (plan_.stored_tiles > 0 && bytes() > input_.memory_limit) --plan_.stored_tiles;
    plan_.bytes = bytes();
  }

  size_t tile_bytes() const {
    return Scratch::need<float>(static_cast<size_t>(plan_.block_chunks * source_.most_padded_rows()) *
                                static_cast<size_t>(source_.most_scores_ld()));
  }

  size_t bytes() {
    PieceCounter counter;
    take(counter);
    return counter.bytes();
  }

  template <class Taker>
  void take(Taker& taker) {
    const auto chunk_rows = static_cast<size_t>(source_.most_padded_rows());
    const auto rows = static_cast<size_t>(plan_.block_chunks) * chunk_rows;
    const auto tile = static_cast<size_t>(source_.most_tile_cols());
    const auto scores_ld = static_cast<size_t>(source_.most_scores_ld());
    const auto dim = static_cast<size_t>(source_.dim());
    const auto size = static_cast<size_t>(dtype_size(source_.product_dtype()));
    const auto when = [](bool needed, size_t count) { return needed ? count : size_t{0}; };

    hidden_ = taker.template take<char>(rows * dim * size);
    row_ = taker.template take<Row>(rows);
    target_scores_ = taker.template take<float>(static_cast<size_t>(list_entries_) + rows);
    class_weight_ = taker.template take<float>(
        when(smooths_ && options_.class_weight.data && options_.class_weight.stride != 1, static_cast<size_t>(source_.classes())));
    grad_hidden_ = taker.template take<float>(when(wants_hidden_ && !hidden_direct_, rows * dim));
    turns_ = taker.template take<Turns::Counter>(when(wants_hidden_, static_cast<size_t>(plan_.block_chunks)));
    scores_ = taker.template take<float>(static_cast<size_t>(plan_.stored_tiles) * rows * scores_ld);
    workers_ = taker.template take<Worker>(static_cast<size_t>(plan_.workers));
    for (int64_t w = 0; w < plan_.workers; ++w) {
      Worker worker{};
      worker.source = source_.take_worker(taker);
      worker.scores = taker.template take<float>(when(plan_.stored_tiles < source_.tiles(), chunk_rows * scores_ld));
      worker.staged = taker.template take<float>(tile);
      worker.folds = taker.template take<Fold>(rows);
      worker.smoothing = taker.template take<Smoothing>(when(smooths_, rows));
      worker.gradient = taker.template take<float>(when(backward(), chunk_rows * tile));
      worker.narrow = taker.template take<char>(when(wants_hidden_ && narrow_, chunk_rows * tile * size));
      worker.transposed = taker.template take<char>(when(wants_weights_, chunk_rows * tile * size));
      worker.grad_hidden = taker.template take<float>(when(wants_hidden_, chunk_rows * dim));
      worker.grad_weights = taker.template take<float>(
          when(wants_weights_ && !source_.grad_weights_direct(), tile * dim));
      worker.column_sums = taker.template take<float>(when(wants_bias_, tile));
      worker.own_weight = taker.template take<double>(when(backward(), tile));
      worker.is_target = taker.template take<uint8_t>(when(backward(), tile));
      worker.target_columns = taker.template take<int32_t>(when(backward(), tile));
      if (workers_) workers_[w] = worker;
    }
  }

  // Entries of lists of the block with the most. Where sizes alone are asked for there are no lists.
  int64_t most_entries() const {
    if (!targets_.is_list()) return 0;
    int64_t most = 0;
    for (int64_t first = 0; first < source_.chunks(); first += plan_.block_chunks) {
      const int64_t last = std::min(source_.chunk_begin(first + plan_.block_chunks), source_.rows());
      most = std::max(most, targets_.end(last - 1) - targets_.begin(source_.chunk_begin(first)));
    }
    return most;
  }

  // ------------------------------------------------------------ before and between the passes

  void prepare_weights() {
    const vmx_vector& w = options_.class_weight;
    if (smooths_ && w.data) {
      terms_.class_weight = static_cast<const float*>(w.data);
      if (w.stride != 1) {
        for (int64_t c = 0; c < source_.classes(); ++c) class_weight_[c] = static_cast<const float*>(w.data)[c * w.stride];
        terms_.class_weight = class_weight_;
      }
      terms_.class_weight_total = 0;
      for (int64_t c = 0; c < source_.classes(); ++c) {
        terms_.class_weight_total += static_cast<double>(terms_.class_weight[c]);
      }
    }
    weight_ = total_weight(targets_, source_.rows());
    upstream_ = out_->grad_scale * (options_.reduction == VMX_REDUCE_MEAN ? 1.0 / weight_ : 1.0);
  }

  bool accumulates() const { return (grads_->flags & VMX_GRAD_ACCUMULATE) != 0; }

  // Where no product will write.
  void clear_gradients() {
    if (!backward() || accumulates() || source_.chunks() > 0) return;
    if (wants_weights_) {
      for (int64_t c = 0; c < source_.classes(); ++c) fill_row(grads_->weights, c, 0, source_.dim(), 0.0);
    }
    if (wants_bias_) {
      for (int64_t c = 0; c < source_.classes(); ++c) store_result(grads_->bias, c, 0.0);
    }
  }

  char* hidden_at(int64_t chunk) const {
    return hidden_ + chunk * source_.most_padded_rows() * source_.dim() * dtype_size(source_.product_dtype());
  }
  // The block's row at which a chunk of the block begins.
  int64_t offset_of(int64_t chunk) const { return source_.chunk_begin(first_ + chunk) - row0_; }
  float* scores_at(int64_t chunk, int64_t tile, const Worker& worker) const {
    if (!stored(tile)) return worker.scores;
    const int64_t chunk_tile = source_.most_padded_rows() * source_.most_scores_ld();
    return scores_ + (tile * plan_.block_chunks + chunk) * chunk_tile;
  }

  void begin_block() {
    parallel_for(ctx_, block_, [&](int64_t chunk) { source_.load_hidden(first_ + chunk, hidden_at(chunk)); });
    for (int64_t i = 0; i < block_rows_; ++i) {
      row_[i] = Row{};
      rows_.begin(row0_ + i, &row_[i].temperature);
      begin_row(terms_, row0_ + i, &row_[i].row);
      row_[i].upstream = upstream_;
    }
    for (int64_t w = 0; w < plan_.workers; ++w) {
      std::fill_n(workers_[w].folds, block_rows_, Fold{});
      if (smooths_) std::fill_n(workers_[w].smoothing, block_rows_, Smoothing{});
      if (backward()) std::fill_n(workers_[w].is_target, source_.most_tile_cols(), uint8_t{0});
    }
    first_entry_ = targets_.begin(row0_);
  }

  // ------------------------------------------------------------ forward

  void forward_pass() {
    Items items(block_ * source_.tiles());
    run_workers(ctx_, plan_.workers, [&](int64_t w) {
      Worker& worker = workers_[w];
      for (int64_t item; items.take(&item);) {
        const int64_t chunk = item % block_, tile = item / block_;
        float* const scores = scores_at(chunk, tile, worker);
        source_.scores(first_ + chunk, tile, hidden_at(chunk), scores, worker.source);
        const int64_t cols = source_.tile_cols(tile);
        for (int64_t i = 0; i < source_.chunk_rows(first_ + chunk); ++i) {
          fold_row(worker, offset_of(chunk) + i, scores + i * source_.scores_ld(tile), source_.tile_begin(tile), cols);
        }
      }
    });
  }

  void fold_row(Worker& worker, int64_t i, const float* scores, int64_t c0, int64_t cols) {
    const Row& r = row_[i];
    const float* const z = rows_.stage(r.temperature, scores, cols, worker.staged);
    for (int64_t e = targets_.begin(row0_ + i); e < targets_.end(row0_ + i); ++e) {
      if (targets_.ignored(e)) continue;
      const int64_t column = targets_.id(e) - c0;
      if (column >= 0 && column < cols) target_scores_[e - first_entry_] = z[column];
    }
    rows_.fold(r.temperature, z, c0, cols, r.row.skip, worker.folds[i].sum, &worker.folds[i].maximum);
    if (smooths_ && r.row.weight.count > 0 && r.temperature.mode != TemperatureMode::first_maximum) {
      fold_smoothing(worker.smoothing[i], r, z, c0, cols);
    }
  }

  void fold_smoothing(Smoothing& into, const Row& r, const float* z, int64_t c0, int64_t cols) const {
    const float* const weight = terms_.class_weight ? terms_.class_weight + c0 : nullptr;
    LseSum sum;
    ctx_.kernels->f32.lse_fold(z, cols, -1, r.temperature.params, sum);
    BlockStats stats;
    ctx_.kernels->f32.block_stats(z, cols, -1, weight, true, false, r.temperature.params, stats);
    const vmx_lse_state state = block_state(sum, stats, cols, VMX_STATE_HAS_SUMS, r.temperature.params);
    merge_states(into.state, state);
    if (!(state.flags & VMX_STATE_MASKED)) return;
    for (int64_t c = 0; c < cols; ++c) {
      into.masked_class_counts |= static_cast<double>(z[c]) == -kInf && (!weight || weight[c] > 0.0f);
    }
  }

  // ------------------------------------------------------------ rows

  // What the workers folded of a row, as finish_row wants it.
  class FoldedRow final : public RowScores {
   public:
    FoldedRow(const CrossEntropy& call, int64_t i) : call_(call), i_(i), next_(call.targets_.begin(call.row0_ + i)) {}

    // Asked for in the order of the row's list: no search.
    double score(int64_t column) const override {
      const int64_t row = call_.row0_ + i_;
      while (call_.targets_.ignored(next_) || call_.targets_.id(next_) != column) {
        if (++next_ == call_.targets_.end(row)) next_ = call_.targets_.begin(row);
      }
      const double staged = static_cast<double>(call_.target_scores_[next_ - call_.first_entry_]);
      return LinearRows::score(call_.row_[i_].temperature, staged, column);
    }
    vmx_lse_state sums() const override {
      const RowTemperature& t = call_.row_[i_].temperature;
      vmx_lse_state state{};
      if (t.mode == TemperatureMode::first_maximum) {
        // All mass on one class, the others masked.
        const float zero = 0.0f;
        const float* const weight = call_.terms_.class_weight ? call_.terms_.class_weight + t.first_maximum : nullptr;
        LseSum sum;
        call_.ctx_.kernels->f32.lse_fold(&zero, 1, -1, t.params, sum);
        BlockStats stats;
        call_.ctx_.kernels->f32.block_stats(&zero, 1, -1, weight, true, false, t.params, stats);
        return block_state(sum, stats, call_.source_.classes(), VMX_STATE_HAS_SUMS, t.params);
      }
      for (int64_t w = 0; w < call_.plan_.workers; ++w) merge_states(state, call_.workers_[w].smoothing[i_].state);
      return state;
    }
    bool masked_class_counts() const override {
      const RowTemperature& t = call_.row_[i_].temperature;
      bool counts = false;
      if (t.mode == TemperatureMode::first_maximum) {
        for (int64_t c = 0; c < call_.source_.classes(); ++c) {
          counts |= c != t.first_maximum && (!call_.terms_.class_weight || call_.terms_.class_weight[c] > 0.0f);
        }
      } else {
        for (int64_t w = 0; w < call_.plan_.workers; ++w) counts |= call_.workers_[w].smoothing[i_].masked_class_counts;
      }
      return counts;
    }

   private:
    const CrossEntropy& call_;
    const int64_t i_;
    mutable int64_t next_;
  };

  void finish_block() {
    parallel_for(ctx_, block_, [&](int64_t chunk) {
      for (int64_t i = 0; i < source_.chunk_rows(first_ + chunk); ++i) finish(chunk, offset_of(chunk) + i, i);
    });
    for (int64_t i = 0; i < block_rows_; ++i) {
      const CrossEntropyRow& r = row_[i].row;
      total_ += r.loss + r.z_loss;
      total_z_ += r.z_loss;
    }
  }

  void finish(int64_t chunk, int64_t i, int64_t chunk_row) {
    Row& r = row_[i];
    Fold all = workers_[0].folds[i];
    for (int64_t w = 1; w < plan_.workers; ++w) {
      all.sum.merge(workers_[w].folds[i].sum);
      LinearRows::merge(all.maximum, workers_[w].folds[i].maximum);
    }
    if (r.temperature.mode == TemperatureMode::first_maximum) {
      rows_.finish(&r.temperature, all.maximum, r.row.skip, all.sum);
    }
    const int64_t row = row0_ + i;
    finish_row(terms_, row, r.temperature, all.sum, FoldedRow(*this, i), &r.row);
    if (out_->loss.data) store_result(out_->loss, row, r.row.loss);
    if (out_->z_loss.data) store_result(out_->z_loss, row, r.row.z_loss);
    if (out_->lse.data) store_result(out_->lse, row, r.row.lse);
    if (out_->row_flags) out_->row_flags[row] = r.row.flags;
    if (!backward()) return;
    r.gradient = row_gradient(terms_, r.temperature, r.row, r.upstream);
    if (!r.gradient.filled) {
      if (r.temperature.mode != TemperatureMode::plain) {
        r.gradient.filled = true;  // 1/T = 0
      } else {
        // Any reference near the mass will do: the log-sum-exp. Where only ties with the maximum count that is kept.
        r.scale = make_row_scale(r.row.total, r.temperature, false, r.gradient.factor, [&] {
          return r.row.total.huge ? r.row.total.max : r.row.lse / r.temperature.params.inverse;
        });
      }
    }
    if (!r.contributes()) {
      const int64_t bytes = source_.dim() * dtype_size(source_.product_dtype());
      std::memset(hidden_at(chunk) + chunk_row * bytes, 0, static_cast<size_t>(bytes));
    }
  }

  // ------------------------------------------------------------ backward

  // The tiles last made are first used, while some cache may still hold them.
  void backward_pass() {
    const int64_t tiles = source_.tiles();
    Turns turns(turns_, wants_hidden_ ? block_ : 0);
    Items items(tiles);
    run_workers(ctx_, plan_.workers, [&](int64_t w) {
      try {
        for (int64_t item; items.take(&item);) {
          for (int64_t chunk = 0; chunk < block_; ++chunk) tile_gradient(workers_[w], chunk, tiles - 1 - item, item, turns);
        }
      } catch (...) {
        turns.give_up();
        throw;
      }
    });
    if (wants_hidden_ && source_.tiles() == 0) {
      for (int64_t i = 0; i < block_rows_; ++i) fill_row(grads_->hidden, row0_ + i, 0, source_.dim(), 0.0);
    } else if (wants_hidden_ && !hidden_direct_) {
      for (int64_t i = 0; i < block_rows_; ++i) {
        scatter_row(*ctx_.kernels, grad_hidden_ + i * source_.dim(), VMX_F32, grads_->hidden, row0_ + i, 0, source_.dim());
      }
    }
  }

  void tile_gradient(Worker& worker, int64_t chunk, int64_t tile, int64_t item, Turns& turns) {
    const int64_t cols = source_.tile_cols(tile), c0 = source_.tile_begin(tile), rows = source_.chunk_rows(first_ + chunk);
    const int64_t padded = source_.padded_rows(first_ + chunk);
    float* const scores = scores_at(chunk, tile, worker);
    if (!stored(tile)) source_.scores(first_ + chunk, tile, hidden_at(chunk), scores, worker.source);
    for (int64_t i = 0; i < rows; ++i) {
      row_gradient_tile(worker, offset_of(chunk) + i, scores + i * source_.scores_ld(tile), worker.gradient + i * cols, c0, cols);
    }
    std::memset(worker.gradient + rows * cols, 0, static_cast<size_t>((padded - rows) * cols) * sizeof(float));

    const bool more = first_ + chunk > 0 || accumulates();
    if (wants_bias_) add_column_sums(worker, rows, c0, cols, more);
    if (wants_weights_) {
      if (narrow_) {
        ctx_.kernels->transpose_to_bf16(worker.gradient, cols, padded, cols, worker.transposed, padded);
      } else {
        ctx_.kernels->transpose_f32(worker.gradient, cols, padded, cols, static_cast<float*>(worker.transposed), padded);
      }
      add_grad_weights(worker, chunk, tile, c0, cols, more);
    }
    if (wants_hidden_) {
      const void* g = worker.gradient;
      if (narrow_) {
        ctx_.kernels->narrow_bf16(worker.gradient, worker.narrow, padded * cols);
        g = worker.narrow;
      }
      source_.grad_hidden(first_ + chunk, tile, g, worker.grad_hidden, worker.source);
      turns.wait(chunk, item);
      add_grad_hidden(worker, chunk, rows, item == 0);
      turns.done(chunk);
    }
  }

  // Rows of the gradient of the scores in columns [c0, c0 + cols).
  void row_gradient_tile(Worker& worker, int64_t i, const float* z, float* g, int64_t c0, int64_t cols) {
    const Row& r = row_[i];
    if (r.gradient.filled) {
      std::fill_n(g, cols, static_cast<float>(r.gradient.fill));
      return;
    }
    const float* const staged = rows_.stage(r.temperature, z, cols, worker.staged);
    if (r.gradient.subtract == 0.0) {
      ctx_.kernels->f32.softmax_write(staged, g, cols, r.temperature.params, r.scale, false);
    } else {
      ctx_.kernels->f32.gradient_write(staged, g, cols, r.temperature.params, r.scale,
                                       terms_.class_weight ? terms_.class_weight + c0 : nullptr, r.gradient.subtract);
    }
    if (rows_.softcap() > 0) ctx_.kernels->f32.softcap_gradient(z, g, cols, rows_.softcap());
    patch_targets(worker, i, z, staged, g, c0, cols);
  }

  // A class that stands several times in a list has one gradient, by the sum of its weights in list order.
  void patch_targets(Worker& worker, int64_t i, const float* z, const float* staged, float* g, int64_t c0, int64_t cols) {
    const Row& r = row_[i];
    int64_t count = 0;
    for (int64_t e = targets_.begin(row0_ + i); e < targets_.end(row0_ + i); ++e) {
      if (targets_.ignored(e)) continue;
      const int64_t column = targets_.id(e) - c0;
      if (column < 0 || column >= cols) continue;
      if (!worker.is_target[column]) {
        worker.is_target[column] = 1;
        worker.own_weight[column] = 0;
        worker.target_columns[count++] = static_cast<int32_t>(column);
      }
      worker.own_weight[column] += targets_.weight(e) * targets_.class_weight(column + c0);
    }
    for (int64_t j = 0; j < count; ++j) {
      const int32_t column = worker.target_columns[j];
      worker.is_target[column] = 0;
      double value = target_gradient(terms_, r.temperature, r.row, r.upstream, c0 + column,
                                     static_cast<double>(staged[column]), worker.own_weight[column]);
      if (rows_.softcap() > 0) {
        float factor = 1.0f;
        ctx_.kernels->f32.softcap_gradient(z + column, &factor, 1, rows_.softcap());
        value *= static_cast<double>(factor);
      }
      g[column] = value < 0x1p-126 && value > -0x1p-126 ? 0.0f : static_cast<float>(value);
    }
  }

  void add_grad_weights(Worker& worker, int64_t chunk, int64_t tile, int64_t c0, int64_t cols, bool more) {
    const vmx_matrix& out = grads_->weights;
    if (source_.grad_weights_direct()) {
      float* const to = static_cast<float*>(out.data) + c0 * out.row_stride;
      source_.grad_weights(first_ + chunk, tile, worker.transposed, hidden_at(chunk), more, to, worker.source);
      return;
    }
    source_.grad_weights(first_ + chunk, tile, worker.transposed, hidden_at(chunk), false, worker.grad_weights, worker.source);
    for (int64_t c = 0; c < cols; ++c) {
      const float* const from = worker.grad_weights + c * source_.dim();
      float* const to = static_cast<float*>(out.data) + (c0 + c) * out.row_stride;
      for (int64_t k = 0; k < source_.dim(); ++k) {
        float& sum = to[k * out.col_stride];
        sum = more ? sum + from[k] : from[k];
      }
    }
  }

  void add_column_sums(Worker& worker, int64_t rows, int64_t c0, int64_t cols, bool more) {
    const vmx_vector& out = grads_->bias;
    float* const to = static_cast<float*>(out.data) + c0 * out.stride;
    ctx_.kernels->column_sums_f32(worker.gradient, rows, cols, worker.column_sums);
    for (int64_t c = 0; c < cols; ++c) {
      float& sum = to[c * out.stride];
      sum = more ? sum + worker.column_sums[c] : worker.column_sums[c];
    }
  }

  void add_grad_hidden(const Worker& worker, int64_t chunk, int64_t rows, bool first_item) {
    const int64_t dim = source_.dim(), offset = offset_of(chunk);
    for (int64_t i = 0; i < rows; ++i) {
      float* const to = hidden_direct_ ? static_cast<float*>(grads_->hidden.data) + (row0_ + offset + i) * grads_->hidden.row_stride
                                       : grad_hidden_ + (offset + i) * dim;
      const float* const from = worker.grad_hidden + i * dim;
      if (!row_[offset + i].contributes()) {
        std::fill_n(to, dim, 0.0f);
      } else if (first_item) {
        std::copy_n(from, dim, to);
      } else {
        for (int64_t k = 0; k < dim; ++k) to[k] += from[k];
      }
    }
  }

  const vmx_context& ctx_;
  const LinearInput& input_;
  const TargetList& targets_;
  const vmx_cross_entropy_options& options_;
  const vmx_linear_grads* grads_;
  const bool wants_hidden_, wants_weights_, wants_bias_;
  LinearSource source_;
  LinearRows rows_;
  const bool smooths_;
  const bool narrow_;         // gradients of scores go to the products in bf16
  const bool hidden_direct_;  // the gradient of hidden is summed where it belongs
  LinearPlan plan_;

  const vmx_cross_entropy_out* out_ = nullptr;
  CrossEntropyTerms terms_;
  double weight_ = 0, upstream_ = 0, total_ = 0, total_z_ = 0;
  int64_t list_entries_ = 0;

  // The block in work.
  int64_t first_ = 0, block_ = 0, row0_ = 0, block_rows_ = 0, first_entry_ = 0;

  char* hidden_ = nullptr;
  Row* row_ = nullptr;
  float* target_scores_ = nullptr;  // by entry of the block's lists
  float* class_weight_ = nullptr;
  float* grad_hidden_ = nullptr;
  Turns::Counter* turns_ = nullptr;
  float* scores_ = nullptr;
  Worker* workers_ = nullptr;
};

}  // namespace

vmx_status linear_cross_entropy(const vmx_context& ctx, vmx_workspace* ws, const LinearInput& input,
                                const TargetList& targets, const vmx_cross_entropy_options& options,
                                const vmx_cross_entropy_out* out, const vmx_linear_grads* grads, size_t* size) {
  CrossEntropy call(ctx, input, targets, options, grads);
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
