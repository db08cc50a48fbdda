// SPDX-License-Identifier: Apache-2.0
// ctest-labels: bits sanitize
// Partial states: folds of slices merged in any tree hold the bytes of one fold of the whole row.
#include "reference/softmax_oracle.hpp"
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/errors.hpp"
#include "support/shapes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace vmx::test;
using vmx::reference::Real;

constexpr double kInf = std::numeric_limits<double>::infinity();

using State = vmx_lse_state;

std::string bytes_of(const State& state) {
  std::string text;
  for (size_t i = 0; i < sizeof state; ++i) {
    char byte[4];
    std::snprintf(byte, sizeof byte, "%02x%s", reinterpret_cast<const unsigned char*>(&state)[i], i % 8 == 7 ? " " : "");
    text += byte;
  }
  return text;
}

struct Fold {
  uint32_t flags = 0;
  float temperature = 1;
  std::vector<float> class_weight;  // of the whole row; empty: 1
  int64_t skip = -1;                // counted over the whole row
};

vmx_lse_options options_of(const Fold& fold, int64_t first) {
  vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
  options.flags = fold.flags;
  options.temperature = &fold.temperature;
  if (!fold.class_weight.empty()) {
    options.class_weight = {const_cast<float*>(fold.class_weight.data()) + first,
                            static_cast<int64_t>(fold.class_weight.size()) - first, 1, VMX_F32, 0};
  }
  if (fold.skip >= 0) options.skip = {&fold.skip, 1, 1, VMX_I64, 0};
  return options;
}

// Columns [first, first + count) of a one-row matrix into the state.
void fold_slice(const vmx_context* ctx, const Matrix& x, int64_t first, int64_t count, const Fold& fold, State* state) {
  vmx_matrix slice = x.view();
  slice.data = x.at(0, first);
  slice.cols = count;
  vmx_lse_options options = options_of(fold, first);
  if (options.class_weight.data) options.class_weight.n = count;
  ASSERT_EQ(vmx_lse_fold(ctx, nullptr, &slice, first, state, &options), VMX_OK) << last_error();
}

State fold_whole(const vmx_context* ctx, const Matrix& x, const Fold& fold) {
  State state{};
  fold_slice(ctx, x, 0, x.cols(), fold, &state);
  return state;
}

double finish(const State& state, const Fold& fold, int32_t dtype, uint32_t* flags = nullptr) {
  const Vector lse(wide_type(dtype), 1);
  vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
  options.temperature = &fold.temperature;
  EXPECT_EQ(vmx_lse_finish(&state, 1, &options, lse, nullptr, flags), VMX_OK) << last_error();
  return lse.get(0);
}

// Blocks of different kinds side by side.
std::vector<double> mixed_row(int64_t cols, int32_t dtype, Random& random, bool with_special) {
  std::vector<double> row;
  const auto& kinds = row_kinds();
  while (static_cast<int64_t>(row.size()) < cols) {
    const RowKind* kind;
    do {
      kind = &kinds[static_cast<size_t>(random.below(static_cast<int64_t>(kinds.size())))];
    } while (kind->special && std::string(kind->name) != "all_masked" && !with_special);
    const auto part = make_row(*kind, std::min<int64_t>(VMX_BLOCK, cols - static_cast<int64_t>(row.size())), dtype,
                               random.bits());
    row.insert(row.end(), part.begin(), part.end());
  }
  return row;
}

// The sets of options that go through the trees.
std::vector<Fold> folds(int64_t cols, Random& random) {
  std::vector<float> weights;
  for (int64_t c = 0; c < cols; ++c) weights.push_back(static_cast<float>(random.below(1000)) / 256);
  return {{0, 1, {}, -1},
          {0, 0.1f, {}, random.below(cols)},
          {VMX_FOLD_SUMS, 1, weights, -1},
          {VMX_FOLD_ENTROPY, 3, {}, -1},
          {VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, 1, weights, random.below(cols)},
          {VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, 1e-9f, {}, -1},
          {VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, 0, {}, random.below(cols)},
          {VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, std::numeric_limits<float>::infinity(), {}, -1}};
}

