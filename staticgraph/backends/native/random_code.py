"""Code of the generators that ops/random/words.py defines, and what is made of their words.

Philox4x32 works on 64-bit lanes of which the low half counts, so that its products are one
instruction of any vector width. The lanes of a vector are neighbouring blocks: words come out block
by block, and are put in order when they are stored.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from staticgraph.backends.native.ir import Code, vector
from staticgraph.backends.native.math import logarithm as math_logarithm
from staticgraph.backends.native.math.values import Value, integer_to_float, polynomial, where
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.ops.random.words import MULTIPLIERS, ROUNDS, SIGNIFICANT, STEPS

# Philox4x64: the multipliers, and what is added to the key after every round.
_WIDE_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WIDE_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)

_UNSIGNED = {4: dtypes.uint32, 8: dtypes.uint64}
_SIGNED = {4: dtypes.int32, 8: dtypes.int64}


def signed(number: int) -> int:
    """A number of 64 bits as LLVM writes it."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


# -- keys: Philox4x64 of one counter --------------------------------------------------------------


def key_words(code: Code, counter: tuple[str, ...], key: tuple[str, str]) -> tuple[str, str]:
    """The words 0 and 1 of a counter that begins with 1, by a call: a program may need many."""
    name = "philox_key"
    if not code.module.has_function(name):
        given = ("%c1", "%c2", "%c3", "%k0", "%k1")
        body = Code(code.module, name, "internal {i64, i64}", [f"i64 {word}" for word in given])
        words = _wide_words(body, ("1", *given[:3]), given[3:])
        _return_pair(body, words[0], words[1])
    return _called_pair(code, name, (*counter, *key))


def _return_pair(body: Code, first: str, second: str) -> None:
    """Ends a function that gives two i64, and adds it to the module."""
    pair = body.let(f"insertvalue {{i64, i64}} poison, i64 {first}, 0")
    pair = body.let(f"insertvalue {{i64, i64}} {pair}, i64 {second}, 1")
    body.do(f"ret {{i64, i64}} {pair}")
    body.module.add_function(body.name, body.text())


def _called_pair(code: Code, name: str, operands: tuple[str, ...]) -> tuple[str, str]:
    given = ", ".join(f"i64 {operand}" for operand in operands)
    pair = code.let(f"call {{i64, i64}} {code.callee(name)}({given})")
    code.called()
    first, second = [code.let(f"extractvalue {{i64, i64}} {pair}, {place}") for place in (0, 1)]
    return first, second


def _wide_words(code: Code, counter: tuple[str, ...], key: tuple[str, str]) -> tuple[str, ...]:
    """The four 64-bit words of a counter."""
    words, keys = counter, key
    for number in range(ROUNDS):
        if number:
            first, second = [
                code.let(f"add i64 {part}, {signed(number * step)}")
                for part, step in zip(key, _WIDE_STEPS, strict=True)
            ]
            keys = (first, second)
        high, low = _wide_product(code, words[0], _WIDE_MULTIPLIERS[0])
        other_high, other_low = _wide_product(code, words[2], _WIDE_MULTIPLIERS[1])
        words = (
            _mixed(code, other_high, words[1], keys[0]), other_low,
            _mixed(code, high, words[3], keys[1]), low,
        )  # fmt: skip
    return words


def _wide_product(code: Code, word: str, multiplier: int) -> tuple[str, str]:
    """The high and the low half of a product of 128 bits."""
    wide = code.let(f"zext i64 {word} to i128")
    wide = code.let(f"mul i128 {wide}, {multiplier}")
    low = code.let(f"trunc i128 {wide} to i64")
    high = code.let(f"lshr i128 {wide}, 64")
    return code.let(f"trunc i128 {high} to i64"), low


def _mixed(code: Code, high: str, word: str, key: str) -> str:
    return code.let(f"xor i64 {code.let(f'xor i64 {high}, {word}')}, {key}")


# -- blocks: Philox4x32 of many counters ----------------------------------------------------------


