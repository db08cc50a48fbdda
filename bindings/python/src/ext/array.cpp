// SPDX-License-Identifier: Apache-2.0
// Arrays of NumPy, PyTorch, anything with DLPack or the buffer protocol, as strided memory.
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#include "ext.hpp"

#include <nanobind/ndarray.h>
#include <numpy/arrayobject.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace vmxpy {

namespace {

using nb::dlpack::dltensor;

// The parts of DLPack 1 (dlpack.h) that nanobind's headers leave out.
struct DlManaged {
  dltensor tensor;
  void *manager_ctx;
  void (*deleter)(DlManaged *);
};
struct DlManagedVersioned {
  uint32_t major, minor;
  void *manager_ctx;
  void (*deleter)(DlManagedVersioned *);
  uint64_t flags;
  dltensor tensor;
};
constexpr uint64_t dl_read_only = 1, dl_copied = 2;
constexpr int32_t dl_cpu = 1, dl_cuda_host = 3;

struct DlExchange {
  uint32_t major, minor;
  const DlExchange *previous;
  void *allocator, *from_object, *to_object;
  int (*view)(void *object, dltensor *out); // no ownership: valid while the object is
  void *stream;
};

struct TorchTypes {
  PyTypeObject *tensor, *parameter;
  PyObject *is_neg; // the name of the method
  const DlExchange *exchange;
};
std::atomic<const TorchTypes *> torch_types{nullptr};

/// PyTorch's classes, if somebody has imported it.
const TorchTypes *torch() {
  if (const TorchTypes *known = torch_types.load(std::memory_order_acquire)) return known;
  PyObject *modules = PyImport_GetModuleDict();
  PyObject *module = PyDict_GetItemString(modules, "torch");
  if (!module) return nullptr;
  nb::object tensor = nb::getattr(module, "Tensor", nb::none()), nn = nb::getattr(module, "nn", nb::none());
  if (tensor.is_none() || nn.is_none()) return nullptr; // half-way through its import
  nb::object parameter = nb::getattr(nn, "Parameter", nb::none());
  if (parameter.is_none()) return nullptr;
  auto *types = new TorchTypes{};
  nb::object capsule = nb::getattr(tensor, "__dlpack_c_exchange_api__", nb::none());
  if (PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api")) {
    auto *api = static_cast<const DlExchange *>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
    if (api->major == 1) types->exchange = api;
  }
  types->is_neg = PyUnicode_InternFromString("is_neg");
  if (!types->is_neg) throw nb::python_error();
  types->tensor = reinterpret_cast<PyTypeObject *>(tensor.release().ptr());
  types->parameter = reinterpret_cast<PyTypeObject *>(parameter.release().ptr());
  const TorchTypes *before = nullptr;
  if (!torch_types.compare_exchange_strong(before, types, std::memory_order_acq_rel)) {
    delete types; // another thread was first; its references stay for the life of the process
    return before;
  }
  return types;
}

/// numpy.ma.MaskedArray and what derives from it, as its constant "masked" does.
bool is_masked(const PyTypeObject *type) {
  for (; type; type = type->tp_base) {
    const char *dot = std::strrchr(type->tp_name, '.');
    if (std::strcmp(dot ? dot + 1 : type->tp_name, "MaskedArray") == 0) return true;
  }
  return false;
}

bool is_bfloat16(const PyArray_Descr *descr) {
  const char *name = descr->typeobj->tp_name; // of ml_dtypes
  const char *dot = std::strrchr(name, '.');
  return descr->type_num >= NPY_USERDEF && std::strcmp(dot ? dot + 1 : name, "bfloat16") == 0;
}

int32_t integer_dtype(bool is_signed, int bytes) {
  if (is_signed) return bytes == 4 ? VMX_I32 : bytes == 8 ? VMX_I64 : 0;
  return bytes == 4 ? dtype_u32 : bytes == 1 ? dtype_u8 : 0;
}

int32_t numpy_dtype(const PyArray_Descr *descr, int bytes) {
  switch (descr->type_num) {
  case NPY_FLOAT: return VMX_F32;
  case NPY_DOUBLE: return VMX_F64;
  case NPY_HALF: return VMX_F16;
  case NPY_INT:
  case NPY_LONG:
  case NPY_LONGLONG: return integer_dtype(true, bytes);
  case NPY_UINT:
  case NPY_ULONG:
  case NPY_ULONGLONG:
  case NPY_UBYTE: return integer_dtype(false, bytes);
  default: return is_bfloat16(descr) ? VMX_BF16 : 0;
  }
}

PyArray_Descr *numpy_descr(int32_t dtype) {
  switch (dtype) {
  case VMX_F32: return PyArray_DescrFromType(NPY_FLOAT);
  case VMX_F64: return PyArray_DescrFromType(NPY_DOUBLE);
  case VMX_F16: return PyArray_DescrFromType(NPY_HALF);
  case VMX_I32: return PyArray_DescrFromType(NPY_INT32);
  case VMX_I64: return PyArray_DescrFromType(NPY_INT64);
  case dtype_u32: return PyArray_DescrFromType(NPY_UINT32);
  case dtype_u8: return PyArray_DescrFromType(NPY_UINT8);
  default: break;
  }
  nb::object type;
  try {
    type = nb::module_::import_("ml_dtypes").attr("bfloat16");
  } catch (nb::python_error &) {
    raise(VMX_ERR_DTYPE, "NumPy has no bfloat16 without the package ml_dtypes");
  }
  PyArray_Descr *descr = nullptr;
  if (!PyArray_DescrConverter(type.ptr(), &descr)) throw nb::python_error();
  return descr;
}

int32_t dlpack_dtype(nb::dlpack::dtype type) {
  if (type.lanes != 1) return 0;
  switch (type.code) {
  case 0: return integer_dtype(true, type.bits / 8);
  case 1: return integer_dtype(false, type.bits / 8);
  case 2: return type.bits == 32 ? VMX_F32 : type.bits == 64 ? VMX_F64 : type.bits == 16 ? VMX_F16 : 0;
  case 4: return type.bits == 16 ? VMX_BF16 : 0;
  default: return 0;
  }
}

nb::dlpack::dtype to_dlpack(int32_t dtype) {
  uint8_t code = dtype == VMX_I32 || dtype == VMX_I64 ? 0 : dtype == dtype_u32 || dtype == dtype_u8 ? 1 : 2;
  if (dtype == VMX_BF16) code = 4;
  return {code, static_cast<uint8_t>(8 * item_size(dtype)), 1};
}

const char *type_name(PyObject *object) { return Py_TYPE(object)->tp_name; }

/// In place of PyTorch's error of a tensor that has no memory to look at (sparse, on a device without data, ...).
[[noreturn]] void raise_no_memory(PyObject *tensor, const char *argument) {
  if (!PyErr_ExceptionMatches(PyExc_RuntimeError) && !PyErr_ExceptionMatches(PyExc_BufferError)) throw nb::python_error();
  PyErr_Clear();
  nb::str device(nb::getattr(nb::handle(tensor), "device")), layout(nb::getattr(nb::handle(tensor), "layout"));
  raise(VMX_ERR_DTYPE, "%s is a tensor whose memory cannot be seen: device %s, layout %s; it must be strided and on the CPU",
        argument, device.c_str(), layout.c_str());
}

} // namespace

