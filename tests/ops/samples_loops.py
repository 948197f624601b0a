"""Samples of ops/loops.py; what loops do beside their values is in test_loops.py."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, GraphError, ShapeError

from .sample_types import Refusal, Sample

_ROWS = np.array([[0.3, -1.2], [1.1, 0.4], [-0.6, 0.9]], np.float32)
_START = np.array([0.5, 1.5], np.float32)
_SMALL = np.array(0.7, np.float32)


def _halved(x: Any) -> Any:
    """Squares and halves until the sum is small: how often depends on the data."""
    return sg.while_loop(lambda v: sg.sum(v) > 0.5, lambda v: 0.5 * v * sg.cos(v), x)


def _halved_by_hand(x: Any) -> Any:
    while np.sum(x) > 0.5:
        x = np.float32(0.5) * x * np.cos(x)
    return x


def _counted(i: Any, x: Any, w: Any) -> Any:
    return sg.while_loop(
        lambda i, v: i < 3, lambda i, v: (i + 1, {"v": sg.sin(v["v"] * w)}), (i, {"v": x})
    )[1]["v"]


def _counted_by_hand(i: Any, x: Any, w: Any) -> Any:
    while i < 3:
        i, x = i + 1, np.sin(x * w)
    return x


def _recurrence(start: Any, rows: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        new = sg.tanh(carry * row + 0.1)
        return new, (new * row, sg.sum(row))

    last, (products, sums) = sg.scan(step, start, rows)
    return last, products, sums


def _recurrence_by_hand(carry: Any, rows: Any) -> Any:
    products, sums = [], []
    for row in rows:
        carry = np.tanh(carry * row + np.float32(0.1))
        products.append(carry * row)
        sums.append(row.sum())
    return carry, np.array(products), np.array(sums)


def _sums(start: Any, rows: Any) -> Any:
    return sg.scan(lambda carry, row: (sg.sin(carry), sg.sum(row)), start, rows)


def _backwards(rows: Any, weights: Any) -> Any:
    return sg.scan(
        lambda carry, x: (carry * x[1] + x[0], carry),
        sg.zeros((2,), rows.dtype), (rows, weights), reverse=True,
    )  # fmt: skip


def _backwards_by_hand(rows: Any, weights: Any) -> Any:
    carry, seen = np.zeros(2, rows.dtype), []
    for row, weight in zip(rows[::-1], weights[::-1], strict=True):
        seen.append(carry)
        carry = carry * weight + row
    return carry, np.array(seen[::-1], rows.dtype)


SAMPLES = [
    Sample("while", _halved, (_START,), _halved_by_hand, wrt=(0,)),
    Sample(
        "while", _counted, (np.array(0), _START, _SMALL), _counted_by_hand, wrt=(1, 2),
        label="counted, with a capture",
    ),
    Sample("while", _halved, (-_START,), lambda x: x, wrt=(0,), label="never"),
    Sample("scan", _recurrence, (_START, _ROWS), _recurrence_by_hand, wrt=(0, 1)),
    Sample(
        "scan", _backwards, (_ROWS, _ROWS[:, 0]), _backwards_by_hand, wrt=(0, 1),
        label="two sequences backwards",
    ),
    Sample(
        "scan", _sums, (_START, np.zeros((0, 2), np.float32)),
        lambda start, rows: (start, rows.sum(axis=1)),
        wrt=(0, 1), label="of nothing",
    ),
    Sample(
        "scan",
        lambda n: sg.fori_loop(0, n, lambda i, v: v * 3 + i, 1),
        (np.array(5),),
        lambda n: ((((1 * 3 + 0) * 3 + 1) * 3 + 2) * 3 + 3) * 3 + 4,
        label="integers, as often as a tensor says",
    ),
    Sample(
        "scan", lambda rows: sg.map_fn(lambda row: sg.sum(row * row), rows), (_ROWS,),
        lambda rows: (rows * rows).sum(axis=1), wrt=(0,), label="map_fn",
    ),
]  # fmt: skip


def _p(shape: Any, dtype: str = "float32") -> Any:
    return sg.placeholder(dtype, shape, name="p")


REFUSALS = [
    Refusal(
        "while",
        lambda: sg.while_loop(lambda v: sg.all(v < 3), lambda v: sg.concat([v, v]), _p((2,))),
        ShapeError,
        "while_loop: the loop variable changes its shape in the body\n"
        "  it starts as 'p'  float32[2]  placeholder at {here}\n"
        "  the body returns 'concat'  float32[4]  concat at {here}\n"
        "  keep the shape, or say which axes change: shape_invariants with None for them\n"
        "  at {here}: {line}",
    ),
    Refusal(
        "scan",
        lambda: sg.scan(lambda c, x: (sg.cast(c, "float64"), x), _p(()), _p((4,))),
        DTypeError,
        "scan: the loop variable changes its dtype in the body\n"
        "  it starts as 'p'  float32[]  placeholder at {here}\n"
        "  the body returns 'cast'  float64[]  cast at {here}\n"
        "  convert it in the body, sg.cast(x, 'float32'), or start from a value of float64\n"
        "  at {here}: {line}",
    ),
    Refusal(
        "scan",
        lambda: sg.scan(lambda c, x: (c, x), 0.0),
        GraphError,
        "scan: there is neither xs nor a length\n"
        "  give sequences to go along, or length=n\n"
        "  at {here}: {line}",
        label="neither sequence nor length",
    ),
]
