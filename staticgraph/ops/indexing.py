"""Indexing: slices, gathers and their transposes, and the syntax ``x[...]`` made of them.

Two records read elements: `slice` takes at most one range or one entry per axis, `gather` takes
the entries that integer tensors name. Each has a transpose that writes: `slice_scatter` into zeros,
`scatter_add` into an operand. Negative indices count from the end and ranges are clipped, as in
NumPy; an entry that does not exist is an error, when the graph is built if it is known then.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    LINEAR,
    Attrs,
    Mismatch,
    Numbered,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import (
    BroadcastError,
    Dim,
    Shape,
    TensorType,
    broadcast_many,
    broadcast_shapes,
    compatible,
    format_shape,
    meet,
)
from staticgraph.errors import DTypeError, GraphError, IndexingError
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.convert import (
    as_tensor,
    cast,
    constant_value,
    in_one_graph,
    is_tensor_like,
    promote,
)
from staticgraph.ops.creation import arange, zeros_like
from staticgraph.ops.elementwise import equal
from staticgraph.ops.shaping import expand_dims, reshape, sum_to
from staticgraph.ops.sizes import declared_shape, given_shape, is_int, refusal, shape_of, size

# A bound or an entry that only the run knows: the next of the operands `bounds`.
BOUND = "?"

Range = tuple[int | str | None, int | str | None, int]
Entry = int | str | Range
FULL: Range = (None, None, 1)

_INT64 = frozenset({dtypes.int64})


# -- slice ------------------------------------------------------------------------------------


def _bounds_in(index: Sequence[Entry]) -> int:
    """How many operands `bounds` an attribute `index` reads."""
    count = 0
    for entry in index:
        count += entry.count(BOUND) if isinstance(entry, tuple) else entry == BOUND
    return count


def _range_dim(dim: Dim, entry: Range) -> Dim:
    """What is known of the number of elements that a range takes of an axis."""
    start, stop, step = entry
    if start is None and stop is None and step in (1, -1):
        return dim
    if not isinstance(dim, int) or isinstance(start, str) or isinstance(stop, str):
        return None
    return len(range(dim)[start:stop:step])


def _infer_slice(types: Types, attrs: Attrs) -> TensorType:
    x, index = types[0], attrs["index"]
    for number, given in enumerate(types[1:]):
        if given.shape not in ((), None):
            raise Mismatch(f"bounds[{number}] is {given}", "a bound of a slice is a scalar")
    if x.shape is None:
        return x
    if len(index) > len(x.shape):
        raise Mismatch(
            f"there are {len(index)} indices for {len(x.shape)} axes",
            "give one per axis at most",
            error=IndexingError,
        )
    dims: list[Dim] = []
    for axis, (dim, entry) in enumerate(zip(x.shape, index, strict=False)):
        if isinstance(entry, tuple):
            dims.append(_range_dim(dim, entry))
        elif isinstance(entry, int) and isinstance(dim, int) and not -dim <= entry < dim:
            detail = f"axis {axis} has size {dim}"
            raise Mismatch(f"index {entry} is out of range", detail, error=IndexingError)
    found = (*dims, *x.shape[len(index) :])
    return x.with_shape(meet(found, attrs["shape"]))


def _key(index: Sequence[Entry], bounds: Sequence[Any]) -> tuple[Any, ...]:
    """The attribute `index` and its run-time bounds as a NumPy index."""
    values = iter(bounds)

    def known(bound: int | str | None) -> Any:
        return int(next(values)) if bound == BOUND else bound

    key: list[Any] = []
    for entry in index:
        if isinstance(entry, tuple):
            start, stop = known(entry[0]), known(entry[1])
            key.append(slice(start, stop, entry[2]))
        else:
            key.append(known(entry))
    return tuple(key)


def _reference_slice(x: Any, *bounds: Any, index: Any, shape: Shape) -> Any:
    """A view; what the attribute `shape` promised of it is held to it."""
    part = x[_key(index, bounds)]
    if shape is not None and any(
        isinstance(want, int) and have != want for have, want in zip(part.shape, shape, strict=True)
    ):
        raise Mismatch(f"the part is {format_shape(part.shape)}, not {format_shape(shape)}")
    return part


def _vjp_slice(node: Operation, adjoint: Tensor, number: int) -> Tensor | None:
    if number:
        return None
    target = shape_of(node.inputs[0])
    attrs = {"index": node.attrs["index"], "shape": target.shape}
    operands = (adjoint, *node.inputs[1:], *target.operands)
    return adjoint.graph.add(SLICE_SCATTER, operands, attrs).out


SLICE: OpDef = register(
    OpDef(
        "slice",
        operands=("x", "bounds*"),
        infer=_infer_slice,
        reference=_reference_slice,
        attrs=("index", "shape"),
        dtypes=(dtypes.ANY, _INT64),
        vjp=Numbered(_vjp_slice),
        jvp=LINEAR,
        linear=True,
        selects=True,
        doc="Per axis a range (start, stop, step) of the operand, or the one entry of an int, "
        "whose axis goes. A '?' stands for the next of the bounds; `shape` adds what is known of "
        "the result.",
    )
)


def _infer_slice_scatter(types: Types, attrs: Attrs) -> TensorType:
    index, declared = attrs["index"], declared_shape(attrs, types[1 + _bounds_in(attrs["index"]) :])
    whole = types[0].with_shape(declared)
    taken = _infer_slice((whole,), {"index": index, "shape": None})
    have = types[0].shape
    if have is not None and taken.shape is not None and len(have) != len(taken.shape):
        raise Mismatch(
            f"{format_shape(have)} does not fit the part {format_shape(taken.shape)}",
            "give one element per element of the part",
        )
    return whole


def _reference_slice_scatter(updates: Any, *operands: Any, index: Any, shape: Shape) -> Any:
    count = _bounds_in(index)
    result = np.zeros(given_shape(operands[count:], shape), dtype=updates.dtype)
    result[_key(index, operands[:count])] = updates
    return result


def _vjp_slice_scatter(node: Operation, adjoint: Tensor, number: int) -> Tensor | None:
    if number:
        return None
    index = node.attrs["index"]
    attrs = {"index": index, "shape": node.inputs[0].type.shape}
    bounds = node.inputs[1 : 1 + _bounds_in(index)]
    return adjoint.graph.add(SLICE, (adjoint, *bounds), attrs).out


SLICE_SCATTER: OpDef = register(
    OpDef(
        "slice_scatter",
        operands=("updates", "operands*"),
        infer=_infer_slice_scatter,
        reference=_reference_slice_scatter,
        attrs=("index", "shape"),
        dtypes=(dtypes.ANY, _INT64),
        vjp=Numbered(_vjp_slice_scatter),
        jvp=LINEAR,
        linear=True,
        doc="Zeros of a shape, with the operand in the part that a slice of the same index takes: "
        "the transpose of slice. Its further operands are the bounds, then the shape.",
    )
)

# -- gather -----------------------------------------------------------------------------------


def in_place(axes: Sequence[int]) -> bool:
    """Whether indexed axes stand side by side, so that the axes of the indices replace them."""
    return all(after == before + 1 for before, after in pairwise(axes))


def _gathered(x: Shape, axes: Sequence[int], indices: Types) -> Shape:
    """The shape that a gather has, by NumPy's rule for integer arrays."""
    try:
        picked = broadcast_many(tuple([given.shape for given in indices]))
    except BroadcastError as problem:
        raise Mismatch(
            "the indices do not broadcast together",
            f"axis {problem.axis}: {problem.lhs} and {problem.rhs} must be equal, or one of them 1",
        ) from None
    if x is None or picked is None:
        return None
    first = axes[0] if in_place(axes) else 0
    kept = tuple([dim for axis, dim in enumerate(x) if axis not in axes])
    return (*kept[:first], *picked, *kept[first:])


