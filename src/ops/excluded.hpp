// SPDX-License-Identifier: Apache-2.0
// Class ids that each row passes over: checked, and sorted for the kernels.
#pragma once

#include "core/context.hpp"
#include "core/views.hpp"

namespace vmx {

class ExcludedIds {
 public:
  /// ids.data NULL: none.
  explicit ExcludedIds(const vmx_csr& list) : list_(list) {}

  bool any() const { return list_.ids.data && list_.ids.n > 0; }

  /// Views, row pointers and ids: VMX_ERR_LABEL for an id below its base. name: "options.excluded".
  vmx_status check(int64_t rows) const;

  /// What prepare() takes, by the sizes alone.
  static size_t bytes(const vmx_csr& list, int64_t rows);
  /// Sorts each row's ids without repeats; those outside [first, first + cols) are left out, the others count from `first`.
  void prepare(const vmx_context& ctx, int64_t rows, int64_t first, int64_t cols, void* memory);

  const int32_t* ids(int64_t row) const { return any() ? ids_ + begin(row) : nullptr; }
  int64_t count(int64_t row) const { return any() ? counts_[row] : 0; }

 private:
  int64_t begin(int64_t row) const { return list_.indptr.data ? read_id(list_.indptr, row) - list_.indptr.base : row; }

  vmx_csr list_;
  int32_t* ids_ = nullptr;
  int64_t* counts_ = nullptr;
};

}  // namespace vmx
