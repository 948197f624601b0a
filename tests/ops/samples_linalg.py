"""Samples of ops/linalg/: values from NumPy's own products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops import linalg

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(5)


def _array(*shape: int, dtype: Any = np.float64) -> Array:
    return np.asarray(_random.uniform(-1.0, 1.0, shape)).astype(dtype)


def _integers(*shape: int, dtype: Any) -> Array:
    return _random.integers(0, 9, shape).astype(dtype)


def _products(
    function: Callable[..., Any],
    expected: Callable[..., Any],
    pairs: list[tuple[str, Array, Array]],
    op: str = "matmul",
    **arguments: Any,
) -> list[Sample]:
    return [
        Sample(
            op,
            lambda lhs, rhs: function(lhs, rhs, **arguments),
            (lhs, rhs),
            lambda lhs, rhs: expected(lhs, rhs, **arguments),
            wrt=(0, 1) if lhs.dtype.kind == rhs.dtype.kind == "f" else (),
            label=label if op == function.__name__ else f"{function.__name__} {label}",
            tolerance=1e-5 if lhs.dtype == np.float32 else None,
        )
        for label, lhs, rhs in pairs
    ]


MATRICES = [
    ("matrices", _array(2, 3), _array(3, 4)),
    ("float32", _array(5, 7, dtype=np.float32), _array(7, 2, dtype=np.float32)),
    ("vector and matrix", _array(3), _array(3, 4)),
    ("matrix and vector", _array(2, 3), _array(3)),
    ("vectors", _array(3), _array(3)),
    ("size one", _array(1, 1), _array(1, 1)),
    ("nothing inside", _array(2, 0), _array(0, 3)),
    ("no rows", _array(0, 3), _array(3, 2)),
    ("no columns", _array(2, 3), _array(3, 0)),
    ("int8", _integers(2, 3, dtype=np.int8), _integers(3, 2, dtype=np.int8)),
    ("int64", _integers(2, 3, dtype=np.int64), _integers(3, 2, dtype=np.int64)),
    ("uint32", _integers(2, 3, dtype=np.uint32), _integers(3, dtype=np.uint32)),
    ("int and float", _integers(2, 3, dtype=np.int32), _array(3, 2)),
]
BATCHES = [
    ("batch", _array(5, 2, 3), _array(5, 3, 4)),
    ("batch of lhs", _array(5, 2, 3), _array(3, 4)),
    ("batches of lhs", _array(2, 5, 2, 3), _array(3, 4)),
    ("batch of rhs", _array(2, 3), _array(5, 3, 4)),
    ("broadcast batches", _array(5, 1, 2, 3), _array(4, 3, 2)),
    ("batch of one", _array(1, 2, 3), _array(5, 3, 2)),
    ("empty batch", _array(0, 2, 3), _array(3, 2)),
    ("batch of empty", _array(4, 2, 0), _array(0, 2)),
    ("vector and batch", _array(3), _array(5, 3, 4)),
    ("batch and vector", _array(5, 2, 3), _array(3)),
]
VECTORS = [
    ("vectors", _array(3), _array(3)),
    ("rows", _array(2, 3), _array(2, 3)),
    ("broadcast", _array(4, 1, 3), _array(2, 3)),
    ("empty", _array(2, 0), _array(2, 0)),
    ("int8", _integers(2, 3, dtype=np.int8), _integers(2, 3, dtype=np.int8)),
    ("complex", _array(2, 3) + 1j * _array(2, 3), _array(2, 3) - 2j * _array(2, 3)),
]


def _vecdot(lhs: Array, rhs: Array, axis: int = -1) -> Any:
    return np.sum(np.conj(lhs) * rhs, axis=axis, dtype=lhs.dtype)


SAMPLES: list[Sample] = [
    *_products(linalg.matmul, np.matmul, [*MATRICES, *BATCHES]),
    Sample(
        "matmul", lambda lhs: linalg.matmul(lhs, [[1.0], [2.0]]), (_array(3, 2, dtype=np.float32),),
        lambda lhs: lhs[:, :1] + 2 * lhs[:, 1:], wrt=(0,), label="a list of numbers",
    ),
    Sample(
        "matmul", lambda x: linalg.matmul(x, x), (_array(3, 3),), lambda x: x.dot(x), wrt=(0,),
        label="a square",
    ),
    *_products(linalg.dot, np.dot, MATRICES),
    *_products(linalg.dot, np.dot, [("scalar", _array(), _array(2, 3))], "multiply"),
    *_products(linalg.vecdot, _vecdot, VECTORS, "sum"),
    *_products(linalg.vecdot, _vecdot, [("first", _array(3, 2), _array(3, 2))], "sum", axis=0),
    *_products(
        linalg.outer, np.outer,
        [("vectors", _array(2), _array(3)), ("matrices", _array(2, 2), _array(1, 3)),
         ("scalar", _array(), _array(3)), ("empty", _array(0), _array(3))],
        "multiply",
    ),
    *_products(
        linalg.tensordot, np.tensordot,
        [("two", _array(5, 3, 4), _array(3, 4, 2)),
         ("float32", _array(2, 3, 4, dtype=np.float32), _array(3, 4, dtype=np.float32))],
    ),
    *_products(
        linalg.tensordot, np.tensordot, [("outer", _array(2, 3), _array(4))], "multiply", axes=0,
    ),
    *_products(
        linalg.tensordot, np.tensordot,
        [("one", _array(2, 3), _array(3, 4)), ("one of three", _array(2, 5, 3), _array(3, 4)),
         ("empty", _array(2, 0), _array(0, 4))],
        axes=1,
    ),
    *_products(
        linalg.tensordot, np.tensordot, [("named", _array(4, 5, 3), _array(3, 2, 4))],
        axes=([0, -1], [2, 0]),
    ),
    *_products(
        linalg.tensordot, np.tensordot, [("one named", _array(4, 5), _array(3, 5))], axes=(1, 1),
    ),
]  # fmt: skip


# -- refusals ---------------------------------------------------------------------------------


def _lhs(shape: Any, dtype: str = "float32") -> sg.Tensor:
    return sg.placeholder(dtype, shape, name="x")


def _rhs(shape: Any, dtype: str = "float32") -> sg.Tensor:
    return sg.placeholder(dtype, shape, name="w")


def _message(op: str, lhs: str, rhs: str, *details: str, created: str = "created at") -> str:
    lines = [
        op,
        f"  lhs 'x'  float32{lhs}  placeholder at {{here}}",
        f"  rhs 'w'  float32{rhs}  placeholder at {{here}}",
        *[f"  {detail}" for detail in details],
        f"  {created} {{here}}: {{line}}",
    ]
    return "\n".join(lines)


_INNER = "matmul: inner dimensions differ"
_RANK = "declare the shape, with None for sizes that are open: placeholder(dtype, (None, 3))"

REFUSALS: list[Refusal] = [
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs((None, 784)), _rhs((512, 10))), ShapeError,
        _message(_INNER, "[?, 784]", "[512, 10]",
                 "lhs axis 1 is 784, rhs axis 0 is 512; they must be equal"), "matrices",
    ),
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs((3,)), _rhs((4, 2))), ShapeError,
        _message(_INNER, "[3]", "[4, 2]", "lhs axis 0 is 3, rhs axis 0 is 4; they must be equal"),
        "vector and matrix",
    ),
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs((7, 2, 3)), _rhs((4,))), ShapeError,
        _message(_INNER, "[7, 2, 3]", "[4]",
                 "lhs axis 2 is 3, rhs axis 0 is 4; they must be equal"), "batch and vector",
    ),
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs((2, 3)), _rhs((7, 4, 3))), ShapeError,
        _message(_INNER, "[2, 3]", "[7, 4, 3]",
                 "lhs axis 1 is 3, rhs axis 1 is 4; they must be equal"), "matrix and batch",
    ),
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs((5, 2, 3)), _rhs((4, 3, 2))), ShapeError,
        _message("matmul: the batches [5] and [4] do not broadcast", "[5, 2, 3]", "[4, 3, 2]",
                 "axis -3: 5 and 4 must be equal, or one of them 1"), "batches",
    ),
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs(()), _rhs((3, 2))), ShapeError,
        _message("matmul: lhs is a scalar", "[]", "[3, 2]", "scale with lhs * rhs"), "scalar",
    ),
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs((2, 3)), _rhs(None)), ShapeError,
        _message("matmul: the rank of 'w' is not known", "[2, 3]", "[...]", _RANK), "rank",
    ),
    Refusal(
        "matmul", lambda: linalg.matmul(_lhs((2, 2), "bool"), _rhs((2, 2), "bool")), DTypeError,
        _message(
            "matmul: does not take bool", "[2, 2]", "[2, 2]",
            "lhs may be int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
            "float16, bfloat16, float32, float64, complex64, complex128; "
            "sg.cast(x, dtype) converts",
        ).replace("float32[", "bool["),
        "bool",
    ),
    Refusal(
        "matmul", lambda: linalg.dot(_lhs((2, 2, 3)), _rhs((3,))), ShapeError,
        _message("dot: an operand has more than two axes", "[2, 2, 3]", "[3]",
                 "use sg.matmul, whose batches broadcast, or sg.linalg.tensordot(lhs, rhs, axes)",
                 created="at"), "dot of three axes",
    ),
    Refusal(
        "matmul", lambda: linalg.dot(_lhs(None), _rhs((3,))), ShapeError,
        _message("dot: the rank of 'x' is not known", "[...]", "[3]", _RANK, created="at"),
        "dot of unknown rank",
    ),
    Refusal(
        "sum", lambda: linalg.vecdot(_lhs((2, 3)), _rhs((2, 1))), ShapeError,
        _message("vecdot: the vectors differ in length", "[2, 3]", "[2, 1]",
                 "along axis -1 lhs has 3 and rhs 1; they must be equal", created="at"),
        "vecdot of different lengths",
    ),
    Refusal(
        "sum", lambda: linalg.vecdot(_lhs((2, 3)), _rhs((3,)), axis=-2), ShapeError,
        _message("vecdot: -2 is no axis of both operands", "[2, 3]", "[3]",
                 "give an int; -1 is the last axis", created="at"), "vecdot without the axis",
    ),
    Refusal(
        "sum", lambda: linalg.vecdot(_lhs((2, 3)), _rhs((3,)), axis=0), ShapeError,
        _message("vecdot: axis 0 is another axis of lhs than of rhs", "[2, 3]", "[3]",
                 "count it from the end: axes broadcast from there", created="at"),
        "vecdot along different axes",
    ),
    Refusal(
        "sum", lambda: linalg.vecdot(_lhs(None), _rhs((3,))), ShapeError,
        _message("vecdot: the rank of 'x' is not known", "[...]", "[3]", _RANK, created="at"),
        "vecdot of unknown rank",
    ),
    Refusal(
        "matmul", lambda: linalg.tensordot(_lhs((2, 3)), _rhs((3, 2))), ShapeError,
        _message("tensordot: the axes of a pair differ in size", "[2, 3]", "[3, 2]",
                 "lhs axis 0 is 2, rhs axis 0 is 3; they must be equal", created="at"),
        "tensordot of different sizes",
    ),
    Refusal(
        "matmul", lambda: linalg.tensordot(_lhs((2, 3)), _rhs((3,))), ShapeError,
        _message("tensordot: 2 pairs of axes are asked for", "[2, 3]", "[3]", "0 to 1 can be had",
                 created="at"), "tensordot with too many axes",
    ),
    *[
        Refusal(
            "matmul",
            lambda axes=axes: linalg.tensordot(_lhs((2, 3)), _rhs((3, 2)), axes=axes),
            ShapeError,
            _message(f"tensordot: axes={axes!r} makes no pairs of axes", "[2, 3]", "[3, 2]",
                     "name each axis once, as many of lhs as of rhs: axes=([0, 1], [1, 0])",
                     created="at"),
            f"tensordot axes {axes!r}",
        )
        for axes in (([0], [0, 1]), ([0, 0], [0, 1]), ([5], [0]), ([0], [0], [0]), None)
    ],
    Refusal(
        "matmul", lambda: linalg.tensordot(_lhs((2, 3)), _rhs(None)), ShapeError,
        _message("tensordot: the rank of 'w' is not known", "[2, 3]", "[...]", _RANK,
                 created="at"), "tensordot of unknown rank",
    ),
]  # fmt: skip
