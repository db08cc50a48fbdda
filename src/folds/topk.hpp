// SPDX-License-Identifier: Apache-2.0
// The topk fold. Scores come in rising order of id; what may still be among the k best is kept as a candidate.
//
// Few candidates are expected: the maxima of blocks of 64 are taken first (the cost of a plain maximum), and only blocks whose
// maximum reaches the threshold are looked into. The first threshold is the k-th best of the maxima: k entries are at least that
// good. Many: every block is looked into, against a threshold guessed from a sample. When the candidates' arrays are full they are
// cut to about k, which raises the threshold: that bounds the work for any order of the scores.
//
// Thresholds are keys, and the last word is always theirs: floats are compared only to leave out what cannot be a candidate, so
// that neither signed zeros nor the flush flags of the CPU change a result.
#pragma once

#include <cstring>

#include "core/dtype.hpp"
#include "core/topk_list.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

struct NarrowSelect {
  using Value = float;
  using Key = int32_t;
  using Unsigned = uint32_t;
  using Values = F;
  using Keys = I;
  using Pair = TopkPair32;
  static constexpr int kLanesEach = kW;
  static constexpr Key kNan = INT32_MIN, kHighest = INT32_MAX, kInf = 0x7f800000;
  static constexpr Key kTiny = 0x00800000;  // smallest normal
  static Value value(float x) { return x; }
  static Value value(bf16 x) { return bf16_to_f32(x.bits); }
  static Value value(f16 x) { return f16_to_f32(x.bits); }
  static Value of_bits(Key bits) { return __builtin_bit_cast(float, bits); }
  static double value_of(Key key) { return static_cast<double>(of_bits(key >= 0 ? key : key ^ kHighest)); }
  static Key key_of(double value) {
    const Key bits = __builtin_bit_cast(Key, static_cast<float>(value));
    return bits >= 0 ? bits : bits ^ kHighest;
  }
  using Index = I;  // of lane 0, as compress_index wants it
  static Index next(Index i) { return add(i, I(kW)); }
  static void index(int32_t* to, Index base, uint32_t mask) { compress_index(to, base, mask); }
  static void ids(int32_t* to, const int32_t* from, uint32_t mask) { compress(to, load(from), mask); }
};
struct WideSelect {
  using Value = double;
  using Key = int64_t;
  using Unsigned = uint64_t;
  using Values = D;
  using Keys = L;
  using Pair = TopkPair64;
  static constexpr int kLanesEach = kWD;
  static constexpr Key kNan = INT64_MIN, kHighest = INT64_MAX, kInf = 0x7ff0000000000000;
  static constexpr Key kTiny = 0x0010000000000000;
  static Value value(double x) { return x; }
  static Value of_bits(Key bits) { return __builtin_bit_cast(double, bits); }
  static double value_of(Key key) { return of_bits(key >= 0 ? key : key ^ kHighest); }
  static Key key_of(double value) {
    const Key bits = __builtin_bit_cast(Key, value);
    return bits >= 0 ? bits : bits ^ kHighest;
  }
  using Index = int32_t;
  static Index next(Index i) { return i + kWD; }
  static void index(int32_t* to, Index base, uint32_t mask) { compress_index_wide(to, base, mask); }
  static void ids(int32_t* to, const int32_t* from, uint32_t mask) { compress_ids_wide(to, from, mask); }
};
template <class T>
struct SelectOf {
  using type = NarrowSelect;
};
template <>
struct SelectOf<double> {
  using type = WideSelect;
};
template <class T>
using Select = typename SelectOf<T>::type;

inline void set_nan(float& x) { x = __builtin_nanf(""); }
inline void set_nan(double& x) { x = __builtin_nan(""); }
inline void set_nan(bf16& x) { x.bits = 0x7fc0; }
inline void set_nan(f16& x) { x.bits = 0x7e00; }

template <class S>
constexpr typename S::Key kMinusInf = -S::kInf - 1;

constexpr uint64_t low_bits(int64_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }
template <class S>
constexpr uint32_t kAllLanes = static_cast<uint32_t>(low_bits(S::kLanesEach));

/// The threshold that float comparisons use: where they take tiny numbers for 0, no tiny number may be left out.
template <class S>
inline typename S::Key comparable(typename S::Key key) {
  return key > -S::kTiny - 1 && key < S::kTiny && denormals_are_zero() ? -S::kTiny - 1 : key;
}

/// The lowest number whose key is at least `key`; NaN, to which nothing compares, beyond +inf.
template <class S>
inline typename S::Value lowest_of(typename S::Key key) {
  key = comparable<S>(key);
  if (key < kMinusInf<S>) key = kMinusInf<S>;
  return S::of_bits(key >= 0 ? key : key ^ S::kHighest);
}

template <class S>
inline bool has_threshold(const TopkList& list) {
  return list.threshold > S::kNan;
}

// ---- keys

template <class S>
inline typename S::Keys keys_at(const typename S::Value* scores, bool smallest) {
  const typename S::Values v = load(scores);
  return order_key(smallest ? negate(v) : v);
}

/// Room for whole registers behind n.
template <class S>
inline void pad(typename S::Key* keys, int64_t n, typename S::Key with) {
  for (int64_t i = n; i % S::kLanesEach != 0; ++i) keys[i] = with;
}

