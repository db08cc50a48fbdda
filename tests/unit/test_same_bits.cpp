// SPDX-License-Identifier: Apache-2.0
// ctest-labels: bits sanitize
// ctest-shards: 4
// Every operation gives the bits of tests/vectors/hashes.txt on each ISA, and the same bits again for any
// number and order of threads, alignment, stride, order of the rows, floating-point mode, used scratch and
// cut into shards. After a change of bits that is meant: VMX_UPDATE_HASHES=1
// build/dev/bin/test_unit_same_bits
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/hash_list.hpp"
#include "support/sha256.hpp"
#include "support/shapes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if defined(__SSE2__)
#  include <xmmintrin.h>
#endif

namespace {

using namespace vmx::test;

using Bytes = std::vector<unsigned char>;
using Rows = std::vector<int64_t>;  // which rows of a batch, in which order

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kIgnoreIndex = -100;

// -------------------------------------------------------------------------------------------------- inputs

// Rows for this test alone: signed NaNs, ties, and extremes strewn over a row.
const std::vector<RowKind>& more_kinds() {
  static const std::vector<RowKind> kinds = {
      {"planted_low", false,
       [](Random& r, int64_t, int64_t, double top) {
         const double planted[] = {-top, -kInf, 0.0, -0.0, 0x1p-149, -0x1p-133, -87.375, -103.5};
         return r.one_in(20) ? planted[r.below(8)] : 2 * r.bell();
       }},
      {"planted_high", false,
       [](Random& r, int64_t, int64_t, double top) {
         const double planted[] = {top, -top, 88.75, 65504.0, -kInf, 0x1p-126, 1e6, -1e6};
         return r.one_in(20) ? planted[r.below(8)] : 2 * r.bell();
       }},
      {"few_values", false,
       [](Random& r, int64_t, int64_t, double) { return static_cast<double>(r.below(5)) - 2; }},
      {"minus_nan", true,
       [](Random& r, int64_t c, int64_t n, double) { return c == n / 2 ? -kNan : r.bell(); }},
      {"odd_mix", true,
       [](Random& r, int64_t, int64_t, double) {
         const double odd[] = {kNan, -kNan, kInf, -kInf, 0.0, -0.0, 1.0, -1.0};
         return odd[r.below(8)];
       }},
  };
  return kinds;
}

std::vector<const RowKind*> all_kinds() {
  std::vector<const RowKind*> result;
  for (const RowKind& kind : row_kinds()) result.push_back(&kind);
  for (const RowKind& kind : more_kinds()) result.push_back(&kind);
  return result;
}

// Rows of one length.
struct Batch {
  int32_t dtype;
  bool is_long;  // one row is worth several tasks
  std::vector<std::string> names;
  std::vector<float> temperature;  // of each row
  std::unique_ptr<Matrix> x;
  std::vector<int64_t> best;  // column of the largest score of each row, or so

  int64_t rows() const { return x->rows(); }
  int64_t cols() const { return x->cols(); }
};

enum class Shape { usual, with_temperatures, with_long_rows };

// Blocks of different kinds side by side.
std::vector<double> mixed_row(int64_t cols, int32_t dtype, uint64_t seed, bool special) {
  Random random(seed);
  std::vector<double> row;
  while (static_cast<int64_t>(row.size()) < cols) {
    const auto kinds = all_kinds();
    const RowKind* const kind = kinds[static_cast<size_t>(random.below(static_cast<int64_t>(kinds.size())))];
    if (kind->special && !special) continue;
    const auto part = make_row(*kind, std::min<int64_t>(VMX_BLOCK, cols - static_cast<int64_t>(row.size())),
                               dtype, random.bits());
    row.insert(row.end(), part.begin(), part.end());
  }
  return row;
}

std::vector<Batch> make_batches(int32_t dtype, Shape shape) {
  std::vector<float> temperatures = kTemperatures;
  temperatures.insert(temperatures.end(), kExtremeTemperatures.begin(), kExtremeTemperatures.end());
  std::vector<Batch> batches;
  const auto add = [&](bool is_long, std::vector<std::string> names,
                       const std::vector<std::vector<double>>& rows, std::vector<float> t) {
    batches.push_back(
        {dtype, is_long, std::move(names), std::move(t), std::make_unique<Matrix>(dtype, rows), {}});
    for (const auto& row : rows)
      batches.back().best.push_back(std::max_element(row.begin(), row.end()) - row.begin());
  };
  const auto kinds = all_kinds();
  std::vector<int64_t> lengths = {1, 65, 700, 4097, 3 * VMX_BLOCK + 77};
  if (VMX_TEST_SANITIZED) lengths = {65, VMX_BLOCK + 77};
  for (const int64_t cols : lengths) {
    std::vector<std::string> names;
    std::vector<std::vector<double>> rows;
    std::vector<float> t;
    const bool every =
        shape == Shape::with_temperatures && cols == 65 && !VMX_TEST_SANITIZED;  // kind at every temperature
    for (size_t i = 0; i < kinds.size(); ++i) {
      // To save time.
      const size_t one_in = VMX_TEST_SANITIZED ? (cols > VMX_BLOCK ? 6 : 2) : cols > 2 * VMX_BLOCK ? 3 : 1;
      if (i % one_in != static_cast<size_t>(dtype) % one_in) continue;
      for (size_t j = 0; j < (every ? temperatures.size() : 1); ++j) {
        names.push_back(kinds[i]->name);
        rows.push_back(make_row(*kinds[i], cols, dtype, static_cast<uint64_t>(cols) + i));
        t.push_back(temperatures[(every ? j : 5 * i + 1) % temperatures.size()]);
      }
    }
    add(false, names, rows, t);
  }
  if (shape == Shape::with_long_rows && !VMX_TEST_SANITIZED) {
    const int64_t cols = 2 * 32 * VMX_BLOCK + 5001;
    add(true, {"mixed", "mixed_special"}, {mixed_row(cols, dtype, 1, false), mixed_row(cols, dtype, 2, true)},
        {1.0f, 0.5f});
  }
  return batches;
}

const std::vector<Batch>& batches_of(int32_t dtype, Shape shape) {
  static std::map<std::pair<int32_t, Shape>, std::vector<Batch>> made;
  auto& batches = made[{dtype, shape}];
  if (batches.empty()) batches = make_batches(dtype, shape);
  return batches;
}

// ---------------------------------------------------------------------------------------------------- ways

// How an operation is run. Nothing of it may change a bit.
struct Way {
  std::string name;
  const vmx_context* ctx = nullptr;
  vmx_workspace* ws = nullptr;
  Layout in{}, out{};
  int64_t stride = 1, offset = 0;  // of vectors
  bool in_place = false;           // where the operation allows it
  bool other_mode = false;         // of floating-point arithmetic in the calling thread
  uint64_t shards = 0;             // not 0: seed of cuts at multiples of VMX_BLOCK, and of a tree of merges
};

// What a run gives.
struct Outputs {
  std::vector<Bytes> rows;
  Bytes whole;  // of the batch together, in the given order of rows

