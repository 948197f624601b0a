"""Polynomials by their coefficients, that of the highest power first, as NumPy's older functions.

How many coefficients there are must be known when the graph is built; what they are need not. So
no result is shortened by leading coefficients that are 0, as NumPy's products are.
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
from staticgraph.ops.creation import ones_like, zeros_like
from staticgraph.ops.differences import convolve, part
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.joining import concat
from staticgraph.ops.linalg import lstsq
from staticgraph.ops.requiring import require
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

    They promote to one dtype. No coefficients are the polynomial 0. Derivatives flow to both.
    Raises ShapeError for coefficients that are no vector or of which the number is not known.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyval([1.0, 0.0, -2.0], sg.constant([0.0, 3.0])))
    array([-2.,  7.], dtype=float32)
    """
    given, at = promote((p, x))
    vector, count = _coefficients("polyval", given)
    with at.graph.as_default():
        total = zeros_like(at)
        for place in range(count):
            total = total * at + vector[place]
        return identity(total, name=name or "polyval")


def polyadd(a1: Any, a2: Any, *, name: str | None = None) -> Tensor:
    """The coefficients of the sum of two polynomials, as many as the longer one has.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyadd(sg.constant([1.0, 2.0]), [9.0, 5.0, 4.0]))
    array([9., 6., 6.], dtype=float32)
    """
    first, second = _of_one_length("polyadd", a1, a2)
    return ew.add(first, second, name=name or "polyadd")


