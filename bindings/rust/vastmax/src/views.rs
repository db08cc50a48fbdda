// SPDX-License-Identifier: Apache-2.0
//! Views of memory: matrices, vectors, ids and lists of ids. Nothing is copied.
use crate::element::{DType, Element, Id};
use crate::error::{Error, Result};
use std::marker::PhantomData;
use vastmax_sys as sys;

pub(crate) const NO_MATRIX: sys::vmx_matrix = sys::vmx_matrix {
    data: std::ptr::null_mut(),
    rows: 0,
    cols: 0,
    row_stride: 0,
    col_stride: 0,
    dtype: 0,
    reserved: 0,
};
pub(crate) const NO_VECTOR: sys::vmx_vector =
    sys::vmx_vector { data: std::ptr::null_mut(), n: 0, stride: 0, dtype: 0, reserved: 0 };
pub(crate) const NO_IDS: sys::vmx_ids =
    sys::vmx_ids { data: std::ptr::null(), n: 0, stride: 0, r#type: 0, base: 0 };

/// For C. What does not fit is more than C takes, too: it refuses it.
#[inline]
pub(crate) fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A slice holds all elements from index `first` on at these extents and strides.
fn check_inside(what: &str, len: usize, first: usize, extents: &[(usize, isize)]) -> Result<()> {
    // First, so that the sums below fit an i128.
    for &(n, _) in extents {
        if i64::try_from(n).is_err() {
            return Err(Error::Size(format!("{what}: an extent of {n} is too large")));
        }
    }
    let (mut low, mut high) = (first as i128, first as i128);
    if extents.iter().all(|&(n, _)| n > 0) {
        for &(n, stride) in extents {
            let reach = (n as i128 - 1) * stride as i128;
            low += reach.min(0);
            high += reach.max(0);
        }
        if low < 0 || high >= len as i128 {
            return Err(Error::Shape(format!(
                "{what}: elements {low} to {high} are asked for, but the slice has {len}"
            )));
        }
    } else if first > len {
        return Err(Error::Shape(format!("{what}: first is {first}, but the slice has {len} elements")));
    }
    Ok(())
}

fn matrix<T: Element>(
    data: *const T,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
) -> sys::vmx_matrix {
    sys::vmx_matrix {
        data: data.cast_mut().cast(),
        rows: count(rows),
        cols: count(cols),
        row_stride: row_stride as i64,
        col_stride: col_stride as i64,
        dtype: T::DTYPE as i32,
        reserved: 0,
    }
}

fn vector<T: Element>(data: *const T, n: usize, stride: isize) -> sys::vmx_vector {
    sys::vmx_vector {
        data: data.cast_mut().cast(),
        n: count(n),
        stride: stride as i64,
        dtype: T::DTYPE as i32,
        reserved: 0,
    }
}

/// Contiguous rows that fill a slice.
fn check_filled(what: &str, len: usize, rows: usize, cols: usize) -> Result<()> {
    if rows.checked_mul(cols) != Some(len) {
        return Err(Error::Shape(format!(
            "{what}: the slice has {len} elements, but is to be {rows} x {cols}"
        )));
    }
    check_inside(what, len, 0, &[(rows, cols as isize), (cols, 1)])
}

/// A matrix that is read: `rows` x `cols` elements of one [`Element`] type at any strides, 0 and negative
/// included.
///
/// ```
/// use vastmax::MatrixRef;
///
/// let scores = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let x = MatrixRef::new(&scores, 2, 3)?; // rows of adjacent elements
/// let columns = MatrixRef::with_strides(&scores, 0, 3, 2, 1, 3)?; // its transpose
/// let backwards = MatrixRef::with_strides(&scores, 5, 2, 3, -3, -1)?; // from the last element on
/// assert_eq!((x.rows(), columns.rows(), backwards.cols()), (2, 3, 3));
/// assert_eq!(MatrixRef::from(&[[1.0f64, 2.0], [3.0, 4.0]]).rows(), 2);
/// # Ok::<(), vastmax::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MatrixRef<'a> {
    pub(crate) raw: sys::vmx_matrix,
    _data: PhantomData<&'a ()>,
}

/// A matrix that is written, or read and written.
///
/// Outputs must not overlap themselves: two elements in one place are [`Error::Overlap`].
///
/// ```
/// use vastmax::MatrixMut;
///
/// let mut memory = vec![0.0f32; 12];
/// let y = MatrixMut::with_strides(&mut memory, 1, 3, 2, 4, 1)?; // columns 1 and 2 of four
/// assert_eq!((y.rows(), y.cols()), (3, 2));
/// # Ok::<(), vastmax::Error>(())
/// ```
#[derive(Debug)]
pub struct MatrixMut<'a> {
    pub(crate) raw: sys::vmx_matrix,
    _data: PhantomData<&'a mut ()>,
}

