// SPDX-License-Identifier: Apache-2.0
// The cases of tests/vectors/*.json (format 1): floats in are the 8 hex digits of a binary32, reals out are decimals.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace vmx::test {

struct VectorCase {
  std::string id, op;
  nlohmann::json in, out;
};

/// All cases of a file, in order; with op, those of one operation. Throws if there is none.
std::vector<VectorCase> load_vectors(const std::string& file, const std::string& op = "");

float float_in(const nlohmann::json& hex);
std::vector<double> floats_in(const nlohmann::json& list);
/// Of a decimal beyond long double: 0 or an infinity.
long double real_out(const nlohmann::json& decimal);
std::vector<long double> reals_out(const nlohmann::json& list);

}  // namespace vmx::test
