// SPDX-License-Identifier: Apache-2.0
// The second pass over a row: softmax, log-softmax, gradients that are a multiple of the softmax less a multiple of weights.
#pragma once

#include "core/row_scale.hpp"
#include "folds/exp_write.hpp"
#include "folds/quads.hpp"
#include "folds/wide.hpp"
#include "folds/write_row.hpp"

namespace vmx {
namespace {

// Stores one register of T from f(index of the first lane) in f64 lanes. All of it is read before the store: x may be y.
template <class T, class Function>
inline void store_wide(T* y, Function&& f) {
  if constexpr (sizeof(T) == 8) {
    store(y, f(0));
  } else {
    store(y, flush(narrow_from(f)));
  }
}

/// y = exp(x/T) * the row's factor.
template <class T>
inline void softmax_write(const T* x, T* y, int64_t n, const ExpParams& params, const RowScale& row, bool streaming) {
  if constexpr (sizeof(T) < 8) {
    if (row.narrow) {
      with_exp_write(params, row, [&](const auto& exponential) { write_row(x, y, n, streaming, exponential); });
      return;
    }
  }
  const D scale(row.wide_scale);
  const auto write = [&](const auto& exponential) {
    for_each_step<Register<T>::width>(x, y, n, [&](const T* from, T* to) {
      store_wide(to, [&](int i) { return exponential(load_wide(from + i)) * scale; });
    });
  };
  if (sizeof(T) == 8 && wants_exact(params)) {
    write(WideExp<true>(params, row.max));
  } else {
    write(WideExp<false>(params, row.max));
  }
}

// y = value(x, weight) register by register, weight NULL standing for nothing to load; the last columns through staged copies.
template <class T, class Function>
inline void write_weighted(const T* x, T* y, int64_t n, const float* weight, Function&& step) {
  constexpr int width = Register<T>::width;
  int64_t c = 0;
  for (; c + width <= n; c += width) step(x + c, y + c, weight ? weight + c : nullptr);
  if (c == n) return;
  alignas(64) T in[width], out[width];
  alignas(64) float w[width] = {};
  const size_t rest = static_cast<size_t>(n - c);
  std::memset(in, 0, sizeof in);
  std::memcpy(in, x + c, rest * sizeof(T));
  if (weight) std::memcpy(w, weight + c, rest * sizeof(float));
  step(static_cast<const T*>(in), static_cast<T*>(out), weight ? w : nullptr);
  std::memcpy(y + c, out, rest * sizeof(T));
}

/// y = exp(x/T) * the row's factor - subtract * weight; weight NULL: 1. A masked column is 0. x may be y.
template <class T>
inline void gradient_write(const T* x, T* y, int64_t n, const ExpParams& params, const RowScale& row,
                           const float* weight, double subtract) {
  if constexpr (sizeof(T) < 8) {
    if (row.narrow) {
      const F minus(static_cast<float>(subtract));
      with_exp_write(params, row, [&](const auto& exponential) {
        write_weighted(x, y, n, weight, [&](const T* from, T* to, const float* w) {
          const F z = load(from);
          const F g = flush(exponential(z) - (w ? minus * load(w) : minus));
          store(to, where_greater(as_ordered(z), I(kOrderedMinusInf), g));
        });
      });
      return;
    }
  }
  const D scale(row.wide_scale), minus(subtract), lowest(-0x1.fffffffffffffp+1023);
  const auto write = [&](const auto& exponential) {
    write_weighted(x, y, n, weight, [&](const T* from, T* to, const float* w) {
      store_wide(to, [&](int i) {
        const D z = load_wide(from + i);
        return one_nan(where_at_least(z, lowest, exponential(z) * scale - (w ? minus * load_wide(w + i) : minus)));
      });
    });
  };
  if (sizeof(T) == 8 && wants_exact(params)) {
    write(WideExp<true>(params, row.max));
  } else {
    write(WideExp<false>(params, row.max));
  }
}

/// y = x/T - lse.
template <class T>
inline void log_softmax_write(const T* x, T* y, int64_t n, const ExpParams& params, const RowShift& row,
                              bool streaming) {
  if constexpr (sizeof(T) < 8) {
    if (row.narrow) {
      const F per_hi(row.inverse_hi), per_lo(row.inverse_lo), lse_hi(-row.lse_hi), lse_lo(-row.lse_lo),
          lowest(-0x1.fffffep+127f);
      if (row.inverse_hi == 1.0f) {
        write_row(x, y, n, streaming, EachRegister{[&](F z) { return flush((z + lse_hi) + lse_lo); }});
      } else {
        write_row(x, y, n, streaming, EachRegister{[&](F z) {
          // The low part of 1/T must not meet an infinity: its sign may differ.
          return flush(fma(z, per_hi, lse_hi) + fma(max_or_b(lowest, z), per_lo, lse_lo));
        }});
      }
      return;
    }
  }
  const D log_sum(row.log_sum);
  const auto write = [&](const auto& quotient) {
    for_each_step<Register<T>::width>(x, y, n, [&](const T* from, T* to) {
      store_wide(to, [&](int i) {
        const auto t = quotient(load_wide(from + i));
        return (t.value - log_sum) + t.lost;
      });
    });
  };
  if (sizeof(T) == 8 && wants_exact(params)) {
    write(WideQuotient<true>(params, row.max));
  } else {
    write(WideQuotient<false>(params, row.max));
  }
}

}  // namespace
}  // namespace vmx
