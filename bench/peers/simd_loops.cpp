// SPDX-License-Identifier: Apache-2.0
#include "peers/row_loops.hpp"

#include "probes/loops.hpp"

#include <cstring>

namespace bench {

const RowLoops& simd_loops() {
#if defined(__x86_64__)
  if (!std::strcmp(probe_loops().isa, "avx512")) return simd_loops_avx512;
  if (!std::strcmp(probe_loops().isa, "avx2")) return simd_loops_avx2;
#endif
  return simd_loops_portable;
}

}  // namespace bench
