// SPDX-License-Identifier: Apache-2.0
// Lazy Adam on some rows of a table: few that stay in a cache, and many beyond it.
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "limits.hpp"
#include "peers/update_loop.hpp"

#include <cmath>

namespace bench {
namespace {

struct UpdateShape {
  int64_t count, classes, dim;
  int32_t dtype;
  bool quick;

  std::string text() const {
    return std::to_string(count) + "of" + std::to_string(classes) + "x" + std::to_string(dim);
  }
  int64_t touched_bytes() const { return count * dim * (dtype_bytes(dtype) + 2 * 4); }
};

// A table, its moments, and gradients of rows that lie anywhere.
struct Table {
  explicit Table(const UpdateShape& s)
      : shape(s),
        w(static_cast<size_t>(s.classes * s.dim * dtype_bytes(s.dtype))),
        m(static_cast<size_t>(s.classes * s.dim) * sizeof(float)),
        v(m.bytes()),
        g(static_cast<size_t>(s.count * s.dim) * sizeof(float)),
        touched(static_cast<size_t>(s.touched_bytes())),
        ids(static_cast<size_t>(s.count)) {
    const int64_t gap = s.classes / s.count;
    for (int64_t i = 0; i < s.count; ++i) {
      ids[static_cast<size_t>(i)] = i * gap + static_cast<int64_t>(hash(kLabels, static_cast<uint64_t>(i)) % static_cast<uint64_t>(gap));
    }
    fill_normal(g.data(), s.count * s.dim, VMX_F32, kHidden);
    reset();
  }

  float first_w(int64_t i, int64_t c) const { return normal(kWeights, at(i, c), 0.1); }
  float first_m(int64_t i, int64_t c) const { return normal(kScores, at(i, c), 0.1); }
  float first_v(int64_t i, int64_t c) const { return 0.01f + first_m(i, c) * first_m(i, c); }
  uint64_t at(int64_t i, int64_t c) const { return static_cast<uint64_t>(i * shape.dim + c); }

  void reset() const {
    for (int64_t i = 0; i < shape.count; ++i) {
      const int64_t row = ids[static_cast<size_t>(i)] * shape.dim;
      for (int64_t c = 0; c < shape.dim; ++c) {
        if (shape.dtype == VMX_BF16) {
          w.as<uint16_t>()[row + c] = to_bf16(first_w(i, c));
        } else {
          w.as<float>()[row + c] = first_w(i, c);
        }
        m.as<float>()[row + c] = first_m(i, c);
        v.as<float>()[row + c] = first_v(i, c);
      }
    }
  }

  // Rows here and there after one step.
  std::string check() const {
    for (int64_t i = 0; i < shape.count; i += shape.count / 16) {
      const int64_t row = ids[static_cast<size_t>(i)] * shape.dim;
      for (int64_t c = 0; c < shape.dim; ++c) {
        const double grad = static_cast<double>(g.as<float>()[i * shape.dim + c]);
        const double mean = kBeta1 * static_cast<double>(first_m(i, c)) + (1 - kBeta1) * grad;
        const double square = kBeta2 * static_cast<double>(first_v(i, c)) + (1 - kBeta2) * grad * grad;
        const double before = static_cast<double>(shape.dtype == VMX_BF16 ? from_bf16(to_bf16(first_w(i, c))) : first_w(i, c));
        const double want = before - kLr * (mean / (1 - std::pow(kBeta1, kStep))) /
                                         (std::sqrt(square / (1 - std::pow(kBeta2, kStep))) + kEps);
        const double got = static_cast<double>(load(w.data(), row + c, shape.dtype));
        const std::string wrong = near("w", i, c, got, want, shape.dtype == VMX_BF16 ? 1.0 / 256 : 1e-6, 1e-6);
        if (!wrong.empty()) return wrong;
      }
    }
    return "";
  }

  static constexpr double kLr = 1e-4, kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;
  static constexpr int64_t kStep = 20;
  UpdateShape shape;
  Buffer w, m, v, g, touched;
  std::vector<int64_t> ids;
};

Prepared prepare(const Setting& setting, const UpdateShape& shape) {
  const auto d = std::make_shared<Table>(shape);
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.count * shape.dim);
  prepared.bytes = 2 * static_cast<double>(shape.touched_bytes()) + prepared.elements * 4;
  prepared.reset = [d] { d->reset(); };
  const auto check = [d] { return d->check(); };
  prepared.contenders.push_back(contender(
      Role::ours, "",
      [d, context = setting.context] {
        const UpdateShape& s = d->shape;
        const vmx_matrix w = matrix(d->w.data(), s.classes, s.dim, s.dtype);
        const vmx_matrix m = matrix(d->m.data(), s.classes, s.dim, VMX_F32), v = matrix(d->v.data(), s.classes, s.dim, VMX_F32);
        vmx_sparse_rows rows = VMX_SPARSE_ROWS_INIT;
        rows.ids = d->ids.data();
        rows.rows = matrix(d->g.data(), s.count, s.dim, VMX_F32);
        rows.count = s.count;
        vmx_update_options options = VMX_UPDATE_OPTIONS_INIT;
        options.optimizer = VMX_ADAM;
        options.step = Table::kStep;
        options.lr = Table::kLr;
        require(vmx_sparse_update(context, &rows, &w, &m, &v, &options));
      },
      check));
  const AdamNumbers numbers{static_cast<float>(Table::kBeta1), static_cast<float>(Table::kBeta2),
                            static_cast<float>(Table::kLr / (1 - std::pow(Table::kBeta1, Table::kStep))),
                            static_cast<float>(1 / (1 - std::pow(Table::kBeta2, Table::kStep))),
                            static_cast<float>(Table::kEps)};
  prepared.contenders.push_back(contender(
      Role::peer, "plain loop",
      [d, numbers, &team = setting.team] {
        const UpdateShape& s = d->shape;
        team.split(s.count, 1, [&](int64_t begin, int64_t end) {
          const float* const g = d->g.as<float>() + begin * s.dim;
          const int64_t* const ids = d->ids.data() + begin;
          if (s.dtype == VMX_BF16) {
            adam_rows(d->w.as<uint16_t>(), d->m.as<float>(), d->v.as<float>(), g, ids, end - begin, s.dim, numbers);
          } else {
            adam_rows(d->w.as<float>(), d->m.as<float>(), d->v.as<float>(), g, ids, end - begin, s.dim, numbers);
          }
        });
      },
      check));
  limit_by_update(prepared, setting, d->touched.data(), shape.touched_bytes());
  return prepared;
}

}  // namespace

void add_sparse_update(std::vector<Case>& cases) {
  for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
    for (const UpdateShape& shape : {UpdateShape{512, 10000, 64, dtype, false}, UpdateShape{4096, 1000000, 64, dtype, dtype == VMX_F32},
                                     UpdateShape{131072, 1000000, 64, dtype, dtype == VMX_F32},
                                     UpdateShape{8192, 131072, 512, dtype, false}}) {
      cases.push_back({"sparse_update_adam", shape.text(), dtype_name(dtype), shape.quick, 4,
                       [shape](const Setting& setting) { return prepare(setting, shape); }});
    }
  }
}

}  // namespace bench
