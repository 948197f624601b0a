"""Functions in machine code written by hand, for tests of what lies between them and Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from staticgraph.backends.native import jit
from staticgraph.backends.native.spec import FEED, VARIABLE, Compiled, InputSpec, OutputSpec
from staticgraph.backends.native.trampoline import LIST, Bound, MachineCallable, trampoline
from staticgraph.backends.native.trampoline.store import Store
from staticgraph.core import dtypes
from staticgraph.core.types import Shape, TensorType

DECLARATIONS = """
declare ptr @sg_output(ptr, i32, ptr)
declare i32 @sg_commit(ptr)
declare i32 @sg_host_call(ptr, i32, ptr)
declare i32 @sg_poll(ptr)
declare ptr @sg_alloc(ptr, i64)
declare void @sg_release_gil(ptr)
declare void @sg_acquire_gil(ptr)
declare void @PyErr_SetInterrupt()
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""


class Refused(Exception):
    """Raised by `refuse`: the arguments came to the slow path."""


class Failed(Exception):
    """Raised by `explain`, with the number of the site."""


def refuse(*values: Any, **names: Any) -> NoReturn:
    raise Refused(values, names)


def explain(site: int, context: int, inputs: int) -> NoReturn:
    raise Failed(site)


def misfit(name: str, shape: tuple[int, ...]) -> NoReturn:
    raise Failed(name, shape)


def tensor(dtype: Any, *shape: int | str | None) -> TensorType:
    return TensorType(dtypes.as_dtype(dtype), shape)


def feed(dtype: Any, *shape: int | str | None) -> InputSpec:
    return InputSpec(FEED, tensor(dtype, *shape), "x")


def variable(name: str, dtype: Any, *shape: int | str | None) -> InputSpec:
    return InputSpec(VARIABLE, tensor(dtype, *shape), name)


def out(dtype: Any, *shape: int | str | None, overwrites: int | None = None) -> OutputSpec:
    return OutputSpec(tensor(dtype, *shape), overwrites)


def slot(number: int, name: str, type: str = "ptr") -> str:
    """Reads a slot of the inputs."""
    return (
        f"  %{name}_at = getelementptr i64, ptr %inputs, i64 {number}\n"
        f"  %{name} = load {type}, ptr %{name}_at\n"
    )


def copy(source: str, output: int, bytes: int, dims: str = "null") -> str:
    """Asks for an output and copies memory into it; leaves with -1 where there is none."""
    return (
        f"  %out{output} = call ptr @sg_output(ptr %ctx, i32 {output}, ptr {dims})\n"
        f"  %no{output} = icmp eq ptr %out{output}, null\n"
        f"  br i1 %no{output}, label %failed, label %fine{output}\n"
        f"fine{output}:\n"
        f"  call void @llvm.memcpy.p0.p0.i64(ptr %out{output}, ptr {source}, i64 {bytes}, "
        "i1 false)\n"
    )


def machine_code(
    body: str,
    inputs: Sequence[InputSpec] = (),
    outputs: Sequence[OutputSpec] = (),
    long: bool = False,
    host: Callable[[int, int], None] | None = None,
) -> Compiled:
    """The body between the entry and ``ret i32 0``; it may branch to %failed, which returns -1."""
    trampoline()
    text = (
        f"{DECLARATIONS}\ndefine i32 @sg_main(ptr %ctx, ptr %inputs) {{\nentry:\n{body}"
        "  br label %done\ndone:\n  ret i32 0\nfailed:\n  ret i32 -1\n}\n"
    )
    library = jit.compile_module(text)
    return Compiled(
        library.address("sg_main"), tuple(inputs), tuple(outputs), long, explain, host, (library,)
    )


def callable_of(
    compiled: Compiled,
    store: Store | None = None,
    updates: Mapping[str, Shape] | None = None,
    structure: int = LIST,
    leaves: Sequence[int] | None = None,
    rebuild: Callable[[tuple[Any, ...]], Any] | None = None,
    slow: Callable[..., Any] = refuse,
    **options: Any,
) -> MachineCallable:
    """The function as Python calls it; all that is fetched comes in a list."""
    bound = Bound(compiled, store or Store(0), updates or {}, misfit, **options)
    if leaves is None:
        leaves = range(len(compiled.outputs) - len(updates or {}))
    return bound.callable(slow, leaves, structure, rebuild)
