// SPDX-License-Identifier: Apache-2.0
// Readers of data: what they accept, and that what they refuse is named with its line.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "data.hpp"
#include "error.hpp"

namespace {

using tool::Csr;
using tool::UserError;

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("vmx_data_" + std::to_string(getpid()) + "_" + std::to_string(count_++))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

std::vector<int32_t> row(const Csr& csr, int64_t i) { return {csr[i].begin(), csr[i].end()}; }

TEST(Lines, AreRead) {
  const auto data = tool::parse_lines("0 3 1\n2\t5\r\n1\n3 0 \n\n", "x");
  EXPECT_EQ(data.users, 4);
  EXPECT_EQ(data.items, 6);
  EXPECT_EQ(data.rows[0], (std::vector<int32_t>{1, 3}));
  EXPECT_EQ(data.rows[1], std::vector<int32_t>{});
  EXPECT_EQ(data.rows[2], std::vector<int32_t>{5});
  EXPECT_EQ(data.line_of_user, (std::vector<int64_t>{1, 3, 2, 4}));
  EXPECT_EQ(tool::parse_lines("0 1", "x").rows[0], std::vector<int32_t>{1});
  EXPECT_EQ(tool::parse_lines("", "x").users, 0);
}

TEST(Lines, MalformedAreRefusedWithTheirNumber) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"0 1\n1 x\n", "f:2: \"x\" is not a whole number"},
      {"0 1\n\n1 2\n", "f:2: the line is empty: expected user item item ..."},
      {"0 1.5\n", "f:1: \"1.5\" is not a whole number"},
      {"0 1\n1 2\n2 -3\n", "f:3: the id -3 is negative"},
      {"0 1,2\n", "f:1: \"1,2\" is not a whole number"},
      {"0 99999999999999999999\n", "f:1: the id 99999999999999999999 is too large"},
      {"0 2147483647\n", "f:1: the id 2147483647 is too large (the largest is 2147483645)"},
      {"0 2147483645\n", "f:1: the id 2147483645 leaves too large a gap: number ids from 0 on"},
      {"2147483645 0\n", "f:1: the id 2147483645 leaves too large a gap: number ids from 0 on"},
      {"0 1 2 1\n", "f:1: item 1 stands twice"},
      {"0 1\n1 2\n0 3\n", "f:3: user 0 has a line already: 1"},
      {"0 +1\n", "f:1: \"+1\" is not a whole number"},
      {"0 1\n\x01\xff 2\n", "f:2: \"??\" is not a whole number"},
  };
  for (const auto& c : cases) EXPECT_EQ(message_of([&] { tool::parse_lines(c.text, "f"); }), c.message) << c.text;
}

TEST(Folder, IsRead) {
  const Folder folder;
  folder.write("train.txt", "0 0 1\n1 2\n");
  folder.write("test.txt", "0 3\n2 0\n");
  const auto data = tool::load_dataset(folder.path(), 1);
  EXPECT_EQ(data.users, 3);
  EXPECT_EQ(data.items, 4);
  EXPECT_EQ(row(data.train, 0), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(row(data.test, 2), std::vector<int32_t>{0});
  EXPECT_EQ(tool::hash_of(data).size(), 64u);
}

TEST(Folder, WhatIsWrongIsNamed) {
  const Folder folder;
  folder.write("train.txt", "0 0 1\n1 2\n");
  EXPECT_NE(message_of([&] { tool::load_dataset(folder.path(), 1); }).find("test.txt"), std::string::npos);
  folder.write("test.txt", "0 3\n1 5 2\n");
  EXPECT_NE(message_of([&] { tool::load_dataset(folder.path(), 1); })
                .find("test.txt:2: item 2 of user 1 is also in train.txt, line 2"),
            std::string::npos);
  folder.write("train.txt", "");
  EXPECT_NE(message_of([&] { tool::load_dataset(folder.path(), 1); }).find("nothing to learn from"), std::string::npos);
  EXPECT_NE(message_of([] { tool::load_dataset("/no/such/place", 1); }).find("--data: /no/such/place"), std::string::npos);
}

/// 12 packages that all use six common ones, and something of their own.
std::string dump() {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += "Package: user" + std::to_string(i) +
            "\nVersion: 1\nDescription: x\n more: text\n"
            "Depends: libc6 (>= 2.36), base-a | base-b, lib-x:any\nRecommends: tool+plus [amd64],\n"
            "Suggests: doc.pkg, own" +
            std::to_string(i) + "\n\n";
  }
  return text + "Package: small\nDepends: libc6, base-a\n";
}

