// SPDX-License-Identifier: Apache-2.0
#include "peers/row_loops.hpp"

#include "data.hpp"

#include <vastmax/vastmax.h>

#include <cmath>

namespace bench {
namespace {

float value(float x) { return x; }
float value(uint16_t x) { return from_bf16(x); }
void put(float* to, float x) { *to = x; }
void put(uint16_t* to, float x) { *to = to_bf16(x); }

template <class T>
void maximum_and_sum(const T* x, int64_t cols, float* maximum, double* sum) {
  float m = value(x[0]);
  for (int64_t c = 1; c < cols; ++c) m = value(x[c]) > m ? value(x[c]) : m;
  double s = 0;
  for (int64_t c = 0; c < cols; ++c) s += static_cast<double>(std::exp(value(x[c]) - m));
  *maximum = m;
  *sum = s;
}

template <class T>
float row_lse(const T* x, int64_t cols) {
  float m;
  double s;
  maximum_and_sum(x, cols, &m, &s);
  return m + static_cast<float>(std::log(s));
}

template <class T>
void softmax_rows(const T* x, T* y, int64_t rows, int64_t cols, bool logarithm) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* const in = x + r * cols;
    T* const out = y + r * cols;
    float m;
    double s;
    maximum_and_sum(in, cols, &m, &s);
    if (logarithm) {
      const float lse = m + static_cast<float>(std::log(s));
      for (int64_t c = 0; c < cols; ++c) put(out + c, value(in[c]) - lse);
    } else {
      const float share = static_cast<float>(1 / s);
      for (int64_t c = 0; c < cols; ++c) put(out + c, std::exp(value(in[c]) - m) * share);
    }
  }
}

template <class T>
void cross_entropy_rows(const T* x, const int32_t* labels, int64_t rows, int64_t cols, float* loss, T* grad, float scale) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* const in = x + r * cols;
    float m;
    double s;
    maximum_and_sum(in, cols, &m, &s);
    loss[r] = m + static_cast<float>(std::log(s)) - value(in[labels[r]]);
    if (!grad) continue;
    T* const out = grad + r * cols;
    const float share = static_cast<float>(1 / s) * scale;
    for (int64_t c = 0; c < cols; ++c) {
      put(out + c, std::exp(value(in[c]) - m) * share - (c == labels[r] ? scale : 0));
    }
  }
}

void logsumexp(const void* x, int64_t rows, int64_t cols, int32_t dtype, float* lse) {
  for (int64_t r = 0; r < rows; ++r) {
    lse[r] = dtype == VMX_BF16 ? row_lse(static_cast<const uint16_t*>(x) + r * cols, cols)
                               : row_lse(static_cast<const float*>(x) + r * cols, cols);
  }
}

void softmax(const void* x, void* y, int64_t rows, int64_t cols, int32_t dtype, bool logarithm) {
  if (dtype == VMX_BF16) {
    softmax_rows(static_cast<const uint16_t*>(x), static_cast<uint16_t*>(y), rows, cols, logarithm);
  } else {
    softmax_rows(static_cast<const float*>(x), static_cast<float*>(y), rows, cols, logarithm);
  }
}

void cross_entropy(const void* x, const int32_t* labels, int64_t rows, int64_t cols, int32_t dtype, float* loss,
                   void* grad, float scale) {
  if (dtype == VMX_BF16) {
    cross_entropy_rows(static_cast<const uint16_t*>(x), labels, rows, cols, loss, static_cast<uint16_t*>(grad), scale);
  } else {
    cross_entropy_rows(static_cast<const float*>(x), labels, rows, cols, loss, static_cast<float*>(grad), scale);
  }
}

}  // namespace

const RowLoops naive_loops = {"naive loop", logsumexp, softmax, cross_entropy, nullptr, nullptr, nullptr};

}  // namespace bench
