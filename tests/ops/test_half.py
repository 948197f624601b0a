"""Half precision: float16 and bfloat16 are stored, and computed with in float32."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import dtypes
from staticgraph.core.text import parse

HALF = ("float16", "bfloat16")
BACKENDS = ("reference", "native")
Array = np.ndarray[Any, Any]


def every(dtype: str) -> Array:
    """All 65,536 elements of a dtype."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.dtype(dtype))


def between(dtype: str) -> Array:
    """Floats at, beside and half way between the elements of a dtype, and others."""
    exact = every(dtype).astype(np.float32)
    words = np.random.default_rng(0).integers(0, 1 << 32, 100_000, dtype=np.uint32)
    with np.errstate(all="ignore"):
        middle = exact / 2 + np.nextafter(every(dtype), np.dtype(dtype).type(4)).astype("f4") / 2
        beside = [np.nextafter(v, np.float32(s)) for v in (exact, middle) for s in (-9, 9)]
    return np.concatenate([exact, middle, *beside, words.view(np.float32)])


def assert_same(have: Array, want: Array) -> None:
    """Equal bits; a NaN is a NaN."""
    assert have.dtype == want.dtype
    # NaN alone differs from itself; float16 has no isnan that takes a signaling one in silence.
    numbers = want == want
    np.testing.assert_array_equal(have == have, numbers)
    word = np.dtype(f"u{have.dtype.itemsize}")
    np.testing.assert_array_equal(have[numbers].view(word), want[numbers].view(word))


def converted(values: Array, dtype: str, backend: Any) -> Array:
    with sg.Graph().as_default():
        x = sg.placeholder(values.dtype, (None,))
        result: Array = sg.Session(backend=backend).run(sg.cast(x, dtype), {x: values})
    return result


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("wide", ["float32", "float64", "bool", "complex64"])
def test_every_element_is_widened_exactly(dtype: str, wide: str, backend: str) -> None:
    values = every(dtype)
    with np.errstate(all="ignore"):
        want = values.astype(np.float32).astype(wide)
    have = converted(values, wide, backend)
    if wide == "complex64":
        have, want = have.real, want.real
    if wide == "bool":
        np.testing.assert_array_equal(have, want)
    else:
        assert_same(have, want)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("wide", ["float32", "float64"])
def test_floats_are_rounded_to_the_nearest_ties_to_even(
    dtype: str, wide: str, backend: str
) -> None:
    with np.errstate(all="ignore"):
        values = between(dtype).astype(wide)
    if wide == "float64":
        with np.errstate(all="ignore"):
            values = np.concatenate([values, np.nextafter(values, 9.0), np.nextafter(values, -9.0)])
    with np.errstate(all="ignore"):
        want = values.astype(dtype)
    assert_same(converted(values, dtype, backend), want)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("whole", ["int8", "uint8", "int32", "int64", "uint64", "bool"])
def test_integers_become_half_and_back(dtype: str, whole: str, backend: str) -> None:
    values = np.arange(-70_000, 70_000, 7).astype(whole)
    with np.errstate(all="ignore"):
        half = values.astype(dtype)
    assert_same(converted(values, dtype, backend), half)
    if whole in ("int32", "int64"):
        small = half[np.isfinite(half.astype(np.float32))]
        back = converted(small, whole, backend)
        np.testing.assert_array_equal(back, small.astype(np.float32).astype(whole))