void init_arrays() {
  if (_import_array() < 0) throw nb::python_error();
}

int item_size(int32_t dtype) {
  switch (dtype) {
  case VMX_F64:
  case VMX_I64: return 8;
  case VMX_BF16:
  case VMX_F16: return 2;
  case dtype_u8: return 1;
  default: return 4;
  }
}

const char *dtype_name(int32_t dtype) {
  switch (dtype) {
  case VMX_F32: return "float32";
  case VMX_BF16: return "bfloat16";
  case VMX_F16: return "float16";
  case VMX_F64: return "float64";
  case VMX_I32: return "int32";
  case VMX_I64: return "int64";
  case dtype_u32: return "uint32";
  case dtype_u8: return "uint8";
  default: return "unknown";
  }
}

int32_t parse_dtype(nb::handle dtype, int32_t otherwise) {
  if (dtype.is_none()) return otherwise;
  nb::object text = nb::borrow(dtype);
  if (!PyUnicode_Check(text.ptr())) text = nb::getattr(dtype, "name", nb::none());
  if (!PyUnicode_Check(text.ptr())) text = nb::getattr(dtype, "__name__", nb::none());
  if (!PyUnicode_Check(text.ptr())) text = nb::str(dtype);
  const char *name = PyUnicode_AsUTF8(text.ptr());
  if (!name) throw nb::python_error();
  if (const char *dot = std::strrchr(name, '.')) name = dot + 1;
  for (int32_t known : {VMX_F32, VMX_BF16, VMX_F16, VMX_F64, VMX_I32, VMX_I64}) {
    if (std::strcmp(name, dtype_name(known)) == 0) return known;
  }
  raise(VMX_ERR_DTYPE, "dtype is %s; it must be one of float32, bfloat16, float16, float64, int32, int64", name);
}

