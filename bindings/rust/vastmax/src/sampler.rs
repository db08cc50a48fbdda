// SPDX-License-Identifier: Apache-2.0
//! Samplers of classes with exact proposal probabilities.
use crate::call::{Call, wrong_length};
use crate::context::Context;
use crate::error::{Error, Result, check};
use crate::softmax::pointer_to;
use crate::views::{IdsRef, Lists, MatrixMut, MatrixRef, VectorMut, VectorRef, count, matrix_or_none};
use std::fmt;
use std::marker::PhantomData;
use vastmax_sys as sys;

/// What a [`Sampler`] draws by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum SamplerKind {
    /// `q = 1 / V`.
    Uniform = sys::VMX_SAMPLER_UNIFORM,
    /// `q_k = log((k + 2) / (k + 1)) / log(V + 1)`: classes sorted by falling frequency.
    LogUniform = sys::VMX_SAMPLER_LOG_UNIFORM,
    /// `q = w^power / sum w^power`, by an alias table.
    Weights = sys::VMX_SAMPLER_WEIGHTS,
    /// The batch's own positives: draws nothing, estimates q from what [`Sampler::observe`] saw.
    InBatch = sys::VMX_SAMPLER_IN_BATCH,
    /// Softmax of quantised scores, by an inverted multi-index over the embeddings; needs `hidden`.
    Midx = sys::VMX_SAMPLER_MIDX,
    /// q proportional to `alpha (h.w / T)^2 + 1`, by a tree of Gram matrices; needs `hidden`.
    Quadratic = sys::VMX_SAMPLER_QUADRATIC,
    /// The softmax itself, by Gumbel top-k over all scores; needs `hidden`.
    Exact = sys::VMX_SAMPLER_EXACT,
}

/// How a [`Sampler`] is made. The setters of other kinds must not be used.
#[derive(Clone, Copy, Debug)]
pub struct SamplerOptions<'a> {
    raw: sys::vmx_sampler_options,
    kind: SamplerKind,
    _borrowed: PhantomData<&'a ()>,
}

// SAFETY: shared references to elements.
unsafe impl Send for SamplerOptions<'_> {}
unsafe impl Sync for SamplerOptions<'_> {}

impl<'a> SamplerOptions<'a> {
    fn of(kind: SamplerKind, classes: i64) -> Self {
        let raw = sys::vmx_sampler_options { kind: kind as i32, classes, ..sys::vmx_sampler_options::INIT };
        Self { raw, kind, _borrowed: PhantomData }
    }

    fn of_embeddings(kind: SamplerKind, embeddings: MatrixRef<'a>) -> Self {
        let mut made = Self::of(kind, embeddings.raw.rows);
        made.raw.embeddings = embeddings.raw;
        made
    }

    /// All classes alike.
    pub fn uniform(classes: usize) -> Self {
        Self::of(SamplerKind::Uniform, count(classes))
    }

    /// Of classes sorted by falling frequency.
    pub fn log_uniform(classes: usize) -> Self {
        Self::of(SamplerKind::LogUniform, count(classes))
    }

    /// By weights, \[classes\] of `f32`, `f64`, `i32` or `i64`: finite, >= 0, not all 0. They are copied.
    pub fn weights(weights: impl Into<VectorRef<'a>>) -> Self {
        let weights = weights.into();
        let mut made = Self::of(SamplerKind::Weights, weights.raw.n);
        made.raw.weights = weights.raw;
        made
    }

    /// Estimates how likely classes are in a batch.
    pub fn in_batch(classes: usize) -> Self {
        Self::of(SamplerKind::InBatch, count(classes))
    }

    /// By quantised `embeddings`, \[classes, dim\] of `f32` or `bf16`.
    pub fn midx(embeddings: impl Into<MatrixRef<'a>>) -> Self {
        Self::of_embeddings(SamplerKind::Midx, embeddings.into())
    }

