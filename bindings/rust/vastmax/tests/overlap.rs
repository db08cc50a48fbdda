// SPDX-License-Identifier: Apache-2.0
//! Views that are written may be made with strides by which elements share memory. Threads would race for them: no function may
//! take one.
use vastmax::*;

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) {
    match result {
        Err(Error::Overlap(message)) => assert!(message.contains(" overlaps itself: 3 "), "{message}"),
        Err(Error::Unsupported(_)) if onednn_version().is_empty() => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_output_overlaps_itself() {
    let x = [[1.0f32, 2.0], [3.0, 4.0], [0.0, 1.0]];
    let scores = MatrixRef::from(&x);
    let mut v = [0.0f32; 12];
    macro_rules! vector {
        () => {
            VectorMut::with_stride(&mut v, 0, 3, 0).unwrap()
        };
    }
    macro_rules! matrix {
        () => {
            MatrixMut::with_strides(&mut v, 0, 3, 2, 1, 1).unwrap()
        };
    }
    let o = SoftmaxOptions::new();
    let e = CrossEntropyOptions::new();
    refused(Call::new().logsumexp(scores, vector!(), &o));
    refused(Call::new().softmax(scores, matrix!(), None, &o));
    refused(Call::new().softmax_in_place(matrix!(), None, &o));
    refused(Call::new().log_softmax_in_place(matrix!(), None, &o));
    refused(Call::new().logsumexp_backward_in_place(matrix!(), None, &[1.0f32; 3], &o));
    refused(Call::new().softmax_backward_in_place(scores, matrix!(), &o));
    refused(Call::new().log_softmax_backward_in_place(scores, matrix!(), &o));
    refused(Call::new().logsumexp_backward(scores, None, &[1.0f32; 3], matrix!(), &o));
    refused(Call::new().softmax_backward(scores, scores, matrix!(), &o));
    refused(Call::new().log_softmax_backward(scores, scores, matrix!(), &o));
    refused(Call::new().cross_entropy(scores, &[0i64; 3], CrossEntropyOut::new().loss(vector!()), &e));
    refused(Call::new().cross_entropy(scores, &[0i64; 3], CrossEntropyOut::new().z_loss(vector!()), &e));
    refused(Call::new().cross_entropy(scores, &[0i64; 3], CrossEntropyOut::new().lse(vector!()), &e));
    refused(Call::new().cross_entropy(scores, &[0i64; 3], CrossEntropyOut::new().grad(matrix!()), &e));
    refused(Call::new().cross_entropy_in_place(matrix!(), &[0i64; 3], CrossEntropyOut::new(), &e));
    refused(Call::new().cross_entropy_backward(scores, &[0i64; 3], None, &[1.0f32; 3], matrix!(), &e));
    refused(Call::new().cross_entropy_backward_in_place(matrix!(), &[0i64; 3], None, &[1.0f32; 3], &e));
    refused(Call::new().topk(scores, 2, Some(matrix!()), None, &TopkOptions::new()));
    let mut iv = [0i64; 12];
    macro_rules! ids_matrix {
        () => {
            MatrixMut::with_strides(&mut iv, 0, 3, 2, 1, 1).unwrap()
        };
    }
    refused(Call::new().topk(scores, 2, None, Some(ids_matrix!()), &TopkOptions::new()));
    refused(Call::new().topk_merge(
        scores,
        MatrixRef::from(&[[1i64, 2]; 3]),
        2,
        Some(matrix!()),
        None,
        &TopkOptions::new(),
    ));
    let table = [[1.0f32, 0.0], [0.0, 1.0], [1.0, 1.0]];
    let lin = Linear::new(MatrixRef::from(&table));
    macro_rules! linear_cross_entropy {
        ($out:expr, $grads:expr) => {
            Call::new().linear_cross_entropy(scores, &lin, &[0i64; 3], $out, $grads, &e)
        };
    }
    refused(Call::new().linear_logsumexp(scores, &lin, vector!(), &o));
    refused(linear_cross_entropy!(CrossEntropyOut::new(), Some(&mut LinearGrads::new().hidden(matrix!()))));
    refused(linear_cross_entropy!(CrossEntropyOut::new(), Some(&mut LinearGrads::new().weights(matrix!()))));
    refused(linear_cross_entropy!(CrossEntropyOut::new(), Some(&mut LinearGrads::new().bias(vector!()))));
    refused(linear_cross_entropy!(CrossEntropyOut::new().loss(vector!()), None));
    refused(Call::new().linear_topk(scores, &lin, 2, Some(matrix!()), None, &TopkOptions::new()));
    let t = Table::new(MatrixRef::from(&table));
    let c = Candidates::new(MatrixRef::from(&[[1i64, 2]; 3]));
    let so = SampledOptions::new();
    macro_rules! sampled_loss {
        ($out:expr, $grads:expr) => {
            Call::new().sampled_loss(scores, &t, &[0i64; 3], &c, $out, $grads, &so)
        };
    }
    refused(sampled_loss!(SampledOut::new().loss(vector!()), None));
    refused(sampled_loss!(SampledOut::new(), Some(SampledGrads::new().hidden(matrix!()))));
    refused(sampled_loss!(SampledOut::new(), Some(SampledGrads::new().table(matrix!()))));
    refused(sampled_loss!(SampledOut::new(), Some(SampledGrads::new().bias(vector!()))));
    let mut sid = [0i64; 3];
    let mut sp = SparseRows::new(&mut sid, matrix!()).unwrap();
    refused(sampled_loss!(SampledOut::new(), Some(SampledGrads::new().sparse(&mut sp))));
    refused(Call::new().in_batch_softmax(
        InBatch::new(scores, scores),
        SampledOut::new().loss(vector!()),
        &so,
    ));
    refused(Call::new().in_batch_softmax(
        InBatch::new(scores, scores).grad_queries(matrix!()),
        SampledOut::new(),
        &so,
    ));
    refused(Call::new().in_batch_softmax(
        InBatch::new(scores, scores).grad_keys(matrix!()),
        SampledOut::new(),
        &so,
    ));
    let u = Sampler::new(&Context::default(), &SamplerOptions::uniform(5)).unwrap();
    refused(Call::new().sampler_draw(&u, None, Draws::new(ids_matrix!()), &DrawOptions::new()));
    let mut ids = [[0i64; 2]; 3];
    refused(Call::new().sampler_draw(&u, None, Draws::new(&mut ids).log_q(matrix!()), &DrawOptions::new()));
    refused(Call::new().sampler_log_q(&u, None, &Lists::from(&[0i64; 3]), LogQ::Probability, vector!()));
    let mut named = [0i64, 1, 2];
    let mut g = [[1.0f32; 2]; 3];
    let gr = SparseRows::new(&mut named, &mut g).unwrap().filled(3).unwrap();
    refused(Call::new().sparse_update(&gr, matrix!(), Moments::none(), &UpdateOptions::new(Optimizer::Sgd)));
    let mut tb = table;
    refused(Call::new().sparse_update(
        &gr,
        &mut tb,
        Moments::square(matrix!()),
        &UpdateOptions::new(Optimizer::Adagrad),
    ));
    let s = [LseState::default(); 3];
    refused(lse_finish(&s, &LseOptions::new(), Some(vector!()), None, None));
    refused(lse_finish(&s, &LseOptions::new(), None, Some(vector!()), None));
    refused(lse_short_finish(&[LseShort::default(); 3], vector!()));

    assert_eq!(
        (v, iv, table),
        ([0.0; 12], [0; 12], [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        "no output is touched"
    );
}
