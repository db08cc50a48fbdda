# SPDX-License-Identifier: Apache-2.0
"""What arrays go in and come out: libraries, dtypes, strides, axes; nothing is copied."""

import array
import tracemalloc
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import vastmax

BF16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype("f4"), BF16, np.dtype("f2"), np.dtype("f8")]
rng = np.random.default_rng(7)


def scores(*shape: int, dtype: Any = np.float32) -> Any:
    return rng.standard_normal(shape).astype(dtype)


def oracle(x: Any, axis: int = -1) -> Any:
    x = np.asarray(x, dtype=np.float64)
    top = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + np.squeeze(top, axis)


# ------------------------------------------------------------------------------------------------------- dtypes


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype: np.dtype[Any]) -> None:
    x = scores(3, 50, dtype=dtype)
    lse = vastmax.logsumexp(x)
    assert type(lse) is np.ndarray
    assert lse.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(lse, oracle(x), rtol=1e-6)
    y = vastmax.softmax(x)
    assert y.dtype == dtype and y.shape == x.shape
    np.testing.assert_allclose(y.astype("f8").sum(1), 1, rtol=2e-2)
    assert vastmax.log_softmax(x).dtype == dtype
    assert vastmax.topk(x, 3).values.dtype == dtype


@pytest.mark.parametrize("to", ["float32", np.float16, np.dtype("f8"), "bfloat16", ml_dtypes.bfloat16], ids=str)
def test_result_in_another_dtype(to: Any) -> None:
    want = np.dtype(ml_dtypes.bfloat16 if to == "bfloat16" else to)
    assert vastmax.softmax(scores(2, 9), dtype=to).dtype == want
    assert vastmax.logsumexp_backward(scores(2, 9), np.ones(2, "f4"), dtype=to).dtype == want


def test_one_row_gives_scalars_as_numpy_does() -> None:
    assert isinstance(vastmax.logsumexp(scores(5)), np.float32)
    assert isinstance(vastmax.cross_entropy(scores(2, 5), np.array([0, 1])), np.float64)
    assert isinstance(vastmax.cross_entropy(scores(5), np.int64(1), reduction="none"), np.float32)


# ------------------------------------------------------------------------------------------------------ strides

VIEWS: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda b: b.T,
    "every other": lambda b: b[::2, ::3],
    "backwards": lambda b: b[::-1, ::-1],
    "one row for all": lambda b: np.broadcast_to(b[0], b.shape),
    "one column for all": lambda b: np.broadcast_to(b[:, :1], b.shape),
    "fortran": np.asfortranarray,
    "no rows": lambda b: b[:0],
    "3d": lambda b: b.reshape(4, -1, b.shape[1]),
    "3d permuted": lambda b: b.reshape(4, -1, b.shape[1]).transpose(2, 0, 1),
    "4d": lambda b: b.reshape(2, 2, -1, b.shape[1])[:, ::-1, ::2],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_strides(dtype: np.dtype[Any], view: str) -> None:
    x = VIEWS[view](scores(24, 30, dtype=dtype))
    plain = np.ascontiguousarray(x)
    for axis in range(-x.ndim, x.ndim):
        moved = np.moveaxis(plain, axis, -1)
        want = vastmax.logsumexp(np.ascontiguousarray(moved))
        assert np.array_equal(vastmax.logsumexp(x, axis), want)
        y = vastmax.softmax(np.ascontiguousarray(moved))
        assert vastmax.softmax(x, axis).tobytes() == np.moveaxis(y, -1, axis).tobytes()
        if x.shape[axis] >= 2:
            best, ids = vastmax.topk(np.ascontiguousarray(moved), 2)
            values, found = vastmax.topk(x, 2, axis)
            assert values.tobytes() == np.moveaxis(best, -1, axis).tobytes()
            assert np.array_equal(found, np.moveaxis(ids, -1, axis))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_every_function_along_every_axis(axis: int) -> None:
    x, g = scores(3, 4, 5), scores(3, 4, 5)
    xm, gm = (np.ascontiguousarray(np.moveaxis(a, axis, -1)) for a in (x, g))
    batch = xm.shape[:-1]
    t = rng.uniform(0.5, 2, batch).astype("f4")

    def same(have: Any, want: Any) -> None:
        assert have.tobytes() == np.ascontiguousarray(np.moveaxis(want, -1, axis)).tobytes()

    assert np.array_equal(vastmax.logsumexp(x, axis, temperature=t), vastmax.logsumexp(xm, temperature=t))
    same(vastmax.log_softmax(x, axis, temperature=t), vastmax.log_softmax(xm, temperature=t))
    up = scores(*batch)
    same(vastmax.logsumexp_backward(x, up, axis=axis, temperature=t), vastmax.logsumexp_backward(xm, up, temperature=t))
    lse = vastmax.logsumexp(xm, temperature=t)
    same(vastmax.logsumexp_backward(x, up, lse, axis, temperature=t), vastmax.logsumexp_backward(xm, up, lse, temperature=t))
    for name in ("softmax", "log_softmax"):
        ym = getattr(vastmax, name)(xm)
        y = np.moveaxis(ym, -1, axis)
        backward = getattr(vastmax, name + "_backward")
        same(backward(y, g, axis, temperature=t), backward(ym, gm, temperature=t))
    flags = np.full(batch, 99, np.uint32)
    vastmax.softmax(x, axis, flags_out=flags, lse_out=lse)
    assert (flags == 0).all()
    assert np.array_equal(lse, vastmax.logsumexp(xm))


