"""Samples of ops/linalg/factor.py and linalg/determinant.py: values from NumPy and SciPy.

A Cholesky factor is that of the symmetric part in its derivatives, so samples make their operands
symmetric before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

import staticgraph as sg
from staticgraph.errors import ShapeError
from staticgraph.ops import linalg
from staticgraph.ops.linalg import cofactors as linalg_cofactors
from staticgraph.ops.linalg import factor as linalg_factor

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]


class Numbers:
    """Random matrices; each family has its own, so that none depends on what was made before."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def array(self, *shape: int, dtype: Any = np.float64) -> Array:
        """Any numbers."""
        return np.asarray(self._random.uniform(-1.0, 1.0, shape)).astype(dtype)

    def regular(self, *shape: int, dtype: Any = np.float64) -> Array:
        """Well-conditioned square matrices, whose rows are exchanged when they are factored."""
        size = shape[-1]
        rows = np.diag(1.0 + np.arange(size) / 3)[::-1]
        return (self.array(*shape) / max(size, 1) + rows).astype(dtype)

    def definite(self, *shape: int, dtype: Any = np.float64) -> Array:
        """Symmetric positive definite matrices."""
        size = shape[-1]
        noise = self.array(*shape) / max(size, 1)
        found = noise @ np.swapaxes(noise, -1, -2) + np.diag(1.0 + np.arange(size) / 3)
        return found.astype(dtype)

    def triangle(self, *shape: int, dtype: Any = np.float64) -> Array:
        """Matrices whose triangles are well-conditioned; one of them nobody reads."""
        size = shape[-1]
        noise = self.array(*shape) / max(size, 1)
        return (noise + np.diag(1.0 + np.arange(size) / 3)).astype(dtype)


_numbers = Numbers(11)
array, regular = _numbers.array, _numbers.regular
definite, triangle = _numbers.definite, _numbers.triangle


def symmetric(x: Any) -> Any:
    """The symmetric part, of a tensor or an array."""
    return (x + sg.matrix_transpose(x)) * 0.5


def _part(x: Array) -> Array:
    return (x + np.swapaxes(x, -1, -2)) * 0.5


def _loose(x: Array) -> float:
    return 2e-4 if x.dtype == np.float32 else 1e-10


SIZES: list[tuple[str, tuple[int, ...]]] = [
    ("three", (3, 3)), ("one", (1, 1)), ("none", (0, 0)), ("batch", (2, 4, 4)),
    ("two batches", (2, 1, 3, 3)), ("empty batch", (0, 3, 3)), ("batch of empty", (2, 0, 0)),
    ("sixteen", (2, 16, 16)), ("large", (2, 21, 21)), ("one large", (40, 40)),
]  # fmt: skip
WRT = ("three", "one", "batch", "two batches", "none", "empty batch")


def _cholesky(upper: bool) -> list[Sample]:
    return [
        Sample(
            "cholesky", lambda x: linalg.cholesky(symmetric(x), upper=upper),
            (definite(*shape, dtype=dtype),),
            lambda x: np.linalg.cholesky(_part(x), upper=upper),
            wrt=(0,) if label in WRT and dtype == np.float64 else (),
            label=f"{label} {np.dtype(dtype).name}{' upper' if upper else ''}",
            tolerance=2e-5 if dtype == np.float32 else None,
        )
        for label, shape in SIZES for dtype in (np.float64, np.float32)
    ]  # fmt: skip


def _triangular_reference(lhs: Array, rhs: Array, lower: bool, transposed: bool, unit: bool) -> Any:
    part = np.tril(lhs) if lower else np.triu(lhs)
    if unit:
        part = part * (1 - np.eye(lhs.shape[-1])) + np.eye(lhs.shape[-1])
    if transposed:
        part = np.swapaxes(part, -1, -2)
    vector = rhs.ndim == 1
    found = np.linalg.solve(part, rhs[:, None] if vector else rhs)
    return (found[..., 0] if vector else found).astype(rhs.dtype)


