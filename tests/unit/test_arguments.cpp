// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// Malformed arguments of the softmax family, of partial states and of cross-entropy, one broken thing at a
// time. Each gives its status and a message that names the function, the argument and the values; and no byte
// is written.
#include "support/contexts.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace vmx::test;

constexpr int64_t kRows = 3, kCols = 5, kRowStride = 8, kEntries = 4;
constexpr float kNanF = std::numeric_limits<float>::quiet_NaN(),
                kInfF = std::numeric_limits<float>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                 kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kLowest = INT64_MIN, kHighest = INT64_MAX;

// A struct as a newer caller may hand it over.
template <class T>
struct Grown {
  T known;
  unsigned char tail[16] = {};
};

// Valid arguments for every function, all in one piece of memory: whatever is written shows there.
struct Args {
  static constexpr size_t kRegion = 512, kRegions = 32;
  struct alignas(64) Memory {
    unsigned char bytes[kRegion * kRegions];
  };
  std::unique_ptr<Memory> memory = std::make_unique<Memory>();
  size_t used = 0;

  vmx_matrix x, y, grad_y;  // y is written; of the backward passes too
  vmx_vector lse, factor, entropy;
  uint32_t* row_flags;
  vmx_lse_state *states, *from;
  vmx_lse_short *short_states, *short_from;
  int64_t n = kRows, col_offset = 0;
  Grown<vmx_softmax_options> softmax{VMX_SOFTMAX_OPTIONS_INIT};
  Grown<vmx_lse_options> fold{VMX_LSE_OPTIONS_INIT};
  Grown<vmx_cross_entropy_options> ce{VMX_CROSS_ENTROPY_OPTIONS_INIT};
  Grown<vmx_cross_entropy_out> out{VMX_CROSS_ENTROPY_OUT_INIT};
  vmx_csr targets{};
  float* temperature;
  size_t* size;
  std::set<std::string> null;  // names of what is handed over as NULL

  Args() {
    std::memset(memory->bytes, 0xff, sizeof memory->bytes);
    x = matrix();
    y = matrix();
    grad_y = matrix();
    out.known.grad = matrix();
    for (vmx_matrix* m : {&x, &grad_y}) {
      for (int64_t i = 0; i < kRows * kRowStride; ++i)
        static_cast<float*>(m->data)[i] = static_cast<float>(i % 7) - 3;
    }
    lse = vector();
    factor = vector();
    entropy = vector();
    for (int64_t i = 0; i < kRows; ++i) static_cast<float*>(factor.data)[i] = static_cast<float>(i) + 0.5f;
    row_flags = region<uint32_t>();
    states = region<vmx_lse_state>();
    from = region<vmx_lse_state>();
    short_states = region<vmx_lse_short>();
    short_from = region<vmx_lse_short>();
    for (int64_t i = 0; i < kRows; ++i) short_states[i] = short_from[i] = {1.5, 2.5};
    size = region<size_t>();
    temperature = region<float>();
    for (int64_t i = 0; i < kRows; ++i) temperature[i] = 1.0f + static_cast<float>(i);

    out.known.loss = vector();
    out.known.z_loss = vector();
    out.known.lse = vector();
    out.known.total = region<double>();
    out.known.total_z_loss = region<double>();
    out.known.total_weight = region<double>();
    out.known.row_flags = region<uint32_t>();
    targets.ids = {ids({2, 0, 4, 1}), kEntries, 1, VMX_I64, 0};
    targets.indptr = {ids({0, 2, 2, 4}), kRows + 1, 1, VMX_I64, 0};
    targets.weights = {region<float>(), kEntries, 1, VMX_F32, 0};
    for (int64_t i = 0; i < kEntries; ++i) static_cast<float*>(targets.weights.data)[i] = 1.25f;

    const vmx_vector class_weight = {region<float>(), kCols, 1, VMX_F32, 0};
    for (int64_t c = 0; c < kCols; ++c) static_cast<float*>(class_weight.data)[c] = static_cast<float>(c);
    softmax.known.temperature = fold.known.temperature = ce.known.temperature = temperature;
    softmax.known.temperature_stride = fold.known.temperature_stride = ce.known.temperature_stride = 1;
    fold.known.flags = VMX_FOLD_SUMS | VMX_FOLD_ENTROPY;
    fold.known.class_weight = ce.known.class_weight = class_weight;
    fold.known.skip = {ids({1, 1, 3}), kRows, 1, VMX_I64, 0};
    std::memset(states, 0, kRows * sizeof *states);
    EXPECT_EQ(vmx_lse_fold(nullptr, nullptr, &x, 0, states, &fold.known), VMX_OK) << last_error();
    std::memcpy(from, states, kRows * sizeof *states);
  }

  template <class T>
  T* region() {
    EXPECT_LT(used, kRegions);
    return reinterpret_cast<T*>(memory->bytes + kRegion * used++);
  }
  vmx_matrix matrix() { return {region<float>(), kRows, kCols, kRowStride, 1, VMX_F32, 0}; }
  vmx_vector vector() { return {region<float>(), kRows, 1, VMX_F32, 0}; }
  const void* ids(const std::vector<int64_t>& values) {
    auto* const data = region<int64_t>();
    std::memcpy(data, values.data(), values.size() * sizeof(int64_t));
    return data;
  }
  template <class T>
  T* given(const char* name, T* argument) const {
    return null.count(name) ? nullptr : argument;
  }
};

int64_t* id(const vmx_ids& ids, int64_t i) {
  return const_cast<int64_t*>(static_cast<const int64_t*>(ids.data)) + i;
}

// One way to spoil the arguments.
struct Row {
  std::string what;
  std::function<void(Args&)> spoil;
  vmx_status status;
  std::vector<std::string> texts;  // in the message
};
using Rows = std::vector<Row>;
template <class T>
using Get = std::function<T&(Args&)>;

