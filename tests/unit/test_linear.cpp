// SPDX-License-Identifier: Apache-2.0
// Linear scores against an oracle in long double: log-sum-exp and cross-entropy with gradients, in all layouts; the promise of
// equal bits; no threads of oneDNN's; workspaces and memory limits.
// ctest-labels: sanitize threads
// ctest-processors: 2
#include "reference/softmax_oracle.hpp"
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

namespace vmx::test {
namespace {

using reference::Real;

constexpr Real kU = 0x1p-24L;
constexpr bool kWithOneDnn = VMX_WITH_ONEDNN;

#define VMX_NEEDS_ONEDNN()                                   \
  if (!kWithOneDnn) {                                        \
    EXPECT_STREQ(vmx_onednn_version(), "");                  \
    return;                                                  \
  }

struct Sizes {
  int64_t rows, classes, dim;
};

// Hidden rows and weights of few bits: their products are exact in f32, so the oracle sees the scores that the library
// makes, and its bounds apply.
struct Problem {
  Sizes sizes;
  std::vector<std::vector<double>> hidden, weights;
  std::vector<double> bias;  // empty: none

  Problem(Sizes s, uint64_t seed, bool with_bias, double range = 1) : sizes(s) {
    Random random(seed);
    const auto value = [&] { return static_cast<double>(random.below(17) - 8) / 8 * range; };
    hidden.assign(static_cast<size_t>(s.rows), std::vector<double>(static_cast<size_t>(s.dim)));
    weights.assign(static_cast<size_t>(s.classes), std::vector<double>(static_cast<size_t>(s.dim)));
    for (auto& row : hidden) {
      for (double& v : row) v = value();
    }
    for (auto& row : weights) {
      for (double& v : row) v = value();
    }
    if (with_bias) {
      bias.resize(static_cast<size_t>(s.classes));
      for (double& v : bias) v = value() * 4;
    }
  }

  std::vector<double> scores(int64_t row) const {
    std::vector<double> z(weights.size());
    for (size_t c = 0; c < weights.size(); ++c) {
      double sum = bias.empty() ? 0.0 : bias[c];
      for (size_t k = 0; k < weights[c].size(); ++k) sum += hidden[static_cast<size_t>(row)][k] * weights[c][k];
      z[c] = sum;
    }
    return z;
  }
};

struct Packed {
  vmx_packed_weights* weights = nullptr;
  explicit Packed(const vmx_matrix* from, const vmx_context* ctx = nullptr) {
    EXPECT_EQ(vmx_pack_weights(ctx, from, &weights), VMX_OK) << last_error();
  }
  ~Packed() { vmx_packed_weights_destroy(weights); }
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;
};

// How a problem is handed over.
struct Form {
  int32_t dtype = VMX_F32;
  Layout hidden = {}, weights = {};
  bool packed = false;      // packed alone
  int64_t bias_stride = 1;
  size_t memory_limit = 0;
};

struct Arguments {
  Matrix hidden, weights;
  std::optional<Vector> bias;
  std::optional<Packed> packed;
  vmx_linear linear = VMX_LINEAR_INIT;

  Arguments(const Problem& p, const Form& form)
      : hidden(form.dtype, p.sizes.rows, p.sizes.dim, form.hidden), weights(form.dtype, p.sizes.classes, p.sizes.dim, form.weights) {
    fill(hidden, p.hidden);
    fill(weights, p.weights);
    if (!p.bias.empty()) {
      bias.emplace(VMX_F32, p.bias, form.bias_stride);
      linear.bias = bias->view();
    }
    if (form.packed) {
      packed.emplace(&weights.view());
      linear.packed = packed->weights;
    } else {
      linear.weights = weights.view();
    }
    linear.memory_limit = form.memory_limit;
  }

  static void fill(Matrix& m, const std::vector<std::vector<double>>& values) {
    for (int64_t r = 0; r < m.rows(); ++r) {
      for (int64_t c = 0; c < m.cols(); ++c) m.set(r, c, values[static_cast<size_t>(r)][static_cast<size_t>(c)]);
    }
  }
};

// Options of a call and the same for the oracle.
struct Variant {
  vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  reference::CrossEntropyOptions oracle;
  std::optional<Vector> class_weight;
  std::vector<float> temperatures;  // one a row, or one, or none
  double grad_scale = 1;

  float temperature(int64_t row) const {
    return temperatures.empty() ? 1.0f : temperatures[temperatures.size() == 1 ? 0 : static_cast<size_t>(row)];
  }
  void finish() {
    oracle.label_smoothing = options.label_smoothing;
    oracle.softcap = options.softcap;
    oracle.z_loss = options.z_loss;
    oracle.smooth_unmasked = (options.flags & VMX_SMOOTH_UNMASKED) != 0;
    if (!oracle.class_weight.empty()) {
      class_weight.emplace(VMX_F32, std::vector<double>(oracle.class_weight.begin(), oracle.class_weight.end()), 2);
      options.class_weight = class_weight->view();
    }
    options.temperature = temperatures.empty() ? nullptr : temperatures.data();
    options.temperature_stride = temperatures.size() > 1 ? 1 : 0;
  }
};

using TargetLists = std::vector<std::vector<reference::Target>>;

struct Targets {
  TargetLists lists;
  Ids ids, indptr;
  std::unique_ptr<Vector> weights;
  vmx_csr csr{};

  static Targets labels(std::vector<int64_t> labels, int64_t ignore) {
    Targets t;
    for (const int64_t label : labels) {
      t.lists.push_back({{label == ignore ? reference::kIgnored : label, 1.0}});
    }
    t.ids = Ids(VMX_I64, labels);
    t.csr.ids = t.ids.view();
    return t;
  }
  static Targets csr_lists(TargetLists lists) {
    Targets t;
    std::vector<int64_t> ids, indptr{0};
    std::vector<double> weights;
    for (const auto& list : lists) {
      for (const reference::Target& target : list) {
        ids.push_back(target.id == reference::kIgnored ? -100 : target.id);
        weights.push_back(target.weight);
      }
      indptr.push_back(static_cast<int64_t>(ids.size()));
    }
    t.lists = std::move(lists);
    t.ids = Ids(VMX_I32, ids, 1);
    t.indptr = Ids(VMX_I32, indptr, 1);
    t.weights = std::make_unique<Vector>(VMX_F32, weights);
    t.csr.ids = t.ids.view();
    t.csr.indptr = t.indptr.view();
    t.csr.weights = t.weights->view();
    return t;
  }
};

std::vector<int64_t> some_labels(const Sizes& s, uint64_t seed) {
  Random random(seed);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < s.rows; ++i) labels.push_back(random.one_in(9) ? -100 : random.below(s.classes));
  return labels;
}

TargetLists some_lists(const Sizes& s, uint64_t seed) {
  Random random(seed);
  TargetLists lists;
  for (int64_t i = 0; i < s.rows; ++i) {
    std::vector<reference::Target> list;
    const int64_t n = random.below(6);
    for (int64_t j = 0; j < n; ++j) {
      // Often the same class again.
      const int64_t id = j > 0 && random.one_in(3) ? list.front().id : random.below(s.classes);
      list.push_back({random.one_in(8) ? reference::kIgnored : id, static_cast<double>(random.below(9)) / 4});
    }
    lists.push_back(list);
  }
  return lists;
}

// Answers of a call, gradients included.
struct Answers {
  Vector loss, z_loss, lse;
  std::vector<uint32_t> flags;
  double total = 0, total_z = 0, total_weight = 0;
  Matrix grad_hidden, grad_weights;
  Vector grad_bias;

