// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// vmx_logsumexp and its backward pass against the vectors and the oracle.
#include "reference/softmax_oracle.hpp"
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/errors.hpp"
#include "support/json_vectors.hpp"
#include "support/shapes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using namespace vmx::test;
using vmx::reference::Real;

constexpr double kInf = std::numeric_limits<double>::infinity();

Real lse_bound(Real lse, Real u) { return std::isfinite(lse) ? u * std::fmax(1, std::fabs(lse)) + 16 * u : 0; }

vmx_softmax_options with_temperature(const float* t, int64_t stride = 0) {
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  options.temperature = t;
  options.temperature_stride = stride;
  return options;
}

double logsumexp_of(const vmx_context* ctx, const std::vector<double>& row, int32_t dtype, float t = 1) {
  const Matrix x(dtype, {row});
  const Vector lse(wide_type(dtype), 1);
  const auto options = with_temperature(&t);
  EXPECT_EQ(vmx_logsumexp(ctx, nullptr, x, lse, nullptr, &options), VMX_OK) << last_error();
  return lse.get(0);
}

TEST(LogSumExp, Vectors) {
  ErrorReport report("logsumexp f32, vectors", 0x1p-24L);
  VMX_FOR_EACH_ISA(ctx) {
    for (const auto& test : load_vectors("smooth.json")) {
      if (test.op != "softmax" && test.op != "softmax_t") continue;
      const float t = test.in.contains("temperature") ? float_in(test.in["temperature"]) : 1.0f;
      const Real expected = real_out(test.out["lse"]);
      report.check(logsumexp_of(ctx, floats_in(test.in["z"]), VMX_F32, t), expected, lse_bound(expected, 0x1p-24L),
                   std::fmax(1, std::fabs(expected)), VMX_F32, test.id.c_str(), 0, 0);
    }
  }
}

// All kinds of rows at once, each with that temperature.
void check_against_oracle(int32_t dtype, int64_t cols, float t, ErrorReport& report) {
  const auto rows = rows_of_all_kinds(cols, dtype, static_cast<uint64_t>(cols));
  const auto count = static_cast<int64_t>(rows.size());
  const Matrix x(dtype, rows);
  std::vector<vmx::reference::Softmax> expected;
  for (const auto& row : rows) expected.push_back(vmx::reference::softmax(row, static_cast<double>(t)));
  VMX_FOR_EACH_ISA(ctx) {
    const Vector lse(wide_type(dtype), count);
    std::vector<uint32_t> flags(rows.size(), 0xffffffffu);
    const auto options = with_temperature(&t);
    ASSERT_EQ(vmx_logsumexp(ctx, nullptr, x, lse, flags.data(), &options), VMX_OK) << last_error();
    for (size_t r = 0; r < rows.size(); ++r) {
      const std::string what = describe(row_kinds()[r].name, cols, t);
      EXPECT_EQ(flags[r], expected[r].flags) << what;
      const Real value = expected[r].lse;
      report.check(lse.get(static_cast<int64_t>(r)), value, lse_bound(value, unit_of(dtype)),
                   std::isfinite(value) ? std::fmax(1, std::fabs(value)) : 1, wide_type(dtype), what.c_str(),
                   static_cast<int64_t>(r), 0);
    }
    EXPECT_TRUE(x.surroundings_untouched() && lse.surroundings_untouched());
  }
}

class LogSumExpOfType : public testing::TestWithParam<int32_t> {};
INSTANTIATE_TEST_SUITE_P(Types, LogSumExpOfType, testing::ValuesIn(kFloatTypes),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(LogSumExpOfType, Oracle) {
  ErrorReport report(std::string("logsumexp ") + name_of(GetParam()), unit_of(GetParam()));
  for (const int64_t cols : kLengths) check_against_oracle(GetParam(), cols, 1, report);
}

TEST_P(LogSumExpOfType, OracleWithTemperature) {
  ErrorReport report(std::string("logsumexp with T ") + name_of(GetParam()), unit_of(GetParam()));
  for (const int64_t cols : kFewLengths) {
    for (const float t : kTemperatures) check_against_oracle(GetParam(), cols, t, report);
    for (const float t : kExtremeTemperatures) check_against_oracle(GetParam(), cols, t, report);
  }
}

TEST_P(LogSumExpOfType, NoColumnsAndNoRows) {
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix no_columns(GetParam(), 3, 0);
    const Vector lse(wide_type(GetParam()), 3);
    uint32_t flags[3] = {};
    ASSERT_EQ(vmx_logsumexp(ctx, nullptr, no_columns, lse, flags, nullptr), VMX_OK) << last_error();
    for (int r = 0; r < 3; ++r) {
      EXPECT_EQ(lse.get(r), -kInf);
      EXPECT_EQ(flags[r], VMX_ROW_EMPTY);
    }
    vmx_matrix nothing = {nullptr, 0, 7, 7, 1, GetParam(), 0};
    vmx_vector empty = {nullptr, 0, 1, wide_type(GetParam()), 0};
    EXPECT_EQ(vmx_logsumexp(ctx, nullptr, &nothing, &empty, nullptr, nullptr), VMX_OK) << last_error();
  }
}

