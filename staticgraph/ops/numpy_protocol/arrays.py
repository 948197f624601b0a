"""NumPy's functions of whole arrays on tensors: reductions, statistics, shapes, joining, making."""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core.graph import Tensor
from staticgraph.ops import (
    arranging,
    choosing,
    contraction,
    creation,
    differences,
    grids,
    histograms,
    joining,
    nan_statistics,
    places,
    polynomials,
    quantiles,
    reduction,
    shaping,
    slopes,
    stacking,
    statistics,
    variance,
)
from staticgraph.ops.numpy_protocol.row import Row

_REDUCED = "a>x axis dtype out keepdims initial where"


def _broadcast_arrays(*args: Any) -> list[Tensor]:
    return grids.broadcast_arrays(*args)


def _meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> list[Tensor]:
    return grids.meshgrid(*xi, indexing=indexing, sparse=sparse)


def _atleast_1d(*arys: Any) -> Any:
    return stacking.atleast_1d(*arys)


def _atleast_2d(*arys: Any) -> Any:
    return stacking.atleast_2d(*arys)


def _atleast_3d(*arys: Any) -> Any:
    return stacking.atleast_3d(*arys)


def _ix(*args: Any) -> tuple[Tensor, ...]:
    return tuple(places.ix_(*args))


def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    return slopes.gradient(f, *varargs, axis=axis, edge_order=edge_order)


def _extract(condition: Any, arr: Any) -> Tensor:
    return choosing.compress(shaping.ravel(condition), shaping.ravel(arr))


def _apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Tensor:
    return choosing.apply_along_axis(func1d, axis, arr, *args, **kwargs)


def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Tensor:
    return choosing.piecewise(x, condlist, funclist, *args, **kw)


