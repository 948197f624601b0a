"""The way from Python into machine code and back, as LLVM IR.

``sg_call`` is what Python calls, by the vectorcall protocol; one text serves all Functions, driven
by tables that the package fills (a *plan*, its rows, a *store* of variables). It does the usual
case and nothing else: positional arguments that are arrays just as the Function wants them, or
Python and NumPy scalars for inputs without axes; variables that have values; nobody in the way.
Everything else is handed, untouched, to the plan's Python function, the *slow path*.

What always holds. The GIL is held wherever an object or a store is touched, and a store is read
and written without anything between that could let go of it. A run keeps a reference to every
variable that it reads, and on the way out gives back all that it holds, whatever happened.

The text goes on in results.py and run.py.
"""

from __future__ import annotations

from staticgraph.backends.native import context, layout

# -- tables that Python fills; offsets in bytes, all fields 8 bytes wide ---------------------------

# The state of a store: bits that stop a run from starting.
CLOSED = 1
# A run that writes variables is under way.
WRITING = 2
# A run writes variables in place: nobody may read them.
EXCLUSIVE = 4

# What a plan does.
READS = 1
WRITES = 2
LONG = 4
OVERWRITES = 8
# Its random numbers are those of initial values, of which there is one set: run 0.
INITIAL = 16

# What becomes of the results.
SINGLE, LIST, TUPLE = 0, 1, 2

# What an output is made as; MISFIT is an update that can never have its variable's shape.
ARRAY, SCALAR, BOOL, MISFIT = 0, 1, 2, 3

# What a run ended with, beyond what machine code returns.
NO_RESULT = -3
DAMAGED = -4
NO_CONTEXT = -5

# A dim that may have any size, in a row of dims. A size from 0 is wanted exactly; below ANY stands
# ~(the slot of the first input that has the same symbol), less one.
ANY = -1

STORE = {
    name: 8 * place
    for place, name in enumerate(
        ("STORE_STATE", "STORE_READERS", "STORE_WAITERS", "STORE_WAKE", "STORE_SEED", "STORE_RUN",
         "STORE_WRITER")
    )
}  # fmt: skip
PLAN = {
    name: 8 * place
    for place, name in enumerate(
        (
            "PLAN_ARGUMENTS", "PLAN_ARGUMENT_ROWS", "PLAN_MAIN", "PLAN_FLAGS", "PLAN_STORE",
            "PLAN_REFUSED_IN", "PLAN_VARIABLES", "PLAN_VARIABLE_ROWS", "PLAN_OUTPUTS",
            "PLAN_OUTPUT_ROWS", "PLAN_FETCHED", "PLAN_UPDATES", "PLAN_UPDATE_CELLS",
            "PLAN_STRUCTURE", "PLAN_LEAVES", "PLAN_LEAF_OUTPUTS", "PLAN_REBUILD", "PLAN_FAIL",
            "PLAN_MISFIT", "PLAN_HOST", "PLAN_KEY_SLOT", "PLAN_FRAME_BYTES", "PLAN_HELD_AT",
            "PLAN_OUTPUTS_AT", "PLAN_SCRATCH_AT", "PLAN_VALUES_AT", "PLAN_THREADS", "PLAN_LIMIT",
            "PLAN_CHECKED", "PLAN_PEAK",
        )
    )
}  # fmt: skip
ROW_BYTES = 64
ROWS = {
    name: 8 * place
    for names in (
        # An argument: the dtype object, axes, where in the frame its slots begin, its row of dims,
        # the type of NumPy's scalars, and what kind of number is stored how.
        ("ARGUMENT_DTYPE", "ARGUMENT_NDIM", "ARGUMENT_SLOT", "ARGUMENT_DIMS", "ARGUMENT_SCALAR",
         "ARGUMENT_STORED", "ARGUMENT_LEAST", "ARGUMENT_MOST"),
        # A variable: where the store has its array, and the same as above.
        ("VARIABLE_CELL", "VARIABLE_NDIM", "VARIABLE_SLOT", "VARIABLE_DIMS"),
        # An output: how it is made, the dtype object, axes, the variable that it may overwrite (by
        # its place among those the plan reads, or -1), a row of dims or null, the type of scalars,
        # what allocates one, bytes an element.
        ("OUTPUT_KIND", "OUTPUT_DTYPE", "OUTPUT_NDIM", "OUTPUT_OVERWRITES", "OUTPUT_DIMS",
         "OUTPUT_SCALAR", "OUTPUT_ALLOCATE", "OUTPUT_ITEM_BYTES"),
    )
    for place, name in enumerate(names)
}  # fmt: skip
# The table @sg_objects: what the code compares with, or hands out.
OBJECTS = {
    name: 8 * place
    for place, name in enumerate(
        ("ARRAY_TYPE", "FLOAT_TYPE", "FLOAT64_TYPE", "INT_TYPE", "TRUE", "FALSE", "NONE",
         "NUMPY_TRUE", "NUMPY_FALSE", "LIST_TYPE", "TUPLE_TYPE", "DICT_TYPE")
    )
}  # fmt: skip
# How a Python number is stored: ARGUMENT_STORED.
STORED_FLOAT32, STORED_FLOAT64, STORED_BOOL, STORED_INTEGER = 0, 1, 2, 3

