// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), to name the data that a run saw.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tool {

class Sha256 {
 public:
  void add(std::string_view bytes);
  /// 64 hex digits. The object must not be used afterwards.
  std::string finish();

 private:
  void block();

  std::array<uint32_t, 8> state_{0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
  std::array<uint8_t, 64> buffer_{};
  size_t used_ = 0;
  uint64_t length_ = 0;
};

}  // namespace tool
