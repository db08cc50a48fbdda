// SPDX-License-Identifier: Apache-2.0
//! Which types may go to other threads, contexts on several kinds of threads, and what their failures do.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vastmax::*;

const COLS: usize = 40 * BLOCK + 17;

fn scores() -> Vec<f32> {
    (0..3 * COLS).map(|i| ((i as u64 * 2654435761 % 1000) as f32) / 100.0 - 5.0).collect()
}

/// Softmax of three long rows, which is worth many tasks.
fn softmax_on(ctx: &Context) -> Result<Vec<f32>> {
    let scores = scores();
    let mut y = vec![0.0f32; scores.len()];
    let (x, out) = (MatrixRef::new(&scores, 3, COLS)?, MatrixMut::new(&mut y, 3, COLS)?);
    ctx.call().softmax(x, out, None, &SoftmaxOptions::new())?;
    Ok(y)
}

fn send_sync<T: Send + Sync>() {}

#[test]
fn types_may_go_to_other_threads() {
    send_sync::<Context>();
    send_sync::<ContextOptions>();
    send_sync::<Tasks>();
    send_sync::<Workspace<'_>>();
    send_sync::<PackedWeights>();
    send_sync::<Sampler<'_>>();
    send_sync::<Call<'_>>();
    send_sync::<MatrixRef<'_>>();
    send_sync::<MatrixMut<'_>>();
    send_sync::<VectorRef<'_>>();
    send_sync::<VectorMut<'_>>();
    send_sync::<IdsRef<'_>>();
    send_sync::<Lists<'_>>();
    send_sync::<SoftmaxOptions<'_>>();
    send_sync::<LseOptions<'_>>();
    send_sync::<CrossEntropyOptions<'_>>();
    send_sync::<CrossEntropyOut<'_>>();
    send_sync::<TopkOptions<'_>>();
    send_sync::<Linear<'_>>();
    send_sync::<LinearGrads<'_>>();
    send_sync::<SamplerOptions<'_>>();
    send_sync::<DrawOptions>();
    send_sync::<Draws<'_>>();
    send_sync::<Candidates<'_>>();
    send_sync::<SampledOptions>();
    send_sync::<SampledOut<'_>>();
    send_sync::<SampledGrads<'_>>();
    send_sync::<Table<'_>>();
    send_sync::<InBatch<'_>>();
    send_sync::<SparseRows<'_>>();
    send_sync::<UpdateOptions>();
    send_sync::<Moments<'_>>();
    send_sync::<LseState>();
    send_sync::<LseShort>();
    send_sync::<Error>();
}

#[test]
fn one_context_serves_many_threads() {
    let alone = softmax_on(&Context::default()).unwrap();
    let ctx = Context::with_threads(3).unwrap();
    assert_eq!(ctx.threads(), 3);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert!(softmax_on(&ctx).unwrap() == alone));
        }
    });
}

#[test]
fn one_sampler_serves_many_threads() {
    let sampler = Sampler::new(&Context::default(), &SamplerOptions::log_uniform(1000)).unwrap();
    let draw = || {
        let mut ids = [[0i64; 50]; 4];
        Call::new().sampler_draw(&sampler, None, Draws::new(&mut ids), &DrawOptions::new().seed(3)).unwrap();
        ids
    };
    let alone = draw();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(draw(), alone));
        }
    });
}

