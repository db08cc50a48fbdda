# SPDX-License-Identifier: Apache-2.0
"""PyTorch at its best: oneDNN for f32 products, tcmalloc where the caller preloaded it, results written into given memory
where there is a way to."""

import os

import torch
import torch.nn.functional as F

from spec import group_shares

from . import Peer

_tag = ""
_compile = os.environ.get("VASTMAX_BENCH_COMPILE") == "1"


def setup(threads):
    global _tag
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("medium")
    settings = (["tcmalloc"] if "tcmalloc" in os.environ.get("LD_PRELOAD", "") else []) + ["medium"]
    _tag = " [" + ", ".join(settings) + "]"
    return "torch " + torch.__version__ + _tag


def _tensor(d, array):
    t = torch.from_numpy(array)
    return t if d.spec.dtype == "f32" else t.view(torch.bfloat16)


def peers(d):
    s = d.spec
    out = []
    kept = {}

    def add(name, f, answer, grad=False):
        def run():
            with torch.set_grad_enabled(grad):
                kept[name] = f()

        out.append(Peer(name + _tag, run, lambda: answer(kept[name]).detach().float().numpy()))

    if s.draws:
        n, classes = s.sizes
        if s.kernel == "draw_uniform":
            f = lambda: torch.randint(classes, (n,), dtype=torch.int32)
            name = "torch.randint"
        elif s.kernel == "draw_weights" and classes <= 1 << 24:  # more it refuses
            w = torch.from_numpy(d.weights)
            f = lambda: torch.multinomial(w, n, replacement=not s.unique)
            name = "torch.multinomial"
        else:
            return []

        def run():
            kept[name] = f()

        return [Peer(name + _tag, run, lambda: group_shares(s, kept[name].numpy()))]

    if not d.linear:
        x = _tensor(d, d.x)
        if s.kernel == "logsumexp":
            add("torch.logsumexp", lambda: torch.logsumexp(x, 1), lambda y: y[:1])
            if _compile:
                compiled = torch.compile(lambda t: torch.logsumexp(t, 1), dynamic=False)
                add("torch.compile(logsumexp)", lambda: compiled(x), lambda y: y[:1])
        elif s.kernel in ("softmax", "log_softmax"):
            f = getattr(torch, s.kernel)
            y = torch.empty_like(x)
            add("torch." + s.kernel + "(out=)", lambda: f(x, 1, out=y), lambda y: y[0])
        elif s.kernel == "topk":
            add("torch.topk", lambda: torch.topk(x, s.k, sorted=s.sorted), lambda y: y[0][0])
        elif s.kernel == "cross_entropy_fwd":
            labels = torch.from_numpy(d.labels).long()
            add("torch cross_entropy", lambda: F.cross_entropy(x, labels), lambda y: y.reshape(1))
        elif s.kernel == "cross_entropy_fwd_bwd":
            labels = torch.from_numpy(d.labels).long()
            leaf = x.detach().requires_grad_(True)

            def step():
                leaf.grad = None
                F.cross_entropy(leaf, labels).backward()

            add("torch cross_entropy", step, lambda _: leaf.grad[0], grad=True)
        return out

    h, w = _tensor(d, d.hidden), _tensor(d, d.weights)
    if s.kernel == "linear_logsumexp":
        add("torch linear + logsumexp", lambda: torch.logsumexp(F.linear(h, w), 1), lambda y: y[:1])
    elif s.kernel == "linear_topk":
        scores = torch.empty(h.shape[0], w.shape[0], dtype=h.dtype)
        add("torch mm(out=) + topk", lambda: torch.topk(torch.mm(h, w.t(), out=scores), s.k), lambda y: y[0][0])
    elif s.kernel == "linear_cross_entropy_fwd":
        labels = torch.from_numpy(d.labels).long()
        add("torch linear + cross_entropy", lambda: F.cross_entropy(F.linear(h, w), labels), lambda y: y.reshape(1))
    elif s.kernel == "linear_cross_entropy_fwd_bwd":
        labels = torch.from_numpy(d.labels).long()
        hidden, weights = h.detach().requires_grad_(True), w.detach().requires_grad_(True)

        def step():
            hidden.grad = weights.grad = None
            F.cross_entropy(F.linear(hidden, weights), labels).backward()

        add("torch linear + cross_entropy", step, lambda _: hidden.grad[0], grad=True)
    return out
