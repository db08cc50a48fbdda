/* SPDX-License-Identifier: Apache-2.0 */
/* Written by scripts/gen_bindings: do not edit. Prints "struct size align" and "struct.field offset size" lines. */
#include <vastmax/vastmax.h>

#include <stddef.h>
#include <stdio.h>

/* C99 has no alignof: where a member goes behind a char. */
#define STRUCT(type)                                                                              \
  do {                                                                                            \
    struct behind {                                                                               \
      char first;                                                                                 \
      type second;                                                                                \
    };                                                                                            \
    printf("%s %zu %zu\n", #type, sizeof(type), offsetof(struct behind, second));                \
  } while (0)
#define FIELD(type, field) \
  printf("%s.%s %zu %zu\n", #type, #field, offsetof(type, field), sizeof(((type *)0)->field))

int main(void) {
  STRUCT(vmx_matrix);
  FIELD(vmx_matrix, data);
  FIELD(vmx_matrix, rows);
  FIELD(vmx_matrix, cols);
  FIELD(vmx_matrix, row_stride);
  FIELD(vmx_matrix, col_stride);
  FIELD(vmx_matrix, dtype);
  FIELD(vmx_matrix, reserved);
  STRUCT(vmx_vector);
  FIELD(vmx_vector, data);
  FIELD(vmx_vector, n);
  FIELD(vmx_vector, stride);
  FIELD(vmx_vector, dtype);
  FIELD(vmx_vector, reserved);
  STRUCT(vmx_ids);
  FIELD(vmx_ids, data);
  FIELD(vmx_ids, n);
  FIELD(vmx_ids, stride);
  FIELD(vmx_ids, type);
  FIELD(vmx_ids, base);
  STRUCT(vmx_csr);
  FIELD(vmx_csr, indptr);
  FIELD(vmx_csr, ids);
  FIELD(vmx_csr, weights);
  STRUCT(vmx_context_options);
  FIELD(vmx_context_options, struct_size);
  FIELD(vmx_context_options, isa);
  FIELD(vmx_context_options, threads);
  FIELD(vmx_context_options, parallel_for);
  FIELD(vmx_context_options, parallel_for_user);
  FIELD(vmx_context_options, alloc);
  FIELD(vmx_context_options, free);
  FIELD(vmx_context_options, alloc_user);
  STRUCT(vmx_softmax_options);
  FIELD(vmx_softmax_options, struct_size);
  FIELD(vmx_softmax_options, flags);
  FIELD(vmx_softmax_options, reserved);
  FIELD(vmx_softmax_options, temperature);
  FIELD(vmx_softmax_options, temperature_stride);
  STRUCT(vmx_lse_state);
  FIELD(vmx_lse_state, version);
  FIELD(vmx_lse_state, flags);
  FIELD(vmx_lse_state, wz_bin);
  FIELD(vmx_lse_state, w_bin);
  FIELD(vmx_lse_state, count);
  FIELD(vmx_lse_state, max);
  FIELD(vmx_lse_state, ref);
  FIELD(vmx_lse_state, sum);
  FIELD(vmx_lse_state, entropy);
  FIELD(vmx_lse_state, sum_wz);
  FIELD(vmx_lse_state, sum_w);
  STRUCT(vmx_lse_short);
  FIELD(vmx_lse_short, max);
  FIELD(vmx_lse_short, sum);
  STRUCT(vmx_lse_options);
  FIELD(vmx_lse_options, struct_size);
  FIELD(vmx_lse_options, flags);
  FIELD(vmx_lse_options, reserved);
  FIELD(vmx_lse_options, temperature);
  FIELD(vmx_lse_options, temperature_stride);
  FIELD(vmx_lse_options, class_weight);
  FIELD(vmx_lse_options, skip);
  STRUCT(vmx_cross_entropy_options);
  FIELD(vmx_cross_entropy_options, struct_size);
  FIELD(vmx_cross_entropy_options, flags);
  FIELD(vmx_cross_entropy_options, reduction);
  FIELD(vmx_cross_entropy_options, ignore_index);
  FIELD(vmx_cross_entropy_options, label_smoothing);
  FIELD(vmx_cross_entropy_options, softcap);
  FIELD(vmx_cross_entropy_options, z_loss);
  FIELD(vmx_cross_entropy_options, class_weight);
  FIELD(vmx_cross_entropy_options, temperature);
  FIELD(vmx_cross_entropy_options, temperature_stride);
  STRUCT(vmx_cross_entropy_out);
  FIELD(vmx_cross_entropy_out, struct_size);
  FIELD(vmx_cross_entropy_out, loss);
  FIELD(vmx_cross_entropy_out, z_loss);
  FIELD(vmx_cross_entropy_out, lse);
  FIELD(vmx_cross_entropy_out, total);
  FIELD(vmx_cross_entropy_out, total_z_loss);
  FIELD(vmx_cross_entropy_out, total_weight);
  FIELD(vmx_cross_entropy_out, row_flags);
  FIELD(vmx_cross_entropy_out, grad);
  FIELD(vmx_cross_entropy_out, grad_scale);
  STRUCT(vmx_topk_options);
  FIELD(vmx_topk_options, struct_size);
  FIELD(vmx_topk_options, flags);
  FIELD(vmx_topk_options, reserved);
  FIELD(vmx_topk_options, col_offset);
  FIELD(vmx_topk_options, excluded);
  STRUCT(vmx_linear);
  FIELD(vmx_linear, struct_size);
  FIELD(vmx_linear, weights);
  FIELD(vmx_linear, packed);
  FIELD(vmx_linear, bias);
  FIELD(vmx_linear, memory_limit);
  STRUCT(vmx_linear_grads);
  FIELD(vmx_linear_grads, struct_size);
  FIELD(vmx_linear_grads, flags);
  FIELD(vmx_linear_grads, reserved);
  FIELD(vmx_linear_grads, hidden);
  FIELD(vmx_linear_grads, weights);
  FIELD(vmx_linear_grads, bias);
  STRUCT(vmx_sampler_options);
  FIELD(vmx_sampler_options, struct_size);
  FIELD(vmx_sampler_options, kind);
  FIELD(vmx_sampler_options, codewords);
  FIELD(vmx_sampler_options, classes);
  FIELD(vmx_sampler_options, weights);
  FIELD(vmx_sampler_options, power);
  FIELD(vmx_sampler_options, embeddings);
  FIELD(vmx_sampler_options, temperature);
  FIELD(vmx_sampler_options, alpha);
  FIELD(vmx_sampler_options, rate);
  FIELD(vmx_sampler_options, seed);
  STRUCT(vmx_draw_options);
  FIELD(vmx_draw_options, struct_size);
  FIELD(vmx_draw_options, flags);
  FIELD(vmx_draw_options, reserved);
  FIELD(vmx_draw_options, seed);
  FIELD(vmx_draw_options, step);
  STRUCT(vmx_sampled_options);
  FIELD(vmx_sampled_options, struct_size);
  FIELD(vmx_sampled_options, loss);
  FIELD(vmx_sampled_options, correction);
  FIELD(vmx_sampled_options, score);
  FIELD(vmx_sampled_options, flags);
  FIELD(vmx_sampled_options, reduction);
  FIELD(vmx_sampled_options, reserved);
  FIELD(vmx_sampled_options, temperature);
  FIELD(vmx_sampled_options, margin);
  FIELD(vmx_sampled_options, negative_weight);
  FIELD(vmx_sampled_options, memory_limit);
  STRUCT(vmx_candidates);
  FIELD(vmx_candidates, struct_size);
  FIELD(vmx_candidates, ids);
  FIELD(vmx_candidates, log_q);
  FIELD(vmx_candidates, target_log_q);
  FIELD(vmx_candidates, identity);
  STRUCT(vmx_sparse_rows);
  FIELD(vmx_sparse_rows, struct_size);
  FIELD(vmx_sparse_rows, ids);
  FIELD(vmx_sparse_rows, rows);
  FIELD(vmx_sparse_rows, bias);
  FIELD(vmx_sparse_rows, count);
  STRUCT(vmx_sampled_grads);
  FIELD(vmx_sampled_grads, struct_size);
  FIELD(vmx_sampled_grads, hidden);
  FIELD(vmx_sampled_grads, sparse);
  FIELD(vmx_sampled_grads, table);
  FIELD(vmx_sampled_grads, bias);
  STRUCT(vmx_sampled_out);
  FIELD(vmx_sampled_out, struct_size);
  FIELD(vmx_sampled_out, loss);
  FIELD(vmx_sampled_out, total);
  FIELD(vmx_sampled_out, total_weight);
  FIELD(vmx_sampled_out, row_flags);
  FIELD(vmx_sampled_out, grad_scale);
  STRUCT(vmx_update_options);
  FIELD(vmx_update_options, struct_size);
  FIELD(vmx_update_options, optimizer);
  FIELD(vmx_update_options, reserved);
  FIELD(vmx_update_options, step);
  FIELD(vmx_update_options, lr);
  FIELD(vmx_update_options, beta1);
  FIELD(vmx_update_options, beta2);
  FIELD(vmx_update_options, eps);
  FIELD(vmx_update_options, weight_decay);
  return 0;
}
