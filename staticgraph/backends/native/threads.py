"""The pool of threads of the process, as LLVM IR: ``sg_parallel_for``.

A loop over [0, n) is cut into chunks of `grain`, the same ones for any number of threads: kernels
write disjoint places, so results cannot depend on who ran which chunk. Every thread that takes part
has a *seat* with a range of neighbouring chunks of its own (what it touched in the last loop, it
touches again); who is done helps the others, so a thread that the system does not run holds nobody
up. The calling thread has seat 0.

The workers are threads of the operating system, made at first need through Python's C API, without
a thread state of Python. A worker waits in a loop for a while, then sleeps on a lock. What always
holds between it and the caller:

- JOB is the number of the open job in its high bits and how many seats take part in its low ones,
  or 0. The description of a job changes only while JOB is 0 and no seat that took part is BUSY.
- A worker sets BUSY, looks at JOB again, and works only if it is still the same; the caller sets
  JOB to 0, then waits until no seat is BUSY. Both in sequentially consistent order, so at least one
  of the two sees the other. A worker that comes late finds JOB changed and touches nothing.
- Who turns SLEEPING (or WAITING, the caller's) from 1 to 0 releases the lock, or, when it is the
  sleeper itself, does not sleep. So every release is met by exactly one acquire.

One job at a time has the pool (OWNER). A second call at the same time runs its chunks itself: the
same chunks, the same results. After a fork the child has no workers and makes its own.
"""

from __future__ import annotations

MAX_THREADS = 256
_SEAT_BYTES = 256
_FIRST_SEAT = 512

LAYOUT = {
    "POOL_BYTES": _FIRST_SEAT + MAX_THREADS * _SEAT_BYTES,
    "OWNER": 0,
    # How many workers there are, how many there can be, and on how many cores.
    "WORKERS": 8,
    "MOST_WORKERS": 16,
    "CORES": 24,
    "JOBS": 32,
    # A cache line (or two) of their own for what is read in loops.
    "JOB": 128,
    "CLOSED": 136,
    "KERNEL": 256,
    "ARGUMENTS": 264,
    "TOTAL": 272,
    "GRAIN": 280,
    "STOP": 288,
    "WAITING": 384,
    "WAITING_LOCK": 392,
    "SEATS": _FIRST_SEAT,
    "SEAT_BYTES": _SEAT_BYTES,
    "SLEEPING": 0,
    "LOCK": 8,
    "BUSY": 16,
    "INDEX": 24,
    "SPINS": 32,
    "ALIVE": 40,
    # The next chunk of the seat's range, and the end of the range.
    "NEXT_CHUNK": 128,
    "END_CHUNK": 136,
    "LAST_WORKER": MAX_THREADS - 1,
    # About 0.1 ms: longer than what lies between two loops of a run, less than others notice.
    "WORKER_SPINS": 4000,
    "JOIN_SPINS": 4000,
    # How long the caller sleeps before it looks for signals, in microseconds.
    "JOIN_MICROSECONDS": 20_000,
}