CALLS: dict[str, tuple[Any, Any]] = {
    # In float32, rounded once: what NumPy does with float16.
    "sum of two": (lambda x, y: x + y, lambda x, y: x + y),
    "with a number": (lambda x, y: 2.5 * x - 1, lambda x, y: (2.5 * x, -1)),
    "exp": (lambda x, y: sg.exp(x), lambda x, y: np.exp(x)),
    "sum": (lambda x, y: sg.sum(x, axis=0), lambda x, y: x.sum(0)),
    "mean": (lambda x, y: sg.mean(x), lambda x, y: x.mean()),
    "max": (lambda x, y: sg.max(x, axis=1), lambda x, y: x.max(1)),
    "product": (lambda x, y: x @ sg.matrix_transpose(y), lambda x, y: x @ y.T),
    "einsum": (lambda x, y: sg.einsum("ij,kj->ik", x, y), lambda x, y: x @ y.T),
    "sort": (lambda x, y: sg.sort(x, axis=1), lambda x, y: np.sort(x, 1)),
    "round": (lambda x, y: sg.round(x * 8), lambda x, y: None),
    "running sums": (lambda x, y: sg.cumulative_sum(x, axis=1), lambda x, y: x.cumsum(1)),
    "softmax": (lambda x, y: sg.nn.softmax(x), lambda x, y: None),
    "norm": (lambda x, y: sg.linalg.vector_norm(x), lambda x, y: np.sqrt((x * x).sum())),
    "loop": (lambda x, y: sg.fori_loop(0, 3, lambda i, v: v * 0.5 + y, x), lambda x, y: None),
}
MOVES: dict[str, tuple[Any, Any]] = {
    "where": (lambda x, y: sg.where(x > y, x, y), lambda x, y: np.where(x > y, x, y)),
    "slice": (lambda x, y: x[1:3, ::-1], lambda x, y: x[1:3, ::-1]),
    "concat": (lambda x, y: sg.concat([x, y], axis=1), lambda x, y: np.concatenate([x, y], 1)),
    "take": (lambda x, y: sg.take(x, [2, 0], axis=0), lambda x, y: x[[2, 0]]),
    "pad": (lambda x, y: sg.pad(x, ((1, 0), (0, 2))), lambda x, y: np.pad(x, ((1, 0), (0, 2)))),
    "transpose": (lambda x, y: sg.matrix_transpose(x), lambda x, y: x.T),
    "negative": (lambda x, y: abs(-x), lambda x, y: abs(-x)),
    "constant": (lambda x, y: sg.zeros((2,), x.dtype) + 1, lambda x, y: np.ones(2, x.dtype)),
    "branch": (lambda x, y: sg.cond(x[0, 0] > 9, lambda: x, lambda: y), lambda x, y: y),
}


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("call", [*CALLS, *MOVES])
def test_ops_keep_the_dtype_and_compute_in_float32(dtype: str, call: str) -> None:
    build, meaning = (CALLS | MOVES)[call]
    numbers = np.random.default_rng(1)
    arrays = [numbers.standard_normal((4, 5)).astype(dtype) for _ in range(2)]
    with sg.Graph().as_default():
        feeds = [sg.placeholder(dtype, shape) for shape in ((4, 5), (None, 5))]
        result = build(*feeds)
        assert result.dtype == np.dtype(dtype)
        function = sg.extract(result)
        assert parse(str(function)) == function
        given = dict(zip(feeds, arrays, strict=True))
        first, second = (sg.Session(backend=name).run(result, given) for name in BACKENDS)
    assert first.dtype == second.dtype == np.dtype(dtype)
    step = float(dtypes.limits(np.dtype(dtype)).eps)
    np.testing.assert_allclose(first.astype("f8"), second.astype("f8"), rtol=step, atol=step / 16)
    if call in MOVES:
        assert_same(np.atleast_1d(second), np.atleast_1d(meaning(*arrays)))
        return
    want = meaning(*[array.astype(np.float32) for array in arrays])
    if isinstance(want, tuple):
        product, rest = want
        want = product.astype(dtype).astype(np.float32) + rest
    if want is not None:
        np.testing.assert_allclose(
            second.astype("f8"), np.asarray(want).astype(dtype).astype("f8"), rtol=step
        )


