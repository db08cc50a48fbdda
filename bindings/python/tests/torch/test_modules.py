# SPDX-License-Identifier: Apache-2.0
"""The modules: they learn, save and load, and their gradients are what their options say."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as TF

import vastmax
import vastmax.torch as vt

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAMPLED = [vt.SampledSoftmaxLoss, vt.NCELoss, vt.NEGLoss, vt.BPRLoss, vt.CCLLoss]


def test_linear_cross_entropy_takes_the_state_of_a_linear_layer() -> None:
    linear, layer = torch.nn.Linear(8, 30), vt.LinearCrossEntropy(8, 30)
    layer.load_state_dict(linear.state_dict())
    hidden, target = torch.randn(5, 8), torch.randint(30, (5,))
    torch.testing.assert_close(layer(hidden, target), TF.cross_entropy(linear(hidden), target))
    values, ids = layer.topk(hidden, 3)
    want = linear(hidden).topk(3)
    assert torch.equal(ids, want.indices)
    torch.testing.assert_close(values, want.values)


def test_scores_are_never_stored() -> None:
    # Rows x classes would be 4 GB of float32: more than the process may have.
    program = """
import resource, torch, vastmax.torch as vt
layer = vt.LinearCrossEntropy(16, 100_000, memory_limit=32 << 20)
hidden, target = torch.randn(10_000, 16, requires_grad=True), torch.randint(100_000, (10_000,))
layer(hidden[:8], target[:8]).backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
layer(hidden, target).backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 200  # MiB; scratch of 32, gradients of 13 and 1, and what the allocator keeps


@pytest.mark.parametrize("kind", SAMPLED)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("sampler", ["uniform", "log_uniform", "midx", "quadratic", "exact", "counts", "given"])
def test_sampled_losses_learn(kind: type[torch.nn.Module], sparse: bool, sampler: str) -> None:
    of = {"counts": torch.arange(1, 41), "given": vastmax.Sampler.uniform(40)}.get(sampler, sampler)
    loss = kind(8, 40, 10, sampler=of, sparse=sparse, bias=True, seed=3)
    tower = torch.nn.Embedding(40, 8)
    torch.nn.init.normal_(loss.weight, std=0.5)
    optimizer = torch.optim.SGD([*tower.parameters(), *loss.parameters()], lr=0.5 if kind is not vt.BPRLoss else 2.0)
    target = torch.arange(40)
    first = last = 0.0
    for step in range(40):
        optimizer.zero_grad()
        value = loss(tower(target), target)
        value.backward()
        assert loss.weight.grad.is_sparse == sparse
        optimizer.step()
        if kind is vt.SampledSoftmaxLoss:  # its value is an estimate that depends on the sampler; it learns the exact loss
            with torch.no_grad():
                value = TF.cross_entropy(tower(target) @ loss.weight.T + loss.bias, target)
        first, last = (value.item() if step == 0 else first), value.item()
        if step % 10 == 9:
            loss.update_sampler()
    assert last < 0.8 * first
    assert loss.step == 40


def test_sparse_and_dense_gradients_agree() -> None:
    torch.manual_seed(1)
    losses = [vt.SampledSoftmaxLoss(8, 40, 10, sparse=s, seed=5, bias=True) for s in (False, True)]
    losses[1].load_state_dict(losses[0].state_dict())
    hidden, target = torch.randn(6, 8), torch.randint(40, (6,))
    for loss in losses:
        loss(hidden, target).backward()
    assert torch.equal(losses[0].weight.grad, losses[1].weight.grad.to_dense())
    assert torch.equal(losses[0].bias.grad, losses[1].bias.grad.to_dense())


def test_all_classes_as_negatives_give_the_exact_loss() -> None:
    loss = vt.SampledSoftmaxLoss(8, 30, 30, unique=True, correction="counts")
    hidden, target = torch.randn(5, 8), torch.randint(30, (5,))
    # Without replacement each class is drawn once: its expected count is 1 and its correction 0; hits are left out.
    torch.testing.assert_close(loss(hidden, target), TF.cross_entropy(hidden @ loss.weight.T, target), rtol=1e-4, atol=1e-4)


def test_in_batch_softmax_loss() -> None:
    queries, keys = torch.randn(6, 8), torch.randn(6, 8)
    want = TF.cross_entropy(TF.normalize(queries) @ TF.normalize(keys).T / 0.2, torch.arange(6))
    torch.testing.assert_close(vt.InBatchSoftmaxLoss(temperature=0.2)(queries, keys), want)


