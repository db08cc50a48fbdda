// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// vmx_softmax, vmx_log_softmax and their backward passes against the vectors and the oracle.
#include "reference/softmax_oracle.hpp"
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/errors.hpp"
#include "support/json_vectors.hpp"
#include "support/shapes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>

namespace {

using namespace vmx::test;
using vmx::reference::Real;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr Real kSmallest = 0x1p-126L;

enum class Which { softmax, log_softmax };

vmx_status run(Which which, const vmx_context* ctx, const vmx_matrix* x, const vmx_matrix* y, const vmx_vector* lse,
               uint32_t* flags, const vmx_softmax_options* options) {
  return (which == Which::softmax ? vmx_softmax : vmx_log_softmax)(ctx, nullptr, x, y, lse, flags, options);
}

struct Bounds {
  int32_t scores, stored;
  bool precise;

  // Results are those of f32 arithmetic unless the scores are f64: what overflows there is infinite in f64 too.
  int32_t narrowest() const { return stored == VMX_F64 ? wide_type(scores) : stored; }
  // What errors are told relative to; 0 where results may be flushed or are subnormal.
  Real scale(Real value) const {
    const Real normal = stored == VMX_F16 ? 0x1p-14L : 2 * kSmallest;
    return std::fabs(value) >= normal ? std::fabs(value) : 0;
  }

