// SPDX-License-Identifier: Apache-2.0
// q proportional to alpha (h.w/T)^2 + 1 (Blanc & Rendle 2018). The mass of a set of classes is c h^T G h + their number, G the
// Gram matrix of their embeddings, c = alpha/T^2: a draw goes down a binary tree of such sets, then looks at the classes of a leaf.
#include "core/scalar_math.hpp"
#include "core/views.hpp"
#include "core/workspace.hpp"
#include "ops/items.hpp"
#include "samplers/panels.hpp"
#include "samplers/sampler.hpp"

#include <algorithm>

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();

double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

// Extreme temperatures leave alpha/T^2 where products with squares of f32 are finite; its class of equals is the same.
double factor_of(double alpha, double temperature) {
  const double t = std::max(temperature, 0x1p-300);
  return std::min(alpha / t / t, 0x1p500);
}

// Nodes are numbered from 1; the children of i are 2i and 2i + 1, leaf l is node leaves + l.
class Quadratic final : public vmx_sampler {
 public:
  Quadratic(const vmx_context& ctx, const vmx_sampler_options& options);

  size_t bytes() const override {
    return sizeof *this + panels_.bytes() + grams_.bytes() + counts_.bytes() + changes_.bytes();
  }
  size_t proposal_bytes() const override;
  const Proposal* proposal(const KernelTable& kernels, const float* hidden, void* memory, uint32_t* flags) const override;
  void update(const vmx_context& ctx, const vmx_matrix& embeddings, const vmx_ids* ids) override {
    if (ids) {
      update_some(ctx, embeddings, *ids);
    } else {
      build(ctx, embeddings);
    }
  }

 private:
  class Row;

  int64_t leaf_begin(int64_t leaf) const { return leaf * leaf_classes_; }
  int64_t leaf_size(int64_t leaf) const { return std::min(leaf_classes_, classes - leaf * leaf_classes_); }
  int64_t node_floats() const { return panel_count(dim) * panel_floats(dim); }
  /// G of a node, in panels: its product with a row is a kernel for few rows.
  float* gram(int64_t node) const { return grams_.data() + (node - 1) * node_floats(); }
  float* panel(int64_t id) const { return panels_.data() + id / kPanelClasses * panel_floats(dim); }
  float& value(int64_t id, int64_t k) const { return panel(id)[k * kPanelClasses + id % kPanelClasses]; }
  size_t leaf_room() const {
    return Scratch::sum(Scratch::need<float>(saturating_mul(static_cast<size_t>(dim), static_cast<size_t>(leaf_classes_))),
                        Scratch::need<float>(static_cast<size_t>(kPanelClasses * leaf_classes_)));
  }

  void build(const vmx_context& ctx, const vmx_matrix& embeddings);
  void update_some(const vmx_context& ctx, const vmx_matrix& embeddings, const vmx_ids& ids);
  void sum_leaf(const KernelTable& kernels, int64_t leaf, std::byte* room) const;
  void sum_children(int64_t node) const;

  const double factor_;
  const int64_t leaf_classes_, leaves_;
  Table<float> panels_;    // the embeddings
  Table<float> grams_;
  Table<int32_t> counts_;  // classes of a node
  Table<int64_t> changes_; // of a leaf, since its sums were made afresh
};

int64_t leaf_classes_of(int64_t dim) { return (std::max<int64_t>(8 * dim, 1) + kPanelClasses - 1) / kPanelClasses * kPanelClasses; }

Quadratic::Quadratic(const vmx_context& ctx, const vmx_sampler_options& options)
    : vmx_sampler(ctx, options),
      factor_(factor_of(options.alpha, options.temperature)),
      leaf_classes_(leaf_classes_of(dim)),
      leaves_((classes + leaf_classes_ - 1) / leaf_classes_),
      panels_(memory, panel_count(classes) * panel_floats(dim)),
      grams_(memory, (2 * leaves_ - 1) * node_floats()),
      counts_(memory, 2 * leaves_),
      changes_(memory, leaves_) {
  for (int64_t l = 0; l < leaves_; ++l) counts_[leaves_ + l] = static_cast<int32_t>(leaf_size(l));
  for (int64_t node = leaves_ - 1; node > 0; --node) counts_[node] = counts_[2 * node] + counts_[2 * node + 1];
  build(ctx, options.embeddings);
}

