"""Samples of ops/special_*.py and elementwise/parts.py, and of what elementwise/made.py makes.

Values are Python's `math`, sums and bisections of their own, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

REALS = np.array([[-2.3, -0.7, 0.4], [1.2, 1.9, 3.3]], np.float32)
UNIT = np.array([[0.03, 0.2, 0.45], [0.6, 0.85, 0.98]], np.float32)
POSITIVE = np.array([[0.3, 0.8, 1.7], [2.6, 9.1, 14.2]], np.float32)
EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 1.0, 30.0, -30.0], np.float32)
ENDS = np.array([np.nan, np.inf, -np.inf, 0.0, 1.0, 2.0, -1.0, 1e-30, 0.5], np.float32)

SAMPLES: list[Sample] = []
REFUSALS: list[Refusal] = []


def _wide(formula: Callable[..., Any]) -> Callable[..., Any]:
    """A formula of single numbers in float64, for arrays of any floating dtype."""
    whole = np.vectorize(formula, otypes=[np.float64])
    return lambda *xs: whole(*[x.astype(np.float64) for x in xs]).astype(
        np.result_type(*[x.dtype for x in xs])
    )


def _erfcx(x: float) -> float:
    if math.isnan(x) or math.isinf(x):
        return x if math.isnan(x) else 0.0 if x > 0 else math.inf
    if x < -26:
        return math.inf
    if x < 5:
        return math.exp(x * x) * math.erfc(x)
    # The continued fraction, from far behind.
    rest = 0.0
    for n in range(100, 0, -1):
        rest = n / 2 / (x + rest)
    return 1 / (x + rest) / math.sqrt(math.pi)


def _ndtr(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def _log_ndtr(x: float) -> float:
    if math.isnan(x) or math.isinf(x):
        return x if not x > 0 else -0.0
    if x > -1:
        return math.log1p(-_ndtr(-x))
    return math.log(_erfcx(-x / math.sqrt(2)) / 2) - x * x / 2


def _bisected(function: Callable[[float], float], value: float, low: float, high: float) -> float:
    """Where a function that grows has a value."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < value else (low, middle)
    return (low + high) / 2


def _ndtri(p: float) -> float:
    if math.isnan(p) or not 0 <= p <= 1:
        return math.nan
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    if p == 0.5:
        return 0.0
    return -_ndtri(1 - p) if p > 0.5 else _bisected(_log_ndtr, math.log(p), -40.0, 0.0)


def _erfcinv(y: float) -> float:
    return -_ndtri(y / 2) / math.sqrt(2)


def _logit(p: float) -> float:
    if math.isnan(p) or not 0 <= p <= 1:
        return math.nan
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    return math.log(p) - math.log1p(-p)


def _bessel(order: int, scaled: bool) -> Callable[[float], float]:
    """The mean of an exponential over a circle, which is exact but for rounding."""

    def value(x: float) -> float:
        if math.isnan(x) or (x == 0 and order == 1):
            return x
        if math.isinf(x):
            result = 0.0 if scaled else math.inf
            return math.copysign(result, x) if order else result
        angles = [2 * math.pi * k / 256 for k in range(256)]
        less = abs(x) if scaled else 0.0
        return (
            math.fsum(math.exp(x * math.cos(t) - less) * math.cos(order * t) for t in angles) / 256
        )

    return value


# Per op: the meaning of one number, where it is differentiated, and numbers at its edges.
_UNARY: dict[str, tuple[Callable[..., Any], Array, Array]] = {
    "erfcx": (_wide(_erfcx), REALS, EDGES),
    "ndtr": (_wide(_ndtr), REALS, EDGES),
    "log_ndtr": (_wide(_log_ndtr), REALS, EDGES),
    "ndtri": (_wide(_ndtri), UNIT, ENDS),
    "logit": (_wide(_logit), UNIT, ENDS),
    "i0": (_wide(_bessel(0, False)), REALS, EDGES),
    "i0e": (_wide(_bessel(0, True)), REALS, EDGES),
    "i1": (_wide(_bessel(1, False)), REALS, EDGES[np.float32(1e-40) != EDGES]),
    "i1e": (_wide(_bessel(1, True)), REALS, EDGES[np.float32(1e-40) != EDGES]),
}

