// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "cases/linear.hpp"
#include "limits.hpp"
#include "peers/blas.hpp"
#include "peers/row_loops.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace bench {
namespace {

struct SampledShape {
  int64_t rows, dim, classes, candidates;
  bool shared, backward;

  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(dim) + "x" + std::to_string(classes) + "/m:" + std::to_string(candidates);
  }
  int64_t lists() const { return shared ? 1 : rows; }
  double flop() const {  // of one product
    return 2 * static_cast<double>(rows) * static_cast<double>(dim) * static_cast<double>(candidates);
  }
};

// A batch of a training step: sampled softmax with uniform negatives, hits left out, a mean over the rows.
struct Batch : LinearData {
  explicit Batch(const SampledShape& s)
      : LinearData(LinearShape{s.rows, s.dim, s.classes, VMX_F32}),
        sizes(s),
        labels(static_cast<size_t>(s.rows)),
        ids(static_cast<size_t>(s.lists() * s.candidates)),
        loss(static_cast<size_t>(s.rows)),
        target_grad(static_cast<size_t>(s.rows)),
        grad_hidden(static_cast<size_t>(s.rows * s.dim)) {
    fill_labels(labels.data(), s.rows, s.classes);
    fill_labels(ids.data(), static_cast<int64_t>(ids.size()), s.classes, kCandidates);
    std::vector<int32_t> all(labels);
    all.insert(all.end(), ids.begin(), ids.end());
    std::sort(all.begin(), all.end());
    distinct = static_cast<int64_t>(std::unique(all.begin(), all.end()) - all.begin());
    list_ids.resize(static_cast<size_t>(distinct));
    if (s.backward) list_rows = Buffer(static_cast<size_t>(distinct * s.dim) * sizeof(float));
    for (const int64_t row : {int64_t{0}, s.rows - 1}) slow(row);
  }

  const int32_t* ids_of(int64_t row) const { return ids.data() + (sizes.shared ? 0 : row * sizes.candidates); }
  const float* table_row(int64_t id) const { return weights_f32 + id * sizes.dim; }
  float scale() const { return 1 / static_cast<float>(sizes.rows); }
  std::string check() const;

  SampledShape sizes;
  std::vector<int32_t> labels, ids;
  std::vector<float> loss, target_grad, grad_hidden;
  int64_t distinct = 0;
  std::vector<int64_t> list_ids;
  Buffer list_rows;

 private:
  struct Known {
    int64_t row;
    double loss, first_slope;  // by the score of the row's first candidate
    std::vector<double> grad_hidden;
  };
  void slow(int64_t row);
  std::vector<Known> known_;
};

void Batch::slow(int64_t row) {
  const double target = score(row, labels[static_cast<size_t>(row)]);
  double sum = std::exp(target);
  std::vector<double> e;
  for (int64_t j = 0; j < sizes.candidates; ++j) {
    const int32_t id = ids_of(row)[j];
    e.push_back(id == labels[static_cast<size_t>(row)] ? 0 : std::exp(score(row, id)));
    sum += e.back();
  }
  Known k{row, std::log(sum) - target, e[0] / sum, std::vector<double>(static_cast<size_t>(sizes.dim), 0.0)};
  const auto add = [&](int64_t id, double g) {
    for (int64_t i = 0; i < sizes.dim; ++i) {
      k.grad_hidden[static_cast<size_t>(i)] += g * static_cast<double>(table_row(id)[i]) / static_cast<double>(sizes.rows);
    }
  };
  add(labels[static_cast<size_t>(row)], std::exp(target) / sum - 1);
  for (int64_t j = 0; j < sizes.candidates; ++j) add(ids_of(row)[j], e[static_cast<size_t>(j)] / sum);
  known_.push_back(std::move(k));
}

std::string Batch::check() const {
  for (const Known& k : known_) {
    const std::string wrong = near("loss", k.row, 0, static_cast<double>(loss[static_cast<size_t>(k.row)]), k.loss, 1e-4, 1e-4);
    if (!wrong.empty() || !sizes.backward) return wrong;
    double most = 0;
    for (const double g : k.grad_hidden) most = std::max(most, std::abs(g));
    for (int64_t i = 0; i < sizes.dim; ++i) {
      const std::string bad = near("gradient of hidden", k.row, i, static_cast<double>(grad_hidden[static_cast<size_t>(k.row * sizes.dim + i)]),
                                   k.grad_hidden[static_cast<size_t>(i)], 0, 1e-4 * most);
      if (!bad.empty()) return bad;
    }
  }
  if (!std::is_sorted(list_ids.begin(), list_ids.end())) return "the list of classes does not rise";
  // Where nobody else has drawn it, the first candidate's gradient is the slope times hidden.
  const Known& k = known_[0];
  const int32_t id = ids_of(k.row)[0];
  if (sizes.shared || std::count(ids.begin(), ids.end(), id) != 1 || std::count(labels.begin(), labels.end(), id) != 0) return "";
  const auto at = std::lower_bound(list_ids.begin(), list_ids.end(), id) - list_ids.begin();
  for (int64_t i = 0; i < sizes.dim; ++i) {
    const double want = k.first_slope * static_cast<double>(hidden_f32[k.row * sizes.dim + i]) / static_cast<double>(sizes.rows);
    const std::string bad = near("gradient of the table", id, i, static_cast<double>(list_rows.as<float>()[at * sizes.dim + i]), want, 1e-3, 1e-9);
    if (!bad.empty()) return bad;
  }
  return "";
}

