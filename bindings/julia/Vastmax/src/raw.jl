# SPDX-License-Identifier: Apache-2.0
# Written by scripts/gen_bindings from include/vastmax/vastmax.h: do not edit.
"""
The C ABI as it stands: structs, constants and functions under their C names. Nothing here looks after what a
pointer points at: keep the arrays alive with `GC.@preserve`. Constructors of the option structs take the fields as
keywords and fill `struct_size` and the defaults.
"""
module Raw

import Libdl

const header_version = v"0.1.0"

const VMX_VERSION_MAJOR = Int32(0)

const VMX_VERSION_MINOR = Int32(1)

const VMX_VERSION_PATCH = Int32(0)

# major * 10000 + minor * 100 + patch
const VMX_VERSION = Int32(100)

# Columns of one summation block. Shards and tiles cut at multiples of it give the same bits as the whole row.
const VMX_BLOCK = Int32(4096)

# The most classes a row, or all its shards together, may have.
const VMX_MAX_COLS = Int64(2147483647)

# Numbers never change and are never reused.
const VMX_OK = Int32(0)
const VMX_ERR_NULL = Int32(1) # a required pointer is NULL
const VMX_ERR_SHAPE = Int32(2) # sizes that do not fit each other, or negative
const VMX_ERR_DTYPE = Int32(3) # a dtype that this argument cannot have
const VMX_ERR_VALUE = Int32(4) # an option or parameter outside its range
const VMX_ERR_OVERLAP = Int32(5) # an output overlaps itself, an input or another output
const VMX_ERR_SIZE = Int32(6) # a product of sizes overflows, or more than VMX_MAX_COLS columns
const VMX_ERR_STRUCT = Int32(7) # struct_size too small, or a longer struct with a non-zero tail
const VMX_ERR_LABEL = Int32(8) # a label or class id outside [base, base + cols) that is not ignore_index
const VMX_ERR_UNSUPPORTED = Int32(9) # this CPU or build lacks what was asked for
const VMX_ERR_MEMORY = Int32(10) # an allocation failed
const VMX_ERR_CALLBACK = Int32(11) # a caller's parallel_for did not run every task, or threw
const VMX_ERR_INTERNAL = Int32(12) # a defect of vastmax: please report it

# dtypes (int32)
const VMX_F32 = Int32(1)
const VMX_BF16 = Int32(2) # upper half of an f32
const VMX_F16 = Int32(3) # IEEE binary16
const VMX_F64 = Int32(4)
const VMX_I32 = Int32(5) # ids only
const VMX_I64 = Int32(6) # ids only

# Row flags (uint32 bits).
const VMX_ROW_EMPTY = UInt32(1) # no class is allowed: no columns, or all -inf
const VMX_ROW_NAN = UInt32(2) # the row holds a NaN
const VMX_ROW_INF = UInt32(4) # the row holds +inf
const VMX_ROW_UNDERFULL = UInt32(8) # fewer than k classes were there to choose

const VMX_ISA_BEST = Int32(0)
const VMX_ISA_SCALAR = Int32(1)
const VMX_ISA_AVX2 = Int32(2) # with FMA and F16C
const VMX_ISA_AVX512 = Int32(3) # F, BW, VL, DQ

# flags of vmx_softmax_options
const VMX_PRECISE = UInt32(1) # relative error 8u over the whole range (softmax, log-softmax), by f64 evaluation; slower
const VMX_ZERO_MASKED = UInt32(2) # an EMPTY row gives 0 (softmax) or -inf (log-softmax) instead of NaN

const VMX_STATE_NAN = UInt32(1) # a NaN was folded
const VMX_STATE_INF = UInt32(2) # a +inf was folded
const VMX_STATE_MASKED = UInt32(4) # at least one -inf was folded
const VMX_STATE_HAS_SUMS = UInt32(8) # folded with VMX_FOLD_SUMS
const VMX_STATE_HAS_ENTROPY = UInt32(16) # folded with VMX_FOLD_ENTROPY
const VMX_STATE_HUGE = UInt32(32) # |max/T| is so large that only ties with the maximum count: sum holds their number

# flags of vmx_lse_options
const VMX_FOLD_SUMS = UInt32(1) # also sum z and w (label smoothing, mean score)
const VMX_FOLD_ENTROPY = UInt32(2) # also the sum for the entropy

const VMX_REDUCE_NONE = Int32(0)
const VMX_REDUCE_SUM = Int32(1)
const VMX_REDUCE_MEAN = Int32(2) # the sum divided by the weight of the rows not ignored

# flags of vmx_cross_entropy_options
const VMX_SMOOTH_UNMASKED = UInt32(1) # label smoothing divides over the allowed classes only (else a mask gives +inf loss)

# flags of vmx_topk_options
const VMX_TOPK_SMALLEST = UInt32(1) # the k smallest instead of the k largest
const VMX_TOPK_UNSORTED = UInt32(2) # the k entries in rising order of id instead of rank order

# flags of vmx_linear_grads
const VMX_GRAD_ACCUMULATE = UInt32(1) # add to grad_weights and grad_bias instead of overwriting them

# Purpose numbers of the Philox counter are never reused. Samplers have 4 to 9: draws; draws whose words exact uniformity
# rejects; noise of class c, upper and lower 32 bits (word c % 4 of block c / 4); numbers of repeats; k-means (step, row 0).
const VMX_PURPOSE_NEGATIVES = Int32(4)

# kinds of sampler
const VMX_SAMPLER_UNIFORM = Int32(1) # q = 1/V
const VMX_SAMPLER_LOG_UNIFORM = Int32(2) # q_k = log((k+2)/(k+1)) / log(V+1): classes sorted by falling frequency
const VMX_SAMPLER_WEIGHTS = Int32(3) # q = w^power / sum w^power by an alias table: unigram counts with power 0.75, or any weights
const VMX_SAMPLER_IN_BATCH = Int32(4) # the batch's own positives: draws nothing, estimates q from what vmx_sampler_observe saw
const VMX_SAMPLER_MIDX = Int32(5) # softmax of quantised scores, by an inverted multi-index over the embeddings; needs hidden
const VMX_SAMPLER_QUADRATIC = Int32(6) # q proportional to alpha (h.w/T)^2 + 1, by a tree of Gram matrices; needs hidden
const VMX_SAMPLER_EXACT = Int32(7) # the softmax itself, by Gumbel top-k over all scores; needs hidden

# flags of vmx_draw_options
const VMX_DRAW_UNIQUE = UInt32(1) # without replacement: repeats are drawn again. Allowed and without effect for EXACT, which is always so unless VMX_DRAW_REPLACE
const VMX_DRAW_COUNTS = UInt32(2) # log_q receives log expected counts instead of log q (see vmx_sampler_log_q)
const VMX_DRAW_REPLACE = UInt32(4) # EXACT, no other: with replacement

# losses
const VMX_LOSS_SAMPLED_SOFTMAX = Int32(1)
const VMX_LOSS_NCE = Int32(2) # noise-contrastive estimation: takes log expected counts, as VMX_CORRECT_COUNTS
const VMX_LOSS_NEG = Int32(3) # word2vec's negative sampling
const VMX_LOSS_BPR = Int32(4) # Bayesian personalised ranking: mean over the negatives
const VMX_LOSS_CCL = Int32(5) # cosine contrastive loss

# corrections of VMX_LOSS_SAMPLED_SOFTMAX
const VMX_CORRECT_NONE = Int32(0)
const VMX_CORRECT_RANKING = Int32(1) # target z - log q, negatives z - log q
const VMX_CORRECT_IS = Int32(2) # target z, negatives z - log(m q), m the candidates of the row, hits and empty slots included
const VMX_CORRECT_COUNTS = Int32(3) # TensorFlow's: z - log of the expected count for both; log_q holds those

# how scores are made
const VMX_SCORE_DOT = Int32(0)
const VMX_SCORE_COSINE = Int32(1)

# flags of vmx_sampled_options
const VMX_SAMPLED_KEEP_HITS = UInt32(1) # candidates that are a target of their row stay (else they are left out of every loss)
const VMX_SAMPLED_JOINT = UInt32(2) # SAMPLED_SOFTMAX: all targets of a row stand in one denominator, as in the exact loss (a class that repeats among them once); else each has its own: itself and the negatives

# optimizers of vmx_sparse_update
const VMX_SGD = Int32(1) # w -= lr g
const VMX_ADAGRAD = Int32(2) # v += g^2; w -= lr g / (sqrt(v) + eps)
const VMX_ADAM = Int32(3) # lazy Adam: m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2 of the rows touched; w -= lr/(1 - beta1^step) m / (sqrt(v/(1 - beta2^step)) + eps)

const vmx_status = Int32

@doc raw"""
```text
Immutable after creation; any number of threads may use one at the same time.
```
"""
mutable struct vmx_context end

@doc raw"""
```text
Warm scratch memory. Grows as calls need it; one per concurrent call.
```
"""
mutable struct vmx_workspace end

@doc raw"""
```text
Weights made ready for many calls: laid out for the matrix products and the kernels for few rows. Immutable; any number
of threads may use one. It holds its own copy: the weights it came from may change or go.
```
"""
mutable struct vmx_packed_weights end