_WORKERS = """
@sg_pool = internal global [$POOL_BYTES x i8] zeroinitializer, align 128
$PAUSE_DECLARATION
declare i64 @PyThread_start_new_thread(ptr, ptr)
declare ptr @PyThread_allocate_lock()
declare void @PyThread_free_lock(ptr)
declare i32 @PyThread_acquire_lock(ptr, i32)
declare i32 @PyThread_acquire_lock_timed(ptr, i64, i32)
declare void @PyThread_release_lock(ptr)

define internal ptr @seat_of(i64 %index) {
  %offset = mul i64 %index, $SEAT_BYTES
  %seats = getelementptr i8, ptr @sg_pool, i64 $SEATS
  %seat = getelementptr i8, ptr %seats, i64 %offset
  ret ptr %seat
}

; Runs chunks until there are none: first those of the seat, then the others'. A caller that gives
; its context looks for signals after each chunk; nonzero: there was one, and all were told to stop.
define internal i32 @work(i64 %index, i64 %seats, ptr %ctx) {
entry:
  %kernel = load ptr, ptr @sg_pool[KERNEL]
  %arguments = load ptr, ptr @sg_pool[ARGUMENTS]
  %total = load i64, ptr @sg_pool[TOTAL]
  %grain = load i64, ptr @sg_pool[GRAIN]
  %deaf = icmp eq ptr %ctx, null
  br label %visit
visit:
  %visited = phi i64 [ 0, %entry ], [ %visited1, %leave ]
  %all = icmp eq i64 %visited, %seats
  br i1 %all, label %done, label %enter
enter:
  %sum = add i64 %index, %visited
  %wraps = icmp uge i64 %sum, %seats
  %wrapped = sub i64 %sum, %seats
  %place = select i1 %wraps, i64 %wrapped, i64 %sum
  %seat = call ptr @seat_of(i64 %place)
  %end = load i64, ptr %seat[END_CHUNK]
  br label %look
look:
  %stop = load atomic i64, ptr @sg_pool[STOP] monotonic, align 8
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %done, label %peek
peek:
  %next = load atomic i64, ptr %seat[NEXT_CHUNK] monotonic, align 8
  %some = icmp slt i64 %next, %end
  br i1 %some, label %claim, label %leave
claim:
  %chunk = atomicrmw add ptr %seat[NEXT_CHUNK], i64 1 monotonic, align 8
  %mine = icmp slt i64 %chunk, %end
  br i1 %mine, label %run, label %leave
leave:
  %visited1 = add i64 %visited, 1
  br label %visit
run:
  %lo = mul i64 %chunk, %grain
  %rest = sub i64 %total, %lo
  %last = icmp ult i64 %rest, %grain
  %size = select i1 %last, i64 %rest, i64 %grain
  %hi = add i64 %lo, %size
  call void %kernel(ptr %arguments, i64 %lo, i64 %hi)
  br i1 %deaf, label %look, label %poll
poll:
  %pending = call i32 @sg_poll_clock(ptr %ctx)
  %fine = icmp eq i32 %pending, 0
  br i1 %fine, label %look, label %interrupt
interrupt:
  store atomic i64 1, ptr @sg_pool[STOP] monotonic, align 8
  ret i32 1
done:
  ret i32 0
}

define internal void @worker(ptr %seat) {
entry:
  %index = load i64, ptr %seat[INDEX]
  %lock = load ptr, ptr %seat[LOCK]
  %spins = load i64, ptr %seat[SPINS]
  br label %wait
wait:
  %seen = phi i64 [ 0, %entry ], [ %seen, %woken ], [ %seen, %late_out ], [ %job, %worked ]
  br label %spin
spin:
  %spun = phi i64 [ 0, %wait ], [ %spun1, %pause ]
  %job = load atomic i64, ptr @sg_pool[JOB] seq_cst, align 8
  %closed = load atomic i64, ptr @sg_pool[CLOSED] monotonic, align 8
  %open = icmp eq i64 %closed, 0
  br i1 %open, label %compare, label %quit
compare:
  %fresh = call i1 @takes_part(i64 %job, i64 %seen, i64 %index)
  br i1 %fresh, label %enter, label %no_job
no_job:
  %patient = icmp ult i64 %spun, %spins
  br i1 %patient, label %pause, label %tired
pause:
  $PAUSE
  %spun1 = add i64 %spun, 1
  br label %spin
tired:
  %was = atomicrmw xchg ptr %seat[SLEEPING], i64 1 seq_cst, align 8
  %job_again = load atomic i64, ptr @sg_pool[JOB] seq_cst, align 8
  %closed_again = load atomic i64, ptr @sg_pool[CLOSED] seq_cst, align 8
  %came = call i1 @takes_part(i64 %job_again, i64 %seen, i64 %index)
  %ending = icmp ne i64 %closed_again, 0
  %stay_awake = or i1 %came, %ending
  br i1 %stay_awake, label %cancel, label %sleep
cancel:
  %flag = atomicrmw xchg ptr %seat[SLEEPING], i64 0 seq_cst, align 8
  %still_mine = icmp eq i64 %flag, 1
  br i1 %still_mine, label %woken, label %sleep
sleep:
  %acquired = call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  br label %woken
woken:
  br label %wait
enter:
  %b0 = atomicrmw xchg ptr %seat[BUSY], i64 1 seq_cst, align 8
  %job_now = load atomic i64, ptr @sg_pool[JOB] seq_cst, align 8
  %same = icmp eq i64 %job, %job_now
  br i1 %same, label %take_part, label %late
late:
  call void @rise(ptr %seat)
  br label %late_out
late_out:
  br label %wait
take_part:
  %seats = and i64 %job, 65535
  %ignored = call i32 @work(i64 %index, i64 %seats, ptr null)
  call void @rise(ptr %seat)
  br label %worked
worked:
  br label %wait
quit:
  store atomic i64 0, ptr %seat[ALIVE] release, align 8
  ret void
}

; Whether `job` is open, new, and has room for this seat.
define internal i1 @takes_part(i64 %job, i64 %seen, i64 %index) {
  %seats = and i64 %job, 65535
  %invited = icmp ult i64 %index, %seats
  %new = icmp ne i64 %job, %seen
  %both = and i1 %invited, %new
  ret i1 %both
}

; A worker is done; it wakes the caller if that sleeps.
define internal void @rise(ptr %seat) {
entry:
  %b0 = atomicrmw xchg ptr %seat[BUSY], i64 0 seq_cst, align 8
  %waits = load atomic i64, ptr @sg_pool[WAITING] seq_cst, align 8
  %nobody = icmp eq i64 %waits, 0
  br i1 %nobody, label %done, label %claim
claim:
  %flag = atomicrmw xchg ptr @sg_pool[WAITING], i64 0 seq_cst, align 8
  %mine = icmp eq i64 %flag, 1
  br i1 %mine, label %wake, label %done
wake:
  %lock = load ptr, ptr @sg_pool[WAITING_LOCK]
  call void @PyThread_release_lock(ptr %lock)
  br label %done
done:
  ret void
}

define internal void @wake(ptr %seat) {
entry:
  %sleeps = load atomic i64, ptr %seat[SLEEPING] seq_cst, align 8
  %awake = icmp eq i64 %sleeps, 0
  br i1 %awake, label %done, label %claim
claim:
  %flag = atomicrmw xchg ptr %seat[SLEEPING], i64 0 seq_cst, align 8
  %mine = icmp eq i64 %flag, 1
  br i1 %mine, label %release, label %done
release:
  %lock = load ptr, ptr %seat[LOCK]
  call void @PyThread_release_lock(ptr %lock)
  br label %done
done:
  ret void
}

define internal ptr @new_held_lock() {
entry:
  %lock = call ptr @PyThread_allocate_lock()
  %none = icmp eq ptr %lock, null
  br i1 %none, label %done, label %hold
hold:
  %acquired = call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  br label %done
done:
  ret ptr %lock
}

; Makes workers until there are so many; how many there are. A system that gives no more threads is
; not asked again.
define internal i64 @hire(i64 %wanted) {
entry:
  %waiting_lock = load ptr, ptr @sg_pool[WAITING_LOCK]
  %has_lock = icmp ne ptr %waiting_lock, null
  br i1 %has_lock, label %next, label %lock_caller
lock_caller:
  %caller_lock = call ptr @new_held_lock()
  store ptr %caller_lock, ptr @sg_pool[WAITING_LOCK]
  %no_caller_lock = icmp eq ptr %caller_lock, null
  br i1 %no_caller_lock, label %enough, label %next
next:
  %have = load i64, ptr @sg_pool[WORKERS]
  %full = icmp uge i64 %have, %wanted
  br i1 %full, label %done, label %make
make:
  %index = add i64 %have, 1
  %seat = call ptr @seat_of(i64 %index)
  %lock = call ptr @new_held_lock()
  %no_lock = icmp eq ptr %lock, null
  br i1 %no_lock, label %enough, label %begin
begin:
  %cores = load i64, ptr @sg_pool[CORES]
  %has_core = icmp ult i64 %index, %cores
  %spins = select i1 %has_core, i64 $WORKER_SPINS, i64 0
  store i64 0, ptr %seat[SLEEPING]
  store ptr %lock, ptr %seat[LOCK]
  store i64 0, ptr %seat[BUSY]
  store i64 %index, ptr %seat[INDEX]
  store i64 %spins, ptr %seat[SPINS]
  store atomic i64 1, ptr %seat[ALIVE] release, align 8
  %ident = call i64 @PyThread_start_new_thread(ptr @worker, ptr %seat)
  %low = trunc i64 %ident to i32
  %failed = icmp eq i32 %low, -1
  br i1 %failed, label %undo, label %hired
hired:
  store i64 %index, ptr @sg_pool[WORKERS]
  br label %next
undo:
  store atomic i64 0, ptr %seat[ALIVE] release, align 8
  call void @PyThread_release_lock(ptr %lock)
  call void @PyThread_free_lock(ptr %lock)
  br label %enough
enough:
  %last = load i64, ptr @sg_pool[WORKERS]
  store i64 %last, ptr @sg_pool[MOST_WORKERS]
  br label %done
done:
  %count = load i64, ptr @sg_pool[WORKERS]
  ret i64 %count
}
"""

