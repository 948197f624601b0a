"""Calls into machine code: what is taken, what is returned, what goes wrong, what is left."""

from __future__ import annotations

import collections
import gc
import sys
import weakref
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.trampoline import SINGLE, TUPLE
from staticgraph.backends.native.trampoline.store import Store
from staticgraph.core import dtypes
from staticgraph.runtime.feeds import feed_array
from tests.backends.native.handwritten import (
    Failed,
    Refused,
    callable_of,
    copy,
    feed,
    machine_code,
    out,
    slot,
    variable,
)

NAMES = [dtypes.name(dtype) for dtype in dtypes.ALL]
NUMBERS: list[Any] = [
    0, 1, -1, 127, 128, -128, -129, 255, 256, 2**24 + 1, 2**31, -(2**31), 2**53 + 1,
    2**60 + 2**36 + 1, 2**63 - 1,
    -(2**63), 2**63, 2**64 - 1, 2**80, True, False, 0.0, -0.0, 0.1, 1e-46, 1e300, float("inf"),
    float("nan"), 1.0 + 2**-24, 1.0 + 2**-24 + 2**-50,
]  # fmt: skip


def identity(dtype: str) -> Any:
    """A function of one scalar that returns it."""
    size = np.dtype(dtype).itemsize
    body = slot(0, "x") + copy("%x", 0, size)
    return callable_of(machine_code(body, [feed(dtype)], [out(dtype)]), structure=SINGLE)


# -- what is taken --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", NAMES)
def test_numbers_are_taken_as_a_feed_is_converted_or_not_at_all(dtype: str) -> None:
    call = identity(dtype)
    x = sg.placeholder(dtype, ())
    numbers = [*NUMBERS, *[np.dtype(name).type(1) for name in NAMES], np.float64(0.1)]
    taken = 0
    for number in numbers:
        try:
            result = call(number)
        except Refused:
            continue
        taken += 1
        expected = feed_array(x, number)[()]
        assert type(result) is type(expected), number
        assert result.tobytes() == expected.tobytes(), number
    # Not everything is left to the slow path: at least the own type, and True and False beside
    # what Python's numbers are stored as.
    others = np.dtype(dtype).kind == "c" or np.dtype(dtype) in dtypes.HALF
    assert taken >= (1 if others else 3)


@pytest.mark.parametrize("dtype", NAMES)
def test_arrays_and_scalars_of_the_own_dtype_are_taken(dtype: str) -> None:
    call = identity(dtype)
    value = np.dtype(dtype).type(1)
    assert call(np.array(value)) == value
    assert call(value) == value


@pytest.mark.parametrize(("dtype", "number"), [
    ("float32", 0.5), ("float32", 3), ("float32", np.float64(0.5)), ("float64", 0.5),
    ("float64", 3), ("int32", 3), ("uint8", 255), ("int64", -(2**63)), ("uint64", 2**63 - 1),
    ("bool", True), ("int8", True),
])  # fmt: skip
def test_these_need_no_slow_path(dtype: str, number: Any) -> None:
    assert identity(dtype)(number) == number


def unusual_arrays() -> dict[str, Any]:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    return {
        "dtype": a.astype(np.float64),
        "byte order": a.astype(">f4"),
        "rank": a.reshape(6),
        "fixed size": np.zeros((2, 4), np.float32),
        "order": np.asfortranarray(a),
        "strides": np.zeros((2, 6), np.float32)[:, ::2],
        "alignment": np.zeros(25, np.uint8)[1:].view(np.float32).reshape(2, 3),
        "subclass": np.ma.masked_array(a),
        "list": a.tolist(),
        "scalar": 1.0,
        "none": None,
    }


@pytest.mark.parametrize("what", unusual_arrays())
def test_the_unusual_goes_to_the_slow_path_as_it_is(what: str) -> None:
    body = slot(0, "x") + copy("%x", 0, 24, "%dims")
    body = "  %dims = getelementptr i64, ptr %inputs, i64 1\n" + body
    call = callable_of(machine_code(body, [feed("float32", None, 3)], [out("float32", None, 3)]))
    usual = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(call(usual)[0], usual)
    value = unusual_arrays()[what]
    with pytest.raises(Refused) as info:
        call(value)
    assert info.value.args[0][0] is value


