// SPDX-License-Identifier: Apache-2.0
// The softmax of quantised scores (Chen et al., arXiv 2109.05773). Each half of an embedding is quantised by a codebook of K
// codewords; classes with the same two codes (i, j) share a cell and the score s1_i + s2_j. A class is drawn by its first code,
// then its second, then evenly within the cell.
#include "core/scalar_math.hpp"
#include "core/workspace.hpp"
#include "ops/items.hpp"
#include "samplers/panels.hpp"
#include "samplers/sampler.hpp"

#include <algorithm>

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();
constexpr int64_t kRows = 32;          // rows quantised at a time
constexpr int kRounds = 10;            // of k-means
constexpr int64_t kSamplesPerCodeword = 64, kFewestSamples = 4096;
constexpr uint32_t kCodebooks = VMX_PURPOSE_NEGATIVES + 5;
constexpr int64_t kStep = 16;          // codewords from one stored sum to the next
// Sums below this have lost digits to underflow: the largest codewords share no cell.
constexpr double kLeastSum = 0x1p-500;

int64_t padded(int64_t n) { return (n + 63) / 64 * 64; }

double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }
/// Of [0, total), however it rounds.
double part_of(double total, double u) {
  const double t = total * u;
  return t < total ? t : total * (1.0 - 0x1p-53);
}

// One half of the embeddings, and its codewords.
struct Codebook {
  int64_t first, dim;  // which columns
  int64_t codewords;
  Table<float> panels;
  Table<float> bias;  // -|c|^2/2: the nearest codeword has the largest x.c - |c|^2/2

  int64_t ld() const { return padded(codewords); }
  void scores(const KernelTable& kernels, const float* rows, int64_t n, const float* added, float* out) const {
    kernels.few_rows_f32(rows, n, dim, panels.data(), ld() / kPanelClasses, added, out, ld());
  }
  float& at(int64_t codeword, int64_t k) const {
    return panels[codeword / kPanelClasses * panel_floats(dim) + k * kPanelClasses + codeword % kPanelClasses];
  }
};

// Memory of one thread that quantises.
struct Quantiser {
  float *row, *half, *scores;
};

struct Layout {
  int64_t codewords, ld, snapshots;
  explicit Layout(int64_t k) : codewords(k), ld(padded(k)), snapshots((k + kStep - 1) / kStep) {}
};

class Midx final : public vmx_sampler {
 public:
  Midx(const vmx_context& ctx, const vmx_sampler_options& options);

  size_t bytes() const override {
    size_t sum = sizeof *this + codes_.bytes() + members_.bytes() + begin_.bytes() + counts_.bytes() + used_.bytes();
    for (const Codebook& b : books_) sum += b.panels.bytes() + b.bias.bytes();
    return sum;
  }
  size_t proposal_bytes() const override;
  const Proposal* proposal(const KernelTable& kernels, const float* hidden, void* memory, uint32_t* flags) const override;
  void update(const vmx_context& ctx, const vmx_matrix& embeddings, const vmx_ids*) override { quantise(ctx, embeddings); }

 private:
  class Row;

  void learn(const vmx_context& ctx, const vmx_matrix& embeddings, uint64_t seed, Codebook& book);
  void quantise(const vmx_context& ctx, const vmx_matrix& embeddings);
  /// f(quantiser, first row, rows) over blocks of rows, side by side.
  template <class Function>
  void for_row_blocks(const vmx_context& ctx, int64_t rows, Function&& f) const;

  const double temperature_;
  Layout layout_;
  Codebook books_[2];
  Table<uint16_t> codes_;    // two for each class
  Table<int32_t> members_;   // classes by cell, rising
  Table<int32_t> begin_;     // of cell i * K + j in members_
  Table<int32_t> counts_;    // of cell (i, j) at j * ld + i
  Table<uint8_t> used_;      // whether codeword c of book b has a class: b * K + c
};

int64_t default_codewords(int64_t classes) {
  int64_t k = 1;  // four classes a cell
  while (k < 256 && 16 * k * k <= classes) k *= 2;
  return k;
}

