"""Makes docs/ops.md from the records of the ops and the docstrings of the public functions."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import staticgraph as sg
from staticgraph import ops
from staticgraph.core import dtypes
from staticgraph.core.opdef import HOST_CALL, NOT_DIFFERENTIABLE, ZERO_DERIVATIVE, OpDef, registered
from staticgraph.ops.elementwise import record as elementwise_record

HEAD = """\
# Ops

Made from the records of the ops and the docstrings of their functions. `help(sg.matmul)` shows a
docstring whole, with errors and examples; `staticgraph ops WORD` searches the records from a
terminal.

Names are those of NumPy and the Array API where those have one. Every function also takes `name=`,
and takes numbers, lists, arrays and variables where it takes tensors. Python's operators, indexing,
and NumPy's functions on tensors build the same ops.
"""

RECORDS = """\
## Records

What the compiler knows of each op. Several functions above may make one op, and some ops are made
only by derivatives and passes. A derivative of *none* lets none pass; one of *zero* is zero
wherever it exists. *Native* says who does the work: machine code, or a *host call* into Python from
machine code.

| op | operands | attributes | dtypes | derivative | native | meaning |
|---|---|---|---|---|---|---|
"""

# The page's order; a namespace of the surface is a family by itself.
FAMILIES = (
    ("Inputs, variables, effects", ("convert", "state")),
    ("Control", ("control",)),
    ("Loops and branches", ("looping", "branches")),
    (
        "Elementwise",
        (
            "elementwise", "elementwise.numbers", "elementwise.parts", "elementwise.made",
            "elementwise.trigonometric", "special", "special.normal", "special.beta",
            "special.bessel", "special.entropy", "complex",
        ),
    ),
    ("Reductions, statistics and running sums",
     ("reduction", "variance", "statistics", "quantiles", "nan_statistics", "histograms",
      "cumulative", "differences", "slopes", "polynomials")),
    ("Products", ("linalg.products", "contraction", "einsum")),
    ("Sorting, searching, sets and segments",
     ("sorting", "ordering", "selecting", "searching", "sets", "segments")),
    ("Making arrays", ("creation",)),
    ("Shapes", ("sizes", "shaping", "joining", "stacking", "arranging", "grids")),
    ("Indexing", ("subscript", "indexing", "choosing", "places")),
    ("Dtypes", ("inspecting",)),
)  # fmt: skip
NAMESPACES = ("fft", "initializers", "linalg", "nn", "random")

_KINDS = (
    (dtypes.ANY, "any"),
    (dtypes.REAL, "any real"),
    (dtypes.ARITHMETIC, "numeric"),
    (dtypes.NUMERIC, "real numeric"),
    (dtypes.INEXACT, "floating or complex"),
    (dtypes.FLOATING, "floating"),
    (dtypes.COMPLEX, "complex"),
    (dtypes.INTEGER, "integer"),
    (dtypes.BOOL, "bool"),
)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, functions in families():
        parts += [f"## {title}\n", "| function | |", "|---|---|"]
        parts += [_function_row(call, function) for call, function in functions]
        parts.append("")
    rows = [_record_row(op) for op in sorted(registered(), key=lambda op: op.name)]
    return "\n".join(parts) + "\n" + RECORDS + "\n".join(rows) + "\n"


def families() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Title, and the functions with the way to call them, in the order of their files."""
    left = {name: getattr(sg, name) for name in sg.__all__}
    for title, files in FAMILIES:
        found = []
        for file in files:
            module = importlib.import_module(f"{ops.__name__}.{file}")
            for function in vars(module).values():
                for name in [n for n, thing in left.items() if thing is function]:
                    at = home(function)
                    # Other modules import the functions made of elementwise records.
                    here = at is module or (at is elementwise_record and title == "Elementwise")
                    if _is_op_function(function) and here:
                        found.append((f"sg.{name}", left.pop(name)))
        yield title, found
    for name in NAMESPACES:
        module = getattr(sg, name)
        yield f"sg.{name}", [(f"sg.{name}.{n}", getattr(module, n)) for n in module.__all__]


def _is_op_function(thing: Any) -> bool:
    return inspect.isfunction(thing) or thing is sg.Variable


def home(thing: Any) -> ModuleType | None:
    """The module in which a function was written; that of its maker for elementwise ops."""
    written = inspect.unwrap(thing)
    return inspect.getmodule(getattr(written, "__code__", written))


def _function_row(call: str, function: Any) -> str:
    parameters = [
        p.replace(annotation=inspect.Parameter.empty)
        for p in inspect.signature(function).parameters.values()
        if p.name != "name" or p.default is p.empty
    ]
    signature = str(inspect.Signature(parameters))
    summary = inspect.cleandoc(function.__doc__).split("\n\n")[0].replace("\n", " ")
    return f"| `{call}{signature}` | {_cell(summary)} |"


def _record_row(op: OpDef) -> str:
    cells = (
        f"`{op.name}`",
        ", ".join(op.operands),
        ", ".join(op.attrs),
        _dtypes(op),
        _derivative(op),
        "host call" if op.native is HOST_CALL else "yes",
        " ".join(op.doc.split()),
    )
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _dtypes(op: OpDef) -> str:
    if not op.operands:
        return ""
    if isinstance(op.dtypes, tuple):
        return ", ".join(map(_kind, op.dtypes))
    return _kind(op.dtypes)


def _kind(allowed: frozenset[Any]) -> str:
    for known, name in _KINDS:
        if allowed == known:
            return name
    return " or ".join(dtypes.names(allowed).split(", "))


def _derivative(op: OpDef) -> str:
    if op.vjp is ZERO_DERIVATIVE:
        return "zero"
    return "none" if op.vjp is NOT_DIFFERENTIABLE else "yes"


def _cell(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("``", "`").replace("|", "\\|")
