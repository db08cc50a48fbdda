// SPDX-License-Identifier: Apache-2.0
#include "team.hpp"

#include <algorithm>

namespace bench {

Team::Team(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

Team::~Team() {
  stop_ = true;
  round_.fetch_add(1);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Team::piece(int index) const {
  const int64_t grains = (n_ + grain_ - 1) / grain_;
  const int64_t begin = std::min(n_, grains * index / size() * grain_);
  const int64_t end = std::min(n_, grains * (index + 1) / size() * grain_);
  if (begin < end) (*f_)(begin, end);
}

void Team::work(int index) {
  uint64_t last = 0;
  for (;;) {
    // Spins a little first: sleeping and waking takes as long as many a benchmark.
    for (int spins = 0; round_.load() == last && spins < 20000; ++spins) std::atomic_signal_fence(std::memory_order_seq_cst);
    round_.wait(last);
    last = round_.load();
    if (stop_) return;
    piece(index);
    busy_.fetch_sub(1);
  }
}

void Team::split(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& f) {
  if (workers_.empty()) {
    if (n > 0) f(0, n);
    return;
  }
  n_ = n;
  grain_ = grain;
  f_ = &f;
  busy_ = static_cast<int>(workers_.size());
  round_.fetch_add(1);
  round_.notify_all();
  piece(0);
  while (busy_.load() != 0) {
  }
}

}  // namespace bench
