// SPDX-License-Identifier: Apache-2.0
#include "support/hash_list.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace vmx::test {
namespace {

const char* const kPath = VMX_TEST_VECTORS_DIR "/hashes.txt";

}  // namespace

bool HashList::updating() {
  const char* const value = std::getenv("VMX_UPDATE_HASHES");
  return value && std::strcmp(value, "1") == 0;
}

std::map<std::string, std::string> HashList::read() {
  std::map<std::string, std::string> hashes;
  std::ifstream file(kPath);
  std::string name, hash;
  while (file >> name >> hash) {
    if (!hashes.emplace(name, hash).second)
      throw std::runtime_error(std::string(kPath) + " has " + name + " twice");
  }
  return hashes;
}

void HashList::write(const std::map<std::string, std::string>& hashes) {
  std::ofstream file(kPath);
  for (const auto& [name, hash] : hashes) file << name << ' ' << hash << '\n';
  if (!file.flush()) throw std::runtime_error(std::string("cannot write ") + kPath);
}

}  // namespace vmx::test
