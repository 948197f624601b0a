"""Searching: where elements are that are not 0, and where values belong in a sorted row.

How many elements are not 0 is known only to the run, so the results of `nonzero` and of what is
made of it have an axis of unknown size; `size=` gives it one, by leaving out or filling in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType, format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, promote
from staticgraph.ops.creation import full
from staticgraph.ops.elementwise import (
    equal,
    floor_divide,
    less,
    logical_and,
    logical_not,
    not_equal,
    remainder,
)
from staticgraph.ops.indexing import FULL, GATHER, SLICE
from staticgraph.ops.joining import concat, stack
from staticgraph.ops.shaping import reshape
from staticgraph.ops.sizes import is_int, refusal, size
from staticgraph.ops.sorting import ORDERED, sort

# -- what is not 0 ----------------------------------------------------------------------------


def _infer_flatnonzero(types: Types, attrs: Attrs) -> TensorType:
    # Of no element, or of none at all, the number is known.
    nothing = types[0].shape is not None and 0 in types[0].shape
    return TensorType(dtypes.int64, (0 if nothing else None,))


FLATNONZERO = register(
    OpDef(
        "flatnonzero",
        operands=("x",),
        infer=_infer_flatnonzero,
        reference=np.flatnonzero,
        dtypes=dtypes.BOOL,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Where the elements stand that hold, counted in row-major order; how many there are "
        "only the run knows.",
    )
)


def _truth(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return tensor if tensor.dtype == dtypes.bool_ else not_equal(tensor, 0)


def flatnonzero(
    x: Any, *, size: int | None = None, fill_value: Any = 0, name: str | None = None
) -> Tensor:
    """The places of the elements of `x` that are not 0, counted in row-major order: int64 [?].

    size         an int: the result has so many elements, whatever the run finds. The first ones are
                 taken, and where there are fewer `fill_value` follows.
    fill_value   an int or a scalar int tensor

    >>> import staticgraph as sg
    >>> x = sg.constant([[0.0, 2.0], [3.0, 0.0]])
    >>> sg.Session().run([sg.flatnonzero(x), sg.flatnonzero(x, size=3, fill_value=-1)])
    [array([1, 2]), array([ 1,  2, -1])]
    """
    tensor = _truth(x)
    found = tensor.graph.add(FLATNONZERO, (tensor,), name=name if size is None else None).out
    return found if size is None else sized("flatnonzero", found, size, fill_value, name)


def sized(
    what: str, found: Tensor, wanted: Any, fill_value: Any, name: str | None = None
) -> Tensor:
    """The first `wanted` entries along axis 0, and `fill_value` in place of what is missing.

    The sizes of the other axes are known.
    """
    if not is_int(wanted) or wanted < 0:
        raise refusal(what, f"size={wanted!r} is no number of elements", "give an int from 0")
    with found.graph.as_default():
        shape: Any = (int(wanted), *(found.type.shape or ())[1:])
        rest = full(shape, fill_value, found.dtype)
        attrs = {"index": ((None, int(wanted), 1), *[FULL] * (len(shape) - 1)), "shape": shape}
        return found.graph.add(SLICE, (concat([found, rest]),), attrs, name).out


def nonzero(
    x: Any, *, size: int | None = None, fill_value: Any = 0, name: str | None = None
) -> tuple[Tensor, ...]:
    """The indices of the elements of `x` that are not 0: one int64 vector per axis.

    How long they are only the run knows, unless `size` says it; for `size` and `fill_value` see
    `flatnonzero` (every axis gets the fill value itself). ``x[sg.nonzero(x)]`` are the elements.
    Raises ShapeError for a scalar, which has no axes.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nonzero(sg.constant([[0.0, 2.0], [3.0, 0.0]])))
    (array([0, 1]), array([1, 0]))
    """
    tensor = _truth(x)
    ndim = known_rank(FLATNONZERO, tensor)
    if ndim == 0:
        refuse("nonzero", (tensor,), Mismatch(
            "a scalar has no axes, so no indices", "ask sg.not_equal(x, 0), or reshape to (1,)"
        ))  # fmt: skip
    found = unraveled(tensor, flatnonzero(tensor, name=name or "nonzero"))
    if size is not None:
        found = [sized("nonzero", places, size, fill_value) for places in found]
    return tuple(found)


def unraveled(x: Tensor, places: Tensor) -> list[Tensor]:
    """Places counted in row-major order as indices, one vector per axis of `x`."""
    found: list[Tensor] = []
    ndim = known_rank(FLATNONZERO, x)
    rest = places
    with x.graph.as_default():
        for axis in range(ndim - 1, 0, -1):
            length = size(x, axis)
            found.append(remainder(rest, length))
            rest = floor_divide(rest, length)
    return [rest, *reversed(found)]


def argwhere(
    x: Any, *, size: int | None = None, fill_value: Any = 0, name: str | None = None
) -> Tensor:
    """The indices of the elements of `x` that are not 0, a row each: int64 [?, ndim].

    For `size` and `fill_value` see `flatnonzero`. Raises ShapeError for a scalar.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.argwhere(sg.constant([[0.0, 2.0], [3.0, 0.0]])))
    array([[0, 1],
           [1, 0]])
    """
    return stack(nonzero(x, size=size, fill_value=fill_value), axis=1, name=name or "argwhere")


# -- sorted rows ------------------------------------------------------------------------------


def _infer_searchsorted(types: Types, attrs: Attrs) -> TensorType:
    row, values = types
    if row.dtype != values.dtype:
        raise Mismatch("operands differ in dtype", "convert with sg.cast", error=DTypeError)
    if row.shape is not None and len(row.shape) != 1:
        raise Mismatch(
            f"x1 has shape {format_shape(row.shape)}",
            "it must be one sorted row; sg.map_fn searches in several",
        )
    return values.with_dtype(dtypes.int64)


SEARCHSORTED = register(
    OpDef(
        "searchsorted",
        operands=("x1", "x2"),
        infer=_infer_searchsorted,
        reference=lambda x1, x2, *, side: np.asarray(np.searchsorted(x1, x2, side), np.int64),
        attrs=("side",),
        dtypes=ORDERED,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Where each element of x2 belongs in the sorted row x1: before equal ones for side "
        "'left', behind them for 'right'. NaN belongs behind everything else.",
    )
)


@in_one_graph
def searchsorted(
    x1: Any, x2: Any, side: str = "left", sorter: Any = None, *, name: str | None = None
) -> Tensor:
    """For each element of `x2` the place in the sorted row `x1` before which it belongs, int64.

    x1       a vector in ascending order; NaN comes last
    x2       values of any shape, which is that of the result
    side     ``"left"``: before elements that are equal, so ``x1[i - 1] < x2 <= x1[i]``;
             ``"right"``: behind them, so ``x1[i - 1] <= x2 < x1[i]``
    sorter   int indices that sort `x1` (an `argsort`), where it is not sorted

    The operands promote to one dtype. Of a row that is not sorted the results mean nothing, but lie
    between 0 and its size. No derivative passes. Raises ShapeError for an `x1` that is no vector.

    >>> import staticgraph as sg
    >>> row = sg.constant([1.0, 2.0, 2.0, 5.0])
    >>> sg.Session().run(sg.searchsorted(row, [2.0, 7.0, 0.5]))
    array([1, 4, 0])
    """
    if side not in ("left", "right"):
        raise refusal("searchsorted", f"side={side!r} is no side", "give 'left' or 'right'")
    row, values = promote((x1, x2))
    if sorter is not None:
        order = as_tensor(sorter, row.graph)
        if order.dtype not in dtypes.INTEGER:
            refuse(SEARCHSORTED, (row, values), Mismatch(
                f"sorter is {dtypes.name(order.dtype)}",
                "give the indices that sort x1: sg.argsort(x1)", error=DTypeError,
            ))  # fmt: skip
        order = cast(order, dtypes.int64)
        row = row.graph.add(GATHER, (row, order), {"axes": (0,)}).out
    return row.graph.add(SEARCHSORTED, (row, values), {"side": side}, name).out


def isin(x1: Any, x2: Any, invert: bool = False, *, name: str | None = None) -> Tensor:
    """Whether each element of `x1` is one of the elements of `x2`: bool, of the shape of `x1`.

    invert   whether it is none of them

    The operands promote to one dtype. NaN is equal to nothing.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.isin(sg.constant([1, 2, 3]), [2, 5]))
    array([False,  True, False])
    """
    wanted, among = promote((x1, x2))
    row = sort(reshape(among, (-1,)))
    # Between the two places stand the elements that are equal.
    found = less(searchsorted(row, wanted), searchsorted(row, wanted, side="right"))
    if wanted.dtype in dtypes.FLOATING:
        # A NaN stands between NaN, to which it is not equal.
        found = logical_and(found, equal(wanted, wanted))
    if invert:
        found = logical_not(found)
    return identity(found, name=name or "isin")