@doc raw"""
```text
Draws negative classes and tells their exact proposal probabilities q. A draw is a function of (seed, step, row, place)
alone: Philox4x32-10 (Salmon et al. 2011), key = seed, counter = (number of the word block, purpose << 24 | row bits 0..23,
step bits 0..31, step bits 32..55 << 8 | row bits 24..31), the row being 0 for shared draws. Place i (a repeat that is drawn
again has a place of its own) has words 2i and 2i + 1 of purpose VMX_PURPOSE_NEGATIVES.
```
"""
mutable struct vmx_sampler end

@doc raw"""
```text
rows x cols elements; element (r, c) stands at data + r*row_stride + c*col_stride (strides in elements).
```
"""
struct vmx_matrix
    data::Ptr{Cvoid}
    rows::Int64
    cols::Int64
    row_stride::Int64
    col_stride::Int64
    dtype::Int32
    reserved::Int32 # must be 0
end
@inline vmx_matrix() = vmx_matrix(C_NULL, 0, 0, 0, 0, 0, 0)

@doc raw"""
```text
n elements; element i stands at data + i*stride (in elements; 0 broadcasts one element where it is an input).
```
"""
struct vmx_vector
    data::Ptr{Cvoid}
    n::Int64
    stride::Int64
    dtype::Int32
    reserved::Int32 # must be 0
end
@inline vmx_vector() = vmx_vector(C_NULL, 0, 0, 0, 0)

@doc raw"""
```text
n integers: type VMX_I32 or VMX_I64; base 0, or 1 for languages that count from one. The base holds for the ids
(labels, classes) and, in a CSR list, for the row pointer too.
```
"""
struct vmx_ids
    data::Ptr{Cvoid}
    n::Int64
    stride::Int64
    type::Int32
    base::Int32
end
@inline vmx_ids() = vmx_ids(C_NULL, 0, 0, 0, 0)

@doc raw"""
```text
A list per row. indptr.data == NULL: exactly one id a row (ids.n == rows). Otherwise CSR: indptr has rows + 1
entries that do not fall, and row r owns ids[indptr[r]] ... ids[indptr[r+1] - 1] (both less indptr.base).
weights.data == NULL: all 1; else f32 or f64, one for each id.
```
"""
struct vmx_csr
    indptr::vmx_ids
    ids::vmx_ids
    weights::vmx_vector
end
@inline vmx_csr() = vmx_csr(vmx_ids(), vmx_ids(), vmx_vector())

struct vmx_context_options
    struct_size::Csize_t
    isa::Int32 # VMX_ISA_BEST (neutral), or the highest ISA to use; VASTMAX_ISA in the environment caps it too
    threads::Int32 # 0 or 1 (neutral 0): the calling thread only; n > 1: an own pool, n counting the caller; at most 1024. With parallel_for: how many threads it may be expected to use. Results never depend on it
    parallel_for::Ptr{Cvoid} # NULL (neutral): the own pool, if any
    parallel_for_user::Ptr{Cvoid}
    alloc::Ptr{Cvoid} # NULL with free NULL (neutral): the C library's
    free::Ptr{Cvoid}
    alloc_user::Ptr{Cvoid}
end
@inline vmx_context_options(; isa=0, threads=0, parallel_for=C_NULL, parallel_for_user=C_NULL, alloc=C_NULL,
    free=C_NULL, alloc_user=C_NULL) =
    vmx_context_options(sizeof(vmx_context_options), isa, threads, parallel_for, parallel_for_user, alloc,
        free, alloc_user)

struct vmx_softmax_options
    struct_size::Csize_t
    flags::UInt32 # VMX_PRECISE | VMX_ZERO_MASKED; neutral 0
    reserved::UInt32 # must be 0
    temperature::Ptr{Float32} # one T for each row at temperature + r*temperature_stride; NULL (neutral): 1
    temperature_stride::Int64 # in elements; 0: one T for all rows
end
@inline vmx_softmax_options(; flags=0, reserved=0, temperature=C_NULL, temperature_stride=0) =
    vmx_softmax_options(sizeof(vmx_softmax_options), flags, reserved, temperature, temperature_stride)

@doc raw"""
```text
What a slice of a row amounts to. 96 bytes, little-endian, no padding: send it as it is. All-zero bytes are the
empty state, and vmx_lse_merge is exactly associative and commutative: any tree of merges gives the same 96 bytes.
A sum is kept as 40-bit digits at absolute multiples of 2^40, the highest digit's number in a "bin" field and the
digits, highest first, in signed 64-bit integers (Demmel & Nguyen 2013 with integer bins): at least 80 bits below
the largest block for the sum of exponentials, 40 for the others.
```
"""
struct vmx_lse_state
    version::UInt8 # 0: the empty state; 1
    flags::UInt8 # VMX_STATE_*
    wz_bin::Int8 # bin of sum_wz
    w_bin::Int8 # bin of sum_w
    count::UInt32 # allowed classes folded (not -inf, not NaN)
    max::Float64 # largest score, not divided by T; meaningless while count is 0
    ref::Int64 # integer reference: bin of the sums of exponentials
    sum::NTuple{3, Int64} # sum of exp(z/T)
    entropy::NTuple{2, Int64} # sum of (log2(e) z/T - 40 ref) exp(z/T), with VMX_STATE_HAS_ENTROPY
    sum_wz::NTuple{2, Int64} # sum of w_c z_c / T over the allowed classes (w = 1 without class weights), with VMX_STATE_HAS_SUMS
    sum_w::NTuple{2, Int64} # sum of w_c over the same
end
@inline vmx_lse_state() = vmx_lse_state(0, 0, 0, 0, 0, 0, 0, ntuple(_ -> Int64(0), 3),
    ntuple(_ -> Int64(0), 2), ntuple(_ -> Int64(0), 2), ntuple(_ -> Int64(0), 2))

@doc raw"""
```text
For those who need the log-sum-exp alone: sum exp(z) = sum * exp(max). {-inf, 0} is empty. Merging rounds in f64,
so the last bits depend on the order.
```
"""
struct vmx_lse_short
    max::Float64
    sum::Float64
end
@inline vmx_lse_short() = vmx_lse_short(0, 0)

struct vmx_lse_options
    struct_size::Csize_t
    flags::UInt32 # VMX_FOLD_*; neutral 0
    reserved::UInt32 # must be 0
    temperature::Ptr{Float32} # as in vmx_softmax_options
    temperature_stride::Int64
    class_weight::vmx_vector # data NULL (neutral): 1; else f32, one for each column of the slice, stride 1, with VMX_FOLD_SUMS
    skip::vmx_ids # data NULL (neutral); else one class id a row, counted over the whole row, that is left out if it lies in this slice: fold a row without its label, merge the label at the end
end
@inline vmx_lse_options(; flags=0, reserved=0, temperature=C_NULL, temperature_stride=0,
    class_weight=vmx_vector(), skip=vmx_ids()) =
    vmx_lse_options(sizeof(vmx_lse_options), flags, reserved, temperature, temperature_stride, class_weight,
        skip)

struct vmx_cross_entropy_options
    struct_size::Csize_t
    flags::UInt32 # VMX_SMOOTH_UNMASKED; neutral 0
    reduction::Int32 # VMX_REDUCE_*; neutral VMX_REDUCE_NONE
    ignore_index::Int64 # a label equal to it (before the base is taken off) makes its row, or that target, not count; default -100
    label_smoothing::Float64 # eps in [0, 1]; neutral 0
    softcap::Float64 # c > 0: the scores are c*tanh(z/c); neutral 0: off
    z_loss::Float64 # zeta >= 0: adds zeta*lse^2; neutral 0
    class_weight::vmx_vector # f32, [cols], finite and >= 0 for the labels used; data NULL (neutral): 1
    temperature::Ptr{Float32} # as in vmx_softmax_options; with softcap: of the capped scores
    temperature_stride::Int64
end
@inline vmx_cross_entropy_options(; flags=0, reduction=0, ignore_index=-100, label_smoothing=0, softcap=0,
    z_loss=0, class_weight=vmx_vector(), temperature=C_NULL, temperature_stride=0) =
    vmx_cross_entropy_options(sizeof(vmx_cross_entropy_options), flags, reduction, ignore_index,
        label_smoothing, softcap, z_loss, class_weight, temperature, temperature_stride)

@doc raw"""
```text
Where the answers go; every field may be NULL (or a view whose data is NULL): not wanted.
```
"""
struct vmx_cross_entropy_out
    struct_size::Csize_t
    loss::vmx_vector # [rows]: the cross-entropy alone, without z-loss
    z_loss::vmx_vector # [rows]: zeta*lse^2
    lse::vmx_vector # [rows]
    total::Ptr{Float64} # sum or mean of loss + z_loss by the reduction (NONE: the sum)
    total_z_loss::Ptr{Float64} # the z-loss part of total
    total_weight::Ptr{Float64} # sum of the weights of the rows not ignored: what MEAN divides by
    row_flags::Ptr{UInt32} # [rows] VMX_ROW_*
    grad::vmx_matrix # [rows, cols]: d total / d x with reduction NONE standing for SUM, times grad_scale
    grad_scale::Float64 # default 1
