"""Lowerings of searches (ops/random/search.py): loops over lanes that are not done yet.

As many elements as a vector of float64 has lanes are found at a time. A step is made for all of
them while one still searches, and lanes that are done keep what they have; so an element's value
does not depend on its neighbours.
"""

from __future__ import annotations

from typing import Any

from staticgraph.backends.native.ir import element_type, vector
from staticgraph.backends.native.kernels.code import KernelCode
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import contiguous
from staticgraph.backends.native.lower.indexing import declared_dims, done, hold_array
from staticgraph.backends.native.lower.random import node_key
from staticgraph.backends.native.math.values import Value, where
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.random_code import BlockKey, Generator, interleaved
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ZERO, product
from staticgraph.backends.native.values import Array, Scalar
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node
from staticgraph.ops.random.search import SEARCHES, Search

# What an element costs, in simple operations.
_WORK = 128


class _Registers:
    """`Functions` of registers."""

    def __init__(self, s: Scalars) -> None:
        self.s = s

    def _of(self, register: Register) -> Value:
        return Value(self.s, register)

    def number(self, value: float) -> Value:
        """A float64."""
        return self._of(self.s.constant(value, dtypes.float64))

    def log(self, x: Value) -> Value:
        """The natural logarithm."""
        return self._of(self.s.log(x.register))

    def log1p(self, x: Value) -> Value:
        """``log(1 + x)``."""
        return self._of(self.s.log1p(x.register))

    def exp(self, x: Value) -> Value:
        """e to the x."""
        return self._of(self.s.exp(x.register))

    def sqrt(self, x: Value) -> Value:
        """The square root."""
        return self._of(self.s.sqrt(x.register))

    def cos(self, x: Value) -> Value:
        """The cosine."""
        return self._of(self.s.cos(x.register))

    def floor(self, x: Value) -> Value:
        """The largest integer not above x."""
        return self._of(self.s.floor(x.register))

    def equal(self, x: Value, y: Value | float) -> Value:
        """Whether both are equal."""
        return x.equals(y)

    def where(self, condition: Value, x: Any, y: Any) -> Value:
        """x where the condition holds, else y."""
        return where(condition, x, y)

    def cast(self, x: Value, dtype: DType) -> Value:
        """x converted to `dtype`."""
        return self._of(self.s.cast(x.register, dtype))


@lowering(*SEARCHES)
def lower_search(program: Program, node: Node) -> None:
    """One kernel; a result without axes is an array of one element."""
    keyed = "stream" in node.attrs
    operands = node.inputs[1:] if keyed else node.inputs
    dims = declared_dims(program, node, program.dims(operands[0]))
    for value in operands[1:]:
        for have, want in zip(program.dims(value), dims, strict=True):
            program.require_equal(have, want, node)
    given = [_given(program, value, node) for value in operands]
    result = program.result(node.out, dims, node.out.type.dtype)
    if product(dims) != ZERO:
        key = node_key(program, node) if keyed else None
        _Searching(program, node, result, given, key).write()
    hold_array(program, node, result)
    for parameter in given:
        if isinstance(parameter, Array) and parameter.buffer.owned and not parameter.buffer.users:
            program.free(parameter.buffer)
    done(program, node)


def _given(program: Program, value: Any, node: Node) -> Register | Array:
    """A parameter: one number for all elements, or an array in their order."""
    held = program.scope.held[value]
    if isinstance(held, Scalar):
        return held.register
    array = program.array(value)
    if all(stride == ZERO for stride in array.strides):
        if any(dim.known is None or dim == ZERO for dim in array.dims):
            # Of no elements there is none to be read.
            return contiguous(program, array, node)
        return program.load(array.dtype, array.pointer)
    return contiguous(program, array, node)


