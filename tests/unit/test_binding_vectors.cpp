// SPDX-License-Identifier: Apache-2.0
// ctest-labels: bits sanitize
// The cases of tests/vectors/bindings.txt, which the bindings of every language run as well, give the same bits on each ISA.
// After a change of bits that is meant, or a new case: VMX_UPDATE_VECTORS=1 build/dev/bin/test_unit_binding_vectors
#include "support/contexts.hpp"
#include "support/dtypes.hpp"
#include "support/json_vectors.hpp"
#include "support/random.hpp"
#include "support/rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace vmx::test;

const char* const kPath = VMX_TEST_VECTORS_DIR "/bindings.txt";
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const char* const kAbout =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Calls whose results have the same bits in every language. Written by tests/unit/test_binding_vectors.cpp.\n"
    "#   case <name>\n"
    "#   call <function, without vmx_>\n"
    "#   in <argument> <dtype> <dims> <hex>   row-major and contiguous, little-endian bytes; - for none\n"
    "#   opt <name> <value>                   scalars: arguments, and fields of the option structs; enums as numbers\n"
    "#   out <argument> <dtype> <dims> <hex>  what is asked for, and nothing else is (NULL); begins as 0, or as \"in\" says\n"
    "#   end\n"
    "# Arguments have their names in the header; of structs, those of their fields: targets.ids, linear.weights,\n"
    "# candidates.log_q, grads.sparse.rows; fields of options and out structs stand bare: temperature, loss. A temperature of\n"
    "# one element is for all rows. dtypes: f32 bf16 f16 f64 i32 i64 u32, and u8 for the 96 bytes of a vmx_lse_state. ids have\n"
    "# base 0. Sampler calls begin with a new sampler, by the fields sampler.*; sampler_observe sees one step for each row of\n"
    "# ids, from step on, and then sampler_log_q is asked for classes.ids. Of grads.sparse the first grads.sparse.count rows are\n"
    "# written, and the others stay 0.\n";

// ------------------------------------------------------------------------------------------------ arrays

using Values = std::vector<double>;

struct Dtype {
  const char* name;
  size_t size;
};
constexpr int32_t kU32 = 100, kU8 = 101;  // no dtypes of the header

Dtype dtype_of(int32_t number) {
  switch (number) {
    case VMX_F32: return {"f32", 4};
    case VMX_BF16: return {"bf16", 2};
    case VMX_F16: return {"f16", 2};
    case VMX_F64: return {"f64", 8};
    case VMX_I32: return {"i32", 4};
    case VMX_I64: return {"i64", 8};
    case kU32: return {"u32", 4};
    case kU8: return {"u8", 1};
    default: throw std::invalid_argument("dtype");
  }
}

// Contiguous, row-major.
struct Array {
  int32_t dtype;
  std::vector<int64_t> dims;
  std::vector<unsigned char> bytes;

  Array(int32_t type, std::vector<int64_t> shape) : dtype(type), dims(std::move(shape)) {
    size_t n = dtype_of(dtype).size;
    for (const int64_t dim : dims) n *= static_cast<size_t>(dim);
    bytes.assign(n, 0);
    bytes.reserve(1);  // an empty array has an address too
  }
  Array(int32_t type, std::vector<int64_t> shape, const Values& values) : Array(type, std::move(shape)) {
    if (values.size() * dtype_of(dtype).size != bytes.size()) throw std::invalid_argument("values do not fit the shape");
    for (size_t i = 0; i < values.size(); ++i) {
      unsigned char* const at = bytes.data() + i * dtype_of(dtype).size;
      if (dtype == VMX_I32) {
        const auto id = static_cast<int32_t>(values[i]);
        std::memcpy(at, &id, sizeof id);
      } else if (dtype == VMX_I64) {
        const auto id = static_cast<int64_t>(values[i]);
        std::memcpy(at, &id, sizeof id);
      } else {
        put(at, dtype, static_cast<long double>(values[i]));
      }
    }
  }

  void* data() { return bytes.data(); }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(bytes.data());
  }
  vmx_matrix matrix() {
    const int64_t cols = dims.size() > 1 ? dims[1] : 1;
    return {data(), dims[0], cols, cols, 1, dtype, 0};
  }
  vmx_vector vector() { return {data(), dims[0], 1, dtype, 0}; }
  vmx_ids ids() {
    int64_t n = 1;
    for (const int64_t dim : dims) n *= dim;
    return {data(), n, 1, dtype, 0};
  }
  std::string text() const {
    std::string line = std::string(dtype_of(dtype).name) + ' ';
    for (size_t i = 0; i < dims.size(); ++i) line += (i ? "x" : "") + std::to_string(dims[i]);
    line += ' ';
    const char* const digits = "0123456789abcdef";
    for (const unsigned char byte : bytes) {
      line += digits[byte >> 4];
      line += digits[byte & 15];
    }
    return bytes.empty() ? line + '-' : line;
  }
};

// ------------------------------------------------------------------------------------------------- cases

class Case {
 public:
  explicit Case(const vmx_context* ctx) : ctx_(ctx) {}

  const vmx_context* ctx() const { return ctx_; }
  Array& in(const std::string& name, Array array) {
    ins_ += "in " + name + ' ' + array.text() + '\n';
    return keep(std::move(array));
  }
  Array& out(const std::string& name, Array array) {
    outs_.emplace_back(name, &keep(std::move(array)));
    return *outs_.back().second;
  }
  // Read and written.
  Array& in_out(const std::string& name, const Array& array) {
    in(name, array);
    return out(name, array);
  }
  template <class T>
  T opt(const std::string& name, T value) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, value);
    opts_ += "opt " + name + ' ' + std::string(text, end.ptr) + '\n';
    return value;
  }
  void call(const char* name, vmx_status status) {
    if (status == VMX_ERR_UNSUPPORTED && vmx_onednn_version()[0] == '\0') unsupported_ = true;
    else if (status != VMX_OK) throw std::runtime_error(last_error());
    call_ = name;
  }
  bool unsupported() const { return unsupported_; }
  std::string text(const std::string& name) const {
    std::string result = "case " + name + "\ncall " + call_ + '\n' + ins_ + opts_;
    for (const auto& [argument, array] : outs_) result += "out " + argument + ' ' + array->text() + '\n';
    return result + "end\n";
  }

 private:
  Array& keep(Array array) {
    arrays_.push_back(std::make_unique<Array>(std::move(array)));
    return *arrays_.back();
  }
  const vmx_context* ctx_;
  std::vector<std::unique_ptr<Array>> arrays_;
  std::vector<std::pair<std::string, Array*>> outs_;
  std::string call_, ins_, opts_;
  bool unsupported_ = false;
};

struct Named {
  std::string name;
  std::function<void(Case&)> run;
};
using Cases = std::vector<Named>;

int32_t wide(int32_t dtype) { return dtype == VMX_F64 ? VMX_F64 : VMX_F32; }

// -------------------------------------------------------------------------------------------------- inputs

