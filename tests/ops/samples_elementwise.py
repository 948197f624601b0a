"""Samples of ops/elementwise/: values from NumPy's own functions or from another formula."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, GraphError, ShapeError

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

# Away from the kinks and jumps of every op below, and on both sides of 0.
REALS = np.array([[-2.3, -0.7, 0.4], [1.2, 1.9, 3.3]], np.float32)
POSITIVE = np.array([[0.3, 0.8, 1.7], [2.6, 4.1, 9.2]], np.float32)
UNIT = np.array([[-0.9, -0.4, -0.1], [0.2, 0.6, 0.95]], np.float32)
EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 88.0, -88.0, 1e30], np.float32)
INTEGERS = np.array([[-7, -1, 0], [1, 3, 8]], np.int32)
BOOLS = np.array([[True, False, True], [False, False, True]])

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _wide(formula: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A formula that is only accurate in float64, for floating operands of any dtype."""
    return lambda x: formula(x.astype(np.float64)).astype(x.dtype)


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small / (1 + small), 1 / (1 + small))


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# What also takes complex numbers.
_COMPLEX = ", complex64, complex128"

SAMPLES: list[Sample] = []
REFUSALS: list[Refusal] = []

# -- one operand ------------------------------------------------------------------------------

# Per op: the meaning, and the operand at which it is differentiated.
_UNARY: dict[str, tuple[Callable[..., Any], Array]] = {
    "negative": (lambda x: -x, REALS),
    "square": (lambda x: x * x, REALS),
    "abs": (np.fabs, REALS),
    "sign": (np.sign, REALS),
    "relu": (lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, 0 * x.dtype.type(0))), REALS),
    "reciprocal": (lambda x: 1 / x, REALS),
    "floor": (np.floor, REALS),
    "ceil": (lambda x: -np.floor(-x), REALS),
    "round": (np.round, REALS),
    "trunc": (np.trunc, REALS),
    "exp": (np.exp, REALS),
    "expm1": (_wide(np.expm1), REALS),
    "log": (np.log, POSITIVE),
    "log1p": (_wide(np.log1p), UNIT),
    "sqrt": (np.sqrt, POSITIVE),
    "rsqrt": (lambda x: 1 / np.sqrt(x), POSITIVE),
    "sin": (np.sin, REALS),
    "cos": (np.cos, REALS),
    "tan": (np.tan, UNIT),
    "tanh": (np.tanh, REALS),
    "sigmoid": (_wide(_sigmoid), REALS),
    "softplus": (_wide(_softplus), REALS),
    "erf": (_wide(_erf), REALS),
}
# Their integers are computed as integers; the others compute them in floating point.
_OF_INTEGERS = ("negative", "square", "abs", "sign", "relu")

for _name, (_meaning, _operand) in _UNARY.items():
    _call = getattr(sg, _name)
    SAMPLES += [
        Sample(_name, _call, (_operand,), _meaning, wrt=(0,), label="float32"),
        Sample(_name, _call, (_operand.astype(np.float64),), _meaning, label="float64"),
        Sample(_name, _call, (EDGES,), _meaning, label="edges"),
        Sample(_name, _call, (np.zeros((0, 2), np.float32),), _meaning, label="empty"),
        Sample(_name, _call, (np.float32(0.45),), _meaning, wrt=(0,), label="scalar"),
    ]
    if _name in _OF_INTEGERS:
        _kept = {"abs": np.abs, "relu": lambda x: np.where(x > 0, x, x.dtype.type(0))}
        SAMPLES.append(
            Sample(_name, _call, (INTEGERS,), _kept.get(_name, _meaning), label="integers")
        )
        REFUSALS.append(
            Refusal(
                _name,
                lambda call=_call: call(sg.placeholder("bool", (2,), name="x")),
                DTypeError,
                f"{_name}: does not take bool\n"
                "  x 'x'  bool[2]  placeholder at {here}\n"
                "  x may be int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
                f"float16, bfloat16, float32, float64{'' if _name == 'relu' else _COMPLEX}; "
                "sg.cast(x, dtype) converts\n"
                "  created at {here}: {line}",
            )
        )
    else:
        SAMPLES.append(
            Sample(
                _name, _call, (BOOLS,),
                lambda x, meaning=_meaning: meaning(x.astype(np.float32)), label="bool as float32",
            )
        )  # fmt: skip
        if _name in ("ceil", "floor", "round", "trunc"):
            SAMPLES.append(Sample("identity", _call, (INTEGERS,), lambda x: x, label=_name))
        else:
            SAMPLES.append(
                Sample(
                    _name, _call, (np.abs(INTEGERS) % 2,),
                    lambda x, meaning=_meaning: meaning(x.astype(np.float64)),
                    label="int32 as float64",
                )
            )  # fmt: skip

