"""Kernels over units of work, each with memory of its own that stays in the nearest cache.

The memory of a unit is one of as many rooms as there are chunks, 32 at most: a chunk takes the
first that is free. So results do not depend on the number of threads, and few rooms are touched.
"""

from __future__ import annotations

from collections.abc import Callable

from staticgraph.backends.native.ir import Code, Module
from staticgraph.backends.native.kernels.code import KernelCode, grain_of, larger
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.sizes import ONE, Size
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node

# Simple operations per element and transform, about what the stages of a long one are.
_WORK = 32
_MOST_ROOMS = 32


def over_units(
    program: Program,
    node: Node,
    units: Size,
    places: Size,
    dtype: DType,
    body: Callable[[KernelCode, str, str], None],
) -> None:
    """Writes and calls a kernel. `body` gets it, the number of a unit, and the unit's room.

    A room is of `places` elements.
    """
    grain, chunks = None, ONE
    if units != ONE:
        grain = grain_of(program, places.times(Size(_WORK)), 1)
        grain = larger(program, grain, program.text(program.chunks(units, str(_MOST_ROOMS))))
        chunks = program.chunks(units, grain)
    rooms = program.allocate((chunks, places), dtype)
    kernel = KernelCode(program)
    room = kernel.argument(rooms.pointer, "ptr")
    if chunks == ONE:
        kernel.loop("%lo", "%hi", lambda unit: body(kernel, unit, room))
        kernel.call(program.text(units), grain)
    else:
        taken = program.allocate((chunks,), dtypes.int64)
        program.fill(taken, program.builder.constant(0, dtypes.int64), node)
        code, flags = kernel.code, kernel.argument(taken.pointer, "ptr")
        name = _room_function(code.module)
        number = code.let(f"call i64 {code.callee(name)}(ptr {flags}, i64 {kernel.size(chunks)})")
        own = kernel.offset(room, dtype, number, places)
        kernel.loop("%lo", "%hi", lambda unit: body(kernel, unit, own))
        flag = code.let(f"getelementptr i64, ptr {flags}, i64 {number}")
        code.do(f"store atomic i64 0, ptr {flag} release, align 8")
        kernel.call(program.text(units), grain)
        program.free(taken.buffer)
    program.free(rooms.buffer)


def _room_function(module: Module) -> str:
    """``i64 @fft_room(ptr flags, i64 count)``: takes a room that nobody uses; there is one."""
    name = "fft_room"
    if not module.has_function(name):
        code = Code(module, name, "i64", ("ptr %flags", "i64 %count"))
        head, further, found = [code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        number = code.phi("i64")
        number.add("0", "entry")
        place = code.let(f"getelementptr i64, ptr %flags, i64 {number.name}")
        pair = code.let(f"cmpxchg ptr {place}, i64 0, i64 1 acquire monotonic, align 8")
        code.branch(code.let(f"extractvalue {{ i64, i1 }} {pair}, 1"), found, further)
        code.begin(further)
        after = code.let(f"add i64 {number.name}, 1")
        ended = code.let(f"icmp eq i64 {after}, %count")
        number.add(code.let(f"select i1 {ended}, i64 0, i64 {after}"), further)
        code.jump(head)
        code.begin(found)
        code.do(f"ret i64 {number.name}")
        code.finish()
    return name
