// SPDX-License-Identifier: Apache-2.0
/// A thin C++17 veneer over vastmax.h: owners for the handles, views from pointers, errors as exceptions. Header-only, and
/// never a second ABI: everything goes through the C functions, whose documentation holds.
#ifndef VASTMAX_VASTMAX_HPP
#define VASTMAX_VASTMAX_HPP

#include <vastmax/vastmax.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace vastmax {

/// A status other than VMX_OK, with the library's message.
class Error : public std::runtime_error {
 public:
  explicit Error(vmx_status status) : std::runtime_error(message(status)), status_(status) {}
  vmx_status status() const noexcept { return status_; }

 private:
  static std::string message(vmx_status status) {
    char text[512];
    vmx_last_error(text, sizeof text);
    return text[0] ? text : vmx_status_string(status);
  }
  vmx_status status_;
};

/// Throws Error unless status is VMX_OK.
inline void check(vmx_status status) {
  if (status != VMX_OK) throw Error(status);
}

/// VMX_F32 of float, VMX_F64 of double, VMX_I32 of int32_t, VMX_I64 of int64_t. 16-bit floats are named by hand.
template <class T>
constexpr int32_t dtype_of() {
  using Element = std::remove_const_t<T>;
  static_assert(std::is_same_v<Element, float> || std::is_same_v<Element, double> ||
                    std::is_same_v<Element, int32_t> || std::is_same_v<Element, int64_t>,
                "name the dtype");
  if constexpr (std::is_same_v<Element, float>) return VMX_F32;
  if constexpr (std::is_same_v<Element, double>) return VMX_F64;
  if constexpr (std::is_same_v<Element, int32_t>) return VMX_I32;
  return VMX_I64;
}

/// Rows of adjacent elements; row_stride in elements, 0: cols.
template <class T>
vmx_matrix matrix(T* data, int64_t rows, int64_t cols, int64_t row_stride = 0, int32_t dtype = dtype_of<T>()) {
  using Element = std::remove_const_t<T>;
  return {const_cast<Element*>(data), rows, cols, row_stride ? row_stride : cols, 1, dtype, 0};
}

template <class T>
vmx_vector vector(T* data, int64_t n, int64_t stride = 1, int32_t dtype = dtype_of<T>()) {
  using Element = std::remove_const_t<T>;
  return {const_cast<Element*>(data), n, stride, dtype, 0};
}

template <class T>
vmx_ids ids(const T* data, int64_t n, int64_t stride = 1, int32_t base = 0) {
  return {data, n, stride, dtype_of<T>(), base};
}

/// One label a row.
template <class T>
vmx_csr labels(const T* data, int64_t rows) {
  return {vmx_ids{}, ids(data, rows), vmx_vector{}};
}

/// Struct defaults as the C macros give them.
inline vmx_context_options context_options() { return VMX_CONTEXT_OPTIONS_INIT; }
inline vmx_softmax_options softmax_options() { return VMX_SOFTMAX_OPTIONS_INIT; }
inline vmx_lse_options lse_options() { return VMX_LSE_OPTIONS_INIT; }
inline vmx_cross_entropy_options cross_entropy_options() { return VMX_CROSS_ENTROPY_OPTIONS_INIT; }
inline vmx_cross_entropy_out cross_entropy_out() { return VMX_CROSS_ENTROPY_OUT_INIT; }
inline vmx_topk_options topk_options() { return VMX_TOPK_OPTIONS_INIT; }
inline vmx_linear linear() { return VMX_LINEAR_INIT; }
inline vmx_linear_grads linear_grads() { return VMX_LINEAR_GRADS_INIT; }

namespace detail {
struct Destroy {
  void operator()(vmx_context* p) const noexcept { vmx_context_destroy(p); }
  void operator()(vmx_workspace* p) const noexcept { vmx_workspace_destroy(p); }
  void operator()(vmx_packed_weights* p) const noexcept { vmx_packed_weights_destroy(p); }
};
}  // namespace detail

/// Owns a vmx_context. get() goes into the C functions.
class Context {
 public:
  explicit Context(const vmx_context_options& options = context_options()) {
    vmx_context* made = nullptr;
    check(vmx_context_create(&options, &made));
    handle_.reset(made);
  }
  /// An own pool of that many threads, the caller included.
  static Context with_threads(int32_t threads) {
    vmx_context_options options = context_options();
    options.threads = threads;
    return Context(options);
  }
  const vmx_context* get() const noexcept { return handle_.get(); }
  std::string isa() const { return vmx_isa_name(vmx_isa_active(get())); }
  int32_t threads() const noexcept { return vmx_context_threads(get()); }

 private:
  std::unique_ptr<vmx_context, detail::Destroy> handle_;
};

/// Owns a vmx_workspace; the context must outlive it.
class Workspace {
 public:
  explicit Workspace(const vmx_context* ctx = nullptr) {
    vmx_workspace* made = nullptr;
    check(vmx_workspace_create(ctx, &made));
    handle_.reset(made);
  }
  void reserve(size_t size) { check(vmx_workspace_reserve(get(), size)); }
  size_t capacity() const noexcept { return vmx_workspace_capacity(handle_.get()); }
  vmx_workspace* get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<vmx_workspace, detail::Destroy> handle_;
};

/// Owns packed weights.
class PackedWeights {
 public:
  PackedWeights(const vmx_context* ctx, const vmx_matrix& weights) {
    vmx_packed_weights* made = nullptr;
    check(vmx_pack_weights(ctx, &weights, &made));
    handle_.reset(made);
  }
  const vmx_packed_weights* get() const noexcept { return handle_.get(); }
  size_t size() const noexcept { return vmx_packed_weights_size(handle_.get()); }

 private:
  std::unique_ptr<vmx_packed_weights, detail::Destroy> handle_;
};

}  // namespace vastmax

#endif  // VASTMAX_VASTMAX_HPP
