// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// Statuses, messages, and structs of other sizes than ours.
#include "core/options.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace vmx;

std::string message() {
  char text[512];
  vmx_last_error(text, sizeof text);
  return text;
}

template <class T>
using Init = vmx_status (*)(T*, size_t);

template <class T>
void check_init(Init<T> init, const T& from_macro) {
  EXPECT_EQ(from_macro.struct_size, sizeof(T));
  T filled;
  std::memset(&filled, 0xab, sizeof filled);
  ASSERT_EQ(init(&filled, sizeof filled), VMX_OK);
  EXPECT_EQ(std::memcmp(&filled, &from_macro, sizeof(T)), 0);

  // A caller with a newer header: the tail is zeroed, and nothing behind it is touched.
  std::vector<unsigned char> larger(sizeof(T) + 24, 0xab);
  ASSERT_EQ(init(reinterpret_cast<T*>(larger.data()), sizeof(T) + 16), VMX_OK);
  size_t size;
  std::memcpy(&size, larger.data(), sizeof size);
  EXPECT_EQ(size, sizeof(T) + 16);
  EXPECT_EQ(std::memcmp(larger.data() + sizeof size, reinterpret_cast<const char*>(&from_macro) + sizeof size,
                        sizeof(T) - sizeof size),
            0);
  for (size_t i = sizeof(T); i < sizeof(T) + 16; ++i) EXPECT_EQ(larger[i], 0);
  for (size_t i = sizeof(T) + 16; i < larger.size(); ++i) EXPECT_EQ(larger[i], 0xab);
  T read;
  EXPECT_EQ(read_options(reinterpret_cast<const T*>(larger.data()), "options", &read), VMX_OK);
  EXPECT_EQ(read.struct_size, sizeof(T));

  T untouched;
  std::memset(&untouched, 0xab, sizeof untouched);
  const T before = untouched;
  for (const size_t wrong : {size_t{0}, sizeof(size_t), sizeof(T) - 1, SIZE_MAX}) {
    EXPECT_EQ(init(&untouched, wrong), VMX_ERR_STRUCT);
    EXPECT_EQ(std::memcmp(&untouched, &before, sizeof(T)), 0);
  }
  EXPECT_EQ(init(nullptr, sizeof(T)), VMX_ERR_NULL);
}

TEST(Options, InitFunctionsFillAsTheMacrosDo) {
  check_init<vmx_context_options>(vmx_context_options_init, VMX_CONTEXT_OPTIONS_INIT);
  check_init<vmx_softmax_options>(vmx_softmax_options_init, VMX_SOFTMAX_OPTIONS_INIT);
  check_init<vmx_lse_options>(vmx_lse_options_init, VMX_LSE_OPTIONS_INIT);
  check_init<vmx_cross_entropy_options>(vmx_cross_entropy_options_init, VMX_CROSS_ENTROPY_OPTIONS_INIT);
  check_init<vmx_cross_entropy_out>(vmx_cross_entropy_out_init, VMX_CROSS_ENTROPY_OUT_INIT);
  check_init<vmx_topk_options>(vmx_topk_options_init, VMX_TOPK_OPTIONS_INIT);
  check_init<vmx_sampler_options>(vmx_sampler_options_init, VMX_SAMPLER_OPTIONS_INIT);
  check_init<vmx_draw_options>(vmx_draw_options_init, VMX_DRAW_OPTIONS_INIT);
  check_init<vmx_linear>(vmx_linear_init, VMX_LINEAR_INIT);
  check_init<vmx_linear_grads>(vmx_linear_grads_init, VMX_LINEAR_GRADS_INIT);
  check_init<vmx_sparse_rows>(vmx_sparse_rows_init, VMX_SPARSE_ROWS_INIT);
  check_init<vmx_update_options>(vmx_update_options_init, VMX_UPDATE_OPTIONS_INIT);
  EXPECT_EQ(vmx_softmax_options_init(nullptr, 8), VMX_ERR_NULL);
  EXPECT_EQ(message(), "vmx_softmax_options_init: the struct to fill is NULL");
}

