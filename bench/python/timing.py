# SPDX-License-Identifier: Apache-2.0
"""Least times of several functions that take turns."""

import time


def _seconds(run, iterations):
    begin = time.perf_counter()
    for _ in range(iterations):
        run()
    return (time.perf_counter() - begin) / iterations


def least(runs, quick):
    """{name: (function, seconds of a first call)} -> {name: seconds}."""
    budget, turn, most = (0.1, 0.008, 12) if quick else (0.6, 0.02, 30)
    plans, best = {}, {}
    for name, (run, once) in runs.items():
        for _ in range(4):
            if once < 0.05:
                once = min(once, _seconds(run, 1))
        iterations = max(1, int(turn / once))
        repetitions = max(2, min(most, int(budget / (iterations * once))))
        if once > (0.3 if quick else 3.0):
            repetitions = 0 if once > (2.0 if quick else 20.0) else 1
        plans[name] = (iterations, repetitions)
        best[name] = once
    for turn_number in range(most):
        for name, (run, _) in runs.items():
            iterations, repetitions = plans[name]
            if turn_number < repetitions:
                best[name] = min(best[name], _seconds(run, iterations))
    return best
