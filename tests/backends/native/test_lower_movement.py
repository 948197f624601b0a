"""What moves elements, reduces to a shape, picks extremes and watches a run: as the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.program import Options
from staticgraph.ops.cumulative import shift
from staticgraph.ops.joining import SPLIT
from staticgraph.ops.shaping import SUM_TO
from tests.backends.native.agreement import Agreement

SHAPES = [(0, 3), (1, 1), (1, 5), (3, 0), (4, 6), (7, 40), (40, 33)]


def numbers(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray[Any, Any]:
    """Random numbers, of which the absolute values are below 100."""
    return (np.random.default_rng(seed).uniform(-100, 100, shape)).astype(dtype)


def kernels(fetches: Any) -> int:
    """How many kernels the code for some fetches calls."""
    return len(Compilation(sg.optimize(fetches), Options()).program.kernels)


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool"])
def test_joined_and_taken_apart(dtype: str) -> None:
    x, y = sg.placeholder(dtype, (None, None)), sg.placeholder(dtype, (None, None))
    turned = sg.concat([x[::-1], y, x], 0)
    fetches = [
        turned, sg.concat([x, x[:, ::-1]], 1), sg.concat([sg.permute_dims(x), y.T], 1),
        *sg.split(turned, [1], 0), sg.stack([x, x[::-1]], 2), sg.concat([x], 0),
    ]  # fmt: skip
    agreement = Agreement(fetches, [x, y])
    refused = 0
    for shape in SHAPES:
        for rows in (0, 1, 5):
            for columns in (shape[1], 2):
                given = numbers(shape, dtype), numbers((rows, columns), dtype, 1)
                refused += isinstance(agreement.check(*given), str)
    assert 0 < refused < 40


def test_parts_make_up_the_whole() -> None:
    x = sg.placeholder("float32", (None, 2))
    lengths = [sg.placeholder("int64", ()) for _ in range(2)]
    attrs = {"sizes": (None, 1, None), "axis": 0}
    given = x.graph.add(SPLIT, (x, *lengths), attrs).outputs
    shared = x.graph.add(SPLIT, (x,), attrs).outputs
    for fetches, told in ((list(given), True), (list(shared), False)):
        agreement = Agreement(fetches, [x, *lengths])
        for rows in (0, 1, 2, 3, 5):
            for first in (0, 1, 2):
                places = np.array(first), np.array(rows - 1 - first)
                if places[1] >= 0 or not told:
                    agreement.check(numbers((rows, 2), "float32"), *places)
                agreement.check(numbers((rows, 2), "float32"), places[0], np.array(9))


def test_what_is_fused_is_written_where_it_belongs() -> None:
    x = sg.placeholder("float32", (50, 8))
    assert kernels(sg.concat([x * 2, x + 1], 0)) == 1
    doubled = x * 2
    agreement = Agreement(
        [sg.concat([doubled, x + 1], 0), sg.concat([doubled, doubled], 0), sg.concat([x + 1], 0),
         sg.concat([sg.expand_dims(x * x, 0), sg.expand_dims(x * 3, 0)], 0),
         sg.concat([sg.sum(x, 0, keepdims=True), sg.max(x * 2, 0, keepdims=True)], 0)], [x],
    )  # fmt: skip
    agreement.check(np.round(numbers((50, 8), "float32")))


@pytest.mark.parametrize("dtype", ["float64", "uint8", "bool"])
def test_padded_and_shifted(dtype: str) -> None:
    x, value = sg.placeholder(dtype, (None, None)), sg.placeholder(dtype, ())
    fetches = [
        sg.pad(x, ((1, 2), (0, 3)), constant_values=value), sg.pad(x, 0), sg.pad(x, 2),
        *[shift(x, by, axis, 1) for by in (0, 1, -1, 5, -40, 2**62) for axis in (0, 1)],
    ]  # fmt: skip
    agreement = Agreement(fetches, [x, value])
    for shape in SHAPES:
        agreement.check(numbers(shape, dtype), np.array(7, dtype))


def test_sums_to_a_shape() -> None:
    x, shape = sg.placeholder("int32", (None, None, None)), sg.placeholder("int64", (2,))
    vague = x.graph.add(SUM_TO, (x, shape), {"shape": (None, None)}).out
    column = x.graph.add(SUM_TO, (x * 2, shape), {"shape": (None, 1)}).out
    row = x.graph.add(SUM_TO, (x * 2, shape), {"shape": (1, None)}).out
    for fetches in ([vague], [column + 1], [row + 1]):
        agreement = Agreement(fetches, [x, shape])
        outcomes = []
        for dims in [(2, 3, 4), (1, 1, 5), (0, 3, 1), (3, 40, 70), (2, 1, 1)]:
            for rows in {1, dims[1], 2}:
                for columns in {1, dims[2], 2}:
                    given = numbers(dims, "int32"), np.array([rows, columns])
                    outcomes.append(isinstance(agreement.check(*given), str))
        assert any(outcomes)
        assert not all(outcomes)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint16", "bool"])
@pytest.mark.parametrize("op", [sg.argmax, sg.argmin])
def test_places_of_extremes(op: Any, dtype: str) -> None:
    x = sg.placeholder(dtype, (None, None))
    fetches = [
        op(x), op(x, 0), op(x, 1), op(x, 1, keepdims=True), op(x.T, 0), op(x[:, :1], 1),
        op(sg.flip(x)), op(x[0], 0),
    ]  # fmt: skip
    agreement = Agreement(fetches, [x])
    rng = np.random.default_rng(0)
    special = np.array([0, 1, 2, 3]).astype(dtype)
    if special.dtype.kind == "f":
        special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1, 2], dtype)
    for shape in [*SHAPES, (2, 1000), (300, 70)]:
        agreement.check(rng.choice(special, shape))
        agreement.check(rng.choice(special[:1], shape))
        agreement.check(rng.choice(special[-2:], shape))
        agreement.check(numbers(shape, dtype))


def test_numbers_of_a_count_that_the_run_knows() -> None:
    count = sg.placeholder("int64", ())
    agreement = Agreement([sg.arange(count), sg.arange(count) * 3 - 1, sg.sum(sg.arange(count))],
                          [count])  # fmt: skip
    for number in (-5, 0, 1, 7, 64, 1000, 100_001):
        agreement.check(np.array(number))


@pytest.mark.parametrize("ndim", [0, 1, 2])
def test_assertions(ndim: int) -> None:
    x = sg.placeholder("float64", (None,) * ndim)
    holds = sg.assert_true(x > 0, "must be positive", [x, x * 2])
    with sg.control_dependencies([holds]):
        root = sg.sqrt(x)
    agreement = Agreement(root, [x])
    for shape in [(), (1,), (0,), (2000,), (0, 3), (3, 700)]:
        if len(shape) == ndim:
            array = np.array(np.abs(numbers(shape)) + 1)
            assert not isinstance(agreement.check(array), str)
            if array.size:
                array.flat[-1] = -1
                assert "must be positive" in str(agreement.check(array))


def test_of_no_elements_everything_holds() -> None:
    x = sg.placeholder("bool", (0, 3))
    with sg.control_dependencies([sg.assert_true(x)]):
        flipped = sg.flip(x)
    Agreement([flipped, sg.all(x), sg.sum(sg.cast(x, "int64"))], [x]).check(np.ones((0, 3), bool))


def test_prints_come_in_their_order(capfd: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", (None, 2))
    first = sg.print(x.T, "turned ")
    with sg.control_dependencies([first.node]):
        second = sg.print(x[0, 0], "first ")
        third = sg.print(x > 1)
    out = []
    for backend in ("native", "reference"):
        session = sg.Session(backend=backend)
        session.run([third, second, first * 2], {x: np.arange(4, dtype=np.float32).reshape(2, 2)})
        out.append(capfd.readouterr().out)
    assert (
        out[0]
        == out[1]
        == ("turned [[0. 2.]\n [1. 3.]]\nfirst 0.\n[[False False]\n [ True  True]]\n")
    )


def test_prints_in_a_loop(capfd: pytest.CaptureFixture[str]) -> None:
    sg.Session(backend="native").run(
        sg.while_loop(lambda i: i < 3, lambda i: sg.print(i, "at ") + 1, [sg.constant(0)])
    )
    assert capfd.readouterr().out == "at 0\nat 1\nat 2\n"


def test_results_with_a_derivative_of_their_own() -> None:
    @sg.custom_gradient
    def pair(x: sg.Tensor, y: sg.Tensor) -> Any:
        return (x * y, x + y), lambda p, s: (p + s, p - s)

    x, y = sg.placeholder("float64", (None,)), sg.placeholder("float64", (None,))
    product, total = pair(x, y)
    slopes = sg.gradients([sg.sum(product * product), sg.sum(total)], [x, y])
    agreement = Agreement([product, total, product + total, *slopes], [x, y])
    agreement.check(numbers((5,)), numbers((5,), seed=1))


def test_what_counts_is_made_where_it_is_used() -> None:
    rows = sg.placeholder("float32", (3, 5))
    places = sg.arange(sg.size(sg.placeholder("float32", (5,))))
    column = sg.reshape(sg.arange(3), (3, 1))
    assert kernels(sg.cast(places, "float32") * rows) == 1
    x, count = sg.placeholder("float32", (None, None)), sg.placeholder("int64", ())
    numbers_of = sg.arange(count)
    fetches = [
        sg.cast(numbers_of, "float32") * x, sg.where(sg.expand_dims(numbers_of, 1) > 1, x, -x),
        sg.cast(sg.expand_dims(numbers_of, 0), "float32") + x, numbers_of,
        sg.max(x, 1) + sg.cast(numbers_of, "float32"), sg.expand_dims(numbers_of, 1) * numbers_of,
        sg.sum(sg.one_hot(sg.argmax(x, 1), count) * 2, 0), sg.gather(numbers_of, column % 1),
    ]  # fmt: skip
    for fetch in (*fetches, fetches[:2] + fetches[3:]):
        agreement = Agreement(fetch, [x, count])
        for shape in [(1, 1), (3, 3), (1, 4), (4, 1), (40, 40), (3, 2)]:
            for counted in {1, shape[0], shape[1]}:
                data = np.round(numbers(shape, "float32"))
                agreement.check(data, np.array(counted))
