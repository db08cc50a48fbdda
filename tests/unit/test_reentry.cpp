// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// Calls from inside a call's callback, and calls in a process that was forked off while no pool ran.
#include "support/arrays.hpp"
#include "support/contexts.hpp"
#include "support/rows.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#if defined(__linux__)
#include <sys/wait.h>
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