template <class S>
inline int64_t count_at_least(const typename S::Key* keys, int64_t n, typename S::Key threshold) {
  using Keys = typename S::Keys;
  constexpr int w = S::kLanesEach;
  const Keys t(threshold);
  Keys less[4] = {Keys(0), Keys(0), Keys(0), Keys(0)};
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) less[j] = add_if_less(less[j], load(keys + i + j * w), t);
  }
  for (; i < n; i += w) less[0] = add_if_less(less[0], load(keys + i), t);  // the padding is not less
  alignas(64) typename S::Key lanes[w];
  store(lanes, add(add(less[0], less[1]), add(less[2], less[3])));
  int64_t count = n;
  for (const auto lane : lanes) count -= lane;
  return count;
}

/// To a twelfth of a bit, for numbers from 2^-1022.
inline double log2_about(double x) {
  return static_cast<double>(__builtin_bit_cast(int64_t, x)) * 0x1p-52;
}

template <class S>
struct Cut {
  typename S::Key key;
  int64_t count;  // keys at least that high
};

template <class S>
struct KeyRange {
  typename S::Key low, high;
};

/// Changes the padding.
template <class S>
inline KeyRange<S> range_of(typename S::Key* keys, int64_t n) {
  using Key = typename S::Key;
  constexpr int w = S::kLanesEach;
  pad<S>(keys, n, keys[0]);
  auto lowest = load(keys), highest = lowest;
  for (int64_t i = w; i < n; i += w) {
    lowest = smaller(lowest, load(keys + i));
    highest = larger(highest, load(keys + i));
  }
  alignas(64) Key low[w], high[w];
  store(low, lowest);
  store(high, highest);
  KeyRange<S> range{low[0], high[0]};
  for (int i = 1; i < w; ++i) {
    if (low[i] < range.low) range.low = low[i];
    if (high[i] > range.high) range.high = high[i];
  }
  return range;
}

/// Finds the highest key that at least k of the n keys within range reach, by digits of 11 bits. Destroys keys.
template <class S>
[[gnu::noinline]] inline Cut<S> cut_by_digits(typename S::Key* keys, int64_t n, int64_t k, KeyRange<S> range) {
  using Unsigned = typename S::Unsigned;
  constexpr int kDigit = 11;
  Unsigned base = static_cast<Unsigned>(range.low), span = static_cast<Unsigned>(range.high) - base;
  int64_t above = 0;  // keys that are higher than all that are left
  for (;;) {
    int shift = 0;
    while (span >> shift >> kDigit) ++shift;
    uint32_t counts[1 << kDigit] = {};
    for (int64_t i = 0; i < n; ++i) ++counts[(static_cast<Unsigned>(keys[i]) - base) >> shift];
    Unsigned digit = span >> shift;
    while (above + counts[digit] < k) above += counts[digit--];
    base += digit << shift;
    const int64_t reached = above + counts[digit];
    if (shift == 0 || reached == k) return {static_cast<typename S::Key>(base), reached};
    span = (Unsigned{1} << shift) - 1;
    int64_t left = 0;
    for (int64_t i = 0; i < n; ++i) {
      keys[left] = keys[i];
      left += static_cast<Unsigned>(keys[i]) - base <= span;
    }
    n = left;
  }
}

constexpr int64_t kFewKeys = 64;
constexpr int64_t kFewToSort = 128;

/// How many of the n keys each of them is lower than. Whole registers are written.
template <class S>
inline void count_better(const typename S::Key* keys, int64_t n, typename S::Key* better) {
  constexpr int w = S::kLanesEach;
  for (int64_t i = 0; i < n; i += w) {
    const typename S::Keys mine = load(keys + i);
    typename S::Keys even(0), odd(0);
    int64_t j = 0;
    for (; j + 2 <= n; j += 2) {
      even = add_if_less(even, mine, typename S::Keys(keys[j]));
      odd = add_if_less(odd, mine, typename S::Keys(keys[j + 1]));
    }
    if (j < n) even = add_if_less(even, mine, typename S::Keys(keys[j]));
    store(better + i, add(even, odd));
  }
}

/// Positions of at most kFewToSort keys, best first.
template <class S>
inline void order_by_counting(const typename S::Key* keys, int64_t n, int32_t* order) {
  alignas(64) typename S::Key better[kFewToSort + S::kLanesEach];
  count_better<S>(keys, n, better);
  for (int64_t i = 0; i < n; ++i) order[i] = -1;
  for (int64_t i = 0; i < n; ++i) {
    int64_t rank = static_cast<int64_t>(better[i]);
    while (order[rank] >= 0) ++rank;  // ties, in the order of their ids
    order[rank] = static_cast<int32_t>(i);
  }
}

/// Copies the keys within a range, in place too. Returns how many they are.
template <class S>
inline int64_t gather_range(const typename S::Key* keys, int64_t n, KeyRange<S> range, typename S::Key* to) {
  constexpr int w = S::kLanesEach;
  const typename S::Keys low(range.low), high(range.high);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += w) {
    const auto here = load(keys + i);
    const uint32_t mask = at_least(here, low) & at_least(high, here) & static_cast<uint32_t>(low_bits(n - i));
    compress(to + count, here, mask);
    count += mask_count(mask);
  }
  return count;
}

