// SPDX-License-Identifier: Apache-2.0
#include "check_sampled.hpp"

#include <cinttypes>

namespace vmx {
namespace {

bool finite(double v) { return v - v == 0.0; }

vmx_status check_shape(const vmx_matrix& m, const char* name, int64_t rows, int64_t cols) {
  if (m.rows == rows && m.cols == cols) return VMX_OK;
  return fail(VMX_ERR_SHAPE, "%s is %" PRId64 " x %" PRId64 ", but must be %" PRId64 " x %" PRId64, name, m.rows, m.cols,
              rows, cols);
}

// A view of sizes alone has no data: its dtype tells it from one that was left out.
template <class View>
bool given(const View& view, bool sizes_only) {
  return view.data || (sizes_only && view.dtype != 0);
}

}  // namespace

vmx_status check_sampled_options(const vmx_sampled_options* given, bool in_batch, vmx_sampled_options* out) {
  VMX_TRY(read_options(given, "options", out));
  VMX_TRY(check_flags("options", out->flags, VMX_SAMPLED_KEEP_HITS | VMX_SAMPLED_JOINT, out->reserved));
  if (in_batch) {
    out->loss = VMX_LOSS_SAMPLED_SOFTMAX;
    out->correction = VMX_CORRECT_NONE;
    out->flags = 0;
  }
  const struct {
    int32_t value, first, last;
    const char *name, *family;
  } kinds[] = {{out->loss, VMX_LOSS_SAMPLED_SOFTMAX, VMX_LOSS_CCL, "loss", "VMX_LOSS_*"},
               {out->correction, VMX_CORRECT_NONE, VMX_CORRECT_COUNTS, "correction", "VMX_CORRECT_*"},
               {out->score, VMX_SCORE_DOT, VMX_SCORE_COSINE, "score", "VMX_SCORE_*"},
               {out->reduction, VMX_REDUCE_NONE, VMX_REDUCE_MEAN, "reduction", "VMX_REDUCE_*"}};
  for (const auto& kind : kinds) {
    if (kind.value >= kind.first && kind.value <= kind.last) continue;
    return fail(VMX_ERR_VALUE, "options.%s is %" PRId32 ", but must be one of %s", kind.name, kind.value, kind.family);
  }
  if (!(out->temperature > 0.0 && finite(out->temperature))) {
    return fail(VMX_ERR_VALUE, "options.temperature is %g, but must be finite and above 0", out->temperature);
  }
  if (out->loss == VMX_LOSS_CCL && out->temperature != 1.0) {
    return fail(VMX_ERR_VALUE, "options.temperature is %g, but VMX_LOSS_CCL takes none: it must be 1", out->temperature);
  }
  if (!(out->margin >= -1.0 && out->margin <= 1.0)) {
    return fail(VMX_ERR_VALUE, "options.margin is %g, but must lie in [-1, 1]", out->margin);
  }
  if (!(out->negative_weight >= 0.0 && finite(out->negative_weight))) {
    return fail(VMX_ERR_VALUE, "options.negative_weight is %g, but must be finite and at least 0", out->negative_weight);
  }
  return VMX_OK;
}

vmx_status check_sampled_out(const vmx_sampled_out* given, int64_t rows, vmx_sampled_out* out, SampledExtents* outputs) {
  if (!given) return fail(VMX_ERR_NULL, "out is NULL");
  VMX_TRY(read_options(given, "out", out));
  if (out->loss.data) {
    VMX_TRY(check_vector_out(&out->loss, "out.loss", rows, kF32));
    outputs->add(out->loss, "out.loss");
  }
  const struct {
    const double* number;
    const char* name;
  } totals[] = {{out->total, "out.total"}, {out->total_weight, "out.total_weight"}};
  for (const auto& t : totals) {
    VMX_TRY(check_array(t.number, t.name, 1));
    if (t.number) outputs->add(array_extent(t.number, 1), t.name);
  }
  VMX_TRY(check_array(out->row_flags, "out.row_flags", rows));
  if (out->row_flags) outputs->add(array_extent(out->row_flags, rows), "out.row_flags");
  if (!finite(out->grad_scale)) return fail(VMX_ERR_VALUE, "out.grad_scale is %g, but must be finite", out->grad_scale);
  return VMX_OK;
}

vmx_status check_sampled_matrices(const vmx_matrix* hidden, const vmx_matrix* table, bool sizes_only) {
  const auto check = sizes_only ? check_input_sizes : check_input;
  VMX_TRY(check(hidden, "hidden", kF32 | kBF16));
  VMX_TRY(check(table, "table", kF32 | kBF16));
  if (table->dtype != hidden->dtype) {
    return fail(VMX_ERR_DTYPE, "table.dtype is %" PRId32 ", but hidden.dtype is %" PRId32, table->dtype, hidden->dtype);
  }
  if (table->cols != hidden->cols) {
    return fail(VMX_ERR_SHAPE, "table.cols is %" PRId64 ", but hidden.cols is %" PRId64, table->cols, hidden->cols);
  }
  if (table->rows > VMX_MAX_COLS) {
    return fail(VMX_ERR_SIZE, "table.rows is %" PRId64 ", more than VMX_MAX_COLS", table->rows);
  }
  return VMX_OK;
}

vmx_status check_candidates(const vmx_candidates* candidates, int64_t rows, int64_t classes, const vmx_sampled_options& options,
                            bool sizes_only, vmx_candidates* out) {
  if (!candidates) return fail(VMX_ERR_NULL, "candidates is NULL");
  VMX_TRY(read_options(candidates, "candidates", out));
  const auto check = sizes_only ? check_input_sizes : check_input;
  VMX_TRY(check(&out->ids, "candidates.ids", kIds));
  if (out->ids.rows != 1 && out->ids.rows != rows) {
    return fail(VMX_ERR_SHAPE, "candidates.ids.rows is %" PRId64 ", but must be 1 or hidden.rows, %" PRId64, out->ids.rows, rows);
  }
  if (!sizes_only && wants_log_q(options)) {
    if (!out->log_q.data && out->ids.rows > 0 && out->ids.cols > 0) {
      return fail(VMX_ERR_VALUE, "candidates.log_q is missing: this loss and correction need it");
    }
    VMX_TRY(check_input(&out->log_q, "candidates.log_q", kF32));
    VMX_TRY(check_same_shape(out->log_q, "candidates.log_q", out->ids, "candidates.ids"));
  } else {
    out->log_q = {};
  }
  if (out->identity.data && !sizes_only) {
    VMX_TRY(check_ids(&out->identity, "candidates.identity"));
    if (out->identity.n != classes) {
      return fail(VMX_ERR_SHAPE, "candidates.identity.n is %" PRId64 ", but table.rows is %" PRId64, out->identity.n, classes);
    }
  } else {
    out->identity = {};
  }
  return VMX_OK;
}

vmx_status check_sampled_grads(const vmx_sampled_grads* grads, const vmx_matrix& hidden, const vmx_matrix& table, bool sizes_only,
                               SampledGrads* out, SampledExtents* outputs) {
  if (!grads) return VMX_OK;
  vmx_sampled_grads views;
  VMX_TRY(read_options(grads, "grads", &views));
  const auto check = sizes_only ? check_output_sizes : check_output;
  if (given(views.hidden, sizes_only)) {
    VMX_TRY(check(&views.hidden, "grads.hidden", kF32 | dtype_bit(hidden.dtype)));
    VMX_TRY(check_shape(views.hidden, "grads.hidden", hidden.rows, hidden.cols));
    out->hidden = views.hidden;
    outputs->add(views.hidden, "grads.hidden");
  }
  if (given(views.table, sizes_only)) {
    VMX_TRY(check(&views.table, "grads.table", kF32));
    VMX_TRY(check_shape(views.table, "grads.table", table.rows, table.cols));
    out->table = views.table;
    outputs->add(views.table, "grads.table");
  }
  if (given(views.bias, sizes_only)) {
    if (!sizes_only) VMX_TRY(check_vector_out(&views.bias, "grads.bias", table.rows, kF32));
    out->bias = views.bias;
    outputs->add(views.bias, "grads.bias");
  }
  if (!views.sparse) return VMX_OK;
  VMX_TRY(read_options(views.sparse, "grads.sparse", &out->rows));
  out->sparse = views.sparse;
  vmx_sparse_rows& rows = out->rows;
  VMX_TRY(check(&rows.rows, "grads.sparse.rows", kF32));
  if (rows.rows.cols != table.cols) {
    return fail(VMX_ERR_SHAPE, "grads.sparse.rows.cols is %" PRId64 ", but table.cols is %" PRId64, rows.rows.cols, table.cols);
  }
  if (sizes_only) return VMX_OK;
  if (!rows.ids && rows.rows.rows > 0) return fail(VMX_ERR_NULL, "grads.sparse.ids is NULL");
  VMX_TRY(check_array(rows.ids, "grads.sparse.ids", rows.rows.rows));
  VMX_TRY(check_array(rows.bias, "grads.sparse.bias", rows.rows.rows));
  outputs->add(rows.rows, "grads.sparse.rows");
  if (rows.ids) outputs->add(array_extent(rows.ids, rows.rows.rows), "grads.sparse.ids");
  if (rows.bias) outputs->add(array_extent(rows.bias, rows.rows.rows), "grads.sparse.bias");
  outputs->add(array_extent(&out->sparse->count, 1), "grads.sparse.count");
  return VMX_OK;
}

vmx_status check_candidate_values(const SampledInput& input) {
  for (int64_t r = 0; r < input.ids.rows; ++r) {
    for (int64_t j = 0; j < input.ids.cols; ++j) {
      const int64_t id = input.id(r, j);
      if (id < -1 || id >= input.classes()) {
        return fail(VMX_ERR_LABEL, "candidates.ids of row %" PRId64 ", column %" PRId64 " is %" PRId64 ", outside [0, %" PRId64
                    ") and not -1", r, j, id, input.classes());
      }
      if (id < 0 || !input.log_q.data) continue;
      const float q = static_cast<const float*>(input.log_q.data)[r * input.log_q.row_stride + j * input.log_q.col_stride];
      if (!finite(static_cast<double>(q))) {
        return fail(VMX_ERR_VALUE, "candidates.log_q of row %" PRId64 ", column %" PRId64 " is %g, but must be finite", r, j,
                    static_cast<double>(q));
      }
    }
  }
  if (!input.target_log_q.data) return VMX_OK;
  for (int64_t e = input.first_entry; e < input.first_entry + input.entries; ++e) {
    const double q = input.target_correction(e);
    if (!finite(q)) return fail(VMX_ERR_VALUE, "candidates.target_log_q[%" PRId64 "] is %g, but must be finite", e, q);
  }
  return VMX_OK;
}

}  // namespace vmx
