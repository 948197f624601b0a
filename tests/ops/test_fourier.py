"""Fourier transforms beyond single calls: every length, what the run knows, threads, identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.fourier_code import roots_of_unity
from staticgraph.core import dtypes
from staticgraph.errors import ShapeError

Array = np.ndarray[Any, Any]
LENGTHS = (*range(1, 34), 49, 60, 64, 97, 100, 121, 128, 134, 183, 243, 360, 625, 1000, 1024, 2310)


def _drawn(*shape: int, seed: int = 0) -> Array:
    numbers = np.random.default_rng(seed)
    return numbers.standard_normal(shape) + 1j * numbers.standard_normal(shape)


def _distance(have: Array, want: Array) -> float:
    """The error as a share of the size, in units in the last place of the result's dtype."""
    unit = np.finfo(have.dtype).eps
    return float(np.linalg.norm(have - want) / np.linalg.norm(want) / unit)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("inverse", [False, True])
def test_every_length_is_within_units_in_the_last_place(
    dtype: str, known: bool, inverse: bool
) -> None:
    ours, numpys = (sg.fft.ifft, np.fft.ifft) if inverse else (sg.fft.fft, np.fft.fft)
    for n in LENGTHS:
        with sg.Graph().as_default():
            z = sg.placeholder(dtype, (2, n, 3) if known else (None, None, None))
            results = [ours(z, axis=1), ours(sg.reshape(z, (-1,)))]
            values = _drawn(2, n, 3).astype(dtype)
            have = sg.Session().run(results, {z: values})
        wide = values.astype(np.complex128)
        assert _distance(have[0], numpys(wide, axis=1)) < 4, n
        assert _distance(have[1], numpys(wide.ravel())) < 4, n


def test_one_plan_serves_every_length() -> None:
    z = sg.placeholder("complex128", (None,), name="z")
    session = sg.Session()
    spectrum, half, back = sg.fft.fft(z), sg.fft.rfft(sg.real(z)), sg.fft.irfft(z, n=9)
    for n in (1, 2, 9, 10, 67):
        values = _drawn(n)
        have = session.run([spectrum, half, back], {z: values})
        np.testing.assert_allclose(have[0], np.fft.fft(values), atol=1e-12)
        np.testing.assert_allclose(have[1], np.fft.rfft(values.real), atol=1e-12)
        np.testing.assert_allclose(have[2], np.fft.irfft(values, n=9), atol=1e-12)


def test_nothing_has_no_spectrum_also_in_the_run() -> None:
    z = sg.placeholder("complex64", (None, None), name="z")
    session = sg.Session()
    spectrum = sg.fft.fft(z)
    assert session.run(spectrum, {z: np.zeros((0, 4), np.complex64)}).shape == (0, 4)
    with pytest.raises(ShapeError, match="axis 1 is empty, and nothing has no spectrum"):
        session.run(spectrum, {z: np.zeros((4, 0), np.complex64)})


@pytest.mark.parametrize("shape", [(1000, 64), (70, 67), (3, 50000)])
def test_threads_change_no_bit(shape: tuple[int, ...]) -> None:
    z = sg.placeholder("complex64", (None, shape[1]), name="z")
    spectrum, values = sg.fft.fft(z), _drawn(*shape).astype(np.complex64)
    first, *others = [sg.Session(threads=n).run(spectrum, {z: values}) for n in (1, 2, 3)]
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("view", [np.s_[::-1, ::2], np.s_[:, ::-3], np.s_[1:, 2:9]])
def test_operands_in_any_layout(view: Any) -> None:
    values = _drawn(5, 12)
    with sg.Graph().as_default():
        z = sg.placeholder("complex128", (5, 12))
        for axis in (0, 1):
            for taken, expected in ((z[view], values[view]), (sg.permute_dims(z), values.T)):
                have = sg.Session().run(sg.fft.fft(taken, axis=axis), {z: values})
                np.testing.assert_allclose(have, np.fft.fft(expected, axis=axis), atol=1e-12)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 4, 5, 9, 10])
