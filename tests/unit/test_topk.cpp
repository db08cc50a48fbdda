// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize bits threads
// ctest-timeout: 900
// ctest-shards: 2
// vmx_topk and vmx_topk_merge against vectors and an oracle that sorts: exactly the same entries, bit for bit.
#include "ops/topk_stream.hpp"
#include "reference/topk.hpp"
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/guarded.hpp"
#include "support/json_vectors.hpp"
#include "support/rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <thread>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace {

using namespace vmx::test;
using vmx::reference::Topk;
using vmx::reference::TopkOptions;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr uint32_t kUnwritten = 0xffffffffu;

// Kinds that selection has trouble with, besides those of support/rows.hpp.
const std::vector<RowKind>& selection_kinds() {
  static const std::vector<RowKind> kinds = {
      {"few_values", false, [](Random& r, int64_t, int64_t, double) { return static_cast<double>(r.below(5)) - 2; }},
      {"integers", false, [](Random& r, int64_t, int64_t, double) { return std::round(3 * r.bell()); }},
      {"organ_pipe", false,
       [](Random&, int64_t c, int64_t n, double) { return static_cast<double>(std::min(c, n - c)) / 64 - 5; }},
      {"saw", false, [](Random&, int64_t c, int64_t, double) { return static_cast<double>(c % 509) / 128; }},
      {"steps", false, [](Random&, int64_t c, int64_t, double) { return static_cast<double>(c / 100); }},
      {"two_scales", false,
       [](Random& r, int64_t c, int64_t, double top) { return c % 2 ? top / 2 * r.unit() : r.unit() * 0x1p-20; }},
      {"subnormal", false,
       [](Random& r, int64_t, int64_t, double) { return r.symmetric() * (r.one_in(2) ? 0x1p-127 : 0x1p-140); }},
      {"relu", false, [](Random& r, int64_t, int64_t, double) { return std::max(r.bell() - 2, r.one_in(2) ? 0.0 : -0.0); }},
      {"mostly_nan", true, [](Random& r, int64_t, int64_t, double) { return r.one_in(50) ? r.bell() : kNan; }},
      {"all_nan", true, [](Random& r, int64_t, int64_t, double) { return r.one_in(2) ? kNan : -kNan; }},
      {"odd_mix", true,
       [](Random& r, int64_t, int64_t, double) {
         const double odd[] = {kNan, -kNan, kInf, -kInf, 0.0, -0.0, 1.0, -1.0};
         return odd[r.below(8)];
       }},
      {"log_probabilities", false, [](Random& r, int64_t, int64_t, double) { return -11 - 3 * std::fabs(r.bell()); }},
  };
  return kinds;
}

std::vector<const RowKind*> all_kinds() {
  std::vector<const RowKind*> result;
  for (const RowKind& kind : row_kinds()) result.push_back(&kind);
  for (const RowKind& kind : selection_kinds()) result.push_back(&kind);
  return result;
}

vmx_topk_options options_of(const TopkOptions& o, int64_t col_offset = 0) {
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = (o.smallest ? VMX_TOPK_SMALLEST : 0u) | (o.unsorted ? VMX_TOPK_UNSORTED : 0u);
  options.col_offset = col_offset;
  return options;
}

int64_t id_at(const Matrix& ids, int64_t row, int64_t i) {
  if (ids.dtype() == VMX_I32) return *static_cast<const int32_t*>(ids.at(row, i));
  return *static_cast<const int64_t*>(ids.at(row, i));
}

// Columns, bits of values and flags of one row.
void expect_row(const Topk& expected, const Matrix& x, const Matrix& values, const Matrix& ids, uint32_t flags, int64_t row,
                bool smallest, int64_t col_offset, const std::string& what) {
  for (int64_t i = 0; i < ids.cols(); ++i) {
    const int64_t column = expected.columns[static_cast<size_t>(i)];
    ASSERT_EQ(id_at(ids, row, i), column < 0 ? -1 : column + col_offset) << what << ", row " << row << ", entry " << i;
    if (column >= 0) {
      ASSERT_EQ(std::memcmp(values.at(row, i), x.at(row, column), size_of(x.dtype())), 0)
          << what << ", row " << row << ", entry " << i << ": " << values.get(row, i) << " instead of " << x.get(row, column);
    } else {
      ASSERT_EQ(values.get(row, i), smallest ? kInf : -kInf) << what << ", row " << row << ", entry " << i;
    }
  }
  ASSERT_EQ(flags, expected.flags) << what << ", row " << row;
}

