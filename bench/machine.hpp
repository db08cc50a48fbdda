// SPDX-License-Identifier: Apache-2.0
// What this machine can do at best, measured, and whether that is what its CPU is known for.
#pragma once

#include "probes/loops.hpp"
#include "team.hpp"

#include <map>
#include <string>
#include <vector>

namespace bench {

struct Cpu {
  std::string vendor, model_name;
  int family = -1, model = -1;
  int64_t l1 = 32 << 10, l2 = 512 << 10, l3 = 16 << 20;  // bytes
};
Cpu read_cpu();

struct Machine {
  Cpu cpu;
  int threads = 1;
  double load = 0;  // before the run, of the last minute
  std::map<std::string, double> figures;  // GB/s, GFLOP/s, elements/ns, GHz, by name
  std::map<std::string, std::string> loops;     // the loop that was best
  std::map<std::string, std::string> software;  // versions
  std::string reference;  // name of the committed figures of this CPU; empty: none
  std::string verdict;  // one line: valid, invalid, or not known
  bool valid = true;
  std::vector<std::string> shortfalls;

  double figure(const char* name) const {
    const auto found = figures.find(name);
    return found == figures.end() ? 0 : found->second;
  }
};

// Takes a few seconds.
Machine measure_machine(const ProbeLoops& loops, Team& team, bool quick);
// Compares with reference_machines.json: every figure known must reach 0.9 of it.
void judge(Machine& machine);
std::string machine_json(const Machine& machine);

}  // namespace bench
