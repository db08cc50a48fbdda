// SPDX-License-Identifier: Apache-2.0
#include "support/arrays.hpp"

#include <algorithm>
#include <cstring>

namespace vmx::test {
namespace {

constexpr size_t kRoom = 256;

size_t bytes_needed(int64_t elements, int32_t dtype) { return static_cast<size_t>(elements) * size_of(dtype); }

}  // namespace

Storage::Storage(size_t bytes) : bytes_(bytes + 2 * kRoom + 64, 0xff), owned_(bytes_.size(), false) {
  const auto address = reinterpret_cast<uintptr_t>(bytes_.data()) + kRoom;
  start_ = bytes_.data() + kRoom + (64 - address % 64) % 64;
}

void Storage::own(const void* element, size_t bytes) {
  const auto first = static_cast<size_t>(static_cast<const unsigned char*>(element) - bytes_.data());
  std::fill_n(owned_.begin() + static_cast<std::ptrdiff_t>(first), bytes, true);
}

bool Storage::surroundings_untouched() const {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    if (!owned_[i] && bytes_[i] != 0xff) return false;
  }
  return true;
}

Matrix::Matrix(int32_t dtype, int64_t rows, int64_t cols, Layout layout) : layout_(layout) {
  const int64_t stored_rows = layout.broadcast ? std::min<int64_t>(rows, 1) : rows;
  const int64_t inner = layout.transposed ? stored_rows : cols, outer = layout.transposed ? cols : stored_rows;
  const int64_t outer_stride = inner * layout.step + layout.row_pad;
  storage_ = std::make_unique<Storage>(bytes_needed(outer * outer_stride + layout.offset, dtype));
  int64_t row_stride = layout.transposed ? layout.step : outer_stride;
  int64_t col_stride = layout.transposed ? outer_stride : layout.step;
  int64_t first = layout.offset;
  if (layout.reversed_rows && stored_rows > 0) {
    first += (stored_rows - 1) * row_stride;
    row_stride = -row_stride;
  }
  if (layout.reversed_cols && cols > 0) {
    first += (cols - 1) * col_stride;
    col_stride = -col_stride;
  }
  if (layout.broadcast) row_stride = 0;
  view_ = {storage_->data() + bytes_needed(first, dtype), rows, cols, row_stride, col_stride, dtype, 0};
  for (int64_t r = 0; r < stored_rows; ++r) {
    if (col_stride == 1) {
      storage_->own(at(r, 0), bytes_needed(cols, dtype));
      continue;
    }
    for (int64_t c = 0; c < cols; ++c) storage_->own(at(r, c), size_of(dtype));
  }
}

Matrix::Matrix(int32_t dtype, const std::vector<std::vector<double>>& values, Layout layout)
    : Matrix(dtype, static_cast<int64_t>(values.size()),
             values.empty() ? 0 : static_cast<int64_t>(values[0].size()), layout) {
  for (int64_t r = 0; r < rows(); ++r) {
    for (int64_t c = 0; c < cols(); ++c) {
      set(r, c, static_cast<long double>(values[static_cast<size_t>(r)][static_cast<size_t>(c)]));
    }
  }
}

Matrix::Matrix(const Matrix& other) : Matrix(other.dtype(), other.rows(), other.cols(), other.layout_) {
  for (int64_t r = 0; r < rows(); ++r) {
    for (int64_t c = 0; c < cols(); ++c) std::memcpy(at(r, c), other.at(r, c), size_of(dtype()));
  }
}

void* Matrix::at(int64_t row, int64_t col) const {
  const int64_t index = row * view_.row_stride + col * view_.col_stride;
  return static_cast<unsigned char*>(view_.data) + index * static_cast<int64_t>(size_of(view_.dtype));
}

std::vector<double> Matrix::row(int64_t r) const {
  std::vector<double> result;
  for (int64_t c = 0; c < cols(); ++c) result.push_back(get(r, c));
  return result;
}

std::vector<unsigned char> Matrix::row_bytes(int64_t r) const {
  const size_t size = size_of(dtype());
  std::vector<unsigned char> result(static_cast<size_t>(cols()) * size);
  if (view_.col_stride == 1) {
    std::memcpy(result.data(), at(r, 0), result.size());
    return result;
  }
  for (int64_t c = 0; c < cols(); ++c) std::memcpy(result.data() + static_cast<size_t>(c) * size, at(r, c), size);
  return result;
}

void Matrix::set_row_bytes(int64_t r, const std::vector<unsigned char>& bytes) {
  const size_t size = size_of(dtype());
  if (view_.col_stride == 1) {
    std::memcpy(at(r, 0), bytes.data(), bytes.size());
    return;
  }
  for (int64_t c = 0; c < cols(); ++c) std::memcpy(at(r, c), bytes.data() + static_cast<size_t>(c) * size, size);
}

std::vector<unsigned char> Matrix::bytes() const {
  std::vector<unsigned char> result;
  for (int64_t r = 0; r < rows(); ++r) {
    const auto row = row_bytes(r);
    result.insert(result.end(), row.begin(), row.end());
  }
  return result;
}

Vector::Vector(int32_t dtype, int64_t n, int64_t stride, int64_t offset) {
  const int64_t magnitude = std::max<int64_t>(stride < 0 ? -stride : stride, 1);
  storage_ = std::make_unique<Storage>(bytes_needed(n * magnitude + offset, dtype));
  const int64_t first = offset + (stride < 0 && n > 0 ? (n - 1) * magnitude : 0);
  view_ = {storage_->data() + bytes_needed(first, dtype), n, stride, dtype, 0};
  for (int64_t i = 0; i < n; ++i) storage_->own(at(i), size_of(dtype));
}

Vector::Vector(int32_t dtype, const std::vector<double>& values, int64_t stride, int64_t offset)
    : Vector(dtype, static_cast<int64_t>(values.size()), stride, offset) {
  for (size_t i = 0; i < values.size(); ++i) set(static_cast<int64_t>(i), static_cast<long double>(values[i]));
}

void* Vector::at(int64_t i) const {
  return static_cast<unsigned char*>(view_.data) + i * view_.stride * static_cast<int64_t>(size_of(view_.dtype));
}

std::vector<unsigned char> Vector::bytes() const {
  const size_t size = size_of(view_.dtype);
  std::vector<unsigned char> result(static_cast<size_t>(view_.n) * size);
  for (int64_t i = 0; i < view_.n; ++i) std::memcpy(result.data() + static_cast<size_t>(i) * size, at(i), size);
  return result;
}

Ids::Ids(int32_t type, const std::vector<int64_t>& values, int32_t base, int64_t stride) {
  const auto n = static_cast<int64_t>(values.size());
  const int64_t magnitude = std::max<int64_t>(stride < 0 ? -stride : stride, 1);
  storage_ = std::make_unique<Storage>(bytes_needed(n * magnitude, type));
  unsigned char* first = storage_->data() + bytes_needed(stride < 0 && n > 0 ? (n - 1) * magnitude : 0, type);
  view_ = {first, n, stride, type, base};
  for (int64_t i = 0; i < n; ++i) {
    const int64_t value = values[static_cast<size_t>(i)];
    const int64_t stored = value < 0 ? value : value + base;
    unsigned char* element = first + i * stride * static_cast<int64_t>(size_of(type));
    if (type == VMX_I32) {
      const auto narrow = static_cast<int32_t>(stored);
      std::memcpy(element, &narrow, 4);
    } else {
      std::memcpy(element, &stored, 8);
    }
  }
}

}  // namespace vmx::test
