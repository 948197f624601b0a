"""Numbers, loops and masked memory: what the matrix product kernels are written with.

A `Number` that is known when code is made is an int and costs no instruction: a loop that runs once
is no loop, and the address of a known place is a constant. Numbers that only a run knows are i64
registers. Vectors never touch memory beyond what their mask allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from staticgraph.backends.native.ir import Code, memory_type, vector
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# A size, stride or index: an int where it is known, else the name of an i64 register.
Number = int | str


# The effort of code generation for functions that do the work. At level 0 their sums would live in
# memory; level 1 would do, but what else has it would stand in one part with them, and be compiled
# again by every program.
HOT_LEVEL = 2
# Of those that walk over panels and copy them: more effort takes four times as long, and no product
# is faster for it.
WALK_LEVEL = 0


class Target(NamedTuple):
    """What a matrix product has to know of the processor.

    vector_bytes  bytes of a vector register
    registers     how many vector registers there are
    """

    vector_bytes: int
    registers: int

    def masks(self, dtype: DType) -> bool:
        """Whether loads and stores of some lanes only are instructions of this processor."""
        return self.vector_bytes >= 64 or (self.vector_bytes == 32 and dtype.itemsize >= 4)


class Writer:
    """Writes one kernel of a matrix product: integers and pointers, loops, vectors in memory."""

    def __init__(self, code: Code) -> None:
        self.code = code

    # -- integers ---------------------------------------------------------------------------------

    def add(self, lhs: Number, rhs: Number) -> Number:
        """``lhs + rhs``."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return lhs + rhs
        if lhs == 0:
            return rhs
        if rhs == 0:
            return lhs
        return self.code.let(f"add i64 {lhs}, {rhs}")

    def subtract(self, lhs: Number, rhs: Number) -> Number:
        """``lhs - rhs``."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return lhs - rhs
        if rhs == 0:
            return lhs
        return self.code.let(f"sub i64 {lhs}, {rhs}")

    def multiply(self, lhs: Number, rhs: Number) -> Number:
        """``lhs * rhs``."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return lhs * rhs
        if lhs == 0 or rhs == 0:
            return 0
        if lhs == 1:
            return rhs
        if rhs == 1:
            return lhs
        return self.code.let(f"mul i64 {lhs}, {rhs}")

    def divide(self, lhs: Number, rhs: Number) -> Number:
        """``lhs / rhs`` of numbers that are not negative, rounded down; `rhs` is not 0."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return lhs // rhs
        if rhs == 1:
            return lhs
        return self.code.let(f"udiv i64 {lhs}, {rhs}")

    def divide_up(self, lhs: Number, rhs: Number) -> Number:
        """``lhs / rhs`` of numbers that are not negative, rounded up; `rhs` is not 0."""
        if rhs == 1:
            return lhs
        return self.divide(self.add(lhs, self.subtract(rhs, 1)), rhs)

    def minimum(self, lhs: Number, rhs: Number) -> Number:
        """The smaller one."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return min(lhs, rhs)
        return self._chosen("slt", lhs, rhs)

    def maximum(self, lhs: Number, rhs: Number) -> Number:
        """The larger one."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return max(lhs, rhs)
        return self._chosen("sgt", lhs, rhs)

    def _chosen(self, comparison: str, lhs: Number, rhs: Number) -> str:
        # At its least effort LLVM takes three times as long over the intrinsics for these.
        first = self.code.let(f"icmp {comparison} i64 {lhs}, {rhs}")
        return self.code.let(f"select i1 {first}, i64 {lhs}, i64 {rhs}")

    # -- memory -----------------------------------------------------------------------------------

    def at(self, pointer: str, distance: Number) -> str:
        """The address `distance` bytes after `pointer`."""
        if distance == 0:
            return pointer
        return self.code.let(f"getelementptr i8, ptr {pointer}, i64 {distance}")

    def slot(self, arguments: str, index: int, type: str = "i64") -> str:
        """The value in slot `index` of the arguments."""
        return self.code.let(f"load {type}, ptr {self.at(arguments, 8 * index)}, align 8")

    def load(
        self, pointer: str, dtype: DType, lanes: int, mask: str | None = None, align: int = 0
    ) -> str:
        """`lanes` elements from `pointer`; zeros, without reading, where the mask is not set."""
        type = vector(memory_type(dtype), lanes)
        align = align or dtype.itemsize
        if mask is None:
            return self.code.let(f"load {type}, ptr {pointer}, align {align}")
        name = f"@llvm.masked.load.{_suffix(dtype, lanes)}.p0"
        masks = f"<{lanes} x i1>"
        self.code.module.declare(f"declare {type} {name}(ptr, i32, {masks}, {type})")
        return self.code.let(
            f"call {type} {name}(ptr {pointer}, i32 {align}, {masks} {mask}, "
            f"{type} zeroinitializer)"
        )

    def store(
        self,
        value: str,
        pointer: str,
        dtype: DType,
        lanes: int,
        mask: str | None = None,
        align: int = 0,
    ) -> None:
        """Writes `lanes` elements to `pointer`, only those that the mask allows."""
        type = vector(memory_type(dtype), lanes)
        align = align or dtype.itemsize
        if mask is None:
            self.code.do(f"store {type} {value}, ptr {pointer}, align {align}")
            return
        name = f"@llvm.masked.store.{_suffix(dtype, lanes)}.p0"
        masks = f"<{lanes} x i1>"
        self.code.module.declare(f"declare void {name}({type}, ptr, i32, {masks})")
        self.code.do(
            f"call void {name}({type} {value}, ptr {pointer}, i32 {align}, {masks} {mask})"
        )

    def gather(self, pointer: str, step: Number, dtype: DType, lanes: int, mask: str | None) -> str:
        """`lanes` elements, `step` bytes apart; those that the mask leaves out are not read."""
        type, code = vector(memory_type(dtype), lanes), self.code
        steps = self.splat(str(step), dtypes.int64, lanes)
        numbers = ", ".join(f"i64 {lane}" for lane in range(lanes))
        offsets = code.let(f"mul <{lanes} x i64> {steps}, <{numbers}>")
        places = code.let(f"getelementptr i8, ptr {pointer}, <{lanes} x i64> {offsets}")
        name = f"@llvm.masked.gather.{_suffix(dtype, lanes)}.v{lanes}p0"
        masks = f"<{lanes} x i1>"
        code.module.declare(f"declare {type} {name}(<{lanes} x ptr>, i32, {masks}, {type})")
        chosen = "splat (i1 true)" if mask is None else mask
        return code.let(
            f"call {type} {name}(<{lanes} x ptr> {places}, i32 {dtype.itemsize}, "
            f"{masks} {chosen}, {type} zeroinitializer)"
        )

    def splat(self, value: str, dtype: DType, lanes: int) -> str:
        """`value` in every lane."""
        if lanes == 1:
            return value
        type, element = vector(memory_type(dtype), lanes), memory_type(dtype)
        first = self.code.let(f"insertelement {type} poison, {element} {value}, i64 0")
        return self.code.let(
            f"shufflevector {type} {first}, {type} poison, <{lanes} x i32> zeroinitializer"
        )

    def mask(self, count: Number, lanes: int) -> str | None:
        """The mask of the first `count` lanes; None where that is all of them for certain."""
        if isinstance(count, int):
            if count >= lanes:
                return None
            bits = ", ".join("i1 true" if lane < count else "i1 false" for lane in range(lanes))
            return f"<{bits}>"
        # i32 lanes compare in half the registers; a count beyond the lanes is cut to them first.
        few = self.minimum(count, lanes)
        narrow = self.code.let(f"trunc i64 {few} to i32")
        type = f"<{lanes} x i32>"
        first = self.code.let(f"insertelement {type} poison, i32 {narrow}, i64 0")
        all_lanes = self.code.let(
            f"shufflevector {type} {first}, {type} poison, {type} zeroinitializer"
        )
        numbers = ", ".join(f"i32 {lane}" for lane in range(lanes))
        return self.code.let(f"icmp slt {type} <{numbers}>, {all_lanes}")

    # -- arithmetic -------------------------------------------------------------------------------

    def multiply_add(self, lhs: str, rhs: str, addend: str, dtype: DType, lanes: int) -> str:
        """``lhs * rhs + addend``, rounded once where the processor can; integers wrap around."""
        type = vector(memory_type(dtype), lanes)
        if dtype in dtypes.FLOATING:
            # Not llvm.fma: without an instruction for it, that would be a call of a library.
            operands = [(type, lhs), (type, rhs), (type, addend)]
            return self.code.intrinsic(f"fmuladd.{_suffix(dtype, lanes)}", type, operands)
        product = self.code.let(f"mul {type} {lhs}, {rhs}")
        return self.code.let(f"add {type} {product}, {addend}")

    def sum(self, lhs: str, rhs: str, dtype: DType, lanes: int) -> str:
        """``lhs + rhs``; integers wrap around."""
        name = "fadd" if dtype in dtypes.FLOATING else "add"
        return self.code.let(f"{name} {vector(memory_type(dtype), lanes)} {lhs}, {rhs}")

    def call(self, name: str, operands: Sequence[tuple[str, Number]]) -> None:
        """Calls a function without a result, which may be defined in another module."""
        module, given = self.code.module, ", ".join(f"{type} {value}" for type, value in operands)
        if not module.has_function(name):
            module.declare(f"declare void @{name}({', '.join(type for type, _ in operands)})")
        self.code.do(f"call void @{name}({given})")

    # -- control ----------------------------------------------------------------------------------

    @contextmanager
    def loop(
        self, start: Number, stop: Number, step: Number = 1, once: bool = False
    ) -> Iterator[Number]:
        """Runs what is written inside for start, start + step, ... below stop.

        `once` says that start is below stop for certain, which spares the first test. Where all is
        known and the body runs at most once, there is no loop; never is written as once with
        nothing but the caller's word that it is not so.
        """
        code = self.code
        known = isinstance(start, int) and isinstance(stop, int) and isinstance(step, int)
        if known and start < stop <= start + step:  # type: ignore[operator]
            yield start
            return
        body, done = code.label("loop"), code.label("done")
        if once or (known and start < stop):  # type: ignore[operator]
            before = code.block
            code.jump(body)
        else:
            before = code.block
            code.branch(code.let(f"icmp slt i64 {start}, {stop}"), body, done)
        code.begin(body)
        phi = code.phi("i64")
        phi.add(str(start), before)
        yield phi.name
        following = self.code.let(f"add i64 {phi.name}, {step}")
        phi.add(following, code.block)
        code.branch(code.let(f"icmp slt i64 {following}, {stop}"), body, done)
        code.begin(done)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Runs what is written inside if the i1 `condition` holds."""
        then, done = self.code.label("then"), self.code.label("done")
        self.code.branch(condition, then, done)
        self.code.begin(then)
        yield
        self.code.jump(done)
        self.code.begin(done)

    @contextmanager
    def either(self, condition: str) -> Iterator[Callable[[], None]]:
        """Runs what is written before the yielded function is called, or else what comes after."""
        code = self.code
        then, other, done = code.label("then"), code.label("other"), code.label("done")
        code.branch(condition, then, other)
        code.begin(then)

        def otherwise() -> None:
            code.jump(done)
            code.begin(other)

        yield otherwise
        code.jump(done)
        code.begin(done)


def _suffix(dtype: DType, lanes: int) -> str:
    letter = "f" if dtype in dtypes.FLOATING else "i"
    element = f"{letter}{8 * dtype.itemsize}"
    return element if lanes == 1 else f"v{lanes}{element}"
