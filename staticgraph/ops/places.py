"""Indices as data: of grids, diagonals and triangles, and places counted over several axes.

What does not depend on the run is a constant.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, is_tensor_like
from staticgraph.ops.creation import arange, tri
from staticgraph.ops.joining import stack
from staticgraph.ops.linalg import diag
from staticgraph.ops.requiring import require
from staticgraph.ops.searching import flatnonzero, nonzero
from staticgraph.ops.shaping import broadcast_to, expand_dims, flattened
from staticgraph.ops.sizes import as_bool, is_int, read_sizes, refusal, size_or_dim

# -- grids ------------------------------------------------------------------------------------


@in_one_graph
def indices(
    dimensions: Any, dtype: Any = None, sparse: bool = False, *, name: str | None = None
) -> Any:
    """The indices of the elements of a tensor of some shape: along a new axis 0, one per axis.

    dimensions   the sizes: ints or scalar int tensors
    dtype        element type, int64 by default
    sparse       a list instead, with a tensor per axis that broadcasts to the shape

    Raises ShapeError for sizes that are none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.indices((2, 2)))
    array([[[0, 0],
            [1, 1]],
    <BLANKLINE>
           [[0, 1],
            [0, 1]]])
    """
    sparse = as_bool("indices", "sparse", sparse)
    if not isinstance(dimensions, list | tuple):
        raise refusal("indices", f"{dimensions!r} is no shape", "give the sizes in a tuple")
    count, name = len(dimensions), name or "indices"
    wanted = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    if not count:
        raise refusal("indices", "there are no axes", "give one size at least")
    read_sizes("indices", dimensions)
    graph = next((as_tensor(n).graph for n in dimensions if is_tensor_like(n)), None)
    rows = [cast(arange(n), wanted) for n in dimensions]
    along = [
        expand_dims(row, others) if others else row
        for row, others in [
            (row, tuple([other for other in range(count) if other != axis]))
            for axis, row in enumerate(rows)
        ]
    ]
    if sparse:
        return [identity(x, name=name) for x in along]
    with (graph or along[0].graph).as_default():
        return stack([broadcast_to(x, list(dimensions)) for x in along], name=name)


def ix_(*args: Any, name: str | None = None) -> list[Tensor]:
    """Index vectors, each along an axis of its own, so that together they take a grid of entries.

    args   int vectors; of a bool vector the places where it holds are meant

    ``x[sg.ix_(rows, columns)]`` has an entry for every pair. Raises ShapeError for what is no
    vector, DTypeError for what is neither int nor bool.

    >>> import staticgraph as sg
    >>> x = sg.constant([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    >>> sg.Session().run(x[tuple(sg.ix_([0, 2], [0, 1]))])
    array([[1, 2],
           [7, 8]])
    """
    graph = next((as_tensor(x).graph for x in args if is_tensor_like(x)), None)
    found: list[Tensor] = []
    for axis, item in enumerate(args):
        values = item if is_tensor_like(item) else np.asarray(item)
        if not is_tensor_like(item) and values.size == 0:
            values = values.astype(np.int64)
        tensor = as_tensor(values, graph)
        if tensor.type.ndim != 1:
            refuse("ix_", (tensor,), Mismatch(
                f"this has shape {format_shape(tensor.type.shape)}", "give vectors of indices"
            ), (f"args[{axis}]",))  # fmt: skip
        if tensor.dtype not in dtypes.INTEGER | dtypes.BOOL:
            refuse("ix_", (tensor,), Mismatch(
                f"this is {dtypes.name(tensor.dtype)}", "give ints, or bools", error=DTypeError
            ), (f"args[{axis}]",))  # fmt: skip
        vector = flatnonzero(tensor) if tensor.dtype == dtypes.bool_ else tensor
        others = tuple([other for other in range(len(args)) if other != axis])
        wide = expand_dims(vector, others) if others else vector
        found.append(identity(wide, name=name or "ix_"))
    return found


# -- diagonals and triangles ------------------------------------------------------------------


def diag_indices(n: Any, ndim: int = 2, *, name: str | None = None) -> tuple[Tensor, ...]:
    """The indices of the main diagonal of a tensor with `ndim` axes of size `n`, one per axis.

    n   an int or a scalar int tensor

    Raises ShapeError for what is no size.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.diag_indices(2))
    (array([0, 1]), array([0, 1]))
    """
    if not is_int(ndim) or ndim < 0:
        raise refusal("diag_indices", f"ndim={ndim!r} is no number of axes", "give an int from 0")
    read_sizes("diag_indices", (n,))
    row = identity(arange(n), name=name or "diag_indices")
    return (row,) * int(ndim)


def tril_indices(
    n: Any, k: int = 0, m: Any = None, *, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The indices of the lower triangle of a matrix, as a vector of rows and one of columns.

    n, m   the numbers of rows and columns, ints or scalar int tensors; `m` is `n` by default
    k      the diagonal on which the triangle ends; those above the main one are positive

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.tril_indices(2))
    (array([0, 1, 1]), array([0, 0, 1]))
    """
    return _triangle("tril_indices", n, k, m, True, name)


def triu_indices(
    n: Any, k: int = 0, m: Any = None, *, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The indices of the upper triangle of a matrix, as a vector of rows and one of columns.

    For the arguments see `tril_indices`; the triangle begins on diagonal `k`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.triu_indices(2))
    (array([0, 0, 1]), array([0, 1, 1]))
    """
    return _triangle("triu_indices", n, k, m, False, name)


def tril_indices_from(x: Any, k: int = 0, *, name: str | None = None) -> tuple[Tensor, Tensor]:
    """`tril_indices` for the size of the matrix `x`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.tril_indices_from(sg.ones((2, 2)), -1))
    (array([1]), array([0]))
    """
    return _triangle_of("tril_indices_from", x, k, True, name)


def triu_indices_from(x: Any, k: int = 0, *, name: str | None = None) -> tuple[Tensor, Tensor]:
    """`triu_indices` for the size of the matrix `x`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.triu_indices_from(sg.ones((2, 2)), 1))
    (array([0]), array([1]))
    """
    return _triangle_of("triu_indices_from", x, k, False, name)


def _triangle_of(what: str, x: Any, k: int, lower: bool, name: str | None) -> tuple[Tensor, Tensor]:
    tensor = as_tensor(x)
    ndim = known_rank(what, tensor)
    if ndim != 2:
        refuse(what, (tensor,), Mismatch(
            f"a matrix has two axes, '{tensor.name}' has {ndim}", "give one matrix"
        ))  # fmt: skip
    with tensor.graph.as_default():
        return _triangle(what, size_or_dim(tensor, 0), k, size_or_dim(tensor, 1), lower, name)


def _triangle(
    what: str, n: Any, k: int, m: Any, lower: bool, name: str | None
) -> tuple[Tensor, Tensor]:
    if not is_int(k):
        raise refusal(what, f"k={k!r} is no diagonal", "give an int")
    read_sizes(what, (n, n if m is None else m))
    mask = tri(n, m, int(k) if lower else int(k) - 1, dtypes.bool_)
    rows, columns = nonzero(mask if lower else ew.logical_not(mask))
    return identity(rows, name=name or what), identity(columns, name=name or what)


def diagflat(x: Any, k: int = 0, *, name: str | None = None) -> Tensor:
    """A matrix with the elements of `x`, flattened, on its `k`-th diagonal, zeros elsewhere.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.diagflat(sg.constant([[1, 2]])))
    array([[1, 0],
           [0, 2]])
    """
    if not is_int(k):
        raise refusal("diagflat", f"k={k!r} is no diagonal", "give an int")
    return diag(flattened(as_tensor(x)), k, name=name or "diagflat")


# -- places over several axes -----------------------------------------------------------------


def unravel_index(indices: Any, shape: Any, *, name: str | None = None) -> tuple[Tensor, ...]:
    """The index along each axis of places that are counted in row-major order.

    indices   ints of any shape, that of each result
    shape     the sizes of the axes, ints known now

    A place that is not there is an error of the run. Raises ShapeError for what is no shape,
    DTypeError for indices that are no ints.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unravel_index(sg.constant([5, 2]), (2, 3)))
    (array([1, 0]), array([2, 2]))
    """
    dims = _known_sizes("unravel_index", shape)
    place = _ints("unravel_index", as_tensor(indices), "indices")
    total = math.prod(dims)
    fits = ew.logical_and(ew.greater_equal(place, 0), ew.less(place, total))
    found: list[Tensor] = []
    rest = place
    for dim in reversed(dims):
        # An empty shape has no places, and so nothing is divided by 0.
        index = ew.remainder(rest, max(dim, 1))
        # What is asked hangs on each result: along an axis of size 1 nothing is left of the place.
        index = require(
            index, fits, "unravel_index", f"a place is not one of the {total} of shape {dims}",
            f"places are counted from 0 to {total - 1}", indices=place,
        )  # fmt: skip
        found.append(identity(index, name=name or "unravel_index"))
        rest = ew.floor_divide(rest, max(dim, 1))
    return tuple(reversed(found))


def ravel_multi_index(
    multi_index: Any, dims: Any, mode: Any = "raise", *, name: str | None = None
) -> Tensor:
    """The places, counted in row-major order, of indices along each axis.

    multi_index   a list of ints or int tensors, one per axis, that broadcast together
    dims          the sizes of the axes, ints known now
    mode          what an index out of range is: ``"raise"``, an error of the run; ``"wrap"``,
                  counted around; ``"clip"``, the first or the last; or a tuple, one per axis

    An axis of size 0 has no index in any mode. Raises ShapeError for what is no shape, for one of
    more places than int64 holds, and for numbers of axes that differ; DTypeError for indices that
    are no ints.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ravel_multi_index([sg.constant([1, 0]), [2, 2]], (2, 3)))
    array([5, 2])
    """
    what, sizes = "ravel_multi_index", _known_sizes("ravel_multi_index", dims)
    if not isinstance(multi_index, list | tuple | np.ndarray) and not is_tensor_like(multi_index):
        raise refusal(what, f"multi_index={multi_index!r} is no list", "give one index per axis")
    if math.prod(sizes) > np.iinfo(np.int64).max:
        raise refusal(what, f"shape {sizes} has more places than int64 holds", "give smaller sizes")
    listed = list(multi_index)
    modes = list(mode) if isinstance(mode, list | tuple) else [mode] * len(sizes)
    if len(listed) != len(sizes) or len(modes) != len(sizes):
        raise refusal(
            what, f"there are {len(listed)} indices for {len(sizes)} axes", "give one per axis"
        )
    if set(map(str, modes)) - {"raise", "wrap", "clip"}:
        raise refusal(what, f"mode={mode!r} is not there", "give 'raise', 'wrap' or 'clip'")
    graph = next((as_tensor(x).graph for x in listed if is_tensor_like(x)), None)
    place: Tensor | None = None
    for axis, (item, dim, manner) in enumerate(zip(listed, sizes, modes, strict=True)):
        index = _ints(what, as_tensor(item, graph), f"multi_index[{axis}]")
        if manner == "wrap" and dim:
            index = ew.remainder(index, dim)
        elif manner == "clip" and dim:
            index = ew.clip(index, 0, dim - 1)
        else:
            problem = f"an index is not from 0 to {dim - 1} along axis {axis}"
            way_out = "give mode='wrap' or mode='clip', or other indices"
            if not dim:
                problem, way_out = f"axis {axis} has size 0 and no index", "give sizes from 1"
            fits = ew.logical_and(ew.greater_equal(index, 0), ew.less(index, dim))
            index = require(index, fits, what, problem, way_out, multi_index=index)
        place = index if place is None else place * dim + index
    assert place is not None
    return identity(place, name=name or what)


def _known_sizes(what: str, shape: Any) -> tuple[int, ...]:
    listed = (shape,) if is_int(shape) else shape
    if isinstance(listed, np.ndarray):
        listed = listed.tolist()
    fits = isinstance(listed, list | tuple) and len(listed) > 0
    if not fits or not all(is_int(dim) and dim >= 0 for dim in listed):
        raise refusal(what, f"{shape!r} is no shape", "give one or several ints from 0")
    return tuple(map(int, listed))


def _ints(what: str, x: Tensor, label: str) -> Tensor:
    if x.dtype not in dtypes.INTEGER:
        refuse(what, (x,), Mismatch(
            f"{label} is {dtypes.name(x.dtype)}", "give ints: sg.cast(x, 'int64') converts",
            error=DTypeError,
        ), (label,))  # fmt: skip
    return cast(x, dtypes.int64)