#[test]
fn a_thread_source_runs_every_task_once() {
    let expected = softmax_on(&Context::default()).unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let total = Arc::new(AtomicUsize::new(0));
    let (counted, wanted) = (ran.clone(), total.clone());
    let ctx = ContextOptions::new()
        .thread_source(3, move |tasks| {
            assert!(!tasks.is_empty());
            wanted.fetch_add(tasks.len(), Ordering::Relaxed);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        while tasks.run_one() {
                            counted.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert!(!tasks.run_one(), "all are taken");
        })
        .create()
        .unwrap();
    assert_eq!(ctx.threads(), 3);
    assert!(softmax_on(&ctx).unwrap() == expected);
    assert!(total.load(Ordering::Relaxed) > 1);
    assert_eq!(ran.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
}

#[test]
fn what_a_thread_source_leaves_the_caller_does() {
    let expected = softmax_on(&Context::default()).unwrap();
    let lazy = ContextOptions::new().thread_source(2, |_| {}).create().unwrap();
    assert!(softmax_on(&lazy).unwrap() == expected);
    let one = ContextOptions::new().thread_source(2, |tasks| assert!(tasks.run_one())).create().unwrap();
    assert!(softmax_on(&one).unwrap() == expected);
}

#[test]
fn a_panic_is_an_error() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let ctx = ContextOptions::new()
        .thread_source(2, move |tasks| {
            tasks.run_one();
            if seen.fetch_add(1, Ordering::Relaxed) == 0 {
                std::panic::resume_unwind(Box::new("no threads today")); // without a message on stderr
            }
        })
        .create()
        .unwrap();
    match softmax_on(&ctx) {
        Err(Error::Callback(message)) => assert_eq!(message, "vmx_softmax: parallel_for returned 1"),
        other => panic!("{:?}", other.map(|y| y.len())),
    }
    // The context is as good as before.
    assert!(softmax_on(&ctx).unwrap() == softmax_on(&Context::default()).unwrap());
    assert!(calls.load(Ordering::Relaxed) > 1);
}

#[test]
fn a_payload_that_panics_when_dropped_stays_inside() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("again"));
        }
    }
    let ctx = ContextOptions::new()
        .thread_source(2, |_| std::panic::resume_unwind(Box::new(Bomb)))
        .create()
        .unwrap();
    assert!(matches!(softmax_on(&ctx), Err(Error::Callback(_))));
}

#[test]
fn a_thread_source_may_call_back() {
    let expected = softmax_on(&Context::default()).unwrap();
    let ctx = ContextOptions::new()
        .thread_source(2, |tasks| {
            let mut lse = [0.0f64];
            let x = MatrixRef::from(&[[2.0f64]]);
            Call::new().logsumexp(x, &mut lse, &SoftmaxOptions::new()).unwrap();
            assert_eq!(lse, [2.0]);
            tasks.run_all();
        })
        .create()
        .unwrap();
    assert!(softmax_on(&ctx).unwrap() == expected);
}

#[test]
fn a_workspace_warms_up() {
    let ctx = Context::default();
    let mut workspace = Workspace::new(&ctx).unwrap();
    assert_eq!(workspace.capacity(), 0);
    let scores = scores();
    let mut y = vec![0.0f32; scores.len()];
    let size = ctx
        .softmax_workspace_size(
            MatrixRef::of_shape::<f32>(3, COLS),
            Some(MatrixRef::of_shape::<f32>(3, COLS)),
            &SoftmaxOptions::new(),
        )
        .unwrap();
    workspace.reserve(size).unwrap();
    let warm = workspace.capacity();
    assert!(warm >= size && size > 0);
    for _ in 0..2 {
        let (x, out) = (MatrixRef::new(&scores, 3, COLS).unwrap(), MatrixMut::new(&mut y, 3, COLS).unwrap());
        ctx.call().workspace(&mut workspace).softmax(x, out, None, &SoftmaxOptions::new()).unwrap();
    }
    assert_eq!(workspace.capacity(), warm, "the size was enough");
    assert!(y == softmax_on(&ctx).unwrap());
}

/// Every size that the header can tell, of calls that then fit.
#[test]
fn workspace_sizes() {
    let ctx = Context::default();
    let x = MatrixRef::of_shape::<f32>(4, 3 * BLOCK);
    let hidden = MatrixRef::of_shape::<f32>(4, 8);
    let weights = MatrixRef::of_shape::<f32>(100, 8);
    let shared = Candidates::new(MatrixRef::of_shape::<i64>(4, 16));
    let linear = Linear::new(weights);
    let (s, e, t) = (SoftmaxOptions::new(), CrossEntropyOptions::new(), TopkOptions::new());
    let mut embeddings = vec![[0.5f32; 8]; 100];
    embeddings[3] = [1.0; 8];
    let sampler = Sampler::new(&ctx, &SamplerOptions::quadratic(MatrixRef::from(&embeddings[..]))).unwrap();
    let ids = MatrixRef::of_shape::<i64>(4, 5);
    let mut sizes = vec![
        ctx.softmax_workspace_size(x, Some(x), &s).unwrap(),
        ctx.cross_entropy_workspace_size(x, Some(x), &e).unwrap(),
        ctx.topk_workspace_size(x, 50, &t).unwrap(),
        ctx.sampler_draw_workspace_size(&sampler, Some(hidden), ids, &DrawOptions::new()).unwrap(),
        ctx.sampled_loss_workspace_size(
            hidden,
            &Table::new(weights),
            4,
            &shared,
            None,
            &SampledOptions::new(),
        )
        .unwrap(),
    ];
    if !onednn_version().is_empty() {
        sizes.push(ctx.linear_logsumexp_workspace_size(hidden, &linear, &s).unwrap());
        sizes.push(
            ctx.linear_cross_entropy_workspace_size(hidden, &linear, Some(&LinearGrads::new()), &e).unwrap(),
        );
        sizes.push(ctx.linear_topk_workspace_size(hidden, &linear, 5, &t).unwrap());
    }
    assert!(sizes.iter().all(|&size| size > 0 && size < 1 << 28), "{sizes:?}");
    // A fold on the calling thread needs none.
    assert_eq!(ctx.lse_fold_workspace_size(x, &LseOptions::new().sums()).unwrap(), 0);
    let narrow = MatrixRef::of_shape::<f32>(4, 7);
    assert!(matches!(ctx.softmax_workspace_size(x, Some(narrow), &s), Err(Error::Shape(_))));
}

#[cfg(feature = "rayon")]
mod on_rayon {
    use super::*;

    #[test]
    fn global_pool() {
        let ctx = ContextOptions::new().rayon().create().unwrap();
        assert!(softmax_on(&ctx).unwrap() == softmax_on(&Context::default()).unwrap());
    }

    #[test]
    fn own_pool_also_from_inside_it() {
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap());
        let ctx = ContextOptions::new().rayon_pool(pool.clone()).create().unwrap();
        assert_eq!(ctx.threads(), 3);
        let expected = softmax_on(&Context::default()).unwrap();
        assert!(softmax_on(&ctx).unwrap() == expected);
        // Every thread of the pool is busy with a call that wants the pool. While it waits for others it runs no
        // other of these jobs, which would find its thread's place borrowed.
        thread_local!(static PLACE: std::cell::RefCell<()> = const { std::cell::RefCell::new(()) });
        pool.scope(|scope| {
            for _ in 0..24 {
                scope.spawn(|_| {
                    PLACE.with(|place| {
                        let _mine = place.borrow_mut();
                        assert!(softmax_on(&ctx).unwrap() == expected);
                    })
                });
            }
        });
    }

    #[test]
    fn a_busy_pool_holds_up_nothing() {
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
        let ctx = ContextOptions::new().rayon_pool(pool.clone()).create().unwrap();
        let expected = softmax_on(&Context::default()).unwrap();
        let (done, over) = std::sync::mpsc::channel();
        let lock = Arc::new(std::sync::Mutex::new(()));
        std::thread::spawn(move || {
            let held = lock.lock().unwrap();
            let begun = Arc::new(std::sync::Barrier::new(3));
            for _ in 0..2 {
                let (lock, begun) = (lock.clone(), begun.clone());
                pool.spawn(move || {
                    begun.wait();
                    drop(lock.lock());
                });
            }
            begun.wait(); // both threads of the pool want what this one has
            done.send(softmax_on(&ctx).unwrap() == expected).unwrap();
            drop(held);
        });
        let same = over.recv_timeout(std::time::Duration::from_secs(60));
        assert_eq!(same, Ok(true));
    }
}
