"""Grids, triangles, and axes in other places: meshgrid, tril, triu, moveaxis, swapaxes.

Nothing here is an op of its own: all is broadcasting, comparing places, and permuting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import BroadcastError, broadcast_shapes
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, constant, is_tensor_like, promote
from staticgraph.ops.creation import arange, zeros_like
from staticgraph.ops.elementwise import equal, greater_equal, less_equal, where
from staticgraph.ops.reduction import all as all_of
from staticgraph.ops.shaping import (
    broadcast_like,
    broadcast_to,
    expand_dims,
    permute_dims,
)
from staticgraph.ops.sizes import as_bool, is_int, refusal, size, size_or_dim

# -- broadcasting -----------------------------------------------------------------------------


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    """Operands as tensors of one graph, each of its own dtype."""
    graph = next((as_tensor(x).graph for x in values if is_tensor_like(x)), None)
    return [as_tensor(x, graph) for x in values]


def broadcast_arrays(*arrays: Any, name: str | None = None) -> list[Tensor]:
    """The operands, all broadcast to one shape; each keeps its dtype.

    Raises ShapeError for shapes that do not broadcast together.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.broadcast_arrays(sg.constant([1, 2]), [[3], [4]]))
    [array([[1, 2],
           [1, 2]]), array([[3, 3],
           [4, 4]])]
    """
    tensors = _tensors(arrays)
    if len(tensors) < 2:
        return tensors
    shape = tensors[0]
    for other in tensors[1:]:
        shape = _joined(shape, other)
    return [
        tensor if tensor.type.is_static and tensor.type.shape == shape.type.shape
        else broadcast_like(tensor, shape)
        for tensor in tensors
    ]  # fmt: skip


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Something of the shape of both, of which nothing but the shape is ever looked at."""
    empty = [zeros_like(x, dtypes.bool_) for x in (first, second)]
    return less_equal(*empty)


