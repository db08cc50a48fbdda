// SPDX-License-Identifier: Apache-2.0
// Gradients of sampled losses by other means than their formulas: finite differences of the total, and the mean over many draws of
// the negatives against its exact expectation.
#include "support/contexts.hpp"
#include "support/sampled.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace vmx::test {
namespace {

using reference::SampledProblem;

std::vector<bool> ways() { return VMX_WITH_ONEDNN ? std::vector<bool>{false, true} : std::vector<bool>{false}; }

struct Kind {
  const char* name;
  int32_t loss, correction;
  uint32_t flags;
};
const Kind kKinds[] = {{"ranking", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_RANKING, 0},
                       {"is", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_IS, 0},
                       {"joint", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_COUNTS, VMX_SAMPLED_JOINT},
                       {"nce", VMX_LOSS_NCE, VMX_CORRECT_NONE, VMX_SAMPLED_KEEP_HITS},
                       {"neg", VMX_LOSS_NEG, VMX_CORRECT_NONE, 0},
                       {"bpr", VMX_LOSS_BPR, VMX_CORRECT_NONE, 0},
                       {"ccl", VMX_LOSS_CCL, VMX_CORRECT_NONE, 0}};

// ---------------------------------------------------------------- finite differences

double total_of(const SampledProblem& p, const SampledForm& form) {
  const SampledArguments arguments(p, form);
  SampledAnswers answers(arguments, arguments.table.rows());
  EXPECT_EQ(answers.run(nullptr, nullptr, arguments, false), VMX_OK) << last_error();
  return answers.total;
}

TEST(SampledGradients, FiniteDifferences) {
  for (const bool shared : ways()) {
    for (const Kind& kind : kKinds) {
      for (const bool cosine : {false, true}) {
        SampledForm form;
        form.shared = shared;
        form.lists = form.bias = true;
        SampledProblem p = make_sampled_problem({5, 6, 14, 9}, form, 17);
        p.options.loss = kind.loss;
        p.options.correction = kind.correction;
        p.options.flags = kind.flags;
        p.options.score = cosine ? VMX_SCORE_COSINE : VMX_SCORE_DOT;
        p.options.temperature = kind.loss == VMX_LOSS_CCL ? 1.0 : 0.6;
        p.options.reduction = VMX_REDUCE_MEAN;
        p.options.margin = -1;
        if (kind.loss == VMX_LOSS_CCL) {  // away from the hinge
          for (double& b : p.bias) b += 3;
        }
        const SampledArguments arguments(p, form);
        SampledAnswers answers(arguments, 14);
        ASSERT_EQ(answers.run(nullptr, nullptr, arguments), VMX_OK) << last_error();
        constexpr double kStep = 1.0 / 128;
        const auto check = [&](double& value, double gradient, const char* what, size_t i, size_t k) {
          const double at = value;
          // Fourth order: what is left over is the rounding of the scores.
          double sum = 0;
          for (const auto& [distance, weight] : {std::pair{1, 8.0}, {-1, -8.0}, {2, -1.0}, {-2, 1.0}}) {
            value = at + distance * kStep;
            sum += weight * total_of(p, form);
          }
          value = at;
          EXPECT_NEAR(gradient, sum / (12 * kStep), 1e-4) << kind.name
              << (shared ? " shared " : " per row ") << (cosine ? "cosine " : "dot ") << what << " " << i << " " << k;
        };
        for (size_t r = 0; r < p.hidden.size(); ++r) {
          for (size_t k = 0; k < p.hidden[r].size(); k += 2) {
            check(p.hidden[r][k], answers.grad_hidden.get(static_cast<int64_t>(r), static_cast<int64_t>(k)), "hidden", r, k);
          }
        }
        for (size_t c = 0; c < p.table.size(); c += 2) {
          for (size_t k = 0; k < p.table[c].size(); k += 3) {
            check(p.table[c][k], answers.listed(static_cast<int64_t>(c), static_cast<int64_t>(k)), "table", c, k);
          }
          check(p.bias[c], answers.listed_bias(static_cast<int64_t>(c)), "bias", c, 0);
        }
      }
    }
  }
}

// ---------------------------------------------------------------- many draws

// Rows of one hidden vector and one target, with negatives of their own: as many draws of a sampled gradient.
class Draws {
 public:
  static constexpr int64_t kClasses = 6, kDim = 3;

  explicit Draws(const Kind& kind) {
    Random random(29);
    for (int64_t c = 0; c < kClasses; ++c) {
      base_.table.push_back({});
      for (int64_t k = 0; k < kDim; ++k) base_.table.back().push_back(static_cast<double>(random.below(33) - 16) / 12);
    }
    hidden_ = {0.75, -1.25, 0.5};
    double sum = 0;
    for (int64_t c = 0; c < kClasses; ++c) {
      q_.push_back(1.0 + static_cast<double>((c * 5) % 4));
      sum += q_.back();
    }
    for (double& q : q_) q /= sum;
    base_.options.loss = kind.loss;
    base_.options.correction = kind.correction;
    base_.options.flags = kind.flags;
    base_.options.reduction = VMX_REDUCE_SUM;
  }

  double q(int64_t c) const { return q_[static_cast<size_t>(c)]; }
  double log_q(int64_t c, int64_t m) const {
    const double own = std::log(q(c));
    // NCE takes log expected counts.
    const double counts = base_.options.loss == VMX_LOSS_NCE ? std::log(static_cast<double>(m)) : 0.0;
    return static_cast<double>(static_cast<float>(own + counts));
  }
  int64_t draw(Random& random) const {
    double u = random.unit();
    for (int64_t c = 0; c < kClasses - 1; ++c) {
      if ((u -= q(c)) < 0) return c;
    }
    return kClasses - 1;
  }

