// SPDX-License-Identifier: Apache-2.0
// Entry points: partial states of the log-sum-exp.
#include "check.hpp"
#include "core/scalar_math.hpp"
#include "ops/lse_fold.hpp"
#include "ops/row_factor.hpp"

using namespace vmx;

namespace {

constexpr double kInf = __builtin_inf();

long long number(int64_t v) { return static_cast<long long>(v); }

vmx_status read_lse_options(const vmx_lse_options* given, vmx_lse_options* out) {
  VMX_TRY(read_options(given, "options", out));
  return check_flags("options", out->flags, VMX_FOLD_SUMS | VMX_FOLD_ENTROPY, out->reserved);
}

vmx_status check_lse_options(const vmx_lse_options* given, int64_t rows, vmx_lse_options* out) {
  VMX_TRY(read_lse_options(given, out));
  return check_temperatures(Temperatures{out->temperature, out->temperature_stride}, rows);
}

uint32_t has_of(const vmx_lse_options& o) {
  uint32_t has = 0;
  if (o.flags & VMX_FOLD_SUMS) has |= VMX_STATE_HAS_SUMS;
  if (o.flags & VMX_FOLD_ENTROPY) has |= VMX_STATE_HAS_ENTROPY;
  return has;
}

vmx_status check_state(const vmx_lse_state& s, int64_t i, const char* name) {
  if (s.version > kStateVersion) {
    return fail(VMX_ERR_VALUE, "%s[%lld].version is %d, but this library knows 0 to %d", name, number(i), s.version,
                kStateVersion);
  }
  if (!state_sound(s)) {
    return fail(VMX_ERR_VALUE, "%s[%lld] is no state that a fold made: max %g, ref %lld, sum %lld, %lld, %lld", name, number(i),
                s.max, number(s.ref), number(s.sum[0]), number(s.sum[1]), number(s.sum[2]));
  }
  return VMX_OK;
}

vmx_status check_count(int64_t count, int64_t i) {
  if (count <= VMX_MAX_COLS) return VMX_OK;
  return fail(VMX_ERR_SIZE, "state %lld would count %lld classes, but VMX_MAX_COLS is %lld", number(i), number(count),
              number(VMX_MAX_COLS));
}

// T of a finished state: huge ones alone need it.
ExpParams finish_params(const vmx_lse_options& o, int64_t i) {
  const float t = Temperatures{o.temperature, o.temperature_stride}.at(i);
  return make_exp_params(t >= 0x1p-126f && t < __builtin_inff() ? t : 1.0f, false);
}

// T < 2^-126: all mass on the first maximum.
bool is_hard(const vmx_lse_options& o, int64_t i) {
  return Temperatures{o.temperature, o.temperature_stride}.at(i) < 0x1p-126f;
}
// T = +inf: all scores count as 0.
bool is_flat(const vmx_lse_options& o, int64_t i) {
  return Temperatures{o.temperature, o.temperature_stride}.at(i) == __builtin_inff();
}
double limit_of(double max) { return max > 0 ? kInf : max < 0 ? -kInf : 0.0; }

template <class State>
vmx_status check_states_array(const State* states, int64_t n, const char* name) {
  if (n < 0) return fail(VMX_ERR_SHAPE, "n is %lld, but must be at least 0", number(n));
  if (n > 0 && !states) return fail(VMX_ERR_NULL, "%s is NULL", name);
  return check_array(states, name, n);
}

// Equal or apart.
template <class State>
vmx_status check_merge_arrays(const State* into, const State* from, int64_t n) {
  VMX_TRY(check_states_array(into, n, "into"));
  VMX_TRY(check_states_array(from, n, "from"));
  return into == from ? VMX_OK : check_disjoint(array_extent(into, n), "into", array_extent(from, n), "from");
}

}  // namespace

