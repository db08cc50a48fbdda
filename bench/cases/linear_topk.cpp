// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "cases/linear.hpp"
#include "cases/packed.hpp"
#include "limits.hpp"
#include "peers/blas.hpp"
#include "peers/onednn.hpp"
#include "peers/select.hpp"

#include <algorithm>
#include <functional>

namespace bench {
namespace {

constexpr int64_t kBest = 100;
// Items of one block of the peers: their scores stay in the cache between product and heap.
constexpr int64_t kBlock = 16384;

struct Retrieval : LinearData {
  explicit Retrieval(const LinearShape& s)
      : LinearData(s),
        values(static_cast<size_t>(s.rows * kBest)),
        ids(static_cast<size_t>(s.rows * kBest)),
        block(static_cast<size_t>(s.rows * kBlock) * sizeof(float)),
        heaps(static_cast<size_t>(s.rows)) {
    for (const int64_t row : {int64_t{0}, s.rows - 1}) {
      std::vector<double> z(static_cast<size_t>(s.classes));
      for (int64_t c = 0; c < s.classes; ++c) z[static_cast<size_t>(c)] = score(row, c);
      std::nth_element(z.begin(), z.begin() + kBest - 1, z.end(), std::greater<>());
      least.push_back(z[kBest - 1]);
    }
  }

  // Every entry has its item's score and is good enough; so it is the right set, up to rounding.
  std::string check() const {
    for (const bool last : {false, true}) {
      const int64_t row = last ? shape.rows - 1 : 0;
      for (int64_t i = 0; i < kBest; ++i) {
        const double value = static_cast<double>(values[static_cast<size_t>(row * kBest + i)]);
        const int32_t id = ids[static_cast<size_t>(row * kBest + i)];
        if (id < 0 || id >= shape.classes) return "an id is out of range";
        const std::string wrong = near("score", row, id, value, score(row, id), 1e-5, 1e-4);
        if (!wrong.empty()) return wrong;
        if (value < least[last] - 1e-4) return near("score", row, id, value, least[last], 0, 0);
        if (i > 0 && value > static_cast<double>(values[static_cast<size_t>(row * kBest + i - 1)])) return "the order is wrong";
      }
    }
    return "";
  }

  // scores_of(begin, count) puts the scores of a block into `block`, [rows, count].
  void by_blocks(const std::function<void(int64_t, int64_t)>& scores_of) {
    for (auto& heap : heaps) heap.clear();
    for (int64_t begin = 0; begin < shape.classes; begin += kBlock) {
      const int64_t count = std::min(kBlock, shape.classes - begin);
      scores_of(begin, count);
      for (int64_t r = 0; r < shape.rows; ++r) {
        select::heap_push(block.as<float>() + r * count, count, kBest, static_cast<int32_t>(begin),
                          heaps[static_cast<size_t>(r)]);
      }
    }
    for (int64_t r = 0; r < shape.rows; ++r) {
      auto& heap = heaps[static_cast<size_t>(r)];
      select::sort_heap(heap);
      for (size_t i = 0; i < heap.size(); ++i) {
        values[static_cast<size_t>(r * kBest) + i] = heap[i].value;
        ids[static_cast<size_t>(r * kBest) + i] = heap[i].id;
      }
    }
  }

  std::vector<float> values;
  std::vector<int32_t> ids;
  Buffer block;
  std::vector<std::vector<select::Entry>> heaps;
  std::vector<double> least;
};

// One product for each block of items, packed beforehand.
std::function<void()> by_onednn(const std::shared_ptr<Retrieval>& d, int32_t dtype) {
  const LinearShape& s = d->shape;
  const auto blocks = std::make_shared<std::vector<std::function<void()>>>();
  const char* const weights =
      dtype == VMX_BF16 ? d->weights.as<char>() : reinterpret_cast<const char*>(d->weights_f32);
  const void* const hidden = dtype == VMX_BF16 ? d->hidden.data() : d->hidden_f32;
  for (int64_t begin = 0; begin < s.classes; begin += kBlock) {
    blocks->push_back(onednn::matmul(hidden, weights + begin * s.dim * dtype_bytes(dtype), d->block.as<float>(), s.rows,
                                     std::min(kBlock, s.classes - begin), s.dim, dtype, false, onednn::B::packed));
    if (!blocks->back()) return {};
  }
  return [d, blocks] {
    d->by_blocks([&](int64_t begin, int64_t) { (*blocks)[static_cast<size_t>(begin / kBlock)](); });
  };
}

std::function<void()> by_blas(const std::shared_ptr<Retrieval>& d) {
  return [d] {
    const LinearShape& s = d->shape;
    d->by_blocks([&](int64_t begin, int64_t count) {
      blas::sgemm(d->hidden_f32, d->weights_f32 + begin * s.dim, d->block.as<float>(), s.rows, count, s.dim, false, true);
    });
  };
}

Prepared prepare(const Setting& setting, const LinearShape& shape) {
  const auto d = std::make_shared<Retrieval>(shape);
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.rows) * static_cast<double>(shape.classes);
  prepared.bytes = static_cast<double>(shape.weight_bytes());
  const auto check = [d] { return d->check(); };

  const auto packed = std::make_shared<PackedWeights>(setting.context, d->weights_view());
  const auto workspace = std::make_shared<Workspace>(setting.context);
  prepared.contenders.push_back(contender(
      Role::ours, "",
      [d, packed, workspace, context = setting.context] {
        const LinearShape& s = d->shape;
        const vmx_matrix hidden = d->hidden_view();
        const vmx_matrix values = matrix(d->values.data(), s.rows, kBest, VMX_F32);
        const vmx_matrix ids = matrix(d->ids.data(), s.rows, kBest, VMX_I32);
        vmx_linear linear = VMX_LINEAR_INIT;
        linear.packed = packed->get();
        require(vmx_linear_topk(context, workspace->get(), &hidden, &linear, kBest, &values, &ids, nullptr, nullptr));
      },
      check));
  const int32_t dtype = product_dtype(shape);
  if (const auto run = by_onednn(d, dtype)) {
    prepared.contenders.push_back(
        contender(Role::peer, dtype == shape.dtype ? "oneDNN matmul + heap" : "oneDNN f32 matmul + heap", run, check));
  }
  if (blas::available() && shape.dtype == VMX_F32) {
    prepared.contenders.push_back(contender(Role::peer, "BLAS sgemm + heap", by_blas(d), check));
  }
  limit_by_read(prepared, setting, d->weights.data(), shape.weight_bytes());
  limit_by_fma(prepared, setting, shape.flop(), shape.dtype);
  return prepared;
}

}  // namespace

void add_linear_topk(std::vector<Case>& cases) {
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    for (const int64_t queries : {1, 16, 256}) {
      const LinearShape shape{queries, 128, 1000000, dtype};
      cases.push_back({"linear_topk", shape.text() + "/k:" + std::to_string(kBest), dtype_name(dtype),
                       dtype == VMX_F32 && queries < 256, 10,
                       [shape](const Setting& setting) { return prepare(setting, shape); }});
    }
  }
}

}  // namespace bench
