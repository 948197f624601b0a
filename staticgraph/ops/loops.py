"""The records of loops: `while` and `scan`. A loop is one node that holds its body.

Both records have the same shape. Operands are the carries' initial values, for a `scan` its
sequences, then what the body captures. The body takes the carries, the entries of the sequences and
the captures, and returns the new carries and any number of further results, which are stacked along
a new leading axis: one entry per iteration. The node's results are the last carries and the stacks.

A `while` has stacks too, although `while_loop` never asks for one: differentiation does, for the
values that the derivative needs of each iteration (autodiff/control.py). So there is no growing
array in the IR, and the reverse of either loop is a scan over stacks.

Rows of uneven length do not stack. They are joined instead, end to end along their leading axis,
and a scan goes along such a result part by part:

joined      numbers of the body's further results that are joined: ``float32[?, 3]`` of each
            iteration is one ``float32[?, 3]`` of all of them
lengths     of a scan, one number per sequence: -1 for one with an entry per step; of one in parts,
            the number of the sequence whose entries say how many rows the part of each step has

A loop without any lacks these attributes. The stacks of a loop within a loop are what is joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from staticgraph.core.function import Function
from staticgraph.core.opdef import REGIONS, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import Dim, TensorType, compatible, format_shape

T = TypeVar("T")


def fits(given: TensorType, declared: TensorType) -> bool:
    """Whether a value of type `given` may stand where `declared` is expected, in every run."""
    if given.dtype != declared.dtype:
        return False
    if declared.shape is None:
        return True
    if given.shape is None or len(given.shape) != len(declared.shape):
        return False
    return all(
        want is None or have == want for have, want in zip(given.shape, declared.shape, strict=True)
    )


def check_operands(what: str, types: Types, function: Function) -> None:
    """Raises Mismatch unless operands of these types may be the inputs of `function`."""
    if len(types) != len(function.inputs):
        raise Mismatch(f"its {what} takes {len(function.inputs)} inputs, there are {len(types)}")
    for type, value in zip(types, function.inputs, strict=True):
        declared = value.type
        if type.dtype != declared.dtype or not compatible(type.shape, declared.shape):
            raise Mismatch(f"its {what} takes {declared} for '{value.name}', not {type}")


def _carried(body: Function, count: int) -> Types:
    """The types of the carries; the body must return what it takes."""
    declared = tuple([value.type for value in body.inputs[:count]])
    for type, value in zip(declared, body.outputs, strict=False):
        if not fits(value.type, type):
            raise Mismatch(f"its body returns {value.type} for a carry of {type}")
    return declared


def _stacked(type: TensorType, length: Dim) -> TensorType:
    return type.with_shape(None if type.shape is None else (length, *type.shape))


def _in_parts(type: TensorType) -> TensorType:
    """The type of any number of rows of a value."""
    if not type.shape:
        raise Mismatch(f"what it joins or parts is {type}", "only known axes have an end")
    return type.with_shape((None, *type.shape[1:]))


def _rows(rows: Types, attrs: Attrs, length: Dim) -> Types:
    joined = attrs.get("joined", ())
    return tuple([_in_parts(t) if n in joined else _stacked(t, length) for n, t in enumerate(rows)])


def lengths_of(attrs: Attrs) -> tuple[int, ...]:
    """Per sequence of a scan the number of the one that says how long its parts are, or -1."""
    known: tuple[int, ...] = attrs.get("lengths", ())
    return known or (-1,) * attrs["sequences"]


def stepwise(values: Sequence[T], attrs: Attrs) -> list[T]:
    """Those of a scan's sequences, or of what belongs to them, that have an entry per step."""
    return [value for value, by in zip(values, lengths_of(attrs), strict=True) if by < 0]


def _infer_while(types: Types, attrs: Attrs) -> Types:
    body: Function = attrs["body"]
    condition: Function = attrs["cond"]
    check_operands("body", types, body)
    check_operands("cond", types, condition)
    count = attrs["carries"]
    rows = tuple([value.type for value in body.outputs[count:]])
    return (*_carried(body, count), *_rows(rows, attrs, None))


def _infer_scan(types: Types, attrs: Attrs) -> Types:
    body: Function = attrs["body"]
    count, sequences = attrs["carries"], attrs["sequences"]
    whole = types[count : count + sequences]
    length = scan_length(stepwise(whole, attrs))
    entries = [
        type.with_shape(None if type.shape is None else type.shape[1:])
        if by < 0
        else _in_parts(type)
        for type, by in zip(whole, lengths_of(attrs), strict=True)
    ]
    check_operands("body", (*types[:count], *entries, *types[count + sequences :]), body)
    rows = tuple([value.type for value in body.outputs[count:]])
    return (*_carried(body, count), *_rows(rows, attrs, length))


def scan_length(types: Sequence[TensorType]) -> Dim:
    """The number of iterations, as far as the types of the sequences tell it."""
    length: Dim = None
    for type in types:
        if type.shape is None:
            continue
        if not type.shape:
            raise Mismatch(
                "a sequence is a scalar",
                "it needs a leading axis to go along; a list is a nesting of sequences, "
                "sg.constant([...]) is one",
            )
        dim = type.shape[0]
        if isinstance(length, int) and isinstance(dim, int) and dim != length:
            raise Mismatch(
                "the sequences differ in length", f"one has {length} entries, another {dim}"
            )
        if length is None or isinstance(dim, int):
            length = dim
    return length