def array_equiv(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """Whether the operands are equal everywhere once they are broadcast; a bool scalar.

    False for shapes that are known now not to broadcast together; in the run that is an error.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.array_equiv(sg.constant([1, 2]), [[1, 2], [1, 2]]))
    np.True_
    """
    tensors = promote((lhs, rhs))
    try:
        broadcast_shapes(tensors[0].type.shape, tensors[1].type.shape)
    except BroadcastError:
        with tensors[0].graph.as_default():
            return constant(False, name=name or "array_equiv")
    return all_of(equal(*tensors), name=name or "array_equiv")


def meshgrid(
    *arrays: Any, indexing: str = "xy", sparse: bool = False, name: str | None = None
) -> list[Tensor]:
    """The coordinates of a grid: for each vector its values along its own axis of the grid.

    arrays     vectors, or scalars
    indexing   ``"xy"``: the first vector runs along axis 1 and the second along axis 0, as in a
               picture; ``"ij"``: vector i runs along axis i
    sparse     leave the other axes at size 1, where they broadcast

    Each keeps its dtype. Raises ShapeError for what is no vector.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.meshgrid(sg.constant([1, 2]), [3, 4, 5], indexing="ij"))
    [array([[1, 1, 1],
           [2, 2, 2]]), array([[3, 4, 5],
           [3, 4, 5]])]
    """
    if indexing not in ("xy", "ij"):
        raise refusal("meshgrid", f"indexing={indexing!r} is not there", "give 'xy' or 'ij'")
    sparse = as_bool("meshgrid", "sparse", sparse)
    if not arrays:
        return []
    vectors: list[Tensor] = []
    for tensor in _tensors(arrays):
        ndim = known_rank("meshgrid", tensor)
        if ndim > 1:
            refuse("meshgrid", (tensor,), Mismatch(
                f"'{tensor.name}' has {ndim} axes", "give vectors; sg.reshape(x, -1) flattens"
            ))  # fmt: skip
        vectors.append(tensor if ndim else expand_dims(tensor, 0))
    count = len(vectors)
    axes = list(range(count))
    if indexing == "xy" and count > 1:
        axes[:2] = [1, 0]
    spread = [
        expand_dims(vector, tuple([other for other in range(count) if other != axis]))
        if count > 1 else vector
        for vector, axis in zip(vectors, axes, strict=True)
    ]  # fmt: skip
    if sparse:
        return [identity(x, name=name or "meshgrid") for x in spread]
    with vectors[0].graph.as_default():
        lengths: list[Any] = [None] * count
        for vector, axis in zip(vectors, axes, strict=True):
            lengths[axis] = size_or_dim(vector, 0)
        return [broadcast_to(x, lengths, name=name) for x in spread]


# -- triangles --------------------------------------------------------------------------------


def _triangle(what: str, x: Any, k: Any, below: bool, name: str | None) -> Tensor:
    tensor = as_tensor(x)
    ndim = known_rank(what, tensor)
    if ndim < 2:
        refuse(what, (tensor,), Mismatch(
            f"a matrix has two axes, '{tensor.name}' has {ndim}", "sg.expand_dims adds one"
        ))  # fmt: skip
    if not is_int(k):
        raise refusal(what, f"k={k!r} is no diagonal", "give an int")
    with tensor.graph.as_default():
        rows = expand_dims(arange(size(tensor, -2)), 1) + int(k)
        columns = expand_dims(arange(size(tensor, -1)), 0)
    kept = less_equal(columns, rows) if below else greater_equal(columns, rows)
    return where(kept, tensor, zeros_like(tensor), name=name or what)


def tril(x: Any, k: int = 0, *, name: str | None = None) -> Tensor:
    """The lower triangles of the matrices in the last two axes of `x`; 0 above diagonal `k`.

    k   an int: 0 is the main diagonal, those above it are positive

    Raises ShapeError where `x` has fewer than two axes.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.tril(sg.ones((2, 3))))
    array([[1., 0., 0.],
           [1., 1., 0.]], dtype=float32)
    """
    return _triangle("tril", x, k, True, name)


def triu(x: Any, k: int = 0, *, name: str | None = None) -> Tensor:
    """The upper triangles of the matrices in the last two axes of `x`; 0 below diagonal `k`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.triu(sg.ones((2, 3))))
    array([[1., 1., 1.],
           [0., 1., 1.]], dtype=float32)
    """
    return _triangle("triu", x, k, False, name)


# -- axes in other places ---------------------------------------------------------------------


def moveaxis(x: Any, source: Any, destination: Any, *, name: str | None = None) -> Tensor:
    """`x` with axes moved to other places; the others keep their order.

    source, destination   an int each, or as many ints each

    Raises ShapeError for axes that `x` does not have or that stand twice.

    >>> import staticgraph as sg
    >>> sg.moveaxis(sg.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    tensor = as_tensor(x)
    ndim = known_rank("moveaxis", tensor)
    moved, places = [_axes(tensor, given) for given in (source, destination)]
    if len(moved) != len(places):
        refuse("moveaxis", (tensor,), Mismatch(
            f"{len(moved)} axes do not move to {len(places)} places", "give as many of each"
        ))  # fmt: skip
    order = [axis for axis in range(ndim) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return permute_dims(tensor, tuple(order), name=name or "moveaxis")


def _axes(x: Tensor, given: Any) -> list[int]:
    listed = list(given) if isinstance(given, list | tuple) else [given]
    axes = [one_axis("moveaxis", x, axis) for axis in listed]
    if len(set(axes)) != len(axes):
        refuse("moveaxis", (x,), Mismatch(
            f"an axis stands twice in {given!r}", "name every axis once"
        ))  # fmt: skip
    return axes


def swapaxes(x: Any, axis1: int, axis2: int, *, name: str | None = None) -> Tensor:
    """`x` with two axes in each other's place.

    >>> import staticgraph as sg
    >>> sg.swapaxes(sg.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    tensor = as_tensor(x)
    order = list(range(known_rank("swapaxes", tensor)))
    first, second = [one_axis("swapaxes", tensor, axis) for axis in (axis1, axis2)]
    order[first], order[second] = second, first
    return permute_dims(tensor, tuple(order), name=name or "swapaxes")


def rollaxis(x: Any, axis: int, start: int = 0, *, name: str | None = None) -> Tensor:
    """`x` with an axis moved in front of axis `start`, which may be one behind the last.

    `moveaxis` says more plainly where the axis goes.

    >>> import staticgraph as sg
    >>> sg.rollaxis(sg.zeros((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    tensor = as_tensor(x)
    ndim = known_rank("rollaxis", tensor)
    number = one_axis("rollaxis", tensor, axis)
    if not is_int(start) or not -ndim <= start <= ndim:
        refuse("rollaxis", (tensor,), Mismatch(
            f"start={start!r} is no place of an axis", f"give an int from {-ndim} to {ndim}"
        ))  # fmt: skip
    place = int(start) + ndim if start < 0 else int(start)
    order = [other for other in range(ndim) if other != number]
    order.insert(place - 1 if number < place else place, number)
    return permute_dims(tensor, tuple(order), name=name or "rollaxis")