// Each row its own temperature, by any stride.
TEST_P(LogSumExpOfType, TemperaturePerRow) {
  const auto rows = rows_of_all_kinds(300, GetParam(), 5);
  const auto count = static_cast<int64_t>(rows.size());
  std::vector<float> list(3 * rows.size(), -1.0f);  // what lies between is no temperature
  for (size_t r = 0; r < rows.size(); ++r) list[3 * r] = kTemperatures[r % kTemperatures.size()];
  const Matrix x(GetParam(), rows);
  VMX_FOR_EACH_ISA(ctx) {
    const Vector lse(wide_type(GetParam()), count, -2);
    const auto forward = with_temperature(list.data(), 3);
    ASSERT_EQ(vmx_logsumexp(ctx, nullptr, x, lse, nullptr, &forward), VMX_OK) << last_error();
    for (int64_t r = 0; r < count; ++r) {
      const double alone = logsumexp_of(ctx, rows[static_cast<size_t>(r)], GetParam(), list[static_cast<size_t>(3 * r)]);
      if (std::isnan(alone)) {
        EXPECT_TRUE(std::isnan(lse.get(r)));
      } else {
        EXPECT_EQ(lse.get(r), alone) << row_kinds()[static_cast<size_t>(r)].name;
      }
    }
    EXPECT_TRUE(lse.surroundings_untouched());
  }
}

// The dtype of the scores is storage: bf16 and f16 give the bits of their values in f32.
TEST(LogSumExp, NarrowTypesAreStorage) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const int32_t dtype : {VMX_BF16, VMX_F16}) {
      for (const int64_t cols : kLengths) {
        for (const RowKind& kind : row_kinds()) {
          const auto row = make_row(kind, cols, dtype, 11);
          const double narrow = logsumexp_of(ctx, row, dtype), full = logsumexp_of(ctx, row, VMX_F32);
          ASSERT_TRUE(narrow == full || (std::isnan(narrow) && std::isnan(full))) << kind.name << " x " << cols;
        }
      }
    }
  }
}

TEST(LogSumExp, Identities) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const int32_t dtype : {VMX_F32, VMX_F64}) {
      for (const int64_t cols : {5, 1000, 10000}) {
        SCOPED_TRACE(std::string(name_of(dtype)) + " x " + std::to_string(cols));
        Random random(static_cast<uint64_t>(cols));
        std::vector<double> row;
        for (int64_t c = 0; c < cols; ++c) row.push_back(static_cast<double>(random.below(1 << 14)) / 1024 - 8);
        const double lse = logsumexp_of(ctx, row, dtype);
        const auto within = [&](double other, double expected) {
          const Real bound = lse_bound(static_cast<Real>(lse), unit_of(dtype)) +
                             lse_bound(static_cast<Real>(expected), unit_of(dtype));
          EXPECT_NEAR(other, expected, static_cast<double>(bound));
        };
        for (const double shift : {1.0, -64.0, 500.0, 4096.0}) {  // the sums are exact in f32
          auto shifted = row;
          for (double& z : shifted) z += shift;
          within(logsumexp_of(ctx, shifted, dtype), lse + shift);
        }
        auto permuted = row;
        std::reverse(permuted.begin(), permuted.end());
        within(logsumexp_of(ctx, permuted, dtype), lse);
        std::sort(permuted.begin(), permuted.end());
        within(logsumexp_of(ctx, permuted, dtype), lse);
        auto twice = row;
        twice.insert(twice.end(), row.begin(), row.end());
        within(logsumexp_of(ctx, twice, dtype), lse + std::log(2.0));
        auto with_masks = row;  // masks add nothing, wherever they stand
        with_masks.insert(with_masks.begin() + cols / 2, 777, -kInf);
        within(logsumexp_of(ctx, with_masks, dtype), lse);
      }
    }
  }
}

struct BackwardCase {
  int64_t cols;
  float t;
  double factor;
};

