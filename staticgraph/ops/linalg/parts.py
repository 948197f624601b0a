"""Diagonals, powers of matrices, the matrix exponential, products of several operands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import Dim, TensorType, format_shape
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction
from staticgraph.ops.arranging import pad
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, promote
from staticgraph.ops.creation import ARANGE, arange
from staticgraph.ops.joining import stack
from staticgraph.ops.linalg.common import (
    as_matrices,
    checked_matrices,
    column_numbers,
    extent,
    identity_like,
    least,
    matrix_shape,
    ranked,
    refuse_call,
    row_numbers,
)
from staticgraph.ops.linalg.factor import inv, solve
from staticgraph.ops.linalg.products import matmul
from staticgraph.ops.looping import while_loop
from staticgraph.ops.shaping import broadcast_like, expand_dims, permute_dims, reshape
from staticgraph.ops.sizes import is_int, refusal, size, size_dim

# -- diagonals ------------------------------------------------------------------------------------


def _length(rows: Dim, columns: Dim, offset: int) -> Dim:
    """How many elements a diagonal has."""
    if offset == 0:
        return least(rows, columns)
    if not isinstance(rows, int) or not isinstance(columns, int):
        return None
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


def _infer_diagonal(types: Types, attrs: Attrs) -> TensorType:
    shape = matrix_shape(types[0], "x")
    if shape is None:
        return types[0]
    *batch, rows, columns = shape
    return types[0].with_shape((*batch, _length(rows, columns, attrs["offset"])))


def _vjp_diagonal(node: Operation, adjoint: Tensor) -> Tensor:
    (x,) = node.inputs
    offset = node.attrs["offset"]
    rows, columns = row_numbers(x), column_numbers(x)
    hit = ew.equal(rows + offset, columns)
    # Element i of the diagonal is in row i, or in column i where the diagonal is below the main.
    along, axis = (-2, -1) if offset >= 0 else (-1, -2)
    spread = expand_dims(_filled(adjoint, size(x, along), x, along), axis)
    return ew.where(hit, spread, ew.zero_of(adjoint))


def _filled(vector: Tensor, length: Tensor, x: Tensor, along: int) -> Tensor:
    """A vector with zeros behind it, up to the size of an axis of `x`."""
    have = None if vector.type.shape is None else vector.type.shape[-1]
    want = None if x.type.shape is None else x.type.shape[along]
    if have == want and have is not None:
        return vector
    if isinstance(have, int) and isinstance(want, int):
        ndim = vector.type.ndim or 1
        return pad(vector, [(0, 0)] * (ndim - 1) + [(0, want - have)])
    # Which sizes are equal only the run knows: ones where an element goes, as a product.
    places = ew.equal(expand_dims(arange(size(vector, -1)), 1), expand_dims(arange(length), 0))
    row = expand_dims(vector, -2)
    product = matmul(row, cast(places, vector.dtype))
    return reduction.sum(product, -2)


DIAGONAL = register(
    OpDef(
        "diagonal",
        operands=("x",),
        infer=_infer_diagonal,
        reference=lambda x, *, offset: np.diagonal(x, offset, -2, -1),
        attrs=("offset",),
        vjp=(_vjp_diagonal,),
        jvp=LINEAR,
        linear=True,
        doc="The elements of a diagonal of matrices.",
    )
)


def _offset(what: str, offset: Any) -> int:
    if not is_int(offset):
        raise refusal(what, f"offset={offset!r} is no diagonal", "give an int; 0 is the main one")
    return int(offset)


def diagonal(
    x: Any, offset: int = 0, axis1: int = -2, axis2: int = -1, *, name: str | None = None
) -> Tensor:
    """The elements ``x[..., i, i + offset]`` of matrices, along a new last axis.

    x              matrices ``(..., m, n)`` of any dtype
    offset         which diagonal: 0 the main one, above it where positive
    axis1, axis2   the axes of rows and columns, the last two by default

    Raises ShapeError for what is no matrix, and for axes that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.diagonal(sg.constant([[1, 2], [3, 4]])))
    array([1, 4])
    """
    chosen = _offset("diagonal", offset)
    tensor = as_tensor(x)
    ndim = ranked("diagonal", {"x": tensor})[0]
    checked_matrices("diagonal", tensor)
    axes = [_axis(tensor, axis, ndim) for axis in (axis1, axis2)]
    if axes[0] == axes[1]:
        refuse_call("diagonal", {"x": tensor}, Mismatch(
            f"axis1 and axis2 are both {axes[0]}", "rows and columns are two axes"
        ))  # fmt: skip
    rest = [axis for axis in range(ndim) if axis not in axes]
    if [*rest, *axes] != list(range(ndim)):
        tensor = permute_dims(tensor, [*rest, *axes])
    return tensor.graph.add(DIAGONAL, (tensor,), {"offset": chosen}, name).out


def _axis(x: Tensor, axis: Any, ndim: int) -> int:
    if not is_int(axis) or not -ndim <= axis < ndim:
        refuse_call("diagonal", {"x": x}, Mismatch(
            f"'{x.name}' has no axis {axis!r}", f"it has axes {-ndim} to {ndim - 1}"
        ))  # fmt: skip
    return int(axis) % ndim


def trace(
    x: Any,
    offset: int = 0,
    dtype: Any = None,
    axis1: int = -2,
    axis2: int = -1,
    *,
    name: str | None = None,
) -> Tensor:
    """The sum of a diagonal of matrices ``(..., m, n)``, shape ``(...)``.

    offset         which diagonal, as in `diagonal`
    dtype          the dtype to add up in; by default that of `sum`
    axis1, axis2   the axes of rows and columns, the last two by default

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.trace(sg.constant([[1, 2], [3, 4]])))
    np.int64(5)
    """
    along = diagonal(x, offset, axis1, axis2)
    if dtype is not None:
        wanted = dtypes.as_dtype(dtype)
        return cast(reduction.sum(cast(along, wanted), -1), wanted, name)
    return reduction.sum(along, -1, name=name)


def matrix_diag(x: Any, offset: int = 0, *, name: str | None = None) -> Tensor:
    """Square matrices with the vectors ``(..., n)`` on a diagonal and zeros elsewhere.

    offset   which diagonal, as in `diagonal`; the matrices have ``n + abs(offset)`` rows

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.matrix_diag(sg.constant([1, 2])))
    array([[1, 0],
           [0, 2]])
    """
    chosen = _offset("matrix_diag", offset)
    tensor = as_tensor(x)
    ndim = ranked("matrix_diag", {"x": tensor})[0]
    if ndim < 1:
        refuse_call("matrix_diag", {"x": tensor}, Mismatch(
            "x is a scalar", "a diagonal is made of a vector"
        ))  # fmt: skip
    lead = (max(-chosen, 0), max(chosen, 0))
    widths = [[(0, 0)] * (ndim - 1) + [pair] for pair in (lead, lead[::-1])]
    along_columns = pad(tensor, widths[1]) if chosen else tensor
    count = size(along_columns, -1)
    # Sizes are never negative: without the bound that `arange` puts on a count its size is known.
    numbers = count.graph.add(ARANGE, (count,), {"size": size_dim(count)}).out
    rows, columns = expand_dims(numbers, 1), expand_dims(numbers, 0)
    zero = ew.zero_of(tensor)
    # Of the padded vector element j is what column j holds.
    return ew.where(ew.equal(rows + chosen, columns), expand_dims(along_columns, -2), zero,
                    name=name)  # fmt: skip


def diag(x: Any, k: int = 0, *, name: str | None = None) -> Tensor:
    """A matrix with a vector on its `k`-th diagonal, or the `k`-th diagonal of a matrix.

    For batches there are `matrix_diag` and `diagonal`; an operand with more than two axes is a
    ShapeError.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.diag(sg.constant([1, 2])))
    array([[1, 0],
           [0, 2]])
    """
    tensor = as_tensor(x)
    ndim = ranked("diag", {"x": tensor})[0]
    if ndim not in (1, 2):
        refuse_call("diag", {"x": tensor}, Mismatch(
            f"x is neither a vector nor a matrix, it has {ndim} axes",
            "sg.linalg.matrix_diag makes matrices of a batch of vectors, sg.linalg.diagonal takes "
            "the diagonals of a batch of matrices",
        ))  # fmt: skip
    return matrix_diag(tensor, k, name=name) if ndim == 1 else diagonal(tensor, k, name=name)


# -- powers and the exponential -------------------------------------------------------------------


def matrix_power(x: Any, n: int, *, name: str | None = None) -> Tensor:
    """The `n`-th power of square matrices ``(..., k, k)``, by repeated squaring.

    n   an int; 0 gives the unit matrix, a negative one a power of the inverse, which is floating

    Raises ShapeError for what is not square and for an `n` that is no int; RunError in a run for a
    singular matrix where `n` is negative.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.matrix_power(sg.constant([[1, 1], [1, 0]]), 10))
    array([[89, 55],
           [55, 34]])
    """
    if not is_int(n):
        raise refusal("matrix_power", f"n={n!r} is no power", "give an int that is known now")
    tensor = checked_matrices("matrix_power", as_tensor(x), square=True)
    if n == 0:
        unit = identity_like(tensor)
        spread = broadcast_like(unit, tensor)
        return identity(spread, name=name) if name else spread
    base, power = (inv(tensor), -int(n)) if n < 0 else (tensor, int(n))
    result: Tensor | None = None
    while True:
        if power & 1:
            result = base if result is None else matmul(result, base)
        power >>= 1
        if not power:
            break
        base = matmul(base, base)
    assert result is not None
    return identity(result, name=name) if name else result


# Coefficients of the diagonal Pade approximant of degree 13 and the largest 1-norm for which it is
# exact to double precision; of degree 7 for single (Higham 2005, table 2.3, and its section 2).
_PADE_13 = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
    40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_THETA_13 = 5.371920351148152
_PADE_7 = (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0)
_THETA_7 = 3.925724783138660


def expm(x: Any, *, name: str | None = None) -> Tensor:
    """The exponential of square matrices ``(..., n, n)``: the sum of ``x ** k / k!``.

    By scaling and squaring with a Pade approximant of degree 13, of 7 in float32: N. Higham, "The
    scaling and squaring method for the matrix exponential revisited" (2005). How often it is
    squared depends on the 1-norm of each matrix. All derivatives follow from the composition.

    Raises ShapeError for what is not square.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.expm(sg.constant([[0.0, 1.0], [0.0, 0.0]])))
    array([[1., 1.],
           [0., 1.]], dtype=float32)
    """
    tensor = as_matrices("expm", x, square=True)
    if tensor.dtype in dtypes.HALF:
        # The coefficients are beyond what float16 holds.
        tensor = cast(tensor, dtypes.float32)
    double = dtypes.part_of(tensor.dtype) == dtypes.float64
    theta = _THETA_13 if double else _THETA_7
    columns = reduction.sum(ew.abs(tensor), -2, keepdims=True)
    greatest = ew.maximum(_greatest(columns), theta)
    halvings = ew.ceil(ew.log(greatest / theta) * (1.0 / math.log(2.0)))
    # What is not finite is not squared: it gives what the approximant makes of it.
    halvings = ew.where(ew.isfinite(halvings), halvings, ew.zero_of(halvings))
    times = cast(halvings, dtypes.int64)
    scaled = tensor * ew.pow(ew.zero_of(columns) + 0.5, cast(times, columns.dtype))
    found = _pade_13(scaled) if double else _pade_7(scaled)
    most = _greatest(reshape(times, (-1,)))
    alone = tensor.type.ndim == 2

    def squared(i: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        square = matmul(y, y)
        # A choice puts masks before all that is differentiated behind it: one matrix needs none.
        return i + 1, square if alone else ew.where(ew.less(i, times), square, y)

    _, result = while_loop(lambda i, _: i < most, squared, (ew.zero_of(most), found))
    return identity(result, name=name) if name else result


def _greatest(x: Tensor) -> Tensor:
    """The largest of rows of numbers that are not negative, and 0 of an empty row."""
    width = [(0, 0)] * ((x.type.ndim or 1) - 1) + [(0, 1)]
    return reduction.max(pad(x, width), -1, keepdims=(x.type.ndim or 1) > 1)


def _even(powers: Sequence[Tensor], total: Tensor, coefficients: Sequence[float]) -> Tensor:
    """`total` with powers of a matrix, each times its coefficient, added."""
    for power, coefficient in zip(powers, coefficients, strict=True):
        total = total + power * coefficient
    return total


def _pade_13(x: Tensor) -> Tensor:
    b = _PADE_13
    unit = identity_like(x)
    second = matmul(x, x)
    fourth = matmul(second, second)
    sixth = matmul(second, fourth)
    powers = (second, fourth, sixth)
    odd = matmul(sixth, _even(powers[1:], second * b[9], (b[11], b[13])))
    odd = matmul(x, odd + _even(powers, unit * b[1], (b[3], b[5], b[7])))
    even = matmul(sixth, _even(powers[1:], second * b[8], (b[10], b[12])))
    even = even + _even(powers, unit * b[0], (b[2], b[4], b[6]))
    return solve(even - odd, even + odd)


def _pade_7(x: Tensor) -> Tensor:
    b = _PADE_7
    unit = identity_like(x)
    second = matmul(x, x)
    fourth = matmul(second, second)
    powers = (second, fourth, matmul(second, fourth))
    odd = matmul(x, _even(powers, unit * b[1], b[3::2]))
    even = _even(powers, unit * b[0], b[2::2])
    return solve(even - odd, even + odd)


# -- products -------------------------------------------------------------------------------------


def cross(lhs: Any, rhs: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """The cross products of the vectors of three elements along `axis`; other axes broadcast.

    Raises ShapeError where `axis` has another size, or is no axis of both operands.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.cross(sg.constant([1, 0, 0]), [0, 1, 0]))
    array([0, 0, 1])
    """
    first, second = promote((lhs, rhs))
    parts = []
    ranks = ranked("cross", {"lhs": first, "rhs": second})
    for operand, ndim in zip((first, second), ranks, strict=True):
        if not is_int(axis) or not -ndim <= axis < ndim:
            raise refusal(
                "cross", f"{axis!r} is no axis of both operands", "give an int; -1 is the last axis"
            )
        shape = operand.type.shape
        assert shape is not None
        if isinstance(shape[axis], int) and shape[axis] != 3:
            raise refusal(
                "cross",
                f"axis {axis} of {format_shape(shape)} has size {shape[axis]}",
                "a cross product is of vectors of 3 elements",
            )
        before = (slice(None),) * (axis % ndim)
        parts.append([operand[(*before, number)] for number in range(3)])
    if axis >= 0 and first.type.ndim != second.type.ndim:
        raise refusal(
            "cross",
            f"axis {axis} is another axis of lhs than of rhs",
            "count it from the end: axes broadcast from there",
        )
    a, b = parts
    found = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    return stack(found, axis, name=name or "cross")


def kron(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The Kronecker product: `rhs` scaled by every element of `lhs`, in place of the element.

    Operands with fewer axes get axes of size 1 in front; axis i of the result has the product of
    both sizes.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.kron(sg.constant([1, 10]), [1, 2]))
    array([ 1,  2, 10, 20])
    """
    first, second = promote((lhs, rhs))
    ranks = ranked("kron", {"lhs": first, "rhs": second})
    ndim = max(ranks)
    wide = []
    for number, (operand, rank) in enumerate(zip((first, second), ranks, strict=True)):
        if rank < ndim:
            operand = expand_dims(operand, tuple(range(ndim - rank)))
        # Axes of both operands alternate: those of lhs come first of each pair.
        places = tuple([2 * axis + 1 - number for axis in range(ndim)])
        wide.append((operand, expand_dims(operand, places) if ndim else operand))
    product = wide[0][1] * wide[1][1]
    if ndim == 0:
        return identity(product, name=name) if name else product
    sizes = [extent(wide[0][0], axis) * extent(wide[1][0], axis) for axis in range(ndim)]
    return reshape(product, sizes, name=name)