void Quadratic::build(const vmx_context& ctx, const vmx_matrix& embeddings) {
  const KernelTable& kernels = *ctx.kernels;
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(ctx.threads, leaves_));
  const size_t room = leaf_room();
  const Table<std::byte> rooms(memory, workers * static_cast<int64_t>(room));
  changes_.clear();
  Items items(leaves_);
  parallel_for(ctx, workers, [&](int64_t w) {
    std::byte* const own = rooms.data() + w * static_cast<int64_t>(room);
    for (int64_t leaf; items.take(&leaf);) {
      for (int64_t i = 0; i < leaf_size(leaf); i += kPanelClasses) {
        const int64_t first = leaf_begin(leaf) + i;
        make_panel(kernels, embeddings, first, std::min(kPanelClasses, leaf_size(leaf) - i), panel(first),
                   reinterpret_cast<float*>(own));
      }
      sum_leaf(kernels, leaf, own);
    }
  });
  for (int64_t node = leaves_ - 1; node > 0; --node) sum_children(node);
}

// Each entry is one chain of fma over the leaf's classes, in rising order.
void Quadratic::sum_leaf(const KernelTable& kernels, int64_t leaf, std::byte* room) const {
  const int64_t n = (leaf_size(leaf) + kPanelClasses - 1) / kPanelClasses * kPanelClasses;
  auto* const transposed = reinterpret_cast<float*>(room);  // [dim][n]
  auto* const columns = transposed + Scratch::need<float>(static_cast<size_t>(dim * leaf_classes_)) / sizeof(float);  // [n][64]
  for (int64_t i = 0; i < n; i += kPanelClasses) {
    const float* const from = panel(leaf_begin(leaf) + i);
    for (int64_t k = 0; k < dim; ++k) std::copy_n(from + k * kPanelClasses, kPanelClasses, transposed + k * n + i);
  }
  for (int64_t p = 0; p < panel_count(dim); ++p) {
    const int64_t first = p * kPanelClasses, width = std::min(kPanelClasses, dim - first);
    if (width < kPanelClasses) std::fill_n(columns, n * kPanelClasses, 0.0f);
    kernels.transpose_f32(transposed + first * n, n, width, n, columns, kPanelClasses);
    kernels.few_rows_f32(transposed, dim, n, columns, 1, nullptr, gram(leaves_ + leaf) + p * panel_floats(dim), kPanelClasses);
  }
}

void Quadratic::sum_children(int64_t node) const {
  const float *const a = gram(2 * node), *const b = gram(2 * node + 1);
  float* const to = gram(node);
  for (int64_t p = 0; p < panel_count(dim); ++p) {
    const int64_t begin = p * panel_floats(dim), end = begin + dim * kPanelClasses;  // behind it nothing is kept
    for (int64_t i = begin; i < end; ++i) to[i] = a[i] + b[i];
  }
}

