# SPDX-License-Identifier: Apache-2.0
"""A small language model trained twice from the same seeds: with PyTorch's cross_entropy, and with vastmax's
LinearCrossEntropy, which never stores the scores. Prints both loss curves, the peak memory and the time of each.

  language_model.py [--short] [--steps N] [--text FILE ...]

The text is what every Debian machine with Python has: licences, and the language reference that help() shows. It is cut
into words and marks; each of them, as it is written, is a class.
"""

import argparse
import importlib.util
import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

TOLERANCE = 0.01  # of each step's loss, relative: f32 sums in another order, followed through all steps


def corpus(files: list[str]) -> str:
    if files:
        return "\n".join(Path(f).read_text(errors="replace") for f in files)
    paths = sorted(p for p in Path("/usr/share/common-licenses").glob("*") if p.is_file() and not p.is_symlink())
    found = importlib.util.find_spec("pydoc_data.topics")
    if found and found.origin:
        paths.append(Path(found.origin))
    if not paths:
        sys.exit("language_model.py: no text found; name some files with --text")
    return "\n".join(p.read_text(errors="replace") for p in paths)


def tokens(text: str) -> tuple[Tensor, int]:
    words = re.findall(r"\w+|[^\w\s]", text)
    number = {word: i for i, word in enumerate(sorted(set(words)))}
    return torch.tensor([number[word] for word in words]), len(number)


class Model(nn.Module):
    """A causal transformer of two layers that ends before the scores."""

    def __init__(self, vocabulary: int, dim: int, context: int):
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, dim), nn.Embedding(context, dim)
        layer = nn.TransformerEncoderLayer(dim, 4, 4 * dim, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(context))

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words) + self.places.weight[: words.shape[1]]
        return self.layers(x, mask=self.mask, is_causal=True)


class TwoSteps(nn.Module):
    """PyTorch's way: a linear layer, then the cross-entropy of all its scores."""

    def __init__(self, head: nn.Linear):
        super().__init__()
        self.head = head

    def forward(self, hidden: Tensor, target: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.head(hidden).flatten(0, -2), target.flatten())


def fused(head: nn.Linear) -> nn.Module:
    import vastmax.torch

    loss = vastmax.torch.LinearCrossEntropy(head.in_features, head.out_features)
    loss.load_state_dict(head.state_dict())
    return loss


def train(which: str, o: argparse.Namespace) -> dict:
    data, vocabulary = tokens(corpus(o.text))
    torch.manual_seed(1)
    model = Model(vocabulary, o.dim, o.context)
    head = nn.Linear(o.dim, vocabulary)
    loss = fused(head) if which == "vastmax" else TwoSteps(head)
    optimizer = torch.optim.AdamW([*model.parameters(), *loss.parameters()], lr=1e-3)
    draw = torch.Generator().manual_seed(2)
    losses, in_loss, start = [], 0.0, 0.0
    for step in range(o.steps + 1):
        if step == 1:  # the first step warms up
            in_loss, start = 0.0, time.perf_counter()
        at = torch.randint(len(data) - o.context - 1, (o.batch, 1), generator=draw) + torch.arange(o.context + 1)
        batch = data[at]
        hidden = model(batch[:, :-1])
        cut = hidden.detach().requires_grad_()
        before = time.perf_counter()
        value = loss(cut, batch[:, 1:])
        value.backward()
        in_loss += time.perf_counter() - before
        hidden.backward(cut.grad)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(value.item())
        del value, hidden, cut
    return {
        "losses": losses, "seconds": time.perf_counter() - start, "in_loss": in_loss,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "tokens": len(data), "vocabulary": vocabulary,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few steps of a smaller model")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--dim", type=int, default=0)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--text", nargs="*", default=[])
    parser.add_argument("--only", choices=["torch", "vastmax"], help=argparse.SUPPRESS)
    o = parser.parse_args()
    o.steps = o.steps or (12 if o.short else 200)
    o.batch = o.batch or (8 if o.short else 32)
    o.dim = o.dim or (64 if o.short else 128)
    if o.only:
        print(json.dumps(train(o.only, o)))
        return

    runs = {}
    for which in ("torch", "vastmax"):  # each in a process of its own, so that each has its own peak
        arguments = [f"--{k}={getattr(o, k)}" for k in ("steps", "batch", "dim", "context")]
        command = [sys.executable, __file__, *arguments, "--only", which, *(["--text", *o.text] if o.text else [])]
        runs[which] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    theirs, ours = runs["torch"], runs["vastmax"]
    rows = o.batch * o.context
    print(f"{ours['tokens']:,} words of text, {ours['vocabulary']:,} classes; {rows:,} rows a step, dim {o.dim}")
    print(f"{'step':>6} {'F.cross_entropy':>16} {'LinearCrossEntropy':>19}")
    for step in sorted({0, *range(0, o.steps + 1, max(1, o.steps // 10)), o.steps}):
        print(f"{step:6} {theirs['losses'][step]:16.5f} {ours['losses'][step]:19.5f}")
    apart = max(abs(a - b) / b for a, b in zip(ours["losses"], theirs["losses"]))
    verdict = "same loss curve" if apart <= TOLERANCE else "DIFFERENT loss curves"
    print(f"{verdict}: at most {apart:.1e} apart, relative (tolerance {TOLERANCE})")
    for name, unit, text in [("peak_mib", "MiB", "peak memory"), ("seconds", "s", "all steps"), ("in_loss", "s", "of which the loss")]:
        print(f"{text:>18}: F.cross_entropy {theirs[name]:8.2f} {unit}, LinearCrossEntropy {ours[name]:8.2f} {unit}")
    if apart > TOLERANCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
