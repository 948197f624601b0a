"""Joining and taking apart in NumPy's manner: stacks, blocks, uneven parts, insert and delete.

Nothing here is an op of its own: all is made of `concat`, `split`, slices and new axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, is_tensor_like, promote
from staticgraph.ops.creation import arange
from staticgraph.ops.differences import part
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.grids import moveaxis
from staticgraph.ops.indexing import gather
from staticgraph.ops.joining import SPLIT, concat, operands, split
from staticgraph.ops.requiring import require
from staticgraph.ops.searching import flatnonzero
from staticgraph.ops.shaping import broadcast_to, expand_dims, flattened, permute_dims, reshape
from staticgraph.ops.sizes import dim_of, is_int, refusal, size, size_or_dim

# -- at least so many axes --------------------------------------------------------------------


def atleast_1d(*arrays: Any, name: str | None = None) -> Any:
    """The operand with at least one axis; a scalar gets one. A list of tensors for several.

    >>> import staticgraph as sg
    >>> sg.atleast_1d(sg.constant(3.0)).shape
    (1,)
    """
    return _each("atleast_1d", arrays, name, lambda x: _leading("atleast_1d", x, 1))


def atleast_2d(*arrays: Any, name: str | None = None) -> Any:
    """The operand with at least two axes; new ones come first. A list of tensors for several.

    >>> import staticgraph as sg
    >>> sg.atleast_2d(sg.constant([3.0, 4.0])).shape
    (1, 2)
    """
    return _each("atleast_2d", arrays, name, lambda x: _leading("atleast_2d", x, 2))


def atleast_3d(*arrays: Any, name: str | None = None) -> Any:
    """The operand with at least three axes: a vector becomes [1, n, 1], a matrix [m, n, 1].

    A list of tensors for several operands.

    >>> import staticgraph as sg
    >>> sg.atleast_3d(sg.constant([3.0, 4.0])).shape
    (1, 2, 1)
    """
    return _each("atleast_3d", arrays, name, lambda x: _layers("atleast_3d", x))


def _each(what: str, arrays: Sequence[Any], name: str | None, function: Any) -> Any:
    if not arrays:
        raise refusal(what, "there is no operand", "give at least one tensor")
    results = [identity(function(as_tensor(x)), name=name or what) for x in arrays]
    return results[0] if len(results) == 1 else results


def _leading(what: str, x: Tensor, ndim: int) -> Tensor:
    """`x` with axes of size 1 in front, where it has fewer than `ndim`."""
    missing = ndim - known_rank(what, x)
    return expand_dims(x, tuple(range(missing))) if missing > 0 else x


def _layers(what: str, x: Tensor) -> Tensor:
    ndim = known_rank(what, x)
    new = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}.get(ndim)
    return x if new is None else expand_dims(x, new)


# -- stacks -----------------------------------------------------------------------------------


def vstack(tup: Any, *, name: str | None = None) -> Tensor:
    """The tensors below each other: along axis 0, vectors as rows.

    They promote to one dtype. Raises ShapeError where they differ along another axis.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.vstack([sg.constant([1, 2]), [3, 4]]))
    array([[1, 2],
           [3, 4]])
    """
    rows = [_leading("vstack", x, 2) for x in operands("vstack", tup)]
    return concat(rows, 0, name=name or "vstack")


def hstack(tup: Any, *, name: str | None = None) -> Tensor:
    """The tensors beside each other: along axis 1, vectors along axis 0.

    They promote to one dtype. Raises ShapeError where they differ along another axis.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.hstack([sg.constant([1, 2]), [3]]))
    array([1, 2, 3])
    """
    rows = [_leading("hstack", x, 1) for x in operands("hstack", tup)]
    return concat(rows, 0 if rows[0].type.ndim == 1 else 1, name=name or "hstack")


def dstack(tup: Any, *, name: str | None = None) -> Tensor:
    """The tensors behind each other: along axis 2, which vectors and matrices get.

    They promote to one dtype. Raises ShapeError where they differ along another axis.

    >>> import staticgraph as sg
    >>> sg.dstack([sg.zeros((2, 3)), sg.ones((2, 3))]).shape
    (2, 3, 2)
    """
    layers = [_layers("dstack", x) for x in operands("dstack", tup)]
    return concat(layers, 2, name=name or "dstack")


def column_stack(tup: Any, *, name: str | None = None) -> Tensor:
    """Vectors as the columns of a matrix, beside matrices that are there already.

    They promote to one dtype. Raises ShapeError where they have different numbers of rows.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.column_stack([sg.constant([1, 2]), [3, 4]]))
    array([[1, 3],
           [2, 4]])
    """
    columns: list[Tensor] = []
    for x in operands("column_stack", tup):
        wide = _leading("column_stack", x, 2)
        columns.append(permute_dims(wide, (1, 0)) if known_rank("column_stack", x) < 2 else wide)
    return concat(columns, 1, name=name or "column_stack")


def block(arrays: Any, *, name: str | None = None) -> Tensor:
    """A tensor put together of blocks: lists are joined along the last axis, lists of lists of
    blocks along the one before it, and so on.

    The blocks promote to one dtype and get as many axes as the deepest list or block asks for, new
    ones in front. Raises ShapeError for lists of different depths, for empty lists, and for blocks
    that do not fit beside each other.

    >>> import staticgraph as sg
    >>> one = sg.ones((2, 2))
    >>> sg.Session().run(sg.block([[one, sg.zeros((2, 1))], [sg.zeros((1, 2)), 5.0 * one[:1, :1]]]))
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 5.]], dtype=float32)
    """
    leaves: list[Any] = []
    depth = _depth(arrays, leaves)
    tensors = iter(promote(leaves))
    ndim = max([depth, *[known_rank("block", x) for x in promote(leaves)]])
    joined = _joined(arrays, depth, ndim, tensors)
    return identity(joined, name=name or "block")


def _depth(item: Any, leaves: list[Any]) -> int:
    """How deep lists stand in each other, the same everywhere; the blocks go to `leaves`."""
    # The recursion follows the nesting that the user wrote.
    if not isinstance(item, list):
        leaves.append(item)
        return 0
    if not item:
        raise refusal("block", "a list is empty", "give each list a block at least")
    depths = {_depth(inner, leaves) for inner in item}
    if len(depths) > 1:
        raise refusal(
            "block", "blocks stand in lists of different depths", "nest all equally: [[a, b], [c]]"
        )
    return 1 + depths.pop()


def _joined(item: Any, depth: int, ndim: int, tensors: Any) -> Tensor:
    if depth == 0:
        return _leading("block", next(tensors), ndim)
    return concat([_joined(inner, depth - 1, ndim, tensors) for inner in item], ndim - depth)


# -- splits -----------------------------------------------------------------------------------


def array_split(
    x: Any, indices_or_sections: Any, axis: int = 0, *, name: str | None = None
) -> list[Tensor]:
    """The parts of `x` along `axis`, as equal as can be: the first ones may be longer by one.

    indices_or_sections   the number of parts; or the places at which to split, each an int, which
                          as in a slice may be negative or behind the end

    Raises ShapeError for what is no number of parts.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.array_split(sg.constant([1, 2, 3]), 2))
    [array([1, 2]), array([3])]
    """
    tensor = as_tensor(x)
    number = one_axis("array_split", tensor, axis)
    if not is_int(indices_or_sections):
        return _at_places(tensor, indices_or_sections, number, name or "array_split")
    count = int(indices_or_sections)
    if count < 1:
        raise refusal("array_split", f"{count} is no number of parts", "give 1 or more")
    total = dim_of(tensor, number)
    if isinstance(total, int):
        sizes = [total // count + (index < total % count) for index in range(count)]
        attrs = {"sizes": tuple(sizes), "axis": number}
        return list(tensor.graph.add(SPLIT, (tensor,), attrs, name or "array_split").outputs)
    with tensor.graph.as_default():
        whole = size(tensor, number)
        least, longer = ew.floor_divide(whole, count), ew.remainder(whole, count)
        lengths = [least + cast(ew.greater(longer, i), dtypes.int64) for i in range(count)]
    attrs = {"sizes": (None,) * count, "axis": number}
    return list(tensor.graph.add(SPLIT, (tensor, *lengths), attrs, name or "array_split").outputs)


def _at_places(x: Tensor, places: Any, axis: int, name: str) -> list[Tensor]:
    listed = places.tolist() if isinstance(places, np.ndarray) else places
    if not isinstance(listed, list | tuple) or not all(map(is_int, listed)):
        raise refusal(
            "array_split", f"{places!r} are no places to split at",
            "give a number of parts or a list of ints",
        )  # fmt: skip
    ends = [int(end) for end in listed]
    bounds = zip([0, *ends], [*ends, None], strict=True)
    return [identity(part(x, axis, start, stop), name=name) for start, stop in bounds]


def hsplit(x: Any, indices_or_sections: Any, *, name: str | None = None) -> list[Tensor]:
    """The parts of `x` along axis 1, or along axis 0 for a vector; otherwise as `split`.

    >>> import staticgraph as sg
    >>> [part.shape for part in sg.hsplit(sg.zeros((2, 6)), 3)]
    [(2, 2), (2, 2), (2, 2)]
    """
    tensor = as_tensor(x)
    ndim = _at_least("hsplit", tensor, 1)
    return split(tensor, indices_or_sections, 1 if ndim > 1 else 0, name=name or "hsplit")


def vsplit(x: Any, indices_or_sections: Any, *, name: str | None = None) -> list[Tensor]:
    """The parts of `x`, which has two axes or more, along axis 0; otherwise as `split`.

    >>> import staticgraph as sg
    >>> [part.shape for part in sg.vsplit(sg.zeros((2, 6)), 2)]
    [(1, 6), (1, 6)]
    """
    tensor = as_tensor(x)
    _at_least("vsplit", tensor, 2)
    return split(tensor, indices_or_sections, 0, name=name or "vsplit")


def dsplit(x: Any, indices_or_sections: Any, *, name: str | None = None) -> list[Tensor]:
    """The parts of `x`, which has three axes or more, along axis 2; otherwise as `split`.

    >>> import staticgraph as sg
    >>> [part.shape for part in sg.dsplit(sg.zeros((2, 3, 4)), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    tensor = as_tensor(x)
    _at_least("dsplit", tensor, 3)
    return split(tensor, indices_or_sections, 2, name=name or "dsplit")


def _at_least(what: str, x: Tensor, wanted: int) -> int:
    ndim = known_rank(what, x)
    if ndim < wanted:
        refuse(what, (x,), Mismatch(
            f"'{x.name}' has {ndim} axes", f"it must have {wanted}; sg.split names the axis"
        ))  # fmt: skip
    return ndim


# -- inserting and deleting -------------------------------------------------------------------


def append(x: Any, values: Any, axis: int | None = None, *, name: str | None = None) -> Tensor:
    """`x` with `values` behind it along `axis`; None flattens both first.

    They promote to one dtype. Raises ShapeError where they differ along another axis.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.append(sg.constant([1, 2]), [[3], [4]]))
    array([1, 2, 3, 4])
    """
    tensors = promote((x, values))
    if axis is None:
        tensors, axis = [flattened(tensor) for tensor in tensors], 0
    return concat(tensors, one_axis("append", tensors[0], axis), name=name or "append")


@in_one_graph
def delete(x: Any, obj: Any, axis: int | None = None, *, name: str | None = None) -> Tensor:
    """`x` without some entries along `axis`; None flattens it first.

    obj   which ones: an int, a slice, a list of ints, or one bool per entry; or an int or a bool
          tensor, whose values only the run knows, and so the size of the result

    Raises ShapeError for entries that the axis does not have, an error of the run where only the
    run knows. DTypeError for a tensor that is neither int nor bool.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.delete(sg.constant([1, 2, 3, 4]), [0, -1]))
    array([2, 3])
    """
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = flattened(tensor), 0
    number = one_axis("delete", tensor, axis)
    name = name or "delete"
    dim = dim_of(tensor, number)
    if is_tensor_like(obj):
        return _deleted_in_run(tensor, as_tensor(obj), number, name)
    if is_int(obj) and not isinstance(dim, int):
        place = int(obj)
        with tensor.graph.as_default():
            fits = ew.greater(size(tensor, number), place if place >= 0 else -place - 1)
            tensor = require(
                tensor, fits, "delete", f"there is no entry {place} along axis {number}",
                "entries are counted from 0, or from -1 at the end",
            )  # fmt: skip
        before = part(tensor, number, None, place)
        rest = part(tensor, number, place + 1, None) if place != -1 else part(tensor, number, 0, 0)
        return concat([before, rest], number, name=name)
    if not isinstance(dim, int):
        refuse("delete", (tensor,), Mismatch(
            f"the size of axis {number} is not known, so neither is what is left",
            "declare it, or give one int, or a tensor of ints or bools",
        ))  # fmt: skip
    kept = _of_places("delete", tensor, dim, obj, lambda row, which: np.delete(row, which))
    return gather(tensor, kept, number, name=name)


def _of_places(what: str, x: Tensor, dim: Any, obj: Any, function: Any) -> Any:
    """What NumPy makes of the places of an axis; what it refuses is refused here."""
    which = obj
    if not isinstance(obj, slice):
        which = _as_array(what, x, obj)
    try:
        return function(np.arange(dim), which)
    except (IndexError, ValueError, TypeError) as problem:
        refuse(what, (x,), Mismatch(
            f"{obj!r} names no entries of an axis of size {dim}: {problem}",
            "give an int, a slice, a list of ints, or one bool per entry",
        ))  # fmt: skip


def _as_array(what: str, x: Tensor, obj: Any) -> np.ndarray[Any, Any]:
    """Places as an array; none of them are ints too."""
    try:
        places = np.asarray(obj)
    except ValueError:
        refuse(what, (x,), Mismatch(
            f"{obj!r} names no entries: its rows differ in length",
            "give an int, a slice, a list of ints, or one bool per entry",
        ))  # fmt: skip
    return places.astype(np.int64) if places.size == 0 else places


def _deleted_in_run(x: Tensor, obj: Tensor, axis: int, name: str) -> Tensor:
    if obj.dtype not in dtypes.INTEGER | dtypes.BOOL or obj.type.ndim not in (0, 1):
        refuse("delete", (x, obj), Mismatch(
            f"obj is {obj.type}", "give an int scalar, an int vector, or a bool vector",
            error=DTypeError,
        ), ("x", "obj"))  # fmt: skip
    with x.graph.as_default():
        count = size(x, axis)
        if obj.dtype == dtypes.bool_:
            fits = ew.equal(size(obj), count)
            gone = require(
                reshape(obj, (-1,)), fits, "delete", "there is not one bool per entry",
                "give a bool vector of the size of the axis", obj=obj,
            )  # fmt: skip
        else:
            places = cast(reshape(obj, (-1,)), dtypes.int64)
            fits = ew.logical_and(ew.greater_equal(places, -count), ew.less(places, count))
            places = require(
                places, fits, "delete", f"an entry is not there along axis {axis}",
                "entries are counted from 0, or from -1 at the end", obj=obj,
            )  # fmt: skip
            places = ew.where(ew.less(places, 0), places + count, places)
            gone = reduce.any(ew.equal(expand_dims(places, 1), arange(count)), 0)
        return gather(x, flatnonzero(ew.logical_not(gone)), axis, name=name)


@in_one_graph
def insert(
    x: Any, obj: Any, values: Any, axis: int | None = None, *, name: str | None = None
) -> Tensor:
    """`x` with `values` put in before some entries along `axis`; None flattens it first.

    obj      before which entries of `x`: an int, a slice or a list of ints, known now
    values   what is put in, in the dtype of `x`; it broadcasts to one entry per place. Before one
             entry several may be put in: for an int `obj`, axis 0 of `values` counts them

    Derivatives flow to `x` and to `values`. Raises ShapeError for places that are none, an error of
    the run where only the run knows, and where several are named along an axis whose size is not
    known. DTypeError for numbers that the dtype of `x` does not hold, and for a tensor as `obj`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.insert(sg.constant([1, 2, 3]), [0, 2], [7, 8]))
    array([7, 1, 2, 8, 3])
    """
    tensor = as_tensor(x, as_tensor(values).graph if is_tensor_like(values) else None)
    with tensor.graph.as_default():
        new = in_dtype_of("insert", "values", values, tensor)
    if axis is None:
        tensor, axis = flattened(tensor), 0
    number = one_axis("insert", tensor, axis)
    ndim, name = known_rank("insert", tensor), name or "insert"
    if known_rank("insert", new) > ndim:
        refuse("insert", (tensor, new), Mismatch(
            f"values of shape {format_shape(new.type.shape)} have more axes than x",
            "give what broadcasts to the entries that are put in",
        ), ("x", "values"))  # fmt: skip
    if is_tensor_like(obj):
        given = as_tensor(obj)
        refuse("insert", (tensor, given), Mismatch(
            "obj is a tensor, whose values only the run knows",
            "give an int, a slice or a list of ints", error=DTypeError,
        ), ("x", "obj"))  # fmt: skip
    new = _leading("insert", new, ndim)
    with tensor.graph.as_default():
        places = None if is_int(obj) else _places(tensor, number, obj)
        if places is None or len(places) == 1:
            place = int(obj if places is None else places[0])
            tensor = _with_place(tensor, number, place)
            new = moveaxis(new, 0, number) if places is None else new
            new = _like_entries(tensor, new, number, size_or_dim(new, number))
            before, behind = part(tensor, number, None, place), part(tensor, number, place, None)
            return concat([before, new, behind], number, name=name)
        order = _of_places(
            "insert", tensor, dim_of(tensor, number), places,
            lambda row, which: np.insert(row, which, len(row) + np.arange(len(places))),
        )  # fmt: skip
        both = concat([tensor, _like_entries(tensor, new, number, len(places))], number)
        return gather(both, order, number, name=name)


def _with_place(x: Tensor, axis: int, place: int) -> Tensor:
    """`x`, which has an entry at a place along an axis, or its end there."""
    dim, problem = dim_of(x, axis), f"there is no entry {place} along axis {axis}"
    if isinstance(dim, int):
        if not -dim <= place <= dim:
            refuse("insert", (x,), Mismatch(problem, f"it has size {dim}"))
        return x
    fits = ew.greater_equal(size(x, axis), abs(place))
    return require(x, fits, "insert", problem, "entries are counted from 0, or from -1 at the end")


def _places(x: Tensor, axis: int, obj: Any) -> Any:
    """The ints that several places mean along an axis, whose size must be known."""
    dim = dim_of(x, axis)
    if not isinstance(dim, int):
        refuse("insert", (x,), Mismatch(
            f"the size of axis {axis} is not known, so neither are the places",
            "declare it, or give one int",
        ))  # fmt: skip
    if isinstance(obj, slice):
        return np.arange(dim)[obj]
    places = _as_array("insert", x, obj)
    if places.ndim != 1 or places.dtype.kind not in "iub":
        refuse("insert", (x,), Mismatch(
            f"{obj!r} names no entries", "give an int, a slice or a list of ints"
        ))  # fmt: skip
    return np.flatnonzero(places) if places.dtype.kind == "b" else places


def _like_entries(x: Tensor, values: Tensor, axis: int, count: Any) -> Tensor:
    """Values broadcast to so many entries of `x` along an axis."""
    ndim = known_rank("insert", x)
    return broadcast_to(values, [count if a == axis else size_or_dim(x, a) for a in range(ndim)])
