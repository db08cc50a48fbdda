// SPDX-License-Identifier: Apache-2.0
// The small parts of the trainer: random numbers, hash, pool, vectors, Adam, files.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "error.hpp"
#include "files.hpp"
#include "model.hpp"
#include "optimizer.hpp"
#include "pool.hpp"
#include "rng.hpp"
#include "safetensors.hpp"
#include "sha256.hpp"
#include "vectors.hpp"

namespace {

using tool::Table;

TEST(Random, PhiloxKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(tool::philox4x32_10({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t f = 0xffffffff;
  EXPECT_EQ(tool::philox4x32_10({f, f, f, f}, {f, f}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(tool::philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, BelowIsFairAndShuffleIsAPermutation) {
  tool::Stream random(3, tool::Purpose::shuffle);
  std::vector<int> count(5);
  for (int i = 0; i < 50000; ++i) ++count[random.below(5)];
  for (const int n : count) EXPECT_NEAR(n, 10000, 500);
  std::vector<int> order(1000), sorted(1000);
  std::iota(order.begin(), order.end(), 0);
  sorted = order;
  random.shuffle(order);
  EXPECT_NE(order, sorted);
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, sorted);
  for (int i = 0; i < 1000; ++i) {
    const double u = random.uniform();
    EXPECT_TRUE(u >= 0 && u < 1);
  }
}

std::string sha256(const std::string& text, size_t piece) {
  tool::Sha256 hash;
  for (size_t i = 0; i < text.size(); i += piece) hash.add(text.substr(i, piece));
  return hash.finish();
}

TEST(Hash, KnownAnswers) {
  EXPECT_EQ(sha256("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc", 1), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 5),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a'), 997), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Pool, RunsEachTaskOnceAlsoNested) {
  for (const int threads : {1, 2, 5}) {
    tool::Pool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> count(37 * 3);
      pool.for_each(37, [&](int64_t i) { pool.for_each(3, [&](int64_t j) { ++count[static_cast<size_t>(3 * i + j)]; }); });
      for (const auto& n : count) ASSERT_EQ(n.load(), 1);
    }
  }
}

TEST(Vectors, DotAndNorm) {
  for (int n = 1; n < 70; ++n) {
    std::vector<float> a(static_cast<size_t>(n)), b(a.size());
    double want = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      a[i] = static_cast<float>(i % 7) - 2.5f;
      b[i] = static_cast<float>(i % 5) - 1.25f;
      want += static_cast<double>(a[i]) * b[i];
    }
    EXPECT_EQ(tool::dot(a.data(), b.data(), n), static_cast<float>(want)) << n;
  }
  const float zero[4] = {};
  EXPECT_TRUE(std::isfinite(tool::inverse_norm(zero, 4)));
}

/// f(x) = c . x/|x|: its gradient by finite differences in f64.
TEST(Vectors, GradientThroughNormalisation) {
  const std::vector<float> x{0.3f, -1.2f, 0.7f, 2.0f, -0.1f}, c{1.0f, 0.5f, -2.0f, 0.25f, 3.0f};
  const auto value = [&](std::vector<double> v) {
    double norm = 0, sum = 0;
    for (const double e : v) norm += e * e;
    for (size_t i = 0; i < v.size(); ++i) sum += c[i] * v[i];
    return sum / std::sqrt(norm);
  };
  std::vector<float> gradient = c;
  tool::project_gradient(gradient.data(), x.data(), tool::inverse_norm(x.data(), 5), 5);
  for (size_t i = 0; i < x.size(); ++i) {
    std::vector<double> up(x.begin(), x.end()), down = up;
    up[i] += 1e-5;
    down[i] -= 1e-5;
    EXPECT_NEAR(gradient[i], (value(up) - value(down)) / 2e-5, 1e-6) << i;
  }
}

TEST(Adam, FollowsTheFormulaAndCountsStepsByRow) {
  const tool::AdamSettings settings{0.9, 0.99, 1e-8, 0.1};
  tool::Adam adam(2, 3, settings);
  Table parameters(2, 3);
  std::vector<double> x(6), mean(6), square(6);
  for (size_t i = 0; i < 6; ++i) {
    parameters.data[i] = 0.5f * static_cast<float>(i) - 1;
    x[i] = parameters.data[i];
  }
  int taken[2] = {};
  for (int step = 1; step <= 20; ++step) {
    adam.begin_step();
    for (int64_t row = 0; row < 2; ++row) {
      if (row == 1 && step % 3 != 0) continue;  // lazily: this row is seen less often
      const int t = ++taken[row];
      float gradient[3];
      for (size_t i = 0; i < 3; ++i) {
        gradient[i] = std::sin(static_cast<float>(step) + static_cast<float>(i));
        const size_t at = static_cast<size_t>(row) * 3 + i;
        mean[at] = 0.9 * mean[at] + 0.1 * gradient[i];
        square[at] = 0.99 * square[at] + 0.01 * gradient[i] * gradient[i];
        x[at] = x[at] * (1 - 0.05 * 0.1) -
                0.05 * (mean[at] / (1 - std::pow(0.9, t))) / (std::sqrt(square[at] / (1 - std::pow(0.99, t))) + 1e-8);
      }
      adam.step_row(row, parameters.row(row), gradient, 0.05);
    }
    for (size_t i = 0; i < 6; ++i) ASSERT_NEAR(parameters.data[i], x[i], 1e-5) << step;
  }
}

class File {
 public:
  explicit File(const std::string& name)
      : path_((std::filesystem::temp_directory_path() / ("vmx_parts_" + std::to_string(getpid()) + name)).string()) {}
  ~File() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Model, SurvivesSavingAndLoading) {
  tool::Model model;
  model.score = tool::Score::cosine;
  model.temperature = 0.07;
  model.users = Table(7, 5);
  model.items = Table(11, 5);
  tool::initialise(&model.users, 0.1, 1, tool::Purpose::init_users);
  tool::initialise(&model.items, 0.1, 1, tool::Purpose::init_items);
  const File file("model");
  tool::save_model(model, {{"note", "x \"y\" \n"}}, file.path());
  const auto loaded = tool::load_model(file.path());
  EXPECT_EQ(loaded.model.score, model.score);
  EXPECT_EQ(loaded.model.temperature, model.temperature);
  EXPECT_EQ(loaded.model.users.rows, 7);
  EXPECT_EQ(loaded.model.users.data, model.users.data);
  EXPECT_EQ(loaded.model.items.data, model.items.data);
  EXPECT_EQ(loaded.about.at("note"), "x \"y\" \n");
  // The tensors lie aligned, and the header tells where.
  const std::string bytes = tool::read_whole_file(file.path());
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + length + (7 + 11) * 5 * 4);
}

TEST(Model, DamagedFilesAreRefused) {
  tool::Model model;
  model.users = Table(3, 2);
  model.items = Table(4, 2);
  const File file("damaged");
  tool::save_model(model, {}, file.path());
  const std::string good = tool::read_whole_file(file.path());
  const auto refused = [&](const std::string& bytes) {
    std::ofstream(file.path(), std::ios::binary) << bytes;
    try {
      tool::load_model(file.path());
    } catch (const tool::UserError& error) {
      return std::string(error.what()).find(file.path()) != std::string::npos;
    }
    return false;
  };
  EXPECT_FALSE(refused(good));
  for (const size_t length : {size_t{0}, size_t{7}, size_t{8}, size_t{40}, good.size() - 1}) {
    EXPECT_TRUE(refused(good.substr(0, length))) << length;
  }
  EXPECT_TRUE(refused(good + "x"));
  EXPECT_TRUE(refused(std::string(8, '\xff') + good.substr(8)));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"F32", "F16"}, {"[3,2]", "[3,3]"}, {"[3,2]", "[6,1]"}, {"\"users\"", "\"other\""}, {"vastmax.mf.1", "vastmax.mf.9"},
           {"{", "["}, {"[0,24]", "[8,24]"}, {"\"score\":\"cosine\"", "\"score\":\"cosinx\""}, {"\"1\"", "\"0\""}}) {
    std::string bad = good;
    const size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    EXPECT_TRUE(refused(bad)) << from << " -> " << to;
  }
}

TEST(Files, AreWrittenWholeOrNotAtAll) {
  const File file("whole");
  tool::write_whole_file(file.path(), [](const tool::Sink& sink) { sink("first"); });
  EXPECT_THROW(tool::write_whole_file(file.path(),
                                      [](const tool::Sink& sink) {
                                        sink("half");
                                        throw tool::UserError("stop");
                                      }),
               tool::UserError);
  EXPECT_EQ(tool::read_whole_file(file.path()), "first");
  EXPECT_THROW(tool::check_writable("/no/such/folder/file", "--save"), tool::UserError);
  EXPECT_THROW(tool::read_whole_file("/no/such/file"), tool::UserError);
}

}  // namespace
