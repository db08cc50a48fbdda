// SPDX-License-Identifier: Apache-2.0
// vastmax_bench: see options.cpp for what it takes and docs/benchmarks.md for what it measures.
#include "cases/cases.hpp"
#include "interrupt.hpp"
#include "machine.hpp"
#include "options.hpp"
#include "peers/blas.hpp"
#include "peers/onednn.hpp"
#include "runner.hpp"

#include <chrono>
#include <cstdio>
#include <exception>
#include <iterator>
#include <regex>

#if defined(__linux__)
#  include <sched.h>
#endif

namespace bench {
namespace {

// One thread stays on one core: moving between cores would empty its caches. The last one, since the first serves most
// interrupts.
void pin(int threads) {
#if defined(__linux__)
  cpu_set_t allowed;
  if (threads > 1 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int last = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) last = cpu;
  }
  if (last < 0) return;
  CPU_ZERO(&allowed);
  CPU_SET(last, &allowed);
  sched_setaffinity(0, sizeof allowed, &allowed);
#else
  (void)threads;
#endif
}

int32_t isa_number(const std::string& name) {
  if (name.empty()) return VMX_ISA_BEST;
  for (int32_t i = 0; i < vmx_isa_count(); ++i) {
    if (name == vmx_isa_name(vmx_isa_id(i))) return vmx_isa_id(i);
  }
  throw std::runtime_error("this build holds no ISA of the name " + name);
}

vmx_context* make_context(const Options& options) {
  vmx_context_options wanted = VMX_CONTEXT_OPTIONS_INIT;
  wanted.isa = isa_number(options.isa);
  wanted.threads = options.threads;
  vmx_context* context = nullptr;
  require(vmx_context_create(&wanted, &context));
  return context;
}

std::string name_of(const Case& one, const std::string& isa) {
  return one.kernel + "_" + one.dtype + "/" + isa + "/" + one.shape;
}

std::vector<Case> chosen_cases(const Options& options, const std::string& isa) {
  const std::regex filter(options.filter);
  std::vector<Case> chosen;
  for (Case& one : all_cases()) {
    if (options.quick && !one.quick) continue;
    if (!options.filter.empty() && !std::regex_search(name_of(one, isa), filter)) continue;
    chosen.push_back(std::move(one));
  }
  return chosen;
}

std::string duration(double seconds) {
  char text[32];
  if (seconds >= 0.1) {
    std::snprintf(text, sizeof text, "%.3g s", seconds);
  } else if (seconds >= 1e-4) {
    std::snprintf(text, sizeof text, "%.3g ms", seconds * 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.3g us", seconds * 1e6);
  }
  return text;
}

void tell(const Row& row) {
  std::fprintf(stderr, "    %-34s %9s", row.shape.c_str(), duration(row.ours).c_str());
  if (!row.limits.empty()) {
    std::fprintf(stderr, "  %3.0f %% of %s", 100 * row.limit_seconds() / row.ours, row.limit().c_str());
  }
  std::string best;
  double least = 0;
  for (const auto& [name, seconds] : row.peers) {
    if (best.empty() || seconds < least) best = name, least = seconds;
  }
  if (!best.empty()) std::fprintf(stderr, "  %.2f x %s", least / row.ours, best.c_str());
  std::fputc('\n', stderr);
}

void write_rows(const Options& options, const std::vector<Row>& rows) {
  if (!options.json.empty()) write_file(options.json, rows_json(rows));
}

int run(const Options& options) {
  vmx_context* const context = make_context(options);
  const std::string isa = vmx_isa_name(vmx_isa_active(context));
  const std::vector<Case> cases = chosen_cases(options, isa);
  if (options.list) {
    for (const Case& one : cases) std::puts(name_of(one, isa).c_str());
    vmx_context_destroy(context);
    return 0;
  }

  pin(options.threads);
  onednn::set_threads(options.threads);
  blas::set_threads(options.threads);
  Team team(options.threads);
  const ProbeLoops& loops = probe_loops();
  Machine machine = measure_machine(loops, team, options.quick);
  judge(machine);
  machine.software["vastmax"] = vmx_version_string();
  machine.software["oneDNN"] = onednn::version();
  machine.software["BLAS"] = blas::name();
  std::fprintf(stderr, "machine: %s\n", machine.verdict.c_str());
  for (const std::string& line : machine.shortfalls) std::fprintf(stderr, "  %s\n", line.c_str());
  if (!options.machine.empty()) write_file(options.machine, machine_json(machine));

  std::vector<Row> rows;
  bool wrong = false;
  if (!options.machine_only) {
    write_rows(options, rows);
    start_google_benchmark();
    const Setting setting{context, isa, options.threads, options.quick, machine, loops, team};
    double to_do = 0, done = 0;
    for (const Case& one : cases) to_do += one.weight;
    const auto begin = std::chrono::steady_clock::now();
    for (size_t i = 0; i < cases.size() && !interrupted(); ++i) {
      const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      std::fprintf(stderr, "[%zu/%zu] %s", i + 1, cases.size(), name_of(cases[i], isa).c_str());
      if (done > 0) std::fprintf(stderr, "  (%.0f s left)", passed / done * (to_do - done));
      std::fputc('\n', stderr);
      Outcome outcome = run_case(cases[i], setting);
      for (const std::string& note : outcome.notes) std::fprintf(stderr, "    note: %s\n", note.c_str());
      for (const Row& row : outcome.rows) tell(row);
      wrong |= outcome.wrong;
      std::move(outcome.rows.begin(), outcome.rows.end(), std::back_inserter(rows));
      write_rows(options, rows);
      done += cases[i].weight;
    }
    if (interrupted()) std::fprintf(stderr, "interrupted: %zu rows are kept\n", rows.size());
    if (options.json.empty()) std::fputs(rows_json(rows).c_str(), stdout);
  }
  vmx_context_destroy(context);
  return wrong ? 1 : 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    const bench::Options options = bench::parse_options(argc, argv);
    bench::catch_interrupts();
    return bench::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vastmax_bench: %s\n", error.what());
    return 2;
  }
}
