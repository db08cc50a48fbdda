// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// vmx_cross_entropy and its backward pass against the vectors and the oracle.
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
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace vmx::test;
using vmx::reference::CrossEntropyOptions;
using vmx::reference::kIgnored;
using vmx::reference::Real;
using vmx::reference::Target;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kIgnoreIndex = -100;

struct Problem {
  int32_t dtype = VMX_F32, stored = VMX_F32;  // of the scores, of the gradient
  std::vector<std::vector<double>> rows;
  std::vector<std::string> names;
  std::vector<std::vector<Target>> targets;  // of each row; exactly one each unless csr
  bool csr = false;
  int32_t id_type = VMX_I64, base = 0, weight_type = VMX_F32;
  CrossEntropyOptions options;
  int32_t reduction = VMX_REDUCE_SUM;
  double grad_scale = 1;
};

// The views of a problem. Keeps what they point to.
class Call {
 public:
  explicit Call(const Problem& problem) : temperature_(static_cast<float>(problem.options.temperature)) {
    std::vector<int64_t> ids, starts = {0};
    std::vector<double> weights;
    for (const auto& list : problem.targets) {
      for (const Target& t : list) {
        ids.push_back(t.id == kIgnored ? kIgnoreIndex : t.id);
        weights.push_back(t.weight);
      }
      starts.push_back(static_cast<int64_t>(ids.size()));
    }
    ids_ = Ids(problem.id_type, ids, problem.base);
    starts_ = Ids(problem.id_type == VMX_I64 ? VMX_I32 : VMX_I64, starts, problem.base);
    weights_ = std::make_unique<Vector>(problem.weight_type, weights, 2);
    targets = one_label(ids_);
    if (problem.csr) {
      targets.indptr = starts_.view();
      targets.weights = weights_->view();
    }
    const CrossEntropyOptions& o = problem.options;
    options.flags = o.smooth_unmasked ? VMX_SMOOTH_UNMASKED : 0;
    options.reduction = problem.reduction;
    options.ignore_index = kIgnoreIndex;
    options.label_smoothing = o.label_smoothing;
    options.softcap = o.softcap;
    options.z_loss = o.z_loss;
    options.temperature = &temperature_;
    if (!o.class_weight.empty()) {
      options.class_weight = {const_cast<float*>(o.class_weight.data()), static_cast<int64_t>(o.class_weight.size()), 1,
                              VMX_F32, 0};
    }
  }

  vmx_csr targets{};
  vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;

 private:
  float temperature_;
  Ids ids_, starts_;
  std::unique_ptr<Vector> weights_;
};

struct Answers {
  Answers(const Problem& p)
      : count(static_cast<int64_t>(p.rows.size())),
        loss(wide_type(p.dtype), count),
        z_loss(wide_type(p.dtype), count, 2),
        lse(wide_type(p.dtype), count, -1),
        flags(p.rows.size(), 0xffffffffu),
        grad(p.stored, count, static_cast<int64_t>(p.rows[0].size())) {}
  vmx_cross_entropy_out views(double grad_scale) {
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.loss = loss.view();
    out.z_loss = z_loss.view();
    out.lse = lse.view();
    out.total = &total;
    out.total_z_loss = &total_z_loss;
    out.total_weight = &total_weight;
    out.row_flags = flags.data();
    out.grad = grad.view();
    out.grad_scale = grad_scale;
    return out;
  }
  bool surroundings_untouched() const {
    return loss.surroundings_untouched() && z_loss.surroundings_untouched() && lse.surroundings_untouched() &&
           grad.surroundings_untouched();
  }
  int64_t count;
  Vector loss, z_loss, lse;
  double total = -7, total_z_loss = -7, total_weight = -7;
  std::vector<uint32_t> flags;
  Matrix grad;
};

struct Reports {
  Reports(const std::string& name, int32_t dtype, int32_t stored)
      : loss("loss " + name, unit_of(dtype)),
        z_loss("lse of " + name, unit_of(dtype)),
        total("totals " + name, unit_of(dtype)),
        grad("gradient " + name, unit_of_result(dtype, stored)) {}
  ErrorReport loss, z_loss, total, grad;  // z_loss: and lse
};

