// SPDX-License-Identifier: Apache-2.0
// What stands between a batch and the library's samplers and sampled losses: settings, negatives with their corrections, lazy
// Adam, gradients as lists of rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "error.hpp"
#include "losses/loss.hpp"
#include "optimizer.hpp"
#include "sampler.hpp"

namespace {

using tool::Csr;
using tool::SampledOptions;
using tool::SampledSettings;
using tool::SamplerKind;
using tool::Score;

template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const tool::UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Settings, DefaultsOfTheLosses) {
  for (const tool::LossEntry& entry : tool::losses()) {
    if (!tool::is_sampled(entry.name)) continue;
    const SampledSettings s = tool::decide(entry.name, {}, Score::cosine, 5000);
    EXPECT_EQ(s.negatives > 0, s.sampler != SamplerKind::in_batch) << entry.name;
    EXPECT_EQ(s.per_row, std::string(entry.name) == "neg") << entry.name;
    EXPECT_FALSE(s.unique || s.keep_hits) << entry.name;
    EXPECT_DOUBLE_EQ(s.negative_weight, 50);
    const bool softmax = s.loss == VMX_LOSS_SAMPLED_SOFTMAX;
    EXPECT_EQ(s.joint, softmax) << entry.name;
    EXPECT_EQ(s.correction == tool::Correction::none, !softmax) << entry.name;
    EXPECT_DOUBLE_EQ(s.log_z, std::log(5000.0));
  }
  EXPECT_EQ(tool::decide("ccl", {}, Score::cosine, 60).negative_weight, 1);
  EXPECT_EQ(tool::default_temperature("bpr", Score::cosine), 0.2);
  EXPECT_EQ(tool::default_temperature("softmax", Score::cosine), 0.1);
  EXPECT_EQ(tool::default_temperature("bpr", Score::dot), 1);
  EXPECT_FALSE(tool::is_sampled("softmax"));
  SampledOptions midx;
  midx.sampler = "midx";
  EXPECT_TRUE(tool::decide("bpr", midx, Score::dot, 100).per_row);
  SampledOptions unique;
  unique.unique = true;
  EXPECT_EQ(tool::decide("sampled_softmax", unique, Score::dot, 100).correction, tool::Correction::counts);
  EXPECT_EQ(tool::decide("sampled_softmax", unique, Score::dot, 100).negatives, 100);
}

TEST(Settings, WhatDoesNotGoTogetherIsNamed) {
  struct Case {
    const char* loss;
    void (*change)(SampledOptions&);
    const char* text;
  };
  const Case cases[] = {
      {"infonce", [](SampledOptions& o) { o.sampler = "uniform"; }, "--sampler: uniform"},
      {"infonce", [](SampledOptions& o) { o.negatives = 7; }, "--negatives: 7"},
      {"infonce", [](SampledOptions& o) { o.unique = true; }, "--unique"},
      {"infonce", [](SampledOptions& o) { o.per_row = true; }, "--per-row"},
      {"nce", [](SampledOptions& o) { o.correction = "is"; }, "--correction: is"},
      {"bpr", [](SampledOptions& o) { o.joint = true; }, "--joint"},
      {"bpr", [](SampledOptions& o) { o.joint = false; }, "--separate"},
      {"bpr", [](SampledOptions& o) { o.margin = 0.1; }, "--margin"},
      {"bpr", [](SampledOptions& o) { o.negative_weight = 0.1; }, "--negative-weight"},
      {"bpr", [](SampledOptions& o) { o.log_z = 3; }, "--log-z"},
      {"bpr", [](SampledOptions& o) { o.power = 1; }, "--power: --sampler uniform"},
      {"bpr", [](SampledOptions& o) { o.rebuild_every = "2"; }, "--rebuild-every"},
      {"bpr", [](SampledOptions& o) { o.sampler = "midx", o.rebuild_every = "0"; }, "--rebuild-every: 0"},
      {"bpr", [](SampledOptions& o) { o.sampler = "midx", o.rebuild_every = "2weeks"; }, "--rebuild-every: 2weeks"},
      {"bpr", [](SampledOptions& o) { o.negatives = 101, o.unique = true; }, "--negatives: 101"},
      {"nce", [](SampledOptions& o) { o.sampler = "exact", o.unique = true; }, "--unique"},
  };
  for (const Case& c : cases) {
    SampledOptions given;
    c.change(given);
    const std::string text = refusal([&] { tool::decide(c.loss, given, Score::cosine, 100); });
    EXPECT_NE(text.find(c.text), std::string::npos) << c.text << " / " << text;
    EXPECT_NE(refusal([&] { tool::refuse_sampled_options("softmax", given); }).find("--loss softmax"), std::string::npos);
  }
  EXPECT_NE(refusal([] { tool::decide("ccl", {}, Score::dot, 100); }).find("--score is dot"), std::string::npos);
  EXPECT_EQ(refusal([] { tool::refuse_sampled_options("softmax", {}); }), "");
}

