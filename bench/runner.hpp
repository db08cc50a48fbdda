// SPDX-License-Identifier: Apache-2.0
// Times the contenders of one case by Google Benchmark.
#pragma once

#include "case.hpp"
#include "rows.hpp"

#include <string>
#include <vector>

namespace bench {

// Call once before run_case.
void start_google_benchmark();

struct Outcome {
  std::vector<Row> rows;           // one for each of ours; none if it is not supported, wrong or was interrupted
  std::vector<std::string> notes;  // for people
  bool wrong = false;              // a result of ours failed its check
};

// Every contender runs and is checked once; then they take turns in random order, and each one's least time counts.
Outcome run_case(const Case& what, const Setting& setting);

}  // namespace bench