Real lse_bound(Real lse, Real u) { return std::isfinite(lse) ? u * std::fmax(1, std::fabs(lse)) + 16 * u : 0; }
// Results below may be +0.
Real smallest(int32_t dtype) { return dtype == VMX_F64 ? 0x1p-1000L : 0x1p-126L; }
// A capped score is itself rounded: once into f32, or in the steps of an f64 tanh.
Real of_softcap(const CrossEntropyOptions& o, int32_t dtype) {
  if (o.softcap == 0) return 0;
  const Real steps = dtype == VMX_F64 ? 3 : 1;
  return steps * unit_of(dtype) * static_cast<Real>(o.softcap) / static_cast<Real>(o.temperature);
}

// What the gradient's bound allows at an entry: (8 + d) u of its terms, and what the error of lse does to the z-loss.
Real gradient_bound(const vmx::reference::CrossEntropy& e, const CrossEntropyOptions& o, size_t c, int32_t dtype) {
  const Real u = unit_of(dtype);
  const bool is_max = static_cast<int64_t>(c) == e.first_max;
  Real d = std::fmax(e.score_distance[c], is_max && std::isfinite(e.next_distance) ? e.next_distance : 0);
  if (!std::isfinite(d)) d = 0;
  const Real z_loss = 2 * static_cast<Real>(o.z_loss) * std::exp(-e.score_distance[c]) * lse_bound(e.lse, u);
  return ((8 + d) * u + 2 * of_softcap(o, dtype)) * e.grad_terms[c] + (std::isfinite(o.temperature) ? z_loss / static_cast<Real>(o.temperature) : 0);
}
Real finite_or_zero(Real value) { return std::isfinite(value) ? value : 0; }

void check_against_oracle(const Problem& p, const std::string& name, Reports& reports) {
  const Real u = unit_of(p.dtype);
  const int32_t wide = wide_type(p.dtype);
  std::vector<vmx::reference::CrossEntropy> expected;
  vmx::reference::Sum total, total_z, weight;
  for (size_t r = 0; r < p.rows.size(); ++r) {
    expected.push_back(vmx::reference::cross_entropy(p.rows[r], p.targets[r], p.options));
    total.add(expected[r].loss + expected[r].z_loss);
    total_z.add(expected[r].z_loss);
    weight.add(expected[r].weight);
  }
  const Real divisor = p.reduction == VMX_REDUCE_MEAN ? weight.value() : 1;
  const Matrix x(p.dtype, p.rows);
  const Call call(p);
  VMX_FOR_EACH_ISA(ctx) {
    Answers got(p);
    const vmx_cross_entropy_out out = got.views(p.grad_scale);
    ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
    EXPECT_TRUE(got.surroundings_untouched());
    Real total_bound = 0, total_z_bound = 0;
    for (int64_t r = 0; r < got.count; ++r) {
      const auto& e = expected[static_cast<size_t>(r)];
      const std::string what = name + " " + p.names[static_cast<size_t>(r)];
      EXPECT_EQ(got.flags[static_cast<size_t>(r)], e.flags) << what;
      const Real cap = of_softcap(p.options, p.dtype);
      const Real of_lse = lse_bound(e.lse, u) + cap;
      reports.z_loss.check(got.lse.get(r), e.lse, of_lse, finite_or_zero(std::fmax(1, std::fabs(e.lse))), wide,
                           (what + " lse").c_str(), r, 0);
      const Real loss_bound = finite_or_zero(16 * u * e.loss + u * e.distance + 2 * cap * std::fmin(e.loss, 1)) + smallest(p.dtype);
      reports.loss.check(got.loss.get(r), e.loss, std::isnan(e.loss) ? 0 : loss_bound,
                         e.loss > 2 * smallest(p.dtype) ? finite_or_zero(e.loss) : 0, wide, what.c_str(), r, 0);
      const auto zeta = static_cast<Real>(p.options.z_loss);
      const Real z_bound =
          finite_or_zero(zeta * of_lse * (2 * std::fabs(e.lse) + of_lse) + u * e.z_loss) + smallest(p.dtype);
      reports.z_loss.check(got.z_loss.get(r), e.z_loss, std::isnan(e.z_loss) ? 0 : z_bound, 0, wide, what.c_str(), r, 0);
      total_bound += loss_bound + z_bound;
      total_z_bound += z_bound;
      for (int64_t c = 0; c < got.grad.cols(); ++c) {
        const auto i = static_cast<size_t>(c);
        const Real scale = static_cast<Real>(p.grad_scale) / divisor;
        const Real g = e.ignored ? 0 : e.grad[i] * scale;
        const Real terms = e.ignored ? 0 : e.grad_terms[i] * std::fabs(scale);
        Real bound = 0;
        if (!std::isnan(g) && e.grad_terms[i] > 0) {
          bound = gradient_bound(e, p.options, i, p.dtype) * std::fabs(scale) + smallest(p.dtype);
          if (p.stored != wide && p.stored != VMX_F64) bound += half_ulp(std::fabs(g) + bound, p.stored);
        }
        const Real normal = p.stored == VMX_F16 ? 0x1p-14L : 0x1p-120L;
        reports.grad.check(got.grad.get(r, c), g, bound, std::fabs(g) > normal ? terms : 0, p.stored, what.c_str(), r, c);
      }
    }
    reports.total.check(got.total, total.value() / divisor, finite_or_zero(total_bound / divisor),
                        finite_or_zero(total.value() / divisor), VMX_F64, (name + " total").c_str(), 0, 0);
    reports.total.check(got.total_z_loss, total_z.value() / divisor, finite_or_zero(total_z_bound / divisor),
                        finite_or_zero(total_z.value() / divisor), VMX_F64, (name + " total_z_loss").c_str(), 0, 0);
    reports.total.check(got.total_weight, weight.value(), 0x1p-50L * weight.value(), weight.value(), VMX_F64,
                        (name + " total_weight").c_str(), 0, 0);
  }
}

