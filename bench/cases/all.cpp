// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"

namespace bench {

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_logsumexp(cases);
  add_softmax(cases);
  add_cross_entropy(cases);
  add_topk(cases);
  add_linear_logsumexp(cases);
  add_linear_cross_entropy(cases);
  add_linear_topk(cases);
  add_sparse_update(cases);
  add_samplers(cases);
  add_sampled_loss(cases);
  return cases;
}

}  // namespace bench