@pytest.mark.parametrize("dtype", HALF)
def test_comparisons_and_searches(dtype: str) -> None:
    values = np.array([1.0, -0.0, 0.0, np.nan, np.inf], dtype)
    with sg.Graph().as_default():
        x = sg.placeholder(dtype, (5,))
        fetches = [sg.equal(x, x), x == 0, x < 1, sg.isnan(x), sg.isfinite(x), sg.argmax(x)]
        for backend in BACKENDS:
            same, zero, less, nan, finite, place = sg.Session(backend=backend).run(
                fetches, {x: values}
            )
            assert same.tolist() == [True, True, True, False, True]
            assert zero.tolist() == [False, True, True, False, False]
            assert less.tolist() == [False, True, True, False, False]
            assert nan.tolist() == [False, False, False, True, False]
            assert finite.tolist() == [True, True, True, False, False]
            assert place == 3


def test_promotion_is_numpys_and_bfloat16_goes_with_float16() -> None:
    wide = {"float16": "float16", "bfloat16": "bfloat16"}
    for dtype, own in wide.items():
        for other, want in {
            "bool": own, "int8": own, "uint8": own, "int16": "float32", "int32": "float64",
            "int64": "float64", "float32": "float32", "float64": "float64",
            "complex64": "complex64", dtype: own,
        }.items():  # fmt: skip
            assert dtypes.promote(np.dtype(dtype), np.dtype(other)) == np.dtype(want)
            assert dtypes.promote(np.dtype(other), np.dtype(dtype)) == np.dtype(want)
            if dtype == "float16":
                assert np.result_type(dtype, other) == np.dtype(want)
        for kind, want in ((bool, own), (int, own), (float, own), (complex, "complex64")):
            assert dtypes.promote_weak(np.dtype(dtype), kind) == np.dtype(want)
    assert dtypes.promote(dtypes.float16, dtypes.bfloat16) == dtypes.float32


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", HALF)
def test_gradients_have_the_dtype_and_descend(dtype: str, backend: Any) -> None:
    numbers = np.random.default_rng(2)
    points = numbers.standard_normal((16, 3)).astype(dtype)
    start = numbers.standard_normal(3).astype(dtype)
    with sg.Graph().as_default():
        x, w = sg.placeholder(dtype, (None, 3)), sg.Variable(start)
        loss = sg.mean(sg.tanh(x @ w) ** 2)
        (slope,) = sg.gradients(loss, w)
        (moved,) = sg.jvp([loss], [w], [sg.ones_like(w)])
        assert loss.dtype == slope.dtype == moved.dtype == np.dtype(dtype)
        train = sg.train.SGD(1.0).minimize(loss)
        with sg.Session(backend=backend) as session:
            first, have, along = session.run([loss, slope, moved], {x: points})
            for _ in range(20):
                session.run(train, {x: points})
            last, kept = session.run([loss, w], {x: points})
    wide, weights = points.astype("f8"), start.astype("f8")
    bent = np.tanh(wide @ weights)
    want = wide.T @ (2 * bent * (1 - bent**2)) / len(points)
    step = 8 * float(dtypes.limits(np.dtype(dtype)).eps)
    np.testing.assert_allclose(have.astype("f8"), want, atol=step)
    np.testing.assert_allclose(float(along), want.sum(), atol=step)
    assert kept.dtype == np.dtype(dtype)
    assert float(last) < 0.8 * float(first)


@pytest.mark.parametrize("dtype", HALF)
def test_a_cast_to_half_passes_the_gradient_back(dtype: str) -> None:
    with sg.Graph().as_default():
        x = sg.placeholder("float32", (3,))
        total = sg.sum(sg.cast(sg.cast(x, dtype) ** 2, "float32"))
        (slope,) = sg.gradients(total, x)
        assert slope.dtype == dtypes.float32
        np.testing.assert_array_equal(sg.Session().run(slope, {x: [1, 2, 3]}), [2, 4, 6])


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_overflow_on_the_way_back_is_noticed(backend: Any) -> None:
    with sg.Graph().as_default():
        x = sg.placeholder("float16", (3,), name="x")
        y = x * x
        with (
            sg.Session(backend=backend, check_numerics=True) as session,
            pytest.raises(sg.NumericsError, match="made 1 inf from finite operands"),
        ):
            session.run(y, {x: [1.0, 2.0, 300.0]})