  Answers(const Sizes& s, int32_t hidden_dtype = VMX_F32, Layout hidden = {}, Layout weights = {}, int64_t bias_stride = 1)
      : loss(VMX_F32, s.rows),
        z_loss(VMX_F32, s.rows),
        lse(VMX_F32, s.rows),
        flags(static_cast<size_t>(s.rows), 77),
        grad_hidden(hidden_dtype, s.rows, s.dim, hidden),
        grad_weights(VMX_F32, s.classes, s.dim, weights),
        grad_bias(VMX_F32, s.classes, bias_stride) {}

  vmx_status run(const vmx_context* ctx, vmx_workspace* ws, const Arguments& a, const vmx_csr& targets, const Variant& v,
                 bool gradients = true, uint32_t grad_flags = 0) {
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.loss = loss.view();
    out.z_loss = z_loss.view();
    out.lse = lse.view();
    out.row_flags = flags.data();
    out.total = &total;
    out.total_z_loss = &total_z;
    out.total_weight = &total_weight;
    out.grad_scale = v.grad_scale;
    vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
    grads.flags = grad_flags;
    grads.hidden = grad_hidden.view();
    grads.weights = grad_weights.view();
    grads.bias = grad_bias.view();
    return vmx_linear_cross_entropy(ctx, ws, &a.hidden.view(), &a.linear, &targets, &out, gradients ? &grads : nullptr,
                                    &v.options);
  }

  std::vector<unsigned char> bytes() const {
    std::vector<unsigned char> all;
    const auto add = [&](const std::vector<unsigned char>& part) { all.insert(all.end(), part.begin(), part.end()); };
    add(loss.bytes());
    add(z_loss.bytes());
    add(lse.bytes());
    add(grad_hidden.bytes());
    add(grad_weights.bytes());
    add(grad_bias.bytes());
    for (const double* d : {&total, &total_z, &total_weight}) {
      const auto* b = reinterpret_cast<const unsigned char*>(d);
      all.insert(all.end(), b, b + sizeof *d);
    }
    return all;
  }
};

// Everything that a call answered, against the oracle. before: what the gradients held, for VMX_GRAD_ACCUMULATE.
void check_answers(const char* what, const Problem& p, const Targets& targets, const Variant& v, const Answers& a,
                   bool gradients = true, double before = 0, bool bf16_products = false) {
  const auto at = [](const std::vector<std::vector<double>>& m, int64_t r, int64_t c) {
    return static_cast<Real>(m[static_cast<size_t>(r)][static_cast<size_t>(c)]);
  };
  ErrorReport loss_errors(std::string(what) + " loss", kU), dh_errors(std::string(what) + " d hidden", kU),
      dw_errors(std::string(what) + " d weights", kU), db_errors(std::string(what) + " d bias", kU);
  std::vector<reference::CrossEntropy> rows;
  Real total = 0, total_z = 0, weight = 0;
  for (int64_t r = 0; r < p.sizes.rows; ++r) {
    reference::CrossEntropyOptions oracle = v.oracle;
    oracle.temperature = static_cast<double>(v.temperature(r));
    rows.push_back(reference::cross_entropy(p.scores(r), targets.lists[static_cast<size_t>(r)], oracle));
    const reference::CrossEntropy& e = rows.back();
    weight += e.weight;
    if (e.ignored) {
      EXPECT_EQ(a.loss.get(r), 0.0);
      EXPECT_EQ(a.z_loss.get(r), 0.0);
    } else {
      // A softcap is one more rounding of the scores.
      const Real cap = v.oracle.softcap > 0 ? 2 * kU * v.oracle.softcap / oracle.temperature : 0;
      const Real scale = std::fabs(e.loss) + (e.weight > 1 ? e.weight : 1) * (targets.lists[static_cast<size_t>(r)].size() > 1 || v.oracle.label_smoothing > 0 ? std::fabs(e.lse) + e.distance : 0);
      loss_errors.check(a.loss.get(r), e.loss, 17 * kU * scale + kU * e.distance + (e.weight + 1) * cap, 1, VMX_F32, "loss", r, 0);
      loss_errors.check(a.z_loss.get(r), e.z_loss, 40 * kU * e.z_loss + 2 * cap * v.oracle.z_loss * std::fabs(e.lse) + 16 * kU * v.oracle.z_loss, 1, VMX_F32, "z-loss", r, 0);
      total += e.loss + e.z_loss;
      total_z += e.z_loss;
    }
    EXPECT_EQ(a.flags[static_cast<size_t>(r)], e.flags) << "row " << r;
    loss_errors.check(a.lse.get(r), e.lse, 2 * kU * std::max<Real>(1, std::fabs(e.lse)) + 16 * kU + (v.oracle.softcap > 0 ? 2 * kU * v.oracle.softcap / oracle.temperature : 0), 1, VMX_F32, "lse", r, 0);
  }
  const bool mean = v.options.reduction == VMX_REDUCE_MEAN;
  EXPECT_NEAR(a.total_weight, static_cast<double>(weight), 1e-12 * (1 + static_cast<double>(weight)));
  const Real divisor = mean ? weight : 1;
  EXPECT_NEAR(a.total, static_cast<double>(total / divisor), 1e-5 * (1 + std::fabs(static_cast<double>(total / divisor))));
  EXPECT_NEAR(a.total_z, static_cast<double>(total_z / divisor), 1e-5 * (1 + static_cast<double>(total_z / divisor)));
  if (!gradients) return;

  // Each entry of the gradient of the scores is within the bound of a softmax, the products add their own roundings.
  const Real upstream = static_cast<Real>(v.grad_scale) / divisor;
  const Real narrow = bf16_products ? 0x1p-9L : 0;  // of the gradient of scores, rounded to bf16
  const auto entry = [&](int64_t r, int64_t c) { return rows[static_cast<size_t>(r)].ignored ? Real{0} : upstream * rows[static_cast<size_t>(r)].grad[static_cast<size_t>(c)]; };
  const auto entry_error = [&](int64_t r, int64_t c) {
    const reference::CrossEntropy& e = rows[static_cast<size_t>(r)];
    if (e.ignored) return Real{0};
    const Real terms = std::fabs(upstream) * e.grad_terms[static_cast<size_t>(c)];
    if (terms == 0) return Real{0};  // the distance may be infinite
    const Real cap = v.oracle.softcap > 0 ? 3 * v.oracle.softcap / v.temperature(r) : 0;
    return terms * ((16 + e.score_distance[static_cast<size_t>(c)] + cap) * kU + narrow) + 0x1p-126L;
  };
  const Real sum_u = kU * std::sqrt(static_cast<Real>(std::max<int64_t>(p.sizes.classes, p.sizes.rows))) * 4;
  for (int64_t r = 0; r < p.sizes.rows; ++r) {
    for (int64_t k = 0; k < p.sizes.dim; ++k) {
      Real sum = 0, bound = 0;
      for (int64_t c = 0; c < p.sizes.classes; ++c) {
        const Real w = at(p.weights, c, k);
        sum += entry(r, c) * w;
        bound += (entry_error(r, c) + std::fabs(entry(r, c)) * sum_u) * std::fabs(w);
      }
      dh_errors.check(a.grad_hidden.get(r, k), sum, bound + half_ulp(sum, a.grad_hidden.dtype()), 1, a.grad_hidden.dtype(), "d hidden", r, k);
    }
  }
  for (int64_t c = 0; c < p.sizes.classes; ++c) {
    Real bias = before, bias_bound = 0;
    for (int64_t r = 0; r < p.sizes.rows; ++r) {
      bias += entry(r, c);
      bias_bound += entry_error(r, c) + std::fabs(entry(r, c)) * sum_u;
    }
    db_errors.check(a.grad_bias.get(c), bias, bias_bound + std::fabs(before) * sum_u, 1, VMX_F32, "d bias", c, 0);
    for (int64_t k = 0; k < p.sizes.dim; ++k) {
      Real sum = before, bound = std::fabs(before) * sum_u;
      for (int64_t r = 0; r < p.sizes.rows; ++r) {
        const Real h = at(p.hidden, r, k);
        sum += entry(r, c) * h;
        bound += (entry_error(r, c) + std::fabs(entry(r, c)) * sum_u) * std::fabs(h);
      }
      dw_errors.check(a.grad_weights.get(c, k), sum, bound, 1, VMX_F32, "d weights", c, k);
    }
  }
  EXPECT_TRUE(a.grad_hidden.surroundings_untouched());
  EXPECT_TRUE(a.grad_weights.surroundings_untouched());
  EXPECT_TRUE(a.grad_bias.surroundings_untouched());
}

const Sizes kSizes[] = {{1, 1, 1}, {3, 7, 5}, {16, 64, 16}, {17, 1030, 24}, {5, 4097, 33}, {300, 130, 8}, {2, 2048, 64}};

TEST(LinearCrossEntropy, SizesAndLabels) {
  VMX_NEEDS_ONEDNN();
  for (const Sizes& s : kSizes) {
    for (const bool bias : {false, true}) {
      const Problem p(s, 1, bias);
      const Arguments arguments(p, Form{});
      Variant v;
      v.finish();
      const Targets targets = Targets::labels(some_labels(s, 2), -100);
      Answers answers(s);
      ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v), VMX_OK) << last_error();
      check_answers("labels", p, targets, v, answers);
    }
  }
}


