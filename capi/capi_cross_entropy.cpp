// SPDX-License-Identifier: Apache-2.0
// Entry points: cross-entropy of given scores.
#include "check.hpp"
#include "check_cross_entropy.hpp"
#include "ops/cross_entropy.hpp"

using namespace vmx;

vmx_status vmx_cross_entropy(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x, const vmx_csr* targets,
                             const vmx_cross_entropy_out* out, const vmx_cross_entropy_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(x, "x", kFloats));
    VMX_TRY(check_targets_views(targets));
    if (!out) return fail(VMX_ERR_NULL, "out is NULL");
    vmx_cross_entropy_out answers;
    VMX_TRY(read_options(out, "out", &answers));
    vmx_cross_entropy_options o;
    VMX_TRY(check_cross_entropy_options(options, x->rows, x->cols, &o));
    NamedExtent outputs[kCrossEntropyOutputs];
    int n = 0;
    VMX_TRY(check_cross_entropy_out(answers, *x, outputs, &n));
    const NamedExtent inputs[1] = {{extent(*x), "x"}};
    VMX_TRY(check_apart(outputs, n, inputs, 1));
    if (answers.grad.data) {
      VMX_TRY(check_output(&answers.grad, "out.grad", kFloats));
      VMX_TRY(check_same_shape(answers.grad, "out.grad", *x, "x"));
      VMX_TRY(check_in_place_or_disjoint(answers.grad, "out.grad", *x, "x"));
      const NamedExtent grad[1] = {{extent(answers.grad), "out.grad"}};
      VMX_TRY(check_apart(grad, 1, outputs, n));
      outputs[n++] = grad[0];
    }
    VMX_TRY(check_apart_from_targets(outputs, n, *targets, o, x->rows));
    const TargetList list(*targets, o.ignore_index, o.class_weight);
    VMX_TRY(list.check(x->rows, x->cols));
    cross_entropy({resolve(ctx), ws, *x, list, o}, answers);
    return VMX_OK;
  });
}

vmx_status vmx_cross_entropy_backward(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x,
                                      const vmx_csr* targets, const vmx_vector* lse, const vmx_vector* grad_loss,
                                      const vmx_matrix* grad, const vmx_cross_entropy_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(x, "x", kFloats));
    VMX_TRY(check_targets_views(targets));
    vmx_cross_entropy_options o;
    VMX_TRY(check_cross_entropy_options(options, x->rows, x->cols, &o));
    if (wanted(lse)) VMX_TRY(check_vector_in(lse, "lse", x->rows, result_dtype(*x)));
    VMX_TRY(check_vector_in(grad_loss, "grad_loss", x->rows, kF32OrF64));
    VMX_TRY(check_output(grad, "grad", kFloats));
    VMX_TRY(check_same_shape(*grad, "grad", *x, "x"));
    VMX_TRY(check_in_place_or_disjoint(*grad, "grad", *x, "x"));
    const NamedExtent outputs[1] = {{extent(*grad), "grad"}};
    NamedExtent inputs[2] = {{extent(*grad_loss), "grad_loss"}};
    int n = 1;
    if (wanted(lse)) inputs[n++] = {extent(*lse), "lse"};
    VMX_TRY(check_apart(outputs, 1, inputs, n));
    VMX_TRY(check_apart_from_targets(outputs, 1, *targets, o, x->rows));
    const TargetList list(*targets, o.ignore_index, o.class_weight);
    VMX_TRY(list.check(x->rows, x->cols));
    cross_entropy_backward({resolve(ctx), ws, *x, list, o}, lse, *grad_loss, *grad);
    return VMX_OK;
  });
}

vmx_status vmx_cross_entropy_workspace_size(const vmx_context* ctx, const vmx_matrix* x, const vmx_matrix* grad,
                                            const vmx_cross_entropy_options* options, size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    VMX_TRY(check_input_sizes(x, "x", kFloats));
    if (grad) {
      VMX_TRY(check_output_sizes(grad, "grad", kFloats));
      VMX_TRY(check_same_shape(*grad, "grad", *x, "x"));
    }
    vmx_cross_entropy_options o;
    VMX_TRY(read_cross_entropy_options(options, &o));
    *size = cross_entropy_scratch(resolve(ctx), x->rows, x->cols, grad && keeps_terms(*x, o), true, 0);
    return VMX_OK;
  });
}
