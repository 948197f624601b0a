"""Samples of ops/linalg/spectral.py, linalg/rank.py and linalg/norms.py: values from NumPy.

The sign of an eigenvector is LAPACK's choice, another one in machine code than in NumPy: samples
make the sum of each positive. Vectors that may be turned freely are compared by the
projection onto what they span.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import ShapeError
from staticgraph.ops import linalg

from .sample_types import Refusal, Sample
from .samples_linalg_factor import (
    NO_MATRIX,
    NO_RANK,
    Numbers,
    not_square,
    refused,
    symmetric,
)

Array = np.ndarray[Any, Any]

_numbers = Numbers(12)
array, regular = _numbers.array, _numbers.regular


def _apart(*shape: int, dtype: Any = np.float64) -> Array:
    """Symmetric matrices with well separated eigenvalues, and a triangle that nobody reads."""
    size = shape[-1]
    noise = array(*shape) / max(4 * size, 1)
    return np.asarray(noise + np.diag(np.arange(size) - size / 3)).astype(dtype)


def _tall(*shape: int, dtype: Any = np.float64) -> Array:
    """Matrices of any sizes with well separated singular values."""
    rows, columns = shape[-2:]
    noise = array(*shape) / max(4 * max(rows, columns), 1)
    return np.asarray(noise + np.eye(rows, columns) * (1.0 + np.arange(columns))).astype(dtype)


def _part(x: Array) -> Array:
    return (x + np.swapaxes(x, -1, -2)) * 0.5


def _signs(x: Any) -> Any:
    total = sg.sum if isinstance(x, sg.Tensor) else np.sum
    sign = sg.sign if isinstance(x, sg.Tensor) else np.sign
    return sign(total(x, axis=-2, keepdims=True))


def _eigh(x: Any) -> Any:
    if isinstance(x, sg.Tensor):
        values, vectors = linalg.eigh(symmetric(x))
    else:
        values, vectors = np.linalg.eigh(_part(x))
    return values, vectors * _signs(vectors)


def _svd(x: Any) -> Any:
    if isinstance(x, sg.Tensor):
        left, values, right = linalg.svd(x, full_matrices=False)
        signs = _signs(left)
        return left * signs, values, right * sg.matrix_transpose(signs)
    left, values, right = np.linalg.svd(x, full_matrices=False)
    signs = _signs(left)
    return left * signs, values, right * np.swapaxes(signs, -1, -2)


def _svd_full(x: Any) -> Any:
    """What does not depend on how the vectors of no singular value are turned."""
    if isinstance(x, sg.Tensor):
        left, values, right = linalg.svd(x)
        count = min(x.shape[-2:]) if None not in x.shape[-2:] else sg.size(values, -1)
        more, others = left[..., count:], right[..., count:, :]
        turn = sg.matrix_transpose
    else:
        left, values, right = np.linalg.svd(x)
        count = min(x.shape[-2:])
        more, others = left[..., count:], right[..., count:, :]
        turn = lambda y: np.swapaxes(y, -1, -2)  # noqa: E731
    return values, more @ turn(more), turn(others) @ others


SQUARES = [
    ("three", (3, 3)), ("one", (1, 1)), ("none", (0, 0)), ("batch", (2, 4, 4)),
    ("empty batch", (0, 3, 3)), ("batch of empty", (2, 0, 0)), ("large", (30, 30)),
]  # fmt: skip
ANY = [
    ("square", (3, 3)), ("tall", (4, 2)), ("wide", (2, 4)), ("one", (1, 1)), ("column", (3, 1)),
    ("row", (1, 3)), ("no rows", (0, 3)), ("no columns", (3, 0)), ("batch", (2, 4, 3)),
    ("wide batch", (2, 1, 2, 3)), ("empty batch", (0, 3, 2)), ("large", (40, 25)),
    ("large wide", (25, 40)),
]  # fmt: skip
DTYPES = (np.float64, np.float32)


def _loose(dtype: Any) -> float:
    return 2e-4 if dtype == np.float32 else 1e-9


def _wrt(label: str, dtype: Any) -> tuple[int, ...]:
    return (0,) if dtype == np.float64 and "large" not in label else ()


def _each(
    op: str,
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    make: Callable[..., Array],
    cases: list[tuple[str, tuple[int, ...]]],
    suffix: str = "",
    dtypes: tuple[Any, ...] = DTYPES,
) -> list[Sample]:
    return [
        Sample(
            op, ours, (make(*shape, dtype=dtype),), theirs, wrt=_wrt(label, dtype),
            label=f"{label} {np.dtype(dtype).name}{suffix}", tolerance=_loose(dtype),
        )
        for label, shape in cases for dtype in dtypes
    ]  # fmt: skip


def _qr(mode: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return (lambda x: linalg.qr(x, mode)), (lambda x: tuple(np.linalg.qr(x, mode)))


def _qr_complete(x: Any) -> Any:
    """What does not depend on how the columns beyond the operand's are turned."""
    if isinstance(x, sg.Tensor):
        q, r = linalg.qr(x, mode="complete")
        count = x.shape[-1] if x.shape[-1] is not None else sg.size(x, -1)
        more = q[..., count:]
        return r, q[..., :count], more @ sg.matrix_transpose(more)
    q, r = np.linalg.qr(x, mode="complete")
    more = q[..., x.shape[-1] :]
    return r, q[..., : x.shape[-1]], more @ np.swapaxes(more, -1, -2)


