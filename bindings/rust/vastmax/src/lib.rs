// SPDX-License-Identifier: Apache-2.0
//! **vastmax**: the softmax family over very many classes (a vocabulary, a catalogue of items) on CPUs.
//! Log-sum-exp, softmax, cross-entropy and top-k of given scores or straight from `hidden . weights` without
//! ever storing the score matrix; samplers, sampled losses and sparse updates; partial states that may be
//! folded by shards and merged anywhere. SIMD kernels in C++ behind a C ABI, to which this crate is the safe
//! layer: it checks, converts and copies nothing by itself.
//!
//! ```
//! use vastmax::{Call, Context, CrossEntropyOptions, CrossEntropyOut, MatrixRef, Reduction, SoftmaxOptions};
//!
//! // Views of slices: no copies, any strides, f32, f64, and f16 and bf16 with the feature "half".
//! let scores = vec![0.25f32; 2 * 1000];
//! let x = MatrixRef::new(&scores, 2, 1000)?;
//!
//! // On the calling thread:
//! let mut lse = [0.0f32; 2];
//! Call::new().logsumexp(x, &mut lse, &SoftmaxOptions::new().temperature(0.5))?;
//!
//! // On four threads, with loss and gradient:
//! let ctx = Context::with_threads(4)?;
//! let mut grad = vec![[0.0f32; 1000]; 2];
//! let totals = ctx.call().cross_entropy(
//!     x,
//!     &[17i64, 3],
//!     CrossEntropyOut::new().grad(&mut grad[..]),
//!     &CrossEntropyOptions::new().reduction(Reduction::Mean),
//! )?;
//! assert!((totals.total - 1000f64.ln()).abs() < 1e-6);
//! # Ok::<(), vastmax::Error>(())
//! ```
//!
//! - [`Call`] has every operation as a method, and holds what they have in common: a [`Context`] (ISA and
//!   threads), a [`Workspace`] (warm scratch), [`RowFlags`]. [`Context::call`] begins one.
//! - [`MatrixRef`], [`MatrixMut`], [`VectorRef`], [`VectorMut`], [`IdsRef`] and [`Lists`] are views.
//!   Functions take what turns into one: slices, arrays, with the feature `ndarray` its arrays and views.
//! - Options are structs with setters; `new()` gives the defaults.
//! - [`Error`] speaks of arguments. Data never make a call fail: see [`RowFlags`].
//!
//! # Features
//! `half`: `f16` and `bf16` elements. `ndarray`: views from ndarray's. `rayon`: contexts on its threads
//! (`ContextOptions::rayon`). `onednn` (default): in a build of the C library from its sources, oneDNN makes
//! the matrix products; see the crate `vastmax-sys`, which finds or builds the library.
//!
//! # Threads
//! Every type is `Send + Sync`. A [`Context`], [`PackedWeights`] and (for drawing) a [`Sampler`] serve any
//! number of threads at the same time; a [`Workspace`] serves one call at a time, which the borrow checker
//! sees to.
//!
//! Allocator hooks are left to `vastmax-sys`. The oldest Rust that this crate supports is 1.85.
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

mod call;
mod context;
mod cross_entropy;
mod element;
mod error;
#[cfg(feature = "rayon")]
mod helpers;
mod linear;
#[cfg(feature = "ndarray")]
mod ndarray;
mod sampled;
mod sampler;
mod softmax;
mod states;
mod topk;
mod update;
mod views;

pub use call::{Call, RowFlags};
pub use context::{Context, ContextOptions, Isa, Tasks, Workspace};
pub use cross_entropy::{CrossEntropyOptions, CrossEntropyOut, CrossEntropyTotals, Reduction};
pub use element::{DType, Element, Id};
pub use error::{Error, Result};
pub use linear::{Linear, LinearGrads, PackedWeights};
pub use sampled::{
    Candidates, Correction, InBatch, SampledGrads, SampledLoss, SampledOptions, SampledOut, SampledTotals,
    Score, Table,
};
pub use sampler::{DrawOptions, Draws, LogQ, Sampler, SamplerKind, SamplerOptions};
pub use softmax::SoftmaxOptions;
pub use states::{
    LseOptions, LseShort, LseState, lse_finish, lse_merge, lse_short_finish, lse_short_merge, lse_shorten,
};
pub use topk::TopkOptions;
pub use update::{Moments, Optimizer, SparseRows, UpdateOptions};
pub use views::{IdsRef, Lists, MatrixMut, MatrixRef, VectorMut, VectorRef};

/// The declarations of the C ABI.
pub use vastmax_sys as sys;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Columns of one summation block. Shards cut at multiples of it give the same bits as the whole row.
pub const BLOCK: usize = sys::VMX_BLOCK as usize;
/// The most classes a row, or all its shards together, may have.
pub const MAX_COLS: usize = sys::VMX_MAX_COLS as usize;

/// The C library's version: major * 10000 + minor * 100 + patch.
pub fn version() -> i32 {
    // SAFETY: no arguments.
    unsafe { sys::vmx_version() }
}

/// The C library's version: "0.1.0".
///
/// ```
/// assert_eq!(vastmax::version_string().split('.').count(), 3);
/// ```
pub fn version_string() -> &'static str {
    // SAFETY: no arguments, and the text is static.
    context::static_text(unsafe { sys::vmx_version_string() })
}

/// The version of oneDNN in the library: "2.6.3", or "" in a build without it.
pub fn onednn_version() -> &'static str {
    // SAFETY: no arguments, and the text is static.
    context::static_text(unsafe { sys::vmx_onednn_version() })
}

/// Text of a status of the C ABI; "unknown status" for other numbers.
///
/// ```
/// assert_eq!(vastmax::status_string(8), "a label or class id is out of range");
/// ```
pub fn status_string(status: i32) -> &'static str {
    // SAFETY: any number may be asked for, and the text is static.
    context::static_text(unsafe { sys::vmx_status_string(status) })
}
