"""Lowerings of random words: Philox4x64-10, as ops/random.py says.

A block of four words is found from its number alone, so chunks are computed side by side and the
words do not depend on them.
"""

from __future__ import annotations

from staticgraph.backends.native.ir import Code
from staticgraph.backends.native.kernel_code import KernelCode
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower_basic import target_dims
from staticgraph.backends.native.lower_indexing import declared_dims, done
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, Size, product
from staticgraph.backends.native.values import Array, Buffer, Scalar
from staticgraph.core import dtypes
from staticgraph.core.node import Node, Value

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
# What is added to the key after every round.
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_ROUNDS = 10
_BLOCKS = CHUNK_WORK // 32


def _signed(number: int) -> int:
    """A number of 64 bits as LLVM writes it."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def _words(code: Code, counter: tuple[str, ...], keys: list[tuple[str, str]]) -> tuple[str, ...]:
    """The four words of a counter, with the keys of every round."""
    words = counter
    for key in keys:
        high, low = _product(code, words[0], _MULTIPLIERS[0])
        other_high, other_low = _product(code, words[2], _MULTIPLIERS[1])
        words = (
            _mixed(code, other_high, words[1], key[0]), other_low,
            _mixed(code, high, words[3], key[1]), low,
        )  # fmt: skip
    return words


def _product(code: Code, word: str, multiplier: int) -> tuple[str, str]:
    """The high and the low half of a product of 128 bits."""
    wide = code.let(f"zext i64 {word} to i128")
    wide = code.let(f"mul i128 {wide}, {multiplier}")
    low = code.let(f"trunc i128 {wide} to i64")
    high = code.let(f"lshr i128 {wide}, 64")
    return code.let(f"trunc i128 {high} to i64"), low


def _mixed(code: Code, high: str, word: str, key: str) -> str:
    return code.let(f"xor i64 {code.let(f'xor i64 {high}, {word}')}, {key}")


def _round_keys(code: Code, key: tuple[str, str]) -> list[tuple[str, str]]:
    """The keys of all rounds."""
    keys = [key]
    for number in range(1, _ROUNDS):
        first, second = [
            code.let(f"add i64 {part}, {_signed(number * step)}")
            for part, step in zip(key, _WEYL, strict=True)
        ]
        keys.append((first, second))
    return keys


def _key(program: Program, value: Value) -> tuple[str, str]:
    """The seed, and the run or what stands for it."""
    array = program.array(value)
    seed, run = [
        program.load(dtypes.uint64, program.place(array, [str(number)])).text for number in (0, 1)
    ]
    return seed, run


@lowering("random_fold")
def lower_fold(program: Program, node: Node) -> None:
    """A new key, on the stack."""
    code = program.code
    seed, run = _key(program, node.inputs[0])
    number = program.scalar(node.inputs[1]).text
    # The reference takes no number below 0 for a word.
    program.fail_if(code.let(f"icmp slt i64 {number}, 0"), node)
    words = _words(code, ("1", number, run, "1"), _round_keys(code, (seed, "0")))
    room = code.stack("[2 x i64]")
    result = Array(Buffer(room, owned=False), room, dtypes.uint64, (Size(2),), (ONE,))
    for place, word in enumerate((seed, words[0])):
        program.store(Register(word, dtypes.uint64), program.place(result, [str(place)]))
    program.hold(node.out, result)
    done(program, node)


@lowering("random_bits")
def lower_bits(program: Program, node: Node) -> None:
    """Words in blocks of four."""
    code = program.code
    seed, run = _key(program, node.inputs[0])
    key = (seed, str(_signed(node.attrs["stream"])))
    dims = declared_dims(program, node, target_dims(program, node))
    if not dims:
        words = _words(code, ("1", "0", run, "0"), _round_keys(code, key))
        program.hold(node.out, Scalar(Register(words[0], dtypes.uint64)))
    else:
        result = program.result(node.out, dims, dtypes.uint64)
        _fill(program, result, key, run)
        program.hold(node.out, result)
    done(program, node)


def _fill(program: Program, result: Array, key: tuple[str, str], run: str) -> None:
    """Writes all words of an array."""
    count = product(result.dims)
    if count == Size(0):
        return
    above = program.arithmetic("add", program.text(count), "3")
    blocks = program.code.let(f"lshr i64 {above}, 2") if count.names else str(int(above) // 4)
    kernel = KernelCode(program)
    code = kernel.code
    target, size = kernel.argument(result.pointer, "ptr"), kernel.size(count)
    keys = _round_keys(code, (kernel.argument(key[0]), kernel.argument(key[1])))
    run = kernel.argument(run)
    whole = code.let(f"lshr i64 {size}, 2")
    whole = code.intrinsic("smin.i64", "i64", [("i64", whole), ("i64", "%hi")])

    def block(number: str) -> tuple[str, ...]:
        counter = code.let(f"add i64 {number}, 1")
        return _words(code, (counter, "0", run, "0"), keys)

    def put(number: str) -> None:
        begin = code.let(f"shl i64 {number}, 2")
        for place, word in enumerate(block(number)):
            index = code.let(f"add i64 {begin}, {place}")
            kernel.store(Register(word, dtypes.uint64), kernel.offset(target, dtypes.uint64, index))

    def last(number: str) -> None:
        begin = code.let(f"shl i64 {number}, 2")
        for place, word in enumerate(block(number)[:3]):
            index = code.let(f"add i64 {begin}, {place}")
            register = Register(word, dtypes.uint64)
            address = kernel.offset(target, dtypes.uint64, index)
            inside = code.let(f"icmp slt i64 {index}, {size}")
            kernel.when(inside, lambda r=register, a=address: kernel.store(r, a))  # type: ignore[misc]

    kernel.loop("%lo", whole, put)
    rest = code.intrinsic("smax.i64", "i64", [("i64", whole), ("i64", "%lo")])
    kernel.loop(rest, "%hi", last)
    kernel.call(blocks, str(_BLOCKS))
