"""Discrete Fourier transforms (public as ``sg.fft``).

Three ops do the work (record.py): the transform of complex numbers along one axis, that of
real numbers to half of the frequencies, and that back. All else is made of them, so derivatives,
fusion and unknown sizes come with what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import to_complex
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.errors import DTypeError, GraphError
from staticgraph.ops.arranging import pad
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.complex import conj
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, constant
from staticgraph.ops.creation import check_device, zeros
from staticgraph.ops.elementwise import floor_divide
from staticgraph.ops.fourier.record import (
    NUMPYS,
    OTHER_WAY,
    Divisor,
    Scale,
    from_real,
    length_of,
    no_even_length,
    to_real,
    transform,
)
from staticgraph.ops.joining import concat
from staticgraph.ops.sizes import is_int, refusal, size

Norm = Scale | None
Axes = Sequence[int] | None
Sizes = Sequence[int] | None

# -- arguments ------------------------------------------------------------------------------------


def _complex(what: str, x: Any) -> Tensor:
    """The operand as complex numbers."""
    tensor = as_tensor(x)
    if tensor.dtype == dtypes.bool_:
        _refuse_dtype(what, tensor, "integers, floats or complex numbers", _NUMBERS)
    return cast(tensor, to_complex(tensor.dtype))


def _real(what: str, x: Any) -> Tensor:
    """The operand as float32 or float64."""
    tensor = as_tensor(x)
    if tensor.dtype == dtypes.bool_:
        _refuse_dtype(what, tensor, "integers or floats", _NUMBERS)
    if tensor.dtype in dtypes.COMPLEX:
        _refuse_dtype(what, tensor, "integers or floats", _PARTS)
    return cast(tensor, dtypes.part_of(to_complex(tensor.dtype)))


_NUMBERS = "sg.cast(x, 'float32') makes 0 and 1"
_PARTS = "sg.fft.fft takes complex numbers, sg.real(x) gives a part"


def _refuse_dtype(what: str, x: Tensor, kinds: str, way: str) -> None:
    have = dtypes.name(x.dtype)
    mismatch = Mismatch(f"does not take {have}", f"x may be {kinds}; {way}", error=DTypeError)
    refuse(what, (x,), mismatch)


def _divisor(what: str, norm: Any, inverse: bool) -> Divisor:
    """What the sums are divided by; a norm of None is NumPy's "backward"."""
    scale = "backward" if norm is None else norm
    for divisor, word in NUMPYS.items():
        if isinstance(scale, str) and scale == (OTHER_WAY[word] if inverse else word):
            return divisor
    raise refusal(what, f"norm={norm!r} is none", "norm may be 'backward', 'ortho' or 'forward'")


def _count(what: str, n: Any, name: str = "n") -> int:
    """A length that was given: an int above 0."""
    if not is_int(n) or int(n) < 1:
        raise refusal(
            what, f"{name}={n!r} is no length", f"{name} is an int above 0, known in the graph"
        )
    return int(n)


def _axes(what: str, x: Tensor, s: Any, axes: Any) -> list[tuple[int, int | None]]:
    """The axes to transform, each with the length that is wanted or None."""
    for name, given in (("s", s), ("axes", axes)):
        if not (given is None or isinstance(given, Sequence | np.ndarray)):
            raise refusal(what, f"{name}={given!r} is no sequence", f"{name} is a tuple of ints")
    ndim = known_rank(what, x)
    sizes = None if s is None else [_count(what, item, "each of s") for item in s]
    if axes is None:
        if sizes is not None and len(sizes) > ndim:
            raise refusal(
                what, f"s={tuple(sizes)!r} has {len(sizes)} sizes for {ndim} axes", "give one each"
            )
        listed = list(range(0 if sizes is None else ndim - len(sizes), ndim))
    else:
        listed = [one_axis(what, x, axis) for axis in axes]
        if len(set(listed)) < len(listed):
            raise refusal(what, f"axes={tuple(axes)!r} names an axis twice", "name each once")
    if sizes is None:
        return [(axis, None) for axis in listed]
    if len(sizes) != len(listed):
        raise refusal(
            what, f"s={tuple(sizes)!r} has {len(sizes)} sizes for {len(listed)} axes",
            "give one each",
        )  # fmt: skip
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


def _checked(what: str, x: Tensor, axis: int) -> Tensor:
    """`x`, whose axis is not known to be empty."""
    shape = x.type.shape
    if shape is not None and shape[axis] == 0:
        refuse(
            what, (x,),
            Mismatch(
                f"axis {axis} is empty, and nothing has no spectrum",
                "transform an axis that has elements, or give n=, to which zeros are put behind",
            ),
        )  # fmt: skip
    return x


def _one(
    what: str, x: Tensor, n: Any, axis: Any, norm: Any, inverse: bool, name: str | None
) -> Tensor:
    divisor = _divisor(what, norm, inverse)
    number = one_axis(what, x, axis)
    given = _checked(what, _fitted(x, number, None if n is None else _count(what, n)), number)
    return identity(transform(given, number, inverse, divisor), name=name or what)


def _several(
    what: str, x: Tensor, s: Any, axes: Any, norm: Any, inverse: bool, name: str | None
) -> Tensor:
    divisor = _divisor(what, norm, inverse)
    for axis, n in reversed(_axes(what, x, s, axes)):
        x = transform(_checked(what, _fitted(x, axis, n), axis), axis, inverse, divisor)
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


