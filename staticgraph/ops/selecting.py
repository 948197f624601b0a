"""The largest elements along an axis: top_k."""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.convert import as_tensor
from staticgraph.ops.grids import moveaxis
from staticgraph.ops.indexing import FULL, SLICE, Range, take_along_axis
from staticgraph.ops.sizes import dim_of, is_int, refusal
from staticgraph.ops.sorting import ORDERED, argsort, order_of

_WHAT = "top_k"
# More are found by sorting, and where the row is not longer than so many times their number.
_MOST, _WORTH = 1 << 13, 4


def _infer_top_places(types: Types, attrs: Attrs) -> TensorType:
    (x,), k = types, attrs["k"]
    if x.shape is None:
        return x.with_dtype(dtypes.int64)
    if not x.shape:
        raise Mismatch("a scalar has no elements to choose from", "give a tensor with axes")
    size = x.shape[-1]
    if isinstance(size, int) and size < k:
        raise Mismatch(f"there are no {k} first elements", f"the last axis has size {size}")
    return x.with_dtype(dtypes.int64).with_shape((*x.shape[:-1], k))


def _reference_top_places(x: Any, *, k: int, descending: bool) -> Any:
    if x.shape[-1] < k:
        raise Mismatch(
            f"there are no {k} {'largest' if descending else 'smallest'} elements in this run",
            f"the axis has size {x.shape[-1]}",
            spoken=(_WHAT, "x"),
        )  # fmt: skip
    order = order_of(x, axis=x.ndim - 1, descending=descending)
    return np.sort(order[..., :k])


TOP_PLACES: OpDef = register(
    OpDef(
        "top_places",
        operands=("x",),
        infer=_infer_top_places,
        reference=_reference_top_places,
        attrs=("k", "descending"),
        dtypes=ORDERED,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Where the first k elements of the order along the last axis stand, the places in "
        "ascending order; of equal elements the first are taken. For the order see argsort.",
    )
)


def top_k(
    x: Any, k: int, axis: int = -1, largest: bool = True, *, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The `k` largest elements of `x` along `axis`, in descending order, and their indices.

    k        an int, at most the size of the axis
    axis     an int
    largest  False takes the smallest ones, in ascending order

    Gives ``(values, indices)``; of equal elements the first comes first, and NaN counts as larger
    than everything else. Adjoints go to the elements that were taken. Raises ShapeError where the
    axis has fewer than `k` elements: when the graph is built if its size is known, else in the run.

    >>> import staticgraph as sg
    >>> values, indices = sg.top_k(sg.constant([3.0, 1.0, 2.0]), 2)
    >>> sg.Session().run([values, indices])
    [array([3., 2.], dtype=float32), array([0, 2])]
    """
    tensor = as_tensor(x)
    number = one_axis(_WHAT, tensor, axis)
    if not is_int(k) or k < 0:
        raise refusal(_WHAT, f"k={k!r} is no number of elements", "give an int from 0")
    dim = dim_of(tensor, number)
    if isinstance(dim, int) and k > dim:
        refuse(_WHAT, (tensor,), Mismatch(
            f"there are no {k} largest elements", f"axis {number} has size {dim}"
        ))  # fmt: skip
    if 0 < k <= _MOST and (dim is None or isinstance(dim, str) or dim >= _WORTH * k):
        places = _first_places(tensor, int(k), number, largest)
    else:
        places = _first(argsort(tensor, number, descending=largest), int(k), number)
    return take_along_axis(tensor, places, number, name=name or _WHAT), places


def _first(x: Tensor, k: int, axis: int) -> Tensor:
    """The first `k` entries along an axis, which has as many."""
    axes = range(known_rank(SLICE, x))
    index: list[Range] = [(None, k, 1) if a == axis else FULL for a in axes]
    taken = tuple([k if a == axis else dim for a, dim in enumerate(x.type.shape or ())])
    return x.graph.add(SLICE, (x,), {"index": tuple(index), "shape": taken}).out


def _first_places(x: Tensor, k: int, axis: int, descending: bool) -> Tensor:
    """The places of the first `k` elements, in their order."""
    last = known_rank(_WHAT, x) - 1
    rows = moveaxis(x, axis, last)
    found = x.graph.add(TOP_PLACES, (rows,), {"k": k, "descending": descending}).out
    order = argsort(take_along_axis(rows, found, last), last, descending=descending)
    return moveaxis(take_along_axis(found, order, last), last, axis)
