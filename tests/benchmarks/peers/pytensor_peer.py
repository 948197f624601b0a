"""PyTensor with its default mode, which compiles through numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.scan.utils import until

from tests.benchmarks.inputs import LEARNING_RATE
from tests.benchmarks.peers.base import Peer, Prepared, losses_of


class PyTensor(Peer):
    """Functions that check and convert what they are given, as they do by default."""

    def finish(self, function: Any) -> Any:
        """What is done to a compiled function before it is used."""
        return function

    def start(self) -> None:
        x = pt.vector(dtype="float32")
        pytensor.function([x], [x + 1])(np.zeros(3, np.float32))

    def versions(self) -> dict[str, str]:
        return {"pytensor": pytensor.__version__, "numba": numba.__version__}

    def neuron(self, inputs: Any) -> Prepared:
        w, b, x, t = (pt.scalar(name, dtype="float32") for name in "wbxt")
        half, decay = np.float32(0.5), np.float32(0.05)
        energy = half * (pt.sigmoid(w * x + b) - t) ** 2 + decay * w * w
        function = pytensor.function([w, b, x, t], [energy, *pytensor.grad(energy, [w, b])])
        return Prepared(self.finish(function), inputs)

    def elementwise(self, inputs: Any) -> Prepared:
        x = pt.vector(dtype="float32")
        function = pytensor.function([x], pt.tanh(x * 2 + 1) * pt.exp(-x * x))
        return Prepared(self.finish(function), inputs)

    def elementwise_gradient(self, inputs: Any) -> Prepared:
        x = pt.vector(dtype="float32")
        total = pt.sum(pt.tanh(x * 2 + 1) * pt.exp(-x * x))
        function = pytensor.function([x], [total, pytensor.grad(total, x)])
        return Prepared(self.finish(function), inputs)

    def multilayer_step(self, inputs: Any) -> Prepared:
        images, labels = pt.matrix(dtype="float32"), pt.matrix(dtype="float32")
        parameters = [pytensor.shared(array.copy()) for array in inputs[2:]]
        w1, b1, w2, b2 = parameters
        logits = pt.maximum(images @ w1 + b1, 0) @ w2 + b2
        loss = -pt.mean(pt.sum(labels * pt.special.log_softmax(logits, 1), 1))
        slopes = pytensor.grad(loss, parameters)
        rate = np.float32(LEARNING_RATE)
        updates = [
            (before, before - rate * slope)
            for before, slope in zip(parameters, slopes, strict=True)
        ]
        function = self.finish(pytensor.function([images, labels], loss, updates=updates))
        return Prepared(function, inputs[:2], losses_of(lambda: function(*inputs[:2])))

    def scalar_while(self, inputs: Any) -> Prepared:
        start, steps = inputs
        first = pt.scalar(dtype="float32")
        decay, growth = np.float32(0.999999), np.float32(1e-3)
        values = pytensor.scan(
            lambda value: value * decay + growth,
            outputs_info=[first],
            n_steps=steps,
            return_updates=False,
        )
        return Prepared(pytensor.function([first], values[-1]), (np.array(start, np.float32),))

    def recurrent_gradient(self, inputs: Any) -> Prepared:
        xs = pt.tensor3(dtype="float32")
        wx, wh = pt.matrix(dtype="float32"), pt.matrix(dtype="float32")
        states = pytensor.scan(
            lambda x, state, wx, wh: pt.tanh(x @ wx + state @ wh),
            sequences=[xs],
            outputs_info=[pt.zeros(inputs[0].shape[1:], dtype="float32")],
            non_sequences=[wx, wh],
            return_updates=False,
        )
        loss = (states[-1] ** 2).sum()
        function = pytensor.function([xs, wx, wh], [loss, *pytensor.grad(loss, [wx, wh])])
        return Prepared(function, inputs)

    def searching_while_gradient(self, inputs: Any) -> Prepared:
        step, limit = pt.scalar(dtype="float64"), pt.scalar(dtype="float64")

        def body(value: Any, step: Any, limit: Any) -> Any:
            following = value + step / (1.0 + value * value)
            return following, until(following >= limit)

        values = pytensor.scan(
            body,
            outputs_info=[pt.zeros((), dtype="float64")],
            non_sequences=[step, limit],
            n_steps=1_000_000,
            return_updates=False,
        )
        last = values[-1]
        function = pytensor.function([step, limit], [last, pytensor.grad(last, step)])
        return Prepared(function, tuple(np.array(value) for value in inputs))

    def chain_gradient(self, inputs: Any) -> Prepared:
        x, length = pt.vector(dtype="float32"), inputs[1]
        value, scale = x, np.float32(1.0001)
        for _ in range(length // 2):
            value = pt.sin(value) * scale
        function = pytensor.function([x], pytensor.grad(value.sum(), x))
        return Prepared(function, inputs[:1])


class Trusting(PyTensor):
    """`trust_input`: the caller promises arrays of the right type."""

    def finish(self, function: Any) -> Any:
        function.trust_input = True
        return function
