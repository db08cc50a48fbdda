// SPDX-License-Identifier: Apache-2.0
#include "peers/update_loop.hpp"

#include "data.hpp"

#include <cmath>

// Left to the vectoriser, for the best ISA of the CPU.
#if defined(__x86_64__) && defined(__ELF__)
#  define VMX_BENCH_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#  define VMX_BENCH_CLONES
#endif

namespace bench {
namespace {

[[gnu::always_inline]] inline float value(float x) { return x; }
[[gnu::always_inline]] inline float value(uint16_t x) { return __builtin_bit_cast(float, static_cast<uint32_t>(x) << 16); }
[[gnu::always_inline]] inline void put(float* to, float x) { *to = x; }
[[gnu::always_inline]] inline void put(uint16_t* to, float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  *to = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

template <class T>
[[gnu::always_inline]] inline void rows(T* w, float* m, float* v, const float* g, const int64_t* ids, int64_t count,
                                        int64_t dim, const AdamNumbers& a) {
  for (int64_t i = 0; i < count; ++i) {
    T* __restrict const at_w = w + ids[i] * dim;
    float* __restrict const at_m = m + ids[i] * dim;
    float* __restrict const at_v = v + ids[i] * dim;
    const float* __restrict const at_g = g + i * dim;
    for (int64_t c = 0; c < dim; ++c) {
      at_m[c] = a.beta1 * at_m[c] + (1 - a.beta1) * at_g[c];
      at_v[c] = a.beta2 * at_v[c] + (1 - a.beta2) * at_g[c] * at_g[c];
      put(at_w + c, value(at_w[c]) - a.rate * at_m[c] / (std::sqrt(a.unbias * at_v[c]) + a.eps));
    }
  }
}

}  // namespace

VMX_BENCH_CLONES void adam_rows(float* w, float* m, float* v, const float* g, const int64_t* ids, int64_t count, int64_t dim,
                                const AdamNumbers& numbers) {
  rows(w, m, v, g, ids, count, dim, numbers);
}
VMX_BENCH_CLONES void adam_rows(uint16_t* w, float* m, float* v, const float* g, const int64_t* ids, int64_t count,
                                int64_t dim, const AdamNumbers& numbers) {
  rows(w, m, v, g, ids, count, dim, numbers);
}

}  // namespace bench