SYSTEMS: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
    ("vector", (3, 3), (3,)), ("matrix", (3, 3), (3, 2)), ("batch", (2, 3, 3), (2, 3, 4)),
    ("batch of lhs", (2, 3, 3), (3, 2)), ("batch of rhs", (3, 3), (2, 3, 2)),
    ("batches", (2, 1, 3, 3), (4, 3, 1)), ("vector of batch", (2, 3, 3), (3,)),
    ("none", (0, 0), (0, 2)), ("no columns", (3, 3), (3, 0)), ("empty batch", (0, 3, 3), (0, 3, 2)),
    ("one", (1, 1), (1, 1)), ("large", (2, 20, 20), (2, 20, 3)), ("one large", (33, 33), (33, 5)),
]  # fmt: skip


def _triangular() -> list[Sample]:
    samples = []
    for number, (label, lhs, rhs) in enumerate(SYSTEMS):
        for lower in (False, True):
            transposed, unit = bool(number & 1) != lower, number % 3 == 2
            samples.append(Sample(
                "solve_triangular",
                lambda a, b, t=transposed, lo=lower, u=unit: linalg.solve_triangular(
                    a, b, lower=lo, transposed=t, unit_diagonal=u
                ),
                (triangle(*lhs), array(*rhs)),
                lambda a, b, t=transposed, lo=lower, u=unit: _triangular_reference(a, b, lo, t, u),
                wrt=(0, 1) if "large" not in label else (),
                label=f"{label} {'lower' if lower else 'upper'}", tolerance=1e-10,
            ))  # fmt: skip
    samples += [
        Sample(
            "solve_triangular",
            lambda a, b, t=t, lo=lo, u=u: linalg.solve_triangular(
                a, b, lower=lo, transposed=t, unit_diagonal=u
            ),
            (triangle(2, 4, 4, dtype=np.float32), array(2, 4, 3, dtype=np.float32)),
            lambda a, b, t=t, lo=lo, u=u: _triangular_reference(a, b, lo, t, u),
            wrt=(0, 1), label=f"float32 {lo} {t} {u}", tolerance=2e-5,
        )
        for lo in (False, True) for t in (False, True) for u in (False, True)
    ]  # fmt: skip
    return samples


def _solve(lhs: Array, rhs: Array) -> Array:
    return np.linalg.solve(lhs, rhs)


def _solves() -> list[Sample]:
    samples = [
        Sample(
            "lu_solve", linalg.solve, (regular(*lhs), array(*rhs)), _solve,
            wrt=(0, 1) if "large" not in label else (), label=label, tolerance=1e-9,
        )
        for label, lhs, rhs in SYSTEMS
    ]  # fmt: skip
    samples += [
        Sample(
            "lu_solve", linalg.solve,
            (regular(2, 5, 5, dtype=np.float32), array(2, 5, 3, dtype=np.float32)), _solve,
            wrt=(0, 1), label="float32", tolerance=1e-4,
        ),
        Sample(
            "lu_solve", linalg.solve, (np.array([[2, 1], [1, 3]]), np.array([3, 5], np.int32)),
            _solve, label="integers", tolerance=1e-10,
        ),
        Sample(
            "lu_solve", linalg.solve, (regular(3, 3)[::-1].copy() * [[1], [0], [1]]
                                       + [[0, 0, 0], [2, 0, 0], [0, 0, 0]], array(3, 2)),
            _solve, wrt=(0, 1), label="pivots", tolerance=1e-9,
        ),
    ]  # fmt: skip
    return samples


def _of_squares() -> list[Sample]:
    samples = []
    for label, shape in SIZES:
        for dtype in (np.float64, np.float32):
            x = regular(*shape, dtype=dtype)
            wrt = (0,) if label in WRT and dtype == np.float64 else ()
            name = f"{label} {np.dtype(dtype).name}"
            loose = _loose(x)
            if label == "one large":
                x = x / 4
            samples += [
                Sample("lu_solve", linalg.inv, (x,), np.linalg.inv, wrt=wrt, label=f"inv {name}",
                       tolerance=loose * 10),
                Sample("det", linalg.det, (x,), np.linalg.det, wrt=wrt, label=name,
                       tolerance=loose),
                Sample("slogdet", linalg.slogdet, (x,), lambda x: tuple(np.linalg.slogdet(x)),
                       wrt=wrt, label=name, tolerance=loose),
                Sample("lu_factor", lambda x: x.graph.add(linalg_factor.LU_FACTOR, (x,)).outputs,
                       (x,), _lu, label=name, tolerance=loose),
            ]  # fmt: skip
    return samples


