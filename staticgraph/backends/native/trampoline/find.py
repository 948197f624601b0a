"""Which callable ``run(fetches, feed)`` means, found by identity, as LLVM IR.

A session remembers what was fetched and fed lately in rows: the objects in the fetches and the keys
of the feed, in order. ``sg_find`` compares addresses and, where a row fits, calls its callable with
the values of the feed. It answers UNKNOWN to everything else. Lists and dicts that a user changes
between two runs are compared anew each time, so nothing that was remembered can be wrong.
"""

from __future__ import annotations

# More feeds than this are left to Python.
MOST_FEEDS = 64

CONSTANTS = {
    name: 8 * place
    for names in (
        # The list of the graph's operations and how many the session has seen, the rows and their
        # number, and what is answered when no row fits.
        ("FIND_OPERATIONS", "FIND_SIZE", "FIND_ROWS", "FIND_COUNT", "FIND_UNKNOWN"),
        # The type of the fetches (null: something that is fetched alone), how many they are, the
        # table of them; how many feeds, the table of their keys; the callable.
        ("FOUND_TYPE", "FOUND_ITEMS", "FOUND_ITEM_TABLE", "FOUND_FEEDS", "FOUND_KEY_TABLE",
         "FOUND_CALLABLE"),
    )
    for place, name in enumerate(names)
} | {"MOST_FEEDS": MOST_FEEDS}  # fmt: skip

PYTHON_FUNCTIONS = (
    "PyDict_Next", "PyDict_Size", "PyList_GetItem", "PyList_Size", "PyTuple_GetItem",
    "PyTuple_Size",
)  # fmt: skip