end
@inline vmx_cross_entropy_out(; loss=vmx_vector(), z_loss=vmx_vector(), lse=vmx_vector(), total=C_NULL,
    total_z_loss=C_NULL, total_weight=C_NULL, row_flags=C_NULL, grad=vmx_matrix(), grad_scale=1.0) =
    vmx_cross_entropy_out(sizeof(vmx_cross_entropy_out), loss, z_loss, lse, total, total_z_loss, total_weight,
        row_flags, grad, grad_scale)

struct vmx_topk_options
    struct_size::Csize_t
    flags::UInt32 # neutral 0: largest, sorted
    reserved::UInt32 # must be 0
    col_offset::Int64 # neutral 0: added to each id found, for shards of a row; >= 0
    excluded::vmx_csr # class ids to pass over, a list per row (indptr and ids; weights are not looked at), counted over the whole row; those outside this slice are passed over; ids.data NULL (neutral): none
end
@inline vmx_topk_options(; flags=0, reserved=0, col_offset=0, excluded=vmx_csr()) =
    vmx_topk_options(sizeof(vmx_topk_options), flags, reserved, col_offset, excluded)

@doc raw"""
```text
Scores made tile by tile, never rows x classes in memory: score[r][c] = hidden[r] . weights[c] + bias[c].
f32 or bf16 (hidden and weights alike), accumulated in f32. Promise: for a given number of rows the same bits for any
thread count and memory limit on one machine; not across ISAs or oneDNN versions. No thread is started by oneDNN.
```
"""
struct vmx_linear
    struct_size::Csize_t
    weights::vmx_matrix # [classes, dim], or data NULL when packed is given; needed for grad_hidden unless packed
    packed::Ptr{vmx_packed_weights} # NULL: weights are packed tile by tile in each call
    bias::vmx_vector # [classes] f32; data NULL: none
    memory_limit::Csize_t # bytes of scratch a call may use; 0 (neutral): 128 MiB. VMX_ERR_VALUE if that is too little for one row block (the message tells how much is needed)
end
@inline vmx_linear(; weights=vmx_matrix(), packed=C_NULL, bias=vmx_vector(), memory_limit=0) =
    vmx_linear(sizeof(vmx_linear), weights, packed, bias, memory_limit)

struct vmx_linear_grads
    struct_size::Csize_t
    flags::UInt32
    reserved::UInt32 # must be 0
    hidden::vmx_matrix # [rows, dim], f32 or hidden's dtype; data NULL: not wanted; always overwritten
    weights::vmx_matrix # [classes, dim] f32; data NULL: not wanted
    bias::vmx_vector # [classes] f32; data NULL: not wanted
end
@inline vmx_linear_grads(; flags=0, reserved=0, hidden=vmx_matrix(), weights=vmx_matrix(),
    bias=vmx_vector()) =
    vmx_linear_grads(sizeof(vmx_linear_grads), flags, reserved, hidden, weights, bias)

struct vmx_sampler_options
    struct_size::Csize_t
    kind::Int32 # VMX_SAMPLER_*
    codewords::Int32 # MIDX: K of each of its two codebooks, at most 1024; 0 (neutral): the largest power of two up to 256 that leaves four classes to each of the K^2 cells
    classes::Int64 # V, 1 to VMX_MAX_COLS
    weights::vmx_vector # WEIGHTS: [classes] f32, f64, VMX_I32 or VMX_I64; finite, >= 0, not all 0
    power::Float64 # WEIGHTS: default 1; finite, >= 0; a weight of 0 is never drawn, at any power
    embeddings::vmx_matrix # MIDX, QUADRATIC, EXACT: [classes, dim] f32 or bf16. MIDX and QUADRATIC copy what they need; EXACT keeps the view: it must stay until vmx_sampler_update or _destroy
    temperature::Float64 # MIDX, QUADRATIC, EXACT: divides the scores; default 1; finite, > 0. EXACT takes it as f32, within [2^-126, FLT_MAX]
    alpha::Float64 # QUADRATIC: default 100; finite, >= 0
    rate::Float64 # IN_BATCH: how fast the estimate follows, in (0, 1]; default 0.01
    seed::UInt64 # MIDX: of its k-means; neutral 0
end
@inline vmx_sampler_options(; kind=0, codewords=0, classes=0, weights=vmx_vector(), power=1.0,
    embeddings=vmx_matrix(), temperature=1.0, alpha=100.0, rate=0.01, seed=0) =
    vmx_sampler_options(sizeof(vmx_sampler_options), kind, codewords, classes, weights, power, embeddings,
        temperature, alpha, rate, seed)

struct vmx_draw_options
    struct_size::Csize_t
    flags::UInt32
    reserved::UInt32 # must be 0
    seed::UInt64 # neutral 0
    step::Int64 # neutral 0; a training step or any number in [0, 2^56): another step gives independent draws
end
@inline vmx_draw_options(; flags=0, reserved=0, seed=0, step=0) =
    vmx_draw_options(sizeof(vmx_draw_options), flags, reserved, seed, step)

struct vmx_sampled_options
    struct_size::Csize_t
    loss::Int32 # VMX_LOSS_*
    correction::Int32 # VMX_CORRECT_*, for SAMPLED_SOFTMAX; neutral NONE
    score::Int32 # VMX_SCORE_*; neutral DOT
    flags::UInt32 # VMX_SAMPLED_*; neutral 0
    reduction::Int32 # VMX_REDUCE_*; neutral NONE
    reserved::Int32 # must be 0
    temperature::Float64 # divides the scores; default 1; finite, > 0. CCL takes none: 1
    margin::Float64 # CCL: default 0.4, in [-1, 1]
    negative_weight::Float64 # CCL: default 1, >= 0
    memory_limit::Csize_t # bytes of scratch a call may use; neutral 0: 128 MiB, or what it needs at the least. VMX_ERR_VALUE if a given one is too little (the message tells how much is needed)
end
@inline vmx_sampled_options(; loss=1, correction=0, score=0, flags=0, reduction=0, reserved=0,
    temperature=1.0, margin=0.4, negative_weight=1.0, memory_limit=0) =
    vmx_sampled_options(sizeof(vmx_sampled_options), loss, correction, score, flags, reduction, reserved,
        temperature, margin, negative_weight, memory_limit)

@doc raw"""
```text
The negatives.
```
"""
struct vmx_candidates
    struct_size::Csize_t
    ids::vmx_matrix # [1, m]: shared by all rows; [rows, m]: a list for each. VMX_I32 or VMX_I64, base 0; -1: an empty slot. A repeated class counts as often as it stands there
    log_q::vmx_matrix # as ids, f32: log q, or log expected counts where the loss wants those; data NULL if it wants none
    target_log_q::vmx_vector # the same of each target, f32, in the order of the targets' ids
    identity::vmx_ids # [classes]: rows of the table with equal numbers are one class when hits are looked for; data NULL: each row is its own
end
@inline vmx_candidates(; ids=vmx_matrix(), log_q=vmx_matrix(), target_log_q=vmx_vector(),
    identity=vmx_ids()) =
    vmx_candidates(sizeof(vmx_candidates), ids, log_q, target_log_q, identity)

@doc raw"""
```text
Gradient of a table whose other rows have none.
```
"""
struct vmx_sparse_rows
    struct_size::Csize_t
    ids::Ptr{Int64} # [rows.rows], written: the classes, rising, each once
    rows::vmx_matrix # f32 [capacity, dim], written: their gradients
    bias::Ptr{Float32} # [rows.rows] or NULL
    count::Int64 # written: how many
end
@inline vmx_sparse_rows(; ids=C_NULL, rows=vmx_matrix(), bias=C_NULL, count=0) =
    vmx_sparse_rows(sizeof(vmx_sparse_rows), ids, rows, bias, count)

struct vmx_sampled_grads
    struct_size::Csize_t
    hidden::vmx_matrix # [rows, dim], f32 or hidden's dtype; overwritten; data NULL: not wanted
    sparse::Ptr{vmx_sparse_rows} # gradient of the table as a list of rows; NULL: not wanted. All distinct classes among targets and candidates are in it, hits and zeros too; VMX_ERR_SHAPE, before any write, if it has not room for them (the message tells how many; min(classes, all ids) is enough)
    table::vmx_matrix # [classes, dim] f32, added to; data NULL: not wanted
    bias::vmx_vector # [classes] f32, added to; data NULL: not wanted
end
@inline vmx_sampled_grads(; hidden=vmx_matrix(), sparse=C_NULL, table=vmx_matrix(), bias=vmx_vector()) =
    vmx_sampled_grads(sizeof(vmx_sampled_grads), hidden, sparse, table, bias)

@doc raw"""
```text
Where the answers go; every field may be empty.
```
"""
struct vmx_sampled_out
    struct_size::Csize_t
    loss::vmx_vector # [rows] f32
    total::Ptr{Float64} # sum or mean of the losses by the reduction (NONE: the sum)
    total_weight::Ptr{Float64} # sum of the targets' weights: what MEAN divides by
    row_flags::Ptr{UInt32} # [rows] VMX_ROW_*
    grad_scale::Float64 # default 1: gradients are of total times this
end
@inline vmx_sampled_out(; loss=vmx_vector(), total=C_NULL, total_weight=C_NULL, row_flags=C_NULL,
    grad_scale=1.0) =
    vmx_sampled_out(sizeof(vmx_sampled_out), loss, total, total_weight, row_flags, grad_scale)

