"""Sorting networks over vectors: what they compare, and how that becomes instructions.

A row is put into vectors whose lanes are *columns*; which element stands where is all the same at
first. Columns are sorted by Batcher's network (K. E. Batcher, Sorting networks and their
applications, 1968), which needs no moves between lanes: one minimum and one maximum for as many
comparisons as a vector has lanes. Then pairs of columns are merged, pairs of pairs, and so on, by
bitonic merges (the same paper); only the first steps of a merge cross lanes. In the end column
after column is the sorted row, and one transposition puts it in order.

A network compares the same places whatever the values, so there is no branch to be mispredicted.
"""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.backends.native.ir import Code, vector


def comparators(count: int) -> list[tuple[int, int]]:
    """The pairs that sort `count` values: the smaller of each goes to the first place.

    Batcher's merge exchange, for any count (Knuth, The Art of Computer Programming, volume 3,
    section 5.2.2, algorithm M).

    >>> comparators(3)
    [(0, 2), (0, 1), (1, 2)]
    """
    pairs: list[tuple[int, int]] = []
    top = 1 << max((count - 1).bit_length() - 1, 0)
    part = top
    while part > 0:
        step, remainder, distance = top, 0, part
        while True:
            pairs += [(i, i + distance) for i in range(count - distance) if i & part == remainder]
            if step == part:
                break
            distance, step, remainder = step - part, step >> 1, part
        part >>= 1
    return pairs


def merging_comparators(count: int) -> list[tuple[int, int]]:
    """The pairs that sort `count` values that rise, then fall, or the other way, in any rotation.

    `count` is a power of two, or three times one. Of a sequence of ones and zeros, of which the
    ones stand together when its ends are joined, every k-th value is taken and these are sorted;
    then each k-th part of the whole is such a sequence again, or constant. Here k is 2, or 3 for
    the last three values; that it holds for zeros and ones is enough (Knuth, section 5.3.4).

    >>> merging_comparators(4)
    [(0, 2), (1, 3), (0, 1), (2, 3)]
    """
    pairs: list[tuple[int, int]] = []
    width = count
    while width > 1:
        parts = 2 if width % 2 == 0 else 3
        assert width % parts == 0, count
        step = width // parts
        for begin in range(0, count, width):
            for first in range(begin, begin + step):
                pairs += [(first + a * step, first + b * step) for a, b in comparators(parts)]
        width = step
    return pairs


