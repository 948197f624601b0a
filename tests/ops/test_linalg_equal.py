"""Derivatives where eigenvalues or singular values are equal, against differences.

Vectors of equal values may be turned freely: functions that do not tell them apart are smooth, and
their first derivatives are checked here. What is not right there is what the page says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.ops import linalg

Array = np.ndarray[Any, Any]
Backend = Literal["native", "reference"]
BACKENDS: tuple[Backend, ...] = ("native", "reference")

_random = np.random.default_rng(8)
_TURN = np.linalg.qr(_random.normal(size=(4, 4)))[0]
_OTHER = np.linalg.qr(_random.normal(size=(4, 4)))[0]
_WEIGHTS = _random.normal(size=(4, 4))
_EQUAL = np.array([5.0, 3.0, 3.0, 1.0])


def _turned(x: Any) -> Any:
    if isinstance(x, sg.Tensor):
        return sg.conj(sg.matrix_transpose(x))
    return x.conj().T


def _eigh_plane(x: Any) -> Any:
    """Onto the two vectors of one eigenvalue, and a function of all values."""
    whole = (x + _turned(x)) * 0.5
    total: Any = sg.sum if isinstance(x, sg.Tensor) else np.sum
    values, vectors = (linalg.eigh if isinstance(x, sg.Tensor) else np.linalg.eigh)(whole)
    plane = vectors[:, 1:3] @ _turned(vectors[:, 1:3])
    real: Any = sg.real if isinstance(x, sg.Tensor) else np.real
    return total(real(plane) * _WEIGHTS) + total(values * values * values)


def _svd_plane(x: Any) -> Any:
    total: Any = sg.sum if isinstance(x, sg.Tensor) else np.sum
    real: Any = sg.real if isinstance(x, sg.Tensor) else np.real
    left, values, right = (linalg.svd if isinstance(x, sg.Tensor) else np.linalg.svd)(x)
    both = left[:, 1:3] @ right[1:3]
    plane = left[:, 1:3] @ _turned(left[:, 1:3])
    return total(real(both + plane) * _WEIGHTS) + total(values * values * values)


def _eig_plane(x: Any) -> Any:
    """The values alone: LAPACK's vectors of one value need not be orthogonal."""
    if isinstance(x, sg.Tensor):
        return sg.sum(sg.real(linalg.eigvals(x) ** 3))
    return np.sum(np.linalg.eigvals(x) ** 3).real


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("complex_numbers", [False, True])
@pytest.mark.parametrize(
    ("function", "value"),
    [(_eigh_plane, (_TURN * _EQUAL) @ _TURN.T), (_svd_plane, (_TURN * _EQUAL) @ _OTHER),
     (_eig_plane, (_TURN * _EQUAL) @ _TURN.T)],
    ids=["eigh", "svd", "eigvals"],
)  # fmt: skip
def test_what_does_not_tell_equal_values_apart(
    backend: Backend, complex_numbers: bool, function: Callable[[Any], Any], value: Array
) -> None:
    if complex_numbers:
        phases = np.exp(1j * np.arange(4))
        value = value * phases[:, None] * phases.conj()
    x = sg.placeholder(value.dtype, (4, 4), name="x")
    slope = sg.Session(backend=backend).run(sg.gradients(function(x), x)[0], {x: value})
    step = 1e-5
    for number in range(3):
        change = np.random.default_rng(number).normal(size=(4, 4))
        if complex_numbers:
            change = change + 1j * np.random.default_rng(number + 9).normal(size=(4, 4))
        moved = [function(value + sign * step * change) for sign in (1, -1)]
        wanted = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(np.sum(slope.conj() * change).real, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_matrix_of_equal_values_alone(backend: Backend) -> None:
    x = sg.placeholder("float64", (3, 3), name="x")
    symmetric = (x + sg.matrix_transpose(x)) * 0.5
    fetches = [
        sg.gradients(sg.sum(sg.exp(linalg.eigvalsh(symmetric))), x)[0],
        sg.gradients(sg.sum(linalg.svdvals(x)), x)[0],
        sg.gradients(linalg.matrix_norm(x, ord="nuc"), x)[0],
    ]
    found = sg.Session(backend=backend).run(fetches, {x: 2.0 * np.eye(3)})
    for have, want in zip(found, (np.exp(2.0), 1.0, 1.0), strict=True):
        np.testing.assert_allclose(have, want * np.eye(3), atol=1e-12)
