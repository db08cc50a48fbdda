// SPDX-License-Identifier: Apache-2.0
// Malformed arguments of sampled losses: a status that names what is wrong, and no output touched.
// ctest-labels: sanitize
#include "support/contexts.hpp"
#include "support/sampled.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

namespace vmx::test {
namespace {

using reference::SampledProblem;

constexpr int64_t kRows = 4, kDim = 5, kClasses = 12, kCandidates = 6;

// A call with everything in it.
struct Args {
  vmx_matrix hidden, table;
  vmx_vector bias;
  vmx_csr targets;
  vmx_candidates candidates;
  vmx_sampled_out out;
  vmx_sampled_grads grads;
  vmx_sparse_rows sparse;
  vmx_sampled_options options;
  const void* missing = nullptr;  // which pointer is NULL

  template <class T>
  const T* given(const T& value) const {
    return missing == &value ? nullptr : &value;
  }
  vmx_status call() {
    return vmx_sampled_loss(nullptr, nullptr, given(hidden), given(table), given(bias), given(targets),
        given(candidates), given(out),
                            given(grads), given(options));
  }
};

struct Row {
  const char* text;  // in the message
  vmx_status status;
  std::function<void(Args&)> spoil;
};

struct Call {
  SampledForm form;
  SampledProblem problem;
  SampledArguments arguments;
  SampledAnswers answers;
  Args args{};
  double total = -3, weight = -4;

