// SPDX-License-Identifier: Apache-2.0
#include "peers/blas.hpp"

#if VMX_BENCH_BLAS
#  include <cblas.h>
#endif
#if defined(__linux__)
#  include <dlfcn.h>
#endif

namespace bench::blas {

#if VMX_BENCH_BLAS

bool available() { return true; }

namespace {

void* symbol(const char* name) {
#  if defined(__linux__)
  return dlsym(RTLD_DEFAULT, name);
#  else
  (void)name;
  return nullptr;
#  endif
}

}  // namespace

std::string name() {
  using Text = char* (*)();
  void* const config = symbol("openblas_get_config");
  if (!config) return "CBLAS";
  std::string text = reinterpret_cast<Text>(config)();  // "OpenBLAS 0.3.21 NO_AFFINITY ... Zen MAX_THREADS=64"
  text = text.substr(0, text.find(' ', text.find(' ') + 1));
  if (void* const core = symbol("openblas_get_corename")) text += std::string(" ") + reinterpret_cast<Text>(core)();
  return text;
}

void set_threads(int threads) {
  if (void* const set = symbol("openblas_set_num_threads")) reinterpret_cast<void (*)(int)>(set)(threads);
}

void sgemm(const float* a, const float* b, float* c, int64_t m, int64_t n, int64_t k, bool transposed_a,
           bool transposed_b) {
  const auto number = [](int64_t value) { return static_cast<int>(value); };
  cblas_sgemm(CblasRowMajor, transposed_a ? CblasTrans : CblasNoTrans, transposed_b ? CblasTrans : CblasNoTrans,
              number(m), number(n), number(k), 1.0f, a, number(transposed_a ? m : k), b,
              number(transposed_b ? k : n), 0.0f, c, number(n));
}

#else

bool available() { return false; }
std::string name() { return ""; }
void set_threads(int) {}
void sgemm(const float*, const float*, float*, int64_t, int64_t, int64_t, bool, bool) {}

#endif

}  // namespace bench::blas