Midx::Midx(const vmx_context& ctx, const vmx_sampler_options& options)
    : vmx_sampler(ctx, options),
      temperature_(options.temperature),
      layout_(options.codewords > 0 ? options.codewords : default_codewords(options.classes)),
      codes_(memory, 2 * classes),
      members_(memory, classes),
      begin_(memory, layout_.codewords * layout_.codewords + 1),
      counts_(memory, layout_.codewords * layout_.ld),
      used_(memory, 2 * layout_.codewords) {
  const int64_t half = dim / 2;
  for (int b = 0; b < 2; ++b) {
    Codebook& book = books_[b];
    book.first = b == 0 ? 0 : half;
    book.dim = b == 0 ? half : dim - half;
    book.codewords = layout_.codewords;
    book.panels = Table<float>(memory, book.ld() / kPanelClasses * panel_floats(book.dim));
    book.bias = Table<float>(memory, book.ld());
    learn(ctx, options.embeddings, options.seed, book);
  }
  quantise(ctx, options.embeddings);
}

template <class Function>
void Midx::for_row_blocks(const vmx_context& ctx, int64_t rows, Function&& f) const {
  const int64_t blocks = (rows + kRows - 1) / kRows, workers = std::max<int64_t>(1, std::min<int64_t>(ctx.threads, blocks));
  const size_t row = Scratch::need<float>(static_cast<size_t>(dim)), half = Scratch::need<float>(static_cast<size_t>(kRows * dim)),
               scores = Scratch::need<float>(static_cast<size_t>(kRows * layout_.ld));
  const Table<std::byte> room(memory, workers * static_cast<int64_t>(row + half + scores));
  Items items(blocks);
  parallel_for(ctx, workers, [&](int64_t w) {
    std::byte* const own = room.data() + w * static_cast<int64_t>(row + half + scores);
    const Quantiser q = {reinterpret_cast<float*>(own), reinterpret_cast<float*>(own + row),
                         reinterpret_cast<float*>(own + row + half)};
    for (int64_t block; items.take(&block);) f(q, block * kRows, std::min(kRows, rows - block * kRows));
  });
}

