// SPDX-License-Identifier: Apache-2.0
// q_k = log((k+2)/(k+1)) / log(V+1): k + 1 is the whole part of (V+1)^u.
#include "core/scalar_math.hpp"
#include "samplers/sampler.hpp"

#include <algorithm>

namespace vmx {
namespace {

class LogUniform final : public FixedSampler {
 public:
  LogUniform(const vmx_context& ctx, const vmx_sampler_options& options)
      : FixedSampler(ctx, options),
        log_range_(scalar_log(static_cast<double>(options.classes) + 1.0)),
        log_log_(scalar_log(log_range_)) {}

  size_t bytes() const override { return sizeof *this; }

  void draw(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, int32_t* ids) const override {
    kernels.draw_log_uniform(streams.words, static_cast<uint32_t>(first / 2), (n + 63) / 64 * 64, log_range_ * kLog2e,
                             static_cast<int32_t>(classes - 1), ids);
  }
  void log_q(const KernelTable& kernels, int32_t* ids, int64_t n, double* log_q) const override {
    const int64_t whole = (n + 63) / 64 * 64;
    std::fill(ids + n, ids + whole, 0);
    kernels.log_uniform_log_q(ids, whole, log_log_, log_q);
  }

 private:
  const double log_range_, log_log_;
};

}  // namespace

vmx_sampler* create_log_uniform(const vmx_context& ctx, const vmx_sampler_options& options) {
  return make_sampler<LogUniform>(ctx, options);
}

}  // namespace vmx
