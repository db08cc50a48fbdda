# SPDX-License-Identifier: Apache-2.0
"""The custom operators: torch.library.opcheck, gradcheck, and PyTorch's own functions as the oracle."""

import pytest
import torch
import torch.nn.functional as TF
from torch.autograd import gradcheck
from torch.library import opcheck

import vastmax.torch as vt

# opcheck itself looks at gradients of what are no leaves.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
OPS = torch.ops.vastmax
TESTS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static", "test_aot_dispatch_dynamic")


def leaf(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype).requires_grad_()


def check_op(op: torch._ops.OpOverload, args: tuple, tests: tuple = TESTS) -> None:  # type: ignore[type-arg]
    result = opcheck(op, args, test_utils=tests)
    assert set(result.values()) == {"SUCCESS"}


# ------------------------------------------------------------------------------------------------------- opcheck


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [0, 1])
def test_opcheck_softmax_family(dtype: torch.dtype, dim: int) -> None:
    for op in (OPS.logsumexp, OPS.softmax, OPS.log_softmax):
        check_op(op.default, (leaf(4, 6, dtype=dtype), dim, 0.7))
    x = torch.randn(4, 6, dtype=dtype)
    check_op(OPS.logsumexp_backward.default, (x, x.logsumexp(dim), torch.ones(6 if dim == 0 else 4, dtype=dtype), dim, 1.0))
    check_op(OPS.softmax_backward.default, (x.softmax(dim), x, dim, 1.0))
    check_op(OPS.log_softmax_backward.default, (x.log_softmax(dim), x, dim, 1.0))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_opcheck_cross_entropy(reduction: str) -> None:
    target = torch.tensor([1, 0, -100, 4])
    options = (reduction, -100, 0.1, 0.0, 0.01, 1.0)
    check_op(OPS.cross_entropy.default, (leaf(4, 6), target, None, None, torch.rand(6), *options))
    lists = torch.tensor([0, 1, 3, 3, 4]), torch.rand(4)
    check_op(OPS.cross_entropy.default, (leaf(4, 6), target.abs() % 6, *lists, None, *options))
    x = torch.randn(4, 6)
    check_op(OPS.cross_entropy_backward.default,
             (x, target, None, None, None, x.logsumexp(1), torch.ones(4), -100, 0.1, 0.0, 0.0, 1.0))  # fmt: skip


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_opcheck_linear_cross_entropy(reduction: str) -> None:
    wants = [reduction != "none"] * 3
    args = (leaf(4, 5), leaf(7, 5), torch.tensor([1, 0, -100, 6]), None, None, leaf(7), None, reduction, -100, 0.1, 0.0, 0.0,
            1.0, 0, wants)  # fmt: skip
    check_op(OPS.linear_cross_entropy.default, args)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("loss", ["sampled_softmax", "nce", "neg", "bpr", "ccl"])
def test_opcheck_sampled_loss(loss: str, sparse: bool) -> None:
    score = "cosine" if loss == "ccl" else "dot"
    q = (torch.full((3,), -2.0), torch.full((4,), -2.0)) if loss == "nce" else (None, None)
    args = (leaf(4, 5), leaf(9, 5), leaf(9), torch.tensor([1, 0, 2, 6]), None, None, torch.tensor([5, 7, 8]), *q, None, loss,
            "none", score, "mean", False, False, 1.0, 0.4, 1.0, sparse, [True] * 3)  # fmt: skip
    # A sparse gradient's number of rows depends on data: tracing its autograd formula is not promised, the rest is.
    tests = TESTS[:3] if sparse else TESTS
    result = opcheck(OPS.sampled_loss.default, args, test_utils=tests)
    assert set(result.values()) == {"SUCCESS"}


def test_opcheck_in_batch_softmax() -> None:
    check_op(OPS.in_batch_softmax.default, (leaf(4, 5), leaf(4, 5), None, None, "cosine", 0.5, "mean", [True, True]))


