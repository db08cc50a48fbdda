// SPDX-License-Identifier: Apache-2.0
// Debian's package graph: packages are users; what they depend on, recommend or suggest are items.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <unordered_map>

#include "data.hpp"
#include "error.hpp"
#include "files.hpp"
#include "sha256.hpp"

namespace tool {
namespace {

constexpr int kMinUsersOfItem = 3;
constexpr int kMinItemsOfUser = 5;
constexpr double kTestPart = 0.2;
constexpr size_t kFewUsers = 1000;

using Graph = std::map<std::string, std::set<std::string>>;

std::string ask_apt() {
  std::FILE* const pipe = popen("LC_ALL=C apt-cache dumpavail", "r");
  if (pipe == nullptr) throw UserError("--data debian: apt-cache cannot be started");
  std::string text;
  char buffer[1 << 16];
  size_t n;
  while ((n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0) text.append(buffer, n);
  if (pclose(pipe) != 0) {
    throw UserError("--data debian: `apt-cache dumpavail` failed; it needs a system with apt (Debian, Ubuntu)");
  }
  return text;
}

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool in_name(char c) { return starts_name(c) || c == '+' || c == '-' || c == '.'; }

/// "a (>= 1) | b:any, c" gives a, b and c. False if a name is missing or malformed.
bool parse_relations(std::string_view text, std::set<std::string>* names) {
  while (!text.empty()) {
    const size_t cut = text.find_first_of(",|");
    std::string_view entry = text.substr(0, cut);
    text = cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1);
    const size_t begin = entry.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) {
      if (text.empty()) break;  // a comma at the end
      return false;
    }
    entry.remove_prefix(begin);
    size_t length = 0;
    while (length < entry.size() && in_name(entry[length])) ++length;
    if (length < 2 || !starts_name(entry[0])) return false;
    if (length < entry.size() && std::string_view(": \t\r([<").find(entry[length]) == std::string_view::npos) return false;
    names->emplace(entry.substr(0, length));
  }
  return true;
}

Graph parse_dump(std::string_view text, const std::string& name) {
  static const std::set<std::string_view> relations{"Depends", "Pre-Depends", "Recommends", "Suggests"};
  Graph graph;
  std::set<std::string>* package = nullptr;
  std::set<std::string> pending;  // relations that came before the stanza's Package line
  int64_t line = 0;
  const auto refuse = [&](const std::string& why) {
    throw UserError(name + ":" + std::to_string(line) + ": " + why);
  };
  while (!text.empty()) {
    ++line;
    const size_t newline = text.find('\n');
    const std::string_view row = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
    if (row.empty()) {
      package = nullptr;
      pending.clear();
      continue;
    }
    if (row[0] == ' ' || row[0] == '\t') continue;  // goes on from the line before; relations do not, in such dumps
    const size_t colon = row.find(':');
    if (colon == std::string_view::npos) refuse("expected \"Field: value\"");
    const std::string_view field = row.substr(0, colon);
    std::string_view value = row.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (field == "Package") {
      if (value.empty()) refuse("the package has no name");
      package = &graph[std::string(value)];  // several versions of a package are one user
      package->merge(pending);
      pending.clear();
    } else if (relations.contains(field)) {
      if (!parse_relations(value, package != nullptr ? package : &pending)) {
        refuse(std::string(field) + " is not a list of packages");
      }
    }
  }
  return graph;
}

/// Drops rare items and then short users until nothing changes.
void prune(Graph* graph) {
  for (bool changed = true; changed;) {
    changed = false;
    std::unordered_map<std::string, int> users_of;
    for (const auto& [user, items] : *graph) {
      for (const auto& item : items) ++users_of[item];
    }
    for (auto user = graph->begin(); user != graph->end();) {
      changed |= std::erase_if(user->second, [&](const auto& item) { return users_of[item] < kMinUsersOfItem; }) > 0;
      if (static_cast<int>(user->second.size()) < kMinItemsOfUser) {
        user = graph->erase(user);
        changed = true;
      } else {
        ++user;
      }
    }
  }
}

}  // namespace

Dataset load_debian(const std::string& file, uint64_t split_seed) {
  const std::string name = file.empty() ? "apt-cache dumpavail" : file;
  Graph graph = parse_dump(file.empty() ? ask_apt() : read_whole_file(file), name);
  const size_t packages = graph.size();
  prune(&graph);
  if (graph.size() < kFewUsers && file.empty()) {
    throw UserError("--data debian: only " + std::to_string(packages) +
                    " packages are known here, too few to learn from: run apt-get update first");
  }

  Dataset data;
  std::set<std::string> items;
  Sha256 hash;
  for (const auto& [user, chosen] : graph) {
    std::string line = user;
    for (const auto& item : chosen) line += ' ' + item;
    hash.add(line += '\n');
    items.insert(chosen.begin(), chosen.end());
  }
  std::unordered_map<std::string_view, int32_t> id;
  for (const auto& item : items) {
    id.emplace(item, static_cast<int32_t>(data.item_names.size()));
    data.item_names.push_back(item);
  }
  Csr all;
  for (const auto& [user, chosen] : graph) {
    std::vector<int32_t> row;
    for (const auto& item : chosen) row.push_back(id.at(item));
    all.add_row(row);
    data.user_names.push_back(user);
  }
  data.users = static_cast<int64_t>(data.user_names.size());
  data.items = static_cast<int64_t>(data.item_names.size());
  hold_out(all, kTestPart, split_seed, Purpose::test_split, &data.train, &data.test);
  data.packages = static_cast<int64_t>(packages);
  data.graph_sha256 = hash.finish();
  return data;
}

}  // namespace tool
