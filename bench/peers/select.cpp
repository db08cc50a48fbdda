// SPDX-License-Identifier: Apache-2.0
#include "peers/select.hpp"

#include <algorithm>

namespace bench::select {
namespace {

void fill(const float* x, int64_t n, std::vector<Entry>& pairs) {
  for (int64_t i = 0; i < n; ++i) pairs[static_cast<size_t>(i)] = {x[i], static_cast<int32_t>(i)};
}

}  // namespace

void partial_sort(const float* x, int64_t n, int64_t k, std::vector<Entry>& pairs) {
  fill(x, n, pairs);
  std::partial_sort(pairs.begin(), pairs.begin() + k, pairs.end(), before);
}

void nth_element(const float* x, int64_t n, int64_t k, std::vector<Entry>& pairs, bool sorted) {
  fill(x, n, pairs);
  std::nth_element(pairs.begin(), pairs.begin() + (k - 1), pairs.end(), before);
  if (sorted) std::sort(pairs.begin(), pairs.begin() + k, before);
}

void heap_push(const float* x, int64_t n, int64_t k, int32_t first_id, std::vector<Entry>& heap) {
  int64_t i = 0;
  for (; i < n && static_cast<int64_t>(heap.size()) < k; ++i) {
    heap.push_back({x[i], first_id + static_cast<int32_t>(i)});
    std::push_heap(heap.begin(), heap.end(), before);
  }
  // Ids rise, so an equal value never displaces one that is there.
  float least = heap.front().value;
  for (; i < n; ++i) {
    if (!(x[i] > least)) continue;
    std::pop_heap(heap.begin(), heap.end(), before);
    heap.back() = {x[i], first_id + static_cast<int32_t>(i)};
    std::push_heap(heap.begin(), heap.end(), before);
    least = heap.front().value;
  }
}

void sort_heap(std::vector<Entry>& heap) { std::sort_heap(heap.begin(), heap.end(), before); }

void heap(const float* x, int64_t n, int64_t k, std::vector<Entry>& best) {
  best.clear();
  heap_push(x, n, k, 0, best);
  sort_heap(best);
}

}  // namespace bench::select