// Few classes of a leaf: the difference of their squares is added. Many, or after many, or where there was a NaN or an infinity:
// the leaf is summed afresh, so that rounding does not pile up. Then all nodes above.
void Quadratic::update_some(const vmx_context& ctx, const vmx_matrix& embeddings, const vmx_ids& ids) {
  const KernelTable& kernels = *ctx.kernels;
  if (ids.n == 0) return;
  const Table<int32_t> sorted(memory, ids.n);
  for (int64_t i = 0; i < ids.n; ++i) sorted[i] = static_cast<int32_t>(read_id(ids, i) - ids.base);
  std::sort(sorted.data(), sorted.data() + ids.n);
  const int64_t n = std::unique(sorted.data(), sorted.data() + ids.n) - sorted.data();
  const Table<float> before(memory, dim), after(memory, dim);
  const Table<std::byte> room(memory, static_cast<int64_t>(leaf_room()));
  const Table<uint8_t> changed(memory, leaves_);  // nodes with children
  changed.clear();
  for (int64_t i = 0; i < n;) {
    const int64_t leaf = sorted[i] / leaf_classes_;
    int64_t end = i;
    while (end < n && sorted[end] / leaf_classes_ == leaf) ++end;
    changes_[leaf] += end - i;
    bool afresh = changes_[leaf] >= leaf_classes_ || 2 * (end - i) >= leaf_classes_;
    for (; i < end; ++i) {
      const int64_t id = sorted[i];
      load_row(kernels, embeddings, id, after.data());
      for (int64_t k = 0; k < dim; ++k) {
        before[k] = value(id, k);
        afresh |= !(before[k] - before[k] == 0.0f) || !(after[k] - after[k] == 0.0f);
        value(id, k) = after[k];
      }
      for (int64_t p = 0; p < panel_count(dim) && !afresh; ++p) {
        const int64_t first = p * kPanelClasses, width = std::min(kPanelClasses, dim - first);
        float* const g = gram(leaves_ + leaf) + p * panel_floats(dim);
        for (int64_t k = 0; k < dim; ++k) {
          const double was = static_cast<double>(before[k]), is = static_cast<double>(after[k]);
          for (int64_t c = 0; c < width; ++c) {
            float& entry = g[k * kPanelClasses + c];
            entry = static_cast<float>(static_cast<double>(entry) + (is * static_cast<double>(after[first + c]) -
                                                                     was * static_cast<double>(before[first + c])));
          }
        }
      }
    }
    if (afresh) {
      changes_[leaf] = 0;
      sum_leaf(kernels, leaf, room.data());
    }
    for (int64_t node = (leaves_ + leaf) / 2; node > 0; node /= 2) changed[node] = 1;
  }
  for (int64_t node = leaves_ - 1; node > 0; --node) {
    if (changed[node]) sum_children(node);
  }
}

class Quadratic::Row final : public Proposal {
 public:
  Row(const Quadratic& sampler, std::byte* memory) : s_(sampler) {
    const auto piece = [&](size_t bytes) {
      std::byte* const at = memory;
      memory += Scratch::need(bytes);
      return at;
    };
    const auto wide = static_cast<size_t>(std::max(panel_count(s_.dim) * kPanelClasses, s_.leaf_classes_));
    products_ = reinterpret_cast<float*>(piece(wide * sizeof(float)));
    cumulative_ = reinterpret_cast<double*>(piece(static_cast<size_t>(s_.leaf_classes_) * sizeof(double)));
    uniform_ = reinterpret_cast<double*>(piece(kDrawBatch * sizeof(double)));
    place_ = reinterpret_cast<int32_t*>(piece(kDrawBatch * sizeof(int32_t)));
  }
  static size_t bytes(int64_t dim, int64_t leaf_classes) {
    return Scratch::sum(Scratch::need<Row>(1),
                        Scratch::need<float>(static_cast<size_t>(std::max(panel_count(dim) * kPanelClasses, leaf_classes))),
                        Scratch::need<double>(static_cast<size_t>(leaf_classes)), Scratch::need<double>(kDrawBatch),
                        Scratch::need<int32_t>(kDrawBatch));
  }

