# SPDX-License-Identifier: Apache-2.0
"""What a row of vastmax_bench measures, read from its names; and its data and slow answers."""

import math
from dataclasses import dataclass

import numpy as np

import data


@dataclass(frozen=True)
class Spec:
    kernel: str  # without "_in_place"
    dtype: str
    sizes: tuple  # rows, cols; or rows, dim, classes; or draws, classes
    k: int = 0
    sorted: bool = True
    order: str = "random"
    unique: bool = False


    @property
    def draws(self):
        return self.kernel.startswith("draw_")


GROUPS = 8  # of classes, by which draws are judged


def group_shares(spec, ids):
    """How often each group of classes was drawn; of unique draws how many there are."""
    if spec.unique:
        return np.array([np.unique(np.asarray(ids)).size], np.float64)
    return np.bincount(_groups(spec, np.asarray(ids)), minlength=GROUPS) / len(ids)


def _groups(spec, ids):
    classes = spec.sizes[1]
    share = ids / classes if spec.kernel == "draw_uniform" else np.log1p(ids) / np.log1p(classes)
    return np.minimum((share * GROUPS).astype(np.int64), GROUPS - 1)


def parse(row):
    """The Spec of a row, None for one that no library here can join."""
    words = row["shape"].split("/")
    sizes = tuple(int(word) for word in words[0].split("x"))
    k, is_sorted, order, unique = 0, True, "random", False
    for word in words[1:]:
        if word.startswith("k:"):
            k = int(word[2:])
        elif word == "unsorted":
            is_sorted = False
        elif word == "unique":
            unique = True
        elif word in ("ascending", "equal", "organ_pipe"):
            order = word
    kernel = row["kernel"]
    if kernel.endswith("_in_place"):
        kernel = kernel[: -len("_in_place")]
    return Spec(kernel, row["dtype"], sizes, k, is_sorted, order, unique)


class Data:
    """Arrays of a Spec as f32, and their bf16 bits where that is the dtype."""

    _scores = (None, None)  # the last one made: shapes come in runs

    def __init__(self, spec):
        self.spec = spec
        self.linear = spec.kernel.startswith("linear_")
        self.labels = None
        if spec.draws:
            classes = spec.sizes[1]
            self.weights = (1 / np.arange(1, classes + 1, dtype=np.float64)).astype(np.float32)
            return
        if self.linear:
            rows, dim, classes = spec.sizes
            self.hidden = self._matrix(rows, dim, data.HIDDEN, 1.0)
            self.weights = self._matrix(classes, dim, data.WEIGHTS, 1 / math.sqrt(dim))
        else:
            rows, classes = spec.sizes
            key = (spec.sizes, spec.dtype, spec.order)
            if Data._scores[0] != key:
                Data._scores = (None, None)
                Data._scores = (key, self._ordered(self._matrix(rows, classes, data.SCORES, 1.0)))
            self.x = Data._scores[1]
        self.labels = data.labels(rows, classes) if "cross_entropy" in spec.kernel else None

    def _matrix(self, rows, cols, seed, scale):
        f32 = data.normals(rows * cols, seed, scale).reshape(rows, cols)
        if self.spec.dtype == "f32":
            return f32
        return data.bf16_bits(f32)

    def _ordered(self, x):
        order, n = self.spec.order, x.shape[1]
        if order == "ascending":
            x.sort(axis=1)
        elif order == "equal":
            x[:] = 1
        elif order == "organ_pipe":
            x[:, : n // 2].sort(axis=1)
            x[:, n // 2:] = -np.sort(-x[:, n // 2:], axis=1)
        return x

    def f32(self, array):
        return array if self.spec.dtype == "f32" else data.from_bf16_bits(array)

    # ---- slow answers ----

    def _row_scores(self, r):
        if self.linear:
            return self.f32(self.weights).astype(np.float64) @ self.f32(self.hidden[r]).astype(np.float64)
        return self.f32(self.x[r]).astype(np.float64)

    def _lse(self, z):
        m = z.max()
        return m + math.log(np.exp(z - m).sum())

    def expected(self):
        """What `answer` of a peer must be near to: the first row's result, or the mean loss."""
        s = self.spec
        if s.draws:
            return np.array([s.sizes[0]], np.float64) if s.unique else self._shares()
        if s.kernel in ("topk", "linear_topk"):
            z = self._row_scores(0)
            return -np.sort(-z)[: s.k]
        if s.kernel in ("cross_entropy_fwd", "linear_cross_entropy_fwd"):
            return np.array([self._mean_loss()])
        z = self._row_scores(0)
        lse = self._lse(z)
        if s.kernel in ("logsumexp", "linear_logsumexp"):
            return np.array([lse])
        if s.kernel == "softmax":
            return np.exp(z - lse)
        if s.kernel == "log_softmax":
            return z - lse
        p = np.exp(z - lse)
        p[self.labels[0]] -= 1
        p /= s.sizes[0]
        return p @ self.f32(self.weights).astype(np.float64) if self.linear else p

    def _shares(self):
        s = self.spec
        k = np.arange(s.sizes[1])
        q = {"draw_uniform": np.ones(k.size), "draw_log_uniform": np.log1p(1 / (k + 1.0))}.get(s.kernel, self.weights)
        sums = np.bincount(_groups(s, k), weights=q, minlength=GROUPS)
        return sums / sums.sum()

    def _mean_loss(self):
        rows = self.spec.sizes[0]
        total = 0.0
        weights = self.f32(self.weights) if self.linear else None
        for begin in range(0, rows, 64):
            end = min(rows, begin + 64)
            z = self.f32(self.hidden[begin:end]) @ weights.T if self.linear else self.f32(self.x[begin:end])
            m = z.max(axis=1, keepdims=True)
            lse = m[:, 0] + np.log(np.exp(z - m).sum(axis=1, dtype=np.float64))
            total += (lse - z[np.arange(end - begin), self.labels[begin:end]]).sum()
        return total / rows


def wrong(spec, got, expected):
    """"" if a peer's answer is right, as far as its arithmetic allows; else what is wrong."""
    got = np.asarray(got, np.float64).reshape(-1)
    if got.shape != expected.shape:
        return f"shape {got.shape} instead of {expected.shape}"
    if spec.kernel in ("topk", "linear_topk") and not spec.sorted:
        got = -np.sort(-got)
    if spec.draws:
        off = np.abs(got - expected) > (0 if spec.unique else 6 * np.sqrt(expected / spec.sizes[0]) + 1e-6)
        return f"shares {got} instead of {expected}" if off.any() else ""
    coarse = spec.dtype == "bf16"
    allowed = (2e-2 if coarse else 1e-3) * np.abs(expected) + (2e-2 if coarse else 1e-4) * np.abs(expected).max()
    error = np.abs(got - expected)
    if not (error <= allowed).all():
        at = int(np.argmax(error - allowed))
        return f"entry {at} is {got[at]:.8g}, but should be {expected[at]:.8g}"
    return ""
