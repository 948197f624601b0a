"""The largest elements along an axis: top_k."""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.ops.arranging import PAD
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.convert import as_tensor, scalar
from staticgraph.ops.grids import moveaxis
from staticgraph.ops.indexing import FULL, SLICE, Range, take_along_axis
from staticgraph.ops.reduction import max as largest_of
from staticgraph.ops.shaping import expand_dims, reshape
from staticgraph.ops.sizes import dim_of, is_int, refusal, size_or_dim
from staticgraph.ops.sorting import ARGSORT, argsort, sort

# Elements of a long row of which the largest stands for all.
_BLOCK = 256


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
    number = one_axis(ARGSORT, tensor, axis)
    if not is_int(k) or k < 0:
        raise refusal("top_k", f"k={k!r} is no number of elements", "give an int from 0")
    dim = dim_of(tensor, number)
    if isinstance(dim, int) and k > dim:
        refuse(ARGSORT, (tensor,), Mismatch(
            f"there are no {k} largest elements", f"axis {number} has size {dim}"
        ))  # fmt: skip
    if largest and isinstance(dim, int) and k and 4 * int(k) * _BLOCK <= dim:
        places = _largest_of_blocks(tensor, int(k), number, dim)
    else:
        places = _first(argsort(tensor, number, descending=largest), int(k), number)
    return take_along_axis(tensor, places, number, name=name or "top_k"), places


def _first(x: Tensor, k: int, axis: int) -> Tensor:
    """The first `k` entries along an axis, which has as many."""
    axes = range(known_rank(SLICE, x))
    index: list[Range] = [(None, k, 1) if a == axis else FULL for a in axes]
    taken = tuple([k if a == axis else dim for a, dim in enumerate(x.type.shape or ())])
    return x.graph.add(SLICE, (x,), {"index": tuple(index), "shape": taken}).out


def _largest_of_blocks(x: Tensor, k: int, axis: int, dim: int) -> Tensor:
    """The places of the `k` largest elements of long rows, in descending order.

    What is among the `k` largest stands in one of the `k` blocks with the largest maxima, since
    those maxima come before everything that the other blocks hold. Blocks stay in their order, so
    of equal elements the first still comes first.
    """
    last = known_rank(ARGSORT, x) - 1
    count = -(-dim // _BLOCK)
    with x.graph.as_default():
        rows = moveaxis(x, axis, last)
        # What fills the last block is the least there is, and comes behind all that is as small.
        width = (*[(0, 0)] * last, (0, count * _BLOCK - dim))
        least = scalar(x.graph, _least(x.dtype), x.dtype)
        filled = x.graph.add(PAD, (rows, least), {"width": width}).out
        lead = [size_or_dim(rows, a) for a in range(last)]
        blocks = reshape(filled, (*lead, count, _BLOCK))
        best = argsort(largest_of(blocks, last + 1), last, descending=True)
        kept = expand_dims(sort(_first(best, k, last), last), last + 1)
        among = reshape(take_along_axis(blocks, kept, last), (*lead, k * _BLOCK))
        order = _first(argsort(among, last, descending=True), k, last)
        block = take_along_axis(reshape(kept, (*lead, k)), order // _BLOCK, last)
        return moveaxis(block * _BLOCK + order % _BLOCK, last, axis)


def _least(dtype: DType) -> Any:
    """What is larger than nothing."""
    if dtype in dtypes.FLOATING:
        return -np.inf
    return False if dtype == dtypes.bool_ else int(np.iinfo(dtype).min)
