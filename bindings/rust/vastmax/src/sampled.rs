// SPDX-License-Identifier: Apache-2.0
//! Losses over each row's targets and sampled negatives, and in-batch softmax.
use crate::call::Call;
use crate::context::Context;
use crate::cross_entropy::Reduction;
use crate::error::{Result, check};
use crate::softmax::pointer_to;
use crate::update::SparseRows;
use crate::views::{IdsRef, Lists, MatrixMut, MatrixRef, NO_MATRIX, NO_VECTOR, VectorMut, VectorRef, count};
use std::marker::PhantomData;
use vastmax_sys as sys;

/// A loss over targets and negatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum SampledLoss {
    /// `-log` of the softmax over the target and the negatives, with a [`Correction`].
    #[default]
    SampledSoftmax = sys::VMX_LOSS_SAMPLED_SOFTMAX,
    /// Noise-contrastive estimation: takes log expected counts.
    Nce = sys::VMX_LOSS_NCE,
    /// word2vec's negative sampling.
    Neg = sys::VMX_LOSS_NEG,
    /// Bayesian personalised ranking: mean over the negatives.
    Bpr = sys::VMX_LOSS_BPR,
    /// Cosine contrastive loss.
    Ccl = sys::VMX_LOSS_CCL,
}

/// What the sampled softmax takes off its scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Correction {
    /// Nothing.
    #[default]
    None = sys::VMX_CORRECT_NONE,
    /// log q, of target and negatives.
    Ranking = sys::VMX_CORRECT_RANKING,
    /// log(m q) of the negatives alone.
    Is = sys::VMX_CORRECT_IS,
    /// Log expected counts, which `log_q` then holds, of both.
    Counts = sys::VMX_CORRECT_COUNTS,
}

/// How scores are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Score {
    /// Inner product.
    #[default]
    Dot = sys::VMX_SCORE_DOT,
    /// Cosine; of a row that is 0 it is 0.
    Cosine = sys::VMX_SCORE_COSINE,
}

/// Options of the sampled losses. Default: sampled softmax without correction, inner products, temperature 1.
#[derive(Clone, Copy, Debug)]
pub struct SampledOptions {
    raw: sys::vmx_sampled_options,
}

impl Default for SampledOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SampledOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self { raw: sys::vmx_sampled_options::INIT }
    }

    /// Default: [`SampledLoss::SampledSoftmax`].
    pub fn loss(mut self, loss: SampledLoss) -> Self {
        self.raw.loss = loss as i32;
        self
    }

    /// Of the sampled softmax. Default: [`Correction::None`].
    pub fn correction(mut self, correction: Correction) -> Self {
        self.raw.correction = correction as i32;
        self
    }

    /// Default: [`Score::Dot`].
    pub fn score(mut self, score: Score) -> Self {
        self.raw.score = score as i32;
        self
    }

    /// Candidates that are a target of their row stay; otherwise they are left out.
    pub fn keep_hits(mut self) -> Self {
        self.raw.flags |= sys::VMX_SAMPLED_KEEP_HITS;
        self
    }

    /// Sampled softmax: all targets of a row stand in one denominator.
    pub fn joint(mut self) -> Self {
        self.raw.flags |= sys::VMX_SAMPLED_JOINT;
        self
    }

    /// Default: [`Reduction::None`].
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.raw.reduction = reduction as i32;
        self
    }

    /// Divides the scores; finite, > 0; default 1. CCL takes none.
    pub fn temperature(mut self, t: f64) -> Self {
        self.raw.temperature = t;
        self
    }

    /// CCL: in \[-1, 1\]; default 0.4.
    pub fn margin(mut self, margin: f64) -> Self {
        self.raw.margin = margin;
        self
    }

    /// CCL: >= 0; default 1.
    pub fn negative_weight(mut self, weight: f64) -> Self {
        self.raw.negative_weight = weight;
        self
    }

    /// Bytes of scratch that a call may use; 0 (the default): 128 MiB, or what it needs at the least.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.raw.memory_limit = bytes;
        self
    }
}

/// The negatives of [`Call::sampled_loss`].
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    raw: sys::vmx_candidates,
    _borrowed: PhantomData<&'a ()>,
}

// SAFETY: shared references to elements.
unsafe impl Send for Candidates<'_> {}
unsafe impl Sync for Candidates<'_> {}

