// SPDX-License-Identifier: Apache-2.0
// Partial states of log-sum-exp.
#include "ext.hpp"

#include <cstring>
#include <vector>

namespace vmxpy {
namespace {

/// States of n rows in memory that Python sees as bytes.
struct LseState {
  Array memory;     // its view keeps the memory where it is
  nb::object bytes; // uint8 [n, 96]
  vmx_lse_state *states = nullptr;
  int64_t n = 0;
  uint32_t flags = 0;
  std::vector<float> temperature; // empty: 1; one for all, or n

  LseState(int64_t rows, nb::handle temperature_, bool sums, bool entropy, nb::handle buffer) : n(rows) {
    if (rows < 0) raise(VMX_ERR_SHAPE, "n is %lld; it must be at least 0", static_cast<long long>(rows));
    if (rows > INT64_MAX / static_cast<int64_t>(sizeof(vmx_lse_state))) {
      raise(VMX_ERR_SIZE, "n is %lld, more than memory can hold", static_cast<long long>(rows));
    }
    if (sums) flags |= VMX_FOLD_SUMS;
    if (entropy) flags |= VMX_FOLD_ENTROPY;
    const Temperature t(temperature_, rows);
    if (t.is_array()) {
      const int64_t count = t.stride() == 0 ? 1 : rows;
      for (int64_t i = 0; i < count; ++i) temperature.push_back(t.data()[i * t.stride()]);
    } else if (t.is_given()) {
      temperature.push_back(t.value());
    }
    if (buffer.is_none()) {
      const int64_t shape[] = {rows, sizeof(vmx_lse_state)};
      memory.make_numpy(2, shape, dtype_u8);
      if (rows) std::memset(memory.data, 0, static_cast<size_t>(rows) * sizeof(vmx_lse_state));
    } else {
      memory.open_out(buffer, "buffer");
      memory.need_dtype(dtype_u8);
      const int64_t size = rows * static_cast<int64_t>(sizeof(vmx_lse_state));
      if (memory.size() != size || !memory.contiguous()) {
        raise(VMX_ERR_SHAPE, "buffer has %lld bytes; it must be %lld of them, contiguous", static_cast<long long>(memory.size()),
              static_cast<long long>(size));
      }
      if (reinterpret_cast<uintptr_t>(memory.data) % alignof(vmx_lse_state) != 0) {
        raise(VMX_ERR_VALUE, "buffer is not aligned to %zu bytes", alignof(vmx_lse_state));
      }
    }
    states = reinterpret_cast<vmx_lse_state *>(memory.data);
    bytes = memory.result();
  }

