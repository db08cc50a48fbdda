// SPDX-License-Identifier: Apache-2.0
// ctest-shards: 2
// The caller's floating-point environment: no call changes a bit of it, and no answer depends on it. That is
// promised of all of MXCSR: rounding mode, FTZ, DAZ, the masks of exceptions, the flags of those that
// happened.
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__SSE2__)
#  include <xmmintrin.h>

namespace {

using namespace vmx::test;

constexpr unsigned kMasked = 0x1f80;  // all exceptions masked: the standard environment
constexpr unsigned kFtz = 0x8000, kDaz = 0x0040;
constexpr unsigned kUp = 0x4000, kToZero = 0x6000;
constexpr unsigned kSomeFlags = 0x0015;  // invalid, divide by zero, underflow have happened

struct Mode {
  const char* name;
  unsigned bits;
};
constexpr Mode kModes[] = {{"FTZ", kMasked | kFtz},
                           {"DAZ", kMasked | kDaz},
                           {"FTZ, DAZ", kMasked | kFtz | kDaz},
                           {"up", kMasked | kUp},
                           {"to zero", kMasked | kToZero | kSomeFlags},
                           {"every exception traps", 0},  // SIGFPE at the first inexact result, if left so
                           {"everything at once", kFtz | kDaz | kUp | kSomeFlags}};

// Runs one call under MXCSR = bits. Nothing else runs so, not even the test's own arithmetic.
template <class Call>
void under(unsigned bits, const char* what, Call&& call) {
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(bits);
  const vmx_status status = call();
  const unsigned after = _mm_getcsr();
  _mm_setcsr(saved);
  EXPECT_EQ(status, VMX_OK) << what << ": " << last_error();
  EXPECT_EQ(after, bits) << what;
}

// Scores among which DAZ finds something to drop, and so few others that it would show.
const std::vector<RowKind>& subnormal_kinds() {
  static const std::vector<RowKind> kinds = {
      {"subnormal", false,
       [](Random& r, int64_t, int64_t, double) {
         return r.symmetric() * (r.one_in(3) ? 0x1p-140 : 0x1p-126);
       }},
      {"planted", false,
       [](Random& r, int64_t c, int64_t, double) {
         return c % 3 == 0 ? r.bell() : r.symmetric() * 0x1p-127;
       }},
      {"near_smallest", false, [](Random& r, int64_t, int64_t, double) { return r.bell() * 0x1p-126; }},
  };
  return kinds;
}

std::vector<std::vector<double>> rows_to_try(int32_t dtype, int64_t cols) {
  std::vector<std::vector<double>> rows;
  const auto add = [&](const RowKind& kind) { rows.push_back(make_row(kind, cols, dtype, rows.size())); };
  for (const RowKind& kind : subnormal_kinds()) add(kind);
  if (cols > 1000) {
    for (const char* name : {"bell", "masked", "far", "nan"}) add(row_kind(name));
  } else {
    for (const RowKind& kind : row_kinds()) add(kind);
  }
  return rows;
}

// What a call wrote.
struct Written {
  std::string call;
  std::vector<unsigned char> bytes;
};

template <class... Parts>
Written written(std::string call, const Parts&... parts) {
  Written result{std::move(call), {}};
  const auto add = [&](const std::vector<unsigned char>& bytes) {
    result.bytes.insert(result.bytes.end(), bytes.begin(), bytes.end());
  };
  (add(parts), ...);
  return result;
}

template <class T>
std::vector<unsigned char> bytes_of(const std::vector<T>& values) {
  std::vector<unsigned char> result(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(result.data(), values.data(), result.size());
  return result;
}

// All entry points that compute, on the same scores.
class Work {
 public:
  Work(int32_t dtype, int64_t cols, float t) : Work(dtype, rows_to_try(dtype, cols), t) {}

  Work(int32_t dtype, const std::vector<std::vector<double>>& rows, float t)
      : dtype_(dtype),
        wide_(wide_type(dtype)),
        rows_(static_cast<int64_t>(rows.size())),
        cols_(static_cast<int64_t>(rows[0].size())),
        t_(t),
        x_(dtype, rows),
        y_(dtype, rows_, cols_),
        log_y_(dtype, rows_, cols_),
        grad_y_(dtype, rows_, cols_),
        lse_(wide_, rows_),
        factor_(VMX_F64, rows_),
        narrow_factor_(VMX_F32, rows_) {
    Random random(17);
    softmax_.temperature = &t_;
    EXPECT_EQ(vmx_softmax(nullptr, nullptr, x_, y_, lse_, nullptr, &softmax_), VMX_OK) << last_error();
    EXPECT_EQ(vmx_log_softmax(nullptr, nullptr, x_, log_y_, nullptr, nullptr, &softmax_), VMX_OK)
        << last_error();
    const long double tiny = dtype == VMX_F64 ? 0x1p-1040L : dtype == VMX_F16 ? 0x1p-22L : 0x1p-130L;
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < cols_; ++c) {
        const auto unit = static_cast<long double>(random.symmetric());
        // Large ones lift subnormal probabilities and weights to where they show.
        grad_y_.set(r, c, unit * (c % 3 == 0 ? tiny : c % 3 == 1 ? 1.0L : 0x1p14L));
        if (c % 5 == 2) y_.set(r, c, unit * tiny);
        if (c % 7 == 2) log_y_.set(r, c, -std::fabs(unit) * tiny);
      }
      const long double factors[] = {1, -0x1p-130L, 0x1p100L, 3, 0x1p-1040L};
      factor_.set(r, factors[r % 5]);
      narrow_factor_.set(r, factors[r % 4]);
    }
    std::vector<int64_t> labels, starts{0}, ids;
    for (int64_t r = 0; r < rows_; ++r) {
      labels.push_back(r % 6 == 5 ? -100 : random.below(cols_));
      for (int64_t i = r % 3; i > 0; --i) ids.push_back(random.below(cols_));
      starts.push_back(static_cast<int64_t>(ids.size()));
    }
    std::vector<double> weights;
    for (size_t i = 0; i < ids.size(); ++i) weights.push_back(i % 2 ? 0x1p-130 : 0.75);
    labels_ = Ids(VMX_I64, labels);
    starts_ = Ids(VMX_I64, starts);
    list_ = Ids(VMX_I32, ids);
    weights_ = std::make_unique<Vector>(VMX_F32, weights);
    for (int64_t c = 0; c < cols_; ++c) {
      class_weight_.push_back(c % 4 == 1 ? 0x1p-130f : static_cast<float>(random.below(8)));
    }
  }

