// SPDX-License-Identifier: Apache-2.0
#include "core/cpu.hpp"

#include "targets/dispatch.hpp"

#include <vastmax/vastmax.h>

#include <atomic>
#include <cstring>

#if defined(__x86_64__) || defined(__i386__)
#  include <cpuid.h>
#  define VMX_X86 1
#else
#  define VMX_X86 0
#endif

namespace vmx {
namespace {

constexpr uint32_t bit(int position) { return uint32_t{1} << position; }

// The compiler takes each flag to permit what came before it, so SSE3 to SSE4.2 and POPCNT belong to AVX.
constexpr uint32_t kSseLeaf1Ecx = bit(0) | bit(9) | bit(19) | bit(20) | bit(23);  // SSE3 ... SSE4.2, POPCNT
constexpr uint32_t kAvx2Leaf1Ecx = kSseLeaf1Ecx | bit(12) | bit(28) | bit(29);    // FMA, AVX, F16C
constexpr uint32_t kAvx2Leaf7Ebx = bit(5);                                        // AVX2
constexpr uint64_t kAvx2Xcr0 = 0x6;                                               // xmm, ymm
constexpr uint32_t kAvx512Leaf7Ebx = bit(16) | bit(17) | bit(30) | bit(31);       // F, DQ, BW, VL
constexpr uint64_t kAvx512Xcr0 = 0xe0;  // opmask, upper halves, zmm16-31

constexpr bool has(uint64_t value, uint64_t wanted) { return (value & wanted) == wanted; }

constexpr const char* kNames[] = {nullptr, "scalar", "avx2", "avx512"};
constexpr int32_t kNameCount = sizeof kNames / sizeof kNames[0];

constexpr int32_t kBuilt[] = {
#define VMX_ISA(name, flags) isa_number::name,
#include "targets/isa.def"
#undef VMX_ISA
};
constexpr int32_t kBuiltCount = sizeof kBuilt / sizeof kBuilt[0];

// One bit for each usable ISA, and bit 0 once it is known. Two threads may both look; they find the same.
uint32_t usable_isas() noexcept {
  static std::atomic<uint32_t> known{0};
  uint32_t usable = known.load(std::memory_order_relaxed);
  if (usable == 0) {
    const CpuReport report = read_cpu();
    usable = 1;
    for (const int32_t isa : kBuilt) {
      if (cpu_runs(report, isa)) usable |= bit(isa);
    }
    known.store(usable, std::memory_order_relaxed);
  }
  return usable;
}

}  // namespace

CpuReport read_cpu() noexcept {
  CpuReport report{};
#if VMX_X86
  unsigned eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
    report.leaf1_ecx = ecx;
    if (ecx & bit(27)) {  // OSXSAVE: XGETBV may be executed
      uint32_t low, high;
      __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
      report.xcr0 = (uint64_t{high} << 32) | low;
    }
  }
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) report.leaf7_ebx = ebx;
#endif
  return report;
}

bool cpu_runs(const CpuReport& report, int32_t isa) noexcept {
  switch (isa) {
    case VMX_ISA_SCALAR: return true;
    case VMX_ISA_AVX2:
      return has(report.leaf1_ecx, kAvx2Leaf1Ecx) && has(report.leaf7_ebx, kAvx2Leaf7Ebx) &&
             has(report.xcr0, kAvx2Xcr0);
    case VMX_ISA_AVX512:
      return cpu_runs(report, VMX_ISA_AVX2) && has(report.leaf7_ebx, kAvx512Leaf7Ebx) &&
             has(report.xcr0, kAvx512Xcr0);
    default: return false;
  }
}

bool isa_usable(int32_t isa) noexcept {
  return isa > 0 && isa < kNameCount && (usable_isas() & bit(isa)) != 0;
}

int32_t best_isa() noexcept {
  const uint32_t usable = usable_isas();
  int32_t best = kBuilt[0];
  for (const int32_t isa : kBuilt) {
    if (usable & bit(isa)) best = isa;
  }
  return best;
}

int32_t isa_count() noexcept { return kBuiltCount; }

int32_t isa_at(int32_t i) noexcept { return i >= 0 && i < kBuiltCount ? kBuilt[i] : 0; }

const char* isa_name(int32_t isa) noexcept { return isa > 0 && isa < kNameCount ? kNames[isa] : "unknown"; }

int32_t isa_by_name(const char* name) noexcept {
  for (int32_t isa = 1; isa < kNameCount; ++isa) {
    if (std::strcmp(name, kNames[isa]) == 0) return isa;
  }
  return 0;
}

}  // namespace vmx
