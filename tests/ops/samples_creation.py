"""Samples of ops/creation.py: NumPy's functions of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops.creation import ARANGE

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(14)
_X = _random.uniform(-2.0, 2.0, (2, 3))
_N = np.array(4, np.int32)


def _open(x: Any) -> Any:
    """`x` with sizes that the graph does not know."""
    return x if x.ndim is None else sg.placeholder_with_default(x, (None,) * x.ndim)


def _filled(label: str, build: Any, expected: Any, *inputs: Array, wrt: Any = ()) -> Sample:
    return Sample("broadcast_to", build, inputs, expected, wrt=wrt, label=label)


_FILLED = [
    _filled("zeros", lambda: sg.zeros((2, 3)), lambda: np.zeros((2, 3), np.float32)),
    _filled("zeros of ints", lambda: sg.zeros(2, "int8"), lambda: np.zeros(2, np.int8)),
    _filled("zeros of bools", lambda: sg.zeros([2, 0], bool), lambda: np.zeros((2, 0), bool)),
    _filled("zeros without a dtype", lambda: sg.zeros(2, None), lambda: np.zeros(2, np.float32)),
    _filled("empty", lambda: sg.empty(2, "int8", device="cpu"), lambda: np.zeros(2, np.int8)),
    _filled("empty_like", lambda x: sg.empty_like(x) + x, lambda x: x, _X, wrt=(0,)),
    _filled("a scalar zero", lambda: sg.zeros(()), lambda: np.float32(0)),
    _filled("ones", lambda: sg.ones((1, 2), "float64"), lambda: np.ones((1, 2))),
    _filled("ones of bools", lambda: sg.ones(2, bool), lambda: np.ones(2, bool)),
    _filled("full", lambda: sg.full((2, 2), 7), lambda: np.full((2, 2), 7)),
    _filled("full of a float", lambda: sg.full(2, 0.5), lambda: np.full(2, 0.5, np.float32)),
    _filled(
        "full of an array", lambda: sg.full((2, 3), np.array([1.5, 2, 3])),
        lambda: np.full((2, 3), [1.5, 2, 3]),
    ),
    _filled(
        "full of another dtype", lambda: sg.full(2, 300, "float32"),
        lambda: np.full(2, 300, np.float32),
    ),
    _filled(
        "full of a tensor", lambda x: sg.full((4, 2, 3), x), lambda x: np.full((4, 2, 3), x), _X,
        wrt=(0,),
    ),
    _filled(
        "zeros of the run", lambda n: sg.zeros((n, 2)), lambda n: np.zeros((4, 2), np.float32), _N,
    ),
    _filled(
        "full of the run", lambda x, n: sg.full((n, 3), x), lambda x, n: np.full((4, 3), x),
        np.array(0.5), _N, wrt=(0,),
    ),
    _filled("zeros_like", lambda x: sg.zeros_like(x) + x, lambda x: x, _X, wrt=(0,)),
    _filled(
        "ones_like of another dtype", lambda x: sg.ones_like(x, "int32"),
        lambda x: np.ones((2, 3), np.int32), _X,
    ),
    _filled(
        "full_like", lambda x, v: sg.full_like(x, v), lambda x, v: np.full((2, 3), v), _X,
        np.array(2.5), wrt=(0, 1),
    ),
    _filled(
        "full_like of ints", lambda x: sg.full_like(x, 3), lambda x: np.full_like(x, 3),
        np.zeros((0, 2), np.uint8),
    ),
]  # fmt: skip


def _range(label: str, build: Any, expected: Any, *inputs: Array, wrt: Any = ()) -> Sample:
    op = "arange" if inputs else "constant"
    return Sample(op, build, inputs, expected, wrt=wrt, label=label)


_RANGES = [
    Sample("arange", sg.arange, (_N,), lambda n: np.arange(4, dtype=np.int32)),
    _range(
        "of a size", lambda x: sg.arange(sg.size(_open(x), 1)), lambda x: np.arange(3), _X,
    ),
    _range(
        "from, to and step of the run", sg.arange, np.arange, np.array(2), np.array(11),
        np.array(3),
    ),
    _range(
        "backwards", lambda n: sg.arange(n, -4, -3), lambda n: np.arange(4, -4, -3, np.int32), _N,
    ),
    _range(
        "of nothing", lambda n: sg.arange(7, n), lambda n: np.zeros(0, np.int32), _N,
    ),
    _range("of uint8", sg.arange, lambda n: np.arange(3, dtype=np.uint8), np.array(3, np.uint8)),
    _range(
        "of floats", lambda a, b: sg.arange(a, 2.0, b), lambda a, b: a + b * np.arange(6),
        np.array(0.25), np.array(0.3), wrt=(0, 1),
    ),
    _range(
        "in another dtype", lambda n: sg.arange(n, dtype="float64"), lambda n: np.arange(4.0), _N,
    ),
    _range("arange", lambda: sg.arange(5), lambda: np.arange(5)),
    _range("arange of floats", lambda: sg.arange(0.0, 1.0, 0.25), lambda: np.array(
        [0, 0.25, 0.5, 0.75], np.float32)),
    _range("arange of nothing", lambda: sg.arange(3, 1), lambda: np.zeros(0, np.int64)),
    _range(
        "arange in another dtype", lambda: sg.arange(1, 7, 2, "float64"),
        lambda: np.arange(1.0, 7, 2),
    ),
    _range("eye", lambda: sg.eye(3), lambda: np.eye(3, dtype=np.float32)),
    _range("eye above", lambda: sg.eye(2, 4, 1, bool), lambda: np.eye(2, 4, 1, bool)),
    _range("eye of the run", sg.eye, lambda n: np.eye(4, dtype=np.float32), _N),
    _range(
        "eye of the run below", lambda n: sg.eye(n, 2, -1, "int8"),
        lambda n: np.eye(4, 2, -1, np.int8), _N,
    ),
    _range("linspace", lambda: sg.linspace(0, 3, 4), lambda: np.linspace(0, 3, 4, dtype="f4")),
    _range(
        "linspace of another dtype", lambda: sg.linspace(0.1, 0.7, 6, dtype="float64"),
        lambda: np.linspace(0.1, 0.7, 6),
    ),
    _range(
        "linspace of ints", lambda: sg.linspace(0, 7, 4, dtype="int32"),
        lambda: np.linspace(0, 7, 4).astype("int32"),
    ),
    _range(
        "linspace of complex numbers", lambda: sg.linspace(0, 1 + 2j, 5),
        lambda: np.linspace(0, 1 + 2j, 5).astype("complex64"),
    ),
    _range(
        "linspace of one", lambda: sg.linspace(2.0, 3.0, 1), lambda: np.array([2], np.float32),
    ),
    _range(
        "linspace of none", lambda: sg.linspace(2.0, 3.0, 0), lambda: np.zeros(0, np.float32),
    ),
    Sample(
        "multiply", lambda a, b: sg.linspace(a, b, 5), (np.array(-1.0), np.array([2.0, 0.3])),
        lambda a, b: np.linspace(a, b, 5), wrt=(0, 1), label="linspace of tensors",
    ),
    Sample(
        "multiply", lambda a: sg.linspace(a, 1.0, 4, endpoint=False, dtype="float64"),
        (np.array(-1.0),), lambda a: np.linspace(a, 1, 4, endpoint=False), wrt=(0,),
        label="linspace without its end",
    ),
]  # fmt: skip

SAMPLES: list[Sample] = [*_FILLED, *_RANGES]


def _argument(op: str, problem: str, *details: str) -> str:
    return "\n".join([f"{op}: {problem}", *[f"  {d}" for d in details], "  at {here}: {line}"])


REFUSALS: list[Refusal] = [
    Refusal(
        "broadcast_to", lambda: sg.zeros((2, -3)), ShapeError,
        _argument("zeros", "-3 is no size of an axis", "sizes are not negative"), label="zeros",
    ),
    Refusal(
        "broadcast_to", lambda: sg.ones(2.5), ShapeError,
        _argument("ones", "2.5 is no shape", "give an int or a tuple of ints"), label="ones",
    ),
    Refusal(
        "broadcast_to", lambda: sg.full(2, sg.placeholder("float32", (3,), name="x")), ShapeError,
        "full (in its broadcast_to): [3] does not broadcast to [2]\n"
        "  x 'x'  float32[3]  placeholder at {here}\n"
        "  axis -1 of the operand must be 1 or equal\n"
        "  created at {here}: {line}",
        label="full",
    ),
    Refusal(
        "constant", lambda: sg.full(2, 1.5, "int32"), DTypeError,
        "constant: 1.5 does not fit int32\n"
        "  give a wider dtype; beside a tensor, convert that with sg.cast first\n"
        "  at {here}: {line}",
        label="full",
    ),
    Refusal(
        "arange", lambda: sg.arange(sg.placeholder("int64", (2,), name="n")), ShapeError,
        "arange: start, stop and step are numbers\n"
        "  count 'n'  int64[2]  placeholder at {here}\n"
        "  give scalars\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "arange", lambda: sg.arange(0, 5, 0), ShapeError,
        _argument("arange", "step is 0", "a step of 0 never reaches the end"), label="step 0",
    ),
    Refusal(
        "arange", lambda: sg.arange(sg.placeholder("int64", ()), 5, 0), ShapeError,
        _argument("arange", "step is 0", "a step of 0 never reaches the end"),
        label="step 0 from a tensor",
    ),
    Refusal(
        "arange", lambda: sg.arange(float("inf")), ShapeError,
        _argument("arange", "from 0 to inf in steps of 1 are too many", "give finite ends"),
        label="without end",
    ),
    Refusal(
        "arange", lambda: sg.arange("5"), ShapeError,
        _argument("arange", "'5' is no number", "give ints or floats"), label="a string",
    ),
    Refusal(
        "arange",
        lambda: sg.constant(2).graph.add(ARANGE, (sg.zeros(2, "int64"),), {"size": None}),
        ShapeError,
        "arange: the number of elements is int64[2]\n"
        "  count 'zeros'  int64[2]  broadcast_to at {here}\n"
        "  it must be a scalar\n"
        "  created at {here}: {line}",
        label="a vector of counts",
    ),
    Refusal(
        "constant", lambda: sg.linspace(0.0, 1.0, -1), ShapeError,
        _argument("linspace", "-1 is no number of elements", "give an int from 0"),
        label="linspace",
    ),
    Refusal(
        "broadcast_to", lambda: sg.ones(3, device="gpu"), ShapeError,
        _argument("ones", "there is no device 'gpu'", "leave it away, or give 'cpu'"),
        label="a device",
    ),
    Refusal(
        "constant", lambda: sg.eye(2, k=0.5), ShapeError,
        _argument("eye", "k=0.5 is no diagonal", "give an int"), label="eye",
    ),
]  # fmt: skip
