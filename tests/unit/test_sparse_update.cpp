// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize bits threads
// vmx_sparse_update against the formulas in long double: every optimizer, dtype, length and ISA; rows without a gradient stay as
// they are; malformed arguments leave everything untouched.
#include "reference/sparse_update.hpp"
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/errors.hpp"
#include "support/guarded.hpp"
#include "support/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace vmx::test;
using vmx::reference::optimizer_step;
using vmx::reference::Parameter;

constexpr int32_t kOptimizers[] = {VMX_SGD, VMX_ADAGRAD, VMX_ADAM};
constexpr const char* kNames[] = {"", "sgd", "adagrad", "adam"};
constexpr long double kU = 0x1p-24L, kTiny = 0x1p-126L;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

bool has_mean(int32_t optimizer) { return optimizer == VMX_ADAM; }
bool has_square(int32_t optimizer) { return optimizer != VMX_SGD; }

vmx_update_options options_of(int32_t optimizer, int64_t step = 1) {
  vmx_update_options o = VMX_UPDATE_OPTIONS_INIT;
  o.optimizer = optimizer;
  o.step = step;
  o.lr = 0.03;
  o.weight_decay = 0.2;
  return o;
}

// A table with its moments, and a gradient of some rows. Where the arrays lie is the layout's.
struct Problem {
  Problem(int32_t dtype, const std::vector<int64_t>& which, int64_t classes, int64_t dim, uint64_t seed, Layout table_layout = {},
          Layout grad_layout = {})
      : ids(which),
        table(dtype, classes, dim, table_layout),
        mean(VMX_F32, classes, dim, table_layout),
        square(VMX_F32, classes, dim, table_layout),
        grad(VMX_F32, static_cast<int64_t>(which.size()) + 2, dim, grad_layout) {
    Random random(seed);
    for (int64_t r = 0; r < classes; ++r) {
      for (int64_t c = 0; c < dim; ++c) {
        table.set(r, c, random.bell());
        mean.set(r, c, random.bell() / 16);
        const double root = random.bell() / 8;
        square.set(r, c, root * root);
      }
    }
    // By (class, column), so that the same classes have the same gradient in any list.
    for (int64_t i = 0; i < grad.rows(); ++i) {
      Random of_row(seed + 977 * static_cast<uint64_t>(i < count() ? which[static_cast<size_t>(i)] + 1 : 0));
      for (int64_t c = 0; c < dim; ++c) grad.set(i, c, of_row.one_in(9) ? 0 : of_row.bell() * std::ldexp(1.0, static_cast<int>(of_row.below(8)) - 6));
    }
  }

