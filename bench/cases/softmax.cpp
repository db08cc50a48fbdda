// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "limits.hpp"
#include "peers/onednn.hpp"
#include "peers/row_loops.hpp"

namespace bench {
namespace {

Prepared prepare(const Setting& setting, const Shape& shape, bool logarithm, bool in_place) {
  const auto d = std::make_shared<Dense>(setting, shape, in_place, true);
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.elements());
  prepared.bytes = 2 * static_cast<double>(shape.bytes());
  if (in_place) prepared.reset = [d] { d->reset(); };
  const auto check = [d, logarithm] { return d->oracle.check_softmax(d->y, d->shape.dtype, logarithm); };

  const auto call = logarithm ? vmx_log_softmax : vmx_softmax;
  prepared.contenders.push_back(contender(
      Role::ours, "",
      [d, call, context = setting.context, x = d->x_view(), y = d->y_view()] {
        require(call(context, d->workspace.get(), &x, &y, nullptr, nullptr, nullptr));
      },
      check));
  for (const RowLoops* loops : {&naive_loops, &simd_loops()}) {
    prepared.contenders.push_back(contender(
        Role::peer, loops->name,
        [d, loops, logarithm, &team = setting.team] {
          const Shape& s = d->shape;
          team.split(s.rows, 1, [&](int64_t begin, int64_t end) {
            const int64_t offset = begin * s.cols * dtype_bytes(s.dtype);
            loops->softmax(d->x.as<char>() + offset, static_cast<char*>(d->y) + offset, end - begin, s.cols, s.dtype,
                           logarithm);
          });
        },
        check));
  }
  if (const auto run = onednn::softmax(d->x.data(), d->y, shape.rows, shape.cols, shape.dtype, logarithm)) {
    prepared.contenders.push_back(
        contender(Role::peer, logarithm ? "oneDNN log-softmax" : "oneDNN softmax", [d, run] { run(); }, check));
  }
  if (in_place) {
    limit_by_update(prepared, setting, d->x.data(), shape.bytes());
  } else {
    limit_by_copy(prepared, setting, d->y, d->x.data(), shape.bytes());
  }
  limit_by_exp(prepared, setting, prepared.elements);
  return prepared;
}

}  // namespace

void add_softmax(std::vector<Case>& cases) {
  for (const bool logarithm : {false, true}) {
    for (const bool in_place : {false, true}) {
      for (const Shape& shape : row_shapes()) {
        const std::string kernel = std::string(logarithm ? "log_softmax" : "softmax") + (in_place ? "_in_place" : "");
        const bool quick = shape.quick && (shape.dtype == VMX_F32 || shape.rows > 1) && !(in_place && logarithm) &&
                           !(shape.rows == 1 && in_place);
        cases.push_back({kernel, shape.text(), dtype_name(shape.dtype), quick, 3,
                         [shape, logarithm, in_place](const Setting& setting) {
                           return prepare(setting, shape, logarithm, in_place);
                         }});
      }
    }
  }
}

}  // namespace bench
