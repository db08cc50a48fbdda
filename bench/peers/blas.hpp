// SPDX-License-Identifier: Apache-2.0
// The "BLAS baseline": any library with the CBLAS interface.
#pragma once

#include <cstdint>
#include <string>

namespace bench::blas {

// Whether the build found one.
bool available();
// "OpenBLAS 0.3.21 Zen" where it tells, else what CMake found.
std::string name();
// Where the library has such a setting.
void set_threads(int threads);

// c[m, n] = a[m, k] b[k, n], row by row; transposed: lies column by column.
void sgemm(const float* a, const float* b, float* c, int64_t m, int64_t n, int64_t k, bool transposed_a, bool transposed_b);

}  // namespace bench::blas
