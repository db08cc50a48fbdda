// SPDX-License-Identifier: Apache-2.0
// What sampled losses may be asked for: which negatives, how many, and how their scores are corrected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model.hpp"

namespace tool {

enum class SamplerKind { uniform, log_uniform, unigram, in_batch, midx, quadratic, exact };
enum class Correction { none, ranking, is, counts };

/// "3", "3epochs" or "200steps".
struct Period {
  int64_t count = 1;
  bool steps = false;
};
Period parse_period(const std::string& text, const std::string& option);  // UserError unless it is one
std::string text_of(const Period& period);

/// As the user gave it; what is not given is chosen by the loss.
struct SampledOptions {
  std::optional<std::string> sampler, correction, rebuild_every;
  std::optional<int64_t> negatives;
  std::optional<double> margin, negative_weight, power, log_z;
  std::optional<bool> joint;
  bool keep_hits = false, unique = false, per_row = false;
};

/// Everything decided.
struct SampledSettings {
  int32_t loss = 0;  // VMX_LOSS_*
  SamplerKind sampler = SamplerKind::uniform;
  Correction correction = Correction::none;
  int64_t negatives = 0;  // 0: as many as the batch gives
  bool joint = false, keep_hits = false, unique = false, per_row = false;
  double margin = 0, negative_weight = 0, power = 0, log_z = 0;
  Period rebuild_every;
};

const std::vector<std::string>& sampler_names();     // in the order of SamplerKind
const std::vector<std::string>& correction_names();  // of Correction

inline const char* name_of(SamplerKind kind) { return sampler_names()[static_cast<size_t>(kind)].c_str(); }
inline const char* name_of(Correction correction) { return correction_names()[static_cast<size_t>(correction)].c_str(); }

bool needs_queries(SamplerKind kind);    // draws by the user's vector: a list for each row
bool needs_rebuilding(SamplerKind kind);  // keeps a picture of the items that grows old

/// Whether it is one of the losses here; exact ones are not.
bool is_sampled(const std::string& loss);

/// Of this loss, exact ones too.
double default_temperature(const std::string& loss, Score score);

/// Settings of this loss from what was given. UserError, naming option and value, for what does not go together.
SampledSettings decide(const std::string& loss, const SampledOptions& given, Score score, int64_t items);
/// UserError if anything was given that an exact loss has no use for.
void refuse_sampled_options(const std::string& loss, const SampledOptions& given);

}  // namespace tool
