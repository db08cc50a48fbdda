// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace vmx {

/// Hands out 0, 1, ... n - 1 in order, each once.
class Items {
 public:
  explicit Items(int64_t n) : n_(n) {}
  bool take(int64_t* item) {
    *item = next_.fetch_add(1, std::memory_order_relaxed);
    return *item < n_;
  }

 private:
  const int64_t n_;
  std::atomic<int64_t> next_{0};
};

}  // namespace vmx
