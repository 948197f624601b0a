"""The main function of a plan while it is written: values, memory, sizes, checks, calls of kernels.

A `Program` writes ``i32 @sg_main(ptr ctx, ptr inputs)``. It knows what every value of the Function
is at this point (values.py), frees a buffer after the last use of the last value in it, and leaves
the function with a number other than 0 where something fails. What becomes of an op is said
elsewhere: by fusion.py for elementwise ops and reductions, by the modules of lower/ for the rest.

Result codes: 0 done; n > 0 failed at site n (`sites`); -1 a Python exception is pending; -2 there
is no memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from staticgraph.backends.native.fusion import Fusion
from staticgraph.backends.native.ir import UNREAD, Code, Module, aligned, in_slot, memory_type
from staticgraph.backends.native.kernels.functions import ScalarOptions
from staticgraph.backends.native.nest import Access, Expression, Nest, work_of
from staticgraph.backends.native.nest_runs import multiple, run_nest
from staticgraph.backends.native.notes import MEMORY, Notes
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product, row_major, size_of
from staticgraph.backends.native.values import Array, Buffer, Held, Lazy, Scalar
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node, Value

# A chunk of a parallel loop is about this many simple element operations: some 10 microseconds.
CHUNK_WORK = 1 << 16

INTERRUPTED = -1
NO_MEMORY = -2


@dataclass(frozen=True)
class Options:
    """What a session asks of the code.

    vector_bytes    the width of the machine's vectors, of which there are `registers`
    check_numerics  stop where a NaN or an infinity is made of finite operands
    contract        a multiply and an add may round once
    fused           the machine has a fused multiply-add
    """

    vector_bytes: int = 64
    registers: int = 32
    check_numerics: bool = False
    contract: bool = False
    fused: bool = True

    @property
    def scales(self) -> bool:
        """Whether numbers are scaled by powers of two in one instruction; see math/scale.py."""
        return self.vector_bytes == 64


@dataclass
class Scope:
    """What holds in one Function: the outermost one, a body or a branch.

    Sizes computed in a body do not exist outside of it, so each scope has its own table.
    """

    held: dict[Value, Held] = field(default_factory=dict)
    uses: dict[Value, int] = field(default_factory=dict)
    products: dict[Size, str] = field(default_factory=dict)
    symbols: dict[str, Size] = field(default_factory=dict)
    destinations: dict[Value, list[int]] = field(default_factory=dict)
    # Shapes that are data: the sizes in an int64 vector whose entries are known as scalars.
    vectors: dict[Value, list[Size]] = field(default_factory=dict)
    # Results of the run that are written already, per value; and memory set aside for others.
    given: dict[Value, list[int]] = field(default_factory=dict)
    reserved: dict[Value, Array] = field(default_factory=dict)
    fusion: Fusion = field(init=False)


class Program:
    """Writes the main function; the result is in `module`, `sites`, `constants` and `hosts`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.scalars = ScalarOptions(options.contract, options.fused, options.scales)
        self.module = Module()
        self.code = Code(self.module, "sg_main", "i32", ("ptr %ctx", "ptr %inputs"))
        self.builder = self.scalars.builder(self.code, 1)
        self.sites: list[Node] = []
        # How often the code of a function of many instructions stands in the main function.
        self.copies: dict[str, int] = {}
        self.constants: list[np.ndarray[Any, Any]] = []
        self.hosts: list[Any] = []
        self.notes = Notes()
        # After the commit nothing may fail, so nothing is polled.
        self.committed = False
        # Whether there are loops, and loops that are worth several threads.
        self.loops = self.parallel = False
        # Whether there are loops that do all their work in the main function itself.
        self.scalar_loops = False
        self.kernels: list[str] = []
        # The kernels of products, by all that they depend on.
        self.product_kernels: dict[Hashable, str] = {}
        self._products_outside: list[dict[Size, str]] = []
        self.scopes: list[Scope] = []
        self.enter()
        self._failures: dict[int, str] = {}
        self._argument_slots = 1
        self._arguments_line = self.code.reserve_entry()

    def enter(self) -> Scope:
        """Opens the scope of a Function, which is the innermost one until `leave`."""
        self.scope = Scope()
        self.scope.fusion = Fusion(self)
        self.scopes.append(self.scope)
        return self.scope

    def leave(self) -> None:
        """Closes the innermost scope."""
        self.scopes.pop()
        self.scope = self.scopes[-1]

    def enter_block(self) -> None:
        """Begins code that may be passed by: sizes multiplied there are not known after it."""
        self._products_outside.append(dict(self.scope.products))

    def leave_block(self) -> None:
        """Ends what `enter_block` began."""
        self.scope.products = self._products_outside.pop()

    # -- sizes ------------------------------------------------------------------------------------

    def text(self, size: Size) -> str:
        """A size as an operand of type i64."""
        if not size.names:
            return str(size.factor)
        if len(size.names) == 1 and size.factor == 1:
            return size.names[0]
        for scope in reversed(self.scopes):
            if size in scope.products:
                return scope.products[size]
        text = size.names[0]
        for name in size.names[1:]:
            text = self.code.let(f"mul i64 {text}, {name}")
        if size.factor != 1:
            text = self.code.let(f"mul i64 {text}, {size.factor}")
        self.scope.products[size] = text
        return text

    def size(self, text: str) -> Size:
        """The size that an i64 operand stands for."""
        return Size(int(text)) if not text.startswith("%") else size_of(text)

    # -- failing ----------------------------------------------------------------------------------

    def leave_if(self, condition: str, code: int) -> None:
        """Leaves the function with `code` where the i1 `condition` holds."""
        label = self._failures.get(code)
        if label is None:
            label = self._failures[code] = f"leave{len(self._failures)}"
        goes_on = self.code.label()
        self.code.branch(condition, label, goes_on)
        self.code.begin(goes_on)

    def fail_if(self, condition: str, node: Node) -> None:
        """Leaves with the site of `node`, whose error the caller then makes, if `condition`."""
        if condition == "false":
            return
        if not self.sites or self.sites[-1] is not node:
            self.sites.append(node)
        self.leave_if(condition, len(self.sites))

    def check_call(self, result: str) -> None:
        """Leaves where a runtime function has returned something other than 0."""
        self.leave_if(self.code.let(f"icmp ne i32 {result}, 0"), INTERRUPTED)

    def poll(self) -> None:
        """Leaves where the user has interrupted the run."""
        self.module.declare("declare i32 @sg_poll(ptr)")
        self.check_call(self.code.let("call i32 @sg_poll(ptr %ctx)"))

    # -- memory -----------------------------------------------------------------------------------

    def allocate(self, dims: tuple[Size, ...], dtype: DType) -> Array:
        """A new array in the arena."""
        self.notes.buffer(dims, dtype)
        count = self.text(product(dims).times(Size(dtype.itemsize)))
        self.module.declare("declare ptr @sg_alloc(ptr, i64)")
        pointer = self.code.let(f"call ptr {self.code.callee('sg_alloc')}(ptr %ctx, i64 {count})")
        self.leave_if(self.code.let(f"icmp eq ptr {pointer}, null"), NO_MEMORY)
        return Array(Buffer(pointer, owned=True), pointer, dtype, dims, row_major(dims))

    def output(self, index: int, dims: tuple[Size, ...], dtype: DType) -> Array:
        """Result `index` of the run, an array that the caller will own."""
        self.module.declare("declare ptr @sg_output(ptr, i32, ptr)")
        room = self.code.stack(f"[{max(len(dims), 1)} x i64]", 8)
        for axis, dim in enumerate(dims):
            place = self.code.let(f"getelementptr i64, ptr {room}, i64 {axis}")
            self.code.do(f"store i64 {self.text(dim)}, ptr {place}")
        callee = self.code.callee("sg_output")
        pointer = self.code.let(f"call ptr {callee}(ptr %ctx, i32 {index}, ptr {room})")
        self.leave_if(self.code.let(f"icmp eq ptr {pointer}, null"), INTERRUPTED)
        return Array(Buffer(pointer, owned=False), pointer, dtype, dims, row_major(dims))

    def free(self, buffer: Buffer) -> None:
        """Gives an owned buffer back."""
        if not buffer.owned or buffer.freed:
            return
        buffer.freed = True
        self.module.declare("declare void @sg_free(ptr, ptr)")
        self.code.do(f"call void {self.code.callee('sg_free')}(ptr %ctx, ptr {buffer.pointer})")
        self.code.called()

    def retain(self, held: Held) -> None:
        """Notes one more user of the buffer of an array."""
        if isinstance(held, Array):
            held.buffer.users += 1

    def release(self, held: Held) -> None:
        """Notes one user less; the buffer is freed after the last."""
        if isinstance(held, Array):
            held.buffer.users -= 1
            if held.buffer.users == 0:
                self.free(held.buffer)

    # -- values -----------------------------------------------------------------------------------

    def hold(self, value: Value, held: Held) -> None:
        """Says what `value` is from now on."""
        if value in self.scope.held:
            before = self.scope.held[value]
            self.retain(held)
            self.scope.held[value] = held
            self.release(before)
            return
        self.scope.held[value] = held
        self.retain(held)
        if not self.scope.uses.get(value):
            self.release(held)

    def used(self, value: Value) -> None:
        """Notes one use of a value as done; its memory goes after the last."""
        uses = self.scope.uses
        uses[value] -= 1
        if uses[value] == 0:
            self.release(self.scope.held[value])

    def dims(self, value: Value) -> tuple[Size, ...]:
        """The dims of a value in this run."""
        held = self.scope.held[value]
        return () if isinstance(held, Scalar) else held.dims

    # -- single elements --------------------------------------------------------------------------

    def load(self, dtype: DType, pointer: str) -> Register:
        """One element from memory."""
        text = self.code.let(f"load {memory_type(dtype)}, ptr {pointer}{aligned(dtype)}")
        if dtype == dtypes.bool_:
            text = self.code.let(f"icmp ne i8 {text}, 0")
        return Register(text, dtype)

    def store(self, register: Register, pointer: str) -> None:
        """One element to memory."""
        text = register.text
        if register.dtype == dtypes.bool_:
            text = self.code.let(f"zext i1 {text} to i8")
        type = memory_type(register.dtype)
        self.code.do(f"store {type} {text}, ptr {pointer}{aligned(register.dtype)}")

    def place(self, array: Array, indices: Sequence[str]) -> str:
        """The address of one element."""
        pointer = array.pointer
        for index, stride in zip(indices, array.strides, strict=True):
            pointer = self.offset(pointer, array.dtype, index, stride)
        return pointer

    def offset(self, pointer: str, dtype: DType, index: str, stride: Size) -> str:
        """`pointer` moved by `index` steps of `stride` elements."""
        if index == "0" or stride == ZERO:
            return pointer
        if not index.startswith("%"):
            moved = self.text(stride.times(Size(int(index))))
        elif stride == ONE:
            moved = index
        else:
            moved = self.code.let(f"mul i64 {index}, {self.text(stride)}")
        return self.code.let(f"getelementptr {memory_type(dtype)}, ptr {pointer}, i64 {moved}")

    def arithmetic(self, op: str, lhs: str, rhs: str) -> str:
        """An i64 instruction, folded where both operands are known."""
        if not lhs.startswith("%") and not rhs.startswith("%"):
            known = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__}.get(op)
            if known is not None:
                return str(known(int(lhs), int(rhs)))
        if (op in ("add", "sub") and rhs == "0") or (op == "mul" and rhs == "1"):
            return lhs
        return self.code.let(f"{op} i64 {lhs}, {rhs}")

    def constant(self, value: np.ndarray[Any, Any]) -> Array:
        """An array that the plan keeps; its address is put into a table when code is loaded."""
        array = np.ascontiguousarray(value)
        number = len(self.constants)
        self.constants.append(array)
        pointer = self.code.entry_let(f"getelementptr ptr, ptr @sg_constants, i64 {number}")
        pointer = self.code.entry_let(f"load ptr, ptr {pointer}")
        dims = tuple([Size(dim) for dim in array.shape])
        return Array(Buffer(pointer, owned=False), pointer, array.dtype, dims, row_major(dims))

    # -- arrays and scalars of values -------------------------------------------------------------

    def array(self, value: Value, why: str = MEMORY) -> Array:
        """A value in memory; a group that computes it is written now, for the reason given."""
        held = self.scope.held[value]
        if isinstance(held, Lazy):
            self.notes.stop(value.node, why)
            self.scope.fusion.write(held.group)
            held = self.scope.held[value]
        if isinstance(held, Scalar):
            held = self._spilled(held)
            self.hold(value, held)
        assert isinstance(held, Array)
        return held

    def _spilled(self, scalar: Scalar) -> Array:
        dtype = scalar.register.dtype
        room = self.code.stack(memory_type(dtype), 8)
        self.store(scalar.register, room)
        return Array(Buffer(room, owned=False), room, dtype, (), ())

    def scalar(self, value: Value) -> Register:
        """A 0-d value in a register."""
        held = self.scope.held[value]
        if isinstance(held, Scalar):
            return held.register
        array = self.array(value)
        register = self.load(array.dtype, array.pointer)
        self.hold(value, Scalar(register))
        return register

    def result(self, value: Value, dims: tuple[Size, ...], dtype: DType) -> Array:
        """Memory for a value that is computed now: a result of the run where it is one."""
        reserved = self.scope.reserved.pop(value, None)
        if reserved is not None:
            return reserved
        wanted = self.scope.destinations.get(value)
        if wanted:
            index = wanted.pop(0)
            self.scope.given.setdefault(value, []).append(index)
            return self.output(index, dims, dtype)
        return self.allocate(dims, dtype)

    def stride_along(self, dim: Size, stride: Size, extent: Size) -> Size:
        """The stride of an operand whose `dim` is walked to `extent`: 0 where it is repeated."""
        if dim == extent:
            return stride
        if dim == ONE:
            return ZERO
        single = self.code.let(f"icmp eq i64 {self.text(dim)}, 1")
        return self.size(self.code.let(f"select i1 {single}, i64 0, i64 {self.text(stride)}"))

    def broadcast(self, shapes: Sequence[tuple[Size, ...]], node: Node) -> tuple[Size, ...]:
        """The dims of a broadcast; sizes that only the run knows are compared in it."""
        ndim = max(map(len, shapes), default=0)
        result = [ONE] * ndim
        for dims in shapes:
            lead = ndim - len(dims)
            for number, dim in enumerate(dims):
                result[lead + number] = self._joined(result[lead + number], dim, node)
        return tuple(result)

    def _joined(self, first: Size, second: Size, node: Node) -> Size:
        if first == second or second == ONE:
            return first
        if first == ONE:
            return second
        code = self.code
        one, other = self.text(first), self.text(second)
        equal = code.let(f"icmp eq i64 {one}, {other}")
        if first.known is not None:
            fits = code.let(f"icmp eq i64 {other}, 1")
            joined = first
        elif second.known is not None:
            fits = code.let(f"icmp eq i64 {one}, 1")
            joined = second
        else:
            single = code.let(f"icmp eq i64 {one}, 1")
            fits = code.let(f"or i1 {single}, {code.let(f'icmp eq i64 {other}, 1')}")
            joined = self.size(code.let(f"select i1 {single}, i64 {other}, i64 {one}"))
        fits = code.let(f"or i1 {equal}, {fits}")
        self.fail_if(code.let(f"xor i1 {fits}, true"), node)
        return joined

    def require_equal(self, first: Size, second: Size, node: Node) -> None:
        """Fails at `node` where two sizes differ in the run."""
        if first != second:
            differ = self.code.let(f"icmp ne i64 {self.text(first)}, {self.text(second)}")
            self.fail_if(differ, node)

    # -- kernels ----------------------------------------------------------------------------------

    def copy(self, source: Array, target: Array, node: Node) -> None:
        """Copies elements between arrays of equal dims."""
        nest = Nest(target.dims, 0)
        strides = [
            self.stride_along(dim, stride, extent)
            for dim, stride, extent in zip(source.dims, source.strides, target.dims, strict=True)
        ]
        loaded = Expression("load", source.dtype)
        loaded.access = Access(source.pointer, source.dtype, tuple(strides))
        nest.expressions.append(loaded)
        nest.stores.append((loaded, Access(target.pointer, target.dtype, target.strides)))
        self.run(nest, node)

    def fill(self, target: Array, register: Register, node: Node) -> None:
        """Sets every element of an array."""
        zero = register.text in ("0", "false", "0x0000000000000000", "zeroinitializer")
        if zero and target.contiguous:
            count = self.text(product(target.dims).times(Size(target.dtype.itemsize)))
            self.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            self.code.do(
                f"call void @llvm.memset.p0.i64(ptr {target.pointer}, i8 0, i64 {count}, i1 false)"
            )
            return
        nest = Nest(target.dims, 0)
        value = Expression("parameter", register.dtype, parameter=register, row=True, phase=-1)
        spread = Expression("spread", register.dtype, (value,), phase=0)
        nest.expressions += [value, spread]
        nest.stores.append((spread, Access(target.pointer, target.dtype, target.strides)))
        self.run(nest, node)

    def run(self, nest: Nest, node: Node, serial: bool = False) -> None:
        """Writes a kernel for `nest` and calls it; errors in it are those of `node`.

        A reduction of the nest whose target has an `array` is completed there: chunks of a parallel
        loop add up side by side, and then one after the other in their order.
        """
        run_nest(self, nest, node, serial)

    def grain(self, nest: Nest, lanes: int) -> str:
        """How much of the first axis a chunk of a parallel loop is: a function of sizes alone."""
        work = work_of(nest)
        row = product(nest.domain[1:])
        wanted = max(CHUNK_WORK // work, lanes)
        step = lanes if len(nest.domain) == 1 else 1
        if row.known is not None:
            return str(multiple(max(wanted // max(row.known, 1), 1), step))
        rows = self.code.let(f"sdiv i64 {wanted}, {self._at_least_one(self.text(row))}")
        rows = self.code.let(f"add i64 {rows}, 1")
        return rows

    def _at_least_one(self, text: str) -> str:
        return self.code.intrinsic("smax.i64", "i64", [("i64", text), ("i64", "1")])

    def call(
        self,
        name: str,
        arguments: Sequence[tuple[str, str]],
        count: str,
        grain: str | None,
    ) -> None:
        """Calls a kernel for [0, count), in chunks of `grain`; in one go where that is None.

        arguments   the (value, type) that its slots hold; UNREAD for one that it does not read
        """
        for number, (text, type) in enumerate(arguments):
            if text == UNREAD:
                continue
            place = self.code.let(f"getelementptr i64, ptr %arguments, i64 {number}")
            self.code.do(f"store {type} {text}, ptr {place}{in_slot(type)}")
        self._argument_slots = max(self._argument_slots, len(arguments))
        small = grain is None or (
            not grain.startswith("%") and not count.startswith("%") and int(count) <= int(grain)
        )
        if small:
            callee = self.code.callee(name)
            self.code.do(f"call void {callee}(ptr %arguments, i64 0, i64 {count})")
            self.code.called()
            return
        self.parallel = True
        self.module.declare("declare i32 @sg_parallel_for(ptr, ptr, ptr, i64, i64)")
        callee = self.code.callee("sg_parallel_for")
        self.check_call(
            self.code.let(
                f"call i32 {callee}(ptr %ctx, ptr @{name}, ptr %arguments, "
                f"i64 {count}, i64 {grain})"
            )
        )

    def chunks(self, extent: Size, grain: str) -> Size:
        """How many chunks a parallel loop has."""
        if extent.known is not None and grain.isdigit():
            return Size(-(-extent.known // int(grain)))
        above = self.arithmetic("add", self.text(extent), self.arithmetic("sub", grain, "1"))
        return self.size(self.code.let(f"sdiv i64 {above}, {grain}"))

    # -- the end ----------------------------------------------------------------------------------

    @property
    def long(self) -> bool:
        """Whether a run may take more than some 10 microseconds, as far as can be told now."""
        return self.loops or self.parallel

    def finish(self) -> None:
        """Ends the main function and adds it to the module."""
        if self.constants:
            self.module.add_global(
                f"@sg_constants = global [{len(self.constants)} x ptr] zeroinitializer"
            )
        self.code.do("ret i32 0")
        for code, label in self._failures.items():
            self.code.begin(label)
            self.code.do(f"ret i32 {code}")
        self.code.fill_entry(
            self._arguments_line,
            f"%arguments = alloca [{self._argument_slots} x i64], align 16",
        )
        # Beside a kernel the code that calls it takes no time worth more effort.
        self.code.finish(level=1 if self.scalar_loops else 0)
