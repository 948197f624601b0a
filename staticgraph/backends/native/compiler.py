"""From a Function to machine code: the whole way, and what comes out of it.

The main function of a plan gets its inputs as slots of 8 bytes: per input the address of its data,
then its dims. What is said of sizes in the types of the inputs is used when code is made; the rest
is read in the run, so another size needs no other code.
"""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.backends.native import (  # noqa: F401  (the lowerings register themselves)
    expand_linalg,
    regions,
)
from staticgraph.backends.native.lower import (  # noqa: F401  (the lowerings register themselves)
    basic,
    count_uses,
    cumulative,
    fourier,
    indexing,
    linalg,
    linalg_general,
    linalg_spectral,
    lower_nodes,
    matmul,
    movement,
    order,
    prepared,
    random,
    scatters,
    search,
    searching,
    top_places,
    word_order,
)
from staticgraph.backends.native.program import Options, Program
from staticgraph.backends.native.results import hand_over
from staticgraph.backends.native.sizes import Size, row_major
from staticgraph.backends.native.spec import InputSpec, OutputSpec
from staticgraph.backends.native.values import Array, Buffer
from staticgraph.core.function import Function
from staticgraph.core.node import Value
from staticgraph.core.types import same_shape

_UPDATE = "update "


class Compilation:
    """The text of a Function's machine code, and what its caller has to know."""

    def __init__(self, function: Function, options: Options, fetched: int | None = None) -> None:
        self.function = function
        self.inputs = [
            InputSpec(value.node.attrs["kind"], value.type, value.name) for value in function.inputs
        ]
        self.fetched = len(function.outputs) if fetched is None else fetched
        self.outputs = self._outputs()
        self.program = Program(options)
        self._write()

    @property
    def text(self) -> str:
        """The LLVM module."""
        return str(self.program.module)

    def _outputs(self) -> list[OutputSpec]:
        variables = {
            spec.name: number for number, spec in enumerate(self.inputs) if spec.kind == "variable"
        }
        outputs: list[OutputSpec] = []
        for number, value in enumerate(self.function.outputs):
            overwrites = None
            if number >= self.fetched:
                name = self.function.output_names[number].removeprefix(_UPDATE)
                source = variables.get(name)
                if source is not None and self.inputs[source].type.dtype == value.type.dtype:
                    same = same_shape(self.inputs[source].type.shape, value.type.shape)
                    overwrites = source if same else None
            outputs.append(OutputSpec(value.type, overwrites))
        return outputs

    def _write(self) -> None:
        program = self.program
        function = prepared(program, self.function)
        scope = program.scope
        count_uses(function, scope.uses)
        arrays = self._hold_inputs(function.inputs)
        for number, value in enumerate(function.outputs):
            if self.outputs[number].overwrites is None and value.node.op.role != "parameter":
                scope.destinations.setdefault(value, []).append(number)
        lower_nodes(program, function)
        hand_over(program, function, self.outputs, arrays)
        program.finish()

    def _hold_inputs(self, values: Sequence[Value]) -> list[Array]:
        program, code = self.program, self.program.code
        slot = 0
        arrays: list[Array] = []

        def read(type: str) -> str:
            nonlocal slot
            place = code.entry_let(f"getelementptr i64, ptr %inputs, i64 {slot}")
            slot += 1
            return code.entry_let(f"load {type}, ptr {place}")

        for value in values:
            pointer = read("ptr")
            dims: list[Size] = []
            assert value.type.shape is not None
            for axis, dim in enumerate(value.type.shape):
                text = read("i64")
                named = dim if isinstance(dim, str) else f"{value.name}.shape[{axis}]"
                program.notes.names[text] = named
                if isinstance(dim, int):
                    dims.append(Size(dim))
                elif dim is None:
                    dims.append(program.size(text))
                else:
                    # Equal symbols have equal sizes: the session has seen to it.
                    dims.append(program.scope.symbols.setdefault(dim, program.size(text)))
            shape = tuple(dims)
            array = Array(
                Buffer(pointer, owned=False), pointer, value.type.dtype, shape, row_major(shape)
            )
            arrays.append(array)
            program.hold(value, array)
        return arrays