Values rows_of(const std::vector<const char*>& kinds, int64_t cols, int32_t dtype, uint64_t seed) {
  Values all;
  for (const char* kind : kinds) {
    const Values row = make_row(row_kind(kind), cols, dtype, ++seed);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

// What a row may hold: usual, masks, ties, then the odd ones.
const std::vector<const char*> kMixed = {"bell", "masked", "zeros", "nan", "inf", "all_masked"};
const std::vector<const char*> kPlain = {"bell", "masked", "deep_holes"};

Array scores(int32_t dtype, const std::vector<const char*>& kinds, int64_t cols, uint64_t seed = 1) {
  const auto rows = static_cast<int64_t>(kinds.size());
  return Array(dtype, {rows, cols}, rows_of(kinds, cols, dtype, seed));
}

// Numbers of few bits, whose products and their sums are exact in f32 whatever their order.
Array few_bits(int32_t dtype, int64_t rows, int64_t cols, uint64_t seed) {
  Random random(seed);
  Values values;
  for (int64_t i = 0; i < rows * cols; ++i) values.push_back(static_cast<double>(random.below(17) - 8) / 8);
  return Array(dtype, {rows, cols}, values);
}

Array bells(int32_t dtype, std::vector<int64_t> dims, uint64_t seed, double scale = 1) {
  Random random(seed);
  size_t n = 1;
  for (const int64_t dim : dims) n *= static_cast<size_t>(dim);
  Values values;
  for (size_t i = 0; i < n; ++i) values.push_back(scale * random.bell());
  return Array(dtype, std::move(dims), values);
}

Array uniform_ids(int32_t type, std::vector<int64_t> dims, int64_t classes, uint64_t seed) {
  Random random(seed);
  size_t n = 1;
  for (const int64_t dim : dims) n *= static_cast<size_t>(dim);
  Values values;
  for (size_t i = 0; i < n; ++i) values.push_back(static_cast<double>(random.below(classes)));
  return Array(type, std::move(dims), values);
}

template <class Options>
void set_temperature(Case& c, Options& options, const Values& temperature) {
  if (temperature.empty()) return;
  Array& t = c.in("temperature", Array(VMX_F32, {static_cast<int64_t>(temperature.size())}, temperature));
  options.temperature = t.as<float>();
  options.temperature_stride = temperature.size() > 1 ? 1 : 0;
}

std::string shape(const Array& x) { return std::to_string(x.dims[0]) + 'x' + std::to_string(x.dims[1]); }

// ------------------------------------------------------------------------------------------- softmax family

enum class Softmax { logsumexp, softmax, log_softmax };

void run_softmax(Case& c, Softmax which, const Array& scores_in, const Values& temperature = {}, uint32_t flags = 0,
                 int32_t stored = 0) {
  const int64_t rows = scores_in.dims[0];
  vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
  const vmx_matrix x = c.in("x", scores_in).matrix();
  set_temperature(c, options, temperature);
  if (flags) options.flags = c.opt("flags", flags);
  vmx_matrix y{};
  if (which != Softmax::logsumexp) y = c.out("y", Array(stored ? stored : x.dtype, scores_in.dims)).matrix();
  const vmx_vector lse = c.out("lse", Array(wide(x.dtype), {rows})).vector();
  uint32_t* const row_flags = c.out("row_flags", Array(kU32, {rows})).as<uint32_t>();
  if (which == Softmax::logsumexp)
    c.call("logsumexp", vmx_logsumexp(c.ctx(), nullptr, &x, &lse, row_flags, &options));
  else if (which == Softmax::softmax)
    c.call("softmax", vmx_softmax(c.ctx(), nullptr, &x, &y, &lse, row_flags, &options));
  else
    c.call("log_softmax", vmx_log_softmax(c.ctx(), nullptr, &x, &y, &lse, row_flags, &options));
}

void add_softmax(Cases& cases) {
  const std::pair<const char*, Softmax> family[] = {
      {"logsumexp", Softmax::logsumexp}, {"softmax", Softmax::softmax}, {"log_softmax", Softmax::log_softmax}};
  for (const auto& [name, which] : family) {
    const std::string op = name;
    const Softmax w = which;
    for (const int32_t dtype : kFloatTypes) {
      const Array x = scores(dtype, kMixed, 37);
      cases.push_back({op + '.' + dtype_of(dtype).name + '.' + shape(x), [=](Case& c) { run_softmax(c, w, x); }});
    }
    const Array x = scores(VMX_F32, kMixed, 37);
    cases.push_back({op + ".temperature", [=](Case& c) { run_softmax(c, w, x, {0.7, 2, 1, 1, 0.5, 3}); }});
    cases.push_back({op + ".hot", [=](Case& c) { run_softmax(c, w, x, {kInf}); }});
    cases.push_back({op + ".cold", [=](Case& c) { run_softmax(c, w, x, {0}); }});
    if (w == Softmax::logsumexp) continue;
    cases.push_back({op + ".precise", [=](Case& c) {
                       run_softmax(c, w, scores(VMX_F32, kMixed, 37, 2), {}, VMX_PRECISE | VMX_ZERO_MASKED);
                     }});
    cases.push_back({op + ".f32.to.bf16", [=](Case& c) { run_softmax(c, w, x, {}, 0, VMX_BF16); }});
    cases.push_back({op + ".f32.to.f16", [=](Case& c) { run_softmax(c, w, x, {}, 0, VMX_F16); }});
  }
  cases.push_back({"logsumexp.f32.3x1000", [](Case& c) {
                     run_softmax(c, Softmax::logsumexp, scores(VMX_F32, {"bell", "wide", "masked"}, 1000));
                   }});
  cases.push_back({"logsumexp.f32.two_blocks", [](Case& c) {
                     run_softmax(c, Softmax::logsumexp, scores(VMX_F32, {"wide"}, VMX_BLOCK + 77));
                   }});
  cases.push_back({"logsumexp.no_rows", [](Case& c) { run_softmax(c, Softmax::logsumexp, Array(VMX_F32, {0, 5})); }});
  for (const auto& item : load_vectors("smooth.json")) {
    if (item.op == "cross_entropy" || item.in.at("z").size() > 64) continue;
    const Values z = floats_in(item.in.at("z"));
    Values t;
    if (item.in.contains("temperature")) t = {static_cast<double>(float_in(item.in.at("temperature")))};
    const Array x(VMX_F32, {1, static_cast<int64_t>(z.size())}, z);
    std::string name = item.id;
    std::replace(name.begin(), name.end(), '/', '.');
    cases.push_back({"softmax.of." + name, [=](Case& c) { run_softmax(c, Softmax::softmax, x, t); }});
  }
}

void add_backward(Cases& cases) {
  for (const int32_t dtype : kFloatTypes) {
    const std::string suffix = std::string(".") + dtype_of(dtype).name;
    cases.push_back({"logsumexp_backward" + suffix, [=](Case& c) {
                       vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
                       const Array x_in = scores(dtype, kMixed, 33, 5);
                       const int64_t rows = x_in.dims[0];
                       const vmx_matrix x = c.in("x", x_in).matrix();
                       const vmx_vector upstream = c.in("grad_lse", bells(wide(dtype), {rows}, 3)).vector();
                       set_temperature(c, options, {2, 1, 0.5, 1, 1, 1});
                       const vmx_matrix grad = c.out("grad_x", Array(dtype, x_in.dims)).matrix();
                       c.call("logsumexp_backward",
                              vmx_logsumexp_backward(c.ctx(), nullptr, &x, nullptr, &upstream, &grad, &options));
                     }});
    for (const bool logarithm : {false, true}) {
      const char* const op = logarithm ? "log_softmax_backward" : "softmax_backward";
      cases.push_back({op + suffix, [=](Case& c) {
                         vmx_softmax_options options = VMX_SOFTMAX_OPTIONS_INIT;
                         Array x_in = scores(dtype, {"bell", "masked", "nan", "all_masked"}, 33, 6);
                         Array y_made(dtype, x_in.dims);
                         const vmx_matrix x = x_in.matrix(), y_out = y_made.matrix();
                         const vmx_status made = (logarithm ? vmx_log_softmax : vmx_softmax)(
                             c.ctx(), nullptr, &x, &y_out, nullptr, nullptr, nullptr);
                         if (made != VMX_OK) throw std::runtime_error(last_error());
                         const vmx_matrix y = c.in("y", y_made).matrix();
                         const vmx_matrix grad_y = c.in("grad_y", bells(dtype, x_in.dims, 4)).matrix();
                         set_temperature(c, options, {1.5});
                         const vmx_matrix grad = c.out("grad_x", Array(dtype, x_in.dims)).matrix();
                         c.call(op, (logarithm ? vmx_log_softmax_backward : vmx_softmax_backward)(
                                        c.ctx(), nullptr, &y, &grad_y, &grad, &options));
                       }});
    }
  }
}

// --------------------------------------------------------------------------------------------------- states

constexpr int64_t kStateBytes = sizeof(vmx_lse_state);

Array folded(Case& c, Array x_in, uint32_t flags, int64_t col_offset) {
  Array states(kU8, {x_in.dims[0], kStateBytes});
  const vmx_matrix x = x_in.matrix();
  vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
  options.flags = flags;
  if (vmx_lse_fold(c.ctx(), nullptr, &x, col_offset, states.as<vmx_lse_state>(), &options) != VMX_OK)
    throw std::runtime_error(last_error());
  return states;
}

void add_states(Cases& cases) {
  constexpr uint32_t kBoth = VMX_FOLD_SUMS | VMX_FOLD_ENTROPY;
  const auto fold = [](Case& c, const Array& x_in, const Array& before, uint32_t flags, int64_t col_offset,
                       const Values& weights = {}, const Values& skip = {}) {
    vmx_lse_options options = VMX_LSE_OPTIONS_INIT;
    const vmx_matrix x = c.in("x", x_in).matrix();
    c.opt("col_offset", col_offset);
    if (flags) options.flags = c.opt("flags", flags);
    if (!weights.empty()) options.class_weight = c.in("class_weight", Array(VMX_F32, {x.cols}, weights)).vector();
    if (!skip.empty()) options.skip = c.in("skip", Array(VMX_I64, {x.rows}, skip)).ids();
    vmx_lse_state* const states = c.in_out("states", before).as<vmx_lse_state>();
    c.call("lse_fold", vmx_lse_fold(c.ctx(), nullptr, &x, col_offset, states, &options));
  };
  for (const int32_t dtype : kFloatTypes) {
    cases.push_back({std::string("lse_fold.") + dtype_of(dtype).name, [=](Case& c) {
                       const Array x = scores(dtype, kMixed, 37, 7);
                       fold(c, x, Array(kU8, {x.dims[0], kStateBytes}), 0, 0);
                     }});
  }
  cases.push_back({"lse_fold.second_shard", [=](Case& c) {
                     const Array x = scores(VMX_BF16, kPlain, 300, 8);
                     fold(c, x, folded(c, scores(VMX_BF16, kPlain, VMX_BLOCK, 9), 0, 0), 0, VMX_BLOCK);
                   }});
  cases.push_back({"lse_fold.sums_and_entropy", [=](Case& c) {
                     const Array x = scores(VMX_F32, kMixed, 37, 10);
                     Values weights;
                     for (int i = 0; i < 37; ++i) weights.push_back(i % 5 / 4.0);
                     fold(c, x, Array(kU8, {x.dims[0], kStateBytes}), kBoth, 0, weights, {0, 36, 5, 99, 1, -100 + 102});
                   }});
  cases.push_back({"lse_merge", [=](Case& c) {
                     const Array a = folded(c, scores(VMX_F32, kMixed, 37, 11), kBoth, 0);
                     const Array b = folded(c, scores(VMX_F32, {"wide", "bell", "far", "bell", "nan", "masked"}, 50, 12), kBoth, 37);
                     vmx_lse_state* const into = c.in_out("into", a).as<vmx_lse_state>();
                     const vmx_lse_state* const from = c.in("from", b).as<vmx_lse_state>();
                     c.call("lse_merge", vmx_lse_merge(into, from, 6));
                   }});
  for (const int32_t dtype : {VMX_F32, VMX_F64}) {
    cases.push_back({std::string("lse_finish.") + dtype_of(dtype).name, [=](Case& c) {
                       const Array made = folded(c, scores(VMX_F64, kMixed, 37, 13), kBoth, 0);
                       const vmx_lse_state* const states = c.in("states", made).as<vmx_lse_state>();
                       const vmx_vector lse = c.out("lse", Array(dtype, {6})).vector(),
                                        entropy = c.out("entropy", Array(dtype, {6})).vector();
                       uint32_t* const flags = c.out("row_flags", Array(kU32, {6})).as<uint32_t>();
                       c.call("lse_finish", vmx_lse_finish(states, 6, nullptr, &lse, &entropy, flags));
                     }});
  }
  cases.push_back({"lse_shorten", [=](Case& c) {
                     const Array made = folded(c, scores(VMX_F32, kMixed, 37, 14), 0, 0);
                     const vmx_lse_state* const states = c.in("states", made).as<vmx_lse_state>();
                     Array& out = c.out("out", Array(VMX_F64, {6, 2}));
                     c.call("lse_shorten", vmx_lse_shorten(states, 6, nullptr, out.as<vmx_lse_short>()));
                   }});
  const Values shorts = {1, 2, -3, 1, kNan, kNan, -kInf, 0, kInf, 1}, others = {2, 1, 40, 3, 1, 1, 5, 2, 0, 1};
  cases.push_back({"lse_short_merge", [=](Case& c) {
                     vmx_lse_short* const into = c.in_out("into", Array(VMX_F64, {5, 2}, shorts)).as<vmx_lse_short>();
                     const vmx_lse_short* const from = c.in("from", Array(VMX_F64, {5, 2}, others)).as<vmx_lse_short>();
                     c.call("lse_short_merge", vmx_lse_short_merge(into, from, 5));
                   }});
  cases.push_back({"lse_short_finish", [=](Case& c) {
                     const vmx_lse_short* const states = c.in("states", Array(VMX_F64, {5, 2}, shorts)).as<vmx_lse_short>();
                     const vmx_vector lse = c.out("lse", Array(VMX_F64, {5})).vector();
                     c.call("lse_short_finish", vmx_lse_short_finish(states, 5, &lse));
                   }});
}

// --------------------------------------------------------------------------------------------- cross-entropy

struct Loss {
  int32_t reduction = VMX_REDUCE_NONE;
  double label_smoothing = 0, softcap = 0, z_loss = 0, grad_scale = 1;
  uint32_t flags = 0;
  bool weights = false, lists = false, grad = true;
  Values temperature = {};
};

vmx_csr targets_of(Case& c, int64_t rows, int64_t cols, bool lists) {
  vmx_csr targets{};
  Values ids, indptr = {0}, weights;
  if (!lists) {
    for (int64_t r = 0; r < rows; ++r) ids.push_back(r == 2 ? -100 : static_cast<double>((7 * r + 3) % cols));
    targets.ids = c.in("targets.ids", Array(VMX_I64, {rows}, ids)).ids();
    return targets;
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < r % 4; ++i) {
      ids.push_back(static_cast<double>((5 * r + 11 * i) % cols));
      weights.push_back(0.25 * static_cast<double>(1 + (r + i) % 5));
    }
    indptr.push_back(static_cast<double>(ids.size()));
  }
  const auto n = static_cast<int64_t>(ids.size());
  targets.indptr = c.in("targets.indptr", Array(VMX_I32, {rows + 1}, indptr)).ids();
  targets.ids = c.in("targets.ids", Array(VMX_I32, {n}, ids)).ids();
  targets.weights = c.in("targets.weights", Array(VMX_F32, {n}, weights)).vector();
  return targets;
}

vmx_cross_entropy_options loss_options(Case& c, const Loss& loss, int64_t cols) {
  vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  if (loss.reduction) options.reduction = c.opt("reduction", loss.reduction);
  if (loss.label_smoothing != 0) options.label_smoothing = c.opt("label_smoothing", loss.label_smoothing);
  if (loss.softcap != 0) options.softcap = c.opt("softcap", loss.softcap);
  if (loss.z_loss != 0) options.z_loss = c.opt("z_loss", loss.z_loss);
  if (loss.flags) options.flags = c.opt("flags", loss.flags);
  if (loss.weights) {
    Values weights;
    for (int64_t i = 0; i < cols; ++i) weights.push_back(0.25 * static_cast<double>(1 + i % 7));
    options.class_weight = c.in("class_weight", Array(VMX_F32, {cols}, weights)).vector();
  }
  set_temperature(c, options, loss.temperature);
  return options;
}

vmx_cross_entropy_out answers(Case& c, int64_t rows, int32_t dtype) {
  vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
  out.loss = c.out("loss", Array(wide(dtype), {rows})).vector();
  out.z_loss = c.out("z_loss", Array(wide(dtype), {rows})).vector();
  out.lse = c.out("lse", Array(wide(dtype), {rows})).vector();
  out.total = c.out("total", Array(VMX_F64, {1})).as<double>();
  out.total_z_loss = c.out("total_z_loss", Array(VMX_F64, {1})).as<double>();
  out.total_weight = c.out("total_weight", Array(VMX_F64, {1})).as<double>();
  out.row_flags = c.out("row_flags", Array(kU32, {rows})).as<uint32_t>();
  return out;
}

void add_cross_entropy(Cases& cases) {
  const std::vector<const char*> kinds = {"bell", "masked", "bell", "nan", "inf", "all_masked", "wide", "equal"};
  Loss all;
  all.reduction = VMX_REDUCE_MEAN;
  all.label_smoothing = 0.1;
  all.z_loss = 1e-3;
  all.softcap = 30;
  all.weights = true;
  all.flags = VMX_SMOOTH_UNMASKED;
  all.temperature = {1.25};
  all.grad_scale = 0.5;
  Loss lists = all;
  lists.lists = true;
  lists.reduction = VMX_REDUCE_SUM;
  lists.softcap = 0;
  Loss mean;
  mean.reduction = VMX_REDUCE_MEAN;
  mean.grad = false;

  const auto forward = [=](Case& c, int32_t dtype, const Loss& loss, uint64_t seed) {
    const Array x_in = scores(dtype, kinds, 29, seed);
    const int64_t rows = x_in.dims[0], cols = x_in.dims[1];
    const vmx_matrix x = c.in("x", x_in).matrix();
    const vmx_csr targets = targets_of(c, rows, cols, loss.lists);
    const vmx_cross_entropy_options options = loss_options(c, loss, cols);
    vmx_cross_entropy_out out = answers(c, rows, dtype);
    if (loss.grad_scale != 1) out.grad_scale = c.opt("grad_scale", loss.grad_scale);
    if (loss.grad) out.grad = c.out("grad", Array(dtype, x_in.dims)).matrix();
    c.call("cross_entropy", vmx_cross_entropy(c.ctx(), nullptr, &x, &targets, &out, &options));
  };
  const auto backward = [=](Case& c, int32_t dtype, const Loss& loss, uint64_t seed) {
    const Array x_in = scores(dtype, kinds, 29, seed);
    const int64_t rows = x_in.dims[0], cols = x_in.dims[1];
    const vmx_matrix x = c.in("x", x_in).matrix();
    const vmx_csr targets = targets_of(c, rows, cols, loss.lists);
    const vmx_cross_entropy_options options = loss_options(c, loss, cols);
    const vmx_vector upstream = c.in("grad_loss", bells(wide(dtype), {rows}, 9)).vector();
    const vmx_matrix grad = c.out("grad", Array(dtype, x_in.dims)).matrix();
    c.call("cross_entropy_backward",
           vmx_cross_entropy_backward(c.ctx(), nullptr, &x, &targets, nullptr, &upstream, &grad, &options));
  };
  for (const int32_t dtype : kFloatTypes) {
    const std::string suffix = std::string(".") + dtype_of(dtype).name;
    cases.push_back({"cross_entropy" + suffix, [=](Case& c) { forward(c, dtype, Loss(), 20); }});
    cases.push_back({"cross_entropy_backward" + suffix, [=](Case& c) { backward(c, dtype, Loss(), 21); }});
  }
  cases.push_back({"cross_entropy.mean", [=](Case& c) { forward(c, VMX_F32, mean, 22); }});
  cases.push_back({"cross_entropy.all_options", [=](Case& c) { forward(c, VMX_F32, all, 23); }});
  cases.push_back({"cross_entropy.all_options.f64", [=](Case& c) { forward(c, VMX_F64, all, 24); }});
  cases.push_back({"cross_entropy.lists", [=](Case& c) { forward(c, VMX_F32, lists, 25); }});
  Loss upstream = lists;
  upstream.reduction = VMX_REDUCE_NONE;
  cases.push_back({"cross_entropy_backward.lists", [=](Case& c) { backward(c, VMX_F32, upstream, 26); }});

  for (const auto& item : load_vectors("smooth.json", "cross_entropy")) {
    const std::string& id = item.id;
    if (id != "ce/all/len_17" && id != "ce/plain/huge" && id != "ce/smooth/underflow_edge" && id != "ce/softcap/len_33" &&
        id != "ce/weights/ties_17" && id != "ce/zloss/big_offset" && id != "ce/plain/mask_some")
      continue;
    std::string name = id;
    std::replace(name.begin(), name.end(), '/', '.');
    const auto in = item.in;
    cases.push_back({"cross_entropy.of." + name, [=](Case& c) {
                       const Values z = floats_in(in.at("z"));
                       const auto cols = static_cast<int64_t>(z.size());
                       const vmx_matrix x = c.in("x", Array(VMX_F32, {1, cols}, z)).matrix();
                       vmx_csr targets{};
                       targets.ids =
                           c.in("targets.ids", Array(VMX_I64, {1}, {static_cast<double>(in.at("label").get<int64_t>())})).ids();
                       vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
                       const auto field = [&](const char* key, double& to) {
                         if (in.contains(key)) to = c.opt(key, static_cast<double>(float_in(in.at(key))));
                       };
                       field("label_smoothing", options.label_smoothing);
                       field("z_loss", options.z_loss);
                       field("softcap", options.softcap);
                       if (in.contains("class_weight"))
                         options.class_weight =
                             c.in("class_weight", Array(VMX_F32, {cols}, floats_in(in.at("class_weight")))).vector();
                       vmx_cross_entropy_out out = answers(c, 1, VMX_F32);
                       out.grad = c.out("grad", Array(VMX_F32, {1, cols})).matrix();
                       c.call("cross_entropy", vmx_cross_entropy(c.ctx(), nullptr, &x, &targets, &out, &options));
                     }});
  }
}

// ---------------------------------------------------------------------------------------------------- top-k

vmx_csr excluded_of(Case& c, int64_t rows, int64_t cols) {
  vmx_csr excluded{};
  Values ids, indptr = {0};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < 3 * r; ++i) ids.push_back(static_cast<double>((3 * i + r) % cols));
    indptr.push_back(static_cast<double>(ids.size()));
  }
  excluded.indptr = c.in("excluded.indptr", Array(VMX_I64, {rows + 1}, indptr)).ids();
  excluded.ids = c.in("excluded.ids", Array(VMX_I64, {static_cast<int64_t>(ids.size())}, ids)).ids();
  return excluded;
}