def _infer_gather(types: Types, attrs: Attrs) -> TensorType:
    return types[0].with_shape(_gathered(types[0].shape, attrs["axes"], types[1:]))


def _gather_key(ndim: int, axes: Sequence[int], indices: Sequence[Any]) -> tuple[Any, ...]:
    key: list[Any] = [slice(None)] * ndim
    for axis, index in zip(axes, indices, strict=True):
        key[axis] = index
    return tuple(key)


def _reference_gather(x: Any, *indices: Any, axes: tuple[int, ...]) -> Any:
    return x[_gather_key(np.ndim(x), axes, indices)]


def _vjp_gather(node: Operation, adjoint: Tensor, number: int) -> Tensor | None:
    if number:
        return None
    x, *indices = node.inputs
    operands = (zeros_like(x), adjoint, *indices)
    return adjoint.graph.add(SCATTER_ADD, operands, node.attrs).out


GATHER: OpDef = register(
    OpDef(
        "gather",
        operands=("x", "indices*"),
        infer=_infer_gather,
        reference=_reference_gather,
        attrs=("axes",),
        dtypes=(dtypes.ANY, _INT64),
        vjp=Numbered(_vjp_gather),
        jvp=LINEAR,
        linear=True,
        selects=True,
        doc="The entries that int64 indices, broadcast together, name along these axes. The axes "
        "of the indices replace those axes where they stand side by side, else they come first.",
    )
)