def test_so_do_another_number_of_arguments_and_names() -> None:
    call = identity("float32")
    for values, names in (((), {}), ((1.0, 2.0), {}), ((1.0,), {"y": 2}), ((), {"x": 1.0})):
        with pytest.raises(Refused) as info:
            call(*values, **names)
        assert info.value.args == (values, names)


def test_equal_symbols_must_have_equal_sizes() -> None:
    inputs = [feed("float32", "n", "m"), feed("int8", "m"), feed("bool", 2, "n", "n")]
    call = callable_of(machine_code("", inputs))

    def of(n: int, m: int, k: int, i: int, j: int) -> Any:
        return call(np.zeros((n, m), "float32"), np.zeros(k, "int8"), np.zeros((2, i, j), "bool"))

    assert of(3, 4, 4, 3, 3) == []
    assert of(0, 0, 0, 0, 0) == []
    for sizes in ((3, 4, 3, 3, 3), (3, 4, 4, 4, 3), (3, 4, 4, 3, 4)):
        with pytest.raises(Refused):
            of(*sizes)


def test_many_inputs_do_not_fit_the_stack() -> None:
    count = 600
    body = slot(2 * (count - 1), "x") + copy("%x", 0, 4)
    inputs = [feed("float32", 1)] * count
    call = callable_of(machine_code(body, inputs, [out("float32")]))
    values = [np.full(1, i, "float32") for i in range(count)]
    assert call(*values) == [np.float32(count - 1)]
    with pytest.raises(Refused):
        call(*values[1:], np.zeros(2, "float32"))


# -- what is returned -----------------------------------------------------------------------------


def two(**options: Any) -> Any:
    body = slot(0, "x") + copy("%x", 0, 4) + copy("%x", 1, 4)
    compiled = machine_code(body, [feed("float32")], [out("float32"), out("float32")])
    return callable_of(compiled, **options)


Pair = collections.namedtuple("Pair", ["first", "second"])


def test_structures() -> None:
    assert two()(2.0) == [2.0, 2.0]
    assert two(structure=TUPLE)(2.0) == (2.0, 2.0)
    assert two(leaves=[1, -1, 0])(2.0) == [2.0, None, 2.0]
    assert two(structure=TUPLE, leaves=[-1, -1])(2.0) == (None, None)
    assert two(structure=SINGLE, leaves=[1])(2.0) == 2.0
    assert two(structure=SINGLE, leaves=[-1])(2.0) is None
    assert two(leaves=[])(2.0) == []
    built = two(structure=TUPLE, rebuild=lambda values: Pair(*values))(2.0)
    assert type(built) is Pair
    assert built == Pair(2.0, 2.0)


