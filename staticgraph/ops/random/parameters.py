"""The parameters of distributions: their dtype, their shape, and what they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Graph, Tensor, get_default_graph
from staticgraph.core.opdef import Mismatch, OpDef, register
from staticgraph.errors import DTypeError, RunError
from staticgraph.ops.convert import CAST, cast, constant_value, promote
from staticgraph.ops.elementwise import add
from staticgraph.ops.shaping import BROADCAST_TO
from staticgraph.ops.sizes import Target, read_sizes, refusal, shape_of


class _Domain(NamedTuple):
    """An interval, and what is said of a number that does not lie in it."""

    low: float
    high: float
    above: bool
    problem: str


# Numbers from `low` to `high`; where `above` not low itself. NaN lies in none.
DOMAINS = {
    "positive": _Domain(0.0, float(np.finfo(np.float64).max), True, "is not above 0 and finite"),
    "weight": _Domain(0.0, float(np.finfo(np.float64).max), False, "is below 0 or not finite"),
    # An int64 holds the numbers of such a mean, but for a chance that no float tells from 0.
    "mean": _Domain(0.0, 2.0**62, False, "is not between 0 and 2**62"),
    "count": _Domain(0.0, 2.0**53, False, "is not between 0 and 2**53"),
    "probability": _Domain(0.0, 1.0, False, "is not between 0 and 1"),
    "chance": _Domain(0.0, 1.0, True, "is not above 0 and up to 1"),
}
# Bounds of integers of a dtype: from its least one to the one after its largest.
DOMAINS.update(
    (
        dtypes.name(dtype),
        _Domain(
            float(np.iinfo(dtype).min),
            float(np.iinfo(dtype).max) + 1.0,
            False,
            f"is not between {np.iinfo(dtype).min} and {int(np.iinfo(dtype).max) + 1}",
        ),
    )
    for dtype in dtypes.INTEGER
    if dtype.itemsize < 8
)


# Bounds of a dtype of 64 bits, given in the other one: what the wanted one holds of it.
DOMAINS["int64"] = _Domain(0, 2**63, False, f"is not between {-(2**63)} and {2**63}")
DOMAINS["uint64"] = _Domain(0, 2**63 - 1, False, f"is not between 0 and {2**64}")


def _outside(x: Any, domain: _Domain) -> Any:
    low = x > domain.low if domain.above else x >= domain.low
    return ~(low & (x <= domain.high))


def _mismatch(x: Any, what: str, domain: str) -> Mismatch | None:
    """What is said of the first number that lies outside."""
    wrong = np.argwhere(_outside(np.asarray(x), DOMAINS[domain]))
    if not len(wrong):
        return None
    place = wrong[0].tolist()
    where = f" at {place}" if place else ""
    value = np.asarray(x)[tuple(place)]
    shown = f"{value:g}" if value.dtype.kind == "f" else str(value)
    return Mismatch(f"{what} {shown}{where} {DOMAINS[domain].problem}", error=RunError)


def _reference_domain(x: Any, *, what: str, domain: str) -> Any:
    problem = _mismatch(x, what, domain)
    if problem is not None:
        raise problem
    return x


def _emit_domain(s: ElementBuilder[Any], x: Any, *, what: str, domain: str) -> Any:
    bounds = DOMAINS[domain]
    low, high = s.constant(bounds.low, x.dtype), s.constant(bounds.high, x.dtype)
    fits = s.greater(x, low) if bounds.above else s.greater_equal(x, low)
    s.fail_if(s.logical_not(s.logical_and(fits, s.less_equal(x, high))))
    return x


RANDOM_DOMAIN = register(
    OpDef(
        "random_domain",
        operands=("x",),
        infer=lambda types, attrs: types[0],
        reference=_reference_domain,
        attrs=("what", "domain"),
        dtypes=frozenset({dtypes.float64, dtypes.int64, dtypes.uint64}),
        elementwise=True,
        emit=_emit_domain,
        vjp=(lambda node, adjoint: adjoint,),
        jvp=lambda node, tangents: [tangents[0]],
        linear=True,
        doc="x, once it is known to lie where a parameter of a distribution may.",
        title="random",
    )
)


class Draw(NamedTuple):
    """What is drawn: where, of which shape and dtype, and from which parameters.

    parameters   tensors of the dtype, each a scalar or of the whole shape
    """

    graph: Graph
    target: Target
    dtype: DType
    parameters: list[Tensor]


def draw_of(
    what: str,
    shape: Any,
    values: Sequence[Any],
    dtype: Any,
    limits: Sequence[tuple[str, str] | None] = (),
) -> Draw:
    """Reads the arguments of a draw; `shape` None stands for that of the parameters.

    limits   for the first parameters, what each is called and its domain, or None
    """
    if isinstance(shape, float | np.floating):
        raise refusal(
            what,
            f"{shape!r} is no shape",
            "give an int or a tuple of ints; name what you give: shape=(2, 3)",
        )
    target = None if shape is None else read_sizes(what, shape)
    graph = target.operands[0].graph if target and target.operands else get_default_graph()
    with graph.as_default():
        given, wanted = promoted(what, values, dtype)
    for number, limit in enumerate(limits):
        if limit is not None:
            given[number] = limited(what, limit[0], given[number], limit[1])
    if target is None:
        target = same_shape_as(*given)
    fitted = [fit(cast(value, wanted), target) for value in given]
    return Draw(fitted[0].graph, target, wanted, fitted)


def promoted(what: str, values: Sequence[Any], dtype: Any) -> tuple[list[Tensor], DType]:
    """The parameters as tensors of one dtype, and the dtype to draw in.

    Where a dtype is given the parameters are at least as wide: a Python number, which is float32 by
    itself, is not rounded on its way to float64.
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    given = promote(values, True, wanted if wanted in dtypes.FLOATING else None)
    wanted = given[0].dtype if wanted is None else wanted
    if wanted not in dtypes.FLOATING:
        spelt = dtypes.name(wanted)
        instead = "dtype is float32 or float64; sg.random.integers draws integers"
        if wanted in dtypes.HALF:
            instead = f"draw float32 and convert: sg.cast(draw, '{spelt}')"
        raise refusal(what, f"draws no {spelt}", instead, error=DTypeError)
    return given, wanted


