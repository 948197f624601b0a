"""Samples of ops/elementwise/numbers.py, elementwise/trigonometric.py and special/.

Values are another formula in NumPy, Python's `math` or series of their own, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, GraphError, ShapeError

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

REALS = np.array([[-2.3, -0.7, 0.4], [1.2, 1.9, 3.3]], np.float32)
POSITIVE = np.array([[0.3, 0.8, 1.7], [2.6, 4.1, 9.2]], np.float32)
UNIT = np.array([[-0.9, -0.4, -0.1], [0.2, 0.6, 0.95]], np.float32)
ABOVE_ONE = np.array([[1.1, 1.5, 2.0], [3.3, 7.0, 20.0]], np.float32)
EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 88.0, -88.0, 1e30], np.float32)
INTEGERS = np.array([[-7, -1, 0], [1, 3, 8]], np.int32)
BOOLS = np.array([[True, False, True], [False, False, True]])

SAMPLES: list[Sample] = []
REFUSALS: list[Refusal] = []

# What complex numbers have as well; samples_complex.py has their samples.
_OF_COMPLEX = frozenset(
    ("log2", "log10", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")
)


def _wide(formula: Callable[..., Any]) -> Callable[..., Any]:
    """A formula of single numbers in float64, for arrays of any floating dtype."""
    whole = np.vectorize(formula, otypes=[np.float64])
    return lambda *xs: whole(*[x.astype(np.float64) for x in xs]).astype(
        np.result_type(*[x.dtype for x in xs])
    )


def _gamma_logarithm(x: float) -> float:
    if math.isinf(x) or math.isnan(x):
        return x
    return math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)


def _sum_to_the(power: int) -> Callable[[float], float]:
    """The sum of ``(x + k)**-power``: 2000 terms, and the integral and half a term for the rest."""

    def total(x: float) -> float:
        if math.isnan(x):
            return x
        if x == 0:
            return math.inf
        if x in (math.inf, -math.inf):
            return 0.0 if x > 0 else math.inf
        if x < 0 and x == math.floor(x):
            return math.inf
        count = 2000 + max(0, -math.floor(x))
        terms = [(x + k) ** -power for k in range(count)]
        end = x + count
        rest = end ** (1 - power) / (power - 1) + end**-power / 2
        return math.fsum(terms) + rest + power * end ** (-power - 1) / 12

    return total


def _digamma(x: float) -> float:
    """By moving far up, where three terms of the series are enough."""
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x == 0:
        return -math.copysign(math.inf, x)
    if x == math.inf:
        return x
    if x < 0 and x == math.floor(x):
        return math.nan
    count = 500 + max(0, -math.floor(x))
    end = x + count
    rest = math.log(end) - 1 / (2 * end) - 1 / (12 * end**2) + 1 / (120 * end**4)
    return rest - math.fsum(1 / (x + k) for k in range(count))


def _inverse_error(y: float) -> float:
    """By Newton's method."""
    if math.isnan(y) or abs(y) > 1:
        return math.nan
    if abs(y) == 1:
        return math.copysign(math.inf, y)
    x = y
    for _ in range(60):
        x -= (math.erf(x) - y) / (2 / math.sqrt(math.pi) * math.exp(-x * x))
    return math.copysign(x, y)