# A frame of at most so many bytes lies on the stack.
FRAME_BYTES = 2048

# The places where the trampoline keeps what a call has, in the context.
FRAME = {
    "FRAME_HELD": context.TRAMPOLINE,
    "FRAME_VALUES": context.TRAMPOLINE + 8,
    "FRAME_CONTAINER": context.TRAMPOLINE + 16,
    "FRAME_RESULT_BYTES": context.TRAMPOLINE + 24,
    "FRAME_KEY": context.TRAMPOLINE + 32,
    "FRAME_KEY_RUN": context.TRAMPOLINE + 40,
}

CONSTANTS = {
    **STORE,
    **PLAN,
    **ROWS,
    **FRAME,
    **OBJECTS,
    "OBJECT_COUNT": len(OBJECTS),
    "ROW_BYTES": ROW_BYTES,
    "FRAME_BYTES": FRAME_BYTES,
    "CLOSED": CLOSED,
    "WRITING": WRITING,
    "NOT_WRITING": ~WRITING,
    "EXCLUSIVE": EXCLUSIVE,
    "NOT_EXCLUSIVE": ~EXCLUSIVE,
    "READS": READS,
    "WRITES": WRITES,
    "LONG": LONG,
    "OVERWRITES": OVERWRITES,
    "INITIAL": INITIAL,
    "SINGLE": SINGLE,
    "TUPLE": TUPLE,
    "ARRAY": ARRAY,
    "SCALAR": SCALAR,
    "BOOL": BOOL,
    "MISFIT": MISFIT,
    "NO_RESULT": NO_RESULT,
    "DAMAGED": DAMAGED,
    "NO_CONTEXT": NO_CONTEXT,
    "STORED_FLOAT32": STORED_FLOAT32,
    "STORED_FLOAT64": STORED_FLOAT64,
    "STORED_BOOL": STORED_BOOL,
    "NO_LIMIT": context.NO_LIMIT,
    "USUAL": layout.C_CONTIGUOUS | layout.ALIGNED,
    **{
        name: getattr(context, name)
        for name in ("OUTPUTS", "SPEC", "IN_PLACE", "MEMORY_LIMIT", "MEMORY_NOW", "MEMORY_PEAK",
                     "MEMORY_REFUSED", "POLL_TIME", "THREAD_STATE")
    },
    **{
        name: getattr(layout, name)
        for name in ("OBJECT_TYPE", "ARRAY_DATA", "ARRAY_NDIM", "ARRAY_DIMS", "ARRAY_DTYPE",
                     "ARRAY_FLAGS", "SCALAR_VALUE")
    },
}  # fmt: skip

# What the text takes from CPython, by its name there.
PYTHON_FUNCTIONS = (
    "PyBool_FromLong", "PyErr_Clear", "PyErr_Fetch", "PyErr_Occurred", "PyErr_Restore",
    "PyFloat_AsDouble", "PyList_New", "PyList_SetItem", "PyLong_AsLongLongAndOverflow",
    "PyLong_FromLongLong", "PyObject_CallNoArgs", "PyObject_Vectorcall", "PyTuple_New",
    "PyTuple_SetItem", "Py_DecRef", "Py_IncRef", "PyThread_get_thread_ident",
)  # fmt: skip

