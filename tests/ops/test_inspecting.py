"""Questions about dtypes, against NumPy's answers; arrays as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import dtypes
from tests.messages import whole

# NumPy's own functions do not answer for bfloat16: tests/ops/test_half.py asks about that.
KNOWN = [dtype for dtype in dtypes.ALL if dtype != dtypes.bfloat16]
PAIRS = [(first, second) for first in KNOWN for second in KNOWN]
KINDS = (
    "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating",
    "numeric",
)  # fmt: skip


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d.kind in "fc"])
def test_limits_of_floats(dtype: Any) -> None:
    have, want = sg.finfo(dtype), np.finfo(dtype)
    for field in ("bits", "eps", "max", "min", "smallest_normal", "dtype"):
        assert getattr(have, field) == getattr(want, field)
    assert type(have.eps) is float
    assert sg.finfo(sg.zeros(2, dtype)) == have


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d.kind in "iu"])
def test_limits_of_integers(dtype: Any) -> None:
    have, want = sg.iinfo(dtype), np.iinfo(dtype)
    assert (have.bits, have.max, have.min, have.dtype) == (want.bits, want.max, want.min, dtype)
    assert sg.iinfo(sg.zeros(2, dtype)) == have


def test_limits_of_what_has_none() -> None:
    with pytest.raises(sg.DTypeError) as info:
        sg.finfo("int8")
    assert whole(info) == (
        "finfo: int8 is not floating\n  sg.iinfo has the limits of integers\n  at <here>"
    )
    with pytest.raises(sg.DTypeError) as info:
        sg.iinfo("float32")
    assert whole(info) == (
        "iinfo: float32 is no integer\n  sg.finfo has the limits of floats\n  at <here>"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    for dtype in KNOWN:
        assert sg.isdtype(dtype, kind) == np.isdtype(dtype, kind)
        assert sg.isdtype(dtype, ("bool", kind)) == np.isdtype(dtype, ("bool", kind))
        assert sg.isdtype(dtype, dtype) and sg.isdtype(dtype.name, dtype)


def test_what_is_no_kind() -> None:
    with pytest.raises(sg.DTypeError):
        sg.isdtype("int8", "whole")


def test_casts_and_results() -> None:
    for first, second in PAIRS:
        assert sg.can_cast(first, second) == np.can_cast(first, second)
        assert sg.result_type(first, second) == np.result_type(first, second)
        assert sg.result_type(sg.zeros((), first), np.zeros(2, second)) == np.result_type(
            first, second
        )
    assert sg.can_cast(sg.zeros(2, "int8"), "int16") is True


@pytest.mark.parametrize("number", [True, 3, 2.5])
def test_results_of_weak_numbers(number: Any) -> None:
    for dtype in KNOWN:
        assert sg.result_type(dtype, number) == np.result_type(np.zeros(2, dtype), number)
    assert sg.result_type(number) == sg.constant(number).dtype


def test_arrays_as_tensors() -> None:
    x = sg.placeholder("float32", (2,))
    assert sg.asarray(x) is x
    assert sg.asarray(x, "int64").dtype == sg.int64
    assert sg.asarray([1, 2], dtype="float64", copy=True).dtype == sg.float64
    assert sg.astype(x, "float32", copy=False) is x
    run = sg.Session().run
    np.testing.assert_array_equal(run(sg.astype(x, "int32"), {x: [1.5, -1.5]}), [1, -1])
    np.testing.assert_array_equal(run(sg.empty((2, 3), "int8")), np.zeros((2, 3)), strict=False)
    assert run(sg.empty_like(x, "bool"), {x: [0, 0]}).dtype == np.bool_
    with pytest.raises(sg.ShapeError) as info:
        sg.asarray([1], device="cuda")
    assert whole(info) == (
        "asarray: there is no device 'cuda'\n  leave it away, or give 'cpu'\n  at <here>"
    )
