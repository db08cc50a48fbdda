/* SPDX-License-Identifier: Apache-2.0 */
/* A row's log-sum-exp, n times, for overhead.jl: the loop that a C program would have. The clock is read here, so that both
 * languages measure in one process. */
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#include <vastmax/vastmax.h>

double time_logsumexp(float *scores, int64_t cols, float *lse, int64_t n) {
  struct timespec start, end;
  int64_t i;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (i = 0; i < n; ++i) {
    vmx_matrix x = {0};
    vmx_vector out = {0};
    x.data = scores;
    x.rows = 1;
    x.cols = cols;
    x.row_stride = cols;
    x.col_stride = 1;
    x.dtype = VMX_F32;
    out.data = lse;
    out.n = 1;
    out.stride = 1;
    out.dtype = VMX_F32;
    if (vmx_logsumexp(NULL, NULL, &x, &out, NULL, NULL) != VMX_OK) return -1;
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / (double)n;
}
