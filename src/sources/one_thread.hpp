// SPDX-License-Identifier: Apache-2.0
// Keeps oneDNN on the calling thread. Its usual builds take threads from OpenMP, whose number of threads is a setting of
// the calling thread: it is 1 while a OneThread lives and what it was before afterwards.
#pragma once

namespace vmx {

class OneThread {
 public:
  OneThread() noexcept;
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

  // Whether this process lets us: false only if oneDNN uses OpenMP and its runtime cannot be reached.
  static bool possible() noexcept;

 private:
  int before_;
};

}  // namespace vmx
