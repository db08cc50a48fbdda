// SPDX-License-Identifier: Apache-2.0
#include "machine.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

#if defined(__linux__)
#  include <unistd.h>
#endif

namespace bench {

Cpu read_cpu() {
  Cpu cpu;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (key == "vendor_id") cpu.vendor = value;
    if (key == "model name") cpu.model_name = value;
    if (key == "cpu family") cpu.family = std::atoi(value.c_str());
    if (key == "model") cpu.model = std::atoi(value.c_str());
  }
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  if (const long size = sysconf(_SC_LEVEL1_DCACHE_SIZE); size > 0) cpu.l1 = size;
  if (const long size = sysconf(_SC_LEVEL2_CACHE_SIZE); size > 0) cpu.l2 = size;
  if (const long size = sysconf(_SC_LEVEL3_CACHE_SIZE); size > 0) cpu.l3 = size;
#endif
  return cpu;
}

}  // namespace bench
