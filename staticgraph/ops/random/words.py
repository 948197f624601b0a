"""Where random numbers come from: words, fractions and normal deviates of a counter.

Everything random is a pure function of the session's seed, the number of the run, the node, and the
place of the element. Two counter-based generators of one family make it (J. K. Salmon, M. A.
Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11):

1. Philox4x64-10 with key ``(seed, stream)`` and counter ``(1, 0, run, 0)`` gives each node a key in
   each run: its words 0 and 1, called ``k`` and ``s``. `stream` counts the random nodes of the
   graph. (The words are those of `numpy.random.Philox`, which steps its counter before it draws.)
2. Philox4x32-10 with key ``(k % 2**32, k // 2**32)`` and counter ``(b % 2**32, b // 2**32, n, s %
   2**32)`` gives the node its *blocks* of four 32-bit words x0 to x3. It is the one that vectors
   of every width compute quickly.

With n = 0, block b holds the 64-bit words ``x0 + 2**32 x1`` and ``x2 + 2**32 x3``, which are words
2b and 2b + 1 of the node; or four 32-bit words, 4b to 4b + 3. An op that may need many words for
one element takes blocks ``b = i`` of element i, and n counts them (search.py). So numbers
depend neither on threads nor on the backend nor on the width of vectors, an element is found
without those before it, and no pass merges two nodes, since their streams differ.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Graph, Tensor
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import Shape, TensorType, compatible
from staticgraph.ops.sizes import SIZES, Target, declared_shape, given_shape

_KEY = TensorType(dtypes.uint64, (2,))

# Philox4x32-10: the two multipliers, and what is added to the key after every round.
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

RANDOM_KEY = register(
    OpDef(
        "random_key",
        operands=(),
        infer=lambda types, attrs: _KEY,
        reference=None,
        role="key",
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The key of the run, two uint64: the session's seed and the number of the run.",
    )
)


def check_key(type: TensorType) -> None:
    """Raises Mismatch for what is no key."""
    if not compatible(type.shape, (2,)):
        raise Mismatch(f"the key is {type}", "it must be two uint64: seed and run")


def _infer_fold(types: Types, attrs: Attrs) -> TensorType:
    check_key(types[0])
    if types[1].shape not in ((), None):
        raise Mismatch(f"the number is {types[1]}", "it must be a scalar")
    return _KEY


def _reference_fold(key: Any, number: Any) -> Any:
    source = np.random.Philox(
        key=np.array([key[0], 0], dtype=np.uint64),
        counter=np.array([0, int(number), key[1], 1], dtype=np.uint64),
    )
    return np.array([key[0], source.random_raw()], dtype=np.uint64)


FOLD = register(
    OpDef(
        "random_fold",
        operands=("key", "number"),
        infer=_infer_fold,
        reference=_reference_fold,
        dtypes=(frozenset({dtypes.uint64}), frozenset({dtypes.int64})),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The key of iteration `number` of a loop: the seed, and in place of the run word 0 of "
        "Philox4x64-10 with key (seed, 0) and counter (1, number, run, 1).",
    )
)


# -- the generator in NumPy ---------------------------------------------------------------------


def node_key(key: Any, stream: int) -> tuple[int, int]:
    """The two words that are the key of a node in a run."""
    seed, run = key
    source = np.random.Philox(
        key=np.array([seed, stream], dtype=np.uint64),
        counter=np.array([0, 0, run, 0], dtype=np.uint64),
    )
    first, second = source.random_raw(2).tolist()
    return first, second


def blocks(key: tuple[int, int], numbers: Any, drawn: int = 0) -> tuple[Any, Any, Any, Any]:
    """Blocks of a node: four arrays of 32-bit words, as uint64.

    numbers   the numbers b of the blocks, an array of uint64
    drawn     the third word of the counter, n
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    first, second = [np.uint64(multiplier) for multiplier in MULTIPLIERS]
    words = (
        numbers & low,
        numbers >> half,
        np.full_like(numbers, drawn),
        np.full_like(numbers, key[1] & 0xFFFFFFFF),
    )
    for number in range(ROUNDS):
        one = np.uint64((key[0] + number * STEPS[0]) & 0xFFFFFFFF)
        two = np.uint64(((key[0] >> 32) + number * STEPS[1]) & 0xFFFFFFFF)
        near, far = first * words[0], second * words[2]
        words = (far >> half ^ words[1] ^ one, far & low, near >> half ^ words[3] ^ two, near & low)
    return words


