// SPDX-License-Identifier: Apache-2.0
#include "cases/dense.hpp"

#include <cstring>

namespace bench {
namespace {

Buffer scores(const Shape& shape) {
  Buffer x(static_cast<size_t>(shape.bytes()));
  fill_normal(x.data(), shape.elements(), shape.dtype, kScores);
  return x;
}

}  // namespace

std::vector<Shape> row_shapes() {
  std::vector<Shape> shapes;
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    shapes.push_back({1, 32000, dtype, dtype == VMX_F32});
    shapes.push_back({1, 128256, dtype, true});
    shapes.push_back({1, 1048576, dtype, false});
    shapes.push_back({64, 32000, dtype, false});
    shapes.push_back({4096, 1000, dtype, dtype == VMX_F32});
    shapes.push_back({256, 128256, dtype, true});
    shapes.push_back({dtype == VMX_F32 ? 128 : 256, 1048576, dtype, false});  // 512 MiB
  }
  return shapes;
}

vmx_matrix matrix(void* data, int64_t rows, int64_t cols, int32_t dtype) {
  return {data, rows, cols, cols, 1, dtype, 0};
}

vmx_vector vector(float* data, int64_t n) { return {data, n, 1, VMX_F32, 0}; }

Dense::Dense(const Setting& setting, const Shape& s, bool in_place, bool wants_y)
    : shape(s),
      workspace(setting.context),
      x(scores(s)),
      other(wants_y ? Buffer(static_cast<size_t>(s.bytes())) : Buffer()),
      per_row(static_cast<size_t>(s.rows) * sizeof(float)),
      y(in_place ? x.data() : other.data()),
      oracle(x.data(), s.rows, s.cols, s.dtype) {
  if (in_place) std::memcpy(other.data(), x.data(), x.bytes());
}

void Dense::reset() const {
  if (y == x.data()) std::memcpy(x.data(), other.data(), x.bytes());
}

Contender contender(Role role, std::string name, std::function<void()> run, std::function<std::string()> check) {
  return {role, std::move(name), std::move(run), std::move(check), ""};
}

}  // namespace bench
