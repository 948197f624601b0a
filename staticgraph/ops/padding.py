"""The modes of `pad` whose new elements are computed: of an axis's own, or on a ramp to a number.

An axis is padded with what the axes before it already have at their ends, as in NumPy, so corners
come from corners.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.convert import cast, constant
from staticgraph.ops.filling import in_dtype_of, is_row
from staticgraph.ops.indexing import FULL, SLICE, Range
from staticgraph.ops.joining import concat
from staticgraph.ops.quantiles import median
from staticgraph.ops.shaping import broadcast_to
from staticgraph.ops.sizes import is_int, refusal, size_or_dim

Width = tuple[tuple[int, int], ...]
STATISTICS: dict[str, Callable[..., Tensor]] = {
    "maximum": reduce.max,
    "minimum": reduce.min,
    "mean": reduce.mean,
    "median": median,
}


def pairs_of(x: Tensor, label: str, given: Any, wanted: str) -> list[tuple[Any, Any]]:
    """A pair (before, after) per axis: of one value, one pair for all axes, or one per axis."""
    ndim = known_rank("pad", x)
    items = given if is_row(given) else [given]
    rows = [tuple(item) if is_row(item) else item for item in items]
    if len(rows) == 2 and not any(isinstance(row, tuple) for row in rows):
        rows = [tuple(rows)]
    pairs = [row if isinstance(row, tuple) else (row,) for row in rows]
    pairs = [pair * 2 if len(pair) == 1 else pair for pair in pairs]
    if len(pairs) == 1:
        pairs = pairs * ndim
    if len(pairs) != ndim or any(len(pair) != 2 for pair in pairs):
        refuse("pad", (x,), Mismatch(
            f"{label}={given!r} does not fit {ndim} axes",
            f"give {wanted}, a pair of them, or one pair per axis",
        ))  # fmt: skip
    return pairs


def ramped(x: Tensor, width: Width, end_values: Any) -> Tensor:
    """`x` with numbers at equal distances between its edges and the end values."""
    ends = pairs_of(x, "end_values", end_values, "a number")
    for axis, (counts, values) in enumerate(zip(width, ends, strict=True)):
        parts = [x]
        for after, (count, value) in enumerate(zip(counts, values, strict=True)):
            if not count:
                continue
            edge = _entry(x, axis, -1 if after else 0)
            ramp = _ramp(x, edge, value, count, axis, bool(after))
            parts.insert(len(parts) if after else 0, ramp)
        x = concat(parts, axis) if len(parts) > 1 else x
    return x


def _ramp(x: Tensor, edge: Tensor, value: Any, count: int, axis: int, after: bool) -> Tensor:
    """`count` steps from a value, which is the outermost, towards an edge."""
    computing = x.dtype
    if x.dtype in dtypes.HALF:
        computing = dtypes.float32
    elif x.dtype not in dtypes.INEXACT:
        computing = dtypes.float64
    steps = np.arange(count)
    shape = [count if place == axis else 1 for place in range(known_rank("pad", x))]
    column = constant((steps[::-1] if after else steps).reshape(shape).astype(computing))
    start = in_dtype_of("pad", "end_values", value, x, computing)
    # So many steps, as in NumPy's linspace: where a step is a whole number nothing is rounded.
    ramp = start + column * ((cast(edge, computing) - start) / count)
    # Integers are rounded down there; a bool is whether there is anything.
    return cast(ew.floor(ramp) if x.dtype in dtypes.INTEGER else ramp, x.dtype)


def extended(x: Tensor, width: Width, mode: str, stat_length: Any) -> Tensor:
    """`x` with a statistic of the elements at each end of an axis beyond that end."""
    lengths = pairs_of(x, "stat_length", stat_length, "an int from 1")
    for pair in lengths:
        for length in pair:
            if length is not None and not (is_int(length) and length >= 1):
                raise refusal("pad", f"stat_length={length!r} is no number", "give an int from 1")
    for axis, (counts, near) in enumerate(zip(width, lengths, strict=True)):
        parts = [x]
        for after, (count, length) in enumerate(zip(counts, near, strict=True)):
            if count:
                value = _statistic(x, axis, mode, length, bool(after))
                shape = [
                    count if place == axis else size_or_dim(x, place)
                    for place in range(known_rank("pad", x))
                ]
                parts.insert(len(parts) if after else 0, broadcast_to(value, shape))
        x = concat(parts, axis) if len(parts) > 1 else x
    return x


def _statistic(x: Tensor, axis: int, mode: str, length: int | None, after: bool) -> Tensor:
    """The maximum, minimum, mean or median of so many elements at one end of an axis."""
    taken = x
    if length is not None:
        taken = _range(x, axis, (-int(length), None, 1) if after else (None, int(length), 1))
    result = STATISTICS[mode](taken, axis, keepdims=True)
    if x.dtype in dtypes.INTEGER and result.dtype != x.dtype:
        result = ew.round(result)
    return cast(result, x.dtype)


def _entry(x: Tensor, axis: int, place: int) -> Tensor:
    """One entry of an axis, which stays with size 1."""
    return _range(x, axis, (None, 1, 1) if place == 0 else (-1, None, 1))


def _range(x: Tensor, axis: int, taken: Range) -> Tensor:
    index = [taken if place == axis else FULL for place in range(known_rank("pad", x))]
    return x.graph.add(SLICE, (x,), {"index": tuple(index), "shape": None}).out
