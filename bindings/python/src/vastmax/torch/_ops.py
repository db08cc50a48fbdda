# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-any-return, untyped-decorator"
"""The custom operators vastmax::*: the library's functions with fake kernels and autograd formulas.

No annotations as strings here: torch.library reads them.
"""

import os
import threading
from typing import Any, List, Optional, Tuple

import torch
from torch import Tensor
from torch.library import custom_op, register_autograd, register_fake

import vastmax

_contexts: dict[int, vastmax.Context] = {}
_lock = threading.Lock()


def _forget_contexts() -> None:
    # A child process has none of the threads of its parent's pools; what is dropped must not be destroyed there.
    global _lock
    _lock = threading.Lock()
    _leaked.append(dict(_contexts))
    _contexts.clear()


_leaked: List[dict[int, vastmax.Context]] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_contexts)


def context() -> Optional[vastmax.Context]:
    """A context of as many threads as torch.get_num_threads() says."""
    threads = torch.get_num_threads()
    if threads <= 1:
        return None
    found = _contexts.get(threads)
    if found is None:
        with _lock:
            found = _contexts.setdefault(threads, vastmax.Context(threads=threads))
    return found


def _plain(tensor: Optional[Tensor]) -> Any:
    """The tensor for a function that knows nothing of gradients; its memory is the same."""
    return None if tensor is None else tensor.detach()


def _bias(tensor: Optional[Tensor]) -> Any:
    """As the library takes it; a module cast to bfloat16 has it in that."""
    return None if tensor is None else tensor.detach().to(torch.float32)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _lists(ids: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor]) -> Any:
    if indptr is None and weights is None:
        return _plain(ids)
    return _plain(indptr), _plain(ids), _plain(weights)


def _nothing(like: Tensor, dtype: Optional[torch.dtype] = None) -> Tensor:
    """In place of a result that is not wanted."""
    return torch.empty(0, dtype=dtype or like.dtype, device=like.device)


def _without(shape: torch.Size, dim: int) -> List[int]:
    sizes = list(shape)
    del sizes[dim]
    return sizes


# ------------------------------------------------------------------------------------------------ softmax family


@custom_op("vastmax::logsumexp", mutates_args=())
def logsumexp(x: Tensor, dim: int, temperature: float) -> Tensor:
    return vastmax.logsumexp(_plain(x), dim, temperature=temperature, context=context())


@register_fake("vastmax::logsumexp")
def _(x: Tensor, dim: int, temperature: float) -> Tensor:
    return x.new_empty(_without(x.shape, dim), dtype=_wide(x.dtype))


@custom_op("vastmax::logsumexp_backward", mutates_args=())
def logsumexp_backward(x: Tensor, lse: Tensor, grad: Tensor, dim: int, temperature: float) -> Tensor:
    return vastmax.logsumexp_backward(_plain(x), _plain(grad), _plain(lse), dim, temperature=temperature, context=context())


@register_fake("vastmax::logsumexp_backward")
def _(x: Tensor, lse: Tensor, grad: Tensor, dim: int, temperature: float) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _logsumexp_setup(ctx: Any, inputs: Tuple[Any, ...], output: Tensor) -> None:
    x, ctx.dim, ctx.temperature = inputs
    ctx.save_for_backward(x, output)


def _logsumexp_backward(ctx: Any, grad: Tensor) -> Tuple[Any, ...]:
    x, lse = ctx.saved_tensors
    return torch.ops.vastmax.logsumexp_backward(x, lse, grad, ctx.dim, ctx.temperature), None, None


register_autograd("vastmax::logsumexp", _logsumexp_backward, setup_context=_logsumexp_setup)


@custom_op("vastmax::softmax", mutates_args=())
def softmax(x: Tensor, dim: int, temperature: float) -> Tensor:
    return vastmax.softmax(_plain(x), dim, temperature=temperature, context=context())


@custom_op("vastmax::log_softmax", mutates_args=())
def log_softmax(x: Tensor, dim: int, temperature: float) -> Tensor:
    return vastmax.log_softmax(_plain(x), dim, temperature=temperature, context=context())


@custom_op("vastmax::softmax_backward", mutates_args=())
def softmax_backward(y: Tensor, grad: Tensor, dim: int, temperature: float) -> Tensor:
    return vastmax.softmax_backward(_plain(y), _plain(grad), dim, temperature=temperature, context=context())


