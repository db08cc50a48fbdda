// SPDX-License-Identifier: Apache-2.0
// The linear source: scores = hidden . weights^T + bias, made tile by tile, and the two products of their gradient.
//
// Every product has a shape that follows from the call's sizes alone: rows go in chunks of at most 256, classes in tiles of
// 1024. Threads and the memory limit only decide who makes which, when, and what is kept between the two passes; so they
// cannot change a bit.
#pragma once

#include "core/context.hpp"
#include "core/workspace.hpp"
#include "sources/matmul.hpp"
#include "sources/packed_weights.hpp"

#include <vastmax/vastmax.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace vmx {

constexpr int64_t kTile = 1024;
constexpr int64_t kMostChunkRows = 256;
constexpr size_t kDefaultMemoryLimit = size_t{128} << 20;

// Checked arguments.
struct LinearInput {
  vmx_matrix hidden;
  vmx_matrix weights;  // data NULL: packed alone
  const vmx_packed_weights* packed;
  vmx_vector bias;  // data NULL: none
  size_t memory_limit;
  int64_t classes;

  int64_t rows() const { return hidden.rows; }
  int64_t dim() const { return hidden.cols; }
};

// sizes_only: data pointers may be NULL. VMX_ERR_UNSUPPORTED where there is no oneDNN, or where it could not be kept from
// starting threads.
vmx_status check_linear(const vmx_matrix* hidden, const vmx_linear* linear, bool sizes_only, LinearInput* out);

vmx_status fail_without_onednn();

class LinearSource {
 public:
  // What one thread needs to make products: pieces of scratch memory.
  struct Worker {
    void* product;  // oneDNN's
    void* staged;   // a tile of weights, where they cannot be used as they lie
    float* bias;    // of a tile, where it does not lie adjacent
    int64_t staged_tile;  // the one that is staged; -1: none
  };

  // Makes the products, outside any workspace where a shape is new. weights_gradient: NULL where it is not wanted.
  // most_chunk_rows follows from the call's sizes alone.
  LinearSource(const vmx_context& ctx, const LinearInput& input, int64_t most_chunk_rows = kMostChunkRows,
               bool grad_hidden = false, const vmx_matrix* weights_gradient = nullptr);

  int64_t rows() const { return input_.rows(); }
  int64_t dim() const { return input_.dim(); }
  int64_t classes() const { return input_.classes; }

  int64_t chunks() const { return chunks_; }
  int64_t chunk_begin(int64_t chunk) const { return chunk * chunk_rows_; }
  int64_t chunk_rows(int64_t chunk) const { return std::min(chunk_rows_, rows() - chunk * chunk_rows_); }
  // Rows that products run over: a multiple of 16, those beyond the chunk's being 0.
  int64_t padded_rows(int64_t chunk) const { return padded(chunk_rows(chunk)); }
  int64_t most_padded_rows() const { return padded(chunk_rows_); }

  int64_t tiles() const { return (classes() + kTile - 1) / kTile; }
  int64_t tile_begin(int64_t tile) const { return tile * kTile; }
  int64_t tile_cols(int64_t tile) const { return std::min(kTile, classes() - tile * kTile); }
  int64_t most_tile_cols() const { return std::min(kTile, classes()); }
  // Distance of the rows of a tile's scores.
  int64_t scores_ld(int64_t tile) const {
    return by_panels() ? panels_of(tile_cols(tile)) * kPanel : tile_cols(tile);
  }
  int64_t most_scores_ld() const { return std::min(kTile, panels_of(classes()) * kPanel); }

  // VMX_BF16 where the products take bf16; else VMX_F32, and bf16 is widened.
  int32_t product_dtype() const { return dtype_; }

  // Taker: a Scratch, or a PieceCounter.
  template <class Taker>
  Worker take_worker(Taker& taker) const {
    Worker worker{};
    worker.product = taker.template take<char>(product_bytes_);
    worker.staged = taker.template take<char>(staged_bytes());
    worker.bias = taker.template take<float>(copies_bias() ? kTile : 0);
    worker.staged_tile = -1;
    return worker;
  }

  // The chunk's rows of hidden as products want them: [padded_rows, dim] of product_dtype().
  size_t hidden_bytes(int64_t chunk) const;
  void load_hidden(int64_t chunk, void* to) const;

  // scores[padded_rows, scores_ld] of a chunk and a tile; what stands beyond chunk_rows and tile_cols means nothing.
  void scores(int64_t chunk, int64_t tile, const void* hidden, float* scores, Worker& worker) const;
  // out[padded_rows, dim] = g[padded_rows, tile_cols] . weights. g and hidden are of product_dtype().
  void grad_hidden(int64_t chunk, int64_t tile, const void* g, float* out, Worker& worker) const;
  // out[tile_cols, dim] (+)= g_transposed[tile_cols, padded_rows] . hidden[padded_rows, dim]; grad_weights_ld() apart.
  void grad_weights(int64_t chunk, int64_t tile, const void* g_transposed, const void* hidden, bool accumulate, float* out,
                    Worker& worker) const;
  // Whether grad_weights() can write the caller's view, and how far apart the rows are that it writes: as there, or dim.
  bool grad_weights_direct() const { return grad_direct_; }
  int64_t grad_weights_ld() const { return grad_ld_; }

 private:
  // Where weights come from. For oneDNN: as they lie (row by row, column by column, in panels), or a tile at a time from a copy
  // (of rows, of rows turned into columns, unpacked from panels). own: panels by the kernels for few rows; own_staged: the same,
  // panels being made one at a time.
  enum class Weights { rows, columns, panels, staged_rows, staged_columns, staged_panels, own, own_staged };

  static int64_t padded(int64_t rows) { return (rows + 15) / 16 * 16; }
  static bool staged(Weights kind) {
    return kind == Weights::staged_rows || kind == Weights::staged_columns || kind == Weights::staged_panels;
  }
  bool copies_bias() const {
    return input_.bias.data && (input_.bias.stride != 1 || by_panels());
  }
  bool by_panels() const { return score_weights_ == Weights::own || score_weights_ == Weights::own_staged; }
  void own_scores(int64_t chunk, int64_t tile, const float* hidden, const float* bias, float* scores,
                  Worker& worker) const;
  void choose_weights();
  int64_t weights_ld(Weights kind) const;
  const void* weights_at(Weights kind, int64_t tile, Worker& worker) const;
  size_t staged_bytes() const;
  bool make_products();

  const vmx_context& ctx_;
  LinearInput input_;
  int64_t chunks_, chunk_rows_;
  int32_t dtype_;
  Weights score_weights_, hidden_weights_;  // for scores; for the gradient of hidden
  bool with_grad_hidden_, with_grad_weights_;
  bool grad_direct_ = false;
  int64_t grad_ld_ = 0;
  size_t product_bytes_ = 0;
  // By chunk and tile: all but the last, the last.
  std::shared_ptr<const MatrixProduct> scores_[2][2], grad_hidden_[2][2];
  std::shared_ptr<const MatrixProduct> grad_weights_[2][2][2];  // and by whether it accumulates
};

}  // namespace vmx