// One row of each kind (special ones if asked for), one label each: random, or the largest score, or another one.
Problem one_label_problem(int32_t dtype, int32_t stored, int64_t cols, bool with_special, uint64_t seed) {
  Problem p;
  p.dtype = dtype;
  p.stored = stored;
  Random random(seed);
  for (const RowKind& kind : row_kinds()) {
    if (kind.special && !with_special) continue;
    // Sums of the differences of such scores lie outside f64.
    if (dtype == VMX_F64 && (std::string(kind.name) == "largest" || std::string(kind.name) == "large")) continue;
    const auto row = make_row(kind, cols, dtype, seed);
    const auto best = std::max_element(row.begin(), row.end()) - row.begin();
    for (const int64_t label : {random.below(cols), static_cast<int64_t>(best)}) {
      if (!with_special && row[static_cast<size_t>(label)] == -kInf) continue;
      p.rows.push_back(row);
      p.names.push_back(kind.name);
      p.targets.push_back({{label, 1.0}});
    }
  }
  if (p.rows.size() > 4) p.targets[4] = {{kIgnored, 1.0}};
  return p;
}

Problem list_problem(int32_t dtype, int32_t stored, int64_t cols, uint64_t seed) {
  Problem p = one_label_problem(dtype, stored, cols, false, seed);
  p.csr = true;
  Random random(seed + 1);
  for (size_t r = 0; r < p.rows.size(); ++r) {
    p.targets[r].clear();
    for (int64_t n = random.below(6); n > 0; --n) {
      int64_t id = random.below(cols);
      if (p.rows[r][static_cast<size_t>(id)] == -kInf) id = kIgnored;
      if (random.one_in(7)) id = kIgnored;
      p.targets[r].push_back({id, static_cast<double>(random.below(64)) / 16});
      if (random.one_in(3)) p.targets[r].push_back(p.targets[r].back());  // a target may repeat
    }
  }
  return p;
}

struct NamedOptions {
  const char* name;
  CrossEntropyOptions options;
};
std::vector<NamedOptions> option_sets(int64_t cols) {
  Random random(99);
  std::vector<float> weights;
  for (int64_t c = 0; c < cols; ++c) weights.push_back(static_cast<float>(random.below(512)) / 128);
  return {{"plain", {}},
          {"smoothing", {.label_smoothing = 0.1}},
          {"smoothing alone", {.label_smoothing = 1.0}},
          {"weights", {.class_weight = weights}},
          {"weights and smoothing", {.label_smoothing = 0.25, .class_weight = weights}},
          {"z-loss", {.z_loss = 1e-4}},
          {"T = 1/2", {.temperature = 0.5}},
          {"T = 3, z-loss", {.temperature = 3, .z_loss = 0.5}},
          {"T = inf", {.temperature = kInf, .label_smoothing = 0.1}}};
}
std::vector<NamedOptions> capped_option_sets(int64_t cols) {
  return {{"soft-cap 30", {.softcap = 30}},
          {"soft-cap 5", {.temperature = 2, .label_smoothing = 0.1, .softcap = 5, .z_loss = 1e-3,
                          .class_weight = std::vector<float>(static_cast<size_t>(cols), 0.75f)}}};
}

