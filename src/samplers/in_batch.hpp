// SPDX-License-Identifier: Apache-2.0
// The probability of each class to be in a batch, estimated from the gaps between the steps that held it (Yi et al. 2019).
#pragma once

#include "samplers/sampler.hpp"

namespace vmx {

class InBatch final : public FixedSampler {
 public:
  InBatch(const vmx_context& ctx, const vmx_sampler_options& options);

  size_t bytes() const override { return sizeof *this + states_.bytes(); }
  void draw(const KernelTable&, const DrawStreams&, int64_t, int64_t, int32_t*) const override {}  // refused before
  void log_q(const KernelTable&, int32_t* ids, int64_t n, double* log_q) const override;

  int64_t last_step() const { return last_; }
  /// ids are checked, step is last_step() at least.
  void observe(const vmx_ids& ids, int64_t step);

 private:
  struct State {
    double gap;    // mean; 0: never seen
    int64_t last;  // step
  };
  const double rate_;
  int64_t last_ = -1;
  Table<State> states_;
};

}  // namespace vmx