/// A key that at least k of the n keys reach, n >= k >= 1: one that at most k + slack keys reach, else the highest there is.
/// Changes the padding, and destroys the keys if they are more than kTopkBlocks.
template <class S>
inline Cut<S> find_cut(typename S::Key* keys, int64_t n, int64_t k, int64_t slack) {
  using Key = typename S::Key;
  using Unsigned = typename S::Unsigned;
  constexpr int w = S::kLanesEach;
  int64_t above = 0;  // keys put aside, higher than all that are left

  // Many keys: two of a sample enclose the cut, seldom fail to, and what is outside is left behind.
  KeyRange<S> range{S::kNan, S::kInf};
  for (int round = 0; n > kTopkBlocks; ++round) {
    if (round == 12) {
      const Cut<S> cut = cut_by_digits<S>(keys, n, k - above, range_of<S>(keys, n));
      return {cut.key, above + cut.count};
    }
    alignas(64) Key sample[kFewKeys];
    for (int64_t i = 0; i < kFewKeys; ++i) sample[i] = keys[(2 * i + 1) * n / (2 * kFewKeys)];
    int32_t order[kFewKeys];
    order_by_counting<S>(sample, kFewKeys, order);
    const int64_t rank = (k - above) * kFewKeys / n;  // at most kFewKeys
    const auto best = [&](int64_t i) { return sample[order[i < kFewKeys ? i : kFewKeys - 1]]; };
    Key low = rank + 7 < kFewKeys ? best(rank + 7) : S::kNan, high = rank >= 7 ? best(rank - 7) : S::kInf;
    if (low < range.low) low = range.low;
    if (high <= low || best(rank) == low) high = low + 1;  // if many are equal, are those the ones?
    pad<S>(keys, n, S::kHighest);
    const int64_t count = count_at_least<S>(keys, n, low), beyond = count_at_least<S>(keys, n, high);
    if (above + beyond >= k) {
      range.low = high;
    } else if (above + count >= k) {
      range = {low, high - 1};
      above += beyond;
    } else {
      range.high = low - 1;
      above += count;
    }
    if (range.low == range.high) {
      pad<S>(keys, n, S::kNan);
      return {range.low, above + gather_range<S>(keys, n, range, keys)};
    }
    n = gather_range<S>(keys, n, range, keys);
  }

  range = range_of<S>(keys, n);
  pad<S>(keys, n, S::kHighest);
  int64_t count = n, beyond = 0;  // of these: at least range.low, and so at least k in all; higher than range.high, and so fewer
  bool halve = false, low_side = true;
  alignas(64) Key own[kTopkBlocks + w];
  for (int tries = 1; above + count > k + slack && range.low != range.high; ++tries) {
    const int64_t inside = count - beyond;
    if (tries % 8 == 0) {  // equal keys may be all there is: see what the range holds
      n = count = gather_range<S>(keys, n, range, own);
      keys = own;
      range = range_of<S>(keys, n);
      pad<S>(keys, n, S::kHighest);
      above += beyond;
      beyond = 0;
      continue;
    }
    if (inside <= kFewKeys && (slack == 0 || tries > 4)) {
      alignas(64) Key few[kFewKeys + w], better[kFewKeys + w];
      const int64_t found = gather_range<S>(keys, n, range, few);
      count_better<S>(few, found, better);
      const int64_t wanted = k - above - beyond;
      Cut<S> cut{range.high, above + beyond};
      for (int64_t i = 0; i < found; ++i) {
        if (better[i] >= wanted) continue;
        ++cut.count;
        if (few[i] < cut.key) cut.key = few[i];
      }
      return cut;
    }
    const Unsigned width = static_cast<Unsigned>(range.high) - static_cast<Unsigned>(range.low);
    Unsigned step = width / 2 + 1;
    if (!halve) {
      // Counts fall about exponentially with the value. Aims a little below the k-th, then above it, to narrow both sides down.
      const double margin = slack > 0 ? 0.5 * static_cast<double>(slack) : static_cast<double>(inside) / 16;
      const double aim = static_cast<double>(k) + (low_side || slack > 0 ? margin : -margin);
      const double reached = log2_about(static_cast<double>(above + count));
      const double missed = log2_about(static_cast<double>(above + beyond) + 0.5);
      const double low = S::value_of(range.low), high = S::value_of(range.high);
      const double share = (reached - log2_about(aim > 0.5 ? aim : 0.5)) / (reached - missed);
      const double value = low + share * (high - low);
      if (value > low && value < high) {
        step = static_cast<Unsigned>(S::key_of(value)) - static_cast<Unsigned>(range.low);
      }
    }
    if (step < 1) step = 1;
    if (step > width) step = width;
    const Key middle = static_cast<Key>(static_cast<Unsigned>(range.low) + step);
    const int64_t here = count_at_least<S>(keys, n, middle);
    if (above + here >= k) {
      range.low = middle;
      count = here;
    } else {
      range.high = middle - 1;
      beyond = here;
    }
    halve = !halve && 2 * (count - beyond) > inside;
    low_side = above + here < k;
  }
  return {range.low, above + count};
}

// ---- cutting a list

template <class S>
inline void compute_keys(const TopkList& list, const TopkWork& work) {
  const auto* scores = static_cast<const typename S::Value*>(list.scores);
  auto* keys = static_cast<typename S::Key*>(work.keys);
  for (int64_t i = 0; i < list.count; i += S::kLanesEach) store(keys + i, keys_at<S>(scores + i, list.smallest));
}

