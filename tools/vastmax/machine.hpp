// SPDX-License-Identifier: Apache-2.0
// What runs here: the CPU, the library's ISAs, oneDNN.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "vastmax/vastmax.h"

namespace tool {

/// CPUs that this process may run on.
int available_cpus();

nlohmann::ordered_json machine_json(const vmx_context* context);

}  // namespace tool
