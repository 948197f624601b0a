"""Segments and counts: every dtype, and failures in the words of the function that was called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.dtypes import as_dtype
from tests.ops.refusing import refused
from tests.ops.wording import message

Backend = Literal["native", "reference"]
BACKENDS: tuple[Backend, ...] = ("native", "reference")

_IDS = np.array([2, 0, 2, -4, 0])
_VALUES = np.array([[3, 1], [0, 7], [5, 1], [2, 2], [4, 0]])
# What stands in segments without entries, by the kind of the dtype.
_EMPTY: dict[Any, dict[str, Any]] = {
    sg.segment_sum: {"b": 0, "i": 0, "u": 0, "f": 0, "c": 0},
    sg.segment_mean: {"b": 0, "i": 0, "u": 0, "f": 0, "c": 0},
    sg.segment_max: {"b": False, "f": -np.inf},
    sg.segment_min: {"b": True, "f": np.inf},
}
_NUMPY: dict[Any, Any] = {
    sg.segment_sum: np.sum, sg.segment_mean: np.mean, sg.segment_max: np.max,
    sg.segment_min: np.min,
}  # fmt: skip


def _expected(function: Any, values: Any, ids: Any, count: int) -> Any:
    half = values.dtype.itemsize == 2 and values.dtype.kind not in "iu"
    wide = values.astype(np.float64) if half else values
    kind = "f" if half else values.dtype.kind
    made = _NUMPY[function](wide[:1], axis=0)
    if kind in "iu" and function in (sg.segment_max, sg.segment_min):
        limits = np.iinfo(values.dtype)
        empty = limits.min if function is sg.segment_max else limits.max
    else:
        empty = _EMPTY[function][kind]
    rows = [wide[ids % count == number] for number in range(count)]
    result = [_NUMPY[function](r, axis=0) if len(r) else np.full(made.shape, empty) for r in rows]
    return np.stack(result).astype(values.dtype if half else made.dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", _NUMPY, ids=lambda function: function.__name__)
@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "int64", "uint64", "float16", "bfloat16", "float32",
     "float64", "complex64"],
)  # fmt: skip
def test_every_dtype(function: Any, dtype: str, backend: Backend) -> None:
    if dtype == "complex64" and function in (sg.segment_max, sg.segment_min):
        pytest.skip("complex numbers have no order")
    values = _VALUES.astype(as_dtype(dtype))
    data = sg.placeholder(dtype, (None, 2), name="data")
    made = function(data, _IDS, 5)
    found = sg.Session(backend=backend).run(made, {data: values})
    wanted = _expected(function, values, _IDS, 5)
    assert made.dtype == found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


def test_half_precision_is_averaged_in_float32() -> None:
    data = sg.constant(np.full(5000, 60000.0, np.float16))
    mean = sg.segment_mean(data, np.zeros(5000, np.int64), 1)
    np.testing.assert_array_equal(sg.Session().run(mean), np.array([60000.0], np.float16))


# -- failures of a run --------------------------------------------------------------------------


def _fed(call: Callable[..., Any], backend: Backend, *values: Any) -> None:
    arrays = [np.asarray(value) for value in values]
    names = ("data", "ids", "third")
    fed = [
        sg.placeholder(array.dtype, (None,) * array.ndim, name=name)
        for array, name in zip(arrays, names, strict=False)
    ]
    sg.Session(backend=backend).run(call(*fed), dict(zip(fed, arrays, strict=True)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", _NUMPY, ids=lambda function: function.__name__)
@pytest.mark.parametrize("wrong", [5, 3, -4])
def test_an_id_out_of_range(function: Any, wrong: int, backend: Backend) -> None:
    def call() -> None:
        _fed(lambda x, i: function(x, i, 3), backend, np.ones((2, 4), np.float32), [0, wrong])

    assert refused(call, sg.RunError) == (
        f"{function.__name__}: an id is out of range\n"
        "  data 'data'  float32[?, ?]  placeholder at <line>\n"
        "  segment_ids 'ids'  int64[?]  placeholder at <line>\n"
        f"  id {wrong} of segment_ids at [1] is not in [0, 3)\n"
        "  a negative id counts from the end\n"
        "  created at <line>"
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_user_sees_what_was_given_and_not_what_was_converted(backend: Backend) -> None:
    def call() -> None:
        ids = np.array([7], np.int16)
        _fed(lambda x, i: sg.segment_mean(x, i, 0), backend, np.array([2], np.int8), ids)

    assert refused(call, sg.RunError) == (
        "segment_mean: an id is out of range\n"
        "  data 'data'  int8[?]  placeholder at <line>\n"
        "  segment_ids 'ids'  int16[?]  placeholder at <line>\n"
        "  id 7 of segment_ids at [0] is not in [0, 0)\n"
        "  num_segments is 0\n"
        "  created at <line>"
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_not_one_id_per_entry(backend: Backend) -> None:
    def call() -> None:
        _fed(lambda x, i: sg.segment_sum(x, i, 3), backend, [1.0, 2.0], [0, 1, 2])

    assert refused(call, sg.ShapeError) == (
        "segment_sum: there is not one id per entry in this run\n"
        "  data 'data'  float64[?]  placeholder at <line>\n"
        "  segment_ids 'ids'  int64[?]  placeholder at <line>\n"
        "  segment_ids has shape [3], data [2]\n"
        "  give one number per entry along axis 0\n"
        "  created at <line>"
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("numbers", "why"),
    [([0, 5], "number 5 at [1] is not below length 3"), ([-2, 1], "number -2 at [0] is negative")],
)
def test_a_count_of_numbers_out_of_range(numbers: Any, why: str, backend: Backend) -> None:
    def call() -> None:
        _fed(lambda x: sg.bincount(x, length=3), backend, np.array(numbers, np.int32))

    assert refused(call, sg.RunError) == (
        "bincount: a number is out of range\n"
        "  x 'data'  int32[?]  placeholder at <line>\n"
        f"  {why}\n"
        "  created at <line>"
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", [-1, -(2**62), -(2**63)])
def test_negative_numbers_of_any_size_are_refused(number: int, backend: Backend) -> None:
    with pytest.raises(sg.RunError, match=r"^bincount: a number is out of range\n"):
        _fed(lambda x: sg.bincount(x, length=3), backend, np.array([number]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_that_do_not_fit_the_numbers(backend: Backend) -> None:
    def call() -> None:
        _fed(lambda x, w: sg.bincount(x, w, length=3), backend, [0, 1, 2], [1.0, 2.0])

    assert refused(call, sg.ShapeError) == (
        "bincount: there is not one weight per number in this run\n"
        "  x 'data'  int64[?]  placeholder at <line>\n"
        "  x has shape [3], weights [2]\n"
        "  created at <line>"
    )


# -- refusals when the graph is built -----------------------------------------------------------


def test_a_known_id_out_of_range() -> None:
    data = sg.placeholder("float32", (2,), name="data")
    with pytest.raises(sg.ShapeError) as caught:
        sg.segment_min(data, [0, 3], 3)
    assert message(caught) == (
        "segment_min: an id is out of range\n"
        "  data 'data'  float32[2]  placeholder at {-2}\n"
        "  segment_ids 'constant'  int64[2]  constant at {here}\n"
        "  id 3 of segment_ids at [1] is not in [0, 3)\n"
        "  a negative id counts from the end\n"
        "  created at {here}: {line}"
    )


def test_arguments_that_mean_nothing() -> None:
    data = sg.placeholder("float32", (2,), name="data")
    with pytest.raises(sg.ShapeError, match=r"^segment_sum: num_segments=-1 is negative\n"):
        sg.segment_sum(data, [0, 0], -1)
    with pytest.raises(sg.ShapeError, match=r"^segment_max: segment_ids has shape \[3\], data \["):
        sg.segment_max(data, [0, 0, 1], 2)
    with pytest.raises(sg.ShapeError, match=r"^segment_mean: a scalar has no entries\n  data 's'"):
        sg.segment_mean(sg.constant(1.0, name="s"), [0], 2)
    with pytest.raises(sg.DTypeError, match=r"an index is float32\n"):
        sg.segment_sum(data, [0.0, 1.0], 2)
