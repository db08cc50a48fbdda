// SPDX-License-Identifier: Apache-2.0
// Memory between two pages that may not be touched.
#pragma once

#include <cstddef>

namespace vmx::test {

class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t capacity);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  size_t capacity() const { return capacity_; }  // whole pages
  /// The first byte stands right behind the lower guard.
  unsigned char* at_start() const { return first_; }
  /// The last of `bytes` bytes stands right before the upper guard.
  unsigned char* at_end(size_t bytes) const { return first_ + capacity_ - bytes; }

 private:
  size_t page_, capacity_;
  unsigned char* first_;
};

}  // namespace vmx::test