# Zeros, a matrix with a pivot of 0, and one that has an inverse.
_WITH_ZEROS = np.stack([np.zeros((3, 3)), np.diag([1.0, 0.0, 2.0]), regular(3, 3)])
_DEFICIENT = np.outer([1.0, 2.0, 3.0], [1.0, -1.0]) + 0.0


def _degenerate(x: Any) -> Any:
    """The slope of functions of eigenvalues of which two are equal."""
    values, vectors = linalg.eigh(symmetric(x))
    shared = vectors[..., :2]
    onto = shared @ sg.matrix_transpose(shared)
    return sg.gradients(sg.sum(sg.exp(values)) + sg.sum(onto * sg.constant(_WEIGHTS)), x)[0]


def _degenerate_reference(x: Array) -> Array:
    values = np.diagonal(x)
    found = np.diag(np.exp(values))
    moved = _part(_WEIGHTS) / (values[0] - values[2])
    found[:2, 2], found[2, :2] = moved[:2, 2], moved[2, :2]
    return np.asarray(found)


_WEIGHTS = np.array([[1.0, 2.0, 0.0], [0.5, -1.0, 1.0], [3.0, 0.0, 1.0]])


def _pinv(x: Array) -> Array:
    return np.linalg.pinv(x, rtol=1e-12 if x.dtype == np.float64 else 1e-6)


def _lstsq(lhs: Any, rhs: Any) -> Any:
    return tuple(linalg.lstsq(lhs, rhs))


def _lstsq_reference(lhs: Array, rhs: Array) -> Any:
    inverse = np.linalg.pinv(lhs, rtol=1e-12)
    vector = rhs.ndim == 1
    right = rhs[:, None] if vector else rhs
    found = inverse @ right
    left = np.sum((right - lhs @ found) ** 2, axis=-2)
    if vector:
        found, left = found[..., 0], left[..., 0]
    return found, left, np.linalg.matrix_rank(lhs), np.linalg.svd(lhs, compute_uv=False)


_NORM_ORDERS = (2, 1, 0, 3, 0.5, -1, math.inf, -math.inf)
_MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)


def _away(*shape: int) -> Array:
    """Numbers away from 0, where some norms have kinks."""
    x = array(*shape)
    return x + np.copysign(0.3, x)


def _tall_away(*shape: int) -> Array:
    """Matrices whose values are apart, of numbers away from 0."""
    x = _tall(*shape)
    return x + np.copysign(0.05, x)


def _norms() -> list[Sample]:
    samples = []
    for order in _NORM_ORDERS:
        op = {2: "norm", math.inf: "max", -math.inf: "min"}.get(order, "sum")
        for label, x, axis in [
            ("vector", _away(5), None), ("rows", _away(3, 4), 1), ("both", _away(2, 3, 2), (0, 2)),
        ]:  # fmt: skip

            def theirs(x: Array, o: Any = order, a: Any = axis) -> Any:
                return np.linalg.vector_norm(x, axis=a, ord=o)

            samples.append(Sample(
                op, lambda x, o=order, a=axis: linalg.vector_norm(x, axis=a, ord=o), (x,), theirs,
                wrt=(0,), label=f"vector_norm {order} {label}", tolerance=1e-10,
            ))  # fmt: skip
        samples.append(Sample(
            op, lambda x, o=order: linalg.norm(x, o, axis=-1, keepdims=True),
            (_away(3, 4),), lambda x, o=order: np.linalg.norm(x, o, axis=-1, keepdims=True),
            wrt=(0,), label=f"norm {order}", tolerance=1e-10,
        ))  # fmt: skip
    for order in _MATRIX_ORDERS:
        op = "norm" if order == "fro" else "svdvals" if order in ("nuc", 2, -2) else "sum"
        samples += [
            Sample(
                op, lambda x, o=order: linalg.matrix_norm(x, ord=o), (_tall_away(2, 3, 4),),
                lambda x, o=order: np.linalg.matrix_norm(x, ord=o), wrt=(0,),
                label=f"matrix_norm {order}", tolerance=1e-10,
            ),
            Sample(
                op, lambda x, o=order: linalg.norm(x, o, axis=(2, 0), keepdims=True),
                (_away(4, 2, 3),),
                lambda x, o=order: np.linalg.norm(x, o, axis=(2, 0), keepdims=True), wrt=(0,),
                label=f"norm of axes {order}", tolerance=1e-10,
            ),
        ]  # fmt: skip
    return samples