for _name, (_meaning, _operand, _edges) in _UNARY.items():
    _call = getattr(sg, _name)
    _operand_name = "p" if _name in ("ndtri", "logit") else "x"
    SAMPLES += [
        Sample(_name, _call, (_operand,), _meaning, wrt=(0,), label="float32"),
        Sample(_name, _call, (_operand.astype(np.float64),), _meaning, label="float64"),
        Sample(_name, _call, (_edges,), _meaning, label="edges"),
        Sample(_name, _call, (np.zeros((0, 2), np.float32),), _meaning, label="empty"),
        Sample(_name, _call, (_operand[:, :1],), _meaning, wrt=(0,), label="an axis of size 1"),
        Sample(
            _name, _call, (_operand[::-1, ::-1],), _meaning, wrt=(0,), label="negative strides",
        ),
        Sample(_name, _call, (_operand[0, 2],), _meaning, wrt=(0,), label="scalar"),
        Sample(
            _name, _call, (np.array([1, 0, 1], np.int32),),
            lambda x, meaning=_meaning: meaning(x.astype(np.float64)), label="int32 as float64",
        ),
    ]  # fmt: skip
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(sg.placeholder("complex64", (2,), name="x")),
            DTypeError,
            f"{_name}: does not take complex64\n"
            f"  {_operand_name} 'x'  complex64[2]  placeholder at {{here}}\n"
            f"  {_operand_name} may be float16, bfloat16, float32, float64; "
            "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
            "  created at {here}: {line}",
        )
    )

SAMPLES += [
    Sample("erfcx", sg.erfcx, (np.array([24.0, 26.0, 300.0]),), _wide(_erfcx), wrt=(0,), order=1,
           label="far"),
    Sample("erfcx", sg.erfcx, (np.array([-20.0, -5.0, 4.0, 1e6]),), _wide(_erfcx), label="large"),
    Sample("log_ndtr", sg.log_ndtr, (np.array([-300.0, -40.0, -1.0, 9.0]),), _wide(_log_ndtr),
           label="far"),
    Sample("ndtri", sg.ndtri, (np.array([1e-300, 1e-20, 1e-5, 0.074, 0.999999]),), _wide(_ndtri),
           label="far"),
    Sample("ndtri", sg.erfcinv, (2 * UNIT,), _wide(_erfcinv), wrt=(0,), label="erfcinv"),
    Sample("ndtri", sg.erfcinv, (np.array([1e-300, 1e-9, 0.0, 2.0, -1.0]),), _wide(_erfcinv),
           label="edges of erfcinv"),
    Sample("i0", sg.i0, (np.zeros(2, np.float32),), np.exp, wrt=(0,), label="at 0"),
    Sample("i1", sg.i1, (np.zeros(2, np.float32),), lambda x: x, wrt=(0,), label="at 0"),
    Sample("i0e", sg.i0e, (np.array([-9.5, 7.9, 8.1, 60.0]),), _wide(_bessel(0, True)), wrt=(0,),
           label="about the middle"),
    Sample("i1e", sg.i1e, (np.array([-9.5, 7.9, 8.1, 60.0]),), _wide(_bessel(1, True)), wrt=(0,),
           label="about the middle"),
]  # fmt: skip

# -- two and three operands -------------------------------------------------------------------


def _xlog1py(x: float, y: float) -> float:
    if x == 0 and not math.isnan(y):
        return 0.0
    if math.isnan(x) or math.isnan(y) or y < -1:
        return math.nan
    return x * (-math.inf if y == -1 else math.log1p(y))