void add_topk(Cases& cases) {
  const auto topk = [](Case& c, const Array& x_in, int64_t k, uint32_t flags, int64_t col_offset, bool excluded,
                       int32_t id_type) {
    vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
    const vmx_matrix x = c.in("x", x_in).matrix();
    c.opt("k", k);
    if (flags) options.flags = c.opt("flags", flags);
    if (col_offset) options.col_offset = c.opt("col_offset", col_offset);
    if (excluded) options.excluded = excluded_of(c, x.rows, x.cols);
    const vmx_matrix values = c.out("values", Array(x.dtype, {x.rows, k})).matrix(),
                     ids = c.out("ids", Array(id_type, {x.rows, k})).matrix();
    uint32_t* const row_flags = c.out("row_flags", Array(kU32, {x.rows})).as<uint32_t>();
    c.call("topk", vmx_topk(c.ctx(), nullptr, &x, k, &values, &ids, row_flags, &options));
  };
  for (const int32_t dtype : kFloatTypes) {
    cases.push_back({std::string("topk.") + dtype_of(dtype).name, [=](Case& c) {
                       topk(c, scores(dtype, kMixed, 37, 30), 7, 0, 0, false, VMX_I64);
                     }});
  }
  cases.push_back({"topk.smallest", [=](Case& c) {
                     topk(c, scores(VMX_F32, kMixed, 37, 31), 5, VMX_TOPK_SMALLEST, 0, false, VMX_I32);
                   }});
  cases.push_back({"topk.unsorted_shard", [=](Case& c) {
                     topk(c, scores(VMX_F32, kMixed, 37, 32), 9, VMX_TOPK_UNSORTED, 12288, false, VMX_I32);
                   }});
  cases.push_back({"topk.excluded", [=](Case& c) {
                     topk(c, scores(VMX_F32, kMixed, 20, 33), 8, 0, 0, true, VMX_I64);
                   }});
  cases.push_back({"topk.k_is_50_of_1000", [=](Case& c) {
                     topk(c, scores(VMX_BF16, {"bell", "equal"}, 1000, 34), 50, 0, 0, false, VMX_I64);
                   }});
  cases.push_back({"topk_merge", [=](Case& c) {
                     const Array values_in = scores(VMX_F32, {"bell", "nan", "masked"}, 12, 35);
                     Values ids_in;
                     for (int i = 0; i < 36; ++i) ids_in.push_back(i % 7 == 6 ? -1 : 1000 - 13 * (i % 12));
                     const vmx_matrix values_from = c.in("values_in", values_in).matrix(),
                                      ids_from = c.in("ids_in", Array(VMX_I64, {3, 12}, ids_in)).matrix();
                     const int64_t k = c.opt("k", int64_t{11});
                     const vmx_matrix values = c.out("values", Array(VMX_F32, {3, k})).matrix(),
                                      ids = c.out("ids", Array(VMX_I64, {3, k})).matrix();
                     uint32_t* const flags = c.out("row_flags", Array(kU32, {3})).as<uint32_t>();
                     c.call("topk_merge", vmx_topk_merge(c.ctx(), nullptr, &values_from, &ids_from, k, &values, &ids, flags, nullptr));
                   }});
}

