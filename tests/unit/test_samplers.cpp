// SPDX-License-Identifier: Apache-2.0
// ctest-labels: bits sanitize threads
// ctest-shards: 2
// Samplers whose distribution no row changes: what is drawn against what is told of its probability; draws without replacement;
// expected counts; the random words.
#include "core/int128.hpp"
#include "core/philox.hpp"
#include "core/workspace.hpp"
#include "samplers/sampler.hpp"
#include "support/json_vectors.hpp"
#include "support/random.hpp"
#include "support/samplers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

namespace {

using namespace vmx::test;

constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<double> unigram_counts(int64_t classes, bool with_zeros) {
  Random random(static_cast<uint64_t>(classes));
  std::vector<double> counts;
  for (int64_t k = 0; k < classes; ++k) {
    counts.push_back(with_zeros && random.one_in(10) ? 0.0 : std::floor(1e6 * random.unit() / static_cast<double>(k + 1)) + 1);
  }
  if (classes > 3) counts[3] = with_zeros ? 0 : 1;
  return counts;
}

struct Fixed {
  const char* name;
  int32_t kind;
  bool zeros;
  double power;
};
const Fixed kFixed[] = {{"uniform", VMX_SAMPLER_UNIFORM, false, 1},
                        {"log_uniform", VMX_SAMPLER_LOG_UNIFORM, false, 1},
                        {"weights", VMX_SAMPLER_WEIGHTS, true, 1},
                        {"unigram^0.75", VMX_SAMPLER_WEIGHTS, false, 0.75}};

vmx_sampler_options options_of(const Fixed& fixed, int64_t classes, std::vector<double>* weights) {
  if (fixed.kind != VMX_SAMPLER_WEIGHTS) return sampler_options(fixed.kind, classes);
  *weights = unigram_counts(classes, fixed.zeros);
  return weights_options(*weights, fixed.power);
}

uint32_t word_in(const nlohmann::json& hex) { return static_cast<uint32_t>(std::stoul(hex.get<std::string>(), nullptr, 16)); }

TEST(Philox, KnownAnswers) {
  for (const VectorCase& c : load_vectors("select.json", "philox4x32_10")) {
    const vmx::WordStream stream = {{word_in(c.in["key"][0]), word_in(c.in["key"][1])},
                                    {word_in(c.in["counter"][1]), word_in(c.in["counter"][2]), word_in(c.in["counter"][3])}};
    const uint32_t first = word_in(c.in["counter"][0]);
    const vmx::WordBlock block = vmx::philox(stream, first);
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(block.word[i], word_in(c.out["words"][i])) << c.id;
    VMX_FOR_EACH_ISA(ctx) {
      alignas(64) uint32_t words[4 * 64];
      static_cast<const vmx_context*>(ctx)->kernels->philox_words(stream, first, 64, words);
      for (uint32_t b = 0; b < 64; ++b) {  // beyond 2^32 they begin again
        const vmx::WordBlock expected = vmx::philox(stream, first + b);
        for (size_t i = 0; i < 4; ++i) ASSERT_EQ(words[4 * b + i], expected.word[i]) << c.id << " + " << b;
      }
    }
  }
}

TEST(Philox, CounterLayout) {
  const vmx::WordStream s = vmx::word_stream(4, 0x0123456789abcdef, 0x00aabbccddeeff11, 0x87654321);
  EXPECT_EQ(s.key[0], 0x89abcdefu);
  EXPECT_EQ(s.key[1], 0x01234567u);
  EXPECT_EQ(s.counter[0], 0x04654321u);
  EXPECT_EQ(s.counter[1], 0xddeeff11u);
  EXPECT_EQ(s.counter[2], 0xaabbcc87u);
}

TEST(Samplers, DrawWhatTheyTell) {
  for (const int64_t classes : {17, 1000, 152064}) {
    for (const Fixed& fixed : kFixed) {
      SCOPED_TRACE(std::string(fixed.name) + ", V = " + std::to_string(classes));
      std::vector<double> weights;
      const Sampler sampler(options_of(fixed, classes, &weights));
      const std::vector<double> q = all_q(sampler, classes);
      double sum = 0;
      for (const double value : q) sum += value;
      EXPECT_NEAR(sum, 1.0, 2e-7);
      std::vector<int64_t> counts(static_cast<size_t>(classes));
      const int64_t total = VMX_TEST_SANITIZED ? 1 << 18 : classes > 1000 ? 48'000'000 : 8'000'000;
      const int64_t m = VMX_TEST_SANITIZED ? 1 << 17 : 1'000'000;
      for (int64_t step = 0; step < total / m; ++step) {
        const Drawn drawn = draw(sampler, nullptr, 1, m, {.seed = 42, .step = step});
        for (const int32_t id : drawn.ids) ++counts.at(static_cast<size_t>(id));
        if (step > 0) continue;
        EXPECT_EQ(drawn.tries[0], m);
        EXPECT_EQ(drawn.row_flags[0], 0u);
        for (int64_t i = 0; i < 1000; ++i) {
          const double expected = std::log(q[static_cast<size_t>(drawn.ids[static_cast<size_t>(i)])]);
          ASSERT_NEAR(static_cast<double>(drawn.log_q[static_cast<size_t>(i)]), expected, 1e-6 * std::max(1.0, -expected));
        }
      }
      EXPECT_LT(chi_square_deviation(counts, q), 5.0);
      if (!VMX_TEST_SANITIZED) {
        EXPECT_GT(chi_square_deviation(counts, planted_bias(q)), 5.0) << "the test would not have found a bias of 1 %";
      }
    }
  }
}

TEST(Samplers, LogUniformVectors) {
  for (const VectorCase& c : load_vectors("approx.json", "log_uniform")) {
    const int64_t range = c.in["range"].get<int64_t>(), tries = c.in["num_tries"].get<int64_t>();
    const Sampler sampler(sampler_options(VMX_SAMPLER_LOG_UNIFORM, range));
    const auto classes = c.in["classes"].get<std::vector<int64_t>>();
    const auto p = reals_out(c.out["p"]), repeated = reals_out(c.out["expected_with_replacement"]),
               unique = reals_out(c.out["expected_unique"]);
    VMX_FOR_EACH_ISA(ctx) {
      const auto log_q = log_q_of(sampler, classes, nullptr, 0, nullptr, ctx);
      const auto with = log_q_of(sampler, classes, nullptr, tries, nullptr, ctx);
      const auto without = log_q_of(sampler, classes, nullptr, tries, &tries, ctx);
      for (size_t i = 0; i < classes.size(); ++i) {
        EXPECT_NEAR(log_q[i], static_cast<double>(std::log(p[i])), 1e-14) << c.id;
        EXPECT_NEAR(with[i], static_cast<double>(std::log(repeated[i])), 1e-14) << c.id;
        EXPECT_NEAR(without[i], static_cast<double>(std::log(unique[i])), 1e-14) << c.id;
      }
    }
  }
}

TEST(Samplers, ExpectedCounts) {
  // Down to classes so rare that e^log_q is 0, against the formula in long double.
  std::vector<double> weights = {1, 0.5, 1e-3, 1e-9, 1e-30, 1e-80, 1e-100, 1e-300, 0};
  const Sampler sampler(weights_options(weights, 2.0));
  const std::vector<int64_t> classes = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  const auto log_q = log_q_of(sampler, classes);
  for (const int64_t tries : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{1000}, int64_t{1} << 40}) {
    const auto counts = log_q_of(sampler, classes, nullptr, 1, &tries);
    for (size_t i = 0; i < classes.size(); ++i) {
      const long double q = std::exp(static_cast<long double>(log_q[i])), t = static_cast<long double>(tries);
      const long double expected = std::log(-std::expm1(t * std::log1p(-q)));
      if (std::isinf(expected)) {
        EXPECT_EQ(counts[i], -kInf);
      } else {
        EXPECT_NEAR(counts[i], static_cast<double>(expected), 4e-16 * std::abs(static_cast<double>(expected)) + 1e-13)
            << i << ", tries " << tries;
      }
    }
  }
}

