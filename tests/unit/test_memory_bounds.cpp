// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// ctest-shards: 4
// Only the bytes named are read or written, at any alignment: every argument stands right behind, or right
// before, a page that may not be touched, and the results are those of a call whose arguments stand anywhere.
#include "support/contexts.hpp"
#include "support/dtypes.hpp"
#include "support/guarded.hpp"
#include "support/rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace vmx::test;
using Bytes = std::vector<unsigned char>;

constexpr unsigned char kFill = 0xa5;
constexpr int64_t kLongest = 1025;

enum class Where { anywhere, lowest, highest };

// How the rows of a matrix lie in memory.
struct Layout {
  int64_t row_pad = 0, step = 1;  // a negative step: the last column first
  bool transposed = false, upside_down = false;
};

// Memory for the arguments of one call after the other, each argument between guards of its own.
class Memory {
 public:
  explicit Memory(size_t largest) {
    for (int i = 0; i < kArguments; ++i)
      buffers_.push_back(std::make_unique<GuardedBuffer>(largest + 2 * kRoom));
  }

  // Forgets the arguments so far. offset: from a 64-byte boundary, with Where::anywhere.
  void begin(Where where, size_t offset = 0, Layout layout = {}) {
    where_ = where;
    offset_ = offset;
    layout_ = layout;
    used_ = 0;
    outputs_.clear();
    matrices_.clear();
    around_.clear();
  }