class LseStateOfType : public testing::TestWithParam<int32_t> {};
INSTANTIATE_TEST_SUITE_P(Types, LseStateOfType, testing::ValuesIn(kFloatTypes),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(LseStateOfType, TreesOfShards) {
  Random random(static_cast<uint64_t>(GetParam()));
  const int rounds = VMX_TEST_SANITIZED ? 2 : 12;
  const int kinds = static_cast<int>(row_kinds().size());
  for (int round = -kinds; round < rounds; ++round) {
    // First rows of one kind, then mixed ones.
    const int64_t cols = round < 0 ? 3 * VMX_BLOCK + 7 : random.below(7 * VMX_BLOCK) + VMX_BLOCK + 1;
    const auto row = round < 0 ? make_row(row_kinds()[static_cast<size_t>(-round - 1)], cols, GetParam(), 1)
                               : mixed_row(cols, GetParam(), random, round % 3 == 0);
    const Matrix x(GetParam(), {row});
    for (const Fold& fold : folds(cols, random)) {
      State first{};
      VMX_FOR_EACH_ISA(ctx) {
        const State whole = fold_whole(ctx, x, fold);
        if (first.version == 0) first = whole;
        ASSERT_EQ(bytes_of(whole), bytes_of(first)) << "differs from the first ISA";
        std::vector<State> parts;
        for (int64_t c = 0; c < cols;) {
          const int64_t count = std::min(cols - c, VMX_BLOCK * (1 + random.below(3)));
          State part{};
          fold_slice(ctx, x, c, count, fold, &part);
          parts.push_back(part);
          c += count;
        }
        for (int i = 0; i < 2; ++i) parts.insert(parts.begin() + random.below(static_cast<int64_t>(parts.size())), State{});
        while (parts.size() > 1) {
          const auto a = static_cast<size_t>(random.below(static_cast<int64_t>(parts.size())));
          const auto b = static_cast<size_t>(random.below(static_cast<int64_t>(parts.size())));
          if (a == b) continue;
          ASSERT_EQ(vmx_lse_merge(&parts[a], &parts[b], 1), VMX_OK) << last_error();
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(b));
        }
        ASSERT_EQ(bytes_of(parts[0]), bytes_of(whole))
            << cols << " columns, flags " << fold.flags << ", T " << fold.temperature << ", skip " << fold.skip;
        // Into a state that already holds the others, from behind.
        State growing{};
        for (int64_t c = cols / VMX_BLOCK * VMX_BLOCK; c >= 0; c -= VMX_BLOCK) {
          fold_slice(ctx, x, c, std::min<int64_t>(VMX_BLOCK, cols - c), fold, &growing);
        }
        ASSERT_EQ(bytes_of(growing), bytes_of(whole));
      }
    }
  }
}

TEST_P(LseStateOfType, ManySegmentsAndThreads) {
  Random random(5);
  const int64_t cols = 132 * VMX_BLOCK + 5;  // several tasks for one row
  const Matrix x(GetParam(), {mixed_row(cols, GetParam(), random, false)});
  const Fold fold{VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, 1, {}, -1};
  const State alone = fold_whole(Context(VMX_ISA_BEST, 1), x, fold);
  for (const int32_t threads : {2, 3}) {
    EXPECT_EQ(bytes_of(fold_whole(Context(VMX_ISA_BEST, threads), x, fold)), bytes_of(alone)) << threads;
  }
}

// The empty state is all-zero bytes, changes nothing, and is what folding nothing leaves.
TEST_P(LseStateOfType, Identity) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const RowKind& kind : row_kinds()) {
      const Matrix x(GetParam(), {make_row(kind, 500, GetParam(), 1)});
      const Fold fold{VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, 1, {}, -1};
      const State state = fold_whole(ctx, x, fold);
      State left{}, right = state;
      const State empty{};
      ASSERT_EQ(vmx_lse_merge(&left, &state, 1), VMX_OK);
      ASSERT_EQ(vmx_lse_merge(&right, &empty, 1), VMX_OK);
      EXPECT_EQ(bytes_of(left), bytes_of(state)) << kind.name;
      EXPECT_EQ(bytes_of(right), bytes_of(state)) << kind.name;
    }
    State nothing{};
    const Matrix none(GetParam(), 1, 0);
    ASSERT_EQ(vmx_lse_fold(ctx, nullptr, none, 0, &nothing, nullptr), VMX_OK) << last_error();
    EXPECT_EQ(bytes_of(nothing), bytes_of(State{}));
    uint32_t flags = 0;
    EXPECT_EQ(finish(nothing, {}, GetParam(), &flags), -kInf);
    EXPECT_EQ(flags, VMX_ROW_EMPTY);
  }
}