struct vmx_update_options
    struct_size::Csize_t
    optimizer::Int32
    reserved::Int32 # must be 0
    step::Int64 # ADAM: from 1; the same for all rows, however often each was touched
    lr::Float64 # default 0.001; finite, >= 0
    beta1::Float64 # ADAM: defaults 0.9, 0.999; in [0, 1)
    beta2::Float64 # ADAM: defaults 0.9, 0.999; in [0, 1)
    eps::Float64 # default 1e-8 (inside no root); finite, >= 2^-126; not of SGD
    weight_decay::Float64 # decoupled: first w -= lr*weight_decay*w; neutral 0; finite, >= 0
end
@inline vmx_update_options(; optimizer=1, reserved=0, step=1, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08,
    weight_decay=0) =
    vmx_update_options(sizeof(vmx_update_options), optimizer, reserved, step, lr, beta1, beta2, eps,
        weight_decay)

# Addresses in the library that was loaded.
mutable struct Pointers
    vmx_status_string::Ptr{Cvoid}
    vmx_last_error::Ptr{Cvoid}
    vmx_version::Ptr{Cvoid}
    vmx_version_string::Ptr{Cvoid}
    vmx_isa_count::Ptr{Cvoid}
    vmx_isa_id::Ptr{Cvoid}
    vmx_isa_name::Ptr{Cvoid}
    vmx_isa_usable::Ptr{Cvoid}
    vmx_context_options_init::Ptr{Cvoid}
    vmx_context_create::Ptr{Cvoid}
    vmx_context_destroy::Ptr{Cvoid}
    vmx_isa_active::Ptr{Cvoid}
    vmx_context_threads::Ptr{Cvoid}
    vmx_workspace_create::Ptr{Cvoid}
    vmx_workspace_reserve::Ptr{Cvoid}
    vmx_workspace_capacity::Ptr{Cvoid}
    vmx_workspace_destroy::Ptr{Cvoid}
    vmx_softmax_options_init::Ptr{Cvoid}
    vmx_logsumexp::Ptr{Cvoid}
    vmx_softmax::Ptr{Cvoid}
    vmx_log_softmax::Ptr{Cvoid}
    vmx_logsumexp_backward::Ptr{Cvoid}
    vmx_softmax_backward::Ptr{Cvoid}
    vmx_log_softmax_backward::Ptr{Cvoid}
    vmx_lse_options_init::Ptr{Cvoid}
    vmx_lse_fold::Ptr{Cvoid}
    vmx_lse_merge::Ptr{Cvoid}
    vmx_lse_finish::Ptr{Cvoid}
    vmx_lse_shorten::Ptr{Cvoid}
    vmx_lse_short_merge::Ptr{Cvoid}
    vmx_lse_short_finish::Ptr{Cvoid}
    vmx_cross_entropy_options_init::Ptr{Cvoid}
    vmx_cross_entropy_out_init::Ptr{Cvoid}
    vmx_cross_entropy::Ptr{Cvoid}
    vmx_cross_entropy_backward::Ptr{Cvoid}
    vmx_topk_options_init::Ptr{Cvoid}
    vmx_topk::Ptr{Cvoid}
    vmx_topk_merge::Ptr{Cvoid}
    vmx_pack_weights::Ptr{Cvoid}
    vmx_packed_weights_size::Ptr{Cvoid}
    vmx_packed_weights_destroy::Ptr{Cvoid}
    vmx_linear_init::Ptr{Cvoid}
    vmx_linear_logsumexp::Ptr{Cvoid}
    vmx_linear_grads_init::Ptr{Cvoid}
    vmx_linear_cross_entropy::Ptr{Cvoid}
    vmx_linear_topk::Ptr{Cvoid}
    vmx_onednn_version::Ptr{Cvoid}
    vmx_sampler_options_init::Ptr{Cvoid}
    vmx_sampler_create::Ptr{Cvoid}
    vmx_sampler_update::Ptr{Cvoid}
    vmx_sampler_observe::Ptr{Cvoid}
    vmx_sampler_size::Ptr{Cvoid}
    vmx_sampler_destroy::Ptr{Cvoid}
    vmx_draw_options_init::Ptr{Cvoid}
    vmx_sampler_draw::Ptr{Cvoid}
    vmx_sampler_log_q::Ptr{Cvoid}
    vmx_sampled_options_init::Ptr{Cvoid}
    vmx_candidates_init::Ptr{Cvoid}
    vmx_sparse_rows_init::Ptr{Cvoid}
    vmx_sampled_grads_init::Ptr{Cvoid}
    vmx_sampled_out_init::Ptr{Cvoid}
    vmx_sampled_loss::Ptr{Cvoid}
    vmx_in_batch_softmax::Ptr{Cvoid}
    vmx_update_options_init::Ptr{Cvoid}
    vmx_sparse_update::Ptr{Cvoid}
    vmx_softmax_workspace_size::Ptr{Cvoid}
    vmx_lse_fold_workspace_size::Ptr{Cvoid}
    vmx_cross_entropy_workspace_size::Ptr{Cvoid}
    vmx_topk_workspace_size::Ptr{Cvoid}
    vmx_linear_logsumexp_workspace_size::Ptr{Cvoid}
    vmx_linear_cross_entropy_workspace_size::Ptr{Cvoid}
    vmx_linear_topk_workspace_size::Ptr{Cvoid}
    vmx_sampler_draw_workspace_size::Ptr{Cvoid}
    vmx_sampled_loss_workspace_size::Ptr{Cvoid}
end
const pointers = Pointers(ntuple(_ -> C_NULL, 74)...)

# Throws if the library lacks one of them.
function load(handle::Ptr{Cvoid})
    for name in fieldnames(Pointers)
        setfield!(pointers, name, Libdl.dlsym(handle, name))
    end
end

@doc raw"""
```text
Static text of a status, "unknown status" for other numbers. Never NULL.
```
"""
@inline vmx_status_string(status) =
    ccall(pointers.vmx_status_string, Ptr{UInt8}, (vmx_status,), status)

@doc raw"""
```text
Copies the calling thread's last error message, which names the argument and the values, into buf (at most size
bytes, always ended by a NUL when size > 0) and returns its length without the NUL. "" if no call failed yet.
The text is for people: it may change.
```
"""
@inline vmx_last_error(buf, size) =
    ccall(pointers.vmx_last_error, Csize_t, (Ptr{UInt8}, Csize_t), buf, size)

@doc raw"""
```text
The library's VMX_VERSION, to compare with the header's.
```
"""
@inline vmx_version() =
    ccall(pointers.vmx_version, Int32, ())

@doc raw"""
```text
"0.1.0".
```
"""
@inline vmx_version_string() =
    ccall(pointers.vmx_version_string, Ptr{UInt8}, ())

@doc raw"""
```text
How many ISAs this build holds. Their numbers are given by vmx_isa_id(0 .. count-1), in rising order.
```
"""
@inline vmx_isa_count() =
    ccall(pointers.vmx_isa_count, Int32, ())

@doc raw"""
```text
The VMX_ISA_* number of the i-th ISA of this build, 0 if i is out of range.
```
"""
@inline vmx_isa_id(i) =
    ccall(pointers.vmx_isa_id, Int32, (Int32,), i)

@doc raw"""
```text
"scalar", "avx2", "avx512"; "unknown" for other numbers. Never NULL.
```
"""
@inline vmx_isa_name(isa) =
    ccall(pointers.vmx_isa_name, Ptr{UInt8}, (Int32,), isa)

@doc raw"""
```text
1 if this CPU and its operating system can run that ISA and the build holds it, else 0.
```
"""
@inline vmx_isa_usable(isa) =
    ccall(pointers.vmx_isa_usable, Int32, (Int32,), isa)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_context_options_init(options, size) =
    ccall(pointers.vmx_context_options_init, vmx_status, (Ptr{vmx_context_options}, Csize_t), options, size)

@doc raw"""
```text
Makes a context. The environment variable VASTMAX_ISA=scalar|avx2|avx512 caps the ISA; it is read here and nowhere
else, and empty counts as unset. VMX_ERR_UNSUPPORTED if options->isa or VASTMAX_ISA names an ISA that this CPU or build lacks; VMX_ERR_VALUE
for an unknown name or number, threads outside 0..1024, or one of alloc and free without the other.
```
"""
@inline vmx_context_create(options, out) =
    ccall(pointers.vmx_context_create, vmx_status, (Ptr{vmx_context_options},
        Ptr{Ptr{vmx_context}}), options, out)

@doc raw"""
```text
Ends the pool and frees the context. NULL is fine. No call may be running on it.
```
"""
@inline vmx_context_destroy(ctx) =
    ccall(pointers.vmx_context_destroy, Cvoid, (Ptr{vmx_context},), ctx)

@doc raw"""
```text
The VMX_ISA_* number that calls on ctx use. For the NULL context that is the best one, whatever VASTMAX_ISA says.
```
"""
@inline vmx_isa_active(ctx) =
    ccall(pointers.vmx_isa_active, Int32, (Ptr{vmx_context},), ctx)

@doc raw"""
```text
Threads that calls on ctx may use, the caller included: at least 1.
```
"""
@inline vmx_context_threads(ctx) =
    ccall(pointers.vmx_context_threads, Int32, (Ptr{vmx_context},), ctx)