vmx_status vmx_lse_fold(const vmx_context* ctx, vmx_workspace* ws, const vmx_matrix* x, int64_t col_offset,
                        vmx_lse_state* states, const vmx_lse_options* options) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_input(x, "x", kFloats));
    VMX_TRY(check_states_array(states, x->rows, "states"));
    if (col_offset < 0) return fail(VMX_ERR_SHAPE, "col_offset is %lld, but must be at least 0", number(col_offset));
    if (col_offset > VMX_MAX_COLS - x->cols) {
      return fail(VMX_ERR_SIZE, "col_offset %lld + x.cols %lld is more than VMX_MAX_COLS", number(col_offset),
                  number(x->cols));
    }
    vmx_lse_options o;
    VMX_TRY(check_lse_options(options, x->rows, &o));
    if (o.class_weight.data) {
      VMX_TRY(check_class_weight(o.class_weight, x->cols));
      if (o.class_weight.stride != 1 && x->cols > 1) {
        return fail(VMX_ERR_SHAPE, "options.class_weight.stride is %lld, but must be 1", number(o.class_weight.stride));
      }
      if (!(o.flags & VMX_FOLD_SUMS)) return fail(VMX_ERR_VALUE, "options.class_weight needs VMX_FOLD_SUMS");
    }
    if (o.skip.data) {
      VMX_TRY(check_ids(&o.skip, "options.skip"));
      if (o.skip.n != x->rows) {
        return fail(VMX_ERR_SHAPE, "options.skip.n is %lld, but x.rows is %lld", number(o.skip.n), number(x->rows));
      }
    }
    const NamedExtent outputs[1] = {{array_extent(states, x->rows), "states"}};
    NamedExtent inputs[4] = {{extent(*x), "x"}, temperature_extent(o, x->rows)};
    int n = 2;
    if (o.class_weight.data) inputs[n++] = {extent(o.class_weight), "options.class_weight"};
    if (o.skip.data) inputs[n++] = {extent(o.skip), "options.skip"};
    VMX_TRY(check_apart(outputs, 1, inputs, n));
    for (int64_t i = 0; i < x->rows; ++i) {
      VMX_TRY(check_state(states[i], i, "states"));
      if (!state_fits(states[i], has_of(o))) {
        return fail(VMX_ERR_VALUE, "states[%lld].flags is %u, but options.flags is %u: the sums differ", number(i),
                    states[i].flags, o.flags);
      }
      VMX_TRY(check_count(int64_t{states[i].count} + x->cols, i));
    }
    lse_fold(resolve(ctx), ws, *x, col_offset, states, o);
    return VMX_OK;
  });
}

vmx_status vmx_lse_fold_workspace_size(const vmx_context* ctx, const vmx_matrix* x, const vmx_lse_options* options,
                                       size_t* size) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    if (!size) return fail(VMX_ERR_NULL, "size is NULL");
    VMX_TRY(check_input_sizes(x, "x", kFloats));
    vmx_lse_options o;
    VMX_TRY(read_lse_options(options, &o));
    *size = lse_fold_scratch(resolve(ctx), x->rows, x->cols);
    return VMX_OK;
  });
}

vmx_status vmx_lse_merge(vmx_lse_state* into, const vmx_lse_state* from, int64_t n) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_merge_arrays(into, from, n));
    for (int64_t i = 0; i < n; ++i) {
      VMX_TRY(check_state(into[i], i, "into"));
      VMX_TRY(check_state(from[i], i, "from"));
      if (into[i].version && !state_fits(from[i], into[i].flags & kStateHas)) {
        return fail(VMX_ERR_VALUE, "into[%lld].flags is %u and from[%lld].flags is %u: the sums differ", number(i),
                    into[i].flags, number(i), from[i].flags);
      }
      VMX_TRY(check_count(int64_t{into[i].count} + from[i].count, i));
    }
    for (int64_t i = 0; i < n; ++i) {
      const vmx_lse_state other = from[i];
      merge_states(into[i], other);
    }
    return VMX_OK;
  });
}

