"""Discrete Fourier transforms (public as ``sg.fft``).

There is one op: the transform along one axis, without any scale. All else is made of it, so
derivatives, fusion and unknown sizes come with what it is made of. The op is linear over the
complex numbers and its matrix is symmetric, so its adjoint is the transform the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import to_complex
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.errors import DTypeError
from staticgraph.ops.arranging import flip, pad
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.complex import conj, real
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast_to, constant
from staticgraph.ops.creation import check_device, zeros
from staticgraph.ops.elementwise import divide, floor_divide, minimum, multiply, sqrt
from staticgraph.ops.joining import concat
from staticgraph.ops.sizes import is_int, refusal, size

Scale = Literal["backward", "ortho", "forward"]
Norm = Scale | None
Axes = Sequence[int] | None
Sizes = Sequence[int] | None

_NORMS: tuple[Scale, ...] = ("backward", "ortho", "forward")


def _infer(types: Types, attrs: Attrs) -> TensorType:
    shape = types[0].shape
    if shape is not None:
        _require_elements(shape[attrs["axis"]], attrs["axis"])
    return types[0]


def _require_elements(count: Any, axis: int) -> None:
    if count == 0:
        raise Mismatch(
            f"axis {axis} is empty, and nothing has no spectrum",
            "transform an axis that has elements, or give n=, to which zeros are put behind",
        )


def _reference(x: Any, *, axis: int, inverse: bool) -> Any:
    _require_elements(np.shape(x)[axis], axis)
    if inverse:
        return np.asarray(np.fft.ifft(x, axis=axis, norm="forward"), x.dtype)
    return np.asarray(np.fft.fft(x, axis=axis), x.dtype)


def _vjp(node: Operation, adjoint: Tensor) -> Tensor:
    return _transform(adjoint, node.attrs["axis"], not node.attrs["inverse"])


FFT = register(
    OpDef(
        "fft",
        operands=("x",),
        infer=_infer,
        reference=_reference,
        dtypes=dtypes.COMPLEX,
        attrs=("axis", "inverse"),
        linear=True,
        vjp=(_vjp,),
        jvp=LINEAR,
        doc="The sums ``y[k] = sum_j x[j] exp(-2 pi i j k / n)`` along an axis of size n, of the "
        "inverse transform with the other sign; no scale.",
        title="fft.fft",
    )
)


def _transform(x: Tensor, axis: int, inverse: bool) -> Tensor:
    return x.graph.add(FFT, (x,), {"axis": axis, "inverse": inverse}).out


# -- arguments ------------------------------------------------------------------------------------


def _complex(what: str, x: Any, only_real: bool = False) -> Tensor:
    """The operand as complex numbers; of a transform of real numbers others are refused."""
    tensor = as_tensor(x)
    if tensor.dtype == dtypes.bool_ or (only_real and tensor.dtype in dtypes.COMPLEX):
        kinds = "integers or floats" if only_real else "numbers"
        raise refusal(
            what,
            f"does not take {dtypes.name(tensor.dtype)}",
            f"x '{tensor.name}' may be {kinds}; sg.cast(x, dtype) or sg.real(x) converts",
            error=DTypeError,
        )
    return cast_to(tensor, to_complex(tensor.dtype))


def _read_norm(what: str, norm: Any) -> Scale:
    """A scale that was given; None is NumPy's "backward"."""
    if norm is None:
        return "backward"
    for known in _NORMS:
        if norm == known:
            return known
    raise refusal(what, f"norm={norm!r} is none", "norm may be 'backward', 'ortho' or 'forward'")


def _count(what: str, n: Any, name: str = "n") -> int:
    """A length that was given: an int above 0."""
    if not is_int(n) or int(n) < 1:
        raise refusal(
            what, f"{name}={n!r} is no length", f"{name} is an int above 0, known in the graph"
        )
    return int(n)


def _axes(what: str, x: Tensor, s: Sizes, axes: Axes) -> list[tuple[int, int | None]]:
    """The axes to transform, each with the length that is wanted or None."""
    ndim = known_rank(FFT, x)
    if axes is None:
        listed = list(range(0 if s is None else ndim - len(s), ndim))
    else:
        listed = [one_axis(FFT, x, axis) for axis in axes]
    sizes: list[int | None] = [None] * len(listed)
    if s is not None:
        if len(s) != len(listed) or any(axis < 0 for axis in listed):
            raise refusal(
                what, f"s={tuple(s)!r} has {len(s)} sizes for {len(listed)} axes", "give one each"
            )
        sizes = [_count(what, item, "each of s") for item in s]
    if len(set(listed)) < len(listed):
        raise refusal(what, f"axes={tuple(axes or ())!r} names an axis twice", "name each once")
    return list(zip(listed, sizes, strict=True))


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, part)


