// SPDX-License-Identifier: Apache-2.0
#include "model.hpp"

#include <charconv>
#include <algorithm>
#include <cmath>

#include "error.hpp"
#include "safetensors.hpp"

namespace tool {

namespace {

constexpr const char* kFormat = "vastmax.mf.1";
constexpr int64_t kBlock = 1024;

std::string shortest(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace

const char* name_of(Score score) { return score == Score::cosine ? "cosine" : "dot"; }

Score score_named(const std::string& name, const std::string& where) {
  for (const Score score : {Score::dot, Score::cosine}) {
    if (name == name_of(score)) return score;
  }
  throw UserError(where + ": score \"" + name + "\" is neither dot nor cosine");
}

const float* item_vectors(const Model& model, Pool& pool, Floats* storage) {
  if (model.score == Score::dot) return model.items.data.data();
  const int64_t rows = model.items.rows, dim = model.dim();
  storage->resize(model.items.data.size());
  pool.for_each((rows + kBlock - 1) / kBlock, [&](int64_t block) {
    for (int64_t row = block * kBlock; row < std::min(rows, (block + 1) * kBlock); ++row) {
      const float* const x = model.items.row(row);
      scale_to(storage->data() + row * dim, x, inverse_norm(x, dim), dim);
    }
  });
  return storage->data();
}

void initialise(Table* table, double scale, uint64_t seed, Purpose purpose) {
  const double width = 2 * std::sqrt(3.0) * scale;
  for (int64_t row = 0; row < table->rows; ++row) {
    Stream random(seed, purpose, static_cast<uint64_t>(row));
    for (int64_t i = 0; i < table->dim; ++i) table->row(row)[i] = static_cast<float>(width * (random.uniform() - 0.5));
  }
}

void save_model(const Model& model, const std::map<std::string, std::string>& about, const std::string& path) {
  std::map<std::string, std::string> texts = about;
  texts["format"] = kFormat;
  texts["score"] = name_of(model.score);
  texts["temperature"] = shortest(model.temperature);
  write_safetensors(path, {{"users", &model.users}, {"items", &model.items}}, texts);
}

LoadedModel load_model(const std::string& path) {
  Safetensors file = read_safetensors(path);
  const auto text = [&](const std::string& key) {
    const auto found = file.texts.find(key);
    if (found == file.texts.end()) throw UserError(path + ": no \"" + key + "\" in its metadata: not a model of vastmax train");
    return found->second;
  };
  if (text("format") != kFormat) {
    throw UserError(path + ": its format is \"" + text("format") + "\", but \"" + kFormat + "\" is wanted");
  }
  LoadedModel loaded;
  loaded.about = file.texts;
  loaded.model.score = score_named(text("score"), path);
  const std::string temperature = text("temperature");
  const auto [end, error] =
      std::from_chars(temperature.data(), temperature.data() + temperature.size(), loaded.model.temperature);
  if (error != std::errc() || end != temperature.data() + temperature.size() || !(loaded.model.temperature > 0)) {
    throw UserError(path + ": its temperature is \"" + temperature + "\"");
  }
  const auto take = [&](const std::string& name) {
    const auto found = file.tables.find(name);
    if (found == file.tables.end()) throw UserError(path + ": no tensor \"" + name + "\"");
    return std::move(found->second);
  };
  loaded.model.users = take("users");
  loaded.model.items = take("items");
  if (loaded.model.users.dim != loaded.model.items.dim || loaded.model.items.dim < 1) {
    throw UserError(path + ": users have " + std::to_string(loaded.model.users.dim) + " dimensions and items " +
                    std::to_string(loaded.model.items.dim));
  }
  return loaded;
}

}  // namespace tool
