"""NumPy's own functions of searching, sets, statistics and grids on tensors: what NumPy gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

X = np.array([[3.0, 1.0, 2.5], [-1.0, 7.0, 3.0]])
V = np.array([0.5, 2.0, -1.0, 2.0])
N = np.array([3, 0, 3, 1])

CALLS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (np.argwhere, (X,)),
    (np.flatnonzero, (V,)),
    (np.nonzero, (X,)),
    (lambda a, v: np.searchsorted(a, v, side="right"), (np.sort(V), X)),
    (lambda a, v: np.searchsorted(a, v, sorter=np.argsort(a)), (V, X)),
    (lambda a, b: np.isin(a, b, invert=True), (X, V)),
    (lambda x, b: np.digitize(x, b, right=True), (X, np.sort(V))),
    (lambda x: np.unique(x, True, True, True), (X,)),
    (np.unique_all, (X,)),
    (np.unique_counts, (V,)),
    (np.unique_inverse, (X,)),
    (np.unique_values, (V,)),
    (lambda x: np.bincount(x, minlength=6), (N,)),
    (np.bincount, (N, V)),
    (lambda x: np.histogram(x, 3, range=(-1, 7)), (X,)),
    (lambda x: np.quantile(x, [0.25, 0.6], axis=1, method="linear"), (X,)),
    (lambda x: np.percentile(x, 30, keepdims=True), (X,)),
    (lambda x: np.median(x, axis=0), (X,)),
    (lambda x, w: np.average(x, weights=w), (V, np.array([1.0, 2.0, 3.0, 4.0]))),
    (lambda x: np.ptp(x, axis=1), (X,)),
    (lambda x: np.nansum(x, axis=0), (X,)),
    (np.nanprod, (X,)),
    (np.nanmean, (X,)),
    (lambda x: np.nanvar(x, ddof=1), (X,)),
    (np.nanmax, (X,)),
    (np.nanmin, (X,)),
    (np.cov, (X,)),
    (np.corrcoef, (X,)),
    (lambda x: np.diff(x, 1, 0), (X,)),
    (lambda x: np.cumulative_sum(x, axis=1, include_initial=True), (X,)),
    (lambda x: np.cumulative_prod(x, axis=0), (X,)),
    (lambda x: np.trapezoid(x, dx=0.5), (X,)),
    (lambda x, p, f: np.interp(x, p, f, left=-1.0), (X, np.array([0.0, 1.0, 3.0]), V[:3])),
    (lambda a, v: np.convolve(a, v, "same"), (V, V[:2])),
    (lambda x: np.tril(x, -1), (X,)),
    (np.triu, (X,)),
    (lambda a, b: np.meshgrid(a, b, indexing="ij"), (V, V[:2])),
    (np.broadcast_arrays, (X, V[:3])),
    (lambda x: np.swapaxes(x, 0, 1), (X,)),
    (lambda x: np.moveaxis(x, 0, -1), (X,)),
    (lambda x: np.pad(x, 2, mode="reflect"), (V,)),
    (lambda x: np.roll(x, (1, 1), axis=(0, 1)), (X,)),
    (np.repeat, (V, N)),
    (lambda x: np.sum(x, dtype="float32"), (X,)),
    (lambda x: np.cumsum(x, axis=0, dtype="int64"), (N,)),
    (lambda x: np.astype(x, np.float32), (X,)),
    (lambda x: np.sort(x, axis=0, kind="stable"), (X,)),
]


@pytest.mark.parametrize(("call", "arrays"), CALLS)
def test_a_function_of_numpy(call: Callable[..., Any], arrays: tuple[Any, ...]) -> None:
    with sg.Graph().as_default():
        feeds = [sg.placeholder(array.dtype, (None,) * array.ndim) for array in arrays]
        result = call(*feeds)
        tensors = list(result) if isinstance(result, list | tuple) else [result]
        assert all(isinstance(tensor, sg.Tensor) for tensor in tensors)
        have = sg.Session().run(tensors, dict(zip(feeds, arrays, strict=True)))
    want = call(*arrays)
    listed = list(want) if isinstance(want, list | tuple) else [want]
    for actual, expected in zip(have, listed, strict=True):
        assert actual.dtype == expected.dtype
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_what_is_not_there_is_refused() -> None:
    x: Any = sg.placeholder("float64", (None,))
    calls: list[Callable[[], Any]] = [
        lambda: np.cov(x, dtype="float32"),
        lambda: np.where(x > 0),
    ]
    for call in calls:
        with pytest.raises(sg.GraphError):
            call()