  vmx_matrix in(int32_t dtype, int64_t rows, const Bytes& elements) {
    const auto cols = static_cast<int64_t>(elements.size() / size_of(dtype)) / rows;
    return fill(matrix(dtype, rows, cols, 0xff), elements);
  }
  vmx_matrix out(int32_t dtype, int64_t rows, int64_t cols) {
    const vmx_matrix m = matrix(dtype, rows, cols, kFill);
    matrices_.push_back(m);
    return m;
  }
  // Read and written.
  vmx_matrix in_place(int32_t dtype, int64_t rows, const Bytes& elements) {
    const auto cols = static_cast<int64_t>(elements.size() / size_of(dtype)) / rows;
    return fill(out(dtype, rows, cols), elements);
  }
  template <class T>
  T* array_in(const std::vector<T>& values) {
    auto* const data = reinterpret_cast<T*>(place(values.size() * sizeof(T), alignof(T)));
    if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(T));
    return data;
  }
  template <class T>
  T* array_out(int64_t n) {
    const size_t bytes = static_cast<size_t>(n) * sizeof(T);
    unsigned char* const data = place(bytes, alignof(T));
    std::memset(data, kFill, bytes);
    outputs_.push_back({data, bytes});
    return reinterpret_cast<T*>(data);
  }
  vmx_vector vector_in(int32_t dtype, const Bytes& elements) {
    void* const data = place(elements.size(), size_of(dtype));
    if (!elements.empty()) std::memcpy(data, elements.data(), elements.size());
    return {data, static_cast<int64_t>(elements.size() / size_of(dtype)), 1, dtype, 0};
  }
  vmx_vector vector_out(int32_t dtype, int64_t n) {
    const size_t bytes = static_cast<size_t>(n) * size_of(dtype);
    unsigned char* const data = place(bytes, size_of(dtype));
    std::memset(data, kFill, bytes);
    outputs_.push_back({data, bytes});
    return {data, n, 1, dtype, 0};
  }

  // What was written, once it is certain that nothing beside it was.
  Bytes outputs() const {
    Bytes result;
    for (const auto& [data, bytes] : outputs_) result.insert(result.end(), data, data + bytes);
    for (const vmx_matrix& m : matrices_) append_elements(m, result);
    for (const Around& a : around_) {
      for (const unsigned char* p = a.first; p < a.last; ++p) {
        if (*p != kFill) ADD_FAILURE() << "a byte beside an argument was written";
      }
    }
    return result;
  }

 private:
  static constexpr int kArguments = 12;
  static constexpr size_t kRoom = 128;
  struct Piece {
    unsigned char* data;
    size_t bytes;
  };
  struct Around {
    const unsigned char *first, *last;
  };

  unsigned char* place(size_t bytes, size_t alignment) {
    const GuardedBuffer& buffer = *buffers_[used_];
    const size_t own = offset_ * (2 * used_ + 1) % 64;  // another one for each argument
    ++used_;
    unsigned char* data = where_ == Where::lowest ? buffer.at_start()
                          : where_ == Where::highest
                              ? buffer.at_end(bytes)
                              : buffer.at_start() + kRoom / 2 + own / alignment * alignment;
    // As much of the surroundings as there is before the guards.
    unsigned char* const first = std::max(
        buffer.at_start(), data - std::min<size_t>(kRoom / 2, static_cast<size_t>(data - buffer.at_start())));
    unsigned char* const last = std::min(buffer.at_end(0), data + bytes + kRoom / 2);
    std::memset(first, kFill, static_cast<size_t>(data - first));
    std::memset(data + bytes, kFill, static_cast<size_t>(last - (data + bytes)));
    around_.push_back({first, data});
    around_.push_back({data + bytes, last});
    return data;
  }

  vmx_matrix matrix(int32_t dtype, int64_t rows, int64_t cols, unsigned char fill) {
    const int64_t step = layout_.step < 0 ? -layout_.step : layout_.step;
    const int64_t inner = layout_.transposed ? rows : cols;
    const int64_t outer_stride = inner * step + layout_.row_pad;
    int64_t row_stride = layout_.transposed ? step : outer_stride,
            col_stride = layout_.transposed ? outer_stride : step;
    const int64_t down = rows > 0 ? (rows - 1) * row_stride : 0,
                  across = cols > 0 ? (cols - 1) * col_stride : 0;
    const size_t size = size_of(dtype);
    const size_t bytes = rows > 0 && cols > 0 ? static_cast<size_t>(down + across + 1) * size : 0;
    unsigned char* data = place(bytes, size);
    std::memset(data, fill, bytes);
    if (layout_.upside_down) {
      data += static_cast<size_t>(down) * size;
      row_stride = -row_stride;
    }
    if (layout_.step < 0) {
      data += static_cast<size_t>(across) * size;
      col_stride = -col_stride;
    }
    return {data, rows, cols, row_stride, col_stride, dtype, 0};
  }

  template <class Function>
  static void for_each_piece(const vmx_matrix& m, Function&& f) {
    const size_t size = size_of(m.dtype);
    const bool whole = m.col_stride == 1;
    for (int64_t r = 0; r < m.rows; ++r) {
      for (int64_t c = 0; c < m.cols; c += whole ? m.cols : 1) {
        f(static_cast<unsigned char*>(m.data) +
              (r * m.row_stride + c * m.col_stride) * static_cast<int64_t>(size),
          (whole ? static_cast<size_t>(m.cols) : 1) * size);
      }
    }
  }
  static const vmx_matrix& fill(const vmx_matrix& m, const Bytes& elements) {
    const unsigned char* from = elements.data();
    for_each_piece(m, [&](unsigned char* to, size_t bytes) {
      std::memcpy(to, from, bytes);
      from += bytes;
    });
    return m;
  }
  // Elements, and a complaint about what is between them.
  static void append_elements(const vmx_matrix& m, Bytes& result) {
    std::vector<std::pair<const unsigned char*, size_t>> pieces;
    for_each_piece(m, [&](unsigned char* from, size_t bytes) {
      result.insert(result.end(), from, from + bytes);
      pieces.push_back({from, bytes});
    });
    std::sort(pieces.begin(), pieces.end());
    for (size_t i = 1; i < pieces.size(); ++i) {
      for (const unsigned char* p = pieces[i - 1].first + pieces[i - 1].second; p < pieces[i].first; ++p) {
        if (*p != kFill) ADD_FAILURE() << "a byte between elements was written";
      }
    }
  }

  std::vector<std::unique_ptr<GuardedBuffer>> buffers_;
  Where where_ = Where::anywhere;
  size_t offset_ = 0, used_ = 0;
  Layout layout_;
  std::vector<Piece> outputs_;
  std::vector<vmx_matrix> matrices_;
  std::vector<Around> around_;
};

