"""Loops and branches: bodies become part of the same machine code, and nothing returns to Python.

A scalar that is carried is a register, an array that is carried an address with its dims. A body
owns the arrays that it carries: it frees what it was given after the last use, and what it returns
must be its own, so that a loop of any length needs the memory of one step. What a loop stacks goes
straight into the rows of the stack where their size is known before the loop; otherwise the stack
grows by doubling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from staticgraph.backends.native.ir import Phi, element_type
from staticgraph.backends.native.lower import count_uses, lower_nodes, lowering, prepared
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import Size, product, row_major
from staticgraph.backends.native.values import Array, Buffer, Held, Lazy, Scalar
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value
from staticgraph.core.types import TensorType

# A loop of scalars asks for signals once in so many iterations, about a millisecond.
_SCALAR_POLL = 1 << 16


def _borrowed(held: Held) -> Held:
    """A value of an outer scope for an inner one, which must not free it."""
    if not isinstance(held, Array):
        return held
    buffer = Buffer(held.buffer.pointer, owned=False)
    return Array(buffer, held.pointer, held.dtype, held.dims, held.strides)


def _in_memory(program: Program, value: Value) -> Held:
    """A value that inner scopes can use: a register or an array."""
    held = program.scope.held[value]
    return program.array(value) if isinstance(held, Lazy) else held


def _begin(program: Program, function: Function, given: Sequence[Held]) -> Function:
    """Opens the scope of a body whose inputs are `given`; the body as it is lowered."""
    body = prepared(program, function)
    scope = program.enter()
    count_uses(body, scope.uses)
    for value, held in zip(body.inputs, given, strict=True):
        if isinstance(held, Array) and value.type.shape == ():
            held = Scalar(program.load(held.dtype, held.pointer))
        program.hold(value, held)
    return body


def _end(program: Program) -> None:
    program.scopes.pop()


def _taken(program: Program, value: Value, node: Node) -> Array:
    """The array of a result of a body, in memory that belongs to whoever takes it."""
    array = program.array(value)
    scope = program.scope
    own = (
        array.buffer.owned
        and not array.buffer.freed
        and array.buffer.users == 1
        and scope.uses[value] == 1
        and array.contiguous
        and array.pointer == array.buffer.pointer
    )
    if own:
        scope.uses[value] = 0
        array.buffer.users = 0
        array.buffer.freed = True
        return Array(
            Buffer(array.pointer, owned=True), array.pointer, array.dtype, array.dims, array.strides
        )
    copy = program.allocate(array.dims, array.dtype)
    program.copy(array, copy, node)
    program.used(value)
    return copy


# -- branches -------------------------------------------------------------------------------------


@lowering("cond", "switch_case")
def lower_branches(program: Program, node: Node) -> None:
    """One block per branch; results are joined after them."""
    code = program.code
    chosen = program.scalar(node.inputs[0])
    given = [_borrowed(_in_memory(program, value)) for value in node.inputs[1:]]
    branches: tuple[Function, ...] = node.attrs["branches"]
    labels = [code.label("branch") for _ in branches]
    after = code.label("joined")
    if node.op.name == "cond":
        code.branch(chosen.text, labels[0], labels[1])
    else:
        index = _as_index(program, chosen)
        wrong = code.let(f"icmp uge i64 {index}, {len(branches)}")
        program.fail_if(wrong, node)
        cases = " ".join(f"i64 {n}, label %{label}" for n, label in enumerate(labels))
        code.do(f"switch i64 {index}, label %{labels[0]} [ {cases} ]")
    ends: list[_End] = []
    for branch, label in zip(branches, labels, strict=True):
        code.begin(label)
        body = _begin(program, branch, given)
        lower_nodes(program, body)
        results = [_result_of(program, value, node) for value in body.outputs]
        # Sizes are written out in the block that they belong to.
        texts = [
            [program.text(dim) for dim in held.dims] if isinstance(held, Array) else []
            for held in results
        ]
        ends.append(_End(code.block, results, texts))
        _end(program)
        code.jump(after)
    code.begin(after)
    for number, value in enumerate(node.outputs):
        program.hold(value, _joined(program, value.type, ends, number))
    for value in node.inputs:
        program.used(value)


def _as_index(program: Program, register: Register) -> str:
    type = element_type(register.dtype)
    if type == "i64":
        return register.text
    extend = "zext" if register.dtype.kind == "u" else "sext"
    return program.code.let(f"{extend} {type} {register.text} to i64")


def _result_of(program: Program, value: Value, node: Node) -> Held:
    """A result of a body: a register, or an array that the taker owns."""
    if value.type.shape == ():
        register = program.scalar(value)
        program.used(value)
        return Scalar(register)
    return _taken(program, value, node)


@dataclass
class _End:
    """The end of a branch: its last block, its results, and the dims of those that are arrays."""

    block: str
    results: list[Held]
    dims: list[list[str]]


def _joined(program: Program, type: TensorType, ends: Sequence[_End], number: int) -> Held:
    """Result `number`, which comes from one of several blocks."""
    code = program.code
    first = ends[0].results[number]
    if isinstance(first, Scalar):
        phi = code.phi(element_type(first.register.dtype))
        for end in ends:
            held = end.results[number]
            assert isinstance(held, Scalar)
            phi.add(held.register.text, end.block)
        return Scalar(Register(phi.name, first.register.dtype))
    pointer = code.phi("ptr")
    for end in ends:
        held = end.results[number]
        assert isinstance(held, Array)
        pointer.add(held.pointer, end.block)
    dims: list[Size] = []
    for axis, dim in enumerate(type.shape or ()):
        if isinstance(dim, int):
            dims.append(Size(dim))
            continue
        phi = code.phi("i64")
        for end in ends:
            phi.add(end.dims[number][axis], end.block)
        dims.append(program.size(phi.name))
    shape = tuple(dims)
    return Array(
        Buffer(pointer.name, owned=True), pointer.name, type.dtype, shape, row_major(shape)
    )


# -- what is carried ------------------------------------------------------------------------------


class Carry:
    """A loop variable: a phi for a scalar; for an array one for its address and unknown dims."""

    def __init__(self, program: Program, type: TensorType, initial: Held) -> None:
        self.program = program
        self.dtype: DType = type.dtype
        self.type = type
        self.scalar = type.shape == ()
        self.dims: tuple[Size, ...] = ()
        self.phis: list[Phi] = []
        self.initial = initial

    def enter(self, before: str) -> None:
        """Writes the phis at the head of the loop."""
        code = self.program.code
        if self.scalar:
            assert isinstance(self.initial, Scalar)
            phi = code.phi(element_type(self.dtype))
            phi.add(self.initial.register.text, before)
            self.phis = [phi]
            return
        assert isinstance(self.initial, Array)
        pointer = code.phi("ptr")
        pointer.add(self.initial.pointer, before)
        self.phis = [pointer]
        dims: list[Size] = []
        for axis, dim in enumerate(self.type.shape or ()):
            if isinstance(dim, int):
                dims.append(Size(dim))
                continue
            phi = code.phi("i64")
            phi.add(self.initial_texts[axis], before)
            self.phis.append(phi)
            dims.append(self.program.size(phi.name))
        self.dims = tuple(dims)

    def prepare(self) -> None:
        """Makes what `enter` needs, before the loop."""
        if isinstance(self.initial, Array):
            self.initial_texts = [self.program.text(dim) for dim in self.initial.dims]

    def held(self, owned: bool) -> Held:
        """The value of this iteration."""
        if self.scalar:
            return Scalar(Register(self.phis[0].name, self.dtype))
        pointer = self.phis[0].name
        return Array(Buffer(pointer, owned), pointer, self.dtype, self.dims, row_major(self.dims))

    def next_texts(self, held: Held) -> list[str]:
        """What the phis become after an iteration that gives `held`."""
        if isinstance(held, Scalar):
            return [held.register.text]
        assert isinstance(held, Array)
        texts = [held.pointer]
        for axis, dim in enumerate(self.type.shape or ()):
            if not isinstance(dim, int):
                texts.append(self.program.text(held.dims[axis]))
        return texts

    def leave(self, texts: Sequence[str], block: str) -> None:
        """Adds what the phis become when `block` goes back to the head."""
        for phi, text in zip(self.phis, texts, strict=True):
            phi.add(text, block)


def _initial(program: Program, value: Value, type: TensorType, node: Node) -> Held:
    """The first value of a carry; an array in memory that the loop owns."""
    held = _in_memory(program, value)
    if type.shape == ():
        return Scalar(program.scalar(value))
    assert isinstance(held, Array)
    if program.scope.uses[value] == 1:
        return _taken(program, value, node)
    copy = program.allocate(held.dims, held.dtype)
    program.copy(held, copy, node)
    program.used(value)
    return copy


# -- what is stacked ------------------------------------------------------------------------------


class Stack:
    """A growing array, one entry per iteration.

    With `length` and entries of known dims it is allocated whole. Otherwise its address, capacity
    and the dims of its entries are carried by the loop.
    """

    def __init__(
        self, program: Program, node: Node, result: Value, entry: TensorType, length: Size | None
    ) -> None:
        self.program = program
        self.node = node
        self.dtype: DType = entry.dtype
        self.length = length
        shape = entry.shape or ()
        self.known = all(isinstance(dim, int) for dim in shape)
        self.ndim = len(shape)
        self.dims = tuple([Size(dim if isinstance(dim, int) else 0) for dim in shape])
        self.whole: Array | None = None
        self.phis: list[Phi] = []
        if self.known and length is not None:
            self.whole = program.result(result, (length, *self.dims), self.dtype)
        else:
            self.first = program.allocate((Size(64),), dtypes.uint8)

    def enter(self, before: str) -> None:
        """Writes the phis at the head of the loop."""
        if self.whole is not None:
            return
        code = self.program.code
        pointer, capacity = code.phi("ptr"), code.phi("i64")
        pointer.add(self.first.pointer, before)
        capacity.add("0", before)
        self.phis = [pointer, capacity]
        if not self.known:
            dims: list[Size] = []
            for dim in self.dims:
                phi = code.phi("i64")
                phi.add(str(dim.factor), before)
                self.phis.append(phi)
                dims.append(self.program.size(phi.name))
            self.dims = tuple(dims)

    def row(self, count: str) -> Array | None:
        """The memory of the next entry, where that can be told before there is one."""
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
        if not self.known:
            self._check(dims)
        pointer, capacity = self._grown(dims, count)
        size = product(dims)
        entry = Array(Buffer(pointer, owned=False), pointer, self.dtype, dims, row_major(dims))
        entry.pointer = program.offset(pointer, self.dtype, count, size)
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

    def _check(self, dims: Sequence[Size]) -> None:
        """Entries of one stack have one shape."""
        code = self.program.code
        later = code.let(f"icmp ne i64 {self.phis[1].name}, 0")
        for have, want in zip(dims, self.dims, strict=True):
            differ = code.let(f"icmp ne i64 {self.program.text(have)}, {self.program.text(want)}")
            self.program.fail_if(code.let(f"and i1 {later}, {differ}"), self.node)

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
        if self.length is not None:
            # The first entry has shown how large all of them are.
            wanted = program.text(self.length)
        else:
            doubled = code.let(f"shl i64 {capacity}, 1")
            wanted = code.intrinsic("smax.i64", "i64", [("i64", doubled), ("i64", "16")])
        total = code.let(f"mul i64 {wanted}, {size}")
        room = program.allocate((program.size(total),), dtypes.uint8).pointer
        used = code.let(f"mul i64 {capacity}, {size}")
        program.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        code.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {room}, ptr {pointer}, i64 {used}, i1 false)"
        )
        program.free(Buffer(pointer, owned=True))
        end = code.block
        code.jump(goes_on)
        code.begin(goes_on)
        joined, larger = code.phi("ptr"), code.phi("i64")
        joined.add(pointer, before)
        joined.add(room, end)
        larger.add(capacity, before)
        larger.add(wanted, end)
        return joined.name, larger.name

    def leave(self, texts: Sequence[str], block: str) -> None:
        """Adds what the phis become when `block` goes back to the head."""
        for phi, text in zip(self.phis, texts, strict=True):
            phi.add(text, block)

    def result(self, count: str) -> Array:
        """The whole stack, after the loop."""
        if self.whole is not None:
            return self.whole
        pointer = self.phis[0].name
        dims = (self.program.size(count), *self.dims)
        return Array(Buffer(pointer, owned=True), pointer, self.dtype, dims, row_major(dims))


# -- loops ----------------------------------------------------------------------------------------


@lowering("while")
def lower_while(program: Program, node: Node) -> None:
    """A loop that its condition ends."""
    _Loop(program, node, 0).write()


@lowering("scan")
def lower_scan(program: Program, node: Node) -> None:
    """A loop over the entries of its sequences."""
    _Loop(program, node, node.attrs["sequences"]).write()


class _Loop:
    """A while or a scan while it is written."""

    def __init__(self, program: Program, node: Node, sequences: int) -> None:
        self.program = program
        self.node = node
        self.body: Function = node.attrs["body"]
        self.count: int = node.attrs["carries"]
        self.sequences: list[Array] = []
        operands = node.inputs
        first = self.count + sequences
        for value in operands[self.count :]:
            _in_memory(program, value)
        self.captures = [_borrowed(program.scope.held[value]) for value in operands[first:]]
        for value in operands[self.count : first]:
            self.sequences.append(program.array(value))
        self.carries = [
            Carry(program, parameter.type, _initial(program, value, parameter.type, node))
            for value, parameter in zip(
                operands[: self.count], self.body.inputs[: self.count], strict=True
            )
        ]
        self.length: Size | None = None
        if sequences:
            self.length = self.sequences[0].dims[0]
            for sequence in self.sequences[1:]:
                program.require_equal(self.length, sequence.dims[0], node)
        self.stacks = [
            Stack(program, node, result, value.type, self.length)
            for result, value in zip(
                node.outputs[self.count :], self.body.outputs[self.count :], strict=True
            )
        ]

    def write(self) -> None:
        """The blocks of the loop, and its results."""
        program, code = self.program, self.program.code
        program.loops = True
        for carry in self.carries:
            carry.prepare()
        length = None if self.length is None else program.text(self.length)
        head, inside, after = code.label("head"), code.label("body"), code.label("after")
        before = code.block
        code.jump(head)
        code.begin(head)
        counter = code.phi("i64")
        counter.add("0", before)
        carried: list[Carry | Stack] = [*self.carries, *self.stacks]
        for item in carried:
            item.enter(before)
        goes_on = self._goes_on(counter.name, length)
        code.branch(goes_on, inside, after)
        code.begin(inside)
        kernels = len(program.kernels)
        texts = self._iteration(counter.name, length)
        next_count = code.let(f"add i64 {counter.name}, 1")
        self._poll(next_count, scalars_only=len(program.kernels) == kernels)
        counter.add(next_count, code.block)
        for item, text in zip(carried, texts, strict=True):
            item.leave(text, code.block)
        code.jump(head)
        code.begin(after)
        self._finish(counter.name)

    def _goes_on(self, counter: str, length: str | None) -> str:
        program, code = self.program, self.program.code
        if length is not None:
            return code.let(f"icmp slt i64 {counter}, {length}")
        condition: Function = self.node.attrs["cond"]
        given = [carry.held(owned=False) for carry in self.carries]
        body = _begin(program, condition, [*given, *self.captures])
        lower_nodes(program, body)
        holds = program.scalar(body.outputs[0]).text
        _end(program)
        most = self.node.attrs["maximum_iterations"]
        if most is not None:
            below = code.let(f"icmp slt i64 {counter}, {most}")
            holds = code.let(f"and i1 {below}, {holds}")
        return holds

    def _iteration(self, counter: str, length: str | None) -> list[list[str]]:
        """The body, once; what the phis of carries and stacks become."""
        program, code = self.program, self.program.code
        place = counter
        if length is not None and self.node.attrs["reverse"]:
            place = code.let(f"sub i64 {length}, {counter}")
            place = code.let(f"sub i64 {place}, 1")
        entries = [self._entry(sequence, place) for sequence in self.sequences]
        given = [carry.held(owned=True) for carry in self.carries]
        body = _begin(program, self.body, [*given, *entries, *self.captures])
        self._reserve(body, place)
        lower_nodes(program, body)
        texts: list[list[str]] = []
        stacked: list[list[str]] = []
        for stack, value in zip(self.stacks, body.outputs[self.count :], strict=True):
            stacked.append(stack.push(value, place))
        for carry, value in zip(self.carries, body.outputs[: self.count], strict=True):
            texts.append(carry.next_texts(_result_of(program, value, self.node)))
        _end(program)
        return texts + stacked

    def _reserve(self, body: Function, place: str) -> None:
        """Lets the kernels of the body write entries of stacks where they belong."""
        for stack, value in zip(self.stacks, body.outputs[self.count :], strict=True):
            row = stack.row(place)
            if row is not None and stack.ndim and value not in self.program.scope.held:
                self.program.scope.reserved.setdefault(value, row)

    def _entry(self, sequence: Array, place: str) -> Held:
        pointer = self.program.offset(sequence.pointer, sequence.dtype, place, sequence.strides[0])
        return Array(
            Buffer(pointer, owned=False), pointer, sequence.dtype, sequence.dims[1:],
            sequence.strides[1:],
        )  # fmt: skip

    def _poll(self, count: str, scalars_only: bool) -> None:
        program, code = self.program, self.program.code
        if not scalars_only:
            program.poll()
            return
        low = code.let(f"and i64 {count}, {_SCALAR_POLL - 1}")
        due, after = code.label("poll"), code.label("polled")
        code.branch(code.let(f"icmp eq i64 {low}, 0"), due, after)
        code.begin(due)
        program.poll()
        code.jump(after)
        code.begin(after)

    def _finish(self, count: str) -> None:
        """Holds the results, and lets go of the operands."""
        program, node = self.program, self.node
        for carry, value in zip(self.carries, node.outputs, strict=False):
            program.hold(value, carry.held(owned=True))
        for stack, value in zip(self.stacks, node.outputs[self.count :], strict=True):
            program.hold(value, stack.result(count))
        for value in node.inputs[self.count :]:
            program.used(value)
        for value, carry in zip(node.inputs, self.carries, strict=False):
            if carry.scalar:
                program.used(value)
