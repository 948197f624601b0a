"""JAX: `jax.jit`, arrays that already are JAX's, and a wait for the results in every call."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
from jax import lax

from tests.benchmarks.inputs import LEARNING_RATE
from tests.benchmarks.peers.base import Peer, Prepared, leaves, losses_of, moments_of


def _waited(function: Any) -> Any:
    return lambda *arguments: jax.block_until_ready(function(*arguments))


def _arrays(values: Any) -> tuple[Any, ...]:
    return tuple(jnp.asarray(value) for value in values)


def _elementwise(x: Any) -> Any:
    return jnp.tanh(x * 2 + 1) * jnp.exp(-x * x)


class Jax(Peer):
    """The way that is fastest for a user who stays within JAX."""

    def start(self) -> None:
        jax.block_until_ready(jax.jit(lambda x: x + 1)(jnp.float32(1)))

    def reset(self) -> None:
        jax.config.update("jax_enable_x64", False)

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}

    def neuron(self, inputs: Any) -> Prepared:
        return Prepared(_waited(self._neuron()), _arrays(inputs))

    def neuron_run(self, inputs: Any) -> Prepared:
        # What is wanted of Session.run is compared with a call from JAX's own arrays.
        return Prepared(_waited(self._neuron()), tuple(jnp.float32(value) for value in inputs))

    def _neuron(self) -> Any:
        def energy(w: Any, b: Any, x: Any, t: Any) -> Any:
            return 0.5 * (jax.nn.sigmoid(w * x + b) - t) ** 2 + 0.05 * w * w

        return jax.jit(jax.value_and_grad(energy, (0, 1)))

    def elementwise(self, inputs: Any) -> Prepared:
        return Prepared(_waited(jax.jit(_elementwise)), _arrays(inputs))

    def elementwise_gradient(self, inputs: Any) -> Prepared:
        function = jax.jit(jax.value_and_grad(lambda x: jnp.sum(_elementwise(x))))
        return Prepared(_waited(function), _arrays(inputs))

    def multilayer_step(self, inputs: Any) -> Prepared:
        def loss(parameters: Any, images: Any, labels: Any) -> Any:
            w1, b1, w2, b2 = parameters
            hidden = jnp.maximum(images @ w1 + b1, 0)
            return -jnp.mean(jnp.sum(labels * jax.nn.log_softmax(hidden @ w2 + b2), 1))

        def update(parameters: Any, images: Any, labels: Any) -> Any:
            value, slopes = jax.value_and_grad(loss)(parameters, images, labels)
            pairs = zip(parameters, slopes, strict=True)
            return value, [before - LEARNING_RATE * slope for before, slope in pairs]

        # Donating lets JAX write the new parameters where the old ones were.
        compiled = jax.jit(update, donate_argnums=0)
        images, labels, *given = _arrays(inputs)
        state = [given]

        def step() -> Any:
            value, state[0] = jax.block_until_ready(compiled(state[0], images, labels))
            return value

        return Prepared(step, (), losses_of(step))

    def scalar_while(self, inputs: Any) -> Prepared:
        start, steps = inputs

        def loop(value: Any) -> Any:
            return lax.while_loop(
                lambda carry: carry[0] < steps,
                lambda carry: (carry[0] + 1, carry[1] * 0.999999 + 1e-3),
                (0, value),
            )[1]

        return Prepared(_waited(jax.jit(loop)), (jnp.float32(start),))

    def recurrent_gradient(self, inputs: Any) -> Prepared:
        def loss(wx: Any, wh: Any, xs: Any) -> Any:
            def cell(state: Any, x: Any) -> Any:
                return jnp.tanh(x @ wx + state @ wh), None

            last, _ = lax.scan(cell, jnp.zeros(xs.shape[1:], xs.dtype), xs)
            return jnp.sum(last * last)

        xs, wx, wh = _arrays(inputs)
        return Prepared(_waited(jax.jit(jax.value_and_grad(loss, (0, 1)))), (wx, wh, xs))

    def chain_gradient(self, inputs: Any) -> Prepared:
        x, length = inputs

        def chain(value: Any) -> Any:
            for _ in range(length // 2):
                value = jnp.sin(value) * 1.0001
            return value.sum()

        return Prepared(_waited(jax.jit(jax.grad(chain))), (jnp.asarray(x),))

    def matmul(self, inputs: Any) -> Prepared:
        left, right, transposed = inputs
        jax.config.update("jax_enable_x64", left.dtype == np.float64)

        def product(a: Any, b: Any) -> Any:
            a = a.swapaxes(-1, -2) if transposed == "a" else a
            b = b.swapaxes(-1, -2) if transposed == "b" else b
            return a @ b

        return Prepared(_waited(jax.jit(product)), _arrays((left, right)))

    def sort(self, inputs: Any) -> Prepared:
        return Prepared(_waited(jax.jit(jnp.sort)), _arrays(inputs))

    def cumulative_sum(self, inputs: Any) -> Prepared:
        return Prepared(_waited(jax.jit(jnp.cumsum)), _arrays(inputs))

    def einsum(self, inputs: Any) -> Prepared:
        function = jax.jit(lambda *given: jnp.einsum("ij,jk,kl->il", *given))
        return Prepared(_waited(function), _arrays(inputs))

    def cholesky_gradient(self, inputs: Any) -> Prepared:
        def value(matrices: Any) -> Any:
            factors = jnp.linalg.cholesky(matrices)
            return jnp.sum(jnp.log(jnp.diagonal(factors, axis1=-2, axis2=-1)))

        return Prepared(_waited(jax.jit(jax.value_and_grad(value))), _arrays(inputs))

    def gather(self, inputs: Any) -> Prepared:
        function = jax.jit(lambda table, taken: jnp.take(table, taken, axis=0, mode="clip"))
        return Prepared(_waited(function), _arrays(inputs))

    def segment_sum(self, inputs: Any) -> Prepared:
        function = jax.jit(lambda rows, owners: jax.ops.segment_sum(rows, owners, 10_000))
        return Prepared(_waited(function), _arrays(inputs))

    def uniform(self, inputs: Any) -> Prepared:
        return self._drawn(jax.random.uniform, inputs[0])

    def normal(self, inputs: Any) -> Prepared:
        return self._drawn(jax.random.normal, inputs[0])

    def _drawn(self, draw: Any, count: int) -> Prepared:
        function = _waited(jax.jit(lambda key: draw(key, (count,), jnp.float32)))
        key = jax.random.key(0)
        return Prepared(function, (key,), moments_of(lambda: function(key)))

    def integer_chain(self, inputs: Any) -> Prepared:
        function = jax.jit(lambda x, y: ((x * 3 + y) ^ (x >> 5)) & (y | 255))
        return Prepared(_waited(function), _arrays(inputs))

    def boolean_chain(self, inputs: Any) -> Prepared:
        function = jax.jit(lambda x, y: ((x > y) & (x < 1.0)) | ~(y > 0.5) ^ (x > -1.0))
        return Prepared(_waited(function), _arrays(inputs))


class FromNumPy(Jax):
    """JAX as a part of a program whose numbers are NumPy's: NumPy in, NumPy out."""

    def neuron(self, inputs: Any) -> Prepared:
        function = self._neuron()

        def call(*arguments: Any) -> list[Any]:
            return [np.asarray(value) for value in leaves(function(*arguments))]

        return Prepared(call, inputs)
