"""Distributions of counts that are made of others: negative binomial and multinomial numbers."""

from __future__ import annotations

from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.errors import DTypeError
from staticgraph.ops.axes import known_rank
from staticgraph.ops.convert import cast, in_one_graph, promote
from staticgraph.ops.cumulative import CUMSUM, cumsum
from staticgraph.ops.elementwise import divide, exp, greater, log, log1p, negative, subtract, where
from staticgraph.ops.looping import scan
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.discrete import integer_dtype
from staticgraph.ops.random.discrete_search import RANDOM_BINOMIAL, RANDOM_POISSON
from staticgraph.ops.random.gamma import RANDOM_LOG_GAMMA
from staticgraph.ops.random.parameters import (
    checked,
    draw_of,
    fit,
    listed_sizes,
    refuse_weightless,
    same_shape_as,
    whole,
)
from staticgraph.ops.random.words import drawn
from staticgraph.ops.reduction import sum as total_of
from staticgraph.ops.shaping import broadcast_to, permute_dims
from staticgraph.ops.sizes import read_sizes, refusal, size


@names_told
def negative_binomial(
    count: Any, p: Any, shape: Any = None, dtype: Any = "int64", *, name: str | None = None
) -> Tensor:
    """How many tries fail before `count` of them succeed, each with probability `p`.

    count   positive numbers, or a tensor of them; they need not be integers
    p       numbers above 0 and up to 1, or a tensor of them; there is no derivative
    shape   the shape of the result, to which `count` and `p` broadcast, that to which they
            broadcast when not given
    dtype   an integer dtype; numbers that it does not hold wrap around

    A Poisson number whose rate is a gamma number of concentration `count` and scale ``(1 - p) /
    p``. Raises ShapeError for parameters that are known to be wrong, RunError in a run.

    >>> import staticgraph as sg
    >>> values = sg.Session(seed=1).run(sg.random.negative_binomial(4, 0.5, (10000,)))
    >>> bool(abs(values.mean() - 4.0) < 0.2)
    True
    """
    what = "negative_binomial"
    wanted = integer_dtype(what, dtype)
    draw = draw_of(what, shape, (count, p), None)
    successes = whole(checked(what, "count", draw.parameters[0], "positive"), draw.target)
    chance = checked(what, "p", draw.parameters[1], "chance")
    logarithm = drawn(RANDOM_LOG_GAMMA, draw.graph, (successes,), dtype=dtypes.float64)
    odds = subtract(log1p(negative(chance)), log(chance))
    rate = checked(what, "rate", exp(logarithm + odds), "mean")
    return drawn(RANDOM_POISSON, draw.graph, (rate,), name or what, dtype=wanted)


@names_told
@in_one_graph
def multinomial(
    count: Any, p: Any, shape: Any = None, dtype: Any = "int64", *, name: str | None = None
) -> Tensor:
    """How often each category is drawn in `count` draws; the last axis counts the categories.

    count   ints from 0 to 2**53, or an int tensor that broadcasts to the shape of the result less
            its last axis
    p       weights of the categories along the last axis, not negative: a category's probability
            is its share in their sum. There is no derivative
    shape   how many numbers are drawn: the result has the shape ``(*shape, n)``; that to which
            `count` and `p` broadcast when not given
    dtype   an integer dtype

    Category by category, a binomial number of what is left (L. Devroye, "Non-uniform random variate
    generation", 1986, XI.1.4), so the price does not depend on `count`; for the categories of
    single draws there is `categorical`. Raises DTypeError for a count that is no integer,
    ShapeError for weights without axes and for known ones that are wrong or all 0, RunError in a
    run.

    >>> import staticgraph as sg
    >>> counts = sg.Session(seed=1).run(sg.random.multinomial(100, [0.5, 0.0, 0.5]))
    >>> int(counts.sum()), int(counts[1])
    (100, 0)
    """
    what = "multinomial"
    wanted = integer_dtype(what, dtype)
    number, given = promote((count,))[0], promote((p,), floating=True)[0]
    if number.dtype not in dtypes.INTEGER:
        raise refusal(
            what,
            f"the count is {dtypes.name(number.dtype)}",
            "it is an integer: sg.cast(count, 'int64')",
            error=DTypeError,
        )
    if given.type.ndim == 0:
        raise refusal(what, "p is a scalar", "its last axis holds the categories")
    last = known_rank(CUMSUM, given) - 1
    weights = checked(what, "p", given, "weight")
    refuse_weightless(what, given)
    # The share of a category in what is left for it and those after it; all of nothing is nothing.
    rest = cumsum(weights, last, reverse=True)
    left = greater(rest, 0.0)
    share = where(left, divide(weights, where(left, rest, 1.0)), 0.0)
    tries = checked(what, "count", number, "count")
    total = checked(what, "sum of weights", total_of(weights, axis=last), "positive")
    target = same_shape_as(tries, total) if shape is None else read_sizes(what, shape)
    # Nothing is drawn from weights of which none is above 0: this holds the check in the graph.
    begins = whole(fit(where(greater(total, 0.0), tries, 0.0), target), target)
    batch = listed_sizes(what, target)
    along = broadcast_to(share, (*batch, size(share, last)))
    along = permute_dims(along, (len(batch), *range(len(batch))))

    def step(remaining: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        taken = drawn(RANDOM_BINOMIAL, remaining.graph, (remaining, chance), dtype=dtypes.int64)
        return subtract(remaining, cast(taken, dtypes.float64)), taken

    _, counts = scan(step, begins, along)
    ordered = permute_dims(counts, (*range(1, len(batch) + 1), 0))
    return cast(ordered, wanted, name or what)
