// SPDX-License-Identifier: Apache-2.0
#include "sources/one_thread.hpp"

#if VMX_WITH_ONEDNN

#include <oneapi/dnnl/dnnl_config.h>

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
#  error "oneDNN built on TBB cannot be kept on the calling thread: use a build on OpenMP, sequential or with thread pools"
#endif

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
#  if !defined(_WIN32)
#    include <dlfcn.h>
// Weak: where the runtime is linked statically only the linker knows it.
extern "C" [[gnu::weak]] void omp_set_num_threads(int);
extern "C" [[gnu::weak]] int omp_get_max_threads();
#  else
extern "C" void omp_set_num_threads(int);
extern "C" int omp_get_max_threads();
#  endif
#endif

namespace vmx {

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
namespace {

// Those of the runtime that oneDNN itself is bound to. There may be several in a process (GCC's, LLVM's, Intel's): the
// first in the search order of symbols serves every library, so ours and oneDNN's are the same. We do not link one by name,
// since the compiler's own need not be oneDNN's.
struct Runtime {
  void (*set)(int) = nullptr;
  int (*get)() = nullptr;

  Runtime() noexcept {
    set = omp_set_num_threads;
    get = omp_get_max_threads;
#if !defined(_WIN32)
    if (!set || !get) {
      set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
      get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    }
#endif
  }
};

const Runtime& runtime() noexcept {
  static const Runtime found;
  return found;
}

}  // namespace

bool OneThread::possible() noexcept { return runtime().set && runtime().get; }

OneThread::OneThread() noexcept : before_(0) {
  if (!possible()) return;
  const int threads = runtime().get();
  if (threads == 1) return;
  before_ = threads;
  runtime().set(1);
}

OneThread::~OneThread() {
  if (before_ != 0) runtime().set(before_);
}

#else  // sequential; or with thread pools, none of which is ever given to it

bool OneThread::possible() noexcept { return true; }
OneThread::OneThread() noexcept : before_(0) {}
OneThread::~OneThread() = default;

#endif

}  // namespace vmx

#endif
