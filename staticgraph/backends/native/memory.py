"""The memory of a call, as LLVM IR: ``sg_alloc`` and ``sg_free``.

Memory comes from the system in *regions*, which are address space: a page that was never written
costs nothing. A region is divided into *blocks* that lie side by side, each behind a header of 64
bytes; a freed block joins its free neighbours, and free blocks stand in *bins*, eight to a doubling
of size. A request takes a block that fits from the first bin that has one, and leaves the rest.

Requests of at most 32 KiB are met from *slabs* (blocks of 256 KiB): rounded up to one of 56 classes
(multiples of 64 bytes up to 512, then eight classes a doubling, so at most an eighth is lost), with
one list of freed blocks per class. That is the short path, a dozen loads and stores.

What always holds: a block begins at a multiple of 64; MEMORY_NOW is the sum of the blocks given
out, headers included, and never passes MEMORY_LIMIT; two neighbouring blocks are never both free;
only the thread that runs the call comes here. Nothing is given back to the system while a call
needs it, except regions that are free as a whole when a new one has to be made.

With CHECKED set, a block has 64 bytes of guard before it and at least 64 behind it, fresh memory is
filled with bytes that read as NaN, and freed memory is overwritten. Damaged guards are recorded in
the context, the first of them only.
"""

from __future__ import annotations

from staticgraph.backends.native import context, memory_regions

# What DAMAGE says, in words that follow "a block of n bytes".
DAMAGES = {
    1: "was written before its first byte",
    2: "was written behind its last byte",
    3: "was freed twice, or never given out",
}

SMALL_CLASSES = 56
SMALL_BYTES = 32 << 10
MAX_BYTES = 1 << 43
_BINS = 256

LAYOUT = {
    # The allocator's part of a context. Everything from SMALL_LISTS to REGIONS is zero when no
    # region holds a free block.
    "SMALL_LISTS": context.ALLOCATOR,
    "SMALL_NEXT": context.ALLOCATOR + 448,
    "SMALL_END": context.ALLOCATOR + 456,
    "BIN_MAP": context.ALLOCATOR + 464,
    "BINS": context.ALLOCATOR + 512,
    "REGIONS": context.ALLOCATOR + 512 + 8 * _BINS,
    "LISTS_BYTES": 512 + 8 * _BINS,
    # How large the next region should be: what several regions had together.
    "REGION_WISH": context.ALLOCATOR + 512 + 8 * _BINS + 8,
    # Requests above it leave the short path: SMALL_BYTES, or 0 when blocks are guarded.
    "SHORT_PATH_BYTES": context.ALLOCATOR + 512 + 8 * _BINS + 16,
    # The guarded blocks that are given out, in a doubly linked list.
    "LIVE": context.ALLOCATOR + 512 + 8 * _BINS + 24,
    # The largest MEMORY_PEAK since the regions were made: about what they cost.
    "MEMORY_MOST": context.ALLOCATOR + 512 + 8 * _BINS + 32,
    # The header of a block. BLOCK_CLASS is -1 for a block that does not belong to a slab; only such
    # a block has a neighbour before it (null: the first of its region) and may be FREE.
    "BLOCK_BYTES": 0,
    "BLOCK_CLASS": 8,
    "BLOCK_BEFORE": 16,
    "BLOCK_FREE": 24,
    "BLOCK_NEXT": 32,
    "BLOCK_PREVIOUS": 40,
    "HEADER": 64,
    "HEADER_AND_64": 128,
    # A region: header, blocks, and a header that is never free behind the last block.
    "REGION_NEXT": 0,
    "REGION_ADDRESS": 8,
    "REGION_BYTES": 16,
    "REGION_FIRST": 64,
    "REGION_EXTRA": 192,
    # The guard before a block.
    "GUARD_NEXT": 0,
    "GUARD_PREVIOUS": 8,
    "GUARD_BYTES": 16,
    "GUARD_STATE": 24,
    "GUARD_PATTERN": 32,
    "GUARD_PATTERN_BYTES": 32,
    "GUARD": 64,
    "GUARDS": 128,
    "GUARD_LIVE": 0x5AFE_B10C,
    "GUARD_DEAD": 0x0DEA_DB10,
    "PATTERN": 0xA5 - 256,
    "FRESH": -1,
    "FREED": 0xDB - 256,
    "MAX_BYTES": MAX_BYTES,
    "SMALL_BYTES": SMALL_BYTES,
    "LAST_BIN": _BINS - 1,
    # A free block smaller than this is not worth a header of its own.
    "LEAST_BLOCK": 4096,
    "SLAB": 256 << 10,
    # Above the largest size that the C library would keep to itself when it is freed.
    "LEAST_REGION": 64 << 20,
}

