// SPDX-License-Identifier: Apache-2.0
// Slow answers in f64 for a sample of rows: what every contender is checked against before it is timed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class RowOracle {
 public:
  // Copies the sampled rows of x [rows, cols], so x may change afterwards.
  RowOracle(const void* x, int64_t rows, int64_t cols, int32_t dtype);

  // Each returns "" or what is wrong. The allowed error is that of careful f32 code, plus the rounding of bf16 results.
  std::string check_lse(const float* lse) const;
  std::string check_softmax(const void* y, int32_t dtype, bool logarithm) const;
  std::string check_loss(const float* loss, const int32_t* labels) const;
  std::string check_grad(const void* grad, int32_t dtype, const int32_t* labels, double scale) const;

 private:
  struct Row {
    int64_t index;
    std::vector<float> x;
    double lse;
  };
  int64_t cols_;
  std::vector<Row> rows_;
};

// "" if |got - want| <= absolute + relative * |want|, else both and the place.
std::string near(const char* what, int64_t row, int64_t col, double got, double want, double relative, double absolute);

}  // namespace bench