    /// By the quadratic kernel of `embeddings`, \[classes, dim\] of `f32` or `bf16`, which are copied.
    pub fn quadratic(embeddings: impl Into<MatrixRef<'a>>) -> Self {
        Self::of_embeddings(SamplerKind::Quadratic, embeddings.into())
    }

    /// By the softmax of all scores of `embeddings`, \[classes, dim\] of `f32` or `bf16`, which the sampler
    /// borrows.
    pub fn exact(embeddings: impl Into<MatrixRef<'a>>) -> Self {
        Self::of_embeddings(SamplerKind::Exact, embeddings.into())
    }

    /// Weights: what they are raised to. Finite, >= 0; default 1.
    pub fn power(mut self, power: f64) -> Self {
        self.raw.power = power;
        self
    }

    /// Midx, quadratic, exact: divides the scores. Finite, > 0; default 1.
    pub fn temperature(mut self, t: f64) -> Self {
        self.raw.temperature = t;
        self
    }

    /// Quadratic: finite, >= 0; default 100.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.raw.alpha = alpha;
        self
    }

    /// In-batch: how fast the estimate follows, in (0, 1\]; default 0.01.
    pub fn rate(mut self, rate: f64) -> Self {
        self.raw.rate = rate;
        self
    }

    /// Midx: of its k-means; default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.raw.seed = seed;
        self
    }

    /// Midx: codewords of each of its two codebooks, at most 1024; 0 (the default): chosen by the number of
    /// classes.
    pub fn codewords(mut self, codewords: usize) -> Self {
        self.raw.codewords = i32::try_from(codewords).unwrap_or(i32::MAX);
        self
    }
}

/// Draws negative classes, and tells their exact proposal probabilities. A draw is a function of (seed, step,
/// row, place) alone, the same on every ISA and for any number of threads.
///
/// `Send + Sync`: drawing takes `&self`, [`update`](Self::update) and [`observe`](Self::observe) take `&mut
/// self`. It does not borrow its context. `'e` is how long the embeddings of an
/// [exact](SamplerOptions::exact) one are borrowed; other kinds copy what they need and may live on: they are
/// made by [`new`](Self::new).
///
/// ```
/// use vastmax::{Call, Context, DrawOptions, Draws, Lists, LogQ, Sampler, SamplerOptions};
///
/// let counts = [50i64, 20, 20, 5, 5, 0];
/// let sampler = Sampler::new(&Context::default(), &SamplerOptions::weights(&counts).power(0.75))?;
/// let (mut ids, mut log_q) = ([[0i64; 4]], [[0.0f32; 4]]);
/// let draws = Draws::new(&mut ids).log_q(&mut log_q);
/// Call::new().sampler_draw(&sampler, None, draws, &DrawOptions::new().seed(7).unique())?;
/// assert!(ids[0].iter().all(|&id| id < 5), "a weight of 0 is never drawn");
///
/// let mut of_labels = [0.0f64; 2];
/// Call::new().sampler_log_q(&sampler, None, &Lists::from(&[0i64, 5]), LogQ::Probability, &mut of_labels)?;
/// assert!(of_labels[0] > -1.0 && of_labels[1] == f64::NEG_INFINITY);
/// # Ok::<(), vastmax::Error>(())
/// ```
pub struct Sampler<'e> {
    raw: *mut sys::vmx_sampler,
    kind: SamplerKind,
    _embeddings: PhantomData<&'e ()>,
}

// SAFETY: the C ABI: immutable but for update and observe, which take &mut self.
unsafe impl Send for Sampler<'_> {}
unsafe impl Sync for Sampler<'_> {}

fn create(ctx: &Context, options: &SamplerOptions<'_>) -> Result<*mut sys::vmx_sampler> {
    let mut raw = std::ptr::null_mut();
    // SAFETY: the options' views are borrowed during the call.
    check(unsafe { sys::vmx_sampler_create(ctx.raw, &options.raw, &mut raw) })?;
    Ok(raw)
}

