"""NumPy's own functions on tensors: ``numpy.sin(x)``, ``array + x``, ``numpy.sum(x, axis=0)``.

Two tables say what each function of NumPy means here; what stands in neither is refused. A row of
the second names NumPy's parameters in their order; those that our function does not have may only
be left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.errors import GraphError
from staticgraph.ops import (
    arranging,
    creation,
    cumulative,
    differences,
    fourier,
    grids,
    indexing,
    inspecting,
    joining,
    linalg,
    reduction,
    searching,
    segments,
    sets,
    shaping,
    sorting,
    statistics,
    variance,
)
from staticgraph.ops import complex as parts
from staticgraph.ops import elementwise as ew
from staticgraph.ops import elementwise_numbers as numbers
from staticgraph.ops import elementwise_trigonometric as angles
from staticgraph.ops import special as functions
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast_to, is_tensor_like
from staticgraph.ops.einsum import einsum
from staticgraph.ops.sizes import refusal

special = LazyModule("scipy.special")

Function = Callable[..., Any]

# -- ufuncs -----------------------------------------------------------------------------------


def _float_power(base: Any, exponent: Any) -> Tensor:
    """A power in float64 at least, in which that of integers does not overflow."""
    given = [x if is_tensor_like(x) else np.asarray(x) for x in (base, exponent)]
    kinds = {np.dtype(x.dtype).kind for x in given}
    wanted = dtypes.complex128 if "c" in kinds else dtypes.float64
    return ew.pow(*[
        cast_to(as_tensor(x), wanted) if is_tensor_like(x) else x.astype(wanted) for x in given
    ])  # fmt: skip


_UFUNCS: dict[Any, Function] = {
    np.add: ew.add,
    np.subtract: ew.subtract,
    np.multiply: ew.multiply,
    np.divide: ew.divide,
    np.floor_divide: ew.floor_divide,
    np.remainder: ew.remainder,
    np.power: ew.pow,
    np.float_power: _float_power,
    np.negative: ew.negative,
    np.positive: numbers.positive,
    np.absolute: ew.abs,
    np.fabs: ew.abs,
    np.sign: ew.sign,
    np.square: ew.square,
    np.sqrt: ew.sqrt,
    np.reciprocal: ew.reciprocal,
    np.exp: ew.exp,
    np.expm1: ew.expm1,
    np.log: ew.log,
    np.log1p: ew.log1p,
    np.sin: ew.sin,
    np.cos: ew.cos,
    np.tan: ew.tan,
    np.tanh: ew.tanh,
    np.floor: ew.floor,
    np.ceil: ew.ceil,
    np.rint: ew.round,
    np.trunc: ew.trunc,
    np.maximum: ew.maximum,
    np.minimum: ew.minimum,
    np.equal: ew.equal,
    np.not_equal: ew.not_equal,
    np.less: ew.less,
    np.less_equal: ew.less_equal,
    np.greater: ew.greater,
    np.greater_equal: ew.greater_equal,
    np.logical_and: ew.logical_and,
    np.logical_or: ew.logical_or,
    np.logical_xor: ew.logical_xor,
    np.logical_not: ew.logical_not,
    np.bitwise_and: ew.bitwise_and,
    np.bitwise_or: ew.bitwise_or,
    np.bitwise_xor: ew.bitwise_xor,
    np.invert: ew.bitwise_invert,
    np.isnan: ew.isnan,
    np.isinf: ew.isinf,
    np.isfinite: ew.isfinite,
    np.exp2: numbers.exp2,
    np.log2: numbers.log2,
    np.log10: numbers.log10,
    np.logaddexp: numbers.logaddexp,
    np.cbrt: numbers.cbrt,
    np.hypot: numbers.hypot,
    np.fmod: numbers.fmod,
    np.fmax: numbers.fmax,
    np.fmin: numbers.fmin,
    np.copysign: numbers.copysign,
    np.nextafter: numbers.nextafter,
    np.signbit: numbers.signbit,
    np.left_shift: numbers.bitwise_left_shift,
    np.right_shift: numbers.bitwise_right_shift,
    np.arcsin: angles.asin,
    np.arccos: angles.acos,
    np.arctan: angles.atan,
    np.arctan2: angles.atan2,
    np.sinh: angles.sinh,
    np.cosh: angles.cosh,
    np.arcsinh: angles.asinh,
    np.arccosh: angles.acosh,
    np.arctanh: angles.atanh,
    np.conjugate: parts.conj,
    np.deg2rad: angles.deg2rad,
    np.radians: angles.deg2rad,
    np.rad2deg: angles.rad2deg,
    np.degrees: angles.rad2deg,
    np.matmul: linalg.matmul,
    np.vecdot: linalg.vecdot,
}
# Ufuncs that choose between a logical and a bitwise op by dtype.
_LOGICAL_TWIN = {
    np.bitwise_and: ew.logical_and,
    np.bitwise_or: ew.logical_or,
    np.bitwise_xor: ew.logical_xor,
    np.invert: ew.logical_not,
}
# Ufuncs of scipy.special, which is loaded only when one of them meets a tensor.
_SPECIAL: dict[str, Function] = {
    "expit": ew.sigmoid,
    "erf": ew.erf,
    "erfc": functions.erfc,
    "erfinv": functions.erfinv,
    "xlogy": functions.xlogy,
    "gammaln": functions.lgamma,
    "psi": functions.digamma,
    "gammainc": functions.igamma,
    "gammaincc": functions.igammac,
}
_REDUCTIONS: dict[Any, Function] = {
    np.add: reduction.sum,
    np.multiply: reduction.prod,
    np.maximum: reduction.max,
    np.minimum: reduction.min,
    np.logical_and: reduction.all,
    np.logical_or: reduction.any,
}


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy calls for a ufunc of which an operand is a tensor."""
    name = f"numpy.{ufunc.__name__}"
    given = {key: value for key, value in options.items() if value is not None}
    if "out" in given:
        raise _refused(
            name,
            "an array cannot take the value of a tensor, which has none before a run",
            "write array = array + x instead of array += x, and leave out=... away",
        )
    if method == "reduce" and ufunc in _REDUCTIONS and not set(given) - {"axis", "keepdims"}:
        return _REDUCTIONS[ufunc](inputs[0], options.get("axis", 0), bool(given.get("keepdims")))
    if method != "__call__":
        raise _refused(
            f"{name}.{method}", "is not there for tensors", "sg.sum, sg.prod, sg.max and sg.min are"
        )
    if given:
        listed = ", ".join(f"{key}=..." for key in given)
        raise _refused(
            name, f"takes no {listed} with tensors", "sg.where chooses elements, sg.cast converts"
        )
    function = _UFUNCS.get(ufunc)
    if function is None:
        function = _SPECIAL.get(ufunc.__name__)
        if function is None or getattr(special, ufunc.__name__) is not ufunc:
            raise _missing(name, [row.__name__ for row in _UFUNCS])
    elif ufunc in _LOGICAL_TWIN and _are_bools(inputs):
        function = _LOGICAL_TWIN[ufunc]
    return function(*inputs)