  explicit Outputs(int64_t n) : rows(static_cast<size_t>(n)) {}
  void add(int64_t row, const void* data, size_t size) {
    Bytes& bytes = rows[static_cast<size_t>(row)];
    bytes.insert(bytes.end(), static_cast<const unsigned char*>(data),
                 static_cast<const unsigned char*>(data) + size);
  }
  void add(const Matrix& m) {
    for (int64_t r = 0; r < m.rows(); ++r) {
      const Bytes row = m.row_bytes(r);
      add(r, row.data(), row.size());
    }
  }
  void add(const Vector& v) {
    for (int64_t i = 0; i < v.view().n; ++i) add(i, v.at(i), size_of(v.view().dtype));
  }
  template <class T>
  void add(const std::vector<T>& values) {
    for (size_t i = 0; i < values.size(); ++i) add(static_cast<int64_t>(i), &values[i], sizeof values[i]);
  }
};

// Calls the library in the way's floating-point mode.
template <class Call>
void run_call(const Way& s, Call&& call) {
#if defined(__SSE2__)
  const unsigned saved = _mm_getcsr();
  if (s.other_mode) _mm_setcsr(saved | 0xa040u);
  const vmx_status status = call();
  if (s.other_mode) {
    EXPECT_EQ(_mm_getcsr() | 0x3fu, saved | 0xa07fu);
  }
  _mm_setcsr(saved);
#else
  const vmx_status status = call();
#endif
  if (status != VMX_OK) throw std::runtime_error(last_error());
}

Matrix placed(const Matrix& from, const Rows& which, const Layout& layout) {
  Matrix to(from.dtype(), static_cast<int64_t>(which.size()), from.cols(), layout);
  for (int64_t r = 0; r < to.rows(); ++r) to.set_row_bytes(r, from.row_bytes(which[static_cast<size_t>(r)]));
  return to;
}

Vector vector_of(int32_t dtype, const Rows& which, const Way& s,
                 const std::function<double(int64_t)>& value) {
  std::vector<double> values;
  for (const int64_t r : which) values.push_back(value(r));
  return Vector(dtype, values, s.stride, s.offset);
}

int64_t count(const Rows& which) { return static_cast<int64_t>(which.size()); }

// ------------------------------------------------------------------------------------------------- softmax
// family

struct SoftmaxVariant {
  uint32_t flags = 0;
  bool temperature = false;
  int32_t stored = 0;  // 0: as the scores
  bool given_lse = false;
};

// The options, and the temperatures that they point to.
template <class Options>
struct WithTemperature {
  WithTemperature(const Batch& b, const Rows& which, const Way& s, bool wanted)
      : values(vector_of(VMX_F32, which, s, [&](int64_t r) {
          return static_cast<double>(b.temperature[static_cast<size_t>(r)]);
        })) {
    std::memset(static_cast<void*>(&options), 0, sizeof options);
    options.struct_size = sizeof options;
    if (!wanted) return;
    options.temperature = static_cast<const float*>(values.view().data);
    options.temperature_stride = values.view().stride;
  }
  Vector values;
  Options options;
};

int32_t stored_or(int32_t stored, int32_t dtype) { return stored ? stored : dtype; }

Outputs run_logsumexp(const Way& s, const Batch& b, const Rows& which, const SoftmaxVariant& v) {
  const Matrix x = placed(*b.x, which, s.in);
  const Vector lse(wide_type(b.dtype), count(which), s.stride, s.offset);
  std::vector<uint32_t> flags(which.size(), 99);
  WithTemperature<vmx_softmax_options> with(b, which, s, v.temperature);
  with.options.flags = v.flags;
  run_call(s, [&] { return vmx_logsumexp(s.ctx, s.ws, x, lse, flags.data(), &with.options); });
  Outputs outputs(count(which));
  outputs.add(lse);
  outputs.add(flags);
  return outputs;
}

Outputs run_softmax(const Way& s, const Batch& b, const Rows& which, const SoftmaxVariant& v,
                    bool logarithm) {
  const int32_t stored = stored_or(v.stored, b.dtype);
  const Matrix x = placed(*b.x, which, s.in);
  const Matrix other(stored, count(which), b.cols(), s.out);
  const Matrix& y = s.in_place && stored == b.dtype ? x : other;
  const Vector lse(wide_type(b.dtype), count(which), s.stride, s.offset);
  std::vector<uint32_t> flags(which.size(), 99);
  WithTemperature<vmx_softmax_options> with(b, which, s, v.temperature);
  with.options.flags = v.flags;
  run_call(s, [&] {
    return (logarithm ? vmx_log_softmax : vmx_softmax)(s.ctx, s.ws, x, y, lse, flags.data(), &with.options);
  });
  Outputs outputs(count(which));
  outputs.add(y);
  outputs.add(lse);
  outputs.add(flags);
  return outputs;
}

// What backward passes are handed, by row: ordinary and odd ones.
double upstream_of(int64_t row) {
  const double values[] = {1, -0.5, 0.3, 0, -0.0, 1e30, -1e-30, 3, kInf, -kInf, kNan, -kNan, 7, 1e-45};
  return values[row % 14];
}

Outputs run_logsumexp_backward(const Way& s, const Batch& b, const Rows& which, const SoftmaxVariant& v) {
  const int32_t stored = stored_or(v.stored, b.dtype);
  const Matrix x = placed(*b.x, which, s.in);
  const Matrix other(stored, count(which), b.cols(), s.out);
  const Matrix& grad = s.in_place && stored == b.dtype ? x : other;
  const Vector lse(wide_type(b.dtype), count(which), s.stride, s.offset);
  const Vector upstream = vector_of(stored == VMX_F64 ? VMX_F64 : VMX_F32, which, s, upstream_of);
  WithTemperature<vmx_softmax_options> with(b, which, s, v.temperature);
  if (v.given_lse) run_call(s, [&] { return vmx_logsumexp(s.ctx, s.ws, x, lse, nullptr, &with.options); });
  run_call(s, [&] {
    return vmx_logsumexp_backward(s.ctx, s.ws, x, v.given_lse ? &lse.view() : nullptr, upstream, grad,
                                  &with.options);
  });
  Outputs outputs(count(which));
  outputs.add(grad);
  return outputs;
}

// A row of what a forward pass might have given, and of gradients for it. Exact in any dtype, and odd in many
// ways.
void make_backward_row(int64_t row, int64_t cols, bool logarithm, std::vector<double>* y,
                       std::vector<double>* g) {
  Random random(static_cast<uint64_t>(row) * 977 + static_cast<uint64_t>(cols) + (logarithm ? 1 : 0));
  const int64_t kind = row % 16;
  y->clear();
  g->clear();
  for (int64_t c = 0; c < cols; ++c) {
    const bool masked = kind % 2 == 1 && random.one_in(3);
    double p = logarithm ? -2 - 10 * random.unit() : random.unit() / 64, grad = random.bell();
    if (masked) p = logarithm ? -kInf : 0;
    const bool planted = c == cols / 2 || random.one_in(200);
    const double odd[] = {kNan, -kNan, kInf, -kInf, 1e30};
    if (masked) grad = odd[random.below(5)];  // may be anything there
    if (kind == 2 && planted) grad = kNan;
    if (kind == 3 && planted) grad = -kNan;
    if (kind == 4 && planted) grad = c % 2 ? kInf : -kInf;
    if (kind == 5 && planted) grad = kInf;
    if (kind == 6) p = kNan;
    if (kind == 7) p = -kNan;
    if (kind == 8) p = c % 2 ? kNan : -kNan, grad = c % 3 ? -kNan : kNan;
    if (kind == 9 && planted) p = kNan, grad = -kNan;
    if (kind == 10) p = logarithm ? -700 * random.unit() : random.unit() * 0x1p-120;
    if (kind == 11) grad *= 1e30;
    if (kind == 12) p = logarithm ? -0.0 : 1, grad *= 0x1p-130;
    if (kind == 13) p = logarithm ? kInf : p * 0x1p-1000;  // no forward pass gives these
    if (kind == 14) grad = -0.0;
    y->push_back(p);
    g->push_back(grad);
  }
}

struct BackwardRows {
  Matrix y, g;
};
const BackwardRows& backward_rows(const Batch& b, bool logarithm) {
  static std::map<std::pair<const Batch*, bool>, std::unique_ptr<BackwardRows>> made;
  auto& rows = made[{&b, logarithm}];
  if (!rows) {
    std::vector<std::vector<double>> ys(static_cast<size_t>(b.rows())), gs(ys);
    for (size_t r = 0; r < ys.size(); ++r)
      make_backward_row(static_cast<int64_t>(r), b.cols(), logarithm, &ys[r], &gs[r]);
    rows.reset(new BackwardRows{Matrix(b.dtype, ys), Matrix(b.dtype, gs)});
  }
  return *rows;
}

Outputs run_softmax_backward(const Way& s, const Batch& b, const Rows& which, const SoftmaxVariant& v,
                             bool logarithm) {
  const int32_t stored = stored_or(v.stored, b.dtype);
  const BackwardRows& rows = backward_rows(b, logarithm);
  const Matrix y = placed(rows.y, which, s.in), g = placed(rows.g, which, s.in),
               other(stored, count(which), b.cols(), s.out);
  const Matrix& grad = s.in_place && stored == b.dtype ? (b.cols() % 2 ? y : g) : other;
  WithTemperature<vmx_softmax_options> with(b, which, s, v.temperature);
  run_call(s, [&] {
    return (logarithm ? vmx_log_softmax_backward : vmx_softmax_backward)(s.ctx, s.ws, y, g, grad,
                                                                         &with.options);
  });
  Outputs outputs(count(which));
  outputs.add(grad);
  return outputs;
}

// -------------------------------------------------------------------------------------------------- states

std::vector<float> class_weights(int64_t cols) {
  Random random(static_cast<uint64_t>(cols));
  std::vector<float> weights;
  for (int64_t c = 0; c < cols; ++c) weights.push_back(static_cast<float>(random.below(1000)) / 256);
  return weights;
}

// Cuts at multiples of VMX_BLOCK, in the order in which they are worked on.
std::vector<std::pair<int64_t, int64_t>> cuts_of(int64_t cols, Random& random) {
  std::vector<std::pair<int64_t, int64_t>> cuts;  // first, count
  const int64_t most = std::max<int64_t>(1, cols / VMX_BLOCK / 5);
  for (int64_t c = 0; c < cols;) {
    const int64_t n = std::min(cols - c, VMX_BLOCK * (1 + random.below(most)));
    cuts.push_back({c, n});
    c += n;
  }
  for (size_t i = cuts.size(); i > 1; --i)
    std::swap(cuts[i - 1], cuts[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  return cuts;
}

vmx_matrix columns(const Matrix& m, int64_t first, int64_t n) {
  vmx_matrix part = m.view();
  part.data = m.at(0, first);
  part.cols = n;
  return part;
}

struct FoldVariant {
  uint32_t flags = 0;
  bool temperature = false, weights = false, skip = false;
};

using States = std::vector<vmx_lse_state>;

Outputs run_lse_fold(const Way& s, const Batch& b, const Rows& which, const FoldVariant& v) {
  const int64_t n = count(which), cols = b.cols();
  const Matrix x = placed(*b.x, which, s.in);
  WithTemperature<vmx_lse_options> with(b, which, s, v.temperature);
  with.options.flags = v.flags;
  const std::vector<float> weights = class_weights(cols);
  std::vector<int64_t> skipped;
  for (const int64_t r : which) skipped.push_back(r % 5 == 4 ? cols + 3 : (r * 211 + 5) % cols);
  const Ids skip(VMX_I32, skipped, 1, s.stride);
  if (v.skip) with.options.skip = skip.view();
  const auto fold = [&](int64_t first, int64_t columns_there, States& states) {
    const vmx_matrix slice = columns(x, first, columns_there);
    vmx_lse_options options = with.options;
    if (v.weights)
      options.class_weight = {const_cast<float*>(weights.data()) + first, columns_there, 1, VMX_F32, 0};
    run_call(s, [&] { return vmx_lse_fold(s.ctx, s.ws, &slice, first, states.data(), &options); });
  };
  const auto merge = [&](States& into, const States& from) {
    run_call(s, [&] { return vmx_lse_merge(into.data(), from.data(), n); });
  };

  States states(which.size());
  if (s.shards) {
    Random random(s.shards);
    const auto cuts = cuts_of(cols, random);
    std::vector<States> parts;
    for (const auto& [first, columns_there] : cuts) {
      if (parts.empty() || random.one_in(2)) parts.emplace_back(which.size());
      fold(first, columns_there,
           parts[static_cast<size_t>(random.below(static_cast<int64_t>(parts.size())))]);
    }
    while (parts.size() > 1) {
      const auto from = static_cast<size_t>(random.below(static_cast<int64_t>(parts.size())));
      const States part = parts[from];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(from));
      merge(parts[static_cast<size_t>(random.below(static_cast<int64_t>(parts.size())))], part);
    }
    states = parts[0];
  } else {
    fold(0, cols, states);
  }

  const bool with_entropy = (v.flags & VMX_FOLD_ENTROPY) != 0;
  const Vector lse(VMX_F32, n, s.stride, s.offset), wide_lse(VMX_F64, n, s.stride),
      entropy(wide_type(b.dtype), n, s.stride);
  std::vector<uint32_t> flags(which.size(), 99);
  run_call(s, [&] {
    return vmx_lse_finish(states.data(), n, &with.options, lse, with_entropy ? &entropy.view() : nullptr,
                          flags.data());
  });
  run_call(s, [&] { return vmx_lse_finish(states.data(), n, &with.options, wide_lse, nullptr, nullptr); });
  // Short states of two halves, and merged: in one order, since that rounds.
  const int64_t half = cols / 2;
  States left(which.size()), right(which.size());
  fold(0, half, left);
  fold(half, cols - half, right);
  std::vector<vmx_lse_short> whole(which.size()), first(which.size()), second(which.size());
  run_call(s, [&] { return vmx_lse_shorten(states.data(), n, &with.options, whole.data()); });
  run_call(s, [&] { return vmx_lse_shorten(left.data(), n, &with.options, first.data()); });
  run_call(s, [&] { return vmx_lse_shorten(right.data(), n, &with.options, second.data()); });
  run_call(s, [&] { return vmx_lse_short_merge(first.data(), second.data(), n); });
  const Vector short_lse(wide_type(b.dtype), n, s.stride, s.offset);
  run_call(s, [&] { return vmx_lse_short_finish(first.data(), n, short_lse); });

  Outputs outputs(n);
  outputs.add(states);
  outputs.add(lse);
  outputs.add(wide_lse);
  if (with_entropy) outputs.add(entropy);
  outputs.add(flags);
  outputs.add(whole);
  outputs.add(first);
  outputs.add(short_lse);
  return outputs;
}

// ------------------------------------------------------------------------------------------- cross-entropy

struct CrossEntropyVariant {
  uint32_t flags = 0;
  int32_t reduction = VMX_REDUCE_SUM;
  double smoothing = 0, softcap = 0, z_loss = 0, grad_scale = 1;
  bool temperature = false, weights = false;
  int32_t lists = 0;      // the dtype of their weights; 0: one label a row
  bool from_one = false;  // i32 ids, base 1
  int32_t stored = 0;
  bool with_grad = true;
  bool given_lse = false;
};

struct CrossEntropyInputs {
  CrossEntropyInputs(const Batch& b, const Rows& which, const Way& s, const CrossEntropyVariant& v)
      : with(b, which, s, v.temperature), class_weight(VMX_F32, b.cols(), s.stride) {
    std::vector<int64_t> labels, starts = {0};
    std::vector<double> list_weights;
    for (const int64_t row : which) {
      Random random(static_cast<uint64_t>(row * 31 + b.cols()));
      if (v.lists) {
        for (int64_t n = random.below(6); n > 0; --n) {
          labels.push_back(random.one_in(7) ? kIgnoreIndex : random.below(b.cols()));
          list_weights.push_back(static_cast<double>(random.below(64) - 4) / 16);
          if (!random.one_in(3)) continue;
          labels.push_back(labels.back());  // a target may repeat
          list_weights.push_back(0.125);
        }
      } else {
        labels.push_back(row % 11 == 4  ? kIgnoreIndex
                         : row % 3 == 0 ? b.best[static_cast<size_t>(row)]
                                        : random.below(b.cols()));
      }
      starts.push_back(static_cast<int64_t>(labels.size()));
    }
    ids = Ids(v.from_one ? VMX_I32 : VMX_I64, labels, v.from_one ? 1 : 0, s.stride);
    indptr = Ids(VMX_I32, starts, v.from_one ? 1 : 0, s.stride);
    targets = one_label(ids);
    if (v.lists) {
      weights = std::make_unique<Vector>(v.lists, list_weights, s.stride);
      targets.indptr = indptr.view();
      targets.weights = weights->view();
    }
    vmx_cross_entropy_options& o = with.options;
    o.flags = v.flags;
    o.reduction = v.reduction;
    o.ignore_index = kIgnoreIndex;
    o.label_smoothing = v.smoothing;
    o.softcap = v.softcap;
    o.z_loss = v.z_loss;
    if (v.weights) {
      const std::vector<float> values = class_weights(b.cols());
      for (int64_t c = 0; c < b.cols(); ++c)
        std::memcpy(class_weight.at(c), &values[static_cast<size_t>(c)], sizeof(float));
      o.class_weight = class_weight.view();
    }
  }

  WithTemperature<vmx_cross_entropy_options> with;
  Vector class_weight;
  Ids ids, indptr;
  std::unique_ptr<Vector> weights;
  vmx_csr targets{};
};

Outputs run_cross_entropy(const Way& s, const Batch& b, const Rows& which, const CrossEntropyVariant& v) {
  const int64_t n = count(which);
  const int32_t stored = stored_or(v.stored, b.dtype), wide = wide_type(b.dtype);
  const Matrix x = placed(*b.x, which, s.in), other(stored, n, b.cols(), s.out);
  const Matrix& grad = s.in_place && stored == b.dtype ? x : other;
  const CrossEntropyInputs inputs(b, which, s, v);
  const Vector loss(wide, n, s.stride, s.offset), z_loss(wide, n, s.stride), lse(wide, n, s.stride);
  std::vector<uint32_t> flags(which.size(), 99);
  double totals[3] = {-7, -7, -7};
  vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
  out.loss = loss.view();
  out.z_loss = z_loss.view();
  out.lse = lse.view();
  out.total = &totals[0];
  out.total_z_loss = &totals[1];
  out.total_weight = &totals[2];
  out.row_flags = flags.data();
  if (v.with_grad) out.grad = grad.view();
  out.grad_scale = v.grad_scale;
  run_call(s, [&] { return vmx_cross_entropy(s.ctx, s.ws, x, &inputs.targets, &out, &inputs.with.options); });
  Outputs outputs(n);
  outputs.add(loss);
  outputs.add(z_loss);
  outputs.add(lse);
  outputs.add(flags);
  if (v.with_grad) outputs.add(grad);
  outputs.whole.resize(sizeof totals);
  std::memcpy(outputs.whole.data(), totals, sizeof totals);
  return outputs;
}

Outputs run_cross_entropy_backward(const Way& s, const Batch& b, const Rows& which,
                                   const CrossEntropyVariant& v) {
  const int64_t n = count(which);
  const int32_t stored = stored_or(v.stored, b.dtype);
  const Matrix x = placed(*b.x, which, s.in), other(stored, n, b.cols(), s.out);
  const Matrix& grad = s.in_place && stored == b.dtype ? x : other;
  const CrossEntropyInputs inputs(b, which, s, v);
  const Vector lse(wide_type(b.dtype), n, s.stride, s.offset);
  const Vector upstream = vector_of(v.lists ? VMX_F64 : VMX_F32, which, s, upstream_of);
  if (v.given_lse) {
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.lse = lse.view();
    run_call(s,
             [&] { return vmx_cross_entropy(s.ctx, s.ws, x, &inputs.targets, &out, &inputs.with.options); });
  }
  run_call(s, [&] {
    return vmx_cross_entropy_backward(s.ctx, s.ws, x, &inputs.targets, v.given_lse ? &lse.view() : nullptr,
                                      upstream, grad, &inputs.with.options);
  });
  Outputs outputs(n);
  outputs.add(grad);
  return outputs;
}

// --------------------------------------------------------------------------------------------------- top-k

struct TopkVariant {
  uint32_t flags = 0;
  int64_t k = 0;  // at most; 0: a third of the columns, -1: all
  bool excluded = false;
  int32_t id_type = VMX_I32;
  int64_t col_offset = 0;
};

struct TopkOutput {
  TopkOutput(int32_t dtype, const TopkVariant& v, int64_t rows, int64_t k, const Layout& layout)
      : values(dtype, rows, k, layout),
        ids(v.id_type, rows, k, layout),
        flags(static_cast<size_t>(rows), 99) {}
  Matrix values, ids;
  std::vector<uint32_t> flags;
};

// Two lists of each row side by side, the given one first.
void append_columns(const Matrix& from, int64_t first, const Matrix& to) {
  for (int64_t r = 0; r < from.rows(); ++r) {
    for (int64_t c = 0; c < from.cols(); ++c)
      std::memcpy(to.at(r, first + c), from.at(r, c), size_of(from.dtype()));
  }
}

Outputs outputs_of(const TopkOutput& got) {
  Outputs outputs(got.values.rows());
  outputs.add(got.values);
  outputs.add(got.ids);
  outputs.add(got.flags);
  return outputs;
}

Outputs run_topk(const Way& s, const Batch& b, const Rows& which, const TopkVariant& v) {
  const int64_t n = count(which), cols = b.cols();
  const int64_t k = v.k > 0 ? std::min(v.k, cols) : v.k < 0 ? cols : cols / 3 + 1;
  const Matrix x = placed(*b.x, which, s.in);
  std::vector<int64_t> ids, starts = {0};
  for (const int64_t row : which) {
    Random random(static_cast<uint64_t>(row + 3 * cols));
    const int64_t few = row % 7 == 2 ? 2 * cols : 20;
    for (int64_t i = 0; i < few; ++i) ids.push_back(random.below(cols + 2));
    starts.push_back(static_cast<int64_t>(ids.size()));
  }
  if (v.col_offset) {
    for (int64_t& id : ids) id += v.col_offset;
  }
  const Ids excluded(VMX_I64, ids, 1, s.stride), indptr(VMX_I64, starts, 1, s.stride);
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = v.flags;
  if (v.excluded) {
    options.excluded.ids = excluded.view();
    options.excluded.indptr = indptr.view();
  }
  vmx_topk_options merge_options = VMX_TOPK_OPTIONS_INIT;
  merge_options.flags = v.flags;
  const auto select = [&](int64_t first, int64_t columns_there, int64_t kept, const Layout& layout) {
    auto got = std::make_unique<TopkOutput>(b.dtype, v, n, kept, layout);
    const vmx_matrix slice = columns(x, first, columns_there);
    vmx_topk_options o = options;
    o.col_offset = v.col_offset + first;
    run_call(
        s, [&] { return vmx_topk(s.ctx, s.ws, &slice, kept, got->values, got->ids, got->flags.data(), &o); });
    return got;
  };
  if (!s.shards) return outputs_of(*select(0, cols, k, s.out));

  Random random(s.shards);
  std::vector<std::unique_ptr<TopkOutput>> parts;
  std::vector<uint32_t> seen(which.size(), 0), all(which.size(), ~0u);
  for (const auto& [first, columns_there] : cuts_of(cols, random)) {
    parts.push_back(select(first, columns_there, std::min(k, columns_there), {}));
    for (size_t i = 0; i < which.size(); ++i) {
      seen[i] |= parts.back()->flags[i];
      all[i] &= parts.back()->flags[i];
    }
  }
  const auto take = [&] {
    const auto i = static_cast<size_t>(random.below(static_cast<int64_t>(parts.size())));
    auto part = std::move(parts[i]);
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
    return part;
  };
  std::unique_ptr<TopkOutput> merged = take();
  do {  // at least once: one shard alone is merged with nothing
    const auto other = parts.empty() ? nullptr : take();
    const int64_t m = merged->values.cols() + (other ? other->values.cols() : 0);
    const Matrix values(b.dtype, n, m, s.in), both(v.id_type, n, m, s.in);
    append_columns(merged->values, 0, values);
    append_columns(merged->ids, 0, both);
    if (other) {
      append_columns(other->values, merged->values.cols(), values);
      append_columns(other->ids, merged->values.cols(), both);
    }
    auto next = std::make_unique<TopkOutput>(b.dtype, v, n, std::min(k, m), s.out);
    run_call(s, [&] {
      return vmx_topk_merge(s.ctx, s.ws, values, both, next->values.cols(), next->values, next->ids,
                            next->flags.data(), &merge_options);
    });
    if (random.one_in(2) && !parts.empty()) std::swap(next, parts[0]);  // a tree, not a chain
    merged = std::move(next);
  } while (!parts.empty());
  // What a row holds is told by its shards, how much of it was found by the last merge.
  for (size_t i = 0; i < which.size(); ++i) {
    merged->flags[i] = (merged->flags[i] & VMX_ROW_UNDERFULL) | (seen[i] & (VMX_ROW_NAN | VMX_ROW_INF)) |
                       (all[i] & VMX_ROW_EMPTY);
  }
  return outputs_of(*merged);
}

// Lists in no order, with empty slots.
Outputs run_topk_merge(const Way& s, const Batch& b, const Rows& which, const TopkVariant& v) {
  const int64_t n = count(which), m = b.cols(), k = v.k > 0 ? std::min(v.k, m) : m / 3 + 1;
  const Matrix values = placed(*b.x, which, s.in), ids(v.id_type, n, m, s.in);
  for (int64_t r = 0; r < n; ++r) {
    const int64_t row = which[static_cast<size_t>(r)], step = 2 * (row % 5) + 1;
    for (int64_t c = 0; c < m; ++c) {
      const int64_t id = (c + row) % 9 == 0 && row % 4 == 1 ? -1 : (m - c) * step;
      const auto narrow = static_cast<int32_t>(id);
      if (v.id_type == VMX_I32)
        std::memcpy(ids.at(r, c), &narrow, 4);
      else
        std::memcpy(ids.at(r, c), &id, 8);
    }
  }
  TopkOutput got(b.dtype, v, n, k, s.out);
  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = v.flags;
  run_call(s, [&] {
    return vmx_topk_merge(s.ctx, s.ws, values, ids, k, got.values, got.ids, got.flags.data(), &options);
  });
  return outputs_of(got);
}

// ------------------------------------------------------------------------------------------ sparse updates

// The batch's rows are the gradients, of f32; the table's rows and their moments are made from the row's number.
struct UpdateRow {
  Bytes g, w, mean, square;
};
const UpdateRow& update_row_of(const Batch& b, int64_t row) {
  static std::map<std::pair<const Batch*, int64_t>, UpdateRow> made;
  UpdateRow& bytes = made[{&b, row}];
  if (!bytes.g.empty()) return bytes;
  Matrix g(VMX_F32, 1, b.cols()), w(b.dtype, 1, b.cols()), mean(VMX_F32, 1, b.cols()), square(VMX_F32, 1, b.cols());
  Random random(static_cast<uint64_t>(row) + 1);
  for (int64_t c = 0; c < b.cols(); ++c) {
    g.set(0, c, b.x->get(row, c));
    w.set(0, c, random.one_in(50) ? kInf : random.bell());
    mean.set(0, c, random.bell() / 8);
    square.set(0, c, random.one_in(7) ? 0 : random.unit() / 64);
  }
  bytes = {g.row_bytes(0), w.row_bytes(0), mean.row_bytes(0), square.row_bytes(0)};
  return bytes;
}

Outputs run_sparse_update(const Way& s, const Batch& b, const Rows& which, const vmx_update_options& o) {
  const int64_t n = count(which);
  Matrix grad(VMX_F32, n, b.cols(), s.in);
  Matrix table(b.dtype, 2 * n + 1, b.cols(), s.out), mean(VMX_F32, 2 * n + 1, b.cols(), s.out),
      square(VMX_F32, 2 * n + 1, b.cols(), s.out);
  for (Matrix* const m : {&table, &mean, &square}) {
    const Bytes nothing(static_cast<size_t>(b.cols()) * size_of(m->dtype()));
    for (int64_t r = 0; r < m->rows(); ++r) m->set_row_bytes(r, nothing);
  }
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = which[static_cast<size_t>(i)], id = 2 * i + 1;
    ids.push_back(id);
    const UpdateRow& from = update_row_of(b, row);
    grad.set_row_bytes(i, from.g);
    table.set_row_bytes(id, from.w);
    mean.set_row_bytes(id, from.mean);
    square.set_row_bytes(id, from.square);
  }
  vmx_sparse_rows rows = VMX_SPARSE_ROWS_INIT;
  rows.ids = ids.data();
  rows.rows = grad.view();
  rows.count = n;
  run_call(s, [&] {
    return vmx_sparse_update(s.ctx, &rows, table, o.optimizer == VMX_ADAM ? &mean.view() : nullptr,
                             o.optimizer == VMX_SGD ? nullptr : &square.view(), &o);
  });
  Outputs outputs(n);
  for (int64_t i = 0; i < n; ++i) {
    for (const Matrix* m : {&table, &mean, &square}) {
      const Bytes bytes = m->row_bytes(2 * i + 1);
      outputs.add(i, bytes.data(), bytes.size());
    }
  }
  return outputs;
}

// --------------------------------------------------------------------------------------------------- cases

struct Case {
  std::string name;
  int32_t dtype;
  Shape shape;
  std::function<Outputs(const Way&, const Batch&, const Rows&)> run;
  bool shards = false;       // understands Way::shards
  bool whole_batch = false;  // a row's results depend on the others

