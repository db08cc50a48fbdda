// SPDX-License-Identifier: Apache-2.0
#include "evaluate.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace tool {
namespace {
constexpr int64_t kUserBlock = 512;
}

bool rank_items(Engine& engine, const Model& model, const std::vector<int64_t>& users, const Csr& excluded, int64_t k,
                const std::function<bool(int64_t, int64_t, const int32_t*)>& each) {
  const int64_t items = model.items.rows, dim = model.dim();
  Floats storage;
  const vmx_matrix weights = matrix_f32(item_vectors(model, engine.pool, &storage), items, dim);
  vmx_packed_weights* made = nullptr;
  check(vmx_pack_weights(engine.context.get(), &weights, &made));
  const PackedWeights packed(made);
  storage = {};
  vmx_linear linear = VMX_LINEAR_INIT;
  linear.packed = packed.get();

  const auto rows = static_cast<int64_t>(users.size());
  const int64_t columns = std::min(k, items);
  Floats queries(static_cast<size_t>(std::min(rows, kUserBlock) * dim));
  std::vector<int32_t> found(static_cast<size_t>(std::min(rows, kUserBlock) * columns));
  std::vector<int32_t> ids(static_cast<size_t>(std::min(rows, kUserBlock) * k), -1);
  for (int64_t first = 0; first < rows; first += kUserBlock) {
    const int64_t count = std::min(kUserBlock, rows - first);
    for (int64_t r = 0; r < count; ++r) {
      model.query(users[static_cast<size_t>(first + r)], queries.data() + r * dim);
    }
    const vmx_matrix hidden = matrix_f32(queries.data(), count, dim);
    const vmx_matrix ids_out{found.data(), count, columns, columns, 1, VMX_I32, 0};
    vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
    options.excluded.indptr = ids_i64(excluded.starts.data() + first, count + 1);
    options.excluded.ids = ids_i32(excluded.ids.data(), excluded.size());
    const bool any = excluded.size() > 0;
    check(vmx_linear_topk(engine.context.get(), engine.workspace.get(), &hidden, &linear, columns, nullptr, &ids_out,
                          nullptr, any ? &options : nullptr));
    for (int64_t r = 0; r < count; ++r) {
      std::copy_n(found.begin() + r * columns, columns, ids.begin() + r * k);
    }
    if (!each(first, count, ids.data())) return false;
  }
  return true;
}

Evaluation::Evaluation(const Csr& relevant, const Csr& known, const std::vector<int64_t>& ks) : ks_(ks) {
  std::vector<int32_t> row;
  for (int64_t user = 0; user < relevant.rows(); ++user) {
    const auto wanted = relevant[user], seen = known[user];
    row.clear();
    std::set_difference(wanted.begin(), wanted.end(), seen.begin(), seen.end(), std::back_inserter(row));
    if (row.empty()) continue;
    users_.push_back(user);
    relevant_.add_row(row);
    known_.add_row(seen);
  }
}

void Evaluation::judge(int64_t row, std::span<const int32_t> ranked, std::vector<RankMetrics>* of_users) const {
  for (size_t i = 0; i < ks_.size(); ++i) {
    (*of_users)[static_cast<size_t>(row) * ks_.size() + i] = rank_metrics(ranked, relevant_[row], ks_[i]);
  }
}

Metrics Evaluation::mean(const std::vector<RankMetrics>& of_users) const {
  Metrics result{ks_, std::vector<RankMetrics>(ks_.size()), users()};
  for (size_t entry = 0; entry < of_users.size(); ++entry) {
    RankMetrics& sum = result.at[entry % ks_.size()];
    sum.recall += of_users[entry].recall;
    sum.ndcg += of_users[entry].ndcg;
    sum.mrr += of_users[entry].mrr;
    sum.hit += of_users[entry].hit;
  }
  const double n = std::max(1.0, static_cast<double>(users()));
  for (RankMetrics& sum : result.at) sum = {sum.recall / n, sum.ndcg / n, sum.mrr / n, sum.hit / n};
  return result;
}

std::optional<Metrics> Evaluation::run(Engine& engine, const Model& model, const std::function<bool(int64_t)>& going_on) const {
  std::vector<RankMetrics> of_users(users_.size() * ks_.size());
  const int64_t k = *std::max_element(ks_.begin(), ks_.end());
  const bool whole = rank_items(engine, model, users_, known_, k, [&](int64_t first, int64_t count, const int32_t* ids) {
    for (int64_t r = 0; r < count; ++r) judge(first + r, {ids + r * k, static_cast<size_t>(k)}, &of_users);
    return going_on(first + count);
  });
  if (!whole) return std::nullopt;
  return mean(of_users);
}

Metrics Evaluation::popularity(const Csr& counted, int64_t items) const {
  std::vector<int64_t> count(static_cast<size_t>(items));
  for (const int32_t item : counted.ids) ++count[static_cast<size_t>(item)];
  std::vector<int32_t> order(static_cast<size_t>(items));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const int64_t of_a = count[static_cast<size_t>(a)], of_b = count[static_cast<size_t>(b)];
    return of_a != of_b ? of_a > of_b : a < b;
  });
  const auto k = static_cast<size_t>(*std::max_element(ks_.begin(), ks_.end()));
  std::vector<RankMetrics> of_users(users_.size() * ks_.size());
  std::vector<int32_t> ranked;
  for (int64_t row = 0; row < users(); ++row) {
    const auto known = known_[row];
    ranked.clear();
    for (size_t i = 0; i < order.size() && ranked.size() < k; ++i) {
      if (!std::binary_search(known.begin(), known.end(), order[i])) ranked.push_back(order[i]);
    }
    judge(row, ranked, &of_users);
  }
  return mean(of_users);
}

}  // namespace tool
