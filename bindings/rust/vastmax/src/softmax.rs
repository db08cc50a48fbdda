// SPDX-License-Identifier: Apache-2.0
//! Log-sum-exp, softmax, log-softmax and their backward passes.
use crate::call::{Call, wrong_length};
use crate::context::Context;
use crate::error::{Result, check};
use crate::views::{MatrixMut, MatrixRef, VectorMut, VectorRef};
use std::ptr::null;
use vastmax_sys as sys;

/// Temperatures that divide the scores: one for all rows, or one for each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Temperature<'a> {
    #[default]
    One,
    All(f32),
    Each(&'a [f32]),
}

impl Temperature<'_> {
    /// Pointer and stride for C. The pointer is into self.
    #[inline]
    pub(crate) fn raw(&self, function: &str, rows: i64) -> Result<(*const f32, i64)> {
        match self {
            Temperature::One => Ok((null(), 0)),
            Temperature::All(t) => Ok((t, 0)),
            Temperature::Each(each) if each.len() as i64 == rows => Ok((each.as_ptr(), 1)),
            Temperature::Each(each) => Err(wrong_length(function, "temperatures", each.len(), rows)),
        }
    }
}

macro_rules! temperature_setters {
    () => {
        /// Divides all scores by `t` (default 1). +inf: all allowed classes alike; below 2^-126: all mass on
        /// the first maximum. Negative or NaN: [`Error::Value`](crate::Error::Value).
        #[inline]
        pub fn temperature(mut self, t: f32) -> Self {
            self.temperature = crate::softmax::Temperature::All(t);
            self
        }

        /// Divides the scores of each row by a temperature of its own: one for each row, else
        /// [`Error::Shape`](crate::Error::Shape).
        #[inline]
        pub fn temperatures(mut self, each: &'a [f32]) -> Self {
            self.temperature = crate::softmax::Temperature::Each(each);
            self
        }
    };
}
pub(crate) use temperature_setters;

/// Options of the softmax family. Default: temperature 1, no flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoftmaxOptions<'a> {
    flags: u32,
    temperature: Temperature<'a>,
}

impl<'a> SoftmaxOptions<'a> {
    /// The defaults.
    #[inline]
    pub const fn new() -> Self {
        Self { flags: 0, temperature: Temperature::One }
    }

    temperature_setters!();

    /// Relative error 8u over the whole range of softmax and log-softmax, by f64 evaluation; slower.
    pub fn precise(mut self) -> Self {
        self.flags |= sys::VMX_PRECISE;
        self
    }

    /// An empty row (all -inf, or no columns) gives 0 (softmax) or -inf (log-softmax) instead of NaN.
    pub fn zero_masked(mut self) -> Self {
        self.flags |= sys::VMX_ZERO_MASKED;
        self
    }

    #[inline]
    pub(crate) fn raw(&self, function: &str, rows: i64) -> Result<sys::vmx_softmax_options> {
        let (temperature, temperature_stride) = self.temperature.raw(function, rows)?;
        Ok(sys::vmx_softmax_options {
            flags: self.flags,
            temperature,
            temperature_stride,
            ..sys::vmx_softmax_options::INIT
        })
    }
}

#[inline]
pub(crate) fn pointer_to<T>(view: &Option<T>) -> *const T {
    view.as_ref().map_or(null(), |v| v)
}

