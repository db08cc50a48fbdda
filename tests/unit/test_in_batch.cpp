// SPDX-License-Identifier: Apache-2.0
// In-batch softmax against the committed vectors and the oracle of sampled losses: each row's candidates are the keys of the batch.
// ctest-labels: sanitize threads
#include "reference/sampled.hpp"
#include "support/contexts.hpp"
#include "support/errors.hpp"
#include "support/json_vectors.hpp"
#include "support/sampled.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <optional>

namespace vmx::test {
namespace {

using Real = long double;
constexpr Real kU = 0x1p-24L;

#define VMX_NEEDS_ONEDNN() \
  if (!VMX_WITH_ONEDNN) GTEST_SKIP() << "this build is without oneDNN"

struct Batch {
  std::vector<std::vector<double>> queries, keys;
  std::vector<double> log_q;       // empty: none
  std::vector<int64_t> identity;   // empty: all differ
  vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
  double grad_scale = 1;

  reference::SampledProblem problem() const {
    reference::SampledProblem p;
    p.hidden = queries;
    p.table = keys;
    p.identity = identity;
    p.options = options;
    p.options.correction = log_q.empty() ? VMX_CORRECT_NONE : VMX_CORRECT_RANKING;
    p.grad_scale = grad_scale;
    std::vector<reference::Candidate> all;
    for (size_t i = 0; i < keys.size(); ++i) {
      const double q = log_q.empty() ? 0 : log_q[i];
      all.push_back({static_cast<int64_t>(i), q});
      p.targets.push_back({{static_cast<int64_t>(i), 1, q}});
    }
    p.candidates = {all};
    return p;
  }
};

struct Answers {
  Matrix queries, keys;
  std::optional<Vector> log_q;
  Ids identity;
  Vector loss;
  std::vector<uint32_t> flags;
  double total = -7, weight = -7;
  Matrix grad_queries, grad_keys;

  static Matrix filled(const std::vector<std::vector<double>>& values, int32_t dtype, Layout layout) {
    return Matrix(dtype, values, layout);
  }

  explicit Answers(const Batch& b, int32_t dtype = VMX_F32, Layout in = {}, Layout out = {}, int64_t stride = 1,
                   int32_t grad_dtype = VMX_F32)
      : queries(dtype, b.queries, in),
        keys(dtype, b.keys, in),
        loss(VMX_F32, static_cast<int64_t>(b.queries.size()), stride),
        flags(b.queries.size(), 77),
        grad_queries(grad_dtype, queries.rows(), queries.cols(), out),
        grad_keys(grad_dtype, queries.rows(), queries.cols(), out) {
    if (!b.log_q.empty()) log_q.emplace(VMX_F32, b.log_q, stride);
    if (!b.identity.empty()) identity = Ids(VMX_I32, b.identity, 0, stride);
  }

  vmx_status run(const Batch& b, const vmx_context* ctx, bool gradients = true) {
    vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
    out.loss = loss.view();
    out.row_flags = flags.data();
    out.total = &total;
    out.total_weight = &weight;
    out.grad_scale = b.grad_scale;
    return vmx_in_batch_softmax(ctx, nullptr, queries, keys, b.identity.empty() ? nullptr : &identity.view(),
                                log_q ? &log_q->view() : nullptr, &out, gradients ? &grad_queries.view() : nullptr,
                                gradients ? &grad_keys.view() : nullptr, &b.options);
  }