TEST(Settings, Periods) {
  EXPECT_EQ(tool::text_of(tool::parse_period("3", "--x")), "3epochs");
  EXPECT_EQ(tool::text_of(tool::parse_period("1epoch", "--x")), "1epochs");
  EXPECT_EQ(tool::text_of(tool::parse_period("200steps", "--x")), "200steps");
  for (const char* bad : {"", "x", "-1", "0steps", "3.5", "3 steps"}) {
    EXPECT_NE(refusal([&] { tool::parse_period(bad, "--x"); }).find("--x: "), std::string::npos) << bad;
  }
}

// A batch of three users over ten items; item 4 is the most popular, 7 to 9 have no user.
class NegativesTest : public testing::Test {
 protected:
  NegativesTest() {
    for (const auto& row : {std::vector<int32_t>{1, 4}, {0, 2, 4, 5}, {4}, {3, 4, 6}, {2, 4}}) train.add_row(row);
    model.score = Score::cosine;
    model.temperature = 0.5;
    model.users = tool::Table(5, 8);
    model.items = tool::Table(10, 8);
    tool::initialise(&model.users, 0.5, 1, tool::Purpose::init_users);
    tool::initialise(&model.items, 0.5, 1, tool::Purpose::init_items);
  }

  tool::LossBatch batch(int64_t step = 0) {
    return {step, 3, users.data(), queries(), model.items.data.data(), starts.data(), positives.data(), weights.data(), 6};
  }
  const float* queries() {
    vectors.assign(model.users.row(0), model.users.row(0) + 3 * 8);
    return vectors.data();
  }
  SampledSettings settings(const std::string& loss, const std::string& sampler, int64_t negatives = 0) {
    SampledOptions given;
    given.sampler = sampler;
    if (negatives > 0) given.negatives = negatives;
    return tool::decide(loss, given, model.score, model.items.rows);
  }
  static int32_t id(const vmx_candidates& c, int64_t row, int64_t i) {
    return static_cast<const int32_t*>(c.ids.data)[row * c.ids.cols + i];
  }
  static float log_q(const vmx_candidates& c, int64_t row, int64_t i) {
    return static_cast<const float*>(c.log_q.data)[row * c.log_q.cols + i];
  }
  static float target(const vmx_candidates& c, int64_t i) { return static_cast<const float*>(c.target_log_q.data)[i]; }

  tool::Engine engine{1};
  Csr train;
  tool::Model model;
  std::vector<int32_t> users{0, 1, 2}, positives{1, 4, 0, 2, 4, 5};
  std::vector<int64_t> starts{0, 2, 6, 6};
  std::vector<float> weights = std::vector<float>(6, 1.0f);
  tool::Floats vectors;
};