  std::vector<Written> run(const vmx_context* ctx, unsigned mode) const {
    std::vector<Written> result;
    forward(ctx, mode, result);
    backward(ctx, mode, result);
    states(ctx, mode, result);
    cross_entropies(ctx, mode, result);
    topk(ctx, mode, result);
    return result;
  }

  // For rows that are long enough to be cut.
  std::vector<Written> run_few(const vmx_context* ctx, unsigned mode) const {
    std::vector<Written> result;
    backward(ctx, mode, result);
    states(ctx, mode, result);
    cross_entropies(ctx, mode, result);
    return result;
  }

 private:
  void forward(const vmx_context* ctx, unsigned mode, std::vector<Written>& result) const {
    for (const uint32_t option_flags : {0u, VMX_PRECISE, VMX_ZERO_MASKED}) {
      vmx_softmax_options options = softmax_;
      options.flags = option_flags;
      const std::string suffix = ", flags " + std::to_string(option_flags);
      const Vector lse(wide_, rows_);
      std::vector<uint32_t> flags(static_cast<size_t>(rows_), 77);
      under(mode, "vmx_logsumexp",
            [&] { return vmx_logsumexp(ctx, nullptr, x_, lse, flags.data(), &options); });
      result.push_back(written("vmx_logsumexp" + suffix, lse.bytes(), bytes_of(flags)));
      for (const int32_t stored : {dtype_, int32_t{VMX_F64}, int32_t{VMX_F16}}) {
        const Matrix y(stored, rows_, cols_), log_y(stored, rows_, cols_);
        const Vector of_y(wide_, rows_), of_log(wide_, rows_);
        under(mode, "vmx_softmax",
              [&] { return vmx_softmax(ctx, nullptr, x_, y, of_y, flags.data(), &options); });
        under(mode, "vmx_log_softmax",
              [&] { return vmx_log_softmax(ctx, nullptr, x_, log_y, of_log, flags.data(), &options); });
        const std::string to = std::string(" to ") + name_of(stored) + suffix;
        result.push_back(written("vmx_softmax" + to, y.bytes(), of_y.bytes(), bytes_of(flags)));
        result.push_back(written("vmx_log_softmax" + to, log_y.bytes(), of_log.bytes(), bytes_of(flags)));
      }
    }
  }