// Smoothing turns the loss of a row with masks into +inf: those rows apart.
bool survives(const CrossEntropyOptions& o, const std::vector<double>& row) {
  return o.label_smoothing == 0 || std::find(row.begin(), row.end(), -kInf) == row.end();
}
Problem without_masked_rows(const Problem& p) {
  Problem kept = p;
  kept.rows.clear();
  kept.names.clear();
  kept.targets.clear();
  for (size_t r = 0; r < p.rows.size(); ++r) {
    if (!survives(p.options, p.rows[r])) continue;
    kept.rows.push_back(p.rows[r]);
    kept.names.push_back(p.names[r]);
    kept.targets.push_back(p.targets[r]);
  }
  return kept;
}

TEST(CrossEntropy, Vectors) {
  ErrorReport loss_report("loss f32, vectors", 0x1p-24L), grad_report("gradient f32, vectors", 0x1p-24L);
  for (const auto& test : load_vectors("smooth.json", "cross_entropy")) {
    Problem p;
    p.rows = {floats_in(test.in["z"])};
    p.names = {test.id};
    p.targets = {{{test.in["label"].get<int64_t>(), 1.0}}};
    const auto scalar = [&](const char* key, double* value) {
      if (test.in.contains(key)) *value = static_cast<double>(float_in(test.in[key]));
    };
    scalar("label_smoothing", &p.options.label_smoothing);
    scalar("softcap", &p.options.softcap);
    scalar("z_loss", &p.options.z_loss);
    if (test.in.contains("class_weight")) {
      for (const double w : floats_in(test.in["class_weight"])) p.options.class_weight.push_back(static_cast<float>(w));
    }
    const auto terms = vmx::reference::cross_entropy(p.rows[0], p.targets[0], p.options);
    const Matrix x(VMX_F32, p.rows);
    const Call call(p);
    const Real loss = real_out(test.out["loss"]);
    const auto grad = reals_out(test.out["grad"]);
    VMX_FOR_EACH_ISA(ctx) {
      Answers got(p);
      const vmx_cross_entropy_out out = got.views(1);
      ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
      constexpr Real u = 0x1p-24L;
      const Real z_part = static_cast<Real>(p.options.z_loss) * 2 * std::fabs(terms.lse) * lse_bound(terms.lse, u);
      loss_report.check(got.total, loss, finite_or_zero(16 * u * terms.loss + u * terms.distance + z_part) + 0x1p-126L,
                        finite_or_zero(loss), VMX_F64, test.id.c_str(), 0, 0);
      for (size_t c = 0; c < grad.size(); ++c) {
        grad_report.check(got.grad.get(0, static_cast<int64_t>(c)), grad[c],
                          gradient_bound(terms, p.options, c, VMX_F32) + 0x1p-126L,
                          std::fabs(grad[c]) > 0x1p-120L ? terms.grad_terms[c] : 0, VMX_F32, test.id.c_str(), 0,
                          static_cast<int64_t>(c));
      }
    }
  }
}

