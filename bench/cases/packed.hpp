// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "case.hpp"

namespace bench {

// Weights that the library packed once.
class PackedWeights {
 public:
  PackedWeights(const vmx_context* context, const vmx_matrix& weights) {
    require(vmx_pack_weights(context, &weights, &made_));
  }
  ~PackedWeights() { vmx_packed_weights_destroy(made_); }
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;
  const vmx_packed_weights* get() const { return made_; }

 private:
  vmx_packed_weights* made_ = nullptr;
};

}  // namespace bench
