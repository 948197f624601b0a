"""What a run asks of Python while it lasts, as LLVM IR: results, host calls, leave to commit.

Machine code comes here with the GIL held or released, and gets it back as it was. A result of no
axes is written straight into the NumPy scalar that the caller will get.

Only what is written in place cannot be taken back. `sg_commit` allows it when no other run reads
variables, makes what is still to be made, and from then on nothing interrupts the run.
"""

from __future__ import annotations

_ASKING = """
; Calls a Python function with the first `count` of three numbers; 0 when it raised.
define internal i1 @ask(ptr %function, i64 %count, i64 %a, i64 %b, i64 %c) nounwind {
entry:
  %arguments = alloca [3 x ptr]
  %second_at = getelementptr ptr, ptr %arguments, i64 1
  %third_at = getelementptr ptr, ptr %arguments, i64 2
  %first = call ptr @PyLong_FromLongLong(i64 %a)
  %second = call ptr @PyLong_FromLongLong(i64 %b)
  %third = call ptr @PyLong_FromLongLong(i64 %c)
  store ptr %first, ptr %arguments
  store ptr %second, ptr %second_at
  store ptr %third, ptr %third_at
  %no_first = icmp eq ptr %first, null
  %no_second = icmp eq ptr %second, null
  %no_third = icmp eq ptr %third, null
  %no_early = or i1 %no_first, %no_second
  %lacking = or i1 %no_early, %no_third
  br i1 %lacking, label %drop, label %call
call:
  %answer = call ptr @PyObject_Vectorcall(ptr %function, ptr %arguments, i64 %count, ptr null)
  br label %drop
drop:
  %outcome = phi ptr [ null, %entry ], [ %answer, %call ]
  call void @drop(ptr %first)
  call void @drop(ptr %second)
  call void @drop(ptr %third)
  %fine = icmp ne ptr %outcome, null
  call void @drop(ptr %outcome)
  ret i1 %fine
}

; Py_XDECREF
define internal void @drop(ptr %object) nounwind {
entry:
  %none = icmp eq ptr %object, null
  br i1 %none, label %done, label %some
some:
  call void @Py_DecRef(ptr %object)
  br label %done
done:
  ret void
}

; A Python function of the compiler, called from the middle of a run.
define i32 @sg_host_call(ptr %ctx, i32 %site, ptr %arguments) nounwind {
entry:
  %state = load ptr, ptr %ctx[THREAD_STATE]
  %released = icmp ne ptr %state, null
  call void @sg_acquire_gil(ptr %ctx)
  %plan = load ptr, ptr %ctx[SPEC]
  %host = load ptr, ptr %plan[PLAN_HOST]
  %number = sext i32 %site to i64
  %address = ptrtoint ptr %arguments to i64
  %fine = call i1 @ask(ptr %host, i64 2, i64 %number, i64 %address, i64 0)
  br i1 %released, label %release, label %done
release:
  call void @sg_release_gil(ptr %ctx)
  br label %done
done:
  %answer = select i1 %fine, i32 0, i32 1
  ret i32 %answer
}
"""

