"""Matrix products, and the elementwise nodes that are computed before their results are stored.

A product waits in a group until something needs it in memory. Elementwise nodes over the same
elements join the group, and become the epilogue of the product's kernel: a bias is added and a
tanh taken before anything is stored, and a step of gradient descent writes the parameter without
storing the gradient.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from staticgraph.backends.native.ir import UNREAD, element_type
from staticgraph.backends.native.matmul import (
    BatchAxis,
    Number,
    Place,
    Product,
    Target,
    count_tasks,
    write_kernel,
)
from staticgraph.backends.native.nest import Access, Expression
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.backends.native.writing import GroupWriting
from staticgraph.core.function import attrs_key
from staticgraph.core.node import Node

if TYPE_CHECKING:
    from staticgraph.backends.native.program import Program

# The value and the type of a slot of a kernel's arguments.
Argument = tuple[str, str]


@dataclass(eq=False)
class PendingProduct:
    """A product that is not written yet.

    operands      the two arrays that it holds on to
    a, b          the operands as matrices, stacked along the axes of `batch`
    sizes         m, n and k
    row, column   the axes of the result that count rows and columns; None where there is one
    """

    operands: tuple[Array, Array]
    a: Array
    b: Array
    batch: tuple[Size, ...]
    sizes: tuple[Size, Size, Size]
    row: int | None
    column: int | None


def multiply(
    program: Program,
    pending: PendingProduct,
    pointer: str,
    nodes: Sequence[Node],
    epilogue: _EpilogueCode | None = None,
) -> None:
    """Writes the kernel of ``c = a @ b``, with `c` at `pointer`, and calls it.

    nodes   what it computes: the product, and what the epilogue makes of it
    """
    a, b, batch = pending.a, pending.b, pending.batch
    m, n, k = pending.sizes
    if product((m, n, *batch)) == ZERO:
        return
    distances = [_batch_strides(program, array, batch) for array in (a, b)]
    steps = [m.times(n).times(product(batch[axis + 1 :])) for axis in range(len(batch))]
    axes = tuple([
        BatchAxis(batch[i].known, distances[0][i].known, distances[1][i].known, steps[i].known)
        for i in range(len(batch))
    ])  # fmt: skip
    problem = Product(
        a.dtype, m.known, n.known, k.known,
        a.strides[-2].known, a.strides[-1].known, b.strides[-2].known, b.strides[-1].known,
        n.known, axes,
    )  # fmt: skip
    target = Target(program.options.vector_bytes, program.options.registers)
    key = (problem, () if epilogue is None else epilogue.key())
    name = program.product_kernels.get(key)
    if name is None:
        write = None if epilogue is None else epilogue.write
        name = write_kernel(program.module, problem, target, write, program.options.contract)
        program.product_kernels[key] = name
    program.kernels.append(name)
    text = program.text
    arguments: list[Argument] = [(a.pointer, "ptr"), (b.pointer, "ptr"), (pointer, "ptr")]
    numbers = [m, n, k, a.strides[-2], a.strides[-1], b.strides[-2], b.strides[-1], n]
    for i in range(len(batch)):
        numbers += [batch[i], distances[0][i], distances[1][i], steps[i]]
    # What is known stands in the kernel.
    arguments += [
        (UNREAD if number.known is not None else text(number), "i64") for number in numbers
    ]
    tasks = count_tasks(
        program.code, problem, target,
        (_number(program, m), _number(program, n), _number(program, k)),
        _number(program, product(batch)),
    )  # fmt: skip
    program.notes.kernel(name, tuple(nodes), (*batch, m, n, k), str(tasks.grain))
    if epilogue is not None:
        arguments += epilogue.arguments
    program.call(name, arguments, str(tasks.number), str(tasks.grain))


def slots_of(pending: PendingProduct) -> int:
    """The number of the first slot of the arguments that an epilogue may have."""
    return Product(pending.a.dtype, batch=(BatchAxis(None, None, None, None),) * len(
        pending.batch
    )).slots  # fmt: skip


def _number(program: Program, size: Size) -> Number:
    return size.factor if size.known is not None else program.text(size)


def _batch_strides(program: Program, array: Array, batch: tuple[Size, ...]) -> list[Size]:
    lead = len(batch) - (len(array.dims) - 2)
    strides = [ZERO] * lead
    for dim, stride, extent in zip(array.dims[:-2], array.strides[:-2], batch[lead:], strict=True):
        strides.append(program.stride_along(dim, stride, extent))
    return strides


class ProductWriting(GroupWriting):
    """A product with its epilogue on its way to a kernel."""

    def run(self) -> None:
        """Writes the product's kernel and calls it."""
        pending = self.group.product
        assert pending is not None
        program, nest = self.program, self.nest
        stores = list(nest.stores)
        main = next((s for s in stores if s[1].dtype == pending.a.dtype), None)
        aside = None
        if main is None:
            # A kernel stores elements of its own dtype; here nobody asked for any.
            aside = program.allocate(self.group.domain, pending.a.dtype)
            own = next(e for e in self.group.expressions if e.kind == "product")
            main = (own, Access(aside.pointer, aside.dtype, aside.strides))
        else:
            stores.remove(main)
        if not stores and main[0].kind == "product":
            multiply(program, pending, main[1].pointer, [self.group.node])
        else:
            code = _EpilogueCode(program, pending, nest.expressions, main[0], stores)
            follow = [e.node for e in nest.expressions if e.node is not None]
            nodes = [self.group.node, *follow]
            multiply(program, pending, main[1].pointer, nodes, code)
        if aside is not None:
            program.free(aside.buffer)


