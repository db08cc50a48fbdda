// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
#include "core/views.hpp"

#include "core/checked.hpp"
#include "core/dtype.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace vmx;

alignas(8) float buffer[64];

vmx_matrix matrix(void* data, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride,
                  int32_t dtype = VMX_F32) {
  return {data, rows, cols, row_stride, col_stride, dtype, 0};
}

std::string message() {
  char text[512];
  last_error(text, sizeof text);
  return text;
}

TEST(Views, GoodInputs) {
  const vmx_matrix good[] = {
      matrix(buffer, 4, 8, 8, 1),
      matrix(buffer, 4, 8, 0, 0),
      matrix(buffer + 31, 4, 8, -8, -1),
      matrix(buffer, 8, 4, 1, 8),
      matrix(nullptr, 0, 8, 8, 1),
      matrix(nullptr, 8, 0, 8, 1),
      matrix(nullptr, 0, 0, INT64_MAX, INT64_MIN),
      matrix(buffer, 1, 1, INT64_MAX, INT64_MIN),
      matrix(buffer, 1, 8, INT64_MAX, 1),
      matrix(buffer, VMX_MAX_COLS, VMX_MAX_COLS, 0, 0),
  };
  for (const vmx_matrix& m : good) EXPECT_EQ(check_input(&m, "x", kFloats), VMX_OK) << message();
}

