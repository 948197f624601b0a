"""The order of a short row by counting: the place of an element is how many come before it.

Every key is compared with every other one, a vector of them at a time. That is more comparisons
than a sort needs and no branch, which for some hundred elements is the least work there is. Of
equal keys those that stand before count, so the order is stable.
"""

from __future__ import annotations

from collections.abc import Callable

from staticgraph.backends.native.ir import vector
from staticgraph.backends.native.kernels.code import KernelCode
from staticgraph.backends.native.lower.scan import carried
from staticgraph.backends.native.order.keys import key_of
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Rows that are not longer are sorted here.
MOST = 192
# How many vectors of keys are ranked side by side.
_SIDE = 2


class ShortOrder:
    """The code that finds the order of one row, in a kernel that does so again and again."""

    def __init__(self, kernel: KernelCode, dtype: DType, key: DType, descending: bool) -> None:
        self.kernel, self.code = kernel, kernel.code
        self.dtype, self.key = dtype, key
        self.descending = descending
        self.lanes = kernel.program.options.vector_bytes // key.itemsize
        self.block = _SIDE * self.lanes
        self.element = f"i{8 * key.itemsize}"
        self.type = vector(self.element, self.lanes)
        # Whole blocks are read; what lies behind the last key counts for nothing.
        room = -(-MOST // self.block) * self.block
        self.keys = self.code.stack(f"[{room} x {self.element}]")
        self.ranks = self.code.stack(f"[{room} x {self.element}]")
        self.code.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        self.code.do(
            f"call void @llvm.memset.p0.i64(ptr {self.keys}, i8 0, i64 {room * key.itemsize}, "
            "i1 false)"
        )

    def sort(self, elements: str, target: str, size: str) -> None:
        """Writes the int64 places of the `size` elements at a pointer, in order, to another one."""
        kernel, dtype = self.kernel, self.dtype

        def convert(index: str, s: Scalars) -> None:
            x = kernel.load(dtype, kernel.offset(elements, dtype, index), s.lanes)
            key = key_of(s, x, self.descending, one_zero=True)
            kernel.store(key, kernel.offset(self.keys, self.key, index), s.lanes)

        kernel.vectors("0", size, self.lanes, convert)
        kernel.loop("0", size, lambda begin: self._rank(begin, size), self.block)

        def move(index: str) -> None:
            rank = kernel.load(self.key, kernel.offset(self.ranks, self.key, index)).text
            if self.element != "i64":
                rank = self.code.let(f"zext {self.element} {rank} to i64")
            place = kernel.offset(target, dtypes.int64, rank)
            kernel.store(Register(index, dtypes.int64), place)

        kernel.loop("0", size, move)

    def _rank(self, begin: str, size: str) -> None:
        """Counts for a block of keys how many come before each."""
        code, kernel = self.code, self.kernel
        own: list[str] = []
        numbers: list[str] = []
        for part in range(_SIDE):
            here = code.let(f"add i64 {begin}, {part * self.lanes}")
            own.append(
                kernel.load(self.key, kernel.offset(self.keys, self.key, here), self.lanes).text
            )
            lanes = ", ".join(f"{self.element} {lane}" for lane in range(self.lanes))
            numbers.append(code.let(f"add {self.type} {self._splat_of(here)}, <{lanes}>"))
        end = code.let(f"add i64 {begin}, {self.block}")
        inside = code.intrinsic("smin.i64", "i64", [("i64", end), ("i64", size)])

        def before(index: str, other: str, part: int) -> str:
            return code.let(f"icmp ule {self.type} {other}, {own[part]}")

        def among(index: str, other: str, part: int) -> str:
            smaller = code.let(f"icmp ult {self.type} {other}, {own[part]}")
            equal = code.let(f"icmp eq {self.type} {other}, {own[part]}")
            first = code.let(f"icmp ult {self.type} {self._splat_of(index)}, {numbers[part]}")
            bits = vector("i1", self.lanes)
            return code.let(f"or {bits} {smaller}, {code.let(f'and {bits} {equal}, {first}')}")

        def behind(index: str, other: str, part: int) -> str:
            return code.let(f"icmp ult {self.type} {other}, {own[part]}")

        ranks = ["zeroinitializer"] * _SIDE
        for start, stop, rule in (
            ("0", begin, before), (begin, inside, among), (inside, size, behind),
        ):  # fmt: skip
            ranks = self._counted(start, stop, ranks, rule)
        for part, rank in enumerate(ranks):
            here = code.let(f"add i64 {begin}, {part * self.lanes}")
            kernel.store(
                Register(rank, self.key), kernel.offset(self.ranks, self.key, here), self.lanes
            )

    def _counted(
        self, begin: str, end: str, ranks: list[str], rule: Callable[[str, str, int], str]
    ) -> list[str]:
        """The ranks after a loop over keys, of which `rule` says where they come before."""
        code, kernel = self.code, self.kernel

        def count(index: str, now: list[str]) -> list[str]:
            key = kernel.load(self.key, kernel.offset(self.keys, self.key, index)).text
            other = self._splat(key)
            following = []
            for part, rank in enumerate(now):
                hit = rule(index, other, part)
                one = code.let(f"sext {vector('i1', self.lanes)} {hit} to {self.type}")
                following.append(code.let(f"sub {self.type} {rank}, {one}"))
            return following

        return carried(code, begin, end, 1, [(self.type, rank) for rank in ranks], count)

    def _splat(self, text: str) -> str:
        """One key in every lane."""
        single = self.code.let(f"insertelement {self.type} poison, {self.element} {text}, i64 0")
        return self.code.let(
            f"shufflevector {self.type} {single}, {self.type} poison, "
            f"<{self.lanes} x i32> zeroinitializer"
        )

    def _splat_of(self, number: str) -> str:
        """An i64 in every lane."""
        if self.element != "i64":
            number = self.code.let(f"trunc i64 {number} to {self.element}")
        return self._splat(number)
