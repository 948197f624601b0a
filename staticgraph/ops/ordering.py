"""Orders that are made of others: parts in order, and the order by several keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import compatible, format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, in_one_graph, is_tensor_like, scalar
from staticgraph.ops.elementwise import less
from staticgraph.ops.filling import is_row
from staticgraph.ops.indexing import take_along_axis
from staticgraph.ops.joining import unstack
from staticgraph.ops.requiring import require
from staticgraph.ops.shaping import reshape
from staticgraph.ops.sizes import is_int, refusal, size_or_dim
from staticgraph.ops.sorting import argsort, sort


def partition(x: Any, kth: Any, axis: int | None = -1, *, name: str | None = None) -> Tensor:
    """`x` with the elements at `kth` where sorting puts them, smaller ones before them.

    kth    an int or a sequence of ints; a negative one counts from the end
    axis   an int; None flattens `x` first

    NumPy leaves open in which order the other elements stand. Here the result is all sorted, which
    is one such order, and no slower. Adjoints go back to where the elements came from. Raises
    ShapeError where there is no element at `kth`: RunError where only the run knows.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.partition(sg.constant([3.0, 1.0, 2.0]), 1))
    array([1., 2., 3.], dtype=float32)
    """
    what = "partition"
    tensor, number = _along(what, x, axis)
    return sort(_checked(what, tensor, kth, number), number, name=name or what)


def argpartition(x: Any, kth: Any, axis: int | None = -1, *, name: str | None = None) -> Tensor:
    """The int64 indices that make a `partition` of `x`: an argsort, which is one.

    For `kth`, `axis` and errors see `partition`. It has no derivative.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.argpartition(sg.constant([3.0, 1.0, 2.0]), 1))
    array([1, 2, 0])
    """
    what = "argpartition"
    tensor, number = _along(what, x, axis)
    return argsort(_checked(what, tensor, kth, number), number, name=name or what)


def _along(what: str, x: Any, axis: int | None) -> tuple[Tensor, int]:
    """A tensor and the axis along which it is put in order."""
    tensor = as_tensor(x)
    _require_order(what, tensor, "x")
    if axis is None:
        return reshape(tensor, (-1,)), 0
    return tensor, one_axis(what, tensor, axis)


def _require_order(what: str, x: Tensor, label: str) -> None:
    if x.dtype in dtypes.COMPLEX:
        refuse(what, (x,), Mismatch(
            f"{dtypes.name(x.dtype)} has no order",
            "say which number is meant: sg.real(x), sg.imag(x) or sg.abs(x)", error=DTypeError,
        ), (label,))  # fmt: skip


def _checked(what: str, x: Tensor, kth: Any, axis: int) -> Tensor:
    """`x`, which has elements at `kth`."""
    wanted = [kth] if is_int(kth) else kth
    if is_tensor_like(kth) or not isinstance(wanted, Sequence | np.ndarray):
        raise refusal(what, f"kth={kth!r} is no place", "give an int, or a sequence of ints")
    places = list(wanted)
    if not all(is_int(place) for place in places):
        raise refusal(what, f"kth={kth!r} is no place", "give an int, or a sequence of ints")
    least = max([max(int(place) + 1, -int(place)) for place in places], default=0)
    size = size_or_dim(x, axis)
    problem, way_out = f"there is no element at kth={kth}", "kth is a place along the axis"
    if isinstance(size, int):
        if size < least:
            refuse(what, (x,), Mismatch(problem, f"axis {axis} has size {size}", way_out))
        return x
    if not least:
        return x
    enough = less(scalar(x.graph, least - 1, size.dtype), size)
    return require(x, enough, what, problem, way_out, size=size)


@in_one_graph
def lexsort(keys: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """The int64 indices that sort by several keys: by the last, equal ones by the one before it.

    keys   a sequence of tensors of one shape, or a tensor whose entries along axis 0 are the keys,
           of which the graph knows how many there are
    axis   of each key, an int

    One stable sort after the other, the first key first. Where all keys are equal, elements keep
    their order; NaN comes last. It has no derivative. Raises ShapeError where keys differ in shape
    or there is none.

    >>> import staticgraph as sg
    >>> family, given = [2, 1, 2], [3, 5, 1]
    >>> sg.Session().run(sg.lexsort((given, family)))
    array([1, 2, 0])
    """
    what = "lexsort"
    listed = _keys(what, keys)
    first = listed[0]
    for key in listed:
        _require_order(what, key, "key")
        if not compatible(key.type.shape, first.type.shape):
            refuse(what, (first, key), Mismatch(
                f"keys have shapes {format_shape(first.type.shape)} and "
                f"{format_shape(key.type.shape)}",
                "give keys of one shape",
            ), ("key", "key"))  # fmt: skip
    number = one_axis(what, first, axis)
    order = argsort(first, number)
    for key in listed[1:]:
        order = take_along_axis(order, argsort(take_along_axis(key, order, number), number), number)
    return identity(order, name=name or what)


def _keys(what: str, keys: Any) -> list[Tensor]:
    if is_tensor_like(keys):
        tensor = as_tensor(keys)
        ndim = known_rank(what, tensor)
        count = tensor.type.shape[0] if tensor.type.shape else None
        if ndim < 2 or not isinstance(count, int):
            refuse(what, (tensor,), Mismatch(
                f"keys has shape {format_shape(tensor.type.shape)}",
                "give a sequence of keys, or a tensor whose first axis has a known size",
            ), ("keys",))  # fmt: skip
        listed = unstack(tensor) if count else []
    elif is_row(keys):
        listed = [as_tensor(key) for key in keys]
    else:
        raise refusal(what, f"keys={keys!r} is no sequence", "give the keys in a tuple")
    if not listed:
        raise refusal(what, "there is no key", "give one at least")
    return list(listed)
