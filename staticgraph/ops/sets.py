"""Sets: the different elements of a tensor, or its different rows, how often each stands there.

How many there are only the run knows, so results have an axis of unknown size; `size=` of `unique`
gives it one. The functions named ``unique_*`` are the Array API standard's: each NaN is an element
of its own, since NaN is equal to nothing. `unique` is NumPy's: NaN is one element.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.ops.axes import one_axis, refuse
from staticgraph.ops.complex import imag, real
from staticgraph.ops.convert import as_tensor, cast
from staticgraph.ops.creation import arange, zeros_like
from staticgraph.ops.cumulative import cumsum, shift
from staticgraph.ops.differences import diff
from staticgraph.ops.elementwise import (
    equal,
    isnan,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from staticgraph.ops.grids import moveaxis
from staticgraph.ops.indexing import SCATTER_ADD, gather
from staticgraph.ops.joining import unstack
from staticgraph.ops.ordering import lexsort
from staticgraph.ops.reduction import any as any_of
from staticgraph.ops.searching import flatnonzero, sized
from staticgraph.ops.shaping import reshape, reshape_like
from staticgraph.ops.sizes import as_bool
from staticgraph.ops.sizes import size as size_of
from staticgraph.ops.sorting import argsort, sort

_WHAT = "unique"


class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: Any
    inverse_indices: Any


def _begins(row: Tensor, equal_nan: bool) -> Tensor:
    """Where what is sorted along axis 0 differs from what is before it; the first one does."""
    before = shift(row, 1, 0)
    differs = not_equal(row, before)
    if row.type.ndim == 2:
        differs = any_of(differs, axis=1)
    if equal_nan and row.dtype in dtypes.DIFFERENTIABLE:
        differs = logical_and(differs, logical_not(logical_and(isnan(row), isnan(before))))
    with row.graph.as_default():
        return logical_or(differs, equal(arange(size_of(row, 0)), 0))


def _order(row: Tensor) -> Tensor:
    """What sorts a vector, complex numbers as in NumPy: real parts first, those with a NaN last."""
    if row.dtype in dtypes.COMPLEX:
        return lexsort([imag(row), real(row), isnan(row)])
    return argsort(row)


class _Unique:
    """The different elements of a tensor: how they are found, each part when it is asked for.

    row     all of them in order, along axis 0
    """

    def __init__(self, x: Any, equal_nan: bool, ordered: bool) -> None:
        self.x = as_tensor(x)
        flat = reshape(self.x, (-1,))
        self.order = _order(flat) if ordered or flat.dtype in dtypes.COMPLEX else None
        self.row = sort(flat) if self.order is None else gather(flat, self.order)
        self.begins = _begins(self.row, equal_nan)
        self.places = flatnonzero(self.begins)

    def values(self, name: str | None = None) -> Tensor:
        """The different elements in ascending order."""
        return gather(self.row, self.places, name=name)

    def sized(self, size: int, fill_value: Any, name: str | None) -> Tensor:
        """So many of the values; `fill_value` where there are fewer."""
        return sized(_WHAT, self.values(name or _WHAT), size, fill_value)

    def counts(self) -> Tensor:
        """How often each stands there."""
        with self.x.graph.as_default():
            return diff(self.places, append=size_of(self.row, 0))

    def indices(self) -> Tensor:
        """Where each stands first, counted in row-major order."""
        assert self.order is not None
        return gather(self.order, self.places)

    def inverse(self) -> Tensor:
        """The number, among the different ones, of every element; of the shape of x."""
        assert self.order is not None
        numbers = cumsum(cast(self.begins, dtypes.int64), 0) - 1
        operands = (zeros_like(self.order), numbers, self.order)
        spread = self.order.graph.add(SCATTER_ADD, operands, {"axes": (0,)}).out
        return self.like_x(spread)

    def like_x(self, numbers: Tensor) -> Tensor:
        """One number per element, as the elements stand."""
        return reshape_like(numbers, self.x)


class _UniqueRows(_Unique):
    """The different entries along an axis, of which each has a known number of elements."""

    def __init__(self, x: Tensor, axis: int) -> None:
        self.x, self.axis = x, axis
        entries = moveaxis(x, axis, 0)
        self.shape: Any = (entries.type.shape or ())[1:]
        known = [dim for dim in self.shape if isinstance(dim, int) and dim]
        if len(known) != len(self.shape):
            refuse(_WHAT, (x,), Mismatch(
                f"entries along axis {axis} have shape {format_shape(self.shape)}",
                "declare their sizes, from 1: rows are compared element by element",
            ))  # fmt: skip
        self.row = reshape(entries, (-1, math.prod(known)))
        # The first element counts most.
        self.order = lexsort(list(reversed(unstack(self.row, axis=1))))
        self.row = gather(self.row, self.order)
        self.begins = _begins(self.row, equal_nan=False)
        self.places = flatnonzero(self.begins)

    def values(self, name: str | None = None) -> Tensor:
        """The different entries in ascending order."""
        found = reshape(gather(self.row, self.places), (-1, *self.shape))
        return moveaxis(found, 0, self.axis, name=name)

    def sized(self, size: int, fill_value: Any, name: str | None) -> Tensor:
        """So many of the entries; entries of `fill_value` where there are fewer."""
        found = moveaxis(self.values(), self.axis, 0)
        return moveaxis(sized(_WHAT, found, size, fill_value), 0, self.axis, name=name or _WHAT)

    def like_x(self, numbers: Tensor) -> Tensor:
        """One number per entry along the axis: a vector."""
        return numbers


def unique_values(x: Any, *, name: str | None = None) -> Tensor:
    """The different elements of `x`, in ascending order: [?]. Each NaN is one of its own.

    Derivatives flow to the first element, in sorted order, of each value.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unique_values(sg.constant([3, 1, 3])))
    array([1, 3])
    """
    return _Unique(x, equal_nan=False, ordered=False).values(name or "unique_values")


def unique_counts(x: Any, *, name: str | None = None) -> UniqueCounts:
    """The different elements of `x`, in ascending order, and how often each stands there.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unique_counts(sg.constant([3, 1, 3])))
    UniqueCounts(values=array([1, 3]), counts=array([1, 2]))
    """
    found = _Unique(x, equal_nan=False, ordered=False)
    return UniqueCounts(found.values(name or "unique_counts"), found.counts())


def unique_inverse(x: Any, *, name: str | None = None) -> UniqueInverse:
    """The different elements of `x`, in ascending order, and for each element which one it is.

    ``values[inverse_indices]`` is `x`, whose shape the indices have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unique_inverse(sg.constant([3, 1, 3])))
    UniqueInverse(values=array([1, 3]), inverse_indices=array([1, 0, 1]))
    """
    found = _Unique(x, equal_nan=False, ordered=True)
    return UniqueInverse(found.values(name or "unique_inverse"), found.inverse())


def unique_all(x: Any, *, name: str | None = None) -> UniqueAll:
    """The different elements of `x`, in ascending order, with all that is known of them.

    ``indices`` say where each stands first, in row-major order; for the rest see `unique_counts`
    and `unique_inverse`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unique_all(sg.constant([3, 1, 3])).indices)
    array([1, 0])
    """
    found = _Unique(x, equal_nan=False, ordered=True)
    values = found.values(name or "unique_all")
    return UniqueAll(values, found.indices(), found.inverse(), found.counts())


def unique(
    x: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
    fill_value: Any = 0,
    name: str | None = None,
) -> Any:
    """The different elements of `x`, in ascending order, as `numpy.unique` gives them.

    return_index, return_inverse, return_counts   give also where each stands first, for each
                element which one it is, and how often each stands there, in a tuple and this order
    axis        an int: the different entries along this axis, which the graph must know the shape
                of; the first element of each counts most. None takes single elements
    equal_nan   NaN is one element, however many there are. Entries along an axis that hold NaN are
                all different, as NumPy has it
    size        an int: the result has so many elements, whatever the run finds. The first ones are
                taken, and where there are fewer `fill_value` follows; counts and indices are filled
                with 0.

    Without `size` the size is known only to the run. Raises ShapeError for an axis that `x` does
    not have, or whose entries have a shape that is not known.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unique(sg.constant([3, 1, 3]), return_counts=True, size=3))
    (array([1, 3, 0]), array([1, 2, 0]))
    >>> sg.Session().run(sg.unique(sg.constant([[3, 1], [2, 5], [3, 1]]), axis=0))
    array([[2, 5],
           [3, 1]])
    """
    return_index = as_bool(_WHAT, "return_index", return_index)
    return_inverse = as_bool(_WHAT, "return_inverse", return_inverse)
    return_counts = as_bool(_WHAT, "return_counts", return_counts)
    equal_nan = as_bool(_WHAT, "equal_nan", equal_nan)
    tensor = as_tensor(x)
    if axis is None:
        found = _Unique(tensor, equal_nan, ordered=return_index or return_inverse)
    else:
        found = _UniqueRows(tensor, one_axis(_WHAT, tensor, axis))

    def cut(part: Tensor, fill: Any) -> Tensor:
        return part if size is None else sized(_WHAT, part, size, fill)

    results = [found.values(name or _WHAT) if size is None else found.sized(size, fill_value, name)]
    if return_index:
        results.append(cut(found.indices(), 0))
    if return_inverse:
        results.append(found.inverse())
    if return_counts:
        results.append(cut(found.counts(), 0))
    return results[0] if len(results) == 1 else tuple(results)