def test_opcheck_gradients() -> None:
    check_op(OPS.made_gradient.default, (torch.randn(4, 5), torch.tensor(2.0), torch.randn(4, 5), torch.randn(7, 5), None))
    x, table, target, grad = torch.randn(4, 5), torch.randn(9, 5), torch.tensor([1, 0, -100, 6]), torch.randn(4)
    lists = torch.tensor([0, 1, 3, 3, 4]), torch.rand(4)
    for indptr, weights in ((None, None), lists):
        check_op(OPS.linear_cross_entropy_backward.default,
                 (x, table, target, indptr, weights, torch.randn(9), None, grad, -100, 0.1, 0.0, 0.0, 1.0, 0, [True] * 3))  # fmt: skip
    for sparse in (False, True):
        check_op(OPS.sampled_loss_backward.default,
                 (x, table, None, target.abs() % 9, *lists, torch.tensor([5, 7, 8]), None, None, None, grad, "neg", "none", "dot",
                  False, False, 1.0, 0.4, 1.0, sparse, [True, True, False]), TESTS[:3] if sparse else TESTS)  # fmt: skip


# ----------------------------------------------------------------------------------------------------- gradcheck


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gradcheck_softmax_family(dim: int, temperature: float) -> None:
    for function in (vt.logsumexp, vt.softmax, vt.log_softmax):
        assert gradcheck(lambda x: function(x, dim, temperature=temperature), leaf(3, 4, 5, dtype=torch.float64))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"softcap": 3.0}, {"z_loss": 0.1}, {"temperature": 0.5}])
def test_gradcheck_cross_entropy(reduction: str, options: dict[str, float]) -> None:
    target = torch.tensor([1, -100, 4])
    weight = torch.rand(5)
    assert gradcheck(lambda x: vt.cross_entropy(x, target, weight, reduction=reduction, **options),
                     leaf(3, 5, dtype=torch.float64))  # fmt: skip
    lists = torch.tensor([0, 2, 2, 3]), torch.tensor([1, 4, 0]), torch.rand(3)
    assert gradcheck(lambda x: vt.cross_entropy(x, lists, reduction=reduction, **options), leaf(3, 5, dtype=torch.float64))


def differences(function, leaves, step: float = 0.02) -> float:  # type: ignore[no-untyped-def]
    """The largest |analytic - central difference| over all entries, for functions in f32.

    Bound: rounding errs by u |loss| / step = 6e-8 * 4 / 0.02 = 1.2e-5, curvature by step^2/6 |f'''| <= 7e-5 |f'''| with
    f''' of the order of 1 for scores of the order of 1.
    """
    for t in leaves:
        t.grad = None
    function().backward()
    worst = 0.0
    for t in leaves:
        analytic = t.grad.to_dense() if t.grad.is_sparse else t.grad
        flat, grads = t.data.view(-1), analytic.reshape(-1)
        for i in range(flat.numel()):
            keep = flat[i].item()
            flat[i] = keep + step
            up = function().item()
            flat[i] = keep - step
            down = function().item()
            flat[i] = keep
            worst = max(worst, abs((up - down) / (2 * step) - grads[i].item()))
    return worst


BOUND = 5e-4


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"softcap": 3.0}, {"temperature": 2.0}])
def test_differences_linear_cross_entropy(reduction: str, options: dict[str, float]) -> None:
    hidden, weight, bias = leaf(3, 4), leaf(6, 4), leaf(6)
    target, pick = torch.tensor([1, -100, 5]), torch.tensor([0.5, 1.0, -0.25])
    f = lambda: (vt.linear_cross_entropy(hidden, weight, target, bias, reduction=reduction, **options)  # noqa: E731
                 * (pick if reduction == "none" else 1)).sum()  # fmt: skip
    assert differences(f, [hidden, weight, bias]) < BOUND