class CrossEntropyOfType : public testing::TestWithParam<int32_t> {};
INSTANTIATE_TEST_SUITE_P(Types, CrossEntropyOfType, testing::ValuesIn(kFloatTypes),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(CrossEntropyOfType, OneLabel) {
  const int32_t dtype = GetParam();
  for (const int32_t stored : kFloatTypes) {
    Reports reports(std::string(name_of(dtype)) + " -> " + name_of(stored), dtype, stored);
    for (const int64_t cols : {1, 65, 257, 4097}) {
      if (cols == 4097 && stored != dtype) continue;
      for (const NamedOptions& set : option_sets(cols)) {
        Problem p = one_label_problem(dtype, stored, cols, false, static_cast<uint64_t>(cols));
        p.options = set.options;
        p.base = cols == 65 ? 1 : 0;
        p.id_type = cols == 257 ? VMX_I32 : VMX_I64;
        check_against_oracle(without_masked_rows(p), set.name, reports);
      }
    }
  }
}

TEST_P(CrossEntropyOfType, Lists) {
  const int32_t dtype = GetParam();
  Reports reports(std::string(name_of(dtype)) + ", lists", dtype, dtype);
  for (const int64_t cols : {3, 65, 5000}) {
    for (const NamedOptions& set : option_sets(cols)) {
      Problem p = list_problem(dtype, dtype, cols, static_cast<uint64_t>(cols) + 3);
      p.options = set.options;
      p.base = cols == 65 ? 1 : 0;
      p.weight_type = cols == 65 ? VMX_F64 : VMX_F32;
      p.reduction = cols == 3 ? VMX_REDUCE_MEAN : VMX_REDUCE_NONE;
      p.grad_scale = cols == 3 ? -2 : 1;
      check_against_oracle(without_masked_rows(p), set.name, reports);
    }
  }
}

TEST_P(CrossEntropyOfType, SoftCap) {
  const int32_t dtype = GetParam();
  Reports reports(std::string(name_of(dtype)) + ", soft-cap", dtype, dtype);
  for (const int64_t cols : {1, 65, 5000}) {
    for (const NamedOptions& set : capped_option_sets(cols)) {
      Problem p = one_label_problem(dtype, dtype, cols, false, static_cast<uint64_t>(cols));
      p.options = set.options;
      check_against_oracle(without_masked_rows(p), set.name, reports);
    }
  }
}

// NaN, +inf, nothing allowed, masked labels, masks under smoothing.
TEST_P(CrossEntropyOfType, SpecialRows) {
  const int32_t dtype = GetParam();
  Reports reports(std::string(name_of(dtype)) + ", special rows", dtype, dtype);
  for (const int64_t cols : {1, 65, 4500}) {
    for (const NamedOptions& set : option_sets(cols)) {
      Problem p = one_label_problem(dtype, dtype, cols, true, static_cast<uint64_t>(cols));
      p.options = set.options;
      p.reduction = VMX_REDUCE_NONE;
      check_against_oracle(p, set.name, reports);
      p.options.smooth_unmasked = true;
      check_against_oracle(p, set.name, reports);
    }
  }
}

TEST_P(CrossEntropyOfType, Mean) {
  const int32_t dtype = GetParam();
  Reports reports(std::string(name_of(dtype)) + ", mean", dtype, dtype);
  Problem p = one_label_problem(dtype, dtype, 300, false, 5);
  p.reduction = VMX_REDUCE_MEAN;
  p.options.z_loss = 1e-3;
  for (int c = 0; c < 300; ++c) p.options.class_weight.push_back(static_cast<float>(c % 17) / 8);
  check_against_oracle(p, "mean", reports);
}

// A log-sum-exp beyond all numbers: no gradient of its square is a number, at masks as little as elsewhere.
TEST(CrossEntropy, ZLossThatOverflows) {
  const float temperature = 1e-20f;
  const int64_t label = 2;
  for (const double smoothing : {0.0, 0.1}) {
    const Matrix x(VMX_F64, {{1e300, -kInf, 1e299, -1e300}}), grad(VMX_F64, 1, 4);
    const Vector z_loss(VMX_F64, 1);
    vmx_csr targets{};
    targets.ids = {&label, 1, 1, VMX_I64, 0};
    vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
    options.flags = VMX_SMOOTH_UNMASKED;
    options.label_smoothing = smoothing;
    options.z_loss = 0.5;
    options.temperature = &temperature;
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.z_loss = z_loss.view();
    out.grad = grad.view();
    VMX_FOR_EACH_ISA(ctx) {
      ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &targets, &out, &options), VMX_OK) << last_error();
      EXPECT_EQ(z_loss.get(0), kInf);
      for (int64_t c = 0; c < 4; ++c) EXPECT_TRUE(std::isnan(grad.get(0, c)) && !std::signbit(grad.get(0, c))) << c;
    }
  }
}

// Losses that are next to nothing keep their digits, and so do the gradients at their labels.
TEST(CrossEntropy, SmallLosses) {
  Reports reports("f32, small losses", VMX_F32, VMX_F32), wide_reports("f64, small losses", VMX_F64, VMX_F64);
  for (const int32_t dtype : {VMX_F32, VMX_F64}) {
    Problem p;
    p.dtype = p.stored = dtype;
    for (const double lead : {5.0, 15.0, 17.0, 30.0, 60.0, 75.0}) {
      auto row = make_row(row_kind("narrow"), 1000, dtype, 3);
      row[500] = lead;
      p.rows.push_back(row);
      p.names.push_back("lead " + std::to_string(lead));
      p.targets.push_back({{500, 1.0}});
    }
    check_against_oracle(p, "lead", dtype == VMX_F32 ? reports : wide_reports);
  }
}

