// SPDX-License-Identifier: Apache-2.0
// Problems of sampled losses as arguments of a call, its answers, and their comparison with the oracle.
#pragma once

#include "reference/sampled.hpp"
#include "support/arrays.hpp"
#include "support/random.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vmx::test {

struct SampledSizes {
  int64_t rows, dim, classes, candidates;
};

/// How problems are made and handed over.
struct SampledForm {
  int32_t dtype = VMX_F32;
  bool shared = false;
  bool lists = false;          // of targets, with weights; some empty, some with repeats
  bool bias = false;
  bool identity = false;
  bool empty_slots = false;
  bool planted_hits = true;
  int32_t id_type = VMX_I64;   // of candidates, and of targets
  Layout hidden = {}, table = {}, ids = {}, log_q = {};
  int64_t stride = 1;          // of vectors
};

/// Hidden rows and tables of few bits, whose products are exact in f32; log q are arbitrary.
reference::SampledProblem make_sampled_problem(const SampledSizes& sizes, const SampledForm& form, uint64_t seed);

/// A problem in memory.
class SampledArguments {
 public:
  SampledArguments(const reference::SampledProblem& problem, const SampledForm& form);

  Matrix hidden, table;
  std::optional<Vector> bias, weights, log_q_targets;
  Ids target_ids, indptr, identity;
  std::unique_ptr<Matrix> ids, log_q;
  vmx_csr targets{};
  vmx_candidates candidates = VMX_CANDIDATES_INIT;
  vmx_sampled_options options;
  double grad_scale;
};

/// Everything that a call can answer.
class SampledAnswers {
 public:
  SampledAnswers(const SampledArguments& arguments, int64_t room, int32_t hidden_dtype = VMX_F32, Layout layout = {},
                 int64_t stride = 1);

  vmx_status run(const vmx_context* ctx, vmx_workspace* ws, const SampledArguments& arguments, bool gradients = true);
  /// All of it, the list only as far as it was written.
  std::vector<unsigned char> bytes() const;
  bool surroundings_untouched() const;
  /// The gradient of a class, of the list; 0 for others.
  double listed(int64_t id, int64_t k) const;
  double listed_bias(int64_t id) const;

  Vector loss;
  std::vector<uint32_t> flags;
  double total = -7, weight = -7;
  Matrix grad_hidden, grad_table;
  Vector grad_bias;
  Matrix rows;
  std::vector<int64_t> ids;
  std::vector<float> row_bias;
  vmx_sparse_rows sparse = VMX_SPARSE_ROWS_INIT;
  vmx_sampled_grads grads = VMX_SAMPLED_GRADS_INIT;
};

/// before: what the table's and the bias's dense gradients held.
void check_sampled(const std::string& what, const reference::SampledProblem& problem, const SampledAnswers& got,
                   double before = 0);

}  // namespace vmx::test
