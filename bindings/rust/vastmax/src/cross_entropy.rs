// SPDX-License-Identifier: Apache-2.0
//! Softmax cross-entropy of given scores.
use crate::call::Call;
use crate::context::Context;
use crate::error::{Result, check};
use crate::softmax::{Temperature, pointer_to, temperature_setters};
use crate::views::{Lists, MatrixMut, MatrixRef, NO_VECTOR, VectorMut, VectorRef, matrix_or_none};
use vastmax_sys as sys;

/// What the total of a loss is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Reduction {
    /// The sum; it scales no gradient.
    #[default]
    None = sys::VMX_REDUCE_NONE,
    /// The sum.
    Sum = sys::VMX_REDUCE_SUM,
    /// The sum divided by the weight of the rows not ignored; NaN if that is 0.
    Mean = sys::VMX_REDUCE_MEAN,
}

/// Options of the cross-entropies.
///
/// ```
/// use vastmax::{CrossEntropyOptions, Reduction};
/// let options = CrossEntropyOptions::new().reduction(Reduction::Mean).label_smoothing(0.1).z_loss(1e-4);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropyOptions<'a> {
    flags: u32,
    reduction: Reduction,
    ignore_index: i64,
    label_smoothing: f64,
    softcap: f64,
    z_loss: f64,
    class_weight: Option<VectorRef<'a>>,
    temperature: Temperature<'a>,
}

impl Default for CrossEntropyOptions<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> CrossEntropyOptions<'a> {
    /// The defaults.
    pub const fn new() -> Self {
        let init = sys::vmx_cross_entropy_options::INIT;
        Self {
            flags: init.flags,
            reduction: Reduction::None,
            ignore_index: init.ignore_index,
            label_smoothing: init.label_smoothing,
            softcap: init.softcap,
            z_loss: init.z_loss,
            class_weight: None,
            temperature: Temperature::One,
        }
    }

    temperature_setters!();

    /// What the total, and so the gradient, is of. Default: [`Reduction::None`].
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// A label equal to it (before the base is taken off) does not count. Default: -100.
    pub fn ignore_index(mut self, label: i64) -> Self {
        self.ignore_index = label;
        self
    }

    /// `eps` in \[0, 1\] of the target's weight is spread over all classes. Default: 0.
    pub fn label_smoothing(mut self, eps: f64) -> Self {
        self.label_smoothing = eps;
        self
    }

    /// Label smoothing spreads over the allowed classes only; otherwise a mask makes the loss +inf.
    pub fn smooth_unmasked(mut self) -> Self {
        self.flags |= sys::VMX_SMOOTH_UNMASKED;
        self
    }

    /// The scores are `c * tanh(z / c)`, c > 0. Default: 0, off.
    pub fn softcap(mut self, c: f64) -> Self {
        self.softcap = c;
        self
    }

    /// Adds `zeta * lse^2`, zeta >= 0. Default: 0.
    pub fn z_loss(mut self, zeta: f64) -> Self {
        self.z_loss = zeta;
        self
    }

    /// `f32`, \[cols\], finite and >= 0 for the labels used. Default: 1.
    pub fn class_weight(mut self, weights: impl Into<VectorRef<'a>>) -> Self {
        self.class_weight = Some(weights.into());
        self
    }

    pub(crate) fn raw(&self, function: &str, rows: i64) -> Result<sys::vmx_cross_entropy_options> {
        let (temperature, temperature_stride) = self.temperature.raw(function, rows)?;
        Ok(sys::vmx_cross_entropy_options {
            flags: self.flags,
            reduction: self.reduction as i32,
            ignore_index: self.ignore_index,
            label_smoothing: self.label_smoothing,
            softcap: self.softcap,
            z_loss: self.z_loss,
            class_weight: self.class_weight.map_or(NO_VECTOR, |v| v.raw),
            temperature,
            temperature_stride,
            ..sys::vmx_cross_entropy_options::INIT
        })
    }
}

/// Sums over all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropyTotals {
    /// Sum or mean of loss + z-loss, by the reduction.
    pub total: f64,
    /// The part of it that is z-loss.
    pub total_z_loss: f64,
    /// Sum of the weights of the rows not ignored: what the mean divides by.
    pub total_weight: f64,
}

/// Where the answers for each row go; what is not named is not wanted.
#[derive(Debug)]
pub struct CrossEntropyOut<'a> {
    loss: Option<VectorMut<'a>>,
    z_loss: Option<VectorMut<'a>>,
    lse: Option<VectorMut<'a>>,
    grad: Option<MatrixMut<'a>>,
    grad_scale: f64,
}