const char *shape_text(int ndim, const int64_t *shape, char (&text)[256]) {
  size_t at = 0;
  text[at++] = '(';
  for (int i = 0; i < ndim && at < 220; ++i) {
    int wrote = std::snprintf(text + at, sizeof text - at, i ? ", %lld" : "%lld", static_cast<long long>(shape[i]));
    at += static_cast<size_t>(wrote);
  }
  std::snprintf(text + at, sizeof text - at, ndim == 1 ? ",)" : ")");
  return text;
}

Array::~Array() {
  if (buffer_) {
    PyBuffer_Release(buffer_);
    delete buffer_;
  }
}

bool Array::read_numpy(PyObject *object) {
  if (!PyArray_Check(object)) {
    if (!PyArray_IsScalar(object, Generic)) return false;
    keep_ = nb::steal(PyArray_FromScalar(object, nullptr)); // a NumPy scalar is an array of no dimensions
    if (!keep_) throw nb::python_error();
    object = keep_.ptr();
  }
  auto *array = reinterpret_cast<PyArrayObject *>(object);
  if (!PyArray_CheckExact(object) && is_masked(Py_TYPE(object))) {
    raise(VMX_ERR_DTYPE, "%s is a masked array, whose mask would be lost: fill it first, with -inf for classes not allowed",
          argument);
  }
  PyArray_Descr *descr = PyArray_DESCR(array);
  ndim = PyArray_NDIM(array);
  if (ndim > max_dims) raise(VMX_ERR_SHAPE, "%s has %d dimensions, at most %d are served", argument, ndim, max_dims);
  const int bytes = static_cast<int>(PyArray_ITEMSIZE(array));
  dtype = numpy_dtype(descr, bytes);
  if (!dtype) {
    nb::object name = nb::str(nb::handle(reinterpret_cast<PyObject *>(descr)));
    raise(VMX_ERR_DTYPE, "%s has dtype %s, which vastmax does not take", argument, PyUnicode_AsUTF8(name.ptr()));
  }
  if (!PyArray_ISNOTSWAPPED(array)) raise(VMX_ERR_DTYPE, "%s has another byte order than this machine", argument);
  data = PyArray_BYTES(array);
  readonly = !PyArray_ISWRITEABLE(array);
  family = Family::numpy;
  for (int i = 0; i < ndim; ++i) {
    shape[i] = PyArray_DIMS(array)[i];
    const int64_t step = PyArray_STRIDES(array)[i];
    if (step % bytes != 0 && shape[i] > 1) {
      raise(VMX_ERR_VALUE, "%s has a stride of %lld bytes in dimension %d, no multiple of its element's %d", argument,
            static_cast<long long>(step), i, bytes);
    }
    stride[i] = step / bytes;
  }
  return true;
}

void Array::read_tensor(const void *dltensor_) {
  const auto &tensor = *static_cast<const dltensor *>(dltensor_);
  if (tensor.device.device_type != dl_cpu && tensor.device.device_type != dl_cuda_host) {
    raise(VMX_ERR_DTYPE, "%s is not in the CPU's memory (DLPack device type %d)", argument, tensor.device.device_type);
  }
  ndim = tensor.ndim;
  if (ndim > max_dims) raise(VMX_ERR_SHAPE, "%s has %d dimensions, at most %d are served", argument, ndim, max_dims);
  dtype = dlpack_dtype(tensor.dtype);
  if (!dtype) {
    raise(VMX_ERR_DTYPE, "%s has a dtype that vastmax does not take (DLPack type code %d, %d bits)", argument,
          tensor.dtype.code, tensor.dtype.bits);
  }
  data = static_cast<char *>(tensor.data) + tensor.byte_offset;
  int64_t step = 1;
  for (int i = ndim - 1; i >= 0; --i) {
    shape[i] = tensor.shape[i];
    stride[i] = tensor.strides ? tensor.strides[i] : step;
    step *= shape[i];
  }
}

