"""What becomes one kernel, and that fused code computes what the nodes say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.program import Options
from tests.backends.native.agreement import Agreement, outcome

Array = np.ndarray[Any, Any]
Make = Callable[[sg.Tensor, sg.Tensor, sg.Tensor], Sequence[sg.Tensor]]


def kernels(fetches: Sequence[sg.Tensor]) -> int:
    """How many kernels the fetches become."""
    return len(Compilation(sg.optimize(list(fetches)), Options()).program.kernels)


def _norm(x: sg.Tensor) -> sg.Tensor:
    mean = sg.mean(x, axis=-1, keepdims=True)
    spread = sg.mean(sg.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * sg.rsqrt(spread + 0.1)


# x and y have the same shape (m, n), b has n elements. What it becomes, and in how many kernels.
FUSED: dict[str, tuple[int, Make]] = {
    "a chain": (1, lambda x, y, b: [sg.tanh(2.0 * x + 1.0) * sg.exp(-x * x)]),
    "two of one domain": (1, lambda x, y, b: [x + y, x * y, sg.where(x > y, x, y)]),
    "a row that is broadcast": (1, lambda x, y, b: [sg.relu(x + b) * y]),
    "softmax": (1, lambda x, y, b: [sg.softmax(x)]),
    "softmax, and what follows": (1, lambda x, y, b: [sg.softmax(x + b) * y + 1.0]),
    "log_softmax": (1, lambda x, y, b: [sg.log_softmax(x)]),
    "logsumexp": (1, lambda x, y, b: [sg.logsumexp(x * y, axis=-1)]),
    "layer norm": (1, lambda x, y, b: [_norm(x) * b + y]),
    "layer norm, twice": (1, lambda x, y, b: [_norm(_norm(x))]),
    "sums of rows": (1, lambda x, y, b: [sg.sum(x * y, axis=1), sg.max(x, axis=1), x + y]),
    "values per row": (1, lambda x, y, b: [sg.tanh(sg.sum(x, axis=1)) + sg.max(y, axis=1)]),
    "a sum": (2, lambda x, y, b: [sg.sum(sg.tanh(x) * y)]),
    "a product with its bias": (1, lambda x, y, b: [sg.tanh(x @ sg.permute_dims(y) + 1.0)]),
    "products of one shape with their biases": (
        3, lambda x, y, b: [sg.tanh(p) for p in (_dot(x, y) + 1.0, _dot(y, x) - 1.0, _dot(x, x))],
    ),
    "a product and its result": (
        1, lambda x, y, b: list(itertools.chain(*[(p, sg.relu(p), p > 0.0) for p in [_dot(x, y)]])),
    ),
}  # fmt: skip


def _dot(x: sg.Tensor, y: sg.Tensor) -> sg.Tensor:
    return x @ sg.permute_dims(y)


@pytest.mark.parametrize("name", list(FUSED))
def test_number_of_kernels(name: str) -> None:
    count, make = FUSED[name]
    x, y = (sg.placeholder("float32", ("m", "n")) for _ in range(2))
    b = sg.placeholder("float32", ("n",))
    assert kernels(make(x, y, b)) <= count


SHAPES = [(1, 1), (3, 1), (1, 17), (5, 16), (33, 70), (2, 1000), (700, 3), (0, 4), (257, 129)]


def _steps(x: sg.Tensor, y: sg.Tensor, b: sg.Tensor) -> list[sg.Tensor]:
    """Phases that need one another in every order."""
    most = sg.max(x, axis=-1, keepdims=True)
    least = sg.min(y, axis=-1, keepdims=True)
    one = sg.exp(-sg.abs(x - most))
    two = sg.tanh(y - least) * sg.sum(one, axis=-1, keepdims=True)
    three = sg.mean(two - one, axis=-1)
    return [one, two, three, sg.expand_dims(three, 1) * x, sg.sum(two), sg.sum(one, axis=0), least]


MIXED: dict[str, Make] = {
    "phases": _steps,
    "sums along all axes": lambda x, y, b: [
        sg.sum(x * y), sg.sum(x * y, axis=0), sg.sum(x * y, axis=1), sg.max(x * y, axis=0),
        sg.max(x * y), sg.mean(x * y, axis=1, keepdims=True) + x,
    ],
    "rows after columns": lambda x, y, b: [
        sg.softmax(x - sg.mean(x, axis=0)), sg.sum(sg.softmax(y), axis=0) + b,
    ],
    "columns after rows": lambda x, y, b: [
        sg.sum(_norm(x), axis=0), sg.sum(_norm(x) * y), sg.max(_norm(y), axis=0) - b,
    ],
    "a sum that all need": lambda x, y, b: [
        x / (1.0 + sg.abs(sg.sum(x))), y - sg.sum(x) * 1e-3, b * sg.sum(x),
    ],
    "a value used in many shapes": lambda x, y, b: [
        sg.expand_dims(sg.tanh(x), 0) + 1.0, sg.reshape(sg.tanh(x), (-1,)) * 2.0,
        sg.permute_dims(sg.tanh(x)) + 1.0, sg.tanh(x)[::-1] - 1.0, sg.sum(sg.tanh(x), axis=0),
    ],
    "values per row used along columns": lambda x, y, b: [
        sg.expand_dims(sg.sum(x, axis=1), 0) * sg.expand_dims(sg.sum(x, axis=1), 1),
        sg.sum(x, axis=1) - sg.mean(sg.sum(x, axis=1)), x * sg.expand_dims(sg.sum(y, 1), 1),
    ],
    "products with everything after": lambda x, y, b: [
        sg.tanh(_dot(x, y)), _dot(x, y) > 0.5, sg.where(_dot(x, y) > 0.0, _dot(x, y), 0.0),
        sg.sum(sg.relu(_dot(x, y)), axis=0), sg.softmax(_dot(x, y)), _dot(x, y) + sg.sum(b),
        sg.cast(_dot(x, y), "float32"), sg.permute_dims(_dot(x, y)) * 2.0,
    ],
    "a product and its bias per row": lambda x, y, b: [
        _dot(x, y) + sg.sum(x, axis=1, keepdims=True) * sg.sum(y, axis=1),
        sg.exp(-sg.abs(_dot(x, y) - sg.max(x))), (x @ b) * 0.5 + 1.0,
        sg.tanh(b @ sg.permute_dims(y)),
    ],
    "slopes of a layer": lambda x, y, b: sg.gradients(
        sg.sum(sg.tanh(_dot(x, y) + sg.sum(b)) ** 2) + sg.sum(_norm(x) * b), [x, y, b]
    ),
    "slopes of a loss": lambda x, y, b: sg.gradients(
        -sg.mean(sg.sum(sg.log_softmax(x + b) * sg.softmax(y), axis=1)), [x, y, b]
    ),
    "picked and counted": lambda x, y, b: [
        sg.take(x, sg.arange(sg.size(x, 0))[::-1], axis=0) * y,
        sg.one_hot(sg.argmax(x, 1), 7) * 2.0,
        x + sg.cast(sg.arange(sg.size(x, 1)), x.dtype), sg.cumsum(x * y, axis=1) + b,
    ],
}  # fmt: skip


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("name", [*FUSED, *MIXED])
def test_values(name: str, known: bool) -> None:
    make = MIXED[name] if name in MIXED else FUSED[name][1]
    runs: Any = None
    for shape in SHAPES:
        if shape == (0, 4) and name != "a chain":
            continue
        if runs is None or known:
            dims: Any = shape if known else ("m", "n")
            x, y = (sg.placeholder("float64", dims) for _ in range(2))
            b = sg.placeholder("float64", dims[1:])
            runs = Agreement(list(make(x, y, b)), [x, y, b]).runs
        chance = np.random.default_rng(1)
        arrays = [chance.uniform(-1.0, 1.0, s) for s in (shape, shape, shape[1:])]
        have, want = [outcome(run, arrays) for run in runs]
        assert not isinstance(have, str) and not isinstance(want, str)
        for ours, theirs in zip(have, want, strict=True):
            scale = max(1.0, float(np.max(np.abs(theirs), initial=0.0)))
            np.testing.assert_allclose(ours, theirs, 1e-11, 1e-11 * scale, strict=True)


def test_groups_of_hundreds_of_nodes() -> None:
    x = sg.placeholder("float64", (None, 7))
    values = [x]
    for number in range(700):
        older = values[max(0, number - 5 * (number % 11))]
        values.append(sg.tanh(values[-1] * 0.7 + older * (0.01 * (number % 13))))
        if number % 97 == 0:
            values.append(values[-1] - sg.mean(values[-1], axis=-1, keepdims=True))
    fetches = [values[-1], values[300], sg.sum(values[200] * values[500], axis=0)]
    have, want = [
        outcome(run, [np.random.default_rng(0).standard_normal((33, 7))])
        for run in Agreement(fetches, [x]).runs
    ]
    for ours, theirs in zip(have, want, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-9, 1e-9, strict=True)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("lead", [(1,), (1, 1)])
def test_a_single_row_is_walked_as_one(lead: tuple[int, ...], threads: int) -> None:
    """It is not cut into chunks, of which each would write its own sum; an empty one is written."""
    x = sg.placeholder("float64", (*lead, None))
    reductions = [sg.sum(x, axis=-1), sg.prod(0.999 + 1e-3 * x, -1, True)]
    made = [*reductions, 2.0 * reductions[0] + sg.exp(-reductions[0]), sg.softmax(x)]
    call = sg.Session(threads=threads).make_callable(made, [x])
    for count in (0, 1, 70, 300_001):
        row = np.random.default_rng(count).uniform(0.5, 1.5, (*lead, count))
        # What was there before is no number, should memory be taken again.
        junk = [np.full(size, np.nan) for size in (1, 8, count) for _ in range(20)]
        del junk
        total, scores = row.sum(-1), np.exp(row - row.max(-1, initial=0.0, keepdims=True))
        want = [total, (0.999 + 1e-3 * row).prod(-1, keepdims=True)]
        want += [2.0 * total + np.exp(-total), scores / scores.sum(-1, keepdims=True)]
        for have, value in zip(call(row), want, strict=True):
            np.testing.assert_allclose(have, value, rtol=1e-9, strict=True)
