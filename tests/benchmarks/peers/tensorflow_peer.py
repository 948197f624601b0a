"""TensorFlow the way staticgraph works: graphs and sessions of `tensorflow.compat.v1`."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tests.benchmarks.inputs import LEARNING_RATE
from tests.benchmarks.peers.base import Peer, Prepared, losses_of

tf.disable_eager_execution()


def _session() -> Any:
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


class TensorFlow(Peer):
    """`Session.make_callable`, save where `Session.run` is what is measured."""

    def start(self) -> None:
        with tf.Graph().as_default(), tf.Session() as session:
            session.run(tf.constant(1.0) + 1.0)

    def reset(self) -> None:
        tf.reset_default_graph()

    def versions(self) -> dict[str, str]:
        return {"tensorflow": tf.__version__}

    def _neuron(self) -> tuple[Any, Any]:
        w, b, x, t = (tf.placeholder(tf.float32, ()) for _ in range(4))
        energy = 0.5 * (tf.sigmoid(w * x + b) - t) ** 2 + 0.05 * w * w
        return [energy, *tf.gradients(energy, [w, b])], [w, b, x, t]

    def neuron(self, inputs: Any) -> Prepared:
        fetches, feeds = self._neuron()
        return Prepared(_session().make_callable(fetches, feeds), inputs)

    def neuron_run(self, inputs: Any) -> Prepared:
        fetches, feeds = self._neuron()
        return Prepared(_session().run, (fetches, dict(zip(feeds, inputs, strict=True))))

    def elementwise(self, inputs: Any) -> Prepared:
        x = tf.placeholder(tf.float32, inputs[0].shape)
        return Prepared(_session().make_callable(tf.tanh(x * 2 + 1) * tf.exp(-x * x), [x]), inputs)

    def elementwise_gradient(self, inputs: Any) -> Prepared:
        x = tf.placeholder(tf.float32, inputs[0].shape)
        total = tf.reduce_sum(tf.tanh(x * 2 + 1) * tf.exp(-x * x))
        return Prepared(_session().make_callable([total, *tf.gradients(total, x)], [x]), inputs)

    def multilayer_step(self, inputs: Any) -> Prepared:
        images, labels = (tf.placeholder(tf.float32, array.shape) for array in inputs[:2])
        w1, b1, w2, b2 = (tf.Variable(array) for array in inputs[2:])
        logits = tf.nn.relu(images @ w1 + b1) @ w2 + b2
        costs = tf.nn.softmax_cross_entropy_with_logits_v2(labels, logits)
        loss = tf.reduce_mean(costs)
        train = tf.train.GradientDescentOptimizer(LEARNING_RATE).minimize(loss)
        step = _session().make_callable([loss, train], [images, labels])
        return Prepared(step, inputs[:2], losses_of(lambda: step(*inputs[:2])))

    def scalar_while(self, inputs: Any) -> Prepared:
        start, steps = inputs
        first = tf.placeholder(tf.float32, ())
        _, last = tf.while_loop(
            lambda i, value: i < steps,
            lambda i, value: (i + 1, value * 0.999999 + 1e-3),
            (tf.constant(0), first),
        )
        return Prepared(_session().make_callable(last, [first]), (np.float32(start),))

    def recurrent_gradient(self, inputs: Any) -> Prepared:
        sequence = tf.placeholder(tf.float32, inputs[0].shape)
        wx, wh = (tf.Variable(array) for array in inputs[1:])
        steps = inputs[0].shape[0]
        entries = tf.TensorArray(tf.float32, steps).unstack(sequence)
        _, last = tf.while_loop(
            lambda i, state: i < steps,
            lambda i, state: (i + 1, tf.tanh(entries.read(i) @ wx + state @ wh)),
            (tf.constant(0), tf.zeros(inputs[0].shape[1:])),
        )
        loss = tf.reduce_sum(last * last)
        fetches = [loss, *tf.gradients(loss, [wx, wh])]
        return Prepared(_session().make_callable(fetches, [sequence]), inputs[:1])

    def searching_while_gradient(self, inputs: Any) -> Prepared:
        step, limit = (tf.placeholder(tf.float64, ()) for _ in range(2))
        last = tf.while_loop(
            lambda value: value < limit,
            lambda value: (value + step / (1.0 + value * value),),
            (tf.constant(0.0, tf.float64),),
        )
        fetches = [last, *tf.gradients(last, step)]
        return Prepared(
            _session().make_callable(fetches, [step, limit]),
            tuple(np.float64(value) for value in inputs),
        )

    def chain_gradient(self, inputs: Any) -> Prepared:
        x, length = tf.placeholder(tf.float32, inputs[0].shape), inputs[1]
        value = x
        for _ in range(length // 2):
            value = tf.sin(value) * 1.0001
        slopes = tf.gradients(tf.reduce_sum(value), x)
        return Prepared(_session().make_callable(slopes, [x]), inputs[:1])
