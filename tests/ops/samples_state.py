"""Samples of ops/convert.py and of what ops/state.py computes: constants, casts, print, assert."""

from __future__ import annotations

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError

from .sample_types import Refusal, Sample

VALUES = np.array([[-1.7, 0.2, 2.5]], np.float32)
ROUGH = np.array([0, 1, -1, 127, -128], np.int8)

# In float64, where derivatives are compared, a cast to float64 is no cast: test_convert.py.
DIFFERENTIATED_ELSEWHERE = ("cast",)

SAMPLES = [
    Sample("constant", lambda: sg.constant(VALUES), (), lambda: VALUES, label="array"),
    Sample("constant", lambda: sg.constant(2.5), (), lambda: np.float32(2.5), label="number"),
    Sample(
        "constant", lambda: sg.constant([[1, 2], [3, 4]]), (),
        lambda: np.array([[1, 2], [3, 4]], np.int64), label="list",
    ),
    Sample(
        "constant", lambda: sg.constant([1, 0], "bool"), (), lambda: np.array([True, False]),
        label="dtype",
    ),
    Sample(
        "constant", lambda: sg.constant([]), (), lambda: np.zeros(0, np.float32), label="empty",
    ),
    Sample(
        "cast", lambda x: sg.cast(x, "float64"), (VALUES,), lambda x: np.float64(x), label="wider",
    ),
    Sample(
        "cast", lambda x: sg.cast(x, "int32"), (VALUES,),
        lambda x: np.array([[-1, 0, 2]], np.int32), label="truncates",
    ),
    Sample(
        "cast", lambda x: sg.cast(x, "uint8"), (ROUGH,),
        lambda x: np.array([0, 1, 255, 127, 128], np.uint8), label="wraps",
    ),
    Sample(
        "cast", lambda x: sg.cast(x, bool), (VALUES * [[1, 0, 1]],),
        lambda x: np.array([[True, False, True]]), label="to bool",
    ),
    Sample(
        "cast", lambda x: sg.cast(x, "float32"), (np.array([True, False]),),
        lambda x: np.array([1, 0], np.float32), label="from bool",
    ),
    Sample("print", lambda x: sg.print(x, "x is "), (VALUES,), lambda x: x, wrt=(0,)),
    Sample("assert", lambda x: sg.assert_true(x > -5), (VALUES,), lambda x: None),
    Sample(
        "assert", lambda x: sg.assert_true(x > -5, "x is small", [x]), (VALUES,), lambda x: None,
        label="data",
    ),
]  # fmt: skip

_NUMBERS = (
    "  staticgraph computes in bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
    "float16, bfloat16, float32, float64, complex64, complex128\n"
)

REFUSALS = [
    Refusal(
        "constant",
        lambda: sg.constant([1.0, None]),
        DTypeError,
        "constant: [1.0, None] is no array of numbers\n"
        "  its dtype is object\n" + _NUMBERS + "  at {here}: {line}",
        label="object",
    ),
    Refusal(
        "constant",
        lambda: sg.constant(1j, "float32"),
        DTypeError,
        "constant: 1j does not fit float32\n"
        "  give a wider dtype; beside a tensor, convert that with sg.cast first\n"
        "  at {here}: {line}",
        label="complex",
    ),
    Refusal(
        "constant",
        lambda: sg.constant(300, "uint8"),
        DTypeError,
        "constant: 300 does not fit uint8\n"
        "  give a wider dtype; beside a tensor, convert that with sg.cast first\n"
        "  at {here}: {line}",
        label="range",
    ),
    Refusal(
        "cast",
        lambda: sg.cast(sg.placeholder("float32", (2,)), "U3"),
        DTypeError,
        "dtype str96 is not supported\n" + _NUMBERS + "  at {here}: {line}",
    ),
    Refusal(
        "print",
        lambda: sg.print("x"),
        DTypeError,
        "constant: 'x' is no array of numbers\n"
        "  its dtype is <U1\n" + _NUMBERS + "  at {here}: {line}",
    ),
    Refusal(
        "assert",
        lambda: sg.assert_true(sg.placeholder("float32", (2,), name="x")),
        DTypeError,
        "assert_true: the condition is float32, not bool\n"
        "  condition 'x'  float32[2]  placeholder at {here}\n"
        "  compare it with something: assert_true(x > 0)\n"
        "  at {here}: {line}",
    ),
]