  int64_t count() const { return static_cast<int64_t>(ids.size()); }
  vmx_sparse_rows rows() const {
    vmx_sparse_rows rows = VMX_SPARSE_ROWS_INIT;
    rows.ids = const_cast<int64_t*>(ids.data());
    rows.rows = grad.view();
    rows.count = count();
    return rows;
  }
  vmx_status run(const vmx_context* ctx, const vmx_update_options& o) const {
    const vmx_sparse_rows list = rows();
    return vmx_sparse_update(ctx, &list, table, has_mean(o.optimizer) ? &mean.view() : nullptr,
                             has_square(o.optimizer) ? &square.view() : nullptr, &o);
  }
  std::vector<unsigned char> bytes() const {
    std::vector<unsigned char> all = table.bytes();
    for (const Matrix* m : {&mean, &square}) {
      const auto more = m->bytes();
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }
  bool surroundings_untouched() const {
    return table.surroundings_untouched() && mean.surroundings_untouched() && square.surroundings_untouched() &&
           grad.surroundings_untouched();
  }

  std::vector<int64_t> ids;
  Matrix table, mean, square, grad;
};

// Every element of after against one step from before.
void check_step(const Problem& before, const Problem& after, const vmx_update_options& o, ErrorReport& report, const char* what) {
  std::vector<int64_t> place(static_cast<size_t>(before.table.rows()), -1);
  for (int64_t i = 0; i < before.count(); ++i) place[static_cast<size_t>(before.ids[static_cast<size_t>(i)])] = i;
  const int32_t dtype = before.table.dtype();
  for (int64_t r = 0; r < before.table.rows(); ++r) {
    const int64_t at = place[static_cast<size_t>(r)];
    if (at < 0) {
      EXPECT_EQ(before.table.row_bytes(r), after.table.row_bytes(r)) << what << ": row " << r << " has no gradient";
      EXPECT_EQ(before.mean.row_bytes(r), after.mean.row_bytes(r));
      EXPECT_EQ(before.square.row_bytes(r), after.square.row_bytes(r));
      continue;
    }
    for (int64_t c = 0; c < before.table.cols(); ++c) {
      const long double g = before.grad.get(at, c);
      const Parameter old{before.table.get(r, c), before.mean.get(r, c), before.square.get(r, c)};
      const Parameter stored{0, after.mean.get(r, c), after.square.get(r, c)};
      const auto want = optimizer_step(o, old, g, &stored);
      if (has_mean(o.optimizer)) {
        const long double size = std::fabs(static_cast<long double>(o.beta1) * old.mean) + std::fabs((1 - static_cast<long double>(o.beta1)) * g);
        report.check(after.mean.get(r, c), want.after.mean, 3 * kU * size + kTiny, size, VMX_F32, "mean", r, c);
      } else {
        EXPECT_EQ(after.mean.get(r, c), before.mean.get(r, c));
      }
      if (has_square(o.optimizer)) {
        report.check(after.square.get(r, c), want.after.square, 3 * kU * want.after.square + kTiny, want.after.square, VMX_F32, "square", r, c);
      } else {
        EXPECT_EQ(after.square.get(r, c), before.square.get(r, c));
      }
      const long double magnitude = std::fabs(want.after.w);
      long double bound = 6 * kU * std::fabs(want.step) + 2 * kU * std::fabs(old.w) + kU * magnitude + kTiny;
      if (dtype == VMX_BF16) bound += half_ulp(magnitude + bound, dtype);
      report.check(after.table.get(r, c), want.after.w, bound, dtype == VMX_F32 ? std::fabs(want.step) + std::fabs(old.w) : 0,
                   dtype, "w", r, c);
    }
  }
}

TEST(SparseUpdate, FollowsTheFormulas) {
  VMX_FOR_EACH_ISA(ctx) {
    for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
      for (const int32_t optimizer : kOptimizers) {
        ErrorReport report(std::string(kNames[optimizer]) + " " + name_of(dtype) + " " + vmx_isa_name(ctx_isa), kU);
        for (const int64_t dim : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 513}) {
          for (const int64_t step : {1, 2, 10, 100000}) {
            const Problem problem(dtype, {0, 2, 3, 8}, 9, dim, static_cast<uint64_t>(dim + step));
            const Problem before = problem;
            const vmx_update_options o = options_of(optimizer, step);
            ASSERT_EQ(problem.run(ctx, o), VMX_OK) << last_error();
            check_step(before, problem, o, report, ("dim " + std::to_string(dim)).c_str());
            EXPECT_TRUE(problem.surroundings_untouched());
          }
        }
      }
    }
  }
}

// With a bound on the rounding errors of its steps so far.
struct Reference {
  Parameter value;
  long double bound = 0, terms = 0;
  int touched = 0;
};

// Many steps from zero, each row at its own times.
TEST(SparseUpdate, LazyStepsAddUp) {
  constexpr int64_t kClasses = 5, kDim = 19;
  for (const int32_t optimizer : kOptimizers) {
    Problem problem(VMX_F32, {0, 1, 2, 3, 4}, kClasses, kDim, 5);
    std::vector<Reference> want;
    for (int64_t r = 0; r < kClasses; ++r) {
      for (int64_t c = 0; c < kDim; ++c) {
        problem.mean.set(r, c, 0);
        problem.square.set(r, c, 0);
        want.push_back({{problem.table.get(r, c), 0, 0}});
      }
    }
    Random random(static_cast<uint64_t>(optimizer));
    for (int64_t step = 1; step <= 200; ++step) {
      problem.ids.clear();
      for (int64_t r = 0; r < kClasses; ++r) {
        if (step % (r + 1) == 0) problem.ids.push_back(r);
      }
      const vmx_update_options o = options_of(optimizer, step);
      for (size_t i = 0; i < problem.ids.size(); ++i) {
        for (int64_t c = 0; c < kDim; ++c) {
          problem.grad.set(static_cast<int64_t>(i), c, random.bell());
          Reference& p = want[static_cast<size_t>(problem.ids[i] * kDim + c)];
          const long double g = problem.grad.get(static_cast<int64_t>(i), c);
          const auto next = optimizer_step(o, p.value, g);
          // Each touch adds 3 u to the relative error of v, and to that of m as a share of its terms' magnitudes.
          ++p.touched;
          p.terms = o.optimizer == VMX_ADAM ? 0.9L * p.terms + 0.1L * std::fabs(g) : std::fabs(g);
          const long double moment = o.optimizer == VMX_ADAM ? std::fabs(next.after.mean) : std::fabs(g);
          const long double most = moment > 0 ? std::fabs(next.step) / moment * p.terms : 0;
          p.bound += 3 * kU * (std::fabs(p.value.w) + std::fabs(next.after.w)) + (6 + 5 * p.touched) * kU * most;
          p.value = next.after;
        }
      }
      ASSERT_EQ(problem.run(nullptr, o), VMX_OK) << last_error();
    }
    for (int64_t r = 0; r < kClasses; ++r) {
      for (int64_t c = 0; c < kDim; ++c) {
        const Reference& p = want[static_cast<size_t>(r * kDim + c)];
        EXPECT_NEAR(problem.table.get(r, c), static_cast<double>(p.value.w), static_cast<double>(p.bound))
            << kNames[optimizer] << " " << r << " " << c;
        EXPECT_LT(p.bound, 2e-3);  // and that is little beside what the steps did
      }
    }
  }
}

