// SPDX-License-Identifier: Apache-2.0
#include "ops/sampled_parts.hpp"

#include "core/dtype.hpp"
#include "core/scalar_math.hpp"
#include "ops/rows.hpp"

#include <algorithm>
#include <cinttypes>

namespace vmx {
namespace {

constexpr size_t kDefaultLimit = size_t{128} << 20;
// A list beyond any last-level cache is not worth a place in it.
constexpr int64_t kStreamingBytes = int64_t{32} << 20;
// Squares of norms that an f32 sum holds with all its digits, and their inverses too.
constexpr float kLeastSquare = 0x1p-40f, kMostSquare = 0x1p40f;

}  // namespace

bool wants_log_q(const vmx_sampled_options& o) {
  return o.loss == VMX_LOSS_NCE || (o.loss == VMX_LOSS_SAMPLED_SOFTMAX && o.correction != VMX_CORRECT_NONE);
}

bool wants_target_log_q(const vmx_sampled_options& o) {
  return wants_log_q(o) && !(o.loss == VMX_LOSS_SAMPLED_SOFTMAX && o.correction == VMX_CORRECT_IS);
}

double SampledInput::correction(int64_t row, int64_t j) const {
  if (!log_q.data) return 0.0;
  const double own = static_cast<double>(
      static_cast<const float*>(log_q.data)[row * log_q.row_stride + j * log_q.col_stride]);
  const bool importance = options.loss == VMX_LOSS_SAMPLED_SOFTMAX && options.correction == VMX_CORRECT_IS;
  return importance ? own + scalar_log(static_cast<double>(candidates())) : own;
}

double SampledInput::target_correction(int64_t entry) const {
  return target_log_q.data ? load_vector(target_log_q, entry) : 0.0;
}

MemoryLimit::MemoryLimit(const vmx_sampled_options& options)
    : bytes(options.memory_limit != 0 ? options.memory_limit : kDefaultLimit), given(options.memory_limit != 0) {}

vmx_status MemoryLimit::check(size_t needed) const {
  if (needed == SIZE_MAX) return fail(VMX_ERR_SIZE, "the scratch memory would take more bytes than there are addresses");
  if (!given || needed <= bytes) return VMX_OK;
  return fail(VMX_ERR_VALUE, "options.memory_limit is %zu bytes, but this call needs at least %zu", bytes, needed);
}

vmx_status sampled_loss(const vmx_context& ctx, vmx_workspace* ws, const SampledInput& input, const vmx_sampled_out* out,
                        size_t* size) {
  const auto engine = input.shared() ? sampled_shared : sampled_per_row;
  return engine(ctx, ws, input, out, size);
}

Upstream::Upstream(const TargetList& targets, int64_t rows, const vmx_sampled_options& options, double grad_scale) {
  for (int64_t i = rows > 0 ? targets.begin(0) : 0, end = rows > 0 ? targets.end(rows - 1) : 0; i < end; ++i) {
    weight += targets.weight(i);
  }
  factor = grad_scale / options.temperature;
  if (options.reduction == VMX_REDUCE_MEAN) factor /= weight;
}

void TargetRow::begin(const SampledInput& input, int64_t r) {
  first_ = input.targets.begin(r);
  n_ = input.targets.end(r) - first_;
  for (int64_t t = 0; t < n_; ++t) {
    weight_[t] = input.targets.weight(entry(t));
    order_[t] = t;
    identity_[t] = input.identity_of(input.targets.id(entry(t)));
    repeats_[t] = 0;
  }
  if (n_ < 2) return;
  const auto id = [&](int64_t t) { return input.targets.id(entry(t)); };
  std::sort(order_, order_ + n_, [&](int64_t a, int64_t b) { return id(a) != id(b) ? id(a) < id(b) : a < b; });
  for (int64_t i = 1; i < n_; ++i) repeats_[order_[i]] = id(order_[i]) == id(order_[i - 1]);
  if (n_ > kFew) std::sort(identity_, identity_ + n_);
}

bool TargetRow::holds(int64_t identity) const {
  if (n_ > kFew) return std::binary_search(identity_, identity_ + n_, identity);
  bool found = false;
  for (int64_t t = 0; t < n_; ++t) found |= identity_[t] == identity;
  return found;
}

bool TargetRow::repeats_identity(int64_t t) const {
  if (n_ > kFew) return t > 0 && identity_[t] == identity_[t - 1];
  return std::find(identity_, identity_ + t, identity_[t]) != identity_ + t;
}

HiddenRows::HiddenRows(const vmx_context& ctx, const vmx_matrix& hidden, bool cosine)
    : hidden_(hidden), rows_(ctx, hidden), cosine_(cosine), direct_(!cosine && hidden.dtype == VMX_F32 && rows_.direct()) {}

double HiddenRows::load(int64_t row, float* to) const {
  rows_.load(row, to);
  if (!cosine_) return 1.0;
  const double inverse = inverse_norm(to, rows_.dim());
  scale_vector(to, rows_.dim(), inverse, to);
  return inverse;
}

void LossWriter::row(int64_t r, const RowLoss& loss) const {
  losses_[r] = loss.loss;
  if (out_.loss.data) store_result(out_.loss, r, loss.loss);
  if (out_.row_flags) out_.row_flags[r] = loss.flags;
}

void LossWriter::finish(int64_t rows, double weight, int32_t reduction) const {
  double total = 0;
  for (int64_t r = 0; r < rows; ++r) total += losses_[r];
  if (reduction == VMX_REDUCE_MEAN) total /= weight;
  if (out_.total) *out_.total = one_nan(total);
  if (out_.total_weight) *out_.total_weight = weight;
}

double inverse_of_square(float square) {
  return square >= kLeastSquare && square <= kMostSquare ? 1.0 / __builtin_sqrt(static_cast<double>(square)) : -1.0;
}

double cosine_of(const void* row, int32_t dtype, const float* unit, int64_t dim, float dot, float square,
                 float* inverse) {
  if (const double own = inverse_of_square(square); own >= 0.0) {
    *inverse = static_cast<float>(own);
    return static_cast<double>(dot) * own;
  }
  double dots = 0, squares = 0;
  for (int64_t k = 0; k < dim; ++k) {
    const double w = load_as_f64(row, k, dtype);
    dots += static_cast<double>(unit[k]) * w;
    squares += w * w;
  }
  const double own = inverse_root(squares);
  *inverse = static_cast<float>(own);
  return dots * own;
}

// ---------------------------------------------------------------- gradient of the table

TableGradient::TableGradient(const vmx_context& ctx, const SampledInput& input, int64_t entries)
    : ctx_(ctx),
      input_(input),
      grads_(input.grads),
      table_(ctx, input.table),
      groups_(grads_.of_table() ? entries : 0, input.classes()),
      most_workers_(grads_.of_table() ? worker_count(ctx, (entries + kGroups - 1) / kGroups) : 0),
      workers_(most_workers_),
      wants_rows_(grads_.sparse || grads_.table.dtype != 0),
      direct_(grads_.sparse && !input.cosine() && (input.dim() <= 1 || grads_.rows.rows.col_stride == 1)) {}

vmx_status TableGradient::check_room() const {
  if (!grads_.sparse || groups_.count() <= grads_.rows.rows.rows) return VMX_OK;
  return fail(VMX_ERR_SHAPE, "grads.sparse has room for %" PRId64 " rows, but there are %" PRId64 " distinct classes",
              grads_.rows.rows.rows, groups_.count());
}

void TableGradient::write(const Source& source) {
  const int64_t count = groups_.count(), tasks = (count + kGroups - 1) / kGroups;
  Items items(tasks);
  parallel_for(ctx_, workers_, [&](int64_t worker) {
    if (input_.cosine()) std::fill_n(buffers_ + worker * kGroups * buffer_ld(), kGroups * buffer_ld(), 0.0f);
    for (int64_t task; items.take(&task);) {
      write_groups(task * kGroups, std::min(count, (task + 1) * kGroups), worker, source);
    }
  });
  if (grads_.sparse) grads_.sparse->count = count;
}

void TableGradient::write_groups(int64_t first, int64_t last, int64_t worker, const Source& source) {
  const int64_t dim = input_.dim(), n = last - first;
  const auto store_one = [](float* to, double value) { *to = static_cast<float>(one_nan(value)); };
  const auto number = [](double v) { return v < 0x1p-126 && v > -0x1p-126 ? 0.0 : v; };
  for (int64_t g = first; g < last; ++g) {
    const int64_t id = groups_.id(g);
    if (grads_.sparse) grads_.sparse->ids[g] = id;
    if (!grads_.rows.bias && grads_.bias.dtype == 0) continue;
    double sum = 0;
    for (uint32_t t = groups_.first()[g]; t < groups_.first()[g + 1]; ++t) {
      const SumTerm& term = groups_.terms()[t];
      const double coef = static_cast<double>(term.coef);
      sum += term.row & kSecondMatrix ? coef * source.second_bias[term.row & ~kSecondMatrix] : coef;
    }
    if (grads_.sparse && grads_.rows.bias) store_one(grads_.rows.bias + g, number(sum));
    if (grads_.bias.dtype != 0) {
      float* const to = static_cast<float*>(grads_.bias.data) + id * grads_.bias.stride;
      store_one(to, static_cast<double>(*to) + number(sum));
    }
  }
  if (!wants_rows_ || dim == 0) return;

  const int64_t ld = buffer_ld();
  float* const buffer = buffers_ + worker * kGroups * ld;
  WeightedSums sums{};
  for (int i = 0; i < 2; ++i) {
    sums.matrix[i] = source.matrix[i];
    sums.ld[i] = source.ld[i];
  }
  sums.terms = groups_.terms();
  sums.first = groups_.first() + first;
  sums.n = n;
  sums.dim = dim;
  sums.out = buffer;
  sums.out_ld = ld;
  const vmx_matrix& list = grads_.rows.rows;
  if (direct_) {
    sums.out = static_cast<float*>(list.data) + first * list.row_stride;
    sums.out_ld = list.row_stride;
    sums.streaming = grads_.table.dtype == 0 && groups_.count() > kStreamingBytes / (dim * 4);
  }
  // project() itself looks ahead from its first row on alone.
  for (int64_t i = 0; input_.cosine() && i < std::min<int64_t>(n, 16); ++i) table_.prefetch(groups_.id(first + i));
  ctx_.kernels->weighted_sums(sums);
  if (input_.cosine()) project(first, n, buffer, worker);
  if (grads_.sparse && !direct_) {
    for (int64_t i = 0; i < n; ++i) scatter_row(*ctx_.kernels, buffer + i * ld, VMX_F32, list, first + i, 0, dim);
  }
  if (grads_.table.dtype == 0) return;
  const vmx_matrix& table = grads_.table;
  for (int64_t i = 0; i < n; ++i) {
    const float* const from = sums.out + i * sums.out_ld;
    float* const to = static_cast<float*>(table.data) + groups_.id(first + i) * table.row_stride;
    for (int64_t k = 0; k < dim; ++k) {
      float& sum = to[k * table.col_stride];
      const float value = sum + from[k];
      sum = value == value ? value : __builtin_nanf("");
    }
  }
}

void TableGradient::project(int64_t first, int64_t n, float* sums, int64_t worker) const {
  const KernelTable& k = *ctx_.kernels;
  const bool bf16 = table_.dtype() == VMX_BF16;
  const int64_t dim = input_.dim(), ld = buffer_ld();
  const void* rows[kGroups];
  char* const copy = rows_of_table_ + worker * table_.row_bytes();
  for (int64_t i = 0; table_.direct() && i < n; ++i) rows[i] = table_.row(groups_.id(first + i), nullptr);
  for (int64_t i = 0; i < n; ++i) {
    if (!table_.direct()) rows[i] = table_.row(groups_.id(first + i), copy);
    float* const sum = sums + i * ld;
    float dot, square;
    (bf16 ? k.gather_dots_bf16 : k.gather_dots_f32)({rows + i, 1, table_.direct() ? n - i : 1}, sum, dim, &dot, &square);
    const double inverse = inverse_of_square(square);
    if (inverse < 0.0) {
      project_wide(groups_.id(first + i), sum, worker);
      continue;
    }
    const double along = inverse * inverse * inverse * static_cast<double>(dot);
    (bf16 ? k.combine_bf16 : k.combine_f32)(sum, rows[i], dim, static_cast<float>(inverse), static_cast<float>(-along), sum);
  }
}

void TableGradient::project_wide(int64_t id, float* sum, int64_t worker) const {
  float* const unit = units_ + worker * input_.dim();
  table_.load(id, unit);
  const double inverse = inverse_norm(unit, input_.dim());
  scale_vector(unit, input_.dim(), inverse, unit);
  through_norm(sum, unit, input_.dim(), inverse);
}

}  // namespace vmx
