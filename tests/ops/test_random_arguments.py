"""Arguments of random functions: words of other libraries, and what only a run finds wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from scipy import stats

import staticgraph as sg
from staticgraph.ops.random.arguments import names_told
from tests.ops.refusing import refused

Backend = Literal["native", "reference"]
BACKENDS: tuple[Backend, ...] = ("native", "reference")

random: Any = sg.random
initializers: Any = sg.initializers

_NORMAL = "  it takes shape, mean, stddev, dtype, name\n"
_SEED = "  seeds are the session's: sg.Session(seed=1)\n"


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda: random.normal(size=3),
         "normal: there is no argument size\n"
         "  what is called size elsewhere is shape here\n" + _NORMAL),
        (lambda: random.normal(3, loc=1.0, scale=2.0),
         "normal: there is no argument loc\n"
         "  what is called loc elsewhere is mean here\n"
         "  what is called scale elsewhere is stddev here\n" + _NORMAL),
        (lambda: random.normal(3, colour=1.0), "normal: there is no argument colour\n" + _NORMAL),
        (lambda: random.normal(3, seed=1), "normal: there is no argument seed\n" + _SEED + _NORMAL),
        (lambda: random.normal(3, 0.0, 1.0, "float32", "name"),
         "normal: too many positional arguments\n" + _NORMAL),
        (lambda: random.laplace(3, mean=1.0),
         "laplace: there is no argument mean\n"
         "  what is called mean elsewhere is loc here\n"
         "  it takes shape, loc, scale, dtype, name\n"),
        (lambda: random.uniform(3, minval=1.0, maxval=2.0),
         "uniform: there is no argument minval\n"
         "  what is called minval elsewhere is low here\n"
         "  what is called maxval elsewhere is high here\n"
         "  it takes shape, low, high, dtype, name\n"),
        (lambda: random.integers(0, 5),
         "integers: missing a required argument: 'high'\n"
         "  it takes shape, low, high, dtype, name\n"),
        (lambda: random.integers(3, 0, 5, endpoint=True),
         "integers: there is no argument endpoint\n"
         "  high is never drawn: give high + 1\n"
         "  it takes shape, low, high, dtype, name\n"),
        (lambda: random.poisson(lam=3.0),
         "poisson: there is no argument lam\n"
         "  what is called lam elsewhere is rate here\n"
         "  it takes rate, shape, dtype, name\n"),
        (lambda: random.gamma(shape=3.0),
         "gamma: missing a required argument: 'concentration'\n"
         "  what is called shape elsewhere is concentration here\n"
         "  it takes concentration, scale, shape, dtype, name\n"),
        (lambda: random.choice(5, size=3),
         "choice: there is no argument size\n"
         "  what is called size elsewhere is shape here\n"
         "  it takes a, shape, replace, p, axis, name\n"),
        (lambda: initializers.random_normal(seed=1),
         "random_normal: there is no argument seed\n" + _SEED + "  it takes mean, stddev\n"),
    ],
)  # fmt: skip
def test_words_of_other_libraries(call: Callable[[], Any], wanted: str) -> None:
    assert refused(call, TypeError) == wanted + "  at <line>"


def test_every_random_function_knows_the_words() -> None:
    for name in sg.random.__all__:
        with pytest.raises(TypeError, match=rf"^{name}: there is no argument rng\n  seeds are the"):
            getattr(random, name)(rng=1)


def test_errors_from_inside_stay_what_they_are() -> None:
    @names_told
    def draw(shape: Any) -> Any:
        raise TypeError("not today")

    with pytest.raises(TypeError, match=r"^not today$"):
        draw(3)
    assert draw.__name__ == "draw"


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [(np.float32, "float32"), (float, "float64"), (np.dtype("float64"), "float64")],
)
def test_dtypes_in_any_spelling(dtype: Any, wanted: str) -> None:
    for draw in (random.normal(3, dtype=dtype), random.gamma(2.0, dtype=dtype)):
        assert draw.dtype == wanted
    assert random.integers(3, 0, 5, dtype=int).dtype == random.poisson(1.0, dtype=np.int64).dtype


# -- integers of 64 bits ----------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("dtype", "bound", "fed", "said"),
    [
        ("int64", "high", np.uint64(2**63 + 1),
         "high 9223372036854775809 is not between -9223372036854775808 and 9223372036854775808"),
        ("uint64", "low", np.int64(-1), "low -1 is not between 0 and 18446744073709551616"),
        ("uint8", "high", np.int64(257), "high 257 is not between 0 and 256"),
    ],
)  # fmt: skip
def test_bounds_that_the_dtype_does_not_hold(
    dtype: str, bound: str, fed: Any, said: str, backend: Backend
) -> None:
    given = sg.placeholder(fed.dtype, (), name="given")
    low, high = (given, 5) if bound == "low" else (1, given)
    draw = random.integers((4,), low, high, dtype)

    def call() -> None:
        sg.Session(backend=backend).run(draw, {given: fed})

    told = refused(call, sg.RunError)
    assert told.splitlines()[0] == f"integers: {said}"
    assert told.splitlines()[-1] == "  created at <line>"


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_largest_bounds_that_fit(backend: Backend) -> None:
    high = sg.placeholder("uint64", (), name="high")
    least = np.uint64(2**63 - 2)
    draw = random.integers((50,), least, high, "int64")
    found = sg.Session(backend=backend, seed=1).run(draw, {high: 2**63})
    assert set(found.tolist()) == {2**63 - 2, 2**63 - 1}


# -- bounds of truncated normal numbers ---------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_truncated_between_tensors(backend: Backend) -> None:
    low = sg.placeholder("float64", (3, 1), name="low")
    high = sg.placeholder("float64", (3, 1), name="high")
    draw = random.truncated_normal((3, 4000), low=low, high=high)
    ends = [(-1.0, 0.5), (3.0, np.inf), (-9.0, -8.5)]
    fed = {low: [[a] for a, _ in ends], high: [[b] for _, b in ends]}
    found = sg.Session(backend=backend, seed=3).run(draw, fed)
    for row, (a, b) in zip(found, ends, strict=True):
        assert row.min() >= a and row.max() <= b
        assert stats.kstest(row, stats.truncnorm(a, b).cdf).pvalue > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (40.0, 41.0), (np.nan, 1.0)])
def test_bounds_that_a_run_refuses(low: float, high: float, backend: Backend) -> None:
    given = [sg.placeholder("float64", (), name=name) for name in ("low", "high")]
    draw = random.truncated_normal((2,), low=given[0], high=given[1])

    def call() -> None:
        sg.Session(backend=backend).run(draw, dict(zip(given, (low, high), strict=True)))

    told = refused(call, sg.RunError).splitlines()
    assert told[0].startswith("truncated_normal: share between low and high: ")
    assert told[0].endswith(" is not above 0 and finite")


def test_numbers_and_tensors_of_the_same_bounds_draw_the_same() -> None:
    session = sg.Session(seed=5)
    low = sg.placeholder("float64", (), name="low")
    with sg.Graph().as_default():
        one = sg.Session(seed=5).run(random.truncated_normal((9,), low=0.5, dtype="float64"))
    other = session.run(random.truncated_normal((9,), low=low, dtype="float64"), {low: 0.5})
    np.testing.assert_allclose(one, other, rtol=1e-13)


# -- choices and shapes that a run refuses ------------------------------------------------------


def _told(backend: Backend, build: Callable[..., Any], *values: Any) -> list[str]:
    """The lines of the error of a run that is fed these values."""
    arrays = [np.asarray(value) for value in values]
    fed = [
        sg.placeholder(array.dtype, (None,) * array.ndim, name=name)
        for array, name in zip(arrays, "abc", strict=False)
    ]
    made = build(*fed)

    def call() -> None:
        sg.Session(backend=backend).run(made, dict(zip(fed, arrays, strict=True)))

    return refused(call, sg.StaticGraphError).splitlines()


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_are_wanted_than_there_are(backend: Backend) -> None:
    def build(a: Any, n: Any) -> Any:
        return random.choice(a, (n, 2), replace=False)

    assert _told(backend, build, [1.0, 2.0, 3.0], 2) == [
        "choice: 4 of 3 entries are wanted without replacement",
        "  give replace=True, or a smaller shape",
        "  created at <line>",
    ]


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 3.0, 4.0]])
@pytest.mark.parametrize("backend", BACKENDS)
def test_not_one_weight_per_entry(backend: Backend, weights: Any, replace: bool) -> None:
    def build(a: Any, p: Any) -> Any:
        return random.choice(a, (1,), replace, p)

    assert _told(backend, build, [1.0, 2.0, 3.0], weights) == [
        f"choice: there are 3 entries and {len(weights)} weights in this run",
        "  p 'b'  float64[?]  feed at <line>",
        "  give a vector with one weight per entry",
        "  created at <line>",
    ]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("build", "called"),
    [
        (lambda n: random.uniform((2, n)), "uniform (in its random_unit)"),
        (lambda n: random.normal((2, n)), "normal (in its random_normal)"),
        (lambda n: random.gamma(1.0, shape=(2, n)), "gamma (in its broadcast_to)"),
        (lambda n: sg.zeros((2, n)), "zeros (in its broadcast_to)"),
    ],
)
def test_a_size_below_0(build: Callable[..., Any], called: str, backend: Backend) -> None:
    told = _told(backend, build, -4)
    assert told[0] == f"{called}: the shape [2, -4] has a size below 0"
    assert told[-1] == "  created at <line>"
