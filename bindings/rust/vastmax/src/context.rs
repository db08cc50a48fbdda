// SPDX-License-Identifier: Apache-2.0
//! Contexts, workspaces and ISAs.
use crate::call::Call;
use crate::error::{Result, check};
#[cfg(feature = "rayon")]
use crate::helpers::Helpers;
use std::any::Any;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use vastmax_sys as sys;

/// An instruction set that kernels are compiled for. Results do not depend on it, but for what oneDNN
/// multiplies (see [`Linear`](crate::Linear)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isa(pub i32);

impl Isa {
    /// The best that the CPU can run.
    pub const BEST: Isa = Isa(sys::VMX_ISA_BEST);
    /// Plain code.
    pub const SCALAR: Isa = Isa(sys::VMX_ISA_SCALAR);
    /// AVX2 with FMA and F16C.
    pub const AVX2: Isa = Isa(sys::VMX_ISA_AVX2);
    /// AVX-512 F, BW, VL, DQ.
    pub const AVX512: Isa = Isa(sys::VMX_ISA_AVX512);

    /// Those of this build of the library, in rising order.
    ///
    /// ```
    /// use vastmax::Isa;
    /// let usable: Vec<Isa> = Isa::all().filter(|isa| isa.is_usable()).collect();
    /// assert!(usable.contains(&Isa::SCALAR));
    /// ```
    pub fn all() -> impl Iterator<Item = Isa> {
        // SAFETY: any index may be asked for.
        (0..unsafe { sys::vmx_isa_count() }).map(|i| Isa(unsafe { sys::vmx_isa_id(i) }))
    }

    /// "scalar", "avx2", "avx512"; "unknown" for other numbers.
    pub fn name(self) -> &'static str {
        // SAFETY: any number may be asked for, and the text is static.
        static_text(unsafe { sys::vmx_isa_name(self.0) })
    }

    /// Whether this CPU and its operating system can run it and the build holds it.
    pub fn is_usable(self) -> bool {
        // SAFETY: any number may be asked for.
        unsafe { sys::vmx_isa_usable(self.0) != 0 }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(crate) fn static_text(text: *const std::ffi::c_char) -> &'static str {
    // SAFETY: the library's texts end with a NUL and are there for ever.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

/// The tasks of one call, handed to the function of [`ContextOptions::thread_source`]: run them on as many
/// threads as you like.
#[derive(Debug)]
pub struct Tasks {
    task: unsafe extern "C" fn(*mut c_void, i64),
    argument: *mut c_void,
    n: i64,
    next: AtomicI64,
}

// SAFETY: the C ABI lets tasks run on any threads, each index once, which next sees to.
unsafe impl Send for Tasks {}
unsafe impl Sync for Tasks {}

impl Tasks {
    /// How many there are, run or not.
    pub fn len(&self) -> usize {
        self.n as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Runs the next task that nobody has taken yet: `false` if all are taken.
    pub fn run_one(&self) -> bool {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.n {
            self.next.store(self.n, Ordering::Relaxed); // never overflows
            return false;
        }
        // SAFETY: this index is ours alone.
        unsafe { (self.task)(self.argument, index) };
        true
    }

    #[cfg(feature = "rayon")]
    pub(crate) fn any_left(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.n
    }

    /// Runs tasks until all are taken.
    pub fn run_all(&self) {
        while self.run_one() {}
    }
}

type ThreadSource = Box<dyn Fn(&Tasks) + Send + Sync>;

/// What the C library calls: the thread source, its panics turned into a status.
unsafe extern "C" fn parallel_for(
    user: *mut c_void,
    n: i64,
    task: sys::vmx_task,
    argument: *mut c_void,
) -> i32 {
    let Some(task) = task else { return 1 };
    // SAFETY: user is the ThreadSource that the context owns.
    let source = unsafe { &*user.cast::<ThreadSource>() };
    let tasks = Tasks { task, argument, n, next: AtomicI64::new(0) };
    // Nobody can hold on to tasks: when the source is back, or has panicked, no task is running.
    match catch_unwind(AssertUnwindSafe(|| source(&tasks))) {
        Ok(()) => {
            tasks.run_all();
            0
        }
        Err(payload) => {
            drop_quietly(payload);
            1
        }
    }
}

/// A payload whose drop panics must not unwind into C.
fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(second);
    }
}

/// How a [`Context`] is made.
#[derive(Default)]
pub struct ContextOptions {
    isa: Option<Isa>,
    threads: i32,
    source: Option<ThreadSource>,
}

impl fmt::Debug for ContextOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextOptions")
            .field("isa", &self.isa)
            .field("threads", &self.threads)
            .field("thread_source", &self.source.is_some())
            .finish()
    }
}

impl ContextOptions {
    /// The best ISA, the calling thread only.
    pub fn new() -> Self {
        Self::default()
    }