// k-means on a sample that is spread evenly over the classes.
void Midx::learn(const vmx_context& ctx, const vmx_matrix& embeddings, uint64_t seed, Codebook& book) {
  const KernelTable& kernels = *ctx.kernels;
  const int64_t k = book.codewords, d = book.dim;
  const int64_t n = std::min(classes, std::max(kFewestSamples, kSamplesPerCodeword * k));
  const WordStream words = word_stream(kCodebooks, seed, 0, 0);
  const auto spread = [&](int64_t i, int64_t count, int64_t over, uint32_t place) {
    const uint128 offset = static_cast<uint128>(long_word(words, place)) * static_cast<uint64_t>(over);
    return static_cast<int64_t>((static_cast<uint128>(i) * static_cast<uint64_t>(over) + static_cast<uint64_t>(offset >> 64)) /
                                static_cast<uint64_t>(count));
  };
  const Table<float> sample(memory, n * d), row(memory, dim);
  for (int64_t s = 0; s < n; ++s) {
    load_row(kernels, embeddings, spread(s, n, classes, static_cast<uint32_t>(s)), row.data());
    bool finite = true;
    for (int64_t c = 0; c < d; ++c) finite &= row[book.first + c] - row[book.first + c] == 0.0f;
    for (int64_t c = 0; c < d; ++c) sample[s * d + c] = finite ? row[book.first + c] : 0.0f;
  }
  book.panels.clear();
  const auto set_codeword = [&](int64_t c, auto&& value) {
    double square = 0.0;
    for (int64_t i = 0; i < d; ++i) {
      const float v = value(i);
      book.at(c, i) = v;
      square += static_cast<double>(v) * static_cast<double>(v);
    }
    book.bias[c] = static_cast<float>(-0.5 * square);
  };
  for (int64_t c = k; c < book.ld(); ++c) book.bias[c] = -__builtin_inff();  // never the nearest
  for (int64_t c = 0; c < k; ++c) {
    const float* const from = sample.data() + spread(c, k, n, static_cast<uint32_t>(n + c)) * d;
    set_codeword(c, [&](int64_t i) { return from[i]; });
  }

  const Table<int32_t> nearest(memory, n), order(memory, n);
  const Table<float> distance(memory, n);
  const Table<double> sums(memory, k * d);
  const Table<int64_t> counts(memory, k);
  for (int round = 0; round < kRounds; ++round) {
    for_row_blocks(ctx, n, [&](const Quantiser& q, int64_t first, int64_t rows) {
      book.scores(kernels, sample.data() + first * d, rows, book.bias.data(), q.scores);
      kernels.argmax_rows(q.scores, rows, book.ld(), nearest.data() + first);
      for (int64_t r = 0; r < rows; ++r) {
        double square = 0.0;
        for (int64_t c = 0; c < d; ++c) {
          const double v = static_cast<double>(sample[(first + r) * d + c]);
          square += v * v;
        }
        const float best = q.scores[r * book.ld() + nearest[first + r]];
        distance[first + r] = static_cast<float>(square - 2.0 * static_cast<double>(best));
      }
    });
    sums.clear();
    counts.clear();
    for (int64_t s = 0; s < n; ++s) {
      ++counts[nearest[s]];
      for (int64_t c = 0; c < d; ++c) sums[nearest[s] * d + c] += static_cast<double>(sample[s * d + c]);
    }
    int64_t farthest = -1;  // how many of the farthest samples became codewords
    for (int64_t c = 0; c < k; ++c) {
      if (counts[c] > 0) {
        const double inverse = 1.0 / static_cast<double>(counts[c]);
        set_codeword(c, [&](int64_t i) { return static_cast<float>(sums[c * d + i] * inverse); });
        continue;
      }
      if (farthest < 0) {
        farthest = 0;
        for (int64_t s = 0; s < n; ++s) order[s] = static_cast<int32_t>(s);
        const auto key = [&](int32_t s) { return distance[s] == distance[s] ? distance[s] : -1.0f; };
        std::sort(order.data(), order.data() + n, [&](int32_t a, int32_t b) { return key(a) != key(b) ? key(a) > key(b) : a < b; });
      }
      const float* const from = sample.data() + order[farthest++ % n] * d;
      set_codeword(c, [&](int64_t i) { return from[i]; });
    }
  }
}

void Midx::quantise(const vmx_context& ctx, const vmx_matrix& embeddings) {
  const KernelTable& kernels = *ctx.kernels;
  const int64_t k = layout_.codewords;
  for_row_blocks(ctx, classes, [&](const Quantiser& q, int64_t first, int64_t rows) {
    float* const halves[2] = {q.half, q.half + rows * books_[0].dim};
    for (int64_t r = 0; r < rows; ++r) {
      load_row(kernels, embeddings, first + r, q.row);
      for (int b = 0; b < 2; ++b) std::copy_n(q.row + books_[b].first, books_[b].dim, halves[b] + r * books_[b].dim);
    }
    for (int b = 0; b < 2; ++b) {
      const Codebook& book = books_[b];
      int32_t nearest[kRows];
      book.scores(kernels, halves[b], rows, book.bias.data(), q.scores);
      kernels.argmax_rows(q.scores, rows, book.ld(), nearest);
      for (int64_t r = 0; r < rows; ++r) codes_[2 * (first + r) + b] = static_cast<uint16_t>(nearest[r]);
    }
  });
  begin_.clear();
  counts_.clear();
  used_.clear();
  const auto cell = [&](int64_t c) { return int64_t{codes_[2 * c]} * k + codes_[2 * c + 1]; };
  for (int64_t c = 0; c < classes; ++c) {
    ++begin_[cell(c) + 1];
    ++counts_[codes_[2 * c + 1] * layout_.ld + codes_[2 * c]];
    used_[codes_[2 * c]] = 1;
    used_[k + codes_[2 * c + 1]] = 1;
  }
  for (int64_t i = 0; i < k * k; ++i) begin_[i + 1] += begin_[i];
  const Table<int32_t> next(memory, k * k);
  std::copy_n(begin_.data(), k * k, next.data());
  for (int64_t c = 0; c < classes; ++c) members_[next[cell(c)]++] = static_cast<int32_t>(c);
}

