"""Shapes as data: the ops that measure tensors, and the shapes that users ask for.

A shape that is known only at run time is an int64 vector. An op whose result has such a shape takes
the vector as its last operand, and its attribute `shape` says what is known of it (`Target`). Where
the shape is known the operand is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import Dim, Shape, TensorType, format_shape
from staticgraph.errors import DTypeError, ShapeError, StaticGraphError
from staticgraph.ops.axes import one_axis
from staticgraph.ops.convert import (
    as_tensor,
    cast,
    constant,
    constant_value,
    is_tensor_like,
    scalar,
)

SIZES = frozenset({dtypes.int64})


# -- arguments --------------------------------------------------------------------------------


def refusal(
    what: str, problem: str, *details: str, error: type[StaticGraphError] = ShapeError
) -> StaticGraphError:
    """The error of a call whose arguments mean nothing, whatever its operands are."""
    lines = [f"{what}: {problem}", *[f"  {detail}" for detail in details], f"  at {capture()}"]
    return error("\n".join(lines))


def is_int(value: Any) -> bool:
    """Whether `value` is one integer that is known now: a Python or NumPy int."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iu"
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def as_bool(what: str, label: str, value: Any) -> bool:
    """An option that is on or off; raises ShapeError for what is no bool."""
    if not isinstance(value, bool | np.bool_):
        raise refusal(what, f"{label}={value!r} is no bool", "give True or False")
    return bool(value)


# -- shapes as data ---------------------------------------------------------------------------


def _infer_shape(types: Types, attrs: Attrs) -> TensorType:
    return TensorType(dtypes.int64, (types[0].ndim,))


SHAPE = register(
    OpDef(
        "shape",
        operands=("x",),
        infer=_infer_shape,
        reference=lambda x: np.array(np.shape(x), dtype=np.int64),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The sizes of the operand's axes in this run, an int64 vector.",
    )
)


def shape(x: Any, *, name: str | None = None) -> Tensor:
    """The sizes of the axes of `x` in the run, as an int64 vector.

    A constant where the graph knows all of them.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None, 2))
    >>> sg.Session().run(sg.shape(x), {x: [[1, 2], [3, 4], [5, 6]]})
    array([3, 2])
    """
    tensor = as_tensor(x)
    if tensor.type.is_static:
        with tensor.graph.as_default():
            return constant(np.array(tensor.type.shape, dtype=np.int64), name=name)
    return tensor.graph.add(SHAPE, (tensor,), name=name).out


def _infer_make_shape(types: Types, attrs: Attrs) -> TensorType:
    for index, given in enumerate(types):
        if given.shape not in ((), None):
            raise Mismatch(f"sizes[{index}] is {given}", "each size is a scalar")
    return TensorType(dtypes.int64, (len(types),))


MAKE_SHAPE = register(
    OpDef(
        "make_shape",
        operands=("sizes*",),
        infer=_infer_make_shape,
        reference=lambda *sizes: np.array(sizes, dtype=np.int64),
        dtypes=SIZES,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Scalar sizes as one int64 vector, a shape.",
    )
)


def _infer_size(types: Types, attrs: Attrs) -> TensorType:
    return TensorType(dtypes.int64, ())


SIZE = register(
    OpDef(
        "size",
        operands=("x",),
        infer=_infer_size,
        reference=lambda x, *, axis: np.int64(np.size(x, axis)),
        attrs=("axis",),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The number of elements of the operand in this run, or the size of one axis.",
    )
)


def size(x: Any, axis: int | None = None, *, name: str | None = None) -> Tensor:
    """The number of elements of `x` in the run, or the size of one `axis`, as an int64 scalar.

    A constant where the graph knows it. Raises ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None, 2))
    >>> sg.Session().run([sg.size(x), sg.size(x, 0)], {x: [[1, 2], [3, 4], [5, 6]]})
    [np.int64(6), np.int64(3)]
    """
    tensor = as_tensor(x)
    if axis is None and tensor.type.ndim == 1:
        # The size of its one axis may have a name, which what is made of it then has too.
        axis = 0
    number = None if axis is None else one_axis(SIZE, tensor, axis)
    known = tensor.type.size if number is None else dim_of(tensor, number)
    if isinstance(known, int):
        return scalar(tensor.graph, known, dtypes.int64)
    return tensor.graph.add(SIZE, (tensor,), {"axis": number}, name).out


class Target(NamedTuple):
    """A shape to be made: what is known of it, and the operand that gives it at run time."""

    shape: Shape
    operands: tuple[Tensor, ...]


def dim_of(x: Tensor, axis: int) -> Dim:
    """What is known of the size of one axis."""
    return None if x.type.shape is None else x.type.shape[axis]


def size_or_dim(x: Tensor, axis: int) -> Any:
    """The size of one axis: an int where it is known, else an int64 scalar of the run."""
    dim = dim_of(x, axis)
    return dim if isinstance(dim, int) else size(x, axis)


def shape_of(x: Tensor) -> Target:
    """The shape of `x` as a target; at run time `x` is needed only for its shape."""
    if x.type.is_static:
        return Target(x.type.shape, ())
    return Target(x.type.shape, (shape(x),))


