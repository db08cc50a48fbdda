// SPDX-License-Identifier: Apache-2.0
// ctest-labels: sanitize
// ISAs, contexts, memory hooks, workspaces.
#include "core/context.hpp"

#include "core/cpu.hpp"
#include "core/workspace.hpp"
#include "targets/table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__linux__)
#  include <dirent.h>
#  include <sys/wait.h>
#  include <unistd.h>
#endif

namespace {

using namespace vmx;

std::string message() {
  char text[512];
  vmx_last_error(text, sizeof text);
  return text;
}

class Environment {
 public:
  explicit Environment(const char* value) { setenv("VASTMAX_ISA", value, 1); }
  ~Environment() { unsetenv("VASTMAX_ISA"); }
};

// ---- ISAs

constexpr uint32_t bit(int i) { return uint32_t{1} << i; }

TEST(Cpu, EveryFeatureAndRegisterStateIsNeeded) {
  const CpuReport full{~uint32_t{0}, ~uint32_t{0}, ~uint64_t{0}};
  EXPECT_TRUE(cpu_runs(full, VMX_ISA_AVX512));
  EXPECT_TRUE(cpu_runs(full, VMX_ISA_AVX2));
  EXPECT_TRUE(cpu_runs({}, VMX_ISA_SCALAR));
  EXPECT_FALSE(cpu_runs(full, 0));
  EXPECT_FALSE(cpu_runs(full, 4));
  EXPECT_FALSE(cpu_runs(full, -1));

  // Bit numbers as the processor's manual gives them.
  const struct {
    const char* name;
    int ecx, ebx, xcr0;
    bool avx2;  // AVX2 needs it too
  } needed[] = {
      {"SSE3", 0, -1, -1, true},       {"SSSE3", 9, -1, -1, true},          {"FMA", 12, -1, -1, true},
      {"SSE4.1", 19, -1, -1, true},    {"SSE4.2", 20, -1, -1, true},        {"POPCNT", 23, -1, -1, true},
      {"AVX", 28, -1, -1, true},       {"F16C", 29, -1, -1, true},          {"AVX2", -1, 5, -1, true},
      {"xmm state", -1, -1, 1, true},  {"ymm state", -1, -1, 2, true},      {"AVX512F", -1, 16, -1, false},
      {"AVX512DQ", -1, 17, -1, false}, {"AVX512BW", -1, 30, -1, false},     {"AVX512VL", -1, 31, -1, false},
      {"opmask", -1, -1, 5, false},    {"zmm0-15 upper", -1, -1, 6, false}, {"zmm16-31", -1, -1, 7, false},
  };
  CpuReport least{};
  for (const auto& one : needed) {
    CpuReport without = full;
    if (one.ecx >= 0) without.leaf1_ecx &= ~bit(one.ecx), least.leaf1_ecx |= bit(one.ecx);
    if (one.ebx >= 0) without.leaf7_ebx &= ~bit(one.ebx), least.leaf7_ebx |= bit(one.ebx);
    if (one.xcr0 >= 0) without.xcr0 &= ~uint64_t{bit(one.xcr0)}, least.xcr0 |= bit(one.xcr0);
    EXPECT_FALSE(cpu_runs(without, VMX_ISA_AVX512)) << one.name;
    EXPECT_EQ(cpu_runs(without, VMX_ISA_AVX2), !one.avx2) << one.name;
  }
  EXPECT_TRUE(cpu_runs(least, VMX_ISA_AVX512));
}

#if defined(__x86_64__)
TEST(Cpu, AsTheCompilerSeesIt) {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  EXPECT_EQ(vmx_isa_usable(VMX_ISA_AVX2) != 0, avx2);
  EXPECT_EQ(vmx_isa_usable(VMX_ISA_AVX512) != 0, avx512);
}
#endif

TEST(Isa, Listing) {
  const int32_t count = vmx_isa_count();
  ASSERT_GE(count, 1);
  EXPECT_EQ(vmx_isa_id(0), VMX_ISA_SCALAR);
  int32_t best = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t isa = vmx_isa_id(i);
    EXPECT_GT(isa, i == 0 ? 0 : vmx_isa_id(i - 1));
    EXPECT_STRNE(vmx_isa_name(isa), "unknown");
    EXPECT_NE(kernel_table(isa), nullptr);
    EXPECT_EQ(isa_by_name(vmx_isa_name(isa)), isa);
    if (vmx_isa_usable(isa)) best = isa;
  }
  EXPECT_EQ(vmx_isa_usable(VMX_ISA_SCALAR), 1);
  EXPECT_EQ(vmx_isa_active(nullptr), best);
  EXPECT_EQ(resolve(nullptr).kernels, kernel_table(best));
  EXPECT_EQ(vmx_context_threads(nullptr), 1);
  for (const int32_t i : {-1, count, INT32_MAX}) EXPECT_EQ(vmx_isa_id(i), 0);
  for (const int32_t isa : {-1, 0, 4, 32, INT32_MAX, INT32_MIN}) {
    EXPECT_STREQ(vmx_isa_name(isa), "unknown");
    EXPECT_EQ(vmx_isa_usable(isa), 0);
    EXPECT_EQ(kernel_table(isa), nullptr);
  }
  EXPECT_STREQ(vmx_isa_name(VMX_ISA_SCALAR), "scalar");
  EXPECT_STREQ(vmx_isa_name(VMX_ISA_AVX2), "avx2");
  EXPECT_STREQ(vmx_isa_name(VMX_ISA_AVX512), "avx512");
  EXPECT_EQ(isa_by_name("AVX2"), 0);
}