class _Searching:
    """The kernel of a node."""

    def __init__(
        self, program: Program, node: Node, result: Array, given: list[Register | Array],
        key: BlockKey | None,
    ) -> None:  # fmt: skip
        self.program, self.node, self.result, self.given = program, node, result, given
        self.lanes = max(program.options.vector_bytes // 8, 2)
        self.kernel = KernelCode(program)
        self.code = self.kernel.code
        self.s = program.scalars.builder(self.code, self.lanes)
        self.m = _Registers(self.s)
        argument = self.kernel.argument
        self.generator: Generator | None = None
        self.sharing: Generator | None = None
        if key is not None:
            passed = BlockKey(argument(key.first), argument(key.second))
            self.generator = Generator(self.code, passed, self.lanes)
            if any(search.shares for search in self._searches()):
                self.sharing = Generator(self.code, passed, self.lanes // 2)

    def _searches(self) -> tuple[Search, ...]:
        return SEARCHES[self.node.op.name](self.node.attrs)

    def write(self) -> None:
        """Writes the kernel and its call: one iteration of its loop finds a vector of elements."""
        kernel, code, lanes, program = self.kernel, self.code, self.lanes, self.program
        count = product(self.result.dims)
        size = kernel.size(count)
        target = kernel.argument(self.result.pointer, "ptr")
        dtype = self.result.dtype
        spare = code.stack(f"[{lanes} x i64]")
        readers = [self._reader(parameter) for parameter in self.given]
        searches = self._searches()

        def group(number: str) -> None:
            begin = code.let(f"mul i64 {number}, {lanes}")
            left = code.let(f"sub i64 {size}, {begin}")
            whole = code.let(f"icmp sge i64 {left}, {lanes}")
            parameters = tuple([reader(begin, whole, left) for reader in readers])
            wanted = self._below(left)
            found: Value | None = None
            for search in searches:
                found = self._search(search, begin, wanted, parameters, found)
            assert found is not None
            place = kernel.offset(target, dtype, begin)
            into = code.let(f"select i1 {whole}, ptr {place}, ptr {spare}")
            kernel.store(found.register, into, lanes)
            self._beside(whole, place, spare, left, dtype)

        kernel.loop("%lo", "%hi", group)
        above = program.arithmetic("add", program.text(count), str(lanes - 1))
        groups = program.code.let(f"sdiv i64 {above}, {lanes}") if count.names else str(
            int(above) // lanes
        )  # fmt: skip
        kernel.call(groups, str(CHUNK_WORK // (_WORK * lanes)))

    def _beside(self, whole: str, into: str, source: str, left: str, dtype: DType) -> None:
        """Copies what is left of the last vector, which does not fill it."""
        code = self.code
        rest = code.let(f"mul i64 {left}, {dtype.itemsize}")
        code.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self.kernel.when(code.let(f"xor i1 {whole}, true"), lambda: code.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {into}, ptr {source}, i64 {rest}, i1 false)"
        ))  # fmt: skip

    def _reader(self, parameter: Register | Array) -> Any:
        """A function that reads a parameter for the elements from `begin` on."""
        kernel, code, lanes = self.kernel, self.code, self.lanes
        if isinstance(parameter, Register):
            type = element_type(parameter.dtype)
            text = kernel.argument(parameter.text, type)
            wide = vector(type, lanes)
            one = code.entry_let(f"insertelement {wide} poison, {type} {text}, i64 0")
            zeros = f"<{lanes} x i32> zeroinitializer"
            splat = code.entry_let(f"shufflevector {wide} {one}, {wide} poison, {zeros}")
            value = Value(self.s, Register(splat, parameter.dtype))
            return lambda begin, whole, left: value
        dtype = parameter.dtype
        pointer = kernel.argument(parameter.pointer, "ptr")
        spare = code.stack(f"[{lanes} x i64]")
        code.entry(f"store [{lanes} x i64] zeroinitializer, ptr {spare}")

        def read(begin: str, whole: str, left: str) -> Value:
            place = kernel.offset(pointer, dtype, begin)
            self._beside(whole, spare, place, left, dtype)
            source = code.let(f"select i1 {whole}, ptr {place}, ptr {spare}")
            return Value(self.s, kernel.load(dtype, source, lanes))

        return read

    def _below(self, left: str) -> Value:
        """Which lanes have an element."""
        numbers = ", ".join(f"i64 {lane}" for lane in range(self.lanes))
        type = vector("i64", self.lanes)
        one = self.code.let(f"insertelement {type} poison, i64 {left}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        splat = self.code.let(f"shufflevector {type} {one}, {type} poison, {zeros}")
        text = self.code.let(f"icmp slt {type} <{numbers}>, {splat}")
        return Value(self.s, Register(text, dtypes.bool_))

    def _any(self, condition: Value) -> str:
        bits = self.code.let(
            f"bitcast <{self.lanes} x i1> {condition.register.text} to i{self.lanes}"
        )
        return self.code.let(f"icmp ne i{self.lanes} {bits}, 0")

    def _words(self, numbers: str, drawn: str, count: int) -> list[Value]:
        """The words of `count` blocks of every lane's element, from the one that is next."""
        words = []
        for number in range(count):
            assert self.generator is not None
            at = drawn if number == 0 else self.code.let(f"add i64 {drawn}, {number}")
            x0, x1, x2, x3 = self.generator.block(numbers, self.generator.splat(at))
            for low, high in ((x0, x1), (x2, x3)):
                word = Register(self.generator.wide(low, high), dtypes.uint64)
                words.append(Value(self.s, word))
        return words

    def _shared_word(self, begin: str, drawn: str) -> list[Value]:
        """One word of every lane's element: lanes come in pairs that share a block."""
        code, sharing = self.code, self.sharing
        assert sharing is not None
        numbers = sharing.numbers(code.let(f"lshr i64 {begin}, 1"))
        x0, x1, x2, x3 = sharing.block(numbers, sharing.splat(drawn))
        pair = sharing.wide(x0, x1), sharing.wide(x2, x3)
        if sharing.lanes > 1:
            word = interleaved(code, pair[0], pair[1], "i64", sharing.lanes)
        else:
            one = code.let(f"insertelement <2 x i64> poison, i64 {pair[0]}, i64 0")
            word = code.let(f"insertelement <2 x i64> {one}, i64 {pair[1]}, i64 1")
        return [Value(self.s, Register(word, dtypes.uint64))]

    def _search(
        self, search: Search, begin: str, wanted: Value, parameters: tuple[Value, ...],
        found: Value | None,
    ) -> Value:  # fmt: skip
        """The values found by one search, in the lanes to which it applies; `found` in others."""
        code = self.code
        if search.applies is not None:
            wanted = wanted & search.applies(self.m, parameters)
        outside, inside, after = code.block, code.label(), code.label()
        code.branch(self._any(wanted), inside, after)
        code.begin(inside)
        state = self._loop(search, begin, wanted, parameters)
        value: Value = search.finish(self.m, state, parameters)
        if found is not None:
            value = where(wanted, value, found)
        last = code.block
        code.jump(after)
        code.begin(after)
        phi = code.phi(self.s.type(value.dtype))
        phi.add(value.register.text, last)
        before = self.s.constant(0, value.dtype) if found is None else found.register
        phi.add(before.text, outside)
        return Value(self.s, Register(phi.name, value.dtype))

    def _loop(
        self, search: Search, begin: str, wanted: Value, parameters: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """The state at the end of every lane."""
        code = self.code
        numbers = self.generator.numbers(begin) if self.generator is not None else ""
        first = search.start(self.m, self._words(numbers, "0", search.begins), parameters)
        before, head, after = code.block, code.label(), code.label()
        code.jump(head)
        code.begin(head)
        drawn, pending = code.phi("i64"), code.phi(self.s.type(dtypes.bool_))
        drawn.add(str(search.begins), before)
        pending.add(wanted.register.text, before)
        phis = [code.phi(self.s.type(value.dtype)) for value in first]
        for phi, value in zip(phis, first, strict=True):
            phi.add(value.register.text, before)
        state = tuple([
            Value(self.s, Register(phi.name, value.dtype))
            for phi, value in zip(phis, first, strict=True)
        ])  # fmt: skip
        if search.shares:
            words = self._shared_word(begin, drawn.name)
        else:
            words = self._words(numbers, drawn.name, search.draws)
        ended, moved = search.step(self.m, words, state, parameters)
        searching = Value(self.s, Register(pending.name, dtypes.bool_))
        kept = tuple([
            where(searching, new, old) for new, old in zip(moved, state, strict=True)
        ])  # fmt: skip
        goes_on = searching & (ended ^ True)
        last = code.block
        drawn.add(code.let(f"add i64 {drawn.name}, {search.draws or int(search.shares)}"), last)
        pending.add(goes_on.register.text, last)
        for phi, value in zip(phis, kept, strict=True):
            phi.add(value.register.text, last)
        again = self._any(goes_on)
        code.branch(again, head, after)
        code.begin(after)
        return kept
