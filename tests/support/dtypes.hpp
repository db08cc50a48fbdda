// SPDX-License-Identifier: Apache-2.0
// Element types for tests: rounding spelled out in long double, on purpose not the library's own conversions.
#pragma once

#include <vastmax/vastmax.h>

#include <cstddef>
#include <cstdint>

namespace vmx::test {

inline constexpr int32_t kFloatTypes[] = {VMX_F32, VMX_BF16, VMX_F16, VMX_F64};

size_t size_of(int32_t dtype);
const char* name_of(int32_t dtype);

/// The nearest number of the format, ties to even; overflow gives an infinity.
double rounded(long double value, int32_t dtype);
double value_of(const void* element, int32_t dtype);
/// Stores rounded(value).
void put(void* element, int32_t dtype, long double value);

double largest(int32_t dtype);
/// Half the distance between neighbours at this magnitude: what one rounding may cost.
long double half_ulp(long double magnitude, int32_t dtype);
/// The unit roundoff of what a kernel computes in for scores of this dtype: 2^-24, 2^-53 for f64.
long double unit_of(int32_t score_dtype);
/// The same of a result: of the arithmetic, or of the narrower format that it is stored in.
long double unit_of_result(int32_t score_dtype, int32_t stored);
/// f32, or f64 for f64 scores: the dtype of log-sum-exps and losses.
int32_t wide_type(int32_t score_dtype);

}  // namespace vmx::test
