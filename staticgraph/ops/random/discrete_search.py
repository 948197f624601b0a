"""How integers are drawn: equally likely ones, Poisson's and binomial ones.

Small Poisson and binomial numbers are found by inversion, which walks along the probabilities of 0,
1, 2, ...; others by transformed rejection (W. Hormann, "The transformed rejection method for
generating Poisson random variables", Insurance: Mathematics and Economics 12, 1993, algorithm
PTRS; "The generation of binomial random variates", Journal of Statistical Computation and
Simulation 46, 1993, algorithm BTRS). Logarithms of probabilities are computed as C. Loader does
("Fast and accurate computation of binomial probabilities", 2000), without differences of large
numbers, so the rejection is exact for large means as well.
"""

from __future__ import annotations

import math
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType, compatible
from staticgraph.ops.random.search import (
    SEARCHES,
    Functions,
    Search,
    State,
    Words,
    fraction,
    inner_fraction,
    reference,
)
from staticgraph.ops.random.words import check_key

_HALF = 0xFFFFFFFF
# From this mean on numbers are found by rejection.
_LARGE = 10.0
_UINT64 = frozenset({dtypes.uint64})
_FLOAT64 = frozenset({dtypes.float64})


def infer_searched(types: Types, attrs: Attrs) -> TensorType:
    """The type of what is searched with a key and parameters of one shape."""
    check_key(types[0])
    for type in types[2:]:
        if not compatible(type.shape, types[1].shape):
            raise Mismatch(f"parameters are {types[1]} and {type}", "they must have one shape")
    return TensorType(attrs["dtype"], types[1].shape)


# -- integers of equal probability ----------------------------------------------------------------


def _step_integer(m: Functions, words: Words, state: State, parameters: State) -> tuple[Any, State]:
    """D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29, 2019.

    The high half of word times span is the number, unless the low half lies below the threshold
    ``2**64 % span``: of those words some numbers would get one more than others.
    """
    span, threshold, _ = parameters
    high, low = _product(words[0], span)
    return low >= threshold, (high,)


def _product(word: Any, span: Any) -> tuple[Any, Any]:
    """The high and the low half of a product of 128 bits."""
    low, high = word & _HALF, word >> 32
    span_low, span_high = span & _HALF, span >> 32
    one, other = low * span_high, high * span_low
    carried = ((low * span_low) >> 32) + (one & _HALF) + (other & _HALF)
    return high * span_high + (one >> 32) + (other >> 32) + (carried >> 32), word * span


def _integer_searches(attrs: Attrs) -> tuple[Search, ...]:
    dtype = attrs["dtype"]
    return (
        Search(
            start=lambda m, words, parameters: (parameters[0],),
            step=_step_integer,
            finish=lambda m, state, parameters: m.cast(state[0] + parameters[2], dtype),
            shares=True,
        ),
    )


SEARCHES["random_integers"] = _integer_searches
RANDOM_INTEGERS = register(
    OpDef(
        "random_integers",
        operands=("key", "span", "threshold", "low"),
        infer=infer_searched,
        reference=reference("random_integers"),
        attrs=("stream", "dtype"),
        dtypes=_UINT64,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Integers from low on, of which there are `span`, each with the same probability; "
        "threshold is ``2**64 % span``.",
    )
)


# -- logarithms of probabilities ------------------------------------------------------------------


def _stirling(k: int) -> float:
    """What Stirling's formula for log(k!) lacks."""
    if k == 0:
        return 0.0
    return math.lgamma(k + 1) - (k + 0.5) * math.log(k) + k - 0.5 * math.log(2 * math.pi)


_SMALL = [_stirling(k) for k in range(12)]


def stirling_error(m: Functions, k: Any) -> Any:
    """``log(k!)`` less Stirling's ``(k + 1/2) log(k) - k + log(2 pi) / 2``; 0 for k = 0.

    The series is https://dlmf.nist.gov/5.11.E1; from k = 12 on the terms that are left out are
    below 1e-14.
    """
    square = 1.0 / (k * k)
    tail = 1.0 / 1188.0 * square - 1.0 / 1680.0
    value = (((tail * square + 1.0 / 1260.0) * square - 1.0 / 360.0) * square + 1.0 / 12.0) / k
    for number, known in enumerate(_SMALL):
        value = m.where(m.equal(k, float(number)), known, value)
    return value


def _deviance(m: Functions, k: Any, mean: Any) -> Any:
    """``k log(k / mean) + mean - k``, which is 0 where they are equal."""
    moved = (k - mean) / mean
    value = mean * ((1.0 + moved) * m.log1p(moved) - moved)
    return m.where(m.equal(k, 0.0), mean, value)


def _at_least_one(m: Functions, k: Any) -> Any:
    return m.where(k < 1.0, 1.0, k)


# -- Poisson --------------------------------------------------------------------------------------


def _start_poisson(m: Functions, words: Words, parameters: State) -> State:
    (rate,) = parameters
    return m.number(0.0), fraction(m, words[0]), m.exp(-rate)


def _step_poisson(m: Functions, words: Words, state: State, parameters: State) -> tuple[Any, State]:
    """k, what is left of the fraction, and the probability of k."""
    (rate,) = parameters
    k, left, probability = state
    goes_on = (left >= probability) & (probability > 1e-30)
    after = k + 1.0
    return _not(goes_on), (
        m.where(goes_on, after, k),
        left - probability,
        probability * (rate / after),
    )


def _not(condition: Any) -> Any:
    return condition ^ True