TEST_F(NegativesTest, LogUniformPrefersPopularItems) {
  SampledSettings s = settings("sampled_softmax", "log_uniform", 20000);
  s.correction = tool::Correction::ranking;
  tool::Negatives negatives(engine, s, train, model, 3);
  const vmx_candidates& c = negatives.draw(batch());
  const int32_t order[] = {4, 2, 0, 1, 3, 5, 6, 7, 8, 9};  // by number of users, then by id
  std::vector<int> count(10);
  for (int64_t i = 0; i < 20000; ++i) {
    ++count[static_cast<size_t>(id(c, 0, i))];
    const auto rank = std::find(order, order + 10, id(c, 0, i)) - order;
    const double q = std::log((static_cast<double>(rank) + 2) / (static_cast<double>(rank) + 1)) / std::log(11.0);
    ASSERT_NEAR(log_q(c, 0, i), std::log(q), 1e-6);
  }
  for (int rank = 0; rank < 10; ++rank) {
    const double want = 20000 * std::log((rank + 2.0) / (rank + 1.0)) / std::log(11.0);
    EXPECT_NEAR(count[static_cast<size_t>(order[rank])], want, 5 * std::sqrt(want)) << rank;
  }
  const int rank_of_positive[] = {3, 0, 2, 1, 0, 5};
  for (int64_t i = 0; i < 6; ++i) {
    const double rank = rank_of_positive[i];
    EXPECT_NEAR(target(c, i), std::log(std::log((rank + 2) / (rank + 1)) / std::log(11.0)), 1e-6);
  }
}

TEST_F(NegativesTest, UnigramNeverDrawsWhatNobodyHas) {
  SampledSettings s = settings("nce", "unigram", 5000);
  s.power = 1;
  s.log_z = 2;
  tool::Negatives negatives(engine, s, train, model, 3);
  const vmx_candidates& c = negatives.draw(batch());
  const double users_of[] = {1, 1, 2, 1, 5, 1, 1, 0, 0, 0};
  for (int64_t i = 0; i < 5000; ++i) {
    ASSERT_LT(id(c, 0, i), 7);
    // Log expected counts, and the constant that is taken off.
    ASSERT_NEAR(log_q(c, 0, i), std::log(5000 * users_of[id(c, 0, i)] / 12) + 2, 1e-5);
  }
  EXPECT_NEAR(target(c, 1), std::log(5000 * 5.0 / 12) + 2, 1e-5);
}

TEST_F(NegativesTest, InBatchItemsStandOnceWithTheirProbability) {
  for (const char* correction : {"ranking", "is"}) {
    SampledOptions given;
    given.correction = correction;
    tool::Negatives negatives(engine, tool::decide("infonce", given, model.score, 10), train, model, 3);
    const vmx_candidates* c = nullptr;
    for (int64_t step = 0; step < 5; ++step) c = &negatives.draw(batch(step));
    ASSERT_EQ(c->ids.rows, 1);
    ASSERT_EQ(c->ids.cols, 5);
    const int32_t want[] = {0, 1, 2, 4, 5};
    for (int64_t i = 0; i < 5; ++i) {
      EXPECT_EQ(id(*c, 0, i), want[i]);
      // In every batch: certain. With "is" the library adds log m.
      EXPECT_NEAR(log_q(*c, 0, i), correction == std::string("is") ? -std::log(5.0) : 0.0, 1e-6) << correction;
    }
    EXPECT_EQ(c->target_log_q.data != nullptr, correction == std::string("ranking"));
  }
}

TEST_F(NegativesTest, DrawsAreAFunctionOfSeedAndStep) {
  for (const tool::LossEntry& entry : tool::losses()) {
    if (!tool::is_sampled(entry.name)) continue;
    for (const std::string& sampler : tool::sampler_names()) {
      if (std::string(entry.name) == "infonce" || sampler == "in_batch") continue;
      const auto draw = [&](uint64_t seed, int64_t step, bool later) {
        tool::Negatives negatives(engine, settings(entry.name, sampler, 50), train, model, seed);
        if (later) negatives.draw(batch(step + 1));
        const vmx_candidates& c = negatives.draw(batch(step));
        const auto* const ids = static_cast<const int32_t*>(c.ids.data);
        return std::vector<int32_t>(ids, ids + c.ids.rows * c.ids.cols);
      };
      EXPECT_EQ(draw(1, 0, false), draw(1, 0, true)) << sampler;
      EXPECT_NE(draw(1, 0, false), draw(1, 1, false)) << sampler;
      EXPECT_NE(draw(1, 0, false), draw(2, 0, false)) << sampler;
    }
  }
}

