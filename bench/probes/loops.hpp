// SPDX-License-Identifier: Apache-2.0
// The plainest loops that a CPU can run: what bounds the kernels here. Each ISA's are compiled in a file of its own and
// chosen at run time.
#pragma once

#include <cstdint>

namespace bench {

// n counts floats and is a multiple of 64, but for max_scan. Memory is read as bits: any content costs the same.
struct ProbeLoops {
  const char* isa;

  // One pass over x; which: [0, reads). Prefetching and reading several streams at once help on some CPUs.
  float (*read)(const float* x, int64_t n, int which);
  const char* const* read_names;
  int reads;

  // to = from.
  void (*copy)(float* to, const float* from, int64_t n, int which);
  const char* const* copy_names;
  int copies;

  // x = x, through a register.
  void (*update)(float* x, int64_t n, int which);
  const char* const* update_names;
  int updates;

  // Rows ids[0 .. n) of base, each of `width` floats, a multiple of 16.
  float (*read_rows)(const float* base, const int32_t* ids, int64_t n, int64_t width, int which);
  const char* const* read_rows_names;
  int read_rows_count;

  // The largest value of x, any n.
  float (*max_scan)(const float* x, int64_t n, int which);
  const char* const* max_scan_names;
  int max_scans;

  // Sum of 2^x by a polynomial of degree 5, |x| < 100: the least arithmetic a sum of exponentials needs.
  float (*exp_sum)(const float* x, int64_t n, int which);
  int exp_sums;

  // Runs `turns` rounds of independent fused multiply-adds; flop of one round.
  float (*fma)(int64_t turns);
  int64_t fma_flop;
};

extern const ProbeLoops probe_loops_portable;
extern const ProbeLoops probe_loops_avx2;
extern const ProbeLoops probe_loops_avx512;

// The widest that this CPU and operating system run.
const ProbeLoops& probe_loops();

// Products of bf16 pairs added to f32, where the CPU has an instruction for it; NULL elsewhere.
struct Bf16Probe {
  float (*run)(int64_t turns);
  int64_t flop;
};
extern const Bf16Probe bf16_probe_avx512;
const Bf16Probe* bf16_probe();

// Takes the result of a loop, so that no compiler finds the loop useless.
extern volatile float kept_result;
inline void keep_result(float value) { kept_result = value; }

// Core clock in GHz from a chain of dependent additions; 0 where that is not known how.
double core_clock_ghz();

}  // namespace bench
