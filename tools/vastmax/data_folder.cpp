// SPDX-License-Identifier: Apache-2.0
// A folder with train.txt and test.txt, `user item item ...` a line: the form of LightGCN's data.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>

#include "data.hpp"
#include "error.hpp"
#include "files.hpp"

namespace tool {
namespace {

constexpr int64_t kLargestId = 2147483645;  // ids + 1 must still be a valid number of classes

/// Tables have a row for each id up to the largest: one slip of the pen must not ask for all the memory there is.
bool leaves_large_gaps(int64_t id, int64_t seen) { return id > 1000000 + 100 * seen; }

[[noreturn]] void refuse(const std::string& name, int64_t line, const std::string& why) {
  throw UserError(name + ":" + std::to_string(line) + ": " + why);
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

int32_t parse_id(std::string_view word, const std::string& name, int64_t line) {
  int64_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  std::string shown(word.substr(0, 40));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (error == std::errc::result_out_of_range) refuse(name, line, "the id " + shown + " is too large");
  if (error != std::errc() || end != word.data() + word.size()) {
    refuse(name, line, "\"" + shown + "\" is not a whole number");
  }
  if (id < 0) refuse(name, line, "the id " + shown + " is negative");
  if (id > kLargestId) {
    refuse(name, line, "the id " + shown + " is too large (the largest is " + std::to_string(kLargestId) + ")");
  }
  return static_cast<int32_t>(id);
}

}  // namespace

LineData parse_lines(std::string_view text, const std::string& name) {
  LineData data;
  std::vector<int32_t> row;
  int64_t line = 0, interactions = 0;
  while (!text.empty()) {
    ++line;
    const size_t newline = text.find('\n');
    std::string_view rest = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
    row.clear();
    for (;;) {
      while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
      if (rest.empty()) break;
      size_t length = 0;
      while (length < rest.size() && !is_space(rest[length])) ++length;
      row.push_back(parse_id(rest.substr(0, length), name, line));
      rest.remove_prefix(length);
    }
    if (row.empty()) {
      if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) break;  // blank lines at the end
      refuse(name, line, "the line is empty: expected user item item ...");
    }
    const int32_t user = row.front();
    row.erase(row.begin());
    std::sort(row.begin(), row.end());
    const auto twice = std::adjacent_find(row.begin(), row.end());
    if (twice != row.end()) refuse(name, line, "item " + std::to_string(*twice) + " stands twice");
    for (const int32_t id : {user, row.empty() ? 0 : row.back()}) {
      if (leaves_large_gaps(id, interactions + line)) {
        refuse(name, line, "the id " + std::to_string(id) + " leaves too large a gap: number ids from 0 on");
      }
    }
    interactions += static_cast<int64_t>(row.size());
    if (user >= data.users) {
      data.users = int64_t{user} + 1;
      data.rows.resize(static_cast<size_t>(data.users));
      data.line_of_user.resize(static_cast<size_t>(data.users), 0);
    }
    int64_t& first = data.line_of_user[static_cast<size_t>(user)];
    if (first != 0) {
      refuse(name, line, "user " + std::to_string(user) + " has a line already: " + std::to_string(first));
    }
    first = line;
    if (!row.empty()) data.items = std::max(data.items, int64_t{row.back()} + 1);
    data.rows[static_cast<size_t>(user)] = row;
  }
  return data;
}

Dataset load_folder(const std::string& folder) {
  LineData parts[2];
  const char* const names[2] = {"train.txt", "test.txt"};
  std::string paths[2];
  for (int i = 0; i < 2; ++i) {
    paths[i] = (std::filesystem::path(folder) / names[i]).string();
    parts[i] = parse_lines(read_whole_file(paths[i]), paths[i]);
  }
  Dataset data;
  data.users = std::max(parts[0].users, parts[1].users);
  data.items = std::max(parts[0].items, parts[1].items);
  for (auto& part : parts) part.rows.resize(static_cast<size_t>(data.users));
  std::vector<int32_t> both;
  for (int64_t user = 0; user < data.users; ++user) {
    const auto& train = parts[0].rows[static_cast<size_t>(user)];
    const auto& test = parts[1].rows[static_cast<size_t>(user)];
    both.clear();
    std::set_intersection(train.begin(), train.end(), test.begin(), test.end(), std::back_inserter(both));
    if (!both.empty()) {
      refuse(paths[1], parts[1].line_of_user[static_cast<size_t>(user)],
             "item " + std::to_string(both.front()) + " of user " + std::to_string(user) + " is also in train.txt, line " +
                 std::to_string(parts[0].line_of_user[static_cast<size_t>(user)]));
    }
    data.train.add_row(train);
    data.test.add_row(test);
  }
  return data;
}

}  // namespace tool
