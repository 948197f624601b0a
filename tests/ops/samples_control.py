"""Samples of ops/control.py: identities, and derivatives that the user wrote."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, GradientError

from .sample_types import Refusal, Sample

VALUES = np.array([[-1.3, 0.2, 2.5]], np.float32)

# Its derivative is missing on purpose: tests/ops/test_control.py.
DIFFERENTIATED_ELSEWHERE = ("stop_gradient",)


@sg.custom_gradient
def _sine(x: Any) -> Any:
    return sg.sin(x), lambda adjoint: adjoint * sg.cos(x)


@sg.custom_gradient
def _product_and_sum(x: Any, y: Any) -> Any:
    return (x * y, x + y), lambda p, s: (p * y + s, p * x + s)


SAMPLES = [
    Sample("identity", sg.identity, (VALUES,), lambda x: x, wrt=(0,)),
    Sample("identity", sg.identity, (np.array([3, 4], np.int8),), lambda x: x, label="integers"),
    Sample("stop_gradient", sg.stop_gradient, (VALUES,), lambda x: x),
    Sample("custom_gradient", _sine, (VALUES,), np.sin, wrt=(0,)),
    Sample(
        "custom_gradient", _product_and_sum, (VALUES, VALUES[:, ::-1] + 2),
        lambda x, y: (x * y, x + y), wrt=(0, 1), label="two results",
    ),
]  # fmt: skip

_NO_NUMBER = (
    "constant: 'x' is no array of numbers\n"
    "  its dtype is <U1\n"
    "  staticgraph computes in bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
    "float16, bfloat16, float32, float64, complex64, complex128\n"
)

REFUSALS = [
    Refusal(
        "identity",
        lambda: sg.identity("x"),
        DTypeError,
        _NO_NUMBER + "  at {here}: {line}",
    ),
    Refusal(
        "stop_gradient",
        lambda: sg.stop_gradient("x"),
        DTypeError,
        _NO_NUMBER + "  at {here}: {line}",
    ),
    Refusal(
        "custom_gradient",
        lambda: sg.custom_gradient(lambda x: x * 2)(sg.placeholder("float32", ())),
        GradientError,
        "custom_gradient: the function must return (result, gradient function)\n"
        "  it returned Tensor\n"
        "  at {here}: {line}",
    ),
]
