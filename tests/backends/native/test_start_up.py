"""What has to be done before the first result, in numbers of modules and functions."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native import (
    jit,
    kernels,
)
from staticgraph.backends.native.executable import NativeFunction
from staticgraph.backends.native.ir import Module
from staticgraph.backends.native.matmul import Product, Target, write_kernel
from staticgraph.backends.native.trampoline import load as trampoline_load
from staticgraph.backends.native.trampoline.load import Trampoline, trampoline
from staticgraph.core import dtypes

# Code that is compiled after a trampoline was made calls it: none may go.
_MADE: list[Trampoline] = []


def test_only_what_adds_up_products_is_compiled_with_effort() -> None:
    for strides in ((40, 1, 50, 1), (1, 30, 1, 40)):
        module = Module()
        write_kernel(module, Product(dtypes.float32, 30, 50, 40, *strides, 50), Target(64, 32))
        levels = {part.level: part.text for part in module.parts()}
        assert set(levels) == {0, 2}
        functions = [line for line in levels[2].splitlines() if line.startswith("define ")]
        assert functions
        assert all("@matmul_tile_" in function for function in functions)


def kernel_levels(shape: tuple[int | None, ...]) -> set[int]:
    with sg.Graph().as_default():
        x = sg.placeholder("float32", shape)
        trampoline()
        made = NativeFunction(sg.optimize(sg.tanh(x * 2.0 + 1.0) * x))
        parts = made.compilation.program.module.parts()
        return {part.level for part in parts if "\ndefine void @kernel_" in part.text}


def test_kernels_are_compiled_with_effort_where_they_may_have_many_elements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert kernel_levels((128, 256)) == {0}
    assert kernel_levels((300, 256)) == {1}
    assert kernel_levels((None,)) == {1}
    # A very long one would take too long.
    monkeypatch.setattr(kernels, "_LONG_LINES", 20)
    assert kernel_levels((None,)) == {0}


def main_level(loop: Callable[[sg.Tensor], sg.Tensor], shape: tuple[int, ...]) -> int:
    with sg.Graph().as_default():
        trampoline()
        made = NativeFunction(sg.optimize(loop(sg.placeholder("float32", shape))))
        parts = made.compilation.program.module.parts()
        return next(part.level for part in parts if "@sg_main(ptr %ctx" in part.text)


def test_the_main_function_is_compiled_with_effort_where_it_does_the_work_itself() -> None:
    def halved(x: sg.Tensor) -> sg.Tensor:
        found: sg.Tensor
        (found,) = sg.while_loop(lambda y: sg.sum(y) > 1.0, lambda y: (y * 0.5,), (x,))
        return found

    assert main_level(halved, ()) == 1
    assert main_level(halved, (300,)) == 0
    assert main_level(sg.tanh, ()) == 0


def test_threads_make_one_trampoline() -> None:
    made = _asked_by_threads(8)
    assert all(one is made[0] for one in made)


def _asked_by_threads(count: int) -> list[Trampoline]:
    before = trampoline_load._trampoline
    trampoline_load._trampoline = None
    try:
        barrier = threading.Barrier(count)
        found: list[Trampoline] = []

        def ask() -> None:
            barrier.wait()
            found.append(trampoline())

        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _MADE.extend(found)
        return found
    finally:
        trampoline_load._trampoline = before


def test_initial_values_that_are_arrays_need_no_code() -> None:
    with sg.Graph().as_default():
        first = np.arange(6.0, dtype=np.float32).reshape(2, 3)
        v = sg.Variable(first.T, name="v")
        w = sg.Variable(first, name="w")
        session = sg.Session(backend="native", threads=1)
        step = session.make_callable(sg.group(v.assign_add(v), w.assign_add(w)), [])
        before = jit.statistics()
        step()
        now = jit.statistics()
        assert (now.compiled, now.from_cache, now.shared) == (
            before.compiled, before.from_cache, before.shared,
        )  # fmt: skip
        # What the graph holds is not what the step wrote to.
        assert session.run(v).tolist() == (2 * first.T).tolist()
        again = sg.Session(backend="native")
        assert again.run([v, w])[1].tolist() == first.tolist()


IMPORT = """
import sys
HEAVY = {"llvmlite", "scipy", "tempfile", "shutil", "lzma"}
import numpy
HEAVY -= sys.modules.keys()
import staticgraph
print(sorted(name for name in sys.modules if name.partition(".")[0] in HEAVY))
print([name for name in sys.modules if name.startswith("staticgraph.backends.native.")])
"""


def test_importing_loads_neither_the_backend_nor_what_it_needs() -> None:
    made = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    assert made.stdout.splitlines() == ["[]", "[]"]
