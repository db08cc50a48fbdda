// SPDX-License-Identifier: Apache-2.0
#include "support/exp_sweep.hpp"

#include "support/random.hpp"
#include "targets/table.hpp"

#include <vastmax/vastmax.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <thread>

namespace vmx::test {
namespace {

constexpr int64_t kBlock = 1024;             // inputs of one call of the kernels
constexpr int64_t kTask = int64_t{1} << 16;  // inputs of one task: a part of one binade, with any step
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kLargestExp = 0x1.62e42ep+6f;  // the last input whose exponential is finite
// exp_sum counts x/T below as this, and gives +inf above (within the rounding of x/T to a power of 2^(1/4)).
constexpr double kSumLow = -86, kSumHigh = 87.42, kSumHighMargin = 0.01;

uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }

std::string hex(float x) {
  char text[64];
  std::snprintf(text, sizeof text, "%.9g (%08x)", static_cast<double>(x), bits_of(x));
  return text;
}

// |got - exact| in units of 2^-23 of exact's binade.
double ulps(float got, double exact) {
  const uint64_t binade = std::bit_cast<uint64_t>(exact) & (uint64_t{0x7ff} << 52);
  return std::fabs(static_cast<double>(got) - exact) *
         std::bit_cast<double>((uint64_t{2046 + 23} << 52) - binade);
}

// One block of inputs through the kernels of some ISAs.
class Blocks {
 public:
  Blocks(const std::vector<int32_t>& isas, float temperature, const ExpBounds& bounds)
      : isas_(isas),
        params_(make_exp_params(temperature, false)),
        bounds_(bounds),
        inverse_(1.0 / static_cast<double>(temperature)) {
    for (const int32_t isa : isas) tables_.push_back(kernel_table(isa));
    low_ = static_cast<float>(kSumLow) * temperature;
    tables_[0]->exp_sum_f32(&low_, &at_low_, 1, params_);
  }

  float* inputs() { return x_; }

  void run(int64_t n, bool check_errors, ExpFindings* found) {
    tables_[0]->exp_f32(x_, exp_, n, params_);
    tables_[0]->exp_sum_f32(x_, exp_sum_, n, params_);
    for (size_t i = 1; i < tables_.size(); ++i) {
      tables_[i]->exp_f32(x_, other_, n, params_);
      compare("exp", exp_, isas_[i], n, found);
      tables_[i]->exp_sum_f32(x_, other_, n, params_);
      compare("exp_sum", exp_sum_, isas_[i], n, found);
    }
    if (!check_errors || as_expected(n)) return;
    for (int64_t i = 0; i < n; ++i) exact_[i] = exact(x_[i]);
    check_exp(n, found);
    check_exp_sum(n, found);
  }

 private:
  // Seven of eight floats are so small that both results are 1, or so large that exp is 0 or without meaning
  // and exp_sum is clamped: asked for block by block. What is not as it must be goes through the checks for
  // all others.
  bool as_expected(int64_t n) const {
    bool tiny = true, above = true, below = true;
    for (int64_t i = 0; i < n; ++i) {
      const double t = static_cast<double>(x_[i]) * inverse_;
      tiny &= t > -0x1p-27 && t < 0x1p-27;
      above &= !(t < 128);  // NaN too
      below &= t <= -128;
    }
    if (tiny) return all(exp_, n, 1.0f) && all(exp_sum_, n, 1.0f);
    if (below) return all(exp_, n, 0.0f) && all(exp_sum_, n, at_low_);
    return above && all(exp_sum_, n, kInf);
  }
  static bool all(const float* got, int64_t n, float value) {
    uint32_t different = 0;
    for (int64_t i = 0; i < n; ++i) different |= bits_of(got[i]) ^ bits_of(value);
    return different == 0;
  }

  double exact(float x) const {
    const double t = static_cast<double>(x) * inverse_;
    if (!(std::fabs(t) < 128)) return 0;  // NaN, or nothing is compared with it
    return reference_exp(t);
  }

  void compare(const char* name, const float* first, int32_t isa, int64_t n, ExpFindings* found) const {
    if (std::memcmp(first, other_, static_cast<size_t>(n) * sizeof(float)) == 0) return;
    for (int64_t i = 0; i < n; ++i) {
      if (bits_of(first[i]) == bits_of(other_[i])) continue;
      found->fail(std::string(name) + " of " + hex(x_[i]) + " is " + hex(first[i]) + " on " +
                  vmx_isa_name(isas_[0]) + ", but " + hex(other_[i]) + " on " + vmx_isa_name(isa));
    }
  }

  // Of errors_[0 .. n); NaN there: not counted.
  void note(const char* name, const float* got, int64_t n, const double* bound, UlpErrors* errors,
            ExpFindings* found) const {
    for (int64_t i = 0; i < n; ++i) {
      const double e = errors_[i];
      if (e != e) continue;
      ++errors->values;
      if (e > errors->largest) errors->largest = e, errors->at = x_[i];
      if (e > errors->share * bound[i]) errors->share = e / bound[i], errors->share_at = x_[i];
      if (!(e <= bound[i])) {
        found->fail(std::string(name) + " of " + hex(x_[i]) + " is " + hex(got[i]) + ": " +
                    std::to_string(e) + " ULP");
      }
    }
  }

