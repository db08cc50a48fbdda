// SPDX-License-Identifier: Apache-2.0
// How a call fails: a status, and a message kept for the calling thread.
#pragma once

#include <vastmax/vastmax.h>

#include "core/fp_mode.hpp"

#include <cstddef>
#include <exception>
#include <new>
#include <utility>

namespace vmx {

// Stores the thread's message, "<function>: <text>", and returns code.
[[gnu::format(printf, 2, 3), gnu::cold]] vmx_status fail(vmx_status code, const char* format, ...) noexcept;

// The thread's message: copies it as vmx_last_error does.
size_t last_error(char* buf, size_t size) noexcept;

const char* status_string(vmx_status status) noexcept;

class ApiCall;

// For its lifetime the thread is in that call, or in none: a host that runs calls as coroutines may switch to others while its
// parallel_for waits, and they may end in any order.
class InCall {
 public:
  explicit InCall(const ApiCall* call) noexcept;
  ~InCall();
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

 private:
  const ApiCall* const before_;
};

// First line of each entry point: remembers its name for messages, and computes under the standard floating-point
// environment. The name must live for ever (__func__ does).
class ApiCall {
 public:
  explicit ApiCall(const char* function) noexcept : function_(function) {}

  // What the caller of this thread's call computes under: callbacks are run so. Outside of calls: the thread's.
  static FpMode caller_mode() noexcept;

  // The call that this thread is in, or nullptr.
  static const ApiCall* current() noexcept;

  const char* function() const noexcept { return function_; }

 private:
  const FpMode caller_mode_ = FpMode::of_this_thread();
  const FpModeScope scope_{FpMode::standard()};
  const char* const function_;
  const InCall in_call_{this};
};

// A caller's callback broke its contract. The text is kept inside, so that throwing allocates no string.
class CallbackError : public std::exception {
 public:
  [[gnu::format(printf, 2, 3)]] explicit CallbackError(const char* format, ...) noexcept;
  const char* what() const noexcept override { return text_; }

 private:
  char text_[128];
};

// Runs f() -> vmx_status and turns what it throws into a status: nothing leaves the C ABI.
template <class F>
vmx_status guarded(F&& f) noexcept {
  try {
    return std::forward<F>(f)();
  } catch (const std::bad_alloc&) {
    return fail(VMX_ERR_MEMORY, "an allocation failed");
  } catch (const CallbackError& error) {
    return fail(VMX_ERR_CALLBACK, "%s", error.what());
  } catch (const std::exception& error) {
    return fail(VMX_ERR_INTERNAL, "internal error: %s", error.what());
  } catch (...) {
    return fail(VMX_ERR_INTERNAL, "internal error of an unknown kind");
  }
}

}  // namespace vmx

// Returns from the enclosing function unless the expression is VMX_OK. Each use has its own variable, since
// the expression may hold a lambda with another VMX_TRY in it.
#define VMX_TRY(...) VMX_TRY_NAMED_(__COUNTER__, __VA_ARGS__)
#define VMX_TRY_NAMED_(number, ...) VMX_TRY_PASTED_(number, __VA_ARGS__)
#define VMX_TRY_PASTED_(number, ...)                                                 \
  do {                                                                               \
    if (const vmx_status tried_##number = (__VA_ARGS__); tried_##number != VMX_OK) { \
      return tried_##number;                                                         \
    }                                                                                \
  } while (false)