int32_t in_reverse(void*, int64_t n, vmx_task task, void* arg) {
  for (int64_t i = n; i-- > 0;) task(arg, i);
  return 0;
}

// Enough rows for several tasks.
TEST(SparseUpdate, SameBitsForAnyIsaThreadsAndLayout) {
  std::vector<int64_t> which;
  for (int64_t r = 0; r < 900; ++r) {
    if (r % 3 != 1) which.push_back(r);
  }
  constexpr int64_t kClasses = 900, kDim = 131;
  const Layout layouts[] = {{},
                            {.row_pad = 5, .offset = 3},
                            {.step = 2, .offset = 1},
                            {.transposed = true},
                            {.reversed_rows = true},
                            {.row_pad = 1, .step = 3, .offset = 1, .transposed = true, .reversed_cols = true}};
  const Context reversed(VMX_ISA_BEST, 4, in_reverse);
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    for (const int32_t optimizer : kOptimizers) {
      const vmx_update_options o = options_of(optimizer, 3);
      const Problem first(dtype, which, kClasses, kDim, 11);
      ASSERT_EQ(first.run(nullptr, o), VMX_OK) << last_error();
      const auto expected = first.bytes();
      VMX_FOR_EACH_ISA(ctx) {
        const Problem problem(dtype, which, kClasses, kDim, 11);
        ASSERT_EQ(problem.run(ctx, o), VMX_OK);
        EXPECT_EQ(problem.bytes(), expected);
      }
      for (const int32_t threads : {2, 3}) {
        const Context pool(VMX_ISA_BEST, threads);
        const Problem problem(dtype, which, kClasses, kDim, 11);
        ASSERT_EQ(problem.run(pool, o), VMX_OK);
        EXPECT_EQ(problem.bytes(), expected) << threads;
      }
      for (const Layout& layout : layouts) {
        const Problem problem(dtype, which, kClasses, kDim, 11, layout, layouts[(&layout - layouts + 2) % 6]);
        ASSERT_EQ(problem.run(reversed, o), VMX_OK) << last_error();
        EXPECT_EQ(problem.bytes(), expected) << &layout - layouts;
        EXPECT_TRUE(problem.surroundings_untouched());
      }
    }
  }
}

// Longer than the pieces in which strided rows are gathered.
TEST(SparseUpdate, LongStridedRows) {
  for (const int32_t optimizer : kOptimizers) {
    const vmx_update_options o = options_of(optimizer);
    const Problem plain(VMX_F32, {1, 2}, 3, 2000, 3), strided(VMX_F32, {1, 2}, 3, 2000, 3, {.transposed = true}, {.step = 2});
    ASSERT_EQ(plain.run(nullptr, o), VMX_OK);
    ASSERT_EQ(strided.run(nullptr, o), VMX_OK);
    EXPECT_EQ(plain.bytes(), strided.bytes());
  }
}

