"""Runs on machine code: what the trampoline hands to Python, and why.

A call goes straight into machine code. It comes here, with its arguments as they were, when one of
them is not just what the code takes, when a variable has no value yet, when another run is in the
way, or when the session is closed. The loop in `NativeCall.call` then mends one cause after the
other and tries again, until the run takes place or an error says why it cannot.

Machine code needs to know how many axes every value has. A plan with inputs of unknown rank is made
once for every combination of ranks that it meets; one in which a fed vector of integers decides how
many axes something has, once for every combination of lengths. Where the number of axes depends on
more than that (on which branch is taken, say), the run is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph import config
from staticgraph.core.dtypes import INTEGER, DType
from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Tensor, describe, describe_mismatch
from staticgraph.core.location import capture
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import Shape, TensorType
from staticgraph.errors import CompilerError, ShapeError, StaticGraphError
from staticgraph.passes.ranks import is_open, open_node
from staticgraph.runtime.fetches import Rebuild, only
from staticgraph.runtime.plan import Plan
from staticgraph.runtime.runs import UNKNOWN, Array, Call, Options, Runs, feed_arrays

# Loaded, and LLVM with them, by the first session that runs machine code.
_compiler = config.LazyModule("staticgraph.backends.native.executable")
_explain = config.LazyModule("staticgraph.backends.native.explain")
_trampoline = config.LazyModule("staticgraph.backends.native.trampoline")
_machine = config.LazyModule("staticgraph.backends.native.machine")

# What a callable answers that finds something unusual, instead of mending it.
_REFUSED = object()
# Between two tries another thread may get in the way again, but not without end.
_TRIES = 1000


def _refuse(*values: Any) -> object:
    return _REFUSED


class NativeRuns(Runs):
    """Runs of a session with ``backend="native"``."""

    headline = "backend native: machine code"

    def __init__(self, graph: Graph, options: Options) -> None:
        super().__init__(graph, options)
        _trampoline.check()
        self.store = _trampoline.Store(options.seed)
        self.threads = _machine.cores() if options.threads is None else options.threads

    def compile(self, plan: Plan) -> Any:
        """The machine code of a plan; nothing yet where ranks are not known."""
        if is_open(plan.function):
            return None
        # What generated code calls has to be there before it is loaded.
        _trampoline.trampoline()
        return _compiler.NativeFunction(
            plan.function,
            plan.fetched,
            check_numerics=self.options.check_numerics,
            contract=self.options.contract,
        )

    def call(self, plan: Plan, rebuild: Rebuild) -> Call:
        """See `Runs.call`."""
        if plan.executable is None:
            return RankedCall(self, plan, rebuild).call
        return NativeCall(self, plan, rebuild).entry()

    def bind(self, plan: Plan, initial: bool = False) -> Any:
        """The plan's machine code with the tables that it is called by."""
        return _trampoline.Bound(
            plan.executable.compiled,
            self.store,
            {name: self.graph.variables[name].type.shape for name in plan.updates},
            self.misfit,
            threads=self.threads,
            memory_limit=self.options.memory_limit,
            checked=config.check_enabled(),
            initial=initial,
        )

    def has(self, name: str) -> bool:
        """See `Runs.has`."""
        return bool(self.store.has(name))

    def initial_value(self, plan: Plan) -> Array:
        """See `Runs.initial_value`."""
        if plan.executable is None:
            return np.asarray(RankedCall(self, plan, only, initial=True).call())
        # Run 0 is for initial values alone, so they do not depend on when they are needed.
        return np.asarray(NativeCall(self, plan, only, initial=True).call())

    def offer(self, name: str, value: Array) -> None:
        """See `Runs.offer`."""
        self.store.offer(name, value)

    def describe(self, plan: Plan, ir: bool, assembly: bool) -> list[str]:
        """See `Runs.describe`."""
        if plan.executable is None:
            return ["machine code is made for each combination of ranks when it is first run"]
        return [_explain.explain(plan.executable, ir, assembly)]

    def new_finder(self) -> Any:
        """See `Runs.new_finder`."""
        return _trampoline.Finder(UNKNOWN, self.graph.operations)

    def close(self) -> None:
        """See `Runs.close`."""
        super().close()
        self.store.close()


