"""Feeds: what is accepted, how it is converted, and every way in which it is refused."""

from __future__ import annotations

import numpy as np
import pytest

import staticgraph as sg
from tests.messages import whole


@pytest.fixture
def session() -> sg.Session:
    return sg.Session()


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("float32", 1, np.float32(1)),
        ("float32", np.float64(0.1), np.float32(0.1)),
        ("float64", True, np.float64(1)),
        ("int32", np.int64(7), np.int32(7)),
        ("int64", True, np.int64(1)),
        ("uint8", 255, np.uint8(255)),
        ("bool", True, np.True_),
    ],
)
def test_scalars_convert_within_kind(
    session: sg.Session, dtype: str, value: object, expected: np.generic
) -> None:
    x = sg.placeholder(dtype, ())
    result = session.run(x, {x: value})
    assert result == expected
    assert result.dtype == expected.dtype


def test_big_endian_and_strided_arrays_are_read_right(session: sg.Session) -> None:
    x = sg.placeholder("float32", (3,))
    big = np.array([1, 2, 3], dtype=">f4")
    np.testing.assert_array_equal(session.run(x * 1.0, {x: big}), [1, 2, 3])
    np.testing.assert_array_equal(
        session.run(x * 1.0, {x: np.array([1, 2, 3], "float32")[::-1]}), [3, 2, 1]
    )


def test_an_empty_list_feeds_any_dtype(session: sg.Session) -> None:
    x = sg.placeholder("int32", (None,))
    assert session.run(x, {x: []}).shape == (0,)


def test_any_tensor_may_be_fed_by_tensor_or_name(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    doubled = sg.identity(2.0 * x, name="doubled")
    y = doubled + 1.0
    assert session.run(y, {doubled: 10.0}) == 11.0
    assert session.run(y, {"doubled": 10.0}) == 11.0
    assert session.run(y, {"doubled:0": 10.0}) == 11.0
    assert session.run(doubled, {doubled: 5.0}) == 5.0


def test_a_feed_is_never_aliased(session: sg.Session) -> None:
    x = sg.placeholder("float32", (2,))
    v = sg.Variable([0.0, 0.0])
    fed = np.array([1, 2], "float32")
    result, assigned = session.run([x, v.assign(x)], {x: fed})
    fed[:] = 9
    np.testing.assert_array_equal(result, [1, 2])
    np.testing.assert_array_equal(assigned, [1, 2])
    np.testing.assert_array_equal(session.run(v), [1, 2])


def test_placeholder_with_default(session: sg.Session) -> None:
    rate = sg.placeholder_with_default(0.5, name="rate")
    assert session.run(rate * 2.0) == 1.0
    assert session.run(rate * 2.0, {rate: 3.0}) == 6.0
    rows = sg.placeholder_with_default([[1.0, 2.0]], shape=(None, 2))
    assert rows.shape == (None, 2)
    assert session.run(rows * 1.0, {rows: np.ones((5, 2))}).shape == (5, 2)


def test_missing(session: sg.Session) -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x * 2.0)
    assert whole(info, x=x) == (
        "run: placeholder 'x' is needed and was not fed\n"
        "  'x'  float32[?, 3]  placeholder at <x>\n"
        "  feed it: session.run(fetches, {x: value})\n"
        "  at <here>"
    )


def test_wrong_shape(session: sg.Session) -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: np.ones((2, 4))})
    assert whole(info, x=x) == (
        "run: the value fed for 'x' has the wrong shape\n"
        "  have [2, 4]\n"
        "  want [?, 3]\n"
        "  'x'  float32[?, 3]  placeholder at <x>\n"
        "  reshape the value, or declare the axis as None or by name\n"
        "  at <here>"
    )


def test_wrong_rank_of_a_scalar(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: [1.0]})
    assert "have [1]\n  want []" in whole(info)


def test_named_dims_must_agree(session: sg.Session) -> None:
    x = sg.placeholder("float32", ("batch", 3), name="x")
    y = sg.placeholder("float32", ("batch",), name="y")
    with pytest.raises(sg.FeedError) as info:
        session.run([x, y], {x: np.ones((2, 3)), y: np.ones(5)})
    assert whole(info, x=x, y=y) == (
        "run: two feeds disagree about the named dim 'batch'\n"
        "  2 in 'x'  float32[batch, 3]  placeholder at <x>\n"
        "  5 in 'y'  float32[batch]  placeholder at <y>\n"
        "  equal names mean equal sizes\n"
        "  at <here>"
    )
    assert session.run(y, {x: np.ones((2, 3)), y: np.ones(2)}).shape == (2,)


def test_float_for_integer(session: sg.Session) -> None:
    x = sg.placeholder("int32", (None,), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: [1.5, 2.0]})
    assert whole(info, x=x) == (
        "run: the value fed for 'x' is float64, the tensor int32\n"
        "  'x'  int32[?]  placeholder at <x>\n"
        "  round and convert it first: np.rint(value).astype('int32')\n"
        "  at <here>"
    )


