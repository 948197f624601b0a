"""Numbers of axes that a graph leaves open: machine code is made for those that a call meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.function import functions_in
from staticgraph.passes.ranks import is_open
from staticgraph.runtime.plan import extract
from tests.messages import whole


def agree(fetches: Any, *feeds: dict[sg.Tensor, Any]) -> None:
    """Both backends give equal results for each of the feeds, one after the other."""
    sessions = [sg.Session(backend=backend, seed=0) for backend in ("native", "reference")]
    for feed in feeds:
        have, want = [session.run(fetches, feed) for session in sessions]
        for a, b in zip(have, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-14, strict=True)


def test_a_fed_vector_is_a_shape() -> None:
    x = sg.placeholder("float64", (None, None))
    sizes = sg.placeholder("int64", (None,))
    row = sg.placeholder("float64", (None,))
    made = sg.reshape(x, sizes)
    slopes = sg.gradients(sg.sum(made * made), x)
    array = np.arange(12.0).reshape(3, 4)
    agree(
        [made, *slopes, sg.zeros(sizes) + 1.0, sg.broadcast_to(sg.sum(row), sizes)],
        *[{x: array, sizes: s, row: np.ones(len(s) + 4)} for s in ([12], [2, 6], [3, 4, 1], [4, 3],
                                                                   [12])],
    )  # fmt: skip


def test_a_vector_of_a_named_length() -> None:
    sizes = sg.placeholder("int64", ("k",))
    weights = sg.placeholder("float64", ("k",))
    made = sg.ones(sizes, "float64") * sg.sum(weights * sg.cast(sizes, "float64"))
    agree([made], {sizes: [2, 3], weights: [1.0, 2.0]}, {sizes: [4], weights: [3.0]})
    with pytest.raises(sg.FeedError, match="k"):
        sg.Session().run(made, {sizes: [2, 3], weights: [1.0]})


def test_a_vector_in_a_variable_is_a_shape() -> None:
    sizes = sg.Variable(sg.placeholder_with_default(np.array([2, 3]), (None,)), name="sizes")
    made = sg.ones(sizes.value)
    session = sg.Session()
    assert session.run(made).shape == (2, 3)


def test_lengths_are_told_apart_only_where_they_matter() -> None:
    x = sg.placeholder("float64", name="x")
    labels = sg.placeholder("int64", (None,))
    session = sg.Session()
    call = session.make_callable([x * 2.0, labels + 1], [x, labels])
    made = []
    for length in (1, 2, 3):
        call(np.ones((2, length)), np.arange(length))
        made.append(len(call.__self__._calls))
    assert made == [1, 1, 1]


REGIONS: dict[str, Callable[[sg.Tensor], Any]] = {
    "captured by a branch": lambda x: sg.cond(sg.sum(x) > 3.0, lambda: x * x, lambda: sg.sin(x)),
    "captured by a loop": lambda x: sg.fori_loop(0, 3, lambda i, t: t + sg.sum(x * t), 0.5),
    "carried": lambda x: sg.fori_loop(0, 3, lambda i, t: sg.sin(t) + x, x),
    "carried in a loop in a branch": lambda x: sg.cond(
        sg.sum(x) > 3.0, lambda: sg.fori_loop(0, 2, lambda i, t: t * t, x), lambda: x
    ),
    "behind a loop": lambda x: sg.zeros_like(sg.fori_loop(0, 3, lambda i, t: t * 2.0, x)) + x,
}


@pytest.mark.parametrize("name", REGIONS)
def test_bodies_are_told_the_ranks(name: str) -> None:
    x = sg.placeholder("float64", name="x")
    y = REGIONS[name](x)
    # What a derivative keeps of a carry of any rank is a vector that goes with its shape.
    carried = name.startswith("carried")
    fetches = [y] if carried else [y, *sg.gradients(sg.sum(y * y), x)]
    assert is_open(extract(fetches))
    assert any(True for n in extract(y).nodes for a in n.attrs.values() for _ in functions_in(a))
    agree(fetches, *[{x: np.full(shape, 0.7)} for shape in ((), (3,), (2, 4), (3,))])


def refused(fetches: Any, feed: dict[sg.Tensor, Any], **made: Any) -> str:
    """The message of machine code for what the reference computes."""
    sg.Session(backend="reference").run(fetches, feed)
    with pytest.raises(sg.ShapeError) as caught:
        sg.Session().run(fetches, feed)
    return whole(caught, **made)


WAY_OUT = (
    "  machine code has to know it first: give placeholders a shape (None stands for a size that\n"
    "  only the run knows) and branches results of equal rank, or run it with\n"
    "  sg.Session(backend='reference')\n"
)


def test_a_rank_that_depends_on_values_is_refused() -> None:
    p = sg.placeholder("bool", (), name="p")
    y = sg.cond(p, lambda: sg.zeros((2, 3)), lambda: 1.0)
    assert refused(y, {p: False}, p=p, y=y) == (
        "cond: how many axes a result has depends on values\n"
        "  predicate 'p'  bool[]  feed at <p>\n" + WAY_OUT + "  created at <y>"
    )


def test_a_branch_that_does_not_fit_these_ranks_is_refused() -> None:
    x = sg.placeholder("float64", name="x")
    p = sg.greater(sg.size(x), 3, name="p")
    y = sg.cond(p, lambda: sg.sum(sg.reshape(x, (2, 3))), lambda: sg.sum(x * 2.0))
    assert sg.Session().run(y, {x: np.ones((2, 3))}) == 6.0
    assert refused(y, {x: 1.0}).startswith("cond: how many axes a result has depends on values\n")


def test_the_derivative_of_a_carry_of_any_rank_is_refused() -> None:
    x = sg.placeholder("float64", name="x")
    y = sg.fori_loop(0, 3, lambda i, t: sg.sin(t) + x, x)
    (slope,) = sg.gradients(sg.sum(y * y), x)
    assert WAY_OUT in refused(slope, {x: 1.0})


def test_a_carry_that_gains_axes_is_refused() -> None:
    x = sg.placeholder("float64", name="x")
    n = sg.placeholder("int64", ())
    sizes = sg.placeholder("int64", (None,))
    y = sg.fori_loop(0, n, lambda i, t: sg.reshape(t, sg.concat([sizes, sg.shape(t)])), x)
    feed = {x: 1.0, n: 2, sizes: [1]}
    assert WAY_OUT in refused(y, feed)