class NativeCall:
    """One combination of fetches and feeds on machine code.

    It does not hold what `entry` returns, which holds it: no call is in a cycle of references.
    """

    def __init__(
        self, runs: NativeRuns, plan: Plan, rebuild: Rebuild, initial: bool = False
    ) -> None:
        self._runs, self._plan = runs, plan
        self._bound = runs.bind(plan, initial)
        outputs = iter(range(plan.fetched))
        leaves = [next(outputs) if isinstance(leaf, Tensor) else -1 for leaf in plan.leaves]
        structures = {
            only: (_trampoline.SINGLE, None),
            list: (_trampoline.LIST, None),
            tuple: (_trampoline.TUPLE, None),
        }
        self._form = (leaves, *structures.get(rebuild, (_trampoline.TUPLE, rebuild)))
        self.direct = self._bound.callable(_refuse, *self._form)

    def entry(self) -> Call:
        """What others call."""
        made: Call = self._bound.callable(self.call, *self._form)
        return made

    def call(self, *values: Any) -> Any:
        """What is fetched, for values that are not all as machine code takes them."""
        self._runs.check_open("call")
        given = feed_arrays(self._plan, values)
        feeds = self._plan.feeds
        arrays = [_usual(a, feed.type.dtype) for a, feed in zip(given, feeds, strict=True)]
        for _ in range(_TRIES):
            result = self.direct(*arrays)
            if result is not _REFUSED:
                return result
            self._make_way(arrays)
        raise CompilerError(
            "machine code does not take inputs that fit it\n"
            "  this is a bug in staticgraph; report it with the program that shows it"
        )

    def _make_way(self, arrays: Sequence[Array]) -> None:
        runs, store = self._runs, self._runs.store
        runs.check_open("call")
        if store.barred(self._bound.refused_in):
            store.wait(self._bound.refused_in)
        elif not all(store.has(name) for name in self._plan.variables):
            runs.initialise(self._plan.variables)
        else:
            self._compare_sizes(arrays)

    def _compare_sizes(self, arrays: Sequence[Array]) -> None:
        """Raises ShapeError where a variable has not the sizes that the plan's types promise."""
        known: dict[str, tuple[int, str]] = {}
        shapes = [array.shape for array in arrays]
        shapes += [self._runs.store.shape(name) for name in self._plan.variables]
        for value, shape in zip(self._plan.function.inputs, shapes, strict=False):
            for dim, size in zip(value.type.shape or (), shape, strict=False):
                if not isinstance(dim, str):
                    continue
                first, what = known.setdefault(dim, (size, describe(value)))
                if first != size:
                    raise ShapeError(
                        "run: sizes that follow from each other in the graph have come to differ\n"
                        f"  {first} in {what}\n"
                        f"  {size} in {describe(value)}\n"
                        "  assign the variable a value of the new size first\n"
                        f"  at {capture()}"
                    )