def size_dim(size_tensor: Tensor) -> Dim:
    """What is known of the size that an int scalar tensor gives."""
    value = constant_value(size_tensor)
    if value is not None:
        return int(value)
    node = size_tensor.node
    if node.op.name == "slice" and size_tensor.type.ndim == 0 and len(node.inputs) == 1:
        # An entry of a shape: sg.shape(x)[0].
        dims = sizes_dims(node.inputs[0])
        (place,) = node.attrs["index"]
        return None if dims is None else dims[place]
    if node.op is not SIZE or node.attrs["axis"] is None:
        return None
    measured = node.inputs[0].type.shape
    return None if measured is None else measured[node.attrs["axis"]]


def sizes_dims(vector: Tensor) -> Shape:
    """What is known of the sizes that an int vector gives; None where not even their number is."""
    value = constant_value(vector)
    if value is not None:
        return tuple(map(int, value))
    node = vector.node
    if node.op is SHAPE:
        return node.inputs[0].type.shape
    if node.op is MAKE_SHAPE:
        return tuple([size_dim(operand) for operand in node.inputs])
    length = None if vector.type.shape is None else vector.type.shape[0]
    return (None,) * length if isinstance(length, int) else None


def read_sizes(what: str, sizes: Any, minus_one: bool = False) -> Target:
    """A user's shape: an int, an int vector, or a sequence of ints and of int scalar tensors.

    With `minus_one` a size may be -1, and the caller says what it means.
    """
    if is_tensor_like(sizes):
        tensor = _int_tensor(what, as_tensor(sizes), (0, 1))
        if tensor.type.ndim == 1:
            dims = sizes_dims(tensor)
            _check_sizes(what, dims, minus_one)
            static = dims is not None and all(isinstance(dim, int) for dim in dims)
            return Target(dims, () if static else (tensor,))
        sizes = (tensor,)
    if isinstance(sizes, np.ndarray):
        sizes = sizes.tolist()
    items = [sizes] if is_int(sizes) else sizes
    if not isinstance(items, list | tuple):
        raise refusal(what, f"{sizes!r} is no shape", "give an int or a tuple of ints")
    dims_list: list[Dim] = []
    entries: list[int | Tensor] = []
    for item in items:
        if is_tensor_like(item):
            entry = _int_tensor(what, as_tensor(item), (0,))
            entries.append(entry)
            dims_list.append(size_dim(entry))
        elif is_int(item):
            entries.append(int(item))
            dims_list.append(int(item))
        else:
            raise refusal(
                what,
                f"{item!r} is no size of an axis",
                "give an int, or for a size that only the run knows a tensor such as sg.size(x, 0)",
            )
    _check_sizes(what, dims_list, minus_one)
    if all(isinstance(dim, int) for dim in dims_list):
        return Target(tuple(dims_list), ())
    return Target(tuple(dims_list), (_sizes_vector(entries),))


def _check_sizes(what: str, dims: Sequence[Dim] | None, minus_one: bool) -> None:
    for dim in dims or ():
        if isinstance(dim, int) and dim < 0 and not (minus_one and dim == -1):
            raise refusal(what, f"{dim} is no size of an axis", "sizes are not negative")


def _int_tensor(what: str, tensor: Tensor, ranks: tuple[int, ...]) -> Tensor:
    """An int tensor that gives sizes, as int64; refuses what is none."""
    if tensor.dtype not in dtypes.INTEGER:
        raise refusal(
            what,
            f"a size is {dtypes.name(tensor.dtype)}",
            describe(tensor),
            "sizes are integers: sg.cast(x, 'int64')",
            error=DTypeError,
        )
    if tensor.type.ndim not in ranks:
        unknown = tensor.type.ndim is None
        raise refusal(
            what,
            "the rank of a size is not known"
            if unknown
            else f"a size has shape {format_shape(tensor.type.shape)}",
            describe(tensor),
            "give scalars in a tuple, or one vector with the whole shape",
        )
    return cast(tensor, dtypes.int64)


def _sizes_vector(entries: Sequence[int | Tensor]) -> Tensor:
    """An int64 vector of sizes of which some are tensors."""
    graph = next(entry.graph for entry in entries if isinstance(entry, Tensor))
    operands = [
        entry if isinstance(entry, Tensor) else scalar(graph, entry, dtypes.int64)
        for entry in entries
    ]
    return graph.add(MAKE_SHAPE, tuple(operands)).out


def declared_shape(attrs: Attrs, sizes: Types) -> Shape:
    """The attribute `shape` of a node, given the types of its shape operand, if it has one."""
    declared: Shape = attrs["shape"]
    if not sizes or sizes[0].shape is None:
        return declared
    if sizes[0].ndim != 1:
        raise Mismatch(f"the shape operand is {sizes[0]}", "it must be a vector of int64")
    length = sizes[0].shape[0]
    if declared is None and isinstance(length, int):
        return (None,) * length
    return declared


def given_shape(sizes: Sequence[Any], shape: Shape) -> tuple[int, ...]:
    """The shape of a result in the run: what the operand says, or else the attribute."""
    if sizes:
        found = tuple(sizes[0].tolist())
        if any(dim < 0 for dim in found):
            raise Mismatch(f"the shape {format_shape(found)} has a size below 0")
        return found
    assert shape is not None
    return shape  # type: ignore[return-value]  # without an operand every size is an int
