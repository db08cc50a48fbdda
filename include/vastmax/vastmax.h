/* SPDX-License-Identifier: Apache-2.0 */
/**
 * vastmax: the softmax family over very many classes, on CPUs. The whole public contract, C99.
 *
 * Conventions that hold for every function here:
 *   - A call returns a vmx_status. It speaks of the arguments only and is decided before any write: on an argument
 *     error no output is touched. After VMX_ERR_MEMORY or VMX_ERR_CALLBACK the outputs of that call are unspecified,
 *     and nothing outside them was written. vmx_last_error() names the argument and the values.
 *   - Data never fail a call. What a row holds is told in its flags word (VMX_ROW_*).
 *   - "ctx" may be NULL: the best ISA of this CPU, the calling thread only, malloc. "ws" may be NULL: scratch is
 *     allocated and freed inside. One workspace serves one call at a time. "options" may be NULL: the defaults.
 *   - Strides are in elements. Inputs may have any stride, 0 and negative included; col_stride != 1 costs one gather
 *     of each block. Outputs must not overlap themselves. An output may be exactly the same view as the input where
 *     a function says so; any other overlap of an output with an input (labels, weights and temperatures too) or
 *     another output is VMX_ERR_OVERLAP. Views that interleave without sharing an element, as columns of one array do,
 *     are fine if they repeat at the same distance.
 *   - Natural alignment of the element is enough (data not aligned to its element: VMX_ERR_VALUE). Only the bytes named
 *     are read or written. Fields named "reserved" must be 0, an ids base 0 or 1: else VMX_ERR_VALUE.
 *   - Dtypes: scores in f32, bf16, f16 or f64. Log-sum-exps, losses: f32, or f64 when the scores are f64.
 *     Probabilities, log-probabilities and gradients of scores: any of the four, rounded once from f32 (from f64
 *     when the scores are f64). Log-probabilities follow the same rule. Results below 2^-126 in f32 arithmetic are +0.
 *   - The same input and version give the same bits on every ISA, with any compiler, thread count, batch order,
 *     alignment and stride, and for shards cut at multiples of VMX_BLOCK. (The linear source has its own, narrower
 *     promise, told at vmx_linear.)
 *   - -inf is a mask: probability and gradient exactly 0. NaN or +inf in a row give NaN as told at each function.
 *   - The floating-point environment is neither changed nor relied on: results are the same under any rounding
 *     mode, FTZ and DAZ; no exception traps, and no flag of one is left behind. Callbacks run under the caller's.
 *   - Signals are safe at any time. Where oneDNN's products move the stack pointer away from the thread's stack (AVX2), signals to
 *     the thread wait until that product is done; those that faults raise do not.
 *   - Sizes: 0 rows are fine. cols is at most VMX_MAX_COLS.
 */
#ifndef VASTMAX_VASTMAX_H
#define VASTMAX_VASTMAX_H

#include <stddef.h>
#include <stdint.h>

#define VMX_VERSION_MAJOR 0
#define VMX_VERSION_MINOR 1
#define VMX_VERSION_PATCH 0
/** major * 10000 + minor * 100 + patch */
#define VMX_VERSION (VMX_VERSION_MAJOR * 10000 + VMX_VERSION_MINOR * 100 + VMX_VERSION_PATCH)

#if defined(VMX_STATIC)
#  define VMX_API
#elif defined(_WIN32)
#  if defined(VMX_BUILDING)
#    define VMX_API __declspec(dllexport)
#  else
#    define VMX_API __declspec(dllimport)
#  endif
#elif defined(__GNUC__)
#  define VMX_API __attribute__((visibility("default")))
#else
#  define VMX_API
#endif

