"""A run, as LLVM IR: it starts, runs, keeps what it made and ends, whatever happens on the way.

Variables change at one place, the swap in `sg_call`, after everything that can fail. A run that
goes wrong before it leaves the store as it was.
"""

from __future__ import annotations

_START_AND_END = """
; Prepares a context for the plan and tells the store that a run is under way.
define internal void @start(ptr %ctx, ptr %plan, ptr %slots) nounwind {
entry:
  %outputs_at = load i64, ptr %plan[PLAN_OUTPUTS_AT]
  %outputs = getelementptr i8, ptr %slots, i64 %outputs_at
  %values_at = load i64, ptr %plan[PLAN_VALUES_AT]
  %values = getelementptr i8, ptr %slots, i64 %values_at
  %held_at = load i64, ptr %plan[PLAN_HELD_AT]
  %held = getelementptr i8, ptr %slots, i64 %held_at
  store ptr %outputs, ptr %ctx[OUTPUTS]
  store ptr %plan, ptr %ctx[SPEC]
  store ptr %values, ptr %ctx[FRAME_VALUES]
  store ptr %held, ptr %ctx[FRAME_HELD]
  store ptr null, ptr %ctx[FRAME_CONTAINER]
  store i64 0, ptr %ctx[FRAME_RESULT_BYTES]
  %count = load i64, ptr %plan[PLAN_OUTPUTS]
  br label %clear
clear:
  %k = phi i64 [ 0, %entry ], [ %k_after, %output ]
  %cleared = icmp eq i64 %k, %count
  br i1 %cleared, label %counts, label %output
output:
  %output_at = getelementptr ptr, ptr %outputs, i64 %k
  store ptr null, ptr %output_at
  %k_after = add i64 %k, 1
  br label %clear
counts:
  %store = load ptr, ptr %plan[PLAN_STORE]
  %flags = load i64, ptr %plan[PLAN_FLAGS]
  %reads = and i64 %flags, $READS
  %readers = load i64, ptr %store[STORE_READERS]
  %more = add i64 %readers, %reads
  store i64 %more, ptr %store[STORE_READERS]
  %writes = and i64 %flags, $WRITES
  %no_writing = icmp eq i64 %writes, 0
  br i1 %no_writing, label %random, label %writing
writing:
  %state = load i64, ptr %store[STORE_STATE]
  %written = or i64 %state, $WRITING
  store i64 %written, ptr %store[STORE_STATE]
  %thread = call i64 @PyThread_get_thread_ident()
  store i64 %thread, ptr %store[STORE_WRITER]
  br label %random
random:
  %key_slot = load i64, ptr %plan[PLAN_KEY_SLOT]
  %no_key = icmp slt i64 %key_slot, 0
  br i1 %no_key, label %done, label %key
key:
  %initial = and i64 %flags, $INITIAL
  %counted = icmp eq i64 %initial, 0
  %step = zext i1 %counted to i64
  %last = load i64, ptr %store[STORE_RUN]
  %number = add i64 %last, %step
  store i64 %number, ptr %store[STORE_RUN]
  %run = select i1 %counted, i64 %number, i64 0
  %seed = load i64, ptr %store[STORE_SEED]
  store i64 %seed, ptr %ctx[FRAME_KEY]
  store i64 %run, ptr %ctx[FRAME_KEY_RUN]
  %pair = getelementptr i8, ptr %ctx, i64 $FRAME_KEY
  %place = getelementptr i64, ptr %slots, i64 %key_slot
  store ptr %pair, ptr %place
  %size_at = getelementptr i64, ptr %place, i64 1
  store i64 2, ptr %size_at
  br label %done
done:
  ret void
}

; Makes the new arrays the values of the variables; the old ones take their places as outputs.
define internal void @swap(ptr %ctx, ptr %plan) nounwind {
entry:
  %count = load i64, ptr %plan[PLAN_UPDATES]
  %cells = load ptr, ptr %plan[PLAN_UPDATE_CELLS]
  %fetched = load i64, ptr %plan[PLAN_FETCHED]
  %outputs = load ptr, ptr %ctx[OUTPUTS]
  %first = getelementptr ptr, ptr %outputs, i64 %fetched
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %after, %update ]
  %end = icmp eq i64 %i, %count
  br i1 %end, label %done, label %update
update:
  %cell_at = getelementptr ptr, ptr %cells, i64 %i
  %cell = load ptr, ptr %cell_at
  %output_at = getelementptr ptr, ptr %first, i64 %i
  %new = load ptr, ptr %output_at
  %old = load ptr, ptr %cell
  store ptr %new, ptr %cell
  store ptr %old, ptr %output_at
  %after = add i64 %i, 1
  br label %next
done:
  ret void
}

define internal void @drop_all(ptr %objects, i64 %count) nounwind {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %after, %one ]
  %end = icmp eq i64 %i, %count
  br i1 %end, label %done, label %one
one:
  %place = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %place
  call void @drop(ptr %object)
  %after = add i64 %i, 1
  br label %next
done:
  ret void
}

; Gives back all that a run holds, but the context; a pending exception stays pending.
define internal void @finish(ptr %ctx, ptr %plan) nounwind {
entry:
  %type = alloca ptr
  %value = alloca ptr
  %trace = alloca ptr
  %store = load ptr, ptr %plan[PLAN_STORE]
  %flags = load i64, ptr %plan[PLAN_FLAGS]
  %reads = and i64 %flags, $READS
  %readers = load i64, ptr %store[STORE_READERS]
  %fewer = sub i64 %readers, %reads
  store i64 %fewer, ptr %store[STORE_READERS]
  %writes = and i64 %flags, $WRITES
  %wrote = icmp ne i64 %writes, 0
  br i1 %wrote, label %open, label %objects
open:
  %state = load i64, ptr %store[STORE_STATE]
  %not_writing = and i64 %state, $NOT_WRITING
  %shared = and i64 %not_writing, $NOT_EXCLUSIVE
  store i64 %shared, ptr %store[STORE_STATE]
  br label %objects
objects:
  %container = load ptr, ptr %ctx[FRAME_CONTAINER]
  call void @drop(ptr %container)
  %outputs = load ptr, ptr %ctx[OUTPUTS]
  %output_count = load i64, ptr %plan[PLAN_OUTPUTS]
  call void @drop_all(ptr %outputs, i64 %output_count)
  %held = load ptr, ptr %ctx[FRAME_HELD]
  %held_count = load i64, ptr %plan[PLAN_VARIABLES]
  call void @drop_all(ptr %held, i64 %held_count)
  %waiters = load i64, ptr %store[STORE_WAITERS]
  %waiting = icmp ne i64 %waiters, 0
  %wanted = and i1 %waiting, %wrote
  br i1 %wanted, label %wake, label %done
wake:
  call void @PyErr_Fetch(ptr %type, ptr %value, ptr %trace)
  %waker = load ptr, ptr %store[STORE_WAKE]
  %woken = call ptr @PyObject_CallNoArgs(ptr %waker)
  call void @drop(ptr %woken)
  call void @PyErr_Clear()
  %old_type = load ptr, ptr %type
  %old_value = load ptr, ptr %value
  %old_trace = load ptr, ptr %trace
  call void @PyErr_Restore(ptr %old_type, ptr %old_value, ptr %old_trace)
  br label %done
done:
  ret void
}

; Sets the exception of a run that went wrong, unless there is one.
define internal void @explain(ptr %ctx, ptr %plan, ptr %slots, i32 %code) nounwind {
entry:
  %pending = call ptr @PyErr_Occurred()
  %known = icmp ne ptr %pending, null
  br i1 %known, label %done, label %ask
ask:
  %fail = load ptr, ptr %plan[PLAN_FAIL]
  %number = sext i32 %code to i64
  %context = ptrtoint ptr %ctx to i64
  %inputs = ptrtoint ptr %slots to i64
  %ignored = call i1 @ask(ptr %fail, i64 3, i64 %number, i64 %context, i64 %inputs)
  br label %done
done:
  ret void
}
"""

