// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "engine.hpp"
#include "machine.hpp"

namespace tool {
namespace {

std::string joined(const nlohmann::ordered_json& list) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "" : ", ") + entry.get<std::string>();
  return text.empty() ? "none" : text;
}

std::string size_text(int64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double size = static_cast<double>(bytes);
  int unit = 0;
  for (; size >= 1024 && unit < 4; ++unit) size /= 1024;
  char text[40];
  std::snprintf(text, sizeof text, "%.4g %s", size, units[unit]);
  return text;
}

void print(const nlohmann::ordered_json& machine) {
  const auto line = [](const char* key, const std::string& value) { std::printf("%-16s%s\n", key, value.c_str()); };
  line("vastmax", machine["vastmax"].get<std::string>() + ", " + machine["compiler"].get<std::string>());
  line("CPU", machine["cpu"]);
  line("CPUs", std::to_string(machine["cpus"].get<int>()));
  line("memory", size_text(machine["memory_bytes"]));
  for (const auto& cache : machine["caches"]) {
    line(("L" + std::to_string(cache["level"].get<int>()) + " cache").c_str(),
         size_text(cache["bytes"]) + " " + cache["type"].get<std::string>() + ", CPUs " +
             cache["shared_by_cpus"].get<std::string>());
  }
  line("ISAs compiled", joined(machine["isa"]["compiled"]));
  line("ISAs usable", joined(machine["isa"]["usable"]));
  line("ISA active", machine["isa"]["active"]);
  line("threads", std::to_string(machine["threads"].get<int>()));
  line("oneDNN", machine["onednn"].get<std::string>().empty() ? "not in this build" : machine["onednn"].get<std::string>());
}

}  // namespace

Command add_info_command(CLI::App& app) {
  struct Options {
    bool json = false;
    int threads = available_cpus();
  };
  const auto options = std::make_shared<Options>();
  app.add_flag("--json", options->json, "print JSON");
  app.option_defaults()->always_capture_default();
  app.add_option("--threads", options->threads, "threads to ask the library for")->check(CLI::Range(1, 1024));
  return [options] {
    const Engine engine(options->threads);
    const auto machine = machine_json(engine.context.get());
    if (options->json) {
      std::printf("%s\n", machine.dump(2).c_str());
    } else {
      print(machine);
    }
    return 0;
  };
}

}  // namespace tool
