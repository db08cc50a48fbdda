/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a Markdown table: the largest errors of the dense kernels over rows of random scores, against long double, and what part
 * of the promised bound that is. Exit status 1 if a bound does not hold. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <vastmax/vastmax.h>

enum { ROWS = 40, MOST = 20000 };

static uint64_t state = 1;
static double uniform(void) {
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static float x32[ROWS * MOST], y32[ROWS * MOST], l32[ROWS];
static double x64[ROWS * MOST], y64[ROWS * MOST], l64[ROWS];
static long double exact_lse[ROWS], top[ROWS];

typedef vmx_status (*softmax_like)(const vmx_context *, vmx_workspace *, const vmx_matrix *, const vmx_matrix *, const vmx_vector *,
                                   uint32_t *, const vmx_softmax_options *);

int main(void) {
  static const int lengths[] = {10, 1000, MOST};
  static const double spreads[] = {1, 10, 80};
  int d, l, s, r, c, bad = 0;
  printf("| scores | classes | spread | log-sum-exp, u | of its bound | softmax, relative u | log-softmax, u | of its bound |\n|---|---|---|---|---|---|---|---|\n");
  for (d = 0; d < 2; ++d) {
    for (l = 0; l < 3; ++l) {
      for (s = 0; s < 3; ++s) {
        const int cols = lengths[l];
        const double u = d ? 0x1p-53 : 0x1p-24;
        vmx_matrix x = {d ? (void *)x64 : (void *)x32, ROWS, cols, cols, 1, d ? VMX_F64 : VMX_F32, 0};
        vmx_matrix y = {d ? (void *)y64 : (void *)y32, ROWS, cols, cols, 1, d ? VMX_F64 : VMX_F32, 0};
        vmx_vector lse = {d ? (void *)l64 : (void *)l32, ROWS, 1, d ? VMX_F64 : VMX_F32, 0};
        double worst_lse = 0, part_lse = 0, worst_softmax = 0, worst_log = 0, part_log = 0;
        for (r = 0; r < ROWS; ++r) {
          long double sum = 0;
          top[r] = -LDBL_MAX;
          for (c = 0; c < cols; ++c) {
            const int i = r * cols + c;
            x32[i] = (float)((uniform() - 0.5) * 2 * spreads[s]);
            x64[i] = d ? (uniform() - 0.5) * 2 * spreads[s] : (double)x32[i];
            if (x64[i] > (double)top[r]) top[r] = x64[i];
          }
          for (c = 0; c < cols; ++c) sum += expl((long double)x64[r * cols + c] - top[r]);
          exact_lse[r] = top[r] + logl(sum);
        }
        if (vmx_logsumexp(NULL, NULL, &x, &lse, NULL, NULL) != VMX_OK) return 1;
        for (r = 0; r < ROWS; ++r) {
          const double error = (double)fabsl((d ? (long double)l64[r] : (long double)l32[r]) - exact_lse[r]) / u;
          const double bound = fmax(1, fabs((double)exact_lse[r])) + 16;
          worst_lse = fmax(worst_lse, error);
          part_lse = fmax(part_lse, error / bound);
        }
        if (vmx_softmax(NULL, NULL, &x, &y, NULL, NULL, NULL) != VMX_OK) return 1;
        for (r = 0; r < ROWS; ++r) {
          for (c = 0; c < cols; ++c) {
            const int i = r * cols + c;
            const long double exact = expl((long double)x64[i] - exact_lse[r]);
            const double error = (double)(fabsl((d ? (long double)y64[i] : (long double)y32[i]) - exact) / exact) / u;
            const double bound = 8 + (double)(top[r] - (long double)x64[i]) + 1; /* rounded once more */
            if (exact < 0x1p-126L) continue;
            worst_softmax = fmax(worst_softmax, error);
            if (error > bound) bad = 1;
          }
        }
        if (vmx_log_softmax(NULL, NULL, &x, &y, NULL, NULL, NULL) != VMX_OK) return 1;
        for (r = 0; r < ROWS; ++r) {
          for (c = 0; c < cols; ++c) {
            const int i = r * cols + c;
            const long double exact = (long double)x64[i] - exact_lse[r];
            const double error = (double)fabsl((d ? (long double)y64[i] : (long double)y32[i]) - exact) / u;
            const double bound = 2 * fmax(1, fmax(fabs((double)top[r]), fmax(fabs((double)exact), fabs((double)exact_lse[r])))) + 16;
            worst_log = fmax(worst_log, error);
            part_log = fmax(part_log, error / bound);
          }
        }
        if (part_lse > 1 || part_log > 1) bad = 1;
        printf("| %s | %d | ±%g | %.2f | %.0f %% | %.2f | %.2f | %.0f %% |\n", d ? "f64" : "f32", cols, spreads[s], worst_lse, 100 * part_lse,
               worst_softmax, worst_log, 100 * part_log);
      }
    }
  }
  if (bad) fprintf(stderr, "accuracy: a bound of the header does not hold\n");
  return bad;
}
