"""Rows that are joined instead of stacked, and sequences in parts: what derivatives make of loops.

No user asks for either, so the nodes are made by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from staticgraph.backends.reference import ReferenceExecutable
from staticgraph.core.function import Function
from staticgraph.core.text import parse
from staticgraph.core.verify import verify
from staticgraph.errors import CompilerError, ShapeError
from staticgraph.passes.common import Notes
from staticgraph.passes.narrow import narrow

PARTS = """function main(
  %start: float64[] feed,
  %lengths: int64[?] feed,
  %flat: float64[?, 2] feed
) {{
  %scan = scan(%start, %lengths, %flat) {{
    body=function body(
      %carry: float64[] carry,
      %length: int64[] entry,
      %part: float64[?, 2] entry
    ) {{
      %sum = sum(%part) {{axis=(0, 1), keepdims=false}} : float64[]
      %add = add(%carry, %sum) : float64[]
      %twice = add(%part, %add) : float64[?, 2]
      return %add, %length, %twice
    }},
    carries=1,
    sequences=2,
    reverse={reverse},
    recompute=false,
    joined=(1,),
    lengths=(-1, 0)
  }} : (float64[], int64[?], float64[?, 2])
  return %scan, %scan:1, %scan:2
}}
"""


def made(reverse: bool) -> Function:
    function = parse(PARTS.format(reverse=str(reverse).lower()))
    verify(function, "parse")
    return function


def run(function: Function, *inputs: Any) -> list[Any]:
    return ReferenceExecutable(function)([np.asarray(value) for value in inputs])


@pytest.mark.parametrize("reverse", [False, True])
def test_parts_are_taken_and_joined_in_their_places(reverse: bool) -> None:
    flat, lengths = np.arange(10.0).reshape(5, 2), [2, 0, 3]
    carry, rows, ends = np.float64(0.5), [], [0, 2, 2, 5]
    order = [2, 1, 0] if reverse else [0, 1, 2]
    for step in order:
        part = flat[ends[step] : ends[step + 1]]
        carry = carry + part.sum()
        rows.append(part + carry)
    if reverse:
        rows.reverse()
    last, counts, joined = run(made(reverse), 0.5, np.array(lengths), flat)
    assert last == carry
    np.testing.assert_array_equal(counts, lengths)
    np.testing.assert_array_equal(joined, np.concatenate(rows))


def test_no_parts_join_to_no_rows() -> None:
    last, counts, joined = run(made(False), 0.5, np.zeros(0, np.int64), np.zeros((0, 2)))
    assert (last, counts.shape, joined.shape) == (0.5, (0,), (0, 2))


def test_parts_that_do_not_add_up_are_an_error() -> None:
    with pytest.raises(ShapeError) as caught:
        run(made(False), 0.5, np.array([2, 2]), np.zeros((5, 2)))
    assert str(caught.value).split("\n")[0] == "scan: the parts of a sequence do not add up to it"
    assert "  it has 5 rows, its parts 4" in str(caught.value).split("\n")


def test_the_lengths_of_parts_that_are_read_stay() -> None:
    function = made(False)
    fewer = function.replace(function.nodes, [function.outputs[2]] * 3)
    notes = Notes()
    after = narrow(fewer, notes)
    verify(after, "narrow")
    (loop,) = [node for node in after.nodes if node.op.name == "scan"]
    assert (loop.attrs["sequences"], loop.attrs["lengths"], loop.attrs["joined"]) == (
        2,
        (-1, 0),
        (0,),
    )
    flat = np.arange(10.0).reshape(5, 2)
    inputs = (0.5, np.array([2, 0, 3]), flat)
    np.testing.assert_array_equal(run(after, *inputs)[0], run(fewer, *inputs)[0])


def test_what_has_no_rows_is_not_joined() -> None:
    text = PARTS.format(reverse="false")
    bad = text.replace("return %add, %length, %twice", "return %add, %length, %add")
    with pytest.raises(CompilerError, match="does not type: what it joins or parts is float64"):
        verify(parse(bad), "parse")