Rows operator+(Rows a, const Rows& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string text(int64_t value) { return std::to_string(value); }

// ------------------------------------------------------------------------------------------------ rows for a
// kind

enum class Need { required, optional };

Rows matrix_in(const std::string& name, const Get<vmx_matrix>& m, Need need = Need::required) {
  Rows rows;
  const auto add = [&](std::string what, const std::function<void(vmx_matrix&)>& change, vmx_status status,
                       std::vector<std::string> texts) {
    rows.push_back({name + " " + what, [=](Args& a) { change(m(a)); }, status, std::move(texts)});
  };
  if (need == Need::required) {
    rows.push_back(
        {name + " NULL", [=](Args& a) { a.null.insert(name); }, VMX_ERR_NULL, {name + " is NULL"}});
    add("without data", [](vmx_matrix& v) { v.data = nullptr; }, VMX_ERR_NULL, {name + ".data is NULL"});
  }
  for (const int32_t dtype : {0, VMX_I32, VMX_I64, 7, 34, -1, INT32_MIN}) {
    add("of dtype " + text(dtype), [=](vmx_matrix& v) { v.dtype = dtype; }, VMX_ERR_DTYPE,
        {name + ".dtype is " + text(dtype), "f32"});
  }
  for (const int64_t size : {int64_t{-1}, kLowest}) {
    add("rows", [=](vmx_matrix& v) { v.rows = size; }, VMX_ERR_SHAPE, {name + ".rows is " + text(size)});
    add("cols", [=](vmx_matrix& v) { v.cols = size; }, VMX_ERR_SHAPE, {name + ".cols is " + text(size)});
  }
  for (const int64_t cols : {VMX_MAX_COLS + 1, kHighest}) {
    add("too wide", [=](vmx_matrix& v) { v.cols = cols; }, VMX_ERR_SIZE, {name + ".cols is " + text(cols)});
  }
  add("of too many elements", [](vmx_matrix& v) { v.rows = kHighest / 2, v.row_stride = 0; }, VMX_ERR_SIZE,
      {name, text(kHighest / 2), text(kCols), "overflow"});
  for (const int64_t stride : {kHighest, kLowest, int64_t{1} << 61, -(int64_t{1} << 61)}) {
    add("row_stride", [=](vmx_matrix& v) { v.row_stride = stride; }, VMX_ERR_SIZE,
        {name, text(stride), "overflow"});
    add("col_stride", [=](vmx_matrix& v) { v.col_stride = stride; }, VMX_ERR_SIZE,
        {name, text(stride), "overflow"});
  }
  add("rows times row_stride",
      [](vmx_matrix& v) { v.rows = int64_t{1} << 40, v.row_stride = int64_t{1} << 40; }, VMX_ERR_SIZE,
      {name, text(int64_t{1} << 40), "overflow"});
  add("below address 0", [](vmx_matrix& v) { v.row_stride = -(int64_t{1} << 59); }, VMX_ERR_SIZE,
      {name, "address space"});
  for (const int bytes : {1, 2}) {
    add("misaligned", [=](vmx_matrix& v) { v.data = static_cast<char*>(v.data) + bytes; }, VMX_ERR_VALUE,
        {name + ".data", "aligned", "4 bytes"});
  }
  for (const int32_t reserved : {1, -1}) {
    add("reserved", [=](vmx_matrix& v) { v.reserved = reserved; }, VMX_ERR_VALUE,
        {name + ".reserved is " + text(reserved)});
  }
  return rows;
}

// like: the argument whose shape it must have.
Rows matrix_out(const std::string& name, const Get<vmx_matrix>& m, const std::string& like,
                Need need = Need::required) {
  Rows rows = matrix_in(name, m, need);
  const auto add = [&](std::string what, const std::function<void(vmx_matrix&)>& change, vmx_status status,
                       std::vector<std::string> texts) {
    rows.push_back({name + " " + what, [=](Args& a) { change(m(a)); }, status, std::move(texts)});
  };
  for (const int64_t rows_now : {kRows - 1, kRows + 1, int64_t{0}}) {
    add("rows", [=](vmx_matrix& v) { v.rows = rows_now; }, VMX_ERR_SHAPE,
        {name + ".rows is " + text(rows_now), like + ".rows is 3"});
  }
  for (const int64_t cols : {kCols - 1, kCols + 1, int64_t{0}}) {
    add("cols", [=](vmx_matrix& v) { v.cols = cols; }, VMX_ERR_SHAPE,
        {name + ".cols is " + text(cols), like + ".cols is 5"});
  }
  const struct {
    int64_t row, col;
  } strides[] = {{0, 1}, {8, 0}, {4, 1}, {-4, 1}, {4, -1}, {1, 1}, {1, 2}, {4, 2}, {-2, 4}, {6, 3}, {1, -1}};
  for (const auto [row, col] : strides) {
    add("strides", [=](vmx_matrix& v) { v.row_stride = row, v.col_stride = col; }, VMX_ERR_OVERLAP,
        {name + " overlaps itself", text(row), text(col)});
  }
  return rows;
}

Rows vector_in(const std::string& name, const Get<vmx_vector>& get, int64_t n, bool f64_too, Need need) {
  Rows rows;
  const auto add = [&](std::string what, const std::function<void(vmx_vector&)>& change, vmx_status status,
                       std::vector<std::string> texts) {
    rows.push_back({name + " " + what, [=](Args& a) { change(get(a)); }, status, std::move(texts)});
  };
  if (need == Need::required) {
    rows.push_back(
        {name + " NULL", [=](Args& a) { a.null.insert(name); }, VMX_ERR_NULL, {name + " is NULL"}});
    add("without data", [](vmx_vector& v) { v.data = nullptr; }, VMX_ERR_NULL, {name + ".data is NULL"});
  }
  std::vector<int32_t> dtypes = {0, VMX_BF16, VMX_F16, VMX_I32, VMX_I64, 99, -4};
  if (!f64_too) dtypes.push_back(VMX_F64);
  for (const int32_t dtype : dtypes) {
    add("of dtype " + text(dtype), [=](vmx_vector& v) { v.dtype = dtype; }, VMX_ERR_DTYPE,
        {name + ".dtype is " + text(dtype), "f32"});
  }
  for (const int64_t length : {n - 1, n + 1, int64_t{0}, int64_t{-1}, kLowest, kHighest}) {
    add("n", [=](vmx_vector& v) { v.n = length; }, VMX_ERR_SHAPE, {name + ".n is " + text(length), text(n)});
  }
  for (const int64_t stride : {kHighest, kLowest, int64_t{1} << 61}) {
    add("stride", [=](vmx_vector& v) { v.stride = stride; }, VMX_ERR_SIZE, {name, text(stride), "overflow"});
  }
  for (const int bytes : {1, 2, 3}) {
    add("misaligned", [=](vmx_vector& v) { v.data = static_cast<char*>(v.data) + bytes; }, VMX_ERR_VALUE,
        {name + ".data", "aligned", "4 bytes"});
  }
  add("reserved", [](vmx_vector& v) { v.reserved = -7; }, VMX_ERR_VALUE, {name + ".reserved is -7"});
  return rows;
}

Rows vector_out(const std::string& name, const Get<vmx_vector>& get, bool f64_too, Need need) {
  return vector_in(name, get, kRows, f64_too, need) + Rows{{name + " stride 0",
                                                            [=](Args& a) { get(a).stride = 0; },
                                                            VMX_ERR_OVERLAP,
                                                            {name + " overlaps itself"}}};
}

Rows ids_in(const std::string& name, const Get<vmx_ids>& get) {
  Rows rows;
  const auto add = [&](std::string what, const std::function<void(vmx_ids&)>& change, vmx_status status,
                       std::vector<std::string> texts) {
    rows.push_back({name + " " + what, [=](Args& a) { change(get(a)); }, status, std::move(texts)});
  };
  for (const int32_t type : {0, VMX_F32, VMX_F64, 7, -1}) {
    add("of type " + text(type), [=](vmx_ids& v) { v.type = type; }, VMX_ERR_DTYPE,
        {name + ".type is " + text(type), "i32, i64"});
  }
  for (const int32_t base : {2, -1, INT32_MIN}) {
    add("base", [=](vmx_ids& v) { v.base = base; }, VMX_ERR_VALUE, {name + ".base is " + text(base)});
  }
  for (const int64_t n : {int64_t{-1}, kLowest}) {
    add("n", [=](vmx_ids& v) { v.n = n; }, VMX_ERR_SHAPE, {name + ".n is " + text(n)});
  }
  for (const int64_t n : {1, 7}) {  // what it has to agree with may be named instead
    add("n", [=](vmx_ids& v) { v.n = n; }, VMX_ERR_SHAPE, {".n is ", text(n)});
  }
  for (const int64_t stride : {kHighest, kLowest, int64_t{1} << 61}) {
    add("stride", [=](vmx_ids& v) { v.stride = stride; }, VMX_ERR_SIZE, {name, text(stride), "overflow"});
  }
  for (const int bytes : {1, 4}) {
    add("misaligned", [=](vmx_ids& v) { v.data = static_cast<const char*>(v.data) + bytes; }, VMX_ERR_VALUE,
        {name + ".data", "aligned", "8 bytes"});
  }
  return rows;
}

// Arrays without a view: what remains is their address and, with n elements, their size.
template <class T>
Rows array(const std::string& name, const Get<T*>& get, Need need) {
  Rows rows;
  if (need == Need::required) {
    rows.push_back({name + " NULL", [=](Args& a) { get(a) = nullptr; }, VMX_ERR_NULL, {name + " is NULL"}});
  }
  for (const size_t bytes : {size_t{1}, alignof(T) / 2}) {
    rows.push_back(
        {name + " misaligned",
         [=](Args& a) { get(a) = reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(get(a)) + bytes); },
         VMX_ERR_VALUE,
         {name + " is not aligned", text(alignof(T)) + " bytes"}});
  }
  return rows;
}