// ---------------------------------------------------------------------------------------------------- linear
// Products of few bits are exact, so that these have one answer, whatever makes the products. Their gradients have not.

struct Linear {
  vmx_matrix hidden;
  vmx_linear linear = VMX_LINEAR_INIT;
};

Linear linear_of(Case& c, int32_t dtype, int64_t rows, int64_t dim, int64_t classes) {
  Linear made;
  made.hidden = c.in("hidden", few_bits(dtype, rows, dim, 40)).matrix();
  made.linear.weights = c.in("linear.weights", few_bits(dtype, classes, dim, 41)).matrix();
  Values bias;
  for (int64_t i = 0; i < classes; ++i) bias.push_back(i % 11 == 10 ? -kInf : 0.125 * static_cast<double>(i % 5));
  made.linear.bias = c.in("linear.bias", Array(VMX_F32, {classes}, bias)).vector();
  return made;
}

void add_linear(Cases& cases) {
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    const std::string suffix = std::string(".") + dtype_of(dtype).name;
    cases.push_back({"linear_logsumexp" + suffix, [=](Case& c) {
                       const Linear l = linear_of(c, dtype, 3, 16, 40);
                       const vmx_vector lse = c.out("lse", Array(VMX_F32, {3})).vector();
                       uint32_t* const flags = c.out("row_flags", Array(kU32, {3})).as<uint32_t>();
                       c.call("linear_logsumexp",
                              vmx_linear_logsumexp(c.ctx(), nullptr, &l.hidden, &l.linear, &lse, flags, nullptr));
                     }});
    cases.push_back({"linear_topk" + suffix, [=](Case& c) {
                       const Linear l = linear_of(c, dtype, 3, 16, 40);
                       const int64_t k = c.opt("k", int64_t{6});
                       const vmx_matrix values = c.out("values", Array(VMX_F32, {3, k})).matrix(),
                                        ids = c.out("ids", Array(VMX_I64, {3, k})).matrix();
                       uint32_t* const flags = c.out("row_flags", Array(kU32, {3})).as<uint32_t>();
                       c.call("linear_topk",
                              vmx_linear_topk(c.ctx(), nullptr, &l.hidden, &l.linear, k, &values, &ids, flags, nullptr));
                     }});
    cases.push_back({"linear_cross_entropy" + suffix, [=](Case& c) {
                       const Linear l = linear_of(c, dtype, 3, 16, 40);
                       const vmx_csr targets = targets_of(c, 3, 40, false);
                       Loss loss;
                       loss.reduction = VMX_REDUCE_MEAN;
                       loss.z_loss = 1e-3;
                       const vmx_cross_entropy_options options = loss_options(c, loss, 40);
                       const vmx_cross_entropy_out out = answers(c, 3, VMX_F32);
                       c.call("linear_cross_entropy", vmx_linear_cross_entropy(c.ctx(), nullptr, &l.hidden, &l.linear, &targets,
                                                                               &out, nullptr, &options));
                     }});
  }
}