def multi_dot(arrays: Sequence[Any], *, name: str | None = None) -> Tensor:
    """The product of several matrices, multiplied in the order that takes the fewest operations.

    arrays   at least two; the first and the last may be vectors. Where a size is not known when the
             graph is built they are multiplied from left to right

    >>> import staticgraph as sg
    >>> parts = [sg.ones((2, 100)), sg.ones((100, 3)), sg.ones((3, 1))]
    >>> sg.Session().run(sg.linalg.multi_dot(parts))
    array([[300.],
           [300.]], dtype=float32)
    """
    if not isinstance(arrays, list | tuple) or len(arrays) < 2:
        raise refusal("multi_dot", "there is nothing to multiply", "give at least two operands")
    tensors = promote(arrays)
    last = len(tensors) - 1
    ranks = ranked("multi_dot", {f"arrays[{i}]": tensor for i, tensor in enumerate(tensors)})
    for number, ndim in enumerate(ranks):
        if ndim != 2 and not (ndim == 1 and number in (0, last)):
            raise refusal(
                "multi_dot",
                f"arrays[{number}] has {ndim} axes",
                "all are matrices; the first and the last may be vectors",
            )
    dims = [size for tensor in tensors for size in (tensor.type.shape or ())]
    if all(isinstance(dim, int) for dim in dims):
        result = _chained(tensors)
    else:
        result = tensors[0]
        for tensor in tensors[1:]:
            result = matmul(result, tensor)
    return identity(result, name=name) if name else result


