"""Sums of products over labelled axes, two operands at a time, as matrix products.

An axis has a label; axes with one label have one size. What is summed over becomes the inner axis
of one `matmul`, what both operands keep becomes its batch, and the rest its rows and columns. Axes
that stand side by side are merged before they are moved, so that where an operand allows it nothing
is copied: machine code reads a transposed operand where it stands. Nothing here is a new op, and
derivatives and kernels are those of what is built.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.node import Node
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import Dim
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction, shaping
from staticgraph.ops.complex import conjugated
from staticgraph.ops.control import identity
from staticgraph.ops.convert import cast, promote
from staticgraph.ops.creation import arange
from staticgraph.ops.linalg.products import described, known_ranks, matmul
from staticgraph.ops.reduction import element_count
from staticgraph.ops.shaping import BROADCAST_TO
from staticgraph.ops.sizes import is_int, refusal, size

__all__ = [
    "Labelled",
    "arranged",
    "contract",
    "diagonal_of",
    "inner",
    "summed",
    "tensordot",
    "vdot",
]

# Fewer rows than these are merged with others by a copy instead of making a product each.
_ROWS_OF_A_STACK = 16


class Labelled(NamedTuple):
    """A tensor and a label for each of its axes; no label stands twice.

    made_of   the positions of the operands of a call that it was made of, for messages
    """

    tensor: Tensor
    labels: tuple[str, ...]
    made_of: tuple[int, ...] = ()

    def dim(self, label: str) -> Dim:
        """What is known of the size of an axis."""
        assert self.tensor.type.shape is not None
        return self.tensor.type.shape[self.labels.index(label)]

    def axes(self, labels: Sequence[str]) -> tuple[int, ...]:
        """The numbers of some axes."""
        return tuple([self.labels.index(label) for label in labels])


# What a call says of a node that failed since labels have two sizes: from the node, the labels, the
# sizes, and the positions of the operands that each size comes from.
Differing = Callable[[Node, Sequence[str], tuple[int, int], Sequence[tuple[int, ...]]], Mismatch]
# Per operand of a node the labels of each of its axes.
_Groups = Sequence[Sequence[str]]


# -- one operand ------------------------------------------------------------------------------


def summed(x: Labelled, kept: Collection[str]) -> Labelled:
    """`x` summed over the axes whose labels are not kept; the dtype stays."""
    lost = [label for label in x.labels if label not in kept]
    if not lost:
        return x
    total = cast(reduction.sum(x.tensor, x.axes(lost)), x.tensor.dtype)
    return Labelled(total, tuple([label for label in x.labels if label in kept]), x.made_of)


def arranged(x: Labelled, order: Sequence[str]) -> Tensor:
    """The tensor with its axes in the order of the labels."""
    axes = x.axes(order)
    return x.tensor if axes == tuple(range(len(axes))) else shaping.permute_dims(x.tensor, axes)


def diagonal_of(
    x: Tensor, first: int, second: int, refused: Callable[[Node, int, int], Mismatch] | None = None
) -> Tensor:
    """The entries of `x` whose indices along two axes are equal, along one axis: the last.

    `refused` makes the message of two sizes that differ in a run.

    Of a size that is known they are every (n + 1)-th of the n * n entries of a matrix, a view in
    machine code; of another they are picked by a sum in which all other entries are 0.
    """
    shape = x.type.shape
    assert shape is not None
    lead = [axis for axis in range(len(shape)) if axis not in (first, second)]
    labels = tuple(map(str, range(len(shape))))
    order = [labels[axis] for axis in (*lead, first, second)]
    moved = arranged(Labelled(x, labels), order)
    number = shape[first]
    if isinstance(number, int) and shape[second] == number:
        groups = [(axis,) for axis in range(len(lead))] + [(len(lead), len(lead) + 1)]
        return _merged(moved, groups)[..., :: number + 1]
    # Rows are counted as columns: where their numbers differ, `where` refuses the shapes.
    index = arange(size(moved, len(lead) + 1))
    same = ew.equal(shaping.expand_dims(index, 1), index)
    zero = ew.zero_of(moved)

    def explain(node: Node, operands: Sequence[Any], problem: Exception) -> Mismatch | None:
        sizes = np.shape(operands[1])[-2:] if len(operands) == 3 else (0, 0)
        return refused(node, *sizes) if refused and len(set(sizes)) == 2 else None

    with x.graph.explaining(explain):
        kept = ew.where(same, moved, zero)
    return cast(reduction.sum(kept, -1), x.dtype)


# -- two operands -----------------------------------------------------------------------------


def contract(
    lhs: Labelled,
    rhs: Labelled,
    kept: Collection[str],
    order: Sequence[str] = (),
    differing: Differing | None = None,
) -> Labelled:
    """The products of entries of `lhs` and `rhs`, summed over each shared label that is not kept.

    kept    labels that a later contraction or the result needs; each of one operand alone is kept
    order   how the axes of the result shall stand, where that costs nothing; labels missing in it
            come last
    differing   makes the message where sizes differ in a run; without it the product's own stands

    The operands are of one dtype.
    """
    made_of = lhs.made_of + rhs.made_of
    shared = [label for label in lhs.labels if label in rhs.labels]
    inner = [label for label in shared if label not in kept]
    batch = sorted([label for label in shared if label in kept], key=_rank_in(order))
    of_lhs = [label for label in lhs.labels if label not in shared]
    of_rhs = [label for label in rhs.labels if label not in shared]
    if not inner:
        labels = sorted([*batch, *of_lhs, *of_rhs], key=_rank_in(order))
        sides = (_spread(lhs, labels), _spread(rhs, labels))
        with _told(differing, (lhs, rhs), sides, [[[label] for label in labels]] * 2):
            product = ew.multiply(*sides)
        return Labelled(product, tuple(labels), made_of)
    equal = all(_surely_equal(lhs.dim(label), rhs.dim(label)) for label in inner)
    if not of_lhs and not of_rhs and equal:
        labels = [*batch, *inner]
        sides = (arranged(lhs, labels), arranged(rhs, labels))
        dtype = lhs.tensor.dtype
        if dtype in dtypes.HALF:
            # Rounded once, as a matrix product is: a product alone may be too large for it.
            sides = (cast(sides[0], dtypes.float32), cast(sides[1], dtypes.float32))
        with _told(differing, (lhs, rhs), sides, [[[label] for label in labels]] * 2):
            product = ew.multiply(*sides)
        total = summed(Labelled(product, tuple(labels), made_of), batch)
        return total._replace(tensor=cast(total.tensor, dtype))
    if _comes_first(of_rhs, of_lhs, order):
        lhs, rhs, of_lhs, of_rhs = rhs, lhs, of_rhs, of_lhs
    rhs = _with_sizes_of(lhs, rhs, inner, differing)
    inner = _inner_order(lhs, rhs, inner)
    rows, columns = _merged_run(lhs, of_lhs, inner), _merged_run(rhs, of_rhs, inner)
    outer = [label for label in (*of_lhs, *of_rhs) if label not in (*rows, *columns)]
    stack = sorted([*batch, *outer], key=_rank_in(order))
    groups = [[*_stack_of(lhs, stack), rows, inner], [*_stack_of(rhs, stack), inner, columns]]
    sides = (_grouped(lhs, groups[0]), _grouped(rhs, groups[1]))
    with _told(differing, (lhs, rhs), sides, groups):
        product = matmul(*sides)
    return _parted(product, lhs, rhs, (stack, rows, columns))._replace(made_of=made_of)


class _Side(NamedTuple):
    """An operand of a node: its name, the labels of each of its axes, and `Labelled.made_of`."""

    name: str
    groups: _Groups
    made_of: tuple[int, ...]


def _told(
    differing: Differing | None,
    parts: tuple[Labelled, Labelled],
    tensors: tuple[Tensor, Tensor],
    groups: Sequence[_Groups],
) -> AbstractContextManager[None]:
    """Where a node of two tensors is made that stand for these parts, their axes in groups."""
    if differing is None:
        return nullcontext()
    sides = [
        _Side(tensor.name, group, part.made_of)
        for part, tensor, group in zip(parts, tensors, groups, strict=True)
    ]
    return tensors[0].graph.explaining(partial(_explain, differing, sides))


def _explain(
    differing: Differing,
    sides: Sequence[_Side],
    node: Node,
    operands: Sequence[Any],
    problem: Exception,
) -> Mismatch | None:
    """The labels that have two sizes where a node failed; of several, those of which none is 1."""
    if len(operands) != 2 or not isinstance(problem, ValueError | Mismatch):
        return None
    shapes = [np.shape(operand) for operand in operands]
    if node.op is BROADCAST_TO:
        shapes[1] = tuple(operands[1].tolist())
    if node.inputs[0].name == sides[1].name:
        # The operands of a multiplication may have changed places.
        sides = sides[::-1]
    if [len(shape) for shape in shapes] != [len(side.groups) for side in sides]:
        return None
    first, second = [
        {tuple(group): size for group, size in zip(side.groups, shape, strict=True) if group}
        for side, shape in zip(sides, shapes, strict=True)
    ]
    found = [group for group, size in first.items() if second.get(group, size) != size]
    if not found:
        return None
    group = min(found, key=lambda group: 1 in (first[group], second[group]))
    sizes = (first[group], second[group])
    return differing(node, group, sizes, [side.made_of for side in sides])


def _rank_in(order: Sequence[str]) -> Callable[[str], int]:
    return lambda label: order.index(label) if label in order else len(order)


def _comes_first(these: Sequence[str], those: Sequence[str], order: Sequence[str]) -> bool:
    """Whether in the wanted order the first of these labels stands before the first of those."""
    rank = _rank_in(order)
    return min(map(rank, these), default=-1) < min(map(rank, those), default=-1)


def _spread(x: Labelled, labels: Sequence[str]) -> Tensor:
    """The tensor with an axis for each label, of size 1 where it has none."""
    tensor = arranged(x, [label for label in labels if label in x.labels])
    new = tuple([axis for axis, label in enumerate(labels) if label not in x.labels])
    return shaping.expand_dims(tensor, new) if new else tensor


def _surely_equal(first: Dim, second: Dim) -> bool:
    return first == second and first is not None


def _with_sizes_of(
    lhs: Labelled, rhs: Labelled, inner: Sequence[str], differing: Differing | None
) -> Labelled:
    """`rhs`, with sizes compared in the run that a product of merged axes would not compare.

    Sizes (2, 6) and (3, 4) make inner axes of 12 both; a broadcast to (2, 6) refuses the second.
    One pair of sizes that may differ is compared by the product itself.
    """
    doubtful = [label for label in inner if not _surely_equal(lhs.dim(label), rhs.dim(label))]
    if len(doubtful) < 2:
        return rhs
    sizes = [
        size(lhs.tensor, lhs.labels.index(label))
        if label in doubtful
        else size(rhs.tensor, rhs.labels.index(label))
        for label in rhs.labels
    ]
    sides = (rhs.tensor, lhs.tensor)
    with _told(differing, (rhs, lhs), sides, [[[label] for label in rhs.labels]] * 2):
        tensor = shaping.broadcast_to(rhs.tensor, sizes)
    return rhs._replace(tensor=tensor)


def _inner_order(lhs: Labelled, rhs: Labelled, inner: list[str]) -> list[str]:
    """The order of the summed axes that needs the fewer copies: that of one of the operands."""
    orders = [[label for label in x.labels if label in inner] for x in (lhs, rhs)]
    if orders[0] == orders[1] or len(inner) == 1:
        return orders[0]
    copied = [
        sum(_number_along(x, x.labels) for x in (lhs, rhs) if not _side_by_side(x, order))
        for order in orders
    ]
    return orders[1] if copied[1] < copied[0] else orders[0]


def _side_by_side(x: Labelled, group: Sequence[str]) -> bool:
    """Whether the axes of a group are neighbours and in order: merging them moves nothing."""
    first = x.labels.index(group[0])
    return list(x.labels[first : first + len(group)]) == list(group)


def _merged_run(x: Labelled, free: list[str], inner: list[str]) -> list[str]:
    """Those of the axes of one operand alone that are its rows; the others stack products.

    Axes that are no neighbours could be merged by a copy alone. A stack of products, beside which
    the other operand is repeated, reads them where they are; rows that are too few make it slow.
    """
    if not free or not _side_by_side(x, inner):
        return free
    runs = [[free[0]]]
    for label in free[1:]:
        if _side_by_side(x, [runs[-1][-1], label]):
            runs[-1].append(label)
        else:
            runs.append([label])
    longest = max(runs, key=lambda run: _number_along(x, run))
    return longest if _number_along(x, longest) >= _ROWS_OF_A_STACK else free


def _number_along(x: Labelled, labels: Sequence[str]) -> int:
    """The number of entries along some axes; sizes that only the run knows count as many."""
    dims = [x.dim(label) for label in labels]
    return math.prod([dim if isinstance(dim, int) else _ROWS_OF_A_STACK for dim in dims])


def _stack_of(x: Labelled, stack: list[str]) -> list[list[str]]:
    """The groups of an operand's axes along which there is a product each."""
    if not any(label in x.labels for label in stack):
        return []
    return [[label] if label in x.labels else [] for label in stack]


