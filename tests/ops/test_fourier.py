"""Fourier transforms beyond single calls: every length, what the run knows, threads, identities."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.fourier.code import roots_of_unity
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [*range(1, 10), 12, 15, 30, 34, 49, 64, 67, 134, 1000, 1024, 2310])
def test_real_transforms_of_every_length(n: int, dtype: str) -> None:
    values = _drawn(2, n, 3).real.astype(dtype)
    halves = _drawn(2, n // 2 + 1, 3).astype(np.result_type(dtype, np.complex64))
    results = []
    for shapes in ((values.shape, halves.shape), ((None,) * 3, (None,) * 3)):
        x, z = sg.placeholder(dtype, shapes[0]), sg.placeholder(halves.dtype, shapes[1])
        flat, flat_halves = sg.reshape(x, (-1,)), sg.reshape(z, (-1,))
        calls = [
            sg.fft.rfft(x, axis=1), sg.fft.rfft(flat),
            sg.fft.irfft(z, n=n, axis=1), sg.fft.irfft(flat_halves, n=n),
        ]  # fmt: skip
        results.append(sg.Session().run(calls, {x: values, z: halves}))
    wide, whole = values.astype(np.float64), halves.astype(np.complex128)
    want = [
        np.fft.rfft(wide, axis=1), np.fft.rfft(wide.ravel()),
        np.fft.irfft(whole, n=n, axis=1), np.fft.irfft(whole.ravel(), n=n),
    ]  # fmt: skip
    for have in results:
        for ours, numpys in zip(have, want, strict=True):
            assert ours.shape == numpys.shape
            assert _distance(ours, numpys) < 4


@pytest.mark.parametrize("rows", [16, 35])
@pytest.mark.parametrize("n", [2, 3, 8, 15, 16, 17, 45, 60, 61, 125])
def test_many_short_sequences(n: int, rows: int) -> None:
    for dtype in ("complex64", "complex128"):
        values = _drawn(rows, n).astype(dtype)
        z = sg.placeholder(dtype, (None, n))
        x = sg.real(z)
        calls = [sg.fft.fft(z), sg.fft.ifft(z), sg.fft.rfft(x), sg.fft.irfft(z, n=n)]
        first, second = [sg.Session(threads=count).run(calls, {z: values}) for count in (1, 3)]
        wide = values.astype(np.complex128)
        want = [
            np.fft.fft(wide), np.fft.ifft(wide), np.fft.rfft(wide.real), np.fft.irfft(wide, n=n)
        ]  # fmt: skip
        for ours, others, numpys in zip(first, second, want, strict=True):
            assert _distance(ours, numpys) < 4
            np.testing.assert_array_equal(ours, others)


def test_one_plan_of_real_transforms_serves_even_and_odd_lengths() -> None:
    x = sg.placeholder("float64", (None,), name="x")
    session, spectrum = sg.Session(), sg.fft.rfft(x)
    (slope,) = sg.gradients(sg.sum(sg.abs(sg.fft.irfft(spectrum)) ** 2), x)
    for n in (2, 3, 8, 9, 67, 134, 1000):
        values = _drawn(n).real
        have = session.run([spectrum, slope], {x: values})
        np.testing.assert_allclose(have[0], np.fft.rfft(values), atol=1e-12)
        # Of an odd length the way back has one element less, so only even ones are themselves.
        if n % 2 == 0:
            np.testing.assert_allclose(have[1], 2 * values, atol=1e-12)


# Matrices of 256 x 256 rows and columns, of 300 x 400, of odd ones; a length that is no matrix.
LONG = (65536, 120000, 177147, 2 * 118098, 65537 * 2)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("n", LONG)
def test_long_sequences(n: int, known: bool) -> None:
    values = _drawn(2, n).astype(np.complex64)
    shape = values.shape if known else (None, None)
    z = sg.placeholder("complex64", shape)
    x = sg.real(z)
    fetches = [sg.fft.fft(z), sg.fft.ifft(z), sg.fft.rfft(x), sg.fft.irfft(z, norm="ortho")]
    first, *others = [sg.Session(threads=count).run(fetches, {z: values}) for count in (1, 2, 3)]
    wide = values.astype(np.complex128)
    want = [
        np.fft.fft(wide), np.fft.ifft(wide), np.fft.rfft(wide.real),
        np.fft.irfft(wide, norm="ortho"),
    ]  # fmt: skip
    for ours, numpys in zip(first, want, strict=True):
        assert _distance(ours, numpys) < 4
    for other in others:
        for one, same in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_a_prime_length_of_the_run_is_not_a_square_of_work() -> None:
    """Sums over all elements for each result would take 10^10 steps."""
    z = sg.placeholder("complex128", (None,))
    values = _drawn(100_003)
    have = sg.Session().run(sg.fft.fft(z), {z: values})
    assert _distance(have, np.fft.fft(values)) < 10


def test_a_long_transform_needs_a_second_array_and_rooms() -> None:
    n = 1 << 20
    z = sg.placeholder("complex64", (n,))
    session, spectrum = sg.Session(threads=2), sg.fft.fft(z)
    session.run(spectrum, {z: np.zeros(n, np.complex64)})
    (found,) = re.findall(r"the last run had (\d+) bytes at most", session.explain(spectrum))
    # What stands between the passes, and the rooms of all chunks, of which two are touched.
    assert int(found) <= 2.1 * 8 * n


@pytest.mark.parametrize(
    "shape", [(1000, 64), (70, 67), (3, 50000), (4, 33, 300), (1, 128, 1000), (2, 67, 50)]
)
def test_threads_change_no_bit(shape: tuple[int, ...]) -> None:
    z = sg.placeholder("complex64", (None, *shape[1:]), name="z")
    values = _drawn(*shape).astype(np.complex64)
    spectra = [
        sg.fft.fft(z, axis=1), sg.fft.rfft(sg.real(z), axis=1), sg.fft.irfft(z, n=60, axis=1)
    ]  # fmt: skip
    first, *others = [sg.Session(threads=n).run(spectra, {z: values}) for n in (1, 2, 3)]
    for other in others:
        for one, same in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, same)


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
    several = {"fftn": z, "ifftn": z, "rfftn": sg.real(z), "irfftn": z,
               "fft2": z, "ifft2": z, "rfft2": sg.real(z), "irfft2": z}  # fmt: skip
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


@pytest.mark.parametrize("n", [1, 2, 5, 6])
@pytest.mark.parametrize("axis", [0, 1])
def test_adjoints_of_lengths_that_the_run_knows(n: int, axis: int) -> None:
    """The inner product of a result with weights moves as the operand does, to second order."""
    shape = (n, 3) if axis == 0 else (3, n)
    x = sg.placeholder("float64", (None, None), name="x")
    spectrum = sg.fft.rfft(x, axis=axis)
    (slope,) = sg.gradients(sg.sum(sg.abs(spectrum) ** 2), x)
    direction = sg.placeholder("float64", (None, None), name="direction")
    (bend,) = sg.gradients(sg.sum(slope * direction), x)
    (moved,) = sg.jvp(slope, [x], [direction])
    fed = {x: _drawn(*shape, seed=3).real, direction: _drawn(*shape, seed=4).real}
    have = sg.Session().run([slope, bend, moved], fed)
    for result, values in zip(have, [fed[x], fed[direction], fed[direction]], strict=True):
        # Of the squares of the frequencies that are given: 2 Re F^H F x, for those rows of F.
        rows = np.fft.fft(np.eye(n))[: n // 2 + 1]
        matrix = 2 * (rows.conj().T @ rows).real
        want = matrix @ values if axis == 0 else values @ matrix.T
        np.testing.assert_allclose(result, want, atol=1e-12)


def test_numpys_functions_of_two_axes_take_tensors() -> None:
    z = _drawn(2, 3, 4)
    tensor = sg.constant(z)
    for name in ("fft2", "ifft2", "irfft2", "rfft2"):
        given, values = (sg.real(tensor), z.real) if name == "rfft2" else (tensor, z)
        function = getattr(np.fft, name)
        have = sg.Session().run(function(given, axes=(0, 2)))
        np.testing.assert_allclose(have, function(values, axes=(0, 2)), atol=1e-12)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "ihfft", "irfft", "hfft"])
@pytest.mark.parametrize("shape", [(3, 0), (3, 0, 0), (3, 2, 0), (3, 0, 2)])
@pytest.mark.parametrize("n", [None, 4, 7])
def test_nothing_beside_each_other(name: str, shape: tuple[int, ...], n: int | None) -> None:
    """Sequences lie side by side in blocks, of which there is none."""
    x = sg.placeholder(
        "float64" if name in ("rfft", "ihfft") else "complex128", (None,) * len(shape)
    )
    y = getattr(sg.fft, name)(x, n=n, axis=0)
    values = np.zeros(shape, x.dtype)
    for threads in (1, 2):
        have = sg.Session(threads=threads).run(y, {x: values})
        assert have.shape == getattr(np.fft, name)(values, n=n, axis=0).shape