impl<'a> Candidates<'a> {
    /// `ids`: \[1, m\], shared by all rows, or \[rows, m\]; `i32` or `i64` from 0; -1 is an empty slot. A
    /// repeated class counts as often as it stands there.
    pub fn new(ids: impl Into<MatrixRef<'a>>) -> Self {
        Self {
            raw: sys::vmx_candidates { ids: ids.into().raw, ..sys::vmx_candidates::INIT },
            _borrowed: PhantomData,
        }
    }

    /// log q of each, or log expected counts where the loss wants those: `f32`, of the shape of the ids.
    pub fn log_q(mut self, log_q: impl Into<MatrixRef<'a>>) -> Self {
        self.raw.log_q = log_q.into().raw;
        self
    }

    /// The same of each target: `f32`, in the order of the targets' ids.
    pub fn target_log_q(mut self, log_q: impl Into<VectorRef<'a>>) -> Self {
        self.raw.target_log_q = log_q.into().raw;
        self
    }

    /// \[classes\]: rows of the table with equal numbers are one class when hits are looked for. Default:
    /// each is its own.
    pub fn identity(mut self, identity: impl Into<IdsRef<'a>>) -> Self {
        self.raw.identity = identity.into().raw;
        self
    }
}

/// Which gradients [`Call::sampled_loss`] gives. What is not named is not wanted.
#[derive(Debug)]
pub struct SampledGrads<'a> {
    raw: sys::vmx_sampled_grads,
    _borrowed: PhantomData<&'a mut ()>,
}

// SAFETY: exclusive references to elements.
unsafe impl Send for SampledGrads<'_> {}
unsafe impl Sync for SampledGrads<'_> {}

impl Default for SampledGrads<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> SampledGrads<'a> {
    /// None.
    pub const fn new() -> Self {
        Self { raw: sys::vmx_sampled_grads::INIT, _borrowed: PhantomData }
    }

    /// \[rows, dim\], `f32` or of `hidden`'s dtype; overwritten.
    pub fn hidden(mut self, grad: impl Into<MatrixMut<'a>>) -> Self {
        self.raw.hidden = grad.into().raw;
        self
    }

    /// Gradient of the table as a list of rows: all distinct classes among targets and candidates.
    /// [`Error::Shape`](crate::Error::Shape), which tells how many there are, if it has not room for them.
    pub fn sparse(mut self, rows: &'a mut SparseRows<'_>) -> Self {
        self.raw.sparse = &mut rows.raw;
        self
    }

    /// \[classes, dim\] `f32`, added to.
    pub fn table(mut self, grad: impl Into<MatrixMut<'a>>) -> Self {
        self.raw.table = grad.into().raw;
        self
    }

    /// \[classes\] `f32`, added to.
    pub fn bias(mut self, grad: impl Into<VectorMut<'a>>) -> Self {
        self.raw.bias = grad.into().raw;
        self
    }
}

/// Where the losses of rows go, and what scales the gradients.
#[derive(Debug)]
pub struct SampledOut<'a> {
    loss: Option<VectorMut<'a>>,
    grad_scale: f64,
}

impl Default for SampledOut<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> SampledOut<'a> {
    /// Nothing but the totals.
    pub const fn new() -> Self {
        Self { loss: None, grad_scale: 1.0 }
    }

    /// \[rows\] `f32`.
    pub fn loss(mut self, loss: impl Into<VectorMut<'a>>) -> Self {
        self.loss = Some(loss.into());
        self
    }

    /// Gradients are of the total times this. Default: 1.
    pub fn grad_scale(mut self, scale: f64) -> Self {
        self.grad_scale = scale;
        self
    }

    fn into_raw(self, totals: &mut SampledTotals, row_flags: *mut u32) -> sys::vmx_sampled_out {
        sys::vmx_sampled_out {
            loss: self.loss.map_or(NO_VECTOR, |v| v.raw),
            total: &mut totals.total,
            total_weight: &mut totals.total_weight,
            row_flags,
            grad_scale: self.grad_scale,
            ..sys::vmx_sampled_out::INIT
        }
    }
}

/// Sums over all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SampledTotals {
    /// Sum or mean of the losses, by the reduction.
    pub total: f64,
    /// Sum of the targets' weights: what the mean divides by.
    pub total_weight: f64,
}

/// Where scores of classes come from: a table of embeddings, and a bias.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    rows: MatrixRef<'a>,
    bias: Option<VectorRef<'a>>,
}