TEST(Debian, GraphIsReadAndPruned) {
  const Folder folder;
  const auto data = tool::load_dataset("debian:" + folder.write("dump", dump()), 1);
  EXPECT_EQ(data.users, 12);  // without small, which has two items
  EXPECT_EQ(data.item_names, (std::vector<std::string>{"base-a", "base-b", "doc.pkg", "lib-x", "libc6", "tool+plus"}));
  EXPECT_EQ(data.train.size() + data.test.size(), 72);
  EXPECT_GT(data.test.size(), 0);
  EXPECT_EQ(data.graph_sha256.size(), 64u);
  EXPECT_EQ(tool::hash_of(data), tool::hash_of(tool::load_dataset("debian:" + folder.path() + "/dump", 1)));
  EXPECT_NE(tool::hash_of(data), tool::hash_of(tool::load_dataset("debian:" + folder.path() + "/dump", 2)));
}

TEST(Debian, MalformedIsRefusedWithItsLine) {
  const Folder folder;
  const auto message = [&](const std::string& text) {
    const auto path = folder.write("dump", text);
    const auto whole = message_of([&] { tool::load_dataset("debian:" + path, 1); });
    return whole.starts_with(path) ? whole.substr(path.size()) : whole;
  };
  EXPECT_EQ(message("Package: a\nDepends: b, , c\n"), ":2: Depends is not a list of packages");
  EXPECT_EQ(message("Package: a\n\nPackage: b\nSuggests: UPPER\n"), ":4: Suggests is not a list of packages");
  EXPECT_EQ(message("Package: a\nno field\n"), ":2: expected \"Field: value\"");
  EXPECT_EQ(message("Package:\n"), ":1: the package has no name");
  EXPECT_NE(message("Package: a\n").find("nothing to learn from"), std::string::npos);
}

TEST(Synthetic, IsAFunctionOfTheSeed) {
  const auto a = tool::load_dataset("synthetic:300,200,4", 1), b = tool::load_dataset("synthetic:300,200,4", 1);
  const auto c = tool::load_dataset("synthetic:300,200,4", 2);
  EXPECT_EQ(tool::hash_of(a), tool::hash_of(b));
  EXPECT_NE(tool::hash_of(a), tool::hash_of(c));
  EXPECT_EQ(a.users, 300);
  EXPECT_EQ(a.items, 200);
  for (int64_t user = 0; user < a.users; ++user) {
    std::set<int32_t> seen;
    for (const auto* part : {&a.train, &a.test}) {
      const auto ids = row(*part, user);
      EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
      for (const int32_t id : ids) EXPECT_TRUE(id >= 0 && id < 200 && seen.insert(id).second);
    }
    EXPECT_GE(seen.size(), 8u);
  }
  for (const char* bad : {"", "300", "300,200", "300,200,4,5", "300,x,4", "0,200,4", "300,200,0", "300,200,4 "}) {
    EXPECT_NE(message_of([&] { tool::load_dataset(std::string("synthetic:") + bad, 1); }).find("--data synthetic:"),
              std::string::npos)
        << bad;
  }
}

TEST(HoldOut, TakesThePartAndKeepsTheRest) {
  Csr all;
  for (int user = 0; user < 2000; ++user) {
    std::vector<int32_t> ids;
    for (int i = 0; i < user % 13; ++i) ids.push_back(i * 3);
    all.add_row(ids);
  }
  Csr kept, held;
  tool::hold_out(all, 0.1, 7, tool::Purpose::validation_split, &kept, &held);
  ASSERT_EQ(kept.rows(), all.rows());
  ASSERT_EQ(held.rows(), all.rows());
  for (int64_t user = 0; user < all.rows(); ++user) {
    auto both = row(kept, user);
    const auto out = row(held, user);
    EXPECT_TRUE(std::is_sorted(both.begin(), both.end()) && std::is_sorted(out.begin(), out.end()));
    if (all.count(user) > 0) {
      EXPECT_GT(kept.count(user), 0);
    }
    both.insert(both.end(), out.begin(), out.end());
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, row(all, user));
  }
  EXPECT_NEAR(static_cast<double>(held.size()) / static_cast<double>(all.size()), 0.1, 0.01);
  tool::hold_out(all, 0, 7, tool::Purpose::validation_split, &kept, &held);
  EXPECT_EQ(held.size(), 0);
  EXPECT_EQ(kept.ids, all.ids);
}

}  // namespace