bool Array::read_torch(PyObject *object) {
  const TorchTypes *types = torch();
  if (!types || !PyObject_TypeCheck(object, types->tensor)) return false;
  nb::handle tensor(object);
  if (PyObject *needs = PyObject_GetAttrString(object, "requires_grad"); !needs) {
    throw nb::python_error();
  } else {
    const bool yes = needs == Py_True;
    Py_DECREF(needs);
    if (yes) {
      raise(VMX_ERR_DTYPE, "%s requires a gradient, which this function would lose: use vastmax.torch, or %s.detach()", argument,
            argument);
    }
  }
  // DLPack knows nothing of a sign still to be changed: what stands in memory is not what the tensor holds.
  nb::object negative = nb::steal(PyObject_CallMethodNoArgs(object, types->is_neg));
  if (!negative) throw nb::python_error();
  if (negative.ptr() == Py_True) {
    raise(VMX_ERR_VALUE, "%s is the negative of what its memory holds (is_neg()): use %s.resolve_neg()", argument, argument);
  }
  family = Family::torch;
  if (types->exchange && types->exchange->view && (Py_TYPE(object) == types->tensor || Py_TYPE(object) == types->parameter)) {
    dltensor view;
    if (types->exchange->view(object, &view) != 0) raise_no_memory(object, argument);
    read_tensor(&view);
    return true;
  }
  read_dlpack(object);
  family = Family::torch;
  return true;
}

void Array::read_dlpack(PyObject *object) {
  nb::object method = nb::getattr(nb::handle(object), "__dlpack__");
  nb::object capsule;
  if (nb::hasattr(nb::handle(object), "__dlpack_device__")) {
    nb::object device = nb::getattr(nb::handle(object), "__dlpack_device__")();
    const int type = nb::cast<int>(nb::int_(nb::object(device[0])));
    if (type != dl_cpu && type != dl_cuda_host) {
      raise(VMX_ERR_DTYPE, "%s is not in the CPU's memory (DLPack device type %d)", argument, type);
    }
  }
  try {
    capsule = method("max_version"_a = nb::make_tuple(1, 0));
  } catch (nb::python_error &error) {
    if (!error.matches(PyExc_TypeError)) throw;
    capsule = method(); // from before DLPack 1
  }
  family = Family::dlpack;
  const dltensor *tensor = nullptr;
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto *managed = static_cast<DlManagedVersioned *>(PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    if (managed->major > 1) raise(VMX_ERR_UNSUPPORTED, "%s speaks DLPack %u, which is newer than 1", argument, managed->major);
    // What is written into a copy reaches nobody.
    readonly = (managed->flags & (dl_read_only | dl_copied)) != 0;
    tensor = &managed->tensor;
  } else if (PyCapsule_IsValid(capsule.ptr(), "dltensor")) {
    tensor = &static_cast<DlManaged *>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"))->tensor;
  } else {
    raise(VMX_ERR_DTYPE, "%s: %s.__dlpack__() gave no DLPack capsule", argument, type_name(object));
  }
  read_tensor(tensor);
  keep_ = std::move(capsule); // not consumed: its own destructor ends the export
  if (nb::hasattr(nb::handle(object), "__array_namespace__")) {
    nb::object space = nb::getattr(nb::handle(object), "__array_namespace__")();
    if (nb::hasattr(space, "from_dlpack")) space_ = std::move(space);
  }
}

