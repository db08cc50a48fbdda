// SPDX-License-Identifier: Apache-2.0
//! How a call runs.
use crate::context::{Context, Workspace};
use crate::error::{Error, Result};
use std::fmt;
use std::marker::PhantomData;
use vastmax_sys as sys;

/// What a row holds, as the library met it: bits.
///
/// ```
/// use vastmax::{Call, MatrixRef, RowFlags, SoftmaxOptions};
///
/// let x = MatrixRef::from(&[[1.0f32, f32::NAN], [f32::NEG_INFINITY; 2], [1.0, 2.0]]);
/// let (mut lse, mut flags) = ([0.0f32; 3], [RowFlags::default(); 3]);
/// Call::new().row_flags(&mut flags).logsumexp(x, &mut lse, &SoftmaxOptions::new())?;
/// assert_eq!(flags, [RowFlags::NAN, RowFlags::EMPTY, RowFlags::NONE]);
/// # Ok::<(), vastmax::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct RowFlags(pub u32);

impl RowFlags {
    /// Nothing to tell.
    pub const NONE: RowFlags = RowFlags(0);
    /// No class is allowed: no columns, or all -inf.
    pub const EMPTY: RowFlags = RowFlags(sys::VMX_ROW_EMPTY);
    /// The row holds a NaN.
    pub const NAN: RowFlags = RowFlags(sys::VMX_ROW_NAN);
    /// The row holds +inf.
    pub const INF: RowFlags = RowFlags(sys::VMX_ROW_INF);
    /// Fewer than k classes were there to choose.
    pub const UNDERFULL: RowFlags = RowFlags(sys::VMX_ROW_UNDERFULL);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: RowFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for RowFlags {
    type Output = RowFlags;
    fn bitor(self, other: RowFlags) -> RowFlags {
        RowFlags(self.0 | other.0)
    }
}

impl fmt::Debug for RowFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [
            (RowFlags::EMPTY, "EMPTY"),
            (RowFlags::NAN, "NAN"),
            (RowFlags::INF, "INF"),
            (RowFlags::UNDERFULL, "UNDERFULL"),
        ];
        let names: Vec<&str> =
            known.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, name)| *name).collect();
        write!(f, "RowFlags({})", names.join(" | "))
    }
}

/// How a call runs: on which context, with which workspace, and where it tells what the rows hold. All may be
/// missing; then it runs on the calling thread with the best ISA, allocates its scratch and frees it, and
/// tells nothing.
///
/// Every operation is a method: log-sum-exp and softmax ([`logsumexp`](Self::logsumexp),
/// [`softmax`](Self::softmax), [`log_softmax`](Self::log_softmax)), losses
/// ([`cross_entropy`](Self::cross_entropy)), [`topk`](Self::topk), the linear source
/// ([`linear_logsumexp`](Self::linear_logsumexp), ...), samplers ([`sampler_draw`](Self::sampler_draw)),
/// sampled losses ([`sampled_loss`](Self::sampled_loss)) and partial states ([`lse_fold`](Self::lse_fold)).
///
/// What holds for all of them:
/// - Scores are `f32`, `f64`, `f16` or `bf16`. Log-sum-exps and losses are `f32`, or `f64` for `f64` scores;
///   probabilities and gradients of scores may be any of the four, rounded once.
/// - Inputs may have any strides. Outputs must not overlap themselves; Rust sees to the rest.
/// - -inf is a mask: probability and gradient exactly 0. Zero rows are fine.
/// - The same input gives the same bits on every ISA, for any number of threads, order of rows, alignment and
///   stride. (The linear source promises less: see [`Linear`](crate::Linear).)
/// - Errors are those of [`Error`]: wrong shapes, dtypes and values, before anything is written.
#[derive(Debug)]
pub struct Call<'a> {
    pub(crate) ctx: *const sys::vmx_context,
    pub(crate) ws: *mut sys::vmx_workspace,
    flags: *mut u32,
    flags_len: usize,
    _borrowed: PhantomData<(&'a Context, &'a mut [RowFlags])>,
}

// SAFETY: it holds a shared reference of a Sync context and exclusive ones of a Send workspace and slice;
// nothing can be done through &Call.
unsafe impl Send for Call<'_> {}
unsafe impl Sync for Call<'_> {}

impl Default for Call<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Call<'a> {
    /// The calling thread, no workspace, no flags.
    #[inline]
    pub const fn new() -> Self {
        Self {
            ctx: std::ptr::null(),
            ws: std::ptr::null_mut(),
            flags: std::ptr::null_mut(),
            flags_len: 0,
            _borrowed: PhantomData,
        }
    }

    /// On this context.
    #[inline]
    pub fn context(mut self, ctx: &'a Context) -> Self {
        self.ctx = ctx.raw;
        self
    }

    /// With this scratch memory, which may be of another context.
    #[inline]
    pub fn workspace(mut self, workspace: &'a mut Workspace<'_>) -> Self {
        self.ws = workspace.raw;
        self
    }

    /// Where to write the flags of each row: one element for each, else [`Error::Shape`]. Operations without
    /// flags (backward passes, folds, updates) leave them alone.
    #[inline]
    pub fn row_flags(mut self, flags: &'a mut [RowFlags]) -> Self {
        self.flags = flags.as_mut_ptr().cast();
        self.flags_len = flags.len();
        self
    }

    /// The pointer for C, once it is known to be long enough.
    #[inline]
    pub(crate) fn flags_for(&mut self, function: &str, rows: i64) -> Result<*mut u32> {
        if !self.flags.is_null() && self.flags_len as i64 != rows {
            return Err(wrong_length(function, "row_flags", self.flags_len, rows));
        }
        Ok(self.flags)
    }
}

#[cold]
pub(crate) fn wrong_length(function: &str, name: &str, len: usize, rows: i64) -> Error {
    Error::Shape(format!("{function}: {name} has {len} elements, but must have {rows}"))
}
