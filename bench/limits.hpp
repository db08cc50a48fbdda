// SPDX-License-Identifier: Apache-2.0
// Limits of a case, measured on its own buffers by the plainest loops.
#pragma once

#include "case.hpp"

namespace bench {

// Names of limits in rows: "read", "copy", "update", "random rows", "max-scan", "exp", "FMA".
// Each keeps the pointers: what owns them must live as long as the contenders.
void limit_by_read(Prepared& prepared, const Setting& setting, const void* x, int64_t bytes);
// The better of plain and non-temporal stores.
void limit_by_copy(Prepared& prepared, const Setting& setting, void* to, const void* from, int64_t bytes);
// Read, modify, write in place.
void limit_by_update(Prepared& prepared, const Setting& setting, void* x, int64_t bytes);
// Rows of a table in the order of ids, `width` floats each (a multiple of 16).
void limit_by_rows(Prepared& prepared, const Setting& setting, const float* table, const int32_t* ids, int64_t n, int64_t width);
void limit_by_max_scan(Prepared& prepared, const Setting& setting, const float* x, int64_t n);
// One exponential of degree 5 for each element, from the machine's figures.
void limit_by_exp(Prepared& prepared, const Setting& setting, double elements);
void limit_by_fma(Prepared& prepared, const Setting& setting, double flop, int32_t dtype);

}  // namespace bench
