# SPDX-License-Identifier: Apache-2.0
"""Writes a matrix of logits as raw little-endian float32, for programs in any language to read.
  write_logits.py ROWS COLS SEED OUT
"""

import argparse

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("cols", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("out")
    arguments = parser.parse_args()
    if arguments.rows < 0 or arguments.cols < 1:
        parser.error(f"ROWS is {arguments.rows} and COLS {arguments.cols}; they must be at least 0 and 1")
    logits = np.random.default_rng(arguments.seed).normal(0, 3, (arguments.rows, arguments.cols)).astype("<f4")
    if logits.size > 8:
        logits[0, ::7] = -np.inf  # a mask, as real logits have
    logits.tofile(arguments.out)


if __name__ == "__main__":
    main()
