// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// Malformed arguments of samplers, one broken thing at a time: the status, a message that names the argument and the values, and
// no byte written.
#include "support/random.hpp"
#include "support/samplers.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>

namespace {

using namespace vmx::test;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kClasses = 12, kDim = 3, kRows = 2, kM = 4;

void expect_message(const std::vector<std::string>& texts, const std::string& what) {
  const std::string message = last_error();
  for (const std::string& text : texts) {
    EXPECT_NE(message.find(text), std::string::npos) << what << ": \"" << message << "\" lacks \"" << text << '"';
  }
}

struct Made {
  std::vector<double> weights = std::vector<double>(kClasses, 1.5);
  std::vector<float> embeddings = std::vector<float>(kClasses * kDim, 0.5f);

  vmx_sampler_options of(int32_t kind) const {
    vmx_sampler_options o = sampler_options(kind, kClasses);
    if (kind == VMX_SAMPLER_WEIGHTS) o.weights = {const_cast<double*>(weights.data()), kClasses, 1, VMX_F64, 0};
    if (kind >= VMX_SAMPLER_MIDX) {
      o.embeddings = {const_cast<float*>(embeddings.data()), kClasses, kDim, kDim, 1, VMX_F32, 0};
    }
    return o;
  }
};

TEST(SamplerArguments, Create) {
  const Made made;
  const struct {
    const char* what;
    int32_t kind;
    std::function<void(vmx_sampler_options&)> spoil;
    vmx_status status;
    std::vector<std::string> texts;
  } rows[] = {
      {"kind 0", 1, [](auto& o) { o.kind = 0; }, VMX_ERR_VALUE, {"options.kind is 0"}},
      {"kind 8", 1, [](auto& o) { o.kind = 8; }, VMX_ERR_VALUE, {"options.kind is 8"}},
      {"no classes", 1, [](auto& o) { o.classes = 0; }, VMX_ERR_VALUE, {"options.classes is 0"}},
      {"negative classes", 2, [](auto& o) { o.classes = -5; }, VMX_ERR_VALUE, {"options.classes is -5"}},
      {"too many classes", 2, [](auto& o) { o.classes = VMX_MAX_COLS + 1; }, VMX_ERR_SIZE, {"options.classes is 2147483648"}},
      {"struct", 1, [](auto& o) { o.struct_size = 8; }, VMX_ERR_STRUCT, {"options.struct_size is 8"}},
      {"codewords of another kind", 1, [](auto& o) { o.codewords = 4; }, VMX_ERR_VALUE, {"options.codewords", "MIDX"}},
      {"seed of another kind", 3, [](auto& o) { o.seed = 4; }, VMX_ERR_VALUE, {"options.seed", "MIDX"}},
      {"weights of another kind", 1, [&](auto& o) { o.weights = made.of(3).weights; }, VMX_ERR_VALUE, {"options.weights"}},
      {"power of another kind", 1, [](auto& o) { o.power = 0.75; }, VMX_ERR_VALUE, {"options.power"}},
      {"embeddings of another kind", 3, [&](auto& o) { o.embeddings = made.of(5).embeddings; }, VMX_ERR_VALUE,
       {"options.embeddings"}},
      {"temperature of another kind", 1, [](auto& o) { o.temperature = 2; }, VMX_ERR_VALUE, {"options.temperature"}},
      {"alpha of another kind", 5, [](auto& o) { o.alpha = 2; }, VMX_ERR_VALUE, {"options.alpha", "QUADRATIC"}},
      {"rate of another kind", 1, [](auto& o) { o.rate = 0.5; }, VMX_ERR_VALUE, {"options.rate", "IN_BATCH"}},
      {"codewords below", 5, [](auto& o) { o.codewords = -1; }, VMX_ERR_VALUE, {"options.codewords is -1"}},
      {"codewords above", 5, [](auto& o) { o.codewords = 1025; }, VMX_ERR_VALUE, {"options.codewords is 1025", "1024"}},
      {"power below", 3, [](auto& o) { o.power = -0.5; }, VMX_ERR_VALUE, {"options.power is -0.5"}},
      {"power NaN", 3, [](auto& o) { o.power = kNan; }, VMX_ERR_VALUE, {"options.power is"}},
      {"power inf", 3, [](auto& o) { o.power = kInf; }, VMX_ERR_VALUE, {"options.power is inf"}},
      {"temperature 0", 7, [](auto& o) { o.temperature = 0; }, VMX_ERR_VALUE, {"options.temperature is 0"}},
      {"temperature inf", 6, [](auto& o) { o.temperature = kInf; }, VMX_ERR_VALUE, {"options.temperature is inf"}},
      {"temperature NaN", 5, [](auto& o) { o.temperature = kNan; }, VMX_ERR_VALUE, {"options.temperature is"}},
      {"alpha below", 6, [](auto& o) { o.alpha = -1; }, VMX_ERR_VALUE, {"options.alpha is -1"}},
      {"alpha inf", 6, [](auto& o) { o.alpha = kInf; }, VMX_ERR_VALUE, {"options.alpha is inf"}},
      {"rate 0", 4, [](auto& o) { o.rate = 0; }, VMX_ERR_VALUE, {"options.rate is 0"}},
      {"rate above", 4, [](auto& o) { o.rate = 1.5; }, VMX_ERR_VALUE, {"options.rate is 1.5"}},
      {"weights missing", 3, [](auto& o) { o.weights.data = nullptr; }, VMX_ERR_NULL, {"options.weights.data is NULL"}},
      {"weights short", 3, [](auto& o) { o.weights.n = 11; }, VMX_ERR_SHAPE, {"options.weights.n is 11", "12"}},
      {"weights bf16", 3, [](auto& o) { o.weights.dtype = VMX_BF16; }, VMX_ERR_DTYPE, {"options.weights.dtype", "i32"}},
      {"weights reserved", 3, [](auto& o) { o.weights.reserved = 1; }, VMX_ERR_VALUE, {"options.weights.reserved is 1"}},
      {"embeddings missing", 5, [](auto& o) { o.embeddings.data = nullptr; }, VMX_ERR_NULL, {"options.embeddings.data is NULL"}},
      {"embeddings f64", 6, [](auto& o) { o.embeddings.dtype = VMX_F64; }, VMX_ERR_DTYPE, {"options.embeddings.dtype", "f64"}},
      {"embeddings rows", 7, [](auto& o) { o.embeddings.rows = 11; }, VMX_ERR_SHAPE, {"options.embeddings.rows is 11", "12"}},
      {"embeddings cols", 7, [](auto& o) { o.embeddings.cols = -1; }, VMX_ERR_SHAPE, {"options.embeddings.cols is -1"}},
  };
  for (const auto& row : rows) {
    vmx_sampler_options o = made.of(row.kind);
    row.spoil(o);
    auto* const before = reinterpret_cast<vmx_sampler*>(uintptr_t{8});
    vmx_sampler* out = before;
    EXPECT_EQ(vmx_sampler_create(nullptr, &o, &out), row.status) << row.what << ": " << last_error();
    EXPECT_EQ(out, before) << row.what;
    expect_message({"vmx_sampler_create: "}, row.what);
    expect_message(row.texts, row.what);
  }
  for (const double bad : {-1.0, kNan, kInf}) {
    Made spoilt;
    spoilt.weights[7] = bad;
    const vmx_sampler_options o = spoilt.of(VMX_SAMPLER_WEIGHTS);
    vmx_sampler* out = nullptr;
    EXPECT_EQ(vmx_sampler_create(nullptr, &o, &out), VMX_ERR_VALUE);
    expect_message({"options.weights[7] is"}, "a weight");
  }
  Made zeros;
  zeros.weights.assign(kClasses, 0.0);
  vmx_sampler_options o = zeros.of(VMX_SAMPLER_WEIGHTS);
  vmx_sampler* out = nullptr;
  EXPECT_EQ(vmx_sampler_create(nullptr, &o, &out), VMX_ERR_VALUE);
  expect_message({"options.weights are all 0"}, "weights");
  o = made.of(1);
  EXPECT_EQ(vmx_sampler_create(nullptr, &o, nullptr), VMX_ERR_NULL);
  EXPECT_EQ(vmx_sampler_create(nullptr, nullptr, &out), VMX_ERR_NULL);
  EXPECT_EQ(out, nullptr);
  EXPECT_EQ(vmx_sampler_size(nullptr), 0u);
  vmx_sampler_destroy(nullptr);
}

// Everything that a call may write stands in one piece of memory.
struct Call {
  struct alignas(64) Memory {
    unsigned char bytes[1024];
  };
  std::unique_ptr<Memory> memory = std::make_unique<Memory>();
  const vmx_sampler* sampler;
  std::vector<float> hidden_data = std::vector<float>(kRows * kDim, 0.25f);
  vmx_matrix hidden{hidden_data.data(), kRows, kDim, kDim, 1, VMX_F32, 0};
  vmx_matrix ids, log_q;
  int64_t* tries;
  uint32_t* row_flags;
  vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
  bool with_hidden, null_ids = false, null_sampler = false;

