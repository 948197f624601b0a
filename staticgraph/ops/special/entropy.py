"""Logarithms of probabilities that may be 0: xlog1py, entropies and divergences.

Names are those of scipy.special; nothing is NaN where its limit is a number.
"""

from __future__ import annotations

import math
from typing import Any

from staticgraph.config import LazyModule
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Operation, Tensor
from staticgraph.ops.elementwise import (
    abs,
    add,
    equal,
    isnan,
    log,
    log1p,
    logical_and,
    logical_or,
    negative,
    where,
)
from staticgraph.ops.elementwise.record import elementwise
from staticgraph.ops.half import rounded_once
from staticgraph.ops.special import xlogy

special = LazyModule("scipy.special")


def _emit_xlog1py(s: ElementBuilder[Any], x: Any, y: Any) -> Any:
    zero = s.constant(0, x.dtype)
    nothing = s.logical_and(s.equal(x, zero), s.logical_not(s.isnan(y)))
    return s.where(nothing, zero, s.multiply(x, s.log1p(y)))


def _vjp_xlog1py_y(node: Operation, adjoint: Tensor) -> Tensor:
    x, y = node.inputs
    nothing = logical_and(equal(x, 0), equal(y, -1))
    return adjoint * (x / where(nothing, 1, y + 1.0))


xlog1py = elementwise(
    "xlog1py", lambda x, y: special.xlog1py(x, y), operands=("x", "y"),
    emit=_emit_xlog1py,
    vjp=(lambda node, adjoint: adjoint * log1p(node.inputs[1]), _vjp_xlog1py_y),
    doc="``x * log1p(y)``, elementwise, and 0 where x is 0 and y is not NaN.",
)  # fmt: skip


def entr(x: Any, *, name: str | None = None) -> Tensor:
    """What a probability adds to an entropy, elementwise: ``-x * log(x)``, 0 at 0, -inf below.

    Takes x of any real dtype; integers and bools are computed in floating point.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.entr([0.0, 0.5, 1.0])).round(4)
    array([ 0.    ,  0.3466, -0.    ], dtype=float32)
    """
    return rounded_once(_entr, (x,), name)


def _entr(x: Tensor, *, name: str | None) -> Tensor:
    below = x < 0
    value = xlogy(negative(x), where(below, 1.0, x))
    return where(below, -math.inf, value, name=name)


def rel_entr(x: Any, y: Any, *, name: str | None = None) -> Tensor:
    """What a pair adds to a relative entropy, elementwise: ``x * log(x / y)``.

    0 where x is 0 and y is not negative; inf where else one is not positive; NaN where one is NaN.
    They promote to one floating dtype and broadcast. Close to ``x == y`` it is as accurate as
    elsewhere.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.rel_entr([0.0, 0.5, 0.5], [0.5, 0.25, 0.0])).round(4)
    array([0.    , 0.3466,    inf], dtype=float32)
    """
    return rounded_once(_rel_entr, (x, y), name)


def kl_div(x: Any, y: Any, *, name: str | None = None) -> Tensor:
    """What a pair adds to a Kullback-Leibler divergence, elementwise: ``x * log(x / y) - x + y``.

    As `rel_entr`, with y where x is 0; it is never negative. They promote to one floating dtype and
    broadcast.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.kl_div([0.0, 0.5, 0.5], [0.5, 0.25, 0.0])).round(4)
    array([0.5   , 0.0966,    inf], dtype=float32)
    """
    return rounded_once(_kl_div, (x, y), name)


def _pairs(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whether both are positive, whether they are 0 and not negative, and whether one is NaN."""
    inside = logical_and(x > 0, y > 0)
    nothing = logical_and(equal(x, 0), y >= 0)
    return inside, nothing, logical_or(isnan(x), isnan(y))


def _logarithm_of_ratio(x: Tensor, y: Tensor) -> Tensor:
    """``log(x / y)`` of positive numbers, whatever their ratio is."""
    off = (x - y) / y
    near = abs(off) < 0.5
    return where(near, log1p(where(near, off, 0.0)), log(x) - log(y))


def _rel_entr(x: Tensor, y: Tensor, *, name: str | None) -> Tensor:
    inside, nothing, unknown = _pairs(x, y)
    # Where x is 0 the slope of x is that of the logarithm.
    above, below = where(inside, x, 1.0), where(inside, y, 1.0)
    value = above * _logarithm_of_ratio(above, below)
    outside = where(nothing, xlogy(x, where(nothing, x, 1.0)), math.inf)
    return where(unknown, x + y, where(inside, value, outside), name=name)


def _kl_div(x: Tensor, y: Tensor, *, name: str | None) -> Tensor:
    inside, nothing, unknown = _pairs(x, y)
    above, below = where(inside, x, 1.0), where(inside, y, 1.0)
    off = (above - below) / below
    near = abs(off) < 0.05
    small = where(near, off, 0.0)
    # Of y * ((1 + f) * log(1 + f) - f) the terms of f and of what cancels are left out.
    series: Any = 0.0
    for n in range(13, 1, -1):
        series = series * negative(small) + 1.0 / (n * (n - 1.0))
    far = above * _logarithm_of_ratio(above, below) - (above - below)
    value = where(near, below * (small * small) * series, far)
    outside = where(nothing, add(xlogy(x, where(nothing, x, 1.0)), y), math.inf)
    return where(unknown, x + y, where(inside, value, outside), name=name)
