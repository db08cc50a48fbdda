// SPDX-License-Identifier: Apache-2.0
#include "limits.hpp"

namespace bench {
namespace {

void add(Prepared& prepared, const char* name, int count, const std::function<std::function<void()>(int)>& loop) {
  for (int which = 0; which < count; ++which) {
    Contender contender{};
    contender.role = Role::limit;
    contender.name = name;
    contender.run = loop(which);
    prepared.contenders.push_back(std::move(contender));
  }
}

// The loops' unit, of floats.
constexpr int64_t kGrain = 64;
int64_t floats(int64_t bytes) { return bytes / 4 / kGrain * kGrain; }

}  // namespace

void limit_by_read(Prepared& prepared, const Setting& setting, const void* x, int64_t bytes) {
  const float* const from = static_cast<const float*>(x);
  const int64_t n = floats(bytes);
  add(prepared, "read", setting.loops.reads, [&](int which) {
    return [&loops = setting.loops, &team = setting.team, from, n, which] {
      team.split(n, kGrain, [&](int64_t begin, int64_t end) { keep_result(loops.read(from + begin, end - begin, which)); });
    };
  });
}

void limit_by_copy(Prepared& prepared, const Setting& setting, void* to, const void* from, int64_t bytes) {
  float* const target = static_cast<float*>(to);
  const float* const source = static_cast<const float*>(from);
  const int64_t n = floats(bytes);
  add(prepared, "copy", setting.loops.copies, [&](int which) {
    return [&loops = setting.loops, &team = setting.team, target, source, n, which] {
      team.split(n, kGrain,
                 [&](int64_t begin, int64_t end) { loops.copy(target + begin, source + begin, end - begin, which); });
    };
  });
}

void limit_by_update(Prepared& prepared, const Setting& setting, void* x, int64_t bytes) {
  float* const at = static_cast<float*>(x);
  const int64_t n = floats(bytes);
  add(prepared, "update", setting.loops.updates, [&](int which) {
    return [&loops = setting.loops, &team = setting.team, at, n, which] {
      team.split(n, kGrain, [&](int64_t begin, int64_t end) { loops.update(at + begin, end - begin, which); });
    };
  });
}

void limit_by_rows(Prepared& prepared, const Setting& setting, const float* table, const int32_t* ids, int64_t n, int64_t width) {
  add(prepared, "random rows", setting.loops.read_rows_count, [&](int which) {
    return [&loops = setting.loops, &team = setting.team, table, ids, n, width, which] {
      team.split(n, kGrain, [&](int64_t begin, int64_t end) {
        keep_result(loops.read_rows(table, ids + begin, end - begin, width, which));
      });
    };
  });
}

void limit_by_max_scan(Prepared& prepared, const Setting& setting, const float* x, int64_t n) {
  add(prepared, "max-scan", setting.loops.max_scans, [&](int which) {
    return [&loops = setting.loops, &team = setting.team, x, n, which] {
      team.split(n, kGrain, [&](int64_t begin, int64_t end) { keep_result(loops.max_scan(x + begin, end - begin, which)); });
    };
  });
}

void limit_by_exp(Prepared& prepared, const Setting& setting, double elements) {
  prepared.limits["exp"] = elements * 1e-9 / setting.machine.figure("sumexp_deg5_L1_elem_per_ns");
}

void limit_by_fma(Prepared& prepared, const Setting& setting, double flop, int32_t dtype) {
  double peak = setting.machine.figure("fma_f32_peak_GFLOPs");
  // Without an instruction for bf16 its products are f32 products.
  if (dtype == VMX_BF16 && setting.machine.figure("dpbf16_peak_GFLOPs") > 0) {
    peak = setting.machine.figure("dpbf16_peak_GFLOPs");
  }
  prepared.limits["FMA"] = flop * 1e-9 / peak;
}

}  // namespace bench
