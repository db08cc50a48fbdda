// SPDX-License-Identifier: Apache-2.0
// ctest-labels: slow
// ctest-timeout: 3600
// ctest-processors: 2
// The scalar exponentials over all floats: their bounds, and the bits of the vector paths.
#include "support/contexts.hpp"
#include "support/exp_sweep.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace {

using namespace vmx::test;

TEST(Exp, AllFloatsOnScalar) {
  const std::vector<int32_t> isas = usable_isas();  // scalar first
  ASSERT_EQ(isas.at(0), VMX_ISA_SCALAR);
  const ExpFindings found = sweep_exp(1, isas, true);
  EXPECT_EQ(found.failures, 0) << found.first_failure;
  std::printf("exp      %s\nexp_sum  %s\n", found.exp.text().c_str(), found.exp_sum.text().c_str());
}

}  // namespace
