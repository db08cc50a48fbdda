// SPDX-License-Identifier: Apache-2.0
#include "core/views.hpp"

#include "core/checked.hpp"
#include "core/dtype.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace vmx {
namespace {

// What matrices, vectors and ids have in common; a vector is one row.
struct Shape {
  const void* data;
  int64_t rows, cols, row_stride, col_stride;
  int32_t dtype;
  bool vector;
};

Shape shape(const vmx_matrix& m) {
  return {m.data, m.rows, m.cols, m.row_stride, m.col_stride, m.dtype, false};
}
Shape shape(const vmx_vector& v) { return {v.data, 1, v.n, 0, v.stride, v.dtype, true}; }
Shape shape(const vmx_ids& v) { return {v.data, 1, v.n, 0, v.stride, v.type, true}; }

// A shape in words, for messages.
struct Words {
  char text[128];
  explicit Words(const Shape& s) {
    if (s.vector) {
      std::snprintf(text, sizeof text, "%" PRId64 " elements by stride %" PRId64, s.cols, s.col_stride);
    } else {
      std::snprintf(text, sizeof text,
                    "%" PRId64 " x %" PRId64 " elements by strides %" PRId64 " and %" PRId64, s.rows, s.cols,
                    s.row_stride, s.col_stride);
    }
  }
};

uint64_t magnitude(int64_t v) {
  return v < 0 ? uint64_t{0} - static_cast<uint64_t>(v) : static_cast<uint64_t>(v);
}

bool empty(const Shape& s) { return s.rows == 0 || s.cols == 0; }

vmx_status check_dtype(int32_t dtype, const char* name, const char* field, unsigned mask) {
  if (dtype >= VMX_F32 && dtype <= VMX_I64 && (mask & dtype_bit(dtype))) return VMX_OK;
  char allowed[64] = "";
  size_t length = 0;
  for (int32_t d = VMX_F32; d <= VMX_I64; ++d) {
    if (!(mask & dtype_bit(d))) continue;
    const int written =
        std::snprintf(allowed + length, sizeof allowed - length, "%s%s", length ? ", " : "", dtype_name(d));
    length += static_cast<size_t>(std::max(written, 0));
  }
  return fail(VMX_ERR_DTYPE, "%s.%s is %" PRId32 " (%s), but must be one of %s", name, field, dtype,
              dtype_name(dtype), allowed);
}

// Offsets in bytes, from data, of the first byte and of the one past the last. Of a shape that is not empty.
bool byte_range(const Shape& s, int64_t* lo, int64_t* hi) {
  const int64_t size = dtype_size(s.dtype);
  int64_t down, across, elements;
  if (!checked_mul(s.rows, s.cols, &elements) || !checked_mul(s.rows - 1, s.row_stride, &down) ||
      !checked_mul(s.cols - 1, s.col_stride, &across)) {
    return false;
  }
  const int64_t zero = 0;
  return checked_add(std::min(down, zero), std::min(across, zero), lo) && checked_mul(*lo, size, lo) &&
         checked_add(std::max(down, zero), std::max(across, zero), hi) && checked_mul(*hi, size, hi) &&
         checked_add(*hi, size, hi);
}

enum class Data { kNeeded, kMayBeNull };

vmx_status check_memory(const Shape& s, const char* name, Data need) {
  if (empty(s)) return VMX_OK;
  int64_t lo, hi;
  if (!byte_range(s, &lo, &hi)) return fail(VMX_ERR_SIZE, "%s: %s overflow", name, Words(s).text);
  if (!s.data) {
    return need == Data::kNeeded ? fail(VMX_ERR_NULL, "%s.data is NULL", name) : VMX_OK;
  }
  const auto address = reinterpret_cast<uintptr_t>(s.data);
  if (address % static_cast<uintptr_t>(dtype_size(s.dtype)) != 0) {
    return fail(VMX_ERR_VALUE, "%s.data is not aligned to its elements of %" PRId64 " bytes", name,
                dtype_size(s.dtype));
  }
  const uintptr_t below = uintptr_t{0} - static_cast<uintptr_t>(lo);
  if (below > address || static_cast<uintptr_t>(hi) > UINTPTR_MAX - address) {
    return fail(VMX_ERR_SIZE, "%s reaches beyond the address space: %s", name, Words(s).text);
  }
  return VMX_OK;
}

// Two elements share memory if dr * row_stride == dc * col_stride for some |dr| < rows, |dc| < cols, not both
// 0. The smallest solution is dr = |col_stride| / g, dc = |row_stride| / g.
bool overlaps_itself(const Shape& s) {
  if (empty(s)) return false;
  const uint64_t down = magnitude(s.row_stride), across = magnitude(s.col_stride);
  if (s.rows > 1 && down == 0) return true;
  if (s.cols > 1 && across == 0) return true;
  if (s.rows == 1 || s.cols == 1) return false;
  const uint64_t g = std::gcd(down, across);
  return across / g < static_cast<uint64_t>(s.rows) && down / g < static_cast<uint64_t>(s.cols);
}

vmx_status check_matrix(const vmx_matrix* m, const char* name, unsigned mask, Data need) {
  if (!m) return fail(VMX_ERR_NULL, "%s is NULL", name);
  VMX_TRY(check_dtype(m->dtype, name, "dtype", mask));
  if (m->rows < 0) return fail(VMX_ERR_SHAPE, "%s.rows is %" PRId64, name, m->rows);
  if (m->cols < 0) return fail(VMX_ERR_SHAPE, "%s.cols is %" PRId64, name, m->cols);
  if (m->cols > VMX_MAX_COLS) {
    return fail(VMX_ERR_SIZE, "%s.cols is %" PRId64 ", more than VMX_MAX_COLS", name, m->cols);
  }
  if (m->reserved != 0) return fail(VMX_ERR_VALUE, "%s.reserved is %" PRId32 ", not 0", name, m->reserved);
  return check_memory(shape(*m), name, need);
}

vmx_status check_written(const Shape& s, const char* name) {
  if (!overlaps_itself(s)) return VMX_OK;
  return fail(VMX_ERR_OVERLAP, "%s overlaps itself: %s share memory", name, Words(s).text);
}

Extent extent_of(const Shape& s) {
  int64_t lo, hi;
  if (empty(s) || !byte_range(s, &lo, &hi)) return {0, 0};
  const auto address = reinterpret_cast<uintptr_t>(s.data);
  Extent e{address + static_cast<uintptr_t>(lo), address + static_cast<uintptr_t>(hi)};
  const auto size = static_cast<uint64_t>(dtype_size(s.dtype));
  const uint64_t down = s.rows > 1 ? magnitude(s.row_stride) * size : 0;
  const uint64_t across = s.cols > 1 ? magnitude(s.col_stride) * size : 0;
  // As far as the elements of one row, or column, reach; they repeat at the distance of the other direction.
  const uint64_t row = static_cast<uint64_t>(s.cols - 1) * across + size;
  const uint64_t column = static_cast<uint64_t>(s.rows - 1) * down + size;
  if (down >= row)
    e.rows = {down, row};
  else if (across >= column)
    e.rows = {across, column};
  if (down || across) e.elements = {std::gcd(down, across), size};
  return e;
}

// Whether two patterns never meet, the second beginning that far behind the first.
bool never_meet(uint64_t distance, const Extent::Pattern& first, const Extent::Pattern& second) {
  const uint64_t period = std::gcd(first.period, second.period);
  if (period == 0) return false;
  const uint64_t d = distance % period;
  return d >= first.run && d + second.run <= period;
}

}  // namespace

