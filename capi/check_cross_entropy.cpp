// SPDX-License-Identifier: Apache-2.0
#include "check_cross_entropy.hpp"

namespace vmx {
namespace {

bool finite(double v) { return v - v == 0.0; }

}  // namespace

vmx_status read_cross_entropy_options(const vmx_cross_entropy_options* given, vmx_cross_entropy_options* out) {
  VMX_TRY(read_options(given, "options", out));
  return check_flags("options", out->flags, VMX_SMOOTH_UNMASKED, 0);
}

vmx_status check_cross_entropy_options(const vmx_cross_entropy_options* given, int64_t rows, int64_t cols,
                                       vmx_cross_entropy_options* out) {
  VMX_TRY(read_cross_entropy_options(given, out));
  if (out->reduction < VMX_REDUCE_NONE || out->reduction > VMX_REDUCE_MEAN) {
    return fail(VMX_ERR_VALUE, "options.reduction is %d, but must be one of VMX_REDUCE_*", out->reduction);
  }
  if (!(out->label_smoothing >= 0.0 && out->label_smoothing <= 1.0)) {
    return fail(VMX_ERR_VALUE, "options.label_smoothing is %g, but must lie in [0, 1]", out->label_smoothing);
  }
  if (!(out->softcap >= 0.0 && finite(out->softcap))) {
    return fail(VMX_ERR_VALUE, "options.softcap is %g, but must be finite and at least 0", out->softcap);
  }
  if (!(out->z_loss >= 0.0 && finite(out->z_loss))) {
    return fail(VMX_ERR_VALUE, "options.z_loss is %g, but must be finite and at least 0", out->z_loss);
  }
  VMX_TRY(check_class_weight(out->class_weight, cols));
  return check_temperatures(Temperatures{out->temperature, out->temperature_stride}, rows);
}

vmx_status check_cross_entropy_out(const vmx_cross_entropy_out& out, const vmx_matrix& like, NamedExtent* outputs,
                                   int* n) {
  const struct {
    const vmx_vector* view;
    const char* name;
  } vectors[] = {{&out.loss, "out.loss"}, {&out.z_loss, "out.z_loss"}, {&out.lse, "out.lse"}};
  for (const auto& v : vectors) {
    VMX_TRY(check_optional_result(v.view, v.name, like));
    if (v.view->data) outputs[(*n)++] = {extent(*v.view), v.name};
  }
  const struct {
    const double* number;
    const char* name;
  } totals[] = {
      {out.total, "out.total"}, {out.total_z_loss, "out.total_z_loss"}, {out.total_weight, "out.total_weight"}};
  for (const auto& t : totals) {
    VMX_TRY(check_array(t.number, t.name, 1));
    if (t.number) outputs[(*n)++] = {array_extent(t.number, 1), t.name};
  }
  VMX_TRY(check_array(out.row_flags, "out.row_flags", like.rows));
  if (out.row_flags) outputs[(*n)++] = {array_extent(out.row_flags, like.rows), "out.row_flags"};
  if (!finite(out.grad_scale)) {
    return fail(VMX_ERR_VALUE, "out.grad_scale is %g, but must be finite", out.grad_scale);
  }
  return VMX_OK;
}

vmx_status check_apart_from_targets(const NamedExtent* outputs, int n, const vmx_csr& targets,
                                    const vmx_cross_entropy_options& options, int64_t rows) {
  NamedExtent inputs[5] = {{extent(targets.ids), "targets.ids"}, temperature_extent(options, rows)};
  int count = 2;
  if (targets.indptr.data) inputs[count++] = {extent(targets.indptr), "targets.indptr"};
  if (targets.weights.data) inputs[count++] = {extent(targets.weights), "targets.weights"};
  if (options.class_weight.data) inputs[count++] = {extent(options.class_weight), "options.class_weight"};
  for (int i = 0; i < n; ++i) VMX_TRY(check_apart(&outputs[i], 1, inputs, count));
  return VMX_OK;
}

}  // namespace vmx
