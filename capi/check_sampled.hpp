// SPDX-License-Identifier: Apache-2.0
// Checks of the losses over sampled classes.
#pragma once

#include "check.hpp"
#include "ops/sampled_loss.hpp"

namespace vmx {

/// Outputs of a call, to be held apart from each other and from the inputs.
struct SampledExtents {
  static constexpr int kMost = 12;
  NamedExtent list[kMost];
  int n = 0;
  template <class View>
  void add(const View& view, const char* name) {
    list[n++] = {extent(view), name};
  }
  void add(Extent extent, const char* name) { list[n++] = {extent, name}; }
};

/// in_batch: the loss and its correction are not looked at.
vmx_status check_sampled_options(const vmx_sampled_options* given, bool in_batch, vmx_sampled_options* out);
vmx_status check_sampled_out(const vmx_sampled_out* given, int64_t rows, vmx_sampled_out* out, SampledExtents* outputs);

/// sizes_only: views tell sizes, their data may be NULL.
vmx_status check_sampled_matrices(const vmx_matrix* hidden, const vmx_matrix* table, bool sizes_only);
vmx_status check_candidates(const vmx_candidates* given, int64_t rows, int64_t classes, const vmx_sampled_options& options,
                            bool sizes_only, vmx_candidates* out);
/// grads: NULL: none.
vmx_status check_sampled_grads(const vmx_sampled_grads* given, const vmx_matrix& hidden, const vmx_matrix& table, bool sizes_only,
                               SampledGrads* out, SampledExtents* outputs);
/// Ids of candidates within the table, and log q that are numbers. Of checked views.
vmx_status check_candidate_values(const SampledInput& input);

}  // namespace vmx
