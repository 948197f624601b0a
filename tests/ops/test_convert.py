"""Constants, weak numbers, promotion and casts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.core import dtypes
from staticgraph.core.graph import Graph
from staticgraph.errors import DTypeError, GradientError, GraphError
from staticgraph.ops.convert import as_tensor, constant_value, promote, scalar_value
from tests.messages import whole

NUMBERS = (
    "  staticgraph computes in bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
    "float16, bfloat16, float32, float64, complex64, complex128\n"
)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.0, "float32"), (1, "int64"), (True, "bool"), ([1.0, 2], "float32"), ([1, 2], "int64"),
        ([True, 2], "int64"), ([], "float32"), ([[], []], "float32"), (2**63, "uint64"),
        (np.float64(1), "float64"), (np.ones(2), "float64"), (np.ones(2, np.float32), "float32"),
        (1j, "complex64"), ([1, 2.0, 1j], "complex64"), (np.complex128(1), "complex128"),
        (np.int8(1), "int8"), ([np.float64(1), 2.0], "float64"), (np.ones(2, ">i4"), "int32"),
        (range(3), "int64"),
    ],
)  # fmt: skip
def test_dtypes_of_constants(value: Any, dtype: str) -> None:
    made = sg.constant(value)
    assert made.dtype == np.dtype(dtype)
    assert made.shape == np.shape(value)
    np.testing.assert_array_equal(sg.Session().run(made), np.asarray(value))


def test_a_constant_keeps_its_value_when_the_array_changes() -> None:
    array = np.ones(3)
    made = sg.constant(array)
    array[:] = 7
    assert sg.Session().run(made).tolist() == [1, 1, 1]
    result = sg.Session().run(made)
    result[:] = 9
    assert sg.Session().run(made).tolist() == [1, 1, 1]


def test_a_dtype_can_be_asked_for() -> None:
    assert sg.constant([1, 0], "bool").dtype == np.bool_
    assert sg.constant(3, "float64").dtype == np.float64
    assert sg.constant(np.ones(2, np.float64), "float32").dtype == np.float32
    assert sg.constant(1e300, "float32").node.attrs["value"] == np.inf


@pytest.mark.parametrize(
    ("value", "dtype", "shown"),
    [
        (300, "uint8", "300"), (-1, "uint64", "-1"), ([1, 2.5], "int32", "[1, 2.5]"),
        (float("nan"), "int8", "nan"), (2.5, "bool", "2.5"), (2**70, "int64", str(2**70)),
        (list(range(300)), "int8", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16..."),
        (np.array([1000]), "int8", "array([1000])"),
    ],
)  # fmt: skip
def test_what_does_not_fit_its_dtype(value: Any, dtype: str, shown: str) -> None:
    with pytest.raises(DTypeError) as caught:
        sg.constant(value, dtype)
    assert whole(caught) == (
        f"constant: {shown} does not fit {dtype}\n"
        "  give a wider dtype; beside a tensor, convert that with sg.cast first\n"
        "  at <here>"
    )


def test_an_integer_of_more_than_64_bits() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.constant(2**64)
    assert whole(caught).startswith("constant: 18446744073709551616 does not fit int64\n")
    with pytest.raises(DTypeError) as caught:
        sg.constant(1.0) * 10**400
    assert "does not fit float32\n" in whole(caught)


def test_a_lossy_array() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.constant(np.array([1.5]), "int32")
    assert whole(caught) == (
        "constant: float64 does not become int32 without loss\n"
        "  value array([1.5])\n"
        "  convert it yourself: value.astype('int32')\n"
        "  at <here>"
    )


@pytest.mark.parametrize(
    ("value", "shown", "problem"),
    [
        ("text", "'text'", "its dtype is <U4"),
        (
            None,
            "None",
            "a size that only the run knows is None; sg.size(x) and sg.shape(x) are it",
        ),
        (np.longdouble(1), "np.longdouble('1.0')", f"its dtype is {np.dtype(np.longdouble)}"),
        ({"a": 1}, "{'a': 1}", "its dtype is object"),
    ],
)
def test_what_is_no_array_of_numbers(value: Any, shown: str, problem: str) -> None:
    with pytest.raises(DTypeError) as caught:
        sg.constant(value)
    assert whole(caught) == (
        f"constant: {shown} is no array of numbers\n  {problem}\n{NUMBERS}  at <here>"
    )


def test_a_ragged_list() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.constant([[1], [2, 3]])
    lines = whole(caught).splitlines()
    assert lines[0] == "constant: [[1], [2, 3]] is no array of numbers"
    assert "inhomogeneous shape" in lines[1]
    assert lines[2:] == [NUMBERS.rstrip("\n"), "  at <here>"]


def test_a_list_of_tensors() -> None:
    x = sg.placeholder("float32", ())
    for value in ([x, 1.0], [[x], [x]], [sg.Variable(1.0)]):
        with pytest.raises(GraphError) as caught:
            sg.constant(value)
        assert whole(caught) == (
            "constant: the value holds tensors, which have no value before a run\n"
            "  use sg.stack([...]) to make one tensor of several\n"
            "  at <here>"
        )


# -- promotion --------------------------------------------------------------------------------


@given(st.sampled_from(dtypes.ALL), st.sampled_from(dtypes.ALL))
def test_tensors_promote_as_arrays_do(lhs: Any, rhs: Any) -> None:
    with Graph().as_default():
        x, y = sg.placeholder(lhs, (2,)), sg.placeholder(rhs, (2,))
        assert sg.equal(x, y).dtype == np.bool_
        known = dtypes.bfloat16 not in (lhs, rhs)
        expected = np.result_type(lhs, rhs) if known else dtypes.promote(lhs, rhs)
        assert promote((x, y))[0].dtype == expected
        assert promote((x, np.zeros(2, rhs)))[0].dtype == expected


@pytest.mark.parametrize("dtype", dtypes.ALL)
@pytest.mark.parametrize("number", [True, 2, 2.5, [1, 2], [0.5, 2], [True]])
def test_numbers_and_lists_of_them_are_weak(dtype: Any, number: Any) -> None:
    x = sg.placeholder(dtype, (2,))
    single = number[0] if isinstance(number, list) else number
    # NumPy itself does not know what a float beside a bfloat16 is.
    expected = dtypes.promote_weak(dtype, type(single))
    if dtype != dtypes.bfloat16:
        assert expected == (np.ones(2, dtype) * single).dtype
    assert promote((x, number))[0].dtype == expected
    assert promote((number, x))[1].dtype == expected


def test_weak_values_that_do_not_fit_are_refused_and_never_wrapped() -> None:
    x = sg.placeholder("uint8", (2,))
    for value, shown in ((300, "300"), (-1, "-1"), ([1, 300], "[1, 300]")):
        with pytest.raises(DTypeError) as caught:
            x + value
        assert whole(caught) == (
            f"constant: {shown} does not fit uint8\n"
            "  give a wider dtype; beside a tensor, convert that with sg.cast first\n"
            "  at <here>"
        )
    assert (x + np.array([300])).dtype == np.int64


def test_numbers_alone_have_their_default_dtypes(graph: Graph) -> None:
    assert [t.dtype.name for t in promote((1, 2))] == ["int64", "int64"]
    assert [t.dtype.name for t in promote((1, 2.5))] == ["float32", "float32"]
    assert [t.dtype.name for t in promote((1, 2), floating=True)] == ["float64", "float64"]
    assert [t.dtype.name for t in promote((True, 2.5))] == ["float32", "float32"]
    assert all(t.graph is graph for t in promote((1, 2)))


def test_numbers_follow_their_tensor_into_its_graph() -> None:
    x = sg.placeholder("float32", ())
    with Graph().as_default() as other:
        assert (2.0 * x).graph is x.graph
        assert sg.where(x > 0, 1.0, [2.0]).graph is x.graph
        assert sg.maximum(np.ones(2), x).graph is x.graph
    assert len(other) == 0


def test_a_literal_waits_for_nothing() -> None:
    v = sg.Variable(1.0, name="v")
    x = sg.placeholder("float32", (), name="x")
    with sg.control_dependencies([v.assign(5.0)]):
        sg.identity(x * 2.0)
    session = sg.Session()
    assert session.run(x * 2.0, {x: 3.0}) == 6.0
    assert session.run(v) == 1.0


def test_variables_stand_for_tensors() -> None:
    v = sg.Variable([1.0, 2.0])
    assert as_tensor(v) is v.value
    assert (v + 1.0).dtype == np.float32


def test_values_of_constants_are_known() -> None:
    x = sg.placeholder("float32", ())
    assert constant_value(x) is None and scalar_value(x) is None
    assert scalar_value(sg.constant(2.5)) == 2.5
    assert scalar_value(sg.constant([[3]])) == 3
    assert scalar_value(sg.constant([1, 2])) is None
    known = constant_value(sg.constant([1, 2]))
    assert known is not None and known.tolist() == [1, 2]


# -- casts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", dtypes.ALL)
@pytest.mark.parametrize("target", dtypes.ALL)
def test_casts_convert_as_astype_does(source: Any, target: Any) -> None:
    value = np.array([0, 1, 2, 100]).astype(source)
    x = sg.placeholder(source, (4,))
    if source in dtypes.COMPLEX and target in dtypes.NUMERIC | dtypes.HALF:
        with pytest.raises(DTypeError, match="the imaginary part would be lost"):
            sg.cast(x, target)
        return
    y = sg.cast(x, target)
    assert (y is x) == (source == target)
    result = sg.Session().run(y, {x: value})
    assert result.dtype == target
    np.testing.assert_array_equal(result, value.astype(target))


def test_a_cast_takes_what_means_a_dtype() -> None:
    x = sg.placeholder("float32", (2,))
    assert sg.cast(x, float).dtype == np.float64
    assert sg.cast(x, np.int8).dtype == np.int8
    assert sg.cast([1, 2], "float32").dtype == np.float32
    assert sg.cast(x, "float64", name="wide").name == "wide"


def test_derivatives_pass_casts_between_floating_dtypes() -> None:
    x = sg.constant([1.0, 3.0])
    y = sg.square(sg.cast(x, "float64"))
    (slope,) = sg.gradients(y, x, grad_ys=[np.ones(2)])
    (moved,) = sg.jvp(y, x, [1.0, 0.5])
    (curved,) = sg.gradients(slope, x, grad_ys=[[1.0, 1.0]])
    assert (slope.dtype, moved.dtype, curved.dtype) == (np.float32, np.float64, np.float32)
    have = sg.Session().run([slope, moved, curved])
    np.testing.assert_allclose(np.array(have), [[2, 6], [2, 3], [2, 2]])


def test_no_derivative_passes_a_cast_from_floats_to_integers() -> None:
    x = sg.placeholder("float32", (), name="x")
    y = sg.cast(sg.cast(x, "int32"), "float32") * 2.0
    with pytest.raises(GradientError):
        sg.gradients(y, x)
