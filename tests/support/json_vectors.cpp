// SPDX-License-Identifier: Apache-2.0
#include "support/json_vectors.hpp"

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace vmx::test {

std::vector<VectorCase> load_vectors(const std::string& file, const std::string& op) {
  const std::string path = std::string(VMX_TEST_VECTORS_DIR) + "/" + file;
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot open " + path);
  const nlohmann::json all = nlohmann::json::parse(stream);
  if (all.at("format") != 1) throw std::runtime_error(path + " is not of format 1");
  std::vector<VectorCase> result;
  for (const auto& item : all.at("cases")) {
    if (!op.empty() && item.at("op") != op) continue;
    result.push_back({item.at("id"), item.at("op"), item.at("in"), item.at("out")});
  }
  if (result.empty()) throw std::runtime_error(path + " has no case of " + op);
  return result;
}

float float_in(const nlohmann::json& hex) {
  const auto& text = hex.get_ref<const std::string&>();
  size_t used = 0;
  const unsigned long bits = std::stoul(text, &used, 16);
  if (text.size() != 8 || used != 8) throw std::runtime_error("not 8 hex digits: " + text);
  return std::bit_cast<float>(static_cast<uint32_t>(bits));
}

std::vector<double> floats_in(const nlohmann::json& list) {
  std::vector<double> result;
  for (const auto& hex : list) result.push_back(static_cast<double>(float_in(hex)));
  return result;
}

long double real_out(const nlohmann::json& decimal) {
  const auto& text = decimal.get_ref<const std::string&>();
  char* end = nullptr;
  const long double value = std::strtold(text.c_str(), &end);
  if (text.empty() || *end != '\0') throw std::runtime_error("not a number: " + text);
  return value;
}

std::vector<long double> reals_out(const nlohmann::json& list) {
  std::vector<long double> result;
  for (const auto& decimal : list) result.push_back(real_out(decimal));
  return result;
}

}  // namespace vmx::test
