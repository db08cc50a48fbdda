// SPDX-License-Identifier: Apache-2.0
#include "probes/loops.hpp"

#include <chrono>

namespace bench {

volatile float kept_result;

const ProbeLoops& probe_loops() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return probe_loops_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return probe_loops_avx2;
#endif
  return probe_loops_portable;
}

const Bf16Probe* bf16_probe() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16")) return &bf16_probe_avx512;
#endif
  return nullptr;
}

double core_clock_ghz() {
#if defined(__x86_64__)
  constexpr int64_t kTurns = 400000;
  double best = 1e9;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto begin = std::chrono::steady_clock::now();
    int64_t turns = kTurns, x = 1;
    // Ten additions that wait for each other: ten cycles.
    __asm__ volatile(
        "1:\n\t"
        "add %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\t"
        "add %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\t"
        "dec %1\n\tjnz 1b"
        : "+r"(x), "+r"(turns)
        :
        : "cc");
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best = seconds < best ? seconds : best;
  }
  return 10 * static_cast<double>(kTurns) / best * 1e-9;
#else
  return 0;
#endif
}

}  // namespace bench