impl Sampler<'static> {
    /// A sampler that copies what it needs: any kind but [`SamplerKind::Exact`], which is [`Error::Value`]
    /// here.
    ///
    /// Weights that are negative, not finite, or all 0 are [`Error::Value`]. Embeddings with NaN or
    /// infinities are no error: they show in the flags of the rows drawn.
    pub fn new(ctx: &Context, options: &SamplerOptions<'_>) -> Result<Self> {
        if options.kind == SamplerKind::Exact {
            return Err(Error::Value(
                "vmx_sampler_create: options.kind is VMX_SAMPLER_EXACT, which borrows its embeddings: use Sampler::borrowing"
                    .into(),
            ));
        }
        Ok(Self { raw: create(ctx, options)?, kind: options.kind, _embeddings: PhantomData })
    }
}

impl<'e> Sampler<'e> {
    /// A sampler that may borrow what the options borrow: any kind.
    ///
    /// The embeddings cannot change while it lives:
    /// ```compile_fail,E0506
    /// use vastmax::{Context, MatrixRef, Sampler, SamplerOptions};
    /// let mut table = [[1.0f32, 0.0], [0.0, 1.0]];
    /// let sampler = Sampler::borrowing(&Context::default(), &SamplerOptions::exact(MatrixRef::from(&table))).unwrap();
    /// table[0][0] = 2.0;
    /// sampler.size();
    /// ```
    pub fn borrowing(ctx: &Context, options: &SamplerOptions<'e>) -> Result<Self> {
        Ok(Self { raw: create(ctx, options)?, kind: options.kind, _embeddings: PhantomData })
    }

    /// What it draws by.
    pub fn kind(&self) -> SamplerKind {
        self.kind
    }

    /// Takes new embeddings of the same shape: midx quantises again from the codebooks at hand, quadratic
    /// sums its tree again. With `ids` (quadratic only) only these classes have changed.
    /// [`Error::Unsupported`] for kinds without embeddings, and for the exact kind: make a new one, which
    /// costs nothing.
    ///
    /// ```
    /// use vastmax::{Context, MatrixRef, Sampler, SamplerOptions};
    /// let mut table = [[1.0f32, 0.0], [0.0, 1.0], [1.0, 1.0]];
    /// let ctx = Context::default();
    /// let mut sampler = Sampler::new(&ctx, &SamplerOptions::quadratic(MatrixRef::from(&table)))?;
    /// table[1] = [0.0, 2.0];
    /// sampler.update(&ctx, MatrixRef::from(&table), Some((&[1i64]).into()))?;
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn update<'w>(
        &mut self,
        ctx: &Context,
        embeddings: impl Into<MatrixRef<'w>>,
        ids: Option<IdsRef<'_>>,
    ) -> Result<()> {
        if self.kind == SamplerKind::Exact {
            return Err(Error::Unsupported(
                "vmx_sampler_update: VMX_SAMPLER_EXACT borrows its embeddings: make a new sampler of the new ones".into(),
            ));
        }
        let ids = ids.map(|v| v.raw);
        // SAFETY: the views are borrowed during the call, and this kind keeps none.
        check(unsafe { sys::vmx_sampler_update(ctx.raw, self.raw, &embeddings.into().raw, pointer_to(&ids)) })
    }

    /// In-batch: class ids seen in the batch of that step. Steps do not fall ([`Error::Value`]); a batch may
    /// come in parts; a repeat within a step counts once.
    pub fn observe<'i>(&mut self, ids: impl Into<IdsRef<'i>>, step: i64) -> Result<()> {
        // SAFETY: the view is borrowed during the call.
        check(unsafe { sys::vmx_sampler_observe(self.raw, &ids.into().raw, step) })
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        // SAFETY: raw is a sampler.
        unsafe { sys::vmx_sampler_size(self.raw) }
    }

    /// For functions of the C ABI. Valid as long as this.
    pub fn as_raw(&self) -> *const sys::vmx_sampler {
        self.raw
    }
}

