// SPDX-License-Identifier: Apache-2.0
#include "core/status.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace vmx {
namespace {

constexpr size_t kMessageSize = 512;
thread_local char message[kMessageSize];
thread_local const ApiCall* current_call = nullptr;

}  // namespace

vmx_status fail(vmx_status code, const char* format, ...) noexcept {
  size_t length = 0;
  if (current_call) {
    const int written = std::snprintf(message, kMessageSize, "%s: ", current_call->function());
    length = written > 0 ? std::min(static_cast<size_t>(written), kMessageSize - 1) : 0;
  }
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message + length, kMessageSize - length, format, arguments);
  va_end(arguments);
  return code;
}

size_t last_error(char* buf, size_t size) noexcept {
  const size_t length = std::strlen(message);
  if (buf && size > 0) {
    const size_t copied = std::min(length, size - 1);
    std::memcpy(buf, message, copied);
    buf[copied] = '\0';
  }
  return length;
}

const char* status_string(vmx_status status) noexcept {
  switch (status) {
    case VMX_OK: return "ok";
    case VMX_ERR_NULL: return "a required pointer is NULL";
    case VMX_ERR_SHAPE: return "sizes are negative or do not fit each other";
    case VMX_ERR_DTYPE: return "a dtype that this argument cannot have";
    case VMX_ERR_VALUE: return "an option or parameter is outside its range";
    case VMX_ERR_OVERLAP: return "an output overlaps itself, an input or another output";
    case VMX_ERR_SIZE: return "sizes are too large";
    case VMX_ERR_STRUCT: return "a struct has a wrong size or a non-zero tail";
    case VMX_ERR_LABEL: return "a label or class id is out of range";
    case VMX_ERR_UNSUPPORTED: return "this CPU or build lacks what was asked for";
    case VMX_ERR_MEMORY: return "an allocation failed";
    case VMX_ERR_CALLBACK: return "a callback did not do what it must";
    case VMX_ERR_INTERNAL: return "internal error: please report it";
    default: return "unknown status";
  }
}

FpMode ApiCall::caller_mode() noexcept {
  return current_call ? current_call->caller_mode_ : FpMode::of_this_thread();
}

const ApiCall* ApiCall::current() noexcept { return current_call; }

InCall::InCall(const ApiCall* call) noexcept : before_(current_call) { current_call = call; }
InCall::~InCall() { current_call = before_; }

CallbackError::CallbackError(const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text_, sizeof text_, format, arguments);
  va_end(arguments);
}

}  // namespace vmx
