"""What test_registry does with one sample: build it, run it, differentiate it, and compare.

Derivatives are compared in float64 with central differences of fourth order. The first derivative
is checked along one random direction, the second along another, with random weights on the
results: a wrong entry of a Jacobian changes such a product almost surely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.backends.reference import ReferenceExecutable
from staticgraph.core import dtypes
from staticgraph.core.extract import KEY, extract
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.core.text import format_function, parse
from staticgraph.core.verify import verify

from .sample_types import Sample

Array = np.ndarray[Any, Any]
ShapeOf = Callable[[Array], "tuple[int | None, ...] | None"]

STEP = 1e-4


def known(array: Array) -> tuple[int | None, ...]:
    """Every size is known when the graph is built."""
    return array.shape


def unknown(array: Array) -> tuple[int | None, ...]:
    """The rank is known and no size."""
    return (None,) * array.ndim


class Program:
    """Tensors of a graph, verified, written down, read back, and ready to be evaluated."""

    def __init__(self, graph: Graph, fetches: Sequence[Tensor | Operation], feeds: list[Tensor]):
        self.graph, self.fetches, self.feeds = graph, fetches, feeds
        extraction = extract(graph, fetches, feeds)
        self.function = extraction.function
        verify(self.function)
        text = format_function(self.function)
        read = parse(text)
        assert read == self.function
        assert format_function(read) == text
        self.fetched = extraction.fetched
        self.executable = ReferenceExecutable(self.function)
        # The key of the first run of a session whose seed is 0.
        self.rest = [np.array([0, 1], np.uint64) for s in extraction.sources if s is KEY]
        assert len(feeds) + len(self.rest) == len(extraction.sources), "a sample has a variable"

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        outputs = self.executable([*arrays, *self.rest])[: self.fetched]
        return [np.asarray(output) for output in outputs]

    def in_machine_code(self, arrays: Sequence[Array]) -> list[Array]:
        """What a session makes of the same fetches: optimised and compiled."""
        with sg.Session(self.graph, backend="native", seed=0) as session:
            outputs = session.make_callable(list(self.fetches), self.feeds)(*arrays)
        return [np.asarray(output) for output in outputs if output is not None]


@dataclass
class Built:
    """A sample in a graph of its own."""

    graph: Graph
    feeds: list[Tensor]
    results: list[Tensor]
    arrays: list[Array]

    @property
    def fetches(self) -> list[Tensor | Operation]:
        """The results; every operation of the graph where there are none (an assertion)."""
        return list(self.results) or list(self.graph.operations)


def build(sample: Sample, shape_of: ShapeOf = known, floating: Any = None) -> Built:
    """`sample` in a new graph; with `floating`, its floating inputs have that dtype.

    Complex inputs have the complex dtype that is made of it.
    """
    graph = Graph()
    arrays = [np.asarray(array) for array in sample.inputs]
    if floating is not None:
        whole = dtypes.to_complex(np.dtype(floating))
        wanted = {"f": floating, "c": whole}
        arrays = [a.astype(wanted.get(a.dtype.kind, a.dtype)) for a in arrays]
    with graph.as_default():
        feeds = [
            sg.placeholder(array.dtype, shape_of(array), name=f"x{number}")
            for number, array in enumerate(arrays)
        ]
        results = sample.build(*feeds)
    if isinstance(results, Operation):
        results = list(results.outputs)
    listed = list(results) if isinstance(results, list | tuple) else [results]
    assert any(node.op.name == sample.op for node in graph.operations), (
        f"the sample makes no node of '{sample.op}'"
    )
    return Built(graph, feeds, listed, arrays)


def expected_values(sample: Sample) -> list[Array]:
    """What plain NumPy says, as a list."""
    with np.errstate(all="ignore"):
        expected = sample.expected(*sample.inputs)
    if expected is None:
        return []
    listed = expected if isinstance(expected, list | tuple) else [expected]
    return [np.asarray(item) for item in listed]


def tolerance(dtype: Any, sample: Sample) -> float:
    """The relative tolerance of a value: some units in the last place."""
    if sample.tolerance is not None:
        return sample.tolerance
    part = dtypes.part_of(np.dtype(dtype))
    return {4: 2e-6, 8: 1e-12}[part.itemsize] if part.kind == "f" else 0.0


def assert_values(sample: Sample, have: Sequence[Array], want: Sequence[Array]) -> None:
    """Equal count, shapes and dtypes, and values within the sample's tolerance; NaN equals NaN."""
    assert len(have) == len(want)
    for actual, expected in zip(have, want, strict=True):
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        relative = tolerance(actual.dtype, sample)
        np.testing.assert_allclose(
            actual, expected, rtol=relative, atol=relative, equal_nan=True, strict=True
        )
        if actual.dtype.kind == "c":
            continue
        if relative == 0.0 or actual.dtype.kind != "f":
            np.testing.assert_array_equal(actual, expected)
        else:
            zeros = (actual == 0) & (expected == 0)
            np.testing.assert_array_equal(np.signbit(actual)[zeros], np.signbit(expected)[zeros])


