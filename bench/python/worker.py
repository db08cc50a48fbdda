# SPDX-License-Identifier: Apache-2.0
"""Times one library on the rows of a file. Started by peers.py, in a process of its own: libraries bring allocators and
thread pools that do not get on with each other."""

import argparse
import importlib
import json
import os
import signal
import sys
import time

import data
import spec
import timing


def main():
    parser = argparse.ArgumentParser()
    for name in ("library", "rows", "machine", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()

    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(1) if not stop else os._exit(130))
    # The last CPUs, as vastmax_bench does.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.threads:])
    with open(options.machine) as file:
        data.check(json.load(file)["data_check"])
    with open(options.rows) as file:
        rows = json.load(file)

    library = importlib.import_module("libraries." + options.library + "_peer")
    version = library.setup(options.threads)
    print(version, file=sys.stderr)
    seconds = {}  # by Spec: several rows may share one
    for index, row in enumerate(rows):
        if stop:
            break
        what = spec.parse(row)
        if what not in seconds:
            seconds[what] = measure(library, what, options.quick, f"[{options.library} {index + 1}/{len(rows)}]", stop)
            merged = [seconds.get(spec.parse(row), {}) for row in rows]
            with open(options.out + ".new", "w") as file:
                json.dump({"version": version, "seconds": merged}, file)
            os.replace(options.out + ".new", options.out)


def measure(library, what, quick, label, stop):
    made = None
    try:
        made = spec.Data(what)
        contenders = library.peers(made)
        if not contenders:
            return {}
        title = f"{label} {what.kernel}_{what.dtype} {'x'.join(map(str, what.sizes))}"
        expected = made.expected()
        runs = {}
        for peer in contenders:
            begin = time.perf_counter()
            peer.run()
            first = time.perf_counter() - begin
            error = spec.wrong(what, peer.answer(), expected)
            if error:
                print(f"{title}: WRONG: {peer.name}: {error}", file=sys.stderr)
            else:
                runs[peer.name] = (peer.run, first)
        if stop:
            return {}
        best = timing.least(runs, quick)
        print(title + (f" k={what.k}" if what.k else "") + ": " +
              ", ".join(f"{name} {1e3 * value:.4g} ms" for name, value in best.items()), file=sys.stderr)
        return best
    except (MemoryError, RuntimeError, NotImplementedError, TypeError, ValueError) as problem:
        print(f"{label} {what}: {type(problem).__name__}: {str(problem).splitlines()[0]}", file=sys.stderr)
        return {}


if __name__ == "__main__":
    main()