def test_differences_linear_cross_entropy_with_lists() -> None:
    hidden, weight = leaf(3, 4), leaf(6, 4)
    lists = torch.tensor([0, 2, 2, 3]), torch.tensor([1, 4, 0]), torch.rand(3)
    pick = torch.tensor([0.5, 1.0, -0.25])
    for reduction in ("none", "mean", "sum"):
        f = lambda: (vt.linear_cross_entropy(hidden, weight, lists, reduction=reduction)  # noqa: E731, B023
                     * (pick if reduction == "none" else 1)).sum()  # fmt: skip
        assert differences(f, [hidden, weight]) < BOUND


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("loss", ["sampled_softmax", "nce", "neg", "bpr", "ccl"])
def test_differences_sampled_loss(loss: str, reduction: str, sparse: bool) -> None:
    hidden, table, bias = leaf(3, 4), leaf(8, 4), leaf(8)
    candidates = torch.tensor([[5, 6, 1], [7, 2, 5], [3, 3, 6]])
    counts = {"log_q": torch.full((3, 3), -1.5), "target_log_q": torch.full((3,), -1.0)} if loss == "nce" else {}
    score = "cosine" if loss == "ccl" else "dot"
    f = lambda: vt.sampled_loss(hidden, table, torch.tensor([1, 2, 0]), candidates, bias=bias, loss=loss, score=score,  # noqa: E731
                                reduction=reduction, sparse=sparse, margin=-1.0, **counts).sum()  # fmt: skip
    assert differences(f, [hidden, table, bias]) < BOUND


@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_differences_in_batch_softmax(score: str) -> None:
    queries, keys = leaf(3, 4), leaf(3, 4)
    for reduction in ("mean", "sum"):
        f = lambda: vt.in_batch_softmax(queries, keys, score=score, reduction=reduction)  # noqa: E731, B023
        assert differences(f, [queries, keys]) < BOUND


LOSSES = {
    "linear": lambda h, w, **o: vt.linear_cross_entropy(h, w, torch.tensor([1, 2, 0]), **o),
    "sampled": lambda h, w, **o: vt.sampled_loss(h, w, torch.tensor([1, 2, 0]), torch.tensor([3, 4]), **o),
    "in batch": lambda h, w: vt.in_batch_softmax(h, w[:3]),
    "given": lambda h, w, **o: vt.cross_entropy(h @ w.T, torch.tensor([1, 2, 0]), **o),
    "softmax": lambda h, w: vt.softmax(h @ w.T)[:, 0],
    "log_softmax": lambda h, w: vt.log_softmax(h @ w.T)[:, 0],
    "logsumexp": lambda h, w: vt.logsumexp(h @ w.T),
}


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("name", LOSSES)
def test_second_derivatives_are_an_error_and_not_zero(name: str, reduction: str) -> None:
    hidden, weight = leaf(3, 4), leaf(6, 4)
    options = {"reduction": reduction} if name in ("linear", "sampled", "given") else {}
    value = LOSSES[name](hidden, weight, **options).sum()
    (grad,) = torch.autograd.grad(value, hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        (value + grad.pow(2).sum()).backward()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["linear", "sampled", "given"])
def test_gradients_that_are_not_finite_go_through(name: str, bad: float) -> None:
    hidden, weight = leaf(3, 4), leaf(6, 4)
    want = torch.autograd.grad(LOSSES[name](hidden, weight, reduction="none"), hidden, torch.tensor([1.0, 0.0, 1.0]))[0]
    LOSSES[name](hidden, weight, reduction="none").backward(torch.tensor([1.0, bad, 1.0]))
    assert not hidden.grad[1].isfinite().any()
    torch.testing.assert_close(hidden.grad[::2], want[::2])
    assert weight.grad.isnan().any()


def test_gradients_that_are_not_finite_of_lists_and_ignored_rows() -> None:
    hidden, weight = leaf(4, 4), leaf(6, 4)
    lists = torch.tensor([0, 2, 2, 3, 4]), torch.tensor([1, 4, 0, -100])
    nan = float("nan")
    vt.linear_cross_entropy(hidden, weight, lists, reduction="none").backward(torch.tensor([1.0, nan, 1.0, nan]))
    assert hidden.grad.isfinite().all() and weight.grad.isfinite().all()  # rows without targets have no gradient
    vt.linear_cross_entropy(hidden, weight, lists, reduction="none").backward(torch.tensor([nan, 1.0, 1.0, 1.0]))
    assert hidden.grad[0].isnan().all() and hidden.grad[1:].isfinite().all() and weight.grad.isnan().all()