  // One more rounding where the result is stored in another format than it is computed in.
  Real stored_as(Real expected, Real bound) const {
    if (stored == wide_type(scores) || stored == VMX_F64) return bound;
    return bound + half_ulp(std::fabs(expected) + bound, stored);
  }
  Real probability(Real p, Real distance) const {
    const Real u = unit_of(scores);
    // Results below 2^-126 are +0 where the arithmetic is f32; where it is f64 nothing is promised below.
    if (p < kSmallest * (1 + 16 * u)) return stored_as(p, kSmallest);
    return stored_as(p, (8 + (precise ? 0 : distance)) * u * p);
  }
  Real log_probability(Real y, Real max, Real lse) const {
    const Real u = unit_of(scores);
    if (!std::isfinite(y)) return 0;
    if (precise) return std::fabs(y) < kSmallest * (1 + 16 * u) ? kSmallest : stored_as(y, 8 * u * std::fabs(y));
    const Real scale = std::fmax(std::fmax(1, std::fabs(max)), std::fmax(std::fabs(y), std::fabs(lse)));
    return stored_as(y, 2 * u * scale + 16 * u);
  }
};

TEST(Softmax, Vectors) {
  ErrorReport p_report("softmax f32, vectors", 0x1p-24L), log_report("log_softmax f32, vectors", 0x1p-24L);
  const Bounds bounds{VMX_F32, VMX_F32, false};
  for (const auto& test : load_vectors("smooth.json")) {
    if (test.op != "softmax" && test.op != "softmax_t") continue;
    const float t = test.in.contains("temperature") ? float_in(test.in["temperature"]) : 1.0f;
    vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
    options.temperature = &t;
    const auto row = floats_in(test.in["z"]);
    const Matrix x(VMX_F32, {row});
    const Real lse = real_out(test.out["lse"]);
    Real max = -kInf;
    for (const double z : row) max = std::fmax(max, static_cast<Real>(z));
    VMX_FOR_EACH_ISA(ctx) {
      for (const Which which : {Which::softmax, Which::log_softmax}) {
        const char* key = which == Which::softmax ? "softmax" : "log_softmax";
        if (!test.out.contains(key) || test.out[key].is_null()) continue;
        const Matrix y(VMX_F32, 1, x.cols());
        ASSERT_EQ(run(which, ctx, x, y, nullptr, nullptr, &options), VMX_OK) << last_error();
        const auto expected = reals_out(test.out[key]);
        for (size_t c = 0; c < expected.size(); ++c) {
          const Real e = expected[c], d = (max - static_cast<Real>(row[c])) / static_cast<Real>(t);
          const double actual = y.get(0, static_cast<int64_t>(c));
          if (which == Which::softmax) {
            const Real bound = std::isnan(e) ? 0 : bounds.probability(e, d);
            p_report.check(actual, e, bound, bounds.scale(e), VMX_F32, test.id.c_str(), 0, static_cast<int64_t>(c));
          } else {
            const Real bound = bounds.log_probability(e, max, lse);
            log_report.check(actual, e, bound, std::fmax(1, std::fabs(e)), VMX_F32, test.id.c_str(), 0,
                             static_cast<int64_t>(c));
          }
        }
      }
    }
  }
}

// All kinds of rows, into y of a dtype, against the oracle; on every ISA.
void check_against_oracle(Which which, int32_t dtype, int32_t stored, int64_t cols, float t, uint32_t options_flags,
                          ErrorReport& report) {
  const auto rows = rows_of_all_kinds(cols, dtype, static_cast<uint64_t>(cols) + 1000);
  const auto count = static_cast<int64_t>(rows.size());
  const Bounds bounds{dtype, stored, (options_flags & VMX_PRECISE) != 0};
  const Matrix x(dtype, rows);
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  options.flags = options_flags;
  options.temperature = &t;
  std::vector<vmx::reference::Softmax> expected;
  for (const auto& row : rows) expected.push_back(vmx::reference::softmax(row, static_cast<double>(t)));
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix y(stored, count, cols);
    const Vector lse(wide_type(dtype), count), lse_alone(wide_type(dtype), count);
    std::vector<uint32_t> flags(rows.size(), 0xffffffffu);
    ASSERT_EQ(run(which, ctx, x, y, lse, flags.data(), &options), VMX_OK) << last_error();
    ASSERT_EQ(vmx_logsumexp(ctx, nullptr, x, lse_alone, nullptr, &options), VMX_OK) << last_error();
    EXPECT_TRUE(y.surroundings_untouched() && lse.surroundings_untouched());
    for (int64_t r = 0; r < count; ++r) {
      const auto& e = expected[static_cast<size_t>(r)];
      const std::string what = describe(row_kinds()[static_cast<size_t>(r)].name, cols, t);
      EXPECT_EQ(flags[static_cast<size_t>(r)], e.flags) << what;
      if (!(which == Which::log_softmax && bounds.precise)) {  // there the sum is made without its maximum
        EXPECT_EQ(std::memcmp(lse.at(r), lse_alone.at(r), size_of(wide_type(dtype))), 0) << what;
      }
      if (e.flags == VMX_ROW_EMPTY && (options_flags & VMX_ZERO_MASKED)) {
        const double fill = which == Which::softmax ? 0.0 : -kInf;
        for (int64_t c = 0; c < cols; ++c) EXPECT_EQ(y.get(r, c), fill) << what;
        continue;
      }
      for (int64_t c = 0; c < cols; ++c) {
        const auto i = static_cast<size_t>(c);
        if (which == Which::softmax) {
          const bool none = e.flags == 0 && std::isinf(e.distance[i]);
          const Real bound = e.flags ? 0 : none ? 0 : bounds.probability(e.p[i], e.distance[i]);
          report.check(y.get(r, c), e.p[i], bound, bounds.scale(e.p[i]), bounds.narrowest(), what.c_str(), r, c);
          if (none) {
            EXPECT_FALSE(std::signbit(y.get(r, c))) << what;
          }
        } else {
          const bool hard_or_flat = t < 0x1p-126f || std::isinf(t);
          const Real bound = bounds.log_probability(e.log_p[i], hard_or_flat ? 0 : e.max, hard_or_flat ? 0 : e.lse);
          const Real scale = bounds.precise ? bounds.scale(e.log_p[i])
                                            : std::fmax(std::fmax(1, std::fabs(e.log_p[i])), std::fabs(e.lse));
          report.check(y.get(r, c), e.log_p[i], bound, std::isfinite(scale) ? scale : 1, bounds.narrowest(),
                       what.c_str(), r, c);
        }
      }
    }
  }
}

const char* name_of(Which which) { return which == Which::softmax ? "softmax " : "log_softmax "; }
using vmx::test::name_of;