def _step_large_poisson(
    m: Functions, words: Words, state: State, parameters: State
) -> tuple[Any, State]:
    (rate,) = parameters
    b = 0.931 + 2.53 * m.sqrt(rate)
    a = -0.059 + 0.02483 * b
    u = inner_fraction(m, words[0]) - 0.5
    v = inner_fraction(m, words[1])
    near = 0.5 - m.where(u < 0.0, -u, u)
    k = m.floor((2.0 * a / near + b) * u + rate + 0.43)
    quick = (near >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2.0))
    never = (k < 0.0) | ((near < 0.013) & (v > near))
    height = m.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (near * near) + b))
    whole = m.where(m.equal(k, 0.0), -rate, (
        -_deviance(m, k, rate) - stirling_error(m, k)
        - 0.5 * m.log(2.0 * math.pi * _at_least_one(m, k))
    ))  # fmt: skip
    # A rate that is no number would never be accepted.
    return quick | (_not(never) & (height <= whole)) | _not(m.equal(rate, rate)), (k,)


def _poisson_searches(attrs: Attrs) -> tuple[Search, ...]:
    dtype = attrs["dtype"]

    def finish(m: Functions, state: State, parameters: State) -> Any:
        return m.cast(state[0], dtype)

    return (
        Search(_step_poisson, finish, _start_poisson, lambda m, p: p[0] < _LARGE, begins=1),
        Search(
            _step_large_poisson, finish, lambda m, words, p: (m.number(0.0),),
            lambda m, p: p[0] >= _LARGE, draws=1,
        ),
    )  # fmt: skip


SEARCHES["random_poisson"] = _poisson_searches
RANDOM_POISSON = register(
    OpDef(
        "random_poisson",
        operands=("key", "rate"),
        infer=infer_searched,
        reference=reference("random_poisson"),
        attrs=("stream", "dtype"),
        dtypes=(_UINT64, _FLOAT64),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Poisson numbers of the given rates: by inversion below 10, else by transformed "
        "rejection.",
    )
)


# -- binomial -------------------------------------------------------------------------------------


def _likely(m: Functions, parameters: State) -> tuple[Any, Any]:
    """The count, and the probability or that of the opposite, whichever is smaller."""
    count, p = parameters
    return count, m.where(p > 0.5, 1.0 - p, p)


def _start_binomial(m: Functions, words: Words, parameters: State) -> State:
    count, p = _likely(m, parameters)
    return m.number(0.0), fraction(m, words[0]), m.exp(count * m.log1p(-p))


def _step_binomial(
    m: Functions, words: Words, state: State, parameters: State
) -> tuple[Any, State]:
    count, p = _likely(m, parameters)
    k, left, probability = state
    goes_on = (left >= probability) & (k < count) & (probability > 1e-30)
    after = k + 1.0
    return _not(goes_on), (
        m.where(goes_on, after, k),
        left - probability,
        probability * ((count - k) / after * (p / (1.0 - p))),
    )


def _step_large_binomial(
    m: Functions, words: Words, state: State, parameters: State
) -> tuple[Any, State]:
    count, p = _likely(m, parameters)
    opposite = 1.0 - p
    spread = m.sqrt(count * p * opposite)
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    u = inner_fraction(m, words[0]) - 0.5
    v = inner_fraction(m, words[1])
    near = 0.5 - m.where(u < 0.0, -u, u)
    k = m.floor((2.0 * a / near + b) * u + count * p + 0.5)
    quick = (near >= 0.07) & (v <= 0.92 - 4.2 / b)
    never = (k < 0.0) | (k > count)
    height = m.log(v * ((2.83 + 5.1 / b) * spread) / (a / (near * near) + b))
    mode = m.floor((count + 1.0) * p)
    ratio = _binomial(m, k, count, p) - _binomial(m, mode, count, p)
    wrong = _not(m.equal(count, count) & m.equal(p, p))
    return quick & _not(never) | (_not(never) & (height <= ratio)) | wrong, (k,)


def _binomial(m: Functions, k: Any, count: Any, p: Any) -> Any:
    """The logarithm of a probability, but for what does not depend on k."""
    rest = count - k
    return (
        -_deviance(m, k, count * p) - _deviance(m, rest, count * (1.0 - p))
        - stirling_error(m, k) - stirling_error(m, rest)
        - 0.5 * m.log(_without_zero(m, k) * _without_zero(m, rest))
    )  # fmt: skip


def _without_zero(m: Functions, k: Any) -> Any:
    # Stirling's formula for 0! lacks sqrt(2 pi k), whose place 1 / (2 pi) takes.
    return m.where(k < 1.0, 1.0 / (2.0 * math.pi), k)


def _binomial_searches(attrs: Attrs) -> tuple[Search, ...]:
    dtype = attrs["dtype"]

    def finish(m: Functions, state: State, parameters: State) -> Any:
        count, p = parameters
        return m.cast(m.where(p > 0.5, count - state[0], state[0]), dtype)

    def large(m: Functions, parameters: State) -> Any:
        count, p = _likely(m, parameters)
        return count * p >= _LARGE

    return (
        Search(
            _step_binomial, finish, _start_binomial, lambda m, p: _not(large(m, p)), begins=1,
        ),
        Search(
            _step_large_binomial, finish, lambda m, words, p: (m.number(0.0),), large, draws=1,
        ),
    )  # fmt: skip


SEARCHES["random_binomial"] = _binomial_searches
RANDOM_BINOMIAL = register(
    OpDef(
        "random_binomial",
        operands=("key", "count", "p"),
        infer=infer_searched,
        reference=reference("random_binomial"),
        attrs=("stream", "dtype"),
        dtypes=(_UINT64, _FLOAT64, _FLOAT64),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Binomial numbers of `count` tries that succeed with probability p: by inversion where "
        "the mean (of the rarer outcome) is below 10, else by transformed rejection.",
    )
)