TEST(Views, BadInputs) {
  vmx_matrix reserved = matrix(buffer, 1, 1, 1, 1);
  reserved.reserved = 3;
  const struct {
    vmx_matrix m;
    vmx_status status;
    const char* text;
  } table[] = {
      {matrix(buffer, -1, 8, 8, 1), VMX_ERR_SHAPE, "x.rows is -1"},
      {matrix(buffer, 1, -7, 8, 1), VMX_ERR_SHAPE, "x.cols is -7"},
      {matrix(buffer, 0, VMX_MAX_COLS + 1, 0, 0), VMX_ERR_SIZE,
       "x.cols is 2147483648, more than VMX_MAX_COLS"},
      {matrix(buffer, 1, 1, 1, 1, VMX_I32), VMX_ERR_DTYPE,
       "x.dtype is 5 (i32), but must be one of f32, bf16, f16, f64"},
      {matrix(buffer, 1, 1, 1, 1, 0), VMX_ERR_DTYPE,
       "x.dtype is 0 (unknown), but must be one of f32, bf16, f16, f64"},
      {matrix(buffer, 1, 1, 1, 1, 33), VMX_ERR_DTYPE,
       "x.dtype is 33 (unknown), but must be one of f32, bf16, f16, f64"},
      {matrix(buffer, 1, 1, 1, 1, -31), VMX_ERR_DTYPE,
       "x.dtype is -31 (unknown), but must be one of f32, bf16, f16, f64"},
      {reserved, VMX_ERR_VALUE, "x.reserved is 3, not 0"},
      {matrix(nullptr, 1, 1, 1, 1), VMX_ERR_NULL, "x.data is NULL"},
      {matrix(reinterpret_cast<char*>(buffer) + 1, 1, 1, 1, 1), VMX_ERR_VALUE,
       "x.data is not aligned to its elements of 4 bytes"},
      {matrix(buffer, INT64_MAX / 2, 8, 0, 0), VMX_ERR_SIZE,
       "x: 4611686018427387903 x 8 elements by strides 0 and 0 overflow"},
      {matrix(buffer, 3, 8, INT64_MAX, 1), VMX_ERR_SIZE,
       "x: 3 x 8 elements by strides 9223372036854775807 and 1 overflow"},
      {matrix(buffer, 3, 8, INT64_MIN, 1), VMX_ERR_SIZE,
       "x: 3 x 8 elements by strides -9223372036854775808 and 1 overflow"},
      {matrix(buffer, 2, 8, INT64_MAX / 4 + 1, 1), VMX_ERR_SIZE,
       "x: 2 x 8 elements by strides 2305843009213693952 and 1 overflow"},
      {matrix(buffer, 2, 2, 1, INT64_MAX), VMX_ERR_SIZE,
       "x: 2 x 2 elements by strides 1 and 9223372036854775807 overflow"},
      {matrix(buffer, 2, 8, -(INT64_C(1) << 60), 1), VMX_ERR_SIZE,
       "x reaches beyond the address space: 2 x 8 elements by strides -1152921504606846976 and 1"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(check_input(&row.m, "x", kFloats), row.status) << row.text;
    EXPECT_EQ(message(), row.text);
    EXPECT_EQ(check_output(&row.m, "x", kFloats), row.status) << row.text;
  }
  EXPECT_EQ(check_input(nullptr, "x", kFloats), VMX_ERR_NULL);
  EXPECT_EQ(message(), "x is NULL");

  // Reaching past the top takes a pointer near it; it is never followed.
  const vmx_matrix top = matrix(reinterpret_cast<void*>(UINTPTR_MAX - 15), 1, 8, 8, 1);
  EXPECT_EQ(check_input(&top, "x", kFloats), VMX_ERR_SIZE);
  const vmx_matrix just_fits = matrix(reinterpret_cast<void*>(UINTPTR_MAX - 15), 1, 3, 8, 1);
  EXPECT_EQ(check_input(&just_fits, "x", kFloats), VMX_OK);
}

TEST(Views, SizesAloneNeedNoData) {
  const vmx_matrix none = matrix(nullptr, 4, 8, 8, 1), overlapping = matrix(nullptr, 4, 8, 0, 1);
  EXPECT_EQ(check_input_sizes(&none, "x", kFloats), VMX_OK);
  EXPECT_EQ(check_output_sizes(&none, "x", kFloats), VMX_OK);
  EXPECT_EQ(check_output_sizes(&overlapping, "x", kFloats), VMX_ERR_OVERLAP);
  const vmx_matrix wrong = matrix(nullptr, 3, 8, INT64_MAX, 1);
  EXPECT_EQ(check_input_sizes(&wrong, "x", kFloats), VMX_ERR_SIZE);
}

TEST(Views, OutputsThatOverlapThemselvesAgainstEnumeration) {
  for (int64_t rows = 0; rows <= 4; ++rows) {
    for (int64_t cols = 0; cols <= 4; ++cols) {
      for (int64_t row_stride = -9; row_stride <= 9; ++row_stride) {
        for (int64_t col_stride = -9; col_stride <= 9; ++col_stride) {
          std::set<int64_t> places;
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < cols; ++c) places.insert(r * row_stride + c * col_stride);
          }
          const bool overlaps = static_cast<int64_t>(places.size()) != rows * cols;
          // Data in the middle of a range that exists, far from any end.
          const vmx_matrix m = matrix(buffer + 32, rows, cols, row_stride, col_stride);
          ASSERT_EQ(check_output(&m, "y", kFloats), overlaps ? VMX_ERR_OVERLAP : VMX_OK)
              << rows << " x " << cols << " by " << row_stride << ", " << col_stride;
        }
      }
    }
  }
  const vmx_matrix extreme = matrix(buffer, 2, 2, INT64_MIN / 64, 1);
  EXPECT_NE(check_output(&extreme, "y", kFloats), VMX_OK);
}