TEST(Isa, EachUsableOneCanBeChosenAndCapped) {
  for (int32_t isa = VMX_ISA_SCALAR; isa <= VMX_ISA_AVX512; ++isa) {
    vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
    options.isa = isa;
    vmx_context* ctx = nullptr;
    const vmx_status expected = vmx_isa_usable(isa) ? VMX_OK : VMX_ERR_UNSUPPORTED;
    ASSERT_EQ(vmx_context_create(&options, &ctx), expected);
    if (expected == VMX_OK) {
      EXPECT_EQ(vmx_isa_active(ctx), isa);
      EXPECT_EQ(resolve(ctx).kernels, kernel_table(isa));
    } else {
      EXPECT_EQ(ctx, nullptr);
      EXPECT_NE(message().find(vmx_isa_name(isa)), std::string::npos) << message();
    }
    vmx_context_destroy(ctx);
    ctx = nullptr;

    const Environment environment(vmx_isa_name(isa));
    EXPECT_EQ(vmx_context_create(nullptr, &ctx), expected);
    if (expected == VMX_OK) {
      EXPECT_EQ(vmx_isa_active(ctx), isa);
      vmx_context_destroy(ctx);
      options.isa = VMX_ISA_SCALAR;  // the lower of the two
      ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
      EXPECT_EQ(vmx_isa_active(ctx), VMX_ISA_SCALAR);
      vmx_context_destroy(ctx);
    }
    EXPECT_EQ(vmx_isa_active(nullptr), best_isa());  // the NULL context does not look
  }
}

TEST(Isa, CapBelowTheOption) {
  const Environment environment("scalar");
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  options.isa = best_isa();
  vmx_context* ctx = nullptr;
  ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
  EXPECT_EQ(vmx_isa_active(ctx), VMX_ISA_SCALAR);
  vmx_context_destroy(ctx);
}

TEST(Isa, NamesThatAreNone) {
  vmx_context* ctx = nullptr;
  for (const char* name : {"sse", "AVX2", "avx2 ", "best", "3"}) {
    const Environment environment(name);
    EXPECT_EQ(vmx_context_create(nullptr, &ctx), VMX_ERR_VALUE) << name;
    EXPECT_EQ(ctx, nullptr);
    EXPECT_EQ(message(), std::string("vmx_context_create: VASTMAX_ISA is \"") + name +
                             "\", but must be scalar, avx2 or avx512");
  }
  const Environment environment("");  // as good as not set
  EXPECT_EQ(vmx_context_create(nullptr, &ctx), VMX_OK);
  vmx_context_destroy(ctx);
}

// ---- contexts

void* no_alloc(void*, size_t, size_t) { return nullptr; }
void no_free(void*, void*, size_t, size_t) {}

