// SPDX-License-Identifier: Apache-2.0
#include "sources/shared_scores.hpp"

#include "targets/table.hpp"

#include <vastmax/vastmax.h>

#include <cstring>
#include <stdexcept>

namespace vmx {
namespace {

int64_t distance_of_rows(int64_t m) {
  const int64_t rounded = (m + 15) / 16 * 16;
  return rounded % 128 == 0 ? rounded + 16 : rounded;
}

}  // namespace

SharedScores::SharedScores(const vmx_context& ctx, const SharedShape& shape)
    : ctx_(ctx), shape_(shape), ld_(distance_of_rows(shape.candidates)) {}

void SharedScores::close_candidates(int64_t first, int64_t n, double scale) const {
  if (nothing()) return;
  float* const to = columns_ + first;
  ctx_.kernels->transpose_f32(candidate(first), shape_.dim, n, shape_.dim, to, ld_);
  if (scale == 1.0) return;
  for (int64_t k = 0; k < shape_.dim; ++k) {
    for (int64_t j = 0; j < n; ++j) to[k * ld_ + j] = static_cast<float>(static_cast<double>(to[k * ld_ + j]) * scale);
  }
}

void SharedScores::transpose_hidden(const Slot& slot, int64_t part, int64_t padded) const {
  ctx_.kernels->transpose_f32(hidden(slot, part), shape_.dim, padded, shape_.dim, slot.transposed + part * kPart, hidden_ld());
}

void SharedScores::turn_gradient(int64_t first, int64_t n) const {
  if (shape_.dim == 0) return;
  if (shape_.rows == 0) {
    std::memset(candidate(first), 0, static_cast<size_t>(n * shape_.dim) * sizeof(float));
    return;
  }
  ctx_.kernels->transpose_f32(gradient_ + first, ld_, shape_.dim, n, candidate(first), shape_.dim);
}

#if VMX_WITH_ONEDNN

void SharedScores::make_products() {
  if (nothing()) return;
  const auto make = [&](std::shared_ptr<const MatrixProduct>& slot, const ProductShape& shape) {
    slot = MatrixProduct::get(shape);
    if (!slot) throw std::runtime_error("oneDNN has no matrix product for this processor");
    product_bytes_ = std::max(product_bytes_, slot->scratch_bytes());
  };
  const int64_t dim = shape_.dim, m = shape_.candidates;
  const auto padded = [](int64_t rows) { return (rows + 15) / 16 * 16; };
  for (int last = 0; last < 2; ++last) {
    const int64_t rows = last ? padded_rows(parts() - 1) : kPart;
    const int64_t chunk_rows = last ? padded(shape_.rows - (chunks() - 1) * kChunk) : kChunk;
    const bool part_needed = last || parts() > 1, chunk_needed = last || chunks() > 1;
    if (part_needed && shape_.grad_hidden) {
      make(grad_hidden_[last], {rows, dim, m, ld_, dim, dim, VMX_F32, Layout::plain, Layout::plain, false,
                               shape_.adds_to_hidden});
    }
    for (int last_tile = 0; last_tile < 2; ++last_tile) {
      if (!last_tile && tiles() == 1) continue;
      const int64_t cols = last_tile ? tile_cols(tiles() - 1) : kTile;
      if (part_needed) {
        make(scores_[last][last_tile],
             {rows, cols, dim, dim, ld_, ld_, VMX_F32, Layout::plain, Layout::plain, shape_.with_bias, false});
      }
      for (int more = 0; more < 2 && chunk_needed && shape_.grad_candidates; ++more) {
        make(grad_candidates_[last][last_tile][more],
             {dim, cols, chunk_rows, hidden_ld(), ld_, ld_, VMX_F32, Layout::plain, Layout::plain, false, more != 0});
      }
    }
  }
}

void SharedScores::make_scores(const Slot& slot, int64_t part, int64_t padded, const Worker& worker) const {
  if (nothing()) {
    for (int64_t r = 0; r < padded; ++r) {
      for (int64_t j = 0; j < shape_.candidates; ++j) scores(slot, part)[r * ld_ + j] = bias() ? bias()[j] : 0.0f;
    }
    return;
  }
  const bool last = padded != kPart || !scores_[0][1];
  for (int64_t tile = 0; tile < tiles(); ++tile) {
    const auto& product = scores_[last][tile + 1 == tiles()];
    product->run(hidden(slot, part), columns_ + tile * kTile, bias() ? bias() + tile * kTile : nullptr,
                 scores(slot, part) + tile * kTile, worker.product);
  }
}

void SharedScores::make_grad_hidden(const Slot& slot, int64_t part, int64_t padded, const Worker& worker) const {
  if (nothing()) {
    if (!shape_.adds_to_hidden) std::memset(worker.grad_hidden, 0, static_cast<size_t>(padded * shape_.dim) * sizeof(float));
    return;
  }
  const bool last = padded != kPart || !grad_hidden_[0];
  grad_hidden_[last]->run(scores(slot, part), rows_, nullptr, worker.grad_hidden, worker.product);
}

void SharedScores::add_grad_candidates(const Slot& slot, int64_t padded, int64_t tile, bool more, const Worker& worker) const {
  if (nothing()) return;
  const bool last_tile = tile + 1 == tiles(), last = padded != kChunk || !grad_candidates_[0][last_tile][more];
  grad_candidates_[last][last_tile][more]->run(slot.transposed, slot.scores + tile * kTile, nullptr, gradient_ + tile * kTile,
                                               worker.product);
}

#else

void SharedScores::make_products() {}
void SharedScores::make_scores(const Slot&, int64_t, int64_t, const Worker&) const {}
void SharedScores::make_grad_hidden(const Slot&, int64_t, int64_t, const Worker&) const {}
void SharedScores::add_grad_candidates(const Slot&, int64_t, int64_t, bool, const Worker&) const {}

#endif

}  // namespace vmx
