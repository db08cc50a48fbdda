// SPDX-License-Identifier: Apache-2.0
// What the losses share: options, totals, outputs that may be asked for by True.
#pragma once

#include "ext.hpp"

namespace vmxpy {

/// An output by an argument that is None (a new array if needed), False (not wanted), True (a new array), or an array. Whether
/// it is wanted.
bool optional_out(Array &array, nb::handle object, const char *argument, const Array &like, int ndim, const int64_t *shape,
                  int32_t dtype, bool needed = false);
/// The same for row flags, which are contiguous.
bool flags_out(Array &array, nb::handle object, const Array &like, int ndim, const int64_t *shape, bool needed = false);

struct CrossEntropyOptions {
  vmx_cross_entropy_options c = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  Array class_weight;
  void open(const char *reduction, int64_t ignore_index, double label_smoothing, bool smooth_unmasked, nb::handle weight,
            double softcap, double z_loss);
};

/// Targets as the library takes them; ids is the operand of batch that holds one id a row, if that is what they are.
vmx_csr target_list(const Lists &targets, const Batch &batch, int ids);

/// Totals of a loss, as arrays without axes.
class Totals {
 public:
  explicit Totals(const Array &like) : like_(like) {}
  double *total() { return place(total_); }
  double *z_loss() { return place(z_loss_); }
  double *weight() { return place(weight_); }
  nb::object total_result() { return total_.result(); }
  nb::object z_loss_result() { return z_loss_.result(); }
  nb::object weight_result() { return weight_.result(); }

 private:
  double *place(Array &array) {
    array.make(like_, 0, nullptr, VMX_F64);
    return reinterpret_cast<double *>(array.data);
  }
  const Array &like_;
  Array total_, z_loss_, weight_;
};

} // namespace vmxpy