template <class T>
Rows struct_of(const std::string& name, const Get<Grown<T>>& get) {
  Rows rows;
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, sizeof(T) - 1, size_t{4097}, SIZE_MAX}) {
    rows.push_back({name + " struct_size",
                    [=](Args& a) { get(a).known.struct_size = size; },
                    VMX_ERR_STRUCT,
                    {name + ".struct_size is " + std::to_string(size)}});
  }
  for (const size_t byte : {size_t{0}, size_t{7}, size_t{15}}) {
    rows.push_back(
        {name + " tail",
         [=](Args& a) {
           get(a).known.struct_size = sizeof(Grown<T>);
           get(a).tail[byte] = 1;
         },
         VMX_ERR_STRUCT,
         {name, "byte " + std::to_string(sizeof(T) + byte) + " of " + std::to_string(sizeof(Grown<T>))}});
  }
  return rows;
}

template <class T>
Rows flags_of(const Get<Grown<T>>& get, uint32_t known) {
  Rows rows;
  for (uint32_t bit = 1; bit; bit <<= 1) {
    if (bit & known) continue;
    char hex[16];
    std::snprintf(hex, sizeof hex, "0x%x", static_cast<unsigned>(bit));
    rows.push_back({"options flag",
                    [=](Args& a) { get(a).known.flags |= bit; },
                    VMX_ERR_VALUE,
                    {std::string("options.flags has unknown bits ") + hex}});
  }
  return rows;
}

template <class T>
Rows reserved_of(const Get<Grown<T>>& get) {
  return {{"options reserved",
           [=](Args& a) { get(a).known.reserved = 5; },
           VMX_ERR_VALUE,
           {"options.reserved is 5"}}};
}

template <class T>
Rows temperature_of(const Get<Grown<T>>& get) {
  Rows rows;
  for (const float t : {-1.0f, -0x1p-149f, -kInfF, kNanF, -kNanF}) {
    for (const int64_t row : {int64_t{0}, kRows - 1}) {
      rows.push_back({"temperature " + std::to_string(t),
                      [=](Args& a) { a.temperature[row] = t; },
                      VMX_ERR_VALUE,
                      {"options.temperature of row " + text(row), t == -1.0f ? "-1" : ""}});
    }
    rows.push_back({"one temperature",
                    [=](Args& a) {
                      a.temperature[0] = t;
                      get(a).known.temperature_stride = 0;
                    },
                    VMX_ERR_VALUE,
                    {"options.temperature of row 0"}});
  }
  for (const int64_t stride : {kHighest, kLowest, int64_t{1} << 61}) {
    rows.push_back({"temperature_stride",
                    [=](Args& a) { get(a).known.temperature_stride = stride; },
                    VMX_ERR_SIZE,
                    {"options.temperature", text(stride), "overflow"}});
  }
  rows.push_back({"temperature misaligned",
                  [=](Args& a) {
                    get(a).known.temperature =
                        reinterpret_cast<const float*>(reinterpret_cast<uintptr_t>(a.temperature) + 2);
                  },
                  VMX_ERR_VALUE,
                  {"options.temperature", "aligned"}});
  return rows;
}

// ------------------------------------------------------------------------------------------------ overlaps

// Where an argument stands, and how to make it stand elsewhere.
struct Place {
  std::string name;
  std::function<void*(Args&)> get;
  std::function<void(Args&, void*)> set;
  std::string may_be = "";  // an output that may be exactly this input
};

template <class View>
Place place(const std::string& name, const Get<View>& get, std::string may_be = "") {
  return {name, [=](Args& a) { return const_cast<void*>(static_cast<const void*>(get(a).data)); },
          [=](Args& a, void* to) { get(a).data = to; }, std::move(may_be)};
}
template <class T>
Place array_place(const std::string& name, const Get<T*>& get) {
  return {name, [=](Args& a) { return static_cast<void*>(get(a)); },
          [=](Args& a, void* to) { get(a) = static_cast<T*>(to); }};
}
template <class T>
Place temperature_place(const Get<Grown<T>>& get) {
  return {"options.temperature", [=](Args& a) { return static_cast<void*>(a.temperature); },
          [=](Args& a, void* to) { get(a).known.temperature = static_cast<float*>(to); }};
}

// Every output on every input and on every other output.
Rows overlaps(const std::vector<Place>& outputs, const std::vector<Place>& inputs) {
  Rows rows;
  const auto add = [&](const Place& out, const Place& other) {
    // Exactly the same view may be fine: then from the second row on, which is still aligned for all.
    const size_t shift = out.may_be.find(other.name) != std::string::npos ? kRowStride * sizeof(float) : 0;
    rows.push_back({out.name + " on " + other.name,
                    [=](Args& a) { out.set(a, static_cast<char*>(other.get(a)) + shift); },
                    VMX_ERR_OVERLAP,
                    {out.name, other.name, "overlaps"}});
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) add(outputs[i], outputs[j]);
    for (const Place& input : inputs) add(outputs[i], input);
  }
  return rows;
}

// A matrix that may be written in place: other views of the same memory may not.
Rows nearly_in_place(const std::string& out, const Get<vmx_matrix>& y, const std::string& in,
                     const Get<vmx_matrix>& x) {
  Rows rows;
  const auto add = [&](const std::string& what, const std::function<void(vmx_matrix&)>& change) {
    rows.push_back({out + " on " + in + ", " + what,
                    [=](Args& a) {
                      y(a) = x(a);
                      change(y(a));
                    },
                    VMX_ERR_OVERLAP,
                    {out + " overlaps " + in}});
  };
  add("one element on", [](vmx_matrix& v) { v.data = static_cast<float*>(v.data) + 1; });
  add("one element back", [](vmx_matrix& v) { v.data = static_cast<float*>(v.data) - 1; });
  add("the last element",
      [](vmx_matrix& v) { v.data = static_cast<float*>(v.data) + 2 * kRowStride + kCols - 1; });
  add("other row stride", [](vmx_matrix& v) { v.row_stride = kRowStride - 1; });
  add("transposed", [](vmx_matrix& v) { v.row_stride = 1, v.col_stride = kRowStride; });
  add("mirrored", [](vmx_matrix& v) { v.data = static_cast<float*>(v.data) + kCols - 1, v.col_stride = -1; });
  add("upside down", [](vmx_matrix& v) {
    v.data = static_cast<float*>(v.data) + (kRows - 1) * kRowStride, v.row_stride = -kRowStride;
  });
  add("another dtype", [](vmx_matrix& v) { v.dtype = VMX_BF16; });
  return rows;
}

// ------------------------------------------------------------------------------------------------ the
// functions

struct Function {
  std::string name;
  std::function<vmx_status(Args&)> call;
  Rows rows;
};

vmx_matrix& x_of(Args& a) { return a.x; }
vmx_matrix& y_of(Args& a) { return a.y; }
vmx_matrix& grad_y_of(Args& a) { return a.grad_y; }
vmx_matrix& grad_of(Args& a) { return a.out.known.grad; }
vmx_vector& lse_of(Args& a) { return a.lse; }
vmx_vector& factor_of(Args& a) { return a.factor; }
vmx_vector& entropy_of(Args& a) { return a.entropy; }
uint32_t*& row_flags_of(Args& a) { return a.row_flags; }
Grown<vmx_softmax_options>& softmax_of(Args& a) { return a.softmax; }
Grown<vmx_lse_options>& fold_of(Args& a) { return a.fold; }
Grown<vmx_cross_entropy_options>& ce_of(Args& a) { return a.ce; }
Grown<vmx_cross_entropy_out>& out_of(Args& a) { return a.out; }
vmx_lse_state*& states_of(Args& a) { return a.states; }
vmx_lse_state*& from_of(Args& a) { return a.from; }
vmx_lse_short*& short_of(Args& a) { return a.short_states; }
vmx_lse_short*& short_from_of(Args& a) { return a.short_from; }