TEST(Context, WrongOptions) {
  vmx_context* const untouched = reinterpret_cast<vmx_context*>(&message);
  const auto status = [&](auto change) {
    vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
    change(options);
    vmx_context* ctx = untouched;
    const vmx_status result = vmx_context_create(&options, &ctx);
    EXPECT_EQ(ctx, untouched) << message();
    return result;
  };
  EXPECT_EQ(status([](auto& o) { o.isa = 4; }), VMX_ERR_VALUE);
  EXPECT_EQ(status([](auto& o) { o.isa = -1; }), VMX_ERR_VALUE);
  EXPECT_EQ(status([](auto& o) { o.threads = -1; }), VMX_ERR_VALUE);
  EXPECT_EQ(status([](auto& o) { o.threads = 1025; }), VMX_ERR_VALUE);
  EXPECT_EQ(message(), "vmx_context_create: options.threads is 1025, but must be from 0 to 1024");
  EXPECT_EQ(status([](auto& o) { o.alloc = no_alloc; }), VMX_ERR_VALUE);
  EXPECT_EQ(status([](auto& o) { o.free = no_free; }), VMX_ERR_VALUE);
  EXPECT_EQ(status([](auto& o) { o.struct_size = 0; }), VMX_ERR_STRUCT);
  EXPECT_EQ(status([](auto& o) { o.alloc = no_alloc, o.free = no_free; }), VMX_ERR_MEMORY);
  EXPECT_EQ(vmx_context_create(nullptr, nullptr), VMX_ERR_NULL);
  EXPECT_EQ(vmx_workspace_create(nullptr, nullptr), VMX_ERR_NULL);
  EXPECT_EQ(vmx_workspace_reserve(nullptr, 1), VMX_ERR_NULL);
  EXPECT_EQ(vmx_workspace_capacity(nullptr), 0u);
  vmx_context_destroy(nullptr);
  vmx_workspace_destroy(nullptr);
}

TEST(Context, Threads) {
  for (const int32_t threads : {0, 1, 2, 5}) {
    vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    vmx_context* ctx = nullptr;
    ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
    EXPECT_EQ(vmx_context_threads(ctx), std::max(threads, 1));
    EXPECT_EQ(ctx->pool != nullptr, threads > 1);
    vmx_context_destroy(ctx);
  }
}

