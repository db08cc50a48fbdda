/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <vastmax/vastmax.h>

int main(void) {
  float scores[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  float lse = 0.0f;
  vmx_matrix x = {NULL, 1, 4, 4, 1, VMX_F32, 0};
  vmx_vector out = {NULL, 1, 1, VMX_F32, 0};
  vmx_status status;
  x.data = scores;
  out.data = &lse;
  status = vmx_logsumexp(NULL, NULL, &x, &out, NULL, NULL);
  if (status != VMX_OK) {
    fprintf(stderr, "vmx_logsumexp: %s\n", vmx_status_string(status));
    return 1;
  }
  printf("vastmax %s: logsumexp of four zeros is %.6f\n", vmx_version_string(), (double)lse);
  return vmx_version() == VMX_VERSION && lse > 1.38629f && lse < 1.38630f ? 0 : 1; /* log 4 */
}
