"""Panels of B for the tile kernel: where they are, or copied so that their rows are neighbours.

A panel is as wide as a tile and at most `DEPTH` rows deep; the copy is on the stack of the task
that uses it. Columns beyond the result are never read; what the copy has in their place is never
stored. A transposed B is turned over in square blocks of one vector each, any other one element by
element.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.ir import Code, Module, memory_type, vector
from staticgraph.backends.native.matmul.code import WALK_LEVEL, Number, Target, Writer
from staticgraph.backends.native.matmul.panel import Panel
from staticgraph.backends.native.matmul.shape import DEPTH, Layout
from staticgraph.core.dtypes import DType

# A block that is turned over has so many rows and columns, or as many as a vector has lanes.
_TURNED = 8
# Rows of B that are so many bytes apart are in other pages or nearly so, where nothing fetches them
# ahead: then a copy pays, if enough rows of the result use it.
_FAR = 2048
_ROWS_WORTH_A_COPY = 192


def copy_pays(writer: Writer, masked: bool, panel: Panel, width: Number) -> str:
    """The i1 that says whether panels of `width` columns had better be copied."""
    code = writer.code
    many = code.let(f"icmp sge i64 {panel.rows}, {_ROWS_WORTH_A_COPY}")
    far = code.let(f"icmp sge i64 {panel.b_row}, {_FAR}")
    pays = code.let(f"and i1 {many}, {far}")
    if masked:
        return pays
    # Without masks, what is left of a panel can only be read from a copy.
    left = code.let(f"urem i64 {panel.columns}, {width}")
    partial = code.let(f"icmp ne i64 {left}, 0")
    return code.let(f"or i1 {partial}, {pays}")


COPY_TYPES = ("ptr", "i64", "i64", "i64", "i64", "ptr", "i64")


def buffer_bytes(target: Target) -> int:
    """Room for a copy of a panel of two vectors; a turned block may reach beyond the last row."""
    return (DEPTH + _TURNED) * 2 * target.vector_bytes


class Copy(NamedTuple):
    """The parameters of a copying function; steps are in bytes."""

    source: str
    b_row: Number
    b_column: Number
    columns: Number
    depth: Number
    target: str
    step: Number


def call_copy(writer: Writer, function: str, copy: Copy) -> None:
    """Calls a copying function, which may be a pointer in a register."""
    given = ", ".join(f"{type} {value}" for type, value in zip(COPY_TYPES, copy, strict=True))
    writer.code.do(f"call void {function}({given})")


def copy_function(module: Module, dtype: DType, kind: Layout, target: Target) -> str:
    """The function that copies a panel; its parameters are Copy's."""
    name = f"matmul_copy_{dtype.name}_{kind}_{target.vector_bytes}"
    if module.has_function(name):
        return name
    names = [f"%{field}" for field in Copy._fields]
    parameters = [f"{type} {field}" for type, field in zip(COPY_TYPES, names, strict=True)]
    code = Code(module, name, "void", parameters)
    writer = _Copier(Writer(code), dtype, target)
    copy = Copy(*names)
    if kind == "columns" and dtype.itemsize >= 4 and target.masks(dtype):
        writer.turn(copy)
    elif kind == "rows" and target.masks(dtype):
        writer.rows(copy)
    else:
        writer.elements(copy)
    code.do("ret void")
    code.finish(level=WALK_LEVEL)
    return name


class _Copier:
    """Writes one way of copying."""

    def __init__(self, writer: Writer, dtype: DType, target: Target) -> None:
        self.writer, self.code = writer, writer.code
        self.dtype, self.size = dtype, dtype.itemsize
        self.lanes = target.vector_bytes // self.size

    def rows(self, copy: Copy) -> None:
        """A panel whose rows are contiguous, a vector at a time, row by row."""
        w, lanes = self.writer, self.lanes
        whole = w.multiply(w.divide(copy.columns, lanes), lanes)
        mask = w.mask(w.subtract(copy.columns, whole), lanes)
        with w.loop(0, copy.depth) as k:
            source = w.at(copy.source, w.multiply(k, copy.b_row))
            target = w.at(copy.target, w.multiply(k, copy.step))
            with w.loop(0, whole, lanes) as column:
                offset = w.multiply(column, self.size)
                row = w.load(w.at(source, offset), self.dtype, lanes)
                w.store(row, w.at(target, offset), self.dtype, lanes)
            offset = w.multiply(whole, self.size)
            row = w.load(w.at(source, offset), self.dtype, lanes, mask)
            w.store(row, w.at(target, offset), self.dtype, lanes, mask)

    def elements(self, copy: Copy) -> None:
        """Any panel, element by element."""
        w = self.writer
        with w.loop(0, copy.depth) as k:
            source = w.at(copy.source, w.multiply(k, copy.b_row))
            target = w.at(copy.target, w.multiply(k, copy.step))
            with w.loop(0, copy.columns, once=True) as j:
                element = w.load(w.at(source, w.multiply(j, copy.b_column)), self.dtype, 1)
                w.store(element, w.at(target, w.multiply(j, self.size)), self.dtype, 1)

    def turn(self, copy: Copy) -> None:
        """A panel whose columns are contiguous, in square blocks."""
        w, lanes = self.writer, min(self.lanes, _TURNED)
        with w.loop(0, copy.columns, lanes, once=True) as j, w.loop(0, copy.depth, lanes) as k:
            source = w.at(
                copy.source, w.add(w.multiply(j, copy.b_column), w.multiply(k, self.size))
            )
            target = w.at(copy.target, w.add(w.multiply(k, copy.step), w.multiply(j, self.size)))
            last = w.subtract(w.subtract(copy.columns, j), 1)
            mask = w.mask(w.subtract(copy.depth, k), lanes)
            # Beyond the last column, it is repeated: what is not stored may be anything.
            columns = [
                w.at(source, w.multiply(w.minimum(i, last), copy.b_column)) for i in range(lanes)
            ]
            block = [w.load(column, self.dtype, lanes, mask) for column in columns]
            inside = w.mask(w.add(last, 1), lanes)
            for i, row in enumerate(self._transposed(block, lanes)):
                w.store(row, w.at(target, w.multiply(i, copy.step)), self.dtype, lanes, inside)

    def _transposed(self, block: list[str], lanes: int) -> list[str]:
        """The rows of a block, made of its columns by exchanging ever larger squares."""
        block = list(block)
        half = 1
        while half < lanes:
            low = [lane if not lane & half else lanes + lane - half for lane in range(lanes)]
            high = [lane + half if not lane & half else lanes + lane for lane in range(lanes)]
            for j in [j for j in range(lanes) if not j & half]:
                pair = block[j], block[j + half]
                block[j] = self._shuffle(pair, low)
                block[j + half] = self._shuffle(pair, high)
            half *= 2
        return block

    def _shuffle(self, pair: tuple[str, str], order: list[int]) -> str:
        lanes = len(order)
        type = vector(memory_type(self.dtype), lanes)
        numbers = ", ".join(f"i32 {lane}" for lane in order)
        return self.code.let(
            f"shufflevector {type} {pair[0]}, {type} {pair[1]}, <{lanes} x i32> <{numbers}>"
        )
