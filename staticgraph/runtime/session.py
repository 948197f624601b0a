"""Session: runs fetches of one graph, keeps the values of its variables.

A run commits all of its variable updates or none: new values are put in place by a single
assignment after everything else has succeeded. Runs that write variables take turns; runs that only
read see one consistent state and go on side by side.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal

import numpy as np

from staticgraph.backends.reference import ReferenceExecutable
from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor, describe, get_default_graph
from staticgraph.core.location import Location, capture
from staticgraph.core.types import compatible, format_shape
from staticgraph.errors import FeedError, GraphError, GraphGrowthWarning, ShapeError
from staticgraph.ops.control import group
from staticgraph.ops.state import Variable
from staticgraph.runtime.feeds import bind_symbols, feed_array, feed_key, feed_keys
from staticgraph.runtime.fetches import Leaf, flatten
from staticgraph.runtime.plan import Plan

Array = np.ndarray[Any, Any]

# A graph that grew this often in a row from one and the same line is being built in a loop.
_GROWTHS_BEFORE_WARNING = 10


class Session:
    """Runs a graph.

    graph           the default graph when not given
    backend         ``reference`` interprets with NumPy
    threads         how many threads a run may use (None: as many as there are cores); the reference
                    backend uses what NumPy uses
    seed            of the random ops; drawn from the system when not given, see `seed`
    check_numerics  raise NumericsError at the first node that makes a NaN or infinity from finite
                    operands, with the user's line
    math            ``strict`` rounds every operation; ``contract`` lets a multiply and an add round
                    once where a backend can

    Use it in a ``with`` statement, or call `close`. Any number of threads may run one session.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None,), name="x")
    >>> with sg.Session() as session:
    ...     session.run({"double": 2 * x}, {x: [1, 2]})
    {'double': array([2., 4.], dtype=float32)}
    """

    def __init__(
        self,
        graph: Graph | None = None,
        backend: Literal["reference"] = "reference",
        threads: int | None = None,
        seed: int | None = None,
        check_numerics: bool = False,
        math: Literal["strict", "contract"] = "strict",
    ) -> None:
        if graph is not None and not isinstance(graph, Graph):
            raise GraphError(
                f"Session: the graph is a {type(graph).__name__}\n"
                f"  give a Graph, or nothing for the default graph\n  at {capture()}"
            )
        _check_choice("backend", backend, ("reference",))
        _check_choice("math", math, ("strict", "contract"))
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise GraphError(
                f"Session: threads={threads!r} is no number of threads\n"
                f"  give an int of at least 1, or None for all cores\n  at {capture()}"
            )
        if seed is not None and not isinstance(seed, int | np.integer):
            raise GraphError(
                f"Session: seed={seed!r} is no int\n"
                f"  give an int from 0 to 2**64 - 1\n  at {capture()}"
            )
        if seed is not None and not 0 <= seed < 1 << 64:
            raise GraphError(
                f"Session: seed={seed} does not fit 64 bits\n"
                f"  give an int from 0 to 2**64 - 1\n  at {capture()}"
            )
        self.graph = graph if graph is not None else get_default_graph()
        self.backend, self.threads, self.math = backend, threads, math
        self.check_numerics = check_numerics
        self.seed = secrets.randbits(64) if seed is None else int(seed)
        self._plans: dict[tuple[tuple[Leaf, ...], tuple[Tensor, ...]], Plan] = {}
        self._values: dict[str, Array] = {}
        self._writing = threading.RLock()
        self._runs = itertools.count(1)
        self._closed = False
        self._growth = _Growth(self.graph)

    # -- running ------------------------------------------------------------------------------

    def run(self, fetches: Any, feed: Any = None) -> Any:
        """The values of `fetches`, in the same structure.

        fetches     a Tensor, an Operation (gives None), a Variable, a name, or any nesting of list,
                    tuple, namedtuple and dict of them
        feed        dict from tensors or their names to values; any tensor may be fed

        Results are arrays that the caller owns, NumPy scalars for 0-d results. Raises FetchError
        and FeedError for what does not fit, ShapeError and RunError for what the data makes
        impossible; then no variable has changed and the session works on.
        """
        self._check_open("run")
        self._growth.watch()
        leaves, rebuild = flatten(fetches, self.graph)
        given = feed_keys(feed, self.graph)
        plan = self._plan(leaves, tuple(given))
        arrays = [feed_array(tensor, value) for tensor, value in given.items()]
        return rebuild(self._execute(plan, arrays))

    def make_callable(self, fetches: Any, feed_list: Sequence[Any] = ()) -> Callable[..., Any]:
        """A function of the fed values, in the order of `feed_list`, that returns `fetches`.

        It does the work of `run` that does not depend on the values once, here.

        >>> import staticgraph as sg
        >>> x = sg.placeholder("float32", (), name="x")
        >>> square = sg.Session().make_callable(x * x, [x])
        >>> square(3.0)
        np.float32(9.0)
        """
        self._check_open("make_callable")
        leaves, rebuild = flatten(fetches, self.graph)
        feeds = tuple([feed_key(key, self.graph) for key in feed_list])
        if len(set(feeds)) != len(feeds):
            raise FeedError(f"make_callable: a tensor stands twice in feed_list\n  at {capture()}")
        plan = self._plan(leaves, feeds)
        count = len(feeds)

        def call(*values: Any) -> Any:
            self._check_open("call")
            if len(values) != count:
                names = ", ".join(f"'{tensor.name}'" for tensor in feeds)
                raise FeedError(
                    f"call: takes {count} values ({names}), was given {len(values)}\n"
                    f"  give one value per entry of feed_list, in its order\n  at {capture()}"
                )
            arrays = [feed_array(t, value) for t, value in zip(feeds, values, strict=True)]
            return rebuild(self._execute(plan, arrays))

        return call

    def explain(self, fetches: Any, feed_list: Sequence[Any] | None = None) -> str:
        """What a run of `fetches` does: the report of the pipeline and the program that is run.

        feed_list   the tensors that are fed; all placeholders that are needed when not given
        """
        self._check_open("explain")
        leaves, _ = flatten(fetches, self.graph)
        if feed_list is None:
            feeds = tuple(_placeholders(leaves))
        else:
            feeds = tuple([feed_key(key, self.graph) for key in feed_list])
        plan = self._plan(leaves, feeds)
        lines = [
            f"backend {self.backend}: NumPy, one node after the other",
            f"planned in {plan.seconds * 1e3:.1f} ms; {len(plan.function)} nodes, "
            f"reads {len(plan.variables)} variables, writes {len(plan.updates)}",
            str(plan.function.report),
            str(plan.function),
        ]
        return "\n".join(lines)

    def function(self, fetches: Any, feed_list: Sequence[Any] = ()) -> Function:
        """The optimised Function that a run of `fetches` with these feeds evaluates."""
        leaves, _ = flatten(fetches, self.graph)
        return self._plan(leaves, tuple([feed_key(k, self.graph) for k in feed_list])).function

    def _plan(self, leaves: tuple[Leaf, ...], feeds: tuple[Tensor, ...]) -> Plan:
        plan = self._plans.get((leaves, feeds))
        if plan is None:
            plan = Plan(self.graph, leaves, feeds, self._compile)
            self._plans[leaves, feeds] = plan
        return plan

    def _compile(self, function: Function) -> ReferenceExecutable:
        return ReferenceExecutable(function, self.check_numerics)

    def _execute(self, plan: Plan, fed: list[Array], run: int | None = None) -> list[Any]:
        """One value per leaf of the plan."""
        if plan.symbolic:
            sizes: dict[str, tuple[int, Tensor]] = {}
            for tensor, array in zip(plan.feeds, fed, strict=True):
                bind_symbols(tensor, array, sizes)
        if plan.updates:
            with self._writing:
                return self._evaluate(plan, fed, run)
        return self._evaluate(plan, fed, run)

    def _evaluate(self, plan: Plan, fed: list[Array], run: int | None) -> list[Any]:
        inputs: list[Any] = list(fed)
        if plan.variables:
            values = self._initialised(plan.variables)
            inputs += [values[name] for name in plan.variables]
        if plan.needs_key:
            number = next(self._runs) if run is None else run
            inputs.append(np.array([self.seed, number], dtype=np.uint64))
        outputs = plan.executable(inputs)
        owned = _owned(outputs, inputs)
        if plan.updates:
            self._commit(plan.updates, owned[plan.fetched :])
        results = iter(owned[: plan.fetched])
        return [next(results)[()] if isinstance(leaf, Tensor) else None for leaf in plan.leaves]

    # -- variables ----------------------------------------------------------------------------

    def _commit(self, names: Sequence[str], arrays: Sequence[Array]) -> None:
        for name, array in zip(names, arrays, strict=True):
            variable: Variable = self.graph.variables[name]
            if not compatible(array.shape, variable.type.shape):
                raise ShapeError(
                    f"assign: the new value of variable '{name}' has another shape\n"
                    f"  have {format_shape(array.shape)}\n"
                    f"  want {format_shape(variable.type.shape)}\n"
                    f"  variable at {variable.location}\n"
                    "  a variable keeps its shape; no variable has changed"
                )
        # One assignment: an interrupt falls before it or after it, never between two variables.
        self._values = {**self._values, **dict(zip(names, arrays, strict=True))}

    def _initialised(self, names: Sequence[str]) -> dict[str, Array]:
        """The values of variables, those included whose initial value is needed first."""
        values = self._values
        if all(name in values for name in names):
            return values
        with self._writing:
            pending = [name for name in names if name not in self._values]
            while pending:
                name = pending[-1]
                if name in self._values:
                    pending.pop()
                    continue
                initial = self.graph.variables[name].initial_value
                fed = _placeholders((initial,))
                if fed:
                    raise self._needs_feeding(name, fed[0])
                plan = self._plan((initial,), ())
                missing = [other for other in plan.variables if other not in self._values]
                if missing:
                    pending.extend(missing)
                    continue
                # Run 0 is for initial values alone, so they do not depend on when they are needed.
                (value,) = self._execute(plan, [], run=0)
                self._values = {**self._values, name: np.asarray(value)}
                pending.pop()
            return self._values

    def _needs_feeding(self, name: str, needed: Tensor) -> FeedError:
        variable: Variable = self.graph.variables[name]
        return FeedError(
            f"run: the initial value of variable '{name}' needs placeholder '{needed.name}'\n"
            f"  variable '{name}' at {variable.location}\n"
            f"  {describe(needed)}\n"
            "  feed it when you run sg.global_variables_initializer(), or assign a value first\n"
            f"  at {capture()}"
        )

    # -- closing ------------------------------------------------------------------------------

    def close(self) -> None:
        """Drops plans and variables; a later run is an error."""
        self._closed = True
        self._plans.clear()
        self._values = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self, what: str) -> None:
        if self._closed:
            raise GraphError(
                f"{what}: the session is closed\n"
                "  make a new one: sg.Session(graph); its variables start from their initial "
                "values\n"
                f"  at {capture()}"
            )

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._plans)} plans"
        return f"<Session backend='{self.backend}', {state}>"


class _Growth:
    """Notices a graph that is built inside the loop that runs it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.size = len(graph)
        self.times = 0
        self.line: Location | None = None
        self.warned = False

    def watch(self) -> None:
        """Called before every run."""
        size = len(self.graph.operations)
        if size == self.size:
            return
        self.size = size
        line = self.graph.operations[-1].location
        self.times = self.times + 1 if line is self.line else 1
        self.line = line
        if self.times < _GROWTHS_BEFORE_WARNING or self.warned:
            return
        self.warned = True
        warnings.warn(
            f"the graph has grown before each of the last {self.times} runs, to {size} "
            f"operations\n  the newest was made at {line}\n"
            "  build once, outside the loop, and feed what changes; graph.finalize() finds the "
            "line",
            GraphGrowthWarning,
            stacklevel=3,
        )


