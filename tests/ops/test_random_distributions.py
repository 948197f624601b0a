"""Distributions: draws of fixed seeds against SciPy's, so these tests never fail by chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import staticgraph as sg

Array = np.ndarray[Any, Any]
Make = Callable[[], sg.Tensor]
COUNT = 100_000
random = sg.random


def draw(tensor: sg.Tensor, seed: int = 3) -> Any:
    return sg.Session(seed=seed).run(tensor)


CONTINUOUS: dict[str, tuple[Make, Any]] = {
    "uniform": (lambda: random.uniform(COUNT, -2.0, 3.0, "float64"), stats.uniform(-2, 5)),
    "normal": (lambda: random.normal(COUNT, 1.5, 2.0, "float64"), stats.norm(1.5, 2)),
    "lognormal": (lambda: random.lognormal(COUNT, 0.5, 0.3), stats.lognorm(0.3, 0, math.exp(0.5))),
    "truncated": (lambda: random.truncated_normal(COUNT), stats.truncnorm(-2, 2)),
    "one side": (
        lambda: random.truncated_normal(COUNT, low=-0.5, high=math.inf),
        stats.truncnorm(-0.5, math.inf),
    ),
    "far out": (
        lambda: random.truncated_normal(COUNT, low=9.0, high=10.0, dtype="float64"),
        stats.truncnorm(9, 10),
    ),
    "exponential": (lambda: random.exponential(COUNT, 3.0), stats.expon(0, 3)),
    "laplace": (lambda: random.laplace(COUNT, 1.0, 2.0), stats.laplace(1, 2)),
    "gumbel": (lambda: random.gumbel(COUNT, 1.0, 2.0), stats.gumbel_r(1, 2)),
    "logistic": (lambda: random.logistic(COUNT, 1.0, 2.0), stats.logistic(1, 2)),
    "cauchy": (lambda: random.cauchy(COUNT, 1.0, 2.0), stats.cauchy(1, 2)),
    "rayleigh": (lambda: random.rayleigh(COUNT, 2.0), stats.rayleigh(0, 2)),
    "weibull": (lambda: random.weibull(1.5, 2.0, COUNT), stats.weibull_min(1.5, 0, 2)),
    "pareto": (lambda: random.pareto(2.5, 2.0, COUNT), stats.pareto(2.5, 0, 2)),
    "small gamma": (lambda: random.gamma(0.3, 2.0, COUNT, "float64"), stats.gamma(0.3, 0, 2)),
    "gamma": (lambda: random.gamma(2.5, 2.0, COUNT), stats.gamma(2.5, 0, 2)),
    "large gamma": (lambda: random.gamma(1e6, shape=COUNT, dtype="float64"), stats.gamma(1e6)),
    "chi_square": (lambda: random.chi_square(3.0, COUNT), stats.chi2(3)),
    "student_t": (lambda: random.student_t(2.5, COUNT, "float64"), stats.t(2.5)),
    "beta": (lambda: random.beta(0.5, 1.7, COUNT, "float64"), stats.beta(0.5, 1.7)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str) -> None:
    make, distribution = CONTINUOUS[name]
    values = draw(make()).astype(np.float64)
    assert stats.kstest(values, distribution.cdf).pvalue > 0.01
    # Moments of what is uniform if the distribution is right, tails included.
    uniform = distribution.cdf(values)
    assert abs(uniform.mean() - 0.5) < 4 * math.sqrt(1 / 12 / COUNT)
    assert uniform.var() == pytest.approx(1 / 12, rel=0.02)


DISCRETE: dict[str, tuple[Make, Any]] = {
    "integers": (lambda: random.integers(COUNT, -3, 4, "int8"), stats.randint(-3, 4)),
    "poisson 0": (lambda: random.poisson(0.0, COUNT), stats.poisson(0)),
    "poisson 0.1": (lambda: random.poisson(0.1, COUNT), stats.poisson(0.1)),
    "poisson 4": (lambda: random.poisson(4.0, COUNT), stats.poisson(4)),
    "poisson 10": (lambda: random.poisson(10.0, COUNT), stats.poisson(10)),
    "poisson 1000": (lambda: random.poisson(1000.0, COUNT), stats.poisson(1000)),
    "poisson 1e9": (lambda: random.poisson(1e9, COUNT), stats.poisson(1e9)),
    "binomial 1": (lambda: random.binomial(1, 0.3, COUNT), stats.binom(1, 0.3)),
    "binomial 30": (lambda: random.binomial(30, 0.9, COUNT), stats.binom(30, 0.9)),
    "binomial 50": (lambda: random.binomial(50, 0.4, COUNT), stats.binom(50, 0.4)),
    "binomial 1e6": (lambda: random.binomial(10**6, 0.7, COUNT), stats.binom(10**6, 0.7)),
    "geometric": (lambda: random.geometric(0.2, COUNT), stats.geom(0.2)),
    "negative": (lambda: random.negative_binomial(2.5, 0.3, COUNT), stats.nbinom(2.5, 0.3)),
    "multinomial": (
        lambda: random.multinomial(40, [1.0, 0.0, 2.0, 5.0], (COUNT,))[:, 2],
        stats.binom(40, 0.25),
    ),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name: str) -> None:
    make, distribution = DISCRETE[name]
    values = draw(make()).astype(np.int64)
    edges = np.unique(distribution.ppf(np.linspace(0.002, 0.998, 60)))
    below = np.concatenate([[0.0], distribution.cdf(edges), [1.0]])
    counts = np.bincount(np.searchsorted(edges, values), minlength=edges.size + 1)
    wanted = np.diff(below) * COUNT
    assert counts[wanted == 0].sum() == 0
    seen = wanted > 0
    if seen.sum() > 1:
        assert stats.chisquare(counts[seen], wanted[seen], sum_check=False).pvalue > 0.01


def test_bernoulli_of_a_small_chance() -> None:
    chance = 1e-4
    values = draw(random.bernoulli(np.float32(chance), (1_000_000,)))
    assert values.dtype == bool
    assert abs(values.mean() - chance) < 4 * math.sqrt(chance / values.size)


def test_integers_of_every_dtype_reach_both_ends() -> None:
    for dtype in ("int8", "uint8", "int16", "uint16", "int64"):
        limits = np.iinfo(dtype)
        low, high = max(limits.min, -(2**63)), min(limits.max, 2**63 - 2)
        values = draw(random.integers((200_000,), low, high + 1, dtype))
        assert values.dtype == dtype
        size = float(high) - float(low)
        assert (values.astype(float).min() - low) / size < 1e-3
        assert (high - values.astype(float).max()) / size < 1e-3
    wide = random.integers((1000,), np.uint64(2**63), np.uint64(2**64 - 1), "uint64")
    assert draw(wide).min() >= 2**63


def test_a_dirichlet_number_is_one_of_its_distribution() -> None:
    power = np.array([0.5, 1.0, 3.0])
    shares = draw(random.dirichlet(power, (COUNT,), "float64"))
    np.testing.assert_allclose(shares.sum(-1), 1.0)
    for axis, value in enumerate(power):
        marginal = stats.beta(value, power.sum() - value)
        assert stats.kstest(shares[:, axis], marginal.cdf).pvalue > 0.01


def test_categories() -> None:
    logits = np.array([[0.0, math.log(2.0), -math.inf, math.log(3.0)], [5.0, 5.0, 5.0, 5.0]])
    values = draw(random.categorical(logits, COUNT, "int32"))
    assert values.shape == (2, COUNT)
    assert values.dtype == np.int32
    for row, logit in zip(values, logits, strict=True):
        wanted = special.softmax(logit) * COUNT
        counts = np.bincount(row, minlength=4)
        assert counts[wanted == 0].sum() == 0
        assert stats.chisquare(counts[wanted > 0], wanted[wanted > 0]).pvalue > 0.01


def test_multinomial_counts_add_up() -> None:
    weights = np.array([[0.2, 0.0, 0.8], [1.0, 0.0, 0.0], [0.0, 3.0, 3.0]])
    counts = sg.placeholder("int64", (None, 1))
    node = random.multinomial(counts, weights, dtype="int32")
    for backend in ("native", "reference"):
        values = sg.Session(seed=2, backend=backend).run(node, {counts: [[0], [7], [10**6]]})
        assert values.dtype == np.int32
        assert values.shape == (3, 3, 3)
        np.testing.assert_array_equal(values.sum(-1), [[0] * 3, [7] * 3, [10**6] * 3])
        assert (values[:, weights == 0] == 0).all()
        assert abs(values[2, 0, 2] - 8e5) < 4 * 400
    pairs = draw(random.multinomial(10, [0.3, 0.3, 0.4], (COUNT,)))
    # Counts of two categories take from each other: their covariance is -n p q.
    assert np.cov(pairs[:, 0], pairs[:, 1])[0, 1] == pytest.approx(-10 * 0.3 * 0.3, rel=0.03)


def test_choice_by_weight_without_replacement() -> None:
    """The probability of an ordered pair is ``p[i] * p[j] / (1 - p[i])``."""
    weights = np.array([1.0, 2.0, 0.0, 5.0]) / 8
    node, session = random.choice(4, (2,), replace=False, p=weights), sg.Session(seed=8)
    pairs = np.array([session.run(node) for _ in range(4000)])
    assert (pairs != 2).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    counts, wanted = [], []
    for first in (0, 1, 3):
        for second in (0, 1, 3):
            if first != second:
                counts.append(np.sum((pairs == [first, second]).all(1)))
                wanted.append(4000 * weights[first] * weights[second] / (1 - weights[first]))
    assert stats.chisquare(counts, wanted).pvalue > 0.01


def test_choice_of_entries() -> None:
    x = np.arange(12.0).reshape(3, 4)
    rows = draw(random.choice(x, (500,)))
    assert {tuple(row) for row in rows.tolist()} == {tuple(row) for row in x.tolist()}
    columns = draw(random.choice(x, (2, 2), replace=False, axis=1))
    assert columns.shape == (3, 2, 2)
    assert sorted(columns[0].ravel().tolist()) == [0.0, 1.0, 2.0, 3.0]
    assert draw(random.choice(5)).shape == ()


# -- tails ------------------------------------------------------------------------------------


def test_uniform_never_returns_its_upper_bound() -> None:
    # Between 1 and its neighbour float32 has no number: every second draw would round up.
    above = np.nextafter(np.float32(1), np.float32(2))
    values = draw(random.uniform((1000,), np.float32(1), above))
    np.testing.assert_array_equal(values, np.ones(1000, np.float32))
    values = draw(random.uniform((10_000_000,)))
    assert values.max() == 1 - 2.0**-24
    assert values.min() == 0.0


def test_tails_of_the_normal_distribution() -> None:
    """The tails are as heavy as they should be, as far as a test can see: beyond 5 deviations."""
    values = draw(random.normal((20_000_000,)))
    assert np.isfinite(values).all()
    for bound in (3.0, 4.0, 5.0):
        wanted = values.size * math.erfc(bound / math.sqrt(2.0))
        assert abs(np.count_nonzero(abs(values) > bound) - wanted) < 4 * math.sqrt(wanted)
    # What a word of zeros makes: the largest number there is.
    assert math.sqrt(-2 * math.log(2.0**-32)) == pytest.approx(6.66, abs=0.01)
    assert math.sqrt(-2 * math.log(2.0**-64)) == pytest.approx(9.42, abs=0.01)


# -- parameters -------------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[sg.Tensor], sg.Tensor], list[float], str]] = {
    "gamma": (random.gamma, [1.0, 0.0], "gamma: concentration 0 at [1] is not above 0 and finite"),
    "beta": (lambda x: random.beta(1.0, x), [2.0, math.nan], "b nan at [1] is not above 0"),
    "poisson": (random.poisson, [-1.0, 0.0], "poisson: rate -1 at [0] is not"),
    "binomial": (lambda x: random.binomial(9, x), [0.0, 1.5], "p 1.5 at [1] is not between 0"),
    "bernoulli": (random.bernoulli, [0.5, math.nan], "p nan at [1] is not between 0 and 1"),
    "geometric": (random.geometric, [0.5, 0.0], "p 0 at [1] is not above 0 and up to 1"),
    "choice": (lambda x: random.choice(2, 3, p=x), [-1.0, 1.0], "p -1 at [0] is below 0"),
    "choice of none": (
        lambda x: random.choice(2, 2, False, x), [0.0, 1.0], "choice: weight 0 at [1] is not",
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters_end_the_run(name: str, backend: Any) -> None:
    make, values, message = WRONG[name]
    parameter = sg.placeholder("float64", (2,))
    node = make(parameter)
    with pytest.raises(sg.RunError) as caught:
        sg.Session(seed=0, backend=backend).run(node, {parameter: values})
    assert message in str(caught.value)


SCALES: dict[str, tuple[Callable[[Any], sg.Tensor], str]] = {
    "normal": (lambda x: random.normal(2, stddev=x), "stddev"),
    "lognormal": (lambda x: random.lognormal((3, 2), 1.0, x), "stddev"),
    "truncated_normal": (lambda x: random.truncated_normal(2, stddev=x), "stddev"),
    "exponential": (lambda x: random.exponential(2, x, "float32"), "scale"),
    "laplace": (lambda x: random.laplace(scale=x), "scale"),
    "gumbel": (lambda x: random.gumbel(2, 1.0, x), "scale"),
    "logistic": (lambda x: random.logistic(2, 1.0, x), "scale"),
    "cauchy": (lambda x: random.cauchy(2, 1.0, x), "scale"),
    "rayleigh": (lambda x: random.rayleigh(2, x), "scale"),
    "weibull": (lambda x: random.weibull(1.5, x), "scale"),
    "pareto": (lambda x: random.pareto(1.5, x), "scale"),
}


@pytest.mark.parametrize("name", SCALES)
def test_a_scale_that_makes_no_sense_is_refused(name: str) -> None:
    make, what = SCALES[name]
    problem = f"{what} -2 at \\[1\\] is below 0 or not finite"
    for known in ([1, -2], [1.0, -2.0], np.array([1.0, -2.0]), sg.constant([1, -2])):
        with pytest.raises(sg.ShapeError, match=f"^{name}: {problem}"):
            make(known)
    with pytest.raises(sg.ShapeError, match=f"^{name}: {what} inf is below 0 or not finite"):
        make(math.inf)
    parameter = sg.placeholder("float32", (2,))
    node = make(parameter)
    session = sg.Session(seed=0)
    assert np.all(np.isfinite(session.run(node, {parameter: [1.0, 0.0]})))
    with pytest.raises(sg.RunError, match=f"{name}: {problem}"):
        session.run(node, {parameter: [1.0, -2.0]})


@pytest.mark.parametrize("make", [random.weibull, random.pareto])
def test_a_concentration_of_nothing_is_refused(make: Any) -> None:
    with pytest.raises(sg.ShapeError, match="concentration 0 is not above 0 and finite"):
        make(0.0)


def test_known_parameters_cost_the_run_nothing() -> None:
    function = sg.optimize([random.normal(3), random.normal(3, 1.0, [1.0, 2.0, 3.0])])
    assert function.count("random_domain") == 0


def test_integers_that_the_dtype_does_not_hold_are_refused() -> None:
    for low, high in ((0, 300), (-129, 5), (np.int64(0), 129), (sg.constant(0), [5, 300])):
        with pytest.raises(sg.ShapeError, match=r"^integers: int8 holds -128 to 127, not "):
            random.integers((2,), low, high, "int8")
    with pytest.raises(sg.ShapeError, match="uint8 holds 0 to 255, not -1\n  give low and high "):
        random.integers(3, -1, 5, "uint8")
    with pytest.raises(sg.ShapeError, match="uint64 holds 0 to 18446744073709551615, not -1"):
        random.integers(3, -1, 5, "uint64")
    for low, high in ((0, 129), (128, 129)):
        with pytest.raises(sg.ShapeError, match=r"^integers: int8 holds -128 to 127, not 128\n"):
            random.integers((2,), low, high, "int8")
    # The bound itself is not drawn.
    for dtype, low, high in (("int8", -128, 128), ("uint8", 0, 256), ("uint32", 2**32 - 1, 2**32)):
        values = draw(random.integers(1000, low, high, dtype))
        assert values.dtype == dtype
        assert (values.min(), values.max()) == (low, high - 1)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_integers_beyond_the_dtype_end_the_run(backend: Any) -> None:
    low, high = sg.placeholder("int64", ()), sg.placeholder("int64", (2,))
    node = random.integers(None, low, high, "int8")
    session = sg.Session(seed=0, backend=backend)
    assert session.run(node, {low: 127, high: [128, 128]}).tolist() == [127, 127]
    with pytest.raises(
        sg.RunError, match="integers: high 300 at \\[1\\] is not between -128 and 128"
    ):
        session.run(node, {low: 0, high: [5, 300]})
    with pytest.raises(sg.RunError, match="integers: low -129 is not between -128 and 128"):
        session.run(node, {low: -129, high: [5, 6]})


UNIFORM = {
    "infinite": (-math.inf, 1.0, r"low -inf is not finite\n  give finite bounds"),
    "no number": (0.0, math.nan, r"high nan is not finite\n  give finite bounds"),
    "too wide": (-3e38, 3e38, r"from low -3e\+38 to high 3e\+38 is further than float32 goes\n"),
}


@pytest.mark.parametrize("name", UNIFORM)
def test_bounds_that_make_no_sense_are_refused(name: str) -> None:
    low, high, problem = UNIFORM[name]
    with pytest.raises(sg.ShapeError, match=f"^uniform: {problem}"):
        random.uniform((2,), low, high)
    first, last = sg.placeholder("float32", ()), sg.placeholder("float32", ())
    node, session = random.uniform((2,), first, last), sg.Session(seed=0)
    with pytest.raises(sg.RunError, match=r"uniform: high - low (nan|inf) is below 0 or not"):
        session.run(node, {first: low, last: high})


def test_bounds_in_the_wrong_order_end_the_run() -> None:
    first = sg.placeholder("float32", (2,))
    node, session = random.uniform((2,), first, 1.0), sg.Session(seed=0)
    assert session.run(node, {first: [1.0, 1.0]}).tolist() == [1.0, 1.0]
    with pytest.raises(sg.RunError, match=r"uniform: high - low -1 at \[1\] is below 0"):
        session.run(node, {first: [1.0, 2.0]})


WEIGHTLESS: dict[str, Callable[[Any], sg.Tensor]] = {
    "multinomial": lambda p: random.multinomial(3, p),
    "choice": lambda p: random.choice(2, p=p),
}


@pytest.mark.parametrize("name", WEIGHTLESS)
def test_weights_of_nothing_are_refused(name: str) -> None:
    make = WEIGHTLESS[name]
    with pytest.raises(sg.ShapeError, match=f"^{name}: sum of weights 0 is not above 0"):
        make([0.0, 0.0])
    weights = sg.placeholder("float64", (2,))
    with pytest.raises(sg.RunError, match=f"^{name}: sum of weights 0 .*is not above 0"):
        sg.Session(seed=0).run(make(weights), {weights: [0.0, 0.0]})


def test_logits_that_leave_no_category_are_refused() -> None:
    for logits in ([-math.inf, -math.inf], [0.0, math.nan], [math.inf, 0.0]):
        with pytest.raises(sg.ShapeError, match=r"^categorical: no category is left of the"):
            random.categorical(logits)
        given = sg.placeholder("float64", (2,))
        with pytest.raises(sg.RunError, match=r"categorical: sum of weights nan .*is not above 0"):
            sg.Session(seed=0).run(random.categorical(given), {given: logits})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_draws_of_half_precision_are_refused_with_the_way_out(dtype: str) -> None:
    message = (
        f"^normal: draws no {dtype}\n  draw float32 and convert: sg.cast\\(draw, '{dtype}'\\)\n"
    )
    with pytest.raises(sg.DTypeError, match=message):
        random.normal((2,), dtype=dtype)
    with pytest.raises(sg.DTypeError, match=message):
        random.normal((2,), sg.placeholder(dtype, ()))
    assert draw(sg.cast(random.normal((2,)), dtype)).dtype.name == dtype


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_no_integers_end_the_run(backend: Any) -> None:
    high = sg.placeholder("int64", ())
    node = random.integers((3,), 5, high)
    with pytest.raises(sg.RunError, match="integers: there is none from 5 up to 5"):
        sg.Session(backend=backend).run(node, {high: 5})


def test_discrete_draws_have_no_derivative() -> None:
    rate = sg.placeholder("float64", (3,), name="rate")
    with pytest.raises(sg.GradientError, match="lies between and has no derivative"):
        sg.gradients(sg.sum(random.poisson(rate) * 2.0), rate)
