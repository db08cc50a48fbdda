// SPDX-License-Identifier: Apache-2.0
#include "support/guarded.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <system_error>

namespace vmx::test {
namespace {

[[noreturn]] void fail_with_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

GuardedBuffer::GuardedBuffer(size_t capacity) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
  capacity_ = (capacity + page_ - 1) / page_ * page_;
  void* memory = mmap(nullptr, capacity_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail_with_errno("mmap");
  first_ = static_cast<unsigned char*>(memory) + page_;
  if (capacity_ > 0 && mprotect(first_, capacity_, PROT_READ | PROT_WRITE) != 0) fail_with_errno("mprotect");
}

GuardedBuffer::~GuardedBuffer() { munmap(first_ - page_, capacity_ + 2 * page_); }

}  // namespace vmx::test
