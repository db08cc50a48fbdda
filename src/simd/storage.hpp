// SPDX-License-Identifier: Apache-2.0
// Storage types of 16-bit floats: told apart from integers and from each other by type.
#pragma once

#include <cstdint>

namespace vmx {

struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};

}  // namespace vmx