TEST(LinearCrossEntropy, ListsOfTargets) {
  VMX_NEEDS_ONEDNN();
  for (const Sizes& s : {Sizes{40, 1500, 12}, Sizes{280, 70, 8}}) {
    const Problem p(s, 3, true);
    const Arguments arguments(p, Form{});
    Variant v;
    v.options.z_loss = 0.01;
    v.options.reduction = VMX_REDUCE_MEAN;
    v.grad_scale = 3;
    v.finish();
    const Targets targets = Targets::csr_lists(some_lists(s, 4));
    Answers answers(s);
    ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v), VMX_OK) << last_error();
    check_answers("lists", p, targets, v, answers);
  }
}

TEST(LinearCrossEntropy, Options) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{50, 1100, 10};
  const Problem p(s, 5, false);
  const Arguments arguments(p, Form{});
  Random random(6);
  std::vector<float> class_weight;
  for (int64_t c = 0; c < s.classes; ++c) class_weight.push_back(static_cast<float>(random.below(5)) / 2);
  std::vector<float> temperatures;
  for (int64_t r = 0; r < s.rows; ++r) temperatures.push_back(r % 3 == 0 ? 0.5f : r % 3 == 1 ? 1.0f : 2.5f);
  const std::function<void(Variant&)> changes[] = {
      [](Variant& v) { v.options.label_smoothing = 0.1; },
      [&](Variant& v) { v.options.label_smoothing = 0.2, v.oracle.class_weight = class_weight; },
      [&](Variant& v) { v.oracle.class_weight = class_weight, v.options.reduction = VMX_REDUCE_MEAN; },
      [](Variant& v) { v.options.softcap = 3, v.options.z_loss = 0.001; },
      [&](Variant& v) { v.temperatures = temperatures, v.options.z_loss = 0.1; },
      [](Variant& v) { v.temperatures = {0.3f}, v.options.label_smoothing = 0.05, v.options.softcap = 6; },
      [](Variant& v) { v.options.reduction = VMX_REDUCE_SUM, v.grad_scale = -0.125; },
  };
  for (const auto& change : changes) {
    for (const bool lists : {false, true}) {
      Variant v;
      change(v);
      v.finish();
      const Targets targets = lists ? Targets::csr_lists(some_lists(s, 7)) : Targets::labels(some_labels(s, 8), -100);
      Answers answers(s);
      ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v), VMX_OK) << last_error();
      check_answers("options", p, targets, v, answers);
    }
  }
}

TEST(LinearCrossEntropy, ForwardAloneSaysTheSame) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{70, 3000, 16};
  const Problem p(s, 9, true);
  const Arguments arguments(p, Form{});
  Variant v;
  v.finish();
  const Targets targets = Targets::labels(some_labels(s, 10), -100);
  Answers with(s), without(s);
  ASSERT_EQ(with.run(nullptr, nullptr, arguments, targets.csr, v), VMX_OK);
  ASSERT_EQ(without.run(nullptr, nullptr, arguments, targets.csr, v, false), VMX_OK);
  EXPECT_EQ(with.loss.bytes(), without.loss.bytes());
  EXPECT_EQ(with.lse.bytes(), without.lse.bytes());
  EXPECT_EQ(with.total, without.total);
  check_answers("forward", p, targets, v, without, false);
}

TEST(LinearCrossEntropy, LayoutsAndDtypes) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{37, 1200, 21};
  const Problem p(s, 11, true);
  const Targets targets = Targets::labels(some_labels(s, 12), -100);
  Variant v;
  v.finish();
  std::vector<Form> forms(9);
  forms[1].hidden.row_pad = 3;
  forms[1].weights.row_pad = 5;
  forms[2].hidden.step = 2;
  forms[2].weights.step = 3;
  forms[2].bias_stride = -2;
  forms[3].weights.transposed = true;
  forms[3].hidden.transposed = true;
  forms[4].weights.reversed_rows = true;
  forms[4].hidden.reversed_cols = true;
  forms[5].packed = true;
  forms[6].dtype = VMX_BF16;
  forms[7].dtype = VMX_BF16;
  forms[7].packed = true;
  forms[7].weights.step = 2;
  forms[8].dtype = VMX_BF16;
  forms[8].weights.transposed = true;
  forms[8].hidden.offset = 1;
  Layout apart;
  apart.row_pad = 2;
  apart.step = 2;
  Layout down;
  down.reversed_rows = true;
  VMX_FOR_EACH_ISA(ctx) {
    for (size_t i = 0; i < forms.size(); ++i) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, i);
      const Arguments arguments(p, forms[i]);
      Answers answers(s, i % 2 ? forms[i].dtype : VMX_F32, i % 3 == 1 ? apart : i % 3 == 2 ? down : Layout{},
                      i % 3 == 1 ? down : i % 3 == 2 ? apart : Layout{}, i % 2 ? 1 : -3);
      ASSERT_EQ(answers.run(ctx, nullptr, arguments, targets.csr, v), VMX_OK) << last_error();
      check_answers("layouts", p, targets, v, answers, true, 0, forms[i].dtype == VMX_BF16);
    }
  }
}

// Rows in every number there is a path for, packed: our own kernels for few, oneDNN's or ours for more.
TEST(LinearCrossEntropy, PackedRows) {
  VMX_NEEDS_ONEDNN();
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 13, 31, 32, 33, 100, 260}) {
    for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
      const Sizes s{rows, rows > 30 ? 130 : 1090, 19};
      const Problem p(s, 13, rows % 2 == 1);
      Form form;
      form.packed = true;
      form.dtype = dtype;
      const Arguments arguments(p, form);
      Variant v;
      v.finish();
      const Targets targets = Targets::labels(some_labels(s, 14), -100);
      Answers answers(s);
      ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v), VMX_OK) << last_error();
      check_answers("packed", p, targets, v, answers, true, 0, dtype == VMX_BF16);
    }
  }
}