  void backward(const vmx_context* ctx, unsigned mode, std::vector<Written>& result) const {
    for (const int32_t stored : {dtype_, int32_t{VMX_F64}}) {
      const std::string to = std::string(" to ") + name_of(stored);
      const Matrix grad(stored, rows_, cols_);
      const vmx_vector* const given[] = {nullptr, lse_};
      for (const vmx_vector* lse : given) {
        under(mode, "vmx_logsumexp_backward",
              [&] { return vmx_logsumexp_backward(ctx, nullptr, x_, lse, factor_, grad, &softmax_); });
        result.push_back(written("vmx_logsumexp_backward" + to + (lse ? ", lse given" : ""), grad.bytes()));
      }
      under(mode, "vmx_softmax_backward",
            [&] { return vmx_softmax_backward(ctx, nullptr, y_, grad_y_, grad, &softmax_); });
      result.push_back(written("vmx_softmax_backward" + to, grad.bytes()));
      under(mode, "vmx_log_softmax_backward",
            [&] { return vmx_log_softmax_backward(ctx, nullptr, log_y_, grad_y_, grad, &softmax_); });
      result.push_back(written("vmx_log_softmax_backward" + to, grad.bytes()));
    }
  }

  void states(const vmx_context* ctx, unsigned mode, std::vector<Written>& result) const {
    vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
    options.flags = VMX_FOLD_SUMS | VMX_FOLD_ENTROPY;
    options.temperature = &t_;
    options.class_weight = {const_cast<float*>(class_weight_.data()), cols_, 1, VMX_F32, 0};
    options.skip = labels_.view();
    const auto count = static_cast<size_t>(rows_);
    std::vector<vmx_lse_state> folded(count, vmx_lse_state{});
    under(mode, "vmx_lse_fold", [&] { return vmx_lse_fold(ctx, nullptr, x_, 0, folded.data(), &options); });
    result.push_back(written("vmx_lse_fold", bytes_of(folded)));

    // With the states of other rows, so that bins and maxima differ.
    std::vector<vmx_lse_state> merged(folded.rbegin(), folded.rend());
    under(mode, "vmx_lse_merge", [&] { return vmx_lse_merge(merged.data(), folded.data(), rows_); });
    result.push_back(written("vmx_lse_merge", bytes_of(merged)));

    const Vector lse(VMX_F64, rows_), narrow_lse(VMX_F32, rows_), entropy(VMX_F64, rows_);
    std::vector<uint32_t> flags(count, 77);
    under(mode, "vmx_lse_finish",
          [&] { return vmx_lse_finish(merged.data(), rows_, &options, lse, entropy, flags.data()); });
    under(mode, "vmx_lse_finish",
          [&] { return vmx_lse_finish(folded.data(), rows_, &options, narrow_lse, nullptr, nullptr); });
    result.push_back(
        written("vmx_lse_finish", lse.bytes(), narrow_lse.bytes(), entropy.bytes(), bytes_of(flags)));

    std::vector<vmx_lse_short> brief(count, vmx_lse_short{7, 7}), other = brief;
    under(mode, "vmx_lse_shorten",
          [&] { return vmx_lse_shorten(folded.data(), rows_, &options, brief.data()); });
    under(mode, "vmx_lse_shorten",
          [&] { return vmx_lse_shorten(merged.data(), rows_, &options, other.data()); });
    under(mode, "vmx_lse_short_merge",
          [&] { return vmx_lse_short_merge(brief.data(), other.data(), rows_); });
    under(mode, "vmx_lse_short_finish", [&] { return vmx_lse_short_finish(brief.data(), rows_, lse); });
    result.push_back(written("the short states", bytes_of(brief), bytes_of(other), lse.bytes()));
  }

