// SPDX-License-Identifier: Apache-2.0
// Written by scripts/gen_bindings from include/vastmax/vastmax.h: do not edit.

use core::ffi::{c_char, c_void};
use core::marker::{PhantomData, PhantomPinned};

pub const VMX_VERSION_MAJOR: i32 = 0;

pub const VMX_VERSION_MINOR: i32 = 1;

pub const VMX_VERSION_PATCH: i32 = 0;

/// major \* 10000 + minor \* 100 + patch
pub const VMX_VERSION: i32 = 100;

/// Columns of one summation block. Shards and tiles cut at multiples of it give the same bits as the whole row.
pub const VMX_BLOCK: i32 = 4096;

/// The most classes a row, or all its shards together, may have.
pub const VMX_MAX_COLS: i64 = 2147483647;

pub const VMX_OK: i32 = 0;
/// a required pointer is NULL
pub const VMX_ERR_NULL: i32 = 1;
/// sizes that do not fit each other, or negative
pub const VMX_ERR_SHAPE: i32 = 2;
/// a dtype that this argument cannot have
pub const VMX_ERR_DTYPE: i32 = 3;
/// an option or parameter outside its range
pub const VMX_ERR_VALUE: i32 = 4;
/// an output overlaps itself, an input or another output
pub const VMX_ERR_OVERLAP: i32 = 5;
/// a product of sizes overflows, or more than VMX\_MAX\_COLS columns
pub const VMX_ERR_SIZE: i32 = 6;
/// struct\_size too small, or a longer struct with a non-zero tail
pub const VMX_ERR_STRUCT: i32 = 7;
/// a label or class id outside \[base, base + cols) that is not ignore\_index
pub const VMX_ERR_LABEL: i32 = 8;
/// this CPU or build lacks what was asked for
pub const VMX_ERR_UNSUPPORTED: i32 = 9;
/// an allocation failed
pub const VMX_ERR_MEMORY: i32 = 10;
/// a caller's parallel\_for did not run every task, or threw
pub const VMX_ERR_CALLBACK: i32 = 11;
/// a defect of vastmax: please report it
pub const VMX_ERR_INTERNAL: i32 = 12;

pub const VMX_F32: i32 = 1;
/// upper half of an f32
pub const VMX_BF16: i32 = 2;
/// IEEE binary16
pub const VMX_F16: i32 = 3;
pub const VMX_F64: i32 = 4;
/// ids only
pub const VMX_I32: i32 = 5;
/// ids only
pub const VMX_I64: i32 = 6;

/// no class is allowed: no columns, or all -inf
pub const VMX_ROW_EMPTY: u32 = 1;
/// the row holds a NaN
pub const VMX_ROW_NAN: u32 = 2;
/// the row holds +inf
pub const VMX_ROW_INF: u32 = 4;
/// fewer than k classes were there to choose
pub const VMX_ROW_UNDERFULL: u32 = 8;

pub const VMX_ISA_BEST: i32 = 0;
pub const VMX_ISA_SCALAR: i32 = 1;
/// with FMA and F16C
pub const VMX_ISA_AVX2: i32 = 2;
/// F, BW, VL, DQ
pub const VMX_ISA_AVX512: i32 = 3;

/// relative error 8u over the whole range (softmax, log-softmax), by f64 evaluation; slower
pub const VMX_PRECISE: u32 = 1;
/// an EMPTY row gives 0 (softmax) or -inf (log-softmax) instead of NaN
pub const VMX_ZERO_MASKED: u32 = 2;

/// a NaN was folded
pub const VMX_STATE_NAN: u32 = 1;
/// a +inf was folded
pub const VMX_STATE_INF: u32 = 2;
/// at least one -inf was folded
pub const VMX_STATE_MASKED: u32 = 4;
/// folded with VMX\_FOLD\_SUMS
pub const VMX_STATE_HAS_SUMS: u32 = 8;
/// folded with VMX\_FOLD\_ENTROPY
pub const VMX_STATE_HAS_ENTROPY: u32 = 16;
/// \|max/T\| is so large that only ties with the maximum count: sum holds their number
pub const VMX_STATE_HUGE: u32 = 32;

/// also sum z and w (label smoothing, mean score)
pub const VMX_FOLD_SUMS: u32 = 1;
/// also the sum for the entropy
pub const VMX_FOLD_ENTROPY: u32 = 2;

pub const VMX_REDUCE_NONE: i32 = 0;
pub const VMX_REDUCE_SUM: i32 = 1;
/// the sum divided by the weight of the rows not ignored
pub const VMX_REDUCE_MEAN: i32 = 2;

/// label smoothing divides over the allowed classes only (else a mask gives +inf loss)
pub const VMX_SMOOTH_UNMASKED: u32 = 1;

/// the k smallest instead of the k largest
pub const VMX_TOPK_SMALLEST: u32 = 1;
/// the k entries in rising order of id instead of rank order
pub const VMX_TOPK_UNSORTED: u32 = 2;

/// add to grad\_weights and grad\_bias instead of overwriting them
pub const VMX_GRAD_ACCUMULATE: u32 = 1;

/// Purpose numbers of the Philox counter are never reused. Samplers have 4 to 9: draws; draws whose words exact
/// uniformity rejects; noise of class c, upper and lower 32 bits (word c % 4 of block c / 4); numbers of repeats;
/// k-means (step, row 0).
pub const VMX_PURPOSE_NEGATIVES: i32 = 4;

/// q = 1/V
pub const VMX_SAMPLER_UNIFORM: i32 = 1;
/// q\_k = log((k+2)/(k+1)) / log(V+1): classes sorted by falling frequency
pub const VMX_SAMPLER_LOG_UNIFORM: i32 = 2;
/// q = w^power / sum w^power by an alias table: unigram counts with power 0.75, or any weights
pub const VMX_SAMPLER_WEIGHTS: i32 = 3;
/// the batch's own positives: draws nothing, estimates q from what vmx\_sampler\_observe saw
pub const VMX_SAMPLER_IN_BATCH: i32 = 4;
/// softmax of quantised scores, by an inverted multi-index over the embeddings; needs hidden
pub const VMX_SAMPLER_MIDX: i32 = 5;
/// q proportional to alpha (h.w/T)^2 + 1, by a tree of Gram matrices; needs hidden
pub const VMX_SAMPLER_QUADRATIC: i32 = 6;
/// the softmax itself, by Gumbel top-k over all scores; needs hidden
pub const VMX_SAMPLER_EXACT: i32 = 7;

/// without replacement: repeats are drawn again. Allowed and without effect for EXACT, which is always so unless
/// VMX\_DRAW\_REPLACE
pub const VMX_DRAW_UNIQUE: u32 = 1;
/// log\_q receives log expected counts instead of log q (see vmx\_sampler\_log\_q)
pub const VMX_DRAW_COUNTS: u32 = 2;
/// EXACT, no other: with replacement
pub const VMX_DRAW_REPLACE: u32 = 4;

pub const VMX_LOSS_SAMPLED_SOFTMAX: i32 = 1;
/// noise-contrastive estimation: takes log expected counts, as VMX\_CORRECT\_COUNTS
pub const VMX_LOSS_NCE: i32 = 2;
/// word2vec's negative sampling
pub const VMX_LOSS_NEG: i32 = 3;
/// Bayesian personalised ranking: mean over the negatives
pub const VMX_LOSS_BPR: i32 = 4;
/// cosine contrastive loss
pub const VMX_LOSS_CCL: i32 = 5;

pub const VMX_CORRECT_NONE: i32 = 0;
/// target z - log q, negatives z - log q
pub const VMX_CORRECT_RANKING: i32 = 1;
/// target z, negatives z - log(m q), m the candidates of the row, hits and empty slots included
pub const VMX_CORRECT_IS: i32 = 2;
/// TensorFlow's: z - log of the expected count for both; log\_q holds those
pub const VMX_CORRECT_COUNTS: i32 = 3;

pub const VMX_SCORE_DOT: i32 = 0;
pub const VMX_SCORE_COSINE: i32 = 1;

/// candidates that are a target of their row stay (else they are left out of every loss)
pub const VMX_SAMPLED_KEEP_HITS: u32 = 1;
/// SAMPLED\_SOFTMAX: all targets of a row stand in one denominator, as in the exact loss (a class that repeats
/// among them once); else each has its own: itself and the negatives
pub const VMX_SAMPLED_JOINT: u32 = 2;