TEST(LinearCrossEntropy, Accumulates) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{300, 90, 6};
  const Problem p(s, 15, true);
  const Arguments arguments(p, Form{});
  Variant v;
  v.finish();
  const Targets targets = Targets::labels(some_labels(s, 16), -100);
  for (const int64_t pad : {0, 4}) {
    Layout apart;
    apart.step = pad ? 2 : 1;
    Answers answers(s, VMX_F32, {}, apart);
    for (int64_t c = 0; c < s.classes; ++c) {
      answers.grad_bias.set(c, 2.5);
      for (int64_t k = 0; k < s.dim; ++k) answers.grad_weights.set(c, k, 2.5);
    }
    ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v, true, VMX_GRAD_ACCUMULATE), VMX_OK) << last_error();
    check_answers("accumulate", p, targets, v, answers, true, 2.5);
  }
}

TEST(LinearCrossEntropy, ExtremeTemperaturesAndMasks) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{20, 1050, 4};
  Problem p(s, 17, true);
  for (int64_t c = 0; c < s.classes; c += 7) p.bias[static_cast<size_t>(c)] = -std::numeric_limits<double>::infinity();
  const Arguments arguments(p, Form{});
  for (const float t : {0.0f, std::numeric_limits<float>::infinity(), 1.0f}) {
    Variant v;
    v.temperatures = {t};
    v.finish();
    const Targets targets = Targets::labels(some_labels(s, 18), -100);
    Answers answers(s);
    ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v), VMX_OK) << last_error();
    for (int64_t r = 0; r < s.rows; ++r) {
      reference::CrossEntropyOptions oracle;
      oracle.temperature = static_cast<double>(t);
      const auto e = reference::cross_entropy(p.scores(r), targets.lists[static_cast<size_t>(r)], oracle);
      const double bound = 1e-5 * (1 + std::fabs(static_cast<double>(e.lse)));
      if (std::isfinite(static_cast<double>(e.loss))) {
        EXPECT_NEAR(answers.loss.get(r), static_cast<double>(e.loss), bound) << t << " row " << r;
      } else {
        EXPECT_EQ(answers.loss.get(r), static_cast<double>(e.loss)) << t << " row " << r;
      }
      EXPECT_EQ(answers.flags[static_cast<size_t>(r)], e.flags);
    }
    // Nothing of a masked class reaches its weights except through a label.
    for (int64_t k = 0; k < s.dim; ++k) {
      for (int64_t r = 0; r < s.rows; ++r) EXPECT_TRUE(std::isfinite(answers.grad_hidden.get(r, k)));
    }
  }
}

// Ignored rows give nothing, whatever they hold; NaN rows spoil the gradients of the weights.
TEST(LinearCrossEntropy, OddRows) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{9, 300, 5};
  Problem p(s, 19, false);
  p.hidden[2][1] = std::numeric_limits<double>::quiet_NaN();
  p.hidden[5][0] = std::numeric_limits<double>::infinity();
  Variant v;
  v.finish();
  std::vector<int64_t> labels(static_cast<size_t>(s.rows), 3);
  labels[2] = labels[5] = -100;
  const Arguments arguments(p, Form{});
  Answers ignored(s), spoilt(s);
  const Targets without = Targets::labels(labels, -100);
  ASSERT_EQ(ignored.run(nullptr, nullptr, arguments, without.csr, v), VMX_OK);
  EXPECT_EQ(ignored.loss.get(2), 0.0);
  EXPECT_EQ(ignored.flags[2] & VMX_ROW_NAN, VMX_ROW_NAN);
  EXPECT_TRUE(std::isfinite(ignored.total));
  for (int64_t k = 0; k < s.dim; ++k) {
    EXPECT_EQ(ignored.grad_hidden.get(2, k), 0.0);
    EXPECT_EQ(ignored.grad_hidden.get(5, k), 0.0);
    for (int64_t c = 0; c < s.classes; ++c) EXPECT_TRUE(std::isfinite(ignored.grad_weights.get(c, k)));
  }
  labels[2] = 3;
  const Targets with = Targets::labels(labels, -100);
  ASSERT_EQ(spoilt.run(nullptr, nullptr, arguments, with.csr, v), VMX_OK);
  EXPECT_TRUE(std::isnan(spoilt.loss.get(2)));
  EXPECT_TRUE(std::isnan(spoilt.total));
  for (int64_t k = 0; k < s.dim; ++k) {
    EXPECT_TRUE(std::isnan(spoilt.grad_hidden.get(2, k)));
    EXPECT_TRUE(std::isfinite(spoilt.grad_hidden.get(3, k)));
    EXPECT_TRUE(std::isnan(spoilt.grad_weights.get(0, k)));
  }
}

TEST(LinearCrossEntropy, NothingToDo) {
  VMX_NEEDS_ONEDNN();
  for (const Sizes& s : {Sizes{0, 5, 3}, Sizes{4, 0, 3}, Sizes{4, 6, 0}, Sizes{0, 0, 0}}) {
    const Problem p(s, 20, s.classes > 0);
    const Arguments arguments(p, Form{});
    Variant v;
    v.finish();
    const Targets targets = Targets::labels(std::vector<int64_t>(static_cast<size_t>(s.rows), s.classes > 0 ? 1 : -100), -100);
    Answers answers(s);
    for (int64_t c = 0; c < s.classes; ++c) {
      for (int64_t k = 0; k < s.dim; ++k) answers.grad_weights.set(c, k, 7);
    }
    ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v), VMX_OK) << last_error();
    check_answers("empty", p, targets, v, answers);
  }
}

// The promise: for a given number of rows neither threads nor the memory limit change a bit.
TEST(LinearCrossEntropy, SameBits) {
  VMX_NEEDS_ONEDNN();
  for (const Sizes& s : {Sizes{600, 5000, 24}, Sizes{90, 9000, 8}}) {
    const Problem p(s, 21, true, 0.7);
    Variant v;
    v.options.reduction = VMX_REDUCE_MEAN;
    v.options.label_smoothing = 0.1;
    v.finish();
    const Targets targets = Targets::csr_lists(some_lists(s, 22));
    std::vector<unsigned char> expected;
    size_t least = 0;
    {
      Form form;
      form.memory_limit = 1;
      const Arguments arguments(p, form);
      Answers answers(s);
      ASSERT_EQ(answers.run(nullptr, nullptr, arguments, targets.csr, v), VMX_ERR_VALUE);
      const std::string message = last_error();
      least = std::stoul(message.substr(message.rfind(' ')));
    }
    for (const int32_t threads : {1, 2, 3, 7}) {
      for (const size_t limit : {size_t{0}, least, least + (size_t{1} << 20), least * 2, size_t{1} << 30}) {
        const Context ctx(VMX_ISA_BEST, threads);
        Form form;
        form.memory_limit = limit;
        const Arguments arguments(p, form);
        Answers answers(s);
        Workspace ws(ctx);
        ASSERT_EQ(answers.run(ctx, ws, arguments, targets.csr, v), VMX_OK) << last_error();
        EXPECT_LE(vmx_workspace_capacity(ws), limit ? limit : size_t{128} << 20);
        if (expected.empty()) expected = answers.bytes();
        EXPECT_EQ(answers.bytes(), expected) << threads << " threads, limit " << limit;
      }
    }
  }
}