  void cross_entropies(const vmx_context* ctx, unsigned mode, std::vector<Written>& result) const {
    for (const bool csr : {false, true}) {
      for (const double softcap : {0.0, 20.0}) {
        for (const bool plain : {true, false}) {
          vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
          options.temperature = &t_;
          options.softcap = softcap;
          if (!plain) {
            options.reduction = VMX_REDUCE_MEAN;
            options.label_smoothing = 0.1;
            options.z_loss = 1e-3;
            options.flags = csr ? VMX_SMOOTH_UNMASKED : 0;
            options.class_weight = {const_cast<float*>(class_weight_.data()), cols_, 1, VMX_F32, 0};
          }
          vmx_csr targets = one_label(labels_);
          if (csr) {
            targets.ids = list_.view();
            targets.indptr = starts_.view();
            targets.weights = weights_->view();
          }
          const Vector loss(wide_, rows_), z_loss(wide_, rows_), lse(wide_, rows_);
          const Matrix grad(dtype_, rows_, cols_);
          std::vector<uint32_t> flags(static_cast<size_t>(rows_), 77);
          std::vector<double> totals(3, 7.0);
          vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
          out.loss = loss.view();
          out.z_loss = z_loss.view();
          out.lse = lse.view();
          out.total = &totals[0];
          out.total_z_loss = &totals[1];
          out.total_weight = &totals[2];
          out.row_flags = flags.data();
          out.grad = grad.view();
          out.grad_scale = 0x1p100;  // lifts what weights of 2^-130 give
          const std::string what = std::string(csr ? ", lists" : "") + (plain ? "" : ", all options") +
                                   (softcap > 0 ? ", soft-cap" : "");
          under(mode, "vmx_cross_entropy",
                [&] { return vmx_cross_entropy(ctx, nullptr, x_, &targets, &out, &options); });
          result.push_back(written("vmx_cross_entropy" + what, loss.bytes(), z_loss.bytes(), lse.bytes(),
                                   bytes_of(totals), bytes_of(flags), grad.bytes()));
          const vmx_vector* const given[] = {nullptr, lse_};
          for (const vmx_vector* from : given) {
            if (from && softcap > 0) continue;  // lse_ is that of the plain scores
            under(mode, "vmx_cross_entropy_backward", [&] {
              return vmx_cross_entropy_backward(ctx, nullptr, x_, &targets, from, narrow_factor_, grad,
                                                &options);
            });
            result.push_back(
                written("vmx_cross_entropy_backward" + what + (from ? ", lse given" : ""), grad.bytes()));
          }
        }
      }
    }
  }

  void topk(const vmx_context* ctx, unsigned mode, std::vector<Written>& result) const {
    const int64_t k = (cols_ + 2) / 3;
    const Matrix values(dtype_, rows_, k), ids(VMX_I64, rows_, k);
    const Matrix best(dtype_, rows_, 1), best_ids(VMX_I64, rows_, 1);
    std::vector<uint32_t> flags(static_cast<size_t>(rows_), 77);
    under(mode, "vmx_topk",
          [&] { return vmx_topk(ctx, nullptr, x_, k, values, ids, flags.data(), nullptr); });
    under(mode, "vmx_topk_merge",
          [&] { return vmx_topk_merge(ctx, nullptr, values, ids, 1, best, best_ids, nullptr, nullptr); });
    result.push_back(written("vmx_topk", values.bytes(), ids.bytes(), bytes_of(flags)));
    result.push_back(written("vmx_topk_merge", best.bytes(), best_ids.bytes()));
  }

  int32_t dtype_, wide_;
  int64_t rows_, cols_;
  float t_;
  vmx_softmax_options softmax_ = VMX_SOFTMAX_OPTIONS_INIT;
  Matrix x_, y_, log_y_, grad_y_;
  Vector lse_, factor_, narrow_factor_;
  Ids labels_, starts_, list_;
  std::unique_ptr<Vector> weights_;
  std::vector<float> class_weight_;
};

void expect_same(const std::vector<Written>& actual, const std::vector<Written>& expected,
                 const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(actual[i].bytes == expected[i].bytes) << actual[i].call << ": other bits, " << what;
  }
}

