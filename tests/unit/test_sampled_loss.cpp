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


TEST(SampledLoss, LayoutsAndDtypes) {
  const Layout layouts[] = {{.row_pad = 3, .offset = 1}, {.step = 2}, {.transposed = true}, {.reversed_rows = true},
                            {.row_pad = 1, .step = 2, .reversed_cols = true}};
  VMX_FOR_EACH_ISA(ctx) {
    for (const bool shared : ways()) {
      for (const bool cosine : {false, true}) {
        for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
          for (size_t i = 0; i < std::size(layouts); ++i) {
            SampledForm form;
            form.dtype = dtype;
            form.shared = shared;
            form.lists = form.bias = form.identity = form.empty_slots = true;
            form.hidden = layouts[i];
            form.table = layouts[(i + 1) % std::size(layouts)];
            form.ids = layouts[(i + 2) % std::size(layouts)];
            form.log_q = layouts[(i + 3) % std::size(layouts)];
            form.stride = i % 2 ? -2 : 3;
            SampledProblem p = make_sampled_problem({9, 70, 50, 20}, form, 300 + i);
            set_options(p, kKinds[i % 2 ? 3 : 7], cosine, 0.5, VMX_REDUCE_SUM);
            const SampledArguments arguments(p, form);
            SampledAnswers answers(arguments, 50, i % 2 ? dtype : VMX_F32, layouts[(i + 4) % std::size(layouts)], form.stride);
            for (int64_t c = 0; c < 50; ++c) {
              answers.grad_bias.set(c, 2);
              for (int64_t k = 0; k < 70; ++k) answers.grad_table.set(c, k, 2);
            }
            const std::string what = std::string(shared ? "shared " : "per row ") + (cosine ? "cosine " : "dot ") + std::to_string(i);
            SCOPED_TRACE(what);
            ASSERT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
            check_sampled(what, p, answers, 2);
            EXPECT_TRUE(answers.surroundings_untouched());
          }
        }
      }
    }
  }
}

// Several chunks of rows, several tiles of candidates, rows of the table that are fetched beforehand.
TEST(SampledLoss, ManyRowsAndCandidates) {
  for (const bool shared : ways()) {
    for (const LossKind& kind : {kKinds[3], kKinds[7]}) {
      SampledForm form;
      form.shared = shared;
      form.lists = form.bias = true;
      SampledProblem p = make_sampled_problem(shared ? SampledSizes{700, 24, 900, 1100} : SampledSizes{150, 24, 400, 130}, form, 41);
      set_options(p, kind, false, 2.0, VMX_REDUCE_MEAN);
      const SampledArguments arguments(p, form);
      SampledAnswers answers(arguments, arguments.table.rows());
      ASSERT_EQ(answers.run(nullptr, nullptr, arguments), VMX_OK) << last_error();
      check_sampled(std::string(kind.name) + (shared ? " shared" : " per row"), p, answers);
    }
  }
}

// A class that more than 64 rows share: its sum goes to f64 by pieces.
TEST(SampledLoss, ManyTermsOfOneClass) {
  VMX_FOR_EACH_ISA(ctx) {
    SampledForm form;
    SampledProblem p = make_sampled_problem({300, 67, 3, 5}, form, 42);
    set_options(p, kKinds[9], false, 1.0, VMX_REDUCE_SUM);
    const SampledArguments arguments(p, form);
    SampledAnswers answers(arguments, 3);
    ASSERT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
    check_sampled("three classes", p, answers);
  }
}

TEST(SampledLoss, ForwardAloneSaysTheSame) {
  for (const bool shared : ways()) {
    for (const LossKind& kind : kKinds) {
      SampledForm form;
      form.shared = shared;
      form.lists = form.empty_slots = true;
      SampledProblem p = make_sampled_problem({20, 33, 40, 30}, form, 51);
      set_options(p, kind, false, 0.5, VMX_REDUCE_MEAN);
      const SampledArguments arguments(p, form);
      SampledAnswers with(arguments, 40), without(arguments, 40);
      const auto untouched = without.grad_hidden.bytes();
      ASSERT_EQ(with.run(nullptr, nullptr, arguments), VMX_OK) << last_error();
      ASSERT_EQ(without.run(nullptr, nullptr, arguments, false), VMX_OK) << last_error();
      EXPECT_EQ(with.loss.bytes(), without.loss.bytes()) << kind.name;
      EXPECT_EQ(with.flags, without.flags);
      EXPECT_EQ(with.total, without.total);
      EXPECT_EQ(without.grad_hidden.bytes(), untouched);
      EXPECT_EQ(without.sparse.count, -9);
    }
  }
}