TEST(LinearCrossEntropy, WorkspaceSizeIsEnough) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{300, 5000, 16};
  const Problem p(s, 23, true);
  Variant v;
  v.options.label_smoothing = 0.1;
  v.oracle.class_weight.assign(static_cast<size_t>(s.classes), 1.5f);
  v.finish();
  const Targets targets = Targets::labels(some_labels(s, 24), -100);
  for (const int32_t threads : {1, 3}) {
    const Context ctx(VMX_ISA_BEST, threads);
    for (const size_t limit : {size_t{0}, size_t{8} << 20}) {
      Form form;
      form.memory_limit = limit;
      const Arguments arguments(p, form);
      Answers answers(s, VMX_F32, {}, {}, 2);
      vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
      grads.hidden = answers.grad_hidden.view();
      grads.weights = answers.grad_weights.view();
      grads.bias = answers.grad_bias.view();
      vmx_linear linear = arguments.linear;
      vmx_matrix hidden = arguments.hidden.view();
      grads.hidden.data = grads.weights.data = grads.bias.data = linear.weights.data = linear.bias.data = hidden.data = nullptr;
      size_t size = 0;
      ASSERT_EQ(vmx_linear_cross_entropy_workspace_size(ctx, &hidden, &linear, &grads, &v.options, &size), VMX_OK) << last_error();
      Workspace ws(ctx);
      ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK);
      const size_t before = vmx_workspace_capacity(ws);
      ASSERT_EQ(answers.run(ctx, ws, arguments, targets.csr, v), VMX_OK) << last_error();
      EXPECT_EQ(vmx_workspace_capacity(ws), before);
    }
  }
}

TEST(LinearCrossEntropy, Arguments) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{6, 40, 5};
  const Problem p(s, 25, true);
  const Arguments a(p, Form{});
  Variant v;
  v.finish();
  const Targets targets = Targets::labels(std::vector<int64_t>(6, 1), -100);
  Answers answers(s);
  vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
  out.loss = answers.loss.view();
  vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
  grads.hidden = answers.grad_hidden.view();
  grads.weights = answers.grad_weights.view();
  const auto untouched = answers.bytes();
  const auto run = [&](const vmx_matrix* hidden, const vmx_linear* linear, const vmx_csr* t, const vmx_cross_entropy_out* o,
                       const vmx_linear_grads* g) {
    const vmx_status status = vmx_linear_cross_entropy(nullptr, nullptr, hidden, linear, t, o, g, nullptr);
    EXPECT_EQ(answers.bytes(), untouched);
    return status;
  };
  const vmx_matrix& h = a.hidden.view();
  EXPECT_EQ(run(nullptr, &a.linear, &targets.csr, &out, &grads), VMX_ERR_NULL);
  EXPECT_EQ(run(&h, nullptr, &targets.csr, &out, &grads), VMX_ERR_NULL);
  EXPECT_EQ(run(&h, &a.linear, nullptr, &out, &grads), VMX_ERR_NULL);
  EXPECT_EQ(run(&h, &a.linear, &targets.csr, nullptr, &grads), VMX_ERR_NULL);
  const auto with_linear = [&](const std::function<void(vmx_linear&)>& change) {
    vmx_linear linear = a.linear;
    change(linear);
    return run(&h, &linear, &targets.csr, &out, &grads);
  };
  EXPECT_EQ(with_linear([](vmx_linear& l) { l.weights.data = nullptr; }), VMX_ERR_NULL);
  EXPECT_EQ(with_linear([](vmx_linear& l) { l.weights.cols = 4; }), VMX_ERR_SHAPE);
  EXPECT_EQ(with_linear([](vmx_linear& l) { l.weights.dtype = VMX_F64; }), VMX_ERR_DTYPE);
  EXPECT_EQ(with_linear([](vmx_linear& l) { l.weights.dtype = VMX_BF16; }), VMX_ERR_DTYPE);
  EXPECT_EQ(with_linear([](vmx_linear& l) { l.bias.n = 39; }), VMX_ERR_SHAPE);
  EXPECT_EQ(with_linear([](vmx_linear& l) { l.struct_size = 8; }), VMX_ERR_STRUCT);
  EXPECT_EQ(with_linear([](vmx_linear& l) { l.memory_limit = 1000; }), VMX_ERR_VALUE);
  const auto with_grads = [&](const std::function<void(vmx_linear_grads&)>& change) {
    vmx_linear_grads g = grads;
    change(g);
    return run(&h, &a.linear, &targets.csr, &out, &g);
  };
  EXPECT_EQ(with_grads([](vmx_linear_grads& g) { g.hidden.rows = 5; }), VMX_ERR_SHAPE);
  EXPECT_EQ(with_grads([](vmx_linear_grads& g) { g.weights.dtype = VMX_BF16; }), VMX_ERR_DTYPE);
  EXPECT_EQ(with_grads([](vmx_linear_grads& g) { g.hidden.dtype = VMX_F16; }), VMX_ERR_DTYPE);
  EXPECT_EQ(with_grads([](vmx_linear_grads& g) { g.flags = 2; }), VMX_ERR_VALUE);
  EXPECT_EQ(with_grads([](vmx_linear_grads& g) { g.weights.row_stride = 2; }), VMX_ERR_OVERLAP);
  EXPECT_EQ(with_grads([&](vmx_linear_grads& g) { g.hidden = a.hidden.view(); }), VMX_ERR_OVERLAP);
  EXPECT_EQ(with_grads([&](vmx_linear_grads& g) { g.weights = a.weights.view(); }), VMX_ERR_OVERLAP);
  vmx_cross_entropy_out with_grad = out;
  with_grad.grad = answers.grad_weights.view();
  EXPECT_EQ(run(&h, &a.linear, &targets.csr, &with_grad, nullptr), VMX_ERR_VALUE);
  const Targets outside = Targets::labels({1, 1, 40, 1, 1, 1}, -100);
  EXPECT_EQ(run(&h, &a.linear, &outside.csr, &out, &grads), VMX_ERR_LABEL);
}

// ---------------------------------------------------------------- log-sum-exp

TEST(LinearLogSumExp, SizesFormsAndThreads) {
  VMX_NEEDS_ONEDNN();
  for (const Sizes& s : {Sizes{1, 5000, 40}, Sizes{31, 1100, 7}, Sizes{33, 1100, 7}, Sizes{600, 65, 3}}) {
    const Problem p(s, 26, true);
    for (const bool packed : {false, true}) {
      Form form;
      form.packed = packed;
      const Arguments a(p, form);
      std::vector<unsigned char> expected;
      for (const int32_t threads : {1, 2, 5}) {
        const Context ctx(VMX_ISA_BEST, threads);
        Vector lse(VMX_F32, s.rows, -2);
        std::vector<uint32_t> flags(static_cast<size_t>(s.rows), 9);
        size_t size = 0;
        ASSERT_EQ(vmx_linear_logsumexp_workspace_size(ctx, &a.hidden.view(), &a.linear, nullptr, &size), VMX_OK);
        Workspace ws(ctx);
        ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK);
        const size_t before = vmx_workspace_capacity(ws);
        ASSERT_EQ(vmx_linear_logsumexp(ctx, ws, &a.hidden.view(), &a.linear, &lse.view(), flags.data(), nullptr), VMX_OK) << last_error();
        EXPECT_EQ(vmx_workspace_capacity(ws), before);
        for (int64_t r = 0; r < s.rows; ++r) {
          const Real e = reference::softmax(p.scores(r)).lse;
          EXPECT_NEAR(lse.get(r), static_cast<double>(e), static_cast<double>(kU * std::max<Real>(1, std::fabs(e)) + 16 * kU));
          EXPECT_EQ(flags[static_cast<size_t>(r)], 0u);
        }
        if (expected.empty()) expected = lse.bytes();
        EXPECT_EQ(lse.bytes(), expected);
        EXPECT_TRUE(lse.surroundings_untouched());
      }
    }
  }
}

