"""NumPy's own functions on tensors: ``numpy.sin(x)``, ``array + x``, ``numpy.sum(x, axis=0)``.

Two tables say what each function of NumPy means here; what stands in neither is refused. A row of
the second names NumPy's parameters in their order; those that our function does not have may only
be left out.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core.graph import Tensor
from staticgraph.errors import GraphError
from staticgraph.ops import complex as parts
from staticgraph.ops import (
    cumulative,
    fourier,
    indexing,
    inspecting,
    linalg,
    ordering,
    reduction,
    searching,
    segments,
    sets,
    sorting,
)
from staticgraph.ops import elementwise as ew
from staticgraph.ops import special as functions
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor
from staticgraph.ops.einsum import einsum
from staticgraph.ops.elementwise import (
    made,
    numbers,
)
from staticgraph.ops.elementwise import parts as pieces
from staticgraph.ops.elementwise import trigonometric as angles
from staticgraph.ops.numpy_protocol.arrays import ARRAYS
from staticgraph.ops.numpy_protocol.row import Row as _Row
from staticgraph.ops.sizes import refusal, size
from staticgraph.ops.special import (
    bessel,
    beta,
    normal,
)
from staticgraph.ops.special import entropy as entropies

special = LazyModule("scipy.special")

Function = Callable[..., Any]

# -- ufuncs -----------------------------------------------------------------------------------


def _log_expit(x: Any) -> Tensor:
    return ew.negative(ew.softplus(ew.negative(x)))


_UFUNCS: dict[Any, Function] = {
    np.add: ew.add,
    np.subtract: ew.subtract,
    np.multiply: ew.multiply,
    np.divide: ew.divide,
    np.floor_divide: ew.floor_divide,
    np.remainder: ew.remainder,
    np.power: ew.pow,
    np.float_power: made.float_power,
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
    np.heaviside: made.heaviside,
    np.logaddexp2: made.logaddexp2,
    np.bitwise_count: made.bitwise_count,
    np.divmod: pieces.divmod,
    np.modf: pieces.modf,
    np.frexp: pieces.frexp,
    np.ldexp: pieces.ldexp,
    np.spacing: pieces.spacing,
    np.gcd: pieces.gcd,
    np.lcm: pieces.lcm,
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
    "xlog1py": entropies.xlog1py,
    "entr": entropies.entr,
    "rel_entr": entropies.rel_entr,
    "kl_div": entropies.kl_div,
    "erfcx": normal.erfcx,
    "erfcinv": normal.erfcinv,
    "ndtr": normal.ndtr,
    "log_ndtr": normal.log_ndtr,
    "ndtri": normal.ndtri,
    "logit": normal.logit,
    "log_expit": _log_expit,
    "i0": bessel.i0,
    "i0e": bessel.i0e,
    "i1": bessel.i1,
    "i1e": bessel.i1e,
    "betaln": beta.betaln,
    "betainc": beta.betainc,
    "exp2": numbers.exp2,
    "cbrt": numbers.cbrt,
    "expm1": ew.expm1,
    "log1p": ew.log1p,
}
_REDUCTIONS: dict[Any, Function] = {
    np.add: reduction.sum,
    np.multiply: reduction.prod,
    np.maximum: reduction.max,
    np.minimum: reduction.min,
    np.logical_and: reduction.all,
    np.logical_or: reduction.any,
}


_RUNNING: dict[Any, Function] = {
    np.add: cumulative.cumsum,
    np.multiply: cumulative.cumprod,
}
# What there is beside a method of NumPy's functions.
_INSTEAD = {
    "reduce": "sg.sum, sg.prod, sg.max and sg.min are",
    "accumulate": "sg.cumulative_sum and sg.cumulative_prod are; sg.scan runs over any function",
    "outer": "sg.outer multiplies; expand_dims(x, -1) makes any function pair all elements",
    "at": "sg.scatter_add and sg.segment_sum are",
    "reduceat": "sg.segment_sum, sg.segment_max and sg.segment_min are",
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
    reduction_of = _REDUCTIONS.get(ufunc) if method == "reduce" else None
    if reduction_of is not None and set(given) <= set(_signature(reduction_of).parameters):
        return reduction_of(inputs[0], **{**given, "axis": options.get("axis", 0)})
    running = _RUNNING.get(ufunc) if method == "accumulate" else None
    if running is not None and set(given) <= {"axis", "dtype"}:
        return running(inputs[0], axis=options.get("axis", 0), dtype=options.get("dtype"))
    if method != "__call__":
        raise _refused(
            f"{name}.{method}", "is not there for tensors", _INSTEAD.get(method, _INSTEAD["reduce"])
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
            raise _missing(name, _UFUNCS)
    elif ufunc in _LOGICAL_TWIN and _are_bools(inputs):
        function = _LOGICAL_TWIN[ufunc]
    return function(*inputs)


def _are_bools(inputs: Sequence[Any]) -> bool:
    return all(x.dtype == np.bool_ if hasattr(x, "dtype") else isinstance(x, bool) for x in inputs)


def _refused(what: str, problem: str, way_out: str) -> Exception:
    return refusal(what, problem, way_out, error=GraphError)


def _missing(what: str, known: Iterable[Any]) -> Exception:
    """The refusal of a function that is in no table, with those whose names are like its own."""
    names = {function.__name__: _name_of(function) for function in known}
    near = difflib.get_close_matches(what.rpartition(".")[2], sorted(names), n=3, cutoff=0.75)
    likes = f"near it are {', '.join([names[name] for name in near])}; " if near else ""
    return _refused(
        what,
        "is not there for tensors",
        f"{likes}`staticgraph ops WORD` searches what is there, and a value that was fetched can "
        "be given to it",
    )


def _name_of(function: Any) -> str:
    """A function of NumPy as a user names it."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module.removesuffix('._core')}.{function.__name__}"