/// A vector that is read, at any stride.
///
/// Slices, arrays and `Vec`s turn into one by themselves where a function takes `impl Into<VectorRef>`.
#[derive(Clone, Copy, Debug)]
pub struct VectorRef<'a> {
    pub(crate) raw: sys::vmx_vector,
    _data: PhantomData<&'a ()>,
}

/// A vector that is written.
#[derive(Debug)]
pub struct VectorMut<'a> {
    pub(crate) raw: sys::vmx_vector,
    _data: PhantomData<&'a mut ()>,
}

/// Labels or class ids, `i32` or `i64`, counted from 0 unless [`base`](Self::base) says 1.
#[derive(Clone, Copy, Debug)]
pub struct IdsRef<'a> {
    pub(crate) raw: sys::vmx_ids,
    _data: PhantomData<&'a ()>,
}

// SAFETY: they are to a slice of elements, which are Send and Sync, what a reference is.
unsafe impl Send for MatrixRef<'_> {}
unsafe impl Sync for MatrixRef<'_> {}
unsafe impl Send for MatrixMut<'_> {}
unsafe impl Sync for MatrixMut<'_> {}
unsafe impl Send for VectorRef<'_> {}
unsafe impl Sync for VectorRef<'_> {}
unsafe impl Send for VectorMut<'_> {}
unsafe impl Sync for VectorMut<'_> {}
unsafe impl Send for IdsRef<'_> {}
unsafe impl Sync for IdsRef<'_> {}

macro_rules! matrix_properties {
    ($t:ident) => {
        impl $t<'_> {
            /// How many rows.
            pub fn rows(&self) -> usize {
                self.raw.rows as usize
            }
            /// How many columns.
            pub fn cols(&self) -> usize {
                self.raw.cols as usize
            }
            /// Elements from one row to the next, and from one column to the next.
            pub fn strides(&self) -> (isize, isize) {
                (self.raw.row_stride as isize, self.raw.col_stride as isize)
            }
            /// Of the elements.
            pub fn dtype(&self) -> DType {
                dtype_of(self.raw.dtype)
            }
            /// As the C ABI has it; valid as long as this view.
            pub fn as_raw(&self) -> &sys::vmx_matrix {
                &self.raw
            }
        }
    };
}
matrix_properties!(MatrixRef);
matrix_properties!(MatrixMut);

macro_rules! vector_properties {
    ($t:ident) => {
        impl $t<'_> {
            /// How many elements.
            pub fn len(&self) -> usize {
                self.raw.n as usize
            }
            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.raw.n == 0
            }
            /// Of the elements.
            pub fn dtype(&self) -> DType {
                dtype_of(self.raw.dtype)
            }
            /// As the C ABI has it; valid as long as this view.
            pub fn as_raw(&self) -> &sys::vmx_vector {
                &self.raw
            }
        }
    };
}
vector_properties!(VectorRef);
vector_properties!(VectorMut);

fn dtype_of(number: i32) -> DType {
    match number {
        sys::VMX_BF16 => DType::BF16,
        sys::VMX_F16 => DType::F16,
        sys::VMX_F64 => DType::F64,
        sys::VMX_I32 => DType::I32,
        sys::VMX_I64 => DType::I64,
        _ => DType::F32,
    }
}

impl<'a> MatrixRef<'a> {
    /// Rows of adjacent elements, one behind the other. [`Error::Shape`] unless `data` has `rows * cols`
    /// elements.
    #[inline]
    pub fn new<T: Element>(data: &'a [T], rows: usize, cols: usize) -> Result<Self> {
        check_filled("MatrixRef::new", data.len(), rows, cols)?;
        // SAFETY: all elements lie in data.
        Ok(unsafe { Self::from_raw_parts(data.as_ptr(), rows, cols, cols as isize, 1) })
    }

