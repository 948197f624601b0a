"""What the sample table cannot say of reductions: types, kinks, masks, errors of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import staticgraph as sg
from staticgraph.errors import ShapeError
from staticgraph.ops import cumulative, reduction, variance
from staticgraph.ops import elementwise as ew

Array = np.ndarray[Any, Any]

ALL = (
    reduction.sum,
    reduction.mean,
    reduction.prod,
    reduction.max,
    reduction.min,
    reduction.argmax,
    reduction.argmin,
    reduction.any,
    reduction.all,
    reduction.logsumexp,
    reduction.norm,
)


def _run(fetches: Any, feed: Any = None) -> Any:
    with sg.Session() as session:
        return session.run(fetches, feed)


# -- types ------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ALL)
def test_axes_are_attributes_in_one_form(function: Callable[..., sg.Tensor]) -> None:
    x = sg.placeholder("float32", ("batch", 3, None))
    assert dict(function(x).node.attrs) == {"axis": (0, 1, 2), "keepdims": False}
    last = function(x, np.int64(-1), keepdims=np.True_).node.attrs
    assert dict(last) == {"axis": (2,), "keepdims": True}
    assert type(last["axis"][0]) is int


@pytest.mark.parametrize("function", (reduction.sum, reduction.max, reduction.logsumexp))
def test_several_axes_are_sorted(function: Callable[..., sg.Tensor]) -> None:
    x = sg.placeholder("float32", (2, 3, 4))
    assert function(x, (-1, 0)).node.attrs["axis"] == (0, 2)
    assert function(x, [1]).node.attrs["axis"] == (1,)


@pytest.mark.parametrize("function", ALL)
def test_sizes_that_are_kept(function: Callable[..., sg.Tensor]) -> None:
    x = sg.placeholder("float32", ("batch", 3, None))
    assert function(x, 1).shape == ("batch", None)
    assert function(x, 1).type.shape == (x.type.shape[0], x.type.shape[2])
    assert function(x, 1, keepdims=True).shape == ("batch", 1, None)
    assert function(x).shape == ()
    assert function(x, keepdims=True).shape == (1, 1, 1)


@pytest.mark.parametrize("function", ALL)
def test_all_axes_of_an_unknown_rank(function: Callable[..., sg.Tensor]) -> None:
    x = sg.placeholder("float32", None)
    assert function(x).shape == ()
    assert function(x).node.attrs["axis"] is None
    assert function(x, keepdims=True).shape is None


@pytest.mark.parametrize(
    ("function", "dtype", "expected"),
    [
        (reduction.sum, "bool", "int64"),
        (reduction.sum, "int32", "int64"),
        (reduction.sum, "uint16", "uint64"),
        (reduction.sum, "uint64", "uint64"),
        (reduction.prod, "int8", "int64"),
        (cumulative.cumsum, "int16", "int64"),
        (cumulative.cumprod, "uint8", "uint64"),
        (reduction.mean, "int8", "float64"),
        (reduction.mean, "bool", "float64"),
        (reduction.mean, "float32", "float32"),
        (variance.var, "int64", "float64"),
        (variance.std, "float32", "float32"),
        (reduction.max, "int8", "int8"),
        (reduction.min, "bool", "bool"),
        (reduction.argmax, "float32", "int64"),
        (reduction.any, "float32", "bool"),
        (reduction.logsumexp, "int8", "float32"),
        (reduction.norm, "int64", "float64"),
        (reduction.count_nonzero, "float32", "int64"),
    ],
)
def test_dtypes(function: Callable[..., sg.Tensor], dtype: str, expected: str) -> None:
    assert function(sg.placeholder(dtype, (2,))).dtype == np.dtype(expected)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint32", "int64", "float32"])
def test_dtypes_are_those_of_numpy(dtype: str) -> None:
    x = np.ones((2, 2), dtype)
    for function, expected in (
        (reduction.sum, np.sum),
        (reduction.prod, np.prod),
        (reduction.mean, np.mean),
        (reduction.max, np.max),
        (reduction.argmin, np.argmin),
        (cumulative.cumsum, np.cumsum),
        (cumulative.cumprod, np.cumprod),
    ):
        assert function(sg.constant(x)).dtype == expected(x).dtype


def test_names() -> None:
    x = sg.placeholder("int8", (2, 3), name="x")
    assert reduction.sum(x, name="total").name == "total"
    assert variance.std(x, name="width").name == "width"
    assert reduction.count_nonzero(x, name="count").name == "count"


# -- against NumPy, over shapes, dtypes, strides and axes --------------------------------------

DTYPES = ["bool", "int8", "uint8", "int32", "uint64", "int64", "float32", "float64"]


@st.composite
def _arrays_and_axes(draw: st.DrawFn) -> tuple[Array, Any, bool]:
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    dtype = draw(st.sampled_from(DTYPES))
    array = draw(hnp.arrays(dtype, shape, elements=st.integers(0, 1) if dtype == "bool" else
                            st.integers(0, 3)))  # fmt: skip
    # Strides that are negative, transposed or repeated.
    array = draw(st.sampled_from([array, array.T, np.flip(array)]))
    axes = draw(st.lists(st.integers(0, max(array.ndim - 1, 0)), max_size=array.ndim, unique=True))
    signed = tuple(axis - array.ndim if draw(st.booleans()) else axis for axis in axes)
    axis = draw(st.sampled_from([None, signed]))
    if len(signed) == 1:
        axis = draw(st.sampled_from([None, signed, signed[0]]))
    return array, axis, draw(st.booleans())


@settings(max_examples=150, deadline=None)
@given(_arrays_and_axes(), st.booleans())
def test_any_array_along_any_axes(case: tuple[Array, Any, bool], known: bool) -> None:
    array, axis, keepdims = case
    pairs: list[tuple[Callable[..., sg.Tensor], Callable[..., Any]]] = [
        (reduction.sum, np.sum),
        (reduction.prod, np.prod),
        (reduction.any, np.any),
        (reduction.all, np.all),
        (reduction.count_nonzero, np.count_nonzero),
    ]
    emptied = array.size == 0
    if not emptied:
        pairs += [(reduction.max, np.max), (reduction.min, np.min), (reduction.mean, np.mean)]
    if not emptied and not isinstance(axis, tuple):
        pairs += [(reduction.argmax, np.argmax), (reduction.argmin, np.argmin)]
    with sg.Graph().as_default():
        x = sg.placeholder(array.dtype, array.shape if known else (None,) * array.ndim)
        results = [function(x, axis, keepdims) for function, _ in pairs]
        values = _run(results, {x: array})
    for result, value, (_, expected) in zip(results, values, pairs, strict=True):
        with np.errstate(over="ignore"):
            wanted = np.asarray(expected(array, axis=axis, keepdims=keepdims))
        assert (result.dtype, np.shape(value)) == (wanted.dtype, wanted.shape)
        assert result.ndim == wanted.ndim
        np.testing.assert_allclose(value, wanted, rtol=1e-6)


# -- values at the edges ----------------------------------------------------------------------


def test_ties_take_the_first() -> None:
    x = sg.constant([2, 1, 2, 1])
    assert _run([reduction.argmax(x), reduction.argmin(x)]) == [0, 1]


def test_nan_wins() -> None:
    x = sg.constant([1.0, float("nan"), 3.0, float("nan")])
    largest, smallest, first, last = _run(
        [reduction.max(x), reduction.min(x), reduction.argmax(x), reduction.argmin(x)]
    )
    assert np.isnan(largest)
    assert np.isnan(smallest)
    assert (first, last) == (1, 1)


def test_the_variance_of_one_sample_is_nan() -> None:
    x = sg.placeholder("float64", (None,))
    known = variance.var(sg.constant([3.0]), correction=1)
    assert np.isnan(_run(known))
    assert np.isnan(_run(variance.var(x, correction=1), {x: [3.0]}))
    assert np.isnan(_run(variance.std(x, correction=1), {x: [3.0]}))


@pytest.mark.parametrize("function", (reduction.max, reduction.min))
def test_no_elements_in_the_run(function: Callable[..., sg.Tensor]) -> None:
    x = sg.placeholder("float32", (2, None), name="x")
    result = function(x, axis=1)
    with pytest.raises(ShapeError) as caught, sg.Session() as session:
        session.run(result, {x: np.ones((2, 0))})
    place, made = x.node.location, result.node.location
    assert str(caught.value) == (
        f"{function.__name__}: axis 1 is empty, and of no elements none can be chosen\n"
        f"  x 'x'  float32[2, ?]  feed at {place.short}\n"
        "  reduce an axis that has elements, or join a lowest value first with sg.concat\n"
        f"  created at {made}"
    )


# -- derivatives at the edges -----------------------------------------------------------------


@pytest.mark.parametrize("function", (reduction.max, reduction.min))
def test_ties_share_the_adjoint_equally(function: Callable[..., sg.Tensor]) -> None:
    x = sg.constant(np.array([[2.0, 2.0, 2.0], [-1.0, 5.0, 5.0], [5.0, -1.0, -1.0]]))
    y = function(x, axis=1)
    slopes = _run(sg.gradients(y, x, grad_ys=[sg.constant(np.array([3.0, 1.0, 1.0]))])[0])
    winner = {"max": [[1, 1, 1], [0, 0.5, 0.5], [1, 0, 0]],
              "min": [[1, 1, 1], [1, 0, 0], [0, 0.5, 0.5]]}[function.__name__]  # fmt: skip
    np.testing.assert_array_equal(slopes, winner)
    moved = _run(sg.jvp(y, x, [sg.constant(np.arange(9.0).reshape(3, 3))])[0])
    np.testing.assert_array_equal(moved, np.sum(winner * np.arange(9.0).reshape(3, 3), 1) * [
        1 / 3, 1, 1
    ])  # fmt: skip


def test_the_largest_passes_nothing_to_the_others() -> None:
    x = sg.constant([1.0, 3.0])
    bad = sg.log(x - 1.0)
    (slope,) = sg.gradients(reduction.max(bad), x)
    np.testing.assert_array_equal(_run(slope), [0.0, 0.5])


def test_prod_with_zeros_to_order_three() -> None:
    values = np.array([0.0, 0.0, 5.0, 7.0])
    x = sg.constant(values)
    (first,) = sg.gradients(reduction.prod(x), x)
    (second,) = sg.gradients(reduction.sum(first * np.array([1.0, 0.0, 0.0, 0.0])), x)
    (third,) = sg.gradients(reduction.sum(second * np.array([0.0, 1.0, 0.0, 0.0])), x)
    have = _run([first, second, third])
    np.testing.assert_array_equal(have[0], [0, 0, 0, 0])
    np.testing.assert_array_equal(have[1], [0, 35, 0, 0])
    np.testing.assert_array_equal(have[2], [0, 0, 7, 5])


def test_prod_of_an_unknown_rank() -> None:
    x = sg.placeholder("float64", None)
    (slope,) = sg.gradients(reduction.prod(x), x)
    np.testing.assert_array_equal(_run(slope, {x: [[2.0, 3.0], [0.0, 5.0]]}), [[0, 0], [30, 0]])


def test_mean_of_an_unknown_rank() -> None:
    x = sg.placeholder("float32", None)
    (slope,) = sg.gradients(reduction.mean(x), x)
    assert slope.dtype == sg.float32
    np.testing.assert_array_equal(_run(slope, {x: np.ones((2, 4))}), np.full((2, 4), 0.125))


def test_logsumexp_of_nothing_but_minus_infinity() -> None:
    x = sg.constant(np.array([[-np.inf, -np.inf], [-np.inf, 2.0]]))
    y = reduction.logsumexp(x, axis=1)
    (slope,) = sg.gradients(reduction.sum(y), x)
    (curve,) = sg.gradients(reduction.sum(slope * slope), x)
    value, first, second = _run([y, slope, curve])
    np.testing.assert_array_equal(value, [-np.inf, 2.0])
    np.testing.assert_array_equal(first, [[0, 0], [0, 1]])
    np.testing.assert_array_equal(second, [[0, 0], [0, 0]])


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        (reduction.logsumexp, np.inf),
        (reduction.logsumexp, np.nan),
        (reduction.prod, np.inf),
        (reduction.norm, np.inf),
        (reduction.norm, np.nan),
        (reduction.mean, np.nan),
        (reduction.max, np.nan),
    ],
)
def test_a_masked_row_has_no_derivative(function: Callable[..., sg.Tensor], bad: float) -> None:
    x = sg.constant(np.array([[bad, 0.0], [1.0, 2.0]]))
    taken = sg.where(sg.constant([False, True]), function(x, axis=1), 0.0)
    clean = sg.constant(np.array([1.0, 2.0]))
    (slope,) = sg.gradients(reduction.sum(taken), x)
    (alone,) = sg.gradients(function(clean), clean)
    (curve,) = sg.gradients(reduction.sum(slope * slope), x, unconnected="zero")
    (alone_curve,) = sg.gradients(reduction.sum(alone * alone), clean, unconnected="zero")
    first, expected, second, bent = _run([slope, alone, curve, alone_curve])
    np.testing.assert_allclose(first, [[0.0, 0.0], expected])
    np.testing.assert_allclose(second, [[0.0, 0.0], bent], atol=1e-15)


@pytest.mark.parametrize("function", (cumulative.cumprod, cumulative.cumsum))
def test_what_comes_after_a_masked_element_has_no_derivative(
    function: Callable[..., sg.Tensor],
) -> None:
    x = sg.constant(np.array([2.0, 3.0, np.inf, np.nan]))
    taken = sg.where(sg.constant([True, True, False, False]), function(x, axis=0), 0.0)
    (slope,) = sg.gradients(reduction.sum(taken), x)
    expected = {"cumprod": [4.0, 2.0, 0.0, 0.0], "cumsum": [2.0, 1.0, 0.0, 0.0]}
    np.testing.assert_array_equal(_run(slope), expected[function.__name__])


@pytest.mark.parametrize("function", (cumulative.cumprod, cumulative.linear_recurrence))
def test_an_adjoint_of_zero_still_has_derivatives(function: Callable[..., sg.Tensor]) -> None:
    x = sg.constant(np.array([1.0, 2.0, 3.0]))
    last = np.array([0.0, 0.0, 1.0])
    y = function(x, 0) if function is cumulative.cumprod else function(x, last[::-1].copy())
    target, slopes = {"cumprod": (6.0, [6.0, 3.0, 2.0]),
                      "linear_recurrence": (6.0, [0.0, 3.0, 2.0])}[function.__name__]  # fmt: skip
    (slope,) = sg.gradients(reduction.sum(ew.square((y - target) * last)), x)
    rows = [sg.gradients(reduction.sum(slope * np.eye(3)[i]), x)[0] for i in range(3)]
    np.testing.assert_array_equal(_run(slope), np.zeros(3))
    np.testing.assert_array_equal(_run(rows), 2 * np.outer(slopes, slopes))


def test_norm_at_zero_to_order_three() -> None:
    x = sg.constant(np.zeros(3))
    derivative = reduction.norm(x)
    for _ in range(3):
        (slope,) = sg.gradients(reduction.sum(derivative), x)
        np.testing.assert_array_equal(_run(slope), np.zeros(3))
        derivative = slope
    (tangent,) = sg.jvp(reduction.norm(x), x, [sg.constant(np.ones(3))])
    assert _run(tangent) == 0.0


def test_std_of_equal_elements_has_a_derivative() -> None:
    x = sg.constant(np.full(3, 2.0))
    (slope,) = sg.gradients(variance.std(x), x)
    np.testing.assert_array_equal(_run(slope), np.zeros(3))


def test_one_adjoint_of_one_axis_takes_two_nodes() -> None:
    x = sg.placeholder("float32", ("batch", 3))
    before = len(x.graph)
    y = reduction.sum(x, axis=1)
    assert len(x.graph) == before + 1
    (slope,) = sg.gradients(y, x, grad_ys=[y])
    assert slope.type == x.type


# -- along an axis ----------------------------------------------------------------------------


def test_recurrence_is_its_own_definition() -> None:
    factor, x = np.array([9.0, 2.0, 0.5]), np.array([1.0, 10.0, 100.0])
    forward, backward = _run(
        [
            cumulative.linear_recurrence(factor, x),
            cumulative.linear_recurrence(factor, x, reverse=True),
        ]
    )
    np.testing.assert_array_equal(forward, [1.0, 12.0, 106.0])
    np.testing.assert_array_equal(backward, [1.0 + 9.0 * 210.0, 10.0 + 2.0 * 100.0, 100.0])


def test_recurrence_of_operands_that_differ_in_the_run() -> None:
    factor = sg.placeholder("float32", (None,), name="factor")
    x = sg.placeholder("float32", (None,), name="x")
    y = cumulative.linear_recurrence(factor, x)
    with pytest.raises(ShapeError) as caught, sg.Session() as session:
        session.run(y, {factor: [1.0, 2.0], x: [1.0, 2.0, 3.0]})
    assert str(caught.value) == (
        "linear_recurrence (in its broadcast_to): [2] does not broadcast to [3]\n"
        f"  x 'factor'  float32[?]  feed at {factor.node.location.short}\n"
        f"  sizes[0] 'shape'  int64[1]  shape at {y.node.location.short}\n"
        "  axis -1 of the operand must be 1 or equal\n"
        f"  created at {y.node.location}"
    )


def test_shapes_stay_known_along_an_axis() -> None:
    x = sg.placeholder("float32", ("batch", None))
    assert cumulative.cumsum(x, axis=0).type == x.type
    assert cumulative.cumprod(x, axis=1).type == x.type
    assert cumulative.shift(x, 2).type == x.type
    assert cumulative.linear_recurrence(x, x).type == x.type
    assert cumulative.cumsum(x).shape == (None,)
    (slope,) = sg.gradients(reduction.sum(reduction.prod(x, axis=1)), x)
    assert slope.type == x.type
