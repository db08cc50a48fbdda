# SPDX-License-Identifier: Apache-2.0
"""Tensors in, tensors out, without a copy."""

import numpy as np
import pytest
import torch
from shared import Calls, Case, cases

import vastmax

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]


def tensor(array: np.ndarray) -> torch.Tensor:
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def raw(t: torch.Tensor) -> bytes:
    return t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""


@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_bits(case: Case) -> None:
    got = Calls(case, tensor, lambda a: torch.zeros_like(tensor(a))).run()
    for name, want in case.outputs.items():
        assert isinstance(got[name], torch.Tensor), name
        assert raw(got[name]) == want.tobytes(), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_returns_tensors_of_the_right_dtype(dtype: torch.dtype) -> None:
    x = torch.randn(3, 20).to(dtype)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert vastmax.logsumexp(x).dtype == wide
    assert vastmax.softmax(x).dtype == dtype
    assert vastmax.softmax(x, dtype=torch.bfloat16).dtype == torch.bfloat16
    values, ids = vastmax.topk(x, 2)
    assert (values.dtype, ids.dtype) == (dtype, torch.int64)
    assert torch.equal(values, x.gather(1, ids))
    loss = vastmax.cross_entropy(x, torch.tensor([0, 1, 2]))
    assert isinstance(loss, torch.Tensor) and loss.dtype == torch.float64 and loss.shape == ()
    flags = torch.zeros(3, dtype=torch.uint32)
    vastmax.logsumexp(x, flags_out=flags)
    assert flags.tolist() == [0, 0, 0]


def test_strides_without_a_copy() -> None:
    base = torch.randn(40, 30)
    for view in (base.t(), base[::2, 3:17], base.as_strided((5, 30), (0, 1)), base[3], base.view(4, 10, 30).permute(2, 0, 1)):
        want = vastmax.logsumexp(view.contiguous())
        assert torch.equal(vastmax.logsumexp(view), want)
        out = torch.empty_like(view.contiguous())
        assert vastmax.softmax(view, out=out) is out
        assert torch.equal(out, vastmax.softmax(view.contiguous()))


def test_a_parameter_and_a_subclass_of_tensor() -> None:
    x = torch.nn.Parameter(torch.zeros(1, 2), requires_grad=False)
    assert vastmax.logsumexp(x).item() == pytest.approx(np.log(2))

    class Mine(torch.Tensor):
        pass

    assert vastmax.logsumexp(torch.zeros(1, 2).as_subclass(Mine)).item() == pytest.approx(np.log(2))


def test_what_would_lose_a_gradient_is_refused() -> None:
    x = torch.zeros(1, 2, requires_grad=True)
    with pytest.raises(vastmax.ArgumentTypeError, match="x requires a gradient"):
        vastmax.logsumexp(x)
    with pytest.raises(TypeError, match="out requires a gradient"):
        vastmax.softmax(torch.zeros(1, 2), out=x)


def test_tensors_not_in_memory_are_refused() -> None:
    with pytest.raises(vastmax.ArgumentTypeError, match="x is a tensor whose memory cannot be seen: device meta"):
        vastmax.logsumexp(torch.zeros(1, 2, device="meta"))
    with pytest.raises(vastmax.ArgumentTypeError, match="layout torch.sparse_coo"):
        vastmax.logsumexp(torch.zeros(1, 2).to_sparse())
    with pytest.raises(vastmax.ArgumentTypeError, match="out is a tensor whose memory cannot be seen"):
        vastmax.softmax(torch.zeros(1, 2), out=torch.zeros(1, 2, device="meta"))
    with pytest.raises(TypeError, match="x has a dtype"):
        vastmax.logsumexp(torch.zeros(1, 2, dtype=torch.complex64))


def test_a_sign_still_to_be_changed_is_refused() -> None:
    x = torch.complex(torch.zeros(2, 3), torch.arange(6.0).reshape(2, 3)).conj().imag
    assert x.is_neg()
    with pytest.raises(ValueError, match=r"x is the negative .*x.resolve_neg\(\)"):
        vastmax.logsumexp(x)
    with pytest.raises(ValueError, match="out is the negative"):
        vastmax.softmax(torch.zeros(2, 3), out=x)
    torch.testing.assert_close(vastmax.logsumexp(x.resolve_neg()), x.logsumexp(1))


def test_results_are_on_the_cpu_whatever_the_default_device() -> None:
    x, y = torch.randn(2, 3), torch.tensor([0, 2])
    want = vastmax.softmax(x), vastmax.cross_entropy(x, y)
    with torch.device("meta"):
        assert torch.equal(vastmax.softmax(x), want[0])
        assert torch.equal(vastmax.cross_entropy(x, y), want[1])