def _guarded(function: Callable[[float], float], outside: float = math.nan) -> Callable[..., Any]:
    """A function of `math` that gives NaN where that raises."""

    def value(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return outside
        except OverflowError:
            return math.inf

    return value


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: -math.inf if x == 0 else _guarded(function)(x)


def _atanh(x: float) -> float:
    return math.copysign(math.inf, x) if abs(x) == 1 else _guarded(math.atanh)(x)


# Per op: the meaning of one number, and the operand at which it is differentiated.
_UNARY: dict[str, tuple[Callable[..., Any], Array]] = {
    "exp2": (_wide(_guarded(lambda x: math.inf if x > 1023 else 2.0**x)), REALS),
    "log2": (_wide(_logarithm(math.log2)), POSITIVE),
    "log10": (_wide(_logarithm(math.log10)), POSITIVE),
    "cbrt": (_wide(lambda x: math.copysign(abs(x) ** (1 / 3), x)), REALS),
    "asin": (_wide(_guarded(math.asin)), UNIT),
    "acos": (_wide(_guarded(math.acos)), UNIT),
    "atan": (_wide(math.atan), REALS),
    "sinh": (_wide(lambda x: math.copysign(_guarded(math.sinh)(abs(x)), x)), REALS),
    "cosh": (_wide(_guarded(math.cosh)), REALS),
    "asinh": (_wide(math.asinh), REALS),
    "acosh": (_wide(_guarded(math.acosh)), ABOVE_ONE),
    "atanh": (_wide(_atanh), UNIT),
    "erfc": (_wide(math.erfc), REALS),
    "erfinv": (_wide(_inverse_error), UNIT),
    "lgamma": (_wide(_gamma_logarithm), REALS),
    "digamma": (_wide(_digamma), REALS),
}

for _name, (_meaning, _operand) in _UNARY.items():
    _call = getattr(sg, _name)
    _edges = EDGES[:6] if _name == "digamma" else EDGES
    SAMPLES += [
        Sample(_name, _call, (_operand,), _meaning, wrt=(0,), label="float32"),
        Sample(_name, _call, (_operand.astype(np.float64),), _meaning, label="float64"),
        Sample(_name, _call, (_edges,), _meaning, label="edges"),
        Sample(_name, _call, (np.zeros((0, 2), np.float32),), _meaning, label="empty"),
        Sample(
            _name, _call, (_operand[:, :1],), _meaning, wrt=(0,), label="an axis of size 1",
        ),
        Sample(
            _name, _call, (_operand[::-1, ::-1],), _meaning, wrt=(0,), label="negative strides",
        ),
        Sample(_name, _call, (_operand[0, 2],), _meaning, wrt=(0,), label="scalar"),
        Sample(
            _name, _call, (np.abs(INTEGERS) % 2 + 1,),
            lambda x, meaning=_meaning: meaning(x.astype(np.float64)), label="int32 as float64",
        ),
        Sample(
            _name, _call, (np.ones(3, bool),),
            lambda x, meaning=_meaning: meaning(x.astype(np.float32)), label="bool as float32",
        ),
    ]  # fmt: skip
    if _name in _OF_COMPLEX:
        REFUSALS.append(
            Refusal(
                _name,
                lambda call=_call: call("three"),
                DTypeError,
                "constant: 'three' is no array of numbers\n"
                "  its dtype is <U5\n"
                "  staticgraph computes in bool, int8, int16, int32, int64, uint8, uint16, uint32, "
                "uint64, float16, bfloat16, float32, float64, complex64, complex128\n"
                "  at {here}: {line}",
            )
        )
        continue
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(sg.placeholder("complex64", (2,), name="x")),
            DTypeError,
            f"{_name}: does not take complex64\n"
            "  x 'x'  complex64[2]  placeholder at {here}\n"
            "  x may be float16, bfloat16, float32, float64; "
            "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
            "  created at {here}: {line}",
        )
    )

