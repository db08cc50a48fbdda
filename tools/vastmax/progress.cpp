// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "profile.hpp"

namespace tool {

Progress::Progress(double total) : total_(total), begin_(now()), terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::show(double done, const std::string& text) {
  const double time = now();
  if (!terminal_ || time - drawn_at_ < 0.1) return;
  drawn_at_ = time;
  drawn_ = true;
  constexpr int kWidth = 30;
  const double part = total_ > 0 ? std::clamp(done / total_, 0.0, 1.0) : 1.0;
  const int filled = static_cast<int>(part * kWidth);
  const std::string bar = std::string(static_cast<size_t>(filled), '#') + std::string(static_cast<size_t>(kWidth - filled), '.');
  const double passed = time - begin_;
  const std::string left = part > 0 && passed > 0.5 ? ", " + duration_text(passed / part - passed) + " left" : "";
  std::fprintf(stderr, "\r\x1b[K[%s] %3.0f %%  %s%s", bar.c_str(), 100 * part, text.c_str(), left.c_str());
  std::fflush(stderr);
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const auto text = [](int64_t n, const char* unit) { return std::to_string(n) + " " + unit; };
  if (whole < 60) return text(whole, "s");
  if (whole < 3600) return text(whole / 60, "min") + " " + text(whole % 60, "s");
  return text(whole / 3600, "h") + " " + text(whole / 60 % 60, "min");
}

}  // namespace tool
