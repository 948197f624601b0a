"""The beginning and the end of a call, the GIL, and signals, as LLVM IR.

``sg_enter`` hands out a context and ``sg_leave`` takes it back; contexts that nobody uses wait in
a list, and what memory they keep is bounded for all of them together. Both are called with the GIL
held, which is what guards the list.

A run lets go of the GIL with ``sg_release_gil`` and takes it back with ``sg_acquire_gil``. Either
does nothing when it is already so. ``sg_poll`` is called again and again while a run lasts. It
counts most of the time, looks at the clock now and then, and every 30 ms lets Python's main thread
handle its signals. A run that lasts so long with the GIL held lets go of it then: other threads of
Python want their turn. Whoever touches Python after machine code was run acquires the GIL first.
"""

from __future__ import annotations

import sys
import time

from staticgraph.backends.native import context

# What the contexts that are not in use may keep, together.
IDLE_BYTES_LIMIT = 256 << 20

LAYOUT = {
    # @sg_idle: the list of contexts, what they keep, what they may keep, and the main thread.
    "IDLE_FIRST": 0,
    "IDLE_BYTES": 8,
    "IDLE_LIMIT": 16,
    "MAIN_THREAD": 24,
    "POLL_CALLS": 64,
    "POLL_NANOSECONDS": 30_000_000,
    "CONTEXT_BYTES": context.SIZE,
    "CONTEXT_EXTRA": context.SIZE + 64,
    "CONTEXT_ADDRESS": context.SIZE - 8,
}