SAMPLES += [
    Sample(
        "polygamma", lambda x, n=n: sg.polygamma(n, x), (operand,),
        lambda x, n=n: ((-1) ** (n + 1) * math.factorial(n) * _wide(_sum_to_the(n + 1))(x)).astype(
            x.dtype
        ),
        wrt=(0,), label=f"{n}, {label}",
    )
    for n in (1, 2, 3)
    for label, operand in (("float32", REALS), ("scalar", np.float32(0.6)))
]  # fmt: skip
SAMPLES += [
    Sample(
        "polygamma", lambda x: sg.polygamma(1, x), (EDGES[:6],), _wide(_sum_to_the(2)),
        label="edges",
    ),
    Sample("digamma", lambda x: sg.polygamma(0, x), (REALS,), _wide(_digamma), label="order 0"),
    Sample(
        "polygamma", lambda x: sg.polygamma(2, x), (np.array([1, 2], np.int32),),
        lambda x: -2 * _wide(_sum_to_the(3))(x.astype(np.float64)), label="int32 as float64",
    ),
    Sample(
        "polygamma", lambda x: sg.polygamma(1, x), (np.zeros((0, 2), np.float32),), lambda x: x,
        label="empty",
    ),
]  # fmt: skip
REFUSALS += [
    Refusal(
        "polygamma",
        lambda: sg.polygamma(-1, sg.placeholder("float32", (2,), name="x")),
        GraphError,
        "polygamma: -1 is no order of a derivative\n"
        "  give an int from 0 on, which is known when the graph is built\n"
        "  at {here}: {line}",
    ),
    Refusal(
        "polygamma",
        lambda: sg.polygamma(1, sg.placeholder("complex64", (2,), name="x")),
        DTypeError,
        "polygamma: does not take complex64\n"
        "  x 'x'  complex64[2]  placeholder at {here}\n"
        "  x may be float16, bfloat16, float32, float64; "
        "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at {here}: {line}",
        label="complex",
    ),
    Refusal(
        "signbit",
        lambda: sg.signbit(sg.placeholder("complex64", (2,), name="x")),
        DTypeError,
        "signbit: does not take complex64\n"
        "  x 'x'  complex64[2]  placeholder at {here}\n"
        "  x may be float16, bfloat16, float32, float64; "
        "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "identity",
        lambda: sg.positive(sg.placeholder("bool", (2,), name="x")),
        DTypeError,
        "positive: does not take bool\n"
        "  'x'  bool[2]  placeholder at {here}\n"
        "  sg.cast(x, dtype) converts\n"
        "  at {here}: {line}",
        label="positive",
    ),
]
SAMPLES.append(Sample("signbit", sg.signbit, (EDGES[1:],), lambda x: np.copysign(1, x) < 0))

# -- two operands -----------------------------------------------------------------------------

_ROW = np.array([0.65, -1.7, 2.9], np.float32)
_COLUMN = np.array([[1.4], [-0.8]], np.float32)
_EDGE_PAIRS = tuple(
    np.array(column, np.float32)
    for column in zip(
        *[
            (a, b)
            for a in (0.0, -0.0, 1.0, -2.0, np.inf, -np.inf, np.nan)
            for b in (0.0, -0.0, 3.0, -1.0, np.inf, -np.inf, np.nan)
        ],
        strict=True,
    )
)


def _fmod(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or b == 0:
        return math.nan
    return math.fmod(a, b)


def _logaddexp(a: float, b: float) -> float:
    if a == b or math.isnan(a) or math.isnan(b):
        return a + b if math.isinf(a) or a != b else a + math.log(2)
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


def _xlogy(x: float, y: float) -> float:
    if x == 0 and not math.isnan(y):
        return 0.0
    return x * _logarithm(math.log)(y)


# Per op: the meaning of two numbers, and which operands have a derivative.
_BINARY: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "atan2": (_wide(math.atan2), (0, 1)),
    "hypot": (_wide(math.hypot), (0, 1)),
    "logaddexp": (_wide(_logaddexp), (0, 1)),
    "fmod": (_wide(_fmod), (0, 1)),
    "copysign": (_wide(math.copysign), (0,)),
    "nextafter": (
        lambda a, b: np.where(
            np.isnan(a) | np.isnan(b),
            np.float32("nan") * a * b,
            np.where(a == b, b, np.nextafter(a, b)),
        ).astype(a.dtype),
        (0,),
    ),
    "xlogy": (_wide(_xlogy), (1,)),
}

