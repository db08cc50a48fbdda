// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tool {

/// Where the pieces of a file go.
using Sink = std::function<void(std::string_view)>;

/// Writes path whole or not at all: to a temporary name beside it, flushed to the disk, then renamed.
void write_whole_file(const std::string& path, const std::function<void(const Sink&)>& write);

/// Throws UserError if path could not be written, so that a long run does not end with that news.
void check_writable(const std::string& path, const char* option);

std::string read_whole_file(const std::string& path);

}  // namespace tool