// The exact sampler sees vectors as they are after each step, the others from one rebuilding to the next.
TEST_F(NegativesTest, NewVectorsAreTakenUp) {
  model.items = tool::Table(2000, 8);  // enough for codebooks that tell items apart
  const auto probability_of_4 = [&](tool::Negatives& negatives) { return std::exp(target(negatives.draw(batch()), 1)); };
  for (const char* sampler : {"exact", "midx", "quadratic"}) {
    SampledSettings s = settings("sampled_softmax", sampler, 4);
    s.correction = tool::Correction::ranking;
    s.rebuild_every = {2, false};
    tool::initialise(&model.items, 0.5, 1, tool::Purpose::init_items);
    tool::Negatives negatives(engine, s, train, model, 3);
    negatives.begin_epoch(1);
    const float before = probability_of_4(negatives);
    std::copy_n(model.users.row(0), 8, model.items.row(4));  // the best match of all
    const int64_t changed = 4;
    negatives.items_changed(&changed, 1);
    const float after = probability_of_4(negatives);
    if (s.sampler == SamplerKind::exact) {
      EXPECT_GT(after, 1.2f * before);
      continue;
    }
    EXPECT_EQ(after, before) << sampler;
    negatives.begin_epoch(2);
    EXPECT_EQ(probability_of_4(negatives), before) << sampler;
    negatives.begin_epoch(3);
    EXPECT_GT(probability_of_4(negatives), 1.05f * before) << sampler;
  }
}

TEST_F(NegativesTest, RebuildingBySteps) {
  SampledSettings s = settings("sampled_softmax", "quadratic", 4);
  s.correction = tool::Correction::ranking;
  s.rebuild_every = {3, true};
  tool::Negatives negatives(engine, s, train, model, 3);
  const float before = target(negatives.draw(batch()), 1);
  std::copy_n(model.users.row(0), 8, model.items.row(4));
  EXPECT_EQ(target(negatives.draw(batch()), 1), before);
  EXPECT_EQ(target(negatives.draw(batch()), 1), before);
  EXPECT_GT(target(negatives.draw(batch()), 1), before);
}

TEST(SparseAdam, FollowsPlainAdamWhereAllRowsAreTouched) {
  const tool::AdamSettings settings{0.9, 0.99, 1e-8, 0.1};
  tool::Engine engine(1);
  tool::Adam plain(4, 5, settings);
  tool::SparseAdam lazy(4, 5, settings);
  tool::Table a(4, 5), b(4, 5);
  tool::initialise(&a, 1, 1, tool::Purpose::init_items);
  b.data = a.data;
  tool::ItemGradient gradient(4, 5);
  for (int step = 0; step < 30; ++step) {
    vmx_sparse_rows* const rows = gradient.sparse(4);
    rows->count = 4;
    plain.begin_step();
    for (int64_t r = 0; r < 4; ++r) {
      rows->ids[r] = r;
      auto* const g = static_cast<float*>(rows->rows.data) + r * 5;
      for (int64_t c = 0; c < 5; ++c) g[c] = std::sin(static_cast<float>(step + 7 * r + c));
      plain.step_row(r, a.row(r), g, 0.05);
    }
    lazy.step(engine, gradient.list(), &b, 0.05);
  }
  for (size_t i = 0; i < a.data.size(); ++i) EXPECT_NEAR(a.data[i], b.data[i], 1e-5);
}

}  // namespace
