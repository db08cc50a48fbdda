// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize threads
// ctest-shards: 2
// Samplers whose distribution depends on a row of hidden: MIDX, QUADRATIC, EXACT. What they tell against their formulas, what
// they draw against what they tell, updates, odd rows.
#include "support/random.hpp"
#include "support/samplers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>

namespace {

using namespace vmx::test;

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

// Clusters of classes: scores that differ.
Matrix embeddings_of(int64_t classes, int64_t dim, uint64_t seed, int32_t dtype = VMX_F32, Layout layout = {}) {
  Matrix m(dtype, classes, dim, layout);
  Random random(seed);
  const int64_t clusters = 1 + classes / 20;
  std::vector<double> centre(static_cast<size_t>(clusters * dim));
  for (double& c : centre) c = random.bell();
  for (int64_t c = 0; c < classes; ++c) {
    const int64_t own = random.below(clusters);
    for (int64_t k = 0; k < dim; ++k) m.set(c, k, 0.7 * centre[static_cast<size_t>(own * dim + k)] + 0.2 * random.bell());
  }
  return m;
}
Matrix hidden_of(int64_t rows, int64_t dim, uint64_t seed, int32_t dtype = VMX_F32, Layout layout = {}) {
  Matrix m(dtype, rows, dim, layout);
  Random random(seed);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < dim; ++k) m.set(r, k, random.bell());
  }
  return m;
}

vmx_sampler_options options_of(int32_t kind, const Matrix& embeddings, double temperature = 1.0) {
  vmx_sampler_options options = sampler_options(kind, embeddings.rows());
  options.embeddings = embeddings.view();
  options.temperature = temperature;
  if (kind == VMX_SAMPLER_QUADRATIC) options.alpha = 3.0;
  return options;
}
vmx_matrix row_of(const Matrix& hidden, int64_t r) {
  vmx_matrix view = hidden.view();
  view.data = hidden.at(r, 0);
  view.rows = 1;
  return view;
}
double score(const Matrix& w, int64_t c, const Matrix& h, int64_t r) {
  double sum = 0;
  for (int64_t k = 0; k < w.cols(); ++k) sum += w.get(c, k) * h.get(r, k);
  return sum;
}

const int32_t kKinds[] = {VMX_SAMPLER_MIDX, VMX_SAMPLER_QUADRATIC, VMX_SAMPLER_EXACT};

// Cells of several classes each.
std::vector<double> grouped(const std::vector<double>& q, size_t group) {
  std::vector<double> sums((q.size() + group - 1) / group);
  for (size_t k = 0; k < q.size(); ++k) sums[k / group] += q[k];
  return sums;
}
std::vector<int64_t> grouped(const std::vector<int64_t>& counts, size_t group) {
  std::vector<int64_t> sums((counts.size() + group - 1) / group);
  for (size_t k = 0; k < counts.size(); ++k) sums[k / group] += counts[k];
  return sums;
}

TEST(SamplersOfHidden, DrawWhatTheyTell) {
  for (const int64_t classes : {17, 1000, 152064}) {
    const int64_t dim = classes > 1000 ? 8 : 12;
    const Matrix w = embeddings_of(classes, dim, 3), h = hidden_of(1, dim, 4);
    for (const int32_t kind : kKinds) {
      SCOPED_TRACE("kind " + std::to_string(kind) + ", V = " + std::to_string(classes));
      const Sampler sampler(options_of(kind, w));
      const auto q = all_q(sampler, classes, &h.view());
      EXPECT_NEAR(std::accumulate(q.begin(), q.end(), 0.0), 1.0, 1e-5);
      std::vector<int64_t> counts(q.size());
      const int64_t m = VMX_TEST_SANITIZED ? 1 << 14 : 1 << 18, steps = VMX_TEST_SANITIZED ? 1 : 8;
      const uint32_t flags = kind == VMX_SAMPLER_EXACT ? VMX_DRAW_REPLACE : 0u;
      for (int64_t step = 0; step < steps; ++step) {
        const Drawn drawn = draw(sampler, &h.view(), 1, m, {.flags = flags, .seed = 6, .step = step});
        for (const int32_t id : drawn.ids) ++counts.at(static_cast<size_t>(id));
        for (size_t i = 0; i < 1000; ++i) {
          const double expected = std::log(q[static_cast<size_t>(drawn.ids[i])]);
          ASSERT_NEAR(static_cast<double>(drawn.log_q[i]), expected, 1e-6 * std::max(1.0, -expected));
        }
        EXPECT_EQ(drawn.tries[0], m);
        EXPECT_EQ(drawn.row_flags[0], 0u);
      }
      EXPECT_LT(chi_square_deviation(counts, q), 5.0);
      if (VMX_TEST_SANITIZED) continue;
      // A bias of 1 % needs many draws for each class, or groups of classes that share it.
      const size_t group = classes > 1000 ? 500 : classes > 17 ? 4 : 1;
      const auto cells = grouped(q, group);
      EXPECT_LT(chi_square_deviation(grouped(counts, group), cells), 5.0);
      EXPECT_GT(chi_square_deviation(grouped(counts, group), planted_bias(cells)), 5.0) << "a bias of 1 % would not be found";
    }
  }
}

