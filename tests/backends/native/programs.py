"""Small programs in LLVM IR that use the runtime the way generated code does."""

from __future__ import annotations

import ctypes
from functools import cache

from staticgraph.backends.native import jit, runtime

TEXT = """
declare ptr @sg_alloc(ptr, i64)
declare void @sg_free(ptr, ptr)
declare i32 @sg_poll(ptr)
declare i32 @sg_parallel_for(ptr, ptr, ptr, i64, i64)
declare void @sg_release_gil(ptr)
declare void @sg_acquire_gil(ptr)

; arguments: an array of i64, how much work an element is, an array of one i64 per chunk, the grain.
; Element i becomes what a random number generator makes of i; the chunk's number counts its runs.
define void @fill(ptr %arguments, i64 %lo, i64 %hi) {
entry:
  %out = load ptr, ptr %arguments
  %work_at = getelementptr i64, ptr %arguments, i64 1
  %work = load i64, ptr %work_at
  %runs_at = getelementptr i64, ptr %arguments, i64 2
  %runs = load ptr, ptr %runs_at
  %grain_at = getelementptr i64, ptr %arguments, i64 3
  %grain = load i64, ptr %grain_at
  %chunk = sdiv i64 %lo, %grain
  %run_at = getelementptr i64, ptr %runs, i64 %chunk
  %before = atomicrmw add ptr %run_at, i64 1 seq_cst, align 8
  br label %next
next:
  %i = phi i64 [ %lo, %entry ], [ %i1, %store ]
  %some = icmp slt i64 %i, %hi
  br i1 %some, label %element, label %done
element:
  br label %step
step:
  %k = phi i64 [ 0, %element ], [ %k1, %step ]
  %x = phi i64 [ %i, %element ], [ %x2, %step ]
  %x1 = mul i64 %x, 6364136223846793005
  %x2 = add i64 %x1, 1442695040888963407
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %work
  br i1 %more, label %step, label %store
store:
  %at = getelementptr i64, ptr %out, i64 %i
  store i64 %x2, ptr %at
  %i1 = add i64 %i, 1
  br label %next
done:
  ret void
}

; Two chunks. The first waits until the second has begun, which goes on for a while and then writes
; its number; `arguments`: whether it has begun, and that number.
define void @meet(ptr %arguments, i64 %lo, i64 %hi) {
entry:
  %number_at = getelementptr i64, ptr %arguments, i64 1
  %first = icmp eq i64 %lo, 0
  br i1 %first, label %wait, label %begin
wait:
  %begun = load atomic i64, ptr %arguments seq_cst, align 8
  %go = icmp ne i64 %begun, 0
  br i1 %go, label %done, label %wait
begin:
  store atomic i64 1, ptr %arguments seq_cst, align 8
  br label %step
step:
  %k = phi i64 [ 0, %begin ], [ %k1, %step ]
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, 20000000
  br i1 %more, label %step, label %write
write:
  store i64 %k1, ptr %number_at
  br label %done
done:
  ret void
}

define i32 @meet_for(ptr %ctx, ptr %arguments) {
  call void @sg_release_gil(ptr %ctx)
  %a = call i32 @sg_parallel_for(ptr %ctx, ptr @meet, ptr %arguments, i64 2, i64 1)
  call void @sg_acquire_gil(ptr %ctx)
  ret i32 %a
}

define void @nothing(ptr %arguments, i64 %lo, i64 %hi) {
  ret void
}

define i32 @fill_for(ptr %ctx, ptr %arguments, i64 %total, i64 %grain, i64 %times) {
  call void @sg_release_gil(ptr %ctx)
  %a = call i32 @repeat(ptr %ctx, ptr @fill, ptr %arguments, i64 %total, i64 %grain, i64 %times)
  call void @sg_acquire_gil(ptr %ctx)
  ret i32 %a
}

define i32 @nothing_for(ptr %ctx, ptr %arguments, i64 %total, i64 %grain, i64 %times) {
  %a = call i32 @repeat(ptr %ctx, ptr @nothing, ptr %arguments, i64 %total, i64 %grain, i64 %times)
  call void @sg_acquire_gil(ptr %ctx)
  ret i32 %a
}

define i32 @repeat(ptr %ctx, ptr %kernel, ptr %args, i64 %total, i64 %grain, i64 %times) {
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k1, %next ]
  %answer = call i32 @sg_parallel_for(ptr %ctx, ptr %kernel, ptr %args, i64 %total, i64 %grain)
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %times
  %fine = icmp eq i32 %answer, 0
  %on = and i1 %more, %fine
  br i1 %on, label %next, label %done
done:
  ret i32 %answer
}

; Allocates and frees `pairs` times, with `live` blocks of `bytes` (and 64 more from one to the
; next) given out at a time.
define i32 @churn(ptr %ctx, i64 %bytes, i64 %live, i64 %pairs) {
entry:
  %table_bytes = mul i64 %live, 8
  %table = call ptr @sg_alloc(ptr %ctx, i64 %table_bytes)
  br label %clear
clear:
  %c = phi i64 [ 0, %entry ], [ %c1, %clear ]
  %c_at = getelementptr ptr, ptr %table, i64 %c
  store ptr null, ptr %c_at
  %c1 = add i64 %c, 1
  %c_more = icmp slt i64 %c1, %live
  br i1 %c_more, label %clear, label %next
next:
  %k = phi i64 [ 0, %clear ], [ %k1, %next ]
  %place = phi i64 [ 0, %clear ], [ %place2, %next ]
  %at = getelementptr ptr, ptr %table, i64 %place
  %old = load ptr, ptr %at
  call void @sg_free(ptr %ctx, ptr %old)
  %more_bytes = mul i64 %place, 64
  %size = add i64 %bytes, %more_bytes
  %new = call ptr @sg_alloc(ptr %ctx, i64 %size)
  store ptr %new, ptr %at
  %k1 = add i64 %k, 1
  %place1 = add i64 %place, 1
  %wraps = icmp eq i64 %place1, %live
  %place2 = select i1 %wraps, i64 0, i64 %place1
  %more = icmp slt i64 %k1, %pairs
  br i1 %more, label %next, label %last
last:
  %f = phi i64 [ 0, %next ], [ %f1, %last ]
  %f_at = getelementptr ptr, ptr %table, i64 %f
  %f_old = load ptr, ptr %f_at
  call void @sg_free(ptr %ctx, ptr %f_old)
  %f1 = add i64 %f, 1
  %f_more = icmp slt i64 %f1, %live
  br i1 %f_more, label %last, label %done
done:
  call void @sg_free(ptr %ctx, ptr %table)
  ret i32 0
}

; 1 when the GIL can be released and acquired twice each.
define i32 @gil_twice(ptr %ctx) {
  call void @sg_release_gil(ptr %ctx)
  call void @sg_release_gil(ptr %ctx)
  call void @sg_acquire_gil(ptr %ctx)
  call void @sg_acquire_gil(ptr %ctx)
  ret i32 1
}

; Polls `times` times; 1 when interrupted, with the GIL held as at the beginning.
define i32 @poll_for(ptr %ctx, i64 %times) {
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k1, %next ]
  %answer = call i32 @sg_poll(ptr %ctx)
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %times
  %fine = icmp eq i32 %answer, 0
  %on = and i1 %more, %fine
  br i1 %on, label %next, label %done
done:
  call void @sg_acquire_gil(ptr %ctx)
  ret i32 %answer
}
"""

