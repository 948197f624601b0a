"""A Function as loaded machine code, and what happens when it asks for Python or fails.

Machine code that fails says at which node. The error itself is made by the reference backend,
which runs the Function again on the same inputs up to the node that fails: so both backends raise
the same error, with the values that were met. Effects are muted in that run; they have been seen.
"""

from __future__ import annotations

import ctypes
import dataclasses
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from staticgraph.backends.native import jit, targets
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.program import Options
from staticgraph.backends.native.spec import Compiled, InputSpec
from staticgraph.backends.reference import ReferenceExecutable
from staticgraph.core import dtypes
from staticgraph.core.function import Function
from staticgraph.core.graph import describe_mismatch, spoken_of
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import Mismatch
from staticgraph.errors import CompilerError, NumericsError, RunError, StaticGraphError

Array = np.ndarray[Any, Any]


class NativeFunction:
    """Machine code of a Function. `compiled` is what a trampoline needs; the rest is for looking.

    parts_made   what became of the parts of its module
    seconds      how long it took to write the module
    """

    def __init__(
        self,
        function: Function,
        fetched: int | None = None,
        check_numerics: bool = False,
        contract: bool = False,
    ) -> None:
        self.function = function
        self.check_numerics = check_numerics
        target = targets.host()
        options = Options(
            vector_bytes=target.vector_bytes,
            registers=target.registers,
            check_numerics=check_numerics,
            contract=contract,
            fused=target.fused,
        )
        start = time.perf_counter()
        self.compilation = Compilation(function, options, fetched)
        self.sites = self.compilation.program.sites
        constants = self.compilation.program.constants
        # Modules that share their variables would share the table of their constants.
        parts = self.compilation.program.module.parts()
        self.seconds = time.perf_counter() - start
        self.parts_made: list[jit.PartNote] = []
        library = jit.compile_parts(parts, shared=not constants, notes=self.parts_made)
        if constants:
            table = (ctypes.c_void_p * len(constants)).from_address(library.address("sg_constants"))
            for number, array in enumerate(constants):
                table[number] = array.ctypes.data
        self.compiled = Compiled(
            address=library.address("sg_main"),
            inputs=tuple(self.compilation.inputs),
            outputs=tuple(self.compilation.outputs),
            long=self.compilation.program.long,
            explain=self._explain,
            host=self._host if self.compilation.program.hosts else None,
            keep=(library, constants),
        )

    @property
    def text(self) -> str:
        """The LLVM module."""
        return self.compilation.text

    def _host(self, site: int, arguments: int) -> None:
        """Does what the code asks Python for at `site`."""
        self.compilation.program.hosts[site](arguments)

    def _explain(self, site: int, context: int, inputs: int) -> NoReturn:
        """Raises the error of a site that failed on these inputs."""
        arrays = read_inputs(self.compilation.inputs, inputs)
        try:
            ReferenceExecutable(muted(self.function), self.check_numerics)(arrays)
        except StaticGraphError as error:
            # Where the backend was when it found out is of no use to anyone.
            raise error.with_traceback(None) from error.__cause__
        raise self._unexplained(self.sites[site - 1])

    def _unexplained(self, node: Node) -> StaticGraphError:
        """The error of a node at which the reference does not fail: it rounds differently."""
        if self.check_numerics:
            what = spoken_of(node.op, node.location)
            return NumericsError(
                f"{what}: made a value that is not finite from finite operands\n"
                "  it is finite when every operation is rounded as NumPy rounds it\n"
                f"  created at {node.location}"
            )
        problem = Mismatch("an operand does not fit in this run", error=RunError)
        if node.op.reference is None:
            return CompilerError(f"{node.op.name}: failed\n  created at {node.location}")
        return describe_mismatch(node.op, node.inputs, problem, node.location)


def read_inputs(specs: Sequence[InputSpec], address: int) -> list[Array]:
    """The inputs of a run as arrays, from the slots that the code was given; nothing is copied."""
    arrays: list[Array] = []
    slot = 0
    for spec in specs:
        assert spec.type.shape is not None
        count = 1 + len(spec.type.shape)
        words = (ctypes.c_int64 * count).from_address(address + 8 * slot)
        slot += count
        arrays.append(array_at(words[0], tuple(words[1:]), spec.type.dtype))
    return arrays


def array_at(address: int, shape: tuple[int, ...], dtype: dtypes.DType) -> Array:
    """The array of these elements in memory that somebody else keeps."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size == 0:
        return np.empty(shape, dtype)
    memory = (ctypes.c_uint8 * size).from_address(address)
    return np.ctypeslib.as_array(memory).view(dtype).reshape(shape)


def muted(function: Function) -> Function:
    """The Function without its printing, at any depth of bodies."""
    replaced: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in function.nodes:
        inputs = tuple([replaced.get(value, value) for value in node.inputs])
        attrs = {name: _muted(value) for name, value in node.attrs.items()}
        op = node.op
        if op.name == "print":
            op = dataclasses.replace(op, reference=lambda x, message: x, memo={})
        types = tuple([value.type for value in node.outputs])
        made = Node(op, inputs, attrs, types, node.name, node.location)
        replaced.update(zip(node.outputs, made.outputs, strict=True))
        nodes.append(made)
    outputs = [replaced.get(value, value) for value in function.outputs]
    return function.replace(nodes, outputs)


def _muted(value: Any) -> Any:
    if isinstance(value, Function):
        return muted(value)
    if isinstance(value, tuple):
        return tuple([_muted(item) for item in value])
    return value
