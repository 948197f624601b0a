"""Distributions of integers and bools. None has a derivative by its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Tensor, get_default_graph
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.errors import DTypeError, RunError
from staticgraph.ops.axes import known_rank
from staticgraph.ops.convert import cast, in_one_graph, promote
from staticgraph.ops.creation import zeros_like
from staticgraph.ops.cumulative import CUMSUM, cumsum
from staticgraph.ops.elementwise import (
    add,
    divide,
    floor,
    less,
    less_equal,
    log,
    log1p,
    multiply,
    negative,
    remainder,
    subtract,
)
from staticgraph.ops.elementwise.record import broadcast_types
from staticgraph.ops.nn.losses import softmax
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.discrete_search import (
    RANDOM_BINOMIAL,
    RANDOM_INTEGERS,
    RANDOM_POISSON,
)
from staticgraph.ops.random.parameters import (
    RANDOM_DOMAIN,
    checked,
    draw_of,
    fit,
    known_parameter,
    limited,
    whole,
)
from staticgraph.ops.random.words import drawn, unit
from staticgraph.ops.reduction import sum as total_of
from staticgraph.ops.shaping import expand_dims, squeeze
from staticgraph.ops.sizes import (
    Target,
    is_int,
    read_sizes,
    refusal,
    shape_of,
    size,
)


def integer_dtype(what: str, dtype: Any) -> DType:
    """The integer dtype that a user asks for; refuses any other."""
    wanted = dtypes.as_dtype(dtype)
    if wanted not in dtypes.INTEGER:
        raise refusal(
            what,
            f"draws no {dtypes.name(wanted)}",
            "dtype is an integer dtype; sg.cast converts the draw",
            error=DTypeError,
        )
    return wanted


@names_told
def bernoulli(p: Any, shape: Any = None, *, name: str | None = None) -> Tensor:
    """Bools that are True with probability `p`.

    p       numbers between 0 and 1, or a tensor of them; there is no derivative
    shape   the shape of the result, to which `p` broadcasts; that of `p` when not given

    A uniform number of 53 bits is compared with p, whatever the dtype of p is. Raises ShapeError
    for a p that is known to be no probability, RunError in a run.

    >>> import staticgraph as sg
    >>> sg.Session(seed=1).run(sg.random.bernoulli([0.0, 1.0]))
    array([False,  True])
    """
    draw = draw_of("bernoulli", shape, (p,), None)
    chance = checked("bernoulli", "p", draw.parameters[0], "probability")
    fraction = unit(draw.graph, draw.target, dtypes.float64)
    return less(fraction, chance, name=name or "bernoulli")


# -- integers of equal probability ------------------------------------------------------------


def _infer_span(types: Types, attrs: Attrs) -> TensorType:
    if types[0].dtype != types[1].dtype:
        raise Mismatch("low and high differ in dtype", error=DTypeError)
    return TensorType(dtypes.uint64, broadcast_types(types))


def _reference_span(low: Any, high: Any) -> Any:
    wrong = np.argwhere(np.asarray(low >= high))
    if len(wrong):
        first, last = np.broadcast_arrays(low, high)
        place = tuple(wrong[0].tolist())
        raise Mismatch(
            f"there is none from {first[place]} up to {last[place]}",
            "give low < high",
            error=RunError,
        )
    return np.asarray(high).astype(np.uint64) - np.asarray(low).astype(np.uint64)


def _emit_span(s: ElementBuilder[Any], low: Any, high: Any) -> Any:
    s.fail_if(s.greater_equal(low, high))
    return s.subtract(s.cast(high, dtypes.uint64), s.cast(low, dtypes.uint64))


RANDOM_SPAN = register(
    OpDef(
        "random_span",
        operands=("low", "high"),
        infer=_infer_span,
        reference=_reference_span,
        dtypes=frozenset({dtypes.int64, dtypes.uint64}),
        elementwise=True,
        emit=_emit_span,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="How many integers there are from low up to high; of none, none can be drawn.",
        title="integers",
    )
)


@names_told
def integers(
    shape: Any, low: Any, high: Any, dtype: Any = "int64", *, name: str | None = None
) -> Tensor:
    """Integers from `low` up to, not including, `high`, each with exactly the same probability.

    shape       an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; None
                for that to which `low` and `high` broadcast
    low, high   ints, or int tensors that broadcast to `shape`; there is no derivative
    dtype       an integer dtype

    The high half of the product of a random 64-bit word and ``high - low``, unless the low half
    says that the word is one of the few too many (D. Lemire, "Fast random integer generation in an
    interval", ACM TOMACS 29, 2019). Raises ShapeError where `low` and `high` are known and leave no
    integer, or one that `dtype` does not hold; the run raises RunError.

    >>> import staticgraph as sg
    >>> draw = sg.Session(seed=1).run(sg.random.integers((100,), 3, 5))
    >>> int(draw.min()), int(draw.max())
    (3, 4)
    """
    wanted = dtypes.as_dtype(dtype)
    target = None if shape is None else read_sizes("integers", shape)
    if is_int(low) and is_int(high) and low >= high:
        raise refusal("integers", f"there is none from {low} up to {high}", "give low < high")
    graph = target.operands[0].graph if target and target.operands else get_default_graph()
    with graph.as_default():
        start, stop = promote((low, high))
    for value in (start, stop):
        if value.dtype not in dtypes.INTEGER or wanted not in dtypes.INTEGER:
            raise refusal(
                "integers",
                f"low and high are {dtypes.name(value.dtype)}, dtype is {dtypes.name(wanted)}",
                "all are integers; sg.random.uniform draws floats",
                error=DTypeError,
            )
    wide = dtypes.uint64 if start.dtype == dtypes.uint64 else dtypes.int64
    start = cast(_held(start, "low", wanted), wide)
    stop = cast(_held(stop, "high", wanted), wide)
    span = start.graph.add(RANDOM_SPAN, (start, stop)).out
    if target is None:
        target = shape_of(span)
    threshold = remainder(subtract(zeros_like(span), span), span)
    low_word = cast(start, dtypes.uint64)
    given = tuple([whole(fit(value, target), target) for value in (span, threshold, low_word)])
    return drawn(RANDOM_INTEGERS, span.graph, given, name or "integers", dtype=wanted)


def _held(bound: Tensor, name: str, wanted: DType) -> Tensor:
    """A bound, refused where the integers up to it are more than the dtype of the draw holds."""
    have, info = np.iinfo(bound.dtype), np.iinfo(wanted)
    least, most = int(info.min), int(info.max) + (name == "high")
    if least <= have.min and have.max <= most:
        return bound
    known = known_parameter(bound)
    if known is None:
        if wanted.itemsize < 8:
            return limited("integers", name, bound, wanted.name)
        # A float64 does not tell the last integers of 64 bits apart.
        wide = cast(bound, dtypes.int64 if wanted == dtypes.uint64 else dtypes.uint64)
        attrs = {"what": name, "domain": wanted.name}
        return wide.graph.add(RANDOM_DOMAIN, (wide,), attrs).out
    for value in (int(known.min()), int(known.max())) if known.size else ():
        if not least <= value <= most:
            drawn_last = value - (name == "high" and value > most)
            raise refusal(
                "integers",
                f"{dtypes.name(wanted)} holds {least} to {info.max}, not {drawn_last}",
                "give low and high between these, or a wider dtype",
            )
    return bound


# -- counts -----------------------------------------------------------------------------------


@names_told
def poisson(
    rate: Any, shape: Any = None, dtype: Any = "int64", *, name: str | None = None
) -> Tensor:
    """Poisson numbers: how often something happens that happens `rate` times on average.

    rate    numbers from 0 to 2**62, or a tensor of them; there is no derivative
    shape   the shape of the result, to which `rate` broadcasts; that of `rate` when not given
    dtype   an integer dtype; numbers that it does not hold wrap around

    Found by inversion below a rate of 10, else by transformed rejection (W. Hormann, 1993,
    algorithm PTRS). Raises ShapeError for a rate that is known to be none, RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.poisson(3.0, (10000,))
    >>> values = sg.Session(seed=1).run(draw)
    >>> bool(abs(values.mean() - 3.0) < 0.1)
    True
    """
    wanted = integer_dtype("poisson", dtype)
    draw = draw_of("poisson", shape, (rate,), None)
    mean = whole(checked("poisson", "rate", draw.parameters[0], "mean"), draw.target)
    return drawn(RANDOM_POISSON, draw.graph, (mean,), name or "poisson", dtype=wanted)


@names_told
@in_one_graph
def binomial(
    count: Any, p: Any, shape: Any = None, dtype: Any = "int64", *, name: str | None = None
) -> Tensor:
    """Binomial numbers: how many of `count` tries succeed, each with probability `p`.

    count   ints from 0 to 2**53, or an int tensor
    p       numbers between 0 and 1, or a tensor of them; there is no derivative
    shape   the shape of the result, to which `count` and `p` broadcast, that to which they
            broadcast when not given
    dtype   an integer dtype; numbers that it does not hold wrap around

    Found by inversion where the rarer outcome is expected less than 10 times, else by transformed
    rejection (W. Hormann, 1993, algorithm BTRS). Raises DTypeError for a count that is no integer,
    ShapeError for parameters that are known to be wrong, RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.binomial(10, 0.3, (10000,))
    >>> values = sg.Session(seed=1).run(draw)
    >>> bool(abs(values.mean() - 3.0) < 0.1)
    True
    """
    wanted = integer_dtype("binomial", dtype)
    number = promote((count,))[0]
    if number.dtype not in dtypes.INTEGER:
        raise refusal(
            "binomial",
            f"the count is {dtypes.name(number.dtype)}",
            "it is an integer: sg.cast(count, 'int64')",
            error=DTypeError,
        )
    draw = draw_of("binomial", shape, (cast(number, dtypes.float64), p), None)
    tries = whole(checked("binomial", "count", draw.parameters[0], "count"), draw.target)
    chance = whole(checked("binomial", "p", draw.parameters[1], "probability"), draw.target)
    return drawn(RANDOM_BINOMIAL, draw.graph, (tries, chance), name or "binomial", dtype=wanted)


@names_told
def geometric(
    p: Any, shape: Any = None, dtype: Any = "int64", *, name: str | None = None
) -> Tensor:
    """Geometric numbers: how many tries the first success takes, from 1 on.

    p       numbers above 0 and up to 1, or a tensor of them; there is no derivative
    shape   the shape of the result, to which `p` broadcasts; that of `p` when not given
    dtype   an integer dtype; numbers that it does not hold wrap around

    The result is ``floor(log(u) / log(1 - p)) + 1`` with u uniform in (0, 1). Raises ShapeError for
    a p that is known to be out of range, RunError in a run.

    >>> import staticgraph as sg
    >>> sg.Session(seed=1).run(sg.random.geometric(1.0))
    np.int64(1)
    """
    wanted = integer_dtype("geometric", dtype)
    draw = draw_of("geometric", shape, (p,), None)
    chance = checked("geometric", "p", draw.parameters[0], "chance")
    fraction = unit(draw.graph, draw.target, dtypes.float64, inner=True)
    failures = floor(divide(log(fraction), log1p(negative(chance))))
    return cast(add(failures, 1.0), wanted, name or "geometric")


# -- categories -------------------------------------------------------------------------------


@names_told
def categorical(
    logits: Any,
    num_samples: Any = None,
    dtype: Any = "int64",
    *,
    name: str | None = None,
) -> Tensor:
    """Numbers of categories, whose probabilities are the softmax of `logits` along the last axis.

    logits        a tensor [..., n] of logarithms of weights, which need not be normalised; there is
                  no derivative. A category of minus infinity is never drawn
    num_samples   how many are drawn for each row: the result is [..., num_samples]; one, without an
                  axis for it, when not given
    dtype         an integer dtype

    Found by inversion: the number of categories up to which the probabilities add up to no more
    than a uniform number, in float64. Raises ShapeError for logits without axes and for known ones
    that leave no category (RunError in a run), DTypeError for a dtype that is no integer.

    >>> import staticgraph as sg
    >>> sg.Session(seed=1).run(sg.random.categorical([[0.0, -float("inf")]], 3))
    array([[0, 0, 0]])
    """
    wanted = integer_dtype("categorical", dtype)
    (given,) = promote((logits,), floating=True)
    if given.type.ndim == 0:
        raise refusal("categorical", "logits is a scalar", "its last axis holds the categories")
    known = known_parameter(given)
    if known is not None and known.size and not np.all(np.isfinite(known.max(axis=-1))):
        raise refusal(
            "categorical",
            "no category is left of the logits, or one is infinite or no number",
            "give each row a finite logit, and minus infinity at most beside it",
        )
    weights = softmax(cast(given, dtypes.float64), axis=-1)
    rank = known_rank(CUMSUM, given)
    count = 1 if num_samples is None else num_samples
    rows: list[Any] = [size(given, axis) for axis in range(rank - 1)]
    target = read_sizes("categorical", (*rows, count))
    chosen = drawn_category("categorical", weights, target)
    if num_samples is None:
        chosen = squeeze(chosen, rank - 1)
    return cast(chosen, wanted, name or "categorical")


def drawn_category(what: str, weights: Tensor, target: Target) -> Tensor:
    """Categories of probabilities in proportion to `weights` [..., n], of the shape [..., k]."""
    rank = known_rank(CUMSUM, weights)
    summed = cumsum(weights, rank - 1)
    fraction = unit(weights.graph, target, dtypes.float64)
    last = (*[slice(None)] * (rank - 1), slice(-1, None))
    reached = multiply(fraction, checked(what, "sum of weights", summed[last], "positive"))
    passed = less_equal(expand_dims(summed, rank - 1), expand_dims(reached, rank))
    return total_of(cast(passed, dtypes.int64), axis=rank)
