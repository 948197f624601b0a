"""Samples of ops/linalg/parts.py: values from NumPy and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

import staticgraph as sg
from staticgraph.errors import ShapeError
from staticgraph.ops import linalg

from .sample_types import Refusal, Sample
from .samples_linalg_factor import NO_MATRIX, Numbers, not_square, refused

Array = np.ndarray[Any, Any]

_numbers = Numbers(13)
array, regular = _numbers.array, _numbers.regular


def _matrix_diag(x: Array, offset: int = 0) -> Array:
    size = x.shape[-1] + abs(offset)
    found = np.zeros((*x.shape[:-1], size, size), x.dtype)
    for index in np.ndindex(x.shape):
        row = index[-1] + max(-offset, 0)
        found[(*index[:-1], row, row + offset)] = x[index]
    return found


def _expm(x: Array) -> Array:
    if x.size == 0:
        return x
    flat = x.reshape((-1, *x.shape[-2:])).astype(np.result_type(x, np.float64))
    return np.stack([scipy.linalg.expm(item) for item in flat]).reshape(x.shape).astype(x.dtype)


_ROTATION = np.array([[0.0, 3.0], [-3.0, 0.0]])
OFFSETS = (0, 1, -1, 2, -3, 9)

SAMPLES: list[Sample] = [
    *[
        Sample("diagonal", lambda x, o=offset: linalg.diagonal(x, o), (x,),
               lambda x, o=offset: np.diagonal(x, o, -2, -1), wrt=(0,), label=f"{label} {offset}")
        for label, x in [("square", array(3, 3)), ("tall", array(4, 2)), ("wide", array(2, 2, 4))]
        for offset in OFFSETS
    ],
    *[
        Sample("diagonal", linalg.diagonal, (x,), lambda x: np.diagonal(x, 0, -2, -1), label=label)
        for label, x in [
            ("bool", np.eye(3, dtype=bool)), ("int8", np.arange(6, dtype=np.int8).reshape(2, 3)),
            ("empty", np.zeros((0, 3))), ("empty batch", np.zeros((0, 3, 3))),
            ("float32", array(2, 3, dtype=np.float32)),
        ]
    ],
    Sample("diagonal", lambda x: linalg.diagonal(x, 1, axis1=0, axis2=1), (array(3, 4, 2),),
           lambda x: np.diagonal(x, 1), wrt=(0,), label="axes"),
    Sample("diagonal", lambda x: linalg.trace(x, 1), (array(2, 3, 4),),
           lambda x: np.trace(x, 1, -2, -1), wrt=(0,), label="trace"),
    Sample("diagonal", lambda x: linalg.trace(x, dtype="float32"), (np.eye(3, dtype=np.int32),),
           lambda x: np.float32(3), label="trace with a dtype"),
    Sample("diagonal", linalg.diag, (array(3, 4),), np.diag, wrt=(0,), label="diag of a matrix"),
    *[
        Sample("where", lambda x, o=offset: linalg.matrix_diag(x, o), (x,),
               lambda x, o=offset: _matrix_diag(x, o), wrt=(0,) if x.dtype == np.float64 else (),
               label=f"matrix_diag {label} {offset}")
        for label, x in [("vector", array(3)), ("batch", array(2, 3)),
                         ("int32", np.arange(3, dtype=np.int32)), ("empty", np.zeros((2, 0)))]
        for offset in (0, 2, -1)
    ],
    Sample("where", lambda x: linalg.diag(x, 1), (array(3),), lambda x: np.diag(x, 1), wrt=(0,),
           label="diag of a vector"),
    *[
        Sample("matmul" if n not in (0, 1) else {0: "broadcast_to", 1: "matmul"}[n],
               lambda x, n=n: linalg.matrix_power(x, n) @ sg.linalg.matrix_power(x, 2),
               (regular(2, 3, 3),),
               lambda x, n=n: np.linalg.matrix_power(x, n) @ x @ x, wrt=(0,),
               label=f"matrix_power {n}", tolerance=1e-9)
        for n in (0, 1, 2, 3, 7, -1, -2)
    ],
    Sample("matmul", lambda x: linalg.matrix_power(x, 10), (np.array([[1, 1], [1, 0]]),),
           lambda x: np.linalg.matrix_power(x, 10), label="matrix_power of integers"),
    *[
        Sample("lu_solve", linalg.expm, (x,), _expm, wrt=wrt, label=f"expm {label}",
               tolerance=loose)
        for label, x, wrt, loose in [
            ("three", regular(3, 3), (0,), 1e-10), ("one", np.array([[2.0]]), (0,), 1e-12),
            ("batch", regular(2, 3, 3) * [[[0.1]], [[5.0]]], (0,), 1e-9),
            ("rotation", _ROTATION, (0,), 1e-11), ("far", _ROTATION * 20, (), 1e-9),
            ("zero", np.zeros((2, 2)), (0,), 1e-14),
            ("complex", _ROTATION + 1j * regular(2, 2), (0,), 1e-11),
            ("none", np.zeros((0, 0)), (), 0.0), ("empty batch", np.zeros((0, 2, 2)), (), 0.0),
            ("float32", regular(3, 3, dtype=np.float32), (), 1e-4),
        ]
    ],
    *[
        Sample("concat", lambda a, b, axis=axis: linalg.cross(a, b, axis=axis), (a, b),
               lambda a, b, axis=axis: np.cross(a, b, axis=axis), wrt=(0, 1),
               label=f"cross {label}")
        for label, a, b, axis in [
            ("vectors", array(3), array(3), -1), ("batch", array(4, 3), array(3), -1),
            ("rows", array(3, 2), array(3, 2), 0),
        ]
    ],
    *[
        Sample("multiply", linalg.kron, (a, b), np.kron,
               wrt=(0, 1) if a.dtype.kind == "f" else (), label=f"kron {label}")
        for label, a, b in [
            ("matrices", array(2, 3), array(3, 2)), ("vectors", array(2), array(3)),
            ("ranks", array(2), array(2, 2)), ("int16", np.arange(3, dtype=np.int16),
                                               np.arange(4, dtype=np.int16).reshape(2, 2)),
            ("empty", array(0, 2), array(2, 2)),
        ]
    ],
    Sample("matmul", lambda *xs: linalg.multi_dot(xs), (array(2, 5), array(5, 3), array(3, 4)),
           lambda *xs: np.linalg.multi_dot(xs), wrt=(0, 1, 2), label="multi_dot"),
    Sample("matmul", lambda *xs: linalg.multi_dot(xs), (array(5), array(5, 3), array(3)),
           lambda *xs: np.linalg.multi_dot(xs), wrt=(0, 1, 2), label="multi_dot of vectors"),
]  # fmt: skip


# -- refusals -------------------------------------------------------------------------------------


def _given(shape: Any, name: str = "x") -> sg.Tensor:
    return sg.placeholder("float32", shape, name=name)


REFUSALS: list[Refusal] = [
    Refusal(
        "diagonal", lambda: linalg.diagonal(_given((3,))), ShapeError,
        refused("diagonal", "x is no matrix", "[3]", NO_MATRIX),
    ),
    Refusal(
        "diagonal", lambda: linalg.diagonal(_given((3, 3)), axis1=1), ShapeError,
        refused("diagonal", "axis1 and axis2 are both 1", "[3, 3]",
                "rows and columns are two axes"),
        label="one axis",
    ),
    Refusal(
        "diagonal", lambda: linalg.diagonal(_given((3, 3)), axis1=2), ShapeError,
        refused("diagonal", "'x' has no axis 2", "[3, 3]", "it has axes -2 to 1"), label="axis",
    ),
    Refusal(
        "diagonal", lambda: linalg.diagonal(_given((3, 3)), 0.5), ShapeError,
        "diagonal: offset=0.5 is no diagonal\n  give an int; 0 is the main one\n"
        "  at {here}: {line}",
        label="offset",
    ),
    Refusal(
        "diagonal", lambda: linalg.diag(_given((3, 3, 3))), ShapeError,
        refused("diag", "x is neither a vector nor a matrix, it has 3 axes", "[3, 3, 3]",
                "sg.linalg.matrix_diag makes matrices of a batch of vectors, sg.linalg.diagonal "
                "takes the diagonals of a batch of matrices"),
        label="diag",
    ),
    Refusal(
        "matmul", lambda: linalg.matrix_power(_given((2, 3)), 2), ShapeError,
        refused("matrix_power", "x is no square matrix", "[2, 3]", not_square(2, 3)),
        label="matrix_power",
    ),
    Refusal(
        "matmul", lambda: linalg.matrix_power(_given((2, 2)), 0.5), ShapeError,
        "matrix_power: n=0.5 is no power\n  give an int that is known now\n  at {here}: {line}",
        label="power",
    ),
    Refusal(
        "matmul", lambda: linalg.expm(_given((2, 3))), ShapeError,
        refused("expm", "x is no square matrix", "[2, 3]", not_square(2, 3)), label="expm",
    ),
    Refusal(
        "concat", lambda: linalg.cross(_given((2,)), _given((3,))), ShapeError,
        "cross: axis -1 of [2] has size 2\n  a cross product is of vectors of 3 elements\n"
        "  at {here}: {line}",
        label="cross",
    ),
    Refusal(
        "matmul", lambda: linalg.multi_dot([_given((2, 2))]), ShapeError,
        "multi_dot: there is nothing to multiply\n  give at least two operands\n"
        "  at {here}: {line}",
        label="multi_dot",
    ),
]  # fmt: skip
