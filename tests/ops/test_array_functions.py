"""NumPy's functions of whole arrays: called on tensors they give what they give on arrays.

Each call is made with NumPy on arrays, with NumPy on tensors, and with staticgraph's function of
that name; with known and with unknown sizes, on both backends.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]

_random = np.random.default_rng(17)
X = _random.normal(size=(3, 4))
CUBE = _random.normal(size=(2, 3, 4))
V = _random.normal(size=7)
INTS = _random.integers(-4, 5, (3, 4)).astype(np.int32)
BOOLS = _random.random((3, 4)) < 0.5
HOLES = np.where(_random.random((4, 5)) < 0.3, np.nan, _random.normal(size=(4, 5)))
HOLES[:, 1] = np.nan
EMPTY = np.zeros((0, 4))
COMPLEX = X + 1j * X[::-1]

# What is called m is numpy in one call and staticgraph in another.
CALLS: list[tuple[str, Call, tuple[Array, ...]]] = [
    *[(f"rot90 {k} {axes}", lambda m, x, k=k, axes=axes: m.rot90(x, k, axes), (CUBE,))
      for k in (0, 1, 2, 3, -1, 7) for axes in ((0, 1), (2, 0))],
    ("fliplr", lambda m, x: m.fliplr(x), (CUBE,)),
    ("flipud", lambda m, x: m.flipud(x), (V,)),
    ("ravel", lambda m, x: m.ravel(x), (CUBE,)),
    ("atleast_1d", lambda m, x: m.atleast_1d(x), (np.array(2.0),)),
    ("atleast_2d", lambda m, x: m.atleast_2d(x), (V,)),
    ("atleast_3d 0", lambda m, x: m.atleast_3d(x), (np.array(2),)),
    ("atleast_3d 1", lambda m, x: m.atleast_3d(x), (V,)),
    ("atleast_3d 2", lambda m, x: m.atleast_3d(x), (X,)),
    ("atleast_3d 3", lambda m, x: m.atleast_3d(x), (CUBE,)),
    ("atleast_1d of two", lambda m, x, y: list(m.atleast_1d(x, y)), (V, np.array(1.0))),
    ("vstack", lambda m, x, y: m.vstack([x, y]), (X, X[0])),
    ("hstack", lambda m, x, y: m.hstack([x, y]), (X, INTS)),
    ("hstack of vectors", lambda m, x, y: m.hstack([x, y]), (V, X[0])),
    ("dstack", lambda m, x, y: m.dstack([x, y]), (X, X)),
    ("dstack of vectors", lambda m, x, y: m.dstack([x, y]), (V, V)),
    ("column_stack", lambda m, x, y: m.column_stack([x, y]), (X, X[:, 0])),
    ("block", lambda m, x, y: m.block([[x, y], [y, x]]), (X, INTS)),
    ("block deep", lambda m, x: m.block([[[x], [x]]]), (X,)),
    ("block of one", lambda m, x: m.block(x), (X,)),
    ("block of vectors", lambda m, x: m.block([x, 1.0, x]), (V,)),
    ("append", lambda m, x, y: m.append(x, y), (X, INTS)),
    ("append along", lambda m, x, y: m.append(x, y, axis=1), (X, X)),
    *[(f"delete {obj} {axis}", lambda m, x, obj=obj, axis=axis: m.delete(x, obj, axis), (x,))
      for x, axis in ((X, 0), (X, -1), (V, 0), (X, None)) for obj in (0, 1, -1, -3)],
    *[(f"delete known {obj}", lambda m, x, obj=obj: m.delete(x, obj, 1), (X,))
      for obj in ([0, -1], slice(1, None, 2), [], [False, True, True, False])],
    *[(f"insert {obj}", lambda m, x, y, obj=obj: m.insert(x, obj, y, 1), (X, V[:3]))
      for obj in ([0], [1])],
    *[(f"insert {obj} scalar", lambda m, x, obj=obj: m.insert(x, obj, 7, 0), (X,))
      for obj in (0, 2, -1, 3)],
    ("insert several before one", lambda m, x, y: m.insert(x, 1, y, 0), (X, CUBE[0][:2])),
    ("insert row", lambda m, x, y: m.insert(x, 1, y, 1), (X, V[:3])),
    *[(f"insert known {obj}", lambda m, x, y, obj=obj: m.insert(x, obj, y), (V, V[:2]))
      for obj in ([0, 3], [5, 5], slice(0, 4, 2), np.array([6, -7]))],
    ("insert none", lambda m, x: m.insert(x, [], 3.0), (V,)),
    *[(f"array_split {n} {axis}", lambda m, x, n=n, axis=axis: m.array_split(x, n, axis), (X,))
      for n in (1, 2, 3, 5) for axis in (0, 1)],
    ("array_split places", lambda m, x: m.array_split(x, [1, -2, 9]), (V,)),
    ("hsplit", lambda m, x: m.hsplit(x, 2), (X,)),
    ("hsplit vector", lambda m, x: m.hsplit(x, [2, 3]), (V,)),
    ("vsplit", lambda m, x: m.vsplit(x, [1]), (X,)),
    ("dsplit", lambda m, x: m.dsplit(x, 2), (CUBE,)),
    *[(f"rollaxis {axis} {start}",
       lambda m, x, axis=axis, start=start: m.rollaxis(x, axis, start), (CUBE,))
      for axis in (0, 1, -1) for start in (0, 1, 2, 3, -1)],
    *[(f"resize {shape}", lambda m, x, shape=shape: m.resize(x, shape), (X,))
      for shape in ((2, 2), (5, 4), (0,), 13)],
    ("resize of nothing", lambda m, x: m.resize(x, (2, 2)), (EMPTY,)),
    *[(f"trim_zeros {trim} {list(x)}", lambda m, x, trim=trim: m.trim_zeros(x, trim), (x,))
      for trim in ("fb", "f", "b")
      for x in (np.array([0, 0, 1, 0, 2, 0]), np.zeros(3), np.zeros(0), np.array([1.0, 0.0]))],
    ("trim_zeros of a matrix", lambda m, x: m.trim_zeros(x),
     (np.pad(np.eye(2), ((1, 2), (0, 1))),)),
    ("trim_zeros along", lambda m, x: m.trim_zeros(x, axis=1),
     (np.pad(np.eye(2), ((1, 2), (0, 1))),)),
    *[(f"pad {mode} {options} of {x.dtype}",
       lambda m, x, mode=mode, options=options: m.pad(x, [(2, 1), (0, 3)], mode, **options), (x,))
      for x in (X, INTS)
      for mode, options in (
          ("linear_ramp", {}), ("linear_ramp", {"end_values": ((5, -4), (0, 3))}),
          ("maximum", {}), ("minimum", {"stat_length": 2}), ("mean", {"stat_length": (1, 2)}),
          ("median", {"stat_length": ((2, 1), (3, 2))}), ("mean", {}), ("median", {}),
          ("constant", {"constant_values": (3, 4)}),
          ("constant", {"constant_values": ((1, 2), (3, 4))}),
      )],
    ("meshgrid sparse", lambda m, x, y: list(m.meshgrid(x, y, sparse=True)), (V, X[0])),
    ("select", lambda m, x: m.select([x < -0.5, x > 0.5], [x * 2, x * x], -x), (X,)),
    ("select default", lambda m, x, y: m.select([x], [y]), (BOOLS, INTS)),
    ("piecewise", lambda m, x: m.piecewise(x, [x < 0, x > 1], [lambda v: -v, lambda v: v * v]),
     (X,)),
    ("piecewise rest", lambda m, x: m.piecewise(x, [x < 0], [lambda v, a: v * a, lambda v, a: a],
                                                3.0), (X,)),
    *[(f"choose {mode}", lambda m, a, x, mode=mode: m.choose(a, [x, 0.5, -x], mode=mode),
       (np.array([[0, 1, 2, 1]]) + (0 if mode == "raise" else 5), X))
      for mode in ("raise", "wrap", "clip")],
    ("compress", lambda m, x: m.compress([True, False, True], x, axis=0), (X,)),
    ("compress of the run", lambda m, c, x: m.compress(c, x), (BOOLS[0], X)),
    ("apply_along_axis", lambda m, x: m.apply_along_axis(lambda row: row * row[0], 1, x), (CUBE,)),
    ("apply_along_axis to a number", lambda m, x: m.apply_along_axis(lambda v: v.sum(), 0, x),
     (CUBE,)),
    ("apply_along_axis to a matrix",
     lambda m, x: m.apply_along_axis(lambda v: v[:, None] * v, 1, x), (CUBE,)),
    ("gradient", lambda m, x: m.gradient(x), (V,)),
    ("gradient of both axes", lambda m, x: list(m.gradient(x, edge_order=2)), (X,)),
    ("gradient apart", lambda m, x: list(m.gradient(x, 0.5, 2.0)), (X,)),
    ("gradient of ints", lambda m, x: m.gradient(x, 2.0, axis=0), (INTS,)),
    ("gradient axes", lambda m, x: list(m.gradient(x, 0.5, axis=(2, 0))),
     (np.concatenate([CUBE] * 2),)),
    ("gradient at places", lambda m, x, t: m.gradient(x, t), (V, np.cumsum(np.abs(V)))),
    ("gradient at places, order 2", lambda m, x, t: m.gradient(x, t, axis=1, edge_order=2),
     (CUBE, np.array([0.0, 1.0, 3.0]))),
    ("ediff1d", lambda m, x: m.ediff1d(x, 99.0, [1.0, 2.0]), (X,)),
    *[(f"correlate {mode} {len(a)} {len(v)}", lambda m, a, v, mode=mode: m.correlate(a, v, mode),
       (a, v)) for mode in ("valid", "same", "full")
      for a, v in ((V, X[0]), (X[0], V), (V, V[:3]), (V[:4], V[:6]), (COMPLEX[0], COMPLEX[1, :3]))],
    ("inner", lambda m, x, y: m.inner(x, y), (CUBE, X)),
    ("inner of a scalar", lambda m, x, y: m.inner(x, y), (CUBE, np.array(2.0))),
    ("vdot", lambda m, x, y: m.vdot(x, y), (COMPLEX, COMPLEX.T)),
    ("array_equiv", lambda m, x, y: m.array_equiv(x, y), (X, X[:1])),
    ("array_equiv of equals", lambda m, x, y: m.array_equiv(x, y), (X[:1], X[0])),
    ("diagflat", lambda m, x: m.diagflat(x, -1), (X,)),
    ("polyval known", lambda m, p, x: m.polyval(p, x), (V, X)),
    ("polyval of ints", lambda m, x: m.polyval(np.array([2, 0, 1]), x), (INTS,)),
    ("polyadd known", lambda m, p, q: m.polyadd(p, q), (V, V[:3])),
    ("polysub known", lambda m, p, q: m.polysub(p, q), (V[:2], V)),
    ("polymul known", lambda m, p, q: m.polymul(p, q), (V[:2], V)),
    *[(f"polyder known {n}", lambda m, p, n=n: m.polyder(p, n), (V[:3],)) for n in (0, 1, 2, 4)],
    ("polyint known", lambda m, p: m.polyint(p, 2, [1.0, -3.0]), (V[:3],)),
    ("polyint known of ints", lambda m, p: m.polyint(p), (INTS[0],)),
    ("polyfit", lambda m, x, y: m.polyfit(x, y, 2), (V, V[::-1] ** 2)),
    ("polyfit of columns", lambda m, x, y: m.polyfit(x, y, 1), (V[:3], X)),
    ("polyfit of weights", lambda m, x, y, w: m.polyfit(x, y, 2, w=w), (V, V[::-1] ** 2, abs(V))),
    # Nothing, and one element.
    *[(f"{label} of {x.dtype}{list(x.shape)}", call, (x,))
      for x in (EMPTY, EMPTY.T, np.ones((1, 1), np.int8), np.zeros((1, 0), bool))
      for label, call in [
          ("rot90", lambda m, x: m.rot90(x)), ("fliplr", lambda m, x: m.fliplr(x)),
          ("vstack", lambda m, x: m.vstack([x, x])), ("hstack", lambda m, x: m.hstack([x, x])),
          ("dstack", lambda m, x: m.dstack([x, x])),
          ("column_stack", lambda m, x: m.column_stack([x, x])),
          ("block", lambda m, x: m.block([[x, x], [x, x]])),
          ("array_split", lambda m, x: m.array_split(x, 3)),
          ("hsplit", lambda m, x: m.hsplit(x, 1)), ("append", lambda m, x: m.append(x, x)),
          ("insert at", lambda m, x: m.insert(x, 0, x, 0)),
          ("delete known none", lambda m, x: m.delete(x, slice(0, 0), 0)),
          ("ravel", lambda m, x: m.ravel(x)), ("select", lambda m, x: m.select([x != 0], [x])),
          ("compress", lambda m, x: m.compress([], x, 0)),
          ("choose of", lambda m, x: m.choose(np.array([0]), [x, x])),
          ("nansum", lambda m, x: m.nansum(x, 0)), ("nanprod", lambda m, x: m.nanprod(x, 1)),
          ("nanmean", lambda m, x: m.nanmean(x, 1)), ("nanstd", lambda m, x: m.nanstd(x, 0)),
          ("nancumsum", lambda m, x: m.nancumsum(x, 1)),
          ("resize", lambda m, x: m.resize(x, (2, 3))),
          ("pad", lambda m, x: m.pad(x, 1, constant_values=(0, 1))),
          ("rollaxis", lambda m, x: m.rollaxis(x, 1)), ("trim_zeros", lambda m, x: m.trim_zeros(x)),
          ("diagflat", lambda m, x: m.diagflat(x)),
          ("polyval at", lambda m, x: m.polyval(np.array([1, 2], np.int8), x)),
          ("apply_along_axis", lambda m, x: m.apply_along_axis(lambda v: v[::-1], 1, x)),
          ("digitize", lambda m, x: m.digitize(x, np.array([0.0, 1.0]))),
          ("unravel_index", lambda m, x: list(m.unravel_index(x.astype(np.int64), (2, 2)))),
      ] if (label, x.dtype) != ("polyval at", bool) and (label, x.size) != ("apply_along_axis", 0)],
    ("gradient of two", lambda m, x: m.gradient(x, axis=0), (X[:2],)),
    ("gradient of no rows", lambda m, x: m.gradient(x, axis=1), (EMPTY,)),
    ("linspace of none", lambda m, x: m.linspace(x, 1.0, 0), (X,)),
    ("linspace of one", lambda m, x: m.linspace(x, 1.0, 1), (X,)),
    ("geomspace of one", lambda m, x: m.geomspace(x, 1.0, 1), (np.abs(X),)),
    ("unravel_index", lambda m, i: list(m.unravel_index(i, (3, 4, 2))),
     (np.array([[5, 23], [0, 9]]),)),
    ("ravel_multi_index", lambda m, i, j: m.ravel_multi_index((i, j), (3, 4)),
     (np.array([2, 0]), np.array([3, 1]))),
    ("ravel_multi_index modes",
     lambda m, i, j: m.ravel_multi_index((i, j), (3, 4), mode=("wrap", "clip")),
     (np.array([-2, 7]), np.array([9, -1]))),
    ("ix_", lambda m, i, j: list(m.ix_(i, j)), (np.array([0, 2]), np.array([True, False, True]))),
    ("tril_indices_from", lambda m, x: list(m.tril_indices_from(x, 1)), (X,)),
    ("triu_indices_from", lambda m, x: list(m.triu_indices_from(x, -1)), (X,)),
    ("linspace", lambda m, x, y: m.linspace(x, y, 5, axis=1), (X, X[0])),
    ("linspace open", lambda m, x, y: m.linspace(x, y, 5, endpoint=False, axis=-1), (X[0], X)),
    ("logspace", lambda m, x: m.logspace(x, 2.0, 4, base=3.0), (V,)),
    ("geomspace", lambda m, x: m.geomspace(x, 2.0, 4, axis=-1), (np.abs(V),)),
    ("geomspace of negatives", lambda m, x: m.geomspace(x, -2.0, 4), (-np.abs(V),)),
    *[(f"{name} {axis} {keepdims}",
       lambda m, x, name=name, axis=axis, keepdims=keepdims:
       getattr(m, name)(x, axis=axis, keepdims=keepdims), (HOLES,))

      for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin",
                   "nanmedian")
      for axis in (None, 0, 1, (0, 1)) for keepdims in (False, True)],
    *[(f"{name} of {x.dtype}", lambda m, x, name=name: getattr(m, name)(x), (x,))
      for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nancumsum", "nancumprod")
      for x in (INTS, BOOLS, np.where(BOOLS, COMPLEX, np.nan))],
    *[(f"{name} {options}", lambda m, x, name=name, options=options: getattr(m, name)(x, **options),
       (HOLES,))
      for name in ("nansum", "nanprod", "nanmax", "nanmin")
      for options in ({"initial": 0.5}, {"initial": 0.5, "where": BOOLS[0, :1], "axis": 1})],
    ("nanmean where", lambda m, x: m.nanmean(x, axis=0, where=HOLES > 0), (HOLES,)),
    ("nanstd where", lambda m, x: m.nanstd(x, where=HOLES > 0), (HOLES,)),
    ("nanargmax", lambda m, x: m.nanargmax(x, axis=1), (HOLES,)),
    ("nanargmin of all", lambda m, x: m.nanargmin(x), (HOLES,)),
    ("nanargmax keepdims", lambda m, x: m.nanargmax(x, axis=1, keepdims=True), (HOLES,)),
    ("nanargmax of infinities", lambda m, x: m.nanargmax(x, axis=0),
     (np.array([[-np.inf, 1.0], [-np.inf, np.nan]]),)),
    ("nanargmax of ints", lambda m, x: m.nanargmax(x, axis=1), (INTS,)),
    ("nancumsum", lambda m, x: m.nancumsum(x, axis=1), (HOLES,)),
    ("nancumprod", lambda m, x: m.nancumprod(x), (HOLES,)),
    ("nanquantile", lambda m, x: m.nanquantile(x, [0.25, 0.8], axis=0), (HOLES,)),
    ("nanpercentile", lambda m, x: m.nanpercentile(x, 30.0, axis=1, keepdims=True), (HOLES,)),
    ("average of both", lambda m, x: list(m.average(x, axis=1, returned=True)), (X,)),
    ("average of several axes", lambda m, x, w: m.average(x, axis=(2, 0), weights=w),
     (CUBE, _random.uniform(1, 2, (4, 2)))),
    ("average weights", lambda m, x, w: list(m.average(x, weights=w, returned=True)),
     (X, np.abs(X))),
    ("cov of two", lambda m, x, y: m.cov(x, y), (V, V[::-1] * 2)),
    ("cov fweights", lambda m, x: m.cov(x, fweights=np.array([1, 2, 0, 3])), (X,)),
    ("cov aweights", lambda m, x, w: m.cov(x, aweights=w, ddof=1), (X, np.abs(V[:4]))),
    ("cov weights", lambda m, x, w: m.cov(x, bias=True, fweights=[1, 2, 0, 3], aweights=w),
     (X, np.abs(V[:4]))),
    ("corrcoef of two", lambda m, x, y: m.corrcoef(x, y, rowvar=False), (X, X[:, :1] + 1)),
    ("histogram2d", lambda m, x, y: list(m.histogram2d(x, y, 3)), (V, V[::-1])),
    ("histogram2d of edges", lambda m, x, y: list(m.histogram2d(x, y, [2, [-1.0, 0.0, 2.0]])),
     (V, V * V)),
    ("histogram2d of one row of edges",
     lambda m, x, y: list(m.histogram2d(x, y, [-1.0, 0.0, 0.5, 2.0])), (V, V * V)),
    ("histogramdd", lambda m, x: m.histogramdd(x, (2, 3, 2), density=True)[0],
     (_random.normal(size=(20, 3)),)),
    ("histogramdd weights", lambda m, x, w: m.histogramdd(x, 2, range=[(-1, 1), (-1, 1),
     (-2, 2)], weights=w)[0],
     (_random.normal(size=(20, 3)), np.arange(20.0))),
    ("histogram_bin_edges", lambda m, x: m.histogram_bin_edges(x, 4, (0.0, 2.0)), (V,)),
    *[(f"digitize {right} {list(bins)}", lambda m, x, b, right=right: m.digitize(x, b, right),
       (X, bins)) for right in (False, True)

       for bins in map(np.array, ([-1.0, 0.0, 0.0, 1.0], [1.0, 0.0, -1.0], [0.5], []))],
    ("interp period", lambda m, x, p, f: m.interp(x, p, f, period=3.0),
     (X, np.array([2.5, 0.5, 1.0, 4.0]), V[:4])),
]  # fmt: skip


def _arrays(result: Any) -> list[Array]:
    listed = result if isinstance(result, list | tuple) else [result]
    return [np.asarray(item) for item in listed]


def _agree(have: Any, want: Any, what: str) -> None:
    actual, expected = _arrays(have), _arrays(want)
    assert len(actual) == len(expected), what
    for one, other in zip(actual, expected, strict=True):
        assert one.shape == other.shape, what
        assert one.dtype == other.dtype, what
        np.testing.assert_allclose(one, other, 1e-11, 1e-11, err_msg=what)


@pytest.mark.parametrize(("label", "call", "arrays"), CALLS, ids=[call[0] for call in CALLS])
def test_calls_on_tensors_are_those_on_arrays(
    label: str, call: Call, arrays: tuple[Array, ...]
) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        want = call(np, *arrays)
    for known in (True, False):
        with sg.Graph().as_default() as graph:
            xs = [sg.placeholder(a.dtype, a.shape if known else (None,) * a.ndim) for a in arrays]
            feeds: dict[Any, Any] = dict(zip(xs, arrays, strict=True))
            if not known and label in _OF_KNOWN_SIZES:
                continue
            fetches = [call(np, *xs), call(sg, *xs)]
        for backend in ("native", "reference"):
            with sg.Session(graph, backend=backend) as session:
                for have in session.run(fetches, feeds):
                    _agree(have, want, f"{label} {known} {backend}")


# Places that NumPy takes from the size of the array, which must be known here.
_OF_KNOWN_SIZES = {
    call[0]
    for call in CALLS
    if "known" in call[0] or call[0] in ("insert none", "insert [0]", "insert [1]", "histogramdd",
    "histogramdd weights")
}  # fmt: skip