def _betaln(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b) or a < 0 or b < 0:
        return math.nan
    if math.isinf(a) or math.isinf(b):
        return math.nan if 0 in (a, b) else -math.inf
    return math.inf if 0 in (a, b) else math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _betainc(a: float, b: float, x: float) -> float:
    """The power series, of which 3000 terms are enough up to 0.98."""
    if math.isnan(a + b + x) or a < 0 or b < 0 or not 0 <= x <= 1:
        return math.nan
    low = (a == 0 and b > 0) or (math.isinf(b) and not math.isinf(a))
    high = (b == 0 and a > 0) or (math.isinf(a) and not math.isinf(b))
    if low or high:
        return float(x > 0) if low else float(x == 1)
    if a == b and (a == 0 or math.isinf(a)):
        return math.nan
    if x in (0.0, 1.0):
        return x
    term, terms = 1.0, []
    for n in range(3000):
        terms.append(term / (a + n))
        term *= (n + 1 - b) / (n + 1) * x
    return math.exp(a * math.log(x) - _betaln(a, b)) * math.fsum(terms)


def _rel_entr(x: float, y: float) -> float:
    if math.isnan(x) or math.isnan(y):
        return math.nan
    if x > 0 and y > 0:
        return x * math.log(x / y)
    return 0.0 if x == 0 and y >= 0 else math.inf


def _kl_div(x: float, y: float) -> float:
    return _rel_entr(x, y) - x + y if math.isfinite(_rel_entr(x, y)) else _rel_entr(x, y)


def _entr(x: float) -> float:
    if math.isnan(x):
        return x
    return -math.inf if x < 0 or x == math.inf else -x * math.log(x) if x > 0 else 0.0


_grid = np.array([0.0, 1.0, 0.4, -1.0, 2.5, np.inf, np.nan], np.float32)
_PAIRS = tuple(side.ravel() for side in np.meshgrid(_grid, _grid))
_shares = np.array([0.0, 0.4, -1.0, 2.5, np.nan], np.float32)
_SHARES = tuple(side.ravel() for side in np.meshgrid(_shares, _shares))
_TRIPLES = tuple(side.ravel() for side in np.meshgrid(_grid, _grid, _grid))
_ROW = np.array([0.65, 1.7, 2.9], np.float32)

# Per function: the op it makes, the meaning, operands where it is differentiated, and its edges.
_BINARY: dict[str, tuple[str, Callable[..., Any], tuple[Array, Array], tuple[Array, ...]]] = {
    "xlog1py": ("xlog1py", _wide(_xlog1py), (REALS, POSITIVE), _PAIRS),
    "betaln": ("betaln", _wide(_betaln), (POSITIVE, POSITIVE[:, ::-1] * 1.3), _PAIRS),
    "rel_entr": ("log1p", _wide(_rel_entr), (POSITIVE, POSITIVE[:, ::-1] * 1.3), _SHARES),
    "kl_div": ("log1p", _wide(_kl_div), (POSITIVE, POSITIVE[:, ::-1] * 1.3), _SHARES),
}
for _name, (_op, _meaning, (_left, _right), _pairs) in _BINARY.items():
    _call = getattr(sg, _name)
    _label = "{}" if _op == _name else f"{_name}, {{}}"
    SAMPLES += [
        Sample(_op, _call, (_left, _right), _meaning, wrt=(0, 1), label=_label.format("same")),
        Sample(_op, _call, (_right, _ROW), _meaning, wrt=(0, 1), label=_label.format("row")),
        Sample(
            _op, _call, (_right[:, :1], _ROW[::-1]), _meaning, wrt=(0, 1),
            label=_label.format("column and row"),
        ),
        Sample(
            _op, _call, (np.float32(2.2), _right), _meaning, wrt=(0, 1),
            label=_label.format("scalar"),
        ),
        Sample(
            _op, _call, (np.ones((0, 1), np.float32), _ROW), _meaning, label=_label.format("empty"),
        ),
        Sample(_op, _call, _pairs, _meaning, label=_label.format("edges")),
        Sample(
            _op, _call, (np.array([1, 3], np.int32), np.array([2, 4], np.int32)),
            lambda a, x, meaning=_meaning: meaning(a.astype(float), x.astype(float)),
            label=_label.format("integers"),
        ),
    ]  # fmt: skip