// A gradient may have any stride, 0 too: one row for all.
TEST(SparseUpdate, OneGradientForAllRows) {
  const Problem problem(VMX_F32, {1, 3, 4}, 6, 10, 3);
  vmx_sparse_rows rows = problem.rows();
  rows.rows.row_stride = 0;
  const Problem before = problem;
  const vmx_update_options o = options_of(VMX_SGD);
  ASSERT_EQ(vmx_sparse_update(nullptr, &rows, problem.table, nullptr, nullptr, &o), VMX_OK) << last_error();
  for (const int64_t id : problem.ids) {
    for (int64_t c = 0; c < 10; ++c) {
      const double w = before.table.get(id, c) * (1 - 0.03 * 0.2) - 0.03 * before.grad.get(0, c);
      EXPECT_NEAR(problem.table.get(id, c), w, 1e-6);
    }
  }
}

TEST(SparseUpdate, OddNumbersStayWhereTheyAre) {
  const double odd[] = {kNan, -kNan, kInf, -kInf, 1e30, -1e-30, 0x1p-149, 0.0, -0.0};
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    for (const int32_t optimizer : kOptimizers) {
      std::vector<unsigned char> bits;
      VMX_FOR_EACH_ISA(ctx) {
        Problem problem(dtype, {0, 1}, 2, 37, 3);
        for (size_t i = 0; i < 9; ++i) problem.grad.set(0, static_cast<int64_t>(4 * i), odd[i]);
        ASSERT_EQ(problem.run(ctx, options_of(optimizer)), VMX_OK) << last_error();
        for (int64_t c = 0; c < 37; ++c) {
          const double w = problem.table.get(0, c);
          const bool from_nan = c == 0 || c == 4, from_inf = c == 8 || c == 12;
          EXPECT_EQ(std::isnan(w), from_nan || (from_inf && optimizer != VMX_SGD)) << kNames[optimizer] << " " << c;
          if (from_inf && optimizer == VMX_SGD) {
            EXPECT_EQ(w, c == 8 ? -kInf : kInf);
          }
          if (from_nan) {  // one NaN
            float value = 0;
            if (dtype == VMX_F32) std::memcpy(&value, problem.table.at(0, c), 4);
            uint32_t word = 0;
            std::memcpy(&word, &value, 4);
            EXPECT_EQ(word, dtype == VMX_F32 ? 0x7fc00000u : 0u);
          }
        }
        if (bits.empty()) bits = problem.bytes();
        EXPECT_EQ(problem.bytes(), bits);
      }
    }
  }
}

// A moment that fades away ends as 0, not among the subnormals.
TEST(SparseUpdate, FadingMomentsBecomeZero) {
  Problem problem(VMX_F32, {0}, 1, 5, 3);
  for (int64_t c = 0; c < 5; ++c) problem.grad.set(0, c, 0);
  for (int64_t step = 1; step <= 1200; ++step) {
    vmx_update_options o = options_of(VMX_ADAM, step);
    o.beta2 = 0.9;
    ASSERT_EQ(problem.run(nullptr, o), VMX_OK);
    for (int64_t c = 0; c < 5; ++c) {
      const double m = std::fabs(problem.mean.get(0, c)), v = problem.square.get(0, c);
      ASSERT_TRUE(m == 0 || m >= 0x1p-126) << step;
      ASSERT_TRUE(v == 0 || v >= 0x1p-126) << step;
    }
  }
  for (int64_t c = 0; c < 5; ++c) {
    EXPECT_EQ(problem.mean.get(0, c), 0);
    EXPECT_EQ(problem.square.get(0, c), 0);
    EXPECT_TRUE(std::isfinite(problem.table.get(0, c)));
  }
}