struct Case {
  Which which;
  int32_t dtype;
};
void PrintTo(const Case& test, std::ostream* out) { *out << name_of(test.which) << name_of(test.dtype); }
class SoftmaxOfType : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Types, SoftmaxOfType,
                         testing::Values(Case{Which::softmax, VMX_F32}, Case{Which::softmax, VMX_BF16},
                                         Case{Which::softmax, VMX_F16}, Case{Which::softmax, VMX_F64},
                                         Case{Which::log_softmax, VMX_F32}, Case{Which::log_softmax, VMX_BF16},
                                         Case{Which::log_softmax, VMX_F16}, Case{Which::log_softmax, VMX_F64}),
                         [](const auto& test) {
                           return std::string(test.param.which == Which::softmax ? "softmax_" : "log_softmax_") +
                                  name_of(test.param.dtype);
                         });

TEST_P(SoftmaxOfType, Oracle) {
  const auto [which, dtype] = GetParam();
  for (const int32_t stored : kFloatTypes) {
    ErrorReport report(std::string(name_of(which)) + name_of(dtype) + " -> " + name_of(stored),
                       unit_of_result(dtype, stored));
    for (const int64_t cols : stored == dtype ? kLengths : kFewLengths) {
      check_against_oracle(which, dtype, stored, cols, 1, 0, report);
    }
  }
}

TEST_P(SoftmaxOfType, OracleWithTemperature) {
  const auto [which, dtype] = GetParam();
  ErrorReport report(std::string(name_of(which)) + "with T " + name_of(dtype), unit_of_result(dtype, dtype));
  for (const int64_t cols : {1, 65, 257}) {
    for (const float t : kTemperatures) check_against_oracle(which, dtype, dtype, cols, t, 0, report);
    for (const float t : kExtremeTemperatures) check_against_oracle(which, dtype, dtype, cols, t, 0, report);
  }
  check_against_oracle(which, dtype, wide_type(dtype), 4097, 0.3f, 0, report);
}

TEST_P(SoftmaxOfType, OraclePrecise) {
  const auto [which, dtype] = GetParam();
  ErrorReport report(std::string(name_of(which)) + "precise " + name_of(dtype), unit_of_result(dtype, dtype));
  for (const int64_t cols : kFewLengths) check_against_oracle(which, dtype, dtype, cols, 1, VMX_PRECISE, report);
  for (const float t : kTemperatures) {
    check_against_oracle(which, dtype, wide_type(dtype), 65, t, VMX_PRECISE, report);
  }
}

TEST_P(SoftmaxOfType, ZeroMasked) {
  const auto [which, dtype] = GetParam();
  ErrorReport report(std::string(name_of(which)) + "zero_masked " + name_of(dtype), unit_of_result(dtype, dtype));
  check_against_oracle(which, dtype, dtype, 65, 1, VMX_ZERO_MASKED, report);
  check_against_oracle(which, dtype, dtype, 65, 0.5f, VMX_ZERO_MASKED | VMX_PRECISE, report);
}

// The same bits in place, and whatever the layouts.
TEST_P(SoftmaxOfType, InPlaceAndStrides) {
  const auto [which, dtype] = GetParam();
  const auto rows = rows_of_all_kinds(300, dtype, 4);
  const auto count = static_cast<int64_t>(rows.size());
  const Layout layouts[] = {Layout{.row_pad = 5, .offset = 3}, Layout{.step = 2}, Layout{.transposed = true},
                            Layout{.reversed_rows = true}, Layout{.reversed_cols = true},
                            Layout{.row_pad = 1, .step = 3, .offset = 1, .transposed = true, .reversed_cols = true}};
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix x(dtype, rows), y(dtype, count, 300);
    ASSERT_EQ(run(which, ctx, x, y, nullptr, nullptr, nullptr), VMX_OK) << last_error();
    for (const Layout& layout : layouts) {
      const Matrix in_place(dtype, rows, layout);
      ASSERT_EQ(run(which, ctx, in_place, in_place, nullptr, nullptr, nullptr), VMX_OK) << last_error();
      EXPECT_EQ(in_place.bytes(), y.bytes());
      EXPECT_TRUE(in_place.surroundings_untouched());
      for (const Layout& other : layouts) {
        const Matrix from(dtype, rows, layout), to(dtype, count, 300, other);
        ASSERT_EQ(run(which, ctx, from, to, nullptr, nullptr, nullptr), VMX_OK) << last_error();
        EXPECT_EQ(to.bytes(), y.bytes());
        EXPECT_EQ(from.bytes(), Matrix(dtype, rows).bytes());
        EXPECT_TRUE(to.surroundings_untouched() && from.surroundings_untouched());
      }
    }
  }
}

