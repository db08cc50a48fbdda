// SPDX-License-Identifier: Apache-2.0
// Adam (Kingma & Ba 2015) over a table, row by row, with decoupled weight decay (Loshchilov & Hutter 2019). Lazy: a row
// that gets no gradient does not change, nor do its moments, and each row counts its own steps for the bias
// correction. Where every row gets a gradient in every step that is plain Adam.
#pragma once

#include <cstdint>
#include <vector>

#include "engine.hpp"
#include "table.hpp"

namespace tool {

struct AdamSettings {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
};

class Adam {
 public:
  Adam(int64_t rows, int64_t dim, const AdamSettings& settings);

  /// To be called once before the rows of a step, by one thread.
  void begin_step();
  /// Different rows may be stepped by different threads.
  void step_row(int64_t row, float* parameters, const float* gradient, double learning_rate);

 private:
  struct Correction {
    double first, second;  // 1/(1 - beta1^t), 1/sqrt(1 - beta2^t)
  };

  AdamSettings settings_;
  Table mean_, square_;
  std::vector<int32_t> steps_;           // of each row
  std::vector<Correction> corrections_;  // by steps taken; at least one entry ahead of every row
};

/// Adam by the library, on the rows that a list names. The bias correction counts the steps of the table.
class SparseAdam {
 public:
  SparseAdam(int64_t rows, int64_t dim, const AdamSettings& settings);

  void step(Engine& engine, const vmx_sparse_rows& gradient, Table* table, double learning_rate);

 private:
  AdamSettings settings_;
  Table mean_, square_;
  int64_t steps_ = 0;
};

}  // namespace tool