TEST(CrossEntropy, AllIgnored) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const bool csr : {false, true}) {
      Problem p = one_label_problem(VMX_F32, VMX_F32, 50, true, 2);
      p.csr = csr;
      for (auto& list : p.targets) list = {{kIgnored, 1.0}};
      if (csr) p.targets[0].clear();
      p.reduction = VMX_REDUCE_MEAN;
      p.options.z_loss = 0.1;
      const Matrix x(VMX_F32, p.rows);
      const Call call(p);
      Answers got(p);
      const vmx_cross_entropy_out out = got.views(1);
      ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
      EXPECT_TRUE(std::isnan(got.total));
      EXPECT_EQ(got.total_weight, 0);
      for (int64_t r = 0; r < got.count; ++r) {
        EXPECT_EQ(got.loss.get(r), 0);
        EXPECT_EQ(got.z_loss.get(r), 0);
        for (int64_t c = 0; c < 50; ++c) EXPECT_EQ(got.grad.get(r, c), 0);
      }
    }
  }
}

// Only what is asked for is written; the same bits however it is asked for.
TEST_P(CrossEntropyOfType, PartsAndPlaces) {
  const int32_t dtype = GetParam();
  Problem p = list_problem(dtype, dtype, 5000, 7);
  p.options.label_smoothing = 0.1;
  p.options.z_loss = 1e-3;
  p = without_masked_rows(p);
  const auto count = static_cast<int64_t>(p.rows.size());
  const Call call(p);
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix x(dtype, p.rows);
    Answers all(p);
    const vmx_cross_entropy_out out = all.views(1);
    ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();

    vmx_cross_entropy_out nothing = VMX_CROSS_ENTROPY_OUT_INIT;
    ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &nothing, &call.options), VMX_OK) << last_error();
    Answers forward(p);
    vmx_cross_entropy_out losses = VMX_CROSS_ENTROPY_OUT_INIT;
    losses.loss = forward.loss.view();
    losses.total = &forward.total;
    ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &losses, &call.options), VMX_OK) << last_error();
    EXPECT_EQ(forward.loss.bytes(), all.loss.bytes());
    EXPECT_EQ(forward.total, all.total);

    for (const Layout& layout : {Layout{}, Layout{.row_pad = 3, .offset = 1}, Layout{.transposed = true},
                                 Layout{.step = 2, .reversed_cols = true}}) {
      const Matrix in_place(dtype, p.rows, layout);
      vmx_cross_entropy_out over = VMX_CROSS_ENTROPY_OUT_INIT;
      over.grad = in_place.view();
      ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, in_place, &call.targets, &over, &call.options), VMX_OK) << last_error();
      EXPECT_EQ(in_place.bytes(), all.grad.bytes());
      EXPECT_TRUE(in_place.surroundings_untouched());
    }

    // The backward pass alone, with ones from above.
    const Vector ones(VMX_F32, std::vector<double>{1.0}, 0);
    vmx_vector grad_loss = ones.view();
    grad_loss.n = count;
    const Matrix grad(dtype, count, 5000), given(dtype, count, 5000);
    ASSERT_EQ(vmx_cross_entropy_backward(ctx, nullptr, x, &call.targets, nullptr, &grad_loss, grad, &call.options), VMX_OK)
        << last_error();
    EXPECT_EQ(grad.bytes(), all.grad.bytes());
  }
}