@doc raw"""
```text
Makes an empty workspace that allocates by ctx (NULL: malloc). ctx must outlive it.
```
"""
@inline vmx_workspace_create(ctx, out) =
    ccall(pointers.vmx_workspace_create, vmx_status, (Ptr{vmx_context}, Ptr{Ptr{vmx_workspace}}), ctx, out)

@doc raw"""
```text
Makes sure that a call which needs up to size bytes allocates nothing. VMX_ERR_VALUE while a call is using ws.
```
"""
@inline vmx_workspace_reserve(ws, size) =
    ccall(pointers.vmx_workspace_reserve, vmx_status, (Ptr{vmx_workspace}, Csize_t), ws, size)

@doc raw"""
```text
Bytes held. 0 for NULL.
```
"""
@inline vmx_workspace_capacity(ws) =
    ccall(pointers.vmx_workspace_capacity, Csize_t, (Ptr{vmx_workspace},), ws)

@doc raw"""
```text
NULL is fine.
```
"""
@inline vmx_workspace_destroy(ws) =
    ccall(pointers.vmx_workspace_destroy, Cvoid, (Ptr{vmx_workspace},), ws)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_softmax_options_init(options, size) =
    ccall(pointers.vmx_softmax_options_init, vmx_status, (Ptr{vmx_softmax_options}, Csize_t), options, size)

@doc raw"""
```text
lse[r] = log(sum_c exp(x[r][c] / T_r)).
x          [rows, cols], any strides, f32, bf16, f16, f64. Read once.
lse        [rows] f32 (f64 when x is f64). Must not overlap x.
row_flags  [rows] or NULL: VMX_ROW_* of each row.
Edge       any NaN: NaN; else any +inf: +inf; else cols == 0 or all -inf: -inf. T < 2^-126: max/T as a limit:
           +inf, -inf, or 0 by the sign of the maximum. T = +inf: log(number of allowed classes).
Error      |error| <= u*max(1, |lse|) + 16u, u = 2^-24 (2^-53 for f64).
Cost       one read of x, O(rows*cols). No allocation with a warm workspace.
Status     VMX_ERR_NULL, _SHAPE, _DTYPE, _VALUE, _OVERLAP, _SIZE, _STRUCT, _MEMORY, _CALLBACK.
Source     Milakov & Gimelshein 2018 (arXiv 1805.02867), Dukhan & Ablavatski 2020 (arXiv 2001.04438), Demmel &
           Nguyen 2013 for the order-free sum. Since 0.1.
```
"""
@inline vmx_logsumexp(ctx, ws, x, lse, row_flags, options) =
    ccall(pointers.vmx_logsumexp, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_vector}, Ptr{UInt32}, Ptr{vmx_softmax_options}), ctx, ws, x, lse, row_flags, options)

@doc raw"""
```text
y[r][c] = exp(x[r][c]/T_r - lse_r), the softmax of each row.
x          as above. y [rows, cols] of any of the four dtypes; may be exactly x (in place), if of its dtype.
lse        NULL, or [rows] as in vmx_logsumexp: also returned.
Edge       NaN or +inf in the row: all NaN. EMPTY: all NaN, or 0 with VMX_ZERO_MASKED. -inf entries: exactly 0.
Error      relative (8 + |x - max|/T) u where y >= 2^-126; 8u with VMX_PRECISE; then rounded once to y's dtype.
Cost       one read of x and one write of y, and one row of f32 scratch for each thread; two reads for rows of more than
           2^20 columns, for f64, with VMX_PRECISE, and for rows with NaN or extreme scores.
           Source as vmx_logsumexp. Since 0.1.
```
"""
@inline vmx_softmax(ctx, ws, x, y, lse, row_flags, options) =
    ccall(pointers.vmx_softmax, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_vector}, Ptr{UInt32},
        Ptr{vmx_softmax_options}), ctx, ws, x, y, lse, row_flags, options)

@doc raw"""
```text
y[r][c] = x[r][c]/T_r - lse_r, the logarithm of the softmax.
As vmx_softmax, but: -inf entries give -inf; EMPTY gives NaN, or -inf with VMX_ZERO_MASKED.
Error      absolute 2u*max(1, |max|, |y|, |lse|) + 16u; relative 8u with VMX_PRECISE. Since 0.1.
```
"""
@inline vmx_log_softmax(ctx, ws, x, y, lse, row_flags, options) =
    ccall(pointers.vmx_log_softmax, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_vector}, Ptr{UInt32},
        Ptr{vmx_softmax_options}), ctx, ws, x, y, lse, row_flags, options)

@doc raw"""
```text
grad_x[r][c] = grad_lse[r] * softmax(x[r]/T)[c] / T.
lse        NULL (computed again), or what vmx_logsumexp gave for the same x and options.
grad_lse   [rows] f32 or f64; stride 0 broadcasts. grad_x may be exactly x. Rows with NaN or +inf: NaN; EMPTY: 0.
Cost       one read and one write, one more read without lse. Since 0.1.
```
"""
@inline vmx_logsumexp_backward(ctx, ws, x, lse, grad_lse, grad_x, options) =
    ccall(pointers.vmx_logsumexp_backward, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_vector}, Ptr{vmx_vector}, Ptr{vmx_matrix},
        Ptr{vmx_softmax_options}), ctx, ws, x, lse, grad_lse, grad_x, options)

@doc raw"""
```text
grad_x = y * (grad_y - sum_c y*grad_y) / T, y being what vmx_softmax gave. Where y is 0 grad_x is 0, whatever
grad_y holds there. grad_x may be exactly y or grad_y. y and grad_y share a dtype. The options' temperature is that of the forward
call. Source: MATH of the softmax Jacobian diag(p) - p p^T. Since 0.1.
```
"""
@inline vmx_softmax_backward(ctx, ws, y, grad_y, grad_x, options) =
    ccall(pointers.vmx_softmax_backward, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{vmx_softmax_options}), ctx, ws, y, grad_y, grad_x, options)

@doc raw"""
```text
grad_x = (grad_y - exp(y) * sum_c grad_y) / T, y being what vmx_log_softmax gave. Masked entries (y = -inf) have
gradient 0 and do not enter the sum. grad_x may be exactly y or grad_y. y and grad_y share a dtype. Since 0.1.
```
"""
@inline vmx_log_softmax_backward(ctx, ws, y, grad_y, grad_x, options) =
    ccall(pointers.vmx_log_softmax_backward, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace},
        Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{vmx_matrix},
        Ptr{vmx_softmax_options}), ctx, ws, y, grad_y, grad_x, options)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_lse_options_init(options, size) =
    ccall(pointers.vmx_lse_options_init, vmx_status, (Ptr{vmx_lse_options}, Csize_t), options, size)

@doc raw"""
```text
Folds a slice of columns into states[0 .. rows).
x           [rows, cols] of the slice. col_offset: its first column in the whole row. When slices are cut at
            multiples of VMX_BLOCK the merged states hold the same bytes as one fold of the whole row; other cuts
            stay within the error bounds.
states      [rows], read and written: start from all-zero bytes. Must not overlap x.
Edge        NaN, +inf and -inf are noted in the state's flags; the fold never fails on them.
Status      VMX_ERR_SHAPE for col_offset < 0, VMX_ERR_SIZE if a state would count more than VMX_MAX_COLS classes,
            VMX_ERR_VALUE for a state of an unknown version or that no fold made, or of other HAS_* flags than asked for.
Cost        one read of x (with VMX_FOLD_SUMS or VMX_FOLD_ENTROPY about twice the arithmetic). Since 0.1.
```
"""
@inline vmx_lse_fold(ctx, ws, x, col_offset, states, options) =
    ccall(pointers.vmx_lse_fold, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix}, Int64,
        Ptr{vmx_lse_state}, Ptr{vmx_lse_options}), ctx, ws, x, col_offset, states, options)

@doc raw"""
```text
into[i] = merge(into[i], from[i]) for i in [0, n). Exactly associative and commutative. into: apart from from, or equal to it
(then every state is doubled). VMX_ERR_VALUE for an unknown version, a state that no fold made, or HAS_* flags that differ
between two non-empty states; VMX_ERR_SIZE for more than VMX_MAX_COLS classes. Nothing is written then. Since 0.1.
```
"""
@inline vmx_lse_merge(into, from, n) =
    ccall(pointers.vmx_lse_merge, vmx_status, (Ptr{vmx_lse_state}, Ptr{vmx_lse_state}, Int64), into, from, n)

@doc raw"""
```text
lse[i], entropy[i] (in nats, of softmax(z/T)) and row_flags[i], each where not NULL, of states[0 .. n).
options     the temperature of the fold (needed for VMX_STATE_HUGE states); the rest is not looked at.
lse         [n] f32 or f64. entropy [n] f32 or f64, needs VMX_STATE_HAS_ENTROPY in each non-empty state, else
            VMX_ERR_VALUE. Edge as vmx_logsumexp; entropy of an EMPTY, NAN or INF row: NaN. Since 0.1.
```
"""
@inline vmx_lse_finish(states, n, options, lse, entropy, row_flags) =
    ccall(pointers.vmx_lse_finish, vmx_status, (Ptr{vmx_lse_state}, Int64, Ptr{vmx_lse_options},
        Ptr{vmx_vector}, Ptr{vmx_vector}, Ptr{UInt32}), states, n, options, lse, entropy, row_flags)