class _EpilogueCode:
    """Writes the elementwise nodes of a product into its kernel."""

    def __init__(
        self,
        program: Program,
        pending: PendingProduct,
        expressions: list[Expression],
        main: Expression,
        stores: list[tuple[Expression, Access]],
    ) -> None:
        self.program = program
        self.pending = pending
        self.expressions = expressions
        self.main = main
        self.stores = stores
        self.first = slots_of(pending)
        self.arguments: list[Argument] = []
        self._slots: dict[Argument, int] = {}
        # What the caller passes is asked for before the kernel is written.
        for expression in expressions:
            if expression.access is not None:
                self._declare(expression.access)
            elif expression.parameter is not None and expression.parameter.text.startswith("%"):
                self._slot(expression.parameter.text, element_type(expression.dtype))
        for _, access in stores:
            self._declare(access)

    def _declare(self, access: Access) -> None:
        self._slot(access.pointer, "ptr")
        for step in self._steps(access):
            if step.known is None:
                self._slot(self.program.text(step), "i64")

    def _slot(self, value: str, type: str) -> int:
        key = (value, type)
        if key not in self._slots:
            self._slots[key] = self.first + len(self.arguments)
            self.arguments.append(key)
        return self._slots[key]

    def _steps(self, access: Access) -> tuple[Size, Size]:
        """The distances, in bytes, to the next row and to the next column."""

        def step(axis: int | None) -> Size:
            size = Size(access.dtype.itemsize)
            return ZERO if axis is None else access.strides[axis].times(size)

        return step(self.pending.row), step(self.pending.column)

    def key(self) -> Hashable:
        """All that the code depends on: equal keys beside equal products are equal kernels."""
        places = {expression: place for place, expression in enumerate(self.expressions)}
        rows: list[Hashable] = []
        for e in self.expressions:
            node, parameter, given = e.node, e.parameter, None
            if parameter is not None:
                slot = self._slots.get((parameter.text, element_type(e.dtype)))
                given = parameter.text if slot is None else slot
            made = None if node is None else (node.op, attrs_key(node.attrs))
            read = None if e.access is None else self._where(e.access)
            rows.append(
                (e.kind, e.dtype, tuple([places[o] for o in e.operands]), given, made, read)
            )
        stores = tuple([(places[e], self._where(access)) for e, access in self.stores])
        return (tuple(rows), places.get(self.main), stores)

    def _where(self, access: Access) -> Hashable:
        """The slots of an access, and its steps: numbers that are known, slots in a tuple."""
        steps = [
            step.known if step.known is not None else (self._slots[self.program.text(step), "i64"],)
            for step in self._steps(access)
        ]
        return (access.dtype, self._slots[access.pointer, "ptr"], *steps)

    def write(self, s: Scalars, accumulator: Register, place: Place) -> Register:
        """What is stored for the sums in `accumulator`; further results are stored here."""
        builder = self.program.scalars.builder(s.code, s.lanes)
        values: dict[Expression, Register] = {}
        for expression in self.expressions:
            if expression.kind == "product":
                values[expression] = accumulator
            elif expression.kind == "load":
                assert expression.access is not None
                values[expression] = self._load(expression.access, s.lanes, place)
            elif expression.kind == "parameter":
                values[expression] = self._parameter(expression, builder, place)
            else:
                assert expression.node is not None and expression.node.op.emit is not None
                operands = [values[operand] for operand in expression.operands]
                values[expression] = expression.node.op.emit(
                    builder, *operands, **expression.node.attrs
                )
        for expression, access in self.stores:
            self._store(values[expression], access, s.lanes, place)
        return values.get(self.main, accumulator)

    def _read(self, place: Place, value: str, type: str) -> str:
        return place.writer.slot(place.arguments, self._slots[value, type], type)

    def _number(self, place: Place, size: Size) -> Number:
        if size.known is not None:
            return size.known
        return self._read(place, self.program.text(size), "i64")

    def _load(self, access: Access, lanes: int, place: Place) -> Register:
        row, column = [self._number(place, step) for step in self._steps(access)]
        pointer = self._read(place, access.pointer, "ptr")
        return place.load(pointer, access.dtype, lanes, row, column)

    def _parameter(self, expression: Expression, builder: Scalars, place: Place) -> Register:
        register = expression.parameter
        assert register is not None
        text, element = register.text, element_type(register.dtype)
        if text.startswith("%"):
            text = self._read(place, text, element)
            return Register(_spread(place, text, element, builder.lanes), register.dtype)
        if builder.lanes > 1:
            text = f"splat ({element} {text})"
        return Register(text, register.dtype)

    def _store(self, value: Register, access: Access, lanes: int, place: Place) -> None:
        row, column = [self._number(place, step) for step in self._steps(access)]
        w = place.writer
        offset = w.add(w.multiply(place.row, row), w.multiply(place.column, column))
        pointer = w.at(self._read(place, access.pointer, "ptr"), offset)
        text = value.text
        if value.dtype.kind == "b":
            bits, byte = ("i1", "i8") if lanes == 1 else (f"<{lanes} x i1>", f"<{lanes} x i8>")
            text = w.code.let(f"zext {bits} {text} to {byte}")
        w.store(text, pointer, access.dtype, lanes, place.mask)


def _spread(place: Place, text: str, element: str, lanes: int) -> str:
    if lanes == 1:
        return text
    code = place.writer.code
    type = f"<{lanes} x {element}>"
    single = code.let(f"insertelement {type} poison, {element} {text}, i64 0")
    return code.let(
        f"shufflevector {type} {single}, {type} poison, <{lanes} x i32> zeroinitializer"
    )