// A finished state is what vmx_logsumexp gives, with the row flags.
TEST_P(LseStateOfType, FinishIsLogSumExp) {
  const int32_t dtype = GetParam();
  for (const int64_t cols : {1, 300, 9000}) {
    const auto rows = rows_of_all_kinds(cols, dtype, 13);
    const auto count = static_cast<int64_t>(rows.size());
    const Matrix x(dtype, rows);
    std::vector<float> temperatures = kTemperatures;
    temperatures.insert(temperatures.end(), kExtremeTemperatures.begin(), kExtremeTemperatures.end());
    for (const float t : temperatures) {
      if (cols > 300 && t != 1.0f && t != 0.07f) continue;
      vmx_softmax_options softmax = VMX_SOFTMAX_OPTIONS_INIT;
      softmax.temperature = &t;
      vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
      options.temperature = &t;
      VMX_FOR_EACH_ISA(ctx) {
        const Vector direct(wide_type(dtype), count), finished(wide_type(dtype), count);
        std::vector<uint32_t> direct_flags(rows.size()), flags(rows.size(), 99);
        std::vector<State> states(rows.size(), State{});
        ASSERT_EQ(vmx_logsumexp(ctx, nullptr, x, direct, direct_flags.data(), &softmax), VMX_OK) << last_error();
        ASSERT_EQ(vmx_lse_fold(ctx, nullptr, x, 0, states.data(), &options), VMX_OK) << last_error();
        ASSERT_EQ(vmx_lse_finish(states.data(), count, &options, finished, nullptr, flags.data()), VMX_OK) << last_error();
        for (int64_t r = 0; r < count; ++r) {
          const auto i = static_cast<size_t>(r);
          EXPECT_EQ(std::memcmp(direct.at(r), finished.at(r), size_of(wide_type(dtype))), 0)
              << describe(row_kinds()[i].name, cols, t) << ": " << direct.get(r) << " and " << finished.get(r);
          EXPECT_EQ(flags[i], direct_flags[i]) << describe(row_kinds()[i].name, cols, t);
        }
      }
    }
  }
}

// Fields that a caller may read.
TEST_P(LseStateOfType, Fields) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const RowKind& kind : row_kinds()) {
      for (const int64_t cols : {1, 300, 5000}) {
        const auto row = make_row(kind, cols, GetParam(), 17);
        const Matrix x(GetParam(), {row});
        const State state = fold_whole(ctx, x, {VMX_FOLD_SUMS, 2, {}, -1});
        int64_t allowed = 0;
        double max = -kInf;
        bool nan = false, inf = false, masked = false;
        for (const double z : row) {
          nan |= std::isnan(z);
          inf |= z == kInf;
          masked |= z == -kInf;
          if (std::isnan(z) || z == -kInf) continue;
          ++allowed;
          max = std::max(max, z);
        }
        SCOPED_TRACE(std::string(kind.name) + " x " + std::to_string(cols));
        EXPECT_EQ(state.version, 1);
        EXPECT_EQ(state.count, allowed);
        if (allowed > 0) {
          EXPECT_EQ(state.max, max);
        }
        EXPECT_EQ((state.flags & VMX_STATE_NAN) != 0, nan);
        EXPECT_EQ((state.flags & VMX_STATE_INF) != 0, inf);
        EXPECT_EQ((state.flags & VMX_STATE_MASKED) != 0, masked);
        EXPECT_EQ(state.flags & (VMX_STATE_HAS_SUMS | VMX_STATE_HAS_ENTROPY), VMX_STATE_HAS_SUMS);
      }
    }
  }
}

