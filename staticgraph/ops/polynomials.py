"""Polynomials by their coefficients, that of the highest power first, as NumPy's older functions.

How many coefficients there are must be known when the graph is built; what they are need not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, constant, in_one_graph, is_tensor_like, promote
from staticgraph.ops.differences import convolve, part
from staticgraph.ops.joining import concat
from staticgraph.ops.linalg import lstsq
from staticgraph.ops.shaping import expand_dims
from staticgraph.ops.sizes import dim_of, is_int, refusal, size

# -- coefficients -----------------------------------------------------------------------------


def _coefficients(what: str, p: Tensor, label: str = "p") -> tuple[Tensor, int]:
    """A vector of coefficients and how many they are; a scalar is one."""
    vector = expand_dims(p, 0) if known_rank(what, p) == 0 else p
    count = dim_of(vector, 0) if vector.type.ndim == 1 else None
    if not isinstance(count, int):
        refuse(what, (p,), Mismatch(
            f"{label} has shape {format_shape(p.type.shape)}",
            "give a vector with a known number of coefficients",
        ), (label,))  # fmt: skip
    return vector, count


def polyval(p: Any, x: Any, *, name: str | None = None) -> Tensor:
    """The values of a polynomial at `x`, by Horner's rule.

    p   the coefficients, that of the highest power first
    x   numbers or a tensor of any shape, which the result has

    They promote to one dtype. Derivatives flow to both. Raises ShapeError for coefficients that are
    no vector or of which the number is not known.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyval([1.0, 0.0, -2.0], sg.constant([0.0, 3.0])))
    array([-2.,  7.], dtype=float32)
    """
    given, at = promote((p, x))
    vector, count = _coefficients("polyval", given)
    with at.graph.as_default():
        total = at * 0
        for place in range(count):
            total = total * at + vector[place]
        return identity(total, name=name or "polyval")


def polyadd(a1: Any, a2: Any, *, name: str | None = None) -> Tensor:
    """The coefficients of the sum of two polynomials.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyadd(sg.constant([1.0, 2.0]), [9.0, 5.0, 4.0]))
    array([9., 6., 6.], dtype=float32)
    """
    first, second = _of_one_length("polyadd", a1, a2)
    return ew.add(first, second, name=name or "polyadd")


def polysub(a1: Any, a2: Any, *, name: str | None = None) -> Tensor:
    """The coefficients of the difference of two polynomials.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polysub(sg.constant([2.0, 10.0, -2.0]), [3.0, 10.0, -4.0]))
    array([-1.,  0.,  2.], dtype=float32)
    """
    first, second = _of_one_length("polysub", a1, a2)
    return ew.subtract(first, second, name=name or "polysub")


def _of_one_length(what: str, a1: Any, a2: Any) -> list[Tensor]:
    """Two rows of coefficients, the shorter one with zeros for higher powers."""
    pairs = [
        _coefficients(what, tensor, label)
        for tensor, label in zip(promote((a1, a2)), ("a1", "a2"), strict=True)
    ]
    longest = max(count for _, count in pairs)
    rows = []
    for row, count in pairs:
        with row.graph.as_default():
            zeros = constant(np.zeros(longest - count, row.dtype))
            rows.append(concat([zeros, row]) if count < longest else row)
    return rows


def polymul(a1: Any, a2: Any, *, name: str | None = None) -> Tensor:
    """The coefficients of the product of two polynomials.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polymul(sg.constant([1.0, 2.0]), [1.0, -2.0]))
    array([ 1.,  0., -4.], dtype=float32)
    """
    first, second = promote((a1, a2))
    lhs = _coefficients("polymul", first, "a1")[0]
    rhs = _coefficients("polymul", second, "a2")[0]
    return convolve(lhs, rhs, name=name or "polymul")


def polyder(p: Any, m: int = 1, *, name: str | None = None) -> Tensor:
    """The coefficients of the `m`-th derivative of a polynomial.

    Raises ShapeError for an `m` that is no number of times.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyder(sg.constant([1.0, 1.0, 1.0])))
    array([2., 1.], dtype=float32)
    """
    if not is_int(m) or m < 0:
        raise refusal("polyder", f"m={m!r} is no number of times", "give an int from 0")
    row, count = _coefficients("polyder", as_tensor(p))
    for _ in range(int(m)):
        with row.graph.as_default():
            powers = np.arange(max(count - 1, 0), 0, -1).astype(row.dtype)
            row = part(row, 0, None, -1) * constant(powers)
        count = max(count - 1, 0)
    return identity(row, name=name or "polyder")


@in_one_graph
def polyint(p: Any, m: int = 1, k: Any = None, *, name: str | None = None) -> Tensor:
    """The coefficients of the `m`-th integral of a polynomial.

    k   the constants of integration: a number for all, or one for each time; 0 by default

    Integers are computed in float64. Raises ShapeError for an `m` that is no number of times, and
    for constants that do not fit.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyint(sg.constant([2.0, 1.0]), k=5.0))
    array([1., 1., 5.], dtype=float32)
    """
    if not is_int(m) or m < 0:
        raise refusal("polyint", f"m={m!r} is no number of times", "give an int from 0")
    row, count = _coefficients("polyint", as_tensor(p))
    constants = list(k) if isinstance(k, list | tuple | np.ndarray) else [0 if k is None else k]
    constants = constants * int(m) if len(constants) == 1 else constants
    if len(constants) != m:
        raise refusal(
            "polyint", f"there are {len(constants)} constants for {m} integrals",
            "give one number, or one per integral",
        )  # fmt: skip
    row = row if row.dtype in dtypes.INEXACT else cast(row, dtypes.float64)
    for given in constants:
        with row.graph.as_default():
            powers = np.arange(count, 0, -1).astype(row.dtype)
            last = cast(as_tensor(given), row.dtype)
            row = concat([row / constant(powers), expand_dims(last, 0)])
        count += 1
    return identity(row, name=name or "polyint")


# -- fits -------------------------------------------------------------------------------------


@in_one_graph
def polyfit(
    x: Any, y: Any, deg: int, rcond: Any = None, *, w: Any = None, name: str | None = None
) -> Tensor:
    """The coefficients of the polynomial of degree `deg` through points, by least squares.

    x       a vector of places
    y       a vector of values, or a matrix with a column per fit; the result then has those columns
    deg     an int from 0
    rcond   singular values up to this part of the largest count as 0; ``len(x) * eps`` by default
    w       a vector of weights that the residuals are multiplied with

    Integers are computed in float64. Derivatives flow to `x`, `y` and `w`. Raises ShapeError for
    what is no vector and for a degree that is none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyfit(sg.constant([0.0, 1.0, 2.0]), [1.0, 3.0, 5.0], 1)).round(3)
    array([2., 1.], dtype=float32)
    """
    if not is_int(deg) or deg < 0:
        raise refusal("polyfit", f"deg={deg!r} is no degree", "give an int from 0")
    weighted = [] if w is None else [w]
    places, values, *weights = promote((x, y, *weighted), floating=True)
    for given, label, ranks in ((places, "x", (1,)), (values, "y", (1, 2)),
                                *[(weight, "w", (1,)) for weight in weights]):  # fmt: skip
        if known_rank("polyfit", given) not in ranks:
            refuse("polyfit", (given,), Mismatch(
                f"{label} has shape {format_shape(given.type.shape)}",
                "give vectors; y may be a matrix with a column per fit",
            ), (label,))  # fmt: skip
    with places.graph.as_default():
        columns = [places * 0 + 1]
        for _ in range(int(deg)):
            columns.append(columns[-1] * places)
        powers = concat([expand_dims(column, 1) for column in reversed(columns)], 1)
        if weights:
            powers = powers * expand_dims(weights[0], 1)
            wide = expand_dims(weights[0], 1) if values.type.ndim == 2 else weights[0]
            values = values * wide
        # Columns of one length make singular values tell what is too small, whatever the unit is.
        length = ew.sqrt(reduce.sum(ew.square(powers), 0))
        if rcond is None:
            rcond = cast(size(places), places.dtype) * float(np.finfo(places.dtype).eps)
        elif not is_tensor_like(rcond):
            rcond = float(rcond)
        found = lstsq(powers / length, values, rcond).x
        scale = expand_dims(length, 1) if values.type.ndim == 2 else length
        return ew.divide(found, scale, name=name or "polyfit")
