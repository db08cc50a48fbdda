// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace bench {

struct Options {
  bool quick = false;
  bool list = false;
  bool machine_only = false;
  std::string filter;   // regular expression, looked for in the cases' names
  std::string json;     // file of rows; empty: standard output
  std::string machine;  // file of this machine's figures; empty: none
  std::string isa;      // highest to use; empty: the best
  int threads = 1;
};

// Ends the process on --help and on mistakes.
Options parse_options(int argc, char** argv);

}  // namespace bench
