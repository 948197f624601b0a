"""Indexing beyond single samples: random keys against NumPy, and what happens at the edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import staticgraph as sg
from tests.messages import whole


@st.composite
def keyed(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Any], bool]:
    """A shape, a key that NumPy takes for it, and whether the graph knows the sizes."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    index_shape = draw(st.sampled_from([(2,), (3, 1), (1, 2), (0,), ()]))
    taken = draw(st.integers(0, len(shape)))
    place = draw(st.integers(-1, taken))
    key: list[Any] = []
    for number in range(taken + 1):
        if number == place:
            key.append(...)
        if draw(st.integers(0, 3)) == 0:
            key.append(None)
        if number == taken:
            break
        behind = 0 <= place <= number
        size = shape[len(shape) - taken + number if behind else number]
        bound = st.one_of(st.none(), st.integers(-size - 2, size + 2))
        entry = st.integers(-size, size - 1)
        kind = draw(st.sampled_from(["range", "entry", "array"]))
        if kind == "range":
            step = draw(st.sampled_from([None, 1, 2, -1, -2]))
            key.append(slice(draw(bound), draw(bound), step))
        elif kind == "entry":
            key.append(draw(entry))
        else:
            count = math.prod(index_shape)
            listed = draw(st.lists(entry, min_size=count, max_size=count))
            key.append(np.array(listed, np.int64).reshape(index_shape))
    return shape, key, draw(st.booleans())


def _in_the_graph(item: Any, feed: dict[sg.Tensor, Any], number: int) -> Any:
    """Some of the numbers of an item as tensors that are fed."""
    if isinstance(item, slice) and number % 2 and item.start is not None:
        start = sg.placeholder("int16", ())
        feed[start] = item.start
        return slice(start, item.stop, item.step)
    if isinstance(item, int | np.ndarray) and number % 2:
        index = sg.placeholder("int64", np.shape(item))
        feed[index] = item
        return index
    return item.tolist() if isinstance(item, np.ndarray) and item.ndim == 2 else item


@settings(deadline=None, max_examples=300)
@given(keyed())
def test_any_key_means_what_it_means_in_numpy(
    case: tuple[tuple[int, ...], list[Any], bool],
) -> None:
    check_key(*case, "reference", 0)


@settings(deadline=None, max_examples=50)
@given(keyed())
def test_any_key_in_machine_code(case: tuple[tuple[int, ...], list[Any], bool]) -> None:
    check_key(*case, "native", 2)


def check_key(shape: tuple[int, ...], key: list[Any], known: bool, backend: Any, ulps: int) -> None:
    """What a key takes, and its derivatives, whose cosine is good to so many units."""
    array = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    expected = array[tuple(key)]
    weights = np.random.default_rng(0).normal(size=expected.shape)
    written = np.zeros(shape)
    np.add.at(written, tuple(key), weights)
    with sg.Graph().as_default():
        x = sg.placeholder("float64", shape if known else (None,) * len(shape))
        feed: dict[sg.Tensor, Any] = {x: array}
        mixed = tuple(_in_the_graph(item, feed, number) for number, item in enumerate(key))
        result = x[mixed]
        (adjoint,) = sg.gradients(result, x, grad_ys=[sg.constant(weights)])
        (tangent,) = sg.jvp(result, x, sg.cos(x))
        values = sg.Session(backend=backend).run([result, adjoint, tangent], feed)
    np.testing.assert_array_equal(values[0], expected)
    np.testing.assert_allclose(values[1], written, rtol=1e-14)
    np.testing.assert_array_max_ulp(values[2], np.cos(array)[tuple(key)], ulps)
    if known and not any(isinstance(item, slice) and item.start in feed for item in mixed):
        assert result.shape == expected.shape


def test_what_takes_everything_makes_no_node() -> None:
    x = sg.placeholder("float32", (3, None))
    assert x[:] is x
    assert x[...] is x
    assert x[0:3, :] is x
    assert x[:100] is x
    assert x[::1, 0:] is x


