// SPDX-License-Identifier: Apache-2.0
// exp and exp_sum by themselves over many inputs: errors in ULP against an f64 reference, and equal bits on
// several ISAs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vmx::test {

/// exp(x), at most 2^-28 ULP of an f32 away from it.
double reference_exp(double x);

struct UlpErrors {
  double largest = 0;  // in ULP: units in the last place of an f32 next to the exact value
  float at = 0;
  double share = 0;  // of the bound
  float share_at = 0;
  int64_t values = 0;

  void merge(const UlpErrors& other);
  std::string text() const;
};

struct ExpFindings {
  UlpErrors exp, exp_sum;
  int64_t failures = 0;
  std::string first_failure;

  void fail(const std::string& what);
  void merge(const ExpFindings& other);
};

/// Bounds in ULP, for T = 1; exp_sum_slope is multiplied by |x/T|.
struct ExpBounds {
  double exp = 0.75, exp_sum = 1.1, exp_sum_slope = 0.05;
};

/// One input in `step` (a power of two up to 64) of all f32 bit patterns, T = 1, on two threads. The first of
/// the ISAs is held against the reference if check_errors; the others must give its bits, for NaN and inputs
/// without meaning too.
ExpFindings sweep_exp(int64_t step, const std::vector<int32_t>& isas, bool check_errors);

/// The same for n inputs x drawn so that x/T lies in the domain of both and a little beyond, on one thread.
ExpFindings sample_exp(float temperature, int64_t n, const std::vector<int32_t>& isas,
                       const ExpBounds& bounds);

}  // namespace vmx::test