class RankedCall:
    """A call in which a number of axes is open: one `NativeCall` per combination of ranks.

    Where ranks do not tell it all, the lengths of vectors of integers do: they may be shapes.
    """

    def __init__(
        self, runs: NativeRuns, plan: Plan, rebuild: Rebuild, initial: bool = False
    ) -> None:
        self._runs, self._plan, self._rebuild, self._initial = runs, plan, rebuild, initial
        self._calls: dict[tuple[int, ...], NativeCall] = {}
        self._last: Call = _refuse
        self._by_length = False

    def call(self, *values: Any) -> Any:
        """What is fetched for these values."""
        result = self._last(*values)
        if result is not _REFUSED:
            return result
        self._runs.check_open("call")
        arrays = feed_arrays(self._plan, values)
        self._runs.initialise(self._plan.variables)
        shapes = self._shapes(arrays)
        call = self._calls.get(self._key(shapes))
        if call is None:
            call = self._of(shapes)
            # Only now it is known what has to be told apart.
            self._calls[self._key(shapes)] = call
        self._last = call.direct
        return call.call(*arrays)

    def _shapes(self, arrays: Sequence[Array]) -> list[tuple[Tensor | str, tuple[int, ...]]]:
        """Per input that has a type of its own: the fed tensor or variable, and its shape."""
        store = self._runs.store
        fed = [(t, array.shape) for t, array in zip(self._plan.feeds, arrays, strict=True)]
        return [*fed, *[(name, store.shape(name)) for name in self._plan.variables]]

    def _type(self, key: Tensor | str) -> TensorType:
        variables = self._runs.graph.variables
        type: TensorType = key.type if isinstance(key, Tensor) else variables[key].type
        return type

    def _key(self, shapes: Sequence[tuple[Tensor | str, tuple[int, ...]]]) -> tuple[int, ...]:
        key: list[int] = []
        for source, shape in shapes:
            type = self._type(source)
            if type.shape is None:
                key.append(len(shape))
            if self._by_length and _is_vector(type, shape):
                key.append(shape[0])
        return tuple(key)

    def _of(self, shapes: Sequence[tuple[Tensor | str, tuple[int, ...]]]) -> NativeCall:
        """The call for inputs of these ranks and, where they leave something open, lengths."""
        plan, runs = self._plan, self._runs
        while True:
            told = {source: self._told(source, shape, shapes) for source, shape in shapes}
            ranked = Plan(runs.graph, plan.leaves, plan.feeds, runs.compile, told)
            if ranked.executable is not None:
                return NativeCall(runs, ranked, self._rebuild, self._initial)
            if self._by_length:
                raise _open_rank(ranked.function)
            self._by_length = True
            self._calls.clear()

    def _told(
        self,
        source: Tensor | str,
        shape: tuple[int, ...],
        shapes: Sequence[tuple[Tensor | str, tuple[int, ...]]],
    ) -> Shape:
        """What the plan is told of the shape of an input."""
        lengths: dict[Any, int] = {}
        if self._by_length:
            for other, found in shapes:
                type = self._type(other)
                if _is_vector(type, found) and type.shape:
                    lengths[type.shape[0]] = found[0]
        type = self._type(source)
        if self._by_length and _is_vector(type, shape):
            return shape
        # Where a length has a name, it is that of every axis of the name.
        return tuple([
            lengths.get(dim, dim) if isinstance(dim, str) else dim
            for dim in (type.shape if type.shape is not None else (None,) * len(shape))
        ])  # fmt: skip


def _is_vector(type: TensorType, shape: tuple[int, ...]) -> bool:
    """Whether it may be the sizes of something, whose number only the run knows."""
    return type.dtype in INTEGER and len(shape) == 1 and not type.is_static


def _open_rank(function: Function) -> StaticGraphError:
    node = open_node(function)
    assert node is not None
    problem = Mismatch(
        "how many axes a result has depends on values",
        "machine code has to know it first: give placeholders a shape (None stands for a size that",
        "only the run knows) and branches results of equal rank, or run it with",
        "sg.Session(backend='reference')",
    )
    return describe_mismatch(node.op, node.inputs, problem, node.location)


def _usual(array: Array, dtype: DType) -> Array:
    """The array as machine code takes it: an ndarray that is aligned and in the order of C.

    Its dtype equals `dtype`, but may be another object, which machine code does not know.
    """
    flags = array.flags
    if type(array) is not np.ndarray or not flags.c_contiguous or not flags.aligned:
        return np.array(array, dtype, order="C", copy=True, subok=False)
    return array if array.dtype is dtype else array.view(dtype)
