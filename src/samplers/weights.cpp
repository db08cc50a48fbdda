// SPDX-License-Identifier: Apache-2.0
// q = w^power / sum w^power by an alias table (Walker 1977): V cells of equal probability, each shared by two classes at most.
#include "core/scalar_math.hpp"
#include "ops/rows.hpp"
#include "samplers/sampler.hpp"

#include <algorithm>
#include <bit>

namespace vmx {
namespace {

// Draws of the cell's own class if 32 random bits are below the threshold.
struct Cell {
  uint32_t threshold;
  int32_t alias;
};
static_assert(sizeof(Cell) == sizeof(double));

constexpr int64_t kPart = 1024;   // weights in work at a time
constexpr int64_t kSums = 4096;   // weights of one partial sum
constexpr int64_t kAhead = 64;    // draws between the call for a cell and its use

template <class T>
void load_weights_of(const vmx_vector& w, int64_t first, int64_t n, double* to) {
  const T* const from = static_cast<const T*>(w.data) + first * w.stride;
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<double>(from[i * w.stride]);
}
void load_weights(const vmx_vector& w, int64_t first, int64_t n, double* to) {
  switch (w.dtype) {
    case VMX_F32: load_weights_of<float>(w, first, n, to); return;
    case VMX_I32: load_weights_of<int32_t>(w, first, n, to); return;
    case VMX_I64: load_weights_of<int64_t>(w, first, n, to); return;
    default: load_weights_of<double>(w, first, n, to); return;
  }
}

// Which classes have at least their share, a bit each: for two walks over all classes, one of each kind.
class Marks {
 public:
  Marks(const vmx_context& memory, int64_t n) : n_(n), words_(memory, (n + 63) / 64) { words_.clear(); }
  void set(int64_t i) const { words_[i / 64] |= uint64_t{1} << (i % 64); }
  /// The first class from i on that is marked, or is not; n if there is none.
  int64_t next(int64_t i, bool marked) const {
    const uint64_t turn = marked ? 0 : ~uint64_t{0};
    for (int64_t word = i / 64; i < n_; i = ++word * 64) {
      const uint64_t left = (words_[word] ^ turn) >> (i % 64);
      if (left != 0) return std::min(n_, i + std::countr_zero(left));
    }
    return n_;
  }

 private:
  int64_t n_;
  Table<uint64_t> words_;
};

class Weights final : public FixedSampler {
 public:
  Weights(const vmx_context& ctx, const vmx_sampler_options& options)
      : FixedSampler(ctx, options), cells_(memory, classes), log_q_(memory, classes) {
    build(ctx, options);
  }

  size_t bytes() const override { return sizeof *this + cells_.bytes() + log_q_.bytes(); }
  int64_t positive() const override { return positive_; }

  void draw(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, int32_t* ids) const override {
    alignas(64) int32_t index[kDrawBatch + kAhead];
    alignas(64) uint32_t fraction[kDrawBatch];
    draw_exact_cells(kernels, streams, first, n, static_cast<uint32_t>(classes), index, fraction);
    const Cell* const cells = cells_.data();
    std::fill_n(index + n, kAhead, 0);
    for (int64_t i = 0; i < kAhead; ++i) __builtin_prefetch(cells + index[i]);
    for (int64_t i = 0; i < n; ++i) {
      __builtin_prefetch(cells + index[i + kAhead]);
      const Cell cell = cells[index[i]];
      const int32_t own = -static_cast<int32_t>(fraction[i] < cell.threshold);  // no branch: it would be taken at random
      ids[i] = cell.alias ^ ((index[i] ^ cell.alias) & own);
    }
  }
  void log_q(const KernelTable&, int32_t* ids, int64_t n, double* log_q) const override {
    for (int64_t i = 0; i < n; ++i) log_q[i] = static_cast<double>(log_q_[ids[i]]);
  }

 private:
  void build(const vmx_context& ctx, const vmx_sampler_options& options);
  void share_out(const Marks& marks, int64_t largest);
  double& share(int64_t k) const { return reinterpret_cast<double*>(cells_.data())[k]; }
  void set_cell(int64_t k, double probability, int64_t alias) const {
    const double scaled = probability * 0x1p32 + 0.5;
    Cell cell{0xffffffffu, static_cast<int32_t>(k)};
    if (scaled < 0x1p32) cell = {static_cast<uint32_t>(scaled), static_cast<int32_t>(alias)};
    std::memcpy(static_cast<void*>(&cells_[k]), &cell, sizeof cell);
  }