def words_of(key: tuple[int, int], count: int) -> Any:
    """The first `count` 64-bit words of a node."""
    x0, x1, x2, x3 = blocks(key, np.arange(-(-count // 2), dtype=np.uint64))
    half = np.uint64(32)
    return np.stack([x0 | x1 << half, x2 | x3 << half], axis=-1).reshape(-1)[:count]


def _short_words(key: tuple[int, int], count: int) -> Any:
    """The first `count` 32-bit words of a node, as uint32."""
    made = blocks(key, np.arange(-(-count // 4), dtype=np.uint64))
    return np.stack(made, axis=-1).reshape(-1)[:count].astype(np.uint32)


# -- words, fractions and normal deviates -------------------------------------------------------


def _infer_drawn(types: Types, attrs: Attrs) -> TensorType:
    check_key(types[0])
    return TensorType(attrs.get("dtype", dtypes.uint64), declared_shape(attrs, types[1:]))


def _wanted(sizes: Any, shape: Shape) -> tuple[int, ...]:
    """The shape of a draw in the run."""
    wanted = given_shape(sizes, shape)
    if any(dim < 0 for dim in wanted):
        raise ValueError("negative dimensions are not allowed")
    return wanted


def _reference_bits(key: Any, *sizes: Any, stream: int, shape: Shape, count: int) -> Any:
    wanted = _wanted(sizes, shape)
    words = words_of(node_key(key, stream), math.prod(wanted)).reshape(wanted)
    return words >> np.uint64(64 - count)


RANDOM_BITS = register(
    OpDef(
        "random_bits",
        operands=("key", "sizes*"),
        infer=_infer_drawn,
        reference=_reference_bits,
        attrs=("stream", "shape", "count"),
        dtypes=(frozenset({dtypes.uint64}), SIZES),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The leading `count` bits of the random 64-bit words of a node, as the page on random "
        "numbers defines them.",
    )
)

# How many bits a number takes: as many as the dtype holds without rounding.
SIGNIFICANT = {dtypes.float32: 24, dtypes.float64: 53}


def _reference_unit(
    key: Any, *sizes: Any, stream: int, shape: Shape, dtype: DType, inner: bool
) -> Any:
    wanted = _wanted(sizes, shape)
    draw = _short_words if dtype == dtypes.float32 else words_of
    words = draw(node_key(key, stream), math.prod(wanted)).reshape(wanted)
    count = SIGNIFICANT[dtype]
    if inner:
        kept = words >> words.dtype.type(8 * dtype.itemsize - count + 1)
        whole = kept * words.dtype.type(2) + words.dtype.type(1)
    else:
        whole = words >> words.dtype.type(8 * dtype.itemsize - count)
    return whole.astype(dtype) * dtype.type(2.0**-count)


RANDOM_UNIT = register(
    OpDef(
        "random_unit",
        operands=("key", "sizes*"),
        infer=_infer_drawn,
        reference=_reference_unit,
        attrs=("stream", "shape", "dtype", "inner"),
        dtypes=(frozenset({dtypes.uint64}), SIZES),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Uniform fractions of the words of a node, 32 bits for float32 and 64 for float64: "
        "multiples of 2**-24 or 2**-53 in [0, 1); where `inner` the odd ones, which lie in (0, 1).",
    )
)


def _reference_normal(key: Any, *sizes: Any, stream: int, shape: Shape, dtype: DType) -> Any:
    wanted = _wanted(sizes, shape)
    count = math.prod(wanted)
    draw = _short_words if dtype == dtypes.float32 else words_of
    words = draw(node_key(key, stream), count + count % 2)
    bits = 8 * dtype.itemsize
    signed = np.int32 if bits == 32 else np.int64
    # Rounded to the dtype before the half is added, as machine code does.
    whole = (words[::2] >> words.dtype.type(1)).astype(signed).astype(dtype)
    unit = (whole + dtype.type(0.5)) * dtype.type(2.0 ** (1 - bits))
    radius = np.sqrt(dtype.type(-2.0) * np.log(unit)).astype(np.float64)
    angle = words[1::2].astype(np.float64) * (2.0 * math.pi * 2.0**-bits)
    pair = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return pair.astype(dtype).reshape(-1)[:count].reshape(wanted)


RANDOM_NORMAL = register(
    OpDef(
        "random_normal",
        operands=("key", "sizes*"),
        infer=_infer_drawn,
        reference=_reference_normal,
        attrs=("stream", "shape", "dtype"),
        dtypes=(frozenset({dtypes.uint64}), SIZES),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Standard normal deviates, two from every two words a and b of a node (32 bits for "
        "float32, 64 for float64): ``r cos(t)`` and ``r sin(t)`` with ``t = 2 pi b / 2**bits``, "
        "``r = sqrt(-2 log(u))`` and u the odd multiple of ``2**-bits`` that a // 2 counts.",
    )
)


# -- drawing in a graph -------------------------------------------------------------------------


def run_key(graph: Graph) -> Tensor:
    """The key of the run, or of the iteration of the run in the body of a loop."""
    if graph.random_key is None:
        with graph.no_control_dependencies(), graph.absolute_scope(""):
            if not isinstance(graph, BodyGraph):
                graph.random_key = graph.add(RANDOM_KEY).out
            else:
                with graph.outside() as outer:
                    key = run_key(outer)
                graph.random_key = graph.capture(key)
                if graph.counter is not None:
                    graph.random_key = graph.add(FOLD, (graph.random_key, graph.counter())).out
    return graph.random_key


def drawn(
    op: OpDef, graph: Graph, operands: tuple[Tensor, ...], name: str | None = None, **attrs: Any
) -> Tensor:
    """A random node with a stream of its own; its operands stand behind the key."""
    graph = graph.innermost
    attrs = {"stream": graph.random_streams, **attrs}
    made = graph.add(op, (run_key(graph), *operands), attrs, name).out
    graph.random_streams += 1
    return made


def bits(graph: Graph, target: Target, count: int, name: str | None = None) -> Tensor:
    """The leading `count` bits of random 64-bit words."""
    return drawn(RANDOM_BITS, graph, target.operands, name, shape=target.shape, count=count)


def unit(
    graph: Graph, target: Target, dtype: DType, name: str | None = None, *, inner: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1), or in (0, 1) where `inner`."""
    attrs = {"shape": target.shape, "dtype": dtype, "inner": inner}
    return drawn(RANDOM_UNIT, graph, target.operands, name, **attrs)


def standard_normal(graph: Graph, target: Target, dtype: DType, name: str | None = None) -> Tensor:
    """Standard normal deviates."""
    attrs = {"shape": target.shape, "dtype": dtype}
    return drawn(RANDOM_NORMAL, graph, target.operands, name, **attrs)
