// SPDX-License-Identifier: Apache-2.0
// Entry points: samplers.
#include "check_sampler.hpp"
#include "samplers/in_batch.hpp"

#include <cinttypes>

using namespace vmx;

vmx_status vmx_sampler_create(const vmx_context* ctx, const vmx_sampler_options* options, vmx_sampler** out) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    vmx_sampler_options o;
    VMX_TRY(check_sampler_options(options, &o));
    if (!out) return fail(VMX_ERR_NULL, "out is NULL");
    *out = create_sampler(resolve(ctx), o);
    return VMX_OK;
  });
}

vmx_status vmx_sampler_update(const vmx_context* ctx, vmx_sampler* sampler, const vmx_matrix* embeddings,
                              const vmx_ids* ids) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!sampler) return fail(VMX_ERR_NULL, "sampler is NULL");
    if (!sampler->needs_hidden()) return fail(VMX_ERR_UNSUPPORTED, "a sampler of this kind has no embeddings");
    VMX_TRY(check_embeddings(embeddings, "embeddings", sampler->classes));
    if (embeddings->cols != sampler->dim) {
      return fail(VMX_ERR_SHAPE, "embeddings.cols is %" PRId64 ", but the sampler was made with %" PRId64, embeddings->cols,
                  sampler->dim);
    }
    if (ids) {
      if (sampler->kind != VMX_SAMPLER_QUADRATIC) {
        return fail(VMX_ERR_UNSUPPORTED, "ids must be NULL: only VMX_SAMPLER_QUADRATIC updates some of its classes");
      }
      VMX_TRY(check_class_ids(ids, "ids", sampler->classes));
    }
    sampler->update(resolve(ctx), *embeddings, ids);
    return VMX_OK;
  });
}

vmx_status vmx_sampler_observe(vmx_sampler* sampler, const vmx_ids* ids, int64_t step) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!sampler) return fail(VMX_ERR_NULL, "sampler is NULL");
    if (sampler->kind != VMX_SAMPLER_IN_BATCH) {
      return fail(VMX_ERR_UNSUPPORTED, "only a sampler of kind VMX_SAMPLER_IN_BATCH observes batches");
    }
    auto& in_batch = static_cast<InBatch&>(*sampler);
    VMX_TRY(check_class_ids(ids, "ids", sampler->classes));
    if (step < 0 || step >= int64_t{1} << 56) {
      return fail(VMX_ERR_VALUE, "step is %" PRId64 ", but must lie in [0, 2^56)", step);
    }
    if (step < in_batch.last_step()) {
      return fail(VMX_ERR_VALUE, "step is %" PRId64 ", but step %" PRId64 " was seen already", step, in_batch.last_step());
    }
    in_batch.observe(*ids, step);
    return VMX_OK;
  });
}

size_t vmx_sampler_size(const vmx_sampler* sampler) noexcept { return sampler ? sampler->bytes() : 0; }

void vmx_sampler_destroy(vmx_sampler* sampler) noexcept { destroy_sampler(sampler); }

vmx_status vmx_sampler_draw(const vmx_context* ctx, vmx_workspace* ws, const vmx_sampler* sampler, const vmx_matrix* hidden,
                            const vmx_matrix* ids, const vmx_matrix* log_q, int64_t* tries, uint32_t* row_flags,
                            const vmx_draw_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    DrawCall draws;
    VMX_TRY(check_draw(sampler, hidden, ids, log_q, tries, row_flags, options, false, &draws));
    draw(resolve(ctx), ws, draws);
    return VMX_OK;
  });
}

vmx_status vmx_sampler_log_q(const vmx_context* ctx, vmx_workspace* ws, const vmx_sampler* sampler, const vmx_matrix* hidden,
                             const vmx_csr* classes, int64_t draws, const int64_t* tries, int64_t tries_stride,
                             const vmx_vector* log_q) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    LogQCall asked;
    VMX_TRY(check_log_q(sampler, hidden, classes, draws, tries, tries_stride, log_q, &asked));
    vmx::log_q(resolve(ctx), ws, asked);
    return VMX_OK;
  });
}

vmx_status vmx_sampler_draw_workspace_size(const vmx_context* ctx, const vmx_sampler* sampler, const vmx_matrix* hidden,
                                           const vmx_matrix* ids, const vmx_draw_options* options, size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    DrawCall draws;
    VMX_TRY(check_draw(sampler, hidden, ids, nullptr, nullptr, nullptr, options, true, &draws));
    const size_t bytes = draw_scratch(resolve(ctx), draws);
    if (bytes == SIZE_MAX) return fail(VMX_ERR_SIZE, "the workspace would take more bytes than there are addresses");
    *size = bytes;
    return VMX_OK;
  });
}