def test_an_error_of_the_rebuilding_function_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        two(structure=TUPLE, rebuild=lambda values: 1 // 0)(2.0)


@pytest.mark.parametrize("dtype", NAMES)
def test_results_are_fresh(dtype: str) -> None:
    body = "  %dims = getelementptr i64, ptr %inputs, i64 1\n" + slot(0, "x")
    body += copy("%x", 0, np.dtype(dtype).itemsize * 3, "%dims")
    call = callable_of(machine_code(body, [feed(dtype, 3)], [out(dtype, 3)]), structure=SINGLE)
    value = np.array([0, 1, 1], dtype)
    first, second = call(value), call(value)
    assert type(first) is np.ndarray
    assert first.dtype == value.dtype
    assert first.flags.owndata and first.flags.writeable and first.flags.c_contiguous
    assert not np.shares_memory(first, second) and not np.shares_memory(first, value)
    np.testing.assert_array_equal(first, value)


def test_empty_results() -> None:
    body = "  %dims = getelementptr i64, ptr %inputs, i64 1\n" + slot(0, "x")
    body += copy("%x", 0, 0, "%dims")
    call = callable_of(machine_code(body, [feed("int16", None, 2)], [out("int16", None, 2)]))
    assert call(np.zeros((0, 2), "int16"))[0].shape == (0, 2)


def test_bools_are_the_two_that_there_are() -> None:
    call = identity("bool")
    assert call(True) is np.True_
    assert call(False) is np.False_


# -- what goes wrong ------------------------------------------------------------------------------


def ends_with(code: int, before: str = "", **options: Any) -> Any:
    body = f"{before}  br i1 true, label %leave, label %go_on\nleave:\n  ret i32 {code}\ngo_on:\n"
    return callable_of(machine_code(body, (), [out("float32")] if before else ()), **options)


def test_a_failing_site_is_explained() -> None:
    with pytest.raises(Failed) as info:
        ends_with(7, copy("%inputs", 0, 0))()
    assert info.value.args == (7,)


@pytest.mark.parametrize(("code", "why"), [
    (-1, "was interrupted, and no exception says why"),
    (-77, "ended with -77, which has no meaning"),
])  # fmt: skip
def test_a_run_that_ends_without_a_reason_is_a_bug(code: int, why: str) -> None:
    with pytest.raises(sg.CompilerError) as info:
        ends_with(code)()
    assert str(info.value).startswith(f"machine code: a run {why}\n")


def test_a_result_that_was_not_asked_for_is_a_bug() -> None:
    for outputs in ([out("float32")], [out("int8", 3)]):
        with pytest.raises(sg.CompilerError, match="without asking for every result"):
            callable_of(machine_code("", (), outputs))()


def test_an_explanation_that_returns_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.backends.native.handwritten.explain", lambda *_: None)
    with pytest.raises(sg.CompilerError, match="site 7 failed and has no error"):
        ends_with(7)()


def message(info: pytest.ExceptionInfo[BaseException]) -> str:
    return str(info.value).rpartition("\n  at ")[0]


def test_memory_that_is_refused() -> None:
    body = """\
  %block = call ptr @sg_alloc(ptr %ctx, i64 100000)
  %none = icmp eq ptr %block, null
  br i1 %none, label %refused, label %done
refused:
  ret i32 -2
unused:
"""
    compiled = machine_code(body)
    assert callable_of(compiled)() == []
    with pytest.raises(sg.RunError) as info:
        callable_of(compiled, memory_limit=50000)()
    assert message(info) == (
        "run: there is not enough memory\n"
        "  it asked for 100000 bytes\n"
        "  and had 0 bytes; the session's memory_limit is 50000 bytes\n"
        "  raise memory_limit, or feed less at a time\n"
        "  no variable has changed"
    )


def square(limit: int | None = None) -> Any:
    """A result of n x n, uninitialised."""
    body = "  %dims = getelementptr i64, ptr %inputs, i64 1\n" + copy("%inputs", 0, 0, "%dims")
    compiled = machine_code(body, [feed("float32", "n", "n")], [out("float32", "n", "n")])
    return callable_of(compiled, memory_limit=limit)


def test_results_count_against_the_limit() -> None:
    assert square(4 * 100)(np.zeros((10, 10), "float32"))[0].shape == (10, 10)
    with pytest.raises(sg.RunError) as info:
        square(4 * 100 - 1)(np.zeros((10, 10), "float32"))
    assert message(info) == (
        "run: there is not enough memory\n"
        "  it asked for 400 bytes for float32[10, 10]\n"
        "  and had 0 bytes; the session's memory_limit is 399 bytes\n"
        "  raise memory_limit, or feed less at a time\n"
        "  no variable has changed"
    )


def test_results_that_no_machine_can_hold() -> None:
    body = (
        "  %dims = alloca [2 x i64]\n  store i64 4611686018427387904, ptr %dims\n"
        "  %more = getelementptr i64, ptr %dims, i64 1\n  store i64 3, ptr %more\n"
        + copy("%inputs", 0, 0, "%dims")
    )
    compiled = machine_code(body, (), [out("float32", None, None)])
    for limit in (None, 10**9):
        with pytest.raises(sg.RunError) as info:
            callable_of(compiled, memory_limit=limit)()
        assert f"it asked for {4 * 3 * 2**62} bytes for float32[" in str(info.value)


def test_damage_is_found_where_it_is_looked_for() -> None:
    body = """\
  %block = call ptr @sg_alloc(ptr %ctx, i64 100)
  %behind = getelementptr i8, ptr %block, i64 100
  store i8 1, ptr %behind
"""
    compiled = machine_code(body)
    with pytest.raises(sg.CompilerError) as info:
        callable_of(compiled, checked=True)()
    assert str(info.value).startswith(
        "machine code: a block of 100 bytes was written behind its last byte\n"
    )


# -- Python in the middle of a run ----------------------------------------------------------------

HOST = """\
  %answer = call i32 @sg_host_call(ptr %ctx, i32 5, ptr %inputs)
  %wrong = icmp ne i32 %answer, 0
  br i1 %wrong, label %failed, label %after
after:
"""


@pytest.mark.parametrize("long", [False, True])
def test_a_host_call(long: bool) -> None:
    seen: list[tuple[int, int]] = []
    compiled = machine_code(HOST, long=long, host=lambda site, slots: seen.append((site, slots)))
    assert callable_of(compiled)() == []
    assert seen[0][0] == 5
    assert seen[0][1] != 0


@pytest.mark.parametrize("long", [False, True])
def test_what_a_host_call_raises_ends_the_run(long: bool) -> None:
    def host(site: int, slots: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        callable_of(machine_code(HOST, long=long, host=host))()


def test_a_host_call_that_nobody_answers_is_a_bug() -> None:
    with pytest.raises(sg.CompilerError, match="site 5 calls Python and nothing answers"):
        callable_of(machine_code(HOST))()


# -- what is left behind --------------------------------------------------------------------------


def resident_kibibytes() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])


