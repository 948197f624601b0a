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

from staticgraph.backends.native import context

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

# The bins of free blocks, and regions.
_REGIONS = """
declare ptr @malloc(i64)
declare void @free(ptr)
declare i64 @llvm.ctlz.i64(i64, i1)
declare i64 @llvm.cttz.i64(i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define internal i64 @bin_of(i64 %bytes) {
  %zeros = call i64 @llvm.ctlz.i64(i64 %bytes, i1 true)
  %exponent = sub i64 63, %zeros
  %shift = sub i64 %exponent, 3
  %leading = lshr i64 %bytes, %shift
  %eighth = and i64 %leading, 7
  %octave = sub i64 %exponent, 12
  %first = shl i64 %octave, 3
  %bin = add i64 %first, %eighth
  %most_first = icmp ult i64 %bin, $LAST_BIN
  %most = select i1 %most_first, i64 %bin, i64 $LAST_BIN
  ret i64 %most
}

define internal void @insert(ptr %ctx, ptr %block) {
entry:
  %bytes = load i64, ptr %block[BLOCK_BYTES]
  %bin = call i64 @bin_of(i64 %bytes)
  %bins = getelementptr i8, ptr %ctx, i64 $BINS
  %list = getelementptr i64, ptr %bins, i64 %bin
  %head = load ptr, ptr %list
  store ptr %head, ptr %block[BLOCK_NEXT]
  store ptr null, ptr %block[BLOCK_PREVIOUS]
  store i64 1, ptr %block[BLOCK_FREE]
  store ptr %block, ptr %list
  %alone = icmp eq ptr %head, null
  br i1 %alone, label %mark, label %link
mark:
  %index = lshr i64 %bin, 6
  %map = getelementptr i8, ptr %ctx, i64 $BIN_MAP
  %word_at = getelementptr i64, ptr %map, i64 %index
  %word = load i64, ptr %word_at
  %place = and i64 %bin, 63
  %bit = shl i64 1, %place
  %marked = or i64 %word, %bit
  store i64 %marked, ptr %word_at
  ret void
link:
  store ptr %block, ptr %head[BLOCK_PREVIOUS]
  ret void
}

define internal void @remove(ptr %ctx, ptr %block) {
entry:
  %next = load ptr, ptr %block[BLOCK_NEXT]
  %previous = load ptr, ptr %block[BLOCK_PREVIOUS]
  store i64 0, ptr %block[BLOCK_FREE]
  %last = icmp eq ptr %next, null
  br i1 %last, label %forward, label %backward
backward:
  store ptr %previous, ptr %next[BLOCK_PREVIOUS]
  br label %forward
forward:
  %first = icmp eq ptr %previous, null
  br i1 %first, label %head, label %middle
middle:
  store ptr %next, ptr %previous[BLOCK_NEXT]
  ret void
head:
  %bytes = load i64, ptr %block[BLOCK_BYTES]
  %bin = call i64 @bin_of(i64 %bytes)
  %bins = getelementptr i8, ptr %ctx, i64 $BINS
  %list = getelementptr i64, ptr %bins, i64 %bin
  store ptr %next, ptr %list
  br i1 %last, label %unmark, label %done
unmark:
  %index = lshr i64 %bin, 6
  %map = getelementptr i8, ptr %ctx, i64 $BIN_MAP
  %word_at = getelementptr i64, ptr %map, i64 %index
  %word = load i64, ptr %word_at
  %place = and i64 %bin, 63
  %bit = shl i64 1, %place
  %others = xor i64 %bit, -1
  %kept = and i64 %word, %others
  store i64 %kept, ptr %word_at
  br label %done
done:
  ret void
}

; A free block of at least `bytes`, still in its bin, or null. The bin that `bytes` belongs to may
; hold blocks that are too small, so a few of it are looked at: what a call frees it asks for again.
define internal ptr @find(ptr %ctx, i64 %bytes) {
entry:
  %bin = call i64 @bin_of(i64 %bytes)
  %bins = getelementptr i8, ptr %ctx, i64 $BINS
  %list = getelementptr i64, ptr %bins, i64 %bin
  %head = load ptr, ptr %list
  br label %walk
walk:
  %block = phi ptr [ %head, %entry ], [ %after, %more ]
  %seen = phi i64 [ 0, %entry ], [ %seen1, %more ]
  %end = icmp eq ptr %block, null
  %enough = icmp eq i64 %seen, 16
  %stop = or i1 %end, %enough
  br i1 %stop, label %larger, label %look
look:
  %has = load i64, ptr %block[BLOCK_BYTES]
  %fits = icmp uge i64 %has, %bytes
  br i1 %fits, label %found, label %more
more:
  %after = load ptr, ptr %block[BLOCK_NEXT]
  %seen1 = add i64 %seen, 1
  br label %walk
found:
  ret ptr %block
larger:
  %from = add i64 %bin, 1
  %from_word = lshr i64 %from, 6
  %from_bit = and i64 %from, 63
  %from_mask = shl i64 -1, %from_bit
  %map = getelementptr i8, ptr %ctx, i64 $BIN_MAP
  br label %words
words:
  %index = phi i64 [ %from_word, %larger ], [ %index1, %empty ]
  %mask = phi i64 [ %from_mask, %larger ], [ -1, %empty ]
  %out = icmp ugt i64 %index, 3
  br i1 %out, label %none, label %word
word:
  %word_at = getelementptr i64, ptr %map, i64 %index
  %bits = load i64, ptr %word_at
  %usable = and i64 %bits, %mask
  %nothing = icmp eq i64 %usable, 0
  br i1 %nothing, label %empty, label %hit
empty:
  %index1 = add i64 %index, 1
  br label %words
hit:
  %bit = call i64 @llvm.cttz.i64(i64 %usable, i1 true)
  %base = shl i64 %index, 6
  %which = add i64 %base, %bit
  %its_list = getelementptr i64, ptr %bins, i64 %which
  %its_head = load ptr, ptr %its_list
  ret ptr %its_head
none:
  ret ptr null
}

; Makes the whole of a region one free block.
define internal void @format(ptr %ctx, ptr %region) {
  %bytes = load i64, ptr %region[REGION_BYTES]
  %block = getelementptr i8, ptr %region, i64 $REGION_FIRST
  store i64 %bytes, ptr %block[BLOCK_BYTES]
  store i64 -1, ptr %block[BLOCK_CLASS]
  store ptr null, ptr %block[BLOCK_BEFORE]
  %fence = getelementptr i8, ptr %block, i64 %bytes
  store i64 0, ptr %fence[BLOCK_FREE]
  call void @insert(ptr %ctx, ptr %block)
  ret void
}

define internal void @clear_lists(ptr %ctx) {
  %lists = getelementptr i8, ptr %ctx, i64 $SMALL_LISTS
  call void @llvm.memset.p0.i64(ptr %lists, i8 0, i64 $LISTS_BYTES, i1 false)
  store ptr null, ptr %ctx[LIVE]
  ret void
}

; Takes back whatever was given out.
define internal void @reclaim(ptr %ctx) {
entry:
  call void @clear_lists(ptr %ctx)
  store i64 0, ptr %ctx[MEMORY_NOW]
  %first = load ptr, ptr %ctx[REGIONS]
  br label %next
next:
  %region = phi ptr [ %first, %entry ], [ %after, %some ]
  %end = icmp eq ptr %region, null
  br i1 %end, label %done, label %some
some:
  call void @format(ptr %ctx, ptr %region)
  %after = load ptr, ptr %region[REGION_NEXT]
  br label %next
done:
  ret void
}

; Gives the regions of which no byte is used back to the system.
define internal void @give_free_regions_back(ptr %ctx) {
entry:
  %list = getelementptr i8, ptr %ctx, i64 $REGIONS
  br label %next
next:
  %link = phi ptr [ %list, %entry ], [ %its_link, %kept ], [ %link, %free ]
  %region = load ptr, ptr %link
  %end = icmp eq ptr %region, null
  br i1 %end, label %done, label %some
some:
  %its_link = getelementptr i8, ptr %region, i64 $REGION_NEXT
  %bytes = load i64, ptr %region[REGION_BYTES]
  %block = getelementptr i8, ptr %region, i64 $REGION_FIRST
  %block_bytes = load i64, ptr %block[BLOCK_BYTES]
  %unused = load i64, ptr %block[BLOCK_FREE]
  %whole = icmp eq i64 %bytes, %block_bytes
  %any = icmp ne i64 %unused, 0
  %all = and i1 %whole, %any
  br i1 %all, label %free, label %kept
kept:
  br label %next
free:
  call void @remove(ptr %ctx, ptr %block)
  %after = load ptr, ptr %its_link
  store ptr %after, ptr %link
  %held = load i64, ptr %ctx[MEMORY_HELD]
  %less = sub i64 %held, %bytes
  store i64 %less, ptr %ctx[MEMORY_HELD]
  %address = load ptr, ptr %region[REGION_ADDRESS]
  call void @free(ptr %address)
  br label %next
done:
  ret void
}

; Gives everything back to the system; nothing may be in use.
define internal void @give_all_back(ptr %ctx) {
  call void @reclaim(ptr %ctx)
  call void @give_free_regions_back(ptr %ctx)
  store i64 0, ptr %ctx[MEMORY_MOST]
  ret void
}

; Adds a region in which a block of `bytes` is free; whether there was memory for it. A region is as
; large as all before it, so there are few, and less large when the system does not give so much.
define internal i1 @add_region(ptr %ctx, i64 %bytes) {
entry:
  call void @give_free_regions_back(ptr %ctx)
  %held = load i64, ptr %ctx[MEMORY_HELD]
  %wish = load i64, ptr %ctx[REGION_WISH]
  %m0_first = icmp ugt i64 %held, %wish
  %m0 = select i1 %m0_first, i64 %held, i64 %wish
  %m1_first = icmp ugt i64 %m0, $LEAST_REGION
  %m1 = select i1 %m1_first, i64 %m0, i64 $LEAST_REGION
  %generous_first = icmp ugt i64 %m1, %bytes
  %generous = select i1 %generous_first, i64 %m1, i64 %bytes
  br label %ask
ask:
  %size = phi i64 [ %generous, %entry ], [ %bytes, %again ]
  %total = add i64 %size, $REGION_EXTRA
  %address = call ptr @malloc(i64 %total)
  %refused = icmp eq ptr %address, null
  br i1 %refused, label %failed, label %made
failed:
  %exact = icmp eq i64 %size, %bytes
  br i1 %exact, label %none, label %again
again:
  br label %ask
none:
  ret i1 false
made:
  %number = ptrtoint ptr %address to i64
  %up = add i64 %number, 63
  %aligned = and i64 %up, -64
  %gap = sub i64 %aligned, %number
  %region = getelementptr i8, ptr %address, i64 %gap
  store ptr %address, ptr %region[REGION_ADDRESS]
  store i64 %size, ptr %region[REGION_BYTES]
  %others = load ptr, ptr %ctx[REGIONS]
  store ptr %others, ptr %region[REGION_NEXT]
  store ptr %region, ptr %ctx[REGIONS]
  %held1 = load i64, ptr %ctx[MEMORY_HELD]
  %held2 = add i64 %held1, %size
  store i64 %held2, ptr %ctx[MEMORY_HELD]
  call void @format(ptr %ctx, ptr %region)
  ret i1 true
}

; A block of `bytes`, header included, or null.
define internal ptr @take(ptr %ctx, i64 %bytes) {
entry:
  %old = call ptr @find(ptr %ctx, i64 %bytes)
  %missing = icmp eq ptr %old, null
  br i1 %missing, label %grow, label %use
grow:
  %grown = call i1 @add_region(ptr %ctx, i64 %bytes)
  br i1 %grown, label %retry, label %none
retry:
  %new = call ptr @find(ptr %ctx, i64 %bytes)
  br label %use
none:
  ret ptr null
use:
  %block = phi ptr [ %old, %entry ], [ %new, %retry ]
  call void @remove(ptr %ctx, ptr %block)
  %has = load i64, ptr %block[BLOCK_BYTES]
  %rest = sub i64 %has, %bytes
  %much = icmp uge i64 %rest, $LEAST_BLOCK
  br i1 %much, label %split, label %done
split:
  %other = getelementptr i8, ptr %block, i64 %bytes
  store i64 %bytes, ptr %block[BLOCK_BYTES]
  store i64 %rest, ptr %other[BLOCK_BYTES]
  store i64 -1, ptr %other[BLOCK_CLASS]
  store ptr %block, ptr %other[BLOCK_BEFORE]
  %behind = getelementptr i8, ptr %other, i64 %rest
  store ptr %other, ptr %behind[BLOCK_BEFORE]
  call void @insert(ptr %ctx, ptr %other)
  br label %done
done:
  ret ptr %block
}

; Frees a block that `take` gave, and joins it to its free neighbours.
define internal void @give(ptr %ctx, ptr %block) {
entry:
  %bytes = load i64, ptr %block[BLOCK_BYTES]
  %behind = getelementptr i8, ptr %block, i64 %bytes
  %behind_free = load i64, ptr %behind[BLOCK_FREE]
  %join_behind = icmp ne i64 %behind_free, 0
  br i1 %join_behind, label %swallow, label %look_before
swallow:
  call void @remove(ptr %ctx, ptr %behind)
  %more = load i64, ptr %behind[BLOCK_BYTES]
  %sum = add i64 %bytes, %more
  br label %look_before
look_before:
  %size = phi i64 [ %bytes, %entry ], [ %sum, %swallow ]
  %before = load ptr, ptr %block[BLOCK_BEFORE]
  %first = icmp eq ptr %before, null
  br i1 %first, label %settle, label %ask_before
ask_before:
  %before_free = load i64, ptr %before[BLOCK_FREE]
  %join_before = icmp ne i64 %before_free, 0
  br i1 %join_before, label %extend, label %settle
extend:
  call void @remove(ptr %ctx, ptr %before)
  %room = load i64, ptr %before[BLOCK_BYTES]
  %both = add i64 %room, %size
  br label %settle
settle:
  %whole = phi ptr [ %block, %look_before ], [ %block, %ask_before ], [ %before, %extend ]
  %total = phi i64 [ %size, %look_before ], [ %size, %ask_before ], [ %both, %extend ]
  store i64 %total, ptr %whole[BLOCK_BYTES]
  %end = getelementptr i8, ptr %whole, i64 %total
  store ptr %whole, ptr %end[BLOCK_BEFORE]
  call void @insert(ptr %ctx, ptr %whole)
  ret void
}
"""

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

TEXT = _REGIONS + _BLOCKS + _GUARDS
