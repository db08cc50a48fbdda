// SPDX-License-Identifier: Apache-2.0
// Rows of floats, each row a vector of an embedding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace tool {

template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(size_t n) {
    if (n > PTRDIFF_MAX / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t{64}); }
  bool operator==(const CacheLineAllocator&) const { return true; }
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
