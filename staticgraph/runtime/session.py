"""Session: runs fetches of one graph, keeps the values of its variables.

A run commits all of its variable updates or none, and any number of threads may run one session.
How is the business of the backend's `Runs`; a session checks its arguments, makes plans and finds
the call that a run means. It remembers calls by what was fetched and fed, so that the second run of
a kind costs little more than the call itself.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal

import numpy as np

from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor, get_default_graph
from staticgraph.core.location import Location, capture
from staticgraph.errors import FeedError, GraphError, GraphGrowthWarning
from staticgraph.ops.control import group
from staticgraph.ops.state import Variable
from staticgraph.runtime.feeds import feed_key, feed_keys
from staticgraph.runtime.fetches import Leaf, flatten
from staticgraph.runtime.native_runs import NativeRuns
from staticgraph.runtime.reference_runs import ReferenceRuns
from staticgraph.runtime.runs import UNKNOWN, Call, Options, Runs, placeholders

# A graph that grew this often in a row from one and the same line is being built in a loop.
_GROWTHS_BEFORE_WARNING = 10


class Session:
    """Runs a graph.

    graph           the default graph when not given
    backend         ``native`` compiles to machine code, ``reference`` interprets with NumPy
    threads         how many threads a run may use (None: as many as there are cores); the reference
                    backend uses what NumPy uses
    memory_limit    how many bytes a run may use at a time, its results included (None: no limit);
                    the native backend keeps to it
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
        backend: Literal["native", "reference"] = "native",
        threads: int | None = None,
        seed: int | None = None,
        check_numerics: bool = False,
        math: Literal["strict", "contract"] = "strict",
        memory_limit: int | None = None,
    ) -> None:
        if graph is not None and not isinstance(graph, Graph):
            raise GraphError(
                f"Session: the graph is a {type(graph).__name__}\n"
                f"  give a Graph, or nothing for the default graph\n  at {capture()}"
            )
        _check_choice("backend", backend, tuple(_BACKENDS))
        _check_choice("math", math, ("strict", "contract"))
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise GraphError(
                f"Session: threads={threads!r} is no number of threads\n"
                f"  give an int of at least 1, or None for all cores\n  at {capture()}"
            )
        if memory_limit is not None and (not isinstance(memory_limit, int) or memory_limit < 1):
            raise GraphError(
                f"Session: memory_limit={memory_limit!r} is no number of bytes\n"
                f"  give an int of at least 1, or None for no limit\n  at {capture()}"
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
        self.memory_limit = memory_limit
        options = Options(self.seed, threads, check_numerics, math == "contract", memory_limit)
        self._runs: Runs = _BACKENDS[backend](self.graph, options)
        # What was run before: the call by the type of the fetches, what they hold, the feed's keys.
        self._known: dict[tuple[Any, ...], Call] = {}
        # The same for what is done most often, where the backend can tell it by identity.
        self._finder = self._runs.new_finder()
        self._find: Call = self._finder.find if self._finder else _find_nothing
        self._growth = _Growth(self.graph)
        self._note_growth()

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
        result = self._find(fetches, feed)
        if result is not UNKNOWN:
            return result
        self._runs.check_open("run")
        self._growth.watch()
        self._note_growth()
        if feed is None or type(feed) is dict:
            kind = type(fetches)
            fetched = tuple(fetches) if kind is list else fetches
            try:
                call = self._known.get((kind, fetched, *feed) if feed else (kind, fetched))
            except TypeError:
                # Something in it has no hash: a nested list, a dict, or no fetch at all.
                call = None
            if call is not None:
                return call(*feed.values()) if feed else call()
        leaves, rebuild = flatten(fetches, self.graph)
        given = feed_keys(feed, self.graph)
        call = self._runs.call(self._runs.plan(leaves, tuple(given)), rebuild)
        self._remember(fetches, feed, call)
        return call(*given.values())

    def _note_growth(self) -> None:
        if self._finder:
            self._finder.grown(self._growth.size)

    def _remember(self, fetches: Any, feed: Any, call: Call) -> None:
        """Lets the next run with such fetches and feeds find its call."""
        kind = type(fetches)
        items = fetches if kind is list or kind is tuple else (fetches,)
        # What is compared by value could be mistaken for something else that is equal to it.
        if all(isinstance(item, Tensor | Operation | Variable | str) for item in items):
            fetched = tuple(items) if kind is list or kind is tuple else fetches
            self._known[kind, fetched, *(feed or ())] = call
            if self._finder:
                self._finder.add(fetches, feed or {}, call)

    def make_callable(self, fetches: Any, feed_list: Sequence[Any] = ()) -> Callable[..., Any]:
        """A function of the fed values, in the order of `feed_list`, that returns `fetches`.

        It does the work of `run` that does not depend on the values once, here.

        >>> import staticgraph as sg
        >>> x = sg.placeholder("float32", (), name="x")
        >>> square = sg.Session().make_callable(x * x, [x])
        >>> square(3.0)
        np.float32(9.0)
        """
        self._runs.check_open("make_callable")
        leaves, rebuild = flatten(fetches, self.graph)
        feeds = tuple([feed_key(key, self.graph) for key in feed_list])
        if len(set(feeds)) != len(feeds):
            raise FeedError(f"make_callable: a tensor stands twice in feed_list\n  at {capture()}")
        return self._runs.call(self._runs.plan(leaves, feeds), rebuild)

    def explain(
        self,
        fetches: Any,
        feed_list: Sequence[Any] | None = None,
        ir: bool = False,
        assembly: bool = False,
    ) -> str:
        """What a run of `fetches` does: the report of the pipeline, the program, the machine code.

        feed_list   the tensors that are fed; all placeholders that are needed when not given
        ir          add the text that LLVM is given
        assembly    add the instructions that LLVM makes of it

        docs/native.md says how to read it. Nothing is run for it, but what has not been compiled
        yet is. GraphError where there is no machine code to show.

        >>> import staticgraph as sg
        >>> x = sg.placeholder("float32", (100, 10), name="x")
        >>> text = sg.Session().explain(sg.nn.softmax(x))
        >>> [line for line in text.splitlines() if line.startswith(("kernels", "fusion"))]
        ['kernels: 1, called at 1 place', 'fusion: stopped nowhere']
        """
        self._runs.check_open("explain")
        leaves, _ = flatten(fetches, self.graph)
        if feed_list is None:
            feeds = self._usual_feeds(leaves)
        else:
            feeds = tuple([feed_key(key, self.graph) for key in feed_list])
        plan = self._runs.plan(leaves, feeds)
        lines = [
            self._runs.headline,
            f"planned in {plan.seconds * 1e3:.1f} ms; {len(plan.function)} nodes, "
            f"reads {len(plan.variables)} variables, writes {len(plan.updates)}",
            str(plan.function.report),
            str(plan.function),
            *self._runs.describe(plan, ir, assembly),
        ]
        return "\n".join(lines)

    def _usual_feeds(self, leaves: tuple[Leaf, ...]) -> tuple[Tensor, ...]:
        """The placeholders that are needed, in the order in which the last plan has them."""
        wanted = placeholders(leaves)
        # By identity, as in a set: what == makes of two tensors is a node.
        wanted_set, same = set(wanted), [id(leaf) for leaf in leaves]
        for fetched, feeds in reversed(self._runs.plans):
            if [id(leaf) for leaf in fetched] == same and set(feeds) == wanted_set:
                return feeds
        return tuple(wanted)

    def function(self, fetches: Any, feed_list: Sequence[Any] = ()) -> Function:
        """The optimised Function that a run of `fetches` with these feeds evaluates."""
        leaves, _ = flatten(fetches, self.graph)
        return self._runs.plan(leaves, tuple([feed_key(k, self.graph) for k in feed_list])).function

    # -- closing ------------------------------------------------------------------------------

    def close(self) -> None:
        """Drops plans and variables; a later run is an error."""
        self._known.clear()
        if self._finder:
            self._finder.clear()
        self._runs.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._runs.closed else f"{len(self._runs.plans)} plans"
        return f"<Session backend='{self.backend}', {state}>"


def _find_nothing(fetches: Any, feed: Any) -> object:
    return UNKNOWN


_BACKENDS: dict[str, type[NativeRuns] | type[ReferenceRuns]] = {
    "native": NativeRuns,
    "reference": ReferenceRuns,
}


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
