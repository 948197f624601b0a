"""Shaping and joining beyond single samples: symbols, shape operands, and failures in the run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import staticgraph as sg
from tests.messages import whole

# -- what is known before the run -------------------------------------------------------------


def test_symbols_cancel() -> None:
    x = sg.placeholder("float32", ("n", 28, 28))
    assert sg.reshape(x, (-1, 784)).shape == ("n", 784)
    assert sg.reshape(x, (-1,)).shape == (None,)
    assert sg.reshape(x, (784, -1)).shape == (784, "n")
    assert sg.reshape(sg.reshape(x, (-1, 784)), (-1, 28, 28)).type == x.type


def test_shapes_of_the_run_are_followed() -> None:
    x = sg.placeholder("float32", ("n", 4))
    y = sg.placeholder("float32", (None, "m"))
    assert sg.reshape(y, sg.shape(x)).type == x.type
    assert sg.zeros(sg.shape(x)).type == x.type
    assert sg.zeros((sg.size(x, 0), sg.size(y, 1), 3)).shape == ("n", "m", 3)
    assert sg.broadcast_to(1.0, sg.shape(x)).type == x.type
    assert sg.arange(sg.size(x, 0)).shape == ("n",)
    assert sg.zeros(sg.placeholder("int64", (3,))).shape == (None, None, None)
    assert sg.zeros(sg.placeholder("int64", (None,))).shape is None
    assert sg.zeros(sg.constant([2, 3])).shape == (2, 3)


def test_a_shape_operand_is_there_only_where_it_says_something() -> None:
    x = sg.placeholder("float32", ("n", 4))
    n = sg.size(x, 0)
    assert len(sg.reshape(x, (n, 2, 2)).node.inputs) == 1
    assert len(sg.reshape(x, (-1, 2)).node.inputs) == 1
    assert len(sg.reshape(x, (n, -1, 2)).node.inputs) == 2
    assert len(sg.reshape(x, (n, 0)).node.inputs) == 2
    other = sg.size(sg.placeholder("float32", (None,)), 0)
    assert len(sg.reshape(x, (other, 4)).node.inputs) == 2
    assert len(sg.zeros((3, 4)).node.inputs) == 1


def test_what_is_known_of_a_size_is_a_constant() -> None:
    x = sg.placeholder("float32", (None, 4))
    assert sg.size(x, 1).node.op.name == "constant"
    assert sg.shape(sg.zeros((2, 3))).node.op.name == "constant"
    assert sg.size(x, 0).node.op.name == "size"
    assert sg.size(x).node.op.name == "size"


def test_joined_sizes() -> None:
    x = sg.placeholder("float32", ("n", 4))
    y = sg.placeholder("float32", (None, None))
    assert sg.concat([x, x], 1).shape == ("n", 8)
    assert sg.concat([x, y]).shape == (None, 4)
    assert sg.concat([x, sg.zeros((0, 4))]).shape == ("n", 4)
    assert sg.concat([x, y], 1).shape == ("n", None)
    assert sg.stack([x, y], 1).shape == ("n", 2, 4)
    assert [part.shape for part in sg.split(x, 2, 1)] == [("n", 2), ("n", 2)]
    assert [part.shape for part in sg.split(x, [1, 3])] == [(1, 4), (2, 4), (None, 4)]
    assert sg.pad(x, ((0, 0), (1, 2))).shape == ("n", 7)
    assert sg.pad(x, 1).shape == (None, 6)
    assert sg.tile(x, (1, 3)).shape == ("n", 12)
    assert sg.flip(x).type == x.type
    assert sg.roll(x, 1, 0).type == x.type


def test_adjoints_keep_symbols() -> None:
    x = sg.placeholder("float32", ("n", 4))
    results = [
        sg.reshape(x, (-1, 2)),
        sg.permute_dims(x),
        sg.expand_dims(x, 0),
        sg.concat([x, x], 0),
        sg.concat([x, sg.zeros((2, 4))]),
        sg.pad(x, 2),
        sg.tile(x, (2, 3)),
        sg.stack([x, x]),
        sg.broadcast_to(x, (3, sg.size(x, 0), 4)),
    ]
    for y in results:
        (adjoint,) = sg.gradients(sg.sum(y), x)
        assert adjoint.type == x.type, y


def test_rank_unknown_where_it_does_not_matter() -> None:
    x = sg.placeholder("float64", None)
    ys = [sg.reshape(x, (2, -1)), sg.permute_dims(x), sg.size(x), sg.shape(x), sg.zeros_like(x)]
    (adjoint,) = sg.gradients(sg.reshape(x, -1), x, grad_ys=[sg.arange(6, dtype="float64")])
    values = sg.Session().run([*ys, adjoint], {x: np.arange(6.0).reshape(3, 2)})
    np.testing.assert_array_equal(values[0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(values[1], [[0, 2, 4], [1, 3, 5]])
    assert values[2] == 6
    np.testing.assert_array_equal(values[3], [3, 2])
    np.testing.assert_array_equal(values[4], np.zeros((3, 2)))
    np.testing.assert_array_equal(values[5], [[0, 1], [2, 3], [4, 5]])


# -- values over random shapes ----------------------------------------------------------------

_SHAPES = st.lists(st.integers(0, 4), min_size=0, max_size=4).map(tuple)


@settings(deadline=None, max_examples=100)
@given(_SHAPES, st.randoms(use_true_random=False), st.booleans())
def test_reshape_and_permute(shape: tuple[int, ...], random: object, known: bool) -> None:
    array = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    axes = list(range(len(shape)))
    random.shuffle(axes)  # type: ignore[attr-defined]
    wanted = [*shape, 1]
    random.shuffle(wanted)  # type: ignore[attr-defined]
    with sg.Graph().as_default():
        x = sg.placeholder("int32", shape if known else (None,) * len(shape))
        sizes = sg.placeholder("int64", (None,))
        ys = [
            sg.permute_dims(x, axes),
            sg.reshape(x, wanted),
            sg.reshape(x, sizes),
            sg.squeeze(sg.expand_dims(x, (0, -1)), (0, -1)),
        ]
        values = sg.Session().run(ys, {x: array, sizes: wanted})
    np.testing.assert_array_equal(values[0], np.transpose(array, axes))
    np.testing.assert_array_equal(values[1], array.reshape(wanted))
    np.testing.assert_array_equal(values[2], array.reshape(wanted))
    np.testing.assert_array_equal(values[3], array)


_PARTS = (
    st.lists(st.integers(0, 3), min_size=1, max_size=4), _SHAPES, st.integers(0, 4), st.booleans()
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(*_PARTS)
def test_split_undoes_concat(
    lengths: list[int], shape: tuple[int, ...], axis: int, known: bool
) -> None:
    check_split(lengths, shape, axis, known, "reference", 0)


@settings(deadline=None, max_examples=30)
@given(*_PARTS)
def test_split_undoes_concat_in_machine_code(
    lengths: list[int], shape: tuple[int, ...], axis: int, known: bool
) -> None:
    check_split(lengths, shape, axis, known, "native", 2)


def check_split(
    lengths: list[int], shape: tuple[int, ...], axis: int, known: bool, backend: Any, ulps: int
) -> None:
    """Parts and their adjoints, whose sine is good to so many units in the last place."""
    axis = min(axis, len(shape))
    shapes = [(*shape[:axis], length, *shape[axis:]) for length in lengths]
    random = np.random.default_rng(0)
    arrays = [random.normal(size=each) for each in shapes]
    with sg.Graph().as_default():
        xs = [sg.placeholder("float64", each if known else (None,) * len(each)) for each in shapes]
        whole_array = sg.concat(xs, axis)
        adjoints = sg.gradients(whole_array, xs, grad_ys=[sg.sin(whole_array)])
        parts = sg.split(whole_array, np.cumsum(lengths)[:-1], axis)
        values = sg.Session(backend=backend).run(
            [whole_array, adjoints, parts], dict(zip(xs, arrays, strict=True))
        )
    np.testing.assert_array_equal(values[0], np.concatenate(arrays, axis))
    for array, adjoint, part in zip(arrays, values[1], values[2], strict=True):
        np.testing.assert_array_max_ulp(adjoint, np.sin(array), ulps)
        np.testing.assert_array_equal(part, array)


# -- failures in the run ----------------------------------------------------------------------


def test_a_reshape_that_does_not_fit_fails_the_run() -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    y = sg.reshape(x, (2, 4))
    with pytest.raises(sg.ShapeError) as info:
        sg.Session().run(y, {x: np.zeros((2, 3))})
    assert whole(info, x=x, y=y) == (
        "reshape: [2, 3] cannot become [2, 4]\n"
        "  x 'x'  float32[?, 3]  feed at <x>\n"
        "  that takes 8 elements\n"
        "  created at <y>"
    )


def test_a_broadcast_that_does_not_fit_fails_the_run() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    n = sg.placeholder("int64", (), name="n")
    y = sg.broadcast_to(x, (2, n))
    with pytest.raises(sg.ShapeError) as info:
        sg.Session().run(y, {x: [1, 2, 3], n: 4})
    assert whole(info, x=x, y=y) == (
        "broadcast_to: [3] does not broadcast to [2, 4]\n"
        "  x 'x'  float32[?]  feed at <x>\n"
        "  sizes[0] 'make_shape'  int64[2]  make_shape at <y>\n"
        "  axis -1 of the operand must be 1 or equal\n"
        "  created at <y>"
    )


def test_an_axis_that_is_not_of_size_one_fails_the_run() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    y = sg.squeeze(x, 0)
    with pytest.raises(sg.ShapeError) as info:
        sg.Session().run(y, {x: [1, 2]})
    assert whole(info, x=x, y=y) == (
        "squeeze: axis 0 has size 2\n"
        "  x 'x'  float32[?]  feed at <x>\n"
        "  only axes of size 1 can be removed\n"
        "  created at <y>"
    )


def test_parts_that_do_not_divide_fail_the_run() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    equal, placed = sg.split(x, 2), sg.split(x, [1, 4])
    session = sg.Session()
    with pytest.raises(sg.ShapeError) as info:
        session.run(equal, {x: [1, 2, 3]})
    assert whole(info, x=x, y=equal[0]) == (
        "split: axis 0 of size 3 does not divide into [?, ?]\n"
        "  x 'x'  float32[?]  feed at <x>\n"
        "  the parts of unknown size share equally what the others leave\n"
        "  created at <y>"
    )
    with pytest.raises(sg.ShapeError) as info:
        session.run(placed, {x: [1, 2, 3]})
    assert whole(info, x=x, y=placed[0]) == (
        "split: parts of [1, 3, ?] do not make up axis 0\n"
        "  x 'x'  float32[?]  feed at <x>\n"
        "  it has size 3\n"
        "  created at <y>"
    )
    np.testing.assert_array_equal(session.run(placed[2], {x: [1, 2, 3, 4, 5]}), [5])


def test_a_size_below_zero_fails_the_run() -> None:
    n = sg.placeholder("int64", (), name="n")
    y = sg.zeros((n, 2))
    with pytest.raises(
        sg.ShapeError,
        match=r"zeros \(in its broadcast_to\): the shape \[-1, 2\] has a size below 0",
    ):
        sg.Session().run(y, {n: -1})


# -- a few uses that once could have gone wrong -----------------------------------------------


def test_a_large_tensor_of_zeros_is_not_kept_in_the_graph() -> None:
    zeros = sg.zeros((10_000, 10_000))
    assert all(
        node.attrs["value"].nbytes < 100
        for node in zeros.graph.operations
        if node.op.name == "constant"
    )


def test_zeros_of_one_kind_share_their_constant() -> None:
    made = [sg.zeros(3), sg.zeros((2, 2)), sg.full(4, 0.0)]
    assert len({tensor.node.inputs[0] for tensor in made}) == 1


def test_sums_to_a_size_that_only_the_run_knows_to_be_one() -> None:
    x = sg.placeholder("float64", (None, 3))
    y = sg.placeholder("float64", (None, 3))
    (adjoint,) = sg.gradients(sg.sum(x * y), x)
    session = sg.Session()
    rows = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(session.run(adjoint, {x: np.ones((1, 3)), y: rows}), [[3, 5, 7]])
    np.testing.assert_array_equal(session.run(adjoint, {x: rows, y: rows}), rows)


def test_repeats_one_per_entry() -> None:
    x = sg.placeholder("float64", (3, 2))
    y = sg.repeat(x, [2, 0, 1], 0)
    (adjoint,) = sg.gradients(sg.sum(y * [[1.0], [10.0], [100.0]]), x)
    array = np.arange(6.0).reshape(3, 2)
    values = sg.Session().run([y, adjoint], {x: array})
    np.testing.assert_array_equal(values[0], np.repeat(array, [2, 0, 1], 0))
    np.testing.assert_array_equal(values[1], [[11, 11], [0, 0], [100, 100]])


def test_unstack_and_stack() -> None:
    x = sg.placeholder("float64", (3, 2))
    rows, columns = sg.unstack(x), sg.unstack(x, -1)
    y = sg.stack([rows[2], rows[0]]) * columns[1][0]
    (adjoint,) = sg.gradients(sg.sum(y), x)
    array = np.arange(6.0).reshape(3, 2)
    values = sg.Session().run([y, adjoint, columns], {x: array})
    np.testing.assert_array_equal(values[0], array[[2, 0]])
    np.testing.assert_array_equal(values[1], [[1, 1 + 10], [0, 0], [1, 1]])
    np.testing.assert_array_equal(values[2], array.T)
    assert sg.unstack(sg.zeros((0, 2))) == ()
    assert isinstance(rows, tuple)


def test_squeeze_without_axes_takes_every_axis_of_size_one() -> None:
    x = sg.placeholder("float32", (1, 3, 1))
    assert sg.squeeze(x).shape == (3,)
    value = sg.Session().run(sg.squeeze(x), {x: [[[1], [2], [3]]]})
    np.testing.assert_array_equal(value, [1, 2, 3])