void Array::read_buffer(PyObject *object) {
  auto *buffer = new Py_buffer;
  if (PyObject_GetBuffer(object, buffer, PyBUF_RECORDS) != 0) {
    PyErr_Clear();
    if (PyObject_GetBuffer(object, buffer, PyBUF_RECORDS_RO) != 0) {
      delete buffer;
      throw nb::python_error();
    }
  }
  buffer_ = buffer;
  family = Family::buffer;
  readonly = buffer->readonly != 0;
  ndim = buffer->ndim;
  if (ndim > max_dims) raise(VMX_ERR_SHAPE, "%s has %d dimensions, at most %d are served", argument, ndim, max_dims);
  const char *format = buffer->format ? buffer->format : "B";
  const char *code = format;
  const bool little = std::endian::native == std::endian::little;
  if (*code == '@' || *code == '=' || *code == (little ? '<' : '>')) ++code;
  const int bytes = static_cast<int>(buffer->itemsize);
  if (*code && !code[1]) {
    switch (*code) {
    case 'f': dtype = VMX_F32; break;
    case 'd': dtype = VMX_F64; break;
    case 'e': dtype = VMX_F16; break;
    case 'i':
    case 'l':
    case 'q': dtype = integer_dtype(true, bytes); break;
    case 'B':
    case 'I':
    case 'L':
    case 'Q': dtype = integer_dtype(false, bytes); break;
    default: break;
    }
  }
  if (!dtype) raise(VMX_ERR_DTYPE, "%s has the element format '%s', which vastmax does not take", argument, format);
  data = static_cast<char *>(buffer->buf);
  for (int i = 0; i < ndim; ++i) {
    shape[i] = buffer->shape[i];
    if (buffer->strides[i] % bytes != 0) {
      raise(VMX_ERR_VALUE, "%s has a stride of %lld bytes in dimension %d, no multiple of its element's %d", argument,
            static_cast<long long>(buffer->strides[i]), i, bytes);
    }
    stride[i] = buffer->strides[i] / bytes;
  }
}

void Array::read(nb::handle object, const char *name) {
  argument = name;
  PyObject *o = object.ptr();
  if (read_numpy(o) || read_torch(o)) {
  } else if (nb::hasattr(object, "__dlpack__")) {
    read_dlpack(o);
  } else if (PyObject_CheckBuffer(o)) {
    read_buffer(o);
  } else {
    raise(VMX_ERR_DTYPE, "%s is of type %s; it must be an array: of NumPy, PyTorch, or with DLPack or the buffer protocol", name,
          type_name(o));
  }
}

void Array::open(nb::handle object, const char *name) {
  read(object, name);
  if (dtype == dtype_u8 || dtype == dtype_u32) {
    raise(VMX_ERR_DTYPE, "%s has dtype %s, which vastmax does not take: scores are floating-point, ids int32 or int64", name,
          dtype_name(dtype));
  }
}

void Array::open_out(nb::handle object, const char *name) {
  read(object, name);
  if (readonly) raise(VMX_ERR_VALUE, "%s is read-only", name);
  if (PyArray_IsScalar(object.ptr(), Generic)) raise(VMX_ERR_DTYPE, "%s is a NumPy scalar, which cannot be written", name);
  object_ = nb::borrow(object);
}

void Array::make_numpy(int dims, const int64_t *wanted, int32_t type) {
  npy_intp sizes[max_dims];
  for (int i = 0; i < dims; ++i) sizes[i] = static_cast<npy_intp>(wanted[i]);
  PyObject *made = PyArray_NewFromDescr(&PyArray_Type, numpy_descr(type), dims, sizes, nullptr, nullptr, 0, nullptr);
  if (!made) throw nb::python_error();
  object_ = nb::steal(made);
  argument = "a new array";
  read_numpy(made);
  fresh_ = true;
}

