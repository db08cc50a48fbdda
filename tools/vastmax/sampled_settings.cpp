// SPDX-License-Identifier: Apache-2.0
#include "sampled_settings.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "error.hpp"

namespace tool {
namespace {

struct KnownLoss {
  const char* name;
  int32_t loss;
  SamplerKind sampler;
  Correction correction;
  int64_t negatives;
  bool per_row;
  double temperature;  // of cosines
};
// Defaults, found on Gowalla and the package graph: docs/train.md.
constexpr KnownLoss kLosses[] = {
    {"sampled_softmax", VMX_LOSS_SAMPLED_SOFTMAX, SamplerKind::unigram, Correction::is, 2048, false, 0.1},
    {"infonce", VMX_LOSS_SAMPLED_SOFTMAX, SamplerKind::in_batch, Correction::ranking, 0, false, 0.1},
    {"nce", VMX_LOSS_NCE, SamplerKind::uniform, Correction::none, 1024, false, 0.1},
    {"neg", VMX_LOSS_NEG, SamplerKind::uniform, Correction::none, 16, true, 0.2},
    {"bpr", VMX_LOSS_BPR, SamplerKind::uniform, Correction::none, 1024, false, 0.2},
    {"ccl", VMX_LOSS_CCL, SamplerKind::uniform, Correction::none, 1024, false, 0.1},
};

const KnownLoss* known(const std::string& name) {
  const auto* const found = std::find_if(std::begin(kLosses), std::end(kLosses), [&](const KnownLoss& l) { return name == l.name; });
  return found == std::end(kLosses) ? nullptr : found;
}

template <class Enum>
Enum named(const std::string& value, const std::vector<std::string>& names, const char* option) {
  const auto found = std::find(names.begin(), names.end(), value);
  if (found != names.end()) return static_cast<Enum>(found - names.begin());
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  throw UserError(std::string(option) + ": " + value + " is unknown; there is " + list);
}

[[noreturn]] void refuse(const std::string& option, const std::string& why) { throw UserError(option + ": " + why); }

}  // namespace

const std::vector<std::string>& sampler_names() {
  static const std::vector<std::string> names{"uniform", "log_uniform", "unigram", "in_batch", "midx", "quadratic", "exact"};
  return names;
}

const std::vector<std::string>& correction_names() {
  static const std::vector<std::string> names{"none", "ranking", "is", "counts"};
  return names;
}

bool needs_queries(SamplerKind kind) {
  return kind == SamplerKind::midx || kind == SamplerKind::quadratic || kind == SamplerKind::exact;
}

bool needs_rebuilding(SamplerKind kind) { return kind == SamplerKind::midx || kind == SamplerKind::quadratic; }

bool is_sampled(const std::string& loss) { return known(loss) != nullptr; }

double default_temperature(const std::string& loss, Score score) {
  if (score == Score::dot) return 1;
  const KnownLoss* const found = known(loss);
  return found ? found->temperature : 0.1;
}

Period parse_period(const std::string& text, const std::string& option) {
  Period period;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), period.count);
  const std::string unit(end, text.data() + text.size());
  period.steps = unit == "steps" || unit == "step";
  const bool known_unit = unit.empty() || unit == "epochs" || unit == "epoch" || period.steps;
  if (error != std::errc() || period.count < 1 || !known_unit) {
    refuse(option, text + " is neither a number of epochs (as 2 or 2epochs) nor of steps (as 200steps)");
  }
  return period;
}

std::string text_of(const Period& period) { return std::to_string(period.count) + (period.steps ? "steps" : "epochs"); }

