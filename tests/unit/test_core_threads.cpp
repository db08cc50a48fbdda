// SPDX-License-Identifier: Apache-2.0
// ctest-labels: threads sanitize
// ctest-processors: 2
// The pool, and a caller's parallel_for that may break its word.
#include "core/context.hpp"
#include "core/threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#  include <xmmintrin.h>
#endif
#if defined(__linux__)
#  include <signal.h>
#endif

namespace {

using namespace vmx;

struct Destroy {
  void operator()(vmx_context* ctx) const { vmx_context_destroy(ctx); }
};
using Context = std::unique_ptr<vmx_context, Destroy>;

Context with_threads(int32_t threads) {
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  vmx_context* ctx = nullptr;
  EXPECT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
  return Context(ctx);
}

Context with_callback(vmx_parallel_for callback, void* user = nullptr) {
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  options.parallel_for = callback;
  options.parallel_for_user = user;
  vmx_context* ctx = nullptr;
  EXPECT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
  return Context(ctx);
}

constexpr int32_t kThreadCounts[] = {1, 2, 3, 7};

TEST(Pool, EachTaskOnce) {
  for (const int32_t threads : kThreadCounts) {
    const Context ctx = with_threads(threads);
    for (const int64_t n : {0, 1, 2, 3, 17, 1000}) {
      for (int turn = 0; turn < 20; ++turn) {
        std::vector<int> runs(static_cast<size_t>(n));  // plain: a task run twice at once is a race
        parallel_for(*ctx, n, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; });
        for (const int count : runs) ASSERT_EQ(count, 1) << threads << " threads, " << n << " tasks";
      }
    }
  }
}

TEST(Pool, ConstantFunctionObjects) {
  const Context ctx = with_threads(2);
  std::atomic<int64_t> sum{0};
  const auto add = [&](int64_t i) { sum += i; };
  parallel_for(*ctx, 10, add);
  EXPECT_EQ(sum, 45);
}

// Tasks that wait for each other end only if as many threads as that take part.
TEST(Pool, AllThreadsTakePart) {
  for (const int32_t threads : kThreadCounts) {
    const Context ctx = with_threads(threads);
    for (int turn = 0; turn < 10; ++turn) {
      std::atomic<int32_t> arrived{0};
      parallel_for(*ctx, threads, [&](int64_t) {
        ++arrived;
        while (arrived < threads) std::this_thread::yield();
      });
      EXPECT_EQ(arrived, threads);
    }
  }
}

TEST(Pool, NoMoreThreadsThanAsked) {
  const Context ctx = with_threads(3);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  for (int turn = 0; turn < 50; ++turn) {
    parallel_for(*ctx, 64, [&](int64_t) {
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
    });
  }
  EXPECT_LE(ids.size(), 3u);
}

TEST(Pool, NestedCalls) {
  for (const int32_t threads : kThreadCounts) {
    const Context ctx = with_threads(threads);
    std::atomic<int64_t> leaves{0};
    parallel_for(*ctx, 6, [&](int64_t) {
      parallel_for(*ctx, 5, [&](int64_t) { parallel_for(*ctx, 4, [&](int64_t) { ++leaves; }); });
    });
    EXPECT_EQ(leaves, 6 * 5 * 4);
  }
}

TEST(Pool, ManyCallersAtOnce) {
  for (const int32_t threads : kThreadCounts) {
    const Context ctx = with_threads(threads);
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 5; ++caller) {
      callers.emplace_back([&, caller] {
        for (int turn = 0; turn < 60; ++turn) {
          const int64_t n = 1 + (caller * 7 + turn) % 23;
          std::atomic<int64_t> sum{0};
          parallel_for(*ctx, n, [&](int64_t i) {
            if (turn % 5 == 0) {
              parallel_for(*ctx, 3, [&](int64_t j) { sum += i * 3 + j; });
            } else {
              sum += i * 9 + 3;  // the same sum: 3 i * 3 + 0 + 1 + 2
            }
          });
          wrong += sum != n * (n - 1) / 2 * 9 + n * 3;
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(wrong, 0) << threads;
  }
}

TEST(Pool, WhatATaskThrows) {
  for (const int32_t threads : kThreadCounts) {
    const Context ctx = with_threads(threads);
    for (int turn = 0; turn < 20; ++turn) {
      std::atomic<int> running{0};
      const auto run = [&](int64_t bad) {
        parallel_for(*ctx, 50, [&](int64_t i) {
          ++running;
          struct Ends {
            std::atomic<int>& running;
            ~Ends() { --running; }
          } const ends{running};
          if (i == bad || bad < 0) throw std::runtime_error(std::to_string(i));
        });
      };
      try {
        run(turn);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), std::to_string(turn));
      }
      EXPECT_EQ(running, 0);
      EXPECT_THROW(run(-1), std::runtime_error);  // all of them: one is told
      EXPECT_EQ(running, 0);
    }
    EXPECT_THROW(parallel_for(*ctx, 4,
                              [&](int64_t) {
                                parallel_for(*ctx, 4, [](int64_t i) {
                                  if (i == 2) throw std::bad_alloc();
                                });
                              }),
                 std::bad_alloc);
    std::atomic<int> after{0};
    parallel_for(*ctx, 9, [&](int64_t) { ++after; });
    EXPECT_EQ(after, 9);
  }
}

TEST(Pool, SleepsAndWakes) {
  const Context ctx = with_threads(3);
  for (int turn = 0; turn < 5; ++turn) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> arrived{0};
    parallel_for(*ctx, 3, [&](int64_t) {
      ++arrived;
      while (arrived < 3) std::this_thread::yield();
    });
  }
}

