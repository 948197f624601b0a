"""Samples of ops/statistics.py, differences.py and grids.py: values from NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import ShapeError

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(31)


def _array(*shape: int) -> Array:
    return np.asarray(_random.uniform(-2.0, 2.0, shape))


_X = _array(3, 5)
_CUBE = _array(2, 3, 4)
_VECTOR = _array(7)
_INTS = np.array([[3, 1, 3, 2], [-5, 7, 7, -5]], np.int32)
_HOLES = np.array([[2.0, np.nan, -1.0], [np.nan, np.nan, 4.0]])
_NOTHING = np.zeros((0, 3))

# -- quantiles --------------------------------------------------------------------------------

_QUANTILES = [
    Sample(
        "sort", lambda x, q=q, options=options: sg.quantile(x, q, **options), (x,),
        lambda x, q=q, options=options: np.quantile(x, q, **options),
        wrt=(0,) if x.dtype == np.float64 else (), label=f"quantile {label}",
    )
    for label, x, q, options in [
        ("of all", _X, 0.3, {}),
        ("of an axis", _X, [0.1, 0.5, 1.0], {"axis": 1}),
        ("of two axes", _CUBE, 0.35, {"axis": (0, 2)}),
        ("keepdims", _CUBE, [[0.2], [0.9]], {"axis": (0, 2), "keepdims": True}),
        ("lower", _X, 0.4, {"axis": 0, "method": "lower"}),
        ("higher", _X, 0.4, {"axis": 1, "method": "higher"}),
        ("nearest", _X, 0.3, {"axis": 1, "method": "nearest"}),
        ("midpoint", _X, [0.25, 0.3], {"axis": 1, "method": "midpoint"}),
        ("of ints", _INTS, 0.3, {"axis": 1}),
    ]
] + [
    Sample(
        "sort", lambda x, q: sg.quantile(x, q, 0), (_X, np.array([0.25, 0.8])),
        lambda x, q: np.quantile(x, q, 0), wrt=(0, 1), label="quantile of the run",
    ),
    Sample(
        "sort", lambda x: sg.percentile(x, [20, 65]), (_X,),
        lambda x: np.percentile(x, [20, 65]), wrt=(0,), label="percentile",
    ),
    Sample(
        "sort", lambda x: sg.quantile(x, [0.0, 0.9, 1.0]),
        (np.array([np.inf, 1.0, np.inf, -np.inf]),),
        lambda x: np.array([-np.inf, np.inf, np.inf]), label="quantile of infinities",
    ),
    Sample("sort", sg.median, (_X,), np.median, wrt=(0,), label="median"),
    Sample(
        "sort", lambda x: sg.median(x, 1, True), (_CUBE,),
        lambda x: np.median(x, 1, keepdims=True), wrt=(0,), label="median of an axis",
    ),
    Sample(
        "sort", lambda x: sg.median(x, 1), (_HOLES,), lambda x: np.median(x, 1),
        label="median with NaN",
    ),
]  # fmt: skip

# -- the rest of statistics -------------------------------------------------------------------

_EDGES = np.array([-2.0, -0.5, 0.25, 2.0])


def _counts(result: Any) -> Any:
    return result[0].astype(np.int64), result[1]


_OF_NUMBERS: list[tuple[str, Any, Any]] = [
    ("sum", sg.nansum, np.sum), ("sum", sg.nanmean, np.mean), ("sum", sg.nanvar, np.var),
    ("max", sg.nanmax, np.max), ("prod", sg.nanprod, np.prod),
]  # fmt: skip

_STATISTICS = [
    Sample("max", lambda x: sg.ptp(x, 1), (_X,), lambda x: np.ptp(x, 1), wrt=(0,), label="ptp"),
    Sample(
        "sum", lambda x, w: sg.average(x, 1, w), (_X, _random.uniform(1, 2, 5)),
        lambda x, w: np.average(x, 1, w), wrt=(0, 1), label="average of an axis",
    ),
    Sample(
        "sum", lambda x, w: sg.average(x, 0, w, keepdims=True), (_X, _random.uniform(1, 2, (3, 5))),
        lambda x, w: np.average(x, 0, w, keepdims=True), wrt=(0, 1), label="average of weights",
    ),
    Sample("mean", sg.average, (_X,), np.average, wrt=(0,), label="average"),
    *[
        Sample(
            op, lambda x, ours=ours: ours(x, 1), (_HOLES,),
            lambda x, theirs=theirs: theirs(x, 1), label=ours.__name__,
        )
        for op, ours, theirs in [
            ("sum", sg.nansum, np.nansum), ("prod", sg.nanprod, np.nanprod),
            ("sum", sg.nanmean, np.nanmean), ("sum", sg.nanvar, np.nanvar),
            ("max", sg.nanmax, np.nanmax), ("min", sg.nanmin, np.nanmin),
        ]
    ],
    *[
        Sample(op, ours, (_X,), theirs, wrt=(0,), label=f"{ours.__name__} of numbers")
        for op, ours, theirs in _OF_NUMBERS
    ],
    Sample(
        "max", sg.nanmax, (np.array([np.nan, np.nan]),), lambda x: np.array(np.nan),
        label="nanmax of none",
    ),
    Sample(
        "searchsorted", sg.digitize, (_X, _EDGES), np.digitize, label="digitize",
    ),
    Sample(
        "scatter_add", lambda x: sg.histogram(x, 4), (_X,), lambda x: np.histogram(x, 4),
        label="histogram",
    ),
    Sample(
        "scatter_add", lambda x: sg.histogram(x, 5, (-1.0, 1.0)), (_X,),
        lambda x: np.histogram(x, 5, (-1.0, 1.0)), label="histogram of a range",
    ),
    Sample(
        "searchsorted", sg.histogram, (_X, _EDGES), np.histogram, label="histogram of edges",
    ),
    Sample(
        "searchsorted", lambda x, w: sg.histogram(x, _EDGES, weights=w)[0], (_X, _array(3, 5)),
        lambda x, w: np.histogram(x, _EDGES, weights=w)[0], wrt=(1,),
        label="histogram of weights",
    ),
    Sample(
        "scatter_add", lambda x: sg.histogram(x, 3, (-2, 2), density=True), (_X,),
        lambda x: np.histogram(x, 3, (-2, 2), density=True), label="histogram of density",
    ),
    Sample(
        "scatter_add", lambda x: sg.histogram(x, 2), (np.array([3, 3, 3]),),
        lambda x: np.histogram(x, 2), label="histogram of one value",
    ),
    Sample("matmul", sg.cov, (_X,), np.cov, wrt=(0,), label="cov"),
    Sample(
        "matmul", lambda x: sg.cov(x, rowvar=False, bias=True), (_X,),
        lambda x: np.cov(x, rowvar=False, bias=True), wrt=(0,), label="cov of columns",
    ),
    Sample("matmul", sg.cov, (_VECTOR,), np.cov, wrt=(0,), label="cov of a vector"),
    Sample("matmul", sg.corrcoef, (_X,), np.corrcoef, wrt=(0,), label="corrcoef"),
    *[
        Sample(
            op, lambda x, ours=ours, dtype=dtype: ours(x, dtype=dtype), (_INTS,),
            lambda x, theirs=theirs, dtype=dtype: theirs(x, dtype=dtype),
            label=f"{ours.__name__} in {dtype}",
        )
        for op, ours, theirs, dtype in [
            ("sum", sg.sum, np.sum, "int8"), ("sum", sg.sum, np.sum, "float64"),
            ("prod", sg.prod, np.prod, "int16"), ("mean", sg.mean, np.mean, "float64"),
            ("sum", sg.var, np.var, "float64"), ("norm", sg.std, np.std, "float64"),
            ("cumsum", sg.cumsum, np.cumsum, "int8"), ("cumprod", sg.cumprod, np.cumprod, "int16"),
        ]
    ],
]  # fmt: skip

# -- neighbours -------------------------------------------------------------------------------


def _running(function: Any, start: float) -> Any:
    def expected(x: Array) -> Array:
        first = np.full_like(x[:, :1], start)
        return np.concatenate([first, function(x, 1)], 1)

    return expected


_PLACES = np.array([-2.0, -1.0, 0.5, 0.75, 3.0])

_NEIGHBOURS = [
    Sample(
        "subtract", lambda x, options=options: sg.diff(x, **options), (_CUBE,),
        lambda x, options=options: np.diff(x, **options), wrt=(0,), label=f"diff {options}",
    )
    for options in [{}, {"axis": 0}, {"n": 2, "axis": 1}, {"n": 4}, {"prepend": 1.0, "axis": 1}]
] + [
    Sample(
        "subtract", lambda x, a, b: sg.diff(x, 1, 0, a, b), (_X, _array(2, 5), _array(1, 5)),
        lambda x, a, b: np.diff(x, 1, 0, a, b), wrt=(0, 1, 2), label="diff with ends",
    ),
    Sample("slice", lambda x: sg.diff(x, axis=0), (_NOTHING,), lambda x: np.diff(x, axis=0),
           label="diff of nothing"),
    Sample("not_equal", sg.diff, (_X > 0,), np.diff, label="diff of bools"),
    Sample(
        "cumsum", lambda x: sg.cumulative_sum(x, axis=1), (_X,), lambda x: np.cumsum(x, 1),
        wrt=(0,), label="cumulative_sum",
    ),
    Sample(
        "cumsum", lambda x: sg.cumulative_sum(x, axis=1, include_initial=True), (_X,),
        _running(np.cumsum, 0), wrt=(0,), label="cumulative_sum from 0",
    ),
    Sample(
        "cumprod", lambda x: sg.cumulative_prod(x, axis=-1, include_initial=True),
        (np.array([[2.0, 0.0, 3.0, 0.0], [1.5, 0.5, 0.0, 2.0]]),), _running(np.cumprod, 1),
        wrt=(0,), label="cumulative_prod from 1",
    ),
    Sample(
        "cumsum", lambda x: sg.cumulative_sum(x, dtype="int8"),
        (np.array([100, 100, 3], np.int16),),
        lambda x: np.array([100, -56, -53], np.int8), label="cumulative_sum in int8",
    ),
    Sample("sum", sg.trapezoid, (_X,), np.trapezoid, wrt=(0,), label="trapezoid"),
    Sample(
        "sum", lambda y, x: sg.trapezoid(y, x, axis=0), (_X, np.array([0.0, 1.0, 3.0])),
        lambda y, x: np.trapezoid(y, x, axis=0), wrt=(0, 1), label="trapezoid of places",
    ),
    Sample(
        "sum", lambda y, x: sg.trapezoid(y, x), (_X, np.sort(_array(3, 5))),
        np.trapezoid, wrt=(0, 1), label="trapezoid of a place per sample",
    ),
    Sample(
        "searchsorted", sg.interp, (_array(2, 3), _PLACES, _array(5)), np.interp, wrt=(0, 1, 2),
        label="interp",
    ),
    Sample(
        "searchsorted", lambda x, y: sg.interp(x, _PLACES, y, left=-7.0, right=7.0),
        (np.array([-9.0, -2.0, 0.5, 3.0, 9.0, np.nan]), _array(5)),
        lambda x, y: np.interp(x, _PLACES, y, -7.0, 7.0), label="interp outside",
    ),
    Sample(
        "searchsorted", sg.interp, (np.array([0.0, 1.0, 2.0]), np.array([1.0]), np.array([5.0])),
        np.interp, wrt=(2,), label="interp of one point",
    ),
    *[
        Sample(
            "concat", lambda a, v, mode=mode: sg.convolve(a, v, mode), (a, v),
            lambda a, v, mode=mode: np.convolve(a, v, mode), wrt=(0, 1),
            label=f"convolve {mode} {len(a)} {len(v)}",
        )
        for mode in ("full", "same", "valid")
        for a, v in [(_array(6), _array(3)), (_array(3), _array(4)), (_array(3), _array(1))]
    ],
    Sample(
        "concat", lambda a: sg.convolve(a, [1.0, 2.0, 3.0, 4.0], "same"), (_array(9),),
        lambda a: np.convolve(a, [1.0, 2.0, 3.0, 4.0], "same"), wrt=(0,), label="convolve known",
    ),
]  # fmt: skip

# -- grids ------------------------------------------------------------------------------------

_GRIDS = [
    *[
        Sample(
            "where", lambda x, k=k, ours=ours: ours(x, k), (x,),
            lambda x, k=k, theirs=theirs: theirs(x, k),
            wrt=(0,) if x.dtype == np.float64 else (),
            label=f"{ours.__name__} {k} of {x.dtype}{list(x.shape)}",
        )
        for ours, theirs in [(sg.tril, np.tril), (sg.triu, np.triu)]
        for x, k in [(_X, 0), (_CUBE, 1), (_CUBE, -1), (_INTS, 0), (_X > 0, 1), (_X, -9)]
    ],
    Sample(
        "where", sg.triu, (np.array([[np.nan, 1.0], [np.inf, 2.0]]),), np.triu,
        label="triu of what is no number",
    ),
    *[
        Sample(
            "broadcast_to",
            lambda *xs, indexing=indexing: sg.meshgrid(*xs, indexing=indexing), xs,
            lambda *xs, indexing=indexing: np.meshgrid(*xs, indexing=indexing),
            wrt=tuple(range(len(xs))), label=f"meshgrid {indexing} {len(xs)}",
        )
        for indexing in ("xy", "ij")
        for xs in [(_array(3),), (_array(3), _array(2)), (_array(3), _array(1), _array(2))]
    ],
    Sample(
        "broadcast_to", sg.broadcast_arrays, (_X, _array(3, 1), np.array(2)),
        lambda *xs: list(np.broadcast_arrays(*xs)), wrt=(0, 1), label="broadcast_arrays",
    ),
    Sample(
        "permute_dims", lambda x: sg.moveaxis(x, [0, -1], [1, 0]), (_CUBE,),
        lambda x: np.moveaxis(x, [0, -1], [1, 0]), wrt=(0,), label="moveaxis",
    ),
    Sample(
        "permute_dims", lambda x: sg.swapaxes(x, 0, -1), (_CUBE,),
        lambda x: np.swapaxes(x, 0, -1), wrt=(0,), label="swapaxes",
    ),
    *[
        Sample(
            "gather", lambda x, mode=mode: sg.pad(x, [(2, 4), (3, 0)], mode), (x,),
            lambda x, mode=mode: np.pad(x, [(2, 4), (3, 0)], mode), wrt=(0,),
            label=f"pad {mode} {list(x.shape)}",
        )
        for mode in ("edge", "reflect", "symmetric", "wrap")
        for x in (_array(3, 2), _array(1, 4))
    ],
    Sample(
        "gather", lambda x: sg.roll(x, (1, -2), (0, 1)), (_X,),
        lambda x: np.roll(x, (1, -2), (0, 1)), wrt=(0,), label="roll of two axes",
    ),
    Sample(
        "searchsorted", lambda x, n: sg.repeat(x, n, 1), (_X, np.array([2, 0, 1, 3, 0])),
        lambda x, n: np.repeat(x, n, 1), wrt=(0,), label="repeat of the run",
    ),
    Sample(
        "searchsorted", sg.repeat, (_X, np.array(2)), lambda x, n: np.repeat(x, n), wrt=(0,),
        label="repeat of one number of the run",
    ),
]  # fmt: skip

SAMPLES: list[Sample] = [*_QUANTILES, *_STATISTICS, *_NEIGHBOURS, *_GRIDS]


def _x(*shape: int | None) -> Any:
    return sg.placeholder("float32", shape, name="x")


def _message(op: str, problem: str, shape: str, *details: str) -> str:
    lines = [f"{op}: {problem}", f"  x 'x'  float32{shape}  placeholder at {{here}}"]
    return "\n".join([*lines, *[f"  {d}" for d in details], "  created at {here}: {line}"])


REFUSALS: list[Refusal] = [
    Refusal(
        "sort", lambda: sg.quantile(_x(3), 1.5), ShapeError,
        "quantile: q=1.5 is no share of 1\n  give numbers from 0 to 1\n  at {here}: {line}",
        label="quantile",
    ),
    Refusal(
        "cumsum", lambda: sg.cumulative_sum(_x(3, 4)), ShapeError,
        _message("cumulative_sum", "x has 2 axes, and none is named", "[3, 4]",
                 "give axis=...; sg.reshape(x, -1) flattens"),
        label="cumulative_sum",
    ),
    Refusal(
        "permute_dims", lambda: sg.tril(_x(3)), ShapeError,
        _message("tril", "a matrix has two axes, 'x' has 1", "[3]", "sg.expand_dims adds one"),
        label="tril",
    ),
    Refusal(
        "permute_dims", lambda: sg.moveaxis(_x(3, 4), [0, 0], [0, 1]), ShapeError,
        _message("moveaxis", "an axis stands twice in [0, 0]", "[3, 4]",
                 "name every axis once"),
        label="moveaxis",
    ),
    Refusal(
        "pad", lambda: sg.pad(_x(0), 1, "edge"), ShapeError,
        _message("pad", "axis 0 is empty, so there is nothing to repeat", "[0]",
                 "mode='constant' needs nothing"),
        label="edge of nothing",
    ),
    Refusal(
        "slice", lambda: sg.convolve(_x(3, 4), 1.0), ShapeError,
        "convolve: a has shape [3, 4]\n"
        "  a 'x'  float32[3, 4]  placeholder at {here}\n"
        "  give vectors with elements; sg.reshape(x, -1) flattens\n"
        "  created at {here}: {line}",
        label="convolve",
    ),
]  # fmt: skip