ARRAYS: dict[Any, Row] = {
    np.sum: Row(reduction.sum, _REDUCED),
    np.prod: Row(reduction.prod, _REDUCED),
    np.mean: Row(reduction.mean, "a>x axis dtype out keepdims * where"),
    np.max: Row(reduction.max, "a>x axis out keepdims initial where"),
    np.amax: Row(reduction.max, "a>x axis out keepdims initial where"),
    np.min: Row(reduction.min, "a>x axis out keepdims initial where"),
    np.amin: Row(reduction.min, "a>x axis out keepdims initial where"),
    np.any: Row(reduction.any, "a>x axis out keepdims * where"),
    np.all: Row(reduction.all, "a>x axis out keepdims * where"),
    np.argmax: Row(reduction.argmax, "a>x axis out * keepdims"),
    np.argmin: Row(reduction.argmin, "a>x axis out * keepdims"),
    np.std: Row(
        variance.std, "a>x axis dtype out ddof>correction keepdims * where mean correction"
    ),
    np.var: Row(
        variance.var, "a>x axis dtype out ddof>correction keepdims * where mean correction"
    ),
    np.count_nonzero: Row(reduction.count_nonzero, "a>x axis * keepdims"),
    np.concatenate: Row(joining.concat, "arrays>xs axis out * dtype casting"),
    np.stack: Row(joining.stack, "arrays>xs axis out * dtype casting"),
    np.split: Row(joining.split, "ary>x indices_or_sections axis"),
    np.reshape: Row(shaping.reshape, "a>x shape order * copy"),
    np.ravel: Row(shaping.ravel, "a>x order"),
    np.transpose: Row(shaping.permute_dims, "a>x axes"),
    np.matrix_transpose: Row(shaping.matrix_transpose, "x"),
    np.swapaxes: Row(grids.swapaxes, "a>x axis1 axis2"),
    np.moveaxis: Row(grids.moveaxis, "a>x source destination"),
    np.expand_dims: Row(shaping.expand_dims, "a>x axis"),
    np.squeeze: Row(shaping.squeeze, "a>x axis"),
    np.broadcast_to: Row(shaping.broadcast_to, "array>x shape subok"),
    np.flip: Row(arranging.flip, "m>x axis"),
    np.roll: Row(arranging.roll, "a>x shift axis"),
    np.tile: Row(arranging.tile, "A>x reps>repetitions"),
    np.repeat: Row(arranging.repeat, "a>x repeats axis"),
    np.pad: Row(arranging.pad, "array>x pad_width mode * constant_values end_values stat_length"),
    np.zeros_like: Row(creation.zeros_like, "a>x dtype order subok shape * device"),
    np.ones_like: Row(creation.ones_like, "a>x dtype order subok shape * device"),
    np.full_like: Row(creation.full_like, "a>x fill_value dtype order subok shape * device"),
    np.digitize: Row(histograms.digitize, "x bins right"),
    np.histogram: Row(histograms.histogram, "a>x bins range density weights"),
    np.quantile: Row(
        quantiles.quantile, "a>x q axis out overwrite_input method keepdims * weights"
    ),
    np.percentile: Row(
        quantiles.percentile, "a>x q axis out overwrite_input method keepdims * weights"
    ),
    np.median: Row(quantiles.median, "a>x axis out overwrite_input keepdims"),
    np.average: Row(statistics.average, "a>x axis weights returned * keepdims"),
    np.ptp: Row(statistics.ptp, "a>x axis out keepdims"),
    np.nansum: Row(nan_statistics.nansum, "a>x axis dtype out keepdims initial where"),
    np.nanprod: Row(nan_statistics.nanprod, "a>x axis dtype out keepdims initial where"),
    np.nanmean: Row(nan_statistics.nanmean, "a>x axis dtype out keepdims * where"),
    np.nanvar: Row(
        nan_statistics.nanvar, "a>x axis dtype out ddof>correction keepdims * where mean correction"
    ),
    np.nanmax: Row(nan_statistics.nanmax, "a>x axis out keepdims initial where"),
    np.nanmin: Row(nan_statistics.nanmin, "a>x axis out keepdims initial where"),
    np.cov: Row(statistics.cov, "m y rowvar bias ddof fweights aweights * dtype"),
    np.corrcoef: Row(statistics.corrcoef, "x y rowvar bias ddof * dtype"),
    np.diff: Row(differences.diff, "a>x n axis prepend append"),
    np.cumulative_sum: Row(differences.cumulative_sum, "x * axis dtype out include_initial"),
    np.cumulative_prod: Row(differences.cumulative_prod, "x * axis dtype out include_initial"),
    np.trapezoid: Row(differences.trapezoid, "y x dx axis"),
    np.interp: Row(differences.interp, "x xp fp left right period"),
    np.convolve: Row(differences.convolve, "a v mode"),
    np.tril: Row(grids.tril, "m>x k"),
    np.triu: Row(grids.triu, "m>x k"),
    np.meshgrid: Row(_meshgrid, "+ * copy sparse indexing"),
    np.broadcast_arrays: Row(_broadcast_arrays, "+ * subok"),
    np.empty_like: Row(creation.empty_like, "a>x dtype order subok shape * device"),
    np.linalg.matrix_transpose: Row(shaping.matrix_transpose, "x"),
    np.vstack: Row(stacking.vstack, "tup * dtype casting"),
    np.hstack: Row(stacking.hstack, "tup * dtype casting"),
    np.dstack: Row(stacking.dstack, "tup"),
    np.column_stack: Row(stacking.column_stack, "tup"),
    np.block: Row(stacking.block, "arrays"),
    np.append: Row(stacking.append, "arr>x values axis"),
    np.delete: Row(stacking.delete, "arr>x obj axis"),
    np.insert: Row(stacking.insert, "arr>x obj values axis"),
    np.array_split: Row(stacking.array_split, "ary>x indices_or_sections axis"),
    np.hsplit: Row(stacking.hsplit, "ary>x indices_or_sections"),
    np.vsplit: Row(stacking.vsplit, "ary>x indices_or_sections"),
    np.dsplit: Row(stacking.dsplit, "ary>x indices_or_sections"),
    np.unstack: Row(joining.unstack, "x * axis"),
    np.atleast_1d: Row(_atleast_1d, "+ *"),
    np.atleast_2d: Row(_atleast_2d, "+ *"),
    np.atleast_3d: Row(_atleast_3d, "+ *"),
    np.array_equiv: Row(grids.array_equiv, "a1>lhs a2>rhs"),
    np.diagflat: Row(places.diagflat, "v>x k"),
    np.polyval: Row(polynomials.polyval, "p x"),
    np.polyadd: Row(polynomials.polyadd, "a1 a2"),
    np.polysub: Row(polynomials.polysub, "a1 a2"),
    np.polymul: Row(polynomials.polymul, "a1 a2"),
    np.polyder: Row(polynomials.polyder, "p m"),
    np.polyint: Row(polynomials.polyint, "p m k"),
    np.polyfit: Row(polynomials.polyfit, "x y deg rcond full w cov"),
    np.fliplr: Row(arranging.fliplr, "m>x"),
    np.flipud: Row(arranging.flipud, "m>x"),
    np.rot90: Row(arranging.rot90, "m>x k axes"),
    np.resize: Row(arranging.resize, "a>x new_shape"),
    np.trim_zeros: Row(arranging.trim_zeros, "filt trim axis"),
    np.rollaxis: Row(grids.rollaxis, "a>x axis start"),
    np.linspace: Row(creation.linspace, "start stop num endpoint retstep dtype axis * device"),
    np.logspace: Row(creation.logspace, "start stop num endpoint base dtype axis"),
    np.geomspace: Row(creation.geomspace, "start stop num endpoint dtype axis"),
    np.ix_: Row(_ix, "+ *"),
    np.unravel_index: Row(places.unravel_index, "indices shape order"),
    np.ravel_multi_index: Row(places.ravel_multi_index, "multi_index dims mode order"),
    np.tril_indices_from: Row(places.tril_indices_from, "arr>x k"),
    np.triu_indices_from: Row(places.triu_indices_from, "arr>x k"),
    np.select: Row(choosing.select, "condlist choicelist default"),
    np.piecewise: Row(_piecewise, "+ *"),
    np.choose: Row(choosing.choose, "a choices out mode"),
    np.compress: Row(choosing.compress, "condition a>x axis out"),
    np.extract: Row(_extract, "condition arr"),
    np.apply_along_axis: Row(_apply_along_axis, "+ *"),
    np.gradient: Row(_gradient, "+ * axis edge_order"),
    np.ediff1d: Row(differences.ediff1d, "ary>x to_end to_begin"),
    np.correlate: Row(differences.correlate, "a v mode"),
    np.inner: Row(contraction.inner, "a>lhs b>rhs"),
    np.vdot: Row(contraction.vdot, "a>lhs b>rhs"),
    np.histogram2d: Row(histograms.histogram2d, "x y bins range density weights"),
    np.histogramdd: Row(histograms.histogramdd, "sample bins range density weights"),
    np.histogram_bin_edges: Row(histograms.histogram_bin_edges, "a>x bins range weights"),
    np.nanstd: Row(
        nan_statistics.nanstd, "a>x axis dtype out ddof>correction keepdims * where mean correction"
    ),
    np.nanargmax: Row(nan_statistics.nanargmax, "a>x axis out * keepdims"),
    np.nanargmin: Row(nan_statistics.nanargmin, "a>x axis out * keepdims"),
    np.nancumsum: Row(nan_statistics.nancumsum, "a>x axis dtype out"),
    np.nancumprod: Row(nan_statistics.nancumprod, "a>x axis dtype out"),
    np.nanmedian: Row(quantiles.nanmedian, "a>x axis out overwrite_input keepdims"),
    np.nanquantile: Row(
        quantiles.nanquantile, "a>x q axis out overwrite_input method keepdims * weights"
    ),
    np.nanpercentile: Row(
        quantiles.nanpercentile, "a>x q axis out overwrite_input method keepdims * weights"
    ),
}