Rows softmax_options() {
  return struct_of<vmx_softmax_options>("options", softmax_of) +
         flags_of<vmx_softmax_options>(softmax_of, VMX_PRECISE | VMX_ZERO_MASKED) +
         reserved_of<vmx_softmax_options>(softmax_of) + temperature_of<vmx_softmax_options>(softmax_of);
}

Function logsumexp() {
  return {"vmx_logsumexp",
          [](Args& a) {
            return vmx_logsumexp(nullptr, nullptr, a.given("x", &a.x), a.given("lse", &a.lse), a.row_flags,
                                 &a.softmax.known);
          },
          matrix_in("x", x_of) + vector_out("lse", lse_of, false, Need::required) +
              array<uint32_t>("row_flags", row_flags_of, Need::optional) + softmax_options() +
              overlaps({place<vmx_vector>("lse", lse_of), array_place<uint32_t>("row_flags", row_flags_of)},
                       {place<vmx_matrix>("x", x_of), temperature_place<vmx_softmax_options>(softmax_of)}) +
              Rows{{"lse f32 of f64",
                    [](Args& a) { a.x.dtype = VMX_F64; },
                    VMX_ERR_DTYPE,
                    {"lse.dtype is 1 (f32), but must be one of f64"}}}};
}

// Both have the same arguments.
Function softmax(bool logarithm) {
  const auto call = [=](Args& a) {
    return (logarithm ? vmx_log_softmax : vmx_softmax)(nullptr, nullptr, a.given("x", &a.x),
                                                       a.given("y", &a.y), a.given("lse", &a.lse),
                                                       a.row_flags, &a.softmax.known);
  };
  return {logarithm ? "vmx_log_softmax" : "vmx_softmax", call,
          matrix_in("x", x_of) + matrix_out("y", y_of, "x") +
              vector_out("lse", lse_of, false, Need::optional) +
              array<uint32_t>("row_flags", row_flags_of, Need::optional) + softmax_options() +
              nearly_in_place("y", y_of, "x", x_of) +
              overlaps({place<vmx_matrix>("y", y_of, "x"), place<vmx_vector>("lse", lse_of),
                        array_place<uint32_t>("row_flags", row_flags_of)},
                       {place<vmx_matrix>("x", x_of), temperature_place<vmx_softmax_options>(softmax_of)}) +
              Rows{{"more flags than memory",
                    [](Args& a) {
                      a.x.rows = a.y.rows = int64_t{1} << 61;
                      a.x.cols = a.y.cols = 0;
                      a.null.insert("lse");
                      a.softmax.known.temperature_stride = 0;
                    },
                    VMX_ERR_SIZE,
                    {"row_flags", text(int64_t{1} << 61)}},
                   {"x broadcast in place",
                    [](Args& a) {
                      a.x.row_stride = 0;
                      a.y = a.x;
                    },
                    VMX_ERR_OVERLAP,
                    {"y overlaps itself"}}}};
}

Function logsumexp_backward() {
  return {"vmx_logsumexp_backward",
          [](Args& a) {
            return vmx_logsumexp_backward(nullptr, nullptr, a.given("x", &a.x), a.given("lse", &a.lse),
                                          a.given("grad_lse", &a.factor), a.given("grad_x", &a.y),
                                          &a.softmax.known);
          },
          matrix_in("x", x_of) + vector_in("lse", lse_of, kRows, false, Need::optional) +
              vector_in("grad_lse", factor_of, kRows, true, Need::required) +
              matrix_out("grad_x", y_of, "x") + softmax_options() +
              nearly_in_place("grad_x", y_of, "x", x_of) +
              overlaps({place<vmx_matrix>("grad_x", y_of, "x")},
                       {place<vmx_matrix>("x", x_of), place<vmx_vector>("lse", lse_of),
                        place<vmx_vector>("grad_lse", factor_of),
                        temperature_place<vmx_softmax_options>(softmax_of)})};
}

Function softmax_backward(bool logarithm) {
  const auto call = [=](Args& a) {
    return (logarithm ? vmx_log_softmax_backward : vmx_softmax_backward)(
        nullptr, nullptr, a.given("y", &a.x), a.given("grad_y", &a.grad_y), a.given("grad_x", &a.y),
        &a.softmax.known);
  };
  return {
      logarithm ? "vmx_log_softmax_backward" : "vmx_softmax_backward", call,
      matrix_in("y", x_of) + matrix_out("grad_x", y_of, "y") + softmax_options() +
          nearly_in_place("grad_x", y_of, "y", x_of) + nearly_in_place("grad_x", y_of, "grad_y", grad_y_of) +
          overlaps({place<vmx_matrix>("grad_x", y_of, "y, grad_y")},
                   {place<vmx_matrix>("y", x_of), place<vmx_matrix>("grad_y", grad_y_of),
                    temperature_place<vmx_softmax_options>(softmax_of)}) +
          Rows{{"grad_y NULL", [](Args& a) { a.null.insert("grad_y"); }, VMX_ERR_NULL, {"grad_y is NULL"}},
               {"grad_y without data",
                [](Args& a) { a.grad_y.data = nullptr; },
                VMX_ERR_NULL,
                {"grad_y.data"}},
               {"grad_y of another dtype",
                [](Args& a) { a.grad_y.dtype = VMX_BF16; },
                VMX_ERR_DTYPE,
                {"grad_y.dtype is 2 (bf16), but must be one of f32"}},
               {"grad_y rows",
                [](Args& a) { a.grad_y.rows = 2; },
                VMX_ERR_SHAPE,
                {"grad_y.rows is 2, but y.rows is 3"}},
               {"grad_y cols",
                [](Args& a) { a.grad_y.cols = 6; },
                VMX_ERR_SHAPE,
                {"grad_y.cols is 6, but y.cols is 5"}},
               {"grad_y stride", [](Args& a) { a.grad_y.row_stride = kLowest; }, VMX_ERR_SIZE, {"grad_y"}},
               {"grad_y reserved",
                [](Args& a) { a.grad_y.reserved = 2; },
                VMX_ERR_VALUE,
                {"grad_y.reserved is 2"}}}};
}

// ---- partial states

Rows lse_options() {
  return struct_of<vmx_lse_options>("options", fold_of) +
         flags_of<vmx_lse_options>(fold_of, VMX_FOLD_SUMS | VMX_FOLD_ENTROPY) +
         reserved_of<vmx_lse_options>(fold_of) + temperature_of<vmx_lse_options>(fold_of);
}

Rows versions(const std::string& name, const Get<vmx_lse_state*>& get) {
  Rows rows;
  for (const int version : {2, 255}) {
    for (const int64_t i : {int64_t{0}, kRows - 1}) {
      rows.push_back({name + " version",
                      [=](Args& a) { get(a)[i].version = static_cast<uint8_t>(version); },
                      VMX_ERR_VALUE,
                      {name + "[" + text(i) + "].version is " + text(version)}});
    }
  }
  return rows;
}

Rows counts() {
  Rows rows;
  for (const int64_t n : {int64_t{-1}, kLowest}) {
    rows.push_back({"n", [=](Args& a) { a.n = n; }, VMX_ERR_SHAPE, {"n is " + text(n)}});
  }
  return rows;
}

// Before any vector of that many elements is looked at.
Rows too_many(const std::string& name) {
  Rows rows;
  for (const int64_t n : {kHighest, int64_t{1} << 61}) {
    rows.push_back({"n", [=](Args& a) { a.n = n; }, VMX_ERR_SIZE, {name, text(n)}});
  }
  return rows;
}