_DECLARATIONS = """
declare i32 @sg_leave(ptr)
declare ptr @sg_enter(i64, i64, i64)
declare void @sg_acquire_gil(ptr)
declare void @sg_discard(ptr)
declare void @sg_release_gil(ptr)
declare ptr @sg_new_array(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare ptr @malloc(i64)
declare void @free(ptr)
declare {i64, i1} @llvm.umul.with.overflow.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

declare ptr @PyBool_FromLong(i64)
declare void @PyErr_Clear()
declare void @PyErr_Fetch(ptr, ptr, ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_Restore(ptr, ptr, ptr)
declare double @PyFloat_AsDouble(ptr)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_DecRef(ptr)
declare void @Py_IncRef(ptr)
declare i64 @PyThread_get_thread_ident()

; Objects that are compared with or made, in the order of OBJECTS; filled when the code is loaded.
@sg_objects = global [$OBJECT_COUNT x ptr] zeroinitializer, align 64
"""

# Numbers for inputs without axes.
_NUMBERS = """
; The address of an argument's value where it is a number that the input takes as it is or by a
; conversion that NumPy would make without complaint; null where Python has to look.
define internal ptr @number(ptr %argument, ptr %row, ptr %scratch) nounwind {
entry:
  %overflow = alloca i32
  %ndim = load i64, ptr %row[ARGUMENT_NDIM]
  %axes = icmp ne i64 %ndim, 0
  br i1 %axes, label %refuse, label %typed
typed:
  %type = load ptr, ptr %argument[OBJECT_TYPE]
  %stored = load i64, ptr %row[ARGUMENT_STORED]
  %own = load ptr, ptr %row[ARGUMENT_SCALAR]
  %is_own = icmp eq ptr %type, %own
  br i1 %is_own, label %inside, label %float
inside:
  %value = getelementptr i8, ptr %argument, i64 $SCALAR_VALUE
  ret ptr %value
float:
  %float_type = load ptr, ptr @sg_objects[FLOAT_TYPE]
  %is_float = icmp eq ptr %type, %float_type
  br i1 %is_float, label %read_float, label %float64
float64:
  ; NumPy's float64 is a Python float.
  %float64_type = load ptr, ptr @sg_objects[FLOAT64_TYPE]
  %is_float64 = icmp eq ptr %type, %float64_type
  br i1 %is_float64, label %read_float, label %integer
read_float:
  %number = call double @PyFloat_AsDouble(ptr %argument)
  switch i64 %stored, label %refuse [
    i64 $STORED_FLOAT32, label %narrow
    i64 $STORED_FLOAT64, label %double
  ]
narrow:
  %narrowed = fptrunc double %number to float
  store float %narrowed, ptr %scratch
  ret ptr %scratch
double:
  store double %number, ptr %scratch
  ret ptr %scratch
integer:
  %true = load ptr, ptr @sg_objects[TRUE]
  %false = load ptr, ptr @sg_objects[FALSE]
  %is_true = icmp eq ptr %argument, %true
  %is_false = icmp eq ptr %argument, %false
  %is_bool = or i1 %is_true, %is_false
  br i1 %is_bool, label %truth, label %int
truth:
  %one = zext i1 %is_true to i64
  br label %convert
int:
  %int_type = load ptr, ptr @sg_objects[INT_TYPE]
  %is_int = icmp eq ptr %type, %int_type
  %to_bool = icmp eq i64 %stored, $STORED_BOOL
  %no_bool = xor i1 %to_bool, true
  %takes_int = and i1 %is_int, %no_bool
  br i1 %takes_int, label %read_int, label %refuse
read_int:
  %whole = call i64 @PyLong_AsLongLongAndOverflow(ptr %argument, ptr %overflow)
  %far = load i32, ptr %overflow
  %too_far = icmp ne i32 %far, 0
  br i1 %too_far, label %refuse, label %convert
convert:
  %n = phi i64 [ %one, %truth ], [ %whole, %read_int ]
  switch i64 %stored, label %range [
    i64 $STORED_FLOAT32, label %to_float32
    i64 $STORED_FLOAT64, label %to_float64
  ]
to_float32:
  %single = sitofp i64 %n to float
  store float %single, ptr %scratch
  ret ptr %scratch
to_float64:
  %long = sitofp i64 %n to double
  store double %long, ptr %scratch
  ret ptr %scratch
range:
  %least = load i64, ptr %row[ARGUMENT_LEAST]
  %most = load i64, ptr %row[ARGUMENT_MOST]
  %not_low = icmp sge i64 %n, %least
  %not_high = icmp sle i64 %n, %most
  %inside_range = and i1 %not_low, %not_high
  br i1 %inside_range, label %keep, label %refuse
keep:
  ; The low bytes come first on every machine that there is code for.
  store i64 %n, ptr %scratch
  ret ptr %scratch
refuse:
  ret ptr null
}

; Compares sizes with a row of dims and copies them; 0 where they do not fit.
define internal i1 @sizes_fit(ptr %have, ptr %want, i64 %ndim, ptr %to, ptr %slots) nounwind {
entry:
  %none = icmp eq i64 %ndim, 0
  br i1 %none, label %fit, label %axis
axis:
  %i = phi i64 [ 0, %entry ], [ %next, %fine ]
  %have_at = getelementptr i64, ptr %have, i64 %i
  %size = load i64, ptr %have_at
  %want_at = getelementptr i64, ptr %want, i64 %i
  %wanted = load i64, ptr %want_at
  %to_at = getelementptr i64, ptr %to, i64 %i
  store i64 %size, ptr %to_at
  %same = icmp eq i64 %size, %wanted
  br i1 %same, label %fine, label %open
open:
  %any = icmp eq i64 %wanted, -1
  br i1 %any, label %fine, label %named
named:
  %fixed = icmp sge i64 %wanted, 0
  br i1 %fixed, label %unfit, label %symbol
symbol:
  %slot = sub i64 -2, %wanted
  %first_at = getelementptr i64, ptr %slots, i64 %slot
  %first = load i64, ptr %first_at
  %agrees = icmp eq i64 %first, %size
  br i1 %agrees, label %fine, label %unfit
fine:
  %next = add i64 %i, 1
  %end = icmp eq i64 %next, %ndim
  br i1 %end, label %fit, label %axis
fit:
  ret i1 true
unfit:
  ret i1 false
}
"""

