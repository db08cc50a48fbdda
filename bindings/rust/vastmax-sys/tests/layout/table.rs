// SPDX-License-Identifier: Apache-2.0
// Written by scripts/gen_bindings from include/vastmax/vastmax.h: do not edit.

/// "struct size align" and "struct.field offset size", in the header's order.
fn layout() -> Vec<String> {
    let mut lines = Vec::new();
    macro_rules! whole {
        ($t:ident) => {
            lines.push(format!("{} {} {}", stringify!($t), size_of::<$t>(), align_of::<$t>()))
        };
    }
    macro_rules! field {
        ($t:ident, $f:ident, $name:literal) => {
            lines.push(format!("{}.{} {} {}", stringify!($t), $name, offset_of!($t, $f), size_of_result(|s: &$t| s.$f)))
        };
    }
    whole!(vmx_matrix);
    field!(vmx_matrix, data, "data");
    field!(vmx_matrix, rows, "rows");
    field!(vmx_matrix, cols, "cols");
    field!(vmx_matrix, row_stride, "row_stride");
    field!(vmx_matrix, col_stride, "col_stride");
    field!(vmx_matrix, dtype, "dtype");
    field!(vmx_matrix, reserved, "reserved");
    whole!(vmx_vector);
    field!(vmx_vector, data, "data");
    field!(vmx_vector, n, "n");
    field!(vmx_vector, stride, "stride");
    field!(vmx_vector, dtype, "dtype");
    field!(vmx_vector, reserved, "reserved");
    whole!(vmx_ids);
    field!(vmx_ids, data, "data");
    field!(vmx_ids, n, "n");
    field!(vmx_ids, stride, "stride");
    field!(vmx_ids, r#type, "type");
    field!(vmx_ids, base, "base");
    whole!(vmx_csr);
    field!(vmx_csr, indptr, "indptr");
    field!(vmx_csr, ids, "ids");
    field!(vmx_csr, weights, "weights");
    whole!(vmx_context_options);
    field!(vmx_context_options, struct_size, "struct_size");
    field!(vmx_context_options, isa, "isa");
    field!(vmx_context_options, threads, "threads");
    field!(vmx_context_options, parallel_for, "parallel_for");
    field!(vmx_context_options, parallel_for_user, "parallel_for_user");
    field!(vmx_context_options, alloc, "alloc");
    field!(vmx_context_options, free, "free");
    field!(vmx_context_options, alloc_user, "alloc_user");
    whole!(vmx_softmax_options);
    field!(vmx_softmax_options, struct_size, "struct_size");
    field!(vmx_softmax_options, flags, "flags");
    field!(vmx_softmax_options, reserved, "reserved");
    field!(vmx_softmax_options, temperature, "temperature");
    field!(vmx_softmax_options, temperature_stride, "temperature_stride");
    whole!(vmx_lse_state);
    field!(vmx_lse_state, version, "version");
    field!(vmx_lse_state, flags, "flags");
    field!(vmx_lse_state, wz_bin, "wz_bin");
    field!(vmx_lse_state, w_bin, "w_bin");
    field!(vmx_lse_state, count, "count");
    field!(vmx_lse_state, max, "max");
    field!(vmx_lse_state, r#ref, "ref");
    field!(vmx_lse_state, sum, "sum");
    field!(vmx_lse_state, entropy, "entropy");
    field!(vmx_lse_state, sum_wz, "sum_wz");
    field!(vmx_lse_state, sum_w, "sum_w");
    whole!(vmx_lse_short);
    field!(vmx_lse_short, max, "max");
    field!(vmx_lse_short, sum, "sum");
    whole!(vmx_lse_options);
    field!(vmx_lse_options, struct_size, "struct_size");
    field!(vmx_lse_options, flags, "flags");
    field!(vmx_lse_options, reserved, "reserved");
    field!(vmx_lse_options, temperature, "temperature");
    field!(vmx_lse_options, temperature_stride, "temperature_stride");
    field!(vmx_lse_options, class_weight, "class_weight");
    field!(vmx_lse_options, skip, "skip");
    whole!(vmx_cross_entropy_options);
    field!(vmx_cross_entropy_options, struct_size, "struct_size");
    field!(vmx_cross_entropy_options, flags, "flags");
    field!(vmx_cross_entropy_options, reduction, "reduction");
    field!(vmx_cross_entropy_options, ignore_index, "ignore_index");
    field!(vmx_cross_entropy_options, label_smoothing, "label_smoothing");
    field!(vmx_cross_entropy_options, softcap, "softcap");
    field!(vmx_cross_entropy_options, z_loss, "z_loss");
    field!(vmx_cross_entropy_options, class_weight, "class_weight");
    field!(vmx_cross_entropy_options, temperature, "temperature");
    field!(vmx_cross_entropy_options, temperature_stride, "temperature_stride");
    whole!(vmx_cross_entropy_out);
    field!(vmx_cross_entropy_out, struct_size, "struct_size");
    field!(vmx_cross_entropy_out, loss, "loss");
    field!(vmx_cross_entropy_out, z_loss, "z_loss");
    field!(vmx_cross_entropy_out, lse, "lse");
    field!(vmx_cross_entropy_out, total, "total");
    field!(vmx_cross_entropy_out, total_z_loss, "total_z_loss");
    field!(vmx_cross_entropy_out, total_weight, "total_weight");
    field!(vmx_cross_entropy_out, row_flags, "row_flags");
    field!(vmx_cross_entropy_out, grad, "grad");
    field!(vmx_cross_entropy_out, grad_scale, "grad_scale");
    whole!(vmx_topk_options);
    field!(vmx_topk_options, struct_size, "struct_size");
    field!(vmx_topk_options, flags, "flags");
    field!(vmx_topk_options, reserved, "reserved");
    field!(vmx_topk_options, col_offset, "col_offset");
    field!(vmx_topk_options, excluded, "excluded");
    whole!(vmx_linear);
    field!(vmx_linear, struct_size, "struct_size");
    field!(vmx_linear, weights, "weights");
    field!(vmx_linear, packed, "packed");
    field!(vmx_linear, bias, "bias");
    field!(vmx_linear, memory_limit, "memory_limit");
    whole!(vmx_linear_grads);
    field!(vmx_linear_grads, struct_size, "struct_size");
    field!(vmx_linear_grads, flags, "flags");
    field!(vmx_linear_grads, reserved, "reserved");
    field!(vmx_linear_grads, hidden, "hidden");
    field!(vmx_linear_grads, weights, "weights");
    field!(vmx_linear_grads, bias, "bias");
    whole!(vmx_sampler_options);
    field!(vmx_sampler_options, struct_size, "struct_size");
    field!(vmx_sampler_options, kind, "kind");
    field!(vmx_sampler_options, codewords, "codewords");
    field!(vmx_sampler_options, classes, "classes");
    field!(vmx_sampler_options, weights, "weights");
    field!(vmx_sampler_options, power, "power");
    field!(vmx_sampler_options, embeddings, "embeddings");
    field!(vmx_sampler_options, temperature, "temperature");
    field!(vmx_sampler_options, alpha, "alpha");
    field!(vmx_sampler_options, rate, "rate");
    field!(vmx_sampler_options, seed, "seed");
    whole!(vmx_draw_options);
    field!(vmx_draw_options, struct_size, "struct_size");
    field!(vmx_draw_options, flags, "flags");
    field!(vmx_draw_options, reserved, "reserved");
    field!(vmx_draw_options, seed, "seed");
    field!(vmx_draw_options, step, "step");
    whole!(vmx_sampled_options);
    field!(vmx_sampled_options, struct_size, "struct_size");
    field!(vmx_sampled_options, loss, "loss");
    field!(vmx_sampled_options, correction, "correction");
    field!(vmx_sampled_options, score, "score");
    field!(vmx_sampled_options, flags, "flags");
    field!(vmx_sampled_options, reduction, "reduction");
    field!(vmx_sampled_options, reserved, "reserved");
    field!(vmx_sampled_options, temperature, "temperature");
    field!(vmx_sampled_options, margin, "margin");
    field!(vmx_sampled_options, negative_weight, "negative_weight");
    field!(vmx_sampled_options, memory_limit, "memory_limit");
    whole!(vmx_candidates);
    field!(vmx_candidates, struct_size, "struct_size");
    field!(vmx_candidates, ids, "ids");
    field!(vmx_candidates, log_q, "log_q");
    field!(vmx_candidates, target_log_q, "target_log_q");
    field!(vmx_candidates, identity, "identity");
    whole!(vmx_sparse_rows);
    field!(vmx_sparse_rows, struct_size, "struct_size");
    field!(vmx_sparse_rows, ids, "ids");
    field!(vmx_sparse_rows, rows, "rows");
    field!(vmx_sparse_rows, bias, "bias");
    field!(vmx_sparse_rows, count, "count");
    whole!(vmx_sampled_grads);
    field!(vmx_sampled_grads, struct_size, "struct_size");
    field!(vmx_sampled_grads, hidden, "hidden");
    field!(vmx_sampled_grads, sparse, "sparse");
    field!(vmx_sampled_grads, table, "table");
    field!(vmx_sampled_grads, bias, "bias");
    whole!(vmx_sampled_out);
    field!(vmx_sampled_out, struct_size, "struct_size");
    field!(vmx_sampled_out, loss, "loss");
    field!(vmx_sampled_out, total, "total");
    field!(vmx_sampled_out, total_weight, "total_weight");
    field!(vmx_sampled_out, row_flags, "row_flags");
    field!(vmx_sampled_out, grad_scale, "grad_scale");
    whole!(vmx_update_options);
    field!(vmx_update_options, struct_size, "struct_size");
    field!(vmx_update_options, optimizer, "optimizer");
    field!(vmx_update_options, reserved, "reserved");
    field!(vmx_update_options, step, "step");
    field!(vmx_update_options, lr, "lr");
    field!(vmx_update_options, beta1, "beta1");
    field!(vmx_update_options, beta2, "beta2");
    field!(vmx_update_options, eps, "eps");
    field!(vmx_update_options, weight_decay, "weight_decay");
    lines
}

/// The bytes of each INIT constant, and the function that must give the same.
fn inits() -> Vec<(&'static str, Vec<u8>, Init)> {
    vec![
        init::<vmx_context_options>("vmx_context_options", vmx_context_options::INIT, vmx_context_options_init),
        init::<vmx_softmax_options>("vmx_softmax_options", vmx_softmax_options::INIT, vmx_softmax_options_init),
        init::<vmx_lse_options>("vmx_lse_options", vmx_lse_options::INIT, vmx_lse_options_init),
        init::<vmx_cross_entropy_options>("vmx_cross_entropy_options", vmx_cross_entropy_options::INIT, vmx_cross_entropy_options_init),
        init::<vmx_cross_entropy_out>("vmx_cross_entropy_out", vmx_cross_entropy_out::INIT, vmx_cross_entropy_out_init),
        init::<vmx_topk_options>("vmx_topk_options", vmx_topk_options::INIT, vmx_topk_options_init),
        init::<vmx_linear>("vmx_linear", vmx_linear::INIT, vmx_linear_init),
        init::<vmx_linear_grads>("vmx_linear_grads", vmx_linear_grads::INIT, vmx_linear_grads_init),
        init::<vmx_sampler_options>("vmx_sampler_options", vmx_sampler_options::INIT, vmx_sampler_options_init),
        init::<vmx_draw_options>("vmx_draw_options", vmx_draw_options::INIT, vmx_draw_options_init),
        init::<vmx_sampled_options>("vmx_sampled_options", vmx_sampled_options::INIT, vmx_sampled_options_init),
        init::<vmx_candidates>("vmx_candidates", vmx_candidates::INIT, vmx_candidates_init),
        init::<vmx_sparse_rows>("vmx_sparse_rows", vmx_sparse_rows::INIT, vmx_sparse_rows_init),
        init::<vmx_sampled_grads>("vmx_sampled_grads", vmx_sampled_grads::INIT, vmx_sampled_grads_init),
        init::<vmx_sampled_out>("vmx_sampled_out", vmx_sampled_out::INIT, vmx_sampled_out_init),
        init::<vmx_update_options>("vmx_update_options", vmx_update_options::INIT, vmx_update_options_init),
    ]
}
