// SPDX-License-Identifier: Apache-2.0
// The softmax itself. Scores are made tile by tile and never kept: one pass tells the log-sum-exp of each row and runs its race;
// draws with replacement take a second one over the same scores.
#include "core/scalar_math.hpp"
#include "core/workspace.hpp"
#include "ops/items.hpp"
#include "ops/rows.hpp"
#include "ops/scores.hpp"
#include "samplers/draw.hpp"
#include "samplers/panels.hpp"

#include <algorithm>

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();
constexpr int64_t kTile = 1024;      // classes; less than a block, which is cut without harm: the sums of its parts are exact
constexpr int64_t kMostRows = 64;    // of a chunk: what a panel is read for
constexpr size_t kMostBytes = size_t{32} << 20;  // of a worker's lists

class Exact final : public vmx_sampler {
 public:
  Exact(const vmx_context& ctx, const vmx_sampler_options& options)
      : vmx_sampler(ctx, options),
        embeddings(options.embeddings),
        params(make_exp_params(std::clamp(f64_to_f32(options.temperature), 0x1p-126f, 0x1.fffffep+127f), false)) {}

  size_t bytes() const override { return sizeof *this; }
  const Proposal* proposal(const KernelTable&, const float*, void*, uint32_t*) const override { return nullptr; }
  bool kept_view(vmx_matrix* view) const override {
    *view = embeddings;
    return true;
  }
  void update(const vmx_context&, const vmx_matrix& now, const vmx_ids*) override { embeddings = now; }

  int64_t tiles() const { return (classes + kTile - 1) / kTile; }

  vmx_matrix embeddings;
  const ExpParams params;
};

const Exact& exact_of(const vmx_sampler* sampler) { return *static_cast<const Exact*>(sampler); }

// Makes the scores of a chunk of rows against a tile of classes, kTile apart.
struct TileScores {
  float *panel, *staged, *scores;

  template <class Taker>
  void take(Taker& taker, const Exact& s, int64_t rows) {
    panel = taker.template take<float>(static_cast<size_t>(panel_floats(s.dim)));
    staged = taker.template take<float>(static_cast<size_t>(kPanelClasses * s.dim));
    scores = taker.template take<float>(static_cast<size_t>(rows * kTile));
  }
  /// Returns the tile's classes.
  int64_t make(const KernelTable& kernels, const Exact& s, const float* hidden, int64_t rows, int64_t tile) const {
    const int64_t first = tile * kTile, n = std::min(kTile, s.classes - first);
    for (int64_t c = 0; c < n; c += kPanelClasses) {
      make_panel(kernels, s.embeddings, first + c, std::min(kPanelClasses, n - c), panel, staged);
      kernels.few_rows_f32(hidden, rows, s.dim, panel, 1, nullptr, scores + c, kTile);
    }
    return n;
  }
};

// A tile's terms relative to its largest score: what draws with replacement choose by.
struct TileMass {
  double max, sum;
};

// terms[0 .. n) = e^((z - max)/T); both rounded up to 64.
TileMass tile_terms(const KernelTable& kernels, const Exact& s, const float* z, int64_t n, double* terms) {
  TileMass mass{-kInf, 0.0};
  for (int64_t c = 0; c < n; ++c) mass.max = std::max(mass.max, static_cast<double>(z[c]));
  if (mass.max == -kInf || mass.max == kInf) return {mass.max, 0.0};
  const int64_t whole = (n + 63) / 64 * 64;
  for (int64_t c = 0; c < n; ++c) terms[c] = (static_cast<double>(z[c]) - mass.max) * s.params.inverse;
  std::fill(terms + n, terms + whole, -kInf);
  kernels.exp_f64(terms, terms, whole);
  for (int64_t c = 0; c < n; ++c) mass.sum += terms[c];
  return mass;
}

double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

// One chunk of rows at a time; a worker has a range of the tiles.
class ExactPass {
 public:
  enum class Kind { log_q, race, replace };

