// SPDX-License-Identifier: Apache-2.0
// What the user did or has wrong: printed as it is, without a stack or a "please report".
#pragma once

#include <stdexcept>
#include <string>

#include "vastmax/vastmax.h"

namespace tool {

struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws what vmx_last_error says unless status is VMX_OK.
inline void check(vmx_status status) {
  if (status == VMX_OK) return;
  char text[512];
  vmx_last_error(text, sizeof text);
  throw std::runtime_error(text[0] != '\0' ? text : vmx_status_string(status));
}

}  // namespace tool
