// SPDX-License-Identifier: Apache-2.0
// Matrix factorisation: a vector for each user and item, and how two of them make a score.
#pragma once

#include <map>
#include <string>

#include "pool.hpp"
#include "rng.hpp"
#include "table.hpp"
#include "vectors.hpp"

namespace tool {

enum class Score { dot, cosine };
const char* name_of(Score score);
Score score_named(const std::string& name, const std::string& where);  // UserError, naming where, if unknown

struct Model {
  Score score = Score::cosine;
  double temperature = 1;
  Table users, items;

  int64_t dim() const { return items.dim; }

  /// score(user, item) = query . item_vector, temperature included. Returns the factor from users.row(user) to out.
  float query(int64_t user, float* out) const {
    const float* const x = users.row(user);
    const auto inverse_temperature = static_cast<float>(1 / temperature);
    const float norm_part = score == Score::cosine ? inverse_norm(x, dim()) : 1.0f;
    scale_to(out, x, norm_part * inverse_temperature, dim());
    return norm_part;
  }
};

/// What queries meet: the items themselves, or for cosine scores the items at length 1, kept in *storage.
const float* item_vectors(const Model& model, Pool& pool, Floats* storage);

/// Uniform in [-scale, scale] times sqrt(3): standard deviation scale.
void initialise(Table* table, double scale, uint64_t seed, Purpose purpose);

/// Writes the tables as safetensors with what is needed to use them again; the same model gives the same bytes.
void save_model(const Model& model, const std::map<std::string, std::string>& about, const std::string& path);

struct LoadedModel {
  Model model;
  std::map<std::string, std::string> about;
};
LoadedModel load_model(const std::string& path);

}  // namespace tool