// --------------------------------------------------------------------------------------------------- samplers

struct SamplerOf {
  vmx_sampler* sampler = nullptr;
  SamplerOf() = default;
  SamplerOf(const SamplerOf&) = delete;
  SamplerOf& operator=(const SamplerOf&) = delete;
  ~SamplerOf() { vmx_sampler_destroy(sampler); }
};

constexpr int64_t kClasses = 60, kDim = 6;

void make_sampler(Case& c, int32_t kind, SamplerOf& made) {
  vmx_sampler_options options = VMX_SAMPLER_OPTIONS_INIT;
  options.kind = c.opt("sampler.kind", kind);
  options.classes = c.opt("sampler.classes", kClasses);
  if (kind == VMX_SAMPLER_WEIGHTS) {
    Values weights;
    for (int64_t i = 0; i < kClasses; ++i) weights.push_back(i % 13 == 12 ? 0 : static_cast<double>(kClasses - i));
    options.weights = c.in("sampler.weights", Array(VMX_F32, {kClasses}, weights)).vector();
    options.power = c.opt("sampler.power", 0.75);
  }
  if (kind >= VMX_SAMPLER_MIDX) {
    options.embeddings = c.in("sampler.embeddings", bells(VMX_F32, {kClasses, kDim}, 50)).matrix();
    options.temperature = c.opt("sampler.temperature", 1.5);
  }
  if (kind == VMX_SAMPLER_MIDX) {
    options.codewords = c.opt("sampler.codewords", 4);
    options.seed = c.opt("sampler.seed", uint64_t{11});
  }
  if (kind == VMX_SAMPLER_QUADRATIC) options.alpha = c.opt("sampler.alpha", 10.0);
  if (kind == VMX_SAMPLER_IN_BATCH) options.rate = c.opt("sampler.rate", 0.05);
  if (vmx_sampler_create(c.ctx(), &options, &made.sampler) != VMX_OK) throw std::runtime_error(last_error());
}

