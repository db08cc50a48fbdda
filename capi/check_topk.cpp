// SPDX-License-Identifier: Apache-2.0
#include "check_topk.hpp"

#include "ops/excluded.hpp"

#include <cinttypes>

namespace vmx {
namespace {

constexpr uint32_t kFlags = VMX_TOPK_SMALLEST | VMX_TOPK_UNSORTED;
constexpr int kMostInputs = 8;

vmx_status check_list(const vmx_matrix* m, const char* name, unsigned dtypes, int64_t rows, int64_t k, vmx_matrix* out) {
  *out = {};
  if (!m || !m->data) return VMX_OK;
  VMX_TRY(check_output(m, name, dtypes));
  if (m->rows != rows || m->cols != k) {
    return fail(VMX_ERR_SHAPE, "%s is %" PRId64 " x %" PRId64 ", but must be %" PRId64 " x %" PRId64, name, m->rows, m->cols,
                rows, k);
  }
  *out = *m;
  return VMX_OK;
}

}  // namespace

vmx_status check_topk_k(int64_t k, int64_t cols, const char* cols_name) {
  if (k < 1) return fail(VMX_ERR_VALUE, "k is %" PRId64 ", but must be at least 1", k);
  if (k > cols) return fail(VMX_ERR_SHAPE, "k is %" PRId64 ", but %s is %" PRId64, k, cols_name, cols);
  return VMX_OK;
}

vmx_status check_topk_flags(const vmx_topk_options& options) {
  return check_flags("options", options.flags, kFlags, options.reserved);
}

vmx_status check_topk_options(const vmx_topk_options* given, int64_t rows, int64_t cols, vmx_topk_options* out) {
  VMX_TRY(read_options(given, "options", out));
  VMX_TRY(check_topk_flags(*out));
  if (out->col_offset < 0) {
    return fail(VMX_ERR_VALUE, "options.col_offset is %" PRId64 ", but must be at least 0", out->col_offset);
  }
  if (out->col_offset > INT64_MAX - cols) {
    return fail(VMX_ERR_SIZE, "options.col_offset %" PRId64 " and %" PRId64 " columns overflow", out->col_offset, cols);
  }
  return ExcludedIds(out->excluded).check(rows);
}

vmx_status check_topk_outputs(const vmx_matrix* values, const vmx_matrix* ids, uint32_t* row_flags, int32_t dtype, int64_t rows,
                              int64_t k, const vmx_topk_options& options, const NamedExtent* inputs, int n_inputs,
                              TopkOutputs* out) {
  VMX_TRY(check_list(values, "values", dtype_bit(dtype), rows, k, &out->values));
  VMX_TRY(check_list(ids, "ids", kIds, rows, k, &out->ids));
  if (rows > 0 && !out->values.data && !out->ids.data) return fail(VMX_ERR_NULL, "values and ids are both NULL");
  out->row_flags = row_flags;
  out->id_offset = options.col_offset;

  NamedExtent outputs[3], all_inputs[kMostInputs + 2];
  int n_outputs = 0, n = 0;
  if (out->values.data) outputs[n_outputs++] = {extent(out->values), "values"};
  if (out->ids.data) outputs[n_outputs++] = {extent(out->ids), "ids"};
  VMX_TRY(check_array(row_flags, "row_flags", rows));
  if (row_flags) outputs[n_outputs++] = {array_extent(row_flags, rows), "row_flags"};
  for (int i = 0; i < n_inputs && i < kMostInputs; ++i) all_inputs[n++] = inputs[i];
  if (options.excluded.ids.data) all_inputs[n++] = {extent(options.excluded.ids), "options.excluded.ids"};
  if (options.excluded.ids.data && options.excluded.indptr.data) {
    all_inputs[n++] = {extent(options.excluded.indptr), "options.excluded.indptr"};
  }
  return check_apart(outputs, n_outputs, all_inputs, n);
}

vmx_status check_topk_ids_fit(const TopkOutputs& out, int64_t highest) {
  if (!out.ids.data || out.ids.dtype != VMX_I32 || highest <= INT32_MAX) return VMX_OK;
  return fail(VMX_ERR_SIZE, "ids may be up to %" PRId64 ", which i32 does not hold", highest);
}

}  // namespace vmx
