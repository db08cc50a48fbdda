#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the rows of vastmax_bench as one Markdown table and, with matplotlib, draws one plot of them.

    report.py --json ROWS [--machine FIGURES] [--plot FILE.svg ...]"""

import argparse
import json
import sys

UNITS = [("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)]


def duration(seconds):
    for unit, scale in UNITS:
        if seconds >= 0.9995 * scale or unit == "ns":
            return f"{seconds / scale:.3g} {unit}" if seconds / scale < 999.5 else f"{seconds / scale:.0f} {unit}"


def best_peer(row):
    return min(row["peers"].items(), key=lambda item: item[1]) if row["peers"] else (None, None)


def share(row):
    return row["limit_s"] / row["ours_s"] if row["limit_s"] else None


def title(row):
    return f"{row['kernel']}_{row['dtype']} {row['shape']}"


def table(rows):
    lines = ["| kernel | shape | dtype | ours | Gelem/s | GB/s | share of the limit | best peer | ours is faster by |",
             "|---|---|---|--:|--:|--:|---|---|--:|"]
    for row in rows:
        name, seconds = best_peer(row)
        limits = sorted(row.get("limits", {row["limit"]: row["limit_s"]}).items(), key=lambda item: -item[1])
        shares = ", ".join(f"{100 * value / row['ours_s']:.0f} % of {limit}" for limit, value in limits if limit)
        rates = [f"{row[key] / row['ours_s'] * 1e-9:.3g}" if row.get(key) else "" for key in ("elements", "bytes")]
        cells = [row["kernel"], row["shape"], row["dtype"], duration(row["ours_s"]), *rates, shares,
                 f"{name}, {duration(seconds)}" if name else "", f"{seconds / row['ours_s']:.2f}" if name else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def heading(rows, machine):
    if not machine:
        return ""
    figures = ", ".join(f"{name} {value:.4g}" for name, value in machine["figures"].items())
    software = ", ".join(f"{name} {version}" if name not in version else version
                         for name, version in machine.get("software", {}).items() if version)
    isa = rows[0]["isa"] if rows else "?"
    lines = [f"{machine['cpu']['model_name']} (family {machine['cpu']['family']}, model {machine['cpu']['model']}), "
             f"{machine['threads']} thread(s), {isa}, load before the run {machine['load']:.2f}. {software}.",
             f"Measured limits: {figures}.", f"**{machine['verdict']}**"]
    return "\n\n".join(lines + [", ".join(machine["shortfalls"])] if machine["shortfalls"] else lines) + "\n"


def plot(rows, machine, files):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in rows if row["limit_s"]]
    if not rows:
        return
    kernels = list(dict.fromkeys(row["kernel"] for row in rows))
    columns = 1 if len(rows) <= 45 else 2 if len(rows) <= 110 else 3
    # Whole kernels go to the shortest column, so that each has one place.
    piles = [[] for _ in range(columns)]
    for kernel in kernels:
        least = min(piles, key=len)
        least += [row for row in rows if row["kernel"] == kernel]
    tallest = max(len(pile) for pile in piles)
    figure, axes = plt.subplots(1, columns, figsize=(9 * columns, 1.6 + 0.24 * tallest), squeeze=False, sharex=True)
    for axis, pile in zip(axes[0], piles):
        for place, row in enumerate(pile):
            limit = row["limit_s"]
            others = [seconds / limit for seconds in row["peers"].values()]
            axis.plot(others, [place] * len(others), "|", color="#b0b0b0", markersize=9, zorder=2)
            name, seconds = best_peer(row)
            if name:
                axis.plot(seconds / limit, place, "s", color="#d08020", markersize=5, zorder=3)
                axis.plot([row["ours_s"] / limit, seconds / limit], [place, place], "-", color="#e0e0e0", zorder=1)
            axis.plot(row["ours_s"] / limit, place, "o", color="#2060b0", markersize=6, zorder=4)
        axis.set_yticks(range(len(pile)), [title(row) for row in pile], fontsize=7)
        axis.set_ylim(len(pile) - 0.4, -0.6)
        axis.set_xscale("log")
        axis.axvline(1, color="black", linewidth=0.8)
        axis.grid(axis="x", color="#eeeeee", zorder=0)
        axis.set_xlabel("time over the limit (1: the limit itself)")
    handles = [plt.Line2D([], [], marker="o", color="#2060b0", linestyle=""),
               plt.Line2D([], [], marker="s", color="#d08020", linestyle=""),
               plt.Line2D([], [], marker="|", color="#b0b0b0", linestyle="", markersize=9)]
    figure.legend(handles, ["vastmax", "best peer", "other peers"], loc="upper right", ncols=3, frameon=False)
    cpu = f"{machine['cpu']['model_name']}, {machine['threads']} thread(s), {rows[0]['isa']}" if machine else ""
    figure.suptitle("vastmax beside its peers. " + cpu, x=0.01, ha="left", fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.4 / figure.get_figheight()))
    for file in files:
        figure.savefig(file, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--json", required=True)
    parser.add_argument("--machine")
    parser.add_argument("--plot", action="append", default=[])
    options = parser.parse_args()
    with open(options.json) as file:
        rows = json.load(file)
    machine = None
    if options.machine:
        with open(options.machine) as file:
            machine = json.load(file)
    print(heading(rows, machine))
    print(table(rows))
    if options.plot:
        try:
            plot(rows, machine, options.plot)
        except ImportError as missing:
            print(f"report: no plot: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
