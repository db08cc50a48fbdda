// SPDX-License-Identifier: Apache-2.0
// A signal that comes in the middle of a call finds the thread on its own stack: handlers without one of their own write there.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/time.h>
#include <vastmax/vastmax.h>

#include <csignal>
#include <cstdint>
#include <ctime>
#include <vector>

namespace {

uintptr_t lowest, highest;  // of this thread's stack
volatile std::sig_atomic_t came, elsewhere;

void handle(int) {
  const volatile char here = 0;
  const auto at = reinterpret_cast<uintptr_t>(&here);
  came = came + 1;
  if (at < lowest || at >= highest) elsewhere = elsewhere + 1;
}

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

TEST(Signals, FindTheOwnStackDuringProducts) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
  void* stack;
  size_t size;
  ASSERT_EQ(pthread_attr_getstack(&attributes, &stack, &size), 0);
  pthread_attr_destroy(&attributes);
  lowest = reinterpret_cast<uintptr_t>(stack);
  highest = lowest + size;

  constexpr int64_t kRows = 256, kClasses = 500, kDim = 8;
  std::vector<float> hidden(kRows * kDim), weights(kClasses * kDim), grad_hidden(hidden.size()), grad_weights(weights.size());
  std::vector<int32_t> labels(kRows);
  for (size_t i = 0; i < hidden.size(); ++i) hidden[i] = static_cast<float>(i % 7) - 3;
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 11) / 11;
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % kClasses);
  const vmx_matrix x{hidden.data(), kRows, kDim, kDim, 1, VMX_F32, 0};
  vmx_linear linear = VMX_LINEAR_INIT;
  linear.weights = {weights.data(), kClasses, kDim, kDim, 1, VMX_F32, 0};
  vmx_csr targets{};
  targets.ids = {labels.data(), kRows, 1, VMX_I32, 0};
  double total = 0;
  vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
  out.total = &total;
  vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
  grads.hidden = {grad_hidden.data(), kRows, kDim, kDim, 1, VMX_F32, 0};
  grads.weights = {grad_weights.data(), kClasses, kDim, kDim, 1, VMX_F32, 0};
  const auto run = [&] {
    return vmx_linear_cross_entropy(nullptr, nullptr, &x, &linear, &targets, &out, &grads, nullptr);
  };
  if (run() == VMX_ERR_UNSUPPORTED) return;  // a build without products
  const std::vector<float> quiet = grad_hidden;

  struct sigaction action = {}, before;
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, &before);
  const itimerval often{{0, 100}, {0, 100}}, never{};
  setitimer(ITIMER_REAL, &often, nullptr);
  const double end = now() + 1;
  int wrong = 0;
  while (now() < end && elsewhere == 0) wrong += run() != VMX_OK || grad_hidden != quiet;
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  EXPECT_GT(came, 100);
  EXPECT_EQ(elsewhere, 0);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
