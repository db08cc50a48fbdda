// SPDX-License-Identifier: Apache-2.0
// Rows of floats, each row a vector of an embedding.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace tool {

/// Aligned to cache lines; large blocks lie in huge pages where the system has them, since rows are read in random order.
template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(size_t n) {
    if (n > PTRDIFF_MAX / sizeof(T)) throw std::bad_alloc();
    const size_t bytes = n * sizeof(T), alignment = alignment_of(bytes);
    void* const block = ::operator new(bytes, std::align_val_t{alignment});
#if defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(block);
  }
  void deallocate(T* p, size_t n) { ::operator delete(p, std::align_val_t{alignment_of(n * sizeof(T))}); }
  bool operator==(const CacheLineAllocator&) const { return true; }

 private:
  static constexpr size_t kHugePage = size_t{1} << 21;
  static size_t alignment_of(size_t bytes) { return bytes >= 2 * kHugePage ? kHugePage : 64; }
};

using Floats = std::vector<float, CacheLineAllocator<float>>;

struct Table {
  int64_t rows = 0, dim = 0;
  Floats data;

  Table() = default;
  Table(int64_t n, int64_t d) : rows(n), dim(d), data(static_cast<size_t>(n) * static_cast<size_t>(d)) {}
  float* row(int64_t i) { return data.data() + i * dim; }
  const float* row(int64_t i) const { return data.data() + i * dim; }
};

}  // namespace tool