def _at_zero() -> list[Sample]:
    """Slopes at 0 are 0."""
    return [
        Sample(
            {1: "sum", 3: "sum", 1.5: "sum", 2: "norm"}[order],
            lambda x, o=order: sg.gradients(linalg.vector_norm(x, ord=o), x)[0],
            (np.zeros(3),), np.zeros_like, label=f"vector_norm {order} at 0",
        )
        for order in (1, 1.5, 2, 3)
    ]  # fmt: skip


# -- complex matrices -----------------------------------------------------------------------------


def _complex(*shape: int) -> Array:
    return _tall(*shape) + 0.3j * array(*shape)


def _turned(x: Any) -> Any:
    if isinstance(x, sg.Tensor):
        return sg.conj(sg.matrix_transpose(x))
    return np.swapaxes(x, -1, -2).conj()


def _complex_eigh(x: Any) -> Any:
    """What does not depend on the phases of vectors."""
    hermitian = (x + _turned(x)) * (0.5 if isinstance(x, sg.Tensor) else x.real.dtype.type(0.5))
    find: Any = linalg.eigh if isinstance(x, sg.Tensor) else np.linalg.eigh
    values, vectors = find(hermitian)
    first = vectors[..., :1]
    return values, first @ _turned(first), (vectors * values[..., None, :]) @ _turned(vectors)


def _complex_svd(x: Any) -> Any:
    """What does not depend on the phases of pairs of vectors."""
    find: Any = linalg.svd if isinstance(x, sg.Tensor) else np.linalg.svd
    left, values, right = find(x, full_matrices=False)
    first = left[..., :1]
    return values, first @ right[..., :1, :], first @ _turned(first)


def _complex_samples() -> list[Sample]:
    samples = []
    for label, shape in [("square", (3, 3)), ("tall", (4, 2)), ("wide", (2, 2, 3)),
                         ("large", (20, 20)), ("empty batch", (0, 3, 2))]:  # fmt: skip
        x = _complex(*shape)
        for dtype in (np.complex128, np.complex64):
            wrt = (0,) if dtype == np.complex128 and label in ("square", "tall", "wide") else ()
            loose = 2e-4 if dtype == np.complex64 else 1e-9
            name, given = f"{np.dtype(dtype).name} {label}", (x.astype(dtype),)
            samples += [
                Sample("svd", _complex_svd, given, _complex_svd, wrt=wrt, label=name,
                       tolerance=loose),
                Sample("svdvals", linalg.svdvals, given,
                       lambda x: np.linalg.svd(x, compute_uv=False), wrt=wrt, label=name,
                       tolerance=loose),
                Sample("qr", linalg.qr, given, lambda x: tuple(np.linalg.qr(x)), wrt=wrt,
                       label=name, tolerance=loose),
                Sample("pinv", linalg.pinv, given, np.linalg.pinv, wrt=wrt, label=name,
                       tolerance=loose),
            ]  # fmt: skip
            if shape[-1] == shape[-2]:
                samples += [
                    Sample("eigh", _complex_eigh, given, _complex_eigh, wrt=wrt, label=name,
                           tolerance=loose),
                    Sample("eigvalsh", lambda x: linalg.eigvalsh(x @ _turned(x)), given,
                           lambda x: np.linalg.eigvalsh(x @ _turned(x)), wrt=wrt, label=name,
                           tolerance=loose),
                ]  # fmt: skip
    return samples


