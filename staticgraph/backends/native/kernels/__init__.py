"""From a nest to a kernel: loops, vectors, accumulators.

A kernel covers [lo, hi) of the first loop. Equal nests have equal text, so equal kernels are
compiled once. Sums of floats add vector lanes by halves, in an order that depends on the sizes
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.backends.native.ir import Module, aligned, element_type, memory_type
from staticgraph.backends.native.kernels.base import add_kernel
from staticgraph.backends.native.kernels.functions import ScalarOptions, often_used, outlined
from staticgraph.backends.native.kernels.vectors import VectorKernel
from staticgraph.backends.native.nest import Access, Expression, Nest
from staticgraph.backends.native.reduce import Reducer
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, product
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# The effort of code generation. With some, a kernel is 15 to 30 % faster and takes three times as
# long to compile: that is for kernels that have, or may have, so many elements in a run. Where one
# is long the time grows faster than the text.
_MANY_ELEMENTS = 1 << 16
_LONG_LINES = 1000

# The last axis is walked in so many bytes at a time, in vectors of the machine: enough for latency
# to hide, few enough for the registers.
_HEAVY_VECTORS = 2
_LIGHT_VECTORS = 4
_LIGHT_NODES = 12
# A walk over so few is done before more of them at a time have made up for a longer compilation.
_FEW_ELEMENTS = 1 << 8


class KernelWriter:
    """Writes one kernel; `name` and `arguments` are what a call of it needs."""

    def __init__(
        self,
        module: Module,
        nest: Nest,
        vector_bytes: int,
        options: ScalarOptions,
    ) -> None:
        self.module = module
        self.nest = nest
        self.options = options
        self.arguments: list[tuple[str, str]] = []
        self.fails = False
        # Whether the kernel always covers the first axis whole, whose size is known.
        self.whole = False
        self.vectorised = bool(nest.domain) and len(nest.domain) > nest.outer
        self.lanes = _lanes(nest, vector_bytes) if self.vectorised else 1

    def write(self) -> str:
        """Adds the kernel to the module, once for equal text; its name."""
        body = _Body(self)
        body.write()
        self.arguments = body.arguments
        text = body.code.text()
        return add_kernel(self.module, text, self._level(text))

    def _level(self, text: str) -> int:
        elements = product(self.nest.domain).known
        many = elements is None or elements >= _MANY_ELEMENTS
        return 1 if many and text.count("\n") <= _LONG_LINES else 0


def _lanes(nest: Nest, vector_bytes: int) -> int:
    """How many elements of the last axis are computed at once."""
    sizes = [_width(e.dtype) for e in nest.expressions if not e.row]
    sizes += [_width(access.dtype) for _, access in nest.stores]
    # Beside every element a reduction that chooses keeps its place, an int64.
    sizes += [8 for e in nest.expressions if e.combine in ("argmax", "argmin")]
    widest = max(sizes, default=4)
    maps = [e for e in nest.expressions if e.kind == "map" and not e.row]
    light = len(maps) <= _LIGHT_NODES and all(
        e.node is not None and e.node.op.name in LIGHT for e in maps
    )
    elements = product(nest.domain).known
    vectors = _LIGHT_VECTORS if light else _HEAVY_VECTORS
    if elements is not None and elements <= _FEW_ELEMENTS:
        vectors = 1
    lanes = vector_bytes // widest * vectors
    extent = nest.domain[-1].known
    if extent is not None:
        while lanes // 2 >= max(extent, 1):
            lanes //= 2
    return max(lanes, 1)


def _width(dtype: DType) -> int:
    # Vectors of bytes as long as the machine's would make those of their operands too long.
    return max(dtype.itemsize, 4)


# Ops that are an instruction or two.
LIGHT = frozenset(
    (
        "add", "subtract", "multiply", "negative", "square", "abs", "maximum", "minimum", "relu",
        "where", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
        "logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_and", "bitwise_or",
        "bitwise_xor", "bitwise_invert", "cast", "identity", "stop_gradient", "isnan", "isinf",
        "copysign", "signbit",
        "isfinite", "guard", "clip", "divide", "sqrt", "reciprocal", "floor", "ceil", "round",
        "trunc", "sign",
    )
)  # fmt: skip


class _Body(VectorKernel):
    """The code of one kernel while it is written."""

    def __init__(self, writer: KernelWriter) -> None:
        super().__init__(writer.module, writer.nest, writer.options, writer.lanes)
        self.writer = writer
        self.outlined = often_used(writer.nest)

    # -- loops ----------------------------------------------------------------------------

    def write(self) -> None:
        """The whole kernel."""
        nest = self.nest
        for access in nest.accesses():
            self.pointers[access, -1] = self._origin(access)
        self._walk_outer(0)
        self.code.do("ret void")

    def _origin(self, access: Access) -> str:
        pointer = self.argument(access.pointer, "ptr")
        if access.chunk == ZERO:
            return pointer
        grain = self.argument("%grain", "i64")
        chunk = self.code.let(f"sdiv i64 %lo, {grain}")
        return self.offset(pointer, access.dtype, chunk, access.chunk)

    def bounds(self, axis: int) -> tuple[str, str]:
        """Where the loop over an axis begins and ends."""
        if axis == 0 and not self.writer.whole:
            return "%lo", "%hi"
        return "0", self.size(self.nest.domain[axis])

    def _walk_outer(self, axis: int) -> None:
        if axis == self.nest.outer:
            self._write_row()
            return
        begin, end = self.bounds(axis)
        self.code.loop(begin, end, lambda index: self._enter(axis, index, self._walk_outer))

    def _enter(self, axis: int, index: str, then: Callable[[int], None]) -> None:
        """Moves every pointer to `index` of an axis, for the code that `then` writes."""
        self.indices.append(index)
        for access in self.nest.accesses():
            before = self.pointers[access, axis - 1]
            self.pointers[access, axis] = self.offset(
                before, access.dtype, index, access.strides[axis]
            )
        then(axis + 1)
        self.indices.pop()

    # -- rows -----------------------------------------------------------------------------

    def _write_row(self) -> None:
        self.rows.clear()
        self.splats.clear()
        nest = self.nest
        self._row_values(-1)
        for phase in range(nest.phases):
            self._write_phase(phase)
            self._row_values(phase)
        for expression, access in nest.stores:
            if expression.row:
                self.store_scalar(expression, access)

    def _row_values(self, phase: int) -> None:
        """The values per row that are known after `phase`."""
        for expression in self.nest.expressions:
            if not expression.row or expression.phase != phase or expression in self.rows:
                continue
            if expression.kind == "load":
                assert expression.access is not None
                self.rows[expression] = self.load_scalar(expression.access)
            elif expression.kind == "parameter":
                register = expression.parameter
                assert register is not None
                text = register.text
                if text.startswith("%"):
                    text = self.argument(text, element_type(register.dtype))
                self.rows[expression] = Register(text, register.dtype)
            elif expression.kind == "map":
                operands = [self.rows[operand] for operand in expression.operands]
                self.rows[expression] = self.apply(self.scalar, expression, operands)

    def load_scalar(self, access: Access) -> Register:
        """The element that a row reads."""
        pointer = self.pointers[access, self.nest.outer - 1]
        return self._single_from(pointer, access.dtype)

    def _single_from(self, pointer: str, dtype: DType) -> Register:
        text = self.code.let(f"load {memory_type(dtype)}, ptr {pointer}{aligned(dtype)}")
        return self.loaded(text, dtype, 1)

    def store_scalar(self, expression: Expression, access: Access) -> None:
        """Writes a value per row."""
        register = self.rows[expression]
        pointer = self.pointers[access, self.nest.outer - 1]
        text = self.stored(register, 1)
        self.code.do(
            f"store {memory_type(access.dtype)} {text}, ptr {pointer}{aligned(access.dtype)}"
        )

    # -- one walk over the row --------------------------------------------------------------

    def _write_phase(self, phase: int) -> None:
        nest = self.nest
        reduced = [
            e for e in nest.expressions
            if e.kind == "reduce" and e.operands[0].phase == phase and not e.operands[0].row
        ]  # fmt: skip
        reduced = [e for e in reduced if _walk_of(e) == phase]
        stores = [(e, a) for e, a in nest.stores if not e.row and e.phase == phase]
        if not reduced and not stores:
            return
        needed = _needed([e.operands[0] for e in reduced] + [e for e, _ in stores], nest)
        if not self.writer.vectorised:
            raise AssertionError("a nest without an inner axis has values per row only")
        for expression in needed:
            for operand in expression.operands:
                if operand.row:
                    self.splat(operand)
            if expression.row:
                self.splat(expression)
        for expression in reduced:
            if expression.operands[0].row:
                self.splat(expression.operands[0])
        reducers = [Reducer(self, expression) for expression in reduced]
        for reducer in reducers:
            reducer.begin_row()
        self._walk_inner(nest.outer, _Walk(needed, stores, reducers))
        for reducer in reducers:
            reducer.end_row()

    def _walk_inner(self, axis: int, walk: _Walk) -> None:
        if axis == len(self.nest.domain) - 1:
            self._walk_vectors(axis, walk)
            return
        begin, end = self.bounds(axis)
        self.code.loop(
            begin,
            end,
            lambda index: self._enter(axis, index, lambda next: self._walk_inner(next, walk)),
        )

    def _walk_vectors(self, axis: int, walk: _Walk) -> None:
        """The innermost loop: whole vectors, then what is left under a mask."""
        code, lanes = self.code, self.lanes
        known = axis > 0 or self.writer.whole
        extent = self.nest.domain[axis].known if known else None
        begin, end = self.bounds(axis)
        for reducer in walk.reducers:
            reducer.begin_vectors()
            reducer.load()
        self._hoist(axis, walk)
        if lanes == 1 or (extent is not None and extent % lanes == 0):
            self._vector_loop(begin, end, str(lanes), walk)
        elif extent is not None and extent < lanes:
            self._single(begin, end, walk)
        elif self.nest.domain[axis].factor % lanes == 0 and self._aligned_chunks(axis):
            self._vector_loop(begin, end, str(lanes), walk)
        else:
            whole = code.let(f"sub i64 {end}, {begin}")
            whole = code.let(f"and i64 {whole}, {-lanes}")
            middle = code.let(f"add i64 {begin}, {whole}")
            self._vector_loop(begin, middle, str(lanes), walk)
            tail, after = code.label(), code.label()
            for reducer in walk.reducers:
                reducer.save()
            code.branch(code.let(f"icmp slt i64 {middle}, {end}"), tail, after)
            code.begin(tail)
            for reducer in walk.reducers:
                reducer.load()
            self._single(middle, end, walk)
            for reducer in walk.reducers:
                reducer.save()
            code.jump(after)
            code.begin(after)
            for reducer in walk.reducers:
                reducer.end_vectors()
            return
        for reducer in walk.reducers:
            reducer.save()
            reducer.end_vectors()

    def _aligned_chunks(self, axis: int) -> bool:
        # Chunks are multiples of the lanes, so only the end of the whole can be ragged.
        return axis == 0

    def _single(self, begin: str, end: str, walk: _Walk) -> None:
        """One vector of which only the lanes before `end` count."""
        code, lanes = self.code, self.lanes
        left = code.let(f"sub i64 {end}, {begin}")
        width = "i32" if lanes <= 16 else "i8"
        left = code.let(f"trunc i64 {left} to {width}")
        places = ", ".join(f"{width} {lane}" for lane in range(lanes))
        if lanes == 1:
            self._vector_loop(begin, end, "1", walk)
            return
        type = f"<{lanes} x {width}>"
        splat = self.spread_text(left, width)
        self.mask = code.let(f"icmp ult {type} <{places}>, {splat}")
        self._vector_body(begin, walk)
        self.mask = None

    def _vector_loop(self, begin: str, end: str, step: str, walk: _Walk) -> None:
        code = self.code
        before, head, inside, after = code.block, code.label(), code.label(), code.label()
        code.jump(head)
        code.begin(head)
        counter = code.phi("i64")
        counter.add(begin, before)
        for reducer in walk.reducers:
            reducer.enter(before)
        code.branch(code.let(f"icmp slt i64 {counter.name}, {end}"), inside, after)
        code.begin(inside)
        self._vector_body(counter.name, walk)
        counter.add(code.let(f"add i64 {counter.name}, {step}"), code.block)
        for reducer in walk.reducers:
            reducer.leave(code.block)
        code.jump(head)
        code.begin(after)

    def _hoist(self, axis: int, walk: _Walk) -> None:
        """Reads what does not change along the last axis once, before the loop."""
        for expression in walk.needed:
            access = expression.access
            if expression.kind == "load" and access is not None and access.strides[axis] == ZERO:
                pointer = self.pointers[access, axis - 1]
                register = self._single_from(pointer, access.dtype)
                walk.scalars[expression] = register
                walk.hoisted[expression] = self.spread(register)
            elif expression.kind == "gather" and access is not None:
                places = [walk.scalars.get(e, self.rows.get(e)) for e in expression.operands]
                known = [place for place in places if place is not None]
                if len(known) == len(places):
                    moved = self._gather_offset(self.scalar, expression, known)
                    pointer = self.pointers[access, axis - 1]
                    walk.bases[expression] = self.offset(pointer, access.dtype, moved.text, ONE)

    def _vector_body(self, index: str, walk: _Walk) -> None:
        values: dict[Expression, Register] = dict(walk.hoisted)
        for expression in walk.needed:
            if expression in values or expression.row:
                continue
            if expression.kind == "gather":
                values[expression] = self._gathered(expression, index, values, walk)
            else:
                values[expression] = self._element(expression, index, values)
        for expression, access in walk.stores:
            self._store_vector(self._value(expression, values), access, index)
        for reducer in walk.reducers:
            reducer.add(self._value(reducer.expression.operands[0], values), index)

    def _value(self, expression: Expression, values: dict[Expression, Register]) -> Register:
        return self.splat(expression) if expression.row else values[expression]

    def _store_vector(self, register: Register, access: Access, index: str) -> None:
        pointer, many = self.addresses(access, index)
        self.store_at(register, access.dtype, pointer, many)

    def _element(
        self, expression: Expression, index: str, values: dict[Expression, Register]
    ) -> Register:
        if expression.kind == "load":
            assert expression.access is not None
            pointer, many = self.addresses(expression.access, index)
            return self.load_at(expression.access.dtype, pointer, many)
        if expression.kind == "index":
            return self.index_along(expression.axis, index)
        if expression.kind == "spread":
            return self.splat(expression.operands[0])
        operands = [self._value(operand, values) for operand in expression.operands]
        return self.apply(self.vector, expression, operands)

    def _gathered(
        self,
        expression: Expression,
        index: str,
        values: dict[Expression, Register],
        walk: _Walk,
    ) -> Register:
        """Reads at places that other arrays name: one row of elements, or each by itself."""
        access = expression.access
        assert access is not None
        base = walk.bases.get(expression)
        if base is not None:
            pointer, many = self.addresses(access, index, base)
            return self.load_at(access.dtype, pointer, many)
        builder, axis = self.vector, len(self.nest.domain) - 1
        places = [self._value(operand, values) for operand in expression.operands]
        moved = self._gather_offset(builder, expression, places)
        if access.strides[axis] != ZERO:
            step = self.spread(Register(self.size(access.strides[axis]), dtypes.int64))
            along = builder.multiply(self.index_along(axis, index), step)
            moved = builder.add(moved, along)
        base = self.pointers[access, axis - 1]
        if self.lanes == 1:
            place = self.offset(base, access.dtype, moved.text, ONE)
            return self.load_at(access.dtype, place, None)
        lanes = f"<{self.lanes} x i64>"
        element = memory_type(access.dtype)
        many = self.code.let(f"getelementptr {element}, ptr {base}, {lanes} {moved.text}")
        return self.load_at(access.dtype, "", many)

    def _gather_offset(
        self, builder: Scalars, expression: Expression, places: Sequence[Register]
    ) -> Register:
        """How many elements lie before the places that a gather reads, along the indexed axes."""
        zero = total = builder.constant(0, dtypes.int64)
        for place, (dim, stride) in zip(places, expression.steps, strict=True):
            size, step = [
                Register(self.size(s), dtypes.int64) if builder.lanes == 1
                else self.spread(Register(self.size(s), dtypes.int64))
                for s in (dim, stride)
            ]  # fmt: skip
            below = builder.less(place, zero)
            place = builder.where(below, builder.add(place, size), place)
            total = builder.add(total, builder.multiply(place, step))
        return total

    def apply(
        self, builder: Scalars, expression: Expression, operands: Sequence[Register]
    ) -> Register:
        """What the op of an expression makes of its operands."""
        node = expression.node
        assert node is not None and node.op.emit is not None
        if node.op.name in self.outlined and builder.lanes > 1:
            return outlined(self.options, builder, node, operands)
        builder.failed = None
        result: Register = node.op.emit(builder, *operands, **node.attrs)
        if builder.failed is not None:
            self._fail(builder, builder.failed)
        return result

    def _fail(self, builder: Scalars, bad: Register) -> None:
        """Notes that a lane which counts has failed."""
        self.writer.fails = True
        flag = self.argument("%failed", "ptr")
        text = bad.text
        if builder.lanes > 1:
            if self.mask is not None:
                text = self.code.let(f"and {builder.type(dtypes.bool_)} {text}, {self.mask}")
            kind = f"v{builder.lanes}i1"
            text = self.code.intrinsic(
                f"vector.reduce.or.{kind}", "i1", [(builder.type(dtypes.bool_), text)]
            )
        noted, after = self.code.label(), self.code.label()
        self.code.branch(text, noted, after)
        self.code.begin(noted)
        self.code.do(f"store i8 1, ptr {flag}")
        self.code.jump(after)
        self.code.begin(after)


class _Walk:
    """What one walk over a row computes, writes and combines."""

    def __init__(
        self,
        needed: Sequence[Expression],
        stores: Sequence[tuple[Expression, Access]],
        reducers: Sequence[Reducer],
    ) -> None:
        self.needed, self.stores, self.reducers = needed, stores, reducers
        self.hoisted: dict[Expression, Register] = {}
        # What is one value for the whole innermost loop, and where gathers that use it read.
        self.scalars: dict[Expression, Register] = {}
        self.bases: dict[Expression, str] = {}


def _walk_of(expression: Expression) -> int:
    """The walk in which a reduction is made: that in which its operand is known."""
    operand = expression.operands[0]
    return operand.phase if not operand.row else expression.phase


def _needed(roots: Sequence[Expression], nest: Nest) -> list[Expression]:
    """What a walk computes for its roots, operands first."""
    wanted: set[Expression] = set()
    stack = list(roots)
    while stack:
        expression = stack.pop()
        if expression in wanted or expression.row:
            continue
        wanted.add(expression)
        stack.extend(expression.operands)
    return [e for e in nest.expressions if e in wanted]