def polysub(a1: Any, a2: Any, *, name: str | None = None) -> Tensor:
    """The coefficients of the difference of two polynomials, as many as the longer one has.

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
    """The coefficients of the product of two polynomials, one fewer than both have together.

    Leading ones that are 0 stay, which `numpy.polymul` takes off: their number must be known before
    the run.

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

    Bools and narrow integers are computed in int64, unsigned ones of 64 bits in float64, as NumPy
    has it. Raises ShapeError for an `m` that is no number of times.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyder(sg.constant([1.0, 1.0, 1.0])))
    array([2., 1.], dtype=float32)
    """
    if not is_int(m) or m < 0:
        raise refusal("polyder", f"m={m!r} is no number of times", "give an int from 0")
    row, count = _coefficients("polyder", as_tensor(p))
    dtype = row.dtype
    if m > 0 and dtype not in dtypes.DIFFERENTIABLE:
        # The powers are no numbers of a narrow dtype, and less so the products with them.
        dtype = dtypes.promote(dtype, dtypes.int64)
    row = cast(row, dtypes.float32 if dtype in dtypes.HALF else dtype)
    for _ in range(int(m)):
        with row.graph.as_default():
            powers = np.arange(max(count - 1, 0), 0, -1).astype(row.dtype)
            row = part(row, 0, None, -1) * constant(powers)
        count = max(count - 1, 0)
    return _rounded(row, dtype, name or "polyder")


def _rounded(row: Tensor, dtype: dtypes.DType, name: str) -> Tensor:
    """The row in a dtype, of which half precision was computed in float32."""
    return identity(row, name=name) if row.dtype == dtype else cast(row, dtype, name)


@in_one_graph
def polyint(p: Any, m: int = 1, k: Any = None, *, name: str | None = None) -> Tensor:
    """The coefficients of the `m`-th integral of a polynomial.

    k   the constants of integration: a number for all, or one for each time; 0 by default

    Integers are computed in float64, half precision in float32 and rounded once. Raises ShapeError
    for an `m` that is no number of times, and for constants that do not fit.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polyint(sg.constant([2.0, 1.0]), k=5.0))
    array([1., 1., 5.], dtype=float32)
    """
    if not is_int(m) or m < 0:
        raise refusal("polyint", f"m={m!r} is no number of times", "give an int from 0")
    row, count = _coefficients("polyint", as_tensor(p))
    listed = isinstance(k, list | tuple) or (isinstance(k, np.ndarray) and k.ndim > 0)
    constants = list(k) if listed else [0 if k is None else k]
    constants = constants * int(m) if len(constants) == 1 else constants
    if len(constants) != m:
        raise refusal(
            "polyint", f"there are {len(constants)} constants for {m} integrals",
            "give one number, or one per integral",
        )  # fmt: skip
    dtype = row.dtype if row.dtype in dtypes.DIFFERENTIABLE else dtypes.float64
    row = cast(row, dtypes.float32 if dtype in dtypes.HALF else dtype)
    for given in constants:
        with row.graph.as_default():
            powers = np.arange(count, 0, -1).astype(row.dtype)
            last = as_tensor(given)
            if last.type.ndim != 0:
                refuse("polyint", (last,), Mismatch(
                    f"a constant of integration has shape {format_shape(last.type.shape)}",
                    "give one number, or a list with one per integral",
                ), ("k",))  # fmt: skip
            last = in_dtype_of("polyint", "k", given, row)
            row = concat([row / constant(powers), expand_dims(last, 0)])
        count += 1
    return _rounded(row, dtype, name or "polyint")


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
    w       a vector of weights that the residuals are multiplied with, one per point

    Integers are computed in float64, half precision in float32 and rounded once. Derivatives flow
    to `x`, `y` and `w`. Raises ShapeError for what is no vector, for vectors of different lengths
    or of no points, where they are known, and for a degree that is none; what only the run knows is
    an error of the run.

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
    dtype = places.dtype
    with places.graph.as_default():
        if dtype in dtypes.HALF:
            places, values, *weights = [
                cast(given, dtypes.float32) for given in (places, values, *weights)
            ]
        places = _of_points(places, values, *weights)
        columns = [ones_like(places)]
        for _ in range(int(deg)):
            columns.append(columns[-1] * places)
        powers = concat([expand_dims(column, 1) for column in reversed(columns)], 1)
        if weights:
            powers = powers * expand_dims(weights[0], 1)
            wide = expand_dims(weights[0], 1) if values.type.ndim == 2 else weights[0]
            values = values * wide
        # Columns of one length make singular values tell what is too small, whatever the unit is.
        sizes = ew.abs(powers) if powers.dtype in dtypes.COMPLEX else powers
        length = ew.sqrt(reduce.sum(ew.square(sizes), 0))
        found = lstsq(powers / length, values, _part(rcond, places)).x
        scale = expand_dims(length, 1) if values.type.ndim == 2 else length
        return _rounded(ew.divide(found, scale), dtype, name or "polyfit")


def _part(rcond: Any, places: Tensor) -> Any:
    """Up to which part of the largest one a singular value counts as 0."""
    if is_tensor_like(rcond):
        return rcond
    if rcond is None:
        real = dtypes.part_of(places.dtype)
        return cast(size(places), real) * float(dtypes.limits(real).eps)
    if not is_int(rcond) and not isinstance(rcond, float | np.floating):
        raise refusal(
            "polyfit", f"rcond={rcond!r} is no number", "give a float, or None for len(x) * eps"
        )
    return float(rcond)


def _of_points(places: Tensor, values: Tensor, *weights: Tensor) -> Tensor:
    """The places, with one value and one weight for each, and at least one."""
    others = list(zip(("y", "w"), (values, *weights), strict=False))
    nothing, have = "there are no points to fit", dim_of(places, 0)
    if have == 0:
        refuse("polyfit", (places,), Mismatch(nothing, "give one point at least"), ("x",))
    for label, other in others:
        dim = dim_of(other, 0)
        problem = f"x and {label} have different lengths"
        if isinstance(have, int) and isinstance(dim, int):
            if have != dim:
                refuse("polyfit", (places, other), Mismatch(
                    problem, f"x has {have}, {label} has {dim}; they must be equal"
                ), ("x", label))  # fmt: skip
            continue
        count, wanted = size(other, 0), size(places, 0)
        places = require(
            places, ew.equal(count, wanted), "polyfit", problem, "give one per point",
            **{"x's length": wanted, f"{label}'s length": count},
        )  # fmt: skip
    if isinstance(have, int):
        return places
    some = ew.greater(size(places, 0), 0)
    return require(places, some, "polyfit", nothing, "give one point at least")