Function lse_fold() {
  const Get<vmx_vector> class_weight = [](Args& a) -> vmx_vector& { return a.fold.known.class_weight; };
  const Get<vmx_ids> skip = [](Args& a) -> vmx_ids& { return a.fold.known.skip; };
  Rows rows = matrix_in("x", x_of) + array<vmx_lse_state>("states", states_of, Need::required) +
              lse_options() + versions("states", states_of) +
              vector_in("options.class_weight", class_weight, kCols, false, Need::optional) +
              ids_in("options.skip", skip) +
              overlaps({array_place<vmx_lse_state>("states", states_of)},
                       {place<vmx_matrix>("x", x_of), place<vmx_vector>("options.class_weight", class_weight),
                        place<vmx_ids>("options.skip", skip), temperature_place<vmx_lse_options>(fold_of)});
  for (const int64_t offset : {int64_t{-1}, kLowest}) {
    rows.push_back({"col_offset",
                    [=](Args& a) { a.col_offset = offset; },
                    VMX_ERR_SHAPE,
                    {"col_offset is " + text(offset)}});
  }
  for (const int64_t offset : {VMX_MAX_COLS - kCols + 1, kHighest}) {
    rows.push_back({"col_offset",
                    [=](Args& a) { a.col_offset = offset; },
                    VMX_ERR_SIZE,
                    {"col_offset " + text(offset), "x.cols 5"}});
  }
  for (const int64_t i : {int64_t{0}, kRows - 1}) {
    rows.push_back({"count",
                    [=](Args& a) { a.states[i].count = static_cast<uint32_t>(VMX_MAX_COLS - kCols + 1); },
                    VMX_ERR_SIZE,
                    {"state " + text(i), text(VMX_MAX_COLS + 1)}});
    rows.push_back({"count",
                    [=](Args& a) { a.states[i].count = UINT32_MAX; },
                    VMX_ERR_SIZE,
                    {"state " + text(i), text(int64_t{UINT32_MAX} + kCols)}});
    for (const uint32_t has : {0u, VMX_STATE_HAS_SUMS, VMX_STATE_HAS_ENTROPY}) {
      rows.push_back({"other sums",
                      [=](Args& a) { a.states[i].flags = static_cast<uint8_t>(has); },
                      VMX_ERR_VALUE,
                      {"states[" + text(i) + "].flags is " + text(has), "options.flags is 3"}});
    }
  }
  rows.push_back({"class_weight without sums",
                  [](Args& a) {
                    a.fold.known.flags = 0;
                    std::memset(a.states, 0, kRows * sizeof *a.states);
                  },
                  VMX_ERR_VALUE,
                  {"options.class_weight", "VMX_FOLD_SUMS"}});
  for (const int64_t stride : {int64_t{0}, int64_t{2}, int64_t{-1}}) {
    rows.push_back({"class_weight stride",
                    [=](Args& a) { a.fold.known.class_weight.stride = stride; },
                    VMX_ERR_SHAPE,
                    {"options.class_weight.stride is " + text(stride)}});
  }
  rows.push_back({"more states than memory",
                  [](Args& a) {
                    a.x.rows = int64_t{1} << 58;
                    a.x.cols = 0;
                    a.fold.known.temperature_stride = 0;
                    a.fold.known.class_weight.data = nullptr;
                    a.fold.known.skip.data = nullptr;
                  },
                  VMX_ERR_SIZE,
                  {"states", text(int64_t{1} << 58)}});
  return {"vmx_lse_fold",
          [](Args& a) {
            return vmx_lse_fold(nullptr, nullptr, a.given("x", &a.x), a.col_offset, a.states, &a.fold.known);
          },
          rows};
}

Function lse_merge() {
  Rows rows = counts() + too_many("into") + array<vmx_lse_state>("into", states_of, Need::required) +
              array<vmx_lse_state>("from", from_of, Need::required) + versions("into", states_of) +
              versions("from", from_of);
  for (const int64_t by : {1, 2, -1, -2}) {
    rows.push_back(
        {"into on from", [=](Args& a) { a.states = a.from + by; }, VMX_ERR_OVERLAP, {"into overlaps from"}});
  }
  rows.push_back({"other sums",
                  [](Args& a) { a.from[2].flags = VMX_STATE_HAS_SUMS; },
                  VMX_ERR_VALUE,
                  {"into[2].flags is 24", "from[2].flags is 8"}});
  rows.push_back({"count",
                  [](Args& a) { a.from[2].count = static_cast<uint32_t>(VMX_MAX_COLS); },
                  VMX_ERR_SIZE,
                  {"state 2", text(VMX_MAX_COLS)}});
  rows.push_back({"count",
                  [](Args& a) { a.from[1].count = a.states[1].count = UINT32_MAX; },
                  VMX_ERR_SIZE,
                  {"state 1", text(2 * int64_t{UINT32_MAX})}});
  return {"vmx_lse_merge", [](Args& a) { return vmx_lse_merge(a.states, a.from, a.n); }, rows};
}

Function lse_finish() {
  Rows rows =
      counts() + too_many("states") + array<vmx_lse_state>("states", states_of, Need::required) +
      versions("states", states_of) + lse_options() + vector_out("lse", lse_of, true, Need::optional) +
      vector_out("entropy", entropy_of, true, Need::optional) +
      array<uint32_t>("row_flags", row_flags_of, Need::optional) +
      overlaps(
          {place<vmx_vector>("lse", lse_of), place<vmx_vector>("entropy", entropy_of),
           array_place<uint32_t>("row_flags", row_flags_of)},
          {array_place<vmx_lse_state>("states", states_of), temperature_place<vmx_lse_options>(fold_of)});
  rows.push_back({"no entropy",
                  [](Args& a) { a.states[1].flags = VMX_STATE_HAS_SUMS; },
                  VMX_ERR_VALUE,
                  {"states[1].flags is 8", "VMX_FOLD_ENTROPY"}});
  return {"vmx_lse_finish",
          [](Args& a) {
            return vmx_lse_finish(a.states, a.n, &a.fold.known, a.given("lse", &a.lse),
                                  a.given("entropy", &a.entropy), a.row_flags);
          },
          rows};
}

Function lse_shorten() {
  return {"vmx_lse_shorten",
          [](Args& a) { return vmx_lse_shorten(a.states, a.n, &a.fold.known, a.short_states); },
          counts() + too_many("states") + array<vmx_lse_state>("states", states_of, Need::required) +
              array<vmx_lse_short>("out", short_of, Need::required) + versions("states", states_of) +
              lse_options() +
              overlaps({array_place<vmx_lse_short>("out", short_of)},
                       {array_place<vmx_lse_state>("states", states_of),
                        temperature_place<vmx_lse_options>(fold_of)})};
}

Function lse_short_merge() {
  Rows rows = counts() + too_many("into") + array<vmx_lse_short>("into", short_of, Need::required) +
              array<vmx_lse_short>("from", short_from_of, Need::required);
  for (const int64_t by : {1, -2}) {
    rows.push_back({"into on from",
                    [=](Args& a) { a.short_states = a.short_from + by; },
                    VMX_ERR_OVERLAP,
                    {"into overlaps from"}});
  }
  return {"vmx_lse_short_merge",
          [](Args& a) { return vmx_lse_short_merge(a.short_states, a.short_from, a.n); }, rows};
}

Function lse_short_finish() {
  return {"vmx_lse_short_finish",
          [](Args& a) { return vmx_lse_short_finish(a.short_states, a.n, a.given("lse", &a.lse)); },
          counts() + too_many("states") + array<vmx_lse_short>("states", short_of, Need::required) +
              vector_out("lse", lse_of, true, Need::required) +
              overlaps({place<vmx_vector>("lse", lse_of)}, {array_place<vmx_lse_short>("states", short_of)})};
}

// ---- cross-entropy

