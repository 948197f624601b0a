"""Rules of what only moves or renames elements: identities, casts, shapes. They keep every bit.

What a run would refuse it still refuses: a step in between goes only where it cannot fail.
"""

from __future__ import annotations

import numpy as np

from staticgraph.core.function import PARAMETER
from staticgraph.core.node import Value
from staticgraph.core.opdef import registered
from staticgraph.core.types import Dim
from staticgraph.passes.common import array_of
from staticgraph.passes.guards import (
    all_of,
    broadcasts,
    cast_chain,
    given_sizes,
    is_scalar,
    known_rank,
    reshape_is_sure,
    reshapes_are_sure,
    sizes_allowed,
    uniform_constant,
)
from staticgraph.passes.patterns import (
    Attr,
    Chosen,
    Computed,
    Known,
    Match,
    Rest,
    Rule,
    of_complex,
    op,
    variables,
)

x, y, condition = variables("x y condition")
c, sizes = Known("c", array=True), Known("sizes", array=True)
rest, more = Rest("rest"), Rest("more")
first, second = Attr("first"), Attr("second")
axis, shape = Attr("axis"), Attr("shape")
between, dtype = Attr("between"), Attr("dtype")

_BINARY, _UNARY = (
    tuple([each.name for each in registered() if each.elementwise and len(each.operands) == count])
    for count in (2, 1)
)


def _composed(match: Match) -> tuple[int, ...]:
    """The one order of axes that two permutations make; None reverses, and one of them is known."""
    inner, outer = match.attrs["first"], match.attrs["second"]
    if outer is None:
        reversed_axes: tuple[int, ...] = inner[::-1]
        return reversed_axes
    if inner is None:
        return tuple([len(outer) - 1 - axis for axis in outer])
    return tuple([inner[axis] for axis in outer])


def _keeps_dtype(match: Match) -> bool:
    return match["x"].type.dtype == match.root.out.type.dtype


def _one_number(match: Match) -> object:
    return array_of(match["c"]).flat[0]


def _in_order(match: Match) -> bool:
    axes = match.attrs["first"]
    return axes is not None and list(axes) == list(range(len(axes)))


def _both_reverse(match: Match) -> bool:
    return match.attrs["first"] is None and match.attrs["second"] is None


def _both_expanded(match: Match) -> tuple[int, ...]:
    """The places in the result of the axes that two expansions add."""
    inner, outer = match.attrs["first"], match.attrs["second"]
    total = match.root.out.type.ndim
    assert total is not None
    kept = [axis for axis in range(total) if axis not in outer]
    return tuple(sorted([*outer, *[kept[axis] for axis in inner]]))


def _both_squeezed(match: Match) -> tuple[int, ...]:
    """The axes of the operand that two squeezes remove."""
    inner, outer = match.attrs["first"], match.attrs["second"]
    ndim = match["x"].type.ndim
    assert ndim is not None
    kept = [axis for axis in range(ndim) if axis not in inner]
    return tuple(sorted([*inner, *[kept[axis] for axis in outer]]))


def _input_shaped(match: Match) -> Value:
    value = match.facts.input_shaped(match["x"].type.shape)
    assert value is not None
    return value


def _shape_of_input(match: Match) -> bool:
    """x is computed, and an input provably has its shape."""
    if match["x"].node.op is PARAMETER:
        return False
    return match.facts.input_shaped(match["x"].type.shape) is not None


def _input_sized(match: Match) -> tuple[Value, int] | None:
    shape, number = match["x"].type.shape, match.attrs["axis"]
    if shape is None or number is None or match["x"].node.op is PARAMETER:
        return None
    return match.facts.input_sized(shape[number])


def _sized(match: Match) -> Value:
    found = _input_sized(match)
    assert found is not None
    return found[0]


def _sized_axis(match: Match) -> int:
    found = _input_sized(match)
    assert found is not None
    return found[1]


def _sizes_of(match: Match) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(match["x"].type.shape, np.int64)


def _size_of(match: Match) -> object:
    return np.array(_measured(match), np.int64)


def _measured(match: Match) -> Dim:
    """The size that a `size` node gives, as far as it is known."""
    number = match.attrs["axis"]
    measured = match["x"].type
    if number is None:
        return measured.size
    return None if measured.shape is None else measured.shape[number]


RENAMED = (
    Rule("identity", op(("identity", "stop_gradient"), x), x,
         "it is its operand; derivatives have been taken", keeps_shape=True),
    Rule("custom gradient", op("custom_gradient", rest), rest,
         "it is its first operands; derivatives have been taken", keeps_shape=True),
    Rule("cast to the same dtype", op("cast", x), x,
         "nothing is converted", guard=_keeps_dtype),
    Rule("cast of cast", op("cast", op("cast", x, dtype=between), dtype=dtype),
         op("cast", x, dtype=dtype),
         "the dtype between holds every value exactly", guard=cast_chain),
)  # fmt: skip

