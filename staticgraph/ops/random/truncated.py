"""Normal numbers between two bounds, by inversion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core import dtypes
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import DIAGONAL, OpDef, register
from staticgraph.ops.convert import cast, is_tensor_like
from staticgraph.ops.elementwise import (
    add,
    exp,
    greater,
    less,
    multiply,
    negative,
    subtract,
    where,
)
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.parameters import Draw, checked, draw_of, known_parameter
from staticgraph.ops.random.words import unit
from staticgraph.ops.sizes import refusal
from staticgraph.ops.special import erfc

# Importing SciPy's functions takes longer than the rest of the package.
special = LazyModule("scipy.special")

# M. J. Wichura, "The percentage points of the normal distribution", Applied Statistics 37, 1988,
# algorithm AS 241, PPND16: numerators and denominators near the middle, beside it, and far out.
_MIDDLE = (
    (3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)  # fmt: skip
_BESIDE = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
     3.64784832476320460504, 1.27045825245236838258, 0.241780725177450611770,
     0.0227238449892691845833, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
     0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
     0.296560571828504891230, 0.0265321895265761230930, 0.00124266094738807843860,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def _quotient(s: ElementBuilder[Any], x: Any, parts: tuple[tuple[float, ...], ...]) -> Any:
    values = []
    for coefficients in parts:
        value = s.constant(coefficients[-1], x.dtype)
        for coefficient in reversed(coefficients[:-1]):
            value = s.add(s.multiply(value, x), s.constant(coefficient, x.dtype))
        values.append(value)
    return s.divide(values[0], values[1])


def _emit_quantile(s: ElementBuilder[Any], p: Any) -> Any:
    def number(value: float) -> Any:
        return s.constant(value, p.dtype)

    away = s.subtract(p, number(0.5))
    square = s.subtract(number(0.180625), s.multiply(away, away))
    middle = s.multiply(away, _quotient(s, square, _MIDDLE))
    tail = s.minimum(p, s.subtract(number(1.0), p))
    root = s.sqrt(s.negative(s.log(tail)))
    beside = _quotient(s, s.subtract(root, number(1.6)), _BESIDE)
    far = _quotient(s, s.subtract(root, number(5.0)), _FAR)
    outer = s.where(s.less_equal(root, number(5.0)), beside, far)
    outer = s.where(s.equal(tail, number(0.0)), number(math.inf), outer)
    outer = s.copysign(outer, away)
    return s.where(s.less_equal(s.abs(away), number(0.425)), middle, outer)


def _vjp_quantile(node: Operation, adjoint: Tensor) -> Tensor:
    density = exp(multiply(multiply(node.out, node.out), -0.5))
    return adjoint * math.sqrt(2.0 * math.pi) / density


NORMAL_QUANTILE = register(
    OpDef(
        "normal_quantile",
        operands=("p",),
        infer=lambda types, attrs: types[0],
        reference=lambda p: special.ndtri(p),
        dtypes=frozenset({dtypes.float64}),
        elementwise=True,
        emit=_emit_quantile,
        vjp=(_vjp_quantile,),
        jvp=DIAGONAL,
        doc="The number below which a standard normal deviate lies with probability p.",
    )
)


@names_told
def truncated_normal(
    shape: Any = None,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    *,
    low: Any = -2.0,
    high: Any = 2.0,
    name: str | None = None,
) -> Tensor:
    """Normal numbers of which those outside of two bounds are left out.

    shape          an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; the
                   shape to which the parameters broadcast when not given
    mean, stddev   of the normal distribution before it is cut: numbers or tensors that broadcast to
                   `shape`; derivatives flow to them
    dtype          float32 or float64; that of the parameters, float32 for Python numbers
    low, high      the bounds in standard deviations from the mean: numbers or tensors that
                   broadcast to `shape`; derivatives flow to them. Infinities leave a side open

    Drawn by inversion: the quantile of a probability between those of the bounds, so no number is
    rejected, however far out the bounds are, up to 37 standard deviations. Raises ShapeError where
    low is known not to be below high, or no float64 to lie between their probabilities, RunError in
    a run; a `stddev` that makes no sense is refused as by `normal`.

    >>> import staticgraph as sg
    >>> values = sg.Session(seed=1).run(sg.random.truncated_normal((1000,)))
    >>> bool(abs(values).max() <= 2.0)
    True
    """
    what = "truncated_normal"
    limits = (None, ("stddev", "weight"))
    bounds = [bound for bound in (low, high) if not _is_number(bound)]
    if not bounds:
        kept = draw_of(what, shape, (mean, stddev), dtype, limits)
        return _placed(kept, _between_numbers(kept, low, high), name or what)
    draw = draw_of(what, shape, (mean, stddev, low, high), dtype, limits)
    least, most = draw.parameters[2:]
    known = [known_parameter(bound) for bound in (least, most)]
    if known[0] is not None and known[1] is not None and not np.all(known[0] < known[1]):
        raise refusal(what, "low is not below high everywhere", "give low < high")
    return _placed(draw, _between_tensors(draw, least, most), name or what)


def _is_number(bound: Any) -> bool:
    """Whether a bound is one known number; refuses what is no number at all."""
    if is_tensor_like(bound) or isinstance(bound, np.ndarray | list | tuple):
        return False
    if not isinstance(bound, int | float | np.number):
        raise refusal(
            "truncated_normal", f"a bound is {bound!r}",
            "low and high are numbers or tensors, in standard deviations from the mean",
        )  # fmt: skip
    return True


def _between_numbers(draw: Draw, low: float, high: float) -> Tensor:
    """Standard deviates between two known bounds."""
    if not low < high:
        raise refusal("truncated_normal", f"low {low} is not below high {high}", "give low < high")
    # Probabilities near 1 lose their digits: bounds above the middle are mirrored.
    mirrored = low > 0
    first, last = (-high, -low) if mirrored else (low, high)
    start, stop = [0.5 * math.erfc(-bound / math.sqrt(2.0)) for bound in (first, last)]
    if not start < stop:
        raise refusal(
            "truncated_normal", f"there is no number between {low} and {high}",
            "the bounds are more than 37 standard deviations away",
        )  # fmt: skip
    fraction = unit(draw.graph, draw.target, dtypes.float64, inner=True)
    probability = add(start, multiply(stop - start, fraction))
    deviate = probability.graph.add(NORMAL_QUANTILE, (probability,)).out
    kept = cast(_within(deviate, first, last), draw.dtype)
    return negative(kept) if mirrored else kept


def _between_tensors(draw: Draw, low: Tensor, high: Tensor) -> Tensor:
    """Standard deviates between bounds that a run may know."""
    least, most = cast(low, dtypes.float64), cast(high, dtypes.float64)
    mirrored = greater(least, 0.0)
    first = where(mirrored, negative(most), least)
    last = where(mirrored, negative(least), most)
    start, stop = [multiply(erfc(multiply(x, -math.sqrt(0.5))), 0.5) for x in (first, last)]
    width = checked(
        "truncated_normal", "share between low and high:", subtract(stop, start),
        "positive",
    )  # fmt: skip
    fraction = unit(draw.graph, draw.target, dtypes.float64, inner=True)
    probability = add(start, multiply(width, fraction))
    deviate = probability.graph.add(NORMAL_QUANTILE, (probability,)).out
    kept = _within(deviate, first, last)
    return cast(where(mirrored, negative(kept), kept), draw.dtype)


def _placed(draw: Draw, standard: Tensor, name: str) -> Tensor:
    """``mean + stddev * standard``."""
    mean, stddev = draw.parameters[:2]
    return add(mean, multiply(stddev, standard), name=name)


def _within(x: Tensor, low: Any, high: Any) -> Tensor:
    """x; a bound that rounding led over instead."""
    x = where(less(x, low), low, x)
    return where(less(high, x), high, x)
