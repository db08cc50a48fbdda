// SPDX-License-Identifier: Apache-2.0
// The kernels as people write them by hand, over [rows, cols] of VMX_F32 or VMX_BF16.
#pragma once

#include <cstdint>

namespace bench {

struct RowLoops {
  const char* name;
  void (*logsumexp)(const void* x, int64_t rows, int64_t cols, int32_t dtype, float* lse);
  // y may be x.
  void (*softmax)(const void* x, void* y, int64_t rows, int64_t cols, int32_t dtype, bool logarithm);
  // loss[r] = lse - x[label]; grad (NULL: not wanted, may be x) = (softmax - 1 at the label) * scale.
  void (*cross_entropy)(const void* x, const int32_t* labels, int64_t rows, int64_t cols, int32_t dtype, float* loss,
                        void* grad, float scale);
  // A softmax over `target` and m negatives z, which may hold -inf: returns the loss; with target_grad (NULL: not wanted) the
  // gradient replaces z.
  float (*sampled_row)(float* z, int64_t m, float target, float scale, float* target_grad);
  // z[j] = h . row ids[j] of the table
  void (*gather_dots)(const float* h, const float* table, const int32_t* ids, int64_t m, int64_t dim, float* z);
  // sum += factor * x
  void (*add_scaled)(float factor, const float* x, int64_t n, float* sum);
};

// The textbook: one loop for the maximum, one for the sum, one for the result, and the C library's expf.
extern const RowLoops naive_loops;

// The same with care: blocks of a row that stay in the first cache, vectors by "omp simd", and the vector expf that comes
// with the C library. Each ISA's is compiled in a file of its own.
extern const RowLoops simd_loops_portable;
extern const RowLoops simd_loops_avx2;
extern const RowLoops simd_loops_avx512;
const RowLoops& simd_loops();

}  // namespace bench
