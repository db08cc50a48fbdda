// SPDX-License-Identifier: Apache-2.0
//! Element types.
use vastmax_sys as sys;

/// The dtype of a view's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum DType {
    /// `f32`
    F32 = sys::VMX_F32,
    /// The upper half of an `f32`: `half::bf16`.
    BF16 = sys::VMX_BF16,
    /// IEEE binary16: `half::f16`.
    F16 = sys::VMX_F16,
    /// `f64`
    F64 = sys::VMX_F64,
    /// `i32`, for ids.
    I32 = sys::VMX_I32,
    /// `i64`, for ids.
    I64 = sys::VMX_I64,
}

mod private {
    pub trait Sealed {}
}

/// What a view may hold: `f32`, `f64`, ids as `i32` and `i64`, and with the feature `half` its `f16` and
/// `bf16`.
pub trait Element: Copy + Send + Sync + private::Sealed + 'static {
    /// Its number in the C ABI.
    const DTYPE: DType;
}

/// Ids: `i32` or `i64`.
pub trait Id: Element {}

macro_rules! element {
    ($t:ty, $dtype:ident) => {
        impl private::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
        }
    };
}
element!(f32, F32);
element!(f64, F64);
element!(i32, I32);
element!(i64, I64);
#[cfg(feature = "half")]
element!(half::f16, F16);
#[cfg(feature = "half")]
element!(half::bf16, BF16);
impl Id for i32 {}
impl Id for i64 {}