def test_nan_for_integer(session: sg.Session) -> None:
    x = sg.placeholder("int32", (None,), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: [1.0, float("nan")]})
    assert whole(info, x=x) == (
        "run: the value fed for 'x' holds NaN, the tensor is int32\n"
        "  'x'  int32[?]  placeholder at <x>\n"
        "  integers have no NaN; replace it first\n"
        "  at <here>"
    )


def test_integer_out_of_range(session: sg.Session) -> None:
    x = sg.placeholder("int8", (None,), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: [1, 300]})
    assert whole(info, x=x) == (
        "run: the value fed for 'x' holds 1 to 300, int8 holds -128 to 127\n"
        "  'x'  int8[?]  placeholder at <x>\n"
        "  make the placeholder wider\n"
        "  at <here>"
    )


def test_number_for_bool(session: sg.Session) -> None:
    x = sg.placeholder("bool", (), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: 1})
    assert whole(info, x=x) == (
        "run: the value fed for 'x' is int64, the tensor bool\n"
        "  'x'  bool[]  placeholder at <x>\n"
        "  compare it first: value != 0\n"
        "  at <here>"
    )


def test_no_numbers(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: "one"})
    assert whole(info, x=x) == (
        "run: the value fed for 'x' is no array of numbers but str of dtype <U3\n"
        "  'x'  float32[]  placeholder at <x>\n"
        "  feed numbers\n"
        "  at <here>"
    )
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: None})
    assert "is no array of numbers but NoneType of dtype object" in str(info.value)


def test_ragged(session: sg.Session) -> None:
    x = sg.placeholder("float32", (None, None), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: [[1.0, 2.0], [3.0]]})
    message = whole(info, x=x)
    assert message.startswith("run: the value fed for 'x' is no array: setting an array element")
    assert message.endswith(
        "\n  'x'  float32[?, ?]  placeholder at <x>\n"
        "  give numbers in a rectangular form\n"
        "  at <here>"
    )


@pytest.mark.parametrize("kind", ["Tensor", "Variable"])
def test_tensor_as_value(session: sg.Session, kind: str) -> None:
    x = sg.placeholder("float32", (), name="x")
    value = sg.constant(1.0) if kind == "Tensor" else sg.Variable(1.0)
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: value})
    assert whole(info, x=x) == (
        f"run: the value fed for 'x' is a {kind}, which has no value outside a run\n"
        "  'x'  float32[]  placeholder at <x>\n"
        "  fetch it first and feed the array, or build with it instead of the placeholder\n"
        "  at <here>"
    )


def test_unknown_name(session: sg.Session) -> None:
    sg.placeholder("float32", (), name="images")
    with pytest.raises(sg.FeedError) as info:
        session.run([], {"image": 1.0})
    assert whole(info) == (
        "run: nothing in the graph is called 'image', so it cannot be fed\n"
        "  close names: images\n"
        "  at <here>"
    )


def test_key_of_a_wrong_kind(session: sg.Session) -> None:
    with pytest.raises(sg.FeedError) as info:
        session.run([], {3: 1.0})
    assert whole(info) == (
        "run: a feed key is a int\n  the keys of a feed are tensors or their names\n  at <here>"
    )


def test_variable_as_key(session: sg.Session) -> None:
    v = sg.Variable(1.0, name="v")
    with pytest.raises(sg.FeedError) as info:
        session.run(v, {v: 1.0})
    assert whole(info) == (
        "run: variable 'v' cannot be fed\n"
        "  assign to it, session.run(v.assign(value)), or feed one read of it, "
        "{v.value: value}\n"
        "  at <here>"
    )
    assert session.run(v * 2.0, {v.value: 4.0}) == 8.0


def test_key_of_another_graph(session: sg.Session) -> None:
    with sg.Graph().as_default():
        x = sg.placeholder("float32", (), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run([], {x: 1.0})
    assert whole(info, x=x) == (
        "run: a feed key belongs to another graph than the session\n"
        "  'x'  float32[]  placeholder at <x>\n"
        "  feed tensors of the session's graph\n"
        "  at <here>"
    )


def test_no_dict(session: sg.Session) -> None:
    with pytest.raises(sg.FeedError) as info:
        session.run([], [1.0])
    assert whole(info) == (
        "run: the feed is a list, not a dict\n  give {tensor: value, ...}\n  at <here>"
    )


def test_fed_twice(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    with pytest.raises(sg.FeedError) as info:
        session.run(x, {x: 1.0, "x": 2.0})
    assert whole(info) == (
        "run: 'x' is fed twice, by tensor and by name\n  give it once\n  at <here>"
    )


def test_after_a_refusal_the_session_works_and_nothing_has_changed(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    v = sg.Variable(1.0)
    step = v.assign_add(x)
    for wrong in ("one", [1.0, 2.0], None, sg.constant(1.0)):
        with pytest.raises(sg.FeedError):
            session.run(step, {x: wrong})
    assert session.run(v) == 1.0
    assert session.run(step, {x: 2.0}) == 3.0