/// w -= lr g
pub const VMX_SGD: i32 = 1;
/// v += g^2; w -= lr g / (sqrt(v) + eps)
pub const VMX_ADAGRAD: i32 = 2;
/// lazy Adam: m \<- beta1 m + (1 - beta1) g, v \<- beta2 v + (1 - beta2) g^2 of the rows touched; w -= lr/(1 -
/// beta1^step) m / (sqrt(v/(1 - beta2^step)) + eps)
pub const VMX_ADAM: i32 = 3;

pub type vmx_status = i32;

/// ```text
/// Immutable after creation; any number of threads may use one at the same time.
/// ```
#[repr(C)]
pub struct vmx_context {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// ```text
/// Warm scratch memory. Grows as calls need it; one per concurrent call.
/// ```
#[repr(C)]
pub struct vmx_workspace {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// ```text
/// Weights made ready for many calls: laid out for the matrix products and the kernels for few rows. Immutable; any number
/// of threads may use one. It holds its own copy: the weights it came from may change or go.
/// ```
#[repr(C)]
pub struct vmx_packed_weights {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// ```text
/// Draws negative classes and tells their exact proposal probabilities q. A draw is a function of (seed, step, row, place)
/// alone: Philox4x32-10 (Salmon et al. 2011), key = seed, counter = (number of the word block, purpose << 24 | row bits 0..23,
/// step bits 0..31, step bits 32..55 << 8 | row bits 24..31), the row being 0 for shared draws. Place i (a repeat that is drawn
/// again has a place of its own) has words 2i and 2i + 1 of purpose VMX_PURPOSE_NEGATIVES.
/// ```
#[repr(C)]
pub struct vmx_sampler {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// ```text
/// One piece of work: index in [0, n).
/// ```
pub type vmx_task = Option<unsafe extern "C" fn(task_arg: *mut c_void, index: i64)>;

/// ```text
/// Must call task(task_arg, i) exactly once for each i in [0, n), in any order and on any threads, and return when
/// all have ended, on the thread it was called on: 0 for success. Must not throw. May run other calls meanwhile.
/// ```
pub type vmx_parallel_for = Option<unsafe extern "C" fn(user: *mut c_void, n: i64, task: vmx_task, task_arg: *mut c_void) -> i32>;

/// ```text
/// alignment is a power of two of at least 64. NULL means out of memory; a hook that throws gives VMX_ERR_CALLBACK.
/// ```
pub type vmx_alloc = Option<unsafe extern "C" fn(user: *mut c_void, size: usize, alignment: usize) -> *mut c_void>;

/// ```text
/// alignment is a power of two of at least 64. NULL means out of memory; a hook that throws gives VMX_ERR_CALLBACK.
/// ```
pub type vmx_free = Option<unsafe extern "C" fn(user: *mut c_void, ptr: *mut c_void, size: usize, alignment: usize)>;

/// ```text
/// rows x cols elements; element (r, c) stands at data + r*row_stride + c*col_stride (strides in elements).
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_matrix {
    pub data: *mut c_void,
    pub rows: i64,
    pub cols: i64,
    pub row_stride: i64,
    pub col_stride: i64,
    pub dtype: i32,
    /// must be 0
    pub reserved: i32,
}

/// ```text
/// n elements; element i stands at data + i*stride (in elements; 0 broadcasts one element where it is an input).
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_vector {
    pub data: *mut c_void,
    pub n: i64,
    pub stride: i64,
    pub dtype: i32,
    /// must be 0
    pub reserved: i32,
}

/// ```text
/// n integers: type VMX_I32 or VMX_I64; base 0, or 1 for languages that count from one. The base holds for the ids
/// (labels, classes) and, in a CSR list, for the row pointer too.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_ids {
    pub data: *const c_void,
    pub n: i64,
    pub stride: i64,
    pub r#type: i32,
    pub base: i32,
}

/// ```text
/// A list per row. indptr.data == NULL: exactly one id a row (ids.n == rows). Otherwise CSR: indptr has rows + 1
/// entries that do not fall, and row r owns ids[indptr[r]] ... ids[indptr[r+1] - 1] (both less indptr.base).
/// weights.data == NULL: all 1; else f32 or f64, one for each id.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_csr {
    pub indptr: vmx_ids,
    pub ids: vmx_ids,
    pub weights: vmx_vector,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_context_options {
    pub struct_size: usize,
    /// VMX\_ISA\_BEST (neutral), or the highest ISA to use; VASTMAX\_ISA in the environment caps it too
    pub isa: i32,
    /// 0 or 1 (neutral 0): the calling thread only; n \> 1: an own pool, n counting the caller; at most 1024. With
    /// parallel\_for: how many threads it may be expected to use. Results never depend on it
    pub threads: i32,
    /// NULL (neutral): the own pool, if any
    pub parallel_for: vmx_parallel_for,
    pub parallel_for_user: *mut c_void,
    /// NULL with free NULL (neutral): the C library's
    pub alloc: vmx_alloc,
    pub free: vmx_free,
    pub alloc_user: *mut c_void,
}

impl vmx_context_options {
    /// The defaults, as the macro VMX_CONTEXT_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        isa: 0,
        threads: 0,
        parallel_for: None,
        parallel_for_user: core::ptr::null_mut(),
        alloc: None,
        free: None,
        alloc_user: core::ptr::null_mut(),
    };
}

impl Default for vmx_context_options {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_softmax_options {
    pub struct_size: usize,
    /// VMX\_PRECISE \| VMX\_ZERO\_MASKED; neutral 0
    pub flags: u32,
    /// must be 0
    pub reserved: u32,
    /// one T for each row at temperature + r\*temperature\_stride; NULL (neutral): 1
    pub temperature: *const f32,
    /// in elements; 0: one T for all rows
    pub temperature_stride: i64,
}

impl vmx_softmax_options {
    /// The defaults, as the macro VMX_SOFTMAX_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        flags: 0,
        reserved: 0,
        temperature: core::ptr::null(),
        temperature_stride: 0,
    };
}

impl Default for vmx_softmax_options {
    fn default() -> Self {
        Self::INIT
    }
}

/// ```text
/// What a slice of a row amounts to. 96 bytes, little-endian, no padding: send it as it is. All-zero bytes are the
/// empty state, and vmx_lse_merge is exactly associative and commutative: any tree of merges gives the same 96 bytes.
/// A sum is kept as 40-bit digits at absolute multiples of 2^40, the highest digit's number in a "bin" field and the
/// digits, highest first, in signed 64-bit integers (Demmel & Nguyen 2013 with integer bins): at least 80 bits below
/// the largest block for the sum of exponentials, 40 for the others.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_lse_state {
    /// 0: the empty state; 1
    pub version: u8,
    /// VMX\_STATE\_\*
    pub flags: u8,
    /// bin of sum\_wz
    pub wz_bin: i8,
    /// bin of sum\_w
    pub w_bin: i8,
    /// allowed classes folded (not -inf, not NaN)
    pub count: u32,
    /// largest score, not divided by T; meaningless while count is 0
    pub max: f64,
    /// integer reference: bin of the sums of exponentials
    pub r#ref: i64,
    /// sum of exp(z/T)
    pub sum: [i64; 3],
    /// sum of (log2(e) z/T - 40 ref) exp(z/T), with VMX\_STATE\_HAS\_ENTROPY
    pub entropy: [i64; 2],
    /// sum of w\_c z\_c / T over the allowed classes (w = 1 without class weights), with VMX\_STATE\_HAS\_SUMS
    pub sum_wz: [i64; 2],
    /// sum of w\_c over the same
    pub sum_w: [i64; 2],
}

/// ```text
/// For those who need the log-sum-exp alone: sum exp(z) = sum * exp(max). {-inf, 0} is empty. Merging rounds in f64,
/// so the last bits depend on the order.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_lse_short {
    pub max: f64,
    pub sum: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_lse_options {
    pub struct_size: usize,
    /// VMX\_FOLD\_\*; neutral 0
    pub flags: u32,
    /// must be 0
    pub reserved: u32,
    /// as in vmx\_softmax\_options
    pub temperature: *const f32,
    pub temperature_stride: i64,
    /// data NULL (neutral): 1; else f32, one for each column of the slice, stride 1, with VMX\_FOLD\_SUMS
    pub class_weight: vmx_vector,
    /// data NULL (neutral); else one class id a row, counted over the whole row, that is left out if it lies in this
    /// slice: fold a row without its label, merge the label at the end
    pub skip: vmx_ids,
}

impl vmx_lse_options {
    /// The defaults, as the macro VMX_LSE_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        flags: 0,
        reserved: 0,
        temperature: core::ptr::null(),
        temperature_stride: 0,
        class_weight: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        skip: vmx_ids { data: core::ptr::null(), n: 0, stride: 0, r#type: 0, base: 0 },
    };
}

impl Default for vmx_lse_options {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_cross_entropy_options {
    pub struct_size: usize,
    /// VMX\_SMOOTH\_UNMASKED; neutral 0
    pub flags: u32,
    /// VMX\_REDUCE\_\*; neutral VMX\_REDUCE\_NONE
    pub reduction: i32,
    /// a label equal to it (before the base is taken off) makes its row, or that target, not count; default -100
    pub ignore_index: i64,
    /// eps in \[0, 1\]; neutral 0
    pub label_smoothing: f64,
    /// c \> 0: the scores are c\*tanh(z/c); neutral 0: off
    pub softcap: f64,
    /// zeta \>= 0: adds zeta\*lse^2; neutral 0
    pub z_loss: f64,
    /// f32, \[cols\], finite and \>= 0 for the labels used; data NULL (neutral): 1
    pub class_weight: vmx_vector,
    /// as in vmx\_softmax\_options; with softcap: of the capped scores
    pub temperature: *const f32,
    pub temperature_stride: i64,
}

impl vmx_cross_entropy_options {
    /// The defaults, as the macro VMX_CROSS_ENTROPY_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        flags: 0,
        reduction: 0,
        ignore_index: -100,
        label_smoothing: 0.0,
        softcap: 0.0,
        z_loss: 0.0,
        class_weight: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        temperature: core::ptr::null(),
        temperature_stride: 0,
    };
}

impl Default for vmx_cross_entropy_options {
    fn default() -> Self {
        Self::INIT
    }
}

/// ```text
/// Where the answers go; every field may be NULL (or a view whose data is NULL): not wanted.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_cross_entropy_out {
    pub struct_size: usize,
    /// \[rows\]: the cross-entropy alone, without z-loss
    pub loss: vmx_vector,
    /// \[rows\]: zeta\*lse^2
    pub z_loss: vmx_vector,
    /// \[rows\]
    pub lse: vmx_vector,
    /// sum or mean of loss + z\_loss by the reduction (NONE: the sum)
    pub total: *mut f64,
    /// the z-loss part of total
    pub total_z_loss: *mut f64,
    /// sum of the weights of the rows not ignored: what MEAN divides by
    pub total_weight: *mut f64,
    /// \[rows\] VMX\_ROW\_\*
    pub row_flags: *mut u32,
    /// \[rows, cols\]: d total / d x with reduction NONE standing for SUM, times grad\_scale
    pub grad: vmx_matrix,
    /// default 1
    pub grad_scale: f64,
}

