"""Runs on the reference backend: plain Python around a NumPy interpreter.

New values of variables are put in place by a single assignment after everything else has succeeded.
Runs that write variables take turns; runs that only read see one consistent state and go on side by
side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.backends.memory import out_of_memory, refused_array
from staticgraph.backends.reference import ReferenceExecutable
from staticgraph.core.graph import Graph, Tensor
from staticgraph.core.types import compatible
from staticgraph.runtime.fetches import Rebuild
from staticgraph.runtime.plan import Plan
from staticgraph.runtime.runs import Array, Call, Options, Runs, feed_arrays


class ReferenceRuns(Runs):
    """Runs of a session with ``backend="reference"``."""

    headline = "backend reference: NumPy, one node after the other"

    def __init__(self, graph: Graph, options: Options) -> None:
        super().__init__(graph, options)
        self._values: dict[str, Array] = {}
        self._numbers = itertools.count(1)

    def compile(self, plan: Plan) -> ReferenceExecutable:
        """An interpreter of the plan's Function."""
        return ReferenceExecutable(plan.function, self.options.check_numerics)

    def call(self, plan: Plan, rebuild: Rebuild) -> Call:
        """See `Runs.call`."""

        def call(*values: Any) -> Any:
            self.check_open("call")
            return rebuild(self._execute(plan, feed_arrays(plan, values)))

        return call

    def has(self, name: str) -> bool:
        """See `Runs.has`."""
        return name in self._values

    def initial_value(self, plan: Plan) -> Array:
        """See `Runs.initial_value`."""
        # Run 0 is for initial values alone, so they do not depend on when they are needed.
        (value,) = self._evaluate(plan, [], 0)
        return np.asarray(value)

    def offer(self, name: str, value: Array) -> None:
        """See `Runs.offer`; runs that write wait for the lock that the caller holds."""
        self._values = {**self._values, name: value}

    def close(self) -> None:
        """See `Runs.close`."""
        super().close()
        self._values = {}

    def _execute(self, plan: Plan, fed: list[Array]) -> list[Any]:
        """One value per leaf of the plan."""
        if plan.updates:
            with self.writing:
                return self._evaluate(plan, fed)
        return self._evaluate(plan, fed)

    def _evaluate(self, plan: Plan, fed: list[Array], run: int | None = None) -> list[Any]:
        inputs: list[Any] = list(fed)
        if plan.variables:
            values = self._initialised(plan.variables)
            inputs += [values[name] for name in plan.variables]
        if plan.needs_key:
            number = next(self._numbers) if run is None else run
            inputs.append(np.array([self.options.seed, number], dtype=np.uint64))
        outputs = plan.executable(inputs)
        try:
            owned = _owned(outputs, inputs)
        except (MemoryError, ValueError) as problem:
            if not out_of_memory(problem):
                raise
            raise refused_array(problem) from problem
        if plan.updates:
            self._commit(plan.updates, owned[plan.fetched :])
        results = iter(owned[: plan.fetched])
        return [next(results)[()] if isinstance(leaf, Tensor) else None for leaf in plan.leaves]

    def _commit(self, names: Sequence[str], arrays: Sequence[Array]) -> None:
        for name, array in zip(names, arrays, strict=True):
            if not compatible(array.shape, self.graph.variables[name].type.shape):
                self.misfit(name, array.shape)
        # One assignment: an interrupt falls before it or after it, never between two variables.
        self._values = {**self._values, **dict(zip(names, arrays, strict=True))}

    def _initialised(self, names: Sequence[str]) -> dict[str, Array]:
        """The values of variables, those included whose initial value is needed first."""
        values = self._values
        if all(name in values for name in names):
            return values
        self.initialise(names)
        return self._values


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