// A struct as it may look some releases on: two fields were added.
struct Grown {
  size_t struct_size;
  int32_t a, b;
  int64_t added;
  int32_t added_too, added_last;
};
constexpr size_t kFirst = offsetof(Grown, added);
constexpr Grown kDefaults{sizeof(Grown), 1, 2, 0, 0, 0};

vmx_status read(const void* bytes, Grown* out) {
  return read_options(static_cast<const Grown*>(bytes), "options", kFirst, kDefaults, out);
}

TEST(Options, StructsOfOtherSizes) {
  Grown out;
  ASSERT_EQ(read(nullptr, &out), VMX_OK);
  EXPECT_EQ(out.a, 1);
  EXPECT_EQ(out.struct_size, sizeof(Grown));

  struct alignas(Grown) {
    unsigned char bytes[sizeof(Grown) + 16] = {};
  } given;
  const auto set_size = [&](size_t size) { std::memcpy(given.bytes, &size, sizeof size); };
  Grown full{0, 10, 20, 30, 40, 50};
  std::memcpy(given.bytes, &full, sizeof full);
  for (size_t size = 0; size < kFirst; ++size) {
    set_size(size);
    EXPECT_EQ(read(given.bytes, &out), VMX_ERR_STRUCT);
  }
  EXPECT_EQ(message(), "options.struct_size is 15, but must be at least 16");

  // Old callers: what lies behind their struct is not read.
  set_size(kFirst);
  ASSERT_EQ(read(given.bytes, &out), VMX_OK);
  EXPECT_EQ(out.b, 20);
  EXPECT_EQ(out.added, 0);
  EXPECT_EQ(out.added_last, 0);
  set_size(offsetof(Grown, added_too));
  ASSERT_EQ(read(given.bytes, &out), VMX_OK);
  EXPECT_EQ(out.added, 30);
  EXPECT_EQ(out.added_too, 0);
  set_size(sizeof(Grown));
  ASSERT_EQ(read(given.bytes, &out), VMX_OK);
  EXPECT_EQ(out.added_last, 50);

  // Newer callers: fine as long as they leave at zero what is unknown here.
  set_size(sizeof(Grown) + 16);
  ASSERT_EQ(read(given.bytes, &out), VMX_OK);
  EXPECT_EQ(out.struct_size, sizeof(Grown));
  for (size_t i = 0; i < 16; ++i) {
    given.bytes[sizeof(Grown) + i] = 1;
    EXPECT_EQ(read(given.bytes, &out), VMX_ERR_STRUCT);
    given.bytes[sizeof(Grown) + i] = 0;
  }
  given.bytes[sizeof(Grown) + 8] = 1;
  set_size(sizeof(Grown) + 8);  // the byte set lies behind
  EXPECT_EQ(read(given.bytes, &out), VMX_OK);

  for (const size_t garbage : {kMaxStructSize + 1, SIZE_MAX}) {
    set_size(garbage);
    EXPECT_EQ(read(given.bytes, &out), VMX_ERR_STRUCT);
  }
}

TEST(Options, Flags) {
  EXPECT_EQ(check_flags("options", 3, 3, 0), VMX_OK);
  EXPECT_EQ(check_flags("options", 0, 0, 0), VMX_OK);
  EXPECT_EQ(check_flags("options", 7, 3, 0), VMX_ERR_VALUE);
  EXPECT_EQ(message(), "options.flags has unknown bits 0x4");
  EXPECT_EQ(check_flags("options", 0, 3, 1), VMX_ERR_VALUE);
}