def test_modules_may_be_cast() -> None:
    hidden, target = torch.randn(6, 8).bfloat16(), torch.randint(40, (6,))
    layer = vt.LinearCrossEntropy(8, 40).to(torch.bfloat16)
    loss = layer(hidden, target)
    loss.backward()
    want = TF.cross_entropy(TF.linear(hidden.float(), layer.weight.float(), layer.bias.float()), target)
    torch.testing.assert_close(loss, want, rtol=1e-5, atol=1e-5)
    assert layer.weight.grad.dtype == layer.bias.grad.dtype == torch.bfloat16
    assert layer.topk(hidden, 3)[1].shape == layer.topk(hidden.float(), 3)[1].shape == (6, 3)
    sampled = vt.SampledSoftmaxLoss(8, 40, 10, bias=True, sparse=True).bfloat16()
    sampled(hidden, target).backward()
    assert sampled.bias.grad.dtype == torch.bfloat16 and sampled.bias.grad.is_sparse
    x = torch.randn(6, 40).bfloat16()
    weighted = vt.CrossEntropyLoss(torch.rand(40)).bfloat16()
    torch.testing.assert_close(weighted(x, target), TF.cross_entropy(x.float(), target, weighted.weight.float()))


@pytest.mark.parametrize("sampler", ["uniform", "midx", "counts", "given"])
def test_sampled_losses_are_copied_and_saved(sampler: str) -> None:
    of = {"counts": torch.arange(1, 41), "given": vastmax.Sampler.uniform(40)}.get(sampler, sampler)
    loss = vt.SampledSoftmaxLoss(8, 40, 10, sampler=of, seed=3)
    hidden, target = torch.randn(6, 8), torch.randint(40, (6,))
    loss(hidden, target)
    copies = [copy.deepcopy(loss)]
    if sampler != "given":
        copies.append(pickle.loads(pickle.dumps(loss)))
    want = loss(hidden, target)
    for other in copies:
        assert other.step == 1 and other.weight is not loss.weight
        torch.testing.assert_close(other(hidden, target), want)
    if sampler == "given":
        assert copies[0].sampler is of


def test_draws_are_on_the_cpu_whatever_the_default_device() -> None:
    loss = vt.SampledSoftmaxLoss(8, 40, 10, reduction="none")
    hidden, target = torch.randn(3, 8, requires_grad=True), torch.randint(40, (3,))
    with torch.device("meta"):
        loss(hidden, target).sum().backward()
        loss(hidden, (torch.tensor([0, 1, 1, 3], device="cpu"), target)).sum().backward()
    assert hidden.grad.abs().sum() > 0


def test_losses_of_rows_have_the_shape_of_their_targets() -> None:
    loss = vt.SampledSoftmaxLoss(8, 40, 10, reduction="none")
    assert loss(torch.randn(2, 3, 8), torch.randint(40, (2, 3))).shape == (2, 3)
    assert loss(torch.randn(3, 8), (torch.tensor([0, 1, 1, 3]), torch.tensor([1, 2, 3]))).shape == (3,)


def test_wrong_samplers_are_refused() -> None:
    with pytest.raises(ValueError, match="3 weights.*40 classes"):
        vt.SampledSoftmaxLoss(8, 40, 10, sampler=torch.ones(3))
    with pytest.raises(ValueError, match="'zipf'"):
        vt.SampledSoftmaxLoss(8, 40, 10, sampler="zipf")
    with pytest.raises(ValueError, match="7 classes"):
        vt.NEGLoss(8, 40, 10, sampler=vastmax.Sampler.uniform(7))


def test_threads_of_pytorch_change_no_bit() -> None:
    hidden, weight, target = torch.randn(64, 16), torch.randn(500, 16), torch.randint(500, (64,))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = vt.linear_cross_entropy(hidden, weight, target)
        torch.set_num_threads(3)
        three = vt.linear_cross_entropy(hidden, weight, target)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one, three)


def test_a_child_process_makes_its_own_threads() -> None:
    program = """
import os, torch, vastmax.torch as vt
torch.set_num_threads(2)
x = torch.zeros(64, 5000)
vt.logsumexp(x)
child = os.fork()
if child == 0:
    ok = bool((vt.logsumexp(x) > 8).all())
    os._exit(0 if ok else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)


def run(name: str, *args: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, str(EXAMPLES / name), *args], check=True, capture_output=True, text=True,
                          env=environment, timeout=600)  # fmt: skip
    return done.stdout


def test_example_train_torch() -> None:
    lines = run("train_torch.py").splitlines()
    assert float(lines[-1].split()[-1]) < 0.5 * float(lines[0].split()[-1])


def test_example_language_model() -> None:
    text = run("language_model.py", "--short")
    assert "same loss curve" in text and "peak memory" in text