def references(*objects: Any) -> list[int]:
    return [sys.getrefcount(item) for item in objects]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_calls_leave_nothing_behind() -> None:
    store = Store(0)
    store.offer("v", np.zeros(3, "float32"))
    x = np.ones((2, 3), "float32")
    flag = np.array(True)
    body = slot(0, "x") + slot(3, "flag") + slot(4, "v")
    body += "  %dims = getelementptr i64, ptr %inputs, i64 1\n"
    body += "  %size = getelementptr i64, ptr %inputs, i64 5\n"
    body += copy("%x", 0, 24, "%dims") + copy("%flag", 1, 1) + copy("%x", 2, 4)
    body += copy("%v", 3, 12, "%size")
    inputs = [feed("float32", 2, 3), feed("bool"), variable("v", "float32", 3)]
    outputs = [out("float32", 2, 3), out("bool"), out("float32"), out("float32", 3)]
    good = callable_of(machine_code(body, inputs, outputs), store, {"v": (3,)})
    bad = ends_with(3, copy("%inputs", 0, 0))

    def use(count: int) -> None:
        for _ in range(count):
            good(x, flag)
        for _ in range(count // 10):
            with pytest.raises(Failed):
                bad()
            with pytest.raises(Refused):
                good(x)

    objects = (x, flag, x.dtype, np.ndarray, np.float32, np.True_, store)
    use(2000)
    gc.collect()
    before, memory = references(*objects), resident_kibibytes()
    use(100_000)
    gc.collect()
    assert references(*objects) == before
    assert resident_kibibytes() - memory < 512


def test_callables_leave_nothing_behind() -> None:
    compiled = machine_code(slot(0, "x") + copy("%x", 0, 4), [feed("float32")], [out("float32")])

    class Slow:
        def __call__(self, *values: Any) -> None:
            raise Refused

    slow = Slow()
    call: Any = callable_of(compiled, slow=slow)
    gone = weakref.ref(slow)
    del slow
    assert call(1.0) == [1.0]
    # The slow path of a session's call knows the call: only the collector finds such a cycle.
    call.itself = call
    del call
    gc.collect()
    assert gone() is None
