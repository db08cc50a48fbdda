// SPDX-License-Identifier: Apache-2.0
// Top-k by what the standard library has: (value, index) pairs, larger values first, then lower indices.
#pragma once

#include <cstdint>
#include <vector>

namespace bench::select {

struct Entry {
  float value;
  int32_t id;
};
inline bool before(const Entry& a, const Entry& b) { return a.value > b.value || (a.value == b.value && a.id < b.id); }

// pairs: room for n. The best k stand first afterwards, in order.
void partial_sort(const float* x, int64_t n, int64_t k, std::vector<Entry>& pairs);
// The same by std::nth_element, then a sort of the k; sorted = false: without it.
void nth_element(const float* x, int64_t n, int64_t k, std::vector<Entry>& pairs, bool sorted);
// Keeps the best in a heap of k entries, whose least lets most of the row be passed over; in order afterwards.
void heap(const float* x, int64_t n, int64_t k, std::vector<Entry>& best);

// The same for a row that comes in pieces, first ones first: push each, then sort.
void heap_push(const float* x, int64_t n, int64_t k, int32_t first_id, std::vector<Entry>& heap);
void sort_heap(std::vector<Entry>& heap);

}  // namespace bench::select