impl vmx_cross_entropy_out {
    /// The defaults, as the macro VMX_CROSS_ENTROPY_OUT_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        loss: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        z_loss: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        lse: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        total: core::ptr::null_mut(),
        total_z_loss: core::ptr::null_mut(),
        total_weight: core::ptr::null_mut(),
        row_flags: core::ptr::null_mut(),
        grad: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        grad_scale: 1.0,
    };
}

impl Default for vmx_cross_entropy_out {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_topk_options {
    pub struct_size: usize,
    /// neutral 0: largest, sorted
    pub flags: u32,
    /// must be 0
    pub reserved: u32,
    /// neutral 0: added to each id found, for shards of a row; \>= 0
    pub col_offset: i64,
    /// class ids to pass over, a list per row (indptr and ids; weights are not looked at), counted over the whole
    /// row; those outside this slice are passed over; ids.data NULL (neutral): none
    pub excluded: vmx_csr,
}

impl vmx_topk_options {
    /// The defaults, as the macro VMX_TOPK_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        flags: 0,
        reserved: 0,
        col_offset: 0,
        excluded: vmx_csr { indptr: vmx_ids { data: core::ptr::null(), n: 0, stride: 0, r#type: 0, base: 0 }, ids: vmx_ids { data: core::ptr::null(), n: 0, stride: 0, r#type: 0, base: 0 }, weights: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 } },
    };
}

impl Default for vmx_topk_options {
    fn default() -> Self {
        Self::INIT
    }
}

/// ```text
/// Scores made tile by tile, never rows x classes in memory: score[r][c] = hidden[r] . weights[c] + bias[c].
/// f32 or bf16 (hidden and weights alike), accumulated in f32. Promise: for a given number of rows the same bits for any
/// thread count and memory limit on one machine; not across ISAs or oneDNN versions. No thread is started by oneDNN.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_linear {
    pub struct_size: usize,
    /// \[classes, dim\], or data NULL when packed is given; needed for grad\_hidden unless packed
    pub weights: vmx_matrix,
    /// NULL: weights are packed tile by tile in each call
    pub packed: *const vmx_packed_weights,
    /// \[classes\] f32; data NULL: none
    pub bias: vmx_vector,
    /// bytes of scratch a call may use; 0 (neutral): 128 MiB. VMX\_ERR\_VALUE if that is too little for one row block
    /// (the message tells how much is needed)
    pub memory_limit: usize,
}

impl vmx_linear {
    /// The defaults, as the macro VMX_LINEAR_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        weights: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        packed: core::ptr::null(),
        bias: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        memory_limit: 0,
    };
}

impl Default for vmx_linear {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_linear_grads {
    pub struct_size: usize,
    pub flags: u32,
    /// must be 0
    pub reserved: u32,
    /// \[rows, dim\], f32 or hidden's dtype; data NULL: not wanted; always overwritten
    pub hidden: vmx_matrix,
    /// \[classes, dim\] f32; data NULL: not wanted
    pub weights: vmx_matrix,
    /// \[classes\] f32; data NULL: not wanted
    pub bias: vmx_vector,
}

impl vmx_linear_grads {
    /// The defaults, as the macro VMX_LINEAR_GRADS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        flags: 0,
        reserved: 0,
        hidden: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        weights: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        bias: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
    };
}

impl Default for vmx_linear_grads {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_sampler_options {
    pub struct_size: usize,
    /// VMX\_SAMPLER\_\*
    pub kind: i32,
    /// MIDX: K of each of its two codebooks, at most 1024; 0 (neutral): the largest power of two up to 256 that
    /// leaves four classes to each of the K^2 cells
    pub codewords: i32,
    /// V, 1 to VMX\_MAX\_COLS
    pub classes: i64,
    /// WEIGHTS: \[classes\] f32, f64, VMX\_I32 or VMX\_I64; finite, \>= 0, not all 0
    pub weights: vmx_vector,
    /// WEIGHTS: default 1; finite, \>= 0; a weight of 0 is never drawn, at any power
    pub power: f64,
    /// MIDX, QUADRATIC, EXACT: \[classes, dim\] f32 or bf16. MIDX and QUADRATIC copy what they need; EXACT keeps the
    /// view: it must stay until vmx\_sampler\_update or \_destroy
    pub embeddings: vmx_matrix,
    /// MIDX, QUADRATIC, EXACT: divides the scores; default 1; finite, \> 0. EXACT takes it as f32, within \[2^-126,
    /// FLT\_MAX\]
    pub temperature: f64,
    /// QUADRATIC: default 100; finite, \>= 0
    pub alpha: f64,
    /// IN\_BATCH: how fast the estimate follows, in (0, 1\]; default 0.01
    pub rate: f64,
    /// MIDX: of its k-means; neutral 0
    pub seed: u64,
}

impl vmx_sampler_options {
    /// The defaults, as the macro VMX_SAMPLER_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        kind: 0,
        codewords: 0,
        classes: 0,
        weights: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        power: 1.0,
        embeddings: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        temperature: 1.0,
        alpha: 100.0,
        rate: 0.01,
        seed: 0,
    };
}

impl Default for vmx_sampler_options {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_draw_options {
    pub struct_size: usize,
    pub flags: u32,
    /// must be 0
    pub reserved: u32,
    /// neutral 0
    pub seed: u64,
    /// neutral 0; a training step or any number in \[0, 2^56): another step gives independent draws
    pub step: i64,
}

impl vmx_draw_options {
    /// The defaults, as the macro VMX_DRAW_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        flags: 0,
        reserved: 0,
        seed: 0,
        step: 0,
    };
}

