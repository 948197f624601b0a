"""What is found element by element in a loop of unknown length: rejection, inversion, series.

A `Search` says with arithmetic alone how one element is found: what is known at the start, what a
step makes of it and whether that is the end, and the value that it amounts to. The rules are
written once, against arithmetic that NumPy arrays and the registers of machine code share:
operators, and the functions of `Functions`. So both backends come to the same decisions from the
same words: they differ only where two logarithms that are a unit in the last place apart lie on
different sides of a bound. All decisions are made in float64, where that happens less than once in
``10**14`` times.

Element i of a node draws words from its own blocks: the n-th block that it takes is block i of the
node with the third word of the counter n (words.py). Where a step needs one word alone, two
elements share a block: the n-th word of element i is half ``i % 2`` of block ``i // 2``. So a value
depends on its parameters and its place alone, never on what other elements needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.opdef import Attrs
from staticgraph.ops.random.words import blocks, node_key


class Functions(Protocol):
    """The functions of rules; numbers are float64, or integers where a rule casts to them."""

    def number(self, value: float) -> Any:
        """A float64."""
        ...

    def log(self, x: Any) -> Any:
        """The natural logarithm."""
        ...

    def log1p(self, x: Any) -> Any:
        """``log(1 + x)``."""
        ...

    def exp(self, x: Any) -> Any:
        """e to the x."""
        ...

    def sqrt(self, x: Any) -> Any:
        """The square root."""
        ...

    def cos(self, x: Any) -> Any:
        """The cosine."""
        ...

    def floor(self, x: Any) -> Any:
        """The largest integer not above x."""
        ...

    def equal(self, x: Any, y: Any) -> Any:
        """Whether both are equal: operators only order what code computes."""
        ...

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """x where the condition holds, else y; at least one of them is no Python number."""
        ...

    def cast(self, x: Any, dtype: DType) -> Any:
        """x converted to `dtype`."""
        ...


State = tuple[Any, ...]
Words = Sequence[Any]


@dataclass(frozen=True)
class Search:
    """How one element is found.

    step     words, state and parameters to (whether this is the end, the state after)
    finish   state and parameters to the value
    start    words and parameters to the first state
    applies  parameters to whether this search is the one for the element; None: it always is
    begins   how many blocks the start draws; each has two 64-bit words
    draws    how many blocks a step draws
    shares   a step draws one word, of a block that two elements share
    """

    step: Callable[[Functions, Words, State, State], tuple[Any, State]]
    finish: Callable[[Functions, State, State], Any]
    start: Callable[[Functions, Words, State], State]
    applies: Callable[[Functions, State], Any] | None = None
    begins: int = 0
    draws: int = 0
    shares: bool = False


# The searches of an op, by its name: functions of its attributes.
SEARCHES: dict[str, Callable[[Attrs], tuple[Search, ...]]] = {}


class _Arrays:
    """`Functions` of NumPy arrays."""

    number = staticmethod(np.float64)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    exp = staticmethod(np.exp)
    sqrt = staticmethod(np.sqrt)
    cos = staticmethod(np.cos)
    floor = staticmethod(np.floor)
    equal = staticmethod(np.equal)
    where = staticmethod(np.where)

    @staticmethod
    def cast(x: Any, dtype: DType) -> Any:
        """x converted to `dtype`."""
        return np.asarray(x).astype(dtype)


ARRAYS: Functions = _Arrays()


def searched(
    searches: Sequence[Search], key: tuple[int, int], parameters: Sequence[Any], dtype: DType
) -> Any:
    """What searches find, in NumPy; all parameters have one shape, which is the result's."""
    shape = parameters[0].shape
    flat = [parameter.reshape(-1) for parameter in parameters]
    result = np.zeros(flat[0].size, dtype)
    numbers = np.arange(result.size, dtype=np.uint64)
    with np.errstate(all="ignore"):
        for search in searches:
            if search.applies is None:
                chosen = np.ones(result.size, bool)
            else:
                chosen = np.broadcast_to(search.applies(ARRAYS, tuple(flat)), result.shape)
            if chosen.any():
                given = tuple([parameter[chosen] for parameter in flat])
                result[chosen] = _search(search, key, numbers[chosen], given)
    return result.reshape(shape)


def _search(search: Search, key: tuple[int, int], numbers: Any, parameters: State) -> Any:
    def draw(count: int, numbers: Any, drawn: int) -> list[Any]:
        words = []
        for number in range(drawn, drawn + count):
            x0, x1, x2, x3 = blocks(key, numbers, number)
            words += [x0 | x1 << np.uint64(32), x2 | x3 << np.uint64(32)]
        return words

    state = _whole(search.start(ARRAYS, draw(search.begins, numbers, 0), parameters), numbers)
    found = tuple([np.empty_like(entry) for entry in state])
    drawn, pending = search.begins, np.arange(numbers.size)
    while pending.size:
        if search.shares:
            words = [_shared_word(key, numbers[pending], drawn)]
        else:
            words = draw(search.draws, numbers[pending], drawn)
        given = tuple([parameter[pending] for parameter in parameters])
        ended, after = search.step(ARRAYS, words, state, given)
        ended = np.broadcast_to(ended, pending.shape)
        after = _whole(after, pending)
        for entry, value in zip(found, after, strict=True):
            entry[pending[ended]] = value[ended]
        pending = pending[~ended]
        state = tuple([value[~ended] for value in after])
        drawn += search.draws or int(search.shares)
    return search.finish(ARRAYS, found, parameters)


def _shared_word(key: tuple[int, int], numbers: Any, drawn: int) -> Any:
    """Half ``i % 2`` of block ``i // 2``."""
    x0, x1, x2, x3 = blocks(key, numbers >> np.uint64(1), drawn)
    second = (numbers & np.uint64(1)).astype(bool)
    return np.where(second, x2 | x3 << np.uint64(32), x0 | x1 << np.uint64(32))


def _whole(state: State, like: Any) -> State:
    return tuple([np.broadcast_to(entry, like.shape).copy() for entry in state])


def reference(name: str) -> Callable[..., Any]:
    """The reference of an op whose searches take words: key and parameters to the result."""

    def evaluate(key: Any, *parameters: Any, stream: int, **attrs: Any) -> Any:
        searches = SEARCHES[name](attrs)
        given = [np.asarray(parameter) for parameter in parameters]
        return searched(searches, node_key(key, stream), given, attrs["dtype"])

    return evaluate


# -- numbers made of words ----------------------------------------------------------------------


def fraction(m: Functions, word: Any) -> Any:
    """A multiple of 2**-53 in [0, 1)."""
    return m.cast(m.cast(word >> 11, dtypes.int64), dtypes.float64) * 2.0**-53


def inner_fraction(m: Functions, word: Any) -> Any:
    """An odd multiple of 2**-53, which lies in (0, 1)."""
    whole = m.cast(m.cast(word >> 12, dtypes.int64), dtypes.float64)
    return (whole + 0.5) * 2.0**-52
