// SPDX-License-Identifier: Apache-2.0
// Errors, and arguments that many functions take.
#include "ext.hpp"

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

namespace vmxpy {

nb::handle Helper::get() {
  PyObject *found = found_.load(std::memory_order_acquire);
  if (!found) {
    found = nb::object(nb::module_::import_((std::string("vastmax.") + module_).c_str()).attr(name_)).release().ptr();
    found_.store(found, std::memory_order_release);
  }
  return found;
}

namespace {
Helper error_of_status("_errors", "of_status");

/// What a parallel_for of Python raised in this thread's call. No object with a destructor: a thread may end without the GIL.
thread_local PyObject *raised = nullptr;

[[noreturn]] void raise_text(vmx_status status, const char *text) {
  nb::object error = error_of_status(static_cast<int>(status), text);
  if (status == VMX_ERR_CALLBACK && raised) PyException_SetCause(error.ptr(), std::exchange(raised, nullptr));
  PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(error.ptr())), error.ptr());
  throw nb::python_error();
}
} // namespace

void raise(vmx_status status, const char *format, ...) {
  char text[1024];
  va_list list;
  va_start(list, format);
  std::vsnprintf(text, sizeof text, format, list);
  va_end(list);
  raise_text(status, text);
}

void keep_raised(nb::object exception) {
  Py_XDECREF(raised);
  raised = exception.release().ptr();
}

void check(vmx_status status) {
  if (status == VMX_OK) return;
  if (status == VMX_ERR_CALLBACK && raised && !PyObject_IsInstance(raised, PyExc_Exception)) {
    nb::object exit = nb::steal(std::exchange(raised, nullptr)); // KeyboardInterrupt, SystemExit
    PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(exit.ptr())), exit.ptr());
    throw nb::python_error();
  }
  char text[1024];
  vmx_last_error(text, sizeof text);
  raise_text(status, text);
}

int32_t enumerator(const Name *names, size_t count, const char *argument, const char *text) {
  std::string known;
  for (size_t i = 0; i < count; ++i) {
    if (std::strcmp(names[i].name, text) == 0) return names[i].value;
    known += known.empty() ? "'" : ", '";
    known += names[i].name;
    known += '\'';
  }
  raise(VMX_ERR_VALUE, "%s is '%s'; it must be one of %s", argument, text, known.c_str());
}

vmx_matrix no_matrix() { return {nullptr, 0, 0, 0, 0, 0, 0}; }
vmx_vector no_vector() { return {nullptr, 0, 0, 0, 0}; }
vmx_ids no_ids() { return {nullptr, 0, 0, 0, 0}; }

vmx_matrix view(char *data, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride, int32_t dtype) {
  return {data, rows, cols, row_stride, col_stride, dtype, 0};
}
vmx_vector view(char *data, int64_t n, int64_t stride, int32_t dtype) { return {data, n, stride, dtype, 0}; }

int64_t integer(nb::handle object, const char *argument) {
  nb::object number = nb::steal(PyNumber_Index(object.ptr()));
  if (!number) {
    PyErr_Clear();
    raise(VMX_ERR_DTYPE, "%s is of type %s; it must be an integer", argument, Py_TYPE(object.ptr())->tp_name);
  }
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow) raise(VMX_ERR_SIZE, "%s does not fit 64 bits", argument);
  return value;
}

void Temperature::open(nb::handle value) {
  if (value.is_none()) return;
  if (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr())) {
    const double number = PyFloat_AsDouble(value.ptr());
    if (number == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      raise(VMX_ERR_VALUE, "temperature is an integer too large for a float");
    }
    value_ = static_cast<float>(number);
    given_ = true;
    return;
  }
  array_.open(value, "temperature");
  array_.need_dtype(VMX_F32);
}

Temperature::Temperature(nb::handle value, const Batch &batch) {
  open(value);
  if (array_.given() && array_.size() != 1) array_.need_shape(batch.ndim(), batch.shape());
}

Temperature::Temperature(nb::handle value, int64_t rows) {
  open(value);
  if (array_.given() && array_.size() != 1) array_.need_shape(1, &rows);
}

void Temperature::check_all() const {
  if (!array_.given()) return;
  const int64_t n = array_.size();
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = i, at = 0;
    for (int d = array_.ndim - 1; d >= 0; --d) {
      at += rest % array_.shape[d] * array_.stride[d];
      rest /= array_.shape[d];
    }
    const float t = reinterpret_cast<const float *>(array_.data)[at];
    if (std::isnan(t) || t < 0) {
      raise(VMX_ERR_VALUE, "temperature: element %lld is %g; it must be at least 0", static_cast<long long>(i), t);
    }
  }
}

void Lists::open(nb::handle object, const char *argument) {
  if (!PyTuple_Check(object.ptr())) {
    ids.open(object, argument);
    return;
  }
  const Py_ssize_t n = PyTuple_GET_SIZE(object.ptr());
  if (n != 2 && n != 3) {
    raise(VMX_ERR_SHAPE, "%s is a tuple of %lld; it must be (indptr or None, ids) or (indptr or None, ids, weights)", argument,
          static_cast<long long>(n));
  }
  is_tuple = true;
  open_if(indptr, PyTuple_GET_ITEM(object.ptr(), 0), "indptr");
  ids.open(PyTuple_GET_ITEM(object.ptr(), 1), "ids");
  if (n == 3) open_if(weights, PyTuple_GET_ITEM(object.ptr(), 2), "weights");
}

vmx_csr Lists::csr() const {
  vmx_csr csr = {no_ids(), ids.ids(), no_vector()};
  static char nothing[8] = {}; // an empty list is not a missing one
  if (!csr.ids.data) csr.ids.data = nothing;
  if (indptr.given()) csr.indptr = indptr.ids();
  if (weights.given()) csr.weights = weights.vector();
  return csr;
}

} // namespace vmxpy
