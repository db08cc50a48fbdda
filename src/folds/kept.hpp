// SPDX-License-Identifier: Apache-2.0
// The second pass over terms that the lse fold kept (core/row_scale.hpp): by itself, or beside the fold of the next row.
#pragma once

#include "core/row_scale.hpp"
#include "folds/write_row.hpp"

namespace vmx {
namespace {

/// y = kept * factor, y in any of the narrow dtypes.
template <class T>
inline void scale_kept(const float* kept, T* y, int64_t n, float factor, bool streaming) {
  const F by(factor);
  write_row(kept, y, n, streaming, EachRegister{[&](F e) { return flush(e * by); }});
}

/// Writes a row by quads that the fold of another one calls for, with non-temporal stores.
class WriteBehind {
 public:
  WriteBehind(const KeptWrite& what, int64_t n)
      : kept_(what.kept), y_(what.y), n_(n), next_(until_aligned(y_)), factor_(what.factor), by_(factor_) {
    if (next_ > n_) next_ = n_;
    scale_kept(kept_, y_, next_, factor_, false);
  }

  bool has_quad() const { return next_ + kQuad <= n_; }
  /// A part of a quad, parts of kQuad / count columns each.
  [[gnu::always_inline]] void part(int i, int count) {
    const int columns = static_cast<int>(kQuad) / count;
    for (int c = i * columns; c < (i + 1) * columns; c += 2 * kW) {
      const F a = load(kept_ + next_ + c), b = load(kept_ + next_ + c + kW);
      stream(y_ + next_ + c, flush(a * by_), flush(b * by_));
    }
  }
  void quad_done() { next_ += kQuad; }
  void finish() {
    stream_fence();
    scale_kept(kept_ + next_, y_ + next_, n_ - next_, factor_, false);
  }

 private:
  const float* kept_;
  float* y_;
  int64_t n_, next_;
  float factor_;
  F by_;
};

/// Where there is no such row.
struct WriteNothing {
  bool has_quad() const { return false; }
  void part(int, int) {}
  void quad_done() {}
};

}  // namespace
}  // namespace vmx