def _chained(tensors: Sequence[Tensor]) -> Tensor:
    """The product in the cheapest order (Cormen et al., "Introduction to Algorithms", 15.2)."""
    count = len(tensors)
    heights = [_ends(tensor, number == 0)[0] for number, tensor in enumerate(tensors)]
    edges = [*heights, _ends(tensors[-1], False)[1]]
    cost = [[0] * count for _ in range(count)]
    split = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            cost[first][last], split[first][last] = min(
                (cost[first][k] + cost[k + 1][last] + edges[first] * edges[k + 1] * edges[last + 1],
                 k)
                for k in range(first, last)
            )  # fmt: skip
    done: dict[tuple[int, int], Tensor] = {(i, i): tensor for i, tensor in enumerate(tensors)}
    waiting = [(0, count - 1)]
    while waiting:
        first, last = waiting[-1]
        middle = split[first][last]
        parts = ((first, middle), (middle + 1, last))
        missing = [part for part in parts if part not in done]
        if (first, last) in done or not missing:
            waiting.pop()
            if (first, last) not in done:
                done[first, last] = matmul(done[parts[0]], done[parts[1]])
            continue
        waiting.extend(missing)
    return done[0, count - 1]


def _ends(tensor: Tensor, first: bool) -> tuple[int, int]:
    """Rows and columns of an operand; a vector is a row in front and a column at the end."""
    shape = tensor.type.shape
    assert shape is not None
    if len(shape) == 2:
        return shape  # type: ignore[return-value]
    return (1, shape[0]) if first else (shape[0], 1)  # type: ignore[return-value]
