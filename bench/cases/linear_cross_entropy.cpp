// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "cases/linear.hpp"
#include "limits.hpp"
#include "peers/blas.hpp"
#include "peers/onednn.hpp"
#include "peers/row_loops.hpp"

#include <algorithm>
#include <cmath>

namespace bench {
namespace {

struct Training : LinearData {
  Training(const LinearShape& s, bool with_grads)
      : LinearData(s),
        backward(with_grads),
        labels(static_cast<size_t>(s.rows)),
        loss(static_cast<size_t>(s.rows)),
        grad_hidden(static_cast<size_t>(s.rows * s.dim)),
        grad_weights(with_grads ? static_cast<size_t>(s.classes * s.dim) * sizeof(float) : 64),
        scale(1 / static_cast<float>(s.rows)) {
    fill_labels(labels.data(), s.rows, s.classes);
    for (const int64_t row : {int64_t{0}, s.rows - 1}) oracle.push_back(slow(row));
  }

  std::string check() const;

  bool backward;
  std::vector<int32_t> labels;
  std::vector<float> loss, grad_hidden;
  Buffer grad_weights;
  float scale;  // the loss is a mean

 private:
  struct Oracle {
    int64_t row;
    double loss;
    std::vector<double> grad_hidden;
  };
  Oracle slow(int64_t row) const;
  std::string check_class(int64_t c) const;

  std::vector<Oracle> oracle;
};

Training::Oracle Training::slow(int64_t row) const {
  const int32_t label = labels[static_cast<size_t>(row)];
  std::vector<double> z(static_cast<size_t>(shape.classes));
  for (int64_t c = 0; c < shape.classes; ++c) z[static_cast<size_t>(c)] = score(row, c);
  const double maximum = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (const double value : z) sum += std::exp(value - maximum);
  const double lse = maximum + std::log(sum);
  Oracle out{row, lse - z[static_cast<size_t>(label)], std::vector<double>(static_cast<size_t>(shape.dim), 0.0)};
  for (int64_t c = 0; c < shape.classes; ++c) {
    const double g = (std::exp(z[static_cast<size_t>(c)] - lse) - (c == label ? 1 : 0)) * static_cast<double>(scale);
    for (int64_t i = 0; i < shape.dim; ++i) {
      out.grad_hidden[static_cast<size_t>(i)] += g * static_cast<double>(load(weights.data(), c * shape.dim + i, shape.dtype));
    }
  }
  return out;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value));
  return most;
}

// Gradients of scores are rounded to bf16 before their products.
double tolerance(const LinearShape& shape) { return shape.dtype == VMX_BF16 ? 2e-2 : 1e-4; }

std::string Training::check() const {
  for (const Oracle& known : oracle) {
    const double got = static_cast<double>(loss[static_cast<size_t>(known.row)]);
    std::string wrong = near("loss", known.row, 0, got, known.loss, 1e-4, 1e-4);
    const double allowed = tolerance(shape) * largest(known.grad_hidden);
    for (int64_t i = 0; backward && wrong.empty() && i < shape.dim; ++i) {
      wrong = near("gradient of hidden", known.row, i, static_cast<double>(grad_hidden[static_cast<size_t>(known.row * shape.dim + i)]),
                   known.grad_hidden[static_cast<size_t>(i)], 0, allowed);
    }
    if (!wrong.empty()) return wrong;
  }
  if (!backward) return "";
  const std::string wrong = check_class(labels[0]);
  return wrong.empty() ? check_class(shape.classes - 1) : wrong;
}