void add_samplers(Cases& cases) {
  const std::pair<const char*, int32_t> kinds[] = {
      {"uniform", VMX_SAMPLER_UNIFORM}, {"log_uniform", VMX_SAMPLER_LOG_UNIFORM}, {"weights", VMX_SAMPLER_WEIGHTS},
      {"midx", VMX_SAMPLER_MIDX},       {"quadratic", VMX_SAMPLER_QUADRATIC},     {"exact", VMX_SAMPLER_EXACT}};
  for (const auto& [name, number] : kinds) {
    const int32_t kind = number;
    const bool has_hidden = kind >= VMX_SAMPLER_MIDX;
    for (const uint32_t flags : {0u, VMX_DRAW_UNIQUE}) {
      cases.push_back({std::string("sampler_draw.") + name + (flags ? ".unique" : ""), [=](Case& c) {
                         SamplerOf s;
                         make_sampler(c, kind, s);
                         const int64_t rows = 2, m = 9;
                         vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
                         if (flags) options.flags = c.opt("flags", flags);
                         options.seed = c.opt("seed", uint64_t{7});
                         options.step = c.opt("step", int64_t{3});
                         vmx_matrix hidden{};
                         if (has_hidden) hidden = c.in("hidden", bells(VMX_F32, {rows, kDim}, 51)).matrix();
                         const vmx_matrix ids = c.out("ids", Array(flags ? VMX_I32 : VMX_I64, {rows, m})).matrix(),
                                          log_q = c.out("log_q", Array(VMX_F32, {rows, m})).matrix();
                         int64_t* const tries = c.out("tries", Array(VMX_I64, {rows})).as<int64_t>();
                         uint32_t* const row_flags = c.out("row_flags", Array(kU32, {rows})).as<uint32_t>();
                         c.call("sampler_draw", vmx_sampler_draw(c.ctx(), nullptr, s.sampler, has_hidden ? &hidden : nullptr,
                                                                 &ids, &log_q, tries, row_flags, &options));
                       }});
    }
    cases.push_back({std::string("sampler_log_q.") + name, [=](Case& c) {
                       SamplerOf s;
                       make_sampler(c, kind, s);
                       vmx_matrix hidden{};
                       if (has_hidden) hidden = c.in("hidden", bells(VMX_F32, {2, kDim}, 52)).matrix();
                       vmx_csr classes{};
                       classes.indptr = c.in("classes.indptr", Array(VMX_I64, {3}, {0, 4, 6})).ids();
                       classes.ids = c.in("classes.ids", Array(VMX_I64, {6}, {0, 12, 33, 59, 5, 5})).ids();
                       const int64_t draws = c.opt("draws", kind == VMX_SAMPLER_EXACT ? int64_t{0} : int64_t{9});
                       const vmx_vector log_q = c.out("log_q", Array(VMX_F64, {6})).vector();
                       c.call("sampler_log_q", vmx_sampler_log_q(c.ctx(), nullptr, s.sampler, has_hidden ? &hidden : nullptr,
                                                                 &classes, draws, nullptr, 0, &log_q));
                     }});
  }
  cases.push_back({"sampler_draw.shared", [](Case& c) {
                     SamplerOf s;
                     make_sampler(c, VMX_SAMPLER_WEIGHTS, s);
                     vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
                     options.flags = c.opt("flags", VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS);
                     options.seed = c.opt("seed", uint64_t{0xfedcba9876543210u});
                     options.step = c.opt("step", int64_t{1} << 40);
                     const vmx_matrix ids = c.out("ids", Array(VMX_I64, {1, 40})).matrix(),
                                      log_q = c.out("log_q", Array(VMX_F32, {1, 40})).matrix();
                     int64_t* const tries = c.out("tries", Array(VMX_I64, {1})).as<int64_t>();
                     c.call("sampler_draw", vmx_sampler_draw(c.ctx(), nullptr, s.sampler, nullptr, &ids, &log_q, tries, nullptr,
                                                             &options));
                   }});
  cases.push_back({"sampler_log_q.tries", [](Case& c) {
                     SamplerOf s;
                     make_sampler(c, VMX_SAMPLER_LOG_UNIFORM, s);
                     vmx_csr classes{};
                     classes.ids = c.in("classes.ids", Array(VMX_I32, {3}, {0, 1, 59})).ids();
                     const int64_t draws = c.opt("draws", int64_t{8});
                     const int64_t* const tries = c.in("tries", Array(VMX_I64, {3}, {8, 11, 30})).as<int64_t>();
                     const vmx_vector log_q = c.out("log_q", Array(VMX_F32, {3})).vector();
                     c.call("sampler_log_q", vmx_sampler_log_q(c.ctx(), nullptr, s.sampler, nullptr, &classes, draws, tries, 1,
                                                               &log_q));
                   }});
  cases.push_back({"sampler_observe", [](Case& c) {
                     SamplerOf s;
                     make_sampler(c, VMX_SAMPLER_IN_BATCH, s);
                     Array& seen = c.in("ids", uniform_ids(VMX_I64, {6, 10}, 20, 53));
                     const int64_t step = c.opt("step", int64_t{2});
                     for (int64_t i = 0; i < 6; ++i) {
                       const vmx_ids ids = {seen.as<int64_t>() + 10 * i, 10, 1, VMX_I64, 0};
                       if (vmx_sampler_observe(s.sampler, &ids, step + i) != VMX_OK) throw std::runtime_error(last_error());
                     }
                     Values every;
                     for (int i = 0; i < 24; ++i) every.push_back(i);
                     vmx_csr classes{};
                     classes.ids = c.in("classes.ids", Array(VMX_I64, {24}, every)).ids();
                     const vmx_vector log_q = c.out("log_q", Array(VMX_F32, {24})).vector();
                     c.call("sampler_observe",
                            vmx_sampler_log_q(c.ctx(), nullptr, s.sampler, nullptr, &classes, 0, nullptr, 0, &log_q));
                   }});
}