  explicit Call(const vmx_sampler* s, bool conditional) : sampler(s), with_hidden(conditional) {
    std::memset(memory->bytes, 0xa5, sizeof memory->bytes);
    ids = {memory->bytes, kRows, kM, kM, 1, VMX_I32, 0};
    log_q = {memory->bytes + 256, kRows, kM, kM, 1, VMX_F32, 0};
    tries = reinterpret_cast<int64_t*>(memory->bytes + 512);
    row_flags = reinterpret_cast<uint32_t*>(memory->bytes + 768);
  }
  vmx_status run() {
    return vmx_sampler_draw(nullptr, nullptr, null_sampler ? nullptr : sampler, with_hidden ? &hidden : nullptr,
                            null_ids ? nullptr : &ids, &log_q, tries, row_flags, &options);
  }
  bool untouched() const {
    for (const unsigned char byte : memory->bytes) {
      if (byte != 0xa5) return false;
    }
    return true;
  }
};

TEST(SamplerArguments, Draw) {
  const Made made;
  std::vector<std::unique_ptr<Sampler>> samplers(8);
  for (int32_t kind = 1; kind <= 7; ++kind) samplers[static_cast<size_t>(kind)] = std::make_unique<Sampler>(made.of(kind));
  const struct {
    const char* what;
    int32_t kind;
    std::function<void(Call&)> spoil;
    vmx_status status;
    std::vector<std::string> texts;
  } rows[] = {
      {"no sampler", 1, [](Call& c) { c.null_sampler = true; }, VMX_ERR_NULL, {"sampler is NULL"}},
      {"no ids", 1, [](Call& c) { c.null_ids = true; }, VMX_ERR_NULL, {"ids is NULL"}},
      {"ids without data", 1, [](Call& c) { c.ids.data = nullptr; }, VMX_ERR_NULL, {"ids.data is NULL"}},
      {"ids f32", 1, [](Call& c) { c.ids.dtype = VMX_F32; }, VMX_ERR_DTYPE, {"ids.dtype"}},
      {"ids rows", 1, [](Call& c) { c.ids.rows = -1; }, VMX_ERR_SHAPE, {"ids.rows is -1"}},
      {"ids overlap", 1, [](Call& c) { c.ids.row_stride = 0; }, VMX_ERR_OVERLAP, {"ids overlaps itself"}},
      {"ids misaligned", 1, [](Call& c) { c.ids.data = c.memory->bytes + 1; }, VMX_ERR_VALUE, {"ids.data", "aligned"}},
      {"too many rows", 1, [](Call& c) { c.ids.rows = (int64_t{1} << 32) + 1, c.ids.cols = 0; }, VMX_ERR_SIZE, {"ids.rows", "2^32"}},
      {"ids of other rows", 7, [](Call& c) { c.ids.rows = 1; }, VMX_ERR_SHAPE, {"ids.rows is 1", "hidden.rows is 2"}},
      {"hidden missing", 5, [](Call& c) { c.with_hidden = false; }, VMX_ERR_NULL, {"hidden is NULL"}},
      {"hidden too much", 3, [](Call& c) { c.with_hidden = true; }, VMX_ERR_VALUE, {"hidden must be NULL"}},
      {"hidden f16", 6, [](Call& c) { c.hidden.dtype = VMX_F16; }, VMX_ERR_DTYPE, {"hidden.dtype"}},
      {"hidden cols", 6, [](Call& c) { c.hidden.cols = 2; }, VMX_ERR_SHAPE, {"hidden.cols is 2", "3"}},
      {"hidden without data", 7, [](Call& c) { c.hidden.data = nullptr; }, VMX_ERR_NULL, {"hidden.data is NULL"}},
      {"log_q f64", 2, [](Call& c) { c.log_q.dtype = VMX_F64; }, VMX_ERR_DTYPE, {"log_q.dtype"}},
      {"log_q rows", 2, [](Call& c) { c.log_q.rows = 1; }, VMX_ERR_SHAPE, {"log_q.rows is 1", "ids.rows is 2"}},
      {"log_q cols", 2, [](Call& c) { c.log_q.cols = 3; }, VMX_ERR_SHAPE, {"log_q.cols is 3", "ids.cols is 4"}},
      {"log_q on ids", 2, [](Call& c) { c.log_q.data = c.ids.data; }, VMX_ERR_OVERLAP, {"log_q", "ids"}},
      {"tries on ids", 2, [](Call& c) { c.tries = static_cast<int64_t*>(c.ids.data); }, VMX_ERR_OVERLAP, {"tries", "ids"}},
      {"tries misaligned", 2, [](Call& c) { c.tries = reinterpret_cast<int64_t*>(c.memory->bytes + 516); }, VMX_ERR_VALUE,
       {"tries", "aligned"}},
      {"flags on tries", 2, [](Call& c) { c.row_flags = reinterpret_cast<uint32_t*>(c.tries); }, VMX_ERR_OVERLAP, {"row_flags", "tries"}},
      {"ids on hidden", 5, [](Call& c) { c.hidden.data = c.ids.data; }, VMX_ERR_OVERLAP, {"ids", "hidden"}},
      {"ids on the embeddings", 7, [&](Call& c) { c.ids.data = const_cast<float*>(made.embeddings.data()); }, VMX_ERR_OVERLAP,
       {"ids", "embeddings"}},
      {"flags", 1, [](Call& c) { c.options.flags = 8; }, VMX_ERR_VALUE, {"options.flags has unknown bits 0x8"}},
      {"reserved", 1, [](Call& c) { c.options.reserved = 3; }, VMX_ERR_VALUE, {"options.reserved is 3"}},
      {"step below", 1, [](Call& c) { c.options.step = -1; }, VMX_ERR_VALUE, {"options.step is -1"}},
      {"step above", 1, [](Call& c) { c.options.step = int64_t{1} << 56; }, VMX_ERR_VALUE, {"options.step is 72057594037927936"}},
      {"struct", 1, [](Call& c) { c.options.struct_size = 4; }, VMX_ERR_STRUCT, {"options.struct_size is 4"}},
      {"IN_BATCH", 4, [](Call&) {}, VMX_ERR_UNSUPPORTED, {"IN_BATCH"}},
      {"REPLACE", 1, [](Call& c) { c.options.flags = VMX_DRAW_REPLACE; }, VMX_ERR_VALUE, {"VMX_DRAW_REPLACE", "EXACT"}},
      {"UNIQUE and REPLACE", 7, [](Call& c) { c.options.flags = VMX_DRAW_UNIQUE | VMX_DRAW_REPLACE; }, VMX_ERR_VALUE, {"both"}},
      {"COUNTS of EXACT", 7, [](Call& c) { c.options.flags = VMX_DRAW_COUNTS; }, VMX_ERR_UNSUPPORTED, {"expected counts"}},
      {"m of UNIQUE", 2, [](Call& c) { c.options.flags = VMX_DRAW_UNIQUE, c.ids.cols = c.log_q.cols = 13, c.ids.row_stride = 13, c.log_q.row_stride = 13; },
       VMX_ERR_VALUE, {"ids.cols is 13", "12 classes"}},
      {"m of EXACT", 7, [](Call& c) { c.ids.cols = c.log_q.cols = 13, c.ids.row_stride = 13, c.log_q.row_stride = 13; }, VMX_ERR_VALUE, {"ids.cols is 13", "12 classes"}},
  };
  for (const auto& row : rows) {
    Call call(*samplers[static_cast<size_t>(row.kind)], row.kind >= VMX_SAMPLER_MIDX);
    row.spoil(call);
    EXPECT_EQ(call.run(), row.status) << row.what << ": " << last_error();
    EXPECT_TRUE(call.untouched()) << row.what;
    expect_message({"vmx_sampler_draw: "}, row.what);
    expect_message(row.texts, row.what);
  }
  for (const float value : made.embeddings) EXPECT_EQ(value, 0.5f);
  for (int32_t kind = 1; kind <= 7; ++kind) {
    if (kind == VMX_SAMPLER_IN_BATCH) continue;
    Call call(*samplers[static_cast<size_t>(kind)], kind >= VMX_SAMPLER_MIDX);
    EXPECT_EQ(call.run(), VMX_OK) << last_error();
    EXPECT_FALSE(call.untouched());
  }
}

TEST(SamplerArguments, LogQ) {
  const Made made;
  const Sampler fixed(made.of(VMX_SAMPLER_LOG_UNIFORM)), exact(made.of(VMX_SAMPLER_EXACT)), midx(made.of(VMX_SAMPLER_MIDX));
  struct Arguments {
    std::vector<int64_t> class_data = {3, 0, 11}, indptr_data = {0, 1, 3};
    std::vector<float> hidden_data = std::vector<float>(kRows * kDim, 0.25f);
    std::vector<float> out = std::vector<float>(3, 99.0f);
    std::vector<int64_t> tries_data = {5, 7};
    const vmx_sampler* sampler;
    const vmx_matrix* hidden = nullptr;
    vmx_matrix hidden_view{hidden_data.data(), kRows, kDim, kDim, 1, VMX_F32, 0};
    vmx_csr classes{{indptr_data.data(), 3, 1, VMX_I64, 0}, {class_data.data(), 3, 1, VMX_I64, 0}, {nullptr, 0, 0, 0, 0}};
    int64_t draws = 4;
    const int64_t* tries = tries_data.data();
    vmx_vector log_q{out.data(), 3, 1, VMX_F32, 0};
  };
  const struct {
    const char* what;
    std::function<void(Arguments&)> spoil;
    vmx_status status;
    std::vector<std::string> texts;
  } rows[] = {
      {"no sampler", [](auto& a) { a.sampler = nullptr; }, VMX_ERR_NULL, {"sampler is NULL"}},
      {"hidden too much", [](auto& a) { a.hidden = &a.hidden_view; }, VMX_ERR_VALUE, {"hidden must be NULL"}},
      {"hidden missing", [&](auto& a) { a.sampler = midx; }, VMX_ERR_NULL, {"hidden is NULL"}},
      {"hidden of other rows", [&](auto& a) { a.sampler = midx, a.hidden = &a.hidden_view, a.hidden_view.rows = 1; }, VMX_ERR_SHAPE,
       {"2 rows", "hidden.rows is 1"}},
      {"id above", [](auto& a) { a.class_data[1] = 12; }, VMX_ERR_LABEL, {"classes.ids[1] is 12", "[0, 12)"}},
      {"id below", [](auto& a) { a.class_data[2] = -1; }, VMX_ERR_LABEL, {"classes.ids[2] is -1"}},
      {"base", [](auto& a) { a.classes.ids.base = 1; }, VMX_ERR_LABEL, {"classes.ids[1] is 0", "[1, 13)"}},
      {"base 2", [](auto& a) { a.classes.ids.base = 2; }, VMX_ERR_VALUE, {"classes.ids.base is 2"}},
      {"indptr falls", [](auto& a) { a.indptr_data = {0, 2, 1}; a.classes.indptr.data = a.indptr_data.data(); }, VMX_ERR_SHAPE,
       {"classes.indptr[2] is 1"}},
      {"indptr beyond", [](auto& a) { a.indptr_data[2] = 4; }, VMX_ERR_SHAPE, {"classes.indptr[2] is 4"}},
      {"indptr empty", [](auto& a) { a.classes.indptr.n = 0; }, VMX_ERR_SHAPE, {"classes.indptr.n is 0"}},
      {"draws", [](auto& a) { a.draws = -1; }, VMX_ERR_VALUE, {"draws is -1"}},
      {"tries", [](auto& a) { a.tries_data[1] = -2; }, VMX_ERR_VALUE, {"tries[1] is -2"}},
      {"tries of EXACT", [&](auto& a) { a.sampler = exact, a.hidden = &a.hidden_view; }, VMX_ERR_UNSUPPORTED, {"EXACT"}},
      {"log_q n", [](auto& a) { a.log_q.n = 2; }, VMX_ERR_SHAPE, {"log_q.n is 2", "3"}},
      {"log_q bf16", [](auto& a) { a.log_q.dtype = VMX_BF16; }, VMX_ERR_DTYPE, {"log_q.dtype"}},
      {"log_q stride", [](auto& a) { a.log_q.stride = 0; }, VMX_ERR_OVERLAP, {"log_q overlaps itself"}},
      {"log_q on the ids", [](auto& a) { a.log_q.data = a.class_data.data(); }, VMX_ERR_OVERLAP, {"log_q", "classes.ids"}},
      {"log_q on the tries", [](auto& a) { a.log_q.data = a.tries_data.data(); }, VMX_ERR_OVERLAP, {"log_q", "tries"}},
  };
  for (const auto& row : rows) {
    Arguments a;
    a.sampler = fixed;
    row.spoil(a);
    EXPECT_EQ(vmx_sampler_log_q(nullptr, nullptr, a.sampler, a.hidden, &a.classes, a.draws, a.tries, 1, &a.log_q), row.status)
        << row.what << ": " << last_error();
    EXPECT_EQ(a.out, std::vector<float>(3, 99.0f)) << row.what;
    expect_message({"vmx_sampler_log_q: "}, row.what);
    expect_message(row.texts, row.what);
  }
  Arguments a;
  a.sampler = fixed;
  EXPECT_EQ(vmx_sampler_log_q(nullptr, nullptr, fixed, nullptr, nullptr, 0, nullptr, 0, &a.log_q), VMX_ERR_NULL);
  EXPECT_EQ(vmx_sampler_log_q(nullptr, nullptr, fixed, nullptr, &a.classes, 0, nullptr, 0, nullptr), VMX_ERR_NULL);
  // tries are not looked at where log q is asked for.
  a.tries_data[0] = -3;
  EXPECT_EQ(vmx_sampler_log_q(nullptr, nullptr, fixed, nullptr, &a.classes, 0, a.tries, 1, &a.log_q), VMX_OK) << last_error();
}

TEST(SamplerArguments, UpdateAndObserve) {
  const Made made;
  const Sampler fixed(made.of(VMX_SAMPLER_UNIFORM)), midx(made.of(VMX_SAMPLER_MIDX)), quadratic(made.of(VMX_SAMPLER_QUADRATIC)),
      in_batch(made.of(VMX_SAMPLER_IN_BATCH));
  const vmx_matrix good = made.of(VMX_SAMPLER_MIDX).embeddings;
  std::vector<int64_t> ids = {3, 4};
  const vmx_ids list = {ids.data(), 2, 1, VMX_I64, 0};
  EXPECT_EQ(vmx_sampler_update(nullptr, nullptr, &good, nullptr), VMX_ERR_NULL);
  EXPECT_EQ(vmx_sampler_update(nullptr, midx, nullptr, nullptr), VMX_ERR_NULL);
  EXPECT_EQ(vmx_sampler_update(nullptr, fixed, &good, nullptr), VMX_ERR_UNSUPPORTED);
  EXPECT_EQ(vmx_sampler_update(nullptr, midx, &good, &list), VMX_ERR_UNSUPPORTED);
  expect_message({"QUADRATIC"}, "ids");
  vmx_matrix bad = good;
  bad.rows = 11;
  EXPECT_EQ(vmx_sampler_update(nullptr, midx, &bad, nullptr), VMX_ERR_SHAPE);
  expect_message({"embeddings.rows is 11"}, "rows");
  bad = good;
  bad.cols = 2;
  EXPECT_EQ(vmx_sampler_update(nullptr, midx, &bad, nullptr), VMX_ERR_SHAPE);
  expect_message({"embeddings.cols is 2", "3"}, "cols");
  bad = good;
  bad.dtype = VMX_F16;
  EXPECT_EQ(vmx_sampler_update(nullptr, midx, &bad, nullptr), VMX_ERR_DTYPE);
  ids[1] = 12;
  EXPECT_EQ(vmx_sampler_update(nullptr, quadratic, &good, &list), VMX_ERR_LABEL);
  expect_message({"ids[1] is 12"}, "ids");

  EXPECT_EQ(vmx_sampler_observe(nullptr, &list, 0), VMX_ERR_NULL);
  EXPECT_EQ(vmx_sampler_observe(in_batch, nullptr, 0), VMX_ERR_NULL);
  EXPECT_EQ(vmx_sampler_observe(fixed, &list, 0), VMX_ERR_UNSUPPORTED);
  EXPECT_EQ(vmx_sampler_observe(in_batch, &list, 0), VMX_ERR_LABEL);
  EXPECT_EQ(log_q_of(in_batch, {3})[0], 0.0) << "a call that failed was counted";
  ids[1] = 4;
  EXPECT_EQ(vmx_sampler_observe(in_batch, &list, -1), VMX_ERR_VALUE);
  EXPECT_EQ(vmx_sampler_observe(in_batch, &list, int64_t{1} << 56), VMX_ERR_VALUE);
  EXPECT_EQ(vmx_sampler_observe(in_batch, &list, 5), VMX_OK);
  EXPECT_EQ(vmx_sampler_observe(in_batch, &list, 4), VMX_ERR_VALUE);
  expect_message({"step is 4", "step 5"}, "step");
  EXPECT_EQ(vmx_sampler_observe(in_batch, &list, 5), VMX_OK);
}

// An allocator that counts, and refuses when asked to.
struct Allocator {
  int64_t live = 0, calls = 0, left = INT64_MAX;
  static void* alloc(void* user, size_t size, size_t alignment) {
    auto& a = *static_cast<Allocator*>(user);
    ++a.calls;
    if (a.left-- <= 0) return nullptr;
    ++a.live;
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  }
  static void free(void* user, void* memory, size_t, size_t) {
    if (memory) --static_cast<Allocator*>(user)->live;
    std::free(memory);
  }
};

TEST(SamplerArguments, Memory) {
  const Made made;
  Allocator allocator;
  vmx_context_options context_options = VMX_CONTEXT_OPTIONS_INIT;
  context_options.alloc = Allocator::alloc;
  context_options.free = Allocator::free;
  context_options.alloc_user = &allocator;
  for (int32_t kind = 1; kind <= 7; ++kind) {
    vmx_context* ctx = nullptr;
    ASSERT_EQ(vmx_context_create(&context_options, &ctx), VMX_OK);
    const int64_t before = allocator.live;
    const vmx_sampler_options options = made.of(kind);
    // Every allocation of it may be the one that fails.
    vmx_sampler* sampler = nullptr;
    for (int64_t allowed = 0;; ++allowed) {
      allocator.left = allowed;
      const vmx_status status = vmx_sampler_create(ctx, &options, &sampler);
      allocator.left = INT64_MAX;
      if (status == VMX_OK) break;
      ASSERT_EQ(status, VMX_ERR_MEMORY);
      ASSERT_EQ(allocator.live, before) << "kind " << kind << " leaks";
    }
    EXPECT_GE(vmx_sampler_size(sampler), sizeof(void*));
    if (kind == VMX_SAMPLER_WEIGHTS) {
      EXPECT_GE(vmx_sampler_size(sampler), size_t{12 * kClasses});
    }
    if (kind != VMX_SAMPLER_IN_BATCH) {
      for (const uint32_t flags : {0u, kind == VMX_SAMPLER_EXACT ? uint32_t{VMX_DRAW_REPLACE} : uint32_t{VMX_DRAW_UNIQUE}}) {
        Call call(sampler, kind >= VMX_SAMPLER_MIDX);
        call.options.flags = flags;
        vmx_matrix sizes = call.ids, hidden = call.hidden;
        sizes.data = hidden.data = nullptr;
        size_t size = 0;
        ASSERT_EQ(vmx_sampler_draw_workspace_size(ctx, sampler, call.with_hidden ? &hidden : nullptr, &sizes, &call.options, &size),
                  VMX_OK)
            << last_error();
        const Workspace ws(ctx);
        ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK);
        const int64_t calls = allocator.calls;
        ASSERT_EQ(vmx_sampler_draw(ctx, ws, sampler, call.with_hidden ? &call.hidden : nullptr, &call.ids, &call.log_q, call.tries,
                                   call.row_flags, &call.options),
                  VMX_OK);
        EXPECT_EQ(allocator.calls, calls) << "kind " << kind << " allocates in spite of a workspace";
      }
    }
    vmx_context_destroy(ctx);  // the sampler may outlive it
    vmx_sampler_destroy(sampler);
    EXPECT_EQ(allocator.live, 0);
  }
  const Sampler sampler(made.of(VMX_SAMPLER_UNIFORM));
  const vmx_matrix ids = {nullptr, 1, 5, 5, 1, VMX_I32, 0};
  EXPECT_EQ(vmx_sampler_draw_workspace_size(nullptr, sampler, nullptr, &ids, nullptr, nullptr), VMX_ERR_NULL);
}

}  // namespace
