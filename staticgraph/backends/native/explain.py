"""What machine code does, in words: the native part of `Session.explain`.

Everything said here comes from the notes of the compilation (notes.py), from the specifications of
inputs and outputs and from what became of the parts of the module; no text of code is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from staticgraph.backends.native import jit, targets
from staticgraph.backends.native.executable import NativeFunction
from staticgraph.backends.native.notes import BufferNote, KernelNote, StopNote
from staticgraph.backends.native.sizes import Size, product
from staticgraph.core import dtypes
from staticgraph.core.function import Function
from staticgraph.core.node import Node
from staticgraph.core.opdef import HOST_CALL
from staticgraph.core.types import format_shape

# So many nodes of a kernel are named, so many rows of a list are shown.
_NODES, _ROWS = 12, 20

Row = Sequence[object]


def explain(made: NativeFunction, ir: bool = False, assembly: bool = False) -> str:
    """What the machine code of a Function does.

    ir         add the LLVM text of its parts
    assembly   add their assembly for this processor; they are compiled once more for it
    """
    target = targets.host()
    lines = [
        f"machine code for {target.cpu}, vectors of {target.vector_bytes} bytes",
        *_kernels(made), *_stops(made), *_memory(made), *_outside(made), *_compilation(made),
    ]  # fmt: skip
    for part, got in zip(made.compilation.program.module.parts(), made.parts_made, strict=True):
        if ir:
            lines += [f"LLVM IR at level {got.level}", part.text]
        if assembly:
            text = jit.assembly(part.text, got.level)
            lines += [f"assembly at level {got.level}", text]
    return "\n".join(lines)


# -- kernels and why there is more than one -------------------------------------------------------


def _kernels(made: NativeFunction) -> list[str]:
    calls: dict[str, list[KernelNote]] = {}
    for note in made.compilation.program.notes.kernels:
        calls.setdefault(note.name, []).append(note)
    if not calls:
        return ["kernels: none, all values are single elements"]
    names = made.compilation.program.notes.names
    rows: list[Row] = [("name", "calls", "level", "over", "walks", "lanes", "chunk", "computes")]
    levels = _levels(made)
    for name, notes in calls.items():
        first = notes[0]
        grain = (
            first.grain if first.grain is None or not first.grain.startswith("%") else "of sizes"
        )
        rows.append((
            name, _count_calls(notes), levels[name], _dims(first.domain, names),
            first.phases, first.lanes or "its own", grain or "whole", _computed(first),
        ))  # fmt: skip
    count = len(made.compilation.program.notes.kernels)
    return [f"kernels: {len(calls)}, called at {_counted(count, 'place')}", *_table(rows)]


def _count_calls(notes: Sequence[KernelNote]) -> str:
    inside = sum(note.loops > 0 for note in notes)
    if not inside:
        return str(len(notes))
    return f"{len(notes)}, {inside} in loops"


def _levels(made: NativeFunction) -> dict[str, int]:
    """Per function of the module the effort with which it was compiled."""
    module = made.compilation.program.module
    got = {
        part.level: note.level for part, note in zip(module.parts(), made.parts_made, strict=True)
    }
    return {name: got[module.level(name)] for name in module.function_names()}


def _computed(note: KernelNote) -> str:
    if not note.nodes:
        return "(copies or fills)"
    listed = _nodes(note.nodes[:_NODES])
    left = len(note.nodes) - _NODES
    return f"{listed} and {left} more" if left > 0 else listed


def _nodes(nodes: Iterable[Node]) -> str:
    """Nodes with their ops; those of one name, which one call of the user made, side by side."""
    groups: list[tuple[str, list[str]]] = []
    for node in nodes:
        if not groups or groups[-1][0] != node.name:
            groups.append((node.name, []))
        groups[-1][1].append(node.op.name)
    return "; ".join([f"'{name}' {', '.join(ops)}" for name, ops in groups])


def _stops(made: NativeFunction) -> list[str]:
    seen: dict[StopNote, int] = {}
    known: set[tuple[Node, Node | None]] = set()
    for note in made.compilation.program.notes.stops:
        if (note.made, note.used) not in known:
            known.add((note.made, note.used))
            seen[note] = seen.get(note, 0) + 1
    if not seen:
        return ["fusion: stopped nowhere"]
    lines = [f"fusion: stopped at {_counted(len(seen), 'place')}"]
    for note in list(seen)[:_ROWS]:
        lines.append(f"  {_node(note.made)} {note.why}: {_reader(note.used)}")
    return lines + _left_out(len(seen))


def _node(node: Node) -> str:
    return f"{node.op.name} '{node.name}'"


def _reader(node: Node | None) -> str:
    if node is None:
        return "it is a result"
    if node.op.name == "check_finite":
        return "check_numerics looks at it"
    return f"{_node(node)} reads it from memory"


# -- memory ---------------------------------------------------------------------------------------


def _memory(made: NativeFunction) -> list[str]:
    notes = made.compilation.program.notes
    known = [_bytes(note) for note in notes.buffers]
    total = sum(size for size in known if size is not None)
    peak = made.compiled.peak.value
    last = "there was no run yet" if peak < 0 else f"the last run had {peak} bytes at most"
    lines = [
        f"memory: {_counted(len(known), 'buffer')}, {_counted(known.count(None), 'buffer')} of "
        f"sizes that only a run knows, {total} bytes in the others; {last}"
    ]
    grouped: dict[tuple[str, str], list[BufferNote]] = {}
    for note in notes.buffers:
        key = (dtypes.name(note.dtype), _dims(note.dims, notes.names))
        grouped.setdefault(key, []).append(note)
    if grouped:
        rows: list[Row] = [("buffers", "dtype", "dims", "bytes each", "asked for at")]
        for (dtype, dims), same in grouped.items():
            size = _bytes(same[0])
            place = "the end" if same[0].node is None else _node(same[0].node)
            rows.append((len(same), dtype, dims, "of sizes" if size is None else size, place))
        lines += _table(rows[: _ROWS + 1]) + _left_out(len(rows) - 1)
    return lines + _results(made)


def _bytes(note: BufferNote) -> int | None:
    return product(note.dims).times(Size(note.dtype.itemsize)).known


def _results(made: NativeFunction) -> list[str]:
    rows: list[Row] = [("result", "type", "where")]
    names = made.function.output_names
    for name, output in zip(names, made.compilation.outputs, strict=True):
        where = "a fresh array"
        if output.overwrites is not None:
            variable = made.compilation.inputs[output.overwrites].name
            where = f"in place of '{variable}', where nobody else can see it"
        rows.append((name, f"{dtypes.name(output.type.dtype)}{format_shape(output.type.shape)}",
                     where))  # fmt: skip
    return _table(rows) if len(rows) > 1 else []


# -- what is outside ------------------------------------------------------------------------------


def _outside(made: NativeFunction) -> list[str]:
    own = set(made.compilation.program.module.function_names())
    called = dict.fromkeys([name for part in made.parts_made for name in part.wanted])
    library = [name for name in called if name not in own and not name.startswith("sg_")]
    lines = [f"library calls: {', '.join(library) or 'none'}"]
    hosts = _host_calls(made.function)
    if not hosts:
        return [*lines, "Python: never called"]
    return [
        *lines,
        "Python is called by",
        *[f"  {_node(node)} at {node.location}" for node in hosts],
    ]


def _host_calls(function: Function) -> list[Node]:
    found: list[Node] = []
    stack = [function]
    while stack:
        body = stack.pop()
        found += [node for node in body.nodes if node.op.native is HOST_CALL]
        stack.extend(body.bodies())
    return found


def _compilation(made: NativeFunction) -> list[str]:
    rows: list[Row] = [("level", "asked for", "functions", "lines", "longest", "code", "ms")]
    module = made.compilation.program.module
    lowered = False
    for part, note in zip(module.parts(), made.parts_made, strict=True):
        lowered |= note.level != part.level
        functions = part.text.split("\ndefine ")[1:]
        rows.append((
            note.level, part.level, len(functions), part.text.count("\n"),
            max([text.count("\n") for text in functions], default=0),
            note.origin, f"{note.seconds * 1e3:.1f}",
        ))  # fmt: skip
    lines = [f"compilation: written in {made.seconds * 1e3:.1f} ms", *_table(rows)]
    if lowered:
        lines.append(
            f"  a function of more than {jit.LARGE_FUNCTION_LINES} lines is compiled at level 0: "
            "above it LLVM's time grows faster than the function"
        )
    return lines


# -- text -----------------------------------------------------------------------------------------


def _dims(dims: Sequence[Size], names: dict[str, str]) -> str:
    return " x ".join([_size(dim, names) for dim in dims]) or "one element"


def _size(size: Size, names: dict[str, str]) -> str:
    """A size as the user knows it; ? where it is computed in the run."""
    factors = [names.get(name, "?") for name in size.names]
    if size.factor != 1 or not factors:
        factors.insert(0, str(size.factor))
    return "*".join(factors)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _left_out(count: int) -> list[str]:
    return [f"  and {count - _ROWS} more"] if count > _ROWS else []


def _table(rows: Sequence[Row]) -> list[str]:
    """Rows as text, in columns; the first row says what they are."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join([c.ljust(w) for c, w in zip(row, widths, strict=True)]).rstrip()
        for row in cells
    ]
