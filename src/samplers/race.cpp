// SPDX-License-Identifier: Apache-2.0
#include "samplers/race.hpp"

#include "core/scalar_math.hpp"
#include "core/workspace.hpp"

#include <algorithm>

namespace vmx {
namespace {

constexpr int64_t kPart = 1024, kRoom = kPart + 64;  // of race_filter

// -log(-log1p(-u)); u near 1 is told by what it lacks.
double gumbel(uint64_t bits) {
  const bool upper = bits >> 63 != 0;
  const double v = (static_cast<double>(upper ? ~bits : bits) + 0.5) * 0x1p-64;
  return -scalar_log(upper ? -scalar_log(v) : -scalar_log1p(-v));
}

int64_t capacity_of(int64_t wanted) { return 2 * wanted + 2 * kPart; }

}  // namespace

size_t Race::bytes(int64_t wanted) {
  return Scratch::sum(Scratch::need<Entry>(static_cast<size_t>(capacity_of(wanted))), 2 * Scratch::need<int32_t>(kRoom));
}

void Race::begin(const KernelTable& kernels, const NoiseStreams& noise, double inverse, int64_t wanted, void* memory) {
  kernels_ = &kernels;
  noise_ = noise;
  inverse_ = inverse;
  scale_ = inverse * kLog2e;
  wanted_ = wanted;
  capacity_ = capacity_of(wanted);
  count_ = seen_ = 0;
  threshold_score_ = 0.0;
  threshold_noise_ = -__builtin_inf();
  auto* const bytes = static_cast<std::byte*>(memory);
  entries_ = reinterpret_cast<Entry*>(bytes);
  offsets_ = reinterpret_cast<int32_t*>(bytes + Scratch::need<Entry>(static_cast<size_t>(capacity_)));
  words_ = offsets_ + Scratch::need<int32_t>(kRoom) / sizeof(int32_t);
}

void Race::add(double z, int64_t id, uint32_t upper) {
  if (!(z > -__builtin_inf())) return;
  const uint32_t lower = philox(noise_.lower, static_cast<uint32_t>(id / 4)).word[id % 4];
  const double noise = gumbel(uint64_t{upper} << 32 | lower);
  const double score = z * inverse_, key = score + noise, t = key - score;
  entries_[count_++] = {key, (score - (key - t)) + (noise - t), z, noise, static_cast<int32_t>(id)};
}

template <class T, class Filter>
void Race::feed_scores(const T* z, int64_t n, int64_t first, Filter filter) {
  if (wanted_ == 0) return;
  for (int64_t c = 0; c < n;) {
    // As many classes as were seen already: the threshold lets few of them through.
    const int64_t part = std::min(std::clamp<int64_t>(seen_, 64, kPart), n - c);
    int64_t kept = 0;
    filter(noise_.upper, z + c, part, first + c, scale_, threshold_score_, threshold_noise_, offsets_, words_, kept);
    for (int64_t i = 0; i < kept; ++i) {
      const int64_t at = c + offsets_[i];
      add(static_cast<double>(z[at]), first + at, static_cast<uint32_t>(words_[i]));
    }
    if (count_ >= 2 * wanted_ + 32) prune();
    c += part;
    seen_ += (part + 63) / 64 * 64;
  }
}
template void Race::feed_scores(const float*, int64_t, int64_t, decltype(KernelTable::race_filter_f32));
template void Race::feed_scores(const double*, int64_t, int64_t, decltype(KernelTable::race_filter_f64));

void Race::prune() {
  if (count_ <= wanted_) return;
  std::nth_element(entries_, entries_ + wanted_ - 1, entries_ + count_, before);
  count_ = wanted_;
  const Entry& last = entries_[wanted_ - 1];
  threshold_score_ = last.score * scale_;
  threshold_noise_ = last.noise * kLog2e;
}

void Race::absorb(const Race& other) {
  for (int64_t i = 0; i < other.count_; ++i) {
    entries_[count_++] = other.entries_[i];
    if (count_ == capacity_) prune();
  }
}

int64_t Race::finish(const Entry** entries) {
  prune();
  std::sort(entries_, entries_ + count_, before);
  *entries = entries_;
  return count_;
}

}  // namespace vmx