TEST_P(LseStateOfType, OtherCutsStayInBounds) {
  const int32_t dtype = GetParam();
  const Real u = unit_of(dtype);
  Random random(3);
  ErrorReport report(std::string("lse of shards cut anywhere ") + name_of(dtype), u);
  for (const char* kind : {"bell", "wide", "masked", "rising", "high", "far", "deep_holes", "zeros"}) {
    const auto row = make_row(row_kind(kind), 9000, dtype, 2);
    const Matrix x(dtype, {row});
    const Real expected = vmx::reference::softmax(row).lse;
    VMX_FOR_EACH_ISA(ctx) {
      State state{};
      for (int64_t c = 0; c < x.cols();) {
        const int64_t count = std::min(x.cols() - c, 1 + random.below(1500));
        fold_slice(ctx, x, c, count, {}, &state);
        c += count;
      }
      const Real scale = std::fmax(1, std::fabs(expected));
      report.check(finish(state, {}, dtype), expected, u * scale + 16 * u, scale, wide_type(dtype), kind, 0, 0);
    }
  }
}

// A column left out is as good as a mask there, except that none is noted.
TEST_P(LseStateOfType, Skip) {
  Random random(8);
  for (const RowKind& kind : row_kinds()) {
    const auto row = make_row(kind, 4500, GetParam(), 3);
    for (const int64_t skip : {int64_t{0}, int64_t{4096}, int64_t{4499}, random.below(4500)}) {
      auto masked = row;
      masked[static_cast<size_t>(skip)] = -kInf;
      bool others_masked = false;
      for (size_t c = 0; c < row.size(); ++c) others_masked |= static_cast<int64_t>(c) != skip && row[c] == -kInf;
      const Matrix x(GetParam(), {row}), y(GetParam(), {masked});
      const uint32_t flags = VMX_FOLD_SUMS | VMX_FOLD_ENTROPY;
      VMX_FOR_EACH_ISA(ctx) {
        const State skipped = fold_whole(ctx, x, {flags, 1, {}, skip});
        State expected = fold_whole(ctx, y, {flags, 1, {}, -1});
        if (!others_masked) expected.flags = static_cast<uint8_t>(expected.flags & ~VMX_STATE_MASKED);
        EXPECT_EQ(bytes_of(skipped), bytes_of(expected)) << kind.name << ", column " << skip;
      }
    }
  }
  // Ids outside the slice leave nothing out; the base is taken off.
  const auto row = make_row(row_kind("bell"), 100, GetParam(), 3);
  const Matrix x(GetParam(), {row});
  const Context ctx;
  const State whole = fold_whole(ctx, x, {});
  for (const int64_t id : {int64_t{-100}, int64_t{0}, int64_t{8191}, int64_t{8292}, int64_t{1} << 40}) {
    State state{};
    vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
    options.skip = {&id, 1, 1, VMX_I64, 0};
    ASSERT_EQ(vmx_lse_fold(ctx, nullptr, x, 8192, &state, &options), VMX_OK) << last_error();
    EXPECT_EQ(bytes_of(state), bytes_of(whole)) << id;
  }
  const int32_t from_one = 8193 + 41;
  State state{};
  vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
  options.skip = {&from_one, 1, 1, VMX_I32, 1};
  ASSERT_EQ(vmx_lse_fold(ctx, nullptr, x, 8192, &state, &options), VMX_OK) << last_error();
  EXPECT_EQ(bytes_of(state), bytes_of(fold_whole(ctx, x, {0, 1, {}, 41})));
}

