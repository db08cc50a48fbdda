// SPDX-License-Identifier: Apache-2.0
// What a run leaves: one row for each kernel and shape.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace bench {

struct Row {
  std::string kernel, shape, dtype, isa;
  int threads = 1;
  double ours = 0;                       // seconds, as all here
  std::map<std::string, double> limits;  // by name; the longest is the one that counts
  std::map<std::string, double> peers;
  double elements = 0, bytes = 0;

  std::string limit() const;
  double limit_seconds() const;
};

// The whole list as JSON.
std::string rows_json(const std::vector<Row>& rows);
// Replaces the file in one step, so that it is whole at any time. Throws.
void write_file(const std::string& path, const std::string& text);

}  // namespace bench
