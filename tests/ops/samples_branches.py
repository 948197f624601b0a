"""Samples of ops/branches.py; what branches do beside their values is in test_branches.py."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError

from .sample_types import Refusal, Sample

_X = np.array([0.5, 1.5], np.float32)


def _rooted(x: Any) -> Any:
    return sg.cond(sg.sum(x) > 0, lambda: sg.sqrt(x), lambda: x * x)


def _rooted_by_hand(x: Any) -> Any:
    return np.sqrt(x) if x.sum() > 0 else x * x


def _pair(p: Any, x: Any, y: Any) -> Any:
    made = sg.cond(p, lambda: {"a": x * y, "b": y}, lambda: {"a": x, "b": sg.sin(x)})
    return made["a"], made["b"]


def _chosen(k: Any, x: Any, y: Any) -> Any:
    return sg.switch_case(k, [lambda: x * y, lambda: sg.exp(x), lambda: y])


def _chosen_by_hand(k: Any, x: Any, y: Any) -> Any:
    return [x * y, np.exp(x), y][int(k)]


SAMPLES = [
    Sample("cond", _rooted, (_X,), _rooted_by_hand, wrt=(0,), label="the first"),
    Sample("cond", _rooted, (-_X,), _rooted_by_hand, wrt=(0,), label="the second"),
    Sample(
        "cond", _pair, (np.array(False), _X, 2 * _X), lambda p, x, y: (x, np.sin(x)),
        wrt=(1, 2), label="a structure",
    ),
    *[
        Sample(
            "switch_case", _chosen, (np.array(k), _X, 2 * _X), _chosen_by_hand, wrt=(1, 2),
            label=f"branch {k}",
        )
        for k in range(3)
    ],
]  # fmt: skip


def _p(dtype: str, *shape: int | None) -> Any:
    return sg.placeholder(dtype, shape, name="p")


REFUSALS = [
    Refusal(
        "cond",
        lambda: sg.cond(_p("bool", 2), lambda: 1.0, lambda: 2.0),
        ShapeError,
        "cond: the predicate is bool[2], not a scalar bool\n"
        "  'p'  bool[2]  placeholder at {here}\n"
        "  compare something, and reduce it with sg.all or sg.any; sg.where chooses by element\n"
        "  at {here}: {line}",
    ),
    Refusal(
        "switch_case",
        lambda: sg.switch_case(_p("float32"), [lambda: 1.0, lambda: 2.0]),
        DTypeError,
        "switch_case: the index is float32[], not a scalar integer\n"
        "  'p'  float32[]  placeholder at {here}\n"
        "  convert it: sg.cast(index, 'int64')\n"
        "  at {here}: {line}",
    ),
]