class FpEnvironmentOfType : public testing::TestWithParam<int32_t> {};
INSTANTIATE_TEST_SUITE_P(Types, FpEnvironmentOfType, testing::ValuesIn(kFloatTypes),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(FpEnvironmentOfType, SameBits) {
  for (const int64_t cols : {1, 7, 300, 4500}) {
    for (const float t : {1.0f, 0x1p-126f, 0.0f}) {
      if (cols > 1000 && t != 0x1p-126f) continue;
      const Work work(GetParam(), cols, t);
      VMX_FOR_EACH_ISA(ctx) {
        const auto expected = work.run(ctx, kMasked);
        for (const Mode& mode : kModes) {
          expect_same(work.run(ctx, mode.bits), expected,
                      std::string(mode.name) + ", cols " + std::to_string(cols) + ", T " + std::to_string(t));
        }
      }
    }
  }
}

// As a host runs tasks: on threads whose environments are their own.
int32_t on_odd_threads(void*, int64_t n, vmx_task task, void* arg) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([=] {
      const unsigned own = t == 0 ? kMasked | kUp : t == 1 ? kMasked | kFtz | kDaz | kSomeFlags : 0u;
      _mm_setcsr(own);
      for (int64_t i = t; i < n; i += 3) {
        task(arg, i);
        if (_mm_getcsr() != own) std::abort();
      }
      _mm_setcsr(kMasked);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

TEST_P(FpEnvironmentOfType, SameBitsOnAnyThread) {
  const Context pool(VMX_ISA_BEST, 3), callback(VMX_ISA_BEST, 3, on_odd_threads);
  const Work rows(GetParam(), 2100, 0x1p-126f);
  const auto expected = rows.run(nullptr, kMasked);
  const Work segments(GetParam(), {make_row(subnormal_kinds()[1], 300000, GetParam(), 1)}, 0x1p-126f);
  const auto expected_segments = segments.run_few(nullptr, kMasked);
  for (const Mode& mode : {kModes[2], kModes[3], kModes[6]}) {
    for (const Context* ctx : {&pool, &callback}) {
      expect_same(rows.run(*ctx, mode.bits), expected, mode.name);
      expect_same(segments.run_few(*ctx, mode.bits), expected_segments, std::string(mode.name) + ", one row");
    }
  }
}

// The linear source computes by another library: its answers do not depend on the environment either.
TEST(FpEnvironment, LinearSource) {
  if (vmx_onednn_version()[0] == '\0') GTEST_SKIP() << "this build is without oneDNN";
  constexpr int64_t rows = 40, classes = 600, dim = 24;
  Random random(5);
  Matrix h(VMX_F32, rows, dim), w(VMX_F32, classes, dim);
  for (Matrix* m : {&h, &w}) {
    for (int64_t r = 0; r < m->rows(); ++r) {
      for (int64_t c = 0; c < dim; ++c) m->set(r, c, c % 3 ? random.bell() : random.symmetric() * 0x1p-127);
    }
  }
  std::vector<int64_t> ids;
  for (int64_t r = 0; r < rows; ++r) ids.push_back(random.below(classes));
  const Ids labels(VMX_I64, ids);
  const vmx_csr targets = one_label(labels);
  vmx_linear linear = VMX_LINEAR_INIT;
  linear.weights = w.view();
  VMX_FOR_EACH_ISA(ctx) {
    const auto run = [&](unsigned mode) {
      std::vector<Written> result;
      const Vector lse(VMX_F32, rows), loss(VMX_F32, rows);
      const Matrix grad_h(VMX_F32, rows, dim), grad_w(VMX_F32, classes, dim);
      const Matrix values(VMX_F32, rows, 5), found(VMX_I32, rows, 5);
      vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
      out.loss = loss.view();
      vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
      grads.hidden = grad_h.view();
      grads.weights = grad_w.view();
      under(mode, "vmx_linear_logsumexp",
            [&] { return vmx_linear_logsumexp(ctx, nullptr, h, &linear, lse, nullptr, nullptr); });
      under(mode, "vmx_linear_cross_entropy", [&] {
        return vmx_linear_cross_entropy(ctx, nullptr, h, &linear, &targets, &out, &grads, nullptr);
      });
      under(mode, "vmx_linear_topk",
            [&] { return vmx_linear_topk(ctx, nullptr, h, &linear, 5, values, found, nullptr, nullptr); });
      vmx_packed_weights* packed = nullptr;
      under(mode, "vmx_pack_weights", [&] { return vmx_pack_weights(ctx, w, &packed); });
      vmx_linear made = VMX_LINEAR_INIT;
      made.packed = packed;
      const Vector packed_lse(VMX_F32, rows);
      under(mode, "vmx_linear_logsumexp",
            [&] { return vmx_linear_logsumexp(ctx, nullptr, h, &made, packed_lse, nullptr, nullptr); });
      vmx_packed_weights_destroy(packed);
      result.push_back(written("the linear source", lse.bytes(), loss.bytes(), grad_h.bytes(), grad_w.bytes(),
                               values.bytes(), found.bytes(), packed_lse.bytes()));
      return result;
    };
    const auto expected = run(kMasked);
    for (const Mode& mode : kModes) expect_same(run(mode.bits), expected, mode.name);
  }
}

// Calls that compute nothing, and calls that fail.
TEST(FpEnvironment, OtherCalls) {
  for (const Mode& mode : kModes) {
    vmx_context* ctx = nullptr;
    vmx_workspace* ws = nullptr;
    vmx_context_options options;
    under(mode.bits, "vmx_context_options_init",
          [&] { return vmx_context_options_init(&options, sizeof options); });
    options.threads = 3;
    under(mode.bits, "vmx_context_create", [&] { return vmx_context_create(&options, &ctx); });
    under(mode.bits, "vmx_workspace_create", [&] { return vmx_workspace_create(ctx, &ws); });
    under(mode.bits, "vmx_workspace_reserve", [&] { return vmx_workspace_reserve(ws, 1000); });
    const Matrix x(VMX_F32, {{1, 2, 3}});
    size_t size = 0;
    under(mode.bits, "vmx_softmax_workspace_size",
          [&] { return vmx_softmax_workspace_size(ctx, x, nullptr, nullptr, &size); });
    const float negative = -0.1f;
    vmx_softmax_options cold = VMX_SOFTMAX_OPTIONS_INIT;
    cold.temperature = &negative;
    const Vector lse(VMX_F32, 1);
    under(mode.bits, "a refusal", [&] {
      return vmx_logsumexp(ctx, ws, x, lse, nullptr, &cold) == VMX_ERR_VALUE ? VMX_OK : VMX_ERR_INTERNAL;
    });
    EXPECT_NE(last_error().find("-0.1"), std::string::npos) << last_error();
    under(mode.bits, "destroying", [&] {
      vmx_workspace_destroy(ws);
      vmx_context_destroy(ctx);
      return VMX_OK;
    });
  }
}

// A host's scheduler may run any of its work while it waits for our tasks: that must find its environment.
struct Seen {
  unsigned expected;
  int wrong = 0, calls = 0;
  void look() {
    ++calls;
    wrong += (_mm_getcsr() & ~0x3fu) != (expected & ~0x3fu);
  }
};

TEST(FpEnvironment, CallbacksSeeTheCallersOwn) {
  for (const Mode& mode : kModes) {
    Seen seen{mode.bits};
    vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
    options.parallel_for_user = options.alloc_user = &seen;
    options.parallel_for = [](void* user, int64_t n, vmx_task task, void* arg) -> int32_t {
      for (int64_t i = 0; i < n; ++i) {
        static_cast<Seen*>(user)->look();
        task(arg, i);
      }
      static_cast<Seen*>(user)->look();
      return 0;
    };
    options.alloc = [](void* user, size_t size, size_t alignment) {
      static_cast<Seen*>(user)->look();
      return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    };
    options.free = [](void* user, void* memory, size_t, size_t) {
      static_cast<Seen*>(user)->look();
      std::free(memory);
    };
    vmx_context* ctx = nullptr;
    under(mode.bits, "vmx_context_create", [&] { return vmx_context_create(&options, &ctx); });
    const auto row = make_row(row_kind("bell"), 5000, VMX_F32, 1);
    const Matrix x(VMX_F32, std::vector<std::vector<double>>(40, row));
    const Vector loss(VMX_F32, 40);
    const Ids labels(VMX_I32, std::vector<int64_t>(40, 7));
    const vmx_csr targets = one_label(labels);
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.loss = loss.view();
    under(mode.bits, "vmx_cross_entropy",
          [&] { return vmx_cross_entropy(ctx, nullptr, x, &targets, &out, nullptr); });
    under(mode.bits, "vmx_context_destroy", [&] {
      vmx_context_destroy(ctx);
      return VMX_OK;
    });
    EXPECT_EQ(seen.wrong, 0) << mode.name;
    EXPECT_GE(seen.calls, 4);  // alloc, tasks, free
  }
}

}  // namespace
#endif