def global_variables_initializer() -> Operation:
    """An Operation that sets every variable of the default graph to its initial value.

    Never required: a session initialises a variable the first time it needs it. Running it
    again starts over.

    >>> import staticgraph as sg
    >>> with sg.Graph().as_default():
    ...     count = sg.Variable(0, name="count")
    ...     start_over = sg.global_variables_initializer()
    ...     session, step = sg.Session(), count.assign_add(1)
    >>> session.run(step), session.run(step)
    (np.int64(1), np.int64(2))
    >>> session.run(start_over)
    >>> session.run(count)
    np.int64(0)
    """
    graph = get_default_graph()
    assigns = [variable.assign(variable.initial_value) for variable in graph.variables.values()]
    with graph.as_default():
        return group(*assigns, name="initializer")


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        listed = " or ".join(repr(choice) for choice in choices)
        raise GraphError(
            f"Session: {what}={value!r} is not available\n  give {listed}\n  at {capture()}"
        )


def _owned(outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Array]:
    """The outputs as arrays that alias nothing: no input, no constant, no other output."""
    taken = {id(array) for array in inputs}
    owned: list[Array] = []
    for output in outputs:
        array = np.asarray(output)
        if not array.flags.owndata or not array.flags.writeable or id(array) in taken:
            array = array.copy()
        taken.add(id(array))
        owned.append(array)
    return owned


def _placeholders(leaves: Sequence[Leaf]) -> list[Tensor]:
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