def _fitted(x: Tensor, axis: int, n: int | None) -> Tensor:
    """`x` cut off, or with zeros behind, to the length `n` of an axis."""
    if n is None:
        return x
    shape = x.type.shape
    assert shape is not None
    have = shape[axis]
    if have == n:
        return x
    if isinstance(have, int):
        if have > n:
            return x[_along(axis, slice(0, n))]
        return pad(x, [(0, n - have if number == axis else 0) for number in range(len(shape))])
    dims = [dim if isinstance(dim, int) else size(x, number) for number, dim in enumerate(shape)]
    dims[axis] = n
    return concat([x, zeros(dims, x.dtype)], axis)[_along(axis, slice(0, n))]


def _length(x: Tensor, axis: int) -> int | Tensor:
    shape = x.type.shape
    assert shape is not None
    dim = shape[axis]
    return dim if isinstance(dim, int) else size(x, axis)


def _scaled(y: Tensor, n: int | Tensor, norm: Scale, inverse: bool, name: str) -> Tensor:
    """`y` times what `norm` says for a transform of length `n`."""
    if norm == ("forward" if inverse else "backward"):
        return identity(y, name=name)
    if isinstance(n, int):
        return multiply(y, 1 / (math.sqrt(n) if norm == "ortho" else n), name=name)
    count = cast_to(n, dtypes.part_of(y.dtype))
    return divide(y, sqrt(count) if norm == "ortho" else count, name=name)


def _one(
    what: str, x: Tensor, n: Any, axis: Any, norm: Norm, inverse: bool, name: str | None
) -> Tensor:
    scale = _read_norm(what, norm)
    number = one_axis(FFT, x, axis)
    given = _fitted(x, number, None if n is None else _count(what, n))
    result = _transform(given, number, inverse)
    return _scaled(result, _length(given, number), scale, inverse, name or what)


def _several(
    what: str, x: Tensor, s: Sizes, axes: Axes, norm: Norm, inverse: bool, name: str | None
) -> Tensor:
    scale = _read_norm(what, norm)
    for axis, n in reversed(_axes(what, x, s, axes)):
        x = _one(what, x, n, axis, scale, inverse, None)
    return identity(x, name=name or what)


# -- complex transforms ---------------------------------------------------------------------------


def fft(
    x: Any, n: int | None = None, axis: int = -1, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The discrete Fourier transform of `x` along one axis.

    n      the length: `x` is cut off, or zeros are put behind, to that size of the axis
    norm   "backward": no scale, and ``1/n`` in `ifft`; "forward": ``1/n`` here; "ortho":
           ``1/sqrt(n)`` in both, which makes the transform unitary; None is "backward"

    ``y[k] = sum_j x[j] exp(-2 pi i j k / n)``; the result is complex64 for float32 and complex64,
    else complex128. Any length is fast whose prime factors are small. Raises ShapeError for an axis
    that `x` does not have or that is empty, and for an `n` that is no length.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.fft([1.0, 0.0, 0.0, 1.0]))
    array([2.+0.j, 1.+1.j, 0.+0.j, 1.-1.j], dtype=complex64)
    """
    return _one("fft", _complex("fft", x), n, axis, norm, False, name)


def ifft(
    x: Any, n: int | None = None, axis: int = -1, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `fft`: ``y[j] = 1/n sum_k x[k] exp(2 pi i j k / n)``. See `fft`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.ifft([4.0, 0.0, 0.0, 0.0]))
    array([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    return _one("ifft", _complex("ifft", x), n, axis, norm, True, name)


def fftn(
    x: Any, s: Sizes = None, axes: Axes = None, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The discrete Fourier transform of `x` along several axes.

    s      the lengths, one for each of `axes`; see `n` of `fft`
    axes   the axes; None for all, or for as many of the last as there are sizes in `s`

    Scale, dtypes and errors are those of `fft`, axis by axis.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.fftn([[1.0, 0.0], [0.0, 1.0]]))
    array([[2.+0.j, 0.+0.j],
           [0.+0.j, 2.+0.j]], dtype=complex64)
    """
    return _several("fftn", _complex("fftn", x), s, axes, norm, False, name)


