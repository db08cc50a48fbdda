// SPDX-License-Identifier: Apache-2.0
//! Views of ndarray's arrays, at any strides.
use crate::element::{Element, Id};
use crate::views::{IdsRef, MatrixMut, MatrixRef, VectorMut, VectorRef};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

impl<'a, T: Element> From<ArrayView2<'a, T>> for MatrixRef<'a> {
    fn from(a: ArrayView2<'a, T>) -> Self {
        let strides = a.strides();
        // SAFETY: ndarray's pointer is to element (0, 0), and every element is borrowed for 'a.
        unsafe { Self::from_raw_parts(a.as_ptr(), a.nrows(), a.ncols(), strides[0], strides[1]) }
    }
}
impl<'a, T: Element> From<&'a Array2<T>> for MatrixRef<'a> {
    fn from(a: &'a Array2<T>) -> Self {
        a.view().into()
    }
}
impl<'a, T: Element> From<ArrayViewMut2<'a, T>> for MatrixMut<'a> {
    fn from(mut a: ArrayViewMut2<'a, T>) -> Self {
        let (row_stride, col_stride) = (a.strides()[0], a.strides()[1]);
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { Self::from_raw_parts(a.as_mut_ptr(), a.nrows(), a.ncols(), row_stride, col_stride) }
    }
}
impl<'a, T: Element> From<&'a mut Array2<T>> for MatrixMut<'a> {
    fn from(a: &'a mut Array2<T>) -> Self {
        a.view_mut().into()
    }
}
impl<'a, T: Element> From<ArrayView1<'a, T>> for VectorRef<'a> {
    fn from(a: ArrayView1<'a, T>) -> Self {
        // SAFETY: as above.
        unsafe { Self::from_raw_parts(a.as_ptr(), a.len(), a.strides()[0]) }
    }
}
impl<'a, T: Element> From<&'a Array1<T>> for VectorRef<'a> {
    fn from(a: &'a Array1<T>) -> Self {
        a.view().into()
    }
}
impl<'a, T: Element> From<ArrayViewMut1<'a, T>> for VectorMut<'a> {
    fn from(mut a: ArrayViewMut1<'a, T>) -> Self {
        let stride = a.strides()[0];
        // SAFETY: as above.
        unsafe { Self::from_raw_parts(a.as_mut_ptr(), a.len(), stride) }
    }
}
impl<'a, T: Element> From<&'a mut Array1<T>> for VectorMut<'a> {
    fn from(a: &'a mut Array1<T>) -> Self {
        a.view_mut().into()
    }
}
impl<'a, T: Id> From<ArrayView1<'a, T>> for IdsRef<'a> {
    fn from(a: ArrayView1<'a, T>) -> Self {
        // SAFETY: as above.
        unsafe { Self::from_raw_parts(a.as_ptr(), a.len(), a.strides()[0]) }
    }
}
impl<'a, T: Id> From<&'a Array1<T>> for IdsRef<'a> {
    fn from(a: &'a Array1<T>) -> Self {
        a.view().into()
    }
}
