// SPDX-License-Identifier: Apache-2.0
// Where the time goes, by named part.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace tool {

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Profile {
 public:
  void add(const char* part, double seconds) {
    for (auto& [name, sum] : parts_) {
      if (name == part) {
        sum += seconds;
        return;
      }
    }
    parts_.emplace_back(part, seconds);
  }
  const std::vector<std::pair<std::string, double>>& parts() const { return parts_; }

 private:
  std::vector<std::pair<std::string, double>> parts_;
};

/// Adds its life to a part.
class Clock {
 public:
  Clock(Profile& profile, const char* part) : profile_(profile), part_(part), begin_(now()) {}
  ~Clock() { profile_.add(part_, now() - begin_); }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

 private:
  Profile& profile_;
  const char* part_;
  double begin_;
};

}  // namespace tool
