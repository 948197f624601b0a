"""What a value is while code is made: a scalar in a register, an array in memory, or neither yet.

An array is a view of a buffer: where its first element is, its dims and its strides. Buffers are
what is allocated and freed; any number of views share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from staticgraph.backends.native.nest import Expression
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, Size, row_major
from staticgraph.core.dtypes import DType


@dataclass(eq=False)
class Buffer:
    """Memory of the run.

    pointer   the SSA name of its address
    owned     made by this run and to be given back by it; inputs, constants and results are not
    users     how many values of the program still need it; freed when none does
    """

    pointer: str
    owned: bool
    users: int = 0
    freed: bool = False


@dataclass(eq=False)
class Array:
    """A view of a buffer; strides are in elements, `pointer` is the address of element 0."""

    buffer: Buffer
    pointer: str
    dtype: DType
    dims: tuple[Size, ...]
    strides: tuple[Size, ...]

    @property
    def contiguous(self) -> bool:
        """Whether the elements stand in row-major order without gaps, in every run."""
        wanted = row_major(self.dims)
        return all(
            have == want or dim == ONE
            for have, want, dim in zip(self.strides, wanted, self.dims, strict=True)
        )


@dataclass(eq=False)
class Scalar:
    """A 0-d value in a register of the function that is being written."""

    register: Register


@dataclass(eq=False)
class Lazy:
    """A value that a group of fused nodes will compute.

    axes      per dim of the value the axis of the group's domain along which it runs, or None for
              a dim of size 1
    terminal  known only when the group has run: a reduction that is no value per row
    """

    group: Any
    expression: Expression
    dtype: DType
    dims: tuple[Size, ...]
    axes: tuple[int | None, ...]
    terminal: bool = False


Held = Array | Scalar | Lazy
