// SPDX-License-Identifier: Apache-2.0
// Memory for benchmarks.
#pragma once

#include <cstddef>
#include <utility>

namespace bench {

// Written once with zeros, so that no page is missing; on huge pages where the system has them; aligned to 64 bytes, but
// every buffer at another offset in its page, as the memory of a real caller is.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(block_, other.block_);
    std::swap(bytes_, other.bytes_);
    std::swap(reserved_, other.reserved_);
  }

  void* data_ = nullptr;
  void* block_ = nullptr;
  size_t bytes_ = 0, reserved_ = 0;
};

}  // namespace bench
