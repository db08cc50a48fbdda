// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "error.hpp"

namespace tool {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

std::string reason(const std::string& doing, const std::string& path) {
  return doing + " " + path + ": " + std::strerror(errno);
}

std::string temporary_name(const std::string& path) { return path + ".part" + std::to_string(getpid()); }

/// Removes the temporary file unless it was renamed.
struct Removal {
  const std::string& name;
  bool wanted = true;
  ~Removal() {
    if (wanted) unlink(name.c_str());
  }
};

}  // namespace

void write_whole_file(const std::string& path, const std::function<void(const Sink&)>& write) {
  const std::string name = temporary_name(path);
  File file(std::fopen(name.c_str(), "wb"));
  if (!file) throw UserError(reason("cannot write", name));
  Removal removal{name};
  write([&](std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) {
      throw UserError(reason("cannot write", name));
    }
  });
  if (std::fflush(file.get()) != 0 || fsync(fileno(file.get())) != 0) throw UserError(reason("cannot write", name));
  file.reset();
  if (std::rename(name.c_str(), path.c_str()) != 0) throw UserError(reason("cannot rename " + name + " to", path));
  removal.wanted = false;
}

void check_writable(const std::string& path, const char* option) {
  const std::string name = temporary_name(path);
  File file(std::fopen(name.c_str(), "wb"));
  if (!file) throw UserError(std::string(option) + ": " + reason("cannot write", path));
  unlink(name.c_str());
}

std::string read_whole_file(const std::string& path) {
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) throw UserError(reason("cannot read", path));
  std::string text;
  char buffer[1 << 16];
  size_t n;
  while ((n = std::fread(buffer, 1, sizeof buffer, file.get())) > 0) text.append(buffer, n);
  if (std::ferror(file.get())) throw UserError(reason("cannot read", path));
  return text;
}

}  // namespace tool