  static SampledForm make_form(bool shared) {
    SampledForm f;
    f.shared = shared;
    f.bias = f.identity = f.lists = true;
    return f;
  }
  static SampledProblem make_problem(const SampledForm& form) {
    SampledProblem p = make_sampled_problem({kRows, kDim, kClasses, kCandidates}, form, 3);
    p.options.correction = VMX_CORRECT_COUNTS;
    return p;
  }
  explicit Call(bool shared) : form(make_form(shared)), problem(make_problem(form)),
      arguments(problem, form), answers(arguments, kClasses) {
    args.hidden = arguments.hidden.view();
    args.table = arguments.table.view();
    args.bias = arguments.bias->view();
    args.targets = arguments.targets;
    args.candidates = arguments.candidates;
    args.out = VMX_SAMPLED_OUT_INIT;
    args.out.loss = answers.loss.view();
    args.out.row_flags = answers.flags.data();
    args.out.total = &total;
    args.out.total_weight = &weight;
    args.grads = answers.grads;
    args.sparse = answers.sparse;
    args.grads.sparse = &args.sparse;
    args.options = problem.options;
  }
  std::vector<unsigned char> state() const {
    auto all = answers.bytes();
    for (const double* d : {&total, &weight}) {
      const auto* b = reinterpret_cast<const unsigned char*>(d);
      all.insert(all.end(), b, b + sizeof *d);
    }
    all.push_back(static_cast<unsigned char>(args.sparse.count));
    return all;
  }
};

const float kNan = NAN, kInf = INFINITY;
vmx_matrix all_of(const float& value, const vmx_matrix& like) {
  return {const_cast<float*>(&value), like.rows, like.cols, 0, 0, VMX_F32, 0};
}

std::vector<Row> rows() {
  static const int64_t below[kClasses] = {-2}, above[kClasses] = {kClasses},
      lowest[kClasses] = {std::numeric_limits<int64_t>::min()};
  std::vector<Row> list = {
      {"hidden is NULL", VMX_ERR_NULL, [](Args& a) { a.missing = &a.hidden; }},
      {"table is NULL", VMX_ERR_NULL, [](Args& a) { a.missing = &a.table; }},
      {"targets is NULL", VMX_ERR_NULL, [](Args& a) { a.missing = &a.targets; }},
      {"candidates is NULL", VMX_ERR_NULL, [](Args& a) { a.missing = &a.candidates; }},
      {"out is NULL", VMX_ERR_NULL, [](Args& a) { a.missing = &a.out; }},
      {"hidden.data is NULL", VMX_ERR_NULL, [](Args& a) { a.hidden.data = nullptr; }},
      {"hidden.dtype", VMX_ERR_DTYPE, [](Args& a) { a.hidden.dtype = VMX_F64; }},
      {"hidden.reserved", VMX_ERR_VALUE, [](Args& a) { a.hidden.reserved = 1; }},
      {"table.data is NULL", VMX_ERR_NULL, [](Args& a) { a.table.data = nullptr; }},
      {"table.dtype", VMX_ERR_DTYPE, [](Args& a) { a.table.dtype = VMX_F16; }},
      {"table.dtype is 2, but hidden.dtype is 1", VMX_ERR_DTYPE, [](Args& a) { a.table.dtype = VMX_BF16; }},
      {"table.cols is 4, but hidden.cols is 5", VMX_ERR_SHAPE, [](Args& a) { a.table.cols = 4; }},
      {"table.rows is -1", VMX_ERR_SHAPE, [](Args& a) { a.table.rows = -1; }},
      {"table.rows is 2147483648, more than VMX_MAX_COLS", VMX_ERR_SIZE,
       [](Args& a) {
         a.table.rows = VMX_MAX_COLS + 1;
         a.table.row_stride = 0;
       }},
      {"bias.n is 11", VMX_ERR_SHAPE, [](Args& a) { a.bias.n = 11; }},
      {"bias.dtype", VMX_ERR_DTYPE, [](Args& a) { a.bias.dtype = VMX_F64; }},
      {"targets.ids.type", VMX_ERR_DTYPE, [](Args& a) { a.targets.ids.type = VMX_F32; }},
      {"targets.ids.base", VMX_ERR_VALUE, [](Args& a) { a.targets.ids.base = 2; }},
      {"targets.indptr.n", VMX_ERR_SHAPE, [](Args& a) { a.targets.indptr.n = 4; }},
      {"targets.ids.n", VMX_ERR_SHAPE, [](Args& a) { a.targets.indptr.data = nullptr; }},
      {"targets.weights.n", VMX_ERR_SHAPE, [](Args& a) { a.targets.weights.n += 1; }},
      {"targets.weights[0] is nan", VMX_ERR_VALUE,
       [](Args& a) { a.targets.weights = {const_cast<float*>(&kNan), a.targets.ids.n, 0, VMX_F32, 0}; }},
      {"targets.ids[0] (row 0) is 12, outside [0, 12)", VMX_ERR_LABEL,
       [](Args& a) { a.targets.ids = {above, a.targets.ids.n, 0, VMX_I64, 0}; }},
      {"outside [0, 12)", VMX_ERR_LABEL, [](Args& a) { a.targets.ids = {lowest, a.targets.ids.n, 0, VMX_I64, 0}; }},
      {"candidates.struct_size", VMX_ERR_STRUCT, [](Args& a) { a.candidates.struct_size = 16; }},
      {"candidates.ids.dtype", VMX_ERR_DTYPE, [](Args& a) { a.candidates.ids.dtype = VMX_F32; }},
      {"candidates.ids.data is NULL", VMX_ERR_NULL, [](Args& a) { a.candidates.ids.data = nullptr; }},
      {"candidates.ids.rows is 3, but must be 1 or hidden.rows, 4", VMX_ERR_SHAPE, [](Args& a) { a.candidates.ids.rows = 3; }},
      {"candidates.ids of row 0, column 0 is -2", VMX_ERR_LABEL,
       [](Args& a) { a.candidates.ids = {const_cast<int64_t*>(below), a.candidates.ids.rows, kCandidates, 0, 0, VMX_I64, 0}; }},
      {"candidates.ids of row 0, column 0 is 12", VMX_ERR_LABEL,
       [](Args& a) { a.candidates.ids = {const_cast<int64_t*>(above), a.candidates.ids.rows, kCandidates, 0, 0, VMX_I64, 0}; }},
      {"candidates.log_q is missing", VMX_ERR_VALUE, [](Args& a) { a.candidates.log_q.data = nullptr; }},
      {"candidates.log_q.dtype", VMX_ERR_DTYPE, [](Args& a) { a.candidates.log_q.dtype = VMX_F64; }},
      {"candidates.log_q.cols is 5", VMX_ERR_SHAPE, [](Args& a) { a.candidates.log_q.cols = 5; }},
      {"candidates.log_q of row 0, column 0 is nan", VMX_ERR_VALUE,
       [](Args& a) { a.candidates.log_q = all_of(kNan, a.candidates.ids); }},
      {"candidates.log_q of row 0, column 0 is inf", VMX_ERR_VALUE,
       [](Args& a) { a.candidates.log_q = all_of(kInf, a.candidates.ids); }},
      {"candidates.target_log_q is missing", VMX_ERR_VALUE, [](Args& a) { a.candidates.target_log_q.data = nullptr; }},
      {"candidates.target_log_q.n", VMX_ERR_SHAPE, [](Args& a) { a.candidates.target_log_q.n += 1; }},
      {"candidates.target_log_q[0] is inf", VMX_ERR_VALUE,
       [](Args& a) { a.candidates.target_log_q = {const_cast<float*>(&kInf), a.targets.ids.n, 0, VMX_F32, 0}; }},
      {"candidates.identity.n is 11", VMX_ERR_SHAPE, [](Args& a) { a.candidates.identity.n = 11; }},
      {"candidates.identity.type", VMX_ERR_DTYPE, [](Args& a) { a.candidates.identity.type = VMX_F64; }},
      {"out.struct_size", VMX_ERR_STRUCT, [](Args& a) { a.out.struct_size = 8; }},
      {"out.loss.n is 5", VMX_ERR_SHAPE, [](Args& a) { a.out.loss.n = 5; }},
      {"out.loss.dtype", VMX_ERR_DTYPE, [](Args& a) { a.out.loss.dtype = VMX_F64; }},
      {"out.total is not aligned", VMX_ERR_VALUE,
          [](Args& a) { a.out.total = reinterpret_cast<double*>(reinterpret_cast<char*>(a.out.total) + 4); }},
      {"out.grad_scale is nan", VMX_ERR_VALUE, [](Args& a) { a.out.grad_scale = NAN; }},
      {"out.total_weight overlaps out.total", VMX_ERR_OVERLAP, [](Args& a) { a.out.total_weight = a.out.total; }},
      {"grads.struct_size", VMX_ERR_STRUCT, [](Args& a) { a.grads.struct_size = 8; }},
      {"grads.hidden is 3 x 5", VMX_ERR_SHAPE, [](Args& a) { a.grads.hidden.rows = 3; }},
      {"grads.hidden.dtype", VMX_ERR_DTYPE, [](Args& a) { a.grads.hidden.dtype = VMX_BF16; }},
      {"grads.hidden overlaps itself", VMX_ERR_OVERLAP, [](Args& a) { a.grads.hidden.row_stride = 2; }},
      {"grads.hidden overlaps hidden", VMX_ERR_OVERLAP, [](Args& a) { a.grads.hidden = a.hidden; }},
      {"grads.table is 11 x 5", VMX_ERR_SHAPE, [](Args& a) { a.grads.table.rows = 11; }},
      {"grads.table.dtype", VMX_ERR_DTYPE, [](Args& a) { a.grads.table.dtype = VMX_BF16; }},
      {"grads.table overlaps table", VMX_ERR_OVERLAP, [](Args& a) { a.grads.table = a.table; }},
      {"grads.bias.n is 11", VMX_ERR_SHAPE, [](Args& a) { a.grads.bias.n = 11; }},
      {"grads.bias overlaps bias", VMX_ERR_OVERLAP, [](Args& a) { a.grads.bias = a.bias; }},
      {"grads.sparse.struct_size", VMX_ERR_STRUCT, [](Args& a) { a.sparse.struct_size = 8; }},
      {"grads.sparse.ids is NULL", VMX_ERR_NULL, [](Args& a) { a.sparse.ids = nullptr; }},
      {"grads.sparse.rows.data is NULL", VMX_ERR_NULL, [](Args& a) { a.sparse.rows.data = nullptr; }},
      {"grads.sparse.rows.cols is 4", VMX_ERR_SHAPE, [](Args& a) { a.sparse.rows.cols = 4; }},
      {"grads.sparse.rows.dtype", VMX_ERR_DTYPE, [](Args& a) { a.sparse.rows.dtype = VMX_F64; }},
      {"grads.sparse has room for 1 rows, but there are ", VMX_ERR_SHAPE, [](Args& a) { a.sparse.rows.rows = 1; }},
      {"grads.sparse.rows overlaps grads.table", VMX_ERR_OVERLAP, [](Args& a) { a.sparse.rows = a.grads.table; }},
      {"grads.sparse.bias overlaps grads.bias", VMX_ERR_OVERLAP,
          [](Args& a) { a.sparse.bias = static_cast<float*>(a.grads.bias.data); }},
      {"grads.sparse.ids overlaps candidates.ids", VMX_ERR_OVERLAP,
       [](Args& a) { a.sparse.ids = static_cast<int64_t*>(a.candidates.ids.data); }},
      {"options.struct_size", VMX_ERR_STRUCT, [](Args& a) { a.options.struct_size = 4; }},
      {"options.flags has unknown bits 0x4", VMX_ERR_VALUE, [](Args& a) { a.options.flags = 4; }},
      {"options.reserved", VMX_ERR_VALUE, [](Args& a) { a.options.reserved = 1; }},
      {"options.temperature is 2, but VMX_LOSS_CCL", VMX_ERR_VALUE,
       [](Args& a) {
         a.options.loss = VMX_LOSS_CCL;
         a.options.temperature = 2;
       }},
      {"options.memory_limit is 10 bytes", VMX_ERR_VALUE, [](Args& a) { a.options.memory_limit = 10; }},
  };
  for (const int32_t loss : {0, 6, -1}) {
    list.push_back({"options.loss is ", VMX_ERR_VALUE, [=](Args& a) { a.options.loss = loss; }});
  }
  for (const int32_t kind : {-1, 4}) {
    list.push_back({"options.correction is ", VMX_ERR_VALUE, [=](Args& a) { a.options.correction = kind; }});
  }
  for (const int32_t kind : {-1, 2}) {
    list.push_back({"options.score is ", VMX_ERR_VALUE, [=](Args& a) { a.options.score = kind; }});
  }
  for (const int32_t kind : {-1, 3}) {
    list.push_back({"options.reduction is ", VMX_ERR_VALUE, [=](Args& a) { a.options.reduction = kind; }});
  }
  for (const double t : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    list.push_back({"options.temperature is ", VMX_ERR_VALUE, [=](Args& a) { a.options.temperature = t; }});
  }
  for (const double margin : {1.1, -1.1, static_cast<double>(NAN)}) {
    list.push_back({"options.margin is ", VMX_ERR_VALUE, [=](Args& a) { a.options.margin = margin; }});
  }
  for (const double w : {-0.5, static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    list.push_back({"options.negative_weight is ", VMX_ERR_VALUE, [=](Args& a) { a.options.negative_weight = w; }});
  }
  return list;
}

TEST(SampledArguments, OneBrokenThing) {
  for (const bool shared : {false, true}) {
    if (shared && !VMX_WITH_ONEDNN) continue;
    Call fine(shared);
    ASSERT_EQ(fine.args.call(), VMX_OK) << last_error();
    for (const Row& row : rows()) {
      SCOPED_TRACE(row.text);
      Call call(shared);
      row.spoil(call.args);
      const auto before = call.state();
      EXPECT_EQ(call.args.call(), row.status) << last_error();
      EXPECT_EQ(call.state(), before);
      const std::string message = last_error();
      EXPECT_EQ(message.rfind("vmx_sampled_loss: ", 0), 0u) << message;
      EXPECT_NE(message.find(row.text), std::string::npos) << message;
    }
  }
}

// What is left out, or not looked at.
TEST(SampledArguments, AreAccepted) {
  const std::function<void(Args&)> changes[] = {
      [](Args& a) { a.missing = &a.bias; },
      [](Args& a) { a.bias.data = nullptr; },
      [](Args& a) { a.missing = &a.grads; },
      [](Args& a) { a.grads = VMX_SAMPLED_GRADS_INIT; },
      [](Args& a) { a.out = VMX_SAMPLED_OUT_INIT; },
      [](Args& a) { a.sparse.bias = nullptr; },
      [](Args& a) { a.candidates.identity.data = nullptr; },
      [](Args& a) {  // no log q is asked for
        a.options.correction = VMX_CORRECT_NONE;
        a.candidates.log_q = a.candidates.ids;
        a.candidates.target_log_q.n = 77;
      },
      [](Args& a) {
        a.options.correction = VMX_CORRECT_IS;
        a.candidates.target_log_q.data = nullptr;
      },
      [](Args& a) {  // of another loss
        a.options.loss = VMX_LOSS_NEG;
        a.candidates.log_q.data = nullptr;
      },
      [](Args& a) { a.options.temperature = 1e-30; },
      [](Args& a) { a.options.temperature = 1e30; },
      [](Args& a) { a.out.grad_scale = 0; },
  };
  for (const bool shared : {false, true}) {
    if (shared && !VMX_WITH_ONEDNN) continue;
    for (size_t i = 0; i < std::size(changes); ++i) {
      Call call(shared);
      changes[i](call.args);
      EXPECT_EQ(call.args.call(), VMX_OK) << i << ": " << last_error();
    }
  }
}

TEST(SampledArguments, NoOptions) {
  Call call(false);
  call.args.missing = &call.args.options;
  EXPECT_EQ(call.args.call(), VMX_OK) << last_error();
}

TEST(SampledArguments, OfTheWorkspaceSize) {
  Call call(false);
  Args& a = call.args;
  size_t size = 77;
  const auto run = [&] {
    return vmx_sampled_loss_workspace_size(nullptr, a.given(a.hidden), a.given(a.table), 4,
        a.given(a.candidates), a.given(a.grads),
                                           &a.options, &size);
  };
  ASSERT_EQ(run(), VMX_OK) << last_error();
  EXPECT_GT(size, 0u);
  size = 77;
  EXPECT_EQ(vmx_sampled_loss_workspace_size(nullptr, &a.hidden, &a.table, 4, &a.candidates, nullptr, nullptr,
      nullptr), VMX_ERR_NULL);
  EXPECT_EQ(vmx_sampled_loss_workspace_size(nullptr, &a.hidden, &a.table, -1, &a.candidates, nullptr,
      nullptr, &size), VMX_ERR_SHAPE);
  EXPECT_EQ(vmx_sampled_loss_workspace_size(nullptr, &a.hidden, &a.table, int64_t{1} << 58, &a.candidates, nullptr,
      nullptr, &size), VMX_ERR_SIZE);
  const std::pair<vmx_status, std::function<void(Args&)>> spoils[] = {
      {VMX_ERR_NULL, [](Args& b) { b.missing = &b.hidden; }},
      {VMX_ERR_NULL, [](Args& b) { b.missing = &b.table; }},
      {VMX_ERR_NULL, [](Args& b) { b.missing = &b.candidates; }},
      {VMX_ERR_DTYPE, [](Args& b) { b.table.dtype = VMX_BF16; }},
      {VMX_ERR_SHAPE, [](Args& b) { b.table.cols = 9; }},
      {VMX_ERR_SHAPE, [](Args& b) { b.candidates.ids.rows = 2; }},
      {VMX_ERR_SHAPE, [](Args& b) { b.grads.hidden.rows = 2; }},
      {VMX_ERR_VALUE, [](Args& b) { b.options.loss = 9; }},
      {VMX_ERR_VALUE, [](Args& b) { b.options.memory_limit = 10; }},
  };
  for (const auto& [status, spoil] : spoils) {
    Call other(false);
    spoil(other.args);
    a = other.args;
    if (other.args.missing == &other.args.hidden) a.missing = &a.hidden;
    if (other.args.missing == &other.args.table) a.missing = &a.table;
    if (other.args.missing == &other.args.candidates) a.missing = &a.candidates;
    a.grads.sparse = nullptr;
    EXPECT_EQ(run(), status) << last_error();
    EXPECT_EQ(size, 77u);
  }
}

TEST(SampledArguments, Initialisers) {
  const auto check = [](auto init, auto defaults) {
    auto filled = defaults;
    std::memset(&filled, 0xab, sizeof filled);
    EXPECT_EQ(init(&filled, sizeof filled), VMX_OK);
    EXPECT_EQ(std::memcmp(&filled, &defaults, sizeof filled), 0);
    EXPECT_EQ(init(nullptr, sizeof filled), VMX_ERR_NULL);
    EXPECT_EQ(init(&filled, 8), VMX_ERR_STRUCT);
  };
  const vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
  const vmx_candidates candidates = VMX_CANDIDATES_INIT;
  const vmx_sparse_rows sparse = VMX_SPARSE_ROWS_INIT;
  const vmx_sampled_grads grads = VMX_SAMPLED_GRADS_INIT;
  const vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
  check(vmx_sampled_options_init, options);
  check(vmx_candidates_init, candidates);
  check(vmx_sparse_rows_init, sparse);
  check(vmx_sampled_grads_init, grads);
  check(vmx_sampled_out_init, out);
}

}  // namespace
}  // namespace vmx::test