for _name, (_meaning, _wrt) in _BINARY.items():
    _call = getattr(sg, _name)
    _left, _right = (REALS, POSITIVE) if _name == "xlogy" else (REALS, REALS[:, ::-1] * 1.3)
    _line = np.abs(_ROW) if _name == "xlogy" else _ROW
    SAMPLES += [
        Sample(_name, _call, (_left, _right), _meaning, wrt=_wrt, label="same"),
        Sample(_name, _call, (_left[:, ::-1], _line), _meaning, wrt=_wrt, label="row"),
        Sample(_name, _call, (_COLUMN, _line), _meaning, wrt=_wrt, label="column and row"),
        Sample(_name, _call, (np.float32(2.2), _right), _meaning, wrt=_wrt, label="scalar"),
        Sample(_name, _call, (np.ones((0, 1), np.float32), _line), _meaning, label="empty"),
        Sample(_name, _call, _EDGE_PAIRS, _meaning, label="edges"),
        Sample(
            _name, lambda x, call=_call: call(x, 2), (REALS,),
            lambda x, meaning=_meaning: meaning(x, np.full_like(x, 2)),
            wrt=(0,) if 0 in _wrt else (), label="number on the right",
        ),
        Sample(
            _name, _call, (np.array([3, 200], np.uint8), np.array([7.0, 2.0], np.float32)),
            lambda a, b, meaning=_meaning: meaning(a.astype(np.float32), b), label="promoted",
        ),
    ]  # fmt: skip
    _first, _second = ("y", "x") if _name == "atan2" else ("lhs", "rhs")
    _first, _second = ("x", "y") if _name == "xlogy" else (_first, _second)
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(
                sg.placeholder("float32", (3, 2), name="a"),
                sg.placeholder("float32", (None, 3), name="b"),
            ),
            ShapeError,
            f"{_name}: shapes do not broadcast\n"
            f"  {_first} 'a'  float32[3, 2]  placeholder at {{here}}\n"
            f"  {_second} 'b'  float32[?, 3]  placeholder at {{here}}\n"
            "  axis -1: 2 and 3 must be equal, or one of them 1\n"
            "  created at {here}: {line}",
        )
    )

SAMPLES += [
    Sample("xlogy", sg.xlogy, (REALS, POSITIVE), _wide(_xlogy), wrt=(0, 1), label="both"),
    Sample(
        "xlogy", sg.xlogy, (np.zeros(2, np.float32), POSITIVE[0, :2]), lambda x, y: x * y,
        wrt=(0, 1), label="at 0",
    ),
    Sample(
        "fmod", sg.fmod,
        (np.array([[5, -3, 4], [7, 0, -9]], np.int32), np.array([2, -3, 4], np.int32)),
        lambda a, b: np.vectorize(lambda p, q: int(math.fmod(p, q)))(a, b).astype(np.int32),
        label="integers",
    ),
    Sample(
        "fmod", sg.fmod,
        (np.array([1e38, -3e38, 1e30, 16777217.0], np.float32),
         np.array([1e-45, 7e-40, 3.0, 0.1], np.float32)),
        lambda a, b: np.array([math.fmod(p, q) for p, q in zip(a, b, strict=True)], np.float32),
        label="far apart",
    ),
    Sample(
        "hypot", sg.hypot, (np.array([3e38, 1e-40], np.float32), np.array([1e38, 1e-41], "f4")),
        _wide(math.hypot), label="large and small",
    ),
]  # fmt: skip


def _below(a: float, x: float) -> float:
    """The power series, 400 terms of it, after moving a up by 1 so that small ones are exact."""
    if math.isnan(a) or math.isnan(x) or a < 0 or x < 0 or a == x == math.inf or a == x == 0:
        return math.nan
    if a == 0 or x == math.inf:
        return 1.0
    if x == 0 or a == math.inf:
        return 0.0
    term = total = 1.0
    for n in range(1, 400):
        term *= x / (a + n)
        total += term
    return math.exp(a * math.log(x) - x - math.lgamma(a + 1)) * total


