// SPDX-License-Identifier: Apache-2.0
// Tables of f32 in the safetensors format: 8 bytes (little-endian length of the header), a JSON header with dtype, shape
// and place of each tensor, then their bytes.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "table.hpp"

namespace tool {

void write_safetensors(const std::string& path, const std::vector<std::pair<std::string, const Table*>>& tables,
                       const std::map<std::string, std::string>& texts);

struct Safetensors {
  std::map<std::string, Table> tables;
  std::map<std::string, std::string> texts;  // its __metadata__
};

/// Throws UserError for anything that is not a whole file of two-dimensional F32 tensors.
Safetensors read_safetensors(const std::string& path);

}  // namespace tool
