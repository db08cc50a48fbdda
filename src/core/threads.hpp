// SPDX-License-Identifier: Apache-2.0
// Ways to run n tasks on several threads: an own pool, or a caller's parallel_for.
#pragma once

#include <vastmax/vastmax.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace vmx {

using Task = void (*)(void* arg, int64_t index);

// Any number of threads may call run() at once, tasks too. Each call is a job in a list; idle workers take
// tasks from any job, a caller from its own alone, so that a call never waits for work it did not ask for.
class Pool {
 public:
  // Counts the caller: starts threads - 1. Throws std::system_error, with none left running, if one cannot
  // start.
  explicit Pool(int32_t threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Returns when all tasks have ended. Throws what the first task to fail threw; tasks not begun by then are
  // dropped.
  void run(int64_t n, Task task, void* arg);

 private:
  struct Job;
  void work() noexcept;
  Job* open_job() const noexcept;
  void unlink(Job& job) noexcept;
  void stop() noexcept;

  std::mutex mutex_;
  std::condition_variable posted_;  // workers sleep here
  std::condition_variable left_;    // callers wait here for the helpers of their job
  Job* first_ = nullptr;            // oldest first
  Job* last_ = nullptr;
  int64_t sleeping_ = 0;
  bool stopping_ = false;
  std::atomic<uint64_t> posts_{0};  // what idle workers watch before they sleep
  std::vector<std::thread> workers_;
};

// Runs the tasks by a caller's function, and throws CallbackError unless it did what it must.
void run_by_callback(vmx_parallel_for parallel_for, void* user, int64_t n, Task task, void* arg);

}  // namespace vmx