TEST(Samplers, WeightsOfAnyTypeAndSize) {
  const std::vector<double> weights = {3, 0, 1, 4, 1, 5, 9, 2, 6};
  const auto expected = all_q(Sampler(weights_options(weights)), 9);
  for (const double scale : {0x1p-1074, 0x1p-1000, 0x1p1020}) {
    std::vector<double> scaled = weights;
    for (double& w : scaled) w *= scale;
    EXPECT_EQ(all_q(Sampler(weights_options(scaled)), 9), expected) << scale;
    const auto half = all_q(Sampler(weights_options(scaled, 0.5)), 9);
    const auto half_expected = all_q(Sampler(weights_options(weights, 0.5)), 9);
    for (size_t k = 0; k < 9; ++k) EXPECT_NEAR(half[k], half_expected[k], 1e-7) << scale;
  }
  const Vector f32(VMX_F32, weights, 3), strided(VMX_F64, weights, -2);
  std::vector<int32_t> i32(weights.begin(), weights.end());
  std::vector<int64_t> i64(weights.begin(), weights.end());
  for (const vmx_vector& view : {f32.view(), strided.view(), vmx_vector{i32.data(), 9, 1, VMX_I32, 0},
                                 vmx_vector{i64.data() + 8, 9, -1, VMX_I64, 0}}) {
    vmx_sampler_options options = sampler_options(VMX_SAMPLER_WEIGHTS, 9);
    options.weights = view;
    auto found = all_q(Sampler(options), 9);
    if (view.dtype == VMX_I64) std::reverse(found.begin(), found.end());
    EXPECT_EQ(found, expected) << view.dtype;
  }
  // Power 0: all that have any weight alike.
  const auto flat = all_q(Sampler(weights_options(weights, 0.0)), 9);
  for (size_t k = 0; k < 9; ++k) EXPECT_NEAR(flat[k], k == 1 ? 0.0 : 0.125, 1e-8);
  // Powers that leave f64.
  const auto steep = all_q(Sampler(weights_options({1e300, 1e-300, 1e299}, 30.0)), 3);
  EXPECT_NEAR(steep[0], 1.0, 1e-7);
}

