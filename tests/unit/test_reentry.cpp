// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// Calls from inside a call's callback, calls that coroutines of one thread make by turns, and calls in a process that was forked
// off while no pool ran.
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#if defined(__linux__)
#include <cfenv>
#include <cstdlib>

#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#endif

namespace {

using namespace vmx::test;
using Bytes = std::vector<unsigned char>;

// Some work of each kind: what it wrote, nothing where a call failed.
class Work {
 public:
  Work() : x_(VMX_F32, rows()), weights_(VMX_F32, rows()), labels_(VMX_I64, {5, 0, -100, 3999, 17}) {}

  Bytes run(const vmx_context* ctx, vmx_workspace* ws) const {
    const int64_t n = x_.rows();
    const Matrix y(VMX_F32, n, x_.cols()), grad(VMX_F32, n, x_.cols()), values(VMX_F32, n, 9), ids(VMX_I32, n, 9);
    const Vector loss(VMX_F32, n), lse(VMX_F32, n);
    std::vector<vmx_lse_state> states(static_cast<size_t>(n), vmx_lse_state{});
    const vmx_csr targets = one_label(labels_);
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.loss = loss.view();
    out.grad = grad.view();
    bool fine = vmx_softmax(ctx, ws, x_, y, nullptr, nullptr, nullptr) == VMX_OK &&
                vmx_cross_entropy(ctx, ws, x_, &targets, &out, nullptr) == VMX_OK &&
                vmx_topk(ctx, ws, x_, 9, values, ids, nullptr, nullptr) == VMX_OK &&
                vmx_lse_fold(ctx, ws, x_, 0, states.data(), nullptr) == VMX_OK;
    if (fine && vmx_onednn_version()[0] != '\0') {
      vmx_linear linear = VMX_LINEAR_INIT;
      linear.weights = weights_.view();
      fine = vmx_linear_logsumexp(ctx, ws, x_, &linear, lse, nullptr, nullptr) == VMX_OK;
    }
    if (!fine) return {};
    Bytes all = y.bytes();
    for (const Bytes& more : {grad.bytes(), values.bytes(), ids.bytes(), loss.bytes(), lse.bytes()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    const auto* first = reinterpret_cast<const unsigned char*>(states.data());
    all.insert(all.end(), first, first + states.size() * sizeof states[0]);
    return all;
  }

 private:
  static std::vector<std::vector<double>> rows() {
    std::vector<std::vector<double>> result;
    for (uint64_t r = 0; r < 5; ++r) result.push_back(make_row(row_kind("bell"), 40000, VMX_F32, r));
    return result;
  }
  const Matrix x_, weights_;
  const Ids labels_;
};

struct Host {
  std::function<void()> meanwhile;
  int32_t result = 0;
  bool inside = false;

  static int32_t parallel_for(void* user, int64_t n, vmx_task task, void* arg) {
    auto& self = *static_cast<Host*>(user);
    if (!self.inside && self.meanwhile) {
      self.inside = true;
      self.meanwhile();
      self.inside = false;
    }
    for (int64_t i = n - 1; i >= 0; --i) task(arg, i);
    return self.result;
  }
};

// A host that waits for tasks may do other work meanwhile, with the same context, and the same workspace at hand.
TEST(Reentry, CallsFromParallelFor) {
  const Work work;
  const Bytes expected = work.run(nullptr, nullptr);
  ASSERT_FALSE(expected.empty());
  Host host;
  const Context ctx(VMX_ISA_BEST, 4, Host::parallel_for, &host);
  const Workspace ws(ctx);
  Bytes inner;
  host.meanwhile = [&] { inner = work.run(ctx, ws); };
  EXPECT_EQ(work.run(ctx, ws), expected) << last_error();
  EXPECT_EQ(inner, expected);
}

TEST(Reentry, MessagesNameTheirOwnFunction) {
  const Work work;
  Host host;
  const Context ctx(VMX_ISA_BEST, 4, Host::parallel_for, &host);
  std::string inner;
  host.meanwhile = [&] {
    EXPECT_EQ(vmx_logsumexp(ctx, nullptr, nullptr, nullptr, nullptr, nullptr), VMX_ERR_NULL);
    inner = last_error();
  };
  EXPECT_FALSE(work.run(ctx, nullptr).empty());
  EXPECT_EQ(inner, "vmx_logsumexp: x is NULL");
  EXPECT_EQ(last_error(), inner);
  host.result = 7;
  EXPECT_TRUE(work.run(ctx, nullptr).empty());
  EXPECT_EQ(last_error(), "vmx_softmax: parallel_for returned 7");
}

#if defined(__linux__)
// Two coroutines on one thread: each gives way to the other inside its parallel_for, and the one that began first ends first.
struct Fiber {
  explicit Fiber(Fiber** all, int self) : all_(all), self_(self), stack_(1 << 20) {}

  void prepare(ucontext_t* main) {
    getcontext(&state_);
    state_.uc_stack.ss_sp = stack_.data();
    state_.uc_stack.ss_size = stack_.size();
    state_.uc_link = main;
    makecontext(&state_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(reinterpret_cast<uintptr_t>(this)),
                static_cast<unsigned>(reinterpret_cast<uintptr_t>(this) >> 32));
  }
  static void enter(unsigned low, unsigned high) {
    auto* self = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(high) << 32 | low);
    const Matrix x(VMX_F32, std::vector<std::vector<double>>(8, make_row(row_kind("bell"), 40000, VMX_F32, 1)));
    const Vector lse(VMX_F32, 8);
    self->status_ = vmx_logsumexp(self->ctx_, nullptr, x, lse, nullptr, nullptr);
    self->message_ = last_error();
    self->ended_ = true;
  }
  static int32_t parallel_for(void* user, int64_t n, vmx_task task, void* arg) {
    auto* self = static_cast<Fiber*>(user);
    for (int64_t i = 0; i < n; ++i) task(arg, i);
    Fiber* other = self->all_[1 - self->self_];
    if (!other->ended_) swapcontext(&self->state_, &other->state_);
    return 7;  // so that the call leaves a message
  }

  Fiber** all_;
  int self_;
  std::vector<unsigned char> stack_;
  ucontext_t state_{};
  const vmx_context* ctx_ = nullptr;
  vmx_status status_ = VMX_OK;
  std::string message_;
  bool ended_ = false;
};

TEST(Reentry, CoroutinesOfOneThread) {
  Fiber* fibers[2];
  Fiber first(fibers, 0), second(fibers, 1);
  fibers[0] = &first, fibers[1] = &second;
  ucontext_t main_state;
  {
    const Context first_ctx(VMX_ISA_BEST, 4, Fiber::parallel_for, &first);
    const Context second_ctx(VMX_ISA_BEST, 4, Fiber::parallel_for, &second);
    first.ctx_ = first_ctx, second.ctx_ = second_ctx;
    first.prepare(&main_state), second.prepare(&main_state);
    swapcontext(&main_state, &first.state_);  // first begins, second begins, first ends
    ASSERT_TRUE(first.ended_ && !second.ended_);
    swapcontext(&main_state, &second.state_);
    ASSERT_TRUE(second.ended_);
  }
  for (const Fiber* fiber : fibers) {
    EXPECT_EQ(fiber->status_, VMX_ERR_CALLBACK);
    EXPECT_EQ(fiber->message_, "vmx_logsumexp: parallel_for returned 7");
  }

  // Outside of all calls hooks run as this thread does, not as what is left of some call's stack says.
  std::fill(first.stack_.begin(), first.stack_.end(), static_cast<unsigned char>(0xff));
  std::fill(second.stack_.begin(), second.stack_.end(), static_cast<unsigned char>(0xff));
  static int rounding;
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  options.alloc = [](void*, size_t size, size_t alignment) { return std::aligned_alloc(alignment, size); };
  options.free = [](void*, void* memory, size_t, size_t) {
    rounding = std::fegetround();
    std::free(memory);
  };
  vmx_context* ctx = nullptr;
  ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK) << last_error();
  std::fesetround(FE_UPWARD);
  vmx_context_destroy(ctx);
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(rounding, FE_UPWARD);
}

TEST(Fork, ChildrenCompute) {
  const Work work;
  const Context ctx;
  const Workspace ws(ctx);
  const Bytes expected = work.run(ctx, ws);  // whatever is set up at the first call has been
  ASSERT_FALSE(expected.empty());
  const pid_t child = fork();
  if (child == 0) {
    bool same = work.run(ctx, ws) == expected && work.run(nullptr, nullptr) == expected;
    {
      const Context pool(VMX_ISA_BEST, 3);
      same = same && work.run(pool, nullptr) == expected;
    }
    _exit(same ? 0 : 1);
  }
  EXPECT_EQ(work.run(ctx, ws), expected);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}
#endif

}  // namespace