  vmx_lse_options options() const {
    vmx_lse_options o = VMX_LSE_OPTIONS_INIT;
    o.flags = flags;
    o.temperature = temperature.empty() ? nullptr : temperature.data();
    o.temperature_stride = temperature.size() > 1 ? 1 : 0;
    return o;
  }
};

void fold(LseState &s, nb::handle x_, int64_t col_offset, nb::handle class_weight_, nb::handle skip_, const Context *context,
          const Workspace *workspace) {
  Array x, class_weight, skip;
  x.open(x_, "x");
  vmx_matrix xv;
  if (x.ndim == 1 && s.n == 1) {
    xv = view(x.data, 1, x.shape[0], 0, x.stride[0], x.dtype);
  } else {
    xv = x.matrix();
  }
  if (xv.rows != s.n) {
    raise(VMX_ERR_SHAPE, "x has %lld rows; the state has %lld", static_cast<long long>(xv.rows), static_cast<long long>(s.n));
  }
  vmx_lse_options options = s.options();
  if (!class_weight_.is_none()) {
    class_weight.open(class_weight_, "class_weight");
    options.class_weight = class_weight.vector();
  }
  if (!skip_.is_none()) {
    skip.open(skip_, "skip");
    options.skip = skip.ids();
  }
  check(without_gil([&] { return vmx_lse_fold(raw(context), raw(workspace), &xv, col_offset, s.states, &options); }));
}

void merge(LseState &into, const LseState &from) {
  if (into.n != from.n) {
    raise(VMX_ERR_SHAPE, "other has %lld rows; the state has %lld", static_cast<long long>(from.n),
          static_cast<long long>(into.n));
  }
  check(without_gil([&] { return vmx_lse_merge(into.states, from.states, into.n); }));
}

/// Where finish writes: an array given, or a new one of NumPy.
void vector_out(Array &array, nb::handle out, nb::handle dtype, const char *argument, int64_t n) {
  if (out.is_none()) {
    array.make_numpy(1, &n, parse_dtype(dtype, VMX_F32));
    return;
  }
  array.open_out(out, argument);
  array.need_shape(1, &n);
  if (!dtype.is_none()) array.need_dtype(parse_dtype(dtype, VMX_F32));
}

nb::object finish(const LseState &s, nb::handle dtype, nb::handle out, nb::handle flags_) {
  Array lse, row_flags;
  vector_out(lse, out, dtype, "out", s.n);
  uint32_t *words = nullptr;
  if (!flags_.is_none()) {
    row_flags.open_out(flags_, "flags_out");
    row_flags.need_dtype(dtype_u32);
    row_flags.need_shape(1, &s.n);
    if (!row_flags.contiguous()) raise(VMX_ERR_VALUE, "flags_out is not contiguous");
    words = reinterpret_cast<uint32_t *>(row_flags.data);
  }
  const vmx_vector lv = lse.vector();
  const vmx_lse_options options = s.options();
  check(without_gil([&] { return vmx_lse_finish(s.states, s.n, &options, &lv, nullptr, words); }));
  return lse.result();
}

nb::object entropy(const LseState &s, nb::handle dtype, nb::handle out) {
  Array array;
  vector_out(array, out, dtype, "out", s.n);
  const vmx_vector v = array.vector();
  const vmx_lse_options options = s.options();
  check(without_gil([&] { return vmx_lse_finish(s.states, s.n, &options, nullptr, &v, nullptr); }));
  return array.result();
}

nb::object flags(const LseState &s) {
  Array array;
  array.make_numpy(1, &s.n, dtype_u32);
  const vmx_lse_options options = s.options();
  check(vmx_lse_finish(s.states, s.n, &options, nullptr, nullptr, reinterpret_cast<uint32_t *>(array.data)));
  return array.result();
}

/// float64 [n, 2], contiguous: vmx_lse_short.
vmx_lse_short *short_states(const Array &array) {
  array.need_dtype(VMX_F64);
  array.need_ndim(2);
  const int64_t wanted[] = {array.shape[0], 2};
  array.need_shape(2, wanted);
  if (!array.contiguous()) raise(VMX_ERR_VALUE, "%s is not contiguous", array.argument);
  return reinterpret_cast<vmx_lse_short *>(array.data);
}

nb::object shorten(const LseState &s, nb::handle out) {
  Array array;
  const int64_t shape[] = {s.n, 2};
  if (out.is_none()) {
    array.make_numpy(2, shape, VMX_F64);
  } else {
    array.open_out(out, "out");
    array.need_shape(2, shape);
  }
  const vmx_lse_options options = s.options();
  vmx_lse_short *to = short_states(array);
  check(without_gil([&] { return vmx_lse_shorten(s.states, s.n, &options, to); }));
  return array.result();
}

nb::object lse_short_merge(nb::handle into_, nb::handle from_) {
  Array into, from;
  into.open_out(into_, "into");
  from.open(from_, "other");
  vmx_lse_short *to = short_states(into);
  const vmx_lse_short *other = short_states(from);
  from.need_shape(2, into.shape);
  check(without_gil([&] { return vmx_lse_short_merge(to, other, into.shape[0]); }));
  return into.result();
}

nb::object lse_short_finish(nb::handle states_, nb::handle dtype, nb::handle out_) {
  Array states, out;
  states.open(states_, "states");
  const vmx_lse_short *from = short_states(states);
  const int64_t n = states.shape[0];
  out.out(out_, "out", states, 1, &n, parse_dtype(dtype, VMX_F32), !dtype.is_none());
  const vmx_vector v = out.vector();
  check(without_gil([&] { return vmx_lse_short_finish(from, n, &v); }));
  return out.result();
}

size_t lse_fold_workspace_size(nb::handle x_, bool sums, bool entropy_, const Context *context) {
  Array x;
  x.open(x_, "x");
  const vmx_matrix xv = x.matrix();
  vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
  if (sums) options.flags |= VMX_FOLD_SUMS;
  if (entropy_) options.flags |= VMX_FOLD_ENTROPY;
  size_t size = 0;
  check(vmx_lse_fold_workspace_size(raw(context), &xv, &options, &size));
  return size;
}

} // namespace

void bind_lse(nb::module_ &m) {
  nb::class_<LseState>(m, "LseState", R"(What slices of rows amount to: states that can be folded piece by piece, sent and merged.

Merging is exactly associative and commutative: any tree of merges gives the same 96 bytes a row. Slices cut at multiples
of BLOCK columns give the bytes of one fold of the whole row, and finish then gives the bits of logsumexp.

Args:
    n: Number of rows.
    temperature: Divides the scores: a number or float32 [n], as in logsumexp. Its values are copied.
    sums: Also sum the scores and the class weights.
    entropy: Also keep the sum for the entropy.
    buffer: Where the states live: writable uint8 of 96 * n bytes, contiguous, aligned to 8, used as it is. Zeros are the
        empty state. New memory by default.

Raises:
    ArgumentValueError: n is negative, or buffer or temperature has the wrong size.

>>> import numpy as np, vastmax
>>> x = np.random.default_rng(0).standard_normal((2, 10000), dtype=np.float32)
>>> left, right = vastmax.LseState(2), vastmax.LseState(2)
>>> left.fold(x[:, :4096])
>>> right.fold(x[:, 4096:], col_offset=4096)
>>> left.merge(right)
>>> bool((left.finish() == vastmax.logsumexp(x)).all())
True
)")
      .def(nb::init<int64_t, nb::handle, bool, bool, nb::handle>(), "n"_a, nb::kw_only(), "temperature"_a = nb::none(),
           "sums"_a = false, "entropy"_a = false, "buffer"_a = nb::none(),
           nb::sig("def __init__(self, n: int, *, temperature: " VMXPY_FLOAT_OR_ARRAY
                   ", sums: bool = False, entropy: bool = False, buffer: " VMXPY_ARRAY_OR_NONE ") -> None"))
      .def("fold", fold, "x"_a.none(), "col_offset"_a = 0, nb::kw_only(), "class_weight"_a = nb::none(), "skip"_a = nb::none(),
           "context"_a = nb::none(), "workspace"_a = nb::none(),
           nb::sig("def fold(self, x: " VMXPY_ARRAY ", col_offset: int = 0, *, class_weight: " VMXPY_ARRAY_OR_NONE
                   ", skip: " VMXPY_ARRAY_OR_NONE ", " VMXPY_CALL ") -> None"),
           R"(Folds a slice of columns into the states.

Args:
    x: [n, cols] of the slice (or [cols] if n is 1): float32, bfloat16, float16 or float64, any strides.
    col_offset: The slice's first column in the whole row.
    class_weight: float32 [cols], contiguous; needs sums.
    skip: int32 or int64 [n]: a class id a row, counted over the whole row, that is left out.
    context, workspace: As in logsumexp.

NaN, +inf and -inf are noted in the states; they fail nothing.

Raises:
    ArgumentTypeError: x is no array, or of another dtype.
    ArgumentValueError: x has another number of rows; col_offset is negative; a state is of an unknown version, or none
        that a fold made.
)")
      .def("merge", merge, "other"_a, nb::sig("def merge(self, other: LseState) -> None"),
           R"(Merges the states of other, of the same rows and other columns, into these.

Raises:
    ArgumentValueError: The numbers of rows differ, or what is summed does.
)")
      .def("finish", finish, "dtype"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(), "flags_out"_a = nb::none(),
           nb::sig("def finish(self, dtype: " VMXPY_DTYPE ", *, out: " VMXPY_ARRAY_OR_NONE ", flags_out: " VMXPY_ARRAY_OR_NONE
                   ") -> typing.Any"),
           R"(The log-sum-exp of each row.

Args:
    dtype: float32 (default) or float64.
    out: [n] of that dtype; a new NumPy array by default.
    flags_out: uint32 [n]: written with ROW_EMPTY, ROW_NAN, ROW_INF.

Returns:
    out, or the new array.
)")
      .def("entropy", entropy, "dtype"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(),
           nb::sig("def entropy(self, dtype: " VMXPY_DTYPE ", *, out: " VMXPY_ARRAY_OR_NONE ") -> typing.Any"),
           R"(The entropy, in nats, of the softmax of each row. Needs states made with entropy=True.

Args:
    dtype: float32 (default) or float64.
    out: [n] of that dtype; a new NumPy array by default.

Returns:
    out, or the new array. NaN for a row that is empty or holds NaN or +inf.

Raises:
    ArgumentValueError: The states hold no sums for the entropy.
)")
      .def("flags", flags, nb::sig("def flags(self) -> typing.Any"), "uint32 [n] of NumPy: the bits ROW_EMPTY, ROW_NAN, ROW_INF.")
      .def("shorten", shorten, nb::kw_only(), "out"_a = nb::none(),
           nb::sig("def shorten(self, *, out: " VMXPY_ARRAY_OR_NONE ") -> typing.Any"),
           R"(The 16-byte form of each state: (max / temperature, sum), float64 [n, 2].

Args:
    out: float64 [n, 2], contiguous; a new NumPy array by default.

Returns:
    out, or the new array. NaN, +inf and empty rows give (nan, nan), (inf, 1), (-inf, 0).
)")
      .def_prop_ro("buffer", [](const LseState &s) { return s.bytes; }, nb::sig("def buffer(self) -> typing.Any"),
                   "The states as bytes, without a copy: uint8 [n, 96], or the buffer given.")
      .def("__len__", [](const LseState &s) { return s.n; })
      .def("__getstate__",
           [](const LseState &s) {
             nb::list temperature;
             for (float t : s.temperature) temperature.append(t);
             return nb::make_tuple(s.n, s.flags, temperature,
                                   nb::bytes(reinterpret_cast<const char *>(s.states), static_cast<size_t>(s.n) * sizeof *s.states));
           },
           nb::sig("def __getstate__(self) -> tuple[int, int, list[float], bytes]"))
      .def("__setstate__", [](LseState &s, const nb::tuple &state) {
        const auto n = nb::cast<int64_t>(state[0]);
        const auto flags = nb::cast<uint32_t>(state[1]);
        const auto bytes = nb::cast<nb::bytes>(state[3]);
        if (n < 0 || bytes.size() != static_cast<size_t>(n) * sizeof(vmx_lse_state)) {
          raise(VMX_ERR_SHAPE, "a pickled LseState of %lld rows has %zu bytes", static_cast<long long>(n), bytes.size());
        }
        new (&s) LseState(n, nb::none(), flags & VMX_FOLD_SUMS, flags & VMX_FOLD_ENTROPY, nb::none());
        for (nb::handle t : nb::cast<nb::list>(state[2])) s.temperature.push_back(static_cast<float>(nb::cast<double>(t)));
        if (n) std::memcpy(s.states, bytes.c_str(), bytes.size());
      }, nb::sig("def __setstate__(self, state: tuple[int, int, list[float], bytes]) -> None"));

  m.def("lse_short_merge", lse_short_merge, "into"_a.none(), "other"_a,
        nb::sig("def lse_short_merge(into: ArrayT, other: " VMXPY_ARRAY ") -> ArrayT"),
        R"(Merges short states in place: commutative, associative up to rounding in f64.

Args:
    into: float64 [n, 2], contiguous, as LseState.shorten gives; written.
    other: The same shape.

Returns:
    into.

Raises:
    ArgumentTypeError, ArgumentValueError: Another dtype, shape or layout; into overlaps other in part.

>>> import numpy as np, vastmax
>>> a, b = np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])
>>> vastmax.lse_short_merge(a, b)
array([[0., 2.]])
)");
  m.def("lse_short_finish", lse_short_finish, "states"_a.none(), "dtype"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(),
        nb::sig("def lse_short_finish(states: ArrayT, dtype: " VMXPY_DTYPE ", *, out: " VMXPY_ARRAY_OR_NONE ") -> ArrayT"),
        R"(The log-sum-exp of short states: max + log(sum).

Args:
    states: float64 [n, 2], contiguous.
    dtype: float32 (default) or float64.
    out: [n] of that dtype; a new array by default.

Returns:
    out, or a new array of the same library as states.

>>> import numpy as np, vastmax
>>> vastmax.lse_short_finish(np.array([[0.0, 2.0]]), "float64")
array([0.69314718])
)");
  m.def("lse_fold_workspace_size", lse_fold_workspace_size, "x"_a.none(), nb::kw_only(), "sums"_a = false, "entropy"_a = false,
        "context"_a = nb::none(),
        nb::sig("def lse_fold_workspace_size(x: " VMXPY_ARRAY
                ", *, sums: bool = False, entropy: bool = False, context: Context | None = None) -> int"),
        R"(Bytes that LseState.fold of x, [rows, cols], may take from its workspace.

>>> import numpy as np, vastmax
>>> vastmax.lse_fold_workspace_size(np.zeros((1, 100), dtype=np.float32)) >= 0
True
)");
}

} // namespace vmxpy
