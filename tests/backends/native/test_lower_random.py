"""Random words: those of numpy.random.Philox, in any shape and in loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.ops.random.words import FOLD, RANDOM_BITS
from tests.backends.native.agreement import Agreement


def drawn(key: sg.Tensor, shape: Any, stream: int = 3, *sizes: sg.Tensor) -> sg.Tensor:
    """A node of random words with a key of its own."""
    attrs = {"stream": stream, "shape": shape, "count": 64}
    return key.graph.add(RANDOM_BITS, (key, *sizes), attrs).out


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (4,), (5,), (2, 3), (7, 0), (3, 100)])
def test_words_of_known_shape(shape: tuple[int, ...]) -> None:
    key = sg.placeholder("uint64", (2,))
    agreement = Agreement([drawn(key, shape), drawn(key, shape, 2**63)], [key])
    agreement.check(np.array([5, 7], np.uint64))
    agreement.check(np.array([2**64 - 1, 2**63], np.uint64))


def test_words_of_any_shape() -> None:
    key, shape = sg.placeholder("uint64", (2,)), sg.placeholder("int64", (2,))
    agreement = Agreement(drawn(key, (None, None), 1, shape), [key, shape])
    for rows, columns in [(0, 4), (1, 1), (3, 5), (100, 100), (1, 8192), (3, 2731), (2, -1)]:
        agreement.check(np.array([1, 2], np.uint64), np.array([rows, columns]))


def test_words_do_not_depend_on_threads() -> None:
    key = sg.placeholder("uint64", (2,))
    words = drawn(key, (100_001,))
    seed = np.array([1, 2], np.uint64)
    want = sg.Session(backend="reference").run(words, {key: seed})
    for threads in (1, 2, 7):
        have = sg.Session(backend="native", threads=threads).run(words, {key: seed})
        np.testing.assert_array_equal(have, want)


def test_keys_of_iterations() -> None:
    key, number = sg.placeholder("uint64", (2,)), sg.placeholder("int64", ())
    folded = key.graph.add(FOLD, (key, number), {}).out
    agreement = Agreement([folded, drawn(folded, (3,))], [key, number])
    for counted in (0, 1, 2**40):
        agreement.check(np.array([2**64 - 5, 7], np.uint64), np.array(counted))


def test_draws_in_loops_and_runs() -> None:
    def body(i: sg.Tensor, total: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        return i + 1, total + sg.random.uniform((3,)) + sg.random.uniform(())

    start = (sg.constant(0), sg.zeros((3,)))
    _, total = sg.while_loop(lambda i, _: i < 5, body, start)
    agreement = Agreement([total, sg.random.permutation(100), sg.random.integers((9,), 3, 50)], [])
    first, second = agreement.check(), agreement.check()
    assert not np.array_equal(first[0], second[0])
