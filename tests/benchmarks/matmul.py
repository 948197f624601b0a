"""Matrix products beside NumPy's and JAX's, each on one core, interleaved.

``python -m tests.benchmarks.matmul [--write]`` prints the table of docs/matmul.md, or writes it.
The process keeps to one core, so every library has one thread; JAX is left out where it is not
installed. A figure is the best of some rounds, in 10^9 operations a second of processor time.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if hasattr(os, "sched_setaffinity"):
    # Before any library counts the cores.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import llvmlite.binding as llvm
import numpy as np

from staticgraph.backends.native.matmul import Product
from tests.backends.native.matmul_harness import Compiled, host_target, machine

try:
    import jax
except ImportError:
    jax = None  # type: ignore[assignment,unused-ignore]

PAGE = Path(__file__).parents[2] / "docs" / "matmul.md"
BEGIN, END = "<!-- matmul: begin -->", "<!-- matmul: end -->"
ROUNDS = 12
# Multiply-adds of one round, and what a call of NumPy costs in the same coin.
ROUND_WORK = 4_000_000
CALL_WORK = 100_000

# m, n, k, then which operands are transposed.
SHAPES = [
    *((n, n, n, "NN") for n in (4, 8, 16, 32, 64, 100, 128, 256, 512, 1000, 1024, 2048)),
    (128, 256, 784, "NN"), (784, 256, 128, "TN"), (128, 10, 256, "NN"), (256, 10, 128, "TN"),
    (128, 256, 10, "NT"), (32, 64, 64, "NN"), (32, 64, 64, "NT"), (64, 64, 32, "TN"),
    (512, 512, 512, "NT"), (512, 512, 512, "TN"), (1024, 1024, 1024, "TN"),
    (1024, 1024, 1024, "NT"), (1, 512, 512, "NN"), (1, 512, 512, "NT"), (512, 1, 512, "NN"),
    (512, 1, 512, "TN"), (1, 2048, 2048, "NN"), (2048, 1, 2048, "NN"), (8, 1024, 1024, "NN"),
    (8, 1024, 1024, "NT"), (1024, 8, 1024, "NN"), (1024, 1024, 8, "NN"), (1, 1, 100_000, "NN"),
]  # fmt: skip

_REPEAT = """
define void @repeat(ptr %kernel, ptr %args, i64 %tasks, i64 %times) {
entry:
  br label %again
again:
  %i = phi i64 [ 0, %entry ], [ %next, %again ]
  call void %kernel(ptr %args, i64 0, i64 %tasks)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %times
  br i1 %more, label %again, label %done
done:
  ret void
}
"""


class Repeat:
    """Calls a kernel again and again from machine code, as a program would."""

    def __init__(self) -> None:
        self.engine = llvm.create_mcjit_compiler(
            llvm.parse_assembly(_REPEAT), machine(host_target(), 2)
        )
        self.engine.finalize_object()
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        self.call = ctypes.CFUNCTYPE(None, pointer, pointer, number, number)(
            self.engine.get_function_address("repeat")
        )


def _product(dtype: str, m: int, n: int, k: int, orders: str, known: bool) -> Product:
    a = (k, 1) if orders[0] == "N" else (1, m)
    b = (n, 1) if orders[1] == "N" else (1, k)
    if known:
        return Product(np.dtype(dtype), m, n, k, *a, *b, n)
    # A stride of 1 is the layout, which is always known.
    steps = [None if orders[0] == "N" else 1, 1 if orders[0] == "N" else None]
    steps += [None if orders[1] == "N" else 1, 1 if orders[1] == "N" else None]
    return Product(np.dtype(dtype), None, None, None, *steps, None)


def _candidates(
    repeat: Repeat, dtype: str, shape: tuple[int, int, int, str]
) -> dict[str, tuple[Callable[[], Any], int]]:
    """Per name: what runs one round, and how many products that is."""
    m, n, k, orders = shape
    rng = np.random.default_rng(0)
    shapes = (m, k) if orders[0] == "N" else (k, m), (k, n) if orders[1] == "N" else (n, k)
    stored = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    a, b = (x if order == "N" else x.T for x, order in zip(stored, orders, strict=True))
    c = np.zeros((m, n), dtype)
    times = max(1, ROUND_WORK // (m * n * k + 50))
    few = max(1, ROUND_WORK // (m * n * k + CALL_WORK))
    found: dict[str, tuple[Callable[[], Any], int]] = {}
    for name, known in (("known sizes", True), ("sizes of the run", False)):
        kernel = Compiled(_product(dtype, m, n, k, orders, known))
        arguments = kernel.arguments(a, b, c)
        tasks, _ = kernel.tasks(c, k)

        def ours(kernel: Any = kernel, arguments: Any = arguments, tasks: int = tasks) -> None:
            repeat.call(kernel.address, arguments.ctypes.data, tasks, times)

        found[name] = ours, times
    found["NumPy"] = lambda: [np.matmul(a, b, out=c) for _ in range(few)], few
    if jax is not None:
        jax.config.update("jax_enable_x64", True)
        compiled = jax.jit(
            lambda x, y: (x.T if orders[0] == "T" else x) @ (y.T if orders[1] == "T" else y)
        )
        placed = [jax.numpy.asarray(x) for x in stored]
        found["JAX"] = lambda: [compiled(*placed).block_until_ready() for _ in range(few)], few
    return found


def _measure(candidates: dict[str, tuple[Callable[[], Any], int]]) -> dict[str, float]:
    """Processor seconds of one product: the best of the rounds that all candidates took in turn.

    Each is the first of some rounds, since what runs before it leaves its data in the caches.
    """
    best = dict.fromkeys(candidates, float("inf"))
    names = list(candidates)
    for run, _ in candidates.values():
        run()
    for first in range(ROUNDS):
        for position in range(len(names)):
            name = names[(first + position) % len(names)]
            run, times = candidates[name]
            start = time.process_time()
            run()
            best[name] = min(best[name], (time.process_time() - start) / times)
    return best


def table() -> str:
    """The table in Markdown."""
    repeat = Repeat()
    lines: list[str] = []
    for dtype in ("float32", "float64"):
        for m, n, k, orders in SHAPES:
            taken = _measure(_candidates(repeat, dtype, (m, n, k, orders)))
            if not lines:
                lines.append(f"| dtype | m x n x k | {' | '.join(taken)} |")
                lines.append("|---" * (len(taken) + 2) + "|")
            rates = [2e-9 * m * n * k / seconds for seconds in taken.values()]
            cells = " | ".join(f"{rate:.3g}" for rate in rates)
            lines.append(f"| {dtype} | {m} x {n} x {k} {orders} | {cells} |")
            print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Prints the table, or writes it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/matmul.md")
    write = parser.parse_args().write
    made = table()
    if not write:
        return
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}")


if __name__ == "__main__":
    main()
