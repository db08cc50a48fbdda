// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "cases/linear.hpp"
#include "cases/packed.hpp"
#include "limits.hpp"
#include "peers/blas.hpp"
#include "peers/row_loops.hpp"

#include <algorithm>
#include <cmath>

namespace bench {
namespace {

struct Scored : LinearData {
  explicit Scored(const LinearShape& s)
      : LinearData(s), lse(static_cast<size_t>(s.rows)), scores(static_cast<size_t>(s.rows * s.classes) * sizeof(float)) {
    for (const int64_t row : {int64_t{0}, s.rows - 1}) {
      double sum = 0;  // scores are a few at most: no maximum is needed
      for (int64_t c = 0; c < s.classes; ++c) sum += std::exp(score(row, c));
      expected.push_back(std::log(sum));
    }
  }
  std::string check() const {
    const std::string wrong = near("log-sum-exp", 0, 0, static_cast<double>(lse.front()), expected.front(), 1e-5, 1e-5);
    if (!wrong.empty()) return wrong;
    return near("log-sum-exp", shape.rows - 1, 0, static_cast<double>(lse.back()), expected.back(), 1e-5, 1e-5);
  }
  void fold_scores() {
    simd_loops().logsumexp(scores.data(), shape.rows, shape.classes, VMX_F32, lse.data());
  }

  std::vector<float> lse;
  std::vector<double> expected;
  Buffer scores;
};

Prepared prepare(const Setting& setting, const LinearShape& shape) {
  const auto d = std::make_shared<Scored>(shape);
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.rows) * static_cast<double>(shape.classes);
  prepared.bytes = static_cast<double>(shape.weight_bytes());
  const auto check = [d] { return d->check(); };

  const vmx_matrix weights = d->weights_view();
  const auto packed = std::make_shared<PackedWeights>(setting.context, weights);
  const auto workspace = std::make_shared<Workspace>(setting.context);
  prepared.contenders.push_back(contender(
      Role::ours, "",
      [d, packed, workspace, context = setting.context] {
        const vmx_matrix hidden = d->hidden_view();
        const vmx_vector lse = vector(d->lse.data(), d->shape.rows);
        vmx_linear linear = VMX_LINEAR_INIT;
        linear.packed = packed->get();
        require(vmx_linear_logsumexp(context, workspace->get(), &hidden, &linear, &lse, nullptr, nullptr));
      },
      check));

  const int32_t dtype = product_dtype(shape);
  const std::vector<Product> products = score_products(*d, dtype, d->scores.as<float>());
  if (const auto product = quickest(products)) {
    prepared.contenders.push_back(contender(
        Role::peer, dtype == shape.dtype ? "oneDNN matmul + simd loop" : "oneDNN f32 matmul + simd loop",
        [d, product] {
          product();
          d->fold_scores();
        },
        check));
  }
  if (blas::available() && shape.dtype == VMX_F32) {
    prepared.contenders.push_back(contender(
        Role::peer, "BLAS sgemm + loop",
        [d] {
          const LinearShape& s = d->shape;
          blas::sgemm(d->hidden_f32, d->weights_f32, d->scores.as<float>(), s.rows, s.classes, s.dim, false, true);
          d->fold_scores();
        },
        check));
  }
  if (shape.rows > 32) {  // fewer rows are bound by reading the weights, where oneDNN is no limit
    limit_by_products(prepared, d, dtype == shape.dtype ? "oneDNN products" : "oneDNN products in f32", "scores", products);
  } else {
    limit_by_read(prepared, setting, d->weights.data(), shape.weight_bytes());
  }
  limit_by_fma(prepared, setting, shape.flop(), shape.dtype);
  return prepared;
}

}  // namespace

void add_linear_logsumexp(std::vector<Case>& cases) {
  for (const auto& [rows, dim, classes] : {std::tuple<int64_t, int64_t, int64_t>(1, 512, 128256), {16, 512, 128256},
                                           {256, 256, 50000}, {1024, 512, 128256}}) {
    for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
      const LinearShape shape{rows, dim, classes, dtype};
      cases.push_back({"linear_logsumexp", shape.text(), dtype_name(dtype), rows == 256 && dtype == VMX_F32,
                       rows == 1024 ? 40.0 : 4.0, [shape](const Setting& setting) { return prepare(setting, shape); }});
    }
  }
}

}  // namespace bench
