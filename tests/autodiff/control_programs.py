"""Programs with loops and branches, written once and built in three ways.

A program takes the library of functions, the control constructs and its inputs. It is built with
staticgraph's constructs, as a graph without any (each condition is evaluated when it is met, and
what follows from it is written out), and in plain NumPy, for differences that staticgraph has no
part in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

Array = np.ndarray[Any, Any]
Program = Callable[..., Any]
STEP = 1e-3


class NumPy:
    """NumPy under staticgraph's names."""

    stack = staticmethod(lambda xs: np.stack(xs))
    concat = staticmethod(lambda xs: np.concatenate(xs))
    cast = staticmethod(lambda x, dtype: np.asarray(x).astype(dtype))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


class Plain:
    """Control constructs of Python itself; `true` says whether a predicate holds."""

    def __init__(self, library: Any, true: Callable[[Any], Any]) -> None:
        self.library, self.true = library, true

    def while_loop(self, cond: Any, body: Any, init: Any, **options: Any) -> Any:
        values = list(init)
        count, maximum_iterations = 0, options.get("maximum_iterations", 10**9)
        while count < maximum_iterations and self.true(cond(*values)):
            values = list(body(*values))
            count += 1
        return values

    def scan(self, fn: Any, init: Any, xs: Any = None, length: Any = None, **options: Any) -> Any:
        options.pop("checkpoint_every", None)
        count = length if xs is None else xs.shape[0]
        order = range(count)[::-1] if options.get("reverse") else range(count)
        carry, rows = init, {}
        for step in order:
            carry, rows[step] = fn(carry, None if xs is None else xs[step])
        if all(row is None for row in rows.values()):
            return carry, None
        return carry, self.library.stack([rows[step] for step in range(count)])

    def fori_loop(self, lower: int, upper: int, body: Any, init: Any) -> Any:
        value = init
        for i in range(lower, upper):
            value = body(self.library.cast(i, "int64"), value)
        return value

    def map_fn(self, fn: Any, xs: Any) -> Any:
        return self.library.stack([fn(xs[i]) for i in range(xs.shape[0])])

    def cond(self, pred: Any, true_fn: Any, false_fn: Any) -> Any:
        return true_fn() if self.true(pred) else false_fn()

    def switch_case(self, index: Any, branch_fns: Sequence[Any]) -> Any:
        return branch_fns[int(self.true(index))]()


def difference(
    function: Callable[[list[Array]], Any], points: list[Array], along: list[Array]
) -> Any:
    """The derivative along a direction by five-point differences."""
    total: Any = 0.0
    with np.errstate(all="ignore"):
        for count, weight in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
            moved = [p + count * STEP * a for p, a in zip(points, along, strict=True)]
            total = total + weight * np.asarray(function(moved))
    return total / (12 * STEP)


def derivatives(
    y: sg.Tensor, xs: list[sg.Tensor], first: list[Array], second: list[Array]
) -> dict[str, Any]:
    """All derivatives of orders 0 to 2, in every combination of modes."""
    slopes = sg.gradients(y, xs, unconnected="zero")
    (moved,) = sg.jvp(y, xs, first)
    return {
        "value": y,
        "slopes": slopes,
        "moved": moved,
        "forward over reverse": sg.jvp(slopes, xs, second),
        "reverse over reverse": sg.gradients(slopes, xs, first, unconnected="zero"),
        "reverse over forward": sg.gradients(moved, xs, unconnected="zero"),
        "forward over forward": sg.jvp(moved, xs, second)[0],
    }


def _inner(parts: Sequence[Array], direction: Sequence[Array]) -> float:
    return float(sum(np.sum(p * d) for p, d in zip(parts, direction, strict=True)))


def check(program: Program, points: Sequence[Any], seed: int = 0, differences: bool = True) -> None:
    """Values and derivatives of a scalar program at `points`, built in three ways."""
    random = np.random.default_rng(seed)
    points = [np.asarray(point, np.float64) for point in points]
    first, second = ([random.standard_normal(p.shape) for p in points] for _ in range(2))
    plain = Plain(NumPy(), lambda x: x)

    def numpy(values: list[Array]) -> Any:
        return program(NumPy(), plain, *values)

    found, unrolled = _graphs(program, points, first, second)
    for name, value in found.items():
        np.testing.assert_allclose(
            _flat(value), _flat(unrolled[name]), rtol=1e-9, atol=1e-9, err_msg=name
        )
    with np.errstate(all="ignore"):
        assert found["value"] == pytest.approx(float(numpy(points)), rel=1e-12)
    curvature = _inner(found["forward over reverse"], first)
    others = [
        _inner(found["reverse over reverse"], second),
        _inner(found["reverse over forward"], second),
        float(found["forward over forward"]),
    ]
    assert others == pytest.approx([curvature] * 3, rel=1e-8, abs=1e-8)
    if differences:
        want = difference(numpy, points, first)
        assert found["moved"] == pytest.approx(want, rel=1e-5, abs=1e-6)
        assert _inner(found["slopes"], first) == pytest.approx(want, rel=1e-5, abs=1e-6)
        want = difference(lambda moved: difference(numpy, moved, first), points, second)
        assert curvature == pytest.approx(want, rel=1e-3, abs=1e-4)


def _graphs(
    program: Program, points: list[Array], first: list[Array], second: list[Array]
) -> tuple[dict[str, Any], dict[str, Any]]:
    results = []
    for constructs in (True, False):
        with sg.Graph().as_default():
            # Known shapes where it is written out; where it is a loop, nothing is known but ranks.
            xs = [
                sg.placeholder("float64", (None,) * p.ndim if constructs else p.shape, name=f"x{i}")
                for i, p in enumerate(points)
            ]
            session, feed = sg.Session(), dict(zip(xs, points, strict=True))
            y = program(sg, sg if constructs else Plain(sg, _evaluated(feed)), *xs)
            results.append(session.run(derivatives(y, xs, first, second), feed))
    return results[0], results[1]


def _evaluated(feed: dict[sg.Tensor, Array]) -> Callable[[Any], Any]:
    def value(predicate: Any) -> Any:
        tensor = isinstance(predicate, sg.Tensor)
        return sg.Session().run(predicate, feed) if tensor else predicate

    return value


def _flat(value: Any) -> Array:
    parts = value if isinstance(value, list) else [value]
    return np.concatenate([np.ravel(part) for part in parts])
