// SPDX-License-Identifier: Apache-2.0
#include "core/lse_state.hpp"

#include <bit>

#include "core/scalar_math.hpp"

namespace vmx {
namespace {

constexpr int kDigit = LseSum::kDigit;
constexpr int8_t kNoBin = INT8_MIN;  // nothing was added yet

int64_t floor_div(int64_t e) { return e >= 0 ? e / kDigit : -((kDigit - 1 - e) / kDigit); }

// value * 2^exponent in two signed digits, the higher one unbounded, at bins top and top - 1.
struct Digits {
  int64_t high, low;
};
Digits cut(double value, int64_t exponent, int64_t top) {
  const uint64_t bits = std::bit_cast<uint64_t>(value < 0 ? -value : value);
  const int64_t biased = static_cast<int64_t>(bits >> 52);
  if (biased == 0) return {0, 0};  // zero, or too small for any bin that matters
  const uint64_t mantissa = (bits & ((uint64_t{1} << 52) - 1)) | (uint64_t{1} << 52);
  const int64_t shift = biased - 1075 + exponent - kDigit * (top - 1);
  if (shift <= -53) return {0, 0};
  const uint128 wide = shift >= 0 ? static_cast<uint128>(mantissa) << shift
                                            : static_cast<uint128>(mantissa >> -shift);
  const int64_t low = static_cast<int64_t>(static_cast<uint64_t>(wide) & ((uint64_t{1} << kDigit) - 1));
  const int64_t high = static_cast<int64_t>(static_cast<uint64_t>(wide >> kDigit));
  return value < 0 ? Digits{-high, -low} : Digits{high, low};
}

void set_signed(double value, int8_t* bin, int64_t digit[2]) {
  *bin = kNoBin;
  digit[0] = digit[1] = 0;
  const uint64_t magnitude = std::bit_cast<uint64_t>(value) & ~(uint64_t{1} << 63);
  if (magnitude < uint64_t{1} << 52) return;
  // What overflowed in f64 counts as the largest number.
  constexpr uint64_t largest = 0x7fefffffffffffff;
  const double bounded = magnitude > largest ? (value > 0 ? 0x1.fffffffffffffp+1023 : -0x1.fffffffffffffp+1023) : value;
  const int64_t exponent = static_cast<int64_t>((magnitude > largest ? largest : magnitude) >> 52) - 1023;
  *bin = static_cast<int8_t>(floor_div(exponent));
  const Digits d = cut(bounded, 0, *bin);
  digit[0] = d.high;
  digit[1] = d.low;
}

// The entropy's digits are known modulo 2^64 (see state_entropy).
int64_t add_wrapping(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t times_digit_wrapping(int64_t a) { return static_cast<int64_t>(static_cast<uint64_t>(a) * uint64_t{kDigit}); }

void raise_signed(int8_t to, int8_t* bin, int64_t digit[2]) {
  if (*bin == kNoBin) {
    *bin = to;
    return;
  }
  if (to == *bin) return;
  digit[1] = to == *bin + 1 ? digit[0] : 0;
  digit[0] = 0;
  *bin = to;
}

void merge_signed(int8_t* bin, int64_t digit[2], int8_t other_bin, const int64_t other_digit[2]) {
  if (other_bin == kNoBin) return;
  int8_t from_bin = other_bin;
  int64_t from[2] = {other_digit[0], other_digit[1]};
  if (*bin == kNoBin || from_bin > *bin) raise_signed(from_bin, bin, digit);
  raise_signed(*bin, &from_bin, from);
  for (int i = 0; i < 2; ++i) digit[i] = add_wrapping(digit[i], from[i]);
}

double signed_value(int8_t bin, const int64_t digit[2]) {
  if (bin == kNoBin) return 0.0;
  const double value = static_cast<double>(digit[0]) * 0x1p40 + static_cast<double>(digit[1]);
  const int64_t exponent = kDigit * (int64_t{bin} - 1);
  // In two steps: the exponent alone may lie outside f64.
  const int64_t half = exponent / 2;
  const auto power = [](int64_t n) { return std::bit_cast<double>((n + 1023) << 52); };
  return value * power(half) * power(exponent - half);
}

// Raises the bin of the exponentials; the entropy follows by its integer map.
void raise_exponentials(vmx_lse_state& s, int64_t to) {
  const int64_t by = to - s.ref;
  if (by == 0) return;
  if (by == 1) {
    s.entropy[1] = add_wrapping(s.entropy[0], times_digit_wrapping(-s.sum[0]));
    s.entropy[0] = 0;
  } else {
    s.entropy[0] = s.entropy[1] = 0;
  }
  s.sum[2] = by == 1 ? s.sum[1] : by == 2 ? s.sum[0] : 0;
  s.sum[1] = by == 1 ? s.sum[0] : 0;
  s.sum[0] = 0;
  s.ref = to;
}

bool any(const vmx_lse_state& s) { return (s.sum[0] | s.sum[1] | s.sum[2]) != 0; }

void take_exponentials(vmx_lse_state& into, const vmx_lse_state& from) {
  into.ref = from.ref;
  for (int i = 0; i < 3; ++i) into.sum[i] = from.sum[i];
  for (int i = 0; i < 2; ++i) into.entropy[i] = from.entropy[i];
  into.flags = static_cast<uint8_t>((into.flags & ~VMX_STATE_HUGE) | (from.flags & VMX_STATE_HUGE));
}

// With NaN or +inf the answer is known. Sums would depend on which blocks were folded before.
void drop_sums(vmx_lse_state& s) {
  s.flags = static_cast<uint8_t>(s.flags & ~VMX_STATE_HUGE);
  s.ref = 0;
  for (int64_t& digit : s.sum) digit = 0;
  s.wz_bin = s.w_bin = kNoBin;
  for (int i = 0; i < 2; ++i) s.entropy[i] = s.sum_wz[i] = s.sum_w[i] = 0;
}

// Both have a sum; maxima before they were merged.
void merge_exponentials(vmx_lse_state& into, double into_max, const vmx_lse_state& from) {
  const bool a_huge = (into.flags & VMX_STATE_HUGE) != 0, b_huge = (from.flags & VMX_STATE_HUGE) != 0;
  if (a_huge || b_huge) {
    // As in LseSum: a state that is not huge lies between the huge negative and the huge positive ones.
    const double a = a_huge ? into_max : 0.0, b = b_huge ? from.max : 0.0;
    if (b > a) take_exponentials(into, from);
    else if (a == b) into.sum[2] = add_wrapping(into.sum[2], from.sum[2]);
    return;
  }
  vmx_lse_state other = from;
  if (other.ref > into.ref) raise_exponentials(into, other.ref);
  raise_exponentials(other, into.ref);
  for (int i = 0; i < 3; ++i) into.sum[i] = add_wrapping(into.sum[i], other.sum[i]);
  for (int i = 0; i < 2; ++i) into.entropy[i] = add_wrapping(into.entropy[i], other.entropy[i]);
}

}  // namespace

LseSum sum_of(const vmx_lse_state& state) {
  LseSum sum;
  sum.nan = (state.flags & VMX_STATE_NAN) != 0;
  sum.inf = (state.flags & VMX_STATE_INF) != 0;
  if (!any(state)) return sum;
  sum.any = true;
  sum.huge = (state.flags & VMX_STATE_HUGE) != 0;
  sum.bin = state.ref;
  for (int i = 0; i < 3; ++i) sum.digit[i] = state.sum[i];
  sum.max = sum.huge ? state.max : 0.0;
  return sum;
}

vmx_lse_state block_state(const LseSum& sum, const BlockStats& stats, int64_t columns, uint32_t has,
                          const ExpParams& params) {
  vmx_lse_state s{};
  s.version = kStateVersion;
  s.flags = static_cast<uint8_t>(has);
  s.wz_bin = s.w_bin = kNoBin;
  if (stats.nan) s.flags |= VMX_STATE_NAN;
  if (stats.inf) s.flags |= VMX_STATE_INF;
  if (!stats.nan && stats.count < columns) s.flags |= VMX_STATE_MASKED;
  s.count = static_cast<uint32_t>(stats.count);
  if (stats.count > 0) s.max = stats.max + 0.0;  // no -0: merges could tell it from +0
  if (sum.any) {
    s.ref = sum.bin;
    for (int i = 0; i < 3; ++i) s.sum[i] = sum.digit[i];
    if (sum.huge) s.flags |= VMX_STATE_HUGE;
  }
  const bool finite = !stats.nan && !stats.inf;
  if ((has & VMX_STATE_HAS_SUMS) && finite) {
    set_signed(stats.sum_wz, &s.wz_bin, s.sum_wz);
    set_signed(stats.sum_w, &s.w_bin, s.sum_w);
  }
  if ((has & VMX_STATE_HAS_ENTROPY) && finite && sum.any && !sum.huge) {
    // The block's mean of log2(e) z/T - 40 bin, weighted by the very sum that the state holds: what that sum lost drops out.
    const Power p = power_of_two_part(stats.max, params.log2e_hi, params.log2e_lo);
    const double relative = static_cast<double>(p.exponent - kDigit * sum.bin) + p.fraction;
    const double mean = stats.sum_t_exp / stats.sum_exp * kLog2e + relative;
    const ScaledSum total = scaled(sum);
    const Digits d = cut(mean * total.value, total.exponent, sum.bin);
    s.entropy[0] = d.high;
    s.entropy[1] = d.low;
  }
  return s;
}

void merge_states(vmx_lse_state& into, const vmx_lse_state& from) {
  if (from.version == 0) return;
  if (into.version == 0) {
    into = from;
    return;
  }
  const double into_max = into.max;  // finite where there is a sum
  if (from.count > 0 && (into.count == 0 || from.max > into.max)) into.max = from.max;
  into.count += from.count;
  constexpr uint8_t joined = VMX_STATE_NAN | VMX_STATE_INF | VMX_STATE_MASKED | kStateHas;
  into.flags = static_cast<uint8_t>(into.flags | (from.flags & joined));
  if (into.flags & (VMX_STATE_NAN | VMX_STATE_INF)) {
    drop_sums(into);
    return;
  }
  if (any(from)) {
    if (any(into)) merge_exponentials(into, into_max, from);
    else take_exponentials(into, from);
  }
  merge_signed(&into.wz_bin, into.sum_wz, from.wz_bin, from.sum_wz);
  merge_signed(&into.w_bin, into.sum_w, from.w_bin, from.sum_w);
}

double state_sum_wz(const vmx_lse_state& s) {
  return s.version == 0 ? 0.0 : signed_value(s.wz_bin, s.sum_wz) * (1.0 / BlockStats::kScoreScale);
}
double state_sum_w(const vmx_lse_state& s) { return s.version == 0 ? 0.0 : signed_value(s.w_bin, s.sum_w); }

double state_entropy(const vmx_lse_state& s) {
  if (!any(s) || (s.flags & (VMX_STATE_NAN | VMX_STATE_INF))) return __builtin_nan("");
  const LseSum sum = sum_of(s);
  const ScaledSum total = scaled(sum);
  if (sum.huge) return scalar_log_scaled(total.value, total.exponent);
  const double exponentials =
      (static_cast<double>(s.sum[0]) * 0x1p40 + static_cast<double>(s.sum[1])) + static_cast<double>(s.sum[2]) * 0x1p-40;
  // From 2^30 classes on the high digit may leave 64 bits. Its weighted mean lies in (40 - 32, 40] where that can happen, as
  // no more than 2^19 blocks were folded, so that one number of the right remainder will do.
  const int128 most = static_cast<int128>(s.sum[0]) * kDigit + (int128{1} << 40);
  const uint64_t below = static_cast<uint64_t>(most) - static_cast<uint64_t>(s.entropy[0]);
  const double high = static_cast<double>(most - static_cast<int128>(below));
  const double mean = (high * 0x1p40 + static_cast<double>(s.entropy[1])) / exponentials;
  const double entropy =
      scalar_log_scaled(total.value, total.exponent - kDigit * sum.bin) - mean * 0x1.62e42fefa39efp-1;
  return entropy > 0 ? entropy : 0.0;
}

bool state_sound(const vmx_lse_state& s) {
  // Scores beyond 2^60 are huge, so no bin lies beyond 2^55; no more than 2^19 blocks add less than 2^40 each to a digit.
  constexpr int64_t most_bin = int64_t{1} << 57, most_sum = int64_t{1} << 62;
  if (s.ref < -most_bin || s.ref > most_bin) return false;
  for (const int64_t digit : s.sum) {
    if (digit < 0 || digit > most_sum) return false;
  }
  return !any(s) || (s.flags & (VMX_STATE_NAN | VMX_STATE_INF)) || (s.max - s.max == 0.0);
}

bool state_fits(const vmx_lse_state& s, uint32_t has) {
  if (s.version == 0) return true;
  return s.version == kStateVersion && (s.flags & kStateHas) == has;
}

}  // namespace vmx