Contender ours(const std::shared_ptr<Batch>& d, const Setting& setting) {
  const auto workspace = std::make_shared<Workspace>(setting.context);
  const auto run = [d, workspace, context = setting.context] {
    const SampledShape& s = d->sizes;
    const vmx_matrix hidden = d->hidden_view(), table = d->weights_view();
    vmx_csr targets{};
    targets.ids = {d->labels.data(), s.rows, 1, VMX_I32, 0};
    vmx_candidates candidates = VMX_CANDIDATES_INIT;
    candidates.ids = {d->ids.data(), s.lists(), s.candidates, s.candidates, 1, VMX_I32, 0};
    vmx_sampled_options options = VMX_SAMPLED_OPTIONS_INIT;
    options.reduction = VMX_REDUCE_MEAN;
    double total = 0;
    vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
    out.total = &total;
    out.loss = vector(d->loss.data(), s.rows);
    vmx_sparse_rows list = VMX_SPARSE_ROWS_INIT;
    list.ids = d->list_ids.data();
    list.rows = matrix(d->list_rows.data(), d->distinct, s.dim, VMX_F32);
    vmx_sampled_grads grads = VMX_SAMPLED_GRADS_INIT;
    grads.hidden = matrix(d->grad_hidden.data(), s.rows, s.dim, VMX_F32);
    grads.sparse = &list;
    require(vmx_sampled_loss(context, workspace->get(), &hidden, &table, nullptr, &targets, &candidates, &out,
                             s.backward ? &grads : nullptr, &options));
  };
  return contender(Role::ours, "", run, [d] { return d->check(); });
}

// The gradient of the table as peers make it: entries sorted by class, then each class's sum.
class Summing {
 public:
  explicit Summing(const Batch& batch) : d_(batch) {}

  // Calls add(entry, sum): an entry below rows is a target, others are candidates, in the order of ids.
  template <class Add>
  void run(Batch& d, Add&& add) {
    const int64_t rows = d_.sizes.rows, n = rows + static_cast<int64_t>(d_.ids.size()), dim = d_.sizes.dim;
    keys_.resize(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      const int32_t id = i < rows ? d_.labels[static_cast<size_t>(i)] : d_.ids[static_cast<size_t>(i - rows)];
      keys_[static_cast<size_t>(i)] = static_cast<uint64_t>(id) << 32 | static_cast<uint64_t>(i);
    }
    std::sort(keys_.begin(), keys_.end());
    int64_t group = -1;
    uint64_t last = std::numeric_limits<uint64_t>::max();
    for (const uint64_t key : keys_) {
      if (key >> 32 != last) {
        last = key >> 32;
        d.list_ids[static_cast<size_t>(++group)] = static_cast<int64_t>(last);
        std::memset(d.list_rows.as<float>() + group * dim, 0, static_cast<size_t>(dim) * sizeof(float));
      }
      add(static_cast<int64_t>(key & 0xffffffffu), d.list_rows.as<float>() + group * dim);
    }
  }

 private:
  const Batch& d_;
  std::vector<uint64_t> keys_;
};

// Hits count as nothing.
void mask_hits(const Batch& d, int64_t row, float* z) {
  const int32_t* const ids = d.ids_of(row);
  for (int64_t j = 0; j < d.sizes.candidates; ++j) {
    if (ids[j] == d.labels[static_cast<size_t>(row)]) z[j] = -std::numeric_limits<float>::infinity();
  }
}

