"""Rules of slices, joins and reductions that take or add nothing. They keep every bit."""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.core.dtypes import DIFFERENTIABLE
from staticgraph.core.types import Dim
from staticgraph.ops.indexing import FULL, Entry, Range
from staticgraph.passes.guards import all_of, known_rank
from staticgraph.passes.patterns import Attr, Match, Rule, of_complex, op, variables

x, y = variables("x y")
first, second, shape = Attr("first"), Attr("second"), Attr("shape")

BACKWARD: Range = (None, None, -1)


def _turn(size: Dim, entry: Entry) -> int:
    """1 for a range that takes a whole axis forward, -1 for backward, 0 for all else."""
    if not isinstance(entry, tuple):
        return 0
    start, stop, step = entry
    if step == 1 and start in (None, 0) and stop in (None, size):
        return 1 if stop is None or isinstance(size, int) else 0
    if step == -1 and stop is None:
        whole = start is None or (isinstance(size, int) and start == size - 1)
        return -1 if whole else 0
    return 0


def _both(size: Dim, one: Range, other: Entry) -> Entry | None:
    """One entry for a range and an entry of what it leaves; None where sizes have to be known."""
    if _turn(size, one) == 1:
        return other
    left = size if _turn(size, one) else _length(size, one)
    if _turn(left, other) == 1:
        return one
    if _turn(size, one) == -1 and _turn(size, other) == -1:
        return FULL
    taken = _elements(size, one)
    if taken is None or isinstance(other, str):
        return None
    if isinstance(other, int):
        return taken[other]
    within = _as_slice(other)
    return None if within is None else _as_entry(taken[within])


def _as_slice(entry: Range) -> slice | None:
    start, stop, step = entry
    # A string stands for a bound that only the run knows.
    if isinstance(start, str) or isinstance(stop, str):
        return None
    return slice(start, stop, step)


def _elements(size: Dim, entry: Range) -> range | None:
    taken = _as_slice(entry)
    return range(size)[taken] if isinstance(size, int) and taken is not None else None


def _length(size: Dim, entry: Range) -> Dim:
    taken = _elements(size, entry)
    return None if taken is None else len(taken)


def _as_entry(taken: range) -> Range:
    if not taken:
        return (0, 0, 1)
    stop = taken.stop if taken.stop >= 0 else None
    return (taken.start, stop, taken.step)


def _composed(match: Match) -> tuple[Entry, ...] | None:
    """The one index that does what two slices do one after the other."""
    dims, inner = match["x"].type.shape, match.attrs["first"]
    if dims is None or len(inner) > len(dims):
        return None
    outer = list(match.attrs["second"])
    found: list[Entry] = []
    for axis, size in enumerate(dims):
        one = inner[axis] if axis < len(inner) else FULL
        if not isinstance(one, tuple):
            if not isinstance(one, int):
                return None
            found.append(one)
            continue
        both = _both(size, one, outer.pop(0) if outer else FULL)
        if both is None:
            return None
        found.append(both)
    return tuple(found)


def _joined(match: Match) -> Sequence[Entry]:
    index = _composed(match)
    assert index is not None
    return index


def _takes_all(match: Match) -> bool:
    sizes = match["x"].type.shape
    assert sizes is not None
    pairs = zip(sizes, match.attrs["first"], strict=False)
    return all(_turn(size, entry) == 1 for size, entry in pairs)


def _adds_nothing(match: Match) -> bool:
    return all(tuple(pair) == (0, 0) for pair in match.attrs["first"])


def _no_negative_zero_shows(match: Match) -> bool:
    """The sum of one -0.0 is 0.0, since sums start at 0."""
    return match["x"].type.dtype not in DIFFERENTIABLE or match.facts.sign_is_clear(match["x"])


RULES = of_complex(
    Rule("slice of everything", op("slice", x, index=first), x,
         "every axis is taken whole", guard=all_of(known_rank, _takes_all), keeps_shape=True),
    Rule("slice of slice",
         op("slice", op("slice", x, index=first), index=second, shape=shape),
         op("slice", x, index=_joined, shape=shape),
         "entries of entries are entries",
         guard=lambda match: _composed(match) is not None, keeps_shape=True),
    Rule("concat of one", op("concat", x), x,
         "there is nothing to join", guard=known_rank, keeps_shape=True),
    Rule("pad by nothing", op("pad", x, y, width=first), x,
         "nothing is added", guard=all_of(known_rank, _adds_nothing), keeps_shape=True),
    Rule("reduction over no axes", op(("prod", "max", "min", "any", "all"), x, axis=()), x,
         "there is nothing to combine", keeps_shape=True),
    Rule("sum over no axes", op("sum", x, axis=()), x,
         "there is nothing to add", guard=_no_negative_zero_shows, keeps_shape=True),
)  # fmt: skip