// Each output by itself says what it says beside the others.
TEST(SampledLoss, OutputsAlone) {
  for (const bool shared : ways()) {
    for (const bool cosine : {false, true}) {
      SampledForm form;
      form.shared = shared;
      form.lists = form.bias = true;
      SampledProblem p = make_sampled_problem({20, 33, 40, 30}, form, 52);
      set_options(p, kKinds[3], cosine, 0.5, VMX_REDUCE_MEAN);
      const SampledArguments arguments(p, form);
      SampledAnswers all(arguments, 40);
      ASSERT_EQ(all.run(nullptr, nullptr, arguments), VMX_OK) << last_error();
      for (int which = 0; which < 4; ++which) {
        SampledAnswers one(arguments, 40);
        if (which != 0) one.grads.hidden.data = nullptr;
        if (which != 1) one.grads.table.data = nullptr;
        if (which != 2) one.grads.bias.data = nullptr;
        if (which != 3) one.grads.sparse = nullptr;
        ASSERT_EQ(one.run(nullptr, nullptr, arguments), VMX_OK) << last_error();
        const SampledAnswers blank(arguments, 40);
        EXPECT_EQ(one.grad_hidden.bytes(), (which == 0 ? all : blank).grad_hidden.bytes());
        EXPECT_EQ(one.grad_table.bytes(), (which == 1 ? all : blank).grad_table.bytes());
        EXPECT_EQ(one.grad_bias.bytes(), (which == 2 ? all : blank).grad_bias.bytes());
        EXPECT_EQ(one.rows.bytes(), (which == 3 ? all : blank).rows.bytes());
        EXPECT_EQ(one.row_bias, (which == 3 ? all : blank).row_bias);
      }
      vmx_sampled_out nothing = VMX_SAMPLED_OUT_INIT;
      EXPECT_EQ(vmx_sampled_loss(nullptr, nullptr, arguments.hidden, arguments.table, &arguments.bias->view(), &arguments.targets,
                                 &arguments.candidates, &nothing, nullptr, &arguments.options),
                VMX_OK);
    }
  }
}

// Hits leave no trace: neither in the loss nor in a gradient, wherever they stand.
TEST(SampledLoss, NoHitSurvives) {
  for (const bool shared : ways()) {
    for (const LossKind& kind : kKinds) {
      if (kind.flags & VMX_SAMPLED_KEEP_HITS || kind.correction == VMX_CORRECT_IS) continue;
      SampledForm form;
      form.shared = shared;
      form.planted_hits = false;
      SampledProblem clean = make_sampled_problem({6, 19, 60, 25}, form, 61);
      for (auto& list : clean.targets) list[0].id = 59;  // a class that no row draws
      for (auto& list : clean.candidates) {
        for (auto& c : list) c.id = c.id == 59 ? 3 : c.id;
      }
      set_options(clean, kind, false, 0.7, VMX_REDUCE_SUM);
      SampledProblem with = clean, empty = clean;
      for (auto* p : {&with, &empty}) {
        for (auto& list : p->candidates) {
          for (const size_t place : {size_t{0}, size_t{7}, size_t{24}}) list[place].id = p == &with ? 59 : -1;
        }
      }
      const SampledArguments a(with, form), b(empty, form);
      SampledAnswers hits(a, 60), slots(b, 60);
      ASSERT_EQ(hits.run(nullptr, nullptr, a), VMX_OK) << last_error();
      ASSERT_EQ(slots.run(nullptr, nullptr, b), VMX_OK) << last_error();
      EXPECT_EQ(hits.loss.bytes(), slots.loss.bytes()) << kind.name;
      EXPECT_EQ(hits.bytes(), slots.bytes()) << kind.name;
    }
  }
}

// ---------------------------------------------------------------- edges

TEST(SampledLoss, NoNegativesLeft) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const bool shared : ways()) {
      for (const LossKind& kind : kKinds) {
        SampledForm form;
        form.shared = shared;
        form.lists = true;
        SampledProblem p = make_sampled_problem({6, 19, 30, 4}, form, 71);
        for (auto& list : p.candidates) {
          for (auto& c : list) c.id = -1;
        }
        set_options(p, kind, false, 0.7, VMX_REDUCE_SUM);
        const SampledArguments arguments(p, form);
        SampledAnswers answers(arguments, 30);
        ASSERT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
        check_sampled(std::string("no negatives ") + kind.name, p, answers);
        for (const uint32_t flags : answers.flags) EXPECT_EQ(flags, VMX_ROW_EMPTY);

        // No slots at all.
        for (auto& list : p.candidates) list.clear();
        const SampledArguments none(p, form);
        SampledAnswers of_none(none, 30);
        ASSERT_EQ(of_none.run(ctx, nullptr, none), VMX_OK) << last_error();
        check_sampled(std::string("no slots ") + kind.name, p, of_none);
      }
    }
  }
}

