// SPDX-License-Identifier: Apache-2.0
//! Partial states: rows folded slice by slice, sent as bytes, merged in any order.
use crate::call::{Call, RowFlags, wrong_length};
use crate::context::Context;
use crate::error::{Result, check};
use crate::softmax::{Temperature, pointer_to, temperature_setters};
use crate::views::{IdsRef, MatrixRef, NO_IDS, NO_VECTOR, VectorMut, VectorRef, count};
use std::fmt;
use vastmax_sys as sys;

/// What a slice of a row amounts to: 96 plain bytes, little-endian, to send as they are. The default, all
/// zero, is empty.
///
/// [`lse_merge`] is exactly associative and commutative, so that any tree of merges gives the same bytes, and
/// slices cut at multiples of [`BLOCK`](crate::BLOCK) give those of the whole row.
///
/// ```
/// use vastmax::{lse_finish, lse_merge, Call, LseOptions, LseState, MatrixRef, BLOCK};
///
/// let row: Vec<f32> = (0..3 * BLOCK).map(|i| (i % 97) as f32 / 10.0).collect();
/// let options = LseOptions::new();
/// let mut shards = Vec::new();
/// for (i, shard) in row.chunks(BLOCK).enumerate() {
///     let mut state = [LseState::default()];
///     Call::new().lse_fold(MatrixRef::row(shard), i * BLOCK, &mut state, &options)?;
///     shards.push(LseState::from_bytes(state[0].to_bytes())); // as another machine would
/// }
/// let mut sum = [LseState::default()];
/// for shard in shards.iter().rev() {
///     lse_merge(&mut sum, &[*shard])?;
/// }
/// let mut whole = [LseState::default()];
/// Call::new().lse_fold(MatrixRef::row(&row), 0, &mut whole, &options)?;
/// assert_eq!(sum, whole);
///
/// let mut lse = [0.0f64];
/// lse_finish(&sum, &options, Some((&mut lse).into()), None, None)?;
/// assert!((lse[0] - 16.788746).abs() < 1e-6);
/// # Ok::<(), vastmax::Error>(())
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct LseState(sys::vmx_lse_state);

impl LseState {
    /// The bytes that another process may read back.
    pub fn to_bytes(&self) -> [u8; 96] {
        // SAFETY: the struct has no padding, and bytes have no invalid values.
        unsafe { std::mem::transmute(self.0) }
    }

    /// What [`to_bytes`](Self::to_bytes) gave. Bytes of an unknown version, or of sums that no fold makes, are
    /// refused where they are used.
    pub fn from_bytes(bytes: [u8; 96]) -> Self {
        // SAFETY: integers and floats have no invalid values.
        Self(unsafe { std::mem::transmute::<[u8; 96], sys::vmx_lse_state>(bytes) })
    }

    /// Allowed classes folded: neither -inf nor NaN.
    pub fn count(&self) -> u32 {
        self.0.count
    }

    /// As the C ABI has it.
    pub fn as_raw(&self) -> &sys::vmx_lse_state {
        &self.0
    }
}

impl Default for LseState {
    fn default() -> Self {
        Self::from_bytes([0; 96])
    }
}

impl PartialEq for LseState {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}
impl Eq for LseState {}

impl fmt::Debug for LseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The log-sum-exp alone, in 16 bytes: the sum of exponentials is `sum * exp(max)`. Merging rounds in `f64`,
/// so that the last bits depend on the order.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct LseShort {
    /// Largest score over T.
    pub max: f64,
    /// Sum of exponentials relative to it.
    pub sum: f64,
}

impl Default for LseShort {
    /// The empty one.
    fn default() -> Self {
        Self { max: f64::NEG_INFINITY, sum: 0.0 }
    }
}

/// Options of [`lse_fold`](Call::lse_fold) and of what finishes its states. Default: temperature 1, no sums,
/// nothing skipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct LseOptions<'a> {
    flags: u32,
    temperature: Temperature<'a>,
    class_weight: Option<VectorRef<'a>>,
    skip: Option<IdsRef<'a>>,
}