_OUTPUTS = """
; The memory of a result; null when a Python exception is set.
define ptr @sg_output(ptr %ctx, i32 %number, ptr %dims) nounwind {
entry:
  %state = load ptr, ptr %ctx[THREAD_STATE]
  %held = icmp eq ptr %state, null
  br i1 %held, label %at_once, label %acquire
at_once:
  %made = call ptr @make_output(ptr %ctx, i32 %number, ptr %dims)
  ret ptr %made
acquire:
  call void @sg_acquire_gil(ptr %ctx)
  %data = call ptr @make_output(ptr %ctx, i32 %number, ptr %dims)
  call void @sg_release_gil(ptr %ctx)
  ret ptr %data
}

define internal ptr @make_output(ptr %ctx, i32 %number, ptr %dims) nounwind {
entry:
  %k = zext i32 %number to i64
  %plan = load ptr, ptr %ctx[SPEC]
  %rows = load ptr, ptr %plan[PLAN_OUTPUT_ROWS]
  %offset = mul i64 %k, $ROW_BYTES
  %row = getelementptr i8, ptr %rows, i64 %offset
  %outputs = load ptr, ptr %ctx[OUTPUTS]
  %output_at = getelementptr ptr, ptr %outputs, i64 %k
  %kind = load i64, ptr %row[OUTPUT_KIND]
  switch i64 %kind, label %array [
    i64 $SCALAR, label %scalar
    i64 $BOOL, label %truth
    i64 $MISFIT, label %refuse
  ]
truth:
  ; There are two objects for it; which one is known when the run has ended.
  %values = load ptr, ptr %ctx[FRAME_VALUES]
  %truth_at = getelementptr i64, ptr %values, i64 %k
  ret ptr %truth_at
scalar:
  %type = load ptr, ptr %row[OUTPUT_SCALAR]
  %allocate = load ptr, ptr %row[OUTPUT_ALLOCATE]
  %number_object = call ptr %allocate(ptr %type, i64 0)
  %no_number = icmp eq ptr %number_object, null
  br i1 %no_number, label %refuse, label %number_made
number_made:
  store ptr %number_object, ptr %output_at
  %value_at = getelementptr i8, ptr %number_object, i64 $SCALAR_VALUE
  ret ptr %value_at
array:
  %ndim = load i64, ptr %row[OUTPUT_NDIM]
  %in_place = load i64, ptr %ctx[IN_PLACE]
  %variable = load i64, ptr %row[OUTPUT_OVERWRITES]
  %fixed = icmp eq i64 %in_place, 0
  %no_variable = icmp slt i64 %variable, 0
  %fresh = or i1 %fixed, %no_variable
  br i1 %fresh, label %check, label %overwrite
overwrite:
  %held = load ptr, ptr %ctx[FRAME_HELD]
  %held_at = getelementptr ptr, ptr %held, i64 %variable
  %old = load ptr, ptr %held_at
  call void @Py_IncRef(ptr %old)
  br label %made
check:
  %wanted = load ptr, ptr %row[OUTPUT_DIMS]
  %unchecked = icmp eq ptr %wanted, null
  br i1 %unchecked, label %limit, label %axis
axis:
  %i = phi i64 [ 0, %check ], [ %next, %fits ]
  %checked = icmp eq i64 %i, %ndim
  br i1 %checked, label %limit, label %compare
compare:
  %want_at = getelementptr i64, ptr %wanted, i64 %i
  %want = load i64, ptr %want_at
  %have_at = getelementptr i64, ptr %dims, i64 %i
  %have = load i64, ptr %have_at
  %same = icmp eq i64 %have, %want
  %any = icmp slt i64 %want, 0
  %fit = or i1 %same, %any
  br i1 %fit, label %fits, label %refuse
fits:
  %next = add i64 %i, 1
  br label %axis
limit:
  %enough = call i1 @within_memory_limit(ptr %ctx, ptr %row, i64 %ndim, ptr %dims)
  br i1 %enough, label %allocate_array, label %refuse
allocate_array:
  %dtype = load ptr, ptr %row[OUTPUT_DTYPE]
  call void @Py_IncRef(ptr %dtype)
  %axes = trunc i64 %ndim to i32
  %array_type = load ptr, ptr @sg_objects[ARRAY_TYPE]
  %array_object = call ptr @sg_new_array(ptr %array_type, ptr %dtype, i32 %axes, ptr %dims,
      ptr null, ptr null, i32 0, ptr null)
  %no_array = icmp eq ptr %array_object, null
  br i1 %no_array, label %refuse, label %made
made:
  %object = phi ptr [ %old, %overwrite ], [ %array_object, %allocate_array ]
  store ptr %object, ptr %output_at
  %data = load ptr, ptr %object[ARRAY_DATA]
  ret ptr %data
refuse:
  call void @PyErr_Clear()
  %misfit = load ptr, ptr %plan[PLAN_MISFIT]
  %context = ptrtoint ptr %ctx to i64
  %sizes = ptrtoint ptr %dims to i64
  %ignored = call i1 @ask(ptr %misfit, i64 3, i64 %k, i64 %context, i64 %sizes)
  ret ptr null
}

; Counts the bytes of a result against what the run may use; 0 where it is too much.
define internal i1 @within_memory_limit(ptr %ctx, ptr %row, i64 %ndim, ptr %dims) nounwind {
entry:
  %most = load i64, ptr %ctx[MEMORY_LIMIT]
  %unlimited = icmp eq i64 %most, $NO_LIMIT
  br i1 %unlimited, label %fine, label %start
start:
  %item = load i64, ptr %row[OUTPUT_ITEM_BYTES]
  br label %axis
axis:
  %i = phi i64 [ 0, %start ], [ %next, %more ]
  %bytes = phi i64 [ %item, %start ], [ %larger, %more ]
  %end = icmp eq i64 %i, %ndim
  br i1 %end, label %sum, label %multiply
multiply:
  %size_at = getelementptr i64, ptr %dims, i64 %i
  %size = load i64, ptr %size_at
  %pair = call {i64, i1} @llvm.umul.with.overflow.i64(i64 %bytes, i64 %size)
  %larger = extractvalue {i64, i1} %pair, 0
  %overflow = extractvalue {i64, i1} %pair, 1
  br i1 %overflow, label %refuse, label %more
more:
  %next = add i64 %i, 1
  br label %axis
sum:
  %results = load i64, ptr %ctx[FRAME_RESULT_BYTES]
  %now = load i64, ptr %ctx[MEMORY_NOW]
  %used = add i64 %results, %now
  %left = sub i64 %most, %used
  %fits = icmp sle i64 %bytes, %left
  %small = icmp sge i64 %bytes, 0
  %right = and i1 %fits, %small
  br i1 %right, label %count, label %refuse
count:
  %counted = add i64 %results, %bytes
  store i64 %counted, ptr %ctx[FRAME_RESULT_BYTES]
  br label %fine
fine:
  ret i1 true
refuse:
  ret i1 false
}

; Decides whether variables may be written in place; nonzero when a Python exception is set.
define i32 @sg_commit(ptr %ctx) nounwind {
entry:
  %state = load ptr, ptr %ctx[THREAD_STATE]
  %released = icmp ne ptr %state, null
  call void @sg_acquire_gil(ptr %ctx)
  %plan = load ptr, ptr %ctx[SPEC]
  %flags = load i64, ptr %plan[PLAN_FLAGS]
  %overwrites = and i64 %flags, $OVERWRITES
  %no_overwriting = icmp eq i64 %overwrites, 0
  br i1 %no_overwriting, label %done, label %readers
readers:
  ; One reader is this run itself.
  %store = load ptr, ptr %plan[PLAN_STORE]
  %reading = load i64, ptr %store[STORE_READERS]
  %alone = icmp eq i64 %reading, 1
  br i1 %alone, label %container, label %done
container:
  ; It has to be made while it can still fail.
  %structure = load i64, ptr %plan[PLAN_STRUCTURE]
  %single = icmp eq i64 %structure, $SINGLE
  br i1 %single, label %in_place, label %make
make:
  %made = call ptr @new_container(ptr %plan)
  %no_container = icmp eq ptr %made, null
  br i1 %no_container, label %done, label %empty
empty:
  call void @fill_with_none(ptr %plan, ptr %made)
  store ptr %made, ptr %ctx[FRAME_CONTAINER]
  br label %in_place
in_place:
  store i64 1, ptr %ctx[IN_PLACE]
  store i64 $NO_LIMIT, ptr %ctx[POLL_TIME]
  %before = load i64, ptr %store[STORE_STATE]
  %after = or i64 %before, $EXCLUSIVE
  store i64 %after, ptr %store[STORE_STATE]
  br label %done
done:
  %answer = phi i32 [ 0, %entry ], [ 0, %readers ], [ 1, %make ], [ 0, %in_place ]
  br i1 %released, label %release, label %end
release:
  call void @sg_release_gil(ptr %ctx)
  br label %end
end:
  ret i32 %answer
}
"""