class BlockKey(NamedTuple):
    """The key of a node in a run as the kernels take it: two i64 of the caller."""

    first: str
    second: str


class Generator:
    """Writes blocks into one function; what depends on the key alone is computed at its entry."""

    def __init__(self, code: Code, key: BlockKey, lanes: int) -> None:
        self.code, self.lanes = code, lanes
        self.type = vector("i64", lanes)
        low = self._entry(f"and i64 {key.first}, 4294967295")
        high = self._entry(f"lshr i64 {key.first}, 32")
        self.salt = self._splat_at_entry(self._entry(f"and i64 {key.second}, 4294967295"))
        self.keys: list[tuple[str, str]] = []
        for number in range(ROUNDS):
            one, two = [
                self._entry(f"add i64 {part}, {number * step}")
                for part, step in zip((low, high), STEPS, strict=True)
            ]
            self.keys.append((self._splat_at_entry(one), self._splat_at_entry(two)))

    def _entry(self, instruction: str) -> str:
        return self.code.entry_let(instruction)

    def _splat_at_entry(self, text: str) -> str:
        if self.lanes == 1:
            return text
        one = self._entry(f"insertelement {self.type} poison, i64 {text}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self._entry(f"shufflevector {self.type} {one}, {self.type} poison, {zeros}")

    def constant(self, number: int) -> str:
        """A number in every lane."""
        return str(number) if self.lanes == 1 else f"splat (i64 {number})"

    def splat(self, text: str) -> str:
        """A 64-bit number of the run in every lane."""
        if self.lanes == 1:
            return text
        let = self.code.let
        one = let(f"insertelement {self.type} poison, i64 {text}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return let(f"shufflevector {self.type} {one}, {self.type} poison, {zeros}")

    def numbers(self, first: str) -> str:
        """The numbers from an i64 on, one per lane."""
        if self.lanes == 1:
            return first
        steps = ", ".join(f"i64 {lane}" for lane in range(self.lanes))
        return self.code.let(f"add {self.type} {self.splat(first)}, <{steps}>")

    def block(self, numbers: str, drawn: str) -> tuple[str, str, str, str]:
        """The four words of the blocks of these numbers, in 64-bit lanes of any upper half."""
        do = self._do
        words = (numbers, do("lshr", numbers, self.constant(32)), drawn, self.salt)
        for first, second in self.keys:
            near = do("mul", self._low(words[0]), self.constant(MULTIPLIERS[0]))
            far = do("mul", self._low(words[2]), self.constant(MULTIPLIERS[1]))
            high, other = do("lshr", near, self.constant(32)), do("lshr", far, self.constant(32))
            words = (
                do("xor", do("xor", other, words[1]), first), far,
                do("xor", do("xor", high, words[3]), second), near,
            )  # fmt: skip
        return words

    def wide(self, low: str, high: str) -> str:
        """Two 32-bit words as one of 64 bits."""
        return self._do("or", self._low(low), self._do("shl", high, self.constant(32)))

    def _low(self, text: str) -> str:
        return self._do("and", text, self.constant(0xFFFFFFFF))

    def _do(self, name: str, lhs: str, rhs: str) -> str:
        return self.code.let(f"{name} {self.type} {lhs}, {rhs}")


def first_words(code: Code, key: BlockKey) -> tuple[str, str]:
    """The 64-bit words 0 and 1 of a node, by a call."""
    name = "philox_block"
    if not code.module.has_function(name):
        body = Code(code.module, name, "internal {i64, i64}", ["i64 %k", "i64 %s"])
        generator = Generator(body, BlockKey("%k", "%s"), 1)
        x0, x1, x2, x3 = generator.block("0", "0")
        _return_pair(body, generator.wide(x0, x1), generator.wide(x2, x3))
    return _called_pair(code, name, key)


def interleaved(code: Code, first: str, second: str, element: str, lanes: int) -> str:
    """The elements of two vectors of `lanes`, in turn."""
    order = ", ".join(f"i32 {place}, i32 {place + lanes}" for place in range(lanes))
    type = vector(element, lanes)
    return code.let(f"shufflevector {type} {first}, {type} {second}, <{2 * lanes} x i32> <{order}>")


def as_short(code: Code, text: str, lanes: int) -> str:
    """Vectors of 64-bit words as twice as many of 32 bits, the low ones first."""
    return code.let(f"bitcast {vector('i64', lanes)} {text} to {vector('i32', 2 * lanes)}")


# -- numbers made of words ------------------------------------------------------------------------


def fraction(s: Scalars, word: str, dtype: DType, inner: bool) -> Register:
    """A uniform number made of a word as wide as the dtype."""
    bits, count = 8 * dtype.itemsize, SIGNIFICANT[dtype]
    word_dtype = _UNSIGNED[dtype.itemsize]
    whole = Register(word, word_dtype)
    if inner:
        whole = s.shift_right(whole, bits - count + 1)
        whole = s.bitwise_or(s.shift_left(whole, 1), s.constant(1, word_dtype))
    else:
        whole = s.shift_right(whole, bits - count)
    # A signed integer of the same size holds the bits and is converted in one step.
    number = s.cast(s.cast(whole, _SIGNED[dtype.itemsize]), dtype)
    return s.multiply(number, s.constant(2.0**-count, dtype))


def _turns(power: int, terms: int) -> tuple[float, ...]:
    """Coefficients of the Taylor series of cos (power 0) or sin (1) of 2 pi t, in t**2."""
    return tuple([
        (-1) ** term * (2.0 * math.pi) ** (2 * term + power) / math.factorial(2 * term + power)
        for term in range(terms)
    ])  # fmt: skip


# Enough terms for t up to 1/8: what is left out is below 2e-9 and 2e-18.
_COSINE = {dtypes.float32: _turns(0, 6), dtypes.float64: _turns(0, 10)}
_SINE = {dtypes.float32: _turns(1, 5), dtypes.float64: _turns(1, 9)}


def normal_pair(s: Scalars, first: str, second: str, dtype: DType) -> tuple[Register, Register]:
    """Two standard normal deviates made of two words as wide as the dtype."""
    radius = _radius(s, first, dtype)
    bits = 8 * dtype.itemsize
    word = Value(s, Register(second, _SIGNED[dtype.itemsize]))
    # The nearest quarter of the circle, and how far the angle is from it.
    quarter = Value(s, s.shift_right(
        Register((word + (1 << (bits - 3))).register.text, _UNSIGNED[dtype.itemsize]), bits - 2
    ))  # fmt: skip
    turn = ((word << 2) >> 2).cast(dtype) * 2.0**-bits
    square = turn * turn
    cosine, sine = polynomial(square, _COSINE[dtype]), turn * polynomial(square, _SINE[dtype])
    odd = (quarter & 1).differs(0)
    along, across = where(odd, sine, cosine), where(odd, cosine, sine)
    # The cosine is negative in quarters 1 and 2, the sine in 2 and 3.
    whole = Value(s, Register(quarter.register.text, _SIGNED[dtype.itemsize]))
    turned = ((whole + 1) >> 1) << (bits - 1)
    below = (whole >> 1) << (bits - 1)
    return (
        (radius * (along.bits() ^ turned).as_float()).register,
        (radius * (across.bits() ^ below).as_float()).register,
    )


def _radius(s: Scalars, word: str, dtype: DType) -> Value:
    bits = 8 * dtype.itemsize
    half = s.shift_right(Register(word, _UNSIGNED[dtype.itemsize]), 1)
    number = Value(s, s.cast(s.cast(half, _SIGNED[dtype.itemsize]), dtype))
    # In (0, 1] and never subnormal, so the logarithm needs none of its precautions.
    exponent, m = math_logarithm.parts((number + 0.5) * 2.0 ** (1 - bits))
    logarithm = math_logarithm.combined(integer_to_float(exponent, dtype), m - 1.0)
    return Value(s, s.sqrt((logarithm * -2.0).register))
