# SPDX-License-Identifier: Apache-2.0
"""Bad input: the exception's class, the argument and the values in its text, and outputs untouched."""

from typing import Any

import numpy as np
import pytest

import vastmax
from vastmax import _constants as c

X = np.zeros((2, 3), np.float32)
H, W = np.zeros((2, 4), np.float32), np.zeros((5, 4), np.float32)


def test_classes() -> None:
    for name, built_in in [
        ("ArgumentTypeError", TypeError), ("ArgumentValueError", ValueError), ("LabelError", ValueError),
        ("OutOfMemoryError", MemoryError), ("UnsupportedError", NotImplementedError), ("CallbackError", RuntimeError),
        ("InternalError", RuntimeError),
    ]:  # fmt: skip
        assert issubclass(getattr(vastmax, name), built_in)
        assert issubclass(getattr(vastmax, name), vastmax.Error)


@pytest.mark.parametrize(
    ("call", "kind", "status", "text"),
    [
        (lambda: vastmax.logsumexp([[1.0]]), TypeError, c.ERR_DTYPE, "x is of type list"),
        (lambda: vastmax.logsumexp(None), TypeError, c.ERR_DTYPE, "x is of type NoneType"),
        (lambda: vastmax.logsumexp(X.astype("c8")), TypeError, c.ERR_DTYPE, "x has dtype complex64"),
        (lambda: vastmax.logsumexp(X.astype("i4")), TypeError, c.ERR_DTYPE, "x.dtype is 5"),
        (lambda: vastmax.logsumexp(X.astype("u1")), TypeError, c.ERR_DTYPE, "x has dtype uint8"),
        (lambda: vastmax.logsumexp(X.astype("u4")), TypeError, c.ERR_DTYPE, "x has dtype uint32"),
        (lambda: vastmax.logsumexp(X.astype(">f4")), TypeError, c.ERR_DTYPE, "x has another byte order"),
        (lambda: vastmax.logsumexp(np.ma.masked_array(X)), TypeError, c.ERR_DTYPE, "x is a masked array"),
        (lambda: vastmax.logsumexp(np.ma.masked), TypeError, c.ERR_DTYPE, "x is a masked array"),
        (lambda: vastmax.logsumexp(X, temperature=10**400), ValueError, c.ERR_VALUE, "temperature is an integer too large"),
        (lambda: vastmax.logsumexp(np.float32(1)), ValueError, c.ERR_SHAPE, "x has no dimensions"),
        (lambda: vastmax.logsumexp(X, 2), ValueError, c.ERR_VALUE, "axis is 2; x has 2 dimensions"),
        (lambda: vastmax.logsumexp(X, out=np.zeros(3, "f4")), ValueError, c.ERR_SHAPE, r"out has shape \(3,\); it must be \(2,\)"),
        (lambda: vastmax.logsumexp(X, out=np.zeros(2)), TypeError, c.ERR_DTYPE, "out has dtype float64; it must be float32"),
        (lambda: vastmax.logsumexp(X, out=np.zeros((2, 2), "f4")), ValueError, c.ERR_SHAPE, r"out has shape \(2, 2\)"),
        (lambda: vastmax.logsumexp(X, temperature=-1), ValueError, c.ERR_VALUE, "temperature.*-1"),
        (lambda: vastmax.logsumexp(X, temperature=np.zeros(2)), TypeError, c.ERR_DTYPE, "temperature has dtype float64"),
        (lambda: vastmax.logsumexp(X, temperature=np.ones(3, "f4")), ValueError, c.ERR_SHAPE, r"temperature has shape \(3,\)"),
        (lambda: vastmax.logsumexp(np.ones((2, 3, 4), "f4"), 1, temperature=np.full((2, 4), -2, "f4")), ValueError, c.ERR_VALUE,
         "temperature: element 0 is -2"),
        (lambda: vastmax.logsumexp(X, flags_out=np.zeros(2, "i4")), TypeError, c.ERR_DTYPE, "flags_out has dtype int32"),
        (lambda: vastmax.logsumexp(X, flags_out=np.zeros(4, "u4")[::2]), ValueError, c.ERR_VALUE, "flags_out is not contiguous"),
        (lambda: vastmax.softmax(X, dtype="int8"), TypeError, c.ERR_DTYPE, "dtype is int8"),
        (lambda: vastmax.softmax(X, dtype="int32"), TypeError, c.ERR_DTYPE, "y.dtype is 5"),
        (lambda: vastmax.softmax(X[:, :2], out=X[:, 1:]), ValueError, c.ERR_OVERLAP, "overlap"),
        (lambda: vastmax.softmax(X, out=np.broadcast_to(X[:1], (2, 3))), ValueError, c.ERR_VALUE, "out is read-only"),
        (lambda: vastmax.softmax_backward(X, X[:1]), ValueError, c.ERR_SHAPE, r"grad_y has shape \(1, 3\)"),
        (lambda: vastmax.softmax_backward(X, X.astype("f8")), TypeError, c.ERR_DTYPE, "grad_y"),
        (lambda: vastmax.topk(X, 0), ValueError, c.ERR_VALUE, "k is 0"),
        (lambda: vastmax.topk(X, 4), ValueError, c.ERR_SHAPE, "k is 4; x has 3 entries"),
        (lambda: vastmax.topk(X, 1, ids_dtype="float32"), TypeError, c.ERR_DTYPE, "ids_dtype is float32"),
        (lambda: vastmax.topk(X, 1, col_offset=-1), ValueError, c.ERR_VALUE, "col_offset is -1"),
        (lambda: vastmax.topk_merge(X, X.astype("i8"), 9), ValueError, c.ERR_SHAPE, "k is 9; values has 3"),
        (lambda: vastmax.cross_entropy(X, np.array([0, 3])), vastmax.LabelError, c.ERR_LABEL, "3"),
        (lambda: vastmax.cross_entropy(X, np.array([0.0, 1.0])), TypeError, c.ERR_DTYPE, "targets has dtype float64"),
        (lambda: vastmax.cross_entropy(X, np.array([0])), ValueError, c.ERR_SHAPE, r"targets has shape \(1,\)"),
        (lambda: vastmax.cross_entropy(X, (np.array([0, 1]),)), ValueError, c.ERR_SHAPE, "targets is a tuple of 1"),
        (lambda: vastmax.cross_entropy(X, np.array([0, 1]), reduction="avg"), ValueError, c.ERR_VALUE, "reduction is 'avg'.*'mean'"),
        (lambda: vastmax.cross_entropy(X, np.array([0, 1]), label_smoothing=2), ValueError, c.ERR_VALUE, "label_smoothing is 2"),
        (lambda: vastmax.cross_entropy(X, np.array([0, 1]), class_weight=np.ones(3)), TypeError, c.ERR_DTYPE, "class_weight"),
        (lambda: vastmax.linear_logsumexp(H, W[:, :3]), ValueError, c.ERR_SHAPE, "weights"),
        (lambda: vastmax.linear_logsumexp(H, W, memory_limit=1), ValueError, c.ERR_VALUE, "memory_limit is 1"),
        (lambda: vastmax.linear_logsumexp(H.astype("f8"), W.astype("f8")), TypeError, c.ERR_DTYPE, "hidden.dtype"),
        (lambda: vastmax.linear_topk(H, W, 6), ValueError, c.ERR_SHAPE, "k is 6; there are 5 classes"),
        (lambda: vastmax.linear_cross_entropy(H, W, np.array([0, 1]), grad_weights=True, accumulate=True), ValueError,
         c.ERR_VALUE, "accumulate"),
        (lambda: vastmax.PackedWeights(W[0]), ValueError, c.ERR_SHAPE, "weights has shape"),
        (lambda: vastmax.Context(threads=2000), ValueError, c.ERR_VALUE, "threads is 2000"),
        (lambda: vastmax.Context(isa="sse9"), ValueError, c.ERR_VALUE, "isa is 'sse9'.*'avx2'"),
        (lambda: vastmax.Context(parallel_for=3), TypeError, c.ERR_DTYPE, "parallel_for"),
        (lambda: vastmax.Sampler.weights(np.array([-1.0, 2])), ValueError, c.ERR_VALUE, "weights"),
        (lambda: vastmax.Sampler.uniform(0), ValueError, None, "classes"),
        (lambda: vastmax.Sampler.uniform(3).draw(4, unique=True), ValueError, c.ERR_VALUE, "4"),
        (lambda: vastmax.Sampler.uniform(3).draw(1, rows=-1), ValueError, c.ERR_SHAPE, "rows is -1"),
        (lambda: vastmax.Sampler.uniform(3).draw(1, rows=2.0), TypeError, c.ERR_DTYPE, "rows is of type float"),
        (lambda: vastmax.Sampler.uniform(3).draw(1, rows=1 << 70), ValueError, c.ERR_SIZE, "rows does not fit"),
        (lambda: vastmax.Sampler.uniform(3).log_q(np.array([1]), draws=2, tries=1 << 70), ValueError, c.ERR_SIZE, "tries does not fit"),
        (lambda: vastmax.Sampler.uniform(3).log_q((None, np.int64(1))), ValueError, c.ERR_SHAPE, r"ids has shape \(\)"),
        (lambda: vastmax.Workspace(context=5), TypeError, c.ERR_DTYPE, "context is of type int"),
        (lambda: vastmax.PackedWeights(W, context=5), TypeError, c.ERR_DTYPE, "context is of type int"),
        (lambda: vastmax.LseState(1 << 60), ValueError, c.ERR_SIZE, "n is 1152921504606846976"),
        (lambda: vastmax.Sampler.uniform(3).update(W), NotImplementedError, c.ERR_UNSUPPORTED, "embeddings|sampler"),
        (lambda: vastmax.Sampler.in_batch(3).draw(1), NotImplementedError, c.ERR_UNSUPPORTED, "batch|BATCH"),
        (lambda: vastmax.sampled_loss(H, W, np.array([0, 1]), np.array([7])), vastmax.LabelError, c.ERR_LABEL, "7"),
        (lambda: vastmax.sampled_loss(H, W, np.array([0, 1]), np.array([2]), correction="is"), ValueError, c.ERR_VALUE, "log_q"),
        (lambda: vastmax.sampled_loss(H, W, np.array([0, 1]), np.zeros((3, 2), "i8")), ValueError, c.ERR_SHAPE,
         "candidates has 3 rows"),
        (lambda: vastmax.sampled_loss(H, W, np.array([0, 1]), np.array([2]), loss="hinge"), ValueError, c.ERR_VALUE, "loss is 'hinge'"),
        (lambda: vastmax.sparse_update(W, (np.array([1, 0]), W[:2])), ValueError, c.ERR_VALUE, "ids"),
        (lambda: vastmax.sparse_update(W, W), TypeError, c.ERR_DTYPE, "grad is of type"),
        (lambda: vastmax.sparse_update(W, (np.array([1]), W[:1] * 1), "adam"), (TypeError, ValueError), None, "mean|square"),
        (lambda: vastmax.LseState(-1), ValueError, c.ERR_SHAPE, "n is -1"),
        (lambda: vastmax.LseState(2).fold(X[:1]), ValueError, c.ERR_SHAPE, "x has 1 rows; the state has 2"),
        (lambda: vastmax.LseState(2).merge(vastmax.LseState(1)), ValueError, c.ERR_SHAPE, "other has 1 rows"),
        (lambda: vastmax.LseState(2, buffer=np.zeros(5, "u1")), ValueError, c.ERR_SHAPE, "buffer has 5 bytes"),
        (lambda: vastmax.lse_short_merge(np.zeros((1, 3)), np.zeros((1, 3))), ValueError, c.ERR_SHAPE, r"into has shape \(1, 3\)"),
    ],
)  # fmt: skip
def test_bad_arguments(call: Any, kind: Any, status: int | None, text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        call()
    assert isinstance(caught.value, vastmax.Error)
    if status is not None:
        assert caught.value.status == status


def test_unknown_keywords_are_refused() -> None:
    with pytest.raises(TypeError):
        vastmax.logsumexp(X, temprature=2)
    with pytest.raises(TypeError):
        vastmax.neg(H, W, np.array([0, 1]), np.array([2]), marign=2)


def test_outputs_are_untouched_by_an_error() -> None:
    out, grad = np.full(2, 7, np.float32), np.full((2, 3), 7, np.float32)
    with pytest.raises(vastmax.LabelError):
        vastmax.cross_entropy(X, np.array([0, 9]), loss_out=out, grad=grad)
    assert (out == 7).all() and (grad == 7).all()
    x, y = np.zeros((2, 3, 4), np.float32), np.full((2, 3, 4), 7, np.float32)
    temperature = np.ones((2, 4), np.float32)
    temperature[1, 3] = np.nan  # of the last slab
    with pytest.raises(ValueError, match="element 7 is nan"):
        vastmax.softmax(x, 1, out=y, temperature=temperature)
    assert (y == 7).all()


def test_overlaps_across_slabs_are_refused() -> None:
    base = np.zeros((3, 4, 5), np.float32)
    with pytest.raises(ValueError, match="out overlaps x"):
        vastmax.softmax(base[:2], 1, out=base[1:])
    one = np.lib.stride_tricks.as_strided(np.zeros((4, 5), np.float32), (3, 4, 5), (0, 20, 4))
    with pytest.raises(ValueError, match="out overlaps itself"):
        vastmax.softmax(base, 1, out=one)
    for steps in ((20, 20, 4), (4, 20, 4), (60, 16, 4)):  # slabs that share elements, one step or many apart
        shared = np.lib.stride_tricks.as_strided(np.zeros(60, np.float32), (3, 4, 5), steps)
        with pytest.raises(ValueError, match="out overlaps itself"):
            vastmax.softmax(base, 1, out=shared)
    temperature = np.ones((3, 5), np.float32)
    with pytest.raises(ValueError, match="lse_out overlaps flags_out"):
        vastmax.softmax(base, 1, lse_out=temperature, flags_out=temperature.view(np.uint32))
    out = np.full((3, 4, 5), 7, np.float32)
    out[2] = 1
    with pytest.raises(ValueError, match="out overlaps temperature"):  # in the last slab alone
        vastmax.softmax(base, 1, out=out, temperature=out.reshape(-1)[40:55].reshape(3, 5))
    assert (out[:2] == 7).all()


def test_out_of_memory() -> None:
    huge = np.broadcast_to(np.zeros((1, 1), np.float32), (1 << 40, 1 << 20))
    with pytest.raises(MemoryError):
        vastmax.softmax(huge)
    with pytest.raises(vastmax.OutOfMemoryError):
        vastmax.Workspace().reserve(1 << 60)
    with pytest.raises(MemoryError):
        vastmax.Workspace().reserve(1 << 60)