@custom_op("vastmax::log_softmax_backward", mutates_args=())
def log_softmax_backward(y: Tensor, grad: Tensor, dim: int, temperature: float) -> Tensor:
    return vastmax.log_softmax_backward(_plain(y), _plain(grad), dim, temperature=temperature, context=context())


@register_fake("vastmax::softmax")
@register_fake("vastmax::log_softmax")
def _(x: Tensor, dim: int, temperature: float) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


@register_fake("vastmax::softmax_backward")
@register_fake("vastmax::log_softmax_backward")
def _(y: Tensor, grad: Tensor, dim: int, temperature: float) -> Tensor:
    return torch.empty(y.shape, dtype=y.dtype, device=y.device)


def _softmax_setup(ctx: Any, inputs: Tuple[Any, ...], output: Tensor) -> None:
    _, ctx.dim, ctx.temperature = inputs
    ctx.save_for_backward(output)


def _softmax_backward(ctx: Any, grad: Tensor) -> Tuple[Any, ...]:
    (y,) = ctx.saved_tensors
    return torch.ops.vastmax.softmax_backward(y, grad, ctx.dim, ctx.temperature), None, None


def _log_softmax_backward(ctx: Any, grad: Tensor) -> Tuple[Any, ...]:
    (y,) = ctx.saved_tensors
    return torch.ops.vastmax.log_softmax_backward(y, grad, ctx.dim, ctx.temperature), None, None


register_autograd("vastmax::softmax", _softmax_backward, setup_context=_softmax_setup)
register_autograd("vastmax::log_softmax", _log_softmax_backward, setup_context=_softmax_setup)


# ------------------------------------------------------------------------------------------------- cross-entropy


@custom_op("vastmax::cross_entropy", mutates_args=())
def cross_entropy(
    x: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor], class_weight: Optional[Tensor],
    reduction: str, ignore_index: int, label_smoothing: float, softcap: float, z_loss: float, temperature: float,
) -> Tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The total without axes ("none": the losses), log-sum-exps, and what a mean divides by."""
    r = vastmax.cross_entropy(
        _plain(x), _lists(target, indptr, weights), reduction=reduction, ignore_index=ignore_index,
        label_smoothing=label_smoothing, softcap=softcap, z_loss=z_loss, temperature=temperature,
        class_weight=_plain(class_weight), full=True, context=context(),
    )  # fmt: skip
    value = r.total if reduction != "none" else r.loss + r.z_loss if z_loss else r.loss
    return value.to(_wide(x.dtype)), r.lse, r.total_weight


@register_fake("vastmax::cross_entropy")
def _(
    x: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor], class_weight: Optional[Tensor],
    reduction: str, ignore_index: int, label_smoothing: float, softcap: float, z_loss: float, temperature: float,
) -> Tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    lse = x.new_empty((x.shape[0],), dtype=_wide(x.dtype))
    value = torch.empty_like(lse) if reduction == "none" else x.new_empty((), dtype=_wide(x.dtype))
    return value, lse, x.new_empty((), dtype=torch.float64)


@custom_op("vastmax::cross_entropy_backward", mutates_args=())
def cross_entropy_backward(
    x: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor], class_weight: Optional[Tensor],
    lse: Tensor, grad_loss: Tensor, ignore_index: int, label_smoothing: float, softcap: float, z_loss: float,
    temperature: float,
) -> Tensor:  # fmt: skip
    return vastmax.cross_entropy_backward(
        _plain(x), _lists(target, indptr, weights), _plain(grad_loss), _plain(lse), ignore_index=ignore_index,
        label_smoothing=label_smoothing, softcap=softcap, z_loss=z_loss, temperature=temperature,
        class_weight=_plain(class_weight), context=context(),
    )  # fmt: skip


@register_fake("vastmax::cross_entropy_backward")
def _(
    x: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor], class_weight: Optional[Tensor],
    lse: Tensor, grad_loss: Tensor, ignore_index: int, label_smoothing: float, softcap: float, z_loss: float,
    temperature: float,
) -> Tensor:  # fmt: skip
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _cross_entropy_setup(ctx: Any, inputs: Tuple[Any, ...], output: Tuple[Tensor, ...]) -> None:
    x, target, indptr, weights, class_weight, ctx.reduction, *ctx.options = inputs
    _, lse, total_weight = output
    ctx.mark_non_differentiable(lse, total_weight)
    ctx.save_for_backward(x, target, indptr, weights, class_weight, lse, total_weight)


def _cross_entropy_backward(ctx: Any, grad: Tensor, _lse: Any, _weight: Any) -> Tuple[Any, ...]:
    x, target, indptr, weights, class_weight, lse, total_weight = ctx.saved_tensors
    if ctx.reduction == "mean":
        grad = (grad / total_weight).to(grad.dtype)
    back = torch.ops.vastmax.cross_entropy_backward(x, target, indptr, weights, class_weight, lse, grad, *ctx.options)
    return back, *[None] * 10


register_autograd("vastmax::cross_entropy", _cross_entropy_backward, setup_context=_cross_entropy_setup)


# ------------------------------------------------------------------------------------------ gradients of the others


@custom_op("vastmax::made_gradient", mutates_args=())
def made_gradient(made: Tensor, grad: Tensor, a: Tensor, b: Tensor, c: Optional[Tensor]) -> Tensor:
    """A gradient that the forward pass made, times that of the total.

    a, b and c are what it depends on: the operator has no formula of its own, so that a second derivative is an error. A product
    would be taken for a constant.
    """
    return _plain(made) * _plain(grad).to(made.dtype)


@register_fake("vastmax::made_gradient")
def _(made: Tensor, grad: Tensor, a: Tensor, b: Tensor, c: Optional[Tensor]) -> Tensor:
    return torch.empty(made.shape, dtype=made.dtype, device=made.device)


def _each(
    grad: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor], ignore_index: Optional[int]
) -> Tuple[Tensor, Optional[Tensor]]:
    """Each row's gradient as the weight of its targets, and which rows have one that no weight can be: NaN or infinite."""
    rows = None
    if indptr is None:
        each = grad
    else:
        rows = torch.repeat_interleave(torch.arange(len(grad), device=grad.device), indptr[1:] - indptr[:-1])
        each = grad[rows]
    each = each if weights is None else each * weights
    bad = ~torch.isfinite(each)
    if not bad.any():
        return each, None
    each = each.masked_fill(bad, 0.0)
    if ignore_index is not None:
        bad &= target != ignore_index
    lost = bad if rows is None else torch.zeros_like(grad, dtype=torch.bool).index_fill_(0, rows[bad], True)
    return each, lost if lost.any() else None


