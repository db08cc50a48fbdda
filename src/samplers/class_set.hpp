// SPDX-License-Identifier: Apache-2.0
// A set of class ids in given memory, by open addressing.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vmx {

class ClassSet {
 public:
  /// Slots for up to n classes: at most two thirds are taken.
  static size_t slots(int64_t n) { return std::bit_ceil(static_cast<size_t>(n) * 3 / 2 + 64); }

  ClassSet(int32_t* memory, int64_t n)
      : slot_(memory), mask_(slots(n) - 1), shift_(64 - static_cast<int>(std::countr_zero(slots(n)))) {
    std::memset(memory, 0xff, slots(n) * sizeof(int32_t));
  }
  /// Whether it was not there.
  bool insert(int32_t id) {
    size_t at = static_cast<size_t>((static_cast<uint64_t>(id) * 0x9E3779B97F4A7C15u) >> shift_);
    while (slot_[at] != id && slot_[at] >= 0) at = (at + 1) & mask_;
    const bool fresh = slot_[at] < 0;
    slot_[at] = id;
    return fresh;
  }

 private:
  int32_t* const slot_;  // negative: free
  const size_t mask_;
  const int shift_;
};

}  // namespace vmx
