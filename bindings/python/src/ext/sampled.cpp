// SPDX-License-Identifier: Apache-2.0
// Losses over targets and drawn candidates, and over a batch's own keys.
#include "loss.hpp"

#include <algorithm>
#include <cstring>

namespace vmxpy {
namespace {
Helper make_in_batch_grads("_results", "InBatchGrads");
Helper make_in_batch_result("_results", "InBatchResult");
Helper make_sampled_grads("_results", "SampledGrads");
Helper make_sampled_loss_result("_results", "SampledLossResult");
Helper make_sparse_rows("_results", "SparseRows");

/// Gradients are added to dense arrays: a new one begins as zeros.
bool added_out(Array &array, nb::handle object, const char *argument, const Array &like, int ndim, const int64_t *shape) {
  const bool wanted = optional_out(array, object, argument, like, ndim, shape, VMX_F32);
  if (wanted && object.ptr() == Py_True) std::memset(array.data, 0, static_cast<size_t>(array.size()) * sizeof(float));
  return wanted;
}

/// A list of rows: new arrays with room for all, or a tuple (ids, rows[, bias]) of arrays given.
struct Sparse {
  Array ids, rows, bias;
  vmx_sparse_rows c = VMX_SPARSE_ROWS_INIT;

  void room(const Array &like, int64_t capacity, int64_t dim, bool with_bias) {
    const int64_t shape[] = {capacity, dim};
    ids.make(like, 1, shape, VMX_I64);
    rows.make(like, 2, shape, VMX_F32);
    if (with_bias) bias.make(like, 1, shape, VMX_F32);
    finish();
  }
  void open(nb::handle object, const char *argument, bool written) {
    if (!PyTuple_Check(object.ptr()) || (PyTuple_GET_SIZE(object.ptr()) != 2 && PyTuple_GET_SIZE(object.ptr()) != 3)) {
      raise(VMX_ERR_DTYPE, "%s is of type %s; it must be a tuple (ids, rows) or (ids, rows, bias)", argument,
            Py_TYPE(object.ptr())->tp_name);
    }
    nb::handle id = PyTuple_GET_ITEM(object.ptr(), 0), row = PyTuple_GET_ITEM(object.ptr(), 1);
    nb::handle b = PyTuple_GET_SIZE(object.ptr()) == 3 ? nb::handle(PyTuple_GET_ITEM(object.ptr(), 2)) : nb::handle(Py_None);
    if (written) {
      ids.open_out(id, "ids");
      rows.open_out(row, "rows");
      if (!b.is_none()) bias.open_out(b, "bias");
    } else {
      ids.open(id, "ids");
      rows.open(row, "rows");
    }
    finish();
  }
  nb::object result() {
    const nb::slice part(nb::int_(0), nb::int_(c.count), nb::none());
    return make_sparse_rows(ids.result()[part], rows.result()[part],
                                           bias.given() ? nb::object(bias.result()[part]) : nb::none());
  }