// What the calls are given: rows of one dtype.
struct Data {
  Data(int32_t type, int64_t row_count, int64_t col_count, uint64_t seed)
      : dtype(type), wide(wide_type(type)), rows(row_count), cols(col_count), parity(col_count % 2 == 0) {
    Random random(seed);
    const auto& kinds = row_kinds();
    for (int64_t r = 0; r < rows; ++r) {
      const RowKind& kind = kinds[static_cast<size_t>(random.below(static_cast<int64_t>(kinds.size())))];
      const auto row = make_row(kind, cols, dtype, random.bits());
      scores.insert(scores.end(), row.begin(), row.end());
      labels.push_back(cols > 0 && !random.one_in(9) ? random.below(cols) : -100);
    }
    x = bytes_of(scores, dtype);
    std::vector<double> gradients;
    for (size_t i = 0; i < scores.size(); ++i) gradients.push_back(random.bell());
    grad = bytes_of(gradients, dtype);
    for (int64_t c = 0; c < cols; ++c) class_weight.push_back(static_cast<float>(random.below(16)) / 8);
    factors = bytes_of(std::vector<double>(static_cast<size_t>(rows), 0.75), VMX_F32);
    lse = bytes_of(std::vector<double>(static_cast<size_t>(rows), 1.5), wide);
    starts.push_back(0);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = cols > 0 ? 1 + r % 3 : 0; i > 0; --i)
        ids.push_back(static_cast<int32_t>(random.below(cols)));
      starts.push_back(static_cast<int64_t>(ids.size()));
    }
    weights.assign(ids.size(), 0.5f);
    // Something a forward pass could have given.
    vmx_matrix in{x.data(), rows, cols, cols, 1, dtype, 0}, to = in;
    probabilities = log_probabilities = x;
    to.data = probabilities.data();
    EXPECT_EQ(vmx_softmax(nullptr, nullptr, &in, &to, nullptr, nullptr, nullptr), VMX_OK) << last_error();
    to.data = log_probabilities.data();
    EXPECT_EQ(vmx_log_softmax(nullptr, nullptr, &in, &to, nullptr, nullptr, nullptr), VMX_OK) << last_error();
  }

  static Bytes bytes_of(const std::vector<double>& values, int32_t type) {
    Bytes result(values.size() * size_of(type));
    for (size_t i = 0; i < values.size(); ++i) {
      put(result.data() + i * size_of(type), type, static_cast<long double>(values[i]));
    }
    return result;
  }
  // Another dtype for results.
  int32_t other() const {
    return dtype == VMX_F64 ? VMX_F32 : dtype == VMX_F32 ? VMX_F16 : parity ? VMX_F32 : VMX_F64;
  }

  int32_t dtype, wide;
  int64_t rows, cols;
  bool parity;
  std::vector<double> scores;
  Bytes x, grad, factors, lse, probabilities, log_probabilities;
  std::vector<float> class_weight, weights;
  std::vector<int64_t> labels, starts;
  std::vector<int32_t> ids;
};

// One call: places its arguments, and says how it went.
struct Operation {
  const char* name;
  std::function<vmx_status(const vmx_context*, Memory&, const Data&)> call;
};

Operation softmax(const char* name, bool logarithm, uint32_t flags, float t, bool to_other) {
  return {name, [=](const vmx_context* ctx, Memory& m, const Data& d) {
            vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
            options.flags = flags;
            options.temperature = m.array_in(std::vector<float>(static_cast<size_t>(d.rows), t));
            options.temperature_stride = 1;
            const vmx_matrix x = m.in(d.dtype, d.rows, d.x);
            const vmx_matrix y = m.out(to_other ? d.other() : d.dtype, d.rows, d.cols);
            const vmx_vector lse = m.vector_out(d.wide, d.rows);
            uint32_t* const row_flags = m.array_out<uint32_t>(d.rows);
            return (logarithm ? vmx_log_softmax : vmx_softmax)(ctx, nullptr, &x, &y, &lse, row_flags,
                                                               &options);
          }};
}

Operation backward(const char* name, bool logarithm, bool to_other) {
  return {name, [=](const vmx_context* ctx, Memory& m, const Data& d) {
            const vmx_matrix y = m.in(d.dtype, d.rows, logarithm ? d.log_probabilities : d.probabilities);
            const vmx_matrix grad_y = m.in(d.dtype, d.rows, d.grad);
            const vmx_matrix grad_x = m.out(to_other ? d.other() : d.dtype, d.rows, d.cols);
            return (logarithm ? vmx_log_softmax_backward : vmx_softmax_backward)(ctx, nullptr, &y, &grad_y,
                                                                                 &grad_x, nullptr);
          }};
}

Operation fold(const char* name, uint32_t flags) {
  return {name, [=](const vmx_context* ctx, Memory& m, const Data& d) {
            vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
            options.flags = flags;
            if (flags & VMX_FOLD_SUMS) {
              options.class_weight = {m.array_in(d.class_weight), d.cols, 1, VMX_F32, 0};
              options.skip = {m.array_in(d.labels), d.rows, 1, VMX_I64, 0};
            }
            const vmx_matrix x = m.in(d.dtype, d.rows, d.x);
            auto* const states = m.array_out<vmx_lse_state>(d.rows);
            std::memset(states, 0, static_cast<size_t>(d.rows) * sizeof *states);
            return vmx_lse_fold(ctx, nullptr, &x, 0, states, &options);
          }};
}

