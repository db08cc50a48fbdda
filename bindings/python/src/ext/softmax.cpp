// SPDX-License-Identifier: Apache-2.0
// logsumexp, softmax, log_softmax and their backward passes.
#include "ext.hpp"

namespace vmxpy {
namespace {

uint32_t *words(char *data) { return reinterpret_cast<uint32_t *>(data); }

/// flags_out: uint32 of the batch shape, in the order of the rows.
int add_flags(Batch &batch, Array &flags, nb::handle object) {
  if (object.is_none()) return batch.add_nothing();
  flags.open_out(object, "flags_out");
  flags.need_dtype(dtype_u32);
  const int number = batch.add_vector(flags);
  if (!flags.contiguous()) raise(VMX_ERR_VALUE, "flags_out is not contiguous");
  return number;
}

/// A vector as an output that may be missing.
int add_vector_out(Batch &batch, Array &array, nb::handle object, const char *argument) {
  if (object.is_none()) return batch.add_nothing();
  array.open_out(object, argument);
  return batch.add_vector(array);
}

int add_vector_in(Batch &batch, Array &array, nb::handle object, const char *argument, bool broadcast = false) {
  if (object.is_none()) return batch.add_nothing();
  array.open(object, argument);
  return broadcast ? batch.add_broadcast(array) : batch.add_vector(array);
}

vmx_softmax_options options_of(const Temperature &temperature, bool precise, bool zero_masked) {
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  if (precise) options.flags |= VMX_PRECISE;
  if (zero_masked) options.flags |= VMX_ZERO_MASKED;
  options.temperature = temperature.data();
  return options;
}

/// A walk that needs several calls must know beforehand that none of them fails.
template <typename... Others>
void ready(Batch &batch, const Temperature &temperature, const Array &out, const Others &...others) {
  batch.join();
  if (batch.single()) return;
  temperature.check_all();
  need_distinct(out);
  need_apart(out, temperature.array());
  (need_apart(out, others), ...);
}

nb::object logsumexp(nb::handle x_, int64_t axis_, nb::handle out_, nb::handle temperature_, nb::handle flags_,
                     const Context *context, const Workspace *workspace) {
  Array x, out, flags;
  x.open(x_, "x");
  const int axis = x.axis_of(axis_);
  Batch batch(x, axis);
  out.out(out_, "out", x, batch.ndim(), batch.shape(), wide(x.dtype), true);
  const Temperature temperature(temperature_, batch);
  const int ix = batch.add_matrix(x), iout = batch.add_vector(out), it = temperature.add(batch),
            iflags = add_flags(batch, flags, flags_);
  ready(batch, temperature, out, x, flags);
  vmx_softmax_options options = options_of(temperature, false, false);
  options.temperature_stride = batch.row_stride(it);
  const vmx_status status = without_gil([&] {
    return batch.each([&] {
      const vmx_matrix xv = view(batch.data(ix), batch.rows(), x.shape[axis], batch.row_stride(ix), x.stride[axis], x.dtype);
      const vmx_vector lse = view(batch.data(iout), batch.rows(), batch.row_stride(iout), out.dtype);
      options.temperature = temperature.at(batch.data(it));
      return vmx_logsumexp(raw(context), raw(workspace), &xv, &lse, words(batch.data(iflags)), &options);
    });
  });
  check(status);
  return out.result();
}

using Forward = vmx_status (*)(const vmx_context *, vmx_workspace *, const vmx_matrix *, const vmx_matrix *, const vmx_vector *,
                               uint32_t *, const vmx_softmax_options *) noexcept;

nb::object forward(Forward function, nb::handle x_, int64_t axis_, nb::handle out_, nb::handle dtype,
                   nb::handle temperature_, bool precise, bool zero_masked, nb::handle lse_, nb::handle flags_,
                   const Context *context, const Workspace *workspace) {
  Array x, y, lse, flags;
  x.open(x_, "x");
  const int axis = x.axis_of(axis_);
  Batch batch(x, axis);
  y.out(out_, "out", x, x.ndim, x.shape, parse_dtype(dtype, x.dtype), !dtype.is_none());
  const Temperature temperature(temperature_, batch);
  const int ix = batch.add_matrix(x), iy = batch.add_matrix(y), it = temperature.add(batch),
            ilse = add_vector_out(batch, lse, lse_, "lse_out"), iflags = add_flags(batch, flags, flags_);
  ready(batch, temperature, y, x, lse, flags);
  if (!batch.single()) {
    need_distinct(lse);
    need_apart(lse, x);
    need_apart(lse, temperature.array());
    need_apart(lse, flags);
    need_apart(flags, x);
    need_apart(flags, temperature.array());
  }
  vmx_softmax_options options = options_of(temperature, precise, zero_masked);
  options.temperature_stride = batch.row_stride(it);
  const vmx_status status = without_gil([&] {
    return batch.each([&] {
      const int64_t rows = batch.rows(), cols = x.shape[axis];
      const vmx_matrix xv = view(batch.data(ix), rows, cols, batch.row_stride(ix), x.stride[axis], x.dtype);
      const vmx_matrix yv = view(batch.data(iy), rows, cols, batch.row_stride(iy), y.stride[axis], y.dtype);
      const vmx_vector lv = view(batch.data(ilse), rows, batch.row_stride(ilse), lse.dtype);
      options.temperature = temperature.at(batch.data(it));
      return function(raw(context), raw(workspace), &xv, &yv, lse.given() ? &lv : nullptr, words(batch.data(iflags)), &options);
    });
  });
  check(status);
  return y.result();
}

nb::object softmax(nb::handle x, int64_t axis, nb::handle out, nb::handle dtype, nb::handle temperature, bool precise,
                   bool zero_masked, nb::handle lse, nb::handle flags, const Context *context, const Workspace *workspace) {
  return forward(vmx_softmax, x, axis, out, dtype, temperature, precise, zero_masked, lse, flags, context, workspace);
}

nb::object log_softmax(nb::handle x, int64_t axis, nb::handle out, nb::handle dtype, nb::handle temperature, bool precise,
                       bool zero_masked, nb::handle lse, nb::handle flags, const Context *context, const Workspace *workspace) {
  return forward(vmx_log_softmax, x, axis, out, dtype, temperature, precise, zero_masked, lse, flags, context,
                 workspace);
}

nb::object logsumexp_backward(nb::handle x_, nb::handle grad_, nb::handle lse_, int64_t axis_, nb::handle out_, nb::handle dtype,
                              nb::handle temperature_, const Context *context, const Workspace *workspace) {
  Array x, grad, lse, out;
  x.open(x_, "x");
  const int axis = x.axis_of(axis_);
  Batch batch(x, axis);
  const int ig = add_vector_in(batch, grad, grad_, "grad_lse", true);
  if (!grad.given()) raise(VMX_ERR_NULL, "grad_lse is None");
  const int il = add_vector_in(batch, lse, lse_, "lse");
  out.out(out_, "out", x, x.ndim, x.shape, parse_dtype(dtype, x.dtype), !dtype.is_none());
  const Temperature temperature(temperature_, batch);
  const int ix = batch.add_matrix(x), io = batch.add_matrix(out), it = temperature.add(batch);
  ready(batch, temperature, out, x, grad, lse);
  vmx_softmax_options options = options_of(temperature, false, false);
  options.temperature_stride = batch.row_stride(it);
  const vmx_status status = without_gil([&] {
    return batch.each([&] {
      const int64_t rows = batch.rows(), cols = x.shape[axis];
      const vmx_matrix xv = view(batch.data(ix), rows, cols, batch.row_stride(ix), x.stride[axis], x.dtype);
      const vmx_matrix ov = view(batch.data(io), rows, cols, batch.row_stride(io), out.stride[axis], out.dtype);
      const vmx_vector gv = view(batch.data(ig), rows, batch.row_stride(ig), grad.dtype);
      const vmx_vector lv = view(batch.data(il), rows, batch.row_stride(il), lse.dtype);
      options.temperature = temperature.at(batch.data(it));
      return vmx_logsumexp_backward(raw(context), raw(workspace), &xv, lse.given() ? &lv : nullptr, &gv, &ov, &options);
    });
  });
  check(status);
  return out.result();
}

using Backward = vmx_status (*)(const vmx_context *, vmx_workspace *, const vmx_matrix *, const vmx_matrix *, const vmx_matrix *,
                                const vmx_softmax_options *) noexcept;

nb::object backward(Backward function, nb::handle y_, nb::handle grad_, int64_t axis_, nb::handle out_,
                    nb::handle dtype, nb::handle temperature_, const Context *context, const Workspace *workspace) {
  Array y, grad, out;
  y.open(y_, "y");
  const int axis = y.axis_of(axis_);
  grad.open(grad_, "grad_y");
  grad.need_shape(y.ndim, y.shape);
  Batch batch(y, axis);
  out.out(out_, "out", y, y.ndim, y.shape, parse_dtype(dtype, y.dtype), !dtype.is_none());
  const Temperature temperature(temperature_, batch);
  const int iy = batch.add_matrix(y), ig = batch.add_matrix(grad), io = batch.add_matrix(out), it = temperature.add(batch);
  ready(batch, temperature, out, y, grad);
  vmx_softmax_options options = options_of(temperature, false, false);
  options.temperature_stride = batch.row_stride(it);
  const vmx_status status = without_gil([&] {
    return batch.each([&] {
      const int64_t rows = batch.rows(), cols = y.shape[axis];
      const vmx_matrix yv = view(batch.data(iy), rows, cols, batch.row_stride(iy), y.stride[axis], y.dtype);
      const vmx_matrix gv = view(batch.data(ig), rows, cols, batch.row_stride(ig), grad.stride[axis], grad.dtype);
      const vmx_matrix ov = view(batch.data(io), rows, cols, batch.row_stride(io), out.stride[axis], out.dtype);
      options.temperature = temperature.at(batch.data(it));
      return function(raw(context), raw(workspace), &yv, &gv, &ov, &options);
    });
  });
  check(status);
  return out.result();
}

nb::object softmax_backward(nb::handle y, nb::handle grad, int64_t axis, nb::handle out, nb::handle dtype, nb::handle temperature,
                            const Context *context, const Workspace *workspace) {
  return backward(vmx_softmax_backward, y, grad, axis, out, dtype, temperature, context, workspace);
}

nb::object log_softmax_backward(nb::handle y, nb::handle grad, int64_t axis, nb::handle out, nb::handle dtype,
                                nb::handle temperature, const Context *context, const Workspace *workspace) {
  return backward(vmx_log_softmax_backward, y, grad, axis, out, dtype, temperature, context, workspace);
}

size_t softmax_workspace_size(nb::handle x_, nb::handle dtype, bool precise, const Context *context) {
  Array x;
  x.open(x_, "x");
  x.need_ndim(2);
  const vmx_matrix xv = x.matrix();
  const vmx_matrix yv = view(nullptr, x.shape[0], x.shape[1], x.shape[1], 1, parse_dtype(dtype, x.dtype));
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  if (precise) options.flags |= VMX_PRECISE;
  size_t size = 0;
  check(vmx_softmax_workspace_size(raw(context), &xv, &yv, &options, &size));
  return size;
}

} // namespace

void bind_softmax(nb::module_ &m) {
  m.def("logsumexp", logsumexp, "x"_a.none(), "axis"_a = -1, nb::kw_only(), "out"_a = nb::none(), "temperature"_a = nb::none(),
        "flags_out"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def logsumexp(x: ArrayT, axis: int = -1, *, out: " VMXPY_ARRAY_OR_NONE ", temperature: "
                VMXPY_FLOAT_OR_ARRAY ", flags_out: " VMXPY_ARRAY_OR_NONE ", "
                VMXPY_CALL ") -> ArrayT"),
        R"(Logarithm of the sum of exponentials: log(sum(exp(x / temperature))) along one axis.

Args:
    x: float32, bfloat16, float16 or float64, of any shape and strides.
    axis: The axis of the classes.
    out: Where the result goes: the shape of x without axis, float32 (float64 when x is float64). A new array by
        default.
    temperature: Divides the scores: a number, or float32 of the shape of the result. At least 0; infinity makes all
        allowed classes alike. 1 by default.
    flags_out: uint32 of the shape of the result, contiguous: written with the bits ROW_EMPTY, ROW_NAN and ROW_INF.
    context: Threads and instruction set; by default the calling thread alone and the best there is.
    workspace: Warm scratch memory; allocated and freed inside by default.

Returns:
    out, or a new array of the same library as x (a NumPy scalar when x has one axis).

A row with NaN gives NaN, else one with +inf gives +inf; a row without classes, or of -inf alone, gives -inf.

Raises:
    ArgumentTypeError: x is no array, or of another dtype; out is of the wrong dtype.
    ArgumentValueError: out has the wrong shape or overlaps x; axis or temperature is out of range.

>>> import numpy as np, vastmax
>>> x = np.array([[0.0, 0.0], [0.0, -np.inf]], dtype=np.float32)
>>> vastmax.logsumexp(x)
array([0.6931472, 0.       ], dtype=float32)
>>> vastmax.logsumexp(x, axis=0).shape
(2,)
)");

  const char *softmax_sig =
      "def softmax(x: ArrayT, axis: int = -1, *, out: " VMXPY_ARRAY_OR_NONE ", dtype: "
      VMXPY_DTYPE ", temperature: " VMXPY_FLOAT_OR_ARRAY ", precise: bool = "
      "False, zero_masked: bool = False, lse_out: " VMXPY_ARRAY_OR_NONE ", flags_out: "
      VMXPY_ARRAY_OR_NONE ", " VMXPY_CALL ") -> ArrayT";
  m.def("softmax", softmax, "x"_a.none(), "axis"_a = -1, nb::kw_only(), "out"_a = nb::none(), "dtype"_a = nb::none(),
        "temperature"_a = nb::none(), "precise"_a = false, "zero_masked"_a = false, "lse_out"_a = nb::none(),
        "flags_out"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(), nb::sig(softmax_sig),
        R"(Softmax along one axis: exp(x / temperature - logsumexp).

Args:
    x: float32, bfloat16, float16 or float64, of any shape and strides.
    axis: The axis of the classes.
    out: Where the result goes: the shape of x, any of the four dtypes. May be x itself. A new array by default.
    dtype: Of the new array, or what out must have; by default that of x. Results are rounded to it once.
    temperature: A number, or float32 of the shape of x without axis; see logsumexp.
    precise: Relative error of 8 units of rounding over the whole range, by f64 arithmetic; slower.
    zero_masked: A row of -inf alone gives 0 instead of NaN.
    lse_out: Also receives the log-sum-exp: the shape of x without axis, float32 (float64 when x is float64).
    flags_out, context, workspace: As in logsumexp.

Returns:
    out, or a new array of the same library as x.

Entries of -inf give exactly 0. A row with NaN or +inf gives NaN, and so does one of -inf alone.

Raises:
    ArgumentTypeError: x is no array, or of another dtype; an output is of the wrong dtype.
    ArgumentValueError: An output has the wrong shape or overlaps in part; axis or temperature is out of range.

>>> import numpy as np, vastmax
>>> x = np.array([[1, 1, -np.inf, 1]], dtype=np.float32)
>>> vastmax.softmax(x)
array([[0.33333334, 0.33333334, 0.        , 0.33333334]], dtype=float32)
>>> vastmax.softmax(x, out=x) is x
True
)");

  m.def("log_softmax", log_softmax, "x"_a.none(), "axis"_a = -1, nb::kw_only(), "out"_a = nb::none(), "dtype"_a = nb::none(),
        "temperature"_a = nb::none(), "precise"_a = false, "zero_masked"_a = false, "lse_out"_a = nb::none(),
        "flags_out"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def log_softmax(x: ArrayT, axis: int = -1, *, out: " VMXPY_ARRAY_OR_NONE ", dtype: "
                VMXPY_DTYPE ", temperature: " VMXPY_FLOAT_OR_ARRAY ", precise: bool = "
                "False, zero_masked: bool = False, lse_out: " VMXPY_ARRAY_OR_NONE ", flags_out: "
                VMXPY_ARRAY_OR_NONE ", " VMXPY_CALL ") -> "
                "ArrayT"),
        R"(Logarithm of the softmax along one axis: x / temperature - logsumexp.

Args:
    x, axis, out, dtype, temperature, precise, lse_out, flags_out, context, workspace: As in softmax.
    zero_masked: A row of -inf alone gives -inf instead of NaN.

Returns:
    out, or a new array of the same library as x, with the shape of x.

Entries of -inf give -inf. A row with NaN or +inf gives NaN, and so does one of -inf alone.

Raises:
    ArgumentTypeError, ArgumentValueError: As softmax.

>>> import numpy as np, vastmax
>>> vastmax.log_softmax(np.zeros((1, 2), dtype=np.float64))
array([[-0.69314718, -0.69314718]])
)");

  m.def("logsumexp_backward", logsumexp_backward, "x"_a.none(), "grad_lse"_a.none(), "lse"_a = nb::none(), "axis"_a = -1, nb::kw_only(),
        "out"_a = nb::none(), "dtype"_a = nb::none(), "temperature"_a = nb::none(), "context"_a = nb::none(),
        "workspace"_a = nb::none(),
        nb::sig("def logsumexp_backward(x: ArrayT, grad_lse: " VMXPY_ARRAY ", lse: " VMXPY_ARRAY " | None = "
                "None, axis: int = -1, *, out: " VMXPY_ARRAY_OR_NONE ", dtype: vastmax._typing.DTypeLike | None = "
                "None, temperature: " VMXPY_FLOAT_OR_ARRAY ", context: Context | None = None, workspace: "
                "Workspace | None = None) -> ArrayT"),
        R"(Gradient of logsumexp: grad_lse * softmax(x / temperature) / temperature.

Args:
    x: The scores that logsumexp had.
    grad_lse: Gradient of its result: float32 or float64 of the shape of x without axis, or one element for all.
    lse: What logsumexp gave for the same x and temperature; computed again by default.
    axis: The axis of the classes.
    out: Where the gradient goes: the shape of x, any of the four dtypes. May be x itself.
    dtype: Of the new array, or what out must have; by default that of x.
    temperature, context, workspace: As in logsumexp.

Returns:
    out, or a new array of the same library as x.

Rows with NaN or +inf give NaN; a row of -inf alone gives 0.

Raises:
    ArgumentTypeError, ArgumentValueError: As softmax.

>>> import numpy as np, vastmax
>>> vastmax.logsumexp_backward(np.zeros((1, 4), dtype=np.float32), np.ones(1, dtype=np.float32))
array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
)");

  m.def("softmax_backward", softmax_backward, "y"_a.none(), "grad_y"_a.none(), "axis"_a = -1, nb::kw_only(), "out"_a = nb::none(),
        "dtype"_a = nb::none(), "temperature"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def softmax_backward(y: ArrayT, grad_y: " VMXPY_ARRAY ", axis: int = -1, *, out: "
                VMXPY_ARRAY_OR_NONE ", dtype: " VMXPY_DTYPE ", temperature: "
                VMXPY_FLOAT_OR_ARRAY ", " VMXPY_CALL ") "
                "-> ArrayT"),
        R"(Gradient of softmax: y * (grad_y - sum(y * grad_y)) / temperature.

Args:
    y: What softmax gave.
    grad_y: Gradient of it: the shape and dtype of y.
    axis: The axis of the classes.
    out: Where the gradient goes: the shape of y, any of the four dtypes. May be y or grad_y itself.
    dtype: Of the new array, or what out must have; by default that of y.
    temperature: That of the forward call.
    context, workspace: As in logsumexp.

Returns:
    out, or a new array of the same library as y.

Where y is 0 the gradient is 0, whatever grad_y holds there; NaN elsewhere in a row makes the row NaN.

Raises:
    ArgumentTypeError, ArgumentValueError: As softmax.

>>> import numpy as np, vastmax
>>> y = np.array([[0.5, 0.5]], dtype=np.float32)
>>> vastmax.softmax_backward(y, np.array([[1, 0]], dtype=np.float32))
array([[ 0.25, -0.25]], dtype=float32)
)");

  m.def("log_softmax_backward", log_softmax_backward, "y"_a.none(), "grad_y"_a.none(), "axis"_a = -1, nb::kw_only(), "out"_a = nb::none(),
        "dtype"_a = nb::none(), "temperature"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def log_softmax_backward(y: ArrayT, grad_y: " VMXPY_ARRAY ", axis: int = -1, *, out: "
                VMXPY_ARRAY_OR_NONE ", dtype: " VMXPY_DTYPE ", temperature: "
                VMXPY_FLOAT_OR_ARRAY ", " VMXPY_CALL ") "
                "-> ArrayT"),
        R"(Gradient of log_softmax: (grad_y - exp(y) * sum(grad_y)) / temperature.

Args:
    y: What log_softmax gave.
    grad_y: Gradient of it: the shape and dtype of y.
    axis, out, dtype, temperature, context, workspace: As in softmax_backward.

Returns:
    out, or a new array of the same library as y.

Masked entries (y = -inf) have gradient 0 and do not enter the sum; NaN in a row makes the row NaN.

Raises:
    ArgumentTypeError, ArgumentValueError: As softmax.

>>> import numpy as np, vastmax
>>> y = np.log(np.array([[0.5, 0.5]], dtype=np.float32))
>>> vastmax.log_softmax_backward(y, np.array([[1, 0]], dtype=np.float32))
array([[ 0.5, -0.5]], dtype=float32)
)");

  m.def("softmax_workspace_size", softmax_workspace_size, "x"_a.none(), nb::kw_only(), "dtype"_a = nb::none(), "precise"_a = false,
        "context"_a = nb::none(),
        nb::sig("def softmax_workspace_size(x: " VMXPY_ARRAY ", *, dtype: " VMXPY_DTYPE ", "
                "precise: bool = False, context: Context | None = None) -> int"),
        R"(Bytes that a softmax, log_softmax, logsumexp or a backward pass may take from its workspace.

Args:
    x: [rows, cols], only its shape, strides and dtype count.
    dtype: Of the result; by default that of x.
    precise: As in softmax.
    context: That of the call.

Returns:
    The number of bytes to reserve.

Raises:
    ArgumentTypeError, ArgumentValueError: What the call would raise for such sizes.

>>> import numpy as np, vastmax
>>> workspace = vastmax.Workspace()
>>> x = np.zeros((2, 10000), dtype=np.float32)
>>> workspace.reserve(vastmax.softmax_workspace_size(x))
>>> y = vastmax.softmax(x, workspace=workspace)
)");
}

} // namespace vmxpy
