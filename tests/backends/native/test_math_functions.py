"""The elementary functions: errors in units in the last place, and the same bits in any vector.

Special values are compared with NumPy's in test_scalars.py; every float32 is measured by
tests/benchmarks/accuracy.py, of which this is a sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from scipy import special

from staticgraph.backends.native import targets
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from tests.backends.native.elements import Array, Rule
from tests.benchmarks.accuracy import FUNCTIONS, errors, measure

FLOATS = (dtypes.float32, dtypes.float64)
MODES = (False, True) if targets.host().fused else (False,)
needs_extended = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="nothing here is more exact than float64"
)


# The largest errors that are known, in float32 and float64. What is promised is 2, and 4 for pow,
# erfinv, the gamma, normal and Bessel functions; one that comes closer to that than it must has
# lost something.
BOUNDS = {
    "exp": (1.1, 1.1), "expm1": (1.4, 1.9), "log": (0.9, 0.9), "log1p": (1.5, 1.5),
    "tanh": (1.6, 1.8), "sigmoid": (1.8, 1.8), "softplus": (1.8, 1.8), "erf": (1.4, 1.7),
    "sin": (1.6, 1.6), "cos": (1.6, 1.6), "tan": (0.6, 2.0), "rsqrt": (1.5, 1.51),
    "pow": (0.6, 1.5), "exp2": (1.2, 1.2), "log2": (1.5, 1.7), "log10": (0.8, 0.8),
    "cbrt": (0.6, 0.8), "asin": (0.7, 0.7), "acos": (0.7, 0.7), "atan": (1.5, 1.7),
    "sinh": (1.6, 1.8), "cosh": (1.4, 1.4), "asinh": (1.5, 1.5), "acosh": (1.5, 1.5),
    "atanh": (1.4, 1.4), "atan2": (1.5, 1.7), "hypot": (0.6, 1.2), "logaddexp": (1.5, 1.4),
    "erfc": (0.6, 1.95), "erfinv": (0.6, 2.8), "lgamma": (0.6, 3.5), "digamma": (0.6, 3.6),
    "trigamma": (0.6, 3.6), "erfcx": (0.6, 1.95), "ndtr": (0.6, 2.6), "log_ndtr": (1.6, 3.0),
    "ndtri": (0.6, 3.0), "logit": (1.4, 1.4), "i0": (0.7, 3.1), "i0e": (0.7, 3.1),
    "i1": (0.6, 2.9), "i1e": (0.6, 2.9),
}  # fmt: skip


@pytest.mark.parametrize("fused", MODES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_is_as_exact_as_promised(name: str, fused: bool) -> None:
    found = measure(name, dtypes.float32, step=1 << 14, block=1 << 12, fused=fused)
    assert max(found, key=lambda pair: pair[0])[0] <= BOUNDS[name][0], found


@needs_extended
@pytest.mark.parametrize("fused", MODES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_is_as_exact_as_promised(name: str, fused: bool) -> None:
    found = measure(name, dtypes.float64, step=1 << 10, block=1 << 11, fused=fused)
    assert max(found, key=lambda pair: pair[0])[0] <= BOUNDS[name][1], found


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_lanes_do_not_matter(name: str, dtype: DType) -> None:
    function = FUNCTIONS[name]
    generator = np.random.default_rng(3)
    drawn = generator.standard_normal((2, 512)) * 2.0 ** generator.uniform(-40, 40, (2, 512))
    operands = [row.astype(dtype) for row in drawn[: function.operands]]
    single, *others = [
        Rule(function.emit, (dtype,) * function.operands, dtype, lanes)(*operands)
        for lanes in (1, 4, 32, 64)
    ]
    for other in others:
        assert other.tobytes() == single.tobytes()


# Angles that come closest to multiples of pi / 2, from J.-M. Muller, Elementary Functions (2016),
# section 11.2, and the largest ones.
@pytest.mark.parametrize(
    ("dtype", "angle"),
    [
        (dtypes.float32, 16367173.0 * 2.0**72),
        (dtypes.float64, 6381956970095103.0 * 2.0**797),
        (dtypes.float32, float(np.finfo(np.float32).max)),
        (dtypes.float64, float(np.finfo(np.float64).max)),
        (dtypes.float64, 2.0**30),
        (dtypes.float64, np.nextafter(2.0**30, 0)),
    ],
)
@needs_extended
def test_hard_angles(dtype: DType, angle: float) -> None:
    values = np.array([angle, -angle, 1.0, np.inf, np.nan], dtype)
    for name in ("sin", "cos", "tan"):
        function = FUNCTIONS[name]
        result = Rule(function.emit, (dtype,), dtype, 8)(values)
        with np.errstate(invalid="ignore"):
            exact = function.meaning(values.astype(np.longdouble))
        assert errors(result, exact).max() <= 2.0, name


@pytest.mark.parametrize("fused", MODES)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_remainders_are_exact(dtype: DType, fused: bool) -> None:
    generator = np.random.default_rng(9)
    bits = generator.integers(
        0, np.iinfo(f"u{dtype.itemsize}").max, (2, 4096), f"u{dtype.itemsize}"
    )
    x, y = bits.view(dtype)
    with np.errstate(all="ignore"):
        near = (y * generator.integers(-5, 5, y.size)).astype(dtype)
        close = np.nextafter(near, generator.choice([-np.inf, np.inf], y.size).astype(dtype))
    rule = Rule(lambda s, x, y: s.fmod(x, y), (dtype, dtype), dtype, 16, fused=fused)
    with np.errstate(all="ignore"):
        for first, second in ((x, y), (near, y), (close, y), (y, close)):
            expected = np.fmod(first, second)
            found = rule(first, second)
            number = ~np.isnan(expected)
            assert np.array_equal(np.isnan(found), ~number)
            assert found[number].tobytes() == expected[number].tobytes()


@pytest.mark.parametrize("name", ("lgamma", "digamma", "polygamma"))
def test_gamma_functions_of_negative_numbers(name: str) -> None:
    """The error is that of a number of size 1 at least: the zeros between poles are not exact."""
    x = -np.linspace(0.003, 9.993, 3001)
    meanings: dict[str, Callable[[Array], Array]] = {
        "lgamma": special.gammaln,
        "digamma": special.digamma,
        "polygamma": lambda x: special.polygamma(1, x),
    }
    found = Rule(
        lambda s, x: s.polygamma(x, 1) if name == "polygamma" else getattr(s, name)(x),
        (dtypes.float64,), dtypes.float64, 8,
    )(x)  # fmt: skip
    np.testing.assert_allclose(found, meanings[name](x), rtol=4e-13, atol=4e-14)


@pytest.mark.parametrize("fused", MODES)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_odd_functions_keep_the_sign_of_zero(dtype: DType, fused: bool) -> None:
    zeros = np.array([0.0, -0.0], dtype)
    odd = ("sin", "tan", "tanh", "erf", "expm1", "log1p", "asin", "atan", "sinh", "asinh", "atanh")
    for name in (*odd, "cbrt", "erfinv"):
        result = Rule(FUNCTIONS[name].emit, (dtype,), dtype, 8, fused=fused)(zeros)
        assert result.tobytes() == zeros.tobytes(), name


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@needs_extended
def test_sigmoid_where_its_exponential_holds_no_one(dtype: DType) -> None:
    # From here on 1 is lost beside the exponential, at first half of the last place of it.
    begin = np.log(np.finfo(dtype).eps / 2)
    values = (begin + np.linspace(-1, 1, 20_001)).astype(dtype)
    function = FUNCTIONS["sigmoid"]
    exact = function.meaning(values.astype(np.longdouble))
    assert errors(Rule(function.emit, (dtype,), dtype, 8)(values), exact).max() <= 1.8


def neighbours(value: float, dtype: DType) -> Array:
    """A number and those around it."""
    centre = np.array(value, dtype)
    bits = centre.view(f"i{dtype.itemsize}") + np.arange(-200, 201)
    return bits.astype(f"i{dtype.itemsize}").view(dtype)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@needs_extended
def test_results_at_the_ends_of_the_range(dtype: DType) -> None:
    info = np.finfo(dtype)
    largest, smallest = np.log(info.max), np.log(info.smallest_subnormal)
    cases = {
        "exp": (largest, smallest, smallest - 0.7, np.log(info.tiny)),
        "expm1": (largest, float(info.tiny), -np.log(2.0 / info.eps)),
        "log": (float(info.tiny), 2.0 * float(info.smallest_subnormal * 300)),
        "log1p": (-1.0 + 2.0**-20, float(info.tiny)),
        "sigmoid": (smallest, np.log(info.tiny), -np.log(info.eps)),
        "softplus": (smallest, np.log(info.tiny), float(info.max) / 2),
        "tanh": (float(info.tiny), 0.3, 9.0, 19.0),
        "exp2": (float(info.maxexp), float(info.minexp), float(np.log2(info.smallest_subnormal))),
        "log2": (float(info.tiny), 1.0, 2.0, float(info.max) / 2),
        "log10": (float(info.tiny), 1.0, 1000.0, float(info.max) / 2),
        "cbrt": (float(info.tiny), 1.0, 8.0, float(info.max) / 2),
        "sinh": (largest + math.log(2.0), 1.0, float(info.tiny)),
        "cosh": (largest + math.log(2.0), float(info.tiny)),
        "asinh": (float(info.tiny), 2.0**14, 2.0**30, float(info.max) / 2),
        "acosh": (1.0, 2.0**14, 2.0**30, float(info.max) / 2),
        "atanh": (1.0, float(info.tiny), 2.0**-60),
        "asin": (0.5, 1.0, float(info.tiny)),
        "acos": (0.5, 1.0, -0.5, -1.0, float(info.tiny)),
        "atan": (0.5, 1.0, 2.0, float(info.tiny), float(info.max) / 2),
        "erfc": (0.5, 9.2 if dtype == dtypes.float32 else 26.54, -0.5, float(info.tiny)),
    }
    for name, places in cases.items():
        function = FUNCTIONS[name]
        rule = Rule(function.emit, (dtype,), dtype, 8)
        for place in places:
            values = neighbours(float(place), dtype)
            with np.errstate(all="ignore"):
                exact = function.meaning(values.astype(np.longdouble))
            assert errors(rule(values), exact).max() <= 2.0, (name, place)


@pytest.mark.skipif(targets.host().vector_bytes != 64, reason="scales by AVX-512")
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("name", ["exp", "softplus", "pow"])
def test_the_scaling_instruction_changes_no_bits(name: str, lanes: int, dtype: DType) -> None:
    function = FUNCTIONS[name]
    generator = np.random.default_rng(5)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 88.8, -87.5, -103.0, 709.9, -708.5, -745.0, 1e30]
    operands = [
        np.concatenate([special, generator.uniform(-800, 800, 500)])[::-1].astype(dtype),
        generator.uniform(-3, 3, 512).astype(dtype),
    ][: function.operands]
    results = [
        Rule(function.emit, (dtype,) * function.operands, dtype, lanes, scales=scales)(*operands)
        for scales in (True, False)
    ]
    assert results[0].tobytes() == results[1].tobytes()


# -- the incomplete functions -----------------------------------------------------------------

# Of whole concentrations the functions are finite sums, which fractions of integers hold exactly.
INCOMPLETE_GAMMA = [
    (10, 1e-15), (10, 1e-30), (9, 1e-10), (9, 1e-33), (8, 1e-37), (25, 1e-5), (1, 1e-300),
    (3, 1e-100), (100, 0.25), (200, 20.0), (300, 240.0), (20, 14.5), (20, 15.5), (20, 1e-13),
    (3, 690.0), (1, 689.0), (20, 700.0), (34, 658.0), (9, 10.5), (300, 361.0), (300, 1100.0),
]  # fmt: skip


def exact_gamma(a: int, x: float, upper: bool) -> float:
    """``exp(-x)`` times a sum of ``x**k / k!``, of k below a or of those from a on."""
    place = Fraction(x)
    term = place**a / math.factorial(a)
    if upper:
        total = sum((place**k / math.factorial(k) for k in range(a)), Fraction(0))
    else:
        total, k = Fraction(0), a
        while term > total * Fraction(1, 2**70):
            total, k = total + term, k + 1
            term = term * place / k
    # The exponential of -x as a power of that of a small number.
    part, growth, piece, k = place / 1024, Fraction(0), Fraction(1), 0
    while piece > Fraction(1, 2**90):
        growth, k = growth + piece, k + 1
        piece = piece * part / k
    growth = Fraction(round(growth * 2**90), 2**90)
    return float(total / growth**1024)


@pytest.mark.parametrize("fused", MODES)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("upper", [False, True])
def test_small_values_of_the_incomplete_gamma_functions(
    upper: bool, dtype: DType, fused: bool
) -> None:
    a, x = np.array(INCOMPLETE_GAMMA).T.astype(dtype)
    found = Rule(
        lambda s, a, x: s.igamma(a, x, upper), (dtype, dtype), dtype, 8, fused=fused
    )(a, x)  # fmt: skip
    exact = np.array([exact_gamma(int(p), float(q), upper) for p, q in zip(a, x, strict=True)])
    # What the dtype holds as a normal number; in the others an absolute error is a relative one.
    normal = exact >= np.finfo(dtype).tiny
    assert normal.sum() >= 8
    rtol = 3e-14 if dtype == dtypes.float64 else 1.2e-7
    np.testing.assert_allclose(found[normal], exact[normal], rtol=rtol)
    assert (found[~normal] <= np.finfo(dtype).tiny).all()


# Computed with sixty digits.
@pytest.mark.parametrize(
    ("a", "x", "upper", "exact"),
    [
        (8.501, 1e-32, False, 7.7702055692478982e-278),
        (0.3, 1e-300, False, 1.1142425085473104e-90),
        (0.001, 1e-300, False, 5.014761980108866e-1),
        (23.286907208433856, 1e-05, False, 5.7389082466613009e-140),
        (969.7337330294391, 239.65082064160254, False, 3.9983485719354388e-274),
        (1000000.0, 980000.0, False, 1.8371857329071326e-90),
        (10000000.0, 9900000.0, False, 3.123539470267389e-221),
        (30000000.0, 29820000.0, False, 4.1923871150707071e-238),
        (11739.371998557588, 15599.440860343586, True, 1.0810880405166788e-229),
        (0.5, 688.0, True, 3.4491513001148361e-301),
        (1e-05, 600.0, True, 4.4102974372303966e-269),
        (8.4, 690.0, True, 1.9581122850830966e-283),
        (1000000.0, 1030000.0, True, 3.262430144876734e-194),
        (10000000.0, 10100000.0, True, 2.455322949189105e-218),
    ],
)
def test_incomplete_gamma_functions_of_other_concentrations(
    a: float, x: float, upper: bool, exact: float
) -> None:
    rule = Rule(lambda s, a, x: s.igamma(a, x, upper), (dtypes.float64,) * 2, dtypes.float64, 4)
    (found,) = rule(np.array([a]), np.array([x]))
    np.testing.assert_allclose(found, exact, rtol=2e-13 if a >= 1e7 else 3e-14)


@pytest.mark.parametrize(
    ("a", "b", "x"),
    [
        (10, 2, 1e-15), (10, 2, 1e-30), (9, 3, 1e-10), (9, 9, 1e-33), (20, 20, 1e-14),
        (100, 30, 2e-3), (1, 40, 1e-290), (300, 200, 0.12), (12, 500, 1e-25), (40, 10, 1e-6),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_small_values_of_the_incomplete_beta_function(
    a: int, b: int, x: float, dtype: DType
) -> None:
    """A sum of binomial probabilities: DLMF 8.17.5."""
    count, place = a + b - 1, dtype.type(x)
    below = Fraction(float(place))
    exact = sum(
        (
            math.comb(count, k) * below**k * (1 - below) ** (count - k)
            for k in range(a, min(count, a + 60) + 1)
        ),
        Fraction(0),
    )
    rule = Rule(lambda s, a, b, x: s.betainc(a, b, x), (dtype,) * 3, dtype, 4)
    (found,) = rule(*[np.array([operand], dtype) for operand in (a, b, place)])
    if exact < np.finfo(dtype).tiny:
        assert found <= np.finfo(dtype).tiny
    else:
        rtol = 2e-13 if dtype == dtypes.float64 else 1.2e-7
        np.testing.assert_allclose(found, float(exact), rtol=rtol)


@pytest.mark.parametrize("name", ["igamma", "igammac", "betainc"])
def test_an_incomplete_function_does_not_depend_on_its_neighbours(name: str) -> None:
    """Lanes that are done wait for those that take thousands of steps, unchanged."""
    generator = np.random.default_rng(11)
    a, b = np.exp(generator.uniform(np.log(1e-2), np.log(1e6), (2, 256)))
    spread = 1.0 + generator.standard_normal(256) / np.sqrt(a)
    x = np.abs(a * spread)
    operands = [a, b, x / (x + b)] if name == "betainc" else [a, x]

    def emit(s: Scalars, first: Register, *others: Register) -> Register:
        if name == "betainc":
            return s.betainc(first, *others)
        return s.igamma(first, others[0], name == "igammac")

    kinds = (dtypes.float64,) * len(operands)
    alone, *others = [Rule(emit, kinds, dtypes.float64, lanes)(*operands) for lanes in (1, 8, 32)]
    for other in others:
        assert other.tobytes() == alone.tobytes()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_probability_is_never_above_one(dtype: DType) -> None:
    tiny = 10.0 ** np.linspace(-300 if dtype == dtypes.float64 else -36, -8, 400)
    a, one = tiny.astype(dtype), np.ones(400, dtype)
    below = np.linspace(1e-5, 0.99, 400).astype(dtype)
    gamma = Rule(lambda s, a, x: s.igamma(a, x, False), (dtype,) * 2, dtype, 8)
    beta = Rule(lambda s, a, b, x: s.betainc(a, b, x), (dtype,) * 3, dtype, 8)
    for found in (gamma(a, below), beta(a, one, below), beta(a, 3 * one, below)):
        assert (found <= 1.0).all()
        np.testing.assert_allclose(found, 1.0, rtol=5e-7)
    found = beta(one, a, below)
    assert (found >= 0.0).all()