for _name in (*_UNARY, "isnan", "isinf", "isfinite"):
    if _name not in _OF_INTEGERS:
        REFUSALS.append(
            Refusal(
                _name,
                lambda name=_name: getattr(sg, name)("three"),
                DTypeError,
                "constant: 'three' is no array of numbers\n"
                "  its dtype is <U5\n"
                "  staticgraph computes in bool, int8, int16, int32, int64, uint8, uint16, uint32, "
                "uint64, float16, bfloat16, float32, float64, complex64, complex128\n"
                "  at {here}: {line}",
            )
        )

for _name, _meaning in (
    ("isnan", lambda x: x != x),
    ("isinf", lambda x: np.abs(x) == np.inf),
    ("isfinite", lambda x: np.abs(x) < np.inf),
):
    SAMPLES += [
        Sample(_name, getattr(sg, _name), (EDGES,), _meaning),
        Sample(_name, getattr(sg, _name), (INTEGERS,), _meaning, label="integers"),
    ]

SAMPLES += [
    Sample("logical_not", sg.logical_not, (BOOLS,), lambda x: x == False),  # noqa: E712
    Sample("bitwise_invert", sg.bitwise_invert, (INTEGERS,), lambda x: -x - 1),
    Sample(
        "bitwise_invert", sg.bitwise_invert, (np.array([0, 1, 255], np.uint8),),
        lambda x: 255 - x, label="unsigned",
    ),
]  # fmt: skip
REFUSALS += [
    Refusal(
        "logical_not",
        lambda: sg.logical_not(sg.placeholder("int8", (2,), name="x")),
        DTypeError,
        "logical_not: does not take int8\n"
        "  x 'x'  int8[2]  placeholder at {here}\n"
        "  x may be bool; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "bitwise_invert",
        lambda: sg.bitwise_invert(sg.placeholder("float32", (2,), name="x")),
        DTypeError,
        "bitwise_invert: does not take float32\n"
        "  x 'x'  float32[2]  placeholder at {here}\n"
        "  x may be int8, int16, int32, int64, uint8, uint16, uint32, uint64; "
        "sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
]

# -- two operands -----------------------------------------------------------------------------

_ROW = np.array([0.65, -1.7, 2.9], np.float32)
_COLUMN = np.array([[1.4], [-0.8]], np.float32)
_PAIRS = np.array([[5, -3, 4], [7, 0, -9]], np.int32), np.array([2, -3, 4], np.int32)
_EDGE_PAIRS = (
    np.array([np.nan, 1.0, np.inf, -np.inf, 0.0, -0.0, 5.0, -5.0, 1e38], np.float32),
    np.array([1.0, np.nan, np.inf, 2.0, -0.0, 3.0, np.inf, 2.0, 1e38], np.float32),
)


def _edges(name: str) -> tuple[Array, Array]:
    """The edge pairs; the larger of 0.0 and -0.0 is either of them, as in NumPy."""
    lhs, rhs = _EDGE_PAIRS
    kept = (lhs != rhs) | (np.signbit(lhs) == np.signbit(rhs))
    return (lhs[kept], rhs[kept]) if name in ("maximum", "minimum") else (lhs, rhs)


_SUMS = ("add", "subtract", "multiply")

# Per op: the meaning, whether it has a derivative.
_BINARY: dict[str, tuple[Callable[..., Any], bool]] = {
    "add": (lambda a, b: a + b, True),
    "subtract": (lambda a, b: a - b, True),
    "multiply": (lambda a, b: a * b, True),
    "divide": (lambda a, b: a / b, True),
    "floor_divide": (lambda a, b: a // b, True),
    "remainder": (lambda a, b: a % b, True),
    "maximum": (lambda a, b: np.where(np.isnan(a) | (a > b), a, b), True),
    "minimum": (lambda a, b: np.where(np.isnan(a) | (a < b), a, b), True),
    "equal": (lambda a, b: a == b, False),
    "not_equal": (lambda a, b: a != b, False),
    "less": (lambda a, b: a < b, False),
    "less_equal": (lambda a, b: a <= b, False),
    "greater": (lambda a, b: a > b, False),
    "greater_equal": (lambda a, b: a >= b, False),
}

for _name, (_meaning, _smooth) in _BINARY.items():
    _call, _wrt = getattr(sg, _name), (0, 1) if _smooth else ()
    SAMPLES += [
        Sample(_name, _call, (REALS, REALS[:, ::-1] * 1.3), _meaning, wrt=_wrt, label="same"),
        Sample(_name, _call, (REALS, _ROW), _meaning, wrt=_wrt, label="row"),
        Sample(_name, _call, (_COLUMN, _ROW), _meaning, wrt=_wrt, label="column and row"),
        Sample(_name, _call, (np.float32(2.2), REALS), _meaning, wrt=_wrt, label="scalar"),
        Sample(_name, _call, (np.ones((0, 1), np.float32), _ROW), _meaning, label="empty"),
        Sample(_name, _call, _edges(_name), _meaning, label="edges"),
        Sample(
            _name, lambda x, call=_call: call(x, 2), (REALS,),
            lambda x, meaning=_meaning: meaning(x, np.float32(2)), wrt=(0,) if _smooth else (),
            label="number on the right",
        ),
        Sample(
            _name, lambda x, call=_call: call(1.5, x), (REALS,),
            lambda x, meaning=_meaning: meaning(np.float32(1.5), x), wrt=(0,) if _smooth else (),
            label="number on the left",
        ),
        Sample(
            _name, _call, (np.array([3, 200], np.uint8), np.array([7.0, 2.0], np.float32)),
            lambda a, b, meaning=_meaning: meaning(a.astype(np.float32), b), label="promoted",
        ),
        Sample(
            _name, _call, _PAIRS,
            lambda a, b, meaning=_meaning, wide=_name == "divide": meaning(
                a.astype(np.float64) if wide else a, b
            ),
            label="integers",
        ),
    ]  # fmt: skip
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(
                sg.placeholder("float32", (3, 2), name="x"),
                sg.placeholder("float32", (None, 3), name="y"),
            ),
            ShapeError,
            f"{_name}: shapes do not broadcast\n"
            "  lhs 'x'  float32[3, 2]  placeholder at {here}\n"
            "  rhs 'y'  float32[?, 3]  placeholder at {here}\n"
            "  axis -1: 2 and 3 must be equal, or one of them 1\n"
            "  created at {here}: {line}",
            label="shapes",
        )
    )
    if _name in ("add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "minimum"):
        REFUSALS.append(
            Refusal(
                _name,
                lambda call=_call: call(sg.placeholder("bool", (), name="x"), True),
                DTypeError,
                f"{_name}: does not take bool\n"
                "  lhs 'x'  bool[]  placeholder at {here}\n"
                "  rhs 'constant'  bool[]  constant at {here}\n"
                "  lhs may be int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
                f"float16, bfloat16, float32, float64{_COMPLEX if _name in _SUMS else ''}; "
                "sg.cast(x, dtype) converts\n"
                "  created at {here}: {line}",
                label="bool",
            )
        )

for _name, _meaning in (
    ("logical_and", lambda a, b: np.minimum(a, b)),
    ("logical_or", lambda a, b: np.maximum(a, b)),
    ("logical_xor", lambda a, b: a != b),
):
    _call = getattr(sg, _name)
    SAMPLES += [
        Sample(_name, _call, (BOOLS, BOOLS[::-1]), _meaning),
        Sample(_name, _call, (BOOLS, np.bool_(True)), _meaning, label="scalar"),
    ]
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(sg.placeholder("int32", (), name="x"), 1),
            DTypeError,
            f"{_name}: does not take int32\n"
            "  lhs 'x'  int32[]  placeholder at {here}\n"
            "  rhs 'constant'  int32[]  constant at {here}\n"
            "  lhs may be bool; sg.cast(x, dtype) converts\n"
            "  created at {here}: {line}",
        )
    )