def _lu(x: Array) -> tuple[Array, Array]:
    if x.size == 0:
        return x, np.zeros(x.shape[:-1], np.int32)
    flat = x.reshape((-1, *x.shape[-2:]))
    made = [scipy.linalg.lu_factor(matrix) for matrix in flat]
    factors = np.stack([item[0] for item in made]).reshape(x.shape)
    pivots = np.stack([item[1] for item in made]).reshape(x.shape[:-1])
    return factors, pivots.astype(np.int32)


def _cofactors(x: Array) -> Array:
    n = x.shape[-1]
    found = np.empty_like(x)
    for index in np.ndindex(x.shape):
        *batch, i, j = index
        minor = np.delete(np.delete(x[tuple(batch)], i, 0), j, 1)
        found[index] = (-1) ** (i + j) * (np.linalg.det(minor) if n > 1 else 1.0)
    return found


def _of_rank(rank: int, size: int) -> Array:
    return array(size, rank) @ array(rank, size)


_SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])


def _complex(*shape: int) -> Array:
    """Well-conditioned complex matrices."""
    return regular(*shape) + 0.5j * array(*shape)


def _hermitian(x: Any) -> Any:
    """The Hermitian part of a matrix, of a tensor or an array."""
    if isinstance(x, sg.Tensor):
        return (x + sg.conj(sg.matrix_transpose(x))) * 0.5
    return (x + np.swapaxes(x, -1, -2).conj()) * x.dtype.type(0.5)


def _complex_samples() -> list[Sample]:
    samples = []
    for label, shape in [("three", (3, 3)), ("batch", (2, 3, 3)), ("large", (20, 20)),
                         ("empty batch", (0, 3, 3))]:  # fmt: skip
        x, b = _complex(*shape), array(*shape) - 1j * array(*shape)
        positive = x @ np.swapaxes(x, -1, -2).conj() + np.eye(shape[-1])
        for dtype in (np.complex128, np.complex64):
            wrt = (0,) if dtype == np.complex128 and label in ("three", "batch") else ()
            loose = 1e-4 if dtype == np.complex64 else 1e-9
            given, right = x.astype(dtype), b.astype(dtype)
            name = f"{np.dtype(dtype).name} {label}"
            samples += [
                Sample("cholesky", lambda x: linalg.cholesky(_hermitian(x)),
                       (positive.astype(dtype),),
                       lambda x: np.linalg.cholesky(_hermitian(x)), wrt=wrt,
                       label=name, tolerance=loose),
                Sample("cholesky", lambda x: linalg.cholesky(_hermitian(x), upper=True),
                       (positive.astype(dtype),),
                       lambda x: np.linalg.cholesky(_hermitian(x), upper=True),
                       wrt=wrt, label=f"upper {name}", tolerance=loose),
                Sample("lu_solve", linalg.solve, (given, right), np.linalg.solve,
                       wrt=(0, 1) if wrt else (), label=name, tolerance=loose),
                Sample("lu_solve", linalg.inv, (given,), np.linalg.inv, wrt=wrt,
                       label=f"inv {name}", tolerance=loose),
                Sample("det", linalg.det, (given,), np.linalg.det, wrt=wrt, label=name,
                       tolerance=loose),
                Sample("slogdet", linalg.slogdet, (given,), lambda x: tuple(np.linalg.slogdet(x)),
                       wrt=wrt, label=name, tolerance=loose),
                *[
                    Sample("solve_triangular",
                           lambda a, b, t=t: linalg.solve_triangular(
                               a, b, lower=True, transposed=t),
                           (positive.astype(dtype), right),
                           lambda a, b, t=t: _triangular_reference(a, b, True, t, False),
                           wrt=(0, 1) if wrt else (), label=f"{name} {t}", tolerance=loose)
                    for t in (False, True)
                ],
            ]  # fmt: skip
    return samples