  friend std::ostream& operator<<(std::ostream& out, const Case& test) { return out << test.name; }
};

void add_cases_of(int32_t dtype, std::vector<Case>* cases) {
  const std::string type = name_of(dtype);
  const auto shape_of = [](bool temperature, bool plain) {
    return temperature ? Shape::with_temperatures : plain ? Shape::with_long_rows : Shape::usual;
  };
  std::vector<std::pair<std::string, SoftmaxVariant>> stored;  // the other dtypes
  for (const int32_t other : kFloatTypes) {
    if (other != dtype) stored.push_back({std::string("to_") + name_of(other), {.stored = other}});
  }
  const auto softmax = [&](const char* name, auto run,
                           std::vector<std::pair<std::string, SoftmaxVariant>> variants, bool stores) {
    if (stores) variants.insert(variants.end(), stored.begin(), stored.end());
    for (const auto& [variant, options] : variants) {
      cases->push_back({std::string(name) + "." + type + "." + variant, dtype,
                        shape_of(options.temperature, variant == "plain"),
                        [run, v = options](const Way& s, const Batch& b, const Rows& which) {
                          return run(s, b, which, v);
                        }});
    }
  };
  const std::vector<std::pair<std::string, SoftmaxVariant>> forward = {
      {"plain", {}},
      {"precise", {.flags = VMX_PRECISE}},
      {"temperature", {.temperature = true}},
      {"precise_temperature", {.flags = VMX_PRECISE, .temperature = true}}};
  auto with_masked = forward;
  with_masked.push_back({"zero_masked", {.flags = VMX_ZERO_MASKED}});
  const auto with_logarithm = [](auto run, bool logarithm) {
    return [run, logarithm](const Way& s, const Batch& b, const Rows& which, const SoftmaxVariant& v) {
      return run(s, b, which, v, logarithm);
    };
  };
  softmax("logsumexp", run_logsumexp, forward, false);
  softmax("softmax", with_logarithm(run_softmax, false), with_masked, true);
  softmax("log_softmax", with_logarithm(run_softmax, true), with_masked, true);
  softmax("logsumexp_backward", run_logsumexp_backward,
          {{"plain", {}},
           {"temperature", {.temperature = true}},
           {"given_lse", {.given_lse = true}},
           {"given_lse_temperature", {.temperature = true, .given_lse = true}}},
          true);
  softmax("softmax_backward", with_logarithm(run_softmax_backward, false),
          {{"plain", {}}, {"temperature", {.temperature = true}}}, true);
  softmax("log_softmax_backward", with_logarithm(run_softmax_backward, true),
          {{"plain", {}}, {"temperature", {.temperature = true}}}, true);

  const std::pair<const char*, FoldVariant> folds[] = {
      {"plain", {}},
      {"sums", {.flags = VMX_FOLD_SUMS}},
      {"weighted_sums", {.flags = VMX_FOLD_SUMS, .weights = true}},
      {"entropy", {.flags = VMX_FOLD_ENTROPY}},
      {"all", {.flags = VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, .weights = true, .skip = true}},
      {"temperature", {.flags = VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, .temperature = true, .skip = true}}};
  for (const auto& [variant, options] : folds) {
    cases->push_back({"lse_fold." + type + "." + variant, dtype,
                      shape_of(options.temperature, std::strcmp(variant, "all") == 0),
                      [v = options](const Way& s, const Batch& b, const Rows& which) {
                        return run_lse_fold(s, b, which, v);
                      },
                      true});
  }

  const CrossEntropyVariant everything = {.smoothing = 0.125,
                                          .softcap = 20,
                                          .z_loss = 1e-3,
                                          .grad_scale = -0.75,
                                          .temperature = true,
                                          .weights = true};
  const auto as_lists = [](CrossEntropyVariant v, int32_t weights) {
    v.lists = weights;
    v.from_one = true;
    return v;
  };
  const std::pair<const char*, CrossEntropyVariant> losses[] = {
      {"plain", {}},
      {"forward", {.with_grad = false}},
      {"smoothing", {.smoothing = 0.1}},
      {"smooth_unmasked", {.flags = VMX_SMOOTH_UNMASKED, .smoothing = 0.1}},
      {"weights", {.weights = true, .from_one = true}},
      {"softcap", {.softcap = 30}},
      {"z_loss", {.z_loss = 1e-4}},
      {"temperature", {.temperature = true}},
      {"everything", everything},
      {"lists", as_lists({}, VMX_F32)},
      {"lists_everything", as_lists(everything, VMX_F64)},
      {"mean", {.reduction = VMX_REDUCE_MEAN, .z_loss = 1e-3, .weights = true}},
      {"to_f32", {.stored = VMX_F32}},
      {"to_bf16", {.stored = VMX_BF16}},
      {"to_f16", {.stored = VMX_F16}},
      {"to_f64", {.smoothing = 0.1, .softcap = 15, .stored = VMX_F64}}};
  for (const auto& [variant, options] : losses) {
    if (options.stored == dtype) continue;
    cases->push_back({"cross_entropy." + type + "." + variant, dtype,
                      shape_of(options.temperature, std::strcmp(variant, "plain") == 0),
                      [v = options](const Way& s, const Batch& b, const Rows& which) {
                        return run_cross_entropy(s, b, which, v);
                      },
                      false, options.reduction == VMX_REDUCE_MEAN});
  }
  CrossEntropyVariant given = {.given_lse = true}, lists_given = as_lists({.given_lse = true}, VMX_F64);
  const std::pair<const char*, CrossEntropyVariant> gradients[] = {
      {"plain", {}},
      {"given_lse", given},
      {"everything", everything},
      {"lists_given_lse", lists_given},
      {"to_f16", {.smoothing = 0.1, .stored = VMX_F16}}};
  for (const auto& [variant, options] : gradients) {
    cases->push_back({"cross_entropy_backward." + type + "." + variant, dtype,
                      shape_of(options.temperature, std::strcmp(variant, "given_lse") == 0),
                      [v = options](const Way& s, const Batch& b, const Rows& which) {
                        return run_cross_entropy_backward(s, b, which, v);
                      }});
  }

  const std::pair<const char*, TopkVariant> selections[] = {
      {"one", {.k = 1}},
      {"few", {.k = 40, .id_type = VMX_I64, .col_offset = 1000000}},
      {"third", {}},
      {"all", {.k = -1}},
      {"smallest", {.flags = VMX_TOPK_SMALLEST, .k = 40}},
      {"unsorted", {.flags = VMX_TOPK_UNSORTED, .k = 300}},
      {"excluded", {.k = 40, .excluded = true, .id_type = VMX_I64, .col_offset = 5000000000}},
      {"excluded_smallest", {.flags = VMX_TOPK_SMALLEST | VMX_TOPK_UNSORTED, .excluded = true}}};
  for (const auto& [variant, options] : selections) {
    cases->push_back(
        {"topk." + type + "." + variant, dtype, shape_of(false, options.k == 40),
         [v = options](const Way& s, const Batch& b, const Rows& which) { return run_topk(s, b, which, v); },
         true});
  }
  const std::pair<const char*, TopkVariant> merges[] = {
      {"few", {.k = 40}},
      {"smallest_unsorted", {.flags = VMX_TOPK_SMALLEST | VMX_TOPK_UNSORTED, .id_type = VMX_I64}}};
  for (const auto& [variant, options] : merges) {
    cases->push_back({"topk_merge." + type + "." + variant, dtype, Shape::usual,
                      [v = options](const Way& s, const Batch& b, const Rows& which) {
                        return run_topk_merge(s, b, which, v);
                      }});
  }

  if (dtype != VMX_F32 && dtype != VMX_BF16) return;
  const auto update = [](int32_t optimizer, double decay) {
    vmx_update_options o = VMX_UPDATE_OPTIONS_INIT;
    o.optimizer = optimizer;
    o.step = 7;
    o.lr = 0.02;
    o.weight_decay = decay;
    return o;
  };
  const std::pair<const char*, vmx_update_options> updates[] = {
      {"sgd", update(VMX_SGD, 0)}, {"adagrad", update(VMX_ADAGRAD, 0.1)}, {"adam", update(VMX_ADAM, 0.1)}};
  for (const auto& [variant, options] : updates) {
    cases->push_back({"sparse_update." + type + "." + variant, dtype, Shape::usual,
                      [o = options](const Way& s, const Batch& b, const Rows& which) {
                        return run_sparse_update(s, b, which, o);
                      }});
  }
}

// ------------------------------------------------------------------------------------------------- samplers

struct DrawVariant {
  int32_t kind;
  uint32_t flags = 0;
  bool i64 = false;
  bool update = false;
};

Matrix embeddings_for(const Batch& b, int64_t classes, int64_t dim, uint64_t seed, const Layout& layout) {
  Matrix w(b.dtype, classes, dim, layout);
  Random random(seed);
  for (int64_t c = 0; c < classes; ++c) {
    for (int64_t k = 0; k < dim; ++k) w.set(c, k, random.bell() / 8);
  }
  return w;
}

// Rows of scores serve as hidden, a few columns of them.
Outputs run_draw(const Way& s, const Batch& b, const Rows& which, const DrawVariant& v) {
  const int64_t n = count(which), classes = 1 + 7 * b.cols() % 1000, dim = std::min<int64_t>(b.cols(), 40);
  const int64_t m = (v.flags & VMX_DRAW_UNIQUE) || v.kind == VMX_SAMPLER_EXACT ? classes : 100;
  const bool conditional = v.kind >= VMX_SAMPLER_MIDX;
  const Matrix x = placed(*b.x, which, s.in), w = embeddings_for(b, classes, dim, 1, s.in);
  const vmx_matrix hidden = columns(x, 0, dim);
  std::vector<double> weights;
  Random random(9);
  for (int64_t c = 0; c < classes; ++c) weights.push_back(c % 9 == 1 ? 0 : random.unit() / static_cast<double>(c + 1));
  const Vector given(VMX_F64, weights, s.stride, s.offset);
  vmx_sampler_options options = VMX_SAMPLER_OPTIONS_INIT;
  options.kind = v.kind;
  options.classes = classes;
  if (v.kind == VMX_SAMPLER_WEIGHTS) {
    options.weights = given.view();
    options.power = 0.75;
  }
  if (conditional) {
    options.embeddings = w.view();
    options.temperature = 0.5;
  }
  vmx_sampler* sampler = nullptr;
  run_call(s, [&] { return vmx_sampler_create(s.ctx, &options, &sampler); });
  const std::unique_ptr<vmx_sampler, void (*)(vmx_sampler*)> owner(sampler, vmx_sampler_destroy);
  const Matrix other = embeddings_for(b, classes, dim, 2, s.in);
  if (v.update) {
    const Ids ids(VMX_I64, {0, classes / 2, classes - 1}, 1, s.stride);
    run_call(s, [&] {
      return vmx_sampler_update(s.ctx, sampler, other, v.kind == VMX_SAMPLER_QUADRATIC ? &ids.view() : nullptr);
    });
  }
  const Matrix ids(v.i64 ? VMX_I64 : VMX_I32, n, m, s.out), log_q(VMX_F32, n, m, s.out);
  std::vector<int64_t> tries(which.size(), 99), labels;
  std::vector<uint32_t> flags(which.size(), 99);
  vmx_draw_options draw = VMX_DRAW_OPTIONS_INIT;
  draw.flags = v.flags;
  draw.seed = 0x123456789abcdef0;
  draw.step = 77;
  run_call(s, [&] {
    return vmx_sampler_draw(s.ctx, s.ws, sampler, conditional ? &hidden : nullptr, ids, log_q, tries.data(), flags.data(), &draw);
  });
  for (int64_t r = 0; r < n; ++r) labels.push_back(random.below(classes));
  const Ids list(VMX_I32, labels, 1, s.stride);
  const vmx_csr classes_asked = one_label(list);
  const Vector asked(VMX_F64, n, s.stride, s.offset);
  run_call(s, [&] {
    return vmx_sampler_log_q(s.ctx, s.ws, sampler, conditional ? &hidden : nullptr, &classes_asked, 0, nullptr, 0, asked);
  });
  EXPECT_TRUE(ids.surroundings_untouched() && log_q.surroundings_untouched() && asked.surroundings_untouched());
  Outputs outputs(n);
  outputs.add(ids);
  outputs.add(log_q);
  outputs.add(tries);
  outputs.add(flags);
  outputs.add(asked);
  return outputs;
}

void add_draw_cases(std::vector<Case>* cases) {
  const std::pair<const char*, DrawVariant> variants[] = {
      {"uniform", {VMX_SAMPLER_UNIFORM}},
      {"uniform_unique", {VMX_SAMPLER_UNIFORM, VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS, true}},
      {"log_uniform", {VMX_SAMPLER_LOG_UNIFORM, VMX_DRAW_COUNTS}},
      {"log_uniform_unique", {VMX_SAMPLER_LOG_UNIFORM, VMX_DRAW_UNIQUE}},
      {"weights", {VMX_SAMPLER_WEIGHTS, 0, true}},
      {"weights_unique", {VMX_SAMPLER_WEIGHTS, VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS}},
      {"midx", {VMX_SAMPLER_MIDX}},
      {"midx_unique", {VMX_SAMPLER_MIDX, VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS, true, true}},
      {"quadratic", {VMX_SAMPLER_QUADRATIC}},
      {"quadratic_unique", {VMX_SAMPLER_QUADRATIC, VMX_DRAW_UNIQUE, false, true}},
      {"exact", {VMX_SAMPLER_EXACT}},
      {"exact_replace", {VMX_SAMPLER_EXACT, VMX_DRAW_REPLACE | VMX_DRAW_COUNTS, true, true}}};
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    for (const auto& [name, variant] : variants) {
      if (dtype != VMX_F32 && variant.kind < VMX_SAMPLER_MIDX) continue;
      // A row's draws are those of its place in the call.
      cases->push_back({std::string("draw.") + name_of(dtype) + "." + name, dtype, Shape::usual,
                        [v = variant](const Way& s, const Batch& b, const Rows& which) { return run_draw(s, b, which, v); },
                        false, true});
    }
  }
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> list;
    for (const int32_t dtype : kFloatTypes) add_cases_of(dtype, &list);
    add_draw_cases(&list);
    return list;
  }();
  return cases;
}