    /// Element (r, c) is `data[first + r * row_stride + c * col_stride]`. [`Error::Shape`] if one lies
    /// outside.
    pub fn with_strides<T: Element>(
        data: &'a [T],
        first: usize,
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Result<Self> {
        check_inside(
            "MatrixRef::with_strides",
            data.len(),
            first,
            &[(rows, row_stride), (cols, col_stride)],
        )?;
        // SAFETY: all elements lie in data, and first does, or is its end.
        Ok(unsafe { Self::from_raw_parts(data.as_ptr().add(first), rows, cols, row_stride, col_stride) })
    }

    /// One row.
    #[inline]
    pub fn row<T: Element>(data: &'a [T]) -> Self {
        // SAFETY: all elements lie in data.
        unsafe { Self::from_raw_parts(data.as_ptr(), 1, data.len(), data.len() as isize, 1) }
    }

    /// A shape without data, for the `workspace_size` functions: other calls refuse it with [`Error::Null`].
    pub fn of_shape<T: Element>(rows: usize, cols: usize) -> Self {
        let row_stride = isize::try_from(cols).unwrap_or(isize::MAX);
        Self { raw: matrix::<T>(std::ptr::null(), rows, cols, row_stride, 1), _data: PhantomData }
    }

    /// A view of memory that no slice covers.
    ///
    /// # Safety
    /// Every element must be readable, aligned and initialised as long as `'a`, and nobody may write it
    /// meanwhile.
    #[inline]
    pub unsafe fn from_raw_parts<T: Element>(
        data: *const T,
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Self {
        Self { raw: matrix(data, rows, cols, row_stride, col_stride), _data: PhantomData }
    }
}

impl<'a> MatrixMut<'a> {
    /// Rows of adjacent elements, one behind the other. [`Error::Shape`] unless `data` has `rows * cols`
    /// elements.
    #[inline]
    pub fn new<T: Element>(data: &'a mut [T], rows: usize, cols: usize) -> Result<Self> {
        check_filled("MatrixMut::new", data.len(), rows, cols)?;
        // SAFETY: all elements lie in data.
        Ok(unsafe { Self::from_raw_parts(data.as_mut_ptr(), rows, cols, cols as isize, 1) })
    }

    /// Element (r, c) is `data[first + r * row_stride + c * col_stride]`. [`Error::Shape`] if one lies
    /// outside.
    pub fn with_strides<T: Element>(
        data: &'a mut [T],
        first: usize,
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Result<Self> {
        check_inside(
            "MatrixMut::with_strides",
            data.len(),
            first,
            &[(rows, row_stride), (cols, col_stride)],
        )?;
        // SAFETY: all elements lie in data, and first does, or is its end.
        Ok(unsafe { Self::from_raw_parts(data.as_mut_ptr().add(first), rows, cols, row_stride, col_stride) })
    }

    /// One row.
    #[inline]
    pub fn row<T: Element>(data: &'a mut [T]) -> Self {
        let n = data.len();
        // SAFETY: all elements lie in data.
        unsafe { Self::from_raw_parts(data.as_mut_ptr(), 1, n, n as isize, 1) }
    }

    /// A view of memory that no slice covers.
    ///
    /// # Safety
    /// Every element must be readable, writable, aligned and initialised as long as `'a`, and nobody else may
    /// use it meanwhile.
    #[inline]
    pub unsafe fn from_raw_parts<T: Element>(
        data: *mut T,
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Self {
        Self { raw: matrix(data, rows, cols, row_stride, col_stride), _data: PhantomData }
    }

    /// The same for a shorter time, to hand it over and have it again.
    pub fn reborrow(&mut self) -> MatrixMut<'_> {
        MatrixMut { raw: self.raw, _data: PhantomData }
    }

    /// To read it.
    pub fn as_ref(&self) -> MatrixRef<'_> {
        MatrixRef { raw: self.raw, _data: PhantomData }
    }
}

impl<'a> VectorRef<'a> {
    /// All of a slice.
    #[inline]
    pub fn new<T: Element>(data: &'a [T]) -> Self {
        Self { raw: vector(data.as_ptr(), data.len(), 1), _data: PhantomData }
    }

    /// Element i is `data[first + i * stride]`. [`Error::Shape`] if one lies outside.
    pub fn with_stride<T: Element>(data: &'a [T], first: usize, n: usize, stride: isize) -> Result<Self> {
        check_inside("VectorRef::with_stride", data.len(), first, &[(n, stride)])?;
        // SAFETY: first lies in data, or is its end.
        Ok(Self { raw: vector(unsafe { data.as_ptr().add(first) }, n, stride), _data: PhantomData })
    }

    /// A view of memory that no slice covers.
    ///
    /// # Safety
    /// Every element must be readable, aligned and initialised as long as `'a`, and nobody may write it
    /// meanwhile.
    pub unsafe fn from_raw_parts<T: Element>(data: *const T, n: usize, stride: isize) -> Self {
        Self { raw: vector(data, n, stride), _data: PhantomData }
    }

    /// One element that stands for `n`.
    pub fn broadcast<T: Element>(element: &'a T, n: usize) -> Self {
        Self { raw: vector(element, n, 0), _data: PhantomData }
    }
}

impl<'a> VectorMut<'a> {
    /// All of a slice.
    #[inline]
    pub fn new<T: Element>(data: &'a mut [T]) -> Self {
        Self { raw: vector(data.as_mut_ptr(), data.len(), 1), _data: PhantomData }
    }

    /// Element i is `data[first + i * stride]`. [`Error::Shape`] if one lies outside.
    pub fn with_stride<T: Element>(data: &'a mut [T], first: usize, n: usize, stride: isize) -> Result<Self> {
        check_inside("VectorMut::with_stride", data.len(), first, &[(n, stride)])?;
        // SAFETY: first lies in data, or is its end.
        Ok(Self { raw: vector(unsafe { data.as_mut_ptr().add(first) }, n, stride), _data: PhantomData })
    }

    /// A view of memory that no slice covers.
    ///
    /// # Safety
    /// Every element must be readable, writable, aligned and initialised as long as `'a`, and nobody else may
    /// use it meanwhile.
    pub unsafe fn from_raw_parts<T: Element>(data: *mut T, n: usize, stride: isize) -> Self {
        Self { raw: vector(data, n, stride), _data: PhantomData }
    }

    /// The same for a shorter time.
    pub fn reborrow(&mut self) -> VectorMut<'_> {
        VectorMut { raw: self.raw, _data: PhantomData }
    }
}

impl<'a> IdsRef<'a> {
    /// All of a slice, counted from 0.
    #[inline]
    pub fn new<I: Id>(data: &'a [I]) -> Self {
        let raw = sys::vmx_ids {
            data: data.as_ptr().cast(),
            n: data.len() as i64,
            stride: 1,
            r#type: I::DTYPE as i32,
            base: 0,
        };
        Self { raw, _data: PhantomData }
    }

