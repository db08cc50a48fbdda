// SPDX-License-Identifier: Apache-2.0
// The committed list of hashes, tests/vectors/hashes.txt: a line "name sha256" each, by rising name.
#pragma once

#include <map>
#include <string>

namespace vmx::test {

class HashList {
 public:
  /// VMX_UPDATE_HASHES=1 in the environment: what is found becomes the list.
  static bool updating();

  static std::map<std::string, std::string> read();
  static void write(const std::map<std::string, std::string>& hashes);
};

}  // namespace vmx::test
