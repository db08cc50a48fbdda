# SPDX-License-Identifier: Apache-2.0
"""What a call costs beside the same call from C, on one row of 1,000 scores: both loops run in this process by turns, in many
short rounds of which the fastest counts, so that other work on the machine hardly shows.

  overhead.py [--library LIBVASTMAX.SO]

C's loop is bindings/overhead.c, compiled on the spot with $CC (cc) against that library; without --library that of
$VASTMAX_LIBRARY.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import timeit
from pathlib import Path
from typing import Any, Callable

import numpy as np

import vastmax

ROOT = Path(__file__).resolve().parents[3]
CALLS, ROUNDS = 100, 1000
LOOPS = {"logsumexp": 0, "softmax": 1, "cross_entropy": 2, "topk": 3}  # as in overhead.c


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default=os.environ.get("VASTMAX_LIBRARY"))
    arguments = parser.parse_args()
    if not arguments.library:
        parser.error("--library or VASTMAX_LIBRARY must name libvastmax.so")
    library = Path(arguments.library).resolve()

    x = ((np.arange(1000) * 37 % 251 - 125) / 32).astype(np.float32)[None]
    y, lse, label = np.empty_like(x), np.empty(1, np.float32), np.array([3])
    values, ids = np.empty((1, 10), np.float32), np.empty((1, 10), np.int64)
    calls: list[tuple[str, str, Callable[[], Any]]] = [
        ("logsumexp", "logsumexp(x)", lambda: vastmax.logsumexp(x)),
        ("logsumexp", "logsumexp(x, out=lse)", lambda: vastmax.logsumexp(x, out=lse)),
        ("softmax", "softmax(x)", lambda: vastmax.softmax(x)),
        ("softmax", "softmax(x, out=y)", lambda: vastmax.softmax(x, out=y)),
        ("cross_entropy", "cross_entropy(x, y)", lambda: vastmax.cross_entropy(x, label)),
        ("topk", "topk(x, 10)", lambda: vastmax.topk(x, 10)),
        ("topk", "topk(x, 10, outs)", lambda: vastmax.topk(x, 10, values_out=values, ids_out=ids)),
    ]
    if "torch" in sys.modules or os.environ.get("VASTMAX_BENCH_TORCH"):
        import torch

        t = torch.from_numpy(x)
        calls.append(("logsumexp", "logsumexp(tensor)", lambda: vastmax.logsumexp(t)))
    with tempfile.TemporaryDirectory() as folder:
        loops = Path(folder) / "liboverhead.so"
        subprocess.run([os.environ.get("CC", "cc"), "-std=c99", "-O2", "-shared", "-fPIC", f"-I{ROOT / 'include'}",
                        str(ROOT / "bindings" / "overhead.c"), str(library), f"-Wl,-rpath,{library.parent}", "-o", str(loops)],
                       check=True)  # fmt: skip
        time_call = ctypes.CDLL(str(loops)).time_call
    time_call.restype = ctypes.c_double
    pointers = [ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data)]
    sizes = [ctypes.c_int64(x.shape[1]), ctypes.c_int64(CALLS)]

    def c_ns(name: str) -> float:
        took = float(time_call(LOOPS[name], *pointers, *sizes))
        if took < 0:
            raise RuntimeError(f"{name}: the C loop failed")
        return took

    print(f"1 x 1000 float32, ns a call: fastest of {ROUNDS} rounds of {CALLS} calls")
    print(f"{'':24} {'C':>8} {'Python':>8} {'over C':>8}")
    empty = min(timeit.repeat(lambda: None, number=CALLS, repeat=ROUNDS))  # the lambda around each call
    for name, text, call in calls:
        timer, c, took = timeit.Timer(call), float("inf"), float("inf")
        for _ in range(ROUNDS):
            c, took = min(c, c_ns(name)), min(took, timer.timeit(CALLS))
        python = (took - empty) / CALLS * 1e9
        print(f"{text:24} {c:8.0f} {python:8.0f} {python - c:8.0f}")


if __name__ == "__main__":
    main()
