"""Random programs of loops, branches and state against a plain Python interpretation of them.

A program is a tree of statements over named ints, floats and one variable that a session keeps.
`Build` makes staticgraph's constructs of it, `Plain` runs it with Python's own.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.passes.pipeline import PIPELINE

INTS, FLOATS = ("i", "j"), ("x", "y")
NAMES = (*INTS, *FLOATS)
BACKENDS: tuple[Any, ...] = ("native", "reference")
SEQUENCE = np.array([0.5, -1.25, 2.0])
Pair = namedtuple("Pair", "first rest")

# -- programs ---------------------------------------------------------------------------------

int_leaves = st.one_of(
    st.tuples(st.just("name"), st.sampled_from(INTS)),
    st.tuples(st.just("int"), st.integers(-3, 3)),
    st.just(("state",)),
)
float_leaves = st.one_of(
    st.tuples(st.just("name"), st.sampled_from(FLOATS)),
    st.tuples(st.just("float"), st.sampled_from([-1.5, 0.0, 0.25, 2.0])),
)
ints = st.recursive(
    int_leaves,
    lambda inner: st.tuples(st.sampled_from(["add", "subtract", "product", "max"]), inner, inner),
    max_leaves=3,
)
floats = st.recursive(
    float_leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["add", "subtract", "min"]), inner, inner),
        st.tuples(st.sampled_from(["sin", "tanh"]), inner),
        st.tuples(st.just("to_float"), ints),
    ),
    max_leaves=3,
)
predicates = st.recursive(
    st.one_of(
        st.tuples(st.just("less"), ints, ints),
        st.tuples(st.just("less"), floats, floats),
        st.tuples(st.just("even"), ints),
    ),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner), st.tuples(st.just("not"), inner)
    ),
    max_leaves=2,
)
assignments = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(INTS), ints),
    st.tuples(st.just("set"), st.sampled_from(FLOATS), floats),
    st.tuples(st.just("bump"), ints),
)
layouts = st.sampled_from(["list", "dict", "pair"])


def _constructs(block: Any) -> Any:
    return st.one_of(
        assignments,
        st.tuples(st.just("if"), predicates, st.tuples(block, block), layouts),
        st.tuples(st.just("switch"), ints, st.lists(block, min_size=1, max_size=3), layouts),
        st.tuples(st.just("while"), ints, predicates, block, layouts),
        st.tuples(st.just("for"), ints, block, layouts),
        st.tuples(st.just("scan"), st.booleans(), block, floats, layouts),
    )


def _blocks(depth: int) -> Any:
    statement = assignments if depth == 0 else _constructs(_blocks(depth - 1))
    return st.lists(statement, min_size=1, max_size=2 if depth < 3 else 3)


PROGRAMS = _blocks(4)


def written(block: Sequence[Any]) -> list[str]:
    """The names that a block sets, in a fixed order; one at least."""
    found: set[str] = set()
    stack = list(block)
    while stack:
        statement = stack.pop()
        kind = statement[0]
        if kind == "set":
            found.add(statement[1])
        elif kind == "if":
            stack += [*statement[2][0], *statement[2][1]]
        elif kind == "switch":
            stack += [inner for branch in statement[2] for inner in branch]
        elif kind == "while":
            stack += statement[3]
        elif kind == "for":
            stack += [("set", "i"), *statement[2]]
        elif kind == "scan":
            stack += [("set", "x"), ("set", "y"), *statement[2]]
    return [name for name in NAMES if name in found] or ["i"]


# -- plain Python -----------------------------------------------------------------------------


class Plain:
    """Runs a program statement by statement."""

    def __init__(self) -> None:
        self.state = np.int64(0)

    def value(self, e: Any, env: dict[str, Any]) -> Any:
        kind, parts = e[0], e[1:]
        if kind == "name":
            return env[parts[0]]
        if kind == "state":
            return self.state
        if kind in ("int", "float"):
            return np.int64(parts[0]) if kind == "int" else np.float64(parts[0])
        a, b = (*[self.value(part, env) for part in parts], None)[:2]
        return {
            "add": lambda: a + b, "subtract": lambda: a - b, "product": lambda: a * b % 17,
            "max": lambda: max(a, b), "min": lambda: min(a, b), "sin": lambda: np.sin(a),
            "tanh": lambda: np.tanh(a), "to_float": lambda: np.float64(a), "less": lambda: a < b,
            "even": lambda: a % 2 == 0, "and": lambda: a and b, "or": lambda: a or b,
            "not": lambda: not a,
        }[kind]()  # fmt: skip

    def run(self, block: Sequence[Any], env: dict[str, Any]) -> None:
        for statement in block:
            getattr(self, f"do_{statement[0]}")(env, *statement[1:])

    def do_set(self, env: dict[str, Any], name: str, e: Any) -> None:
        env[name] = self.value(e, env)

    def do_bump(self, env: dict[str, Any], e: Any) -> None:
        self.state = (self.state * 3 + self.value(e, env)) % 101

    def do_if(self, env: dict[str, Any], p: Any, branches: Any, layout: str) -> None:
        self.run(branches[0 if self.value(p, env) else 1], env)

    def do_switch(self, env: dict[str, Any], e: Any, branches: Any, layout: str) -> None:
        self.run(branches[self.value(e, env) % len(branches)], env)

    def do_while(self, env: dict[str, Any], e: Any, p: Any, block: Any, layout: str) -> None:
        limit, count = self.value(e, env) % 4, 0
        while count < limit and self.value(p, env):
            self.run(block, env)
            count += 1

    def do_for(self, env: dict[str, Any], e: Any, block: Any, layout: str) -> None:
        for i in range(self.value(e, env) % 4):
            env["i"] = np.int64(i)
            self.run(block, env)

    def do_scan(self, env: dict[str, Any], reverse: bool, block: Any, e: Any, layout: str) -> None:
        outputs = []
        for x in SEQUENCE[::-1] if reverse else SEQUENCE:
            env["x"] = x
            self.run(block, env)
            outputs.append(self.value(e, env))
        env["y"] = sum((1 + k) * out for k, out in enumerate(outputs[::-1] if reverse else outputs))


# -- staticgraph ------------------------------------------------------------------------------


def pack(layout: str, values: Sequence[Any]) -> Any:
    """The values in some nesting."""
    if layout == "dict":
        return {f"k{number}": (value,) for number, value in enumerate(values)}
    if layout == "pair":
        return Pair(values[0], [None, tuple(values[1:])])
    return list(values)


def unpack(layout: str, structure: Any) -> list[Any]:
    """The values again."""
    if layout == "dict":
        return [value for (value,) in structure.values()]
    if layout == "pair":
        return [structure.first, *structure.rest[1]]
    return list(structure)


class Build:
    """Builds a program; what touches the variable waits for what touched it before."""

    def __init__(self, sequence: Any) -> None:
        self.sequence = sequence
        self.state = sg.Variable(np.int64(0))
        self.last: list[Any] = []

    def value(self, e: Any, env: dict[str, Any]) -> Any:
        kind, parts = e[0], e[1:]
        if kind == "name":
            return env[parts[0]]
        if kind == "state":
            with sg.control_dependencies(self.last):
                return self.state.read()
        if kind in ("int", "float"):
            return sg.constant(np.int64(parts[0]) if kind == "int" else np.float64(parts[0]))
        a, b = (*[self.value(part, env) for part in parts], None)[:2]
        makers: dict[str, Callable[[], Any]] = {
            "add": lambda: a + b, "subtract": lambda: a - b, "product": lambda: a * b % 17,
            "max": lambda: sg.maximum(a, b), "min": lambda: sg.minimum(a, b),
            "sin": lambda: sg.sin(a), "tanh": lambda: sg.tanh(a),
            "to_float": lambda: sg.cast(a, "float64"), "less": lambda: a < b,
            "even": lambda: sg.equal(a % 2, 0), "and": lambda: sg.logical_and(a, b),
            "or": lambda: sg.logical_or(a, b), "not": lambda: sg.logical_not(a),
        }  # fmt: skip
        return makers[kind]()

    def run(self, block: Sequence[Any], env: dict[str, Any]) -> None:
        for statement in block:
            getattr(self, f"do_{statement[0]}")(env, *statement[1:])

    def body(self, block: Any, env: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
        """The names after a block that runs in a body of its own."""
        inner = {**env, **changed}
        outer, self.last = self.last, []
        self.run(block, inner)
        self.last = outer
        return inner

    def placed(self, env: dict[str, Any], names: Sequence[str], make: Callable[[], Any]) -> Any:
        with sg.control_dependencies(self.last):
            values = make()
        env.update(zip(names, values, strict=True))
        # What follows sees what the construct assigned.
        self.last = [values[0]]

    def do_set(self, env: dict[str, Any], name: str, e: Any) -> None:
        env[name] = self.value(e, env)

    def do_bump(self, env: dict[str, Any], e: Any) -> None:
        by = self.value(e, env)
        with sg.control_dependencies(self.last):
            self.last = [self.state.assign((self.state * 3 + by) % 101)]

    def branch(
        self, block: Any, env: dict[str, Any], names: Sequence[str], layout: str
    ) -> Callable[[], Any]:
        def build() -> Any:
            inner = self.body(block, env, {})
            return pack(layout, [inner[name] for name in names])

        return build

    def do_if(self, env: dict[str, Any], p: Any, branches: Any, layout: str) -> None:
        predicate = self.value(p, env)
        names = written([*branches[0], *branches[1]])
        first, second = [self.branch(block, env, names, layout) for block in branches]
        self.placed(
            env, names, lambda: unpack(layout, sg.cond(predicate, first, second))
        )  # fmt: skip

    def do_switch(self, env: dict[str, Any], e: Any, branches: Any, layout: str) -> None:
        index = self.value(e, env) % len(branches)
        names = written([statement for block in branches for statement in block])
        made = [self.branch(block, env, names, layout) for block in branches]
        self.placed(env, names, lambda: unpack(layout, sg.switch_case(index, made)))

    def do_while(self, env: dict[str, Any], e: Any, p: Any, block: Any, layout: str) -> None:
        limit = self.value(e, env) % 4
        names = written(block)

        def holds(count: Any, packed: Any) -> Any:
            inner = {**env, **dict(zip(names, unpack(layout, packed), strict=True))}
            outer, self.last = self.last, []
            predicate = self.value(p, inner)
            self.last = outer
            return sg.logical_and(count < limit, predicate)

        def step(count: Any, packed: Any) -> Any:
            inner = self.body(block, env, dict(zip(names, unpack(layout, packed), strict=True)))
            return count + 1, pack(layout, [inner[name] for name in names])

        start = [0, pack(layout, [env[name] for name in names])]
        self.placed(
            env, names, lambda: unpack(layout, sg.while_loop(holds, step, start)[1])
        )  # fmt: skip

    def do_for(self, env: dict[str, Any], e: Any, block: Any, layout: str) -> None:
        count = self.value(e, env) % 4
        names = written([("set", "i"), *block])

        def step(i: Any, packed: Any) -> Any:
            given = dict(zip(names, unpack(layout, packed), strict=True))
            inner = self.body(block, env, {**given, "i": i})
            return pack(layout, [inner[name] for name in names])

        start = pack(layout, [env[name] for name in names])
        self.placed(env, names, lambda: unpack(layout, sg.fori_loop(0, count, step, start)))

    def do_scan(self, env: dict[str, Any], reverse: bool, block: Any, e: Any, layout: str) -> None:
        names = written([("set", "x"), ("set", "y"), *block])

        def step(packed: Any, x: Any) -> Any:
            given = dict(zip(names, unpack(layout, packed), strict=True))
            inner = {**env, **given, "x": x}
            outer, self.last = self.last, []
            self.run(block, inner)
            output = self.value(e, inner)
            self.last = outer
            return pack(layout, [inner[name] for name in names]), output

        def make() -> list[Any]:
            start = pack(layout, [env[name] for name in names])
            carry, ys = sg.scan(step, start, self.sequence, reverse=reverse)
            results = dict(zip(names, unpack(layout, carry), strict=True))
            results["y"] = sg.sum(ys * sg.arange(1, sg.size(ys) + 1))
            return [results[name] for name in names]

        self.placed(env, names, make)


OPTIONAL = ",".join(step.name for step in PIPELINE if not step.required)


@pytest.mark.parametrize("known", [True, False])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(program=PROGRAMS, start=st.tuples(st.integers(-2, 3), st.integers(0, 2), st.floats(-2, 2)))
def test_programs_do_what_python_does(known: bool, program: Any, start: Any) -> None:
    i, j, x = np.int64(start[0]), np.int64(start[1]), np.float64(start[2])
    values = {"i": i, "j": j, "x": x, "y": np.float64(0.5)}
    plain, want = Plain(), dict(values)
    plain.run(program, want)
    with sg.Graph().as_default():
        env: dict[str, Any] = {
            name: sg.placeholder(value.dtype, (), name=name) for name, value in values.items()
        }
        feed: dict[Any, Any] = dict(zip(env.values(), values.values(), strict=True))
        sequence = sg.placeholder("float64", (3,) if known else (None,), name="sequence")
        feed[sequence] = SEQUENCE
        build = Build(sequence)
        build.run(program, env)
        with sg.control_dependencies(build.last):
            fetches = [env[name] for name in NAMES] + [build.state.read()]
        expected = [want[name] for name in NAMES] + [plain.state]
        with pytest.MonkeyPatch.context() as patch:
            for disabled in ("", OPTIONAL):
                patch.setenv("STATICGRAPH_DISABLE", disabled)
                session = sg.Session()
                have = session.run(fetches, feed)
                np.testing.assert_allclose(have, expected, rtol=1e-12, atol=1e-12)
                assert session.run(build.state) == plain.state


LOOPS: dict[str, Callable[[Any], Any]] = {
    "scan": lambda w: sg.scan(lambda c, e: (w + 0.5 * c, None), w, length=2)[0],
    "while": lambda w: sg.while_loop(lambda i, c: i < 2, lambda i, c: (i + 1, w + 0.5 * c), (0, w))[
        1
    ],
    "limit": lambda w: sg.while_loop(lambda c: c < 4.0 * w, lambda c: (c + w,), (w,))[0],
    "nested": lambda w: sg.fori_loop(
        0, 2, lambda i, c: sg.fori_loop(0, 2, lambda j, d: d + 0.1 * w * c, c), w
    ),
    "branch": lambda w: sg.cond(
        w > 0.0, lambda: sg.fori_loop(0, 2, lambda i, c: c + w, w), lambda: w
    ),
}


@pytest.mark.parametrize("name", list(LOOPS))
def test_a_loop_begins_with_a_number_that_its_body_reads(name: str) -> None:
    """The first value of the carry stands in memory that is freed before the loop."""
    x = sg.placeholder("float64", (None,))
    total = sg.sum(sg.cos(x))
    fetches = [LOOPS[name](total), *sg.gradients(total, x)]
    fetches += sg.jvp([LOOPS[name](total)], [x], [sg.ones_like(x)]) if name == "scan" else []
    feed = {x: np.array([0.3, 0.7])}
    have, want = [sg.Session(backend=backend).run(fetches, feed) for backend in BACKENDS]
    for ours, theirs in zip(have, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