#ifdef __cplusplus
#  define VMX_NOEXCEPT noexcept
extern "C" {
#else
#  define VMX_NOEXCEPT
#endif

/** Columns of one summation block. Shards and tiles cut at multiples of it give the same bits as the whole row. */
#define VMX_BLOCK 4096
/** The most classes a row, or all its shards together, may have. */
#define VMX_MAX_COLS INT64_C(2147483647)

/* ---------------------------------------------------------------- status ---------------------------------------- */

typedef int32_t vmx_status;
/* Numbers never change and are never reused. */
#define VMX_OK 0
#define VMX_ERR_NULL 1        /* a required pointer is NULL */
#define VMX_ERR_SHAPE 2       /* sizes that do not fit each other, or negative */
#define VMX_ERR_DTYPE 3       /* a dtype that this argument cannot have */
#define VMX_ERR_VALUE 4       /* an option or parameter outside its range */
#define VMX_ERR_OVERLAP 5     /* an output overlaps itself, an input or another output */
#define VMX_ERR_SIZE 6        /* a product of sizes overflows, or more than VMX_MAX_COLS columns */
#define VMX_ERR_STRUCT 7      /* struct_size too small, or a longer struct with a non-zero tail */
#define VMX_ERR_LABEL 8       /* a label or class id outside [base, base + cols) that is not ignore_index */
#define VMX_ERR_UNSUPPORTED 9 /* this CPU or build lacks what was asked for */
#define VMX_ERR_MEMORY 10     /* an allocation failed */
#define VMX_ERR_CALLBACK 11   /* a caller's parallel_for did not run every task, or threw */
#define VMX_ERR_INTERNAL 12   /* a defect of vastmax: please report it */

/** Static text of a status, "unknown status" for other numbers. Never NULL. */
VMX_API const char *vmx_status_string(vmx_status status) VMX_NOEXCEPT;

/** Copies the calling thread's last error message, which names the argument and the values, into buf (at most size
 *  bytes, always ended by a NUL when size > 0) and returns its length without the NUL. "" if no call failed yet.
 *  The text is for people: it may change. */
VMX_API size_t vmx_last_error(char *buf, size_t size) VMX_NOEXCEPT;

/** The library's VMX_VERSION, to compare with the header's. */
VMX_API int32_t vmx_version(void) VMX_NOEXCEPT;
/** "0.1.0". */
VMX_API const char *vmx_version_string(void) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- views ----------------------------------------- */

/* dtypes (int32) */
#define VMX_F32 1
#define VMX_BF16 2 /* upper half of an f32 */
#define VMX_F16 3  /* IEEE binary16 */
#define VMX_F64 4
#define VMX_I32 5 /* ids only */
#define VMX_I64 6 /* ids only */

/** rows x cols elements; element (r, c) stands at data + r*row_stride + c*col_stride (strides in elements). */
typedef struct vmx_matrix {
  void *data;
  int64_t rows, cols, row_stride, col_stride;
  int32_t dtype, reserved; /* reserved: 0 */
} vmx_matrix;

/** n elements; element i stands at data + i*stride (in elements; 0 broadcasts one element where it is an input). */
typedef struct vmx_vector {
  void *data;
  int64_t n, stride;
  int32_t dtype, reserved; /* reserved: 0 */
} vmx_vector;

/** n integers: type VMX_I32 or VMX_I64; base 0, or 1 for languages that count from one. The base holds for the ids
 *  (labels, classes) and, in a CSR list, for the row pointer too. */
typedef struct vmx_ids {
  const void *data;
  int64_t n, stride;
  int32_t type, base;
} vmx_ids;

/** A list per row. indptr.data == NULL: exactly one id a row (ids.n == rows). Otherwise CSR: indptr has rows + 1
 *  entries that do not fall, and row r owns ids[indptr[r]] ... ids[indptr[r+1] - 1] (both less indptr.base).
 *  weights.data == NULL: all 1; else f32 or f64, one for each id. */
typedef struct vmx_csr {
  vmx_ids indptr, ids;
  vmx_vector weights;
} vmx_csr;

/* Row flags (uint32 bits). */
#define VMX_ROW_EMPTY 1u     /* no class is allowed: no columns, or all -inf */
#define VMX_ROW_NAN 2u       /* the row holds a NaN */
#define VMX_ROW_INF 4u       /* the row holds +inf */
#define VMX_ROW_UNDERFULL 8u /* fewer than k classes were there to choose */

/* ---------------------------------------------------------------- ISA ------------------------------------------- */

#define VMX_ISA_BEST 0
#define VMX_ISA_SCALAR 1
#define VMX_ISA_AVX2 2   /* with FMA and F16C */
#define VMX_ISA_AVX512 3 /* F, BW, VL, DQ */

/** How many ISAs this build holds. Their numbers are given by vmx_isa_id(0 .. count-1), in rising order. */
VMX_API int32_t vmx_isa_count(void) VMX_NOEXCEPT;
/** The VMX_ISA_* number of the i-th ISA of this build, 0 if i is out of range. */
VMX_API int32_t vmx_isa_id(int32_t i) VMX_NOEXCEPT;
/** "scalar", "avx2", "avx512"; "unknown" for other numbers. Never NULL. */
VMX_API const char *vmx_isa_name(int32_t isa) VMX_NOEXCEPT;
/** 1 if this CPU and its operating system can run that ISA and the build holds it, else 0. */
VMX_API int32_t vmx_isa_usable(int32_t isa) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- context --------------------------------------- */

/** Immutable after creation; any number of threads may use one at the same time. */
typedef struct vmx_context vmx_context;
/** Warm scratch memory. Grows as calls need it; one per concurrent call. */
typedef struct vmx_workspace vmx_workspace;

/** One piece of work: index in [0, n). */
typedef void (*vmx_task)(void *task_arg, int64_t index);
/** Must call task(task_arg, i) exactly once for each i in [0, n), in any order and on any threads, and return when
 *  all have ended, on the thread it was called on: 0 for success. Must not throw. May run other calls meanwhile. */
typedef int32_t (*vmx_parallel_for)(void *user, int64_t n, vmx_task task, void *task_arg);
/** alignment is a power of two of at least 64. NULL means out of memory; a hook that throws gives VMX_ERR_CALLBACK. */
typedef void *(*vmx_alloc)(void *user, size_t size, size_t alignment);
typedef void (*vmx_free)(void *user, void *ptr, size_t size, size_t alignment);

typedef struct vmx_context_options {
  size_t struct_size;
  int32_t isa;     /* VMX_ISA_BEST (neutral), or the highest ISA to use; VASTMAX_ISA in the environment caps it too */
  int32_t threads; /* 0 or 1 (neutral 0): the calling thread only; n > 1: an own pool, n counting the caller; at most
                      1024. With parallel_for: how many threads it may be expected to use. Results never depend on it */
  vmx_parallel_for parallel_for; /* NULL (neutral): the own pool, if any */
  void *parallel_for_user;
  vmx_alloc alloc; /* NULL with free NULL (neutral): the C library's */
  vmx_free free;
  void *alloc_user;
} vmx_context_options;
#define VMX_CONTEXT_OPTIONS_INIT {sizeof(vmx_context_options), 0, 0, NULL, NULL, NULL, NULL, NULL}

/** Fills *options with the defaults; size is the caller's sizeof. For languages without the macro. */
VMX_API vmx_status vmx_context_options_init(vmx_context_options *options, size_t size) VMX_NOEXCEPT;

/** Makes a context. The environment variable VASTMAX_ISA=scalar|avx2|avx512 caps the ISA; it is read here and nowhere
 *  else, and empty counts as unset. VMX_ERR_UNSUPPORTED if options->isa or VASTMAX_ISA names an ISA that this CPU or build lacks; VMX_ERR_VALUE
 *  for an unknown name or number, threads outside 0..1024, or one of alloc and free without the other. */
VMX_API vmx_status vmx_context_create(const vmx_context_options *options, vmx_context **out) VMX_NOEXCEPT;
/** Ends the pool and frees the context. NULL is fine. No call may be running on it. */
VMX_API void vmx_context_destroy(vmx_context *ctx) VMX_NOEXCEPT;
/** The VMX_ISA_* number that calls on ctx use. For the NULL context that is the best one, whatever VASTMAX_ISA says. */
VMX_API int32_t vmx_isa_active(const vmx_context *ctx) VMX_NOEXCEPT;
/** Threads that calls on ctx may use, the caller included: at least 1. */
VMX_API int32_t vmx_context_threads(const vmx_context *ctx) VMX_NOEXCEPT;

/** Makes an empty workspace that allocates by ctx (NULL: malloc). ctx must outlive it. */
VMX_API vmx_status vmx_workspace_create(const vmx_context *ctx, vmx_workspace **out) VMX_NOEXCEPT;
/** Makes sure that a call which needs up to size bytes allocates nothing. VMX_ERR_VALUE while a call is using ws. */
VMX_API vmx_status vmx_workspace_reserve(vmx_workspace *ws, size_t size) VMX_NOEXCEPT;
/** Bytes held. 0 for NULL. */
VMX_API size_t vmx_workspace_capacity(const vmx_workspace *ws) VMX_NOEXCEPT;
/** NULL is fine. */
VMX_API void vmx_workspace_destroy(vmx_workspace *ws) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- softmax --------------------------------------- */

/* flags of vmx_softmax_options */
#define VMX_PRECISE 1u     /* relative error 8u over the whole range (softmax, log-softmax), by f64 evaluation; slower */
#define VMX_ZERO_MASKED 2u /* an EMPTY row gives 0 (softmax) or -inf (log-softmax) instead of NaN */

typedef struct vmx_softmax_options {
  size_t struct_size;
  uint32_t flags, reserved;   /* VMX_PRECISE | VMX_ZERO_MASKED; neutral 0 */
  const float *temperature;   /* one T for each row at temperature + r*temperature_stride; NULL (neutral): 1 */
  int64_t temperature_stride; /* in elements; 0: one T for all rows */
} vmx_softmax_options;
#define VMX_SOFTMAX_OPTIONS_INIT {sizeof(vmx_softmax_options), 0, 0, NULL, 0}
VMX_API vmx_status vmx_softmax_options_init(vmx_softmax_options *options, size_t size) VMX_NOEXCEPT;

/* Temperature T divides the scores. T = +inf: all allowed classes alike. 0 <= T < 2^-126: all mass on the first
 * maximum (LSE is then the limit of the mean, which is +-inf or 0: the maximum's sign; see vmx_logsumexp). T < 0 or
 * NaN: VMX_ERR_VALUE. */

/** lse[r] = log(sum_c exp(x[r][c] / T_r)).
 *  x          [rows, cols], any strides, f32, bf16, f16, f64. Read once.
 *  lse        [rows] f32 (f64 when x is f64). Must not overlap x.
 *  row_flags  [rows] or NULL: VMX_ROW_* of each row.
 *  Edge       any NaN: NaN; else any +inf: +inf; else cols == 0 or all -inf: -inf. T < 2^-126: max/T as a limit:
 *             +inf, -inf, or 0 by the sign of the maximum. T = +inf: log(number of allowed classes).
 *  Error      |error| <= u*max(1, |lse|) + 16u, u = 2^-24 (2^-53 for f64).
 *  Cost       one read of x, O(rows*cols). No allocation with a warm workspace.
 *  Status     VMX_ERR_NULL, _SHAPE, _DTYPE, _VALUE, _OVERLAP, _SIZE, _STRUCT, _MEMORY, _CALLBACK.
 *  Source     Milakov & Gimelshein 2018 (arXiv 1805.02867), Dukhan & Ablavatski 2020 (arXiv 2001.04438), Demmel &
 *             Nguyen 2013 for the order-free sum. Since 0.1. */
VMX_API vmx_status vmx_logsumexp(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x,
                                 const vmx_vector *lse, uint32_t *row_flags,
                                 const vmx_softmax_options *options) VMX_NOEXCEPT;

/** y[r][c] = exp(x[r][c]/T_r - lse_r), the softmax of each row.
 *  x          as above. y [rows, cols] of any of the four dtypes; may be exactly x (in place), if of its dtype.
 *  lse        NULL, or [rows] as in vmx_logsumexp: also returned.
 *  Edge       NaN or +inf in the row: all NaN. EMPTY: all NaN, or 0 with VMX_ZERO_MASKED. -inf entries: exactly 0.
 *  Error      relative (8 + |x - max|/T) u where y >= 2^-126; 8u with VMX_PRECISE; then rounded once to y's dtype.
 *  Cost       one read of x and one write of y, and one row of f32 scratch for each thread; two reads for rows of more than
 *             2^20 columns, for f64, with VMX_PRECISE, and for rows with NaN or extreme scores.
 *             Source as vmx_logsumexp. Since 0.1. */
VMX_API vmx_status vmx_softmax(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x, const vmx_matrix *y,
                               const vmx_vector *lse, uint32_t *row_flags,
                               const vmx_softmax_options *options) VMX_NOEXCEPT;

/** y[r][c] = x[r][c]/T_r - lse_r, the logarithm of the softmax.
 *  As vmx_softmax, but: -inf entries give -inf; EMPTY gives NaN, or -inf with VMX_ZERO_MASKED.
 *  Error      absolute 2u*max(1, |max|, |y|, |lse|) + 16u; relative 8u with VMX_PRECISE. Since 0.1. */
VMX_API vmx_status vmx_log_softmax(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x,
                                   const vmx_matrix *y, const vmx_vector *lse, uint32_t *row_flags,
                                   const vmx_softmax_options *options) VMX_NOEXCEPT;

/** grad_x[r][c] = grad_lse[r] * softmax(x[r]/T)[c] / T.
 *  lse        NULL (computed again), or what vmx_logsumexp gave for the same x and options.
 *  grad_lse   [rows] f32 or f64; stride 0 broadcasts. grad_x may be exactly x. Rows with NaN or +inf: NaN; EMPTY: 0.
 *  Cost       one read and one write, one more read without lse. Since 0.1. */
VMX_API vmx_status vmx_logsumexp_backward(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x,
                                          const vmx_vector *lse, const vmx_vector *grad_lse,
                                          const vmx_matrix *grad_x, const vmx_softmax_options *options) VMX_NOEXCEPT;

/** grad_x = y * (grad_y - sum_c y*grad_y) / T, y being what vmx_softmax gave. Where y is 0 grad_x is 0, whatever
 *  grad_y holds there. grad_x may be exactly y or grad_y. y and grad_y share a dtype. The options' temperature is that of the forward
 *  call. Source: MATH of the softmax Jacobian diag(p) - p p^T. Since 0.1. */
VMX_API vmx_status vmx_softmax_backward(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *y,
                                        const vmx_matrix *grad_y, const vmx_matrix *grad_x,
                                        const vmx_softmax_options *options) VMX_NOEXCEPT;

/** grad_x = (grad_y - exp(y) * sum_c grad_y) / T, y being what vmx_log_softmax gave. Masked entries (y = -inf) have
 *  gradient 0 and do not enter the sum. grad_x may be exactly y or grad_y. y and grad_y share a dtype. Since 0.1. */
VMX_API vmx_status vmx_log_softmax_backward(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *y,
                                            const vmx_matrix *grad_y, const vmx_matrix *grad_x,
                                            const vmx_softmax_options *options) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- partial states -------------------------------- */

/** What a slice of a row amounts to. 96 bytes, little-endian, no padding: send it as it is. All-zero bytes are the
 *  empty state, and vmx_lse_merge is exactly associative and commutative: any tree of merges gives the same 96 bytes.
 *  A sum is kept as 40-bit digits at absolute multiples of 2^40, the highest digit's number in a "bin" field and the
 *  digits, highest first, in signed 64-bit integers (Demmel & Nguyen 2013 with integer bins): at least 80 bits below
 *  the largest block for the sum of exponentials, 40 for the others. */
typedef struct vmx_lse_state {
  uint8_t version;   /* 0: the empty state; 1 */
  uint8_t flags;     /* VMX_STATE_* */
  int8_t wz_bin;     /* bin of sum_wz */
  int8_t w_bin;      /* bin of sum_w */
  uint32_t count;    /* allowed classes folded (not -inf, not NaN) */
  double max;        /* largest score, not divided by T; meaningless while count is 0 */
  int64_t ref;       /* integer reference: bin of the sums of exponentials */
  int64_t sum[3];    /* sum of exp(z/T) */
  int64_t entropy[2]; /* sum of (log2(e) z/T - 40 ref) exp(z/T), with VMX_STATE_HAS_ENTROPY */
  int64_t sum_wz[2]; /* sum of w_c z_c / T over the allowed classes (w = 1 without class weights), with VMX_STATE_HAS_SUMS */
  int64_t sum_w[2];  /* sum of w_c over the same */
} vmx_lse_state;

#define VMX_STATE_NAN 1u          /* a NaN was folded */
#define VMX_STATE_INF 2u          /* a +inf was folded */
#define VMX_STATE_MASKED 4u       /* at least one -inf was folded */
#define VMX_STATE_HAS_SUMS 8u     /* folded with VMX_FOLD_SUMS */
#define VMX_STATE_HAS_ENTROPY 16u /* folded with VMX_FOLD_ENTROPY */
#define VMX_STATE_HUGE 32u        /* |max/T| is so large that only ties with the maximum count: sum holds their number */

/** For those who need the log-sum-exp alone: sum exp(z) = sum * exp(max). {-inf, 0} is empty. Merging rounds in f64,
 *  so the last bits depend on the order. */
typedef struct vmx_lse_short {
  double max, sum;
} vmx_lse_short;

/* flags of vmx_lse_options */
#define VMX_FOLD_SUMS 1u    /* also sum z and w (label smoothing, mean score) */
#define VMX_FOLD_ENTROPY 2u /* also the sum for the entropy */

typedef struct vmx_lse_options {
  size_t struct_size;
  uint32_t flags, reserved;   /* VMX_FOLD_*; neutral 0 */
  const float *temperature;   /* as in vmx_softmax_options */
  int64_t temperature_stride;
  vmx_vector class_weight;    /* data NULL (neutral): 1; else f32, one for each column of the slice, stride 1, with
                                 VMX_FOLD_SUMS */
  vmx_ids skip;               /* data NULL (neutral); else one class id a row, counted over the whole row, that is left
                                 out if it lies in this slice: fold a row without its label, merge the label at the end */
} vmx_lse_options;
#define VMX_LSE_OPTIONS_INIT {sizeof(vmx_lse_options), 0, 0, NULL, 0, {NULL, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}}
VMX_API vmx_status vmx_lse_options_init(vmx_lse_options *options, size_t size) VMX_NOEXCEPT;

/** Folds a slice of columns into states[0 .. rows).
 *  x           [rows, cols] of the slice. col_offset: its first column in the whole row. When slices are cut at
 *              multiples of VMX_BLOCK the merged states hold the same bytes as one fold of the whole row; other cuts
 *              stay within the error bounds.
 *  states      [rows], read and written: start from all-zero bytes. Must not overlap x.
 *  Edge        NaN, +inf and -inf are noted in the state's flags; the fold never fails on them.
 *  Status      VMX_ERR_SHAPE for col_offset < 0, VMX_ERR_SIZE if a state would count more than VMX_MAX_COLS classes,
 *              VMX_ERR_VALUE for a state of an unknown version or that no fold made, or of other HAS_* flags than asked for.
 *  Cost        one read of x (with VMX_FOLD_SUMS or VMX_FOLD_ENTROPY about twice the arithmetic). Since 0.1. */
VMX_API vmx_status vmx_lse_fold(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x, int64_t col_offset,
                                vmx_lse_state *states, const vmx_lse_options *options) VMX_NOEXCEPT;

/** into[i] = merge(into[i], from[i]) for i in [0, n). Exactly associative and commutative. into: apart from from, or equal to it
 *  (then every state is doubled). VMX_ERR_VALUE for an unknown version, a state that no fold made, or HAS_* flags that differ
 *  between two non-empty states; VMX_ERR_SIZE for more than VMX_MAX_COLS classes. Nothing is written then. Since 0.1. */
VMX_API vmx_status vmx_lse_merge(vmx_lse_state *into, const vmx_lse_state *from, int64_t n) VMX_NOEXCEPT;

/** lse[i], entropy[i] (in nats, of softmax(z/T)) and row_flags[i], each where not NULL, of states[0 .. n).
 *  options     the temperature of the fold (needed for VMX_STATE_HUGE states); the rest is not looked at.
 *  lse         [n] f32 or f64. entropy [n] f32 or f64, needs VMX_STATE_HAS_ENTROPY in each non-empty state, else
 *              VMX_ERR_VALUE. Edge as vmx_logsumexp; entropy of an EMPTY, NAN or INF row: NaN. Since 0.1. */
VMX_API vmx_status vmx_lse_finish(const vmx_lse_state *states, int64_t n, const vmx_lse_options *options,
                                  const vmx_vector *lse, const vmx_vector *entropy, uint32_t *row_flags) VMX_NOEXCEPT;

/** The 16-byte form of each state: {max/T, sum}. NaN, +inf and empty rows give {NaN, NaN}, {+inf, 1}, {-inf, 0}. */
VMX_API vmx_status vmx_lse_shorten(const vmx_lse_state *states, int64_t n, const vmx_lse_options *options,
                                   vmx_lse_short *out) VMX_NOEXCEPT;
/** into[i] = merge(into[i], from[i]): commutative, associative up to rounding in f64. */
VMX_API vmx_status vmx_lse_short_merge(vmx_lse_short *into, const vmx_lse_short *from, int64_t n) VMX_NOEXCEPT;
/** lse[i] = max + log(sum). lse f32 or f64. */
VMX_API vmx_status vmx_lse_short_finish(const vmx_lse_short *states, int64_t n, const vmx_vector *lse) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- cross-entropy --------------------------------- */

#define VMX_REDUCE_NONE 0
#define VMX_REDUCE_SUM 1
#define VMX_REDUCE_MEAN 2 /* the sum divided by the weight of the rows not ignored */

/* flags of vmx_cross_entropy_options */
#define VMX_SMOOTH_UNMASKED 1u /* label smoothing divides over the allowed classes only (else a mask gives +inf loss) */

typedef struct vmx_cross_entropy_options {
  size_t struct_size;
  uint32_t flags;          /* VMX_SMOOTH_UNMASKED; neutral 0 */
  int32_t reduction;       /* VMX_REDUCE_*; neutral VMX_REDUCE_NONE */
  int64_t ignore_index;    /* a label equal to it (before the base is taken off) makes its row, or that target, not
                              count; default -100 */
  double label_smoothing;  /* eps in [0, 1]; neutral 0 */
  double softcap;          /* c > 0: the scores are c*tanh(z/c); neutral 0: off */
  double z_loss;           /* zeta >= 0: adds zeta*lse^2; neutral 0 */
  vmx_vector class_weight; /* f32, [cols], finite and >= 0 for the labels used; data NULL (neutral): 1 */
  const float *temperature; /* as in vmx_softmax_options; with softcap: of the capped scores */
  int64_t temperature_stride;
} vmx_cross_entropy_options;
#define VMX_CROSS_ENTROPY_OPTIONS_INIT \
  {sizeof(vmx_cross_entropy_options), 0, VMX_REDUCE_NONE, -100, 0, 0, 0, {NULL, 0, 0, 0, 0}, NULL, 0}
VMX_API vmx_status vmx_cross_entropy_options_init(vmx_cross_entropy_options *options, size_t size) VMX_NOEXCEPT;

/** Where the answers go; every field may be NULL (or a view whose data is NULL): not wanted. */
typedef struct vmx_cross_entropy_out {
  size_t struct_size;
  vmx_vector loss;      /* [rows]: the cross-entropy alone, without z-loss */
  vmx_vector z_loss;    /* [rows]: zeta*lse^2 */
  vmx_vector lse;       /* [rows] */
  double *total;        /* sum or mean of loss + z_loss by the reduction (NONE: the sum) */
  double *total_z_loss; /* the z-loss part of total */
  double *total_weight; /* sum of the weights of the rows not ignored: what MEAN divides by */
  uint32_t *row_flags;  /* [rows] VMX_ROW_* */
  vmx_matrix grad;      /* [rows, cols]: d total / d x with reduction NONE standing for SUM, times grad_scale */
  double grad_scale;    /* default 1 */
} vmx_cross_entropy_out;
#define VMX_CROSS_ENTROPY_OUT_INIT                                                                       \
  {sizeof(vmx_cross_entropy_out), {NULL, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}, NULL, NULL, NULL, \
   NULL, {NULL, 0, 0, 0, 0, 0, 0}, 1.0}
VMX_API vmx_status vmx_cross_entropy_out_init(vmx_cross_entropy_out *out, size_t size) VMX_NOEXCEPT;

/** Softmax cross-entropy of given scores, forward, and backward if out->grad is wanted.
 *  With p = softmax(u/T), u the (capped) scores, targets t with weights w_t (of the list) and class weights v:
 *      loss_r   = (1-eps) sum_t w_t v_t (lse - u_t/T) + W (eps/V) sum_c v_c (lse - u_c/T),    W = sum_t w_t
 *      z_loss_r = zeta lse^2 (rows not ignored)
 *      weight_r = sum_t w_t v_t
 *  For one label a row this is PyTorch's cross_entropy with class weights and label smoothing.
 *  x          [rows, cols]; grad [rows, cols] of any of the four dtypes, may be exactly x.
 *  targets    one class id a row, or a CSR list with weights; a target may repeat. An ignored or empty row has loss 0,
 *             gradient 0 and weight 0.
 *  Edge       a masked label: loss +inf, gradient p elsewhere and -weight at the label. EMPTY: loss +inf, gradient 0.
 *             NaN or +inf in the row: loss NaN, gradient NaN. Mean over no weight: NaN. A masked class under
 *             label_smoothing with v_c > 0: loss +inf (unless VMX_SMOOTH_UNMASKED); its gradient is 0.
 *  Error      loss relative 16u + d_y u/loss (small losses keep their digits: the row is folded without its label);
 *             gradient entries as vmx_softmax.
 *  Status     also VMX_ERR_LABEL, checked over all rows before any write.
 *  Cost       forward one read of x; with grad also one write and a row of scratch, as vmx_softmax; with label smoothing or a
 *             soft-cap one more read. Since 0.1.
 *  Source     Szegedy et al. 2016 (label smoothing), Chowdhery et al. 2022 (z-loss). */
VMX_API vmx_status vmx_cross_entropy(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x,
                                     const vmx_csr *targets, const vmx_cross_entropy_out *out,
                                     const vmx_cross_entropy_options *options) VMX_NOEXCEPT;

/** The backward pass alone: grad[r][c] = grad_loss[r] * d(loss_r + z_loss_r)/dx[r][c].
 *  lse        what the forward call gave, or NULL: computed again. grad_loss [rows] f32 or f64 (stride 0 broadcasts):
 *             a mean is the caller's division by total_weight. Ignored rows: 0, whatever grad_loss holds. Since 0.1. */
VMX_API vmx_status vmx_cross_entropy_backward(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x,
                                              const vmx_csr *targets, const vmx_vector *lse,
                                              const vmx_vector *grad_loss, const vmx_matrix *grad,
                                              const vmx_cross_entropy_options *options) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- top-k ----------------------------------------- */

/* flags of vmx_topk_options */
#define VMX_TOPK_SMALLEST 1u /* the k smallest instead of the k largest */
#define VMX_TOPK_UNSORTED 2u /* the k entries in rising order of id instead of rank order */

typedef struct vmx_topk_options {
  size_t struct_size;
  uint32_t flags, reserved; /* neutral 0: largest, sorted */
  int64_t col_offset;       /* neutral 0: added to each id found, for shards of a row; >= 0 */
  vmx_csr excluded;         /* class ids to pass over, a list per row (indptr and ids; weights are not looked at), counted
                               over the whole row; those outside this slice are passed over; ids.data NULL (neutral): none */
} vmx_topk_options;
#define VMX_TOPK_OPTIONS_INIT                                                                          \
  {sizeof(vmx_topk_options), 0, 0, 0,                                                                   \
   {{NULL, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}}}
VMX_API vmx_status vmx_topk_options_init(vmx_topk_options *options, size_t size) VMX_NOEXCEPT;

/** The k best entries of each row: exactly k, ties by the lower id.
 *  Order      larger first (smaller first with VMX_TOPK_SMALLEST); equal values by rising id; -0 equals +0; NaN ranks
 *             after everything else, by rising id.
 *  x          [rows, cols]. k in [1, cols].
 *  values     [rows, k] of x's dtype, bits as in x; data NULL: not wanted.
 *  ids        [rows, k] VMX_I32 or VMX_I64, base 0, col_offset added; data NULL: not wanted. Not both NULL.
 *  row_flags  [rows] or NULL: NAN, INF; EMPTY if nothing but -inf, NaN or excluded entries; UNDERFULL if fewer than k
 *             entries are left after exclusion: the rest has id -1 and value -inf (+inf with VMX_TOPK_SMALLEST).
 *  Status     VMX_ERR_VALUE for k < 1, VMX_ERR_SHAPE for k > cols, VMX_ERR_SIZE for VMX_I32 ids that could overflow,
 *             VMX_ERR_LABEL for an excluded id below its base.
 *  Cost       one read of x and little more for small k; O(rows*cols) at worst for any k. Since 0.1.
 *  Source     streaming threshold with compression of survivors; radix select on order-preserving keys. */
VMX_API vmx_status vmx_topk(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *x, int64_t k,
                            const vmx_matrix *values, const vmx_matrix *ids, uint32_t *row_flags,
                            const vmx_topk_options *options) VMX_NOEXCEPT;

/** Merges k-lists: the k best of the m entries of each row, by the order of vmx_topk with the given ids for ties. Entries
 *  with id -1 are empty slots. So a row split over shards is vmx_topk of each (with col_offset), the lists side by side,
 *  and one merge. The result does not depend on the order of the entries; no id may stand twice in a row.
 *  values_in  [rows, m] any dtype; ids_in [rows, m] VMX_I32 or VMX_I64; k in [1, m]; values, ids as in vmx_topk.
 *  options    flags only. Since 0.1. */
VMX_API vmx_status vmx_topk_merge(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *values_in,
                                  const vmx_matrix *ids_in, int64_t k, const vmx_matrix *values,
                                  const vmx_matrix *ids, uint32_t *row_flags,
                                  const vmx_topk_options *options) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- linear source --------------------------------- */

/** Weights made ready for many calls: laid out for the matrix products and the kernels for few rows. Immutable; any number
 *  of threads may use one. It holds its own copy: the weights it came from may change or go. */
typedef struct vmx_packed_weights vmx_packed_weights;

/** Packs weights [classes, dim] (f32 or bf16). VMX_ERR_UNSUPPORTED in a build without oneDNN. Since 0.1. */
VMX_API vmx_status vmx_pack_weights(const vmx_context *ctx, const vmx_matrix *weights,
                                    vmx_packed_weights **out) VMX_NOEXCEPT;
/** Bytes held, 0 for NULL. */
VMX_API size_t vmx_packed_weights_size(const vmx_packed_weights *packed) VMX_NOEXCEPT;
/** NULL is fine. */
VMX_API void vmx_packed_weights_destroy(vmx_packed_weights *packed) VMX_NOEXCEPT;

/** Scores made tile by tile, never rows x classes in memory: score[r][c] = hidden[r] . weights[c] + bias[c].
 *  f32 or bf16 (hidden and weights alike), accumulated in f32. Promise: for a given number of rows the same bits for any
 *  thread count and memory limit on one machine; not across ISAs or oneDNN versions. No thread is started by oneDNN. */
typedef struct vmx_linear {
  size_t struct_size;
  vmx_matrix weights;               /* [classes, dim], or data NULL when packed is given; needed for grad_hidden unless
                                       packed */
  const vmx_packed_weights *packed; /* NULL: weights are packed tile by tile in each call */
  vmx_vector bias;                  /* [classes] f32; data NULL: none */
  size_t memory_limit;              /* bytes of scratch a call may use; 0 (neutral): 128 MiB. VMX_ERR_VALUE if that is too
                                       little for one row block (the message tells how much is needed) */
} vmx_linear;
#define VMX_LINEAR_INIT {sizeof(vmx_linear), {NULL, 0, 0, 0, 0, 0, 0}, NULL, {NULL, 0, 0, 0, 0}, 0}
VMX_API vmx_status vmx_linear_init(vmx_linear *linear, size_t size) VMX_NOEXCEPT;

/** As vmx_logsumexp, of the linear scores. hidden [rows, dim]. lse f32. Cost: one matrix product. Since 0.1. */
VMX_API vmx_status vmx_linear_logsumexp(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *hidden,
                                        const vmx_linear *linear, const vmx_vector *lse, uint32_t *row_flags,
                                        const vmx_softmax_options *options) VMX_NOEXCEPT;

/* flags of vmx_linear_grads */
#define VMX_GRAD_ACCUMULATE 1u /* add to grad_weights and grad_bias instead of overwriting them */

typedef struct vmx_linear_grads {
  size_t struct_size;
  uint32_t flags, reserved;
  vmx_matrix hidden;  /* [rows, dim], f32 or hidden's dtype; data NULL: not wanted; always overwritten */
  vmx_matrix weights; /* [classes, dim] f32; data NULL: not wanted */
  vmx_vector bias;    /* [classes] f32; data NULL: not wanted */
} vmx_linear_grads;
#define VMX_LINEAR_GRADS_INIT \
  {sizeof(vmx_linear_grads), 0, 0, {NULL, 0, 0, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}}
VMX_API vmx_status vmx_linear_grads_init(vmx_linear_grads *grads, size_t size) VMX_NOEXCEPT;

/** As vmx_cross_entropy, of the linear scores; out->grad must be empty. grads NULL: forward only. Gradients are of
 *  out->total times out->grad_scale. Cost: forward one matrix product, with gradients three. Since 0.1.
 *  Source: chunked fused linear cross-entropy; cf. Wijmans et al. 2024 (arXiv 2411.09009) for the idea on GPUs. */
VMX_API vmx_status vmx_linear_cross_entropy(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *hidden,
                                            const vmx_linear *linear, const vmx_csr *targets,
                                            const vmx_cross_entropy_out *out, const vmx_linear_grads *grads,
                                            const vmx_cross_entropy_options *options) VMX_NOEXCEPT;

/** As vmx_topk, of the linear scores: maximum inner product search without an index, exact. values f32. Since 0.1. */
VMX_API vmx_status vmx_linear_topk(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *hidden,
                                   const vmx_linear *linear, int64_t k, const vmx_matrix *values,
                                   const vmx_matrix *ids, uint32_t *row_flags,
                                   const vmx_topk_options *options) VMX_NOEXCEPT;

/** "2.6.3", or "" in a build without oneDNN. */
VMX_API const char *vmx_onednn_version(void) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- samplers -------------------------------------- */

/** Draws negative classes and tells their exact proposal probabilities q. A draw is a function of (seed, step, row, place)
 *  alone: Philox4x32-10 (Salmon et al. 2011), key = seed, counter = (number of the word block, purpose << 24 | row bits 0..23,
 *  step bits 0..31, step bits 32..55 << 8 | row bits 24..31), the row being 0 for shared draws. Place i (a repeat that is drawn
 *  again has a place of its own) has words 2i and 2i + 1 of purpose VMX_PURPOSE_NEGATIVES. */
typedef struct vmx_sampler vmx_sampler;

/* Purpose numbers of the Philox counter are never reused. Samplers have 4 to 9: draws; draws whose words exact uniformity
 * rejects; noise of class c, upper and lower 32 bits (word c % 4 of block c / 4); numbers of repeats; k-means (step, row 0). */
#define VMX_PURPOSE_NEGATIVES 4

/* kinds of sampler */
#define VMX_SAMPLER_UNIFORM 1     /* q = 1/V */
#define VMX_SAMPLER_LOG_UNIFORM 2 /* q_k = log((k+2)/(k+1)) / log(V+1): classes sorted by falling frequency */
#define VMX_SAMPLER_WEIGHTS 3     /* q = w^power / sum w^power by an alias table: unigram counts with power 0.75, or any weights */
#define VMX_SAMPLER_IN_BATCH 4    /* the batch's own positives: draws nothing, estimates q from what vmx_sampler_observe saw */
#define VMX_SAMPLER_MIDX 5        /* softmax of quantised scores, by an inverted multi-index over the embeddings; needs hidden */
#define VMX_SAMPLER_QUADRATIC 6   /* q proportional to alpha (h.w/T)^2 + 1, by a tree of Gram matrices; needs hidden */
#define VMX_SAMPLER_EXACT 7       /* the softmax itself, by Gumbel top-k over all scores; needs hidden */

typedef struct vmx_sampler_options {
  size_t struct_size;
  int32_t kind;          /* VMX_SAMPLER_* */
  int32_t codewords;     /* MIDX: K of each of its two codebooks, at most 1024; 0 (neutral): the largest power of two up to 256
                            that leaves four classes to each of the K^2 cells */
  int64_t classes;       /* V, 1 to VMX_MAX_COLS */
  vmx_vector weights;    /* WEIGHTS: [classes] f32, f64, VMX_I32 or VMX_I64; finite, >= 0, not all 0 */
  double power;          /* WEIGHTS: default 1; finite, >= 0; a weight of 0 is never drawn, at any power */
  vmx_matrix embeddings; /* MIDX, QUADRATIC, EXACT: [classes, dim] f32 or bf16. MIDX and QUADRATIC copy what they need; EXACT
                            keeps the view: it must stay until vmx_sampler_update or _destroy */
  double temperature;    /* MIDX, QUADRATIC, EXACT: divides the scores; default 1; finite, > 0. EXACT takes it as f32, within
                            [2^-126, FLT_MAX] */
  double alpha;          /* QUADRATIC: default 100; finite, >= 0 */
  double rate;           /* IN_BATCH: how fast the estimate follows, in (0, 1]; default 0.01 */
  uint64_t seed;         /* MIDX: of its k-means; neutral 0 */
} vmx_sampler_options;
#define VMX_SAMPLER_OPTIONS_INIT \
  {sizeof(vmx_sampler_options), 0, 0, 0, {NULL, 0, 0, 0, 0}, 1.0, {NULL, 0, 0, 0, 0, 0, 0}, 1.0, 100.0, 0.01, 0}
VMX_API vmx_status vmx_sampler_options_init(vmx_sampler_options *options, size_t size) VMX_NOEXCEPT;

/** Builds a sampler. Immutable but for _update and _observe, which must not run beside another call on it. Fields of
 *  other kinds must be neutral. ctx may be destroyed before the sampler.
 *  WEIGHTS    probabilities of the V cells of its table are multiples of 2^-32/V: a class of less than half of that is met without
 *             replacement alone. log q is kept in f32.
 *  MIDX       halves of the embeddings (dim/2 columns first) are quantised by k-means on a sample that the seed chooses; a class
 *             has the score of its two codewords, and q is the softmax of that.
 *  Data       never fail a call: embeddings that hold NaN or infinities show in the flags of the rows drawn.
 *  Bits       the same on every ISA and for every thread count, EXACT too.
 *  Cost       WEIGHTS O(V), 12 bytes a class; MIDX k-means on a sample, then O(V K d), 8 bytes a class and 8 K^2;
 *             QUADRATIC O(V d^2), a copy of the embeddings in f32 and 2 V d^2 / leaf floats, leaf = 8 d classes; IN_BATCH 16 bytes
 *             a class; others O(1).
 *  Source     Walker 1977, Vose 1991 (alias); Yi et al. 2019 (in-batch); Chen et al., arXiv 2109.05773 (MIDX); Blanc &
 *             Rendle 2018 (quadratic kernel); Kool et al. 2019 (Gumbel top-k). VMX_ERR_VALUE for a negative or non-finite
 *             weight. Since 0.1. */
VMX_API vmx_status vmx_sampler_create(const vmx_context *ctx, const vmx_sampler_options *options,
                                      vmx_sampler **out) VMX_NOEXCEPT;
/** Takes new embeddings (same shape): MIDX quantises again from the codebooks at hand, QUADRATIC sums its tree again, EXACT
 *  keeps the new view. With ids (QUADRATIC only; NULL: all) only these classes have changed: O(d^2) each, O(d^2 log V) for each
 *  leaf of the tree; the result is that of a new sampler up to rounding. VMX_ERR_UNSUPPORTED for kinds without embeddings.
 *  Since 0.1. */
VMX_API vmx_status vmx_sampler_update(const vmx_context *ctx, vmx_sampler *sampler, const vmx_matrix *embeddings,
                                      const vmx_ids *ids) VMX_NOEXCEPT;
/** IN_BATCH: class ids seen in the batch of that step, in [0, 2^56). Steps do not fall (VMX_ERR_VALUE); a batch may come in parts; a
 *  repeat within a step counts once. The mean gap B between the steps that hold a class follows B <- (1-a) B + a (step - last), a
 *  the rate, and q = 1/B estimates its probability to be in a batch: what in-batch softmax takes off the scores. A class seen in
 *  one step alone has B = that step + 1, one never seen B = the highest step + 2 (1 before anything was seen). Since 0.1. */
VMX_API vmx_status vmx_sampler_observe(vmx_sampler *sampler, const vmx_ids *ids, int64_t step) VMX_NOEXCEPT;
/** Bytes held, 0 for NULL. */
VMX_API size_t vmx_sampler_size(const vmx_sampler *sampler) VMX_NOEXCEPT;
/** NULL is fine. */
VMX_API void vmx_sampler_destroy(vmx_sampler *sampler) VMX_NOEXCEPT;

/* flags of vmx_draw_options */
#define VMX_DRAW_UNIQUE 1u /* without replacement: repeats are drawn again. Allowed and without effect for EXACT, which is
                              always so unless VMX_DRAW_REPLACE */
#define VMX_DRAW_COUNTS 2u /* log_q receives log expected counts instead of log q (see vmx_sampler_log_q) */
#define VMX_DRAW_REPLACE 4u /* EXACT, no other: with replacement */

typedef struct vmx_draw_options {
  size_t struct_size;
  uint32_t flags, reserved;
  uint64_t seed; /* neutral 0 */
  int64_t step;  /* neutral 0; a training step or any number in [0, 2^56): another step gives independent draws */
} vmx_draw_options;
#define VMX_DRAW_OPTIONS_INIT {sizeof(vmx_draw_options), 0, 0, 0, 0}
VMX_API vmx_status vmx_draw_options_init(vmx_draw_options *options, size_t size) VMX_NOEXCEPT;

/** Draws m classes for all rows together, or for each row.
 *  hidden     [rows, dim] f32 or bf16 for MIDX, QUADRATIC and EXACT: one list for each row. NULL for the others.
 *  ids        [1, m] or [rows, m], VMX_I32 or VMX_I64, base 0. Order: as drawn.
 *  log_q      as ids, f32; data NULL or view NULL: not wanted. Exact log q of each (of the first draw, if UNIQUE), or
 *             log expected counts with VMX_DRAW_COUNTS.
 *  tries      [rows of ids] or NULL: draws made, repeats included (m with replacement; the classes found for EXACT; 0 for a row
 *             whose flags forbid to draw).
 *  row_flags  [rows of ids] or NULL: NAN, INF of hidden's scores (ids are then -1, log_q NaN); EMPTY if no class has a score
 *             above -inf (ids -1, log_q -inf); UNDERFULL if UNIQUE and fewer than m classes have q > 0: the rest has id -1 and
 *             log_q -inf.
 *  UNIQUE     a larger m gives the same classes and more. After V draws (rounded up to a multiple of 64) the classes still
 *             missing are found by a race, which has the same law: the largest log q - log E, E exponential, among the others.
 *             tries then goes on by what repeats would have cost, drawn from its own law (geometric, by the mass of the classes
 *             drawn), up to 2^62.
 *  Status     VMX_ERR_VALUE for UNIQUE with m > classes, VMX_ERR_SIZE for more than 2^32 rows; VMX_ERR_UNSUPPORTED for IN_BATCH,
 *             and for COUNTS of EXACT without replacement.
 *  Cost       O(1) a draw for UNIFORM, LOG_UNIFORM, WEIGHTS; MIDX O(K d + K^2) a row, then O(log K) a draw; QUADRATIC
 *             O(d^2 log(V/d)) a row and draw, less where many draws share nodes; EXACT one pass over the scores, two with
 *             replacement. Since 0.1. */
VMX_API vmx_status vmx_sampler_draw(const vmx_context *ctx, vmx_workspace *ws, const vmx_sampler *sampler,
                                    const vmx_matrix *hidden, const vmx_matrix *ids, const vmx_matrix *log_q,
                                    int64_t *tries, uint32_t *row_flags, const vmx_draw_options *options) VMX_NOEXCEPT;

/** log q of given classes, as for the labels of a batch.
 *  hidden     as in vmx_sampler_draw: row r of it belongs to list r of classes.
 *  classes    a list per row (weights are not looked at). VMX_ERR_LABEL for an id outside the classes.
 *  draws      0: log q; tries are not looked at. m > 0: log expected counts: with tries NULL log(m q), with replacement; else
 *             log(-expm1(tries_r log1p(-q))), TensorFlow's for draws without replacement.
 *  tries      [rows] (stride 0: one for all) as vmx_sampler_draw gave, or NULL. EXACT without replacement has no such
 *             formula: VMX_ERR_UNSUPPORTED.
 *  log_q      [number of ids] f32 or f64; -inf for a class that is never drawn, NaN in rows with NAN or INF.
 *  Cost       QUADRATIC O(d) a class and O(d^2) a row, EXACT a pass over all scores. Since 0.1. */
VMX_API vmx_status vmx_sampler_log_q(const vmx_context *ctx, vmx_workspace *ws, const vmx_sampler *sampler,
                                     const vmx_matrix *hidden, const vmx_csr *classes, int64_t draws,
                                     const int64_t *tries, int64_t tries_stride,
                                     const vmx_vector *log_q) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- sampled losses -------------------------------- */

/* losses */
#define VMX_LOSS_SAMPLED_SOFTMAX 1
#define VMX_LOSS_NCE 2 /* noise-contrastive estimation: takes log expected counts, as VMX_CORRECT_COUNTS */
#define VMX_LOSS_NEG 3 /* word2vec's negative sampling */
#define VMX_LOSS_BPR 4 /* Bayesian personalised ranking: mean over the negatives */
#define VMX_LOSS_CCL 5 /* cosine contrastive loss */

/* corrections of VMX_LOSS_SAMPLED_SOFTMAX */
#define VMX_CORRECT_NONE 0
#define VMX_CORRECT_RANKING 1 /* target z - log q, negatives z - log q */
#define VMX_CORRECT_IS 2      /* target z, negatives z - log(m q), m the candidates of the row, hits and empty slots included */
#define VMX_CORRECT_COUNTS 3  /* TensorFlow's: z - log of the expected count for both; log_q holds those */

/* how scores are made */
#define VMX_SCORE_DOT 0
#define VMX_SCORE_COSINE 1

/* flags of vmx_sampled_options */
#define VMX_SAMPLED_KEEP_HITS 1u /* candidates that are a target of their row stay (else they are left out of every loss) */
#define VMX_SAMPLED_JOINT 2u     /* SAMPLED_SOFTMAX: all targets of a row stand in one denominator, as in the exact loss (a class
                                    that repeats among them once); else each has its own: itself and the negatives */