// Narrow outputs are the f32 result rounded once, narrow scores are their values in f32.
TEST_P(SoftmaxOfType, RoundedOnce) {
  const auto [which, dtype] = GetParam();
  for (const uint32_t flags : {0u, VMX_PRECISE}) {
    vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
    options.flags = flags;
    const auto rows = rows_of_all_kinds(700, dtype, 21);
    const auto count = static_cast<int64_t>(rows.size());
    VMX_FOR_EACH_ISA(ctx) {
      const Matrix x(dtype, rows), wide(wide_type(dtype), count, 700);
      ASSERT_EQ(run(which, ctx, x, wide, nullptr, nullptr, &options), VMX_OK) << last_error();
      for (const int32_t stored : kFloatTypes) {
        const Matrix y(stored, count, 700);
        ASSERT_EQ(run(which, ctx, x, y, nullptr, nullptr, &options), VMX_OK) << last_error();
        for (int64_t r = 0; r < count; ++r) {
          for (int64_t c = 0; c < 700; ++c) {
            const double once = rounded(static_cast<Real>(wide.get(r, c)), stored);
            ASSERT_TRUE(y.get(r, c) == once || (std::isnan(once) && std::isnan(y.get(r, c))))
                << name_of(stored) << " " << row_kinds()[static_cast<size_t>(r)].name << " " << c << ": " << y.get(r, c)
                << " for " << wide.get(r, c);
          }
        }
      }
      if (size_of(dtype) == 2) {
        const Matrix as_f32(VMX_F32, rows), y(VMX_F32, count, 700);
        ASSERT_EQ(run(which, ctx, as_f32, y, nullptr, nullptr, &options), VMX_OK) << last_error();
        EXPECT_EQ(y.bytes(), wide.bytes());
      }
    }
  }
}

