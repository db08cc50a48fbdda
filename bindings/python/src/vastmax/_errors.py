# SPDX-License-Identifier: Apache-2.0
"""Exceptions. Each carries the C library's status and message, and is a subclass of the built-in one that fits."""

from . import _constants as c


class Error(Exception):
    """Base of all exceptions of vastmax. status is the number of the C library: ERR_SHAPE, ERR_VALUE, ..."""

    status: int = c.ERR_INTERNAL


class ArgumentTypeError(Error, TypeError):
    """An argument is no array, of a dtype that does not fit, or missing."""


class ArgumentValueError(Error, ValueError):
    """Shapes that do not fit, an option out of range, outputs that overlap."""


class LabelError(ArgumentValueError):
    """A label or class id outside [0, classes)."""


class UnsupportedError(Error, NotImplementedError):
    """This CPU, build or kind of object lacks what was asked for."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed. Outputs of the call are unspecified."""


class CallbackError(Error, RuntimeError):
    """A context's parallel_for raised, or did not run every task. Outputs of the call are unspecified."""


class InternalError(Error, RuntimeError):
    """A defect of vastmax: please report it."""


_CLASSES: dict[int, type[Error]] = {
    c.ERR_NULL: ArgumentTypeError,
    c.ERR_DTYPE: ArgumentTypeError,
    c.ERR_SHAPE: ArgumentValueError,
    c.ERR_VALUE: ArgumentValueError,
    c.ERR_OVERLAP: ArgumentValueError,
    c.ERR_SIZE: ArgumentValueError,
    c.ERR_STRUCT: InternalError,
    c.ERR_LABEL: LabelError,
    c.ERR_UNSUPPORTED: UnsupportedError,
    c.ERR_MEMORY: OutOfMemoryError,
    c.ERR_CALLBACK: CallbackError,
}


def of_status(status: int, message: str) -> Error:
    error = _CLASSES.get(status, InternalError)(message)
    error.status = status
    return error
