"""Regions of memory from the system, and the bins of their free blocks, as LLVM IR.

``take`` gives a block of at least so many bytes, header included, and ``give`` frees it; what
memory.py makes of them, and the fields that both use, is described there. Every free block is in
the bin of its size and in no other, and the bit of a bin in the map is set when it holds a block.
"""

from __future__ import annotations

TEXT = """
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