// The probabilities of a row add up to 1 within 8u and what was flushed.
TEST(Softmax, RowsSumToOne) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const int32_t dtype : {VMX_F32, VMX_F64}) {
      for (const int64_t cols : {2, 100, 5000, 50000}) {
        for (const char* kind : {"bell", "wide", "masked", "equal", "rising", "spike"}) {
          const Matrix x(dtype, {make_row(row_kind(kind), cols, dtype, 9)}), y(dtype, 1, cols);
          ASSERT_EQ(vmx_softmax(ctx, nullptr, x, y, nullptr, nullptr, nullptr), VMX_OK) << last_error();
          vmx::reference::Sum sum;
          for (int64_t c = 0; c < cols; ++c) sum.add(static_cast<Real>(y.get(0, c)));
          EXPECT_NEAR(static_cast<double>(sum.value() - 1), 0, static_cast<double>(8 * unit_of(dtype))) << kind << cols;
        }
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------ backward passes

struct BackwardCase {
  Which which;
  int32_t dtype, stored;
};

void check_backward(const BackwardCase& test, int64_t cols, float t, ErrorReport& report) {
  const bool logs = test.which == Which::log_softmax;
  const Real u = unit_of(test.dtype);
  const Bounds bounds{test.dtype, test.stored, false};
  std::vector<std::vector<double>> ys, gs;
  for (const RowKind& kind : row_kinds()) {
    if (kind.special) continue;
    // What a forward pass could have given, rounded to its dtype.
    const auto s = vmx::reference::softmax(make_row(kind, cols, test.dtype, 31));
    std::vector<double> y;
    for (const Real v : logs ? s.log_p : s.p) {
      double stored = rounded(v, test.dtype);
      if (!logs && stored < 0x1p-126) stored = 0;
      y.push_back(stored);
    }
    ys.push_back(y);
    gs.push_back(make_row(row_kind("bell"), cols, test.dtype, ys.size()));
    for (size_t c = 0; c < y.size(); ++c) {  // whatever stands at a masked entry
      if (logs ? y[c] == -kInf : y[c] == 0) gs.back()[c] = c % 3 == 0 ? kInf : c % 3 == 1 ? std::nan("") : 5;
    }
  }
  const Matrix y(test.dtype, ys), grad_y(test.dtype, gs);
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  options.temperature = &t;
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix grad(test.stored, y.rows(), cols);
    ASSERT_EQ((logs ? vmx_log_softmax_backward : vmx_softmax_backward)(ctx, nullptr, y, grad_y, grad, &options), VMX_OK)
        << last_error();
    EXPECT_TRUE(grad.surroundings_untouched());
    for (size_t r = 0; r < ys.size(); ++r) {
      const auto expected = (logs ? vmx::reference::log_softmax_backward : vmx::reference::softmax_backward)(
          ys[r], gs[r], static_cast<double>(t));
      Real magnitude = 0;  // of the terms of the row's sum
      for (size_t c = 0; c < ys[r].size(); ++c) {
        if (logs ? ys[r][c] == -kInf : ys[r][c] == 0) continue;
        const Real g = std::fabs(static_cast<Real>(gs[r][c]));
        magnitude += logs ? g : g * static_cast<Real>(ys[r][c]);
      }
      for (size_t c = 0; c < ys[r].size(); ++c) {
        const bool none = logs ? ys[r][c] == -kInf : ys[r][c] == 0;
        const Real weight = none ? 0 : logs ? std::exp(static_cast<Real>(ys[r][c])) : static_cast<Real>(ys[r][c]);
        const Real g = none ? 0 : std::fabs(static_cast<Real>(gs[r][c]));
        // The terms of the entry; exp of a rounded log-probability of magnitude d costs up to d.
        const Real d = logs && !none ? std::fabs(static_cast<Real>(ys[r][c])) : 0;
        const Real terms = ((logs ? g : weight * g) + weight * magnitude * (1 + d / 8)) / static_cast<Real>(t);
        Real bound = none ? 0 : 8 * u * terms + kSmallest;
        if (!none) bound = bounds.stored_as(expected[c], bound);
        report.check(grad.get(static_cast<int64_t>(r), static_cast<int64_t>(c)), expected[c], bound, bounds.scale(expected[c]) > 0 ? terms : 0, test.stored,
                     std::to_string(cols).c_str(), static_cast<int64_t>(r), static_cast<int64_t>(c));
      }
    }
  }
}

TEST_P(SoftmaxOfType, Backward) {
  const auto [which, dtype] = GetParam();
  for (const int32_t stored : kFloatTypes) {
    ErrorReport report(std::string(name_of(which)) + "backward " + name_of(dtype) + " -> " + name_of(stored),
                       unit_of_result(dtype, stored));
    for (const int64_t cols : kFewLengths) check_backward({which, dtype, stored}, cols, 1, report);
    check_backward({which, dtype, stored}, 100, 0.25f, report);
    check_backward({which, dtype, stored}, 100, 9.0f, report);
  }
}

TEST_P(SoftmaxOfType, BackwardInPlaceAndStrides) {
  const auto [which, dtype] = GetParam();
  const auto backward = which == Which::softmax ? vmx_softmax_backward : vmx_log_softmax_backward;
  constexpr int64_t cols = 5000;
  const std::vector<std::vector<double>> scores = {make_row(row_kind("bell"), cols, dtype, 1),
                                                   make_row(row_kind("masked"), cols, dtype, 2)};
  const std::vector<std::vector<double>> gs = {make_row(row_kind("bell"), cols, dtype, 3),
                                               make_row(row_kind("wide"), cols, dtype, 4)};
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix x(dtype, scores), y(dtype, 2, cols), grad_y(dtype, gs), plain(dtype, 2, cols);
    ASSERT_EQ(run(which, ctx, x, y, nullptr, nullptr, nullptr), VMX_OK) << last_error();
    ASSERT_EQ(backward(ctx, nullptr, y, grad_y, plain, nullptr), VMX_OK) << last_error();
    const Matrix over_y(y), over_g(grad_y);
    ASSERT_EQ(backward(ctx, nullptr, over_y, grad_y, over_y, nullptr), VMX_OK) << last_error();
    EXPECT_EQ(over_y.bytes(), plain.bytes());
    ASSERT_EQ(backward(ctx, nullptr, y, over_g, over_g, nullptr), VMX_OK) << last_error();
    EXPECT_EQ(over_g.bytes(), plain.bytes());
    for (const Layout& layout : {Layout{.row_pad = 3, .offset = 1}, Layout{.transposed = true}, Layout{.step = 2},
                                 Layout{.reversed_rows = true, .reversed_cols = true}}) {
      Matrix strided_y(dtype, 2, cols, layout), strided_g(dtype, gs, layout), strided_out(dtype, 2, cols, layout);
      for (int64_t r = 0; r < 2; ++r) {
        for (int64_t c = 0; c < cols; ++c) std::memcpy(strided_y.at(r, c), y.at(r, c), size_of(dtype));
      }
      ASSERT_EQ(backward(ctx, nullptr, strided_y, strided_g, strided_out, nullptr), VMX_OK) << last_error();
      EXPECT_EQ(strided_out.bytes(), plain.bytes());
      EXPECT_TRUE(strided_out.surroundings_untouched());
      ASSERT_EQ(backward(ctx, nullptr, strided_y, strided_g, strided_y, nullptr), VMX_OK) << last_error();
      EXPECT_EQ(strided_y.bytes(), plain.bytes());
    }
  }
}