TEST(SamplersOfHidden, ExactIsTheSoftmax) {
  for (const double t : {1.0, 0.3}) {
    for (const int64_t classes : {1, 2, 63, 65, 1500}) {
      const Matrix w = embeddings_of(classes, 9, 1), h = hidden_of(3, 9, 2);
      const Sampler sampler(options_of(VMX_SAMPLER_EXACT, w, t));
      for (int64_t r = 0; r < 3; ++r) {
        const vmx_matrix row = row_of(h, r);
        const auto q = all_q(sampler, classes, &row);
        double sum = 0;
        for (int64_t c = 0; c < classes; ++c) sum += std::exp(score(w, c, h, r) / t);
        for (int64_t c = 0; c < classes; ++c) {
          EXPECT_NEAR(std::log(q[static_cast<size_t>(c)]), score(w, c, h, r) / t - std::log(sum), 2e-5) << c;
        }
      }
    }
  }
}

TEST(SamplersOfHidden, QuadraticIsItsFormula) {
  for (const int64_t dim : {1, 3, 16, 70}) {
    const int64_t classes = 2000;
    const double t = 0.5, alpha = 3.0;
    const Matrix w = embeddings_of(classes, dim, 1), h = hidden_of(2, dim, 2);
    const Sampler sampler(options_of(VMX_SAMPLER_QUADRATIC, w, t));
    for (int64_t r = 0; r < 2; ++r) {
      const vmx_matrix row = row_of(h, r);
      const auto q = all_q(sampler, classes, &row);
      const auto kernel = [&](int64_t c) { return alpha * std::pow(score(w, c, h, r) / t, 2) + 1; };
      double sum = 0;
      for (int64_t c = 0; c < classes; ++c) sum += kernel(c);
      for (int64_t c = 0; c < classes; ++c) {
        EXPECT_NEAR(q[static_cast<size_t>(c)] * sum, kernel(c), 2e-5 * std::max(1.0, kernel(c))) << dim << ": " << c;
      }
    }
  }
}

// Halves that take few values: the codebooks hold them all, and nothing is lost by quantising.
TEST(SamplersOfHidden, MidxIsTheSoftmaxOfQuantisedScores) {
  const int64_t classes = 700, half = 3, dim = 2 * half, values = 7;
  Random random(5);
  std::vector<std::vector<double>> parts(2 * values);
  for (auto& part : parts) {
    for (int64_t k = 0; k < half; ++k) part.push_back(static_cast<double>(random.below(9)) / 4 - 1);
  }
  Matrix w(VMX_F32, classes, dim);
  for (int64_t c = 0; c < classes; ++c) {
    for (int64_t b = 0; b < 2; ++b) {
      const auto& part = parts[static_cast<size_t>(b * values + random.below(values))];
      for (int64_t k = 0; k < half; ++k) w.set(c, b * half + k, part[static_cast<size_t>(k)]);
    }
  }
  const Matrix h = hidden_of(3, dim, 9);
  for (const double t : {1.0, 0.1}) {
    vmx_sampler_options options = options_of(VMX_SAMPLER_MIDX, w, t);
    options.codewords = 16;
    const Sampler sampler(options);
    for (int64_t r = 0; r < 3; ++r) {
      const vmx_matrix row = row_of(h, r);
      const auto q = all_q(sampler, classes, &row);
      double sum = 0;
      for (int64_t c = 0; c < classes; ++c) sum += std::exp(score(w, c, h, r) / t);
      for (int64_t c = 0; c < classes; ++c) {
        EXPECT_NEAR(std::log(q[static_cast<size_t>(c)]), score(w, c, h, r) / t - std::log(sum), 1e-5 / t) << c;
      }
    }
  }
}

