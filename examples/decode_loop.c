/* SPDX-License-Identifier: Apache-2.0 */
/* The decode loop of an inference server: each step takes the last hidden state of every sequence to its k best tokens, their
 * log-probabilities over the whole vocabulary, and one token drawn from them. Logits are never in memory, and after the first step
 * nothing is allocated. The "model" is a table of embeddings; a server has its own in its place. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <vastmax/vastmax.h>

enum { BATCH = 3, DIM = 32, VOCABULARY = 5000, K = 20, STEPS = 6 };

static uint64_t state = 7;
static double uniform(void) { /* splitmix64, in [0, 1) */
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static vmx_matrix matrix(void *data, int64_t rows, int64_t cols, int32_t dtype) {
  vmx_matrix m = {0};
  m.data = data;
  m.rows = rows;
  m.cols = cols;
  m.row_stride = cols;
  m.col_stride = 1;
  m.dtype = dtype;
  return m;
}

static void need(vmx_status status, const char *what) {
  char message[256];
  if (status == VMX_OK) return;
  vmx_last_error(message, sizeof message);
  fprintf(stderr, "%s: %s\n", what, message);
  exit(1);
}

int main(void) {
  static float weights[VOCABULARY][DIM], hidden[BATCH][DIM];
  static float values[BATCH][K], log_probs[BATCH][K], probs[BATCH][K], lse[BATCH];
  static int32_t ids[BATCH][K];
  const float temperature = 0.8f;
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  vmx_softmax_options sampling = VMX_SOFTMAX_OPTIONS_INIT;
  vmx_linear head = VMX_LINEAR_INIT;
  vmx_context *ctx = NULL;
  vmx_workspace *ws = NULL;
  vmx_packed_weights *packed = NULL;
  vmx_matrix w, h, v, i, p;
  vmx_vector total = {0};
  int r, k, step;
  size_t warm = 0;

  if (vmx_onednn_version()[0] == '\0') {
    puts("This build has no oneDNN, which makes the products of the linear source.");
    return 0;
  }
  for (r = 0; r < VOCABULARY; ++r) {
    for (k = 0; k < DIM; ++k) weights[r][k] = (float)(uniform() - 0.5);
  }
  for (r = 0; r < BATCH; ++r) {
    for (k = 0; k < DIM; ++k) hidden[r][k] = (float)(uniform() * 4 - 2);
  }

  /* Once, at start: threads, scratch, and the output head laid out for the kernels. */
  options.threads = 2;
  need(vmx_context_create(&options, &ctx), "vmx_context_create");
  need(vmx_workspace_create(ctx, &ws), "vmx_workspace_create");
  w = matrix(weights, VOCABULARY, DIM, VMX_F32);
  need(vmx_pack_weights(ctx, &w, &packed), "vmx_pack_weights");
  head.packed = packed;

  h = matrix(hidden, BATCH, DIM, VMX_F32);
  v = matrix(values, BATCH, K, VMX_F32);
  i = matrix(ids, BATCH, K, VMX_I32);
  p = matrix(probs, BATCH, K, VMX_F32);
  total.data = lse;
  total.n = BATCH;
  total.stride = 1;
  total.dtype = VMX_F32;
  sampling.temperature = &temperature; /* stride 0: one for all rows */

  for (step = 0; step < STEPS; ++step) {
    need(vmx_linear_topk(ctx, ws, &h, &head, K, &v, &i, NULL, NULL), "vmx_linear_topk");
    need(vmx_linear_logsumexp(ctx, ws, &h, &head, &total, NULL, NULL), "vmx_linear_logsumexp");
    need(vmx_softmax(ctx, ws, &v, &p, NULL, NULL, &sampling), "vmx_softmax");
    for (r = 0; r < BATCH; ++r) {
      double left = uniform();
      int chosen = 0;
      for (k = 0; k < K; ++k) log_probs[r][k] = values[r][k] - lse[r];
      while (chosen + 1 < K && (left -= probs[r][chosen]) >= 0) ++chosen;
      printf("%s%d (%.2f)", r ? "   " : "", (int)ids[r][chosen], (double)log_probs[r][chosen]);
      /* The server's model would run here. */
      for (k = 0; k < DIM; ++k) hidden[r][k] = 0.5f * hidden[r][k] + 3.0f * weights[(ids[r][chosen] * 31 + 7) % VOCABULARY][k];
      if (!(log_probs[r][0] <= 0) || log_probs[r][0] < log_probs[r][K - 1]) return 1;
    }
    printf("\n");
    if (step == 0) warm = vmx_workspace_capacity(ws);
    if (vmx_workspace_capacity(ws) != warm) return 1; /* nothing was allocated since */
  }
  vmx_packed_weights_destroy(packed);
  vmx_workspace_destroy(ws);
  vmx_context_destroy(ctx);
  return 0;
}
