// SPDX-License-Identifier: Apache-2.0
//! Errors: the C library's statuses with its messages.
use std::fmt;
use vastmax_sys as sys;

/// What a call refused, with a message that names the argument and the values, for people: its text may
/// change.
///
/// Errors speak of arguments and are decided before any write: the outputs are untouched. Only after
/// [`Memory`](Self::Memory) and [`Callback`](Self::Callback) is their content unspecified. What the data hold
/// never makes a call fail; it shows in [`RowFlags`](crate::RowFlags).
///
/// ```
/// use vastmax::{Call, Error, MatrixRef, SoftmaxOptions};
///
/// let x = MatrixRef::from(&[[1.0f32, 2.0], [3.0, 4.0]]);
/// let mut lse = [0.0f32; 3];
/// let error = Call::new().logsumexp(x, &mut lse, &SoftmaxOptions::new()).unwrap_err();
/// assert!(matches!(error, Error::Shape(_)));
/// assert_eq!(error.to_string(), "vmx_logsumexp: lse.n is 3, but must be 2");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A required pointer is NULL: a view [`of_shape`](crate::MatrixRef::of_shape) where data were needed.
    Null(String),
    /// Sizes that do not fit each other.
    Shape(String),
    /// A dtype that this argument cannot have.
    Dtype(String),
    /// An option or parameter outside its range.
    Value(String),
    /// An output overlaps itself, an input or another output.
    Overlap(String),
    /// A product of sizes overflows, or there are more than [`MAX_COLS`](crate::MAX_COLS) columns.
    Size(String),
    /// The library does not know this crate's option structs.
    Struct(String),
    /// A label or class id out of range that is not `ignore_index`.
    Label(String),
    /// This CPU or build lacks what was asked for.
    Unsupported(String),
    /// An allocation failed.
    Memory(String),
    /// The context's thread source did not run every task, or panicked.
    Callback(String),
    /// A defect of vastmax: please report it.
    Internal(String),
    /// A status of a newer library.
    Other(i32, String),
}

/// `Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The status number of the C ABI.
    pub fn status(&self) -> i32 {
        match self {
            Error::Null(_) => sys::VMX_ERR_NULL,
            Error::Shape(_) => sys::VMX_ERR_SHAPE,
            Error::Dtype(_) => sys::VMX_ERR_DTYPE,
            Error::Value(_) => sys::VMX_ERR_VALUE,
            Error::Overlap(_) => sys::VMX_ERR_OVERLAP,
            Error::Size(_) => sys::VMX_ERR_SIZE,
            Error::Struct(_) => sys::VMX_ERR_STRUCT,
            Error::Label(_) => sys::VMX_ERR_LABEL,
            Error::Unsupported(_) => sys::VMX_ERR_UNSUPPORTED,
            Error::Memory(_) => sys::VMX_ERR_MEMORY,
            Error::Callback(_) => sys::VMX_ERR_CALLBACK,
            Error::Internal(_) => sys::VMX_ERR_INTERNAL,
            Error::Other(status, _) => *status,
        }
    }

    /// What [`Display`](fmt::Display) prints.
    pub fn message(&self) -> &str {
        match self {
            Error::Null(m)
            | Error::Shape(m)
            | Error::Dtype(m)
            | Error::Value(m)
            | Error::Overlap(m)
            | Error::Size(m)
            | Error::Struct(m)
            | Error::Label(m)
            | Error::Unsupported(m)
            | Error::Memory(m)
            | Error::Callback(m)
            | Error::Internal(m)
            | Error::Other(_, m) => m,
        }
    }

    fn new(status: i32, message: String) -> Self {
        match status {
            sys::VMX_ERR_NULL => Error::Null(message),
            sys::VMX_ERR_SHAPE => Error::Shape(message),
            sys::VMX_ERR_DTYPE => Error::Dtype(message),
            sys::VMX_ERR_VALUE => Error::Value(message),
            sys::VMX_ERR_OVERLAP => Error::Overlap(message),
            sys::VMX_ERR_SIZE => Error::Size(message),
            sys::VMX_ERR_STRUCT => Error::Struct(message),
            sys::VMX_ERR_LABEL => Error::Label(message),
            sys::VMX_ERR_UNSUPPORTED => Error::Unsupported(message),
            sys::VMX_ERR_MEMORY => Error::Memory(message),
            sys::VMX_ERR_CALLBACK => Error::Callback(message),
            sys::VMX_ERR_INTERNAL => Error::Internal(message),
            _ => Error::Other(status, message),
        }
    }

    /// Of the call that this thread made last.
    #[cold]
    fn last(status: i32) -> Self {
        let mut buffer = vec![0u8; 512];
        loop {
            // SAFETY: at most buffer.len() bytes are written, the last of them a NUL.
            let length = unsafe { sys::vmx_last_error(buffer.as_mut_ptr().cast(), buffer.len()) };
            if length < buffer.len() {
                buffer.truncate(length);
                break;
            }
            buffer.resize(length + 1, 0);
        }
        let message = String::from_utf8_lossy(&buffer).into_owned();
        if message.is_empty() {
            return Error::new(status, crate::status_string(status).to_string());
        }
        Error::new(status, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

#[inline(always)]
pub(crate) fn check(status: sys::vmx_status) -> Result<()> {
    if status == sys::VMX_OK { Ok(()) } else { Err(Error::last(status)) }
}
