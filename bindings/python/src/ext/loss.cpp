// SPDX-License-Identifier: Apache-2.0
// What the losses share.
#include "loss.hpp"

namespace vmxpy {

bool optional_out(Array &array, nb::handle object, const char *argument, const Array &like, int ndim, const int64_t *shape,
                  int32_t dtype, bool needed) {
  if (object.ptr() == Py_False) return false;
  if (object.is_none() || object.ptr() == Py_True) {
    if (object.is_none() && !needed) return false;
    array.make(like, ndim, shape, dtype);
    return true;
  }
  array.open_out(object, argument);
  array.need_shape(ndim, shape);
  return true;
}

bool flags_out(Array &array, nb::handle object, const Array &like, int ndim, const int64_t *shape, bool needed) {
  if (!optional_out(array, object, "flags_out", like, ndim, shape, dtype_u32, needed)) return false;
  array.need_dtype(dtype_u32);
  if (!array.contiguous()) raise(VMX_ERR_VALUE, "flags_out is not contiguous");
  return true;
}

void CrossEntropyOptions::open(const char *reduction, int64_t ignore_index, double label_smoothing, bool smooth_unmasked,
                               nb::handle weight, double softcap, double z_loss) {
  c.reduction = enumerator(k_reduce_names, "reduction", reduction);
  c.ignore_index = ignore_index;
  c.label_smoothing = label_smoothing;
  if (smooth_unmasked) c.flags |= VMX_SMOOTH_UNMASKED;
  c.softcap = softcap;
  c.z_loss = z_loss;
  if (!weight.is_none()) {
    class_weight.open(weight, "class_weight");
    c.class_weight = class_weight.vector();
  }
}

vmx_csr target_list(const Lists &targets, const Batch &batch, int ids) {
  if (ids < 0) return targets.csr();
  const int32_t type = targets.ids.dtype;
  if (type != VMX_I32 && type != VMX_I64) {
    raise(VMX_ERR_DTYPE, "targets has dtype %s; it must be int32 or int64", dtype_name(type));
  }
  return {no_ids(), {batch.data(ids), batch.rows(), batch.row_stride(ids), type, 0}, no_vector()};
}

} // namespace vmxpy
