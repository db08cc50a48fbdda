// SPDX-License-Identifier: Apache-2.0
#include "pool.hpp"

#include <csignal>
#include <utility>

namespace tool {
namespace {
thread_local bool inside_task = false;
}

Pool::Pool(int threads) {
  // Signals are for the main thread, which knows how to end a run.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this] {
      uint64_t seen = 0;
      std::unique_lock lock(mutex_);
      for (;;) {
        wake_.wait(lock, [&] { return stop_ || round_ != seen; });
        if (stop_) return;
        seen = round_;
        const vmx_task task = task_;
        void* const arg = arg_;
        const int64_t n = n_;
        lock.unlock();
        work(task, arg, n);
        lock.lock();
        if (--busy_ == 0) done_.notify_one();
      }
    });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Pool::~Pool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::work(vmx_task task, void* arg, int64_t n) {
  const bool before = std::exchange(inside_task, true);
  for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < n;) task(arg, i);
  inside_task = before;
}

void Pool::run(int64_t n, vmx_task task, void* arg) {
  if (n <= 1 || workers_.empty() || inside_task) {
    for (int64_t i = 0; i < n; ++i) task(arg, i);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    task_ = task;
    arg_ = arg;
    n_ = n;
    next_.store(0, std::memory_order_relaxed);
    busy_ = static_cast<int>(workers_.size());
    ++round_;
  }
  wake_.notify_all();
  work(task, arg, n);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return busy_ == 0; });
}

int32_t Pool::parallel_for(void* user, int64_t n, vmx_task task, void* arg) {
  static_cast<Pool*>(user)->run(n, task, arg);
  return 0;
}

}  // namespace tool
