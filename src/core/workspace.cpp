// SPDX-License-Identifier: Apache-2.0
#include "core/workspace.hpp"

#include <new>

namespace vmx {
namespace {

// The old block goes first: what it holds is of no use, and both together may be too much.
void grow(vmx_workspace& ws, size_t size) {
  if (size <= ws.capacity) return;
  release(resolve(ws.ctx), ws.block, ws.capacity);
  ws.block = nullptr;
  ws.capacity = 0;
  size = Scratch::need(size);
  ws.block = allocate(resolve(ws.ctx), size);
  ws.capacity = size;
}

bool enter(vmx_workspace& ws) { return !ws.busy.exchange(true, std::memory_order_acquire); }
void leave(vmx_workspace& ws) { ws.busy.store(false, std::memory_order_release); }

}  // namespace

vmx_status create_workspace(const vmx_context* ctx, vmx_workspace** out) {
  if (!out) return fail(VMX_ERR_NULL, "out is NULL");
  *out = ::new (allocate(resolve(ctx), sizeof(vmx_workspace))) vmx_workspace{ctx, nullptr, 0, false};
  return VMX_OK;
}

vmx_status reserve_workspace(vmx_workspace* ws, size_t size) {
  if (!ws) return fail(VMX_ERR_NULL, "ws is NULL");
  if (!enter(*ws)) return fail(VMX_ERR_VALUE, "ws is in use by another call");
  struct Leave {
    vmx_workspace& ws;
    ~Leave() { leave(ws); }
  } const leaver{*ws};
  grow(*ws, size);
  return VMX_OK;
}

void destroy_workspace(vmx_workspace* ws) noexcept {
  if (!ws) return;
  const vmx_context& ctx = resolve(ws->ctx);
  release(ctx, ws->block, ws->capacity);
  ws->~vmx_workspace();
  release(ctx, ws, sizeof(vmx_workspace));
}

Scratch::Scratch(const vmx_context& ctx, vmx_workspace* ws, size_t bytes)
    : ctx_(ctx), ws_(ws && bytes > 0 && enter(*ws) ? ws : nullptr), size_(need(bytes)) {
  if (bytes == 0) return;
  if (ws_) {
    try {
      grow(*ws_, size_);
    } catch (...) {
      leave(*ws_);
      throw;
    }
    block_ = static_cast<std::byte*>(ws_->block);
  } else {
    block_ = static_cast<std::byte*>(allocate(ctx_, size_));
  }
}

Scratch::~Scratch() {
  if (ws_) {
    leave(*ws_);
  } else {
    release(ctx_, block_, size_);
  }
}

void* Scratch::take_bytes(size_t bytes) {
  if (bytes > size_ - used_) throw std::logic_error("scratch was reckoned too small");
  void* const piece = block_ + used_;
  used_ += bytes;
  return piece;
}

}  // namespace vmx
