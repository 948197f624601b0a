"""Joining and taking apart: concat and split, each the other's transpose, stack and unstack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Joint, Mismatch, OpDef, Types, register
from staticgraph.core.types import Dim, Shape, TensorType, add_dims, compatible, format_shape, meet
from staticgraph.errors import DTypeError
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.convert import as_tensor, promote
from staticgraph.ops.creation import zeros_like
from staticgraph.ops.shaping import expand_dims, reshape, squeeze
from staticgraph.ops.sizes import SIZES, dim_of, is_int, refusal, size

# -- concat and stack -------------------------------------------------------------------------


def _infer_concat(types: Types, attrs: Attrs) -> TensorType:
    axis, dtype = attrs["axis"], types[0].dtype
    if any(type.dtype != dtype for type in types):
        raise Mismatch("operands differ in dtype", "convert with sg.cast", error=DTypeError)
    known = [(index, type.shape) for index, type in enumerate(types) if type.shape is not None]
    if not known:
        return TensorType(dtype, None)
    first, joined = known[0]
    ndim = len(joined)
    if axis >= ndim:
        raise Mismatch(f"there is no axis {axis} to join along", f"the operands have {ndim} axes")
    for index, shape in known[1:]:
        if len(shape) != ndim:
            raise Mismatch(
                f"xs[{first}] has {ndim} axes, xs[{index}] has {len(shape)}",
                "sg.expand_dims adds an axis, sg.stack joins along a new one",
            )
        for place, (have, want) in enumerate(zip(shape, joined, strict=True)):
            if place != axis and isinstance(have, int) and isinstance(want, int) and have != want:
                raise Mismatch(
                    f"sizes differ along axis {place}, which is not the one joined ({axis})",
                    f"xs[{first}] has {want}, xs[{index}] has {have}",
                )
        joined = meet(joined, shape) or ()
    lengths = [None if type.shape is None else type.shape[axis] for type in types]
    return TensorType(dtype, (*joined[:axis], add_dims(lengths), *joined[axis + 1 :]))


def _vjp_concat(node: Operation, adjoints: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    adjoint, axis = adjoints[0], node.attrs["axis"]
    assert adjoint is not None
    sizes = [dim_of(x, axis) for x in node.inputs]
    unknown = [x for x, dim in zip(node.inputs, sizes, strict=True) if not isinstance(dim, int)]
    lengths = [size(x, axis) for x in unknown] if len(unknown) > 1 else []
    attrs = {"sizes": tuple(sizes), "axis": axis}
    return adjoint.graph.add(SPLIT, (adjoint, *lengths), attrs).outputs


CONCAT = register(
    OpDef(
        "concat",
        operands=("xs*",),
        infer=_infer_concat,
        reference=lambda *xs, axis: np.concatenate(xs, axis),
        attrs=("axis",),
        vjp=Joint(_vjp_concat),
        jvp=LINEAR,
        linear=True,
        doc="The operands one after the other along an axis that they have.",
    )
)


def concat(xs: Any, axis: int | None = 0, *, name: str | None = None) -> Tensor:
    """The tensors `xs` one after the other along `axis`; ``axis=None`` flattens them first.

    They promote to one dtype. Raises ShapeError where they differ along another axis.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.concat([sg.constant([1, 2]), [3]]))
    array([1, 2, 3])
    """
    tensors = operands("concat", xs)
    if axis is None:
        tensors, axis = [reshape(tensor, -1) for tensor in tensors], 0
    ranked = next((tensor for tensor in tensors if tensor.type.ndim is not None), tensors[0])
    attrs = {"axis": one_axis(CONCAT, ranked, axis)}
    return tensors[0].graph.add(CONCAT, tuple(tensors), attrs, name).out


def stack(xs: Any, axis: int = 0, *, name: str | None = None) -> Tensor:
    """The tensors `xs` joined along a new axis, at place `axis` of the result.

    They promote to one dtype. Raises ShapeError where their shapes differ.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.stack([sg.constant([1, 2]), [3, 4]], axis=1))
    array([[1, 3],
           [2, 4]])
    """
    given = operands("stack", xs)
    shape: Shape = None
    for number, tensor in enumerate(given):
        if not compatible(shape, tensor.type.shape):
            refuse("stack", (given[0], tensor), Mismatch(
                f"xs[0] is {format_shape(given[0].type.shape)}, xs[{number}] is "
                f"{format_shape(tensor.type.shape)}",
                "they must be equal; sg.concat joins along an axis that they have",
            ), ("xs[0]", f"xs[{number}]"))  # fmt: skip
        shape = meet(shape, tensor.type.shape)
    ndim = known_rank("stack", given[0]) + 1
    if not is_int(axis) or not -ndim <= axis < ndim:
        refuse("stack", (given[0],), Mismatch(
            f"{axis!r} is no axis of the result", f"the result has axes {-ndim} to {ndim - 1}"
        ), ("xs[0]",))  # fmt: skip
    attrs = {"axis": int(axis) % ndim}
    wide = tuple([expand_dims(tensor, axis) for tensor in given])
    return wide[0].graph.add(CONCAT, wide, attrs, name or "stack").out


def operands(what: str, xs: Any) -> list[Tensor]:
    """A sequence of tensors and values as tensors of one dtype."""
    if not isinstance(xs, list | tuple):
        raise refusal(what, f"{type(xs).__name__} is no list of tensors", "give a list: [a, b]")
    if not xs:
        raise refusal(what, "there is nothing to join", "give at least one tensor")
    return promote(xs)


# -- split and unstack ------------------------------------------------------------------------


def _infer_split(types: Types, attrs: Attrs) -> Types:
    x, axis, sizes = types[0], attrs["axis"], attrs["sizes"]
    total = None if x.shape is None else x.shape[axis]
    unknown = [index for index, dim in enumerate(sizes) if not isinstance(dim, int)]
    given = sum(dim for dim in sizes if isinstance(dim, int))
    if isinstance(total, int):
        count = len(unknown)
        left = total - given
        if left < 0 or (left > 0 and not count):
            raise Mismatch(
                f"parts of {format_shape(sizes)} do not make up axis {axis}",
                f"it has size {total}",
            )
        if count and len(types) == 1:
            if left % count:
                raise Mismatch(
                    f"axis {axis} of size {total} does not divide into {len(sizes)} equal parts",
                    "give the places at which to split",
                )
            sizes = tuple([left // count if i in unknown else d for i, d in enumerate(sizes)])
    if x.shape is None:
        return tuple([x for _ in sizes])
    front, back = x.shape[:axis], x.shape[axis:][1:]
    return tuple([x.with_shape((*front, dim, *back)) for dim in sizes])


def _reference_split(x: Any, *lengths: Any, sizes: tuple[Dim, ...], axis: int) -> Any:
    total = x.shape[axis]
    unknown = [index for index, dim in enumerate(sizes) if not isinstance(dim, int)]
    wanted = [dim if isinstance(dim, int) else 0 for dim in sizes]
    left = total - sum(wanted)
    if not lengths and unknown and left >= 0:
        if left % len(unknown):
            raise Mismatch(
                f"axis {axis} of size {total} does not divide into {format_shape(sizes)}",
                "the parts of unknown size share equally what the others leave",
            )
        lengths = (left // len(unknown),) * len(unknown)
    for index, length in zip(unknown, lengths, strict=False):
        wanted[index] = int(length)
    if sum(wanted) != total:
        raise Mismatch(
            f"parts of {format_shape(sizes)} do not make up axis {axis}", f"it has size {total}"
        )
    parts = np.split(x, np.cumsum(wanted)[:-1], axis)
    return parts if len(parts) > 1 else parts[0]


def _vjp_split(node: Operation, adjoints: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    filled = [
        zeros_like(output) if adjoint is None else adjoint
        for adjoint, output in zip(adjoints, node.outputs, strict=True)
    ]
    joined = node.graph.add(CONCAT, tuple(filled), {"axis": node.attrs["axis"]}).out
    return [joined] + [None] * (len(node.inputs) - 1)


SPLIT = register(
    OpDef(
        "split",
        operands=("x", "lengths*"),
        infer=_infer_split,
        reference=_reference_split,
        attrs=("sizes", "axis"),
        dtypes=(dtypes.ANY, SIZES),
        vjp=Joint(_vjp_split),
        jvp=LINEAR,
        linear=True,
        selects=True,
        doc="The parts of the operand along one axis, one result each. Parts of unknown size have "
        "the lengths that the further operands give; without those they share equally what the "
        "others leave.",
    )
)


def split(
    x: Any, indices_or_sections: Any, axis: int = 0, *, name: str | None = None
) -> list[Tensor]:
    """The parts of `x` along `axis`.

    indices_or_sections     the number of equal parts, or the places at which to split: ``[2, 5]``
                            gives ``x[:2]``, ``x[2:5]`` and ``x[5:]``

    Raises ShapeError where the axis does not divide, and for places that are out of range (which
    numpy.split lets pass).

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.split(sg.constant([1, 2, 3]), [1]))
    [array([1]), array([2, 3])]
    """
    tensor = as_tensor(x)
    number = one_axis(SPLIT, tensor, axis)
    sizes: tuple[Dim, ...]
    if is_int(indices_or_sections):
        if indices_or_sections < 1:
            refuse(SPLIT, (tensor,), Mismatch(
                f"{indices_or_sections} is no number of parts", "give 1 or more"
            ))  # fmt: skip
        sizes = (None,) * int(indices_or_sections)
    else:
        sizes = _between(tensor, number, indices_or_sections)
    node = tensor.graph.add(SPLIT, (tensor,), {"sizes": sizes, "axis": number}, name)
    return list(node.outputs)


def _between(x: Tensor, axis: int, places: Any) -> tuple[Dim, ...]:
    """The sizes of the parts between the places of a split; the last is left open."""
    listed = places.tolist() if isinstance(places, np.ndarray) else places
    if not isinstance(listed, list | tuple) or not all(map(is_int, listed)):
        refuse(SPLIT, (x,), Mismatch(
            f"{places!r} are no places to split at", "give a number of parts or a list of ints"
        ))  # fmt: skip
    total = dim_of(x, axis)
    ends = [int(end) + total if end < 0 and isinstance(total, int) else int(end) for end in listed]
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if any(size < 0 for size in sizes):
        refuse(SPLIT, (x,), Mismatch(
            f"the places {list(listed)} do not ascend from 0",
            "places count from the start of the axis"
            if isinstance(total, int)
            else "places count from the start of the axis, whose size is not known",
        ))  # fmt: skip
    return (*sizes, None)


def unstack(x: Any, axis: int = 0, *, name: str | None = None) -> tuple[Tensor, ...]:
    """The entries of `x` along `axis`, each without that axis: what `stack` undoes.

    Raises ShapeError where the size of the axis is not known.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unstack(sg.constant([[1, 2], [3, 4]])))
    (array([1, 2]), array([3, 4]))
    """
    tensor = as_tensor(x)
    number = one_axis("unstack", tensor, axis)
    count = dim_of(tensor, number)
    if not isinstance(count, int):
        refuse("unstack", (tensor,), Mismatch(
            f"the size of axis {number} is not known, so neither is the number of parts",
            "declare it, or loop over it with sg.scan or sg.map_fn",
        ))  # fmt: skip
    if count == 0:
        return ()
    attrs = {"sizes": (1,) * count, "axis": number}
    parts = tensor.graph.add(SPLIT, (tensor,), attrs, name or "unstack").outputs
    return tuple([squeeze(part, number) for part in parts])