def _grouped(x: Labelled, groups: Sequence[Sequence[str]]) -> Tensor:
    """The tensor with one axis per group of labels, which has all entries of the group's axes."""
    if all(_side_by_side(x, group) for group in groups if group):
        # Merged where they stand, then moved: machine code does both without a copy.
        in_place = sorted([group for group in groups if group], key=lambda g: x.labels.index(g[0]))
        merged = _merged(x.tensor, [x.axes(group) for group in in_place])
        names = tuple([group[0] for group in in_place])
        return _spread(Labelled(merged, names), [group[0] if group else "" for group in groups])
    order = [label for group in groups for label in group]
    tensor = arranged(x, order)
    places = iter(range(len(order)))
    numbers = [tuple([next(places) for _ in group]) for group in groups]
    return _merged(tensor, numbers)


def _merged(x: Tensor, groups: Sequence[tuple[int, ...]]) -> Tensor:
    """`x` with each group of neighbouring axes as one axis; one of size 1 for an empty group."""
    if all(len(group) == 1 for group in groups):
        return x
    sizes = [element_count(x, group) for group in groups]
    known = [number for number in sizes if not isinstance(number, Tensor)]
    if len(known) == len(sizes) - 1 and 0 not in known:
        # What -1 stands for keeps its name, where it has one.
        sizes = [-1 if isinstance(number, Tensor) else number for number in sizes]
    return shaping.reshape(x, sizes)


