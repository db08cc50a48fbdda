// SPDX-License-Identifier: Apache-2.0
// Entry point: steps of optimizers on some rows of a table.
#include "check.hpp"
#include "ops/sparse_update.hpp"

#include <cinttypes>
#include <cmath>

using namespace vmx;

namespace {

constexpr double kLeastEps = 0x1p-126;  // a smaller one is 0 in f32, and 0/0 then waits where a gradient has always been 0

vmx_status check_number(const char* name, double value, double least, double below) {
  if (value >= least && value < below) return VMX_OK;
  if (std::isinf(below)) {
    return fail(VMX_ERR_VALUE, "options.%s is %g, but must be finite and at least %g", name, value, least);
  }
  return fail(VMX_ERR_VALUE, "options.%s is %g, but must be in [%g, %g)", name, value, least, below);
}

vmx_status check_update_options(const vmx_update_options* given, vmx_update_options* o) {
  VMX_TRY(read_options(given, "options", o));
  if (o->optimizer < VMX_SGD || o->optimizer > VMX_ADAM) {
    return fail(VMX_ERR_VALUE, "options.optimizer is %" PRId32 ", but must be VMX_SGD, VMX_ADAGRAD or VMX_ADAM", o->optimizer);
  }
  if (o->reserved != 0) return fail(VMX_ERR_VALUE, "options.reserved is %" PRId32 ", not 0", o->reserved);
  const double inf = HUGE_VAL;
  VMX_TRY(check_number("lr", o->lr, 0, inf));
  VMX_TRY(check_number("weight_decay", o->weight_decay, 0, inf));
  if (o->optimizer != VMX_SGD) VMX_TRY(check_number("eps", o->eps, kLeastEps, inf));
  if (o->optimizer != VMX_ADAM) return VMX_OK;
  VMX_TRY(check_number("beta1", o->beta1, 0, 1));
  VMX_TRY(check_number("beta2", o->beta2, 0, 1));
  if (o->step < 1) return fail(VMX_ERR_VALUE, "options.step is %" PRId64 ", but must be at least 1", o->step);
  return VMX_OK;
}

/// A moment: wanted of that optimizer, [classes, dim] as the table; else absent.
vmx_status check_moment(const vmx_matrix* given, const char* name, bool needed, const vmx_matrix& table, vmx_matrix* out) {
  *out = {};
  if (!needed) {
    if (given && given->data) return fail(VMX_ERR_VALUE, "%s is given, but this optimizer has none", name);
    return VMX_OK;
  }
  VMX_TRY(check_output(given, name, kF32));
  VMX_TRY(check_same_shape(*given, name, table, "table"));
  *out = *given;
  return VMX_OK;
}

/// The list: sizes, then the classes. rows becomes the part of it that is in use.
vmx_status check_gradient(const vmx_sparse_rows* given, const vmx_matrix& table, vmx_sparse_rows* grad) {
  VMX_TRY(read_options(given, "grad", grad));
  if (grad->count < 0) return fail(VMX_ERR_SHAPE, "grad.count is %" PRId64, grad->count);
  vmx_matrix& rows = grad->rows;
  if (grad->count > rows.rows) {
    return fail(VMX_ERR_SHAPE, "grad.count is %" PRId64 ", but grad.rows.rows is %" PRId64, grad->count, rows.rows);
  }
  rows.rows = grad->count;
  if (grad->count == 0 && rows.dtype == 0) rows.dtype = VMX_F32;  // as the INIT macro leaves it
  VMX_TRY(check_input(&rows, "grad.rows", kF32));
  if (grad->count == 0) return VMX_OK;
  if (rows.cols != table.cols) {
    return fail(VMX_ERR_SHAPE, "grad.rows.cols is %" PRId64 ", but table.cols is %" PRId64, rows.cols, table.cols);
  }
  if (!grad->ids) return fail(VMX_ERR_NULL, "grad.ids is NULL");
  VMX_TRY(check_array(grad->ids, "grad.ids", grad->count));
  for (int64_t i = 0; i < grad->count; ++i) {
    const int64_t id = grad->ids[i];
    if (id < 0 || id >= table.rows) {
      return fail(VMX_ERR_LABEL, "grad.ids[%" PRId64 "] is %" PRId64 ", but table.rows is %" PRId64, i, id, table.rows);
    }
    if (i > 0 && id <= grad->ids[i - 1]) {
      return fail(VMX_ERR_VALUE, "grad.ids[%" PRId64 "] is %" PRId64 " behind %" PRId64 ", but ids must rise", i, id,
                  grad->ids[i - 1]);
    }
  }
  return VMX_OK;
}

}  // namespace

vmx_status vmx_sparse_update(const vmx_context* ctx, const vmx_sparse_rows* grad, const vmx_matrix* table,
                             const vmx_matrix* mean, const vmx_matrix* square, const vmx_update_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    vmx_update_options o;
    VMX_TRY(check_update_options(options, &o));
    VMX_TRY(check_output(table, "table", kF32 | kBF16));
    vmx_matrix m, v;
    VMX_TRY(check_moment(mean, "mean", o.optimizer == VMX_ADAM, *table, &m));
    VMX_TRY(check_moment(square, "square", o.optimizer != VMX_SGD, *table, &v));
    if (!grad) return fail(VMX_ERR_NULL, "grad is NULL");
    vmx_sparse_rows g;
    VMX_TRY(check_gradient(grad, *table, &g));
    NamedExtent outputs[3] = {{extent(*table), "table"}, {}, {}};
    int n = 1;
    if (m.data) outputs[n++] = {extent(m), "mean"};
    if (v.data) outputs[n++] = {extent(v), "square"};
    const NamedExtent inputs[] = {{array_extent(g.ids, g.count), "grad.ids"}, {extent(g.rows), "grad.rows"}};
    VMX_TRY(check_apart(outputs, n, inputs, 2));
    sparse_update(resolve(ctx), g, *table, m, v, update_params(o));
    return VMX_OK;
  });
}