TEST(Pool, MadeAndEndedAtOnce) {
  for (int turn = 0; turn < 30; ++turn) {
    const Context ctx = with_threads(1 + turn % 7);
    if (turn % 2) parallel_for(*ctx, 5, [](int64_t) {});
  }
}

#if defined(__SSE2__)
TEST(Pool, TasksRunInTheFloatingPointModeOfTheCaller) {
  const unsigned usual = _mm_getcsr();
  const auto check = [&](const vmx_context& ctx, unsigned mode) {
    std::atomic<int> wrong{0}, arrived{0};
    _mm_setcsr((usual & ~0x803fu) | mode);
    const unsigned before = _mm_getcsr() & ~0x3fu;
    parallel_for(ctx, 3, [&](int64_t) {
      ++arrived;
      while (ctx.pool && arrived < 3) std::this_thread::yield();
      wrong += (_mm_getcsr() & ~0x3fu) != before;
    });
    wrong += (_mm_getcsr() & ~0x3fu) != before;
    _mm_setcsr(usual);
    EXPECT_EQ(wrong, 0);
  };
  const Context pool = with_threads(3);
  const Context callback = with_callback([](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
    std::vector<std::thread> threads;
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(0x1f80);
    for (int64_t i = 0; i < n; ++i) threads.emplace_back(task, arg, i);
    for (std::thread& thread : threads) thread.join();
    _mm_setcsr(mode);
    return 0;
  });
  for (const unsigned mode : {0x8040u, 0u, 0x6000u, 0u}) {
    check(*pool, mode);
    check(*callback, mode);
  }
}
#endif

#if defined(__linux__)
TEST(Pool, SignalsOfTheHostStayWithItsThreads) {
  const Context ctx = with_threads(3);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> arrived{0}, open{0};
  parallel_for(*ctx, 3, [&](int64_t) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    const bool blocked =
        sigismember(&mask, SIGINT) && sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGALRM);
    const bool faults = sigismember(&mask, SIGSEGV) || sigismember(&mask, SIGFPE);
    if (std::this_thread::get_id() == caller ? blocked : (!blocked || faults)) ++open;
  });
  EXPECT_EQ(open, 0);
}
#endif

// ---- a caller's parallel_for

vmx_status run(const Context& ctx, int64_t n, std::atomic<int64_t>* done = nullptr) {
  return guarded([&] {
    parallel_for(*ctx, n, [&](int64_t) {
      if (done) ++*done;
    });
    return vmx_status{VMX_OK};
  });
}

std::string message() {
  char text[512];
  vmx_last_error(text, sizeof text);
  return text;
}

int32_t by_two_threads(void*, int64_t n, vmx_task task, void* arg) {
  std::thread other([&] {
    for (int64_t i = 1; i < n; i += 2) task(arg, i);
  });
  for (int64_t i = 0; i < n; i += 2) task(arg, i);
  other.join();
  return 0;
}

TEST(Callback, Good) {
  const Context ctx = with_callback(by_two_threads);
  for (const int64_t n : {0, 1, 2, 3, 100, 10000}) {
    std::atomic<int64_t> done{0};
    EXPECT_EQ(run(ctx, n, &done), VMX_OK);
    EXPECT_EQ(done, n);
  }
}

