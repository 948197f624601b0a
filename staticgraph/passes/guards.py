"""Guards: the conditions under which a rule holds, named so that a row reads as a sentence."""

from __future__ import annotations

import math

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node, Value
from staticgraph.core.types import same_shape
from staticgraph.ops.convert import scalar_value
from staticgraph.passes.common import array_of
from staticgraph.passes.patterns import Guard, Match


def all_of(*guards: Guard) -> Guard:
    """All of `guards` hold."""
    return lambda match: all(guard(match) for guard in guards)


def of_dtypes(allowed: frozenset[DType], name: str = "x") -> Guard:
    """The value called `name` has one of the dtypes."""
    return lambda match: match[name].type.dtype in allowed


def integers(match: Match) -> bool:
    """x is an integer: arithmetic modulo a power of two, without NaN or a negative zero."""
    return match["x"].type.dtype in dtypes.INTEGER


def floats(match: Match) -> bool:
    """x is floating."""
    return match["x"].type.dtype in dtypes.FLOATING


def no_floats(match: Match) -> bool:
    """x is an integer or a bool, so that no NaN is unordered."""
    return match["x"].type.dtype not in dtypes.DIFFERENTIABLE


def inexact(match: Match) -> bool:
    """x is floating or complex."""
    return match["x"].type.dtype in dtypes.INEXACT


def complex_numbers(match: Match) -> bool:
    """x is complex."""
    return match["x"].type.dtype in dtypes.COMPLEX


def no_complex(match: Match) -> bool:
    """x is real, so it is one number and not two."""
    return match["x"].type.dtype not in dtypes.COMPLEX


def signed(match: Match) -> bool:
    """x is floating or a signed integer."""
    return match["x"].type.dtype not in dtypes.UNSIGNED


def bools(match: Match) -> bool:
    """The result is a bool."""
    return match.root.out.type.dtype in dtypes.BOOL


def bool_operand(match: Match) -> bool:
    """x is a bool."""
    return match["x"].type.dtype in dtypes.BOOL


def small_constant(match: Match) -> bool:
    """The constant c is one number: another one beside it costs nothing."""
    return match["c"].type.size == 1


def uniform_constant(match: Match) -> bool:
    """The constant c is an array of one number again and again."""
    return match.facts.number(match["c"]) is not None


def sizes_allowed(match: Match) -> bool:
    """The constant sizes are no error, and -1 stands only where reshape gives it a meaning."""
    sizes = _sizes(match["sizes"])
    if match.root.op.name == "reshape":
        return sizes.count(-1) <= (0 not in sizes) and all(size >= -1 for size in sizes)
    return all(size >= 0 for size in sizes)


def sign_is_clear(match: Match) -> bool:
    """x is +0, positive or NaN everywhere."""
    return match.facts.sign_is_clear(match["x"])


def known_shape(match: Match) -> bool:
    """Every size of the result is known."""
    return match.root.out.type.is_static


def is_scalar(name: str) -> Guard:
    """The value called `name` has no axes."""
    return lambda match: match[name].type.shape == ()


def known_rank(match: Match) -> bool:
    """The number of axes of x is known, so the run need not check it."""
    return match["x"].type.ndim is not None


def same_size(match: Match) -> bool:
    """x and the value in between provably have as many elements."""
    shapes = match["x"].type.shape, match["between"].type.shape
    counts = []
    for shape in shapes:
        if shape is None or None in shape:
            return False
        numbers = [dim for dim in shape if isinstance(dim, int)]
        counts.append((math.prod(numbers), sorted(dim for dim in shape if isinstance(dim, str))))
    return counts[0] == counts[1]


def reshape_is_sure(match: Match) -> bool:
    """The run cannot refuse the reshape at the root: its target provably fits x."""
    return _fits(match.root)


def reshapes_are_sure(match: Match) -> bool:
    """x and the value in between provably have as many elements, and the run will not refuse it."""
    return _fits(match["between"].node) and same_size(match)