TEST(Samplers, OneClass) {
  for (const Fixed& fixed : kFixed) {
    std::vector<double> weights;
    const Sampler sampler(options_of(fixed, 1, &weights));
    for (const uint32_t flags : {0u, VMX_DRAW_UNIQUE, VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS}) {
      const Drawn drawn = draw(sampler, nullptr, 3, 1, {.flags = flags});
      EXPECT_EQ(drawn.ids, (std::vector<int32_t>{0, 0, 0}));
      for (const float log_q : drawn.log_q) EXPECT_NEAR(static_cast<double>(log_q), 0, 1e-15);
      EXPECT_EQ(drawn.tries, (std::vector<int64_t>{1, 1, 1}));
    }
  }
}

// A class that no word leads to would be missing among the distinct ones.
TEST(Samplers, EveryClassOf2To24IsReached) {
  if (VMX_TEST_SANITIZED) GTEST_SKIP() << "too slow under a sanitizer";
  const int64_t classes = 1 << 24, lowest = 1 << 23, m = 1 << 20;
  for (const int32_t kind : {VMX_SAMPLER_UNIFORM, VMX_SAMPLER_LOG_UNIFORM}) {
    const Sampler sampler(sampler_options(kind, classes));
    std::vector<bool> seen(static_cast<size_t>(classes));
    const int64_t steps = kind == VMX_SAMPLER_UNIFORM ? 16 : 64;
    for (int64_t step = 0; step < steps; ++step) {
      for (const int32_t id : draw(sampler, nullptr, 1, m, {.step = step}).ids) seen[static_cast<size_t>(id)] = true;
    }
    // By residue mod 8, and below and above the middle: coarse arithmetic would leave some of these out.
    for (int64_t residue = 0; residue < 8; ++residue) {
      double expected = 0, found = 0;
      for (int64_t k = lowest + residue; k < classes; k += 8) {
        const double q = kind == VMX_SAMPLER_UNIFORM ? 1.0 / static_cast<double>(classes)
                                                     : std::log1p(1.0 / static_cast<double>(k + 1)) /
                                                           std::log(static_cast<double>(classes) + 1);
        expected += -std::expm1(-q * static_cast<double>(steps * m));
        found += seen[static_cast<size_t>(k)];
      }
      EXPECT_NEAR(found, expected, 5 * std::sqrt(expected)) << kind << ", residue " << residue;
    }
  }
}

