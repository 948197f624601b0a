"""What every backend does for a session: compiles plans, makes calls of them, keeps variables.

A session has one `Runs`, which knows nothing of the session: a call that outlives its session works
on, and a session that nobody holds is gone at once, with its variables. The order in which initial
values are computed, and what is said when one cannot be, is the same for all backends and stands
here; so are the values of a call.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from staticgraph.core.graph import Graph, Operation, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.types import format_shape
from staticgraph.errors import FeedError, GraphError, ShapeError
from staticgraph.ops.state import Variable
from staticgraph.runtime.feeds import bind_symbols, feed_array
from staticgraph.runtime.fetches import Leaf, Rebuild
from staticgraph.runtime.plan import Plan

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]

# What a finder answers when it does not know what is meant.
UNKNOWN = object()


@dataclass(frozen=True)
class Options:
    """What a session was asked for; see `Session`."""

    seed: int
    threads: int | None = None
    check_numerics: bool = False
    contract: bool = False
    memory_limit: int | None = None


class Runs(ABC):
    """The variables and the calls of one session."""

    # The first line of what `Session.explain` says.
    headline: str

    def __init__(self, graph: Graph, options: Options) -> None:
        self.graph, self.options = graph, options
        self.writing = threading.RLock()
        self.plans: dict[tuple[tuple[Leaf, ...], tuple[Tensor, ...]], Plan] = {}
        self.closed = False

    @abstractmethod
    def compile(self, plan: Plan) -> Any:
        """What `plan.executable` shall be."""

    @abstractmethod
    def call(self, plan: Plan, rebuild: Rebuild) -> Call:
        """A function of the values of the plan's feeds, in order, that returns what is fetched."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether a variable has a value."""

    @abstractmethod
    def initial_value(self, plan: Plan) -> Array:
        """The only result of a plan, an initial value that needs no variable without a value."""

    @abstractmethod
    def offer(self, name: str, value: Array) -> None:
        """Makes `value`, which nobody may change, the variable's if it has none."""

    def describe(self, plan: Plan, ir: bool, assembly: bool) -> list[str]:
        """What the backend made of a plan, in words; more of it on request."""
        if ir or assembly:
            raise GraphError(
                "explain: this backend makes no machine code\n"
                "  ask a session with backend='native' for ir or assembly\n"
                f"  at {capture()}"
            )
        return []

    def new_finder(self) -> Any:
        """What finds and calls the call that a run means, see native/trampoline/finder.py, or None.

        It belongs to the session, since it holds calls.
        """
        return None

    # -- what all backends share --------------------------------------------------------------

    def plan(self, leaves: tuple[Leaf, ...], feeds: tuple[Tensor, ...]) -> Plan:
        """The compiled combination of fetches and feeds, made when it is first needed."""
        plan = self.plans.get((leaves, feeds))
        if plan is None:
            plan = self.plans[leaves, feeds] = Plan(self.graph, leaves, feeds, self.compile)
        return plan

    def close(self) -> None:
        """Drops plans and variables; a later run is an error."""
        self.closed = True
        self.plans.clear()

    def check_open(self, what: str) -> None:
        """Raises GraphError when the session is closed."""
        if self.closed:
            raise GraphError(
                f"{what}: the session is closed\n"
                "  make a new one: sg.Session(graph); its variables start from their initial "
                "values\n"
                f"  at {capture()}"
            )

    def initialise(self, names: Sequence[str]) -> None:
        """Gives these variables, and those that they need, their initial values."""
        with self.writing:
            pending = [name for name in names if not self.has(name)]
            while pending:
                name = pending[-1]
                if self.has(name):
                    pending.pop()
                    continue
                initial = self.graph.variables[name].initial_value
                if initial.node.op.name == "constant":
                    # Most are: arrays, which nobody has to compile a program for.
                    self.offer(name, initial.node.attrs["value"])
                    pending.pop()
                    continue
                fed = placeholders((initial,))
                if fed:
                    raise self._needs_feeding(name, fed[0])
                plan = self.plan((initial,), ())
                missing = [other for other in plan.variables if not self.has(other)]
                if missing:
                    pending.extend(missing)
                    continue
                self.offer(name, self.initial_value(plan))
                pending.pop()

    def _needs_feeding(self, name: str, needed: Tensor) -> FeedError:
        variable: Variable = self.graph.variables[name]
        return FeedError(
            f"run: the initial value of variable '{name}' needs placeholder '{needed.name}'\n"
            f"  variable '{name}' at {variable.location}\n"
            f"  {describe(needed)}\n"
            "  feed it when you run sg.global_variables_initializer(), or assign a value first\n"
            f"  at {capture()}"
        )

    def misfit(self, name: str, shape: tuple[int, ...]) -> NoReturn:
        """The error of a new value that has not the variable's shape."""
        variable: Variable = self.graph.variables[name]
        raise ShapeError(
            f"assign: the new value of variable '{name}' has another shape\n"
            f"  have {format_shape(shape)}\n"
            f"  want {format_shape(variable.type.shape)}\n"
            f"  variable at {variable.location}\n"
            "  a variable keeps its shape; no variable has changed"
        )


def feed_arrays(plan: Plan, values: Sequence[Any]) -> list[Array]:
    """The values of a call as arrays that fit the plan's feeds; raises FeedError."""
    feeds = plan.feeds
    if len(values) != len(feeds):
        names = ", ".join(f"'{tensor.name}'" for tensor in feeds)
        raise FeedError(
            f"call: takes {len(feeds)} values ({names}), was given {len(values)}\n"
            f"  give one value per entry of feed_list, in its order\n  at {capture()}"
        )
    arrays = [feed_array(tensor, value) for tensor, value in zip(feeds, values, strict=True)]
    if plan.symbolic:
        sizes: dict[str, tuple[int, Tensor]] = {}
        for tensor, array in zip(feeds, arrays, strict=True):
            bind_symbols(tensor, array, sizes)
    return arrays


def placeholders(leaves: Sequence[Leaf]) -> list[Tensor]:
    """The placeholders that the leaves need, in the order in which they were made."""
    seen: set[Operation] = set()
    found: list[Tensor] = []
    stack = [leaf.node if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op.role == "placeholder":
            found.append(node.out)
        stack.extend(node.control_inputs)
        stack.extend([tensor.node for tensor in node.inputs])
    return sorted(found, key=lambda tensor: tensor.node.id)