typedef struct vmx_sampled_options {
  size_t struct_size;
  int32_t loss;           /* VMX_LOSS_* */
  int32_t correction;     /* VMX_CORRECT_*, for SAMPLED_SOFTMAX; neutral NONE */
  int32_t score;          /* VMX_SCORE_*; neutral DOT */
  uint32_t flags;         /* VMX_SAMPLED_*; neutral 0 */
  int32_t reduction;      /* VMX_REDUCE_*; neutral NONE */
  int32_t reserved;
  double temperature;     /* divides the scores; default 1; finite, > 0. CCL takes none: 1 */
  double margin;          /* CCL: default 0.4, in [-1, 1] */
  double negative_weight; /* CCL: default 1, >= 0 */
  size_t memory_limit;    /* bytes of scratch a call may use; neutral 0: 128 MiB, or what it needs at the least. VMX_ERR_VALUE
                             if a given one is too little (the message tells how much is needed) */
} vmx_sampled_options;
#define VMX_SAMPLED_OPTIONS_INIT \
  {sizeof(vmx_sampled_options), VMX_LOSS_SAMPLED_SOFTMAX, 0, 0, 0, VMX_REDUCE_NONE, 0, 1.0, 0.4, 1.0, 0}
VMX_API vmx_status vmx_sampled_options_init(vmx_sampled_options *options, size_t size) VMX_NOEXCEPT;

