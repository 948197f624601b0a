"""Initialisers: variances, limits, orthogonality, and what sessions make of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import staticgraph as sg

init = sg.initializers


def made(tensor: sg.Tensor, seed: int = 5) -> Any:
    return sg.Session(seed=seed).run(sg.Variable(tensor))


# Fans of these shapes, by hand: inputs times window, outputs times window.
SHAPES = {
    (40, 60): (40, 60),
    (3, 5, 8, 16): (120, 240),
    (1000,): (1000, 1000),
    (5, 9, 20): (45, 100),
}
SCALED: dict[str, tuple[Callable[[], Any], Callable[[int, int], float], bool]] = {
    "glorot_uniform": (init.glorot_uniform, lambda i, o: 2 / (i + o), True),
    "glorot_normal": (init.glorot_normal, lambda i, o: 2 / (i + o), False),
    "he_uniform": (init.he_uniform, lambda i, o: 2 / i, True),
    "he_normal": (init.he_normal, lambda i, o: 2 / i, False),
    "lecun_uniform": (init.lecun_uniform, lambda i, o: 1 / i, True),
    "lecun_normal": (init.lecun_normal, lambda i, o: 1 / i, False),
    "fan_out": (lambda: init.variance_scaling(3.0, "fan_out"), lambda i, o: 3 / o, False),
    "uniform": (
        lambda: init.variance_scaling(0.5, "fan_in", "uniform"), lambda i, o: 0.5 / i, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SCALED)
def test_variances_and_limits(name: str, shape: tuple[int, ...]) -> None:
    make, variance, uniform = SCALED[name]
    wanted = variance(*SHAPES[shape])
    values = np.concatenate([
        made(make()(shape, "float64"), seed).ravel() for seed in range(8)
    ])  # fmt: skip
    assert abs(values.mean()) < 4 * math.sqrt(wanted / values.size)
    assert values.var() == pytest.approx(wanted, rel=0.06)
    if uniform:
        assert abs(values).max() <= math.sqrt(3 * wanted)
        distribution: Any = stats.uniform(-math.sqrt(3 * wanted), 2 * math.sqrt(3 * wanted))
    else:
        # Cut at two deviations of the distribution before the cut.
        width = math.sqrt(wanted) / stats.truncnorm(-2, 2).std()
        assert abs(values).max() <= 2 * width
        distribution = stats.truncnorm(-2, 2, 0, width)
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-3


def test_an_untruncated_normal_is_not_cut() -> None:
    make = init.variance_scaling(1.0, "fan_avg", "untruncated_normal")
    values = made(make((200, 300), "float64")).ravel()
    assert stats.kstest(values, stats.norm(0, math.sqrt(1 / 250)).cdf).pvalue > 0.01


def test_plain_initializers() -> None:
    np.testing.assert_array_equal(made(init.zeros()((2, 3))), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(made(init.ones()(4, "int8")), np.ones(4, np.int8))
    np.testing.assert_array_equal(made(init.constant(2.5)((2,))), np.full(2, 2.5, np.float32))
    rows = made(init.constant([[1], [2]])((2, 3), "float64"))
    np.testing.assert_array_equal(rows, [[1.0] * 3, [2.0] * 3])
    uniform = made(init.random_uniform(1.0, 2.0)((1000,)))
    assert uniform.dtype == np.float32
    assert 1 <= uniform.min() < 1.01 < 1.99 < uniform.max() < 2
    normal = made(init.random_normal(3.0, 0.1)((10_000,), "float64"))
    assert stats.kstest(normal, stats.norm(3, 0.1).cdf).pvalue > 0.01
    cut = made(init.truncated_normal(1.0, 0.5)((10_000,)))
    assert abs(cut - 1).max() <= 1.0


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 4), (2, 3, 50)])
def test_orthogonal_matrices(shape: tuple[int, ...]) -> None:
    values = made(init.orthogonal(1.5)(shape, "float64"))
    assert values.shape == shape
    matrix = values.reshape(-1, shape[-1]) / 1.5
    small = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_orthogonal_matrices_are_uniformly_distributed() -> None:
    """In two dimensions the angle of the first column is uniform, and half of them are turns."""
    node, session = init.orthogonal()((2, 2), "float64"), sg.Session(seed=9)
    drawn = np.array([session.run(node) for _ in range(2000)])
    angles = np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0])
    assert stats.kstest(angles, stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 0.01
    turns = np.count_nonzero(np.linalg.det(drawn) > 0)
    assert abs(turns - 1000) < 4 * math.sqrt(500)


def test_identity() -> None:
    np.testing.assert_array_equal(made(init.identity(3.0)((2, 3))), 3 * np.eye(2, 3))


def test_one_seed_makes_one_set_of_variables() -> None:
    first = sg.Variable(init.he_normal()((4, 4)))
    second = sg.Variable(init.he_normal()((4, 4)))
    session, again = sg.Session(seed=1), sg.Session(seed=1)
    a, b = session.run([first, second])
    assert not np.array_equal(a, b)
    # The order in which variables are first needed does not matter.
    np.testing.assert_array_equal(again.run(second), b)
    np.testing.assert_array_equal(again.run(first), a)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a mode": (
        lambda: init.variance_scaling(1.0, "fan"), sg.ShapeError,
        "variance_scaling: mode='fan' is no mode\n  give one of fan_in, fan_out, fan_avg\n",
    ),
    "a distribution": (
        lambda: init.variance_scaling(1.0, "fan_in", "normal"), sg.ShapeError,
        "variance_scaling: distribution='normal' is none\n"
        "  give one of truncated_normal, untruncated_normal, uniform\n",
    ),
    "a scale": (
        lambda: init.variance_scaling(-1.0), sg.ShapeError,
        "variance_scaling: scale -1.0 is not positive and finite\n  give a scale above 0\n",
    ),
    "a dtype": (
        lambda: init.he_normal()((2, 2), "int32"), sg.DTypeError,
        "he_normal: makes no int32\n  dtype is float32 or float64\n",
    ),
    "half precision": (
        lambda: init.random_normal()((2, 2), "bfloat16"), sg.DTypeError,
        "random_normal: makes no bfloat16\n"
        "  dtype is float32 or float64; sg.cast(value, 'bfloat16') converts what is made\n",
    ),
    "bounds in the wrong order": (
        lambda: init.random_uniform(1, 0), sg.ShapeError,
        "random_uniform: low 1 is above high 0\n  give low <= high\n",
    ),
    "a bound": (
        lambda: init.random_uniform(0.0, math.inf), sg.ShapeError,
        "random_uniform: high inf is not finite\n  give finite bounds\n",
    ),
    "a deviation": (
        lambda: init.random_normal(0.0, -0.5), sg.ShapeError,
        "random_normal: stddev -0.5 is below 0 or not finite\n",
    ),
    "a deviation before the cut": (
        lambda: init.truncated_normal(stddev=math.nan), sg.ShapeError,
        "truncated_normal: stddev nan is below 0 or not finite\n",
    ),
    "an infinite scale": (
        lambda: init.variance_scaling(math.inf), sg.ShapeError,
        "variance_scaling: scale inf is not positive and finite\n  give a scale above 0\n",
    ),
    "a vector": (
        lambda: init.orthogonal()((3,)), sg.ShapeError,
        "orthogonal: shape (3,) is no matrix's\n  give two sizes or more\n",
    ),
    "a cube": (
        lambda: init.identity()((2, 2, 2)), sg.ShapeError,
        "identity: shape (2, 2, 2) is no matrix's\n  give two sizes\n",
    ),
    "a size of the run": (
        lambda: init.lecun_normal()((sg.placeholder("int64", ()), 2)), sg.ShapeError,
        "lecun_normal: a size of the shape is known only to the run\n"
        "  what is drawn depends on the sizes: give ints\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    make, error, message = REFUSED[name]
    with pytest.raises(error) as caught:
        make()
    # The last line is the user's.
    assert str(caught.value).rsplit("  at ", 1)[0] == message