class Midx::Row final : public Proposal {
 public:
  Row(const Midx& sampler, std::byte* memory) : s_(sampler) {
    const auto piece = [&](size_t bytes) {
      std::byte* const at = memory;
      memory += Scratch::need(bytes);
      return at;
    };
    const auto ld = static_cast<size_t>(s_.layout_.ld);
    for (int b = 0; b < 2; ++b) {
      raw_[b] = reinterpret_cast<float*>(piece(ld * sizeof(float)));
      score_[b] = reinterpret_cast<double*>(piece(ld * sizeof(double)));
      term_[b] = reinterpret_cast<double*>(piece(ld * sizeof(double)));
    }
    cumulative_ = reinterpret_cast<double*>(piece(ld * sizeof(double)));
    reference_ = reinterpret_cast<double*>(piece(ld * sizeof(double)));
    prefix_ = reinterpret_cast<double*>(piece(static_cast<size_t>(s_.layout_.snapshots) * ld * sizeof(double)));
  }
  static size_t bytes(const Layout& layout) {
    const auto ld = static_cast<size_t>(layout.ld);
    return Scratch::sum(Scratch::need<Row>(1), 2 * Scratch::need<float>(ld), 6 * Scratch::need<double>(ld),
                        Scratch::need<double>(static_cast<size_t>(layout.snapshots) * ld));
  }

  uint32_t begin(const KernelTable& kernels, const float* hidden);
  void draw(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, int32_t* ids) const override;
  void log_q(const KernelTable&, int32_t* ids, int64_t n, double* log_q) const override {
    for (int64_t i = 0; i < n; ++i) {
      const uint16_t* const code = &s_.codes_[2 * int64_t{ids[i]}];
      log_q[i] = (score_[0][code[0]] - top_[0]) + (score_[1][code[1]] - top_[1]) - log_sum_;
    }
  }

 private:
  double term(int64_t i, int64_t j) const {
    const double count = static_cast<double>(s_.counts_[j * s_.layout_.ld + i]);
    if (!apart_) return count * term_[1][j];
    return count > 0.0 ? count * scalar_exp(score_[1][j] - reference_[i]) : 0.0;
  }
  double masses_by_cell();

  const Midx& s_;
  float* raw_[2];
  double *score_[2], *term_[2];  // of the codewords, over T; e^(score - top)
  double top_[2];
  double* cumulative_;  // over the first codes
  double* reference_;   // apart_: the largest second score beside each first code
  double* prefix_;      // over the second codes, every kStep of them
  double log_sum_;      // of e^(score - top_[0] - top_[1])
  bool apart_ = false;
};

uint32_t Midx::Row::begin(const KernelTable& kernels, const float* hidden) {
  const Layout& layout = s_.layout_;
  const int64_t k = layout.codewords, ld = layout.ld;
  uint32_t flags = 0;
  for (int b = 0; b < 2; ++b) {
    const Codebook& book = s_.books_[b];
    book.scores(kernels, hidden + book.first, 1, nullptr, raw_[b]);
    top_[b] = -kInf;
    for (int64_t c = 0; c < ld; ++c) {
      const double score = c < k && s_.used_[b * k + c] ? static_cast<double>(raw_[b][c]) / s_.temperature_ : -kInf;
      if (score != score) flags |= VMX_ROW_NAN;
      if (score == kInf) flags |= VMX_ROW_INF;
      score_[b][c] = score;
      top_[b] = std::max(top_[b], score);
    }
    if (top_[b] == -kInf) flags |= VMX_ROW_EMPTY;
  }
  if (flags & (VMX_ROW_NAN | VMX_ROW_INF)) return flags & ~VMX_ROW_EMPTY;
  if (flags) return flags;
  for (int b = 0; b < 2; ++b) {
    for (int64_t c = 0; c < ld; ++c) cumulative_[c] = score_[b][c] - top_[b];
    kernels.exp_f64(cumulative_, term_[b], ld);
  }
  kernels.midx_masses(s_.counts_.data(), k, ld, term_[1], prefix_);
  const double* const mass = prefix_ + (layout.snapshots - 1) * ld;
  double sum = 0.0;
  for (int64_t i = 0; i < k; ++i) cumulative_[i] = sum += term_[0][i] * mass[i];
  if (sum < kLeastSum) sum = masses_by_cell();
  if (sum == 0.0) return VMX_ROW_EMPTY;
  log_sum_ = scalar_log(sum);
  return 0;
}