@doc raw"""
```text
The 16-byte form of each state: {max/T, sum}. NaN, +inf and empty rows give {NaN, NaN}, {+inf, 1}, {-inf, 0}.
```
"""
@inline vmx_lse_shorten(states, n, options, out) =
    ccall(pointers.vmx_lse_shorten, vmx_status, (Ptr{vmx_lse_state}, Int64, Ptr{vmx_lse_options},
        Ptr{vmx_lse_short}), states, n, options, out)

@doc raw"""
```text
into[i] = merge(into[i], from[i]): commutative, associative up to rounding in f64.
```
"""
@inline vmx_lse_short_merge(into, from, n) =
    ccall(pointers.vmx_lse_short_merge, vmx_status, (Ptr{vmx_lse_short}, Ptr{vmx_lse_short},
        Int64), into, from, n)

@doc raw"""
```text
lse[i] = max + log(sum). lse f32 or f64.
```
"""
@inline vmx_lse_short_finish(states, n, lse) =
    ccall(pointers.vmx_lse_short_finish, vmx_status, (Ptr{vmx_lse_short}, Int64,
        Ptr{vmx_vector}), states, n, lse)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_cross_entropy_options_init(options, size) =
    ccall(pointers.vmx_cross_entropy_options_init, vmx_status, (Ptr{vmx_cross_entropy_options},
        Csize_t), options, size)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_cross_entropy_out_init(out, size) =
    ccall(pointers.vmx_cross_entropy_out_init, vmx_status, (Ptr{vmx_cross_entropy_out}, Csize_t), out, size)

@doc raw"""
```text
Softmax cross-entropy of given scores, forward, and backward if out->grad is wanted.
With p = softmax(u/T), u the (capped) scores, targets t with weights w_t (of the list) and class weights v:
    loss_r   = (1-eps) sum_t w_t v_t (lse - u_t/T) + W (eps/V) sum_c v_c (lse - u_c/T),    W = sum_t w_t
    z_loss_r = zeta lse^2 (rows not ignored)
    weight_r = sum_t w_t v_t
For one label a row this is PyTorch's cross_entropy with class weights and label smoothing.
x          [rows, cols]; grad [rows, cols] of any of the four dtypes, may be exactly x.
targets    one class id a row, or a CSR list with weights; a target may repeat. An ignored or empty row has loss 0,
           gradient 0 and weight 0.
Edge       a masked label: loss +inf, gradient p elsewhere and -weight at the label. EMPTY: loss +inf, gradient 0.
           NaN or +inf in the row: loss NaN, gradient NaN. Mean over no weight: NaN. A masked class under
           label_smoothing with v_c > 0: loss +inf (unless VMX_SMOOTH_UNMASKED); its gradient is 0.
Error      loss relative 16u + d_y u/loss (small losses keep their digits: the row is folded without its label);
           gradient entries as vmx_softmax.
Status     also VMX_ERR_LABEL, checked over all rows before any write.
Cost       forward one read of x; with grad also one write and a row of scratch, as vmx_softmax; with label smoothing or a
           soft-cap one more read. Since 0.1.
Source     Szegedy et al. 2016 (label smoothing), Chowdhery et al. 2022 (z-loss).
```
"""
@inline vmx_cross_entropy(ctx, ws, x, targets, out, options) =
    ccall(pointers.vmx_cross_entropy, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_csr}, Ptr{vmx_cross_entropy_out},
        Ptr{vmx_cross_entropy_options}), ctx, ws, x, targets, out, options)

@doc raw"""
```text
The backward pass alone: grad[r][c] = grad_loss[r] * d(loss_r + z_loss_r)/dx[r][c].
lse        what the forward call gave, or NULL: computed again. grad_loss [rows] f32 or f64 (stride 0 broadcasts):
           a mean is the caller's division by total_weight. Ignored rows: 0, whatever grad_loss holds. Since 0.1.
```
"""
@inline vmx_cross_entropy_backward(ctx, ws, x, targets, lse, grad_loss, grad, options) =
    ccall(pointers.vmx_cross_entropy_backward, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace},
        Ptr{vmx_matrix}, Ptr{vmx_csr}, Ptr{vmx_vector}, Ptr{vmx_vector}, Ptr{vmx_matrix},
        Ptr{vmx_cross_entropy_options}), ctx, ws, x, targets, lse, grad_loss, grad, options)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_topk_options_init(options, size) =
    ccall(pointers.vmx_topk_options_init, vmx_status, (Ptr{vmx_topk_options}, Csize_t), options, size)

@doc raw"""
```text
The k best entries of each row: exactly k, ties by the lower id.
Order      larger first (smaller first with VMX_TOPK_SMALLEST); equal values by rising id; -0 equals +0; NaN ranks
           after everything else, by rising id.
x          [rows, cols]. k in [1, cols].
values     [rows, k] of x's dtype, bits as in x; data NULL: not wanted.
ids        [rows, k] VMX_I32 or VMX_I64, base 0, col_offset added; data NULL: not wanted. Not both NULL.
row_flags  [rows] or NULL: NAN, INF; EMPTY if nothing but -inf, NaN or excluded entries; UNDERFULL if fewer than k
           entries are left after exclusion: the rest has id -1 and value -inf (+inf with VMX_TOPK_SMALLEST).
Status     VMX_ERR_VALUE for k < 1, VMX_ERR_SHAPE for k > cols, VMX_ERR_SIZE for VMX_I32 ids that could overflow,
           VMX_ERR_LABEL for an excluded id below its base.
Cost       one read of x and little more for small k; O(rows*cols) at worst for any k. Since 0.1.
Source     streaming threshold with compression of survivors; radix select on order-preserving keys.
```
"""
@inline vmx_topk(ctx, ws, x, k, values, ids, row_flags, options) =
    ccall(pointers.vmx_topk, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix}, Int64,
        Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{UInt32},
        Ptr{vmx_topk_options}), ctx, ws, x, k, values, ids, row_flags, options)

@doc raw"""
```text
Merges k-lists: the k best of the m entries of each row, by the order of vmx_topk with the given ids for ties. Entries
with id -1 are empty slots. So a row split over shards is vmx_topk of each (with col_offset), the lists side by side,
and one merge. The result does not depend on the order of the entries; no id may stand twice in a row.
values_in  [rows, m] any dtype; ids_in [rows, m] VMX_I32 or VMX_I64; k in [1, m]; values, ids as in vmx_topk.
options    flags only. Since 0.1.
```
"""
@inline vmx_topk_merge(ctx, ws, values_in, ids_in, k, values, ids, row_flags, options) =
    ccall(pointers.vmx_topk_merge, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Int64, Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{UInt32},
        Ptr{vmx_topk_options}), ctx, ws, values_in, ids_in, k, values, ids, row_flags, options)

@doc raw"""
```text
Packs weights [classes, dim] (f32 or bf16). VMX_ERR_UNSUPPORTED in a build without oneDNN. Since 0.1.
```
"""
@inline vmx_pack_weights(ctx, weights, out) =
    ccall(pointers.vmx_pack_weights, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{Ptr{vmx_packed_weights}}), ctx, weights, out)

@doc raw"""
```text
Bytes held, 0 for NULL.
```
"""
@inline vmx_packed_weights_size(packed) =
    ccall(pointers.vmx_packed_weights_size, Csize_t, (Ptr{vmx_packed_weights},), packed)

@doc raw"""
```text
NULL is fine.
```
"""
@inline vmx_packed_weights_destroy(packed) =
    ccall(pointers.vmx_packed_weights_destroy, Cvoid, (Ptr{vmx_packed_weights},), packed)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_linear_init(linear, size) =
    ccall(pointers.vmx_linear_init, vmx_status, (Ptr{vmx_linear}, Csize_t), linear, size)

@doc raw"""
```text
As vmx_logsumexp, of the linear scores. hidden [rows, dim]. lse f32. Cost: one matrix product. Since 0.1.
```
"""
@inline vmx_linear_logsumexp(ctx, ws, hidden, linear, lse, row_flags, options) =
    ccall(pointers.vmx_linear_logsumexp, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_linear}, Ptr{vmx_vector}, Ptr{UInt32},
        Ptr{vmx_softmax_options}), ctx, ws, hidden, linear, lse, row_flags, options)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_linear_grads_init(grads, size) =
    ccall(pointers.vmx_linear_grads_init, vmx_status, (Ptr{vmx_linear_grads}, Csize_t), grads, size)

@doc raw"""
```text
As vmx_cross_entropy, of the linear scores; out->grad must be empty. grads NULL: forward only. Gradients are of
out->total times out->grad_scale. Cost: forward one matrix product, with gradients three. Since 0.1.
Source: chunked fused linear cross-entropy; cf. Wijmans et al. 2024 (arXiv 2411.09009) for the idea on GPUs.
```
"""
@inline vmx_linear_cross_entropy(ctx, ws, hidden, linear, targets, out, grads, options) =
    ccall(pointers.vmx_linear_cross_entropy, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace},
        Ptr{vmx_matrix}, Ptr{vmx_linear}, Ptr{vmx_csr}, Ptr{vmx_cross_entropy_out}, Ptr{vmx_linear_grads},
        Ptr{vmx_cross_entropy_options}), ctx, ws, hidden, linear, targets, out, grads, options)