void Array::make(const Array &like, int dims, const int64_t *wanted, int32_t type) {
  if (like.family == Family::torch) {
    nb::object sizes = nb::steal(PyTuple_New(dims));
    for (int i = 0; i < dims; ++i) PyTuple_SET_ITEM(sizes.ptr(), i, PyLong_FromLongLong(wanted[i]));
    nb::object module = nb::module_::import_("torch");
    object_ = module.attr("empty")(sizes, "dtype"_a = module.attr(dtype_name(type)), "device"_a = "cpu");
    argument = "a new tensor";
    if (!read_torch(object_.ptr())) raise(VMX_ERR_INTERNAL, "torch.empty gave no tensor");
    fresh_ = true;
    return;
  }
  if (like.family != Family::dlpack || !like.space_) {
    make_numpy(dims, wanted, type);
    return;
  }
  size_t sizes[max_dims], count = 1;
  for (int i = 0; i < dims; ++i) {
    sizes[i] = static_cast<size_t>(wanted[i]);
    count *= sizes[i];
  }
  // Aligned as the libraries that take it over without a copy ask for.
  const size_t bytes = (count * static_cast<size_t>(item_size(type)) + 127) / 64 * 64;
  void *memory = std::aligned_alloc(64, bytes);
  if (!memory) raise(VMX_ERR_MEMORY, "no memory for %zu bytes of results", bytes);
  nb::capsule owner(memory, [](void *p) noexcept { std::free(p); });
  nb::ndarray<nb::array_api> made(memory, static_cast<size_t>(dims), sizes, owner, nullptr, to_dlpack(type));
  object_ = nb::cast(made);
  argument = "a new array";
  family = Family::dlpack;
  space_ = like.space_;
  dtype = type;
  data = static_cast<char *>(memory);
  ndim = dims;
  int64_t step = 1;
  for (int i = dims - 1; i >= 0; --i) {
    shape[i] = wanted[i];
    stride[i] = step;
    step *= wanted[i];
  }
  fresh_ = true;
}

void Array::out(nb::handle object, const char *name, const Array &like, int dims, const int64_t *wanted, int32_t type,
                bool dtype_fixed) {
  if (object.is_none()) {
    make(like, dims, wanted, type);
    return;
  }
  open_out(object, name);
  need_shape(dims, wanted);
  if (dtype_fixed) need_dtype(type);
}

nb::object Array::result() {
  if (!given()) return nb::none();
  if (!fresh_) return object_;
  if (family == Family::dlpack) return space_.attr("from_dlpack")(object_);
  if (family == Family::numpy && ndim == 0) {
    return nb::steal(PyArray_Return(reinterpret_cast<PyArrayObject *>(object_.release().ptr())));
  }
  return std::move(object_);
}

int Array::axis_of(int64_t axis) const {
  if (ndim == 0) raise(VMX_ERR_SHAPE, "%s has no dimensions; it needs one for the classes", argument);
  if (axis < -ndim || axis >= ndim) {
    raise(VMX_ERR_VALUE, "axis is %lld; %s has %d dimensions", static_cast<long long>(axis), argument, ndim);
  }
  return static_cast<int>(axis < 0 ? axis + ndim : axis);
}

int64_t Array::size() const {
  int64_t n = 1;
  for (int i = 0; i < ndim; ++i) n *= shape[i];
  return n;
}

bool Array::contiguous() const {
  int64_t step = 1;
  for (int i = ndim - 1; i >= 0; --i) {
    if (shape[i] != 1 && stride[i] != step) return size() == 0;
    step *= shape[i];
  }
  return true;
}

void Array::need_ndim(int wanted) const {
  char text[256];
  if (ndim != wanted) {
    raise(VMX_ERR_SHAPE, "%s has shape %s; it must have %d dimensions", argument, shape_text(ndim, shape, text), wanted);
  }
}

void Array::need_dtype(int32_t wanted) const {
  if (dtype != wanted) {
    raise(VMX_ERR_DTYPE, "%s has dtype %s; it must be %s", argument, dtype_name(dtype), dtype_name(wanted));
  }
}

void Array::need_shape(int wanted_ndim, const int64_t *wanted) const {
  bool same = ndim == wanted_ndim;
  for (int i = 0; same && i < ndim; ++i) same = shape[i] == wanted[i];
  char have[256], want[256];
  if (!same) {
    raise(VMX_ERR_SHAPE, "%s has shape %s; it must be %s", argument, shape_text(ndim, shape, have),
          shape_text(wanted_ndim, wanted, want));
  }
}