  uint32_t begin(const KernelTable& kernels, const float* hidden) {
    hidden_ = hidden;
    total_ = mass(kernels, 1);
    if (total_ != total_) return VMX_ROW_NAN;
    if (total_ == kInf) return VMX_ROW_INF;
    log_total_ = scalar_log(total_);
    return 0;
  }
  void draw(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, int32_t* ids) const override {
    alignas(64) uint32_t words[2 * kDrawBatch];
    kernels.philox_words(streams.words, static_cast<uint32_t>(first / 2), (n + 63) / 64 * 32, words);
    for (int64_t i = 0; i < n; ++i) {
      uniform_[i] = unit(uint64_t{words[2 * i]} << 32 | words[2 * i + 1]);
      place_[i] = static_cast<int32_t>(i);
    }
    descend(kernels, 1, 0, n, ids);
  }
  void log_q(const KernelTable& kernels, int32_t* ids, int64_t n, double* log_q) const override {
    float scores[kPanelClasses];
    int64_t have = -1;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t panel = ids[i] / kPanelClasses;
      if (panel != have) {
        kernels.few_rows_f32(hidden_, 1, s_.dim, s_.panel(ids[i]), 1, nullptr, scores, kPanelClasses);
        have = panel;
      }
      log_q[i] = scalar_log(kernel(scores[ids[i] % kPanelClasses])) - log_total_;
    }
  }

 private:
  double kernel(float score) const {
    const double s = static_cast<double>(score);
    return s_.factor_ * (s * s) + 1.0;
  }
  double mass(const KernelTable& kernels, int64_t node) const {
    const int64_t panels = panel_count(s_.dim);
    kernels.few_rows_f32(hidden_, 1, s_.dim, s_.gram(node), panels, nullptr, products_, panels * kPanelClasses);
    double form = 0.0;
    for (int64_t k = 0; k < s_.dim; ++k) form += static_cast<double>(products_[k]) * static_cast<double>(hidden_[k]);
    if (form < 0.0) form = 0.0;  // by rounding
    return s_.factor_ * form + static_cast<double>(s_.counts_[node]);
  }
  /// Draws [begin, end) of the list are in the node. Each goes to a child, and its uniform becomes one within it.
  void descend(const KernelTable& kernels, int64_t node, int64_t begin, int64_t end, int32_t* ids) const {
    while (node < s_.leaves_) {
      const double left = mass(kernels, 2 * node), right = mass(kernels, 2 * node + 1), share = left / (left + right);
      int64_t middle = begin;
      for (int64_t i = begin; i < end; ++i) {
        if (uniform_[i] < share) {
          const double u = uniform_[i] / share;
          const int32_t place = place_[i];
          uniform_[i] = uniform_[middle];
          place_[i] = place_[middle];
          uniform_[middle] = u < 1.0 ? u : 1.0 - 0x1p-53;
          place_[middle++] = place;
        } else {
          const double u = (uniform_[i] - share) / (1.0 - share);
          uniform_[i] = u < 1.0 ? u : 1.0 - 0x1p-53;
        }
      }
      if (begin < middle) descend(kernels, 2 * node, begin, middle, ids);
      if (middle == end) return;
      begin = middle;
      node = 2 * node + 1;
    }
    finish(kernels, node - s_.leaves_, begin, end, ids);
  }
  void finish(const KernelTable& kernels, int64_t leaf, int64_t begin, int64_t end, int32_t* ids) const {
    const int64_t n = s_.leaf_size(leaf), panels = panel_count(n), first = s_.leaf_begin(leaf);
    kernels.few_rows_f32(hidden_, 1, s_.dim, s_.panel(first), panels, nullptr, products_, panels * kPanelClasses);
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) cumulative_[i] = sum += kernel(products_[i]);
    for (int64_t i = begin; i < end; ++i) {
      const double t = uniform_[i] * sum;
      const int64_t at = std::upper_bound(cumulative_, cumulative_ + n, t) - cumulative_;
      ids[place_[i]] = static_cast<int32_t>(first + std::min(at, n - 1));
    }
  }

  const Quadratic& s_;
  const float* hidden_ = nullptr;
  double total_ = 0, log_total_ = 0;
  float* products_;
  double *cumulative_, *uniform_;
  int32_t* place_;
};

size_t Quadratic::proposal_bytes() const { return Row::bytes(dim, leaf_classes_); }

const Proposal* Quadratic::proposal(const KernelTable& kernels, const float* hidden, void* memory_of_row, uint32_t* flags) const {
  auto* const bytes = static_cast<std::byte*>(memory_of_row);
  Row* const row = ::new (bytes) Row(*this, bytes + Scratch::need<Row>(1));
  *flags = row->begin(kernels, hidden);
  return *flags ? nullptr : row;
}

}  // namespace

vmx_sampler* create_quadratic(const vmx_context& ctx, const vmx_sampler_options& options) {
  return make_sampler<Quadratic>(ctx, options);
}

}  // namespace vmx
