"""Samples of ops/random.py: what the documented words of numpy.random.Philox make.

The samples run with the key (0, 1): seed 0, first run. Distributions are tested in test_random.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops.random import FOLD, RANDOM_BITS, UNIT

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]


def _words(stream: int, *shape: int) -> Array:
    """The words of one node in the first run of a session of seed 0."""
    source = np.random.Philox(key=[0, stream], counter=[0, 0, 1, 0])
    return source.random_raw(math.prod(shape)).reshape(shape)


def _unit(stream: int, *shape: int) -> Array:
    return (_words(stream, *shape) // 2**11) / 2.0**53


def _unit32(stream: int, *shape: int) -> Array:
    return ((_words(stream, *shape) // 2**40) / 2.0**24).astype(np.float32)


def _normal(stream: int, *shape: int) -> Array:
    u, v = _unit(stream, *shape), _unit(stream + 1, *shape)
    return np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * math.pi * v)


def _fold(key: Any, number: Any) -> Any:
    return key.graph.add(FOLD, (key, number)).out


_LOW, _HIGH = np.array(-1.5), np.array([2.0, 0.5, 1.0])
_X = np.arange(12.0).reshape(4, 3)

SAMPLES: list[Sample] = [
    Sample(
        "random_bits", lambda: sg.random.uniform((2, 5), dtype="float64"), (),
        lambda: _unit(0, 2, 5),
    ),
    Sample(
        "random_bits",
        lambda n: sg.random.uniform((n, 3), dtype="float64"), (np.array(2),),
        lambda n: _unit(0, 2, 3), label="a shape of the run",
    ),
    Sample(
        "random_bits", lambda x: sg.random.uniform(sg.shape(x), dtype="float64"), (_X,),
        lambda x: _unit(0, 4, 3), label="the shape of another",
    ),
    Sample(
        "random_fold", _fold, (np.array([5, 7], np.uint64), np.array(3)),
        lambda key, n: np.array(
            [5, np.random.Philox(key=[5, 0], counter=[0, 3, 7, 1]).random_raw()], np.uint64
        ),
    ),
    Sample(
        "random_bits", lambda: [sg.random.uniform((3,)), sg.random.uniform((3,))], (),
        lambda: [_unit32(0, 3), _unit32(1, 3)], label="two streams",
    ),
    Sample("bits_to_unit", sg.random.uniform, (), lambda: _unit32(0)),
    Sample(
        "bits_to_unit",
        lambda bits: bits.graph.add(UNIT, (bits,), {"dtype": np.dtype(np.float32)}).out,
        (np.array([0, 2**40 - 1, 2**40, 2**64 - 1], np.uint64),),
        lambda bits: np.array([0, 0, 2.0**-24, 1 - 2.0**-24], np.float32), label="float32",
    ),
    Sample(
        "bits_to_unit",
        lambda bits: bits.graph.add(UNIT, (bits,), {"dtype": np.dtype(np.float64)}).out,
        (np.array([0, 2**11 - 1, 2**11, 2**64 - 1], np.uint64),),
        lambda bits: np.array([0, 0, 2.0**-53, 1 - 2.0**-53]), label="float64",
    ),
    Sample("bits_to_unit", lambda: sg.random.uniform((2, 0)), (), lambda: _unit32(0, 2, 0),
           label="nothing"),
    Sample(
        "where", lambda low, high: sg.random.uniform((2, 3), low, high), (_LOW, _HIGH),
        lambda low, high: low + (high - low) * _unit(0, 2, 3), wrt=(0, 1), label="uniform",
    ),
    Sample(
        "where", lambda x: sg.random.uniform((3,), x, x), (np.array(3.25),),
        lambda x: np.full(3, x), wrt=(0,), label="uniform between equal bounds",
    ),
    Sample(
        "cos", lambda m, s: sg.random.normal((2, 3), m, s), (_LOW, _HIGH),
        lambda m, s: m + s * _normal(0, 2, 3), wrt=(0, 1), label="normal",
    ),
    Sample(
        "cos", lambda: sg.random.normal(5), (), lambda: _normal(0, 5).astype(np.float32),
        label="normal float32", tolerance=1e-5,
    ),
    Sample(
        "less", lambda p: sg.random.bernoulli(p), (np.array([0.0, 0.3, 0.9, 1.0]),),
        lambda p: _unit(0, 4) < p, label="bernoulli",
    ),
    Sample(
        "less", lambda: sg.random.bernoulli(0.5, (3, 2)), (), lambda: _unit32(0, 3, 2) < 0.5,
        label="bernoulli of a shape",
    ),
    Sample(
        "remainder", lambda: sg.random.integers((4,), -2, 5), (),
        lambda: (_words(0, 4) % 7).astype(np.int64) - 2, label="random integers",
    ),
    Sample(
        "remainder", lambda n: sg.random.integers((4,), 0, n, "uint8"), (np.array(200),),
        lambda n: (_words(0, 4) % 200).astype(np.uint8), label="random integers up to a tensor",
    ),
    Sample(
        "argsort", lambda: sg.random.permutation(7), (), lambda: np.argsort(_words(0, 7)),
        label="permutation of numbers",
    ),
    Sample(
        "argsort", sg.random.permutation, (np.array(5),), lambda n: np.argsort(_words(0, 5)),
        label="permutation of numbers below a tensor",
    ),
    Sample(
        "gather", sg.random.permutation, (_X,), lambda x: x[np.argsort(_words(0, 4))], wrt=(0,),
        label="permutation of rows",
    ),
    Sample(
        "gather", lambda x: sg.random.permutation(x, 1), (_X,),
        lambda x: x[:, np.argsort(_words(0, 3))], wrt=(0,), label="permutation of columns",
    ),
]  # fmt: skip


def _p(dtype: str, *shape: int | None) -> Any:
    return sg.placeholder(dtype, shape, name="p")


def _argument(op: str, problem: str, *details: str) -> str:
    return "\n".join([f"{op}: {problem}", *[f"  {d}" for d in details], "  at {here}: {line}"])


REFUSALS: list[Refusal] = [
    Refusal(
        "random_bits",
        lambda: _p("uint64", 3).graph.add(
            RANDOM_BITS, (_p("uint64", 3),), {"stream": 0, "shape": ()}
        ),
        ShapeError,
        "random_bits: the key is uint64[3]\n"
        "  key 'p_1'  uint64[3]  placeholder at {here}\n"
        "  it must be two uint64: seed and run\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "random_fold",
        lambda: _fold(_p("uint64", 3), _p("int64")),
        ShapeError,
        "random_fold: the key is uint64[3]\n"
        "  key 'p'  uint64[3]  placeholder at {here}\n"
        "  number 'p_1'  int64[]  placeholder at {here}\n"
        "  it must be two uint64: seed and run\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "random_bits", lambda: sg.random.normal((2, -1)), ShapeError,
        _argument("normal", "-1 is no size of an axis", "sizes are not negative"),
        label="a shape",
    ),
    Refusal(
        "bits_to_unit",
        lambda: _p("int64").graph.add(UNIT, (_p("int64"),), {"dtype": np.dtype(np.float32)}),
        DTypeError,
        "bits_to_unit: does not take int64\n"
        "  bits 'p_1'  int64[]  placeholder at {here}\n"
        "  bits may be uint64; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "bits_to_unit", lambda: sg.random.uniform((2,), dtype="int32"), DTypeError,
        _argument("uniform", "draws no int32",
                  "dtype is float32 or float64; sg.random.integers draws integers"),
        label="uniform of ints",
    ),
    Refusal(
        "bits_to_unit", lambda: sg.random.uniform((2,), 3.0, 1.0), ShapeError,
        _argument("uniform", "low 3.0 is above high 1.0", "give low <= high"),
        label="uniform in the wrong order",
    ),
    Refusal(
        "broadcast_to", lambda: sg.random.normal((2,), mean=_p("float32", 3)), ShapeError,
        "broadcast_to: [3] does not broadcast to [2]\n"
        "  x 'p'  float32[3]  placeholder at {here}\n"
        "  axis -1 of the operand must be 1 or equal\n"
        "  created at {here}: {line}",
        label="normal of more means",
    ),
    Refusal(
        "remainder", lambda: sg.random.integers((2,), 3, 3), ShapeError,
        _argument("integers", "there is none from 3 up to 3", "give low < high"),
        label="random integers",
    ),
    Refusal(
        "remainder", lambda: sg.random.integers((2,), 0.0, 3.0), DTypeError,
        _argument("integers", "low and high are float32, dtype is int64",
                  "all are integers; sg.random.uniform draws floats"),
        label="random integers between floats",
    ),
    Refusal(
        "gather", lambda: sg.random.permutation(_p("float32")), DTypeError,
        "gather: a scalar float32 has no entries to permute\n"
        "  x 'p'  float32[]  placeholder at {here}\n"
        "  give a number of elements as an int, or a tensor with at least one axis\n"
        "  created at {here}: {line}",
        label="permutation of a number",
    ),
]  # fmt: skip
