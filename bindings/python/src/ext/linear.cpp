// SPDX-License-Identifier: Apache-2.0
// Scores made of hidden . weights^T + bias, tile by tile.
#include "linear.hpp"

#include "loss.hpp"

namespace vmxpy {

PackedWeights::PackedWeights(nb::handle weights_, nb::object context_) : context(std::move(context_)) {
  Array weights;
  weights.open(weights_, "weights");
  const vmx_matrix w = weights.matrix();
  classes = w.rows;
  dim = w.cols;
  const Context *c = context_of(context);
  check(without_gil([&] { return vmx_pack_weights(raw(c), &w, &packed); }));
}

namespace {
Helper make_linear_cross_entropy_result("_results", "LinearCrossEntropyResult");
Helper make_linear_grads("_results", "LinearGrads");
Helper make_topk("_results", "TopK");

/// hidden, whose last axis is dim, and the linear map.
struct Linear {
  Array hidden, weights, bias;
  vmx_linear c = VMX_LINEAR_INIT;
  int64_t classes = 0;

  Linear(nb::handle hidden_, nb::handle weights_, nb::handle bias_, size_t memory_limit) {
    hidden.open(hidden_, "hidden");
    if (hidden.ndim == 0) hidden.need_ndim(2);
    if (nb::isinstance<PackedWeights>(weights_)) {
      const auto *packed = nb::cast<const PackedWeights *>(weights_);
      c.packed = packed->packed;
      classes = packed->classes;
    } else {
      weights.open(weights_, "weights");
      c.weights = weights.matrix();
      classes = weights.shape[0];
    }
    if (!bias_.is_none()) {
      bias.open(bias_, "bias");
      c.bias = bias.vector();
    }
    c.memory_limit = memory_limit;
  }
};

nb::object linear_logsumexp(nb::handle hidden_, nb::handle weights_, nb::handle bias_, nb::handle out_, nb::handle temperature_,
                            nb::handle flags_, size_t memory_limit, const Context *context, const Workspace *workspace) {
  Linear linear(hidden_, weights_, bias_, memory_limit);
  const Array &hidden = linear.hidden;
  const int axis = hidden.ndim - 1;
  Batch batch(hidden, axis);
  Array out, flags;
  out.out(out_, "out", hidden, batch.ndim(), batch.shape(), VMX_F32, true);
  const bool wants_flags = flags_out(flags, flags_, hidden, batch.ndim(), batch.shape());
  const Temperature temperature(temperature_, batch);
  const int ih = batch.add_matrix(hidden), io = batch.add_vector(out), it = temperature.add(batch);
  batch.join();
  batch.need_single("hidden");
  const vmx_matrix hv = view(batch.data(ih), batch.rows(), hidden.shape[axis], batch.row_stride(ih), hidden.stride[axis],
                             hidden.dtype);
  const vmx_vector ov = view(batch.data(io), batch.rows(), batch.row_stride(io), out.dtype);
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  options.temperature = temperature.data();
  options.temperature_stride = batch.row_stride(it);
  uint32_t *words = wants_flags ? reinterpret_cast<uint32_t *>(flags.data) : nullptr;
  check(without_gil([&] { return vmx_linear_logsumexp(raw(context), raw(workspace), &hv, &linear.c, &ov, words, &options); }));
  return out.result();
}

nb::object linear_cross_entropy(nb::handle hidden_, nb::handle weights_, nb::handle targets_, nb::handle bias_,
                                const char *reduction, int64_t ignore_index, double label_smoothing, bool smooth_unmasked,
                                nb::handle class_weight, double softcap, double z_loss, nb::handle temperature_,
                                nb::handle grad_hidden_, nb::handle grad_weights_, nb::handle grad_bias_, bool accumulate,
                                double grad_scale, bool full, nb::handle loss_, nb::handle z_loss_, nb::handle lse_,
                                nb::handle flags_, size_t memory_limit, const Context *context, const Workspace *workspace) {
  Linear linear(hidden_, weights_, bias_, memory_limit);
  const Array &hidden = linear.hidden;
  const int axis = hidden.ndim - 1;
  Lists targets;
  targets.open(targets_, "targets");
  CrossEntropyOptions options;
  options.open(reduction, ignore_index, label_smoothing, smooth_unmasked, class_weight, softcap, z_loss);
  Batch batch(hidden, axis);
  const int64_t rows = batch.size();
  const bool none = options.c.reduction == VMX_REDUCE_NONE;

  Array grad_hidden, grad_weights, grad_bias, loss, z, lse, flags;
  const int64_t table[] = {linear.classes, hidden.shape[axis]};
  const bool wants_hidden = optional_out(grad_hidden, grad_hidden_, "grad_hidden", hidden, hidden.ndim, hidden.shape, hidden.dtype);
  if (accumulate && (grad_weights_.ptr() == Py_True || grad_bias_.ptr() == Py_True)) {
    raise(VMX_ERR_VALUE, "accumulate adds to arrays given: grad_weights and grad_bias cannot be True");
  }
  const bool wants_weights = optional_out(grad_weights, grad_weights_, "grad_weights", hidden, 2, table, VMX_F32);
  const bool wants_bias = optional_out(grad_bias, grad_bias_, "grad_bias", hidden, 1, table, VMX_F32);
  const bool wants_loss = optional_out(loss, loss_, "loss_out", hidden, batch.ndim(), batch.shape(), VMX_F32, none || full);
  const bool wants_z = optional_out(z, z_loss_, "z_loss_out", hidden, batch.ndim(), batch.shape(), VMX_F32, full);
  const bool wants_lse = optional_out(lse, lse_, "lse_out", hidden, batch.ndim(), batch.shape(), VMX_F32, full);
  const bool wants_flags = flags_out(flags, flags_, hidden, batch.ndim(), batch.shape(), full);
  const Temperature temperature(temperature_, batch);

  const int ih = batch.add_matrix(hidden), ig = wants_hidden ? batch.add_matrix(grad_hidden) : batch.add_nothing(),
            il = wants_loss ? batch.add_vector(loss) : batch.add_nothing(),
            iz = wants_z ? batch.add_vector(z) : batch.add_nothing(), is = wants_lse ? batch.add_vector(lse) : batch.add_nothing(),
            it = temperature.add(batch);
  int ids = -1;
  if (!targets.is_tuple) ids = batch.add_vector(targets.ids);
  batch.join();
  batch.need_single("hidden");

  const vmx_matrix hv = view(batch.data(ih), batch.rows(), hidden.shape[axis], batch.row_stride(ih), hidden.stride[axis],
                             hidden.dtype);
  const vmx_csr list = target_list(targets, batch, ids);
  options.c.temperature = temperature.data();
  options.c.temperature_stride = batch.row_stride(it);
  Totals totals(hidden);
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
  out.grad_scale = grad_scale;
  vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
  if (accumulate) grads.flags |= VMX_GRAD_ACCUMULATE;
  if (wants_hidden) {
    grads.hidden = view(batch.data(ig), rows, hidden.shape[axis], batch.row_stride(ig), grad_hidden.stride[axis],
                        grad_hidden.dtype);
  }
  if (wants_weights) grads.weights = grad_weights.matrix();
  if (wants_bias) grads.bias = grad_bias.vector();
  const bool wants_grads = wants_hidden || wants_weights || wants_bias;
  check(without_gil([&] {
          return vmx_linear_cross_entropy(raw(context), raw(workspace), &hv, &linear.c, &list, &out,
                                          wants_grads ? &grads : nullptr, &options.c);
        }));

  nb::object made = nb::none();
  if (wants_grads) {
    made = make_linear_grads(wants_hidden ? grad_hidden.result() : nb::none(),
                                             wants_weights ? grad_weights.result() : nb::none(),
                                             wants_bias ? grad_bias.result() : nb::none());
  }
  if (full) {
    return make_linear_cross_entropy_result(loss.result(), z.result(), lse.result(), flags.result(),
                                                         totals.total_result(), totals.z_loss_result(), totals.weight_result(),
                                                         made);
  }
  nb::object value = none ? loss.result() : totals.total_result();
  if (!wants_grads) return value;
  return nb::make_tuple(value, made);
}

nb::object linear_topk(nb::handle hidden_, nb::handle weights_, int64_t k, nb::handle bias_, bool largest, bool sorted,
                       int64_t col_offset, nb::handle excluded_, nb::handle ids_type, nb::handle values_, nb::handle ids_,
                       nb::handle flags_, size_t memory_limit, const Context *context, const Workspace *workspace) {
  Linear linear(hidden_, weights_, bias_, memory_limit);
  const Array &hidden = linear.hidden;
  const int axis = hidden.ndim - 1;
  if (k < 1) raise(VMX_ERR_VALUE, "k is %lld; it must be at least 1", static_cast<long long>(k));
  if (k > linear.classes) {
    raise(VMX_ERR_SHAPE, "k is %lld; there are %lld classes", static_cast<long long>(k), static_cast<long long>(linear.classes));
  }
  int64_t shape[max_dims];
  for (int i = 0; i < hidden.ndim; ++i) shape[i] = i == axis ? k : hidden.shape[i];
  Batch batch(hidden, axis);
  Array values, ids, flags;
  Lists excluded;
  const int32_t type = parse_dtype(ids_type, VMX_I64);
  if (type != VMX_I32 && type != VMX_I64) raise(VMX_ERR_DTYPE, "ids_dtype is %s; it must be int32 or int64", dtype_name(type));
  values.out(values_, "values_out", hidden, hidden.ndim, shape, VMX_F32, true);
  ids.out(ids_, "ids_out", hidden, hidden.ndim, shape, type, !ids_type.is_none());
  const bool wants_flags = flags_out(flags, flags_, hidden, batch.ndim(), batch.shape());
  if (!excluded_.is_none()) excluded.open(excluded_, "excluded");
  const int ih = batch.add_matrix(hidden), iv = batch.add_matrix(values), ii = batch.add_matrix(ids);
  int ie = -1;
  if (excluded.given() && !excluded.is_tuple) ie = batch.add_vector(excluded.ids);
  batch.join();
  batch.need_single("hidden");
  const int64_t rows = batch.rows();
  const vmx_matrix hv = view(batch.data(ih), rows, hidden.shape[axis], batch.row_stride(ih), hidden.stride[axis], hidden.dtype);
  const vmx_matrix vv = view(batch.data(iv), rows, k, batch.row_stride(iv), values.stride[axis], values.dtype);
  const vmx_matrix iv_ = view(batch.data(ii), rows, k, batch.row_stride(ii), ids.stride[axis], ids.dtype);
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = (largest ? 0u : VMX_TOPK_SMALLEST) | (sorted ? 0u : VMX_TOPK_UNSORTED);
  options.col_offset = col_offset;
  if (excluded.given()) options.excluded = target_list(excluded, batch, ie);
  uint32_t *words = wants_flags ? reinterpret_cast<uint32_t *>(flags.data) : nullptr;
  check(without_gil(
            [&] { return vmx_linear_topk(raw(context), raw(workspace), &hv, &linear.c, k, &vv, &iv_, words, &options); }));
  return make_topk.tuple(values.result(), ids.result());
}

size_t linear_logsumexp_workspace_size(nb::handle hidden, nb::handle weights, nb::handle bias, size_t memory_limit,
                                       const Context *context) {
  Linear linear(hidden, weights, bias, memory_limit);
  const vmx_matrix hv = linear.hidden.matrix();
  size_t size = 0;
  check(vmx_linear_logsumexp_workspace_size(raw(context), &hv, &linear.c, nullptr, &size));
  return size;
}

size_t linear_cross_entropy_workspace_size(nb::handle hidden, nb::handle weights, nb::handle bias, bool grad_hidden,
                                           bool grad_weights, bool grad_bias, double label_smoothing, double softcap,
                                           size_t memory_limit, const Context *context) {
  Linear linear(hidden, weights, bias, memory_limit);
  const vmx_matrix hv = linear.hidden.matrix();
  vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  options.label_smoothing = label_smoothing;
  options.softcap = softcap;
  static char something[64]; // data tells only which gradients are wanted
  vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
  if (grad_hidden) grads.hidden = view(something, hv.rows, hv.cols, hv.cols, 1, hv.dtype);
  if (grad_weights) grads.weights = view(something, linear.classes, hv.cols, hv.cols, 1, VMX_F32);
  if (grad_bias) grads.bias = view(something, linear.classes, 1, VMX_F32);
  const bool any = grad_hidden || grad_weights || grad_bias;
  size_t size = 0;
  check(vmx_linear_cross_entropy_workspace_size(raw(context), &hv, &linear.c, any ? &grads : nullptr, &options, &size));
  return size;
}

size_t linear_topk_workspace_size(nb::handle hidden, nb::handle weights, int64_t k, nb::handle bias, size_t memory_limit,
                                  const Context *context) {
  Linear linear(hidden, weights, bias, memory_limit);
  const vmx_matrix hv = linear.hidden.matrix();
  size_t size = 0;
  check(vmx_linear_topk_workspace_size(raw(context), &hv, &linear.c, k, nullptr, &size));
  return size;
}

} // namespace

#define WEIGHTS "weights: " VMXPY_ARRAY " | PackedWeights"

void bind_linear(nb::module_ &m) {
  nb::class_<PackedWeights>(m, "PackedWeights", R"(Weights made ready for many calls of the linear functions. Holds its own copy.

Args:
    weights: [classes, dim], float32 or bfloat16.
    context: Threads to pack with.

Immutable; any number of threads may use one.

Raises:
    ArgumentTypeError, ArgumentValueError: weights has another dtype or shape.
    UnsupportedError: The build has no oneDNN.

>>> import numpy as np, vastmax
>>> packed = vastmax.PackedWeights(np.eye(3, 2, dtype=np.float32))
>>> packed.classes, packed.dim
(3, 2)
>>> vastmax.linear_topk(np.array([[0, 1]], dtype=np.float32), packed, 1).ids
array([[1]])
)")
      .def(nb::init<nb::handle, nb::object>(), "weights"_a.none(), "context"_a = nb::none(),
           nb::sig("def __init__(self, weights: " VMXPY_ARRAY ", context: Context | None = None) -> None"))
      .def_prop_ro("nbytes", [](const PackedWeights &p) { return vmx_packed_weights_size(p.packed); }, "Bytes held.")
      .def_ro("classes", &PackedWeights::classes, "Number of classes.")
      .def_ro("dim", &PackedWeights::dim, "Length of each class's vector.");

  m.def("linear_logsumexp", linear_logsumexp, "hidden"_a.none(), "weights"_a.none(), "bias"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(),
        "temperature"_a = nb::none(), "flags_out"_a = nb::none(), "memory_limit"_a = 0, "context"_a = nb::none(),
        "workspace"_a = nb::none(),
        nb::sig("def linear_logsumexp(hidden: ArrayT, " WEIGHTS ", bias: " VMXPY_ARRAY_OR_NONE ", *, out: " VMXPY_ARRAY_OR_NONE
                ", temperature: " VMXPY_FLOAT_OR_ARRAY ", flags_out: " VMXPY_ARRAY_OR_NONE ", memory_limit: int = 0, " VMXPY_CALL
                ") -> ArrayT"),
        R"(logsumexp of the scores hidden . weights^T + bias, which are never stored.

Args:
    hidden: [..., dim], float32 or bfloat16.
    weights: [classes, dim] of the dtype of hidden, or PackedWeights.
    bias: float32 [classes].
    out: float32 [...]; a new array by default.
    temperature: A number, or float32 [...].
    flags_out: uint32 [...], contiguous: written with ROW_EMPTY, ROW_NAN, ROW_INF.
    memory_limit: Bytes of scratch the call may use; 0: 128 MiB.
    context, workspace: As in logsumexp.

Returns:
    out, or a new array of the same library as hidden. NaN and infinities as in logsumexp.

Raises:
    ArgumentTypeError, ArgumentValueError: Dtypes or shapes that do not fit; memory_limit is too little.
    UnsupportedError: The build has no oneDNN.

>>> import numpy as np, vastmax
>>> hidden, weights = np.ones((1, 4), dtype=np.float32), np.zeros((10, 4), dtype=np.float32)
>>> vastmax.linear_logsumexp(hidden, weights)
array([2.3025851], dtype=float32)
)");

  m.def("linear_cross_entropy", linear_cross_entropy, "hidden"_a.none(), "weights"_a.none(), "targets"_a.none(), "bias"_a = nb::none(), nb::kw_only(),
        "reduction"_a = "mean", "ignore_index"_a = -100, "label_smoothing"_a = 0.0, "smooth_unmasked"_a = false,
        "class_weight"_a = nb::none(), "softcap"_a = 0.0, "z_loss"_a = 0.0, "temperature"_a = nb::none(),
        "grad_hidden"_a = nb::none(), "grad_weights"_a = nb::none(), "grad_bias"_a = nb::none(), "accumulate"_a = false,
        "grad_scale"_a = 1.0, "full"_a = false, "loss_out"_a = nb::none(), "z_loss_out"_a = nb::none(), "lse_out"_a = nb::none(),
        "flags_out"_a = nb::none(), "memory_limit"_a = 0, "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def linear_cross_entropy(hidden: ArrayT, " WEIGHTS ", targets: " VMXPY_LISTS ", bias: " VMXPY_ARRAY_OR_NONE
                ", *, reduction: str = 'mean', ignore_index: int = -100, label_smoothing: float = 0.0, smooth_unmasked: bool = "
                "False, class_weight: " VMXPY_ARRAY_OR_NONE ", softcap: float = 0.0, z_loss: float = 0.0, "
                "temperature: " VMXPY_FLOAT_OR_ARRAY ", grad_hidden: " VMXPY_ARRAY " | bool | None = None, grad_weights: "
                VMXPY_ARRAY " | bool | None = None, grad_bias: " VMXPY_ARRAY " | bool | None = None, accumulate: bool = False, "
                "grad_scale: float = 1.0, full: bool = False, loss_out: " VMXPY_ARRAY_OR_NONE ", z_loss_out: " VMXPY_ARRAY_OR_NONE
                ", lse_out: " VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE ", memory_limit: int = 0, " VMXPY_CALL
                ") -> typing.Any"),
        R"(Cross-entropy of the scores hidden . weights^T + bias and its gradients, without ever storing rows x classes.

Args:
    hidden: [..., dim], float32 or bfloat16.
    weights: [classes, dim] of the dtype of hidden, or PackedWeights.
    targets: int32 or int64 [...], or a tuple (indptr, ids[, weights]); see cross_entropy.
    bias: float32 [classes].
    reduction, ignore_index, label_smoothing, smooth_unmasked, class_weight, softcap, z_loss, temperature, grad_scale, full,
        loss_out, z_loss_out, lse_out, flags_out: As in cross_entropy; losses are float32.
    grad_hidden: True or an array [..., dim], float32 or the dtype of hidden: gradient of hidden.
    grad_weights, grad_bias: True or float32 [classes, dim] and [classes]: gradients of weights and bias.
    accumulate: Add to the arrays given as grad_weights and grad_bias instead of overwriting them.
    memory_limit: Bytes of scratch the call may use; 0: 128 MiB. More is faster with gradients.
    context, workspace: As in logsumexp.

Returns:
    The total (or with "none" the losses); with any gradient a tuple of that and LinearGrads(hidden, weights, bias); with
    full a LinearCrossEntropyResult. Edges as in cross_entropy.

Raises:
    LabelError: A target outside [0, classes) that is not ignore_index; nothing is written then.
    ArgumentTypeError, ArgumentValueError: Dtypes, shapes or options that do not fit; memory_limit is too little.
    UnsupportedError: The build has no oneDNN.

>>> import numpy as np, vastmax
>>> hidden, weights = np.ones((2, 4), dtype=np.float32), np.zeros((10, 4), dtype=np.float32)
>>> loss, grads = vastmax.linear_cross_entropy(hidden, weights, np.array([1, 2]), grad_weights=True)
>>> round(float(loss), 5), grads.weights.shape
(2.30259, (10, 4))
)");