double distance_to_softmax(const vmx_sampler* sampler, const Matrix& w, const Matrix& h, double t) {
  double total = 0;
  for (int64_t r = 0; r < h.rows(); ++r) {
    const vmx_matrix row = row_of(h, r);
    const auto q = all_q(sampler, w.rows(), &row);
    double sum = 0;
    for (int64_t c = 0; c < w.rows(); ++c) sum += std::exp(score(w, c, h, r) / t);
    for (int64_t c = 0; c < w.rows(); ++c) total += std::abs(q[static_cast<size_t>(c)] - std::exp(score(w, c, h, r) / t) / sum);
  }
  return total / static_cast<double>(h.rows());
}

TEST(SamplersOfHidden, MidxComesNearerWithMoreCodewords) {
  const Matrix w = embeddings_of(4000, 16, 1), h = hidden_of(5, 16, 2);
  double last = 2;
  for (const int32_t codewords : {1, 8, 64, 256}) {
    vmx_sampler_options options = options_of(VMX_SAMPLER_MIDX, w, 4.0);
    options.codewords = codewords;
    options.seed = 5;
    const double distance = distance_to_softmax(Sampler(options), w, h, 4.0);
    EXPECT_LT(distance, 0.9 * last) << codewords;
    last = distance;
  }
  EXPECT_LT(last, 0.3);
}

// The best first code and the best second one have no class in common, and all others are e^1000 less.
TEST(SamplersOfHidden, MidxWithScoresFarApart) {
  Matrix w(VMX_F32, {{1, 0}, {1, 0}, {0, 1}, {0, 0.5}});
  Matrix h(VMX_F32, {{1000, 1000}, {3000, 3000}, {1e30, 1e30}, {-1e6, 1e6}});
  vmx_sampler_options options = options_of(VMX_SAMPLER_MIDX, w);
  options.codewords = 4;
  const Sampler sampler(options);
  const Drawn drawn = draw(sampler, &h.view(), 4, 4000);
  for (int64_t r = 0; r < 4; ++r) {
    const vmx_matrix row = row_of(h, r);
    const auto q = all_q(sampler, 4, &row);
    EXPECT_EQ(drawn.row_flags[static_cast<size_t>(r)], 0u);
    std::vector<int64_t> counts(4);
    for (int64_t i = 0; i < 4000; ++i) ++counts.at(static_cast<size_t>(drawn.row(r)[i]));
    const std::vector<double> expected = r < 3 ? std::vector<double>{1. / 3, 1. / 3, 1. / 3, 0} : std::vector<double>{0, 0, 1, 0};
    for (size_t c = 0; c < 4; ++c) {
      EXPECT_NEAR(q[c], expected[c], 1e-12) << r;
      EXPECT_NEAR(static_cast<double>(counts[c]), 4000 * expected[c], 200) << r;
    }
  }
}

TEST(SamplersOfHidden, OrderWithoutReplacement) {
  const Matrix w = embeddings_of(5, 4, 8);
  const int64_t rows = VMX_TEST_SANITIZED ? 2000 : 1'000'000;
  std::vector<float> hidden = {0.5f, -0.25f, 1.0f, 0.75f};
  const vmx_matrix h = {hidden.data(), rows, 4, 0, 1, VMX_F32, 0};
  vmx_matrix first = h;
  first.rows = 1;
  for (const int32_t kind : kKinds) {
    const Sampler sampler(options_of(kind, w));
    const auto law = sequences(all_q(sampler, 5, &first), 3);
    const Drawn drawn =
        draw(sampler, &h, rows, 3, {.flags = kind == VMX_SAMPLER_EXACT ? 0u : uint32_t{VMX_DRAW_UNIQUE}, .seed = 2});
    std::map<std::vector<int32_t>, int64_t> counted;
    for (int64_t r = 0; r < rows; ++r) ++counted[std::vector<int32_t>(drawn.row(r), drawn.row(r) + 3)];
    std::vector<int64_t> counts;
    std::vector<double> p;
    for (const auto& [sequence, probability] : law) {
      counts.push_back(counted[sequence]);
      p.push_back(probability);
    }
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}), rows) << kind;
    EXPECT_LT(chi_square_deviation(counts, p), 5.0) << kind;
    if (!VMX_TEST_SANITIZED) {
      EXPECT_GT(chi_square_deviation(counts, planted_bias(p)), 5.0) << kind;
    }
  }
}