TEST_P(LseStateOfType, Entropy) {
  const int32_t dtype = GetParam();
  const Real u = unit_of(dtype);
  ErrorReport report(std::string("entropy ") + name_of(dtype), u);
  for (const int64_t cols : {1, 2, 257, 9000}) {
    const auto rows = rows_of_all_kinds(cols, dtype, 19);
    const auto count = static_cast<int64_t>(rows.size());
    const Matrix x(dtype, rows);
    for (const float t : {1.0f, 0.1f, 20.0f, 1e-6f, 0.0f, std::numeric_limits<float>::infinity()}) {
      vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
      options.flags = VMX_FOLD_ENTROPY;
      options.temperature = &t;
      VMX_FOR_EACH_ISA(ctx) {
        std::vector<State> states(rows.size(), State{});
        const Vector lse(wide_type(dtype), count), entropy(wide_type(dtype), count, -3);
        ASSERT_EQ(vmx_lse_fold(ctx, nullptr, x, 0, states.data(), &options), VMX_OK) << last_error();
        ASSERT_EQ(vmx_lse_finish(states.data(), count, &options, lse, entropy, nullptr), VMX_OK) << last_error();
        EXPECT_TRUE(entropy.surroundings_untouched());
        for (int64_t r = 0; r < count; ++r) {
          const auto i = static_cast<size_t>(r);
          const auto expected = vmx::reference::softmax(rows[i], static_cast<double>(t));
          // Two digits of 40 bits: merging into a higher bin drops up to 41 units of the last one.
          const Real blocks = static_cast<Real>(cols / VMX_BLOCK + 1);
          const Real bound = 16 * u * (1 + expected.entropy) + 41 * blocks * 0x1p-40L;
          report.check(entropy.get(r), expected.entropy, std::isnan(bound) ? 0 : bound, std::fmax(1, expected.entropy), wide_type(dtype),
                       describe(row_kinds()[i].name, cols, t).c_str(), r, 0);
        }
      }
    }
  }
}

TEST_P(LseStateOfType, ShortForm) {
  const int32_t dtype = GetParam();
  const Real u = unit_of(dtype);
  ErrorReport report(std::string("lse by short states ") + name_of(dtype), u);
  Random random(12);
  for (const float t : {1.0f, 0.05f, 1e-8f, std::numeric_limits<float>::infinity()}) {
    for (const RowKind& kind : row_kinds()) {
      const auto row = make_row(kind, 9000, dtype, 23);
      const Matrix x(dtype, {row});
      const auto expected = vmx::reference::softmax(row, static_cast<double>(t));
      vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
      options.temperature = &t;
      const std::string what = describe(kind.name, 9000, t);
      VMX_FOR_EACH_ISA(ctx) {
        vmx_lse_short merged = {-kInf, 0};
        for (int64_t c = 0; c < x.cols();) {
          const int64_t count = std::min(x.cols() - c, 1 + random.below(4000));
          State state{};
          fold_slice(ctx, x, c, count, {0, t, {}, -1}, &state);
          vmx_lse_short part;
          ASSERT_EQ(vmx_lse_shorten(&state, 1, &options, &part), VMX_OK) << last_error();
          ASSERT_EQ(vmx_lse_short_merge(&merged, &part, 1), VMX_OK) << last_error();
          c += count;
        }
        const Vector lse(wide_type(dtype), 1);
        ASSERT_EQ(vmx_lse_short_finish(&merged, 1, lse), VMX_OK) << last_error();
        const Real scale = std::isfinite(expected.lse) ? std::fmax(1, std::fabs(expected.lse)) : 1;
        // The product max/T and the last sum round in f64, which is the unit for f64 scores.
        const Real bound = std::isfinite(expected.lse) ? (dtype == VMX_F64 ? 3 : 1) * u * scale + 16 * u : 0;
        report.check(lse.get(0), expected.lse, bound, scale, wide_type(dtype), what.c_str(), 0, 0);
      }
    }
  }
}

TEST(LseState, ShortFormOfSpecialRows) {
  const Context ctx;
  const auto short_of = [&](const char* kind) {
    const Matrix x(VMX_F32, {make_row(row_kind(kind), 50, VMX_F32, 1)});
    const State state = fold_whole(ctx, x, {});
    vmx_lse_short result{};
    EXPECT_EQ(vmx_lse_shorten(&state, 1, nullptr, &result), VMX_OK);
    return result;
  };
  const vmx_lse_short nan = short_of("nan"), inf = short_of("inf"), none = short_of("all_masked"), one = short_of("equal");
  EXPECT_TRUE(std::isnan(nan.max) && std::isnan(nan.sum));
  EXPECT_EQ(inf.max, kInf);
  EXPECT_EQ(inf.sum, 1);
  EXPECT_EQ(none.max, -kInf);
  EXPECT_EQ(none.sum, 0);
  EXPECT_EQ(one.max, 2.75);
  EXPECT_NEAR(one.sum, 50, 50 * 0x1p-22);
  const auto merged = [](vmx_lse_short a, const vmx_lse_short& b) {
    EXPECT_EQ(vmx_lse_short_merge(&a, &b, 1), VMX_OK);
    return a;
  };
  EXPECT_TRUE(std::isnan(merged(one, nan).max) && std::isnan(merged(nan, inf).max) && std::isnan(merged(none, nan).sum));
  EXPECT_EQ(merged(inf, inf).max, kInf);
  EXPECT_EQ(merged(inf, one).sum, 1);
  EXPECT_EQ(merged(none, one).sum, one.sum);
  EXPECT_EQ(merged(one, none).sum, one.sum);
  EXPECT_EQ(merged(none, none).max, -kInf);
}

