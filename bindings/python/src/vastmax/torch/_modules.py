# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="untyped-decorator"
"""Losses as nn.Modules."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

import vastmax

from . import _functional as F
from ._ops import context


class CrossEntropyLoss(nn.Module):
    """torch.nn.CrossEntropyLoss; see cross_entropy.

    Args:
        weight: [C], used as float32: multiplies the loss of each class.
        ignore_index, reduction, label_smoothing, softcap, z_loss, temperature: As in cross_entropy.

    >>> import torch, vastmax.torch
    >>> round(vastmax.torch.CrossEntropyLoss()(torch.zeros(2, 4), torch.tensor([0, 1])).item(), 5)
    1.38629
    """

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean",
                 label_smoothing: float = 0.0, *, softcap: float = 0.0, z_loss: float = 0.0,
                 temperature: float = 1.0) -> None:  # fmt: skip
        super().__init__()
        self.weight: Tensor | None
        self.register_buffer("weight", weight)
        self.options: dict[str, Any] = {
            "ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing, "softcap": softcap,
            "z_loss": z_loss, "temperature": temperature,
        }  # fmt: skip

    def forward(self, input: Tensor, target: F.Targets) -> Tensor:
        """input [N, C], [C] or [N, C, d1, ...]; target of that shape without C."""
        return F.cross_entropy(input, target, self.weight, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self.options.items())


def _init_table(weight: Tensor, bias: Tensor | None) -> None:
    """As nn.Linear does."""
    bound = 1 / math.sqrt(weight.shape[1]) if weight.shape[1] else 0.0
    nn.init.uniform_(weight, -bound, bound)
    if bias is not None:
        nn.init.uniform_(bias, -bound, bound)


class LinearCrossEntropy(nn.Module):
    """A linear layer and the cross-entropy of its scores, which are never stored; the forward pass makes the gradients.

    Takes the place of nn.Linear(in_features, num_classes) followed by nn.CrossEntropyLoss; weight and bias are those of the
    linear layer, so that state_dicts fit.

    Args:
        in_features: dim.
        num_classes: Number of classes.
        bias: Learn a bias.
        ignore_index, reduction, label_smoothing, softcap, z_loss, temperature, memory_limit: As in linear_cross_entropy.
        device, dtype: Of the parameters: the CPU; float32 or bfloat16 (the bias is float32, unless the module is cast).

    >>> import torch, vastmax.torch
    >>> loss = vastmax.torch.LinearCrossEntropy(8, 1000)
    >>> loss(torch.randn(2, 5, 8), torch.zeros(2, 5, dtype=torch.int64)).backward()
    >>> loss.weight.grad.shape
    torch.Size([1000, 8])
    """

    def __init__(self, in_features: int, num_classes: int, bias: bool = True, *, ignore_index: int = -100,
                 reduction: str = "mean", label_smoothing: float = 0.0, softcap: float = 0.0, z_loss: float = 0.0,
                 temperature: float = 1.0, memory_limit: int = 0, device: Any = None,
                 dtype: torch.dtype | None = None) -> None:  # fmt: skip
        super().__init__()
        self.in_features, self.num_classes = in_features, num_classes
        self.weight = nn.Parameter(torch.empty(num_classes, in_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(num_classes, device=device, dtype=torch.float32)) if bias else None
        self.options: dict[str, Any] = {
            "ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing, "softcap": softcap,
            "z_loss": z_loss, "temperature": temperature, "memory_limit": memory_limit,
        }  # fmt: skip
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias as nn.Linear does."""
        _init_table(self.weight, self.bias)

    def forward(self, hidden: Tensor, target: F.Targets) -> Tensor:
        """hidden [..., in_features], target [...]: the loss."""
        return F.linear_cross_entropy(hidden, self.weight, target, self.bias, **self.options)

    @torch.no_grad()
    def topk(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k largest scores of each row and their classes, [..., k] both: exact, and again without storing all scores."""
        bias = None if self.bias is None else self.bias.detach().to(torch.float32)
        hidden = hidden.detach().to(self.weight.dtype)
        found = vastmax.linear_topk(hidden, self.weight.detach(), k, bias, context=context())
        return found.values, found.ids

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, num_classes={self.num_classes}, bias={self.bias is not None}"


class _SampledLoss(nn.Module):
    loss = ""
    wants_counts = False
    wants_log_q = False

    def __init__(self, in_features: int, num_classes: int, num_negatives: int, *, sampler: Any = "uniform",
                 power: float = 0.75, unique: bool = False, per_row: bool = False, bias: bool = False, sparse: bool = False,
                 score: str = "dot", temperature: float = 1.0, reduction: str = "mean", keep_hits: bool = False, seed: int = 0,
                 device: Any = None, dtype: torch.dtype | None = None, **options: Any) -> None:  # fmt: skip
        super().__init__()
        self.in_features, self.num_classes, self.num_negatives = in_features, num_classes, num_negatives
        self.weight = nn.Parameter(torch.empty(num_classes, in_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(num_classes, device=device, dtype=torch.float32)) if bias else None
        self.unique, self.per_row, self.seed = unique, per_row, seed
        self.step = 0
        self.options: dict[str, Any] = {
            "score": score, "temperature": temperature, "reduction": reduction, "keep_hits": keep_hits, "sparse": sparse,
            **options,
        }  # fmt: skip
        self.reset_parameters()
        self._sampler_of = sampler
        self._power = power
        self._made: vastmax.Sampler | None = sampler if isinstance(sampler, vastmax.Sampler) else None
        if self._made is not None and self._made.classes != num_classes:
            raise ValueError(f"sampler has {self._made.classes} classes; the table has {num_classes}")
        if isinstance(sampler, str) and sampler not in ("uniform", "log_uniform", "midx", "quadratic", "exact"):
            raise ValueError(f"sampler is {sampler!r}; it must be uniform, log_uniform, midx, quadratic or exact")
        if not isinstance(sampler, (str, vastmax.Sampler)) and len(sampler) != num_classes:
            raise ValueError(f"sampler has {len(sampler)} weights; the table has {num_classes} classes")

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._made is not self._sampler_of:
            state["_made"] = None  # no sampler can be pickled; this one can be made again
        return state

    def __deepcopy__(self, memo: dict[int, Any]) -> _SampledLoss:
        if isinstance(self._sampler_of, vastmax.Sampler):
            memo[id(self._sampler_of)] = self._sampler_of  # the copy shares a sampler given
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        made.__setstate__(copy.deepcopy(self.__getstate__(), memo))  # type: ignore[no-untyped-call]
        return made

    def reset_parameters(self) -> None:
        """Draws weight as nn.Linear does; bias is 0."""
        _init_table(self.weight, None)

    @property
    def sampler(self) -> vastmax.Sampler:
        """The sampler, made at its first use."""
        if self._made is None:
            of, table = self._sampler_of, self.weight.detach()
            if not isinstance(of, str):
                self._made = vastmax.Sampler.weights(of.detach() if isinstance(of, Tensor) else of, self._power)
            elif of in ("uniform", "log_uniform"):
                self._made = getattr(vastmax.Sampler, of)(self.num_classes)
            else:
                temperature = self.options["temperature"]
                self._made = getattr(vastmax.Sampler, of)(table, temperature=temperature, context=context())
        assert self._made is not None
        return self._made

    def update_sampler(self) -> None:
        """Tells a sampler of scores that the weights have changed: call it now and then, "exact" after the weights moved to
        other memory."""
        if self.sampler.kind in ("midx", "quadratic", "exact"):
            self.sampler.update(self.weight.detach(), context=context())

    @torch.compiler.disable
    @torch.no_grad()
    def draw(self, hidden: Tensor, target: F.Targets) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The negatives of the next step: candidates [m], or [rows, m] for samplers of scores and with per_row, their log_q
        and the targets' (log of expected counts where the loss wants those)."""
        sampler, m = self.sampler, self.num_negatives
        ids, indptr, _ = F._targets(target)
        scored = sampler.kind in ("midx", "quadratic", "exact")
        rows = hidden.shape[0] if scored or self.per_row else None
        query = hidden.detach().to(self.weight.dtype) if scored else None
        replace = sampler.kind == "exact" and not self.unique
        candidates = torch.empty((m,) if rows is None else (rows, m), dtype=torch.int64, device="cpu")
        drawn = sampler.draw(
            m, query, rows=None if scored else rows, unique=self.unique, counts=self.wants_counts, replace=replace,
            seed=self.seed, step=self.step, ids_out=candidates, log_q_out=self.wants_log_q or self.wants_counts,
            flags_out=False, context=context(),
        )  # fmt: skip
        self.step += 1
        if drawn.log_q is None:
            return candidates, None, None
        classes = ids if indptr is None else (indptr, ids)
        tries = None
        if self.wants_counts and self.unique:
            tries = int(drawn.tries) if rows is None else drawn.tries
        of_targets = sampler.log_q(
            classes, query, draws=m if self.wants_counts else 0, tries=tries, context=context(),
            out=torch.empty(ids.shape, dtype=torch.float32, device="cpu"),
        )  # fmt: skip
        return candidates, drawn.log_q, of_targets

    def forward(self, hidden: Tensor, target: F.Targets) -> Tensor:
        """hidden [..., in_features], target [...] (or, for [rows, in_features], a tuple (indptr, ids[, weights])): the
        loss, over negatives drawn anew; with "none" of the shape of target, or one for each list."""
        shape = None if isinstance(target, tuple) else target.shape
        if shape is not None and hidden.dim() != 2:
            hidden, target = hidden.reshape(-1, hidden.shape[-1]), target.reshape(-1)
        candidates, log_q, target_log_q = self.draw(hidden, target)
        value = F.sampled_loss(hidden, self.weight, target, candidates, log_q, target_log_q, self.bias, loss=self.loss,
                               **self.options)  # fmt: skip
        return value if shape is None or self.options["reduction"] != "none" else value.reshape(shape)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, num_classes={self.num_classes}, num_negatives={self.num_negatives}"


_SHARED_ARGS = """
    Args:
        in_features: dim.
        num_classes: Number of classes.
        num_negatives: Drawn at each call.
        sampler: "uniform", "log_uniform" (classes sorted by falling frequency), "midx", "quadratic" or "exact" (by the
            scores); counts or weights of the classes as an array; or a vastmax.Sampler.
        power: Of weights given.
        unique: Draw without replacement.
        per_row: Negatives for each row instead of all together (samplers of scores always do).
        bias: Learn a bias.
        sparse: Gradients of weight and bias are sparse tensors of the classes touched, as SparseAdam and SGD take them.
        score: "dot" or "cosine".
        temperature, reduction, keep_hits: As in sampled_loss.
        seed: Of the draws; step, an attribute, counts them and may be set.
        device, dtype: Of the parameters: the CPU; float32 or bfloat16.
"""


class SampledSoftmaxLoss(_SampledLoss):
    __doc__ = f"""Sampled softmax over a table of class vectors, with its own sampler.
{_SHARED_ARGS}        correction: "ranking" (default), "is", "counts" or "none".
        joint: All targets of a row stand in one denominator.

    >>> import torch, vastmax.torch
    >>> loss = vastmax.torch.SampledSoftmaxLoss(8, 1000, 20, sparse=True)
    >>> loss(torch.randn(4, 8), torch.arange(4)).backward()
    >>> loss.weight.grad.is_sparse
    True
    """
    loss = "sampled_softmax"

    def __init__(self, in_features: int, num_classes: int, num_negatives: int, *, correction: str = "ranking",
                 joint: bool = False, **options: Any) -> None:  # fmt: skip
        super().__init__(in_features, num_classes, num_negatives, correction=correction, joint=joint, **options)
        self.wants_log_q = correction != "none"
        self.wants_counts = correction == "counts"


class NCELoss(_SampledLoss):
    __doc__ = f"""Noise-contrastive estimation over a table of class vectors.
{_SHARED_ARGS}
    >>> import torch, vastmax.torch
    >>> loss = vastmax.torch.NCELoss(8, 1000, 20, bias=True)
    >>> loss(torch.randn(4, 8), torch.arange(4)).backward()
    >>> loss.bias.grad.shape
    torch.Size([1000])
    """
    loss = "nce"
    wants_counts = True


class NEGLoss(_SampledLoss):
    __doc__ = f"""Negative sampling, word2vec's, over a table of class vectors.
{_SHARED_ARGS}
    >>> import torch, vastmax.torch
    >>> loss = vastmax.torch.NEGLoss(8, 1000, 20, sampler=torch.ones(1000))
    >>> bool(loss(torch.randn(4, 8), torch.arange(4)) > 0)
    True
    """
    loss = "neg"


class BPRLoss(_SampledLoss):
    __doc__ = f"""Bayesian personalised ranking over a table of item vectors.
{_SHARED_ARGS}
    >>> import torch, vastmax.torch
    >>> loss = vastmax.torch.BPRLoss(8, 1000, 5, per_row=True)
    >>> bool(loss(torch.randn(4, 8), torch.arange(4)) > 0)
    True
    """
    loss = "bpr"


class CCLLoss(_SampledLoss):
    __doc__ = f"""Cosine contrastive loss over a table of item vectors.
{_SHARED_ARGS}        margin: In [-1, 1].
        negative_weight: At least 0.

    >>> import torch, vastmax.torch
    >>> loss = vastmax.torch.CCLLoss(8, 1000, 20)
    >>> bool(loss(torch.randn(4, 8), torch.arange(4)) > 0)
    True
    """
    loss = "ccl"

    def __init__(self, in_features: int, num_classes: int, num_negatives: int, *, margin: float = 0.4,
                 negative_weight: float = 1.0, score: str = "cosine", **options: Any) -> None:  # fmt: skip
        super().__init__(in_features, num_classes, num_negatives, margin=margin, negative_weight=negative_weight, score=score,
                         **options)  # fmt: skip


class InBatchSoftmaxLoss(nn.Module):
    """In-batch softmax (InfoNCE) of two towers.

    Args:
        score: "cosine" or "dot".
        temperature: Divides the scores.
        reduction: "mean" or "sum".

    >>> import torch, vastmax.torch
    >>> loss = vastmax.torch.InBatchSoftmaxLoss(temperature=0.1)
    >>> bool(loss(torch.randn(4, 8), torch.randn(4, 8)) > 0)
    True
    """

    def __init__(self, *, score: str = "cosine", temperature: float = 1.0, reduction: str = "mean") -> None:
        super().__init__()
        self.options: dict[str, Any] = {"score": score, "temperature": temperature, "reduction": reduction}

    def forward(self, queries: Tensor, keys: Tensor, identity: Tensor | None = None, log_q: Tensor | None = None) -> Tensor:
        """queries and keys [rows, dim]; identity [rows] of each key; log_q [rows]: how likely each key is in a batch."""
        return F.in_batch_softmax(queries, keys, identity, log_q, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self.options.items())