Rows ce_options() {
  Rows rows = struct_of<vmx_cross_entropy_options>("options", ce_of) +
              flags_of<vmx_cross_entropy_options>(ce_of, VMX_SMOOTH_UNMASKED) +
              temperature_of<vmx_cross_entropy_options>(ce_of);
  const auto add = [&](const char* name, double vmx_cross_entropy_options::* field,
                       std::vector<double> values) {
    for (const double value : values) {
      char shown[32];
      std::snprintf(shown, sizeof shown, "%g", value);
      const std::string which = std::string("options.") + name + " is ";
      rows.push_back(
          {which + shown, [=](Args& a) { a.ce.known.*field = value; }, VMX_ERR_VALUE, {which + shown}});
    }
  };
  add("label_smoothing", &vmx_cross_entropy_options::label_smoothing,
      {-0.1, 1.5, -0x1p-1074, kInf, -kInf, kNan});
  add("softcap", &vmx_cross_entropy_options::softcap, {-30, -0x1p-1074, kInf, -kInf, kNan});
  add("z_loss", &vmx_cross_entropy_options::z_loss, {-1e-4, -0x1p-1074, kInf, -kInf, kNan});
  for (const int32_t reduction : {-1, 3, INT32_MIN, INT32_MAX}) {
    rows.push_back({"reduction",
                    [=](Args& a) { a.ce.known.reduction = reduction; },
                    VMX_ERR_VALUE,
                    {"options.reduction is " + text(reduction)}});
  }
  const Get<vmx_vector> class_weight = [](Args& a) -> vmx_vector& { return a.ce.known.class_weight; };
  rows = rows + vector_in("options.class_weight", class_weight, kCols, false, Need::optional);
  for (const float weight : {-1.0f, -0x1p-149f, kNanF, kInfF}) {
    rows.push_back({"class_weight of a label",
                    [=](Args& a) { static_cast<float*>(a.ce.known.class_weight.data)[4] = weight; },
                    VMX_ERR_VALUE,
                    {"options.class_weight[4] is " + std::string(weight == -1.0f ? "-1," : "")}});
  }
  return rows;
}

Rows target_rows() {
  const Get<vmx_ids> ids = [](Args& a) -> vmx_ids& { return a.targets.ids; };
  const Get<vmx_ids> indptr = [](Args& a) -> vmx_ids& { return a.targets.indptr; };
  const Get<vmx_vector> weights = [](Args& a) -> vmx_vector& { return a.targets.weights; };
  Rows rows = ids_in("targets.ids", ids) + ids_in("targets.indptr", indptr) +
              vector_in("targets.weights", weights, kEntries, true, Need::optional);
  rows.push_back(
      {"targets NULL", [](Args& a) { a.null.insert("targets"); }, VMX_ERR_NULL, {"targets is NULL"}});
  rows.push_back({"targets without ids",
                  [](Args& a) { a.targets.ids.data = nullptr; },
                  VMX_ERR_NULL,
                  {"targets.ids.data is NULL"}});
  const auto label = [&](int64_t value, int32_t base, std::vector<std::string> texts) {
    rows.push_back({"label " + text(value),
                    [=](Args& a) {
                      for (int64_t i = 0; i < kEntries; ++i) *id(a.targets.ids, i) += base;
                      a.targets.ids.base = base;
                      *id(a.targets.ids, 2) = value;
                    },
                    VMX_ERR_LABEL, std::move(texts)});
  };
  // The ignored label is -100 here.
  for (const int64_t value : {int64_t{-1}, int64_t{-99}, kCols, kHighest, kLowest}) {
    label(value, 0, {"targets.ids[2] (row 2) is " + text(value) + ",", "[0, 5)", "-100"});
  }
  for (const int64_t value : {int64_t{0}, int64_t{-1}, kCols + 1, kHighest, kLowest}) {
    label(value, 1, {"targets.ids[2] (row 2) is " + text(value) + ",", "[1, 6)"});
  }
  rows.push_back({"other ignore_index",
                  [](Args& a) {
                    a.ce.known.ignore_index = 7;
                    *id(a.targets.ids, 0) = -100;
                  },
                  VMX_ERR_LABEL,
                  {"targets.ids[0] (row 0) is -100", "ignore_index 7"}});
  rows.push_back({"narrow labels",
                  [](Args& a) {
                    const int32_t narrow[] = {2, 0, INT32_MIN, 1};
                    std::memcpy(id(a.targets.ids, 0), narrow, sizeof narrow);
                    a.targets.ids.type = VMX_I32;
                  },
                  VMX_ERR_LABEL,
                  {"targets.ids[2] (row 2) is -2147483648"}});
  const auto pointer = [&](int64_t at, int64_t value, int32_t base) {
    rows.push_back({"indptr " + text(at) + " = " + text(value),
                    [=](Args& a) {
                      for (int64_t i = 0; i <= kRows; ++i) *id(a.targets.indptr, i) += base;
                      a.targets.indptr.base = base;
                      *id(a.targets.indptr, at) = value;
                    },
                    VMX_ERR_SHAPE,
                    {"targets.indptr[" + text(at) + "] is " + text(value) + ","}});
  };
  pointer(0, -1, 0);  // begins too low
  pointer(0, kLowest, 0);
  pointer(0, 0, 1);
  pointer(0, kLowest, 1);
  pointer(2, 1, 0);  // falls
  pointer(2, 2, 1);
  pointer(3, 5, 0);  // ends behind the list
  pointer(3, kHighest, 0);
  pointer(3, 6, 1);
  rows.push_back({"labels for other rows",
                  [](Args& a) {
                    a.targets.indptr = {};
                    a.targets.weights = {};
                  },
                  VMX_ERR_SHAPE,
                  {"targets.ids.n is 4", "rows, 3"}});
  for (const float weight : {kNanF, kInfF, -kInfF}) {
    rows.push_back({"weight of a target",
                    [=](Args& a) { static_cast<float*>(a.targets.weights.data)[3] = weight; },
                    VMX_ERR_VALUE,
                    {"targets.weights[3] is ", "finite"}});
  }
  return rows;
}

std::vector<Place> target_places() {
  return {place<vmx_ids>("targets.ids", [](Args& a) -> vmx_ids& { return a.targets.ids; }),
          place<vmx_ids>("targets.indptr", [](Args& a) -> vmx_ids& { return a.targets.indptr; }),
          place<vmx_vector>("targets.weights", [](Args& a) -> vmx_vector& { return a.targets.weights; }),
          place<vmx_vector>("options.class_weight",
                            [](Args& a) -> vmx_vector& { return a.ce.known.class_weight; }),
          temperature_place<vmx_cross_entropy_options>(ce_of)};
}

Function cross_entropy() {
  const auto vector = [](vmx_vector vmx_cross_entropy_out::* field) -> Get<vmx_vector> {
    return [=](Args& a) -> vmx_vector& { return a.out.known.*field; };
  };
  const auto total = [](double* vmx_cross_entropy_out::* field) -> Get<double*> {
    return [=](Args& a) -> double*& { return a.out.known.*field; };
  };
  const Get<uint32_t*> flags = [](Args& a) -> uint32_t*& { return a.out.known.row_flags; };
  using Out = vmx_cross_entropy_out;
  std::vector<Place> inputs = target_places();
  inputs.push_back(place<vmx_matrix>("x", x_of));
  Rows rows =
      matrix_in("x", x_of) + target_rows() + ce_options() + struct_of<Out>("out", out_of) +
      vector_out("out.loss", vector(&Out::loss), false, Need::optional) +
      vector_out("out.z_loss", vector(&Out::z_loss), false, Need::optional) +
      vector_out("out.lse", vector(&Out::lse), false, Need::optional) +
      array<double>("out.total", total(&Out::total), Need::optional) +
      array<double>("out.total_z_loss", total(&Out::total_z_loss), Need::optional) +
      array<double>("out.total_weight", total(&Out::total_weight), Need::optional) +
      array<uint32_t>("out.row_flags", flags, Need::optional) +
      matrix_out("out.grad", grad_of, "x", Need::optional) + nearly_in_place("out.grad", grad_of, "x", x_of) +
      overlaps({place<vmx_vector>("out.loss", vector(&Out::loss)),
                place<vmx_vector>("out.z_loss", vector(&Out::z_loss)),
                place<vmx_vector>("out.lse", vector(&Out::lse)),
                array_place<double>("out.total", total(&Out::total)),
                array_place<double>("out.total_z_loss", total(&Out::total_z_loss)),
                array_place<double>("out.total_weight", total(&Out::total_weight)),
                array_place<uint32_t>("out.row_flags", flags), place<vmx_matrix>("out.grad", grad_of, "x")},
               inputs);
  rows.push_back({"out NULL", [](Args& a) { a.null.insert("out"); }, VMX_ERR_NULL, {"out is NULL"}});
  for (const double scale : {kNan, kInf, -kInf}) {
    rows.push_back({"grad_scale",
                    [=](Args& a) { a.out.known.grad_scale = scale; },
                    VMX_ERR_VALUE,
                    {"out.grad_scale is "}});
  }
  for (const auto& [name, field] : {std::pair{"out.loss", &Out::loss}, {"out.lse", &Out::lse}}) {
    rows.push_back({std::string(name) + " f64 of f32",
                    [=, f = field](Args& a) { (a.out.known.*f).dtype = VMX_F64; },
                    VMX_ERR_DTYPE,
                    {std::string(name) + ".dtype is 4 (f64), but must be one of f32"}});
  }
  return {"vmx_cross_entropy",
          [](Args& a) {
            return vmx_cross_entropy(nullptr, nullptr, a.given("x", &a.x), a.given("targets", &a.targets),
                                     a.given("out", &a.out.known), &a.ce.known);
          },
          rows};
}

