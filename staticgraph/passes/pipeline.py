"""The table of passes, the reasons for its order, and the one runner of both.

`optimize` takes a Function through every pass. Those that are `inward` go from the outside in: they
see a Function before the bodies of its loops and branches are touched, and settle which bodies
there are. The others go from the inside out: they see a Function whose bodies are done.

While checking (STATICGRAPH_CHECK) each result is verified, and so is what the pass makes of the
same nodes in a shuffled order: a pass that relies on one order fails in the tests. The shuffled
result is not kept, so checking changes no text. A pass that fails is named, with its input in a
file that `staticgraph.core.text.parse` reads back.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from staticgraph import config
from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import Mismatch
from staticgraph.core.text import format_function
from staticgraph.core.verify import verify
from staticgraph.errors import CompilerError, GraphError, StaticGraphError
from staticgraph.passes.accumulate import accumulate
from staticgraph.passes.common import Evaluate, Notes, has_body
from staticgraph.passes.cse import number_values
from staticgraph.passes.fold import fold_constants
from staticgraph.passes.hoist import hoist
from staticgraph.passes.merge import merge_loops
from staticgraph.passes.narrow import narrow
from staticgraph.passes.order import shuffled
from staticgraph.passes.patterns import Exactness
from staticgraph.passes.prune import prune
from staticgraph.passes.region_rules import REGION_RULES
from staticgraph.passes.report import PassReport, PipelineReport
from staticgraph.passes.rules import RULES
from staticgraph.passes.simplify import FOLDED, simplify
from staticgraph.passes.specialize import specialize

# Only a pass that fails writes a file.
tempfile = config.LazyModule("tempfile")


@dataclass(frozen=True, slots=True)
class Pass:
    """One row of the pipeline.

    name        as reports, switches and error messages call it
    function    from Function to Function; `Notes` carry what it needs and what it has to tell
    required    it cannot be switched off: what follows relies on it
    inward      it runs before the bodies within the Function are optimized, not after
    """

    name: str
    function: Callable[[Function, Notes], Function]
    required: bool = False
    inward: bool = False


PIPELINE = (
    Pass("prune", prune, required=True, inward=True),
    Pass("merge loops", merge_loops, required=True, inward=True),
    Pass("fold", fold_constants, inward=True),
    Pass("specialize", specialize, inward=True),
    Pass("narrow", narrow, inward=True),
    Pass("hoist", hoist),
    Pass("accumulate", accumulate),
    Pass("simplify", simplify),
    Pass("cse", number_values),
    Pass("late narrow", narrow),
    Pass("late prune", prune),
)

ORDER = (
    ("prune", "merge loops", "a loop that no result needs holds no other back"),
    ("prune", "fold", "nothing is computed at compile time that no run needs"),
    ("merge loops", "fold", "twins are recognised by their operands as differentiation left them"),
    ("fold", "specialize", "bodies are told the constants that folding found"),
    ("specialize", "narrow", "a branch that is not taken needs nothing"),
    ("hoist", "simplify", "what comes out of a body is simplified with what stands around it"),
    ("hoist", "cse", "two bodies may have computed the same"),
    ("accumulate", "simplify", "what stands behind a scan is simplified with what uses it"),
    ("accumulate", "late narrow", "a sequence or a capture that only a sum read goes"),
    ("cse", "late narrow", "captures that were merged are taken once"),
    ("fold", "simplify", "rules look at constants, which folding makes of expressions"),
    ("simplify", "cse", "rules give equal expressions one form; cse compares nothing but form"),
    ("cse", "late prune", "what merging leaves without a user goes last"),
)


def check_order(
    pipeline: tuple[Pass, ...] = PIPELINE, order: tuple[tuple[str, str, str], ...] = ORDER
) -> None:
    """Raises CompilerError where the pipeline breaks one of the reasons for its order."""
    places = {each.name: place for place, each in enumerate(pipeline)}
    if len(places) < len(pipeline):
        raise CompilerError("two passes of the pipeline have the same name")
    for first, second, reason in order:
        missing = [name for name in (first, second) if name not in places]
        if missing:
            raise CompilerError(f"the order of passes speaks of '{missing[0]}', which is no pass")
        if places[first] > places[second]:
            raise CompilerError(f"pass '{first}' must stand before '{second}': {reason}")


check_order()

_EXACTNESS = {rule.name: rule.exactness.value for rule in RULES}
_EXACTNESS[FOLDED] = Exactness.EXACT.value
_EXACTNESS.update({rule: exactness.value for rule, exactness in REGION_RULES.items()})

KEPT_BODY = "with its body as written, since the simpler one says more of a shape than the node may"

# Tells the dumps of one process apart.
_runs = itertools.count(1)


def optimize(function: Function, evaluate: Evaluate) -> Function:
    """`function` after every pass; its `report` is a `PipelineReport`.

    evaluate    computes one node on known operands (backends/reference.py); folding is handed it,
                since passes know no backend

    Raises CompilerError for a pass that fails, GraphError for a STATICGRAPH_DISABLE that names no
    pass, and the user's error where known values show that operands do not fit.
    """
    return _Runner(PIPELINE, evaluate).run(function)


class _Runner:
    """One run of a pipeline over a Function and the bodies within it."""

    def __init__(self, pipeline: tuple[Pass, ...], evaluate: Evaluate) -> None:
        self.pipeline = pipeline
        self.disabled = _disabled(pipeline)
        self.notes = Notes(None if "fold" in self.disabled else evaluate)
        self.rows = [PassReport(each.name) for each in pipeline]
        for row in self.rows:
            row.disabled = row.name in self.disabled
        self.checking = config.check_enabled()
        self.directory = config.dump_directory()
        self.number = next(_runs) if self.directory else 0

    def run(self, function: Function) -> Function:
        if self.checking:
            verify(function)
        done = self._optimized(function)
        return done.with_report(PipelineReport(self.rows, self.notes, _EXACTNESS))

    def _optimized(self, function: Function) -> Function:
        """`function` after all passes, and so are the Functions within it."""
        function = self._passes(function, inward=True)
        # By identity: comparing Functions would cost as much as a pass.
        done: dict[int, Function] = {}
        for body in function.bodies():
            if id(body) not in done:
                # Recursion follows the nesting of bodies, never the depth of a graph.
                done[id(body)] = self._optimized(body)
        if done:
            function = _with_bodies(function, done, self.notes)
        return self._passes(function, inward=False)

    def _passes(self, function: Function, inward: bool) -> Function:
        for place, (each, row) in enumerate(zip(self.pipeline, self.rows, strict=True)):
            if row.disabled or each.inward is not inward:
                continue
            if self.checking:
                mixed = shuffled(function, config.shuffle_seed() + place)
                with _named(each, mixed):
                    verify(each.function(mixed, Notes(self.notes.evaluate)), each.name)
            with _named(each, function):
                start = time.perf_counter()
                result = each.function(function, self.notes)
                row.seconds += time.perf_counter() - start
                if self.checking:
                    verify(result, each.name)
            row.before += len(function)
            row.after += len(result)
            if self.directory and result is not function:
                self._dump(function, result, f"{place + 1}-{each.name}")
            function = result
        return function

    def _dump(self, before: Function, after: Function, what: str) -> None:
        assert self.directory is not None
        os.makedirs(self.directory, exist_ok=True)
        stem = _file_name(f"{self.number:04d}-{before.name}-{what}")
        for label, function in (("before", before), ("after", after)):
            path = os.path.join(self.directory, f"{stem}.{label}.ir")
            with open(path, "w", encoding="utf-8") as file:
                file.write(format_function(function))


@contextmanager
def _named(each: Pass, function: Function) -> Iterator[None]:
    """What fails within is the failure of a pass on `function`; users' own errors go through."""
    try:
        yield
    except Exception as problem:
        if isinstance(problem, StaticGraphError) and not isinstance(problem, CompilerError):
            raise
        raise _failed(each, function, problem) from problem