vmx_status check_input(const vmx_matrix* m, const char* name, unsigned dtype_mask) {
  return check_matrix(m, name, dtype_mask, Data::kNeeded);
}

vmx_status check_input_sizes(const vmx_matrix* m, const char* name, unsigned dtype_mask) {
  return check_matrix(m, name, dtype_mask, Data::kMayBeNull);
}

vmx_status check_output(const vmx_matrix* m, const char* name, unsigned dtype_mask) {
  VMX_TRY(check_matrix(m, name, dtype_mask, Data::kNeeded));
  return check_written(shape(*m), name);
}

vmx_status check_output_sizes(const vmx_matrix* m, const char* name, unsigned dtype_mask) {
  VMX_TRY(check_matrix(m, name, dtype_mask, Data::kMayBeNull));
  return check_written(shape(*m), name);
}

vmx_status check_vector_in(const vmx_vector* v, const char* name, int64_t n, unsigned dtype_mask) {
  if (!v) return fail(VMX_ERR_NULL, "%s is NULL", name);
  VMX_TRY(check_dtype(v->dtype, name, "dtype", dtype_mask));
  if (v->n != n) return fail(VMX_ERR_SHAPE, "%s.n is %" PRId64 ", but must be %" PRId64, name, v->n, n);
  if (v->n < 0) return fail(VMX_ERR_SHAPE, "%s.n is %" PRId64, name, v->n);
  if (v->reserved != 0) return fail(VMX_ERR_VALUE, "%s.reserved is %" PRId32 ", not 0", name, v->reserved);
  return check_memory(shape(*v), name, Data::kNeeded);
}

