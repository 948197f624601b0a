"""Options that mean nothing, in the words of the function that was called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from tests.ops.refusing import refused

X = np.array([[1.0, 2.0], [3.0, 5.0]])


def _x() -> Any:
    return sg.constant(X, name="x")


CALLS: list[tuple[Callable[[], Any], str]] = [
    (lambda: sg.nn.gelu(_x(), approximate="none"),  # type: ignore[arg-type]
     "gelu: approximate='none' is no bool\n  give True or False"),
    (lambda: sg.array_equal(_x(), _x(), equal_nan=2),  # type: ignore[arg-type]
     "array_equal: equal_nan=2 is no bool\n  give True or False"),
    (lambda: sg.linalg.cond(_x(), "x"),
     "cond: p='x' is no order of matrices\n"
     "  give 'fro', 'nuc', 1, -1, 2, -2, math.inf or -math.inf"),
    (lambda: sg.linalg.cond(_x(), 3),
     "cond: p=3 is no order of matrices\n"
     "  give 'fro', 'nuc', 1, -1, 2, -2, math.inf or -math.inf"),
    (lambda: sg.fft.fftfreq(4, 0.0),
     "fftfreq: d=0.0 is no distance of samples\n  d is a number, and not 0"),
    (lambda: sg.fft.rfftfreq(4, float("nan")),
     "rfftfreq: d=nan is no distance of samples\n  d is a number, and not 0"),
    (lambda: sg.fft.fftfreq(4, _x()),
     "fftfreq: d=<Tensor 'x' float64[2, 2]> is no distance of samples\n"
     "  d is a number, and not 0"),
    (lambda: _x().flatten("K"), "flatten: order='K' is not there\n  give 'C' or 'F'"),
    (lambda: _x().std(correction=1, ddof=1),
     "std: correction=1 beside ddof=1\n  they are names of one number: give one of them"),
    (lambda: _x().astype("int32", copy=2), "astype: copy=2 is no bool\n  give True or False"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "wanted"), CALLS)
def test_options(call: Callable[[], Any], wanted: str) -> None:
    with sg.Graph().as_default():
        assert refused(call, sg.ShapeError) == f"{wanted}\n  at <line>"


def test_a_rate_of_several_numbers() -> None:
    with sg.Graph().as_default():
        assert refused(lambda: sg.nn.dropout(_x(), [0.5, 0.5]), sg.ShapeError) == (
            "dropout: rate has shape [2]\n"
            "  x 'x'  float64[2, 2]  constant at <line>\n"
            "  rate 'constant'  float32[2]  constant at <line>\n"
            "  give one number for all of x\n"
            "  created at <line>"
        )