_INPUTS = """
; Fills the slots of all arguments; 0 where one of them is unusual.
define internal i1 @take_arguments(ptr %plan, ptr %arguments, ptr %slots) nounwind {
entry:
  %count = load i64, ptr %plan[PLAN_ARGUMENTS]
  %first_row = load ptr, ptr %plan[PLAN_ARGUMENT_ROWS]
  %scratch_at = load i64, ptr %plan[PLAN_SCRATCH_AT]
  %scratch = getelementptr i8, ptr %slots, i64 %scratch_at
  %array_type = load ptr, ptr @sg_objects[ARRAY_TYPE]
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i_after, %taken ]
  %row = phi ptr [ %first_row, %entry ], [ %row_after, %taken ]
  %end = icmp eq i64 %i, %count
  br i1 %end, label %done, label %argument
argument:
  %argument_at = getelementptr ptr, ptr %arguments, i64 %i
  %object = load ptr, ptr %argument_at
  %type = load ptr, ptr %object[OBJECT_TYPE]
  %slot = load i64, ptr %row[ARGUMENT_SLOT]
  %place = getelementptr i64, ptr %slots, i64 %slot
  %is_array = icmp eq ptr %type, %array_type
  br i1 %is_array, label %array, label %number
array:
  %dtype = load ptr, ptr %object[ARRAY_DTYPE]
  %wanted_dtype = load ptr, ptr %row[ARGUMENT_DTYPE]
  %same_dtype = icmp eq ptr %dtype, %wanted_dtype
  %ndim = load i32, ptr %object[ARRAY_NDIM]
  %axes = zext i32 %ndim to i64
  %wanted_axes = load i64, ptr %row[ARGUMENT_NDIM]
  %same_axes = icmp eq i64 %axes, %wanted_axes
  %flags = load i32, ptr %object[ARRAY_FLAGS]
  %usual_flags = and i32 %flags, $USUAL
  %usual = icmp eq i32 %usual_flags, $USUAL
  %same_kind = and i1 %same_dtype, %same_axes
  %fits = and i1 %same_kind, %usual
  br i1 %fits, label %data, label %refuse
data:
  %data_now = load ptr, ptr %object[ARRAY_DATA]
  store ptr %data_now, ptr %place
  %scalar = icmp eq i64 %axes, 0
  br i1 %scalar, label %taken, label %sizes
sizes:
  %dims = load ptr, ptr %object[ARRAY_DIMS]
  %wanted_dims = load ptr, ptr %row[ARGUMENT_DIMS]
  %to = getelementptr i64, ptr %place, i64 1
  %fit = call i1 @sizes_fit(ptr %dims, ptr %wanted_dims, i64 %axes, ptr %to, ptr %slots)
  br i1 %fit, label %taken, label %refuse
number:
  %room = getelementptr i64, ptr %scratch, i64 %i
  %value = call ptr @number(ptr %object, ptr %row, ptr %room)
  store ptr %value, ptr %place
  %unusual = icmp eq ptr %value, null
  br i1 %unusual, label %refuse, label %taken
taken:
  %i_after = add i64 %i, 1
  %row_after = getelementptr i8, ptr %row, i64 $ROW_BYTES
  br label %next
done:
  ret i1 true
refuse:
  ret i1 false
}

; Fills the slots of all variables and notes their arrays; 0 where one has no value, or sizes that
; do not go with the others.
define internal i1 @take_variables(ptr %plan, ptr %slots, ptr %held) nounwind {
entry:
  %count = load i64, ptr %plan[PLAN_VARIABLES]
  %first_row = load ptr, ptr %plan[PLAN_VARIABLE_ROWS]
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i_after, %taken ]
  %row = phi ptr [ %first_row, %entry ], [ %row_after, %taken ]
  %end = icmp eq i64 %i, %count
  br i1 %end, label %keep, label %variable
variable:
  %cell = load ptr, ptr %row[VARIABLE_CELL]
  %array = load ptr, ptr %cell
  %missing = icmp eq ptr %array, null
  br i1 %missing, label %refuse, label %value
value:
  %held_at = getelementptr ptr, ptr %held, i64 %i
  store ptr %array, ptr %held_at
  %slot = load i64, ptr %row[VARIABLE_SLOT]
  %place = getelementptr i64, ptr %slots, i64 %slot
  %data = load ptr, ptr %array[ARRAY_DATA]
  store ptr %data, ptr %place
  %ndim = load i32, ptr %array[ARRAY_NDIM]
  %axes = zext i32 %ndim to i64
  %wanted_axes = load i64, ptr %row[VARIABLE_NDIM]
  %same_axes = icmp eq i64 %axes, %wanted_axes
  br i1 %same_axes, label %sizes, label %refuse
sizes:
  %dims = load ptr, ptr %array[ARRAY_DIMS]
  %wanted = load ptr, ptr %row[VARIABLE_DIMS]
  %to = getelementptr i64, ptr %place, i64 1
  %fit = call i1 @sizes_fit(ptr %dims, ptr %wanted, i64 %axes, ptr %to, ptr %slots)
  br i1 %fit, label %taken, label %refuse
taken:
  %i_after = add i64 %i, 1
  %row_after = getelementptr i8, ptr %row, i64 $ROW_BYTES
  br label %next
keep:
  %k = phi i64 [ 0, %next ], [ %k_after, %more ]
  %kept = icmp eq i64 %k, %count
  br i1 %kept, label %done, label %more
more:
  %kept_at = getelementptr ptr, ptr %held, i64 %k
  %object = load ptr, ptr %kept_at
  call void @Py_IncRef(ptr %object)
  %k_after = add i64 %k, 1
  br label %keep
done:
  ret i1 true
refuse:
  ret i1 false
}
"""

TEXT = _DECLARATIONS + _NUMBERS + _INPUTS