def test_what_has_no_gradient_says_so() -> None:
    x, target = leaf(3, 5), torch.tensor([1, 2, 0])
    with pytest.raises(TypeError, match="^weight requires a gradient"):
        vt.cross_entropy(x, target, leaf(5))
    with pytest.raises(TypeError, match="^weights requires a gradient"):
        vt.cross_entropy(x, (None, target, leaf(3)))
    with pytest.raises(TypeError, match="^class_weight requires a gradient"):
        vt.linear_cross_entropy(x, leaf(7, 5), target, class_weight=leaf(7))
    with pytest.raises(TypeError, match="^log_q requires a gradient"):
        vt.sampled_loss(x, leaf(7, 5), target, torch.tensor([4, 5]), leaf(2), torch.zeros(3), correction="ranking")
    with torch.no_grad():
        vt.cross_entropy(x, target, torch.rand(5).requires_grad_())


# -------------------------------------------------------------------------------------------- against PyTorch's own


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(7,), (5, 7), (5, 7, 3), (2, 7, 3, 4), (1, 7, 6)])
def test_cross_entropy_is_a_drop_in(shape: tuple[int, ...], smoothing: float, weighted: bool, reduction: str) -> None:
    at = 0 if len(shape) == 1 else 1
    target = torch.randint(7, shape[:at] + shape[at + 1 :])
    if target.dim() and target.numel() > 1:
        target.view(-1)[0] = -100
    weight = torch.rand(7) if weighted else None
    mine, theirs = leaf(*shape), None
    theirs = mine.detach().clone().requires_grad_()
    options = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
    a = vt.cross_entropy(mine, target, **options)
    b = TF.cross_entropy(theirs, target, **options)
    assert a.shape == b.shape and a.dtype == b.dtype
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    direction = torch.rand(b.shape)
    (a * direction).sum().backward()
    (b * direction).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_linear_cross_entropy_is_the_two_steps(reduction: str, dtype: torch.dtype) -> None:
    layer = vt.LinearCrossEntropy(16, 300, reduction=reduction, dtype=dtype)
    hidden = torch.randn(2, 6, 16).to(dtype).requires_grad_()
    target = torch.randint(300, (2, 6))
    target[0, 0] = -100
    loss = layer(hidden, target)
    loss.sum().backward()
    w, b, h = (t.detach().double().requires_grad_() for t in (layer.weight, layer.bias, hidden))
    theirs = TF.cross_entropy(TF.linear(h, w, b).flatten(0, 1), target.flatten(), reduction=reduction)
    theirs.sum().backward()
    assert loss.shape == (target.shape if reduction == "none" else ())
    tight = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-2, "atol": 1e-2}
    torch.testing.assert_close(loss.double().flatten(), theirs.flatten(), rtol=1e-5, atol=1e-5)
    for mine, other in ((hidden, h), (layer.weight, w), (layer.bias, b)):
        assert mine.grad.dtype == mine.dtype
        torch.testing.assert_close(mine.grad.double(), other.grad, **tight)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_class_weights_have_the_dtype_of_the_scores_as_pytorch_wants(dtype: torch.dtype) -> None:
    x, weight, target = torch.randn(4, 5).to(dtype), torch.rand(5).to(dtype), torch.tensor([0, 1, 4, 2])
    want = TF.cross_entropy(x.double(), target, weight.double())
    torch.testing.assert_close(vt.cross_entropy(x, target, weight).double(), want, rtol=1e-6, atol=1e-6)


def test_edges_of_cross_entropy() -> None:
    inf = float("inf")
    x = torch.tensor([[-inf, 0.0], [float("nan"), 0.0], [-inf, -inf]]).requires_grad_()
    loss = vt.cross_entropy(x, torch.tensor([0, 1, 1]), reduction="none")
    assert loss[0] == inf and torch.isnan(loss[1]) and loss[2] == inf
    assert torch.isnan(vt.cross_entropy(torch.zeros(2, 3), torch.tensor([-100, -100])))
    assert vt.cross_entropy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), reduction="sum") == 0