TEST(LinearLogSumExp, TemperaturesAndOddScores) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{8, 2100, 6};
  Problem p(s, 27, true);
  const double inf = std::numeric_limits<double>::infinity();
  p.hidden[1][0] = std::numeric_limits<double>::quiet_NaN();
  p.bias[77] = -inf;
  for (const float t : {0.0f, 0x1p-140f, 0.25f, 1.0f, 40.0f, std::numeric_limits<float>::infinity()}) {
    for (const uint32_t flags_wanted : {0u, VMX_PRECISE}) {
      const Arguments a(p, Form{});
      Vector lse(VMX_F32, s.rows);
      std::vector<uint32_t> flags(static_cast<size_t>(s.rows), 9);
      vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
      options.temperature = &t;
      options.flags = flags_wanted;
      ASSERT_EQ(vmx_linear_logsumexp(nullptr, nullptr, &a.hidden.view(), &a.linear, &lse.view(), flags.data(), &options), VMX_OK) << last_error();
      for (int64_t r = 0; r < s.rows; ++r) {
        const auto e = reference::softmax(p.scores(r), static_cast<double>(t));
        EXPECT_EQ(flags[static_cast<size_t>(r)], e.flags);
        const double expected = static_cast<double>(e.lse);
        if (std::isfinite(expected)) {
          EXPECT_NEAR(lse.get(r), expected, 0x1p-24 * (17 + std::fabs(expected)));
        } else if (std::isnan(expected)) {
          EXPECT_TRUE(std::isnan(lse.get(r)));
        } else {
          EXPECT_EQ(lse.get(r), expected) << t;
        }
      }
    }
  }
}

// ---------------------------------------------------------------- top-k

// The k best, by (score, id); the products are exact, so values and ids must be.
std::vector<std::pair<double, int64_t>> best_of(const Problem& p, int64_t row, int64_t k, bool smallest,
                                                const std::vector<int64_t>& excluded) {
  const std::vector<double> z = p.scores(row);
  std::vector<std::pair<double, int64_t>> all;
  for (size_t c = 0; c < z.size(); ++c) {
    if (std::find(excluded.begin(), excluded.end(), static_cast<int64_t>(c)) == excluded.end()) {
      all.push_back({z[c], static_cast<int64_t>(c)});
    }
  }
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? (smallest ? a.first < b.first : a.first > b.first) : a.second < b.second;
  });
  if (static_cast<int64_t>(all.size()) > k) all.resize(static_cast<size_t>(k));
  return all;
}

TEST(LinearTopK, SizesFormsAndThreads) {
  VMX_NEEDS_ONEDNN();
  for (const Sizes& s : {Sizes{1, 5000, 24}, Sizes{7, 3000, 6}, Sizes{32, 1030, 9}, Sizes{40, 2100, 8}, Sizes{300, 1100, 4}}) {
    const Problem p(s, 32, s.rows % 2 == 1);
    Random random(33);
    std::vector<std::vector<int64_t>> excluded(static_cast<size_t>(s.rows));
    std::vector<int64_t> ids, indptr{0};
    for (auto& list : excluded) {
      for (int64_t n = random.below(20); n > 0; --n) list.push_back(random.below(s.classes));
      ids.insert(ids.end(), list.begin(), list.end());
      indptr.push_back(static_cast<int64_t>(ids.size()));
    }
    const Ids excluded_ids(VMX_I32, ids, 1), excluded_indptr(VMX_I64, indptr, 1);
    for (const bool packed : {false, true}) {
      for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
        Form form;
        form.packed = packed;
        form.dtype = dtype;
        const Arguments a(p, form);
        for (const int64_t k : {int64_t{1}, int64_t{10}, int64_t{300}, s.classes}) {
          for (const int32_t threads : {1, 3}) {
            if (threads > 1 && (dtype == VMX_BF16 || k == 10)) continue;
            const Context ctx(VMX_ISA_BEST, threads);
            const bool smallest = k == 300, excludes = k != 1;
            vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
            options.flags = smallest ? VMX_TOPK_SMALLEST : 0;
            options.col_offset = 5000;
            std::vector<int64_t> far = ids;
            if (excludes) {
              for (int64_t& id : far) id += 5000;
            }
            const Ids far_ids(VMX_I32, far, 1);
            if (excludes) {
              options.excluded.ids = far_ids.view();
              options.excluded.indptr = excluded_indptr.view();
            }
            const Matrix values(VMX_F32, s.rows, k), found(VMX_I64, s.rows, k);
            std::vector<uint32_t> flags(static_cast<size_t>(s.rows), 9);
            size_t size = 0;
            ASSERT_EQ(vmx_linear_topk_workspace_size(ctx, &a.hidden.view(), &a.linear, k, &options, &size), VMX_OK) << last_error();
            Workspace ws(ctx);
            ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK);
            const size_t before = vmx_workspace_capacity(ws);
            ASSERT_EQ(vmx_linear_topk(ctx, ws, &a.hidden.view(), &a.linear, k, &values.view(), &found.view(), flags.data(),
                                      &options),
                      VMX_OK) << last_error();
            EXPECT_EQ(vmx_workspace_capacity(ws), before);
            for (int64_t r = 0; r < s.rows; ++r) {
              const auto expected = best_of(p, r, k, smallest, excludes ? excluded[static_cast<size_t>(r)] : std::vector<int64_t>{});
              for (int64_t i = 0; i < k; ++i) {
                const bool there = i < static_cast<int64_t>(expected.size());
                const int64_t id = *static_cast<const int64_t*>(found.at(r, i));
                ASSERT_EQ(id, there ? expected[static_cast<size_t>(i)].second + 5000 : -1)
                    << "row " << r << ", rank " << i << " of " << k << ", " << s.classes << " classes, packed " << packed;
                if (there) {
                  ASSERT_EQ(values.get(r, i), expected[static_cast<size_t>(i)].first);
                }
              }
              EXPECT_EQ(flags[static_cast<size_t>(r)], static_cast<int64_t>(expected.size()) < k ? VMX_ROW_UNDERFULL : 0u);
            }
            EXPECT_TRUE(values.surroundings_untouched());
            EXPECT_TRUE(found.surroundings_untouched());
          }
        }
      }
    }
  }
}