  ExactPass(const vmx_context& ctx, const Exact& sampler, const vmx_matrix& hidden, Kind kind, int64_t m)
      : ctx_(ctx), kernels_(*ctx.kernels), s_(sampler), hidden_view_(hidden), kind_(kind), m_(m) {
    size_t row_bytes = 1;
    if (kind == Kind::race) row_bytes = Race::bytes(m);
    if (kind == Kind::replace) {
      row_bytes = Scratch::sum(saturating_mul(sizeof(TileMass), static_cast<size_t>(s_.tiles())),
                               saturating_mul(sizeof(Hit) + sizeof(int32_t), static_cast<size_t>(m)));
    }
    const auto fit = static_cast<int64_t>(std::min<size_t>(kMostBytes / row_bytes, kMostRows));
    chunk_rows_ = std::max<int64_t>(1, std::min(fit, hidden.rows));
    workers_n_ = std::max<int64_t>(1, std::min<int64_t>(ctx.threads, s_.tiles()));
  }

  size_t bytes() {
    PieceCounter counter;
    take(counter);
    return counter.bytes();
  }

  /// streams(row); finish(row, sum, scores) after each row's pass.
  template <class Streams, class Finish>
  void run(vmx_workspace* ws, Streams&& streams, Finish&& finish) {
    if (hidden_view_.rows == 0) return;
    Scratch scratch(ctx_, ws, bytes());
    take(scratch);
    for (int64_t row0 = 0; row0 < hidden_view_.rows; row0 += chunk_rows_) {
      const int64_t rows = std::min(chunk_rows_, hidden_view_.rows - row0);
      for (int64_t r = 0; r < rows; ++r) load_row(kernels_, hidden_view_, row0 + r, hidden_ + r * s_.dim);
      parallel_for(ctx_, workers_n_, [&](int64_t w) { fold(workers_[w], w, row0, rows, streams); });
      for (int64_t r = 0; r < rows; ++r) {
        LseSum& sum = workers_[0].sums[r];
        for (int64_t w = 1; w < workers_n_; ++w) {
          sum.merge(workers_[w].sums[r]);
          if (kind_ == Kind::race) workers_[0].races[r].absorb(workers_[w].races[r]);
        }
      }
      if (kind_ == Kind::replace) {
        place_hits(row0, rows, streams);
        parallel_for(ctx_, workers_n_, [&](int64_t w) { resolve_hits(workers_[w], w, row0, rows, streams); });
      }
      parallel_for(ctx_, kind_ == Kind::race ? rows : 1, [&](int64_t task) {
        const int64_t end = kind_ == Kind::race ? task + 1 : rows;
        for (int64_t r = task; r < end; ++r) finish(row0 + r, r, workers_[0].sums[r]);
      });
    }
  }

  Race& race(int64_t r) { return workers_[0].races[r]; }
  /// The score of one class, as the tiles have it. Not beside itself.
  float score(int64_t r, int64_t id) {
    const TileScores& t = workers_[0].tile;
    make_panel(kernels_, s_.embeddings, id, 1, t.panel, t.staged);
    float lanes[kPanelClasses];
    kernels_.few_rows_f32(hidden_ + r * s_.dim, 1, s_.dim, t.panel, 1, nullptr, lanes, kPanelClasses);
    return lanes[0];
  }
  struct Hit {
    int32_t tile, id;
    float score;
  };
  const Hit* hits(int64_t r) const { return hits_ + r * m_; }

 private:
  struct Worker {
    TileScores tile;
    LseSum* sums;
    Race* races;
    std::byte* race_memory;
    double* terms;
  };

  template <class Taker>
  void take(Taker& taker) {
    const auto rows = static_cast<size_t>(chunk_rows_);
    const bool replace = kind_ == Kind::replace, race = kind_ == Kind::race;
    hidden_ = taker.template take<float>(saturating_mul(rows, static_cast<size_t>(s_.dim)));
    masses_ = taker.template take<TileMass>(replace ? saturating_mul(rows, static_cast<size_t>(s_.tiles())) : 0);
    cumulative_ = taker.template take<double>(replace ? static_cast<size_t>(s_.tiles()) : 0);
    hits_ = taker.template take<Hit>(replace ? saturating_mul(rows, static_cast<size_t>(m_)) : 0);
    order_ = taker.template take<int32_t>(replace ? saturating_mul(rows, static_cast<size_t>(m_)) : 0);
    workers_ = taker.template take<Worker>(static_cast<size_t>(workers_n_));
    for (int64_t w = 0; w < workers_n_; ++w) {
      Worker worker{};
      worker.tile.take(taker, s_, chunk_rows_);
      worker.sums = taker.template take<LseSum>(rows);
      worker.races = taker.template take<Race>(race ? rows : 0);
      worker.race_memory = taker.template take<std::byte>(race ? saturating_mul(rows, Race::bytes(m_)) : 0);
      worker.terms = taker.template take<double>(replace ? kTile : 0);
      if (workers_) workers_[w] = worker;
    }
  }
  int64_t first_tile(int64_t w) const { return s_.tiles() * w / workers_n_; }