impl Default for vmx_draw_options {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_sampled_options {
    pub struct_size: usize,
    /// VMX\_LOSS\_\*
    pub loss: i32,
    /// VMX\_CORRECT\_\*, for SAMPLED\_SOFTMAX; neutral NONE
    pub correction: i32,
    /// VMX\_SCORE\_\*; neutral DOT
    pub score: i32,
    /// VMX\_SAMPLED\_\*; neutral 0
    pub flags: u32,
    /// VMX\_REDUCE\_\*; neutral NONE
    pub reduction: i32,
    /// must be 0
    pub reserved: i32,
    /// divides the scores; default 1; finite, \> 0. CCL takes none: 1
    pub temperature: f64,
    /// CCL: default 0.4, in \[-1, 1\]
    pub margin: f64,
    /// CCL: default 1, \>= 0
    pub negative_weight: f64,
    /// bytes of scratch a call may use; neutral 0: 128 MiB, or what it needs at the least. VMX\_ERR\_VALUE if a given
    /// one is too little (the message tells how much is needed)
    pub memory_limit: usize,
}

impl vmx_sampled_options {
    /// The defaults, as the macro VMX_SAMPLED_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        loss: 1,
        correction: 0,
        score: 0,
        flags: 0,
        reduction: 0,
        reserved: 0,
        temperature: 1.0,
        margin: 0.4,
        negative_weight: 1.0,
        memory_limit: 0,
    };
}

impl Default for vmx_sampled_options {
    fn default() -> Self {
        Self::INIT
    }
}

/// ```text
/// The negatives.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_candidates {
    pub struct_size: usize,
    /// \[1, m\]: shared by all rows; \[rows, m\]: a list for each. VMX\_I32 or VMX\_I64, base 0; -1: an empty slot. A
    /// repeated class counts as often as it stands there
    pub ids: vmx_matrix,
    /// as ids, f32: log q, or log expected counts where the loss wants those; data NULL if it wants none
    pub log_q: vmx_matrix,
    /// the same of each target, f32, in the order of the targets' ids
    pub target_log_q: vmx_vector,
    /// \[classes\]: rows of the table with equal numbers are one class when hits are looked for; data NULL: each row
    /// is its own
    pub identity: vmx_ids,
}

impl vmx_candidates {
    /// The defaults, as the macro VMX_CANDIDATES_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        ids: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        log_q: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        target_log_q: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        identity: vmx_ids { data: core::ptr::null(), n: 0, stride: 0, r#type: 0, base: 0 },
    };
}

impl Default for vmx_candidates {
    fn default() -> Self {
        Self::INIT
    }
}

/// ```text
/// Gradient of a table whose other rows have none.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_sparse_rows {
    pub struct_size: usize,
    /// \[rows.rows\], written: the classes, rising, each once
    pub ids: *mut i64,
    /// f32 \[capacity, dim\], written: their gradients
    pub rows: vmx_matrix,
    /// \[rows.rows\] or NULL
    pub bias: *mut f32,
    /// written: how many
    pub count: i64,
}

impl vmx_sparse_rows {
    /// The defaults, as the macro VMX_SPARSE_ROWS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        ids: core::ptr::null_mut(),
        rows: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        bias: core::ptr::null_mut(),
        count: 0,
    };
}

impl Default for vmx_sparse_rows {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_sampled_grads {
    pub struct_size: usize,
    /// \[rows, dim\], f32 or hidden's dtype; overwritten; data NULL: not wanted
    pub hidden: vmx_matrix,
    /// gradient of the table as a list of rows; NULL: not wanted. All distinct classes among targets and candidates
    /// are in it, hits and zeros too; VMX\_ERR\_SHAPE, before any write, if it has not room for them (the message
    /// tells how many; min(classes, all ids) is enough)
    pub sparse: *mut vmx_sparse_rows,
    /// \[classes, dim\] f32, added to; data NULL: not wanted
    pub table: vmx_matrix,
    /// \[classes\] f32, added to; data NULL: not wanted
    pub bias: vmx_vector,
}

impl vmx_sampled_grads {
    /// The defaults, as the macro VMX_SAMPLED_GRADS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        hidden: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        sparse: core::ptr::null_mut(),
        table: vmx_matrix { data: core::ptr::null_mut(), rows: 0, cols: 0, row_stride: 0, col_stride: 0, dtype: 0, reserved: 0 },
        bias: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
    };
}

impl Default for vmx_sampled_grads {
    fn default() -> Self {
        Self::INIT
    }
}

/// ```text
/// Where the answers go; every field may be empty.
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_sampled_out {
    pub struct_size: usize,
    /// \[rows\] f32
    pub loss: vmx_vector,
    /// sum or mean of the losses by the reduction (NONE: the sum)
    pub total: *mut f64,
    /// sum of the targets' weights: what MEAN divides by
    pub total_weight: *mut f64,
    /// \[rows\] VMX\_ROW\_\*
    pub row_flags: *mut u32,
    /// default 1: gradients are of total times this
    pub grad_scale: f64,
}

impl vmx_sampled_out {
    /// The defaults, as the macro VMX_SAMPLED_OUT_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        loss: vmx_vector { data: core::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 },
        total: core::ptr::null_mut(),
        total_weight: core::ptr::null_mut(),
        row_flags: core::ptr::null_mut(),
        grad_scale: 1.0,
    };
}

