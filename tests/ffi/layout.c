// SPDX-License-Identifier: Apache-2.0
// Prints where the C compiler puts the fields of the public structs: "struct field offset size", and "struct - 0 size" for
// the whole. Declarations made by hand elsewhere are held against it.
#include <vastmax/vastmax.h>

#include <stddef.h>
#include <stdio.h>

#define STRUCT(type) printf(#type " - 0 %zu\n", sizeof(type))
#define FIELD(type, field) \
  printf(#type " " #field " %zu %zu\n", offsetof(type, field), sizeof(((type *)0)->field))

#define FIELDS_2(t, a, b) STRUCT(t), FIELD(t, a), FIELD(t, b)
#define FIELDS_3(t, a, b, c) FIELDS_2(t, a, b), FIELD(t, c)
#define FIELDS_5(t, a, b, c, d, e) FIELDS_3(t, a, b, c), FIELD(t, d), FIELD(t, e)
#define FIELDS_6(t, a, b, c, d, e, f) FIELDS_5(t, a, b, c, d, e), FIELD(t, f)
#define FIELDS_7(t, a, b, c, d, e, f, g) FIELDS_6(t, a, b, c, d, e, f), FIELD(t, g)
#define FIELDS_8(t, a, b, c, d, e, f, g, h) FIELDS_7(t, a, b, c, d, e, f, g), FIELD(t, h)
#define FIELDS_10(t, a, b, c, d, e, f, g, h, i, j) FIELDS_8(t, a, b, c, d, e, f, g, h), FIELD(t, i), FIELD(t, j)
#define FIELDS_11(t, a, b, c, d, e, f, g, h, i, j, k) FIELDS_10(t, a, b, c, d, e, f, g, h, i, j), FIELD(t, k)

int main(void) {
  FIELDS_7(vmx_matrix, data, rows, cols, row_stride, col_stride, dtype, reserved);
  FIELDS_5(vmx_vector, data, n, stride, dtype, reserved);
  FIELDS_5(vmx_ids, data, n, stride, type, base);
  FIELDS_3(vmx_csr, indptr, ids, weights);
  FIELDS_8(vmx_context_options, struct_size, isa, threads, parallel_for, parallel_for_user, alloc, free, alloc_user);
  FIELDS_5(vmx_softmax_options, struct_size, flags, reserved, temperature, temperature_stride);
  FIELDS_11(vmx_lse_state, version, flags, wz_bin, w_bin, count, max, ref, sum, entropy, sum_wz, sum_w);
  FIELDS_2(vmx_lse_short, max, sum);
  FIELDS_7(vmx_lse_options, struct_size, flags, reserved, temperature, temperature_stride, class_weight, skip);
  FIELDS_10(vmx_cross_entropy_options, struct_size, flags, reduction, ignore_index, label_smoothing, softcap, z_loss,
            class_weight, temperature, temperature_stride);
  FIELDS_10(vmx_cross_entropy_out, struct_size, loss, z_loss, lse, total, total_z_loss, total_weight, row_flags, grad,
            grad_scale);
  FIELDS_5(vmx_topk_options, struct_size, flags, reserved, col_offset, excluded);
  FIELDS_5(vmx_linear, struct_size, weights, packed, bias, memory_limit);
  FIELDS_6(vmx_linear_grads, struct_size, flags, reserved, hidden, weights, bias);
  FIELDS_11(vmx_sampler_options, struct_size, kind, codewords, classes, weights, power, embeddings, temperature, alpha, rate,
            seed);
  FIELDS_5(vmx_draw_options, struct_size, flags, reserved, seed, step);
  return 0;
}
