// SPDX-License-Identifier: Apache-2.0
// How the operations on linear scores share out tiles and memory.
#pragma once

#include "core/context.hpp"
#include "core/status.hpp"
#include "core/workspace.hpp"
#include "ops/items.hpp"
#include "sources/one_thread.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <thread>

namespace vmx {

/// f(worker) for each of the workers, side by side, oneDNN staying on each one's thread.
template <class Function>
void run_workers(const vmx_context& ctx, int64_t workers, Function&& f) {
  parallel_for(ctx, workers, [&](int64_t worker) {
    const OneThread one_thread;
    f(worker);
  });
}

/// Lets several workers add their parts to one sum in the order of the items that they took, so that rounding does not depend on
/// who was first. An item waits only for lower ones, all of which someone is at work on; so the lowest never waits.
class Turns {
 public:
  struct alignas(64) Counter {
    std::atomic<int64_t> next;
  };

  /// counters: n of them, in the caller's memory.
  Turns(Counter* counters, int64_t n) : counters_(counters) {
    for (int64_t i = 0; i < n; ++i) ::new (&counters_[i]) Counter{{0}};
  }

  /// Until all items below have had their turn at counter i.
  void wait(int64_t i, int64_t item) const {
    std::atomic<int64_t>& next = counters_[i].next;
    for (int spins = 0; next.load(std::memory_order_acquire) != item; ++spins) {
      if (given_up_.load(std::memory_order_relaxed)) throw std::runtime_error("another task of this call failed");
      if (spins >= 256) std::this_thread::yield();
    }
  }
  void done(int64_t i) const { counters_[i].next.fetch_add(1, std::memory_order_release); }
  /// Nobody waits any more: a worker has failed.
  void give_up() { given_up_.store(true, std::memory_order_relaxed); }

 private:
  Counter* counters_;
  std::atomic<bool> given_up_{false};
};

/// VMX_ERR_VALUE: one row block would not fit.
vmx_status fail_memory_limit(size_t limit, size_t needed);

/// What an operation takes from the scratch. Any choice gives the same bits.
struct LinearPlan {
  int64_t workers = 1;
  int64_t block_chunks = 1;  // chunks of rows that are in work together
  int64_t stored_tiles = 0;  // tiles whose scores are kept from the first pass to the second
  size_t bytes = 0;
};

}  // namespace vmx
