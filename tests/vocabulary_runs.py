"""Runs random programs of the vocabulary, and says where two runs of one differ.

The oracle is the reference backend on the graph as it was written: of the passes only those run
without which a Function does not run at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.passes.pipeline import PIPELINE
from tests.vocabulary_programs import Array, Written, kind_of, namespace, written
from tests.vocabulary_rows import VOCABULARY

OPTIONAL = ",".join(step.name for step in PIPELINE if not step.required)
# By level: what results may differ by, in units of the largest element or of 1.
TOLERANCES = (0.0, 1e-9, 2e-3, 6e-2)
# By order of derivative: how much more that may be in float64, and in less.
GROWTH = (100.0, 5.0)
ORDER = 10


@dataclass(frozen=True)
class Way:
    """How a program is run."""

    backend: Any = "native"
    optimised: bool = True
    threads: int | None = None
    math: Any = "strict"

    @contextmanager
    def session(self, graph: sg.Graph) -> Iterator[sg.Session]:
        given = {} if self.backend == "reference" else {"threads": self.threads, "math": self.math}
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            patch.setenv("STATICGRAPH_DISABLE", "" if self.optimised else OPTIONAL)
            with sg.Session(graph, backend=self.backend, seed=0, **given) as session:
                yield session


ORACLE = Way("reference", optimised=False)


def build(program: Written) -> dict[str, Any]:
    """The names of a program in the default graph."""
    names = namespace()
    names["arrays"] = program.feeds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(program.text, names)
    return names


def spoil() -> None:
    """Leaves memory behind in which nothing is a number."""
    junk = [np.full(1 << power, np.nan) for power in range(12) for _ in range(20)]
    del junk


def results(
    program: Written, names: dict[str, Any], way: Way, feeds: dict[str, Array], times: int
) -> list[dict[str, Any]] | str:
    """What is fetched in each of some runs, and the variables after them; or the error."""
    fetches = {name: names[name] for name, _ in program.fetches}
    fed = {name: array for name, array in feeds.items() if f"state_{name}" not in program.variables}
    feed = {names[name]: array for name, array in fed.items()}
    made = []
    with way.session(sg.get_default_graph()) as session, np.errstate(all="ignore"):
        try:
            for _ in range(times):
                spoil()
                made.append(session.run(fetches, feed))
            kept = session.run({name: names[name] for name in program.variables})
        except sg.StaticGraphError as error:
            return f"{type(error).__name__}: {error}"
    made[-1] |= {f"new_{name.removeprefix('state_')}": value for name, value in kept.items()}
    return made


def difference(have: Any, want: Any, level: int) -> str | None:
    """What is wrong with `have`, if anything is."""
    have, want = np.asarray(have), np.asarray(want)
    if (have.dtype, have.shape) != (want.dtype, want.shape):
        return f"{have.dtype}{have.shape} for {want.dtype}{want.shape}"
    if kind_of(have.dtype) not in "fc":
        return None if np.array_equal(have, want) else f"\n{have}\nfor\n{want}"
    ours, theirs = have.astype("complex128"), want.astype("complex128")
    finite = np.isfinite(theirs)
    if not np.array_equal(np.isfinite(ours), finite):
        return f"other elements are finite:\n{have}\nfor\n{want}"
    scale = max(1.0, float(np.max(np.abs(theirs[finite]), initial=0.0)))
    error = float(np.max(np.abs(ours - theirs)[finite], initial=0.0)) / scale
    order, level = divmod(level, ORDER)
    allowed = TOLERANCES[level] * GROWTH[level > 1] ** order
    return None if error <= allowed else f"{error:.3g} of {scale:.3g} between them"


def disagreement(
    program: Written, have: list[dict[str, Any]] | str, want: list[dict[str, Any]] | str
) -> tuple[list[str], str] | None:
    """The names that differ first, and how."""
    if isinstance(have, str) or isinstance(want, str):
        return None if have == want else ([], f"{have}\nfor\n{want}")
    for turn, (ours, theirs) in enumerate(zip(have, want, strict=True)):
        for name, level in program.fetches:
            # Variables carry differences from one run to the next.
            problem = difference(ours[name], theirs[name], level + ORDER * turn if level else 0)
            if problem:
                return [name], f"{name} in run {turn}: {problem}"
    return None


def resized(chance: Random, program: Written) -> dict[str, Array]:
    """Feeds of other sizes, where sizes are not known; equal ones stay equal."""
    sizes = {size: chance.choice((0, 1, 2, 3, 5, 8)) for size in range(300)}
    numbers = np.random.default_rng(chance.randrange(1 << 30))
    made = dict(program.feeds)
    for name, dims in program.dims.items():
        old = program.feeds[name]
        if f"state_{name}" in program.variables or old.size == 0:
            continue
        shape = tuple(
            sizes.get(size, size) if dim is None else size
            for dim, size in zip(dims, old.shape, strict=True)
        )
        made[name] = numbers.choice(old.ravel(), shape)
    return made


def check(seed: int, most: int = 20, large: bool = False) -> int:
    """Grows a program, and runs it in several ways; gives how many results were compared."""
    chance = Random(seed)
    with sg.Graph().as_default():
        program = written(chance, VOCABULARY, most, large)
        names = build(program)
        ways = [Way(threads=chance.choice((1, 2, 3)))]
        if chance.random() < 0.3:
            ways.append(Way(threads=chance.choice((1, 2, 3)), optimised=False))
        if chance.random() < 0.3:
            ways.append(Way("reference"))
        if chance.random() < 0.1:
            ways.append(Way(math="contract", threads=2))
        feeds = [program.feeds]
        if chance.random() < 0.3:
            feeds.append(resized(chance, program))
        times = 3 if program.variables else 1
        for given in feeds:
            want = results(program, names, ORACLE, given, times)
            for way in ways:
                have = results(program, names, way, given, times)
                if isinstance(want, str):
                    # Passes drop what nobody needs, and with it what fails.
                    oracle = Way("reference", way.optimised)
                    want = results(program, names, oracle, given, times)
                found = disagreement(program, have, want)
                if found:
                    raise AssertionError(_report(seed, program, way, given, *found))
    return len(ways) * len(feeds)


def _report(
    seed: int, program: Written, way: Way, feeds: dict[str, Array], names: list[str], problem: str
) -> str:
    needed = program.part(names or [name for name, _ in program.fetches])
    shapes = {name: array.shape for name, array in feeds.items() if f"{name} " in needed}
    return f"seed {seed}, {way}: {problem}\nfed {shapes}\n{needed}"