TEST(Views, Vectors) {
  const auto in = [](vmx_vector v, int64_t n) { return check_vector_in(&v, "lse", n, kF32OrF64); };
  const auto out = [](vmx_vector v, int64_t n) { return check_vector_out(&v, "lse", n, kF32OrF64); };
  EXPECT_EQ(in({buffer, 8, 1, VMX_F32, 0}, 8), VMX_OK);
  EXPECT_EQ(in({buffer, 8, 0, VMX_F32, 0}, 8), VMX_OK);
  EXPECT_EQ(in({buffer + 7, 8, -1, VMX_F64, 0}, 8), VMX_ERR_VALUE);  // aligned to 4, not to 8
  EXPECT_EQ(in({nullptr, 0, 1, VMX_F32, 0}, 0), VMX_OK);
  EXPECT_EQ(in({nullptr, 8, 1, VMX_F32, 0}, 8), VMX_ERR_NULL);
  EXPECT_EQ(in({buffer, 7, 1, VMX_F32, 0}, 8), VMX_ERR_SHAPE);
  EXPECT_EQ(message(), "lse.n is 7, but must be 8");
  EXPECT_EQ(in({buffer, -1, 1, VMX_F32, 0}, -1), VMX_ERR_SHAPE);
  EXPECT_EQ(in({buffer, 8, 1, VMX_BF16, 0}, 8), VMX_ERR_DTYPE);
  EXPECT_EQ(in({buffer, 8, 1, VMX_F32, 1}, 8), VMX_ERR_VALUE);
  EXPECT_EQ(in({buffer, 8, INT64_MAX / 4, VMX_F32, 0}, 8), VMX_ERR_SIZE);
  EXPECT_EQ(check_vector_in(nullptr, "lse", 8, kF32), VMX_ERR_NULL);
  EXPECT_EQ(out({buffer, 8, 0, VMX_F32, 0}, 8), VMX_ERR_OVERLAP);
  EXPECT_EQ(out({buffer, 1, 0, VMX_F32, 0}, 1), VMX_OK);
  EXPECT_EQ(out({buffer + 14, 8, -2, VMX_F32, 0}, 8), VMX_OK);
}

TEST(Views, Ids) {
  const int32_t narrow[] = {5, -100, 7};
  const int64_t wide[] = {5, INT64_MIN, 7};
  const vmx_ids a{narrow, 3, 1, VMX_I32, 0}, b{wide + 2, 3, -1, VMX_I64, 1}, c{narrow + 1, 3, 0, VMX_I32, 0};
  EXPECT_EQ(check_ids(&a, "labels"), VMX_OK);
  EXPECT_EQ(check_ids(&b, "labels"), VMX_OK);
  EXPECT_EQ(read_id(a, 1), -100);
  EXPECT_EQ(read_id(b, 0), 7);
  EXPECT_EQ(read_id(b, 1), INT64_MIN);
  EXPECT_EQ(read_id(c, 2), -100);
  const auto status = [](vmx_ids v) { return check_ids(&v, "labels"); };
  EXPECT_EQ(status({narrow, 3, 1, VMX_F32, 0}), VMX_ERR_DTYPE);
  EXPECT_EQ(message(), "labels.type is 1 (f32), but must be one of i32, i64");
  EXPECT_EQ(status({narrow, 3, 1, VMX_I32, 2}), VMX_ERR_VALUE);
  EXPECT_EQ(status({narrow, 3, 1, VMX_I32, -1}), VMX_ERR_VALUE);
  EXPECT_EQ(status({narrow, -3, 1, VMX_I32, 0}), VMX_ERR_SHAPE);
  EXPECT_EQ(status({nullptr, 3, 1, VMX_I32, 0}), VMX_ERR_NULL);
  EXPECT_EQ(status({nullptr, 0, 1, VMX_I32, 0}), VMX_OK);
  EXPECT_EQ(status({narrow, 3, INT64_MAX, VMX_I32, 0}), VMX_ERR_SIZE);
  EXPECT_EQ(check_ids(nullptr, "labels"), VMX_ERR_NULL);
}

TEST(Views, Extents) {
  const auto at = [](int64_t element) {
    return reinterpret_cast<uintptr_t>(buffer) + static_cast<uintptr_t>(element * 4);
  };
  const auto is = [](Extent e, uintptr_t lo, uintptr_t hi) { return e.lo == lo && e.hi == hi; };
  EXPECT_TRUE(is(extent(matrix(buffer, 2, 4, 8, 1)), at(0), at(12)));
  EXPECT_TRUE(is(extent(matrix(buffer + 20, 2, 4, -8, 1)), at(12), at(24)));
  EXPECT_TRUE(is(extent(matrix(buffer + 20, 2, 4, -8, -1)), at(9), at(21)));
  EXPECT_TRUE(is(extent(matrix(buffer + 20, 9, 9, 0, 0)), at(20), at(21)));
  EXPECT_TRUE(is(extent(matrix(buffer, 0, 4, 8, 1)), 0, 0));
  EXPECT_TRUE(is(extent(vmx_vector{buffer + 7, 4, -2, VMX_F32, 0}), at(1), at(8)));
  EXPECT_TRUE(is(extent(vmx_ids{buffer, 4, 1, VMX_I64, 0}), at(0), at(8)));
  EXPECT_TRUE(is(extent(buffer, 12), at(0), at(3)));
  EXPECT_TRUE(is(extent(nullptr, 12), 0, 0));
}

