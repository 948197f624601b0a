"""What every workload works on: the same numbers for every library, made from fixed seeds.

`make(method, size)` gives a tuple of NumPy arrays and Python numbers. The generator is NumPy's
legacy one, whose stream is frozen: processes with different versions of NumPy get the same bits.
This module imports NumPy alone, since every library's process imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Inputs = tuple[Any, ...]

LEARNING_RATE = 0.01
CLASSES, HIDDEN, PIXELS = 10, 256, 784
RNN_BATCH, RNN_WIDTH = 32, 64


def _normal(seed: int, *shape: int, scale: float = 1.0) -> Array:
    values = np.random.RandomState(seed).standard_normal(shape)
    return (values * scale).astype(np.float32)


def neuron(kind: str) -> Inputs:
    """Weight, bias, input and target as 0-d arrays, NumPy scalars or Python floats."""
    make: dict[str, Callable[[float], Any]] = {
        "arrays": lambda value: np.array(value, np.float32),
        "scalars": np.float32,
        "floats": float,
    }
    return tuple(make[kind](value) for value in (2.0, 1.0, 0.5, 0.3))


def elements(count: int) -> Inputs:
    """One float32 vector."""
    return (_normal(1, count),)


def multilayer(batch: int) -> Inputs:
    """Images, one-hot labels, and the parameters of two dense layers."""
    labels = np.random.RandomState(3).randint(0, CLASSES, batch)
    return (
        _normal(2, batch, PIXELS),
        np.eye(CLASSES, dtype=np.float32)[labels],
        _normal(4, PIXELS, HIDDEN, scale=0.05),
        np.zeros(HIDDEN, np.float32),
        _normal(5, HIDDEN, CLASSES, scale=0.05),
        np.zeros(CLASSES, np.float32),
    )


def scalar_while(steps: int) -> Inputs:
    """The start value and the number of steps."""
    return 1.0, steps


def recurrent(steps: int) -> Inputs:
    """A sequence and the two weight matrices of a recurrent cell."""
    return (
        _normal(6, steps, RNN_BATCH, RNN_WIDTH),
        _normal(7, RNN_WIDTH, RNN_WIDTH, scale=0.1),
        _normal(8, RNN_WIDTH, RNN_WIDTH, scale=0.1),
    )


def searching_while(steps: int) -> Inputs:
    """A step size, and a limit that `value + step / (1 + value^2)` from 0 passes in `steps` steps.

    Float64, so that all libraries take exactly the same number of steps.
    """
    step, value, before = 1e-3, 0.0, 0.0
    for _ in range(steps):
        before, value = value, value + step / (1.0 + value * value)
    return step, (before + value) / 2


def chain(length: int) -> Inputs:
    """A short vector and the number of operations in the chain."""
    return _normal(9, 10), length


def matmul(case: tuple[str, int, int, int, int, str]) -> Inputs:
    """Two factors as they lie in memory, and which of them is used transposed.

    The case is dtype, batch (0: no batch axis), rows, inner, columns, and "", "a" or "b".
    """
    dtype, batch, rows, inner, columns, transposed = case
    front = (batch,) if batch else ()
    left = (inner, rows) if transposed == "a" else (rows, inner)
    right = (columns, inner) if transposed == "b" else (inner, columns)
    return (
        _normal(10, *front, *left).astype(dtype),
        _normal(11, *front, *right).astype(dtype),
        transposed,
    )


def einsum(size: int) -> Inputs:
    """Two square matrices and a narrow one: the order of the products decides."""
    scale = size**-0.5
    return (
        _normal(12, size, size, scale=scale),
        _normal(13, size, size, scale=scale),
        _normal(14, size, 8),
    )


def positive_definite(count: int) -> Inputs:
    """A batch of 8x8 matrices, symmetric and well conditioned."""
    factors = _normal(15, count, 8, 8)
    return (factors @ factors.swapaxes(-1, -2) / 8 + np.eye(8, dtype=np.float32),)


def rows(count: int) -> Inputs:
    """A table of 100,000 rows of 8, and the numbers of those that are taken."""
    taken = np.random.RandomState(16).randint(0, 100_000, count).astype(np.int32)
    return _normal(17, 100_000, 8), taken


def segments(count: int) -> Inputs:
    """Rows of 8, and to which of 10,000 sums each belongs, in no order."""
    owners = np.random.RandomState(18).randint(0, 10_000, count).astype(np.int32)
    return _normal(19, count, 8), owners


def drawn(count: int) -> Inputs:
    """How many numbers are drawn."""
    return (count,)


def integers(count: int) -> Inputs:
    """Two int32 vectors."""
    state = np.random.RandomState(20)
    return tuple(state.randint(-(2**31), 2**31 - 1, count).astype(np.int32) for _ in range(2))


def pairs(count: int) -> Inputs:
    """Two float32 vectors."""
    return _normal(21, count), _normal(22, count)


FACTORIES: dict[str, Callable[[Any], Inputs]] = {
    "neuron": neuron,
    "neuron_run": neuron,
    "elementwise": elements,
    "elementwise_gradient": elements,
    "multilayer_step": multilayer,
    "scalar_while": scalar_while,
    "recurrent_gradient": recurrent,
    "searching_while_gradient": searching_while,
    "chain_gradient": chain,
    "matmul": matmul,
    "sort": elements,
    "cumulative_sum": elements,
    "einsum": einsum,
    "cholesky_gradient": positive_definite,
    "gather": rows,
    "segment_sum": segments,
    "uniform": drawn,
    "normal": drawn,
    "integer_chain": integers,
    "boolean_chain": pairs,
}


def make(method: str, size: Any) -> Inputs:
    """The inputs of the workload that peers implement as `method`."""
    return FACTORIES[method](size)
