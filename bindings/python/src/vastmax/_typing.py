# SPDX-License-Identifier: Apache-2.0
"""Names for what the functions take."""

from __future__ import annotations

from typing import Any, TypeAlias

#: An array of NumPy or PyTorch, or any object with DLPack or the buffer protocol, in the CPU's memory.
ArrayLike: TypeAlias = Any
#: A number for all rows, or an array of one for each.
FloatOrArray: TypeAlias = Any
#: "float32", "bfloat16", "float16", "float64", "int32" or "int64", or a dtype of NumPy or PyTorch.
DTypeLike: TypeAlias = Any
#: One class id a row as an array, or a tuple (indptr or None, ids) or (indptr or None, ids, weights).
ListsLike: TypeAlias = Any
#: SparseRows, or a tuple (ids, rows) or (ids, rows, bias).
SparseLike: TypeAlias = Any
