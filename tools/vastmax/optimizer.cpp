// SPDX-License-Identifier: Apache-2.0
#include "optimizer.hpp"

#include <cmath>

namespace tool {

Adam::Adam(int64_t rows, int64_t dim, const AdamSettings& settings)
    : settings_(settings), mean_(rows, dim), square_(rows, dim), steps_(static_cast<size_t>(rows)) {}

void Adam::begin_step() {
  const auto t = static_cast<double>(corrections_.size() + 1);
  corrections_.push_back(
      {1 / (1 - std::pow(settings_.beta1, t)), 1 / std::sqrt(1 - std::pow(settings_.beta2, t))});
}

void Adam::step_row(int64_t row, float* __restrict parameters,
                    const float* __restrict gradient, double learning_rate) {
  const Correction& correction = corrections_[static_cast<size_t>(steps_[static_cast<size_t>(row)]++)];
  const auto beta1 = static_cast<float>(settings_.beta1), beta2 = static_cast<float>(settings_.beta2);
  const auto rest1 = static_cast<float>(1 - settings_.beta1), rest2 = static_cast<float>(1 - settings_.beta2);
  const auto rate = static_cast<float>(learning_rate * correction.first);
  const auto second = static_cast<float>(correction.second);
  const auto epsilon = static_cast<float>(settings_.epsilon);
  const auto keep = static_cast<float>(1 - learning_rate * settings_.weight_decay);
  float* __restrict const mean = mean_.row(row);
  float* __restrict const square = square_.row(row);
  for (int64_t i = 0; i < mean_.dim; ++i) {
    const float g = gradient[i];
    mean[i] = beta1 * mean[i] + rest1 * g;
    square[i] = beta2 * square[i] + rest2 * g * g;
    parameters[i] = keep * parameters[i] - rate * mean[i] / (std::sqrt(square[i]) * second + epsilon);
  }
}

SparseAdam::SparseAdam(int64_t rows, int64_t dim, const AdamSettings& settings)
    : settings_(settings), mean_(rows, dim), square_(rows, dim) {}

void SparseAdam::step(Engine& engine, const vmx_sparse_rows& gradient, Table* table, double learning_rate) {
  vmx_update_options options = VMX_UPDATE_OPTIONS_INIT;
  options.optimizer = VMX_ADAM;
  options.step = ++steps_;
  options.lr = learning_rate;
  options.beta1 = settings_.beta1;
  options.beta2 = settings_.beta2;
  options.eps = settings_.epsilon;
  options.weight_decay = settings_.weight_decay;
  const vmx_matrix parameters = matrix_f32(table->data.data(), table->rows, table->dim);
  const vmx_matrix mean = matrix_f32(mean_.data.data(), table->rows, table->dim);
  const vmx_matrix square = matrix_f32(square_.data.data(), table->rows, table->dim);
  check(vmx_sparse_update(engine.context.get(), &gradient, &parameters, &mean, &square, &options));
}

}  // namespace tool
