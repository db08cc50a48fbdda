# SPDX-License-Identifier: Apache-2.0
"""JAX, everything under jit; waits for each result."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from . import Peer


def setup(threads):
    # The number of threads is that of the CPUs which the caller left to this process.
    return "jax " + jax.__version__


def _array(d, array):
    return jnp.asarray(array if d.spec.dtype == "f32" else array.view(ml_dtypes.bfloat16))


def _mean_loss(x, labels):
    lse = jax.scipy.special.logsumexp(x.astype(jnp.float32), axis=1)
    return (lse - jnp.take_along_axis(x, labels[:, None], axis=1)[:, 0].astype(jnp.float32)).mean()


def peers(d):
    s = d.spec
    if s.draws:
        return []
    kept = {}

    def peer(name, f, arguments, answer):
        f = jax.jit(f)

        def run():
            kept["out"] = jax.block_until_ready(f(*arguments))

        return [Peer(name, run, lambda: np.asarray(answer(kept["out"]), np.float64))]

    if not d.linear:
        x = _array(d, d.x)
        if s.kernel == "logsumexp":
            return peer("jax logsumexp", lambda x: jax.scipy.special.logsumexp(x, axis=1), [x], lambda y: y[:1])
        if s.kernel == "softmax":
            return peer("jax softmax", lambda x: jax.nn.softmax(x, axis=1), [x], lambda y: y[0])
        if s.kernel == "log_softmax":
            return peer("jax log_softmax", lambda x: jax.nn.log_softmax(x, axis=1), [x], lambda y: y[0])
        if s.kernel == "topk":
            if s.k > 4096 and s.sizes[1] > 1 << 21:  # takes seconds
                return []
            return peer("jax top_k", lambda x: jax.lax.top_k(x, s.k), [x], lambda y: y[0][0])
        labels = jnp.asarray(d.labels)
        if s.kernel == "cross_entropy_fwd":
            return peer("jax", _mean_loss, [x, labels], lambda y: y.reshape(1))
        if s.kernel == "cross_entropy_fwd_bwd":
            return peer("jax", jax.value_and_grad(_mean_loss), [x, labels], lambda y: y[1][0])
        return []

    h, w = _array(d, d.hidden), _array(d, d.weights)
    if s.kernel == "linear_logsumexp":
        return peer("jax", lambda h, w: jax.scipy.special.logsumexp(h @ w.T, axis=1), [h, w], lambda y: y[:1])
    if s.kernel == "linear_topk":
        return peer("jax", lambda h, w: jax.lax.top_k(h @ w.T, s.k), [h, w], lambda y: y[0][0])
    loss = lambda h, w, labels: _mean_loss(h @ w.T, labels)  # noqa: E731
    if s.kernel == "linear_cross_entropy_fwd":
        return peer("jax", loss, [h, w, jnp.asarray(d.labels)], lambda y: y.reshape(1))
    if s.kernel == "linear_cross_entropy_fwd_bwd":
        grad = jax.value_and_grad(loss, argnums=(0, 1))
        return peer("jax", grad, [h, w, jnp.asarray(d.labels)], lambda y: y[1][0][0])
    return []
