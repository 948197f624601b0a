"""Slopes of samples: `gradient`, by central differences and one-sided ones at the ends.

The formulas are those of the polynomial of degree 2 through three neighbours, whose derivative at
each of them is a weighted sum; for equal distances the weights are -1/2, 0, 1/2 in the middle.
"""

from __future__ import annotations

from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import known_rank, refuse, several_axes
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, in_one_graph
from staticgraph.ops.differences import diff, part
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.joining import concat
from staticgraph.ops.requiring import require
from staticgraph.ops.shaping import expand_dims
from staticgraph.ops.sizes import dim_of, is_int, refusal, size


@in_one_graph
def gradient(
    f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1, name: str | None = None
) -> Any:
    """The slopes of `f` along its axes, estimated from neighbouring samples.

    varargs      how far samples are apart: nothing, for 1; one number for all axes; or for each
                 axis a number or a vector of places
    axis         None for all axes, an int, or several ints
    edge_order   of what order the estimate at the ends is, 1 or 2; inside it is 2

    Gives a tensor of the shape of `f` for one axis, a list of them for several. Integers are
    computed in float64; float16 and bfloat16 in float32, and rounded once. Derivatives flow to `f`
    and to places and distances. Raises ShapeError for
    distances that do not fit, and for axes with no more than `edge_order` samples; in the run where
    only the run knows.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.gradient(sg.constant([1.0, 2.0, 4.0, 7.0])))
    array([1. , 1.5, 2.5, 3. ], dtype=float32)
    """
    given = as_tensor(f)
    known_rank("gradient", given)
    axes = several_axes("gradient", given, axis) or ()
    if axis is not None and not is_int(axis):
        ndim = known_rank("gradient", given)
        axes = tuple([int(number) % ndim for number in axis])
    if not is_int(edge_order) or edge_order not in (1, 2):
        raise refusal("gradient", f"edge_order={edge_order!r} is not there", "give 1 or 2")
    if len(varargs) not in (0, 1, len(axes)):
        raise refusal(
            "gradient", f"there are {len(varargs)} distances for {len(axes)} axes",
            "give none, one number for all axes, or one distance per axis",
        )  # fmt: skip
    wide = dtypes.float32 if given.dtype in dtypes.HALF else dtypes.float64
    values = given if given.dtype in dtypes.INEXACT else cast(given, wide)
    results: list[Tensor] = []
    with values.graph.as_default():
        for place, number in enumerate(axes):
            spacing = varargs[place if len(varargs) > 1 else 0] if varargs else 1.0
            rows = _long_enough(given, values, number, int(edge_order))
            distance = _distance(rows, spacing, number, len(varargs) == 1 and len(axes) > 1)
            slopes = _slopes(rows, distance, number, int(edge_order))
            slopes = cast(slopes, given.dtype) if given.dtype in dtypes.HALF else slopes
            results.append(identity(slopes, name=name or "gradient"))
    return results[0] if len(results) == 1 else results


def _long_enough(given: Tensor, values: Tensor, axis: int, order: int) -> Tensor:
    """The samples, of which there are enough along an axis."""
    problem = f"axis {axis} is too short for edge_order={order}"
    way_out = f"it must have {order + 1} samples"
    dim = dim_of(given, axis)
    if not isinstance(dim, int):
        fits = ew.greater(size(values, axis), order)
        return require(values, fits, "gradient", problem, way_out)
    if dim <= order:
        refuse("gradient", (given,), Mismatch(problem, f"{way_out}, and has {dim}"), ("f",))
    return values


def _distance(values: Tensor, spacing: Any, axis: int, for_all: bool) -> Tensor:
    """The distance of neighbours: a scalar, or one per pair along the axis."""
    wanted = dtypes.part_of(values.dtype)
    tensor = in_dtype_of("gradient", "distance", spacing, values, wanted)
    ndim = known_rank("gradient", tensor)
    if ndim == 0:
        return tensor
    have, want = dim_of(tensor, 0), dim_of(values, axis)
    misfit = isinstance(have, int) and isinstance(want, int) and have != want
    if ndim > 1 or for_all or misfit:
        refuse("gradient", (tensor,), Mismatch(
            f"the places have shape {format_shape(tensor.type.shape)}",
            f"give a number, or for each axis a vector with a place per sample; axis {axis} has "
            f"{want if isinstance(want, int) else 'an unknown number'}",
        ), ("distance",))  # fmt: skip
    behind = known_rank("gradient", values) - 1 - axis
    steps = diff(tensor)
    return expand_dims(steps, tuple(range(1, 1 + behind))) if behind else steps


def _slopes(f: Tensor, step: Tensor, axis: int, order: int) -> Tensor:
    """The slopes along an axis, in three parts: the first sample, those inside, the last one."""
    even = step.type.ndim == 0
    along = 0
    first = step if even else part(step, along, 0, 1)
    last = step if even else part(step, along, -1, None)
    rise = diff(f, axis=axis)
    if even:
        inside = (part(f, axis, 2, None) - part(f, axis, None, -2)) / (2 * step)
    else:
        # Each of the two slopes beside a sample counts as the distance on its other side.
        before, behind = part(step, along, None, -1), part(step, along, 1, None)
        steep = rise / step
        inside = (part(steep, axis, None, -1) * behind + part(steep, axis, 1, None) * before) / (
            before + behind
        )
    start = part(rise, axis, 0, 1) / first
    stop = part(rise, axis, -1, None) / last
    if order == 2:
        second = step if even else part(step, along, 1, 2)
        third = step if even else part(step, along, -2, -1)
        bend = (part(rise, axis, 1, 2) / second - start) / (first + second)
        start = start - first * bend
        bend = (stop - part(rise, axis, -2, -1) / third) / (last + third)
        stop = stop + last * bend
    return concat([start, inside, stop], axis)