 private:
  void finish() {
    rows.need_ndim(2);
    ids.need_dtype(VMX_I64);
    ids.need_shape(1, rows.shape);
    if (!ids.contiguous()) raise(VMX_ERR_VALUE, "ids is not contiguous");
    c.ids = reinterpret_cast<int64_t *>(ids.data);
    c.rows = rows.matrix();
    c.count = rows.shape[0];
    if (bias.given()) {
      bias.need_dtype(VMX_F32);
      bias.need_shape(1, rows.shape);
      if (!bias.contiguous()) raise(VMX_ERR_VALUE, "bias is not contiguous");
      c.bias = reinterpret_cast<float *>(bias.data);
    }
  }
};

vmx_matrix lists_view(const Array &array, int64_t rows) {
  if (array.ndim == 1) return view(array.data, 1, array.shape[0], array.shape[0], array.stride[0], array.dtype);
  array.need_ndim(2);
  if (array.shape[0] != 1 && array.shape[0] != rows) {
    raise(VMX_ERR_SHAPE, "%s has %lld rows; it must have 1 or the %lld of hidden", array.argument,
          static_cast<long long>(array.shape[0]), static_cast<long long>(rows));
  }
  return array.matrix();
}

nb::object sampled_loss(nb::handle hidden_, nb::handle table_, nb::handle targets_, nb::handle candidates_, nb::handle log_q_,
                        nb::handle target_log_q_, nb::handle bias_, const char *loss, const char *correction, const char *score,
                        const char *reduction, bool keep_hits, bool joint, double temperature, double margin,
                        double negative_weight, nb::handle identity_, nb::handle grad_hidden_, nb::handle grad_table_,
                        nb::handle grad_bias_, nb::handle grad_sparse_, double grad_scale, bool full, nb::handle loss_,
                        nb::handle flags_, size_t memory_limit, const Context *context, const Workspace *workspace) {
  Array hidden, table, ids, log_q, target_log_q, bias, identity;
  Lists targets;
  hidden.open(hidden_, "hidden");
  table.open(table_, "table");
  const vmx_matrix hv = hidden.matrix(), tv = table.matrix();
  targets.open(targets_, "targets");
  const vmx_csr list = targets.csr();
  ids.open(candidates_, "candidates");
  vmx_candidates candidates = VMX_CANDIDATES_INIT;
  candidates.ids = lists_view(ids, hv.rows);
  open_if(log_q, log_q_, "log_q");
  if (log_q.given()) {
    log_q.need_shape(ids.ndim, ids.shape);
    candidates.log_q = lists_view(log_q, hv.rows);
  }
  open_if(target_log_q, target_log_q_, "target_log_q");
  if (target_log_q.given()) candidates.target_log_q = target_log_q.vector();
  open_if(identity, identity_, "identity");
  if (identity.given()) candidates.identity = identity.ids();
  vmx_vector bv = no_vector();
  open_if(bias, bias_, "bias");
  if (bias.given()) bv = bias.vector();

  vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
  options.loss = enumerator(k_loss_names, "loss", loss);
  options.correction = enumerator(k_correct_names, "correction", correction);
  options.score = enumerator(k_score_names, "score", score);
  options.reduction = enumerator(k_reduce_names, "reduction", reduction);
  if (keep_hits) options.flags |= VMX_SAMPLED_KEEP_HITS;
  if (joint) options.flags |= VMX_SAMPLED_JOINT;
  options.temperature = temperature;
  options.margin = margin;
  options.negative_weight = negative_weight;
  options.memory_limit = memory_limit;

  Array grad_hidden, grad_table, grad_bias, loss_array, flags;
  Sparse sparse;
  vmx_sampled_grads grads = VMX_SAMPLED_GRADS_INIT;
  const bool wants_hidden = optional_out(grad_hidden, grad_hidden_, "grad_hidden", hidden, 2, hidden.shape, hidden.dtype);
  if (wants_hidden) grads.hidden = grad_hidden.matrix();
  const bool wants_table = added_out(grad_table, grad_table_, "grad_table", hidden, 2, table.shape);
  if (wants_table) grads.table = grad_table.matrix();
  const bool wants_bias = added_out(grad_bias, grad_bias_, "grad_bias", hidden, 1, table.shape);
  if (wants_bias) grads.bias = grad_bias.vector();
  const bool wants_sparse = !grad_sparse_.is_none() && grad_sparse_.ptr() != Py_False;
  if (wants_sparse) {
    if (grad_sparse_.ptr() == Py_True) {
      sparse.room(hidden, std::min(table.shape[0], ids.size() + targets.ids.size()), table.shape[1], bias.given());
    } else {
      sparse.open(grad_sparse_, "grad_sparse", true);
    }
    grads.sparse = &sparse.c;
  }
  const bool none = options.reduction == VMX_REDUCE_NONE;
  const bool wants_loss = optional_out(loss_array, loss_, "loss_out", hidden, 1, hidden.shape, VMX_F32, none || full);
  const bool wants_flags = flags_out(flags, flags_, hidden, 1, hidden.shape, full);
  Totals totals(hidden);
  vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
  if (wants_loss) out.loss = loss_array.vector();
  if (wants_flags) out.row_flags = reinterpret_cast<uint32_t *>(flags.data);
  if (!none || full) out.total = totals.total();
  if (full) out.total_weight = totals.weight();
  out.grad_scale = grad_scale;
  const bool wants_grads = wants_hidden || wants_table || wants_bias || wants_sparse;
  check(without_gil([&] {
          return vmx_sampled_loss(raw(context), raw(workspace), &hv, &tv, bias.given() ? &bv : nullptr, &list, &candidates, &out,
                                  wants_grads ? &grads : nullptr, &options);
        }));

  nb::object made = nb::none();
  if (wants_grads) {
    made = make_sampled_grads(grad_hidden.result(), grad_table.result(), grad_bias.result(),
                                              wants_sparse ? sparse.result() : nb::none());
  }
  if (full) {
    return make_sampled_loss_result(loss_array.result(), flags.result(), totals.total_result(),
                                                  totals.weight_result(), made);
  }
  nb::object value = none ? loss_array.result() : totals.total_result();
  if (!wants_grads) return value;
  return nb::make_tuple(value, made);
}

nb::object in_batch_softmax(nb::handle queries_, nb::handle keys_, nb::handle identity_, nb::handle log_q_, const char *score,
                            double temperature, const char *reduction, nb::handle grad_queries_, nb::handle grad_keys_,
                            double grad_scale, bool full, nb::handle loss_, nb::handle flags_, size_t memory_limit,
                            const Context *context, const Workspace *workspace) {
  Array queries, keys, identity, log_q, grad_queries, grad_keys, loss, flags;
  queries.open(queries_, "queries");
  keys.open(keys_, "keys");
  const vmx_matrix qv = queries.matrix(), kv = keys.matrix();
  open_if(identity, identity_, "identity");
  open_if(log_q, log_q_, "log_q");
  vmx_ids iv = no_ids();
  if (identity.given()) iv = identity.ids();
  vmx_vector lv = no_vector();
  if (log_q.given()) lv = log_q.vector();
  vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
  options.score = enumerator(k_score_names, "score", score);
  options.reduction = enumerator(k_reduce_names, "reduction", reduction);
  options.temperature = temperature;
  options.memory_limit = memory_limit;
  const bool none = options.reduction == VMX_REDUCE_NONE;
  const bool wants_q = optional_out(grad_queries, grad_queries_, "grad_queries", queries, 2, queries.shape, queries.dtype);
  const bool wants_k = optional_out(grad_keys, grad_keys_, "grad_keys", keys, 2, keys.shape, keys.dtype);
  const bool wants_loss = optional_out(loss, loss_, "loss_out", queries, 1, queries.shape, VMX_F32, none || full);
  const bool wants_flags = flags_out(flags, flags_, queries, 1, queries.shape, full);
  vmx_matrix gq = no_matrix(), gk = no_matrix();
  if (wants_q) gq = grad_queries.matrix();
  if (wants_k) gk = grad_keys.matrix();
  Totals totals(queries);
  vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
  if (wants_loss) out.loss = loss.vector();
  if (wants_flags) out.row_flags = reinterpret_cast<uint32_t *>(flags.data);
  if (!none || full) out.total = totals.total();
  if (full) out.total_weight = totals.weight();
  out.grad_scale = grad_scale;
  check(without_gil([&] {
          return vmx_in_batch_softmax(raw(context), raw(workspace), &qv, &kv, identity.given() ? &iv : nullptr,
                                      log_q.given() ? &lv : nullptr, &out, wants_q ? &gq : nullptr, wants_k ? &gk : nullptr,
                                      &options);
        }));
  nb::object made = nb::none();
  if (wants_q || wants_k) made = make_in_batch_grads(grad_queries.result(), grad_keys.result());
  if (full) {
    return make_in_batch_result(loss.result(), flags.result(), totals.total_result(), totals.weight_result(), made);
  }
  nb::object value = none ? loss.result() : totals.total_result();
  if (made.is_none()) return value;
  return nb::make_tuple(value, made);
}

nb::object sparse_update(nb::handle table_, nb::handle grad_, const char *optimizer, nb::handle mean_, nb::handle square_,
                         int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay,
                         const Context *context) {
  Array table, mean, square;
  Sparse grad;
  table.open_out(table_, "table");
  grad.open(grad_, "grad", false);
  const vmx_matrix tv = table.matrix();
  vmx_matrix mv = no_matrix(), sv = no_matrix();
  if (!mean_.is_none()) {
    mean.open_out(mean_, "mean");
    mv = mean.matrix();
  }
  if (!square_.is_none()) {
    square.open_out(square_, "square");
    sv = square.matrix();
  }
  vmx_update_options options = VMX_UPDATE_OPTIONS_INIT;
  options.optimizer = enumerator(k_optimizer_names, "optimizer", optimizer);
  options.step = step;
  options.lr = lr;
  options.beta1 = beta1;
  options.beta2 = beta2;
  options.eps = eps;
  options.weight_decay = weight_decay;
  check(without_gil([&] {
          return vmx_sparse_update(raw(context), &grad.c, &tv, mean.given() ? &mv : nullptr, square.given() ? &sv : nullptr,
                                   &options);
        }));
  return table.result();
}

size_t sampled_loss_workspace_size(nb::handle hidden_, nb::handle table_, int64_t targets, nb::handle candidates_,
                                   const char *loss, const char *correction, const char *score, bool joint, bool grad_hidden,
                                   bool grad_table, bool grad_sparse, size_t memory_limit, const Context *context) {
  Array hidden, table, ids;
  hidden.open(hidden_, "hidden");
  table.open(table_, "table");
  ids.open(candidates_, "candidates");
  const vmx_matrix hv = hidden.matrix(), tv = table.matrix();
  vmx_candidates candidates = VMX_CANDIDATES_INIT;
  candidates.ids = lists_view(ids, hv.rows);
  static char something[64]; // data tells only which gradients are wanted
  vmx_sampled_grads grads = VMX_SAMPLED_GRADS_INIT;
  vmx_sparse_rows rows = VMX_SPARSE_ROWS_INIT;
  if (grad_hidden) grads.hidden = view(something, hv.rows, hv.cols, hv.cols, 1, hv.dtype);
  if (grad_table) grads.table = view(something, tv.rows, tv.cols, tv.cols, 1, VMX_F32);
  if (grad_sparse) {
    const int64_t capacity = std::min(tv.rows, ids.size() + targets);
    rows.ids = reinterpret_cast<int64_t *>(something);
    rows.rows = view(something, capacity, tv.cols, tv.cols, 1, VMX_F32);
    grads.sparse = &rows;
  }
  vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
  options.loss = enumerator(k_loss_names, "loss", loss);
  options.correction = enumerator(k_correct_names, "correction", correction);
  options.score = enumerator(k_score_names, "score", score);
  if (joint) options.flags |= VMX_SAMPLED_JOINT;
  options.memory_limit = memory_limit;
  // Only sizes count, but a missing log q would be an argument missing.
  if (options.loss == VMX_LOSS_NCE || options.correction != VMX_CORRECT_NONE) {
    candidates.log_q = view(something, candidates.ids.rows, candidates.ids.cols, candidates.ids.cols, 1, VMX_F32);
    candidates.target_log_q = view(something, targets, 1, VMX_F32);
  }
  const bool any = grad_hidden || grad_table || grad_sparse;
  size_t size = 0;
  check(vmx_sampled_loss_workspace_size(raw(context), &hv, &tv, targets, &candidates, any ? &grads : nullptr, &options, &size));
  return size;
}

} // namespace

void bind_sampled(nb::module_ &m) {
  m.def("sampled_loss", sampled_loss, "hidden"_a.none(), "table"_a.none(), "targets"_a.none(), "candidates"_a.none(), "log_q"_a = nb::none(),
        "target_log_q"_a = nb::none(), nb::kw_only(), "bias"_a = nb::none(), "loss"_a = "sampled_softmax", "correction"_a = "none",
        "score"_a = "dot", "reduction"_a = "mean", "keep_hits"_a = false, "joint"_a = false, "temperature"_a = 1.0,
        "margin"_a = 0.4, "negative_weight"_a = 1.0, "identity"_a = nb::none(), "grad_hidden"_a = nb::none(),
        "grad_table"_a = nb::none(), "grad_bias"_a = nb::none(), "grad_sparse"_a = nb::none(), "grad_scale"_a = 1.0,
        "full"_a = false, "loss_out"_a = nb::none(), "flags_out"_a = nb::none(), "memory_limit"_a = 0, "context"_a = nb::none(),
        "workspace"_a = nb::none(),
        nb::sig("def sampled_loss(hidden: ArrayT, table: " VMXPY_ARRAY ", targets: " VMXPY_LISTS ", candidates: " VMXPY_ARRAY
                ", log_q: " VMXPY_ARRAY_OR_NONE ", target_log_q: " VMXPY_ARRAY_OR_NONE ", *, bias: " VMXPY_ARRAY_OR_NONE
                ", loss: str = 'sampled_softmax', correction: str = 'none', score: str = 'dot', reduction: str = 'mean', "
                "keep_hits: bool = False, joint: bool = False, temperature: float = 1.0, margin: float = 0.4, negative_weight: "
                "float = 1.0, identity: " VMXPY_ARRAY_OR_NONE ", grad_hidden: " VMXPY_ARRAY " | bool | None = None, grad_table: "
                VMXPY_ARRAY " | bool | None = None, grad_bias: " VMXPY_ARRAY " | bool | None = None, grad_sparse: "
                "vastmax._typing.SparseLike | bool | None = None, grad_scale: float = 1.0, full: bool = False, loss_out: "
                VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE ", memory_limit: int = 0, " VMXPY_CALL ") -> typing.Any"),
        R"(A loss over each row's targets and its drawn negatives, and its gradients in the same pass.

Args:
    hidden: [rows, dim], float32 or bfloat16.
    table: [classes, dim] of the dtype of hidden: the vector of each class.
    targets: int32 or int64 [rows], or a tuple (indptr, ids[, weights]): several targets a row.
    candidates: The negatives: int32 or int64 [m] for all rows together, or [rows, m]; -1 is an empty slot.
    log_q: float32 of the shape of candidates: log q (for "counts" and NCE: the log of expected counts), as Sampler.draw
        gives.
    target_log_q: float32, the same of each target, as Sampler.log_q gives.
    bias: float32 [classes].
    loss: "sampled_softmax", "nce", "neg", "bpr" or "ccl".
    correction: Of sampled_softmax: "none", "ranking", "is" or "counts".
    score: "dot" or "cosine".
    reduction: "mean" (by the weight of the targets), "sum" or "none".
    keep_hits: Negatives that are a target of their row stay.
    joint: Of sampled_softmax: all targets of a row stand in one denominator.
    temperature: Divides the scores; above 0. ccl takes none.
    margin, negative_weight: Of ccl.
    identity: int32 or int64 [classes]: classes with equal numbers are one when hits are looked for.
    grad_hidden: True or an array [rows, dim], float32 or the dtype of hidden.
    grad_table, grad_bias: True (new arrays) or float32 [classes, dim] and [classes], which are added to.
    grad_sparse: True: the gradient of table and bias as SparseRows; or a tuple (ids, rows[, bias]) of arrays with room.
    grad_scale: What gradients are multiplied by.
    full: Return all results (SampledLossResult).
    loss_out: float32 [rows]: also written with each row's loss.
    flags_out: uint32 [rows]: written with ROW_NAN, ROW_INF, ROW_EMPTY (no negatives left).
    memory_limit: Bytes of scratch the call may use; 0: 128 MiB, or what it needs at the least.
    context, workspace: As in logsumexp.

Returns:
    The total (float64; with "none" the losses); with any gradient a tuple of that and SampledGrads(hidden, table, bias,
    sparse); with full a SampledLossResult. All of the same library as hidden.

NaN or +inf in a row's scores: loss and gradients NaN. -inf of a negative masks it; of a target: loss +inf.

Raises:
    LabelError: An id outside the table.
    ArgumentTypeError, ArgumentValueError: Dtypes, shapes or options that do not fit; a log_q that is missing or not finite.
    UnsupportedError: Shared candidates in a build without oneDNN.

>>> import numpy as np, vastmax
>>> hidden, table = np.zeros((2, 4), dtype=np.float32), np.ones((10, 4), dtype=np.float32)
>>> loss, grads = vastmax.sampled_loss(hidden, table, np.array([0, 1]), np.array([5, 6, 7]), grad_sparse=True)
>>> round(float(loss), 6), grads.sparse.ids.tolist()
(1.386294, [0, 1, 5, 6, 7])
)");

  m.def("in_batch_softmax", in_batch_softmax, "queries"_a.none(), "keys"_a.none(), "identity"_a = nb::none(), "log_q"_a = nb::none(),
        nb::kw_only(), "score"_a = "dot", "temperature"_a = 1.0, "reduction"_a = "mean", "grad_queries"_a = nb::none(),
        "grad_keys"_a = nb::none(), "grad_scale"_a = 1.0, "full"_a = false, "loss_out"_a = nb::none(), "flags_out"_a = nb::none(),
        "memory_limit"_a = 0, "context"_a = nb::none(), "workspace"_a = nb::none(),
        nb::sig("def in_batch_softmax(queries: ArrayT, keys: " VMXPY_ARRAY ", identity: " VMXPY_ARRAY_OR_NONE
                ", log_q: " VMXPY_ARRAY_OR_NONE ", *, score: str = 'dot', temperature: float = 1.0, reduction: str = 'mean', "
                "grad_queries: " VMXPY_ARRAY " | bool | None = None, grad_keys: " VMXPY_ARRAY " | bool | None = None, grad_scale: "
                "float = 1.0, full: bool = False, loss_out: " VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE
                ", memory_limit: int = 0, " VMXPY_CALL ") -> typing.Any"),
        R"(In-batch softmax (InfoNCE): row i of queries belongs to row i of keys, the other keys are its negatives.

Args:
    queries, keys: [rows, dim], float32, or bfloat16 both.
    identity: int32 or int64 [rows]: which class each key is; other keys of a row's own class are left out.
    log_q: float32 [rows]: log probability of each key to be in a batch, taken off all scores.
    score, temperature, reduction, grad_scale, full, loss_out, flags_out, memory_limit: As in sampled_loss.
    grad_queries, grad_keys: True or arrays [rows, dim], float32 or the inputs' dtype.
    context, workspace: As in logsumexp.

Returns:
    The total (float64; with "none" the losses); with any gradient a tuple of that and InBatchGrads(queries, keys); with
    full an InBatchResult. Edges as in sampled_loss.

Raises:
    ArgumentTypeError, ArgumentValueError: Dtypes, shapes or options that do not fit.
    UnsupportedError: The build has no oneDNN.

>>> import numpy as np, vastmax
>>> x = 10 * np.eye(3, dtype=np.float32)
>>> bool(vastmax.in_batch_softmax(x, x) < 1e-6)
True
)");

  m.def("sparse_update", sparse_update, "table"_a.none(), "grad"_a.none(), "optimizer"_a = "sgd", nb::kw_only(), "mean"_a = nb::none(),
        "square"_a = nb::none(), "step"_a = 1, "lr"_a = 0.001, "beta1"_a = 0.9, "beta2"_a = 0.999, "eps"_a = 1e-8,
        "weight_decay"_a = 0.0, "context"_a = nb::none(),
        nb::sig("def sparse_update(table: ArrayT, grad: vastmax._typing.SparseLike, optimizer: str = 'sgd', *, mean: "
                VMXPY_ARRAY_OR_NONE ", square: " VMXPY_ARRAY_OR_NONE ", step: int = 1, lr: float = 0.001, beta1: float = 0.9, "
                "beta2: float = 0.999, eps: float = 1e-08, weight_decay: float = 0.0, context: Context | None = None) -> ArrayT"),
        R"(One step of an optimizer on the rows of table that grad names; other rows stay as they are.

Args:
    table: [classes, dim] float32 or bfloat16, updated in place.
    grad: SparseRows, or a tuple (ids, rows): int64 [n], rising, contiguous, and float32 [n, dim]. Its bias is not looked
        at: a bias is a table [classes, 1] of its own.
    optimizer: "sgd", "adagrad" or "adam".
    mean, square: Moments, float32 [classes, dim], updated in place, zeros at first: adagrad has square, adam both.
    step: Of adam: from 1.
    lr, beta1, beta2, eps: As usual.
    weight_decay: Decoupled: first table -= lr * weight_decay * table, of these rows.
    context: Threads.

Returns:
    table.

Raises:
    LabelError: An id outside the table.
    ArgumentTypeError, ArgumentValueError: ids that do not rise; moments that the optimizer has not; dtypes, shapes or
        options that do not fit.

>>> import numpy as np, vastmax
>>> table = np.zeros((3, 2), dtype=np.float32)
>>> grad = vastmax.SparseRows(np.array([1]), np.ones((1, 2), dtype=np.float32))
>>> vastmax.sparse_update(table, grad, lr=0.5).tolist()
[[0.0, 0.0], [-0.5, -0.5], [0.0, 0.0]]
)");

  m.def("sampled_loss_workspace_size", sampled_loss_workspace_size, "hidden"_a.none(), "table"_a.none(), "targets"_a.none(), "candidates"_a.none(),
        nb::kw_only(), "loss"_a = "sampled_softmax", "correction"_a = "none", "score"_a = "dot", "joint"_a = false,
        "grad_hidden"_a = false, "grad_table"_a = false, "grad_sparse"_a = false, "memory_limit"_a = 0, "context"_a = nb::none(),
        nb::sig("def sampled_loss_workspace_size(hidden: " VMXPY_ARRAY ", table: " VMXPY_ARRAY
                ", targets: int, candidates: " VMXPY_ARRAY ", *, loss: str = 'sampled_softmax', correction: str = 'none', score: "
                "str = 'dot', joint: bool = False, grad_hidden: bool = False, grad_table: bool = False, grad_sparse: bool = False, "
                "memory_limit: int = 0, context: Context | None = None) -> int"),
        R"(Bytes that a sampled_loss may take from its workspace; targets is the number of targets of all rows together.

>>> import numpy as np, vastmax
>>> hidden, table = np.zeros((2, 4), dtype=np.float32), np.ones((10, 4), dtype=np.float32)
>>> vastmax.sampled_loss_workspace_size(hidden, table, 2, np.array([5, 6, 7]), grad_sparse=True) > 0
True
)");
}

} // namespace vmxpy
