// SPDX-License-Identifier: Apache-2.0
// vmx_lse_state from block sums, and its exact merge.
#pragma once

#include <vastmax/vastmax.h>

#include "core/block_stats.hpp"
#include "core/exp_params.hpp"
#include "core/lse_sum.hpp"

namespace vmx {

constexpr uint8_t kStateVersion = 1;
constexpr uint32_t kStateHas = VMX_STATE_HAS_SUMS | VMX_STATE_HAS_ENTROPY;

/// The sum of exponentials alone.
LseSum sum_of(const vmx_lse_state& state);
/// A state of one block. has: the VMX_STATE_HAS_* it is to carry.
vmx_lse_state block_state(const LseSum& sum, const BlockStats& stats, int64_t columns, uint32_t has,
                          const ExpParams& params);
/// Exactly associative and commutative; the states' HAS flags agree.
void merge_states(vmx_lse_state& into, const vmx_lse_state& from);

/// Signed sums of w z/T and of w.
double state_sum_wz(const vmx_lse_state& state);
double state_sum_w(const vmx_lse_state& state);
/// In nats; NaN unless the row is finite and not empty.
double state_entropy(const vmx_lse_state& state);

/// Whether a fold or a merge can have made its sums and maximum: other bytes would overflow in later merges.
bool state_sound(const vmx_lse_state& state);

/// The version known, and HAS flags that fit `has` unless the state is empty.
bool state_fits(const vmx_lse_state& state, uint32_t has);

}  // namespace vmx