// Each first code with a reference of its own: what exponentials of the whole row's would lose.
double Midx::Row::masses_by_cell() {
  const Layout& layout = s_.layout_;
  const int64_t k = layout.codewords, ld = layout.ld;
  apart_ = true;
  double most = -kInf;
  for (int64_t i = 0; i < k; ++i) {
    reference_[i] = -kInf;
    for (int64_t j = 0; j < k; ++j) {
      if (s_.counts_[j * ld + i] > 0) reference_[i] = std::max(reference_[i], score_[1][j]);
    }
    if (reference_[i] == -kInf) continue;
    most = std::max(most, (score_[0][i] - top_[0]) + (reference_[i] - top_[1]));
  }
  if (most == -kInf) return 0.0;
  double sum = 0.0;
  for (int64_t i = 0; i < k; ++i) {
    double mass = 0.0;
    for (int64_t j = 0; j < k; ++j) {
      if (reference_[i] > -kInf) mass += term(i, j);
      if (j % kStep == kStep - 1 || j == k - 1) prefix_[j / kStep * ld + i] = mass;
    }
    if (mass > 0.0) sum += mass * scalar_exp((score_[0][i] - top_[0]) + (reference_[i] - top_[1]) - most);
    cumulative_[i] = sum;
  }
  top_[1] += most;  // so that log_sum_ is of e^(score - tops) again
  return sum;
}

void Midx::Row::draw(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, int32_t* ids) const {
  const Layout& layout = s_.layout_;
  const int64_t k = layout.codewords, ld = layout.ld;
  alignas(64) uint32_t words[2 * kDrawBatch];
  alignas(64) uint32_t more[4 * 64];
  kernels.philox_words(streams.words, static_cast<uint32_t>(first / 2), (n + 63) / 64 * 32, words);
  const auto bits = [](const uint32_t* word) { return uint64_t{word[0]} << 32 | word[1]; };
  for (int64_t p = 0; p < n; ++p) {
    if (p % 64 == 0) kernels.philox_words(streams.again, static_cast<uint32_t>(first + p), 64, more);
    const uint32_t* const second = more + p % 64 * 4;
    const double t = part_of(cumulative_[k - 1], unit(bits(words + 2 * p)));
    const int64_t i = std::upper_bound(cumulative_, cumulative_ + k, t) - cumulative_;
    // The second code: the stored sums first, then one by one.
    const double left = part_of(prefix_[(layout.snapshots - 1) * ld + i], unit(bits(second)));
    int64_t low = 0, high = layout.snapshots - 1;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (prefix_[middle * ld + i] > left) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    double sum = low > 0 ? prefix_[(low - 1) * ld + i] : 0.0;
    int64_t j = low * kStep;
    while ((sum += term(i, j)) <= left) ++j;
    const int64_t begin = s_.begin_[i * k + j], members = s_.begin_[i * k + j + 1] - begin;
    const uint128 product = static_cast<uint128>(bits(second + 2)) * static_cast<uint64_t>(members);
    ids[p] = s_.members_[begin + static_cast<int64_t>(product >> 64)];
  }
}

size_t Midx::proposal_bytes() const { return Row::bytes(layout_); }

const Proposal* Midx::proposal(const KernelTable& kernels, const float* hidden, void* memory_of_row, uint32_t* flags) const {
  auto* const bytes = static_cast<std::byte*>(memory_of_row);
  Row* const row = ::new (bytes) Row(*this, bytes + Scratch::need<Row>(1));
  *flags = row->begin(kernels, hidden);
  return *flags ? nullptr : row;
}

}  // namespace

vmx_sampler* create_midx(const vmx_context& ctx, const vmx_sampler_options& options) {
  return make_sampler<Midx>(ctx, options);
}

}  // namespace vmx
