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
from staticgraph.backends.native.sizes import Size, row_major
from staticgraph.backends.native.stacks import Rows, Stack, kept_of
from staticgraph.backends.native.values import Array, Buffer, Held, Lazy, Scalar
from staticgraph.core.dtypes import DType
from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value
from staticgraph.core.types import TensorType
from staticgraph.ops.loops import lengths_of

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
    program.leave()


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
    # Phis stand at the top of a block; holding a value that nobody uses frees it at once.
    joined = [_joined(program, v.type, ends, number) for number, v in enumerate(node.outputs)]
    for value, held in zip(node.outputs, joined, strict=True):
        program.hold(value, held)
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
        # The stack in whose rows the values stand after the first; the loop owns no others then.
        self.rows: Stack | None = None

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


# -- loops ----------------------------------------------------------------------------------------


@lowering("while")
def lower_while(program: Program, node: Node) -> None:
    """A loop that its condition ends."""
    _Loop(program, node, 0).write()


@lowering("scan")
def lower_scan(program: Program, node: Node) -> None:
    """A loop over the entries of its sequences."""
    _Loop(program, node, node.attrs["sequences"]).write()


class _Parts:
    """A sequence that a scan goes along part by part.

    lengths   the array whose entries say how many rows each step takes
    """

    def __init__(self, program: Program, node: Node, rows: Array, lengths: Array) -> None:
        self.program = program
        self.node = node
        self.rows = rows
        self.lengths = lengths
        self.backwards = bool(node.attrs["reverse"])
        self.phi: Phi | None = None
        self.total = program.text(rows.dims[0])

    def enter(self, before: str) -> None:
        """Writes the phi at the head of the loop: the row at which the steps have arrived."""
        self.phi = self.program.code.phi("i64")
        self.phi.add(self.total if self.backwards else "0", before)

    def entry(self, place: str) -> tuple[Array, str]:
        """The rows of step `place`, and the row at which they leave off."""
        assert self.phi is not None
        program, code = self.program, self.program.code
        at = program.place(self.lengths, [place])
        count = program.load(self.lengths.dtype, at).text
        step = "sub" if self.backwards else "add"
        then = code.let(f"{step} i64 {self.phi.name}, {count}")
        low = code.let(f"icmp slt i64 {then}, 0")
        high = code.let(f"icmp sgt i64 {then}, {self.total}")
        program.fail_if(code.let(f"or i1 {low}, {high}"), self.node)
        program.fail_if(code.let(f"icmp slt i64 {count}, 0"), self.node)
        first = then if self.backwards else self.phi.name
        pointer = program.offset(self.rows.pointer, self.rows.dtype, first, self.rows.strides[0])
        dims = (program.size(count), *self.rows.dims[1:])
        buffer = Buffer(pointer, owned=False)
        return Array(buffer, pointer, self.rows.dtype, dims, self.rows.strides), then

    def leave(self, text: str, block: str) -> None:
        """Adds what the phi becomes when `block` goes back to the head."""
        assert self.phi is not None
        self.phi.add(text, block)

    def finish(self) -> None:
        """Fails where the parts do not add up to the sequence."""
        assert self.phi is not None
        code = self.program.code
        end = "0" if self.backwards else self.total
        self.program.fail_if(code.let(f"icmp ne i64 {self.phi.name}, {end}"), self.node)