def _disabled(pipeline: tuple[Pass, ...]) -> frozenset[str]:
    """The passes that the environment switches off; refuses names that mean nothing."""
    names = config.disabled_passes()
    optional = [each.name for each in pipeline if not each.required]
    for name in sorted(names):
        if name not in optional:
            required = any(each.name == name for each in pipeline)
            problem = "is required" if required else "is no pass"
            raise GraphError(
                f"STATICGRAPH_DISABLE: '{name}' {problem}\n"
                f"  passes that can be switched off: {', '.join(optional)}"
            )
    return names


def _failed(each: Pass, given: Function, problem: Exception) -> CompilerError:
    """The error of a pass that failed; what it was given is written to a file."""
    folder = config.dump_directory()
    if folder:
        os.makedirs(folder, exist_ok=True)
    handle, path = tempfile.mkstemp(".ir", f"staticgraph-{_file_name(each.name)}-", folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(format_function(given))
    text = str(problem)
    if not isinstance(problem, CompilerError):
        text = f"{type(problem).__name__}: {text}"
    lines = [
        f"pass '{each.name}' failed on Function '{given.name}'",
        *[f"  {line}" for line in text.splitlines()],
        f"  its input is in {path}, which staticgraph.core.text.parse reads",
        "  this is a bug in staticgraph: please report it, with that file",
    ]
    if not each.required:
        lines.append(f"  until it is mended, STATICGRAPH_DISABLE={each.name!r} goes on without it")
    return CompilerError("\n".join(lines))


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text)


# -- bodies -----------------------------------------------------------------------------------


def _with_bodies(function: Function, done: dict[int, Function], notes: Notes) -> Function:
    """`function` with the Functions in its attributes replaced."""
    now: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in function.nodes:
        if not has_body(node) and not now:
            nodes.append(node)
            continue
        attrs = {name: _replaced(value, done) for name, value in node.attrs.items()}
        operands = tuple([now.get(value, value) for value in node.inputs])
        try:
            made = make_node(node.op, operands, attrs, node.name, node.location)
        except Mismatch:
            # A loop's carries have one type: a body that now says more of a shape may not fit it.
            notes.remark(KEPT_BODY)
            made = make_node(node.op, operands, node.attrs, node.name, node.location)
        nodes.append(made)
        now.update(zip(node.outputs, made.outputs, strict=True))
    if not now:
        return function
    return function.replace(nodes, [now.get(value, value) for value in function.outputs])


def _replaced(attr: Any, done: dict[int, Function]) -> Any:
    if isinstance(attr, Function):
        return done[id(attr)]
    if isinstance(attr, tuple) and any(isinstance(item, Function | tuple) for item in attr):
        return tuple([_replaced(item, done) for item in attr])
    return attr