impl Default for CrossEntropyOut<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> CrossEntropyOut<'a> {
    /// Nothing but the totals.
    pub const fn new() -> Self {
        Self { loss: None, z_loss: None, lse: None, grad: None, grad_scale: 1.0 }
    }

    /// \[rows\] `f32`, `f64` for `f64` scores: the cross-entropy alone, without z-loss.
    pub fn loss(mut self, loss: impl Into<VectorMut<'a>>) -> Self {
        self.loss = Some(loss.into());
        self
    }

    /// \[rows\]: `zeta * lse^2`.
    pub fn z_loss(mut self, z_loss: impl Into<VectorMut<'a>>) -> Self {
        self.z_loss = Some(z_loss.into());
        self
    }

    /// \[rows\]: the log-sum-exps.
    pub fn lse(mut self, lse: impl Into<VectorMut<'a>>) -> Self {
        self.lse = Some(lse.into());
        self
    }

    /// \[rows, cols\] of any of the four dtypes: gradient of the total by the scores, times
    /// [`grad_scale`](Self::grad_scale).
    pub fn grad(mut self, grad: impl Into<MatrixMut<'a>>) -> Self {
        self.grad = Some(grad.into());
        self
    }

    /// Default: 1.
    pub fn grad_scale(mut self, scale: f64) -> Self {
        self.grad_scale = scale;
        self
    }

    /// For C, with the totals written to `totals`.
    pub(crate) fn into_raw(
        self,
        totals: &mut CrossEntropyTotals,
        row_flags: *mut u32,
    ) -> sys::vmx_cross_entropy_out {
        let vector = |v: Option<VectorMut<'_>>| v.map_or(NO_VECTOR, |v| v.raw);
        sys::vmx_cross_entropy_out {
            loss: vector(self.loss),
            z_loss: vector(self.z_loss),
            lse: vector(self.lse),
            total: &mut totals.total,
            total_z_loss: &mut totals.total_z_loss,
            total_weight: &mut totals.total_weight,
            row_flags,
            grad: matrix_or_none(self.grad),
            grad_scale: self.grad_scale,
            ..sys::vmx_cross_entropy_out::INIT
        }
    }
}