_CONCENTRATIONS = np.array([[0.4, 0.9, 1.7], [3.0, 6.5, 9.1]], np.float32)
_PLACES = np.array([[0.3, 1.9, 1.1], [2.2, 8.0, 6.5]], np.float32)
for _name, _meaning in (
    ("igamma", _wide(_below)),
    ("igammac", _wide(lambda a, x: 1 - _below(a, x))),
):
    _call = getattr(sg, _name)
    SAMPLES += [
        Sample(_name, _call, (_CONCENTRATIONS, _PLACES), _meaning, wrt=(0, 1), label="both"),
        Sample(
            _name, _call, (_CONCENTRATIONS[:, :1], _PLACES[0]), _meaning, wrt=(0, 1),
            label="column and row",
        ),
        Sample(_name, _call, (np.float32(2.5), _PLACES), _meaning, wrt=(0, 1), label="scalar"),
        Sample(_name, _call, (np.ones((0, 1), np.float32), _PLACES[0]), _meaning, label="empty"),
        Sample(_name, _call, _EDGE_PAIRS, _meaning, label="edges"),
        Sample(
            _name, _call, (np.array([1, 3], np.int32), np.array([2, 4], np.int32)),
            lambda a, x, meaning=_meaning: meaning(a.astype(float), x.astype(float)),
            label="integers",
        ),
    ]  # fmt: skip
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(sg.placeholder("complex64", (), name="a"), 1.0),
            DTypeError,
            f"{_name}: does not take complex64\n"
            "  a 'a'  complex64[]  placeholder at {here}\n"
            "  x 'constant'  complex64[]  constant at {here}\n"
            "  a may be float16, bfloat16, float32, float64; "
            "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
            "  created at {here}: {line}",
        )
    )

# -- bits -------------------------------------------------------------------------------------

for _name, _moved in (
    ("bitwise_left_shift", lambda a, b: a << b),
    ("bitwise_right_shift", lambda a, b: a >> b),
):
    _call = getattr(sg, _name)

    def _by_numbers(a: Array, b: Array, moved: Callable[[int, int], int] = _moved) -> Array:
        """With Python's integers, which have as many bits as it takes."""
        info = np.iinfo(a.dtype)
        size = 1 << info.bits

        def one(p: int, q: int) -> int:
            inside = 0 <= q < info.bits
            result = moved(p, q if inside else info.bits) % size
            return result - size if result > info.max else result

        return np.array(
            [one(int(p), int(q)) for p, q in np.broadcast(a, b)], a.dtype
        ).reshape(np.broadcast_shapes(a.shape, b.shape))  # fmt: skip

    SAMPLES += [
        Sample(
            _name, _call,
            (np.array([[1, -1, 77], [-128, 127, -3]], dtype), np.array([1, 3, 6], dtype)),
            _by_numbers, label=f"{np.dtype(dtype)}",
        )
        for dtype in (np.int8, np.int16, np.int32, np.int64)
    ]  # fmt: skip
    SAMPLES += [
        Sample(
            _name, _call, (np.array([[1, 200, 77]], np.uint8), np.array([[1], [7], [8]], np.uint8)),
            _by_numbers, label="unsigned",
        ),
        Sample(
            _name, _call,
            (np.array([5, -5, 9, -9], np.int32), np.array([-1, -2, 32, 99], np.int32)),
            _by_numbers, label="out of range",
        ),
        Sample(
            _name, lambda x, call=_call: call(x, 2), (INTEGERS,),
            lambda x, meaning=_by_numbers: meaning(x, np.full_like(x, 2)), label="number",
        ),
        Sample(_name, _call, (np.zeros((0, 1), np.int8), np.int8(1)), _by_numbers, label="empty"),
    ]  # fmt: skip
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