impl<'a> Table<'a> {
    /// \[classes, dim\], `f32` or `bf16`, as `hidden`.
    pub fn new(rows: impl Into<MatrixRef<'a>>) -> Self {
        Self { rows: rows.into(), bias: None }
    }

    /// \[classes\] `f32`. Default: none.
    pub fn bias(mut self, bias: impl Into<VectorRef<'a>>) -> Self {
        self.bias = Some(bias.into());
        self
    }
}

/// Two towers' outputs for [`Call::in_batch_softmax`]: row i of the queries belongs to row i of the keys.
#[derive(Debug)]
pub struct InBatch<'a> {
    queries: MatrixRef<'a>,
    keys: MatrixRef<'a>,
    identity: Option<IdsRef<'a>>,
    log_q: Option<VectorRef<'a>>,
    grad_queries: Option<MatrixMut<'a>>,
    grad_keys: Option<MatrixMut<'a>>,
}

impl<'a> InBatch<'a> {
    /// Both \[rows, dim\], `f32` or `bf16`.
    pub fn new(queries: impl Into<MatrixRef<'a>>, keys: impl Into<MatrixRef<'a>>) -> Self {
        let (queries, keys) = (queries.into(), keys.into());
        Self { queries, keys, identity: None, log_q: None, grad_queries: None, grad_keys: None }
    }

    /// Which class each key is: other keys of a row's own class are left out. Default: all differ.
    pub fn identity(mut self, identity: impl Into<IdsRef<'a>>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// \[rows\] `f32`: log probability of each key to be in a batch, taken off all its scores. Default: none.
    pub fn log_q(mut self, log_q: impl Into<VectorRef<'a>>) -> Self {
        self.log_q = Some(log_q.into());
        self
    }

    /// \[rows, dim\], `f32` or of the inputs' dtype; overwritten.
    pub fn grad_queries(mut self, grad: impl Into<MatrixMut<'a>>) -> Self {
        self.grad_queries = Some(grad.into());
        self
    }

    /// \[rows, dim\], `f32` or of the inputs' dtype; overwritten.
    pub fn grad_keys(mut self, grad: impl Into<MatrixMut<'a>>) -> Self {
        self.grad_keys = Some(grad.into());
        self
    }
}

impl Call<'_> {
    /// A loss over each row's targets and its negatives, and the gradients that `grads` names.
    ///
    /// With scores z = (hidden . table + bias) / T, or (cosine + bias) / T, over targets t of weight w_t and
    /// the negatives j = 1..m of the row without its hits:
    /// ```text
    /// SampledSoftmax  o = corrected z;  sum_t w_t (log(e^o_t + sum_j e^o_j) - o_t)
    /// Nce             D = z - log(expected count);  sum_t w_t (softplus(-D_t) + sum_j softplus(D_j))
    /// Neg             the same with D = z
    /// Bpr             sum_t w_t (1/m') sum_j softplus(z_j - z_t), m' the negatives left
    /// Ccl             sum_t w_t (1 - z_t + (negative_weight/m') sum_j max(0, z_j - margin))
    /// ```
    /// - `hidden`: \[rows, dim\] of the table's dtype. `targets`: as in
    ///   [`cross_entropy`](Self::cross_entropy), without ignored labels.
    /// - NaN or +inf in a row's scores: loss and gradients NaN. A negative of score -inf is none; a target of
    ///   it has loss +inf.
    /// - Candidates for each row give the same bits everywhere; shared ones leave the products to oneDNN, as
    ///   [`Linear`](crate::Linear) does, and are [`Error::Unsupported`](crate::Error::Unsupported) without
    ///   it.
    /// - [`Error::Label`](crate::Error::Label) for an id outside the table,
    ///   [`Error::Value`](crate::Error::Value) for a log q that is missing or not finite.
    ///
    /// ```
    /// use vastmax::{Call, Candidates, MatrixRef, SampledLoss, SampledOptions, SampledOut, Table};
    /// let table = [[1.0f32, 0.0], [0.0, 1.0], [-1.0, 0.0]];
    /// let totals = Call::new().sampled_loss(
    ///     MatrixRef::from(&[[1.0f32, 0.0], [0.0, 1.0]]),
    ///     &Table::new(MatrixRef::from(&table)),
    ///     &[0i64, 1],
    ///     &Candidates::new(MatrixRef::from(&[[1i64, 2], [0, 2]])),
    ///     SampledOut::new(),
    ///     None,
    ///     &SampledOptions::new().loss(SampledLoss::Bpr),
    /// )?;
    /// assert!((totals.total - 0.53336).abs() < 1e-5);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    #[allow(clippy::too_many_arguments)] // each is one of the C function's, and none has a default
    pub fn sampled_loss<'x, 't>(
        &mut self,
        hidden: impl Into<MatrixRef<'x>>,
        table: &Table<'_>,
        targets: impl Into<Lists<'t>>,
        candidates: &Candidates<'_>,
        out: SampledOut<'_>,
        grads: Option<SampledGrads<'_>>,
        options: &SampledOptions,
    ) -> Result<SampledTotals> {
        let (hidden, targets, bias) = (hidden.into(), targets.into(), table.bias.map(|v| v.raw));
        let grads = grads.map(|g| g.raw);
        let flags = self.flags_for("vmx_sampled_loss", hidden.raw.rows)?;
        let mut totals = SampledTotals::default();
        let out = out.into_raw(&mut totals, flags);
        // SAFETY: the views are borrowed during the call, mutably where it writes, and flags has as many
        // elements as rows.
        check(unsafe {
            sys::vmx_sampled_loss(
                self.ctx,
                self.ws,
                &hidden.raw,
                &table.rows.raw,
                pointer_to(&bias),
                &targets.raw,
                &candidates.raw,
                &out,
                pointer_to(&grads),
                &options.raw,
            )
        })?;
        Ok(totals)
    }

