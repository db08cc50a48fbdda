// SPDX-License-Identifier: Apache-2.0
#include "ops/targets_list.hpp"

#include "ops/rows.hpp"

namespace vmx {

double TargetList::weight(int64_t i) const { return csr_.weights.data ? load_vector(csr_.weights, i) : 1.0; }

double TargetList::class_weight(int64_t id) const { return class_weight_.data ? load_vector(class_weight_, id) : 1.0; }

TargetList::RowWeight TargetList::row_weight(int64_t row) const {
  RowWeight w;
  for (int64_t i = begin(row); i < end(row); ++i) {
    if (ignored(i)) continue;
    const double own = weight(i);
    w.plain += own;
    w.weighted += own * class_weight(id(i));
    w.only = w.count++ == 0 ? i : -1;
  }
  return w;
}

vmx_status TargetList::check(int64_t rows, int64_t cols) const {
  const auto number = [](int64_t v) { return static_cast<long long>(v); };
  int64_t entries = csr_.ids.n;
  if (csr_.indptr.data) {
    if (csr_.indptr.n - 1 != rows) {
      return fail(VMX_ERR_SHAPE, "targets.indptr.n is %lld, but must be rows + 1 with %lld rows", number(csr_.indptr.n),
                  number(rows));
    }
    int64_t last = 0;
    for (int64_t row = 0; row <= rows; ++row) {
      const int64_t raw = read_id(csr_.indptr, row), base = csr_.indptr.base;
      if (raw < last + base || raw - base > entries) {
        return fail(VMX_ERR_SHAPE, "targets.indptr[%lld] is %lld, but must lie in [%lld, %lld]", number(row), number(raw),
                    number(last + base), number(entries + base));
      }
      last = raw - base;
    }
  } else if (entries != rows) {
    return fail(VMX_ERR_SHAPE, "targets.ids.n is %lld, but without indptr it must be rows, %lld", number(entries),
                number(rows));
  }
  if (csr_.weights.data && csr_.weights.n != entries) {
    return fail(VMX_ERR_SHAPE, "targets.weights.n is %lld, but targets.ids.n is %lld", number(csr_.weights.n),
                number(entries));
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = begin(row); i < end(row); ++i) {
      if (ignored(i)) continue;
      const int64_t raw = read_id(csr_.ids, i), base = csr_.ids.base;
      if ((raw < base || raw - base >= cols) && !ignores_) {
        return fail(VMX_ERR_LABEL, "targets.ids[%lld] (row %lld) is %lld, outside [%lld, %lld)", number(i), number(row),
                    number(raw), number(base), number(cols + base));
      }
      if (raw < base || raw - base >= cols) {
        return fail(VMX_ERR_LABEL, "targets.ids[%lld] (row %lld) is %lld, outside [%lld, %lld) and not ignore_index %lld",
                    number(i), number(row), number(raw), number(base), number(cols + base), number(ignore_));
      }
      const int64_t label = raw - base;
      const double w = weight(i), v = class_weight(label);
      if (!(w - w == 0.0)) {
        return fail(VMX_ERR_VALUE, "targets.weights[%lld] is %g, but must be finite", number(i), w);
      }
      if (!(v >= 0.0 && v - v == 0.0)) {
        return fail(VMX_ERR_VALUE, "options.class_weight[%lld] is %g, but must be finite and at least 0", number(label),
                    v);
      }
    }
  }
  return VMX_OK;
}

}  // namespace vmx
