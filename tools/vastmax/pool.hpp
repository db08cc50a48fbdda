// SPDX-License-Identifier: Apache-2.0
// One pool for the library's kernels (as its parallel_for) and for the loops of this tool, so that the two never
// compete for cores. Which thread runs a task is open; tasks are cut so that it cannot matter.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "vastmax/vastmax.h"

namespace tool {

class Pool {
 public:
  /// threads counts the caller: threads - 1 are started.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// task(arg, i) for each i in [0, n); returns when all have ended. Called from inside a task it runs inline.
  void run(int64_t n, vmx_task task, void* arg);

  /// f(i) for each i in [0, n). f must not throw.
  template <class F>
  void for_each(int64_t n, F&& f) {
    using Function = std::remove_reference_t<F>;
    run(
        n, [](void* arg, int64_t i) { (*static_cast<Function*>(arg))(i); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

  /// A vmx_parallel_for over the Pool that user points to.
  static int32_t parallel_for(void* user, int64_t n, vmx_task task, void* arg);

 private:
  void work(vmx_task task, void* arg, int64_t n);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  uint64_t round_ = 0;
  int busy_ = 0;
  bool stop_ = false;
  vmx_task task_ = nullptr;
  void* arg_ = nullptr;
  int64_t n_ = 0;
  std::atomic<int64_t> next_{0};
};

}  // namespace tool
