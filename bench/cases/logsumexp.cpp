// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "limits.hpp"
#include "peers/row_loops.hpp"

namespace bench {
namespace {

Prepared prepare(const Setting& setting, const Shape& shape) {
  const auto d = std::make_shared<Dense>(setting, shape, false, false);
  Prepared prepared;
  prepared.elements = static_cast<double>(shape.elements());
  prepared.bytes = static_cast<double>(shape.bytes());
  const auto check = [d] { return d->oracle.check_lse(d->per_row.as<float>()); };

  prepared.contenders.push_back(contender(
      Role::ours, "",
      [d, context = setting.context, x = d->x_view(), lse = vector(d->per_row.as<float>(), shape.rows)] {
        require(vmx_logsumexp(context, d->workspace.get(), &x, &lse, nullptr, nullptr));
      },
      check));
  for (const RowLoops* loops : {&naive_loops, &simd_loops()}) {
    prepared.contenders.push_back(contender(
        Role::peer, loops->name,
        [d, loops, &team = setting.team] {
          const Shape& s = d->shape;
          team.split(s.rows, 1, [&](int64_t begin, int64_t end) {
            loops->logsumexp(d->x.as<char>() + begin * s.cols * dtype_bytes(s.dtype), end - begin, s.cols, s.dtype,
                             d->per_row.as<float>() + begin);
          });
        },
        check));
  }
  limit_by_read(prepared, setting, d->x.data(), shape.bytes());
  limit_by_exp(prepared, setting, prepared.elements);
  return prepared;
}

}  // namespace

void add_logsumexp(std::vector<Case>& cases) {
  for (const Shape& shape : row_shapes()) {
    cases.push_back({"logsumexp", shape.text(), dtype_name(shape.dtype), shape.quick, 2,
                     [shape](const Setting& setting) { return prepare(setting, shape); }});
  }
}

}  // namespace bench
