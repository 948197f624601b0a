"""Samples of words, fractions, normal deviates and what is computed of them by ordinary ops.

The samples run with the key (0, 1): seed 0, first run. Their values are those of philox.py, which
knows the documented generators alone. Distributions are tested in test_random*.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops.random.parameters import RANDOM_DOMAIN
from staticgraph.ops.random.truncated import NORMAL_QUANTILE
from staticgraph.ops.random.words import FOLD, RANDOM_BITS, RANDOM_NORMAL, RANDOM_UNIT

from .philox import NodeWords, inner, normal, normal32, philox64, unit, unit32
from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]
FLOAT32 = np.dtype(np.float32)


def _fold(key: Any, number: Any) -> Any:
    return key.graph.add(FOLD, (key, number)).out


def _bits(key: Any, shape: Any, *sizes: Any) -> Any:
    return key.graph.add(RANDOM_BITS, (key, *sizes), {"stream": 3, "shape": shape, "count": 64}).out


def _drawn(stream: int, shape: tuple[int, ...], key: Array) -> Array:
    return NodeWords(stream, int(key[0]), int(key[1])).long(*shape)


def _wide(x: Any) -> Any:
    """An operand of an op of float64, in the test that feeds every floating dtype."""
    return sg.cast(x, "float64")


def _quantile(p: Any) -> Any:
    return p.graph.add(NORMAL_QUANTILE, (_wide(p),)).out


def _domain(x: Any, domain: str) -> Any:
    return x.graph.add(RANDOM_DOMAIN, (_wide(x),), {"what": "x", "domain": domain}).out


def _truncated(low: float, high: float, stream: int, *shape: int) -> Array:
    first, last = special.ndtr(low), special.ndtr(high)
    return np.asarray(special.ndtri(first + (last - first) * inner(stream, *shape)))


def _truncated_by_place(low: Array, high: Array) -> Array:
    """One number between each pair of bounds, those above the middle by their mirror image."""
    sign = np.where(low > 0, -1.0, 1.0)
    first, last = np.where(low > 0, -high, low), np.where(low > 0, -low, high)
    begin, end = special.ndtr(first), special.ndtr(last)
    return np.asarray(sign * special.ndtri(begin + (end - begin) * inner(0, len(low))))


_KEY = np.array([2**64 - 5, 7], np.uint64)
_LOW, _HIGH = np.array(-1.5), np.array([2.0, 0.5, 1.0])
_SCALE = np.array([0.5, 1.5, 2.0])
_X = np.arange(12.0).reshape(4, 3)

SAMPLES: list[Sample] = [
    Sample(
        "random_fold", _fold, (np.array([5, 7], np.uint64), np.array(3)),
        lambda key, n: np.array([5, philox64((5, 0), (1, 3, 7, 1))[0]], np.uint64),
    ),
    Sample("random_bits", lambda key: _bits(key, (2, 5)), (_KEY,), lambda k: _drawn(3, (2, 5), k)),
    Sample(
        "random_bits", lambda key: _bits(key, ()), (_KEY,), lambda k: _drawn(3, (), k),
        label="one word",
    ),
    Sample(
        "random_bits", lambda key, n: _bits(key, (None, 3), n), (_KEY, np.array([3, 3])),
        lambda k, n: _drawn(3, (3, 3), k), label="a shape of the run",
    ),
    Sample(
        "random_unit", lambda: sg.random.uniform((2, 5), dtype="float64"), (),
        lambda: unit(0, 2, 5), label="float64",
    ),
    Sample("random_unit", lambda: sg.random.uniform((2, 5)), (), lambda: unit32(0, 2, 5)),
    Sample("random_unit", sg.random.uniform, (), lambda: unit32(0), label="one number"),
    Sample("random_unit", lambda: sg.random.uniform((2, 0)), (), lambda: unit32(0, 2, 0),
           label="nothing"),
    Sample(
        "random_unit", lambda n: sg.random.uniform((n, 3), dtype="float64"), (np.array(2),),
        lambda n: unit(0, 2, 3), label="a shape of the run",
    ),
    Sample(
        "random_unit", lambda x: sg.random.uniform(sg.shape(x), dtype="float64"), (_X,),
        lambda x: unit(0, 4, 3), label="the shape of another",
    ),
    Sample(
        "random_unit", lambda: [sg.random.uniform((3,)), sg.random.uniform((3,))], (),
        lambda: [unit32(0, 3), unit32(1, 3)], label="two streams",
    ),
    Sample("random_normal", lambda: sg.random.normal(5), (), lambda: normal32(0, 5),
           tolerance=1e-5),
    Sample(
        "random_normal", lambda: sg.random.normal((3, 3), dtype="float64"), (),
        lambda: normal(0, 3, 3), label="float64",
    ),
    Sample("random_normal", lambda: sg.random.normal(dtype="float64"), (), lambda: normal(0),
           label="one number"),
    Sample(
        "add", lambda m, s: sg.random.normal((2, 3), m, s, "float64"), (_LOW, _HIGH),
        lambda m, s: m + s * normal(0, 2, 3), wrt=(0, 1), label="normal",
    ),
    Sample(
        "exp", lambda m, s: sg.random.lognormal(None, m, s, "float64"), (_LOW, _HIGH),
        lambda m, s: np.exp(m + s * normal(0, 3)), wrt=(0, 1), label="lognormal",
    ),
    Sample(
        "where", lambda low, high: sg.random.uniform((2, 3), low, high, "float64"), (_LOW, _HIGH),
        lambda low, high: low + (high - low) * unit(0, 2, 3), wrt=(0, 1), label="uniform",
    ),
    Sample(
        "where",
        lambda low, high: sg.random.uniform(low=low, high=high, dtype="float64"), (_LOW, _HIGH),
        lambda low, high: low + (high - low) * unit(0, 3), label="uniform of no shape",
    ),
    Sample(
        "where", lambda x: sg.random.uniform((3,), x, x), (np.array(3.25),),
        lambda x: np.full(3, x), wrt=(0,), label="uniform between equal bounds",
    ),
    Sample(
        "normal_quantile", _quantile,
        (np.array([1e-300, 1e-12, 0.01, 0.0749, 0.0751, 0.5, 0.7, 0.9251, 0.99, 1 - 2.0**-50]),),
        special.ndtri, tolerance=1e-13,
    ),
    Sample(
        "normal_quantile", _quantile, (np.array([[0.0, 1.0, np.nan]]),),
        lambda p: np.array([[-np.inf, np.inf, np.nan]]), label="the ends",
    ),
    Sample(
        "normal_quantile", _quantile, (np.array([0.05, 0.2, 0.5, 0.9]),), special.ndtri,
        wrt=(0,), label="derivatives",
    ),
    Sample(
        "normal_quantile",
        lambda m, s: sg.random.truncated_normal((3,), m, s, "float64"), (_LOW, _SCALE),
        lambda m, s: m + s * _truncated(-2, 2, 0, 3), wrt=(0, 1), label="truncated_normal",
    ),
    Sample(
        "normal_quantile",
        lambda: sg.random.truncated_normal((2, 3), low=3.0, high=math.inf, dtype="float64"), (),
        lambda: -_truncated(-math.inf, -3, 0, 2, 3), label="truncated_normal of a tail",
    ),
    Sample(
        "normal_quantile",
        lambda m, s, a, b: sg.random.truncated_normal(None, m, s, low=a, high=b),
        (_LOW, _SCALE, np.array([-2.0, 0.5, 4.0]), np.array([1.0, 2.0, np.inf])),
        lambda m, s, a, b: m + s * _truncated_by_place(a, b), label="truncated_normal of tensors",
    ),
    Sample(
        "normal_quantile",
        lambda m, s, a: sg.random.truncated_normal((3,), m, s, "float64", low=a, high=a + 1.5),
        (_LOW, _SCALE, np.array([-2.0, 0.5, 3.0])),
        lambda m, s, a: m + s * _truncated_by_place(a, a + 1.5), wrt=(0, 1, 2),
        label="truncated_normal and its slopes by bounds",
    ),
    Sample(
        "log1p", lambda s: sg.random.exponential((2, 3), s, "float64"), (_SCALE,),
        lambda s: -s * np.log1p(-unit(0, 2, 3)), wrt=(0,), label="exponential",
    ),
    Sample(
        "log1p", lambda m, s: sg.random.laplace((2, 3), m, s, "float64"), (_LOW, _SCALE),
        lambda m, s: m - s * np.sign(inner(0, 2, 3) - 0.5) * np.log1p(-abs(2 * inner(0, 2, 3) - 1)),
        wrt=(0, 1), label="laplace",
    ),
    Sample(
        "log", lambda m, s: sg.random.gumbel((2, 3), m, s, "float64"), (_LOW, _SCALE),
        lambda m, s: m - s * np.log(-np.log(inner(0, 2, 3))), wrt=(0, 1), label="gumbel",
    ),
    Sample(
        "log", lambda m, s: sg.random.logistic((2, 3), m, s, "float64"), (_LOW, _SCALE),
        lambda m, s: m + s * special.logit(inner(0, 2, 3)), wrt=(0, 1), label="logistic",
    ),
    Sample(
        "tan", lambda m, s: sg.random.cauchy((2, 3), m, s, "float64"), (_LOW, _SCALE),
        lambda m, s: m + s * np.tan(math.pi * (inner(0, 2, 3) - 0.5)), wrt=(0, 1), label="cauchy",
    ),
    Sample(
        "sqrt", lambda s: sg.random.rayleigh((2, 3), s, "float64"), (_SCALE,),
        lambda s: s * np.sqrt(-2 * np.log(inner(0, 2, 3))), wrt=(0,), label="rayleigh",
    ),
    Sample(
        "exp", lambda c, s: sg.random.weibull(c, s, (2, 3), "float64"), (_SCALE, np.array(2.0)),
        lambda c, s: s * (-np.log(inner(0, 2, 3))) ** (1 / c), wrt=(0, 1), label="weibull",
    ),
    Sample(
        "exp", lambda c, s: sg.random.pareto(c, s, dtype="float64"), (_SCALE, np.array(2.0)),
        lambda c, s: s * inner(0, 3) ** (-1 / c), wrt=(0, 1), label="pareto",
    ),
    Sample(
        "random_domain", lambda x: _domain(x, "weight"), (np.array([[0.0, 0.5], [1e30, 3.0]]),),
        lambda x: x,
    ),
    Sample(
        "random_domain",
        lambda x: x.graph.add(RANDOM_DOMAIN, (x,), {"what": "x", "domain": "int64"}).out,
        (np.array([0, 5, 2**63], np.uint64),), lambda x: x, label="uint64",
    ),
    Sample(
        "random_domain",
        lambda x: x.graph.add(RANDOM_DOMAIN, (x,), {"what": "x", "domain": "uint64"}).out,
        (np.array([0, 5, 2**63 - 1]),), lambda x: x, label="int64",
    ),
    Sample(
        "random_domain", lambda x: _domain(x, "probability"), (np.array([0.25, 0.5, 0.75]),),
        lambda x: x, wrt=(0,), label="derivatives",
    ),
]  # fmt: skip


def _text() -> Any:
    return "low"


def _p(dtype: str, *shape: int | None) -> Any:
    return sg.placeholder(dtype, shape, name="p")


def _argument(op: str, problem: str, *details: str) -> str:
    return "\n".join([f"{op}: {problem}", *[f"  {d}" for d in details], "  at {here}: {line}"])


def _bad_key(op: str) -> str:
    return (
        f"{op}: the key is uint64[3]\n"
        "  key 'p_1'  uint64[3]  placeholder at {here}\n"
        "  it must be two uint64: seed and run\n"
        "  created at {here}: {line}"
    )


REFUSALS: list[Refusal] = [
    Refusal(
        "random_bits",
        lambda: _p("uint64", 3).graph.add(
            RANDOM_BITS, (_p("uint64", 3),), {"stream": 0, "shape": ()}
        ),
        ShapeError, _bad_key("random_bits"),
    ),
    Refusal(
        "random_unit",
        lambda: _p("uint64", 3).graph.add(
            RANDOM_UNIT, (_p("uint64", 3),),
            {"stream": 0, "shape": (), "dtype": FLOAT32, "inner": False},
        ),
        ShapeError, _bad_key("random_unit"),
    ),
    Refusal(
        "random_normal",
        lambda: _p("uint64", 3).graph.add(
            RANDOM_NORMAL, (_p("uint64", 3),), {"stream": 0, "shape": (), "dtype": FLOAT32}
        ),
        ShapeError, _bad_key("random_normal"),
    ),
    Refusal(
        "random_fold",
        lambda: _fold(_p("uint64", 3), _p("int64")),
        ShapeError,
        "random_fold: the key is uint64[3]\n"
        "  key 'p'  uint64[3]  placeholder at {here}\n"
        "  number 'p_1'  int64[]  placeholder at {here}\n"
        "  it must be two uint64: seed and run\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "random_normal", lambda: sg.random.normal((2, -1)), ShapeError,
        _argument("normal", "-1 is no size of an axis", "sizes are not negative"),
        label="a shape",
    ),
    Refusal(
        "random_unit", lambda: sg.random.uniform((2,), dtype="int32"), DTypeError,
        _argument("uniform", "draws no int32",
                  "dtype is float32 or float64; sg.random.integers draws integers"),
        label="uniform of ints",
    ),
    Refusal(
        "random_unit", lambda: sg.random.uniform((2,), 3.0, 1.0), ShapeError,
        _argument("uniform", "low 3.0 is above high 1.0", "give low <= high"),
        label="uniform in the wrong order",
    ),
    Refusal(
        "broadcast_to", lambda: sg.random.normal((2,), mean=_p("float32", 3)), ShapeError,
        "normal (in its broadcast_to): [3] does not broadcast to [2]\n"
        "  x 'p'  float32[3]  placeholder at {here}\n"
        "  axis -1 of the operand must be 1 or equal\n"
        "  created at {here}: {line}",
        label="normal of more means",
    ),
    Refusal(
        "random_domain", lambda: _p("float32").graph.add(
            RANDOM_DOMAIN, (_p("float32"),), {"what": "x", "domain": "weight"}
        ), DTypeError,
        "random: does not take float32\n"
        "  x 'p_1'  float32[]  placeholder at {here}\n"
        "  x may be int64, uint64, float64; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "normal_quantile",
        lambda: _p("float32").graph.add(NORMAL_QUANTILE, (_p("float32"),)), DTypeError,
        "normal_quantile: does not take float32\n"
        "  p 'p_1'  float32[]  placeholder at {here}\n"
        "  p may be float64; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "normal_quantile", lambda: sg.random.truncated_normal(3, low=2.0, high=1.0), ShapeError,
        _argument("truncated_normal", "low 2.0 is not below high 1.0", "give low < high"),
        label="bounds in the wrong order",
    ),
    Refusal(
        "normal_quantile", lambda: sg.random.truncated_normal(3, low=40.0, high=41.0), ShapeError,
        _argument("truncated_normal", "there is no number between 40.0 and 41.0",
                  "the bounds are more than 37 standard deviations away"),
        label="bounds too far away",
    ),
    Refusal(
        "normal_quantile", lambda: sg.random.truncated_normal(3, low=_text()), ShapeError,
        _argument("truncated_normal", "a bound is 'low'",
                  "low and high are numbers or tensors, in standard deviations from the mean"),
        label="a bound that is no number",
    ),
    Refusal(
        "normal_quantile", lambda: sg.random.truncated_normal(low=[0.0, 2.0], high=2.0), ShapeError,
        _argument("truncated_normal", "low is not below high everywhere", "give low < high"),
        label="known bounds of which one is in the wrong order",
    ),
    Refusal(
        "random_normal", lambda: sg.random.normal(0.0, 1.0), ShapeError,
        _argument("normal", "0.0 is no shape",
                  "give an int or a tuple of ints; name what you give: shape=(2, 3)"),
        label="parameters in the place of the shape",
    ),
]  # fmt: skip