// Shared candidates: their rows gathered, three products, a loop between them.
void add_blas(Prepared& prepared, const std::shared_ptr<Batch>& d) {
  if (!blas::available()) return;
  struct Room {
    explicit Room(const Batch& b)
        : gathered(static_cast<size_t>(b.sizes.candidates * b.sizes.dim) * sizeof(float)),
          grad(gathered.bytes()),
          scores(static_cast<size_t>(b.sizes.rows * b.sizes.candidates) * sizeof(float)),
          summing(b) {}
    Buffer gathered, grad, scores;
    Summing summing;
  };
  const auto room = std::make_shared<Room>(*d);
  const auto run = [d, room] {
    const SampledShape& s = d->sizes;
    const int64_t m = s.candidates, dim = s.dim;
    const RowLoops& loops = simd_loops();
    float *const gathered = room->gathered.as<float>(), *const scores = room->scores.as<float>();
    for (int64_t j = 0; j < m; ++j) {
      std::memcpy(gathered + j * dim, d->table_row(d->ids[static_cast<size_t>(j)]), static_cast<size_t>(dim) * sizeof(float));
    }
    blas::sgemm(d->hidden_f32, gathered, scores, s.rows, m, dim, false, true);
    for (int64_t r = 0; r < s.rows; ++r) {
      const size_t row = static_cast<size_t>(r);
      float target = 0;
      loops.gather_dots(d->hidden_f32 + r * dim, d->weights_f32, &d->labels[row], 1, dim, &target);
      mask_hits(*d, r, scores + r * m);
      d->loss[row] = loops.sampled_row(scores + r * m, m, target, d->scale(), s.backward ? &d->target_grad[row] : nullptr);
    }
    if (!s.backward) return;
    blas::sgemm(scores, gathered, d->grad_hidden.data(), s.rows, dim, m, false, false);
    blas::sgemm(scores, d->hidden_f32, room->grad.as<float>(), m, dim, s.rows, true, false);
    for (int64_t r = 0; r < s.rows; ++r) {
      const size_t row = static_cast<size_t>(r);
      loops.add_scaled(d->target_grad[row], d->table_row(d->labels[row]), dim, d->grad_hidden.data() + r * dim);
    }
    room->summing.run(*d, [&](int64_t entry, float* sum) {
      if (entry < s.rows) {
        loops.add_scaled(d->target_grad[static_cast<size_t>(entry)], d->hidden_f32 + entry * dim, dim, sum);
      } else {
        loops.add_scaled(1, room->grad.as<float>() + (entry - s.rows) * dim, dim, sum);
      }
    });
  };
  prepared.contenders.push_back(contender(Role::peer, "gather + BLAS sgemm + loop", run, [d] { return d->check(); }));
}

// Candidates of each row: loops over the rows of the table where they lie.
void add_loop(Prepared& prepared, const std::shared_ptr<Batch>& d) {
  struct Room {
    explicit Room(const Batch& b) : grad(b.sizes.backward ? b.ids.size() : static_cast<size_t>(b.sizes.candidates)), summing(b) {}
    std::vector<float> grad;
    Summing summing;
  };
  const auto room = std::make_shared<Room>(*d);
  const auto run = [d, room] {
    const SampledShape& s = d->sizes;
    const int64_t m = s.candidates, dim = s.dim;
    const RowLoops& loops = simd_loops();
    for (int64_t r = 0; r < s.rows; ++r) {
      const size_t row = static_cast<size_t>(r);
      const float* const h = d->hidden_f32 + r * dim;
      float* const z = room->grad.data() + (s.backward ? r * m : 0);
      float target = 0;
      loops.gather_dots(h, d->weights_f32, &d->labels[row], 1, dim, &target);
      loops.gather_dots(h, d->weights_f32, d->ids_of(r), m, dim, z);
      mask_hits(*d, r, z);
      d->loss[row] = loops.sampled_row(z, m, target, d->scale(), s.backward ? &d->target_grad[row] : nullptr);
      if (!s.backward) continue;
      float* const sum = d->grad_hidden.data() + r * dim;
      std::memset(sum, 0, static_cast<size_t>(dim) * sizeof(float));
      loops.add_scaled(d->target_grad[row], d->table_row(d->labels[row]), dim, sum);
      for (int64_t j = 0; j < m; ++j) loops.add_scaled(z[j], d->table_row(d->ids_of(r)[j]), dim, sum);
    }
    if (!s.backward) return;
    room->summing.run(*d, [&](int64_t entry, float* sum) {
      const bool target = entry < s.rows;
      const int64_t r = target ? entry : (entry - s.rows) / m;
      const float g = target ? d->target_grad[static_cast<size_t>(r)] : room->grad[static_cast<size_t>(entry - s.rows)];
      loops.add_scaled(g, d->hidden_f32 + r * dim, dim, sum);
    });
  };
  prepared.contenders.push_back(contender(Role::peer, "gather loop", run, [d] { return d->check(); }));
}

Prepared prepare(const Setting& setting, const SampledShape& shape) {
  const auto d = std::make_shared<Batch>(shape);
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.rows) * static_cast<double>(shape.candidates);
  prepared.bytes = static_cast<double>(d->ids.size()) * static_cast<double>(shape.dim) * 4;
  prepared.contenders.push_back(ours(d, setting));
  if (shape.shared) {
    add_blas(prepared, d);
    limit_by_fma(prepared, setting, (shape.backward ? 3 : 1) * shape.flop(), VMX_F32);
    return prepared;
  }
  add_loop(prepared, d);
  limit_by_rows(prepared, setting, d->weights_f32, d->ids.data(), static_cast<int64_t>(d->ids.size()), shape.dim);
  for (Contender& contender : prepared.contenders) {
    if (contender.role == Role::limit) contender.run = [d, run = std::move(contender.run)] { run(); };
  }
  return prepared;
}

}  // namespace

void add_sampled_loss(std::vector<Case>& cases) {
  for (const bool shared : {true, false}) {
    for (const bool backward : {false, true}) {
      const SampledShape shape{1024, 128, 1000000, shared ? 1024 : 256, shared, backward};
      const std::string name = std::string("sampled_softmax_") + (shared ? "shared" : "per_row") + (backward ? "_fwd_bwd" : "_fwd");
      cases.push_back({name, shape.text(), "f32", backward, 12.0, [shape](const Setting& setting) { return prepare(setting, shape); }});
    }
  }
}

}  // namespace bench