def _lose(lost: Optional[Tensor], of_rows: Tensor, *sums: Tensor) -> Tuple[Any, ...]:
    """The gradients with NaN where rows that are lost stand in them."""
    if lost is not None:
        if of_rows.numel():
            of_rows[lost] = float("nan")
        for g in sums:
            if g.is_floating_point():
                g.fill_(float("nan"))
    return of_rows, *sums


# ------------------------------------------------------------------------------------------ linear cross-entropy


@custom_op("vastmax::linear_cross_entropy", mutates_args=())
def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor],
    bias: Optional[Tensor], class_weight: Optional[Tensor], reduction: str, ignore_index: int, label_smoothing: float,
    softcap: float, z_loss: float, temperature: float, memory_limit: int, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """The total ("none": the losses), and gradients of hidden, weight and bias of it, each empty unless wanted."""
    r = vastmax.linear_cross_entropy(
        _plain(hidden), _plain(weight), _lists(target, indptr, weights), _bias(bias), reduction=reduction,
        ignore_index=ignore_index, label_smoothing=label_smoothing, softcap=softcap, z_loss=z_loss, temperature=temperature,
        class_weight=_plain(class_weight), grad_hidden=wants[0], grad_weights=wants[1], grad_bias=wants[2],
        memory_limit=memory_limit, full=True, context=context(),
    )  # fmt: skip
    value = r.total if reduction != "none" else r.loss + r.z_loss if z_loss else r.loss
    grads = r.grads or vastmax.LinearGrads(None, None, None)
    return (
        value.to(torch.float32),
        _nothing(hidden) if grads.hidden is None else grads.hidden,
        _nothing(weight, torch.float32) if grads.weights is None else grads.weights,
        _nothing(weight, torch.float32) if grads.bias is None else grads.bias,
    )


@register_fake("vastmax::linear_cross_entropy")
def _(
    hidden: Tensor, weight: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor],
    bias: Optional[Tensor], class_weight: Optional[Tensor], reduction: str, ignore_index: int, label_smoothing: float,
    softcap: float, z_loss: float, temperature: float, memory_limit: int, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    value = hidden.new_empty((hidden.shape[0],) if reduction == "none" else (), dtype=torch.float32)
    return value, *_linear_grads_fake(hidden, weight, wants)


