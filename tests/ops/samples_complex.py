"""Samples of complex numbers: their parts, and the ops of other families that take them.

Derivatives are compared with differences along random directions of both parts, to second order in
both modes; expected values are written with real numbers or by NumPy's functions of complex ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

# Away from branch cuts, zeros and poles; both signs of both parts.
POINTS = np.array([[0.4 + 0.7j, -0.6 + 0.3j, 0.2 - 1.1j], [-0.8 - 0.45j, 1.3 + 0.1j, -0.3 + 1.6j]])
OTHERS = np.array([[0.9 - 0.4j, 1.2 + 0.8j, -0.5 - 0.3j]])
ROW = np.array([0.5 + 0.25j, -1.5j, 2.0], np.complex64)
EMPTY = np.zeros((0, 3), np.complex64)
LEFT, RIGHT = np.array([[0.65], [-1.7]], np.float32), np.array([2.9, -0.3, 0.8], np.float32)

SAMPLES: list[Sample] = [
    Sample("real", sg.real, (POINTS,), lambda z: (z + z.conj()).real / 2, wrt=(0,)),
    Sample("real", sg.real, (ROW,), lambda z: z.real, label="complex64"),
    Sample("imag", sg.imag, (POINTS,), lambda z: (-1j * (z - z.conj())).real / 2, wrt=(0,)),
    Sample("imag", sg.imag, (EMPTY,), lambda z: z.imag, label="empty"),
    Sample("conj", sg.conj, (POINTS,), lambda z: z.real - 1j * z.imag, wrt=(0,)),
    Sample("conj", sg.conj, (ROW,), lambda z: z.real - np.complex64(1j) * z.imag, wrt=(0,),
           label="complex64"),
    Sample("complex", sg.complex, (LEFT, RIGHT), lambda x, y: x + np.complex64(1j) * y,
           wrt=(0, 1), label="broadcast"),
    Sample("complex", sg.complex, (POINTS.real, POINTS.imag), lambda x, y: x + 1j * y,
           label="complex128"),
    Sample("complex", sg.complex, (np.array([3, -4], np.int8), np.array([np.inf, 2])),
           lambda x, y: np.array([complex(3, np.inf), complex(-4, 2)]), label="promoted"),
]  # fmt: skip

# Per op of one operand: its meaning.
_UNARY: dict[str, Callable[..., Any]] = {
    "negative": lambda z: 0 - z,
    "square": lambda z: z * z,
    "reciprocal": lambda z: z.conj() / (z.real**2 + z.imag**2),
    "abs": lambda z: np.hypot(z.real, z.imag),
    "sign": lambda z: z / np.hypot(z.real, z.imag),
    "round": lambda z: np.round(z.real) + 1j * np.round(z.imag),
    "exp": lambda z: np.exp(z.real) * (np.cos(z.imag) + 1j * np.sin(z.imag)),
    "expm1": lambda z: np.exp(z) - 1,
    "log": lambda z: np.log(np.hypot(z.real, z.imag)) + 1j * np.arctan2(z.imag, z.real),
    "log1p": lambda z: np.log(1 + z),
    "sqrt": np.sqrt,
    "rsqrt": lambda z: np.sqrt(1 / z),
    "sin": lambda z: (np.exp(1j * z) - np.exp(-1j * z)) / 2j,
    "cos": lambda z: (np.exp(1j * z) + np.exp(-1j * z)) / 2,
    "tan": lambda z: np.sin(z) / np.cos(z),
    "tanh": lambda z: np.sinh(z) / np.cosh(z),
    "sinh": lambda z: (np.exp(z) - np.exp(-z)) / 2,
    "cosh": lambda z: (np.exp(z) + np.exp(-z)) / 2,
    "asin": lambda z: -1j * np.log(1j * z + np.sqrt(1 - z * z)),
    "acos": lambda z: np.pi / 2 + 1j * np.log(1j * z + np.sqrt(1 - z * z)),
    "atan": lambda z: 0.5j * (np.log(1 - 1j * z) - np.log(1 + 1j * z)),
    "asinh": lambda z: np.log(z + np.sqrt(z * z + 1)),
    "acosh": lambda z: np.log(z + np.sqrt(z + 1) * np.sqrt(z - 1)),
    "atanh": lambda z: (np.log(1 + z) - np.log(1 - z)) / 2,
    "log2": lambda z: np.log(z) / np.log(2),
    "log10": lambda z: np.log(z) / np.log(10),
}
for _name, _meaning in _UNARY.items():
    _call = getattr(sg, _name)
    SAMPLES += [
        Sample(_name, _call, (POINTS,), _meaning, wrt=(0,), label="complex128"),
        Sample(
            _name, _call, (POINTS.astype(np.complex64),),
            lambda z, meaning=_meaning: np.asarray(
                meaning(z.astype(np.complex128)),
                np.float32 if meaning(z).dtype.kind == "f" else np.complex64,
            ),
            label="complex64",
        ),
    ]  # fmt: skip

_BINARY: dict[str, tuple[Callable[..., Any], bool]] = {
    "add": (lambda a, b: (a.real + b.real) + 1j * (a.imag + b.imag), True),
    "subtract": (lambda a, b: (a.real - b.real) + 1j * (a.imag - b.imag), True),
    "multiply": (
        lambda a, b: a.real * b.real - a.imag * b.imag + 1j * (a.real * b.imag + a.imag * b.real),
        True,
    ),
    "divide": (lambda a, b: a * b.conj() / (b.real**2 + b.imag**2), True),
    "pow": (lambda a, b: np.exp(b * np.log(a)), True),
    "equal": (lambda a, b: (a.real == b.real) & (a.imag == b.imag), False),
    "not_equal": (lambda a, b: (a.real != b.real) | (a.imag != b.imag), False),
}
for _name, (_both, _smooth) in _BINARY.items():
    _call, _wrt = getattr(sg, _name), (0, 1) if _smooth else ()
    SAMPLES += [
        Sample(_name, _call, (POINTS, OTHERS), _both, wrt=_wrt, label="complex"),
        Sample(
            _name, _call, (EMPTY, ROW),
            lambda a, b, both=_both: np.zeros((0, 3), both(b, b).dtype), label="complex, empty",
        ),
    ]  # fmt: skip

_EDGES = np.array([complex(a, b) for a in (1, np.inf, np.nan) for b in (2, -np.inf, np.nan)])
_CIRCLE = np.array([1, 1 + 1j, 1j, -1 + 1j, -2, -1 - 1j, -1j, 1 - 1j]) * np.exp(0.1j)
_MASK = np.array([True, False, True])
_INDEX = np.array([2, 0, 2])
_MATRIX = np.array([[1j, 2 - 1j], [0.5, -0.25j], [3 + 3j, -1]])

SAMPLES += [
    Sample("isnan", sg.isnan, (_EDGES,), lambda z: (z.real != z.real) | (z.imag != z.imag),
           label="complex"),
    Sample("isinf", sg.isinf, (_EDGES,),
           lambda z: (np.abs(z.real) == np.inf) | (np.abs(z.imag) == np.inf), label="complex"),
    Sample("isfinite", sg.isfinite, (_EDGES,),
           lambda z: (np.abs(z.real) < np.inf) & (np.abs(z.imag) < np.inf), label="complex"),
    Sample("complex", sg.nan_to_num, (_EDGES,),
           lambda z: np.nan_to_num(z.real) + 1j * np.nan_to_num(z.imag), label="limits for inf",
           tolerance=0.0),
    Sample("complex", lambda z: sg.nan_to_num(z, 0.5, 9.0, -9.0), (_EDGES,),
           lambda z: np.nan_to_num(z, nan=0.5, posinf=9.0, neginf=-9.0), label="numbers for NaN"),
    Sample("atan2", sg.angle, (_CIRCLE,), lambda z: np.log(z).imag, wrt=(0,), label="of complex"),
    Sample("where", lambda c, x, y: sg.where(c, x, y), (_MASK, POINTS, OTHERS),
           lambda c, x, y: c * x + ~c * y, wrt=(1, 2), label="complex"),
    Sample("cast", lambda x: sg.cast(x, "complex128"), (LEFT.astype(np.float64),),
           lambda x: x + 0j, wrt=(0,), label="to complex"),
    Sample("cast", lambda x: sg.cast(x, "complex64"), (np.array([2, -3, 0], np.int16),),
           lambda x: np.array([2, -3, 0], np.complex64), label="integers to complex"),
    Sample("cast", lambda x: sg.cast(x, "complex64"), (POINTS,),
           lambda z: z.astype(np.complex64), label="complex to complex"),
    Sample("cast", lambda x: sg.cast(x, "bool"), (np.array([0, 1j, 2, -0.0]),),
           lambda z: np.array([False, True, True, False]), label="complex to bool"),
    Sample("sum", lambda x: sg.sum(x, axis=0), (POINTS,), lambda z: z[0] + z[1], wrt=(0,),
           label="complex"),
    Sample("mean", lambda x: sg.mean(x, axis=1), (POINTS,),
           lambda z: (z[:, 0] + z[:, 1] + z[:, 2]) / 3, wrt=(0,), label="complex"),
    Sample("prod", lambda x: sg.prod(x, axis=1), (POINTS,),
           lambda z: z[:, 0] * z[:, 1] * z[:, 2], wrt=(0,), label="complex"),
    Sample("cumsum", lambda x: sg.cumsum(x, axis=1), (POINTS,), lambda z: np.cumsum(z, 1),
           wrt=(0,), label="complex"),
    Sample("cumprod", lambda x: sg.cumprod(x, axis=1), (POINTS,), lambda z: np.cumprod(z, 1),
           wrt=(0,), label="complex"),
    Sample("sum", lambda x: sg.var(x, axis=1), (POINTS,), lambda z: np.var(z, axis=1), wrt=(0,),
           label="variance of complex"),
    Sample("matmul", sg.matmul, (POINTS, _MATRIX),
           lambda a, b: np.stack([(row[:, None] * b).sum(0) for row in a]), wrt=(0, 1),
           label="complex"),
    Sample("matmul", sg.matmul, (np.stack([POINTS, 1j * POINTS]), _MATRIX),
           lambda a, b: np.einsum("bij,jk->bik", a, b), wrt=(0, 1), label="complex stack"),
    Sample("slice", lambda x: x[::-1, 1:], (POINTS,), lambda z: z[::-1, 1:], wrt=(0,),
           label="complex"),
    Sample("gather", lambda x, i: sg.gather(x, i, axis=1), (POINTS, _INDEX),
           lambda z, i: z[:, i], wrt=(0,), label="complex"),
    Sample("scatter_add", sg.scatter_add, (POINTS, np.array([1, 1]), POINTS * 1j),
           lambda z, i, u: np.stack([z[0], z[1] + u[0] + u[1]]), wrt=(0, 2), label="complex"),
    Sample("concat", lambda x, y: sg.concat([x, y], axis=0), (POINTS, OTHERS),
           lambda x, y: np.concatenate([x, y]), wrt=(0, 1), label="complex"),
    Sample("permute_dims", sg.permute_dims, (POINTS,), lambda z: z.T, wrt=(0,), label="complex"),
    Sample("broadcast_to", lambda x: sg.broadcast_to(x, (2, 3)), (OTHERS,),
           lambda z: np.concatenate([z, z]), wrt=(0,), label="complex"),
]  # fmt: skip


def _refuses(name: str, allowed: str, operand: str = "x") -> Refusal:
    def build() -> Any:
        return getattr(sg, name)(sg.placeholder("complex64", (2,), name="z"))

    return Refusal(
        name,
        build,
        DTypeError,
        f"{name}: does not take complex64\n"
        f"  {operand} 'z'  complex64[2]  placeholder at {{here}}\n"
        f"  {operand} may be {allowed}; sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at {here}: {line}",
        label="complex",
    )


_INTEGERS = "int8, int16, int32, int64, uint8, uint16, uint32, uint64"
_FLOATS = "float16, bfloat16, float32, float64"
REFUSALS: list[Refusal] = [
    *[_refuses(name, _FLOATS) for name in ("floor", "ceil", "trunc", "sigmoid", "erf")],
    _refuses("relu", f"{_INTEGERS}, {_FLOATS}"),
    *[_refuses(name, f"bool, {_INTEGERS}, {_FLOATS}") for name in ("max", "min", "argmax")],
    Refusal(
        "less",
        lambda: sg.placeholder("complex64", (), name="z") < 1,
        DTypeError,
        "less: does not take complex64\n"
        "  lhs 'z'  complex64[]  placeholder at {here}\n"
        "  rhs 'constant'  complex64[]  constant at {here}\n"
        f"  lhs may be bool, {_INTEGERS}, {_FLOATS}; "
        "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at {here}: {line}",
        label="complex",
    ),
    Refusal(
        "cast",
        lambda: sg.cast(sg.placeholder("complex128", (2,), name="z"), "float32"),
        DTypeError,
        "cast: complex128 does not become float32: the imaginary part would be lost\n"
        "  x 'z'  complex128[2]  placeholder at {here}\n"
        "  say which number is meant: sg.real(x), sg.imag(x), sg.abs(x) or sg.angle(x)\n"
        "  created at {here}: {line}",
        label="complex",
    ),
    Refusal(
        "imag",
        lambda: sg.imag(sg.placeholder("float32", (2,), name="x")),
        DTypeError,
        "imag: does not take float32\n"
        "  x 'x'  float32[2]  placeholder at {here}\n"
        "  x may be complex64, complex128; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "complex",
        lambda: sg.complex(sg.placeholder("complex64", (2,), name="z"), 1.0),
        DTypeError,
        "complex: does not take complex64\n"
        "  real 'z'  complex64[2]  placeholder at {here}\n"
        "  imag 'constant'  complex64[]  constant at {here}\n"
        "  real may be float16, bfloat16, float32, float64; "
        "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "complex",
        lambda: sg.complex(sg.zeros((2,)), sg.zeros((3,))),
        ShapeError,
        "complex: shapes do not broadcast\n"
        "  real 'zeros'  float32[2]  broadcast_to at {here}\n"
        "  imag 'zeros_1'  float32[3]  broadcast_to at {here}\n"
        "  axis -1: 2 and 3 must be equal, or one of them 1\n"
        "  created at {here}: {line}",
        label="shapes",
    ),
    *[
        Refusal(
            name,
            lambda name=name: getattr(sg, name)("three"),  # type: ignore[misc]
            DTypeError,
            "constant: 'three' is no array of numbers\n"
            "  its dtype is <U5\n"
            f"  staticgraph computes in bool, {_INTEGERS}, "
            f"{_FLOATS}, complex64, complex128\n"
            "  at {here}: {line}",
        )
        for name in ("real", "conj")
    ],
]
