// SPDX-License-Identifier: Apache-2.0
// The constants that a temperature turns the exponentials into (docs/numerics.md). Plain f64 arithmetic: the same bits
// wherever it is compiled.
#pragma once

#include <cstdint>

namespace vmx {

struct ExpParams {
  // f32 tiers: x = k (T ln2/4) + r, k an integer
  float per4;              // 4 log2(e) / T
  float step_hi, step_lo;  // T ln2 / 4 in two parts
  float poly[4];           // e^(r/T) - 1 ~ r (k1 + r (k2 + r (k3 + r k4)))
  bool plain;           // T == 1: the fast tier applies
  bool narrow;          // T within [2^-16, 2^16]: the f32 tiers apply
  bool precise;         // VMX_PRECISE: the wide tier always
  // wide tier
  double temperature;          // T
  double inverse, inverse_lo;  // 1 / T in two parts
  double log2e_hi, log2e_lo;  // log2(e) / T in two parts
};

/// T in [2^-126, +inf). T = +inf and T < 2^-126 are served by the ops.
ExpParams make_exp_params(float temperature, bool precise);

}  // namespace vmx
