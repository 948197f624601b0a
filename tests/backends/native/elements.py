"""Runs emit rules: a loop over arrays.

Whole vectors only: `run` fills its operands up with copies of their last element.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from staticgraph.backends.native import jit, targets
from staticgraph.backends.native.ir import Code, Module, memory_type, vector
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

Array = np.ndarray[Any, Any]

_ENTRY = ctypes.CFUNCTYPE(ctypes.c_uint8, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def kernel(
    emit: Callable[..., Register],
    operands: tuple[DType, ...],
    result: DType,
    lanes: int,
    fused: bool = True,
    contract: bool = False,
    scales: bool = False,
    **attrs: Any,
) -> str:
    """IR of ``i8 kernel(ptr operands, ptr result, i64 count)``: whether an element failed."""
    module = Module()
    code = Code(module, "kernel", "i8", ("ptr %operands", "ptr %result", "i64 %count"))
    pointers = []
    for index in range(len(operands)):
        place = code.let(f"getelementptr ptr, ptr %operands, i64 {index}")
        pointers.append(code.let(f"load ptr, ptr {place}"))
    loop, after = code.label(), code.label()
    code.jump(loop)
    code.begin(loop)
    counter, failed = code.phi("i64"), code.phi("i8")
    counter.add("0", "entry")
    failed.add("0", "entry")
    s = Scalars(code, lanes, contract, fused, scales)
    registers = [
        _load(code, pointer, counter.name, dtype, lanes)
        for pointer, dtype in zip(pointers, operands, strict=True)
    ]
    value = emit(s, *registers, **attrs)
    assert value.dtype == result, (value.dtype, result)
    text, kind = value.text, memory_type(result)
    if result == dtypes.bool_:
        text = code.let(f"zext {s.type(result)} {text} to {vector('i8', lanes)}")
    place = code.let(f"getelementptr {kind}, ptr %result, i64 {counter.name}")
    code.do(f"store {vector(kind, lanes)} {text}, ptr {place}, align 1")
    bad = "false" if s.failed is None else s.failed.text
    if s.failed is not None and lanes > 1:
        bad = code.intrinsic(f"vector.reduce.or.v{lanes}i1", "i1", [(s.type(dtypes.bool_), bad)])
    bad = code.let(f"or i8 {failed.name}, {code.let(f'zext i1 {bad} to i8')}")
    following = code.let(f"add i64 {counter.name}, {lanes}")
    counter.add(following, code.block)
    failed.add(bad, code.block)
    code.branch(code.let(f"icmp ult i64 {following}, %count"), loop, after)
    code.begin(after)
    code.do(f"ret i8 {bad}")
    code.finish()
    return str(module)


def _load(code: Code, pointer: str, index: str, dtype: DType, lanes: int) -> Register:
    kind = memory_type(dtype)
    place = code.let(f"getelementptr {kind}, ptr {pointer}, i64 {index}")
    text = code.let(f"load {vector(kind, lanes)}, ptr {place}, align 1")
    if dtype == dtypes.bool_:
        zero = "0" if lanes == 1 else "zeroinitializer"
        text = code.let(f"icmp ne {vector('i8', lanes)} {text}, {zero}")
    return Register(text, dtype)


class Rule:
    """A compiled emit rule, to be called with arrays."""

    def __init__(
        self,
        emit: Callable[..., Register],
        operands: tuple[DType, ...],
        result: DType,
        lanes: int = 16,
        fused: bool | None = None,
        scales: bool | None = None,
        level: int = jit.DEFAULT_LEVEL,
        **attrs: Any,
    ) -> None:
        self.operands, self.result, self.lanes = operands, result, lanes
        used = targets.host().fused if fused is None else fused
        scales = targets.host().vector_bytes == 64 if scales is None else scales
        self.text = kernel(emit, operands, result, lanes, used, scales=scales, **attrs)
        self.library = jit.compile_module(self.text, level)
        self.call = _ENTRY(self.library.address("kernel"))
        self.failed = False

    def __call__(self, *arrays: Array) -> Array:
        """The rule's result for arrays of one size; `failed` says whether an element failed."""
        arrays = np.broadcast_arrays(*arrays)
        count = arrays[0].size
        whole = -(-count // self.lanes) * self.lanes
        padded = [
            np.ascontiguousarray(np.pad(array.ravel(), (0, whole - count), mode="edge"))
            for array in arrays
        ]
        for array, dtype in zip(padded, self.operands, strict=True):
            assert array.dtype == dtype
        result = np.empty(whole, self.result)
        pointers = np.array([array.ctypes.data for array in padded], np.uint64)
        self.failed = bool(self.call(pointers.ctypes.data, result.ctypes.data, whole))
        return result[:count].reshape(arrays[0].shape)