/// Keeps the candidates that `mask_of(position)` tells.
template <class S, class Function>
inline void filter(TopkList& list, Function&& mask_of) {
  constexpr int w = S::kLanesEach;
  auto* scores = static_cast<typename S::Value*>(list.scores);
  int64_t kept = 0;
  for (int64_t i = 0; i < list.count; i += w) {
    const uint32_t mask = mask_of(i) & static_cast<uint32_t>(low_bits(list.count - i));
    const typename S::Values v = load(scores + i);
    S::ids(list.ids + kept, list.ids + i, mask);
    compress(scores + kept, v, mask);
    kept += mask_count(mask);
  }
  list.count = kept;
}

/// Keeps the candidates from the cut on; of those equal to an exact cut the first ones, so that k are left.
template <class S>
inline void keep(TopkList& list, Cut<S> cut, int64_t slack) {
  constexpr int w = S::kLanesEach;
  const auto* scores = static_cast<const typename S::Value*>(list.scores);
  const typename S::Keys from(cut.key);
  if (cut.count <= list.k + slack) {
    list.threshold = cut.count == list.k ? cut.key + 1 : cut.key;
    if (cut.key > kMinusInf<S> && cut.key == comparable<S>(cut.key)) {  // floats tell as well, and sooner
      const typename S::Values lowest(lowest_of<S>(cut.key)), highest = negate(lowest);
      if (list.smallest) {
        filter<S>(list, [&](int64_t i) { return at_least(highest, load(scores + i)); });
      } else {
        filter<S>(list, [&](int64_t i) { return at_least(load(scores + i), lowest); });
      }
    } else {
      filter<S>(list, [&](int64_t i) { return at_least(keys_at<S>(scores + i, list.smallest), from); });
    }
  } else {
    list.threshold = cut.key + 1;
    const typename S::Keys above(cut.key + 1);  // no key is the highest integer
    int64_t ties = list.k;
    for (int64_t i = 0; i < list.count; i += w) {
      const uint32_t higher = at_least(keys_at<S>(scores + i, list.smallest), above);
      ties -= mask_count(higher & static_cast<uint32_t>(low_bits(list.count - i)));
    }
    filter<S>(list, [&](int64_t i) {
      const auto keys = keys_at<S>(scores + i, list.smallest);
      uint32_t mask = at_least(keys, above);
      for (uint32_t equal = at_least(keys, from) & ~mask; equal && ties > 0; --ties, equal &= equal - 1) {
        mask |= equal & (0u - equal);
      }
      return mask;
    });
  }
  list.guessed = false;
}

/// Cuts more than k candidates to k, or to at most k + slack.
template <class S>
[[gnu::noinline]] inline void prune(TopkList& list, const TopkWork& work, int64_t slack) {
  compute_keys<S>(list, work);
  auto* keys = static_cast<typename S::Key*>(work.keys);
  keep<S>(list, find_cut<S>(keys, list.count, list.k, slack), slack);
}

/// Room for one more block.
template <class S>
inline void make_room(TopkList& list, const TopkWork& work) {
  if (list.count > list.capacity - kTopkBlock) prune<S>(list, work, (list.capacity - list.k) / 4);
}

// ---- excluded ids

struct Excluded {
  const int32_t* next;
  const int32_t* end;

  /// From the first one that is at least id.
  Excluded(const int32_t* ids, int64_t n, int64_t id) : next(ids), end(ids + n) {
    while (n > 0) {
      const int64_t half = n / 2;
      if (next[half] < id) {
        next += half + 1;
        n -= half + 1;
      } else {
        n = half;
      }
    }
  }
  void skip_to(int64_t id) {
    while (next != end && *next < id) ++next;
  }
  bool any_before(int64_t id) const { return next != end && *next < id; }
  /// Bit i: id + i is excluded. Ids must rise from call to call.
  uint64_t mask(int64_t id) {
    uint64_t bits = 0;
    skip_to(id);
    for (const int32_t* p = next; p != end && *p < id + kTopkBlock; ++p) bits |= uint64_t{1} << (*p - id);
    return bits;
  }
};

// ---- what a row holds

template <class T>
inline void note_flags(TopkList& list, const T* x, int64_t n) {
  using S = Select<T>;
  constexpr int w = S::kLanesEach;
  const typename S::Values inf(S::of_bits(S::kInf));
  int64_t i = 0;
  bool nan = false, has_inf = false;
  for (; i + w <= n; i += w) {
    const typename S::Values v = load(x + i);
    nan |= at_least(v, v) != kAllLanes<S>;
    has_inf |= at_least(v, inf) != 0;
  }
  for (; i < n; ++i) {
    const typename S::Value v = S::value(x[i]);
    nan |= v != v;
    has_inf |= v == S::of_bits(S::kInf);
  }
  list.flags |= (nan ? VMX_ROW_NAN : 0u) | (has_inf ? VMX_ROW_INF : 0u);
}

/// Sums turn into NaN or +inf if a term is. (Seldom they do so without; then the scores are looked at for nothing.)
template <class S>
inline bool is_odd(typename S::Values sum) {
  return at_least(typename S::Values(S::of_bits(S::kInf - 1)), sum) != kAllLanes<S>;
}