impl Call<'_> {
    /// Softmax cross-entropy of given scores, and its gradient if `out` asks for it.
    ///
    /// With p = softmax(u / T), u the (capped) scores, targets t with weights w_t and class weights v, eps
    /// the label smoothing:
    /// ```text
    /// loss_r   = (1 - eps) sum_t w_t v_t (lse - u_t/T) + W (eps/V) sum_c v_c (lse - u_c/T),    W = sum_t w_t
    /// z_loss_r = zeta lse^2 (rows not ignored)
    /// weight_r = sum_t w_t v_t
    /// ```
    /// - `x`: \[rows, cols\]. `targets`: a label for each row, or [`Lists`] with weights. An ignored or empty
    ///   row has loss, gradient and weight 0.
    /// - A masked label (its score is -inf): loss +inf, gradient -weight at the label. An empty row: loss
    ///   +inf, gradient 0. NaN or +inf in the row: loss and gradient NaN.
    /// - [`Error::Label`](crate::Error::Label) for a label out of range.
    ///
    /// ```
    /// use vastmax::{Call, CrossEntropyOptions, CrossEntropyOut, MatrixRef, Reduction};
    /// let x = MatrixRef::from(&[[0.0f32, 0.0], [0.0, 0.0]]);
    /// let mut grad = [[0.0f32; 2]; 2];
    /// let totals = Call::new().cross_entropy(
    ///     x,
    ///     &[0i64, 1],
    ///     CrossEntropyOut::new().grad(&mut grad),
    ///     &CrossEntropyOptions::new().reduction(Reduction::Mean),
    /// )?;
    /// assert!((totals.total - std::f64::consts::LN_2).abs() < 1e-7);
    /// assert_eq!(grad, [[-0.25, 0.25], [0.25, -0.25]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn cross_entropy<'x, 't>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        targets: impl Into<Lists<'t>>,
        out: CrossEntropyOut<'_>,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<CrossEntropyTotals> {
        let (x, targets) = (x.into(), targets.into());
        self.cross_entropy_raw(x.raw, targets, out, false, options)
    }

    /// [`cross_entropy`](Self::cross_entropy) whose gradient takes the place of the scores. `out` must not
    /// name another one.
    pub fn cross_entropy_in_place<'x, 't>(
        &mut self,
        x: impl Into<MatrixMut<'x>>,
        targets: impl Into<Lists<'t>>,
        out: CrossEntropyOut<'_>,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<CrossEntropyTotals> {
        let (x, targets) = (x.into(), targets.into());
        if out.grad.is_some() {
            return Err(crate::Error::Value(
                "vmx_cross_entropy: out.grad is given, but x is to hold the gradient".into(),
            ));
        }
        self.cross_entropy_raw(x.raw, targets, out, true, options)
    }

    fn cross_entropy_raw(
        &mut self,
        x: sys::vmx_matrix,
        targets: Lists<'_>,
        out: CrossEntropyOut<'_>,
        in_place: bool,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<CrossEntropyTotals> {
        let options = options.raw("vmx_cross_entropy", x.rows)?;
        let flags = self.flags_for("vmx_cross_entropy", x.rows)?;
        let mut totals = CrossEntropyTotals::default();
        let mut out = out.into_raw(&mut totals, flags);
        if in_place {
            out.grad = x;
        }
        // SAFETY: the views are borrowed during the call, mutably where it writes, and flags has x.rows
        // elements.
        check(unsafe { sys::vmx_cross_entropy(self.ctx, self.ws, &x, &targets.raw, &out, &options) })?;
        Ok(totals)
    }

    /// The backward pass alone: `grad[r][c] = grad_loss[r] * d(loss_r + z_loss_r) / dx[r][c]`.
    ///
    /// - `lse`: what the forward call gave, or `None`: computed again.
    /// - `grad_loss`: \[rows\] `f32` or `f64`; a mean is the caller's division by the total weight. Ignored
    ///   rows have gradient 0, whatever it holds there.
    /// - `grad`: \[rows, cols\] of any of the four dtypes.
    ///
    /// ```
    /// use vastmax::{Call, CrossEntropyOptions, MatrixRef};
    /// let mut grad = [[0.0f32; 2]];
    /// let x = MatrixRef::from(&[[0.0f32, 0.0]]);
    /// Call::new().cross_entropy_backward(x, &[1i32], None, &[2.0f32], &mut grad, &CrossEntropyOptions::new())?;
    /// assert_eq!(grad, [[1.0, -1.0]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn cross_entropy_backward<'x, 't, 'g, 'y>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        targets: impl Into<Lists<'t>>,
        lse: Option<VectorRef<'_>>,
        grad_loss: impl Into<VectorRef<'g>>,
        grad: impl Into<MatrixMut<'y>>,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<()> {
        let (x, targets, grad_loss, grad) = (x.into(), targets.into(), grad_loss.into(), grad.into());
        let lse = lse.map(|v| v.raw);
        let options = options.raw("vmx_cross_entropy_backward", x.raw.rows)?;
        // SAFETY: the views are borrowed during the call, mutably where it writes.
        check(unsafe {
            sys::vmx_cross_entropy_backward(
                self.ctx,
                self.ws,
                &x.raw,
                &targets.raw,
                pointer_to(&lse),
                &grad_loss.raw,
                &grad.raw,
                &options,
            )
        })
    }

    /// [`cross_entropy_backward`](Self::cross_entropy_backward) in place: the scores become their gradient.
    pub fn cross_entropy_backward_in_place<'x, 't, 'g>(
        &mut self,
        x: impl Into<MatrixMut<'x>>,
        targets: impl Into<Lists<'t>>,
        lse: Option<VectorRef<'_>>,
        grad_loss: impl Into<VectorRef<'g>>,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<()> {
        let (x, targets, grad_loss) = (x.into(), targets.into(), grad_loss.into());
        let lse = lse.map(|v| v.raw);
        let options = options.raw("vmx_cross_entropy_backward", x.raw.rows)?;
        // SAFETY: as above; the C ABI lets grad be exactly x.
        check(unsafe {
            sys::vmx_cross_entropy_backward(
                self.ctx,
                self.ws,
                &x.raw,
                &targets.raw,
                pointer_to(&lse),
                &grad_loss.raw,
                &x.raw,
                &options,
            )
        })
    }
}

impl Context {
    /// Bytes that a cross-entropy of these shapes may take from its workspace; `grad` is `None` for the
    /// forward pass alone. One label a row is taken for granted: lists may take 24 bytes more for each entry,
    /// and 64.
    pub fn cross_entropy_workspace_size<'x>(
        &self,
        x: impl Into<MatrixRef<'x>>,
        grad: Option<MatrixRef<'_>>,
        options: &CrossEntropyOptions<'_>,
    ) -> Result<usize> {
        let (x, grad) = (x.into(), grad.map(|m| m.raw));
        let options = options.raw("vmx_cross_entropy_workspace_size", x.raw.rows)?;
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe {
            sys::vmx_cross_entropy_workspace_size(self.raw, &x.raw, pointer_to(&grad), &options, &mut size)
        })?;
        Ok(size)
    }
}