/** The negatives. */
typedef struct vmx_candidates {
  size_t struct_size;
  vmx_matrix ids;          /* [1, m]: shared by all rows; [rows, m]: a list for each. VMX_I32 or VMX_I64, base 0; -1: an empty
                              slot. A repeated class counts as often as it stands there */
  vmx_matrix log_q;        /* as ids, f32: log q, or log expected counts where the loss wants those; data NULL if it wants none */
  vmx_vector target_log_q; /* the same of each target, f32, in the order of the targets' ids */
  vmx_ids identity;        /* [classes]: rows of the table with equal numbers are one class when hits are looked for; data
                              NULL: each row is its own */
} vmx_candidates;
#define VMX_CANDIDATES_INIT                                                                  \
  {sizeof(vmx_candidates), {NULL, 0, 0, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}}
VMX_API vmx_status vmx_candidates_init(vmx_candidates *candidates, size_t size) VMX_NOEXCEPT;

/** Gradient of a table whose other rows have none. */
typedef struct vmx_sparse_rows {
  size_t struct_size;
  int64_t *ids;    /* [rows.rows], written: the classes, rising, each once */
  vmx_matrix rows; /* f32 [capacity, dim], written: their gradients */
  float *bias;     /* [rows.rows] or NULL */
  int64_t count;   /* written: how many */
} vmx_sparse_rows;
#define VMX_SPARSE_ROWS_INIT {sizeof(vmx_sparse_rows), NULL, {NULL, 0, 0, 0, 0, 0, 0}, NULL, 0}
VMX_API vmx_status vmx_sparse_rows_init(vmx_sparse_rows *rows, size_t size) VMX_NOEXCEPT;