def test_keys_that_mean_the_same_are_the_same_node() -> None:
    x = sg.placeholder("float32", (4, 5))
    pairs = [
        (x[-1], x[3]),
        (x[1:], x[1:4]),
        (x[-3:100], x[1:]),
        (x[::-1], x[3::-1]),
        (x[:, 2:2], x[:, 4:1]),
    ]
    for one, other in pairs:
        assert one.node.attrs == other.node.attrs
        assert sg.optimize([one, other]).count("slice") == 1


def test_sizes_are_known_where_they_can_be() -> None:
    x = sg.placeholder("float32", ("n", 6, None))
    assert x[:, 1:4].shape == ("n", 3, None)
    assert x[::-1, 0, None].shape == ("n", 1, None)
    assert x[1:].shape == (None, 6, None)
    assert x[:, [0, 1]].shape == ("n", 2, None)
    assert x[0].type.shape == (6, x.type.shape[2])
    assert x[sg.placeholder("int64", ("m",))].shape == ("m", 6, None)
    assert sg.shape(x)[0].node.op.name == "size"
    assert sg.reshape(x, (sg.shape(x)[0], -1)).shape == ("n", None)
    assert sg.reshape(x, (sg.shape(x)[-3], sg.shape(x)[1], -1)).shape == ("n", 6, None)


def test_a_slice_is_undone_with_its_symbols() -> None:
    # The adjoint of a padded batch has the batch's own size, so no run-time shape test is needed.
    x = sg.placeholder("float32", (None, 4))
    (adjoint,) = sg.gradients(sg.sum(sg.square(sg.pad(x, 1)[1:])), x)
    assert adjoint.type == x.type


def test_rank_unknown() -> None:
    x = sg.placeholder("float32", None)
    first, rest, picked = x[0], x[1:, None], x[[0, 0]]
    assert first.shape is None
    session = sg.Session()
    values = session.run([first, rest, picked], {x: np.arange(6).reshape(2, 3)})
    np.testing.assert_array_equal(values[0], [0, 1, 2])
    np.testing.assert_array_equal(values[1], [[[3, 4, 5]]])
    np.testing.assert_array_equal(values[2], [[0, 1, 2], [0, 1, 2]])
    assert session.run(first, {x: [7.0]}) == 7.0


def test_an_entry_that_does_not_exist_fails_the_run_and_nothing_changes() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    i = sg.placeholder("int64", (), name="i")
    count = sg.Variable(0)
    y = x[i]
    session = sg.Session()
    fetches = [y, count.assign_add(1)]
    with pytest.raises(sg.RunError) as info:
        session.run(fetches, {x: [1.0, 2.0], i: 2})
    assert whole(info, y=y, x=x, i=i) == (
        "slice: an index is out of range\n"
        "  x 'x'  float32[?]  feed at <x>\n"
        "  bounds[0] 'i'  int64[]  feed at <i>\n"
        "  index 2 is out of bounds for axis 0 with size 2\n"
        "  created at <y>"
    )
    assert session.run(count) == 0
    assert session.run(y, {x: [1.0, 2.0], i: -2}) == 1.0


def test_a_static_entry_is_checked_in_the_run_where_the_size_is_open() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    y = x[3]
    with pytest.raises(sg.RunError) as info:
        sg.Session().run(y, {x: [1.0, 2.0]})
    assert whole(info, y=y, x=x) == (
        "slice: an index is out of range\n"
        "  x 'x'  float32[?]  feed at <x>\n"
        "  index 3 is out of bounds for axis 0 with size 2\n"
        "  created at <y>"
    )


def test_gather_does_not_wrap() -> None:
    x = sg.placeholder("float32", (3,), name="x")
    i = sg.placeholder("int64", (None,), name="i")
    y = sg.gather(x, i)
    with pytest.raises(sg.RunError) as info:
        sg.Session().run(y, {x: [1, 2, 3], i: [0, -4]})
    assert whole(info, y=y, x=x, i=i) == (
        "gather: an index is out of range\n"
        "  x 'x'  float32[3]  feed at <x>\n"
        "  indices[0] 'i'  int64[?]  feed at <i>\n"
        "  index -4 is out of bounds for axis 0 with size 3\n"
        "  created at <y>"
    )