// d/dx of sum_c g_c y_c(x) by differences of the forward pass in f64.
TEST(Softmax, FiniteDifferences) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const Which which : {Which::softmax, Which::log_softmax}) {
      for (const float t : {1.0f, 0.5f, 3.0f}) {
        constexpr int64_t cols = 30;
        auto row = make_row(row_kind("bell"), cols, VMX_F64, 6);
        row[11] = -kInf;
        const auto g = make_row(row_kind("bell"), cols, VMX_F64, 7);
        vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
        options.temperature = &t;
        const auto value = [&](const std::vector<double>& at) {
          const Matrix x(VMX_F64, {at}), y(VMX_F64, 1, cols);
          EXPECT_EQ(run(which, ctx, x, y, nullptr, nullptr, &options), VMX_OK) << last_error();
          double sum = 0;
          for (size_t c = 0; c < at.size(); ++c) {
            if (at[c] != -kInf) sum += g[c] * y.get(0, static_cast<int64_t>(c));
          }
          return sum;
        };
        const Matrix x(VMX_F64, {row}), y(VMX_F64, 1, cols), grad_y(VMX_F64, {g}), grad(VMX_F64, 1, cols);
        ASSERT_EQ(run(which, ctx, x, y, nullptr, nullptr, &options), VMX_OK) << last_error();
        const auto backward = which == Which::softmax ? vmx_softmax_backward : vmx_log_softmax_backward;
        ASSERT_EQ(backward(ctx, nullptr, y, grad_y, grad, &options), VMX_OK) << last_error();
        for (size_t c = 0; c < row.size(); ++c) {
          constexpr double h = 0x1p-17;
          auto up = row, down = row;
          up[c] += h;
          down[c] -= h;
          EXPECT_NEAR(grad.get(0, static_cast<int64_t>(c)), (value(up) - value(down)) / (2 * h), 1e-8) << c;
        }
      }
    }
  }
}

// Results that stream past the caches, and rows cut over threads, hold the same bits as small ones.
TEST(Softmax, LargeOutputs) {
  constexpr int64_t cols = 300000, rows = VMX_TEST_SANITIZED ? 2 : 30;
  const auto row = make_row(row_kind("bell"), cols, VMX_F32, 2);
  const Matrix one(VMX_F32, {row});
  vmx_matrix many = one.view();  // one row of scores for 36 MB of outputs
  many.rows = rows;
  many.row_stride = 0;
  Context ctx(VMX_ISA_BEST, 2);
  for (const Which which : {Which::softmax, Which::log_softmax}) {
    const Matrix small(VMX_F32, 1, cols);
    ASSERT_EQ(run(which, nullptr, one, small, nullptr, nullptr, nullptr), VMX_OK) << last_error();
    std::vector<float> large(static_cast<size_t>(rows * cols + 1));
    for (const size_t offset : {0, 1}) {  // elements from any alignment of streaming stores
      const vmx_matrix y = {large.data() + offset, rows, cols, cols, 1, VMX_F32, 0};
      ASSERT_EQ(run(which, ctx, &many, &y, nullptr, nullptr, nullptr), VMX_OK) << last_error();
      for (int64_t r = 0; r < rows; ++r) {
        ASSERT_EQ(std::memcmp(large.data() + offset + r * cols, small.at(0, 0), cols * sizeof(float)), 0) << r;
      }
    }
  }
}

}  // namespace