// --------------------------------------------------------------------------------------------- sampled losses

void add_sampled(Cases& cases) {
  struct Form {
    const char* name;
    int32_t loss, correction, score;
    uint32_t flags;
    int32_t dtype;
    bool lists;
  };
  const Form forms[] = {
      {"ranking", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_RANKING, VMX_SCORE_DOT, 0, VMX_F32, false},
      {"is.cosine", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_IS, VMX_SCORE_COSINE, 0, VMX_F32, false},
      {"counts.joint.lists", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_COUNTS, VMX_SCORE_DOT, VMX_SAMPLED_JOINT, VMX_F32, true},
      {"plain.bf16", VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_NONE, VMX_SCORE_DOT, VMX_SAMPLED_KEEP_HITS, VMX_BF16, false},
      {"nce", VMX_LOSS_NCE, VMX_CORRECT_NONE, VMX_SCORE_DOT, 0, VMX_F32, false},
      {"neg.lists", VMX_LOSS_NEG, VMX_CORRECT_NONE, VMX_SCORE_DOT, 0, VMX_F32, true},
      {"bpr", VMX_LOSS_BPR, VMX_CORRECT_NONE, VMX_SCORE_DOT, 0, VMX_F32, false},
      {"ccl", VMX_LOSS_CCL, VMX_CORRECT_NONE, VMX_SCORE_COSINE, 0, VMX_F32, false},
  };
  for (const Form& f : forms) {
    cases.push_back({std::string("sampled_loss.") + f.name, [=](Case& c) {
                       const int64_t rows = 4, m = 6, classes = 25, dim = 5;
                       vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
                       options.loss = c.opt("loss", f.loss);
                       if (f.correction) options.correction = c.opt("correction", f.correction);
                       if (f.score) options.score = c.opt("score", f.score);
                       if (f.flags) options.flags = c.opt("flags", f.flags);
                       options.reduction = c.opt("reduction", VMX_REDUCE_MEAN);
                       if (f.loss != VMX_LOSS_CCL) options.temperature = c.opt("temperature", 0.5);
                       if (f.loss == VMX_LOSS_CCL) options.negative_weight = c.opt("negative_weight", 2.0);
                       const vmx_matrix hidden = c.in("hidden", bells(f.dtype, {rows, dim}, 60)).matrix(),
                                        table = c.in("table", bells(f.dtype, {classes, dim}, 61)).matrix();
                       const vmx_vector bias = c.in("bias", bells(VMX_F32, {classes}, 62)).vector();
                       vmx_csr targets{};
                       Values t = {3, 24, 0, 7};
                       if (f.lists) {
                         t = {3, 9, 24, 7, 7};
                         targets.indptr = c.in("targets.indptr", Array(VMX_I64, {rows + 1}, {0, 2, 2, 3, 5})).ids();
                         targets.weights = c.in("targets.weights", Array(VMX_F32, {5}, {1, 0.5, 2, 0.25, 1})).vector();
                       }
                       const auto n = static_cast<int64_t>(t.size());
                       targets.ids = c.in("targets.ids", Array(VMX_I64, {n}, t)).ids();
                       vmx_candidates candidates = VMX_CANDIDATES_INIT;
                       Array ids = uniform_ids(VMX_I64, {rows, m}, classes, 63);
                       ids.as<int64_t>()[4] = -1;  // an empty slot
                       ids.as<int64_t>()[9] = 24;  // a hit
                       candidates.ids = c.in("candidates.ids", ids).matrix();
                       if (f.correction || f.loss == VMX_LOSS_NCE) {
                         candidates.log_q = c.in("candidates.log_q", bells(VMX_F32, {rows, m}, 64)).matrix();
                         candidates.target_log_q = c.in("candidates.target_log_q", bells(VMX_F32, {n}, 65)).vector();
                       }
                       vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
                       out.grad_scale = c.opt("grad_scale", 3.0);
                       out.loss = c.out("loss", Array(VMX_F32, {rows})).vector();
                       out.total = c.out("total", Array(VMX_F64, {1})).as<double>();
                       out.total_weight = c.out("total_weight", Array(VMX_F64, {1})).as<double>();
                       out.row_flags = c.out("row_flags", Array(kU32, {rows})).as<uint32_t>();
                       vmx_sampled_grads grads = VMX_SAMPLED_GRADS_INIT;
                       vmx_sparse_rows sparse = VMX_SPARSE_ROWS_INIT;
                       grads.hidden = c.out("grads.hidden", Array(VMX_F32, {rows, dim})).matrix();
                       sparse.ids = c.out("grads.sparse.ids", Array(VMX_I64, {classes})).as<int64_t>();
                       sparse.rows = c.out("grads.sparse.rows", Array(VMX_F32, {classes, dim})).matrix();
                       sparse.bias = c.out("grads.sparse.bias", Array(VMX_F32, {classes})).as<float>();
                       Array& count = c.out("grads.sparse.count", Array(VMX_I64, {1}));
                       grads.sparse = &sparse;
                       grads.table = c.in_out("grads.table", few_bits(VMX_F32, classes, dim, 66)).matrix();
                       grads.bias = c.in_out("grads.bias", bells(VMX_F32, {classes}, 67)).vector();
                       c.call("sampled_loss", vmx_sampled_loss(c.ctx(), nullptr, &hidden, &table, &bias, &targets, &candidates,
                                                               &out, &grads, &options));
                       *count.as<int64_t>() = sparse.count;
                     }});
  }
  // Products by oneDNN: exact ones, and no gradients.
  cases.push_back({"in_batch_softmax", [](Case& c) {
                     const int64_t rows = 6, dim = 8;
                     vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
                     options.reduction = c.opt("reduction", VMX_REDUCE_MEAN);
                     options.temperature = c.opt("temperature", 0.5);
                     const vmx_matrix queries = c.in("queries", few_bits(VMX_F32, rows, dim, 70)).matrix(),
                                      keys = c.in("keys", few_bits(VMX_F32, rows, dim, 71)).matrix();
                     const vmx_ids identity = c.in("identity", Array(VMX_I64, {rows}, {4, 1, 4, 2, 9, 1})).ids();
                     const vmx_vector log_q = c.in("log_q", bells(VMX_F32, {rows}, 72)).vector();
                     vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
                     out.loss = c.out("loss", Array(VMX_F32, {rows})).vector();
                     out.total = c.out("total", Array(VMX_F64, {1})).as<double>();
                     out.total_weight = c.out("total_weight", Array(VMX_F64, {1})).as<double>();
                     out.row_flags = c.out("row_flags", Array(kU32, {rows})).as<uint32_t>();
                     c.call("in_batch_softmax", vmx_in_batch_softmax(c.ctx(), nullptr, &queries, &keys, &identity, &log_q, &out,
                                                                     nullptr, nullptr, &options));
                   }});
  const std::pair<const char*, int32_t> optimizers[] = {{"sgd", VMX_SGD}, {"adagrad", VMX_ADAGRAD}, {"adam", VMX_ADAM}};
  for (const auto& [name, number] : optimizers) {
    for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
      const int32_t optimizer = number;
      cases.push_back({std::string("sparse_update.") + name + '.' + dtype_of(dtype).name, [=](Case& c) {
                         const int64_t classes = 7, dim = 6;
                         vmx_update_options options = VMX_UPDATE_OPTIONS_INIT;
                         options.optimizer = c.opt("optimizer", optimizer);
                         if (optimizer == VMX_ADAM) options.step = c.opt("step", int64_t{4});
                         options.lr = c.opt("lr", 0.05);
                         options.weight_decay = c.opt("weight_decay", 0.01);
                         vmx_sparse_rows grad = VMX_SPARSE_ROWS_INIT;
                         grad.ids = c.in("grad.ids", Array(VMX_I64, {3}, {0, 2, 6})).as<int64_t>();
                         grad.rows = c.in("grad.rows", bells(VMX_F32, {3, dim}, 80)).matrix();
                         grad.count = c.opt("grad.count", int64_t{3});
                         const vmx_matrix table = c.in_out("table", bells(dtype, {classes, dim}, 81)).matrix();
                         vmx_matrix mean{}, square{};
                         if (optimizer == VMX_ADAM) mean = c.in_out("mean", bells(VMX_F32, {classes, dim}, 82)).matrix();
                         if (optimizer != VMX_SGD) {
                           Array squares = bells(VMX_F32, {classes, dim}, 83);
                           for (size_t i = 0; i < static_cast<size_t>(classes * dim); ++i)
                             squares.as<float>()[i] *= squares.as<float>()[i];
                           square = c.in_out("square", squares).matrix();
                         }
                         c.call("sparse_update",
                                vmx_sparse_update(c.ctx(), &grad, &table, mean.data ? &mean : nullptr,
                                                  square.data ? &square : nullptr, &options));
                       }});
    }
  }
}