def test_flags_of_each_row_in_a_walk_over_slabs() -> None:
    x = scores(3, 4, 5)
    x[1, :, 2] = -np.inf
    x[2, 0, 4] = np.nan
    x[0, 3, 0] = np.inf
    flags = np.zeros((3, 5), np.uint32)
    vastmax.logsumexp(x, 1, flags_out=flags)
    want = np.zeros((3, 5), np.uint32)
    want[1, 2], want[2, 4], want[0, 0] = vastmax.ROW_EMPTY, vastmax.ROW_NAN, vastmax.ROW_INF
    assert np.array_equal(flags, want)


def test_cross_entropy_where_the_batch_joins() -> None:
    x, y = scores(4, 6, 9), rng.integers(0, 9, (4, 6))
    flat = vastmax.cross_entropy(x.reshape(24, 9), y.reshape(24), reduction="none")
    assert np.array_equal(vastmax.cross_entropy(x, y, reduction="none"), flat.reshape(4, 6))
    loss, grad = vastmax.cross_entropy(x, y, grad=True)
    assert grad.shape == x.shape
    columns = np.ascontiguousarray(x[0].T)
    assert np.array_equal(vastmax.cross_entropy(columns, y[0], axis=0, reduction="none"), flat[:6])
    with pytest.raises(ValueError, match=r"\(4, 9\).*without a copy"):
        vastmax.cross_entropy(x, y[:, :1].repeat(9, 1) % 6, axis=1)


# ---------------------------------------------------------------------------------------------------- zero copy


def numpy_bytes_of(call: Callable[[], object]) -> int:
    """The most memory that Python and NumPy allocated at once in the call (the library's own scratch is not among it)."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("view", [k for k in VIEWS if k != "no rows"])
def test_inputs_are_not_copied(view: str) -> None:
    base = rng.standard_normal((240, 3000), dtype=np.float32)
    x = VIEWS[view](base)
    lse = np.empty(x.shape[:-1], np.float32)
    assert numpy_bytes_of(lambda: vastmax.logsumexp(x, out=lse)) < 20_000 < x.size * 4
    y = np.empty(x.shape, np.float32)
    assert numpy_bytes_of(lambda: vastmax.softmax(x, out=y)) < 20_000
    assert numpy_bytes_of(lambda: vastmax.topk(x, 1)) < 40_000 + 2 * 12 * x.size // x.shape[-1]


def test_a_new_result_is_allocated_once() -> None:
    x = rng.standard_normal((100, 5000), dtype=np.float32)
    assert numpy_bytes_of(lambda: vastmax.softmax(x)) < x.nbytes + 20_000


def test_outputs_are_written_where_they_are() -> None:
    base = np.zeros((6, 10), np.float32)
    x, window = scores(3, 4), base[::2, 1:9:2]
    assert vastmax.softmax(x, out=window) is window
    assert np.array_equal(base[::2, 1:9:2], vastmax.softmax(x))
    base[::2, 1:9:2] = 0
    assert not base.any()


def test_in_place() -> None:
    for dtype in DTYPES:
        x = scores(3, 50, dtype=dtype)
        want = vastmax.softmax(x)
        assert vastmax.softmax(x, out=x) is x
        assert x.tobytes() == want.tobytes()
    x = scores(3, 4, 5)
    want = vastmax.softmax(x, 1)
    assert np.array_equal(vastmax.softmax(x, 1, out=x), want)


def test_outputs_may_interleave_with_inputs() -> None:
    both = scores(3, 2, 4, 5)
    x, want = both[:, 0].copy(), vastmax.softmax(both[:, 0].copy(), 1)
    vastmax.softmax(both[:, 0], 1, out=both[:, 1])
    assert np.array_equal(both[:, 0], x) and np.array_equal(both[:, 1], want)
    pairs = np.zeros((3, 4, 5, 2), np.float32)
    pairs[..., 1] = x
    vastmax.softmax(pairs[..., 1], 1, out=pairs[..., 0])
    assert np.array_equal(pairs[..., 1], x) and np.array_equal(pairs[..., 0], want)


def test_misaligned_and_odd_strides() -> None:
    raw = np.zeros(4 * 12 + 1, np.uint8)
    x = raw[1:].view(np.float32)
    with pytest.raises(ValueError, match="align"):
        vastmax.logsumexp(x)
    record = np.zeros(5, dtype=[("a", "f4"), ("b", "u1")])
    with pytest.raises(ValueError, match="stride of 5 bytes"):
        vastmax.logsumexp(record["a"])


# ------------------------------------------------------------------------------------- other libraries' arrays


def test_buffer_protocol() -> None:
    for code, dtype in (("f", np.float32), ("d", np.float64)):
        data = array.array(code, [0.0, 1.0, 2.0])
        lse = vastmax.logsumexp(data)
        assert isinstance(lse, np.floating) and lse.dtype == dtype
        assert np.array_equal(lse, vastmax.logsumexp(np.array(data)))
        out = array.array(code, [0.0] * 3)
        assert vastmax.softmax(data, out=out) is out
        assert np.array_equal(np.array(out), vastmax.softmax(np.array(data)))
    view = memoryview(np.arange(12, dtype=np.float32).tobytes()).cast("f", (3, 4))
    assert vastmax.logsumexp(view).shape == (3,)
    assert vastmax.cross_entropy(view, array.array("q", [0, 1, 2])).dtype == np.float64
    assert vastmax.cross_entropy(view, array.array("i", [0, 1, 2])) == vastmax.cross_entropy(view, array.array("q", [0, 1, 2]))
    with pytest.raises(ValueError, match="out is read-only"):
        vastmax.softmax(view, out=view)
    with pytest.raises(TypeError, match="format 'B'|uint8|dtype"):
        vastmax.logsumexp(b"abc")


class Exporter:
    """Somebody else's array: DLPack alone, an array namespace if told so."""

    def __init__(self, of: Any, version: int = 1, namespace: Any = None, device: int = 1) -> None:
        self.of, self.version, self.device = of, version, device
        if namespace is not None:
            self.__array_namespace__ = lambda: namespace

    def __dlpack__(self, **options: Any) -> Any:
        if self.version == 0 and options:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        return self.of.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