for _name in ("and", "or", "xor"):
    SAMPLES.append(
        Sample(
            f"logical_{_name}", getattr(sg, f"bitwise_{_name}"), (BOOLS, BOOLS[::-1]),
            getattr(np, f"logical_{_name}"), label="bits of bools",
        )
    )  # fmt: skip
SAMPLES.append(
    Sample("logical_not", sg.bitwise_invert, (BOOLS,), lambda x: x ^ True, label="bits of bools")
)

for _name, _bit in (
    ("bitwise_and", lambda p, q: p and q),
    ("bitwise_or", lambda p, q: p or q),
    ("bitwise_xor", lambda p, q: p != q),
):
    _call = getattr(sg, _name)

    def _by_bits(a: Array, b: Array, bit: Callable[[bool, bool], bool] = _bit) -> Array:
        total = np.zeros(np.broadcast_shapes(a.shape, b.shape), np.uint8)
        for place in range(8):
            chosen = np.vectorize(bit)((a >> place) & 1, (b >> place) & 1)
            total += np.where(chosen, 1 << place, 0).astype(np.uint8)
        return total

    SAMPLES.append(
        Sample(
            _name, _call,
            (np.array([[0, 3], [170, 255]], np.uint8), np.array([5, 204], np.uint8)), _by_bits,
        )
    )  # fmt: skip
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(sg.placeholder("float32", (), name="x"), 1.0),
            DTypeError,
            f"{_name}: does not take float32\n"
            "  lhs 'x'  float32[]  placeholder at {here}\n"
            "  rhs 'constant'  float32[]  constant at {here}\n"
            "  lhs may be int8, int16, int32, int64, uint8, uint16, uint32, uint64; "
            "sg.cast(x, dtype) converts\n"
            "  created at {here}: {line}",
        )
    )