  m.def("linear_topk", linear_topk, "hidden"_a.none(), "weights"_a.none(), "k"_a, "bias"_a = nb::none(), nb::kw_only(), "largest"_a = true,
        "sorted"_a = true, "col_offset"_a = 0, "excluded"_a = nb::none(), "ids_dtype"_a = nb::none(), "values_out"_a = nb::none(),
        "ids_out"_a = nb::none(), "flags_out"_a = nb::none(), "memory_limit"_a = 0, "context"_a = nb::none(),
        "workspace"_a = nb::none(),
        nb::sig("def linear_topk(hidden: ArrayT, " WEIGHTS ", k: int, bias: " VMXPY_ARRAY_OR_NONE
                ", *, largest: bool = True, sorted: bool = True, col_offset: int = 0, excluded: "
                "vastmax._typing.ListsLike | None = None, ids_dtype: " VMXPY_DTYPE ", values_out: " VMXPY_ARRAY_OR_NONE
                ", ids_out: " VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE ", memory_limit: int = 0, " VMXPY_CALL
                ") -> vastmax._results.TopK[ArrayT]"),
        R"(The k classes of the largest scores hidden . weights^T + bias: exact search by inner product.

Args:
    hidden: [..., dim], float32 or bfloat16.
    weights: [classes, dim] of the dtype of hidden, or PackedWeights.
    k: In [1, classes].
    bias: float32 [classes].
    largest, sorted, col_offset, excluded, ids_dtype, flags_out: As in topk.
    values_out, ids_out: [..., k]: float32, and int32 or int64.
    memory_limit: Bytes of scratch the call may use; 0: 128 MiB.
    context, workspace: As in logsumexp.

Returns:
    TopK(values, ids), [..., k].

Raises:
    ArgumentTypeError, ArgumentValueError: Dtypes or shapes that do not fit; k is out of range.
    UnsupportedError: The build has no oneDNN.

>>> import numpy as np, vastmax
>>> items = np.array([[1, 0], [0, 1], [2, 2]], dtype=np.float32)
>>> vastmax.linear_topk(np.array([0, 1], dtype=np.float32), items, 2).ids
array([2, 1])
)");