    /// Id i is `data[first + i * stride]`. [`Error::Shape`] if one lies outside.
    pub fn with_stride<I: Id>(data: &'a [I], first: usize, n: usize, stride: isize) -> Result<Self> {
        check_inside("IdsRef::with_stride", data.len(), first, &[(n, stride)])?;
        let mut made = Self::new(data);
        // SAFETY: first lies in data, or is its end.
        made.raw.data = unsafe { data.as_ptr().add(first) }.cast();
        made.raw.n = n as i64;
        made.raw.stride = stride as i64;
        Ok(made)
    }

    /// A view of memory that no slice covers, counted from 0.
    ///
    /// # Safety
    /// Every id must be readable, aligned and initialised as long as `'a`, and nobody may write it meanwhile.
    pub unsafe fn from_raw_parts<I: Id>(data: *const I, n: usize, stride: isize) -> Self {
        let raw = sys::vmx_ids {
            data: data.cast(),
            n: count(n),
            stride: stride as i64,
            r#type: I::DTYPE as i32,
            base: 0,
        };
        Self { raw, _data: PhantomData }
    }

    /// The number of the first class (default 0; else 1, other numbers are [`Error::Value`]).
    pub fn base(mut self, base: i32) -> Self {
        self.raw.base = base;
        self
    }

    /// How many ids.
    pub fn len(&self) -> usize {
        self.raw.n as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.raw.n == 0
    }

