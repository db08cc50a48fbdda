// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy of given scores.
#include "loss.hpp"

namespace vmxpy {
namespace {
Helper make_cross_entropy_result("_results", "CrossEntropyResult");

nb::object cross_entropy(nb::handle x_, nb::handle targets_, int64_t axis_, const char *reduction, int64_t ignore_index,
                         double label_smoothing, bool smooth_unmasked, nb::handle class_weight, double softcap, double z_loss,
                         nb::handle temperature_, nb::handle grad_, nb::handle grad_dtype, double grad_scale, bool full,
                         nb::handle loss_, nb::handle z_loss_, nb::handle lse_, nb::handle flags_, const Context *context,
                         const Workspace *workspace) {
  Array x;
  Lists targets;
  x.open(x_, "x");
  const int axis = x.axis_of(axis_);
  targets.open(targets_, "targets");
  CrossEntropyOptions options;
  options.open(reduction, ignore_index, label_smoothing, smooth_unmasked, class_weight, softcap, z_loss);
  Batch batch(x, axis);
  const int64_t rows = batch.size();
  const bool none = options.c.reduction == VMX_REDUCE_NONE;
  const int32_t type = wide(x.dtype);

  Array grad;
  const bool wants_grad = optional_out(grad, grad_, "grad", x, x.ndim, x.shape, parse_dtype(grad_dtype, x.dtype));
  Array loss, z, lse, flags;
  const bool wants_loss = optional_out(loss, loss_, "loss_out", x, batch.ndim(), batch.shape(), type, none || full);
  const bool wants_z = optional_out(z, z_loss_, "z_loss_out", x, batch.ndim(), batch.shape(), type, full);
  const bool wants_lse = optional_out(lse, lse_, "lse_out", x, batch.ndim(), batch.shape(), type, full);
  const bool wants_flags = flags_out(flags, flags_, x, batch.ndim(), batch.shape(), full);
  const Temperature temperature(temperature_, batch);

  const int ix = batch.add_matrix(x), ig = wants_grad ? batch.add_matrix(grad) : batch.add_nothing(),
            il = wants_loss ? batch.add_vector(loss) : batch.add_nothing(),
            iz = wants_z ? batch.add_vector(z) : batch.add_nothing(), is = wants_lse ? batch.add_vector(lse) : batch.add_nothing(),
            it = temperature.add(batch);
  int ids = -1;
  if (!targets.is_tuple) ids = batch.add_vector(targets.ids);
  batch.join();
  batch.need_single("x");

  const vmx_matrix xv = view(batch.data(ix), batch.rows(), x.shape[axis], batch.row_stride(ix), x.stride[axis], x.dtype);
  const vmx_csr list = target_list(targets, batch, ids);
  options.c.temperature = temperature.data();
  options.c.temperature_stride = batch.row_stride(it);
  Totals totals(x);
  vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
  if (wants_loss) out.loss = view(batch.data(il), rows, batch.row_stride(il), loss.dtype);
  if (wants_z) out.z_loss = view(batch.data(iz), rows, batch.row_stride(iz), z.dtype);
  if (wants_lse) out.lse = view(batch.data(is), rows, batch.row_stride(is), lse.dtype);
  if (wants_flags) out.row_flags = reinterpret_cast<uint32_t *>(flags.data);
  if (!none || full) out.total = totals.total();
  if (full) {
    out.total_z_loss = totals.z_loss();
    out.total_weight = totals.weight();
  }
  if (wants_grad) out.grad = view(batch.data(ig), rows, x.shape[axis], batch.row_stride(ig), grad.stride[axis], grad.dtype);
  out.grad_scale = grad_scale;
  check(without_gil([&] { return vmx_cross_entropy(raw(context), raw(workspace), &xv, &list, &out, &options.c); }));

  if (full) {
    return make_cross_entropy_result(loss.result(), z.result(), lse.result(), flags.result(), totals.total_result(),
                                                   totals.z_loss_result(), totals.weight_result(),
                                                   wants_grad ? grad.result() : nb::none());
  }
  nb::object value = none ? loss.result() : totals.total_result();
  if (!wants_grad) return value;
  return nb::make_tuple(value, grad.result());
}

nb::object cross_entropy_backward(nb::handle x_, nb::handle targets_, nb::handle grad_loss_, nb::handle lse_, int64_t axis_,
                                  int64_t ignore_index, double label_smoothing, bool smooth_unmasked, nb::handle class_weight,
                                  double softcap, double z_loss, nb::handle temperature_, nb::handle out_, nb::handle dtype,
                                  const Context *context, const Workspace *workspace) {
  Array x, grad_loss, lse, grad;
  Lists targets;
  x.open(x_, "x");
  const int axis = x.axis_of(axis_);
  targets.open(targets_, "targets");
  grad_loss.open(grad_loss_, "grad_loss");
  open_if(lse, lse_, "lse");
  CrossEntropyOptions options;
  options.open("none", ignore_index, label_smoothing, smooth_unmasked, class_weight, softcap, z_loss);
  Batch batch(x, axis);
  grad.out(out_, "out", x, x.ndim, x.shape, parse_dtype(dtype, x.dtype), !dtype.is_none());
  const Temperature temperature(temperature_, batch);
  const int ix = batch.add_matrix(x), ig = batch.add_matrix(grad), il = batch.add_broadcast(grad_loss),
            is = lse.given() ? batch.add_vector(lse) : batch.add_nothing(), it = temperature.add(batch);
  int ids = -1;
  if (!targets.is_tuple) ids = batch.add_vector(targets.ids);
  batch.join();
  batch.need_single("x");
  const int64_t rows = batch.rows();
  const vmx_matrix xv = view(batch.data(ix), rows, x.shape[axis], batch.row_stride(ix), x.stride[axis], x.dtype);
  const vmx_matrix gv = view(batch.data(ig), rows, x.shape[axis], batch.row_stride(ig), grad.stride[axis], grad.dtype);
  const vmx_vector lv = view(batch.data(il), rows, batch.row_stride(il), grad_loss.dtype);
  const vmx_vector sv = view(batch.data(is), rows, batch.row_stride(is), lse.dtype);
  const vmx_csr list = target_list(targets, batch, ids);
  options.c.temperature = temperature.data();
  options.c.temperature_stride = batch.row_stride(it);
  check(without_gil([&] {
          return vmx_cross_entropy_backward(raw(context), raw(workspace), &xv, &list, lse.given() ? &sv : nullptr, &lv, &gv,
                                            &options.c);
        }));
  return grad.result();
}

size_t cross_entropy_workspace_size(nb::handle x_, bool grad, nb::handle grad_dtype, double label_smoothing, double softcap,
                                    const Context *context) {
  Array x;
  x.open(x_, "x");
  const vmx_matrix xv = x.matrix();
  const vmx_matrix gv = view(nullptr, xv.rows, xv.cols, xv.cols, 1, parse_dtype(grad_dtype, x.dtype));
  vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  options.label_smoothing = label_smoothing;
  options.softcap = softcap;
  size_t size = 0;
  check(vmx_cross_entropy_workspace_size(raw(context), &xv, grad ? &gv : nullptr, &options, &size));
  return size;
}

} // namespace

void bind_cross_entropy(nb::module_ &m) {
  m.def("cross_entropy", cross_entropy, "x"_a.none(), "targets"_a.none(), "axis"_a = -1, nb::kw_only(), "reduction"_a = "mean",
        "ignore_index"_a = -100, "label_smoothing"_a = 0.0, "smooth_unmasked"_a = false, "class_weight"_a = nb::none(),
        "softcap"_a = 0.0, "z_loss"_a = 0.0, "temperature"_a = nb::none(), "grad"_a = nb::none(), "grad_dtype"_a = nb::none(),
        "grad_scale"_a = 1.0, "full"_a = false, "loss_out"_a = nb::none(), "z_loss_out"_a = nb::none(), "lse_out"_a = nb::none(),
        "flags_out"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def cross_entropy(x: ArrayT, targets: " VMXPY_LISTS
                ", axis: int = -1, *, reduction: str = 'mean', ignore_index: int = -100, label_smoothing: float = 0.0, "
                "smooth_unmasked: bool = False, class_weight: " VMXPY_ARRAY_OR_NONE
                ", softcap: float = 0.0, z_loss: float = 0.0, temperature: " VMXPY_FLOAT_OR_ARRAY ", grad: " VMXPY_ARRAY
                " | bool | None = None, grad_dtype: " VMXPY_DTYPE
                ", grad_scale: float = 1.0, full: bool = False, loss_out: " VMXPY_ARRAY_OR_NONE ", z_loss_out: " VMXPY_ARRAY_OR_NONE
                ", lse_out: " VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE ", " VMXPY_CALL ") -> typing.Any"),
        R"(Softmax cross-entropy of given scores, and its gradient in the same pass.

Args:
    x: Scores: float32, bfloat16, float16 or float64; any shape whose axes other than the classes can be seen as one
        without a copy ([rows, classes] always can).
    targets: int32 or int64 of the shape of x without axis: one class id a row; or a tuple (indptr, ids) or
        (indptr, ids, weights): row r has the targets ids[indptr[r]:indptr[r + 1]], each with its weight (float32 or
        float64). indptr None: one target a row.
    axis: The axis of the classes.
    reduction: "mean" (the sum divided by the weight of the rows not ignored), "sum" or "none".
    ignore_index: A target equal to it does not count.
    label_smoothing: In [0, 1]: that part of the target mass goes to all classes alike.
    smooth_unmasked: Only to the classes whose score is not -inf.
    class_weight: float32 [classes]: multiplies the loss of each class.
    softcap: c > 0: scores are c * tanh(x / c).
    z_loss: zeta >= 0: adds zeta * lse**2.
    temperature: A number, or float32 of the shape of x without axis.
    grad: True: also the gradient of the total ("none": of the sum) times grad_scale; an array of the shape of x: that,
        written there, and x itself is fine.
    grad_dtype: Of a new gradient; by default that of x.
    grad_scale: What the gradient is multiplied by.
    full: Return all results (CrossEntropyResult).
    loss_out, z_loss_out, lse_out: The shape of x without axis, float32 (float64 when x is float64): also written with
        the loss of each row without its z-loss, its z-loss, its log-sum-exp.
    flags_out: uint32 of that shape, contiguous: written with ROW_EMPTY, ROW_NAN, ROW_INF.
    context, workspace: As in logsumexp.

Returns:
    The total, loss and z-loss, of float64 without axes; with "none" the loss of each row. With grad a tuple of that and
    the gradient. With full a CrossEntropyResult. All of the same library as x.

A masked label (-inf) has loss +inf and gradient -weight. A row of -inf alone: loss +inf, gradient 0. NaN or +inf in a row:
loss and gradient NaN. The mean over no weight is NaN.

Raises:
    LabelError: A target outside [0, classes) that is not ignore_index; nothing is written then.
    ArgumentTypeError: A dtype that does not fit.
    ArgumentValueError: Shapes that do not fit; an option out of range; outputs that overlap.

>>> import numpy as np, vastmax
>>> x = np.zeros((2, 4), dtype=np.float32)
>>> loss, grad = vastmax.cross_entropy(x, np.array([0, 3]), grad=True)
>>> round(float(loss), 6), grad[0].tolist()
(1.386294, [-0.375, 0.125, 0.125, 0.125])
>>> vastmax.cross_entropy(x, (np.array([0, 2, 2]), np.array([0, 1])), reduction="none")
array([2.7725887, 0.       ], dtype=float32)
)");

  m.def("cross_entropy_backward", cross_entropy_backward, "x"_a.none(), "targets"_a.none(), "grad_loss"_a.none(), "lse"_a = nb::none(), "axis"_a = -1,
        nb::kw_only(), "ignore_index"_a = -100, "label_smoothing"_a = 0.0, "smooth_unmasked"_a = false,
        "class_weight"_a = nb::none(), "softcap"_a = 0.0, "z_loss"_a = 0.0, "temperature"_a = nb::none(), "out"_a = nb::none(),
        "dtype"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def cross_entropy_backward(x: ArrayT, targets: " VMXPY_LISTS ", grad_loss: " VMXPY_ARRAY
                ", lse: " VMXPY_ARRAY_OR_NONE ", axis: int = -1, *, ignore_index: int = -100, label_smoothing: float = 0.0, "
                "smooth_unmasked: bool = False, class_weight: " VMXPY_ARRAY_OR_NONE
                ", softcap: float = 0.0, z_loss: float = 0.0, temperature: " VMXPY_FLOAT_OR_ARRAY ", out: " VMXPY_ARRAY_OR_NONE
                ", dtype: " VMXPY_DTYPE ", " VMXPY_CALL ") -> ArrayT"),
        R"(The backward pass of cross_entropy alone: grad_loss times the gradient of each row's loss and z-loss.

Args:
    x, targets, axis, ignore_index, label_smoothing, smooth_unmasked, class_weight, softcap, z_loss, temperature: As in
        the forward call.
    grad_loss: float32 or float64 of the shape of x without axis, or one element for all rows.
    lse: What the forward call gave in lse_out; computed again by default.
    out: Where the gradient goes: the shape of x, any of the four dtypes. May be x itself.
    dtype: Of the new array, or what out must have; by default that of x.
    context, workspace: As in logsumexp.

Returns:
    out, or a new array of the same library as x. Ignored rows have gradient 0.

Raises:
    LabelError, ArgumentTypeError, ArgumentValueError: As cross_entropy.

>>> import numpy as np, vastmax
>>> x = np.zeros((1, 2), dtype=np.float32)
>>> vastmax.cross_entropy_backward(x, np.array([0]), np.float32(1))
array([[-0.5,  0.5]], dtype=float32)
)");

  m.def("cross_entropy_workspace_size", cross_entropy_workspace_size, "x"_a.none(), nb::kw_only(), "grad"_a = false,
        "grad_dtype"_a = nb::none(), "label_smoothing"_a = 0.0, "softcap"_a = 0.0, "context"_a = nb::none(),
        nb::sig("def cross_entropy_workspace_size(x: " VMXPY_ARRAY ", *, grad: bool = False, grad_dtype: " VMXPY_DTYPE
                ", label_smoothing: float = 0.0, softcap: float = 0.0, context: Context | None = None) -> int"),
        R"(Bytes that a cross_entropy of x, [rows, classes], may take from its workspace, with one target a row.

>>> import numpy as np, vastmax
>>> vastmax.cross_entropy_workspace_size(np.zeros((1, 100), dtype=np.float32), grad=True) > 0
True
)");
}

} // namespace vmxpy
