"""Samples of ops/elementwise/parts.py, and of the functions that elementwise/made.py makes.

What has no op of its own is a sample of an op that it makes, so that the walk of the registry sees
its values, sizes and derivatives, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, GraphError

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

REALS = np.array([[-2.3, -0.7, 0.4], [1.2, 1.9, 3.3]], np.float32)
EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -2.0, 3e38, -1e-38], np.float32)
POWERS = np.array([[2, -1, 0], [-3, 5, 1]], np.int32)


def _mantissa(x: Array) -> Array:
    return np.vectorize(lambda v: math.frexp(v)[0], otypes=[np.float64])(x).astype(x.dtype)


def _exponent(x: Array) -> Array:
    def one(value: float) -> int:
        return math.frexp(value)[1] if math.isfinite(value) else 0

    return np.vectorize(one, otypes=[np.int32])(x)


def _moved(x: Array, exponent: Any) -> Array:
    def one(value: float, power: int) -> float:
        try:
            return math.ldexp(value, int(power))
        except OverflowError:
            return math.copysign(math.inf, value)

    return np.vectorize(one, otypes=[np.float64])(x, exponent).astype(x.dtype)


def _sinc(x: Array) -> Array:
    def one(value: float) -> float:
        if value == 0 or math.isnan(value):
            return 1.0 if value == 0 else value
        if math.isinf(value):
            return math.nan
        if value == math.floor(value):
            return 0.0
        return math.sin(math.pi * value) / (math.pi * value)

    return np.vectorize(one, otypes=[np.float64])(x).astype(x.dtype)


def _added(a: Array, b: Array) -> Array:
    return (np.logaddexp(a * math.log(2), b * math.log(2)) / math.log(2)).astype(a.dtype)


SAMPLES: list[Sample] = [
    Sample("ldexp", sg.ldexp, (REALS, POWERS), _moved, wrt=(0,), label="same"),
    Sample("ldexp", sg.ldexp, (REALS, POWERS[0]), _moved, wrt=(0,), label="row"),
    Sample("ldexp", sg.ldexp, (REALS[:, :1], POWERS[0].astype(np.uint8)), _moved, wrt=(0,),
           label="column and row"),
    Sample("ldexp", lambda x: sg.ldexp(x, -3), (REALS[::-1, ::-1],), lambda x: x / 8, wrt=(0,),
           label="a number"),
    Sample("ldexp", sg.ldexp, (np.array([1.5, 3.0, -2.0]), np.array([10**12, -(10**12), -1075])),
           lambda x, n: np.array([np.inf, 0.0, -5e-324 / 1]), label="beyond"),
    Sample("ldexp", sg.ldexp, (EDGES, np.array([1], np.int32)), _moved, label="edges"),
    Sample("ldexp", sg.ldexp, (np.ones((0, 2), np.float32), POWERS[0, :2]), lambda x, n: x,
           label="empty"),
    Sample("ldexp", sg.ldexp, (np.array([3, 5], np.int32), np.array([1, 2], np.int64)),
           lambda x, n: np.array([6.0, 20.0]), label="int32 as float64"),
    Sample("exponent_of", lambda x: sg.frexp(x)[1], (REALS,), _exponent),
    Sample("exponent_of", lambda x: sg.frexp(x)[1], (EDGES,), _exponent, label="edges"),
    Sample("exponent_of", lambda x: sg.frexp(x)[1], (np.ones((2, 0), np.float32),),
           lambda x: x.astype(np.int32), label="empty"),
    Sample("ldexp", lambda x: sg.frexp(x)[0], (REALS,), _mantissa, wrt=(0,), label="frexp"),
    Sample("ldexp", lambda x: sg.frexp(x)[0], (EDGES,), _mantissa, label="edges of frexp"),
    Sample("fmod", sg.modf, (REALS,), lambda x: tuple(np.modf(x)), wrt=(0,), label="modf"),
    Sample("fmod", sg.modf, (EDGES,), lambda x: tuple(np.modf(x)), label="edges of modf"),
    Sample("remainder", lambda x: sg.divmod(x, 0.75), (REALS,),
           lambda x: tuple(np.divmod(x, np.float32(0.75))), wrt=(0,), label="divmod"),
    Sample("where", lambda x: sg.round(x, 1), (REALS * np.float32(1.37),),
           lambda x: (np.rint(x.astype(float) * 10) / 10).astype(x.dtype), wrt=(0,),
           label="round to decimals"),
    Sample("where", lambda x: sg.round(x, -1), (REALS * 13,),
           lambda x: np.rint(x / 10).astype(x.dtype) * 10, label="round to tens"),
    Sample("floor_divide", lambda x: sg.round(x, -1), (np.array([-25, 15, 25, 126, 4], np.int32),),
           lambda x: np.array([-20, 20, 20, 130, 0], np.int32), label="round integers"),
    Sample("nextafter", sg.spacing, (EDGES,), np.spacing, label="spacing"),
    Sample("nextafter", sg.spacing, (REALS,), np.spacing, wrt=(0,), label="spacing of reals"),
    Sample("while", sg.gcd, (np.array([[12, -7, 0]]), np.array([[18], [0]])),
           lambda a, b: np.vectorize(math.gcd)(a, b), label="gcd"),
    Sample("while", sg.lcm, (np.array([[12, -7, 0]]), np.array([[18], [0]])),
           lambda a, b: np.vectorize(math.lcm)(a, b), label="lcm"),
    Sample("while", sg.gcd, (np.zeros((0, 2), np.int8), np.ones(2, np.int8)),
           lambda a, b: a, label="gcd of nothing"),
    Sample("sin", sg.sinc, (REALS,), _sinc, wrt=(0,), label="sinc"),
    Sample("sin", sg.sinc, (np.array([0.0, 0.01, 0.15, -0.16]),), _sinc, wrt=(0,),
           label="sinc at 0"),
    Sample("sin", sg.sinc, (EDGES[:5],), _sinc, label="edges of sinc"),
    Sample("sin", sg.sinc, (np.array([2.0, -7.0, 1e6, 3.5, 1e5 + 0.5]),), lambda x: np.array(
        [0.0, 0.0, 0.0, -1 / (3.5 * math.pi), 1 / ((1e5 + 0.5) * math.pi)]), label="sinc afar"),
    Sample("where", sg.heaviside, (REALS, np.float32(0.5)),
           lambda x, h: np.where(x < 0, 0, 1).astype(x.dtype), wrt=(0, 1), label="heaviside"),
    Sample("where", sg.heaviside, (np.zeros((2, 1), np.float32), REALS[0]),
           lambda x, h: np.broadcast_to(h, (2, 3)), wrt=(1,), label="heaviside of 0"),
    Sample("where", sg.heaviside, (EDGES, np.float32(np.nan)), np.heaviside,
           label="edges of heaviside"),
    Sample("logaddexp", sg.logaddexp2, (REALS, REALS[:, ::-1]), _added, wrt=(0, 1),
           label="of base 2"),
    Sample("pow", lambda x: sg.float_power(x, -2), (np.array([2, 10], np.int32),),
           lambda x: np.array([0.25, 0.01]), label="float_power"),
    Sample("bitwise_and", sg.bitwise_count, (np.array([0, 7, -8, 127, -128], np.int8),),
           lambda x: np.array([bin(abs(int(v))).count("1") for v in x], np.uint8),
           label="bitwise_count"),
    Sample("concat", lambda x: sg.unwrap(x, axis=0), (4 * REALS,),
           lambda x: np.unwrap(x.astype(float), axis=0).astype(x.dtype), wrt=(0,), label="unwrap"),
    Sample("concat", lambda x: sg.unwrap(x, 1.5, period=2.0), (4 * REALS,),
           lambda x: np.unwrap(x.astype(float), 1.5, period=2.0).astype(x.dtype), wrt=(0,),
           label="unwrap of a period"),
]  # fmt: skip

REFUSALS: list[Refusal] = [
    Refusal(
        "ldexp",
        lambda: sg.ldexp(sg.placeholder("float32", (2,), name="x"), 0.5),
        DTypeError,
        "ldexp: an exponent is an integer, and float32 is none\n"
        "  x 'x'  float32[2]  placeholder at {here}\n"
        "  exponent 'constant'  float32[]  constant at {here}\n"
        "  of other powers of two: x * sg.exp2(exponent)\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "exponent_of",
        lambda: sg.frexp(sg.placeholder("complex64", (2,), name="x")),
        DTypeError,
        "frexp: does not take complex64\n"
        "  x 'x'  complex64[2]  placeholder at {here}\n"
        "  x may be float16, bfloat16, float32, float64; "
        "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "round",
        lambda: sg.round(sg.placeholder("int8", (2,), name="x"), -3),
        GraphError,
        "round: decimals=-3 asks for multiples of 10**3, which int8 does not hold\n"
        "  sg.cast converts to a wider dtype\n"
        "  at {here}: {line}",
        label="multiples beyond the dtype",
    ),
    Refusal(
        "nextafter",
        lambda: sg.spacing(sg.placeholder("complex64", (2,), name="x")),
        DTypeError,
        "spacing: does not take complex64\n"
        "  x may be of any real dtype; "
        "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  at {here}: {line}",
        label="spacing",
    ),
    *[
        Refusal(
            "while" if name != "bitwise_count" else "bitwise_and",
            call,
            DTypeError,
            f"{name}: does not take float32\n"
            f"  {'x' if name == 'bitwise_count' else 'lhs and rhs'} may be int8, int16, int32, "
            "int64, uint8, uint16, uint32, uint64; sg.cast(x, dtype) converts\n"
            "  at {here}: {line}",
            label=name,
        )
        for name, call in (
            ("gcd", lambda: sg.gcd(sg.placeholder("float32", (2,), name="x"), 1)),
            ("lcm", lambda: sg.lcm(sg.placeholder("float32", (2,), name="x"), 1)),
            ("bitwise_count", lambda: sg.bitwise_count(sg.placeholder("float32", (2,), name="x"))),
        )
    ],
]