/// Copies n <= 64 scores and fills up with NaN, which no maximum takes.
template <class T>
inline const T* stage(T* staged, const T* x, int64_t n) {
  std::memcpy(staged, x, static_cast<size_t>(n) * sizeof(T));
  for (int64_t i = n; i < kTopkBlock; ++i) set_nan(staged[i]);
  return staged;
}

// ---- maxima of blocks

template <bool kSmallest, bool kWatch, class T>
inline typename Select<T>::Values block_best(const T* x, typename Select<T>::Values* sum) {
  using S = Select<T>;
  typename S::Values best(S::of_bits(kSmallest ? S::kInf : kMinusInf<S> ^ S::kHighest)), block_sum = best;
#pragma GCC unroll 8
  for (int i = 0; i < kTopkBlock; i += S::kLanesEach) {
    const typename S::Values v = load(x + i);
    best = kSmallest ? min_or_b(v, best) : max_or_b(v, best);
    if constexpr (kWatch) block_sum = i == 0 ? v : block_sum + v;
  }
  if constexpr (kWatch) *sum = *sum + block_sum;
  return kSmallest ? negate(best) : best;
}

template <class T>
inline typename Select<T>::Values block_sum(const T* x) {
  using S = Select<T>;
  typename S::Values sum = load(x);
#pragma GCC unroll 8
  for (int i = S::kLanesEach; i < kTopkBlock; i += S::kLanesEach) sum = sum + load(x + i);
  return sum;
}

/// Keys of the best of each block of x; the last block may be partial.
template <bool kSmallest, bool kWatch, class T>
inline void block_maxima(TopkList& list, const T* x, int64_t n, typename Select<T>::Key* maxima) {
  using S = Select<T>;
  using Values = typename S::Values;
  constexpr int w = S::kLanesEach;
  const int64_t whole = n / kTopkBlock;
  const Values nothing(S::of_bits(kMinusInf<S> ^ S::kHighest));
  Values sum(S::of_bits(0));
  Values best[w];
  int64_t b = 0;
  for (; b + w <= whole; b += w) {
    const T* p = x + b * kTopkBlock;
#pragma GCC unroll 16
    for (int j = 0; j < w; ++j) {
      best[j] = block_best<kSmallest, kWatch>(p + j * kTopkBlock, &sum);
    }
    store(maxima + b, order_key(max_across(best)));
  }
  if (b * kTopkBlock < n) {
    alignas(64) T staged[kTopkBlock];
    alignas(64) typename S::Key last[w];
    for (int j = 0; j < w; ++j) {
      const int64_t from = (b + j) * kTopkBlock;
      best[j] = nothing;
      if (from >= n) continue;
      if (b + j < whole) {
        best[j] = block_best<kSmallest, kWatch>(x + from, &sum);
      } else {
        best[j] = block_best<kSmallest, false>(stage(staged, x + from, n - from), &sum);
        if constexpr (kWatch) note_flags(list, x + from, n - from);
      }
    }
    store(last, order_key(max_across(best)));
    for (int j = 0; b + j < (n + kTopkBlock - 1) / kTopkBlock && j < w; ++j) maxima[b + j] = last[j];
  }
  if constexpr (kWatch) {
    if (is_odd<S>(sum)) note_flags(list, x, n);
  }
}

/// Takes the excluded ids out of the maxima.
template <bool kSmallest, class T>
[[gnu::noinline]] inline void mend_maxima(const T* x, int64_t n, int64_t first, Excluded excluded,
                                          typename Select<T>::Key* maxima) {
  using S = Select<T>;
  constexpr int w = S::kLanesEach;
  typename S::Values best[w];
  for (auto& v : best) v = typename S::Values(S::of_bits(kMinusInf<S> ^ S::kHighest));
  alignas(64) T staged[kTopkBlock];
  alignas(64) typename S::Key keys[w];
  while (excluded.any_before(first + n)) {
    const int64_t block = (*excluded.next - first) / kTopkBlock, from = block * kTopkBlock;
    stage(staged, x + from, n - from < kTopkBlock ? n - from : kTopkBlock);
    for (; excluded.any_before(first + from + kTopkBlock); ++excluded.next) {
      set_nan(staged[*excluded.next - first - from]);
    }
    best[0] = block_best<kSmallest, false>(staged, best);
    store(keys, order_key(max_across(best)));
    maxima[block] = keys[0];
  }
}

// ---- taking candidates

/// Bit i: x[i] may be a candidate. x holds a whole block.
template <bool kSmallest, class T>
inline uint64_t survivors(const T* x, typename Select<T>::Values limit) {
  using S = Select<T>;
  uint64_t mask = 0;
#pragma GCC unroll 16
  for (int i = 0; i < kTopkBlock; i += S::kLanesEach) {
    const typename S::Values v = load(x + i);
    mask |= static_cast<uint64_t>(kSmallest ? at_least(limit, v) : at_least(v, limit)) << i;
  }
  return mask;
}

