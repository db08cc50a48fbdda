// SPDX-License-Identifier: Apache-2.0
// One thing to measure: a kernel on a shape, beside its peers and its limits, over the same data.
#pragma once

#include "machine.hpp"
#include "probes/loops.hpp"
#include "team.hpp"

#include <vastmax/vastmax.h>

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

struct Setting {
  vmx_context* context;
  std::string isa;  // that the library uses
  int threads;
  bool quick;
  const Machine& machine;
  const ProbeLoops& loops;
  Team& team;
};

enum class Role { ours, peer, limit };

struct Contender {
  Role role;
  std::string name;  // of a peer or a limit; of ours: what is put after the shape, if anything
  std::function<void()> run;
  std::function<std::string()> check;  // after one run: "" or what is wrong. May be empty
  std::string part;                    // a limit may be a sum of parts; the quickest contender of each counts
};

struct Prepared {
  std::vector<Contender> contenders;  // they own the data by what their functions capture
  std::map<std::string, double> limits;  // seconds known without a measurement
  std::function<void()> reset;           // brings the input back before each check, where runs change it
  double elements = 0, bytes = 0;        // of work and of least traffic, for rates
};

struct Case {
  std::string kernel, shape, dtype;
  bool quick;     // also measured with --quick
  double weight;  // roughly how long, in seconds, for the estimate of what is left
  std::function<Prepared(const Setting&)> prepare;
};

// What this build or CPU lacks.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws if a call of the library failed.
inline void require(vmx_status status) {
  if (status == VMX_OK) return;
  char message[512];
  vmx_last_error(message, sizeof message);
  if (status == VMX_ERR_UNSUPPORTED) throw Unsupported(message);
  throw std::runtime_error(message);
}

}  // namespace bench
