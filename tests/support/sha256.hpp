// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), for the committed list of hashes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vmx::test {

class Sha256 {
 public:
  void add(const void* data, size_t size);
  void add(const std::vector<unsigned char>& bytes) { add(bytes.data(), bytes.size()); }
  /// Lower-case hexadecimal. Ends the message: add nothing after it.
  std::string hex();

 private:
  void compress(const unsigned char* block);

  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  unsigned char pending_[64] = {};
  uint64_t length_ = 0;  // in bytes
};

}  // namespace vmx::test