// The race looks at few of many classes closely: the first draw of many rows.
TEST(SamplersOfHidden, RaceOverManyClasses) {
  const int64_t classes = 3000, rows = VMX_TEST_SANITIZED ? 500 : 60000;
  const Matrix w = embeddings_of(classes, 4, 8);
  std::vector<float> hidden = {0.5f, -1.25f, 1.0f, 0.75f};
  const vmx_matrix h = {hidden.data(), rows, 4, 0, 1, VMX_F32, 0};
  vmx_matrix first = h;
  first.rows = 1;
  const Sampler sampler(options_of(VMX_SAMPLER_EXACT, w));
  const auto q = all_q(sampler, classes, &first);
  const Drawn drawn = draw(sampler, &h, rows, 2);
  std::vector<int64_t> counts(q.size());
  for (int64_t r = 0; r < rows; ++r) ++counts.at(static_cast<size_t>(drawn.row(r)[0]));
  EXPECT_LT(chi_square_deviation(counts, q), 5.0);
  if (!VMX_TEST_SANITIZED) {
    std::vector<double> wrong = q;  // 10 %: ten times planted_bias
    double sum = 0;
    for (size_t k = 0; k < q.size(); ++k) sum += wrong[k] *= k % 2 ? 1.1 : 0.9;
    for (double& value : wrong) value /= sum;
    EXPECT_GT(chi_square_deviation(counts, wrong), 5.0);
  }
}

TEST(SamplersOfHidden, EqualScoresOfAnySizeAreDrawnAlike) {
  // The noise would vanish beside a score of 10^25 in f64.
  const Matrix w(VMX_F32, {{1}, {1}, {1}, {0.5}, {1}});
  const int64_t rows = VMX_TEST_SANITIZED ? 1000 : 20000;
  const double n = static_cast<double>(rows);
  for (const float size : {1e3f, 1e12f, 1e25f, -1e25f}) {
    const vmx_matrix h = {const_cast<float*>(&size), rows, 1, 0, 1, VMX_F32, 0};
    const Sampler sampler(options_of(VMX_SAMPLER_EXACT, w));
    for (const uint32_t flags : {0u, uint32_t{VMX_DRAW_REPLACE}}) {
      const Drawn drawn = draw(sampler, &h, rows, 1, {.flags = flags});
      std::vector<int64_t> counts(5);
      for (const int32_t id : drawn.ids) ++counts.at(static_cast<size_t>(id));
      const std::vector<double> q = size > 0 ? std::vector<double>{.25, .25, .25, 0, .25} : std::vector<double>{0, 0, 0, 1, 0};
      for (size_t c = 0; c < 5; ++c) EXPECT_NEAR(static_cast<double>(counts[c]), n * q[c], 5 * std::sqrt(n * q[c])) << size << " " << c;
    }
  }
}

