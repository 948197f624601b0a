"""What the run alone can find wrong, in machine code: the messages of the reference, whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

Array = np.ndarray[Any, Any]


def outcome(
    backend: str, fetches: Any, feed: dict[Any, Any], check_numerics: bool
) -> list[Any] | str:
    """The results, or the kind of error with its text."""
    session = sg.Session(backend=backend, check_numerics=check_numerics)
    try:
        return list(session.run(fetches, feed))
    except sg.StaticGraphError as error:
        return f"{type(error).__name__}: {error}"


def both(fetches: Any, feed: dict[Any, Any], check_numerics: bool = True) -> list[Any] | str:
    """What the two backends agree on."""
    native, reference = [
        outcome(backend, fetches, feed, check_numerics) for backend in ("native", "reference")
    ]
    if isinstance(reference, str) or isinstance(native, str):
        assert native == reference
        return reference
    for have, want in zip(native, reference, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5)
    return native


Make = Callable[[sg.Tensor], sg.Tensor]
# Each is not finite for a zero or for a very large number.
MAKERS: dict[str, Make] = {
    "log": sg.log,
    "reciprocal": sg.reciprocal,
    "division": lambda x: 1.0 / x,
    "nought by nought": lambda x: x / x,
    "root": lambda x: sg.sqrt(x - 1.0),
    "power": lambda x: x**-0.5,
    "exp": lambda x: sg.exp(1000.0 - x),
    "sum": lambda x: sg.sum(3e38 - x),
    "product": lambda x: sg.prod(1e30 - x),
    "mean of logs": lambda x: sg.mean(sg.log(x)),
    "matrix product": lambda x: sg.reshape(1e30 + x, (1, -1)) @ sg.reshape(1e30 + x, (-1, 1)),
    "cast": lambda x: sg.cast(1e300 + sg.cast(x, "float64"), "float32"),
    "running sum": lambda x: sg.cumsum(3e38 + x, axis=0),
    "slope": lambda x: sg.gradients(sg.sum(sg.sqrt(x)), x)[0],
    "softmax of infinities": lambda x: sg.softmax(sg.log(x)),
}
PLACES: dict[str, Callable[[Make, sg.Tensor], sg.Tensor]] = {
    "outside": lambda make, x: make(x),
    "in a fused chain": lambda make, x: sg.exp(-sg.abs(make(x * 1.0) * 0.0 + 1.0)) + 1.0,
    "in a while loop": lambda make, x: sg.while_loop(
        lambda i, y, z: i < 3, lambda i, y, z: (i + 1, sg.relu(y - 1.0), sg.sum(make(y))),
        (0, x, sg.constant(0.0)),
    )[2],
    "in a scan": lambda make, x: sg.scan(
        lambda c, row: (c + row, sg.sum(make(sg.stack([row, row])))), x[0], x
    )[1],
    "in a branch": lambda make, x: sg.cond(
        sg.sum(x) > -1.0, lambda: sg.sum(make(x)), lambda: sg.sum(x)
    ),
    "in a branch in a loop": lambda make, x: sg.fori_loop(
        0, 3,
        lambda i, y: sg.cond(i > 1, lambda: y + sg.sum(make(x)), lambda: y + 1.0),
        sg.constant(0.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.parametrize("name", list(MAKERS))
def test_numbers_that_are_not_finite(name: str, place: str) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    y = PLACES[place](MAKERS[name], x)
    feed = {x: np.array([2.0, 0.0, 1.0, 0.0], "float32")}
    message = both([y], feed)
    assert isinstance(message, str)
    assert message.startswith("NumericsError: ")
    assert __file__.rpartition("/")[2] in message
    fine = {x: np.full(4, 990.0, "float32")}
    if name in {"log", "reciprocal", "division", "root", "exp"} and place == "outside":
        assert not isinstance(both([y], fine), str)


def test_what_is_fed_or_constant_is_nobodys_fault() -> None:
    x = sg.placeholder("float32", (None,))
    y = sg.maximum(x, -np.inf) * 2.0 + sg.sum(x) - sg.max(x)
    for value in (np.inf, np.nan, -np.inf):
        both([y, sg.softmax(x)], {x: [1.0, value, 2.0]})


ERRORS: dict[str, Callable[[sg.Tensor], sg.Tensor]] = {
    "sizes": lambda x: x + sg.arange(sg.cast(sg.max(x), "int64")),
    "a reshape": lambda x: sg.reshape(x, (-1, 3)),
    "a place": lambda x: sg.take(x, sg.cast(x, "int64") * 3, axis=0),
    "an element": lambda x: x[sg.cast(sg.sum(x), "int64")],
    "a product": lambda x: x @ sg.reshape(sg.arange(sg.size(x) + 1) * 1.0, (-1,)),
    "a join": lambda x: sg.concat(
        [sg.reshape(x, (1, -1)), sg.zeros((1, 4)), sg.reshape(x[1:], (1, -1))], 0
    ),
    "a broadcast": lambda x: sg.broadcast_to(x, (3, 7)),
    "a branch": lambda x: sg.switch_case(
        sg.cast(sg.sum(x), "int32"), [lambda: x, lambda: x + 1.0]
    ),
    "an integer power": lambda x: sg.cast(x, "int32") ** (1 - sg.cast(x, "int32")),
    "a scatter": lambda x: sg.scatter_add(x, sg.cast(x, "int64") + 2, x),
    "an assertion": lambda x: _asserted(x),
}  # fmt: skip


def _asserted(x: sg.Tensor) -> sg.Tensor:
    with sg.control_dependencies([sg.assert_true(sg.max(x) < 3.0, "too large", [x, sg.max(x)])]):
        return x * 2.0


@pytest.mark.parametrize("place", [name for name in PLACES if name != "in a scan"])
@pytest.mark.parametrize("name", list(ERRORS))
def test_errors_of_the_run(name: str, place: str) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    make = ERRORS[name] if place == "outside" else lambda y: sg.sum(ERRORS[name](y) * 1)
    y = PLACES[place](lambda z: sg.cast(make(z), "float32"), x)
    message = both([y], {x: np.array([2.0, 3.0, 1.0, 2.0, 1.0], "float32")}, False)
    assert isinstance(message, str)
    assert "created at" in message and __file__.rpartition("/")[2] in message


def test_prints_inside_and_outside_of_loops(capfd: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    shown = sg.print(x * 2.0, "before")
    total = sg.while_loop(
        lambda i, y: i < 3, lambda i, y: (i + 1, sg.print(y + 1.0, "in it")), (0, sg.sum(shown))
    )[1]
    branch = sg.cond(total > 0.0, lambda: sg.print(total, "yes"), lambda: sg.print(total, "no"))
    texts = []
    for backend in ("native", "reference"):
        sg.Session(backend=backend).run([branch], {x: [1.0, 2.5]})
        texts.append(capfd.readouterr())
    assert texts[0] == texts[1]
    together = texts[0].out + texts[0].err
    assert [together.count(word) for word in ("before", "in it", "yes", "no")] == [1, 3, 1, 0]


def test_prints_before_a_failure_are_not_repeated(capfd: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    y = sg.take(sg.print(x, "seen"), sg.cast(x, "int64"), axis=0)
    with pytest.raises(sg.StaticGraphError):
        sg.Session(backend="native").run(y, {x: [1.0, 2.0]})
    shown = capfd.readouterr()
    assert (shown.out + shown.err).count("seen") == 1