def infer_scatter(types: Types, attrs: Attrs) -> TensorType:
    """The type of what a scatter makes of x, updates and indices: that of x."""
    x, updates, *indices = types
    if x.dtype != updates.dtype:
        raise Mismatch("operands differ in dtype", "convert with sg.cast", error=DTypeError)
    wanted = _gathered(x.shape, attrs["axes"], tuple(indices))
    try:
        joined = broadcast_shapes(updates.shape, wanted)
    except BroadcastError:
        joined = ()
    if not compatible(joined, wanted):
        raise Mismatch(
            f"updates {format_shape(updates.shape)} do not fit {format_shape(wanted)}",
            "that is the shape that gathering the same indices gives",
        )
    return x


def _reference_scatter_add(x: Any, updates: Any, *indices: Any, axes: tuple[int, ...]) -> Any:
    result = np.array(x)
    np.add.at(result, _gather_key(result.ndim, axes, indices), updates)
    return result


def _vjp_scatter_add(node: Operation, adjoint: Tensor, number: int) -> Tensor | None:
    if number == 0:
        return adjoint
    if number > 1:
        return None
    _, updates, *indices = node.inputs
    return sum_to(adjoint.graph.add(GATHER, (adjoint, *indices), node.attrs).out, updates)


SCATTER_ADD: OpDef = register(
    OpDef(
        "scatter_add",
        operands=("x", "updates", "indices*"),
        infer=infer_scatter,
        reference=_reference_scatter_add,
        attrs=("axes",),
        dtypes=(dtypes.ARITHMETIC, dtypes.ARITHMETIC, _INT64),
        vjp=Numbered(_vjp_scatter_add),
        jvp=LINEAR,
        linear=True,
        doc="x with updates added to the entries that the indices name along these axes, one after "
        "the other in row-major order: the transpose of gather. An entry named twice gets both.",
    )
)


def as_index(op: OpDef, x: Tensor, indices: Any) -> Tensor:
    """Indices as an int64 tensor of the graph of `x`; refuses masks and floats."""
    if isinstance(indices, list | tuple | range) and not len(indices):
        indices = np.zeros(0, dtype=np.int64)
    if is_tensor_like(indices):
        tensor = as_tensor(indices)
    elif isinstance(indices, list | tuple) and any(map(is_tensor_like, _flat(indices))):
        refuse(op, (x,), Mismatch(
            "an index list holds tensors",
            "make one tensor of them with sg.stack([...])",
            error=GraphError,
        ))  # fmt: skip
    else:
        with x.graph.as_default():
            tensor = as_tensor(list(indices) if isinstance(indices, range) else indices)
    if tensor.dtype == dtypes.bool_:
        refuse(op, (x, tensor), Mismatch(
            "a mask of bools is no index",
            "x[mask] takes what a mask leaves; sg.flatnonzero(mask) gives its indices",
            error=DTypeError,
        ))  # fmt: skip
    if tensor.dtype not in dtypes.INTEGER:
        refuse(op, (x, tensor), Mismatch(
            f"an index is {dtypes.name(tensor.dtype)}",
            "indices are integers: sg.cast(index, 'int64')",
            error=DTypeError,
        ))  # fmt: skip
    return cast(tensor, dtypes.int64)


def as_entry(x: Tensor, axis: int, entry: Any) -> Tensor:
    """Indices of one axis of `x`, checked where they and the size are known."""
    index = as_index(GATHER, x, entry)
    known, shape = constant_value(index), x.type.shape
    if known is None or not known.size or shape is None:
        return index
    dim = shape[axis]
    if isinstance(dim, int):
        for value in (int(known.min()), int(known.max())):
            if not -dim <= value < dim:
                refuse(GATHER, (x, index), Mismatch(
                    f"index {value} is out of range", f"axis {axis} has size {dim}",
                    error=IndexingError,
                ))  # fmt: skip
    return index


# -- reading ----------------------------------------------------------------------------------


@in_one_graph
def gather(x: Any, indices: Any, axis: int = 0, *, name: str | None = None) -> Tensor:
    """The entries of `x` along `axis` that `indices` name.

    indices   integers of any shape, which replaces the axis in the result's shape; negative ones
              count from the end

    Raises ShapeError for an index that is known to be out of range, DTypeError for one that is no
    integer; the run raises RunError for one that is out of range. Adjoints of an entry that is
    taken several times add up.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.gather(sg.constant([1.0, 2.0, 3.0]), [2, 0, -1]))
    array([3., 1., 3.], dtype=float32)
    """
    tensor = as_tensor(x)
    number = one_axis(GATHER, tensor, axis)
    index = as_entry(tensor, number, indices)
    return tensor.graph.add(GATHER, (tensor, index), {"axes": (number,)}, name).out


