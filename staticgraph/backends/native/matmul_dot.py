"""The kernel of products with few rows whose columns of B are contiguous: many dot products.

Vectors go along the sums: neither operand is copied or turned over, and B is read once, as fast as
memory gives it. Always holds: an element is the sum over the vector lanes, by halves, of sums that
each go through k in order; a vector that reaches beyond k is masked.
"""

from __future__ import annotations

from staticgraph.backends.native import matmul_shape as shape
from staticgraph.backends.native.ir import Code, Module, memory_type, vector
from staticgraph.backends.native.matmul_code import Number, Writer
from staticgraph.backends.native.matmul_finish import Job, write_result
from staticgraph.backends.native.matmul_shape import DotTile, batch_pointers, read_numbers


class DotKernel:
    """Writes ``void @name(ptr args, i64 lo, i64 hi)``: tasks lo to hi of a product."""

    def __init__(self, module: Module, name: str, job: Job, tile: DotTile) -> None:
        self.code = Code(module, name, "void", ["ptr %args", "i64 %lo", "i64 %hi"])
        self.writer = Writer(self.code)
        self.job, self.product, self.tile = job, job.product, tile
        self.dtype, self.size = self.product.dtype, self.product.dtype.itemsize
        self.type = vector(memory_type(self.dtype), tile.lanes)

    def write(self) -> Code:
        """The body of the kernel."""
        w, job = self.writer, self.job
        self.numbers = read_numbers(w, "%args", self.product, job.swapped)
        m, n, k = self.numbers.m, self.numbers.n, self.numbers.k
        whole = shape.grid(w, (m, n, k), *shape.grid_unit(self.product, job.target))
        with w.loop("%lo", "%hi", once=True) as task:
            batch = w.divide(task, whole.column_tasks) if self.product.batch else 0
            within = w.subtract(task, w.multiply(batch, whole.column_tasks))
            if whole.column_tasks == 1:
                within = 0
            pointers = batch_pointers(w, "%args", self.product, batch, job.swapped)
            first = w.multiply(within, whole.columns)
            end = w.minimum(n, w.add(first, whole.columns))
            with w.loop(first, end, self.tile.columns, once=True) as column:
                self._columns(pointers, batch, column)
        self.code.do("ret void")
        return self.code

    def _columns(self, pointers: tuple[str, str, str], batch: Number, column: Number) -> None:
        """The elements of some neighbouring columns, in all rows."""
        w, numbers, tile = self.writer, self.numbers, self.tile
        n = self.product.n
        whole = n is not None and n % tile.columns == 0
        count = tile.columns if whole else w.minimum(w.subtract(numbers.n, column), tile.columns)
        a, b, c = pointers
        rows = [w.at(a, w.multiply(i, numbers.a_row)) for i in range(tile.rows)]
        first = w.at(b, w.multiply(column, numbers.b_column))
        last = w.subtract(count, 1)
        columns = [
            w.at(first, w.multiply(w.minimum(j, last), numbers.b_column))
            for j in range(tile.columns)
        ]
        mask = w.mask(count, tile.columns) if tile.columns > 1 else None
        sums = self._sums(rows, columns)
        for i in range(tile.rows):
            value = self._fold(sums[i * tile.columns : (i + 1) * tile.columns])
            offset = w.add(w.multiply(i, numbers.c_row), w.multiply(column, self.size))
            place = w.at(c, offset)
            if self.product.accumulate:
                earlier = w.load(place, self.dtype, tile.columns, mask)
                value = w.sum(earlier, value, self.dtype, tile.columns)
            write_result(self.job, w, value, place, (batch, i, column), tile.columns, mask)

    def _sums(self, rows: list[str], columns: list[str]) -> list[str]:
        """The sums of every element, spread over the lanes of a vector each."""
        w, tile, k = self.writer, self.tile, self.numbers.k
        sums = ["zeroinitializer"] * (len(rows) * len(columns) * tile.strands)
        done: Number = 0
        for strands in sorted({tile.strands, 1}, reverse=True):
            step = strands * tile.lanes
            end = w.multiply(w.divide(k, step), step)
            sums = self._loop(rows, columns, sums, (done, end, strands))
            sums = self._join(sums, strands)
            done = end
        left = w.subtract(k, done)
        if left == 0:
            return sums
        mask = w.mask(left, tile.lanes)
        return self._step(rows, columns, sums, (done, 1), mask)

    def _join(self, sums: list[str], strands: int) -> list[str]:
        """One sum per element."""
        count = len(sums) // strands
        parts = [sums[i * count : (i + 1) * count] for i in range(strands)]
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [
                [
                    self.writer.sum(x, y, self.dtype, self.tile.lanes)
                    for x, y in zip(*pair, strict=True)
                ]
                for pair in zip(parts[:half], parts[half:], strict=True)
            ]
        return parts[0]

    def _loop(
        self,
        rows: list[str],
        columns: list[str],
        sums: list[str],
        extent: tuple[Number, Number, int],
    ) -> list[str]:
        code, (start, end, strands) = self.code, extent
        if isinstance(start, int) and isinstance(end, int) and start >= end:
            return sums
        before, body, done = code.block, code.label("dot"), code.label("dotted")
        code.branch(code.let(f"icmp slt i64 {start}, {end}"), body, done)
        code.begin(body)
        counter = code.phi("i64")
        counter.add(str(start), before)
        phis = [code.phi(self.type) for _ in sums]
        totals = [phi.name for phi in phis]
        totals = self._step(rows, columns, totals, (counter.name, strands), None)
        following = code.let(f"add i64 {counter.name}, {strands * self.tile.lanes}")
        counter.add(following, code.block)
        for phi, initial, total in zip(phis, sums, totals, strict=True):
            phi.add(initial, before)
            phi.add(total, code.block)
        code.branch(code.let(f"icmp slt i64 {following}, {end}"), body, done)
        after = code.block
        code.begin(done)
        results = []
        for initial, total in zip(sums, totals, strict=True):
            joined = code.phi(self.type)
            joined.add(initial, before)
            joined.add(total, after)
            results.append(joined.name)
        return results

    def _step(
        self,
        rows: list[str],
        columns: list[str],
        sums: list[str],
        place: tuple[Number, int],
        mask: str | None,
    ) -> list[str]:
        """Adds the products at `place`, a vector for each strand."""
        w, lanes = self.writer, self.tile.lanes
        k, strands = place
        results = []
        for strand in range(strands):
            offset = w.multiply(w.add(k, strand * lanes), self.size)
            a = [w.load(w.at(row, offset), self.dtype, lanes, mask) for row in rows]
            b = [w.load(w.at(column, offset), self.dtype, lanes, mask) for column in columns]
            pairs = [(x, y) for x in a for y in b]
            mine = sums[strand * len(pairs) : (strand + 1) * len(pairs)]
            results += [
                w.multiply_add(x, y, total, self.dtype, lanes)
                for (x, y), total in zip(pairs, mine, strict=True)
            ]
        return results

    def _fold(self, vectors: list[str]) -> str:
        """One register with the sum over the lanes of each vector, in the order of the vectors."""
        lanes, width = self.tile.lanes, self.tile.lanes
        while len(vectors) > 1:
            width //= 2
            vectors = [
                self._halves(x, y, lanes, width)
                for x, y in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        total = vectors[0]
        while width > 1:
            width //= 2
            total = self._halves(total, None, lanes, width)
            lanes //= 2
        return total

    def _halves(self, x: str, y: str | None, lanes: int, width: int) -> str:
        """Adds lanes `width` apart, in groups of twice that many: those of `x`, then of `y`."""
        type = vector(memory_type(self.dtype), lanes)
        count = lanes if y is None else 2 * lanes
        low = [lane for lane in range(count) if not lane & width]
        high = [lane + width for lane in low]
        parts = []
        for order in (low, high):
            numbers = ", ".join(f"i32 {lane}" for lane in order)
            parts.append(
                self.code.let(
                    f"shufflevector {type} {x}, {type} {y or 'poison'}, "
                    f"<{len(order)} x i32> <{numbers}>"
                )
            )
        if len(low) == 1:
            return self._scalar_sum(parts)
        return self.writer.sum(parts[0], parts[1], self.dtype, len(low))

    def _scalar_sum(self, parts: list[str]) -> str:
        """The sum of two vectors of one lane, as a scalar."""
        type = f"<1 x {memory_type(self.dtype)}>"
        values = [self.code.let(f"extractelement {type} {part}, i64 0") for part in parts]
        return self.writer.sum(values[0], values[1], self.dtype, 1)