// ------------------------------------------------------------------------------------------------ the test

int32_t in_reverse(void*, int64_t n, vmx_task task, void* arg) {
  for (int64_t i = n; i-- > 0;) task(arg, i);
  return 0;
}

// Made once: pools of threads take their time.
struct Contexts {
  std::vector<std::unique_ptr<Context>> isas, pools;
  Context reversed{VMX_ISA_BEST, 4, in_reverse};
  Workspace workspace{};
  Contexts() {
    for (const int32_t isa : usable_isas()) isas.push_back(std::make_unique<Context>(isa));
    for (const int32_t threads : {1, 2, 3, 7})
      pools.push_back(std::make_unique<Context>(VMX_ISA_BEST, threads));
  }
  std::string isa_name(size_t i) const { return vmx_isa_name(vmx_isa_active(*isas[i])); }
};
Contexts& contexts() {
  static Contexts made;
  return made;
}

const Layout kLayouts[] = {{.row_pad = 5, .offset = 3},
                           {.offset = 1},
                           {.step = 2},
                           {.transposed = true},
                           {.reversed_rows = true},
                           {.row_pad = 1, .reversed_cols = true},
                           {.row_pad = 1, .step = 3, .offset = 1, .transposed = true, .reversed_cols = true}};
constexpr size_t kLayoutCount = sizeof kLayouts / sizeof kLayouts[0];