def test_what_is_fed_and_known() -> None:
    with sg.Graph().as_default():
        x = sg.placeholder("bfloat16", (2,))
        y = x + sg.constant(np.array([1, 2], ml_dtypes.bfloat16))
        got = sg.Session().run(y, {x: np.array([0.5, 0.25], np.float64)})
    assert got.dtype == dtypes.bfloat16
    assert got.astype(float).tolist() == [1.5, 2.25]
    assert sg.finfo("bfloat16").eps == 2.0**-7
    assert sg.finfo(sg.float16).max == 65504.0
    assert sg.isdtype(sg.bfloat16, "real floating")


def test_complex_numbers_do_not_become_half() -> None:
    with sg.Graph().as_default(), pytest.raises(sg.DTypeError) as caught:
        sg.cast(sg.placeholder("complex64", (), name="z"), "float16")
    assert str(caught.value).splitlines()[0] == (
        "cast: complex64 does not become float16: the imaginary part would be lost"
    )


FACTORED = {
    "expm": lambda x: sg.linalg.expm(x),
    "pinv": lambda x: sg.linalg.pinv(x),
    "matrix_rank": lambda x: sg.linalg.matrix_rank(x),
    "lstsq": lambda x: sg.linalg.lstsq(x, x)[0],
}


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("call", list(FACTORED))
def test_functions_of_matrices(dtype: str, call: str) -> None:
    """They have constants that no half holds, or limits that follow from its precision."""
    matrix = np.array([[1.0, 0.5], [0.25, -1.0]], dtype)
    with sg.Graph().as_default():
        x = sg.placeholder(dtype, (2, 2))
        wide = FACTORED[call](sg.cast(x, "float32"))
        have, want = sg.Session().run([FACTORED[call](x), wide], {x: matrix})
    step = float(dtypes.limits(np.dtype(dtype)).eps)
    np.testing.assert_allclose(
        np.asarray(have, "f8"), np.asarray(want, "f8"), rtol=2 * step, atol=2 * step
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", HALF)
def test_the_next_number_is_one_of_half_precision(dtype: str, backend: Any) -> None:
    values = every(dtype)
    goals = [np.array(goal, dtype) for goal in (np.inf, -np.inf, 1.5, np.nan)]
    with sg.Graph().as_default():
        x = sg.placeholder(dtype, (None,))
        found = [sg.nextafter(x, goal) for goal in goals]
        have = sg.Session(backend=backend).run(found, {x: values})
    with np.errstate(all="ignore"):
        for found, goal in zip(have, goals, strict=True):
            assert_same(found, np.nextafter(values, goal))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", HALF)
def test_spacing(dtype: str, backend: Any) -> None:
    values = every(dtype)[:0x8000]
    with np.errstate(all="ignore"):
        want = np.nextafter(values, np.dtype(dtype).type(np.inf)) - values
    with sg.Graph().as_default():
        x = sg.placeholder(dtype, (None,))
        found = [sg.spacing(x), sg.spacing(-x[1:])]
        have = sg.Session(backend=backend).run(found, {x: values})
    assert_same(have[0], want)
    assert_same(-have[1], want[1:])


@pytest.mark.parametrize("dtype", HALF)
def test_heaviside_keeps_half_precision(dtype: str) -> None:
    x = np.array([-2.0, -0.0, 0.0, 3.0, np.nan, np.inf], dtype)
    have = sg.Session().run(sg.heaviside(x, np.array(0.25, dtype)))
    assert_same(have, np.array([0.0, 0.25, 0.25, 1.0, np.nan, 1.0], dtype))


@pytest.mark.parametrize("dtype", HALF)
def test_factors_of_half_precision_have_one_dtype(dtype: str) -> None:
    x = np.array([[1.0, 2.0], [4.0, 4.0]], dtype)
    factors = sg.linalg.lu(sg.constant(x))
    assert [factor.dtype for factor in factors] == [np.float32] * 3
    rows, lower, upper = sg.Session().run(list(factors))
    np.testing.assert_array_equal(rows @ lower @ upper, x.astype(np.float32))