    /// As the C ABI has it; valid as long as this view.
    pub fn as_raw(&self) -> &sys::vmx_ids {
        &self.raw
    }
}

macro_rules! from {
    ($view:ident from $($from:ty),+ ; $bound:ident) => {
        $(impl<'a, T: $bound> From<$from> for $view<'a> {
            #[inline]
            fn from(data: $from) -> Self {
                Self::new(&data[..])
            }
        })+
    };
}
from!(VectorRef from &'a [T], &'a Vec<T>, &'a mut [T], &'a mut Vec<T>; Element);
from!(IdsRef from &'a [T], &'a Vec<T>; Id);

impl<'a, T: Element, const N: usize> From<&'a [T; N]> for VectorRef<'a> {
    #[inline]
    fn from(data: &'a [T; N]) -> Self {
        Self::new(data)
    }
}
impl<'a, T: Id, const N: usize> From<&'a [T; N]> for IdsRef<'a> {
    #[inline]
    fn from(data: &'a [T; N]) -> Self {
        Self::new(data)
    }
}
impl<'a, T: Element> From<&'a mut [T]> for VectorMut<'a> {
    #[inline]
    fn from(data: &'a mut [T]) -> Self {
        Self::new(data)
    }
}
impl<'a, T: Element> From<&'a mut Vec<T>> for VectorMut<'a> {
    #[inline]
    fn from(data: &'a mut Vec<T>) -> Self {
        Self::new(data)
    }
}
impl<'a, T: Element, const N: usize> From<&'a mut [T; N]> for VectorMut<'a> {
    #[inline]
    fn from(data: &'a mut [T; N]) -> Self {
        Self::new(data)
    }
}
impl<'a> From<VectorMut<'a>> for VectorRef<'a> {
    fn from(v: VectorMut<'a>) -> Self {
        Self { raw: v.raw, _data: PhantomData }
    }
}
impl<'a> From<MatrixMut<'a>> for MatrixRef<'a> {
    fn from(m: MatrixMut<'a>) -> Self {
        Self { raw: m.raw, _data: PhantomData }
    }
}
impl<'a> From<&'a MatrixMut<'_>> for MatrixRef<'a> {
    fn from(m: &'a MatrixMut<'_>) -> Self {
        m.as_ref()
    }
}
/// Rows of arrays.
impl<'a, T: Element, const C: usize> From<&'a [[T; C]]> for MatrixRef<'a> {
    fn from(data: &'a [[T; C]]) -> Self {
        // SAFETY: arrays lie one behind the other without gaps.
        unsafe { Self::from_raw_parts(data.as_ptr().cast::<T>(), data.len(), C, C as isize, 1) }
    }
}
impl<'a, T: Element, const C: usize, const R: usize> From<&'a [[T; C]; R]> for MatrixRef<'a> {
    fn from(data: &'a [[T; C]; R]) -> Self {
        Self::from(&data[..])
    }
}
/// Rows of arrays.
impl<'a, T: Element, const C: usize> From<&'a mut [[T; C]]> for MatrixMut<'a> {
    fn from(data: &'a mut [[T; C]]) -> Self {
        // SAFETY: as above.
        unsafe { Self::from_raw_parts(data.as_mut_ptr().cast::<T>(), data.len(), C, C as isize, 1) }
    }
}
impl<'a, T: Element, const C: usize, const R: usize> From<&'a mut [[T; C]; R]> for MatrixMut<'a> {
    fn from(data: &'a mut [[T; C]; R]) -> Self {
        Self::from(&mut data[..])
    }
}

/// A list of class ids for each row: one label each, or lists of any length in the CSR form, with weights if
/// wanted.
///
/// ```
/// use vastmax::Lists;
///
/// let labels = Lists::from(&[3i64, 0, 7]); // one for each of three rows
/// // Row 0 has {3, 5}, row 1 nothing, row 2 has {7}, with weights.
/// let lists = Lists::csr(&[0i64, 2, 2, 3], &[3i32, 5, 7]).weights(&[1.0f32, 0.5, 1.0]);
/// assert_eq!((labels.rows(), lists.rows()), (3, 3));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    pub(crate) raw: sys::vmx_csr,
    _data: PhantomData<&'a ()>,
}

// SAFETY: references to elements, as the views that it is made of.
unsafe impl Send for Lists<'_> {}
unsafe impl Sync for Lists<'_> {}

impl<'a> Lists<'a> {
    /// Exactly one id a row.
    #[inline]
    pub fn one_each(ids: impl Into<IdsRef<'a>>) -> Self {
        let raw = sys::vmx_csr { indptr: NO_IDS, ids: ids.into().raw, weights: NO_VECTOR };
        Self { raw, _data: PhantomData }
    }

    /// Row r has `ids[indptr[r] .. indptr[r + 1]]`. `indptr` has rows + 1 entries that do not fall: else the
    /// call that takes the lists gives [`Error::Shape`].
    #[inline]
    pub fn csr(indptr: impl Into<IdsRef<'a>>, ids: impl Into<IdsRef<'a>>) -> Self {
        let raw = sys::vmx_csr { indptr: indptr.into().raw, ids: ids.into().raw, weights: NO_VECTOR };
        Self { raw, _data: PhantomData }
    }

    /// A weight for each id, `f32` or `f64`. Default: all 1.
    pub fn weights(mut self, weights: impl Into<VectorRef<'a>>) -> Self {
        self.raw.weights = weights.into().raw;
        self
    }

    /// How many rows have a list.
    pub fn rows(&self) -> usize {
        if self.raw.indptr.data.is_null() {
            self.raw.ids.n as usize
        } else {
            (self.raw.indptr.n as usize).saturating_sub(1)
        }
    }
}

impl<'a, T: Into<IdsRef<'a>>> From<T> for Lists<'a> {
    #[inline]
    fn from(ids: T) -> Self {
        Self::one_each(ids)
    }
}

/// The raw view of an output that may be missing.
pub(crate) fn matrix_or_none(m: Option<MatrixMut<'_>>) -> sys::vmx_matrix {
    m.map_or(NO_MATRIX, |m| m.raw)
}
