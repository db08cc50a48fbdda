// SPDX-License-Identifier: Apache-2.0
// Draws and log-probabilities for checked arguments.
#pragma once

#include "core/workspace.hpp"
#include "samplers/sampler.hpp"

namespace vmx {

struct DrawCall {
  const vmx_sampler* sampler;
  vmx_matrix hidden;  // data NULL: none
  vmx_matrix ids;
  vmx_matrix log_q;  // data NULL: not wanted
  int64_t* tries;
  uint32_t* row_flags;
  vmx_draw_options options;

  int64_t rows() const { return ids.rows; }
  int64_t m() const { return ids.cols; }
  bool exact() const { return sampler->kind == VMX_SAMPLER_EXACT; }
  bool unique() const {
    return exact() ? !(options.flags & VMX_DRAW_REPLACE) : (options.flags & VMX_DRAW_UNIQUE) != 0;
  }
  bool counts() const { return (options.flags & VMX_DRAW_COUNTS) != 0; }
};

/// By the sizes alone: data pointers may be NULL.
size_t draw_scratch(const vmx_context& ctx, const DrawCall& call);
void draw(const vmx_context& ctx, vmx_workspace* ws, const DrawCall& call);

struct LogQCall {
  const vmx_sampler* sampler;
  vmx_matrix hidden;  // data NULL: none
  vmx_csr classes;
  int64_t rows;
  int64_t draws;
  const int64_t* tries;
  int64_t tries_stride;
  vmx_vector log_q;

  int64_t begin(int64_t row) const;
  int64_t end(int64_t row) const;
  int32_t id(int64_t i) const;
};
void log_q(const vmx_context& ctx, vmx_workspace* ws, const LogQCall& call);

/// EXACT has ways of its own.
size_t exact_draw_scratch(const vmx_context& ctx, const DrawCall& call);
void exact_draw(const vmx_context& ctx, vmx_workspace* ws, const DrawCall& call);
void exact_log_q(const vmx_context& ctx, vmx_workspace* ws, const LogQCall& call);

void store_ids(const DrawCall& call, int64_t row, int64_t first, int64_t n, const int32_t* ids);
/// Rounded to f32.
void store_log_q(const DrawCall& call, int64_t row, int64_t first, int64_t n, const double* log_q);
/// Places [first, m) of a row without a class.
void store_none(const DrawCall& call, int64_t row, int64_t first, double log_q);
/// In place: log_q[0 .. n) to log expected counts. Room for n rounded up to 64. Without repeats, or m draws with them.
void to_counts(const KernelTable& kernels, bool unique, double tries, double* log_q, int64_t n);

}  // namespace vmx
