// SPDX-License-Identifier: Apache-2.0
// Entry points: top-k of rows in memory, and merges of k-lists.
#include "check_topk.hpp"
#include "ops/topk.hpp"

using namespace vmx;

vmx_status vmx_topk(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x, int64_t k, const vmx_matrix* values,
                    const vmx_matrix* ids, uint32_t* row_flags, const vmx_topk_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(x, "x", kFloats));
    VMX_TRY(check_topk_k(k, x->cols, "x.cols"));
    vmx_topk_options o;
    VMX_TRY(check_topk_options(options, x->rows, x->cols, &o));
    const NamedExtent inputs[] = {{extent(*x), "x"}};
    TopkOutputs out;
    VMX_TRY(check_topk_outputs(values, ids, row_flags, x->dtype, x->rows, k, o, inputs, 1, &out));
    VMX_TRY(check_topk_ids_fit(out, o.col_offset + x->cols - 1));
    topk(resolve(ctx), ws, *x, k, o, out);
    return VMX_OK;
  });
}

vmx_status vmx_topk_merge(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* values_in, const vmx_matrix* ids_in,
                          int64_t k, const vmx_matrix* values, const vmx_matrix* ids, uint32_t* row_flags,
                          const vmx_topk_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(values_in, "values_in", kFloats));
    VMX_TRY(check_input(ids_in, "ids_in", kIds));
    VMX_TRY(check_same_shape(*ids_in, "ids_in", *values_in, "values_in"));
    VMX_TRY(check_topk_k(k, values_in->cols, "values_in.cols"));
    vmx_topk_options o;
    VMX_TRY(read_options(options, "options", &o));
    VMX_TRY(check_topk_flags(o));
    o.col_offset = 0;  // the rest speaks of rows of scores
    o.excluded = {};
    const NamedExtent inputs[] = {{extent(*values_in), "values_in"}, {extent(*ids_in), "ids_in"}};
    TopkOutputs out;
    VMX_TRY(check_topk_outputs(values, ids, row_flags, values_in->dtype, values_in->rows, k, o, inputs, 2, &out));
    VMX_TRY(check_topk_ids_fit(out, ids_in->dtype == VMX_I64 ? INT64_MAX : INT32_MAX));
    topk_merge(resolve(ctx), ws, *values_in, *ids_in, k, o, out);
    return VMX_OK;
  });
}

vmx_status vmx_topk_workspace_size(const vmx_context* ctx, const vmx_matrix* x, int64_t k, const vmx_topk_options* options,
                                   size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    VMX_TRY(check_input_sizes(x, "x", kFloats));
    VMX_TRY(check_topk_k(k, x->cols, "x.cols"));
    vmx_topk_options o;
    VMX_TRY(read_options(options, "options", &o));
    VMX_TRY(check_topk_flags(o));
    const size_t bytes = topk_scratch(resolve(ctx), *x, k, o);
    if (bytes == SIZE_MAX) return fail(VMX_ERR_SIZE, "the workspace would take more bytes than there are addresses");
    *size = bytes;
    return VMX_OK;
  });
}