_CONTEXTS = """
@sg_idle = internal global [4 x i64] zeroinitializer, align 64
declare ptr @calloc(i64, i64)
declare i64 @PyThread_get_thread_ident()

; A context for a call with so many threads and bytes; null when there is no memory for it.
define ptr @sg_enter(i64 %threads, i64 %limit, i64 %checked) {
entry:
  %waiting = load ptr, ptr @sg_idle[IDLE_FIRST]
  %none = icmp eq ptr %waiting, null
  br i1 %none, label %make, label %pop
pop:
  %next = load ptr, ptr %waiting[NEXT_IDLE]
  store ptr %next, ptr @sg_idle[IDLE_FIRST]
  %kept = load i64, ptr %waiting[MEMORY_MOST]
  %idle = load i64, ptr @sg_idle[IDLE_BYTES]
  %less = sub i64 %idle, %kept
  store i64 %less, ptr @sg_idle[IDLE_BYTES]
  br label %start
make:
  %address = call ptr @calloc(i64 1, i64 $CONTEXT_EXTRA)
  %refused = icmp eq ptr %address, null
  br i1 %refused, label %failed, label %made
made:
  %number = ptrtoint ptr %address to i64
  %up = add i64 %number, 63
  %aligned = and i64 %up, -64
  %gap = sub i64 %aligned, %number
  %new = getelementptr i8, ptr %address, i64 %gap
  store ptr %address, ptr %new[CONTEXT_ADDRESS]
  br label %start
start:
  %ctx = phi ptr [ %waiting, %pop ], [ %new, %made ]
  %guarded = icmp ne i64 %checked, 0
  %short = select i1 %guarded, i64 0, i64 $SMALL_BYTES
  store i64 %short, ptr %ctx[SHORT_PATH_BYTES]
  store i64 %checked, ptr %ctx[CHECKED]
  store i64 %limit, ptr %ctx[MEMORY_LIMIT]
  store i64 0, ptr %ctx[MEMORY_PEAK]
  store i64 0, ptr %ctx[MEMORY_REFUSED]
  store i64 0, ptr %ctx[DAMAGE]
  store i64 %threads, ptr %ctx[THREADS]
  store ptr null, ptr %ctx[THREAD_STATE]
  store i64 0, ptr %ctx[IN_PLACE]
  store i64 $POLL_CALLS, ptr %ctx[POLL_COUNT]
  store i64 0, ptr %ctx[POLL_TIME]
  store i64 1, ptr %ctx[IN_USE]
  %ident = call i64 @PyThread_get_thread_ident()
  %main = load i64, ptr @sg_idle[MAIN_THREAD]
  ; Low halves, since the number has 32 bits on some systems. Equal halves of another thread do no
  ; harm: PyErr_CheckSignals does nothing there.
  %ident_low = trunc i64 %ident to i32
  %main_low = trunc i64 %main to i32
  %is_main = icmp eq i32 %ident_low, %main_low
  %on_main = zext i1 %is_main to i64
  store i64 %on_main, ptr %ctx[ON_MAIN_THREAD]
  ret ptr %ctx
failed:
  ret ptr null
}

; Takes a context back, and with it all memory that the call still had. Nonzero when guard bytes
; were damaged: then the context is still the caller's, who reads DAMAGE and calls sg_discard.
define i32 @sg_leave(ptr %ctx) {
entry:
  %peak = load i64, ptr %ctx[MEMORY_PEAK]
  %most = load i64, ptr %ctx[MEMORY_MOST]
  %larger_first = icmp ugt i64 %peak, %most
  %larger = select i1 %larger_first, i64 %peak, i64 %most
  store i64 %larger, ptr %ctx[MEMORY_MOST]
  %checked = load i64, ptr %ctx[CHECKED]
  %guarded = icmp ne i64 %checked, 0
  br i1 %guarded, label %look, label %whole
look:
  call void @look_at_all_guards(ptr %ctx)
  %damage = load i64, ptr %ctx[DAMAGE]
  %unsound = icmp ne i64 %damage, 0
  br i1 %unsound, label %damaged, label %whole
damaged:
  ret i32 1
whole:
  %now = load i64, ptr %ctx[MEMORY_NOW]
  %unfreed = icmp ne i64 %now, 0
  br i1 %unfreed, label %take_back, label %settle
take_back:
  call void @reclaim(ptr %ctx)
  br label %settle
settle:
  ; The next call shall find its memory in one piece, or none of it when too much is kept.
  %regions = load ptr, ptr %ctx[REGIONS]
  %idle = load i64, ptr @sg_idle[IDLE_BYTES]
  %allowed = load i64, ptr @sg_idle[IDLE_LIMIT]
  %with = add i64 %idle, %larger
  %much = icmp ugt i64 %with, %allowed
  %has_none = icmp eq ptr %regions, null
  br i1 %has_none, label %push, label %count
count:
  %second = load ptr, ptr %regions[REGION_NEXT]
  %many = icmp ne ptr %second, null
  %renew = or i1 %much, %many
  br i1 %renew, label %back, label %push
back:
  %held = load i64, ptr %ctx[MEMORY_HELD]
  store i64 %held, ptr %ctx[REGION_WISH]
  call void @give_all_back(ptr %ctx)
  br label %push
push:
  %kept = load i64, ptr %ctx[MEMORY_MOST]
  %idle_then = add i64 %idle, %kept
  store i64 %idle_then, ptr @sg_idle[IDLE_BYTES]
  %first = load ptr, ptr @sg_idle[IDLE_FIRST]
  store ptr %first, ptr %ctx[NEXT_IDLE]
  store ptr %ctx, ptr @sg_idle[IDLE_FIRST]
  store i64 0, ptr %ctx[IN_USE]
  ret i32 0
}

; Gives a context and its memory back to the system instead.
define void @sg_discard(ptr %ctx) {
  call void @give_all_back(ptr %ctx)
  %address = load ptr, ptr %ctx[CONTEXT_ADDRESS]
  call void @free(ptr %address)
  ret void
}

; Gives the memory of all contexts that are not in use back to the system.
define void @sg_trim() {
entry:
  %first = load ptr, ptr @sg_idle[IDLE_FIRST]
  store ptr null, ptr @sg_idle[IDLE_FIRST]
  store i64 0, ptr @sg_idle[IDLE_BYTES]
  br label %next
next:
  %ctx = phi ptr [ %first, %entry ], [ %after, %some ]
  %end = icmp eq ptr %ctx, null
  br i1 %end, label %done, label %some
some:
  %after = load ptr, ptr %ctx[NEXT_IDLE]
  call void @sg_discard(ptr %ctx)
  br label %next
done:
  ret void
}

define i64 @sg_idle_bytes() {
  %bytes = load i64, ptr @sg_idle[IDLE_BYTES]
  ret i64 %bytes
}

define void @sg_set_idle_limit(i64 %bytes) {
  store i64 %bytes, ptr @sg_idle[IDLE_LIMIT]
  ret void
}

define void @sg_set_main_thread(i64 %ident) {
  store i64 %ident, ptr @sg_idle[MAIN_THREAD]
  ret void
}
"""

