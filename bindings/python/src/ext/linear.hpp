// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ext.hpp"

namespace vmxpy {

struct PackedWeights {
  vmx_packed_weights *packed = nullptr;
  int64_t classes = 0, dim = 0;
  nb::object context; // whose allocator it uses
  PackedWeights(nb::handle weights, nb::object context);
  ~PackedWeights() { vmx_packed_weights_destroy(packed); }
  PackedWeights(const PackedWeights &) = delete;
};

} // namespace vmxpy