Function cross_entropy_backward() {
  std::vector<Place> inputs = target_places();
  inputs.push_back(place<vmx_matrix>("x", x_of));
  inputs.push_back(place<vmx_vector>("lse", lse_of));
  inputs.push_back(place<vmx_vector>("grad_loss", factor_of));
  return {"vmx_cross_entropy_backward",
          [](Args& a) {
            return vmx_cross_entropy_backward(
                nullptr, nullptr, a.given("x", &a.x), a.given("targets", &a.targets), a.given("lse", &a.lse),
                a.given("grad_loss", &a.factor), a.given("grad", &a.y), &a.ce.known);
          },
          matrix_in("x", x_of) + target_rows() + ce_options() +
              vector_in("lse", lse_of, kRows, false, Need::optional) +
              vector_in("grad_loss", factor_of, kRows, true, Need::required) + matrix_out("grad", y_of, "x") +
              nearly_in_place("grad", y_of, "x", x_of) +
              overlaps({place<vmx_matrix>("grad", y_of, "x")}, inputs)};
}

// ---- sizes of workspaces: the views tell sizes, their data may be NULL

Rows without_data(Rows rows) {
  std::erase_if(rows, [](const Row& row) { return row.what.find("without data") != std::string::npos; });
  return rows;
}

Rows size_rows() {
  return {{"size NULL", [](Args& a) { a.null.insert("size"); }, VMX_ERR_NULL, {"size is NULL"}}};
}

Function softmax_workspace_size() {
  Rows y = without_data(matrix_out("y", y_of, "x"));
  std::erase_if(y, [](const Row& row) { return row.what == "y NULL"; });  // no y: vmx_logsumexp
  return {"vmx_softmax_workspace_size",
          [](Args& a) {
            return vmx_softmax_workspace_size(nullptr, a.given("x", &a.x), a.given("y", &a.y),
                                              &a.softmax.known, a.given("size", a.size));
          },
          size_rows() + without_data(matrix_in("x", x_of)) + y +
              struct_of<vmx_softmax_options>("options", softmax_of) +
              flags_of<vmx_softmax_options>(softmax_of, VMX_PRECISE | VMX_ZERO_MASKED) +
              reserved_of<vmx_softmax_options>(softmax_of)};
}

Function lse_fold_workspace_size() {
  return {"vmx_lse_fold_workspace_size",
          [](Args& a) {
            return vmx_lse_fold_workspace_size(nullptr, a.given("x", &a.x), &a.fold.known,
                                               a.given("size", a.size));
          },
          size_rows() + without_data(matrix_in("x", x_of)) + struct_of<vmx_lse_options>("options", fold_of) +
              flags_of<vmx_lse_options>(fold_of, VMX_FOLD_SUMS | VMX_FOLD_ENTROPY) +
              reserved_of<vmx_lse_options>(fold_of)};
}

Function cross_entropy_workspace_size() {
  Rows grad = without_data(matrix_out("grad", y_of, "x"));
  std::erase_if(grad, [](const Row& row) { return row.what == "grad NULL"; });
  return {"vmx_cross_entropy_workspace_size",
          [](Args& a) {
            return vmx_cross_entropy_workspace_size(nullptr, a.given("x", &a.x), a.given("grad", &a.y),
                                                    &a.ce.known, a.given("size", a.size));
          },
          size_rows() + without_data(matrix_in("x", x_of)) + grad +
              struct_of<vmx_cross_entropy_options>("options", ce_of) +
              flags_of<vmx_cross_entropy_options>(ce_of, VMX_SMOOTH_UNMASKED)};
}

std::vector<Function> functions() {
  return {logsumexp(),
          softmax(false),
          softmax(true),
          logsumexp_backward(),
          softmax_backward(false),
          softmax_backward(true),
          lse_fold(),
          lse_merge(),
          lse_finish(),
          lse_shorten(),
          lse_short_merge(),
          lse_short_finish(),
          cross_entropy(),
          cross_entropy_backward(),
          softmax_workspace_size(),
          lse_fold_workspace_size(),
          cross_entropy_workspace_size()};
}