// With the forward pass's lse, and another factor for each row. The error of lse enters, at most doubled where the label is
// taken out of it again.
TEST_P(CrossEntropyOfType, BackwardWithGivenLse) {
  const int32_t dtype = GetParam();
  const Real u = unit_of(dtype);
  ErrorReport report(std::string("cross_entropy_backward, lse given ") + name_of(dtype), unit_of_result(dtype, dtype));
  for (const bool csr : {false, true}) {
    for (const NamedOptions& set : option_sets(700)) {
      Problem p = csr ? list_problem(dtype, dtype, 700, 1) : one_label_problem(dtype, dtype, 700, false, 1);
      p.options = set.options;
      p = without_masked_rows(p);
      const auto count = static_cast<int64_t>(p.rows.size());
      const Matrix x(dtype, p.rows);
      const Call call(p);
      Vector grad_loss(VMX_F64, count, -2);
      for (int64_t r = 0; r < count; ++r) grad_loss.set(r, static_cast<Real>(r % 5) - 1.5L);
      VMX_FOR_EACH_ISA(ctx) {
        Answers forward(p);
        vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
        out.lse = forward.lse.view();
        ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
        ASSERT_EQ(vmx_cross_entropy_backward(ctx, nullptr, x, &call.targets, forward.lse, grad_loss, forward.grad,
                                             &call.options),
                  VMX_OK)
            << last_error();
        EXPECT_TRUE(forward.grad.surroundings_untouched());
        for (int64_t r = 0; r < count; ++r) {
          const auto i = static_cast<size_t>(r);
          const auto e = vmx::reference::cross_entropy(p.rows[i], p.targets[i], p.options);
          const auto factor = static_cast<Real>(grad_loss.get(r));
          for (int64_t c = 0; c < 700; ++c) {
            const auto k = static_cast<size_t>(c);
            const Real g = e.ignored ? 0 : e.grad[k] * factor, terms = e.ignored ? 0 : e.grad_terms[k] * std::fabs(factor);
            const Real own = gradient_bound(e, p.options, k, dtype) * std::fabs(factor);
            Real bound = terms > 0 ? own + 2 * (std::fmax(1, std::fabs(e.lse)) + 16) * u * terms + smallest(dtype) : 0;
            if (size_of(dtype) == 2 && bound > 0) bound += half_ulp(std::fabs(g) + bound, dtype);
            const Real normal = dtype == VMX_F16 ? 0x1p-14L : 0x1p-120L;
            report.check(forward.grad.get(r, c), g, bound, std::fabs(g) > normal ? terms : 0, dtype,
                         (std::string(set.name) + " " + p.names[i]).c_str(), r, c);
          }
        }
      }
    }
  }
}

// The gradient of value_at(rows) against central differences.
template <class ValueAt>
void expect_slopes(const std::vector<std::vector<double>>& rows, const Matrix& grad, double bound, const ValueAt& value_at) {
  constexpr double h = 0x1p-17;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t c = 0; c < rows[r].size(); ++c) {
      auto up = rows, down = rows;
      up[r][c] += h;
      down[r][c] -= h;
      const double slope = (value_at(up) - value_at(down)) / (2 * h);
      EXPECT_NEAR(grad.get(static_cast<int64_t>(r), static_cast<int64_t>(c)), slope, bound) << r << ", " << c;
    }
  }
}

TEST(CrossEntropy, FiniteDifferences) {
  constexpr int64_t cols = 24;
  for (const bool csr : {false, true}) {
    auto sets = option_sets(cols);
    const auto capped = capped_option_sets(cols);
    sets.insert(sets.end(), capped.begin(), capped.end());
    for (const NamedOptions& set : sets) {
      SCOPED_TRACE(set.name);
      for (const int32_t reduction : {VMX_REDUCE_SUM, VMX_REDUCE_MEAN}) {
        Problem p;
        p.dtype = p.stored = VMX_F64;
        p.csr = csr;
        for (uint64_t r = 0; r < 3; ++r) {
          p.rows.push_back(make_row(row_kind("bell"), cols, VMX_F64, r));
          p.names.push_back("bell");
          p.targets.push_back({{static_cast<int64_t>(3 + r), csr ? 0.5 : 1.0}});
          if (csr) p.targets.back().push_back({9, 2.0});
        }
        p.options = set.options;
        p.options.smooth_unmasked = true;
        p.rows[1][20] = -kInf;
        p.reduction = reduction;
        const Call call(p);
        VMX_FOR_EACH_ISA(ctx) {
          const auto total_at = [&](const std::vector<std::vector<double>>& rows) {
            double total = 0;
            vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
            out.total = &total;
            const Matrix x(VMX_F64, rows);
            EXPECT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
            return total;
          };
          Answers got(p);
          const vmx_cross_entropy_out out = got.views(1);
          const Matrix x(VMX_F64, p.rows);
          ASSERT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
          expect_slopes(p.rows, got.grad, 2e-8, total_at);
        }
      }
    }
  }
}