// The log-sum-exps come from the losses, some of which check() has compared.
std::string Training::check_class(int64_t c) const {
  std::vector<double> want(static_cast<size_t>(shape.dim), 0.0);
  for (int64_t r = 0; r < shape.rows; ++r) {
    const int32_t label = labels[static_cast<size_t>(r)];
    const double lse = static_cast<double>(loss[static_cast<size_t>(r)]) + score(r, label);
    const double g = (std::exp(score(r, c) - lse) - (c == label ? 1 : 0)) * static_cast<double>(scale);
    for (int64_t i = 0; i < shape.dim; ++i) {
      want[static_cast<size_t>(i)] += g * static_cast<double>(load(hidden.data(), r * shape.dim + i, shape.dtype));
    }
  }
  const double allowed = tolerance(shape) * largest(want);
  for (int64_t i = 0; i < shape.dim; ++i) {
    const std::string wrong =
        near("gradient of weights", c, i, static_cast<double>(grad_weights.as<float>()[c * shape.dim + i]),
             want[static_cast<size_t>(i)], 0, allowed);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

Contender ours(const std::shared_ptr<Training>& d, const Setting& setting, int64_t mebibytes) {
  const auto workspace = std::make_shared<Workspace>(setting.context);
  const auto run = [d, workspace, mebibytes, context = setting.context] {
    const LinearShape& s = d->shape;
    const vmx_matrix hidden = d->hidden_view();
    vmx_linear linear = VMX_LINEAR_INIT;
    linear.weights = d->weights_view();
    linear.memory_limit = static_cast<size_t>(mebibytes) << 20;
    vmx_csr targets{};
    targets.ids = {d->labels.data(), s.rows, 1, VMX_I32, 0};
    vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
    options.reduction = VMX_REDUCE_MEAN;
    double total = 0;
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.total = &total;
    out.loss = vector(d->loss.data(), s.rows);
    vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
    grads.hidden = matrix(d->grad_hidden.data(), s.rows, s.dim, VMX_F32);
    grads.weights = matrix(d->grad_weights.data(), s.classes, s.dim, VMX_F32);
    const vmx_status status = vmx_linear_cross_entropy(context, workspace->get(), &hidden, &linear, &targets, &out,
                                                       d->backward ? &grads : nullptr, &options);
    if (status == VMX_ERR_VALUE) {  // too little memory for this shape
      char message[256];
      vmx_last_error(message, sizeof message);
      throw Unsupported(message);
    }
    require(status);
  };
  return contender(Role::ours, "memory:" + std::to_string(mebibytes) + "MiB", run, [d] { return d->check(); });
}

// rows x classes scores in memory, one product for each gradient.
struct Whole {
  explicit Whole(const std::shared_ptr<Training>& training)
      : d(training), scores(static_cast<size_t>(d->shape.rows * d->shape.classes) * sizeof(float)) {}

  // Scores become their gradient, not scaled by 1/rows; losses are taken.
  void softmax_by_loop() {
    const LinearShape& s = d->shape;
    simd_loops().cross_entropy(scores.data(), d->labels.data(), s.rows, s.classes, VMX_F32, d->loss.data(),
                               d->backward ? scores.data() : nullptr, 1);
  }
  void softmax_by_primitive(const std::function<void()>& primitive) {
    const LinearShape& s = d->shape;
    primitive();
    for (int64_t r = 0; r < s.rows; ++r) {
      float& p = scores.as<float>()[r * s.classes + d->labels[static_cast<size_t>(r)]];
      d->loss[static_cast<size_t>(r)] = -std::log(p);
      p -= 1;
    }
  }
  void scale_grads() {
    for (float& value : d->grad_hidden) value *= d->scale;
    const int64_t n = d->shape.classes * d->shape.dim;
    for (int64_t i = 0; i < n; ++i) d->grad_weights.as<float>()[i] *= d->scale;
  }

  std::shared_ptr<Training> d;
  Buffer scores, narrow;
};

void add_blas(Prepared& prepared, const std::shared_ptr<Training>& d, const std::shared_ptr<Whole>& whole) {
  if (!blas::available() || d->shape.dtype != VMX_F32) return;
  const auto run = [d, whole] {
    const LinearShape& s = d->shape;
    float* const scores = whole->scores.as<float>();
    blas::sgemm(d->hidden_f32, d->weights_f32, scores, s.rows, s.classes, s.dim, false, true);
    whole->softmax_by_loop();
    if (!d->backward) return;
    blas::sgemm(scores, d->weights_f32, d->grad_hidden.data(), s.rows, s.dim, s.classes, false, false);
    blas::sgemm(scores, d->hidden_f32, d->grad_weights.as<float>(), s.classes, s.dim, s.rows, true, false);
    whole->scale_grads();
  };
  prepared.contenders.push_back(contender(Role::peer, "BLAS sgemm + loop", run, [d] { return d->check(); }));
}

// Weights change from step to step, so none are packed beforehand.
std::vector<Product> unpacked(std::vector<Product> products) {
  std::erase_if(products, [](const Product& product) { return product.layout.find("packed") != std::string::npos; });
  return products;
}

void add_onednn(Prepared& prepared, const std::shared_ptr<Training>& d, const std::shared_ptr<Whole>& whole, int32_t dtype) {
  const LinearShape& s = d->shape;
  float* const scores = whole->scores.as<float>();
  if (dtype == VMX_BF16 && d->backward) whole->narrow = Buffer(static_cast<size_t>(s.rows * s.classes) * 2);
  const void* const grad = dtype == VMX_BF16 ? whole->narrow.data() : whole->scores.data();

  const auto product = quickest(unpacked(score_products(*d, dtype, scores)));
  std::function<void()> to_hidden, to_weights;
  if (d->backward) {
    to_hidden = quickest(grad_hidden_products(*d, dtype, grad, d->grad_hidden.data()));
    to_weights = quickest(grad_weights_products(*d, dtype, grad, d->grad_weights.as<float>()));
  }
  if (!product || (d->backward && (!to_hidden || !to_weights))) return;

  const auto primitive = onednn::softmax(scores, scores, s.rows, s.classes, VMX_F32, false);
  const std::string what = dtype == s.dtype ? "oneDNN matmul + " : "oneDNN f32 matmul + ";
  for (const bool by_primitive : {true, false}) {
    if (by_primitive && !primitive) continue;
    const auto run = [d, whole, product, primitive, to_hidden, to_weights, by_primitive, dtype] {
      product();
      by_primitive ? whole->softmax_by_primitive(primitive) : whole->softmax_by_loop();
      if (!d->backward) return;
      if (dtype == VMX_BF16) {
        const int64_t n = d->shape.rows * d->shape.classes;
        const float* const from = whole->scores.as<float>();
        uint16_t* const to = whole->narrow.as<uint16_t>();
        for (int64_t i = 0; i < n; ++i) to[i] = to_bf16(from[i]);
      }
      to_hidden();
      to_weights();
      whole->scale_grads();
    };
    prepared.contenders.push_back(
        contender(Role::peer, what + (by_primitive ? "softmax" : "simd loop"), run, [d] { return d->check(); }));
  }
}

Prepared prepare(const Setting& setting, const LinearShape& shape, bool backward) {
  const auto d = std::make_shared<Training>(shape, backward);
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.rows) * static_cast<double>(shape.classes);
  prepared.bytes = static_cast<double>(shape.weight_bytes());
  if (backward && !setting.quick) {
    for (const int64_t mebibytes : {16, 32, 64, 256, 512}) prepared.contenders.push_back(ours(d, setting, mebibytes));
  }
  prepared.contenders.push_back(ours(d, setting, 128));

  const int32_t dtype = product_dtype(shape);
  const auto whole = std::make_shared<Whole>(d);
  add_blas(prepared, d, whole);
  add_onednn(prepared, d, whole, dtype);

  const char* const limit = dtype == shape.dtype ? "oneDNN products" : "oneDNN products in f32";
  // The limit's products take the scores as they are: any content costs the same.
  const void* const grad = dtype == VMX_BF16 ? whole->narrow.data() : whole->scores.data();
  const std::shared_ptr<void> owner = whole;
  limit_by_products(prepared, owner, limit, "scores", score_products(*d, dtype, whole->scores.as<float>()));
  if (backward) {
    limit_by_products(prepared, owner, limit, "hidden", grad_hidden_products(*d, dtype, grad, d->grad_hidden.data()));
    limit_by_products(prepared, owner, limit, "weights",
                      grad_weights_products(*d, dtype, grad, d->grad_weights.as<float>()));
  }
  limit_by_fma(prepared, setting, (backward ? 3 : 1) * shape.flop(), shape.dtype);
  return prepared;
}

}  // namespace

void add_linear_cross_entropy(std::vector<Case>& cases) {
  for (const bool backward : {false, true}) {
    for (const auto& [rows, dim, classes] : {std::tuple<int64_t, int64_t, int64_t>(256, 256, 50000), {1024, 512, 128256}}) {
      for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
        const LinearShape shape{rows, dim, classes, dtype};
        const bool small = rows == 256;
        cases.push_back({backward ? "linear_cross_entropy_fwd_bwd" : "linear_cross_entropy_fwd", shape.text(),
                         dtype_name(dtype), backward && small, (small ? 8.0 : 60.0) * (backward ? 2 : 1),
                         [shape, backward](const Setting& setting) { return prepare(setting, shape, backward); }});
      }
    }
  }
}

}  // namespace bench