@in_one_graph
def take(x: Any, indices: Any, axis: int | None = None, *, name: str | None = None) -> Tensor:
    """As `gather`; with ``axis=None``, the entries of `x` flattened.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.take(sg.constant([[1, 2], [3, 4]]), [0, 3]))
    array([1, 4])
    """
    if axis is None:
        return gather(reshape(x, -1), indices, name=name or "take")
    return gather(x, indices, axis, name=name or "take")


@in_one_graph
def take_along_axis(x: Any, indices: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """For each position of `indices` the entry of `x` there, but for `axis`, where they say it.

    indices   integers with as many axes as `x`; the other axes broadcast

    Undoes argsort: ``take_along_axis(x, argsort(x))`` is `x` sorted.

    >>> import staticgraph as sg
    >>> x = sg.constant([[3.0, 1.0], [2.0, 4.0]])
    >>> sg.Session().run(sg.take_along_axis(x, [[1], [0]], 1))
    array([[1.],
           [2.]], dtype=float32)
    """
    tensor = as_tensor(x)
    number = one_axis(GATHER, tensor, axis)
    ndim = known_rank(GATHER, tensor)
    index = as_entry(tensor, number, indices)
    if index.type.ndim != ndim:
        refuse("take_along_axis", (tensor, index), Mismatch(
            f"the indices have {index.type.ndim} axes, x has {ndim}", "give one per axis of x"
        ), ("x", "indices"))  # fmt: skip
    operands = along_axis(tensor, index, number)
    attrs = {"axes": tuple(range(ndim))}
    return tensor.graph.add(GATHER, (tensor, *operands), attrs, name or "take_along_axis").out


def along_axis(x: Tensor, index: Tensor, axis: int) -> list[Tensor]:
    """The indices, one tensor per axis of `x`, of the elements that `index` names along `axis`."""
    ndim = known_rank(GATHER, x)
    operands: list[Tensor] = []
    with x.graph.as_default():
        for place in range(ndim):
            if place == axis:
                operands.append(index)
                continue
            others = tuple([other for other in range(ndim) if other != place])
            operands.append(expand_dims(arange(size(x, place)), others))
    return operands


@in_one_graph
def scatter_add(
    x: Any, indices: Any, updates: Any, axis: int = 0, *, name: str | None = None
) -> Tensor:
    """`x` with `updates` added to the entries along `axis` that `indices` name.

    updates   broadcast to the shape that ``gather(x, indices, axis)`` has

    An entry that is named several times gets all of its updates. Raises as `gather` does.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.scatter_add(sg.zeros(3), [0, 2, 0], [1.0, 2.0, 3.0]))
    array([4., 0., 2.], dtype=float32)
    """
    tensor, given = promote((x, updates))
    number = one_axis(SCATTER_ADD, tensor, axis)
    index = as_entry(tensor, number, indices)
    attrs = {"axes": (number,)}
    return tensor.graph.add(SCATTER_ADD, (tensor, given, index), attrs, name).out


@in_one_graph
def one_hot(
    indices: Any, depth: Any, dtype: Any = "float32", axis: int = -1, *, name: str | None = None
) -> Tensor:
    """Ones at the places that `indices` name along a new axis of size `depth`, zeros elsewhere.

    indices   integers; one that is not between 0 and ``depth - 1`` gives zeros alone
    depth     an int that is not negative, or a scalar int tensor
    axis      the place of the new axis in the result

    Raises ShapeError for a negative depth and for an axis that the result does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.one_hot([0, 2], 3))
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    wanted = dtypes.as_dtype(dtype)
    if is_int(depth) and depth < 0:
        raise refusal("one_hot", f"depth={depth} is negative", "give the number of classes")
    index = as_tensor(indices)
    index = as_index(GATHER, index, index)
    column = expand_dims(index, axis)
    ndim = known_rank(GATHER, column)
    place = axis % ndim
    with index.graph.as_default():
        others = tuple([other for other in range(ndim) if other != place])
        numbers = expand_dims(arange(depth), others)
    return cast(equal(column, numbers), wanted, name or "one_hot")


def _flat(values: Sequence[Any]) -> list[Any]:
    """The items of nested lists."""
    found: list[Any] = []
    stack = list(values)
    while stack:
        item = stack.pop()
        if isinstance(item, list | tuple):
            stack.extend(item)
        else:
            found.append(item)
    return found
