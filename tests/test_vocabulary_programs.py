"""Random programs of the whole vocabulary: machine code against the reference, and the passes.

A failure prints the seed, how the program was run, and the program as code.
"""

from __future__ import annotations

import warnings
from random import Random
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.reference import ReferenceExecutable, evaluate
from staticgraph.core.extract import KEY, extract
from staticgraph.core.text import format_function, parse
from staticgraph.passes import pipeline
from staticgraph.passes.pipeline import PIPELINE
from tests.passes.test_random_graphs import EXACT_PIPELINE
from tests.vocabulary_programs import PRELUDE, Array, Row, written
from tests.vocabulary_rows import PRODUCTS, VOCABULARY
from tests.vocabulary_runs import ORACLE, Way, build, check, difference, results

# What sums in an order that depends on how it is called is left out where every bit is compared.
BITWISE: list[Row] = [row for row in VOCABULARY if row.make not in PRODUCTS]


@pytest.mark.parametrize("seed", range(28))
def test_programs(seed: int) -> None:
    check(seed, most=18)


@pytest.mark.parametrize("seed", range(100, 108))
def test_large_programs(seed: int) -> None:
    check(seed, most=8, large=True)


@pytest.mark.parametrize("seed", range(12))
def test_every_prefix_of_the_pipeline_keeps_every_bit(seed: int) -> None:
    with sg.Graph().as_default() as graph, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = written(Random(seed), BITWISE, most=24)
        names = build(program)
        fed = [name for name in program.feeds if f"state_{name}" not in program.variables]
        fetches = [names[name] for name, _ in program.fetches]
        extraction = extract(graph, fetches, [names[name] for name in fed])
        given = {names[name]: program.feeds[name] for name in fed}
        arrays = [_input(source, given, program.feeds) for source in extraction.sources]
        function = extraction.function
        assert parse(format_function(function)) == function
        want = _evaluated(function, arrays)
        for count in range(1, len(PIPELINE) + 1):
            after = pipeline._Runner(EXACT_PIPELINE[:count], evaluate).run(function)
            assert parse(format_function(after)) == after
            for number, have in enumerate(_evaluated(after, arrays)):
                same = np.array_equal(have == have, want[number] == want[number])
                same &= np.array_equal(have[have == have], want[number][have == have])
                assert have.dtype == want[number].dtype
                assert same, f"seed {seed}, {PIPELINE[count - 1].name}\n{program.text}"


def _input(source: Any, given: dict[sg.Tensor, Array], feeds: dict[str, Array]) -> Array:
    if source is KEY:
        return np.array([0, 1], np.uint64)
    return feeds[source.split("state_")[1]] if isinstance(source, str) else given[source]


def _evaluated(function: Any, arrays: list[Array]) -> list[Array]:
    with np.errstate(all="ignore"):
        return [np.asarray(value) for value in ReferenceExecutable(function)(list(arrays))]


def test_a_failure_prints_a_program_that_runs() -> None:
    with sg.Graph().as_default():
        program = written(Random(3), VOCABULARY, most=20)
    name = program.fetches[0][0]
    with sg.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names: dict[str, Any] = {"sg": sg, "np": np, "arrays": program.feeds}
        exec(PRELUDE + program.part([name]), names)
        assert isinstance(names[name], sg.Tensor)
    assert difference(np.float64(1.0), np.float64(1.0 + 1e-6), 1) is not None
    assert difference(np.float32(1.0), np.float32(1.0 + 1e-6), 2) is None
    assert difference(np.float32(1.0), np.float64(1.0), 1) is not None
    assert difference(np.int64(1), np.int64(2), 0) is not None


@pytest.mark.parametrize("seed", [2, 5, 12, 30])
def test_callers_at_the_same_time_get_the_same(seed: int) -> None:
    """One session and one callable, from four threads of Python."""
    with sg.Graph().as_default() as graph:
        program = written(Random(seed), VOCABULARY, most=24)
        program.fetches = [f for f in program.fetches if not f[0].startswith("new_")]
        names = build(program)
        feeds = [names[name] for name in program.feeds if f"state_{name}" not in program.variables]
        arrays = [program.feeds[tensor.name] for tensor in feeds]
        fetches = [names[name] for name, _ in program.fetches]
        want = results(program, names, ORACLE, program.feeds, 1)
        assert not isinstance(want, str)
        if "sg.random" in program.text:
            pytest.skip("draws other numbers in every run")
        start, found = Barrier(4), []
        with Way(threads=2).session(graph) as session:
            call = session.make_callable(fetches, feeds)

            def work(number: int) -> None:
                start.wait()
                for turn in range(15):
                    given = dict(zip(feeds, arrays, strict=True))
                    alone = (number + turn) % 2
                    found.append(call(*arrays) if alone else session.run(fetches, given))

            threads = [Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(found) == 60
    for run in found:
        for (name, level), have, first in zip(program.fetches, run, found[0], strict=True):
            np.testing.assert_array_equal(have, first, err_msg=name)
            assert difference(have, want[0][name], level) is None, name