def _are_bools(inputs: Sequence[Any]) -> bool:
    return all(x.dtype == np.bool_ if hasattr(x, "dtype") else isinstance(x, bool) for x in inputs)


def _refused(what: str, problem: str, way_out: str) -> Exception:
    return refusal(what, problem, way_out, error=GraphError)


def _missing(what: str, names: list[str]) -> Exception:
    return _refused(
        what,
        "is not there for tensors",
        f"those that are: {', '.join(sorted(names))}; for another fetch the tensor and apply it "
        "to the value",
    )


# -- functions --------------------------------------------------------------------------------


class _Row(NamedTuple):
    """What a function of NumPy is here.

    parameters   NumPy's, in order; ``a>x`` is called x here, those after ``*`` go by keyword only.
                 ``+`` in front of the ``*`` stands for any number of operands
    """

    function: Function
    parameters: str


_REDUCE = "a>x axis dtype out keepdims initial where"


def _shape(x: Any) -> tuple[int, ...]:
    """The sizes, where the graph knows all of them."""
    tensor = as_tensor(x)
    if not tensor.type.is_static:
        raise _refused(
            "numpy.shape", "not every size is known before the run", "sg.shape(x) is a tensor"
        )
    shape: Any = tensor.type.shape
    return tuple(shape)


