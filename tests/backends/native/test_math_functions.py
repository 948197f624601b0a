"""The elementary functions: errors in units in the last place, and the same bits in any vector.

Special values are compared with NumPy's in test_scalars.py; every float32 is measured by
tests/benchmarks/accuracy.py, of which this is a sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from staticgraph.backends.native import targets
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