// The map from words to classes, in exact or long double arithmetic.
TEST(Samplers, MapOfWords) {
  for (const int64_t classes : {int64_t{3}, int64_t{1000}, int64_t{152064}, int64_t{1} << 24, VMX_MAX_COLS}) {
    const vmx::DrawStreams streams = vmx::draw_streams(7, 9, 0);
    const Drawn uniform = draw(Sampler(sampler_options(VMX_SAMPLER_UNIFORM, classes)), nullptr, 1, 5000, {.seed = 7, .step = 9});
    const Drawn log_uniform =
        draw(Sampler(sampler_options(VMX_SAMPLER_LOG_UNIFORM, classes)), nullptr, 1, 5000, {.seed = 7, .step = 9});
    for (uint32_t i = 0; i < 5000; ++i) {
      const uint64_t x = vmx::long_word(streams.words, i);
      ASSERT_EQ(uniform.ids[i], static_cast<int32_t>(static_cast<vmx::uint128>(x) * static_cast<uint64_t>(classes) >> 64)) << i;
      const long double u = static_cast<long double>(x >> 11) * 0x1p-53L;
      const long double value = std::exp(u * std::log(static_cast<long double>(classes) + 1));
      const auto low = static_cast<int32_t>(std::floor(value * (1 - 1e-14L))) - 1,
                 high = static_cast<int32_t>(std::floor(value * (1 + 1e-14L))) - 1;
      ASSERT_GE(log_uniform.ids[i], low) << i;
      ASSERT_LE(log_uniform.ids[i], high) << i;
    }
  }
}

TEST(Samplers, RejectedWordsAreDrawnAgain) {
  // V = 3 * 2^29: of 2^64 words 2^30 are too many; whether one is met is chance, so the map itself is asked.
  const uint64_t v = uint64_t{3} << 29;
  EXPECT_EQ((uint64_t{0} - v) % v, uint64_t{1} << 30);
  VMX_FOR_EACH_ISA(ctx) {
    alignas(64) int32_t index[1024];
    alignas(64) uint32_t fraction[1024];
    const vmx::DrawStreams streams = vmx::draw_streams(1, 2, 3);
    const vmx::KernelTable& kernels = *static_cast<const vmx_context*>(ctx)->kernels;
    // A table that says "rejected" of words that are not: they keep their class.
    vmx::KernelTable faked = kernels;
    faked.draw_cells = [](const vmx::WordStream&, uint32_t, int64_t n, uint32_t, int32_t* to, uint32_t* f) {
      for (int64_t i = 0; i < n; ++i) to[i] = 77, f[i] = i % 2 ? 0 : 5;
    };
    vmx::draw_exact_cells(faked, streams, 0, 100, static_cast<uint32_t>(v), index, fraction);
    for (int64_t i = 0; i < 100; ++i) {
      EXPECT_EQ(index[i], 77);
      EXPECT_EQ(fraction[i], i % 2 ? 0u : 5u);
    }
  }
}

TEST(Samplers, UniqueDrawsAreTheFirstOccurrences) {
  for (const Fixed& fixed : kFixed) {
    for (const int64_t m : {1, 5, 64, 100, 700, 1024, 3000}) {
      std::vector<double> weights;
      const int64_t classes = 100003;
      const Sampler sampler(options_of(fixed, classes, &weights));
      const Drawn unique = draw(sampler, nullptr, 2, m, {.flags = VMX_DRAW_UNIQUE, .seed = 5, .step = 3});
      const Drawn counted = draw(sampler, nullptr, 2, m, {.flags = VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS, .seed = 5, .step = 3});
      for (int64_t row = 0; row < 2; ++row) {
        const int64_t tries = unique.tries[static_cast<size_t>(row)];
        ASSERT_LT(tries, classes) << "this test is not about the race";
        const Drawn all = draw(sampler, nullptr, 2, tries, {.seed = 5, .step = 3});
        std::vector<int32_t> first;
        std::set<int32_t> seen;
        for (int64_t i = 0; i < tries; ++i) {
          if (seen.insert(all.row(row)[i]).second) first.push_back(all.row(row)[i]);
        }
        EXPECT_EQ(first, std::vector<int32_t>(unique.row(row), unique.row(row) + m)) << fixed.name << " m " << m;
        EXPECT_EQ(first.back(), all.row(row)[tries - 1]) << "draws after the last one were counted";
        std::vector<int64_t> ids(first.begin(), first.end());
        const auto expected = log_q_of(sampler, ids), counts = log_q_of(sampler, ids, nullptr, m, &tries);
        for (size_t i = 0; i < ids.size(); ++i) {
          const size_t at = static_cast<size_t>(row * m) + i;
          EXPECT_EQ(unique.log_q[at], static_cast<float>(expected[i]));
          EXPECT_EQ(counted.log_q[at], static_cast<float>(counts[i]));
        }
      }
      EXPECT_EQ(unique.ids, counted.ids);
      EXPECT_EQ(unique.row_flags, (std::vector<uint32_t>{0, 0}));
    }
  }
}

