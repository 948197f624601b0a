"""Order along an axis: sort and argsort.

NaN counts as larger than every number. `argsort` is stable, so the two zeros are equal to it;
`sort` moves values alone and puts -0.0 before 0.0, which costs it nothing and makes its result a
function of the values only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType
from staticgraph.ops.axes import known_rank, one_axis
from staticgraph.ops.convert import as_tensor
from staticgraph.ops.creation import zeros_like
from staticgraph.ops.indexing import GATHER, SCATTER_ADD, along_axis
from staticgraph.ops.shaping import reshape

# What has an order: complex numbers have none.
ORDERED = dtypes.BOOL | dtypes.INTEGER | dtypes.FLOATING


# -- argsort ----------------------------------------------------------------------------------


def order_of(x: Any, *, axis: int, descending: bool) -> Any:
    """The indices that sort an array along an axis, stable in either direction."""
    if not descending:
        return np.argsort(x, axis, stable=True)
    # Sorting backwards and counting from the other end keeps equal elements in their order.
    backwards = np.argsort(np.flip(x, axis), axis, stable=True)
    return np.flip(np.shape(x)[axis] - 1 - backwards, axis)


ARGSORT: OpDef = register(
    OpDef(
        "argsort",
        operands=("x",),
        infer=lambda types, attrs: types[0].with_dtype(dtypes.int64),
        reference=order_of,
        attrs=("axis", "descending"),
        dtypes=ORDERED,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The indices that sort the operand along an axis; equal elements keep their order, NaN "
        "comes last (first where descending).",
    )
)


def argsort(
    x: Any,
    axis: int | None = -1,
    descending: bool = False,
    stable: bool = True,
    *,
    name: str | None = None,
) -> Tensor:
    """The int64 indices that sort `x` along `axis`.

    axis        an int; None flattens `x` first
    descending  the largest first
    stable      equal elements keep their order; they do so in either case

    NaN counts as larger than everything else. It has no derivative; `sort` has. Raises ShapeError
    for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.argsort(sg.constant([3.0, 1.0, 2.0])))
    array([1, 2, 0])
    """
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = reshape(tensor, (-1,)), 0
    attrs = {"axis": one_axis(ARGSORT, tensor, axis), "descending": bool(descending)}
    return tensor.graph.add(ARGSORT, (tensor,), attrs, name).out


def _infer_order_of_words(types: Types, attrs: Attrs) -> TensorType:
    if types[0].ndim not in (1, None):
        raise Mismatch(f"words is {types[0]}", "give a vector")
    return types[0].with_dtype(dtypes.int64)


ORDER_OF_WORDS: OpDef = register(
    OpDef(
        "order_of_words",
        operands=("words",),
        infer=_infer_order_of_words,
        reference=lambda words, *, bits: np.argsort(
            words & np.uint64((1 << bits) - 1), stable=True
        ),
        attrs=("bits",),
        dtypes=frozenset({dtypes.uint64}),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The indices that sort a vector of words by their lowest bits; equal ones keep their "
        "order. As argsort, but made for words that are spread evenly below ``2**bits``, as random "
        "ones are.",
    )
)


# -- sort -------------------------------------------------------------------------------------


def _reference_sort(x: Any, *, axis: int, descending: bool) -> Any:
    if x.dtype in dtypes.FLOATING:
        # Of the bits as a signed integer, those below the sign turned over where it is set have
        # the order of the numbers; the same step leads back.
        whole = np.dtype(f"int{8 * x.dtype.itemsize}")
        numbers = np.where(np.isnan(x), x.dtype.type(np.nan), x)
        ordered = np.sort(_turned(np.ascontiguousarray(numbers).view(whole)), axis)
        result = _turned(ordered).view(x.dtype)
    else:
        result = np.sort(x, axis)
    return np.flip(result, axis) if descending else result


def _turned(bits: Any) -> Any:
    return bits ^ ((bits >> (8 * bits.dtype.itemsize - 1)) & np.iinfo(bits.dtype).max)


def _places(node: Operation) -> list[Tensor]:
    """The indices, one tensor per axis, at which the elements of the result stood."""
    x, axis = node.inputs[0], node.attrs["axis"]
    places = x.graph.add(ARGSORT, (x,), node.attrs).out
    return along_axis(x, places, axis)


def _vjp_sort(node: Operation, adjoint: Tensor) -> Tensor:
    operands = (zeros_like(node.inputs[0]), adjoint, *_places(node))
    return adjoint.graph.add(
        SCATTER_ADD, operands, {"axes": tuple(range(known_rank(SORT, adjoint)))}
    ).out


def _jvp_sort(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    tangent = tangents[0]
    assert tangent is not None
    attrs = {"axes": tuple(range(known_rank(SORT, tangent)))}
    return tangent.graph.add(GATHER, (tangent, *_places(node)), attrs).out


SORT: OpDef = register(
    OpDef(
        "sort",
        operands=("x",),
        infer=lambda types, attrs: types[0],
        reference=_reference_sort,
        attrs=("axis", "descending"),
        dtypes=ORDERED,
        vjp=(_vjp_sort,),
        jvp=_jvp_sort,
        linear=True,
        doc="The operand sorted along an axis: NaN is the largest, -0.0 comes before 0.0. An "
        "adjoint goes back to the element that argsort names; of equal ones, to the first first.",
    )
)


def sort(
    x: Any,
    axis: int | None = -1,
    descending: bool = False,
    stable: bool = True,
    *,
    name: str | None = None,
) -> Tensor:
    """`x` sorted along `axis`; adjoints go back to where the elements came from.

    axis        an int; None flattens `x` first
    descending  the largest first
    stable      says nothing of values: equal elements are not told apart

    NaN counts as larger than everything else, and -0.0 comes before 0.0. Elements that are equal
    get the adjoints of their places in the order in which they stand. Raises ShapeError for an axis
    that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.sort(sg.constant([3.0, 1.0, 2.0])))
    array([1., 2., 3.], dtype=float32)
    """
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = reshape(tensor, (-1,)), 0
    known_rank(SORT, tensor)
    attrs = {"axis": one_axis(SORT, tensor, axis), "descending": bool(descending)}
    return tensor.graph.add(SORT, (tensor,), attrs, name).out
