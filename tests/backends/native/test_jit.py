"""From LLVM text to loaded code, and away again."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

import staticgraph as sg
from staticgraph.backends.native import elf, jit, targets

ROOT = Path(sg.__file__).parent.parent


def answer(number: int) -> str:
    """A module whose @answer gives a number, and that has a variable of its own."""
    return (
        f"@kept = global i64 {number}\n"
        f"define i64 @answer() {{\n  %x = load i64, ptr @kept\n  ret i64 %x\n}}\n"
        "define internal void @hidden() {\n  ret void\n}\n"
    )


def call(library: jit.Library, name: str = "answer") -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int64)(library.address(name))())


def since(before: jit.Statistics) -> tuple[int, int, int]:
    """What was compiled, read from the disk and found in memory since then."""
    now = jit.statistics()
    return (
        now.compiled - before.compiled,
        now.from_cache - before.from_cache,
        now.shared - before.shared,
    )


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CACHE", "0")


@pytest.mark.parametrize("level", targets.LEVELS)
def test_code_runs(level: int) -> None:
    library = jit.compile_module(answer(level), level)
    assert call(library) == level
    assert ctypes.c_int64.from_address(library.address("kept")).value == level


@pytest.mark.usefixtures("nothing_kept")
def test_equal_texts_are_compiled_once() -> None:
    before = jit.statistics()
    first = jit.compile_module(answer(100))
    assert jit.compile_module(answer(100)) is first
    assert since(before) == (1, 0, 1)
    assert jit.statistics().seconds > before.seconds
    # Another level is other code, and so is another text.
    jit.compile_module(answer(100), 1)
    jit.compile_module(answer(101))
    assert since(before) == (3, 0, 1)


@pytest.mark.usefixtures("nothing_kept")
def test_variables_of_one_s_own() -> None:
    before = jit.statistics()
    first = jit.compile_module(answer(7), shared=False)
    second = jit.compile_module(answer(7), shared=False)
    assert since(before) == (1, 0, 1)
    assert first.address("kept") != second.address("kept")
    ctypes.c_int64.from_address(first.address("kept")).value = 8
    assert (call(first), call(second)) == (8, 7)


def test_code_in_which_nobody_is_interested_is_unloaded() -> None:
    library = jit.compile_module(answer(200))
    engine = weakref.ref(library._engine)
    del library
    gc.collect()
    assert engine() is None


@pytest.mark.usefixtures("nothing_kept")
def test_loading_does_not_grow_the_process() -> None:
    """Through the image that another library keeps, so that only loading is looked at."""
    if not sys.platform.startswith("linux"):
        pytest.skip("asks /proc for the memory of the process")
    text = answer(300)
    keeper = jit.compile_module(text)

    def resident() -> int:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def load(times: int) -> None:
        for _ in range(times):
            call(jit.compile_module(text, shared=False))

    load(100)
    start = resident()
    load(500)
    # A page a load would be 2 MB, and the newer JIT's leak 5 MB.
    assert resident() - start < 1 << 20
    assert call(keeper) == 300


def test_symbols_are_given_by_address() -> None:
    numbers = []
    take = ctypes.CFUNCTYPE(None, ctypes.c_int64)(numbers.append)
    jit.add_symbol("sg_test_take", ctypes.cast(take, ctypes.c_void_p).value or 0)
    text = (
        "declare void @sg_test_take(i64)\n"
        "define i64 @answer() {\n  call void @sg_test_take(i64 5)\n  ret i64 0\n}\n"
    )
    library = jit.compile_module(text)
    assert library.images[0].wanted == ("sg_test_take",)
    call(library)
    assert numbers == [5]
    others: list[int] = []
    other = ctypes.CFUNCTYPE(None, ctypes.c_int64)(others.append)
    jit.add_symbol("sg_test_take", ctypes.cast(other, ctypes.c_void_p).value or 0)
    # An equal text that is loaded now calls the new address, although the old one is loaded still.
    call(jit.compile_module(text))
    call(library)
    assert (numbers, others) == ([5, 5], [5])


def test_parts_call_each_other() -> None:
    kernel = "define i64 @kernel(i64 %x) {\n  %y = mul i64 %x, 3\n  ret i64 %y\n}\n"
    main = (
        "declare i64 @kernel(i64)\n"
        "define i64 @answer() {\n  %y = call i64 @kernel(i64 14)\n  ret i64 %y\n}\n"
    )
    before = jit.statistics()
    library = jit.compile_parts([(kernel, 2), (main, 0)])
    assert call(library) == 42
    assert since(before) == (2, 0, 0)
    assert jit.compile_parts([(kernel, 2), (main, 0)]) is library
    # The kernel of another program is there already.
    other = jit.compile_parts([(kernel, 2), (main.replace("14", "15"), 0)])
    assert call(other) == 45
    assert since(before) == (3, 0, 3)
    with pytest.raises(sg.CompilerError, match=r"^a module refers to @kernel, which nobody def"):
        jit.compile_module(main)
    with pytest.raises(sg.CompilerError, match="define the same name"):
        jit.compile_parts([(kernel, 2), (kernel, 0)])


def test_names_that_are_not_there() -> None:
    library = jit.compile_module(answer(1))
    for name in ("nothing", "hidden", "malloc"):
        with pytest.raises(sg.CompilerError) as info:
            library.address(name)
        assert str(info.value) == f"the module defines no @{name}"


def test_a_call_of_nothing_does_not_end_the_process() -> None:
    text = (
        "declare void @sg_nowhere()\ndefine void @f() {\n  call void @sg_nowhere()\n  ret void\n}"
    )
    for _ in range(2):  # new, and from the disk
        with pytest.raises(sg.CompilerError) as info:
            jit.compile_module(text)
        assert str(info.value) == "a module refers to @sg_nowhere, which nobody defines"
    # A declaration alone asks for nothing.
    jit.compile_module("declare void @sg_nowhere()\ndefine void @f() {\n  ret void\n}")


def test_calls_that_code_generation_adds_are_seen() -> None:
    text = "define float @f(float %x) {\n  %y = frem float %x, 2.0\n  ret float %y\n}"
    image = jit.emit(text, target=targets.named("x86-64"))
    assert image.wanted == elf.undefined_symbols(image.code) == ("fmodf",)
    assert image.defined == ("f",)


def test_unsound_texts() -> None:
    with pytest.raises(sg.CompilerError, match="LLVM cannot read a module"):
        jit.compile_module("define void @f() { nonsense }")
    unsound = "define i32 @f() {\n  br label %a\na:\n  br label %b\nb:\n  %y = add i32 %z, 1\n"
    unsound += "  %z = add i32 %y, 1\n  ret i32 %y\n}"
    with pytest.raises(sg.CompilerError, match="LLVM finds a module unsound"):
        jit.compile_module(unsound)
    with pytest.raises(sg.CompilerError, match="LLVM finds a module unsound"):
        jit.verified_text(unsound)
    with pytest.raises(sg.CompilerError, match="there is no level 3"):
        jit.compile_module(answer(1), 3)


def test_text_for_people() -> None:
    assert "define i64 @answer()" in jit.verified_text(answer(1))
    assert "answer:" in jit.assembly(answer(1))


def test_the_level_that_a_large_function_bears() -> None:
    line = "  fence seq_cst\n"
    large = "define void @f() {\n" + line * (jit.LARGE_FUNCTION_LINES + 1) + "  ret void\n}\n"
    assert jit.affordable_level(answer(1), 2) == 2
    assert jit.affordable_level(answer(1) + large, 2) == 0
    before = jit.statistics()
    jit.compile_module(large, 2)
    assert since(before)[0] == 1
    with pytest.raises(sg.CompilerError, match="there is no level 7"):
        jit.compile_module(answer(1), 7)
    jit.compile_module(large, 0)
    assert since(before)[0] == 1
    # Many functions that are small each are no harm.
    assert jit.affordable_level(answer(1) * 2000, 2) == 2


@pytest.mark.usefixtures("nothing_kept")
def test_threads_compile_one_text_once() -> None:
    before = jit.statistics()
    barrier = threading.Barrier(8)
    found: list[jit.Library] = []

    def compile_both(number: int) -> None:
        barrier.wait()
        found.append(jit.compile_module(answer(400)))
        assert call(jit.compile_module(answer(401 + number))) == 401 + number

    threads = [threading.Thread(target=compile_both, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert since(before) == (9, 0, 7)


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | environment,
        timeout=120,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_children_that_are_forked_while_another_thread_compiles_and_drops_code() -> None:
    code = """
import os, threading
from staticgraph.backends.native import jit
TEXT = "define i64 @f() {\\n  ret i64 %d\\n}"
done = threading.Event()
def work():
    number = 0
    while not done.is_set():
        number += 1
        jit.compile_module(TEXT % number).address("f")
thread = threading.Thread(target=work)
thread.start()
codes = set()
for number in range(20):
    child = os.fork()
    if not child:
        jit.compile_module(TEXT % -number).address("f")
        os._exit(7)
    codes.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
thread.join()
print(codes)
"""
    assert run(code, PYTHONWARNINGS="ignore", STATICGRAPH_CACHE="0") == "{7}"


def test_importing_it_does_not_load_llvm() -> None:
    code = (
        "import sys\nfrom staticgraph.backends.native import jit\nprint('llvmlite' in sys.modules)"
    )
    assert run(code) == "False"
