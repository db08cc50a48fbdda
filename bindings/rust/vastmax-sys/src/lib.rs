// SPDX-License-Identifier: Apache-2.0
//! The C ABI of vastmax as the header `vastmax.h` declares it, whose comments stand at each item. The crate
//! `vastmax` is the safe layer over it.
//!
//! Structs that begin with `struct_size` have their defaults in `INIT` and [`Default`]. Every function may be
//! called from any thread unless its comment says otherwise.
//!
//! ```
//! use vastmax_sys::*;
//!
//! let mut scores = [1.0f32, 2.0, 3.0, 4.0];
//! let mut lse = [0.0f32];
//! let x = vmx_matrix {
//!     data: scores.as_mut_ptr().cast(),
//!     rows: 1,
//!     cols: 4,
//!     row_stride: 4,
//!     col_stride: 1,
//!     dtype: VMX_F32,
//!     reserved: 0,
//! };
//! let out = vmx_vector { data: lse.as_mut_ptr().cast(), n: 1, stride: 1, dtype: VMX_F32, reserved: 0 };
//! let options = vmx_softmax_options::INIT;
//! // SAFETY: the views are of memory that is there, and nothing else uses it during the call.
//! let status = unsafe {
//!     vmx_logsumexp(std::ptr::null(), std::ptr::null_mut(), &x, &out, std::ptr::null_mut(), &options)
//! };
//! assert_eq!(status, VMX_OK);
//! assert_eq!(lse[0], 4.4401897);
//! ```
#![no_std]
#![allow(non_camel_case_types)]

#[rustfmt::skip]
mod raw;
pub use raw::*;
