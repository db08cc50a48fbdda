// SPDX-License-Identifier: Apache-2.0
// The extension module vastmax._vastmax.
#include "ext.hpp"

#include <nanobind/typing.h>

#include <cstddef>

namespace {
using namespace vmxpy;

/// {"vmx_matrix": (size, align), "vmx_matrix.data": (offset, size), ...} as this compiler has them.
nb::dict layout() {
  nb::dict table;
#define VMXPY_STRUCT(type) table[#type] = nb::make_tuple(sizeof(type), alignof(type));
#define VMXPY_FIELD(type, field) \
  table[#type "." #field] = nb::make_tuple(offsetof(type, field), sizeof(static_cast<type *>(nullptr)->field));
  VMXPY_LAYOUT(VMXPY_STRUCT, VMXPY_FIELD)
#undef VMXPY_STRUCT
#undef VMXPY_FIELD
  return table;
}

} // namespace

NB_MODULE(_vastmax, m) {
  using namespace vmxpy;
  m.doc() = "The functions of vastmax over the C library; see the package vastmax.";
  nb::set_leak_warnings(false); // what is looked up once, and PyTorch's operators, live as long as the process
  init_arrays();
  if (vmx_version() != VMX_VERSION) {
    PyErr_Format(PyExc_ImportError, "vastmax: the library is version %s, the header %d", vmx_version_string(), VMX_VERSION);
    throw nb::python_error();
  }
  m.attr("ArrayT") = nb::type_var("ArrayT");
  m.def("_layout", layout, nb::sig("def _layout() -> dict[str, tuple[int, int]]"));
  bind_context(m);
  bind_softmax(m);
  bind_lse(m);
  bind_cross_entropy(m);
  bind_topk(m);
  bind_linear(m);
  bind_sampler(m);
  bind_sampled(m);
}
