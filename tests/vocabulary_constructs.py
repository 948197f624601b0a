"""Loops and branches of random programs: constructs with bodies that grow as programs do."""

from __future__ import annotations

import numpy as np

from tests.vocabulary_programs import Grower, Refused, Value


def deep(g: Grower) -> None:
    if g.depth >= 2 or g.largest > 10_000:
        raise Refused


def scan(g: Grower) -> None:
    deep(g)
    init = g.pick("fciu")
    xs = g.pick("fciu", 1, test=lambda v: 0 < v.array.shape[0] <= 20)
    carry, entry = g.given(init), g.given(xs, xs.array[0], 1)
    shown: list[Value] = []

    def close() -> str:
        shown.append(g.scope[-1])
        return f"{g.like(g.pick('fciub'), carry)}, {g.scope[-1]}"

    lines = g.body([carry, entry], g.chance.randint(1, 4), close)
    every = g.one("", "", ", checkpoint_every=2", ", checkpoint_every='sqrt'")
    name = g.fresh("f")
    call = f"sg.scan({name}, {init}, {xs}, reverse={g.flag()}{every})"
    head = f"def {name}({carry}, {entry}):\n{lines}"
    made = f"{g.fresh()}, {g.fresh()}"
    g.say(f"{made} = {call}", before=head, level=g.inner)


def fori_loop(g: Grower) -> None:
    deep(g)
    init = g.pick("fciu")
    carry, i = g.given(init), Value(g.fresh(), (), np.asarray(1, "int64"), 0)
    lines = g.body([i, carry], g.chance.randint(1, 4), lambda: g.like(g.scope[-1], carry))
    name = g.fresh("f")
    head = f"def {name}({i}, {carry}):\n{lines}"
    g.say(
        f"{g.fresh()} = sg.fori_loop(0, {g.chance.randint(0, 3)}, {name}, {init})",
        before=head,
        level=g.inner,
    )


def while_loop(g: Grower) -> None:
    deep(g)
    first, second = g.pick("fc"), g.pick("fciu")
    count = Value(g.fresh(), (), np.asarray(0, "int64"), 0)
    one, two = g.given(first), g.given(second)

    def close() -> str:
        return f"{count} + 1, {g.like(g.pick('fciub'), one)}, {g.like(g.scope[-1], two)}"

    lines = g.body([count, one, two], g.chance.randint(1, 4), close)
    limit = g.one("1", "3", f"sg.size({g.pick('fciu')}) % 4")
    name = g.fresh("f")
    head = f"def {name}({count}, {one}, {two}):\n{lines}"
    test = f"lambda {count}, {one}, {two}: {count} < {limit}"
    made = f"{g.fresh()}, {g.fresh()}, {g.fresh()}"
    g.say(
        f"{made} = sg.while_loop({test}, {name}, (0, {first}, {second}))",
        before=head,
        level=g.inner,
    )


def cond(g: Grower) -> None:
    deep(g)
    like = g.pick("fciu")
    predicate = f"sg.sum({g.decisive()}) > 0.5" if g.flag() else f"sg.any({g.pick('b')})"
    heads, names, level = [], [], 0
    for _ in range(2):
        lines = g.body([], g.chance.randint(1, 3), lambda: g.like(g.scope[-1], like))
        level = max(level, g.inner)
        names.append(g.fresh("f"))
        heads.append(f"def {names[-1]}():\n{lines}")
    g.say(
        f"{g.fresh()} = sg.cond({predicate}, {names[0]}, {names[1]})",
        before="\n".join(heads),
        level=level,
    )


def map_fn(g: Grower) -> None:
    deep(g)
    xs = g.pick("fciu", 1, test=lambda v: 0 < v.array.shape[0] <= 20)
    entry = g.given(xs, xs.array[0], 1)
    lines = g.body([entry], g.chance.randint(1, 4), lambda: str(g.scope[-1]))
    name = g.fresh("f")
    g.say(
        f"{g.fresh()} = sg.map_fn({name}, {xs})",
        before=f"def {name}({entry}):\n{lines}",
        level=g.inner,
    )