# The class of a request of `last` + 1 bytes: blocks of it hold (eighths + 1) << shift bytes.
_CLASS = """\
  %at_least = or i64 %last, 512
  %zeros = call i64 @llvm.ctlz.i64(i64 %at_least, i1 true)
  %shift = sub i64 60, %zeros
  %eighths = lshr i64 %last, %shift
  %octave = sub i64 %shift, 6
  %first = shl i64 %octave, 3
  %class = add i64 %first, %eighths"""

# What generated code calls: blocks of a size class, and the accounts.
_BLOCKS = f"""
define ptr @sg_alloc(ptr %ctx, i64 %bytes) {{
entry:
  %short = load i64, ptr %ctx[SHORT_PATH_BYTES]
  %last = sub i64 %bytes, 1
  %is_small = icmp ult i64 %last, %short
  br i1 %is_small, label %small, label %long
small:
{_CLASS}
  %lists = getelementptr i8, ptr %ctx, i64 $SMALL_LISTS
  %list = getelementptr i64, ptr %lists, i64 %class
  %block = load ptr, ptr %list
  %empty = icmp eq ptr %block, null
  br i1 %empty, label %long, label %pop
pop:
  %size = load i64, ptr %block[BLOCK_BYTES]
  %now = load i64, ptr %ctx[MEMORY_NOW]
  %limit = load i64, ptr %ctx[MEMORY_LIMIT]
  %peak = load i64, ptr %ctx[MEMORY_PEAK]
  %then = add i64 %now, %size
  %over = icmp ugt i64 %then, %limit
  br i1 %over, label %long, label %give
give:
  %next = load ptr, ptr %block[BLOCK_NEXT]
  store ptr %next, ptr %list
  store i64 %then, ptr %ctx[MEMORY_NOW]
  %most_first = icmp ugt i64 %then, %peak
  %most = select i1 %most_first, i64 %then, i64 %peak
  store i64 %most, ptr %ctx[MEMORY_PEAK]
  %payload = getelementptr i8, ptr %block, i64 $HEADER
  ret ptr %payload
long:
  %other = call ptr @alloc_long(ptr %ctx, i64 %bytes)
  ret ptr %other
}}

define void @sg_free(ptr %ctx, ptr %payload) {{
entry:
  %nothing = icmp eq ptr %payload, null
  br i1 %nothing, label %done, label %some
some:
  %at = getelementptr i8, ptr %payload, i64 -$HEADER
  %checked = load i64, ptr %ctx[CHECKED]
  %guarded = icmp ne i64 %checked, 0
  br i1 %guarded, label %unguard, label %plain
unguard:
  %inner = call ptr @unguard(ptr %ctx, ptr %payload)
  %unsound = icmp eq ptr %inner, null
  br i1 %unsound, label %done, label %plain
plain:
  %block = phi ptr [ %at, %some ], [ %inner, %unguard ]
  %class = load i64, ptr %block[BLOCK_CLASS]
  %size = load i64, ptr %block[BLOCK_BYTES]
  %now = load i64, ptr %ctx[MEMORY_NOW]
  %then = sub i64 %now, %size
  store i64 %then, ptr %ctx[MEMORY_NOW]
  %large = icmp slt i64 %class, 0
  br i1 %large, label %region, label %push
push:
  %lists = getelementptr i8, ptr %ctx, i64 $SMALL_LISTS
  %list = getelementptr i64, ptr %lists, i64 %class
  %head = load ptr, ptr %list
  store ptr %head, ptr %block[BLOCK_NEXT]
  store ptr %block, ptr %list
  ret void
region:
  call void @give(ptr %ctx, ptr %block)
  ret void
done:
  ret void
}}

; Whatever the short path does not do: the first block of a class, large blocks, guards, refusals.
define internal ptr @alloc_long(ptr %ctx, i64 %bytes) {{
entry:
  %possible = icmp ule i64 %bytes, $MAX_BYTES
  br i1 %possible, label %ask, label %refuse
ask:
  %checked = load i64, ptr %ctx[CHECKED]
  %guarded = icmp ne i64 %checked, 0
  %guards = select i1 %guarded, i64 $GUARDS, i64 0
  %wanted = add i64 %bytes, %guards
  %last0_first = icmp ugt i64 %wanted, 1
  %last0 = select i1 %last0_first, i64 %wanted, i64 1
  %last = sub i64 %last0, 1
  %is_small = icmp ult i64 %last, $SMALL_BYTES
  br i1 %is_small, label %small, label %large
small:
{_CLASS}
  %next_eighth = add i64 %eighths, 1
  %rounded = shl i64 %next_eighth, %shift
  %small_size = add i64 %rounded, $HEADER
  %small_fits = call i1 @within_limit(ptr %ctx, i64 %small_size)
  br i1 %small_fits, label %carve, label %refuse
carve:
  %carved = call ptr @take_small(ptr %ctx, i64 %class, i64 %small_size)
  br label %taken
large:
  %up = add i64 %last, $HEADER_AND_64
  %even = and i64 %up, -64
  %large_size_first = icmp ugt i64 %even, $LEAST_BLOCK
  %large_size = select i1 %large_size_first, i64 %even, i64 $LEAST_BLOCK
  %large_fits = call i1 @within_limit(ptr %ctx, i64 %large_size)
  br i1 %large_fits, label %cut, label %refuse
cut:
  %cut_block = call ptr @take(ptr %ctx, i64 %large_size)
  br label %taken
taken:
  %block = phi ptr [ %carved, %carve ], [ %cut_block, %cut ]
  %none = icmp eq ptr %block, null
  br i1 %none, label %refuse, label %account
account:
  %size = load i64, ptr %block[BLOCK_BYTES]
  %now = load i64, ptr %ctx[MEMORY_NOW]
  %then = add i64 %now, %size
  store i64 %then, ptr %ctx[MEMORY_NOW]
  %peak = load i64, ptr %ctx[MEMORY_PEAK]
  %most_first = icmp ugt i64 %then, %peak
  %most = select i1 %most_first, i64 %then, i64 %peak
  store i64 %most, ptr %ctx[MEMORY_PEAK]
  %payload = getelementptr i8, ptr %block, i64 $HEADER
  br i1 %guarded, label %guard, label %done
guard:
  %inner = call ptr @guard(ptr %ctx, ptr %block, i64 %bytes)
  ret ptr %inner
done:
  ret ptr %payload
refuse:
  store i64 %bytes, ptr %ctx[MEMORY_REFUSED]
  ret ptr null
}}

define internal i1 @within_limit(ptr %ctx, i64 %size) {{
  %now = load i64, ptr %ctx[MEMORY_NOW]
  %limit = load i64, ptr %ctx[MEMORY_LIMIT]
  %then = add i64 %now, %size
  %within = icmp ule i64 %then, %limit
  ret i1 %within
}}

; A block of a class: a freed one, or the next of the slab.
define internal ptr @take_small(ptr %ctx, i64 %class, i64 %size) {{
entry:
  %lists = getelementptr i8, ptr %ctx, i64 $SMALL_LISTS
  %list = getelementptr i64, ptr %lists, i64 %class
  %head = load ptr, ptr %list
  %empty = icmp eq ptr %head, null
  br i1 %empty, label %slab, label %pop
pop:
  %after = load ptr, ptr %head[BLOCK_NEXT]
  store ptr %after, ptr %list
  ret ptr %head
slab:
  %next = load i64, ptr %ctx[SMALL_NEXT]
  %end = load i64, ptr %ctx[SMALL_END]
  %upto = add i64 %next, %size
  %fits = icmp ule i64 %upto, %end
  br i1 %fits, label %cut, label %renew
renew:
  %fresh = call ptr @take(ptr %ctx, i64 $SLAB)
  %none = icmp eq ptr %fresh, null
  br i1 %none, label %failed, label %begin
begin:
  %address = ptrtoint ptr %fresh to i64
  %start = add i64 %address, $HEADER
  %stop = add i64 %address, $SLAB
  store i64 %stop, ptr %ctx[SMALL_END]
  br label %cut
cut:
  %at = phi i64 [ %next, %slab ], [ %start, %begin ]
  %rest = add i64 %at, %size
  store i64 %rest, ptr %ctx[SMALL_NEXT]
  %block = inttoptr i64 %at to ptr
  store i64 %size, ptr %block[BLOCK_BYTES]
  store i64 %class, ptr %block[BLOCK_CLASS]
  ret ptr %block
failed:
  ret ptr null
}}
"""

