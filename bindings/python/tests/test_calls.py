# SPDX-License-Identifier: Apache-2.0
"""How calls run: contexts, threads, the GIL, workspaces, states and samplers as objects."""

import concurrent.futures
import gc
import os
import pickle
import subprocess
import sys
import sysconfig
import threading
import time
from typing import Any

import numpy as np
import pytest

import vastmax
from vastmax import _vastmax

rng = np.random.default_rng(3)
X = rng.standard_normal((64, 20_000), dtype=np.float32)


# ------------------------------------------------------------------------------------------------------ contexts


def test_the_same_bits_for_any_context() -> None:
    want = vastmax.softmax(X)
    for isa in vastmax.isas():
        for threads in (0, 1, 2, 3):
            context = vastmax.Context(threads=threads, isa=isa)
            assert (context.isa, context.threads) == (isa, max(threads, 1))
            assert np.array_equal(vastmax.softmax(X, context=context), want)


def test_isas() -> None:
    assert vastmax.isa() == vastmax.isas()[-1]
    assert set(vastmax.isas()) <= set(vastmax.isas(usable=False))
    assert vastmax.isa(vastmax.Context(isa="scalar")) == "scalar"


def test_the_environment_caps_the_isa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VASTMAX_ISA", "scalar")
    assert vastmax.Context().isa == "scalar"
    monkeypatch.setenv("VASTMAX_ISA", "nonsense")
    with pytest.raises(ValueError, match="nonsense"):
        vastmax.Context()


def test_parallel_for_of_a_pool_of_pythons() -> None:
    want = vastmax.logsumexp(X)
    used = set()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:

        def parallel_for(n: int, task: Any) -> None:
            def one(i: int) -> None:
                used.add(threading.get_ident())
                task(i)

            list(pool.map(one, range(n)))

        context = vastmax.Context(threads=2, parallel_for=parallel_for)
        assert np.array_equal(vastmax.logsumexp(X, context=context), want)
    assert used and threading.get_ident() not in used


