/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <vastmax/vastmax.h>

int main(void) {
  float scores[2][4] = {{1, 2, 3, 4}, {4, 4, 4, 4}};
  float lse[2];
  /* data, rows, cols, strides in elements, dtype */
  vmx_matrix x = {scores, 2, 4, 4, 1, VMX_F32, 0};
  vmx_vector out = {lse, 2, 1, VMX_F32, 0};

  /* No context: the best ISA of this CPU, the calling thread only. No workspace, no flags, default options. */
  if (vmx_logsumexp(NULL, NULL, &x, &out, NULL, NULL) != VMX_OK) {
    char message[256];
    vmx_last_error(message, sizeof message);
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  printf("%f %f\n", lse[0], lse[1]);
  return 0;
}
