# SPDX-License-Identifier: Apache-2.0
"""TensorFlow: its sampled softmax over given candidates, as a traced function, and its sampler of classes by falling frequency."""

import tensorflow as tf

from spec import group_shares

from . import Peer


def setup(threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return "tensorflow " + tf.__version__


def _draws(d):
    s = d.spec
    n, classes = s.sizes
    if s.kernel != "draw_log_uniform":
        return []
    labels = tf.zeros([1, 1], tf.int64)
    kept = {}

    @tf.function
    def draw():
        drawn = tf.random.log_uniform_candidate_sampler(labels, 1, n, s.unique, classes)
        return drawn.sampled_candidates, drawn.sampled_expected_count

    def run():
        kept["out"] = draw()

    return [Peer("tf log_uniform_candidate_sampler", run, lambda: group_shares(s, kept["out"][0].numpy()))]


def _sampled(d):
    if len(d.ids) != 1:
        return []  # it has no candidates for each row
    m, classes = d.ids.shape[1], d.spec.sizes[2]
    hidden = tf.constant(d.hidden)
    table, bias = tf.Variable(d.weights), tf.zeros([classes])
    labels = tf.constant(d.labels.reshape(-1, 1), tf.int64)
    # Counts of 1 take nothing off the scores.
    values = (tf.constant(d.ids[0], tf.int64), tf.ones([len(d.labels), 1]), tf.ones([m]))
    kept = {}

    def loss():
        return tf.reduce_mean(tf.nn.sampled_softmax_loss(table, bias, labels, hidden, m, classes, sampled_values=values,
                                                         remove_accidental_hits=True))

    @tf.function
    def forward():
        return loss()

    @tf.function
    def both():
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            total = loss()
        of_hidden, of_table = tape.gradient(total, [hidden, table])
        return of_hidden, of_table.values, of_table.indices

    only_forward = d.spec.kernel.endswith("_fwd")

    def run():
        kept["out"] = forward() if only_forward else both()

    name = "tf.nn.sampled_softmax_loss" + ("" if only_forward else ", IndexedSlices")
    return [Peer(name, run, lambda: kept["out"].numpy().reshape(1) if only_forward else kept["out"][0].numpy()[0])]


def peers(d):
    if d.spec.draws:
        return _draws(d)
    return _sampled(d) if d.sampled and d.spec.dtype == "f32" else []
