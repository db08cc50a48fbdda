// SPDX-License-Identifier: Apache-2.0
// Samplers of negative classes.
#include "loss.hpp"

#include <memory>

namespace vmxpy {
namespace {
Helper make_draw("_results", "Draw");

struct Sampler {
  vmx_sampler *sampler = nullptr;
  int32_t kind = 0;
  int64_t classes = 0;
  nb::object embeddings; // which an EXACT sampler looks at as long as it lives
  Sampler() = default;
  ~Sampler() { vmx_sampler_destroy(sampler); }
  Sampler(const Sampler &) = delete;
};

const char *name_of(int32_t kind) {
  for (const Name &n : k_sampler_names) {
    if (n.value == kind) return n.name;
  }
  return "unknown";
}

Sampler *create(const vmx_sampler_options &options, nb::object embeddings, const Context *context) {
  auto made = std::make_unique<Sampler>();
  made->kind = options.kind;
  made->classes = options.classes;
  if (options.kind == VMX_SAMPLER_EXACT) made->embeddings = std::move(embeddings);
  check(without_gil([&] { return vmx_sampler_create(raw(context), &options, &made->sampler); }));
  return made.release();
}

vmx_sampler_options options_of(int32_t kind, int64_t classes) {
  vmx_sampler_options options = VMX_SAMPLER_OPTIONS_INIT;
  options.kind = kind;
  options.classes = classes;
  return options;
}

Sampler *uniform(int64_t classes) { return create(options_of(VMX_SAMPLER_UNIFORM, classes), {}, nullptr); }
Sampler *log_uniform(int64_t classes) { return create(options_of(VMX_SAMPLER_LOG_UNIFORM, classes), {}, nullptr); }

Sampler *weights(nb::handle weights_, double power, const Context *context) {
  Array w;
  w.open(weights_, "weights");
  w.need_ndim(1);
  vmx_sampler_options options = options_of(VMX_SAMPLER_WEIGHTS, w.shape[0]);
  options.weights = w.vector();
  options.power = power;
  return create(options, {}, context);
}

Sampler *in_batch(int64_t classes, double rate) {
  vmx_sampler_options options = options_of(VMX_SAMPLER_IN_BATCH, classes);
  options.rate = rate;
  return create(options, {}, nullptr);
}

/// A view of embeddings that stays valid while the object lives.
struct Embeddings {
  Array array;
  explicit Embeddings(nb::handle object) {
    array.open(object, "embeddings");
    array.need_ndim(2);
  }
};

Sampler *midx(nb::handle embeddings_, int32_t codewords, double temperature, uint64_t seed, const Context *context) {
  Embeddings e(embeddings_);
  vmx_sampler_options options = options_of(VMX_SAMPLER_MIDX, e.array.shape[0]);
  options.embeddings = e.array.matrix();
  options.codewords = codewords;
  options.temperature = temperature;
  options.seed = seed;
  return create(options, {}, context);
}

Sampler *quadratic(nb::handle embeddings_, double alpha, double temperature, const Context *context) {
  Embeddings e(embeddings_);
  vmx_sampler_options options = options_of(VMX_SAMPLER_QUADRATIC, e.array.shape[0]);
  options.embeddings = e.array.matrix();
  options.alpha = alpha;
  options.temperature = temperature;
  return create(options, {}, context);
}

/// Keeps the view itself, so that its memory can neither move nor go (a buffer export, a DLPack capsule, a reference).
nb::object keep_view(nb::handle embeddings, vmx_matrix &matrix) {
  auto *kept = new Embeddings(embeddings);
  nb::object capsule = nb::capsule(kept, [](void *p) noexcept { delete static_cast<Embeddings *>(p); });
  matrix = kept->array.matrix();
  return nb::make_tuple(nb::borrow(embeddings), capsule);
}

Sampler *exact(nb::handle embeddings_, double temperature, const Context *context) {
  vmx_matrix matrix;
  nb::object keep = keep_view(embeddings_, matrix);
  vmx_sampler_options options = options_of(VMX_SAMPLER_EXACT, matrix.rows);
  options.embeddings = matrix;
  options.temperature = temperature;
  return create(options, std::move(keep), context);
}

void update(Sampler &s, nb::handle embeddings_, nb::handle ids_, const Context *context) {
  vmx_matrix m;
  nb::object keep = keep_view(embeddings_, m);
  Array ids;
  open_if(ids, ids_, "ids");
  vmx_ids list = no_ids();
  if (ids.given()) list = ids.ids();
  check(without_gil([&] { return vmx_sampler_update(raw(context), s.sampler, &m, ids.given() ? &list : nullptr); }));
  if (s.kind == VMX_SAMPLER_EXACT) s.embeddings = std::move(keep);
}

void observe(Sampler &s, nb::handle ids_, int64_t step) {
  Array ids;
  ids.open(ids_, "ids");
  const vmx_ids list = ids.ids();
  check(without_gil([&] { return vmx_sampler_observe(s.sampler, &list, step); }));
}

struct Draw {
  Array hidden, ids, log_q, tries, flags;
  vmx_matrix hidden_view{}, ids_view{}, log_q_view{};
  vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
};

nb::object draw(const Sampler &s, int64_t m, nb::handle hidden_, nb::handle rows_, bool unique, bool counts, bool replace,
                uint64_t seed, int64_t step, nb::handle ids_type, nb::handle ids_, nb::handle log_q_, nb::handle tries_,
                nb::handle flags_, const Context *context, const Workspace *workspace) {
  Draw d;
  if (m < 0) raise(VMX_ERR_VALUE, "m is %lld; it must be at least 0", static_cast<long long>(m));
  int64_t rows = 1;
  bool each = false; // a list for each row
  if (!hidden_.is_none()) {
    d.hidden.open(hidden_, "hidden");
    if (d.hidden.ndim == 1) {
      d.hidden_view = view(d.hidden.data, 1, d.hidden.shape[0], 0, d.hidden.stride[0], d.hidden.dtype);
    } else {
      d.hidden_view = d.hidden.matrix();
      rows = d.hidden.shape[0];
      each = true;
    }
  }
  if (!rows_.is_none()) {
    const int64_t wanted = integer(rows_, "rows");
    if (wanted < 0 || (each && wanted != rows)) {
      raise(VMX_ERR_SHAPE, "rows is %lld%s", static_cast<long long>(wanted), each ? "; hidden has another number of them" : "");
    }
    rows = wanted;
    each = true;
  }
  const int32_t type = parse_dtype(ids_type, VMX_I64);
  if (type != VMX_I32 && type != VMX_I64) raise(VMX_ERR_DTYPE, "ids_dtype is %s; it must be int32 or int64", dtype_name(type));
  const int64_t both[] = {rows, m};
  const int64_t *shape = each ? both : both + 1;
  const int ndim = each ? 2 : 1;
  d.ids.out(ids_, "ids_out", d.hidden, ndim, shape, type, !ids_type.is_none());
  // New arrays are of the library of what was given.
  const Array &like = ids_.is_none() ? d.hidden : d.ids;
  const bool wants_q = optional_out(d.log_q, log_q_, "log_q_out", like, ndim, shape, VMX_F32, true);
  const bool wants_tries = optional_out(d.tries, tries_, "tries_out", like, ndim - 1, shape, VMX_I64, true);
  const bool wants_flags = flags_out(d.flags, flags_, like, ndim - 1, shape, true);
  if (wants_tries) {
    d.tries.need_dtype(VMX_I64);
    if (!d.tries.contiguous()) raise(VMX_ERR_VALUE, "tries_out is not contiguous");
  }
  const auto matrix = [&](const Array &a) {
    return each ? a.matrix() : view(a.data, 1, m, m, a.stride[0], a.dtype);
  };
  d.ids_view = matrix(d.ids);
  if (wants_q) d.log_q_view = matrix(d.log_q);
  if (unique) d.options.flags |= VMX_DRAW_UNIQUE;
  if (counts) d.options.flags |= VMX_DRAW_COUNTS;
  if (replace) d.options.flags |= VMX_DRAW_REPLACE;
  d.options.seed = seed;
  d.options.step = step;
  check(without_gil([&] {
          return vmx_sampler_draw(raw(context), raw(workspace), s.sampler, d.hidden.given() ? &d.hidden_view : nullptr, &d.ids_view,
                                  wants_q ? &d.log_q_view : nullptr,
                                  wants_tries ? reinterpret_cast<int64_t *>(d.tries.data) : nullptr,
                                  wants_flags ? reinterpret_cast<uint32_t *>(d.flags.data) : nullptr, &d.options);
        }));
  return make_draw(d.ids.result(), d.log_q.result(), d.tries.result(), d.flags.result());
}

nb::object log_q(const Sampler &s, nb::handle classes_, nb::handle hidden_, int64_t draws, nb::handle tries_, nb::handle dtype,
                 nb::handle out_, const Context *context, const Workspace *workspace) {
  Lists classes;
  classes.open(classes_, "classes");
  Array hidden, tries, out;
  vmx_matrix hv = no_matrix();
  if (!hidden_.is_none()) {
    hidden.open(hidden_, "hidden");
    hv = hidden.ndim == 1 ? view(hidden.data, 1, hidden.shape[0], 0, hidden.stride[0], hidden.dtype) : hidden.matrix();
  }
  int64_t one_try = 0;
  const int64_t *tries_data = nullptr;
  int64_t tries_stride = 0;
  if (!tries_.is_none()) {
    if (PyLong_Check(tries_.ptr())) {
      one_try = integer(tries_, "tries");
      tries_data = &one_try;
    } else {
      tries.open(tries_, "tries");
      tries.need_dtype(VMX_I64);
      if (tries.size() != 1) {
        const int64_t wanted = classes.is_tuple && classes.indptr.given() ? classes.indptr.size() - 1 : classes.ids.size();
        tries.need_shape(1, &wanted);
        tries_stride = tries.stride[0];
      }
      tries_data = reinterpret_cast<const int64_t *>(tries.data);
    }
  }
  const int32_t type = parse_dtype(dtype, VMX_F32);
  vmx_csr list;
  vmx_vector q;
  const Array &like = hidden.given() ? hidden : classes.ids;
  if (classes.is_tuple) {
    classes.ids.need_ndim(1);
    out.out(out_, "out", like, 1, classes.ids.shape, type, !dtype.is_none());
    list = classes.csr();
    q = out.vector();
  } else {
    Batch batch(classes.ids, -1);
    out.out(out_, "out", like, batch.ndim(), batch.shape(), type, !dtype.is_none());
    const int ii = batch.add_vector(classes.ids), io = batch.add_vector(out);
    batch.join();
    batch.need_single("classes");
    list = target_list(classes, batch, ii);
    q = view(batch.data(io), batch.rows(), batch.row_stride(io), out.dtype);
  }
  check(without_gil([&] {
          return vmx_sampler_log_q(raw(context), raw(workspace), s.sampler, hidden.given() ? &hv : nullptr, &list, draws, tries_data,
                                   tries_stride, &q);
        }));
  return out.result();
}

size_t draw_workspace_size(const Sampler &s, int64_t m, nb::handle hidden_, int64_t rows, bool unique, bool counts, bool replace,
                           const Context *context) {
  Array hidden;
  vmx_matrix hv = no_matrix();
  if (!hidden_.is_none()) {
    hidden.open(hidden_, "hidden");
    hv = hidden.matrix();
    rows = hv.rows;
  }
  const vmx_matrix ids = view(nullptr, rows, m, m, 1, VMX_I64);
  vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
  if (unique) options.flags |= VMX_DRAW_UNIQUE;
  if (counts) options.flags |= VMX_DRAW_COUNTS;
  if (replace) options.flags |= VMX_DRAW_REPLACE;
  size_t size = 0;
  check(vmx_sampler_draw_workspace_size(raw(context), s.sampler, hidden.given() ? &hv : nullptr, &ids, &options, &size));
  return size;
}

} // namespace

void bind_sampler(nb::module_ &m) {
  nb::class_<Sampler>(m, "Sampler", R"(Draws negative classes and tells their exact proposal probabilities q.

Made by one of the static methods. A draw is a function of (seed, step, row, place) alone. draw and log_q may run beside
each other; update and observe must not run beside any other call of the same sampler.

>>> import numpy as np, vastmax
>>> sampler = vastmax.Sampler.weights(np.array([0, 1, 3]), power=0.5)
>>> drawn = sampler.draw(4, seed=1)
>>> drawn.ids.shape, bool((drawn.ids > 0).all())
((4,), True)
>>> sampler.log_q(np.array([0, 1])).round(4)
array([   -inf, -1.0051], dtype=float32)
)")
      .def_static("uniform", uniform, "classes"_a, nb::sig("def uniform(classes: int) -> Sampler"),
                  R"(All classes alike: q = 1 / classes.

>>> import vastmax
>>> vastmax.Sampler.uniform(10).kind
'uniform'
)")
      .def_static("log_uniform", log_uniform, "classes"_a, nb::sig("def log_uniform(classes: int) -> Sampler"),
                  R"(q of class k is log((k + 2) / (k + 1)) / log(classes + 1): for classes sorted by falling frequency.

>>> import vastmax
>>> vastmax.Sampler.log_uniform(10).classes
10
)")
      .def_static("weights", weights, "weights"_a.none(), "power"_a = 1.0, nb::kw_only(), "context"_a = nb::none(),
                  nb::sig("def weights(weights: " VMXPY_ARRAY ", power: float = 1.0, *, context: Context | None = None) -> Sampler"),
                  R"(q in proportion to weights**power, by an alias table; power 0.75 of counts is word2vec's.

Args:
    weights: [classes] float32, float64, int32 or int64; finite, at least 0, not all 0. A weight of 0 is never drawn.
    power: Finite, at least 0.
    context: Threads to build with.

Raises:
    ArgumentValueError: A weight is negative or not finite, or all are 0.
)")
      .def_static("in_batch", in_batch, "classes"_a, "rate"_a = 0.01,
                  nb::sig("def in_batch(classes: int, rate: float = 0.01) -> Sampler"),
                  R"(Draws nothing: estimates, from what observe sees, how likely a class is in a batch.

Args:
    classes: Number of classes.
    rate: How fast the estimate follows, in (0, 1].

>>> import numpy as np, vastmax
>>> sampler = vastmax.Sampler.in_batch(3, rate=0.5)
>>> for step in range(4):
...     sampler.observe(np.array([0, 1 + step % 2]), step)
>>> np.exp(sampler.log_q(np.array([0, 1]))).round(2)
array([1.  , 0.67], dtype=float32)
)")
      .def_static("midx", midx, "embeddings"_a.none(), nb::kw_only(), "codewords"_a = 0, "temperature"_a = 1.0, "seed"_a = 0,
                  "context"_a = nb::none(),
                  nb::sig("def midx(embeddings: " VMXPY_ARRAY ", *, codewords: int = 0, temperature: float = 1.0, seed: int = 0, "
                          "context: Context | None = None) -> Sampler"),
                  R"(The softmax of quantised scores, by an inverted multi-index over the embeddings. draw needs hidden.

Args:
    embeddings: [classes, dim] float32 or bfloat16; what is needed of them is copied.
    codewords: Of each of its two codebooks, at most 1024; 0: chosen by the number of classes.
    temperature: Divides the scores; finite, above 0.
    seed: Of the k-means that makes the codebooks.
    context: Threads to build with.
)")
      .def_static("quadratic", quadratic, "embeddings"_a.none(), nb::kw_only(), "alpha"_a = 100.0, "temperature"_a = 1.0,
                  "context"_a = nb::none(),
                  nb::sig("def quadratic(embeddings: " VMXPY_ARRAY
                          ", *, alpha: float = 100.0, temperature: float = 1.0, context: Context | None = None) -> Sampler"),
                  R"(q in proportion to alpha * (score / temperature)**2 + 1, by a tree of Gram matrices. draw needs hidden.

Args:
    embeddings: [classes, dim] float32 or bfloat16; copied.
    alpha: Finite, at least 0.
    temperature: Divides the scores; finite, above 0.
    context: Threads to build with.
)")
      .def_static("exact", exact, "embeddings"_a.none(), nb::kw_only(), "temperature"_a = 1.0, "context"_a = nb::none(),
                  nb::sig("def exact(embeddings: " VMXPY_ARRAY
                          ", *, temperature: float = 1.0, context: Context | None = None) -> Sampler"),
                  R"(The softmax itself, by Gumbel top-k over all scores: without replacement unless replace. draw needs hidden.

Args:
    embeddings: [classes, dim] float32 or bfloat16; looked at in each draw, not copied, and kept alive.
    temperature: Divides the scores; finite, above 0.
    context: Threads to build with.
)")
      .def_prop_ro("kind", [](const Sampler &s) { return name_of(s.kind); }, "\"uniform\", \"weights\", ...: the method that made it.")
      .def_ro("classes", &Sampler::classes, "Number of classes.")
      .def_prop_ro("nbytes", [](const Sampler &s) { return vmx_sampler_size(s.sampler); }, "Bytes held.")
      .def("draw", draw, "m"_a, "hidden"_a = nb::none(), nb::kw_only(), "rows"_a = nb::none(), "unique"_a = false,
           "counts"_a = false, "replace"_a = false, "seed"_a = 0, "step"_a = 0, "ids_dtype"_a = nb::none(),
           "ids_out"_a = nb::none(), "log_q_out"_a = nb::none(), "tries_out"_a = nb::none(), "flags_out"_a = nb::none(),
           "context"_a = nb::none(), "workspace"_a = nb::none(),
           nb::sig("def draw(self, m: int, hidden: " VMXPY_ARRAY_OR_NONE
                   ", *, rows: int | None = None, unique: bool = False, counts: bool = False, replace: bool = False, seed: int = 0, "
                   "step: int = 0, ids_dtype: " VMXPY_DTYPE ", ids_out: " VMXPY_ARRAY_OR_NONE ", log_q_out: " VMXPY_ARRAY
                   " | bool | None = None, tries_out: " VMXPY_ARRAY " | bool | None = None, flags_out: " VMXPY_ARRAY
                   " | bool | None = None, " VMXPY_CALL ") -> vastmax._results.Draw"),
           R"(Draws m classes for all rows together, or for each row.

Args:
    m: How many.
    hidden: [rows, dim] (a list for each row) or [dim], float32 or bfloat16: for midx, quadratic and exact.
    rows: For the other kinds: a list for each of so many rows; None: one for all.
    unique: Without replacement: repeats are drawn again.
    counts: log_q receives the log of expected counts instead of log q.
    replace: For exact: with replacement.
    seed, step: Which draw: another step gives independent draws.
    ids_dtype: int64 (default) or int32.
    ids_out, log_q_out, tries_out, flags_out: Where results go; new arrays by default; False: not wanted (but ids_out).
    context, workspace: As in logsumexp.

Returns:
    Draw(ids, log_q, tries, flags): ids and float32 log_q of shape [m], or [rows, m]; tries (int64, draws made, repeats
    included) and flags (uint32: ROW_NAN and ROW_INF of the scores, ROW_EMPTY, ROW_UNDERFULL) without the m. New arrays are
    of the library of hidden or ids_out, else of NumPy.

Ids are -1 and log_q NaN in rows whose scores hold NaN or +inf; where nothing is left to draw, -1 and -inf.

Raises:
    ArgumentValueError: unique with m above the number of classes, a step out of range, shapes that do not fit.
    UnsupportedError: The kind cannot do what is asked for.
)")
      .def("log_q", log_q, "classes"_a, "hidden"_a = nb::none(), nb::kw_only(), "draws"_a = 0, "tries"_a = nb::none(),
           "dtype"_a = nb::none(), "out"_a = nb::none(), "context"_a = nb::none(), "workspace"_a = nb::none(),
           nb::sig("def log_q(self, classes: " VMXPY_LISTS ", hidden: " VMXPY_ARRAY_OR_NONE ", *, draws: int = 0, tries: "
                   VMXPY_ARRAY " | int | None = None, dtype: " VMXPY_DTYPE ", out: " VMXPY_ARRAY_OR_NONE ", " VMXPY_CALL
                   ") -> typing.Any"),
           R"(log q of given classes, as for the labels of a batch.

Args:
    classes: int32 or int64 of any shape, or a tuple (indptr, ids): a list for each row of hidden.
    hidden: As in draw; row r belongs to the r-th class or list.
    draws: 0: log q; m > 0: log of the expected counts of m draws.
    tries: With draws: int64 [rows], or one number, as draw gave them: of draws without replacement.
    dtype: float32 (default) or float64.
    out: The shape of classes (or of ids).
    context, workspace: As in logsumexp.

Returns:
    out, or a new array of the library of hidden or classes. -inf for a class that is never drawn, NaN in rows of hidden
    whose scores hold NaN or +inf.

Raises:
    LabelError: A class outside [0, classes).
    ArgumentValueError, UnsupportedError: As draw.
)")
      .def("update", update, "embeddings"_a.none(), "ids"_a = nb::none(), nb::kw_only(), "context"_a = nb::none(),
           nb::sig("def update(self, embeddings: " VMXPY_ARRAY ", ids: " VMXPY_ARRAY_OR_NONE
                   ", *, context: Context | None = None) -> None"),
           R"(Takes new embeddings of the same shape: midx, quadratic, exact.

Args:
    embeddings: [classes, dim]. exact looks at them from now on.
    ids: For quadratic: only these classes have changed.
    context: Threads.

Raises:
    UnsupportedError: The kind has no embeddings, or cannot take ids.
)")
      .def("observe", observe, "ids"_a.none(), "step"_a, nb::sig("def observe(self, ids: " VMXPY_ARRAY ", step: int) -> None"),
           R"(For in_batch: the classes seen in the batch of a step.

Args:
    ids: int32 or int64 [n]; a repeat within a step counts once.
    step: Does not fall.

Raises:
    ArgumentValueError: step is less than before.
    UnsupportedError: Another kind.
)")
      .def("draw_workspace_size", draw_workspace_size, "m"_a, "hidden"_a = nb::none(), nb::kw_only(), "rows"_a = 1,
           "unique"_a = false, "counts"_a = false, "replace"_a = false, "context"_a = nb::none(),
           nb::sig("def draw_workspace_size(self, m: int, hidden: " VMXPY_ARRAY_OR_NONE
                   ", *, rows: int = 1, unique: bool = False, counts: bool = False, replace: bool = False, context: Context | None "
                   "= None) -> int"),
           "Bytes that a draw may take from its workspace.");
}

} // namespace vmxpy
