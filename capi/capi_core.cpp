// SPDX-License-Identifier: Apache-2.0
// Entry points: status, version, ISAs, contexts, workspaces, initialisers of structs.
#include "core/context.hpp"
#include "core/cpu.hpp"
#include "core/options.hpp"
#include "core/status.hpp"
#include "core/workspace.hpp"

#include <vastmax/vastmax.h>

#define VMX_TEXT(x) VMX_TEXT_OF(x)
#define VMX_TEXT_OF(x) #x

using namespace vmx;

const char* vmx_status_string(vmx_status status) noexcept { return status_string(status); }

size_t vmx_last_error(char* buf, size_t size) noexcept { return last_error(buf, size); }

int32_t vmx_version(void) noexcept { return VMX_VERSION; }

const char* vmx_version_string(void) noexcept {
  return VMX_TEXT(VMX_VERSION_MAJOR) "." VMX_TEXT(VMX_VERSION_MINOR) "." VMX_TEXT(VMX_VERSION_PATCH);
}

int32_t vmx_isa_count(void) noexcept { return isa_count(); }

int32_t vmx_isa_id(int32_t i) noexcept { return isa_at(i); }

const char* vmx_isa_name(int32_t isa) noexcept { return isa_name(isa); }

int32_t vmx_isa_usable(int32_t isa) noexcept { return isa_usable(isa) ? 1 : 0; }

vmx_status vmx_context_create(const vmx_context_options* options, vmx_context** out) noexcept {
  const ApiCall call(__func__);
  return guarded([&] { return create_context(options, out); });
}

void vmx_context_destroy(vmx_context* ctx) noexcept { destroy_context(ctx); }

int32_t vmx_isa_active(const vmx_context* ctx) noexcept { return resolve(ctx).isa; }

int32_t vmx_context_threads(const vmx_context* ctx) noexcept { return resolve(ctx).threads; }

vmx_status vmx_workspace_create(const vmx_context* ctx, vmx_workspace** out) noexcept {
  const ApiCall call(__func__);
  return guarded([&] { return create_workspace(ctx, out); });
}

vmx_status vmx_workspace_reserve(vmx_workspace* ws, size_t size) noexcept {
  const ApiCall call(__func__);
  return guarded([&] { return reserve_workspace(ws, size); });
}

size_t vmx_workspace_capacity(const vmx_workspace* ws) noexcept { return ws ? ws->capacity : 0; }

void vmx_workspace_destroy(vmx_workspace* ws) noexcept { destroy_workspace(ws); }

#define VMX_INIT_FUNCTION(type)                                 \
  vmx_status type##_init(type* options, size_t size) noexcept { \
    const ApiCall call(__func__);                               \
    return init_options(options, size);                         \
  }
VMX_INIT_FUNCTION(vmx_context_options)
VMX_INIT_FUNCTION(vmx_softmax_options)
VMX_INIT_FUNCTION(vmx_lse_options)
VMX_INIT_FUNCTION(vmx_cross_entropy_options)
VMX_INIT_FUNCTION(vmx_cross_entropy_out)
VMX_INIT_FUNCTION(vmx_topk_options)
VMX_INIT_FUNCTION(vmx_linear)
VMX_INIT_FUNCTION(vmx_linear_grads)
VMX_INIT_FUNCTION(vmx_sparse_rows)
VMX_INIT_FUNCTION(vmx_update_options)
VMX_INIT_FUNCTION(vmx_sampler_options)
VMX_INIT_FUNCTION(vmx_draw_options)
VMX_INIT_FUNCTION(vmx_sampled_options)
VMX_INIT_FUNCTION(vmx_candidates)
VMX_INIT_FUNCTION(vmx_sampled_grads)
VMX_INIT_FUNCTION(vmx_sampled_out)
