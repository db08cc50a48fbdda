// SPDX-License-Identifier: Apache-2.0
// What the files of the extension share: arrays of any library as views of the C ABI, and the walk over batch axes.
#pragma once

#include <nanobind/nanobind.h>
#include <vastmax/vastmax.h>

#include <atomic>
#include <cstdint>
#include <utility>

namespace nb = nanobind;
using namespace nb::literals;

// Pieces of signatures for the type stubs.
#define VMXPY_ARRAY "vastmax._typing.ArrayLike"
#define VMXPY_ARRAY_OR_NONE VMXPY_ARRAY " | None = None"
#define VMXPY_FLOAT_OR_ARRAY "vastmax._typing.FloatOrArray | None = None"
#define VMXPY_DTYPE "vastmax._typing.DTypeLike | None = None"
#define VMXPY_LISTS "vastmax._typing.ListsLike"
#define VMXPY_CALL "context: Context | None = None, workspace: Workspace | None = None"

namespace vmxpy {

struct Name {
  const char *name;
  int32_t value;
};
#include "raw.inc"

// ---------------------------------------------------------------------------------------------------- errors

/// Raises the Python exception of a status.
[[noreturn]] void raise(vmx_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// The exception that ended a parallel_for: the cause of the error that check() will raise. Null: none.
void keep_raised(nb::object exception);
/// Raises what the library said of its last call, if that failed.
void check(vmx_status status);

template <size_t N>
int32_t enumerator(const Name (&names)[N], const char *argument, const char *text);
int32_t enumerator(const Name *names, size_t count, const char *argument, const char *text);
template <size_t N>
int32_t enumerator(const Name (&names)[N], const char *argument, const char *text) {
  return enumerator(names, N, argument, text);
}

// ---------------------------------------------------------------------------------------------------- arrays

constexpr int max_dims = 32;
// Element types beside VMX_F32 ... VMX_I64.
constexpr int32_t dtype_u32 = 100;
constexpr int32_t dtype_u8 = 101;

int item_size(int32_t dtype);
const char *dtype_name(int32_t dtype);
/// Of "float32", numpy.float32, numpy.dtype("float32"), torch.float32 ...; None gives otherwise.
int32_t parse_dtype(nb::handle dtype, int32_t otherwise);

/// Which library an array comes from, so that results come back from the same.
enum class Family : uint8_t { numpy, torch, dlpack, buffer };

/// Memory of a Python object seen as strided elements, never copied. Keeps what it needs of the object alive.
class Array {
 public:
  Array() = default;
  Array(const Array &) = delete;
  Array &operator=(const Array &) = delete;
  ~Array();

  /// Reads the object's view; argument names it in errors.
  void open(nb::handle object, const char *argument);
  /// The same for what will be written.
  void open_out(nb::handle object, const char *argument);
  /// Makes an array of the family that like belongs to.
  void make(const Array &like, int ndim, const int64_t *shape, int32_t dtype);
  void make_numpy(int ndim, const int64_t *shape, int32_t dtype);
  /// object if it is given, checked for shape (and dtype, unless 0); else a new array.
  void out(nb::handle object, const char *argument, const Array &like, int ndim, const int64_t *shape, int32_t dtype,
           bool dtype_fixed);
  /// What the caller gets: the object given, or the new array in the form of its family.
  nb::object result();

  bool given() const { return argument != nullptr; }
  /// axis counted from the end if negative; raises if it is out of range.
  int axis_of(int64_t axis) const;
  int64_t size() const;
  bool contiguous() const;
  void need_ndim(int wanted) const;
  void need_dtype(int32_t wanted) const;
  void need_shape(int wanted_ndim, const int64_t *wanted) const;

  vmx_matrix matrix() const; // of 2 dimensions
  vmx_vector vector() const; // of at most 1
  vmx_ids ids() const;       // of at most 1, VMX_I32 or VMX_I64

  char *data = nullptr;
  const char *argument = nullptr;
  int ndim = 0;
  int32_t dtype = 0;
  Family family = Family::numpy;
  bool readonly = false;
  int64_t shape[max_dims];
  int64_t stride[max_dims]; // in elements

 private:
  void read(nb::handle object, const char *name);
  bool read_numpy(PyObject *object);
  bool read_torch(PyObject *object);
  void read_dlpack(PyObject *object);
  void read_buffer(PyObject *object);
  void read_tensor(const void *dltensor);

  nb::object object_; // what the caller gave, or the new array
  nb::object keep_;   // what keeps data alive besides
  Py_buffer *buffer_ = nullptr;
  nb::object space_; // array namespace of the family dlpack
  bool fresh_ = false;
};

/// Raises if two arrays share memory without being the same view, or if out overlaps itself; what the library sees by itself
/// where one call serves all.
void need_apart(const Array &out, const Array &other);
void need_distinct(const Array &out);

/// "(2, 3)" into text.
const char *shape_text(int ndim, const int64_t *shape, char (&text)[256]);

// -------------------------------------------------------------------------------------------------- batches

/// The axes of x but one, joined into as few as all operands allow: the last is "rows", each call of the library serves it,
/// and the others are walked.
class Batch {
 public:
  static constexpr int max_operands = 8;

  /// axis < 0: all axes are batch axes.
  Batch(const Array &x, int axis);
  /// An operand with the shape of x: its batch axes are walked. The operand's number.
  int add_matrix(const Array &array);
  /// One with the batch shape.
  int add_vector(const Array &array);
  /// One with the batch shape or one element for all (temperature).
  int add_broadcast(const Array &array);
  int add_nothing();
  void join();

  int64_t rows() const { return shape_[ndim_ - 1]; }
  int64_t row_stride(int operand) const { return operands_[operand].stride[ndim_ - 1]; }
  bool single() const { return ndim_ == 1; }
  /// Raises unless one call serves all.
  void need_single(const char *argument) const;
  char *data(int operand) const { return operands_[operand].data; }
  void forget(int operand) { operands_[operand].data = nullptr; }

  int ndim() const { return batch_ndim_; }
  const int64_t *shape() const { return batch_shape_; }
  int64_t size() const;

  /// call() for each slab; data(i) moves along. Stops at the first status that is not VMX_OK.
  template <typename Call>
  vmx_status each(Call &&call) {
    if (ndim_ == 1) return call();
    int64_t index[max_dims] = {};
    for (;;) {
      if (vmx_status status = call(); status != VMX_OK) return status;
      int d = ndim_ - 2;
      for (; d >= 0; --d) {
        move(d, 1);
        if (++index[d] < shape_[d]) break;
        move(d, -index[d]);
        index[d] = 0;
      }
      if (d < 0) return VMX_OK;
    }
  }

 private:
  struct Operand {
    char *data;
    int item;
    int64_t stride[max_dims];
  };
  void move(int axis, int64_t steps) {
    for (int i = 0; i < count_; ++i) {
      Operand &o = operands_[i];
      if (o.data) o.data += steps * o.stride[axis] * o.item;
    }
  }
  Operand &next(const Array &array);

  int axis_;
  int ndim_ = 0, count_ = 0, batch_ndim_ = 0;
  int64_t shape_[max_dims], batch_shape_[max_dims];
  Operand operands_[max_operands];
};

// ------------------------------------------------------------------------------------------- context, workspace

struct Context {
  vmx_context *ctx = nullptr;
  nb::object parallel_for;
  const int process; // that made it
  Context(int threads, const char *isa, nb::object parallel_for);
  ~Context();
  Context(const Context &) = delete;
};

struct Workspace {
  vmx_workspace *ws = nullptr;
  nb::object context; // must outlive it
  explicit Workspace(nb::object context);
  ~Workspace() { vmx_workspace_destroy(ws); }
  Workspace(const Workspace &) = delete;
};

/// The Context of an argument that is one or None.
const Context *context_of(nb::handle object);

inline const vmx_context *raw(const Context *context) { return context ? context->ctx : nullptr; }
inline vmx_workspace *raw(const Workspace *workspace) { return workspace ? workspace->ws : nullptr; }

/// Calls without the GIL.
template <typename Call>
vmx_status without_gil(Call &&call) {
  nb::gil_scoped_release release;
  return call();
}

// ---------------------------------------------------------------------------------------------------- arguments

/// A whole number; argument names it in errors.
int64_t integer(nb::handle object, const char *argument);

/// Temperatures: None, a number for all rows, or an array of f32.
class Temperature {
 public:
  Temperature(nb::handle value, const Batch &batch);
  /// For rows counted by themselves.
  Temperature(nb::handle value, int64_t rows);
  int add(Batch &batch) const { return array_.given() ? batch.add_broadcast(array_) : batch.add_nothing(); }
  /// Whether a walk over several slabs may go on after its first call: every value is valid.
  void check_all() const;
  bool is_array() const { return array_.given(); }
  const Array &array() const { return array_; }
  const float *data() const { return array_.given() ? reinterpret_cast<const float *>(array_.data) : given_ ? &value_ : nullptr; }
  int64_t stride() const { return array_.given() && array_.ndim == 1 && array_.shape[0] != 1 ? array_.stride[0] : 0; }
  const float *at(const char *moved) const { return array_.given() ? reinterpret_cast<const float *>(moved) : data(); }
  float value() const { return value_; }
  bool is_given() const { return given_ || array_.given(); }

 private:
  void open(nb::handle value);
  Array array_;
  float value_ = 1;
  bool given_ = false;
};

/// A list of class ids a row: an array, or a tuple (indptr or None, ids[, weights]).
struct Lists {
  void open(nb::handle object, const char *argument);
  bool given() const { return ids.given(); }
  /// Of arrays of one dimension.
  vmx_csr csr() const;

  Array indptr, ids, weights;
  bool is_tuple = false;
};

/// An optional array by another name.
inline void open_if(Array &array, nb::handle object, const char *argument) {
  if (!object.is_none()) array.open(object, argument);
}

vmx_matrix no_matrix();
vmx_vector no_vector();
vmx_ids no_ids();
vmx_matrix view(char *data, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride, int32_t dtype);
vmx_vector view(char *data, int64_t n, int64_t stride, int32_t dtype);

/// f64 for f64 scores, else f32.
inline int32_t wide(int32_t dtype) { return dtype == VMX_F64 ? VMX_F64 : VMX_F32; }

/// An attribute of vastmax's own Python modules, such as a result type, looked up once.
class Helper {
 public:
  constexpr Helper(const char *module, const char *name) : module_(module), name_(name) {}
  template <typename... Args>
  nb::object operator()(Args &&...args) {
    return get()(std::forward<Args>(args)...);
  }
  /// Of a class made by NamedTuple: without its __new__, which is Python's.
  template <typename... Args>
  nb::object tuple(Args &&...args) {
    nb::tuple outer = nb::make_tuple(nb::make_tuple(std::forward<Args>(args)...));
    return nb::steal(PyTuple_Type.tp_new(reinterpret_cast<PyTypeObject *>(get().ptr()), outer.ptr(), nullptr));
  }

 private:
  nb::handle get();
  const char *module_, *name_;
  std::atomic<PyObject *> found_{nullptr}; // kept for the life of the process
};

// --------------------------------------------------------------------------------------------- parts of the module

void bind_context(nb::module_ &m);
void bind_softmax(nb::module_ &m);
void bind_lse(nb::module_ &m);
void bind_cross_entropy(nb::module_ &m);
void bind_topk(nb::module_ &m);
void bind_linear(nb::module_ &m);
void bind_sampler(nb::module_ &m);
void bind_sampled(nb::module_ &m);
void init_arrays();

} // namespace vmxpy
