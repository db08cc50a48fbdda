# SPDX-License-Identifier: Apache-2.0
"""NumPy with care: no temporaries that could be avoided. f32 alone: it has no bf16."""

import numpy as np

from spec import group_shares

from . import Peer

# Beyond these, its scores take seconds.
_MOST_SCORES = 1 << 28


def setup(threads):
    return "numpy " + np.__version__


def _exp_rows(x, out):
    """out = exp(x - max), and its sums and maxima."""
    m = x.max(axis=1, keepdims=True)
    np.subtract(x, m, out=out)
    np.exp(out, out=out)
    return m, out.sum(axis=1, keepdims=True)


def _logsumexp(x, room):
    m, s = _exp_rows(x, room)
    return (m + np.log(s))[:, 0]


def _softmax(x, out):
    _, s = _exp_rows(x, out)
    np.multiply(out, 1 / s, out=out)
    return out


def _log_softmax(x, out):
    lse = _logsumexp(x, out)
    return np.subtract(x, lse[:, None], out=out)


def _loss(x, labels, out, backward):
    """Mean loss; out becomes its gradient where wanted."""
    rows = np.arange(x.shape[0])
    at_label = x[rows, labels].copy()
    m, s = _exp_rows(x, out)
    loss = (m[:, 0] + np.log(s[:, 0]) - at_label).mean()
    if backward:
        np.multiply(out, 1 / (s * np.float32(x.shape[0])), out=out)
        out[rows, labels] -= np.float32(1 / x.shape[0])
    return loss


def _topk(x, k, is_sorted):
    ids = np.argpartition(x, x.shape[1] - k, axis=1)[:, x.shape[1] - k:]
    values = np.take_along_axis(x, ids, axis=1)
    if not is_sorted:
        return values, ids
    order = np.argsort(-values, axis=1)
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(ids, order, axis=1)


def _draws(d):
    s = d.spec
    n, classes = s.sizes
    random = np.random.default_rng(1)
    kept = {}
    if s.kernel == "draw_uniform":
        name, f = "numpy integers", lambda: random.integers(0, classes, n, dtype=np.int32)
    elif s.kernel == "draw_weights" and classes <= 1 << 24:
        p = d.weights.astype(np.float64)
        p /= p.sum()
        name, f = "numpy choice", lambda: random.choice(classes, n, replace=not s.unique, p=p)
    else:
        return []

    def run():
        kept["out"] = f()

    return [Peer(name, run, lambda: group_shares(s, kept["out"]))]


def peers(d):
    s = d.spec
    if s.draws:
        return _draws(d)
    if s.dtype != "f32":
        return []
    kept = {}

    def peer(name, f, answer):
        def run():
            kept["out"] = f()

        return [Peer(name, run, lambda: answer(kept["out"]))]

    if s.kernel == "topk":
        return peer("numpy argpartition", lambda: _topk(d.x, s.k, s.sorted), lambda out: out[0][0])
    if not d.linear:
        room = np.empty_like(d.x)
        if s.kernel == "logsumexp":
            return peer("numpy", lambda: _logsumexp(d.x, room), lambda out: out[:1])
        if s.kernel == "softmax":
            return peer("numpy", lambda: _softmax(d.x, room), lambda out: out[0])
        if s.kernel == "log_softmax":
            return peer("numpy", lambda: _log_softmax(d.x, room), lambda out: out[0])
        if s.kernel == "cross_entropy_fwd":
            return peer("numpy", lambda: _loss(d.x, d.labels, room, False), lambda out: [out])
        if s.kernel == "cross_entropy_fwd_bwd":
            return peer("numpy", lambda: _loss(d.x, d.labels, room, True), lambda out: room[0])
        return []

    h, w = d.hidden, d.weights
    if h.shape[0] * w.shape[0] > _MOST_SCORES or (s.kernel == "linear_topk" and h.shape[0] > 16):
        return []
    scores = np.empty((h.shape[0], w.shape[0]), np.float32)
    product = lambda: np.matmul(h, w.T, out=scores)  # noqa: E731
    if s.kernel == "linear_logsumexp":
        return peer("numpy", lambda: _logsumexp(product(), scores), lambda out: out[:1])
    if s.kernel == "linear_topk":
        return peer("numpy matmul + argpartition", lambda: _topk(product(), s.k, True), lambda out: out[0][0])
    if s.kernel == "linear_cross_entropy_fwd":
        return peer("numpy", lambda: _loss(product(), d.labels, scores, False), lambda out: [out])
    if s.kernel == "linear_cross_entropy_fwd_bwd":
        grad_hidden, grad_weights = np.empty_like(h), np.empty_like(w)

        def step():
            _loss(product(), d.labels, scores, True)
            np.matmul(scores, w, out=grad_hidden)
            np.matmul(scores.T, h, out=grad_weights)

        return peer("numpy", step, lambda out: grad_hidden[0])
    return []
