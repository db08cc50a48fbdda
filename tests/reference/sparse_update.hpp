// SPDX-License-Identifier: Apache-2.0
// One step of an optimizer on one parameter, in long double, the formula line by line.
#pragma once

#include <vastmax/vastmax.h>

namespace vmx::reference {

struct Parameter {
  long double w, mean, square;
};
struct ParameterStep {
  Parameter after;
  long double decayed, step;  // w is decayed - step
};

inline long double power(long double x, int64_t n) {
  long double result = 1;
  for (int64_t i = 0; i < n; ++i) result *= x;
  return result;
}

/// of_stored: the moments as an implementation has them after its step, which the step of w then goes by; NULL: those here.
ParameterStep optimizer_step(const vmx_update_options& options, const Parameter& before, long double g,
                             const Parameter* of_stored = nullptr);

}  // namespace vmx::reference
