// SPDX-License-Identifier: Apache-2.0
// Kernels over rows that lie anywhere in memory: dot products with one vector, and weighted sums. 64 lanes along the row, in an
// order that no ISA changes.
#pragma once

#include <cstring>

#include "core/gathered.hpp"
#include "folds/quads.hpp"

namespace vmx {
namespace {

constexpr int kStripRegisters = kLanes / kW;
// Rows fetched ahead: at 512 bytes each as many lines as a core keeps on their way.
constexpr int64_t kRowsAhead = 16;

inline const void* bytes_behind(const void* p, int64_t bytes) {
  return reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(p) + static_cast<uintptr_t>(bytes));
}

// Every line that a run of bytes touches. kLevel: 3: L1, 2: L2. (GCC finds that a function of nothing but prefetches does nothing,
// and drops calls of it: always inlined.)
template <int kLevel>
[[gnu::always_inline]] inline void prefetch_run(const void* p, int64_t bytes) {
  if (bytes <= 0) return;
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(bytes_behind(p, i), 0, kLevel);
  __builtin_prefetch(bytes_behind(p, bytes - 1), 0, kLevel);
}

// Up to a register of elements; the other lanes are 0.
template <class T>
inline F load_part(const T* p, int64_t n) {
  alignas(64) T staged[kW];
  std::memset(staged, 0, sizeof staged);
  std::memcpy(staged, p, static_cast<size_t>(n) * sizeof(T));
  return load(staged);
}

// f(register number, load of it) over the registers of the first n columns of a strip, the last one in part.
template <class T, class Function>
[[gnu::always_inline]] inline void for_each_register(const T* p, int64_t n, Function&& f) {
  for (int g = 0; g < kStripRegisters; ++g) {
    const int64_t left = n - g * kW;
    if (left <= 0) return;
    f(g, left >= kW ? load(p + g * kW) : load_part(p + g * kW, left));
  }
}

// Results below 2^-126 are +0, and there is one NaN.
inline F finished(F a) {
  const I magnitude = bit_and(as_int(a), I(0x7fffffff));
  const F normal = where_greater(magnitude, I(0x007fffff), a);
  const F number = where_greater(I(0x7f800001), magnitude, normal);
  return as_float(bit_or(as_int(number), as_int(where_greater(magnitude, I(0x7f800000), F(__builtin_nanf(""))))));
}

// ---------------------------------------------------------------- dot products

// Halves are added until one register is left.
inline F sum_registers(F (&a)[kStripRegisters]) {
#pragma GCC unroll 8
  for (int half = kStripRegisters / 2; half >= 1; half /= 2) {
#pragma GCC unroll 8
    for (int g = 0; g < half; ++g) a[g] = a[g] + a[g + half];
  }
  return a[0];
}

template <bool kSquares, class T>
[[gnu::always_inline]] inline void dot_row(const float* h, const T* w, int64_t dim, F* dot, F* square) {
  F dots[kStripRegisters], squares[kStripRegisters];
#pragma GCC unroll 16
  for (int g = 0; g < kStripRegisters; ++g) dots[g] = squares[g] = F(0.0f);
  int64_t k = 0;
  for (; k + kLanes <= dim; k += kLanes) {
#pragma GCC unroll 16
    for (int g = 0; g < kStripRegisters; ++g) {
      const F v = load(w + k + g * kW);
      dots[g] = fma(load(h + k + g * kW), v, dots[g]);
      if constexpr (kSquares) squares[g] = fma(v, v, squares[g]);
    }
  }
  if (k < dim) {
    for_each_register(w + k, dim - k, [&](int g, F v) {
      dots[g] = fma(load(h + k + g * kW), v, dots[g]);
      if constexpr (kSquares) squares[g] = fma(v, v, squares[g]);
    });
  }
  *dot = sum_registers(dots);
  if constexpr (kSquares) *square = sum_registers(squares);
}

// Lane i becomes the sum of the lanes of parts[i], by halves.
inline F sums_across(F* parts) {
  transpose(parts);
#pragma GCC unroll 4
  for (int half = kW / 2; half >= 1; half /= 2) {
#pragma GCC unroll 8
    for (int j = 0; j < half; ++j) parts[j] = parts[j] + parts[j + half];
  }
  // Whether a lane past the row's end has added 0 to -0 depends on the ISA.
  return parts[0] + F(0.0f);
}

inline void store_part(float* to, F a, int64_t n) {
  if (n == kW) {
    store(to, a);
    return;
  }
  alignas(64) float staged[kW];
  store(staged, a);
  std::memcpy(to, staged, static_cast<size_t>(n) * sizeof(float));
}

template <bool kSquares, class T>
inline void gathered_dots(const GatheredRows& list, const float* h, int64_t dim, float* dots, float* squares) {
  const int64_t bytes = dim * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < list.n; i += kW) {
    const int64_t have = list.n - i < kW ? list.n - i : kW;
    F dot[kW], square[kW];
    for (int64_t j = 0; j < have; ++j) {
      if (i + j + kRowsAhead < list.known) prefetch_run<3>(list.rows[i + j + kRowsAhead], bytes);
      dot_row<kSquares>(h, static_cast<const T*>(list.rows[i + j]), dim, &dot[j], &square[j]);
    }
    for (int64_t j = have; j < kW; ++j) dot[j] = square[j] = F(0.0f);
    store_part(dots + i, sums_across(dot), have);
    if constexpr (kSquares) store_part(squares + i, sums_across(square), have);
  }
}

