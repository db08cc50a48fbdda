// SPDX-License-Identifier: Apache-2.0
// Errors against an oracle: each value is held to its bound, and the largest and the mean error are reported.
#pragma once

#include <cstdint>
#include <string>

namespace vmx::test {

/// Collects the errors of one quantity; tells them on standard output when it ends.
class ErrorReport {
 public:
  /// unit: what errors are told in, besides shares of their bounds.
  ErrorReport(std::string name, long double unit) : name_(std::move(name)), unit_(unit) {}
  ~ErrorReport();
  ErrorReport(const ErrorReport&) = delete;
  ErrorReport& operator=(const ErrorReport&) = delete;

  /// Fails the test unless actual is within bound of expected. NaN and infinities must agree, except that what rounds
  /// above the largest number of stored_as may be an infinity. scale: what one unit is a unit of (1 or |expected|); 0
  /// leaves the value out of the statistics (results that may be flushed).
  void check(double actual, long double expected, long double bound, long double scale, int32_t stored_as,
             const char* what, int64_t row, int64_t col);

 private:
  void fail(double actual, long double expected, long double bound, const char* what, int64_t row, int64_t col);

  std::string name_;
  long double unit_;
  long double worst_share_ = 0, worst_ = 0, sum_ = 0;
  std::string worst_at_;
  int64_t count_ = 0, failures_ = 0;
};

}  // namespace vmx::test