TEST(Views, InPlaceOrDisjoint) {
  const vmx_matrix x = matrix(buffer, 2, 4, 8, 1);
  const struct {
    vmx_matrix out;
    bool fine;
    const char* what;
  } table[] = {
      {matrix(buffer, 2, 4, 8, 1), true, "the same"},
      {matrix(buffer + 12, 2, 4, 8, 1), true, "right behind"},
      {matrix(buffer + 11, 2, 4, 8, 1), false, "last element shared"},
      {matrix(buffer + 1, 2, 4, 8, 1), false, "shifted by one"},
      {matrix(buffer + 4, 2, 4, 8, 1), true, "interleaved rows"},
      {matrix(buffer + 5, 2, 4, 8, 1), false, "interleaved rows that meet"},
      {matrix(buffer, 2, 4, 4, 1), false, "other row stride"},
      {matrix(buffer, 2, 3, 8, 1), false, "other size"},
      {matrix(buffer, 2, 4, 8, 1, VMX_F16), false, "other dtype"},
      {matrix(buffer + 3, 2, 4, 8, -1), false, "mirrored"},
      {matrix(buffer, 0, 4, 8, 1), true, "empty"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(check_in_place_or_disjoint(row.out, "y", x, "x"), row.fine ? VMX_OK : VMX_ERR_OVERLAP)
        << row.what;
  }
  EXPECT_EQ(message(), "y overlaps x without being exactly the same view");
  // A stride that is never taken makes no difference.
  EXPECT_TRUE(same_view(matrix(buffer, 1, 4, 0, 1), matrix(buffer, 1, 4, 99, 1)));
  EXPECT_TRUE(same_view(matrix(buffer, 4, 1, 1, 0), matrix(buffer, 4, 1, 1, 99)));
  EXPECT_FALSE(same_view(matrix(buffer, 2, 4, 0, 1), matrix(buffer, 2, 4, 99, 1)));

  EXPECT_EQ(check_disjoint({10, 20}, "a", {20, 30}, "b"), VMX_OK);
  EXPECT_EQ(check_disjoint({20, 30}, "a", {10, 20}, "b"), VMX_OK);
  EXPECT_EQ(check_disjoint({10, 20}, "a", {0, 0}, "b"), VMX_OK);
  EXPECT_EQ(check_disjoint({10, 20}, "a", {12, 13}, "b"), VMX_ERR_OVERLAP);
  EXPECT_EQ(check_disjoint({10, 20}, "a", {19, 30}, "b"), VMX_ERR_OVERLAP);
  EXPECT_EQ(message(), "a overlaps b");
}

// Whether two views share a byte, against enumeration: never "apart" if they do, and always where both repeat
// alike.
TEST(Views, DisjointAgainstEnumeration) {
  struct View {
    vmx_matrix m;
    std::set<uintptr_t> bytes;
  };
  std::vector<View> views;
  const auto add = [&](const vmx_matrix& m) {
    View v{m, {}};
    const int64_t size = dtype_size(m.dtype);
    for (int64_t r = 0; r < m.rows; ++r) {
      for (int64_t c = 0; c < m.cols; ++c) {
        const auto at = reinterpret_cast<uintptr_t>(m.data) +
                        static_cast<uintptr_t>((r * m.row_stride + c * m.col_stride) * size);
        for (int64_t i = 0; i < size; ++i) v.bytes.insert(at + static_cast<uintptr_t>(i));
      }
    }
    views.push_back(std::move(v));
  };
  for (const int64_t first : {24, 25, 28, 30}) {
    for (const int64_t rows : {1, 3}) {
      for (const int64_t cols : {1, 2, 4}) {
        for (const int64_t row_stride : {4, -8, 7, 1}) {
          for (const int64_t col_stride : {1, -2, 8}) {
            add(matrix(buffer + first, rows, cols, row_stride, col_stride));
          }
        }
        if (first % 2 == 0) add(matrix(buffer + first, rows, cols, 4, 2, VMX_F64));
        add(matrix(buffer + first, rows, cols, 8, 1, VMX_F16));
      }
    }
  }
  int64_t told = 0, apart = 0;
  for (const View& a : views) {
    for (const View& b : views) {
      bool share = false;
      for (const uintptr_t byte : b.bytes) share |= a.bytes.count(byte) != 0;
      const bool found = disjoint(extent(a.m), extent(b.m));
      ASSERT_FALSE(share && found) << (&a - views.data()) << " and " << (&b - views.data());
      const bool alike = a.m.dtype == b.m.dtype && a.m.rows == b.m.rows && a.m.cols == b.m.cols &&
                         a.m.rows > 1 && a.m.row_stride == b.m.row_stride && a.m.col_stride == 1 &&
                         b.m.col_stride == 1 && std::abs(a.m.row_stride) >= a.m.cols;
      const bool same_rows = (reinterpret_cast<intptr_t>(a.m.data) - reinterpret_cast<intptr_t>(b.m.data)) /
                                 (4 * std::abs(a.m.row_stride)) ==
                             0;
      if (alike && same_rows) {
        ASSERT_EQ(share, !found);
      }
      told += !share && found;
      apart += !share;
    }
  }
  EXPECT_GT(told * 10, apart * 8);
}

TEST(Views, Arrays) {
  const auto check = [](const void* data, int64_t n) { return check_array(data, "states", n, 96, 8); };
  EXPECT_EQ(check(nullptr, 5), VMX_OK);
  EXPECT_EQ(check(buffer, 5), VMX_OK);
  EXPECT_EQ(check(buffer + 1, 0), VMX_OK);
  EXPECT_EQ(check(buffer + 1, 1), VMX_ERR_VALUE);
  EXPECT_EQ(message(), "states is not aligned to its elements: to 8 bytes");
  EXPECT_EQ(check(buffer, INT64_C(1) << 58), VMX_ERR_SIZE);
  EXPECT_EQ(message(), "states: 288230376151711744 elements of 96 bytes reach beyond the address space");
  EXPECT_EQ(check(reinterpret_cast<void*>(UINTPTR_MAX - 103), 1), VMX_OK);
  EXPECT_EQ(check(reinterpret_cast<void*>(UINTPTR_MAX - 103), 2), VMX_ERR_SIZE);
}

TEST(Views, SameShape) {
  const vmx_matrix x = matrix(buffer, 2, 8, 8, 1);
  EXPECT_EQ(check_same_shape(matrix(buffer, 2, 8, 9, 2), "y", x, "x"), VMX_OK);
  EXPECT_EQ(check_same_shape(matrix(buffer, 2, 7, 8, 1), "y", x, "x"), VMX_ERR_SHAPE);
  EXPECT_EQ(message(), "y.cols is 7, but x.cols is 8");
  EXPECT_EQ(check_same_shape(matrix(buffer, 3, 8, 8, 1), "y", x, "x"), VMX_ERR_SHAPE);
  EXPECT_EQ(message(), "y.rows is 3, but x.rows is 2");
}

TEST(Checked, Arithmetic) {
  int64_t r;
  EXPECT_TRUE(checked_mul(INT64_C(1) << 31, INT64_C(1) << 31, &r));
  EXPECT_EQ(r, INT64_C(1) << 62);
  EXPECT_FALSE(checked_mul(INT64_C(1) << 32, INT64_C(1) << 31, &r));
  EXPECT_FALSE(checked_mul(INT64_MIN, -1, &r));
  EXPECT_FALSE(checked_add(INT64_MAX, 1, &r));
  EXPECT_TRUE(checked_sub(-1, INT64_MAX, &r));
  EXPECT_EQ(r, INT64_MIN);
  EXPECT_FALSE(checked_sub(0, INT64_MIN, &r));
  EXPECT_EQ(saturating_mul(SIZE_MAX / 2, 3), SIZE_MAX);
  EXPECT_EQ(saturating_add(SIZE_MAX, 1), SIZE_MAX);
  EXPECT_EQ(saturating_add(saturating_mul(6, 7), 8), 50u);
}

}  // namespace