/// dots[i] = h . rows[i]; squares[i] = rows[i] . rows[i], where not NULL. h has 0 from dim up to a multiple of 64.
template <class T>
inline void gather_dots(const GatheredRows& list, const float* h, int64_t dim, float* dots, float* squares) {
  if (squares) {
    gathered_dots<true, T>(list, h, dim, dots, squares);
  } else {
    gathered_dots<false, T>(list, h, dim, dots, nullptr);
  }
}

// ---------------------------------------------------------------- weighted sums

// The sum of a strip of 64 columns: 64 terms in f32 at most, which then go to f64.
class StripSum {
 public:
  [[gnu::always_inline]] StripSum() {
#pragma GCC unroll 16
    for (int g = 0; g < kStripRegisters; ++g) sums_[g] = F(0.0f);
  }

  /// n: columns of the strip that there are.
  template <class T>
  [[gnu::always_inline]] void add(const T* p, float coef, int64_t n) {
    const F c(coef);
    if (n == kLanes) {
#pragma GCC unroll 16
      for (int g = 0; g < kStripRegisters; ++g) sums_[g] = fma(c, load(p + g * kW), sums_[g]);
    } else {
      for_each_register(p, n, [&](int g, F v) { sums_[g] = fma(c, v, sums_[g]); });
    }
    if (++terms_ == kMostTerms) spill();
  }

  [[gnu::always_inline]] F result(int g) const {
    if (!spilled_) return finished(sums_[g] + F(0.0f));
    alignas(64) float own[kW];
    store(own, sums_[g]);
    return finished(narrow_from([&](int i) { return load(wide_ + g * kW + i) + load_wide(own + i); }));
  }

 private:
  static constexpr int kMostTerms = 64;

  [[gnu::noinline]] void spill() {
    alignas(64) float own[kLanes];
    for (int g = 0; g < kStripRegisters; ++g) {
      store(own + g * kW, sums_[g]);
      sums_[g] = F(0.0f);
    }
    for (int i = 0; i < kLanes; i += kWD) {
      const D value = load_wide(own + i);
      store(wide_ + i, spilled_ ? load(wide_ + i) + value : value);
    }
    spilled_ = true;
    terms_ = 0;
  }

  F sums_[kStripRegisters];
  int terms_ = 0;
  bool spilled_ = false;
  alignas(64) double wide_[kLanes];
};

inline void store_strip(const StripSum& sum, float* out, int64_t n, bool streaming) {
  if (streaming && n == kLanes && reinterpret_cast<uintptr_t>(out) % 64 == 0) {
    for (int g = 0; g < kStripRegisters; g += 2) stream(out + g * kW, sum.result(g), sum.result(g + 1));
    return;
  }
  for (int g = 0; g < kStripRegisters; ++g) {
    const int64_t left = n - g * kW;
    if (left <= 0) return;
    store_part(out + g * kW, sum.result(g), left < kW ? left : kW);
  }
}

/// out[dim] = the sum of coef[i] rows[i]; a term of coefficient 0 is none, whatever the row holds. The addresses behind the first
/// n are fetched to L2 on the way.
template <class T>
inline void gather_sum(const GatheredRows& list, const float* coef, int64_t dim, float* out) {
  const int64_t later = list.known - list.n;
  for (int64_t s = 0; s < dim; s += kLanes) {
    const int64_t width = dim - s < kLanes ? dim - s : kLanes;
    const int64_t bytes = width * static_cast<int64_t>(sizeof(T));
    StripSum sum;
    for (int64_t i = 0; i < list.n; ++i) {
      if (i < later) prefetch_run<2>(static_cast<const T*>(list.rows[list.n + i]) + s, bytes);
      if (coef[i] != 0.0f) sum.add(static_cast<const T*>(list.rows[i]) + s, coef[i], width);
    }
    store_strip(sum, out + s, width, false);
  }
}

/// Each sum of terms as above, over rows of two matrices in f32.
inline void weighted_sums(const WeightedSums& what) {
  constexpr uint32_t kAhead = 8;
  const auto row_of = [&](const SumTerm& term) {
    const uint32_t which = term.row >> 31;
    return what.matrix[which] + static_cast<int64_t>(term.row & ~kSecondMatrix) * what.ld[which];
  };
  const uint32_t last = what.first[what.n];
  for (int64_t i = 0; i < what.n; ++i) {
    const uint32_t begin = what.first[i], end = what.first[i + 1];
    for (int64_t s = 0; s < what.dim; s += kLanes) {
      const int64_t width = what.dim - s < kLanes ? what.dim - s : kLanes;
      StripSum sum;
      for (uint32_t t = begin; t < end; ++t) {
        const SumTerm term = what.terms[t];
        if (t + kAhead < last) prefetch_run<3>(row_of(what.terms[t + kAhead]) + s, width * 4);
        if (term.coef != 0.0f) sum.add(row_of(term) + s, term.coef, width);
      }
      store_strip(sum, what.out + i * what.out_ld + s, width, what.streaming);
    }
  }
  if (what.streaming) stream_fence();
}

/// out = a v + b w, element by element; out may be v.
template <class T>
inline void combine(const float* v, const T* w, int64_t n, float a, float b, float* out) {
  const F fa(a), fb(b);
  for (int64_t i = 0; i < n; i += kW) {
    const int64_t have = n - i < kW ? n - i : kW;
    const F x = have == kW ? load(v + i) : load_part(v + i, have);
    const F y = have == kW ? load(w + i) : load_part(w + i, have);
    store_part(out + i, finished(fma(fb, y, fa * x)), have);
  }
}

}  // namespace
}  // namespace vmx
