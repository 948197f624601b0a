"""What a loop keeps of every iteration: entries that are stacked, and rows that are joined.

Where the number of iterations and the dims of an entry are known before the loop, a stack is
allocated whole and entries are written where they belong. Otherwise its memory grows: by doubling,
or at once when the first entry has shown how large all of them are. Memory, capacity and the dims
that are not known are carried by the loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from staticgraph.backends.native.ir import Phi
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.sizes import Size, product, row_major
from staticgraph.backends.native.values import Array, Buffer
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node, Value
from staticgraph.core.types import Dim, TensorType

# Entries that the first memory of a growing stack has room for.
_FIRST_ENTRIES = 16
_FIRST_BYTES = 64


class Kept:
    """Memory that grows with a loop.

    sizes   what the symbols in types of the body stand for, before the loop
    """

    def __init__(
        self, program: Program, node: Node, entry: TensorType, sizes: Mapping[str, Size]
    ) -> None:
        self.program = program
        self.node = node
        self.dtype: DType = entry.dtype
        self.phis: list[Phi] = []
        self.sizes = sizes
        self.first: Array | None = None

    def begin(self) -> None:
        """Makes what the loop begins with, before it."""
        self.first = self.program.allocate((Size(_FIRST_BYTES),), dtypes.uint8)

    def leave(self, texts: Sequence[str], block: str) -> None:
        """Adds what the phis become when `block` goes back to the head."""
        for phi, text in zip(self.phis, texts, strict=True):
            phi.add(text, block)

    def _phi(self, type: str, start: str, before: str) -> str:
        phi = self.program.code.phi(type)
        phi.add(start, before)
        self.phis.append(phi)
        return phi.name

    def _start(self, dim: Dim) -> str:
        """The size that a dim has when there is no iteration to show it."""
        if isinstance(dim, int):
            return str(dim)
        known = self.sizes.get(dim) if dim is not None else None
        return "0" if known is None else self.program.text(known)

    def _check(self, have: Sequence[Size], want: Sequence[Size], later: str) -> None:
        """Entries of one stack have one shape; `later` says that this is not the first."""
        code = self.program.code
        for one, other in zip(have, want, strict=True):
            differ = code.let(f"icmp ne i64 {self.program.text(one)}, {self.program.text(other)}")
            self.program.fail_if(code.let(f"and i1 {later}, {differ}"), self.node)

    def _move(self, target: str, source: str, count: str) -> None:
        self.program.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self.program.code.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {count}, i1 false)"
        )


class Stack(Kept):
    """One entry per iteration, along a new leading axis."""

    def __init__(
        self,
        program: Program,
        node: Node,
        entry: TensorType,
        sizes: Mapping[str, Size],
        length: Size | None,
    ) -> None:
        super().__init__(program, node, entry, sizes)
        self.length = length
        self.shape = entry.shape or ()
        self.ndim = len(self.shape)
        self.known = all(isinstance(dim, int) for dim in self.shape)
        self.dims = tuple([Size(dim) for dim in self.shape if isinstance(dim, int)])
        self.whole: Array | None = None

    def allocate(self, result: Value) -> None:
        """Makes what the loop begins with: all of the stack where its size is known."""
        if self.known and self.length is not None:
            self.whole = self.program.result(result, (self.length, *self.dims), self.dtype)
        else:
            self.begin()
            self.starts = [self._start(dim) for dim in self.shape]

    def enter(self, before: str) -> None:
        """Writes the phis at the head of the loop."""
        if self.whole is not None:
            return
        assert self.first is not None
        self._phi("ptr", self.first.pointer, before)
        self._phi("i64", "0", before)
        if not self.known:
            names = [self._phi("i64", start, before) for start in self.starts]
            self.dims = tuple([self.program.size(name) for name in names])

    def row(self, count: str) -> Array | None:
        """The memory of entry `count`, where that can be told before there is one."""
        if self.whole is None:
            return None
        pointer = self.program.offset(self.whole.pointer, self.dtype, count, self.whole.strides[0])
        return Array(
            Buffer(pointer, owned=False), pointer, self.dtype, self.dims, row_major(self.dims)
        )

    def push(self, value: Value, count: str) -> list[str]:
        """Puts entry `count` in place; what the phis become."""
        program = self.program
        if self.whole is not None:
            self._put(value, self.row(count))
            return []
        dims = program.dims(value)
        pointer, capacity = self.phis[0].name, self.phis[1].name
        if not self.known:
            later = program.code.let(f"icmp ne i64 {capacity}, 0")
            self._check(dims, self.dims, later)
        pointer, capacity = self._grown(dims, count)
        entry = Array(Buffer(pointer, owned=False), pointer, self.dtype, dims, row_major(dims))
        entry.pointer = program.offset(pointer, self.dtype, count, product(dims))
        self._put(value, entry)
        texts = [pointer, capacity]
        return texts if self.known else [*texts, *[program.text(dim) for dim in dims]]

    def _put(self, value: Value, entry: Array | None) -> None:
        program = self.program
        assert entry is not None
        if self.ndim == 0:
            program.store(program.scalar(value), entry.pointer)
        else:
            array = program.array(value)
            if array.pointer != entry.pointer:
                program.copy(array, entry, self.node)
        program.used(value)

    def _grown(self, dims: Sequence[Size], count: str) -> tuple[str, str]:
        """The memory of the stack with room for one more entry."""
        program, code = self.program, self.program.code
        size = program.text(product(dims).times(Size(self.dtype.itemsize)))
        pointer, capacity = self.phis[0].name, self.phis[1].name
        last = "0" if self.length is not None else count
        full = code.let(f"icmp eq i64 {capacity}, {last}")
        grow, goes_on, before = code.label("grow"), code.label("grown"), code.block
        code.branch(full, grow, goes_on)
        code.begin(grow)
        program.enter_block()
        if self.length is not None:
            wanted = program.text(self.length)
        else:
            doubled = code.let(f"shl i64 {capacity}, 1")
            wanted = code.intrinsic(
                "smax.i64", "i64", [("i64", doubled), ("i64", str(_FIRST_ENTRIES))]
            )
        total = code.let(f"mul i64 {wanted}, {size}")
        room = program.allocate((program.size(total),), dtypes.uint8).pointer
        self._move(room, pointer, code.let(f"mul i64 {capacity}, {size}"))
        program.free(Buffer(pointer, owned=True))
        program.leave_block()
        end = code.block
        code.jump(goes_on)
        code.begin(goes_on)
        joined, larger = code.phi("ptr"), code.phi("i64")
        joined.add(pointer, before)
        joined.add(room, end)
        larger.add(capacity, before)
        larger.add(wanted, end)
        return joined.name, larger.name

    def result(self, count: str) -> Array:
        """The whole stack, after the loop."""
        if self.whole is not None:
            return self.whole
        pointer = self.phis[0].name
        dims = (self.program.size(count), *self.dims)
        return Array(Buffer(pointer, owned=True), pointer, self.dtype, dims, row_major(dims))


class Rows(Kept):
    """Any number of rows per iteration, end to end along their leading axis.

    Rows of a loop that goes backwards are put before those that are there, so that the parts stand
    in the order of the steps. Capacity is in bytes, what is used in rows.
    """

    def __init__(
        self,
        program: Program,
        node: Node,
        entry: TensorType,
        sizes: Mapping[str, Size],
        backwards: bool,
    ) -> None:
        super().__init__(program, node, entry, sizes)
        self.backwards = backwards
        assert entry.shape
        self.shape = entry.shape[1:]
        self.dims: tuple[Size, ...] = ()

    def allocate(self, result: Value) -> None:
        """Makes what the loop begins with."""
        del result
        self.begin()
        self.starts = [self._start(dim) for dim in self.shape]

    def enter(self, before: str) -> None:
        """Writes the phis at the head of the loop."""
        assert self.first is not None
        self._phi("ptr", self.first.pointer, before)
        self._phi("i64", str(_FIRST_BYTES), before)
        self._phi("i64", "0", before)
        self._phi("i1", "false", before)
        names = [self._phi("i64", start, before) for start in self.starts]
        self.dims = tuple([self.program.size(name) for name in names])

    def row(self, count: str) -> Array | None:
        """Nowhere: where rows begin is known when they are there."""
        del count
        return None

    def push(self, value: Value, count: str) -> list[str]:
        """Adds the rows of an iteration; what the phis become."""
        del count
        program, code = self.program, self.program.code
        array = program.array(value)
        tail = array.dims[1:]
        self._check(tail, self.dims, self.phis[3].name)
        width = program.text(product(tail).times(Size(self.dtype.itemsize)))
        rows = program.text(array.dims[0])
        used = self.phis[2].name
        old = code.let(f"mul i64 {used}, {width}")
        total = code.let(f"add i64 {used}, {rows}")
        wanted = code.let(f"mul i64 {total}, {width}")
        pointer, capacity = self._grown(old, wanted)
        if self.backwards:
            start = code.let(f"sub i64 {capacity}, {wanted}")
        else:
            start = old
        place = code.let(f"getelementptr i8, ptr {pointer}, i64 {start}")
        target = Array(
            Buffer(place, owned=False), place, self.dtype, array.dims, row_major(array.dims)
        )
        program.copy(array, target, self.node)
        program.used(value)
        return [pointer, capacity, total, "true", *[program.text(dim) for dim in tail]]

    def _grown(self, old: str, wanted: str) -> tuple[str, str]:
        """The memory with room for `wanted` bytes, of which `old` are there."""
        program, code = self.program, self.program.code
        pointer, capacity = self.phis[0].name, self.phis[1].name
        full = code.let(f"icmp sgt i64 {wanted}, {capacity}")
        grow, goes_on, before = code.label("grow"), code.label("grown"), code.block
        code.branch(full, grow, goes_on)
        code.begin(grow)
        program.enter_block()
        doubled = code.let(f"shl i64 {capacity}, 1")
        # A multiple of every element, so that rows at the end are aligned.
        enough = code.let(f"and i64 {code.let(f'add i64 {wanted}, 63')}, -64")
        larger = code.intrinsic("smax.i64", "i64", [("i64", doubled), ("i64", enough)])
        room = program.allocate((program.size(larger),), dtypes.uint8).pointer
        if self.backwards:
            source = self._from_end(pointer, capacity, old)
            self._move(self._from_end(room, larger, old), source, old)
        else:
            self._move(room, pointer, old)
        program.free(Buffer(pointer, owned=True))
        program.leave_block()
        end = code.block
        code.jump(goes_on)
        code.begin(goes_on)
        place, size = code.phi("ptr"), code.phi("i64")
        place.add(pointer, before)
        place.add(room, end)
        size.add(capacity, before)
        size.add(larger, end)
        return place.name, size.name

    def _from_end(self, pointer: str, capacity: str, count: str) -> str:
        start = self.program.code.let(f"sub i64 {capacity}, {count}")
        return self.program.code.let(f"getelementptr i8, ptr {pointer}, i64 {start}")

    def result(self, count: str) -> Array:
        """All rows, after the loop."""
        del count
        program = self.program
        pointer, capacity, used = [phi.name for phi in self.phis[:3]]
        dims = (program.size(used), *self.dims)
        buffer = Buffer(pointer, owned=True)
        if self.backwards:
            size = program.text(product(dims).times(Size(self.dtype.itemsize)))
            pointer = self._from_end(pointer, capacity, size)
        return Array(buffer, pointer, self.dtype, dims, row_major(dims))


def kept_of(
    program: Program,
    node: Node,
    entries: Sequence[Value],
    sizes: Mapping[str, Size],
    length: Size | None,
) -> list[Stack | Rows]:
    """What a loop keeps: one for each of the further results of its body."""
    joined = node.attrs.get("joined", ())
    backwards = bool(node.attrs.get("reverse", False))
    return [
        Rows(program, node, value.type, sizes, backwards)
        if number in joined
        else Stack(program, node, value.type, sizes, length)
        for number, value in enumerate(entries)
    ]