typedef struct vmx_sampled_grads {
  size_t struct_size;
  vmx_matrix hidden;       /* [rows, dim], f32 or hidden's dtype; overwritten; data NULL: not wanted */
  vmx_sparse_rows *sparse; /* gradient of the table as a list of rows; NULL: not wanted. All distinct classes among targets and
                              candidates are in it, hits and zeros too; VMX_ERR_SHAPE, before any write, if it has not room for
                              them (the message tells how many; min(classes, all ids) is enough) */
  vmx_matrix table;        /* [classes, dim] f32, added to; data NULL: not wanted */
  vmx_vector bias;         /* [classes] f32, added to; data NULL: not wanted */
} vmx_sampled_grads;
#define VMX_SAMPLED_GRADS_INIT \
  {sizeof(vmx_sampled_grads), {NULL, 0, 0, 0, 0, 0, 0}, NULL, {NULL, 0, 0, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}}
VMX_API vmx_status vmx_sampled_grads_init(vmx_sampled_grads *grads, size_t size) VMX_NOEXCEPT;

/** Where the answers go; every field may be empty. */
typedef struct vmx_sampled_out {
  size_t struct_size;
  vmx_vector loss;      /* [rows] f32 */
  double *total;        /* sum or mean of the losses by the reduction (NONE: the sum) */
  double *total_weight; /* sum of the targets' weights: what MEAN divides by */
  uint32_t *row_flags;  /* [rows] VMX_ROW_* */
  double grad_scale;    /* default 1: gradients are of total times this */
} vmx_sampled_out;
#define VMX_SAMPLED_OUT_INIT {sizeof(vmx_sampled_out), {NULL, 0, 0, 0, 0}, NULL, NULL, NULL, 1.0}
VMX_API vmx_status vmx_sampled_out_init(vmx_sampled_out *out, size_t size) VMX_NOEXCEPT;

