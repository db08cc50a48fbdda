// SPDX-License-Identifier: Apache-2.0
//! Sparse gradients of a table, and optimizers that take them.
use crate::call::{Call, wrong_length};
use crate::error::{Error, Result, check};
use crate::views::MatrixMut;
use std::marker::PhantomData;
use vastmax_sys as sys;

/// Gradient of a table whose other rows have none: class ids that rise, and a row for each.
#[derive(Debug)]
pub struct SparseRows<'a> {
    pub(crate) raw: sys::vmx_sparse_rows,
    _borrowed: PhantomData<&'a mut ()>,
}

// SAFETY: exclusive references to elements.
unsafe impl Send for SparseRows<'_> {}
unsafe impl Sync for SparseRows<'_> {}

impl<'a> SparseRows<'a> {
    /// Room for as many classes as `rows`, \[capacity, dim\] `f32`, has rows; `ids` has an element for each.
    /// None are there yet. [`Error::Shape`] for another number of ids.
    pub fn new(ids: &'a mut [i64], rows: impl Into<MatrixMut<'a>>) -> Result<Self> {
        let rows = rows.into();
        if ids.len() as i64 != rows.raw.rows {
            return Err(wrong_length("SparseRows::new", "ids", ids.len(), rows.raw.rows));
        }
        let raw =
            sys::vmx_sparse_rows { ids: ids.as_mut_ptr(), rows: rows.raw, ..sys::vmx_sparse_rows::INIT };
        Ok(Self { raw, _borrowed: PhantomData })
    }

    /// The gradient of a bias beside it, an element for each row. [`Error::Shape`] for another number.
    pub fn bias(mut self, bias: &'a mut [f32]) -> Result<Self> {
        if bias.len() as i64 != self.raw.rows.rows {
            return Err(wrong_length("SparseRows::bias", "bias", bias.len(), self.raw.rows.rows));
        }
        self.raw.bias = bias.as_mut_ptr();
        Ok(self)
    }

    /// The first `count` ids and rows are there already. [`Error::Shape`] if there is room for fewer.
    pub fn filled(mut self, count: usize) -> Result<Self> {
        if count as i64 > self.raw.rows.rows {
            return Err(Error::Shape(format!(
                "SparseRows::filled: count is {count}, but there is room for {}",
                self.raw.rows.rows
            )));
        }
        self.raw.count = count as i64;
        Ok(self)
    }

    /// How many classes are there.
    pub fn count(&self) -> usize {
        self.raw.count as usize
    }
}

/// How [`Call::sparse_update`] steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Optimizer {
    /// `w -= lr g`
    Sgd = sys::VMX_SGD,
    /// `v += g^2; w -= lr g / (sqrt(v) + eps)`
    Adagrad = sys::VMX_ADAGRAD,
    /// Lazy Adam: the moments of the rows touched alone decay.
    Adam = sys::VMX_ADAM,
}

/// Options of [`Call::sparse_update`]. Defaults: lr 0.001, betas 0.9 and 0.999, eps 1e-8, no weight decay,
/// step 1.
#[derive(Clone, Copy, Debug)]
pub struct UpdateOptions {
    raw: sys::vmx_update_options,
}

impl UpdateOptions {
    /// The defaults.
    pub const fn new(optimizer: Optimizer) -> Self {
        let mut raw = sys::vmx_update_options::INIT;
        raw.optimizer = optimizer as i32;
        Self { raw }
    }

    /// Adam: from 1, the same for all rows, however often each was touched.
    pub fn step(mut self, step: i64) -> Self {
        self.raw.step = step;
        self
    }

    /// Finite, >= 0.
    pub fn lr(mut self, lr: f64) -> Self {
        self.raw.lr = lr;
        self
    }

    /// Adam: both in \[0, 1).
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        self.raw.beta1 = beta1;
        self.raw.beta2 = beta2;
        self
    }

    /// Inside no root; finite, >= 2^-126.
    pub fn eps(mut self, eps: f64) -> Self {
        self.raw.eps = eps;
        self
    }

    /// Decoupled: first `w -= lr * weight_decay * w`. Finite, >= 0.
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.raw.weight_decay = decay;
        self
    }
}

/// What an optimizer keeps for each weight: \[classes, dim\] `f32`, 0 at the beginning.
#[derive(Debug, Default)]
pub struct Moments<'a> {
    mean: Option<MatrixMut<'a>>,
    square: Option<MatrixMut<'a>>,
}

impl<'a> Moments<'a> {
    /// SGD has none.
    pub const fn none() -> Self {
        Self { mean: None, square: None }
    }

    /// Adagrad's.
    pub fn square(square: impl Into<MatrixMut<'a>>) -> Self {
        Self { mean: None, square: Some(square.into()) }
    }

    /// Adam's.
    pub fn mean_and_square(mean: impl Into<MatrixMut<'a>>, square: impl Into<MatrixMut<'a>>) -> Self {
        Self { mean: Some(mean.into()), square: Some(square.into()) }
    }
}

impl Call<'_> {
    /// One step of an optimizer on the rows of `table` that `grad` names; other rows and their moments stay
    /// as they are.
    ///
    /// - `table`: \[classes, dim\] `f32` or `bf16`, updated in place. The bias of `grad` is not looked at: a
    ///   bias is a table \[classes, 1\] of its own.
    /// - NaN and infinities go by IEEE arithmetic into the elements they belong to, and into no others. An
    ///   empty list does nothing.
    /// - [`Error::Label`] for an id outside the table, [`Error::Value`] for ids that do not rise or moments
    ///   that the optimizer has not.
    ///
    /// ```
    /// use vastmax::{Call, MatrixMut, Moments, Optimizer, SparseRows, UpdateOptions};
    /// let mut table = [[1.0f32, 1.0], [1.0, 1.0], [1.0, 1.0]];
    /// let (mut ids, mut rows) = ([2i64], [[1.0f32, -2.0]]);
    /// let grad = SparseRows::new(&mut ids, &mut rows)?.filled(1)?;
    /// Call::new().sparse_update(&grad, &mut table, Moments::none(), &UpdateOptions::new(Optimizer::Sgd).lr(0.5))?;
    /// assert_eq!(table, [[1.0, 1.0], [1.0, 1.0], [0.5, 2.0]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn sparse_update<'w>(
        &mut self,
        grad: &SparseRows<'_>,
        table: impl Into<MatrixMut<'w>>,
        moments: Moments<'_>,
        options: &UpdateOptions,
    ) -> Result<()> {
        let table = table.into();
        let pointer = |m: &Option<MatrixMut<'_>>| m.as_ref().map_or(std::ptr::null(), |m| &raw const m.raw);
        // SAFETY: the views are borrowed during the call, mutably where it writes; grad has room for count
        // ids.
        check(unsafe {
            sys::vmx_sparse_update(
                self.ctx,
                &grad.raw,
                &table.raw,
                pointer(&moments.mean),
                pointer(&moments.square),
                &options.raw,
            )
        })
    }
}
