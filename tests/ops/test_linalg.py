"""What the sample table cannot say of linear algebra: types, the form of derivatives, runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import staticgraph as sg
from staticgraph.errors import ShapeError
from staticgraph.ops import linalg, reduction


def _shape(lhs: Any, rhs: Any) -> Any:
    return linalg.matmul(sg.placeholder("float32", lhs), sg.placeholder("float32", rhs)).shape


@pytest.mark.parametrize(
    ("lhs", "rhs", "expected"),
    [
        (("batch", 3), (3, 4), ("batch", 4)),
        ((None, None), (None, None), (None, None)),
        ((None,), (3,), ()),
        (("batch", 3), (3,), ("batch",)),
        ((3,), ("batch", 3, 4), ("batch", 4)),
        (("batch", 2, 3), ("batch", 3, 4), ("batch", 2, 4)),
        (("batch", 2, 3), (1, 3, 4), ("batch", 2, 4)),
        ((None, 2, 3), (7, 3, 4), (7, 2, 4)),
        ((7, 1, 2, 3), ("heads", 3, 4), (7, "heads", 2, 4)),
    ],
)
def test_shapes(lhs: Any, rhs: Any, expected: Any) -> None:
    assert _shape(lhs, rhs) == expected


@settings(max_examples=150, deadline=None)
@given(
    hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, max_side=3,
                                      min_side=0),
    st.sampled_from(["int8", "uint32", "float32", "float64"]),
    st.sampled_from(["known", "unknown"]),
    st.booleans(),
)  # fmt: skip
def test_any_shapes_that_fit(shapes: Any, dtype: str, sizes: str, flipped: bool) -> None:
    random = np.random.default_rng(2)
    arrays = [random.integers(0, 4, shape).astype(dtype) for shape in shapes.input_shapes]
    if flipped:
        arrays = [np.flip(array) for array in arrays]
    with sg.Graph().as_default(), sg.Session() as session:
        lhs, rhs = [
            sg.placeholder(dtype, array.shape if sizes == "known" else (None,) * array.ndim)
            for array in arrays
        ]
        product = linalg.matmul(lhs, rhs)
        value = session.run(product, {lhs: arrays[0], rhs: arrays[1]})
    wanted = np.matmul(*arrays)
    assert product.dtype == wanted.dtype
    assert product.ndim == wanted.ndim
    assert sizes == "unknown" or product.shape == wanted.shape
    np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize(
    ("lhs", "rhs", "expected"),
    [
        ("int8", "int8", "int8"),
        ("uint8", "int8", "int16"),
        ("int32", "float32", "float64"),
        ("float32", "float64", "float64"),
    ],
)
def test_operands_promote_as_in_numpy(lhs: str, rhs: str, expected: str) -> None:
    result = linalg.matmul(sg.placeholder(lhs, (2, 2)), sg.placeholder(rhs, (2, 2)))
    assert result.dtype == np.dtype(expected) == np.result_type(lhs, rhs)


def test_there_is_one_op_and_it_has_matrices() -> None:
    x = sg.placeholder("float32", (3,))
    result = linalg.matmul(x, x)
    product = result.node.inputs[0].node
    assert product.op.name == "matmul"
    assert [operand.type.ndim for operand in product.inputs] == [2, 2]


def test_names() -> None:
    x = sg.placeholder("float32", (3,))
    m = sg.placeholder("float32", (3, 3))
    assert linalg.matmul(m, m, name="a").name == "a"
    assert linalg.matmul(m, x, name="b").name == "b"
    assert linalg.dot(x, x, name="c").name == "c"
    assert linalg.vecdot(x, x, name="d").name == "d"
    assert linalg.outer(x, x, name="e").name == "e"
    assert linalg.tensordot(m, m, 1, name="f").name == "f"
    assert linalg.tensordot(m, m, 2, name="g").name == "g"


def test_the_adjoint_of_shared_weights_is_one_product() -> None:
    x = sg.placeholder("float32", ("batch", 5, 3))
    w = sg.placeholder("float32", (3, 4))
    (slope,) = sg.gradients(reduction.sum(linalg.matmul(x, w)), w)
    assert slope.node.op.name == "matmul"
    assert [operand.type.ndim for operand in slope.node.inputs] == [2, 2]
    assert slope.shape == (3, 4)


def test_adjoints_of_matrices_are_two_products() -> None:
    x, w = sg.placeholder("float32", (None, 3)), sg.placeholder("float32", (3, 4))
    of_x, of_w = sg.gradients(reduction.sum(linalg.matmul(x, w)), [x, w])
    assert of_x.node.op.name == of_w.node.op.name == "matmul"
    assert of_x.type == x.type


def test_a_matrix_times_its_own_transpose() -> None:
    value = np.array([[1.0, 2.0], [3.0, 5.0]])
    x = sg.constant(value)
    (slope,) = sg.gradients(reduction.sum(linalg.matmul(x, linalg.matrix_transpose(x))), x)
    with sg.Session() as session:
        np.testing.assert_allclose(session.run(slope), 2 * np.ones((2, 2)) @ value)


def test_inner_sizes_that_differ_in_the_run() -> None:
    x = sg.placeholder("float32", (None, None), name="x")
    w = sg.placeholder("float32", (None, 2), name="w")
    y = linalg.matmul(x, w)
    with sg.Session() as session:
        with pytest.raises(ShapeError) as caught:
            session.run(y, {x: np.ones((4, 3)), w: np.ones((5, 2))})
        assert session.run(y, {x: np.ones((4, 5)), w: np.ones((5, 2))}).shape == (4, 2)
    assert str(caught.value) == (
        "matmul: inner dimensions differ\n"
        f"  lhs 'x'  float32[?, ?]  feed at {x.node.location.short}\n"
        f"  rhs 'w'  float32[?, 2]  feed at {w.node.location.short}\n"
        "  lhs axis 1 is 3, rhs axis 0 is 5; they must be equal\n"
        f"  created at {y.node.location}"
    )


def test_batches_that_differ_in_the_run() -> None:
    x = sg.placeholder("float32", (None, 2, 3), name="x")
    w = sg.placeholder("float32", (None, 3, 2), name="w")
    y = linalg.matmul(x, w)
    with pytest.raises(ShapeError) as caught, sg.Session() as session:
        session.run(y, {x: np.ones((4, 2, 3)), w: np.ones((5, 3, 2))})
    assert str(caught.value) == (
        "matmul: the batches [4] and [5] do not broadcast\n"
        f"  lhs 'x'  float32[?, 2, 3]  feed at {x.node.location.short}\n"
        f"  rhs 'w'  float32[?, 3, 2]  feed at {w.node.location.short}\n"
        "  axis -3: 4 and 5 must be equal, or one of them 1\n"
        f"  created at {y.node.location}"
    )


@pytest.mark.parametrize("offset", [0, 1, -2])
def test_matrices_of_a_diagonal_keep_known_sizes(offset: int) -> None:
    for shape in [(3,), (2, 3), (0,)]:
        rows = shape[-1] + abs(offset)
        x = sg.ones(shape)
        assert linalg.matrix_diag(x, offset).shape == (*shape[:-1], rows, rows)
    assert linalg.diag(sg.ones(3), k=offset).shape == np.diag(np.ones(3), offset).shape
    open_size = sg.placeholder("float32", ("n",))
    assert linalg.diag(open_size).shape == ("n", "n")


def test_tensordot_keeps_known_sizes() -> None:
    x = sg.placeholder("float32", ("batch", 5, 3))
    w = sg.placeholder("float32", (3, 5, 2))
    assert linalg.tensordot(x, w, ([1, 2], [1, 0])).shape == ("batch", 2)
    assert linalg.tensordot(x, w, 1).shape == ("batch", 5, 5, 2)