  std::vector<unsigned char> bytes() const {
    std::vector<unsigned char> all = loss.bytes();
    for (const auto* m : {&grad_queries, &grad_keys}) {
      const auto part = m->bytes();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
};

void check(const std::string& what, const Batch& b, const Answers& got) {
  const reference::SampledAnswer want = reference::sampled_loss(b.problem());
  ErrorReport errors(what, kU);
  constexpr Real kBound = 16 * kU, kTiny = 0x1p-126L;
  // The gradients are sums that a product makes, in f32 from end to end.
  const Real product = kBound + kU * std::sqrt(static_cast<Real>(b.queries.size()));
  Real terms = 0;
  for (size_t r = 0; r < b.queries.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    errors.check(got.loss.get(row), want.loss[r], kBound * want.loss_terms[r] + kTiny, want.loss_terms[r], VMX_F32, "loss", row, 0);
    EXPECT_EQ(got.flags[r], want.flags[r]) << what << " row " << r;
    terms += want.loss_terms[r];
    for (size_t k = 0; k < b.queries[r].size(); ++k) {
      const auto col = static_cast<int64_t>(k);
      const int32_t stored = got.grad_keys.dtype();
      errors.check(got.grad_queries.get(row, col), want.hidden[r][k],
                   product * want.hidden_terms[r][k] + half_ulp(want.hidden[r][k], stored) + kTiny, want.hidden_terms[r][k], stored, "d query", row, col);
      errors.check(got.grad_keys.get(row, col), want.table[r][k],
                   product * want.table_terms[r][k] + half_ulp(want.table[r][k], stored) + kTiny, want.table_terms[r][k], stored, "d key", row, col);
    }
  }
  const bool mean = b.options.reduction == VMX_REDUCE_MEAN;
  errors.check(got.total, want.total, kBound * terms / (mean ? want.weight : 1) + kTiny, 0, VMX_F64, "total", 0, 0);
  EXPECT_EQ(got.weight, static_cast<double>(b.queries.size()));
}

Batch some_batch(int64_t rows, int64_t dim, uint64_t seed) {
  Random random(seed);
  Batch b;
  for (auto* m : {&b.queries, &b.keys}) {
    m->assign(static_cast<size_t>(rows), std::vector<double>(static_cast<size_t>(dim)));
    for (auto& row : *m) {
      for (double& v : row) v = static_cast<double>(random.below(33) - 16) / 16;
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    b.log_q.push_back(static_cast<double>(static_cast<float>(-1 - 5 * random.unit())));
    b.identity.push_back(random.below(rows) - 3);
  }
  return b;
}

TEST(InBatch, Vectors) {
  VMX_NEEDS_ONEDNN();
  ErrorReport errors("in-batch vectors", kU);
  for (const VectorCase& test : load_vectors("approx.json", "in_batch")) {
    SCOPED_TRACE(test.id);
    Batch b;
    for (const auto& row : test.in.at("s")) b.queries.push_back(floats_in(row));
    const size_t n = b.queries.size();
    // Scores as they are: the keys are unit vectors.
    for (size_t i = 0; i < n; ++i) {
      b.keys.emplace_back(n, 0.0);
      b.keys.back()[i] = 1;
    }
    b.log_q = floats_in(test.in.at("logq"));
    b.options.temperature = static_cast<double>(float_in(test.in.at("temperature")));
    Answers got(b);
    ASSERT_EQ(got.run(b, nullptr), VMX_OK) << last_error();
    const auto losses = reals_out(test.out.at("row_loss"));
    for (size_t i = 0; i < n; ++i) {
      Real size = 0;
      for (size_t j = 0; j < n; ++j) {
        size = std::max(size, std::fabs(static_cast<Real>(b.queries[i][j])) / b.options.temperature + std::fabs(static_cast<Real>(b.log_q[j])));
      }
      errors.check(got.loss.get(static_cast<int64_t>(i)), losses[i], 16 * kU * (losses[i] + 2 * size), 1, VMX_F32, "loss", static_cast<int64_t>(i), 0);
      const auto grad = reals_out(test.out.at("grad")[i]);
      for (size_t j = 0; j < n; ++j) {
        errors.check(got.grad_queries.get(static_cast<int64_t>(i), static_cast<int64_t>(j)), grad[j],
                     (16 + 4 * size) * kU * std::fabs(grad[j]) + 0x1p-126L, 1, VMX_F32, "d score", static_cast<int64_t>(i), static_cast<int64_t>(j));
      }
    }
  }
}

TEST(InBatch, AgreesWithOracle) {
  VMX_NEEDS_ONEDNN();
  VMX_FOR_EACH_ISA(ctx) {
    for (const int64_t rows : {1, 2, 17, 300}) {
      for (const int64_t dim : {1, 66}) {
        for (int variant = 0; variant < 8; ++variant) {
          Batch b = some_batch(rows, dim, static_cast<uint64_t>(rows * 100 + variant));
          if (variant & 1) b.log_q.clear();
          if (variant & 2) b.identity.clear();
          b.options.score = variant & 4 ? VMX_SCORE_COSINE : VMX_SCORE_DOT;
          b.options.temperature = variant % 3 == 0 ? 1.0 : 0.25;
          b.options.reduction = variant % 3;
          if (variant == 5) b.grad_scale = -2;
          const std::string what = "in batch " + std::to_string(rows) + " x " + std::to_string(dim) + " variant " + std::to_string(variant);
          Answers got(b);
          ASSERT_EQ(got.run(b, ctx), VMX_OK) << last_error();
          check(what, b, got);
          Answers forward(b);
          ASSERT_EQ(forward.run(b, ctx, false), VMX_OK);
          EXPECT_EQ(forward.loss.bytes(), got.loss.bytes());
        }
      }
    }
  }
}

TEST(InBatch, LayoutsDtypesThreads) {
  VMX_NEEDS_ONEDNN();
  for (const bool cosine : {false, true}) {
    for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
      Batch b = some_batch(600, 20, 7);
      b.options.score = cosine ? VMX_SCORE_COSINE : VMX_SCORE_DOT;
      b.options.temperature = 0.5;
      Answers plain(b, dtype);
      ASSERT_EQ(plain.run(b, nullptr), VMX_OK) << last_error();
      for (const int32_t threads : {1, 2, 3, 7}) {
        const Context ctx(VMX_ISA_BEST, threads);
        for (const size_t limit : {size_t{0}, size_t{4} << 20}) {
          b.options.memory_limit = limit;
          Answers got(b, dtype, {.row_pad = 3, .offset = 1}, {.transposed = true}, -2);
          ASSERT_EQ(got.run(b, ctx), VMX_OK) << last_error();
          EXPECT_EQ(got.bytes(), plain.bytes()) << threads << " threads, limit " << limit;
          EXPECT_TRUE(got.grad_keys.surroundings_untouched() && got.grad_queries.surroundings_untouched());
        }
      }
      b.options.memory_limit = 0;
      Batch small = some_batch(9, 20, 8);
      small.options = b.options;
      Answers narrow(small, dtype, {.step = 2}, {}, 1, dtype);
      ASSERT_EQ(narrow.run(small, nullptr), VMX_OK) << last_error();
      check("narrow gradients", small, narrow);
    }
  }
}

TEST(InBatch, OddRows) {
  VMX_NEEDS_ONEDNN();
  for (const bool cosine : {false, true}) {
    Batch b = some_batch(12, 5, 9);
    b.queries[1][2] = NAN;
    b.queries[2] = b.keys[3] = std::vector<double>(5, 0.0);
    b.identity.clear();
    b.options.score = cosine ? VMX_SCORE_COSINE : VMX_SCORE_DOT;
    Answers got(b);
    ASSERT_EQ(got.run(b, nullptr), VMX_OK) << last_error();
    check(cosine ? "odd cosines" : "odd", b, got);
    b.keys[5][1] = -INFINITY;
    for (auto& q : b.queries) q[1] = std::fabs(q[1]) + 0.5;
    if (cosine) continue;  // NaN all over
    Answers masked(b);
    ASSERT_EQ(masked.run(b, nullptr), VMX_OK) << last_error();
    check("a masked key", b, masked);
  }
}

TEST(InBatch, NothingToDo) {
  VMX_NEEDS_ONEDNN();
  Batch b;
  Answers got(b);
  ASSERT_EQ(got.run(b, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(got.total, 0.0);
  EXPECT_EQ(got.weight, 0.0);
}

TEST(InBatch, Arguments) {
  VMX_NEEDS_ONEDNN();
  const Batch good = some_batch(6, 4, 11);
  struct Args {
    vmx_matrix queries, keys, grad_queries, grad_keys;
    vmx_ids identity;
    vmx_vector log_q;
    vmx_sampled_out out;
    vmx_sampled_options options;
    bool no_queries = false, no_keys = false, no_out = false;
  };
  struct Row {
    const char* what;
    vmx_status status;
    std::function<void(Args&)> spoil;
  };
  const float nan = NAN;
  const Row rows[] = {
      {"queries is NULL", VMX_ERR_NULL, [](Args& a) { a.no_queries = true; }},
      {"keys is NULL", VMX_ERR_NULL, [](Args& a) { a.no_keys = true; }},
      {"out is NULL", VMX_ERR_NULL, [](Args& a) { a.no_out = true; }},
      {"queries.data is NULL", VMX_ERR_NULL, [](Args& a) { a.queries.data = nullptr; }},
      {"queries.dtype", VMX_ERR_DTYPE, [](Args& a) { a.queries.dtype = VMX_F16; }},
      {"keys.dtype", VMX_ERR_DTYPE, [](Args& a) { a.keys.dtype = VMX_BF16; }},
      {"keys.rows", VMX_ERR_SHAPE, [](Args& a) { a.keys.rows = 5; }},
      {"keys.cols", VMX_ERR_SHAPE, [](Args& a) { a.keys.cols = 3; }},
      {"identity.n", VMX_ERR_SHAPE, [](Args& a) { a.identity.n = 5; }},
      {"identity.type", VMX_ERR_DTYPE, [](Args& a) { a.identity.type = VMX_F32; }},
      {"log_q.n", VMX_ERR_SHAPE, [](Args& a) { a.log_q.n = 5; }},
      {"log_q[0] is", VMX_ERR_VALUE, [&](Args& a) { a.log_q = {const_cast<float*>(&nan), 6, 0, VMX_F32, 0}; }},
      {"out.loss.n", VMX_ERR_SHAPE, [](Args& a) { a.out.loss.n = 5; }},
      {"out.grad_scale", VMX_ERR_VALUE, [](Args& a) { a.out.grad_scale = NAN; }},
      {"out.struct_size", VMX_ERR_STRUCT, [](Args& a) { a.out.struct_size = 8; }},
      {"grad_queries.rows", VMX_ERR_SHAPE, [](Args& a) { a.grad_queries.rows = 5; }},
      {"grad_keys.dtype", VMX_ERR_DTYPE, [](Args& a) { a.grad_keys.dtype = VMX_F64; }},
      {"grad_keys overlaps itself", VMX_ERR_OVERLAP, [](Args& a) { a.grad_keys.row_stride = 1; }},
      {"grad_keys overlaps grad_queries", VMX_ERR_OVERLAP, [](Args& a) { a.grad_keys = a.grad_queries; }},
      {"grad_queries overlaps queries", VMX_ERR_OVERLAP, [](Args& a) { a.grad_queries = a.queries; }},
      {"grad_keys overlaps keys", VMX_ERR_OVERLAP, [](Args& a) { a.grad_keys = a.keys; }},
      {"options.temperature", VMX_ERR_VALUE, [](Args& a) { a.options.temperature = 0; }},
      {"options.score", VMX_ERR_VALUE, [](Args& a) { a.options.score = 2; }},
      {"options.reduction", VMX_ERR_VALUE, [](Args& a) { a.options.reduction = 3; }},
      {"options.flags", VMX_ERR_VALUE, [](Args& a) { a.options.flags = 4; }},
      {"options.reserved", VMX_ERR_VALUE, [](Args& a) { a.options.reserved = 1; }},
      {"options.memory_limit", VMX_ERR_VALUE, [](Args& a) { a.options.memory_limit = 64; }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Answers answers(good);
    const auto before = answers.bytes();
    vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
    out.loss = answers.loss.view();
    Args a{answers.queries.view(), answers.keys.view(), answers.grad_queries.view(), answers.grad_keys.view(), answers.identity.view(),
           answers.log_q->view(), out, good.options};
    row.spoil(a);
    EXPECT_EQ(vmx_in_batch_softmax(nullptr, nullptr, a.no_queries ? nullptr : &a.queries, a.no_keys ? nullptr : &a.keys, &a.identity,
                                   &a.log_q, a.no_out ? nullptr : &a.out, &a.grad_queries, &a.grad_keys, &a.options),
              row.status);
    EXPECT_NE(last_error().find(row.what), std::string::npos) << last_error();
    EXPECT_EQ(answers.bytes(), before);
  }
}

}  // namespace
}  // namespace vmx::test