vmx_status vmx_lse_finish(const vmx_lse_state* states, int64_t n, const vmx_lse_options* options,
                          const vmx_vector* lse, const vmx_vector* entropy, uint32_t* row_flags) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_states_array(states, n, "states"));
    vmx_lse_options o;
    VMX_TRY(check_lse_options(options, n, &o));
    NamedExtent outputs[3];
    int count = 0;
    const NamedExtent inputs[2] = {{array_extent(states, n), "states"}, temperature_extent(o, n)};
    if (wanted(lse)) {
      VMX_TRY(check_vector_out(lse, "lse", n, kF32OrF64));
      outputs[count++] = {extent(*lse), "lse"};
    }
    if (wanted(entropy)) {
      VMX_TRY(check_vector_out(entropy, "entropy", n, kF32OrF64));
      outputs[count++] = {extent(*entropy), "entropy"};
    }
    if (row_flags) {
      VMX_TRY(check_array(row_flags, "row_flags", n));
      outputs[count++] = {array_extent(row_flags, n), "row_flags"};
    }
    VMX_TRY(check_apart(outputs, count, inputs, 2));
    for (int64_t i = 0; i < n; ++i) {
      VMX_TRY(check_state(states[i], i, "states"));
      if (wanted(entropy) && states[i].version && !(states[i].flags & VMX_STATE_HAS_ENTROPY)) {
        return fail(VMX_ERR_VALUE, "states[%lld].flags is %u: it was folded without VMX_FOLD_ENTROPY", number(i),
                    states[i].flags);
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      const LseSum sum = sum_of(states[i]);
      const bool at_limit = is_hard(o, i) && row_flags_of(sum) == 0;
      if (wanted(lse)) {
        store_result(*lse, i, at_limit ? limit_of(states[i].max) : lse_of(sum, finish_params(o, i)));
      }
      if (wanted(entropy)) store_result(*entropy, i, at_limit ? 0.0 : state_entropy(states[i]));
      if (row_flags) row_flags[i] = row_flags_of(sum);
    }
    return VMX_OK;
  });
}

vmx_status vmx_lse_shorten(const vmx_lse_state* states, int64_t n, const vmx_lse_options* options,
                           vmx_lse_short* out) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_states_array(states, n, "states"));
    VMX_TRY(check_states_array(out, n, "out"));
    vmx_lse_options o;
    VMX_TRY(check_lse_options(options, n, &o));
    const NamedExtent outputs[1] = {{array_extent(out, n), "out"}};
    const NamedExtent inputs[2] = {{array_extent(states, n), "states"}, temperature_extent(o, n)};
    VMX_TRY(check_apart(outputs, 1, inputs, 2));
    for (int64_t i = 0; i < n; ++i) VMX_TRY(check_state(states[i], i, "states"));
    for (int64_t i = 0; i < n; ++i) {
      const LseSum sum = sum_of(states[i]);
      const ExpParams params = finish_params(o, i);
      if (sum.nan) out[i] = {__builtin_nan(""), __builtin_nan("")};
      else if (sum.inf) out[i] = {kInf, 1.0};
      else if (!sum.any) out[i] = {-kInf, 0.0};
      else if (is_hard(o, i)) out[i] = {limit_of(states[i].max), states[i].max < 0 ? 0.0 : 1.0};
      else if (is_flat(o, i)) out[i] = {0.0, relative_sum(sum, params, 0.0)};
      else out[i] = {states[i].max * params.inverse, relative_sum(sum, params, states[i].max)};
    }
    return VMX_OK;
  });
}

vmx_status vmx_lse_short_merge(vmx_lse_short* into, const vmx_lse_short* from, int64_t n) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_merge_arrays(into, from, n));
    for (int64_t i = 0; i < n; ++i) {
      const vmx_lse_short a = into[i], b = from[i];
      if (a.max != a.max || b.max != b.max) {
        into[i] = {__builtin_nan(""), __builtin_nan("")};
      } else if (a.max == kInf || b.max == kInf) {
        into[i] = {kInf, 1.0};
      } else if (b.max == -kInf) {
        into[i] = a;
      } else if (a.max == -kInf) {
        into[i] = b;
      } else {
        // The factor of the larger is exactly 1.
        const bool first = a.max >= b.max;
        const vmx_lse_short high = first ? a : b, low = first ? b : a;
        into[i] = {high.max, high.sum + low.sum * scalar_exp(low.max - high.max)};
      }
    }
    return VMX_OK;
  });
}

vmx_status vmx_lse_short_finish(const vmx_lse_short* states, int64_t n, const vmx_vector* lse) noexcept {
  const ApiCall call(__func__);
  return guarded([&]() -> vmx_status {
    VMX_TRY(check_states_array(states, n, "states"));
    VMX_TRY(check_vector_out(lse, "lse", n, kF32OrF64));
    VMX_TRY(check_disjoint(extent(*lse), "lse", array_extent(states, n), "states"));
    for (int64_t i = 0; i < n; ++i) {
      const vmx_lse_short s = states[i];
      const bool finite = s.max > -kInf && s.max < kInf;
      store_result(*lse, i, finite ? s.max + scalar_log(s.sum) : s.max);
    }
    return VMX_OK;
  });
}