/** A loss over each row's targets t (weights w_t) and its negatives j, forward, and backward if grads is given.
 *  With z = (hidden . table + bias)/T, or (cosine + bias)/T, the negatives j = 1..m of the row without its hits:
 *      SAMPLED_SOFTMAX  o = corrected z;  sum_t w_t (log(e^o_t + sum_j e^o_j) - o_t), or with JOINT
 *                       sum_t w_t (log(sum_s e^o_s + sum_j e^o_j) - o_t), s over the targets' classes
 *      NCE              D = z - log(expected count);  sum_t w_t (softplus(-D_t) + sum_j softplus(D_j))
 *      NEG              the same with D = z
 *      BPR              sum_t w_t (1/m') sum_j softplus(z_j - z_t), m' the negatives left
 *      CCL              sum_t w_t (1 - z_t + (negative_weight/m') sum_j max(0, z_j - margin))
 *  hidden     [rows, dim], table [classes, dim]: f32, or bf16 both; products and sums in f32, row totals in f64.
 *  bias       [classes] f32, or NULL.
 *  targets    as in vmx_cross_entropy (no ignore_index): a row without targets has loss 0 and gradient 0.
 *  Edge       a row of hidden or table that is 0 has cosine 0 and no gradient. NaN or +inf in a row's scores: loss and
 *             gradients NaN, flags NAN, INF. A score of -inf is a mask: of a negative it is none (though it counts in m'), of a target
 *             loss +inf. No negatives left (flag EMPTY): the softmax has loss 0 (its JOINT form that of the targets), NCE
 *             and NEG their target's part, BPR 0, CCL its target's part.
 *  Error      losses and gradients by scores: relative 16u of the sum of absolute terms, u = 2^-24, among which are those of the
 *             scores themselves. Sums for the table's gradient of per-row candidates go to f64 every 64 terms.
 *  Bits       per-row candidates: the same on every ISA and for every thread count and memory limit. Shared ones: products by
 *             oneDNN, as vmx_linear promises. The table's gradient sums over rows in rising order. One row is always "per row".
 *  Status     VMX_ERR_LABEL for an id outside the table, VMX_ERR_VALUE for a missing log_q, or one that is NaN, +inf or -inf (of
 *             an empty slot it is not looked at). VMX_ERR_UNSUPPORTED for shared candidates in a build without oneDNN.
 *  Cost       shared: O(rows m dim), three products; the candidates' rows are gathered once. Per row: one read of each
 *             candidate's row from memory, and a sort of the ids for the table's gradient, for which 24 bytes of scratch are
 *             needed for each id. Cosines read each class's row once more. Nothing depends on classes.
 *  Source     Bengio & Senecal 2008, Jean et al. 2015 (IS), Ma & Collins 2018 (RANKING), Yi et al. 2019; Gutmann & Hyvarinen
 *             2010; Mikolov et al. 2013; Rendle et al. 2009; Mao et al. 2021. Since 0.1. */