def _linear_grads_fake(hidden: Tensor, weight: Tensor, wants: List[bool]) -> Tuple[Tensor, Tensor, Tensor]:
    f32 = torch.float32
    return (
        torch.empty(hidden.shape, dtype=hidden.dtype, device=hidden.device) if wants[0] else _nothing(hidden),
        torch.empty(weight.shape, dtype=f32, device=weight.device) if wants[1] else _nothing(weight, f32),
        weight.new_empty((weight.shape[0],), dtype=f32) if wants[2] else _nothing(weight, f32),
    )


def _linear_setup(ctx: Any, inputs: Tuple[Any, ...], output: Tuple[Tensor, ...]) -> None:
    hidden, weight, target, indptr, weights, bias, class_weight, ctx.reduction, *ctx.options = inputs
    ctx.dtypes = weight.dtype, None if bias is None else bias.dtype
    ctx.mark_non_differentiable(*output[1:])
    if ctx.reduction == "none":
        ctx.save_for_backward(hidden, weight, target, indptr, weights, bias, class_weight)
    else:
        ctx.save_for_backward(hidden, weight, bias, *output[1:])


def _linear_backward(ctx: Any, grad: Tensor, *_rest: Any) -> Tuple[Any, ...]:
    needs = ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.needs_input_grad[5]
    if ctx.reduction == "none":
        grads = torch.ops.vastmax.linear_cross_entropy_backward(*ctx.saved_tensors, grad, *ctx.options[:-1], list(needs))
    else:
        hidden, weight, bias, *made = ctx.saved_tensors
        grads = [
            torch.ops.vastmax.made_gradient(g, grad, hidden, weight, bias) if need else None for g, need in zip(made, needs)
        ]
    grad_hidden, grad_weight, grad_bias = (g if need else None for g, need in zip(grads, needs))
    if grad_weight is not None:
        grad_weight = grad_weight.to(ctx.dtypes[0])
    if grad_bias is not None:
        grad_bias = grad_bias.to(ctx.dtypes[1])
    return grad_hidden, grad_weight, None, None, None, grad_bias, *[None] * 9


register_autograd("vastmax::linear_cross_entropy", _linear_backward, setup_context=_linear_setup)


@custom_op("vastmax::linear_cross_entropy_backward", mutates_args=())
def linear_cross_entropy_backward(
    hidden: Tensor, weight: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor],
    bias: Optional[Tensor], class_weight: Optional[Tensor], grad: Tensor, ignore_index: int, label_smoothing: float,
    softcap: float, z_loss: float, temperature: float, memory_limit: int, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of hidden, weight and bias by those of each row's loss."""
    each, lost = _each(grad, target, indptr, weights, ignore_index)
    _, *grads = linear_cross_entropy(
        hidden, weight, target, indptr, each, bias, class_weight, "sum", ignore_index, label_smoothing, softcap, z_loss,
        temperature, memory_limit, wants,
    )  # fmt: skip
    return _lose(lost, *grads)


