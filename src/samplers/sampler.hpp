// SPDX-License-Identifier: Apache-2.0
// What all samplers share: the distribution of a row, from which classes are drawn and whose probabilities are told.
#pragma once

#include "core/context.hpp"
#include "core/philox.hpp"
#include "core/status.hpp"
#include "core/checked.hpp"
#include "core/int128.hpp"
#include "samplers/race.hpp"
#include "targets/table.hpp"

#include <vastmax/vastmax.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace vmx {

/// Places that one call draws at most; buffers have room for so many.
constexpr int64_t kDrawBatch = 1024;

/// The streams of random words of one row (header: vmx_sampler).
struct DrawStreams {
  WordStream words;   // of the draws
  WordStream again;   // of draws whose first word was rejected
  NoiseStreams noise;  // of races
  WordStream tries;   // of the number of draws that a race stands for
};
DrawStreams draw_streams(uint64_t seed, int64_t step, int64_t row);

/// A distribution over classes.
class Proposal {
 public:
  /// ids[0 .. n): the draws of places [first, first + n). first a multiple of 64, n at most kDrawBatch; ids has room for n rounded
  /// up to 64.
  virtual void draw(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, int32_t* ids) const = 0;
  /// log_q[0 .. n) of classes; n at most kDrawBatch; ids and log_q have room for n rounded up to 64.
  virtual void log_q(const KernelTable& kernels, int32_t* ids, int64_t n, double* log_q) const = 0;

 protected:
  ~Proposal() = default;
};

/// An array in a sampler's memory, of the allocator that its context had.
template <class T>
class Table {
 public:
  Table() = default;
  Table(const vmx_context& memory, int64_t n) : memory_(memory), bytes_(saturating_mul(static_cast<size_t>(n), sizeof(T))) {
    static_assert(std::is_trivially_copyable_v<T>);
    data_ = static_cast<T*>(allocate(memory_, bytes_));
  }
  Table(Table&& other) noexcept
      : memory_(other.memory_), bytes_(std::exchange(other.bytes_, 0)), data_(std::exchange(other.data_, nullptr)) {}
  Table& operator=(Table&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Table() {
    if (data_) release(memory_, data_, bytes_);
  }

  T* data() const { return data_; }
  T& operator[](int64_t i) const { return data_[i]; }
  size_t bytes() const { return bytes_; }
  void clear() const {
    if (bytes_ > 0) std::memset(static_cast<void*>(data_), 0, bytes_);
  }

 private:
  vmx_context memory_{};
  size_t bytes_ = 0;
  T* data_ = nullptr;
};

}  // namespace vmx

/// Options are checked. Draws and log_q may run side by side; update and observe alone.
struct vmx_sampler {
  const int32_t kind;
  const int64_t classes;
  const int64_t dim;  // of the embeddings; 0 where there are none
  const vmx_context memory;  // its allocator alone is used: the context that made this may be gone

  vmx_sampler(const vmx_context& ctx, const vmx_sampler_options& options);
  virtual ~vmx_sampler() = default;
  vmx_sampler(const vmx_sampler&) = delete;
  vmx_sampler& operator=(const vmx_sampler&) = delete;

  virtual size_t bytes() const = 0;
  bool needs_hidden() const { return kind >= VMX_SAMPLER_MIDX; }
  /// Classes that can be drawn, as far as known beforehand.
  virtual int64_t positive() const { return classes; }

  /// What a row's distribution takes of a worker's memory; rows of hidden come as f32.
  virtual size_t proposal_bytes() const { return 0; }
  /// The distribution of a row, NULL if it has flags (VMX_ROW_*) that forbid to draw. Not for EXACT.
  virtual const vmx::Proposal* proposal(const vmx::KernelTable& kernels, const float* hidden, void* memory,
                                        uint32_t* flags) const = 0;

  /// Whether it reads a caller's embeddings at each draw.
  virtual bool kept_view(vmx_matrix*) const { return false; }
  virtual void update(const vmx_context&, const vmx_matrix&, const vmx_ids*) {}

  size_t self = 0;  // bytes of this object
};

namespace vmx {

template <class Sampler>
vmx_sampler* make_sampler(const vmx_context& ctx, const vmx_sampler_options& options) {
  void* const memory = allocate(ctx, sizeof(Sampler));
  try {
    Sampler* const made = ::new (memory) Sampler(ctx, options);
    made->self = sizeof(Sampler);
    return made;
  } catch (...) {
    release(ctx, memory, sizeof(Sampler));
    throw;
  }
}
vmx_sampler* create_uniform(const vmx_context& ctx, const vmx_sampler_options& options);
vmx_sampler* create_log_uniform(const vmx_context& ctx, const vmx_sampler_options& options);
vmx_sampler* create_weights(const vmx_context& ctx, const vmx_sampler_options& options);
vmx_sampler* create_in_batch(const vmx_context& ctx, const vmx_sampler_options& options);
vmx_sampler* create_midx(const vmx_context& ctx, const vmx_sampler_options& options);
vmx_sampler* create_quadratic(const vmx_context& ctx, const vmx_sampler_options& options);
vmx_sampler* create_exact(const vmx_context& ctx, const vmx_sampler_options& options);

/// By the kind, which is one of VMX_SAMPLER_*.
vmx_sampler* create_sampler(const vmx_context& ctx, const vmx_sampler_options& options);
void destroy_sampler(vmx_sampler* sampler) noexcept;

/// A distribution that no row changes.
class FixedSampler : public vmx_sampler, public Proposal {
 public:
  using vmx_sampler::vmx_sampler;
  const Proposal* proposal(const KernelTable&, const float*, void*, uint32_t*) const final { return this; }
};

/// Cells of equal probability, exactly uniform: draw_cells with rejection.
void draw_exact_cells(const KernelTable& kernels, const DrawStreams& streams, int64_t first, int64_t n, uint32_t range,
                      int32_t* index, uint32_t* fraction);

}  // namespace vmx
