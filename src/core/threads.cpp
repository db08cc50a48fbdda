// SPDX-License-Identifier: Apache-2.0
#include "core/threads.hpp"

#include "core/fp_mode.hpp"
#include "core/status.hpp"

#include <algorithm>
#include <cinttypes>
#include <exception>

#if defined(__unix__) || defined(__APPLE__)
#  include <pthread.h>
#  include <signal.h>
#  define VMX_POSIX 1
#else
#  define VMX_POSIX 0
#endif

namespace vmx {
namespace {

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// About 10 to 30 us: longer than the gap between two calls of a busy host, shorter than a scheduler's turn.
constexpr int kSpins = 512;

template <class Condition>
bool spin_until(Condition condition) noexcept {
  for (int i = 0; i < kSpins; ++i) {
    if (condition()) return true;
    pause();
  }
  return condition();
}

#if VMX_POSIX
// Threads inherit the mask of their maker. Signals are the host's: its own threads shall handle them.
class BlockSignals {
 public:
  BlockSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t saved_;
};
#else
struct BlockSignals {
  BlockSignals() noexcept {}
};
#endif

// What a task threw first, from whichever thread.
class FirstError {
 public:
  void keep_current() noexcept {
    if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
  }
  bool failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
  void rethrow_if_failed() const {  // once all tasks have ended
    if (failed()) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

}  // namespace

struct Pool::Job {
  const Task task;
  void* const arg;
  const int64_t n;
  const FpMode mode = FpMode::of_this_thread();
  std::atomic<int64_t> next{0};     // the next task to hand out
  std::atomic<int32_t> helpers{0};  // workers inside; changed under the pool's mutex
  FirstError error;
  Job* older = nullptr;
  Job* newer = nullptr;

  Job(Task job_task, void* job_arg, int64_t job_n) : task(job_task), arg(job_arg), n(job_n) {}

  bool open() const noexcept { return next.load(std::memory_order_relaxed) < n; }

  void work() noexcept {
    for (;;) {
      const int64_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= n) return;
      try {
        task(arg, index);
      } catch (...) {
        error.keep_current();
        next.store(n, std::memory_order_relaxed);
      }
    }
  }
};

Pool::Pool(int32_t threads) {
  const auto count = static_cast<size_t>(std::max(threads - 1, 0));
  workers_.reserve(count);
  const BlockSignals blocked;
  try {
    while (workers_.size() < count) workers_.emplace_back([this] { work(); });
  } catch (...) {
    stop();
    throw;
  }
}

Pool::~Pool() { stop(); }

void Pool::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    posts_.fetch_add(1, std::memory_order_relaxed);
  }
  posted_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

Pool::Job* Pool::open_job() const noexcept {
  Job* job = first_;
  while (job && !job->open()) job = job->newer;
  return job;
}

void Pool::unlink(Job& job) noexcept {
  (job.older ? job.older->newer : first_) = job.newer;
  (job.newer ? job.newer->older : last_) = job.older;
}

void Pool::work() noexcept {
  bool spin = false;  // only after work: the next call may follow at once
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (Job* const job = open_job()) {
      job->helpers.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      {
        const FpModeScope scope(job->mode);
        job->work();
      }
      lock.lock();
      // The job may be gone from here on.
      if (job->helpers.fetch_sub(1, std::memory_order_release) == 1) left_.notify_all();
      spin = true;
    } else if (spin) {
      const uint64_t seen = posts_.load(std::memory_order_relaxed);
      lock.unlock();
      spin_until([&] { return posts_.load(std::memory_order_relaxed) != seen; });
      lock.lock();
      spin = false;
    } else {
      ++sleeping_;
      posted_.wait(lock);
      --sleeping_;
    }
  }
}