VMX_API vmx_status vmx_sampled_loss(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *hidden,
                                    const vmx_matrix *table, const vmx_vector *bias, const vmx_csr *targets,
                                    const vmx_candidates *candidates, const vmx_sampled_out *out,
                                    const vmx_sampled_grads *grads, const vmx_sampled_options *options) VMX_NOEXCEPT;

/** In-batch softmax (InfoNCE): row i of queries belongs to row i of keys, and the other keys are its negatives.
 *  queries, keys [rows, dim] f32, or bf16 both.
 *  identity   [rows] which class each key is: other keys of row i's own class are left out; NULL: all differ.
 *  log_q      [rows] f32 log probability of each key to be in a batch (vmx_sampler_log_q of IN_BATCH), taken off all scores,
 *             the row's own included; NULL: none.
 *  grad_queries, grad_keys  [rows, dim] f32 or the inputs' dtype, overwritten; NULL or data NULL: not wanted.
 *  options    score, temperature, reduction, memory_limit; loss, correction and the VMX_SAMPLED_* flags are not looked at.
 *  Edge, Error, Bits  as vmx_sampled_loss with shared candidates; every row has weight 1. VMX_ERR_UNSUPPORTED in a build without
 *             oneDNN. Cost: three products.
 *  Source     van den Oord et al. 2018; Yi et al. 2019. Since 0.1. */
