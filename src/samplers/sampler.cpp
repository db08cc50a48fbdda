// SPDX-License-Identifier: Apache-2.0
#include "samplers/sampler.hpp"

#include <stdexcept>

namespace {

vmx_context allocator_of(const vmx_context& ctx) {
  vmx_context memory = vmx::resolve(nullptr);
  memory.alloc = ctx.alloc;
  memory.free = ctx.free;
  memory.alloc_user = ctx.alloc_user;
  return memory;
}

}  // namespace

vmx_sampler::vmx_sampler(const vmx_context& ctx, const vmx_sampler_options& options)
    : kind(options.kind), classes(options.classes), dim(options.embeddings.cols), memory(allocator_of(ctx)) {}

namespace vmx {

DrawStreams draw_streams(uint64_t seed, int64_t step, int64_t row) {
  const auto stream = [&](uint32_t more) { return word_stream(VMX_PURPOSE_NEGATIVES + more, seed, step, row); };
  return {stream(0), stream(1), {stream(2), stream(3)}, stream(4)};
}

vmx_sampler* create_sampler(const vmx_context& ctx, const vmx_sampler_options& options) {
  switch (options.kind) {
    case VMX_SAMPLER_UNIFORM: return create_uniform(ctx, options);
    case VMX_SAMPLER_LOG_UNIFORM: return create_log_uniform(ctx, options);
    case VMX_SAMPLER_WEIGHTS: return create_weights(ctx, options);
    case VMX_SAMPLER_IN_BATCH: return create_in_batch(ctx, options);
    case VMX_SAMPLER_MIDX: return create_midx(ctx, options);
    case VMX_SAMPLER_QUADRATIC: return create_quadratic(ctx, options);
    case VMX_SAMPLER_EXACT: return create_exact(ctx, options);
    default: throw std::logic_error("a kind of sampler that was not checked");
  }
}

void destroy_sampler(vmx_sampler* sampler) noexcept {
  if (!sampler) return;
  const vmx_context memory = sampler->memory;
  const size_t bytes = sampler->self;
  sampler->~vmx_sampler();
  release(memory, sampler, bytes);
}

void draw_exact_cells(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, uint32_t range,
                      int32_t* index, uint32_t* fraction) {
  const int64_t whole = (n + 63) / 64 * 64;
  kernels.draw_cells(streams.words, static_cast<uint32_t>(first / 2), whole, range, index, fraction);
  uint32_t zeros = 0;  // the upper bit: whether there is one
  for (int64_t i = 0; i < whole; ++i) zeros |= (fraction[i] - 1) & ~fraction[i];
  if (zeros >> 31 == 0) return;
  const uint64_t v = range, rejected = (uint64_t{0} - v) % v;  // 2^64 mod v: so many of the words are too many
  for (int64_t i = 0; i < n; ++i) {
    if (fraction[i] != 0) continue;
    const auto place = static_cast<uint32_t>(first + i);
    uint128 product = static_cast<uint128>(long_word(streams.words, place)) * v;
    if (static_cast<uint64_t>(product) >= rejected) continue;
    product = static_cast<uint128>(long_word(streams.again, place)) * v;
    index[i] = static_cast<int32_t>(product >> 64);
    fraction[i] = static_cast<uint32_t>(product >> 32);
  }
}

}  // namespace vmx