void Pool::run(int64_t n, Task task, void* arg) {
  Job job(task, arg, n);
  int64_t wake;
  {
    const std::lock_guard lock(mutex_);
    job.older = last_;
    (last_ ? last_->newer : first_) = &job;
    last_ = &job;
    wake = std::min(n - 1, sleeping_);
    posts_.fetch_add(1, std::memory_order_relaxed);
  }
  for (; wake > 0; --wake) posted_.notify_one();

  job.work();

  {
    const std::lock_guard lock(mutex_);
    unlink(job);  // no worker can enter any more
  }
  const auto all_left = [&] { return job.helpers.load(std::memory_order_acquire) == 0; };
  if (!spin_until(all_left)) {
    std::unique_lock lock(mutex_);
    left_.wait(lock, all_left);
  }
  job.error.rethrow_if_failed();
}

namespace {

// A caller's thread pool need not stand a call from inside its own tasks: those run inline.
thread_local bool inside_callback_task = false;

// Spreads task numbers over 64 bits, one to one: equal counts and equal sums of these tell
// that each task ran once.
uint64_t fingerprint(int64_t index) noexcept {
  uint64_t x = (static_cast<uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}

struct CallbackJob {
  const Task task;
  void* const arg;
  const int64_t n;
  const FpMode mode = FpMode::of_this_thread();
  const ApiCall* const call = ApiCall::current();
  std::atomic<int64_t> runs{0};
  std::atomic<uint64_t> fingerprints{0};
  std::atomic<int64_t> running{0};
  std::atomic<bool> stray{false};  // a number outside [0, n)
  FirstError error;

  CallbackJob(Task job_task, void* job_arg, int64_t job_n) : task(job_task), arg(job_arg), n(job_n) {}

  void run(int64_t index) noexcept {
    running.fetch_add(1, std::memory_order_relaxed);
    if (index < 0 || index >= n) {
      stray.store(true, std::memory_order_relaxed);
    } else {
      runs.fetch_add(1, std::memory_order_relaxed);
      fingerprints.fetch_add(fingerprint(index), std::memory_order_relaxed);
      if (!error.failed()) {
        const FpModeScope scope(mode);
        const InCall in_call(call);
        const bool outer = inside_callback_task;
        inside_callback_task = true;
        try {
          task(arg, index);
        } catch (...) {
          error.keep_current();
        }
        inside_callback_task = outer;
      }
    }
    running.fetch_sub(1, std::memory_order_release);
  }
};

void run_callback_task(void* job, int64_t index) { static_cast<CallbackJob*>(job)->run(index); }

}  // namespace

void run_by_callback(vmx_parallel_for parallel_for, void* user, int64_t n, Task task, void* arg) {
  if (inside_callback_task) {
    for (int64_t i = 0; i < n; ++i) task(arg, i);
    return;
  }
  CallbackJob job(task, arg, n);
  int32_t result = 0;
  bool threw = false;
  try {
    // A host's scheduler may run other work of the host's meanwhile.
    const FpModeScope scope(ApiCall::caller_mode());
    const InCall in_none(nullptr);
    result = parallel_for(user, n, run_callback_task, &job);
  } catch (...) {
    threw = true;
  }
  // Against the contract it may have come back early. The tasks use what the caller owns: see them end.
  while (job.running.load(std::memory_order_acquire) != 0) std::this_thread::yield();

  job.error.rethrow_if_failed();
  if (threw) throw CallbackError("parallel_for threw");
  if (result != 0) throw CallbackError("parallel_for returned %" PRId32, result);
  const int64_t runs = job.runs.load(std::memory_order_relaxed);
  if (job.stray.load(std::memory_order_relaxed)) {
    throw CallbackError("parallel_for ran a task outside [0, %" PRId64 ")", n);
  }
  if (runs != n) throw CallbackError("parallel_for ran %" PRId64 " tasks instead of %" PRId64, runs, n);
  uint64_t expected = 0;
  for (int64_t i = 0; i < n; ++i) expected += fingerprint(i);
  if (job.fingerprints.load(std::memory_order_relaxed) != expected) {
    throw CallbackError("parallel_for ran some of %" PRId64 " tasks twice and left others out", n);
  }
}

}  // namespace vmx
