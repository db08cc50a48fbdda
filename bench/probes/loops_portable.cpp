// SPDX-License-Identifier: Apache-2.0
// For CPUs whose ISA has no file here: the compiler's own vectors of four floats.
#include "probes/loops.hpp"

#include <cstddef>

namespace bench {
namespace {

typedef float V __attribute__((vector_size(16)));
typedef float UnalignedV __attribute__((vector_size(16), aligned(4)));
typedef int32_t I __attribute__((vector_size(16)));
constexpr int64_t kLanes = 4;
constexpr char kIsaName[] = "portable";
constexpr int kExpKinds = 1;

inline V load(const float* p) { return *reinterpret_cast<const UnalignedV*>(p); }
inline void store(float* p, V v) { *reinterpret_cast<UnalignedV*>(p) = v; }
inline void stream(float* p, V v) { store(p, v); }
inline void fence() {}
inline void prefetch(const float* p) { __builtin_prefetch(p); }
inline V zero() { return V{}; }
inline V splat(float x) { return V{x, x, x, x}; }
inline V bits_or(V a, V b) { return (V)((I)a | (I)b); }
inline V max(V a, V b) { return a > b ? a : b; }
inline V fma(V a, V b, V c) { return a * b + c; }
inline float reduce_max(V v) {
  float best = v[0];
  for (int i = 1; i < 4; ++i) best = v[i] > best ? v[i] : best;
  return best;
}
inline float reduce_add(V v) { return v[0] + v[1] + v[2] + v[3]; }

template <int kKind>
inline V exp2_add(V sum, V x) {
  const V magic = splat(12582912.0f);
  const V whole = x + magic;
  const V r = x - (whole - magic);
  V p = splat(1.333355814e-3f);
  p = fma(p, r, splat(9.618129107e-3f));
  p = fma(p, r, splat(5.550410866e-2f));
  p = fma(p, r, splat(0.2402265070f));
  p = fma(p, r, splat(0.6931471806f));
  p = fma(p, r, splat(1.0f));
  return sum + (V)((I)p + ((I)whole << 23));
}

}  // namespace
}  // namespace bench

#define PROBE_NAME probe_loops_portable
#include "probes/loops.inc"
