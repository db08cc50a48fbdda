// SPDX-License-Identifier: Apache-2.0
// The targets of a row: one label, or a list with weights.
#pragma once

#include "core/views.hpp"

namespace vmx {

class TargetList {
 public:
  TargetList(const vmx_csr& csr, int64_t ignore_index, const vmx_vector& class_weight)
      : csr_(csr), ignores_(true), ignore_(ignore_index), class_weight_(class_weight) {}
  /// Every target counts, classes have no weights.
  explicit TargetList(const vmx_csr& csr) : csr_(csr), ignores_(false), ignore_(0), class_weight_{} {}

  bool is_list() const { return csr_.indptr.data != nullptr; }
  int64_t entries() const { return csr_.ids.n; }
  int64_t begin(int64_t row) const {
    return csr_.indptr.data ? read_id(csr_.indptr, row) - csr_.indptr.base : row;
  }
  int64_t end(int64_t row) const {
    return csr_.indptr.data ? read_id(csr_.indptr, row + 1) - csr_.indptr.base : row + 1;
  }
  bool ignored(int64_t i) const { return ignores_ && read_id(csr_.ids, i) == ignore_; }
  /// 0-based class of entry i, which is not ignored.
  int64_t id(int64_t i) const { return read_id(csr_.ids, i) - csr_.ids.base; }
  /// The entry's own weight.
  double weight(int64_t i) const;
  /// Of a class.
  double class_weight(int64_t id) const;

  /// Sum of the entries' weights, without and with class weights, over a row; whether any entry counts.
  struct RowWeight {
    double plain = 0, weighted = 0;
    int64_t count = 0;  // entries not ignored
    int64_t only = -1;  // the entry, if count is 1
  };
  RowWeight row_weight(int64_t row) const;

  /// Row pointers that do not fall and stay inside ids, ids inside [0, cols) or ignored, finite weights.
  vmx_status check(int64_t rows, int64_t cols) const;

 private:
  vmx_csr csr_;
  bool ignores_;
  int64_t ignore_;
  vmx_vector class_weight_;
};

}  // namespace vmx