def backwards(array: Array) -> Array:
    """The same values in memory that runs backwards along every axis."""
    return np.flip(np.flip(array).copy())


# -- derivatives ------------------------------------------------------------------------------


@dataclass
class Derivatives:
    """Programs of one sample that yield its results and its derivatives.

    The feeds are the inputs, then an adjoint per floating result, then two tangents per
    differentiated input. Of complex numbers both parts have random directions.
    """

    built: Built
    wrt: tuple[int, ...]
    results: Program
    first: Program
    every: Program
    extra: list[Array]
    count: int


def differentiate(sample: Sample, shape_of: ShapeOf) -> Derivatives:
    """Builds the derivatives of `sample` to its order, in both modes and their mixtures."""
    built = build(sample, shape_of, np.float64)
    random = np.random.default_rng(7)

    def like(array: Array) -> Array:
        drawn = random.standard_normal(array.shape)
        if array.dtype.kind != "c":
            return np.asarray(drawn)
        return np.asarray(drawn + 1j * random.standard_normal(array.shape))

    ys = [y for y in built.results if y.dtype in dtypes.INEXACT]
    xs = [built.feeds[index] for index in sample.wrt]
    values = Program(built.graph, ys, built.feeds)(built.arrays)
    adjoints = [like(value) for value in values]
    first = [like(built.arrays[index]) for index in sample.wrt]
    second = [like(built.arrays[index]) for index in sample.wrt]
    with built.graph.as_default():
        us, vs, ws = [
            [sg.placeholder(array.dtype, shape_of(array)) for array in listed]
            for listed in (adjoints, first, second)
        ]
        reverse = sg.gradients(ys, xs, grad_ys=us, unconnected="zero")
        forward = sg.jvp(ys, xs, vs)
        fetches = [*reverse, *forward]
        if sample.order >= 2:
            fetches += sg.jvp(reverse, xs, ws)
            fetches += sg.gradients(reverse, xs, grad_ys=vs, unconnected="zero")
            fetches += sg.jvp(forward, xs, ws)
    feeds = [*built.feeds, *us, *vs, *ws]
    extra = [*adjoints, *first, *second]
    return Derivatives(
        built,
        sample.wrt,
        Program(built.graph, ys, built.feeds),
        Program(built.graph, reverse, [*built.feeds, *us]),
        Program(built.graph, fetches, feeds),
        extra,
        len(ys),
    )


def check_derivatives(sample: Sample) -> None:
    """Compares the derivatives with differences, and those of unknown sizes with those of known."""
    made = differentiate(sample, known)
    arrays, wrt, count = made.built.arrays, made.wrt, made.count
    adjoints = made.extra[:count]
    first = made.extra[count : count + len(wrt)]
    second = made.extra[count + len(wrt) :]
    derivatives = made.every([*arrays, *made.extra])
    parts = _split(derivatives, [len(wrt), count, len(wrt), len(wrt), count])

    moved = _difference(lambda xs: made.results(xs), arrays, wrt, first)
    _close(parts[1], moved, "jvp against differences")
    _close([_dot(parts[0], first)], [_dot(adjoints, moved)], "vjp against differences")
    if sample.order >= 2:
        turned = _difference(lambda xs: made.first([*xs, *adjoints]), arrays, wrt, second)
        curvature = _dot(first, turned)
        _close(parts[2], turned, "jvp of the vjp against differences")
        _close([_dot(parts[3], second)], [curvature], "vjp of the vjp against differences")
        _close([_dot(parts[4], adjoints)], [curvature], "jvp of the jvp against differences")

    loose = differentiate(sample, unknown)
    again = loose.every([*arrays, *made.extra])
    _close(again, derivatives, "unknown sizes against known sizes", 1e-10)


def _difference(
    function: Callable[[list[Array]], list[Array]],
    arrays: list[Array],
    wrt: tuple[int, ...],
    direction: list[Array],
) -> list[Array]:
    """The derivative of every result along `direction`, by five-point differences."""
    total: list[Array] | None = None
    for steps, weight in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
        moved = list(arrays)
        for index, tangent in zip(wrt, direction, strict=True):
            moved[index] = arrays[index] + steps * STEP * tangent
        results = [weight * result for result in function(moved)]
        total = results if total is None else [a + b for a, b in zip(total, results, strict=True)]
    assert total is not None
    return [result / (12 * STEP) for result in total]


def _dot(lhs: Sequence[Array], rhs: Sequence[Array]) -> Array:
    # Of complex numbers the product of the pairs of their parts.
    pairs = zip(lhs, rhs, strict=True)
    return np.asarray(sum(float(np.sum(np.conj(a) * b).real) for a, b in pairs))


def _split(items: Sequence[Array], sizes: list[int]) -> list[list[Array]]:
    parts, start = [], 0
    for size in sizes:
        parts.append(list(items[start : start + size]))
        start += size
    return parts


def _close(have: Sequence[Array], want: Sequence[Array], what: str, relative: float = 2e-7) -> None:
    for actual, expected in zip(have, want, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=relative, atol=relative, err_msg=what)
