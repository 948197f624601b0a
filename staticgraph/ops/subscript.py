"""The syntax ``x[...]``: every NumPy index, as slices, gathers and new axes.

A key is read item by item; what it does then follows from one question, whether it holds an array
of integers. If not, it is one `slice` and maybe one `expand_dims`. If so, the ranges are one
`slice` and the arrays, with every int among them, one `gather`. A mask stands for the indices of
the elements that hold, one array per axis of it; how many they are only the run knows.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import Dim, TensorType
from staticgraph.errors import DTypeError, GraphError, IndexingError, StaticGraphError
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.convert import as_tensor, cast, constant_value, is_tensor_like, scalar
from staticgraph.ops.elementwise import equal, where
from staticgraph.ops.indexing import (
    BOUND,
    FULL,
    GATHER,
    SLICE,
    Entry,
    Range,
    as_entry,
    in_place,
)
from staticgraph.ops.searching import flatnonzero, unraveled
from staticgraph.ops.shaping import EXPAND_DIMS, expand_dims, permute_dims
from staticgraph.ops.sizes import SHAPE, dim_of, is_int, size

# What an item of a key is: a new axis, nothing (an empty '...'), a range, one entry, an array.
_NEW, _NOTHING, _RANGE, _PICK, _ARRAY = "new", "nothing", "range", "pick", "array"


def getitem(x: Any, key: Any) -> Tensor:
    """``x[key]``: ints, slices, ``...``, None, integer arrays (lists, arrays, int tensors), masks.

    A scalar int tensor picks one entry in the run; tensors as bounds of a slice give a size that
    only the run knows, and so does a mask: a bool array or tensor of the sizes of the axes that it
    covers, which become one. Ranges are clipped as in NumPy. Raises IndexingError for an entry that
    is known not to exist, a mask that does not fit and for too many indices, DTypeError for floats;
    the run raises RunError for an entry that does not exist.

    >>> import staticgraph as sg
    >>> x = sg.constant([[1, 2, 3], [4, 5, 6]])
    >>> sg.Session().run(x[::-1, [0, 2]])
    array([[4, 6],
           [1, 3]])
    """
    tensor = as_tensor(x)
    if is_tensor_like(key) and as_tensor(key).type == TensorType(dtypes.bool_, ()):
        # All of x, or nothing of it, along a new axis: a mask of one element over x as that one.
        return getitem(expand_dims(tensor, 0), expand_dims(key, 0))
    items = list(key) if isinstance(key, tuple) else [key]
    if tensor.node.op is SHAPE and len(items) == 1 and is_int(items[0]):
        measured = tensor.node.inputs[0]
        ndim = measured.type.ndim
        if ndim is not None and -ndim <= items[0] < ndim:
            return size(measured, int(items[0]))
    return _Subscript(tensor, items).build()


class _Mask(NamedTuple):
    """One axis of a mask, and the indices along it of what holds."""

    mask: Tensor
    axis: int
    indices: Tensor


class _Subscript:
    """One key, read: per item what it is, per axis of x the entry and the tensors it needs."""

    def __init__(self, x: Tensor, items: list[Any]) -> None:
        self.x = x
        self.kinds: list[str] = []
        self.index: list[Entry] = []
        self.bounds: list[list[Tensor]] = []
        # Per integer array its axis.
        self.arrays: dict[int, Any] = {}
        for item in self._expanded(items):
            self._read(item)

    # -- reading ------------------------------------------------------------------------------

    def _expanded(self, items: list[Any]) -> list[Any]:
        """The items with full ranges for what ``...`` stands for, and for axes not named."""
        ndim = self.x.type.ndim
        items = [part for item in items for part in self._masks_taken_apart(item)]
        taken = sum(1 for item in items if item is not None and item is not Ellipsis)
        places = [place for place, item in enumerate(items) if item is Ellipsis]
        if len(places) > 1:
            self._refuse("'...' stands twice in the index", "one stands for all other axes")
        if ndim is None:
            if places and places[0] != len(items) - 1:
                self._refuse(
                    "the rank is not known, so nothing can follow '...'",
                    "declare it, with None for sizes that are open",
                )
            return items
        if taken > ndim:
            self._refuse(f"there are {taken} indices for {ndim} axes", "give one per axis at most")
        rest: list[Any] = [slice(None)] * (ndim - taken)
        if not places:
            return [*items, *rest]
        # An empty '...' still parts integer arrays, as in NumPy.
        place = places[0]
        return [*items[:place], *(rest or [Ellipsis]), *items[place + 1 :]]

    def _masks_taken_apart(self, item: Any) -> list[Any]:
        """A mask as the indices of what holds, a `_Mask` per axis of it; anything else as it is."""
        if not (isinstance(item, list | np.ndarray) or is_tensor_like(item)):
            return [item]
        if is_tensor_like(item):
            mask = as_tensor(item)
            if mask.dtype != dtypes.bool_:
                return [item]
        else:
            try:
                known = np.asarray(item)
            except (ValueError, GraphError):
                return [item]
            if known.dtype != np.bool_:
                return [item]
            with self.x.graph.as_default():
                mask = as_tensor(known)
        if mask.type.ndim in (None, 0):
            self._refuse(
                "the rank of a mask is 0 or not known", "a mask covers at least one axis of x"
            )
        value = constant_value(mask)
        if value is None:
            places = unraveled(mask, flatnonzero(mask))
        else:
            with self.x.graph.as_default():
                places = [as_tensor(indices) for indices in np.nonzero(value)]
        return [_Mask(mask, axis, indices) for axis, indices in enumerate(places)]

    def _read(self, item: Any) -> None:
        if item is None:
            self.kinds.append(_NEW)
        elif item is Ellipsis:
            self.kinds.append(_NOTHING)
        elif isinstance(item, slice):
            self._read_range(item)
        elif isinstance(item, _Mask):
            self._read_mask(item)
        elif is_int(item):
            self._pick(int(item))
        elif is_tensor_like(item):
            tensor = as_tensor(item)
            if tensor.dtype in dtypes.INTEGER and tensor.type.ndim == 0:
                self._take(_PICK, BOUND, [cast(tensor, dtypes.int64)])
            else:
                self._read_array(tensor)
        elif isinstance(item, list | range | np.ndarray | np.generic | bool | float | tuple):
            self._read_array(item)
        else:
            self._refuse(
                f"{item!r} is no index",
                "give ints, slices, '...', None or integer arrays",
                error=DTypeError,
            )

    def _take(self, kind: str, entry: Entry, bounds: list[Tensor]) -> None:
        self.kinds.append(kind)
        self.index.append(entry)
        self.bounds.append(bounds)

    def _read_array(self, item: Any) -> None:
        self.arrays[len(self.index)] = as_entry(self.x, len(self.index), item)
        self._take(_ARRAY, FULL, [])

    def _read_mask(self, item: _Mask) -> None:
        dim, covered = self._dim(), dim_of(item.mask, item.axis)
        if isinstance(dim, int) and isinstance(covered, int) and dim != covered:
            self._refuse(
                f"axis {item.axis} of a mask has size {covered}",
                f"it covers axis {len(self.index)}, which has size {dim}",
            )
        indices = item.indices
        if dim is None or dim != covered:
            # What only the run knows it checks: an index of another size names no entry.
            with self.x.graph.as_default():
                fits = equal(size(item.mask, item.axis), size(self.x, len(self.index)))
                indices = where(fits, indices, np.iinfo(np.int64).max)
        self.arrays[len(self.index)] = indices
        self._take(_ARRAY, FULL, [])

    def _pick(self, entry: int) -> None:
        dim = self._dim()
        if isinstance(dim, int):
            if not -dim <= entry < dim:
                self._refuse(
                    f"index {entry} is out of range", f"axis {len(self.index)} has size {dim}"
                )
            entry %= dim
        self._take(_PICK, entry, [])

    def _read_range(self, item: slice) -> None:
        step = 1 if item.step is None else item.step
        if not is_int(step) or step == 0:
            self._refuse(
                f"{step!r} is no step of a slice",
                "give an int that is not 0; x[sg.arange(start, stop, step)] takes a tensor",
            )
        bounds: list[Tensor] = []
        start, stop = self._bound(item.start, bounds), self._bound(item.stop, bounds)
        dim = self._dim()
        if isinstance(dim, int) and not bounds:
            entry = _plain_range(slice(start, stop, int(step)), dim)
        else:
            entry = (None if start == 0 and step > 0 else start, stop, int(step))
        self._take(_RANGE, entry, bounds)

    def _bound(self, bound: Any, bounds: list[Tensor]) -> int | str | None:
        if bound is None:
            return None
        if is_int(bound):
            return int(bound)
        tensor = as_tensor(bound) if is_tensor_like(bound) else None
        if tensor is None or tensor.dtype not in dtypes.INTEGER or tensor.type.ndim != 0:
            self._refuse(f"{bound!r} is no bound of a slice", "give an int or a scalar int tensor")
        bounds.append(cast(tensor, dtypes.int64))
        return BOUND

    def _dim(self) -> Dim:
        """What is known of the size of the axis that the next item takes."""
        shape = self.x.type.shape
        return None if shape is None else shape[len(self.index)]

    def _refuse(
        self, problem: str, detail: str, error: type[StaticGraphError] = IndexingError
    ) -> NoReturn:
        refuse(SLICE, (self.x,), Mismatch(problem, detail, error=error))

    # -- building -----------------------------------------------------------------------------

    def build(self) -> Tensor:
        """The nodes of the key."""
        if not self.arrays:
            result = self._sliced(self.index)
            return self._with_new_axes(result, {_RANGE: 1, _PICK: 0}, 0)
        ranges: list[Entry] = [entry if isinstance(entry, tuple) else FULL for entry in self.index]
        return self._gathered(self._sliced(ranges))

    def _sliced(self, index: list[Entry]) -> Tensor:
        """x[index], with the bounds of the entries that have any; x itself where all is taken."""
        if all(entry == FULL for entry in index):
            return self.x
        bounds = [
            bound
            for entry, given in zip(index, self.bounds, strict=True)
            for bound in (given if entry != FULL else [])
        ]
        attrs = {"index": tuple(index), "shape": None}
        return self.x.graph.add(SLICE, (self.x, *bounds), attrs).out

    def _gathered(self, sliced: Tensor) -> Tensor:
        """The entries that the arrays, and the ints beside them, name."""
        indices = dict(self.arrays)
        for axis, entry in enumerate(self.index):
            if entry == BOUND:
                indices[axis] = self.bounds[axis][0]
            elif isinstance(entry, int):
                indices[axis] = scalar(self.x.graph, entry, dtypes.int64)
        axes = tuple(sorted(indices))
        operands = (sliced, *[indices[axis] for axis in axes])
        result = self.x.graph.add(GATHER, operands, {"axes": axes}).out
        count = max(known_rank(GATHER, indices[axis], operands) for axis in axes)
        places = [place for place, kind in enumerate(self.kinds) if kind in (_PICK, _ARRAY)]
        if in_place(places):
            return self._with_new_axes(result, {_RANGE: 1, _PICK: 0, _ARRAY: 0}, 0, count)
        if in_place(axes) and axes[0]:
            # Parted by None or an empty '...' alone: gather left the axes where they stood.
            ndim = known_rank(GATHER, result)
            moved = range(axes[0], axes[0] + count)
            result = permute_dims(result, (*moved, *[a for a in range(ndim) if a not in moved]))
        return self._with_new_axes(result, {_RANGE: 1}, count)

    def _with_new_axes(
        self, result: Tensor, widths: dict[str, int], start: int, block: int = 0
    ) -> Tensor:
        """`result` with the axes of size 1 that None stands for.

        widths  how many axes of the result an item of each kind has
        start   how many axes stand before those of the first item
        block   how many axes the first entry or array has instead, when arrays stay in place
        """
        new: list[int] = []
        place = start
        for kind in self.kinds:
            if kind == _NEW:
                new.append(place)
                place += 1
            elif block and kind in (_PICK, _ARRAY):
                place, block = place + block, 0
            else:
                place += widths.get(kind, 0)
        if not new:
            return result
        return result.graph.add(EXPAND_DIMS, (result,), {"axes": tuple(new)}).out


def _plain_range(taken: slice, dim: int) -> Range:
    """A range of an axis of known size, written in one way for all that take the same."""
    start, stop, step = taken.indices(dim)
    if (start, step) == (0, 1) and stop == dim:
        return FULL
    if not range(start, stop, step):
        return (0, 0, 1)
    return (start, None if stop < 0 else stop, step)