// The backward pass alone, with another factor for each row: of the sum of factor * (loss + z_loss).
TEST(CrossEntropy, FiniteDifferencesOfBackward) {
  constexpr int64_t cols = 24, rows = 4;
  const double factors[rows] = {1.5, -0.25, 0, 3};
  auto sets = option_sets(cols);
  const auto capped = capped_option_sets(cols);
  sets.insert(sets.end(), capped.begin(), capped.end());
  for (const bool csr : {false, true}) {
    for (const NamedOptions& set : sets) {
      SCOPED_TRACE(set.name);
      Problem p;
      p.dtype = p.stored = VMX_F64;
      p.csr = csr;
      for (uint64_t r = 0; r < rows; ++r) {
        p.rows.push_back(make_row(row_kind("bell"), cols, VMX_F64, r + 60));
        p.names.push_back("bell");
        p.targets.push_back({{static_cast<int64_t>(3 + r), csr ? 0.5 : 1.0}});
        if (csr && r > 0) p.targets.back().push_back({9, 2.0});
      }
      p.options = set.options;
      p.options.smooth_unmasked = true;
      p.rows[1][20] = -kInf;
      const Call call(p);
      const Vector grad_loss(VMX_F64, std::vector<double>(factors, factors + rows), -1);
      VMX_FOR_EACH_ISA(ctx) {
        const auto value_at = [&](const std::vector<std::vector<double>>& x_rows) {
          const Vector loss(VMX_F64, rows), z_loss(VMX_F64, rows);
          vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
          out.loss = loss.view();
          out.z_loss = z_loss.view();
          const Matrix x(VMX_F64, x_rows);
          EXPECT_EQ(vmx_cross_entropy(ctx, nullptr, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
          double value = 0;
          for (int64_t r = 0; r < rows; ++r) value += factors[r] * (loss.get(r) + z_loss.get(r));
          return value;
        };
        const Matrix x(VMX_F64, p.rows), grad(VMX_F64, rows, cols);
        ASSERT_EQ(vmx_cross_entropy_backward(ctx, nullptr, x, &call.targets, nullptr, grad_loss, grad, &call.options),
                  VMX_OK)
            << last_error();
        expect_slopes(p.rows, grad, 6e-8, value_at);
      }
    }
  }
}

// Nothing is allocated once the workspace has the size that the query tells.
TEST(CrossEntropy, WorkspaceSize) {
  for (const bool grad : {false, true}) {
    Problem p = one_label_problem(VMX_F32, VMX_F32, 200000, false, 1);
    p.rows.resize(2);
    p.targets.resize(2);
    const Matrix x(VMX_F32, p.rows);
    const Call call(p);
    const Context ctx(VMX_ISA_BEST, 3);
    const Workspace ws(ctx);
    Answers got(p);
    vmx_cross_entropy_out out = got.views(1);
    if (!grad) out.grad = vmx_matrix{};
    size_t size = 0;
    ASSERT_EQ(vmx_cross_entropy_workspace_size(ctx, x, grad ? &out.grad : nullptr, &call.options, &size), VMX_OK)
        << last_error();
    ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK);
    const size_t before = vmx_workspace_capacity(ws);
    ASSERT_EQ(vmx_cross_entropy(ctx, ws, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
    EXPECT_EQ(vmx_workspace_capacity(ws), before);
  }
}

// Lists take what the header says on top of that.
TEST(CrossEntropy, WorkspaceSizeWithLists) {
  constexpr int64_t cols = 3000, per_row = 1001;
  for (const bool backward : {false, true}) {
    Problem p;
    p.csr = true;
    Random random(4);
    for (uint64_t r = 0; r < 3; ++r) {
      p.rows.push_back(make_row(row_kind("bell"), cols, VMX_F32, r));
      p.names.push_back("bell");
      p.targets.emplace_back();
      for (int64_t i = 0; i < per_row; ++i) p.targets.back().push_back({random.below(cols), 1.0});
    }
    const Matrix x(VMX_F32, p.rows);
    const Call call(p);
    const Workspace ws;
    Answers got(p);
    const vmx_cross_entropy_out out = got.views(1);
    const Vector ones(VMX_F32, std::vector<double>(3, 1.0));
    size_t size = 0;
    ASSERT_EQ(vmx_cross_entropy_workspace_size(nullptr, x, &out.grad, &call.options, &size), VMX_OK) << last_error();
    ASSERT_EQ(vmx_workspace_reserve(ws, size + 24 * static_cast<size_t>(3 * per_row) + 64), VMX_OK);
    const size_t before = vmx_workspace_capacity(ws);
    if (backward) {
      ASSERT_EQ(vmx_cross_entropy_backward(nullptr, ws, x, &call.targets, nullptr, ones, got.grad, &call.options), VMX_OK)
          << last_error();
    } else {
      ASSERT_EQ(vmx_cross_entropy(nullptr, ws, x, &call.targets, &out, &call.options), VMX_OK) << last_error();
    }
    EXPECT_EQ(vmx_workspace_capacity(ws), before);
  }
}

}  // namespace
