"""Searches in machine code: the same decisions as in NumPy, in any shape, layout and loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from tests.backends.native.agreement import Agreement

RATES = np.random.default_rng(0).uniform(0.0, 30.0, (23, 11))


def _fetches(x: sg.Tensor) -> list[sg.Tensor]:
    return [
        sg.random.poisson(x),
        sg.random.binomial(40, x / 30.0),
        sg.random.integers(None, -5, sg.cast(x, "int64") + 2, "int16"),
    ]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (8,), (17,), (3, 0), (3, 5)])
def test_integers_agree_in_any_shape(shape: tuple[int, ...]) -> None:
    for declared in (shape, (None,) * len(shape)):
        with sg.Graph().as_default():
            x = sg.placeholder("float64", declared)
            Agreement(_fetches(x), [x]).check(np.resize(RATES, shape))


def test_integers_agree_in_any_layout() -> None:
    x = sg.placeholder("float64", (None, None))
    agreement = Agreement(_fetches(x) + _fetches(x.T) + _fetches(sg.flip(x, 1)), [x])
    agreement.check(RATES)
    agreement.check(RATES[::-2, ::3])


def test_one_parameter_for_all() -> None:
    x = sg.placeholder("float64", ())
    count = sg.placeholder("int64", ())
    fetches = [
        sg.random.poisson(x, (count,)),
        sg.random.poisson(sg.broadcast_to(x, (3, count))),
        sg.random.binomial(count, 0.5, (7,)),
    ]
    agreement = Agreement(fetches, [x, count])
    for rate in (0.0, 3.0, 1e5):
        for size in (0, 1, 100):
            agreement.check(np.array(rate), np.array(size))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_integers_do_not_depend_on_threads(threads: int) -> None:
    x = sg.placeholder("float64", (None,))
    fetches = _fetches(x)
    feed = {x: np.resize(RATES, 30_011)}
    have = sg.Session(seed=1, threads=threads).run(fetches, feed)
    want = sg.Session(seed=1, backend="reference").run(fetches, feed)
    for value, expected in zip(have, want, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_draws_in_loops() -> None:
    def body(i: sg.Tensor, total: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        drawn = sg.random.poisson(4.0, (5,)) + sg.random.binomial(30, 0.5)
        return i + 1, total + drawn

    start: Any = (sg.constant(0), sg.zeros((5,), "int64"))
    _, total = sg.while_loop(lambda i, _: i < 6, body, start)
    agreement = Agreement(total, [])
    first, second = agreement.check(), agreement.check()
    assert not np.array_equal(first, second)
