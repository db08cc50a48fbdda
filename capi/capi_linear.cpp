// SPDX-License-Identifier: Apache-2.0
// Entry points: packed weights and everything on linear scores.
#include "check.hpp"
#include "check_cross_entropy.hpp"
#include "check_topk.hpp"
#include "ops/linear.hpp"
#include "sources/matmul.hpp"
#include "sources/packed_weights.hpp"

#include <cinttypes>

using namespace vmx;

namespace {

// Scores are f32 whatever they are made of.
vmx_matrix scores_view(const LinearInput& input) {
  return {nullptr, input.rows(), input.classes, 0, 0, VMX_F32, 0};
}

constexpr int kLinearInputs = 4;  // one for temperatures
int linear_extents(const LinearInput& input, NamedExtent* extents) {
  int n = 0;
  extents[n++] = {extent(input.hidden), "hidden"};
  if (input.weights.data) extents[n++] = {extent(input.weights), "linear.weights"};
  if (input.bias.data) extents[n++] = {extent(input.bias), "linear.bias"};
  return n;
}

vmx_status check_shape(const vmx_matrix& m, const char* name, int64_t rows, int64_t cols) {
  if (m.rows == rows && m.cols == cols) return VMX_OK;
  return fail(VMX_ERR_SHAPE, "%s is %" PRId64 " x %" PRId64 ", but must be %" PRId64 " x %" PRId64, name, m.rows, m.cols,
              rows, cols);
}

// given may be NULL: *any is false then. sizes_only: a view is wanted where its dtype is set.
vmx_status check_grads(const vmx_linear_grads* given, const LinearInput& input, bool sizes_only, vmx_linear_grads* out,
                       bool* any) {
  *any = given != nullptr;
  if (!given) return VMX_OK;
  VMX_TRY(read_options(given, "grads", out));
  VMX_TRY(check_flags("grads", out->flags, VMX_GRAD_ACCUMULATE, out->reserved));
  const auto wanted_view = [&](const auto& view) { return view.data || (sizes_only && view.dtype != 0); };
  const auto check = sizes_only ? check_output_sizes : check_output;
  if (wanted_view(out->hidden)) {
    VMX_TRY(check(&out->hidden, "grads.hidden", kF32 | dtype_bit(input.hidden.dtype)));
    VMX_TRY(check_shape(out->hidden, "grads.hidden", input.rows(), input.dim()));
  } else {
    out->hidden = {};
  }
  if (wanted_view(out->weights)) {
    VMX_TRY(check(&out->weights, "grads.weights", kF32));
    VMX_TRY(check_shape(out->weights, "grads.weights", input.classes, input.dim()));
  } else {
    out->weights = {};
  }
  if (wanted_view(out->bias)) {
    if (!sizes_only) VMX_TRY(check_vector_out(&out->bias, "grads.bias", input.classes, kF32));
  } else {
    out->bias = {};
  }
  return VMX_OK;
}

#if VMX_WITH_ONEDNN
constexpr bool kWithOneDnn = true;
#else
constexpr bool kWithOneDnn = false;
#endif

}  // namespace

vmx_status vmx_pack_weights(const vmx_context* ctx, const vmx_matrix* weights, vmx_packed_weights** out) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(weights, "weights", kF32 | kBF16));
    if (!out) return fail(VMX_ERR_NULL, "out is NULL");
    if (weights->rows > VMX_MAX_COLS) {
      return fail(VMX_ERR_SIZE, "weights.rows is %" PRId64 ", more than VMX_MAX_COLS", weights->rows);
    }
    if (!kWithOneDnn) return fail_without_onednn();
    return pack_weights(resolve(ctx), *weights, out);
  });
}

size_t vmx_packed_weights_size(const vmx_packed_weights* packed) noexcept { return packed ? packed->bytes : 0; }

void vmx_packed_weights_destroy(vmx_packed_weights* packed) noexcept { destroy_packed_weights(packed); }

const char* vmx_onednn_version(void) noexcept {
#if VMX_WITH_ONEDNN
  return onednn_version();
#else
  return "";
#endif
}

vmx_status vmx_linear_logsumexp(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* hidden,
                                const vmx_linear* linear, const vmx_vector* lse, uint32_t* row_flags,
                                const vmx_softmax_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    LinearInput input;
    VMX_TRY(check_linear(hidden, linear, false, &input));
    VMX_TRY(check_vector_out(lse, "lse", input.rows(), kF32));
    vmx_softmax_options o;
    VMX_TRY(check_softmax_options(options, input.rows(), &o));
    NamedExtent outputs[2] = {{extent(*lse), "lse"}}, inputs[kLinearInputs];
    int n = 1;
    VMX_TRY(check_array(row_flags, "row_flags", input.rows()));
    if (row_flags) outputs[n++] = {array_extent(row_flags, input.rows()), "row_flags"};
    int n_inputs = linear_extents(input, inputs);
    inputs[n_inputs++] = temperature_extent(o, input.rows());
    VMX_TRY(check_apart(outputs, n, inputs, n_inputs));
    return linear_logsumexp(resolve(ctx), ws, input, o, lse, row_flags, nullptr);
  });
}