    /// In-batch softmax (InfoNCE): the other keys are a row's negatives.
    ///
    /// `options`: score, temperature, reduction and memory limit; the rest is not looked at. Special rows as
    /// in [`sampled_loss`](Self::sampled_loss); every row has weight 1. Three products by oneDNN:
    /// [`Error::Unsupported`](crate::Error::Unsupported) without it.
    ///
    /// ```
    /// use vastmax::{onednn_version, Call, InBatch, MatrixRef, SampledOptions, SampledOut};
    /// # if onednn_version().is_empty() { return Ok(()); }
    /// let towers = [[1.0f32, 0.0], [0.0, 1.0]];
    /// let mut loss = [0.0f32; 2];
    /// let batch = InBatch::new(MatrixRef::from(&towers), MatrixRef::from(&towers));
    /// Call::new().in_batch_softmax(batch, SampledOut::new().loss(&mut loss), &SampledOptions::new())?;
    /// assert_eq!(loss, [0.3132617; 2]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn in_batch_softmax(
        &mut self,
        batch: InBatch<'_>,
        out: SampledOut<'_>,
        options: &SampledOptions,
    ) -> Result<SampledTotals> {
        let (identity, log_q) = (batch.identity.map(|v| v.raw), batch.log_q.map(|v| v.raw));
        let grad_queries = batch.grad_queries.map_or(NO_MATRIX, |m| m.raw);
        let grad_keys = batch.grad_keys.map_or(NO_MATRIX, |m| m.raw);
        let flags = self.flags_for("vmx_in_batch_softmax", batch.queries.raw.rows)?;
        let mut totals = SampledTotals::default();
        let out = out.into_raw(&mut totals, flags);
        // SAFETY: as in sampled_loss.
        check(unsafe {
            sys::vmx_in_batch_softmax(
                self.ctx,
                self.ws,
                &batch.queries.raw,
                &batch.keys.raw,
                pointer_to(&identity),
                pointer_to(&log_q),
                &out,
                &grad_queries,
                &grad_keys,
                &options.raw,
            )
        })?;
        Ok(totals)
    }
}

impl Context {
    /// Bytes that [`Call::sampled_loss`] of these shapes may take from its workspace. `targets`: the number
    /// of targets of all rows together.
    pub fn sampled_loss_workspace_size<'x>(
        &self,
        hidden: impl Into<MatrixRef<'x>>,
        table: &Table<'_>,
        targets: usize,
        candidates: &Candidates<'_>,
        grads: Option<&SampledGrads<'_>>,
        options: &SampledOptions,
    ) -> Result<usize> {
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe {
            sys::vmx_sampled_loss_workspace_size(
                self.raw,
                &hidden.into().raw,
                &table.rows.raw,
                count(targets),
                &candidates.raw,
                grads.map_or(std::ptr::null(), |g| &g.raw),
                &options.raw,
                &mut size,
            )
        })?;
        Ok(size)
    }
}