_CALL = """
; Gives a cell its first array; 0 where it has one. In one step, for all threads of Python.
define i32 @sg_offer(ptr %cell, ptr %array) nounwind {
entry:
  %known = load ptr, ptr %cell
  %empty = icmp eq ptr %known, null
  br i1 %empty, label %fill, label %done
fill:
  call void @Py_IncRef(ptr %array)
  store ptr %array, ptr %cell
  br label %done
done:
  %filled = zext i1 %empty to i32
  ret i32 %filled
}

; The vectorcall function of every compiled callable.
define ptr @sg_call(ptr %callable, ptr %arguments, i64 %count_and_flag, ptr %names) nounwind {
entry:
  %stack = alloca [$FRAME_BYTES x i8], align 64
  %plan = load ptr, ptr %callable[CALLABLE_PLAN]
  %count = and i64 %count_and_flag, 9223372036854775807
  %wanted = load i64, ptr %plan[PLAN_ARGUMENTS]
  %right_count = icmp eq i64 %count, %wanted
  %no_names = icmp eq ptr %names, null
  %store = load ptr, ptr %plan[PLAN_STORE]
  %state = load i64, ptr %store[STORE_STATE]
  %refused_in = load i64, ptr %plan[PLAN_REFUSED_IN]
  %in_the_way = and i64 %state, %refused_in
  %free_way = icmp eq i64 %in_the_way, 0
  %plain = and i1 %right_count, %no_names
  %usual = and i1 %plain, %free_way
  br i1 %usual, label %frame, label %slow
slow:
  %slow_path = load ptr, ptr %callable[CALLABLE_SLOW]
  %answer = call ptr @PyObject_Vectorcall(ptr %slow_path, ptr %arguments, i64 %count_and_flag,
      ptr %names)
  ret ptr %answer
frame:
  %bytes = load i64, ptr %plan[PLAN_FRAME_BYTES]
  %small = icmp ule i64 %bytes, $FRAME_BYTES
  br i1 %small, label %inputs, label %heap
heap:
  %block = call ptr @malloc(i64 %bytes)
  %no_block = icmp eq ptr %block, null
  br i1 %no_block, label %slow, label %inputs
inputs:
  %slots = phi ptr [ %stack, %frame ], [ %block, %heap ]
  %fed = call i1 @take_arguments(ptr %plan, ptr %arguments, ptr %slots)
  br i1 %fed, label %variables, label %unusual
variables:
  %held_at = load i64, ptr %plan[PLAN_HELD_AT]
  %held = getelementptr i8, ptr %slots, i64 %held_at
  %read = call i1 @take_variables(ptr %plan, ptr %slots, ptr %held)
  br i1 %read, label %enter, label %unusual
unusual:
  br i1 %small, label %slow, label %free_slow
free_slow:
  call void @free(ptr %slots)
  br label %slow
enter:
  %threads = load i64, ptr %plan[PLAN_THREADS]
  %limit = load i64, ptr %plan[PLAN_LIMIT]
  %checked = load i64, ptr %plan[PLAN_CHECKED]
  %ctx = call ptr @sg_enter(i64 %threads, i64 %limit, i64 %checked)
  %no_context = icmp eq ptr %ctx, null
  br i1 %no_context, label %unentered, label %run
unentered:
  %held_count = load i64, ptr %plan[PLAN_VARIABLES]
  call void @drop_all(ptr %held, i64 %held_count)
  call void @explain(ptr null, ptr %plan, ptr %slots, i32 $NO_CONTEXT)
  br label %free_frame
run:
  call void @start(ptr %ctx, ptr %plan, ptr %slots)
  %flags = load i64, ptr %plan[PLAN_FLAGS]
  %long = and i64 %flags, $LONG
  %short = icmp eq i64 %long, 0
  br i1 %short, label %main, label %release
release:
  call void @sg_release_gil(ptr %ctx)
  br label %main
main:
  %function = load ptr, ptr %plan[PLAN_MAIN]
  %code = call i32 %function(ptr %ctx, ptr %slots)
  call void @sg_acquire_gil(ptr %ctx)
  %succeeded = icmp eq i32 %code, 0
  br i1 %succeeded, label %look, label %failed
look:
  %whole = call i1 @complete(ptr %ctx, ptr %plan)
  br i1 %whole, label %collect, label %failed
collect:
  %result = call ptr @results(ptr %ctx, ptr %plan)
  %no_result = icmp eq ptr %result, null
  br i1 %no_result, label %failed, label %keep
keep:
  call void @swap(ptr %ctx, ptr %plan)
  br label %end
failed:
  %why = phi i32 [ %code, %main ], [ $NO_RESULT, %look ], [ $NO_RESULT, %collect ]
  call void @explain(ptr %ctx, ptr %plan, ptr %slots, i32 %why)
  br label %end
end:
  %outcome = phi ptr [ %result, %keep ], [ null, %failed ]
  call void @finish(ptr %ctx, ptr %plan)
  %peak = load i64, ptr %ctx[MEMORY_PEAK]
  %peak_at = load ptr, ptr %plan[PLAN_PEAK]
  store i64 %peak, ptr %peak_at
  %damage = call i32 @sg_leave(ptr %ctx)
  %sound = icmp eq i32 %damage, 0
  br i1 %sound, label %free_frame, label %damaged
damaged:
  call void @PyErr_Clear()
  call void @drop(ptr %outcome)
  call void @explain(ptr %ctx, ptr %plan, ptr %slots, i32 $DAMAGED)
  call void @sg_discard(ptr %ctx)
  br label %free_frame
free_frame:
  %handed = phi ptr [ null, %unentered ], [ %outcome, %end ], [ null, %damaged ]
  br i1 %small, label %rebuild, label %free_block
free_block:
  call void @free(ptr %slots)
  br label %rebuild
rebuild:
  %builder = load ptr, ptr %plan[PLAN_REBUILD]
  %ready = icmp eq ptr %builder, null
  %nothing = icmp eq ptr %handed, null
  %done = or i1 %ready, %nothing
  br i1 %done, label %return, label %build
build:
  %given = alloca ptr
  store ptr %handed, ptr %given
  %built = call ptr @PyObject_Vectorcall(ptr %builder, ptr %given, i64 1, ptr null)
  call void @drop(ptr %handed)
  ret ptr %built
return:
  ret ptr %handed
}
"""

TEXT = _START_AND_END + _CALL
