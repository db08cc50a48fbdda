// SPDX-License-Identifier: Apache-2.0
// What the cases over given scores have in common: shapes, data, views.
#pragma once

#include "buffer.hpp"
#include "case.hpp"
#include "data.hpp"
#include "oracle.hpp"

#include <memory>
#include <string>
#include <vector>

namespace bench {

struct Shape {
  int64_t rows, cols;
  int32_t dtype;
  bool quick;

  int64_t elements() const { return rows * cols; }
  int64_t bytes() const { return elements() * dtype_bytes(dtype); }
  std::string text() const { return std::to_string(rows) + "x" + std::to_string(cols); }
};

// Rows of scores, from one that fits in L1 or L2 to 512 MiB.
std::vector<Shape> row_shapes();

class Workspace {
 public:
  explicit Workspace(const vmx_context* context) { require(vmx_workspace_create(context, &made_)); }
  ~Workspace() { vmx_workspace_destroy(made_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  vmx_workspace* get() const { return made_; }

 private:
  vmx_workspace* made_ = nullptr;
};

vmx_matrix matrix(void* data, int64_t rows, int64_t cols, int32_t dtype);
vmx_vector vector(float* data, int64_t n);

// Scores and room for results. In place: y is x, and reset() brings x back.
struct Dense {
  Dense(const Setting& setting, const Shape& shape, bool in_place, bool wants_y);

  void reset() const;
  vmx_matrix x_view() const { return matrix(x.data(), shape.rows, shape.cols, shape.dtype); }
  vmx_matrix y_view() const { return matrix(y, shape.rows, shape.cols, shape.dtype); }

  Shape shape;
  Workspace workspace;
  Buffer x, other, per_row;
  void* y = nullptr;  // in x or in `other`; `other` holds the scores where y is x
  RowOracle oracle;
};

Contender contender(Role role, std::string name, std::function<void()> run, std::function<std::string()> check);

}  // namespace bench
