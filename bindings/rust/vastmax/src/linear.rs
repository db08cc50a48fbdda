// SPDX-License-Identifier: Apache-2.0
//! Scores made tile by tile from hidden rows and weights.
use crate::call::Call;
use crate::context::Context;
use crate::cross_entropy::{CrossEntropyOptions, CrossEntropyOut, CrossEntropyTotals};
use crate::error::{Result, check};
use crate::softmax::{SoftmaxOptions, pointer_to};
use crate::topk::TopkOptions;
use crate::views::{
    Lists, MatrixMut, MatrixRef, NO_MATRIX, NO_VECTOR, VectorMut, VectorRef, count, matrix_or_none,
};
use std::fmt;
use std::marker::PhantomData;
use vastmax_sys as sys;

/// Weights made ready for many calls. It holds its own copy: what it was made of may change or go, and so may
/// the context. Immutable, `Send + Sync`.
pub struct PackedWeights {
    raw: *mut sys::vmx_packed_weights,
}

// SAFETY: the C ABI: "Immutable; any number of threads may use one".
unsafe impl Send for PackedWeights {}
unsafe impl Sync for PackedWeights {}

impl PackedWeights {
    /// Packs `weights`, \[classes, dim\] of `f32` or `bf16`.
    /// [`Error::Unsupported`](crate::Error::Unsupported) in a build without oneDNN.
    pub fn new<'w>(ctx: &Context, weights: impl Into<MatrixRef<'w>>) -> Result<Self> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: the view is borrowed during the call.
        check(unsafe { sys::vmx_pack_weights(ctx.raw, &weights.into().raw, &mut raw) })?;
        Ok(Self { raw })
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        // SAFETY: raw is what new made.
        unsafe { sys::vmx_packed_weights_size(self.raw) }
    }

    /// For functions of the C ABI. Valid as long as this.
    pub fn as_raw(&self) -> *const sys::vmx_packed_weights {
        self.raw
    }
}

impl Drop for PackedWeights {
    fn drop(&mut self) {
        // SAFETY: no call uses it: they borrow it.
        unsafe { sys::vmx_packed_weights_destroy(self.raw) };
    }
}

impl fmt::Debug for PackedWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedWeights").field("size", &self.size()).finish()
    }
}

/// The source of scores `hidden[r] . weights[c] + bias[c]`, which are never all in memory. `hidden` and
/// `weights` are both `f32` or both `bf16`, accumulated in `f32`.
///
/// For a given number of rows the bits are the same for any number of threads and memory limit on one
/// machine, but not across ISAs and versions of oneDNN, which makes the products. A build without oneDNN
/// gives [`Error::Unsupported`](crate::Error::Unsupported).
///
/// ```
/// use vastmax::{onednn_version, Call, Linear, MatrixRef, TopkOptions};
/// # if onednn_version().is_empty() { return Ok(()); }
/// let weights = [[1.0f32, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let linear = Linear::new(MatrixRef::from(&weights));
/// let hidden = MatrixRef::from(&[[2.0f32, 3.0]]);
/// let (mut values, mut ids) = ([[0.0f32; 2]], [[0i32; 2]]);
/// Call::new().linear_topk(
///     hidden, &linear, 2, Some((&mut values).into()), Some((&mut ids).into()), &TopkOptions::new(),
/// )?;
/// assert_eq!((values, ids), ([[5.0, 3.0]], [[2, 1]]));
/// # Ok::<(), vastmax::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    raw: sys::vmx_linear,
    _borrowed: PhantomData<&'a PackedWeights>,
}

// SAFETY: shared references to elements and to packed weights, which are Sync.
unsafe impl Send for Linear<'_> {}
unsafe impl Sync for Linear<'_> {}

impl<'a> Linear<'a> {
    /// Of `weights`, \[classes, dim\], which are packed tile by tile in each call.
    pub fn new(weights: impl Into<MatrixRef<'a>>) -> Self {
        let raw = sys::vmx_linear { weights: weights.into().raw, ..sys::vmx_linear::INIT };
        Self { raw, _borrowed: PhantomData }
    }

    /// Of weights that are packed already.
    pub fn packed(weights: &'a PackedWeights) -> Self {
        let raw = sys::vmx_linear { weights: NO_MATRIX, packed: weights.raw, ..sys::vmx_linear::INIT };
        Self { raw, _borrowed: PhantomData }
    }

    /// \[classes\] `f32`. Default: none.
    pub fn bias(mut self, bias: impl Into<VectorRef<'a>>) -> Self {
        self.raw.bias = bias.into().raw;
        self
    }