def _ndim(x: Any) -> int:
    ndim = as_tensor(x).type.ndim
    if ndim is None:
        raise _refused(
            "numpy.ndim", "the rank is not known before the run", "declare it with the placeholder"
        )
    return ndim


def _round(x: Any, decimals: int = 0) -> Tensor:
    if decimals:
        raise _refused(
            "numpy.round", f"takes no decimals={decimals}", "scale: sg.round(x * 100) / 100"
        )
    return ew.round(x)


def _clip(x: Any, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Tensor:
    return ew.clip(x, a_min if min is None else min, a_max if max is None else max)


def _ravel(x: Any) -> Tensor:
    return shaping.reshape(x, -1)


def _where(condition: Any, x: Any = None, y: Any = None) -> Tensor:
    if x is None or y is None:
        raise _refused(
            "numpy.where",
            "one argument asks for places, and they are several tensors",
            "sg.nonzero(condition) gives them; sg.where(condition, x, y) chooses elements",
        )
    return ew.where(condition, x, y)


def _angle(z: Any, deg: bool = False) -> Tensor:
    return angles.rad2deg(angles.angle(z)) if deg else angles.angle(z)


def _broadcast_arrays(*args: Any) -> list[Tensor]:
    return grids.broadcast_arrays(*args)


def _meshgrid(*xi: Any, indexing: str = "xy") -> list[Tensor]:
    return grids.meshgrid(*xi, indexing=indexing)


def _vstack(tup: Any) -> Tensor:
    return joining.concat([_at_least(x, 2) for x in tup])


def _hstack(tup: Any) -> Tensor:
    rows = [_at_least(x, 1) for x in tup]
    return joining.concat(rows, 0 if rows[0].type.ndim == 1 else 1)


def _at_least(x: Any, ndim: int) -> Tensor:
    tensor = as_tensor(x)
    missing = ndim - _ndim(tensor)
    return shaping.expand_dims(tensor, tuple(range(missing))) if missing > 0 else tensor


def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    return linalg.diagonal(x, offset, axis1, axis2)


def _trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    return linalg.trace(x, offset, dtype, axis1, axis2)


_FUNCTIONS: dict[Any, _Row] = {
    np.sum: _Row(reduction.sum, _REDUCE),
    np.prod: _Row(reduction.prod, _REDUCE),
    np.mean: _Row(reduction.mean, "a>x axis dtype out keepdims * where"),
    np.max: _Row(reduction.max, "a>x axis out keepdims initial where"),
    np.amax: _Row(reduction.max, "a>x axis out keepdims initial where"),
    np.min: _Row(reduction.min, "a>x axis out keepdims initial where"),
    np.amin: _Row(reduction.min, "a>x axis out keepdims initial where"),
    np.any: _Row(reduction.any, "a>x axis out keepdims * where"),
    np.all: _Row(reduction.all, "a>x axis out keepdims * where"),
    np.argmax: _Row(reduction.argmax, "a>x axis out * keepdims"),
    np.argmin: _Row(reduction.argmin, "a>x axis out * keepdims"),
    np.std: _Row(
        variance.std, "a>x axis dtype out ddof>correction keepdims * where mean correction"
    ),
    np.var: _Row(
        variance.var, "a>x axis dtype out ddof>correction keepdims * where mean correction"
    ),
    np.count_nonzero: _Row(reduction.count_nonzero, "a>x axis * keepdims"),
    np.cumsum: _Row(cumulative.cumsum, "a>x axis dtype out"),
    np.cumprod: _Row(cumulative.cumprod, "a>x axis dtype out"),
    np.where: _Row(_where, "condition x y"),
    np.clip: _Row(_clip, "a>x a_min a_max out * min max"),
    np.round: _Row(_round, "a>x decimals out"),
    np.around: _Row(_round, "a>x decimals out"),
    np.concatenate: _Row(joining.concat, "arrays>xs axis out * dtype casting"),
    np.stack: _Row(joining.stack, "arrays>xs axis out * dtype casting"),
    np.vstack: _Row(_vstack, "tup * dtype casting"),
    np.hstack: _Row(_hstack, "tup * dtype casting"),
    np.split: _Row(joining.split, "ary>x indices_or_sections axis"),
    np.reshape: _Row(shaping.reshape, "a>x shape order * copy"),
    np.ravel: _Row(_ravel, "a>x order"),
    np.transpose: _Row(shaping.permute_dims, "a>x axes"),
    np.matrix_transpose: _Row(shaping.matrix_transpose, "x"),
    np.swapaxes: _Row(grids.swapaxes, "a>x axis1 axis2"),
    np.moveaxis: _Row(grids.moveaxis, "a>x source destination"),
    np.expand_dims: _Row(shaping.expand_dims, "a>x axis"),
    np.squeeze: _Row(shaping.squeeze, "a>x axis"),
    np.broadcast_to: _Row(shaping.broadcast_to, "array>x shape subok"),
    np.flip: _Row(arranging.flip, "m>x axis"),
    np.roll: _Row(arranging.roll, "a>x shift axis"),
    np.tile: _Row(arranging.tile, "A>x reps>repetitions"),
    np.repeat: _Row(arranging.repeat, "a>x repeats axis"),
    np.pad: _Row(arranging.pad, "array>x pad_width mode * constant_values"),
    np.take: _Row(indexing.take, "a>x indices axis out mode"),
    np.take_along_axis: _Row(indexing.take_along_axis, "arr>x indices axis"),
    np.sort: _Row(sorting.sort, "a>x axis kind order * stable"),
    np.argsort: _Row(sorting.argsort, "a>x axis kind order * stable"),
    np.zeros_like: _Row(creation.zeros_like, "a>x dtype order subok shape * device"),
    np.ones_like: _Row(creation.ones_like, "a>x dtype order subok shape * device"),
    np.full_like: _Row(creation.full_like, "a>x fill_value dtype order subok shape * device"),
    np.dot: _Row(linalg.dot, "a>lhs b>rhs out"),
    np.outer: _Row(linalg.outer, "a>lhs b>rhs out"),
    np.einsum: _Row(einsum, "+ * out dtype order casting optimize"),
    np.tensordot: _Row(linalg.tensordot, "a>lhs b>rhs axes"),
    np.argwhere: _Row(searching.argwhere, "a>x"),
    np.flatnonzero: _Row(searching.flatnonzero, "a>x"),
    np.nonzero: _Row(searching.nonzero, "a>x"),
    np.searchsorted: _Row(searching.searchsorted, "a>x1 v>x2 side sorter"),
    np.isin: _Row(searching.isin, "element>x1 test_elements>x2 assume_unique invert * kind"),
    np.digitize: _Row(statistics.digitize, "x bins right"),
    np.unique: _Row(
        sets.unique,
        "ar>x return_index return_inverse return_counts axis * equal_nan sorted",
    ),
    np.unique_all: _Row(sets.unique_all, "x"),
    np.unique_counts: _Row(sets.unique_counts, "x"),
    np.unique_inverse: _Row(sets.unique_inverse, "x"),
    np.unique_values: _Row(sets.unique_values, "x"),
    np.bincount: _Row(segments.bincount, "x weights minlength"),
    np.histogram: _Row(statistics.histogram, "a>x bins range density weights"),
    np.quantile: _Row(
        statistics.quantile, "a>x q axis out overwrite_input method keepdims * weights"
    ),
    np.percentile: _Row(
        statistics.percentile, "a>x q axis out overwrite_input method keepdims * weights"
    ),
    np.median: _Row(statistics.median, "a>x axis out overwrite_input keepdims"),
    np.average: _Row(statistics.average, "a>x axis weights returned * keepdims"),
    np.ptp: _Row(statistics.ptp, "a>x axis out keepdims"),
    np.nansum: _Row(statistics.nansum, "a>x axis dtype out keepdims initial where"),
    np.nanprod: _Row(statistics.nanprod, "a>x axis dtype out keepdims initial where"),
    np.nanmean: _Row(statistics.nanmean, "a>x axis dtype out keepdims * where"),
    np.nanvar: _Row(
        statistics.nanvar, "a>x axis dtype out ddof>correction keepdims * where mean correction"
    ),
    np.nanmax: _Row(statistics.nanmax, "a>x axis out keepdims initial where"),
    np.nanmin: _Row(statistics.nanmin, "a>x axis out keepdims initial where"),
    np.cov: _Row(statistics.cov, "m y rowvar bias ddof fweights aweights * dtype"),
    np.corrcoef: _Row(statistics.corrcoef, "x y rowvar bias ddof * dtype"),
    np.diff: _Row(differences.diff, "a>x n axis prepend append"),
    np.cumulative_sum: _Row(differences.cumulative_sum, "x * axis dtype out include_initial"),
    np.cumulative_prod: _Row(differences.cumulative_prod, "x * axis dtype out include_initial"),
    np.trapezoid: _Row(differences.trapezoid, "y x dx axis"),
    np.interp: _Row(differences.interp, "x xp fp left right period"),
    np.convolve: _Row(differences.convolve, "a v mode"),
    np.tril: _Row(grids.tril, "m>x k"),
    np.triu: _Row(grids.triu, "m>x k"),
    np.meshgrid: _Row(_meshgrid, "+ * copy sparse indexing"),
    np.broadcast_arrays: _Row(_broadcast_arrays, "+ * subok"),
    np.astype: _Row(inspecting.astype, "x dtype * copy device"),
    np.empty_like: _Row(creation.empty_like, "a>x dtype order subok shape * device"),
    np.kron: _Row(linalg.kron, "a>lhs b>rhs"),
    np.diag: _Row(linalg.diag, "v>x k"),
    np.diagonal: _Row(_diagonal, "a>x offset axis1 axis2"),
    np.trace: _Row(_trace, "a>x offset axis1 axis2 dtype out"),
    np.cross: _Row(linalg.cross, "a>lhs b>rhs axisa axisb axisc axis"),
    np.real: _Row(parts.real, "val>x"),
    np.imag: _Row(parts.imag, "val>x"),
    np.angle: _Row(_angle, "z deg"),
    np.fft.fft: _Row(fourier.fft, "a>x n axis norm out"),
    np.fft.ifft: _Row(fourier.ifft, "a>x n axis norm out"),
    np.fft.rfft: _Row(fourier.rfft, "a>x n axis norm out"),
    np.fft.irfft: _Row(fourier.irfft, "a>x n axis norm out"),
    np.fft.hfft: _Row(fourier.hfft, "a>x n axis norm out"),
    np.fft.ihfft: _Row(fourier.ihfft, "a>x n axis norm out"),
    np.fft.fftn: _Row(fourier.fftn, "a>x s axes norm out"),
    np.fft.ifftn: _Row(fourier.ifftn, "a>x s axes norm out"),
    np.fft.rfftn: _Row(fourier.rfftn, "a>x s axes norm out"),
    np.fft.irfftn: _Row(fourier.irfftn, "a>x s axes norm out"),
    np.fft.fft2: _Row(fourier.fft2, "a>x s axes norm out"),
    np.fft.ifft2: _Row(fourier.ifft2, "a>x s axes norm out"),
    np.fft.rfft2: _Row(fourier.rfft2, "a>x s axes norm out"),
    np.fft.irfft2: _Row(fourier.irfft2, "a>x s axes norm out"),
    np.fft.fftshift: _Row(fourier.fftshift, "x axes"),
    np.fft.ifftshift: _Row(fourier.ifftshift, "x axes"),
    np.linalg.norm: _Row(linalg.norm, "x ord axis keepdims"),
    np.linalg.vector_norm: _Row(linalg.vector_norm, "x * axis keepdims ord"),
    np.linalg.matrix_norm: _Row(linalg.matrix_norm, "x * keepdims ord"),
    np.linalg.cholesky: _Row(linalg.cholesky, "a>x * upper"),
    np.linalg.solve: _Row(linalg.solve, "a>lhs b>rhs"),
    np.linalg.inv: _Row(linalg.inv, "a>x"),
    np.linalg.det: _Row(linalg.det, "a>x"),
    np.linalg.slogdet: _Row(linalg.slogdet, "a>x"),
    np.linalg.eigh: _Row(linalg.eigh, "a>x UPLO"),
    np.linalg.eigvalsh: _Row(linalg.eigvalsh, "a>x UPLO"),
    np.linalg.svd: _Row(linalg.svd, "a>x full_matrices compute_uv hermitian"),
    np.linalg.svdvals: _Row(linalg.svdvals, "x"),
    np.linalg.qr: _Row(linalg.qr, "a>x mode"),
    np.linalg.pinv: _Row(linalg.pinv, "a>x rcond>rtol hermitian * rtol"),
    np.linalg.matrix_rank: _Row(linalg.matrix_rank, "A>x tol hermitian * rtol"),
    np.linalg.lstsq: _Row(linalg.lstsq, "a>lhs b>rhs rcond>rtol"),
    np.linalg.cond: _Row(linalg.cond, "x p"),
    np.linalg.matrix_power: _Row(linalg.matrix_power, "a>x n"),
    np.linalg.trace: _Row(linalg.trace, "x * offset dtype"),
    np.linalg.diagonal: _Row(linalg.diagonal, "x * offset"),
    np.linalg.cross: _Row(linalg.cross, "x1>lhs x2>rhs * axis"),
    np.linalg.multi_dot: _Row(linalg.multi_dot, "arrays * out"),
    np.nan_to_num: _Row(numbers.nan_to_num, "x copy nan posinf neginf"),
    np.isclose: _Row(numbers.isclose, "a>lhs b>rhs rtol atol equal_nan"),
    np.allclose: _Row(numbers.allclose, "a>lhs b>rhs rtol atol equal_nan"),
    np.copy: _Row(identity, "a>x order subok"),
    np.shape: _Row(_shape, "a>x"),
    np.ndim: _Row(_ndim, "a>x"),
}
# What NumPy takes for granted and means the same here: an argument with such a value may be given.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "order": ("C", "K", "A"),
    "subok": (True, False),
    "mode": ("raise",),
    "casting": ("same_kind",),
    "kind": ("stable", "mergesort", "quicksort"),
    "stable": (True, False),
    "device": ("cpu",),
    "where": (True,),
    "compute_uv": (True,),
    "hermitian": (False,),
    "assume_unique": (True, False),
    "overwrite_input": (True, False),
    "returned": (False,),
    "sorted": (True,),
    "copy": (True, False),
    "sparse": (False,),
}


