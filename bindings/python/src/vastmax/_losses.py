# SPDX-License-Identifier: Apache-2.0
"""The members of the sampled family by their names: sampled_loss with its loss and what only that loss takes."""

from __future__ import annotations

from typing import Any

from ._typing import ArrayLike, ListsLike
from ._vastmax import sampled_loss


def sampled_softmax(
    hidden: ArrayLike,
    table: ArrayLike,
    targets: ListsLike,
    candidates: ArrayLike,
    log_q: ArrayLike | None = None,
    target_log_q: ArrayLike | None = None,
    *,
    correction: str = "none",
    joint: bool = False,
    **options: Any,
) -> Any:
    """Sampled softmax: the softmax over each row's targets and its negatives, scores corrected by log q.

    Args:
        hidden, table, targets, candidates, log_q, target_log_q: As in sampled_loss: [rows, dim], [classes, dim], [rows] or a
            tuple (indptr, ids[, weights]), [m] or [rows, m], the same, [number of targets].
        correction: "none", "ranking", "is" (importance sampling) or "counts" (expected counts).
        joint: All targets of a row stand in one denominator, as in the exact loss.
        options: As in sampled_loss.

    Returns:
        As sampled_loss.

    Raises:
        As sampled_loss.

    >>> import numpy as np, vastmax
    >>> hidden, table = np.zeros((1, 4), dtype=np.float32), np.ones((10, 4), dtype=np.float32)
    >>> round(float(sampled_softmax(hidden, table, np.array([0]), np.array([5, 6, 7]))), 6)
    1.386294
    """
    return sampled_loss(
        hidden, table, targets, candidates, log_q, target_log_q,
        loss="sampled_softmax", correction=correction, joint=joint, **options,
    )  # fmt: skip


def nce(
    hidden: ArrayLike,
    table: ArrayLike,
    targets: ListsLike,
    candidates: ArrayLike,
    log_q: ArrayLike,
    target_log_q: ArrayLike,
    **options: Any,
) -> Any:
    """Noise-contrastive estimation: tells targets from negatives by their scores less the log of expected counts.

    Args:
        hidden, table, targets, candidates: As in sampled_loss.
        log_q, target_log_q: Log of expected counts, as Sampler.draw(counts=True) and Sampler.log_q(draws=m) give.
        options: As in sampled_loss.

    Returns:
        As sampled_loss.

    Raises:
        As sampled_loss.

    >>> import numpy as np, vastmax
    >>> sampler = vastmax.Sampler.uniform(10)
    >>> drawn, targets = sampler.draw(5, counts=True), np.array([0])
    >>> hidden, table = np.zeros((1, 4), dtype=np.float32), np.ones((10, 4), dtype=np.float32)
    >>> bool(nce(hidden, table, targets, drawn.ids, drawn.log_q, sampler.log_q(targets, draws=5)) > 0)
    True
    """
    return sampled_loss(hidden, table, targets, candidates, log_q, target_log_q, loss="nce", **options)


def neg(hidden: ArrayLike, table: ArrayLike, targets: ListsLike, candidates: ArrayLike, **options: Any) -> Any:
    """Negative sampling (word2vec): nce without its correction.

    Args:
        hidden, table, targets, candidates, options: As in sampled_loss.

    Returns:
        As sampled_loss.

    Raises:
        As sampled_loss.

    >>> import numpy as np, vastmax
    >>> hidden, table = np.zeros((1, 4), dtype=np.float32), np.ones((10, 4), dtype=np.float32)
    >>> round(float(neg(hidden, table, np.array([0]), np.array([5, 6]))), 5)
    2.07944
    """
    return sampled_loss(hidden, table, targets, candidates, loss="neg", **options)


def bpr(hidden: ArrayLike, table: ArrayLike, targets: ListsLike, candidates: ArrayLike, **options: Any) -> Any:
    """Bayesian personalised ranking: the mean over the negatives of softplus(negative - target).

    Args:
        hidden, table, targets, candidates, options: As in sampled_loss.

    Returns:
        As sampled_loss.

    Raises:
        As sampled_loss.

    >>> import numpy as np, vastmax
    >>> hidden, table = np.zeros((1, 4), dtype=np.float32), np.ones((10, 4), dtype=np.float32)
    >>> round(float(bpr(hidden, table, np.array([0]), np.array([5, 6]))), 5)
    0.69315
    """
    return sampled_loss(hidden, table, targets, candidates, loss="bpr", **options)


def ccl(
    hidden: ArrayLike,
    table: ArrayLike,
    targets: ListsLike,
    candidates: ArrayLike,
    *,
    margin: float = 0.4,
    negative_weight: float = 1.0,
    score: str = "cosine",
    **options: Any,
) -> Any:
    """Cosine contrastive loss: 1 - target + negative_weight * mean(max(0, negative - margin)).

    Args:
        hidden, table, targets, candidates, options: As in sampled_loss.
        margin: In [-1, 1].
        negative_weight: At least 0.
        score: "cosine", or "dot" for vectors already normalised.

    Returns:
        As sampled_loss.

    Raises:
        As sampled_loss.

    >>> import numpy as np, vastmax
    >>> hidden, table = np.ones((1, 4), dtype=np.float32), np.ones((10, 4), dtype=np.float32)
    >>> round(float(ccl(hidden, table, np.array([0]), np.array([5, 6]))), 5)
    0.6
    """
    return sampled_loss(
        hidden, table, targets, candidates,
        loss="ccl", margin=margin, negative_weight=negative_weight, score=score, **options,
    )  # fmt: skip
