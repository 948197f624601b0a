"""Element types: names, promotion, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import dtypes
from staticgraph.errors import DTypeError
from tests.messages import whole

_NAMES = (
    "bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, "
    "float32, float64, complex64, complex128"
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ("float32", dtypes.float32),
        (np.float64, dtypes.float64),
        (float, dtypes.float64),
        (int, dtypes.int64),
        (bool, dtypes.bool_),
        (np.dtype("int16"), dtypes.int16),
        (np.dtype("int16").newbyteorder(), dtypes.int16),
    ],
)
def test_what_means_a_dtype(given: Any, dtype: Any) -> None:
    assert dtypes.as_dtype(given) == dtype
    assert dtypes.as_dtype(given).isnative


def test_what_is_no_dtype() -> None:
    with pytest.raises(DTypeError) as caught:
        dtypes.as_dtype("floaty")
    assert whole(caught) == (
        f"'floaty' is no dtype\n  give one of {_NAMES}, as a name or a NumPy dtype\n  at <here>"
    )


@pytest.mark.parametrize("given", ["complex256", "longdouble", object, "U3", "datetime64[s]"])
def test_dtypes_that_are_not_computed_in(given: Any) -> None:
    with pytest.raises(DTypeError) as caught:
        sg.placeholder(given)
    assert whole(caught) == (
        f"dtype {np.dtype(given).name} is not supported\n"
        f"  staticgraph computes in {_NAMES}\n"
        "  at <here>"
    )


def test_names_come_in_one_order() -> None:
    assert dtypes.names(dtypes.ANY) == _NAMES
    assert dtypes.names(dtypes.FLOATING) == "float32, float64"
    assert dtypes.names(dtypes.COMPLEX) == "complex64, complex128"
    assert dtypes.name(dtypes.bool_) == "bool"


@pytest.mark.parametrize(("lhs", "rhs"), list(itertools.product(dtypes.ALL, repeat=2)))
def test_arrays_promote_as_in_numpy(lhs: Any, rhs: Any) -> None:
    summed = np.ones(1, lhs) * np.ones(1, rhs)
    assert dtypes.promote(lhs, rhs) == summed.dtype


@pytest.mark.parametrize("dtype", dtypes.ALL)
@pytest.mark.parametrize("number", [True, 2, 2.5, 1j])
def test_python_numbers_are_weak_as_in_numpy(dtype: Any, number: Any) -> None:
    if dtype == dtypes.bfloat16 and type(number) is float:
        # Here NumPy does not know the dtype for a float; beside float16 the number is weak.
        dtype = dtypes.float16
        assert dtypes.promote_weak(dtypes.bfloat16, float) == dtypes.bfloat16
    assert dtypes.promote_weak(dtype, type(number)) == (np.ones(1, dtype) * number).dtype


@pytest.mark.parametrize("dtype", dtypes.ALL)
def test_functions_of_integers_are_computed_in_floating_point(dtype: Any) -> None:
    numpy = np.sin(np.ones(1, dtype)).dtype
    small = numpy == np.float16 and dtype not in dtypes.HALF
    assert dtypes.to_floating(dtype) == (dtypes.float32 if small else numpy)


@pytest.mark.parametrize("dtype", dtypes.ALL)
def test_parts_and_wholes(dtype: Any) -> None:
    assert dtypes.part_of(dtype) == np.ones(1, dtype).real.dtype
    whole_dtype = dtypes.to_complex(dtype)
    assert whole_dtype in dtypes.COMPLEX
    floating = dtypes.float32 if dtype in dtypes.HALF else dtypes.to_floating(dtype)
    assert dtypes.part_of(whole_dtype) == dtypes.part_of(floating)
