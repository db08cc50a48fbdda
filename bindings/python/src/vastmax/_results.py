# SPDX-License-Identifier: Apache-2.0
"""Named tuples that functions return. Their arrays are of the library that the call was given."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

ArrayT = TypeVar("ArrayT")

try:
    # NamedTuple can be generic from Python 3.11 on.
    class TopK(NamedTuple, Generic[ArrayT]):
        """The k best entries of each row."""

        values: ArrayT
        ids: Any

except TypeError:

    class TopK(NamedTuple):  # type: ignore[no-redef]
        """The k best entries of each row."""

        values: Any
        ids: Any


class CrossEntropyResult(NamedTuple):
    """All results of cross_entropy: arrays of the batch shape, totals of float64 without axes, grad or None."""

    loss: Any
    z_loss: Any
    lse: Any
    flags: Any
    total: Any
    total_z_loss: Any
    total_weight: Any
    grad: Any


class LinearGrads(NamedTuple):
    """Gradients of linear_cross_entropy; None where not asked for."""

    hidden: Any
    weights: Any
    bias: Any


class LinearCrossEntropyResult(NamedTuple):
    """All results of linear_cross_entropy; grads is LinearGrads or None."""

    loss: Any
    z_loss: Any
    lse: Any
    flags: Any
    total: Any
    total_z_loss: Any
    total_weight: Any
    grads: LinearGrads | None


class Draw(NamedTuple):
    """Classes drawn by a Sampler."""

    ids: Any
    log_q: Any
    tries: Any
    flags: Any


class SparseRows(NamedTuple):
    """Gradient of a table whose other rows have none: rising int64 ids, float32 [n, dim] rows, float32 bias or None."""

    ids: Any
    rows: Any
    bias: Any = None


class SampledGrads(NamedTuple):
    """Gradients of sampled_loss; None where not asked for."""

    hidden: Any
    table: Any
    bias: Any
    sparse: SparseRows | None


class SampledLossResult(NamedTuple):
    """All results of sampled_loss; grads is SampledGrads or None."""

    loss: Any
    flags: Any
    total: Any
    total_weight: Any
    grads: SampledGrads | None


class InBatchGrads(NamedTuple):
    """Gradients of in_batch_softmax; None where not asked for."""

    queries: Any
    keys: Any


class InBatchResult(NamedTuple):
    """All results of in_batch_softmax; grads is InBatchGrads or None."""

    loss: Any
    flags: Any
    total: Any
    total_weight: Any
    grads: InBatchGrads | None
