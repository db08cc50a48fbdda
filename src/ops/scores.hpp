// SPDX-License-Identifier: Apache-2.0
// A row's scores as the kernels want them: adjacent, capped, and with extreme temperatures turned into plain ones.
#pragma once

#include "core/dtype.hpp"
#include "ops/rows.hpp"

namespace vmx {

/// T = +inf makes every allowed score 0, T < 2^-126 leaves the first maximum alone, at 0; both then with T = 1.
enum class TemperatureMode { plain, uniform, first_maximum };

/// What a row's passes share.
struct RowTemperature {
  TemperatureMode mode = TemperatureMode::plain;
  ExpParams params;
  double inverse = 1;        // 1/T as it multiplies gradients: 0 for the extreme ones
  int64_t first_maximum = -1;  // with mode first_maximum; -1 if the row holds no finite score
  double maximum = 0;
};

class Scores {
 public:
  /// softcap 0: none.
  Scores(const vmx_context& ctx, const vmx_matrix& x, double softcap, const Temperatures& t, bool precise);

  int64_t cols() const { return x_.cols; }
  bool precise() const { return precise_; }
  /// The dtype of the runs of that row.
  int32_t dtype(const RowTemperature& t) const {
    return softcap_ > 0 || t.mode != TemperatureMode::plain ? compute_dtype(x_.dtype) : x_.dtype;
  }
  const Kernels& kernels(const RowTemperature& t) const { return kernels_of(*ctx_.kernels, dtype(t)); }
  const vmx_matrix& matrix() const { return x_; }
  double softcap() const { return softcap_; }

  void begin(int64_t row, RowTemperature* t) const;

  /// Calls f(scores, c, n) over [c0, c0 + n) (c0 a multiple of VMX_BLOCK): one run where the row can be read in place, else
  /// blocks.
  template <class Function>
  void for_each_run(int64_t row, const RowTemperature& t, int64_t c0, int64_t n, Function&& f) const {
    const bool staged = softcap_ > 0 || t.mode != TemperatureMode::plain;
    if (!staged && x_.col_stride == 1) {
      if (n > 0) f(static_cast<const void*>(element(x_, row, c0, dtype_size(x_.dtype))), c0, n);
      return;
    }
    alignas(64) unsigned char raw[VMX_BLOCK * 8];
    alignas(64) unsigned char ready[VMX_BLOCK * 8];
    for (int64_t c = c0; c < c0 + n; c += VMX_BLOCK) {
      const int64_t count = c0 + n - c < VMX_BLOCK ? c0 + n - c : VMX_BLOCK;
      const void* block = contiguous(x_, row, c, count, raw);
      if (staged) {
        stage(t, block, c, count, ready);
        block = ready;
      }
      f(block, c, count);
    }
  }

  /// One score as f64, as the kernels see it, before division by T.
  double at(int64_t row, const RowTemperature& t, int64_t c) const;
  /// The fold of [c0, c0 + n), without column skip (-1: none), into into.sum. kept: NULL, or where the n terms go;
  /// into.kept becomes false if they do not. behind: NULL, or as many columns to be written meanwhile.
  void fold(int64_t row, const RowTemperature& t, int64_t c0, int64_t n, int64_t skip, float* kept, const KeptWrite* behind,
            RowSum& into) const;
  /// The maximum of the row's staged scores; -inf if there is none.
  double maximum(int64_t row, const RowTemperature& t) const;
  /// The lowest column that holds the value, -1 if none does.
  int64_t find(int64_t row, const RowTemperature& t, double value) const;

 private:
  void stage(const RowTemperature& t, const void* block, int64_t c, int64_t n, void* out) const;

  const vmx_context& ctx_;
  vmx_matrix x_;
  double softcap_;
  Temperatures temperatures_;
  bool precise_;
  bool one_temperature_;
  ExpParams shared_;  // of the only temperature
};

/// LSE of a finished sum: the logarithm of the sum of exp(z/T).
double lse_of(const LseSum& sum, const ExpParams& params);
/// The same minus z/T, without the rounding of either when both are large.
double lse_minus(const LseSum& sum, const ExpParams& params, double z);
/// Adds exp(z/T), z finite or -inf.
void add_term(LseSum& sum, const ExpParams& params, double z, bool f64);
/// VMX_ROW_*
uint32_t row_flags_of(const LseSum& sum);

}  // namespace vmx
