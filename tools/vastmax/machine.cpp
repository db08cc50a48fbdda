// SPDX-License-Identifier: Apache-2.0
#include "machine.hpp"

#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

namespace tool {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// Of the first CPU: {"level": 1, "type": "data", "bytes": 32768, "shared_by": "0"} and so on.
nlohmann::ordered_json caches() {
  auto list = nlohmann::ordered_json::array();
  for (int i = 0;; ++i) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    const std::string level = first_line(folder + "level"), size = first_line(folder + "size");
    if (level.empty()) break;
    std::string type = first_line(folder + "type");
    std::transform(type.begin(), type.end(), type.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    char* unit = nullptr;
    int64_t bytes = std::strtoll(size.c_str(), &unit, 10);
    if (*unit == 'K') bytes <<= 10;
    if (*unit == 'M') bytes <<= 20;
    list.push_back({{"level", std::atoi(level.c_str())},
                    {"type", type},
                    {"bytes", bytes},
                    {"shared_by_cpus", first_line(folder + "shared_cpu_list")}});
  }
  return list;
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

int available_cpus() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

nlohmann::ordered_json machine_json(const vmx_context* context) {
  nlohmann::ordered_json out;
  out["cpu"] = cpu_name();
  out["cpus"] = available_cpus();
  out["memory_bytes"] = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  out["caches"] = caches();
  auto compiled = nlohmann::ordered_json::array(), usable = nlohmann::ordered_json::array();
  for (int32_t i = 0; i < vmx_isa_count(); ++i) {
    const int32_t isa = vmx_isa_id(i);
    compiled.push_back(vmx_isa_name(isa));
    if (vmx_isa_usable(isa) == 1) usable.push_back(vmx_isa_name(isa));
  }
  out["isa"] = {{"compiled", compiled}, {"usable", usable}, {"active", vmx_isa_name(vmx_isa_active(context))}};
  out["threads"] = vmx_context_threads(context);
  out["vastmax"] = vmx_version_string();
  out["onednn"] = vmx_onednn_version();
  out["compiler"] = compiler();
  return out;
}

}  // namespace tool