std::vector<Way> ways(const Case& test, const Batch& batch) {
  Contexts& c = contexts();
  std::vector<Way> result;
  for (size_t i = 1; i < c.isas.size(); ++i) result.push_back({.name = c.isa_name(i), .ctx = *c.isas[i]});
  result.push_back({.name = "no context"});
  result.push_back({.name = "a used workspace", .ws = c.workspace});
  for (const auto& pool : c.pools) {
    const int32_t threads = vmx_context_threads(*pool);
    if (VMX_TEST_SANITIZED && threads < 7) continue;
    result.push_back({.name = std::to_string(threads) + " threads", .ctx = *pool});
  }
  result.push_back({.name = "tasks in reverse order", .ctx = c.reversed});
  if (test.shards && batch.cols() > VMX_BLOCK) {
    for (const uint64_t seed : {1, 2, 3, 4, 5}) {
      const size_t isa = seed % c.isas.size();
      result.push_back({.name = "shards " + std::to_string(seed) + " on " + c.isa_name(isa),
                        .ctx = *c.isas[isa],
                        .shards = seed});
    }
    result.push_back({.name = "shards 6 on 3 threads", .ctx = *c.pools[2], .shards = 6});
  }
  if (batch.is_long) return result;
  for (size_t isa = 0; isa < c.isas.size(); ++isa) {
    const Context& ctx = *c.isas[isa];
    const std::string on = " on " + c.isa_name(isa);
    const bool slow = isa == 0 && c.isas.size() > 1;  // the scalar kernels: one layout will do
    for (size_t i = slow ? kLayoutCount - 1 : 0; i < kLayoutCount; ++i) {
      const size_t one_in = VMX_TEST_SANITIZED ? 4 : batch.cols() > VMX_BLOCK ? 2 : 1;  // to save time
      if (isa > 0 && (i + isa + test.name.size()) % one_in) continue;
      result.push_back({.name = "layout " + std::to_string(i) + on,
                        .ctx = ctx,
                        .in = kLayouts[i],
                        .out = kLayouts[(i + 3) % kLayoutCount],
                        .stride = i % 2 ? 3 : -2,
                        .offset = 1});
    }
    result.push_back({.name = "in place" + on, .ctx = ctx, .in = kLayouts[slow ? 6 : 1], .in_place = true});
    result.push_back({.name = "FTZ, DAZ, rounding down" + on, .ctx = ctx, .other_mode = true});
  }
  return result;
}

