// SPDX-License-Identifier: Apache-2.0
// Entries brought together by class id: a stable radix sort, cut in blocks that no number of threads changes.
#pragma once

#include "core/context.hpp"
#include "core/gathered.hpp"
#include "core/workspace.hpp"

#include <cstdint>

namespace vmx {

class IdGroups {
 public:
  /// entries: how many there will be, at most kMostEntries; ids lie in [0, classes).
  IdGroups(int64_t entries, int64_t classes);

  static constexpr int kPayloadBits = 33;
  static constexpr int64_t kMostEntries = (int64_t{1} << 32) - 1;

  /// An entry; payload: in [0, 2^kPayloadBits). Entry i goes to keys()[i].
  static uint64_t key(int64_t id, int64_t payload) {
    return static_cast<uint64_t>(id) << kPayloadBits | static_cast<uint64_t>(payload);
  }
  /// One that belongs to no class.
  uint64_t no_key() const { return static_cast<uint64_t>(classes_) << kPayloadBits; }
  uint64_t* keys() const { return keys_; }

  /// Entries of equal ids keep their order.
  void sort(const vmx_context& ctx);

  int64_t count() const { return count_; }
  int64_t id(int64_t group) const { return static_cast<int64_t>(sorted_[first_[group]] >> kPayloadBits); }
  /// first()[g] to first()[g + 1] are the sorted entries of group g.
  const uint32_t* first() const { return first_; }
  int64_t entries() const { return first_[count_]; }
  int64_t payload(int64_t i) const { return static_cast<int64_t>(sorted_[i] & ((uint64_t{1} << kPayloadBits) - 1)); }
  /// Room for one term for each entry, once sorted.
  SumTerm* terms() const { return terms_; }

  template <class Taker>
  void take(Taker& taker) {
    keys_ = taker.template take<uint64_t>(static_cast<size_t>(n_));
    other_ = taker.template take<uint64_t>(static_cast<size_t>(n_));
    first_ = taker.template take<uint32_t>(static_cast<size_t>(n_) + 1);
    counts_ = taker.template take<uint32_t>(static_cast<size_t>(blocks() * digits()));
  }

 private:
  static constexpr int64_t kBlock = 1 << 15;
  int64_t blocks() const { return (n_ + kBlock - 1) / kBlock; }
  int64_t digits() const { return int64_t{1} << digit_bits_; }
  void pass(const vmx_context& ctx, const uint64_t* from, uint64_t* to, int shift);
  void find_groups(const vmx_context& ctx);

  int64_t n_, classes_;
  int passes_, digit_bits_;
  uint64_t *keys_ = nullptr, *other_ = nullptr;
  const uint64_t* sorted_ = nullptr;
  SumTerm* terms_ = nullptr;
  uint32_t *first_ = nullptr, *counts_ = nullptr;
  int64_t count_ = 0;
};

}  // namespace vmx
