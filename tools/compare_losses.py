#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the losses of `vastmax train`: one run for each data set, loss and seed, each with a JSON report, then a table.

A report that is there and whole is not made again. Options behind -- go to every `vastmax train`.
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys

LOSSES = ["softmax", "sampled_softmax", "infonce", "nce", "neg", "bpr", "ccl"]
ENOUGH = 0.95  # of the best NDCG of any loss


def parse(arguments):
    more = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, more = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/release/bin/vastmax", help="the vastmax command (%(default)s)")
    parser.add_argument("--data", action="append", metavar="DATA",
                        help="as of vastmax train: a folder, debian, debian:FILE, synthetic:...; may be repeated (debian)")
    parser.add_argument("--losses", default=",".join(LOSSES), help="by comma (%(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each loss, with seeds 1, 2, ... (%(default)s)")
    parser.add_argument("--epochs", type=int, default=None, help="of every loss (each its own, as vastmax train has them)")
    parser.add_argument("--eval-every", type=int, default=4, help="epochs from one evaluation to the next (%(default)s)")
    parser.add_argument("--patience", type=int, default=0,
                        help="evaluations without a better one that end a run; 0: never (%(default)s)")
    parser.add_argument("--threads", type=int, default=None, help="of each run; runs go one after the other (all CPUs)")
    parser.add_argument("--dim", type=int, default=64, help="(%(default)s)")
    parser.add_argument("--results", default="build/compare", help="folder of the reports (%(default)s)")
    parser.add_argument("--markdown", help="also write the tables to this file")
    parser.add_argument("--table-only", action="store_true", help="run nothing, show what is there")
    options = parser.parse_args(arguments)
    options.data = options.data or ["debian"]
    options.losses = options.losses.split(",")
    options.more = more
    for name, least in (("seeds", 1), ("epochs", 1), ("eval_every", 1), ("patience", 0)):
        given = getattr(options, name)
        if given is not None and given < least:
            parser.error(f"--{name.replace('_', '-')}: {given} is below {least}")
    return options


def report_path(options, data, loss, seed, arguments):
    """The settings are part of the name: other settings are other runs."""
    digest = hashlib.sha256("\0".join([data] + arguments).encode()).hexdigest()[:8]
    base = os.path.basename(os.path.normpath(data)).replace(":", "_").replace(",", "_")
    return os.path.join(options.results, f"{base}.{loss}.seed{seed}.{digest}.json")


def read_whole(path):
    """The report, if its run came to its end."""
    try:
        with open(path) as file:
            report = json.load(file)
    except (OSError, ValueError):
        return None
    return report if "test" in report and report.get("ended") in ("all epochs", "patience") else None


def run(options, data, loss, seed):
    arguments = ["--loss", loss, "--dim", str(options.dim), "--eval-every", str(options.eval_every),
                 "--patience", str(options.patience), "--seed", str(seed), "--topk", "20"]
    arguments += ([] if options.epochs is None else ["--epochs", str(options.epochs)]) + options.more
    path = report_path(options, data, loss, seed, arguments)
    report = read_whole(path)
    if report is not None or options.table_only:
        return report
    command = [options.tool, "train", "--data", data, *arguments, "--json", path]
    if options.threads:
        command += ["--threads", str(options.threads)]
    print("==", " ".join(command), file=sys.stderr, flush=True)
    result = subprocess.run(command, stdout=sys.stderr)
    if result.returncode == 130:
        raise KeyboardInterrupt
    if result.returncode != 0:
        sys.exit(f"compare_losses.py: {' '.join(command)} ended with status {result.returncode}")
    return read_whole(path)


def best_validation(report):
    return max(e.get("ndcg@20", 0) for e in report["epochs"])


def seconds_until(report, ndcg):
    """Of training, evaluation left out; None if it never came so far."""
    seconds = 0
    for epoch in report["epochs"]:
        seconds += epoch["seconds"]
        if epoch.get("ndcg@20", 0) >= ndcg:
            return seconds
    return None


def seconds_per_epoch(report):
    return statistics.mean(e["seconds"] for e in report["epochs"])


def spread(values):
    mean = f"{statistics.mean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


def table(data, runs):
    """runs: reports by loss."""
    best = max(statistics.mean(best_validation(r) for r in reports) for reports in runs.values())
    first = next(iter(runs.values()))[0]
    about = first["data"]
    lines = [f"**{os.path.basename(os.path.normpath(data))}**: {about['users']} users, {about['items']} items, {about['train']} interactions to learn from; "
             f"{first['machine']['cpu']}, {first['settings']['threads']} threads; times of the quickest seed.", "",
             "| loss | Recall@20 | NDCG@20 | epoch | s an epoch | s to 95 % of the best NDCG |", "|---|---|---|---|---|---|"]
    popularity = first["popularity"]["test"]
    lines.append(f"| popularity | {popularity['recall@20']:.4f} | {popularity['ndcg@20']:.4f} | | | |")
    for loss, reports in runs.items():
        quickest = min(reports, key=seconds_per_epoch)
        epochs = [r["chosen_epoch"] for r in reports]
        chosen = str(epochs[0]) if len(set(epochs)) == 1 else f"{min(epochs)}–{max(epochs)}"
        enough = seconds_until(quickest, ENOUGH * best)
        until = "never" if enough is None else f"{enough:.0f}"
        lines.append(f"| {loss} | {spread([r['test']['recall@20'] for r in reports])} | "
                     f"{spread([r['test']['ndcg@20'] for r in reports])} | {chosen} | {seconds_per_epoch(quickest):.2f} | {until} |")
    return "\n".join(lines) + "\n"


def main():
    options = parse(sys.argv[1:])
    os.makedirs(options.results, exist_ok=True)
    tables = []
    interrupted = False
    for data in options.data:
        runs = {}
        try:
            for seed in range(1, options.seeds + 1):  # seeds outermost: an early table has every loss
                for loss in options.losses:
                    report = run(options, data, loss, seed)
                    if report is not None:
                        runs.setdefault(loss, []).append(report)
        except KeyboardInterrupt:
            interrupted = True
        if runs:
            tables.append(table(data, {loss: runs[loss] for loss in options.losses if loss in runs}))
        if interrupted:
            break
    text = "\n".join(tables)
    print(text, end="")
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(text)
    if interrupted:
        print("compare_losses.py: interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
