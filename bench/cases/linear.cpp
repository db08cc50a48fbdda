// SPDX-License-Identifier: Apache-2.0
#include "cases/linear.hpp"

#include "cases/dense.hpp"
#include "peers/onednn.hpp"

#include <chrono>
#include <cmath>

namespace bench {
namespace {

Buffer normals(int64_t n, int32_t dtype, uint64_t seed, double scale) {
  Buffer out(static_cast<size_t>(n * dtype_bytes(dtype)));
  fill_normal(out.data(), n, dtype, seed, scale);
  return out;
}

Buffer widened(const Buffer& from, int64_t n, int32_t dtype) {
  if (dtype == VMX_F32) return Buffer();
  Buffer out(static_cast<size_t>(n) * sizeof(float));
  for (int64_t i = 0; i < n; ++i) out.as<float>()[i] = from_bf16(from.as<uint16_t>()[i]);
  return out;
}

using onednn::B;

void add(std::vector<Product>& products, const char* layout, std::function<void()> run) {
  if (run) products.push_back({layout, std::move(run)});
}

}  // namespace

LinearData::LinearData(const LinearShape& s)
    : shape(s),
      hidden(normals(s.rows * s.dim, s.dtype, kHidden, 1)),
      weights(normals(s.classes * s.dim, s.dtype, kWeights, 1 / std::sqrt(static_cast<double>(s.dim)))),
      hidden_copy(widened(hidden, s.rows * s.dim, s.dtype)),
      weights_copy(product_dtype(s) == s.dtype ? Buffer() : widened(weights, s.classes * s.dim, s.dtype)),
      hidden_f32(s.dtype == VMX_F32 ? hidden.as<float>() : hidden_copy.as<float>()),
      weights_f32(s.dtype == VMX_F32 ? weights.as<float>() : weights_copy.as<float>()) {}

double LinearData::score(int64_t row, int64_t c) const {
  double sum = 0;
  for (int64_t i = 0; i < shape.dim; ++i) {
    sum += static_cast<double>(load(hidden.data(), row * shape.dim + i, shape.dtype)) *
           static_cast<double>(load(weights.data(), c * shape.dim + i, shape.dtype));
  }
  return sum;
}

vmx_matrix LinearData::hidden_view() const { return matrix(hidden.data(), shape.rows, shape.dim, shape.dtype); }
vmx_matrix LinearData::weights_view() const { return matrix(weights.data(), shape.classes, shape.dim, shape.dtype); }

int32_t product_dtype(const LinearShape& shape) {
  static const bool has_bf16 = onednn::has_bf16();
  return shape.dtype == VMX_BF16 && has_bf16 ? VMX_BF16 : VMX_F32;
}

std::vector<Product> score_products(const LinearData& data, int32_t dtype, float* scores) {
  const LinearShape& s = data.shape;
  const void* const h = dtype == VMX_BF16 ? data.hidden.data() : data.hidden_f32;
  const void* const w = dtype == VMX_BF16 ? data.weights.data() : data.weights_f32;
  std::vector<Product> out;
  add(out, "matmul", onednn::matmul(h, w, scores, s.rows, s.classes, s.dim, dtype, false, B::columns));
  add(out, "matmul, packed", onednn::matmul(h, w, scores, s.rows, s.classes, s.dim, dtype, false, B::packed));
  if (dtype == VMX_F32) {
    add(out, "sgemm",
        onednn::sgemm(data.hidden_f32, data.weights_f32, scores, s.rows, s.classes, s.dim, false, true));
  }
  return out;
}

std::vector<Product> grad_hidden_products(const LinearData& data, int32_t dtype, const void* grad, float* out) {
  const LinearShape& s = data.shape;
  const void* const w = dtype == VMX_BF16 ? data.weights.data() : data.weights_f32;
  std::vector<Product> products;
  add(products, "matmul", onednn::matmul(grad, w, out, s.rows, s.dim, s.classes, dtype, false, B::rows));
  if (dtype == VMX_F32) {
    add(products, "sgemm", onednn::sgemm(static_cast<const float*>(grad), data.weights_f32, out, s.rows, s.dim, s.classes,
                                         false, false));
  }
  return products;
}

std::vector<Product> grad_weights_products(const LinearData& data, int32_t dtype, const void* grad, float* out) {
  const LinearShape& s = data.shape;
  const void* const h = dtype == VMX_BF16 ? data.hidden.data() : data.hidden_f32;
  std::vector<Product> products;
  add(products, "matmul", onednn::matmul(grad, h, out, s.classes, s.dim, s.rows, dtype, true, B::rows));
  if (dtype == VMX_F32) {
    add(products, "sgemm", onednn::sgemm(static_cast<const float*>(grad), data.hidden_f32, out, s.classes, s.dim, s.rows,
                                         true, false));
  }
  return products;
}

std::function<void()> quickest(const std::vector<Product>& products) {
  std::function<void()> best;
  double least = 0;
  for (const Product& product : products) {
    for (int turn = 0; turn < 2; ++turn) {  // the first one warms up
      const auto begin = std::chrono::steady_clock::now();
      product.run();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if (best && seconds >= least) continue;
      best = product.run;
      least = seconds;
    }
  }
  return best;
}

void limit_by_products(Prepared& prepared, const std::shared_ptr<void>& owner, const char* limit, const char* part,
                       const std::vector<Product>& products) {
  for (const Product& product : products) {
    prepared.contenders.push_back({Role::limit, limit, [owner, run = product.run] { run(); }, {}, part});
  }
}

}  // namespace bench
