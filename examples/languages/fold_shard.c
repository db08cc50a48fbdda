/* SPDX-License-Identifier: Apache-2.0 */
/* fold_shard LOGITS ROWS COLS FROM TO OUT: folds columns [FROM, TO) of a file of ROWS x COLS floats (row-major, little-endian) into
 * a state for each row, and writes the states as they are. fold_shard.jl and fold_shard.rs do the same in Julia and Rust. */
#include <stdio.h>
#include <stdlib.h>
#include <vastmax/vastmax.h>

static int fail(const char *what) {
  char message[256];
  vmx_last_error(message, sizeof message);
  fprintf(stderr, "fold_shard: %s: %s\n", what, message);
  return 1;
}

int main(int argc, char **argv) {
  long rows, cols, from, to;
  float *logits;
  vmx_lse_state *states;
  vmx_matrix shard = {0};
  FILE *file;

  if (argc != 7) {
    fprintf(stderr, "usage: fold_shard LOGITS ROWS COLS FROM TO OUT\n");
    return 2;
  }
  rows = atol(argv[2]), cols = atol(argv[3]), from = atol(argv[4]), to = atol(argv[5]);
  if (rows < 1 || cols < 1 || from < 0 || from > to || to > cols) return fail("0 <= FROM <= TO <= COLS is wanted");
  logits = malloc((size_t)rows * (size_t)cols * sizeof *logits);
  states = calloc((size_t)rows, sizeof *states); /* all-zero bytes are the empty state */
  file = fopen(argv[1], "rb");
  if (!logits || !states || !file || fread(logits, sizeof *logits, (size_t)(rows * cols), file) != (size_t)(rows * cols)) {
    return fail("cannot read LOGITS");
  }
  fclose(file);

  shard.data = logits + from;
  shard.rows = rows;
  shard.cols = to - from;
  shard.row_stride = cols;
  shard.col_stride = 1;
  shard.dtype = VMX_F32;
  if (vmx_lse_fold(NULL, NULL, &shard, from, states, NULL) != VMX_OK) return fail("vmx_lse_fold");

  file = fopen(argv[6], "wb");
  if (!file || fwrite(states, sizeof *states, (size_t)rows, file) != (size_t)rows || fclose(file) != 0) return fail("cannot write OUT");
  free(logits);
  free(states);
  return 0;
}
