// SPDX-License-Identifier: Apache-2.0
#include "sources/matmul.hpp"

#if VMX_WITH_ONEDNN

#include <vastmax/vastmax.h>

#include <oneapi/dnnl/dnnl.hpp>

#include <atomic>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace vmx {
namespace {

using dnnl::memory;

// Never destroyed: calls of other static objects' destructors may still need it.
const dnnl::engine& engine() {
  static const dnnl::engine* const made = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *made;
}

// A CPU stream holds no state of a run.
const dnnl::stream& stream() {
  static const dnnl::stream* const made = new dnnl::stream(engine());
  return *made;
}

memory::data_type data_type(int32_t dtype) {
  return dtype == VMX_BF16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc describe(int64_t rows, int64_t cols, int64_t ld, Layout layout, int32_t dtype) {
  const memory::data_type type = data_type(dtype);
  switch (layout) {
    case Layout::transposed: return memory::desc({rows, cols}, type, memory::dims{1, ld});
    case Layout::panels:
      return memory::desc({rows, cols}, type,
                          dtype == VMX_BF16 ? memory::format_tag::BA16a64b2a : memory::format_tag::BA16a64b);
    default: return memory::desc({rows, cols}, type, memory::dims{ld, 1});
  }
}

// oneDNN's sgemm for AVX and AVX2 may point the stack pointer at a buffer on the heap. A signal handler that comes meanwhile, and
// has no stack of its own, writes its frame over whatever lies in front of that buffer. So signals wait for the product's end, all
// but those that a fault of this thread raises.
class SignalsHeld {
 public:
  explicit SignalsHeld(bool hold) noexcept {
#if defined(__unix__) || defined(__APPLE__)
    if (!hold) return;
    sigset_t most;
    sigfillset(&most);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&most, fault);
    held_ = pthread_sigmask(SIG_BLOCK, &most, &before_) == 0;
#else
    (void)hold;
#endif
  }
  ~SignalsHeld() {
#if defined(__unix__) || defined(__APPLE__)
    if (held_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
#endif
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

#if defined(__unix__) || defined(__APPLE__)
 private:
  sigset_t before_;
  bool held_ = false;
#endif
};

[[noreturn]] void rethrow(const dnnl::error& error) {
  if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
  throw std::runtime_error(std::string("oneDNN: ") + error.what());
}

}  // namespace

struct MatrixProduct::Parts {
  memory::desc a, b, bias, c, scratch;
  dnnl::matmul primitive;
  bool moves_stack = false;  // see SignalsHeld
};

MatrixProduct::MatrixProduct(std::unique_ptr<Parts> parts)
    : parts_(std::move(parts)), scratch_bytes_(parts_->scratch.get_size()) {}

MatrixProduct::~MatrixProduct() = default;

namespace {

// Every shape made so far, newest first, in lists by hash. Nodes are only ever added, and by one atomic exchange: readers
// take no lock, and a fork in the middle leaves nothing locked. Two threads that make one shape at the same time both add it.
struct Node {
  ProductShape shape;
  std::shared_ptr<const MatrixProduct> product;
  Node* next;
};
constexpr size_t kBuckets = 256;
// A host that goes on inventing shapes gets products of its own beyond this many.
constexpr int64_t kMostKept = 2048;
std::atomic<Node*> kept[kBuckets];
std::atomic<int64_t> kept_count;

size_t bucket_of(const ProductShape& shape) {
  uint64_t hash = 0;
  const auto mix = [&](int64_t value) {
    hash = (hash ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  };
  for (const int64_t value : {shape.m, shape.n, shape.k, shape.lda, shape.ldb, shape.ldc}) mix(value);
  mix(shape.dtype * 64 + static_cast<int64_t>(shape.a) * 16 + static_cast<int64_t>(shape.b) * 4 + shape.bias * 2 +
      shape.accumulate);
  return static_cast<size_t>(hash % kBuckets);
}

}  // namespace

std::shared_ptr<const MatrixProduct> MatrixProduct::get(const ProductShape& shape) {
  const size_t bucket = bucket_of(shape);
  for (const Node* node = kept[bucket].load(std::memory_order_acquire); node; node = node->next) {
    if (node->shape == shape) return node->product;
  }
  std::shared_ptr<const MatrixProduct> made;
  try {
    auto parts = std::make_unique<Parts>();
    parts->a = describe(shape.m, shape.k, shape.lda, shape.a, shape.dtype);
    parts->b = describe(shape.k, shape.n, shape.ldb, shape.b, shape.dtype);
    parts->c = describe(shape.m, shape.n, shape.ldc, Layout::plain, VMX_F32);
    if (shape.bias) parts->bias = memory::desc({1, shape.n}, memory::data_type::f32, memory::dims{shape.n, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (shape.accumulate) {
      dnnl::post_ops after;
      after.append_sum(1.0f);
      attributes.set_post_ops(after);
    }
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc described =
        shape.bias ? dnnl::matmul::primitive_desc(engine(), parts->a, parts->b, parts->bias, parts->c, attributes)
                   : dnnl::matmul::primitive_desc(engine(), parts->a, parts->b, parts->c, attributes);
#else
    const dnnl::matmul::primitive_desc described(
        shape.bias ? dnnl::matmul::desc(parts->a, parts->b, parts->bias, parts->c)
                   : dnnl::matmul::desc(parts->a, parts->b, parts->c),
        attributes, engine());
#endif
    // The reference implementation is no use: it is a thousand times slower.
    if (std::strncmp(described.impl_info_str(), "ref", 3) == 0) return nullptr;
    parts->moves_stack = std::strncmp(described.impl_info_str(), "gemm", 4) == 0;
    parts->scratch = described.scratchpad_desc();
    parts->primitive = dnnl::matmul(described);
    made.reset(new MatrixProduct(std::move(parts)));
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return nullptr;
    rethrow(error);
  }
  if (kept_count.fetch_add(1, std::memory_order_relaxed) < kMostKept) {
    Node* const node = new Node{shape, made, kept[bucket].load(std::memory_order_relaxed)};
    while (!kept[bucket].compare_exchange_weak(node->next, node, std::memory_order_release, std::memory_order_relaxed)) {
    }
  } else {
    kept_count.fetch_sub(1, std::memory_order_relaxed);
  }
  return made;
}

void MatrixProduct::run(const void* a, const void* b, const float* bias, float* c, void* scratch) const {
  const auto view = [](const memory::desc& desc, const void* data) {
    return memory(desc, engine(), const_cast<void*>(data));
  };
  try {
    const memory a_view = view(parts_->a, a), b_view = view(parts_->b, b), c_view = view(parts_->c, c),
                 scratch_view = view(parts_->scratch, scratch);
    const memory bias_view = bias ? view(parts_->bias, bias) : memory();
    dnnl_exec_arg_t arguments[5] = {{DNNL_ARG_SRC, a_view.get()},
                                    {DNNL_ARG_WEIGHTS, b_view.get()},
                                    {DNNL_ARG_DST, c_view.get()},
                                    {DNNL_ARG_SCRATCHPAD, scratch_view.get()},
                                    {DNNL_ARG_BIAS, bias_view.get(true)}};
    const SignalsHeld signals(parts_->moves_stack);
    const dnnl_status_t status =
        dnnl_primitive_execute(parts_->primitive.get(), stream().get(), bias ? 5 : 4, arguments);
    if (status != dnnl_success) throw dnnl::error(status, "a matrix product failed");
  } catch (const dnnl::error& error) {
    rethrow(error);
  }
}

const char* onednn_version() noexcept {
  struct Text {
    char text[48];
    Text() noexcept {
      const dnnl_version_t* const version = dnnl_version();
      std::snprintf(text, sizeof text, "%d.%d.%d", static_cast<int>(version->major), static_cast<int>(version->minor),
                    static_cast<int>(version->patch));
    }
  };
  static const Text made;
  return made.text;
}

namespace {

// Each ISA's number holds the bits of those it includes.
bool has_isa(dnnl_cpu_isa_t isa) noexcept {
  const auto needed = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl_get_effective_cpu_isa()) & needed) == needed;
}

}  // namespace

bool onednn_has_avx512() noexcept { return has_isa(dnnl_cpu_isa_avx512_core); }
bool onednn_has_bf16() noexcept { return has_isa(dnnl_cpu_isa_avx512_core_bf16); }

}  // namespace vmx

#endif