TEST(LseState, MergeWithItselfDoubles) {
  const Context ctx;
  const Matrix x(VMX_F64, {make_row(row_kind("bell"), 1000, VMX_F64, 1)});
  State state = fold_whole(ctx, x, {});
  const double before = finish(state, {}, VMX_F64);
  ASSERT_EQ(vmx_lse_merge(&state, &state, 1), VMX_OK) << last_error();
  EXPECT_NEAR(finish(state, {}, VMX_F64), before + std::log(2.0), 1e-14);
  EXPECT_EQ(state.count, 2000u);
}

// Equal scores over up to 2^31 classes, by doubling: the high digit of the entropy passes 2^63 where they fill their bin.
TEST(LseState, EntropyOfVeryManyClasses) {
  const Context ctx;
  for (double z = -45; z < 45; z += 0.25) {
    const Matrix x(VMX_F64, {std::vector<double>(VMX_BLOCK, z)});
    State doubled = fold_whole(ctx, x, {VMX_FOLD_ENTROPY, 1, {}, -1}), all{};
    for (int i = 0; i < 19; ++i) {
      ASSERT_EQ(vmx_lse_merge(&all, &doubled, 1), VMX_OK) << last_error();
      const Vector entropy(VMX_F64, 1);
      ASSERT_EQ(vmx_lse_finish(&all, 1, nullptr, nullptr, entropy, nullptr), VMX_OK) << last_error();
      EXPECT_NEAR(entropy.get(0), std::log(static_cast<double>(all.count)), 1e-10) << "z " << z << ", " << all.count << " classes";
      if (i < 18) {
        ASSERT_EQ(vmx_lse_merge(&doubled, &doubled, 1), VMX_OK) << last_error();
      }
    }
    // A block one bin higher: what was there moves to the lower digits, and drops up to 41 units of the last one for each block.
    const double above = z + 40 * std::log(2.0);
    const Matrix one(VMX_F64, {std::vector<double>{above}});
    const State higher = fold_whole(ctx, one, {VMX_FOLD_ENTROPY, 1, {}, -1});
    ASSERT_EQ(vmx_lse_merge(&doubled, &higher, 1), VMX_OK) << last_error();
    const Vector entropy(VMX_F64, 1);
    ASSERT_EQ(vmx_lse_finish(&doubled, 1, nullptr, nullptr, entropy, nullptr), VMX_OK) << last_error();
    const double rest = std::ldexp(1.0, 30 - 40);  // of 2^30 classes, beside the one
    EXPECT_NEAR(entropy.get(0), std::log1p(rest) + rest / (1 + rest) * 40 * std::log(2.0), 41 * 0x1p18 * 0x1p-40) << "z " << z;
  }
}

