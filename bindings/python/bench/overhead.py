# SPDX-License-Identifier: Apache-2.0
"""What a call costs beside the C function's own work, on one row of 1,000 scores: the same function timed from C and from
Python, each in many short batches of which the fastest counts, so that other work on the machine hardly shows.

  overhead.py [--library LIBVASTMAX.SO]

C is timed by a small program that is compiled on the spot with $CC (cc) and loads the shared library; without --library
that of $VASTMAX_LIBRARY.
"""

import argparse
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
C = r"""
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <vastmax/vastmax.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return 1e9 * t.tv_sec + t.tv_nsec; }
int main(int argc, char **argv) {
  static float x[1000], y[1000], values[10], lse[1]; static int64_t ids[10], label[1] = {3}; double total;
  for (int i = 0; i < 1000; ++i) x[i] = (float)((i * 37 % 251) - 125) / 32;
  vmx_matrix xm = {x, 1, 1000, 1000, 1, VMX_F32, 0}, ym = {y, 1, 1000, 1000, 1, VMX_F32, 0};
  vmx_matrix vm = {values, 1, 10, 10, 1, VMX_F32, 0}, im = {ids, 1, 10, 10, 1, VMX_I64, 0};
  vmx_vector lv = {lse, 1, 1, VMX_F32, 0};
  vmx_csr targets = {{0}, {label, 1, 1, VMX_I64, 0}, {0}};
  vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT; vmx_cross_entropy_options o = VMX_CROSS_ENTROPY_OPTIONS_INIT;
  out.total = &total; o.reduction = VMX_REDUCE_MEAN;
  (void)argc;
  double best = 1e30;
  for (int round = 0; round < 1000; ++round) {
    double start = now();
    for (int i = 0; i < 100; ++i) {
      if (!strcmp(argv[1], "logsumexp")) vmx_logsumexp(NULL, NULL, &xm, &lv, NULL, NULL);
      else if (!strcmp(argv[1], "softmax")) vmx_softmax(NULL, NULL, &xm, &ym, NULL, NULL, NULL);
      else if (!strcmp(argv[1], "topk")) vmx_topk(NULL, NULL, &xm, 10, &vm, &im, NULL, NULL);
      else vmx_cross_entropy(NULL, NULL, &xm, &targets, &out, &o);
    }
    double took = (now() - start) / 100;
    if (took < best) best = took;
  }
  printf("%.1f\n", best);
  return 0;
}
"""


def python_ns(call: Callable[[], Any]) -> float:
    return min(timeit.repeat(call, number=100, repeat=1000)) / 100 * 1e9


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
        source, program = Path(folder) / "overhead.c", Path(folder) / "overhead"
        source.write_text(C)
        subprocess.run([os.environ.get("CC", "cc"), "-std=c99", "-O2", f"-I{ROOT / 'include'}", str(source), str(library),
                        f"-Wl,-rpath,{library.parent}", "-o", str(program)], check=True)  # fmt: skip
        print(f"{'call':24} {'C, ns':>8} {'Python, ns':>11} {'overhead, ns':>13}")
        empty = python_ns(lambda: None)
        for name, text, call in calls:
            c = float(subprocess.run([str(program), name], check=True, capture_output=True, text=True).stdout)
            p = python_ns(call) - empty
            print(f"{text:24} {c:8.0f} {p:11.0f} {p - c:13.0f}")


if __name__ == "__main__":
    main()