TEST(Samplers, OrderAndTriesWithoutReplacementNearTheEnd) {
  // Few classes: nearly every row needs the race for what repeats leave open.
  const std::vector<double> weights = {5, 1, 0.25, 3, 0.5};
  const Sampler sampler(weights_options(weights));
  const auto q = all_q(sampler, 5);
  for (const int64_t m : {3, 5}) {
    const int64_t rows = VMX_TEST_SANITIZED ? 2000 : m == 3 ? 1'000'000 : 1'500'000;
    const Drawn drawn = draw(sampler, nullptr, rows, m, {.flags = VMX_DRAW_UNIQUE, .seed = 3});
    const auto law = sequences(q, m);
    std::map<std::vector<int32_t>, int64_t> counted;
    double tries = 0, squares = 0;
    for (int64_t r = 0; r < rows; ++r) {
      ++counted[std::vector<int32_t>(drawn.row(r), drawn.row(r) + m)];
      const double t = static_cast<double>(drawn.tries[static_cast<size_t>(r)]);
      tries += t;
      squares += t * t;
    }
    std::vector<int64_t> counts;
    std::vector<double> p;
    double expected_tries = 0;
    for (const auto& [sequence, probability] : law) {
      counts.push_back(counted[sequence]);
      p.push_back(probability);
      double left = 1, mean = 0;
      for (const int32_t k : sequence) {
        mean += 1 / left;
        left -= q[static_cast<size_t>(k)];
      }
      expected_tries += probability * mean;
    }
    int64_t of_the_law = 0;
    for (const int64_t n : counts) of_the_law += n;
    EXPECT_EQ(of_the_law, rows) << "a sequence that has no probability was drawn";
    EXPECT_LT(chi_square_deviation(counts, p), 5.0) << m;
    if (!VMX_TEST_SANITIZED) {
      EXPECT_GT(chi_square_deviation(counts, planted_bias(p)), 5.0) << m;
    }
    const double n = static_cast<double>(rows), mean = tries / n, deviation = std::sqrt((squares / n - mean * mean) / n);
    EXPECT_NEAR(mean, expected_tries, 5 * deviation) << m;
  }
}

TEST(Samplers, AllClassesWithoutReplacement) {
  for (const Fixed& fixed : kFixed) {
    for (const int64_t classes : {2, 17, 5000}) {
      std::vector<double> weights;
      const Sampler sampler(options_of(fixed, classes, &weights));
      const auto q = all_q(sampler, classes);
      const int64_t positive = std::count_if(q.begin(), q.end(), [](double p) { return p > 0; });
      const Drawn drawn = draw(sampler, nullptr, 3, classes, {.flags = VMX_DRAW_UNIQUE, .seed = 11});
      for (int64_t r = 0; r < 3; ++r) {
        std::set<int32_t> seen(drawn.row(r), drawn.row(r) + positive);
        EXPECT_EQ(static_cast<int64_t>(seen.size()), positive);
        EXPECT_EQ(seen.count(-1), 0u);
        for (const int32_t id : seen) EXPECT_GT(q[static_cast<size_t>(id)], 0.0);
        for (int64_t i = positive; i < classes; ++i) {
          EXPECT_EQ(drawn.row(r)[i], -1);
          EXPECT_EQ(static_cast<double>(drawn.log_q[static_cast<size_t>(r * classes + i)]), -kInf);
        }
        EXPECT_EQ(drawn.row_flags[static_cast<size_t>(r)], positive < classes ? VMX_ROW_UNDERFULL : 0u);
        EXPECT_GE(drawn.tries[static_cast<size_t>(r)], positive);
      }
    }
  }
}

TEST(Samplers, MoreDrawsWithoutReplacementBeginWithTheSame) {
  for (const Fixed& fixed : kFixed) {
    std::vector<double> weights;
    const Sampler sampler(options_of(fixed, 900, &weights));
    const Drawn all = draw(sampler, nullptr, 1, 900, {.flags = VMX_DRAW_UNIQUE, .seed = 4});
    int64_t tries = 0;
    for (const int64_t m : {1, 100, 500, 640, 700, 800}) {
      const Drawn some = draw(sampler, nullptr, 1, m, {.flags = VMX_DRAW_UNIQUE, .seed = 4});
      EXPECT_EQ(some.ids, std::vector<int32_t>(all.ids.begin(), all.ids.begin() + m)) << fixed.name << ", " << m;
      EXPECT_GE(some.tries[0], tries);
      tries = some.tries[0];
    }
  }
}