    /// Bytes of scratch that a call may use; 0 (the default): 128 MiB. [`Error::Value`](crate::Error::Value),
    /// which tells how much is needed, if that is too little for one block of rows.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.raw.memory_limit = bytes;
        self
    }
}

/// Which gradients [`Call::linear_cross_entropy`] gives. What is not named is not wanted.
#[derive(Debug)]
pub struct LinearGrads<'a> {
    hidden: Option<MatrixMut<'a>>,
    weights: Option<MatrixMut<'a>>,
    bias: Option<VectorMut<'a>>,
    flags: u32,
}

impl Default for LinearGrads<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> LinearGrads<'a> {
    /// None.
    pub const fn new() -> Self {
        Self { hidden: None, weights: None, bias: None, flags: 0 }
    }

    /// \[rows, dim\], `f32` or of `hidden`'s dtype; always overwritten.
    pub fn hidden(mut self, grad: impl Into<MatrixMut<'a>>) -> Self {
        self.hidden = Some(grad.into());
        self
    }

    /// \[classes, dim\] `f32`.
    pub fn weights(mut self, grad: impl Into<MatrixMut<'a>>) -> Self {
        self.weights = Some(grad.into());
        self
    }

    /// \[classes\] `f32`.
    pub fn bias(mut self, grad: impl Into<VectorMut<'a>>) -> Self {
        self.bias = Some(grad.into());
        self
    }

    /// Adds to the gradients of weights and bias instead of overwriting them.
    pub fn accumulate(mut self) -> Self {
        self.flags |= sys::VMX_GRAD_ACCUMULATE;
        self
    }

    fn raw(&self) -> sys::vmx_linear_grads {
        sys::vmx_linear_grads {
            flags: self.flags,
            hidden: self.hidden.as_ref().map_or(NO_MATRIX, |m| m.raw),
            weights: self.weights.as_ref().map_or(NO_MATRIX, |m| m.raw),
            bias: self.bias.as_ref().map_or(NO_VECTOR, |v| v.raw),
            ..sys::vmx_linear_grads::INIT
        }
    }
}

