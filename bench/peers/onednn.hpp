// SPDX-License-Identifier: Apache-2.0
// oneDNN as a user would call it. Every maker returns an empty function where oneDNN has no (quick) implementation.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace bench::onednn {

// "2.6.3".
std::string version();

// Threads that oneDNN may use from now on, on the calling thread.
void set_threads(int threads);

// y = softmax(x) or log softmax(x) of each row, both [rows, cols] of a dtype (VMX_F32, VMX_BF16); y may be x.
std::function<void()> softmax(const void* x, void* y, int64_t rows, int64_t cols, int32_t dtype, bool logarithm);

// How the second factor lies: row by row, column by column, or in a layout of oneDNN's choice, made once beforehand.
enum class B { rows, columns, packed };

// c[m, n] = a[m, k] b[k, n], f32 accumulated and stored; a and b of one dtype. transposed_a: a lies column by column.
std::function<void()> matmul(const void* a, const void* b, float* c, int64_t m, int64_t n, int64_t k, int32_t dtype,
                             bool transposed_a, B layout);

// The same for f32 by the BLAS-like entry point. transposed: lies column by column.
std::function<void()> sgemm(const float* a, const float* b, float* c, int64_t m, int64_t n, int64_t k, bool transposed_a,
                            bool transposed_b);

// Whether matmul() of bf16 is to be had.
bool has_bf16();

}  // namespace bench::onednn