SAMPLES: list[Sample] = [
    *_complex_samples(),
    *_each("eigh", _eigh, _eigh, _apart, SQUARES),
    Sample("eigh", lambda x: linalg.eigh(x, UPLO="U").eigenvalues, (_apart(3, 3),),
           lambda x: np.linalg.eigh(x, UPLO="U")[0], label="upper", tolerance=1e-12),
    Sample("eigh", lambda x: linalg.eigh(x, UPLO="L").eigenvalues, (_apart(3, 3),),
           lambda x: np.linalg.eigh(x, UPLO="L")[0], label="lower", tolerance=1e-12),
    Sample("eigh", _degenerate, (np.diag([2.0, 2.0, 5.0]),), _degenerate_reference,
           label="equal eigenvalues", tolerance=1e-12),
    *_each("eigvalsh", lambda x: linalg.eigvalsh(symmetric(x)),
           lambda x: np.linalg.eigvalsh(_part(x)), _apart, SQUARES),
    Sample("eigvalsh", lambda x: linalg.eigvalsh(x, UPLO="U"), (np.array([[1, 2], [9, 3]]),),
           lambda x: np.linalg.eigvalsh(x, UPLO="U"), label="integers", tolerance=1e-12),
    *_each("svd", _svd, _svd, _tall, ANY),
    *_each("svd", _svd_full, _svd_full, _tall, ANY, " full", (np.float64,)),
    *_each("svdvals", linalg.svdvals, lambda x: np.linalg.svd(x, compute_uv=False), _tall, ANY),
    *_each("qr", *_qr("reduced"), _tall, ANY),
    *_each("qr", _qr_complete, _qr_complete, _tall, ANY, " complete", (np.float64,)),
    *_each("pinv", linalg.pinv, _pinv, _tall,
           [case for case in ANY if case[0] not in ("no rows", "no columns", "empty batch")]),
    Sample("pinv", linalg.pinv, (np.zeros((0, 3)),), lambda x: x.T, label="no rows", wrt=(0,)),
    Sample("pinv", linalg.pinv, (np.zeros((3, 0)),), lambda x: x.T, label="no columns", wrt=(0,)),
    Sample("pinv", linalg.pinv, (_DEFICIENT,), lambda x: np.linalg.pinv(x, rtol=1e-12),
           label="deficient", tolerance=1e-12),
    Sample("pinv", lambda x: linalg.pinv(x, rtol=0.5), (np.diag([4.0, 1.0]),),
           lambda x: np.linalg.pinv(x, rtol=0.5), label="rtol", tolerance=1e-12),
    Sample("svdvals", linalg.matrix_rank, (_DEFICIENT,), lambda x: np.int64(1), label="rank"),
    Sample("svdvals", lambda x: linalg.matrix_rank(x, rtol=0.5), (np.diag([4.0, 1.0, 3.0]),),
           lambda x: np.int64(2), label="rank with rtol"),
    Sample("svdvals", linalg.matrix_rank, (_tall(2, 3, 2),), np.linalg.matrix_rank,
           label="rank of a batch"),
    *[
        Sample("svdvals" if p in (None, 2, -2) else "lu_solve", lambda x, p=p: linalg.cond(x, p),
               (regular(2, 3, 3),), lambda x, p=p: np.linalg.cond(x, p), wrt=(0,),
               label=f"cond {p}", tolerance=1e-10)
        for p in (None, 2, -2, 1, -1, math.inf, -math.inf, "fro", "nuc")
    ],
    *[
        Sample("svdvals" if p in (None, 2, -2) else "lu_solve", lambda x, p=p: linalg.cond(x, p),
               (_WITH_ZEROS,), lambda x, p=p: np.linalg.cond(x, p), label=f"cond {p} singular",
               tolerance=1e-10)
        for p in (None, 2, -2, 1, -1, math.inf, -math.inf, "fro")
    ],
    *[
        Sample("pinv", _lstsq, (lhs, rhs), _lstsq_reference, wrt=(0, 1), label=f"lstsq {label}",
               tolerance=1e-10)
        for label, lhs, rhs in [
            ("tall", _tall(4, 2), array(4, 2)), ("wide", _tall(2, 3), array(2, 1)),
            ("vector", _tall(4, 2), array(4)), ("batch", _tall(2, 4, 2), array(2, 4, 1)),
        ]
    ],
    *_norms(),
    *[
        Sample("norm" if o == 2 else "sum", lambda x, o=o: linalg.vector_norm(x, axis=1, ord=o),
               (_complex(2, 3),), lambda x, o=o: np.linalg.vector_norm(x, axis=1, ord=o),
               wrt=(0,), label=f"vector_norm {o} complex")
        for o in (1, 2, 3)
    ],
    *_at_zero(),
    Sample("norm", linalg.norm, (array(2, 3, 2),), np.linalg.norm, wrt=(0,), label="all axes"),
    Sample("norm", lambda x: linalg.norm(x), (np.array([[3, 4], [0, 0]]),), np.linalg.norm,
           label="integers"),
]  # fmt: skip


