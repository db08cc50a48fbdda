#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times Python libraries on the rows that vastmax_bench wrote, over the same data, and adds them to the rows' "peers".

    peers.py --json ROWS --machine FIGURES [--threads N] [--quick] [LIBRARY ...]

LIBRARY: numpy, torch, tensorflow, jax, onnxruntime, faiss (default: those that can be imported)."""

import argparse
import ctypes.util
import glob
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile

LIBRARIES = ["numpy", "torch", "tensorflow", "jax", "onnxruntime", "faiss"]


def tcmalloc():
    """The file of tcmalloc where it is installed: torch's large results are fresh pages each time without it."""
    for pattern in ("libtcmalloc_minimal.so*", "libtcmalloc.so*"):
        for folder in ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/local/lib"):
            found = sorted(glob.glob(os.path.join(folder, pattern)))
            if found:
                return found[0]
    return None


def has_avx512():
    try:
        with open("/proc/cpuinfo") as file:
            return "avx512vl" in file.read()
    except OSError:
        return False


def environment(library, options):
    env = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(options.threads)
    if has_avx512():  # OpenBLAS takes newer CPUs for older ones
        env.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
    if library == "jax":
        env["JAX_PLATFORMS"] = "cpu"
        if options.threads == 1:
            env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false " + env.get("XLA_FLAGS", "")
    if library == "tensorflow":
        env["TF_CPP_MIN_LOG_LEVEL"] = "2"
        env["CUDA_VISIBLE_DEVICES"] = "-1"
    if library == "torch":
        if not options.quick:
            env["VASTMAX_BENCH_COMPILE"] = "1"
        if tcmalloc():
            env["LD_PRELOAD"] = " ".join(filter(None, [tcmalloc(), env.get("LD_PRELOAD")]))
        else:
            print("peers: tcmalloc is not installed (Debian: libtcmalloc-minimal4): torch is slower without it",
                  file=sys.stderr)
    return env


def write(path, value):
    with open(path + ".new", "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--json", required=True)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("libraries", nargs="*")
    options = parser.parse_args()
    for library in options.libraries:
        if library not in LIBRARIES:
            parser.error(f"unknown library {library}; known: {', '.join(LIBRARIES)}")

    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(1))  # the worker has it too, and ends after its row
    with open(options.json) as file:
        rows = json.load(file)
    with open(options.machine) as file:
        machine = json.load(file)
    here = os.path.dirname(os.path.abspath(__file__))
    for library in options.libraries or LIBRARIES:
        if stopped:
            break
        if importlib.util.find_spec(library) is None:
            print(f"peers: {library} is not installed here: left out", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out.json")
            command = [sys.executable, os.path.join(here, "worker.py"), "--library", library, "--rows", options.json,
                       "--machine", options.machine, "--out", out, "--threads", str(options.threads)]
            status = subprocess.run(command + (["--quick"] if options.quick else []), env=environment(library, options),
                                    check=False).returncode
            if status != 0:
                print(f"peers: {library} ended with status {status}", file=sys.stderr)
            if os.path.exists(out):
                with open(out) as file:
                    result = json.load(file)
                machine["software"][library] = result["version"]
                for row, seconds in zip(rows, result["seconds"]):
                    row["peers"].update(seconds)
                write(options.json, rows)
                write(options.machine, machine)


if __name__ == "__main__":
    main()
