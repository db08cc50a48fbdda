// SPDX-License-Identifier: Apache-2.0
// Matrix products of oneDNN, made once per shape and kept: C[m, n] = A[m, k] B[k, n], each run by the calling thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace vmx {

// How a factor lies in memory. plain: rows one after the other, ld elements apart. transposed: columns so. panels: see
// packed_weights.hpp (B alone; ld is not looked at).
enum class Layout : int32_t { plain, transposed, panels };

struct ProductShape {
  int64_t m, n, k;
  int64_t lda, ldb, ldc;
  int32_t dtype;  // of A and B: VMX_F32 or VMX_BF16; C and the bias are f32
  Layout a, b;
  bool bias;        // adds bias[n] to each row
  bool accumulate;  // adds to what C holds

  bool operator==(const ProductShape&) const = default;
};

class MatrixProduct {
 public:
  // The product of that shape; NULL if oneDNN has none for these layouts. Takes memory outside any workspace when a shape is
  // met for the first time. Only while a OneThread lives, as run().
  static std::shared_ptr<const MatrixProduct> get(const ProductShape& shape);

  // What run() needs beside its operands, aligned to 64 bytes.
  size_t scratch_bytes() const noexcept { return scratch_bytes_; }

  // Any number of threads may run one product at the same time, each with its own scratch.
  void run(const void* a, const void* b, const float* bias, float* c, void* scratch) const;

  ~MatrixProduct();
  MatrixProduct(const MatrixProduct&) = delete;
  MatrixProduct& operator=(const MatrixProduct&) = delete;

 private:
  struct Parts;
  explicit MatrixProduct(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  size_t scratch_bytes_;
};

// "2.6.3" of the library at run time.
const char* onednn_version() noexcept;
// Whether oneDNN multiplies by AVX-512 here.
bool onednn_has_avx512() noexcept;
// Whether oneDNN multiplies bf16 by instructions made for it.
bool onednn_has_bf16() noexcept;

}  // namespace vmx