class Arguments : public testing::TestWithParam<Function> {};
INSTANTIATE_TEST_SUITE_P(Functions, Arguments, testing::ValuesIn(functions()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Arguments, AreFineToBeginWith) {
  Args a;
  EXPECT_EQ(GetParam().call(a), VMX_OK) << last_error();
}

TEST_P(Arguments, OneBrokenThing) {
  const Function& function = GetParam();
  EXPECT_GE(function.rows.size(), 10u);
  for (const Row& row : function.rows) {
    Args a;
    row.spoil(a);
    const Args::Memory before = *a.memory;
    EXPECT_EQ(function.call(a), row.status) << row.what << ": " << last_error();
    EXPECT_EQ(std::memcmp(before.bytes, a.memory->bytes, sizeof before.bytes), 0)
        << row.what << " was written";
    const std::string message = last_error();
    EXPECT_EQ(message.rfind(function.name + ": ", 0), 0u) << row.what << ": " << message;
    for (const std::string& part : row.texts) {
      EXPECT_NE(message.find(part), std::string::npos) << row.what << ": " << message << " lacks: " << part;
    }
  }
}

// ------------------------------------------------------------------------------------------------ what is no
// error

struct Accepted {
  std::string what;
  std::function<vmx_status(Args&)> call;
  std::function<void(Args&)> change;
};

template <class T>
void grow(Grown<T>& options) {
  options.known.struct_size = sizeof options;
}

TEST(AcceptedArguments, AreAccepted) {
  const auto any_logsumexp = logsumexp().call, any_softmax = softmax(false).call, any_fold = lse_fold().call,
             any_finish = lse_finish().call, any_ce = cross_entropy().call, any_merge = lse_merge().call,
             any_backward = softmax_backward(false).call, any_ce_backward = cross_entropy_backward().call,
             any_lse_backward = logsumexp_backward().call;
  const std::vector<Accepted> table = {
      {"longer options", any_softmax, [](Args& a) { grow(a.softmax); }},
      {"longer options", any_fold, [](Args& a) { grow(a.fold); }},
      {"longer options", any_finish, [](Args& a) { grow(a.fold); }},
      {"longer options and out", any_ce, [](Args& a) { grow(a.ce), grow(a.out); }},
      {"in place", any_softmax, [](Args& a) { a.y = a.x; }},
      {"in place, whatever the strides of one row", any_softmax,
       [](Args& a) {
         a.x.rows = a.y.rows = a.lse.n = 1;
         a.y = a.x;
         a.y.row_stride = 77;
       }},
      {"over y", any_backward, [](Args& a) { a.y = a.x; }},
      {"over grad_y", any_backward, [](Args& a) { a.y = a.grad_y; }},
      {"over both", any_backward, [](Args& a) { a.y = a.grad_y = a.x; }},
      {"gradient over x", any_ce, [](Args& a) { a.out.known.grad = a.x; }},
      {"no rows, no data", any_softmax,
       [](Args& a) {
         a.x = a.y = {nullptr, 0, 5, 5, 1, VMX_F32, 0};
         a.lse = {nullptr, 0, 1, VMX_F32, 0};
         a.row_flags = nullptr;
       }},
      {"no columns, no data", any_softmax,
       [](Args& a) { a.x.cols = a.y.cols = 0, a.x.data = a.y.data = nullptr; }},
      {"views that are not wanted", any_ce,
       [](Args& a) {
         // Without data the rest of a view is not looked at.
         a.out.known.loss = a.out.known.z_loss = a.out.known.lse = {nullptr, -1, 0, 99, 7};
         a.out.known.grad = {nullptr, -1, -1, 0, 0, 99, 7};
         a.out.known.total = a.out.known.total_z_loss = a.out.known.total_weight = nullptr;
         a.out.known.row_flags = nullptr;
         a.ce.known.class_weight = {nullptr, -1, 0, 99, 7};
         a.targets.weights = {nullptr, -1, 0, 99, 7};
       }},
      {"lse not given", any_ce_backward, [](Args& a) { a.lse = {nullptr, -1, 0, 99, 7}; }},
      {"lse not given", any_lse_backward, [](Args& a) { a.null.insert("lse"); }},
      {"nothing wanted of states", any_finish,
       [](Args& a) {
         a.null = {"lse", "entropy"};
         a.row_flags = nullptr;
       }},
      {"states NULL, n = 0", any_merge,
       [](Args& a) {
         a.n = 0;
         a.states = a.from = nullptr;
       }},
      {"states doubled", any_merge, [](Args& a) { a.from = a.states; }},
      {"empty state of an odd count", any_merge, [](Args& a) { a.from[1] = vmx_lse_state{}; }},
      {"the last offset", any_fold,
       [](Args& a) {
         a.col_offset = VMX_MAX_COLS - kCols;
         a.fold.known.skip.base = 1;
       }},
      {"skipped ids from far below and above", any_fold,
       [](Args& a) {
         a.fold.known.skip.base = 1;
         a.col_offset = 100;
         *id(a.fold.known.skip, 0) = kLowest;
         *id(a.fold.known.skip, 1) = kHighest;
       }},
      {"temperature backwards", any_logsumexp,
       [](Args& a) {
         a.softmax.known.temperature = a.temperature + kRows - 1;
         a.softmax.known.temperature_stride = -1;
       }},
      {"temperatures at the ends of their range", any_logsumexp,
       [](Args& a) {
         a.temperature[0] = 0.0f;
         a.temperature[1] = kInfF;
         a.temperature[2] = -0.0f;
       }},
      {"inputs of any stride", any_softmax,
       [](Args& a) {
         a.x.data = static_cast<float*>(a.x.data) + kCols - 1;
         a.x.row_stride = 0;
         a.x.col_stride = -1;
       }},
      {"outputs of any stride", any_softmax,
       [](Args& a) {
         a.y.data = static_cast<float*>(a.y.data) + kCols - 1;
         a.y.col_stride = -1;
         a.lse.data = static_cast<float*>(a.lse.data) + 20;
         a.lse.stride = -10;
       }},
      // Side by side in one array: no element is shared.
      {"y beside x", any_softmax,
       [](Args& a) {
         a.x.row_stride = a.y.row_stride = 2 * kCols;
         a.y.data = static_cast<float*>(a.x.data) + kCols;
       }},
      {"y between the columns of x", any_softmax,
       [](Args& a) {
         a.x.row_stride = a.y.row_stride = 2 * kCols;
         a.x.col_stride = a.y.col_stride = 2;
         a.y.data = static_cast<float*>(a.x.data) + 1;
       }},
      {"lse and flags in the padding of y", any_softmax,
       [](Args& a) {
         a.lse.data = static_cast<float*>(a.y.data) + kCols;
         a.lse.stride = kRowStride;
         a.x.rows = a.y.rows = a.lse.n = 1;
         a.row_flags = static_cast<uint32_t*>(a.y.data) + kCols + 1;
       }},
      {"an array of structs", any_ce,
       [](Args& a) {
         a.out.known.z_loss.data = static_cast<float*>(a.out.known.loss.data) + 1;
         a.out.known.lse.data = static_cast<float*>(a.out.known.loss.data) + 2;
         a.out.known.loss.stride = a.out.known.z_loss.stride = a.out.known.lse.stride = 3;
       }},
      {"labels from one", any_ce,
       [](Args& a) {
         a.targets.ids.base = a.targets.indptr.base = 1;
         for (int64_t i = 0; i < kEntries; ++i) ++*id(a.targets.ids, i);
         for (int64_t i = 0; i <= kRows; ++i) ++*id(a.targets.indptr, i);
       }},
      {"a list that begins and ends within ids", any_ce,
       [](Args& a) {
         *id(a.targets.indptr, 0) = 1;
         *id(a.targets.indptr, 3) = 3;
         *id(a.targets.ids, 0) = *id(a.targets.ids, 3) = 99;  // nobody's
       }},
      {"ignored labels are not looked at", any_ce,
       [](Args& a) {
         a.ce.known.ignore_index = kLowest;
         *id(a.targets.ids, 0) = kLowest;
         static_cast<float*>(a.targets.weights.data)[0] = kNanF;
         static_cast<float*>(a.ce.known.class_weight.data)[2] = kNanF;  // of no label any more
       }},
      {"smoothing at the ends of its range", any_ce, [](Args& a) { a.ce.known.label_smoothing = 1.0; }},
      {"grad_loss for all rows", any_ce_backward, [](Args& a) { a.factor.stride = 0; }},
      {"negative weights of targets and no scale", any_ce,
       [](Args& a) {
         static_cast<float*>(a.targets.weights.data)[1] = -2.0f;
         a.out.known.grad_scale = 0.0;
       }},
  };
  for (const Accepted& row : table) {
    Args a;
    row.change(a);
    EXPECT_EQ(row.call(a), VMX_OK) << row.what << ": " << last_error();
  }
}

// "options" may be NULL everywhere.
TEST(AcceptedArguments, NoOptions) {
  Args a;
  EXPECT_EQ(vmx_logsumexp(nullptr, nullptr, &a.x, &a.lse, a.row_flags, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(vmx_softmax(nullptr, nullptr, &a.x, &a.y, nullptr, nullptr, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(vmx_log_softmax(nullptr, nullptr, &a.x, &a.y, nullptr, nullptr, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(vmx_softmax_backward(nullptr, nullptr, &a.x, &a.grad_y, &a.y, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(vmx_lse_finish(a.states, kRows, nullptr, &a.lse, &a.entropy, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(vmx_cross_entropy(nullptr, nullptr, &a.x, &a.targets, &a.out.known, nullptr), VMX_OK)
      << last_error();
  EXPECT_EQ(vmx_cross_entropy_backward(nullptr, nullptr, &a.x, &a.targets, nullptr, &a.factor, &a.y, nullptr),
            VMX_OK)
      << last_error();
  std::memset(a.states, 0, kRows * sizeof *a.states);
  EXPECT_EQ(vmx_lse_fold(nullptr, nullptr, &a.x, 0, a.states, nullptr), VMX_OK) << last_error();
  EXPECT_EQ(vmx_lse_shorten(a.states, kRows, nullptr, a.short_states), VMX_OK) << last_error();
}

}  // namespace
