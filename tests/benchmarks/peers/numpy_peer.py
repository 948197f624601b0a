"""NumPy by hand: what a careful user writes, derivatives worked out on paper.

Its results are what all other libraries are compared with.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.inputs import LEARNING_RATE
from tests.benchmarks.peers.base import Peer, Prepared, losses_of, moments_of

Array = np.ndarray[Any, Any]


class NumPy(Peer):
    """NumPy, and plain Python where there are only scalars."""

    def start(self) -> None:
        np.ones((8, 8), np.float32) @ np.ones((8, 8), np.float32)

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def neuron(self, inputs: Any) -> Prepared:
        def value_and_gradients(w: Any, b: Any, x: Any, t: Any) -> tuple[Any, Any, Any]:
            y = 1.0 / (1.0 + math.exp(-(w * x + b)))
            error = y - t
            inner = error * y * (1.0 - y)
            return 0.5 * error * error + 0.05 * w * w, inner * x + 0.1 * w, inner

        return Prepared(value_and_gradients, inputs)

    neuron_run = neuron

    def elementwise(self, inputs: Any) -> Prepared:
        return Prepared(lambda x: np.tanh(x * 2 + 1) * np.exp(-x * x), inputs)

    def elementwise_gradient(self, inputs: Any) -> Prepared:
        def value_and_gradient(x: Array) -> tuple[Any, Array]:
            bent, bell = np.tanh(x * 2 + 1), np.exp(-x * x)
            product = bent * bell
            return product.sum(), 2 * ((1 - bent * bent) * bell - x * product)

        return Prepared(value_and_gradient, inputs)

    def multilayer_step(self, inputs: Any) -> Prepared:
        images, labels, *given = inputs
        w1, b1, w2, b2 = (parameter.copy() for parameter in given)
        rate = np.float32(LEARNING_RATE)

        def step() -> Any:
            hidden = np.maximum(images @ w1 + b1, 0)
            logits = hidden @ w2 + b2
            logits -= logits.max(1, keepdims=True)
            powers = np.exp(logits)
            total = powers.sum(1, keepdims=True)
            loss = -np.mean(np.sum(labels * (logits - np.log(total)), 1))
            error = (powers / total - labels) / np.float32(len(images))
            inner = (error @ w2.T) * (hidden > 0)
            gradients = (images.T @ inner, inner.sum(0), hidden.T @ error, error.sum(0))
            for parameter, gradient in zip((w1, b1, w2, b2), gradients, strict=True):
                gradient *= rate
                parameter -= gradient
            return loss

        return Prepared(step, (), losses_of(step))

    def scalar_while(self, inputs: Any) -> Prepared:
        def loop(value: float, steps: int) -> float:
            i = 0
            while i < steps:
                i, value = i + 1, value * 0.999999 + 1e-3
            return value

        return Prepared(loop, inputs)

    def recurrent_gradient(self, inputs: Any) -> Prepared:
        return Prepared(_recurrent, inputs)

    def searching_while_gradient(self, inputs: Any) -> Prepared:
        def value_and_gradient(step: float, limit: float) -> tuple[float, float]:
            value, passed = 0.0, []
            while value < limit:
                passed.append(value)
                value = value + step / (1.0 + value * value)
            adjoint, slope = 1.0, 0.0
            for before in reversed(passed):
                divisor = 1.0 + before * before
                slope += adjoint / divisor
                adjoint *= 1.0 - 2.0 * step * before / (divisor * divisor)
            return value, slope

        return Prepared(value_and_gradient, inputs)

    def chain_gradient(self, inputs: Any) -> Prepared:
        def gradient(x: Array, length: int) -> Array:
            slope, value = np.ones_like(x), x
            for _ in range(length // 2):
                slope = slope * np.cos(value) * np.float32(1.0001)
                value = np.sin(value) * np.float32(1.0001)
            return slope

        return Prepared(gradient, inputs)

    def matmul(self, inputs: Any) -> Prepared:
        left, right, transposed = inputs
        function = {
            "": lambda a, b: a @ b,
            "a": lambda a, b: a.swapaxes(-1, -2) @ b,
            "b": lambda a, b: a @ b.swapaxes(-1, -2),
        }[transposed]
        return Prepared(function, (left, right))

    def sort(self, inputs: Any) -> Prepared:
        return Prepared(np.sort, inputs)

    def cumulative_sum(self, inputs: Any) -> Prepared:
        return Prepared(np.cumsum, inputs)

    def einsum(self, inputs: Any) -> Prepared:
        return Prepared(lambda *given: np.einsum("ij,jk,kl->il", *given, optimize=True), inputs)

    def cholesky_gradient(self, inputs: Any) -> Prepared:
        def value_and_gradient(matrices: Array) -> tuple[Any, Array]:
            factors = np.linalg.cholesky(matrices)
            diagonals = np.diagonal(factors, axis1=-2, axis2=-1)
            # Half the logarithm of a determinant: its slope is half the inverse.
            return np.log(diagonals).sum(), 0.5 * np.linalg.inv(matrices)

        return Prepared(value_and_gradient, inputs)

    def gather(self, inputs: Any) -> Prepared:
        return Prepared(lambda table, taken: table.take(taken, axis=0), inputs)

    def segment_sum(self, inputs: Any) -> Prepared:
        def sums(rows: Array, owners: Array) -> Array:
            total = np.zeros((10_000, rows.shape[1]), rows.dtype)
            np.add.at(total, owners, rows)
            return total

        return Prepared(sums, inputs)

    def uniform(self, inputs: Any) -> Prepared:
        draw = partial(np.random.default_rng(0).random, inputs[0], np.float32)
        return Prepared(draw, (), moments_of(draw))

    def normal(self, inputs: Any) -> Prepared:
        draw = partial(np.random.default_rng(0).standard_normal, inputs[0], np.float32)
        return Prepared(draw, (), moments_of(draw))

    def integer_chain(self, inputs: Any) -> Prepared:
        return Prepared(lambda x, y: ((x * 3 + y) ^ (x >> 5)) & (y | 255), inputs)

    def boolean_chain(self, inputs: Any) -> Prepared:
        return Prepared(lambda x, y: ((x > y) & (x < 1.0)) | ~(y > 0.5) ^ (x > -1.0), inputs)


def _recurrent(xs: Array, wx: Array, wh: Array) -> tuple[Any, Array, Array]:
    """Sum of squares of the last state, and its gradients; products with inputs all at once."""
    steps, batch, width = xs.shape
    driven = (xs.reshape(-1, width) @ wx).reshape(xs.shape)
    states = np.empty((steps + 1, batch, width), xs.dtype)
    states[0] = 0
    for i in range(steps):
        np.tanh(driven[i] + states[i] @ wh, out=states[i + 1])
    last = states[-1]
    adjoint = 2 * last
    inner = np.empty_like(xs)
    for i in reversed(range(steps)):
        state = states[i + 1]
        inner[i] = adjoint * (1 - state * state)
        adjoint = inner[i] @ wh.T
    flat = inner.reshape(-1, width)
    slope_x = xs.reshape(-1, width).T @ flat
    slope_h = states[:-1].reshape(-1, width).T @ flat
    return (last * last).sum(), slope_x, slope_h