TEST(LinearTopK, Arguments) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{3, 50, 4};
  const Problem p(s, 34, false);
  const Arguments a(p, Form{});
  const Matrix values(VMX_F32, 3, 5), ids(VMX_I32, 3, 5);
  const auto run = [&](int64_t k, const vmx_matrix* v, const vmx_matrix* i, const vmx_topk_options* o) {
    return vmx_linear_topk(nullptr, nullptr, &a.hidden.view(), &a.linear, k, v, i, nullptr, o);
  };
  EXPECT_EQ(run(5, &values.view(), &ids.view(), nullptr), VMX_OK) << last_error();
  EXPECT_EQ(run(0, &values.view(), &ids.view(), nullptr), VMX_ERR_VALUE);
  EXPECT_EQ(run(51, &values.view(), &ids.view(), nullptr), VMX_ERR_SHAPE);
  EXPECT_EQ(run(4, &values.view(), &ids.view(), nullptr), VMX_ERR_SHAPE);
  EXPECT_EQ(run(5, nullptr, nullptr, nullptr), VMX_ERR_NULL);
  EXPECT_EQ(run(5, &ids.view(), nullptr, nullptr), VMX_ERR_DTYPE);
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.col_offset = INT32_MAX;
  EXPECT_EQ(run(5, nullptr, &ids.view(), &options), VMX_ERR_SIZE);
  options = VMX_TOPK_OPTIONS_INIT;
  const Ids below(VMX_I32, {0, 1, -2});
  options.excluded.ids = below.view();
  EXPECT_EQ(run(5, nullptr, &ids.view(), &options), VMX_ERR_LABEL);
  vmx_linear small = a.linear;
  small.memory_limit = 100;
  EXPECT_EQ(vmx_linear_topk(nullptr, nullptr, &a.hidden.view(), &small, 5, &values.view(), nullptr, nullptr, nullptr), VMX_ERR_VALUE);
}

#define EXPECT_FAILS(call, status, text)                                        \
  do {                                                                          \
    EXPECT_EQ(call, status);                                                    \
    EXPECT_NE(last_error().find(text), std::string::npos) << last_error();      \
  } while (false)

// What the functions of linear scores share: hidden, weights, bias, and that nothing is written.
TEST(Linear, Arguments) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{6, 40, 5};
  const Problem p(s, 36, true);
  const Arguments a(p, Form{});
  const Vector lse(VMX_F32, 6);
  std::vector<uint32_t> flags(6, 9);
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  const std::string name = "vmx_linear_logsumexp: ";
  const auto untouched = lse.bytes();
  const auto run = [&](const vmx_matrix* hidden, const vmx_linear* linear, const vmx_vector* out, uint32_t* row_flags) {
    const vmx_status status = vmx_linear_logsumexp(nullptr, nullptr, hidden, linear, out, row_flags, &options);
    EXPECT_EQ(lse.bytes(), untouched);
    for (const uint32_t f : flags) EXPECT_EQ(f, 9u);
    return status;
  };
  const auto with_hidden = [&](const std::function<void(vmx_matrix&)>& change) {
    vmx_matrix hidden = a.hidden.view();
    change(hidden);
    return run(&hidden, &a.linear, lse, flags.data());
  };
  EXPECT_FAILS(run(nullptr, &a.linear, lse, nullptr), VMX_ERR_NULL, name + "hidden is NULL");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.data = nullptr; }), VMX_ERR_NULL, name + "hidden.data is NULL");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.rows = -1; }), VMX_ERR_SHAPE, "hidden.rows is -1");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.cols = -1; }), VMX_ERR_SHAPE, "hidden.cols is -1");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.cols = 4; }), VMX_ERR_SHAPE, "linear.weights.cols is 5, but hidden.cols is 4");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.rows = 5; }), VMX_ERR_SHAPE, "lse.n is 6, but must be 5");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.dtype = VMX_F16; }), VMX_ERR_DTYPE, "hidden.dtype is 3 (f16)");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.reserved = 1; }), VMX_ERR_VALUE, "hidden.reserved is 1");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.row_stride = INT64_MAX; }), VMX_ERR_SIZE, "9223372036854775807");
  EXPECT_FAILS(with_hidden([](vmx_matrix& m) { m.data = static_cast<char*>(m.data) + 1; }), VMX_ERR_VALUE, "hidden.data");
  const auto with_linear = [&](const std::function<void(vmx_linear&)>& change) {
    vmx_linear linear = a.linear;
    change(linear);
    return run(&a.hidden.view(), &linear, lse, flags.data());
  };
  EXPECT_FAILS(run(&a.hidden.view(), nullptr, lse, nullptr), VMX_ERR_NULL, name + "linear is NULL");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.struct_size = 0; }), VMX_ERR_STRUCT, "linear.struct_size is 0");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.struct_size = SIZE_MAX; }), VMX_ERR_STRUCT, "linear.struct_size is 1844674");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.weights = {}; }), VMX_ERR_NULL, "linear.weights.data and linear.packed");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.weights.data = nullptr; }), VMX_ERR_NULL, "linear.weights.data is NULL");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.weights.rows = -3; }), VMX_ERR_SHAPE, "linear.weights.rows is -3");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.weights.rows = VMX_MAX_COLS + 1, l.weights.row_stride = 0; }), VMX_ERR_SIZE,
               "linear.weights.rows is 2147483648");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.weights.dtype = VMX_F64; }), VMX_ERR_DTYPE, "linear.weights.dtype is 4");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.weights.dtype = VMX_BF16; }), VMX_ERR_DTYPE, "linear.weights.dtype is bf16");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.weights.reserved = 1; }), VMX_ERR_VALUE, "linear.weights.reserved is 1");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.bias.n = 41; }), VMX_ERR_SHAPE, "linear.bias.n is 41, but must be 40");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.bias.dtype = VMX_F64; }), VMX_ERR_DTYPE, "linear.bias.dtype is 4");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.bias.reserved = 2; }), VMX_ERR_VALUE, "linear.bias.reserved is 2");
  EXPECT_FAILS(with_linear([](vmx_linear& l) { l.memory_limit = 1; }), VMX_ERR_VALUE, "memory_limit");
  const auto with_lse = [&](const std::function<void(vmx_vector&)>& change) {
    vmx_vector out = lse.view();
    change(out);
    return run(&a.hidden.view(), &a.linear, &out, flags.data());
  };
  EXPECT_FAILS(run(&a.hidden.view(), &a.linear, nullptr, nullptr), VMX_ERR_NULL, name + "lse is NULL");
  EXPECT_FAILS(with_lse([](vmx_vector& v) { v.n = 7; }), VMX_ERR_SHAPE, "lse.n is 7, but must be 6");
  EXPECT_FAILS(with_lse([](vmx_vector& v) { v.dtype = VMX_F64; }), VMX_ERR_DTYPE, "lse.dtype is 4");
  EXPECT_FAILS(with_lse([](vmx_vector& v) { v.stride = 0; }), VMX_ERR_OVERLAP, "lse overlaps itself");
  EXPECT_FAILS(with_lse([&](vmx_vector& v) { v.data = a.hidden.at(1, 0); }), VMX_ERR_OVERLAP, "lse overlaps hidden");
  EXPECT_FAILS(with_lse([&](vmx_vector& v) { v.data = a.weights.at(1, 0); }), VMX_ERR_OVERLAP, "lse overlaps linear.weights");
  EXPECT_FAILS(with_lse([&](vmx_vector& v) { v.data = a.bias->at(1); }), VMX_ERR_OVERLAP, "lse overlaps linear.bias");
  EXPECT_FAILS(run(&a.hidden.view(), &a.linear, lse, static_cast<uint32_t*>(lse.at(1))), VMX_ERR_OVERLAP, "row_flags overlaps lse");
  auto* const odd = reinterpret_cast<uint32_t*>(reinterpret_cast<uintptr_t>(flags.data()) + 1);
  EXPECT_FAILS(run(&a.hidden.view(), &a.linear, lse, odd), VMX_ERR_VALUE, "row_flags is not aligned");
  options.flags = 4;
  EXPECT_FAILS(run(&a.hidden.view(), &a.linear, lse, nullptr), VMX_ERR_VALUE, "options.flags has unknown bits 0x4");
  options.flags = 0;
  options.temperature = static_cast<const float*>(lse.at(0));  // NaNs
  EXPECT_FAILS(run(&a.hidden.view(), &a.linear, lse, nullptr), VMX_ERR_VALUE, "options.temperature of row 0");
  std::vector<float> temperatures(6, 1.0f);
  options.temperature = temperatures.data();
  options.temperature_stride = 1;
  EXPECT_FAILS(with_lse([&](vmx_vector& v) { v.data = temperatures.data(); }), VMX_ERR_OVERLAP,
               "lse overlaps options.temperature");
  options.temperature_stride = INT64_MAX;
  EXPECT_FAILS(run(&a.hidden.view(), &a.linear, lse, nullptr), VMX_ERR_SIZE, "options.temperature");
}