  // The gradient of hidden of each list of negatives.
  std::vector<std::vector<double>> gradients(const std::vector<std::vector<int64_t>>& lists) const {
    SampledProblem p = base_;
    for (const auto& list : lists) {
      const auto m = static_cast<int64_t>(list.size());
      p.hidden.push_back(hidden_);
      p.targets.push_back({{kTarget, 1, log_q(kTarget, m)}});
      p.candidates.push_back({});
      for (const int64_t id : list) p.candidates.back().push_back({id, log_q(id, m)});
    }
    const SampledForm form;
    const SampledArguments arguments(p, form);
    SampledAnswers answers(arguments, kClasses);
    EXPECT_EQ(answers.run(nullptr, nullptr, arguments), VMX_OK) << last_error();
    std::vector<std::vector<double>> out;
    for (size_t r = 0; r < lists.size(); ++r) out.push_back(answers.grad_hidden.row(static_cast<int64_t>(r)));
    return out;
  }

  // Of m draws, by the oracle over all classes^m of them.
  std::vector<double> expectation(int64_t m) const {
    std::vector<double> mean(kDim, 0.0);
    std::vector<int64_t> list(static_cast<size_t>(m), 0);
    for (;;) {
      double probability = 1;
      SampledProblem p = base_;
      p.hidden = {hidden_};
      p.targets = {{{kTarget, 1, log_q(kTarget, m)}}};
      p.candidates = {{}};
      for (const int64_t id : list) {
        probability *= q(id);
        p.candidates[0].push_back({id, log_q(id, m)});
      }
      const reference::SampledAnswer answer = reference::sampled_loss(p);
      for (size_t k = 0; k < mean.size(); ++k) mean[k] += probability * static_cast<double>(answer.hidden[0][k]);
      size_t i = 0;
      while (i < list.size() && ++list[i] == kClasses) list[i++] = 0;
      if (i == list.size()) return mean;
    }
  }

  // What the sampled softmax estimates: the gradient of the softmax over all classes.
  std::vector<double> exact() const {
    std::vector<double> z, gradient(kDim, 0.0);
    double sum = 0;
    for (const auto& w : base_.table) {
      double dot = 0;
      for (size_t k = 0; k < w.size(); ++k) dot += w[k] * hidden_[k];
      z.push_back(std::exp(dot));
      sum += z.back();
    }
    for (size_t c = 0; c < z.size(); ++c) {
      for (size_t k = 0; k < gradient.size(); ++k) gradient[k] += (z[c] / sum - (c == kTarget ? 1 : 0)) * base_.table[c][k];
    }
    return gradient;
  }

  static constexpr int64_t kTarget = 2;

 private:
  SampledProblem base_;
  std::vector<double> hidden_, q_;
};

struct Mean {
  std::vector<double> mean, error;  // standard error of each
};
Mean mean_of(const Draws& draws, int64_t m, int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<double> sum(Draws::kDim, 0.0), squares(Draws::kDim, 0.0);
  for (int64_t done = 0; done < n; done += 2000) {
    std::vector<std::vector<int64_t>> lists(2000);
    for (auto& list : lists) {
      for (int64_t j = 0; j < m; ++j) list.push_back(draws.draw(random));
    }
    for (const auto& g : draws.gradients(lists)) {
      for (size_t k = 0; k < g.size(); ++k) {
        sum[k] += g[k];
        squares[k] += g[k] * g[k];
      }
    }
  }
  Mean out;
  const auto count = static_cast<double>(n);
  for (size_t k = 0; k < sum.size(); ++k) {
    out.mean.push_back(sum[k] / count);
    out.error.push_back(std::sqrt((squares[k] / count - out.mean[k] * out.mean[k]) / count));
  }
  return out;
}

TEST(SampledGradients, MeanOverDraws) {
  for (const Kind& kind : kKinds) {
    const Draws draws(kind);
    constexpr int64_t kNegatives = 3;
    const auto expected = draws.expectation(kNegatives);
    const Mean got = mean_of(draws, kNegatives, 100000, 31);
    for (size_t k = 0; k < expected.size(); ++k) {
      EXPECT_GT(got.error[k], 0.0);
      EXPECT_NEAR(got.mean[k], expected[k], 4 * got.error[k]) << kind.name << " " << k;
    }
  }
}

// Self-normalised estimates are biased, by 1/m.
TEST(SampledGradients, BiasFallsAsOneOverM) {
  const Draws draws({"ranking_hits", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_RANKING, VMX_SAMPLED_KEEP_HITS});
  const auto exact = draws.exact();
  std::vector<double> scaled;
  for (const int64_t m : {16, 32, 64}) {
    const Mean got = mean_of(draws, m, 100000, static_cast<uint64_t>(m));
    double bias = 0, error = 0;
    for (size_t k = 0; k < exact.size(); ++k) {
      bias += (got.mean[k] - exact[k]) * (got.mean[k] - exact[k]) - got.error[k] * got.error[k];
      error = std::max(error, got.error[k]);
    }
    bias = std::sqrt(bias);
    EXPECT_GT(bias, 4 * error) << "too few draws to see the bias at m = " << m;
    scaled.push_back(static_cast<double>(m) * bias);
  }
  EXPECT_NEAR(scaled[1] / scaled[0], 1.0, 0.15);
  EXPECT_NEAR(scaled[2] / scaled[1], 1.0, 0.15);
}

}  // namespace
}  // namespace vmx::test