  Table<Cell> cells_;
  Table<float> log_q_;
  int64_t positive_ = 0;
};

// Until its cell is made each class has its share there, as an f64.
void Weights::build(const vmx_context& ctx, const vmx_sampler_options& options) {
  const vmx_vector& w = options.weights;
  const double power = options.power;
  const int64_t sums = (classes + kSums - 1) / kSums;
  struct Part {
    double max, sum;
    int64_t largest, positive;
  };
  const Table<Part> parts(memory, sums);
  const auto each = [&](auto&& f) {
    parallel_for(ctx, sums, [&](int64_t s) { f(s, s * kSums, std::min(classes, (s + 1) * kSums)); });
  };
  each([&](int64_t s, int64_t begin, int64_t end) {
    Part part{0.0, 0.0, begin, 0};
    alignas(64) double weights[kPart];
    for (int64_t k = begin; k < end; k += kPart) {
      const int64_t n = std::min(kPart, end - k);
      load_weights(w, k, n, weights);
      for (int64_t i = 0; i < n; ++i) {
        part.positive += weights[i] > 0.0;
        if (weights[i] > part.max) part.max = weights[i], part.largest = k + i;
      }
    }
    parts[s] = part;
  });
  Part all{0.0, 0.0, 0, 0};
  for (int64_t s = 0; s < sums; ++s) {
    all.positive += parts[s].positive;
    if (parts[s].max > all.max) all.max = parts[s].max, all.largest = parts[s].largest;
  }
  positive_ = all.positive;

  // Weights are taken in units of the largest one's power of two; subnormal ones are brought into range by scalar_log.
  const double log_max = scalar_log(all.max);
  int64_t exponent = static_cast<int64_t>(std::bit_cast<uint64_t>(all.max) >> 52) - 1023;
  exponent = std::clamp<int64_t>(exponent, -1022, 1022);
  const double unit = std::bit_cast<double>((1023 - exponent) << 52);
  const double log_unit = static_cast<double>(exponent) * kLn2Hi + static_cast<double>(exponent) * kLn2Lo - log_max;
  // log(w^power) less that of the largest, for part of the classes; their weights in units.
  const auto logs = [&](int64_t begin, int64_t n, double* weights, double* out) {
    const int64_t whole = (n + 63) / 64 * 64;
    load_weights(w, begin, n, weights);
    for (int64_t i = 0; i < n; ++i) weights[i] *= unit;
    std::fill(weights + n, weights + whole, 1.0);
    ctx.kernels->log_f64(weights, out, whole);
    for (int64_t i = 0; i < n; ++i) {
      if (weights[i] < 0x1p-1022) {  // 0, or subnormal
        double weight;
        load_weights(w, begin + i, 1, &weight);
        out[i] = weight > 0.0 ? power * (scalar_log(weight) - log_max) : -__builtin_inf();
      } else {
        out[i] = power * (out[i] + log_unit);
      }
    }
  };
  each([&](int64_t s, int64_t begin, int64_t end) {
    alignas(64) double weights[kPart], log[kPart], value[kPart];
    double sum = 0.0;
    for (int64_t k = begin; k < end; k += kPart) {
      const int64_t n = std::min(kPart, end - k), whole = (n + 63) / 64 * 64;
      logs(k, n, weights, log);
      std::fill(log + n, log + whole, 0.0);
      const double* shares = weights;
      if (power != 1.0) {
        ctx.kernels->exp_f64(log, value, whole);
        shares = value;
      }
      for (int64_t i = 0; i < n; ++i) {
        share(k + i) = shares[i];
        sum += shares[i];
      }
    }
    parts[s].sum = sum;
  });
  double total = 0.0, lost = 0.0;
  for (int64_t s = 0; s < sums; ++s) {
    const double next = total + parts[s].sum, t = next - total;
    lost += (total - (next - t)) + (parts[s].sum - t);
    total = next;
  }
  total += lost;

  const double log_total = power == 1.0 ? scalar_log(total / (all.max * unit)) : scalar_log(total);
  const double scale = static_cast<double>(classes) / total;
  const Marks marks(memory, classes);
  each([&](int64_t, int64_t begin, int64_t end) {
    alignas(64) double weights[kPart], log[kPart];
    for (int64_t k = begin; k < end; k += kPart) {
      const int64_t n = std::min(kPart, end - k);
      logs(k, n, weights, log);
      for (int64_t i = 0; i < n; ++i) {
        log_q_[k + i] = static_cast<float>(log[i] - log_total);
        share(k + i) *= scale;
        if (share(k + i) >= 1.0) marks.set(k + i);  // kSums is a multiple of 64: no word is another task's
      }
    }
  });
  share_out(marks, all.largest);
}

// The sweep of Hubschle-Schneider & Sanders 2019: classes below their share are filled up by those above, both in rising order.
void Weights::share_out(const Marks& marks, int64_t largest) {
  int64_t small = marks.next(0, false), large = marks.next(0, true);
  double left = large < classes ? share(large) : 0.0;  // of the large one
  while (large < classes) {
    if (left > 1.0) {
      if (small == classes) break;
      const double own = share(small);
      set_cell(small, own, large);
      left = (left + own) - 1.0;
      small = marks.next(small + 1, false);
    } else {
      const int64_t next = marks.next(large + 1, true);
      if (next == classes) break;
      const double own = share(next);
      set_cell(large, left, next);
      left = (own + left) - 1.0;
      large = next;
    }
  }
  // What is left has rounding to thank, and all of its cell.
  for (; large < classes; large = marks.next(large + 1, true)) set_cell(large, 1.0, large);
  for (; small < classes; small = marks.next(small + 1, false)) {
    set_cell(small, share(small) > 0.0 ? 1.0 : 0.0, largest);
  }
}

}  // namespace

vmx_sampler* create_weights(const vmx_context& ctx, const vmx_sampler_options& options) {
  return make_sampler<Weights>(ctx, options);
}

}  // namespace vmx
