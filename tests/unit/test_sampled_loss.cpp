// SPDX-License-Identifier: Apache-2.0
// Losses over sampled classes against the committed vectors and an oracle in long double: every loss with every option, lists of
// targets, hits, empty slots, repeats, cosines, layouts and dtypes.
// ctest-labels: sanitize
#include "reference/sampled.hpp"
#include "support/contexts.hpp"
#include "support/errors.hpp"
#include "support/json_vectors.hpp"
#include "support/sampled.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace vmx::test {
namespace {

using Real = long double;
using reference::SampledProblem;

constexpr Real kU = 0x1p-24L;
constexpr bool kWithOneDnn = VMX_WITH_ONEDNN;

// Candidates of each row, and where there is oneDNN shared ones.
std::vector<bool> ways() { return kWithOneDnn ? std::vector<bool>{false, true} : std::vector<bool>{false}; }

// ---------------------------------------------------------------- vectors

struct VectorRun {
  Real loss;
  std::vector<Real> grad;  // of the target, then of the candidates
};

// Scores as products of one column: hidden is 1. Two equal rows, so that shared candidates are shared.
VectorRun run_vector(const vmx_context* ctx, bool shared, float z_pos, const std::vector<double>& z_neg, float logq_pos,
                     const std::vector<double>& logq_neg, const std::vector<int64_t>& hits, int32_t loss, int32_t correction) {
  SampledProblem p;
  p.hidden = {{1}, {1}};
  p.table = {{static_cast<double>(z_pos)}};
  p.identity = {0};
  std::vector<reference::Candidate> list;
  for (size_t j = 0; j < z_neg.size(); ++j) {
    p.table.push_back({z_neg[j]});
    const bool hit = std::find(hits.begin(), hits.end(), static_cast<int64_t>(j)) != hits.end();
    p.identity.push_back(hit ? 0 : static_cast<int64_t>(j) + 1);
    list.push_back({static_cast<int64_t>(j) + 1, logq_neg[j]});
  }
  p.targets = {{{0, 1, static_cast<double>(logq_pos)}}, {{0, 1, static_cast<double>(logq_pos)}}};
  p.candidates.assign(shared ? 1 : 2, list);
  p.options.loss = loss;
  p.options.correction = correction;
  SampledForm form;
  const SampledArguments arguments(p, form);
  SampledAnswers answers(arguments, static_cast<int64_t>(p.table.size()));
  EXPECT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
  EXPECT_EQ(answers.loss.get(0), answers.loss.get(1));
  VectorRun out{static_cast<Real>(answers.loss.get(0)), {}};
  for (size_t c = 0; c < p.table.size(); ++c) out.grad.push_back(static_cast<Real>(answers.listed(static_cast<int64_t>(c), 0)) / 2);
  return out;
}

void check_vector(const VectorCase& test, const VectorRun& got, Real size, ErrorReport& errors) {
  const Real loss = real_out(test.out.at("loss"));
  errors.check(static_cast<double>(got.loss), loss, 16 * kU * (std::fabs(loss) + 2 * size), 1, VMX_F32, test.id.c_str(), 0, 0);
  std::vector<Real> grad{real_out(test.out.at("grad_pos"))};
  for (const Real g : reals_out(test.out.at("grad_neg"))) grad.push_back(g);
  ASSERT_EQ(grad.size(), got.grad.size());
  for (size_t i = 0; i < grad.size(); ++i) {
    errors.check(static_cast<double>(got.grad[i]), grad[i], std::fabs(grad[i]) * (16 + 4 * size) * kU + 0x1p-126L, 1, VMX_F32,
                 test.id.c_str(), 0, static_cast<int64_t>(i));
  }
}

Real largest_of(const std::vector<double>& values) {
  Real most = 0;
  for (const double v : values) most = std::max(most, std::fabs(static_cast<Real>(v)));
  return most;
}

TEST(SampledLoss, Vectors) {
  VMX_FOR_EACH_ISA(ctx) {
    ErrorReport errors("vectors", kU);
    for (const char* op : {"sampled_softmax", "nce", "neg"}) {
      for (const VectorCase& test : load_vectors("approx.json", op)) {
        SCOPED_TRACE(test.id);
        const float z_pos = float_in(test.in.at("z_pos")), logq_pos = float_in(test.in.at("logq_pos"));
        const auto z_neg = floats_in(test.in.at("z_neg")), logq_neg = floats_in(test.in.at("logq_neg"));
        const double log_m = std::log(static_cast<double>(z_neg.size()));
        std::vector<int64_t> hits;
        int32_t loss = VMX_LOSS_NEG, correction = VMX_CORRECT_NONE;
        float target_q = logq_pos;
        std::vector<double> q = logq_neg;
        if (test.op == "sampled_softmax") {
          loss = VMX_LOSS_SAMPLED_SOFTMAX;
          const std::string mode = test.in.at("mode");
          correction = mode == "is" ? VMX_CORRECT_IS : mode == "ranking" ? VMX_CORRECT_RANKING : VMX_CORRECT_NONE;
          hits = test.in.at("accidental_hits").get<std::vector<int64_t>>();
        } else if (test.op == "nce") {
          loss = VMX_LOSS_NCE;
          target_q = static_cast<float>(static_cast<double>(logq_pos) + log_m);
          for (double& v : q) v = static_cast<double>(static_cast<float>(v + log_m));
        }
        const Real size = std::max(largest_of(z_neg), std::fabs(static_cast<Real>(z_pos))) + largest_of(q) + static_cast<Real>(log_m);
        for (const bool shared : ways()) {
          check_vector(test, run_vector(ctx, shared, z_pos, z_neg, target_q, q, hits, loss, correction), size, errors);
          // TensorFlow's form: log expected counts with replacement differ by a constant.
          if (correction == VMX_CORRECT_RANKING) {
            std::vector<double> counts = q;
            for (double& v : counts) v += 2;
            check_vector(test, run_vector(ctx, shared, z_pos, z_neg, target_q + 2, counts, hits, loss, VMX_CORRECT_COUNTS), size + 2, errors);
          }
        }
      }
    }
  }
}

// ---------------------------------------------------------------- the oracle

struct LossKind {
  const char* name;
  int32_t loss, correction;
  uint32_t flags;
};
const LossKind kKinds[] = {{"none", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_NONE, 0},
                           {"ranking", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_RANKING, 0},
                           {"ranking_hits", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_RANKING, VMX_SAMPLED_KEEP_HITS},
                           {"is", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_IS, 0},
                           {"is_joint", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_IS, VMX_SAMPLED_JOINT},
                           {"counts", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_COUNTS, 0},
                           {"counts_joint_hits", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_COUNTS, VMX_SAMPLED_JOINT | VMX_SAMPLED_KEEP_HITS},
                           {"nce", VMX_LOSS_NCE, VMX_CORRECT_NONE, 0},
                           {"nce_hits", VMX_LOSS_NCE, VMX_CORRECT_NONE, VMX_SAMPLED_KEEP_HITS},
                           {"neg", VMX_LOSS_NEG, VMX_CORRECT_NONE, 0},
                           {"bpr", VMX_LOSS_BPR, VMX_CORRECT_NONE, 0},
                           {"ccl", VMX_LOSS_CCL, VMX_CORRECT_NONE, 0},
                           {"ccl_hits", VMX_LOSS_CCL, VMX_CORRECT_NONE, VMX_SAMPLED_KEEP_HITS}};

void set_options(SampledProblem& p, const LossKind& kind, bool cosine, double temperature, int32_t reduction) {
  p.options.loss = kind.loss;
  p.options.correction = kind.correction;
  p.options.flags = kind.flags;
  p.options.score = cosine ? VMX_SCORE_COSINE : VMX_SCORE_DOT;
  p.options.temperature = kind.loss == VMX_LOSS_CCL ? 1.0 : temperature;
  p.options.reduction = reduction;
  p.options.margin = 0.2371;
  p.options.negative_weight = 1.5;
}

const SampledSizes kSizes[] = {{5, 7, 23, 9}, {3, 64, 40, 1}, {4, 1, 11, 17}, {33, 130, 300, 70}, {2, 65, 9, 300}};

TEST(SampledLoss, AgreesWithOracle) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const bool shared : ways()) {
      for (const LossKind& kind : kKinds) {
        for (const bool cosine : {false, true}) {
          for (size_t i = 0; i < std::size(kSizes); ++i) {
            SampledForm form;
            form.shared = shared;
            form.lists = i % 2 == 0 || i == 3;
            form.bias = i != 1;
            form.identity = i == 3 || i == 4;
            form.empty_slots = i != 1;
            if (i == 3) form.id_type = VMX_I32;
            SampledProblem p = make_sampled_problem(kSizes[i], form, 100 + i);
            set_options(p, kind, cosine, i == 1 ? 1.0 : i == 2 ? 0.07 : 0.5, static_cast<int32_t>(i % 3));
            if (i == 2) p.grad_scale = -3;
            const SampledArguments arguments(p, form);
            SampledAnswers answers(arguments, kSizes[i].classes);
            const std::string what = std::string(kind.name) + (shared ? " shared" : " per row") + (cosine ? " cosine " : " dot ") + std::to_string(i);
            SCOPED_TRACE(what);
            ASSERT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
            check_sampled(what, p, answers);
            EXPECT_TRUE(answers.surroundings_untouched());
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace vmx::test