impl<'a> LseOptions<'a> {
    /// The defaults.
    pub const fn new() -> Self {
        Self { flags: 0, temperature: Temperature::One, class_weight: None, skip: None }
    }

    temperature_setters!();

    /// Also keep the sums of scores and weights (label smoothing, mean score).
    pub fn sums(mut self) -> Self {
        self.flags |= sys::VMX_FOLD_SUMS;
        self
    }

    /// Also keep what the entropy needs.
    pub fn entropy(mut self) -> Self {
        self.flags |= sys::VMX_FOLD_ENTROPY;
        self
    }

    /// `f32`, one for each column of the slice, adjacent; with [`sums`](Self::sums). Default: 1.
    pub fn class_weight(mut self, weights: impl Into<VectorRef<'a>>) -> Self {
        self.class_weight = Some(weights.into());
        self
    }

    /// One class a row, counted over the whole row, that is left out if it lies in the slice: fold a row
    /// without its label, merge the label at the end.
    pub fn skip(mut self, ids: impl Into<IdsRef<'a>>) -> Self {
        self.skip = Some(ids.into());
        self
    }

    fn raw(&self, function: &str, rows: i64) -> Result<sys::vmx_lse_options> {
        let (temperature, temperature_stride) = self.temperature.raw(function, rows)?;
        Ok(sys::vmx_lse_options {
            flags: self.flags,
            temperature,
            temperature_stride,
            class_weight: self.class_weight.map_or(NO_VECTOR, |v| v.raw),
            skip: self.skip.map_or(NO_IDS, |v| v.raw),
            ..sys::vmx_lse_options::INIT
        })
    }
}

impl Call<'_> {
    /// Folds a slice of columns into the states of its rows.
    ///
    /// - `x`: \[rows, cols\] of the slice; `col_offset`: its first column in the whole row. Cuts at multiples
    ///   of [`BLOCK`](crate::BLOCK) keep the bits, others stay within the error bounds.
    /// - `states`: one for each row, read and written; begin with the default.
    /// - NaN, +inf and -inf are noted in the states. [`Error::Value`](crate::Error::Value) for a state of an
    ///   unknown version or folded with other sums; [`Error::Size`](crate::Error::Size) for too many classes.
    ///   Nothing is written then.
    pub fn lse_fold<'x>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        col_offset: usize,
        states: &mut [LseState],
        options: &LseOptions<'_>,
    ) -> Result<()> {
        let x = x.into();
        let options = options.raw("vmx_lse_fold", x.raw.rows)?;
        if states.len() as i64 != x.raw.rows {
            return Err(wrong_length("vmx_lse_fold", "states", states.len(), x.raw.rows));
        }
        // SAFETY: the views are borrowed during the call, and states has x.rows elements of the C struct's
        // layout.
        check(unsafe {
            sys::vmx_lse_fold(
                self.ctx,
                self.ws,
                &x.raw,
                count(col_offset),
                states.as_mut_ptr().cast(),
                &options,
            )
        })
    }
}

/// `into[i] = merge(into[i], from[i])`: exactly associative and commutative.
///
/// [`Error::Shape`](crate::Error::Shape) unless both are of one length; [`Error::Value`](crate::Error::Value)
/// for an unknown version or sums in one of two non-empty states alone; [`Error::Size`](crate::Error::Size)
/// for more than [`MAX_COLS`](crate::MAX_COLS) classes. Nothing is written then.
pub fn lse_merge(into: &mut [LseState], from: &[LseState]) -> Result<()> {
    if from.len() != into.len() {
        return Err(wrong_length("vmx_lse_merge", "from", from.len(), into.len() as i64));
    }
    // SAFETY: both have as many elements of the C struct's layout, and do not overlap.
    check(unsafe { sys::vmx_lse_merge(into.as_mut_ptr().cast(), from.as_ptr().cast(), into.len() as i64) })
}

/// Log-sum-exp, entropy (in nats, of `softmax(z / T)`) and flags of each state; `None`: not wanted.
///
/// - `options`: the temperature of the fold; the rest is not looked at.
/// - `lse`, `entropy`: `f32` or `f64`, one for each state. The entropy needs states folded with
///   [`entropy`](LseOptions::entropy), else [`Error::Value`](crate::Error::Value).
/// - Special rows as in [`Call::logsumexp`]; the entropy of a row that is empty or holds NaN or +inf is NaN.
pub fn lse_finish(
    states: &[LseState],
    options: &LseOptions<'_>,
    lse: Option<VectorMut<'_>>,
    entropy: Option<VectorMut<'_>>,
    row_flags: Option<&mut [RowFlags]>,
) -> Result<()> {
    let n = states.len() as i64;
    let options = options.raw("vmx_lse_finish", n)?;
    let (lse, entropy) = (lse.map(|v| v.raw), entropy.map(|v| v.raw));
    let flags = match row_flags {
        Some(flags) if flags.len() != states.len() => {
            return Err(wrong_length("vmx_lse_finish", "row_flags", flags.len(), n));
        }
        Some(flags) => flags.as_mut_ptr().cast(),
        None => std::ptr::null_mut(),
    };
    // SAFETY: the views are borrowed during the call, and flags has n elements.
    check(unsafe {
        sys::vmx_lse_finish(
            states.as_ptr().cast(),
            n,
            &options,
            pointer_to(&lse),
            pointer_to(&entropy),
            flags,
        )
    })
}

/// The 16-byte form of each state: `{max / T, sum}`. NaN, +inf and empty rows give `{NaN, NaN}`, `{+inf, 1}`,
/// `{-inf, 0}`.
pub fn lse_shorten(states: &[LseState], options: &LseOptions<'_>, out: &mut [LseShort]) -> Result<()> {
    let n = states.len() as i64;
    let options = options.raw("vmx_lse_shorten", n)?;
    if out.len() != states.len() {
        return Err(wrong_length("vmx_lse_shorten", "out", out.len(), n));
    }
    // SAFETY: both have n elements of the C structs' layout.
    check(unsafe { sys::vmx_lse_shorten(states.as_ptr().cast(), n, &options, out.as_mut_ptr().cast()) })
}

/// `into[i] = merge(into[i], from[i])`: commutative, associative up to rounding in `f64`.
pub fn lse_short_merge(into: &mut [LseShort], from: &[LseShort]) -> Result<()> {
    if from.len() != into.len() {
        return Err(wrong_length("vmx_lse_short_merge", "from", from.len(), into.len() as i64));
    }
    // SAFETY: both have as many elements of the C struct's layout.
    check(unsafe {
        sys::vmx_lse_short_merge(into.as_mut_ptr().cast(), from.as_ptr().cast(), into.len() as i64)
    })
}

/// `lse[i] = max + log(sum)`. `lse`: `f32` or `f64`, one for each.
///
/// ```
/// use vastmax::{lse_short_finish, LseShort};
/// let mut lse = [0.0f64];
/// lse_short_finish(&[LseShort { max: 3.0, sum: 1.0 }], &mut lse)?;
/// assert_eq!(lse, [3.0]);
/// # Ok::<(), vastmax::Error>(())
/// ```
pub fn lse_short_finish<'y>(states: &[LseShort], lse: impl Into<VectorMut<'y>>) -> Result<()> {
    // SAFETY: states has as many elements of the C struct's layout.
    check(unsafe { sys::vmx_lse_short_finish(states.as_ptr().cast(), states.len() as i64, &lse.into().raw) })
}

impl Context {
    /// Bytes that [`Call::lse_fold`] of this shape may take from its workspace.
    pub fn lse_fold_workspace_size<'x>(
        &self,
        x: impl Into<MatrixRef<'x>>,
        options: &LseOptions<'_>,
    ) -> Result<usize> {
        let x = x.into();
        let options = options.raw("vmx_lse_fold_workspace_size", x.raw.rows)?;
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe { sys::vmx_lse_fold_workspace_size(self.raw, &x.raw, &options, &mut size) })?;
        Ok(size)
    }
}