_RESULTS = """
define internal ptr @new_container(ptr %plan) nounwind {
entry:
  %count = load i64, ptr %plan[PLAN_LEAVES]
  %structure = load i64, ptr %plan[PLAN_STRUCTURE]
  %as_tuple = icmp eq i64 %structure, $TUPLE
  br i1 %as_tuple, label %tuple, label %list
tuple:
  %new_tuple = call ptr @PyTuple_New(i64 %count)
  ret ptr %new_tuple
list:
  %new_list = call ptr @PyList_New(i64 %count)
  ret ptr %new_list
}

define internal void @put(ptr %plan, ptr %container, i64 %i, ptr %object) nounwind {
entry:
  %structure = load i64, ptr %plan[PLAN_STRUCTURE]
  %as_tuple = icmp eq i64 %structure, $TUPLE
  br i1 %as_tuple, label %tuple, label %list
tuple:
  %in_tuple = call i32 @PyTuple_SetItem(ptr %container, i64 %i, ptr %object)
  ret void
list:
  %in_list = call i32 @PyList_SetItem(ptr %container, i64 %i, ptr %object)
  ret void
}

; A list that Python can find must not have holes.
define internal void @fill_with_none(ptr %plan, ptr %container) nounwind {
entry:
  %none = load ptr, ptr @sg_objects[NONE]
  %count = load i64, ptr %plan[PLAN_LEAVES]
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %after, %leaf ]
  %end = icmp eq i64 %i, %count
  br i1 %end, label %done, label %leaf
leaf:
  call void @Py_IncRef(ptr %none)
  call void @put(ptr %plan, ptr %container, i64 %i, ptr %none)
  %after = add i64 %i, 1
  br label %next
done:
  ret void
}

; What stands at place `i` of what was fetched; the caller owns it.
define internal ptr @leaf(ptr %ctx, ptr %plan, i64 %i) nounwind {
entry:
  %none = load ptr, ptr @sg_objects[NONE]
  %map = load ptr, ptr %plan[PLAN_LEAF_OUTPUTS]
  %place = getelementptr i64, ptr %map, i64 %i
  %k = load i64, ptr %place
  %operation = icmp slt i64 %k, 0
  br i1 %operation, label %shared, label %output
output:
  %outputs = load ptr, ptr %ctx[OUTPUTS]
  %output_at = getelementptr ptr, ptr %outputs, i64 %k
  %object = load ptr, ptr %output_at
  store ptr null, ptr %output_at
  %is_bool = icmp eq ptr %object, null
  br i1 %is_bool, label %truth, label %own
own:
  ret ptr %object
truth:
  %values = load ptr, ptr %ctx[FRAME_VALUES]
  %truth_at = getelementptr i64, ptr %values, i64 %k
  %byte = load i8, ptr %truth_at
  %holds = icmp ne i8 %byte, 0
  %true = load ptr, ptr @sg_objects[NUMPY_TRUE]
  %false = load ptr, ptr @sg_objects[NUMPY_FALSE]
  %bool = select i1 %holds, ptr %true, ptr %false
  br label %shared
shared:
  %known = phi ptr [ %none, %entry ], [ %bool, %truth ]
  call void @Py_IncRef(ptr %known)
  ret ptr %known
}

; What is fetched, in a list, a tuple or alone; null when there is no memory for it.
define internal ptr @results(ptr %ctx, ptr %plan) nounwind {
entry:
  %structure = load i64, ptr %plan[PLAN_STRUCTURE]
  %single = icmp eq i64 %structure, $SINGLE
  br i1 %single, label %alone, label %several
alone:
  %only = call ptr @leaf(ptr %ctx, ptr %plan, i64 0)
  ret ptr %only
several:
  %ready = load ptr, ptr %ctx[FRAME_CONTAINER]
  %unready = icmp eq ptr %ready, null
  br i1 %unready, label %make, label %fill
make:
  %made = call ptr @new_container(ptr %plan)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %nothing, label %fill
fill:
  %container = phi ptr [ %ready, %several ], [ %made, %make ]
  store ptr null, ptr %ctx[FRAME_CONTAINER]
  %count = load i64, ptr %plan[PLAN_LEAVES]
  br label %next
next:
  %i = phi i64 [ 0, %fill ], [ %after, %item ]
  %end = icmp eq i64 %i, %count
  br i1 %end, label %done, label %item
item:
  %object = call ptr @leaf(ptr %ctx, ptr %plan, i64 %i)
  call void @put(ptr %plan, ptr %container, i64 %i, ptr %object)
  %after = add i64 %i, 1
  br label %next
done:
  ret ptr %container
nothing:
  ret ptr null
}

; Whether machine code has asked for every result.
define internal i1 @complete(ptr %ctx, ptr %plan) nounwind {
entry:
  %count = load i64, ptr %plan[PLAN_OUTPUTS]
  %rows = load ptr, ptr %plan[PLAN_OUTPUT_ROWS]
  %outputs = load ptr, ptr %ctx[OUTPUTS]
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %after, %there ]
  %row = phi ptr [ %rows, %entry ], [ %row_after, %there ]
  %end = icmp eq i64 %k, %count
  br i1 %end, label %done, label %look
look:
  %output_at = getelementptr ptr, ptr %outputs, i64 %k
  %object = load ptr, ptr %output_at
  %some = icmp ne ptr %object, null
  %kind = load i64, ptr %row[OUTPUT_KIND]
  %is_bool = icmp eq i64 %kind, $BOOL
  %fine = or i1 %some, %is_bool
  br i1 %fine, label %there, label %lacking
there:
  %after = add i64 %k, 1
  %row_after = getelementptr i8, ptr %row, i64 $ROW_BYTES
  br label %next
done:
  ret i1 true
lacking:
  ret i1 false
}
"""

TEXT = _ASKING + _OUTPUTS + _RESULTS