TEST(Samplers, WeightsFarApartDoNotStall) {
  // One class has nearly all: the others would take 10^12 draws.
  std::vector<double> weights(1000, 1e-15);
  weights[500] = 1;
  weights[7] = 1e-300;  // beyond the 32 bits of a cell
  const Sampler sampler(weights_options(weights));
  const Drawn drawn = draw(sampler, nullptr, 1, 1000, {.flags = VMX_DRAW_UNIQUE});
  EXPECT_EQ(std::set<int32_t>(drawn.ids.begin(), drawn.ids.end()).size(), 1000u);
  EXPECT_EQ(drawn.ids.front(), 500);
  EXPECT_EQ(drawn.ids.back(), 7);
  EXPECT_GT(drawn.tries[0], int64_t{1} << 60) << "the last class takes 10^300 draws";
  const Drawn some = draw(sampler, nullptr, 1, 2, {.flags = VMX_DRAW_UNIQUE});
  EXPECT_GT(some.tries[0], 1'000'000'000);
  EXPECT_LT(some.tries[0], 100'000'000'000'000);
}

TEST(Samplers, ShiftsOfSeedStepAndRow) {
  const Sampler sampler(sampler_options(VMX_SAMPLER_UNIFORM, 1 << 20));
  const Drawn rows = draw(sampler, nullptr, 3, 100, {.seed = 1, .step = 2});
  const Drawn shared = draw(sampler, nullptr, 1, 100, {.seed = 1, .step = 2});
  EXPECT_EQ(std::vector<int32_t>(rows.row(0), rows.row(0) + 100), shared.ids);
  const Drawn longer = draw(sampler, nullptr, 1, 5000, {.seed = 1, .step = 2});
  EXPECT_EQ(std::vector<int32_t>(longer.row(0), longer.row(0) + 100), shared.ids);
  std::set<int32_t> first = {rows.row(0)[0], rows.row(1)[0], rows.row(2)[0]};
  first.insert(draw(sampler, nullptr, 1, 1, {.seed = 2, .step = 2}).ids[0]);
  first.insert(draw(sampler, nullptr, 1, 1, {.seed = 1, .step = 3}).ids[0]);
  first.insert(draw(sampler, nullptr, 1, 1, {.seed = 1, .step = (int64_t{1} << 56) - 1}).ids[0]);
  EXPECT_EQ(first.size(), 6u);
}

TEST(Samplers, InBatchFollowsTheGaps) {
  vmx_sampler_options options = sampler_options(VMX_SAMPLER_IN_BATCH, 100);
  options.rate = 0.1;
  const Sampler sampler(options);
  EXPECT_EQ(log_q_of(sampler, {5}), (std::vector<double>{0.0})) << "nothing seen: B = 1";
  const auto observe = [&](std::vector<int64_t> ids, int64_t step) {
    const vmx_ids view = {ids.data(), static_cast<int64_t>(ids.size()), 1, VMX_I64, 0};
    ASSERT_EQ(vmx_sampler_observe(sampler, &view, step), VMX_OK) << last_error();
  };
  std::map<int64_t, double> gap;
  std::map<int64_t, int64_t> last;
  Random random(4);
  int64_t step = 0;
  for (int i = 0; i < 200; ++i, step += random.below(3)) {
    std::vector<int64_t> ids;
    for (int j = 0; j < 8; ++j) ids.push_back(random.below(1 + random.below(90)));
    observe(ids, step);
    for (const int64_t id : ids) {
      if (!last.count(id)) {
        gap[id] = static_cast<double>(step) + 1;
      } else if (last[id] != step) {
        gap[id] = 0.9 * gap[id] + 0.1 * static_cast<double>(step - last[id]);
      }
      last[id] = step;
    }
  }
  const int64_t latest = std::max_element(last.begin(), last.end(), [](auto& a, auto& b) { return a.second < b.second; })->second;
  for (int64_t id = 0; id < 100; ++id) {
    const double expected = last.count(id) ? gap[id] : static_cast<double>(latest) + 2;
    EXPECT_NEAR(log_q_of(sampler, {id})[0], -std::log(expected), 1e-12) << id;
  }
  // A class in every other batch settles at 1/2.
  for (int64_t s = 0; s < 800; ++s) observe({s % 2 ? 98 : 99}, step + 1 + s);
  EXPECT_NEAR(log_q_of(sampler, {99})[0], -std::log(2.0), 1e-9);
}

}  // namespace
