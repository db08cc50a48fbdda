# SPDX-License-Identifier: Apache-2.0
"""Functions with autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import _ops  # registers the operators

#: One class id a row, or (indptr, ids) or (indptr, ids, weights): several targets a row.
Targets = Any


def _dim(x: Tensor, dim: int) -> int:
    if not -x.dim() <= dim < x.dim():
        raise IndexError(f"dim is {dim}; the input has {x.dim()} dimensions")
    return dim % x.dim()


def _on_cpu(**tensors: Any) -> None:
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is of type {type(tensor).__name__}; it must be a tensor")
        if tensor.device.type not in ("cpu", "meta"):
            raise TypeError(f"{name} is on device {tensor.device}; vastmax computes on the CPU")


def _constants(**tensors: Any) -> None:
    for name, tensor in tensors.items():
        if tensor is not None and tensor.requires_grad and torch.is_grad_enabled():
            raise TypeError(f"{name} requires a gradient, and there is none of it: use {name}.detach()")


def _f32(tensor: Tensor | None) -> Tensor | None:
    """As the library takes class weights; a module cast to bfloat16 has them in that."""
    return tensor if tensor is None or tensor.dtype == torch.float32 else tensor.to(torch.float32)


def _wants(*tensors: Tensor | None) -> list[bool]:
    enabled = torch.is_grad_enabled()
    return [enabled and t is not None and t.requires_grad for t in tensors]


def _targets(target: Targets) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """ids, indptr, weights."""
    if not isinstance(target, tuple):
        return target, None, None
    if len(target) not in (2, 3):
        raise ValueError(f"target is a tuple of {len(target)}; it must be (indptr, ids) or (indptr, ids, weights)")
    if len(target) == 2:
        return target[1], target[0], None
    indptr, ids, weights = target
    return ids, indptr, weights


def _check_reduction(reduction: str) -> None:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction is {reduction!r}; it must be 'none', 'mean' or 'sum'")


def logsumexp(input: Tensor, dim: int = -1, keepdim: bool = False, *, temperature: float = 1.0) -> Tensor:
    """torch.logsumexp over one dimension.

    Args:
        input: float32, bfloat16, float16 or float64, of any shape and strides.
        dim: The dimension of the classes.
        keepdim: The result keeps dim with size 1.
        temperature: Divides the input.

    Returns:
        The shape of input without dim: float32, or float64 for float64. NaN and infinities as in vastmax.logsumexp.

    Raises:
        IndexError, ArgumentTypeError, ArgumentValueError: dim, a dtype or temperature is out of range.

    >>> import torch, vastmax.torch
    >>> x = torch.zeros(2, requires_grad=True)
    >>> vastmax.torch.logsumexp(x).backward()
    >>> x.grad
    tensor([0.5000, 0.5000])
    """
    _on_cpu(input=input)
    dim = _dim(input, dim)
    lse: Tensor = torch.ops.vastmax.logsumexp(input, dim, temperature)
    return lse.unsqueeze(dim) if keepdim else lse


def softmax(input: Tensor, dim: int = -1, *, temperature: float = 1.0) -> Tensor:
    """torch.softmax over one dimension.

    Args:
        input: float32, bfloat16, float16 or float64, of any shape and strides.
        dim: The dimension of the classes.
        temperature: Divides the input.

    Returns:
        The shape and dtype of input. NaN and infinities as in vastmax.softmax.

    Raises:
        IndexError, ArgumentTypeError, ArgumentValueError: As logsumexp.

    >>> import torch, vastmax.torch
    >>> vastmax.torch.softmax(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """
    _on_cpu(input=input)
    y: Tensor = torch.ops.vastmax.softmax(input, _dim(input, dim), temperature)
    return y


def log_softmax(input: Tensor, dim: int = -1, *, temperature: float = 1.0) -> Tensor:
    """torch.log_softmax over one dimension.

    Args:
        input: float32, bfloat16, float16 or float64, of any shape and strides.
        dim: The dimension of the classes.
        temperature: Divides the input.

    Returns:
        The shape and dtype of input. NaN and infinities as in vastmax.log_softmax.

    Raises:
        IndexError, ArgumentTypeError, ArgumentValueError: As logsumexp.

    >>> import torch, vastmax.torch
    >>> vastmax.torch.log_softmax(torch.zeros(1, 1))
    tensor([[0.]])
    """
    _on_cpu(input=input)
    y: Tensor = torch.ops.vastmax.log_softmax(input, _dim(input, dim), temperature)
    return y


def cross_entropy(
    input: Tensor,
    target: Targets,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    temperature: float = 1.0,
) -> Tensor:
    """torch.nn.functional.cross_entropy. The backward pass reads the scores again and stores no softmax.

    Args:
        input: Scores: [C], [N, C] or [N, C, d1, ...]; float32, bfloat16, float16 or float64. With N > 1 and d1, ... the
            classes are moved to the end, which is a copy.
        target: int64 or int32: [], [N] or [N, d1, ...]; or, for [N, C], a tuple (indptr, ids[, weights]): row r has the
            targets ids[indptr[r]:indptr[r + 1]]. Or class probabilities, floating point of the shape of input: as lists of all
            classes they take 8 bytes a score more (12 for float64), and get no gradient.
        weight: [C], used as float32: multiplies the loss of each class.
        ignore_index: A target equal to it does not count. Of no meaning for probabilities.
        reduction: "mean" (by the weight of the rows not ignored; for probabilities by the number of rows), "sum" or "none".
        label_smoothing: In [0, 1].
        softcap: c > 0: scores are c * tanh(input / c).
        z_loss: zeta >= 0: adds zeta * logsumexp**2.
        temperature: Divides the (capped) scores.

    Returns:
        float32, or float64 for float64: without axes, or with "none" of the shape of class indices. (PyTorch's has the dtype of
        input; a loss in bfloat16 would keep three digits.) NaN and infinities as in vastmax.cross_entropy.

    Raises:
        LabelError: A target outside [0, C) that is not ignore_index.
        TypeError: Probabilities or weights that require a gradient.
        ArgumentTypeError, ArgumentValueError: Dtypes, shapes or options that do not fit.

    >>> import torch, vastmax.torch
    >>> x = torch.zeros(2, 4, requires_grad=True)
    >>> loss = vastmax.torch.cross_entropy(x, torch.tensor([0, 3]))
    >>> loss.backward()
    >>> x.grad[0]
    tensor([-0.3750,  0.1250,  0.1250,  0.1250])
    """
    _check_reduction(reduction)
    ids, indptr, weights = _targets(target)
    _on_cpu(input=input, target=ids, indptr=indptr, weights=weights, weight=weight)
    _constants(weights=weights, weight=weight)
    if ids.is_floating_point() and indptr is None and weights is None:
        return _of_probabilities(input, ids, _f32(weight), reduction, label_smoothing, softcap, z_loss, temperature)
    shape = ids.shape
    x = input
    if indptr is None and weights is None:
        if x.dim() == 0 or shape != _without_classes(x):
            raise ValueError(f"target has shape {tuple(shape)}, input {tuple(x.shape)}")
        x, ids = _classes_last(x), ids.reshape(-1)
    elif x.dim() != 2:
        raise ValueError(f"input has shape {tuple(x.shape)}; with lists of targets it must be [N, C]")
    value: Tensor = torch.ops.vastmax.cross_entropy(
        x, ids, indptr, weights, _f32(weight), reduction, ignore_index, label_smoothing, softcap, z_loss, temperature
    )[0]
    return value.reshape(shape) if reduction == "none" and indptr is None else value


def _without_classes(x: Tensor) -> torch.Size:
    """The shape of [C], [N, C] or [N, C, d1, ...] without C."""
    dim = int(x.dim() > 1)
    return x.shape[:dim] + x.shape[dim + 1 :]


def _classes_last(x: Tensor) -> Tensor:
    """[C], [N, C] or [N, C, d1, ...] as rows of classes."""
    dim = int(x.dim() > 1)
    return x if x.dim() == 2 else x.movedim(dim, -1).reshape(-1, x.shape[dim])


def _of_probabilities(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float, softcap: float, z_loss: float, temperature: float
) -> Tensor:
    """cross_entropy whose targets are probabilities: lists of all classes with their weights."""
    _constants(target=target)
    if x.dim() == 0 or target.shape != x.shape:
        raise ValueError(f"target has shape {tuple(target.shape)}, input {tuple(x.shape)}")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label_smoothing is {smoothing}; it must be in [0, 1]")
    shape, x, target = _without_classes(x), _classes_last(x), _classes_last(target)
    rows, classes = x.shape
    weights = target.to(torch.float64 if target.dtype == torch.float64 else torch.float32).reshape(-1)
    if smoothing:
        weights = weights * (1 - smoothing) + smoothing / classes  # PyTorch smooths by 1, whatever they add up to
    ids, indptr = torch.arange(classes, dtype=torch.int32).repeat(rows), torch.arange(rows + 1) * classes
    value: Tensor = torch.ops.vastmax.cross_entropy(
        x, ids, indptr, weights, weight, "none" if reduction == "none" else "sum", -100, 0.0, softcap, z_loss, temperature
    )[0]
    if reduction == "none":
        return value.reshape(shape)
    return value / rows if reduction == "mean" else value


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Targets,
    bias: Tensor | None = None,
    *,
    class_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    temperature: float = 1.0,
    memory_limit: int = 0,
) -> Tensor:
    """cross_entropy(linear(hidden, weight, bias), target) without ever storing its scores.

    With "mean" and "sum" the forward pass makes the gradients too, so that the backward pass only scales them.

    Args:
        hidden: [..., dim], float32 or bfloat16; cast to the dtype of weight if it differs.
        weight: [classes, dim].
        target: int64 or int32 [...]; or for hidden [N, dim] a tuple (indptr, ids[, weights]).
        bias: [classes], used as float32.
        class_weight: [classes], used as float32: multiplies the loss of each class.
        ignore_index, reduction, label_smoothing, softcap, z_loss, temperature: As in cross_entropy. z_loss needs "mean" or
            "sum".
        memory_limit: Bytes of scratch; 0: 128 MiB. More is faster.

    Returns:
        float32: without axes, or with "none" of the shape of target.

    Raises:
        LabelError: A target outside [0, classes) that is not ignore_index.
        ArgumentTypeError, ArgumentValueError: Dtypes, shapes or options that do not fit.
        UnsupportedError: The build has no oneDNN.

    >>> import torch, vastmax.torch
    >>> hidden, weight = torch.ones(2, 3), torch.zeros(4, 3, requires_grad=True)
    >>> loss = vastmax.torch.linear_cross_entropy(hidden, weight, torch.tensor([0, 1]))
    >>> loss.backward()
    >>> round(loss.item(), 5), weight.grad[3].tolist()
    (1.38629, [0.25, 0.25, 0.25])
    """
    _check_reduction(reduction)
    ids, indptr, weights = _targets(target)
    _on_cpu(hidden=hidden, weight=weight, target=ids, indptr=indptr, weights=weights, bias=bias, class_weight=class_weight)
    _constants(weights=weights, class_weight=class_weight)
    if hidden.dtype != weight.dtype:
        hidden = hidden.to(weight.dtype)
    wants = _wants(hidden, weight, bias)
    if z_loss and reduction == "none" and any(wants):
        raise ValueError("z_loss with reduction 'none' has no gradient here: use 'sum' or 'mean'")
    shape = ids.shape
    if indptr is None and weights is None:
        if shape != hidden.shape[:-1]:
            raise ValueError(f"target has shape {tuple(shape)}, hidden {tuple(hidden.shape)}")
        if hidden.dim() != 2:
            hidden, ids = hidden.reshape(-1, hidden.shape[-1]), ids.reshape(-1)
    if reduction == "none":
        wants = [False] * 3  # the backward pass makes them, when it knows each row's gradient
    value: Tensor = torch.ops.vastmax.linear_cross_entropy(
        hidden, weight, ids, indptr, weights, bias, _f32(class_weight), reduction, ignore_index, label_smoothing, softcap, z_loss,
        temperature, memory_limit, wants,
    )[0]  # fmt: skip
    return value.reshape(shape) if reduction == "none" and indptr is None else value


def sampled_loss(
    hidden: Tensor,
    weight: Tensor,
    target: Targets,
    candidates: Tensor,
    log_q: Tensor | None = None,
    target_log_q: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    loss: str = "sampled_softmax",
    correction: str = "none",
    score: str = "dot",
    reduction: str = "mean",
    keep_hits: bool = False,
    joint: bool = False,
    temperature: float = 1.0,
    margin: float = 0.4,
    negative_weight: float = 1.0,
    identity: Tensor | None = None,
    sparse: bool = False,
) -> Tensor:
    """A loss over targets and drawn negatives: vastmax.sampled_loss with autograd.

    Args:
        hidden: [rows, dim], float32 or bfloat16; cast to the dtype of weight if it differs.
        weight: [classes, dim]: the vector of each class.
        target: int64 or int32 [rows], or a tuple (indptr, ids[, weights]).
        candidates, log_q, target_log_q, loss, correction, score, reduction, keep_hits, joint, temperature, margin,
            negative_weight, identity: As in vastmax.sampled_loss.
        bias: [classes], used as float32.
        sparse: Gradients of weight and bias are sparse COO tensors of the classes touched.

    Returns:
        float32: without axes, or [rows] with "none".

    Raises:
        LabelError, ArgumentTypeError, ArgumentValueError, UnsupportedError: As vastmax.sampled_loss.

    >>> import torch, vastmax.torch
    >>> hidden, weight = torch.ones(1, 3), torch.zeros(9, 3, requires_grad=True)
    >>> loss = vastmax.torch.sampled_loss(hidden, weight, torch.tensor([0]), torch.tensor([4, 5, 6]), sparse=True)
    >>> loss.backward()
    >>> weight.grad.coalesce().indices()
    tensor([[0, 4, 5, 6]])
    """
    _check_reduction(reduction)
    ids, indptr, weights = _targets(target)
    _on_cpu(hidden=hidden, weight=weight, target=ids, indptr=indptr, weights=weights, candidates=candidates, log_q=log_q,
            target_log_q=target_log_q, bias=bias, identity=identity)  # fmt: skip
    _constants(weights=weights, log_q=log_q, target_log_q=target_log_q)
    if hidden.dtype != weight.dtype:
        hidden = hidden.to(weight.dtype)
    wants = _wants(hidden, weight, bias) if reduction != "none" else [False] * 3
    value: Tensor = torch.ops.vastmax.sampled_loss(
        hidden, weight, bias, ids, indptr, weights, candidates, log_q, target_log_q, identity, loss, correction, score,
        reduction, keep_hits, joint, temperature, margin, negative_weight, sparse, wants,
    )[0]  # fmt: skip
    return value


def in_batch_softmax(
    queries: Tensor,
    keys: Tensor,
    identity: Tensor | None = None,
    log_q: Tensor | None = None,
    *,
    score: str = "dot",
    temperature: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """In-batch softmax (InfoNCE): row i of queries belongs to row i of keys, the other keys are its negatives.

    Args:
        queries, keys: [rows, dim], float32, or bfloat16 both.
        identity: int64 or int32 [rows]: which class each key is; other keys of a row's own class are left out.
        log_q: float32 [rows]: log probability of each key to be in a batch, taken off all scores.
        score: "dot" or "cosine".
        temperature: Divides the scores.
        reduction: "mean" or "sum".

    Returns:
        float32 without axes.

    Raises:
        ArgumentTypeError, ArgumentValueError, UnsupportedError: As vastmax.in_batch_softmax.

    >>> import torch, vastmax.torch
    >>> round(vastmax.torch.in_batch_softmax(torch.zeros(4, 2), torch.zeros(4, 2)).item(), 5)
    1.38629
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is {reduction!r}; it must be 'mean' or 'sum'")
    _on_cpu(queries=queries, keys=keys, identity=identity, log_q=log_q)
    _constants(log_q=log_q)
    value: Tensor = torch.ops.vastmax.in_batch_softmax(
        queries, keys, identity, log_q, score, temperature, reduction, _wants(queries, keys)
    )[0]
    return value


__all__ = [
    "cross_entropy",
    "in_batch_softmax",
    "linear_cross_entropy",
    "log_softmax",
    "logsumexp",
    "sampled_loss",
    "softmax",
]
_ = _ops
