"""TensorType: the dtype and the shape of a tensor, as far as they are known before a run.

A dim is an int (known), a str (a symbol: equal symbols have equal sizes in one run) or None
(nothing is known). A symbol that starts with ``?`` was made for a dim the user left as None; it is
shown as ``?``, yet two uses of one symbol are provably equal, which is what makes derivatives of
graphs with an unknown batch size free of run-time shape tests. A shape of None is an unknown rank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

Dim = int | str | None
Shape = tuple[Dim, ...] | None


class TensorType(NamedTuple):
    """What is known of a tensor before a run.

    >>> str(TensorType(dtypes.float32, ("?0", 784)))
    'float32[?, 784]'
    """

    dtype: DType
    shape: Shape

    @property
    def ndim(self) -> int | None:
        """Number of axes, or None when unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every size is known."""
        return self.shape is not None and all(type(dim) is int for dim in self.shape)

    @property
    def size(self) -> int | None:
        """Number of elements, or None when unknown."""
        if self.shape is None:
            return None
        total = 1
        for dim in self.shape:
            if not isinstance(dim, int):
                return None
            total *= dim
        return total

    def with_shape(self, shape: Shape) -> TensorType:
        """This dtype with another shape."""
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: DType) -> TensorType:
        """This shape with another dtype."""
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        return f"{dtypes.name(self.dtype)}{format_shape(self.shape)}"


def format_dim(dim: Dim) -> str:
    """A dim as a user sees it: anonymous symbols and unknown sizes are both ``?``."""
    if dim is None or (isinstance(dim, str) and dim.startswith("?")):
        return "?"
    return str(dim)


def format_shape(shape: Shape) -> str:
    """A shape as a user sees it: ``[?, 784]``, ``[]`` for scalars, ``[...]`` for unknown rank."""
    if shape is None:
        return "[...]"
    return f"[{', '.join(map(format_dim, shape))}]"


def public_shape(shape: Shape) -> Shape:
    """A shape without the anonymous symbols: what ``Tensor.shape`` returns."""
    if shape is None:
        return None
    return tuple(None if isinstance(d, str) and d.startswith("?") else d for d in shape)


class BroadcastError(ValueError):
    """Two shapes do not broadcast; carries the axis, counted from the end."""

    def __init__(self, axis: int, lhs: Dim, rhs: Dim) -> None:
        super().__init__(f"axis {axis}: {lhs} against {rhs}")
        self.axis, self.lhs, self.rhs = axis, lhs, rhs


def broadcast_dim(lhs: Dim, rhs: Dim, axis: int = -1) -> Dim:
    """The size of one axis of a broadcast, as far as it is known."""
    if lhs == rhs:
        return lhs
    if lhs == 1:
        return rhs
    if rhs == 1:
        return lhs
    if isinstance(lhs, int):
        # An unknown size beside a known size above one can only be one or that size.
        if isinstance(rhs, int):
            raise BroadcastError(axis, lhs, rhs)
        return lhs
    return rhs if isinstance(rhs, int) else None


def broadcast_shapes(lhs: Shape, rhs: Shape) -> Shape:
    """The shape of two operands broadcast by NumPy's rule; raises BroadcastError.

    >>> broadcast_shapes(("?0", 3), (1,))
    ('?0', 3)
    """
    if lhs == rhs:
        return lhs
    if lhs is None or rhs is None:
        return None
    shared = min(len(lhs), len(rhs))
    lead = lhs[: len(lhs) - shared] or rhs[: len(rhs) - shared]
    tail = tuple(
        broadcast_dim(a, b, axis)
        for axis, a, b in zip(
            range(-shared, 0), lhs[len(lhs) - shared :], rhs[len(rhs) - shared :], strict=True
        )
    )
    return lead + tail


@lru_cache(maxsize=8192)
def broadcast_many(shapes: tuple[Shape, ...]) -> Shape:
    """`broadcast_shapes` over any number of shapes."""
    result: Shape = ()
    for shape in shapes:
        result = broadcast_shapes(result, shape)
    return result


def same_shape(lhs: Shape, rhs: Shape) -> bool:
    """Whether two shapes are provably equal in every run."""
    return lhs is not None and lhs == rhs and None not in lhs


def compatible(lhs: Shape, rhs: Shape) -> bool:
    """Whether two shapes could be equal in some run."""
    if lhs is None or rhs is None:
        return True
    if len(lhs) != len(rhs):
        return False
    return all(
        not (isinstance(a, int) and isinstance(b, int)) or a == b
        for a, b in zip(lhs, rhs, strict=True)
    )


def meet(lhs: Shape, rhs: Shape) -> Shape:
    """The most that two descriptions of one shape say together (int over symbol over None)."""
    if lhs is None:
        return rhs
    if rhs is None:
        return lhs
    return tuple(
        a if isinstance(a, int) or b is None else b if isinstance(b, int) or a is None else a
        for a, b in zip(lhs, rhs, strict=True)
    )


def infer_size(shape: Shape, known: Sequence[Dim]) -> Dim:
    """The size that -1 stands for when `shape` is reshaped and the other dims are `known`.

    Symbols cancel: ``(?0, 28, 28)`` into ``(-1, 784)`` gives ``?0``. None where nothing can be
    said before the run; ValueError where no size fits.
    """
    if shape is None or None in shape or None in known:
        return None
    left, right = _factors(shape), _factors(known)
    symbols = list(left[1])
    for symbol in right[1]:
        if symbol not in symbols:
            return None
        symbols.remove(symbol)
    if right[0] == 0 or left[0] % right[0]:
        if symbols:
            return None
        raise ValueError(f"{left[0]} elements do not divide by {right[0]}")
    quotient = left[0] // right[0]
    if not symbols:
        return quotient
    return symbols[0] if quotient == 1 and len(symbols) == 1 else None


def _factors(dims: Sequence[Dim]) -> tuple[int, list[str]]:
    number = math.prod(dim for dim in dims if isinstance(dim, int))
    return number, [dim for dim in dims if isinstance(dim, str)]


def product(dims: Sequence[Dim]) -> Dim:
    """The product of dims: an int, a lone symbol, or None where it has no name."""
    if None in dims:
        return None
    number, symbols = _factors(dims)
    if number == 0 or not symbols:
        return number
    return symbols[0] if number == 1 and len(symbols) == 1 else None


def add_dims(dims: Sequence[Dim]) -> Dim:
    """The sum of dims: an int, a lone symbol beside zeros, or None where it has no name."""
    symbols = [dim for dim in dims if not isinstance(dim, int)]
    number = sum(dim for dim in dims if isinstance(dim, int))
    if not symbols:
        return number
    return symbols[0] if len(symbols) == 1 and number == 0 else None
