"""Derivatives of determinants at matrices of every rank, against sums of minors.

A determinant is a polynomial, so what its derivatives are at a singular matrix can be written down:
that of order k is a sum of minors from which k rows and k columns are left out.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.ops import linalg

Array = np.ndarray[Any, Any]
Backend = Literal["native", "reference"]
BACKENDS: tuple[Backend, ...] = ("native", "reference")


def _determinant(x: Array) -> Any:
    """The sum over all permutations (Leibniz)."""
    total = x.dtype.type(0)
    for order in itertools.permutations(range(len(x))):
        swaps = sum(a > b for a, b in itertools.combinations(order, 2))
        total += (-1) ** swaps * np.prod([x[row, column] for row, column in enumerate(order)])
    return total


def _derivative(x: Array, changes: list[Array]) -> Any:
    """That of order k along k changes: each change takes the place of one row of `x`."""
    total = x.dtype.type(0)
    for rows in itertools.permutations(range(len(x)), len(changes)):
        replaced = x.copy()
        for row, change in zip(rows, changes, strict=True):
            replaced[row] = change[row]
        total += _determinant(replaced)
    return total


def _matrix(size: int, rank: int, dtype: Any, seed: int = 0) -> Array:
    random = np.random.default_rng(seed + 17 * size + rank)

    def draw(*shape: int) -> Array:
        real = random.integers(-3, 4, shape).astype(np.float64)
        return real + 1j * random.integers(-3, 4, shape) if dtype == np.complex128 else real

    if rank >= size:
        return draw(size, size)
    return np.asarray(draw(size, rank) @ draw(rank, size), dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize(
    ("size", "rank"),
    [
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
        (2, 2),
        (3, 0),
        (3, 1),
        (3, 2),
        (4, 1),
        (4, 2),
        (4, 3),
        (4, 4),
    ],
)
def test_derivatives_to_the_third_order(backend: Backend, dtype: Any, size: int, rank: int) -> None:
    value = _matrix(size, rank, dtype)
    changes = [_matrix(size, size, dtype, seed) for seed in (100, 200, 300)]
    x = sg.placeholder(value.dtype, (None, size), name="x")
    found = [linalg.det(x)]
    for change in changes:
        found.extend(sg.jvp(found[-1], x, sg.constant(change)))
    have = sg.Session(backend=backend).run(found, {x: value})
    want = [_derivative(value, changes[:order]) for order in range(4)]
    np.testing.assert_allclose(have, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_hessian_of_two_by_two_is_a_constant(backend: Backend) -> None:
    x = sg.placeholder("float64", (2, 2), name="x")
    # det = x00 x11 - x01 x10
    wanted = np.array([[0.0, 0, 0, 1], [0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0]])
    hessian = sg.hessian(linalg.det(x), x)
    for value in (np.zeros((2, 2)), np.ones((2, 2)), np.diag([0.0, 1.0]), np.eye(2)):
        have = sg.Session(backend=backend).run(hessian, {x: value})
        np.testing.assert_allclose(have.reshape(4, 4), wanted, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cofactors_of_nearly_singular_matrices_are_accurate(dtype: str) -> None:
    """Where the last pivot is lost in rounding the others are not."""
    epsilon = float(np.finfo(dtype).eps)
    x = sg.placeholder(dtype, (None, None, None), name="x")
    slope = sg.gradients(sg.sum(linalg.det(x)), x)[0]
    base = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    for shift in (0.0, epsilon, 1e3 * epsilon, np.sqrt(epsilon)):
        value = (base + shift * np.diag([0.0, 0.0, 1.0])).astype(dtype)
        have = sg.Session().run(slope, {x: value[None]})[0]
        units = np.eye(3)[:, None, :, None] * np.eye(3)[None, :, None, :]
        exact = value.astype(np.float64)
        want = [[_derivative(exact, [units[i, j]]) for j in range(3)] for i in range(3)]
        np.testing.assert_allclose(have, want, atol=60 * epsilon)


def test_a_determinant_in_a_branch_is_differentiated_twice() -> None:
    x = sg.placeholder("float64", (3, 3), name="x")
    chosen = sg.cond(x[0, 0] > -1.0, lambda: linalg.det(x), lambda: sg.sum(x))
    value = _matrix(3, 1, np.float64)
    changes = [_matrix(3, 3, np.float64, seed) for seed in (1, 2)]
    first = sg.sum(sg.gradients(chosen, x)[0] * changes[0])
    second = sg.sum(sg.gradients(first, x)[0] * changes[1])
    have = sg.Session().run([first, second], {x: np.abs(value)})
    want = [_derivative(np.abs(value), changes[:order]) for order in (1, 2)]
    np.testing.assert_allclose(have, want, atol=1e-11)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_gives_nan_and_no_error(bad: float) -> None:
    x = sg.placeholder("float64", (3, 3), name="x")
    slope = sg.gradients(linalg.det(x), x)[0]
    for backend in BACKENDS:
        value = np.eye(3)
        value[1, 1] = bad
        have = sg.Session(backend=backend).run(slope, {x: value})
        assert not np.all(np.isfinite(have))
