"""Samples of linalg/eig.py, linalg/lu.py and linalg/tensors.py: values from NumPy and SciPy.

The phase of an eigenvector is LAPACK's choice: samples take what does not depend on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops import linalg

from .sample_types import Refusal, Sample
from .samples_linalg_factor import (
    NO_MATRIX,
    NO_RANK,
    Numbers,
    not_square,
    refused,
    refused_pair,
)

Array = np.ndarray[Any, Any]

_numbers = Numbers(21)
array, regular, definite = _numbers.array, _numbers.regular, _numbers.definite


def _turned(x: Any) -> Any:
    if isinstance(x, sg.Tensor):
        return sg.conj(sg.matrix_transpose(x))
    return np.swapaxes(x, -1, -2).conj()


def _separate(*shape: int, dtype: Any = np.float64) -> Array:
    """Matrices that are far from symmetric, with eigenvalues apart, some of them in pairs."""
    size = shape[-1]
    noise = array(*shape) / max(size, 1)
    turning = np.triu(np.full((size, size), 0.4), 1) - np.tril(np.full((size, size), 0.2), -1)
    found = noise + turning + np.diag(np.arange(size) // 2 * 3.0)
    if np.dtype(dtype).kind == "c":
        return np.asarray(found + 0.5j * np.diag(np.arange(size)), dtype)
    return np.asarray(found, dtype)


def _eig(x: Any) -> Any:
    """What does not depend on the phases of vectors."""
    values, vectors = (linalg.eig if isinstance(x, sg.Tensor) else np.linalg.eig)(x)
    if not isinstance(x, sg.Tensor):
        whole = np.result_type(x.dtype, np.complex64)
        values, vectors = values.astype(whole), vectors.astype(whole)
    first, last = vectors[..., :1], vectors[..., -1:]
    return values, first @ _turned(first), last @ _turned(last)


def _eigvals(x: Array) -> Array:
    return np.linalg.eigvals(x).astype(np.result_type(x.dtype, np.complex64))


def _lu(x: Array) -> Any:
    if x.size == 0:
        rows, columns = x.shape[-2:]
        inner, batch = min(rows, columns), x.shape[:-2]
        unit = np.broadcast_to(np.eye(rows, dtype=x.dtype), (*batch, rows, rows))
        return unit, unit[..., :inner], np.zeros((*batch, inner, columns), x.dtype)
    flat = x.reshape((-1, *x.shape[-2:]))
    made = [scipy.linalg.lu(matrix) for matrix in flat]
    return tuple(
        np.stack(items).reshape((*x.shape[:-2], *items[0].shape)).astype(x.dtype)
        for items in zip(*made, strict=True)
    )


def _eigs() -> list[Sample]:
    samples = []
    for label, shape in [("three", (3, 3)), ("one", (1, 1)), ("batch", (2, 4, 4)),
                         ("empty batch", (0, 3, 3)), ("large", (20, 20))]:  # fmt: skip
        for dtype in (np.float64, np.float32, np.complex128, np.complex64):
            double = np.dtype(dtype).name in ("float64", "complex128")
            wrt = (0,) if double and label != "large" else ()
            given = (_separate(*shape, dtype=dtype),)
            name, loose = f"{label} {np.dtype(dtype).name}", 1e-9 if double else 5e-4
            samples += [
                Sample("eig", _eig, given, _eig, wrt=wrt, label=name, tolerance=loose),
                Sample("eigvals", linalg.eigvals, given, _eigvals, wrt=wrt, label=name,
                       tolerance=loose),
            ]  # fmt: skip
    samples += [
        Sample("eigvals", linalg.eigvals, (np.zeros((0, 0)),), _eigvals, wrt=(0,), label="none"),
        Sample("eig", linalg.eig, (np.zeros((2, 0, 0)),),
               lambda x: (np.zeros((2, 0), complex), np.zeros((2, 0, 0), complex)), label="none"),
        Sample("eigvals", linalg.eigvals, (np.array([[1, 2], [0, 3]]),), _eigvals,
               label="integers", tolerance=1e-12),
    ]  # fmt: skip
    return samples


def _lus() -> list[Sample]:
    samples = []
    for label, shape in [
        ("square", (3, 3)), ("tall", (4, 2)), ("wide", (2, 4)), ("one", (1, 1)), ("row", (1, 3)),
        ("column", (3, 1)), ("no rows", (0, 3)), ("no columns", (3, 0)), ("batch", (2, 4, 4)),
        ("tall batch", (2, 1, 3, 2)), ("empty batch", (0, 3, 2)), ("large", (25, 30)),
    ]:  # fmt: skip
        for dtype in (np.float64, np.float32, np.complex128):
            x = array(*shape) + np.eye(shape[-2], shape[-1])[::-1] * 2
            if dtype == np.complex128:
                x = x + 1j * array(*shape)
            double = dtype != np.float32
            samples.append(Sample(
                "lu", linalg.lu, (x.astype(dtype),), _lu,
                wrt=(0,) if double and label != "large" else (),
                label=f"{label} {np.dtype(dtype).name}", tolerance=1e-10 if double else 2e-4,
            ))  # fmt: skip
    return samples


def _cho_solve(upper: bool) -> list[Sample]:
    def theirs(a: Array, b: Array) -> Any:
        return np.linalg.solve(a, b[..., None] if b.ndim == 1 else b).reshape(b.shape)

    def ours(a: Any, b: Any) -> Any:
        return linalg.cho_solve(linalg.cholesky((a + _turned(a)) / 2, upper=upper), b, upper=upper)

    whole = definite(3, 3) + 0.2j * (np.triu(np.ones((3, 3)), 1) - np.tril(np.ones((3, 3)), -1))
    return [
        Sample("cholesky", ours, (a, b), theirs, wrt=(0, 1), tolerance=1e-9,
               label=f"cho_solve {label} {'upper' if upper else 'lower'}")
        for label, a, b in [
            ("vector", definite(3, 3), array(3)), ("matrix", definite(2, 3, 3), array(2, 3, 2)),
            ("complex", whole, array(3, 2) + 1j * array(3, 2)), ("none", np.zeros((0, 0)),
                                                                 np.zeros((0, 2))),
        ]
    ]  # fmt: skip


def _limits(x: Array, rtol: Array) -> Array:
    return np.linalg.pinv(x, rtol=np.broadcast_to(rtol, x.shape[:-2]))


def _ranks(x: Array, rtol: Array) -> Any:
    values = np.linalg.svd(x, compute_uv=False)
    return np.sum(values > np.asarray(rtol)[..., None] * values[..., :1], axis=-1)


_GRADED = np.stack([np.diag([4.0, 2.0, 1.0]), np.diag([4.0, 3.0, 0.5])]) + array(2, 3, 3) / 50

_RTOL = [
    Sample("pinv", lambda x, rtol: linalg.pinv(x, rtol), (_GRADED, limit), _limits, wrt=wrt,
           label=f"rtol of {label}", tolerance=1e-10)
    for label, limit, wrt in [
        ("each", np.array([0.7, 0.2]), ()), ("one", np.array(1e-9), (0,)),
        ("size one", np.array([0.3]), ()),
    ]
] + [
    Sample("svdvals", lambda x, rtol: linalg.matrix_rank(x, rtol=rtol),
           (_GRADED, np.array([0.7, 0.2])), _ranks, label="rank with rtol of each"),
    Sample("pinv", lambda x: linalg.pinv(x, [0.7, 0.2]), (_GRADED,),
           lambda x: _limits(x, np.array([0.7, 0.2])), label="rtol of a list", tolerance=1e-10),
    Sample("pinv", lambda x, y, rtol: tuple(linalg.lstsq(x, y, rtol)),
           (_GRADED, array(2, 3, 1), np.array([0.7, 0.2])),
           lambda x, y, rtol: (
               _limits(x, rtol) @ y, np.sum((y - x @ _limits(x, rtol) @ y) ** 2, axis=-2),
               _ranks(x, rtol), np.linalg.svd(x, compute_uv=False)),
           label="lstsq with rtol of each", tolerance=1e-10),
]  # fmt: skip


def _lower_only(*shape: int) -> Array:
    """A Hermitian matrix whose upper triangle holds something else."""
    return definite(*shape) + np.triu(np.full(shape[-2:], 7.0), 1)


def _full(x: Array) -> Array:
    below = np.tril(x, -1)
    return below + np.swapaxes(below, -1, -2) + np.tril(np.triu(x))


_HERMITIAN = [
    Sample("pinv", lambda x: linalg.pinv(x, hermitian=True), (_lower_only(3, 3),),
           lambda x: np.linalg.pinv(_full(x)), wrt=(0,), label="hermitian", tolerance=1e-10),
    Sample("svdvals", lambda x: linalg.matrix_rank(x, hermitian=True), (_lower_only(2, 3, 3),),
           lambda x: np.linalg.matrix_rank(_full(x)), label="rank hermitian"),
    Sample("svdvals", lambda x: linalg.svd(x, compute_uv=False, hermitian=True),
           (_lower_only(2, 3, 3),), lambda x: np.linalg.svd(_full(x), compute_uv=False), wrt=(0,),
           label="hermitian", tolerance=1e-10),
    Sample("svdvals", lambda x: linalg.svd(x, compute_uv=False), (array(4, 3),),
           lambda x: np.linalg.svd(x, compute_uv=False), wrt=(0,), label="compute_uv",
           tolerance=1e-10),
    Sample("qr", lambda x: linalg.qr(x, "r"), (regular(3, 3),),
           lambda x: np.linalg.qr(x, "r"), wrt=(0,), label="r", tolerance=1e-10),
]  # fmt: skip

_TENSORS = [
    Sample("lu_solve", linalg.tensorsolve, (regular(6, 6).reshape(2, 3, 6), array(2, 3)),
           np.linalg.tensorsolve, wrt=(0, 1), label="tensorsolve", tolerance=1e-9),
    Sample("lu_solve", lambda a, b: linalg.tensorsolve(a, b, axes=(1,)),
           (regular(4, 4).reshape(4, 2, 2), array(4)),
           lambda a, b: np.linalg.tensorsolve(np.moveaxis(a, 1, 2), b), wrt=(0, 1),
           label="tensorsolve axes", tolerance=1e-9),
    Sample("lu_solve", linalg.tensorinv, (regular(6, 6).reshape(2, 3, 6, 1),),
           np.linalg.tensorinv, wrt=(0,), label="tensorinv", tolerance=1e-9),
    Sample("lu_solve", lambda x: linalg.tensorinv(x, ind=1), (regular(4, 4).reshape(4, 2, 2),),
           lambda x: np.linalg.tensorinv(x, ind=1), wrt=(0,), label="tensorinv ind",
           tolerance=1e-9),
    *[
        Sample("concat", linalg.block_diag, blocks, scipy.linalg.block_diag,
               wrt=tuple(range(len(blocks))) if blocks[0].dtype == np.float64 else (),
               label=f"block_diag {label}")
        for label, blocks in [
            ("two", (array(2, 3), array(1, 2))), ("vector and scalar", (array(2), array())),
            ("empty", (array(2, 0), array(0, 3), array(1, 1))), ("one", (array(2, 2),)),
            ("integers", (np.array([[1, 2]], np.int8), np.array([3], np.int32))),
            ("complex", (array(2, 2) + 1j * array(2, 2), array(1, 1))),
        ]
    ],
    *[
        Sample("cumprod", lambda x, n=n, up=up: linalg.vander(x, n, increasing=up), (x,),
               lambda x, n=n, up=up: np.vander(x, n, increasing=up).astype(
                   x.dtype if x.dtype.kind in "fc" else np.int64),
               wrt=(0,) if x.dtype == np.float64 else (),
               label=f"vander {label} {n} {up}")
        for label, x in [
            ("floats", np.array([1.5, 0.0, -2.0])), ("float32", np.array([0.5], np.float32)),
            ("integers", np.array([3, 0], np.int8)), ("complex", np.array([1j, 2.0])),
            ("nothing", np.zeros(0)),
        ]
        for n, up in ((None, False), (4, True), (1, False), (0, False))
    ],
]  # fmt: skip

SAMPLES: list[Sample] = [
    *_eigs(), *_lus(), *_cho_solve(False), *_cho_solve(True), *_RTOL, *_HERMITIAN, *_TENSORS,
]  # fmt: skip


# -- refusals -------------------------------------------------------------------------------------


def _given(shape: Any, name: str = "x", dtype: str = "float32") -> sg.Tensor:
    return sg.placeholder(dtype, shape, name=name)


_NO_BOOL: Any = 1
_AT = "  at {here}: {line}"
_CREATED = "  created at {here}: {line}"


REFUSALS: list[Refusal] = [
    Refusal(
        "eig", lambda: linalg.eig(_given((2, 3))), ShapeError,
        refused("eig", "x is no square matrix", "[2, 3]", not_square(2, 3)),
    ),
    Refusal(
        "eigvals", lambda: linalg.eigvals(_given((3,))), ShapeError,
        refused("eigvals", "x is no matrix", "[3]", NO_MATRIX),
    ),
    Refusal(
        "lu", lambda: linalg.lu(_given(None)), ShapeError,
        refused("lu", "the rank of 'x' is not known", "[...]", NO_RANK),
    ),
    Refusal(
        "lu", lambda: linalg.lu(_given(())), ShapeError,
        refused("lu", "x is no matrix", "[]", NO_MATRIX), label="scalar",
    ),
    Refusal(
        "solve_triangular",
        lambda: linalg.cho_solve(_given((3, 3), "lhs"), _given((2,), "rhs")), ShapeError,
        refused_pair("cho_solve", "rhs has another number of rows than lhs", "[3, 3]", "[2]",
                     "lhs has 3, rhs 2; they must be equal"), label="cho_solve",
    ),
    Refusal(
        "solve_triangular",
        lambda: linalg.cho_solve(_given((3, 3)), _given((3,)), upper=_NO_BOOL), ShapeError,
        f"cho_solve: upper=1 is no bool\n  give True or False\n{_AT}", label="cho_solve upper",
    ),
    Refusal(
        "pinv", lambda: linalg.pinv(_given((2, 3, 3)), _given((3,), "rtol")), ShapeError,
        "pinv: rtol has the shape [3], the batch [2]\n"
        "  x 'x'  float32[2, 3, 3]  placeholder at {here}\n"
        "  rtol 'rtol'  float32[3]  placeholder at {here}\n"
        "  there is one for each matrix: the shapes must be equal, or broadcast to the batch\n"
        + _CREATED, label="rtol of another batch",
    ),
    Refusal(
        "pinv", lambda: linalg.pinv(_given((3, 3)), _given((), "rtol", "complex64")), DTypeError,
        "pinv: rtol is complex64\n  rtol 'rtol'  complex64[]  placeholder at {here}\n"
        "  give real numbers\n" + _CREATED, label="rtol of a complex number",
    ),
    Refusal(
        "svdvals", lambda: linalg.matrix_rank(_given((3, 3)), rtol="small"), ShapeError,
        "matrix_rank: rtol='small' is no number\n  give a float, or None for eps * size\n" + _AT,
        label="rtol of a word",
    ),
    *[
        Refusal(
            "svd", call, ShapeError,
            f"{what}: {label}=1 is no bool\n  give True or False\n{_AT}",
            label=f"{what} {label}",
        )
        for what, label, call in [
            ("svd", "compute_uv", lambda: linalg.svd(_given((2, 2)), compute_uv=_NO_BOOL)),
            ("svd", "hermitian", lambda: linalg.svd(_given((2, 2)), hermitian=_NO_BOOL)),
            ("pinv", "hermitian", lambda: linalg.pinv(_given((2, 2)), hermitian=_NO_BOOL)),
        ]
    ],
    Refusal(
        "lu_solve", lambda: linalg.tensorsolve(_given((2, 3, 5)), _given((2, 3), "w")), ShapeError,
        "tensorsolve: the axes [2, 3] and [5] make no square matrix\n"
        "  lhs 'x'  float32[2, 3, 5]  placeholder at {here}\n"
        "  rhs 'w'  float32[2, 3]  placeholder at {here}\n"
        "  their products are 6 and 5; they must be equal\n" + _CREATED, label="tensorsolve",
    ),
    Refusal(
        "lu_solve", lambda: linalg.tensorsolve(_given((2, 2)), _given((3,), "w")), ShapeError,
        "tensorsolve: the first axes of lhs are [2], those of rhs [3]\n"
        "  lhs 'x'  float32[2, 2]  placeholder at {here}\n"
        "  rhs 'w'  float32[3]  placeholder at {here}\n"
        "  they must be equal\n" + _CREATED, label="tensorsolve first axes",
    ),
    Refusal(
        "lu_solve", lambda: linalg.tensorsolve(_given((2,)), _given((2, 1), "w")), ShapeError,
        "tensorsolve: lhs has fewer axes than rhs\n"
        "  lhs 'x'  float32[2]  placeholder at {here}\n"
        "  rhs 'w'  float32[2, 1]  placeholder at {here}\n"
        "  its first axes are those of rhs\n" + _CREATED, label="tensorsolve ranks",
    ),
    Refusal(
        "lu_solve",
        lambda: linalg.tensorsolve(_given((2, 2)), _given((2,), "w"), axes=(2,)), ShapeError,
        "tensorsolve: axes=(2,) are no axes of lhs\n"
        "  lhs 'x'  float32[2, 2]  placeholder at {here}\n"
        "  rhs 'w'  float32[2]  placeholder at {here}\n"
        "  name axes -2 to 1, each once\n" + _CREATED, label="tensorsolve axes",
    ),
    Refusal(
        "lu_solve", lambda: linalg.tensorinv(_given((2, 3)), ind=1), ShapeError,
        refused("tensorinv", "the axes [2] and [3] make no square matrix", "[2, 3]",
                "their products are 2 and 3; they must be equal"), label="tensorinv",
    ),
    Refusal(
        "lu_solve", lambda: linalg.tensorinv(_given((2, 2)), ind=0), ShapeError,
        refused("tensorinv", "ind=0 is no number of first axes", "[2, 2]",
                "give an int from 1 to 2"), label="tensorinv ind",
    ),
    Refusal(
        "concat", lambda: linalg.block_diag(), ShapeError,
        f"block_diag: there are no blocks\n  give at least one matrix\n{_AT}", label="block_diag",
    ),
    Refusal(
        "concat", lambda: linalg.block_diag(_given((1, 2, 2))), ShapeError,
        "block_diag: blocks[0] has 3 axes\n"
        "  blocks[0] 'x'  float32[1, 2, 2]  placeholder at {here}\n"
        "  a block is a matrix; take one: x[0]\n" + _CREATED, label="block_diag axes",
    ),
    Refusal(
        "cumprod", lambda: linalg.vander(_given((2, 2))), ShapeError,
        refused("vander", "x is no vector", "[2, 2]",
                "its elements are the rows; sg.reshape(x, -1) makes one"), label="vander",
    ),
    Refusal(
        "cumprod", lambda: linalg.vander(_given((2,)), -1), ShapeError,
        f"vander: n=-1 is no number of columns\n  give an int from 0 on, or None\n{_AT}",
        label="vander n",
    ),
    Refusal(
        "cumprod", lambda: linalg.vander(_given((2,)), increasing=_NO_BOOL), ShapeError,
        f"vander: increasing=1 is no bool\n  give True or False\n{_AT}", label="vander increasing",
    ),
]  # fmt: skip