def test_parallel_for_that_fails() -> None:
    def breaks(n: int, task: Any) -> None:
        raise OSError("no threads today")

    with pytest.raises(vastmax.CallbackError) as caught:
        vastmax.logsumexp(X, context=vastmax.Context(threads=2, parallel_for=breaks))
    assert isinstance(caught.value.__cause__, OSError)

    def interrupted(n: int, task: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vastmax.logsumexp(X, context=vastmax.Context(threads=2, parallel_for=interrupted))
    kept: list[Any] = []

    def forgets(n: int, task: Any) -> None:
        kept.append(task)

    with pytest.raises(vastmax.CallbackError) as caught:
        vastmax.logsumexp(X, context=vastmax.Context(threads=2, parallel_for=forgets))
    assert caught.value.__cause__ is None
    with pytest.raises(ValueError, match="after parallel_for"):
        kept[0](0)

    def overshoots(n: int, task: Any) -> None:
        with pytest.raises(IndexError):
            task(n)
        for i in range(n):
            task(i)

    context = vastmax.Context(threads=2, parallel_for=overshoots)
    assert np.array_equal(vastmax.logsumexp(X, context=context), vastmax.logsumexp(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("end", ["del context; os._exit(0)", "sys.exit(0)"])
def test_a_forked_child_drops_its_parents_context(end: str) -> None:
    program = f"""
import os, signal, sys, numpy as np, vastmax
x = np.zeros((64, 5000), np.float32)
context = vastmax.Context(threads=2)
want = vastmax.logsumexp(x, context=context)
child = os.fork()
if child == 0:
    signal.alarm(20)
    assert (vastmax.logsumexp(x, context=context) == want).all()
    {end}
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


# ----------------------------------------------------------------------------------------------------------- GIL


def test_the_gil_is_released() -> None:
    """Another thread counts while one long call runs: with the GIL held it could not."""
    x = np.zeros((1, 1), np.float32)
    wide = np.broadcast_to(x, (200, 1 << 20))  # 0.8 GB of scores in four bytes
    counted, stop, ready = 0, threading.Event(), threading.Event()

    def count() -> None:
        nonlocal counted
        ready.set()
        while not stop.is_set():
            counted += 1
            time.sleep(0.0005)

    other = threading.Thread(target=count)
    other.start()
    ready.wait()
    before, start = counted, time.perf_counter()
    vastmax.logsumexp(wide)
    took, after = time.perf_counter() - start, counted
    stop.set()
    other.join()
    assert took > 0.02
    assert after - before > 5


def test_calls_meet_inside_the_library() -> None:
    """Two threads are in calls at once: each task of one call waits for the other call's."""
    barrier = threading.Barrier(2, timeout=60)

    def parallel_for(n: int, task: Any) -> None:
        barrier.wait()
        for i in range(n):
            task(i)
        barrier.wait()

    context = vastmax.Context(threads=2, parallel_for=parallel_for)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        a, b = pool.map(lambda _: vastmax.logsumexp(X, context=context), range(2))
    assert np.array_equal(a, b)


def test_many_threads_share_everything() -> None:
    context, workspace = vastmax.Context(threads=2), vastmax.Workspace()
    packed = vastmax.PackedWeights(X[:50, :16])
    sampler = vastmax.Sampler.weights(np.arange(1, 51))
    hidden = np.ascontiguousarray(X[:8, 100:116])
    want = (vastmax.softmax(X[:4]), vastmax.linear_topk(hidden, packed, 3).ids, sampler.draw(20, seed=4).ids)

    def work(_: int) -> bool:
        return (
            np.array_equal(vastmax.softmax(X[:4], context=context, workspace=workspace), want[0])
            and np.array_equal(vastmax.linear_topk(hidden, packed, 3, workspace=workspace).ids, want[1])
            and np.array_equal(sampler.draw(20, seed=4).ids, want[2])
        )

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))


def test_free_threaded_builds_keep_the_gil_off() -> None:
    import sys

    # Importing a module that does not declare itself turns the GIL on; this build may have one anyway.
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert not sys._is_gil_enabled()  # type: ignore[attr-defined]
    assert _vastmax.__name__ == "vastmax._vastmax"


# ----------------------------------------------------------------------------------------------------- workspaces


def test_workspace_sizes_are_enough() -> None:
    hidden, weights = X[:40, :32], X[:60, 32:64]
    y = np.zeros(40, np.int64)
    calls = [
        (vastmax.softmax_workspace_size(X), lambda w: vastmax.softmax(X, workspace=w)),
        (vastmax.softmax_workspace_size(X, precise=True), lambda w: vastmax.softmax(X, precise=True, workspace=w)),
        (vastmax.cross_entropy_workspace_size(X[:40], grad=True),
         lambda w: vastmax.cross_entropy(X[:40], y, grad=True, workspace=w)),
        (vastmax.topk_workspace_size(X, 100), lambda w: vastmax.topk(X, 100, workspace=w)),
        (vastmax.linear_logsumexp_workspace_size(hidden, weights), lambda w: vastmax.linear_logsumexp(hidden, weights, workspace=w)),
        (vastmax.linear_topk_workspace_size(hidden, weights, 5), lambda w: vastmax.linear_topk(hidden, weights, 5, workspace=w)),
        (vastmax.linear_cross_entropy_workspace_size(hidden, weights, grad_hidden=True, grad_weights=True),
         lambda w: vastmax.linear_cross_entropy(hidden, weights, y, grad_hidden=True, grad_weights=True, workspace=w)),
        (vastmax.lse_fold_workspace_size(X), lambda w: vastmax.LseState(64).fold(X, workspace=w)),
        (vastmax.sampled_loss_workspace_size(hidden, weights, 40, np.arange(9), grad_hidden=True, grad_sparse=True),
         lambda w: vastmax.sampled_loss(hidden, weights, y, np.arange(9), grad_hidden=True, grad_sparse=True, workspace=w)),
        (vastmax.Sampler.exact(weights).draw_workspace_size(5, hidden),
         lambda w: vastmax.Sampler.exact(weights).draw(5, hidden, workspace=w)),
    ]  # fmt: skip
    for size, call in calls:
        workspace = vastmax.Workspace()
        workspace.reserve(size)
        held = workspace.capacity
        assert held >= size
        call(workspace)
        assert workspace.capacity == held  # it did not have to grow


def test_a_workspace_keeps_its_context() -> None:
    context = vastmax.Context(threads=2)
    workspace = vastmax.Workspace(context)
    del context
    gc.collect()
    workspace.reserve(1000)
    vastmax.softmax(X, workspace=workspace)


# --------------------------------------------------------------------------------------------------------- states


def test_states_merge_in_any_order_and_travel() -> None:
    cuts = [0, 4096, 3 * 4096, 20_000]
    parts = []
    for a, b in zip(cuts, cuts[1:]):
        state = vastmax.LseState(64, entropy=True, temperature=0.5)
        state.fold(X[:, a:b], col_offset=a)
        parts.append(pickle.loads(pickle.dumps(state)))
    whole = vastmax.LseState(64, entropy=True, temperature=0.5)
    whole.fold(X)
    total = vastmax.LseState(64, entropy=True, temperature=0.5)
    for part in reversed(parts):
        total.merge(part)
    assert total.buffer.tobytes() == whole.buffer.tobytes()
    assert np.array_equal(total.finish(), vastmax.logsumexp(X, temperature=0.5))
    p = vastmax.softmax(X.astype("f8"), temperature=0.5)
    np.testing.assert_allclose(total.entropy("float64"), -(p * np.log(p)).sum(1), rtol=1e-6)
    assert not total.flags().any()
    assert len(total) == 64
    short = parts[0].shorten()
    for part in parts[1:]:
        vastmax.lse_short_merge(short, part.shorten())
    np.testing.assert_allclose(vastmax.lse_short_finish(short, "float64"), total.finish("float64"), rtol=1e-12)


def test_states_live_in_a_buffer_of_the_caller() -> None:
    memory = np.zeros(2 * 96, np.uint8)
    state = vastmax.LseState(2, buffer=memory)
    assert state.buffer is memory
    state.fold(X[:2])
    assert memory.any()
    again = vastmax.LseState(2, buffer=memory.copy())
    assert np.array_equal(again.finish(), vastmax.logsumexp(X[:2]))
    growing = bytearray(2 * 96)
    state = vastmax.LseState(2, buffer=growing)
    with pytest.raises(BufferError):  # else the states would lie in memory that is gone
        growing.extend(bytes(1 << 20))
    del state
    growing.extend(b"0")


def test_a_label_left_out_and_class_weights() -> None:
    labels = np.array([3, 7])
    state = vastmax.LseState(2, sums=True)
    state.fold(X[:2, :50], skip=labels, class_weight=np.ones(50, np.float32))
    rest = X[:2, :50].copy()
    rest[[0, 1], labels] = -np.inf
    np.testing.assert_allclose(state.finish(), vastmax.logsumexp(rest), rtol=1e-6)


# ------------------------------------------------------------------------------------------------------- samplers


def test_an_exact_sampler_keeps_its_embeddings() -> None:
    import weakref

    table = rng.standard_normal((30, 8), dtype=np.float32)
    hidden = rng.standard_normal((2, 8), dtype=np.float32)
    want = vastmax.Sampler.exact(table).draw(5, hidden, seed=1).ids

    class Watched(np.ndarray[Any, Any]):
        pass

    mine = table.copy().view(Watched)
    alive = weakref.ref(mine)
    sampler = vastmax.Sampler.exact(mine)
    del mine
    gc.collect()
    assert alive() is not None
    assert np.array_equal(sampler.draw(5, hidden, seed=1).ids, want)
    sampler.update(table)
    gc.collect()
    assert alive() is None
    del sampler


def test_draws_follow_their_probabilities() -> None:
    weights = np.array([0, 1, 2, 5.0])
    sampler = vastmax.Sampler.weights(weights)
    drawn = sampler.draw(80_000, seed=5)
    share = np.bincount(drawn.ids, minlength=4) / 80_000
    np.testing.assert_allclose(share, weights / 8, atol=0.01)
    np.testing.assert_allclose(np.exp(drawn.log_q), weights[drawn.ids] / 8, rtol=1e-6)
    again = sampler.draw(80_000, seed=5)
    assert np.array_equal(again.ids, drawn.ids)
    assert not np.array_equal(sampler.draw(80_000, seed=5, step=1).ids, drawn.ids)


@pytest.mark.parametrize("kind", ["midx", "quadratic", "exact"])
def test_samplers_of_scores(kind: str) -> None:
    table = rng.standard_normal((40, 8), dtype=np.float32)
    hidden = rng.standard_normal((3, 8), dtype=np.float32)
    sampler = getattr(vastmax.Sampler, kind)(table)
    assert (sampler.kind, sampler.classes) == (kind, 40)
    drawn = sampler.draw(6, hidden, ids_dtype="int32", replace=kind == "exact")
    assert drawn.ids.shape == drawn.log_q.shape == (3, 6)
    assert drawn.ids.dtype == np.int32 and drawn.flags.shape == drawn.tries.shape == (3,)
    q = sampler.log_q((np.array([0, 40, 80, 120]), np.tile(np.arange(40), 3)), hidden, dtype="float64")
    np.testing.assert_allclose(np.exp(q).reshape(3, 40).sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(q.reshape(3, 40)[np.arange(3)[:, None], drawn.ids], drawn.log_q, rtol=1e-4, atol=1e-5)
    sampler.update(table[::-1])
    one = sampler.draw(6, hidden[0], replace=kind == "exact")
    assert one.ids.shape == (6,)


def test_what_is_not_wanted_is_not_made() -> None:
    drawn = vastmax.Sampler.uniform(9).draw(4, log_q_out=False, tries_out=False, flags_out=False)
    assert drawn.log_q is None and drawn.tries is None and drawn.flags is None
    mine = np.zeros((2, 4), np.int32)
    assert vastmax.Sampler.uniform(9).draw(4, rows=2, ids_out=mine).ids is mine


# --------------------------------------------------------------------------------------------------------- losses


def test_losses_against_plain_numpy() -> None:
    hidden, table = X[:6, :16].astype("f4"), X[6:36, :16].astype("f4")
    target, candidates = np.arange(6), np.arange(10, 22)
    z = hidden.astype("f8") @ table.astype("f8").T
    zt, zn = z[np.arange(6), target], z[:, candidates]
    softplus = lambda a: np.logaddexp(0, a)  # noqa: E731
    want = {
        "sampled_softmax": np.log(np.exp(zt) + np.exp(zn).sum(1)) - zt,
        "neg": softplus(-zt) + softplus(zn).sum(1),
        "bpr": softplus(zn - zt[:, None]).mean(1),
    }
    for name, value in want.items():
        have = getattr(vastmax, name)(hidden, table, target, candidates, reduction="none")
        np.testing.assert_allclose(have, value, rtol=1e-5)
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)  # noqa: E731
    cos = unit(hidden.astype("f8")) @ unit(table.astype("f8")).T
    want_ccl = 1 - cos[np.arange(6), target] + 2 * np.maximum(0, cos[:, candidates] - 0.1).mean(1)
    have = vastmax.ccl(hidden, table, target, candidates, margin=0.1, negative_weight=2, reduction="none")
    np.testing.assert_allclose(have, want_ccl, rtol=1e-5, atol=1e-6)
    q, tq = np.full(12, -2, "f4"), np.full(6, -3, "f4")
    have = vastmax.nce(hidden, table, target, candidates, q, tq, reduction="sum")
    np.testing.assert_allclose(have, (softplus(-(zt + 3)) + softplus(zn + 2).sum(1)).sum(), rtol=1e-5)
    full = vastmax.in_batch_softmax(hidden, table[:6], grad_keys=True, full=True)
    assert full.grads.queries is None and full.grads.keys.shape == (6, 16)
    s = z[:, :6]
    np.testing.assert_allclose(full.loss, np.log(np.exp(s).sum(1)) - np.diag(s), rtol=1e-4, atol=1e-4)


def test_accumulated_gradients() -> None:
    hidden, weights = X[:8, :16].copy(), X[:20, 16:32].copy()
    y = np.arange(8)
    _, once = vastmax.linear_cross_entropy(hidden, weights, y, grad_weights=True, grad_hidden=True, reduction="sum")
    twice = np.zeros_like(weights)
    for _ in range(2):
        vastmax.linear_cross_entropy(hidden, weights, y, grad_weights=twice, accumulate=True, reduction="sum")
    np.testing.assert_allclose(twice, 2 * once.weights, rtol=1e-6)
    packed = vastmax.PackedWeights(weights)
    assert packed.nbytes >= weights.nbytes
    full = vastmax.linear_cross_entropy(hidden, packed, y, grad_hidden=True, reduction="sum", full=True)
    np.testing.assert_allclose(full.grads.hidden, once.hidden, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "adam"])
def test_sparse_update_moves_its_rows_alone(optimizer: str) -> None:
    table = np.ones((6, 3), np.float32)
    state = {"adagrad": ["square"], "adam": ["mean", "square"]}.get(optimizer, [])
    moments = {name: np.zeros((6, 3), np.float32) for name in state}
    grad = vastmax.SparseRows(np.array([1, 4]), np.ones((2, 3), np.float32))
    assert vastmax.sparse_update(table, grad, optimizer, lr=0.1, **moments) is table
    moved = (table != 1).any(1)
    assert moved.tolist() == [False, True, False, False, True, False]
    np.testing.assert_allclose(table[1], 0.9, rtol=1e-5)
    for moment in moments.values():
        assert (moment != 0).any(1).tolist() == moved.tolist()