vmx_status vmx_linear_logsumexp_workspace_size(const vmx_context* ctx, const vmx_matrix* hidden,
                                               const vmx_linear* linear, const vmx_softmax_options* options,
                                               size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    LinearInput input;
    VMX_TRY(check_linear(hidden, linear, true, &input));
    vmx_softmax_options o;
    VMX_TRY(check_softmax_options(options, input.rows(), &o));
    return linear_logsumexp(resolve(ctx), nullptr, input, o, nullptr, nullptr, size);
  });
}

vmx_status vmx_linear_cross_entropy(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* hidden,
                                    const vmx_linear* linear, const vmx_csr* targets, const vmx_cross_entropy_out* out,
                                    const vmx_linear_grads* grads, const vmx_cross_entropy_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    LinearInput input;
    VMX_TRY(check_linear(hidden, linear, false, &input));
    VMX_TRY(check_targets_views(targets));
    if (!out) return fail(VMX_ERR_NULL, "out is NULL");
    vmx_cross_entropy_out answers;
    VMX_TRY(read_options(out, "out", &answers));
    if (answers.grad.data) {
      return fail(VMX_ERR_VALUE, "out.grad must be empty: gradients of linear scores are told through grads");
    }
    vmx_cross_entropy_options o;
    VMX_TRY(check_cross_entropy_options(options, input.rows(), input.classes, &o));
    vmx_linear_grads g;
    bool any = false;
    VMX_TRY(check_grads(grads, input, false, &g, &any));
    NamedExtent outputs[kCrossEntropyOutputs + 3], inputs[kLinearInputs];
    int n = 0;
    VMX_TRY(check_cross_entropy_out(answers, scores_view(input), outputs, &n));
    if (any) {
      if (g.hidden.data) outputs[n++] = {extent(g.hidden), "grads.hidden"};
      if (g.weights.data) outputs[n++] = {extent(g.weights), "grads.weights"};
      if (g.bias.data) outputs[n++] = {extent(g.bias), "grads.bias"};
    }
    VMX_TRY(check_apart(outputs, n, inputs, linear_extents(input, inputs)));
    VMX_TRY(check_apart_from_targets(outputs, n, *targets, o, input.rows()));
    const TargetList list(*targets, o.ignore_index, o.class_weight);
    VMX_TRY(list.check(input.rows(), input.classes));
    return linear_cross_entropy(resolve(ctx), ws, input, list, o, &answers, any ? &g : nullptr, nullptr);
  });
}

vmx_status vmx_linear_cross_entropy_workspace_size(const vmx_context* ctx, const vmx_matrix* hidden,
                                                   const vmx_linear* linear, const vmx_linear_grads* grads,
                                                   const vmx_cross_entropy_options* options, size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    LinearInput input;
    VMX_TRY(check_linear(hidden, linear, true, &input));
    vmx_cross_entropy_options o;
    VMX_TRY(read_cross_entropy_options(options, &o));
    vmx_linear_grads g;
    bool any = false;
    VMX_TRY(check_grads(grads, input, true, &g, &any));
    const vmx_csr none{};
    const TargetList list(none, o.ignore_index, o.class_weight);
    return linear_cross_entropy(resolve(ctx), nullptr, input, list, o, nullptr, any ? &g : nullptr, size);
  });
}

vmx_status vmx_linear_topk(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* hidden, const vmx_linear* linear,
                           int64_t k, const vmx_matrix* values, const vmx_matrix* ids, uint32_t* row_flags,
                           const vmx_topk_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    LinearInput input;
    VMX_TRY(check_linear(hidden, linear, false, &input));
    VMX_TRY(check_topk_k(k, input.classes, "the number of classes"));
    vmx_topk_options o;
    VMX_TRY(check_topk_options(options, input.rows(), input.classes, &o));
    NamedExtent inputs[kLinearInputs];
    const int n = linear_extents(input, inputs);
    TopkOutputs out;
    VMX_TRY(check_topk_outputs(values, ids, row_flags, VMX_F32, input.rows(), k, o, inputs, n, &out));
    VMX_TRY(check_topk_ids_fit(out, o.col_offset + input.classes - 1));
    return linear_topk(resolve(ctx), ws, input, k, o, &out, nullptr);
  });
}

vmx_status vmx_linear_topk_workspace_size(const vmx_context* ctx, const vmx_matrix* hidden, const vmx_linear* linear,
                                          int64_t k, const vmx_topk_options* options, size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    LinearInput input;
    VMX_TRY(check_linear(hidden, linear, true, &input));
    VMX_TRY(check_topk_k(k, input.classes, "the number of classes"));
    vmx_topk_options o;
    VMX_TRY(read_options(options, "options", &o));
    VMX_TRY(check_topk_flags(o));
    return linear_topk(resolve(ctx), nullptr, input, k, o, nullptr, size);
  });
}
