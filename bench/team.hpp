// SPDX-License-Identifier: Apache-2.0
// Threads for what is not vastmax: probes and plain peers, so that they get as many as the library.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace bench {

class Team {
 public:
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Cuts [0, n) into one piece for each thread, at multiples of `grain`, and calls f(begin, end) for those not empty.
  void split(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& f);

 private:
  void work(int index);
  void piece(int index) const;

  std::vector<std::thread> workers_;
  std::atomic<uint64_t> round_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
  int64_t n_ = 0, grain_ = 1;
  const std::function<void(int64_t, int64_t)>* f_ = nullptr;
};

}  // namespace bench
