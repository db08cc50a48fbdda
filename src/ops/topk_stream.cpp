// SPDX-License-Identifier: Apache-2.0
#include "ops/topk_stream.hpp"

#include "core/dtype.hpp"
#include "core/workspace.hpp"
#include "ops/rows.hpp"

#include <algorithm>
#include <cstring>

namespace vmx {
namespace {

bool is_sorted(const TopkShape& shape) { return (shape.flags & VMX_TOPK_UNSORTED) == 0; }
size_t score_size(int32_t dtype) { return dtype == VMX_F64 ? 8 : 4; }

size_t list_room(const TopkShape& shape) {
  return static_cast<size_t>(topk_capacity(shape.k, shape.cols) + kTopkSlack);
}
int64_t maxima_room(const TopkShape& shape) {
  const int64_t blocks = (shape.piece + kTopkBlock - 1) / kTopkBlock;
  return std::clamp<int64_t>(blocks, 1, kTopkBlocks);
}
size_t sort_room(const TopkShape& shape) {
  return is_sorted(shape) ? static_cast<size_t>(std::min(topk_sorted(shape.k), shape.cols + 1)) : 0;
}

struct WorkSizes {
  size_t keys, maxima, hits, pairs, order;
  explicit WorkSizes(const TopkShape& shape) {
    const size_t key = score_size(shape.dtype);
    const auto blocks = static_cast<size_t>(maxima_room(shape));
    const size_t most_keys = std::max({list_room(shape), static_cast<size_t>(kTopkSample + kTopkSlack),
                                       blocks * kTopkLanes + kTopkSlack});
    keys = Scratch::need(saturating_mul(most_keys, key));
    maxima = Scratch::need((blocks + kTopkSlack) * key);
    hits = Scratch::need<int32_t>(blocks + kTopkSlack);
    pairs = Scratch::need(saturating_mul(sort_room(shape), shape.dtype == VMX_F64 ? sizeof(TopkPair64) : sizeof(TopkPair32)));
    order = Scratch::need<int32_t>(sort_room(shape));
  }
  size_t total() const { return Scratch::sum(keys, maxima, hits, pairs, pairs, order); }
};

// The candidates' order of rank, or of id.
struct Chosen {
  const TopkList& list;
  const int32_t* order;
  int64_t at(int64_t i) const { return order ? order[i] : i; }
};

template <class Element, class Function>
void write_row(const vmx_matrix& m, int64_t row, int64_t n, Function&& element_at) {
  auto* const to = static_cast<Element*>(m.data) + row * m.row_stride;
  for (int64_t i = 0; i < n; ++i) to[i * m.col_stride] = element_at(i);
}

void write_values(const Chosen& chosen, int32_t dtype, const vmx_matrix& values, int64_t row, const vmx_matrix* source) {
  const TopkList& list = chosen.list;
  if (dtype == VMX_F64) {
    const auto* scores = static_cast<const uint64_t*>(list.scores);
    write_row<uint64_t>(values, row, list.count, [&](int64_t i) { return scores[chosen.at(i)]; });
    return;
  }
  const auto* scores = static_cast<const uint32_t*>(list.scores);
  if (dtype == VMX_F32) {
    write_row<uint32_t>(values, row, list.count, [&](int64_t i) { return scores[chosen.at(i)]; });
  } else if (dtype == VMX_BF16) {
    write_row<uint16_t>(values, row, list.count,
                        [&](int64_t i) { return static_cast<uint16_t>(scores[chosen.at(i)] >> 16); });
  } else {
    const auto* from = static_cast<const uint16_t*>(source->data) + row * source->row_stride;
    write_row<uint16_t>(values, row, list.count,
                        [&](int64_t i) { return from[list.ids[chosen.at(i)] * source->col_stride]; });
  }
}

// Whether the row has an entry that is neither -inf nor NaN nor excluded. Without VMX_TOPK_SMALLEST it is then chosen first.
bool any_allowed(const Chosen& chosen, int32_t dtype) {
  const TopkList& list = chosen.list;
  if (list.allowed) return true;
  for (int64_t i = 0; i < list.count; ++i) {
    const double score = load_as_f64(list.scores, chosen.at(i), dtype == VMX_F64 ? VMX_F64 : VMX_F32);
    if (score > -__builtin_inf()) return true;
  }
  return false;
}

}  // namespace

size_t topk_list_bytes(const TopkShape& shape) {
  return Scratch::sum(Scratch::need(saturating_mul(list_room(shape), score_size(shape.dtype))),
                      Scratch::need<int32_t>(list_room(shape)));
}

size_t topk_work_bytes(const TopkShape& shape) { return WorkSizes(shape).total(); }

TopkWork make_topk_work(const TopkShape& shape, void* memory) {
  const WorkSizes sizes(shape);
  auto* at = static_cast<std::byte*>(memory);
  const auto take = [&](size_t bytes) {
    void* const piece = at;
    at += bytes;
    return piece;
  };
  TopkWork work;
  work.keys = take(sizes.keys);
  work.maxima = take(sizes.maxima);
  work.hits = static_cast<int32_t*>(take(sizes.hits));
  work.blocks = maxima_room(shape);
  work.pairs[0] = take(sizes.pairs);
  work.pairs[1] = take(sizes.pairs);
  work.order = static_cast<int32_t*>(take(sizes.order));
  return work;
}

TopkKernels topk_kernels(const KernelTable& t, int32_t dtype) {
  const Kernels& k = kernels_of(t, dtype);
  return {k.topk_feed, k.topk_guess, dtype == VMX_F64 ? t.topk_finish_f64 : t.topk_finish_f32};
}

void TopkStream::begin(const vmx_context& ctx, const TopkShape& shape, void* memory) {
  list_ = TopkList{};
  list_.k = shape.k;
  list_.capacity = topk_capacity(shape.k, shape.cols);
  list_.smallest = (shape.flags & VMX_TOPK_SMALLEST) != 0;
  list_.watch = shape.watch;
  list_.scores = memory;
  list_.ids = reinterpret_cast<int32_t*>(static_cast<std::byte*>(memory) +
                                         Scratch::need(list_room(shape) * score_size(shape.dtype)));
  kernels_ = topk_kernels(*ctx.kernels, shape.dtype);
  dtype_ = shape.dtype;
  sorted_ = is_sorted(shape);
}

void TopkStream::feed(const TopkWork& work, const void* scores, int64_t n, int64_t first, const int32_t* excluded,
                      int64_t n_excluded) {
  kernels_.feed(list_, work, scores, n, first, excluded, n_excluded);
}

void TopkStream::guess(const TopkWork& work, const void* sample, int64_t n, int64_t rank) {
  kernels_.guess(list_, work, sample, n, rank);
}

bool TopkStream::close(const TopkWork& work) {
  kernels_.finish(list_, work, false);
  return !list_.short_of;
}

bool TopkStream::absorb(const TopkWork& work, TopkStream& later) {
  if (!close(work) || !later.close(work)) return false;
  // Each holds k at most, and both together no more than the row: there is room.
  const size_t size = score_size(dtype_);
  std::memcpy(static_cast<std::byte*>(list_.scores) + static_cast<size_t>(list_.count) * size, later.list_.scores,
              static_cast<size_t>(later.list_.count) * size);
  std::memcpy(list_.ids + list_.count, later.list_.ids, static_cast<size_t>(later.list_.count) * sizeof *list_.ids);
  list_.count += later.list_.count;
  list_.threshold = kTopkNoThreshold;
  list_.flags |= later.list_.flags;
  list_.allowed |= later.list_.allowed;
  return true;
}

bool TopkStream::finish(const TopkWork& work, const TopkOutputs& out, int64_t row, const vmx_matrix* source) {
  kernels_.finish(list_, work, sorted_);
  if (list_.short_of) return false;
  const Chosen chosen{list_, sorted_ ? work.order : nullptr};
  const int64_t missing = list_.k - list_.count;
  if (out.values.data) {
    write_values(chosen, dtype_, out.values, row, source);
    fill_row(out.values, row, list_.count, missing, list_.smallest ? __builtin_inf() : -__builtin_inf());
  }
  if (out.ids.data) {
    const auto id_at = [&](int64_t i) {
      const int64_t id = list_.ids[chosen.at(i)];
      return out.id_map ? out.id_map[id] : id + out.id_offset;
    };
    vmx_matrix rest = out.ids;
    rest.data = element(rest, 0, list_.count, dtype_size(rest.dtype));
    if (out.ids.dtype == VMX_I32) {
      write_row<int32_t>(out.ids, row, list_.count, [&](int64_t i) { return static_cast<int32_t>(id_at(i)); });
      write_row<int32_t>(rest, row, missing, [](int64_t) { return -1; });
    } else {
      write_row<int64_t>(out.ids, row, list_.count, id_at);
      write_row<int64_t>(rest, row, missing, [](int64_t) { return -1; });
    }
  }
  if (out.row_flags) {
    out.row_flags[row] = list_.flags | (missing > 0 ? VMX_ROW_UNDERFULL : 0u) |
                         (any_allowed(chosen, dtype_) ? 0u : VMX_ROW_EMPTY);
  }
  return true;
}

}  // namespace vmx