// The first place where two runs differ. `which` tells the rows of `got`.
std::string difference(const Batch& batch, const Outputs& expected, const Outputs& got, const Rows& which) {
  for (size_t i = 0; i < which.size(); ++i) {
    const Bytes& a = expected.rows[static_cast<size_t>(which[i])];
    const Bytes& b = got.rows[i];
    if (a == b) continue;
    const size_t n = std::min(a.size(), b.size());
    const size_t at = static_cast<size_t>(
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first - a.begin());
    const auto hex = [&](const Bytes& bytes) {
      std::string text;
      for (size_t j = at / 4 * 4; j < std::min(bytes.size(), at / 4 * 4 + 8); ++j) {
        char digits[4];
        std::snprintf(digits, sizeof digits, "%02x", bytes[j]);
        text += digits;
      }
      return text;
    };
    return "row " + std::to_string(which[i]) + " (" + batch.names[static_cast<size_t>(which[i])] + ", T " +
           std::to_string(batch.temperature[static_cast<size_t>(which[i])]) + "), byte " +
           std::to_string(at) + " of " + std::to_string(a.size()) + ": " + hex(b) + " instead of " + hex(a);
  }
  if (which.size() == expected.rows.size() && std::is_sorted(which.begin(), which.end()) &&
      got.whole != expected.whole) {
    return "totals of the batch";
  }
  return "";
}