def fft2(
    x: Any, s: Sizes = None, axes: Axes = (-2, -1), norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`fftn` along the last two axes, or those that are given.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.fft2([[1.0, 0.0], [0.0, 1.0]]))
    array([[2.+0.j, 0.+0.j],
           [0.+0.j, 2.+0.j]], dtype=complex64)
    """
    return _several("fft2", _complex("fft2", x), s, axes, norm, False, name)


def ifft2(
    x: Any, s: Sizes = None, axes: Axes = (-2, -1), norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `fft2`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.ifft2([[4.0, 0.0], [0.0, 0.0]]))
    array([[1.+0.j, 1.+0.j],
           [1.+0.j, 1.+0.j]], dtype=complex64)
    """
    return _several("ifft2", _complex("ifft2", x), s, axes, norm, True, name)


# -- transforms of real numbers -------------------------------------------------------------------


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
    return _half_spectrum("rfft", _real("rfft", x), n, axis, norm, False, name)


def _half_spectrum(
    what: str, x: Tensor, n: Any, axis: Any, norm: Any, inverse: bool, name: str | None
) -> Tensor:
    divisor = _divisor(what, norm, inverse)
    number = one_axis(what, x, axis)
    given = _checked(what, _fitted(x, number, None if n is None else _count(what, n)), number)
    result = from_real(given, number, divisor)
    return identity(conj(result) if inverse else result, name=name or what)


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
    return _of_half("irfft", _complex("irfft", x), n, axis, norm, True, name)


def _of_half(
    what: str, x: Tensor, n: Any, axis: Any, norm: Any, inverse: bool, name: str | None
) -> Tensor:
    divisor = _divisor(what, norm, inverse)
    number = one_axis(what, x, axis)
    if n is None:
        have = length_of(x, number)
        if isinstance(have, int) and have < 2:
            refuse(what, (x,), Mismatch(*no_even_length(have)))
        length: int | Tensor = (have - 1) * 2
    else:
        length = _count(what, n)
        x = _fitted(x, number, length // 2 + 1)
    given = x if inverse else conj(x)
    return identity(to_real(given, number, length, divisor), name=name or what)


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
    return _half_spectra("rfftn", x, s, axes, norm, name)


def _half_spectra(what: str, x: Any, s: Any, axes: Any, norm: Any, name: str | None) -> Tensor:
    tensor = _real(what, x)
    divisor = _divisor(what, norm, False)
    *others, last = _some_axes(what, tensor, s, axes)
    axis, n = last
    result = from_real(_checked(what, _fitted(tensor, axis, n), axis), axis, divisor)
    for axis, n in reversed(others):
        result = transform(_checked(what, _fitted(result, axis, n), axis), axis, False, divisor)
    return identity(result, name=name or what)


def _some_axes(what: str, x: Tensor, s: Any, axes: Any) -> list[tuple[int, int | None]]:
    listed = _axes(what, x, s, axes)
    if not listed:
        raise refusal(what, "there is no axis to transform", "give one axis at least")
    return listed


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
    return _of_half_spectra("irfftn", x, s, axes, norm, name)


def _of_half_spectra(what: str, x: Any, s: Any, axes: Any, norm: Any, name: str | None) -> Tensor:
    tensor = _complex(what, x)
    divisor = _divisor(what, norm, True)
    *others, last = _some_axes(what, tensor, s, axes)
    for axis, n in others:
        tensor = transform(_checked(what, _fitted(tensor, axis, n), axis), axis, True, divisor)
    axis, n = last
    return _of_half(what, tensor, n, axis, norm, True, name)


def rfft2(
    x: Any, s: Sizes = None, axes: Axes = (-2, -1), norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`rfftn` along the last two axes, or those that are given.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.rfft2([[1.0, 2.0, 3.0, 4.0]]))
    array([[10.+0.j, -2.+2.j, -2.+0.j]], dtype=complex64)
    """
    return _half_spectra("rfft2", x, s, axes, norm, name)


def irfft2(
    x: Any, s: Sizes = None, axes: Axes = (-2, -1), norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `rfft2`; see `irfft` for the length of the last axis.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.irfft2([[10.0, -2 + 2j, -2.0]]))
    array([[1., 2., 3., 4.]], dtype=float32)
    """
    return _of_half_spectra("irfft2", x, s, axes, norm, name)


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
    return _of_half("hfft", _complex("hfft", x), n, axis, norm, False, name)


def ihfft(
    x: Any, n: int | None = None, axis: int = -1, norm: Norm = "backward",
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `hfft`: the conjugates of `rfft` with the scale of `ifft`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fft.ihfft([2.0, 4.0, 2.0, -4.0]))
    array([1.-0.j, 0.+2.j, 1.-0.j], dtype=complex64)
    """
    return _half_spectrum("ihfft", _real("ihfft", x), n, axis, norm, True, name)


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
    try:
        distance = float(d)
    except (TypeError, ValueError, GraphError):
        distance = 0.0
    if not abs(distance) > 0:
        raise refusal(what, f"d={d!r} is no distance of samples", "d is a number, and not 0")
    values = np.asarray(numbers(count) / (count * distance), wanted)
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
    ndim = known_rank(what, tensor)
    listed = range(ndim) if axes is None else [axes] if is_int(axes) else axes
    for axis in listed:  # type: ignore[union-attr]
        number = one_axis(what, tensor, axis)
        count = length_of(tensor, number)
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
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift",
    "ihfft", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


def __dir__() -> list[str]:
    """What the namespace offers, without what it is made of."""
    return __all__