#if defined(__linux__)
int threads_of_process() {
  DIR* const tasks = opendir("/proc/self/task");
  int count = 0;
  while (const dirent* const entry = readdir(tasks)) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

TEST(Context, NoThreadStartsUnasked) {
  const int before = threads_of_process();
  vmx_context* ctx = nullptr;
  ASSERT_EQ(vmx_context_create(nullptr, &ctx), VMX_OK);
  parallel_for(*ctx, 8, [](int64_t) {});
  parallel_for(resolve(nullptr), 8, [](int64_t) {});
  EXPECT_EQ(threads_of_process(), before);
  vmx_context_destroy(ctx);

  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  options.threads = 4;
  ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
  EXPECT_EQ(threads_of_process(), before + 3);
  vmx_context_destroy(ctx);
  // The system may list a joined thread for a moment more.
  for (int i = 0; i < 1000 && threads_of_process() != before; ++i) usleep(1000);
  EXPECT_EQ(threads_of_process(), before);

  // With a parallel_for of the caller's there is no pool.
  options.parallel_for = [](void*, int64_t n, vmx_task task, void* arg) -> int32_t {
    for (int64_t i = 0; i < n; ++i) task(arg, i);
    return 0;
  };
  ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
  EXPECT_EQ(threads_of_process(), before);
  EXPECT_EQ(vmx_context_threads(ctx), 4);
  vmx_context_destroy(ctx);
}

TEST(Context, ForkWithoutAPool) {
  vmx_context* ctx = nullptr;
  vmx_workspace* ws = nullptr;
  ASSERT_EQ(vmx_context_create(nullptr, &ctx), VMX_OK);
  ASSERT_EQ(vmx_workspace_create(ctx, &ws), VMX_OK);
  ASSERT_EQ(vmx_workspace_reserve(ws, 1000), VMX_OK);
  const pid_t child = fork();
  if (child == 0) {
    int64_t sum = 0;
    bool fine = resolve(nullptr).isa == best_isa() && vmx_workspace_reserve(ws, 100000) == VMX_OK;
    parallel_for(*ctx, 10, [&](int64_t i) { sum += i; });
    fine = fine && sum == 45 && vmx_context_create(nullptr, nullptr) == VMX_ERR_NULL && !message().empty();
    vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
    options.threads = 3;  // a pool of the child's own
    vmx_context* own = nullptr;
    fine = fine && vmx_context_create(&options, &own) == VMX_OK;
    if (fine) {
      std::vector<int> seen(100);
      parallel_for(*own, 100, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
      fine = std::count(seen.begin(), seen.end(), 1) == 100;
      vmx_context_destroy(own);
    }
    vmx_workspace_destroy(ws);
    vmx_context_destroy(ctx);
    _exit(fine ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  vmx_workspace_destroy(ws);
  vmx_context_destroy(ctx);
}
#endif

// ---- memory

// Counts, checks that free is told what alloc was, and fails when asked.
struct Hooks {
  std::map<void*, size_t> live;
  int calls = 0;
  int fail_at = -1;
  bool faulty = false;

  static void* alloc(void* user, size_t size, size_t alignment) {
    auto& self = *static_cast<Hooks*>(user);
    if (self.calls++ == self.fail_at) return nullptr;
    self.faulty |= alignment < 64 || (alignment & (alignment - 1)) != 0 || size == 0;
    void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    std::memset(memory, 0xee, size);
    self.live[memory] = size;
    return memory;
  }
  static void free(void* user, void* memory, size_t size, size_t alignment) {
    auto& self = *static_cast<Hooks*>(user);
    const auto found = self.live.find(memory);
    self.faulty |= found == self.live.end() || found->second != size || alignment < 64;
    if (found != self.live.end()) self.live.erase(found);
    std::free(memory);
  }
  vmx_context_options options() {
    vmx_context_options o = VMX_CONTEXT_OPTIONS_INIT;
    o.alloc = alloc;
    o.free = free;
    o.alloc_user = this;
    return o;
  }
};

TEST(Memory, FailureOfEachAllocation) {
  const auto run = [](Hooks& hooks) -> vmx_status {
    const vmx_context_options options = hooks.options();
    vmx_context* ctx = nullptr;
    vmx_workspace* ws = nullptr;
    vmx_status status = vmx_context_create(&options, &ctx);
    if (status == VMX_OK) status = vmx_workspace_create(ctx, &ws);
    if (status == VMX_OK) status = vmx_workspace_reserve(ws, 1000);
    if (status == VMX_OK) status = vmx_workspace_reserve(ws, 100000);
    if (status == VMX_OK) {
      status = guarded([&] {
        Scratch scratch(*ctx, nullptr, Scratch::need(100));
        scratch.take<char>(100);
        return vmx_status{VMX_OK};
      });
    }
    if (status == VMX_OK) {
      status = guarded([&] {
        Scratch scratch(*ctx, ws, Scratch::need(1000000));
        scratch.take<char>(1000000);
        return vmx_status{VMX_OK};
      });
    }
    vmx_workspace_destroy(ws);
    vmx_context_destroy(ctx);
    return status;
  };
  Hooks counting;
  ASSERT_EQ(run(counting), VMX_OK);
  EXPECT_TRUE(counting.live.empty());
  EXPECT_FALSE(counting.faulty);
  EXPECT_EQ(counting.calls, 6);
  for (int at = 0; at < counting.calls; ++at) {
    Hooks hooks;
    hooks.fail_at = at;
    EXPECT_EQ(run(hooks), VMX_ERR_MEMORY) << at;
    EXPECT_TRUE(hooks.live.empty()) << at;
    EXPECT_FALSE(hooks.faulty) << at;
  }
}

TEST(Memory, AHookThatThrows) {
  vmx_context_options options = VMX_CONTEXT_OPTIONS_INIT;
  options.alloc = [](void*, size_t, size_t) -> void* { throw 1; };
  options.free = no_free;
  vmx_context* ctx = nullptr;
  EXPECT_EQ(vmx_context_create(&options, &ctx), VMX_ERR_CALLBACK);
}

TEST(Memory, AbsurdSizes) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX / 2 + 1}) {
    EXPECT_THROW(allocate(resolve(nullptr), size), std::bad_alloc);
  }
  EXPECT_EQ(Scratch::need<double>(SIZE_MAX / 8 + 1), SIZE_MAX / 64 * 64);
  vmx_workspace* ws = nullptr;
  ASSERT_EQ(vmx_workspace_create(nullptr, &ws), VMX_OK);
  EXPECT_EQ(vmx_workspace_reserve(ws, SIZE_MAX), VMX_ERR_MEMORY);
  EXPECT_EQ(vmx_workspace_reserve(ws, Scratch::need<double>(SIZE_MAX)), VMX_ERR_MEMORY);
  EXPECT_EQ(vmx_workspace_reserve(ws, 10), VMX_OK);
  EXPECT_GE(vmx_workspace_capacity(ws), 10u);
  vmx_workspace_destroy(ws);
}

TEST(Workspace, WarmCallsAllocateNothing) {
  Hooks hooks;
  const vmx_context_options options = hooks.options();
  vmx_context* ctx = nullptr;
  vmx_workspace* ws = nullptr;
  ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
  ASSERT_EQ(vmx_workspace_create(ctx, &ws), VMX_OK);
  EXPECT_EQ(vmx_workspace_capacity(ws), 0u);
  const size_t bytes =
      Scratch::sum(Scratch::need<float>(1000), Scratch::need<char>(1), Scratch::need<double>(33));
  EXPECT_EQ(bytes, 4032u + 64 + 320);
  ASSERT_EQ(vmx_workspace_reserve(ws, bytes), VMX_OK);
  EXPECT_GE(vmx_workspace_capacity(ws), bytes);
  const int warm = hooks.calls;
  for (int turn = 0; turn < 3; ++turn) {
    Scratch scratch(*ctx, ws, bytes);
    float* const a = scratch.take<float>(1000);
    char* const b = scratch.take<char>(1);
    double* const c = scratch.take<double>(33);
    for (const void* piece : {static_cast<void*>(a), static_cast<void*>(b), static_cast<void*>(c)}) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(piece) % 64, 0u);
    }
    std::fill_n(a, 1000, 1.0f);
    *b = 'b';
    std::fill_n(c, 33, 2.0);
    EXPECT_EQ(a[999], 1.0f);
    EXPECT_EQ(*b, 'b');
    EXPECT_THROW(scratch.take<char>(1), std::logic_error);
  }
  ASSERT_EQ(vmx_workspace_reserve(ws, bytes / 2), VMX_OK);
  EXPECT_EQ(hooks.calls, warm);
  {
    const Scratch none(*ctx, nullptr, 0);
  }
  EXPECT_EQ(hooks.calls, warm);
  {
    const Scratch larger(*ctx, ws, 2 * bytes);
  }
  EXPECT_EQ(hooks.calls, warm + 1);
  EXPECT_EQ(hooks.live.size(), 3u);  // the context, the workspace and one block
  vmx_workspace_destroy(ws);
  vmx_context_destroy(ctx);
  EXPECT_TRUE(hooks.live.empty());
  EXPECT_FALSE(hooks.faulty);
}

