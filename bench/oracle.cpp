// SPDX-License-Identifier: Apache-2.0
#include "oracle.hpp"

#include "data.hpp"

#include <vastmax/vastmax.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bench {
namespace {

constexpr int64_t kElements = 1 << 21;
constexpr double kRelative = 3e-5;
double rounding(int32_t dtype) { return dtype == VMX_BF16 ? 0x1p-8 : 0; }

}  // namespace

std::string near(const char* what, int64_t row, int64_t col, double got, double want, double relative, double absolute) {
  if (std::abs(got - want) <= absolute + relative * std::abs(want)) return "";
  char text[200];
  std::snprintf(text, sizeof text, "%s of row %lld, column %lld is %.9g, but should be %.9g", what,
                static_cast<long long>(row), static_cast<long long>(col), got, want);
  return text;
}

RowOracle::RowOracle(const void* x, int64_t rows, int64_t cols, int32_t dtype) : cols_(cols) {
  const int64_t count = std::clamp<int64_t>(kElements / cols, 1, std::min<int64_t>(rows, 64));
  for (int64_t i = 0; i < count; ++i) {
    // The first, the last, and some between.
    Row row{count == 1 ? rows - 1 : i * (rows - 1) / (count - 1), {}, 0};
    row.x.resize(static_cast<size_t>(cols));
    for (int64_t c = 0; c < cols; ++c) row.x[static_cast<size_t>(c)] = load(x, row.index * cols + c, dtype);
    const double maximum = static_cast<double>(*std::max_element(row.x.begin(), row.x.end()));
    double sum = 0;
    for (const float score : row.x) sum += std::exp(static_cast<double>(score) - maximum);
    row.lse = maximum + std::log(sum);
    rows_.push_back(std::move(row));
  }
}

std::string RowOracle::check_lse(const float* lse) const {
  for (const Row& row : rows_) {
    const std::string wrong = near("log-sum-exp", row.index, 0, static_cast<double>(lse[row.index]), row.lse, 1e-6, 1e-5);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string RowOracle::check_softmax(const void* y, int32_t dtype, bool logarithm) const {
  for (const Row& row : rows_) {
    for (int64_t c = 0; c < cols_; ++c) {
      const double z = static_cast<double>(row.x[static_cast<size_t>(c)]) - row.lse;
      const double got = static_cast<double>(load(y, row.index * cols_ + c, dtype));
      const std::string wrong =
          logarithm ? near("log-softmax", row.index, c, got, z, 1e-6 + rounding(dtype), 1e-5)
                    : near("softmax", row.index, c, got, std::exp(z), kRelative + rounding(dtype), 1e-37);
      if (!wrong.empty()) return wrong;
    }
  }
  return "";
}

std::string RowOracle::check_loss(const float* loss, const int32_t* labels) const {
  for (const Row& row : rows_) {
    const double want = row.lse - static_cast<double>(row.x[static_cast<size_t>(labels[row.index])]);
    const std::string wrong = near("loss", row.index, 0, static_cast<double>(loss[row.index]), want, kRelative, 1e-5);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string RowOracle::check_grad(const void* grad, int32_t dtype, const int32_t* labels, double scale) const {
  for (const Row& row : rows_) {
    for (int64_t c = 0; c < cols_; ++c) {
      const double p = std::exp(static_cast<double>(row.x[static_cast<size_t>(c)]) - row.lse);
      const double want = (p - (c == labels[row.index] ? 1 : 0)) * scale;
      const double got = static_cast<double>(load(grad, row.index * cols_ + c, dtype));
      const std::string wrong = near("gradient", row.index, c, got, want, kRelative + rounding(dtype), 1e-37);
      if (!wrong.empty()) return wrong;
    }
  }
  return "";
}

}  // namespace bench