TEST(SamplersOfHidden, UniqueDraws) {
  for (const int32_t kind : kKinds) {
    for (const int64_t classes : {1, 40, 3000}) {
      const Matrix w = embeddings_of(classes, 6, 1), h = hidden_of(3, 6, 2);
      const Sampler sampler(options_of(kind, w));
      for (const int64_t m : {int64_t{1}, classes / 2, classes}) {
        if (m == 0) continue;
        const Drawn drawn = draw(sampler, &h.view(), 3, m, {.flags = kind == VMX_SAMPLER_EXACT ? 0u : uint32_t{VMX_DRAW_UNIQUE}});
        for (int64_t r = 0; r < 3; ++r) {
          const std::set<int32_t> seen(drawn.row(r), drawn.row(r) + m);
          EXPECT_EQ(static_cast<int64_t>(seen.size()), m) << kind;
          EXPECT_GE(*seen.begin(), 0);
          EXPECT_GE(drawn.tries[static_cast<size_t>(r)], m);
          EXPECT_EQ(drawn.row_flags[static_cast<size_t>(r)], 0u);
          const vmx_matrix row = row_of(h, r);
          const std::vector<int64_t> ids(drawn.row(r), drawn.row(r) + m);
          const auto log_q = log_q_of(sampler, ids, &row);
          for (int64_t i = 0; i < m; ++i) {
            EXPECT_EQ(drawn.log_q[static_cast<size_t>(r * m + i)], static_cast<float>(log_q[static_cast<size_t>(i)])) << kind;
          }
          if (kind == VMX_SAMPLER_EXACT) continue;
          const Drawn counted = draw(sampler, &row, 1, m, {.flags = VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS});
          if (r == 0) {
            const auto counts = log_q_of(sampler, ids, &row, m, drawn.tries.data());
            for (int64_t i = 0; i < m; ++i) {
              EXPECT_EQ(counted.log_q[static_cast<size_t>(i)], static_cast<float>(counts[static_cast<size_t>(i)]));
            }
          }
        }
      }
    }
  }
}

TEST(SamplersOfHidden, Updates) {
  const int64_t classes = 1500, dim = 10;
  const Matrix before = embeddings_of(classes, dim, 1), after = embeddings_of(classes, dim, 7), h = hidden_of(1, dim, 2);
  for (const int32_t kind : kKinds) {
    const Sampler sampler(options_of(kind, before)), fresh(options_of(kind, after));
    ASSERT_EQ(vmx_sampler_update(nullptr, sampler, after, nullptr), VMX_OK) << last_error();
    const auto found = all_q(sampler, classes, &h.view()), expected = all_q(fresh, classes, &h.view());
    if (kind == VMX_SAMPLER_MIDX) {
      // The codebooks stay: with the old embeddings everything is as it was.
      EXPECT_NEAR(std::accumulate(found.begin(), found.end(), 0.0), 1.0, 1e-9);
      ASSERT_EQ(vmx_sampler_update(nullptr, sampler, before, nullptr), VMX_OK) << last_error();
      EXPECT_EQ(all_q(sampler, classes, &h.view()), all_q(Sampler(options_of(kind, before)), classes, &h.view()));
    } else {
      EXPECT_EQ(found, expected);
    }
  }
  // Some classes of QUADRATIC: few of a leaf, many of another, one again and again, and one that was NaN for a while.
  Matrix mixed(before);
  const Sampler sampler(options_of(VMX_SAMPLER_QUADRATIC, mixed));
  const auto change = [&](const std::vector<int64_t>& ids, double add) {
    for (const int64_t id : ids) {
      for (int64_t k = 0; k < dim; ++k) mixed.set(id, k, after.get(id, k) + add);
    }
    const Ids list(VMX_I32, ids, 1);
    ASSERT_EQ(vmx_sampler_update(nullptr, sampler, mixed, &list.view()), VMX_OK) << last_error();
  };
  std::vector<int64_t> many;
  for (int64_t id = 600; id < 680; ++id) many.push_back(id);
  change({5, 5, 7, 1499, 300}, 0);
  change(many, 0.25);
  for (int i = 0; i < 300; ++i) change({42}, i % 5);
  change({43}, kNan);
  EXPECT_EQ(draw(sampler, &h.view(), 1, 4).row_flags[0], VMX_ROW_NAN);
  change({43}, 1);
  const auto found = all_q(sampler, classes, &h.view()), expected = all_q(Sampler(options_of(VMX_SAMPLER_QUADRATIC, mixed)), classes, &h.view());
  for (size_t c = 0; c < found.size(); ++c) EXPECT_NEAR(found[c], expected[c], 1e-5 * expected[c]);
  std::vector<int64_t> counts(found.size());
  for (const int32_t id : draw(sampler, &h.view(), 1, 200000).ids) ++counts.at(static_cast<size_t>(id));
  EXPECT_LT(chi_square_deviation(counts, found), 5.0);
}