SAMPLES: list[Sample] = [
    *_complex_samples(),
    *_cholesky(False),
    *_cholesky(True),
    Sample("cholesky", linalg.cholesky, (np.array([[4, 7], [2, 2]]),),
           lambda x: np.linalg.cholesky(x), label="integers; one triangle is read"),
    *_triangular(),
    *_solves(),
    *_of_squares(),
    Sample("det", linalg.det, (np.zeros((2, 2)),), np.linalg.det, label="singular"),
    Sample("slogdet", linalg.slogdet, (np.zeros((2, 2)),),
           lambda x: tuple(np.linalg.slogdet(x)), label="singular"),
    *[
        Sample("cofactors", lambda x: sg.gradients(sg.sum(linalg.det(x)), x)[0] + 0.0, (x,),
               lambda x: _cofactors(x) + 0.0,
               wrt=(0,), label=label, tolerance=1e-10)
        for label, x in [
            ("two", regular(2, 2)), ("three", regular(3, 3)), ("batch", regular(2, 3, 3)),
            ("one", regular(1, 1)), ("one zero", np.zeros((1, 1))), ("zeros", np.zeros((2, 2))),
            ("rank two of three", _SINGULAR), ("rank one of three", np.ones((3, 3))),
            ("zeros of three", np.zeros((3, 3))), ("rank three of four", _of_rank(3, 4)),
            ("rank two of four", _of_rank(2, 4)), ("rank one of four", _of_rank(1, 4)),
            ("a column of zeros", regular(3, 3) * [0.0, 1.0, 1.0]),
            ("singular beside regular", np.stack([_of_rank(1, 3), regular(3, 3)])),
            ("none", np.zeros((0, 0))), ("empty batch", np.zeros((0, 2, 2))),
        ]
    ],
    *[
        Sample("cofactors", lambda x: sg.gradients(sg.sum(sg.real(linalg.det(x))), x)[0], (x,),
               lambda x: np.conj(_cofactors(x)), wrt=(0,), label=f"complex {label}",
               tolerance=1e-10)
        for label, x in [
            ("regular", _complex(3, 3)), ("rank two", _of_rank(2, 3) * (1 + 2j)),
            ("rank one", _of_rank(1, 3) * (1 + 2j)), ("zeros", np.zeros((2, 2), np.complex128)),
        ]
    ],
]  # fmt: skip


# -- refusals -------------------------------------------------------------------------------------


def _given(shape: Any, name: str = "x", dtype: str = "float32") -> sg.Tensor:
    return sg.placeholder(dtype, shape, name=name)


def refused(what: str, problem: str, shown: str, detail: str, *others: str) -> str:
    """The message about operand x, whose type is `shown`."""
    lines = [f"{what}: {problem}", f"  x 'x'  float32{shown}  placeholder at {{here}}", *others]
    return "\n".join([*lines, f"  {detail}", "  created at {here}: {line}"])


def refused_pair(what: str, problem: str, lhs: str, rhs: str, detail: str) -> str:
    """The message about operands lhs and rhs."""
    lines = [
        f"{what}: {problem}",
        f"  lhs 'lhs'  float32{lhs}  placeholder at {{here}}",
        f"  rhs 'rhs'  float32{rhs}  placeholder at {{here}}",
        f"  {detail}",
        "  created at {here}: {line}",
    ]
    return "\n".join(lines)


NO_MATRIX = "it has at least two axes; sg.expand_dims adds one"
NO_RANK = "declare the shape, with None for sizes that are open: placeholder(dtype, (None, 3))"
_NO_SYSTEM = "lhs has at least two axes, rhs is a vector or has at least two"


def not_square(rows: int, columns: int) -> str:
    """What is said of matrices that are not square."""
    return f"its last two axes are {rows} and {columns}; they must be equal"


def _cofactors_of(x: sg.Tensor, values: sg.Tensor) -> sg.Tensor:
    return linalg_cofactors.cofactors(x, x, values, x)


def _cofactors_refused(problem: str, shown: str, values: str, detail: str) -> str:
    lines = [f"cofactors: {problem}"]
    for label in ("x", "left", "values", "right"):
        name, shape = ("values", values) if label == "values" else ("x", shown)
        lines.append(f"  {label} '{name}'  float32{shape}  placeholder at {{here}}")
    return "\n".join([*lines, f"  {detail}", "  created at {here}: {line}"])


_NO_BOOL: Any = 1