class Network:
    """The instructions of a network on vectors of `lanes` signed integers of type `element`."""

    def __init__(self, code: Code, element: str, lanes: int) -> None:
        self.code, self.element, self.lanes = code, element, lanes
        self.type = vector(element, lanes)
        self.kind = f"v{lanes}{element}" if lanes > 1 else element

    # -- instructions ---------------------------------------------------------------------------

    def ordered(self, lhs: str, rhs: str) -> tuple[str, str]:
        """The smaller and the larger of two vectors, lane by lane."""
        operands = [(self.type, lhs), (self.type, rhs)]
        low, high = [
            self.code.intrinsic(f"{name}.{self.kind}", self.type, operands)
            for name in ("smin", "smax")
        ]
        return low, high

    def shuffled(self, lhs: str, rhs: str, places: Sequence[int]) -> str:
        """Lanes of two vectors: places from `lanes` on are those of the second one."""
        listed = ", ".join(f"i32 {place}" for place in places)
        return self.code.let(
            f"shufflevector {self.type} {lhs}, {self.type} {rhs}, <{self.lanes} x i32> <{listed}>"
        )

    def compare(self, vectors: list[str], pairs: Sequence[tuple[int, int]]) -> None:
        """Puts the vectors at each pair of places in order, lane by lane."""
        for first, second in pairs:
            vectors[first], vectors[second] = self.ordered(vectors[first], vectors[second])

    # -- merges across lanes --------------------------------------------------------------------

    def turn(self, lhs: str, rhs: str, columns: int) -> tuple[str, str]:
        """The first step of merging neighbours of `columns` columns each, for two vectors.

        The last is compared with the first: `lhs` and `rhs` are as far from the two ends of the
        columns, and lanes are compared with those that are as far from the other end of the group.
        """
        group = 2 * columns
        partner = [lane ^ (group - 1) for lane in range(self.lanes)]
        low, high = self.ordered(lhs, self.shuffled(rhs, "poison", partner))
        first = [lane + self.lanes * bool(lane & columns) for lane in range(self.lanes)]
        last = [lane + self.lanes * (not lane & columns) for lane in range(self.lanes)]
        return (
            self.shuffled(low, high, first),
            self.shuffled(low, high, [last[lane] for lane in partner]),
        )

    def turn_middle(self, middle: str, columns: int) -> str:
        """`turn` of the vector that is as far from either end."""
        return self._crossed(middle, 2 * columns - 1, columns)

    def cross(self, given: str, columns: int) -> str:
        """The steps of a merge that compare lanes, after `turn`, on one vector."""
        distance = columns // 2
        while distance:
            given = self._crossed(given, distance, distance)
            distance //= 2
        return given

    def _crossed(self, given: str, change: int, upper: int) -> str:
        """Compares each lane with the one whose number differs in the bits of `change`."""
        other = self.shuffled(given, "poison", [lane ^ change for lane in range(self.lanes)])
        low, high = self.ordered(given, other)
        chosen = [lane + self.lanes * bool(lane & upper) for lane in range(self.lanes)]
        return self.shuffled(low, high, chosen)

    def sort(self, vectors: list[str]) -> None:
        """Sorts all lanes of all vectors: column after column, each from the first vector on."""
        count = len(vectors)
        self.compare(vectors, comparators(count))
        columns = 1
        while columns < self.lanes:
            self.merge(vectors, columns)
            columns *= 2

    def merge(self, vectors: list[str], columns: int) -> None:
        """Merges neighbours of `columns` columns each."""
        count = len(vectors)
        for first in range(count // 2):
            last = count - 1 - first
            vectors[first], vectors[last] = self.turn(vectors[first], vectors[last], columns)
        if count % 2:
            vectors[count // 2] = self.turn_middle(vectors[count // 2], columns)
        vectors[:] = [self.cross(given, columns) for given in vectors]
        self.compare(vectors, merging_comparators(count))

    # -- order ----------------------------------------------------------------------------------

    def transposed(self, vectors: Sequence[str]) -> list[str]:
        """Lane after lane: the first lane of each vector, then the second of each, and so on."""
        rows = [[given] for given in vectors]
        while len(rows) % 2 == 0:
            half = len(rows) // 2
            rows = [self._interleaved(rows[i], rows[i + half]) for i in range(half)]
        if len(rows) == 1:
            return rows[0]
        assert len(rows) == 3
        return [
            self._third(parts, number)
            for parts in zip(*rows, strict=True)
            for number in range(3)
        ]  # fmt: skip

    def _interleaved(self, lhs: Sequence[str], rhs: Sequence[str]) -> list[str]:
        """Elements of two rows in turn."""
        lanes, half = self.lanes, self.lanes // 2
        result = []
        for first, second in zip(lhs, rhs, strict=True):
            for begin in (0, half):
                places = [place for lane in range(begin, begin + half)
                          for place in (lane, lane + lanes)]  # fmt: skip
                result.append(self.shuffled(first, second, places))
        return result

    def _third(self, parts: Sequence[str], number: int) -> str:
        """A third of the elements of three vectors in turn."""
        lanes = self.lanes
        wanted = [divmod(number * lanes + lane, 3) for lane in range(lanes)]
        pair = self.shuffled(
            parts[0], parts[1], [place + lanes * (which == 1) for place, which in wanted]
        )
        places = [lanes + place if which == 2 else lane
                  for lane, (place, which) in enumerate(wanted)]  # fmt: skip
        return self.shuffled(pair, parts[2], places)
