"""One case for every rule: an expression that it rewrites, in the words of a user.

A name after the rule's name (``rule: variant``) tells several cases of one rule apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

import staticgraph as sg
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import get

FLOATS = ("float32", "float64")
INTEGERS = ("int32", "uint8", "int64")
SIGNED = ("int32", "int8")
BOOLS = ("bool",)


@dataclass(frozen=True)
class Case:
    """How to write what a rule rewrites.

    build     from one placeholder per operand to the expression
    dtypes    of the operands
    shapes    per operand: the shape in the golden file and of most fed arrays
    others    further shapes that may be fed, one tuple of shapes per choice
    truth     for rules that round differently: the value in float64, from NumPy and SciPy
    shifted   the value is a difference of the operand and its maximum, and rounds as those do
    declared  the shapes of the golden file where sizes must not be known
    first     dtype of the first operand where it is not that of the others
    largest   what both sides add up on the way, at its largest: where the left side is not finite
              the right one is within the rounding of that, and where that overflows may be anything
    """

    build: Callable[..., Any]
    dtypes: tuple[str, ...] = FLOATS
    shapes: tuple[tuple[int, ...], ...] | None = None
    others: tuple[tuple[tuple[int, ...], ...], ...] = ()
    truth: Callable[..., Any] | None = None
    first: str | None = None
    shifted: bool = False
    declared: tuple[tuple[int | str | None, ...], ...] | None = None
    largest: Callable[..., Any] | None = None

    @property
    def operands(self) -> int:
        """How many placeholders `build` takes."""
        return self.build.__code__.co_argcount

    @property
    def default_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each operand in the golden file."""
        return self.shapes or ((2, 3),) * self.operands

    @property
    def fed_shapes(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """All choices of shapes that are fed."""
        if self.others or self.shapes:
            return (self.default_shapes, *self.others)
        broadcasts = {
            1: (((4,),), ((),), ((0, 2),)),
            2: (((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 3), ()), ((), (3,))),
            3: (((3,), (2, 3), ()), ((2, 1), (1, 3), (3,)), ((), (3,), (2, 1))),
            4: (((3,), (2, 3), (), (2, 1)), ((), (3,), (2, 1), (1, 3))),
        }
        return (self.default_shapes, *broadcasts[self.operands])


def node(name: str, *operands: Tensor, **attrs: Any) -> Tensor:
    """A node that the public functions would not make, since they see what it is for."""
    return operands[0].graph.add(get(name), operands, attrs).out


def _slope_of_log_softmax(x: Tensor, y: Tensor) -> Tensor:
    share = sg.softmax(x) * (y / sg.softmax(x))
    return share - sg.softmax(x) * sg.sum(share, axis=-1, keepdims=True)


def reversed_axes(x: Tensor) -> Tensor:
    """What ``permute_dims(x)`` is where the rank of `x` is not known."""
    return node("permute_dims", x, axes=None)


def _custom(x: Tensor) -> Tensor:
    @sg.custom_gradient
    def doubled(x: Tensor) -> Any:
        return x + x, lambda adjoint: adjoint

    return doubled(x)


def _full(x: Any, value: float, shape: tuple[int, ...] = (2, 3)) -> Tensor:
    return sg.constant(np.full(shape, value, x.dtype))


MOVEMENT = {
    "identity": Case(lambda x: sg.identity(x)),
    "identity: stop_gradient": Case(lambda x: sg.stop_gradient(x)),
    "custom gradient": Case(_custom),
    "cast to the same dtype": Case(lambda x: node("cast", x, dtype=x.dtype)),
    "cast of cast": Case(lambda x: sg.cast(sg.cast(x, "float64"), "float32"), ("float32", "int16")),
    "cast of cast: integers": Case(lambda x: sg.cast(sg.cast(x, "int64"), "uint8"), ("int32",)),
    "permute in order": Case(lambda x: sg.permute_dims(x, (0, 1)), shapes=((2, 3),)),
    "reverse axes twice": Case(lambda x: reversed_axes(reversed_axes(x))),
    "permute of permute": Case(
        lambda x: sg.permute_dims(sg.permute_dims(x, (1, 2, 0)), (0, 2, 1)), shapes=((2, 3, 4),)
    ),
    "permute of permute: reversed": Case(
        lambda x: reversed_axes(sg.permute_dims(x, (1, 2, 0))), shapes=((2, 3, 4),)
    ),
    "permute of permute: of reversed": Case(
        lambda x: sg.permute_dims(reversed_axes(x), (1, 2, 0)), shapes=((2, 3, 4),)
    ),
    "squeeze of expand": Case(
        lambda x: sg.squeeze(sg.expand_dims(x, (0, 2)), (0, 2)), shapes=((2, 3),)
    ),
    "expand of squeeze": Case(lambda x: sg.expand_dims(sg.squeeze(x, 1), 1), shapes=((2, 1),)),
    "no axes to move": Case(lambda x: node("expand_dims", x, axes=())),
    "shape of known sizes": Case(lambda x: node("shape", x)),
    "known size": Case(lambda x: node("size", x, axis=None)),
    "known size: axis": Case(lambda x: node("size", x, axis=1), shapes=((2, 3),)),
    "shape of elementwise": Case(lambda x: node("shape", sg.exp(x)), declared=((None, 3),)),
    "size of elementwise": Case(
        lambda x: node("size", sg.exp(x), axis=None), declared=((None, 3),)
    ),
    "shape of an input": Case(lambda x: sg.shape(x + x), declared=((None, 3),)),
    "size of an input": Case(
        lambda x, y: sg.size(sg.permute_dims(x) @ y, 0),
        shapes=((3, 2), (3, 4)), declared=((3, None), (3, 4)),
    ),
    "reshape to the same shape": Case(lambda x: sg.reshape(x, (2, 3)), shapes=((2, 3),)),
    "reshape of reshape": Case(
        lambda x: sg.reshape(sg.reshape(x, (3, 2)), (6,)), shapes=((2, 3),)
    ),
    "reshape with moved axes of size one": Case(
        lambda x: sg.reshape(sg.expand_dims(x, 1), (6,)), shapes=((2, 3),)
    ),
    "broadcast to the same shape": Case(
        lambda x: sg.broadcast_to(x, (2, 3)), shapes=((2, 3),), others=(((3,),), ((2, 1),))
    ),
    "broadcast of broadcast": Case(
        lambda x: sg.broadcast_to(sg.broadcast_to(x, (1, 3)), (2, 3)),
        shapes=((3,),), others=(((1,),),),
    ),
    "sum to the same shape": Case(lambda x: node("sum_to", x, shape=(2, 3)), shapes=((2, 3),)),
    "sizes that are constants": Case(
        lambda x: node("reshape", x, sg.constant(np.array([3, -1])), shape=(None, None)),
        shapes=((2, 3),),
    ),
    "sizes that are constants: broadcast": Case(
        lambda x: node("broadcast_to", x, sg.constant(np.array([4, 3])), shape=(None, None)),
        shapes=((3,),),
    ),
    "sizes that are known": Case(
        lambda x, y: node("broadcast_to", x, sg.shape(y), shape=(2, 3)),
        shapes=((3,), (2, 3)), declared=((3,), (None, 3)),
    ),
    "broadcast operand": Case(
        lambda x, y: x + sg.broadcast_to(y, (2, 3)), shapes=((2, 3), (3,)), others=(((3,), (3,)),)
    ),
    "broadcast operand, first": Case(
        lambda x, y: sg.broadcast_to(x, (2, 3)) * y, shapes=((3,), (2, 3)), others=(((3,), (3,)),)
    ),
    "broadcast branch": Case(
        lambda c, x, y: sg.where(c, sg.broadcast_to(x, (2, 3)), y),
        shapes=((2, 3), (3,), (2, 3)), first="bool",
    ),
    "broadcast branch, second": Case(
        lambda c, x, y: sg.where(c, x, sg.broadcast_to(y, (2, 3))),
        shapes=((2, 3), (2, 3), (3,)), first="bool",
    ),
    "broadcast condition": Case(
        lambda c, x, y: sg.where(sg.broadcast_to(c, (2, 3)), x, y),
        shapes=((3,), (2, 3), (2, 3)), first="bool",
    ),
    "elementwise of broadcast": Case(
        lambda x: sg.exp(sg.broadcast_to(x, (2, 3))), shapes=((3,),), others=(((1,),), ((),))
    ),
    "elementwise of broadcast: cast": Case(
        lambda x, y: sg.cast(node("broadcast_to", x, sg.shape(y), shape=(None, 3)), "int32"),
        BOOLS, shapes=((3,), (2, 3)), declared=((3,), (None, 3)),
    ),
    "broadcast and scalar": Case(
        lambda x, y: sg.broadcast_to(x, (2, 3)) - y, shapes=((3,), ()), others=(((1,), ()),)
    ),
    "scalar and broadcast": Case(
        lambda x, y: x < sg.broadcast_to(y, (2, 3)), shapes=((), (3,)), others=(((), (1,)),)
    ),
    "constant of one number": Case(
        lambda x: x * _full(x, 0.3), shapes=((2, 3),), others=(((3,),), ((),))
    ),
    "constant of one number, first": Case(
        lambda x: _full(x, 0.3) / x, shapes=((2, 3),), others=(((3,),), ((),))
    ),
    "expand of expand": Case(lambda x: sg.expand_dims(sg.expand_dims(x, (0, 2)), (1, 5))),
    "squeeze of squeeze": Case(
        lambda x: sg.squeeze(sg.squeeze(x, (0, 2)), (1,)), shapes=((1, 3, 1, 1, 2),)
    ),
    "shape of broadcast": Case(
        lambda x, y: sg.shape(node("broadcast_to", sg.exp(x), sg.shape(y), shape=(None, 3))),
        shapes=((3,), (2, 3)), declared=((3,), (None, 3)),
    ),
    "slice of everything": Case(
        lambda x: node("slice", x, index=((0, 3, 1),), shape=None), shapes=((3,),)
    ),
    "slice of slice": Case(lambda x: x[1:8:2][1:3], shapes=((9, 2),)),
    "slice of slice: backward": Case(lambda x: x[::-1, 0][:4:3], shapes=((9, 2),)),
    "slice of slice: entry": Case(lambda x: x[7:2:-2][-1], shapes=((9, 2),)),
    "slice of slice: nothing left": Case(lambda x: x[5:][6:], shapes=((9,),)),
    "slice of slice: to the start": Case(lambda x: x[:5][::-2], shapes=((9,),)),
    "slice of slice: turned twice": Case(
        lambda x: x[::-1][::-1, ::-1], shapes=((2, 3),), declared=((None, 3),)
    ),
    "concat of one": Case(lambda x: sg.concat([x], axis=0), shapes=((2, 3),)),
    "pad by nothing": Case(lambda x: sg.pad(x, 0), shapes=((2, 3),)),
    "reduction over no axes": Case(lambda x: sg.max(x, axis=()), (*FLOATS, *INTEGERS, *BOOLS)),
    "sum over no axes": Case(lambda x: sg.sum(x, axis=()), ("int64",)),
    "sum over no axes: floats": Case(lambda x: sg.sum(sg.exp(x), axis=())),
}  # fmt: skip

ACCURACY = {
    "log of softmax": Case(
        lambda x: sg.log(sg.nn.softmax(x, axis=1)), shapes=((2, 3),),
        truth=lambda x: special.log_softmax(x, axis=1), shifted=True,
    ),
    "log of sum of exp": Case(
        lambda x: sg.log(sg.sum(sg.exp(x), axis=0)), shapes=((2, 3),),
        truth=lambda x: special.logsumexp(x, axis=0), shifted=True,
    ),
    "slope of log of sigmoid": Case(
        lambda x, y: y / sg.sigmoid(x) * (sg.sigmoid(x) * (1.0 - sg.sigmoid(x))),
        truth=lambda x, y: y * special.expit(-x),
    ),
    "slope of log of sigmoid, alone": Case(
        lambda x: sg.reciprocal(sg.sigmoid(x)) * (sg.sigmoid(x) * (1.0 - sg.sigmoid(x))),
        truth=lambda x: special.expit(-x),
    ),
    "slope of log of one minus sigmoid": Case(
        lambda x, y: -(y / (1.0 - sg.sigmoid(x))) * (sg.sigmoid(x) * (1.0 - sg.sigmoid(x))),
        truth=lambda x, y: -y * special.expit(x),
    ),
    "slope of log of one minus sigmoid, negated": Case(
        lambda x, y: y / (1.0 - sg.sigmoid(x)) * (sg.sigmoid(x) * (1.0 - sg.sigmoid(x))),
        truth=lambda x, y: y * special.expit(x),
    ),
    "slope of log of one minus sigmoid, alone": Case(
        lambda x: -sg.reciprocal(1.0 - sg.sigmoid(x)) * (sg.sigmoid(x) * (1.0 - sg.sigmoid(x))),
        truth=lambda x: -special.expit(x),
    ),
    "slope of log of one plus exp": Case(
        lambda x, y: y / (sg.exp(x) + 1.0) * sg.exp(x), truth=lambda x, y: y * special.expit(x)
    ),
    "slope of log of one plus exp, alone": Case(
        lambda x: sg.sigmoid(-x) * sg.exp(x), truth=lambda x: special.expit(x)
    ),
    "slope of log of softmax": Case(
        lambda x, y: _slope_of_log_softmax(x, y),
        shapes=((2, 3), (2, 3)),
        others=(((4, 1), (4, 1)), ((0, 2), (0, 2))),
        truth=lambda x, y: y - special.softmax(x, axis=-1) * y.sum(axis=-1, keepdims=True),
        largest=lambda x, y: np.abs(y).sum(axis=-1, keepdims=True),
    ),
    "log of sigmoid": Case(
        lambda x: sg.log(sg.sigmoid(x)), truth=lambda x: special.log_expit(x)
    ),
    "log of one minus sigmoid": Case(
        lambda x: sg.log(1.0 - sg.sigmoid(x)), truth=lambda x: special.log_expit(-x)
    ),
    "log1p of minus sigmoid": Case(
        lambda x: sg.log1p(-sg.sigmoid(x)), truth=lambda x: special.log_expit(-x)
    ),
    "log of one plus": Case(lambda x: sg.log(1.0 + x), truth=lambda x: np.log1p(x)),
    "log of one minus": Case(lambda x: sg.log(1.0 - x), truth=lambda x: np.log1p(-x)),
    "log1p of exp": Case(
        lambda x: sg.log1p(sg.exp(x)), truth=lambda x: np.logaddexp(x, 0.0)
    ),
    "exp minus one": Case(lambda x: sg.exp(x) - 1.0, truth=lambda x: np.expm1(x)),
    "exp plus minus one": Case(lambda x: -1.0 + sg.exp(x), truth=lambda x: np.expm1(x)),
    "one minus exp": Case(lambda x: 1.0 - sg.exp(x), truth=lambda x: -np.expm1(x)),
    "logistic function": Case(
        lambda x: 1.0 / (1.0 + sg.exp(-x)), truth=lambda x: special.expit(x)
    ),
    "logistic function, mirrored": Case(
        lambda x: 1.0 / (1.0 + sg.exp(x)), truth=lambda x: special.expit(-x)
    ),
    "pow of two": Case(lambda x: x**2.0, truth=lambda x: x * x),
    "pow of minus one": Case(lambda x: x**-1.0, truth=lambda x: 1.0 / x),
    "pow of one half": Case(
        lambda x: sg.pow(sg.abs(x), 0.5), truth=lambda x: np.sqrt(np.abs(x))
    ),
    "divide by reciprocal": Case(
        lambda x, y: x / sg.reciprocal(y), truth=lambda x, y: x / np.reciprocal(y)
    ),
    "multiply by one, complex": Case(
        lambda x, y: sg.real(sg.complex(x, sg.exp(y)) * 1),
        truth=lambda x, y: np.broadcast_arrays(x, y)[0],
    ),
    "multiply by minus one, complex": Case(
        lambda x, y: sg.real(sg.complex(x, sg.exp(y)) * -1),
        truth=lambda x, y: -np.broadcast_arrays(x, y)[0],
    ),
    "divide by one, complex": Case(
        lambda x, y: sg.real(sg.complex(x, sg.exp(y)) / 1),
        truth=lambda x, y: np.broadcast_arrays(x, y)[0],
    ),
    "sqrt of square": Case(lambda x: sg.sqrt(sg.square(x)), truth=lambda x: np.abs(x)),
}  # fmt: skip

ARITHMETIC = {
    "double negation": Case(lambda x: sg.negative(-x), (*FLOATS, *INTEGERS)),
    "add negative": Case(lambda x, y: x + (-y), (*FLOATS, *INTEGERS)),
    "subtract negative": Case(lambda x, y: x - (-y), (*FLOATS, *INTEGERS)),
    "multiply negatives": Case(lambda x, y: (-x) * (-y), (*FLOATS, *INTEGERS)),
    "divide negatives": Case(lambda x, y: (-x) / (-y)),
    "multiply negative by constant": Case(lambda x: (-x) * 3, (*FLOATS, *INTEGERS)),
    "negative of multiply by constant": Case(lambda x: -(x * 3), (*FLOATS, *INTEGERS)),
    "divide negative by constant": Case(lambda x: (-x) / 3.0),
    "negative of divide by constant": Case(lambda x: -(x / 3.0)),
    "negative of constant divided": Case(lambda x: -(3.0 / x)),
    "square of negative": Case(lambda x: sg.square(-x), (*FLOATS, *INTEGERS)),
    "square of abs": Case(lambda x: sg.square(sg.abs(x)), (*FLOATS, *SIGNED)),
    "abs of negative": Case(lambda x: sg.abs(-x), (*FLOATS, *SIGNED)),
    "abs of abs": Case(lambda x: sg.abs(sg.abs(x)), (*FLOATS, *SIGNED)),
    "abs of positive": Case(lambda x: sg.abs(sg.exp(x) + sg.square(x) * sg.sigmoid(x))),
    "abs of positive: unsigned": Case(lambda x: sg.abs(x), ("uint8", "uint64")),
    "relu of relu": Case(lambda x: sg.relu(sg.relu(x)), (*FLOATS, *INTEGERS)),
    "relu of positive": Case(lambda x: sg.relu(sg.sum(sg.abs(x), axis=0)), shapes=((2, 3),)),
    "cos of negative": Case(lambda x: sg.cos(-x)),
    "cos of abs": Case(lambda x: sg.cos(sg.abs(x))),
    "multiply by one": Case(lambda x: 1 * x, (*FLOATS, *INTEGERS)),
    "multiply by one: array": Case(
        lambda x: x * _full(x, 1), (*FLOATS, *INTEGERS), shapes=((2, 3),), others=(((3,),), ((),))
    ),
    "multiply by minus one": Case(lambda x: x * -1, (*FLOATS, *SIGNED)),
    "divide by one": Case(lambda x: x / 1.0),
    "divide by minus one": Case(lambda x: x / -1.0),
    "divide by power of two": Case(lambda x: x / 8.0),
    "divide by power of two: negative": Case(lambda x: x / -0.25),
    "one divided": Case(lambda x: 1.0 / x),
    "reciprocal of sqrt": Case(lambda x: sg.reciprocal(sg.sqrt(x))),
    "pow of one": Case(lambda x: x**1, (*FLOATS, *INTEGERS)),
    "pow of zero": Case(lambda x: x**0, (*FLOATS, *INTEGERS)),
    "pow of two, integers": Case(lambda x: x**2, INTEGERS),
    "multiply by itself": Case(lambda x: x * x, (*FLOATS, *INTEGERS)),
    "multiply by itself: written twice": Case(lambda x, y: (x * y + 1) * (y * x + 1), INTEGERS),
    "add negative zero": Case(lambda x: x + -0.0),
    "subtract zero": Case(lambda x: x - 0.0),
    "add zero to positive": Case(lambda x: sg.exp(x) + 0.0),
    "subtract from negative zero": Case(lambda x: -0.0 - x),
    "add zero, integers": Case(lambda x: 0 + x, INTEGERS),
    "subtract from zero, integers": Case(lambda x: 0 - x, INTEGERS),
    "multiply by zero, integers": Case(lambda x: x * 0, INTEGERS),
    "subtract itself, integers": Case(lambda x: x - x, INTEGERS),
    "negative of subtract, integers": Case(lambda x, y: -(x - y), INTEGERS),
    "add then subtract, integers": Case(lambda x, y: (y + x) - y, INTEGERS),
    "subtract then add, integers": Case(lambda x, y: y + (x - y), INTEGERS),
    "add constants, integers": Case(lambda x: 3 + (x + 100), INTEGERS),
    "multiply by constants, integers": Case(lambda x: (x * 100) * 3, INTEGERS),
    "floor divide by one, integers": Case(lambda x: x // 1, INTEGERS),
    "remainder of one, integers": Case(lambda x: x % 1, INTEGERS),
    "rounding of rounded": Case(lambda x: sg.floor(sg.round(x))),
    "rounding of integers": Case(lambda x: sg.ceil(sg.cast(x, "float32")), ("int32", "bool")),
    "sign of sign": Case(lambda x: sg.sign(sg.sign(x)), (*FLOATS, *INTEGERS)),
    "maximum with itself": Case(lambda x: sg.maximum(x, x), (*FLOATS, *INTEGERS)),
    "minimum with itself": Case(lambda x: sg.minimum(x, x), (*FLOATS, *INTEGERS)),
    "maximum with zero": Case(lambda x: sg.maximum(x, 0), (*FLOATS, *INTEGERS)),
    "maximum, then minimum": Case(
        lambda x, y, z: sg.minimum(sg.maximum(x, y), z), (*FLOATS, *INTEGERS)
    ),
}  # fmt: skip

# Three operands of one shape that is not known.
ROWS = (("rows",), ("rows",), ("rows",))

LOGIC = {
    "not of not": Case(lambda x: ~~x, BOOLS),
    "not of equal": Case(lambda x, y: ~(x == y), (*FLOATS, *INTEGERS, *BOOLS)),
    "not of not equal": Case(lambda x, y: ~(x != y), (*FLOATS, *INTEGERS, *BOOLS)),
    "not of less": Case(lambda x, y: ~(x < y), (*INTEGERS, *BOOLS)),
    "not of less equal": Case(lambda x, y: ~(x <= y), (*INTEGERS, *BOOLS)),
    "not of greater": Case(lambda x, y: ~(x > y), (*INTEGERS, *BOOLS)),
    "not of greater equal": Case(lambda x, y: ~(x >= y), (*INTEGERS, *BOOLS)),
    "and of nots": Case(lambda x, y: ~x & ~y, BOOLS),
    "or of nots": Case(lambda x, y: ~x | ~y, BOOLS),
    "xor of nots": Case(lambda x, y: ~x ^ ~y, BOOLS),
    "bitwise not of not": Case(lambda x: ~~x, INTEGERS),
    "and itself": Case(lambda x: x & x, BOOLS),
    "or itself": Case(lambda x: x | x, BOOLS),
    "xor itself": Case(lambda x: x ^ x, BOOLS),
    "and true": Case(lambda x: x & True, BOOLS),
    "and false": Case(lambda x: x & False, BOOLS),
    "or false": Case(lambda x: x | False, BOOLS),
    "or true": Case(lambda x: x | True, BOOLS),
    "xor false": Case(lambda x: x ^ False, BOOLS),
    "xor true": Case(lambda x: x ^ True, BOOLS),
    "and not itself": Case(lambda x: ~x & x, BOOLS),
    "or not itself": Case(lambda x: x | ~x, BOOLS),
    "and absorbs or": Case(lambda x, y: x & (y | x), BOOLS),
    "or absorbs and": Case(lambda x, y: (x & y) | x, BOOLS),
    "bitwise and itself": Case(lambda x: x & x, INTEGERS),
    "bitwise or itself": Case(lambda x: x | x, INTEGERS),
    "bitwise xor itself": Case(lambda x: x ^ x, INTEGERS),
    "bitwise and zero": Case(lambda x: x & 0, INTEGERS),
    "bitwise or zero": Case(lambda x: x | 0, INTEGERS),
    "bitwise xor zero": Case(lambda x: x ^ 0, INTEGERS),
    "bitwise and ones": Case(lambda x: x & -1, SIGNED),
    "bitwise xor ones": Case(lambda x: x ^ -1, SIGNED),
    "equal to true": Case(lambda x: x == True, BOOLS),  # noqa: E712
    "equal to false": Case(lambda x: x == False, BOOLS),  # noqa: E712
    "not equal to false": Case(lambda x: x != False, BOOLS),  # noqa: E712
    "not equal to true": Case(lambda x: x != True, BOOLS),  # noqa: E712
    "truth of a cast bool": Case(lambda x: sg.cast(x, "float32") != 0.0, BOOLS),
    "class of negative or abs": Case(lambda x: sg.isinf(-x)),
    "class of negative or abs: abs": Case(lambda x: sg.isnan(sg.abs(x))),
    "equal to itself": Case(lambda x: x == x, (*INTEGERS, *BOOLS)),
    "not equal to itself": Case(lambda x: x != x),
    "not equal to itself, integers": Case(lambda x: x != x, (*INTEGERS, *BOOLS)),
    "ordered against itself": Case(lambda x: x < x, (*FLOATS, *INTEGERS, *BOOLS)),
    "ordered or equal to itself": Case(lambda x: x >= x, (*INTEGERS, *BOOLS)),
    "where true": Case(lambda x, y: sg.where(True, x, y)),
    "where false": Case(lambda x, y: sg.where(False, x, y)),
    "where and false": Case(lambda c, x, y: sg.where(False & c, x, y), declared=ROWS, first="bool"),
    "where or true": Case(lambda c, x, y: sg.where(c | True, x, y), declared=ROWS, first="bool"),
    "where both the same": Case(lambda c, x: sg.where(c, x, x), first="bool"),
    "where not": Case(lambda c, x, y: sg.where(~c, x, y), first="bool"),
    "where within the first branch": Case(
        lambda c, x, y, z: sg.where(c, sg.where(c, x, y), z), first="bool"
    ),
    "where within the second branch": Case(
        lambda c, x, y, z: sg.where(c, x, sg.where(c, y, z)), first="bool"
    ),
    "where of truth": Case(lambda x: sg.where(x, True, False), BOOLS),
    "where of falsehood": Case(lambda x: sg.where(x, False, True), BOOLS),
    "where one or zero": Case(lambda x: sg.where(x, 1.0, 0.0), BOOLS),
    "where one or zero: integers": Case(lambda x: sg.where(x, 1, 0), BOOLS),
}  # fmt: skip

CASES: dict[str, Case] = {**MOVEMENT, **ACCURACY, **ARITHMETIC, **LOGIC}


def rule_of(case: str) -> str:
    """The rule that a case is for."""
    return case.split(":")[0]