@doc raw"""
```text
As vmx_topk, of the linear scores: maximum inner product search without an index, exact. values f32. Since 0.1.
```
"""
@inline vmx_linear_topk(ctx, ws, hidden, linear, k, values, ids, row_flags, options) =
    ccall(pointers.vmx_linear_topk, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_linear}, Int64, Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{UInt32},
        Ptr{vmx_topk_options}), ctx, ws, hidden, linear, k, values, ids, row_flags, options)

@doc raw"""
```text
"2.6.3", or "" in a build without oneDNN.
```
"""
@inline vmx_onednn_version() =
    ccall(pointers.vmx_onednn_version, Ptr{UInt8}, ())

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_sampler_options_init(options, size) =
    ccall(pointers.vmx_sampler_options_init, vmx_status, (Ptr{vmx_sampler_options}, Csize_t), options, size)

@doc raw"""
```text
Builds a sampler. Immutable but for _update and _observe, which must not run beside another call on it. Fields of
other kinds must be neutral. ctx may be destroyed before the sampler.
WEIGHTS    probabilities of the V cells of its table are multiples of 2^-32/V: a class of less than half of that is met without
           replacement alone. log q is kept in f32.
MIDX       halves of the embeddings (dim/2 columns first) are quantised by k-means on a sample that the seed chooses; a class
           has the score of its two codewords, and q is the softmax of that.
Data       never fail a call: embeddings that hold NaN or infinities show in the flags of the rows drawn.
Bits       the same on every ISA and for every thread count, EXACT too.
Cost       WEIGHTS O(V), 12 bytes a class; MIDX k-means on a sample, then O(V K d), 8 bytes a class and 8 K^2;
           QUADRATIC O(V d^2), a copy of the embeddings in f32 and 2 V d^2 / leaf floats, leaf = 8 d classes; IN_BATCH 16 bytes
           a class; others O(1).
Source     Walker 1977, Vose 1991 (alias); Yi et al. 2019 (in-batch); Chen et al., arXiv 2109.05773 (MIDX); Blanc &
           Rendle 2018 (quadratic kernel); Kool et al. 2019 (Gumbel top-k). VMX_ERR_VALUE for a negative or non-finite
           weight. Since 0.1.
```
"""
@inline vmx_sampler_create(ctx, options, out) =
    ccall(pointers.vmx_sampler_create, vmx_status, (Ptr{vmx_context}, Ptr{vmx_sampler_options},
        Ptr{Ptr{vmx_sampler}}), ctx, options, out)

@doc raw"""
```text
Takes new embeddings (same shape): MIDX quantises again from the codebooks at hand, QUADRATIC sums its tree again, EXACT
keeps the new view. With ids (QUADRATIC only; NULL: all) only these classes have changed: O(d^2) each, O(d^2 log V) for each
leaf of the tree; the result is that of a new sampler up to rounding. VMX_ERR_UNSUPPORTED for kinds without embeddings.
Since 0.1.
```
"""
@inline vmx_sampler_update(ctx, sampler, embeddings, ids) =
    ccall(pointers.vmx_sampler_update, vmx_status, (Ptr{vmx_context}, Ptr{vmx_sampler}, Ptr{vmx_matrix},
        Ptr{vmx_ids}), ctx, sampler, embeddings, ids)

@doc raw"""
```text
IN_BATCH: class ids seen in the batch of that step, in [0, 2^56). Steps do not fall (VMX_ERR_VALUE); a batch may come in parts; a
repeat within a step counts once. The mean gap B between the steps that hold a class follows B <- (1-a) B + a (step - last), a
the rate, and q = 1/B estimates its probability to be in a batch: what in-batch softmax takes off the scores. A class seen in
one step alone has B = that step + 1, one never seen B = the highest step + 2 (1 before anything was seen). Since 0.1.
```
"""
@inline vmx_sampler_observe(sampler, ids, step) =
    ccall(pointers.vmx_sampler_observe, vmx_status, (Ptr{vmx_sampler}, Ptr{vmx_ids},
        Int64), sampler, ids, step)

@doc raw"""
```text
Bytes held, 0 for NULL.
```
"""
@inline vmx_sampler_size(sampler) =
    ccall(pointers.vmx_sampler_size, Csize_t, (Ptr{vmx_sampler},), sampler)

@doc raw"""
```text
NULL is fine.
```
"""
@inline vmx_sampler_destroy(sampler) =
    ccall(pointers.vmx_sampler_destroy, Cvoid, (Ptr{vmx_sampler},), sampler)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_draw_options_init(options, size) =
    ccall(pointers.vmx_draw_options_init, vmx_status, (Ptr{vmx_draw_options}, Csize_t), options, size)

@doc raw"""
```text
Draws m classes for all rows together, or for each row.
hidden     [rows, dim] f32 or bf16 for MIDX, QUADRATIC and EXACT: one list for each row. NULL for the others.
ids        [1, m] or [rows, m], VMX_I32 or VMX_I64, base 0. Order: as drawn.
log_q      as ids, f32; data NULL or view NULL: not wanted. Exact log q of each (of the first draw, if UNIQUE), or
           log expected counts with VMX_DRAW_COUNTS.
tries      [rows of ids] or NULL: draws made, repeats included (m with replacement; the classes found for EXACT; 0 for a row
           whose flags forbid to draw).
row_flags  [rows of ids] or NULL: NAN, INF of hidden's scores (ids are then -1, log_q NaN); EMPTY if no class has a score
           above -inf (ids -1, log_q -inf); UNDERFULL if UNIQUE and fewer than m classes have q > 0: the rest has id -1 and
           log_q -inf.
UNIQUE     a larger m gives the same classes and more. After V draws (rounded up to a multiple of 64) the classes still
           missing are found by a race, which has the same law: the largest log q - log E, E exponential, among the others.
           tries then goes on by what repeats would have cost, drawn from its own law (geometric, by the mass of the classes
           drawn), up to 2^62.
Status     VMX_ERR_VALUE for UNIQUE with m > classes, VMX_ERR_SIZE for more than 2^32 rows; VMX_ERR_UNSUPPORTED for IN_BATCH,
           and for COUNTS of EXACT without replacement.
Cost       O(1) a draw for UNIFORM, LOG_UNIFORM, WEIGHTS; MIDX O(K d + K^2) a row, then O(log K) a draw; QUADRATIC
           O(d^2 log(V/d)) a row and draw, less where many draws share nodes; EXACT one pass over the scores, two with
           replacement. Since 0.1.
```
"""
@inline vmx_sampler_draw(ctx, ws, sampler, hidden, ids, log_q, tries, row_flags, options) =
    ccall(pointers.vmx_sampler_draw, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_sampler},
        Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{Int64}, Ptr{UInt32},
        Ptr{vmx_draw_options}), ctx, ws, sampler, hidden, ids, log_q, tries, row_flags, options)

@doc raw"""
```text
log q of given classes, as for the labels of a batch.
hidden     as in vmx_sampler_draw: row r of it belongs to list r of classes.
classes    a list per row (weights are not looked at). VMX_ERR_LABEL for an id outside the classes.
draws      0: log q; tries are not looked at. m > 0: log expected counts: with tries NULL log(m q), with replacement; else
           log(-expm1(tries_r log1p(-q))), TensorFlow's for draws without replacement.
tries      [rows] (stride 0: one for all) as vmx_sampler_draw gave, or NULL. EXACT without replacement has no such
           formula: VMX_ERR_UNSUPPORTED.
log_q      [number of ids] f32 or f64; -inf for a class that is never drawn, NaN in rows with NAN or INF.
Cost       QUADRATIC O(d) a class and O(d^2) a row, EXACT a pass over all scores. Since 0.1.
```
"""
@inline vmx_sampler_log_q(ctx, ws, sampler, hidden, classes, draws, tries, tries_stride, log_q) =
    ccall(pointers.vmx_sampler_log_q, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_sampler},
        Ptr{vmx_matrix}, Ptr{vmx_csr}, Int64, Ptr{Int64}, Int64,
        Ptr{vmx_vector}), ctx, ws, sampler, hidden, classes, draws, tries, tries_stride, log_q)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_sampled_options_init(options, size) =
    ccall(pointers.vmx_sampled_options_init, vmx_status, (Ptr{vmx_sampled_options}, Csize_t), options, size)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_candidates_init(candidates, size) =
    ccall(pointers.vmx_candidates_init, vmx_status, (Ptr{vmx_candidates}, Csize_t), candidates, size)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_sparse_rows_init(rows, size) =
    ccall(pointers.vmx_sparse_rows_init, vmx_status, (Ptr{vmx_sparse_rows}, Csize_t), rows, size)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_sampled_grads_init(grads, size) =
    ccall(pointers.vmx_sampled_grads_init, vmx_status, (Ptr{vmx_sampled_grads}, Csize_t), grads, size)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_sampled_out_init(out, size) =
    ccall(pointers.vmx_sampled_out_init, vmx_status, (Ptr{vmx_sampled_out}, Csize_t), out, size)

