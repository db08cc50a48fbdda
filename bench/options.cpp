// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {
namespace {

constexpr char kHelp[] =
    "vastmax_bench: times vastmax beside plain peers and the limits of this machine.\n"
    "  --quick          fewer shapes and repetitions\n"
    "  --filter REGEX   only cases whose name it is found in (see --list)\n"
    "  --list           print the names of the cases and stop\n"
    "  --json FILE      rows as a JSON list (default: standard output)\n"
    "  --machine FILE   figures of this machine as JSON\n"
    "  --machine-only   measure the machine and stop\n"
    "  --threads N      threads of the library and of its peers (default 1)\n"
    "  --isa NAME       scalar, avx2 or avx512 instead of the best\n"
    "Progress goes to standard error. Ctrl-C ends after the running measurement and leaves the rows made so far.\n";

[[noreturn]] void mistake(const char* text, const char* value) {
  std::fprintf(stderr, "vastmax_bench: %s%s (see --help)\n", text, value);
  std::exit(2);
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const char* const name = argv[i];
    const auto value = [&]() -> const char* {
      if (i + 1 >= argc) mistake("a value is missing after ", name);
      return argv[++i];
    };
    if (!std::strcmp(name, "--quick")) {
      options.quick = true;
    } else if (!std::strcmp(name, "--list")) {
      options.list = true;
    } else if (!std::strcmp(name, "--machine-only")) {
      options.machine_only = true;
    } else if (!std::strcmp(name, "--filter")) {
      options.filter = value();
    } else if (!std::strcmp(name, "--json")) {
      options.json = value();
    } else if (!std::strcmp(name, "--machine")) {
      options.machine = value();
    } else if (!std::strcmp(name, "--isa")) {
      options.isa = value();
    } else if (!std::strcmp(name, "--threads")) {
      const char* const text = value();
      char* end = nullptr;
      const long threads = std::strtol(text, &end, 10);
      if (*end || end == text || threads < 1 || threads > 1024) mistake("--threads is not in 1 ... 1024: ", text);
      options.threads = static_cast<int>(threads);
    } else if (!std::strcmp(name, "--help") || !std::strcmp(name, "-h")) {
      std::fputs(kHelp, stdout);
      std::exit(0);
    } else {
      mistake("unknown option ", name);
    }
  }
  return options;
}

}  // namespace bench
