/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that a C program would have around a call on one row, n times: what the overhead benches of Julia and Python load and
 * compare with. The clock is read here, so that both languages measure in one process. (Rust's bench calls the C ABI itself.) */
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#include <vastmax/vastmax.h>

enum { LOGSUMEXP, SOFTMAX, CROSS_ENTROPY, TOPK };

/* Nanoseconds a call, or -1. y has as many places as scores; the k best are the k first of it. */
double time_call(int which, float *scores, float *y, int64_t cols, int64_t n) {
  static int64_t ids[10], label[1] = {3};
  float lse[1];
  double total;
  struct timespec start, end;
  int64_t i;
  vmx_status status = VMX_OK;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (i = 0; i < n && status == VMX_OK; ++i) {
    vmx_matrix x = {scores, 1, cols, cols, 1, VMX_F32, 0};
    if (which == LOGSUMEXP) {
      vmx_vector out = {lse, 1, 1, VMX_F32, 0};
      status = vmx_logsumexp(NULL, NULL, &x, &out, NULL, NULL);
    } else if (which == SOFTMAX) {
      vmx_matrix out = {y, 1, cols, cols, 1, VMX_F32, 0};
      status = vmx_softmax(NULL, NULL, &x, &out, NULL, NULL, NULL);
    } else if (which == CROSS_ENTROPY) {
      vmx_csr targets = {{NULL, 0, 0, 0, 0}, {label, 1, 1, VMX_I64, 0}, {NULL, 0, 0, 0, 0}};
      vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
      vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
      options.reduction = VMX_REDUCE_MEAN;
      out.total = &total;
      status = vmx_cross_entropy(NULL, NULL, &x, &targets, &out, &options);
    } else {
      vmx_matrix values_out = {y, 1, 10, 10, 1, VMX_F32, 0}, ids_out = {ids, 1, 10, 10, 1, VMX_I64, 0};
      status = vmx_topk(NULL, NULL, &x, 10, &values_out, &ids_out, NULL, NULL);
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (status != VMX_OK) return -1;
  return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / (double)n;
}
