"""Functions made of others and the special functions, beyond their samples.

NumPy's and SciPy's names, edges against NumPy, SciPy and Python, half precision, what is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy import special

import staticgraph as sg
from tests.messages import whole

Array = np.ndarray[Any, Any]
BACKENDS = ("native", "reference")

EDGES = np.array([
    np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, -1.5, 2.5, 3.0, -2.0, 40.0, -40.0, 800.0,
    -800.0, 1e30, -1e30, 0.5, 1.0, 0.3, 0.7, 1e-300, -1e-300, 5e-324,
])  # fmt: skip
REALS = np.array([-2.5, -0.75, 0.0, 0.5, 1.0, 1.5, 3.0, 20.0])
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def fed(function: Callable[..., Any], *arrays: Array, backend: Any = "native") -> Any:
    """What a run gives of a function of placeholders that are fed with the arrays."""
    with sg.Graph().as_default() as graph:
        placeholders = [sg.placeholder(array.dtype, array.shape) for array in arrays]
        result = function(*placeholders)
        with sg.Session(graph, backend=backend) as session:
            return session.run(result, dict(zip(placeholders, arrays, strict=True)))


def pairs(values: Array) -> tuple[Array, Array]:
    first, second = np.meshgrid(values, values)
    return first.ravel(), second.ravel()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        np.modf, np.frexp, np.spacing, np.fix, np.isposinf, np.isneginf, np.isreal, np.iscomplex,
        special.erfcx, special.ndtr, special.log_ndtr, special.ndtri, special.logit, special.i0e,
        special.entr, special.erfcinv, special.log_expit,
    ],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_functions_of_one_operand(function: Any, dtype: str, backend: str) -> None:
    x = EDGES.astype(dtype)
    with np.errstate(all="ignore"):
        expected = function(x)
    found = fed(function, x, backend=backend)
    for have, want in zip(np.atleast_2d(found), np.atleast_2d(expected), strict=True):
        assert have.dtype == want.dtype
        np.testing.assert_allclose(have, want, rtol=3e-6 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "function",
    [np.heaviside, np.logaddexp2, special.xlog1py, special.rel_entr, np.float_power],
    ids=lambda function: function.__name__,
)
def test_functions_of_two_operands(function: Any, backend: str) -> None:
    first, second = pairs(EDGES[np.abs(EDGES) > 1e-200])
    with np.errstate(all="ignore"):
        expected = function(first, second)
    found = fed(function, first, second, backend=backend)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(dtype: str, backend: str) -> None:
    info = np.iinfo(dtype)
    numbers = [info.min, info.max, 0, 1, 5, 6, 12, 15, 25, 35, 100, 55, info.max - 3, info.min + 3]
    values = np.array(numbers, dtype)
    first, second = pairs(values)
    for function in (np.gcd, np.lcm):
        np.testing.assert_array_equal(
            fed(function, first, second, backend=backend), function(first, second)
        )
    counted = fed(np.bitwise_count, values, backend=backend)
    np.testing.assert_array_equal(counted, np.bitwise_count(values))
    tens = [round(Fraction(int(v), 10)) * 10 % (1 << info.bits) for v in values]
    expected = np.array(tens, np.uint64).astype(f"uint{info.bits}").view(dtype)
    np.testing.assert_array_equal(fed(lambda x: sg.round(x, -1), values, backend=backend), expected)
    np.testing.assert_array_equal(fed(lambda x: sg.round(x, 3), values, backend=backend), values)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rounding_to_decimals(backend: str) -> None:
    x = np.concatenate([np.random.default_rng(3).uniform(-1e4, 1e4, 200), EDGES])
    for decimals in (1, 3, 7, -1, -3):
        with np.errstate(all="ignore"):
            expected = np.round(x, decimals)
        usual = np.abs(x) * 10.0**decimals < 2.0**52
        found = fed(lambda t, d=decimals: np.round(t, d), x, backend=backend)
        np.testing.assert_array_equal(found[usual], expected[usual])
        np.testing.assert_array_equal(found[~usual], x[~usual])
        again = fed(lambda t, d=decimals: sg.round(t, d), found, backend=backend)
        np.testing.assert_array_equal(again, found)
    # A power of ten that no float holds leaves every digit, or none.
    finite = x[np.isfinite(x) & (np.abs(x) > 1e-200)]
    np.testing.assert_array_equal(fed(lambda t: sg.round(t, 400), finite, backend=backend), finite)
    np.testing.assert_array_equal(fed(lambda t: sg.round(t, -400), finite, backend=backend), 0)
    z = np.array([1.26 - 0.04j, 2.35j])
    np.testing.assert_array_equal(fed(lambda t: sg.round(t, 1), z, backend=backend), z.round(1))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_of_two_are_rounded_once(dtype: str, backend: str) -> None:
    wide = np.array([1.5, 1.75, 1e-300, -3.1, 1e300, 5e-324, np.inf, -0.0, np.nan, 1 + 2**-20])
    with np.errstate(all="ignore"):
        x = wide.astype(dtype)
    for power in (-1074, -1000, -149, -126, 0, 127, 1000, 2000, -2200):
        with np.errstate(all="ignore"):
            expected = np.ldexp(x, power)
        found = fed(lambda t, n=power: sg.ldexp(t, n), x, backend=backend)
        np.testing.assert_array_equal(found, expected)
        counts = np.full(x.shape, power)
        np.testing.assert_array_equal(fed(np.ldexp, x, counts, backend=backend), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_modified_bessel_functions(backend: str) -> None:
    x = np.concatenate([np.linspace(-30, 30, 241), [1e-300, 700.0, -700.0, 800.0, np.inf]])
    for name in ("i0", "i1"):
        with np.errstate(all="ignore"):
            expected = getattr(special, name)(np.where(np.isinf(x), 1e4, x))
        found = fed(getattr(special, name), x, backend=backend)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    np.testing.assert_allclose(fed(np.i0, x[:-1], backend=backend), special.i0(x[:-1]), rtol=1e-13)
    # SciPy's is infinite a little early.
    for name in ("i0", "i1"):
        (late,) = fed(getattr(sg, name), np.array([713.9]), backend="native")
        scaled = float(getattr(special, f"{name}e")(713.9))
        assert math.isclose(math.log(late), 713.9 + math.log(scaled), rel_tol=1e-14)
    x = np.concatenate([x, [1e5, -1e18, 1e300]])
    np.testing.assert_allclose(fed(sg.i1e, x, backend=backend), special.i1e(x), rtol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_beta_functions(backend: str) -> None:
    random = np.random.default_rng(5)
    a, b = 10 ** random.uniform(-4, 5, (2, 4000))
    found = fed(special.betaln, a, b, backend=backend)
    # SciPy's loses digits where an operand is large.
    np.testing.assert_allclose(found, special.betaln(a, b), rtol=1e-7, atol=1e-9)
    if backend == "native":
        for n in (1, 2, 5):
            found = fed(sg.betaln, np.full(3, float(n)), np.array([0.5, 40.0, 1e7]))
            factors = [[math.log(b + k) for k in range(n)] for b in (0.5, 40.0, 1e7)]
            exact = [math.lgamma(n) - math.fsum(listed) for listed in factors]
            np.testing.assert_allclose(found, exact, rtol=3e-15, atol=3e-15)
    x = np.clip(a / (a + b) * random.uniform(0.3, 1.7, a.shape), 0, 1)
    found = fed(special.betainc, a, b, x, backend=backend)
    np.testing.assert_allclose(found, special.betainc(a, b, x), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_huge_concentrations(backend: str) -> None:
    random = np.random.default_rng(6)
    a, b = 10 ** random.uniform(6, 11, (2, 300))
    middle = a / (a + b)
    x = middle + np.sqrt(middle * (1 - middle) / (a + b)) * random.uniform(-4, 4, 300)
    found = fed(sg.betainc, a, b, x, backend=backend)
    np.testing.assert_allclose(found, special.betainc(a, b, x), rtol=1e-7, atol=1e-10)
    most = np.full(3, 1e308)
    found = fed(sg.betainc, most, most, np.array([0.5, 0.3, 0.7]), backend=backend)
    assert found.tolist() == [0.5, 0.0, 1.0]


def test_what_does_not_depend_on_the_sides_of_beta() -> None:
    a = sg.placeholder("float64", (), name="a")
    y = sg.betainc(a, 2.0, 0.25, name="y")
    with pytest.raises(sg.GradientError) as info:
        sg.gradients(y, a)
    assert "a" in whole(info, a=a)
    x = sg.placeholder("float64", (), name="x")
    slope, mixed = sg.gradients(sg.betainc(a, 2.0, x), x), None
    mixed = sg.gradients(slope[0], a)
    have = sg.Session().run(slope + mixed, {a: 3.0, x: 0.4})
    # The density is 12 x**2 (1 - x) at a = 3, and its logarithm moves with a as the digammas do.
    density = 12 * 0.4**2 * 0.6
    bend = density * (math.log(0.4) - special.digamma(3.0) + special.digamma(5.0))
    np.testing.assert_allclose(have, [density, bend], rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("equal_nan", [False, True])
def test_equal_arrays(equal_nan: bool, backend: str) -> None:
    arrays = [
        np.ones(2), np.ones(3), np.zeros(2), np.ones((2, 1)), np.array([np.nan, 1.0]), np.ones(0),
        np.array(1.0),
    ]  # fmt: skip
    for known in (True, False):
        for a in arrays:
            with sg.Graph().as_default() as graph:
                x = sg.placeholder("float64", a.shape if known else (None,) * a.ndim)
                tests, feed = [], {x: a}
                for b in arrays:
                    y = sg.placeholder("float64", b.shape if known else (None,) * b.ndim)
                    tests.append(np.array_equal(x, y, equal_nan=equal_nan))
                    feed[y] = b
                found = sg.Session(graph, backend=backend).run(tests, feed)
            assert found == [np.array_equal(a, b, equal_nan=equal_nan) for b in arrays]


def test_equal_arrays_need_a_rank() -> None:
    x = sg.placeholder("float32", name="x")
    with pytest.raises(sg.ShapeError) as info:
        sg.array_equal(x, 1.0)
    assert whole(info, x=x) == (
        "array_equal: the rank of 'x' is not known before the run\n"
        "  declare it with the placeholder\n"
        "  at <here>"
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_unwrapped_angles(backend: str) -> None:
    walk = np.cumsum(np.random.default_rng(0).uniform(-9, 9, (4, 7)), 1)
    for axis in (0, 1, -1):
        for options in ({}, {"discont": 4.0}, {"period": 2.0}, {"discont": 1.0, "period": 4.0}):
            unwrap = lambda x, a=axis, o=options: np.unwrap(x, axis=a, **o)  # noqa: E731
            np.testing.assert_allclose(fed(unwrap, walk, backend=backend), unwrap(walk), rtol=1e-12)
    ties = np.array([0.0, 180, 0, -180, 180, 540])
    unwrap = lambda x: np.unwrap(x, period=360.0)  # noqa: E731
    np.testing.assert_array_equal(fed(unwrap, ties, backend=backend), unwrap(ties))
    for shape in ((0,), (3, 0), (1,), (0, 3)):
        assert fed(sg.unwrap, np.ones(shape), backend=backend).shape == shape


def test_what_asks_for_the_dtype_is_known_at_once() -> None:
    z, x = sg.constant([1j]), sg.constant([1.0])
    assert [np.iscomplexobj(z), np.iscomplexobj(x), np.isrealobj(z), np.isrealobj(x)] == [
        True, False, False, True,
    ]  # fmt: skip
    numbers = np.array([1 + 2j, 3, 0, complex(0, np.nan)])
    np.testing.assert_array_equal(fed(np.isreal, numbers), np.isreal(numbers))
    np.testing.assert_array_equal(fed(np.iscomplex, numbers), np.iscomplex(numbers))
    angles = np.array([0, 1e-9j, 0.1 + 0.1j, 2 - 3j, -0.5j, 1.5])
    np.testing.assert_allclose(fed(sg.sinc, angles), np.sinc(angles), rtol=1e-13)


def test_an_infinity_of_complex_numbers_has_no_sign() -> None:
    z = sg.placeholder("complex64", (), name="z")
    for function in (sg.isposinf, sg.isneginf):
        with pytest.raises(sg.DTypeError) as info:
            function(z)
        message = whole(info, z=z)
        assert message.startswith(function.__name__) and "does not take complex64" in message


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(
    "function",
    [
        sg.sinc, sg.ndtr, sg.erfcinv, sg.i0, sg.entr, lambda x: sg.logaddexp2(x, 0.25),
        lambda x: sg.kl_div(x, 0.25), lambda x: sg.round(x, 2), lambda x: sg.betainc(2.0, 0.5, x),
    ],
)  # fmt: skip
def test_half_precision_is_rounded_once(
    function: Callable[[Any], Any], dtype: Any, backend: str
) -> None:
    x = np.array([0.01, 0.25, 0.3, 0.77, 0.9]).astype(dtype)
    found = fed(function, x, backend=backend)
    wide = fed(function, x.astype(np.float32), backend=backend)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, wide.astype(dtype))


def test_derivatives_where_formulas_meet() -> None:
    x = sg.placeholder("float64", (None,), name="x")

    def first_and_second(function: Callable[[Any], Any], at: list[float]) -> Any:
        (slope,) = sg.gradients(sg.sum(function(x)), x)
        (bend,) = sg.gradients(sg.sum(slope), x)
        return sg.Session().run([slope, bend], {x: at})

    slope, bend = first_and_second(sg.sinc, [0.0, 1e-6, 1.0])
    np.testing.assert_allclose(slope, [0, -(math.pi**2) / 3 * 1e-6, -1], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(bend, [-(math.pi**2) / 3] * 2 + [2.0], rtol=1e-9)
    slope, bend = first_and_second(sg.log_ndtr, [-1e4, -1.0, 40.0])
    ratio = math.exp(-0.5) / math.sqrt(2 * math.pi) / special.ndtr(-1.0)
    np.testing.assert_allclose(slope, [1e4 + 1e-4, ratio, 0], rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(bend[:2], [-1, -ratio * (ratio - 1)], rtol=1e-6)
    slope, bend = first_and_second(sg.erfcx, [24.99, 25.01, 1e5])
    np.testing.assert_allclose(slope[0] / slope[1], (25.01 / 24.99) ** 2, rtol=1e-5)
    np.testing.assert_allclose(slope[2], -1e-10 / math.sqrt(math.pi), rtol=1e-9)
    slope, _ = first_and_second(sg.entr, [0.0, 1.0])
    np.testing.assert_array_equal(slope, [np.inf, -1.0])