@doc raw"""
```text
A loss over each row's targets t (weights w_t) and its negatives j, forward, and backward if grads is given.
With z = (hidden . table + bias)/T, or (cosine + bias)/T, the negatives j = 1..m of the row without its hits:
    SAMPLED_SOFTMAX  o = corrected z;  sum_t w_t (log(e^o_t + sum_j e^o_j) - o_t), or with JOINT
                     sum_t w_t (log(sum_s e^o_s + sum_j e^o_j) - o_t), s over the targets' classes
    NCE              D = z - log(expected count);  sum_t w_t (softplus(-D_t) + sum_j softplus(D_j))
    NEG              the same with D = z
    BPR              sum_t w_t (1/m') sum_j softplus(z_j - z_t), m' the negatives left
    CCL              sum_t w_t (1 - z_t + (negative_weight/m') sum_j max(0, z_j - margin))
hidden     [rows, dim], table [classes, dim]: f32, or bf16 both; products and sums in f32, row totals in f64.
bias       [classes] f32, or NULL.
targets    as in vmx_cross_entropy (no ignore_index): a row without targets has loss 0 and gradient 0.
Edge       a row of hidden or table that is 0 has cosine 0 and no gradient. NaN or +inf in a row's scores: loss and
           gradients NaN, flags NAN, INF. A score of -inf is a mask: of a negative it is none (though it counts in m'), of a target
           loss +inf. No negatives left (flag EMPTY): the softmax has loss 0 (its JOINT form that of the targets), NCE
           and NEG their target's part, BPR 0, CCL its target's part.
Error      losses and gradients by scores: relative 16u of the sum of absolute terms, u = 2^-24, among which are those of the
           scores themselves. Sums for the table's gradient of per-row candidates go to f64 every 64 terms.
Bits       per-row candidates: the same on every ISA and for every thread count and memory limit. Shared ones: products by
           oneDNN, as vmx_linear promises. The table's gradient sums over rows in rising order. One row is always "per row".
Status     VMX_ERR_LABEL for an id outside the table, VMX_ERR_VALUE for a missing log_q, or one that is NaN, +inf or -inf (of
           an empty slot it is not looked at). VMX_ERR_UNSUPPORTED for shared candidates in a build without oneDNN.
Cost       shared: O(rows m dim), three products; the candidates' rows are gathered once. Per row: one read of each
           candidate's row from memory, and a sort of the ids for the table's gradient, for which 24 bytes of scratch are
           needed for each id. Cosines read each class's row once more. Nothing depends on classes.
Source     Bengio & Senecal 2008, Jean et al. 2015 (IS), Ma & Collins 2018 (RANKING), Yi et al. 2019; Gutmann & Hyvarinen
           2010; Mikolov et al. 2013; Rendle et al. 2009; Mao et al. 2021. Since 0.1.
```
"""
@inline vmx_sampled_loss(ctx, ws, hidden, table, bias, targets, candidates, out, grads, options) =
    ccall(pointers.vmx_sampled_loss, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_vector}, Ptr{vmx_csr}, Ptr{vmx_candidates}, Ptr{vmx_sampled_out},
        Ptr{vmx_sampled_grads},
        Ptr{vmx_sampled_options}), ctx, ws, hidden, table, bias, targets, candidates, out, grads, options)

@doc raw"""
```text
In-batch softmax (InfoNCE): row i of queries belongs to row i of keys, and the other keys are its negatives.
queries, keys [rows, dim] f32, or bf16 both.
identity   [rows] which class each key is: other keys of row i's own class are left out; NULL: all differ.
log_q      [rows] f32 log probability of each key to be in a batch (vmx_sampler_log_q of IN_BATCH), taken off all scores,
           the row's own included; NULL: none.
grad_queries, grad_keys  [rows, dim] f32 or the inputs' dtype, overwritten; NULL or data NULL: not wanted.
options    score, temperature, reduction, memory_limit; loss, correction and the VMX_SAMPLED_* flags are not looked at.
Edge, Error, Bits  as vmx_sampled_loss with shared candidates; every row has weight 1. VMX_ERR_UNSUPPORTED in a build without
           oneDNN. Cost: three products.
Source     van den Oord et al. 2018; Yi et al. 2019. Since 0.1.
```
"""
@inline vmx_in_batch_softmax(ctx, ws, queries, keys, identity, log_q, out, grad_queries, grad_keys, options) =
    ccall(pointers.vmx_in_batch_softmax, vmx_status, (Ptr{vmx_context}, Ptr{vmx_workspace}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_ids}, Ptr{vmx_vector}, Ptr{vmx_sampled_out}, Ptr{vmx_matrix},
        Ptr{vmx_matrix},
        Ptr{vmx_sampled_options}), ctx, ws, queries, keys, identity, log_q, out, grad_queries, grad_keys, options)

@doc raw"""
```text
Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
```
"""
@inline vmx_update_options_init(options, size) =
    ccall(pointers.vmx_update_options_init, vmx_status, (Ptr{vmx_update_options}, Csize_t), options, size)

@doc raw"""
```text
One step of an optimizer on the rows of table that grad names; other rows and their moments stay as they are.
grad       the first grad->count rows of grad->rows (any strides) and of grad->ids, which must rise. Its bias is not looked
           at: a bias is a table [classes, 1] of its own.
table      [classes, dim] f32 or bf16 (rounded to nearest even), updated in place.
mean       ADAM: m [classes, dim] f32; else NULL. square: ADAGRAD, ADAM: v [classes, dim] f32; else NULL. Both begin as 0.
Edge       NaN and infinities go by IEEE arithmetic into the elements they belong to, and into no others. An empty list:
           nothing is done.
Error      u = 2^-24. m and v: 3 u of the sum of their terms' magnitudes. The step: 6 u of that by the m and v stored; w: 2 u
           of its old and u of its new value besides (bf16: rounded once more). Results below 2^-126 are +0.
Bits       the same on every ISA and for every thread count.
Cost       O(count*dim): one read and write of the rows named, fetched ahead. No allocation.
Status     VMX_ERR_LABEL for an id outside the table, VMX_ERR_VALUE for ids that do not rise, or a moment that the optimizer
           has not; else as usual.
Source     Duchi et al. 2011; Kingma & Ba 2015; Loshchilov & Hutter 2019 for the decay. Since 0.1.
```
"""
@inline vmx_sparse_update(ctx, grad, table, mean, square, options) =
    ccall(pointers.vmx_sparse_update, vmx_status, (Ptr{vmx_context}, Ptr{vmx_sparse_rows}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{vmx_update_options}), ctx, grad, table, mean, square, options)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_softmax_workspace_size(ctx, x, y, options, size) =
    ccall(pointers.vmx_softmax_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_softmax_options}, Ptr{Csize_t}), ctx, x, y, options, size)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_lse_fold_workspace_size(ctx, x, options, size) =
    ccall(pointers.vmx_lse_fold_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{vmx_lse_options}, Ptr{Csize_t}), ctx, x, options, size)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_cross_entropy_workspace_size(ctx, x, grad, options, size) =
    ccall(pointers.vmx_cross_entropy_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Ptr{vmx_cross_entropy_options}, Ptr{Csize_t}), ctx, x, grad, options, size)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_topk_workspace_size(ctx, x, k, options, size) =
    ccall(pointers.vmx_topk_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix}, Int64,
        Ptr{vmx_topk_options}, Ptr{Csize_t}), ctx, x, k, options, size)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_linear_logsumexp_workspace_size(ctx, hidden, linear, options, size) =
    ccall(pointers.vmx_linear_logsumexp_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{vmx_linear}, Ptr{vmx_softmax_options}, Ptr{Csize_t}), ctx, hidden, linear, options, size)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_linear_cross_entropy_workspace_size(ctx, hidden, linear, grads, options, size) =
    ccall(pointers.vmx_linear_cross_entropy_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{vmx_linear}, Ptr{vmx_linear_grads}, Ptr{vmx_cross_entropy_options},
        Ptr{Csize_t}), ctx, hidden, linear, grads, options, size)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_linear_topk_workspace_size(ctx, hidden, linear, k, options, size) =
    ccall(pointers.vmx_linear_topk_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{vmx_linear}, Int64, Ptr{vmx_topk_options}, Ptr{Csize_t}), ctx, hidden, linear, k, options, size)

@doc raw"""
```text
Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
```
"""
@inline vmx_sampler_draw_workspace_size(ctx, sampler, hidden, ids, options, size) =
    ccall(pointers.vmx_sampler_draw_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_sampler},
        Ptr{vmx_matrix}, Ptr{vmx_matrix}, Ptr{vmx_draw_options},
        Ptr{Csize_t}), ctx, sampler, hidden, ids, options, size)

@doc raw"""
```text
targets: the number of targets of all rows together, however they are spread over the rows.
```
"""
@inline vmx_sampled_loss_workspace_size(ctx, hidden, table, targets, candidates, grads, options, size) =
    ccall(pointers.vmx_sampled_loss_workspace_size, vmx_status, (Ptr{vmx_context}, Ptr{vmx_matrix},
        Ptr{vmx_matrix}, Int64, Ptr{vmx_candidates}, Ptr{vmx_sampled_grads}, Ptr{vmx_sampled_options},
        Ptr{Csize_t}), ctx, hidden, table, targets, candidates, grads, options, size)

end # module
