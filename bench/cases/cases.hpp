// SPDX-License-Identifier: Apache-2.0
// The list of what is measured.
#pragma once

#include "case.hpp"

#include <vector>

namespace bench {

void add_logsumexp(std::vector<Case>& cases);
void add_softmax(std::vector<Case>& cases);
void add_cross_entropy(std::vector<Case>& cases);
void add_topk(std::vector<Case>& cases);
void add_linear_logsumexp(std::vector<Case>& cases);
void add_linear_cross_entropy(std::vector<Case>& cases);
void add_linear_topk(std::vector<Case>& cases);
void add_sparse_update(std::vector<Case>& cases);
void add_samplers(std::vector<Case>& cases);
void add_sampled_loss(std::vector<Case>& cases);

std::vector<Case> all_cases();

}  // namespace bench