def ifftn(
    x: Any, s: Sizes = None, axes: Axes = None, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `fftn`.

    >>> import staticgraph as sg
    >>> x = sg.constant([[1.0, 2.0], [3.0, 5.0]])
    >>> sg.Session().run(sg.real(sg.fft.ifftn(sg.fft.fftn(x))))
    array([[1., 2.],
           [3., 5.]], dtype=float32)
    """
    return _several("ifftn", _complex("ifftn", x), s, axes, norm, True, name)


# -- transforms of real numbers -------------------------------------------------------------------


def _half(x: Tensor, axis: int) -> Tensor:
    """The frequencies from 0 up: those below are their conjugates."""
    count = _length(x, axis)
    kept = count // 2 + 1 if isinstance(count, int) else floor_divide(count, 2) + 1
    return x[_along(axis, slice(0, kept))]


def _both_halves(x: Tensor, axis: int, n: int | Tensor) -> Tensor:
    """All n frequencies of a real sequence, of which `x` has those from 0 up."""
    stop = (n + 1) // 2 if isinstance(n, int) else floor_divide(n + 1, 2)
    below = flip(conj(x[_along(axis, slice(1, stop))]), axis)
    if not isinstance(n, int):
        # Of one frequency in the run n is 0: nothing is kept then, which the transform refuses.
        x = x[_along(axis, slice(0, minimum(n, floor_divide(n, 2) + 1)))]
    return concat([x, below], axis)


def rfft(
    x: Any, n: int | None = None, axis: int = -1, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The transform of real numbers along one axis: the ``n // 2 + 1`` frequencies from 0 up.

    The others are the conjugates of these. For arguments and scale see `fft`; raises DTypeError for
    a complex `x`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.rfft([1.0, 0.0, 0.0, 1.0]))
    array([2.+0.j, 1.+1.j, 0.+0.j], dtype=complex64)
    """
    tensor = _complex("rfft", x, only_real=True)
    number = one_axis(FFT, tensor, axis)
    return identity(_half(_one("rfft", tensor, n, axis, norm, False, None), number),
                    name=name or "rfft")  # fmt: skip


def irfft(
    x: Any, n: int | None = None, axis: int = -1, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `rfft`: real numbers, of the frequencies from 0 up.

    n   the length of the result; by default ``2 * (m - 1)`` for m frequencies, since the even and
        the odd length next to it have equally many

    The imaginary parts of frequency 0, and of the last where n is even, count for nothing. Raises
    ShapeError for one frequency without `n`, in the run where only that knows m. For the rest see
    `fft`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.irfft([2.0, 1 + 1j, 0.0]))
    array([1., 0., 0., 1.], dtype=float32)
    """
    return _inverse_of_half("irfft", _complex("irfft", x), n, axis, norm, name)


def _inverse_of_half(
    what: str, x: Tensor, n: Any, axis: Any, norm: Norm, name: str | None
) -> Tensor:
    scale = _read_norm(what, norm)
    number = one_axis(FFT, x, axis)
    if n is None:
        have = _length(x, number)
        if isinstance(have, int) and have < 2:
            refuse(FFT, (x,), Mismatch(
                f"{have} frequencies are those of no even length",
                "say how many elements there were: n=1",
            ))  # fmt: skip
        length: int | Tensor = (have - 1) * 2
    else:
        length = _count(what, n)
        x = _fitted(x, number, length // 2 + 1)
    full = _transform(_both_halves(x, number, length), number, True)
    return _scaled(real(full), length, scale, True, name or what)


def rfftn(
    x: Any, s: Sizes = None, axes: Axes = None, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The transform of real numbers along several axes: `rfft` along the last of them, then `fftn`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.rfftn([[1.0, 0.0], [0.0, 1.0]]))
    array([[2.+0.j, 0.+0.j],
           [0.+0.j, 2.+0.j]], dtype=complex64)
    """
    tensor = _complex("rfftn", x, only_real=True)
    scale = _read_norm("rfftn", norm)
    listed = _axes("rfftn", tensor, s, axes)
    if not listed:
        raise refusal("rfftn", "there is no axis to transform", "give one axis at least")
    axis, n = listed.pop()
    result = _half(_one("rfftn", tensor, n, axis, scale, False, None), axis)
    for axis, n in reversed(listed):
        result = _one("rfftn", result, n, axis, scale, False, None)
    return identity(result, name=name or "rfftn")


def irfftn(
    x: Any, s: Sizes = None, axes: Axes = None, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `rfftn`: `ifft` along all but the last of the axes, `irfft` along that.

    s   the lengths of the result along the axes; see `n` of `irfft` for the last

    >>> import staticgraph as sg
    >>> x = sg.constant([[1.0, 2.0], [3.0, 5.0]])
    >>> sg.Session().run(sg.fft.irfftn(sg.fft.rfftn(x)))
    array([[1., 2.],
           [3., 5.]], dtype=float32)
    """
    tensor = _complex("irfftn", x)
    scale = _read_norm("irfftn", norm)
    listed = _axes("irfftn", tensor, s, axes)
    if not listed:
        raise refusal("irfftn", "there is no axis to transform", "give one axis at least")
    last, n = listed.pop()
    for axis, count in listed:
        tensor = _one("irfftn", tensor, count, axis, scale, True, None)
    return _inverse_of_half("irfftn", tensor, n, last, scale, name)


_OTHER_WAY: dict[Scale, Scale] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def hfft(
    x: Any, n: int | None = None, axis: int = -1, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The real spectrum of a sequence whose conjugate it is backwards, of its first half.

    It is `irfft` of the conjugates with the scale of `fft`. For the arguments see `irfft`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.hfft([1.0, 2j, 1.0]))
    array([ 2.,  4.,  2., -4.], dtype=float32)
    """
    scale = _read_norm("hfft", norm)
    return _inverse_of_half("hfft", conj(_complex("hfft", x)), n, axis, _OTHER_WAY[scale], name)


def ihfft(
    x: Any, n: int | None = None, axis: int = -1, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `hfft`: the conjugates of `rfft` with the scale of `ifft`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.ihfft([2.0, 4.0, 2.0, -4.0]))
    array([1.-0.j, 0.+2.j, 1.-0.j], dtype=complex64)
    """
    scale = _read_norm("ihfft", norm)
    tensor = _complex("ihfft", x, only_real=True)
    number = one_axis(FFT, tensor, axis)
    result = _half(_one("ihfft", tensor, n, axis, _OTHER_WAY[scale], False, None), number)
    return identity(conj(result), name=name or "ihfft")


# -- frequencies ----------------------------------------------------------------------------------


def _frequencies(
    what: str, numbers: Callable[[int], Any], n: Any, d: Any, dtype: Any, name: str | None
) -> Tensor:
    count = _count(what, n)
    wanted = dtypes.float32 if dtype is None else dtypes.as_dtype(dtype)
    if wanted not in dtypes.FLOATING:
        raise refusal(
            what, f"frequencies are no {dtypes.name(wanted)}",
            "dtype may be float32 or float64", error=DTypeError,
        )  # fmt: skip
    values = np.asarray(numbers(count) / (count * float(d)), wanted)
    return constant(values, wanted, name or what)


def fftfreq(
    n: int, d: float = 1.0, dtype: Any = None, *, device: Any = None, name: str | None = None
) -> Tensor:
    """The frequencies of the results of `fft`, of samples that are `d` apart.

    n        the length of the transform, an int
    dtype    float32 (the default) or float64
    device   None or ``"cpu"``

    0 and the positive ones come first, then the negative ones. Raises ShapeError for an `n` that is
    no length and DTypeError for another dtype.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.fftfreq(5, 0.1))
    array([ 0.,  2.,  4., -4., -2.], dtype=float32)
    """

    check_device("fftfreq", device)

    def numbers(count: int) -> Any:
        places = np.arange(count)
        return np.where(places < (count + 1) // 2, places, places - count)

    return _frequencies("fftfreq", numbers, n, d, dtype, name)


def rfftfreq(
    n: int, d: float = 1.0, dtype: Any = None, *, device: Any = None, name: str | None = None
) -> Tensor:
    """The frequencies of the results of `rfft`, of samples that are `d` apart. See `fftfreq`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.rfftfreq(5, 0.1))
    array([0., 2., 4.], dtype=float32)
    """
    check_device("rfftfreq", device)
    return _frequencies("rfftfreq", lambda count: np.arange(count // 2 + 1), n, d, dtype, name)


def _shifted(what: str, x: Any, axes: Axes | int, back: bool, name: str | None) -> Tensor:
    tensor = as_tensor(x)
    ndim = known_rank(FFT, tensor)
    listed = range(ndim) if axes is None else [axes] if is_int(axes) else axes
    for axis in listed:  # type: ignore[union-attr]
        number = one_axis(FFT, tensor, axis)
        count = _length(tensor, number)
        more = count if back else count + 1
        middle = more // 2 if isinstance(more, int) else floor_divide(more, 2)
        first, second = [
            tensor[_along(number, part)] for part in (slice(middle, None), slice(0, middle))
        ]
        tensor = concat([first, second], number)
    return identity(tensor, name=name or what)


def fftshift(x: Any, axes: Axes | int = None, *, name: str | None = None) -> Tensor:
    """`x` with frequency 0 in the middle of each of `axes`: its halves change places.

    axes   an axis or several; None for all

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.fftshift(sg.fft.fftfreq(5, 0.1)))
    array([-4., -2.,  0.,  2.,  4.], dtype=float32)
    """
    return _shifted("fftshift", x, axes, False, name)


def ifftshift(x: Any, axes: Axes | int = None, *, name: str | None = None) -> Tensor:
    """The inverse of `fftshift`: what stands in the middle comes first.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.ifftshift([-2, -1, 0, 1]))
    array([ 0,  1, -2, -1])
    """
    return _shifted("ifftshift", x, axes, True, name)


__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip
