// SPDX-License-Identifier: Apache-2.0
//! Bad input is an error that names the argument and the values, and no output is touched.
use vastmax::*;

type Check = fn(&Error) -> bool;

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, kind: Check, text: &str) {
    let error = result.expect_err(text);
    assert!(kind(&error), "{error:?}");
    assert!(error.to_string().starts_with(text), "{error}");
    assert_eq!(error.to_string(), error.message());
    assert!(!status_string(error.status()).contains("unknown"));
}

const SHAPE: Check = |e| matches!(e, Error::Shape(_));
const VALUE: Check = |e| matches!(e, Error::Value(_));
const DTYPE: Check = |e| matches!(e, Error::Dtype(_));
const LABEL: Check = |e| matches!(e, Error::Label(_));

#[test]
fn views_stay_inside_their_slices() {
    let data = [0.0f32; 6];
    refused(
        MatrixRef::new(&data, 2, 2),
        SHAPE,
        "MatrixRef::new: the slice has 6 elements, but is to be 2 x 2",
    );
    refused(MatrixRef::new(&data, usize::MAX, 2), SHAPE, "MatrixRef::new");
    refused(
        MatrixRef::with_strides(&data, 0, 2, 3, 4, 1),
        SHAPE,
        "MatrixRef::with_strides: elements 0 to 6 are asked for, but the slice has 6",
    );
    refused(
        MatrixRef::with_strides(&data, 2, 2, 2, -2, -1),
        SHAPE,
        "MatrixRef::with_strides: elements -1 to 2 are asked for, but the slice has 6",
    );
    refused(
        MatrixRef::with_strides(&data, 0, 2, 2, isize::MAX, isize::MAX),
        SHAPE,
        "MatrixRef::with_strides",
    );
    refused(MatrixRef::with_strides(&data, 0, 2, 2, isize::MIN, 1), SHAPE, "MatrixRef::with_strides");
    refused(MatrixRef::with_strides(&data, 7, 0, 2, 1, 1), SHAPE, "MatrixRef::with_strides: first is 7");
    assert!(MatrixRef::with_strides(&data, 6, 0, 5, 1, 1).is_ok());
    refused(MatrixRef::with_strides(&data, 6, 1, 1, 1, 1), SHAPE, "MatrixRef::with_strides");
    assert!(MatrixRef::with_strides(&data, 5, usize::MAX / 4, 1, 0, 0).is_ok());
    refused(
        MatrixRef::with_strides(&data, 5, usize::MAX, 1, 0, 0),
        |e| matches!(e, Error::Size(_)),
        "MatrixRef",
    );
    for stride in [isize::MIN, isize::MAX] {
        refused(
            MatrixRef::with_strides(&data, 0, usize::MAX, usize::MAX, stride, stride),
            |e| matches!(e, Error::Size(_)),
            "MatrixRef::with_strides: an extent of 18446744073709551615 is too large",
        );
        let half = usize::MAX / 2;
        refused(MatrixRef::with_strides(&data, 0, half, half, stride, stride), SHAPE, "MatrixRef");
    }

    let mut room = [0.0f64; 4];
    refused(
        MatrixMut::new(&mut room, 3, 2),
        SHAPE,
        "MatrixMut::new: the slice has 4 elements, but is to be 3 x 2",
    );
    refused(
        MatrixMut::with_strides(&mut room, 1, 2, 2, 2, 1),
        SHAPE,
        "MatrixMut::with_strides: elements 1 to 4",
    );
    refused(VectorRef::with_stride(&room, 0, 3, 2), SHAPE, "VectorRef::with_stride: elements 0 to 4");
    refused(VectorMut::with_stride(&mut room, 3, 5, -1), SHAPE, "VectorMut::with_stride: elements -1 to 3");
    refused(IdsRef::with_stride(&[1i32, 2], 0, 2, 2), SHAPE, "IdsRef::with_stride: elements 0 to 2");
}

#[test]
fn the_librarys_message_comes_through() {
    let x = MatrixRef::from(&[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let (mut lse, mut y) = ([7.0f32; 2], [[7.0f32; 3]; 2]);
    let o = SoftmaxOptions::new();

    refused(Call::new().logsumexp(x, &mut lse[..1], &o), SHAPE, "vmx_logsumexp: lse.n is 1, but must be 2");
    refused(Call::new().logsumexp(x, &mut [0.0f64; 2], &o), DTYPE, "vmx_logsumexp: lse.dtype is 4 (f64)");
    let ids = MatrixRef::from(&[[1i32, 2]]);
    refused(Call::new().logsumexp(ids, &mut lse[..1], &o), DTYPE, "vmx_logsumexp: x.dtype is 5 (i32)");
    let narrow = &mut [[0.0f32; 2]; 2];
    refused(Call::new().softmax(x, narrow, None, &o), SHAPE, "vmx_softmax: y.cols is 2, but x.cols is 3");
    let hot = o.temperature(-1.0);
    refused(Call::new().softmax(x, &mut y, None, &hot), VALUE, "vmx_softmax: options.temperature");
    let shape = MatrixRef::of_shape::<f32>(2, 3);
    refused(
        Call::new().logsumexp(shape, &mut lse, &o),
        |e| matches!(e, Error::Null(_)),
        "vmx_logsumexp: x.data is NULL",
    );
    let mut one = [0.0f32; 3];
    let folded = MatrixMut::with_strides(&mut one, 0, 2, 3, 0, 1).unwrap();
    refused(
        Call::new().softmax(x, folded, None, &o),
        |e| matches!(e, Error::Overlap(_)),
        "vmx_softmax: y overlaps itself",
    );

    let e = CrossEntropyOptions::new();
    let out = CrossEntropyOut::new().loss(&mut lse).grad(&mut y);
    refused(
        Call::new().cross_entropy(x, &[2i64, 3], out, &e),
        LABEL,
        "vmx_cross_entropy: targets.ids[1] (row 1) is 3, outside [0, 3)",
    );
    let out = CrossEntropyOut::new();
    refused(Call::new().cross_entropy(x, &[0i64; 3], out, &e), SHAPE, "vmx_cross_entropy: targets");
    let out = CrossEntropyOut::new();
    let broken = Lists::csr(&[0i64, 2, 1], &[0i64, 1]);
    refused(Call::new().cross_entropy(x, broken, out, &e), SHAPE, "vmx_cross_entropy: targets.indptr");
    let out = CrossEntropyOut::new();
    let based = IdsRef::new(&[1i64, 3]).base(2);
    refused(Call::new().cross_entropy(x, based, out, &e), VALUE, "vmx_cross_entropy: targets.ids.base is 2");
    let out = CrossEntropyOut::new();
    let smooth = e.label_smoothing(1.5);
    refused(
        Call::new().cross_entropy(x, &[0i64, 1], out, &smooth),
        VALUE,
        "vmx_cross_entropy: options.label_smoothing",
    );
    let mut scores = [[1.0f32, 2.0, 3.0]];
    let mut other = [[0.0f32; 3]];
    let out = CrossEntropyOut::new().grad(&mut other);
    refused(
        Call::new().cross_entropy_in_place(&mut scores, &[0i64], out, &e),
        VALUE,
        "vmx_cross_entropy: out.grad is given",
    );

    let t = TopkOptions::new();
    refused(Call::new().topk(x, 0, Some((&mut y).into()), None, &t), VALUE, "vmx_topk: k is 0");
    refused(Call::new().topk(x, 4, Some((&mut y).into()), None, &t), SHAPE, "vmx_topk: k is 4");
    refused(Call::new().topk(x, usize::MAX, Some((&mut y).into()), None, &t), SHAPE, "vmx_topk: k is");
    refused(Call::new().topk(x, 1, None, None, &t), |e| matches!(e, Error::Null(_)), "vmx_topk: ");

    assert_eq!((lse, y, scores), ([7.0; 2], [[7.0; 3]; 2], [[1.0, 2.0, 3.0]]), "no output is touched");
}

#[test]
fn sizes_that_no_i64_holds() {
    let size: Check = |e| matches!(e, Error::Size(_));
    let (ctx, o) = (Context::default(), SoftmaxOptions::new());
    let sizes = |rows, cols| ctx.softmax_workspace_size(MatrixRef::of_shape::<f32>(rows, cols), None, &o);
    refused(sizes(usize::MAX, 2), size, "vmx_softmax_workspace_size: x: 9223372036854775807 x 2 elements");
    refused(sizes(2, usize::MAX), size, "vmx_softmax_workspace_size: x.cols is 9223372036854775807");
    let none = [[0.0f32; 0]; usize::MAX];
    refused(
        Call::new().logsumexp(MatrixRef::from(&none), &mut [0.0f32], &o),
        SHAPE,
        "vmx_logsumexp: lse.n is 1, but must be 9223372036854775807",
    );
    for options in [
        SamplerOptions::uniform(usize::MAX),
        SamplerOptions::log_uniform(usize::MAX),
        SamplerOptions::in_batch(usize::MAX),
        SamplerOptions::weights(VectorRef::broadcast(&1.0f32, usize::MAX)),
    ] {
        let text = "vmx_sampler_create: options.classes is 9223372036854775807";
        refused(Sampler::new(&ctx, &options), size, text);
    }
}

#[test]
fn lengths_that_the_c_abi_cannot_see() {
    let x = MatrixRef::from(&[[1.0f32, 2.0], [3.0, 4.0]]);
    let (mut lse, o) = ([0.0f32; 2], SoftmaxOptions::new());
    let mut flags = [RowFlags::NONE; 3];
    refused(
        Call::new().row_flags(&mut flags).logsumexp(x, &mut lse, &o),
        SHAPE,
        "vmx_logsumexp: row_flags has 3 elements, but must have 2",
    );
    refused(
        Call::new().row_flags(&mut []).logsumexp(x, &mut lse, &o),
        SHAPE,
        "vmx_logsumexp: row_flags has 0",
    );
    let short = o.temperatures(&[1.0]);
    refused(
        Call::new().logsumexp(x, &mut lse, &short),
        SHAPE,
        "vmx_logsumexp: temperatures has 1 elements, but must have 2",
    );
    let l = LseOptions::new();
    let mut states = [LseState::default(); 2];
    refused(Call::new().lse_fold(x, 0, &mut states[..1], &l), SHAPE, "vmx_lse_fold: states has 1 elements");
    refused(
        Call::new().lse_fold(x, usize::MAX, &mut states, &l),
        |e| matches!(e, Error::Size(_)),
        "vmx_lse_fold: ",
    );
    refused(lse_merge(&mut states, &[LseState::default()]), SHAPE, "vmx_lse_merge: from has 1 elements");
    refused(lse_finish(&states, &l, None, None, Some(&mut flags)), SHAPE, "vmx_lse_finish: row_flags has 3");
    refused(lse_shorten(&states, &l, &mut [LseShort::default()]), SHAPE, "vmx_lse_shorten: out has 1");
    refused(lse_short_merge(&mut [LseShort::default()], &[]), SHAPE, "vmx_lse_short_merge: from has 0");
    refused(lse_short_finish(&[LseShort::default()], &mut lse), SHAPE, "vmx_lse_short_finish: lse.n is 2");
    let unknown = LseState::from_bytes([9; 96]);
    refused(lse_merge(&mut states, &[unknown; 2]), VALUE, "vmx_lse_merge: ");

    let mut rows = [[0.0f32; 2]; 3];
    refused(
        SparseRows::new(&mut [0i64; 2], &mut rows),
        SHAPE,
        "SparseRows::new: ids has 2 elements, but must have 3",
    );
    let mut ids = [0i64; 3];
    let made = SparseRows::new(&mut ids, &mut rows).unwrap();
    refused(made.bias(&mut [0.0; 4]), SHAPE, "SparseRows::bias: bias has 4");
    let made = SparseRows::new(&mut ids, &mut rows).unwrap();
    refused(made.filled(4), SHAPE, "SparseRows::filled: count is 4, but there is room for 3");
}

#[test]
fn samplers_and_updates() {
    let ctx = Context::default();
    let table = [[1.0f32, 0.0], [0.0, 1.0]];
    let exact = SamplerOptions::exact(MatrixRef::from(&table));
    refused(Sampler::new(&ctx, &exact), VALUE, "vmx_sampler_create: options.kind is VMX_SAMPLER_EXACT");
    refused(
        Sampler::new(&ctx, &SamplerOptions::weights(&[1.0f32, -1.0])),
        VALUE,
        "vmx_sampler_create: options.weights",
    );
    refused(Sampler::new(&ctx, &SamplerOptions::uniform(0)), |_| true, "vmx_sampler_create: options.classes");
    refused(
        Sampler::new(&ctx, &SamplerOptions::uniform(9).alpha(3.0)),
        VALUE,
        "vmx_sampler_create: options.alpha",
    );

    let mut uniform = Sampler::new(&ctx, &SamplerOptions::uniform(5)).unwrap();
    let unsupported: Check = |e| matches!(e, Error::Unsupported(_));
    refused(uniform.update(&ctx, MatrixRef::from(&table), None), unsupported, "vmx_sampler_update: ");
    refused(uniform.observe(&[1i64], 0), unsupported, "vmx_sampler_observe: ");
    let mut borrowing = Sampler::borrowing(&ctx, &exact).unwrap();
    refused(
        borrowing.update(&ctx, MatrixRef::from(&table), None),
        unsupported,
        "vmx_sampler_update: VMX_SAMPLER_EXACT",
    );

    let mut ids = [[0i64; 6]];
    let draw = |ids: &mut [[i64; 6]; 1], tries: &mut [i64]| {
        let options = DrawOptions::new().unique();
        Call::new().sampler_draw(&uniform, None, Draws::new(ids).tries(tries), &options)
    };
    refused(draw(&mut ids, &mut [0; 2]), SHAPE, "vmx_sampler_draw: tries has 2 elements, but must have 1");
    refused(draw(&mut ids, &mut [0]), VALUE, "vmx_sampler_draw: ids.cols is 6");
    let mut log_q = [0.0f32];
    let lists = Lists::from(&[5i64]);
    refused(
        Call::new().sampler_log_q(&uniform, None, &lists, LogQ::Probability, &mut log_q),
        LABEL,
        "vmx_sampler_log_q: classes.ids[0]",
    );
    let lists = Lists::from(&[1i64, 2, 3]);
    let unique = LogQ::Unique { draws: 4, tries: &[1, 2] };
    refused(
        Call::new().sampler_log_q(&uniform, None, &lists, unique, &mut [0.0f32; 3]),
        SHAPE,
        "vmx_sampler_log_q: tries has 2 elements, but must have 3",
    );
    for none in [LogQ::Expected(0), LogQ::Unique { draws: 0, tries: &[1] }, LogQ::Expected(-1)] {
        refused(
            Call::new().sampler_log_q(&uniform, None, &lists, none, &mut [0.0f32; 3]),
            VALUE,
            "vmx_sampler_log_q: draws is ",
        );
    }

    let mut weights = [[1.0f32; 2]; 4];
    let (mut named, mut rows) = ([3i64, 1], [[1.0f32; 2]; 2]);
    let grad = SparseRows::new(&mut named, &mut rows).unwrap().filled(2).unwrap();
    let sgd = UpdateOptions::new(Optimizer::Sgd);
    refused(
        Call::new().sparse_update(&grad, &mut weights, Moments::none(), &sgd),
        VALUE,
        "vmx_sparse_update: grad.ids[1]",
    );
    let adam = UpdateOptions::new(Optimizer::Adam);
    refused(
        Call::new().sparse_update(&grad, &mut weights, Moments::none(), &adam),
        |e| matches!(e, Error::Null(_) | Error::Value(_)),
        "vmx_sparse_update: ",
    );
    assert_eq!(weights, [[1.0; 2]; 4]);

    let t = MatrixRef::from(&table);
    let candidates = Candidates::new(MatrixRef::from(&[[1i64], [0]]));
    let is = SampledOptions::new().correction(Correction::Is);
    let hidden = MatrixRef::from(&table);
    refused(
        Call::new().sampled_loss(
            hidden,
            &Table::new(t),
            &[0i64, 1],
            &candidates,
            SampledOut::new(),
            None,
            &is,
        ),
        VALUE,
        "vmx_sampled_loss: candidates.log_q",
    );
    let (mut few, mut room) = ([0i64; 1], [[0.0f32; 2]; 1]);
    let mut sparse = SparseRows::new(&mut few, &mut room).unwrap();
    let grads = SampledGrads::new().sparse(&mut sparse);
    let plain = SampledOptions::new();
    refused(
        Call::new().sampled_loss(
            hidden,
            &Table::new(t),
            &[0i64, 1],
            &candidates,
            SampledOut::new(),
            Some(grads),
            &plain,
        ),
        SHAPE,
        "vmx_sampled_loss: grads.sparse",
    );
    assert_eq!((sparse.count(), few), (0, [0]));
}

#[test]
fn shapes_without_data_are_for_sizes_alone() {
    let null: Check = |e| matches!(e, Error::Null(_) | Error::Value(_));
    let (x, ids) = (MatrixRef::of_shape::<f32>(2, 3), MatrixRef::of_shape::<i64>(2, 3));
    let ctx = Context::default();
    let hidden = MatrixRef::from(&[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let mut lse = [7.0f32; 2];
    let mut y = [[7.0f32; 3]; 2];
    let o = SoftmaxOptions::new();
    refused(Call::new().softmax(x, &mut y, None, &o), null, "vmx_softmax: x.data is NULL");
    refused(
        Call::new().softmax_backward(hidden, x, &mut y, &o),
        null,
        "vmx_softmax_backward: grad_y.data is NULL",
    );
    let mut states = [LseState::default(); 2];
    refused(
        Call::new().lse_fold(x, 0, &mut states, &LseOptions::new()),
        null,
        "vmx_lse_fold: x.data is NULL",
    );
    let out = CrossEntropyOut::new().loss(&mut lse);
    refused(
        Call::new().cross_entropy(x, &[0i64, 1], out, &CrossEntropyOptions::new()),
        null,
        "vmx_cross_entropy: x.",
    );
    let t = TopkOptions::new();
    refused(
        Call::new().topk_merge(hidden, ids, 1, Some((&mut y).into()), None, &t),
        null,
        "vmx_topk_merge: ids_in",
    );
    for options in [SamplerOptions::midx(x), SamplerOptions::quadratic(x), SamplerOptions::exact(x)] {
        refused(Sampler::borrowing(&ctx, &options), null, "vmx_sampler_create: options.embeddings");
    }
    let (table, plain) = (Table::new(hidden), SampledOptions::new());
    let empty = Candidates::new(ids);
    let out = SampledOut::new().loss(&mut lse);
    refused(
        Call::new().sampled_loss(hidden, &table, &[0i64, 1], &empty, out, None, &plain),
        null,
        "vmx_sampled_loss: candidates.ids",
    );
    let linear = Linear::new(x);
    if onednn_version().is_empty() {
        let any: Check = |_| true;
        refused(Call::new().linear_logsumexp(hidden, &linear, &mut lse, &o), any, "vmx_linear_logsumexp: ");
    } else {
        refused(
            Call::new().linear_logsumexp(hidden, &linear, &mut lse, &o),
            null,
            "vmx_linear_logsumexp: linear",
        );
        refused(PackedWeights::new(&ctx, x), null, "vmx_pack_weights: weights.data is NULL");
        let batch = InBatch::new(x, hidden);
        refused(
            Call::new().in_batch_softmax(batch, SampledOut::new(), &plain),
            null,
            "vmx_in_batch_softmax: queries",
        );
    }
    assert_eq!((lse, y), ([7.0; 2], [[7.0; 3]; 2]));
}

#[test]
fn contexts() {
    let unsupported: Check = |e| matches!(e, Error::Unsupported(_));
    refused(ContextOptions::new().isa(Isa(99)).create(), |_| true, "vmx_context_create: options.isa is 99");
    refused(Context::with_threads(2000), VALUE, "vmx_context_create: options.threads is 2000");
    for isa in Isa::all().filter(|isa| !isa.is_usable()) {
        refused(ContextOptions::new().isa(isa).create(), unsupported, "vmx_context_create: ");
    }
    assert_eq!(Isa(99).name(), "unknown");
    assert!(!Isa(99).is_usable());
    let ctx = Context::default();
    let mut workspace = Workspace::new(&ctx).unwrap();
    refused(workspace.reserve(usize::MAX), |e| matches!(e, Error::Memory(_)), "");
    assert_eq!(workspace.capacity(), 0);
}

#[test]
fn errors_are_errors() {
    fn boxed() -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        MatrixRef::new(&[1.0f32], 2, 2)?;
        Ok(())
    }
    assert!(boxed().unwrap_err().to_string().contains("2 x 2"));
}
