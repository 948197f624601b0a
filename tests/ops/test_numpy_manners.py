"""Arguments that NumPy takes or refuses: what is known is refused at once, the rest in the run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError, StaticGraphError


@pytest.mark.parametrize("name", ["fft", "ifft", "fftn", "ifftn", "irfft", "irfftn", "hfft"])
def test_no_norm_is_the_scale_of_the_inverse_alone(name: str) -> None:
    z = np.array([1.0, 2.0 + 1j, -0.5, 3.0])
    have = sg.Session().run(getattr(np.fft, name)(sg.constant(z), norm=None))
    np.testing.assert_allclose(have, getattr(np.fft, name)(z, norm=None), rtol=1e-12)


@pytest.mark.parametrize("name", ["rfft", "rfftn", "ihfft"])
def test_no_norm_of_real_numbers(name: str) -> None:
    x = np.array([1.0, 2.0, -0.5, 3.0])
    have = sg.Session().run(getattr(sg.fft, name)(sg.constant(x), norm=None))
    np.testing.assert_allclose(have, getattr(np.fft, name)(x), rtol=1e-12)


def test_float_power_of_integers_is_a_float() -> None:
    i = np.array([7, -3, 10])
    x = np.array([0.1, 2.5, 3.0], np.float32)
    z = np.array([1j, 2.0, 1 + 1j], np.complex64)
    pairs: list[tuple[Any, Any]] = [
        (i, 30), (x, 0.1), (2, i), (x, i), (z, 2), (i > 0, 2), (i, [2, 3, -1])
    ]  # fmt: skip
    for base, exponent in pairs:
        tensors: Any = [
            sg.constant(value) if isinstance(value, np.ndarray) else value
            for value in (base, exponent)
        ]
        have = sg.Session().run(np.float_power(*tensors))
        want = np.float_power(base, exponent)
        assert have.dtype == want.dtype
        np.testing.assert_allclose(have, want, rtol=1e-12)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("name", ["irfft", "irfftn", "hfft"])
def test_one_frequency_of_the_run_is_that_of_no_even_length(name: str, backend: Any) -> None:
    z = sg.placeholder("complex128", (None,), name="z")
    y = getattr(sg.fft, name)(z)
    session = sg.Session(backend=backend)
    with pytest.raises(ShapeError, match="1 frequencies are those of no even length"):
        session.run(y, {z: [2.0]})
    want = getattr(np.fft, name)([2.0, 1.0])
    np.testing.assert_allclose(session.run(y, {z: [2.0, 1.0]}), want, rtol=1e-12)


DOWN = [2.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("right", [False, True])
def test_bins_that_are_known_to_descend_count_from_the_top(backend: Any, right: bool) -> None:
    x = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 7.0, np.nan])
    edges = [DOWN, tuple(DOWN), np.array(DOWN), sg.constant(DOWN), sg.constant([2, 1, 1, 0])]
    results = [sg.digitize(sg.constant(x), bins, right) for bins in edges]
    for have in sg.Session(backend=backend).run(results):
        np.testing.assert_array_equal(have, np.digitize(x, DOWN, right))


@pytest.mark.parametrize("bins", [[0.0, 2.0, 1.0], [2, 0, 1]])
def test_bins_in_no_order_are_refused(bins: Any) -> None:
    for given in (bins, np.array(bins), sg.constant(bins)):
        with pytest.raises(ShapeError, match="digitize: the bins are in no order"):
            sg.digitize([1.0], given)


def test_a_histogram_refuses_edges_that_are_known_to_descend() -> None:
    x = sg.constant([0.5, 1.5])
    for ends in ((1, 0), (sg.constant(1.0), 0.0), (0.0, float("nan"))):
        with pytest.raises(ShapeError, match=r"histogram: range=.* no range"):
            sg.histogram(x, 3, range=ends)
    for bins in ([2.0, 1.0], [0.0, 2.0, 1.0], np.array([2, 1]), sg.constant([2, 1])):
        with pytest.raises(ShapeError, match="histogram: the edges do not ascend"):
            sg.histogram(x, bins)
    counts, _ = sg.histogram(x, 3, range=(1, 1))
    assert list(sg.Session().run(counts)) == list(np.histogram([0.5, 1.5], 3, range=(1, 1))[0])


def test_interp_refuses_points_of_unequal_numbers() -> None:
    x = sg.constant([0.5])
    with pytest.raises(ShapeError, match="interp: there are 2 places xp and 3 values fp") as caught:
        sg.interp(x, [0.0, 1.0], [0.0, 1.0, 2.0])
    assert "give one value per place" in str(caught.value)
    unknown = sg.placeholder("float32", (None,))
    assert sg.interp(x, unknown, [0.0, 1.0, 2.0]).shape == (1,)


def test_shares_of_a_constant_tensor_are_refused_at_once() -> None:
    x = sg.constant([1.0, 2.0, 4.0])
    for share in (sg.constant(1.5), sg.constant([0.5, -0.25]), sg.constant(2), sg.constant(np.nan)):
        with pytest.raises(ShapeError, match=r"quantile: .* is no share of 1"):
            sg.quantile(x, share)
    with pytest.raises(ShapeError, match=r"percentile: .* is no share of 100"):
        sg.percentile(x, sg.constant(150.0))
    assert sg.Session().run(sg.percentile(x, sg.constant(75))) == 3


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("method", ["linear", "lower", "higher", "nearest", "midpoint"])
def test_no_share_of_the_run_is_taken_for_another(backend: Any, method: str) -> None:
    share = sg.placeholder("float64", (), name="share")
    session = sg.Session(backend=backend)
    for values in ([5.0], [1.0, 2.0, 4.0]):
        y = sg.quantile(sg.constant(values), share, method=method)
        for given in (0.0, 0.3, 1.0):
            want = np.quantile(np.array(values), given, method=method)  # type: ignore[call-overload]
            np.testing.assert_allclose(session.run(y, {share: given}), want, rtol=1e-6)
        for given in (1.2, -0.1, np.nan):
            with pytest.raises(StaticGraphError, match="quantile: q is no share of 1"):
                session.run(y, {share: given})


def test_negative_repeats_that_are_known_are_refused_at_once() -> None:
    x = sg.constant([1, 2])
    for repeats in (sg.constant([1, -1]), sg.constant(-1)):
        with pytest.raises(ShapeError, match="are no numbers of repetitions"):
            sg.repeat(x, repeats)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_negative_repeats_are_an_error_of_the_run(backend: Any) -> None:
    session = sg.Session(backend=backend)
    repeats = sg.placeholder("int32", (None,), name="repeats")
    y = sg.repeat(sg.constant([[1, 2], [3, 4]]), repeats, 1)
    np.testing.assert_array_equal(session.run(y, {repeats: [0, 2]}), [[2, 2], [4, 4]])
    assert session.run(y, {repeats: [0, 0]}).shape == (2, 0)
    for given in ([2, -1], [-1, 2], [-1, 0], [-1, -5]):
        with pytest.raises(StaticGraphError, match="repeat: a number of repetitions is negative"):
            session.run(y, {repeats: given})


@pytest.mark.parametrize("function", [sg.cov, sg.corrcoef])
def test_correlations_of_complex_numbers_are_refused(function: Any) -> None:
    for shape in ((3,), (2, 3)):
        z = sg.placeholder("complex128", shape, name="z")
        with pytest.raises(DTypeError, match=rf"{function.__name__}: .* complex128") as caught:
            function(z)
        assert "sg.real(z)" in str(caught.value)


@pytest.mark.parametrize("indexing", ["xy", "ij"])
def test_a_grid_keeps_the_dtype_of_each_vector(indexing: Any) -> None:
    given = (np.array([0.5, 1.5], np.float32), np.array([1, 2, 3]), np.array([True, False]))
    have = sg.Session().run(sg.meshgrid(*map(sg.constant, given), indexing=indexing))
    for ours, numpys in zip(have, np.meshgrid(*given, indexing=indexing), strict=True):
        assert ours.dtype == numpys.dtype
        np.testing.assert_array_equal(ours, numpys)


# -- methods of NumPy's functions, sizes, and numbers that do not fit ---------------------------


def test_running_sums_and_products_as_methods_of_functions() -> None:
    array = np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3)
    x = sg.placeholder("float32", (None, 3), name="x")
    made = [np.add.accumulate(x), np.add.accumulate(x, axis=1), np.multiply.accumulate(x, axis=1)]
    found = sg.Session().run([*made, np.size(x), np.size(x, 0)], {x: array})
    wanted = [
        np.add.accumulate(array), np.add.accumulate(array, axis=1),
        np.multiply.accumulate(array, axis=1), np.size(array), np.size(array, 0),
    ]  # fmt: skip
    for value, expected in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize(
    ("call", "way"),
    [
        (lambda x: np.maximum.accumulate(x), "sg.scan runs over any function"),
        (lambda x: np.multiply.outer(x, x), "sg.outer multiplies"),
        (lambda x: np.add.at(x, [0], 1.0), "sg.scatter_add and sg.segment_sum are"),
    ],
)
def test_other_methods_name_what_there_is_instead(call: Any, way: str) -> None:
    with pytest.raises(sg.GraphError, match=way):
        call(sg.placeholder("float32", (3,), name="x"))


def test_a_number_that_the_default_dtype_does_not_hold_is_refused() -> None:
    refused = r"^constant: .* does not fit (float32|complex64)\n"
    for value in (1e40, [1.0, -1e300], 1e39j):
        with pytest.raises(sg.DTypeError, match=refused):
            sg.constant(value)
    assert sg.constant(1e40, "float64").dtype == sg.float64
    values = sg.Session().run(sg.constant([math.inf, math.nan]))
    np.testing.assert_array_equal(values, np.array([math.inf, math.nan], np.float32))


def test_none_is_no_size() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    with pytest.raises(sg.DTypeError, match=r"None; sg.size\(x\) and sg.shape\(x\) are it"):
        sg.sum(x) / x.shape[0]


def test_the_depth_of_one_hot_is_not_negative() -> None:
    with pytest.raises(sg.ShapeError, match=r"^one_hot: depth=-1 is negative"):
        sg.one_hot([0], -1)
