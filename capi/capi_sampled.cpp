// SPDX-License-Identifier: Apache-2.0
// Entry points: losses over sampled classes, and in-batch softmax.
#include "check_sampled.hpp"

#include <algorithm>
#include <cinttypes>

using namespace vmx;

namespace {

vmx_status check_bias(const vmx_vector* bias, int64_t classes) {
  if (!wanted(bias)) return VMX_OK;
  return check_vector_in(bias, "bias", classes, kF32);
}

}  // namespace

vmx_status vmx_sampled_loss(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* hidden, const vmx_matrix* table,
                            const vmx_vector* bias, const vmx_csr* targets, const vmx_candidates* candidates,
                            const vmx_sampled_out* out, const vmx_sampled_grads* grads,
                            const vmx_sampled_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    vmx_sampled_options o;
    VMX_TRY(check_sampled_options(options, false, &o));
    VMX_TRY(check_sampled_matrices(hidden, table, false));
    const int64_t rows = hidden->rows, classes = table->rows;
    VMX_TRY(check_bias(bias, classes));
    VMX_TRY(check_targets_views(targets));
    vmx_candidates c;
    VMX_TRY(check_candidates(candidates, rows, classes, o, false, &c));
    SampledExtents outputs;
    vmx_sampled_out answers;
    VMX_TRY(check_sampled_out(out, rows, &answers, &outputs));
    SampledGrads g;
    VMX_TRY(check_sampled_grads(grads, *hidden, *table, false, &g, &outputs));

    const TargetList list(*targets);
    VMX_TRY(list.check(rows, classes));
    if (wants_target_log_q(o)) {
      if (!c.target_log_q.data && targets->ids.n > 0) {
        return fail(VMX_ERR_VALUE, "candidates.target_log_q is missing: this loss and correction need it");
      }
      VMX_TRY(check_vector_in(&c.target_log_q, "candidates.target_log_q", targets->ids.n, kF32));
    } else {
      c.target_log_q = {};
    }

    SampledExtents inputs;
    inputs.add(*hidden, "hidden");
    inputs.add(*table, "table");
    if (wanted(bias)) inputs.add(*bias, "bias");
    inputs.add(targets->ids, "targets.ids");
    if (targets->indptr.data) inputs.add(targets->indptr, "targets.indptr");
    if (targets->weights.data) inputs.add(targets->weights, "targets.weights");
    inputs.add(c.ids, "candidates.ids");
    if (c.log_q.data) inputs.add(c.log_q, "candidates.log_q");
    if (c.target_log_q.data) inputs.add(c.target_log_q, "candidates.target_log_q");
    if (c.identity.data) inputs.add(c.identity, "candidates.identity");
    VMX_TRY(check_apart(outputs.list, outputs.n, inputs.list, inputs.n));

    const int64_t first = rows > 0 ? list.begin(0) : 0;
    SampledInput input{*hidden, *table,  wanted(bias) ? *bias : vmx_vector{}, list, first,
        rows > 0 ? list.end(rows - 1) - first : 0,
                       0,       c.ids,   c.log_q,     c.target_log_q,          c.identity, o, g};
    for (int64_t r = 0; r < rows; ++r) input.most_targets = std::max(input.most_targets, list.end(r) - list.begin(r));
    VMX_TRY(check_candidate_values(input));
    return sampled_loss(resolve(ctx), ws, input, &answers, nullptr);
  });
}

vmx_status vmx_sampled_loss_workspace_size(const vmx_context* ctx, const vmx_matrix* hidden, const vmx_matrix* table,
                                           int64_t targets, const vmx_candidates* candidates, const vmx_sampled_grads* grads,
                                           const vmx_sampled_options* options, size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    vmx_sampled_options o;
    VMX_TRY(check_sampled_options(options, false, &o));
    VMX_TRY(check_sampled_matrices(hidden, table, true));
    if (targets < 0) return fail(VMX_ERR_SHAPE, "targets is %" PRId64 ", but must be at least 0", targets);
    // Each takes less than 256 bytes.
    if (targets > INT64_MAX / 256) return fail(VMX_ERR_SIZE, "targets is %" PRId64 ": their scratch overflows", targets);
    vmx_candidates c;
    VMX_TRY(check_candidates(candidates, hidden->rows, table->rows, o, true, &c));
    SampledExtents outputs;
    SampledGrads g;
    VMX_TRY(check_sampled_grads(grads, *hidden, *table, true, &g, &outputs));
    const vmx_csr none{};
    const TargetList list(none);
    // All of them may be one row's.
    const SampledInput input{*hidden, *table, vmx_vector{nullptr, 0, 0, VMX_F32, 0}, list, 0, targets,
        targets, c.ids, {}, {}, {}, o, g};
    return sampled_loss(resolve(ctx), nullptr, input, nullptr, size);
  });
}

vmx_status vmx_in_batch_softmax(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* queries, const vmx_matrix* keys,
                                const vmx_ids* identity, const vmx_vector* log_q, const vmx_sampled_out* out,
                                const vmx_matrix* grad_queries, const vmx_matrix* grad_keys,
                                const vmx_sampled_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    InBatchInput input{};
    VMX_TRY(check_sampled_options(options, true, &input.options));
    VMX_TRY(check_input(queries, "queries", kF32 | kBF16));
    VMX_TRY(check_input(keys, "keys", dtype_bit(queries->dtype)));
    VMX_TRY(check_same_shape(*keys, "keys", *queries, "queries"));
    if (keys->rows > VMX_MAX_COLS) return fail(VMX_ERR_SIZE, "keys.rows is %" PRId64 ", more than VMX_MAX_COLS", keys->rows);
    const int64_t rows = queries->rows;
    SampledExtents inputs, outputs;
    inputs.add(*queries, "queries");
    inputs.add(*keys, "keys");
    if (identity && identity->data) {
      VMX_TRY(check_ids(identity, "identity"));
      if (identity->n != rows) {
        return fail(VMX_ERR_SHAPE, "identity.n is %" PRId64 ", but queries.rows is %" PRId64, identity->n, rows);
      }
      input.identity = *identity;
      inputs.add(*identity, "identity");
    }
    if (wanted(log_q)) {
      VMX_TRY(check_vector_in(log_q, "log_q", rows, kF32));
      input.log_q = *log_q;
      inputs.add(*log_q, "log_q");
      for (int64_t i = 0; i < rows; ++i) {
        const double q = load_vector(*log_q, i);
        if (!(q - q == 0.0)) return fail(VMX_ERR_VALUE, "log_q[%" PRId64 "] is %g, but must be finite", i, q);
      }
    }
    vmx_sampled_out answers;
    VMX_TRY(check_sampled_out(out, rows, &answers, &outputs));
    const struct {
      const vmx_matrix* given;
      const char* name;
      vmx_matrix* view;
    } grads[] = {{grad_queries, "grad_queries", &input.grad_queries}, {grad_keys, "grad_keys", &input.grad_keys}};
    for (const auto& grad : grads) {
      if (!grad.given || !grad.given->data) continue;
      VMX_TRY(check_output(grad.given, grad.name, kF32 | dtype_bit(queries->dtype)));
      VMX_TRY(check_same_shape(*grad.given, grad.name, *queries, "queries"));
      *grad.view = *grad.given;
      outputs.add(*grad.given, grad.name);
    }
    VMX_TRY(check_apart(outputs.list, outputs.n, inputs.list, inputs.n));
    input.queries = *queries;
    input.keys = *keys;
    return in_batch_softmax(resolve(ctx), ws, input, answers);
  });
}