  m.def("linear_logsumexp_workspace_size", linear_logsumexp_workspace_size, "hidden"_a.none(), "weights"_a.none(), "bias"_a = nb::none(),
        nb::kw_only(), "memory_limit"_a = 0, "context"_a = nb::none(),
        nb::sig("def linear_logsumexp_workspace_size(hidden: " VMXPY_ARRAY ", " WEIGHTS ", bias: " VMXPY_ARRAY_OR_NONE
                ", *, memory_limit: int = 0, context: Context | None = None) -> int"),
        R"(Bytes that a linear_logsumexp of hidden, [rows, dim], may take from its workspace.

>>> import numpy as np, vastmax
>>> vastmax.linear_logsumexp_workspace_size(np.ones((1, 4), dtype=np.float32), np.ones((9, 4), dtype=np.float32)) > 0
True
)");
  m.def("linear_cross_entropy_workspace_size", linear_cross_entropy_workspace_size, "hidden"_a.none(), "weights"_a.none(),
        "bias"_a = nb::none(), nb::kw_only(), "grad_hidden"_a = false, "grad_weights"_a = false, "grad_bias"_a = false,
        "label_smoothing"_a = 0.0, "softcap"_a = 0.0, "memory_limit"_a = 0, "context"_a = nb::none(),
        nb::sig("def linear_cross_entropy_workspace_size(hidden: " VMXPY_ARRAY ", " WEIGHTS ", bias: " VMXPY_ARRAY_OR_NONE
                ", *, grad_hidden: bool = False, grad_weights: bool = False, grad_bias: bool = False, label_smoothing: float = "
                "0.0, softcap: float = 0.0, memory_limit: int = 0, context: Context | None = None) -> int"),
        R"(Bytes that a linear_cross_entropy of hidden, [rows, dim], may take from its workspace, with one target a row.

>>> import numpy as np, vastmax
>>> hidden, weights = np.ones((1, 4), dtype=np.float32), np.ones((9, 4), dtype=np.float32)
>>> vastmax.linear_cross_entropy_workspace_size(hidden, weights, grad_hidden=True) > 0
True
)");
  m.def("linear_topk_workspace_size", linear_topk_workspace_size, "hidden"_a.none(), "weights"_a.none(), "k"_a, "bias"_a = nb::none(),
        nb::kw_only(), "memory_limit"_a = 0, "context"_a = nb::none(),
        nb::sig("def linear_topk_workspace_size(hidden: " VMXPY_ARRAY ", " WEIGHTS ", k: int, bias: " VMXPY_ARRAY_OR_NONE
                ", *, memory_limit: int = 0, context: Context | None = None) -> int"),
        R"(Bytes that a linear_topk of hidden, [rows, dim], may take from its workspace.

>>> import numpy as np, vastmax
>>> vastmax.linear_topk_workspace_size(np.ones((1, 4), dtype=np.float32), np.ones((9, 4), dtype=np.float32), 3) > 0
True
)");
}

} // namespace vmxpy
