"""Ops that move elements without computing: broadcast, reshape, permute, expand, squeeze.

Each is linear and its transpose is another of them, so derivatives of every order stay here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Mismatch, Numbered, OpDef, Types, register
from staticgraph.core.types import (
    BroadcastError,
    Dim,
    Shape,
    TensorType,
    broadcast_shapes,
    format_shape,
    infer_size,
    meet,
    same_shape,
)
from staticgraph.ops.axes import known_rank, refuse, several_axes
from staticgraph.ops.convert import as_tensor
from staticgraph.ops.sizes import (
    SIZES,
    declared_shape,
    given_shape,
    is_int,
    read_sizes,
    shape_of,
)

# -- broadcast --------------------------------------------------------------------------------


def _infer_broadcast_to(types: Types, attrs: Attrs) -> TensorType:
    declared = declared_shape(attrs, types[1:])
    have = types[0].shape
    try:
        joined = broadcast_shapes(have, declared)
    except BroadcastError as problem:
        raise _no_broadcast(have, declared, problem.axis) from None
    if joined is None or declared is None:
        return types[0].with_shape(declared)
    if len(joined) != len(declared):
        raise _more_axes(have, declared)
    for axis, (made, wanted) in enumerate(zip(joined, declared, strict=True)):
        if isinstance(made, int) and isinstance(wanted, int) and made != wanted:
            raise _no_broadcast(have, declared, axis - len(declared))
    return types[0].with_shape(declared)


def _more_axes(have: Shape, want: Shape) -> Mismatch:
    return Mismatch(
        f"{format_shape(have)} has more axes than {format_shape(want)}",
        "broadcasting adds axes in front, it never removes one",
    )


def _no_broadcast(have: Shape, want: Shape, axis: int) -> Mismatch:
    return Mismatch(
        f"{format_shape(have)} does not broadcast to {format_shape(want)}",
        f"axis {axis} of the operand must be 1 or equal",
    )


def _reference_broadcast_to(x: Any, *sizes: Any, shape: Shape) -> Any:
    wanted = given_shape(sizes, shape)
    try:
        return np.broadcast_to(x, wanted)
    except ValueError:
        if any(dim < 0 for dim in wanted):
            raise
    have = np.shape(x)
    if len(have) > len(wanted):
        raise _more_axes(have, wanted)
    pairs = zip(range(-1, -1 - len(have), -1), reversed(have), reversed(wanted), strict=False)
    misfits = [axis for axis, one, other in pairs if one not in (1, other)]
    if not misfits:
        # More elements than an array can count.
        raise MemoryError
    raise _no_broadcast(have, wanted, misfits[0])


def _vjp_broadcast_to(node: Operation, adjoint: Tensor, index: int) -> Tensor | None:
    return sum_to(adjoint, node.inputs[0]) if index == 0 else None


BROADCAST_TO = register(
    OpDef(
        "broadcast_to",
        operands=("x", "sizes*"),
        infer=_infer_broadcast_to,
        reference=_reference_broadcast_to,
        attrs=("shape",),
        dtypes=(dtypes.ANY, SIZES),
        vjp=Numbered(_vjp_broadcast_to),
        jvp=LINEAR,
        linear=True,
        doc="The operand repeated along new axes and axes of size 1.",
    )
)


def broadcast_to(x: Any, shape: Any, *, name: str | None = None) -> Tensor:
    """`x` repeated along new leading axes and along its axes of size 1, to the given `shape`.

    shape   an int, a sequence of ints and scalar int tensors, or an int64 vector tensor

    Raises ShapeError where the shape of `x` does not broadcast to `shape`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.broadcast_to(sg.constant([[1.0], [2.0]]), (2, 3)))
    array([[1., 1., 1.],
           [2., 2., 2.]], dtype=float32)
    """
    tensor = as_tensor(x)
    target = read_sizes("broadcast_to", shape)
    return tensor.graph.add(
        BROADCAST_TO, (tensor, *target.operands), {"shape": target.shape}, name
    ).out


def broadcast_like(x: Tensor, like: Tensor) -> Tensor:
    """`x` broadcast to the shape of `like`; `x` itself where the shapes are provably equal."""
    if same_shape(x.type.shape, like.type.shape):
        return x
    target = shape_of(like)
    return x.graph.add(BROADCAST_TO, (x, *target.operands), {"shape": target.shape}).out


def _infer_sum_to(types: Types, attrs: Attrs) -> TensorType:
    return types[0].with_shape(declared_shape(attrs, types[1:]))


def _reference_sum_to(x: Any, *sizes: Any, shape: Shape) -> Any:
    wanted = given_shape(sizes, shape)
    if np.shape(x) == wanted:
        return x
    lead = np.ndim(x) - len(wanted)
    kept = [lead + i for i, size in enumerate(wanted) if size == 1 and np.shape(x)[lead + i] != 1]
    axes = (*range(lead), *kept)
    return np.sum(x, axis=axes, dtype=x.dtype, keepdims=True).reshape(wanted)


SUM_TO = register(
    OpDef(
        "sum_to",
        operands=("x", "sizes*"),
        infer=_infer_sum_to,
        reference=_reference_sum_to,
        attrs=("shape",),
        dtypes=(dtypes.ARITHMETIC, SIZES),
        vjp=Numbered(
            lambda node, adjoint, index: (
                broadcast_like(adjoint, node.inputs[0]) if index == 0 else None
            )
        ),
        jvp=LINEAR,
        linear=True,
        doc="Sums the axes along which a shape was broadcast: the transpose of broadcast_to.",
    )
)


def sum_to(x: Tensor, like: Tensor) -> Tensor:
    """`x` summed over the axes along which `like` was broadcast to the shape of `x`."""
    if same_shape(x.type.shape, like.type.shape):
        return x
    target = shape_of(like)
    return x.graph.add(SUM_TO, (x, *target.operands), {"shape": target.shape}).out


# -- reshape ----------------------------------------------------------------------------------


def _infer_reshape(types: Types, attrs: Attrs) -> TensorType:
    declared, x = declared_shape(attrs, types[1:]), types[0]
    if declared is None:
        return x.with_shape(None)
    unknown = [index for index, dim in enumerate(declared) if not isinstance(dim, int)]
    if not unknown:
        if x.size is not None and x.size != math.prod(declared):  # type: ignore[arg-type]
            raise _cannot_reshape(x.shape, declared, f"{math.prod(declared)}")  # type: ignore[arg-type]
        return x.with_shape(declared)
    others = [dim for dim in declared if isinstance(dim, int)]
    if len(unknown) > 1 or (0 in others and len(types) > 1):
        return x.with_shape(declared)
    try:
        inferred = infer_size(x.shape, others)
    except ValueError:
        raise _cannot_reshape(x.shape, declared, f"a multiple of {math.prod(others)}") from None
    filled = list(declared)
    filled[unknown[0]] = inferred
    return x.with_shape(meet(tuple(filled), declared))


def _cannot_reshape(have: Shape, want: Shape, count: str) -> Mismatch:
    return Mismatch(
        f"{format_shape(have)} cannot become {format_shape(want)}",
        f"that takes {count} elements",
    )


def _reference_reshape(x: Any, *sizes: Any, shape: Shape) -> Any:
    wanted: list[int] = sizes[0].tolist() if sizes else []
    if not sizes:
        assert shape is not None
        wanted = [dim if isinstance(dim, int) else -1 for dim in shape]
    try:
        return np.reshape(x, wanted)
    except ValueError:
        if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
            raise
    known = math.prod([dim for dim in wanted if dim >= 0])
    shown = tuple([None if dim == -1 else dim for dim in wanted])
    raise _cannot_reshape(
        np.shape(x), shown, f"a multiple of {known}" if -1 in wanted else f"{known}"
    )


def _vjp_reshape(node: Operation, adjoint: Tensor, index: int) -> Tensor | None:
    return reshape_like(adjoint, node.inputs[0]) if index == 0 else None


RESHAPE = register(
    OpDef(
        "reshape",
        operands=("x", "sizes*"),
        infer=_infer_reshape,
        reference=_reference_reshape,
        attrs=("shape",),
        dtypes=(dtypes.ANY, SIZES),
        vjp=Numbered(_vjp_reshape),
        jvp=LINEAR,
        linear=True,
        doc="The same elements in row-major order in another shape. Without a shape operand at "
        "most one size is unknown: the one that the number of elements leaves.",
    )
)


def reshape_like(x: Tensor, like: Tensor) -> Tensor:
    """`x`, which has as many elements as `like`, in the shape of `like`."""
    wanted = like.type.shape
    operands: tuple[Tensor, ...] = ()
    if not _one_size_left(wanted):
        operands = shape_of(like).operands
    return x.graph.add(RESHAPE, (x, *operands), {"shape": wanted}).out


def _one_size_left(shape: Shape) -> bool:
    """Whether the number of elements gives the one size that is not known, if there is one."""
    if shape is None:
        return False
    unknown = sum(1 for dim in shape if not isinstance(dim, int))
    return unknown == 0 or (unknown == 1 and 0 not in shape)


def reshape(x: Any, shape: Any, *, copy: bool | None = None, name: str | None = None) -> Tensor:
    """The elements of `x`, in row-major order, in another `shape`.

    shape   an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; one size
            may be -1, which stands for what the number of elements leaves
    copy    a tensor is a value, so whether it is copied cannot be seen

    Raises ShapeError where the numbers of elements differ.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None, 28, 28))
    >>> sg.reshape(x, (-1, 784)).shape
    (None, 784)
    """
    tensor = as_tensor(x)
    dims, operands = read_sizes("reshape", shape, minus_one=True)
    if dims is None:
        return tensor.graph.add(RESHAPE, (tensor, *operands), {"shape": None}, name).out
    if dims.count(-1) > 1:
        refuse(RESHAPE, (tensor,), Mismatch(
            f"-1 stands {dims.count(-1)} times in {format_shape(dims)}",
            "only one size can be worked out",
        ))  # fmt: skip
    if -1 in dims and 0 in dims:
        refuse(RESHAPE, (tensor,), Mismatch(
            f"nothing says what -1 means in {format_shape(dims)}",
            "beside a size of 0 every size fits; write the size",
        ))  # fmt: skip
    if operands and _is_left_over(tensor, dims):
        operands = ()
    known = tuple([None if dim == -1 else dim for dim in dims])
    return tensor.graph.add(RESHAPE, (tensor, *operands), {"shape": known}, name).out


def ravel(x: Any, *, name: str | None = None) -> Tensor:
    """The elements of `x` in row-major order, along one axis.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ravel(sg.constant([[1, 2], [3, 4]])))
    array([1, 2, 3, 4])
    """
    return reshape(x, (-1,), name=name or "ravel")


def flattened(x: Tensor) -> Tensor:
    """The elements of `x` along one axis: `x` itself where it has just one."""
    return x if x.type.ndim == 1 else reshape(x, (-1,))


def _is_left_over(x: Tensor, dims: tuple[Dim, ...]) -> bool:
    """Whether the one size that is a tensor is provably what the number of elements leaves."""
    unknown = [dim for dim in dims if not isinstance(dim, int)]
    if len(unknown) != 1 or unknown[0] is None or -1 in dims or 0 in dims:
        return False
    try:
        left = infer_size(x.type.shape, [dim for dim in dims if isinstance(dim, int)])
    except ValueError:
        return False
    return left == unknown[0]


# -- axes: permute, expand, squeeze -----------------------------------------------------------


def _infer_permute(types: Types, attrs: Attrs) -> TensorType:
    x, axes = types[0], attrs["axes"]
    if axes is None:
        return x.with_shape(None if x.shape is None else x.shape[::-1])
    ndim = len(axes) if x.ndim is None else x.ndim
    if sorted(axes) != list(range(ndim)):
        raise Mismatch(
            f"{axes} is no order of {ndim} axes",
            f"each of {', '.join(map(str, range(ndim)))} must stand in it once"
            if ndim else "a scalar has no axes: give ()",
        )  # fmt: skip
    if x.shape is None:
        return x.with_shape((None,) * len(axes))
    return x.with_shape(tuple([x.shape[axis] for axis in axes]))


def _vjp_permute(node: Operation, adjoint: Tensor) -> Tensor:
    axes = node.attrs["axes"]
    if axes is None:
        return permute_dims(adjoint)
    inverse = [0] * len(axes)
    for position, axis in enumerate(axes):
        inverse[axis] = position
    return permute_dims(adjoint, inverse)


PERMUTE_DIMS = register(
    OpDef(
        "permute_dims",
        operands=("x",),
        infer=_infer_permute,
        reference=lambda x, *, axes: np.transpose(x, axes),
        attrs=("axes",),
        vjp=(_vjp_permute,),
        jvp=LINEAR,
        linear=True,
        doc="The operand with its axes in another order; axes=None reverses them.",
    )
)


def permute_dims(x: Any, axes: Any = None, *, name: str | None = None) -> Tensor:
    """`x` with its axes in another order: axis i of the result is axis ``axes[i]`` of `x`.

    axes    every axis once; None reverses the order

    Raises ShapeError where `axes` is no permutation of the axes of `x`.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (2, 3, 5))
    >>> sg.permute_dims(x, (2, 0, 1)).shape
    (5, 2, 3)
    """
    tensor = as_tensor(x)
    ndim = tensor.type.ndim
    if axes is None:
        order = None if ndim is None else tuple(reversed(range(ndim)))
    elif isinstance(axes, list | tuple) and all(map(is_int, axes)):
        # An axis that is out of range stays as it is, for infer to refuse.
        count = len(axes)
        order = tuple([int(axis) % count if -count <= axis < count else axis for axis in axes])
    else:
        refuse(PERMUTE_DIMS, (tensor,), Mismatch(
            f"{axes!r} is no order of axes", "give a tuple with every axis once, or None"
        ))  # fmt: skip
    return tensor.graph.add(PERMUTE_DIMS, (tensor,), {"axes": order}, name).out


def matrix_transpose(x: Any, *, name: str | None = None) -> Tensor:
    """`x` with its last two axes exchanged.

    Raises ShapeError where `x` has fewer than two axes or their number is not known.

    >>> import staticgraph as sg
    >>> sg.matrix_transpose(sg.placeholder("float32", (7, 2, 3))).shape
    (7, 3, 2)
    """
    tensor = as_tensor(x)
    ndim = known_rank("matrix_transpose", tensor)
    if ndim < 2:
        refuse("matrix_transpose", (tensor,), Mismatch(
            f"a matrix has two axes, '{tensor.name}' has {ndim}",
            "sg.expand_dims adds one",
        ))  # fmt: skip
    return permute_dims(tensor, (*range(ndim - 2), ndim - 1, ndim - 2), name=name)


def _infer_expand(types: Types, attrs: Attrs) -> TensorType:
    x, axes = types[0], attrs["axes"]
    if x.shape is None:
        return x
    sizes = iter(x.shape)
    ndim = len(x.shape) + len(axes)
    return x.with_shape(tuple([1 if axis in axes else next(sizes) for axis in range(ndim)]))


def _vjp_expand(node: Operation, adjoint: Tensor) -> Tensor:
    return adjoint.graph.add(SQUEEZE, (adjoint,), node.attrs).out


EXPAND_DIMS: OpDef = register(
    OpDef(
        "expand_dims",
        operands=("x",),
        infer=_infer_expand,
        reference=lambda x, *, axes: np.expand_dims(x, axes),
        attrs=("axes",),
        vjp=(_vjp_expand,),
        jvp=LINEAR,
        linear=True,
        doc="The operand with new axes of size 1, at these places of the result.",
    )
)


def expand_dims(x: Any, axis: Any = 0, *, name: str | None = None) -> Tensor:
    """`x` with a new axis of size 1 at place `axis` of the result; `axis` may be a tuple.

    Raises ShapeError for an axis that the result does not have, or that stands twice.

    >>> import staticgraph as sg
    >>> sg.expand_dims(sg.placeholder("float32", (2, 3)), 1).shape
    (2, 1, 3)
    """
    tensor = as_tensor(x)
    listed = axis if isinstance(axis, list | tuple) else (axis,)
    ndim = known_rank(EXPAND_DIMS, tensor) + len(listed)
    for item in listed:
        if not is_int(item) or not -ndim <= item < ndim:
            refuse(EXPAND_DIMS, (tensor,), Mismatch(
                f"{item!r} is no axis of the result",
                f"the result has axes {-ndim} to {ndim - 1}",
            ))  # fmt: skip
    axes = sorted([int(item) % ndim for item in listed])
    if len(set(axes)) < len(axes):
        refuse(EXPAND_DIMS, (tensor,), Mismatch(
            f"an axis stands twice in axis={axis!r}", "name every new axis once"
        ))  # fmt: skip
    return tensor.graph.add(EXPAND_DIMS, (tensor,), {"axes": tuple(axes)}, name).out


def _infer_squeeze(types: Types, attrs: Attrs) -> TensorType:
    x, axes = types[0], attrs["axes"]
    if x.shape is None:
        return x
    _check_ones(x.shape, axes)
    return x.with_shape(tuple([dim for axis, dim in enumerate(x.shape) if axis not in axes]))


def _check_ones(shape: Sequence[Dim], axes: Sequence[int]) -> None:
    for axis in axes:
        if isinstance(shape[axis], int) and shape[axis] != 1:
            raise Mismatch(
                f"axis {axis} has size {shape[axis]}", "only axes of size 1 can be removed"
            )


def _reference_squeeze(x: Any, *, axes: tuple[int, ...]) -> Any:
    _check_ones(np.shape(x), axes)
    return np.squeeze(x, axes)


def _vjp_squeeze(node: Operation, adjoint: Tensor) -> Tensor:
    return adjoint.graph.add(EXPAND_DIMS, (adjoint,), node.attrs).out


SQUEEZE: OpDef = register(
    OpDef(
        "squeeze",
        operands=("x",),
        infer=_infer_squeeze,
        reference=_reference_squeeze,
        attrs=("axes",),
        vjp=(_vjp_squeeze,),
        jvp=LINEAR,
        linear=True,
        doc="The operand without these axes, each of size 1.",
    )
)


def squeeze(x: Any, axis: Any = None, *, name: str | None = None) -> Tensor:
    """`x` without the axes `axis`, which have size 1; None stands for every axis of size 1.

    Raises ShapeError where an axis has another size, and for ``axis=None`` where sizes of `x` are
    not known when the graph is built.

    >>> import staticgraph as sg
    >>> sg.squeeze(sg.placeholder("float32", (1, 3, 1)), 0).shape
    (3, 1)
    """
    tensor = as_tensor(x)
    if axis is not None:
        axes = several_axes(SQUEEZE, tensor, axis)
    elif tensor.type.is_static:
        assert tensor.type.shape is not None
        axes = tuple([index for index, dim in enumerate(tensor.type.shape) if dim == 1])
    else:
        refuse(SQUEEZE, (tensor,), Mismatch(
            "not every size is known, so axis=None does not say which axes go",
            "name them: squeeze(x, axis)",
        ))  # fmt: skip
    return tensor.graph.add(SQUEEZE, (tensor,), {"axes": axes}, name).out