VMX_API vmx_status vmx_in_batch_softmax(const vmx_context *ctx, vmx_workspace *ws, const vmx_matrix *queries,
                                        const vmx_matrix *keys, const vmx_ids *identity, const vmx_vector *log_q,
                                        const vmx_sampled_out *out, const vmx_matrix *grad_queries,
                                        const vmx_matrix *grad_keys, const vmx_sampled_options *options) VMX_NOEXCEPT;

/* optimizers of vmx_sparse_update */
#define VMX_SGD 1     /* w -= lr g */
#define VMX_ADAGRAD 2 /* v += g^2; w -= lr g / (sqrt(v) + eps) */
#define VMX_ADAM 3    /* lazy Adam: m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2 of the rows touched;
                         w -= lr/(1 - beta1^step) m / (sqrt(v/(1 - beta2^step)) + eps) */

typedef struct vmx_update_options {
  size_t struct_size;
  int32_t optimizer, reserved;
  int64_t step;        /* ADAM: from 1; the same for all rows, however often each was touched */
  double lr;           /* default 0.001; finite, >= 0 */
  double beta1, beta2; /* ADAM: defaults 0.9, 0.999; in [0, 1) */
  double eps;          /* default 1e-8 (inside no root); finite, >= 2^-126; not of SGD */
  double weight_decay; /* decoupled: first w -= lr*weight_decay*w; neutral 0; finite, >= 0 */
} vmx_update_options;
#define VMX_UPDATE_OPTIONS_INIT {sizeof(vmx_update_options), VMX_SGD, 0, 1, 0.001, 0.9, 0.999, 1e-8, 0}
VMX_API vmx_status vmx_update_options_init(vmx_update_options *options, size_t size) VMX_NOEXCEPT;

/** One step of an optimizer on the rows of table that grad names; other rows and their moments stay as they are.
 *  grad       the first grad->count rows of grad->rows (any strides) and of grad->ids, which must rise. Its bias is not looked
 *             at: a bias is a table [classes, 1] of its own.
 *  table      [classes, dim] f32 or bf16 (rounded to nearest even), updated in place.
 *  mean       ADAM: m [classes, dim] f32; else NULL. square: ADAGRAD, ADAM: v [classes, dim] f32; else NULL. Both begin as 0.
 *  Edge       NaN and infinities go by IEEE arithmetic into the elements they belong to, and into no others. An empty list:
 *             nothing is done.
 *  Error      u = 2^-24. m and v: 3 u of the sum of their terms' magnitudes. The step: 6 u of that by the m and v stored; w: 2 u
 *             of its old and u of its new value besides (bf16: rounded once more). Results below 2^-126 are +0.
 *  Bits       the same on every ISA and for every thread count.
 *  Cost       O(count*dim): one read and write of the rows named, fetched ahead. No allocation.
 *  Status     VMX_ERR_LABEL for an id outside the table, VMX_ERR_VALUE for ids that do not rise, or a moment that the optimizer
 *             has not; else as usual.
 *  Source     Duchi et al. 2011; Kingma & Ba 2015; Loshchilov & Hutter 2019 for the decay. Since 0.1. */
VMX_API vmx_status vmx_sparse_update(const vmx_context *ctx, const vmx_sparse_rows *grad, const vmx_matrix *table,
                                     const vmx_matrix *mean, const vmx_matrix *square,
                                     const vmx_update_options *options) VMX_NOEXCEPT;

/* ---------------------------------------------------------------- workspace sizes ------------------------------- */

/** Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
 *  pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
 *  Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64. */
VMX_API vmx_status vmx_softmax_workspace_size(const vmx_context *ctx, const vmx_matrix *x, const vmx_matrix *y,
                                              const vmx_softmax_options *options, size_t *size) VMX_NOEXCEPT;
VMX_API vmx_status vmx_lse_fold_workspace_size(const vmx_context *ctx, const vmx_matrix *x,
                                               const vmx_lse_options *options, size_t *size) VMX_NOEXCEPT;
VMX_API vmx_status vmx_cross_entropy_workspace_size(const vmx_context *ctx, const vmx_matrix *x,
                                                    const vmx_matrix *grad,
                                                    const vmx_cross_entropy_options *options,
                                                    size_t *size) VMX_NOEXCEPT;
VMX_API vmx_status vmx_topk_workspace_size(const vmx_context *ctx, const vmx_matrix *x, int64_t k,
                                           const vmx_topk_options *options, size_t *size) VMX_NOEXCEPT;
VMX_API vmx_status vmx_linear_logsumexp_workspace_size(const vmx_context *ctx, const vmx_matrix *hidden,
                                                       const vmx_linear *linear,
                                                       const vmx_softmax_options *options,
                                                       size_t *size) VMX_NOEXCEPT;
VMX_API vmx_status vmx_linear_cross_entropy_workspace_size(const vmx_context *ctx, const vmx_matrix *hidden,
                                                           const vmx_linear *linear,
                                                           const vmx_linear_grads *grads,
                                                           const vmx_cross_entropy_options *options,
                                                           size_t *size) VMX_NOEXCEPT;
VMX_API vmx_status vmx_linear_topk_workspace_size(const vmx_context *ctx, const vmx_matrix *hidden,
                                                  const vmx_linear *linear, int64_t k,
                                                  const vmx_topk_options *options, size_t *size) VMX_NOEXCEPT;
VMX_API vmx_status vmx_sampler_draw_workspace_size(const vmx_context *ctx, const vmx_sampler *sampler,
                                                   const vmx_matrix *hidden, const vmx_matrix *ids,
                                                   const vmx_draw_options *options, size_t *size) VMX_NOEXCEPT;
/** targets: the number of targets of all rows together, however they are spread over the rows. */
VMX_API vmx_status vmx_sampled_loss_workspace_size(const vmx_context *ctx, const vmx_matrix *hidden,
                                                   const vmx_matrix *table, int64_t targets,
                                                   const vmx_candidates *candidates,
                                                   const vmx_sampled_grads *grads,
                                                   const vmx_sampled_options *options, size_t *size) VMX_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* VASTMAX_VASTMAX_H */
