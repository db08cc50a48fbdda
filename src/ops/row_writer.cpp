// SPDX-License-Identifier: Apache-2.0
#include "ops/row_writer.hpp"

namespace vmx {
namespace {

// An output beyond any last-level cache is not worth a place in it.
constexpr int64_t kStreamingBytes = int64_t{32} << 20;

}  // namespace

RowWriter::RowWriter(const vmx_context& ctx, const Scores& scores, const vmx_matrix& y)
    : ctx_(ctx), scores_(scores), y_(y) {
  const bool in_place = y.data == scores.matrix().data;
  streaming_ = !in_place && y.rows > 0 && y.cols > 0 &&
               y.cols > kStreamingBytes / dtype_size(y.dtype) / y.rows;
}

template <class Direct>
void RowWriter::write(int64_t row, const RowTemperature& t, int64_t c0, int64_t n, Direct&& kernel) const {
  const int32_t type = scores_.dtype(t);
  const Kernels& k = kernels_of(*ctx_.kernels, type);
  if (type == y_.dtype && y_.col_stride == 1) {
    scores_.for_each_run(row, t, c0, n, [&](const void* x, int64_t c, int64_t count) {
      kernel(k, x, element(y_, row, c, dtype_size(y_.dtype)), c, count, streaming_);
    });
    return;
  }
  const int32_t compute = compute_dtype(type);
  const Kernels& wide = kernels_of(*ctx_.kernels, compute);
  alignas(64) unsigned char result[VMX_BLOCK * 8];
  scores_.for_each_run(row, t, c0, n, [&](const void* x, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; i += VMX_BLOCK) {
      const int64_t part = count - i < VMX_BLOCK ? count - i : VMX_BLOCK;
      const void* from = static_cast<const char*>(x) + i * dtype_size(type);
      if (type != compute) {
        convert_elements(*ctx_.kernels, from, type, result, compute, part);
        from = result;
      }
      kernel(wide, from, static_cast<void*>(result), first + i, part, false);
      scatter_row(*ctx_.kernels, result, compute, y_, row, first + i, part);
    }
  });
}

bool RowWriter::deferred(int64_t row, const RowScale& scale, const float* kept, KeptWrite* what) const {
  *what = {kept, static_cast<float*>(y_.data) + row * y_.row_stride, 0.0f};
  return kept_factor(scale, &what->factor);
}

// False if the terms do not serve this row.
bool RowWriter::write_kept(int64_t row, int64_t c0, int64_t n, const RowScale& scale, const float* kept) const {
  float factor;
  if (!kept || !kept_factor(scale, &factor)) return false;
  const Kernels& k = kernels_of(*ctx_.kernels, y_.dtype);
  if (y_.col_stride == 1 && k.scale_kept) {
    k.scale_kept(kept, element(y_, row, c0, dtype_size(y_.dtype)), n, factor, streaming_);
    return true;
  }
  alignas(64) float result[VMX_BLOCK];
  for (int64_t c = 0; c < n; c += VMX_BLOCK) {
    const int64_t part = n - c < VMX_BLOCK ? n - c : VMX_BLOCK;
    ctx_.kernels->f32.scale_kept(kept + c, result, part, factor, false);
    scatter_row(*ctx_.kernels, result, VMX_F32, y_, row, c0 + c, part);
  }
  return true;
}

void RowWriter::softmax(int64_t row, const RowTemperature& t, int64_t c, int64_t n, const RowScale& scale,
                        const float* kept) const {
  if (write_kept(row, c, n, scale, kept)) return;
  write(row, t, c, n, [&](const Kernels& k, const void* from, void* to, int64_t, int64_t count, bool streaming) {
    k.softmax_write(from, to, count, t.params, scale, streaming);
  });
}

void RowWriter::log_softmax(int64_t row, const RowTemperature& t, int64_t c, int64_t n, const RowShift& shift) const {
  write(row, t, c, n, [&](const Kernels& k, const void* from, void* to, int64_t, int64_t count, bool streaming) {
    k.log_softmax_write(from, to, count, t.params, shift, streaming);
  });
}

void RowWriter::gradient(int64_t row, const RowTemperature& t, int64_t c, int64_t n, const RowScale& scale,
                         const float* weight, double subtract, const float* kept) const {
  if (scores_.softcap() > 0) {
    // The factor needs the raw scores, and the gradient may overwrite them: block by block.
    const vmx_matrix& x = scores_.matrix();
    const int32_t compute = compute_dtype(x.dtype);
    const Kernels& raw = kernels_of(*ctx_.kernels, x.dtype);
    const Kernels& wide = kernels_of(*ctx_.kernels, compute);
    alignas(64) unsigned char gathered[VMX_BLOCK * 8], result[VMX_BLOCK * 8];
    scores_.for_each_run(row, t, c, n, [&](const void* staged, int64_t first, int64_t count) {
      wide.gradient_write(staged, result, count, t.params, scale, weight ? weight + first : nullptr, subtract);
      raw.softcap_gradient(contiguous(x, row, first, count, gathered), result, count, scores_.softcap());
      scatter_row(*ctx_.kernels, result, compute, y_, row, first, count);
    });
    return;
  }
  if (!weight && subtract == 0.0) {
    softmax(row, t, c, n, scale, kept);
    return;
  }
  write(row, t, c, n, [&](const Kernels& k, const void* from, void* to, int64_t first, int64_t count, bool) {
    k.gradient_write(from, to, count, t.params, scale, weight ? weight + first : nullptr, subtract);
  });
}

}  // namespace vmx