impl Drop for Sampler<'_> {
    fn drop(&mut self) {
        // SAFETY: no call uses it: they borrow it.
        unsafe { sys::vmx_sampler_destroy(self.raw) };
    }
}

impl fmt::Debug for Sampler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").field("kind", &self.kind).field("size", &self.size()).finish()
    }
}

/// Options of a draw. Default: with replacement (the exact kind: without), seed 0, step 0, log q.
#[derive(Clone, Copy, Debug, Default)]
pub struct DrawOptions {
    flags: u32,
    seed: u64,
    step: i64,
}

impl DrawOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self { flags: 0, seed: 0, step: 0 }
    }

    /// Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A training step, or any number in \[0, 2^56): another one gives independent draws.
    pub fn step(mut self, step: i64) -> Self {
        self.step = step;
        self
    }

    /// Without replacement: repeats are drawn again.
    pub fn unique(mut self) -> Self {
        self.flags |= sys::VMX_DRAW_UNIQUE;
        self
    }

    /// `log_q` receives log expected counts.
    pub fn counts(mut self) -> Self {
        self.flags |= sys::VMX_DRAW_COUNTS;
        self
    }

    /// Exact, no other: with replacement.
    pub fn replace(mut self) -> Self {
        self.flags |= sys::VMX_DRAW_REPLACE;
        self
    }

    fn raw(&self) -> sys::vmx_draw_options {
        sys::vmx_draw_options {
            flags: self.flags,
            seed: self.seed,
            step: self.step,
            ..sys::vmx_draw_options::INIT
        }
    }
}

/// Where draws go.
#[derive(Debug)]
pub struct Draws<'a> {
    ids: MatrixMut<'a>,
    log_q: Option<MatrixMut<'a>>,
    tries: Option<&'a mut [i64]>,
}

impl<'a> Draws<'a> {
    /// `ids`: \[1, m\] for all rows together, or \[rows, m\]; `i32` or `i64`, from 0, in the order drawn.
    pub fn new(ids: impl Into<MatrixMut<'a>>) -> Self {
        Self { ids: ids.into(), log_q: None, tries: None }
    }

    /// `f32`, of the shape of the ids: exact log q of each, or log expected counts.
    pub fn log_q(mut self, log_q: impl Into<MatrixMut<'a>>) -> Self {
        self.log_q = Some(log_q.into());
        self
    }

    /// Draws made for each row of ids, repeats included.
    pub fn tries(mut self, tries: &'a mut [i64]) -> Self {
        self.tries = Some(tries);
        self
    }
}

/// Which probability [`Call::sampler_log_q`] tells.
#[derive(Clone, Copy, Debug)]
pub enum LogQ<'a> {
    /// log q.
    Probability,
    /// Log expected count in so many draws with replacement, at least 1: `log(m q)`.
    Expected(i64),
    /// Log expected count of `draws` without replacement: `log(-expm1(tries log1p(-q)))`, with one number of
    /// tries for each list, or one for all.
    Unique {
        /// How many were drawn.
        draws: i64,
        /// What [`Draws::tries`] received.
        tries: &'a [i64],
    },
}