TEST(SparseUpdate, NothingToDo) {
  const Problem problem(VMX_F32, {}, 4, 6, 1);
  const auto before = problem.bytes();
  const vmx_update_options o = options_of(VMX_ADAM);
  EXPECT_EQ(problem.run(nullptr, o), VMX_OK) << last_error();
  const vmx_sparse_rows empty = VMX_SPARSE_ROWS_INIT;
  EXPECT_EQ(vmx_sparse_update(nullptr, &empty, problem.table, problem.mean, problem.square, &o), VMX_OK) << last_error();
  EXPECT_EQ(problem.bytes(), before);
  // A table without rows, or of rows without elements.
  vmx_matrix none = problem.table.view();
  none.rows = 0;
  none.data = nullptr;
  EXPECT_EQ(vmx_sparse_update(nullptr, &empty, &none, nullptr, nullptr, nullptr), VMX_OK) << last_error();
  vmx_matrix thin = problem.table.view();
  thin.cols = 0;
  vmx_sparse_rows one = problem.rows();
  int64_t id = 2;
  one.ids = &id;
  one.count = 1;
  one.rows.cols = 0;
  EXPECT_EQ(vmx_sparse_update(nullptr, &one, &thin, nullptr, nullptr, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(problem.bytes(), before);
}

TEST(SparseUpdate, NoOptionsAreSgd) {
  const Problem problem(VMX_F32, {1}, 2, 3, 1), before = problem;
  const vmx_sparse_rows rows = problem.rows();
  ASSERT_EQ(vmx_sparse_update(nullptr, &rows, problem.table, nullptr, nullptr, nullptr), VMX_OK) << last_error();
  for (int64_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(problem.table.get(1, c), before.table.get(1, c) - 0.001 * before.grad.get(0, c), 1e-6);
    EXPECT_EQ(problem.table.get(0, c), before.table.get(0, c));
  }
}

void* counted_alloc(void* user, size_t size, size_t alignment) {
  ++*static_cast<int*>(user);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void counted_free(void*, void* memory, size_t, size_t) { std::free(memory); }

TEST(SparseUpdate, AllocatesNothing) {
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  int count = 0;
  options.alloc = counted_alloc;
  options.free = counted_free;
  options.alloc_user = &count;
  vmx_context* ctx = nullptr;
  ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK) << last_error();
  const Problem problem(VMX_F32, {0, 2}, 3, 700, 1, {.transposed = true}, {.step = 2});
  const int before = count;
  EXPECT_EQ(problem.run(ctx, options_of(VMX_ADAM)), VMX_OK) << last_error();
  EXPECT_EQ(count, before);
  vmx_context_destroy(ctx);
}

// Rows that end right before a page that may not be touched, and that begin right behind one.
TEST(SparseUpdate, BetweenGuardPages) {
  constexpr int64_t kClasses = 3;
  const GuardedBuffer table(1 << 14), mean(1 << 14), square(1 << 14), grad(1 << 14), ids(64);
  VMX_FOR_EACH_ISA(ctx) {
    for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
      for (const int32_t optimizer : kOptimizers) {
        for (const int64_t dim : {1, 3, 7, 8, 9, 16, 17, 31, 33, 65}) {
          for (const bool at_end : {false, true}) {
            const auto place = [&](const GuardedBuffer& buffer, int64_t rows, int32_t type) {
              const size_t bytes = static_cast<size_t>(rows * dim) * size_of(type);
              unsigned char* const data = at_end ? buffer.at_end(bytes) : buffer.at_start();
              std::memset(data, 0, bytes);
              return vmx_matrix{data, rows, dim, dim, 1, type, 0};
            };
            const vmx_matrix w = place(table, kClasses, dtype), m = place(mean, kClasses, VMX_F32), v = place(square, kClasses, VMX_F32);
            vmx_sparse_rows rows = VMX_SPARSE_ROWS_INIT;
            rows.rows = place(grad, 2, VMX_F32);
            for (int64_t i = 0; i < 2 * dim; ++i) static_cast<float*>(rows.rows.data)[i] = 1.0f;
            rows.ids = reinterpret_cast<int64_t*>(at_end ? ids.at_end(16) : ids.at_start());
            rows.ids[0] = 0;
            rows.ids[1] = 2;
            rows.count = 2;
            const vmx_update_options o = options_of(optimizer);
            ASSERT_EQ(vmx_sparse_update(ctx, &rows, &w, has_mean(optimizer) ? &m : nullptr,
                                        has_square(optimizer) ? &v : nullptr, &o),
                      VMX_OK)
                << last_error();
            EXPECT_LT(value_of(static_cast<unsigned char*>(w.data) + static_cast<size_t>(3 * dim - 1) * size_of(dtype), dtype), 0);
          }
        }
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------ malformed arguments

struct Arguments {
  Arguments() : problem(VMX_F32, {0, 2, 5}, 6, 4, 1), table(problem.table.view()), mean(problem.mean.view()),
                square(problem.square.view()), rows(problem.rows()) {}
  Problem problem;
  vmx_matrix table, mean, square;
  vmx_sparse_rows rows;
  vmx_update_options o = options_of(VMX_ADAM);
  bool no_table = false, no_mean = false, no_square = false, no_rows = false;
};

struct Bad {
  const char* what;
  std::function<void(Arguments&)> spoil;
  vmx_status status;
  std::vector<std::string> texts;
};

TEST(SparseUpdate, MalformedArguments) {
  const Bad cases[] = {
      {"grad", [](Arguments& a) { a.no_rows = true; }, VMX_ERR_NULL, {"grad is NULL"}},
      {"table", [](Arguments& a) { a.no_table = true; }, VMX_ERR_NULL, {"table is NULL"}},
      {"table data", [](Arguments& a) { a.table.data = nullptr; }, VMX_ERR_NULL, {"table.data is NULL"}},
      {"table dtype", [](Arguments& a) { a.table.dtype = VMX_F64; }, VMX_ERR_DTYPE, {"table.dtype", "f64", "f32, bf16"}},
      {"table rows", [](Arguments& a) { a.table.rows = -1; }, VMX_ERR_SHAPE, {"table.rows is -1"}},
      {"table cols", [](Arguments& a) { a.table.cols = 5; }, VMX_ERR_OVERLAP, {"table overlaps itself"}},
      {"table stride", [](Arguments& a) { a.table.row_stride = 0; }, VMX_ERR_OVERLAP, {"table overlaps itself"}},
      {"table huge", [](Arguments& a) { a.table.row_stride = INT64_MAX; }, VMX_ERR_SIZE, {"table", "overflow"}},
      {"table place", [](Arguments& a) { a.table.data = static_cast<char*>(a.table.data) + 2; }, VMX_ERR_VALUE, {"table.data"}},
      {"table reserved", [](Arguments& a) { a.table.reserved = 3; }, VMX_ERR_VALUE, {"table.reserved is 3"}},
      {"mean missing", [](Arguments& a) { a.no_mean = true; }, VMX_ERR_NULL, {"mean is NULL"}},
      {"mean data", [](Arguments& a) { a.mean.data = nullptr; }, VMX_ERR_NULL, {"mean.data is NULL"}},
      {"mean dtype", [](Arguments& a) { a.mean.dtype = VMX_BF16; }, VMX_ERR_DTYPE, {"mean.dtype"}},
      {"mean rows", [](Arguments& a) { a.mean.rows = 5; }, VMX_ERR_SHAPE, {"mean.rows is 5", "table.rows is 6"}},
      {"square missing", [](Arguments& a) { a.no_square = true; }, VMX_ERR_NULL, {"square is NULL"}},
      {"square cols", [](Arguments& a) { a.square.cols = 3; }, VMX_ERR_SHAPE, {"square.cols is 3", "table.cols is 4"}},
      {"mean of adagrad", [](Arguments& a) { a.o.optimizer = VMX_ADAGRAD; }, VMX_ERR_VALUE, {"mean is given"}},
      {"square of sgd", [](Arguments& a) { a.o.optimizer = VMX_SGD, a.no_mean = true; }, VMX_ERR_VALUE, {"square is given"}},
      {"optimizer", [](Arguments& a) { a.o.optimizer = 4; }, VMX_ERR_VALUE, {"options.optimizer is 4"}},
      {"optimizer 0", [](Arguments& a) { a.o.optimizer = 0; }, VMX_ERR_VALUE, {"options.optimizer is 0"}},
      {"reserved", [](Arguments& a) { a.o.reserved = 1; }, VMX_ERR_VALUE, {"options.reserved is 1"}},
      {"step", [](Arguments& a) { a.o.step = 0; }, VMX_ERR_VALUE, {"options.step is 0"}},
      {"lr", [](Arguments& a) { a.o.lr = -1; }, VMX_ERR_VALUE, {"options.lr is -1"}},
      {"lr nan", [](Arguments& a) { a.o.lr = kNan; }, VMX_ERR_VALUE, {"options.lr is "}},
      {"lr inf", [](Arguments& a) { a.o.lr = kInf; }, VMX_ERR_VALUE, {"options.lr is inf"}},
      {"beta1", [](Arguments& a) { a.o.beta1 = 1; }, VMX_ERR_VALUE, {"options.beta1 is 1", "[0, 1)"}},
      {"beta2", [](Arguments& a) { a.o.beta2 = -0.1; }, VMX_ERR_VALUE, {"options.beta2 is -0.1"}},
      {"beta2 nan", [](Arguments& a) { a.o.beta2 = kNan; }, VMX_ERR_VALUE, {"options.beta2 is "}},
      {"eps", [](Arguments& a) { a.o.eps = 0; }, VMX_ERR_VALUE, {"options.eps is 0"}},
      {"eps tiny", [](Arguments& a) { a.o.eps = 1e-40; }, VMX_ERR_VALUE, {"options.eps is 1e-40"}},
      {"decay", [](Arguments& a) { a.o.weight_decay = -1; }, VMX_ERR_VALUE, {"options.weight_decay is -1"}},
      {"options size", [](Arguments& a) { a.o.struct_size = 8; }, VMX_ERR_STRUCT, {"options.struct_size is 8"}},
      {"grad size", [](Arguments& a) { a.rows.struct_size = 8; }, VMX_ERR_STRUCT, {"grad.struct_size is 8"}},
      {"count", [](Arguments& a) { a.rows.count = -1; }, VMX_ERR_SHAPE, {"grad.count is -1"}},
      {"capacity", [](Arguments& a) { a.rows.count = 6; }, VMX_ERR_SHAPE, {"grad.count is 6", "grad.rows.rows is 5"}},
      {"grad dtype", [](Arguments& a) { a.rows.rows.dtype = VMX_BF16; }, VMX_ERR_DTYPE, {"grad.rows.dtype"}},
      {"grad dim", [](Arguments& a) { a.rows.rows.cols = 3; }, VMX_ERR_SHAPE, {"grad.rows.cols is 3", "table.cols is 4"}},
      {"grad data", [](Arguments& a) { a.rows.rows.data = nullptr; }, VMX_ERR_NULL, {"grad.rows.data is NULL"}},
      {"ids", [](Arguments& a) { a.rows.ids = nullptr; }, VMX_ERR_NULL, {"grad.ids is NULL"}},
      {"ids place", [](Arguments& a) { a.rows.ids = reinterpret_cast<int64_t*>(reinterpret_cast<char*>(a.rows.ids) + 4); },
       VMX_ERR_VALUE, {"grad.ids", "8 bytes"}},
      {"id above", [](Arguments& a) { a.rows.ids[2] = 6; }, VMX_ERR_LABEL, {"grad.ids[2] is 6", "table.rows is 6"}},
      {"id below", [](Arguments& a) { a.rows.ids[0] = -1; }, VMX_ERR_LABEL, {"grad.ids[0] is -1"}},
      {"id twice", [](Arguments& a) { a.rows.ids[1] = 0; }, VMX_ERR_VALUE, {"grad.ids[1] is 0 behind 0"}},
      {"id falls", [](Arguments& a) { a.rows.ids[2] = 1; }, VMX_ERR_VALUE, {"grad.ids[2] is 1 behind 2"}},
      {"table on mean", [](Arguments& a) { a.mean.data = a.table.data; }, VMX_ERR_OVERLAP, {"mean overlaps table"}},
      {"mean on square", [](Arguments& a) { a.square.data = a.mean.data; }, VMX_ERR_OVERLAP, {"square overlaps mean"}},
      {"grad on table", [](Arguments& a) { a.rows.rows.data = a.table.data; }, VMX_ERR_OVERLAP, {"table overlaps grad.rows"}},
      {"ids on mean", [](Arguments& a) {
         a.rows.ids = static_cast<int64_t*>(a.mean.data);
         for (int64_t i = 0; i < 3; ++i) a.rows.ids[i] = i;
       }, VMX_ERR_OVERLAP, {"mean overlaps grad.ids"}},
  };
  {
    Arguments a;
    ASSERT_EQ(vmx_sparse_update(nullptr, &a.rows, &a.table, &a.mean, &a.square, &a.o), VMX_OK) << last_error();
  }
  for (const Bad& bad : cases) {
    SCOPED_TRACE(bad.what);
    Arguments a;
    bad.spoil(a);
    const auto before = a.problem.bytes();
    EXPECT_EQ(vmx_sparse_update(nullptr, a.no_rows ? nullptr : &a.rows, a.no_table ? nullptr : &a.table,
                                a.no_mean ? nullptr : &a.mean, a.no_square ? nullptr : &a.square, &a.o),
              bad.status);
    const std::string message = last_error();
    EXPECT_NE(message.find("vmx_sparse_update: "), std::string::npos) << message;
    for (const std::string& text : bad.texts) EXPECT_NE(message.find(text), std::string::npos) << message;
    EXPECT_EQ(a.problem.bytes(), before);
    EXPECT_TRUE(a.problem.surroundings_untouched());
  }
}

}  // namespace