def _triangular_with(label: str) -> Callable[[], sg.Tensor]:
    return lambda: linalg.solve_triangular(_given((3, 3)), _given((3,)), **{label: _NO_BOOL})


REFUSALS: list[Refusal] = [
    Refusal(
        "cholesky", lambda: linalg.cholesky(_given((2, 3))), ShapeError,
        refused("cholesky", "x is no square matrix", "[2, 3]", not_square(2, 3)),
    ),
    Refusal(
        "cholesky", lambda: linalg.cholesky(_given((3,))), ShapeError,
        refused("cholesky", "x is no matrix", "[3]", NO_MATRIX), label="vector",
    ),
    Refusal(
        "cholesky", lambda: linalg.cholesky(_given(None)), ShapeError,
        refused("cholesky", "the rank of 'x' is not known", "[...]", NO_RANK), label="rank",
    ),
    Refusal(
        "solve_triangular",
        lambda: linalg.solve_triangular(_given((3, 3), "lhs"), _given((2, 1), "rhs")), ShapeError,
        refused_pair("solve_triangular", "rhs has another number of rows than lhs", "[3, 3]",
                     "[2, 1]", "lhs has 3, rhs 2; they must be equal"),
    ),
    Refusal(
        "solve_triangular",
        lambda: linalg.solve_triangular(_given((4, 3, 3), "lhs"), _given((2, 3, 1), "rhs")),
        ShapeError,
        refused_pair("solve_triangular", "the batches [4] and [2] do not broadcast", "[4, 3, 3]",
                     "[2, 3, 1]", "the axes before the last two must be equal, or 1"),
        label="batches",
    ),
    Refusal(
        "cholesky", lambda: linalg.cholesky(_given((3, 3)), upper=_NO_BOOL), ShapeError,
        "cholesky: upper=1 is no bool\n  give True or False\n  at {here}: {line}",
        label="upper",
    ),
    *[
        Refusal(
            "solve_triangular",
            _triangular_with(label),
            ShapeError,
            f"solve_triangular: {label}=1 is no bool\n  give True or False\n"
            "  at {here}: {line}",
            label=label,
        )
        for label in ("lower", "transposed", "unit_diagonal")
    ],
    Refusal(
        "lu_factor", lambda: linalg.inv(_given((None, 2, 3))), ShapeError,
        refused("inv", "x is no square matrix", "[?, 2, 3]", not_square(2, 3)),
    ),
    Refusal(
        "lu_solve", lambda: linalg.solve(_given((3, 3), "lhs"), _given((2,), "rhs")), ShapeError,
        refused_pair("solve", "rhs has another number of rows than lhs", "[3, 3]", "[2]",
                     "lhs has 3, rhs 2; they must be equal"),
    ),
    Refusal(
        "lu_solve", lambda: linalg.solve(_given((3,), "lhs"), _given((3,), "rhs")), ShapeError,
        refused_pair("solve", "lhs is no matrix", "[3]", "[3]", _NO_SYSTEM), label="vectors",
    ),
    Refusal(
        "lu_solve", lambda: linalg.solve(_given((3, 3), "lhs"), _given((), "rhs")), ShapeError,
        refused_pair("solve", "rhs is a scalar", "[3, 3]", "[]", _NO_SYSTEM), label="scalar",
    ),
    Refusal(
        "det", lambda: linalg.det(_given((3, 2))), ShapeError,
        refused("det", "x is no square matrix", "[3, 2]", not_square(3, 2)),
    ),
    Refusal(
        "slogdet", lambda: linalg.slogdet(_given((3,))), ShapeError,
        refused("slogdet", "x is no matrix", "[3]", NO_MATRIX),
    ),
    Refusal(
        "cofactors", lambda: _cofactors_of(_given((2, 3)), _given((2,), "values")), ShapeError,
        _cofactors_refused("x is no square matrix", "[2, 3]", "[2]", not_square(2, 3)),
    ),
    Refusal(
        "cofactors", lambda: _cofactors_of(_given((2, 2)), _given((3,), "values")), ShapeError,
        _cofactors_refused("values are not those of x", "[2, 2]", "[3]", "there is one for each "
                           "row"), label="values",
    ),
]  # fmt: skip