// All rows of x, on every ISA.
void check(const Matrix& x, int64_t k, const TopkOptions& o, int32_t id_type, Layout out_layout, const std::string& what) {
  std::vector<Topk> expected;
  for (int64_t r = 0; r < x.rows(); ++r) expected.push_back(vmx::reference::topk(x.row(r), k, o));
  const vmx_topk_options options = options_of(o);
  VMX_FOR_EACH_ISA(ctx) {
    const Matrix values(x.dtype(), x.rows(), k, out_layout), ids(id_type, x.rows(), k, out_layout);
    std::vector<uint32_t> flags(static_cast<size_t>(x.rows()), kUnwritten);
    ASSERT_EQ(vmx_topk(ctx, nullptr, x, k, values, ids, flags.data(), &options), VMX_OK) << last_error();
    ASSERT_TRUE(values.surroundings_untouched() && ids.surroundings_untouched()) << what;
    for (int64_t r = 0; r < x.rows(); ++r) {
      const auto i = static_cast<size_t>(r);
      expect_row(expected[i], x, values, ids, flags[i], r, o.smallest, 0, what);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

std::string describe(const char* kind, int32_t dtype, int64_t cols, int64_t k, const TopkOptions& o) {
  return std::string(kind) + " " + name_of(dtype) + ", cols " + std::to_string(cols) + ", k " + std::to_string(k) +
         (o.smallest ? ", smallest" : "") + (o.unsorted ? ", unsorted" : "");
}

std::vector<TopkOptions> orders() { return {{false, false}, {true, false}, {false, true}, {true, true}}; }

TEST(Topk, Vectors) {
  for (const auto& test : load_vectors("select.json", "topk")) {
    const Matrix x(VMX_F32, {floats_in(test.in["z"])});
    const auto k = test.in["k"].get<int64_t>();
    VMX_FOR_EACH_ISA(ctx) {
      const Matrix ids(VMX_I64, 1, k);
      ASSERT_EQ(vmx_topk(ctx, nullptr, x, k, nullptr, ids, nullptr, nullptr), VMX_OK) << last_error();
      for (int64_t i = 0; i < k; ++i) {
        EXPECT_EQ(id_at(ids, 0, i), test.out["index"][static_cast<size_t>(i)].get<int64_t>()) << test.id << ", entry " << i;
      }
    }
  }
}

TEST(Topk, EveryKindAgainstSorting) {
  const std::vector<int64_t> lengths = VMX_TEST_SANITIZED ? std::vector<int64_t>{1, 70, 2100}
                                                          : std::vector<int64_t>{1, 2, 63, 64, 65, 700, 2100, 9000};
  for (const RowKind* kind : all_kinds()) {
    for (const int32_t dtype : kFloatTypes) {
      for (const int64_t cols : lengths) {
        const Matrix x(dtype, {make_row(*kind, cols, dtype, 1), make_row(*kind, cols, dtype, 2)});
        for (const int64_t k : {int64_t{1}, std::min<int64_t>(5, cols), cols / 3 + 1, cols}) {
          for (const TopkOptions& o : orders()) {
            check(x, k, o, VMX_I32, {}, describe(kind->name, dtype, cols, k, o));
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// Long enough for several chunks of maxima, guesses and cuts of full lists.
TEST(Topk, LongRows) {
  const int64_t cols = VMX_TEST_SANITIZED ? 30000 : 300001;
  const std::vector<int64_t> ks = VMX_TEST_SANITIZED ? std::vector<int64_t>{50, 3000}
                                                     : std::vector<int64_t>{1, 50, 700, 1600, 30000, 200000};
  for (const RowKind* kind : all_kinds()) {
    for (const int32_t dtype : kFloatTypes) {
      if (dtype != VMX_F32 && !VMX_TEST_SANITIZED && kind->name[0] > 'm') continue;  // half of them, to save time
      const Matrix x(dtype, {make_row(*kind, cols, dtype, 3)});
      for (const bool smallest : {false, true}) {
        TopkOptions o{smallest, false};
        const Topk whole = vmx::reference::topk(x.row(0), ks.back(), o);
        for (const int64_t k : ks) {
          VMX_FOR_EACH_ISA(ctx) {
            const Matrix values(dtype, 1, k), ids(VMX_I32, 1, k);
            uint32_t flags = kUnwritten;
            const vmx_topk_options options = options_of(o);
            ASSERT_EQ(vmx_topk(ctx, nullptr, x, k, values, ids, &flags, &options), VMX_OK) << last_error();
            expect_row(whole, x, values, ids, flags, 0, smallest, 0, describe(kind->name, dtype, cols, k, o));
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Topk, EveryLengthBetweenGuardPages) {
  Random random(5);
  constexpr int64_t kLongest = 1025;
  const GuardedBuffer scores(kLongest * 8), values(kLongest * 8), ids(kLongest * 8);
  for (const int32_t dtype : kFloatTypes) {
    for (int64_t n = 1; n <= kLongest; n += VMX_TEST_SANITIZED ? 37 : 1) {
      std::vector<double> row = make_row(*all_kinds()[static_cast<size_t>(n) % all_kinds().size()], n, dtype, 7);
      const size_t bytes = static_cast<size_t>(n) * size_of(dtype);
      const int64_t k = n % 3 == 0 ? n : 1 + random.below(n);
      const TopkOptions o = orders()[static_cast<size_t>(n) % 4];
      const Topk expected = vmx::reference::topk(row, k, o);
      const size_t out_bytes = static_cast<size_t>(k) * size_of(dtype), id_bytes = static_cast<size_t>(k) * 4;
      VMX_FOR_EACH_ISA(ctx) {
        for (const bool at_end : {false, true}) {
          unsigned char* const x_data = at_end ? scores.at_end(bytes) : scores.at_start();
          for (int64_t c = 0; c < n; ++c) {
            put(x_data + static_cast<size_t>(c) * size_of(dtype), dtype, static_cast<long double>(row[static_cast<size_t>(c)]));
          }
          const vmx_matrix x{x_data, 1, n, 0, 1, dtype, 0};
          const vmx_matrix v{at_end ? values.at_end(out_bytes) : values.at_start(), 1, k, 0, 1, dtype, 0};
          const vmx_matrix i{at_end ? ids.at_end(id_bytes) : ids.at_start(), 1, k, 0, 1, VMX_I32, 0};
          uint32_t flags = kUnwritten;
          const vmx_topk_options options = options_of(o);
          ASSERT_EQ(vmx_topk(ctx, nullptr, &x, k, &v, &i, &flags, &options), VMX_OK) << last_error();
          for (int64_t e = 0; e < k; ++e) {
            ASSERT_EQ(static_cast<const int32_t*>(i.data)[e], expected.columns[static_cast<size_t>(e)])
                << name_of(dtype) << ", cols " << n << ", k " << k << ", entry " << e;
          }
          ASSERT_EQ(flags, expected.flags) << name_of(dtype) << ", cols " << n;
        }
      }
    }
  }
}

TEST(Topk, StridesAndAlignments) {
  const std::vector<Layout> layouts = {
      {.offset = 1},          {.row_pad = 3},        {.step = 3},
      {.transposed = true},   {.reversed_rows = true}, {.reversed_cols = true},
      {.row_pad = 5, .step = 2, .reversed_rows = true, .reversed_cols = true}};
  for (const int32_t dtype : kFloatTypes) {
    for (const int64_t cols : {int64_t{130}, int64_t{VMX_TEST_SANITIZED ? 3000 : 40000}}) {
      std::vector<std::vector<double>> rows;
      for (uint64_t r = 0; r < 3; ++r) rows.push_back(make_row(row_kind(r == 1 ? "nan" : "bell"), cols, dtype, r + 20));
      for (const Layout& layout : layouts) {
        const Matrix x(dtype, rows, layout);
        for (const int64_t k : {int64_t{20}, cols / 7}) {
          for (const Layout& out : {Layout{}, Layout{.row_pad = 2, .step = 2}, Layout{.transposed = true}}) {
            check(x, k, {k % 2 == 0, false}, k == 20 ? VMX_I32 : VMX_I64, out, describe("strided", dtype, cols, k, {}));
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
  // One row that serves for three; one column that serves for all.
  const auto row = make_row(row_kind("bell"), 500, VMX_F32, 1);
  const Matrix shared(VMX_F32, {row, row, row}, {.broadcast = true});
  check(shared, 9, {}, VMX_I32, {}, "broadcast");
  float one = 2.5f;
  const vmx_matrix same{&one, 1, 5000, 0, 0, VMX_F32, 0};
  const Matrix ids(VMX_I32, 1, 700);
  ASSERT_EQ(vmx_topk(nullptr, nullptr, &same, 700, nullptr, ids, nullptr, nullptr), VMX_OK);
  for (int64_t i = 0; i < 700; ++i) ASSERT_EQ(id_at(ids, 0, i), i);
}

// The bits of every NaN and of both zeros come back.
TEST(Topk, BitsOfValues) {
  for (const int32_t dtype : kFloatTypes) {
    const Matrix x(dtype, 1, 97), values(dtype, 1, 97), ids(VMX_I64, 1, 97);
    Random random(11);
    for (int64_t c = 0; c < 97; ++c) {
      uint64_t bits = random.bits();
      if (c % 3 == 0) bits |= dtype == VMX_F64 ? 0x7ff0000000000000u : dtype == VMX_F32 ? 0x7f800000u : dtype == VMX_F16 ? 0x7c00u : 0x7f80u;
      if (c % 7 == 0) bits &= dtype == VMX_F64 ? 0x8000000000000000u : dtype == VMX_F32 ? 0x80000000u : 0x8000u;
      std::memcpy(x.at(0, c), &bits, size_of(dtype));
    }
    for (const TopkOptions& o : orders()) {
      check(x, 97, o, VMX_I64, {}, describe("any bits", dtype, 97, 97, o));
      if (HasFatalFailure()) return;
    }
  }
}

struct Excluded {
  std::vector<int64_t> indptr{0}, ids;
  std::vector<std::set<int64_t>> columns;
};

// Unsorted, with repeats and with ids outside the slice.
Excluded random_exclusions(Random& random, int64_t rows, int64_t cols, int64_t col_offset, int64_t most) {
  Excluded e;
  for (int64_t r = 0; r < rows; ++r) {
    e.columns.emplace_back();
    const int64_t n = random.below(most + 1);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t id = std::max<int64_t>(0, random.below(cols + 40) - 20 + col_offset);
      e.ids.push_back(id);
      if (random.one_in(4)) e.ids.push_back(id);
      if (id >= col_offset && id < col_offset + cols) e.columns.back().insert(id - col_offset);
    }
    e.indptr.push_back(static_cast<int64_t>(e.ids.size()));
  }
  return e;
}

TEST(Topk, ExcludedIds) {
  Random random(17);
  for (const auto& [cols, most] : std::vector<std::pair<int64_t, int64_t>>{{1, 2}, {70, 10}, {70, 300}, {5000, 900}, {5000, 4}, {40000, 30}}) {
    if (VMX_TEST_SANITIZED && cols > 5000) continue;
    for (const int64_t col_offset : {int64_t{0}, int64_t{4096}}) {
      for (const int32_t type : {VMX_I32, VMX_I64}) {
        const int64_t rows = 4;
        const Excluded e = random_exclusions(random, rows, cols, col_offset, most);
        const int32_t base = static_cast<int32_t>(random.below(2));
        const Ids indptr(type, e.indptr, base), excluded(type, e.ids, 1 - base, 2);
        for (const char* kind : {"bell", "few", "masked", "nan", "rising"}) {
          const RowKind& k_of = std::strcmp(kind, "few") == 0 ? selection_kinds()[0] : row_kind(kind);
          std::vector<std::vector<double>> data;
          for (uint64_t r = 0; r < 4; ++r) data.push_back(make_row(k_of, cols, VMX_F32, r + 3));
          const Matrix x(VMX_F32, data);
          for (const int64_t k : {int64_t{1}, std::min<int64_t>(cols, 60), cols}) {
            for (TopkOptions o : orders()) {
              vmx_topk_options options = options_of(o, col_offset);
              options.excluded.indptr = indptr.view();
              options.excluded.ids = excluded.view();
              std::vector<Topk> expected;
              for (int64_t r = 0; r < rows; ++r) {
                o.excluded = e.columns[static_cast<size_t>(r)];
                expected.push_back(vmx::reference::topk(x.row(r), k, o));
              }
              VMX_FOR_EACH_ISA(ctx) {
                const Matrix values(VMX_F32, rows, k), ids(type, rows, k);
                std::vector<uint32_t> flags(4, kUnwritten);
                ASSERT_EQ(vmx_topk(ctx, nullptr, x, k, values, ids, flags.data(), &options), VMX_OK) << last_error();
                for (int64_t r = 0; r < rows; ++r) {
                  const auto i = static_cast<size_t>(r);
                  expect_row(expected[i], x, values, ids, flags[i], r, o.smallest, col_offset,
                             describe(kind, VMX_F32, cols, k, o));
                  if (HasFatalFailure()) return;
                }
              }
            }
          }
        }
      }
    }
  }
}

TEST(Topk, OneExcludedIdARow) {
  const Matrix x(VMX_F32, {{1, 5, 3}, {7, 2, 9}, {4, 4, 4}});
  const Ids skipped(VMX_I32, {1, 2, 50});
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.excluded.ids = skipped.view();
  const Matrix ids(VMX_I32, 3, 2);
  ASSERT_EQ(vmx_topk(nullptr, nullptr, x, 2, nullptr, ids, nullptr, &options), VMX_OK) << last_error();
  const int64_t expected[3][2] = {{2, 0}, {0, 1}, {0, 1}};
  for (int64_t r = 0; r < 3; ++r) {
    for (int64_t i = 0; i < 2; ++i) EXPECT_EQ(id_at(ids, r, i), expected[r][i]) << r << ", " << i;
  }
}

// Shards of a row, their lists side by side in any order, merged.
TEST(Topk, MergeOfShards) {
  Random random(23);
  for (const int32_t dtype : kFloatTypes) {
    for (const RowKind* kind : all_kinds()) {
      const int64_t cols = 1 + random.below(3000), k = 1 + random.below(std::min<int64_t>(cols, 300));
      const Matrix x(dtype, {make_row(*kind, cols, dtype, 31)});
      for (const TopkOptions& o : orders()) {
        const Topk expected = vmx::reference::topk(x.row(0), k, o);
        std::vector<std::pair<int64_t, int64_t>> entries;  // id, column of x
        for (int64_t c0 = 0; c0 < cols;) {
          const int64_t n = std::min(cols - c0, 1 + random.below(900)), kept = std::min(k, n);
          const vmx_matrix shard{x.at(0, c0), 1, n, 0, 1, dtype, 0};
          const Matrix ids(VMX_I32, 1, kept);
          const vmx_topk_options options = options_of(o, c0 + 1000);
          ASSERT_EQ(vmx_topk(nullptr, nullptr, &shard, kept, nullptr, ids, nullptr, &options), VMX_OK) << last_error();
          for (int64_t i = 0; i < kept; ++i) entries.emplace_back(id_at(ids, 0, i), id_at(ids, 0, i) - 1000);
          c0 += n;
        }
        for (int64_t i = random.below(4); i > 0; --i) entries.emplace_back(-1, 0);
        for (size_t i = entries.size(); i > 1; --i) std::swap(entries[i - 1], entries[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
        const auto m = static_cast<int64_t>(entries.size());
        const Layout layout = random.one_in(2) ? Layout{} : Layout{.step = 2, .reversed_cols = true};
        const Matrix values_in(dtype, 1, m, layout), ids_in(VMX_I64, 1, m);
        for (int64_t i = 0; i < m; ++i) {
          const auto& [id, column] = entries[static_cast<size_t>(i)];
          std::memcpy(values_in.at(0, i), x.at(0, column), size_of(dtype));
          std::memcpy(ids_in.at(0, i), &id, 8);
        }
        VMX_FOR_EACH_ISA(ctx) {
          const Matrix values(dtype, 1, k), ids(VMX_I64, 1, k);
          const vmx_topk_options options = options_of(o);
          uint32_t flags = kUnwritten;
          ASSERT_EQ(vmx_topk_merge(ctx, nullptr, values_in, ids_in, k, values, ids, &flags, &options), VMX_OK) << last_error();
          Topk rest = expected;  // flags speak of the entries that were merged
          rest.flags = flags;
          expect_row(rest, x, values, ids, flags, 0, o.smallest, 1000, describe(kind->name, dtype, cols, k, o));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Topk, MergeOfNothing) {
  const Matrix values_in(VMX_F32, {{1, 2, 3}}), ids_in(VMX_I32, 1, 3), values(VMX_F32, 1, 2), ids(VMX_I32, 1, 2);
  for (int64_t i = 0; i < 3; ++i) *static_cast<int32_t*>(ids_in.at(0, i)) = -1;
  uint32_t flags = 0;
  ASSERT_EQ(vmx_topk_merge(nullptr, nullptr, values_in, ids_in, 2, values, ids, &flags, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(flags, VMX_ROW_EMPTY | VMX_ROW_UNDERFULL);
  EXPECT_EQ(id_at(ids, 0, 0), -1);
  EXPECT_EQ(id_at(ids, 0, 1), -1);
  EXPECT_EQ(values.get(0, 0), -kInf);
}

// As a host's thread pool may run them: last task first, on new threads.
int32_t backwards(void*, int64_t n, vmx_task task, void* arg) {
  std::vector<std::thread> threads;
  std::atomic<int64_t> next{n};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int64_t i; (i = --next) >= 0;) task(arg, i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

TEST(Topk, SameForAnyThreads) {
  for (const auto& [rows, cols, k] : std::vector<std::array<int64_t, 3>>{
           {1, 300000, 50}, {1, 300000, 2000}, {2, 200000, 300}, {1, 150000, 100000}, {40, 3000, 7}, {300, 50, 50}}) {
    for (const char* kind : {"bell", "masked", "nan"}) {
      std::vector<std::vector<double>> data;
      for (int64_t r = 0; r < rows; ++r) data.push_back(make_row(row_kind(kind), cols, VMX_F32, static_cast<uint64_t>(r)));
      const Matrix x(VMX_F32, data);
      Random random(3);
      const Excluded e = random_exclusions(random, rows, cols, 0, 30);
      const Ids indptr(VMX_I64, e.indptr), excluded(VMX_I32, e.ids);
      for (const TopkOptions& o : orders()) {
        vmx_topk_options options = options_of(o);
        options.excluded.indptr = indptr.view();
        options.excluded.ids = excluded.view();
        const auto run = [&](const vmx_context* ctx) {
          const Matrix values(VMX_F32, rows, k), ids(VMX_I32, rows, k);
          std::vector<uint32_t> flags(static_cast<size_t>(rows), kUnwritten);
          EXPECT_EQ(vmx_topk(ctx, nullptr, x, k, values, ids, flags.data(), &options), VMX_OK) << last_error();
          std::vector<unsigned char> all = values.bytes(), more = ids.bytes();
          all.insert(all.end(), more.begin(), more.end());
          for (const uint32_t f : flags) all.push_back(static_cast<unsigned char>(f));
          return all;
        };
        const auto expected = run(nullptr);
        for (const int32_t threads : {1, 2, 3, 7}) EXPECT_EQ(run(Context(VMX_ISA_BEST, threads)), expected) << threads;
        EXPECT_EQ(run(Context(VMX_ISA_BEST, 4, backwards)), expected);
        if (HasFailure()) return;
      }
    }
  }
}

#if defined(__SSE2__)
TEST(Topk, FlushModes) {
  const unsigned saved = _mm_getcsr();
  for (const int32_t dtype : {VMX_F32, VMX_BF16, VMX_F16}) {
    for (const RowKind* kind : all_kinds()) {
      for (const int64_t cols : {int64_t{100}, int64_t{9000}}) {
        const Matrix x(dtype, {make_row(*kind, cols, dtype, 41)});
        for (const TopkOptions& o : orders()) {
          const Topk expected = vmx::reference::topk(x.row(0), 77, o);
          VMX_FOR_EACH_ISA(ctx) {
            const Matrix values(dtype, 1, 77), ids(VMX_I32, 1, 77);
            uint32_t flags = kUnwritten;
            const vmx_topk_options options = options_of(o);
            _mm_setcsr(saved | 0x8040u);  // FTZ, DAZ
            const vmx_status status = vmx_topk(ctx, nullptr, x, 77, values, ids, &flags, &options);
            const unsigned after = _mm_getcsr();
            _mm_setcsr(saved);
            ASSERT_EQ(status, VMX_OK) << last_error();
            ASSERT_EQ((after ^ saved) & ~0x3fu, 0x8040u);
            expect_row(expected, x, values, ids, flags, 0, o.smallest, 0, describe(kind->name, dtype, cols, 77, o));
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}
#endif

struct Counter {
  std::atomic<int> calls{0};
};
void* count_alloc(void* user, size_t size, size_t alignment) {
  ++static_cast<Counter*>(user)->calls;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void count_free(void*, void* memory, size_t, size_t) { std::free(memory); }

TEST(Topk, WarmWorkspaceAllocatesNothing) {
  Counter counter;
  for (const int32_t threads : {1, 3}) {
    vmx_context_options context_options = VMX_CONTEXT_OPTIONS_INIT;
    context_options.threads = threads;
    context_options.alloc = count_alloc;
    context_options.free = count_free;
    context_options.alloc_user = &counter;
    vmx_context* ctx;
    ASSERT_EQ(vmx_context_create(&context_options, &ctx), VMX_OK);
    {
      const Workspace ws(ctx);
      Random random(9);
      for (const auto& [rows, cols, k] : std::vector<std::array<int64_t, 3>>{{5, 700, 20}, {1, 300000, 60}, {2, 40000, 9000}, {3, 2000, 2000}}) {
        for (const int32_t dtype : kFloatTypes) {
          for (const Layout& layout : {Layout{}, Layout{.step = 2}}) {
            std::vector<std::vector<double>> data;
            for (int64_t r = 0; r < rows; ++r) data.push_back(make_row(row_kind("bell"), cols, dtype, 6));
            const Matrix x(dtype, data, layout), values(dtype, rows, k), ids(VMX_I32, rows, k);
            const Excluded e = random_exclusions(random, rows, cols, 0, 50);
            const Ids indptr(VMX_I64, e.indptr), excluded(VMX_I32, e.ids);
            vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
            options.excluded.indptr = indptr.view();
            options.excluded.ids = excluded.view();
            size_t size = 0;
            vmx_matrix sizes = x.view();
            sizes.data = nullptr;
            ASSERT_EQ(vmx_topk_workspace_size(ctx, &sizes, k, &options, &size), VMX_OK) << last_error();
            ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK) << last_error();
            const int before = counter.calls;
            ASSERT_EQ(vmx_topk(ctx, ws, x, k, values, ids, nullptr, &options), VMX_OK) << last_error();
            EXPECT_EQ(counter.calls, before) << "rows " << rows << ", cols " << cols << ", k " << k << ", threads " << threads;
          }
        }
      }
    }
    vmx_context_destroy(ctx);
  }
}

// Tiles of any size, as the linear source feeds them, and halves that are put together.
TEST(Topk, StreamOfTiles) {
  Random random(61);
  for (const RowKind* kind : all_kinds()) {
    for (int round = 0; round < 6; ++round) {
      const int64_t cols = 1 + random.below(20000), k = 1 + random.below(std::min<int64_t>(cols, round < 3 ? 40 : 3000));
      const Matrix x(VMX_F32, {make_row(*kind, cols, VMX_F32, static_cast<uint64_t>(round))});
      TopkOptions o = orders()[static_cast<size_t>(random.below(4))];
      std::vector<int32_t> excluded;
      for (int64_t c = 0; c < cols; ++c) {
        if (random.one_in(round % 2 ? 9 : 3000)) excluded.push_back(static_cast<int32_t>(c)), o.excluded.insert(c);
      }
      const Topk expected = vmx::reference::topk(x.row(0), k, o);
      const int64_t most = 1 + random.below(4000), half = random.below(cols + 1);
      const vmx::TopkShape shape{VMX_F32, k, cols, most, options_of(o).flags, true};
      VMX_FOR_EACH_ISA(handle) {
        const vmx_context& ctx = vmx::resolve(handle);
        std::vector<std::vector<std::byte>> memory;
        const auto block = [&](size_t bytes) {
          memory.emplace_back(bytes + 64);
          const auto address = reinterpret_cast<uintptr_t>(memory.back().data());
          return memory.back().data() + (64 - address % 64) % 64;
        };
        const vmx::TopkWork work = vmx::make_topk_work(shape, block(vmx::topk_work_bytes(shape)));
        vmx::TopkStream streams[2];
        for (auto& stream : streams) stream.begin(ctx, shape, block(vmx::topk_list_bytes(shape)));
        Random tiles(static_cast<uint64_t>(round));
        for (int64_t c = 0; c < cols;) {
          const int64_t end = c < half ? half : cols, n = std::min(end - c, 1 + tiles.below(most));
          streams[c >= half].feed(work, x.at(0, c), n, c, excluded.data(), static_cast<int64_t>(excluded.size()));
          c += n;
        }
        ASSERT_TRUE(streams[0].absorb(work, streams[1]));
        const Matrix values(VMX_F32, 1, k), ids(VMX_I64, 1, k);
        uint32_t flags = kUnwritten;
        ASSERT_TRUE(streams[0].finish(work, {values.view(), ids.view(), &flags, 5}, 0, nullptr));
        expect_row(expected, x, values, ids, flags, 0, o.smallest, 5, describe(kind->name, VMX_F32, cols, k, o));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Topk, OnlyWhatIsWanted) {
  const Matrix x(VMX_F32, {make_row(row_kind("bell"), 300, VMX_F32, 8)});
  const Topk expected = vmx::reference::topk(x.row(0), 12, {});
  const Matrix values(VMX_F32, 1, 12), ids(VMX_I32, 1, 12);
  vmx_matrix unwanted{};
  ASSERT_EQ(vmx_topk(nullptr, nullptr, x, 12, values, &unwanted, nullptr, nullptr), VMX_OK) << last_error();
  ASSERT_EQ(vmx_topk(nullptr, nullptr, x, 12, &unwanted, ids, nullptr, nullptr), VMX_OK) << last_error();
  expect_row(expected, x, values, ids, expected.flags, 0, false, 0, "apart");
  const Matrix none(VMX_F32, 0, 5), no_ids(VMX_I32, 0, 5);
  EXPECT_EQ(vmx_topk(nullptr, nullptr, none, 5, none, no_ids, nullptr, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(vmx_topk(nullptr, nullptr, none, 5, nullptr, nullptr, nullptr, nullptr), VMX_OK) << last_error();
}

class BadArguments : public testing::Test {
 protected:
  const Matrix x_{VMX_F32, {{3, 1, 2, 5}, {4, 8, 6, 7}}}, values_{VMX_F32, 2, 2}, ids_{VMX_I32, 2, 2};
  uint32_t flags_[2] = {kUnwritten, kUnwritten};
  vmx_topk_options options_ = VMX_TOPK_OPTIONS_INIT;

  vmx_status call(int64_t k = 2) { return call(x_, k, values_, ids_); }
  vmx_status call(const vmx_matrix* x, int64_t k, const vmx_matrix* values, const vmx_matrix* ids) {
    return vmx_topk(nullptr, nullptr, x, k, values, ids, flags_, &options_);
  }
  void TearDown() override {
    for (const unsigned char byte : values_.bytes()) EXPECT_EQ(byte, 0xff);
    for (const unsigned char byte : ids_.bytes()) EXPECT_EQ(byte, 0xff);
    EXPECT_EQ(flags_[0], kUnwritten);
    EXPECT_EQ(flags_[1], kUnwritten);
  }
};
#define EXPECT_FAILS(call, status, text)                             \
  do {                                                               \
    EXPECT_EQ(call, status);                                         \
    EXPECT_NE(last_error().find(text), std::string::npos) << last_error(); \
  } while (false)

TEST_F(BadArguments, Sizes) {
  EXPECT_FAILS(call(0), VMX_ERR_VALUE, "vmx_topk: k is 0");
  EXPECT_FAILS(call(-3), VMX_ERR_VALUE, "k is -3");
  EXPECT_FAILS(call(5), VMX_ERR_SHAPE, "k is 5, but x.cols is 4");
  EXPECT_FAILS(call(3), VMX_ERR_SHAPE, "values is 2 x 2");
  vmx_matrix view = x_.view();
  view.rows = -1;
  EXPECT_FAILS(call(&view, 2, values_, ids_), VMX_ERR_SHAPE, "x.rows");
  view.rows = 1;
  EXPECT_FAILS(call(&view, 2, values_, ids_), VMX_ERR_SHAPE, "values");
  view.rows = int64_t{1} << 40;
  view.row_stride = int64_t{1} << 40;
  EXPECT_FAILS(call(&view, 2, values_, ids_), VMX_ERR_SIZE, "x");
  view = x_.view();
  view.cols = int64_t{1} << 31;
  EXPECT_FAILS(call(&view, 2, values_, ids_), VMX_ERR_SIZE, "x.cols");
  view = x_.view();
  view.reserved = 1;
  EXPECT_FAILS(call(&view, 2, values_, ids_), VMX_ERR_VALUE, "x.reserved");
}

TEST_F(BadArguments, PointersAndDtypes) {
  EXPECT_FAILS(call(nullptr, 2, values_, ids_), VMX_ERR_NULL, "x is NULL");
  EXPECT_FAILS(call(x_, 2, nullptr, nullptr), VMX_ERR_NULL, "values and ids");
  vmx_matrix view = x_.view();
  view.data = nullptr;
  EXPECT_FAILS(call(&view, 2, values_, ids_), VMX_ERR_NULL, "x.data");
  view = x_.view();
  view.dtype = VMX_I32;
  EXPECT_FAILS(call(&view, 2, values_, ids_), VMX_ERR_DTYPE, "x.dtype");
  view = values_.view();
  view.dtype = VMX_F64;
  EXPECT_FAILS(call(x_, 2, &view, ids_), VMX_ERR_DTYPE, "values.dtype");
  view = ids_.view();
  view.dtype = VMX_F32;
  EXPECT_FAILS(call(x_, 2, values_, &view), VMX_ERR_DTYPE, "ids.dtype");
}

TEST_F(BadArguments, Overlaps) {
  EXPECT_FAILS(call(x_, 2, x_, nullptr), VMX_ERR_SHAPE, "values");
  vmx_matrix view = x_.view();
  view.cols = 2;
  EXPECT_FAILS(call(x_, 2, &view, ids_), VMX_ERR_OVERLAP, "values overlaps x");
  view = ids_.view();
  view.row_stride = 1;
  EXPECT_FAILS(call(x_, 2, values_, &view), VMX_ERR_OVERLAP, "ids overlaps itself");
  view = values_.view();
  view.dtype = VMX_I32;
  EXPECT_FAILS(call(x_, 2, values_, &view), VMX_ERR_OVERLAP, "ids overlaps values");
  EXPECT_FAILS(vmx_topk(nullptr, nullptr, x_, 2, values_, ids_, static_cast<uint32_t*>(ids_.at(0, 1)), nullptr),
               VMX_ERR_OVERLAP, "row_flags overlaps ids");
  const vmx_ids shared{ids_.at(0, 0), 2, 1, VMX_I32, 0};
  options_.excluded.ids = shared;
  *static_cast<int32_t*>(ids_.at(0, 0)) = *static_cast<int32_t*>(ids_.at(0, 1)) = 1;
  EXPECT_FAILS(call(), VMX_ERR_OVERLAP, "options.excluded.ids");
  *static_cast<int32_t*>(ids_.at(0, 0)) = *static_cast<int32_t*>(ids_.at(0, 1)) = -1;
}

TEST_F(BadArguments, Options) {
  options_.struct_size = 3;
  EXPECT_FAILS(call(), VMX_ERR_STRUCT, "options");
  options_ = VMX_TOPK_OPTIONS_INIT;
  options_.flags = 64;
  EXPECT_FAILS(call(), VMX_ERR_VALUE, "options.flags");
  options_ = VMX_TOPK_OPTIONS_INIT;
  options_.reserved = 1;
  EXPECT_FAILS(call(), VMX_ERR_VALUE, "options.reserved");
  options_ = VMX_TOPK_OPTIONS_INIT;
  options_.col_offset = -1;
  EXPECT_FAILS(call(), VMX_ERR_VALUE, "options.col_offset");
  options_.col_offset = INT32_MAX - 2;
  EXPECT_FAILS(call(), VMX_ERR_SIZE, "2147483648");
  options_.col_offset = INT64_MAX - 2;
  EXPECT_FAILS(call(), VMX_ERR_SIZE, "options.col_offset");
}

TEST_F(BadArguments, ExcludedIds) {
  const Ids ids(VMX_I32, {0, 1, 2}), below(VMX_I32, {0, -2, 1}), two(VMX_I64, {0, 1});
  const Ids indptr(VMX_I64, {0, 1, 3}), falling(VMX_I64, {0, 2, 1}), beyond(VMX_I64, {0, 1, 4}), shorter(VMX_I64, {0, 3});
  const auto with = [&](const Ids* list, const Ids* rows) {
    options_.excluded.ids = list->view();
    options_.excluded.indptr = rows ? rows->view() : vmx_ids{};
    return call();
  };
  EXPECT_FAILS(with(&ids, nullptr), VMX_ERR_SHAPE, "options.excluded.ids.n is 3");
  EXPECT_FAILS(with(&ids, &shorter), VMX_ERR_SHAPE, "options.excluded.indptr.n is 2");
  EXPECT_FAILS(with(&ids, &falling), VMX_ERR_SHAPE, "options.excluded.indptr[2]");
  EXPECT_FAILS(with(&ids, &beyond), VMX_ERR_SHAPE, "options.excluded.indptr[2] is 4");
  EXPECT_FAILS(with(&below, &indptr), VMX_ERR_LABEL, "options.excluded.ids[1] (row 1) is -2");
  options_.excluded.ids = two.view();
  options_.excluded.ids.base = 1;
  options_.excluded.indptr = {};
  EXPECT_FAILS(call(), VMX_ERR_LABEL, "options.excluded.ids[0]");
  options_.excluded.ids.base = 2;
  EXPECT_FAILS(call(), VMX_ERR_VALUE, "options.excluded.ids.base");
  options_.excluded.ids = two.view();
  options_.excluded.ids.type = VMX_F32;
  EXPECT_FAILS(call(), VMX_ERR_DTYPE, "options.excluded.ids.type");
}

TEST_F(BadArguments, Merge) {
  const Matrix values_in(VMX_F32, 2, 3), ids_in(VMX_I32, 2, 3), wide_ids(VMX_I64, 2, 3), short_ids(VMX_I32, 2, 2);
  const auto merge = [&](const vmx_matrix* v, const vmx_matrix* i, int64_t k, const vmx_matrix* ids) {
    return vmx_topk_merge(nullptr, nullptr, v, i, k, values_, ids, flags_, &options_);
  };
  EXPECT_FAILS(merge(nullptr, ids_in, 2, ids_), VMX_ERR_NULL, "vmx_topk_merge: values_in");
  EXPECT_FAILS(merge(values_in, nullptr, 2, ids_), VMX_ERR_NULL, "ids_in");
  EXPECT_FAILS(merge(values_in, short_ids, 2, ids_), VMX_ERR_SHAPE, "ids_in.cols");
  EXPECT_FAILS(merge(values_in, values_in, 2, ids_), VMX_ERR_DTYPE, "ids_in.dtype");
  EXPECT_FAILS(merge(values_in, ids_in, 4, ids_), VMX_ERR_SHAPE, "k is 4, but values_in.cols is 3");
  EXPECT_FAILS(merge(values_in, ids_in, 0, ids_), VMX_ERR_VALUE, "k is 0");
  EXPECT_FAILS(merge(values_in, wide_ids, 2, ids_), VMX_ERR_SIZE, "i32");
  options_.flags = 4;
  EXPECT_FAILS(merge(values_in, ids_in, 2, ids_), VMX_ERR_VALUE, "options.flags");
}

// Each field of each view.
TEST_F(BadArguments, Views) {
  const auto x = [&](const std::function<void(vmx_matrix&)>& change) {
    vmx_matrix view = x_.view();
    change(view);
    return call(&view, 2, values_, ids_);
  };
  EXPECT_FAILS(x([](vmx_matrix& v) { v.cols = -1; }), VMX_ERR_SHAPE, "x.cols is -1");
  EXPECT_FAILS(x([](vmx_matrix& v) { v.row_stride = INT64_MIN; }), VMX_ERR_SIZE, "-9223372036854775808");
  EXPECT_FAILS(x([](vmx_matrix& v) { v.dtype = 0; }), VMX_ERR_DTYPE, "x.dtype is 0");
  EXPECT_FAILS(x([](vmx_matrix& v) { v.data = static_cast<char*>(v.data) + 2; }), VMX_ERR_VALUE, "x.data is not aligned");
  const struct {
    const char* name;
    const Matrix* matrix;
  } outputs[] = {{"values", &values_}, {"ids", &ids_}};
  for (const auto& output : outputs) {
    const std::string name = output.name;
    const auto out = [&](const std::function<void(vmx_matrix&)>& change) {
      vmx_matrix view = output.matrix->view();
      change(view);
      return name == "ids" ? call(x_, 2, values_, &view) : call(x_, 2, &view, ids_);
    };
    EXPECT_FAILS(out([](vmx_matrix& v) { v.rows = -1; }), VMX_ERR_SHAPE, name + ".rows is -1");
    EXPECT_FAILS(out([](vmx_matrix& v) { v.rows = 1; }), VMX_ERR_SHAPE, name + " is 1 x 2, but must be 2 x 2");
    EXPECT_FAILS(out([](vmx_matrix& v) { v.cols = 3; }), VMX_ERR_OVERLAP, name + " overlaps itself");
    EXPECT_FAILS(out([](vmx_matrix& v) { v.row_stride = 0; }), VMX_ERR_OVERLAP, name + " overlaps itself");
    EXPECT_FAILS(out([](vmx_matrix& v) { v.col_stride = 0; }), VMX_ERR_OVERLAP, name + " overlaps itself");
    EXPECT_FAILS(out([](vmx_matrix& v) { v.row_stride = INT64_MAX; }), VMX_ERR_SIZE, name);
    EXPECT_FAILS(out([](vmx_matrix& v) { v.reserved = 9; }), VMX_ERR_VALUE, name + ".reserved is 9");
    EXPECT_FAILS(out([](vmx_matrix& v) { v.dtype = VMX_BF16; }), VMX_ERR_DTYPE, name + ".dtype is 2");
    EXPECT_FAILS(out([](vmx_matrix& v) { v.data = static_cast<char*>(v.data) + 1; }), VMX_ERR_VALUE, name + ".data");
    EXPECT_FAILS(out([&](vmx_matrix& v) { v.data = x_.at(0, 1); }), VMX_ERR_OVERLAP, name + " overlaps x");
    EXPECT_FAILS(vmx_topk(nullptr, nullptr, x_, 2, values_, ids_, static_cast<uint32_t*>(output.matrix->at(1, 0)), nullptr),
                 VMX_ERR_OVERLAP, "row_flags overlaps " + name);
  }
  EXPECT_FAILS(vmx_topk(nullptr, nullptr, x_, 2, values_, ids_, static_cast<uint32_t*>(x_.at(0, 0)), nullptr), VMX_ERR_OVERLAP,
               "row_flags overlaps x");
  auto* const odd = reinterpret_cast<uint32_t*>(reinterpret_cast<uintptr_t>(flags_) + 2);
  EXPECT_FAILS(vmx_topk(nullptr, nullptr, x_, 2, values_, ids_, odd, nullptr), VMX_ERR_VALUE, "row_flags is not aligned");
}

TEST_F(BadArguments, OptionsOfOtherSizes) {
  struct {
    vmx_topk_options known = VMX_TOPK_OPTIONS_INIT;
    unsigned char tail[16] = {};
  } grown;
  const auto with_size = [&](size_t size) {
    grown.known.struct_size = size;
    return vmx_topk(nullptr, nullptr, x_, 2, values_, ids_, flags_, &grown.known);
  };
  grown.tail[15] = 1;
  EXPECT_FAILS(with_size(sizeof grown), VMX_ERR_STRUCT, "options");
  EXPECT_FAILS(with_size(0), VMX_ERR_STRUCT, "options.struct_size is 0");
  EXPECT_FAILS(with_size(sizeof(vmx_topk_options) - 1), VMX_ERR_STRUCT, "options.struct_size");
  EXPECT_FAILS(with_size(SIZE_MAX), VMX_ERR_STRUCT, "options.struct_size is 18446744073709551615");
  grown.tail[15] = 0;
  grown.known.struct_size = sizeof grown;
  const Matrix values(VMX_F32, 2, 2), ids(VMX_I32, 2, 2);
  EXPECT_EQ(vmx_topk(nullptr, nullptr, x_, 2, values, ids, nullptr, &grown.known), VMX_OK) << last_error();
}

TEST_F(BadArguments, ExcludedViews) {
  const Ids ids(VMX_I64, {0, 1}), indptr(VMX_I64, {0, 1, 2});
  const auto with = [&](const std::function<void(vmx_csr&)>& change) {
    options_.excluded.ids = ids.view();
    options_.excluded.indptr = indptr.view();
    change(options_.excluded);
    return call();
  };
  EXPECT_FAILS(with([](vmx_csr& e) { e.ids.n = -1; }), VMX_ERR_SHAPE, "options.excluded.ids.n is -1");
  EXPECT_FAILS(with([](vmx_csr& e) { e.ids.stride = INT64_MAX; }), VMX_ERR_SIZE, "options.excluded.ids");
  EXPECT_FAILS(with([](vmx_csr& e) { e.ids.data = static_cast<const char*>(e.ids.data) + 4; }), VMX_ERR_VALUE,
               "options.excluded.ids.data");
  EXPECT_FAILS(with([](vmx_csr& e) { e.indptr.type = VMX_F64; }), VMX_ERR_DTYPE, "options.excluded.indptr.type");
  EXPECT_FAILS(with([](vmx_csr& e) { e.indptr.base = -1; }), VMX_ERR_VALUE, "options.excluded.indptr.base is -1");
  EXPECT_FAILS(with([](vmx_csr& e) { e.indptr.base = 1; }), VMX_ERR_SHAPE, "options.excluded.indptr[0] is 0");
  EXPECT_FAILS(with([](vmx_csr& e) { e.indptr.n = -2; }), VMX_ERR_SHAPE, "options.excluded.indptr.n is -2");
  const Ids lowest(VMX_I64, {INT64_MIN, 1}), falls(VMX_I64, {INT64_MIN, 1, 2});
  EXPECT_FAILS(with([&](vmx_csr& e) { e.ids = lowest.view(), e.ids.base = 1; }), VMX_ERR_LABEL,
               "options.excluded.ids[0] (row 0) is -9223372036854775808");
  EXPECT_FAILS(with([&](vmx_csr& e) { e.indptr = falls.view(), e.indptr.base = 1; }), VMX_ERR_SHAPE,
               "options.excluded.indptr[0] is -9223372036854775808");
}

TEST_F(BadArguments, MergeViews) {
  const Matrix values_in(VMX_F32, 2, 2), ids_in(VMX_I32, 2, 2);
  const auto merge = [&](const vmx_matrix& v, const vmx_matrix& i, const vmx_matrix& values, const vmx_matrix& ids) {
    return vmx_topk_merge(nullptr, nullptr, &v, &i, 2, &values, &ids, flags_, &options_);
  };
  const vmx_matrix &v = values_in.view(), &i = ids_in.view(), &values = values_.view(), &ids = ids_.view();
  const auto changed = [](vmx_matrix m, const std::function<void(vmx_matrix&)>& change) {
    change(m);
    return m;
  };
  EXPECT_FAILS(merge(v, i, v, ids), VMX_ERR_OVERLAP, "values overlaps values_in");
  EXPECT_FAILS(merge(v, i, values, i), VMX_ERR_OVERLAP, "ids overlaps ids_in");
  EXPECT_FAILS(merge(v, i, i, ids), VMX_ERR_DTYPE, "values.dtype");
  EXPECT_FAILS(merge(changed(v, [](vmx_matrix& m) { m.dtype = VMX_I32; }), i, values, ids), VMX_ERR_DTYPE, "values_in.dtype");
  EXPECT_FAILS(merge(changed(v, [](vmx_matrix& m) { m.reserved = 3; }), i, values, ids), VMX_ERR_VALUE, "values_in.reserved");
  EXPECT_FAILS(merge(v, changed(i, [](vmx_matrix& m) { m.reserved = 3; }), values, ids), VMX_ERR_VALUE, "ids_in.reserved");
  EXPECT_FAILS(merge(v, changed(i, [](vmx_matrix& m) { m.rows = 1; }), values, ids), VMX_ERR_SHAPE,
               "ids_in.rows is 1, but values_in.rows is 2");
  EXPECT_FAILS(merge(v, changed(i, [](vmx_matrix& m) { m.col_stride = INT64_MAX; }), values, ids), VMX_ERR_SIZE, "ids_in");
  EXPECT_FAILS(merge(v, i, changed(values, [](vmx_matrix& m) { m.dtype = VMX_F64; }), ids), VMX_ERR_DTYPE, "values.dtype");
  EXPECT_FAILS(vmx_topk_merge(nullptr, nullptr, &v, &i, 2, &values, &ids, static_cast<uint32_t*>(ids_in.at(0, 0)), nullptr),
               VMX_ERR_OVERLAP, "row_flags overlaps ids_in");
  options_.struct_size = 5;
  EXPECT_FAILS(merge(v, i, values, ids), VMX_ERR_STRUCT, "options.struct_size is 5");
}

TEST_F(BadArguments, WorkspaceSize) {
  size_t size = 77;
  EXPECT_FAILS(vmx_topk_workspace_size(nullptr, x_, 2, nullptr, nullptr), VMX_ERR_NULL, "size");
  EXPECT_FAILS(vmx_topk_workspace_size(nullptr, x_, 9, nullptr, &size), VMX_ERR_SHAPE, "k is 9");
  EXPECT_FAILS(vmx_topk_workspace_size(nullptr, nullptr, 2, nullptr, &size), VMX_ERR_NULL, "x is NULL");
  EXPECT_EQ(size, 77u);
  EXPECT_EQ(vmx_topk_workspace_size(nullptr, x_, 2, nullptr, &size), VMX_OK);
  EXPECT_GT(size, 0u);
}

}  // namespace