AXES = (
    Rule("permute in order", op("permute_dims", x, axes=first), x,
         "every axis stays in its place", guard=all_of(known_rank, _in_order), keeps_shape=True),
    Rule("reverse axes twice",
         op("permute_dims", op("permute_dims", x, axes=first), axes=second), x,
         "the axes are back in their places", guard=_both_reverse, keeps_shape=True),
    Rule("permute of permute",
         op("permute_dims", op("permute_dims", x, axes=first), axes=second),
         op("permute_dims", x, axes=_composed),
         "two permutations are one", keeps_shape=True),
    Rule("squeeze of expand", op("squeeze", op("expand_dims", x, axes=first), axes=first), x,
         "the new axes go again", keeps_shape=True),
    Rule("expand of squeeze", op("expand_dims", op("squeeze", x, axes=first), axes=first), x,
         "the axes come back"),
    Rule("expand of expand",
         op("expand_dims", op("expand_dims", x, axes=first), axes=second),
         op("expand_dims", x, axes=_both_expanded),
         "all new axes come at once", guard=known_rank, keeps_shape=True),
    Rule("squeeze of squeeze",
         op("squeeze", op("squeeze", x, axes=first), axes=second),
         op("squeeze", x, axes=_both_squeezed),
         "all axes go at once", guard=known_rank, keeps_shape=True),
    Rule("no axes to move", op(("squeeze", "expand_dims"), x, axes=()), x,
         "no axis comes or goes", keeps_shape=True),
)  # fmt: skip

SHAPES = (
    Rule("shape of known sizes", op("shape", x), Computed(_sizes_of),
         "every size is known", guard=lambda match: match["x"].type.is_static),
    Rule("known size", op("size", x, axis=axis), Computed(_size_of),
         "the size is known", guard=lambda match: isinstance(_measured(match), int)),
    Rule("shape of elementwise", op("shape", op(_UNARY, x)), op("shape", x),
         "an elementwise op keeps the shape", keeps_shape=True),
    Rule("size of elementwise", op("size", op(_UNARY, x), axis=axis), op("size", x, axis=axis),
         "an elementwise op keeps the shape"),
    Rule("shape of an input", op("shape", x), op("shape", Chosen(_input_shaped)),
         "equal symbols are equal sizes in a run, and inputs need no computing",
         guard=_shape_of_input),
    Rule("size of an input", op("size", x, axis=axis), op("size", Chosen(_sized), axis=_sized_axis),
         "equal symbols are equal sizes in a run, and inputs need no computing",
         guard=lambda match: _input_sized(match) is not None),
    Rule("reshape to the same shape", op("reshape", x, rest), x,
         "the shape is the same already", guard=reshape_is_sure),
    Rule("reshape of reshape",
         op("reshape", op("reshape", x, more).called("between"), rest, shape=shape),
         op("reshape", x, rest, shape=shape),
         "elements keep their order, whatever the shape between",
         guard=reshapes_are_sure, keeps_shape=True),
    Rule("reshape with moved axes of size one",
         op("reshape", op(("expand_dims", "squeeze"), x).called("between"), rest, shape=shape),
         op("reshape", x, rest, shape=shape),
         "elements keep their order, whatever the shape between",
         guard=reshapes_are_sure, keeps_shape=True),
    Rule("broadcast to the same shape", op("broadcast_to", x, rest), x,
         "the shape is the same already"),
    Rule("broadcast of broadcast",
         op("broadcast_to", op("broadcast_to", x, more).called("between"), rest, shape=shape),
         op("broadcast_to", x, rest, shape=shape),
         "the second repeats what the first does", guard=broadcasts, keeps_shape=True),
    Rule("sum to the same shape", op("sum_to", x, rest), x, "nothing is summed"),
    Rule("sizes that are constants", op(("broadcast_to", "sum_to", "reshape"), x, sizes),
         op("=", x, shape=given_sizes),
         "the sizes are known", guard=sizes_allowed, keeps_shape=True),
    Rule("sizes that are known", op(("broadcast_to", "sum_to"), x, y),
         op("=", x),
         "the sizes are known", guard=lambda match: match.root.out.type.is_static),
    Rule("broadcast operand", op(_BINARY, x, op("broadcast_to", y, rest)), op("=", x, y),
         "the op broadcasts by itself"),
    Rule("broadcast operand, first", op(_BINARY, op("broadcast_to", x, rest), y), op("=", x, y),
         "the op broadcasts by itself"),
    Rule("shape of broadcast", op("shape", op(("broadcast_to", "sum_to"), x, y)), y,
         "the shape is the one that was asked for", keeps_shape=True),
    Rule("broadcast branch", op("where", condition, op("broadcast_to", x, rest), y),
         op("where", condition, x, y),
         "the op broadcasts by itself"),
    Rule("broadcast branch, second", op("where", condition, x, op("broadcast_to", y, rest)),
         op("where", condition, x, y),
         "the op broadcasts by itself"),
    Rule("broadcast condition", op("where", op("broadcast_to", condition, rest), x, y),
         op("where", condition, x, y),
         "the op broadcasts by itself"),
    Rule("elementwise of broadcast", op(_UNARY, op("broadcast_to", x, rest, shape=shape)),
         op("broadcast_to", op("=", x), rest, shape=shape),
         "each element is computed before it is repeated", keeps_shape=True),
    Rule("broadcast and scalar", op(_BINARY, op("broadcast_to", x, rest, shape=shape), y),
         op("broadcast_to", op("=", x, y), rest, shape=shape),
         "each element is computed before it is repeated", guard=is_scalar("y"), keeps_shape=True),
    Rule("scalar and broadcast", op(_BINARY, x, op("broadcast_to", y, rest, shape=shape)),
         op("broadcast_to", op("=", x, y), rest, shape=shape),
         "each element is computed before it is repeated", guard=is_scalar("x"), keeps_shape=True),
    Rule("constant of one number", op(_BINARY, x, c), op("=", x, Computed(_one_number)),
         "the op broadcasts by itself", guard=uniform_constant),
    Rule("constant of one number, first", op(_BINARY, c, x), op("=", Computed(_one_number), x),
         "the op broadcasts by itself", guard=uniform_constant),
)  # fmt: skip

RULES = of_complex(*RENAMED, *AXES, *SHAPES)