_MASK = (1 << 64) - 1
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64


class Programs:
    """The programs above and the runtime's own functions, callable; they hold the GIL."""

    def __init__(self) -> None:
        loaded = runtime.load()
        self.address = loaded.address
        self.alloc = self._runtime("sg_alloc", _POINTER, _POINTER, _INT)
        self.free = self._runtime("sg_free", None, _POINTER, _POINTER)
        self.poll = self._runtime("sg_poll", ctypes.c_int32, _POINTER)
        self.release_gil = self._runtime("sg_release_gil", None, _POINTER)
        self.acquire_gil = self._runtime("sg_acquire_gil", None, _POINTER)
        self._library = jit.compile_module(TEXT)
        loop = (ctypes.c_int32, _POINTER, _POINTER, _INT, _INT, _INT)
        self.fill_for = self._program("fill_for", *loop)
        self.nothing_for = self._program("nothing_for", *loop)
        self.meet_for = self._program("meet_for", ctypes.c_int32, _POINTER, _POINTER)
        self.churn = self._program("churn", ctypes.c_int32, _POINTER, _INT, _INT, _INT)
        self.gil_twice = self._program("gil_twice", ctypes.c_int32, _POINTER)
        self.poll_for = self._program("poll_for", ctypes.c_int32, _POINTER, _INT)

    def _runtime(self, name, result, *types):
        return ctypes.PYFUNCTYPE(result, *types)(self.address(name))

    def _program(self, name, result, *types):
        return ctypes.PYFUNCTYPE(result, *types)(self._library.address(name))


@cache
def programs() -> Programs:
    return Programs()


class Filled:
    """The array that `fill` writes, and how often each chunk was run."""

    def __init__(self, total: int, grain: int, work: int = 1) -> None:
        self.total, self.grain = total, grain
        self.out = (_INT * total)()
        self.runs = (_INT * (-(-total // grain)))()
        self.arguments = (_INT * 4)(
            ctypes.addressof(self.out), work, ctypes.addressof(self.runs), grain
        )

    @property
    def expected(self) -> list[int]:
        """What `fill` makes, worked out in Python, as numbers with a sign."""
        values = list(range(self.total))
        for _ in range(self.arguments[1]):
            values = [(x * 6364136223846793005 + 1442695040888963407) & _MASK for x in values]
        return [x - (1 << 64) if x >> 63 else x for x in values]

    def run(self, ctx: runtime.Context, times: int = 1) -> int:
        return programs().fill_for(ctx.pointer, self.arguments, self.total, self.grain, times)