  template <class Streams>
  void fold(Worker& worker, int64_t w, int64_t row0, int64_t rows, Streams&& streams) {
    for (int64_t r = 0; r < rows; ++r) {
      worker.sums[r] = LseSum{};
      if (kind_ != Kind::race) continue;
      ::new (&worker.races[r]) Race;
      worker.races[r].begin(kernels_, streams(row0 + r).noise, s_.params.inverse, m_,
                            worker.race_memory + static_cast<size_t>(r) * Race::bytes(m_));
    }
    for (int64_t tile = first_tile(w); tile < first_tile(w + 1); ++tile) {
      const int64_t n = worker.tile.make(kernels_, s_, hidden_, rows, tile);
      for (int64_t r = 0; r < rows; ++r) {
        const float* const z = worker.tile.scores + r * kTile;
        kernels_.f32.lse_fold(z, n, -1, s_.params, worker.sums[r]);
        if (kind_ == Kind::race) worker.races[r].feed(z, n, tile * kTile);
        if (kind_ == Kind::replace) masses_[r * s_.tiles() + tile] = tile_terms(kernels_, s_, z, n, worker.terms);
      }
    }
  }

  // Which tile each place falls into; the places of a row in the order of their tiles.
  template <class Streams>
  void place_hits(int64_t row0, int64_t rows, Streams&& streams) {
    for (int64_t r = 0; r < rows; ++r) {
      if (row_flags_of(workers_[0].sums[r]) != 0) continue;
      const TileMass* const mass = masses_ + r * s_.tiles();
      double max = -kInf, sum = 0.0;
      for (int64_t t = 0; t < s_.tiles(); ++t) max = std::max(max, mass[t].max);
      for (int64_t t = 0; t < s_.tiles(); ++t) {
        if (mass[t].sum > 0.0) sum += mass[t].sum * scalar_exp((mass[t].max - max) * s_.params.inverse);
        cumulative_[t] = sum;
      }
      const WordStream words = streams(row0 + r).words;
      Hit* const hit = hits_ + r * m_;
      int32_t* const order = order_ + r * m_;
      for (int64_t i = 0; i < m_; ++i) {
        double at = unit(long_word(words, static_cast<uint32_t>(i))) * sum;
        if (!(at < sum)) at = sum * (1.0 - 0x1p-53);
        hit[i].tile = static_cast<int32_t>(std::upper_bound(cumulative_, cumulative_ + s_.tiles(), at) - cumulative_);
        order[i] = static_cast<int32_t>(i);
      }
      std::sort(order, order + m_, [&](int32_t a, int32_t b) { return hit[a].tile != hit[b].tile ? hit[a].tile < hit[b].tile : a < b; });
    }
  }

  // From tiles to classes: each worker in its own tiles, whose scores are made again.
  template <class Streams>
  void resolve_hits(Worker& worker, int64_t w, int64_t row0, int64_t rows, Streams&& streams) {
    int64_t next[kMostRows];
    const auto of = [&](int64_t r, int64_t i) -> Hit& { return hits_[r * m_ + order_[r * m_ + i]]; };
    for (int64_t r = 0; r < rows; ++r) {
      next[r] = m_;
      if (row_flags_of(workers_[0].sums[r]) != 0) continue;
      const int32_t* const order = order_ + r * m_;
      next[r] = std::partition_point(order, order + m_, [&](int32_t i) { return hits_[r * m_ + i].tile < first_tile(w); }) - order;
    }
    for (int64_t tile = first_tile(w); tile < first_tile(w + 1); ++tile) {
      bool any = false;
      for (int64_t r = 0; r < rows; ++r) any |= next[r] < m_ && of(r, next[r]).tile == tile;
      if (!any) continue;
      const int64_t n = worker.tile.make(kernels_, s_, hidden_, rows, tile);
      for (int64_t r = 0; r < rows; ++r) {
        if (next[r] == m_ || of(r, next[r]).tile != tile) continue;
        const float* const z = worker.tile.scores + r * kTile;
        tile_terms(kernels_, s_, z, n, worker.terms);
        for (int64_t c = 1; c < n; ++c) worker.terms[c] += worker.terms[c - 1];
        const double sum = worker.terms[n - 1];
        const WordStream again = streams(row0 + r).again;
        for (; next[r] < m_ && of(r, next[r]).tile == tile; ++next[r]) {
          double at = unit(long_word(again, static_cast<uint32_t>(order_[r * m_ + next[r]]))) * sum;
          if (!(at < sum)) at = sum * (1.0 - 0x1p-53);
          const int64_t c = std::upper_bound(worker.terms, worker.terms + n, at) - worker.terms;
          Hit& hit = of(r, next[r]);
          hit.id = static_cast<int32_t>(tile * kTile + c);
          hit.score = z[c];
        }
      }
    }
  }

