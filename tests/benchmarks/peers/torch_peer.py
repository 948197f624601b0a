"""PyTorch, eager and through `torch.compile`; gradients by `torch.autograd.grad`."""

from __future__ import annotations

from typing import Any

import torch

from tests.benchmarks.inputs import LEARNING_RATE
from tests.benchmarks.peers.base import Peer, Prepared, losses_of, moments_of


def _variable(array: Any) -> Any:
    return torch.from_numpy(array.copy()).requires_grad_()


def _detached(call: Any) -> Any:
    return lambda: [value.detach() for value in call()]


class Torch(Peer):
    """Eager: every operation is a call."""

    def wrap(self, function: Any) -> Any:
        """What is done to a function before it is used."""
        return function

    def start(self) -> None:
        x = torch.ones(4, requires_grad=True)
        torch.autograd.grad(self.wrap(lambda x: (x * x).sum())(x), x)

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def neuron(self, inputs: Any) -> Prepared:
        w, b = (torch.tensor(float(value), requires_grad=True) for value in inputs[:2])
        x, t = (torch.tensor(float(value)) for value in inputs[2:])
        energy = self.wrap(
            lambda w, b, x, t: 0.5 * (torch.sigmoid(w * x + b) - t) ** 2 + 0.05 * w * w
        )

        def call() -> Any:
            value = energy(w, b, x, t)
            return (value, *torch.autograd.grad(value, (w, b)))

        return Prepared(call, (), _detached(call))

    def elementwise(self, inputs: Any) -> Prepared:
        (x,) = (torch.from_numpy(array) for array in inputs)
        function = self.wrap(lambda x: torch.tanh(x * 2 + 1) * torch.exp(-x * x))
        return Prepared(function, (x,))

    def elementwise_gradient(self, inputs: Any) -> Prepared:
        (x,) = (_variable(array) for array in inputs)
        function = self.wrap(lambda x: torch.sum(torch.tanh(x * 2 + 1) * torch.exp(-x * x)))

        def call() -> Any:
            value = function(x)
            return (value, *torch.autograd.grad(value, x))

        return Prepared(call, (), _detached(call))

    def multilayer_step(self, inputs: Any) -> Prepared:
        images, labels = (torch.from_numpy(array) for array in inputs[:2])
        parameters = [_variable(array) for array in inputs[2:]]

        def loss(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
            logits = torch.relu(torch.addmm(b1, images, w1)) @ w2 + b2
            return -torch.mean(torch.sum(labels * torch.log_softmax(logits, 1), 1))

        compiled = self.wrap(loss)
        optimizer = torch.optim.SGD(parameters, lr=LEARNING_RATE, fused=True)

        def step() -> Any:
            optimizer.zero_grad()
            value = compiled(*parameters)
            value.backward()
            optimizer.step()
            return value.detach()

        return Prepared(step, (), losses_of(step))

    def recurrent_gradient(self, inputs: Any) -> Prepared:
        xs = torch.from_numpy(inputs[0])
        wx, wh = (_variable(array) for array in inputs[1:])

        def loss(wx: Any, wh: Any) -> Any:
            state = torch.zeros(xs.shape[1:])
            for x in xs:
                state = torch.tanh(x @ wx + state @ wh)
            return (state * state).sum()

        def call() -> Any:
            value = loss(wx, wh)
            return (value, *torch.autograd.grad(value, (wx, wh)))

        return Prepared(call, (), _detached(call))

    def searching_while_gradient(self, inputs: Any) -> Prepared:
        step = torch.tensor(inputs[0], dtype=torch.float64, requires_grad=True)
        limit = inputs[1]

        def call() -> Any:
            value = torch.zeros((), dtype=torch.float64)
            while value < limit:
                value = value + step / (1.0 + value * value)
            return (value, *torch.autograd.grad(value, step))

        return Prepared(call, (), _detached(call))

    def chain_gradient(self, inputs: Any) -> Prepared:
        x, length = _variable(inputs[0]), inputs[1]

        def call() -> Any:
            value = x
            for _ in range(length // 2):
                value = torch.sin(value) * 1.0001
            return torch.autograd.grad(value.sum(), x)

        return Prepared(call)

    def matmul(self, inputs: Any) -> Prepared:
        left, right = (torch.from_numpy(array) for array in inputs[:2])
        left = left.transpose(-1, -2) if inputs[2] == "a" else left
        right = right.transpose(-1, -2) if inputs[2] == "b" else right
        return Prepared(torch.matmul, (left, right))

    def sort(self, inputs: Any) -> Prepared:
        (x,) = (torch.from_numpy(array) for array in inputs)
        return Prepared(lambda: torch.sort(x).values)

    def cumulative_sum(self, inputs: Any) -> Prepared:
        (x,) = (torch.from_numpy(array) for array in inputs)
        return Prepared(lambda: torch.cumsum(x, 0))

    def einsum(self, inputs: Any) -> Prepared:
        factors = [torch.from_numpy(array) for array in inputs]
        return Prepared(lambda: torch.einsum("ij,jk,kl->il", *factors))

    def cholesky_gradient(self, inputs: Any) -> Prepared:
        (matrices,) = (_variable(array) for array in inputs)

        def call() -> Any:
            factors = torch.linalg.cholesky(matrices)
            value = torch.log(torch.diagonal(factors, dim1=-2, dim2=-1)).sum()
            return (value, *torch.autograd.grad(value, matrices))

        return Prepared(call, (), _detached(call))

    def gather(self, inputs: Any) -> Prepared:
        table, taken = (torch.from_numpy(array) for array in inputs)
        return Prepared(torch.index_select, (table, 0, taken))

    def segment_sum(self, inputs: Any) -> Prepared:
        rows, owners = (torch.from_numpy(array) for array in inputs)

        def sums() -> Any:
            return torch.zeros(10_000, rows.shape[1]).index_add_(0, owners, rows)

        return Prepared(sums)

    def uniform(self, inputs: Any) -> Prepared:
        def draw() -> Any:
            return torch.rand(inputs[0])

        return Prepared(draw, (), moments_of(draw))

    def normal(self, inputs: Any) -> Prepared:
        def draw() -> Any:
            return torch.randn(inputs[0])

        return Prepared(draw, (), moments_of(draw))

    def integer_chain(self, inputs: Any) -> Prepared:
        x, y = (torch.from_numpy(array) for array in inputs)
        return Prepared(lambda: ((x * 3 + y) ^ (x >> 5)) & (y | 255))

    def boolean_chain(self, inputs: Any) -> Prepared:
        x, y = (torch.from_numpy(array) for array in inputs)
        return Prepared(lambda: ((x > y) & (x < 1.0)) | ~(y > 0.5) ^ (x > -1.0))


class Compiled(Torch):
    """`torch.compile` with its defaults."""

    def wrap(self, function: Any) -> Any:
        return torch.compile(function)
