// SPDX-License-Identifier: Apache-2.0
// Who chose what: the interactions to learn from and those to be found again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "csr.hpp"
#include "rng.hpp"

namespace tool {

struct Dataset {
  std::string source;  // as the user named it
  int64_t users = 0, items = 0;
  Csr train, test;                                  // a row for each user: rising ids, none twice, none in both
  std::vector<std::string> user_names, item_names;  // empty where there are none
  int64_t packages = 0;                             // debian: before pruning
  std::string graph_sha256;                         // debian: of the pruned graph
};

/// "debian", "debian:FILE", "synthetic:users,items,dim", or a folder with train.txt and test.txt.
Dataset load_dataset(const std::string& source, uint64_t split_seed);

Dataset load_folder(const std::string& folder);
Dataset load_debian(const std::string& file, uint64_t split_seed);  // file "": ask apt-cache
Dataset make_synthetic(const std::string& sizes, uint64_t seed);

/// Interactions as `user item item ...` a line; name stands in messages. Refuses what is malformed with its line.
struct LineData {
  std::vector<std::vector<int32_t>> rows;  // by user; items rising
  int64_t users = 0, items = 0;
  std::vector<int64_t> line_of_user;  // 0: the user has no line
};
LineData parse_lines(std::string_view text, const std::string& name);

/// Moves a seeded part of each row of all into held, keeping at least one: the rounding is drawn too, so that rows of any
/// length give the part on average.
void hold_out(const Csr& all, double part, uint64_t seed, Purpose purpose, Csr* kept, Csr* held);

/// SHA-256 of sizes, names and interactions: equal for equal data, whatever the source.
std::string hash_of(const Dataset& data);

}  // namespace tool