class _Stacks:
    """Collects one entry per iteration for each of a body's further results."""

    def __init__(
        self, body: Any, operands: Sequence[Any], first: int, joined: Sequence[int]
    ) -> None:
        function: Function = body.function
        self.joined = joined
        self.types = [value.type for value in function.outputs[first:]]
        self.rows: list[list[Any]] = [[] for _ in self.types]
        self.sizes: dict[str, int] = {}
        for value, operand in zip(function.inputs, operands, strict=True):
            for dim, size in zip(value.type.shape or (), np.shape(operand), strict=False):
                if isinstance(dim, str):
                    self.sizes[dim] = size

    def push(self, results: Sequence[Any]) -> None:
        for rows, result in zip(self.rows, results, strict=True):
            rows.append(result)

    def arrays(self, backwards: bool = False) -> list[Any]:
        stacks = []
        for number, (rows, type) in enumerate(zip(self.rows, self.types, strict=True)):
            parted = number in self.joined
            shapes = dict.fromkeys(np.shape(row)[1:] if parted else np.shape(row) for row in rows)
            if len(shapes) > 1:
                raise self._uneven(list(shapes))
            ordered = rows[::-1] if backwards else rows
            if not rows:
                stacks.append(self._empty(type, parted))
            else:
                stacks.append(np.concatenate(ordered) if parted else np.stack(ordered))
        return stacks

    def _uneven(self, shapes: list[tuple[int, ...]]) -> Mismatch:
        return Mismatch(
            "a value that is stacked changes its shape between iterations",
            f"it was {format_shape(shapes[0])} and is {format_shape(shapes[1])}",
            "the outputs of a scan keep their shape; a loop variable of while_loop may change its "
            "own, see shape_invariants",
        )

    def _empty(self, type: TensorType, parted: bool) -> Any:
        """No iteration, so sizes that only an iteration would show count as 0."""
        dims = [self.sizes.get(d, 0) if isinstance(d, str) else d or 0 for d in type.shape or ()]
        return np.empty((0, *dims[1 if parted else 0 :]), dtype=type.dtype)


def results_of(values: Sequence[Any]) -> Any:
    """What a reference returns for a node with these results."""
    return values[0] if len(values) == 1 else tuple(values)


def _reference_while(
    *operands: Any,
    cond: Any,
    body: Any,
    carries: int,
    maximum_iterations: int | None,
    joined: Sequence[int] = (),
) -> Any:
    state = list(operands[:carries])
    captured = list(operands[carries:])
    stacks = _Stacks(body, operands, carries, joined)
    left = maximum_iterations
    while (left is None or left > 0) and cond(state + captured)[0]:
        results = body(state + captured)
        state = results[:carries]
        if stacks.rows:
            stacks.push(results[carries:])
        if left is not None:
            left -= 1
    return results_of([*state, *stacks.arrays()])


def _reference_scan(
    *operands: Any,
    body: Any,
    carries: int,
    sequences: int,
    reverse: bool,
    recompute: bool,
    joined: Sequence[int] = (),
    lengths: Sequence[int] = (),
) -> Any:
    state = list(operands[:carries])
    along = list(operands[carries : carries + sequences])
    captured = list(operands[carries + sequences :])
    by = lengths or [-1] * sequences
    counts = [len(sequence) for sequence, parts in zip(along, by, strict=True) if parts < 0]
    if len(set(counts)) != 1:
        raise Mismatch("the sequences differ in length", f"their lengths in this run are {counts}")
    along = [
        sequence if parts < 0 else _parts(sequence, along[parts])
        for sequence, parts in zip(along, by, strict=True)
    ]
    entries = [
        np.empty(np.shape(s)[1:] if parts < 0 else (0, *np.shape(s)[1:]), s.dtype)
        for s, parts in zip(operands[carries:], by, strict=False)
    ]
    stacks = _Stacks(body, [*state, *entries, *captured], carries, joined)
    steps = range(counts[0])
    for step in reversed(steps) if reverse else steps:
        results = body([*state, *[sequence[step] for sequence in along], *captured])
        state = results[:carries]
        stacks.push(results[carries:])
    return results_of([*state, *stacks.arrays(backwards=reverse)])


def _parts(sequence: Any, lengths: Any) -> list[Any]:
    """What is joined, in parts again."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    if total != len(sequence):
        raise Mismatch(
            "the parts of a sequence do not add up to it",
            f"it has {len(sequence)} rows, its parts {total}",
        )
    return [sequence[end - count : end] for end, count in zip(ends, lengths, strict=True)]


WHILE = register(
    OpDef(
        "while",
        operands=("operands*",),
        infer=_infer_while,
        reference=_reference_while,
        title="while_loop",
        attrs=("cond", "body", "carries", "maximum_iterations", "joined"),
        optional=("joined",),
        selects=True,
        vjp=REGIONS,
        jvp=REGIONS,
        doc="Repeats its body while its condition holds: the last carries, and what was stacked.",
    )
)

SCAN = register(
    OpDef(
        "scan",
        operands=("operands*",),
        infer=_infer_scan,
        reference=_reference_scan,
        attrs=("body", "carries", "sequences", "reverse", "recompute", "joined", "lengths"),
        optional=("joined", "lengths"),
        selects=True,
        vjp=REGIONS,
        jvp=REGIONS,
        doc="Runs its body once per entry of its sequences: the last carries, and the stacks.",
    )
)