TEST(Workspace, AFailedGrowthLeavesItUsable) {
  Hooks hooks;
  const vmx_context_options options = hooks.options();
  vmx_context* ctx = nullptr;
  vmx_workspace* ws = nullptr;
  ASSERT_EQ(vmx_context_create(&options, &ctx), VMX_OK);
  ASSERT_EQ(vmx_workspace_create(ctx, &ws), VMX_OK);
  ASSERT_EQ(vmx_workspace_reserve(ws, 100), VMX_OK);
  hooks.fail_at = hooks.calls;
  EXPECT_EQ(vmx_workspace_reserve(ws, 1000), VMX_ERR_MEMORY);
  hooks.fail_at = hooks.calls;
  EXPECT_THROW(Scratch(*ctx, ws, 1000), std::bad_alloc);
  {
    Scratch again(*ctx, ws, 1000);
    EXPECT_NE(again.take<char>(1000), nullptr);
  }
  EXPECT_GE(vmx_workspace_capacity(ws), 1000u);
  vmx_workspace_destroy(ws);
  vmx_context_destroy(ctx);
  EXPECT_TRUE(hooks.live.empty());
}

// Against the contract, but it must not end in two calls writing to the same scratch.
TEST(Workspace, TwoCallsAtOnce) {
  vmx_workspace* ws = nullptr;
  ASSERT_EQ(vmx_workspace_create(nullptr, &ws), VMX_OK);
  {
    Scratch first(resolve(nullptr), ws, 256), second(resolve(nullptr), ws, 256);
    EXPECT_NE(first.take<char>(256), second.take<char>(256));
    EXPECT_EQ(vmx_workspace_reserve(ws, 10000), VMX_ERR_VALUE);
  }
  EXPECT_EQ(vmx_workspace_reserve(ws, 10000), VMX_OK);
  vmx_workspace_destroy(ws);
}

}  // namespace
