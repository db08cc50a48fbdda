// SPDX-License-Identifier: Apache-2.0
// Sampled losses: equal bits whatever the threads, memory, layouts and, with candidates of each row, the ISA; workspaces and memory
// limits that are told and kept.
// ctest-labels: sanitize threads
#include "core/context.hpp"
#include "support/contexts.hpp"
#include "support/sampled.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

namespace vmx::test {
namespace {

using reference::SampledProblem;

std::vector<bool> ways() { return VMX_WITH_ONEDNN ? std::vector<bool>{false, true} : std::vector<bool>{false}; }

struct Kind {
  int32_t loss, correction, score;
  uint32_t flags;
};
const Kind kKinds[] = {{VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_IS, VMX_SCORE_DOT, VMX_SAMPLED_JOINT},
                       {VMX_LOSS_SAMPLED_SOFTMAX, VMX_CORRECT_COUNTS, VMX_SCORE_COSINE, 0},
                       {VMX_LOSS_NCE, VMX_CORRECT_NONE, VMX_SCORE_DOT, 0},
                       {VMX_LOSS_BPR, VMX_CORRECT_NONE, VMX_SCORE_COSINE, VMX_SAMPLED_KEEP_HITS},
                       {VMX_LOSS_CCL, VMX_CORRECT_NONE, VMX_SCORE_COSINE, 0}};

SampledProblem problem_of(const Kind& kind, const SampledSizes& sizes, const SampledForm& form) {
  SampledProblem p = make_sampled_problem(sizes, form, 5);
  // Values with all their digits: sums round.
  Random random(6);
  for (auto* m : {&p.hidden, &p.table}) {
    for (auto& row : *m) {
      for (double& v : row) v = rounded(v * (1 + 0.3 * random.unit()), form.dtype);
    }
  }
  p.options.loss = kind.loss;
  p.options.correction = kind.correction;
  p.options.score = kind.score;
  p.options.flags = kind.flags;
  p.options.temperature = kind.loss == VMX_LOSS_CCL ? 1.0 : 0.7;
  p.options.reduction = VMX_REDUCE_MEAN;
  return p;
}

std::vector<unsigned char> run(const vmx_context* ctx, const SampledProblem& p, const SampledForm& form, Layout out = {},
                               int64_t stride = 1) {
  const SampledArguments arguments(p, form);
  SampledAnswers answers(arguments, arguments.table.rows(), VMX_F32, out, stride);
  EXPECT_EQ(answers.run(ctx, nullptr, arguments), VMX_OK) << last_error();
  EXPECT_TRUE(answers.surroundings_untouched());
  return answers.bytes();
}

const SampledSizes kPerRow{70, 67, 90, 40};
const SampledSizes kShared{600, 20, 300, 1200};

TEST(SampledBits, ThreadsAndMemory) {
  for (const bool shared : ways()) {
    for (const Kind& kind : kKinds) {
      SampledForm form;
      form.shared = shared;
      form.lists = form.bias = form.empty_slots = true;
      SampledProblem p = problem_of(kind, shared ? kShared : kPerRow, form);
      const auto expected = run(nullptr, p, form);
      for (const int32_t threads : {1, 2, 3, 7}) {
        const Context ctx(VMX_ISA_BEST, threads);
        for (const size_t limit : {size_t{0}, shared ? size_t{4} << 20 : size_t{320} << 10}) {
          p.options.memory_limit = limit;
          EXPECT_EQ(run(ctx, p, form), expected) << threads << " threads, limit " << limit;
        }
      }
      p.options.memory_limit = 0;
    }
  }
}

int32_t in_reverse(void*, int64_t n, vmx_task task, void* arg) {
  for (int64_t i = n; i-- > 0;) task(arg, i);
  return 0;
}

TEST(SampledBits, TasksInAnyOrder) {
  for (const bool shared : ways()) {
    SampledForm form;
    form.shared = shared;
    const SampledProblem p = problem_of(kKinds[0], shared ? kShared : kPerRow, form);
    const Context ctx(VMX_ISA_BEST, 4, in_reverse);
    EXPECT_EQ(run(ctx, p, form), run(nullptr, p, form));
  }
}

TEST(SampledBits, IsasAndLayouts) {
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    for (const Kind& kind : kKinds) {
      SampledForm form;
      form.dtype = dtype;
      form.lists = form.bias = form.empty_slots = true;
      const SampledProblem p = problem_of(kind, kPerRow, form);
      const Context scalar(usable_isas().front());
      const auto expected = run(scalar, p, form);
      VMX_FOR_EACH_ISA(ctx) {
        EXPECT_EQ(run(ctx, p, form), expected);
        SampledForm other = form;
        other.hidden = {.row_pad = 3, .offset = 1};
        other.table = {.row_pad = 1, .offset = 3};
        other.stride = -3;
        EXPECT_EQ(run(ctx, p, other, {.row_pad = 1, .offset = 2}, 2), expected);
        other.hidden = {.step = 2};
        other.table = {.transposed = true};
        other.ids = {.transposed = true};
        other.id_type = VMX_I32;
        EXPECT_EQ(run(ctx, p, other, {.transposed = true}, 2), expected);
      }
    }
  }
}

// A row's answers do not depend on the rows beside it.
TEST(SampledBits, RowsAlone) {
  SampledForm form;
  form.empty_slots = true;
  SampledProblem p = problem_of(kKinds[1], kPerRow, form);
  p.options.reduction = VMX_REDUCE_SUM;
  const SampledArguments all(p, form);
  SampledAnswers together(all, 90);
  ASSERT_EQ(together.run(nullptr, nullptr, all), VMX_OK);
  for (const size_t r : {size_t{0}, size_t{13}, size_t{69}}) {
    SampledProblem one = p;
    one.hidden = {p.hidden[r]};
    one.targets = {p.targets[r]};
    one.candidates = {p.candidates[r]};
    const SampledArguments arguments(one, form);
    SampledAnswers alone(arguments, 90);
    ASSERT_EQ(alone.run(nullptr, nullptr, arguments), VMX_OK);
    EXPECT_EQ(alone.loss.get(0), together.loss.get(static_cast<int64_t>(r)));
    EXPECT_EQ(alone.grad_hidden.row_bytes(0), together.grad_hidden.row_bytes(static_cast<int64_t>(r)));
  }
}

// ---------------------------------------------------------------- memory

struct Counted {
  std::atomic<int64_t> allocations{0};
  static void* alloc(void* user, size_t size, size_t alignment) {
    ++static_cast<Counted*>(user)->allocations;
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  }
  static void free(void*, void* p, size_t, size_t) { std::free(p); }
};

TEST(SampledMemory, WorkspaceSizeIsEnough) {
  for (const bool shared : ways()) {
    for (const Kind& kind : kKinds) {
      for (const bool lists : {false, true}) {
        for (const int32_t threads : {1, 3}) {
          for (const bool gradients : {false, true}) {
            for (const bool strided : {false, true}) {
              for (const size_t limit : {size_t{0}, size_t{8} << 20}) {
                Counted counted;
                vmx_context_options co = VMX_CONTEXT_OPTIONS_INIT;
                co.threads = threads;
                co.alloc = Counted::alloc;
                co.free = Counted::free;
                co.alloc_user = &counted;
                vmx_context* ctx = nullptr;
                ASSERT_EQ(vmx_context_create(&co, &ctx), VMX_OK);
                {
                  SampledForm form;
                  form.shared = shared;
                  form.lists = lists;
                  form.bias = form.identity = true;
                  if (strided) form.table = form.hidden = {.step = 2};
                  SampledProblem p = problem_of(kind, kPerRow, form);
                  p.options.memory_limit = limit;
                  const SampledArguments arguments(p, form);
                  SampledAnswers answers(arguments, 90);
                  vmx_sampled_grads grads = answers.grads;
                  vmx_sparse_rows sparse = answers.sparse;
                  vmx_matrix hidden = arguments.hidden.view(), table = arguments.table.view();
                  vmx_candidates candidates = arguments.candidates;
                  grads.sparse = &sparse;
                  // The sizes are enough; the data need not be there.
                  hidden.data = table.data = grads.hidden.data = grads.table.data = grads.bias.data = candidates.ids.data = nullptr;
                  sparse.rows.data = nullptr;
                  size_t size = 0;
                  ASSERT_EQ(vmx_sampled_loss_workspace_size(ctx, &hidden, &table, arguments.targets.ids.n, &candidates,
                                                            gradients ? &grads : nullptr, &arguments.options, &size),
                            VMX_OK)
                      << last_error();
                  Workspace ws(ctx);
                  ASSERT_EQ(vmx_workspace_reserve(ws, size), VMX_OK);
                  const int64_t before = counted.allocations;
                  ASSERT_EQ(answers.run(ctx, ws, arguments, gradients), VMX_OK) << last_error();
                  EXPECT_EQ(counted.allocations, before) << "limit " << limit << ", " << threads << " threads";
                }
                vmx_context_destroy(ctx);
              }
            }
          }
        }
      }
    }
  }
}

TEST(SampledMemory, LimitIsKept) {
  for (const bool shared : ways()) {
    SampledForm form;
    form.shared = shared;
    SampledProblem p = problem_of(kKinds[2], shared ? kShared : kPerRow, form);
    p.options.memory_limit = 1000;
    const SampledArguments arguments(p, form);
    SampledAnswers answers(arguments, arguments.table.rows());
    const auto before = answers.bytes();
    EXPECT_EQ(answers.run(nullptr, nullptr, arguments), VMX_ERR_VALUE);
    EXPECT_EQ(answers.bytes(), before);
    // The message tells how much is enough.
    const std::string message = last_error();
    const size_t at = message.find("at least ");
    ASSERT_NE(at, std::string::npos) << message;
    const size_t enough = std::stoul(message.substr(at + 9));
    for (const size_t limit : {enough, enough - 1}) {
      p.options.memory_limit = limit;
      const SampledArguments again(p, form);
      const Context ctx(VMX_ISA_BEST, 5);
      Workspace ws(ctx);
      EXPECT_EQ(answers.run(ctx, ws, again), limit == enough ? VMX_OK : VMX_ERR_VALUE);
      EXPECT_LE(vmx_workspace_capacity(ws), enough);
    }
  }
}

}  // namespace
}  // namespace vmx::test