template <class T>
inline void append(TopkList& list, const T* x, int32_t id, uint64_t mask) {
  using S = Select<T>;
  constexpr int w = S::kLanesEach;
  auto* scores = static_cast<typename S::Value*>(list.scores) + list.count;
  int32_t* ids = list.ids + list.count;
  if (w == kW && kW < 8) {  // without instructions for it, bit by bit is faster
    for (; mask; mask &= mask - 1) {
      const int i = __builtin_ctzll(mask);
      *scores++ = S::value(x[i]);
      *ids++ = id + i;
    }
    list.count = ids - list.ids;
    return;
  }
  if ((mask & (mask - 1)) == 0) {
    if (mask == 0) return;
    const int i = __builtin_ctzll(mask);
    *scores = S::value(x[i]);
    *ids = id + i;
    ++list.count;
    return;
  }
  typename S::Index index(id);
  for (int i = 0; i < kTopkBlock; i += w, index = S::next(index)) {
    const uint32_t part = static_cast<uint32_t>(mask >> i) & kAllLanes<S>;
    compress(scores, load(x + i), part);
    S::index(ids, index, part);
    scores += mask_count(part);
    ids += mask_count(part);
  }
  list.count = ids - list.ids;
}

/// All survivors of whole blocks without excluded ids, as many blocks as are sure to fit.
template <bool kSmallest, class T>
inline int64_t append_survivors(TopkList& list, const T* x, int64_t blocks, int64_t id, typename Select<T>::Values limit) {
  using S = Select<T>;
  constexpr int w = S::kLanesEach;
  const int64_t room = (list.capacity - list.count) / kTopkBlock;
  if (blocks > room) blocks = room;
  auto* scores = static_cast<typename S::Value*>(list.scores);
  int32_t* ids = list.ids;
  int64_t count = list.count;
  typename S::Index index(static_cast<int32_t>(id));
  for (int64_t b = 0; b < blocks; ++b, x += kTopkBlock) {
#pragma GCC unroll 16
    for (int i = 0; i < kTopkBlock; i += w) {
      const typename S::Values v = load(x + i);
      const uint32_t part = kSmallest ? at_least(limit, v) : at_least(v, limit);
      compress(scores + count, v, part);
      S::index(ids + count, index, part);
      count += mask_count(part);
      index = S::next(index);
    }
  }
  list.count = count;
  return blocks;
}

template <bool kSmallest, class T>
inline typename Select<T>::Values limit_of(const TopkList& list) {
  using S = Select<T>;
  const typename S::Values lowest(lowest_of<S>(static_cast<typename S::Key>(list.threshold)));
  return kSmallest ? negate(lowest) : lowest;
}

/// What the maximum of a block with a candidate reaches.
template <class S>
inline typename S::Key reach_of(const TopkList& list) {
  return has_threshold<S>(list) ? comparable<S>(static_cast<typename S::Key>(list.threshold)) : S::kNan;
}

/// A better threshold by the best of each lane of blocks: rows that rise would make candidates of whole blocks.
template <bool kSmallest, class T>
[[gnu::noinline]] inline void refine(TopkList& list, const TopkWork& work, const T* x, const int32_t* hits, int64_t n) {
  using S = Select<T>;
  auto* keys = static_cast<typename S::Key*>(work.keys);
  typename S::Values unused(S::of_bits(0));
  for (int64_t h = 0; h < n; ++h) {
    store(keys + h * S::kLanesEach, order_key(block_best<kSmallest, false>(x + hits[h] * kTopkBlock, &unused)));
  }
  const Cut<S> cut = find_cut<S>(keys, n * S::kLanesEach, list.k, list.k / 8 + 4);
  const typename S::Key key = comparable<S>(cut.key);
  if (cut.key <= kMinusInf<S> || key <= list.threshold) return;
  list.threshold = key;
  const typename S::Values limit = limit_of<kSmallest, T>(list);
  const auto* scores = static_cast<const typename S::Value*>(list.scores);
  filter<S>(list, [&](int64_t i) {
    const typename S::Values v = load(scores + i);
    return kSmallest ? at_least(limit, v) : at_least(v, limit);
  });
}

