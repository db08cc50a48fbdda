// SPDX-License-Identifier: Apache-2.0
// Between storage dtypes and f32, exactly or rounded once.
#pragma once

#include "folds/quads.hpp"

namespace vmx {
namespace {

template <class T, class U>
inline void convert(const T* x, U* y, int64_t n) {
  for_each_step<kW>(x, y, n, [](const T* from, U* to) { store(to, load(from)); });
}

}  // namespace
}  // namespace vmx
