// SPDX-License-Identifier: Apache-2.0
// Row lengths and temperatures that the tests of the softmax family go through.
#pragma once

#include "support/dtypes.hpp"
#include "support/rows.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace vmx::test {

/// Around the widths of registers, lanes, quads and blocks.
inline const std::vector<int64_t> kLengths = {1, 2, 3, 17, 63, 64, 65, 255, 256, 257, 1000, 4095, 4096, 4097, 9000};
inline const std::vector<int64_t> kFewLengths = {1, 65, 257, 4097};

/// T = 1 and moderate ones; then those that are served by other means.
inline const std::vector<float> kTemperatures = {1.0f,  0.5f,  0.07f, 3.0f,  100.0f, 1e-3f,      1e-6f,
                                                 1e-9f, 1e6f,  1e30f, 0x1p-126f,      std::numeric_limits<float>::max()};
inline const std::vector<float> kExtremeTemperatures = {0.0f, 0x1p-149f, 0x1.fffffcp-127f,
                                                        std::numeric_limits<float>::infinity()};

/// One row of each kind.
inline std::vector<std::vector<double>> rows_of_all_kinds(int64_t cols, int32_t dtype, uint64_t seed) {
  std::vector<std::vector<double>> rows;
  for (const RowKind& kind : row_kinds()) rows.push_back(make_row(kind, cols, dtype, seed + rows.size()));
  return rows;
}

inline std::string describe(const char* kind, int64_t cols, float temperature) {
  return std::string(kind) + " x " + std::to_string(cols) + ", T = " + std::to_string(temperature);
}

}  // namespace vmx::test
