// SPDX-License-Identifier: Apache-2.0
#include "data.hpp"

#include <algorithm>
#include <filesystem>

#include "error.hpp"
#include "sha256.hpp"

namespace tool {

Dataset load_dataset(const std::string& source, uint64_t split_seed) {
  const std::string debian = "debian:", synthetic = "synthetic:";
  Dataset data;
  if (source == "debian") {
    data = load_debian("", split_seed);
  } else if (source.starts_with(debian)) {
    data = load_debian(source.substr(debian.size()), split_seed);
  } else if (source.starts_with(synthetic)) {
    data = make_synthetic(source.substr(synthetic.size()), split_seed);
  } else if (std::filesystem::is_directory(source)) {
    data = load_folder(source);
  } else {
    throw UserError("--data: " + source +
                    " is neither a folder (with train.txt and test.txt), nor debian, debian:FILE or "
                    "synthetic:users,items,dim");
  }
  data.source = source;
  if (data.train.size() == 0) throw UserError("--data " + source + ": there is nothing to learn from");
  return data;
}

void hold_out(const Csr& all, double part, uint64_t seed, Purpose purpose, Csr* kept, Csr* held) {
  *kept = {};
  *held = {};
  std::vector<int32_t> order;
  for (int64_t row = 0; row < all.rows(); ++row) {
    const auto ids = all[row];
    Stream random(seed, purpose, static_cast<uint64_t>(row));
    const double share = part * static_cast<double>(ids.size());
    auto count = static_cast<size_t>(share);
    if (random.uniform() < share - static_cast<double>(count)) ++count;
    count = ids.empty() ? 0 : std::min(count, ids.size() - 1);
    order.assign(ids.begin(), ids.end());
    random.shuffle(order);
    std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
    std::sort(order.begin() + static_cast<std::ptrdiff_t>(count), order.end());
    held->add_row(std::span(order).first(count));
    kept->add_row(std::span(order).subspan(count));
  }
}

std::string hash_of(const Dataset& data) {
  Sha256 hash;
  hash.add("users " + std::to_string(data.users) + " items " + std::to_string(data.items) + "\n");
  for (const auto* names : {&data.user_names, &data.item_names}) {
    for (const auto& name : *names) hash.add(name + "\n");
  }
  for (const auto* part : {&data.train, &data.test}) {
    std::string line;
    for (int64_t user = 0; user < part->rows(); ++user) {
      if (part->count(user) == 0) continue;
      line = std::to_string(user);
      for (const int32_t item : (*part)[user]) line += ' ' + std::to_string(item);
      hash.add(line += '\n');
    }
    hash.add("\n");
  }
  return hash.finish();
}

}  // namespace tool