TEST(SamplersOfHidden, OddRows) {
  const int64_t classes = 300, dim = 4, m = 5;
  const Matrix w = embeddings_of(classes, dim, 1);
  Matrix h = hidden_of(4, dim, 2);
  h.set(1, 2, static_cast<long double>(kNan));
  h.set(2, 1, static_cast<long double>(kInf));
  for (const int32_t kind : kKinds) {
    const Sampler sampler(options_of(kind, w));
    const Drawn drawn = draw(sampler, &h.view(), 4, m);
    for (int64_t r = 0; r < 4; ++r) {
      const bool odd = r == 1 || r == 2;
      const uint32_t flags = drawn.row_flags[static_cast<size_t>(r)];
      EXPECT_EQ(flags != 0, odd) << kind << " " << r;
      if (r == 1) {
        EXPECT_TRUE(flags & VMX_ROW_NAN) << kind;
      }
      if (r == 2) {
        EXPECT_TRUE(flags & (VMX_ROW_NAN | VMX_ROW_INF)) << kind;
      }
      const vmx_matrix row = row_of(h, r);
      const double log_q = log_q_of(sampler, {17}, &row)[0];
      EXPECT_EQ(std::isnan(log_q), odd) << kind;
      for (int64_t i = 0; i < m; ++i) {
        EXPECT_EQ(drawn.row(r)[i] == -1, odd);
        EXPECT_EQ(std::isnan(drawn.log_q[static_cast<size_t>(r * m + i)]), odd);
      }
      EXPECT_EQ(drawn.tries[static_cast<size_t>(r)], odd ? 0 : m) << kind;
    }
  }
  // Classes that -inf masks are never drawn; when none is left the row is empty.
  Matrix masked(VMX_F32, {{1, 0.5}, {-kInf, 0}, {-kInf, 0}, {2, 0}}), positive(VMX_F32, {{1, 1}});
  const Sampler sampler(options_of(VMX_SAMPLER_EXACT, masked));
  const Drawn some = draw(sampler, positive, 1, 4);
  EXPECT_EQ((std::set<int32_t>(some.ids.begin(), some.ids.begin() + 2)), (std::set<int32_t>{0, 3}));
  EXPECT_EQ(some.ids[2], -1);
  EXPECT_EQ(static_cast<double>(some.log_q[3]), -kInf);
  EXPECT_EQ(some.row_flags[0], VMX_ROW_UNDERFULL);
  EXPECT_EQ(some.tries[0], 2);
  EXPECT_EQ(log_q_of(sampler, {1}, positive)[0], -kInf);
  Matrix all(VMX_F32, {{-kInf, 0}, {-kInf, 0}});
  const Sampler none(options_of(VMX_SAMPLER_EXACT, all));
  for (const uint32_t flags : {0u, uint32_t{VMX_DRAW_REPLACE}}) {
    const Drawn empty = draw(none, positive, 1, 2, {.flags = flags});
    EXPECT_EQ(empty.ids, (std::vector<int32_t>{-1, -1}));
    EXPECT_EQ(empty.row_flags[0] & VMX_ROW_EMPTY, VMX_ROW_EMPTY);
    EXPECT_EQ(static_cast<double>(empty.log_q[0]), -kInf);
  }
}

TEST(SamplersOfHidden, OddEmbeddingsDoNotFail) {
  Matrix w = embeddings_of(500, 6, 1);
  for (int64_t c = 0; c < 500; c += 50) w.set(c, c / 50 % 6, static_cast<long double>(c % 100 ? kNan : kInf));
  for (int64_t c = 25; c < 500; c += 50) w.set(c, 3, 3e38L);
  const Matrix h = hidden_of(2, 6, 3);
  for (const int32_t kind : kKinds) {
    const Sampler sampler(options_of(kind, w));
    const Drawn drawn = draw(sampler, &h.view(), 2, 20);
    for (const int32_t id : drawn.ids) {
      EXPECT_GE(id, -1);
      EXPECT_LT(id, 500);
    }
  }
}

