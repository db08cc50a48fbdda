// SPDX-License-Identifier: Apache-2.0
// Checks of samplers' options and of what is drawn.
#pragma once

#include "check.hpp"
#include "samplers/draw.hpp"

namespace vmx {

vmx_status check_sampler_options(const vmx_sampler_options* given, vmx_sampler_options* out);
/// [classes, dim] f32 or bf16.
vmx_status check_embeddings(const vmx_matrix* embeddings, const char* name, int64_t classes);

/// All arguments of a draw; sizes_only: data pointers may be NULL.
vmx_status check_draw(const vmx_sampler* sampler, const vmx_matrix* hidden, const vmx_matrix* ids, const vmx_matrix* log_q,
                      int64_t* tries, uint32_t* row_flags, const vmx_draw_options* options, bool sizes_only, DrawCall* out);

vmx_status check_log_q(const vmx_sampler* sampler, const vmx_matrix* hidden, const vmx_csr* classes, int64_t draws,
                       const int64_t* tries, int64_t tries_stride, const vmx_vector* log_q, LogQCall* out);

/// Ids of classes, each in [base, base + classes).
vmx_status check_class_ids(const vmx_ids* ids, const char* name, int64_t classes);

}  // namespace vmx
