// SPDX-License-Identifier: Apache-2.0
//! The same scores laid out in other ways give the same bits, in place too.
use vastmax::*;

const ROWS: usize = 3;
const COLS: usize = 301;

fn score(r: usize, c: usize) -> f32 {
    if (r + c) % 13 == 5 {
        return f32::NEG_INFINITY;
    }
    (((r * 7919 + c * 104729) % 1009) as f32) / 64.0 - 8.0
}

fn plain() -> Vec<f32> {
    (0..ROWS * COLS).map(|i| score(i / COLS, i % COLS)).collect()
}

fn lse_of(x: MatrixRef<'_>) -> [u32; ROWS] {
    let mut lse = [0.0f32; ROWS];
    Call::new().logsumexp(x, &mut lse, &SoftmaxOptions::new()).unwrap();
    lse.map(f32::to_bits)
}

#[test]
fn any_strides() {
    let rows = plain();
    let expected = lse_of(MatrixRef::new(&rows, ROWS, COLS).unwrap());

    let columns: Vec<f32> = (0..ROWS * COLS).map(|i| score(i % ROWS, i / ROWS)).collect();
    assert_eq!(lse_of(MatrixRef::with_strides(&columns, 0, ROWS, COLS, 1, ROWS as isize).unwrap()), expected);

    let backwards: Vec<f32> = rows.iter().rev().copied().collect();
    let view =
        MatrixRef::with_strides(&backwards, ROWS * COLS - 1, ROWS, COLS, -(COLS as isize), -1).unwrap();
    assert_eq!(lse_of(view), expected);
    assert_eq!(view.strides(), (-(COLS as isize), -1));

    let mut spread = vec![f32::NAN; 2 * ROWS * 3 * COLS + 1];
    for r in 0..ROWS {
        for c in 0..COLS {
            spread[1 + r * 6 * COLS + 3 * c] = score(r, c);
        }
    }
    let view = MatrixRef::with_strides(&spread, 1, ROWS, COLS, 6 * COLS as isize, 3).unwrap();
    assert_eq!(lse_of(view), expected);

    let same = MatrixRef::with_strides(&rows, 0, ROWS, COLS, 0, 1).unwrap();
    assert_eq!(lse_of(same), [expected[0]; ROWS]);
}

#[test]
fn outputs_are_strided_too_and_nothing_else_is_written() {
    let rows = plain();
    let x = MatrixRef::new(&rows, ROWS, COLS).unwrap();
    let mut expected = vec![0.0f32; ROWS * COLS];
    Call::new()
        .softmax(x, MatrixMut::new(&mut expected, ROWS, COLS).unwrap(), None, &SoftmaxOptions::new())
        .unwrap();

    let mut room = vec![7.0f32; ROWS * 2 * COLS];
    let mut lses = [7.0f32; 2 * ROWS];
    let y = MatrixMut::with_strides(&mut room, 0, ROWS, COLS, 2 * COLS as isize, 2).unwrap();
    let lse = VectorMut::with_stride(&mut lses, 1, ROWS, 2).unwrap();
    Call::new().softmax(x, y, Some(lse), &SoftmaxOptions::new()).unwrap();
    for (i, value) in room.iter().enumerate() {
        let (r, c) = (i / (2 * COLS), i % (2 * COLS));
        let wanted = if c % 2 == 0 { expected[r * COLS + c / 2] } else { 7.0 };
        assert_eq!(value.to_bits(), wanted.to_bits(), "{i}");
    }
    assert!(lses.iter().step_by(2).all(|&l| l == 7.0));
    assert_eq!([lses[1], lses[3], lses[5]].map(f32::to_bits), lse_of(x));
}

#[test]
fn in_place_and_reborrowed() {
    let mut data = plain();
    let mut expected = vec![0.0f32; data.len()];
    let options = SoftmaxOptions::new().temperature(0.5);
    let x = MatrixRef::new(&data, ROWS, COLS).unwrap();
    Call::new().softmax(x, MatrixMut::new(&mut expected, ROWS, COLS).unwrap(), None, &options).unwrap();
    let mut view = MatrixMut::new(&mut data, ROWS, COLS).unwrap();
    Call::new().softmax_in_place(view.reborrow(), None, &options).unwrap();
    let mut sums = [0.0f32; ROWS];
    Call::new().logsumexp(&view, &mut sums, &SoftmaxOptions::new()).unwrap();
    assert!(sums.iter().all(|s| s.is_finite()));
    assert_eq!((view.rows(), view.cols(), view.dtype()), (ROWS, COLS, DType::F32));
    assert!(data == expected);
}

#[test]
fn labels_of_any_kind() {
    let rows = plain();
    let x = MatrixRef::new(&rows, ROWS, COLS).unwrap();
    let loss_of = |targets: Lists<'_>| {
        let mut loss = [0.0f32; ROWS];
        let out = CrossEntropyOut::new().loss(&mut loss);
        Call::new().cross_entropy(x, targets, out, &CrossEntropyOptions::new()).unwrap();
        loss.map(f32::to_bits)
    };
    let expected = loss_of((&[4i64, 100, 300]).into());
    assert_eq!(loss_of((&[4i32, 100, 300]).into()), expected);
    assert_eq!(loss_of(IdsRef::new(&[5i32, 101, 301]).base(1).into()), expected);
    let spread = [4i64, 0, 100, 0, 300];
    assert_eq!(loss_of(IdsRef::with_stride(&spread, 0, 3, 2).unwrap().into()), expected);
    assert_eq!(loss_of(IdsRef::with_stride(&[300i64, 100, 4], 2, 3, -1).unwrap().into()), expected);
    assert_eq!(loss_of(Lists::csr(&[0i32, 1, 2, 3], &[4i64, 100, 300]).weights(&[1.0f64; 3])), expected);
}

