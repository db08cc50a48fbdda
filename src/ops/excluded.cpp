// SPDX-License-Identifier: Apache-2.0
#include "ops/excluded.hpp"

#include "core/workspace.hpp"

#include <algorithm>
#include <cinttypes>

namespace vmx {

vmx_status ExcludedIds::check(int64_t rows) const {
  if (!list_.ids.data) return VMX_OK;
  VMX_TRY(check_ids(&list_.ids, "options.excluded.ids"));
  const int64_t entries = list_.ids.n;
  if (list_.indptr.data) {
    VMX_TRY(check_ids(&list_.indptr, "options.excluded.indptr"));
    if (list_.indptr.n - 1 != rows) {
      return fail(VMX_ERR_SHAPE, "options.excluded.indptr.n is %" PRId64 ", but must be rows + 1 with %" PRId64 " rows",
                  list_.indptr.n, rows);
    }
    int64_t last = 0;
    for (int64_t row = 0; row <= rows; ++row) {
      const int64_t raw = read_id(list_.indptr, row);
      if (raw < last + list_.indptr.base || raw - list_.indptr.base > entries) {
        return fail(VMX_ERR_SHAPE,
                    "options.excluded.indptr[%" PRId64 "] is %" PRId64 ", but must lie in [%" PRId64 ", %" PRId64 "]", row,
                    raw, last + list_.indptr.base, entries + list_.indptr.base);
      }
      last = raw - list_.indptr.base;
    }
  } else if (entries != rows) {
    return fail(VMX_ERR_SHAPE, "options.excluded.ids.n is %" PRId64 ", but without indptr it must be rows, %" PRId64,
                entries, rows);
  }
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t end = list_.indptr.data ? begin(row + 1) : row + 1;
    for (int64_t i = begin(row); i < end; ++i) {
      const int64_t id = read_id(list_.ids, i);
      if (id < list_.ids.base) {
        return fail(VMX_ERR_LABEL, "options.excluded.ids[%" PRId64 "] (row %" PRId64 ") is %" PRId64 ", below its base %d", i,
                    row, id, list_.ids.base);
      }
    }
  }
  return VMX_OK;
}

size_t ExcludedIds::bytes(const vmx_csr& list, int64_t rows) {
  if (list.ids.n <= 0) return 0;
  return Scratch::sum(Scratch::need<int64_t>(static_cast<size_t>(rows)),
                      Scratch::need<int32_t>(static_cast<size_t>(list.ids.n)));
}

void ExcludedIds::prepare(const vmx_context& ctx, int64_t rows, int64_t first, int64_t cols, void* memory) {
  if (!any()) return;
  counts_ = static_cast<int64_t*>(memory);
  ids_ = reinterpret_cast<int32_t*>(static_cast<std::byte*>(memory) +
                                    Scratch::need<int64_t>(static_cast<size_t>(rows)));
  constexpr int64_t kRows = 64;
  parallel_for(ctx, (rows + kRows - 1) / kRows, [&](int64_t task) {
    for (int64_t row = task * kRows; row < std::min(rows, (task + 1) * kRows); ++row) {
      const int64_t from = begin(row), to = list_.indptr.data ? begin(row + 1) : row + 1;
      int32_t* const out = ids_ + from;
      int64_t n = 0;
      for (int64_t i = from; i < to; ++i) {
        const int64_t id = read_id(list_.ids, i) - list_.ids.base;
        if (id >= first && id - first < cols) out[n++] = static_cast<int32_t>(id - first);
      }
      if (!std::is_sorted(out, out + n)) std::sort(out, out + n);
      counts_[row] = std::unique(out, out + n) - out;
    }
  });
}

}  // namespace vmx