/// By the maxima of blocks.
template <bool kSmallest, class T>
inline void feed_blocks(TopkList& list, const TopkWork& work, const T* x, int64_t n, int64_t first, Excluded& excluded) {
  using S = Select<T>;
  using Key = typename S::Key;
  constexpr int w = S::kLanesEach;
  auto* maxima = static_cast<Key*>(work.maxima);
  const int64_t blocks = (n + kTopkBlock - 1) / kTopkBlock;
  if (list.watch) {
    block_maxima<kSmallest, true>(list, x, n, maxima);
  } else {
    block_maxima<kSmallest, false>(list, x, n, maxima);
  }
  excluded.skip_to(first);
  const bool any_excluded = excluded.any_before(first + n);
  int cuts = 0;
  if (any_excluded) {
    mend_maxima<kSmallest>(x, n, first, excluded, maxima);
  }
  if (!has_threshold<S>(list)) {
    const Cut<S> cut = find_cut<S>(maxima, blocks, list.k, list.k / 8 + 4);
    list.threshold = comparable<S>(cut.key);
    // -inf stands for blocks without any number too: no bound.
    if (cut.key <= kMinusInf<S>) list.threshold = kTopkNoThreshold;
  }
  Key reach = reach_of<S>(list);
  pad<S>(maxima, blocks, S::kNan);
  int64_t hits = 0;
  const typename S::Keys least(reach);
  typename S::Index index(0);
  for (int64_t b = 0; b < blocks; b += w, index = S::next(index)) {
    const uint32_t mask = at_least(load(maxima + b), least) & static_cast<uint32_t>(low_bits(blocks - b));
    S::index(work.hits + hits, index, mask);
    hits += mask_count(mask);
  }
  list.dense = 2 * hits > blocks && blocks >= 16;

  alignas(64) T staged[kTopkBlock];
  int64_t seen = list.threshold;
  auto limit = limit_of<kSmallest, T>(list);
  for (int64_t h = 0; h < hits; ++h) {
    const int64_t block = work.hits[h], from = block * kTopkBlock;
    if (list.threshold != seen) {
      seen = list.threshold;
      limit = limit_of<kSmallest, T>(list);
      reach = reach_of<S>(list);
    }
    if (maxima[block] < reach) continue;
    const int64_t have = n - from < kTopkBlock ? n - from : kTopkBlock;
    const T* p = have == kTopkBlock ? x + from : stage(staged, x + from, have);
    uint64_t mask = has_threshold<S>(list) ? survivors<kSmallest>(p, limit) : low_bits(have);
    mask &= low_bits(have);
    if (any_excluded) mask &= ~excluded.mask(first + from);
    append(list, p, static_cast<int32_t>(first + from), mask);
    if (list.count > list.capacity - kTopkBlock) {
      const int64_t left = hits - h - 2;  // the last block may be partial
      if (++cuts == 2 && !any_excluded && left * S::kLanesEach >= list.k) {
        refine<kSmallest>(list, work, x, work.hits + h + 1, left);
      }
      make_room<S>(list, work);
    }
  }
}

/// Block by block.
template <bool kSmallest, class T>
inline void feed_dense(TopkList& list, const TopkWork& work, const T* x, int64_t n, int64_t first, Excluded& excluded) {
  using S = Select<T>;
  alignas(64) T staged[kTopkBlock];
  const int64_t before = list.threshold;
  if (list.watch) {
    const int64_t whole = n / kTopkBlock * kTopkBlock;
    typename S::Values sum(S::of_bits(0));
    for (int64_t c = 0; c < whole; c += kTopkBlock) sum = sum + block_sum(x + c);
    if (is_odd<S>(sum)) note_flags(list, x, whole);
    note_flags(list, x + whole, n - whole);
  }
  for (int64_t from = 0; from < n;) {
    const auto limit = limit_of<kSmallest, T>(list);
    excluded.skip_to(first + from);
    const int64_t free_until = excluded.any_before(first + n) ? *excluded.next - first : n;
    const int64_t blocks = has_threshold<S>(list) ? (free_until - from) / kTopkBlock : 0;
    if (blocks > 0) {
      from += kTopkBlock * append_survivors<kSmallest>(list, x + from, blocks, first + from, limit);
    } else {
      const int64_t have = n - from < kTopkBlock ? n - from : kTopkBlock;
      const T* p = have == kTopkBlock ? x + from : stage(staged, x + from, have);
      const uint64_t mask = has_threshold<S>(list) ? survivors<kSmallest>(p, limit) : ~uint64_t{0};
      append(list, p, static_cast<int32_t>(first + from), mask & low_bits(have) & ~excluded.mask(first + from));
      from += have;
    }
    make_room<S>(list, work);
  }
  if (list.threshold != before) list.dense = false;  // let the maxima tell
}

/// For EMPTY with VMX_TOPK_SMALLEST, where -inf may hide what else there is.
template <class T>
inline void look_for_allowed(TopkList& list, const T* x, int64_t n, int64_t first, Excluded excluded) {
  using S = Select<T>;
  const typename S::Values lowest(S::of_bits((kMinusInf<S> ^ S::kHighest) - 1));
  alignas(64) T staged[kTopkBlock];
  for (int64_t from = 0; from < n && !list.allowed; from += kTopkBlock) {
    const int64_t have = n - from < kTopkBlock ? n - from : kTopkBlock;
    const T* p = have == kTopkBlock ? x + from : stage(staged, x + from, have);
    list.allowed = (survivors<false>(p, lowest) & ~excluded.mask(first + from)) != 0;
  }
}

template <bool kSmallest, class T>
inline void feed_all(TopkList& list, const TopkWork& work, const T* x, int64_t n, int64_t first, Excluded excluded) {
  using S = Select<T>;
  constexpr int64_t kDense = 128 * kTopkBlock;
  for (int64_t c = 0; c < n;) {
    const int64_t left = n - c, most = work.blocks * kTopkBlock;
    const int64_t blocks = left < most ? left / kTopkBlock : work.blocks;
    const bool maxima_tell = !list.dense && (has_threshold<S>(list) || blocks * 3 / 4 >= list.k);
    const int64_t longest = maxima_tell ? most : kDense;
    const int64_t now = left < longest ? left : longest;
    if (maxima_tell) {
      feed_blocks<kSmallest>(list, work, x + c, now, first + c, excluded);
    } else {
      feed_dense<kSmallest>(list, work, x + c, now, first + c, excluded);
    }
    c += now;
    // A better threshold for what follows.
    if (list.count > list.k + list.k / 2 + 32 && (c < n || list.count > 2 * list.k + 32)) prune<S>(list, work, list.k / 16);
  }
}

