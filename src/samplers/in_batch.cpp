// SPDX-License-Identifier: Apache-2.0
#include "samplers/in_batch.hpp"

#include "core/scalar_math.hpp"
#include "core/views.hpp"

namespace vmx {

InBatch::InBatch(const vmx_context& ctx, const vmx_sampler_options& options)
    : FixedSampler(ctx, options), rate_(options.rate), states_(memory, classes) {
  states_.clear();
}

void InBatch::observe(const vmx_ids& ids, int64_t step) {
  for (int64_t i = 0; i < ids.n; ++i) {
    State& s = states_[read_id(ids, i) - ids.base];
    if (s.gap == 0.0) {
      s.gap = static_cast<double>(step) + 1.0;
    } else if (s.last != step) {
      s.gap = (1.0 - rate_) * s.gap + rate_ * static_cast<double>(step - s.last);
    }
    s.last = step;
  }
  last_ = step;
}

void InBatch::log_q(const KernelTable&, int32_t* ids, int64_t n, double* log_q) const {
  for (int64_t i = 0; i < n; ++i) {
    const double gap = states_[ids[i]].gap;
    log_q[i] = -scalar_log(gap > 0.0 ? gap : static_cast<double>(last_) + 2.0);
  }
}

vmx_sampler* create_in_batch(const vmx_context& ctx, const vmx_sampler_options& options) {
  return make_sampler<InBatch>(ctx, options);
}

}  // namespace vmx
