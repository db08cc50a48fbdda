// SPDX-License-Identifier: Apache-2.0
// This machine against the committed figures of its CPU; both as JSON.
#include "data.hpp"
#include "machine.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace bench {

extern const char* const reference_machines;  // reference_machines.json, put into the program by CMake

namespace {

constexpr double kEnough = 0.9;

bool describes(const nlohmann::json& entry, const Cpu& cpu) {
  const nlohmann::json& known = entry.at("cpu");
  return known.at("vendor") == cpu.vendor && known.at("family") == cpu.family &&
         cpu.model >= known.at("models").at(0).get<int>() && cpu.model <= known.at("models").at(1).get<int>();
}

}  // namespace

void judge(Machine& machine) {
  const nlohmann::json all = nlohmann::json::parse(reference_machines);
  machine.verdict = "no reference for this CPU";
  for (const nlohmann::json& entry : all.at("machines")) {
    if (!describes(entry, machine.cpu) || entry.at("threads") != machine.threads) continue;
    machine.reference = entry.at("name").get<std::string>();
    for (const auto& [name, known] : entry.at("figures").items()) {
      const double want = known.get<double>(), got = machine.figure(name.c_str());
      if (got >= kEnough * want) continue;
      char line[160];
      std::snprintf(line, sizeof line, "%s: %.4g, %.2f of the %.4g known of this CPU", name.c_str(), got, got / want, want);
      machine.shortfalls.push_back(line);
    }
    machine.valid = machine.shortfalls.empty();
    machine.verdict = machine.valid ? "valid: at least 0.9 of all figures known of " + machine.reference
                                    : "INVALID: below 0.9 of what is known of " + machine.reference;
    return;
  }
}

std::string machine_json(const Machine& machine) {
  nlohmann::ordered_json out;
  out["cpu"] = {{"vendor", machine.cpu.vendor}, {"model_name", machine.cpu.model_name}, {"family", machine.cpu.family},
                {"model", machine.cpu.model},   {"l1", machine.cpu.l1},                 {"l2", machine.cpu.l2},
                {"l3", machine.cpu.l3}};
  out["threads"] = machine.threads;
  out["load"] = machine.load;
  out["figures"] = machine.figures;
  out["loops"] = machine.loops;
  out["software"] = machine.software;
  out["reference"] = machine.reference.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(machine.reference);
  out["verdict"] = machine.verdict;
  out["valid"] = machine.valid;
  out["shortfalls"] = machine.shortfalls;
  // For whoever makes the same data in another language.
  std::vector<double> first;
  for (uint64_t i = 0; i < 8; ++i) first.push_back(static_cast<double>(normal(kScores, i)));
  out["data_check"] = {{"first_scores", first}, {"first_label_hash", hash(kLabels, 0)}};
  return out.dump(2) + "\n";
}

}  // namespace bench
