// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "limits.hpp"
#include "peers/onednn.hpp"
#include "peers/row_loops.hpp"

#include <cmath>

namespace bench {
namespace {

enum class Pass { forward, backward, backward_in_place };

struct Labelled : Dense {
  Labelled(const Setting& setting, const Shape& s, Pass pass)
      : Dense(setting, s, pass == Pass::backward_in_place, true), labels(static_cast<size_t>(s.rows)),
        scale(1 / static_cast<float>(s.rows)) {
    fill_labels(labels.data(), s.rows, s.cols);
  }
  float* loss() const { return per_row.as<float>(); }

  std::vector<int32_t> labels;
  float scale;  // of gradients: the loss is a mean
};

std::string check(const Labelled& d, Pass pass) {
  std::string wrong = d.oracle.check_loss(d.loss(), d.labels.data());
  if (wrong.empty() && pass != Pass::forward) {
    wrong = d.oracle.check_grad(d.y, d.shape.dtype, d.labels.data(), static_cast<double>(d.scale));
  }
  return wrong;
}

// By oneDNN's primitive: log-softmax for the loss alone, softmax where its result becomes the gradient.
std::function<void()> by_onednn(const std::shared_ptr<Labelled>& d, Pass pass) {
  const Shape& s = d->shape;
  const auto primitive = onednn::softmax(d->x.data(), d->y, s.rows, s.cols, s.dtype, pass == Pass::forward);
  if (!primitive) return {};
  return [d, primitive, pass] {
    const Shape& shape = d->shape;
    primitive();
    for (int64_t r = 0; r < shape.rows; ++r) {
      const float at_label = load(d->y, r * shape.cols + d->labels[static_cast<size_t>(r)], shape.dtype);
      d->loss()[r] = pass == Pass::forward ? -at_label : -std::log(at_label);
    }
    if (pass == Pass::forward) return;
    for (int64_t r = 0; r < shape.rows; ++r) {
      const int64_t begin = r * shape.cols, label = begin + d->labels[static_cast<size_t>(r)];
      if (shape.dtype == VMX_BF16) {
        uint16_t* const grad = static_cast<uint16_t*>(d->y);
        grad[label] = to_bf16(from_bf16(grad[label]) - 1);
        for (int64_t c = begin; c < begin + shape.cols; ++c) grad[c] = to_bf16(from_bf16(grad[c]) * d->scale);
      } else {
        float* const grad = static_cast<float*>(d->y);
        grad[label] -= 1;
        for (int64_t c = begin; c < begin + shape.cols; ++c) grad[c] *= d->scale;
      }
    }
  };
}

Prepared prepare(const Setting& setting, const Shape& shape, Pass pass) {
  const auto d = std::make_shared<Labelled>(setting, shape, pass);
  const bool in_place = pass == Pass::backward_in_place;
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.elements());
  prepared.bytes = (pass == Pass::forward ? 1 : 2) * static_cast<double>(shape.bytes());
  if (in_place) prepared.reset = [d] { d->reset(); };
  const auto checked = [d, pass] { return check(*d, pass); };

  vmx_csr targets{};
  targets.ids = {d->labels.data(), shape.rows, 1, VMX_I32, 0};
  vmx_cross_entropy_options options = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  options.reduction = VMX_REDUCE_MEAN;
  prepared.contenders.push_back(contender(
      Role::ours, "",
      [d, pass, targets, options, context = setting.context, x = d->x_view(), y = d->y_view()] {
        double total = 0;
        vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
        out.loss = vector(d->loss(), d->shape.rows);
        out.total = &total;
        if (pass != Pass::forward) out.grad = y;
        require(vmx_cross_entropy(context, d->workspace.get(), &x, &targets, &out, &options));
      },
      checked));
  for (const RowLoops* loops : {&naive_loops, &simd_loops()}) {
    prepared.contenders.push_back(contender(
        Role::peer, loops->name,
        [d, loops, pass, &team = setting.team] {
          const Shape& s = d->shape;
          team.split(s.rows, 1, [&](int64_t begin, int64_t end) {
            const int64_t offset = begin * s.cols * dtype_bytes(s.dtype);
            loops->cross_entropy(d->x.as<char>() + offset, d->labels.data() + begin, end - begin, s.cols, s.dtype,
                                 d->loss() + begin, pass == Pass::forward ? nullptr : static_cast<char*>(d->y) + offset,
                                 d->scale);
          });
        },
        checked));
  }
  if (const auto run = by_onednn(d, pass)) {
    prepared.contenders.push_back(
        contender(Role::peer, pass == Pass::forward ? "oneDNN log-softmax" : "oneDNN softmax + loop", run, checked));
  }
  if (pass == Pass::forward) {
    limit_by_read(prepared, setting, d->x.data(), shape.bytes());
  } else if (in_place) {
    limit_by_update(prepared, setting, d->x.data(), shape.bytes());
  } else {
    limit_by_copy(prepared, setting, d->y, d->x.data(), shape.bytes());
  }
  limit_by_exp(prepared, setting, prepared.elements);
  return prepared;
}

}  // namespace

void add_cross_entropy(std::vector<Case>& cases) {
  struct Kind {
    Pass pass;
    const char* kernel;
  };
  for (const Kind kind : {Kind{Pass::forward, "cross_entropy_fwd"}, Kind{Pass::backward, "cross_entropy_fwd_bwd"},
                          Kind{Pass::backward_in_place, "cross_entropy_fwd_bwd_in_place"}}) {
    for (const int32_t dtype : {VMX_F32, VMX_BF16}) {
      for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>(64, 32000), {4096, 32000}, {256, 128256}}) {
        const Shape shape{rows, cols, dtype, rows == 256 || (rows == 64 && dtype == VMX_F32)};
        cases.push_back({kind.kernel, shape.text(), dtype_name(dtype), shape.quick, 4,
                         [shape, kind](const Setting& setting) { return prepare(setting, shape, kind.pass); }});
      }
    }
  }
}

}  // namespace bench