TEST(Callback, NotCalledForNothing) {
  const Context ctx = with_callback([](void*, int64_t, vmx_task, void*) -> int32_t { return 1; });
  EXPECT_EQ(run(ctx, 0), VMX_OK);
  EXPECT_EQ(run(ctx, 1), VMX_OK);
  EXPECT_EQ(run(ctx, 2), VMX_ERR_CALLBACK);
}

TEST(Callback, UserPointer) {
  int64_t asked = 0;
  const Context ctx = with_callback(
      [](void* user, int64_t n, vmx_task task, void* arg) -> int32_t {
        *static_cast<int64_t*>(user) = n;
        for (int64_t i = n; i-- > 0;) task(arg, i);
        return 0;
      },
      &asked);
  EXPECT_EQ(run(ctx, 12), VMX_OK);
  EXPECT_EQ(asked, 12);
}

TEST(Callback, BrokenOnes) {
  const struct {
    vmx_parallel_for callback;
    const char* text;
  } table[] = {
      {[](void*, int64_t, vmx_task, void*) -> int32_t { return 0; }, "parallel_for ran 0 tasks instead of 8"},
      {[](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
         for (int64_t i = 0; i < n - 1; ++i) task(arg, i);
         return 0;
       },
       "parallel_for ran 7 tasks instead of 8"},
      {[](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
         for (int64_t i = 0; i < n; ++i) task(arg, i);
         task(arg, 3);
         return 0;
       },
       "parallel_for ran 9 tasks instead of 8"},
      {[](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
         for (int64_t i = 0; i < n; ++i) task(arg, i == 5 ? 4 : i);
         return 0;
       },
       "parallel_for ran some of 8 tasks twice and left others out"},
      {[](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
         for (int64_t i = 0; i < n; ++i)
           task(arg, i == 1 ? 0 : i == 2 ? 3 : i);  // the sums agree: 0 + 3 == 1 + 2
         return 0;
       },
       "parallel_for ran some of 8 tasks twice and left others out"},
      {[](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
         for (int64_t i = -1; i < n; ++i) task(arg, i);
         return 0;
       },
       "parallel_for ran a task outside [0, 8)"},
      {[](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
         for (int64_t i = 0; i < n; ++i) task(arg, i);
         return -3;
       },
       "parallel_for returned -3"},
      {[](void*, int64_t, vmx_task task, void* arg) -> int32_t {
         task(arg, 0);
         throw std::runtime_error("no");
       },
       "parallel_for threw"},
  };
  for (const auto& row : table) {
    const Context ctx = with_callback(row.callback);
    EXPECT_EQ(run(ctx, 8), VMX_ERR_CALLBACK) << row.text;
    EXPECT_EQ(message(), row.text);
  }
}

TEST(Callback, WhatATaskThrowsStaysInside) {
  static std::atomic<bool> crossed{false};
  const Context ctx = with_callback([](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
    try {
      return by_two_threads(nullptr, n, task, arg);
    } catch (...) {
      crossed = true;
      throw;
    }
  });
  EXPECT_THROW(parallel_for(*ctx, 10, [](int64_t) { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_FALSE(crossed);
}

TEST(Callback, NestedCallsRunInline) {
  static std::atomic<int> calls{0};
  calls = 0;
  const Context ctx = with_callback([](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
    ++calls;
    return by_two_threads(nullptr, n, task, arg);
  });
  std::atomic<int> leaves{0};
  parallel_for(*ctx, 4, [&](int64_t) { parallel_for(*ctx, 5, [&](int64_t) { ++leaves; }); });
  EXPECT_EQ(leaves, 20);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(run(ctx, 4), VMX_OK);  // outside again
  EXPECT_EQ(calls, 2);
}

// Comes back while a task is still at work on another thread: its data must live until it has ended.
TEST(Callback, ReturnsTooEarly) {
  static std::atomic<bool> begun{false}, ended{false};
  static std::thread straggler;
  begun = ended = false;
  const Context ctx = with_callback([](void*, int64_t, vmx_task task, void* arg) -> int32_t {
    straggler = std::thread(task, arg, 0);
    while (!begun) std::this_thread::yield();
    return 0;
  });
  const vmx_status status = guarded([&] {
    parallel_for(*ctx, 2, [&](int64_t) {
      begun = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      ended = true;
    });
    return vmx_status{VMX_OK};
  });
  EXPECT_TRUE(ended);
  EXPECT_EQ(status, VMX_ERR_CALLBACK);
  straggler.join();
}

}  // namespace