    /// The highest ISA to use. The environment variable `VASTMAX_ISA` caps it too.
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// An own pool of `threads`, the caller included; 0 or 1: none. At most 1024.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = clamped(threads);
        self.source = None;
        self
    }

    /// Threads of yours: `source` is called with the tasks of a call, and is expected to use about `threads`
    /// of them. What it leaves undone the calling thread does. If it panics, the call gives
    /// [`Error::Callback`](crate::Error::Callback).
    ///
    /// ```
    /// use vastmax::{ContextOptions, MatrixRef, SoftmaxOptions};
    ///
    /// let ctx = ContextOptions::new()
    ///     .thread_source(2, |tasks| {
    ///         std::thread::scope(|scope| {
    ///             scope.spawn(|| tasks.run_all());
    ///             tasks.run_all();
    ///         })
    ///     })
    ///     .create()?;
    /// let mut lse = [0.0f32; 2];
    /// ctx.call().logsumexp(MatrixRef::from(&[[0.0f32, 0.0], [1.0, 1.0]]), &mut lse, &SoftmaxOptions::new())?;
    /// assert_eq!(lse, [0.6931472, 1.6931472]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn thread_source(mut self, threads: usize, source: impl Fn(&Tasks) + Send + Sync + 'static) -> Self {
        self.threads = clamped(threads);
        self.source = Some(Box::new(source));
        self
    }

    /// The threads of rayon: of the pool that the calling thread belongs to, else of the global one.
    ///
    /// Each call offers its tasks to at most one job for each thread of the pool, works itself, and waits only
    /// for jobs that have begun: a busy pool holds up nothing. The waiting thread does not run other jobs of
    /// the pool meanwhile, so that what it has locked or borrowed, say a [`Workspace`], is safe from them.
    ///
    /// ```
    /// let ctx = vastmax::ContextOptions::new().rayon().create()?;
    /// assert_eq!(ctx.threads(), rayon::current_num_threads());
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    #[cfg(feature = "rayon")]
    pub fn rayon(self) -> Self {
        let threads = rayon::current_num_threads();
        let helpers = Arc::new(Helpers::default());
        self.thread_source(threads, move |tasks| {
            helpers.run(tasks, threads, |job| rayon::spawn(|| job.help()));
        })
    }

    /// As [`rayon`](Self::rayon), with a pool of yours.
    #[cfg(feature = "rayon")]
    pub fn rayon_pool(self, pool: Arc<rayon::ThreadPool>) -> Self {
        let threads = pool.current_num_threads();
        let helpers = Arc::new(Helpers::default());
        self.thread_source(threads, move |tasks| {
            helpers.run(tasks, threads, |job| pool.spawn(|| job.help()));
        })
    }

    /// Makes the context. `Error::Unsupported` if the ISA, or that of `VASTMAX_ISA`, is none of this CPU or
    /// build; `Error::Value` for an unknown one or more than 1024 threads.
    pub fn create(self) -> Result<Context> {
        let mut options = sys::vmx_context_options::INIT;
        options.isa = self.isa.unwrap_or(Isa::BEST).0;
        options.threads = self.threads;
        // Not a Box: moving one would end what pointers into it may do.
        let source = self.source.map(Arc::new);
        if let Some(source) = &source {
            options.parallel_for = Some(parallel_for);
            options.parallel_for_user = Arc::as_ptr(source).cast_mut().cast();
        }
        let mut raw = std::ptr::null_mut();
        // SAFETY: both pointers are to what they should be.
        check(unsafe { sys::vmx_context_create(&options, &mut raw) })?;
        Ok(Context { raw, _source: source })
    }
}

fn clamped(threads: usize) -> i32 {
    i32::try_from(threads).unwrap_or(i32::MAX)
}

/// Where calls run: the ISA and the threads. Immutable; any number of threads may use one at the same time
/// (`Send + Sync`).
///
/// [`Context::default`] is the C ABI's NULL context: the best ISA, the calling thread only. It costs nothing.
///
/// ```
/// use vastmax::{Context, Isa};
/// let ctx = Context::with_threads(2)?;
/// assert_eq!(ctx.threads(), 2);
/// assert!(ctx.isa() >= Isa::SCALAR);
/// # Ok::<(), vastmax::Error>(())
/// ```
pub struct Context {
    pub(crate) raw: *mut sys::vmx_context, // may be NULL
    _source: Option<Arc<ThreadSource>>,    // at an address of its own, which the C context keeps
}

// SAFETY: the C ABI: "Immutable after creation; any number of threads may use one". The source is Send and
// Sync.
unsafe impl Send for Context {}
unsafe impl Sync for Context {}

impl Context {
    /// An own pool of that many threads, the caller included.
    pub fn with_threads(threads: usize) -> Result<Self> {
        ContextOptions::new().threads(threads).create()
    }

    /// A call on it.
    #[inline]
    pub fn call(&self) -> Call<'_> {
        Call::new().context(self)
    }

    /// The ISA that calls use.
    pub fn isa(&self) -> Isa {
        // SAFETY: raw is NULL or a context.
        Isa(unsafe { sys::vmx_isa_active(self.raw) })
    }

    /// Threads that calls may use, the caller included: at least 1.
    pub fn threads(&self) -> usize {
        // SAFETY: raw is NULL or a context.
        unsafe { sys::vmx_context_threads(self.raw) as usize }
    }

    /// For functions of the C ABI; NULL for the default context. Valid as long as this.
    pub fn as_raw(&self) -> *const sys::vmx_context {
        self.raw
    }
}

