// SPDX-License-Identifier: Apache-2.0
#include "reference/sparse_update.hpp"

#include <cmath>

namespace vmx::reference {

ParameterStep optimizer_step(const vmx_update_options& o, const Parameter& before, long double g,
                             const Parameter* of_stored) {
  const long double lr = o.lr, b1 = o.beta1, b2 = o.beta2, eps = o.eps;
  ParameterStep result{before, 0, 0};
  Parameter& after = result.after;
  if (o.optimizer == VMX_ADAGRAD) after.square = before.square + g * g;
  if (o.optimizer == VMX_ADAM) {
    after.mean = b1 * before.mean + (1 - b1) * g;
    after.square = b2 * before.square + (1 - b2) * g * g;
  }
  const long double m = of_stored ? of_stored->mean : after.mean, v = of_stored ? of_stored->square : after.square;
  result.decayed = before.w - lr * o.weight_decay * before.w;
  if (o.optimizer == VMX_SGD) result.step = lr * g;
  if (o.optimizer == VMX_ADAGRAD) result.step = lr * g / (std::sqrt(v) + eps);
  if (o.optimizer == VMX_ADAM) {
    result.step = lr * (m / (1 - power(b1, o.step))) / (std::sqrt(v / (1 - power(b2, o.step))) + eps);
  }
  after.w = result.decayed - result.step;
  return result;
}

}  // namespace vmx::reference