# -- powers -----------------------------------------------------------------------------------

_EXPONENT = np.array([[1.5, -2.0, 0.3], [3.0, 2.5, -0.7]], np.float32)


def _power(base: Array, exponent: Array) -> Array:
    return np.exp(exponent.astype(np.float64) * np.log(base.astype(np.float64))).astype(np.float32)


SAMPLES += [
    Sample("pow", sg.pow, (POSITIVE, _EXPONENT), _power, wrt=(0, 1), label="both"),
    Sample("pow", sg.pow, (POSITIVE, _EXPONENT[0]), _power, wrt=(0, 1), label="row"),
    Sample(
        "pow", lambda x: sg.pow(2.5, x), (REALS,),
        lambda x: np.exp(x.astype(np.float64) * math.log(2.5)).astype(np.float32), wrt=(0,),
        label="of a number",
    ),
    Sample(
        "pow", sg.pow, (INTEGERS, np.int32(3)), lambda a, b: a * a * a, label="integers",
    ),
]  # fmt: skip
for _number, _meaning in (
    (0, lambda x: x**0),
    (1, lambda x: x),
    (2, lambda x: x * x),
    (3, lambda x: x * x * x),
    (-1, lambda x: 1 / x),
    (-2, lambda x: 1 / (x * x)),
):
    SAMPLES.append(
        Sample(
            "pow", lambda x, number=_number: sg.pow(x, number), (REALS,), _meaning, wrt=(0,),
            label=f"to the {_number}",
        )
    )  # fmt: skip
