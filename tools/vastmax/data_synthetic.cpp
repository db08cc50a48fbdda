// SPDX-License-Identifier: Apache-2.0
// synthetic:users,items,dim: popularity by Zipf's law times a planted taste of rank dim.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "data.hpp"
#include "error.hpp"

namespace tool {
namespace {

constexpr double kTestPart = 0.2;
constexpr int kFewest = 8, kMeanMore = 12;  // interactions of a user: 8 and more, 20 on average
constexpr int kCandidates = 40;             // drawn by popularity for each that is chosen by taste
constexpr double kTaste = 3.0;              // standard deviation of the planted scores

/// Sum of four uniforms, centred, variance 1: near enough to a normal, and the same on every machine.
float bell(Stream& random) {
  double sum = -2;
  for (int i = 0; i < 4; ++i) sum += random.uniform();
  return static_cast<float>(sum * std::sqrt(3.0));
}

std::vector<float> factors(int64_t rows, int64_t dim, uint64_t seed, Purpose purpose) {
  std::vector<float> table(static_cast<size_t>(rows * dim));
  for (int64_t row = 0; row < rows; ++row) {
    Stream random(seed, purpose, static_cast<uint64_t>(row));
    for (int64_t i = 0; i < dim; ++i) table[static_cast<size_t>(row * dim + i)] = bell(random);
  }
  return table;
}

}  // namespace

Dataset make_synthetic(const std::string& sizes, uint64_t seed) {
  int64_t numbers[3];
  const char* next = sizes.data();
  const char* const end = next + sizes.size();
  for (int i = 0; i < 3; ++i) {
    const auto [stop, error] = std::from_chars(next, end, numbers[i]);
    if (error != std::errc() || (i < 2 ? stop == end || *stop != ',' : stop != end)) {
      throw UserError("--data synthetic:" + sizes + ": expected synthetic:users,items,dim, e.g. synthetic:20000,10000,16");
    }
    next = stop + 1;
  }
  const auto [users, items, dim] = numbers;
  const int64_t limits[3][2] = {{1, 10000000}, {100, 100000000}, {1, 4096}};
  const char* const names[3] = {"users", "items", "dim"};
  for (int i = 0; i < 3; ++i) {
    if (numbers[i] < limits[i][0] || numbers[i] > limits[i][1]) {
      throw UserError("--data synthetic:" + sizes + ": " + names[i] + " is " + std::to_string(numbers[i]) +
                      ", but must be in " + std::to_string(limits[i][0]) + " ... " + std::to_string(limits[i][1]));
    }
  }

  const auto user_factors = factors(users, dim, seed, Purpose::synthetic_users);
  const auto item_factors = factors(items, dim, seed, Purpose::synthetic_items);
  std::vector<int32_t> by_popularity(static_cast<size_t>(items));  // ids must not tell the popularity
  std::iota(by_popularity.begin(), by_popularity.end(), 0);
  Stream(seed, Purpose::synthetic_order).shuffle(by_popularity);
  std::vector<double> mass(static_cast<size_t>(items));
  double total = 0;
  for (size_t rank = 0; rank < mass.size(); ++rank) mass[rank] = total += 1 / static_cast<double>(rank + 1);

  Csr all;
  std::vector<std::pair<double, int32_t>> candidates;
  std::vector<int32_t> row;
  for (int64_t user = 0; user < users; ++user) {
    Stream random(seed, Purpose::synthetic_draws, static_cast<uint64_t>(user));
    const double more = -std::log1p(-random.uniform()) * kMeanMore;
    const auto count = static_cast<size_t>(
        std::min(kFewest + more, static_cast<double>(std::min<int64_t>(items / 4, 1000))));
    candidates.clear();
    for (size_t i = 0; i < count * kCandidates; ++i) {
      const auto rank = std::upper_bound(mass.begin(), mass.end() - 1, random.uniform() * total) - mass.begin();
      candidates.emplace_back(0, by_popularity[static_cast<size_t>(rank)]);
    }
    std::sort(candidates.begin(), candidates.end());
    candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
    for (auto& [key, item] : candidates) {  // the best count of score + Gumbel noise: draws by softmax(score)
      float score = 0;
      for (int64_t i = 0; i < dim; ++i) {
        score += user_factors[static_cast<size_t>(user * dim + i)] * item_factors[static_cast<size_t>(item * dim + i)];
      }
      const double noise = -std::log(-std::log((random.uniform() + 0x1p-54)));
      key = -(kTaste * score / std::sqrt(static_cast<double>(dim)) + noise);
    }
    std::sort(candidates.begin(), candidates.end());
    row.clear();
    for (size_t i = 0; i < std::min(count, candidates.size()); ++i) row.push_back(candidates[i].second);
    std::sort(row.begin(), row.end());
    all.add_row(row);
  }
  Dataset data;
  data.users = users;
  data.items = items;
  hold_out(all, kTestPart, seed, Purpose::test_split, &data.train, &data.test);
  return data;
}

}  // namespace tool