  const vmx_context& ctx_;
  const KernelTable& kernels_;
  const Exact& s_;
  const vmx_matrix& hidden_view_;
  const Kind kind_;
  const int64_t m_;
  int64_t chunk_rows_, workers_n_;
  float* hidden_ = nullptr;
  TileMass* masses_ = nullptr;
  double* cumulative_ = nullptr;
  Hit* hits_ = nullptr;
  int32_t* order_ = nullptr;
  Worker* workers_ = nullptr;
};

ExactPass pass_of(const vmx_context& ctx, const DrawCall& call) {
  return ExactPass(ctx, exact_of(call.sampler), call.hidden, call.unique() ? ExactPass::Kind::race : ExactPass::Kind::replace,
                   call.m());
}

}  // namespace

vmx_sampler* create_exact(const vmx_context& ctx, const vmx_sampler_options& options) {
  return make_sampler<Exact>(ctx, options);
}

size_t exact_draw_scratch(const vmx_context& ctx, const DrawCall& call) { return pass_of(ctx, call).bytes(); }

void exact_draw(const vmx_context& ctx, vmx_workspace* ws, const DrawCall& call) {
  const Exact& s = exact_of(call.sampler);
  ExactPass pass = pass_of(ctx, call);
  const double log_m = call.counts() ? scalar_log(static_cast<double>(call.m())) : 0.0;
  pass.run(
      ws, [&](int64_t row) { return draw_streams(call.options.seed, call.options.step, row); },
      [&](int64_t row, int64_t r, const LseSum& sum) {
        uint32_t flags = row_flags_of(sum);
        int64_t count = 0;
        const auto store = [&](int32_t id, double score) {
          const double log_q = log_m - lse_minus(sum, s.params, score);
          store_ids(call, row, count, 1, &id);
          store_log_q(call, row, count, 1, &log_q);
          ++count;
        };
        if (flags == 0 && call.unique()) {
          const Race::Entry* found;
          const int64_t n = pass.race(r).finish(&found);
          for (int64_t i = 0; i < n; ++i) store(found[i].id, found[i].score);
          if (n < call.m()) flags |= VMX_ROW_UNDERFULL;
        } else if (flags == 0) {
          for (int64_t i = 0; i < call.m(); ++i) store(pass.hits(r)[i].id, static_cast<double>(pass.hits(r)[i].score));
        }
        store_none(call, row, count, flags & (VMX_ROW_NAN | VMX_ROW_INF) ? __builtin_nan("") : -kInf);
        if (call.tries) call.tries[row] = count;
        if (call.row_flags) call.row_flags[row] = flags;
      });
}

void exact_log_q(const vmx_context& ctx, vmx_workspace* ws, const LogQCall& call) {
  const Exact& s = exact_of(call.sampler);
  ExactPass pass(ctx, s, call.hidden, ExactPass::Kind::log_q, 0);
  const double log_m = call.draws > 0 ? scalar_log(static_cast<double>(call.draws)) : 0.0;
  pass.run(
      ws, [](int64_t) { return DrawStreams{}; },
      [&](int64_t row, int64_t r, const LseSum& sum) {
        const uint32_t flags = row_flags_of(sum);
        for (int64_t i = call.begin(row); i < call.end(row); ++i) {
          double value = flags & VMX_ROW_EMPTY ? -kInf : __builtin_nan("");
          if (flags == 0) {
            const double score = static_cast<double>(pass.score(r, call.id(i)));
            value = score > -kInf ? log_m - lse_minus(sum, s.params, score) : -kInf;
          }
          store_result(call.log_q, i, value);
        }
      });
}

}  // namespace vmx
