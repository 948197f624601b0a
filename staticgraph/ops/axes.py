"""The axes that users name, as the numbers that attributes hold.

An attribute holds one axis as an int that is not negative, several as a sorted tuple of such ints.
Only for a tensor of unknown rank does None stand for all axes.

What is refused is refused in the name of an op, or, by a function that is made of several, in the
function's own name: `op` is a record or a name below.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from staticgraph.core.graph import Tensor, describe, describe_mismatch
from staticgraph.core.opdef import Mismatch, OpDef


def refuse(
    op: OpDef | str,
    operands: tuple[Tensor, ...],
    mismatch: Mismatch,
    labels: tuple[str, ...] = ("x",),
) -> NoReturn:
    """Raises what Graph.add would, for a mismatch found before there is a node to infer.

    labels   what the operands are called, where `op` is the name of a function
    """
    location = operands[0].graph.location
    if isinstance(op, OpDef):
        raise describe_mismatch(op, operands, mismatch, location) from None
    called = getattr(location, "call", "")
    spoken = f"{called} (in its {op})" if called and called != op else op
    lines = [f"{spoken}: {mismatch.problem}"]
    lines += [f"  {label} {describe(x)}" for label, x in zip(labels, operands, strict=False)]
    lines += [f"  {detail}" for detail in mismatch.details]
    raise mismatch.error("\n".join([*lines, f"  created at {location}"])) from None


def several_axes(op: OpDef | str, x: Tensor, axis: Any) -> tuple[int, ...] | None:
    """The axes of `x` that a user means by None (all), an int or a tuple of ints.

    None only where the rank of `x` is unknown and all axes are meant. Raises ShapeError for axes
    that `x` does not have, or has only perhaps.
    """
    ndim = x.type.ndim
    if axis is None:
        return None if ndim is None else tuple(range(ndim))
    listed = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    found: list[int] = []
    for item in listed:
        number = _number(op, x, item, "None for all axes, an int, or a tuple of ints", (x,))
        if number in found:
            refuse(
                op,
                (x,),
                Mismatch(f"axis {number} stands twice in axis={axis!r}", "name every axis once"),
            )
        found.append(number)
    return tuple(sorted(found))


def one_axis(
    op: OpDef | str, x: Tensor, axis: Any, operands: tuple[Tensor, ...] | None = None
) -> int:
    """The axis of `x` that a user means by an int; raises ShapeError for one it does not have.

    `operands` are all operands of the op, where `x` is not the only one.
    """
    return _number(op, x, axis, "an int", operands or (x,))


def known_rank(op: OpDef | str, x: Tensor, operands: tuple[Tensor, ...] | None = None) -> int:
    """The number of axes of `x`; raises ShapeError where it is not known."""
    ndim = x.type.ndim
    if ndim is None:
        refuse(
            op,
            operands or (x,),
            Mismatch(
                f"the rank of '{x.name}' is not known",
                "declare the shape, with None for sizes that are open: "
                "placeholder(dtype, (None, 3))",
            ),
        )
    return ndim


def _number(
    op: OpDef | str, x: Tensor, axis: Any, choices: str, operands: tuple[Tensor, ...]
) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        refuse(op, operands, Mismatch(f"{axis!r} is no axis", f"axis may be {choices}"))
    ndim = known_rank(op, x, operands)
    if -ndim <= axis < ndim:
        return int(axis) % ndim
    way_out = f"it has axes {-ndim} to {ndim - 1}" if ndim else "it is a scalar and has no axis"
    refuse(op, operands, Mismatch(f"'{x.name}' has no axis {axis}", way_out))