def _parted(
    product: Tensor, lhs: Labelled, rhs: Labelled, parts: tuple[list[str], list[str], list[str]]
) -> Labelled:
    """A product with its rows and columns as the axes that they were merged from."""
    stack, rows, columns = parts
    labels = (*stack, *rows, *columns)
    if len(rows) == len(columns) == 1:
        return Labelled(product, labels)
    sizes: list[int | Tensor] = []
    for place, label in enumerate(labels):
        x = Labelled(product, labels[: len(stack)]) if place < len(stack) else lhs
        if label in columns:
            x = rhs
        sizes.append(element_count(x.tensor, x.axes([label])))
    return Labelled(shaping.reshape(product, sizes), labels)


# -- tensordot -------------------------------------------------------------------------------


def tensordot(lhs: Any, rhs: Any, axes: Any = 2, *, name: str | None = None) -> Tensor:
    """The sums of products over pairs of axes, as `numpy.tensordot` has it.

    axes    an int n pairs the last n axes of `lhs` with the first n of `rhs`; two ints, or two
            sequences of ints, name the axes of `lhs` and those of `rhs` in the order of the pairs

    The result has the other axes of `lhs`, then those of `rhs`. Raises ShapeError where the axes of
    a pair differ in size.

    >>> import staticgraph as sg
    >>> lhs, rhs = sg.ones((2, 3, 4)), sg.ones((4, 3, 5))
    >>> sg.linalg.tensordot(lhs, rhs, axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    lhs, rhs = promote((lhs, rhs))
    pairs = _pairs(lhs, rhs, axes)
    first = [f"lhs {axis}" for axis in range(lhs.type.ndim or 0)]
    second = [f"rhs {axis}" for axis in range(rhs.type.ndim or 0)]
    for i, j in pairs:
        second[j] = first[i]
    free = [label for label in (*first, *second) if (label in first) != (label in second)]
    product = contract(Labelled(lhs, tuple(first)), Labelled(rhs, tuple(second)), (), free)
    result = arranged(product, free)
    return identity(result, name=name) if name else result


def _pairs(lhs: Tensor, rhs: Tensor, axes: Any) -> list[tuple[int, int]]:
    """The pairs of axes that a tensordot sums over, checked."""
    ranks = known_ranks("tensordot", lhs, rhs)
    if is_int(axes):
        if not 0 <= axes <= min(ranks):
            raise refusal(
                "tensordot",
                f"{axes} pairs of axes are asked for",
                *described(lhs, rhs),
                f"0 to {min(ranks)} can be had",
            )
        pairs = [(ranks[0] - axes + index, index) for index in range(axes)]
    else:
        items = axes if isinstance(axes, list | tuple) else ()
        named = [tuple(item) if isinstance(item, list | tuple) else (item,) for item in items]
        for rank, numbers in zip(ranks, named, strict=False):
            fits = all(is_int(number) and -rank <= number < rank for number in numbers)
            if not fits or len({number % rank for number in numbers}) < len(numbers):
                named = []
        if len(named) != 2 or len(named[0]) != len(named[1]):
            raise refusal(
                "tensordot",
                f"axes={axes!r} makes no pairs of axes",
                *described(lhs, rhs),
                "name each axis once, as many of lhs as of rhs: axes=([0, 1], [1, 0])",
            )
        pairs = [(i % ranks[0], j % ranks[1]) for i, j in zip(*named, strict=True)]
    assert lhs.type.shape is not None and rhs.type.shape is not None
    for i, j in pairs:
        have, want = lhs.type.shape[i], rhs.type.shape[j]
        if isinstance(have, int) and isinstance(want, int) and have != want:
            raise refusal(
                "tensordot",
                "the axes of a pair differ in size",
                *described(lhs, rhs),
                f"lhs axis {i} is {have}, rhs axis {j} is {want}; they must be equal",
            )
    return pairs


# -- inner products ---------------------------------------------------------------------------


def inner(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The sums of products over the last axes of both operands; of a scalar the product.

    The result has the other axes of `lhs`, then those of `rhs`. Nothing is conjugated. Raises
    ShapeError where the last axes differ in size.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.inner(sg.constant([1.0, 2.0]), [[3.0, 4.0], [5.0, 6.0]]))
    array([11., 17.], dtype=float32)
    """
    lhs, rhs = promote((lhs, rhs))
    if 0 in known_ranks("inner", lhs, rhs):
        return ew.multiply(lhs, rhs, name=name or "inner")
    assert lhs.type.shape is not None and rhs.type.shape is not None
    have, want = lhs.type.shape[-1], rhs.type.shape[-1]
    if isinstance(have, int) and isinstance(want, int) and have != want:
        raise refusal(
            "inner", "the last axes differ in size", *described(lhs, rhs),
            f"that of lhs is {have}, that of rhs is {want}; they must be equal",
        )  # fmt: skip
    product = tensordot(lhs, rhs, axes=([-1], [-1]))
    return identity(product, name=name or "inner")


def vdot(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The sum of products of all elements of `lhs`, conjugated, and `rhs`: both are flattened.

    Raises ShapeError where they have different numbers of elements.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.vdot(sg.constant([[1.0, 2.0]]), [3.0, 4.0]))
    np.float32(11.0)
    """
    lhs, rhs = promote((lhs, rhs))
    known_ranks("vdot", lhs, rhs)
    have, want = lhs.type.size, rhs.type.size
    if isinstance(have, int) and isinstance(want, int) and have != want:
        raise refusal(
            "vdot", "the operands differ in size", *described(lhs, rhs),
            f"lhs has {have} elements, rhs has {want}; they must be equal",
        )  # fmt: skip
    first, second = [shaping.reshape(x, (-1,)) for x in (conjugated(lhs), rhs)]
    return identity(tensordot(first, second, axes=1), name=name or "vdot")