  void check_exp(int64_t n, ExpFindings* found) {
    for (int64_t i = 0; i < n; ++i) {
      const double t = static_cast<double>(x_[i]) * inverse_;
      errors_[i] = std::nan("");
      bound_[i] = bounds_.exp;
      if (!(t <= static_cast<double>(kLargestExp))) continue;  // NaN, or beyond what is defined
      const float got = exp_[i];
      const double smallest = 0x1p-126, neighbour = bounds_.exp * 0x1p-149;
      const double value = t < -127 ? 0.0 : exact_[i];
      if (value >= smallest + neighbour || (value >= smallest - neighbour && got >= 0x1p-126f)) {
        errors_[i] = ulps(got, std::max(value, smallest));
      } else if (bits_of(got) != 0) {
        found->fail("exp of " + hex(x_[i]) + " is " + hex(got) + " instead of +0");
      }
    }
    note("exp", exp_, n, bound_, &found->exp, found);
  }

  void check_exp_sum(int64_t n, ExpFindings* found) {
    for (int64_t i = 0; i < n; ++i) {
      const float x = x_[i], got = exp_sum_[i];
      const double t = static_cast<double>(x) * inverse_;
      errors_[i] = std::nan("");
      bound_[i] = bounds_.exp_sum + bounds_.exp_sum_slope * std::fabs(t);
      if (x >= low_ && (t < kSumHigh - kSumHighMargin || (t < kSumHigh + kSumHighMargin && got < kInf))) {
        errors_[i] = ulps(got, exact_[i]);
      } else if (bits_of(got) != bits_of(x < low_ ? at_low_ : kInf)) {  // NaN: +inf
        found->fail("exp_sum of " + hex(x) + " is " + hex(got) + ", neither clamped nor refused");
      }
    }
    note("exp_sum", exp_sum_, n, bound_, &found->exp_sum, found);
  }

  std::vector<int32_t> isas_;
  std::vector<const KernelTable*> tables_;
  ExpParams params_;
  ExpBounds bounds_;
  double inverse_;
  float low_, at_low_;
  alignas(64) float x_[kBlock];
  alignas(64) float exp_[kBlock], exp_sum_[kBlock], other_[kBlock];
  double exact_[kBlock], errors_[kBlock], bound_[kBlock];
};

}  // namespace

// glibc, musl and their like stay below 0.55 ULP of an f64, and 1 would do.
double reference_exp(double x) { return std::exp(x); }

void UlpErrors::merge(const UlpErrors& other) {
  // Ties by the input, so that the report does not depend on the threads.
  const auto take = [](double a, float a_at, double b, float b_at) {
    return b > a || (b == a && bits_of(b_at) < bits_of(a_at));
  };
  if (take(largest, at, other.largest, other.at)) largest = other.largest, at = other.at;
  if (take(share, share_at, other.share, other.share_at)) share = other.share, share_at = other.share_at;
  values += other.values;
}

std::string UlpErrors::text() const {
  char line[160];
  std::snprintf(line, sizeof line,
                "%lld values: at most %.4f ULP, at %.9g (%a); at most %.1f %% of the bound, at %.9g",
                static_cast<long long>(values), largest, static_cast<double>(at), static_cast<double>(at),
                100 * share, static_cast<double>(share_at));
  return line;
}

void ExpFindings::fail(const std::string& what) {
  if (failures++ == 0) first_failure = what;
}

void ExpFindings::merge(const ExpFindings& other) {
  exp.merge(other.exp);
  exp_sum.merge(other.exp_sum);
  if (failures == 0) first_failure = other.first_failure;
  failures += other.failures;
}

ExpFindings sweep_exp(int64_t step, const std::vector<int32_t>& isas, bool check_errors) {
  constexpr int kThreads = 2;
  const int64_t tasks = (int64_t{1} << 32) / step / kTask;
  std::atomic<int64_t> next{0};
  ExpFindings found[kThreads];
  const auto work = [&](ExpFindings* mine) {
    Blocks blocks(isas, 1.0f, {});
    for (int64_t task; (task = next.fetch_add(1)) < tasks;) {
      for (int64_t first = task * kTask; first < (task + 1) * kTask; first += kBlock) {
        float* x = blocks.inputs();
        for (int64_t i = 0; i < kBlock; ++i) {
          // Somewhere in its stretch: the low bits should take all values.
          const uint64_t index = static_cast<uint64_t>(first + i);
          const uint64_t within = ((index * 0x9e3779b97f4a7c15u) >> 40) & static_cast<uint64_t>(step - 1);
          x[i] = std::bit_cast<float>(static_cast<uint32_t>(index * static_cast<uint64_t>(step) + within));
        }
        blocks.run(kBlock, check_errors, mine);
      }
    }
  };
  std::thread other(work, &found[1]);
  work(&found[0]);
  other.join();
  found[0].merge(found[1]);
  return found[0];
}

ExpFindings sample_exp(float temperature, int64_t n, const std::vector<int32_t>& isas,
                       const ExpBounds& bounds) {
  const double t = static_cast<double>(temperature);
  Blocks blocks(isas, temperature, bounds);
  ExpFindings found;
  Random random(bits_of(temperature));
  const double low = -100 * t, high = 89 * t;
  for (int64_t done = 0; done < n; done += kBlock) {
    for (int64_t i = 0; i < kBlock; ++i) {
      const double x = low + (high - low) * random.unit();
      blocks.inputs()[i] =
          static_cast<float>(random.one_in(4) ? x * std::ldexp(1.0, static_cast<int>(-random.below(30))) : x);
    }
    blocks.run(kBlock, true, &found);
  }
  return found;
}

}  // namespace vmx::test
