// SPDX-License-Identifier: Apache-2.0
#include "runner.hpp"

#include "interrupt.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>

namespace bench {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double seconds_of(const std::function<void()>& f) {
  const double begin = now();
  f();
  return now() - begin;
}

// Least of a few runs, for the plan of repetitions.
double estimate(const std::function<void()>& f, double first) {
  double best = first;
  for (int i = 0; i < 3 && best < 0.05 && !interrupted(); ++i) best = std::min(best, seconds_of(f));
  return std::max(best, 1e-8);
}

struct Plan {
  int64_t iterations;
  int repetitions;
};

Plan plan(double seconds, bool quick) {
  const double budget = quick ? 0.1 : 0.6, turn = quick ? 0.008 : 0.02;
  const int least = quick ? 2 : 4, most = quick ? 12 : 30;
  Plan out;
  out.iterations = std::max<int64_t>(1, static_cast<int64_t>(turn / seconds));
  out.repetitions = std::clamp(static_cast<int>(budget / (static_cast<double>(out.iterations) * seconds)), least, most);
  if (seconds > (quick ? 0.3 : 3.0)) out.repetitions = quick ? 1 : 2;
  return out;
}

// Keeps the least seconds of one iteration for each benchmark; their names are indices.
class Least : public benchmark::BenchmarkReporter {
 public:
  explicit Least(size_t count) : seconds(count, std::numeric_limits<double>::infinity()) {}

  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.iterations == 0) continue;
      const size_t index = static_cast<size_t>(std::stoul(run.run_name.function_name));
      seconds[index] = std::min(seconds[index], run.real_accumulated_time / static_cast<double>(run.iterations));
    }
  }

  std::vector<double> seconds;
};

// Runs and checks once. False: leave it out.
bool admit(Contender& contender, const Prepared& prepared, Outcome& outcome, double* seconds) {
  const std::string who = contender.role == Role::ours ? "vastmax" : contender.name;
  try {
    if (prepared.reset) prepared.reset();
    *seconds = seconds_of(contender.run);
    const std::string wrong = contender.check ? contender.check() : "";
    if (wrong.empty()) return true;
    outcome.notes.push_back("WRONG: " + who + ": " + wrong);
    if (contender.role == Role::ours) outcome.wrong = true;
  } catch (const Unsupported& missing) {
    outcome.notes.push_back(who + ": not supported here: " + missing.what());
  } catch (const std::exception& error) {
    outcome.notes.push_back("FAILED: " + who + ": " + error.what());
    if (contender.role == Role::ours) outcome.wrong = true;
  }
  return false;
}

// Loops that measure the same limit, where another one is clearly quicker.
std::vector<bool> hopeless(const std::vector<Contender>& contenders, const std::vector<double>& seconds) {
  std::vector<bool> out(contenders.size(), false);
  for (size_t i = 0; i < contenders.size(); ++i) {
    for (size_t j = 0; j < contenders.size() && contenders[i].role == Role::limit; ++j) {
      const bool same = contenders[j].role == Role::limit && contenders[j].name == contenders[i].name &&
                        contenders[j].part == contenders[i].part;
      if (same && seconds[i] > 1.3 * seconds[j]) out[i] = true;
    }
  }
  return out;
}

std::map<std::string, double> limits_of(const Prepared& prepared, const std::vector<double>& seconds) {
  std::map<std::pair<std::string, std::string>, double> parts;
  for (size_t i = 0; i < prepared.contenders.size(); ++i) {
    const Contender& contender = prepared.contenders[i];
    if (contender.role != Role::limit) continue;
    const auto [place, fresh] = parts.try_emplace({contender.name, contender.part}, seconds[i]);
    if (!fresh) place->second = std::min(place->second, seconds[i]);
  }
  std::map<std::string, double> limits = prepared.limits;
  for (const auto& [key, least] : parts) limits[key.first] += least;
  return limits;
}

}  // namespace

void start_google_benchmark() {
  char program[] = "vastmax_bench", interleave[] = "--benchmark_enable_random_interleaving=true";
  char* arguments[] = {program, interleave, nullptr};
  int count = 2;
  benchmark::Initialize(&count, arguments);
}

Outcome run_case(const Case& what, const Setting& setting) {
  Outcome outcome;
  Prepared prepared;
  try {
    prepared = what.prepare(setting);
  } catch (const Unsupported& missing) {
    outcome.notes.push_back(std::string("not supported here: ") + missing.what());
    return outcome;
  }

  std::vector<double> first;
  std::vector<Contender> kept;
  bool any_of_ours = false;
  // Ours come first in every case, so nothing else is tried where they are not to be had.
  for (Contender& contender : prepared.contenders) {
    double seconds = 0;
    if (interrupted()) return outcome;
    if (contender.role != Role::ours && !any_of_ours) return outcome;
    if (!admit(contender, prepared, outcome, &seconds)) continue;
    any_of_ours |= contender.role == Role::ours;
    kept.push_back(std::move(contender));
    first.push_back(estimate(kept.back().run, seconds));
  }
  prepared.contenders = std::move(kept);
  const std::vector<Contender>& contenders = prepared.contenders;

  const std::vector<bool> skip = hopeless(contenders, first);
  benchmark::ClearRegisteredBenchmarks();
  for (size_t i = 0; i < contenders.size(); ++i) {
    if (skip[i]) continue;
    const Plan turns = plan(first[i], setting.quick);
    const std::function<void()>& run = contenders[i].run;
    benchmark::RegisterBenchmark(std::to_string(i).c_str(),
                                 [&run](benchmark::State& state) {
                                   if (interrupted()) state.SkipWithError("interrupted");
                                   for (auto _ : state) run();
                                 })
        ->Iterations(turns.iterations)
        ->Repetitions(turns.repetitions)
        ->UseRealTime();
  }
  Least reporter(contenders.size());
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  benchmark::ClearRegisteredBenchmarks();
  if (interrupted()) return outcome;

  Row row;
  row.kernel = what.kernel;
  row.dtype = what.dtype;
  row.isa = setting.isa;
  row.threads = setting.threads;
  row.elements = prepared.elements;
  row.bytes = prepared.bytes;
  row.limits = limits_of(prepared, reporter.seconds);
  for (size_t i = 0; i < contenders.size(); ++i) {
    if (contenders[i].role == Role::peer) row.peers[contenders[i].name] = reporter.seconds[i];
  }
  for (size_t i = 0; i < contenders.size(); ++i) {
    if (contenders[i].role != Role::ours) continue;
    row.shape = what.shape + (contenders[i].name.empty() ? "" : "/" + contenders[i].name);
    row.ours = reporter.seconds[i];
    outcome.rows.push_back(row);
  }
  return outcome;
}

}  // namespace bench