class SameBits : public testing::TestWithParam<Case> {
 public:
  // What was found, for VMX_UPDATE_HASHES.
  static std::map<std::string, std::string>& found() {
    static std::map<std::string, std::string> hashes;
    return hashes;
  }
  static void TearDownTestSuite() {
    if (!HashList::updating()) return;
    std::map<std::string, std::string> hashes;
    const auto old = HashList::read();
    for (const Case& test : all_cases()) {
      const auto fresh = found().find(test.name);
      const auto kept = old.find(test.name);
      if (fresh != found().end())
        hashes.insert(*fresh);
      else if (kept != old.end())
        hashes.insert(*kept);
    }
    HashList::write(hashes);
  }
};

TEST_P(SameBits, Everywhere) {
  const Case& test = GetParam();
  Contexts& c = contexts();
  Sha256 hash;
  for (const Batch& batch : batches_of(test.dtype, test.shape)) {
    Rows all(static_cast<size_t>(batch.rows()));
    std::iota(all.begin(), all.end(), 0);
    const auto at = [&](const std::string& way) {
      return test.name + ", " + std::to_string(batch.cols()) + " columns, " + way + " against " +
             c.isa_name(0) + ": ";
    };
    const Outputs expected = test.run({.name = "", .ctx = *c.isas[0]}, batch, all);
    for (const Bytes& row : expected.rows) hash.add(row);
    hash.add(expected.whole);
    for (const Way& way : ways(test, batch)) {
      const std::string found = difference(batch, expected, test.run(way, batch, all), all);
      EXPECT_EQ(found, "") << at(way.name);
    }
    if (test.whole_batch) continue;
    const Rows reversed(all.rbegin(), all.rend());
    const std::string found =
        difference(batch, expected, test.run({.name = "", .ctx = *c.pools[1]}, batch, reversed), reversed);
    EXPECT_EQ(found, "") << at("rows in reverse order");
    for (const int64_t row : all) {
      const Way alone = {.name = "", .ctx = row % 2 ? *c.pools[3] : *c.isas.back()};
      const std::string found_alone = difference(batch, expected, test.run(alone, batch, {row}), {row});
      EXPECT_EQ(found_alone, "") << at("a row alone");
    }
  }
  if (VMX_TEST_SANITIZED) return;  // fewer rows
  const std::string hex = hash.hex();
  if (HashList::updating()) {
    if (!HasFailure()) found()[test.name] = hex;
    return;
  }
  static const std::map<std::string, std::string> list = HashList::read();
  const auto entry = list.find(test.name);
  ASSERT_NE(entry, list.end()) << test.name << " is not in the list of hashes";
  EXPECT_EQ(hex, entry->second) << test.name << ": other bits than in the list of hashes";
}
INSTANTIATE_TEST_SUITE_P(All, SameBits, testing::ValuesIn(all_cases()), [](const auto& test) {
  std::string name = test.param.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

TEST(HashListOf, EveryCaseAndNoOther) {
  if (HashList::updating()) GTEST_SKIP();
  auto list = HashList::read();
  for (const Case& test : all_cases())
    EXPECT_EQ(list.erase(test.name), 1u) << test.name << " is not in the list of hashes";
  for (const auto& entry : list) ADD_FAILURE() << entry.first << " is in the list of hashes, but is no case";
}

}  // namespace
