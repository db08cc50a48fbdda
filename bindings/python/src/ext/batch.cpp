// SPDX-License-Identifier: Apache-2.0
// The walk over batch axes.
#include "ext.hpp"

namespace vmxpy {

Batch::Batch(const Array &x, int axis) : axis_(axis) {
  for (int i = 0; i < x.ndim; ++i) {
    if (i != axis) shape_[ndim_++] = x.shape[i];
  }
  batch_ndim_ = ndim_;
  for (int i = 0; i < ndim_; ++i) batch_shape_[i] = shape_[i];
}

Batch::Operand &Batch::next(const Array &array) {
  Operand &o = operands_[count_++];
  o.data = array.data;
  o.item = item_size(array.dtype);
  return o;
}

int Batch::add_matrix(const Array &array) {
  Operand &o = next(array);
  for (int i = 0, j = 0; i < array.ndim; ++i) {
    if (i != axis_) o.stride[j++] = array.stride[i];
  }
  return count_ - 1;
}

int Batch::add_vector(const Array &array) {
  array.need_shape(batch_ndim_, batch_shape_);
  Operand &o = next(array);
  for (int i = 0; i < array.ndim; ++i) o.stride[i] = array.stride[i];
  return count_ - 1;
}

int Batch::add_broadcast(const Array &array) {
  if (array.size() != 1) return add_vector(array);
  Operand &o = next(array);
  for (int i = 0; i < batch_ndim_; ++i) o.stride[i] = 0;
  return count_ - 1;
}

int Batch::add_nothing() {
  Operand &o = operands_[count_++];
  o.data = nullptr;
  o.item = 0;
  for (int i = 0; i < batch_ndim_; ++i) o.stride[i] = 0;
  return count_ - 1;
}

int64_t Batch::size() const {
  int64_t n = 1;
  for (int i = 0; i < batch_ndim_; ++i) n *= batch_shape_[i];
  return n;
}

void Batch::join() {
  int to = 0;
  bool empty = false;
  for (int from = 0; from < ndim_; ++from) {
    if (shape_[from] == 0) empty = true;
    if (shape_[from] == 1) continue;
    // An axis that runs on where the one inside it ends is part of it.
    bool joins = to > 0;
    for (int i = 0; joins && i < count_; ++i) {
      const int64_t *s = operands_[i].stride;
      joins = !operands_[i].data || s[to - 1] == s[from] * shape_[from];
    }
    if (joins) {
      shape_[to - 1] *= shape_[from];
      for (int i = 0; i < count_; ++i) operands_[i].stride[to - 1] = operands_[i].stride[from];
    } else {
      shape_[to] = shape_[from];
      for (int i = 0; i < count_; ++i) operands_[i].stride[to] = operands_[i].stride[from];
      ++to;
    }
  }
  ndim_ = to;
  if (to == 0 || empty) {
    ndim_ = 1;
    shape_[0] = empty ? 0 : 1;
    for (int i = 0; i < count_; ++i) operands_[i].stride[0] = 0;
  }
}

void Batch::need_single(const char *argument) const {
  if (single()) return;
  char text[256];
  raise(VMX_ERR_SHAPE,
        "%s: its axes other than the classes, of shape %s, cannot be seen as one without a copy; move the class axis to the end and "
        "make it contiguous",
        argument, shape_text(batch_ndim_, batch_shape_, text));
}

} // namespace vmxpy
