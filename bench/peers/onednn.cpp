// SPDX-License-Identifier: Apache-2.0
#include "peers/onednn.hpp"

#include <vastmax/vastmax.h>

#include <oneapi/dnnl/dnnl.hpp>

#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#if defined(__linux__)
#  include <dlfcn.h>
#endif

namespace bench::onednn {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine made(dnnl::engine::kind::cpu, 0);
  return made;
}

memory::data_type type_of(int32_t dtype) { return dtype == VMX_BF16 ? memory::data_type::bf16 : memory::data_type::f32; }

// Data that oneDNN may not change is not const in its interface.
memory wrap(const memory::desc& desc, const void* data) { return memory(desc, engine(), const_cast<void*>(data)); }

bool is_slow(const char* implementation) { return std::strncmp(implementation, "ref", 3) == 0; }

std::function<void()> runner(dnnl::primitive primitive, std::unordered_map<int, memory> arguments) {
  auto stream = std::make_shared<dnnl::stream>(engine());
  return [primitive = std::move(primitive), arguments = std::move(arguments), stream] {
    primitive.execute(*stream, arguments);
    stream->wait();
  };
}

}  // namespace

std::string version() {
  const dnnl_version_t* const v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

void set_threads(int threads) {
#if defined(__linux__)
  // Of the OpenMP runtime that oneDNN is bound to, whichever that is; without one there is nothing to hold back.
  if (void* const set = dlsym(RTLD_DEFAULT, "omp_set_num_threads")) reinterpret_cast<void (*)(int)>(set)(threads);
#else
  (void)threads;
#endif
}

std::function<void()> softmax(const void* x, void* y, int64_t rows, int64_t cols, int32_t dtype, bool logarithm) {
  try {
    const memory::desc desc({rows, cols}, type_of(dtype), memory::format_tag::ab);
    const dnnl::algorithm kind = logarithm ? dnnl::algorithm::softmax_log : dnnl::algorithm::softmax_accurate;
#if DNNL_VERSION_MAJOR >= 3
    using Primitive = dnnl::softmax_forward;
    const Primitive::primitive_desc described(engine(), dnnl::prop_kind::forward_inference, kind, desc, desc, 1);
#else
    using Primitive = dnnl::softmax_v2_forward;
    const Primitive::primitive_desc described({dnnl::prop_kind::forward_inference, kind, desc, desc, 1}, engine());
#endif
    if (is_slow(described.impl_info_str())) return {};
    return runner(Primitive(described), {{DNNL_ARG_SRC, wrap(desc, x)}, {DNNL_ARG_DST, wrap(desc, y)}});
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return {};
    throw;
  }
}

std::function<void()> matmul(const void* a, const void* b, float* c, int64_t m, int64_t n, int64_t k, int32_t dtype,
                             bool transposed_a, B layout) {
  using Tag = memory::format_tag;
  try {
    const memory::desc a_desc({m, k}, type_of(dtype), transposed_a ? Tag::ba : Tag::ab);
    const memory::desc plain_b({k, n}, type_of(dtype), layout == B::rows ? Tag::ab : Tag::ba);
    const memory::desc b_desc = layout == B::packed ? memory::desc({k, n}, type_of(dtype), Tag::any) : plain_b;
    const memory::desc c_desc({m, n}, memory::data_type::f32, Tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc described(engine(), a_desc, b_desc, c_desc);
#else
    const dnnl::matmul::primitive_desc described({a_desc, b_desc, c_desc}, engine());
#endif
    if (is_slow(described.impl_info_str())) return {};
    memory weights = wrap(plain_b, b);
    if (described.weights_desc() != plain_b) {
      const memory packed(described.weights_desc(), engine());
      dnnl::stream stream(engine());
      dnnl::reorder(weights, packed).execute(stream, weights, const_cast<memory&>(packed));
      stream.wait();
      weights = packed;
    }
    return runner(dnnl::matmul(described),
                  {{DNNL_ARG_SRC, wrap(a_desc, a)}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, wrap(c_desc, c)}});
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return {};
    throw;
  }
}

std::function<void()> sgemm(const float* a, const float* b, float* c, int64_t m, int64_t n, int64_t k, bool transposed_a,
                            bool transposed_b) {
  return [=] {
    dnnl_sgemm(transposed_a ? 'T' : 'N', transposed_b ? 'T' : 'N', m, n, k, 1.0f, a, transposed_a ? m : k, b,
               transposed_b ? k : n, 0.0f, c, n);
  };
}

bool has_bf16() {
  std::vector<uint16_t> a(64 * 64), b(64 * 64);
  std::vector<float> c(64 * 64);
  return static_cast<bool>(matmul(a.data(), b.data(), c.data(), 64, 64, 64, VMX_BF16, false, B::packed));
}

}  // namespace bench::onednn