@pytest.mark.parametrize("shape", [(7,), (5, 7), (3, 7, 4), (2, 7, 3, 2), (0, 7)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_targets_as_class_probabilities(shape: tuple[int, ...], reduction: str, smoothing: float, weighted: bool) -> None:
    torch.manual_seed(3)
    dim = 0 if len(shape) == 1 else 1
    target = torch.rand(shape, dtype=torch.float64)  # they need not add up to 1
    weight = torch.rand(7) if weighted else None
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    loss = vt.cross_entropy(x, target, weight, reduction=reduction, label_smoothing=smoothing, ignore_index=2)
    wide = None if weight is None else weight.double()
    expected = torch.nn.functional.cross_entropy(y, target, wide, reduction=reduction, label_smoothing=smoothing)
    assert loss.shape == expected.shape == (shape[:dim] + shape[dim + 1 :] if reduction == "none" else ())
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12, equal_nan=True)
    if shape[0]:
        loss.sum().backward()
        expected.sum().backward()
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-12, atol=1e-12)
    single = vt.cross_entropy(x.detach().float(), target.float(), weight, reduction=reduction, label_smoothing=smoothing)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected.detach(), rtol=1e-5, atol=1e-5, equal_nan=True)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(IndexError, match="5"):
        vt.softmax(torch.zeros(2, 2), 5)
    with pytest.raises(ValueError, match="reduction is 'avg'"):
        vt.cross_entropy(torch.zeros(1, 2), torch.tensor([0]), reduction="avg")
    with pytest.raises(ValueError, match=r"\(3,\)"):
        vt.cross_entropy(torch.zeros(2, 2), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(TypeError, match="target is of type list"):
        vt.cross_entropy(torch.zeros(2, 2), [0, 1])
    with pytest.raises(ValueError, match="target is a tuple of 1"):
        vt.cross_entropy(torch.zeros(2, 2), (torch.zeros(2),))
    with pytest.raises(ValueError, match=r"target has shape \(3, 2\), input \(2, 2\)"):
        vt.cross_entropy(torch.zeros(2, 2), torch.zeros(3, 2))
    with pytest.raises(TypeError, match="target requires a gradient"):
        vt.cross_entropy(torch.zeros(2, 2), torch.zeros(2, 2, requires_grad=True))
    with pytest.raises(ValueError, match="label_smoothing is 2"):
        vt.cross_entropy(torch.zeros(2, 2), torch.zeros(2, 2), label_smoothing=2)
    with pytest.raises(ValueError, match="targets.* 7"):
        vt.cross_entropy(torch.zeros(1, 2), torch.tensor([7]))
    with pytest.raises(TypeError, match="hidden.dtype is 3 .f16."):
        vt.linear_cross_entropy(torch.zeros(1, 2, dtype=torch.float16), torch.zeros(2, 2, dtype=torch.float16), torch.tensor([0]))


# ----------------------------------------------------------------------------------------------------- torch.compile


def compiled(function):  # type: ignore[no-untyped-def]
    torch._dynamo.reset()
    return torch.compile(function, fullgraph=True, backend="aot_eager")


def test_compile_cross_entropy() -> None:
    x, y = leaf(4, 9), torch.tensor([0, 1, 2, 3])
    f = lambda x: vt.cross_entropy(x * 2, y, label_smoothing=0.1) + vt.logsumexp(x).sum() + vt.softmax(x).log().mean()  # noqa: E731
    want = f(x)
    (g,) = torch.autograd.grad(want, x)
    have = compiled(f)(x)
    (h,) = torch.autograd.grad(have, x)
    torch.testing.assert_close(have, want)
    torch.testing.assert_close(h, g)


def test_compile_linear_cross_entropy() -> None:
    layer = vt.LinearCrossEntropy(8, 50)
    hidden, target = leaf(4, 8), torch.tensor([0, 1, 2, 3])
    step = compiled(lambda h, t: layer(torch.tanh(h), t))
    want = torch.autograd.grad(layer(torch.tanh(hidden), target), [hidden, layer.weight, layer.bias])
    have = torch.autograd.grad(step(hidden, target), [hidden, layer.weight, layer.bias])
    for a, b in zip(have, want):
        torch.testing.assert_close(a, b)


def test_compile_sampled_and_in_batch() -> None:
    hidden, table = leaf(4, 8), leaf(20, 8)
    target, candidates = torch.arange(4), torch.arange(10, 16)
    f = lambda h, t: vt.sampled_loss(h, t, target, candidates) + vt.in_batch_softmax(h, t[:4])  # noqa: E731
    want = torch.autograd.grad(f(hidden, table), [hidden, table])
    have = torch.autograd.grad(compiled(f)(hidden, table), [hidden, table])
    for a, b in zip(have, want):
        torch.testing.assert_close(a, b)
