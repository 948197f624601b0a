"""A row of a nest in vectors: where they stand, how they are read and written, which lanes count.

Lanes beyond the end are masked: nothing is read or written there.
"""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.backends.native import complex_scalars
from staticgraph.backends.native.ir import Module, element_type, memory_type, splat, vector
from staticgraph.backends.native.kernels.base import Kernel
from staticgraph.backends.native.kernels.functions import ScalarOptions
from staticgraph.backends.native.nest import Access, Expression, Nest
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


class VectorKernel(Kernel):
    """A kernel over a nest whose last axis is walked `lanes` elements at a time.

    rows       registers of one value per row, made in code that comes before all that uses them
    pointers   where each array stands after an axis; -1 is before the first
    indices    the places along the axes that have been entered
    mask       the i1 vector of the lanes that count; None where all do
    """

    def __init__(self, module: Module, nest: Nest, options: ScalarOptions, lanes: int) -> None:
        super().__init__(module)
        self.nest, self.options, self.lanes = nest, options, lanes
        self.scalar = options.builder(self.code, 1)
        self.vector = options.builder(self.code, lanes)
        self.rows: dict[Expression, Register] = {}
        self.splats: dict[tuple[Expression, int], Register] = {}
        self.pointers: dict[tuple[Access, int], str] = {}
        self.indices: list[str] = []
        self.mask: str | None = None

    def splat(self, expression: Expression) -> Register:
        """A value per row in every lane; made where the row is entered."""
        key = (expression, self.lanes)
        if key not in self.splats:
            self.splats[key] = self.spread(self.rows[expression])
        return self.splats[key]

    def spread(self, register: Register) -> Register:
        """One element in every lane."""
        if self.lanes == 1:
            return register
        return Register(
            self.spread_text(register.text, element_type(register.dtype)), register.dtype
        )

    def spread_text(self, text: str, element: str) -> str:
        """The text of an element, a register or a constant, in every lane."""
        lanes = self.lanes
        if not text.startswith("%"):
            return splat(text, element, lanes)
        if element.startswith("<"):
            type, places = vector(element, 1), ", ".join(["i32 0, i32 1"] * lanes)
            return self.code.let(
                f"shufflevector {type} {text}, {type} poison, <{2 * lanes} x i32> <{places}>"
            )
        type = f"<{lanes} x {element}>"
        single = self.code.let(f"insertelement {type} poison, {element} {text}, i64 0")
        return self.code.let(
            f"shufflevector {type} {single}, {type} poison, <{lanes} x i32> zeroinitializer"
        )

    def halved(self, lanes: int) -> Scalars:
        """A builder for fewer lanes."""
        return self.options.builder(self.code, lanes)

    def flat_index(self, index: str) -> Register:
        """The place within the row, counted over all of its axes, an int64."""
        nest = self.nest
        base = "0"
        for axis in range(nest.outer, len(nest.domain) - 1):
            scaled = self.code.let(f"mul i64 {base}, {self.size(nest.domain[axis])}")
            base = self.code.let(f"add i64 {scaled}, {self.indices[axis]}")
        if base != "0":
            base = self.code.let(f"mul i64 {base}, {self.size(nest.domain[-1])}")
            index = self.code.let(f"add i64 {base}, {index}")
        return self.index_along(len(nest.domain) - 1, index)

    def index_along(self, axis: int, index: str) -> Register:
        """The place along `axis`, an int64."""
        if axis < len(self.nest.domain) - 1:
            return self.spread(Register(self.indices[axis], dtypes.int64))
        if self.lanes == 1:
            return Register(index, dtypes.int64)
        places = ", ".join(f"i64 {lane}" for lane in range(self.lanes))
        splat = self.spread_text(index, "i64")
        type = f"<{self.lanes} x i64>"
        return Register(self.code.let(f"add {type} {splat}, <{places}>"), dtypes.int64)

    def addresses(
        self, access: Access, index: str, base: str | None = None
    ) -> tuple[str, str | None]:
        """Where a vector of elements stands: one address, or one per lane."""
        axis = len(self.nest.domain) - 1
        if base is None:
            base = self.pointers[access, axis - 1]
        stride = access.strides[axis]
        element = memory_type(access.dtype)
        if self.lanes == 1 or stride == ONE:
            return self.offset(base, access.dtype, index, stride), None
        places = self.index_along(axis, index).text
        lanes = f"<{self.lanes} x i64>"
        step = self.spread_text(self.size(stride), "i64")
        places = self.code.let(f"mul {lanes} {places}, {step}")
        return "", self.code.let(f"getelementptr {element}, ptr {base}, {lanes} {places}")

    def load_at(
        self, dtype: DType, pointer: str, many: str | None, lanes: int | None = None
    ) -> Register:
        """Reads a vector in order from `pointer`, or lane by lane from `many`."""
        lanes = self.lanes if lanes is None else lanes
        type = vector(memory_type(dtype), lanes)
        if many is not None:
            text = self._gather(dtype, many)
        elif self.mask is None or lanes == 1:
            text = self.code.let(f"load {type}, ptr {pointer}, align {dtype.alignment}")
        else:
            text = self.masked(
                f"masked.load.{_suffix(dtype, lanes)}.p0", type, [("ptr", pointer)], dtype,
                [(type, "zeroinitializer")],
            )  # fmt: skip
        return self.loaded(text, dtype, lanes)

    def _gather(self, dtype: DType, pointers: str) -> str:
        type = vector(memory_type(dtype), self.lanes)
        lanes, pointers = self._each_part(dtype, pointers)
        name = f"masked.gather.{_suffix(dtype, self.lanes)}.v{lanes}p0"
        return self.masked(
            name, type, [(f"<{lanes} x ptr>", pointers)], dtype, [(type, "zeroinitializer")]
        )

    def _each_part(self, dtype: DType, pointers: str) -> tuple[int, str]:
        """The addresses of both parts of complex elements, and how many they are."""
        lanes = self.lanes
        if dtype not in dtypes.COMPLEX:
            return lanes, pointers
        twice = ", ".join(f"i32 {lane}, i32 {lane}" for lane in range(lanes))
        type = f"<{lanes} x ptr>"
        pointers = self.code.let(
            f"shufflevector {type} {pointers}, {type} poison, <{2 * lanes} x i32> <{twice}>"
        )
        steps = ", ".join(["i64 0, i64 1"] * lanes)
        part = element_type(dtypes.part_of(dtype))
        pointers = self.code.let(
            f"getelementptr {part}, <{2 * lanes} x ptr> {pointers}, <{2 * lanes} x i64> <{steps}>"
        )
        return 2 * lanes, pointers

    def masked(
        self,
        name: str,
        result: str,
        operands: Sequence[tuple[str, str]],
        dtype: DType,
        rest: Sequence[tuple[str, str]] = (),
    ) -> str:
        """A masked load, store, gather or scatter, for the lanes that count."""
        kind, mask = f"<{self.lanes} x i1>", self.mask or "splat (i1 true)"
        if dtype in dtypes.COMPLEX:
            kind, mask = complex_scalars.mask(self.code, mask, self.lanes)
        given = [*operands, ("i32", str(dtype.alignment)), (kind, mask), *rest]
        if result != "void":
            return self.code.intrinsic(name, result, given)
        types = ", ".join(type for type, _ in given)
        self.code.module.declare(f"declare void @llvm.{name}({types})")
        self.code.do(f"call void @llvm.{name}({', '.join(f'{t} {v}' for t, v in given)})")
        return ""

    def store_at(
        self,
        register: Register,
        dtype: DType,
        pointer: str,
        many: str | None = None,
        lanes: int | None = None,
    ) -> None:
        """Writes a vector in order at `pointer`, or lane by lane at `many`."""
        element = memory_type(dtype)
        lanes = self.lanes if lanes is None else lanes
        type = vector(element, lanes)
        text = self.stored(register, lanes)
        if many is not None:
            count, many = self._each_part(dtype, many)
            name = f"masked.scatter.{_suffix(dtype, lanes)}.v{count}p0"
            self.masked(name, "void", [(type, text), (f"<{count} x ptr>", many)], dtype)
        elif self.mask is None or lanes == 1:
            self.code.do(f"store {type} {text}, ptr {pointer}, align {dtype.alignment}")
        else:
            name = f"masked.store.{_suffix(dtype, lanes)}.p0"
            self.masked(name, "void", [(type, text), ("ptr", pointer)], dtype)


def _suffix(dtype: DType, lanes: int) -> str:
    """What the name of an intrinsic says of a vector in memory."""
    if dtype in dtypes.COMPLEX:
        dtype, lanes = dtypes.part_of(dtype), 2 * lanes
    element = memory_type(dtype)
    named = {"float": "f32", "double": "f64"}.get(element, element)
    return f"v{lanes}{named}"