impl Call<'_> {
    /// Draws m classes for all rows together, or for each row.
    ///
    /// - `hidden`: \[rows, dim\] `f32` or `bf16` for midx, quadratic and exact, one list for each row; `None`
    ///   for the others.
    /// - Flags, one for each row of ids: NAN, INF of `hidden`'s scores (ids are then -1, log q NaN); EMPTY if
    ///   no class has a score above -inf; UNDERFULL if fewer than m classes could be drawn without
    ///   replacement: the rest has id -1 and log q -inf.
    /// - [`Error::Value`] for more draws without replacement than classes, [`Error::Unsupported`] for the
    ///   in-batch kind.
    pub fn sampler_draw(
        &mut self,
        sampler: &Sampler<'_>,
        hidden: Option<MatrixRef<'_>>,
        draws: Draws<'_>,
        options: &DrawOptions,
    ) -> Result<()> {
        let (hidden, ids, options) = (hidden.map(|m| m.raw), draws.ids.raw, options.raw());
        let log_q = matrix_or_none(draws.log_q);
        let flags = self.flags_for("vmx_sampler_draw", ids.rows)?;
        let tries = match draws.tries {
            Some(tries) if tries.len() as i64 != ids.rows => {
                return Err(wrong_length("vmx_sampler_draw", "tries", tries.len(), ids.rows));
            }
            Some(tries) => tries.as_mut_ptr(),
            None => std::ptr::null_mut(),
        };
        // SAFETY: the views are borrowed during the call, mutably where it writes; tries and flags have
        // ids.rows elements.
        check(unsafe {
            sys::vmx_sampler_draw(
                self.ctx,
                self.ws,
                sampler.raw,
                pointer_to(&hidden),
                &ids,
                &log_q,
                tries,
                flags,
                &options,
            )
        })
    }

    /// log q of given classes, as for the labels of a batch.
    ///
    /// - `hidden`: as in [`sampler_draw`](Self::sampler_draw); its row r belongs to list r.
    /// - `classes`: a list for each row; weights are not looked at. [`Error::Label`] for an id outside the
    ///   classes.
    /// - `log_q`: one for each id, `f32` or `f64`; -inf for a class that is never drawn, NaN in rows with NaN
    ///   or +inf.
    pub fn sampler_log_q<'y>(
        &mut self,
        sampler: &Sampler<'_>,
        hidden: Option<MatrixRef<'_>>,
        classes: &Lists<'_>,
        which: LogQ<'_>,
        log_q: impl Into<VectorMut<'y>>,
    ) -> Result<()> {
        let (hidden, log_q) = (hidden.map(|m| m.raw), log_q.into());
        let rows = classes.rows();
        let (draws, tries, stride) = match which {
            LogQ::Probability => (0, std::ptr::null(), 0),
            // For C that is no number of draws, but asks for log q.
            LogQ::Expected(0) | LogQ::Unique { draws: 0, .. } => {
                return Err(Error::Value("vmx_sampler_log_q: draws is 0, but must be at least 1".into()));
            }
            LogQ::Expected(draws) => (draws, std::ptr::null(), 0),
            LogQ::Unique { draws, tries } if tries.len() == rows => (draws, tries.as_ptr(), 1),
            LogQ::Unique { draws, tries } if tries.len() == 1 => (draws, tries.as_ptr(), 0),
            LogQ::Unique { tries, .. } => {
                return Err(wrong_length("vmx_sampler_log_q", "tries", tries.len(), rows as i64));
            }
        };
        // SAFETY: the views are borrowed during the call, and tries has an element for each list, or one.
        check(unsafe {
            sys::vmx_sampler_log_q(
                self.ctx,
                self.ws,
                sampler.raw,
                pointer_to(&hidden),
                &classes.raw,
                draws,
                tries,
                stride,
                &log_q.raw,
            )
        })
    }
}

impl Context {
    /// Bytes that [`Call::sampler_draw`] of these shapes may take from its workspace.
    pub fn sampler_draw_workspace_size<'i>(
        &self,
        sampler: &Sampler<'_>,
        hidden: Option<MatrixRef<'_>>,
        ids: impl Into<MatrixRef<'i>>,
        options: &DrawOptions,
    ) -> Result<usize> {
        let hidden = hidden.map(|m| m.raw);
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe {
            sys::vmx_sampler_draw_workspace_size(
                self.raw,
                sampler.raw,
                pointer_to(&hidden),
                &ids.into().raw,
                &options.raw(),
                &mut size,
            )
        })?;
        Ok(size)
    }
}
