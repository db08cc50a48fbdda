// SPDX-License-Identifier: Apache-2.0
//! The k best entries of rows.
use crate::call::Call;
use crate::context::Context;
use crate::error::{Result, check};
use crate::views::{Lists, MatrixMut, MatrixRef, count, matrix_or_none};
use vastmax_sys as sys;

/// Options of top-k. Default: the largest, sorted, nothing excluded, ids from 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct TopkOptions<'a> {
    flags: u32,
    col_offset: i64,
    excluded: Option<Lists<'a>>,
}

impl<'a> TopkOptions<'a> {
    /// The defaults.
    pub const fn new() -> Self {
        Self { flags: 0, col_offset: 0, excluded: None }
    }

    /// The k smallest instead of the k largest.
    pub fn smallest(mut self) -> Self {
        self.flags |= sys::VMX_TOPK_SMALLEST;
        self
    }

    /// The k entries in rising order of id instead of rank order.
    pub fn unsorted(mut self) -> Self {
        self.flags |= sys::VMX_TOPK_UNSORTED;
        self
    }

    /// Added to each id found, for shards of a row.
    pub fn col_offset(mut self, offset: usize) -> Self {
        self.col_offset = count(offset);
        self
    }

    /// Classes to pass over, a list for each row, counted over the whole row; those outside the slice are
    /// passed over. Weights are not looked at.
    pub fn excluded(mut self, lists: impl Into<Lists<'a>>) -> Self {
        self.excluded = Some(lists.into());
        self
    }

    pub(crate) fn raw(&self) -> sys::vmx_topk_options {
        let mut options = sys::vmx_topk_options::INIT;
        options.flags = self.flags;
        options.col_offset = self.col_offset;
        if let Some(lists) = &self.excluded {
            options.excluded = lists.raw;
        }
        options
    }
}

impl Call<'_> {
    /// The k best entries of each row: exactly k, ties by the lower id.
    ///
    /// - `x`: \[rows, cols\]; `k` in \[1, cols\]. -0 equals +0; NaN ranks after everything else.
    /// - `values`: \[rows, k\] of `x`'s dtype, bits as in `x`. `ids`: \[rows, k\] `i32` or `i64`, from 0,
    ///   `col_offset` added. Not both `None`.
    /// - Flags: NAN, INF; EMPTY if there is nothing but -inf, NaN and excluded entries; UNDERFULL if fewer
    ///   than k entries are left after exclusion: the rest has id -1 and value -inf (+inf for the
    ///   [`smallest`](TopkOptions::smallest)).
    /// - [`Error::Value`](crate::Error::Value) for k = 0, [`Error::Shape`](crate::Error::Shape) for k > cols,
    ///   [`Error::Size`](crate::Error::Size) for `i32` ids that could overflow.
    ///
    /// ```
    /// use vastmax::{Call, MatrixRef, TopkOptions};
    /// let x = MatrixRef::from(&[[1.0f32, 5.0, 3.0, 5.0]]);
    /// let (mut values, mut ids) = ([[0.0f32; 3]], [[0i64; 3]]);
    /// Call::new().topk(x, 3, Some((&mut values).into()), Some((&mut ids).into()), &TopkOptions::new())?;
    /// assert_eq!((values, ids), ([[5.0, 5.0, 3.0]], [[1, 3, 2]]));
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn topk<'x>(
        &mut self,
        x: impl Into<MatrixRef<'x>>,
        k: usize,
        values: Option<MatrixMut<'_>>,
        ids: Option<MatrixMut<'_>>,
        options: &TopkOptions<'_>,
    ) -> Result<()> {
        let x = x.into();
        let (values, ids, options) = (matrix_or_none(values), matrix_or_none(ids), options.raw());
        let flags = self.flags_for("vmx_topk", x.raw.rows)?;
        // SAFETY: the views are borrowed during the call, mutably where it writes, and flags has x.rows
        // elements.
        check(unsafe { sys::vmx_topk(self.ctx, self.ws, &x.raw, count(k), &values, &ids, flags, &options) })
    }

    /// Merges k-lists: the k best of the m entries of each row, by the order of [`topk`](Self::topk) with the
    /// given ids for ties. So a row split over shards is [`topk`](Self::topk) of each (with
    /// [`col_offset`](TopkOptions::col_offset)), the lists side by side, and one merge.
    ///
    /// - `values_in`: \[rows, m\] of any dtype of scores; `ids_in`: \[rows, m\] `i32` or `i64`, -1 for an
    ///   empty slot; no id may stand twice in a row. `k` in \[1, m\]. `values`, `ids` and flags as in
    ///   [`topk`](Self::topk).
    /// - `options`: [`smallest`](TopkOptions::smallest) and [`unsorted`](TopkOptions::unsorted) alone.
    ///
    /// ```
    /// use vastmax::{Call, MatrixRef, TopkOptions};
    /// let values_in = MatrixRef::from(&[[4.0f32, 2.0, 9.0, 4.0]]);
    /// let ids_in = MatrixRef::from(&[[70i64, 71, 3, 5]]);
    /// let mut ids = [[0i64; 2]];
    /// Call::new().topk_merge(values_in, ids_in, 2, None, Some((&mut ids).into()), &TopkOptions::new())?;
    /// assert_eq!(ids, [[3, 5]]);
    /// # Ok::<(), vastmax::Error>(())
    /// ```
    pub fn topk_merge<'v, 'i>(
        &mut self,
        values_in: impl Into<MatrixRef<'v>>,
        ids_in: impl Into<MatrixRef<'i>>,
        k: usize,
        values: Option<MatrixMut<'_>>,
        ids: Option<MatrixMut<'_>>,
        options: &TopkOptions<'_>,
    ) -> Result<()> {
        let (values_in, ids_in) = (values_in.into(), ids_in.into());
        let (values, ids, options) = (matrix_or_none(values), matrix_or_none(ids), options.raw());
        let flags = self.flags_for("vmx_topk_merge", values_in.raw.rows)?;
        // SAFETY: as in topk.
        check(unsafe {
            sys::vmx_topk_merge(
                self.ctx,
                self.ws,
                &values_in.raw,
                &ids_in.raw,
                count(k),
                &values,
                &ids,
                flags,
                &options,
            )
        })
    }
}

impl Context {
    /// Bytes that [`Call::topk`] of this shape may take from its workspace.
    pub fn topk_workspace_size<'x>(
        &self,
        x: impl Into<MatrixRef<'x>>,
        k: usize,
        options: &TopkOptions<'_>,
    ) -> Result<usize> {
        let (x, options) = (x.into(), options.raw());
        let mut size = 0;
        // SAFETY: the data of the views are not read.
        check(unsafe { sys::vmx_topk_workspace_size(self.raw, &x.raw, count(k), &options, &mut size) })?;
        Ok(size)
    }
}