SampledSettings decide(const std::string& loss, const SampledOptions& given, Score score, int64_t items) {
  const KnownLoss& choice = *known(loss);
  SampledSettings s;
  s.loss = choice.loss;
  s.sampler = given.sampler ? named<SamplerKind>(*given.sampler, sampler_names(), "--sampler") : choice.sampler;
  const bool softmax = s.loss == VMX_LOSS_SAMPLED_SOFTMAX, in_batch = s.sampler == SamplerKind::in_batch;
  if (loss == "infonce" && !in_batch) refuse("--sampler", *given.sampler + ", but --loss infonce takes in_batch alone");
  if (s.loss == VMX_LOSS_CCL && score != Score::cosine) {
    refuse("--loss", "ccl compares by cosine, but --score is " + std::string(tool::name_of(score)));
  }

  if (given.correction) {
    if (!softmax) refuse("--correction", *given.correction + ", but --loss " + loss + " has none to choose");
    s.correction = named<Correction>(*given.correction, correction_names(), "--correction");
  } else {
    s.correction = softmax && given.unique ? Correction::counts : choice.correction;
  }

  if (in_batch) {
    if (given.negatives) {
      refuse("--negatives", std::to_string(*given.negatives) + ", but the negatives of --sampler in_batch are the batch's own items");
    }
    if (given.unique) refuse("--unique", "--sampler in_batch draws nothing: each item of the batch stands once");
    if (given.per_row) refuse("--per-row", "--sampler in_batch has one list for all rows");
  } else {
    s.negatives = given.negatives.value_or(choice.negatives > 0 ? choice.negatives : 1024);
    if (!given.negatives && given.unique) s.negatives = std::min(s.negatives, items);
    if (given.unique && s.negatives > items) {
      refuse("--negatives", std::to_string(s.negatives) + ", but there are " + std::to_string(items) + " items to draw --unique ones from");
    }
  }
  s.unique = given.unique;
  s.per_row = given.per_row || needs_queries(s.sampler) || (choice.per_row && !in_batch);
  if (s.unique && s.sampler == SamplerKind::exact && (s.correction == Correction::counts || s.loss == VMX_LOSS_NCE)) {
    refuse("--unique", "--sampler exact tells no expected counts without replacement");
  }

  if (given.joint && !softmax) refuse(*given.joint ? "--joint" : "--separate", "--loss " + loss + " has no denominator");
  s.joint = given.joint.value_or(softmax);
  s.keep_hits = given.keep_hits;
  if (given.margin && s.loss != VMX_LOSS_CCL) refuse("--margin", "--loss " + loss + " has none; it belongs to ccl");
  if (given.negative_weight && s.loss != VMX_LOSS_CCL) {
    refuse("--negative-weight", "--loss " + loss + " has none; it belongs to ccl");
  }
  s.margin = given.margin.value_or(0.4);
  s.negative_weight = given.negative_weight.value_or(std::max(1.0, 0.01 * static_cast<double>(items)));
  if (given.power && s.sampler != SamplerKind::unigram) {
    refuse("--power", std::string("--sampler ") + name_of(s.sampler) + " has none; it belongs to unigram");
  }
  s.power = given.power.value_or(0.75);
  if (given.log_z && s.loss != VMX_LOSS_NCE) refuse("--log-z", "--loss " + loss + " has none; it belongs to nce");
  s.log_z = given.log_z.value_or(std::log(static_cast<double>(items)));
  if (given.rebuild_every) {
    if (!needs_rebuilding(s.sampler)) {
      refuse("--rebuild-every", std::string("--sampler ") + name_of(s.sampler) + " is never out of date");
    }
    s.rebuild_every = parse_period(*given.rebuild_every, "--rebuild-every");
  }
  return s;
}

void refuse_sampled_options(const std::string& loss, const SampledOptions& given) {
  const char* const found = given.sampler           ? "--sampler"
                            : given.negatives       ? "--negatives"
                            : given.correction      ? "--correction"
                            : given.rebuild_every   ? "--rebuild-every"
                            : given.margin          ? "--margin"
                            : given.negative_weight ? "--negative-weight"
                            : given.power           ? "--power"
                            : given.log_z           ? "--log-z"
                            : given.joint           ? (*given.joint ? "--joint" : "--separate")
                            : given.keep_hits       ? "--keep-hits"
                            : given.unique          ? "--unique"
                            : given.per_row         ? "--per-row"
                                                    : nullptr;
  if (found) refuse(found, "--loss " + loss + " draws no negatives");
}

}  // namespace tool