namespace {
/// First and last byte of an array with elements.
std::pair<const char *, const char *> extent(const Array &a) {
  const char *low = a.data, *high = a.data;
  const int item = item_size(a.dtype);
  for (int i = 0; i < a.ndim; ++i) {
    const int64_t reach = (a.shape[i] - 1) * a.stride[i] * item;
    (reach < 0 ? low : high) += reach;
  }
  return {low, high + item - 1};
}

/// Whether two elements of an array, or of two arrays of one shape and the same strides, share a byte. It looks for numbers of
/// steps k, each |k[i]| < shape[i], that lead from the first byte of one element to between low and high of the other's.
class Meeting {
 public:
  explicit Meeting(const Array &a) {
    const int item = item_size(a.dtype);
    for (int i = 0; i < a.ndim; ++i) {
      if (a.shape[i] > 1) axes_[count_++] = {std::abs(a.stride[i] * item), a.shape[i] - 1};
    }
    std::sort(axes_, axes_ + count_, [](const Axis &a, const Axis &b) { return a.step > b.step; });
    rest_[count_] = 0;
    for (int i = count_; i-- > 0;) rest_[i] = rest_[i + 1] + axes_[i].step * axes_[i].most;
  }
  /// other: some k is not 0.
  bool found(int64_t low, int64_t high, bool other) {
    budget_ = 10'000; // strange strides: better to refuse than to search for long
    return search(0, low, high, other);
  }

 private:
  struct Axis {
    int64_t step, most;
  };
  bool search(int i, int64_t low, int64_t high, bool other) {
    if (i == count_) return !other && low <= 0 && 0 <= high;
    const auto [step, most] = axes_[i];
    if (step == 0) return other || search(i + 1, low, high, false);
    // With the axes after it this one must reach [low, high].
    const int64_t reach = rest_[i + 1];
    int64_t first = -most, last = most;
    if (low - reach > -most * step) first = (low - reach) / step - 1;
    if (high + reach < most * step) last = (high + reach) / step + 1;
    for (int64_t k = std::max(first, -most); k <= std::min(last, most); ++k) {
      if (--budget_ < 0) return true;
      if (low - k * step > reach || high - k * step < -reach) continue;
      if (search(i + 1, low - k * step, high - k * step, other && k == 0)) return true;
    }
    return false;
  }
  Axis axes_[max_dims];
  int64_t rest_[max_dims + 1];
  int count_ = 0, budget_ = 0;
};
} // namespace

void need_apart(const Array &out, const Array &other) {
  if (!out.given() || !other.given() || out.size() == 0 || other.size() == 0) return;
  bool same = out.data == other.data && out.dtype == other.dtype && out.ndim == other.ndim;
  for (int i = 0; same && i < out.ndim; ++i) {
    same = out.shape[i] == other.shape[i] && (out.shape[i] == 1 || out.stride[i] == other.stride[i]);
  }
  if (same) return;
  const auto [low, high] = extent(out);
  const auto [other_low, other_high] = extent(other);
  if (low > other_high || other_low > high) return;
  // Views that interleave, as parts of one array do.
  const int item = item_size(out.dtype), other_item = item_size(other.dtype);
  bool alike = out.ndim == other.ndim;
  for (int i = 0; alike && i < out.ndim; ++i) {
    alike = out.shape[i] == other.shape[i] && (out.shape[i] == 1 || out.stride[i] * item == other.stride[i] * other_item);
  }
  const int64_t apart = other.data - out.data;
  if (alike && !Meeting(out).found(apart - item + 1, apart + other_item - 1, false)) return;
  raise(VMX_ERR_OVERLAP, "%s overlaps %s", out.argument, other.argument);
}

void need_distinct(const Array &out) {
  if (!out.given() || out.size() == 0) return;
  const int item = item_size(out.dtype);
  if (Meeting(out).found(1 - item, item - 1, true)) raise(VMX_ERR_OVERLAP, "%s overlaps itself", out.argument);
}

vmx_matrix Array::matrix() const {
  need_ndim(2);
  return view(data, shape[0], shape[1], stride[0], stride[1], dtype);
}

vmx_vector Array::vector() const {
  if (ndim == 0) return view(data, 1, 1, dtype);
  need_ndim(1);
  return view(data, shape[0], stride[0], dtype);
}

vmx_ids Array::ids() const {
  if (dtype != VMX_I32 && dtype != VMX_I64) {
    raise(VMX_ERR_DTYPE, "%s has dtype %s; it must be int32 or int64", argument, dtype_name(dtype));
  }
  if (ndim == 0) return {data, 1, 1, dtype, 0};
  need_ndim(1);
  return {data, shape[0], stride[0], dtype, 0};
}

} // namespace vmxpy
