// SPDX-License-Identifier: Apache-2.0
// Scores of rows against candidates that all rows share, and the two products of their gradient, by oneDNN over packed copies:
//   scores[rows, m] = hidden . candidates^T,  grad_hidden[rows, dim] = g . candidates,  grad_candidates^T[dim, m] += hidden^T . g
// No factor is turned over in a product, and no row of scores ever is.
//
// Rows go in chunks of 256 and parts of 128, candidates in tiles of 512: every product has a shape that follows from the sizes
// alone, so neither threads nor memory change a bit.
#pragma once

#include "core/context.hpp"
#include "core/workspace.hpp"
#include "sources/matmul.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>

namespace vmx {

struct SharedShape {
  int64_t rows, candidates, dim;
  bool with_bias, grad_hidden, adds_to_hidden, grad_candidates;
};

class SharedScores {
 public:
  static constexpr int64_t kChunk = 256, kPart = 128, kTile = 512;
  static constexpr int64_t kLoadedTogether = 64;  // candidates of one task

  SharedScores(const vmx_context& ctx, const SharedShape& shape);
  /// Makes the products, outside any workspace where a shape is new.
  void make_products();

  const SharedShape& shape() const { return shape_; }
  int64_t chunks() const { return (shape_.rows + kChunk - 1) / kChunk; }
  int64_t parts() const { return (shape_.rows + kPart - 1) / kPart; }
  int64_t tiles() const { return (shape_.candidates + kTile - 1) / kTile; }
  int64_t part_rows(int64_t part) const { return std::min(kPart, shape_.rows - part * kPart); }
  /// Products run over a multiple of 16 rows: hidden is 0 in those beyond.
  int64_t padded_rows(int64_t part) const { return (part_rows(part) + 15) / 16 * 16; }
  int64_t tile_cols(int64_t tile) const { return std::min(kTile, shape_.candidates - tile * kTile); }
  /// Distance of rows of scores: not near a power of two, which would put a column of them into few sets of the caches.
  int64_t ld() const { return ld_; }
  int64_t hidden_ld() const { return kChunk + 16; }

  /// Chunks of rows in work together take one of these each.
  struct Slot {
    float* hidden;      // [kChunk, dim]
    float* transposed;  // [dim, hidden_ld()]
    float* scores;      // [kChunk, ld()]
  };
  struct Worker {
    void* product;
    float* grad_hidden;  // [kPart, dim]
  };
  template <class Taker>
  void take(Taker& taker) {
    const auto m = static_cast<size_t>(shape_.candidates), dim = static_cast<size_t>(shape_.dim);
    const auto columns = saturating_mul(static_cast<size_t>(ld_), dim);
    rows_ = taker.template take<float>(saturating_mul(m, dim));
    columns_ = taker.template take<float>(columns);
    bias_ = taker.template take<float>(shape_.with_bias ? m : 0);
    gradient_ = taker.template take<float>(shape_.grad_candidates ? columns : 0);
  }
  template <class Taker>
  Slot take_slot(Taker& taker) const {
    const auto rows = static_cast<size_t>(std::min(kChunk, (shape_.rows + 15) / 16 * 16));
    const auto dim = static_cast<size_t>(shape_.dim);
    Slot slot{};
    slot.hidden = taker.template take<float>(saturating_mul(rows, dim));
    slot.transposed = taker.template take<float>(
        shape_.grad_candidates ? saturating_mul(static_cast<size_t>(hidden_ld()), dim) : 0);
    slot.scores = taker.template take<float>(saturating_mul(rows, static_cast<size_t>(ld_)));
    return slot;
  }
  template <class Taker>
  Worker take_worker(Taker& taker) const {
    Worker worker{};
    worker.product = taker.template take<char>(product_bytes_);
    worker.grad_hidden = taker.template take<float>(
        shape_.grad_hidden ? saturating_mul(static_cast<size_t>(kPart), static_cast<size_t>(shape_.dim)) : 0);
    return worker;
  }

  /// Candidates, to be written before everything else, then closed by blocks of kLoadedTogether: scale multiplies the scores.
  float* candidate(int64_t j) const { return rows_ + j * shape_.dim; }
  float* bias() const { return shape_.with_bias ? bias_ : nullptr; }
  void close_candidates(int64_t first, int64_t n, double scale) const;

  /// part: its number in the slot's chunk. Rows of hidden are written first; transpose_hidden() is for grad_candidates().
  float* hidden(const Slot& slot, int64_t part) const { return slot.hidden + part * kPart * shape_.dim; }
  float* scores(const Slot& slot, int64_t part) const { return slot.scores + part * kPart * ld_; }
  void transpose_hidden(const Slot& slot, int64_t part, int64_t padded) const;
  void make_scores(const Slot& slot, int64_t part, int64_t padded, const Worker& worker) const;
  /// Of the gradient that has replaced the scores, into worker.grad_hidden; with adds_to_hidden added to what it holds.
  void make_grad_hidden(const Slot& slot, int64_t part, int64_t padded, const Worker& worker) const;
  /// A tile of the candidates' gradient, of a chunk of so many padded rows. Chunks in rising order, the first one not `more`.
  void add_grad_candidates(const Slot& slot, int64_t padded, int64_t tile, bool more, const Worker& worker) const;
  float* grad_candidates() const { return gradient_; }  // [dim, ld()]
  /// The gradient as rows, by blocks of kLoadedTogether, where the candidates stood.
  void turn_gradient(int64_t first, int64_t n) const;
  /// Room for a row of each candidate, once no scores are made any more.
  float* spare(int64_t j) const { return columns_ + j * shape_.dim; }

 private:
  bool nothing() const { return shape_.rows == 0 || shape_.candidates == 0 || shape_.dim == 0; }

  const vmx_context& ctx_;
  SharedShape shape_;
  int64_t ld_;
  size_t product_bytes_ = 0;
  // By part or chunk, and by tile: all but the last, the last.
  std::shared_ptr<const MatrixProduct> scores_[2][2], grad_hidden_[2];
  std::shared_ptr<const MatrixProduct> grad_candidates_[2][2][2];  // and by whether it adds
  float *rows_ = nullptr, *columns_ = nullptr, *bias_ = nullptr, *gradient_ = nullptr;
};

}  // namespace vmx
