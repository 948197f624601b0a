"""The records of discrete Fourier transforms along one axis: complex, from reals, to reals.

Each is linear over the real numbers. The matrix of the complex transform is symmetric, so its
adjoint is the transform the other way round; a real transform has half of the frequencies, since
the others are their conjugates, and its adjoint counts those that stand for two twice.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import to_complex
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Mismatch, Numbered, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.ops.convert import constant
from staticgraph.ops.creation import arange
from staticgraph.ops.elementwise import equal, floor_divide, logical_or, multiply, where
from staticgraph.ops.shaping import reshape
from staticgraph.ops.sizes import size

Scale = Literal["backward", "ortho", "forward"]

# What the sums are divided by, of a length n: 1, sqrt(n) or n.
Divisor = Literal["one", "root", "length"]
# NumPy's word for it, of a forward transform.
NUMPYS: dict[Divisor, Scale] = {"one": "backward", "root": "ortho", "length": "forward"}
OTHER_WAY: dict[Scale, Scale] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _require_elements(count: Any, axis: int) -> None:
    if count == 0:
        raise Mismatch(
            f"axis {axis} is empty, and nothing has no spectrum",
            "transform an axis that has elements, or give n=, to which zeros are put behind",
        )


def _infer(types: Types, attrs: Attrs) -> TensorType:
    shape = types[0].shape
    if shape is not None:
        _require_elements(shape[attrs["axis"]], attrs["axis"])
    return types[0]


def _reference(x: Any, *, axis: int, inverse: bool, divisor: Divisor) -> Any:
    _require_elements(np.shape(x)[axis], axis)
    norm = NUMPYS[divisor]
    if inverse:
        return np.asarray(np.fft.ifft(x, axis=axis, norm=OTHER_WAY[norm]), x.dtype)
    return np.asarray(np.fft.fft(x, axis=axis, norm=norm), x.dtype)


def _vjp(node: Operation, adjoint: Tensor) -> Tensor:
    attrs = {**node.attrs, "inverse": not node.attrs["inverse"]}
    return adjoint.graph.add(FFT, (adjoint,), attrs).out


FFT = register(
    OpDef(
        "fft",
        operands=("x",),
        infer=_infer,
        reference=_reference,
        dtypes=dtypes.COMPLEX,
        attrs=("axis", "inverse", "divisor"),
        linear=True,
        vjp=(_vjp,),
        jvp=LINEAR,
        doc="The sums ``y[k] = sum_j x[j] exp(-2 pi i j k / n)`` along an axis of size n, of the "
        "inverse transform with the other sign, over 1, sqrt(n) or n.",
        title="fft.fft",
    )
)


# -- the transforms between real numbers and half of their frequencies ----------------------------


def _infer_real(types: Types, attrs: Attrs) -> TensorType:
    dtype, shape, axis = to_complex(types[0].dtype), types[0].shape, attrs["axis"]
    if shape is None:
        return TensorType(dtype, None)
    count = shape[axis]
    _require_elements(count, axis)
    half = count // 2 + 1 if isinstance(count, int) else None
    return TensorType(dtype, (*shape[:axis], half, *shape[axis + 1 :]))


def _reference_real(x: Any, *, axis: int, divisor: Divisor) -> Any:
    _require_elements(np.shape(x)[axis], axis)
    return np.asarray(np.fft.rfft(x, axis=axis, norm=NUMPYS[divisor]), to_complex(x.dtype))


def _vjp_real(node: Operation, adjoint: Tensor) -> Tensor:
    """A frequency that is not given is the conjugate of one that is, which counts for both."""
    axis, n = node.attrs["axis"], length_of(node.inputs[0], node.attrs["axis"])
    return to_real(_weighted(adjoint, axis, n, 0.5), axis, n, node.attrs["divisor"])


RFFT = register(
    OpDef(
        "rfft",
        operands=("x",),
        infer=_infer_real,
        reference=_reference_real,
        dtypes=dtypes.FLOATING,
        attrs=("axis", "divisor"),
        linear=True,
        vjp=(_vjp_real,),
        jvp=LINEAR,
        doc="The ``n // 2 + 1`` frequencies from 0 up of real numbers along an axis of size n: the "
        "first of the sums of `fft`, over 1, sqrt(n) or n.",
        title="fft.rfft",
    )
)


def _infer_to_real(types: Types, attrs: Attrs) -> TensorType:
    dtype, shape = dtypes.part_of(types[0].dtype), types[0].shape
    axis, n = attrs["axis"], attrs["n"]
    if shape is None:
        return TensorType(dtype, None)
    have = shape[axis]
    if isinstance(n, int) and isinstance(have, int) and have != n // 2 + 1:
        raise Mismatch(
            f"axis {axis} has {have} frequencies", f"{n} numbers have {n // 2 + 1} frequencies"
        )
    return TensorType(dtype, (*shape[:axis], n, *shape[axis + 1 :]))


def no_even_length(have: int) -> tuple[str, str]:
    """What is wrong with so few frequencies where no length is given, and the way out."""
    return (
        f"{have} frequencies are those of no even length",
        "say how many elements there were: n=1",
    )


def _reference_to_real(x: Any, *length: Any, axis: int, n: int | None, divisor: Divisor) -> Any:
    count = int(length[0]) if n is None else n
    if count < 1:
        raise Mismatch(*no_even_length(np.shape(x)[axis]))
    norm = OTHER_WAY[NUMPYS[divisor]]
    return np.asarray(np.fft.irfft(x, count, axis, norm=norm), dtypes.part_of(x.dtype))


def _vjp_to_real(node: Operation, adjoint: Tensor, index: int) -> Tensor | None:
    """All but the edges stand for two frequencies, themselves and their conjugates."""
    if index:
        return None
    axis, divisor = node.attrs["axis"], node.attrs["divisor"]
    return _weighted(from_real(adjoint, axis, divisor), axis, length_of(adjoint, axis), 2.0)


IRFFT = register(
    OpDef(
        "irfft",
        operands=("x", "length*"),
        infer=_infer_to_real,
        reference=_reference_to_real,
        dtypes=(dtypes.COMPLEX, frozenset({dtypes.int64})),
        attrs=("axis", "n", "divisor"),
        linear=True,
        vjp=Numbered(_vjp_to_real),
        jvp=LINEAR,
        doc="The n real numbers along an axis whose `rfft`, over 1, sqrt(n) or n, it undoes but "
        "for the scale: n is an attribute, or the run's. The imaginary parts of frequency 0, and "
        "of the last where n is even, count for nothing.",
        title="fft.irfft",
    )
)


def length_of(x: Tensor, axis: int) -> int | Tensor:
    """The size of an axis: an int where the graph knows it, else a tensor."""
    shape = x.type.shape
    assert shape is not None
    dim = shape[axis]
    return dim if isinstance(dim, int) else size(x, axis)


def _weighted(x: Tensor, axis: int, n: int | Tensor, weight: float) -> Tensor:
    """`x` times `weight`, but for frequency 0 and, of an even length, the last."""
    assert x.type.shape is not None
    behind = [1] * (len(x.type.shape) - axis - 1)
    part = dtypes.part_of(x.dtype)
    if isinstance(n, int):
        weights = np.full(n // 2 + 1, weight, part)
        weights[0] = 1
        if n % 2 == 0:
            weights[-1] = 1
        return multiply(x, constant(weights.reshape(-1, *behind), part))
    places = arange(floor_divide(n, 2) + 1)
    edges = logical_or(equal(places, 0), equal(places * 2, n))
    chosen = where(edges, constant(1.0, part), constant(weight, part))
    return multiply(x, reshape(chosen, (-1, *behind)))


def transform(x: Tensor, axis: int, inverse: bool, divisor: Divisor) -> Tensor:
    """A node of the complex transform."""
    return x.graph.add(FFT, (x,), {"axis": axis, "inverse": inverse, "divisor": divisor}).out


def from_real(x: Tensor, axis: int, divisor: Divisor) -> Tensor:
    """A node of the transform of real numbers."""
    return x.graph.add(RFFT, (x,), {"axis": axis, "divisor": divisor}).out


def to_real(x: Tensor, axis: int, n: int | Tensor, divisor: Divisor) -> Tensor:
    """A node of the transform to n real numbers."""
    known = n if isinstance(n, int) else None
    operands = (x,) if isinstance(n, int) else (x, n)
    return x.graph.add(IRFFT, operands, {"axis": axis, "n": known, "divisor": divisor}).out