_LOOPS = """
define i32 @sg_parallel_for(ptr %ctx, ptr %kernel, ptr %arguments, i64 %total, i64 %grain) {
entry:
  %several = icmp sgt i64 %total, %grain
  br i1 %several, label %split, label %whole
whole:
  %some = icmp sgt i64 %total, 0
  br i1 %some, label %run_whole, label %nothing
run_whole:
  call void %kernel(ptr %arguments, i64 0, i64 %total)
  %whole_answer = call i32 @sg_poll(ptr %ctx)
  ret i32 %whole_answer
nothing:
  ret i32 0
split:
  %allowed = load i64, ptr %ctx[THREADS]
  %closed = load atomic i64, ptr @sg_pool[CLOSED] monotonic, align 8
  %ended = icmp ne i64 %closed, 0
  %single = icmp ult i64 %allowed, 2
  %alone = or i1 %single, %ended
  br i1 %alone, label %next, label %claim
claim:
  %exchange = cmpxchg ptr @sg_pool[OWNER], i64 0, i64 1 acquire monotonic, align 8
  %got = extractvalue { i64, i1 } %exchange, 1
  br i1 %got, label %share, label %next
share:
  store ptr %kernel, ptr @sg_pool[KERNEL]
  store ptr %arguments, ptr @sg_pool[ARGUMENTS]
  store i64 %total, ptr @sg_pool[TOTAL]
  store i64 %grain, ptr @sg_pool[GRAIN]
  %shared_answer = call i32 @run_job(ptr %ctx, i64 %allowed)
  store atomic i64 0, ptr @sg_pool[OWNER] release, align 8
  ret i32 %shared_answer
next:
  %lo = phi i64 [ 0, %split ], [ 0, %claim ], [ %hi, %run ]
  %rest = sub i64 %total, %lo
  %more = icmp sgt i64 %rest, 0
  br i1 %more, label %run, label %nothing
run:
  %last = icmp ult i64 %rest, %grain
  %size = select i1 %last, i64 %rest, i64 %grain
  %hi = add i64 %lo, %size
  call void %kernel(ptr %arguments, i64 %lo, i64 %hi)
  %pending = call i32 @sg_poll_clock(ptr %ctx)
  %fine = icmp eq i32 %pending, 0
  br i1 %fine, label %next, label %stop
stop:
  ret i32 %pending
}

; Runs the loop that is described on up to `allowed` seats; the caller owns the pool.
define internal i32 @run_job(ptr %ctx, i64 %allowed) {
entry:
  %total = load i64, ptr @sg_pool[TOTAL]
  %grain = load i64, ptr @sg_pool[GRAIN]
  %up = add i64 %total, %grain
  %up1 = sub i64 %up, 1
  %chunks = udiv i64 %up1, %grain
  %fewer_chunks = icmp ult i64 %chunks, %allowed
  %wanted = select i1 %fewer_chunks, i64 %chunks, i64 %allowed
  %others = sub i64 %wanted, 1
  %most_workers = load i64, ptr @sg_pool[MOST_WORKERS]
  %fewer_others = icmp ult i64 %others, %most_workers
  %hands = select i1 %fewer_others, i64 %others, i64 %most_workers
  %have = load i64, ptr @sg_pool[WORKERS]
  %enough = icmp uge i64 %have, %hands
  br i1 %enough, label %describe, label %hire
hire:
  %hired = call i64 @hire(i64 %hands)
  br label %describe
describe:
  %workers = phi i64 [ %have, %entry ], [ %hired, %hire ]
  %fewer_workers = icmp ult i64 %workers, %hands
  %used = select i1 %fewer_workers, i64 %workers, i64 %hands
  %seats = add i64 %used, 1
  store atomic i64 0, ptr @sg_pool[STOP] monotonic, align 8
  %share = udiv i64 %chunks, %seats
  %left = urem i64 %chunks, %seats
  br label %deal
deal:
  %place = phi i64 [ 0, %describe ], [ %place1, %deal ]
  %begin = phi i64 [ 0, %describe ], [ %end, %deal ]
  %has_more = icmp ult i64 %place, %left
  %one_more = zext i1 %has_more to i64
  %length = add i64 %share, %one_more
  %end = add i64 %begin, %length
  %dealt = call ptr @seat_of(i64 %place)
  store i64 %begin, ptr %dealt[NEXT_CHUNK]
  store i64 %end, ptr %dealt[END_CHUNK]
  %place1 = add i64 %place, 1
  %all_dealt = icmp eq i64 %place1, %seats
  br i1 %all_dealt, label %open, label %deal
open:
  %jobs = load i64, ptr @sg_pool[JOBS]
  %number = add i64 %jobs, 1
  store i64 %number, ptr @sg_pool[JOBS]
  %high = shl i64 %number, 16
  %job = or i64 %high, %seats
  store atomic i64 %job, ptr @sg_pool[JOB] seq_cst, align 8
  br label %call_in
call_in:
  %called = phi i64 [ 1, %open ], [ %called1, %wake_up ]
  %all_called = icmp eq i64 %called, %seats
  br i1 %all_called, label %work, label %wake_up
wake_up:
  %sleeper = call ptr @seat_of(i64 %called)
  call void @wake(ptr %sleeper)
  %called1 = add i64 %called, 1
  br label %call_in
work:
  %interrupted = call i32 @work(i64 0, i64 %seats, ptr %ctx)
  store atomic i64 0, ptr @sg_pool[JOB] seq_cst, align 8
  br label %join
join:
  %joined = phi i64 [ 1, %work ], [ %joined1, %wait_for ]
  %answer = phi i32 [ %interrupted, %work ], [ %answer1, %wait_for ]
  %all_joined = icmp eq i64 %joined, %seats
  br i1 %all_joined, label %done, label %wait_for
wait_for:
  %seat = call ptr @seat_of(i64 %joined)
  %pending = call i32 @await(ptr %ctx, ptr %seat, i32 %answer)
  %answer1 = or i32 %answer, %pending
  %joined1 = add i64 %joined, 1
  br label %join
done:
  ret i32 %answer
}

; Waits until the seat is not busy: in a loop for a while, then asleep. A signal makes the others
; stop after their chunk, which is waited for: a kernel cannot be left in the middle.
define internal i32 @await(ptr %ctx, ptr %seat, i32 %interrupted) {
entry:
  br label %spin
spin:
  %spun = phi i64 [ 0, %entry ], [ %spun1, %pause ]
  %busy = load atomic i64, ptr %seat[BUSY] seq_cst, align 8
  %ready = icmp eq i64 %busy, 0
  br i1 %ready, label %at_once, label %again
again:
  %patient = icmp ult i64 %spun, $JOIN_SPINS
  br i1 %patient, label %pause, label %doze
pause:
  $PAUSE
  %spun1 = add i64 %spun, 1
  br label %spin
at_once:
  ret i32 0
doze:
  %answer = phi i32 [ %interrupted, %again ], [ %answer, %acquire ], [ %answer2, %poll ]
  %f0 = atomicrmw xchg ptr @sg_pool[WAITING], i64 1 seq_cst, align 8
  %busy_now = load atomic i64, ptr %seat[BUSY] seq_cst, align 8
  %ready_now = icmp eq i64 %busy_now, 0
  br i1 %ready_now, label %withdraw, label %sleep
withdraw:
  %flag = atomicrmw xchg ptr @sg_pool[WAITING], i64 0 seq_cst, align 8
  %nobody_came = icmp eq i64 %flag, 1
  br i1 %nobody_came, label %done, label %meet
meet:
  %lock_met = load ptr, ptr @sg_pool[WAITING_LOCK]
  %a0 = call i32 @PyThread_acquire_lock(ptr %lock_met, i32 1)
  br label %done
done:
  ret i32 %answer
sleep:
  %lock = load ptr, ptr @sg_pool[WAITING_LOCK]
  %acquired = call i32 @PyThread_acquire_lock_timed(ptr %lock, i64 $JOIN_MICROSECONDS, i32 0)
  %woken = icmp eq i32 %acquired, 1
  br i1 %woken, label %acquire, label %give_up
acquire:
  br label %doze
give_up:
  %flag_late = atomicrmw xchg ptr @sg_pool[WAITING], i64 0 seq_cst, align 8
  %nobody = icmp eq i64 %flag_late, 1
  br i1 %nobody, label %signals, label %meet_late
meet_late:
  %a1 = call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  br label %signals
signals:
  %known = icmp ne i32 %answer, 0
  br i1 %known, label %poll, label %ask
ask:
  %pending = call i32 @sg_poll_clock(ptr %ctx)
  %stop = sext i32 %pending to i64
  store atomic i64 %stop, ptr @sg_pool[STOP] monotonic, align 8
  br label %poll
poll:
  %answer2 = phi i32 [ %answer, %signals ], [ %pending, %ask ]
  br label %doze
}

; The pool of a process that may run on so many cores; again in the child of a fork, where the
; workers are gone and locks are in a state that nobody knows.
define void @sg_pool_reset(i64 %cores) {
  store i64 0, ptr @sg_pool[OWNER]
  store i64 0, ptr @sg_pool[WORKERS]
  store i64 $LAST_WORKER, ptr @sg_pool[MOST_WORKERS]
  store i64 %cores, ptr @sg_pool[CORES]
  store atomic i64 0, ptr @sg_pool[JOB] seq_cst, align 8
  store atomic i64 0, ptr @sg_pool[CLOSED] seq_cst, align 8
  store atomic i64 0, ptr @sg_pool[WAITING] seq_cst, align 8
  store ptr null, ptr @sg_pool[WAITING_LOCK]
  ret void
}

; Tells the workers to end; how many have not ended yet. Loops run on their own thread from now on.
define i64 @sg_pool_close() {
entry:
  store atomic i64 1, ptr @sg_pool[CLOSED] seq_cst, align 8
  %workers = load i64, ptr @sg_pool[WORKERS]
  br label %next
next:
  %index = phi i64 [ 1, %entry ], [ %index1, %some ]
  %alive = phi i64 [ 0, %entry ], [ %alive1, %some ]
  %all = icmp ugt i64 %index, %workers
  br i1 %all, label %done, label %some
some:
  %seat = call ptr @seat_of(i64 %index)
  call void @wake(ptr %seat)
  %lives = load atomic i64, ptr %seat[ALIVE] acquire, align 8
  %alive1 = add i64 %alive, %lives
  %index1 = add i64 %index, 1
  br label %next
done:
  ret i64 %alive
}

define i64 @sg_pool_workers() {
  %workers = load i64, ptr @sg_pool[WORKERS]
  ret i64 %workers
}
"""

TEXT = _WORKERS + _LOOPS
