// SPDX-License-Identifier: Apache-2.0
#include "sources/linear.hpp"

#include "core/dtype.hpp"
#include "core/options.hpp"
#include "core/status.hpp"
#include "core/views.hpp"
#include "ops/rows.hpp"
#include "sources/one_thread.hpp"

#include <cinttypes>
#include <cstring>
#include <stdexcept>

namespace vmx {

vmx_status check_linear(const vmx_matrix* hidden, const vmx_linear* linear, bool sizes_only, LinearInput* out) {
  constexpr unsigned dtypes = kF32 | kBF16;
  const auto check = sizes_only ? check_input_sizes : check_input;
  VMX_TRY(check(hidden, "hidden", dtypes));
  if (!linear) return fail(VMX_ERR_NULL, "linear is NULL");
  vmx_linear given;
  VMX_TRY(read_options(linear, "linear", &given));
  LinearInput input{*hidden, given.weights, given.packed, given.bias, given.memory_limit, 0};
  if (input.memory_limit == 0) input.memory_limit = kDefaultMemoryLimit;
  const auto same_dtype = [&](int32_t dtype, const char* name) {
    if (dtype == hidden->dtype) return vmx_status{VMX_OK};
    return fail(VMX_ERR_DTYPE, "%s is %s, but hidden.dtype is %s", name, dtype_name(dtype), dtype_name(hidden->dtype));
  };
  const auto same_dim = [&](int64_t dim, const char* name) {
    if (dim == hidden->cols) return vmx_status{VMX_OK};
    return fail(VMX_ERR_SHAPE, "%s is %" PRId64 ", but hidden.cols is %" PRId64, name, dim, hidden->cols);
  };
  // A view of sizes alone has no data: its dtype tells it from a view that was left out.
  const bool has_weights = given.weights.data != nullptr || (given.weights.dtype != 0 && (sizes_only || !given.packed));
  if (!has_weights && !given.packed) {
    return fail(VMX_ERR_NULL, "linear.weights.data and linear.packed are both NULL");
  }
  if (has_weights) {
    VMX_TRY(check(&given.weights, "linear.weights", dtypes));
    VMX_TRY(same_dtype(given.weights.dtype, "linear.weights.dtype"));
    VMX_TRY(same_dim(given.weights.cols, "linear.weights.cols"));
    input.classes = given.weights.rows;
  } else {
    input.weights = {};
  }
  if (given.packed) {
    VMX_TRY(same_dtype(given.packed->dtype, "the dtype of linear.packed"));
    VMX_TRY(same_dim(given.packed->dim, "the width of linear.packed"));
    if (has_weights && given.weights.rows != given.packed->classes) {
      return fail(VMX_ERR_SHAPE, "linear.weights.rows is %" PRId64 ", but linear.packed has %" PRId64 " classes",
                  given.weights.rows, given.packed->classes);
    }
    input.classes = given.packed->classes;
  }
  if (input.classes > VMX_MAX_COLS) {
    return fail(VMX_ERR_SIZE, "linear.weights.rows is %" PRId64 ", more than VMX_MAX_COLS", input.classes);
  }
  if (given.bias.data || (sizes_only && given.bias.dtype != 0)) {
    if (!sizes_only) VMX_TRY(check_vector_in(&given.bias, "linear.bias", input.classes, kF32));
  } else {
    input.bias = {};
  }
#if VMX_WITH_ONEDNN
  if (!OneThread::possible()) {
    return fail(VMX_ERR_UNSUPPORTED, "oneDNN uses an OpenMP runtime that cannot be reached, and would start threads");
  }
  *out = input;
  return VMX_OK;
#else
  (void)out;
  return fail_without_onednn();
#endif
}

vmx_status fail_without_onednn() {
  return fail(VMX_ERR_UNSUPPORTED, "this build of vastmax is without oneDNN");
}

#if VMX_WITH_ONEDNN

namespace {

// n classes of the weights, adjacent, in one of the product's dtypes.
void copy_rows(const vmx_context& ctx, const vmx_matrix& from, int64_t row0, int64_t rows, void* to, int32_t to_dtype) {
  const int64_t size = dtype_size(to_dtype), from_size = dtype_size(from.dtype);
  char* out = static_cast<char*>(to);
  for (int64_t row = row0; row < row0 + rows; ++row, out += from.cols * size) {
    if (from.cols == 0) continue;
    if (from.col_stride == 1) {
      convert_elements(*ctx.kernels, element(from, row, 0, from_size), from.dtype, out, to_dtype, from.cols);
      continue;
    }
    alignas(64) unsigned char block[256 * 4];
    for (int64_t c = 0; c < from.cols; c += 256) {
      const int64_t n = std::min<int64_t>(256, from.cols - c);
      const void* const adjacent = contiguous(from, row, c, n, block);
      convert_elements(*ctx.kernels, adjacent, from.dtype, out + c * size, to_dtype, n);
    }
  }
}

// Distance of staged columns: not a power of two, which would put a column of them into few sets of the caches.
constexpr int64_t staged_columns_ld(int64_t cols) { return cols + 16; }

// Up to so many rows it is the memory that takes the time, and our own kernels read it faster.
constexpr int64_t kFewRows = 32;
// Rows that our own kernels take at a time: their part of hidden stays in L2.
constexpr int64_t kOwnRows = 96;
// From so many rows on turning a tile of weights over pays: oneDNN multiplies by columns the faster where it has no AVX-512.
constexpr int64_t kRowsToTurn = 64;

}  // namespace

LinearSource::LinearSource(const vmx_context& ctx, const LinearInput& input, int64_t most_chunk_rows, bool grad_hidden,
                           const vmx_matrix* weights_gradient)
    : ctx_(ctx),
      input_(input),
      chunks_((input.rows() + most_chunk_rows - 1) / most_chunk_rows),
      chunk_rows_(most_chunk_rows),
      dtype_(VMX_F32),
      score_weights_(Weights::staged_rows),
      hidden_weights_(Weights::staged_rows),
      with_grad_hidden_(grad_hidden && input.dim() > 0),
      with_grad_weights_(weights_gradient && input.dim() > 0) {
  if (chunks_ > 0) {
    // Chunks of about equal size; rounding up may leave fewer.
    chunk_rows_ = std::min(most_chunk_rows, padded((rows() + chunks_ - 1) / chunks_));
    chunks_ = (rows() + chunk_rows_ - 1) / chunk_rows_;
  }
  if (weights_gradient) {
    const vmx_matrix& g = *weights_gradient;
    grad_direct_ = (g.cols <= 1 || g.col_stride == 1) && (g.rows <= 1 || g.row_stride >= g.cols);
    grad_ld_ = grad_direct_ && g.rows > 1 ? g.row_stride : g.cols;
  }
  const OneThread one_thread;
  choose_weights();
}

void LinearSource::choose_weights() {
  const vmx_packed_weights* const packed = input_.packed;
  const bool few = rows() <= kFewRows && (packed || ctx_.isa != VMX_ISA_SCALAR);
  // Below AVX-512, and for few rows, bf16 is widened.
  if (input_.hidden.dtype == VMX_BF16 && ctx_.isa == VMX_ISA_AVX512 && onednn_has_bf16() && !few) dtype_ = VMX_BF16;

  const vmx_matrix& w = input_.weights;
  if (w.dtype == 0) {
    score_weights_ = Weights::staged_panels;
  } else if (w.dtype == dtype_ && (w.cols <= 1 || w.col_stride == 1) && (w.rows <= 1 || w.row_stride >= w.cols)) {
    score_weights_ = Weights::rows;
  } else if (w.dtype == dtype_ && (w.rows <= 1 || w.row_stride == 1) && (w.cols <= 1 || w.col_stride >= w.rows)) {
    score_weights_ = Weights::columns;
  }
  hidden_weights_ = score_weights_;

  if (few) {
    score_weights_ = packed ? Weights::own : Weights::own_staged;
  } else if (packed) {
    if (packed->dtype == dtype_) {
      const Weights without = score_weights_;
      score_weights_ = Weights::panels;
      if (make_products()) return;
      score_weights_ = without;
    }
    if (ctx_.isa != VMX_ISA_SCALAR && dtype_ == VMX_F32) {
      score_weights_ = Weights::own;
    } else if (score_weights_ == Weights::staged_rows) {
      score_weights_ = hidden_weights_ = Weights::staged_panels;
    }
  } else if (score_weights_ == Weights::rows && dtype_ == VMX_F32 && ctx_.isa != VMX_ISA_SCALAR &&
             chunk_rows_ >= kRowsToTurn && !onednn_has_avx512()) {
    score_weights_ = Weights::staged_columns;
  }
  if (!make_products()) throw std::runtime_error("oneDNN has no matrix product for this processor");
}

int64_t LinearSource::weights_ld(Weights kind) const {
  switch (kind) {
    case Weights::rows: return input_.weights.rows > 1 ? input_.weights.row_stride : dim();
    case Weights::columns: return input_.weights.cols > 1 ? input_.weights.col_stride : classes();
    case Weights::staged_columns:
    case Weights::staged_panels: return staged_columns_ld(most_tile_cols());
    default: return dim();
  }
}

bool LinearSource::make_products() {
  product_bytes_ = 0;
  if (rows() == 0 || classes() == 0 || dim() == 0) return true;
  const auto layout_of = [](Weights kind) {  // as the second factor of the scores
    switch (kind) {
      case Weights::panels: return Layout::panels;
      case Weights::columns:
      case Weights::staged_columns:
      case Weights::staged_panels: return Layout::plain;
      default: return Layout::transposed;
    }
  };
  const auto make = [&](std::shared_ptr<const MatrixProduct>& slot, const ProductShape& shape) {
    slot = MatrixProduct::get(shape);
    if (slot) product_bytes_ = std::max(product_bytes_, slot->scratch_bytes());
    return slot != nullptr;
  };
  for (int last_chunk = 0; last_chunk < 2; ++last_chunk) {
    if (!last_chunk && chunks_ == 1) continue;
    const int64_t m = padded_rows(last_chunk ? chunks_ - 1 : 0);
    for (int last_tile = 0; last_tile < 2; ++last_tile) {
      if (!last_tile && tiles() == 1) continue;
      const int64_t n = last_tile ? tile_cols(tiles() - 1) : kTile;
      if (!by_panels() &&
          !make(scores_[last_chunk][last_tile],
                {m, n, dim(), dim(), weights_ld(score_weights_), n, dtype_, Layout::plain, layout_of(score_weights_),
                 input_.bias.data != nullptr, false})) {
        return false;
      }
      if (with_grad_hidden_) {
        const Layout weights = layout_of(hidden_weights_) == Layout::plain ? Layout::transposed : Layout::plain;
        if (!make(grad_hidden_[last_chunk][last_tile], {m, dim(), n, n, weights_ld(hidden_weights_), dim(), dtype_,
                                                        Layout::plain, weights, false, false})) {
          return false;
        }
      }
      for (int more = 0; more < 2 && with_grad_weights_; ++more) {
        if (!make(grad_weights_[last_chunk][last_tile][more],
                  {n, dim(), m, m, dim(), grad_ld_, dtype_, Layout::plain, Layout::plain, false, more != 0})) {
          return false;
        }
      }
    }
  }
  return true;
}

size_t LinearSource::staged_bytes() const {
  // A panel, and the rows that it is made of.
  const int64_t panel = score_weights_ == Weights::own_staged ? 2 * kPanel * dim() * dtype_size(VMX_F32) : 0;
  const bool tile = staged(score_weights_) || (with_grad_hidden_ && staged(hidden_weights_));
  return static_cast<size_t>(
      std::max(panel, tile ? staged_columns_ld(most_tile_cols()) * dim() * dtype_size(dtype_) : 0));
}

size_t LinearSource::hidden_bytes(int64_t chunk) const {
  return static_cast<size_t>(padded_rows(chunk) * dim() * dtype_size(dtype_));
}

void LinearSource::load_hidden(int64_t chunk, void* to) const {
  const int64_t rows = chunk_rows(chunk), row_bytes = dim() * dtype_size(dtype_);
  copy_rows(ctx_, input_.hidden, chunk_begin(chunk), rows, to, dtype_);
  std::memset(static_cast<char*>(to) + rows * row_bytes, 0,
              static_cast<size_t>((padded_rows(chunk) - rows) * row_bytes));
}

const void* LinearSource::weights_at(Weights kind, int64_t tile, Worker& worker) const {
  const int64_t size = dtype_size(dtype_), c0 = tile_begin(tile);
  const vmx_matrix& w = input_.weights;
  switch (kind) {
    case Weights::rows: return static_cast<const char*>(w.data) + c0 * w.row_stride * size;
    case Weights::columns: return static_cast<const char*>(w.data) + c0 * size;
    case Weights::panels:
    case Weights::own: {
      const int32_t dtype = input_.packed->dtype;
      return static_cast<const char*>(input_.packed->panels) +
             c0 / kPanel * panel_elements(dim(), dtype) * dtype_size(dtype);
    }
    default: break;
  }
  if (worker.staged_tile != tile) {
    if (kind == Weights::staged_columns) {
      ctx_.kernels->transpose_f32(static_cast<const float*>(w.data) + c0 * w.row_stride, w.row_stride, tile_cols(tile),
                                  dim(), static_cast<float*>(worker.staged), weights_ld(kind));
    } else if (kind == Weights::staged_panels) {
      unpack_columns(*input_.packed, c0, tile_cols(tile), worker.staged, weights_ld(kind), dtype_);
    } else {
      copy_rows(ctx_, w, c0, tile_cols(tile), worker.staged, dtype_);
    }
    worker.staged_tile = tile;
  }
  return worker.staged;
}

void LinearSource::scores(int64_t chunk, int64_t tile, const void* hidden, float* scores, Worker& worker) const {
  const int64_t cols = tile_cols(tile), ld = scores_ld(tile);
  const float* bias = nullptr;
  if (input_.bias.data) {
    const int64_t stride = input_.bias.stride;
    bias = static_cast<const float*>(input_.bias.data) + tile_begin(tile) * stride;
    if (copies_bias()) {
      for (int64_t i = 0; i < cols; ++i) worker.bias[i] = bias[i * stride];
      std::fill_n(worker.bias + cols, ld - cols, 0.0f);
      bias = worker.bias;
    }
  }
  if (dim() == 0) {
    for (int64_t row = 0; row < padded_rows(chunk); ++row) {
      for (int64_t i = 0; i < cols; ++i) scores[row * ld + i] = bias ? bias[i] : 0.0f;
    }
    return;
  }
  if (by_panels()) {
    own_scores(chunk, tile, static_cast<const float*>(hidden), bias, scores, worker);
    return;
  }
  scores_[chunk + 1 == chunks_][tile + 1 == tiles()]->run(hidden, weights_at(score_weights_, tile, worker), bias, scores,
                                                          worker.product);
}

void LinearSource::own_scores(int64_t chunk, int64_t tile, const float* hidden, const float* bias, float* scores,
                              Worker& worker) const {
  const int64_t n = chunk_rows(chunk), ld = scores_ld(tile);
  if (score_weights_ == Weights::own) {
    const void* const weights = weights_at(score_weights_, tile, worker);
    const auto kernel = input_.packed->dtype == VMX_BF16 ? ctx_.kernels->few_rows_bf16 : ctx_.kernels->few_rows_f32;
    for (int64_t row = 0; row < n; row += kOwnRows) {
      kernel(hidden + row * dim(), std::min(kOwnRows, n - row), dim(), weights, ld / kPanel, bias, scores + row * ld, ld);
    }
    return;
  }
  // The same values in the same order as of packed weights: the same bits.
  const vmx_matrix& w = input_.weights;
  float* const panel = static_cast<float*>(worker.staged);
  float* const copied = panel + kPanel * dim();
  worker.staged_tile = -1;
  for (int64_t c = 0; c < tile_cols(tile); c += kPanel) {
    const int64_t first = tile_begin(tile) + c, classes = std::min(kPanel, tile_cols(tile) - c);
    const float* from = copied;
    int64_t from_ld = dim();
    if (w.dtype == VMX_F32 && w.col_stride == 1) {
      from = static_cast<const float*>(w.data) + first * w.row_stride;
      from_ld = w.row_stride;
    } else {
      copy_rows(ctx_, w, first, classes, copied, VMX_F32);
    }
    if (classes < kPanel) std::fill_n(panel, kPanel * dim(), 0.0f);
    ctx_.kernels->transpose_f32(from, from_ld, classes, dim(), panel, kPanel);
    ctx_.kernels->few_rows_f32(hidden, n, dim(), panel, 1, bias ? bias + c : nullptr, scores + c, ld);
  }
}

void LinearSource::grad_hidden(int64_t chunk, int64_t tile, const void* g, float* out, Worker& worker) const {
  if (dim() == 0) return;
  grad_hidden_[chunk + 1 == chunks_][tile + 1 == tiles()]->run(g, weights_at(hidden_weights_, tile, worker), nullptr,
                                                               out, worker.product);
}

void LinearSource::grad_weights(int64_t chunk, int64_t tile, const void* g_transposed, const void* hidden,
                                bool accumulate, float* out, Worker& worker) const {
  if (dim() == 0) return;
  grad_weights_[chunk + 1 == chunks_][tile + 1 == tiles()][accumulate]->run(g_transposed, hidden, nullptr, out,
                                                                            worker.product);
}

#endif

}  // namespace vmx
