// SPDX-License-Identifier: Apache-2.0
//! What a call through this crate costs beside the same call of the C ABI, in one process: the fastest of
//! many short rounds that take turns, since other work of the machine only adds. `cargo bench --bench overhead`
use std::hint::black_box;
use std::ptr::null_mut;
use std::time::Instant;
use vastmax::{
    Call, CrossEntropyOptions, CrossEntropyOut, MatrixMut, MatrixRef, SoftmaxOptions, TopkOptions, sys,
};

const COLS: usize = 1000;
const CALLS: u32 = 200;
const ROUNDS: usize = 2001;

fn time(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    start.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn compare(name: &str, mut c: impl FnMut(), mut rust: impl FnMut()) {
    let (mut by_c, mut by_rust) = (f64::INFINITY, f64::INFINITY);
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            by_c = by_c.min(time(&mut c));
            by_rust = by_rust.min(time(&mut rust));
        } else {
            by_rust = by_rust.min(time(&mut rust));
            by_c = by_c.min(time(&mut c));
        }
    }
    let difference = by_rust - by_c;
    println!("{name:<20} {by_c:>9.1} {by_rust:>9.1} {difference:>9.1} {:>7.3}", by_rust / by_c);
}

fn matrix(data: *const f32) -> sys::vmx_matrix {
    let (rows, cols) = (1, COLS as i64);
    sys::vmx_matrix {
        data: data.cast_mut().cast(),
        rows,
        cols,
        row_stride: cols,
        col_stride: 1,
        dtype: sys::VMX_F32,
        reserved: 0,
    }
}

fn vector(data: *mut f32) -> sys::vmx_vector {
    sys::vmx_vector { data: data.cast(), n: 1, stride: 1, dtype: sys::VMX_F32, reserved: 0 }
}

fn main() {
    let scores: Vec<f32> = (0..COLS).map(|i| (i * 7919 % 1009) as f32 / 100.0).collect();
    let (mut y, mut lse) = (vec![0.0f32; COLS], [0.0f32]);
    let (mut y2, mut lse2) = (y.clone(), lse);
    println!("1 x {COLS} f32, ns a call: fastest of {ROUNDS} rounds of {CALLS} calls");
    println!("{:<20} {:>9} {:>9} {:>9} {:>7}", "", "C", "Rust", "Rust - C", "ratio");

    compare(
        "logsumexp",
        || {
            let (x, out) = (matrix(black_box(scores.as_ptr())), vector(lse.as_mut_ptr()));
            let options = sys::vmx_softmax_options::INIT;
            // SAFETY: views of vectors that are there.
            let status =
                unsafe { sys::vmx_logsumexp(std::ptr::null(), null_mut(), &x, &out, null_mut(), &options) };
            assert_eq!(status, sys::VMX_OK);
        },
        || {
            let x = MatrixRef::row(black_box(&scores));
            Call::new().logsumexp(x, &mut lse2, &SoftmaxOptions::new()).unwrap();
        },
    );
    compare(
        "softmax",
        || {
            let (x, out) = (matrix(black_box(scores.as_ptr())), matrix(y.as_mut_ptr()));
            let options = sys::vmx_softmax_options::INIT;
            // SAFETY: as above.
            let status = unsafe {
                let no_lse = std::ptr::null();
                sys::vmx_softmax(std::ptr::null(), null_mut(), &x, &out, no_lse, null_mut(), &options)
            };
            assert_eq!(status, sys::VMX_OK);
        },
        || {
            let (x, out) = (MatrixRef::row(black_box(&scores)), MatrixMut::row(&mut y2));
            Call::new().softmax(x, out, None, &SoftmaxOptions::new()).unwrap();
        },
    );
    let label = [17i64];
    compare(
        "cross_entropy",
        || {
            let x = matrix(black_box(scores.as_ptr()));
            let mut totals = [0.0f64; 3];
            let mut targets = sys::vmx_csr {
                indptr: sys::vmx_ids { data: std::ptr::null(), n: 0, stride: 0, r#type: 0, base: 0 },
                ids: sys::vmx_ids {
                    data: label.as_ptr().cast(),
                    n: 1,
                    stride: 1,
                    r#type: sys::VMX_I64,
                    base: 0,
                },
                weights: vector(null_mut()),
            };
            targets.weights.n = 0;
            let mut out = sys::vmx_cross_entropy_out::INIT;
            out.total = &mut totals[0];
            out.total_z_loss = &mut totals[1];
            out.total_weight = &mut totals[2];
            let options = sys::vmx_cross_entropy_options::INIT;
            // SAFETY: as above.
            let status =
                unsafe { sys::vmx_cross_entropy(std::ptr::null(), null_mut(), &x, &targets, &out, &options) };
            assert_eq!(status, sys::VMX_OK);
            black_box(totals);
        },
        || {
            let x = MatrixRef::row(black_box(&scores));
            let out = CrossEntropyOut::new();
            black_box(Call::new().cross_entropy(x, &label, out, &CrossEntropyOptions::new()).unwrap());
        },
    );
    const K: usize = 10;
    let (mut values, mut ids, mut values2, mut ids2) = ([0.0f32; K], [0i64; K], [0.0f32; K], [0i64; K]);
    compare(
        "topk, k = 10",
        || {
            let x = matrix(black_box(scores.as_ptr()));
            let best = |data: *mut std::ffi::c_void, dtype| sys::vmx_matrix {
                data,
                rows: 1,
                cols: K as i64,
                row_stride: K as i64,
                col_stride: 1,
                dtype,
                reserved: 0,
            };
            let (v, i) =
                (best(values.as_mut_ptr().cast(), sys::VMX_F32), best(ids.as_mut_ptr().cast(), sys::VMX_I64));
            let options = sys::vmx_topk_options::INIT;
            // SAFETY: as above.
            let status = unsafe {
                sys::vmx_topk(std::ptr::null(), null_mut(), &x, K as i64, &v, &i, null_mut(), &options)
            };
            assert_eq!(status, sys::VMX_OK);
        },
        || {
            let x = MatrixRef::row(black_box(&scores));
            let (v, i) = (MatrixMut::row(&mut values2), MatrixMut::row(&mut ids2));
            Call::new().topk(x, K, Some(v), Some(i), &TopkOptions::new()).unwrap();
        },
    );
    assert!(lse == lse2 && y == y2 && values == values2 && ids == ids2, "both give the same bits");
}