TEST(SampledLoss, OddRows) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const bool shared : ways()) {
      for (const LossKind& kind : kKinds) {
        for (const bool cosine : {false, true}) {
          SampledForm form;
          form.shared = shared;
          form.lists = true;
          SampledProblem p = make_sampled_problem({12, 5, 40, 14}, form, 81);
          p.hidden[1][2] = NAN;
          p.hidden[3][0] = INFINITY;
          p.hidden[4] = std::vector<double>(5, 0.0);
          p.targets[6].clear();  // NaN without targets
          p.hidden[6][1] = NAN;
          p.table[7][3] = NAN;
          p.table[8][1] = INFINITY;
          p.table[9][1] = -INFINITY;
          p.table[10] = std::vector<double>(5, 0.0);
          p.targets[7] = {{7, 1, -2}};
          p.targets[8] = {{8, 1, -2}, {3, 0.5, -3}};
          p.targets[9] = {{9, 1, -2}, {4, 1, -3}};
          p.targets[10] = {{10, 1, -2}};
          for (size_t r = 0; r < p.candidates.size(); ++r) {
            // Few rows meet the odd classes, but for shared candidates.
            for (auto& c : p.candidates[r]) {
              if (c.id >= 7 && c.id <= 9) c.id = 20;
            }
            if (!shared && r == 2) p.candidates[r][5].id = 7;
            if (!shared && r == 0) p.candidates[r][5].id = 8;
            if (r == 0 || r == 5) p.candidates[r][6].id = 9;
            p.candidates[r][7].id = 10;
          }
          for (auto& h : p.hidden) {
            if (h[1] == 0) h[1] = 0.5;  // 0 times an infinity is another matter
          }
          p.hidden[4][1] = 0;
          set_options(p, kind, cosine, 0.7, VMX_REDUCE_SUM);
          const SampledArguments arguments(p, form);
          SampledAnswers answers(arguments, 40);
          const std::string what = std::string("odd ") + kind.name + (shared ? " shared" : " per row") + (cosine ? " cosine" : "");
          SCOPED_TRACE(what);
          ASSERT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
          check_sampled(what, p, answers);
        }
      }
    }
  }
}

// Lengths that f32 squares do not hold: a cosine is one all the same.
TEST(SampledLoss, CosinesOfAnyLength) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const bool shared : ways()) {
      SampledForm form;
      form.shared = shared;
      SampledProblem p = make_sampled_problem({6, 70, 30, 20}, form, 91);
      for (size_t r = 0; r < p.hidden.size(); ++r) {
        for (double& v : p.hidden[r]) v = std::ldexp(v, r % 3 == 0 ? -60 : r % 3 == 1 ? 70 : 0);
      }
      for (size_t c = 0; c < p.table.size(); ++c) {
        for (double& v : p.table[c]) v = std::ldexp(v, c % 4 == 0 ? -100 : c % 4 == 1 ? 80 : c % 4 == 2 ? 0 : -15);
      }
      set_options(p, kKinds[9], true, 0.5, VMX_REDUCE_SUM);
      p.grad_scale = 0x1p-20;
      const SampledArguments arguments(p, form);
      SampledAnswers answers(arguments, 30);
      ASSERT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
      check_sampled(std::string("lengths") + (shared ? " shared" : " per row"), p, answers);
    }
  }
}

TEST(SampledLoss, NothingToDo) {
  for (const bool shared : ways()) {
    SampledForm form;
    form.shared = shared;
    SampledProblem p = make_sampled_problem({0, 4, 5, 3}, form, 1);
    if (shared) {
      p.candidates = {{{2, -1.0}, {2, -1.0}, {-1, 0}}};
    }
    const SampledArguments arguments(p, form);
    SampledAnswers answers(arguments, 5);
    for (const int32_t reduction : {VMX_REDUCE_SUM, VMX_REDUCE_MEAN}) {
      SampledArguments again(p, form);
      again.options.reduction = reduction;
      ASSERT_EQ(answers.run(nullptr, nullptr, again), VMX_OK) << last_error();
      EXPECT_EQ(answers.weight, 0.0);
      EXPECT_EQ(std::isnan(answers.total), reduction == VMX_REDUCE_MEAN);
      EXPECT_TRUE(reduction == VMX_REDUCE_MEAN || answers.total == 0.0);
    }
    EXPECT_EQ(answers.sparse.count, shared ? 1 : 0);
    EXPECT_EQ(answers.listed(2, 0), 0.0);
  }
  // No columns: scores are those of the bias.
  SampledForm form;
  form.bias = true;
  SampledProblem p = make_sampled_problem({3, 0, 9, 5}, form, 2);
  const SampledArguments arguments(p, form);
  SampledAnswers answers(arguments, 9);
  ASSERT_EQ(answers.run(nullptr, nullptr, arguments), VMX_OK) << last_error();
  check_sampled("no columns", p, answers);
}

}  // namespace
}  // namespace vmx::test