def _fits(node: Node) -> bool:
    """Whether a reshape has no target of the run, or one whose every size is that of the result.

    The type of the result supposes that the run succeeds: a size that only the run knows is the one
    that the number of elements leaves. So the sizes themselves have to say it.
    """
    if node.op.name != "reshape" or len(node.inputs) == 1:
        return True
    declared, made = node.attrs["shape"], node.out.type.shape
    if declared is None or made is None:
        return False
    sizes = node.inputs[1].node
    entries = sizes.inputs if sizes.op.name == "make_shape" else (None,) * len(made)
    return all(
        dim is not None and (dim == size or (entry is not None and scalar_value(entry) == -1))
        for dim, size, entry in zip(made, declared, entries, strict=True)
    )


def broadcasts(match: Match) -> bool:
    """x provably broadcasts to the shape of the value in between."""
    shape, wanted = match["x"].type.shape, match["between"].type.shape
    if shape is None or wanted is None or len(shape) > len(wanted):
        return False
    pairs = zip(reversed(shape), reversed(wanted), strict=False)
    return all(dim == 1 or (dim == want and dim is not None) for dim, want in pairs)


def power_of_two(match: Match) -> bool:
    """The constant c is a power of two whose reciprocal is exact and normal."""
    number = match.facts.number(match["c"])
    if not isinstance(number, float) or not math.isfinite(number) or number == 0:
        return False
    limits = np.finfo(match["c"].type.dtype)
    inverse = 1.0 / number
    normal = limits.tiny <= abs(number) and limits.tiny <= abs(inverse) <= limits.max
    return normal and abs(math.frexp(number)[0]) == 0.5


def holds_exactly(wide: DType, narrow: DType) -> bool:
    """Whether every value of `narrow` is a value of `wide`."""
    if narrow == wide or narrow in dtypes.BOOL:
        return True
    if wide in dtypes.BOOL:
        return False
    if wide in dtypes.COMPLEX or narrow in dtypes.COMPLEX:
        parts = holds_exactly(dtypes.part_of(wide), dtypes.part_of(narrow))
        return wide in dtypes.COMPLEX and parts
    if narrow in dtypes.HALF:
        return wide in dtypes.FLOATING
    if wide in dtypes.HALF and narrow in dtypes.FLOATING:
        return False
    if narrow in dtypes.FLOATING:
        return wide in dtypes.FLOATING and wide.itemsize >= narrow.itemsize
    bits = np.iinfo(narrow).bits - (narrow in dtypes.SIGNED)
    if wide in dtypes.FLOATING | dtypes.HALF:
        return bits <= int(dtypes.limits(wide).nmant) + 1
    if narrow in dtypes.SIGNED and wide in dtypes.UNSIGNED:
        return False
    return bits <= np.iinfo(wide).bits - (wide in dtypes.SIGNED)


def cast_chain(match: Match) -> bool:
    """The value between two casts loses nothing, and the second does not depend on its kind.

    Integers become other integers modulo a power of two, so a wider one between does not show.
    A float that fits no integer becomes what the machine makes of it, which may depend on the
    float's width; so a float between stays unless the end is a float or holds all that x can be.
    """
    first = match["x"].type.dtype
    middle = match.attrs["between"]
    last = match.root.out.type.dtype
    if not holds_exactly(middle, first):
        return False
    if last in dtypes.DIFFERENTIABLE or last in dtypes.BOOL or holds_exactly(last, first):
        return True
    return middle in dtypes.INTEGER and last in dtypes.INTEGER


def whole_numbers(match: Match) -> bool:
    """x is a cast of integers or bools, so it has no fraction."""
    return match["x"].type.dtype not in dtypes.DIFFERENTIABLE


def _sizes(value: Value) -> tuple[int, ...]:
    return tuple(map(int, array_of(value)))


def given_sizes(match: Match) -> tuple[int | None, ...]:
    """The constant sizes as the attribute `shape`; -1 is the size that is left over."""
    return tuple([None if size == -1 else size for size in _sizes(match["sizes"])])


def like_the_root(name: str) -> Guard:
    """The value called `name` provably has the shape of the result: it was not broadcast."""
    return lambda match: same_shape(match[name].type.shape, match.root.out.type.shape)
