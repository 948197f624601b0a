"""Contexts: what one call of machine code has to itself, and where its fields are.

A context is a block of memory that every call of ``sg_main`` is given: the memory it may use, the
number of threads, what went wrong. One call uses it at a time; it is reused from call to call. The
offsets below are the only knowledge of its layout; machine code and Python both read them here.
"""

from __future__ import annotations

# Offsets in bytes; every field is 8 bytes wide unless it says otherwise.

# -- the call --------------------------------------------------------------------------------------
# The PyThreadState that sg_release_gil saved; null while the GIL is held.
THREAD_STATE = 0
# Nonzero while a call uses the context: from sg_enter to sg_leave.
IN_USE = 8
# A table of pointers, one per result of the Function, and the description of inputs and results;
# both belong to the trampoline.
OUTPUTS = 16
SPEC = 24
# What sg_host_call calls, and the pointer and the number that it passes on.
HOST_FUNCTION = 32
HOST_POINTER = 40
HOST_NUMBER = 48
# Nonzero when results may be written into the variables' own buffers.
IN_PLACE = 56
# Eight numbers with which a failing site says what it found (sizes, an index, a value's bits).
FAILURE = 64
FAILURE_SLOTS = 8

# -- memory ----------------------------------------------------------------------------------------
# Bytes that sg_alloc may have given out at one time; NO_LIMIT when there is no limit.
MEMORY_LIMIT = 128
# Bytes given out now, and the most in this call; rounding and headers count.
MEMORY_NOW = 136
MEMORY_PEAK = 144
# How many bytes were asked for when sg_alloc gave null; 0 when it never did in this call.
MEMORY_REFUSED = 152
# Nonzero: every block has guard bytes around it, which sg_free and sg_leave look at.
CHECKED = 160
# What a look at the guard bytes found first: what kind of damage (see memory.DAMAGES; 0: none), at
# which block, and how many bytes had been asked for.
DAMAGE = 168
DAMAGE_BLOCK = 176
DAMAGE_BYTES = 184
# Bytes of address space that the context has from the system; pages never written cost nothing.
MEMORY_HELD = 192
NO_LIMIT = (1 << 63) - 1

# -- polling and threads ---------------------------------------------------------------------------
# How many calls of sg_poll until the next look at the clock, and the time of the next look for
# signals, in nanoseconds: 0 before the first, NO_LIMIT when no signal may stop the call any more.
POLL_COUNT = 200
POLL_TIME = 208
# Nonzero when the call runs on Python's main thread, the only one that sees signals.
ON_MAIN_THREAD = 216
# How many threads sg_parallel_for may use, this one included.
THREADS = 224
# The next context that nobody uses, while this one is not used.
NEXT_IDLE = 232

# -- room for the trampoline -----------------------------------------------------------------------
TRAMPOLINE = 256
TRAMPOLINE_SLOTS = 32

# -- the allocator's own, see memory.py ------------------------------------------------------------
ALLOCATOR = 512
SIZE = 4096
