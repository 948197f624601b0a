"""Sizes of a run: products of known numbers and of values that only the run knows.

A `Size` is a factor times SSA names of the main function. Names stand for different sizes unless
they are equal, so equal products are provably equal: that is what lets loops collapse and tells
which shapes need no check.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Size(NamedTuple):
    """``factor`` times the product of ``names``, which are sorted."""

    factor: int
    names: tuple[str, ...] = ()

    @property
    def known(self) -> int | None:
        """The number, where it is known when the code is made."""
        return None if self.names else self.factor

    def times(self, other: Size) -> Size:
        """The product."""
        if self.factor == 0 or other.factor == 0:
            return ZERO
        return Size(self.factor * other.factor, tuple(sorted(self.names + other.names)))

    def divided_by(self, other: Size) -> Size | None:
        """The quotient where it is exact and can be told now; None otherwise."""
        if other.factor == 0 or self.factor % other.factor:
            return None
        names = list(self.names)
        for name in other.names:
            if name not in names:
                return None
            names.remove(name)
        return Size(self.factor // other.factor, tuple(names))


ZERO = Size(0)
ONE = Size(1)


def size_of(value: int | str) -> Size:
    """The size that an int or the SSA name of an i64 stands for."""
    return Size(value) if isinstance(value, int) else Size(1, (value,))


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes; 1 for none."""
    total = ONE
    for size in sizes:
        total = total.times(size)
    return total


def row_major(dims: tuple[Size, ...]) -> tuple[Size, ...]:
    """The strides, in elements, of an array of these dims whose elements stand in order."""
    strides: list[Size] = []
    stride = ONE
    for dim in reversed(dims):
        strides.append(stride)
        stride = stride.times(dim)
    return tuple(reversed(strides))
