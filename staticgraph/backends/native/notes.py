"""What a compilation notes about itself while it goes on, for `Session.explain`.

Notes are facts, no text: what was fused, why a fusion stopped, what memory was asked for. They are
made whether anybody asks or not, so each is one small object, and nothing is computed for it;
explain.py puts them into words.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.sizes import Size
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node


class KernelNote(NamedTuple):
    """One call of a kernel, as it stands in the code.

    node      the node that was being lowered; None at the end of the program
    nodes     the nodes that it computes; none where it only copies or fills
    domain    the dims that its loops cover
    outer     how many of them are outside of a row
    phases    how often a row is walked
    lanes     how many elements are computed at once; 0 where the kernel chooses by itself
    grain     how much of the first dim is one piece of work; None: the whole of it is
    loops     in how many loops the call stands
    """

    name: str
    node: Node | None
    nodes: tuple[Node, ...]
    domain: tuple[Size, ...]
    outer: int
    phases: int
    lanes: int
    grain: str | None
    loops: int


class StopNote(NamedTuple):
    """A place where two nodes could not be one kernel.

    made     the node whose result goes through memory
    used     the node that reads it there; None: whoever called the code
    why      one of the constants below
    """

    made: Node
    used: Node | None
    why: str


# Why, in words that follow the node that was made.
MEMORY = "is needed in memory"
TERMINAL = "is known only when its loops are done"
DOMAIN = "is computed over other dims"
FULL = "stands in a kernel that is full"
PLACES = "is read at other places than it is computed at"
PRODUCT = "is computed in a product's kernel, which only elementwise ops may join"
WRITTEN = "was written for something else before"
ORDER = "stands in a kernel that comes before others it would need"


class BufferNote(NamedTuple):
    """Memory that the code asks for in a run."""

    node: Node | None
    dims: tuple[Size, ...]
    dtype: DType
    loops: int


class Notes:
    """The notes of one compilation.

    names   what the SSA names of sizes are to the user
    node    the node that is being lowered, None for the end of the program
    loops   in how many loops the code stands that is being written
    """

    def __init__(self) -> None:
        self.kernels: list[KernelNote] = []
        self.stops: list[StopNote] = []
        self.buffers: list[BufferNote] = []
        self.names: dict[str, str] = {}
        self.node: Node | None = None
        self.loops = 0

    def stop(self, made: Node, why: str) -> None:
        """The node that is being lowered reads the result of `made` from memory."""
        self.stops.append(StopNote(made, self.node, why))

    def buffer(self, dims: tuple[Size, ...], dtype: DType) -> None:
        """Memory was asked for."""
        self.buffers.append(BufferNote(self.node, dims, dtype, self.loops))

    def kernel(
        self,
        name: str,
        nodes: tuple[Node, ...],
        domain: tuple[Size, ...],
        grain: str | None,
        outer: int = 0,
        phases: int = 1,
        lanes: int = 0,
    ) -> None:
        """A kernel was written and called."""
        self.kernels.append(
            KernelNote(name, self.node, nodes, domain, outer, phases, lanes, grain, self.loops)
        )
