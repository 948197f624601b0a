"""Lowerings of random words, fractions and normal deviates, as ops/random/words.py defines them.

A block is found from its number alone, so chunks are computed side by side and nothing depends on
them. Numbers are made of the words while these are in registers.
"""

from __future__ import annotations

from staticgraph.backends.native.ir import element_type
from staticgraph.backends.native.kernels.code import KernelCode
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import target_dims
from staticgraph.backends.native.lower.indexing import declared_dims, done
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.random_code import (
    BlockKey,
    Generator,
    as_short,
    first_words,
    fraction,
    interleaved,
    key_words,
    normal_pair,
    signed,
)
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, Size, product
from staticgraph.backends.native.values import Array, Buffer, Scalar
from staticgraph.core import dtypes
from staticgraph.core.node import Node, Value


def _key(program: Program, value: Value) -> tuple[str, str]:
    """The seed, and the run or what stands for it."""
    array = program.array(value)
    seed, run = [
        program.load(dtypes.uint64, program.place(array, [str(number)])).text for number in (0, 1)
    ]
    return seed, run


def node_key(program: Program, node: Node) -> BlockKey:
    """The key of a random node in this run."""
    seed, run = _key(program, node.inputs[0])
    stream = str(signed(node.attrs["stream"]))
    return BlockKey(*key_words(program.code, ("0", run, "0"), (seed, stream)))


@lowering("random_fold")
def lower_fold(program: Program, node: Node) -> None:
    """A new key, on the stack."""
    code = program.code
    seed, run = _key(program, node.inputs[0])
    number = program.scalar(node.inputs[1]).text
    # The reference takes no number below 0 for a word.
    program.fail_if(code.let(f"icmp slt i64 {number}, 0"), node)
    word, _ = key_words(code, (number, run, "1"), (seed, "0"))
    room = code.stack("[2 x i64]")
    result = Array(Buffer(room, owned=False), room, dtypes.uint64, (Size(2),), (ONE,))
    for place, part in enumerate((seed, word)):
        program.store(Register(part, dtypes.uint64), program.place(result, [str(place)]))
    program.hold(node.out, result)
    done(program, node)


@lowering("random_bits", "random_unit", "random_normal")
def lower_drawn(program: Program, node: Node) -> None:
    """A kernel that fills an array; a single number is made where it is needed."""
    dims = declared_dims(program, node, target_dims(program, node))
    if not dims:
        program.hold(node.out, Scalar(_single(program, node)))
    else:
        result = program.result(node.out, dims, node.out.type.dtype)
        if product(dims) != Size(0):
            _Filling(program, node, result).write()
        program.hold(node.out, result)
    done(program, node)


def _single(program: Program, node: Node) -> Register:
    """Number 0 of a node."""
    code, s, dtype = program.code, program.builder, node.out.type.dtype
    first, second = first_words(code, node_key(program, node))
    if dtype == dtypes.float32:
        halves = first, code.let(f"lshr i64 {first}, 32")
        first, second = [code.let(f"trunc i64 {half} to i32") for half in halves]
    if node.op.name == "random_bits":
        return s.shift_right(Register(first, dtype), 64 - node.attrs["count"])
    if node.op.name == "random_unit":
        return fraction(s, first, dtype, node.attrs["inner"])
    return normal_pair(s, first, second, dtype)[0]


class _Filling:
    """The kernel of a node: groups of neighbouring blocks, as many as a vector has lanes."""

    def __init__(self, program: Program, node: Node, result: Array) -> None:
        self.program, self.node, self.result = program, node, result
        self.dtype = result.dtype
        self.lanes = max(2 * program.options.vector_bytes // 8, 2)
        # How many numbers a group makes.
        self.group = self.lanes * 16 // self.dtype.itemsize
        self.kernel = KernelCode(program)
        key = node_key(program, node)
        given = BlockKey(self.kernel.argument(key.first), self.kernel.argument(key.second))
        self.generator = Generator(self.kernel.code, given, self.lanes)

    def write(self) -> None:
        """Writes the kernel and its call."""
        program, kernel, code = self.program, self.kernel, self.kernel.code
        count = product(self.result.dims)
        target, size = kernel.argument(self.result.pointer, "ptr"), kernel.size(count)
        element = element_type(self.dtype)
        spare = code.stack(f"[{self.group} x {element}]")
        zero = self.generator.constant(0)

        def group(number: str) -> None:
            begin = code.let(f"mul i64 {number}, {self.group}")
            left = code.let(f"sub i64 {size}, {begin}")
            whole = code.let(f"icmp sge i64 {left}, {self.group}")
            place = kernel.offset(target, self.dtype, begin)
            # What is left at the end is made beside, so that nothing is written behind the array.
            into = code.let(f"select i1 {whole}, ptr {place}, ptr {spare}")
            first = code.let(f"mul i64 {number}, {self.lanes}")
            words = self.generator.block(self.generator.numbers(first), zero)
            kernel.store(self._numbers(words), into, self.group)
            rest = code.let(f"xor i1 {whole}, true")
            kernel.when(rest, lambda: self._copy(place, spare, left))

        kernel.loop("%lo", "%hi", group)
        above = program.arithmetic("add", program.text(count), str(self.group - 1))
        if count.names:
            groups = program.code.let(f"sdiv i64 {above}, {self.group}")
        else:
            groups = str(int(above) // self.group)
        work = 8 if self.node.op.name == "random_normal" else 2
        kernel.call(groups, str(max(CHUNK_WORK // (work * self.group), 1)))

    def _copy(self, place: str, spare: str, left: str) -> None:
        code = self.kernel.code
        size = code.let(f"mul i64 {left}, {self.dtype.itemsize}")
        code.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        code.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {place}, ptr {spare}, i64 {size}, i1 false)")

    def _numbers(self, words: tuple[str, str, str, str]) -> Register:
        """The numbers of a group, in order."""
        code, lanes, generator = self.kernel.code, self.lanes, self.generator
        x0, x1, x2, x3 = words
        short = self.dtype == dtypes.float32
        name = self.node.op.name
        if name != "random_normal":
            pair = generator.wide(x0, x1), generator.wide(x2, x3)
            word = interleaved(code, pair[0], pair[1], "i64", lanes)
            if name == "random_bits":
                shift = 64 - self.node.attrs["count"]
                return self._builder(self.group).shift_right(Register(word, self.dtype), shift)
            if short:
                word = as_short(code, word, 2 * lanes)
            s = self._builder(self.group)
            return fraction(s, word, self.dtype, self.node.attrs["inner"])
        if short:
            firsts = as_short(code, generator.wide(x0, x2), lanes)
            seconds = as_short(code, generator.wide(x1, x3), lanes)
        else:
            firsts, seconds = generator.wide(x0, x1), generator.wide(x2, x3)
        half = self.group // 2
        along, across = normal_pair(self._builder(half), firsts, seconds, self.dtype)
        element = element_type(self.dtype)
        mixed = interleaved(code, along.text, across.text, element, half)
        return Register(mixed, self.dtype)

    def _builder(self, lanes: int) -> Scalars:
        return self.program.scalars.builder(self.kernel.code, lanes)
