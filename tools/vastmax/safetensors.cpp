// SPDX-License-Identifier: Apache-2.0
#include "safetensors.hpp"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "error.hpp"
#include "files.hpp"

namespace tool {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

void write_safetensors(const std::string& path, const std::vector<std::pair<std::string, const Table*>>& tables,
                       const std::map<std::string, std::string>& texts) {
  nlohmann::ordered_json header;
  header["__metadata__"] = texts;
  uint64_t place = 0;
  for (const auto& [name, table] : tables) {
    const uint64_t end = place + table->data.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", {table->rows, table->dim}}, {"data_offsets", {place, end}}};
    place = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the tensors are aligned
  const uint64_t length = text.size();
  write_whole_file(path, [&](const Sink& sink) {
    sink({reinterpret_cast<const char*>(&length), sizeof length});
    sink(text);
    for (const auto& [name, table] : tables) {
      sink({reinterpret_cast<const char*>(table->data.data()), table->data.size() * sizeof(float)});
    }
  });
}

Safetensors read_safetensors(const std::string& path) {
  const std::string bytes = read_whole_file(path);
  const auto refuse = [&](const std::string& why) { throw UserError(path + ": not a usable safetensors file: " + why); };
  uint64_t length = 0;
  if (bytes.size() < sizeof length) refuse("it is too short");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > bytes.size() - sizeof length) refuse("its header is longer than the file");
  const size_t begin = sizeof length + length, available = bytes.size() - begin;

  Safetensors file;
  try {
    const auto header = nlohmann::json::parse(bytes.begin() + sizeof length, bytes.begin() + static_cast<std::ptrdiff_t>(begin));
    uint64_t used = 0;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        file.texts = entry.get<std::map<std::string, std::string>>();
        continue;
      }
      if (entry.at("dtype") != "F32") refuse("tensor " + name + " is not F32");
      const auto shape = entry.at("shape").get<std::vector<uint64_t>>();
      const auto place = entry.at("data_offsets").get<std::vector<uint64_t>>();
      if (shape.size() != 2) refuse("tensor " + name + " does not have two dimensions");
      if (place.size() != 2 || place[0] > place[1] || place[1] > available) refuse("tensor " + name + " is cut off");
      const uint64_t size = place[1] - place[0];
      if (shape[0] > INT32_MAX || shape[1] > INT32_MAX || shape[0] * shape[1] * sizeof(float) != size) {
        refuse("the shape of tensor " + name + " does not fit its bytes");
      }
      Table table(static_cast<int64_t>(shape[0]), static_cast<int64_t>(shape[1]));
      if (size > 0) std::memcpy(table.data.data(), bytes.data() + begin + place[0], size);
      file.tables.emplace(name, std::move(table));
      used += size;
    }
    if (used != available) refuse("its tensors do not fill it");
  } catch (const nlohmann::json::exception&) {
    refuse("its header is not the expected JSON");
  }
  return file;
}

}  // namespace tool