impl Call<'_> {
    /// `lse[r] = log(sum_c exp(x[r][c] / T_r))`.
    ///
    /// - `x`: \[rows, cols\], any strides, any of the four dtypes of scores. Read once.
    /// - `lse`: \[rows\] `f32`, `f64` for `f64` scores.
    /// - NaN in a row gives NaN, else +inf gives +inf; no columns or all -inf give -inf. At T = +inf it is
    ///   the logarithm of the number of allowed classes, below 2^-126 the limit: +inf, -inf or 0 by the sign
    ///   of the maximum.
    /// - Error at most `u * max(1, |lse|) + 16u`, u = 2^-24 (2^-53 for `f64`).
    ///
    /// ```
    /// use vastmax::{Call, MatrixRef, SoftmaxOptions};
    /// let x = MatrixRef::from(&[[1.0f32, 2.0, 3.0, 4.0], [4.0, 4.0, 4.0, 4.0]]);
    /// let mut lse = [0.0f32; 2];
    /// Call::new().logsumexp(x, &mut lse, &SoftmaxOptions::new())?;
    /// assert_eq!(lse, [4.4401897, 5.3862944]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    #[inline]
    pub fn logsumexp<'x, 'y>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        lse: impl Into<VectorMut<'y>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (x, lse) = (x.into(), lse.into());
        let options = options.raw("vmx_logsumexp", x.raw.rows)?;
        let flags = self.flags_for("vmx_logsumexp", x.raw.rows)?;
        // SAFETY: the views are of memory that is borrowed during the call, and flags has x.rows elements.
        check(unsafe { sys::vmx_logsumexp(self.ctx, self.ws, &x.raw, &lse.raw, flags, &options) })
    }

    /// `y[r][c] = exp(x[r][c] / T_r - lse_r)`: the softmax of each row.
    ///
    /// - `x`: \[rows, cols\]; `y`: \[rows, cols\] of any of the four dtypes; `lse`: \[rows\] as in
    ///   [`logsumexp`](Self::logsumexp).
    /// - NaN or +inf in a row: all NaN. An empty row: all NaN, or 0 with
    ///   [`zero_masked`](SoftmaxOptions::zero_masked). -inf entries: exactly 0.
    /// - Relative error `(8 + |x - max| / T) u` where y >= 2^-126, 8u with
    ///   [`precise`](SoftmaxOptions::precise).
    ///
    /// ```
    /// use vastmax::{Call, MatrixMut, MatrixRef, SoftmaxOptions};
    /// let x = MatrixRef::from(&[[0.0f32, 0.0, f32::NEG_INFINITY, 0.0, 0.0]]);
    /// let mut y = [[0.0f32; 5]];
    /// let mut lse = [0.0f32];
    /// Call::new().softmax(x, &mut y, Some((&mut lse).into()), &SoftmaxOptions::new())?;
    /// assert_eq!(y, [[0.25, 0.25, 0.0, 0.25, 0.25]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    #[inline]
    pub fn softmax<'x, 'y>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        y: impl Into<MatrixMut<'y>>,
        lse: Option<VectorMut<'_>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (x, y, lse) = (x.into(), y.into(), lse.map(|v| v.raw));
        let options = options.raw("vmx_softmax", x.raw.rows)?;
        let flags = self.flags_for("vmx_softmax", x.raw.rows)?;
        // SAFETY: as in logsumexp.
        check(unsafe {
            sys::vmx_softmax(self.ctx, self.ws, &x.raw, &y.raw, pointer_to(&lse), flags, &options)
        })
    }

    /// [`softmax`](Self::softmax) in place: the scores become probabilities.
    #[inline]
    pub fn softmax_in_place<'x>(
        &mut self,
        x: impl Into<MatrixMut<'x>>,
        lse: Option<VectorMut<'_>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (x, lse) = (x.into(), lse.map(|v| v.raw));
        let options = options.raw("vmx_softmax", x.raw.rows)?;
        let flags = self.flags_for("vmx_softmax", x.raw.rows)?;
        // SAFETY: as in logsumexp; the C ABI lets y be exactly x.
        check(unsafe {
            sys::vmx_softmax(self.ctx, self.ws, &x.raw, &x.raw, pointer_to(&lse), flags, &options)
        })
    }

    /// `y[r][c] = x[r][c] / T_r - lse_r`: the logarithm of the softmax.
    ///
    /// As [`softmax`](Self::softmax), but -inf entries give -inf, and an empty row gives NaN, or -inf with
    /// [`zero_masked`](SoftmaxOptions::zero_masked). Absolute error `2u * max(1, |max|, |y|, |lse|) + 16u`.
    ///
    /// ```
    /// use vastmax::{Call, MatrixRef, SoftmaxOptions};
    /// let mut y = [[0.0f64; 2]];
    /// Call::new().log_softmax(MatrixRef::from(&[[3.0f64, 3.0]]), &mut y, None, &SoftmaxOptions::new())?;
    /// assert_eq!(y, [[-std::f64::consts::LN_2; 2]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    #[inline]
    pub fn log_softmax<'x, 'y>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        y: impl Into<MatrixMut<'y>>,
        lse: Option<VectorMut<'_>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (x, y, lse) = (x.into(), y.into(), lse.map(|v| v.raw));
        let options = options.raw("vmx_log_softmax", x.raw.rows)?;
        let flags = self.flags_for("vmx_log_softmax", x.raw.rows)?;
        // SAFETY: as in logsumexp.
        check(unsafe {
            sys::vmx_log_softmax(self.ctx, self.ws, &x.raw, &y.raw, pointer_to(&lse), flags, &options)
        })
    }

    /// [`log_softmax`](Self::log_softmax) in place.
    #[inline]
    pub fn log_softmax_in_place<'x>(
        &mut self,
        x: impl Into<MatrixMut<'x>>,
        lse: Option<VectorMut<'_>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (x, lse) = (x.into(), lse.map(|v| v.raw));
        let options = options.raw("vmx_log_softmax", x.raw.rows)?;
        let flags = self.flags_for("vmx_log_softmax", x.raw.rows)?;
        // SAFETY: as in softmax_in_place.
        check(unsafe {
            sys::vmx_log_softmax(self.ctx, self.ws, &x.raw, &x.raw, pointer_to(&lse), flags, &options)
        })
    }

    /// `grad_x[r][c] = grad_lse[r] * softmax(x[r] / T)[c] / T`.
    ///
    /// - `lse`: what [`logsumexp`](Self::logsumexp) gave for the same `x` and options, or `None`: computed
    ///   again.
    /// - `grad_lse`: \[rows\] `f32` or `f64`; [`VectorRef::broadcast`] gives all rows one. `grad_x`: \[rows,
    ///   cols\].
    /// - Rows with NaN or +inf: NaN; empty rows: 0.
    ///
    /// ```
    /// use vastmax::{Call, MatrixRef, SoftmaxOptions};
    /// let mut grad = [[0.0f32; 2]];
    /// let x = MatrixRef::from(&[[5.0f32, 5.0]]);
    /// Call::new().logsumexp_backward(x, None, &[3.0f32], &mut grad, &SoftmaxOptions::new())?;
    /// assert_eq!(grad, [[1.5, 1.5]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn logsumexp_backward<'x, 'g, 'y>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        lse: Option<VectorRef<'_>>,
        grad_lse: impl Into<VectorRef<'g>>,
        grad_x: impl Into<MatrixMut<'y>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (x, grad_lse, grad_x, lse) = (x.into(), grad_lse.into(), grad_x.into(), lse.map(|v| v.raw));
        let options = options.raw("vmx_logsumexp_backward", x.raw.rows)?;
        // SAFETY: as in logsumexp.
        check(unsafe {
            sys::vmx_logsumexp_backward(
                self.ctx,
                self.ws,
                &x.raw,
                pointer_to(&lse),
                &grad_lse.raw,
                &grad_x.raw,
                &options,
            )
        })
    }

    /// [`logsumexp_backward`](Self::logsumexp_backward) in place: the scores become their gradient.
    pub fn logsumexp_backward_in_place<'x, 'g>(
        &mut self,
        x: impl Into<MatrixMut<'x>>,
        lse: Option<VectorRef<'_>>,
        grad_lse: impl Into<VectorRef<'g>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (x, grad_lse, lse) = (x.into(), grad_lse.into(), lse.map(|v| v.raw));
        let options = options.raw("vmx_logsumexp_backward", x.raw.rows)?;
        // SAFETY: as in softmax_in_place.
        check(unsafe {
            sys::vmx_logsumexp_backward(
                self.ctx,
                self.ws,
                &x.raw,
                pointer_to(&lse),
                &grad_lse.raw,
                &x.raw,
                &options,
            )
        })
    }

    /// `grad_x = y * (grad_y - sum_c y * grad_y) / T`, `y` being what [`softmax`](Self::softmax) gave with
    /// these options.
    ///
    /// All three are \[rows, cols\]; `y` and `grad_y` share a dtype. Where `y` is 0 the gradient is 0,
    /// whatever `grad_y` holds.
    ///
    /// ```
    /// use vastmax::{Call, MatrixRef, SoftmaxOptions};
    /// let y = MatrixRef::from(&[[0.5f32, 0.5, 0.0]]);
    /// let grad_y = MatrixRef::from(&[[1.0f32, 0.0, f32::NAN]]);
    /// let mut grad = [[0.0f32; 3]];
    /// Call::new().softmax_backward(y, grad_y, &mut grad, &SoftmaxOptions::new())?;
    /// assert_eq!(grad, [[0.25, -0.25, 0.0]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn softmax_backward<'y, 'g, 'x>(
        &mut self,
        y: impl Into<MatrixRef<'y>>,
        grad_y: impl Into<MatrixRef<'g>>,
        grad_x: impl Into<MatrixMut<'x>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (y, grad_y, grad_x) = (y.into(), grad_y.into(), grad_x.into());
        let options = options.raw("vmx_softmax_backward", y.raw.rows)?;
        // SAFETY: as in logsumexp.
        check(unsafe {
            sys::vmx_softmax_backward(self.ctx, self.ws, &y.raw, &grad_y.raw, &grad_x.raw, &options)
        })
    }

    /// [`softmax_backward`](Self::softmax_backward) in place: `grad_y` becomes `grad_x`.
    pub fn softmax_backward_in_place<'y, 'g>(
        &mut self,
        y: impl Into<MatrixRef<'y>>,
        grad: impl Into<MatrixMut<'g>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (y, grad) = (y.into(), grad.into());
        let options = options.raw("vmx_softmax_backward", y.raw.rows)?;
        // SAFETY: as in softmax_in_place.
        check(unsafe { sys::vmx_softmax_backward(self.ctx, self.ws, &y.raw, &grad.raw, &grad.raw, &options) })
    }

    /// `grad_x = (grad_y - exp(y) * sum_c grad_y) / T`, `y` being what [`log_softmax`](Self::log_softmax)
    /// gave with these options.
    ///
    /// All three are \[rows, cols\]; `y` and `grad_y` share a dtype. Masked entries (`y` = -inf) have
    /// gradient 0 and do not enter the sum.
    ///
    /// ```
    /// use vastmax::{Call, MatrixRef, SoftmaxOptions};
    /// let y = MatrixRef::from(&[[-std::f64::consts::LN_2, -std::f64::consts::LN_2]]);
    /// let grad_y = MatrixRef::from(&[[1.0f64, 0.0]]);
    /// let mut grad = [[0.0f64; 2]];
    /// Call::new().log_softmax_backward(y, grad_y, &mut grad, &SoftmaxOptions::new())?;
    /// assert_eq!(grad, [[0.5, -0.5]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn log_softmax_backward<'y, 'g, 'x>(
        &mut self,
        y: impl Into<MatrixRef<'y>>,
        grad_y: impl Into<MatrixRef<'g>>,
        grad_x: impl Into<MatrixMut<'x>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (y, grad_y, grad_x) = (y.into(), grad_y.into(), grad_x.into());
        let options = options.raw("vmx_log_softmax_backward", y.raw.rows)?;
        // SAFETY: as in logsumexp.
        check(unsafe {
            sys::vmx_log_softmax_backward(self.ctx, self.ws, &y.raw, &grad_y.raw, &grad_x.raw, &options)
        })
    }

    /// [`log_softmax_backward`](Self::log_softmax_backward) in place: `grad_y` becomes `grad_x`.
    pub fn log_softmax_backward_in_place<'y, 'g>(
        &mut self,
        y: impl Into<MatrixRef<'y>>,
        grad: impl Into<MatrixMut<'g>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<()> {
        let (y, grad) = (y.into(), grad.into());
        let options = options.raw("vmx_log_softmax_backward", y.raw.rows)?;
        // SAFETY: as in softmax_in_place.
        check(unsafe {
            sys::vmx_log_softmax_backward(self.ctx, self.ws, &y.raw, &grad.raw, &grad.raw, &options)
        })
    }
}

impl Context {
    /// Bytes that a call of the softmax family with these shapes may take from its workspace; views
    /// [`of_shape`](MatrixRef::of_shape) will do. `y` is `None` for log-sum-exps. Errors as the call itself
    /// would give for such shapes.
    pub fn softmax_workspace_size<'x>(
        &self,
        x: impl Into<MatrixRef<'x>>,
        y: Option<MatrixRef<'_>>,
        options: &SoftmaxOptions<'_>,
    ) -> Result<usize> {
        let (x, y) = (x.into(), y.map(|m| m.raw));
        let options = options.raw("vmx_softmax_workspace_size", x.raw.rows)?;
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe {
            sys::vmx_softmax_workspace_size(self.raw, &x.raw, pointer_to(&y), &options, &mut size)
        })?;
        Ok(size)
    }
}
