"""staticgraph through its public surface, with the defaults of `Session`."""

from __future__ import annotations

import importlib
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import staticgraph as sg
from tests.benchmarks.inputs import LEARNING_RATE
from tests.benchmarks.peers.base import Peer, Prepared, losses_of, moments_of


def _bell(x: Any) -> Any:
    return sg.tanh(x * 2 + 1) * sg.exp(-x * x)


class Staticgraph(Peer):
    """The backend and the arithmetic that a session has when nothing is said."""

    options: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self) -> None:
        # The first session imports its backend, and the first program what generates code: parts
        # of the import, not of the start.
        if sg.Session(sg.Graph(), **self.options).backend == "native":
            importlib.import_module("staticgraph.backends.native.compiler")

    def _callable(self, fetches: Any, feeds: Any) -> Any:
        return sg.Session(fetches[0].graph, **self.options).make_callable(fetches, feeds)

    def start(self) -> None:
        with sg.Graph().as_default():
            x = sg.placeholder("float32", ())
            self._callable([x + 1.0], [x])(1.0)

    def versions(self) -> dict[str, str]:
        session = sg.Session(sg.Graph(), **self.options)
        found = {"staticgraph": version("staticgraph"), "backend": session.backend}
        with suppress(ModuleNotFoundError):  # the reference backend needs none
            found["llvmlite"] = version("llvmlite")
        return found

    def _neuron(self) -> tuple[Any, Any]:
        w, b, x, t = (sg.placeholder("float32", (), name=name) for name in "wbxt")
        energy = 0.5 * (sg.sigmoid(w * x + b) - t) ** 2 + 0.05 * w * w
        return [energy, *sg.gradients(energy, [w, b])], [w, b, x, t]

    def neuron(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            fetches, feeds = self._neuron()
        return Prepared(self._callable(fetches, feeds), inputs)

    def neuron_run(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default() as graph:
            fetches, feeds = self._neuron()
        run = sg.Session(graph, **self.options).run
        return Prepared(run, (fetches, dict(zip(feeds, inputs, strict=True))))

    def elementwise(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            x = sg.placeholder("float32", inputs[0].shape)
            return Prepared(self._callable([_bell(x)], [x]), inputs)

    def elementwise_gradient(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            x = sg.placeholder("float32", inputs[0].shape)
            total = sg.sum(_bell(x))
            return Prepared(self._callable([total, *sg.gradients(total, x)], [x]), inputs)

    def multilayer_step(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            images, labels = (sg.placeholder("float32", array.shape) for array in inputs[:2])
            w1, b1, w2, b2 = (sg.Variable(array) for array in inputs[2:])
            logits = sg.relu(images @ w1 + b1) @ w2 + b2
            loss = sg.mean(sg.nn.softmax_cross_entropy_with_logits(logits=logits, labels=labels))
            train = sg.train.SGD(LEARNING_RATE).minimize(loss)
            step = self._callable([loss, train], [images, labels])
        return Prepared(step, inputs[:2], losses_of(lambda: step(*inputs[:2])))

    def scalar_while(self, inputs: Any) -> Prepared:
        start, steps = inputs
        with sg.Graph().as_default():
            first = sg.placeholder("float32", ())
            _, last = sg.while_loop(
                lambda i, value: i < steps,
                lambda i, value: (i + 1, value * 0.999999 + 1e-3),
                (0, first),
            )
            return Prepared(self._callable([last], [first]), (start,))

    def recurrent_gradient(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            xs, wx, wh = (sg.placeholder("float32", array.shape) for array in inputs)
            last, _ = sg.scan(
                lambda state, x: (sg.tanh(x @ wx + state @ wh), None),
                sg.zeros(inputs[0].shape[1:], dtype="float32"),
                xs,
            )
            loss = sg.sum(last * last)
            fetches = [loss, *sg.gradients(loss, [wx, wh])]
            return Prepared(self._callable(fetches, [xs, wx, wh]), inputs)

    def searching_while_gradient(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            step, limit = (sg.placeholder("float64", ()) for _ in range(2))
            last = sg.while_loop(
                lambda value: value < limit,
                lambda value: value + step / (1.0 + value * value),
                sg.constant(0.0, "float64"),
            )
            fetches = [last, *sg.gradients(last, step)]
            return Prepared(self._callable(fetches, [step, limit]), inputs)

    def chain_gradient(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            x, length = sg.placeholder("float32", inputs[0].shape), inputs[1]
            value = x
            for _ in range(length // 2):
                value = sg.sin(value) * 1.0001
            return Prepared(self._callable(sg.gradients(sg.sum(value), x), [x]), inputs[:1])

    def matmul(self, inputs: Any) -> Prepared:
        left, right, transposed = inputs
        with sg.Graph().as_default():
            a, b = (sg.placeholder(str(array.dtype), array.shape) for array in (left, right))
            first = sg.matrix_transpose(a) if transposed == "a" else a
            second = sg.matrix_transpose(b) if transposed == "b" else b
            return Prepared(self._callable([first @ second], [a, b]), (left, right))

    def _function(self, function: Any, inputs: Any) -> Prepared:
        """`function` of placeholders like the inputs."""
        with sg.Graph().as_default():
            feeds = [sg.placeholder(str(array.dtype), array.shape) for array in inputs]
            return Prepared(self._callable([function(*feeds)], feeds), inputs)

    def sort(self, inputs: Any) -> Prepared:
        return self._function(sg.sort, inputs)

    def cumulative_sum(self, inputs: Any) -> Prepared:
        return self._function(sg.cumulative_sum, inputs)

    def einsum(self, inputs: Any) -> Prepared:
        return self._function(lambda *given: sg.einsum("ij,jk,kl->il", *given), inputs)

    def cholesky_gradient(self, inputs: Any) -> Prepared:
        with sg.Graph().as_default():
            matrices = sg.placeholder("float32", inputs[0].shape)
            factors = sg.linalg.cholesky(matrices)
            value = sg.sum(sg.log(sg.linalg.diagonal(factors)))
            fetches = [value, *sg.gradients(value, matrices)]
            return Prepared(self._callable(fetches, [matrices]), inputs)

    def gather(self, inputs: Any) -> Prepared:
        return self._function(lambda table, taken: sg.take(table, taken, axis=0), inputs)

    def segment_sum(self, inputs: Any) -> Prepared:
        return self._function(lambda *given: sg.segment_sum(*given, num_segments=10_000), inputs)

    def uniform(self, inputs: Any) -> Prepared:
        return self._drawn(sg.random.uniform, inputs[0])

    def normal(self, inputs: Any) -> Prepared:
        return self._drawn(sg.random.normal, inputs[0])

    def _drawn(self, draw: Any, count: int) -> Prepared:
        with sg.Graph().as_default():
            function = self._callable([draw((count,), dtype="float32")], [])
        return Prepared(function, (), moments_of(function))

    def integer_chain(self, inputs: Any) -> Prepared:
        return self._function(lambda x, y: ((x * 3 + y) ^ (x >> 5)) & (y | 255), inputs)

    def boolean_chain(self, inputs: Any) -> Prepared:
        return self._function(lambda x, y: ((x > y) & (x < 1.0)) | ~(y > 0.5) ^ (x > -1.0), inputs)


class Contracting(Staticgraph):
    """A multiply and an add may round once, as JAX lets them."""

    options = {"math": "contract"}  # noqa: RUF012


class Reference(Staticgraph):
    """The NumPy interpreter."""

    options = {"backend": "reference"}  # noqa: RUF012