class _Loop:
    """A while or a scan while it is written."""

    def __init__(self, program: Program, node: Node, sequences: int) -> None:
        self.program = program
        self.node = node
        self.body: Function = node.attrs["body"]
        self.count: int = node.attrs["carries"]
        operands = node.inputs
        first = self.count + sequences
        for value in operands[self.count :]:
            if value.type.shape == ():
                # A carry that begins with the same value loads it and frees its array, which the
                # body would still read.
                program.scalar(value)
            else:
                _in_memory(program, value)
        self.captures = [_borrowed(program.scope.held[value]) for value in operands[first:]]
        self.sequences = [program.array(value) for value in operands[self.count : first]]
        self.carries = [
            Carry(program, parameter.type, _initial(program, value, parameter.type, node))
            for value, parameter in zip(
                operands[: self.count], self.body.inputs[: self.count], strict=True
            )
        ]
        self.length: Size | None = None
        self.parts: dict[int, _Parts] = {}
        if sequences:
            self._measure()
        self.kept = kept_of(
            program, node, self.body.outputs[self.count :], self._sizes(), self.length
        )

    def _measure(self) -> None:
        """The number of steps, and the sequences that are gone along part by part."""
        program, node = self.program, self.node
        by = lengths_of(node.attrs)
        for number, (sequence, lengths) in enumerate(zip(self.sequences, by, strict=True)):
            if lengths >= 0:
                self.parts[number] = _Parts(program, node, sequence, self.sequences[lengths])
            elif self.length is None:
                self.length = sequence.dims[0]
            else:
                program.require_equal(self.length, sequence.dims[0], node)

    def _sizes(self) -> dict[str, Size]:
        """What the symbols in the types of the body stand for, as the operands show it."""
        sizes: dict[str, Size] = {}
        shapes: list[tuple[Size, ...]] = [
            held.dims if isinstance(held, Array) else ()
            for held in [carry.initial for carry in self.carries]
        ]
        for number, sequence in enumerate(self.sequences):
            dims = sequence.dims[1:]
            shapes.append((Size(0), *dims) if number in self.parts else dims)
        shapes += [held.dims if isinstance(held, Array) else () for held in self.captures]
        for value, dims in zip(self.body.inputs, shapes, strict=True):
            for dim, size in zip(value.type.shape or (), dims, strict=False):
                if isinstance(dim, str):
                    sizes[dim] = size
        return sizes

    def write(self) -> None:
        """The blocks of the loop, and its results."""
        program, code = self.program, self.program.code
        program.loops = True
        for carry in self.carries:
            carry.prepare()
        for kept, value in zip(self.kept, self.node.outputs[self.count :], strict=True):
            kept.allocate(value)
        self._share_rows()
        length = None if self.length is None else program.text(self.length)
        head, inside, after = code.label("head"), code.label("body"), code.label("after")
        before = code.block
        code.jump(head)
        code.begin(head)
        program.notes.loops += 1
        program.enter_block()
        counter = code.phi("i64")
        counter.add("0", before)
        carried: list[Carry | Stack | Rows] = [*self.carries, *self.kept]
        for item in (*carried, *self.parts.values()):
            item.enter(before)
        goes_on = self._goes_on(counter.name, length)
        code.branch(goes_on, inside, after)
        code.begin(inside)
        kernels = len(program.kernels)
        texts, places = self._iteration(counter.name, length)
        next_count = code.let(f"add i64 {counter.name}, 1")
        scalars_only = len(program.kernels) == kernels
        program.scalar_loops |= scalars_only
        self._poll(next_count, scalars_only)
        counter.add(next_count, code.block)
        for item, text in zip(carried, texts, strict=True):
            item.leave(text, code.block)
        for parts, place in zip(self.parts.values(), places, strict=True):
            parts.leave(place, code.block)
        code.jump(head)
        code.begin(after)
        program.leave_block()
        program.notes.loops -= 1
        self._finish(counter.name)

    def _share_rows(self) -> None:
        """Lets a carry that is stacked as it is stand in the stack, and nowhere else."""
        stacks = {
            value: kept
            for kept, value in zip(self.kept, self.body.outputs[self.count :], strict=True)
            if isinstance(kept, Stack) and kept.whole is not None
        }
        for carry, value in zip(self.carries, self.body.outputs, strict=False):
            if not carry.scalar and all(isinstance(dim, int) for dim in carry.type.shape or ()):
                carry.rows = stacks.get(value)

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

    def _iteration(self, counter: str, length: str | None) -> tuple[list[list[str]], list[str]]:
        """The body, once; what the phis of carries, of what is kept and of parts become."""
        program, code = self.program, self.program.code
        place = counter
        if length is not None and self.node.attrs["reverse"]:
            place = code.let(f"sub i64 {length}, {counter}")
            place = code.let(f"sub i64 {place}, 1")
        entries: list[Held] = []
        places: list[str] = []
        for number, sequence in enumerate(self.sequences):
            if number in self.parts:
                rows, then = self.parts[number].entry(place)
                entries.append(rows)
                places.append(then)
            else:
                entries.append(self._entry(sequence, place))
        given = [carry.held(owned=carry.rows is None) for carry in self.carries]
        body = _begin(program, self.body, [*given, *entries, *self.captures])
        self._reserve(body, place)
        lower_nodes(program, body)
        kept = [
            item.push(value, place)
            for item, value in zip(self.kept, body.outputs[self.count :], strict=True)
        ]
        carried = [
            carry.next_texts(self._carried(carry, value, place))
            for carry, value in zip(self.carries, body.outputs[: self.count], strict=True)
        ]
        _end(program)
        return carried + kept, places

    def _carried(self, carry: Carry, value: Value, place: str) -> Held:
        """What a carry is after an iteration."""
        row = None if carry.rows is None else carry.rows.row(place)
        if row is None:
            return _result_of(self.program, value, self.node)
        self.program.used(value)
        return row

    def _reserve(self, body: Function, place: str) -> None:
        """Lets the kernels of the body write entries of stacks where they belong."""
        for item, value in zip(self.kept, body.outputs[self.count :], strict=True):
            row = item.row(place)
            if row is not None and row.dims and value not in self.program.scope.held:
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
        for parts in self.parts.values():
            parts.finish()
        for carry, value in zip(self.carries, node.outputs, strict=False):
            program.hold(value, self._final(carry, value))
        for kept, value in zip(self.kept, node.outputs[self.count :], strict=True):
            program.hold(value, kept.result(count))
        for value in node.inputs[self.count :]:
            program.used(value)
        for value, carry in zip(node.inputs, self.carries, strict=False):
            if carry.scalar:
                program.used(value)

    def _final(self, carry: Carry, value: Value) -> Held:
        """The last value of a carry, in memory of its own."""
        program = self.program
        held = carry.held(owned=carry.rows is None)
        if carry.rows is None:
            return held
        assert isinstance(held, Array) and isinstance(carry.initial, Array)
        own = program.result(value, held.dims, held.dtype)
        program.copy(held, own, self.node)
        program.free(carry.initial.buffer)
        return own
