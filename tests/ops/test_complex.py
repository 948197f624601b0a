"""What complex numbers mean beyond single ops: derivatives, constants, rules, edges, programs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import DTypeError, FeedError, GradientError, NumericsError
from tests.messages import whole

from .checks import Program

Array = np.ndarray[Any, Any]
TARGET = np.array([1 + 2j, -3j, 0.5])


def _run(*fetches: Any, feed: Any = None) -> list[Any]:
    results: list[Any] = sg.Session().run(list(fetches), feed or {})
    return results


# -- derivatives ------------------------------------------------------------------------------


def test_the_gradient_of_a_distance_points_away_from_the_target() -> None:
    z = sg.placeholder("complex128", (3,), name="z")
    loss = sg.sum(sg.abs(z - TARGET) ** 2)
    (slope,) = sg.gradients(loss, z)
    start = np.array([0.5, 1j, -1 - 1j])
    np.testing.assert_allclose(_run(slope, feed={z: start})[0], 2 * (start - TARGET))


@pytest.mark.parametrize("optimizer", [
    sg.train.SGD(0.1), sg.train.SGD(0.05, momentum=0.5, nesterov=True), sg.train.Adam(0.1),
])  # fmt: skip
def test_descent_reaches_a_complex_target(optimizer: Any) -> None:
    with sg.Graph().as_default():
        z = sg.Variable(np.zeros(3, np.complex128), name="z")
        loss = sg.sum(sg.abs(z - TARGET) ** 2)
        step = optimizer.minimize(loss)
        session = sg.Session()
        for _ in range(300):
            session.run(step)
        np.testing.assert_allclose(session.run(z), TARGET, atol=2e-2)


def test_a_real_operand_gets_the_real_part() -> None:
    x = sg.placeholder("float64", (), name="x")
    product = x * (2 + 3j)
    (slope,) = sg.gradients(sg.real(product) * 5.0 + sg.imag(product), x)
    assert slope.dtype == np.float64
    assert _run(slope, feed={x: 1.0}) == [13.0]


def test_a_holomorphic_function_has_the_conjugate_of_its_derivative() -> None:
    z = sg.placeholder("complex128", (), name="z")
    (slope,) = sg.gradients(sg.exp(z), z, grad_ys=1.0)
    (moved,) = sg.jvp(sg.exp(z), z, 1j)
    at = 0.3 - 1.2j
    have = _run(slope, moved, feed={z: at})
    np.testing.assert_allclose(have, [np.exp(at).conj(), 1j * np.exp(at)])


def test_conjugations_between_rules_cancel() -> None:
    z = sg.placeholder("complex128", (), name="z")
    (slope,) = sg.gradients(sg.real(sg.sin(sg.exp(sg.sqrt(z)))), z)
    assert sg.extract(slope).count("conj") == 2


def test_a_complex_y_has_no_gradient_by_itself() -> None:
    z = sg.placeholder("complex64", (), name="z")
    y = sg.exp(z, name="y")
    with pytest.raises(GradientError) as caught:
        sg.gradients(y, z)
    first, *rest = whole(caught).split("\n")
    assert first == "gradients: y is complex64, and a complex number is no least or largest"
    assert rest[1:] == [
        "  differentiate a real number: sg.real(y), sg.imag(y) or sg.abs(y), or give an incoming "
        "gradient, grad_ys=...",
        "  at <here>",
    ]


@pytest.mark.parametrize("derivative", [sg.jacobian, sg.hessian])
def test_matrices_of_derivatives_are_of_real_numbers(derivative: Callable[..., Any]) -> None:
    z = sg.placeholder("complex64", (2,), name="z")
    with pytest.raises(GradientError, match="whose parts move by themselves"):
        derivative(sg.sum(sg.abs(z)), z)


def test_a_product_with_the_hessian() -> None:
    z = sg.placeholder("complex128", (3,), name="z")
    loss = sg.sum(sg.abs(sg.exp(z)) ** 2)
    direction = np.array([1j, 2.0, -1 + 1j])
    (product,) = sg.hessian_vector_product(loss, z, direction)
    (slope,) = sg.gradients(loss, z)
    at, step = np.array([0.1 + 1j, -0.5, 0.3j]), 1e-5
    ahead, behind = [_run(slope, feed={z: at + s * direction})[0] for s in (step, -step)]
    np.testing.assert_allclose(
        _run(product, feed={z: at})[0], (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-9
    )


def test_the_slope_of_a_size_is_0_at_0() -> None:
    z = sg.placeholder("complex128", (2,), name="z")
    (slope,) = sg.gradients(sg.sum(sg.abs(z)), z)
    assert _run(slope, feed={z: [0, -2j]})[0].tolist() == [0, -1j]


def test_a_loop_of_complex_numbers() -> None:
    c = sg.placeholder("complex128", (), name="c")
    _, z = sg.while_loop(lambda i, z: i < 4, lambda i, z: (i + 1, z * z + c), (sg.constant(0), c))
    (slope,) = sg.gradients(sg.real(z), c)
    at = 0.2 + 0.3j

    def orbit(c: complex) -> tuple[complex, complex]:
        value, derivative = c, 1 + 0j
        for _ in range(4):
            value, derivative = value * value + c, 2 * value * derivative + 1
        return value, derivative

    value, derivative = orbit(at)
    np.testing.assert_allclose(_run(z, slope, feed={c: at}), [value, derivative.conjugate()])


# -- constants, feeds, text -------------------------------------------------------------------


def test_literals_are_weak() -> None:
    assert (sg.constant([1.0]) * 1j).dtype == np.complex64
    assert (sg.constant(np.ones(2)) + 1j).dtype == np.complex128
    assert (sg.constant([1, 2]) * 1j).dtype == np.complex128
    assert sg.constant(1j).dtype == np.complex64
    assert sg.constant(1j, "complex128").dtype == np.complex128
    assert sg.zeros((2,), "complex64").dtype == np.complex64
    assert sg.full((2,), 1j).dtype == np.complex64
    with pytest.raises(DTypeError):
        sg.constant(1j, "float64")


def test_feeds_are_converted_where_nothing_is_lost() -> None:
    z = sg.placeholder("complex64", (2,), name="z")
    session = sg.Session()
    for fed in ([1, 2], [1.5, 2j], np.array([1, 2], np.int8), np.array([1j, 2])):
        assert session.run(z + 0, {z: fed}).tolist() == np.asarray(fed, np.complex64).tolist()
    x = sg.placeholder("float32", (2,), name="x")
    with pytest.raises(FeedError) as caught:
        session.run(x + 1, {x: np.array([1j, 2])})
    assert "run: the value fed for 'x' is complex128, the tensor float32" in whole(caught)
    assert "feed its real part, value.real, or make the placeholder complex" in whole(caught)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_text_keeps_every_bit(dtype: str) -> None:
    parts = np.array([0.0, -0.0, 0.1, -np.inf, np.nan, 1e-40])
    values = np.empty((6, 6), dtype)
    values.real, values.imag = parts[:, None], parts[None]
    payload = values.copy()
    payload.view(np.uint8)[0, 0] = 0
    payload.real[0, 0] = np.frombuffer(
        b"\x01\x00\xc0\x7f" if dtype == "complex64" else b"\x01" + bytes(5) + b"\xf8\x7f",
        values.real.dtype,
    )[0]
    for array in (values, payload, np.zeros((0, 2), dtype), np.full((40, 40), 2 - 1j, dtype)):
        function = sg.extract(sg.constant(array) * 2)
        read = sg.parse(str(function))
        assert read == function
        assert str(read) == str(function)


def test_numbers_that_are_not_finite_are_found() -> None:
    z = sg.placeholder("complex128", (2,), name="z")
    for backend in ("native", "reference"):
        session = sg.Session(backend=backend, check_numerics=True)
        assert session.run(1 / z, {z: [1j, 2]}).tolist() == [-1j, 0.5]
        with pytest.raises(NumericsError, match="from finite operands"):
            session.run(1 / z, {z: [1j, 0]})


# -- rewriting --------------------------------------------------------------------------------

_REWRITTEN: tuple[Callable[[Any], Any], ...] = (
    lambda z: sg.square(sg.abs(z)), lambda z: sg.sqrt(sg.square(z)), lambda z: sg.cos(sg.abs(z)),
    lambda z: sg.abs(sg.abs(z)), lambda z: sg.abs(-z), lambda z: z * 1, lambda z: -1 * z,
    lambda z: z / 1, lambda z: z / 2, lambda z: z * 0, lambda z: z - z, lambda z: z + 0,
    lambda z: z - 0, lambda z: 0 - z, lambda z: -(z * 2), lambda z: -(2 / z), lambda z: z**2,
    lambda z: z**1, lambda z: z**0, lambda z: z**-1, lambda z: z**0.5, lambda z: z * z,
    lambda z: sg.log(z + 1), lambda z: sg.exp(z) - 1, lambda z: sg.log(1 + sg.exp(z)),
    lambda z: 1 / (1 + sg.exp(-z)), lambda z: z == z, lambda z: z != z,
    lambda z: sg.sign(sg.sign(z)),
    lambda z: sg.cast(sg.cast(sg.real(z), z.dtype), "complex128"), lambda z: sg.conj(sg.conj(z)),
    lambda z: sg.isnan(sg.abs(z)), lambda z: sg.isinf(-z), lambda z: sg.sum(z[:, None], axis=1),
    lambda z: z / sg.reciprocal(z), lambda z: sg.reciprocal(sg.sqrt(z)), lambda z: sg.cos(-z),
    lambda z: (-z) * (-z), lambda z: (-z) / (-z), lambda z: z - (-z), lambda z: z + (-z),
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(_REWRITTEN)))
def test_rules_of_real_numbers_do_no_harm(number: int) -> None:
    given = np.array([1.5 - 2j, -0.25 + 1j, -3 - 0.5j, 0.125j, -2.0, 3.0])
    z = sg.placeholder("complex128", (6,), name="z")
    y = _REWRITTEN[number](z)
    (plain,) = Program(sg.get_default_graph(), [y], [z])([given])
    for backend in ("reference", "native"):
        have = sg.Session(backend=backend).run(y, {z: given})
        assert have.dtype == plain.dtype
        np.testing.assert_allclose(have, plain, rtol=1e-13, atol=1e-15)


# -- edges ------------------------------------------------------------------------------------

_PARTS = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-300, 1e300)


@pytest.mark.parametrize("name", ["sqrt", "log", "abs", "sign"])
def test_edges_are_numpys(name: str) -> None:
    given = np.array([complex(a, b) for a in _PARTS for b in _PARTS])
    z = sg.placeholder("complex128", given.shape, name="z")
    have = _run(getattr(sg, name)(z), feed={z: given})[0]
    with np.errstate(all="ignore"):
        want = {"abs": np.absolute}.get(name, getattr(np, name))(given)
    for at, one, other in zip(given, have, want, strict=True):
        for mine, theirs in ((one.real, other.real), (one.imag, other.imag)):
            if np.isnan(theirs):
                assert np.isnan(mine), (at, one, other)
            else:
                np.testing.assert_allclose(mine, theirs, rtol=1e-14, err_msg=str(at))
                assert np.signbit(mine) == np.signbit(theirs) or mine != 0, (at, one, other)


@pytest.mark.parametrize(
    ("name", "given", "want"),
    [
        ("exp", complex(-np.inf, np.inf), 0),
        ("exp", complex(np.inf, 0.0), complex(np.inf, 0)),
        ("exp", complex(np.nan, 0.0), complex(np.nan, 0)),
        ("expm1", 1e-20 + 1e-20j, 1e-20 + 1e-20j),
        ("log1p", 1e-20 - 1e-20j, 1e-20 - 1e-20j),
        ("sin", 1e-300j, 1e-300j),
        ("sinh", -1e-5j, np.sinh(-1e-5j)),
        ("cosh", 0j, 1),
        ("tanh", 800 + 1j, 1),
        ("tan", 1e-9 + 50j, 1j),
        ("sqrt", complex(-4, -0.0), -2j),
        ("reciprocal", 1e200 + 1e200j, 0.5e-200 - 0.5e-200j),
        # On both sides of branch cuts, and far from 0.
        ("atanh", complex(2, 0.0), np.arctanh(complex(2, 0.0))),
        ("atanh", complex(2, -0.0), np.arctanh(complex(2, -0.0))),
        ("asin", complex(2, 0.0), np.arcsin(complex(2, 0.0))),
        ("acos", complex(-2, -0.0), np.arccos(complex(-2, -0.0))),
        ("asinh", 1e200 + 1e200j, np.arcsinh(1e200 + 1e200j)),
        ("acosh", -1e200j, np.arccosh(-1e200j)),
        ("atan", 1e200 + 1j, np.arctan(1e200 + 1j)),
    ],
)
def test_single_values(name: str, given: complex, want: complex) -> None:
    z = sg.placeholder("complex128", (), name="z")
    with np.errstate(all="ignore"):
        have = _run(getattr(sg, name)(z), feed={z: np.complex128(given)})[0]
    np.testing.assert_allclose(
        have, np.complex128(want), rtol=1e-14, atol=0 if want != 1 else 1e-14
    )


def test_a_size_neither_overflows_nor_vanishes() -> None:
    z = sg.placeholder("complex64", (None,), name="z")
    given = np.array([3e38 + 1j, 2e38 + 2e38j, 1e-45j, 3e-30 + 4e-30j], np.complex64)
    have = _run(sg.abs(z), feed={z: given})[0]
    np.testing.assert_allclose(
        have, np.abs(given.astype(np.complex128)).astype(np.float32), rtol=3e-7
    )


# -- programs ---------------------------------------------------------------------------------

ROWS, COLUMNS = 7, 5


def _full(x: Any) -> Any:
    return x * sg.ones((ROWS, COLUMNS))


_STEPS: tuple[Callable[[Random, list[Any]], Any], ...] = (
    lambda c, v: c.choice(v) + c.choice(v), lambda c, v: c.choice(v) * c.choice(v),
    lambda c, v: c.choice(v) - sg.conj(c.choice(v)), lambda c, v: sg.tanh(c.choice(v) * 0.5),
    lambda c, v: sg.exp(1j * sg.real(c.choice(v))),
    lambda c, v: c.choice(v) / (2 + sg.abs(c.choice(v))),
    lambda c, v: sg.where(sg.imag(c.choice(v)) > 0, c.choice(v), c.choice(v)),
    lambda c, v: sg.sum(c.choice(v), axis=0, keepdims=True) * 0.3,
    lambda c, v: c.choice(v)[::-1] * 0.7,
    lambda c, v: sg.complex(sg.sin(sg.imag(c.choice(v))), sg.cos(sg.real(c.choice(v)))),
    lambda c, v: sg.mean(c.choice(v), axis=1, keepdims=True) + c.choice(v),
    lambda c, v: sg.sqrt(c.choice(v) * c.choice(v) + 9),
    lambda c, v: sg.matmul(_full(c.choice(v)), sg.permute_dims(_full(c.choice(v))))[:, :1] * 0.1,
    lambda c, v: sg.fft.fft(c.choice(v), axis=0, norm="ortho"),
    lambda c, v: sg.concat([_full(c.choice(v)), _full(c.choice(v))], axis=1)[:, 1 : COLUMNS + 1],
)  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_agree_with_their_derivatives(seed: int) -> None:
    chance, numbers = Random(seed), np.random.default_rng(seed)
    known = chance.random() < 0.5
    shapes = [(ROWS, COLUMNS), (1, COLUMNS), (ROWS, 1)]
    with sg.Graph().as_default() as graph:
        feeds = [sg.placeholder("complex128", s if known else (None, None)) for s in shapes]
        values = list(feeds)
        for _ in range(12):
            values.append(chance.choice(_STEPS)(chance, values))
        loss = sg.sum(sg.abs(values[-1] - (0.3 - 0.2j)) ** 2) + sg.sum(sg.real(values[-2]))
        slopes = sg.gradients(loss, feeds, unconnected="zero")
        fed = {
            feed: numbers.standard_normal(s) + 1j * numbers.standard_normal(s)
            for feed, s in zip(feeds, shapes, strict=True)
        }
        want = Program(graph, [loss, *slopes], feeds)(list(fed.values()))
        runs = [sg.Session(graph, threads=n).run([loss, *slopes], fed) for n in (1, 2, 3)]
    scale = max(float(np.abs(item).max()) for item in want)
    for have in runs:
        for one, other, first in zip(have, want, runs[0], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11 * scale)
            np.testing.assert_array_equal(one, first)


def test_a_rule_of_the_user_gets_the_adjoint_as_it_is() -> None:
    @sg.custom_gradient
    def turned(x: Any) -> Any:
        return x * 1j, lambda adjoint: adjoint * (2 - 1j)

    z = sg.placeholder("complex128", (), name="z")
    (slope,) = sg.gradients(turned(z), z, grad_ys=1j)
    assert _run(slope, feed={z: 1.0}) == [1j * (2 - 1j)]
