// SPDX-License-Identifier: Apache-2.0
// Samplers as values, their draws and their probabilities, and the test of one against the other.
#pragma once

#include "support/arrays.hpp"
#include "support/contexts.hpp"

#include <vastmax/vastmax.h>

#include <cstdint>
#include <map>
#include <vector>

namespace vmx::test {

vmx_sampler_options sampler_options(int32_t kind, int64_t classes);
vmx_sampler_options weights_options(const std::vector<double>& weights, double power = 1.0);

class Sampler {
 public:
  explicit Sampler(const vmx_sampler_options& options, const vmx_context* ctx = nullptr);
  ~Sampler() { vmx_sampler_destroy(sampler_); }
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  operator vmx_sampler*() const { return sampler_; }

 private:
  vmx_sampler* sampler_ = nullptr;
};

struct Drawn {
  int64_t rows, m;
  std::vector<int32_t> ids;
  std::vector<float> log_q;
  std::vector<int64_t> tries;
  std::vector<uint32_t> row_flags;

  const int32_t* row(int64_t r) const { return ids.data() + r * m; }
};
struct DrawSetting {
  uint32_t flags = 0;
  uint64_t seed = 0;
  int64_t step = 0;
  const vmx_context* ctx = nullptr;
  vmx_workspace* ws = nullptr;
};
/// hidden NULL: none.
Drawn draw(const vmx_sampler* sampler, const vmx_matrix* hidden, int64_t rows, int64_t m, const DrawSetting& setting = {});

/// log q in f64 of the classes; hidden: NULL or one row.
std::vector<double> log_q_of(const vmx_sampler* sampler, const std::vector<int64_t>& classes,
                             const vmx_matrix* hidden = nullptr, int64_t draws = 0, const int64_t* tries = nullptr,
                             const vmx_context* ctx = nullptr);
/// q of all classes.
std::vector<double> all_q(const vmx_sampler* sampler, int64_t classes, const vmx_matrix* hidden = nullptr);

/// How many standard deviations Pearson's statistic of counts against probabilities lies above its mean; cells of few
/// expected counts are put together.
double chi_square_deviation(const std::vector<int64_t>& counts, const std::vector<double>& q);
/// Sequences of m of the classes 0 .. n-1, with their probabilities when drawn one after the other without replacement.
std::map<std::vector<int32_t>, double> sequences(const std::vector<double>& q, int64_t m);
/// Probabilities that are off by 1 % in about half of the classes, up, and down in the others.
std::vector<double> planted_bias(std::vector<double> q);

}  // namespace vmx::test