_POLLING = """
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @PyErr_CheckSignals()

define void @sg_release_gil(ptr %ctx) {
entry:
  %state = load ptr, ptr %ctx[THREAD_STATE]
  %held = icmp eq ptr %state, null
  br i1 %held, label %release, label %done
release:
  %saved = call ptr @PyEval_SaveThread()
  store ptr %saved, ptr %ctx[THREAD_STATE]
  br label %done
done:
  ret void
}

define void @sg_acquire_gil(ptr %ctx) {
entry:
  %state = load ptr, ptr %ctx[THREAD_STATE]
  %held = icmp eq ptr %state, null
  br i1 %held, label %done, label %acquire
acquire:
  call void @PyEval_RestoreThread(ptr %state)
  store ptr null, ptr %ctx[THREAD_STATE]
  br label %done
done:
  ret void
}

; Nonzero: stop, a Python exception is pending.
define i32 @sg_poll(ptr %ctx) {
entry:
  %count = load i64, ptr %ctx[POLL_COUNT]
  %fewer = sub i64 %count, 1
  store i64 %fewer, ptr %ctx[POLL_COUNT]
  %more = icmp sgt i64 %fewer, 0
  br i1 %more, label %go_on, label %look
go_on:
  ret i32 0
look:
  store i64 $POLL_CALLS, ptr %ctx[POLL_COUNT]
  %answer = call i32 @sg_poll_clock(ptr %ctx)
  ret i32 %answer
}

; The same without counting, for after work that took more than some microseconds.
define i32 @sg_poll_clock(ptr %ctx) {
entry:
  %now = call i64 @nanoseconds()
  %due = load i64, ptr %ctx[POLL_TIME]
  %early = icmp slt i64 %now, %due
  br i1 %early, label %go_on, label %later
later:
  %then = add i64 %now, $POLL_NANOSECONDS
  store i64 %then, ptr %ctx[POLL_TIME]
  ; The first look only starts the time.
  %first = icmp eq i64 %due, 0
  br i1 %first, label %go_on, label %signals
signals:
  %on_main = load i64, ptr %ctx[ON_MAIN_THREAD]
  %deaf = icmp eq i64 %on_main, 0
  br i1 %deaf, label %let_go, label %ask
ask:
  call void @sg_acquire_gil(ptr %ctx)
  %pending = call i32 @PyErr_CheckSignals()
  %fine = icmp eq i32 %pending, 0
  br i1 %fine, label %let_go, label %stop
let_go:
  call void @sg_release_gil(ptr %ctx)
  br label %go_on
go_on:
  ret i32 0
stop:
  ret i32 1
}
"""

# CLOCK_MONOTONIC where there is POSIX; a counter of milliseconds on Windows.
_POSIX_CLOCK = """
declare i32 @clock_gettime(i32, ptr)

define internal i64 @nanoseconds() {
  %time = alloca [2 x i64], align 16
  %answer = call i32 @clock_gettime(i32 $CLOCK, ptr %time)
  %seconds = load i64, ptr %time
  %fraction_at = getelementptr i64, ptr %time, i64 1
  %fraction = load i64, ptr %fraction_at
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %fraction
  ret i64 %sum
}
"""
_WINDOWS_CLOCK = """
declare i64 @GetTickCount64()

define internal i64 @nanoseconds() {
  %ticks = call i64 @GetTickCount64()
  %sum = mul i64 %ticks, 1000000
  ret i64 %sum
}
"""


if sys.platform == "win32":
    LAYOUT["CLOCK"] = 0
    _CLOCK = _WINDOWS_CLOCK
else:
    LAYOUT["CLOCK"] = time.CLOCK_MONOTONIC
    _CLOCK = _POSIX_CLOCK

TEXT = _CONTEXTS + _POLLING + _CLOCK
