// SPDX-License-Identifier: Apache-2.0
// Matrices, vectors and id lists in memory of their own. All bytes that belong to no element are 0xff: a NaN to whoever
// reads them, and a trace of whoever writes them.
#pragma once

#include "support/dtypes.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace vmx::test {

struct Layout {
  int64_t row_pad = 0;         // elements between rows (between columns if transposed)
  int64_t step = 1;            // elements from one to the next along the inner direction
  int64_t offset = 0;          // elements from a 64-byte boundary
  bool transposed = false;     // columns outermost
  bool reversed_rows = false;  // negative row stride
  bool reversed_cols = false;  // negative column stride
  bool broadcast = false;      // row stride 0: one row serves all (inputs only)
};

class Storage {
 public:
  explicit Storage(size_t bytes);
  unsigned char* data() const { return start_; }
  void own(const void* element, size_t bytes);  // marks bytes as belonging to an element
  bool surroundings_untouched() const;

 private:
  std::vector<unsigned char> bytes_;
  std::vector<bool> owned_;
  unsigned char* start_;  // at a 64-byte boundary, with room before and behind
};

class Matrix {
 public:
  Matrix(int32_t dtype, int64_t rows, int64_t cols, Layout layout = {});
  Matrix(int32_t dtype, const std::vector<std::vector<double>>& values, Layout layout = {});
  Matrix(const Matrix& other);  // the same layout and bytes elsewhere
  Matrix& operator=(const Matrix&) = delete;

  const vmx_matrix& view() const { return view_; }
  operator const vmx_matrix*() const { return &view_; }
  int32_t dtype() const { return view_.dtype; }
  int64_t rows() const { return view_.rows; }
  int64_t cols() const { return view_.cols; }
  void* at(int64_t row, int64_t col) const;
  double get(int64_t row, int64_t col) const { return value_of(at(row, col), dtype()); }
  void set(int64_t row, int64_t col, long double value) { put(at(row, col), dtype(), value); }
  std::vector<double> row(int64_t r) const;
  /// The elements alone, rows first.
  std::vector<unsigned char> bytes() const;
  std::vector<unsigned char> row_bytes(int64_t r) const;
  void set_row_bytes(int64_t r, const std::vector<unsigned char>& bytes);
  bool surroundings_untouched() const { return storage_->surroundings_untouched(); }

 private:
  Layout layout_;
  vmx_matrix view_;
  std::unique_ptr<Storage> storage_;
};

class Vector {
 public:
  Vector(int32_t dtype, int64_t n, int64_t stride = 1, int64_t offset = 0);
  Vector(int32_t dtype, const std::vector<double>& values, int64_t stride = 1, int64_t offset = 0);
  Vector(const Vector&) = delete;
  Vector& operator=(const Vector&) = delete;

  const vmx_vector& view() const { return view_; }
  operator const vmx_vector*() const { return &view_; }
  void* at(int64_t i) const;
  double get(int64_t i) const { return value_of(at(i), view_.dtype); }
  void set(int64_t i, long double value) { put(at(i), view_.dtype, value); }
  std::vector<unsigned char> bytes() const;
  bool surroundings_untouched() const { return storage_->surroundings_untouched(); }

 private:
  vmx_vector view_;
  std::unique_ptr<Storage> storage_;
};

class Ids {
 public:
  Ids() : view_{nullptr, 0, 0, 0, 0} {}
  /// values count from zero; negative ones (ignore_index) are stored as they are.
  Ids(int32_t type, const std::vector<int64_t>& values, int32_t base = 0, int64_t stride = 1);
  Ids(const Ids&) = delete;
  Ids& operator=(const Ids&) = delete;
  Ids(Ids&&) = default;
  Ids& operator=(Ids&&) = default;

  const vmx_ids& view() const { return view_; }

 private:
  vmx_ids view_;
  std::unique_ptr<Storage> storage_;
};

/// One label a row.
inline vmx_csr one_label(const Ids& ids) {
  vmx_csr targets{};
  targets.ids = ids.view();
  return targets;
}

}  // namespace vmx::test