Cases all_cases() {
  Cases cases;
  add_softmax(cases);
  add_backward(cases);
  add_states(cases);
  add_cross_entropy(cases);
  add_topk(cases);
  add_linear(cases);
  add_samplers(cases);
  add_sampled(cases);
  return cases;
}

// ------------------------------------------------------------------------------------------------------- file

// The text of each case.
std::map<std::string, std::string> committed() {
  std::ifstream file(kPath, std::ios::binary);
  if (!file) throw std::runtime_error(std::string("cannot open ") + kPath);
  std::map<std::string, std::string> found;
  std::string line, name;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    if (line.starts_with("case ")) {
      name = line.substr(5);
      if (!found.emplace(name, "").second) throw std::runtime_error(std::string(kPath) + " has " + name + " twice");
    }
    found[name] += line + '\n';
  }
  return found;
}

bool updating() {
  const char* const value = std::getenv("VMX_UPDATE_VECTORS");
  return value && std::strcmp(value, "1") == 0;
}

TEST(BindingVectors, SameBitsAsInTheFile) {
  const std::vector<int32_t> isas = usable_isas();
  std::string file = kAbout;
  std::map<std::string, std::string> expected;
  if (!updating()) expected = committed();
  const Cases cases = all_cases();
  for (const Named& one : cases) {
    std::string first;
    for (const int32_t isa : isas) {
      const Context ctx(isa);
      Case c(ctx);
      ASSERT_NO_THROW(one.run(c)) << one.name << ' ' << last_error();
      const std::string text = c.text(one.name);
      if (updating()) {
        ASSERT_FALSE(c.unsupported()) << "the vectors are written by a build with oneDNN: " << one.name;
        if (isa == isas.front()) file += text, first = text;
        EXPECT_EQ(text, first) << one.name << " differs on " << vmx_isa_name(isa);
      } else if (!c.unsupported()) {  // a build without oneDNN has no products
        ASSERT_TRUE(expected.count(one.name)) << one.name << " is not in " << kPath;
        EXPECT_EQ(text, expected[one.name]) << one.name << " on " << vmx_isa_name(isa);
      }
    }
    expected.erase(one.name);
  }
  if (updating()) {
    std::ofstream stream(kPath, std::ios::binary);
    stream << file;
    ASSERT_TRUE(stream.flush()) << kPath;
  }
  for (const auto& [name, text] : expected) ADD_FAILURE() << name << " is in " << kPath << ", but no case";
}

}  // namespace