REFUSALS.append(
    Refusal(
        "pow",
        lambda: sg.pow(sg.placeholder("bool", (), name="x"), True),
        DTypeError,
        "pow: does not take bool\n"
        "  base 'x'  bool[]  placeholder at {here}\n"
        "  exponent 'constant'  bool[]  constant at {here}\n"
        "  base may be int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
        "float16, bfloat16, float32, float64, complex64, complex128; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    )
)

# -- selection --------------------------------------------------------------------------------


def _choose(condition: Array, x: Array, y: Array) -> Array:
    condition, x, y = np.broadcast_arrays(condition, x, y)
    picked = [b if a else c for a, b, c in zip(condition.flat, x.flat, y.flat, strict=True)]
    return np.array(picked, x.dtype).reshape(x.shape)


SAMPLES += [
    Sample("where", sg.where, (BOOLS, REALS, POSITIVE), _choose, wrt=(1, 2)),
    Sample(
        "where", sg.where, (BOOLS[:, :1], _ROW, np.float32(4.0)), _choose, wrt=(1, 2),
        label="broadcast",
    ),
    Sample(
        "where", lambda c, x: sg.where(c, x, 0), (BOOLS, REALS),
        lambda c, x: _choose(c, x, np.float32(0)), wrt=(1,), label="number",
    ),
    Sample(
        "where", lambda c: sg.where(c, 1.5, -1), (BOOLS,),
        lambda c: _choose(c, np.float32(1.5), np.float32(-1)), label="numbers",
    ),
    Sample("where", sg.where, (np.bool_(False), INTEGERS, -INTEGERS), _choose, label="integers"),
    Sample("where", sg.where, (np.ones((0, 3), bool), REALS[:1], _ROW), _choose, label="empty"),
]  # fmt: skip


def _limit(x: Array, low: Array, high: Array) -> Array:
    x, low, high = np.broadcast_arrays(x, low, high)
    limited = [
        v if math.isnan(v) else min(max(v, a), b)
        for v, a, b in zip(x.flat, low.flat, high.flat, strict=True)
    ]
    return np.array(limited, x.dtype).reshape(x.shape)


SAMPLES += [
    Sample(
        "clip", sg.clip, (REALS, np.full((2, 3), -1, np.float32), _ROW * _ROW + 1), _limit,
        wrt=(0, 1, 2),
    ),
    Sample(
        "clip", lambda x: sg.clip(x, -1, 1.5), (REALS,),
        lambda x: _limit(x, np.float32(-1), np.float32(1.5)), wrt=(0,), label="numbers",
    ),
    Sample(
        "clip", lambda x: sg.clip(x, -0.5, 1.0), (EDGES,),
        lambda x: _limit(x, np.float32(-0.5), np.float32(1)), label="edges",
    ),
    Sample(
        "clip", lambda x: sg.clip(x, -2, 2), (INTEGERS,),
        lambda x: _limit(x, np.int32(-2), np.int32(2)), label="integers",
    ),
    Sample(
        "clip", lambda x, low, high: sg.clip(x, low, high),
        (REALS, np.float32(2.0), np.float32(1.0)), lambda x, low, high: np.full_like(x, 1.0),
        wrt=(0, 1, 2), label="low above high",
    ),
]  # fmt: skip

REFUSALS += [
    Refusal(
        "where",
        lambda: sg.where(sg.placeholder("int8", (2,), name="c"), 1.0, 0.0),
        DTypeError,
        "where: does not take int8\n"
        "  condition 'c'  int8[2]  placeholder at {here}\n"
        "  x 'constant'  float32[]  constant at {here}\n"
        "  y 'constant_1'  float32[]  constant at {here}\n"
        "  condition may be bool; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
        label="condition",
    ),
    Refusal(
        "where",
        lambda: sg.where(
            sg.placeholder("bool", (2,), name="c"),
            sg.placeholder("float32", (2, 3), name="x"),
            0.0,
        ),
        ShapeError,
        "where: shapes do not broadcast\n"
        "  condition 'c'  bool[2]  placeholder at {here}\n"
        "  x 'x'  float32[2, 3]  placeholder at {here}\n"
        "  y 'constant'  float32[]  constant at {here}\n"
        "  axis -1: 2 and 3 must be equal, or one of them 1\n"
        "  created at {here}: {line}",
        label="shapes",
    ),
    Refusal(
        "where",
        lambda: sg.where(sg.placeholder("bool", (2,), name="c")),
        GraphError,
        "where: x is missing, so there is nothing to choose between\n"
        "  sg.nonzero(condition) gives the places where it holds; "
        "sg.where(condition, x, y) chooses elements\n"
        "  at {here}: {line}",
        label="one argument",
    ),
    Refusal(
        "clip",
        lambda: sg.clip(sg.placeholder("float32", (2,), name="x"), [0.0, 0.0, 0.0], 1.0),
        ShapeError,
        "clip: shapes do not broadcast\n"
        "  x 'x'  float32[2]  placeholder at {here}\n"
        "  low 'constant'  float32[3]  constant at {here}\n"
        "  high 'constant_1'  float32[]  constant at {here}\n"
        "  axis -1: 2 and 3 must be equal, or one of them 1\n"
        "  created at {here}: {line}",
    ),
]
