# SPDX-License-Identifier: Apache-2.0
"""tests/vectors/bindings.txt of the repository: calls whose bits every language must give."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import ml_dtypes
import numpy as np

import vastmax

VECTORS = Path(os.environ.get("VASTMAX_VECTORS", Path(__file__).resolve().parents[3] / "tests" / "vectors"))
DTYPES = {
    "f32": np.dtype("<f4"), "bf16": np.dtype(ml_dtypes.bfloat16), "f16": np.dtype("<f2"), "f64": np.dtype("<f8"),
    "i32": np.dtype("<i4"), "i64": np.dtype("<i8"), "u32": np.dtype("<u4"), "u8": np.dtype("u1"),
}  # fmt: skip
REDUCTIONS = ["none", "sum", "mean"]
LOSSES = ["", "sampled_softmax", "nce", "neg", "bpr", "ccl"]
CORRECTIONS = ["none", "ranking", "is", "counts"]
OPTIMIZERS = ["", "sgd", "adagrad", "adam"]


@dataclass
class Case:
    name: str
    call: str = ""
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)

    def number(self, name: str, otherwise: float) -> float:
        return float(self.options.get(name, otherwise))

    def integer(self, name: str, otherwise: int = 0) -> int:
        return int(self.options.get(name, otherwise))

    def flag(self, bit: int) -> bool:
        return bool(self.integer("flags") & bit)


def array(dtype: str, dims: str, digits: str) -> np.ndarray:
    shape = tuple(int(d) for d in dims.split("x"))
    raw = b"" if digits == "-" else bytes.fromhex(digits)
    return np.frombuffer(bytearray(raw), dtype=np.uint8).view(DTYPES[dtype]).reshape(shape)


def cases() -> list[Case]:
    found: list[Case] = []
    for line in (VECTORS / "bindings.txt").read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "case":
            found.append(Case(rest[0]))
        elif word == "call":
            found[-1].call = rest[0]
        elif word == "opt":
            found[-1].options[rest[0]] = rest[1]
        elif word in ("in", "out"):
            (found[-1].inputs if word == "in" else found[-1].outputs)[rest[0]] = array(*rest[1:])
    return found


Give = Callable[[np.ndarray], Any]


class Calls:
    """Makes each call of the file by Python's names. give turns NumPy's arrays into what the functions are to be given."""

    def __init__(self, case: Case, give: Give, empty: Callable[[np.ndarray], Any]):
        self.case, self.give, self.empty = case, give, empty
        self.want = case.outputs

    def get(self, name: str) -> Any:
        found = self.case.inputs.get(name)
        return None if found is None else self.give(found)

    def out(self, name: str) -> Any:
        """An array to write into, of the shape and dtype that the file has; None where it wants none."""
        return self.empty(self.want[name]) if name in self.want else None

    def lists(self, name: str) -> Any:
        ids, indptr = self.get(f"{name}.ids"), self.get(f"{name}.indptr")
        weights = self.get(f"{name}.weights")
        return ids if indptr is None and weights is None else (indptr, ids, weights)

    def temperature(self) -> dict[str, Any]:
        return {"temperature": self.get("temperature")}

    def run(self) -> dict[str, Any]:
        return dict(getattr(self, self.case.call)())

    def logsumexp(self) -> dict[str, Any]:
        lse, flags = self.out("lse"), self.out("row_flags")
        assert vastmax.logsumexp(self.get("x"), out=lse, flags_out=flags, **self.temperature()) is lse
        return {"lse": lse, "row_flags": flags}

    def softmax(self) -> dict[str, Any]:
        y, lse, flags = self.out("y"), self.out("lse"), self.out("row_flags")
        function = getattr(vastmax, self.case.call)
        function(self.get("x"), out=y, lse_out=lse, flags_out=flags, precise=self.case.flag(1),
                 zero_masked=self.case.flag(2), **self.temperature())  # fmt: skip
        return {"y": y, "lse": lse, "row_flags": flags}

    log_softmax = softmax

    def logsumexp_backward(self) -> dict[str, Any]:
        out = self.out("grad_x")
        vastmax.logsumexp_backward(self.get("x"), self.get("grad_lse"), self.get("lse"), out=out, **self.temperature())
        return {"grad_x": out}

    def softmax_backward(self) -> dict[str, Any]:
        out = self.out("grad_x")
        getattr(vastmax, self.case.call)(self.get("y"), self.get("grad_y"), out=out, **self.temperature())
        return {"grad_x": out}

    log_softmax_backward = softmax_backward

    def state(self, name: str = "states") -> tuple[vastmax.LseState, Any]:
        raw = self.get(name)
        return vastmax.LseState(len(raw), buffer=raw, sums=self.case.flag(1), entropy=self.case.flag(2)), raw

    def lse_fold(self) -> dict[str, Any]:
        state, raw = self.state()
        state.fold(self.get("x"), self.case.integer("col_offset"), class_weight=self.get("class_weight"), skip=self.get("skip"))
        return {"states": raw}

    def lse_merge(self) -> dict[str, Any]:
        (into, raw), (other, _) = self.state("into"), self.state("from")
        into.merge(other)
        return {"into": raw}

    def lse_finish(self) -> dict[str, Any]:
        state, _ = self.state()
        lse, flags, entropy = self.out("lse"), self.out("row_flags"), self.out("entropy")
        state.finish(out=lse, flags_out=flags)
        state.entropy(out=entropy)
        return {"lse": lse, "row_flags": flags, "entropy": entropy}

    def lse_shorten(self) -> dict[str, Any]:
        out = self.out("out")
        self.state()[0].shorten(out=out)
        return {"out": out}

    def lse_short_merge(self) -> dict[str, Any]:
        return {"into": vastmax.lse_short_merge(self.get("into"), self.get("from"))}

    def lse_short_finish(self) -> dict[str, Any]:
        lse = self.out("lse")
        vastmax.lse_short_finish(self.get("states"), out=lse)
        return {"lse": lse}

    def loss_options(self) -> dict[str, Any]:
        c = self.case
        return {
            "label_smoothing": c.number("label_smoothing", 0), "softcap": c.number("softcap", 0),
            "z_loss": c.number("z_loss", 0), "smooth_unmasked": c.flag(1), "class_weight": self.get("class_weight"),
            "ignore_index": c.integer("ignore_index", -100), **self.temperature(),
        }  # fmt: skip

    def cross_entropy(self) -> dict[str, Any]:
        c = self.case
        grad = self.out("grad")
        r = vastmax.cross_entropy(
            self.get("x"), self.lists("targets"), reduction=REDUCTIONS[c.integer("reduction")], grad=grad,
            grad_scale=c.number("grad_scale", 1), full=True, **self.loss_options())  # fmt: skip
        return {**r._asdict(), "row_flags": r.flags}

    def cross_entropy_backward(self) -> dict[str, Any]:
        grad = self.out("grad")
        vastmax.cross_entropy_backward(self.get("x"), self.lists("targets"), self.get("grad_loss"), self.get("lse"), out=grad,
                                       **self.loss_options())  # fmt: skip
        return {"grad": grad}

    def topk_options(self) -> dict[str, Any]:
        return {"largest": not self.case.flag(1), "sorted": not self.case.flag(2), "values_out": self.out("values"),
                "ids_out": self.out("ids"), "flags_out": self.out("row_flags")}  # fmt: skip

    def topk_results(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"values": options["values_out"], "ids": options["ids_out"], "row_flags": options["flags_out"]}

    def topk(self) -> dict[str, Any]:
        options = self.topk_options()
        vastmax.topk(self.get("x"), self.case.integer("k"), col_offset=self.case.integer("col_offset"),
                     excluded=self.lists("excluded"), **options)  # fmt: skip
        return self.topk_results(options)

    def topk_merge(self) -> dict[str, Any]:
        options = self.topk_options()
        vastmax.topk_merge(self.get("values_in"), self.get("ids_in"), self.case.integer("k"), **options)
        return self.topk_results(options)

    def linear(self) -> tuple[Any, ...]:
        return self.get("hidden"), self.get("linear.weights")

    def linear_logsumexp(self) -> dict[str, Any]:
        lse, flags = self.out("lse"), self.out("row_flags")
        vastmax.linear_logsumexp(*self.linear(), self.get("linear.bias"), out=lse, flags_out=flags, **self.temperature())
        return {"lse": lse, "row_flags": flags}

    def linear_topk(self) -> dict[str, Any]:
        options = self.topk_options()
        vastmax.linear_topk(*self.linear(), self.case.integer("k"), self.get("linear.bias"), **options)
        return self.topk_results(options)

    def linear_cross_entropy(self) -> dict[str, Any]:
        r = vastmax.linear_cross_entropy(
            *self.linear(), self.lists("targets"), self.get("linear.bias"),
            reduction=REDUCTIONS[self.case.integer("reduction")], full=True, **self.loss_options())  # fmt: skip
        return {**r._asdict(), "row_flags": r.flags}

    def sampler(self) -> vastmax.Sampler:
        c, S = self.case, vastmax.Sampler
        kind, classes = c.integer("sampler.kind"), c.integer("sampler.classes")
        temperature = c.number("sampler.temperature", 1)
        if kind == 1:
            return S.uniform(classes)
        if kind == 2:
            return S.log_uniform(classes)
        if kind == 3:
            return S.weights(self.get("sampler.weights"), c.number("sampler.power", 1))
        if kind == 4:
            return S.in_batch(classes, c.number("sampler.rate", 0.01))
        embeddings = self.get("sampler.embeddings")
        if kind == 5:
            return S.midx(embeddings, codewords=c.integer("sampler.codewords"), temperature=temperature,
                          seed=c.integer("sampler.seed"))  # fmt: skip
        if kind == 6:
            return S.quadratic(embeddings, alpha=c.number("sampler.alpha", 100), temperature=temperature)
        assert kind == 7
        return S.exact(embeddings, temperature=temperature)

    def sampler_draw(self) -> dict[str, Any]:
        ids = self.out("ids")
        rows, m = ids.shape
        hidden = self.get("hidden")
        drawn = self.sampler().draw(
            m, hidden, rows=None if hidden is not None else rows, unique=self.case.flag(1), counts=self.case.flag(2),
            replace=self.case.flag(4), seed=self.case.integer("seed"), step=self.case.integer("step"), ids_out=ids)  # fmt: skip
        assert drawn.ids is ids
        return {**drawn._asdict(), "row_flags": drawn.flags}

    def sampler_log_q(self) -> dict[str, Any]:
        q = self.out("log_q")
        self.sampler().log_q(self.lists("classes"), self.get("hidden"), draws=self.case.integer("draws"),
                             tries=self.get("tries"), out=q)  # fmt: skip
        return {"log_q": q}

    def sampler_observe(self) -> dict[str, Any]:
        sampler, q = self.sampler(), self.out("log_q")
        for i, ids in enumerate(self.get("ids")):
            sampler.observe(ids, self.case.integer("step") + i)
        sampler.log_q(self.get("classes.ids"), out=q)
        return {"log_q": q}

    def sampled_loss(self) -> dict[str, Any]:
        c = self.case
        sparse = tuple(self.out(f"grads.sparse.{part}") for part in ("ids", "rows", "bias"))
        table, bias, grad_hidden = self.get("grads.table"), self.get("grads.bias"), self.out("grads.hidden")
        r = vastmax.sampled_loss(
            self.get("hidden"), self.get("table"), self.lists("targets"), self.get("candidates.ids"),
            self.get("candidates.log_q"), self.get("candidates.target_log_q"), bias=self.get("bias"),
            loss=LOSSES[c.integer("loss", 1)], correction=CORRECTIONS[c.integer("correction")],
            score=["dot", "cosine"][c.integer("score")], reduction=REDUCTIONS[c.integer("reduction")],
            keep_hits=c.flag(1), joint=c.flag(2), temperature=c.number("temperature", 1), margin=c.number("margin", 0.4),
            negative_weight=c.number("negative_weight", 1), grad_hidden=grad_hidden, grad_table=table, grad_bias=bias,
            grad_sparse=sparse, grad_scale=c.number("grad_scale", 1), full=True)  # fmt: skip
        return {
            **r._asdict(), "row_flags": r.flags, "grads.hidden": grad_hidden, "grads.table": table, "grads.bias": bias,
            "grads.sparse.ids": sparse[0], "grads.sparse.rows": sparse[1], "grads.sparse.bias": sparse[2],
            "grads.sparse.count": self.give(np.array([len(r.grads.sparse.ids)])),
        }  # fmt: skip

    def in_batch_softmax(self) -> dict[str, Any]:
        c = self.case
        r = vastmax.in_batch_softmax(
            self.get("queries"), self.get("keys"), self.get("identity"), self.get("log_q"),
            reduction=REDUCTIONS[c.integer("reduction")], temperature=c.number("temperature", 1), full=True)  # fmt: skip
        return {**r._asdict(), "row_flags": r.flags}

    def sparse_update(self) -> dict[str, Any]:
        c, count = self.case, self.case.integer("grad.count")
        state = {name: self.get(name) for name in ("table", "mean", "square")}
        grad = (self.get("grad.ids")[:count], self.get("grad.rows")[:count])
        back = vastmax.sparse_update(
            state["table"], grad, OPTIMIZERS[c.integer("optimizer", 1)], mean=state["mean"], square=state["square"],
            step=c.integer("step", 1), lr=c.number("lr", 0.001), weight_decay=c.number("weight_decay", 0))  # fmt: skip
        assert back is state["table"]
        return state
