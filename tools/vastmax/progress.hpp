// SPDX-License-Identifier: Apache-2.0
// A bar with the time left, on standard error and only if that is a terminal.
#pragma once

#include <cstdint>
#include <string>

namespace tool {

class Progress {
 public:
  /// total in any unit of work.
  explicit Progress(double total);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Work done so far. Draws at most ten times a second.
  void show(double done, const std::string& text);
  /// Wipes the bar, so that a line can be printed.
  void clear();

 private:
  double total_, begin_, drawn_at_ = 0;
  bool terminal_, drawn_ = false;
};

/// "5 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);

}  // namespace tool