SAMPLES += [
    Sample(
        "betaln", sg.betaln, (np.array([1e-5, 2.0, 40.0, 1e5]), np.array([1e6, 1e3, 30.0, 2e5])),
        _wide(_betaln), label="large", tolerance=1e-9,
    ),
    Sample(
        "betainc", sg.betainc, (POSITIVE, POSITIVE[:, ::-1], UNIT), _wide(_betainc), wrt=(2,),
        label="same", tolerance=1e-5,
    ),
    Sample(
        "betainc", lambda x: sg.betainc(2.5, 0.7, x), (UNIT[::-1, :1],),
        lambda x: _wide(_betainc)(np.float32(2.5), np.float32(0.7), x), wrt=(0,), label="numbers",
    ),
    Sample(
        "betainc", sg.betainc, (np.float64(3.0), POSITIVE[:, :1].astype(float), UNIT[0]),
        _wide(_betainc), wrt=(2,), label="column and row", tolerance=1e-10,
    ),
    Sample(
        "betainc", sg.betainc, (np.ones((0, 1), np.float32), _ROW, np.float32(0.5)),
        _wide(_betainc), label="empty",
    ),
    Sample("betainc", sg.betainc, _TRIPLES, _wide(_betainc), label="edges"),
    Sample(
        "betainc", sg.betainc, (np.array([1e-30, 0.01, 3.0]), np.array([0.5, 0.01, 0.01]),
        np.array([0.3, 0.2, 0.9])), _wide(_betainc), label="small", tolerance=1e-11,
    ),
    Sample(
        "betainc", lambda a, b: sg.betainc(a, b, 0.5),
        (np.array([1, 2, 3], np.int32), np.array([2, 2, 1], np.int32)),
        lambda a, b: _wide(_betainc)(a.astype(float), b.astype(float), np.float64(0.5)),
        label="integers",
    ),
    Sample("where", sg.entr, (POSITIVE,), _wide(_entr), wrt=(0,), label="entr"),
    Sample("where", sg.entr, (EDGES,), _wide(_entr), label="edges of entr"),
    Sample(
        "log1p", sg.kl_div, (np.array([1.0, 1.0, 3.0]), np.array([1.0 + 1e-9, 1.01, 3.1])),
        lambda x, y: np.array([5e-19, 0.01 - math.log1p(0.01), 0.1 - 3 * math.log(3.1 / 3)]),
        wrt=(0, 1), label="kl_div, close", tolerance=1e-6,
    ),
]  # fmt: skip

for _name, _operands in (("xlog1py", ("x", "y")), ("betaln", ("a", "b"))):
    _call = getattr(sg, _name)
    REFUSALS.append(
        Refusal(
            _name,
            lambda call=_call: call(
                sg.placeholder("float32", (3, 2), name="first"),
                sg.placeholder("float32", (None, 3), name="second"),
            ),
            ShapeError,
            f"{_name}: shapes do not broadcast\n"
            f"  {_operands[0]} 'first'  float32[3, 2]  placeholder at {{here}}\n"
            f"  {_operands[1]} 'second'  float32[?, 3]  placeholder at {{here}}\n"
            "  axis -1: 2 and 3 must be equal, or one of them 1\n"
            "  created at {here}: {line}",
        )
    )
REFUSALS.append(
    Refusal(
        "betainc",
        lambda: sg.betainc(sg.placeholder("complex64", (), name="z"), 1.0, 0.5),
        DTypeError,
        "betainc: does not take complex64\n"
        "  a 'z'  complex64[]  placeholder at {here}\n"
        "  b 'constant'  complex64[]  constant at {here}\n"
        "  x 'constant_1'  complex64[]  constant at {here}\n"
        "  a may be float16, bfloat16, float32, float64; "
        "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at {here}: {line}",
    )
)
