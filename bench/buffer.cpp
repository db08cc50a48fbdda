// SPDX-License-Identifier: Apache-2.0
#include "buffer.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#  include <sys/mman.h>
#endif

namespace bench {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMostOffset = 8192;

// Source and destination at the same place of their pages would make loads wait for stores that only look alike.
size_t next_offset() {
  static size_t count = 0;
  return (count++ * 1216) % kMostOffset / 64 * 64;
}

}  // namespace

Buffer::Buffer(size_t bytes) : bytes_(bytes), reserved_(bytes + kHugePage + kMostOffset + 64) {
#if defined(__linux__)
  block_ = mmap(nullptr, reserved_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block_ == MAP_FAILED) {
    block_ = nullptr;
    throw std::bad_alloc();
  }
#  if defined(MADV_HUGEPAGE)
  madvise(block_, reserved_, MADV_HUGEPAGE);
#  endif
#else
  block_ = std::malloc(reserved_);
  if (!block_) throw std::bad_alloc();
#endif
  const uintptr_t start = (reinterpret_cast<uintptr_t>(block_) + kHugePage - 1) / kHugePage * kHugePage;
  data_ = reinterpret_cast<void*>(start + next_offset());
  std::memset(data_, 0, bytes_);
}

Buffer::~Buffer() {
  if (!block_) return;
#if defined(__linux__)
  munmap(block_, reserved_);
#else
  std::free(block_);
#endif
}

}  // namespace bench
