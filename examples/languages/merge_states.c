/* SPDX-License-Identifier: Apache-2.0 */
/* merge_states LOGITS ROWS COLS STATES...: merges the states that fold_shard wrote for the shards of LOGITS, in the order given, and
 * compares the log-sum-exps, bit by bit, with one call over whole rows. Exit status 1 if any differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vastmax/vastmax.h>

static int fail(const char *what, const char *file) {
  char message[256];
  vmx_last_error(message, sizeof message);
  fprintf(stderr, "merge_states: %s %s: %s\n", what, file, message);
  return 1;
}

static int read_exactly(const char *path, void *into, size_t size) {
  FILE *file = fopen(path, "rb");
  int whole = file && fread(into, 1, size, file) == size && fgetc(file) == EOF;
  if (file) fclose(file);
  return whole;
}

int main(int argc, char **argv) {
  long rows, cols, r;
  int i, different = 0;
  float *logits, *whole, *merged;
  vmx_lse_state *total, *part;
  vmx_matrix x = {0};
  vmx_vector lse = {0};

  if (argc < 5) {
    fprintf(stderr, "usage: merge_states LOGITS ROWS COLS STATES...\n");
    return 2;
  }
  rows = atol(argv[2]), cols = atol(argv[3]);
  if (rows < 1 || cols < 1) return fail("ROWS and COLS must be positive:", argv[2]);
  logits = malloc((size_t)rows * (size_t)cols * sizeof *logits);
  whole = malloc((size_t)rows * sizeof *whole);
  merged = malloc((size_t)rows * sizeof *merged);
  total = calloc((size_t)rows, sizeof *total);
  part = calloc((size_t)rows, sizeof *part);
  if (!logits || !whole || !merged || !total || !part) return fail("out of memory for", argv[1]);
  if (!read_exactly(argv[1], logits, (size_t)(rows * cols) * sizeof *logits)) return fail("cannot read", argv[1]);

  for (i = 4; i < argc; ++i) {
    if (!read_exactly(argv[i], part, (size_t)rows * sizeof *part)) return fail("cannot read", argv[i]);
    if (vmx_lse_merge(total, part, rows) != VMX_OK) return fail("vmx_lse_merge of", argv[i]);
  }
  lse.n = rows;
  lse.stride = 1;
  lse.dtype = VMX_F32;
  lse.data = merged;
  if (vmx_lse_finish(total, rows, NULL, &lse, NULL, NULL) != VMX_OK) return fail("vmx_lse_finish of", argv[1]);

  x.data = logits;
  x.rows = rows;
  x.cols = cols;
  x.row_stride = cols;
  x.col_stride = 1;
  x.dtype = VMX_F32;
  lse.data = whole;
  if (vmx_logsumexp(NULL, NULL, &x, &lse, NULL, NULL) != VMX_OK) return fail("vmx_logsumexp of", argv[1]);

  for (r = 0; r < rows; ++r) {
    if (memcmp(&merged[r], &whole[r], sizeof *whole) != 0) {
      fprintf(stderr, "row %ld: %.9g from the shards, %.9g from one call\n", r, (double)merged[r], (double)whole[r]);
      different = 1;
    }
  }
  if (!different) printf("%ld rows of %ld classes from %d shards: the same bits as one call\n", rows, cols, argc - 4);
  free(logits), free(whole), free(merged), free(total), free(part);
  return different;
}