class Namespace:
    made: list[Any] = []

    @classmethod
    def from_dlpack(cls, x: Any) -> Any:
        cls.made.append(x)
        return Exporter(np.from_dlpack(x), namespace=cls)


@pytest.mark.parametrize("version", [0, 1])
def test_dlpack(version: int) -> None:
    x = scores(3, 8)
    lse = vastmax.logsumexp(Exporter(x[:, ::-2], version))
    assert type(lse) is np.ndarray
    assert np.array_equal(lse, vastmax.logsumexp(x[:, ::-2]))
    out = np.zeros((3, 8), np.float32)
    wrapped = Exporter(out, version)
    assert vastmax.softmax(x, out=wrapped) is wrapped
    assert np.array_equal(out, vastmax.softmax(x))
    # With a namespace results come back from it.
    back = vastmax.softmax(Exporter(x, version, Namespace))
    assert isinstance(back, Exporter)
    assert np.array_equal(back.of, out)
    assert back.of.ctypes.data % 64 == 0


def test_dlpack_refusals() -> None:
    x = scores(2, 2)
    frozen = x.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        vastmax.softmax(x, out=Exporter(frozen))
    with pytest.raises(TypeError, match="x is not in the CPU's memory .DLPack device type 2"):
        vastmax.logsumexp(Exporter(x, device=2))
    with pytest.raises(TypeError, match="x has a dtype"):
        vastmax.logsumexp(Exporter(x.astype(np.complex64)))


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy 2.1 tells of copies")
def test_a_copy_is_no_output() -> None:
    class Copies(Exporter):
        def __dlpack__(self, **options: Any) -> Any:
            return self.of.__dlpack__(max_version=(1, 0), copy=True)

    assert vastmax.logsumexp(Copies(scores(2, 3))).shape == (2,)
    with pytest.raises(ValueError, match="out is read-only"):
        vastmax.softmax(scores(2, 3), out=Copies(scores(2, 3)))


def test_dlpack_lets_go_of_its_owner() -> None:
    import gc
    import weakref

    class Owner(np.ndarray[Any, Any]):
        pass

    owner = scores(2, 3).view(Owner)
    dead = weakref.ref(owner)
    vastmax.logsumexp(Exporter(owner))
    del owner
    gc.collect()
    assert dead() is None


def test_read_only_inputs_are_fine() -> None:
    x = scores(2, 5)
    x.flags.writeable = False
    vastmax.logsumexp(x)
    with pytest.raises(ValueError, match="out is read-only"):
        vastmax.softmax(x, out=x)
