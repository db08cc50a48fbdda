// SPDX-License-Identifier: Apache-2.0
// Checks that several entry points share. Names in messages are those of the header.
#pragma once

#include "core/options.hpp"
#include "core/views.hpp"
#include "ops/rows.hpp"
#include "ops/targets_list.hpp"

namespace vmx {

/// f32, or f64 for f64 scores.
inline unsigned result_dtype(const vmx_matrix& x) { return x.dtype == VMX_F64 ? kF64 : kF32; }

/// An output vector that may be NULL or empty: not wanted.
vmx_status check_optional_result(const vmx_vector* v, const char* name, const vmx_matrix& x);

/// The struct and its flags alone; then also the temperatures.
vmx_status read_softmax_options(const vmx_softmax_options* given, vmx_softmax_options* out);
vmx_status check_softmax_options(const vmx_softmax_options* given, int64_t rows, vmx_softmax_options* out);
vmx_status check_class_weight(const vmx_vector& w, int64_t cols);

struct NamedExtent {
  Extent extent;
  const char* name;
};
/// Of options with a temperature: one input more.
template <class Options>
NamedExtent temperature_extent(const Options& o, int64_t rows) {
  return {extent(temperature_view({o.temperature, o.temperature_stride}, rows)), "options.temperature"};
}
/// Every pair of outputs, and every output with every input, apart.
vmx_status check_apart(const NamedExtent* outputs, int n_outputs, const NamedExtent* inputs, int n_inputs);

/// Labels, CSR lists and their base; not yet their values.
vmx_status check_targets_views(const vmx_csr* targets);

}  // namespace vmx
