// SPDX-License-Identifier: Apache-2.0
// Entry points: log-sum-exp, softmax, log-softmax and their backward passes.
#include "check.hpp"
#include "ops/softmax.hpp"

using namespace vmx;

namespace {

SoftmaxCall make_call(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix& x, const vmx_softmax_options& o) {
  return {resolve(ctx), ws, x, Temperatures{o.temperature, o.temperature_stride}, o.flags};
}

// What every forward function checks of its small outputs, and of y (NULL: none) apart from x.
vmx_status check_row_outputs(const vmx_matrix& x, const vmx_vector* lse, const uint32_t* row_flags,
                             const vmx_matrix* y, const vmx_softmax_options& o) {
  VMX_TRY(check_array(row_flags, "row_flags", x.rows));
  NamedExtent outputs[3];
  const NamedExtent inputs[2] = {temperature_extent(o, x.rows), {extent(x), "x"}};
  int n = 0;
  if (wanted(lse)) outputs[n++] = {extent(*lse), "lse"};
  if (row_flags) outputs[n++] = {array_extent(row_flags, x.rows), "row_flags"};
  VMX_TRY(check_apart(outputs, n, inputs, 2));
  if (y) outputs[n++] = {extent(*y), "y"};
  return check_apart(outputs, n, inputs, 1);
}

vmx_status softmax_entry(const char* function, const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x,
                         const vmx_matrix* y, const vmx_vector* lse, uint32_t* row_flags,
                         const vmx_softmax_options* options, bool logarithm) noexcept {
  const ApiCall call(function);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(x, "x", kFloats));
    VMX_TRY(check_output(y, "y", kFloats));
    VMX_TRY(check_same_shape(*y, "y", *x, "x"));
    VMX_TRY(check_in_place_or_disjoint(*y, "y", *x, "x"));
    VMX_TRY(check_optional_result(lse, "lse", *x));
    vmx_softmax_options o;
    VMX_TRY(check_softmax_options(options, x->rows, &o));
    VMX_TRY(check_row_outputs(*x, lse, row_flags, y, o));
    softmax(make_call(ctx, ws, *x, o), *y, lse, row_flags, logarithm);
    return VMX_OK;
  });
}

vmx_status backward_entry(const char* function, const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* y,
                          const vmx_matrix* grad_y, const vmx_matrix* grad_x, const vmx_softmax_options* options,
                          bool logarithm) noexcept {
  const ApiCall call(function);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(y, "y", kFloats));
    VMX_TRY(check_input(grad_y, "grad_y", 1u << y->dtype));
    VMX_TRY(check_output(grad_x, "grad_x", kFloats));
    VMX_TRY(check_same_shape(*grad_y, "grad_y", *y, "y"));
    VMX_TRY(check_same_shape(*grad_x, "grad_x", *y, "y"));
    VMX_TRY(check_in_place_or_disjoint(*grad_x, "grad_x", *y, "y"));
    VMX_TRY(check_in_place_or_disjoint(*grad_x, "grad_x", *grad_y, "grad_y"));
    vmx_softmax_options o;
    VMX_TRY(check_softmax_options(options, y->rows, &o));
    const NamedExtent outputs[1] = {{extent(*grad_x), "grad_x"}}, inputs[1] = {temperature_extent(o, y->rows)};
    VMX_TRY(check_apart(outputs, 1, inputs, 1));
    softmax_backward(make_call(ctx, ws, *y, o), *grad_y, *grad_x, logarithm);
    return VMX_OK;
  });
}

}  // namespace

vmx_status vmx_logsumexp(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x, const vmx_vector* lse,
                         uint32_t* row_flags, const vmx_softmax_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(x, "x", kFloats));
    VMX_TRY(check_vector_out(lse, "lse", x->rows, result_dtype(*x)));
    vmx_softmax_options o;
    VMX_TRY(check_softmax_options(options, x->rows, &o));
    VMX_TRY(check_row_outputs(*x, lse, row_flags, nullptr, o));
    logsumexp(make_call(ctx, ws, *x, o), *lse, row_flags);
    return VMX_OK;
  });
}

vmx_status vmx_softmax(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x, const vmx_matrix* y,
                       const vmx_vector* lse, uint32_t* row_flags, const vmx_softmax_options* options) noexcept {
  return softmax_entry(__func__, ctx, ws, x, y, lse, row_flags, options, false);
}

vmx_status vmx_log_softmax(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x, const vmx_matrix* y,
                           const vmx_vector* lse, uint32_t* row_flags, const vmx_softmax_options* options) noexcept {
  return softmax_entry(__func__, ctx, ws, x, y, lse, row_flags, options, true);
}

vmx_status vmx_logsumexp_backward(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x,
                                  const vmx_vector* lse, const vmx_vector* grad_lse, const vmx_matrix* grad_x,
                                  const vmx_softmax_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(x, "x", kFloats));
    if (wanted(lse)) VMX_TRY(check_vector_in(lse, "lse", x->rows, result_dtype(*x)));
    VMX_TRY(check_vector_in(grad_lse, "grad_lse", x->rows, kF32OrF64));
    VMX_TRY(check_output(grad_x, "grad_x", kFloats));
    VMX_TRY(check_same_shape(*grad_x, "grad_x", *x, "x"));
    VMX_TRY(check_in_place_or_disjoint(*grad_x, "grad_x", *x, "x"));
    vmx_softmax_options o;
    VMX_TRY(check_softmax_options(options, x->rows, &o));
    const NamedExtent outputs[1] = {{extent(*grad_x), "grad_x"}};
    NamedExtent inputs[3] = {{extent(*grad_lse), "grad_lse"}, temperature_extent(o, x->rows)};
    int n = 2;
    if (wanted(lse)) inputs[n++] = {extent(*lse), "lse"};
    VMX_TRY(check_apart(outputs, 1, inputs, n));
    logsumexp_backward(make_call(ctx, ws, *x, o), lse, *grad_lse, *grad_x);
    return VMX_OK;
  });
}

vmx_status vmx_softmax_backward(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* y,
                                const vmx_matrix* grad_y, const vmx_matrix* grad_x,
                                const vmx_softmax_options* options) noexcept {
  return backward_entry(__func__, ctx, ws, y, grad_y, grad_x, options, false);
}

vmx_status vmx_log_softmax_backward(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* y,
                                    const vmx_matrix* grad_y, const vmx_matrix* grad_x,
                                    const vmx_softmax_options* options) noexcept {
  return backward_entry(__func__, ctx, ws, y, grad_y, grad_x, options, true);
}

vmx_status vmx_softmax_workspace_size(const vmx_context* ctx, const vmx_matrix* x, const vmx_matrix* y,
                                      const vmx_softmax_options* options, size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    VMX_TRY(check_input_sizes(x, "x", kFloats));
    if (y) {
      VMX_TRY(check_output_sizes(y, "y", kFloats));
      VMX_TRY(check_same_shape(*y, "y", *x, "x"));
    }
    vmx_softmax_options o;
    VMX_TRY(read_softmax_options(options, &o));
    // The backward passes keep one double a block, which is more.
    const size_t forward = softmax_scratch(resolve(ctx), x->rows, x->cols, y && x->dtype != VMX_F64);
    const size_t backward = softmax_backward_scratch(resolve(ctx), x->rows, x->cols);
    *size = forward > backward ? forward : backward;
    return VMX_OK;
  });
}
