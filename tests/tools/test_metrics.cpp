// SPDX-License-Identifier: Apache-2.0
// Ranking metrics against the shared vectors, and means over users.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "evaluate.hpp"
#include "metrics.hpp"

namespace {

double real(const nlohmann::json& value) {
  return value.is_string() ? std::strtod(value.get<std::string>().c_str(), nullptr) : value.get<double>();
}

TEST(RankMetrics, SharedVectors) {
  std::ifstream file(VMX_TEST_VECTORS_DIR "/metrics.json");
  const auto cases = nlohmann::json::parse(file).at("cases");
  ASSERT_GT(cases.size(), 10u);
  for (const auto& c : cases) {
    ASSERT_EQ(c.at("op"), "rank_metrics");
    const auto& in = c.at("in");
    std::vector<float> z;
    for (const auto& bits : in.at("z")) {
      z.push_back(std::bit_cast<float>(static_cast<uint32_t>(std::stoul(bits.get<std::string>(), nullptr, 16))));
    }
    const auto train = in.at("train").get<std::vector<int32_t>>();
    auto relevant = in.at("positives").get<std::vector<int32_t>>();
    std::sort(relevant.begin(), relevant.end());
    std::vector<int32_t> ranked(z.size());
    std::iota(ranked.begin(), ranked.end(), 0);
    std::erase_if(ranked, [&](int32_t id) { return std::find(train.begin(), train.end(), id) != train.end(); });
    std::sort(ranked.begin(), ranked.end(), [&](int32_t a, int32_t b) {
      const float of_a = z[static_cast<size_t>(a)], of_b = z[static_cast<size_t>(b)];
      return of_a != of_b ? of_a > of_b : a < b;
    });
    const auto k = in.at("k").get<int64_t>();
    ranked.resize(std::min(ranked.size(), static_cast<size_t>(k)));
    const auto got = tool::rank_metrics(ranked, relevant, k);
    const auto& want = c.at("out");
    EXPECT_NEAR(got.ndcg, real(want.at("ndcg")), 1e-14) << c.at("id");
    EXPECT_NEAR(got.recall, real(want.at("recall")), 1e-14) << c.at("id");
    EXPECT_NEAR(got.mrr, real(want.at("mrr")), 1e-14) << c.at("id");
    EXPECT_EQ(got.hit, real(want.at("hit"))) << c.at("id");
  }
}

tool::Csr csr(const std::vector<std::vector<int32_t>>& rows) {
  tool::Csr out;
  for (const auto& row : rows) out.add_row(row);
  return out;
}

TEST(Evaluation, PopularityPassesOverKnownItemsAndUsersWithNothingHeldOut) {
  const auto train = csr({{0, 1}, {1, 2}, {1}, {0}});
  const auto test = csr({{2}, {}, {0, 4}, {1}});
  const tool::Evaluation evaluation(test, train, {1, 3});
  EXPECT_EQ(evaluation.users(), 3);
  const auto metrics = evaluation.popularity(train, 5);
  // By users: 1 (3), 0 (2), 2 (1), 3 and 4 (0). User 0 sees 2 3 4, user 2 sees 0 2 3, user 3 sees 1 2 3.
  EXPECT_DOUBLE_EQ(metrics.at[0].recall, (1 + 0.5 + 1) / 3);
  EXPECT_DOUBLE_EQ(metrics.at[0].ndcg, 1);
  EXPECT_DOUBLE_EQ(metrics.at[1].recall, (1 + 0.5 + 1) / 3);
}

TEST(Evaluation, WhatIsKnownIsNotWanted) {
  const tool::Evaluation evaluation(csr({{1, 2}, {3}}), csr({{2}, {3}}), {2});
  EXPECT_EQ(evaluation.users(), 1);
  EXPECT_DOUBLE_EQ(evaluation.popularity(csr({{1}, {}}), 4).at[0].recall, 1);
}

TEST(Evaluation, RanksByTheModel) {
  tool::Model model;
  model.score = tool::Score::dot;
  model.users = tool::Table(3, 2);
  model.items = tool::Table(5, 2);
  const float users[] = {1, 0, 0, 1, -1, 0}, items[] = {1, 5, 2, 4, 3, 3, 4, 2, 5, 1};
  std::copy(std::begin(users), std::end(users), model.users.data.begin());
  std::copy(std::begin(items), std::end(items), model.items.data.begin());
  tool::Engine engine(1);
  std::vector<int32_t> got;
  tool::rank_items(engine, model, {0, 1, 2}, csr({{4}, {}, {0, 1, 2}}), 3, [&](int64_t, int64_t rows, const int32_t* ids) {
    got.insert(got.end(), ids, ids + 3 * rows);
    return true;
  });
  EXPECT_EQ(got, (std::vector<int32_t>{3, 2, 1, 0, 1, 2, 3, 4, -1}));
  const tool::Evaluation evaluation(csr({{3}, {2}, {4}}), csr({{4}, {}, {0, 1, 2}}), {1, 3});
  const auto metrics = evaluation.run(engine, model, [](int64_t) { return true; });
  ASSERT_TRUE(metrics.has_value());
  EXPECT_DOUBLE_EQ(metrics->at[0].recall, 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics->at[1].recall, 1);
  EXPECT_FALSE(evaluation.run(engine, model, [](int64_t) { return false; }).has_value());
}

}  // namespace