TEST(Linear, ArgumentsOfPacking) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{2, 40, 5};
  const Problem p(s, 37, false);
  const Arguments a(p, Form{});
  auto* const marker = reinterpret_cast<vmx_packed_weights*>(uintptr_t{64});
  vmx_packed_weights* out = marker;
  const auto pack = [&](const std::function<void(vmx_matrix&)>& change) {
    vmx_matrix weights = a.weights.view();
    change(weights);
    const vmx_status status = vmx_pack_weights(nullptr, &weights, &out);
    EXPECT_EQ(out, marker);
    return status;
  };
  EXPECT_FAILS(vmx_pack_weights(nullptr, nullptr, &out), VMX_ERR_NULL, "vmx_pack_weights: weights is NULL");
  EXPECT_FAILS(vmx_pack_weights(nullptr, &a.weights.view(), nullptr), VMX_ERR_NULL, "vmx_pack_weights: out is NULL");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.data = nullptr; }), VMX_ERR_NULL, "weights.data is NULL");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.dtype = VMX_F64; }), VMX_ERR_DTYPE, "weights.dtype is 4");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.rows = -1; }), VMX_ERR_SHAPE, "weights.rows is -1");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.rows = VMX_MAX_COLS + 1, m.row_stride = 0; }), VMX_ERR_SIZE, "weights.rows is 2147483648");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.cols = VMX_MAX_COLS + 1; }), VMX_ERR_SIZE, "weights.cols is 2147483648");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.reserved = 4; }), VMX_ERR_VALUE, "weights.reserved is 4");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.col_stride = INT64_MIN; }), VMX_ERR_SIZE, "-9223372036854775808");
  EXPECT_FAILS(pack([](vmx_matrix& m) { m.data = static_cast<char*>(m.data) + 2; }), VMX_ERR_VALUE, "weights.data");
}

// Packed and plain weights of many bits: the same classes, and scores as near as f32 sums are.
TEST(LinearTopK, PackedAgreesWithPlain) {
  VMX_NEEDS_ONEDNN();
  const int64_t rows = 20, classes = 3000, dim = 70, k = 25;
  Random random(35);
  Matrix hidden(VMX_F32, rows, dim), weights(VMX_F32, classes, dim);
  for (Matrix* m : {&hidden, &weights}) {
    for (int64_t r = 0; r < m->rows(); ++r) {
      for (int64_t c = 0; c < m->cols(); ++c) m->set(r, c, random.bell());
    }
  }
  const Packed packed(&weights.view());
  EXPECT_EQ(vmx_packed_weights_size(packed.weights), static_cast<size_t>(47 * 64 * 80 * 4));
  vmx_linear plain = VMX_LINEAR_INIT, made = VMX_LINEAR_INIT;
  plain.weights = weights.view();
  made.packed = packed.weights;
  std::vector<unsigned char> expected;
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix a_values(VMX_F32, rows, k), b_values(VMX_F32, rows, k), a_ids(VMX_I32, rows, k), b_ids(VMX_I32, rows, k);
    ASSERT_EQ(vmx_linear_topk(ctx, nullptr, &hidden.view(), &plain, k, &a_values.view(), &a_ids.view(), nullptr, nullptr), VMX_OK);
    ASSERT_EQ(vmx_linear_topk(ctx, nullptr, &hidden.view(), &made, k, &b_values.view(), &b_ids.view(), nullptr, nullptr), VMX_OK);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < k; ++i) EXPECT_NEAR(a_values.get(r, i), b_values.get(r, i), 70 * 4 * 4 * 0x1p-22);
    }
    // Few rows: our own kernels, the same bits on every ISA.
    if (expected.empty()) expected = b_values.bytes();
    EXPECT_EQ(b_values.bytes(), expected);
  }
}

// ---------------------------------------------------------------- threads of oneDNN's

int64_t threads_of_this_process() {
  int64_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    (void)entry;
    ++n;
  }
  return n;
}

TEST(Linear, StartsNoThread) {
  VMX_NEEDS_ONEDNN();
  EXPECT_STRNE(vmx_onednn_version(), "");
  if (!std::filesystem::exists("/proc/self/task")) return;
  const Sizes s{300, 3000, 64};
  const Problem p(s, 28, true);
  const Arguments a(p, Form{});
  Variant v;
  v.finish();
  const Targets targets = Targets::labels(some_labels(s, 29), -100);
  // Of their own, where oneDNN has not been called before, or has been.
  for (int round = 0; round < 2; ++round) {
    const int64_t before = threads_of_this_process();
    int64_t during = 0;
    std::thread caller([&] {
      Answers answers(s);
      EXPECT_EQ(answers.run(nullptr, nullptr, a, targets.csr, v), VMX_OK);
      during = threads_of_this_process();
    });
    caller.join();
    EXPECT_EQ(during, before + 1);
    EXPECT_EQ(threads_of_this_process(), before);
  }
  // Tasks on the threads of a caller.
  struct Host {
    static int32_t parallel_for(void* most, int64_t n, vmx_task task, void* arg) {
      std::vector<std::thread> threads;
      for (int64_t i = 0; i < n; ++i) threads.emplace_back([=] { task(arg, i); });
      *static_cast<int64_t*>(most) = std::max(*static_cast<int64_t*>(most), threads_of_this_process());
      for (std::thread& t : threads) t.join();
      return 0;
    }
  };
  int64_t most = 0;
  const int64_t before = threads_of_this_process();
  const Context ctx(VMX_ISA_BEST, 3, Host::parallel_for, &most);
  Answers answers(s);
  ASSERT_EQ(answers.run(ctx, nullptr, a, targets.csr, v), VMX_OK);
  EXPECT_LE(most, before + 3);
  EXPECT_EQ(threads_of_this_process(), before);
}

TEST(Linear, ManyCallersAtOnce) {
  VMX_NEEDS_ONEDNN();
  const Sizes s{40, 2500, 16};
  const Problem p(s, 30, false);
  const Arguments a(p, Form{});
  Variant v;
  v.finish();
  const Targets targets = Targets::labels(some_labels(s, 31), -100);
  Answers expected(s);
  ASSERT_EQ(expected.run(nullptr, nullptr, a, targets.csr, v), VMX_OK);
  const Context ctx(VMX_ISA_BEST, 2);
  std::vector<std::thread> callers;
  std::vector<std::unique_ptr<Answers>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(std::make_unique<Answers>(s));
  for (auto& mine : answers) {
    callers.emplace_back([&, own = mine.get()] { EXPECT_EQ(own->run(ctx, nullptr, a, targets.csr, v), VMX_OK); });
  }
  for (std::thread& t : callers) t.join();
  for (const auto& mine : answers) EXPECT_EQ(mine->bytes(), expected.bytes());
}

}  // namespace
}  // namespace vmx::test
