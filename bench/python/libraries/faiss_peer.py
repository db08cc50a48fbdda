# SPDX-License-Identifier: Apache-2.0
"""faiss: the flat index of inner products, by its own choice of path and with BLAS forced."""

import faiss

from . import Peer


def setup(threads):
    faiss.omp_set_num_threads(threads)
    return "faiss " + faiss.__version__


def peers(d):
    s = d.spec
    if s.kernel != "linear_topk" or s.dtype != "f32":
        return []
    index = faiss.IndexFlatIP(s.sizes[1])
    index.add(d.weights)
    default = faiss.cvar.distance_compute_blas_threshold
    kept = {}

    def peer(name, threshold):
        def run():
            faiss.cvar.distance_compute_blas_threshold = threshold
            kept[name] = index.search(d.hidden, s.k)

        return Peer(name, run, lambda: kept[name][0][0])

    # One query never takes BLAS by itself; many queries take it beyond the threshold.
    out = [peer("faiss (BLAS)", 1)]
    if s.sizes[0] <= 16:
        out.append(peer("faiss", max(default, s.sizes[0] + 1)))
    return out
