/* SPDX-License-Identifier: Apache-2.0 */
/* Tells which ISA a context uses here, and the bits of some results. Public API only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vastmax/vastmax.h>

#define MAX_COLS 10007

static double scores64[MAX_COLS], probabilities64[MAX_COLS];
static float scores32[MAX_COLS], probabilities32[MAX_COLS];
static uint16_t scores16[MAX_COLS], probabilities16[MAX_COLS];

static void fail(const char *what, vmx_status status) {
  char text[512];
  vmx_last_error(text, sizeof text);
  fprintf(stderr, "%s: status %d: %s\n", what, (int)status, text);
  exit(1);
}

static void bits(const char *name, int64_t cols, const void *data, size_t size) {
  const unsigned char *byte = (const unsigned char *)data;
  uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a: enough to tell one result from another */
  size_t i;
  for (i = 0; i < size; ++i) hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
  printf("bits %s %d: %08lx%08lx\n", name, (int)cols, (unsigned long)(hash >> 32),
         (unsigned long)(hash & UINT64_C(0xffffffff)));
}

static void run(const vmx_context *ctx, const char *name, int32_t dtype, size_t element, int64_t cols, void *in,
                void *out) {
  double lse64 = 0;
  float lse32 = 0;
  vmx_matrix x = {NULL, 1, 0, 0, 1, 0, 0}, y;
  vmx_vector lse = {NULL, 1, 1, 0, 0};
  vmx_status status;
  x.data = in;
  x.cols = x.row_stride = cols;
  x.dtype = dtype;
  y = x;
  y.data = out;
  lse.dtype = dtype == VMX_F64 ? VMX_F64 : VMX_F32;
  lse.data = dtype == VMX_F64 ? (void *)&lse64 : (void *)&lse32;
  status = vmx_softmax(ctx, NULL, &x, &y, &lse, NULL, NULL);
  if (status != VMX_OK) fail("vmx_softmax", status);
  bits(name, cols, out, (size_t)cols * element);
  if (dtype == VMX_F64) {
    bits(name, cols, &lse64, sizeof lse64);
  } else {
    bits(name, cols, &lse32, sizeof lse32);
  }
  status = vmx_logsumexp(ctx, NULL, &x, &lse, NULL, NULL);
  if (status != VMX_OK) fail("vmx_logsumexp", status);
  if (dtype == VMX_F64) {
    bits(name, cols, &lse64, sizeof lse64);
  } else {
    bits(name, cols, &lse32, sizeof lse32);
  }
}

int main(void) {
  static const int64_t lengths[] = {1, 17, 63, 64, 65, 4095, 4096, 4097, MAX_COLS};
  vmx_context *ctx = NULL;
  uint32_t state = 1;
  int32_t isa;
  size_t i;
  vmx_status status = vmx_context_create(NULL, &ctx);
  if (status != VMX_OK) {
    char text[512];
    vmx_last_error(text, sizeof text);
    printf("refused: status %d: %s\n", (int)status, text);
    return 1;
  }
  printf("active: %s\nusable:", vmx_isa_name(vmx_isa_active(ctx)));
  for (isa = 0; isa < vmx_isa_count(); ++isa) {
    if (vmx_isa_usable(vmx_isa_id(isa))) printf(" %s", vmx_isa_name(vmx_isa_id(isa)));
  }
  printf("\n");

  for (i = 0; i < MAX_COLS; ++i) {
    state = state * 1664525u + 1013904223u;
    scores32[i] = (float)(int32_t)state * (1.0f / 67108864.0f); /* within +-32 */
    scores64[i] = (double)scores32[i] + 1e-9 * (double)(state & 1023u);
    memcpy(&state, &scores32[i], 4);
    scores16[i] = (uint16_t)(state >> 16); /* bf16, truncated */
    state = (uint32_t)i * 2654435761u;
  }
  for (i = 0; i < sizeof lengths / sizeof lengths[0]; ++i) {
    run(ctx, "f32", VMX_F32, 4, lengths[i], scores32, probabilities32);
    run(ctx, "f64", VMX_F64, 8, lengths[i], scores64, probabilities64);
    run(ctx, "bf16", VMX_BF16, 2, lengths[i], scores16, probabilities16);
  }
  for (i = 0; i < MAX_COLS; ++i) scores16[i] = (uint16_t)((i * 7919u) % 0x5000u); /* f16, 0 to 32 */
  for (i = 0; i < sizeof lengths / sizeof lengths[0]; ++i) {
    run(ctx, "f16", VMX_F16, 2, lengths[i], scores16, probabilities16);
  }
  vmx_context_destroy(ctx);
  return 0;
}