def array_function(
    self: Any, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What NumPy calls for one of its functions of which an argument is, or holds, a tensor."""
    name = f"{func.__module__}.{func.__name__}"
    row = _FUNCTIONS.get(func)
    if row is None:
        raise _missing(name, [known.__name__ for known in _FUNCTIONS])
    positional, _, keyword = row.parameters.partition("*")
    names = positional.split()
    operands: tuple[Any, ...] = ()
    if names == ["+"]:
        names, operands, args = [], args, ()
    if len(args) > len(names):
        raise _refused(name, f"takes {len(names)} arguments", f"they are {', '.join(names)}")
    renamed = dict(_parts(item) for item in [*names, *keyword.split()])
    given = dict(zip([_parts(item)[0] for item in names], args, strict=False)) | kwargs
    signature = _signature(row.function)
    arguments: dict[str, Any] = {}
    for key, value in given.items():
        ours = renamed.get(key, key)
        if ours in signature.parameters:
            if value is not np._NoValue:
                arguments[ours] = value
        elif not _is_default(key, value):
            raise _refused(
                name,
                f"takes no {key}=... with tensors",
                "leave it away; sg.cast converts, sg.where chooses elements",
            )
    try:
        signature.bind(*operands, **arguments)
    except TypeError as problem:
        wanted = ", ".join(name for name in signature.parameters if name != "name")
        raise _refused(name, f"{problem}", f"for tensors it takes {wanted}") from None
    return row.function(*operands, **arguments)


@cache  # bounded by the rows
def _signature(function: Function) -> inspect.Signature:
    return inspect.signature(function)


def _parts(item: str) -> tuple[str, str]:
    """NumPy's name of a parameter, and ours."""
    theirs, _, ours = item.partition(">")
    return theirs, ours or theirs


def _is_default(key: str, value: Any) -> bool:
    if value is None or value is np._NoValue:
        return True
    return isinstance(value, str | bool) and value in _DEFAULTS.get(key, ())