# -- refusals -------------------------------------------------------------------------------------


def _given(shape: Any) -> sg.Tensor:
    return sg.placeholder("float32", shape, name="x")


_NO_BOOL: Any = "no"


def _keepdims() -> list[tuple[str, str, Callable[[], sg.Tensor]]]:
    return [
        ("norm", "norm", lambda: linalg.norm(_given((3, 3)), keepdims=_NO_BOOL)),
        ("norm", "vector_norm", lambda: linalg.vector_norm(_given((3,)), keepdims=_NO_BOOL)),
        ("svdvals", "matrix_norm", lambda: linalg.matrix_norm(_given((3, 3)), keepdims=_NO_BOOL)),
    ]


REFUSALS: list[Refusal] = [
    Refusal(
        "eigh", lambda: linalg.eigh(_given((2, 3))), ShapeError,
        refused("eigh", "x is no square matrix", "[2, 3]", not_square(2, 3)),
    ),
    Refusal(
        "eigh", lambda: linalg.eigh(_given((2, 2)), UPLO="l"), ShapeError,
        "eigh: UPLO='l' is no triangle\n  give 'L' or 'U'\n  at {here}: {line}", label="UPLO",
    ),
    Refusal(
        "eigvalsh", lambda: linalg.eigvalsh(_given((3,))), ShapeError,
        refused("eigvalsh", "x is no matrix", "[3]", NO_MATRIX),
    ),
    Refusal(
        "svd", lambda: linalg.svd(_given((3,))), ShapeError,
        refused("svd", "x is no matrix", "[3]", NO_MATRIX),
    ),
    Refusal(
        "svd", lambda: linalg.svd(_given((2, 2)), full_matrices=_NO_BOOL), ShapeError,
        "svd: full_matrices='no' is no bool\n  give True or False\n  at {here}: {line}",
        label="full_matrices",
    ),
    Refusal(
        "svdvals", lambda: linalg.svdvals(_given(None)), ShapeError,
        refused("svdvals", "the rank of 'x' is not known", "[...]", NO_RANK),
    ),
    Refusal(
        "qr", lambda: linalg.qr(_given(())), ShapeError,
        refused("qr", "x is no matrix", "[]", NO_MATRIX),
    ),
    Refusal(
        "qr", lambda: linalg.qr(_given((2, 2)), "raw"), ShapeError,
        "qr: mode='raw' is no mode\n  give 'reduced', 'complete' or 'r'\n  at {here}: {line}",
        label="mode",
    ),
    Refusal(
        "pinv", lambda: linalg.pinv(_given((3,))), ShapeError,
        refused("pinv", "x is no matrix", "[3]", NO_MATRIX),
    ),
    Refusal(
        "pinv", lambda: linalg.pinv(_given((3, 3)), rtol=True), ShapeError,
        "pinv: rtol=True is no number\n  give a float, or None for eps * size\n  at {here}: {line}",
        label="rtol",
    ),
    *[
        Refusal(
            op, call, ShapeError,
            f"{what}: keepdims='no' is no bool\n  give True or False\n  at {{here}}: {{line}}",
            label=f"{what} keepdims",
        )
        for op, what, call in _keepdims()
    ],
    Refusal(
        "svdvals", lambda: linalg.matrix_norm(_given((3, 3)), ord=3), ShapeError,
        "matrix_norm: ord=3 is no order of matrices\n"
        "  give 'fro', 'nuc', 1, -1, 2, -2, math.inf or -math.inf\n  at {here}: {line}",
        label="matrix_norm",
    ),
    Refusal(
        "norm", lambda: linalg.vector_norm(_given((3,)), ord="fro"), ShapeError,
        "vector_norm: ord='fro' is no order\n  give a number, math.inf or -math.inf\n"
        "  at {here}: {line}",
        label="vector_norm",
    ),
    Refusal(
        "norm", lambda: linalg.norm(_given((3, 3, 3)), 2), ShapeError,
        "norm: ord=2 of 3 axes\n  x 'x'  float32[3, 3, 3]  placeholder at {here}\n"
        "  name one axis for vectors, two for matrices\n  at {here}: {line}",
        label="three axes",
    ),
]  # fmt: skip
