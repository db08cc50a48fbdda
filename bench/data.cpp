// SPDX-License-Identifier: Apache-2.0
#include "data.hpp"

#include <vastmax/vastmax.h>

#include <bit>

namespace bench {

uint16_t to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);  // never NaN here
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

void fill_normal(void* to, int64_t n, int32_t dtype, uint64_t seed, double scale) {
  if (dtype == VMX_BF16) {
    uint16_t* const out = static_cast<uint16_t*>(to);
    for (int64_t i = 0; i < n; ++i) out[i] = to_bf16(normal(seed, static_cast<uint64_t>(i), scale));
  } else {
    float* const out = static_cast<float*>(to);
    for (int64_t i = 0; i < n; ++i) out[i] = normal(seed, static_cast<uint64_t>(i), scale);
  }
}

void fill_labels(int32_t* to, int64_t n, int64_t classes, uint64_t seed) {
  for (int64_t i = 0; i < n; ++i) {
    to[i] = static_cast<int32_t>((hash(seed, static_cast<uint64_t>(i)) >> 33) % static_cast<uint64_t>(classes));
  }
}

float load(const void* from, int64_t i, int32_t dtype) {
  return dtype == VMX_BF16 ? from_bf16(static_cast<const uint16_t*>(from)[i]) : static_cast<const float*>(from)[i];
}

int64_t dtype_bytes(int32_t dtype) { return dtype == VMX_BF16 ? 2 : 4; }
const char* dtype_name(int32_t dtype) { return dtype == VMX_BF16 ? "bf16" : "f32"; }

}  // namespace bench
