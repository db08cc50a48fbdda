// SPDX-License-Identifier: Apache-2.0
#include "check.hpp"

namespace vmx {

vmx_status check_optional_result(const vmx_vector* v, const char* name, const vmx_matrix& x) {
  if (!wanted(v)) return VMX_OK;
  return check_vector_out(v, name, x.rows, result_dtype(x));
}

vmx_status read_softmax_options(const vmx_softmax_options* given, vmx_softmax_options* out) {
  VMX_TRY(read_options(given, "options", out));
  return check_flags("options", out->flags, VMX_PRECISE | VMX_ZERO_MASKED, out->reserved);
}

vmx_status check_softmax_options(const vmx_softmax_options* given, int64_t rows, vmx_softmax_options* out) {
  VMX_TRY(read_softmax_options(given, out));
  return check_temperatures(Temperatures{out->temperature, out->temperature_stride}, rows);
}

vmx_status check_class_weight(const vmx_vector& w, int64_t cols) {
  if (!w.data) return VMX_OK;
  return check_vector_in(&w, "options.class_weight", cols, kF32);
}

vmx_status check_apart(const NamedExtent* outputs, int n_outputs, const NamedExtent* inputs, int n_inputs) {
  for (int i = 0; i < n_outputs; ++i) {
    for (int j = 0; j < i; ++j) {
      VMX_TRY(check_disjoint(outputs[i].extent, outputs[i].name, outputs[j].extent, outputs[j].name));
    }
    for (int j = 0; j < n_inputs; ++j) {
      VMX_TRY(check_disjoint(outputs[i].extent, outputs[i].name, inputs[j].extent, inputs[j].name));
    }
  }
  return VMX_OK;
}

vmx_status check_targets_views(const vmx_csr* targets) {
  if (!targets) return fail(VMX_ERR_NULL, "targets is NULL");
  VMX_TRY(check_ids(&targets->ids, "targets.ids"));
  if (targets->indptr.data) VMX_TRY(check_ids(&targets->indptr, "targets.indptr"));
  if (targets->weights.data) {
    VMX_TRY(check_vector_in(&targets->weights, "targets.weights", targets->ids.n, kF32OrF64));
  }
  return VMX_OK;
}

}  // namespace vmx