/// x[0 .. n) are the scores of the classes from `first` on, later than all fed before. excluded: rising class ids.
template <class T>
inline void topk_feed(TopkList& list, const TopkWork& work, const T* x, int64_t n, int64_t first,
                      const int32_t* excluded, int64_t n_excluded) {
  const Excluded cursor(excluded, n_excluded, first);
  if (list.smallest) {
    if (list.watch && !list.allowed) look_for_allowed(list, x, n, first, cursor);
    feed_all<true>(list, work, x, n, first, cursor);
  } else {
    feed_all<false>(list, work, x, n, first, cursor);
  }
}

/// Before the first feed: a threshold that about `rank` of the n scores of a sample reach. work.keys holds n keys.
template <class T>
inline void topk_guess(TopkList& list, const TopkWork& work, const T* sample, int64_t n, int64_t rank) {
  using S = Select<T>;
  constexpr int w = S::kLanesEach;
  auto* keys = static_cast<typename S::Key*>(work.keys);
  alignas(64) T last[w];
  for (int64_t i = 0; i < n; i += w) {
    const T* p = sample + i;
    if (n - i < w) {
      std::memset(last, 0, sizeof last);
      std::memcpy(last, p, static_cast<size_t>(n - i) * sizeof(T));
      p = last;
    }
    const typename S::Values v = load(p);
    store(keys + i, order_key(list.smallest ? negate(v) : v));
  }
  const Cut<S> cut = find_cut<S>(keys, n, rank, rank / 16);
  if (cut.key <= kMinusInf<S>) return;
  list.threshold = comparable<S>(cut.key);
  list.guessed = true;
}

// ---- the end

/// Sorts by the digits from bit `shift` to the highest, keeping the order of equals. Returns where the result is.
template <int kDigit, class Pair, class Unsigned>
inline Pair* sort_digits(Pair* from, Pair* to, int64_t n, Unsigned span, int shift) {
  constexpr Unsigned mask = (Unsigned{1} << kDigit) - 1;
  for (; shift < static_cast<int>(8 * sizeof span) && span >> shift != 0; shift += kDigit) {
    uint32_t next[1 << kDigit] = {};
    for (int64_t i = 0; i < n; ++i) ++next[from[i].distance >> shift & mask];
    uint32_t sum = 0;
    for (uint32_t& count : next) {
      const uint32_t here = count;
      count = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i) to[next[from[i].distance >> shift & mask]++] = from[i];
    Pair* const swapped = from;
    from = to;
    to = swapped;
  }
  return from;
}

/// Many: by digits.
template <class S>
inline void order_by_digits(const typename S::Key* keys, int64_t n, const TopkWork& work) {
  using Unsigned = typename S::Unsigned;
  using Pair = typename S::Pair;
  auto* pairs = static_cast<Pair*>(work.pairs[0]);
  typename S::Key low = keys[0], high = keys[0];
  for (int64_t i = 1; i < n; ++i) {
    if (keys[i] < low) low = keys[i];
    if (keys[i] > high) high = keys[i];
  }
  const auto distances = [&] {
    for (int64_t i = 0; i < n; ++i) {
      pairs[i].distance = static_cast<Unsigned>(high) - static_cast<Unsigned>(keys[i]);
      pairs[i].position = static_cast<int32_t>(i);
    }
  };
  distances();
  const Unsigned span = static_cast<Unsigned>(high) - static_cast<Unsigned>(low);
  auto* const spare = static_cast<Pair*>(work.pairs[1]);
  const auto sort_from = [&](int low_bit) {
    return n < 4096 ? sort_digits<8>(pairs, spare, n, span, low_bit) : sort_digits<12>(pairs, spare, n, span, low_bit);
  };
  int shift = 0;  // two digits are enough to tell nearly all of a few apart
  while (n < 4096 && span >> shift >> 16) ++shift;
  Pair* sorted = sort_from(shift);
  int64_t moves = shift == 0 ? -1 : 0;
  for (int64_t i = 1; moves >= 0 && i < n; ++i) {
    const Pair pair = sorted[i];
    int64_t j = i;
    for (; j > 0 && sorted[j - 1].distance > pair.distance; --j) sorted[j] = sorted[j - 1];
    sorted[j] = pair;
    moves += i - j;
    if (moves > n) {
      distances();
      sorted = sort_from(0);
      moves = -1;
    }
  }
  for (int64_t i = 0; i < n; ++i) work.order[i] = static_cast<int32_t>(sorted[i].position);
}

/// Leaves the k best (all, if there are fewer): by rising id, or with work.order telling their positions, best first. Sets
/// list.short_of instead if a guess has to be taken back.
template <class S>
inline void topk_finish(TopkList& list, const TopkWork& work, bool sorted) {
  if (list.guessed && list.count < list.k) {
    list.short_of = true;
    return;
  }
  if (list.count > (sorted ? topk_sorted(list.k) : list.k)) prune<S>(list, work, 0);
  if (sorted) {
    compute_keys<S>(list, work);
    auto* keys = static_cast<typename S::Key*>(work.keys);
    if (list.count <= kFewToSort) {
      order_by_counting<S>(keys, list.count, work.order);
    } else {
      order_by_digits<S>(keys, list.count, work);
    }
  }
  if (list.count > list.k) list.count = list.k;
}

}  // namespace
}  // namespace vmx
