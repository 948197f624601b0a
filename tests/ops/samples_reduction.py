"""Samples of ops/reduction/ and ops/cumulative.py: values from NumPy, SciPy or plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.signal

import staticgraph as sg
from staticgraph.errors import ShapeError
from staticgraph.ops import cumulative, reduction, variance

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]
Case = tuple[str, Array, dict[str, Any]]

_random = np.random.default_rng(3)
CUBE = _random.uniform(-2.0, 2.0, (2, 3, 4)).astype(np.float32)
WIDE = _random.uniform(-2.0, 2.0, (3, 4))
VECTOR = np.array([1.5, -0.5, 2.0, 0.25], np.float32)
SCALAR = np.array(1.5, np.float32)
NONE = np.ones((0, 3), np.float32)
SINGLE = np.array([[1.5], [-0.5], [2.0]], np.float32)
INT8 = np.array([[100, 100, -3], [2, 100, 7]], np.int8)
UINT8 = np.array([[200, 100, 3], [2, 200, 7]], np.uint8)
BOOLS = np.array([[True, False, True], [False, False, False]])
# Rows with one zero, with two, and with none.
ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, -1.5, 0.0], [1.0, 2.0, 0.5]])
HOLES = np.array([[1.0, np.nan, 3.0], [2.0, 5.0, np.inf]], np.float32)
TIES = np.array([[3, 1, 3], [2, 2, 2]], np.int32)
INFINITE = np.array([[-np.inf, -np.inf], [-np.inf, 1.0], [np.inf, 1.0], [np.nan, 1.0]])
LARGE = np.array([[1000.0, 999.0], [-1000.0, -999.0]])

AXES: list[Case] = [
    ("all", CUBE, {}),
    ("middle", CUBE, {"axis": 1}),
    ("last", CUBE, {"axis": -1}),
    ("several", CUBE, {"axis": (2, 0)}),
    ("keepdims", CUBE, {"axis": (0, -1), "keepdims": True}),
    ("all keepdims", WIDE, {"keepdims": True}),
    ("no axes", WIDE, {"axis": ()}),
    ("vector", VECTOR, {"axis": 0}),
    ("scalar", SCALAR, {}),
    ("size one", SINGLE, {"axis": 1}),
    ("empty rows", NONE, {"axis": 1}),
]
EMPTY: list[Case] = [
    ("empty columns", NONE, {"axis": 0}),
    ("empty", np.ones((0, 0)), {}),
]
INTEGERS: list[Case] = [
    ("int8", INT8, {"axis": 1}),
    ("uint8", UINT8, {"axis": 0}),
    ("bool", BOOLS, {"axis": 1}),
    ("int64", INT8.astype(np.int64), {}),
]
ORDERED: list[Case] = [*INTEGERS, ("ties", TIES, {"axis": 1}), ("holes", HOLES, {"axis": 1})]


def _samples(
    op: str,
    function: Callable[..., Any],
    expected: Callable[..., Any],
    cases: list[Case],
    differentiable: bool = True,
    tolerance: float | None = None,
) -> list[Sample]:
    """One sample per case; those of floats whose result is finite are differentiated."""
    samples = []
    for label, array, arguments in cases:
        with np.errstate(all="ignore"):
            smooth = array.dtype.kind == "f" and np.all(np.isfinite(expected(array, **arguments)))
        samples.append(
            Sample(
                op,
                lambda x, arguments=arguments: function(x, **arguments),
                (array,),
                lambda x, arguments=arguments: expected(x, **arguments),
                wrt=(0,) if differentiable and smooth else (),
                label=label,
                tolerance=tolerance,
            )
        )
    return samples


def _axes(x: Array, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(axis) if isinstance(axis, tuple) else (axis,)


def _rounded(formula: Callable[..., Any], integers: type = np.float32) -> Callable[..., Any]:
    """A formula in float64, rounded to the dtype that the op computes in."""

    def expected(x: Array, **arguments: Any) -> Any:
        dtype = x.dtype if x.dtype.kind == "f" else integers
        return np.asarray(formula(x.astype(np.float64), **arguments)).astype(dtype)

    return expected


def _folded(ufunc: np.ufunc, x: Array, axis: Any, keepdims: bool) -> Array:
    """A binary function folded over one axis after the other."""
    axes = _axes(x, axis)
    for number in axes:
        x = ufunc.reduce(x, axis=number, keepdims=True)
    return x if keepdims else np.squeeze(x, axes)


def _mean(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
    count = math.prod(x.shape[number] for number in _axes(x, axis))
    return np.sum(x, axis=axis, keepdims=keepdims) / np.float64(count)


def _logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
    return _folded(np.logaddexp, x, axis, keepdims)


def _norm(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
    return _folded(np.hypot, np.abs(x), axis, keepdims)


def _one_axis(cases: list[Case]) -> list[Case]:
    return [case for case in cases if not isinstance(case[2].get("axis"), tuple)]


def _running(function: Callable[..., Any]) -> Callable[..., Any]:
    def expected(x: Array, axis: int | None = None, reverse: bool = False) -> Any:
        if axis is None:
            x, axis = x.ravel(), 0
        if not reverse:
            return function(x, axis=axis)
        return np.flip(function(np.flip(x, axis), axis=axis), axis)

    return expected


RUNNING: list[Case] = [
    ("flattened", CUBE, {}),
    ("vector", VECTOR, {}),
    ("scalar", SCALAR, {}),
    ("middle", CUBE, {"axis": 1}),
    ("reverse", CUBE, {"axis": -1, "reverse": True}),
    ("size one", SINGLE, {"axis": 1}),
    ("empty", NONE, {"axis": 0}),
    ("zeros", ZEROS, {"axis": 1}),
    ("zeros reverse", ZEROS, {"axis": -1, "reverse": True}),
    ("int8", INT8, {"axis": 1}),
    ("uint8", UINT8, {"axis": 0}),
    ("bool", BOOLS, {"axis": 1}),
]


def _recurrence(factor: Array, x: Array, axis: int = -1, reverse: bool = False) -> Array:
    factor = np.broadcast_to(factor, x.shape)
    result = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        position = list(index)
        total = x[index]
        # The value at a place is a sum over all earlier places of x times the factors between.
        product = x.dtype.type(1)
        while True:
            product = product * factor[tuple(position)]
            position[axis] += 1 if reverse else -1
            if not 0 <= position[axis] < x.shape[axis]:
                break
            total = total + product * x[tuple(position)]
        result[index] = total
    return result


def _filtered(x: Array) -> Array:
    return scipy.signal.lfilter([1.0], [1.0, -0.5], x).astype(x.dtype)


def _shifted(x: Array, by: int = 1, axis: int = -1, fill: float = 0) -> Array:
    rolled = np.moveaxis(np.roll(x, by, axis), axis, 0).copy()
    if by > 0:
        rolled[:by] = fill
    elif by < 0:
        rolled[by:] = fill
    return np.moveaxis(rolled, 0, axis)


SHIFTS: list[Case] = [
    ("forward", CUBE, {}),
    ("backward", CUBE, {"by": -2, "axis": 1, "fill": 7.5}),
    ("nowhere", WIDE, {"by": 0, "axis": 0}),
    ("out", WIDE, {"by": 9, "axis": 0, "fill": 1}),
    ("out at the start", WIDE, {"by": -4, "axis": 1}),
    ("empty", NONE, {"axis": 0}),
    ("int8", INT8, {"axis": 0, "fill": 3}),
    ("bool", BOOLS, {"fill": True}),
]

SAMPLES: list[Sample] = [
    *_samples("sum", reduction.sum, np.sum, [*AXES, *EMPTY, *INTEGERS], tolerance=1e-5),
    *_samples(
        "mean",
        reduction.mean,
        _rounded(_mean, np.float64),
        [*AXES, *EMPTY, *INTEGERS],
        tolerance=1e-5,
    ),
    *_samples(
        "prod",
        reduction.prod,
        np.prod,
        [*AXES, *EMPTY, *INTEGERS, ("zeros", ZEROS, {"axis": 1}), ("zeros in all", ZEROS, {})],
        tolerance=1e-5,
    ),
    *_samples("max", reduction.max, np.max, [*AXES, *ORDERED]),
    *_samples("min", reduction.min, np.min, [*AXES, *ORDERED]),
    *_samples("argmax", reduction.argmax, np.argmax, _one_axis([*AXES, *ORDERED]), False),
    *_samples("argmin", reduction.argmin, np.argmin, _one_axis([*AXES, *ORDERED]), False),
    *_samples("any", reduction.any, np.any, [*AXES, *EMPTY, *ORDERED], False),
    *_samples("all", reduction.all, np.all, [*AXES, *EMPTY, *ORDERED], False),
    *_samples(
        "sum",
        reduction.count_nonzero,
        np.count_nonzero,
        [("nonzero", HOLES, {"axis": 0}), ("nonzero all", ZEROS, {})],
        False,
    ),
    *_samples(
        "logsumexp",
        reduction.logsumexp,
        _rounded(_logsumexp),
        [
            *AXES,
            *EMPTY,
            ("int8", INT8, {"axis": 1}),
            ("infinite", INFINITE, {"axis": 1}),
            ("large", LARGE, {"axis": 1}),
        ],
    ),
    *_samples(
        "norm",
        reduction.norm,
        _rounded(_norm),
        [*AXES, *EMPTY, ("int8", INT8, {"axis": 1})],
    ),
    *_samples(
        "sum",
        variance.var,
        _rounded(np.var, np.float64),
        [
            ("var all", CUBE, {}),
            ("var", CUBE, {"axis": (0, 2), "keepdims": True}),
            ("var of a sample", WIDE, {"axis": 1, "correction": 1}),
            ("var int8", INT8, {"axis": 0}),
        ],
        tolerance=1e-5,
    ),
    *_samples(
        "norm",
        variance.std,
        _rounded(np.std, np.float64),
        [
            ("std all", CUBE, {}),
            ("std", CUBE, {"axis": (0, 2), "keepdims": True}),
            ("std of a sample", WIDE, {"axis": 1, "correction": 1}),
            ("std int8", INT8, {"axis": 0}),
        ],
        tolerance=1e-5,
    ),
    *_samples("cumsum", cumulative.cumsum, _running(np.cumsum), RUNNING, tolerance=1e-5),
    *_samples("cumprod", cumulative.cumprod, _running(np.cumprod), RUNNING, tolerance=1e-5),
    *_samples("shift", cumulative.shift, _shifted, SHIFTS),
    *[
        Sample(
            "linear_recurrence",
            lambda factor, x, arguments=arguments: cumulative.linear_recurrence(
                factor, x, **arguments
            ),
            (factor, x),
            lambda factor, x, arguments=arguments: _recurrence(factor, x, **arguments),
            wrt=(0, 1),
            label=label,
            tolerance=1e-5,
        )
        for label, factor, x, arguments in (
            ("last", WIDE[::-1], WIDE, {}),
            ("reverse", CUBE[::-1], CUBE, {"axis": 1, "reverse": True}),
            ("zeros", ZEROS, ZEROS.T, {"axis": 0}),
            ("one factor", np.array(0.5), WIDE, {"axis": 0}),
            ("empty", NONE, NONE, {"axis": 0}),
            ("size one", SINGLE, SINGLE, {"axis": 1}),
        )
    ],
    Sample(
        "linear_recurrence",
        lambda x: cumulative.linear_recurrence(0.5, x),
        (VECTOR,),
        _filtered,
        wrt=(0,),
        label="filter",
    ),
]


# -- refusals ---------------------------------------------------------------------------------


def _x(shape: Any = (2, 3), dtype: str = "float32", name: str = "x") -> sg.Tensor:
    return sg.placeholder(dtype, shape, name=name)


def _message(problem: str, way_out: str, shape: str = "[2, 3]") -> str:
    return (
        f"{problem}\n"
        f"  x 'x'  float32{shape}  placeholder at {{here}}\n"
        f"  {way_out}\n"
        "  created at {here}: {line}"
    )


def _refused(function: Callable[..., Any]) -> list[Refusal]:
    """What every op with axes refuses."""
    op = function.__name__
    choices = "None for all axes, an int, or a tuple of ints"
    if op not in SEVERAL_AXES:
        choices = "an int"
    rank = "declare the shape, with None for sizes that are open: placeholder(dtype, (None, 3))"
    return [
        Refusal(
            op, lambda: function(_x(), axis=2), ShapeError,
            _message(f"{op}: 'x' has no axis 2", "it has axes -2 to 1"), "no such axis",
        ),
        Refusal(
            op, lambda: function(_x(), axis=-3), ShapeError,
            _message(f"{op}: 'x' has no axis -3", "it has axes -2 to 1"), "no such negative axis",
        ),
        Refusal(
            op, lambda: function(_x(()), axis=0), ShapeError,
            _message(f"{op}: 'x' has no axis 0", "it is a scalar and has no axis", "[]"),
            "axis of a scalar",
        ),
        Refusal(
            op, lambda: function(_x(), axis=1.0), ShapeError,
            _message(f"{op}: 1.0 is no axis", f"axis may be {choices}"), "a float as axis",
        ),
        Refusal(
            op, lambda: function(_x(None), axis=0), ShapeError,
            _message(f"{op}: the rank of 'x' is not known", rank, "[...]"), "unknown rank",
        ),
    ]  # fmt: skip


def _twice(function: Callable[..., Any]) -> Refusal:
    op = function.__name__
    return Refusal(
        op, lambda: function(_x(), axis=(1, -1)), ShapeError,
        _message(f"{op}: axis 1 stands twice in axis=(1, -1)", "name every axis once"), "twice",
    )  # fmt: skip


def _empty(function: Callable[..., Any]) -> list[Refusal]:
    op = function.__name__
    problem = f"{op}: axis 1 is empty, and of no elements none can be chosen"
    way_out = "reduce an axis that has elements, or join a lowest value first with sg.concat"
    return [
        Refusal(
            op, lambda: function(_x((2, 0)), axis=1), ShapeError,
            _message(problem, way_out, "[2, 0]"), "empty axis",
        ),
        Refusal(
            op, lambda: function(_x(("rows", 0))), ShapeError,
            _message(problem, way_out, "[rows, 0]"), "empty axis among all",
        ),
    ]  # fmt: skip


_REDUCTIONS = (
    reduction.sum, reduction.mean, reduction.prod, reduction.max, reduction.min, reduction.any,
    reduction.all, reduction.logsumexp, reduction.norm,
)  # fmt: skip
_CHOOSING = (reduction.max, reduction.min, reduction.argmax, reduction.argmin)
_ALONG = (
    reduction.argmax, reduction.argmin, cumulative.cumsum, cumulative.cumprod, cumulative.shift,
)  # fmt: skip
SEVERAL_AXES = tuple(function.__name__ for function in _REDUCTIONS)

REFUSALS: list[Refusal] = [
    *[refusal for function in (*_REDUCTIONS, *_ALONG) for refusal in _refused(function)],
    *[_twice(function) for function in _REDUCTIONS],
    *[refusal for function in _CHOOSING for refusal in _empty(function)],
    Refusal(
        "linear_recurrence",
        lambda: cumulative.linear_recurrence(_x((2, 4), name="factor"), _x()),
        ShapeError,
        "linear_recurrence (in its broadcast_to): [2, 4] does not broadcast to [2, 3]\n"
        "  x 'factor'  float32[2, 4]  placeholder at {here}\n"
        "  axis -1 of the operand must be 1 or equal\n"
        "  created at {here}: {line}",
        "factor of another length",
    ),
    Refusal(
        "linear_recurrence",
        lambda: cumulative.linear_recurrence(0.5, _x(()), 0),
        ShapeError,
        "linear_recurrence: 'x' has no axis 0\n"
        "  factor 'constant'  float32[]  constant at {here}\n"
        "  x 'x'  float32[]  placeholder at {here}\n"
        "  it is a scalar and has no axis\n"
        "  created at {here}: {line}",
        "axis of a scalar",
    ),
]
