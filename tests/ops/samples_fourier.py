"""Samples of Fourier transforms; expected values are the sums of the definition, written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_generator = np.random.default_rng(11)


def _drawn(*shape: int) -> Array:
    return _generator.standard_normal(shape) + 1j * _generator.standard_normal(shape)


def sums(x: Array, axis: int = -1, inverse: bool = False) -> Array:
    """The transform without a scale, by its definition."""
    moved = np.moveaxis(x.astype(np.complex128), axis, 0)
    n = moved.shape[0]
    turns = np.outer(np.arange(n), np.arange(n)) % n
    roots = np.exp((2j if inverse else -2j) * math.pi * turns / n)
    result = np.moveaxis(np.tensordot(roots, moved, 1), 0, axis)
    return result.astype(x.dtype if x.dtype.kind == "c" else np.complex128)


def cut(x: Array, n: int, axis: int) -> Array:
    """Cut off, or with zeros behind."""
    moved = np.moveaxis(x, axis, 0)
    result = np.zeros((n, *moved.shape[1:]), x.dtype)
    result[: min(n, len(moved))] = moved[:n]
    return np.moveaxis(result, 0, axis)


REALS = _drawn(3, 6).real.copy()
SAMPLES: list[Sample] = []

# Radices 4, 2, 3, 5 and primes; a large prime factor, which is another algorithm.
for _n in (1, 2, 3, 4, 5, 7, 8, 12, 15, 49, 60, 67, 134):
    SAMPLES.append(
        Sample("fft", lambda x: sg.fft.fft(x), (_drawn(_n),), sums, wrt=(0,), label=f"length {_n}")
    )

SAMPLES += [
    Sample("fft", lambda x: sg.fft.ifft(x, axis=0), (_drawn(5, 3),),
           lambda x: sums(x, 0, True) / 5, wrt=(0,), label="inverse"),
    Sample("fft", lambda x: sg.fft.fft(x, axis=1), (_drawn(2, 12, 3),), lambda x: sums(x, 1),
           wrt=(0,), label="axis between"),
    Sample("fft", lambda x: sg.fft.fft(x, axis=0), (_drawn(67, 3),), lambda x: sums(x, 0),
           label="large prime, first axis"),
    Sample("fft", lambda x: sg.fft.fft(x), (_drawn(0, 4),), lambda x: x, label="no sequence"),
    Sample("fft", lambda x: sg.fft.fft(x, axis=0), (_drawn(4, 0).astype(np.complex64),),
           lambda x: x, label="nothing beside"),
    Sample("fft", lambda x: sg.fft.fft(x), (_drawn(3, 20).astype(np.complex64),), sums,
           label="complex64", tolerance=1e-5),
    Sample("fft", lambda x: sg.fft.fft(x), (REALS,), sums, wrt=(0,), label="of reals"),
    Sample("fft", lambda x: sg.fft.fft(x), (np.arange(6).reshape(2, 3),), sums,
           label="of integers", tolerance=1e-12),
    Sample("fft", lambda x: sg.fft.fft(x, n=4), (_drawn(2, 6),), lambda x: sums(x[:, :4]),
           wrt=(0,), label="cut off"),
    Sample("fft", lambda x: sg.fft.fft(x, n=9, axis=0), (_drawn(4, 2),),
           lambda x: sums(cut(x, 9, 0), 0), wrt=(0,), label="zeros behind"),
    Sample("fft", lambda x: sg.fft.fft(x, norm="ortho"), (_drawn(2, 6),),
           lambda x: sums(x) / math.sqrt(6), wrt=(0,), label="unitary"),
    Sample("fft", lambda x: sg.fft.ifft(x, norm="ortho"), (_drawn(2, 6),),
           lambda x: sums(x, -1, True) / math.sqrt(6), label="unitary inverse"),
    Sample("fft", lambda x: sg.fft.fft(x, norm="forward"), (_drawn(2, 6),),
           lambda x: sums(x) / 6, label="forward"),
    Sample("fft", lambda x: sg.fft.ifft(x, norm="forward"), (_drawn(2, 6),),
           lambda x: sums(x, -1, True), label="inverse of forward"),
    Sample("fft", lambda x: sg.fft.fftn(x), (_drawn(3, 2, 4),),
           lambda x: sums(sums(sums(x, 0), 1), 2), wrt=(0,), label="all axes"),
    Sample("fft", lambda x: sg.fft.fftn(x, s=(3, 5), axes=(2, 0)), (_drawn(3, 2, 4),),
           lambda x: sums(sums(cut(cut(x, 3, 2), 5, 0), 2), 0), wrt=(0,), label="some axes"),
    Sample("fft", lambda x: sg.fft.ifftn(x, s=(3, 5)), (_drawn(3, 2, 4),),
           lambda x: sums(sums(cut(cut(x, 3, 1), 5, 2), 1, True), 2, True) / 15, wrt=(0,),
           label="inverse, last axes"),
    Sample("rfft", lambda x: sg.fft.rfft(x), (REALS,), lambda x: sums(x)[:, :4], wrt=(0,),
           label="real, even"),
    Sample("rfft", lambda x: sg.fft.rfft(x, axis=0), (REALS,), lambda x: sums(x, 0)[:2],
           wrt=(0,), label="real, odd"),
    Sample("rfft", lambda x: sg.fft.rfft(x, n=8, norm="forward"), (REALS.astype(np.float32),),
           lambda x: (sums(cut(x, 8, 1))[:, :5] / 8).astype(np.complex64), tolerance=1e-5,
           label="real, zeros behind"),
    Sample("irfft", lambda x: sg.fft.irfft(x), (_drawn(2, 4),),
           lambda x: sums(whole(x, 6), -1, True).real / 6, wrt=(0,), label="to reals, even"),
    Sample("irfft", lambda x: sg.fft.irfft(x, n=5, axis=0), (_drawn(3, 2),),
           lambda x: sums(whole(x.T, 5).T, 0, True).real / 5, wrt=(0,), label="to reals, odd"),
    Sample("irfft", lambda x: sg.fft.irfft(x, n=4), (_drawn(2, 5),),
           lambda x: sums(whole(x[:, :3], 4), -1, True).real / 4, wrt=(0,),
           label="to reals, cut off"),
    Sample("rfft", lambda x: sg.fft.rfftn(x), (REALS,), lambda x: sums(sums(x)[:, :4], 0), wrt=(0,),
           label="real, all axes"),
    Sample("irfft", lambda x: sg.fft.irfftn(x, s=(3, 5)), (_drawn(3, 3),),
           lambda x: sums(whole(sums(x, 0, True), 5), -1, True).real / 15, wrt=(0,),
           label="to reals, all axes"),
    Sample("irfft", lambda x: sg.fft.hfft(x), (_drawn(2, 4),), lambda x: sums(whole(x, 6)).real,
           wrt=(0,), label="hermitian"),
    Sample("rfft", lambda x: sg.fft.ihfft(x, n=5), (REALS,),
           lambda x: sums(x[:, :5]).conj()[:, :3] / 5, wrt=(0,), label="inverse of hermitian"),
    Sample("rfft", lambda x: sg.fft.rfft(x, n=4, axis=0), (_drawn(7, 3).real.copy(),),
           lambda x: sums(x[:4], 0)[:3], wrt=(0,), label="real, cut off, first axis"),
    Sample("rfft", lambda x: sg.fft.rfft(x, n=5, axis=1), (_drawn(2, 3, 2).real.copy(),),
           lambda x: sums(cut(x, 5, 1), 1)[:, :3], wrt=(0,), label="real, zeros behind, between"),
    Sample("rfft", lambda x: sg.fft.rfft(x, norm="ortho"), (_drawn(2, 1).real.copy(),),
           lambda x: sums(x), wrt=(0,), label="one real number"),
    Sample("rfft", lambda x: sg.fft.rfft(x, norm="ortho"), (_drawn(3, 2).real.copy(),),
           lambda x: sums(x) / math.sqrt(2), wrt=(0,), label="two real numbers"),
    Sample("rfft", lambda x: sg.fft.rfft(x), (_drawn(2, 67).real.copy(),),
           lambda x: sums(x)[:, :34], wrt=(0,), label="real, large prime"),
    Sample("rfft", lambda x: sg.fft.rfft(x), (_drawn(134).real.copy(),), lambda x: sums(x)[:68],
           wrt=(0,), label="real, twice a large prime"),
    Sample("rfft", lambda x: sg.fft.rfft(x, axis=0), (np.arange(6).reshape(3, 2),),
           lambda x: sums(x, 0)[:2], label="real, of integers", tolerance=1e-12),
    Sample("rfft", lambda x: sg.fft.rfft(x), (_drawn(0, 4).real.copy(),),
           lambda x: x[:, :3].astype(np.complex128), label="no real sequence"),
    Sample("irfft", lambda x: sg.fft.irfft(x), (_drawn(0, 3),), lambda x: np.zeros((0, 4)),
           label="to reals, no sequence"),
    Sample("irfft", lambda x: sg.fft.irfft(x, n=8, axis=1, norm="ortho"), (_drawn(2, 3, 2),),
           lambda x: sums(whole(cut(x, 5, 1).swapaxes(1, 2), 8), -1, True).real.swapaxes(1, 2)
           / math.sqrt(8), wrt=(0,), label="to reals, zeros behind, between"),
    Sample("irfft", lambda x: sg.fft.irfft(x, n=1), (_drawn(3, 2),), lambda x: x[:, :1].real,
           wrt=(0,), label="to one real number"),
    Sample("irfft", lambda x: sg.fft.irfft(x, norm="forward"), (_drawn(3, 2),),
           lambda x: sums(whole(x, 2), -1, True).real, wrt=(0,), label="to two real numbers"),
    Sample("irfft", lambda x: sg.fft.irfft(x, n=67), (_drawn(34),),
           lambda x: sums(whole(x, 67), -1, True).real / 67, wrt=(0,),
           label="to reals, large prime"),
    Sample("irfft", lambda x: sg.fft.irfft(x), (_drawn(2, 4).astype(np.complex64),),
           lambda x: (sums(whole(x, 6), -1, True).real / 6).astype(np.float32), tolerance=1e-5,
           label="to float32"),
    Sample("fft", lambda x: sg.fft.fft2(x), (_drawn(2, 3, 4),), lambda x: sums(sums(x, 1), 2),
           wrt=(0,), label="fft2"),
    Sample("fft", lambda x: sg.fft.ifft2(x, s=(2, 5)), (_drawn(3, 4),),
           lambda x: sums(sums(cut(cut(x, 2, 0), 5, 1), 0, True), 1, True) / 10, wrt=(0,),
           label="ifft2"),
    Sample("rfft", lambda x: sg.fft.rfft2(x, axes=(1, 0)), (REALS,),
           lambda x: sums(sums(x, 0)[:2], 1), wrt=(0,), label="rfft2"),
    Sample("irfft", lambda x: sg.fft.irfft2(x), (_drawn(3, 3),),
           lambda x: sums(whole(sums(x, 0, True), 4), -1, True).real / 12, wrt=(0,),
           label="irfft2"),
    Sample("concat", lambda x: sg.fft.fftshift(x, axes=1), (_drawn(2, 5),),
           lambda x: x[:, [3, 4, 0, 1, 2]], wrt=(0,), label="fftshift"),
    Sample("concat", lambda x: sg.fft.ifftshift(x), (_drawn(2, 5),),
           lambda x: x[:, [2, 3, 4, 0, 1]][::-1], wrt=(0,), label="ifftshift"),
    Sample("constant", lambda: sg.fft.fftfreq(4, 0.5, dtype="float64"), (),
           lambda: np.array([0, 0.5, -1, -0.5]), label="fftfreq"),
    Sample("constant", lambda: sg.fft.rfftfreq(5), (),
           lambda: np.array([0, 0.2, 0.4], np.float32), label="rfftfreq"),
]  # fmt: skip


def whole(half: Array, n: int) -> Array:
    """All n frequencies of a real sequence along the last axis, by the conjugates of `half`."""
    result = np.zeros((*half.shape[:-1], n), half.dtype)
    for k in range(n):
        result[..., k] = half[..., k] if k <= n // 2 else half[..., n - k].conj()
    return result


def _refusal(
    build: Callable[[], Any], error: type[Exception], message: str, label: str, op: str = "fft"
) -> Refusal:
    return Refusal(op, build, error, message, label)


def _z(*shape: int | None) -> Any:
    return sg.placeholder("complex64", shape, name="z")


def _x(dtype: str, *shape: int | None) -> Any:
    return sg.placeholder(dtype, shape, name="x")


_EMPTY = (
    "  transform an axis that has elements, or give n=, to which zeros are put behind\n"
    "  created at {here}: {line}"
)

REFUSALS = [
    _refusal(
        lambda: sg.fft.fft(_z(2, 0)), ShapeError,
        "fft: axis 1 is empty, and nothing has no spectrum\n"
        "  x 'z'  complex64[2, 0]  placeholder at {here}\n" + _EMPTY, "empty",
    ),
    _refusal(
        lambda: sg.fft.rfft(_x("float32", 0, 2), axis=0), ShapeError,
        "rfft: axis 0 is empty, and nothing has no spectrum\n"
        "  x 'x'  float32[0, 2]  placeholder at {here}\n" + _EMPTY, "empty, real", "rfft",
    ),
    _refusal(
        lambda: sg.fft.fft(_z(2, 3), axis=2), ShapeError,
        "fft: 'z' has no axis 2\n"
        "  x 'z'  complex64[2, 3]  placeholder at {here}\n"
        "  it has axes -2 to 1\n"
        "  created at {here}: {line}", "axis",
    ),
    _refusal(
        lambda: sg.fft.irfft(_z(2, 3), axis=-3), ShapeError,
        "irfft: 'z' has no axis -3\n"
        "  x 'z'  complex64[2, 3]  placeholder at {here}\n"
        "  it has axes -2 to 1\n"
        "  created at {here}: {line}", "axis of irfft", "irfft",
    ),
    _refusal(
        lambda: sg.fft.fft2(_z(3)), ShapeError,
        "fft2: 'z' has no axis -2\n"
        "  x 'z'  complex64[3]  placeholder at {here}\n"
        "  it has axes -1 to 0\n"
        "  created at {here}: {line}", "one axis for two",
    ),
    _refusal(
        lambda: sg.fft.fft(_z(3), n=0), ShapeError,
        "fft: n=0 is no length\n"
        "  n is an int above 0, known in the graph\n"
        "  at {here}: {line}", "length",
    ),
    _refusal(
        lambda: sg.fft.rfft(_x("float32", 3), n=-1), ShapeError,
        "rfft: n=-1 is no length\n"
        "  n is an int above 0, known in the graph\n"
        "  at {here}: {line}", "length of rfft", "rfft",
    ),
    _refusal(
        lambda: sg.fft.irfft(_z(3), n=cast(Any, 2.0)), ShapeError,
        "irfft: n=2.0 is no length\n"
        "  n is an int above 0, known in the graph\n"
        "  at {here}: {line}", "length of irfft", "irfft",
    ),
    _refusal(
        lambda: sg.fft.ifftn(_z(3, 3), s=(2, 0)), ShapeError,
        "ifftn: each of s=0 is no length\n"
        "  each of s is an int above 0, known in the graph\n"
        "  at {here}: {line}", "length of ifftn",
    ),
    _refusal(
        lambda: sg.fft.ifft(_z(3), norm=cast(Any, "none")), ShapeError,
        "ifft: norm='none' is none\n"
        "  norm may be 'backward', 'ortho' or 'forward'\n"
        "  at {here}: {line}", "norm",
    ),
    _refusal(
        lambda: sg.fft.rfft(_z(3)), DTypeError,
        "rfft: does not take complex64\n"
        "  x 'z'  complex64[3]  placeholder at {here}\n"
        "  x may be integers or floats; sg.fft.fft takes complex numbers, sg.real(x) gives a part\n"
        "  created at {here}: {line}", "complex operand of rfft", "rfft",
    ),
    _refusal(
        lambda: sg.fft.fft(_x("bool", 3)), DTypeError,
        "fft: does not take bool\n"
        "  x 'x'  bool[3]  placeholder at {here}\n"
        "  x may be integers, floats or complex numbers; sg.cast(x, 'float32') makes 0 and 1\n"
        "  created at {here}: {line}", "bool",
    ),
    _refusal(
        lambda: sg.fft.ihfft(_x("bool", 3)), DTypeError,
        "ihfft: does not take bool\n"
        "  x 'x'  bool[3]  placeholder at {here}\n"
        "  x may be integers or floats; sg.cast(x, 'float32') makes 0 and 1\n"
        "  created at {here}: {line}", "bool of ihfft", "rfft",
    ),
    _refusal(
        lambda: sg.fft.fftn(_z(3, 3), s=(2,), axes=(0, 1)), ShapeError,
        "fftn: s=(2,) has 1 sizes for 2 axes\n"
        "  give one each\n"
        "  at {here}: {line}", "sizes",
    ),
    _refusal(
        lambda: sg.fft.fftn(_z(3), s=(2, 2)), ShapeError,
        "fftn: s=(2, 2) has 2 sizes for 1 axes\n"
        "  give one each\n"
        "  at {here}: {line}", "more sizes than axes",
    ),
    _refusal(
        lambda: sg.fft.fftn(_z(3), s=cast(Any, 2)), ShapeError,
        "fftn: s=2 is no sequence\n"
        "  s is a tuple of ints\n"
        "  at {here}: {line}", "sizes as a number",
    ),
    _refusal(
        lambda: sg.fft.rfft2(_x("float32", 3, 3), axes=cast(Any, 1)), ShapeError,
        "rfft2: axes=1 is no sequence\n"
        "  axes is a tuple of ints\n"
        "  at {here}: {line}", "axes as a number", "rfft",
    ),
    _refusal(
        lambda: sg.fft.fftn(_z(3, 3), axes=(0, -2)), ShapeError,
        "fftn: axes=(0, -2) names an axis twice\n"
        "  name each once\n"
        "  at {here}: {line}", "axis twice",
    ),
    _refusal(
        lambda: sg.fft.irfft(_z(1)), ShapeError,
        "irfft: 1 frequencies are those of no even length\n"
        "  x 'z'  complex64[1]  placeholder at {here}\n"
        "  say how many elements there were: n=1\n"
        "  created at {here}: {line}", "one frequency", "irfft",
    ),
    _refusal(
        lambda: sg.fft.rfftn(sg.zeros((3,)), axes=()), ShapeError,
        "rfftn: there is no axis to transform\n"
        "  give one axis at least\n"
        "  at {here}: {line}", "no axis", "rfft",
    ),
    _refusal(
        lambda: sg.fft.fftfreq(4, dtype="int32"), DTypeError,
        "fftfreq: frequencies are no int32\n"
        "  dtype may be float32 or float64\n"
        "  at {here}: {line}", "frequencies",
    ),
]  # fmt: skip