struct CrossEntropy {
  bool csr, weighted;
  double smoothing, softcap;
  bool in_place;
};
vmx_cross_entropy_options options_of(const CrossEntropy& o, Memory& m, const Data& d) {
  vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  options.label_smoothing = o.smoothing;
  options.softcap = o.softcap;
  options.z_loss = o.smoothing / 100;
  options.flags = VMX_SMOOTH_UNMASKED;
  if (o.weighted) options.class_weight = {m.array_in(d.class_weight), d.cols, 1, VMX_F32, 0};
  return options;
}
vmx_csr targets_of(const CrossEntropy& o, Memory& m, const Data& d) {
  vmx_csr targets{};
  if (o.csr) {
    targets.ids = {m.array_in(d.ids), static_cast<int64_t>(d.ids.size()), 1, VMX_I32, 0};
    targets.indptr = {m.array_in(d.starts), d.rows + 1, 1, VMX_I64, 0};
    targets.weights = {m.array_in(d.weights), static_cast<int64_t>(d.weights.size()), 1, VMX_F32, 0};
  } else {
    targets.ids = {m.array_in(d.labels), d.rows, 1, VMX_I64, 0};
  }
  return targets;
}

Operation cross_entropy(const char* name, const CrossEntropy& o) {
  return {name, [=](const vmx_context* ctx, Memory& m, const Data& d) {
            const vmx_cross_entropy_options options = options_of(o, m, d);
            const vmx_csr targets = targets_of(o, m, d);
            vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
            const vmx_matrix x = o.in_place ? m.in_place(d.dtype, d.rows, d.x) : m.in(d.dtype, d.rows, d.x);
            out.grad = o.in_place ? x : m.out(d.dtype, d.rows, d.cols);
            out.loss = m.vector_out(d.wide, d.rows);
            out.lse = m.vector_out(d.wide, d.rows);
            out.total = m.array_out<double>(1);
            out.row_flags = m.array_out<uint32_t>(d.rows);
            return vmx_cross_entropy(ctx, nullptr, &x, &targets, &out, &options);
          }};
}

std::vector<Operation> operations() {
  return {
      {"logsumexp",
       [](const vmx_context* ctx, Memory& m, const Data& d) {
         const vmx_matrix x = m.in(d.dtype, d.rows, d.x);
         const vmx_vector lse = m.vector_out(d.wide, d.rows);
         return vmx_logsumexp(ctx, nullptr, &x, &lse, m.array_out<uint32_t>(d.rows), nullptr);
       }},
      softmax("softmax", false, 0, 1, false),
      softmax("softmax to another dtype", false, 0, 1, true),
      softmax("log_softmax", true, 0, 1, false),
      softmax("log_softmax, T = 0.7", true, 0, 0.7f, false),
      softmax("softmax, precise", false, VMX_PRECISE, 1, false),
      softmax("log_softmax, precise, to another dtype", true, VMX_PRECISE, 1, true),
      {"softmax in place",
       [](const vmx_context* ctx, Memory& m, const Data& d) {
         const vmx_matrix x = m.in_place(d.dtype, d.rows, d.x);
         return vmx_softmax(ctx, nullptr, &x, &x, nullptr, nullptr, nullptr);
       }},
      {"logsumexp_backward",
       [](const vmx_context* ctx, Memory& m, const Data& d) {
         const vmx_matrix x = m.in(d.dtype, d.rows, d.x), grad_x = m.out(d.dtype, d.rows, d.cols);
         const vmx_vector factors = m.vector_in(VMX_F32, d.factors), lse = m.vector_in(d.wide, d.lse);
         return vmx_logsumexp_backward(ctx, nullptr, &x, d.parity ? &lse : nullptr, &factors, &grad_x,
                                       nullptr);
       }},
      backward("softmax_backward", false, false),
      backward("softmax_backward to another dtype", false, true),
      backward("log_softmax_backward", true, false),
      fold("lse_fold", 0),
      fold("lse_fold with sums and entropy", VMX_FOLD_SUMS | VMX_FOLD_ENTROPY),
      cross_entropy("cross_entropy", {false, false, 0, 0, false}),
      cross_entropy("cross_entropy in place, lists", {true, false, 0, 0, true}),
      cross_entropy("cross_entropy, weights and smoothing", {false, true, 0.1, 0, false}),
      cross_entropy("cross_entropy, soft-cap", {false, true, 0.1, 15, false}),
      {"cross_entropy_backward",
       [](const vmx_context* ctx, Memory& m, const Data& d) {
         const CrossEntropy o{true, true, 0.1, 0, false};
         const vmx_cross_entropy_options options = options_of(o, m, d);
         const vmx_csr targets = targets_of(o, m, d);
         const vmx_matrix x = m.in(d.dtype, d.rows, d.x), grad = m.out(d.dtype, d.rows, d.cols);
         const vmx_vector factors = m.vector_in(VMX_F32, d.factors), lse = m.vector_in(d.wide, d.lse);
         return vmx_cross_entropy_backward(ctx, nullptr, &x, &targets, d.parity ? &lse : nullptr, &factors,
                                           &grad, &options);
       }},
      {"topk",
       [](const vmx_context* ctx, Memory& m, const Data& d) -> vmx_status {
         if (d.cols == 0) return VMX_OK;
         const int64_t k = (d.cols + 1) / 2;
         const vmx_matrix x = m.in(d.dtype, d.rows, d.x), values = m.out(d.dtype, d.rows, k);
         const vmx_matrix ids = m.out(VMX_I32, d.rows, k);
         return vmx_topk(ctx, nullptr, &x, k, &values, &ids, m.array_out<uint32_t>(d.rows), nullptr);
       }},
  };
}

class Caller {
 public:
  Caller(const vmx_context* ctx, Memory& memory, const Data& data, const Operation& operation)
      : ctx_(ctx), memory_(memory), data_(data), operation_(operation) {}
  Bytes operator()(Where where, size_t offset, const Layout& layout) {
    memory_.begin(where, offset, layout);
    EXPECT_EQ(operation_.call(ctx_, memory_, data_), VMX_OK) << operation_.name << ": " << last_error();
    return memory_.outputs();
  }
  // False, with a failure told, if it gives other bytes.
  bool gives(const Bytes& expected, Where where, size_t offset, const Layout& layout) {
    if ((*this)(where, offset, layout) == expected) return true;
    ADD_FAILURE() << operation_.name << " " << name_of(data_.dtype) << ", " << data_.cols << " columns, "
                  << (where == Where::lowest    ? "behind"
                      : where == Where::highest ? "before"
                                                : "away from")
                  << " a guard page, offset " << offset << ", step " << layout.step << ": other bytes";
    return false;
  }

 private:
  const vmx_context* ctx_;
  Memory& memory_;
  const Data& data_;
  const Operation& operation_;
};

class MemoryBounds : public testing::TestWithParam<int32_t> {};
INSTANTIATE_TEST_SUITE_P(Types, MemoryBounds, testing::ValuesIn(kFloatTypes),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(MemoryBounds, EveryLengthBetweenGuardPages) {
  Memory memory(kLongest * sizeof(double));
  const auto all = operations();
  for (int64_t n = 0; n <= kLongest; n += VMX_TEST_SANITIZED ? 31 : 1) {
    const Data data(GetParam(), 1, n, static_cast<uint64_t>(n));
    VMX_FOR_EACH_ISA(ctx) {
      for (const Operation& operation : all) {
        Caller call(ctx, memory, data, operation);
        const Bytes expected = call(Where::anywhere, 0, {});
        if (!call.gives(expected, Where::lowest, 0, {}) || !call.gives(expected, Where::highest, 0, {}))
          return;
      }
    }
  }
}

TEST_P(MemoryBounds, EveryAlignment) {
  Memory memory(4099 * sizeof(double));
  const auto all = operations();
  for (const int64_t n : {1, 3, 8, 31, 64, 65, 255, 256, 257, 1000, 4099}) {
    if (VMX_TEST_SANITIZED && n > 300) continue;
    const Data data(GetParam(), 1, n, static_cast<uint64_t>(n) + 5000);
    VMX_FOR_EACH_ISA(ctx) {
      for (const Operation& operation : all) {
        Caller call(ctx, memory, data, operation);
        const Bytes expected = call(Where::anywhere, 0, {});
        const size_t step = n > 300 ? 6 * size_of(GetParam()) : size_of(GetParam());
        for (size_t offset = step; offset < 64; offset += step) {
          if (!call.gives(expected, Where::anywhere, offset, {})) return;
        }
      }
    }
  }
}

// Rows and columns at a distance, either way round: whole blocks are gathered and scattered.
TEST_P(MemoryBounds, StridesBetweenGuardPages) {
  Memory memory(3 * 3 * 4200 * sizeof(double));
  const auto all = operations();
  const Layout layouts[] = {{.row_pad = 7},
                            {.step = 2},
                            {.step = -1, .upside_down = true},
                            {.row_pad = 1, .step = -3},
                            {.transposed = true},
                            {.row_pad = 2, .step = -1, .transposed = true, .upside_down = true}};
  for (const int64_t n : {1, 5, 64, 257, 4099}) {
    if (VMX_TEST_SANITIZED && n > 300) continue;
    const Data data(GetParam(), 3, n, static_cast<uint64_t>(n) + 7000);
    VMX_FOR_EACH_ISA(ctx) {
      for (const Operation& operation : all) {
        Caller call(ctx, memory, data, operation);
        const Bytes expected = call(Where::anywhere, 0, {});
        for (const Layout& layout : layouts) {
          if (!call.gives(expected, Where::lowest, 0, layout) ||
              !call.gives(expected, Where::highest, 0, layout))
            return;
        }
      }
    }
  }
}

// Outputs beyond the caches are written past them, in whole aligned registers: each row here has another
// alignment, and there are bytes between the rows that must stay.
TEST(MemoryBounds, StreamedOutputs) {
  constexpr int64_t beyond = int64_t{32} << 20;
  for (const int32_t dtype : {VMX_F32, VMX_F64}) {
    const auto size = static_cast<int64_t>(size_of(dtype));
    for (const int64_t cols : {37, 65, 131, 262149}) {
      if (dtype == VMX_F64 && cols != 131) continue;  // only f32 kernels stream so far
      if (VMX_TEST_SANITIZED && cols != 65) continue;
      const int64_t rows = beyond / size / cols + 2, row_stride = cols + 1 + cols % 4;
      const auto bytes = static_cast<size_t>(((rows - 1) * row_stride + cols) * size);
      const GuardedBuffer memory(bytes);
      const Bytes scores = Data::bytes_of(make_row(row_kind("bell"), cols, dtype, 3), dtype);
      const GuardedBuffer scores_memory(scores.size());
      void* const row = scores_memory.at_end(scores.size());
      std::memcpy(row, scores.data(), scores.size());
      const vmx_matrix x{row, rows, cols, 0, 1, dtype, 0};
      const vmx_matrix one{row, 1, cols, cols, 1, dtype, 0};
      VMX_FOR_EACH_ISA(ctx) {
        for (const int which : {0, 1, 2}) {
          if ((VMX_TEST_SANITIZED || ctx_isa == VMX_ISA_SCALAR) && (which + cols) % 3 != 0)
            continue;  // to save time
          const float half = 0.5f;
          const auto call = [&](const vmx_matrix& from, const vmx_matrix& to) {
            const vmx_vector factor{const_cast<float*>(&half), from.rows, 0, VMX_F32, 0};
            return which == 0   ? vmx_softmax(ctx, nullptr, &from, &to, nullptr, nullptr, nullptr)
                   : which == 1 ? vmx_log_softmax(ctx, nullptr, &from, &to, nullptr, nullptr, nullptr)
                                : vmx_logsumexp_backward(ctx, nullptr, &from, nullptr, &factor, &to, nullptr);
          };
          Bytes expected(scores.size());
          const vmx_matrix small{expected.data(), 1, cols, cols, 1, dtype, 0};
          ASSERT_EQ(call(one, small), VMX_OK) << last_error();
          for (unsigned char* const data : {memory.at_start(), memory.at_end(bytes)}) {
            std::memset(memory.at_start(), kFill, memory.capacity());
            const vmx_matrix y{data, rows, cols, row_stride, 1, dtype, 0};
            ASSERT_EQ(call(x, y), VMX_OK) << last_error();
            const unsigned char* between = memory.at_start();
            bool untouched = true;
            for (int64_t r = 0; r < rows; ++r) {
              const unsigned char* const written = data + r * row_stride * size;
              ASSERT_EQ(std::memcmp(written, expected.data(), expected.size()), 0)
                  << cols << " columns, row " << r;
              for (; between < written; ++between) untouched &= *between == kFill;
              between = written + expected.size();
            }
            for (; between < memory.at_end(0); ++between) untouched &= *between == kFill;
            ASSERT_TRUE(untouched) << cols << " columns: bytes between rows were written";
          }
        }
      }
    }
  }
}

}  // namespace
