"""Samples of what is found by a search, and of integers, categories and orders.

The loops are written again here, one element at a time in Python floats, from the papers. A
decision that depends on the last digit of a logarithm would show as another number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops.random.discrete import RANDOM_SPAN
from staticgraph.ops.random.discrete_search import (
    RANDOM_BINOMIAL,
    RANDOM_INTEGERS,
    RANDOM_POISSON,
)
from staticgraph.ops.random.gamma import LOG_GAMMA_PATH, RANDOM_LOG_GAMMA

from .philox import NodeWords, inner, unit
from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)

# A draw jumps when rejection takes another path, so differences of draws say nothing: the
# derivative is compared with the implicit formula in test_random_gamma.py.
DIFFERENTIATED_ELSEWHERE = ("random_log_gamma",)


def _leading(*shape: int) -> Array:
    """The leading 48 bits of words."""
    return np.asarray(NodeWords(0).long(*shape) // 2**16)


def _fraction(word: int) -> float:
    return float((word // 2**11) / 2**53)


def _inner(word: int) -> float:
    return float((2 * (word // 2**12) + 1) / 2**53)


def _log_gamma(stream: int, concentration: Array) -> Array:
    """Marsaglia and Tsang, 2000."""
    node = NodeWords(stream)
    flat = [float(a) for a in concentration.ravel()]
    return np.array([_one_log_gamma(node, i, a) for i, a in enumerate(flat)]).reshape(
        concentration.shape
    )


def _one_log_gamma(node: NodeWords, element: int, a: float) -> float:
    d = (a + 1 if a < 1 else a) - 1 / 3
    drawn = 0
    while True:
        u, v = map(_inner, node.pair(element, drawn))
        w, rest = map(_inner, node.pair(element, drawn + 1))
        drawn += 2
        x = math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)
        cube = (1 + x / math.sqrt(9 * d)) ** 3
        if cube > 0 and math.log(w) < x * x / 2 + d * (1 - cube + math.log(cube)):
            value = math.log(d * cube)
            return value + math.log(rest) / a if a < 1 else value


def _poisson(stream: int, rate: Array) -> Array:
    node = NodeWords(stream)
    flat = [float(x) for x in rate.ravel()]
    return np.array([_one_poisson(node, i, x) for i, x in enumerate(flat)]).reshape(rate.shape)


def _one_poisson(node: NodeWords, element: int, rate: float) -> int:
    if rate < 10:
        left, k, probability = _fraction(node.pair(element, 0)[0]), 0, math.exp(-rate)
        while left >= probability:
            left -= probability
            k += 1
            probability *= rate / k
        return k
    # Hormann 1993, PTRS.
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    drawn = 0
    while True:
        u, v = map(_inner, node.pair(element, drawn))
        drawn, u = drawn + 1, u - 0.5
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        height = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / us**2 + b))
        if height <= k * math.log(rate) - rate - math.lgamma(k + 1):
            return k


def _binomial(stream: int, count: Array, p: Array) -> Array:
    node = NodeWords(stream)
    counts, chances = np.broadcast_arrays(count, p)
    found = []
    for i, (n, x) in enumerate(zip(counts.ravel(), chances.ravel(), strict=True)):
        k = _one_binomial(node, i, int(n), float(min(x, 1 - x)))
        found.append(int(n) - k if x > 0.5 else k)
    return np.array(found).reshape(counts.shape)


def _one_binomial(node: NodeWords, element: int, n: int, p: float) -> int:
    if n * p < 10:
        left, k, probability = _fraction(node.pair(element, 0)[0]), 0, (1 - p) ** n
        while left >= probability and k < n:
            left -= probability
            probability *= (n - k) / (k + 1) * p / (1 - p)
            k += 1
        return k
    # Hormann 1993, BTRS.
    spread = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    mode = math.floor((n + 1) * p)
    drawn = 0
    while True:
        u, v = map(_inner, node.pair(element, drawn))
        drawn, u = drawn + 1, u - 0.5
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + n * p + 0.5)
        if k < 0 or k > n:
            continue
        if us >= 0.07 and v <= 0.92 - 4.2 / b:
            return k
        height = math.log(v * (2.83 + 5.1 / b) * spread / (a / us**2 + b))
        ratio = (
            math.lgamma(mode + 1) + math.lgamma(n - mode + 1) - math.lgamma(k + 1)
            - math.lgamma(n - k + 1) + (k - mode) * math.log(p / (1 - p))
        )  # fmt: skip
        if height <= ratio:
            return k


def _integers(stream: int, low: int, high: int, *shape: int) -> Array:
    node, span = NodeWords(stream), high - low
    found = []
    for element in range(math.prod(shape)):
        drawn = 0
        product = span * node.pair(element // 2, drawn)[element % 2]
        while product % 2**64 < 2**64 % span:
            drawn += 1
            product = span * node.pair(element // 2, drawn)[element % 2]
        found.append(low + product // 2**64)
    return np.array(found, dtype=np.int64).reshape(shape)


def _chosen(weights: Array, fractions: Array) -> Array:
    """Categories by inversion: weights [..., n] and fractions [..., k]."""
    reached = np.cumsum(weights, -1)
    wanted = fractions * reached[..., -1:]
    return np.asarray((reached[..., None, :] <= wanted[..., None]).sum(-1))


def _path(part: str) -> Any:
    def build(a: Any, x: Any) -> Any:
        operands = sg.cast(a, "float64"), sg.cast(x, "float64")
        return a.graph.add(LOG_GAMMA_PATH, operands, {"part": part}).out

    return build


def _slope(a: Array, logarithm: Array) -> Array:
    """Differences of the quantile: d log(x) / da with the probability held fixed."""
    a, x = a.astype(np.float64), np.exp(logarithm.astype(np.float64))
    step = 1e-3 * a
    total: Any = 0.0
    for number, weight in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
        # The smaller one of both probabilities keeps its digits.
        below = special.gammainc(a, x) < 0.5
        with np.errstate(all="ignore"):
            lower = special.gammaincinv(a + number * step, special.gammainc(a, x))
            upper = special.gammainccinv(a + number * step, special.gammaincc(a, x))
        total = total + weight * np.log(np.where(below, lower, upper))
    return np.asarray(total / (12 * step))


def _gamma(a: Array) -> Array:
    return np.exp(_log_gamma(0, a))


_A = np.array([0.3, 1.0, 4.5, 40.0])
_PATH = (
    np.array([0.05, 0.7, 0.7, 3.0, 3.0, 60.0, 60.0, 3e5]),
    np.log([1e-4, 0.1, 2.5, 1.0, 9.0, 50.0, 77.0, 3.002e5]),
)
_SMOOTH = (np.array([0.7, 3.0, 25.0]), np.log([0.9, 4.0, 20.0]))
_RATES = np.array([[0.0, 0.3, 9.5], [10.0, 33.0, 1e6]])
_X = np.arange(12.0).reshape(4, 3)
_LOGITS = np.array([[0.5, -np.inf, 2.0], [1.0, 1.0, 1.0]])


SAMPLES: list[Sample] = [
    Sample("random_log_gamma", sg.random.loggamma, (_A,), lambda a: _log_gamma(0, a)),
    Sample(
        "random_log_gamma", lambda a: sg.random.loggamma(a, (2, 3)), (np.array(0.01),),
        lambda a: _log_gamma(0, np.full((2, 3), a)), label="one concentration",
    ),
    Sample(
        "random_log_gamma", lambda a: sg.random.gamma(a, shape=(0, 4)), (_A,),
        lambda a: np.zeros((0, 4)), label="nothing",
    ),
    Sample(
        "random_log_gamma", lambda a: sg.random.gamma(a, shape=()), (np.array(2.5),),
        lambda a: _gamma(a), label="one number",
    ),
    Sample(
        "random_log_gamma", lambda a, s: sg.random.gamma(a, s, (2, 4)), (_A, np.array(2.0)),
        lambda a, s: s * _gamma(np.broadcast_to(a, (2, 4))), label="gamma",
    ),
    Sample(
        "random_log_gamma", sg.random.chi_square, (_A,), lambda a: 2 * _gamma(a / 2),
        label="chi_square",
    ),
    Sample(
        "random_log_gamma", lambda a, b: sg.random.beta(a, b), (_A, np.array(0.5)),
        lambda a, b: special.expit(_log_gamma(0, a) - _log_gamma(1, np.full(4, b))), label="beta",
    ),
    Sample(
        "random_log_gamma", lambda a: sg.random.dirichlet(a, (2,)), (_A,),
        lambda a: special.softmax(_log_gamma(0, np.broadcast_to(a, (2, 4))), -1),
        label="dirichlet",
    ),
    Sample("log_gamma_path", _path("slope"), _PATH, _slope, tolerance=1e-9),
    Sample(
        "log_gamma_path", _path("slope"), _SMOOTH, _slope, tolerance=1e-9, wrt=(0, 1), order=1,
        label="derivatives",
    ),
    Sample("random_poisson", sg.random.poisson, (_RATES,), lambda x: _poisson(0, x)),
    Sample(
        "random_poisson", lambda x: sg.random.poisson(x, (3, 3), "uint8"), (np.array(4.0),),
        lambda x: _poisson(0, np.full((3, 3), x)).astype(np.uint8), label="one rate",
    ),
    Sample(
        "random_binomial", sg.random.binomial,
        (np.array([[0], [7], [400]]), np.array([0.0, 0.2, 0.5, 0.93, 1.0])),
        lambda n, p: _binomial(0, n, p),
    ),
    Sample(
        "random_integers", lambda: sg.random.integers((4,), -2, 5), (),
        lambda: _integers(0, -2, 5, 4),
    ),
    Sample(
        "random_integers", lambda n: sg.random.integers((4,), 0, n, "uint8"), (np.array(200),),
        lambda n: _integers(0, 0, 200, 4).astype(np.uint8), label="up to a tensor",
    ),
    Sample(
        "random_integers", lambda: sg.random.integers((9,), -(3 * 2**61), 3 * 2**61), (),
        lambda: _integers(0, -(3 * 2**61), 3 * 2**61, 9), label="a span that refuses words",
    ),
    Sample(
        "random_span", lambda low, high: sg.random.integers(None, low, high),
        (np.array([0, 10]), np.array([[1], [3]]) + 10),
        lambda low, high: np.array([
            [_integers(0, 0, 11, 4)[0], _integers(0, 10, 11, 4)[1]],
            [_integers(0, 0, 13, 4)[2], _integers(0, 10, 13, 4)[3]],
        ]),
    ),
    Sample(
        "floor", lambda p: sg.random.geometric(p, (3,)), (np.array([0.1, 0.6, 1.0]),),
        lambda p: np.array(
            [1 + int(math.log(u) / math.log1p(-x)) if x < 1 else 1
             for u, x in zip(inner(0, 3), p, strict=True)]
        ), label="geometric",
    ),
    Sample(
        "less", lambda p: sg.random.bernoulli(p), (np.array([0.0, 0.3, 0.9, 1.0]),),
        lambda p: unit(0, 4) < p, label="bernoulli",
    ),
    Sample(
        "less", lambda: sg.random.bernoulli(0.5, (3, 2)), (), lambda: unit(0, 3, 2) < 0.5,
        label="bernoulli of a shape",
    ),
    Sample(
        "cumsum", lambda x: sg.random.categorical(x, 5), (_LOGITS,),
        lambda x: _chosen(special.softmax(x, -1), unit(0, 2, 5)), label="categorical",
    ),
    Sample(
        "cumsum", lambda x: sg.random.categorical(x, dtype="int32"), (_LOGITS,),
        lambda x: _chosen(special.softmax(x, -1), unit(0, 2, 1))[:, 0].astype(np.int32),
        label="one category",
    ),
    Sample(
        "order_of_words", lambda: sg.random.permutation(7), (), lambda: np.argsort(_leading(7)),
        label="permutation of numbers",
    ),
    Sample(
        "order_of_words", sg.random.permutation, (np.array(5),),
        lambda n: np.argsort(_leading(5)), label="permutation of numbers below a tensor",
    ),
    Sample(
        "gather", sg.random.permutation, (_X,), lambda x: x[np.argsort(_leading(4))],
        wrt=(0,), label="permutation of rows",
    ),
    Sample(
        "gather", lambda x: sg.random.shuffle(x, 1), (_X,),
        lambda x: x[:, np.argsort(_leading(3))], wrt=(0,), label="shuffled columns",
    ),
    Sample(
        "gather", lambda x: sg.random.choice(x, (2, 2)), (_X,),
        lambda x: x[_integers(0, 0, 4, 2, 2)], wrt=(0,), label="choice of rows",
    ),
    Sample(
        "order_of_words", lambda: sg.random.choice(6, (2, 2), replace=False), (),
        lambda: np.argsort(_leading(6))[:4].reshape(2, 2), label="choice without repeats",
    ),
    Sample(
        "cumsum", lambda p: sg.random.choice(4, (2, 3), p=p), (np.array([1.0, 0.0, 3.0, 0.5]),),
        lambda p: _chosen(p, unit(0, 6)).reshape(2, 3), label="choice by weight",
    ),
    Sample(
        "argsort", lambda p: sg.random.choice(4, 3, False, p), (np.array([1.0, 0.0, 3.0, 0.5]),),
        lambda p: np.argsort([
            -math.log(x) + math.log(-math.log(u)) if x else math.inf
            for x, u in zip(p, inner(0, 4), strict=True)
        ])[:3], label="choice by weight without repeats",
    ),
]  # fmt: skip


def _p(dtype: str, *shape: int | None) -> Any:
    return sg.placeholder(dtype, shape, name="p")


def _argument(op: str, problem: str, *details: str) -> str:
    return "\n".join([f"{op}: {problem}", *[f"  {d}" for d in details], "  at {here}: {line}"])


def _add(op: Any, *types: tuple[Any, ...], **attrs: Any) -> Any:
    operands = tuple([sg.placeholder(dtype, shape) for dtype, *shape in types])
    return operands[0].graph.add(op, operands, {"stream": 0, **attrs})


def _differing(op: str, names: list[str], dtype: str) -> str:
    shapes = [2, 3, 3]
    lines = [
        f"  {name} 'placeholder_{number + 1}'  {dtype}[{shapes[number]}]  placeholder at {{here}}"
        for number, name in enumerate(names)
    ]
    return "\n".join([
        f"{op}: parameters are {dtype}[2] and {dtype}[3]",
        "  key 'placeholder'  uint64[2]  placeholder at {here}",
        *lines,
        "  they must have one shape",
        "  created at {here}: {line}",
    ])  # fmt: skip


REFUSALS: list[Refusal] = [
    Refusal(
        "random_log_gamma",
        lambda: _add(RANDOM_LOG_GAMMA, ("uint64", 3), ("float64", 2), dtype=FLOAT64),
        ShapeError,
        "random_log_gamma: the key is uint64[3]\n"
        "  key 'placeholder'  uint64[3]  placeholder at {here}\n"
        "  concentration 'placeholder_1'  float64[2]  placeholder at {here}\n"
        "  it must be two uint64: seed and run\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "random_poisson",
        lambda: _add(RANDOM_POISSON, ("uint64", 2), ("float32", 2), dtype=INT64),
        DTypeError,
        "random_poisson: does not take float32\n"
        "  key 'placeholder'  uint64[2]  placeholder at {here}\n"
        "  rate 'placeholder_1'  float32[2]  placeholder at {here}\n"
        "  rate may be float64; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "random_binomial",
        lambda: _add(
            RANDOM_BINOMIAL, ("uint64", 2), ("float64", 2), ("float64", 3), dtype=INT64
        ),
        ShapeError, _differing("random_binomial", ["count", "p"], "float64"),
    ),
    Refusal(
        "random_integers",
        lambda: _add(
            RANDOM_INTEGERS, ("uint64", 2), ("uint64", 2), ("uint64", 3), ("uint64", 3),
            dtype=INT64,
        ),
        ShapeError, _differing("random_integers", ["span", "threshold", "low"], "uint64"),
    ),
    Refusal(
        "log_gamma_path",
        lambda: _p("float64").graph.add(
            LOG_GAMMA_PATH, (_p("float64", 2), _p("float64", 3)), {"part": "slope"}
        ),
        ShapeError,
        "log_gamma_path: operands are float64[2] and float64[3]\n"
        "  concentration 'p_1'  float64[2]  placeholder at {here}\n"
        "  logarithm 'p_2'  float64[3]  placeholder at {here}\n"
        "  they must have one shape\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "random_span",
        lambda: _p("int64").graph.add(RANDOM_SPAN, (_p("int64"), _p("uint64"))), DTypeError,
        "integers: low and high differ in dtype\n"
        "  low 'p_1'  int64[]  placeholder at {here}\n"
        "  high 'p_2'  uint64[]  placeholder at {here}\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "random_integers", lambda: sg.random.integers((2,), 3, 3), ShapeError,
        _argument("integers", "there is none from 3 up to 3", "give low < high"),
        label="none",
    ),
    Refusal(
        "random_integers", lambda: sg.random.integers((2,), 0.0, 3.0), DTypeError,
        _argument("integers", "low and high are float32, dtype is int64",
                  "all are integers; sg.random.uniform draws floats"),
        label="between floats",
    ),
    Refusal(
        "random_log_gamma", lambda: sg.random.gamma([1.0, -1.0]), ShapeError,
        _argument("gamma", "concentration -1 at [1] is not above 0 and finite"),
        label="a concentration",
    ),
    Refusal(
        "random_poisson", lambda: sg.random.poisson(-1.0), ShapeError,
        _argument("poisson", "rate -1 is not between 0 and 2**62"), label="a rate",
    ),
    Refusal(
        "random_poisson", lambda: sg.random.poisson(1.0, dtype="float32"), DTypeError,
        _argument("poisson", "draws no float32",
                  "dtype is an integer dtype; sg.cast converts the draw"),
        label="floats",
    ),
    Refusal(
        "random_binomial", lambda: sg.random.binomial(2.5, 0.5), DTypeError,
        _argument("binomial", "the count is float32", "it is an integer: sg.cast(count, 'int64')"),
        label="half a try",
    ),
    Refusal(
        "random_binomial", lambda: sg.random.binomial(2, 1.5), ShapeError,
        _argument("binomial", "p 1.5 is not between 0 and 1"), label="no probability",
    ),
    Refusal(
        "less", lambda: sg.random.bernoulli(-0.5), ShapeError,
        _argument("bernoulli", "p -0.5 is not between 0 and 1"), label="no probability",
    ),
    Refusal(
        "floor", lambda: sg.random.geometric(0.0), ShapeError,
        _argument("geometric", "p 0 is not above 0 and up to 1"), label="geometric of no chance",
    ),
    Refusal(
        "cumsum", lambda: sg.random.categorical(1.0), ShapeError,
        _argument("categorical", "logits is a scalar", "its last axis holds the categories"),
        label="categorical of a scalar",
    ),
    Refusal(
        "softmax", lambda: sg.random.dirichlet(1.0), ShapeError,
        _argument("dirichlet", "the concentration is a scalar", "its last axis has the shares"),
        label="dirichlet of a scalar",
    ),
    Refusal(
        "gather", lambda: sg.random.permutation(_p("float32")), DTypeError,
        "permutation: a scalar float32 has no entries to permute\n"
        "  x 'p'  float32[]  placeholder at {here}\n"
        "  give a number of elements as an int, or a tensor with at least one axis\n"
        "  created at {here}: {line}",
        label="permutation of a number",
    ),
    Refusal(
        "gather", lambda: sg.random.choice(_p("int64"), 2), ShapeError,
        _argument("choice", "a scalar has no entries", "give an int, or a tensor with axes"),
        label="choice from a scalar",
    ),
    Refusal(
        "argsort", lambda: sg.random.choice(3, (2, 2), replace=False), ShapeError,
        _argument("choice", "4 of 3 entries are wanted without replacement",
                  "give replace=True, or a smaller shape"),
        label="choice of more than there are",
    ),
    Refusal(
        "cumsum", lambda: sg.random.choice(3, (2, 2), p=[0.5, 0.5]), ShapeError,
        _argument("choice", "there are 3 entries and 2 weights",
                  "give a vector with one weight per entry"),
        label="choice with fewer weights",
    ),
]  # fmt: skip
