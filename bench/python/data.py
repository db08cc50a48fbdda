# SPDX-License-Identifier: Apache-2.0
"""The data of every benchmark: the same bits as data.hpp makes."""

import numpy as np

SCORES, HIDDEN, WEIGHTS, LABELS, CANDIDATES = 1, 2, 3, 4, 5
_CHUNK = 1 << 16
_U = np.uint64


def _hash(seed, i):
    z = (i + _U(1 + (seed << 48))) * _U(0x9E3779B97F4A7C15)
    z = (z ^ (z >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _U(27))) * _U(0x94D049BB133111EB)
    return z ^ (z >> _U(31))


def normals(n, seed, scale=1.0):
    """n nearly normal f32."""
    out = np.empty(n, np.float32)
    low = _U(0xFFFFFFFF)
    for begin in range(0, n, _CHUNK):
        end = min(n, begin + _CHUNK)
        i = np.arange(begin, end, dtype=np.uint64) * _U(2)
        a, b = _hash(seed, i), _hash(seed, i + _U(1))
        total = ((a >> _U(32)) + (a & low) + (b >> _U(32)) + (b & low)).astype(np.int64)
        unit = 4.0327450436746636e-10  # sqrt(3) / 2^32
        out[begin:end] = (total - 2 * 0xFFFFFFFF).astype(np.float64) * unit * scale
    return out


def bf16_bits(x):
    """x rounded to nearest even, as uint16."""
    out = np.empty(x.size, np.uint16)
    bits = x.reshape(-1).view(np.uint32)
    for begin in range(0, x.size, _CHUNK):
        b = bits[begin:begin + _CHUNK]
        out[begin:begin + _CHUNK] = (b + np.uint32(0x7FFF) + ((b >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return out.reshape(x.shape)


def from_bf16_bits(bits):
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def labels(n, classes, seed=LABELS):
    return ((_hash(seed, np.arange(n, dtype=np.uint64)) >> _U(33)) % _U(classes)).astype(np.int32)


def check(known):
    """known: "data_check" of the machine's figures, written by vastmax_bench."""
    first = normals(len(known["first_scores"]), SCORES)
    if not np.array_equal(first, np.array(known["first_scores"], np.float32)):
        raise SystemExit("the data made here are not those of vastmax_bench")
    if int(_hash(LABELS, np.zeros(1, np.uint64))[0]) != known["first_label_hash"]:
        raise SystemExit("the labels made here are not those of vastmax_bench")
