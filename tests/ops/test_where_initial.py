"""Reductions with where= and initial=: values, dtypes and shapes are NumPy's on both backends."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError

from .refusing import refused

Array = np.ndarray[Any, Any]

_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("sum", {}),
    ("sum", {"initial": 2}),
    ("prod", {}),
    ("prod", {"initial": 2}),
    ("max", {"initial": 0}),
    ("min", {"initial": 1}),
    ("any", {}),
    ("all", {}),
    ("mean", {}),
    ("var", {}),
    ("std", {"correction": 1}),
]


def _calls(masks: list[Any], axes: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for mask in masks:
        for axis in axes:
            for keepdims in (False, True):
                for name, options in _CALLS:
                    where = {} if mask is None else {"where": mask}
                    yield name, {"axis": axis, "keepdims": keepdims, **options, **where}


def _agree(have: Any, want: Any, what: Any) -> None:
    actual, expected = np.asarray(have), np.asarray(want)
    assert actual.shape == expected.shape, what
    assert actual.dtype == expected.dtype, what
    relative = (
        {2: 1e-2, 4: 1e-5, 8: 1e-12}[actual.dtype.itemsize] if expected.dtype.kind in "fc" else 0
    )
    np.testing.assert_allclose(actual, expected, relative, relative, err_msg=f"{what}")


@pytest.mark.parametrize(
    ("backend", "dtype"),
    [
        ("native", "float32"),
        ("native", "float16"),
        ("native", "int8"),
        ("native", "bool"),
        ("reference", "float64"),
        ("reference", "int64"),
        ("reference", "float16"),
    ],
)
@pytest.mark.parametrize("shape", [(3, 4), (0, 4), (1, 4)])
@pytest.mark.parametrize("known", ["known", "unknown"])
def test_masked_reductions_are_those_of_numpy(
    backend: Any, dtype: str, shape: tuple[int, ...], known: str
) -> None:
    random = np.random.default_rng(3)
    value = (random.normal(size=shape) * 2).astype(dtype)
    masks = [None, True, False, random.random(shape) < 0.5, np.array([True, False, True, True])]
    masks.append(np.arange(shape[0])[:, None] < 2)
    with sg.Graph().as_default():
        x = sg.placeholder(dtype, shape if known == "known" else (None, None))
        calls = list(_calls(masks, [None, 0]))
        results = [getattr(sg, name)(x, **options) for name, options in calls]
        have = sg.Session(backend=backend).run(results, {x: value})
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for (name, options), result in zip(calls, have, strict=True):
            _agree(result, getattr(np, name)(value, **options), (name, options))


def test_a_tensor_of_unknown_rank_has_an_initial_element() -> None:
    x = sg.placeholder("float32", None)
    results = [sg.max(x, initial=-1), sg.min(x, keepdims=True, initial=5, where=x > 0)]
    for value in (np.zeros((2, 0), np.float32), np.array([[1.0, -3.0, 2.0]], np.float32)):
        have = sg.Session().run(results, {x: value})
        _agree(have[0], value.max(initial=-1), "max")
        _agree(have[1], value.min(keepdims=True, initial=5, where=value > 0), "min")


def test_what_is_left_out_has_no_derivative_whatever_it_is() -> None:
    x = sg.placeholder("float64", (None,))
    start = sg.placeholder("float64", ())
    keep = np.array([True, False, True])
    value = np.array([1.0, np.nan, 3.0])
    rows: list[tuple[Any, list[int], float]] = [
        (sg.sum, [1, 0, 1], 1.0),
        (sg.prod, [3 * 2, 0, 1 * 2], 3.0),
        (sg.max, [0, 0, 1], 0.0),
        (sg.min, [1, 0, 0], 0.0),
    ]
    for function, at, of_start in rows:
        y = function(x, initial=start, where=keep)
        slopes = sg.gradients(y, [x, start], unconnected="zero")
        have = sg.Session().run(slopes, {x: value, start: 2.0})
        _agree(have[0], np.array(at, np.float64), function)
        _agree(have[1], np.float64(of_start), function)
    spreads: list[Any] = [sg.mean, sg.var, sg.std]
    for function in spreads:
        (slope,) = sg.gradients(function(x, where=keep), x)
        (want,) = sg.gradients(function(x), x)
        have = sg.Session().run(slope, {x: value})
        _agree(have[[0, 2]], sg.Session().run(want, {x: value[[0, 2]]}), function)
        assert have[1] == 0


def test_a_mean_that_is_known_is_not_computed_again() -> None:
    value = np.random.default_rng(5).normal(size=(3, 4))
    x = sg.placeholder("float64", (3, 4))
    middle = value.mean(1, keepdims=True)
    have = sg.Session().run([sg.var(x, 1, mean=middle), np.std(x, 1, mean=middle)], {x: value})  # type: ignore[call-overload]
    _agree(have[0], np.var(value, 1, mean=middle), "var")
    _agree(have[1], np.std(value, 1, mean=middle), "std")


def test_numpys_functions_hand_where_and_initial_on() -> None:
    value = np.arange(6.0).reshape(2, 3)
    x = sg.placeholder("float64", (2, 3))
    mask = value % 2 == 0
    calls: list[Any] = [
        lambda v: np.sum(v, axis=0, initial=3, where=mask),
        lambda v: np.max(v, where=mask, initial=-1),
        lambda v: np.mean(v, where=mask),
        lambda v: np.var(v, ddof=1, where=mask),
        lambda v: np.add.reduce(v, 1, where=mask, initial=1.0),
        lambda v: np.maximum.reduce(v, where=mask, initial=1.0, keepdims=True),
        lambda v: np.logical_or.reduce(v > 4, where=mask),
        lambda v: np.add.reduce(v, dtype=np.float32),
    ]
    have = sg.Session().run([call(x) for call in calls], {x: value})
    for result, call in zip(have, calls, strict=True):
        _agree(result, call(value), call)


def test_refusals() -> None:
    x = sg.placeholder("float32", (3,), name="x")
    numbers = sg.placeholder("int32", (3,), name="numbers")
    long = sg.placeholder("bool", (4,), name="long")
    untyped: Any = sg
    calls: list[tuple[Any, type[Exception], str]] = [
        (
            lambda: sg.max(x, where=x > 0), ShapeError,
            "max: with where= there may be no element left, which has no max\n"
            "  x 'x'  float32[3]  placeholder at <line>\n"
            "  give initial=..., the result of no elements\n"
            "  created at <line>",
        ),
        (
            lambda: sg.sum(x, where=numbers), DTypeError,
            "sum: where is int32\n"
            "  x 'x'  float32[3]  placeholder at <line>\n"
            "  where 'numbers'  int32[3]  placeholder at <line>\n"
            "  give bools, as a comparison makes them\n"
            "  created at <line>",
        ),
        (
            lambda: sg.std(x, where=long), ShapeError,
            "std: where of shape [4] does not broadcast to [3]\n"
            "  x 'x'  float32[3]  placeholder at <line>\n"
            "  where 'long'  bool[4]  placeholder at <line>\n"
            "  give one bool per element, or a shape that broadcasts to that of x\n"
            "  created at <line>",
        ),
        (
            lambda: sg.prod(numbers, initial=numbers), ShapeError,
            "prod: initial has shape [3]\n"
            "  x 'prod'  int64[]  prod at <line>\n"
            "  initial 'numbers'  int32[3]  placeholder at <line>\n"
            "  give one number\n"
            "  created at <line>",
        ),
        (
            lambda: untyped.mean(x, keepdims="yes"), ShapeError,
            "mean: keepdims='yes' is no bool\n  give True or False\n  at <line>",
        ),
        (
            lambda: untyped.argmax(x, keepdims=1), ShapeError,
            "argmax: keepdims=1 is no bool\n  give True or False\n  at <line>",
        ),
        (
            lambda: untyped.var(x, correction="1"), ShapeError,
            "var: correction='1' is no number\n  give an int or a float\n  at <line>",
        ),
    ]  # fmt: skip
    for call, error, message in calls:
        assert refused(call, error) == message


def test_a_mask_of_the_run_that_does_not_fit_is_an_error_of_the_run() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    mask = sg.placeholder("bool", (None,), name="mask")
    y = sg.sum(x, where=mask)
    assert sg.Session().run(y, {x: [1.0, 2.0], mask: [True]}) == 3.0
    backends: list[Any] = ["native", "reference"]
    for backend in backends:
        session: Any = sg.Session(backend=backend)
        feeds: dict[Any, Any] = {x: [1.0], mask: [True, False]}
        run = functools.partial(session.run, y, feeds)
        assert refused(run, ShapeError) == (
            "sum (in its broadcast_to): [2] does not broadcast to [1]\n"
            "  x 'mask'  bool[?]  feed at <line>\n"
            "  sizes[0] 'shape'  int64[1]  shape at <line>\n"
            "  axis -1 of the operand must be 1 or equal\n"
            "  created at <line>"
        )