TEXT = """
declare i32 @PyDict_Next(ptr, ptr, ptr, ptr)
declare i64 @PyDict_Size(ptr)
declare ptr @PyList_GetItem(ptr, i64)
declare i64 @PyList_Size(ptr)
declare ptr @PyTuple_GetItem(ptr, i64)
declare i64 @PyTuple_Size(ptr)

; Whether the fetches are those of the row.
define internal i1 @fetches_fit(ptr %fetches, ptr %type, i64 %size, ptr %row) nounwind {
entry:
  %row_type = load ptr, ptr %row[FOUND_TYPE]
  %items = load ptr, ptr %row[FOUND_ITEM_TABLE]
  %same_type = icmp eq ptr %row_type, %type
  br i1 %same_type, label %kind, label %other
kind:
  %alone = icmp eq ptr %type, null
  br i1 %alone, label %single, label %sizes
single:
  %item = load ptr, ptr %items
  %same_item = icmp eq ptr %item, %fetches
  ret i1 %same_item
sizes:
  %row_size = load i64, ptr %row[FOUND_ITEMS]
  %same_size = icmp eq i64 %row_size, %size
  br i1 %same_size, label %start, label %other
start:
  %list_type = load ptr, ptr @sg_objects[LIST_TYPE]
  %is_list = icmp eq ptr %type, %list_type
  br label %next
next:
  %i = phi i64 [ 0, %start ], [ %after, %fits ]
  %end = icmp eq i64 %i, %size
  br i1 %end, label %same, label %look
look:
  br i1 %is_list, label %list, label %tuple
list:
  %in_list = call ptr @PyList_GetItem(ptr %fetches, i64 %i)
  br label %compare
tuple:
  %in_tuple = call ptr @PyTuple_GetItem(ptr %fetches, i64 %i)
  br label %compare
compare:
  %have = phi ptr [ %in_list, %list ], [ %in_tuple, %tuple ]
  %want_at = getelementptr ptr, ptr %items, i64 %i
  %want = load ptr, ptr %want_at
  %fit = icmp eq ptr %have, %want
  br i1 %fit, label %fits, label %other
fits:
  %after = add i64 %i, 1
  br label %next
same:
  ret i1 true
other:
  ret i1 false
}

; Whether the feed has the keys of the row, in order; its values are put into a table.
define internal i1 @feed_fits(ptr %feed, i64 %size, ptr %row, ptr %values) nounwind {
entry:
  %key_at = alloca ptr
  %position = alloca i64
  %row_size = load i64, ptr %row[FOUND_FEEDS]
  %same_size = icmp eq i64 %row_size, %size
  br i1 %same_size, label %start, label %other
start:
  store i64 0, ptr %position
  %keys = load ptr, ptr %row[FOUND_KEY_TABLE]
  br label %next
next:
  %i = phi i64 [ 0, %start ], [ %after, %fits ]
  %end = icmp eq i64 %i, %size
  br i1 %end, label %same, label %look
look:
  %value_at = getelementptr ptr, ptr %values, i64 %i
  %some = call i32 @PyDict_Next(ptr %feed, ptr %position, ptr %key_at, ptr %value_at)
  %have = load ptr, ptr %key_at
  %want_at = getelementptr ptr, ptr %keys, i64 %i
  %want = load ptr, ptr %want_at
  %same_key = icmp eq ptr %have, %want
  %is_there = icmp ne i32 %some, 0
  %fit = and i1 %same_key, %is_there
  br i1 %fit, label %fits, label %other
fits:
  %after = add i64 %i, 1
  br label %next
same:
  ret i1 true
other:
  ret i1 false
}

; The vectorcall function of a session's finder: (fetches, feed).
define ptr @sg_find(ptr %finder, ptr %arguments, i64 %count_and_flag, ptr %names) nounwind {
entry:
  %values = alloca [$MOST_FEEDS x ptr]
  %table = load ptr, ptr %finder[CALLABLE_PLAN]
  %unknown = load ptr, ptr %table[FIND_UNKNOWN]
  %count = and i64 %count_and_flag, 9223372036854775807
  %two = icmp eq i64 %count, 2
  %plain = icmp eq ptr %names, null
  %usual = and i1 %two, %plain
  br i1 %usual, label %graph, label %answer_unknown
graph:
  %operations = load ptr, ptr %table[FIND_OPERATIONS]
  %now = call i64 @PyList_Size(ptr %operations)
  %seen = load i64, ptr %table[FIND_SIZE]
  %grown = icmp ne i64 %now, %seen
  br i1 %grown, label %answer_unknown, label %feed
feed:
  %fetches = load ptr, ptr %arguments
  %feed_at = getelementptr ptr, ptr %arguments, i64 1
  %given = load ptr, ptr %feed_at
  %none = load ptr, ptr @sg_objects[NONE]
  %no_feed = icmp eq ptr %given, %none
  br i1 %no_feed, label %fetched, label %dict
dict:
  %feed_type = load ptr, ptr %given[OBJECT_TYPE]
  %dict_type = load ptr, ptr @sg_objects[DICT_TYPE]
  %is_dict = icmp eq ptr %feed_type, %dict_type
  br i1 %is_dict, label %entries, label %answer_unknown
entries:
  %dict_size = call i64 @PyDict_Size(ptr %given)
  %few = icmp ule i64 %dict_size, $MOST_FEEDS
  br i1 %few, label %fetched, label %answer_unknown
fetched:
  %feeds = phi i64 [ 0, %feed ], [ %dict_size, %entries ]
  %fetched_type = load ptr, ptr %fetches[OBJECT_TYPE]
  %list_type = load ptr, ptr @sg_objects[LIST_TYPE]
  %is_list = icmp eq ptr %fetched_type, %list_type
  br i1 %is_list, label %list, label %no_list
list:
  %list_size = call i64 @PyList_Size(ptr %fetches)
  br label %rows
no_list:
  %tuple_type = load ptr, ptr @sg_objects[TUPLE_TYPE]
  %is_tuple = icmp eq ptr %fetched_type, %tuple_type
  br i1 %is_tuple, label %tuple, label %rows
tuple:
  %tuple_size = call i64 @PyTuple_Size(ptr %fetches)
  br label %rows
rows:
  %type = phi ptr [ %list_type, %list ], [ null, %no_list ], [ %tuple_type, %tuple ]
  %size = phi i64 [ %list_size, %list ], [ 1, %no_list ], [ %tuple_size, %tuple ]
  %row_count = load i64, ptr %table[FIND_COUNT]
  %first_row = load ptr, ptr %table[FIND_ROWS]
  br label %next
next:
  %i = phi i64 [ 0, %rows ], [ %after, %no ]
  %row = phi ptr [ %first_row, %rows ], [ %row_after, %no ]
  %end = icmp eq i64 %i, %row_count
  br i1 %end, label %answer_unknown, label %try
try:
  %right_fetches = call i1 @fetches_fit(ptr %fetches, ptr %type, i64 %size, ptr %row)
  br i1 %right_fetches, label %try_feed, label %no
try_feed:
  %right_feed = call i1 @feed_fits(ptr %given, i64 %feeds, ptr %row, ptr %values)
  br i1 %right_feed, label %hold, label %no
no:
  %after = add i64 %i, 1
  %row_after = getelementptr i8, ptr %row, i64 $ROW_BYTES
  br label %next
hold:
  ; The feed may change and the session may be closed while the run lasts.
  %callable = load ptr, ptr %row[FOUND_CALLABLE]
  call void @Py_IncRef(ptr %callable)
  br label %hold_next
hold_next:
  %k = phi i64 [ 0, %hold ], [ %k_after, %hold_one ]
  %all_held = icmp eq i64 %k, %feeds
  br i1 %all_held, label %call, label %hold_one
hold_one:
  %held_at = getelementptr ptr, ptr %values, i64 %k
  %value = load ptr, ptr %held_at
  call void @Py_IncRef(ptr %value)
  %k_after = add i64 %k, 1
  br label %hold_next
call:
  %result = call ptr @sg_call(ptr %callable, ptr %values, i64 %feeds, ptr null)
  call void @drop_all(ptr %values, i64 %feeds)
  call void @Py_DecRef(ptr %callable)
  ret ptr %result
answer_unknown:
  call void @Py_IncRef(ptr %unknown)
  ret ptr %unknown
}
"""
