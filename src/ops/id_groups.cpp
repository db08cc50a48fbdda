// SPDX-License-Identifier: Apache-2.0
#include "ops/id_groups.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace vmx {
namespace {

constexpr int kMostDigitBits = 11;  // the counters of a pass, and the lines that it writes to, stay in L1 and L2

}  // namespace

IdGroups::IdGroups(int64_t entries, int64_t classes) : n_(entries), classes_(classes) {
  const int bits = std::max(1, static_cast<int>(std::bit_width(static_cast<uint64_t>(classes))));
  passes_ = (bits + kMostDigitBits - 1) / kMostDigitBits;
  digit_bits_ = (bits + passes_ - 1) / passes_;
}

void IdGroups::sort(const vmx_context& ctx) {
  uint64_t *from = keys_, *to = other_;
  for (int p = 0; p < passes_; ++p) {
    pass(ctx, from, to, kPayloadBits + p * digit_bits_);
    std::swap(from, to);
  }
  sorted_ = from;
  terms_ = reinterpret_cast<SumTerm*>(to);
  find_groups(ctx);
}

void IdGroups::pass(const vmx_context& ctx, const uint64_t* from, uint64_t* to, int shift) {
  const int64_t n_digits = digits();
  const uint64_t mask = static_cast<uint64_t>(n_digits) - 1;
  const auto each_block = [&](auto&& f) {
    parallel_for(ctx, blocks(), [&](int64_t b) { f(counts_ + b * n_digits, b * kBlock, std::min(n_, (b + 1) * kBlock)); });
  };
  each_block([&](uint32_t* counts, int64_t begin, int64_t end) {
    std::fill_n(counts, n_digits, 0u);
    for (int64_t i = begin; i < end; ++i) ++counts[from[i] >> shift & mask];
  });
  uint32_t place = 0;
  for (int64_t digit = 0; digit < n_digits; ++digit) {
    for (int64_t b = 0; b < blocks(); ++b) {
      const uint32_t here = counts_[b * n_digits + digit];
      counts_[b * n_digits + digit] = place;
      place += here;
    }
  }
  each_block([&](uint32_t* places, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[places[from[i] >> shift & mask]++] = from[i];
  });
}

void IdGroups::find_groups(const vmx_context& ctx) {
  const auto id_of = [&](int64_t i) { return sorted_[i] >> kPayloadBits; };
  const auto none = static_cast<uint64_t>(classes_);
  // An entry that begins a group, or the tail of those without a class.
  const auto begins = [&](int64_t i) { return i == 0 || id_of(i) != id_of(i - 1); };
  parallel_for(ctx, blocks(), [&](int64_t b) {
    uint32_t found = 0;
    for (int64_t i = b * kBlock, end = std::min(n_, (b + 1) * kBlock); i < end; ++i) found += begins(i);
    counts_[b] = found;
  });
  uint32_t place = 0;
  for (int64_t b = 0; b < blocks(); ++b) {
    const uint32_t here = counts_[b];
    counts_[b] = place;
    place += here;
  }
  parallel_for(ctx, blocks(), [&](int64_t b) {
    uint32_t at = counts_[b];
    for (int64_t i = b * kBlock, end = std::min(n_, (b + 1) * kBlock); i < end; ++i) {
      if (begins(i)) first_[at++] = static_cast<uint32_t>(i);
    }
  });
  count_ = place;
  first_[count_] = static_cast<uint32_t>(n_);
  if (count_ > 0 && id_of(first_[count_ - 1]) == none) --count_;
}

}  // namespace vmx
