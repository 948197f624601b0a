"""The text of the runtime: what `assemble` spells out, and that every target takes it."""

from __future__ import annotations

import os

import pytest

from staticgraph.backends.native import (
    calls,
    context,
    jit,
    machine,
    memory,
    runtime,
    targets,
    threads,
)
from staticgraph.backends.native.assembly import assemble
from tests.backends.native.test_threads import run


def test_fields_constants_and_comments() -> None:
    text = """
; a comment
  call void @f(ptr %a[NEXT], ptr @b[LAST], i64 -$LAST)  ; another
"""
    assert assemble(text, {"NEXT": 8, "LAST": 24}) == (
        "  %field0 = getelementptr i8, ptr %a, i64 8\n"
        "  %field1 = getelementptr i8, ptr @b, i64 24\n"
        "  call void @f(ptr %field0, ptr %field1, i64 -24)\n"
    )


@pytest.mark.parametrize("text", ["load i64, ptr %a[NOWHERE]", "add i64 %x, $NOWHERE"])
def test_a_name_that_nobody_defined(text: str) -> None:
    with pytest.raises(KeyError, match="NOWHERE"):
        assemble(text, {})


def test_no_two_parts_give_a_name_two_meanings() -> None:
    fields = [name for name in vars(context) if name.isupper()]
    names = [*fields, *memory.LAYOUT, *calls.LAYOUT, *threads.LAYOUT]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", targets.names())
def test_every_target_takes_it(name: str) -> None:
    target = targets.named(name)
    text = runtime.runtime_text(target.architecture)
    code = jit.assembly(text, target=target)
    assert all(f"{export}:" in code for export in runtime.EXPORTS)
    assert ("pause" in code) == (target.architecture == "x86_64")
    assert ("yield" in code) == (target.architecture != "x86_64")


def test_an_architecture_without_a_known_pause_waits_without() -> None:
    assert machine.pause("riscv64") == ("", "")
    assert "sse2.pause" in runtime.runtime_text("x86_64")
    assert "sse2.pause" not in runtime.runtime_text("riscv64")


def test_the_text_holds_no_addresses() -> None:
    # So that machine code of it can be kept from one process to the next.
    assert "inttoptr (" not in runtime.runtime_text("x86_64")
    assert runtime.runtime_text("x86_64") == runtime.runtime_text("x86_64")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity to set")
def test_cores_are_those_of_the_affinity() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert machine.cores() == len(allowed)


def test_where_address_space_is_short_a_region_is_no_larger_than_needed() -> None:
    done = run("""
import resource
with Context() as ctx:
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (40 << 20),) * 2)
    print(programs().alloc(ctx.pointer, 10 << 20) is not None, ctx.held_bytes >> 20)
    print(programs().alloc(ctx.pointer, 1 << 30), ctx.refused_bytes >> 30)
    print(programs().alloc(ctx.pointer, 1000) is not None)
""")
    assert done.stdout.split() == ["True", "10", "None", "1", "True"], done.stderr