TEST(Status, Texts) {
  std::vector<std::string> seen;
  for (vmx_status status = VMX_OK; status <= VMX_ERR_INTERNAL; ++status) {
    const std::string text = vmx_status_string(status);
    EXPECT_NE(text, "unknown status");
    for (const std::string& other : seen) EXPECT_NE(text, other);
    seen.push_back(text);
  }
  for (const vmx_status other : {-1, VMX_ERR_INTERNAL + 1, std::numeric_limits<int32_t>::min()}) {
    EXPECT_STREQ(vmx_status_string(other), "unknown status");
  }
}

TEST(Status, Version) {
  EXPECT_EQ(vmx_version(), VMX_VERSION);
  EXPECT_EQ(vmx_version_string(), std::to_string(VMX_VERSION_MAJOR) + "." +
                                      std::to_string(VMX_VERSION_MINOR) + "." +
                                      std::to_string(VMX_VERSION_PATCH));
}

TEST(Status, LastErrorBelongsToTheThread) {
  fail(VMX_ERR_VALUE, "%s is %d", "k", 7);
  EXPECT_EQ(message(), "k is 7");
  std::thread([] {
    EXPECT_EQ(message(), "");
    EXPECT_EQ(vmx_last_error(nullptr, 0), 0u);
    fail(VMX_ERR_VALUE, "other");
  }).join();
  EXPECT_EQ(message(), "k is 7");
  EXPECT_EQ(vmx_last_error(nullptr, 0), 6u);
  EXPECT_EQ(vmx_last_error(nullptr, 9), 6u);
  char text[8];
  std::memset(text, 'x', sizeof text);
  EXPECT_EQ(vmx_last_error(text, 0), 6u);
  EXPECT_EQ(text[0], 'x');
  EXPECT_EQ(vmx_last_error(text, 4), 6u);
  EXPECT_STREQ(text, "k i");
  EXPECT_EQ(text[4], 'x');
}

TEST(Status, MessagesNameTheFunctionAndAreCut) {
  const std::string argument(1000, 'y');
  {
    const ApiCall call("vmx_softmax");
    {
      const ApiCall inner("vmx_logsumexp");
      fail(VMX_ERR_SHAPE, "%s", "inner");
      EXPECT_EQ(message(), "vmx_logsumexp: inner");
    }
    EXPECT_EQ(fail(VMX_ERR_SHAPE, "%s", argument.c_str()), VMX_ERR_SHAPE);
    EXPECT_EQ(message(), ("vmx_softmax: " + argument).substr(0, 511));
  }
  fail(VMX_ERR_SHAPE, "plain");
  EXPECT_EQ(message(), "plain");
}

TEST(Status, NothingIsThrownThroughTheBoundary) {
  EXPECT_EQ(guarded([] { return vmx_status{VMX_ERR_LABEL}; }), VMX_ERR_LABEL);
  EXPECT_EQ(guarded([]() -> vmx_status { throw std::bad_alloc(); }), VMX_ERR_MEMORY);
  EXPECT_EQ(guarded([]() -> vmx_status { throw CallbackError("returned %d", 5); }), VMX_ERR_CALLBACK);
  EXPECT_EQ(message(), "returned 5");
  EXPECT_EQ(guarded([]() -> vmx_status { throw std::runtime_error("oops"); }), VMX_ERR_INTERNAL);
  EXPECT_EQ(message(), "internal error: oops");
  EXPECT_EQ(guarded([]() -> vmx_status { throw 7; }), VMX_ERR_INTERNAL);
}

TEST(Status, TryInsideTry) {
  const auto inner = [](vmx_status status) -> vmx_status {
    VMX_TRY(guarded([&]() -> vmx_status {
      VMX_TRY(status);
      return VMX_OK;
    }));
    return VMX_ERR_INTERNAL;
  };
  EXPECT_EQ(inner(VMX_ERR_SIZE), VMX_ERR_SIZE);
  EXPECT_EQ(inner(VMX_OK), VMX_ERR_INTERNAL);
}

}  // namespace