def same_shape_as(*given: Tensor) -> Target:
    """The shape to which parameters broadcast."""
    shaped = [value for value in given if value.type.shape != ()]
    if not shaped:
        return Target((), ())
    total = shaped[0]
    for value in shaped[1:]:
        if value.type.shape != total.type.shape or not value.type.is_static:
            total = add(total, value)
    return shape_of(total)


def listed_sizes(what: str, target: Target) -> list[Any]:
    """The sizes of a shape one by one: ints, and tensors for those that the run knows."""
    if not target.operands:
        return list(target.shape or ())
    vector = target.operands[0]
    length = vector.type.shape[0] if vector.type.shape is not None else None
    if not isinstance(length, int):
        raise refusal(
            what,
            "the number of axes of shape is not known",
            "give a tuple of sizes, or a vector of known length",
        )
    return [vector[number] for number in range(length)]


def fit(value: Tensor, target: Target) -> Tensor:
    """A parameter of the shape of the draw, or a scalar."""
    if value.type.shape == () or (value.type.shape == target.shape and value.type.is_static):
        return value
    attrs = {"shape": target.shape}
    return value.graph.add(BROADCAST_TO, (value, *target.operands), attrs).out


def whole(value: Tensor, target: Target) -> Tensor:
    """A parameter of the shape of the draw, even if it is a scalar."""
    if value.type.shape == target.shape and value.type.is_static:
        return value
    attrs = {"shape": target.shape}
    return value.graph.add(BROADCAST_TO, (value, *target.operands), attrs).out


def checked(what: str, name: str, value: Tensor, domain: str) -> Tensor:
    """A parameter in float64, refused where it lies outside of its domain: now, or in the run."""
    wide = cast(value, dtypes.float64)
    if refuse_known(what, name, known_parameter(value), domain):
        return wide
    attrs = {"what": name, "domain": domain}
    return wide.graph.add(RANDOM_DOMAIN, (wide,), attrs).out


def limited(what: str, name: str, value: Tensor, domain: str) -> Tensor:
    """A parameter in its own dtype, refused where it lies outside of its domain.

    One that is known is refused now, and costs the run nothing; any other is checked in the run.
    """
    if refuse_known(what, name, known_parameter(value), domain):
        return value
    return cast(checked(what, name, value, domain), value.dtype)


def refuse_known(what: str, name: str, known: np.ndarray[Any, Any] | None, domain: str) -> bool:
    """Refuses a known parameter that lies outside of its domain; whether it is known."""
    if known is None:
        return False
    problem = _mismatch(known.astype(np.float64), name, domain)
    if problem is not None:
        raise refusal(what, problem.problem)
    return True


def known_parameter(value: Tensor) -> np.ndarray[Any, Any] | None:
    """The value of a constant, or of that which `value` converts or repeats; None of any other."""
    while value.node.op in (CAST, BROADCAST_TO):
        value = value.node.inputs[0]
    return constant_value(value)


def refuse_weightless(what: str, weights: Tensor) -> None:
    """Refuses weights [..., n] that are known now, and all 0 in a row."""
    known = known_parameter(weights)
    if known is not None and known.size:
        total = np.asarray(known.astype(np.float64).sum(axis=-1))
        refuse_known(what, "sum of weights", total, "positive")