void check_backward(int32_t dtype, const BackwardCase& test, ErrorReport& report, ErrorReport& given_report) {
  const Real u = unit_of(dtype);
  const auto rows = rows_of_all_kinds(test.cols, dtype, 77);
  const auto count = static_cast<int64_t>(rows.size());
  const Matrix x(dtype, rows);
  const float factor = static_cast<float>(test.factor);
  const vmx_vector grad_lse = {const_cast<float*>(&factor), count, 0, VMX_F32, 0};
  std::vector<vmx::reference::Softmax> forward;
  std::vector<vmx::reference::Row> expected;
  for (const auto& row : rows) {
    const auto t = static_cast<double>(test.t);
    forward.push_back(vmx::reference::softmax(row, t));
    expected.push_back(vmx::reference::logsumexp_backward(row, t, static_cast<Real>(factor)));
  }
  const auto options = with_temperature(&test.t);
  VMX_FOR_EACH_ISA(ctx) {
    const Vector lse(wide_type(dtype), count);
    ASSERT_EQ(vmx_logsumexp(ctx, nullptr, x, lse, nullptr, &options), VMX_OK) << last_error();
    for (const bool given : {false, true}) {
      const Matrix grad(dtype, count, test.cols);
      const vmx_vector* lse_or_none = given ? static_cast<const vmx_vector*>(lse) : nullptr;
      ASSERT_EQ(vmx_logsumexp_backward(ctx, nullptr, x, lse_or_none, &grad_lse, grad, &options), VMX_OK) << last_error();
      EXPECT_TRUE(grad.surroundings_untouched());
      for (int64_t r = 0; r < count; ++r) {
        const auto& row = forward[static_cast<size_t>(r)];
        const std::string what = describe(row_kinds()[static_cast<size_t>(r)].name, test.cols, test.t);
        for (int64_t c = 0; c < test.cols; ++c) {
          const auto i = static_cast<size_t>(c);
          const Real e = expected[static_cast<size_t>(r)][i];
          const Real d = row.flags == 0 && std::isfinite(row.distance[i]) ? row.distance[i] : 0;
          // A given lse carries its own error.
          const Real of_lse = given && std::isfinite(row.lse) ? std::fmax(1, std::fabs(row.lse)) + 16 : 0;
          const bool flushed = std::fabs(e) < 0x1.00001p-126L;
          const bool in_report = std::fabs(e) >= (dtype == VMX_F16 ? 0x1p-14L : 0x1p-125L);
          Real bound = std::isnan(e) ? 0 : flushed ? 0x1p-126L : (8 + d + of_lse) * u * std::fabs(e);
          if (size_of(dtype) == 2 && !std::isnan(e)) bound += half_ulp(std::fabs(e) + bound, dtype);
          (given ? given_report : report)
              .check(grad.get(r, c), e, bound, in_report ? std::fabs(e) : 0, dtype, what.c_str(), r, c);
        }
      }
    }
  }
}

TEST_P(LogSumExpOfType, Backward) {
  const std::string name = std::string("logsumexp_backward ") + name_of(GetParam());
  const Real unit = unit_of_result(GetParam(), GetParam());
  ErrorReport report(name, unit), given_report(name + ", lse given", unit);
  for (const BackwardCase& test :
       {BackwardCase{1, 1, 1}, {65, 1, -3}, {257, 1, 1e-3}, {4097, 1, 1}, {257, 0.25f, -1}, {257, 7, 0.5}, {65, 1, 0},
        {65, 1e-6f, 1}, {65, 1e6f, 2}}) {
    check_backward(GetParam(), test, report, given_report);
  }
}

TEST(LogSumExp, FiniteDifferences) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const float t : {1.0f, 0.5f, 4.0f}) {
      auto row = make_row(row_kind("bell"), 40, VMX_F64, 3);
      row[7] = -kInf;
      const Matrix x(VMX_F64, {row}), grad(VMX_F64, 1, 40);
      const Vector one(VMX_F64, std::vector<double>{1.0});
      const auto options = with_temperature(&t);
      ASSERT_EQ(vmx_logsumexp_backward(ctx, nullptr, x, nullptr, one, grad, &options), VMX_OK) << last_error();
      for (size_t c = 0; c < row.size(); ++c) {
        constexpr double h = 0x1p-17;
        auto up = row, down = row;
        up[c] += h;
        down[c] -= h;
        const double slope = (logsumexp_of(ctx, up, VMX_F64, t) - logsumexp_of(ctx, down, VMX_F64, t)) / (2 * h);
        EXPECT_NEAR(grad.get(0, static_cast<int64_t>(c)), slope, 1e-9) << c;
      }
    }
  }
}

TEST(LogSumExp, WarmWorkspaceAndThreads) {
  const Matrix x(VMX_F32, {make_row(row_kind("wide"), 300000, VMX_F32, 8)});
  Context plain, three(VMX_ISA_BEST, 3);
  Workspace ws(three);
  const Vector a(VMX_F32, 1), b(VMX_F32, 1);
  ASSERT_EQ(vmx_logsumexp(plain, nullptr, x, a, nullptr, nullptr), VMX_OK);
  size_t size = 0;
  ASSERT_EQ(vmx_softmax_workspace_size(three, x, nullptr, nullptr, &size), VMX_OK) << last_error();
  ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK);
  const size_t before = vmx_workspace_capacity(ws);
  ASSERT_EQ(vmx_logsumexp(three, ws, x, b, nullptr, nullptr), VMX_OK);
  EXPECT_EQ(vmx_workspace_capacity(ws), before);
  EXPECT_EQ(a.bytes(), b.bytes());
}

}  // namespace
