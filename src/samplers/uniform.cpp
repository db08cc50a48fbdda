// SPDX-License-Identifier: Apache-2.0
// q = 1/V.
#include "core/scalar_math.hpp"
#include "samplers/sampler.hpp"

#include <algorithm>

namespace vmx {
namespace {

class Uniform final : public FixedSampler {
 public:
  Uniform(const vmx_context& ctx, const vmx_sampler_options& options)
      : FixedSampler(ctx, options), log_q_(-scalar_log(static_cast<double>(options.classes))) {}

  size_t bytes() const override { return sizeof *this; }

  void draw(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, int32_t* ids) const override {
    alignas(64) uint32_t fraction[kDrawBatch];
    draw_exact_cells(kernels, streams, first, n, static_cast<uint32_t>(classes), ids, fraction);
  }
  void log_q(const KernelTable&, int32_t*, int64_t n, double* log_q) const override { std::fill_n(log_q, n, log_q_); }

 private:
  const double log_q_;
};

}  // namespace

vmx_sampler* create_uniform(const vmx_context& ctx, const vmx_sampler_options& options) {
  return make_sampler<Uniform>(ctx, options);
}

}  // namespace vmx