TEST(LseState, BytesThatNoFoldMakesAreRefused) {
  const Context ctx;
  const Matrix x(VMX_F32, {make_row(row_kind("bell"), 100, VMX_F32, 1)});
  const State sound = fold_whole(ctx, x, {VMX_FOLD_ENTROPY, 1, {}, -1});
  const auto refused = [&](void (*spoil)(State&), const char* what) {
    State bad = sound;
    spoil(bad);
    State into = sound;
    EXPECT_EQ(vmx_lse_merge(&into, &bad, 1), VMX_ERR_VALUE) << what;
    EXPECT_NE(last_error().find("from[0] is no state that a fold made"), std::string::npos) << last_error();
    EXPECT_EQ(bytes_of(into), bytes_of(sound)) << what;
    EXPECT_EQ(vmx_lse_fold(ctx, nullptr, x, 0, &bad, nullptr), VMX_ERR_VALUE) << what;
    const Vector lse(VMX_F32, 1);
    EXPECT_EQ(vmx_lse_finish(&bad, 1, nullptr, lse, nullptr, nullptr), VMX_ERR_VALUE) << what;
    vmx_lse_short out{};
    EXPECT_EQ(vmx_lse_shorten(&bad, 1, nullptr, &out), VMX_ERR_VALUE) << what;
  };
  refused([](State& s) { s.ref = std::numeric_limits<int64_t>::max(); }, "ref");
  refused([](State& s) { s.ref = std::numeric_limits<int64_t>::min(); }, "ref below");
  refused([](State& s) { s.sum[0] = std::numeric_limits<int64_t>::max(); }, "sum");
  refused([](State& s) { s.sum[2] = -1; }, "a negative sum");
  refused([](State& s) { s.max = std::numeric_limits<double>::quiet_NaN(); }, "max");
  refused([](State& s) { s.version = 0, s.ref = int64_t{1} << 60; }, "an empty state that is not");
}

TEST(LseState, Refusals) {
  const Context ctx;
  const Matrix x(VMX_F32, {make_row(row_kind("bell"), 100, VMX_F32, 1)});
  const State plain = fold_whole(ctx, x, {}), sums = fold_whole(ctx, x, {VMX_FOLD_SUMS, 1, {}, -1});
  const auto refuses = [](State into, const State& from, vmx_status status) {
    State pair[2] = {into, into}, others[2] = {State{}, from};  // nothing is written, not even the first
    const std::string before = bytes_of(pair[0]) + bytes_of(pair[1]);
    EXPECT_EQ(vmx_lse_merge(pair, others, 2), status) << last_error();
    EXPECT_EQ(bytes_of(pair[0]) + bytes_of(pair[1]), before);
  };
  refuses(plain, sums, VMX_ERR_VALUE);
  refuses(sums, plain, VMX_ERR_VALUE);
  State unknown = plain;
  unknown.version = 2;
  refuses(plain, unknown, VMX_ERR_VALUE);
  refuses(unknown, plain, VMX_ERR_VALUE);
  State full = plain;
  full.count = static_cast<uint32_t>(VMX_MAX_COLS - 99);
  refuses(full, plain, VMX_ERR_SIZE);

  const auto fold = [&](State state, int64_t offset, vmx_status status, const vmx_lse_options* options = nullptr) {
    const std::string before = bytes_of(state);
    EXPECT_EQ(vmx_lse_fold(ctx, nullptr, x, offset, &state, options), status) << last_error();
    EXPECT_EQ(bytes_of(state), before);
  };
  fold(State{}, -1, VMX_ERR_SHAPE);
  fold(full, 0, VMX_ERR_SIZE);
  fold(unknown, 0, VMX_ERR_VALUE);
  fold(sums, 0, VMX_ERR_VALUE);
  vmx_lse_options wants_sums = VMX_LSE_OPTIONS_INIT;
  wants_sums.flags = VMX_FOLD_SUMS;
  fold(plain, 0, VMX_ERR_VALUE, &wants_sums);

  const Vector lse(VMX_F32, 1), entropy(VMX_F32, 1);
  EXPECT_EQ(vmx_lse_finish(&plain, 1, nullptr, lse, entropy, nullptr), VMX_ERR_VALUE) << "no entropy in that state";
  EXPECT_EQ(vmx_lse_finish(&unknown, 1, nullptr, lse, nullptr, nullptr), VMX_ERR_VALUE);
  EXPECT_TRUE(std::isnan(lse.get(0))) << "written";  // all bytes 0xff as they were
}

TEST(LseState, Layout) {
  static_assert(sizeof(vmx_lse_state) == 96 && sizeof(vmx_lse_short) == 16);
  static_assert(offsetof(vmx_lse_state, count) == 4 && offsetof(vmx_lse_state, max) == 8);
  static_assert(offsetof(vmx_lse_state, ref) == 16 && offsetof(vmx_lse_state, sum) == 24);
  static_assert(offsetof(vmx_lse_state, entropy) == 48 && offsetof(vmx_lse_state, sum_wz) == 64);
  static_assert(offsetof(vmx_lse_state, sum_w) == 80);
}

}  // namespace