@register_fake("vastmax::linear_cross_entropy_backward")
def _(
    hidden: Tensor, weight: Tensor, target: Tensor, indptr: Optional[Tensor], weights: Optional[Tensor],
    bias: Optional[Tensor], class_weight: Optional[Tensor], grad: Tensor, ignore_index: int, label_smoothing: float,
    softcap: float, z_loss: float, temperature: float, memory_limit: int, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return _linear_grads_fake(hidden, weight, wants)


# ------------------------------------------------------------------------------------------------ sampled losses


@custom_op("vastmax::sampled_loss", mutates_args=())
def sampled_loss(
    hidden: Tensor, table: Tensor, bias: Optional[Tensor], target: Tensor, indptr: Optional[Tensor],
    weights: Optional[Tensor], candidates: Tensor, log_q: Optional[Tensor], target_log_q: Optional[Tensor],
    identity: Optional[Tensor], loss: str, correction: str, score: str, reduction: str, keep_hits: bool, joint: bool,
    temperature: float, margin: float, negative_weight: float, sparse: bool, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """The total ("none": the losses), gradients of hidden, and of table and bias: dense, or as ids and rows."""
    of_table = wants[1] or wants[2]
    r = vastmax.sampled_loss(
        _plain(hidden), _plain(table), _lists(target, indptr, weights), _plain(candidates), _plain(log_q),
        _plain(target_log_q), bias=_bias(bias), loss=loss, correction=correction, score=score, reduction=reduction,
        keep_hits=keep_hits, joint=joint, temperature=temperature, margin=margin, negative_weight=negative_weight,
        identity=_plain(identity), grad_hidden=wants[0], grad_table=not sparse and wants[1],
        grad_bias=not sparse and wants[2], grad_sparse=sparse and of_table, full=True, context=context(),
    )  # fmt: skip
    value = r.loss if reduction == "none" else r.total
    grads = r.grads or vastmax.SampledGrads(None, None, None, None)
    ids, rows, of_bias = (None, grads.table, grads.bias) if grads.sparse is None else grads.sparse
    f32 = torch.float32
    return (
        value.to(f32),
        _nothing(hidden) if grads.hidden is None else grads.hidden,
        _nothing(table, torch.int64) if ids is None else ids.clone(),
        _nothing(table, f32) if rows is None else rows.clone() if sparse else rows,
        _nothing(table, f32) if of_bias is None else of_bias.clone() if sparse else of_bias,
    )


@register_fake("vastmax::sampled_loss")
def _(
    hidden: Tensor, table: Tensor, bias: Optional[Tensor], target: Tensor, indptr: Optional[Tensor],
    weights: Optional[Tensor], candidates: Tensor, log_q: Optional[Tensor], target_log_q: Optional[Tensor],
    identity: Optional[Tensor], loss: str, correction: str, score: str, reduction: str, keep_hits: bool, joint: bool,
    temperature: float, margin: float, negative_weight: float, sparse: bool, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    value = hidden.new_empty((hidden.shape[0],) if reduction == "none" else (), dtype=torch.float32)
    return value, *_sampled_grads_fake(hidden, table, bias, sparse, wants)


def _sampled_grads_fake(
    hidden: Tensor, table: Tensor, bias: Optional[Tensor], sparse: bool, wants: List[bool]
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    f32 = torch.float32
    of_hidden = torch.empty(hidden.shape, dtype=hidden.dtype, device=hidden.device) if wants[0] else _nothing(hidden)
    if sparse and (wants[1] or wants[2]):
        n = torch.library.get_ctx().new_dynamic_size()
        ids = table.new_empty((n,), dtype=torch.int64)
        rows = table.new_empty((n, table.shape[1]), dtype=f32)
        of_bias = table.new_empty((n,), dtype=f32) if bias is not None else _nothing(table, f32)
        return of_hidden, ids, rows, of_bias
    return (
        of_hidden,
        _nothing(table, torch.int64),
        torch.empty(table.shape, dtype=f32, device=table.device) if wants[1] else _nothing(table, f32),
        table.new_empty((table.shape[0],), dtype=f32) if wants[2] else _nothing(table, f32),
    )


def _sampled_setup(ctx: Any, inputs: Tuple[Any, ...], output: Tuple[Tensor, ...]) -> None:
    _, table, bias, *_ = inputs
    ctx.reduction, ctx.sparse = inputs[13], inputs[19]
    ctx.size, ctx.dtypes = table.shape, (table.dtype, None if bias is None else bias.dtype)
    ctx.mark_non_differentiable(*output[1:])
    if ctx.reduction == "none":
        ctx.options = inputs[10:13] + inputs[14:20]
        ctx.save_for_backward(*inputs[:10])
    else:
        ctx.save_for_backward(*inputs[:3], *output[1:])


def _sampled_backward(ctx: Any, grad: Tensor, *_rest: Any) -> Tuple[Any, ...]:
    needs = ctx.needs_input_grad[:3]
    if ctx.reduction == "none":
        of_hidden, ids, rows, of_bias = torch.ops.vastmax.sampled_loss_backward(
            *ctx.saved_tensors, grad, *ctx.options, list(needs)
        )
    else:
        hidden, table, bias, of_hidden, ids, rows, of_bias = ctx.saved_tensors
        of_hidden, rows, of_bias = (
            torch.ops.vastmax.made_gradient(g, grad, hidden, table, bias) if need else g
            for g, need in zip((of_hidden, rows, of_bias), needs)
        )
    of_table: Any = rows.to(ctx.dtypes[0]) if needs[1] else None
    grad_bias: Any = of_bias.to(ctx.dtypes[1]) if needs[2] else None
    if ctx.sparse:
        if needs[1]:
            of_table = torch.sparse_coo_tensor(ids[None], of_table, ctx.size, is_coalesced=True, check_invariants=False)
        if needs[2]:
            grad_bias = torch.sparse_coo_tensor(ids[None], grad_bias, ctx.size[:1], is_coalesced=True, check_invariants=False)
    return of_hidden if needs[0] else None, of_table, grad_bias, *[None] * 18


register_autograd("vastmax::sampled_loss", _sampled_backward, setup_context=_sampled_setup)


@custom_op("vastmax::sampled_loss_backward", mutates_args=())
def sampled_loss_backward(
    hidden: Tensor, table: Tensor, bias: Optional[Tensor], target: Tensor, indptr: Optional[Tensor],
    weights: Optional[Tensor], candidates: Tensor, log_q: Optional[Tensor], target_log_q: Optional[Tensor],
    identity: Optional[Tensor], grad: Tensor, loss: str, correction: str, score: str, keep_hits: bool, joint: bool,
    temperature: float, margin: float, negative_weight: float, sparse: bool, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of hidden, and of table and bias, by those of each row's loss."""
    each, lost = _each(grad, target, indptr, weights, None)
    _, *grads = sampled_loss(
        hidden, table, bias, target, indptr, each, candidates, log_q, target_log_q, identity, loss, correction, score, "sum",
        keep_hits, joint, temperature, margin, negative_weight, sparse, wants,
    )  # fmt: skip
    return _lose(lost, *grads)


@register_fake("vastmax::sampled_loss_backward")
def _(
    hidden: Tensor, table: Tensor, bias: Optional[Tensor], target: Tensor, indptr: Optional[Tensor],
    weights: Optional[Tensor], candidates: Tensor, log_q: Optional[Tensor], target_log_q: Optional[Tensor],
    identity: Optional[Tensor], grad: Tensor, loss: str, correction: str, score: str, keep_hits: bool, joint: bool,
    temperature: float, margin: float, negative_weight: float, sparse: bool, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    return _sampled_grads_fake(hidden, table, bias, sparse, wants)


@custom_op("vastmax::in_batch_softmax", mutates_args=())
def in_batch_softmax(
    queries: Tensor, keys: Tensor, identity: Optional[Tensor], log_q: Optional[Tensor], score: str, temperature: float,
    reduction: str, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The total, and gradients of queries and keys, each empty unless wanted."""
    r = vastmax.in_batch_softmax(
        _plain(queries), _plain(keys), _plain(identity), _plain(log_q), score=score, temperature=temperature,
        reduction=reduction, grad_queries=wants[0], grad_keys=wants[1], full=True, context=context(),
    )  # fmt: skip
    value = r.loss if reduction == "none" else r.total
    grads = r.grads or vastmax.InBatchGrads(None, None)
    return (
        value.to(torch.float32),
        _nothing(queries) if grads.queries is None else grads.queries,
        _nothing(keys) if grads.keys is None else grads.keys,
    )


@register_fake("vastmax::in_batch_softmax")
def _(
    queries: Tensor, keys: Tensor, identity: Optional[Tensor], log_q: Optional[Tensor], score: str, temperature: float,
    reduction: str, wants: List[bool],
) -> Tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return (
        queries.new_empty((queries.shape[0],) if reduction == "none" else (), dtype=torch.float32),
        torch.empty(queries.shape, dtype=queries.dtype, device=queries.device) if wants[0] else _nothing(queries),
        torch.empty(keys.shape, dtype=keys.dtype, device=keys.device) if wants[1] else _nothing(keys),
    )


def _in_batch_setup(ctx: Any, inputs: Tuple[Any, ...], output: Tuple[Tensor, ...]) -> None:
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*inputs[:2], *output[1:])


def _in_batch_backward(ctx: Any, grad: Tensor, *_rest: Any) -> Tuple[Any, ...]:
    queries, keys, *made = ctx.saved_tensors
    of_queries, of_keys = (
        torch.ops.vastmax.made_gradient(g, grad, queries, keys, None) if need else None
        for g, need in zip(made, ctx.needs_input_grad[:2])
    )
    return of_queries, of_keys, *[None] * 6


register_autograd("vastmax::in_batch_softmax", _in_batch_backward, setup_context=_in_batch_setup)
