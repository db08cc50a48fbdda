// SPDX-License-Identifier: Apache-2.0
#include "check_sampler.hpp"

#include "core/dtype.hpp"

#include <cinttypes>

namespace vmx {
namespace {

constexpr int64_t kMostRows = int64_t{1} << 32, kMostSteps = int64_t{1} << 56;
constexpr int32_t kMostCodewords = 1024;

bool finite(double v) { return v - v == 0.0; }

vmx_status fail_neutral(const char* field, const char* kinds) {
  return fail(VMX_ERR_VALUE, "options.%s is for %s: it must be neutral here", field, kinds);
}

vmx_status check_weights(const vmx_vector& w, int64_t classes) {
  VMX_TRY(check_vector_in(&w, "options.weights", classes, kF32OrF64 | kIds));
  bool any = false;
  for (int64_t i = 0; i < classes; ++i) {
    double value;
    switch (w.dtype) {
      case VMX_I32: value = static_cast<double>(static_cast<const int32_t*>(w.data)[i * w.stride]); break;
      case VMX_I64: value = static_cast<double>(static_cast<const int64_t*>(w.data)[i * w.stride]); break;
      case VMX_F32: value = static_cast<double>(static_cast<const float*>(w.data)[i * w.stride]); break;
      default: value = static_cast<const double*>(w.data)[i * w.stride]; break;
    }
    if (!(value >= 0.0 && finite(value))) {
      return fail(VMX_ERR_VALUE, "options.weights[%" PRId64 "] is %g, but must be finite and at least 0", i, value);
    }
    any |= value > 0.0;
  }
  if (!any) return fail(VMX_ERR_VALUE, "options.weights are all 0");
  return VMX_OK;
}

vmx_status check_hidden(const vmx_sampler& sampler, const vmx_matrix* hidden, bool sizes_only) {
  if (!sampler.needs_hidden()) {
    if (hidden) return fail(VMX_ERR_VALUE, "hidden must be NULL for a sampler of this kind");
    return VMX_OK;
  }
  VMX_TRY((sizes_only ? check_input_sizes : check_input)(hidden, "hidden", kF32 | kBF16));
  if (hidden->cols != sampler.dim) {
    return fail(VMX_ERR_SHAPE, "hidden.cols is %" PRId64 ", but the sampler's embeddings have %" PRId64, hidden->cols,
                sampler.dim);
  }
  return VMX_OK;
}

vmx_status check_row_count(const char* name, int64_t rows) {
  if (rows <= kMostRows) return VMX_OK;
  return fail(VMX_ERR_SIZE, "%s is %" PRId64 ", more than 2^32", name, rows);
}

vmx_status check_draw_flags(const vmx_sampler& sampler, const vmx_draw_options& o) {
  VMX_TRY(check_flags("options", o.flags, VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS | VMX_DRAW_REPLACE, o.reserved));
  if (o.step < 0 || o.step >= kMostSteps) {
    return fail(VMX_ERR_VALUE, "options.step is %" PRId64 ", but must lie in [0, 2^56)", o.step);
  }
  const bool exact = sampler.kind == VMX_SAMPLER_EXACT, replace = (o.flags & VMX_DRAW_REPLACE) != 0;
  if (replace && !exact) return fail(VMX_ERR_VALUE, "options.flags has VMX_DRAW_REPLACE, which is for VMX_SAMPLER_EXACT");
  if (replace && (o.flags & VMX_DRAW_UNIQUE)) {
    return fail(VMX_ERR_VALUE, "options.flags has both VMX_DRAW_UNIQUE and VMX_DRAW_REPLACE");
  }
  if (exact && !replace && (o.flags & VMX_DRAW_COUNTS)) {
    return fail(VMX_ERR_UNSUPPORTED, "VMX_SAMPLER_EXACT has no expected counts without VMX_DRAW_REPLACE");
  }
  return VMX_OK;
}

}  // namespace

vmx_status check_sampler_options(const vmx_sampler_options* given, vmx_sampler_options* out) {
  if (!given) return fail(VMX_ERR_NULL, "options is NULL");
  VMX_TRY(read_options(given, "options", out));
  const vmx_sampler_options& o = *out;
  if (o.kind < VMX_SAMPLER_UNIFORM || o.kind > VMX_SAMPLER_EXACT) {
    return fail(VMX_ERR_VALUE, "options.kind is %" PRId32 ", but must be one of VMX_SAMPLER_*", o.kind);
  }
  if (o.classes < 1) return fail(VMX_ERR_VALUE, "options.classes is %" PRId64 ", but must be at least 1", o.classes);
  if (o.classes > VMX_MAX_COLS) return fail(VMX_ERR_SIZE, "options.classes is %" PRId64 ", more than VMX_MAX_COLS", o.classes);

  const bool weights = o.kind == VMX_SAMPLER_WEIGHTS, midx = o.kind == VMX_SAMPLER_MIDX;
  const bool embeddings = o.kind >= VMX_SAMPLER_MIDX;
  if (!midx && o.codewords != 0) return fail_neutral("codewords", "VMX_SAMPLER_MIDX");
  if (o.codewords < 0 || o.codewords > kMostCodewords) {
    return fail(VMX_ERR_VALUE, "options.codewords is %" PRId32 ", but must lie in [0, %" PRId32 "]", o.codewords, kMostCodewords);
  }
  if (!midx && o.seed != 0) return fail_neutral("seed", "VMX_SAMPLER_MIDX");
  if (!weights && o.weights.data) return fail_neutral("weights", "VMX_SAMPLER_WEIGHTS");
  if (!weights && o.power != 1.0) return fail_neutral("power", "VMX_SAMPLER_WEIGHTS");
  if (!(o.power >= 0.0 && finite(o.power))) {
    return fail(VMX_ERR_VALUE, "options.power is %g, but must be finite and at least 0", o.power);
  }
  if (!embeddings && o.embeddings.data) return fail_neutral("embeddings", "MIDX, QUADRATIC and EXACT");
  if (!embeddings && o.temperature != 1.0) return fail_neutral("temperature", "MIDX, QUADRATIC and EXACT");
  if (!(o.temperature > 0.0 && finite(o.temperature))) {
    return fail(VMX_ERR_VALUE, "options.temperature is %g, but must be finite and above 0", o.temperature);
  }
  if (o.kind != VMX_SAMPLER_QUADRATIC && o.alpha != 100.0) return fail_neutral("alpha", "VMX_SAMPLER_QUADRATIC");
  if (!(o.alpha >= 0.0 && finite(o.alpha))) {
    return fail(VMX_ERR_VALUE, "options.alpha is %g, but must be finite and at least 0", o.alpha);
  }
  if (o.kind != VMX_SAMPLER_IN_BATCH && o.rate != 0.01) return fail_neutral("rate", "VMX_SAMPLER_IN_BATCH");
  if (!(o.rate > 0.0 && o.rate <= 1.0)) {
    return fail(VMX_ERR_VALUE, "options.rate is %g, but must lie in (0, 1]", o.rate);
  }
  if (weights) VMX_TRY(check_weights(o.weights, o.classes));
  if (embeddings) return check_embeddings(&o.embeddings, "options.embeddings", o.classes);
  out->embeddings = {};
  return VMX_OK;
}

vmx_status check_embeddings(const vmx_matrix* embeddings, const char* name, int64_t classes) {
  VMX_TRY(check_input(embeddings, name, kF32 | kBF16));
  if (embeddings->rows != classes) {
    return fail(VMX_ERR_SHAPE, "%s.rows is %" PRId64 ", but the sampler has %" PRId64 " classes", name, embeddings->rows,
                classes);
  }
  return VMX_OK;
}

vmx_status check_draw(const vmx_sampler* sampler, const vmx_matrix* hidden, const vmx_matrix* ids, const vmx_matrix* log_q,
                      int64_t* tries, uint32_t* row_flags, const vmx_draw_options* options, bool sizes_only, DrawCall* out) {
  if (!sampler) return fail(VMX_ERR_NULL, "sampler is NULL");
  VMX_TRY(check_hidden(*sampler, hidden, sizes_only));
  const auto check = sizes_only ? check_output_sizes : check_output;
  VMX_TRY(check(ids, "ids", kIds));
  VMX_TRY(check_row_count("ids.rows", ids->rows));
  *out = {sampler, {}, *ids, {}, tries, row_flags, {}};
  if (hidden) {
    out->hidden = *hidden;
    if (ids->rows != hidden->rows) {
      return fail(VMX_ERR_SHAPE, "ids.rows is %" PRId64 ", but hidden.rows is %" PRId64, ids->rows, hidden->rows);
    }
  }
  if (log_q && log_q->data) {
    VMX_TRY(check(log_q, "log_q", kF32));
    VMX_TRY(check_same_shape(*log_q, "log_q", *ids, "ids"));
    out->log_q = *log_q;
  }
  VMX_TRY(check_array(tries, "tries", ids->rows));
  VMX_TRY(check_array(row_flags, "row_flags", ids->rows));
  VMX_TRY(read_options(options, "options", &out->options));
  if (sampler->kind == VMX_SAMPLER_IN_BATCH) {
    return fail(VMX_ERR_UNSUPPORTED, "a sampler of kind VMX_SAMPLER_IN_BATCH draws nothing");
  }
  VMX_TRY(check_draw_flags(*sampler, out->options));
  if (out->unique() && ids->cols > sampler->classes) {
    return fail(VMX_ERR_VALUE, "ids.cols is %" PRId64 ", but without replacement there are only %" PRId64 " classes", ids->cols,
                sampler->classes);
  }
  if (sizes_only) return VMX_OK;

  NamedExtent outputs[4], inputs[2];
  int n_outputs = 0, n_inputs = 0;
  outputs[n_outputs++] = {extent(*ids), "ids"};
  if (out->log_q.data) outputs[n_outputs++] = {extent(out->log_q), "log_q"};
  if (tries) outputs[n_outputs++] = {array_extent(tries, ids->rows), "tries"};
  if (row_flags) outputs[n_outputs++] = {array_extent(row_flags, ids->rows), "row_flags"};
  if (hidden) inputs[n_inputs++] = {extent(*hidden), "hidden"};
  vmx_matrix kept{};
  if (sampler->kept_view(&kept)) inputs[n_inputs++] = {extent(kept), "the sampler's embeddings"};
  return check_apart(outputs, n_outputs, inputs, n_inputs);
}

vmx_status check_log_q(const vmx_sampler* sampler, const vmx_matrix* hidden, const vmx_csr* classes, int64_t draws,
                       const int64_t* tries, int64_t tries_stride, const vmx_vector* log_q, LogQCall* out) {
  if (!sampler) return fail(VMX_ERR_NULL, "sampler is NULL");
  VMX_TRY(check_hidden(*sampler, hidden, false));
  if (!classes) return fail(VMX_ERR_NULL, "classes is NULL");
  VMX_TRY(check_ids(&classes->ids, "classes.ids"));
  const int64_t entries = classes->ids.n;
  int64_t rows = entries;
  if (classes->indptr.data) {
    VMX_TRY(check_ids(&classes->indptr, "classes.indptr"));
    if (classes->indptr.n < 1) return fail(VMX_ERR_SHAPE, "classes.indptr.n is 0, but must be rows + 1");
    rows = classes->indptr.n - 1;
  }
  if (hidden && rows != hidden->rows) {
    return fail(VMX_ERR_SHAPE, "classes has lists for %" PRId64 " rows, but hidden.rows is %" PRId64, rows, hidden->rows);
  }
  int64_t last = 0;
  for (int64_t row = 0; classes->indptr.data && row <= rows; ++row) {
    const int64_t raw = read_id(classes->indptr, row), base = classes->indptr.base;
    if (raw < last + base || raw - base > entries) {
      return fail(VMX_ERR_SHAPE, "classes.indptr[%" PRId64 "] is %" PRId64 ", but must lie in [%" PRId64 ", %" PRId64 "]", row, raw,
                  last + base, entries + base);
    }
    last = raw - base;
  }
  VMX_TRY(check_class_ids(&classes->ids, "classes.ids", sampler->classes));
  if (draws < 0) return fail(VMX_ERR_VALUE, "draws is %" PRId64 ", but must be at least 0", draws);
  *out = {sampler, {}, *classes, rows, draws, draws > 0 ? tries : nullptr, tries_stride, {}};
  if (hidden) out->hidden = *hidden;
  const vmx_ids tries_view = {tries, rows, tries_stride, VMX_I64, 0};
  if (out->tries) {
    VMX_TRY(check_ids(&tries_view, "tries"));
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t t = tries[row * tries_stride];
      if (t < 0) return fail(VMX_ERR_VALUE, "tries[%" PRId64 "] is %" PRId64 ", but must be at least 0", row, t);
    }
    if (sampler->kind == VMX_SAMPLER_EXACT) {
      return fail(VMX_ERR_UNSUPPORTED, "VMX_SAMPLER_EXACT has no expected counts without replacement");
    }
  }
  VMX_TRY(check_vector_out(log_q, "log_q", entries, kF32OrF64));
  out->log_q = *log_q;

  const NamedExtent output = {extent(*log_q), "log_q"};
  NamedExtent inputs[5] = {{extent(classes->ids), "classes.ids"}};
  int n = 1;
  if (classes->indptr.data) inputs[n++] = {extent(classes->indptr), "classes.indptr"};
  if (hidden) inputs[n++] = {extent(*hidden), "hidden"};
  if (out->tries) inputs[n++] = {extent(tries_view), "tries"};
  vmx_matrix kept{};
  if (sampler->kept_view(&kept)) inputs[n++] = {extent(kept), "the sampler's embeddings"};
  return check_apart(&output, 1, inputs, n);
}

vmx_status check_class_ids(const vmx_ids* ids, const char* name, int64_t classes) {
  VMX_TRY(check_ids(ids, name));
  for (int64_t i = 0; i < ids->n; ++i) {
    const int64_t raw = read_id(*ids, i);
    if (raw < ids->base || raw - ids->base >= classes) {
      return fail(VMX_ERR_LABEL, "%s[%" PRId64 "] is %" PRId64 ", outside [%" PRId32 ", %" PRId64 ")", name, i, raw, ids->base,
                  classes + ids->base);
    }
  }
  return VMX_OK;
}

}  // namespace vmx