@pytest.mark.parametrize("known", [True, False])
def test_all_functions_are_numpys(norm: Any, n: int | None, known: bool) -> None:
    values = _drawn(3, 7)
    z = sg.placeholder("complex128", (3, 7) if known else (None, None))
    calls = {"fft": z, "ifft": z, "rfft": sg.real(z), "irfft": z, "hfft": z, "ihfft": sg.real(z)}
    several = {"fftn": z, "ifftn": z, "rfftn": sg.real(z), "irfftn": z}
    s = None if n is None else (n, n)
    have = sg.Session().run(
        {
            **{name: getattr(sg.fft, name)(x, n=n, norm=norm) for name, x in calls.items()},
            **{name: getattr(sg.fft, name)(x, s=s, norm=norm) for name, x in several.items()},
        },
        {z: values},
    )
    axes = None if s is None else (0, 1)
    for name, x in calls.items():
        given = values if x is z else values.real
        want = getattr(np.fft, name)(given, n=n, norm=norm)
        np.testing.assert_allclose(have[name], want, atol=1e-12, err_msg=name, strict=True)
    for name, x in several.items():
        given = values if x is z else values.real
        want = getattr(np.fft, name)(given, s=s, axes=axes, norm=norm)
        np.testing.assert_allclose(have[name], want, atol=1e-12, err_msg=name, strict=True)


def test_frequencies_and_shifts_are_numpys() -> None:
    for n in (1, 2, 5, 8):
        for d in (1.0, 0.25):
            have = sg.Session().run(
                [sg.fft.fftfreq(n, d, dtype="float64"), sg.fft.rfftfreq(n, d, dtype="float64")]
            )
            np.testing.assert_array_equal(have[0], np.fft.fftfreq(n, d))
            np.testing.assert_array_equal(have[1], np.fft.rfftfreq(n, d))
        x = sg.placeholder("int64", (None, None))
        values = np.arange(4 * n).reshape(4, n)
        for axes in (None, 0, 1, (0, 1)):
            have = sg.Session().run(
                [sg.fft.fftshift(x, axes), sg.fft.ifftshift(sg.fft.fftshift(x, axes), axes)],
                {x: values},
            )
            np.testing.assert_array_equal(have[0], np.fft.fftshift(values, axes))
            np.testing.assert_array_equal(have[1], values)


def test_the_transform_keeps_the_energy_and_its_slope() -> None:
    z = sg.placeholder("complex128", (60,), name="z")
    energy = sg.sum(sg.abs(sg.fft.fft(z, norm="ortho")) ** 2)
    (slope,) = sg.gradients(energy, z)
    values = _drawn(60)
    have = sg.Session().run([energy, slope], {z: values})
    np.testing.assert_allclose(have[0], np.sum(np.abs(values) ** 2))
    np.testing.assert_allclose(have[1], 2 * values, atol=1e-12)


@pytest.mark.parametrize("n", [8, 9])
def test_a_convolution_by_spectra_has_the_slopes_of_the_sum(n: int) -> None:
    x = sg.placeholder("float64", (n,), name="x")
    kernel = sg.placeholder("float64", (n,), name="kernel")
    result = sg.fft.irfft(sg.fft.rfft(x) * sg.fft.rfft(kernel), n=n)
    weights = np.arange(1.0, n + 1)
    slopes = sg.gradients(sg.sum(result * weights), [x, kernel])
    fed = {x: _drawn(n, seed=1).real, kernel: _drawn(n, seed=2).real}
    have = sg.Session().run([result, *slopes], fed)
    turned = (np.arange(n)[:, None] - np.arange(n)) % n
    circulant = fed[kernel][turned]
    np.testing.assert_allclose(have[0], circulant @ fed[x])
    np.testing.assert_allclose(have[1], circulant.T @ weights)
    np.testing.assert_allclose(have[2], fed[x][turned].T @ weights)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 30, 1000, 4099])
def test_roots_of_unity_are_rounded_correctly(n: int) -> None:
    turns = np.arange(n)
    angle = 2 * np.longdouble("3.14159265358979323846264338327950288") * turns / n
    want = np.cos(angle) - 1j * np.sin(angle)
    have = roots_of_unity(n, False, dtypes.complex128)
    assert np.abs(have - want).max() < 2.3e-16
    np.testing.assert_array_equal(roots_of_unity(n, True, dtypes.complex128), have.conj())