impl Call<'_> {
    /// [`logsumexp`](Self::logsumexp) of linear scores. `hidden`: \[rows, dim\]; `lse`: \[rows\] `f32`. One
    /// matrix product.
    ///
    /// ```
    /// use vastmax::{onednn_version, Call, Linear, MatrixRef, SoftmaxOptions};
    /// # if onednn_version().is_empty() { return Ok(()); }
    /// let linear = Linear::new(MatrixRef::from(&[[1.0f32], [1.0]])).bias(&[0.5f32, 0.5]);
    /// let mut lse = [0.0f32];
    /// Call::new().linear_logsumexp(MatrixRef::from(&[[0.5f32]]), &linear, &mut lse, &SoftmaxOptions::new())?;
    /// assert_eq!(lse, [1.6931472]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn linear_logsumexp<'x, 'y>(
        &mut self,
        hidden: impl Into<MatrixRef<'x>>,
        linear: &Linear<'_>,
        lse: impl Into<VectorMut<'y>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (hidden, lse) = (hidden.into(), lse.into());
        let options = options.raw("vmx_linear_logsumexp", hidden.raw.rows)?;
        let flags = self.flags_for("vmx_linear_logsumexp", hidden.raw.rows)?;
        // SAFETY: the views are borrowed during the call, mutably where it writes, and flags has as many
        // elements as rows.
        check(unsafe {
            sys::vmx_linear_logsumexp(self.ctx, self.ws, &hidden.raw, &linear.raw, &lse.raw, flags, &options)
        })
    }

    /// [`cross_entropy`](Self::cross_entropy) of linear scores, with the gradients that `grads` names, of the
    /// total times [`grad_scale`](CrossEntropyOut::grad_scale). `out` must not ask for the gradient of the
    /// scores. Forward it costs one matrix product, with gradients three; the scores never stand in memory.
    ///
    /// ```
    /// use vastmax::{onednn_version, Call, CrossEntropyOptions, CrossEntropyOut, Linear, LinearGrads, MatrixRef};
    /// # if onednn_version().is_empty() { return Ok(()); }
    /// let linear = Linear::new(MatrixRef::from(&[[1.0f32, 0.0], [0.0, 1.0]]));
    /// let mut grad = [[0.0f32; 2]];
    /// let totals = Call::new().linear_cross_entropy(
    ///     MatrixRef::from(&[[1.0f32, 1.0]]),
    ///     &linear,
    ///     &[0i64],
    ///     CrossEntropyOut::new(),
    ///     Some(&mut LinearGrads::new().hidden(&mut grad)),
    ///     &CrossEntropyOptions::new(),
    /// )?;
    /// assert!((totals.total - std::f64::consts::LN_2).abs() < 1e-7);
    /// assert_eq!(grad, [[-0.5, 0.5]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn linear_cross_entropy<'x, 't>(
        &mut self,
        hidden: impl Into<MatrixRef<'x>>,
        linear: &Linear<'_>,
        targets: impl Into<Lists<'t>>,
        out: CrossEntropyOut<'_>,
        grads: Option<&mut LinearGrads<'_>>,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<CrossEntropyTotals> {
        let (hidden, targets, grads) = (hidden.into(), targets.into(), grads.map(|g| g.raw()));
        let options = options.raw("vmx_linear_cross_entropy", hidden.raw.rows)?;
        let flags = self.flags_for("vmx_linear_cross_entropy", hidden.raw.rows)?;
        let mut totals = CrossEntropyTotals::default();
        let out = out.into_raw(&mut totals, flags);
        // SAFETY: as in linear_logsumexp.
        check(unsafe {
            sys::vmx_linear_cross_entropy(
                self.ctx,
                self.ws,
                &hidden.raw,
                &linear.raw,
                &targets.raw,
                &out,
                pointer_to(&grads),
                &options,
            )
        })?;
        Ok(totals)
    }

    /// [`topk`](Self::topk) of linear scores: exact maximum inner product search without an index. `values`:
    /// `f32`.
    pub fn linear_topk<'x>(
        &mut self,
        hidden: impl Into<MatrixRef<'x>>,
        linear: &Linear<'_>,
        k: usize,
        values: Option<MatrixMut<'_>>,
        ids: Option<MatrixMut<'_>>,
        options: &TopkOptions<'_>,
    ) -> Result<()> {
        let hidden = hidden.into();
        let (values, ids, options) = (matrix_or_none(values), matrix_or_none(ids), options.raw());
        let flags = self.flags_for("vmx_linear_topk", hidden.raw.rows)?;
        // SAFETY: as in linear_logsumexp.
        check(unsafe {
            sys::vmx_linear_topk(
                self.ctx,
                self.ws,
                &hidden.raw,
                &linear.raw,
                count(k),
                &values,
                &ids,
                flags,
                &options,
            )
        })
    }
}

impl Context {
    /// Bytes that [`Call::linear_logsumexp`] of these shapes may take from its workspace.
    pub fn linear_logsumexp_workspace_size<'x>(
        &self,
        hidden: impl Into<MatrixRef<'x>>,
        linear: &Linear<'_>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<usize> {
        let hidden = hidden.into();
        let options = options.raw("vmx_linear_logsumexp_workspace_size", hidden.raw.rows)?;
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe {
            sys::vmx_linear_logsumexp_workspace_size(self.raw, &hidden.raw, &linear.raw, &options, &mut size)
        })?;
        Ok(size)
    }

    /// Bytes that [`Call::linear_cross_entropy`] of these shapes may take from its workspace.
    pub fn linear_cross_entropy_workspace_size<'x>(
        &self,
        hidden: impl Into<MatrixRef<'x>>,
        linear: &Linear<'_>,
        grads: Option<&LinearGrads<'_>>,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<usize> {
        let (hidden, grads) = (hidden.into(), grads.map(|g| g.raw()));
        let options = options.raw("vmx_linear_cross_entropy_workspace_size", hidden.raw.rows)?;
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe {
            sys::vmx_linear_cross_entropy_workspace_size(
                self.raw,
                &hidden.raw,
                &linear.raw,
                pointer_to(&grads),
                &options,
                &mut size,
            )
        })?;
        Ok(size)
    }

    /// Bytes that [`Call::linear_topk`] of these shapes may take from its workspace.
    pub fn linear_topk_workspace_size<'x>(
        &self,
        hidden: impl Into<MatrixRef<'x>>,
        linear: &Linear<'_>,
        k: usize,
        options: &TopkOptions<'_>,
    ) -> Result<usize> {
        let (hidden, options) = (hidden.into(), options.raw());
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe {
            sys::vmx_linear_topk_workspace_size(
                self.raw,
                &hidden.raw,
                &linear.raw,
                count(k),
                &options,
                &mut size,
            )
        })?;
        Ok(size)
    }
}