#[test]
fn no_rows_and_no_columns() {
    let nothing: [f32; 0] = [];
    let mut none: [f32; 0] = [];
    let empty = MatrixRef::new(&nothing, 0, 5).unwrap();
    Call::new().logsumexp(empty, &mut none, &SoftmaxOptions::new()).unwrap();
    let mut lse = [0.0f32; 2];
    let mut flags = [RowFlags::NONE; 2];
    let narrow = MatrixRef::new(&nothing, 2, 0).unwrap();
    Call::new().row_flags(&mut flags).logsumexp(narrow, &mut lse, &SoftmaxOptions::new()).unwrap();
    assert_eq!((lse, flags), ([f32::NEG_INFINITY; 2], [RowFlags::EMPTY; 2]));
    assert_eq!(format!("{:?}", RowFlags::EMPTY | RowFlags::INF), "RowFlags(EMPTY | INF)");
}

#[test]
fn states_are_plain_bytes() {
    let rows = plain();
    let x = MatrixRef::new(&rows, ROWS, COLS).unwrap();
    let mut states = [LseState::default(); ROWS];
    Call::new().lse_fold(x, 0, &mut states, &LseOptions::new()).unwrap();
    assert_eq!(states[0].count() as usize, (0..COLS).filter(|c| score(0, *c).is_finite()).count());
    for state in states {
        assert_eq!(LseState::from_bytes(state.to_bytes()), state);
        assert_ne!(state, LseState::default());
    }
    let mut lse = [0.0f32; ROWS];
    lse_finish(&states, &LseOptions::new(), Some((&mut lse).into()), None, None).unwrap();
    assert_eq!(lse.map(f32::to_bits), lse_of(x));
}

#[cfg(feature = "ndarray")]
mod with_ndarray {
    use super::*;
    use ndarray::{Array1, Array2, Axis, s};

    #[test]
    fn arrays_and_views() {
        let a = Array2::from_shape_fn((ROWS, COLS), |(r, c)| score(r, c));
        let expected = lse_of((&a).into());
        assert_eq!(expected, lse_of(MatrixRef::new(&plain(), ROWS, COLS).unwrap()));
        let t = a.t().to_owned(); // by columns
        assert_eq!(lse_of(t.t().into()), expected);
        let mut reversed = a.clone();
        reversed.invert_axis(Axis(1)); // a negative stride
        reversed.invert_axis(Axis(0));
        let view = reversed.slice(s![..;-1, ..;-1]);
        assert_eq!(lse_of(view.into()), expected);
        let row = a.row(0);
        let broadcast = row.broadcast((ROWS, COLS)).unwrap();
        assert_eq!(lse_of(broadcast.into()), [expected[0]; ROWS]);

        let mut y = Array2::<f32>::from_elem((2 * ROWS, COLS), 7.0);
        let mut lse = Array1::<f32>::zeros(2 * ROWS);
        let labels = Array1::from_iter([4i64, 9, 9, 9, 9]);
        let out = CrossEntropyOut::new().grad(y.slice_mut(s![..;2, ..])).lse(lse.slice_mut(s![..;2]));
        let targets = IdsRef::from(labels.slice(s![..;2]));
        Call::new().cross_entropy(&a, targets, out, &CrossEntropyOptions::new()).unwrap();
        assert!(y.row(1).iter().all(|&v| v == 7.0));
        let mut contiguous = vec![0.0f32; ROWS * COLS];
        let out = CrossEntropyOut::new().grad(MatrixMut::new(&mut contiguous, ROWS, COLS).unwrap());
        Call::new().cross_entropy(&a, &[4i64, 9, 9], out, &CrossEntropyOptions::new()).unwrap();
        assert!(y.slice(s![..;2, ..]).iter().zip(&contiguous).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(lse.slice(s![..;2]).iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);

        let mut all = Array1::<f32>::zeros(ROWS);
        Call::new().logsumexp(&a, &mut all, &SoftmaxOptions::new()).unwrap();
        let mut p = a.clone();
        Call::new().softmax_in_place(&mut p, None, &SoftmaxOptions::new()).unwrap();
        assert!(p.rows().into_iter().all(|r| (r.sum() - 1.0).abs() < 1e-5));
        let grad = Array1::from_elem(ROWS, 1.0f32);
        let mut g = a.clone();
        Call::new()
            .logsumexp_backward(&a, Some((&all).into()), &grad, &mut g, &SoftmaxOptions::new())
            .unwrap();
        assert!(g.iter().zip(&p).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

#[cfg(feature = "half")]
mod with_half {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn narrow_floats() {
        let x: Vec<bf16> = plain().into_iter().map(bf16::from_f32).collect();
        let widened: Vec<f32> = x.iter().map(|v| v.to_f32()).collect();
        let narrow = MatrixRef::new(&x, ROWS, COLS).unwrap();
        assert_eq!(narrow.dtype(), DType::BF16);
        assert_eq!(lse_of(narrow), lse_of(MatrixRef::new(&widened, ROWS, COLS).unwrap()));
        let mut y = vec![f16::ZERO; ROWS * COLS];
        let out = MatrixMut::new(&mut y, ROWS, COLS).unwrap();
        Call::new().softmax(narrow, out, None, &SoftmaxOptions::new()).unwrap();
        let sum: f32 = y[..COLS].iter().map(|v| v.to_f32()).sum();
        assert!((sum - 1.0).abs() < 0.01);
    }
}