impl Default for vmx_sampled_out {
    fn default() -> Self {
        Self::INIT
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vmx_update_options {
    pub struct_size: usize,
    pub optimizer: i32,
    /// must be 0
    pub reserved: i32,
    /// ADAM: from 1; the same for all rows, however often each was touched
    pub step: i64,
    /// default 0.001; finite, \>= 0
    pub lr: f64,
    /// ADAM: defaults 0.9, 0.999; in \[0, 1)
    pub beta1: f64,
    /// ADAM: defaults 0.9, 0.999; in \[0, 1)
    pub beta2: f64,
    /// default 1e-8 (inside no root); finite, \>= 2^-126; not of SGD
    pub eps: f64,
    /// decoupled: first w -= lr\*weight\_decay\*w; neutral 0; finite, \>= 0
    pub weight_decay: f64,
}

impl vmx_update_options {
    /// The defaults, as the macro VMX_UPDATE_OPTIONS_INIT gives them.
    pub const INIT: Self = Self {
        struct_size: core::mem::size_of::<Self>(),
        optimizer: 1,
        reserved: 0,
        step: 1,
        lr: 0.001,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-08,
        weight_decay: 0.0,
    };
}

impl Default for vmx_update_options {
    fn default() -> Self {
        Self::INIT
    }
}

unsafe extern "C" {
    /// ```text
    /// Static text of a status, "unknown status" for other numbers. Never NULL.
    /// ```
    pub fn vmx_status_string(status: vmx_status) -> *const c_char;
    /// ```text
    /// Copies the calling thread's last error message, which names the argument and the values, into buf (at most size
    /// bytes, always ended by a NUL when size > 0) and returns its length without the NUL. "" if no call failed yet.
    /// The text is for people: it may change.
    /// ```
    pub fn vmx_last_error(buf: *mut c_char, size: usize) -> usize;
    /// ```text
    /// The library's VMX_VERSION, to compare with the header's.
    /// ```
    pub fn vmx_version() -> i32;
    /// ```text
    /// "0.1.0".
    /// ```
    pub fn vmx_version_string() -> *const c_char;
    /// ```text
    /// How many ISAs this build holds. Their numbers are given by vmx_isa_id(0 .. count-1), in rising order.
    /// ```
    pub fn vmx_isa_count() -> i32;
    /// ```text
    /// The VMX_ISA_* number of the i-th ISA of this build, 0 if i is out of range.
    /// ```
    pub fn vmx_isa_id(i: i32) -> i32;
    /// ```text
    /// "scalar", "avx2", "avx512"; "unknown" for other numbers. Never NULL.
    /// ```
    pub fn vmx_isa_name(isa: i32) -> *const c_char;
    /// ```text
    /// 1 if this CPU and its operating system can run that ISA and the build holds it, else 0.
    /// ```
    pub fn vmx_isa_usable(isa: i32) -> i32;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_context_options_init(options: *mut vmx_context_options, size: usize) -> vmx_status;
    /// ```text
    /// Makes a context. The environment variable VASTMAX_ISA=scalar|avx2|avx512 caps the ISA; it is read here and nowhere
    /// else, and empty counts as unset. VMX_ERR_UNSUPPORTED if options->isa or VASTMAX_ISA names an ISA that this CPU or build lacks; VMX_ERR_VALUE
    /// for an unknown name or number, threads outside 0..1024, or one of alloc and free without the other.
    /// ```
    pub fn vmx_context_create(options: *const vmx_context_options, out: *mut *mut vmx_context) -> vmx_status;
    /// ```text
    /// Ends the pool and frees the context. NULL is fine. No call may be running on it.
    /// ```
    pub fn vmx_context_destroy(ctx: *mut vmx_context);
    /// ```text
    /// The VMX_ISA_* number that calls on ctx use. For the NULL context that is the best one, whatever VASTMAX_ISA says.
    /// ```
    pub fn vmx_isa_active(ctx: *const vmx_context) -> i32;
    /// ```text
    /// Threads that calls on ctx may use, the caller included: at least 1.
    /// ```
    pub fn vmx_context_threads(ctx: *const vmx_context) -> i32;
    /// ```text
    /// Makes an empty workspace that allocates by ctx (NULL: malloc). ctx must outlive it.
    /// ```
    pub fn vmx_workspace_create(ctx: *const vmx_context, out: *mut *mut vmx_workspace) -> vmx_status;
    /// ```text
    /// Makes sure that a call which needs up to size bytes allocates nothing. VMX_ERR_VALUE while a call is using ws.
    /// ```
    pub fn vmx_workspace_reserve(ws: *mut vmx_workspace, size: usize) -> vmx_status;
    /// ```text
    /// Bytes held. 0 for NULL.
    /// ```
    pub fn vmx_workspace_capacity(ws: *const vmx_workspace) -> usize;
    /// ```text
    /// NULL is fine.
    /// ```
    pub fn vmx_workspace_destroy(ws: *mut vmx_workspace);
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_softmax_options_init(options: *mut vmx_softmax_options, size: usize) -> vmx_status;
    /// ```text
    /// lse[r] = log(sum_c exp(x[r][c] / T_r)).
    /// x          [rows, cols], any strides, f32, bf16, f16, f64. Read once.
    /// lse        [rows] f32 (f64 when x is f64). Must not overlap x.
    /// row_flags  [rows] or NULL: VMX_ROW_* of each row.
    /// Edge       any NaN: NaN; else any +inf: +inf; else cols == 0 or all -inf: -inf. T < 2^-126: max/T as a limit:
    ///            +inf, -inf, or 0 by the sign of the maximum. T = +inf: log(number of allowed classes).
    /// Error      |error| <= u*max(1, |lse|) + 16u, u = 2^-24 (2^-53 for f64).
    /// Cost       one read of x, O(rows*cols). No allocation with a warm workspace.
    /// Status     VMX_ERR_NULL, _SHAPE, _DTYPE, _VALUE, _OVERLAP, _SIZE, _STRUCT, _MEMORY, _CALLBACK.
    /// Source     Milakov & Gimelshein 2018 (arXiv 1805.02867), Dukhan & Ablavatski 2020 (arXiv 2001.04438), Demmel &
    ///            Nguyen 2013 for the order-free sum. Since 0.1.
    /// ```
    pub fn vmx_logsumexp(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, lse: *const vmx_vector, row_flags: *mut u32, options: *const vmx_softmax_options) -> vmx_status;
    /// ```text
    /// y[r][c] = exp(x[r][c]/T_r - lse_r), the softmax of each row.
    /// x          as above. y [rows, cols] of any of the four dtypes; may be exactly x (in place), if of its dtype.
    /// lse        NULL, or [rows] as in vmx_logsumexp: also returned.
    /// Edge       NaN or +inf in the row: all NaN. EMPTY: all NaN, or 0 with VMX_ZERO_MASKED. -inf entries: exactly 0.
    /// Error      relative (8 + |x - max|/T) u where y >= 2^-126; 8u with VMX_PRECISE; then rounded once to y's dtype.
    /// Cost       one read of x and one write of y, and one row of f32 scratch for each thread; two reads for rows of more than
    ///            2^20 columns, for f64, with VMX_PRECISE, and for rows with NaN or extreme scores.
    ///            Source as vmx_logsumexp. Since 0.1.
    /// ```
    pub fn vmx_softmax(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, y: *const vmx_matrix, lse: *const vmx_vector, row_flags: *mut u32, options: *const vmx_softmax_options) -> vmx_status;
    /// ```text
    /// y[r][c] = x[r][c]/T_r - lse_r, the logarithm of the softmax.
    /// As vmx_softmax, but: -inf entries give -inf; EMPTY gives NaN, or -inf with VMX_ZERO_MASKED.
    /// Error      absolute 2u*max(1, |max|, |y|, |lse|) + 16u; relative 8u with VMX_PRECISE. Since 0.1.
    /// ```
    pub fn vmx_log_softmax(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, y: *const vmx_matrix, lse: *const vmx_vector, row_flags: *mut u32, options: *const vmx_softmax_options) -> vmx_status;
    /// ```text
    /// grad_x[r][c] = grad_lse[r] * softmax(x[r]/T)[c] / T.
    /// lse        NULL (computed again), or what vmx_logsumexp gave for the same x and options.
    /// grad_lse   [rows] f32 or f64; stride 0 broadcasts. grad_x may be exactly x. Rows with NaN or +inf: NaN; EMPTY: 0.
    /// Cost       one read and one write, one more read without lse. Since 0.1.
    /// ```
    pub fn vmx_logsumexp_backward(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, lse: *const vmx_vector, grad_lse: *const vmx_vector, grad_x: *const vmx_matrix, options: *const vmx_softmax_options) -> vmx_status;
    /// ```text
    /// grad_x = y * (grad_y - sum_c y*grad_y) / T, y being what vmx_softmax gave. Where y is 0 grad_x is 0, whatever
    /// grad_y holds there. grad_x may be exactly y or grad_y. y and grad_y share a dtype. The options' temperature is that of the forward
    /// call. Source: MATH of the softmax Jacobian diag(p) - p p^T. Since 0.1.
    /// ```
    pub fn vmx_softmax_backward(ctx: *const vmx_context, ws: *mut vmx_workspace, y: *const vmx_matrix, grad_y: *const vmx_matrix, grad_x: *const vmx_matrix, options: *const vmx_softmax_options) -> vmx_status;
    /// ```text
    /// grad_x = (grad_y - exp(y) * sum_c grad_y) / T, y being what vmx_log_softmax gave. Masked entries (y = -inf) have
    /// gradient 0 and do not enter the sum. grad_x may be exactly y or grad_y. y and grad_y share a dtype. Since 0.1.
    /// ```
    pub fn vmx_log_softmax_backward(ctx: *const vmx_context, ws: *mut vmx_workspace, y: *const vmx_matrix, grad_y: *const vmx_matrix, grad_x: *const vmx_matrix, options: *const vmx_softmax_options) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_lse_options_init(options: *mut vmx_lse_options, size: usize) -> vmx_status;
    /// ```text
    /// Folds a slice of columns into states[0 .. rows).
    /// x           [rows, cols] of the slice. col_offset: its first column in the whole row. When slices are cut at
    ///             multiples of VMX_BLOCK the merged states hold the same bytes as one fold of the whole row; other cuts
    ///             stay within the error bounds.
    /// states      [rows], read and written: start from all-zero bytes. Must not overlap x.
    /// Edge        NaN, +inf and -inf are noted in the state's flags; the fold never fails on them.
    /// Status      VMX_ERR_SHAPE for col_offset < 0, VMX_ERR_SIZE if a state would count more than VMX_MAX_COLS classes,
    ///             VMX_ERR_VALUE for a state of an unknown version or that no fold made, or of other HAS_* flags than asked for.
    /// Cost        one read of x (with VMX_FOLD_SUMS or VMX_FOLD_ENTROPY about twice the arithmetic). Since 0.1.
    /// ```
    pub fn vmx_lse_fold(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, col_offset: i64, states: *mut vmx_lse_state, options: *const vmx_lse_options) -> vmx_status;
    /// ```text
    /// into[i] = merge(into[i], from[i]) for i in [0, n). Exactly associative and commutative. into: apart from from, or equal to it
    /// (then every state is doubled). VMX_ERR_VALUE for an unknown version, a state that no fold made, or HAS_* flags that differ
    /// between two non-empty states; VMX_ERR_SIZE for more than VMX_MAX_COLS classes. Nothing is written then. Since 0.1.
    /// ```
    pub fn vmx_lse_merge(into: *mut vmx_lse_state, from: *const vmx_lse_state, n: i64) -> vmx_status;
    /// ```text
    /// lse[i], entropy[i] (in nats, of softmax(z/T)) and row_flags[i], each where not NULL, of states[0 .. n).
    /// options     the temperature of the fold (needed for VMX_STATE_HUGE states); the rest is not looked at.
    /// lse         [n] f32 or f64. entropy [n] f32 or f64, needs VMX_STATE_HAS_ENTROPY in each non-empty state, else
    ///             VMX_ERR_VALUE. Edge as vmx_logsumexp; entropy of an EMPTY, NAN or INF row: NaN. Since 0.1.
    /// ```
    pub fn vmx_lse_finish(states: *const vmx_lse_state, n: i64, options: *const vmx_lse_options, lse: *const vmx_vector, entropy: *const vmx_vector, row_flags: *mut u32) -> vmx_status;
    /// ```text
    /// The 16-byte form of each state: {max/T, sum}. NaN, +inf and empty rows give {NaN, NaN}, {+inf, 1}, {-inf, 0}.
    /// ```
    pub fn vmx_lse_shorten(states: *const vmx_lse_state, n: i64, options: *const vmx_lse_options, out: *mut vmx_lse_short) -> vmx_status;
    /// ```text
    /// into[i] = merge(into[i], from[i]): commutative, associative up to rounding in f64.
    /// ```
    pub fn vmx_lse_short_merge(into: *mut vmx_lse_short, from: *const vmx_lse_short, n: i64) -> vmx_status;
    /// ```text
    /// lse[i] = max + log(sum). lse f32 or f64.
    /// ```
    pub fn vmx_lse_short_finish(states: *const vmx_lse_short, n: i64, lse: *const vmx_vector) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_cross_entropy_options_init(options: *mut vmx_cross_entropy_options, size: usize) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_cross_entropy_out_init(out: *mut vmx_cross_entropy_out, size: usize) -> vmx_status;
    /// ```text
    /// Softmax cross-entropy of given scores, forward, and backward if out->grad is wanted.
    /// With p = softmax(u/T), u the (capped) scores, targets t with weights w_t (of the list) and class weights v:
    ///     loss_r   = (1-eps) sum_t w_t v_t (lse - u_t/T) + W (eps/V) sum_c v_c (lse - u_c/T),    W = sum_t w_t
    ///     z_loss_r = zeta lse^2 (rows not ignored)
    ///     weight_r = sum_t w_t v_t
    /// For one label a row this is PyTorch's cross_entropy with class weights and label smoothing.
    /// x          [rows, cols]; grad [rows, cols] of any of the four dtypes, may be exactly x.
    /// targets    one class id a row, or a CSR list with weights; a target may repeat. An ignored or empty row has loss 0,
    ///            gradient 0 and weight 0.
    /// Edge       a masked label: loss +inf, gradient p elsewhere and -weight at the label. EMPTY: loss +inf, gradient 0.
    ///            NaN or +inf in the row: loss NaN, gradient NaN. Mean over no weight: NaN. A masked class under
    ///            label_smoothing with v_c > 0: loss +inf (unless VMX_SMOOTH_UNMASKED); its gradient is 0.
    /// Error      loss relative 16u + d_y u/loss (small losses keep their digits: the row is folded without its label);
    ///            gradient entries as vmx_softmax.
    /// Status     also VMX_ERR_LABEL, checked over all rows before any write.
    /// Cost       forward one read of x; with grad also one write and a row of scratch, as vmx_softmax; with label smoothing or a
    ///            soft-cap one more read. Since 0.1.
    /// Source     Szegedy et al. 2016 (label smoothing), Chowdhery et al. 2022 (z-loss).
    /// ```
    pub fn vmx_cross_entropy(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, targets: *const vmx_csr, out: *const vmx_cross_entropy_out, options: *const vmx_cross_entropy_options) -> vmx_status;
    /// ```text
    /// The backward pass alone: grad[r][c] = grad_loss[r] * d(loss_r + z_loss_r)/dx[r][c].
    /// lse        what the forward call gave, or NULL: computed again. grad_loss [rows] f32 or f64 (stride 0 broadcasts):
    ///            a mean is the caller's division by total_weight. Ignored rows: 0, whatever grad_loss holds. Since 0.1.
    /// ```
    pub fn vmx_cross_entropy_backward(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, targets: *const vmx_csr, lse: *const vmx_vector, grad_loss: *const vmx_vector, grad: *const vmx_matrix, options: *const vmx_cross_entropy_options) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_topk_options_init(options: *mut vmx_topk_options, size: usize) -> vmx_status;
    /// ```text
    /// The k best entries of each row: exactly k, ties by the lower id.
    /// Order      larger first (smaller first with VMX_TOPK_SMALLEST); equal values by rising id; -0 equals +0; NaN ranks
    ///            after everything else, by rising id.
    /// x          [rows, cols]. k in [1, cols].
    /// values     [rows, k] of x's dtype, bits as in x; data NULL: not wanted.
    /// ids        [rows, k] VMX_I32 or VMX_I64, base 0, col_offset added; data NULL: not wanted. Not both NULL.
    /// row_flags  [rows] or NULL: NAN, INF; EMPTY if nothing but -inf, NaN or excluded entries; UNDERFULL if fewer than k
    ///            entries are left after exclusion: the rest has id -1 and value -inf (+inf with VMX_TOPK_SMALLEST).
    /// Status     VMX_ERR_VALUE for k < 1, VMX_ERR_SHAPE for k > cols, VMX_ERR_SIZE for VMX_I32 ids that could overflow,
    ///            VMX_ERR_LABEL for an excluded id below its base.
    /// Cost       one read of x and little more for small k; O(rows*cols) at worst for any k. Since 0.1.
    /// Source     streaming threshold with compression of survivors; radix select on order-preserving keys.
    /// ```
    pub fn vmx_topk(ctx: *const vmx_context, ws: *mut vmx_workspace, x: *const vmx_matrix, k: i64, values: *const vmx_matrix, ids: *const vmx_matrix, row_flags: *mut u32, options: *const vmx_topk_options) -> vmx_status;
    /// ```text
    /// Merges k-lists: the k best of the m entries of each row, by the order of vmx_topk with the given ids for ties. Entries
    /// with id -1 are empty slots. So a row split over shards is vmx_topk of each (with col_offset), the lists side by side,
    /// and one merge. The result does not depend on the order of the entries; no id may stand twice in a row.
    /// values_in  [rows, m] any dtype; ids_in [rows, m] VMX_I32 or VMX_I64; k in [1, m]; values, ids as in vmx_topk.
    /// options    flags only. Since 0.1.
    /// ```
    pub fn vmx_topk_merge(ctx: *const vmx_context, ws: *mut vmx_workspace, values_in: *const vmx_matrix, ids_in: *const vmx_matrix, k: i64, values: *const vmx_matrix, ids: *const vmx_matrix, row_flags: *mut u32, options: *const vmx_topk_options) -> vmx_status;
    /// ```text
    /// Packs weights [classes, dim] (f32 or bf16). VMX_ERR_UNSUPPORTED in a build without oneDNN. Since 0.1.
    /// ```
    pub fn vmx_pack_weights(ctx: *const vmx_context, weights: *const vmx_matrix, out: *mut *mut vmx_packed_weights) -> vmx_status;
    /// ```text
    /// Bytes held, 0 for NULL.
    /// ```
    pub fn vmx_packed_weights_size(packed: *const vmx_packed_weights) -> usize;
    /// ```text
    /// NULL is fine.
    /// ```
    pub fn vmx_packed_weights_destroy(packed: *mut vmx_packed_weights);
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_linear_init(linear: *mut vmx_linear, size: usize) -> vmx_status;
    /// ```text
    /// As vmx_logsumexp, of the linear scores. hidden [rows, dim]. lse f32. Cost: one matrix product. Since 0.1.
    /// ```
    pub fn vmx_linear_logsumexp(ctx: *const vmx_context, ws: *mut vmx_workspace, hidden: *const vmx_matrix, linear: *const vmx_linear, lse: *const vmx_vector, row_flags: *mut u32, options: *const vmx_softmax_options) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_linear_grads_init(grads: *mut vmx_linear_grads, size: usize) -> vmx_status;
    /// ```text
    /// As vmx_cross_entropy, of the linear scores; out->grad must be empty. grads NULL: forward only. Gradients are of
    /// out->total times out->grad_scale. Cost: forward one matrix product, with gradients three. Since 0.1.
    /// Source: chunked fused linear cross-entropy; cf. Wijmans et al. 2024 (arXiv 2411.09009) for the idea on GPUs.
    /// ```
    pub fn vmx_linear_cross_entropy(ctx: *const vmx_context, ws: *mut vmx_workspace, hidden: *const vmx_matrix, linear: *const vmx_linear, targets: *const vmx_csr, out: *const vmx_cross_entropy_out, grads: *const vmx_linear_grads, options: *const vmx_cross_entropy_options) -> vmx_status;
    /// ```text
    /// As vmx_topk, of the linear scores: maximum inner product search without an index, exact. values f32. Since 0.1.
    /// ```
    pub fn vmx_linear_topk(ctx: *const vmx_context, ws: *mut vmx_workspace, hidden: *const vmx_matrix, linear: *const vmx_linear, k: i64, values: *const vmx_matrix, ids: *const vmx_matrix, row_flags: *mut u32, options: *const vmx_topk_options) -> vmx_status;
    /// ```text
    /// "2.6.3", or "" in a build without oneDNN.
    /// ```
    pub fn vmx_onednn_version() -> *const c_char;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_sampler_options_init(options: *mut vmx_sampler_options, size: usize) -> vmx_status;
    /// ```text
    /// Builds a sampler. Immutable but for _update and _observe, which must not run beside another call on it. Fields of
    /// other kinds must be neutral. ctx may be destroyed before the sampler.
    /// WEIGHTS    probabilities of the V cells of its table are multiples of 2^-32/V: a class of less than half of that is met without
    ///            replacement alone. log q is kept in f32.
    /// MIDX       halves of the embeddings (dim/2 columns first) are quantised by k-means on a sample that the seed chooses; a class
    ///            has the score of its two codewords, and q is the softmax of that.
    /// Data       never fail a call: embeddings that hold NaN or infinities show in the flags of the rows drawn.
    /// Bits       the same on every ISA and for every thread count, EXACT too.
    /// Cost       WEIGHTS O(V), 12 bytes a class; MIDX k-means on a sample, then O(V K d), 8 bytes a class and 8 K^2;
    ///            QUADRATIC O(V d^2), a copy of the embeddings in f32 and 2 V d^2 / leaf floats, leaf = 8 d classes; IN_BATCH 16 bytes
    ///            a class; others O(1).
    /// Source     Walker 1977, Vose 1991 (alias); Yi et al. 2019 (in-batch); Chen et al., arXiv 2109.05773 (MIDX); Blanc &
    ///            Rendle 2018 (quadratic kernel); Kool et al. 2019 (Gumbel top-k). VMX_ERR_VALUE for a negative or non-finite
    ///            weight. Since 0.1.
    /// ```
    pub fn vmx_sampler_create(ctx: *const vmx_context, options: *const vmx_sampler_options, out: *mut *mut vmx_sampler) -> vmx_status;
    /// ```text
    /// Takes new embeddings (same shape): MIDX quantises again from the codebooks at hand, QUADRATIC sums its tree again, EXACT
    /// keeps the new view. With ids (QUADRATIC only; NULL: all) only these classes have changed: O(d^2) each, O(d^2 log V) for each
    /// leaf of the tree; the result is that of a new sampler up to rounding. VMX_ERR_UNSUPPORTED for kinds without embeddings.
    /// Since 0.1.
    /// ```
    pub fn vmx_sampler_update(ctx: *const vmx_context, sampler: *mut vmx_sampler, embeddings: *const vmx_matrix, ids: *const vmx_ids) -> vmx_status;
    /// ```text
    /// IN_BATCH: class ids seen in the batch of that step, in [0, 2^56). Steps do not fall (VMX_ERR_VALUE); a batch may come in parts; a
    /// repeat within a step counts once. The mean gap B between the steps that hold a class follows B <- (1-a) B + a (step - last), a
    /// the rate, and q = 1/B estimates its probability to be in a batch: what in-batch softmax takes off the scores. A class seen in
    /// one step alone has B = that step + 1, one never seen B = the highest step + 2 (1 before anything was seen). Since 0.1.
    /// ```
    pub fn vmx_sampler_observe(sampler: *mut vmx_sampler, ids: *const vmx_ids, step: i64) -> vmx_status;
    /// ```text
    /// Bytes held, 0 for NULL.
    /// ```
    pub fn vmx_sampler_size(sampler: *const vmx_sampler) -> usize;
    /// ```text
    /// NULL is fine.
    /// ```
    pub fn vmx_sampler_destroy(sampler: *mut vmx_sampler);
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_draw_options_init(options: *mut vmx_draw_options, size: usize) -> vmx_status;
    /// ```text
    /// Draws m classes for all rows together, or for each row.
    /// hidden     [rows, dim] f32 or bf16 for MIDX, QUADRATIC and EXACT: one list for each row. NULL for the others.
    /// ids        [1, m] or [rows, m], VMX_I32 or VMX_I64, base 0. Order: as drawn.
    /// log_q      as ids, f32; data NULL or view NULL: not wanted. Exact log q of each (of the first draw, if UNIQUE), or
    ///            log expected counts with VMX_DRAW_COUNTS.
    /// tries      [rows of ids] or NULL: draws made, repeats included (m with replacement; the classes found for EXACT; 0 for a row
    ///            whose flags forbid to draw).
    /// row_flags  [rows of ids] or NULL: NAN, INF of hidden's scores (ids are then -1, log_q NaN); EMPTY if no class has a score
    ///            above -inf (ids -1, log_q -inf); UNDERFULL if UNIQUE and fewer than m classes have q > 0: the rest has id -1 and
    ///            log_q -inf.
    /// UNIQUE     a larger m gives the same classes and more. After V draws (rounded up to a multiple of 64) the classes still
    ///            missing are found by a race, which has the same law: the largest log q - log E, E exponential, among the others.
    ///            tries then goes on by what repeats would have cost, drawn from its own law (geometric, by the mass of the classes
    ///            drawn), up to 2^62.
    /// Status     VMX_ERR_VALUE for UNIQUE with m > classes, VMX_ERR_SIZE for more than 2^32 rows; VMX_ERR_UNSUPPORTED for IN_BATCH,
    ///            and for COUNTS of EXACT without replacement.
    /// Cost       O(1) a draw for UNIFORM, LOG_UNIFORM, WEIGHTS; MIDX O(K d + K^2) a row, then O(log K) a draw; QUADRATIC
    ///            O(d^2 log(V/d)) a row and draw, less where many draws share nodes; EXACT one pass over the scores, two with
    ///            replacement. Since 0.1.
    /// ```
    pub fn vmx_sampler_draw(ctx: *const vmx_context, ws: *mut vmx_workspace, sampler: *const vmx_sampler, hidden: *const vmx_matrix, ids: *const vmx_matrix, log_q: *const vmx_matrix, tries: *mut i64, row_flags: *mut u32, options: *const vmx_draw_options) -> vmx_status;
    /// ```text
    /// log q of given classes, as for the labels of a batch.
    /// hidden     as in vmx_sampler_draw: row r of it belongs to list r of classes.
    /// classes    a list per row (weights are not looked at). VMX_ERR_LABEL for an id outside the classes.
    /// draws      0: log q; tries are not looked at. m > 0: log expected counts: with tries NULL log(m q), with replacement; else
    ///            log(-expm1(tries_r log1p(-q))), TensorFlow's for draws without replacement.
    /// tries      [rows] (stride 0: one for all) as vmx_sampler_draw gave, or NULL. EXACT without replacement has no such
    ///            formula: VMX_ERR_UNSUPPORTED.
    /// log_q      [number of ids] f32 or f64; -inf for a class that is never drawn, NaN in rows with NAN or INF.
    /// Cost       QUADRATIC O(d) a class and O(d^2) a row, EXACT a pass over all scores. Since 0.1.
    /// ```
    pub fn vmx_sampler_log_q(ctx: *const vmx_context, ws: *mut vmx_workspace, sampler: *const vmx_sampler, hidden: *const vmx_matrix, classes: *const vmx_csr, draws: i64, tries: *const i64, tries_stride: i64, log_q: *const vmx_vector) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_sampled_options_init(options: *mut vmx_sampled_options, size: usize) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_candidates_init(candidates: *mut vmx_candidates, size: usize) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_sparse_rows_init(rows: *mut vmx_sparse_rows, size: usize) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_sampled_grads_init(grads: *mut vmx_sampled_grads, size: usize) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_sampled_out_init(out: *mut vmx_sampled_out, size: usize) -> vmx_status;
    /// ```text
    /// A loss over each row's targets t (weights w_t) and its negatives j, forward, and backward if grads is given.
    /// With z = (hidden . table + bias)/T, or (cosine + bias)/T, the negatives j = 1..m of the row without its hits:
    ///     SAMPLED_SOFTMAX  o = corrected z;  sum_t w_t (log(e^o_t + sum_j e^o_j) - o_t), or with JOINT
    ///                      sum_t w_t (log(sum_s e^o_s + sum_j e^o_j) - o_t), s over the targets' classes
    ///     NCE              D = z - log(expected count);  sum_t w_t (softplus(-D_t) + sum_j softplus(D_j))
    ///     NEG              the same with D = z
    ///     BPR              sum_t w_t (1/m') sum_j softplus(z_j - z_t), m' the negatives left
    ///     CCL              sum_t w_t (1 - z_t + (negative_weight/m') sum_j max(0, z_j - margin))
    /// hidden     [rows, dim], table [classes, dim]: f32, or bf16 both; products and sums in f32, row totals in f64.
    /// bias       [classes] f32, or NULL.
    /// targets    as in vmx_cross_entropy (no ignore_index): a row without targets has loss 0 and gradient 0.
    /// Edge       a row of hidden or table that is 0 has cosine 0 and no gradient. NaN or +inf in a row's scores: loss and
    ///            gradients NaN, flags NAN, INF. A score of -inf is a mask: of a negative it is none (though it counts in m'), of a target
    ///            loss +inf. No negatives left (flag EMPTY): the softmax has loss 0 (its JOINT form that of the targets), NCE
    ///            and NEG their target's part, BPR 0, CCL its target's part.
    /// Error      losses and gradients by scores: relative 16u of the sum of absolute terms, u = 2^-24, among which are those of the
    ///            scores themselves. Sums for the table's gradient of per-row candidates go to f64 every 64 terms.
    /// Bits       per-row candidates: the same on every ISA and for every thread count and memory limit. Shared ones: products by
    ///            oneDNN, as vmx_linear promises. The table's gradient sums over rows in rising order. One row is always "per row".
    /// Status     VMX_ERR_LABEL for an id outside the table, VMX_ERR_VALUE for a missing log_q, or one that is NaN, +inf or -inf (of
    ///            an empty slot it is not looked at). VMX_ERR_UNSUPPORTED for shared candidates in a build without oneDNN.
    /// Cost       shared: O(rows m dim), three products; the candidates' rows are gathered once. Per row: one read of each
    ///            candidate's row from memory, and a sort of the ids for the table's gradient, for which 24 bytes of scratch are
    ///            needed for each id. Cosines read each class's row once more. Nothing depends on classes.
    /// Source     Bengio & Senecal 2008, Jean et al. 2015 (IS), Ma & Collins 2018 (RANKING), Yi et al. 2019; Gutmann & Hyvarinen
    ///            2010; Mikolov et al. 2013; Rendle et al. 2009; Mao et al. 2021. Since 0.1.
    /// ```
    pub fn vmx_sampled_loss(ctx: *const vmx_context, ws: *mut vmx_workspace, hidden: *const vmx_matrix, table: *const vmx_matrix, bias: *const vmx_vector, targets: *const vmx_csr, candidates: *const vmx_candidates, out: *const vmx_sampled_out, grads: *const vmx_sampled_grads, options: *const vmx_sampled_options) -> vmx_status;
    /// ```text
    /// In-batch softmax (InfoNCE): row i of queries belongs to row i of keys, and the other keys are its negatives.
    /// queries, keys [rows, dim] f32, or bf16 both.
    /// identity   [rows] which class each key is: other keys of row i's own class are left out; NULL: all differ.
    /// log_q      [rows] f32 log probability of each key to be in a batch (vmx_sampler_log_q of IN_BATCH), taken off all scores,
    ///            the row's own included; NULL: none.
    /// grad_queries, grad_keys  [rows, dim] f32 or the inputs' dtype, overwritten; NULL or data NULL: not wanted.
    /// options    score, temperature, reduction, memory_limit; loss, correction and the VMX_SAMPLED_* flags are not looked at.
    /// Edge, Error, Bits  as vmx_sampled_loss with shared candidates; every row has weight 1. VMX_ERR_UNSUPPORTED in a build without
    ///            oneDNN. Cost: three products.
    /// Source     van den Oord et al. 2018; Yi et al. 2019. Since 0.1.
    /// ```
    pub fn vmx_in_batch_softmax(ctx: *const vmx_context, ws: *mut vmx_workspace, queries: *const vmx_matrix, keys: *const vmx_matrix, identity: *const vmx_ids, log_q: *const vmx_vector, out: *const vmx_sampled_out, grad_queries: *const vmx_matrix, grad_keys: *const vmx_matrix, options: *const vmx_sampled_options) -> vmx_status;
    /// ```text
    /// Fills *options with the defaults; size is the caller's sizeof. For languages without the macro.
    /// ```
    pub fn vmx_update_options_init(options: *mut vmx_update_options, size: usize) -> vmx_status;
    /// ```text
    /// One step of an optimizer on the rows of table that grad names; other rows and their moments stay as they are.
    /// grad       the first grad->count rows of grad->rows (any strides) and of grad->ids, which must rise. Its bias is not looked
    ///            at: a bias is a table [classes, 1] of its own.
    /// table      [classes, dim] f32 or bf16 (rounded to nearest even), updated in place.
    /// mean       ADAM: m [classes, dim] f32; else NULL. square: ADAGRAD, ADAM: v [classes, dim] f32; else NULL. Both begin as 0.
    /// Edge       NaN and infinities go by IEEE arithmetic into the elements they belong to, and into no others. An empty list:
    ///            nothing is done.
    /// Error      u = 2^-24. m and v: 3 u of the sum of their terms' magnitudes. The step: 6 u of that by the m and v stored; w: 2 u
    ///            of its old and u of its new value besides (bf16: rounded once more). Results below 2^-126 are +0.
    /// Bits       the same on every ISA and for every thread count.
    /// Cost       O(count*dim): one read and write of the rows named, fetched ahead. No allocation.
    /// Status     VMX_ERR_LABEL for an id outside the table, VMX_ERR_VALUE for ids that do not rise, or a moment that the optimizer
    ///            has not; else as usual.
    /// Source     Duchi et al. 2011; Kingma & Ba 2015; Loshchilov & Hutter 2019 for the decay. Since 0.1.
    /// ```
    pub fn vmx_sparse_update(ctx: *const vmx_context, grad: *const vmx_sparse_rows, table: *const vmx_matrix, mean: *const vmx_matrix, square: *const vmx_matrix, options: *const vmx_update_options) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_softmax_workspace_size(ctx: *const vmx_context, x: *const vmx_matrix, y: *const vmx_matrix, options: *const vmx_softmax_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_lse_fold_workspace_size(ctx: *const vmx_context, x: *const vmx_matrix, options: *const vmx_lse_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_cross_entropy_workspace_size(ctx: *const vmx_context, x: *const vmx_matrix, grad: *const vmx_matrix, options: *const vmx_cross_entropy_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_topk_workspace_size(ctx: *const vmx_context, x: *const vmx_matrix, k: i64, options: *const vmx_topk_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_linear_logsumexp_workspace_size(ctx: *const vmx_context, hidden: *const vmx_matrix, linear: *const vmx_linear, options: *const vmx_softmax_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_linear_cross_entropy_workspace_size(ctx: *const vmx_context, hidden: *const vmx_matrix, linear: *const vmx_linear, grads: *const vmx_linear_grads, options: *const vmx_cross_entropy_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_linear_topk_workspace_size(ctx: *const vmx_context, hidden: *const vmx_matrix, linear: *const vmx_linear, k: i64, options: *const vmx_topk_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// Bytes that a call with these sizes may take from its workspace; reserve them and it allocates nothing. The views' data
    /// pointers are not read and may be NULL. Each returns the status that the call would give for such sizes.
    /// Cross-entropies are taken to have one label a row: a CSR list may take 24 bytes more for each entry, and 64.
    /// ```
    pub fn vmx_sampler_draw_workspace_size(ctx: *const vmx_context, sampler: *const vmx_sampler, hidden: *const vmx_matrix, ids: *const vmx_matrix, options: *const vmx_draw_options, size: *mut usize) -> vmx_status;
    /// ```text
    /// targets: the number of targets of all rows together, however they are spread over the rows.
    /// ```
    pub fn vmx_sampled_loss_workspace_size(ctx: *const vmx_context, hidden: *const vmx_matrix, table: *const vmx_matrix, targets: i64, candidates: *const vmx_candidates, grads: *const vmx_sampled_grads, options: *const vmx_sampled_options, size: *mut usize) -> vmx_status;
}
