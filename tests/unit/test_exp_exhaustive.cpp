// SPDX-License-Identifier: Apache-2.0
// ctest-labels: bits
// ctest-processors: 2
// The two exponentials over all floats: their bounds, +0 below 2^-126, clamps, and the same bits on every
// vector ISA. The scalar path is slow: one input in 64 here, all of them in test_exp_scalar.cpp.
#include "support/contexts.hpp"
#include "support/exp_sweep.hpp"
#include "support/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

using namespace vmx::test;

std::vector<int32_t> vector_isas() {
  std::vector<int32_t> isas = usable_isas();
  std::erase(isas, VMX_ISA_SCALAR);
  return isas;
}

void report(const char* what, const ExpFindings& found) {
  std::printf("%s exp      %s\n%s exp_sum  %s\n", what, found.exp.text().c_str(), what,
              found.exp_sum.text().c_str());
  EXPECT_EQ(found.failures, 0) << found.first_failure;
}

// Where the long double is wider than an f64.
TEST(Exp, ReferenceIsAccurate) {
  Random random(1);
  double worst = 0;
  for (int i = 0; i < 2000000; ++i) {
    const double x = static_cast<double>(static_cast<float>(128 * random.symmetric()));
    const long double exact = std::exp(static_cast<long double>(x));
    worst = std::max(
        worst, static_cast<double>(std::fabs(static_cast<long double>(reference_exp(x)) - exact) / exact));
  }
  EXPECT_LT(worst, 0x1p-52);
}

TEST(Exp, AllFloatsOnVectors) {
  const std::vector<int32_t> isas = vector_isas();
  if (isas.empty()) GTEST_SKIP() << "no vector ISA on this machine";
  report(vmx_isa_name(isas[0]), sweep_exp(1, isas, true));
}

TEST(Exp, SomeFloatsOnScalar) {
  std::vector<int32_t> isas = {VMX_ISA_SCALAR};
  for (const int32_t isa : vector_isas()) isas.push_back(isa);
  report("scalar", sweep_exp(64, isas, true));
}

// T changes constants alone. What rounding 1/T and its product with r costs exp is at most 0.09 ULP each, where
// r/T = -ln2/8; the two-step exp_sum has no error that grows with |x|.
TEST(Exp, Temperatures) {
  for (const float t :
       {1.0f, 0.5f, 2.0f, 0.07f, 1.0f / 3, 3.0f, 100.0f, 0.9999f, 0x1p-16f, 0x1p+16f, 1e-3f, 1e4f}) {
    char name[32];
    std::snprintf(name, sizeof name, "T = %-10.5g", static_cast<double>(t));
    const ExpBounds bounds = t == 1.0f ? ExpBounds{} : ExpBounds{1.0, 1.1, 0};
    report(name, sample_exp(t, 1 << 20, usable_isas(), bounds));
  }
}

}  // namespace