def test_scatter_add_does_not_wrap() -> None:
    i = sg.placeholder("int64", (None,), name="i")
    y = sg.scatter_add(sg.zeros(3), i, 1.0)
    with pytest.raises(sg.RunError, match="index 3 is out of bounds for axis 0 with size 3"):
        sg.Session().run(y, {i: [3]})


def test_zero_adjoints_of_what_is_not_taken_stay_zero() -> None:
    x = sg.placeholder("float64", (3,))
    # The derivative of sqrt at 0 is infinite; entry 0 is not taken, so its adjoint is 0.
    for y in (sg.sqrt(x)[1:], sg.gather(sg.sqrt(x), [1, 2]), sg.split(sg.sqrt(x), [1])[1]):
        (adjoint,) = sg.gradients(sg.sum(y), x)
        np.testing.assert_allclose(
            sg.Session().run(adjoint, {x: [0.0, 1.0, 4.0]}), [0.0, 0.5, 0.25]
        )


def test_repeated_entries_add_up_in_order() -> None:
    table = sg.placeholder("float32", (4, 2))
    rows = sg.gather(table, [1, 1, 3, 1])
    (adjoint,) = sg.gradients(sg.sum(rows * [[1.0], [10.0], [100.0], [1000.0]]), table)
    values = sg.Session().run(adjoint, {table: np.zeros((4, 2))})
    np.testing.assert_array_equal(values[:, 0], [0, 1011, 0, 100])


@pytest.mark.parametrize(
    "key",
    [3, (0, 0, 0), (0, -5), np.ones((2, 4), bool), ([0, 7],), (..., ...), sg.ones, "a"],
    ids=["entry", "too many", "behind", "mask", "array", "twice", "function", "text"],
)
def test_a_key_that_does_not_fit_is_an_index_error(key: Any) -> None:
    """Python's own, which ends loops over sequences; keys of a wrong type are none."""
    x = sg.placeholder("float32", (3, 4))
    fits = sg.DTypeError if callable(key) or isinstance(key, str) else sg.IndexingError
    with pytest.raises(fits):
        x[key]
    assert issubclass(sg.IndexingError, sg.ShapeError)
    assert issubclass(sg.IndexingError, IndexError)


def test_variables_are_indexed_as_tensors() -> None:
    w = sg.Variable(np.arange(6.0).reshape(2, 3))
    (adjoint,) = sg.gradients(sg.sum(sg.square(w[1, ::2])), w)
    np.testing.assert_array_equal(sg.Session().run(adjoint), [[0, 0, 0], [6, 0, 10]])
    rows = sg.Variable([1, 0])
    np.testing.assert_array_equal(sg.Session().run(w[rows]), [[3, 4, 5], [0, 1, 2]])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from([0.0, -0.0, 1.0, -2.0, math.nan, math.inf, -math.inf]), max_size=8),
    st.booleans(),
)
def test_sort_orders_as_python_does_and_keeps_ties(values: list[float], descending: bool) -> None:
    # NaN counts as larger than everything else.
    keys = [(math.isnan(v), 0.0 if math.isnan(v) else v) for v in values]
    if descending:
        wanted = sorted(range(len(values)), key=lambda i: (not keys[i][0], -keys[i][1]))
    else:
        wanted = sorted(range(len(values)), key=lambda i: keys[i])
    with sg.Graph().as_default():
        x = sg.placeholder("float64", (None,))
        order, ordered = sg.Session().run(
            [sg.argsort(x, descending=descending), sg.sort(x, descending=descending)],
            {x: np.array(values, np.float64)},
        )
    np.testing.assert_array_equal(order, wanted)
    np.testing.assert_array_equal(ordered, [values[i] for i in wanted])
