// SPDX-License-Identifier: Apache-2.0
// Which ISAs this build holds and this machine runs.
#pragma once

#include <cstdint>

namespace vmx {

// What CPUID and XGETBV tell; all 0 where there is neither.
struct CpuReport {
  uint32_t leaf1_ecx, leaf7_ebx;
  uint64_t xcr0;  // the register states that the operating system saves; 0 unless it said that it uses XSAVE
};
CpuReport read_cpu() noexcept;

// Whether a processor of that report runs what src/targets/<isa>.cpp may be compiled into: every feature that
// the flags of isa.def permit, and their registers saved. Not whether this build holds the ISA.
bool cpu_runs(const CpuReport& report, int32_t isa) noexcept;

// This machine and this build. The answer is found once and kept.
bool isa_usable(int32_t isa) noexcept;
int32_t best_isa() noexcept;

// The i-th ISA of this build, in rising order; 0 if there is none.
int32_t isa_count() noexcept;
int32_t isa_at(int32_t i) noexcept;

const char* isa_name(int32_t isa) noexcept;
// The VMX_ISA_* number of a name, 0 if there is none. Knows names that this build does not hold.
int32_t isa_by_name(const char* name) noexcept;

}  // namespace vmx