TEST(SamplersOfHidden, ExtremeTemperatures) {
  const Matrix w = embeddings_of(50, 4, 1), h = hidden_of(2, 4, 2);
  for (const int32_t kind : kKinds) {
    for (const double t : {1e-310, 1e-30, 1e30, 1e308}) {
      const Sampler sampler(options_of(kind, w, t));
      const Drawn drawn = draw(sampler, &h.view(), 2, 10);
      for (int64_t r = 0; r < 2; ++r) {
        if (drawn.row_flags[static_cast<size_t>(r)] != 0) {
          EXPECT_LT(t, 1e-300) << "scores over T leave f64 nowhere else";
          continue;
        }
        for (int64_t i = 0; i < 10; ++i) {
          EXPECT_GE(drawn.row(r)[i], 0);
          EXPECT_LT(drawn.row(r)[i], 50);
        }
      }
      if (t > 1) {
        const vmx_matrix row = row_of(h, 0);
        for (const double q : all_q(sampler, 50, &row)) EXPECT_NEAR(q, 0.02, 1e-7) << kind;
      }
    }
  }
}

TEST(SamplersOfHidden, NarrowEmbeddings) {
  for (const int32_t kind : kKinds) {
    for (const int64_t dim : {0, 1}) {
      const Matrix w = embeddings_of(100, dim, 1), h = hidden_of(2, dim, 2);
      const Sampler sampler(options_of(kind, w));
      const Drawn drawn = draw(sampler, &h.view(), 2, 30);
      for (const int32_t id : drawn.ids) {
        EXPECT_GE(id, 0);
        EXPECT_LT(id, 100);
      }
      const vmx_matrix row = row_of(h, 1);
      const auto q = all_q(sampler, 100, &row);
      EXPECT_NEAR(std::accumulate(q.begin(), q.end(), 0.0), 1.0, 1e-6) << kind << " " << dim;
      if (dim == 0) {
        for (const double value : q) EXPECT_NEAR(value, 0.01, 1e-9);
      }
    }
  }
}

TEST(SamplersOfHidden, AnyNumberOfThreads) {
  const int64_t classes = 6000, dim = 5, rows = 70, m = 40;
  const Matrix w = embeddings_of(classes, dim, 1), after = embeddings_of(classes, dim, 3), h = hidden_of(rows, dim, 2);
  std::vector<double> weights;
  for (int64_t c = 0; c < classes; ++c) weights.push_back(static_cast<double>(c % 97));
  for (int32_t kind = VMX_SAMPLER_UNIFORM; kind <= VMX_SAMPLER_EXACT; ++kind) {
    if (kind == VMX_SAMPLER_IN_BATCH) continue;
    const bool conditional = kind >= VMX_SAMPLER_MIDX;
    const vmx_sampler_options options = conditional                    ? options_of(kind, w)
                                        : kind == VMX_SAMPLER_WEIGHTS ? weights_options(weights)
                                                                      : sampler_options(kind, classes);
    for (const uint32_t flags : {0u, kind == VMX_SAMPLER_EXACT ? uint32_t{VMX_DRAW_REPLACE} : uint32_t{VMX_DRAW_UNIQUE}}) {
      Drawn expected{};
      std::vector<double> log_q;
      for (const int32_t threads : {1, 2, 3, 7}) {
        const Context ctx(VMX_ISA_BEST, threads);
        const Sampler sampler(options, ctx);
        if (conditional) {
          ASSERT_EQ(vmx_sampler_update(ctx, sampler, after, nullptr), VMX_OK) << last_error();
        }
        // Without a row of hidden the draws of one row are shared out.
        const Drawn drawn = draw(sampler, conditional ? &h.view() : nullptr, conditional ? rows : 2, conditional ? m : flags ? 900 : 70000,
                                 {.flags = flags, .seed = 1, .ctx = ctx});
        const vmx_matrix row = row_of(h, 3);
        const auto found = log_q_of(sampler, {5, 17, 5999}, conditional ? &row : nullptr, 0, nullptr, ctx);
        if (threads == 1) {
          expected = drawn;
          log_q = found;
          continue;
        }
        EXPECT_EQ(drawn.ids, expected.ids) << kind << ", " << threads << " threads";
        EXPECT_EQ(drawn.log_q, expected.log_q) << kind;
        EXPECT_EQ(drawn.tries, expected.tries) << kind;
        EXPECT_EQ(drawn.row_flags, expected.row_flags) << kind;
        EXPECT_EQ(found, log_q) << kind;
      }
    }
  }
}

}  // namespace
