// SPDX-License-Identifier: Apache-2.0
// Top-k and the merge of k-lists.
#include "loss.hpp"

namespace vmxpy {
namespace {
Helper make_topk("_results", "TopK");

uint32_t topk_flags(bool largest, bool sorted) {
  return (largest ? 0u : VMX_TOPK_SMALLEST) | (sorted ? 0u : VMX_TOPK_UNSORTED);
}

int32_t ids_dtype(nb::handle dtype) {
  const int32_t type = parse_dtype(dtype, VMX_I64);
  if (type != VMX_I32 && type != VMX_I64) raise(VMX_ERR_DTYPE, "ids_dtype is %s; it must be int32 or int64", dtype_name(type));
  return type;
}

/// The shape of x with k entries along the axis; k must be countable before the library judges it.
void replace_axis(const Array &x, int axis, int64_t k, int64_t *shape) {
  if (k < 1) raise(VMX_ERR_VALUE, "k is %lld; it must be at least 1", static_cast<long long>(k));
  if (k > x.shape[axis]) {
    raise(VMX_ERR_SHAPE, "k is %lld; %s has %lld entries in a row", static_cast<long long>(k), x.argument,
          static_cast<long long>(x.shape[axis]));
  }
  for (int i = 0; i < x.ndim; ++i) shape[i] = i == axis ? k : x.shape[i];
}

nb::object topk(nb::handle x_, int64_t k, int64_t axis_, bool largest, bool sorted, int64_t col_offset, nb::handle excluded_,
                nb::handle ids_type, nb::handle values_, nb::handle ids_, nb::handle flags_, const Context *context,
                const Workspace *workspace) {
  Array x, values, ids, flags;
  Lists excluded;
  x.open(x_, "x");
  const int axis = x.axis_of(axis_);
  int64_t shape[max_dims];
  replace_axis(x, axis, k, shape);
  Batch batch(x, axis);
  values.out(values_, "values_out", x, x.ndim, shape, x.dtype, true);
  ids.out(ids_, "ids_out", x, x.ndim, shape, ids_dtype(ids_type), !ids_type.is_none());
  const bool wants_flags = flags_out(flags, flags_, x, batch.ndim(), batch.shape());
  if (!excluded_.is_none()) excluded.open(excluded_, "excluded");
  const int ix = batch.add_matrix(x), iv = batch.add_matrix(values), ii = batch.add_matrix(ids),
            ifl = wants_flags ? batch.add_vector(flags) : batch.add_nothing();
  int ie = -1;
  if (excluded.given() && !excluded.is_tuple) ie = batch.add_vector(excluded.ids);
  batch.join();
  if (excluded.given()) batch.need_single("x");
  if (!batch.single()) {
    need_distinct(values);
    need_distinct(ids);
    need_apart(values, x);
    need_apart(ids, x);
    need_apart(values, ids);
    need_apart(values, flags);
    need_apart(ids, flags);
    need_apart(flags, x);
  }
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = topk_flags(largest, sorted);
  options.col_offset = col_offset;
  if (excluded.given()) options.excluded = target_list(excluded, batch, ie);
  const vmx_status status = without_gil([&] {
    return batch.each([&] {
      const int64_t rows = batch.rows();
      const vmx_matrix xv = view(batch.data(ix), rows, x.shape[axis], batch.row_stride(ix), x.stride[axis], x.dtype);
      const vmx_matrix vv = view(batch.data(iv), rows, k, batch.row_stride(iv), values.stride[axis], values.dtype);
      const vmx_matrix iv_ = view(batch.data(ii), rows, k, batch.row_stride(ii), ids.stride[axis], ids.dtype);
      return vmx_topk(raw(context), raw(workspace), &xv, k, &vv, &iv_, reinterpret_cast<uint32_t *>(batch.data(ifl)), &options);
    });
  });
  check(status);
  return make_topk.tuple(values.result(), ids.result());
}

nb::object topk_merge(nb::handle values_in_, nb::handle ids_in_, int64_t k, bool largest, bool sorted, nb::handle values_,
                      nb::handle ids_, nb::handle flags_, const Context *context, const Workspace *workspace) {
  Array values_in, ids_in, values, ids, flags;
  values_in.open(values_in_, "values");
  ids_in.open(ids_in_, "ids");
  values_in.need_ndim(2);
  ids_in.need_shape(2, values_in.shape);
  int64_t shape[max_dims];
  replace_axis(values_in, 1, k, shape);
  values.out(values_, "values_out", values_in, 2, shape, values_in.dtype, true);
  ids.out(ids_, "ids_out", ids_in, 2, shape, ids_in.dtype, false);
  const bool wants_flags = flags_out(flags, flags_, values_in, 1, shape);
  const vmx_matrix vi = values_in.matrix(), ii = ids_in.matrix(), vo = values.matrix(), io = ids.matrix();
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = topk_flags(largest, sorted);
  uint32_t *words = wants_flags ? reinterpret_cast<uint32_t *>(flags.data) : nullptr;
  check(without_gil([&] { return vmx_topk_merge(raw(context), raw(workspace), &vi, &ii, k, &vo, &io, words, &options); }));
  return make_topk.tuple(values.result(), ids.result());
}

size_t topk_workspace_size(nb::handle x_, int64_t k, bool largest, bool sorted, nb::handle excluded_, const Context *context) {
  Array x;
  x.open(x_, "x");
  const vmx_matrix xv = x.matrix();
  Lists excluded;
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = topk_flags(largest, sorted);
  if (!excluded_.is_none()) {
    excluded.open(excluded_, "excluded");
    options.excluded = excluded.csr();
  }
  size_t size = 0;
  check(vmx_topk_workspace_size(raw(context), &xv, k, &options, &size));
  return size;
}

} // namespace

void bind_topk(nb::module_ &m) {
  m.def("topk", topk, "x"_a.none(), "k"_a, "axis"_a = -1, nb::kw_only(), "largest"_a = true, "sorted"_a = true, "col_offset"_a = 0,
        "excluded"_a = nb::none(), "ids_dtype"_a = nb::none(), "values_out"_a = nb::none(), "ids_out"_a = nb::none(),
        "flags_out"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def topk(x: ArrayT, k: int, axis: int = -1, *, largest: bool = True, sorted: bool = True, col_offset: int = 0, "
                "excluded: vastmax._typing.ListsLike | None = None, ids_dtype: " VMXPY_DTYPE ", values_out: " VMXPY_ARRAY_OR_NONE
                ", ids_out: " VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE ", " VMXPY_CALL
                ") -> vastmax._results.TopK[ArrayT]"),
        R"(The k best entries of each row: exactly k, ties by the lower id, NaN after everything else.

Args:
    x: float32, bfloat16, float16 or float64, of any shape and strides.
    k: In [1, classes].
    axis: The axis of the classes.
    largest: False: the k smallest.
    sorted: False: in rising order of id instead of rank order.
    col_offset: Added to each id, for shards of a row.
    excluded: Class ids to pass over: one a row, of the shape of x without axis, or a tuple (indptr, ids).
    ids_dtype: int64 (default) or int32.
    values_out, ids_out: Where results go: the shape of x with k along axis, of the dtype of x, and int32 or int64.
    flags_out: uint32 of the shape of x without axis, contiguous: written with ROW_NAN, ROW_INF, ROW_EMPTY and
        ROW_UNDERFULL (fewer than k left after exclusion: the rest has id -1 and value -inf, or +inf for the smallest).
    context, workspace: As in logsumexp.

Returns:
    TopK(values, ids) of the same library as x.

Raises:
    ArgumentTypeError: x is no array, or of another dtype; an output is of the wrong dtype.
    ArgumentValueError: k, axis or a shape is out of range; outputs overlap.

>>> import numpy as np, vastmax
>>> values, ids = vastmax.topk(np.array([3, 9, 9, 1], dtype=np.float32), 2)
>>> values, ids
(array([9., 9.], dtype=float32), array([1, 2]))
)");
  m.def("topk_merge", topk_merge, "values"_a.none(), "ids"_a.none(), "k"_a, nb::kw_only(), "largest"_a = true, "sorted"_a = true,
        "values_out"_a = nb::none(), "ids_out"_a = nb::none(), "flags_out"_a = nb::none(), "context"_a = nb::none(),
        "workspace"_a = nb::none(),
        nb::sig("def topk_merge(values: ArrayT, ids: " VMXPY_ARRAY
                ", k: int, *, largest: bool = True, sorted: bool = True, values_out: " VMXPY_ARRAY_OR_NONE
                ", ids_out: " VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE ", " VMXPY_CALL
                ") -> vastmax._results.TopK[ArrayT]"),
        R"(Merges k-lists that lie side by side: the k best of the m entries of each row.

Args:
    values: [rows, m] of any of the four dtypes.
    ids: int32 or int64 [rows, m]; -1 is an empty slot; none stands twice in a row.
    k: In [1, m].
    largest, sorted: As in topk.
    values_out, ids_out: [rows, k]; by default new arrays.
    flags_out: As in topk: uint32 [rows].
    context, workspace: As in logsumexp.

Returns:
    TopK(values, ids). The result does not depend on the order of the entries.

Raises:
    ArgumentTypeError, ArgumentValueError: As topk.

>>> import numpy as np, vastmax
>>> values, ids = np.array([[1.0, 4.0, 2.0]]), np.array([[7, 0, 3]])
>>> vastmax.topk_merge(values, ids, 2).ids
array([[0, 3]])
)");
  m.def("topk_workspace_size", topk_workspace_size, "x"_a.none(), "k"_a, nb::kw_only(), "largest"_a = true, "sorted"_a = true,
        "excluded"_a = nb::none(), "context"_a = nb::none(),
        nb::sig("def topk_workspace_size(x: " VMXPY_ARRAY ", k: int, *, largest: bool = True, sorted: bool = True, excluded: "
                "vastmax._typing.ListsLike | None = None, context: Context | None = None) -> int"),
        R"(Bytes that a topk of x, [rows, classes], may take from its workspace.

>>> import numpy as np, vastmax
>>> vastmax.topk_workspace_size(np.zeros((1, 100), dtype=np.float32), 10) > 0
True
)");
}

} // namespace vmxpy
