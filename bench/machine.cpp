// SPDX-License-Identifier: Apache-2.0
#include "machine.hpp"

#include "buffer.hpp"
#include "data.hpp"
#include "interrupt.hpp"

#include <vastmax/vastmax.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace bench {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Least seconds of one call of f, over a time of `budget` seconds; calls in batches of at least 200 us.
double least(double budget, const std::function<void()>& f) {
  double begin = now();
  f();
  double best = now() - begin;
  const int batch = static_cast<int>(std::clamp(200e-6 / std::max(best, 1e-9), 1.0, 1e6));
  const double end = begin + budget;
  int rounds = 0;
  do {
    begin = now();
    for (int i = 0; i < batch; ++i) f();
    best = std::min(best, (now() - begin) / batch);
  } while ((++rounds < 3 || now() < end) && !interrupted());
  return best;
}

class Probes {
 public:
  Probes(const ProbeLoops& loops, Team& team, Machine& machine, double budget)
      : loops_(loops), team_(team), machine_(machine), budget_(budget) {}

  void read(const std::string& name, const Buffer& x, int64_t bytes) {
    best(name, static_cast<double>(bytes), loops_.reads, loops_.read_names, [&](int which) {
      team_.split(bytes / 4, 64, [&](int64_t begin, int64_t end) { keep_result(loops_.read(x.as<float>() + begin, end - begin, which)); });
    });
  }
  void copy(const std::string& name, const Buffer& to, const Buffer& from, int64_t bytes, int first, int last) {
    best(name, 2 * static_cast<double>(bytes), last - first, loops_.copy_names + first, [&](int which) {
      team_.split(bytes / 4, 64, [&](int64_t begin, int64_t end) {
        loops_.copy(to.as<float>() + begin, from.as<float>() + begin, end - begin, first + which);
      });
    });
  }
  void update(const std::string& name, const Buffer& x, int64_t bytes) {
    best(name, 2 * static_cast<double>(bytes), loops_.updates, loops_.update_names, [&](int which) {
      team_.split(bytes / 4, 64, [&](int64_t begin, int64_t end) { loops_.update(x.as<float>() + begin, end - begin, which); });
    });
  }
  void exp_sum(const std::string& name, const Buffer& x, int64_t bytes) {
    static const char* const names[] = {"integer exponent", "scale instruction"};
    best(name, static_cast<double>(bytes) / 4 * team_.size(), loops_.exp_sums, names, [&](int which) {
      each_thread([&] { keep_result(loops_.exp_sum(x.as<float>(), bytes / 4, which)); });
    });
  }
  void flop(const std::string& name, float (*run)(int64_t), int64_t flop_of_turn) {
    constexpr int64_t kTurns = 20000;
    static const char* const names[] = {"independent chains"};
    best(name, static_cast<double>(flop_of_turn * kTurns) * team_.size(), 1, names,
         [&](int) { each_thread([&] { keep_result(run(kTurns)); }); });
  }

 private:
  void each_thread(const std::function<void()>& f) {
    team_.split(team_.size(), 1, [&](int64_t, int64_t) { f(); });
  }
  // Units (bytes, flop, elements) in 1e9 a second.
  void best(const std::string& name, double units, int count, const char* const* names, const std::function<void(int)>& f) {
    std::fprintf(stderr, "  %-28s", name.c_str());
    for (int which = 0; which < count && !interrupted(); ++which) {
      const double rate = units / least(budget_, [&] { f(which); }) * 1e-9;
      if (rate > machine_.figures[name]) {
        machine_.figures[name] = rate;
        machine_.loops[name] = names[which];
      }
    }
    std::fprintf(stderr, "%9.1f  (%s)\n", machine_.figures[name], machine_.loops[name].c_str());
  }

  const ProbeLoops& loops_;
  Team& team_;
  Machine& machine_;
  double budget_;
};

}  // namespace

Machine measure_machine(const ProbeLoops& loops, Team& team, bool quick) {
  Machine machine;
  machine.cpu = read_cpu();
  machine.threads = team.size();
  double load[1] = {0};
  if (getloadavg(load, 1) == 1) machine.load = load[0];
  std::fprintf(stderr, "machine: %s, family %d model %d, %d thread(s), load %.2f, probes: %s\n",
               machine.cpu.model_name.c_str(), machine.cpu.family, machine.cpu.model, machine.threads, machine.load,
               loops.isa);

  // Sizes are for each thread, since L1 and L2 are; L3 and memory are shared.
  const Cpu& cpu = machine.cpu;
  const int64_t threads = team.size();
  const int64_t l1 = std::min<int64_t>(32 << 10, cpu.l1 * 3 / 4 / 4096 * 4096) * threads;
  const int64_t l2 = std::min<int64_t>(256 << 10, cpu.l2 / 2) * threads;
  const int64_t l3 = std::min<int64_t>(8 << 20, cpu.l3 / 2);
  constexpr int64_t kMemory = int64_t{512} << 20;

  Buffer x(kMemory);
  fill_normal(x.data(), l3 / 4, VMX_F32, kScores);
  Probes probes(loops, team, machine, quick ? 0.03 : 0.15);
  machine.figures["core_clock_ghz"] = core_clock_ghz();
  std::fprintf(stderr, "  %-28s%9.2f\n", "core_clock_ghz", machine.figures["core_clock_ghz"]);
  probes.flop("fma_f32_peak_GFLOPs", loops.fma, loops.fma_flop);
  if (const Bf16Probe* bf16 = bf16_probe()) probes.flop("dpbf16_peak_GFLOPs", bf16->run, bf16->flop);
  probes.exp_sum("sumexp_deg5_L1_elem_per_ns", x, l1 / threads);
  probes.read("read_L1_GBps", x, l1);
  probes.read("read_L2_GBps", x, l2);
  probes.read("read_L3_GBps", x, l3);
  probes.read("read_DRAM_512MiB_huge_GBps", x, kMemory);
  probes.update("update_DRAM_512MiB_GBps_rw", x, kMemory);
  {
    const Buffer y(kMemory);
    probes.copy("copy_L2_GBps_rw", y, x, l2 / 2, 0, 2);
    probes.copy("copy_L3_GBps_rw", y, x, l3 / 2, 0, 2);
    probes.copy("copy_DRAM_512MiB_GBps_rw", y, x, kMemory, 0, 2);
    probes.copy("copy_nt_DRAM_512MiB_GBps_rw", y, x, kMemory, 2, 5);
  }
  machine.figures["core_clock_ghz_end"] = core_clock_ghz();
  return machine;
}

}  // namespace bench