impl Default for Context {
    fn default() -> Self {
        Self { raw: std::ptr::null_mut(), _source: None }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: calls and workspaces borrow the context, so that none is left.
        unsafe { sys::vmx_context_destroy(self.raw) };
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("isa", &self.isa().name()).field("threads", &self.threads()).finish()
    }
}

/// Warm scratch memory: with one, repeated calls allocate nothing. It grows as calls need it. A call borrows
/// it mutably, so that one serves one call at a time. `Send + Sync`; it borrows the context that it was made
/// with.
///
/// ```
/// use vastmax::{Call, Context, MatrixRef, SoftmaxOptions, Workspace};
///
/// let ctx = Context::default();
/// let mut workspace = Workspace::new(&ctx)?;
/// workspace.reserve(ctx.softmax_workspace_size(
///     MatrixRef::of_shape::<f32>(2, 1000),
///     None,
///     &SoftmaxOptions::new(),
/// )?)?;
/// let scores = vec![0.5f32; 2000];
/// let mut lse = [0.0f32; 2];
/// for _ in 0..3 {
///     let x = MatrixRef::new(&scores, 2, 1000)?;
///     ctx.call().workspace(&mut workspace).logsumexp(x, &mut lse, &SoftmaxOptions::new())?;
/// }
/// # Ok::<(), vastmax::Error>(())
/// ```
///
/// The context outlives it:
/// ```compile_fail,E0505
/// let ctx = vastmax::Context::with_threads(2).unwrap();
/// let workspace = vastmax::Workspace::new(&ctx).unwrap();
/// drop(ctx);
/// workspace.capacity();
/// ```
pub struct Workspace<'ctx> {
    pub(crate) raw: *mut sys::vmx_workspace,
    _context: PhantomData<&'ctx Context>,
}

// SAFETY: a call needs it mutably, and what takes &self reads a number that only calls change.
unsafe impl Send for Workspace<'_> {}
unsafe impl Sync for Workspace<'_> {}

impl<'ctx> Workspace<'ctx> {
    /// An empty one.
    pub fn new(ctx: &'ctx Context) -> Result<Self> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: both pointers are to what they should be.
        check(unsafe { sys::vmx_workspace_create(ctx.raw, &mut raw) })?;
        Ok(Self { raw, _context: PhantomData })
    }

    /// Makes sure that a call which needs up to `size` bytes allocates nothing.
    pub fn reserve(&mut self, size: usize) -> Result<()> {
        // SAFETY: raw is a workspace.
        check(unsafe { sys::vmx_workspace_reserve(self.raw, size) })
    }

    /// Bytes held.
    pub fn capacity(&self) -> usize {
        // SAFETY: raw is a workspace.
        unsafe { sys::vmx_workspace_capacity(self.raw) }
    }

    /// For functions of the C ABI. Valid as long as this.
    pub fn as_raw(&mut self) -> *mut sys::vmx_workspace {
        self.raw
    }
}

impl Drop for Workspace<'_> {
    fn drop(&mut self) {
        // SAFETY: raw is a workspace that no call uses.
        unsafe { sys::vmx_workspace_destroy(self.raw) };
    }
}

impl fmt::Debug for Workspace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").field("capacity", &self.capacity()).finish()
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;
    use std::sync::Barrier;

    unsafe extern "C" fn meet(barrier: *mut c_void, _: i64) {
        // SAFETY: the test's.
        unsafe { &*barrier.cast::<Barrier>() }.wait();
    }

    unsafe extern "C" fn nothing(_: *mut c_void, _: i64) {}

    fn pool() -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
    }

    /// Two tasks that wait for each other need two threads.
    #[test]
    fn helpers_do_help() {
        let (pool, helpers) = (pool(), Arc::new(Helpers::default()));
        for _ in 0..100 {
            let barrier = Barrier::new(2);
            let argument = (&raw const barrier).cast_mut().cast();
            let tasks = Tasks { task: meet, argument, n: 2, next: AtomicI64::new(0) };
            helpers.run(&tasks, 2, |job| pool.spawn(|| job.help()));
            assert!(!tasks.any_left());
        }
    }

    #[test]
    fn a_busy_pool_gathers_no_jobs() {
        let (pool, helpers) = (pool(), Arc::new(Helpers::default()));
        let (begun, end) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
        for _ in 0..2 {
            let (begun, end) = (begun.clone(), end.clone());
            pool.spawn(move || {
                begun.wait();
                end.wait();
            });
        }
        begun.wait();
        for _ in 0..1000 {
            let tasks =
                Tasks { task: nothing, argument: std::ptr::null_mut(), n: 9, next: AtomicI64::new(0) };
            helpers.run(&tasks, 2, |job| pool.spawn(|| job.help()));
            assert_eq!(helpers.waiting(), 1);
        }
        end.wait();
        while helpers.waiting() > 0 {
            std::thread::yield_now();
        }
    }
}
