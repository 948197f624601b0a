"""Compiles and calls matrix product kernels, without the rest of the backend."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from staticgraph.backends.native import matmul
from staticgraph.backends.native.ir import Code, Module
from staticgraph.backends.native.matmul import Target

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

AVX512 = Target(64, 32)
AVX2 = Target(32, 16)
SSE2 = Target(16, 16)


@cache
def host_features() -> dict[str, bool]:
    return dict(llvm.get_host_cpu_features())


def host_target() -> Target:
    features = host_features()
    if features.get("avx512bw") and features.get("avx512dq"):
        return AVX512
    return AVX2 if features.get("avx2") and features.get("fma") else SSE2


def runs(target: Target) -> bool:
    return target.vector_bytes <= host_target().vector_bytes


def machine(target: Target, level: int) -> Any:
    made = {"opt": level, "codemodel": "jitdefault", "jit": True}
    triple = llvm.Target.from_default_triple()
    if target == host_target():
        features = llvm.get_host_cpu_features().flatten()
        return triple.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, **made)
    cpu = "haswell" if target.vector_bytes == 32 else ""
    return triple.create_target_machine(cpu=cpu, **made)


class Compiled:
    """A kernel, and a function that counts its tasks."""

    def __init__(
        self,
        product: matmul.Product,
        target: Target | None = None,
        epilogue: matmul.Epilogue | None = None,
        level: int = 2,
        separate: bool = False,
    ) -> None:
        self.product = product
        target = target or host_target()
        module = Module()
        name = matmul.write_kernel(module, product, target, epilogue)
        code = Code(module, "tasks", "void", [f"i64 %{x}" for x in "mnkb"] + ["ptr %out"])
        m = "%m" if product.m is None else product.m
        n = "%n" if product.n is None else product.n
        k = "%k" if product.k is None else product.k
        tasks = matmul.count_tasks(code, product, target, (m, n, k), "%b")
        code.do(f"store i64 {tasks.number}, ptr %out")
        place = code.let("getelementptr i64, ptr %out, i64 1")
        code.do(f"store i64 {tasks.grain}, ptr {place}")
        code.do("ret void")
        code.finish()
        self.target, self.level, self.text = target, level, str(module)
        llvm.parse_assembly(self.text).verify()
        parts = module.parts() if separate else [(self.text, level)]
        first, *others = [llvm.parse_assembly(text) for text, _ in parts]
        self.engine = llvm.create_mcjit_compiler(first, machine(target, parts[0][1]))
        for parsed, (_, effort) in zip(others, parts[1:], strict=True):
            code = machine(target, effort).emit_object(parsed)
            self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self.engine.finalize_object()
        self.address = self.engine.get_function_address(name)
        self.kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64])(
            self.address
        )
        self.count = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4, ctypes.c_void_p)(
            self.engine.get_function_address("tasks")
        )

    def assembly(self) -> str:
        """The machine code as text."""
        made = machine(self.target, self.level)
        return str(made.emit_assembly(llvm.parse_assembly(self.text)))

    def arguments(
        self, a: np.ndarray, b: np.ndarray, c: np.ndarray, extra: Sequence[int] = ()
    ) -> np.ndarray:
        """The argument slots for matrices (with as many batch axes as the product has)."""
        size = a.dtype.itemsize
        (m, k), n = a.shape[-2:], b.shape[-1]
        slots = [a.ctypes.data, b.ctypes.data, c.ctypes.data, m, n, k]
        slots += [s // size for s in (*a.strides[-2:], *b.strides[-2:], c.strides[-2])]
        for axis in range(len(self.product.batch)):
            slots += [c.shape[axis], *(x.strides[axis] // size for x in (a, b, c))]
        assert len(slots) == self.product.slots
        return np.array([*slots, *extra], np.int64)

    def tasks(self, c: np.ndarray, k: int) -> tuple[int, int]:
        """The number of tasks and the grain."""
        out = np.zeros(2, np.int64)
        batch = int(np.prod(c.shape[:-2]))
        self.count(c.shape[-2], c.shape[-1], k, batch, out.ctypes.data)
        return int(out[0]), int(out[1])

    def __call__(
        self,
        a: np.ndarray,
        b: np.ndarray,
        c: np.ndarray | None = None,
        extra: Sequence[int] = (),
        chunks: int = 1,
    ) -> np.ndarray:
        """The product, computed in `chunks` calls of the kernel, the last ones first."""
        if c is None:
            batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            c = np.full((*batch, a.shape[-2], b.shape[-1]), 77, a.dtype)
        a = np.broadcast_to(a, (*c.shape[:-2], *a.shape[-2:]))
        b = np.broadcast_to(b, (*c.shape[:-2], *b.shape[-2:]))
        arguments = self.arguments(a, b, c, extra)
        number, _ = self.tasks(c, a.shape[-1])
        bounds = [number * i // chunks for i in range(chunks + 1)]
        for lo, hi in reversed(list(pairwise(bounds))):
            if lo < hi:
                self.kernel(arguments.ctypes.data, lo, hi)
        return c
