"""Samples of functions of whole arrays that are made of other ops, and of `require`.

Values of these functions are compared with NumPy's in test_array_functions.py too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError
from staticgraph.ops.requiring import require

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(41)
_X = _random.uniform(-2.0, 2.0, (3, 4))
_CUBE = _random.uniform(-2.0, 2.0, (2, 3, 3))
_V = _random.uniform(-2.0, 2.0, 6)
_HOLES = np.where(_random.random((3, 5)) < 0.3, np.nan, _random.normal(size=(3, 5)))
_WEIGHTS = np.array([1.0, 2.0, 0.5, 1.5])


def _kept(x: Any, compared: bool = True) -> Any:
    return require(x, x < 9.0 if compared else x, "keep", "it is too large", "give less")


_METHODS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "median_unbiased", "normal_unbiased",
)  # fmt: skip

_QUANTILES = [
    *[
        Sample(
            "sort", lambda x, method=method: sg.quantile(x, [0.2, 0.55], 1, method), (_X,),
            lambda x, method=method: np.quantile(x, [0.2, 0.55], 1, method=method), wrt=(0,),
            label=f"quantile by {method}",
        )
        for method in _METHODS
    ],
    Sample(
        "require", lambda x, q: sg.quantile(x, q, 0, "weibull"), (_X, np.array([0.4, 0.6])),
        lambda x, q: np.quantile(x, q, 0, method="weibull"), wrt=(0, 1),
        label="quantile of the run by weibull",
    ),
    Sample(
        "argsort", lambda x, w: sg.quantile(x, [0.3, 0.8], 1, "inverted_cdf", weights=w),
        (_X, _WEIGHTS),
        lambda x, w: np.quantile(x, [0.3, 0.8], 1, method="inverted_cdf", weights=w), wrt=(0,),
        label="quantile of weights",
    ),
    Sample(
        "sort", lambda x: sg.nanquantile(x, [0.3, 0.8], 1), (_random.normal(size=(3, 5)),),
        lambda x: np.nanquantile(x, [0.3, 0.8], 1), wrt=(0,), label="nanquantile",
    ),
]  # fmt: skip

_LEFT: dict[str, Any] = {"where": _X > -1.0}
_REDUCED = [
    *[
        Sample(
            op, lambda x, name=name, options=options: getattr(sg, name)(x, **options), (_X,),
            lambda x, name=name, options=options: getattr(np, name)(x, **options), wrt=(0,),
            label=f"{name} of what is left",
        )
        for op, name, options in [
            ("sum", "sum", {"axis": 1, "initial": 2.0, **_LEFT}), ("prod", "prod", _LEFT),
            ("max", "max", {"axis": 1, "initial": 0.1, **_LEFT}),
            ("min", "min", {"initial": 0.1, **_LEFT}), ("norm", "std", _LEFT),
            ("sum", "mean", {"axis": 0, **_LEFT}), ("sum", "var", {"axis": 1, **_LEFT}),
        ]
    ],
    *[
        Sample(
            op, lambda x, ours=ours: ours(x), (_random.normal(size=(3, 4)),),
            lambda x, theirs=theirs: theirs(x), wrt=(0,), label=f"{ours.__name__} alone",
        )
        for op, ours, theirs in [
            ("norm", sg.nanstd, np.nanstd), ("sort", sg.nanmedian, np.nanmedian),
            ("cumsum", sg.nancumsum, np.nancumsum), ("cumprod", sg.nancumprod, np.nancumprod),
        ]
    ],
    Sample(
        "require", lambda x: sg.nanargmax(x, 1), (_HOLES,), lambda x: np.nanargmax(x, 1),
        label="nanargmax",
    ),
    Sample(
        "matmul", lambda x, w: sg.cov(x, fweights=[1, 2, 1, 3], aweights=w), (_X, _WEIGHTS),
        lambda x, w: np.cov(x, fweights=[1, 2, 1, 3], aweights=w), wrt=(0, 1), label="cov weights",
    ),
    Sample(
        "matmul", sg.corrcoef, (_V, _V[::-1] + _V**2), np.corrcoef, wrt=(0, 1),
        label="corrcoef of two",
    ),
]  # fmt: skip

_ARRANGED = [
    Sample(
        "permute_dims", lambda x: sg.rot90(x, 1, (0, 2)), (_CUBE,),
        lambda x: np.rot90(x, 1, (0, 2)), wrt=(0,), label="rot90",
    ),
    Sample(
        "concat", lambda x, y: sg.insert(x, 1, y, 0), (_X, _X[:2]),
        lambda x, y: np.insert(x, 1, y, 0), wrt=(0, 1), label="insert",
    ),
    Sample(
        "gather", lambda x, i: sg.delete(x, i, 1), (_X, np.array([0, -2])),
        lambda x, i: np.delete(x, i, 1), wrt=(0,), label="delete of the run",
    ),
    Sample(
        "gather", lambda x, c: sg.compress(c, x, 1), (_X, np.array([True, False, True, True])),
        lambda x, c: np.compress(c, x, 1), wrt=(0,), label="compress of the run",
    ),
    Sample(
        "concat", lambda x, y: sg.block([[x, y], [y, x]]), (_X, _X**2),
        lambda x, y: np.block([[x, y], [y, x]]), wrt=(0, 1), label="block",
    ),
    Sample(
        "split", lambda x: sg.array_split(x, 3, 1), (_X,), lambda x: np.array_split(x, 3, 1),
        wrt=(0,), label="array_split",
    ),
    Sample(
        "gather", lambda x: sg.resize(x, (3, 5)), (_X,), lambda x: np.resize(x, (3, 5)), wrt=(0,),
        label="resize",
    ),
    Sample(
        "slice", sg.trim_zeros, (np.array([0.0, 1.5, 0.0, -2.0, 0.0]),), np.trim_zeros,
        label="trim_zeros",
    ),
    Sample(
        "where", lambda x: sg.select([x < -1, x > 0], [sg.exp(x), sg.sqrt(x)], x * x), (_X,),
        lambda x: np.select([x < -1, x > 0], [np.exp(x), np.sqrt(x)], x * x), wrt=(0,),
        label="select",
    ),
    Sample(
        "where", lambda x: sg.piecewise(x, [x > 0], [sg.sqrt, sg.square]), (_X,),
        lambda x: np.where(x > 0, np.sqrt(x), x * x), wrt=(0,), label="piecewise",
    ),
    Sample(
        "require", lambda i, x, y: sg.choose(i, [x, y]), (np.array([[1], [0], [1]]), _X, _X**2),
        lambda i, x, y: np.choose(i, [x, y]), wrt=(1, 2), label="choose",
    ),
    Sample(
        "require", lambda i: sg.unravel_index(i, (3, 4)), (np.array([[7, 0], [11, 5]]),),
        lambda i: list(np.unravel_index(i, (3, 4))), label="unravel_index",
    ),
]  # fmt: skip

_SLOPES = [
    Sample(
        "concat", lambda x, h: sg.gradient(x, h, 0.5, edge_order=2), (_X, np.array(0.3)),
        lambda x, h: list(np.gradient(x, h, 0.5, edge_order=2)), wrt=(0, 1), label="gradient",
    ),
    Sample(
        "concat", lambda x, t: sg.gradient(x, t, axis=1), (_X, np.array([0.0, 0.5, 0.7, 2.0])),
        lambda x, t: np.gradient(x, t, axis=1), wrt=(0, 1), label="gradient at places",
    ),
    Sample(
        "argsort", lambda x, p, f: sg.interp(x, p, f, period=3.0),
        (_random.uniform(-5, 5, 4), np.array([2.5, 0.5, 1.0]), _V[:3]),
        lambda x, p, f: np.interp(x, p, f, period=3.0), wrt=(0, 1, 2), label="interp of a period",
    ),
    Sample(
        "concat", lambda a, v: sg.correlate(a, v, "same"), (_V, _V[:3]),
        lambda a, v: np.correlate(a, v, "same"), wrt=(0, 1), label="correlate",
    ),
    Sample(
        "multiply", lambda p, x: sg.polyval(sg.reshape(p, (3,)), x), (_V[:3], _X), np.polyval,
        wrt=(0, 1), label="polyval",
    ),
    Sample(
        "multiply", lambda x, y: sg.polyfit(x, y, 1), (_V, _V[::-1] ** 2),
        lambda x, y: np.polyfit(x, y, 1), wrt=(0, 1), label="polyfit",
    ),
    Sample(
        "matmul", sg.inner, (_CUBE, _CUBE[0]), np.inner, wrt=(0, 1), label="inner",
    ),
    Sample(
        "pow", lambda x, y: sg.geomspace(x, y, 4), (np.array([1.0, 2.0]), np.array([3.0, 0.5])),
        lambda x, y: np.geomspace(x, y, 4), wrt=(0, 1), label="geomspace",
    ),
    Sample(
        "require", lambda x, n: sg.linspace(x, 4.0, n), (np.array([1.0, 2.0]), np.array(5)),
        lambda x, n: np.linspace(x, 4.0, int(n)), wrt=(0,), label="linspace of the run",
    ),
]  # fmt: skip

SAMPLES: list[Sample] = [
    Sample("require", _kept, (_X,), lambda x: x, wrt=(0,), label="alone"),
    Sample("require", _kept, (np.zeros((0, 2)),), lambda x: x, label="of nothing"),
    *_QUANTILES,
    *_REDUCED,
    *_ARRANGED,
    *_SLOPES,
]

REFUSALS: list[Refusal] = [
    Refusal(
        "require", lambda: _kept(sg.placeholder("int32", (2,), name="x"), False), DTypeError,
        "require: does not take int32\n"
        "  x 'x'  int32[2]  placeholder at {here}\n"
        "  condition 'x'  int32[2]  placeholder at {here}\n"
        "  condition may be bool; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
]  # fmt: skip
