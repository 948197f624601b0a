"""Moves the words of an edge off what they would cover.

Graphviz gives labels room of their own, yet where boxes and long edges crowd a rank it lets a few
lie on a node or on each other. Those few slide along their edge to the nearest free place; one
that finds none stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]

# Where on a curve a label may stand, from the middle outward.
_PLACES = tuple(0.5 + side * step / 20 for step in range(10) for side in (1, -1))
_BESIDE = 3.0


def settle(
    wanted: Sequence[Point | None],
    sizes: Sequence[tuple[float, float]],
    curves: Sequence[Sequence[Sequence[Point]]],
    nodes: Sequence[Rectangle],
) -> list[Point | None]:
    """Where each label goes; `wanted` is the middle that the layout gave it, None for no label."""
    taken = _Taken()
    for rectangle in nodes:
        taken.add(rectangle)
    places = list(wanted)
    homeless: list[int] = []
    for number, at in enumerate(wanted):
        if at is None:
            continue
        rectangle = _around(at, sizes[number])
        if taken.free(rectangle):
            taken.add(rectangle)
        else:
            homeless.append(number)
    for number in homeless:
        for at in _candidates(curves[number], sizes[number][0]):
            rectangle = _around(at, sizes[number])
            if taken.free(rectangle):
                places[number] = at
                break
        else:
            at = wanted[number] or (0.0, 0.0)
        taken.add(_around(at, sizes[number]))
    return places


def _around(middle: Point, size: tuple[float, float]) -> Rectangle:
    (x, y), (width, height) = middle, size
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _candidates(curves: Sequence[Sequence[Point]], width: float) -> Iterator[Point]:
    """Places on and beside a line of Bézier curves, nearest to its middle first."""
    pieces = [curve[i : i + 4] for curve in curves for i in range(0, len(curve) - 3, 3)]
    for place in _PLACES:
        along = min(max(place, 0.0), 1.0) * len(pieces)
        piece = pieces[min(int(along), len(pieces) - 1)]
        x, y = _bezier(piece, along - min(int(along), len(pieces) - 1))
        for shift in (width / 2 + _BESIDE, -width / 2 - _BESIDE, 0.0):
            yield round(x + shift, 1), round(y, 1)


def _bezier(piece: Sequence[Point], t: float) -> Point:
    """The point at `t` of a cubic Bézier curve (Bernstein form)."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    return (
        sum(w * p[0] for w, p in zip(weights, piece, strict=True)),
        sum(w * p[1] for w, p in zip(weights, piece, strict=True)),
    )


class _Taken:
    """Rectangles, found again by the cells of a coarse grid."""

    _CELL = 128.0

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], list[Rectangle]] = {}

    def _keys(self, rectangle: Rectangle) -> Iterator[tuple[int, int]]:
        left, top, right, bottom = [int(edge // self._CELL) for edge in rectangle]
        for column in range(left, right + 1):
            for row in range(top, bottom + 1):
                yield column, row

    def add(self, rectangle: Rectangle) -> None:
        for key in self._keys(rectangle):
            self.cells.setdefault(key, []).append(rectangle)

    def free(self, rectangle: Rectangle) -> bool:
        left, top, right, bottom = rectangle
        return not any(
            left < other[2] and other[0] < right and top < other[3] and other[1] < bottom
            for key in self._keys(rectangle)
            for other in self.cells.get(key, ())
        )
