"""Shapes as far as they are known: broadcasting, meeting, inferring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staticgraph.core import dtypes
from staticgraph.core.types import (
    BroadcastError,
    TensorType,
    add_dims,
    broadcast_dim,
    broadcast_many,
    broadcast_shapes,
    compatible,
    format_shape,
    infer_size,
    meet,
    product,
    public_shape,
    same_shape,
)

_sizes = st.lists(st.integers(0, 3), max_size=4).map(tuple)
SYMBOLS = ("a", "b", "?0")
_dims = st.integers(0, 3) | st.sampled_from(SYMBOLS) | st.none()
_shapes = st.none() | st.lists(_dims, max_size=4).map(tuple)


def test_a_type_says_what_it_knows() -> None:
    type = TensorType(dtypes.float32, ("?0", 784, "batch", None))
    assert str(type) == "float32[?, 784, batch, ?]"
    assert (type.ndim, type.is_static, type.size) == (4, False, None)
    scalar = TensorType(dtypes.bool_, ())
    assert str(scalar) == "bool[]"
    assert (scalar.ndim, scalar.is_static, scalar.size) == (0, True, 1)
    any_rank = TensorType(dtypes.int8, None)
    assert str(any_rank) == "int8[...]"
    assert (any_rank.ndim, any_rank.is_static, any_rank.size) == (None, False, None)
    assert TensorType(dtypes.int8, (2, 3, 4)).size == 24
    assert type.with_dtype(dtypes.int8).shape == type.shape
    assert type.with_shape((1,)) == TensorType(dtypes.float32, (1,))


def test_users_see_no_anonymous_symbols() -> None:
    assert public_shape(("?0", 3, "batch", None)) == (None, 3, "batch", None)
    assert public_shape(None) is None
    assert format_shape(None) == "[...]"


@pytest.mark.parametrize(
    ("lhs", "rhs", "result"),
    [
        (2, 2, 2), (1, 5, 5), (5, 1, 5), (0, 1, 0), (1, 0, 0),
        ("a", "a", "a"), ("a", 1, "a"), (1, "a", "a"), ("a", 3, 3), (3, "a", 3),
        (None, None, None), (None, 1, None), (1, None, None), (None, 4, 4), (4, None, 4),
        ("a", "b", None), ("a", None, None), ("a", 0, 0),
    ],
)  # fmt: skip
def test_one_axis_of_a_broadcast(lhs: Any, rhs: Any, result: Any) -> None:
    assert broadcast_dim(lhs, rhs) == result


def test_shapes_broadcast_as_far_as_they_are_known() -> None:
    assert broadcast_shapes(("?0", 3), (1,)) == ("?0", 3)
    assert broadcast_shapes((2, 1, "a"), ("b", "a")) == (2, "b", "a")
    assert broadcast_shapes((3,), (2, 1, 1)) == (2, 1, 3)
    assert broadcast_shapes(None, (2,)) is None
    assert broadcast_shapes((), ()) == ()
    assert broadcast_many(()) == ()
    assert broadcast_many(((2, 1), (3,), (1, 1))) == (2, 3)


@pytest.mark.parametrize(
    ("lhs", "rhs", "error"),
    [
        ((2, 3), (4,), (-1, 3, 4)),
        ((4,), (2, 3), (-1, 4, 3)),
        ((5, 1, 3), (2, 7, 3), (-3, 5, 2)),
        ((0,), (2,), (-1, 0, 2)),
    ],
)
def test_shapes_that_do_not_broadcast_name_the_axis(lhs: Any, rhs: Any, error: Any) -> None:
    with pytest.raises(BroadcastError) as caught:
        broadcast_shapes(lhs, rhs)
    problem = caught.value
    assert (problem.axis, problem.lhs, problem.rhs) == error
    assert str(problem) == f"axis {error[0]}: {error[1]} against {error[2]}"


@given(_sizes, _sizes)
def test_known_shapes_broadcast_as_in_numpy(lhs: tuple[int, ...], rhs: tuple[int, ...]) -> None:
    try:
        expected = np.broadcast_shapes(lhs, rhs)
    except ValueError:
        with pytest.raises(BroadcastError):
            broadcast_shapes(lhs, rhs)
        return
    assert broadcast_shapes(lhs, rhs) == expected


def _in_a_run(shape: Any, sizes: dict[str, int], unknown: list[int]) -> tuple[int, ...]:
    """A shape in one run: symbols have the sizes of the run, unknown dims any."""
    return tuple(
        sizes[d] if isinstance(d, str) else unknown.pop() if d is None else d for d in shape
    )


@given(
    _shapes, _shapes, st.lists(st.integers(0, 3), min_size=3, max_size=3),
    st.lists(st.integers(0, 3), min_size=8, max_size=8),
)  # fmt: skip
def test_what_is_inferred_holds_in_every_run(
    lhs: Any, rhs: Any, sizes: list[int], unknown: list[int]
) -> None:
    try:
        inferred = broadcast_shapes(lhs, rhs)
    except BroadcastError:
        inferred = "refused"
    if lhs is None or rhs is None:
        assert inferred is None or lhs == rhs
        return
    run = dict(zip(SYMBOLS, sizes, strict=True))
    left, right = _in_a_run(lhs, run, unknown), _in_a_run(rhs, run, unknown)
    try:
        actual = np.broadcast_shapes(left, right)
    except ValueError:
        return
    assert inferred != "refused"
    assert len(inferred) == len(actual)
    for dim, size in zip(inferred, actual, strict=True):
        assert dim is None or (run[dim] if isinstance(dim, str) else dim) == size


def test_only_known_sizes_prove_shapes_equal() -> None:
    assert same_shape((2, "a"), (2, "a"))
    assert not same_shape((None,), (None,))
    assert not same_shape(None, None)
    assert not same_shape(("a",), ("b",))


def test_shapes_are_compatible_unless_known_sizes_differ() -> None:
    assert compatible((2, "a"), ("b", 3))
    assert compatible(None, (2,))
    assert not compatible((2,), (2, 2))
    assert not compatible((2, 3), (2, 4))
    assert compatible((None, 0), ("a", 0))


@pytest.mark.parametrize(
    ("lhs", "rhs", "result"),
    [
        (None, (2,), (2,)),
        ((2,), None, (2,)),
        (None, None, None),
        ((2, "a", None, None), ("b", None, 3, "c"), (2, "a", 3, "c")),
        (("a", "a", None), ("b", 5, None), ("a", 5, None)),
    ],
)
def test_two_descriptions_together_say_the_most(lhs: Any, rhs: Any, result: Any) -> None:
    assert meet(lhs, rhs) == result


@pytest.mark.parametrize(
    ("shape", "known", "size"),
    [
        ((2, 6), (3,), 4),
        (("?0", 28, 28), (784,), "?0"),
        (("?0", 28), ("?0",), 28),
        (("a", "b", 6), ("b", 6), "a"),
        (("a", 6), (3,), None),
        (("a", "b"), (), None),
        (("a", 6), ("b",), None),
        ((2, None), (2,), None),
        ((2, 3), (None,), None),
        (None, (2,), None),
        (("a", 3), (2,), None),
        ((), (), 1),
        ((0, 3), (3,), 0),
        (("a", "a"), ("a",), "a"),
    ],
)
def test_the_size_that_minus_one_stands_for(shape: Any, known: Any, size: Any) -> None:
    assert infer_size(shape, known) == size


@pytest.mark.parametrize(
    ("shape", "known", "message"),
    [
        ((2, 3), (4,), "6 elements do not divide by 4"),
        ((0, 3), (0,), "0 elements do not divide by 0"),
    ],
)
def test_no_size_fits(shape: Any, known: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        infer_size(shape, known)


def test_products_and_sums_of_dims() -> None:
    assert product((2, 3)) == 6
    assert product(()) == 1
    assert product((1, "a")) == "a"
    assert product((2, "a")) is None
    assert product(("a", "b")) is None
    assert product((0, "a")) == 0
    assert product((None, 2)) is None
    assert add_dims((2, 3)) == 5
    assert add_dims(("a", 0)) == "a"
    assert add_dims(("a", 1)) is None
    assert add_dims(("a", "b")) is None
    assert add_dims((None, 0)) is None
