// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a call: one block, handed out in pieces.
#pragma once

#include "core/checked.hpp"
#include "core/context.hpp"

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <type_traits>

struct vmx_workspace {
  const vmx_context* ctx;
  void* block;
  size_t capacity;
  std::atomic<bool> busy;
};

namespace vmx {

vmx_status create_workspace(const vmx_context* ctx, vmx_workspace** out);
vmx_status reserve_workspace(vmx_workspace* ws, size_t size);
void destroy_workspace(vmx_workspace* ws) noexcept;

class Scratch {
 public:
  // bytes: the sum of need() over the pieces to be taken. From ws, which grows if it must and keeps the
  // block; without ws, or if another call is using it, from the context for the life of this object. Throws
  // std::bad_alloc.
  Scratch(const vmx_context& ctx, vmx_workspace* ws, size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // The next piece: count elements, not initialised, aligned to kAlignment.
  template <class T>
  T* take(size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= kAlignment);
    return static_cast<T*>(take_bytes(need<T>(count)));
  }

  // What a piece takes. Sums and products that overflow stick at SIZE_MAX, which no allocator serves.
  static size_t need(size_t bytes) { return saturating_add(bytes, kAlignment - 1) / kAlignment * kAlignment; }
  template <class T>
  static size_t need(size_t count) {
    return need(saturating_mul(count, sizeof(T)));
  }
  template <class... Sizes>
  static size_t sum(Sizes... needs) {
    size_t total = 0;
    ((total = saturating_add(total, needs)), ...);
    return total;
  }

 private:
  void* take_bytes(size_t bytes);

  const vmx_context& ctx_;
  vmx_workspace* ws_;  // NULL: the block is ours
  std::byte* block_ = nullptr;
  size_t size_, used_ = 0;
};

/// Goes through the pieces of a layout as a Scratch does, and adds up what they take.
class PieceCounter {
 public:
  template <class T>
  T* take(size_t count) {
    bytes_ = saturating_add(bytes_, Scratch::need<T>(count));
    return nullptr;
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

}  // namespace vmx
