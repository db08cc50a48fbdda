// SPDX-License-Identifier: Apache-2.0
// What the cases over linear scores have in common: hidden states, weights, their products by oneDNN.
#pragma once

#include "buffer.hpp"
#include "case.hpp"
#include "data.hpp"

#include <memory>
#include <string>
#include <vector>

namespace bench {

struct LinearShape {
  int64_t rows, dim, classes;
  int32_t dtype;

  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(dim) + "x" + std::to_string(classes);
  }
  double flop() const {  // of one product
    return 2 * static_cast<double>(rows) * static_cast<double>(dim) * static_cast<double>(classes);
  }
  int64_t weight_bytes() const { return classes * dim * dtype_bytes(dtype); }
};

// Scores have a variance of 1.
struct LinearData {
  explicit LinearData(const LinearShape& shape);

  double score(int64_t row, int64_t c) const;  // in f64
  vmx_matrix hidden_view() const;
  vmx_matrix weights_view() const;

  LinearShape shape;
  Buffer hidden, weights;
  // f32 copies of bf16 data, for those that have no product of bf16; else the same as above.
  Buffer hidden_copy, weights_copy;
  const float *hidden_f32, *weights_f32;
};

// One way to make a product.
struct Product {
  std::string layout;
  std::function<void()> run;
};
// Those of oneDNN over data of the product's dtype: bf16 if `dtype` says so and oneDNN has it, else f32 copies.
std::vector<Product> score_products(const LinearData& data, int32_t dtype, float* scores);
std::vector<Product> grad_hidden_products(const LinearData& data, int32_t dtype, const void* grad, float* out);
std::vector<Product> grad_weights_products(const LinearData& data, int32_t dtype, const void* grad, float* out);
// The quickest of them, found by trying; empty if there is none.
std::function<void()> quickest(const std::vector<Product>& products);

// VMX_BF16 if the data are bf16 and oneDNN has a product for that.
int32_t product_dtype(const LinearShape& shape);

void limit_by_products(Prepared& prepared, const std::shared_ptr<void>& owner, const char* limit, const char* part,
                       const std::vector<Product>& products);

}  // namespace bench