# The guards around blocks when the context is CHECKED.
_GUARDS = """
; Lays the guards into a block and fills it with what reads as NaN; where the caller may write.
define internal ptr @guard(ptr %ctx, ptr %block, i64 %bytes) {
entry:
  %guard = getelementptr i8, ptr %block, i64 $HEADER
  %payload = getelementptr i8, ptr %guard, i64 $GUARD
  %pattern = getelementptr i8, ptr %guard, i64 $GUARD_PATTERN
  call void @llvm.memset.p0.i64(ptr %pattern, i8 $PATTERN, i64 $GUARD_PATTERN_BYTES, i1 false)
  call void @llvm.memset.p0.i64(ptr %payload, i8 $FRESH, i64 %bytes, i1 false)
  %tail = getelementptr i8, ptr %payload, i64 %bytes
  %tail_bytes = call i64 @tail_bytes(ptr %block, i64 %bytes)
  call void @llvm.memset.p0.i64(ptr %tail, i8 $PATTERN, i64 %tail_bytes, i1 false)
  store i64 %bytes, ptr %guard[GUARD_BYTES]
  store i64 $GUARD_LIVE, ptr %guard[GUARD_STATE]
  store ptr null, ptr %guard[GUARD_PREVIOUS]
  %others = load ptr, ptr %ctx[LIVE]
  store ptr %others, ptr %guard[GUARD_NEXT]
  store ptr %guard, ptr %ctx[LIVE]
  %alone = icmp eq ptr %others, null
  br i1 %alone, label %done, label %link
link:
  store ptr %guard, ptr %others[GUARD_PREVIOUS]
  br label %done
done:
  ret ptr %payload
}

define internal i64 @tail_bytes(ptr %block, i64 %bytes) {
  %total = load i64, ptr %block[BLOCK_BYTES]
  %without = sub i64 %total, $HEADER_AND_64
  %tail = sub i64 %without, %bytes
  ret i64 %tail
}

; Whether so many bytes still hold the pattern.
define internal i1 @intact(ptr %from, i64 %bytes) {
entry:
  br label %next
next:
  %at = phi i64 [ 0, %entry ], [ %at1, %same ]
  %done = icmp eq i64 %at, %bytes
  br i1 %done, label %yes, label %look
look:
  %byte_at = getelementptr i8, ptr %from, i64 %at
  %byte = load i8, ptr %byte_at
  %equal = icmp eq i8 %byte, $PATTERN
  br i1 %equal, label %same, label %no
same:
  %at1 = add i64 %at, 1
  br label %next
yes:
  ret i1 true
no:
  ret i1 false
}

; Notes the damage, unless some was found before.
define internal void @damaged(ptr %ctx, i64 %kind, ptr %payload, i64 %bytes) {
entry:
  %known = load i64, ptr %ctx[DAMAGE]
  %first = icmp eq i64 %known, 0
  br i1 %first, label %note, label %done
note:
  store i64 %kind, ptr %ctx[DAMAGE]
  store ptr %payload, ptr %ctx[DAMAGE_BLOCK]
  store i64 %bytes, ptr %ctx[DAMAGE_BYTES]
  br label %done
done:
  ret void
}

define internal void @look_at_guards(ptr %ctx, ptr %guard) {
entry:
  %bytes = load i64, ptr %guard[GUARD_BYTES]
  %payload = getelementptr i8, ptr %guard, i64 $GUARD
  %pattern = getelementptr i8, ptr %guard, i64 $GUARD_PATTERN
  %front = call i1 @intact(ptr %pattern, i64 $GUARD_PATTERN_BYTES)
  br i1 %front, label %behind, label %before_damaged
before_damaged:
  ; The guard's own numbers may be gone, too, so the end of the block is not looked for.
  call void @damaged(ptr %ctx, i64 1, ptr %payload, i64 %bytes)
  ret void
behind:
  %block = getelementptr i8, ptr %guard, i64 -$HEADER
  %tail = getelementptr i8, ptr %payload, i64 %bytes
  %tail_bytes = call i64 @tail_bytes(ptr %block, i64 %bytes)
  %back = call i1 @intact(ptr %tail, i64 %tail_bytes)
  br i1 %back, label %fine, label %behind_damaged
behind_damaged:
  call void @damaged(ptr %ctx, i64 2, ptr %payload, i64 %bytes)
  ret void
fine:
  ret void
}

; The block around a guarded payload, taken off the list; null when it is damaged.
define internal ptr @unguard(ptr %ctx, ptr %payload) {
entry:
  %guard = getelementptr i8, ptr %payload, i64 -$GUARD
  %state = load i64, ptr %guard[GUARD_STATE]
  %bytes = load i64, ptr %guard[GUARD_BYTES]
  %live = icmp eq i64 %state, $GUARD_LIVE
  br i1 %live, label %look, label %foreign
foreign:
  call void @damaged(ptr %ctx, i64 3, ptr %payload, i64 %bytes)
  ret ptr null
look:
  call void @look_at_guards(ptr %ctx, ptr %guard)
  %damage = load i64, ptr %ctx[DAMAGE]
  %sound = icmp eq i64 %damage, 0
  br i1 %sound, label %unlink, label %leave
leave:
  ; Nothing that lies near a damaged block can be trusted; the call is lost anyway.
  ret ptr null
unlink:
  store i64 $GUARD_DEAD, ptr %guard[GUARD_STATE]
  %next = load ptr, ptr %guard[GUARD_NEXT]
  %previous = load ptr, ptr %guard[GUARD_PREVIOUS]
  %last = icmp eq ptr %next, null
  br i1 %last, label %forward, label %backward
backward:
  store ptr %previous, ptr %next[GUARD_PREVIOUS]
  br label %forward
forward:
  %list = getelementptr i8, ptr %ctx, i64 $LIVE
  %at_head = icmp eq ptr %previous, null
  %its_link = getelementptr i8, ptr %previous, i64 $GUARD_NEXT
  %link = select i1 %at_head, ptr %list, ptr %its_link
  store ptr %next, ptr %link
  call void @llvm.memset.p0.i64(ptr %payload, i8 $FREED, i64 %bytes, i1 false)
  %block = getelementptr i8, ptr %guard, i64 -$HEADER
  ret ptr %block
}

; Looks at the guards of every block that is given out.
define internal void @look_at_all_guards(ptr %ctx) {
entry:
  %first = load ptr, ptr %ctx[LIVE]
  br label %next
next:
  %guard = phi ptr [ %first, %entry ], [ %after, %fine ]
  %end = icmp eq ptr %guard, null
  br i1 %end, label %done, label %look
look:
  call void @look_at_guards(ptr %ctx, ptr %guard)
  %damage = load i64, ptr %ctx[DAMAGE]
  %sound = icmp eq i64 %damage, 0
  br i1 %sound, label %fine, label %done
fine:
  %after = load ptr, ptr %guard[GUARD_NEXT]
  br label %next
done:
  ret void
}
"""

TEXT = memory_regions.TEXT + _BLOCKS + _GUARDS
