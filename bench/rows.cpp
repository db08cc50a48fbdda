// SPDX-License-Identifier: Apache-2.0
#include "rows.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace bench {

std::string Row::limit() const {
  std::string name;
  double longest = 0;
  for (const auto& [key, seconds] : limits) {
    if (seconds > longest) name = key, longest = seconds;
  }
  return name;
}

double Row::limit_seconds() const {
  const auto found = limits.find(limit());
  return found == limits.end() ? 0 : found->second;
}

std::string rows_json(const std::vector<Row>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    nlohmann::ordered_json out;
    out["kernel"] = row.kernel;
    out["shape"] = row.shape;
    out["dtype"] = row.dtype;
    out["threads"] = row.threads;
    out["isa"] = row.isa;
    out["ours_s"] = row.ours;
    out["limit_s"] = row.limit_seconds();
    out["limit"] = row.limit();
    out["peers"] = row.peers.empty() ? nlohmann::ordered_json::object() : nlohmann::ordered_json(row.peers);
    out["limits"] = row.limits.empty() ? nlohmann::ordered_json::object() : nlohmann::ordered_json(row.limits);
    out["elements"] = row.elements;
    out["bytes"] = row.bytes;
    list.push_back(std::move(out));
  }
  return list.dump(1) + "\n";
}

void write_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  {
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << text;
    file.flush();
    if (!file) throw std::runtime_error("cannot write " + fresh);
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) throw std::runtime_error("cannot write " + path);
}

}  // namespace bench