vmx_status check_vector_out(const vmx_vector* v, const char* name, int64_t n, unsigned dtype_mask) {
  VMX_TRY(check_vector_in(v, name, n, dtype_mask));
  return check_written(shape(*v), name);
}

vmx_status check_array(const void* data, const char* name, int64_t n, size_t size, size_t alignment) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  if (!data || n <= 0) return VMX_OK;
  if (address % alignment != 0) {
    return fail(VMX_ERR_VALUE, "%s is not aligned to its elements: to %zu bytes", name, alignment);
  }
  int64_t bytes;
  if (!checked_mul(n, static_cast<int64_t>(size), &bytes) ||
      static_cast<uintptr_t>(bytes) > UINTPTR_MAX - address) {
    return fail(VMX_ERR_SIZE, "%s: %" PRId64 " elements of %zu bytes reach beyond the address space", name, n,
                size);
  }
  return VMX_OK;
}

vmx_status check_ids(const vmx_ids* v, const char* name) {
  if (!v) return fail(VMX_ERR_NULL, "%s is NULL", name);
  VMX_TRY(check_dtype(v->type, name, "type", kIds));
  if (v->base != 0 && v->base != 1)
    return fail(VMX_ERR_VALUE, "%s.base is %" PRId32 ", not 0 or 1", name, v->base);
  if (v->n < 0) return fail(VMX_ERR_SHAPE, "%s.n is %" PRId64, name, v->n);
  return check_memory(shape(*v), name, Data::kNeeded);
}

vmx_status check_same_shape(const vmx_matrix& m, const char* name, const vmx_matrix& like,
                            const char* like_name) {
  if (m.rows != like.rows) {
    return fail(VMX_ERR_SHAPE, "%s.rows is %" PRId64 ", but %s.rows is %" PRId64, name, m.rows, like_name,
                like.rows);
  }
  if (m.cols != like.cols) {
    return fail(VMX_ERR_SHAPE, "%s.cols is %" PRId64 ", but %s.cols is %" PRId64, name, m.cols, like_name,
                like.cols);
  }
  return VMX_OK;
}

Extent extent(const vmx_matrix& m) { return extent_of(shape(m)); }
Extent extent(const vmx_vector& v) { return extent_of(shape(v)); }
Extent extent(const vmx_ids& v) { return extent_of(shape(v)); }

Extent extent(const void* data, size_t bytes) {
  if (!data || bytes == 0) return {0, 0};
  const auto address = reinterpret_cast<uintptr_t>(data);
  return {address, address + bytes};
}

bool disjoint(const Extent& a, const Extent& b) {
  if (std::max(a.lo, b.lo) >= std::min(a.hi, b.hi)) return true;
  const Extent& first = a.lo <= b.lo ? a : b;
  const Extent& second = a.lo <= b.lo ? b : a;
  for (const Extent::Pattern& p : {first.rows, first.elements}) {
    for (const Extent::Pattern& q : {second.rows, second.elements}) {
      if (never_meet(second.lo - first.lo, p, q)) return true;
    }
  }
  return false;
}

vmx_status check_disjoint(const Extent& a, const char* a_name, const Extent& b, const char* b_name) {
  return disjoint(a, b) ? VMX_OK : fail(VMX_ERR_OVERLAP, "%s overlaps %s", a_name, b_name);
}

bool same_view(const vmx_matrix& a, const vmx_matrix& b) {
  return a.data == b.data && a.dtype == b.dtype && a.rows == b.rows && a.cols == b.cols &&
         (a.rows <= 1 || a.row_stride == b.row_stride) && (a.cols <= 1 || a.col_stride == b.col_stride);
}

vmx_status check_in_place_or_disjoint(const vmx_matrix& out, const char* out_name, const vmx_matrix& in,
                                      const char* in_name) {
  if (same_view(out, in)) return VMX_OK;
  if (disjoint(extent(out), extent(in))) return VMX_OK;
  return fail(VMX_ERR_OVERLAP, "%s overlaps %s without being exactly the same view", out_name, in_name);
}

}  // namespace vmx