# -- functions --------------------------------------------------------------------------------


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


def _clip(x: Any, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Tensor:
    return ew.clip(x, a_min if min is None else min, a_max if max is None else max)


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


def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    return linalg.diagonal(x, offset, axis1, axis2)


def _outer_of_vectors(x1: Any, x2: Any) -> Tensor:
    """`numpy.linalg.outer`, which unlike `numpy.outer` takes vectors alone."""
    vectors = [as_tensor(x) for x in (x1, x2)]
    for x in vectors:
        if _ndim(x) != 1:
            raise _refused(
                "numpy.linalg.outer", f"'{x.name}' has {x.type.ndim} axes",
                "give vectors; numpy.outer flattens",
            )  # fmt: skip
    return linalg.outer(*vectors)


def _trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    return linalg.trace(x, offset, dtype, axis1, axis2)


_FUNCTIONS: dict[Any, _Row] = {
    **ARRAYS,
    np.cumsum: _Row(cumulative.cumsum, "a>x axis dtype out"),
    np.cumprod: _Row(cumulative.cumprod, "a>x axis dtype out"),
    np.where: _Row(_where, "condition x y"),
    np.clip: _Row(_clip, "a>x a_min a_max out * min max"),
    np.round: _Row(pieces.round, "a>x decimals out"),
    np.around: _Row(pieces.round, "a>x decimals out"),
    np.take: _Row(indexing.take, "a>x indices axis out mode"),
    np.take_along_axis: _Row(indexing.take_along_axis, "arr>x indices axis"),
    np.sort: _Row(sorting.sort, "a>x axis kind order * stable"),
    np.argsort: _Row(sorting.argsort, "a>x axis kind order * stable"),
    np.partition: _Row(ordering.partition, "a>x kth axis kind order"),
    np.argpartition: _Row(ordering.argpartition, "a>x kth axis kind order"),
    np.lexsort: _Row(ordering.lexsort, "keys axis"),
    np.dot: _Row(linalg.dot, "a>lhs b>rhs out"),
    np.outer: _Row(linalg.outer, "a>lhs b>rhs out"),
    np.einsum: _Row(einsum, "+ * out dtype order casting optimize"),
    np.tensordot: _Row(linalg.tensordot, "a>lhs b>rhs axes"),
    np.argwhere: _Row(searching.argwhere, "a>x"),
    np.flatnonzero: _Row(searching.flatnonzero, "a>x"),
    np.nonzero: _Row(searching.nonzero, "a>x"),
    np.searchsorted: _Row(searching.searchsorted, "a>x1 v>x2 side sorter"),
    np.isin: _Row(searching.isin, "element>x1 test_elements>x2 assume_unique invert * kind"),
    np.unique: _Row(
        sets.unique,
        "ar>x return_index return_inverse return_counts axis * equal_nan sorted",
    ),
    np.unique_all: _Row(sets.unique_all, "x"),
    np.unique_counts: _Row(sets.unique_counts, "x"),
    np.unique_inverse: _Row(sets.unique_inverse, "x"),
    np.unique_values: _Row(sets.unique_values, "x"),
    np.bincount: _Row(segments.bincount, "x weights minlength"),
    np.astype: _Row(inspecting.astype, "x dtype * copy device"),
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
    np.linalg.eig: _Row(linalg.eig, "a>x"),
    np.linalg.eigvals: _Row(linalg.eigvals, "a>x"),
    np.linalg.tensorsolve: _Row(linalg.tensorsolve, "a>lhs b>rhs axes"),
    np.linalg.tensorinv: _Row(linalg.tensorinv, "a>x ind"),
    np.linalg.outer: _Row(_outer_of_vectors, "x1 x2"),
    np.linalg.tensordot: _Row(linalg.tensordot, "x1>lhs x2>rhs * axes"),
    np.linalg.matmul: _Row(linalg.matmul, "x1>lhs x2>rhs"),
    np.linalg.vecdot: _Row(linalg.vecdot, "x1>lhs x2>rhs * axis"),
    np.vander: _Row(linalg.vander, "x N>n increasing"),
    np.nan_to_num: _Row(numbers.nan_to_num, "x copy nan posinf neginf"),
    np.isclose: _Row(numbers.isclose, "a>lhs b>rhs rtol atol equal_nan"),
    np.allclose: _Row(numbers.allclose, "a>lhs b>rhs rtol atol equal_nan"),
    np.array_equal: _Row(made.array_equal, "a1>lhs a2>rhs equal_nan"),
    np.fix: _Row(ew.trunc, "x out"),
    np.i0: _Row(bessel.i0, "x"),
    np.sinc: _Row(made.sinc, "x"),
    np.isreal: _Row(made.isreal, "x"),
    np.iscomplex: _Row(made.iscomplex, "x"),
    np.isrealobj: _Row(inspecting.isrealobj, "x"),
    np.iscomplexobj: _Row(inspecting.iscomplexobj, "x"),
    np.isposinf: _Row(made.isposinf, "x out"),
    np.isneginf: _Row(made.isneginf, "x out"),
    np.unwrap: _Row(made.unwrap, "p discont axis * period"),
    np.copy: _Row(identity, "a>x order subok"),
    np.shape: _Row(_shape, "a>x"),
    np.ndim: _Row(_ndim, "a>x"),
    np.size: _Row(size, "a>x axis"),
}
# What NumPy takes for granted and means the same here: an argument with such a value may be given.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "order": ("C", "K", "A"),
    "subok": (True, False),
    "mode": ("raise",),
    "casting": ("same_kind",),
    "kind": ("stable", "mergesort", "quicksort", "heapsort", "introselect"),
    "stable": (True, False),
    "device": ("cpu",),
    "where": (True,),
    "compute_uv": (True,),
    "hermitian": (False,),
    "assume_unique": (True, False),
    "overwrite_input": (True, False),
    "returned": (False,),
    "retstep": (False,),
    "full": (False,),
    "cov": (False,),
    "sorted": (True,),
    "copy": (True, False),
    "sparse": (False,),
}


def array_function(
    self: Any, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What NumPy calls for one of its functions of which an argument is, or holds, a tensor."""
    name = _name_of(func)
    row = _FUNCTIONS.get(func)
    if row is None:
        raise _missing(name, _FUNCTIONS)
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
